#include "core/url.hpp"

#include "printers.hpp"

#include <doctest/doctest.h>

#include <cctype>
#include <string>
#include <string_view>
#include <variant>

namespace core = ccloud::core;

using ccloud::origin;

namespace {

std::string fault_of(std::string_view url, bool allow_plaintext = false)
{
    auto const parsed = core::parse_endpoint(url, allow_plaintext);
    auto const* const fault = std::get_if<std::string>(&parsed);
    return fault ? *fault : std::string();
}

} // namespace

TEST_CASE("a base URL is taken apart (vector 20)")
{
    struct row
    {
        std::string_view url, shown, base_path;
    };
    for (auto const& [url, shown, base_path] : {
             row{"https://api.confluent.cloud", "https://api.confluent.cloud", ""},
             row{"https://api.confluent.cloud/", "https://api.confluent.cloud", ""},
             row{"https://api.confluent.cloud///", "https://api.confluent.cloud", ""},
             row{"HTTPS://API.Confluent.Cloud", "https://api.confluent.cloud", ""},
             row{"https://confluent.example/api", "https://confluent.example", "/api"},
             row{"https://confluent.example/api/", "https://confluent.example", "/api"},
             row{"https://confluent.example/a/B%20c//", "https://confluent.example", "/a/B%20c"},
             row{"https://confluent.example:443/api", "https://confluent.example", "/api"},
             row{"https://confluent.example:8443", "https://confluent.example:8443", ""},
             row{"https://confluent.example:80", "https://confluent.example:80", ""},
             row{"https://confluent.example:1", "https://confluent.example:1", ""},
             row{"https://confluent.example:65535", "https://confluent.example:65535", ""},
             row{"https://10.1.2.3:8443/x", "https://10.1.2.3:8443", "/x"},
             row{"https://[::1]", "https://[::1]", ""},
             row{"https://[2001:DB8::1]:8443/api/", "https://[2001:db8::1]:8443", "/api"},
             row{"http://localhost:8080", "http://localhost:8080", ""},
             row{"http://LocalHost", "http://localhost", ""},
             row{"http://127.0.0.1:443/", "http://127.0.0.1:443", ""},
             row{"http://127.255.1.9", "http://127.255.1.9", ""},
             row{"http://[::1]:9000/api", "http://[::1]:9000", "/api"},
             row{"https://API.Confluent.Cloud.", "https://api.confluent.cloud.", ""},
             row{"https://confluent.example.:8443/api", "https://confluent.example.:8443", "/api"},
             row{"http://localhost.:8080", "http://localhost.:8080", ""},
         })
    {
        CAPTURE(url);
        auto const parsed = core::parse_endpoint(url, false);
        auto const* const read = std::get_if<core::endpoint>(&parsed);
        if (!read)
        {
            CHECK(std::get<std::string>(parsed) == "");
            continue;
        }
        CHECK(read->where.to_string() == shown);
        CHECK(read->base_path == base_path);
    }
}

TEST_CASE("host and port of a base URL are kept without brackets")
{
    auto const parsed = core::parse_endpoint("https://[2001:DB8::1]", false);
    REQUIRE(std::holds_alternative<core::endpoint>(parsed));
    CHECK(std::get<core::endpoint>(parsed).where == origin(true, "2001:db8::1", 443));
    auto const plain = core::parse_endpoint("http://localhost", false);
    REQUIRE(std::holds_alternative<core::endpoint>(plain));
    CHECK(std::get<core::endpoint>(plain).where == origin(false, "localhost", 80));
}

TEST_CASE("a base URL that cannot be used is refused with its reason")
{
    struct row
    {
        std::string_view url, reason;
    };
    constexpr std::string_view no_url = "is no absolute URL";
    for (auto const& [url, reason] : {
             row{"", "is empty"},
             row{" ", no_url},
             row{"api.confluent.cloud", no_url},
             row{"//api.confluent.cloud", no_url},
             row{"/iam/v2", no_url},
             row{"https:", "has no host"},
             row{"https://", "has no host"},
             row{"https:///api", "has no host"},
             row{"https://:8443", "has no host"},
             row{"ftp://x.example", "the scheme must be https"},
             row{"ws://x.example", "the scheme must be https"},
             row{"localhost:8080", "the scheme must be https"},
             row{"https://user@x.example", "must not contain a user or password"},
             row{"https://user:hunter2@x.example", "must not contain a user or password"},
             row{"https://:hunter2@x.example", "must not contain a user or password"},
             row{"https://x.example?a=b", "must not have a query"},
             row{"https://x.example/api?", "must not have a query"},
             row{"https://x.example/#top", no_url},
             row{"https://x.example:0", "the port must be 1 to 65535"},
             row{"https://x.example:", "the port must be 1 to 65535"},
             row{"https://x.example:65536", "the port must be 1 to 65535"},
             row{"https://x.example:99999", "the port must be 1 to 65535"},
             row{"https://x.example:4294967739", "the port must be 1 to 65535"},
             row{"https://x.example:port", ""},
             row{"https://x.example:-1", ""},
             row{"https://x example", no_url},
             row{" https://x.example", no_url},
             row{"https://x.example ", no_url},
             row{"https://x.example/a b", no_url},
             row{"https://x.example\r\nX-Evil: 1", no_url},
             row{"https://x.example/\n", no_url},
             row{std::string_view("https://x.example/\0", 19), no_url},
             row{"https://x.example\\@y.example", no_url},
             row{"https://[::1", "the host must be"},
             row{"https://[::g]", "the host must be"},
             row{"https://[127.0.0.1]", "the host must be"},
             row{"https://[v1.x]", "the host must be"},
             row{"https://[]", "the host must be"},
             row{"1https://x.example", no_url},
             row{"ht_tps://x.example", no_url},
             row{"https//x.example", no_url},
             row{"https://x.example/%", no_url},
             row{"https://x.example/%4", no_url},
             row{"https://x.example/<>", no_url},
             row{"https://x.example/{a}", no_url},
             row{"https://::1", ""},
             row{"https://x.example/%zz", no_url},
             row{"https://b\xc3\xbc"
                 "cher.example",
                 no_url},
             row{"https://b%C3%BCcher.example", "the host must be"},
             row{"https://x%20y.example", "the host must be"},
             row{"https://x%0d%0ay.example", "the host must be"},
             row{"https://x.example%2fy", ""},
             row{"https://user%40x.example", ""},
             row{"https://x.example%3a80", ""},
             row{"https://x.example:80abc/d", ""},
             row{"https://.", "the host has an empty label"},
             row{"https://..", "the host has an empty label"},
             row{"https://x.example..", "the host has an empty label"},
             row{"https://x.example..:8443/api", "the host has an empty label"},
             row{"https://x..example", "the host has an empty label"},
             row{"https://.x.example", "the host has an empty label"},
             row{"https://127.0.0.1.", "an address must not end with a dot"},
             row{"https://10.0.0.1.:8443/api", "an address must not end with a dot"},
             row{"https://[::1].", "the host must be"},
             row{"https://[::1]x", ""},
             row{"https://[::1]x.example/y", ""},
         })
    {
        CAPTURE(url);
        auto const fault = fault_of(url);
        CAPTURE(fault);
        CHECK(fault.starts_with("endpoint"));
        CHECK(fault.find(reason) != std::string::npos);
        CHECK(fault.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
    }
}

TEST_CASE("plain http is for this machine, unless it is allowed")
{
    for (std::string_view const url :
         {"http://api.confluent.cloud", "http://10.0.0.1", "http://128.0.0.1", "http://[2001:db8::1]", "http://[::2]",
          "http://localhost.example", "http://notlocalhost", "http://0.0.0.0"})
    {
        CAPTURE(url);
        auto const fault = fault_of(url);
        CAPTURE(fault);
        CHECK(fault.find("plain http would send the credentials unprotected") != std::string::npos);
        CHECK(fault_of(url, true) == "");
    }
    CHECK(!fault_of("ftp://10.0.0.1", true).empty());
}

TEST_CASE("a host that begins like an address is taken whole or refused")
{
    for (std::string_view const host :
         {"127.0.0.1.example", "10.0.0.1.example", "10.0.0.1x", "1.2.3.4.5", "127.0.0.1-x.example", "127.0.0.1_"})
        for (std::string_view const rest : {"", "/", "/api", ":8443/api"})
            for (bool const allow_plaintext : {false, true})
            {
                auto const url =
                    std::string(allow_plaintext ? "http" : "https").append("://").append(host).append(rest);
                CAPTURE(url);
                auto const parsed = core::parse_endpoint(url, allow_plaintext);
                if (auto const* const read = std::get_if<core::endpoint>(&parsed))
                    CHECK(read->where.host() == host);
            }
    CHECK(!fault_of("http://127.0.0.1.example").empty());
    CHECK(!fault_of("http://127.0.0.1x/").empty());
}

TEST_CASE("a password in a base URL is never shown, however the URL is broken")
{
    for (std::string_view const before : {"https://user:", "http://:", "user:"})
        for (std::string_view const secret :
             {"hunter2", "hun@ter2", "hunter2\r\n", "hunter2 ", "hunter2/", "/hunter2", "?hunter2", "1#hunter2"})
        {
            auto const url = std::string(before).append(secret).append("@x.example:99999/api?q");
            auto const fault = fault_of(url);
            CAPTURE(fault);
            CHECK(!fault.empty());
            CHECK(fault.find("ter2") == std::string::npos);
        }
}

TEST_CASE("a password without \"@\" is not shown either: the text after a colon that does not begin a port is hidden")
{
    for (std::string_view const url :
         {"https://u:pASS",
          "https://u:pASS/x",
          "https://u:pASS?x",
          "https://u:pA/SS",
          "https://u:8443pASS",
          "https://u:99999/x:pASS",
          "https://[::1]:pASS",
          "https://[u:pASS",
          "https://[u:pASS]",
          "http:/u:pASS",
          "u:pASS",
          "u:pASS://host",
          "https://u%3ApASS",
          "https://u%3ApASS%40host",
          "https://u:%70ASS",
          "https://u: pASS",
          "https://u:p?pASS",
          "https://u:#pASS",
          "https://host?key=pASS",
          "https://host#pASS",
          "https:u:pASS",
          "ftp://u:pASS",
          "//u:pASS",
          "https://u:999999pASS",
          "https://u:pASS\r\n"})
    {
        CAPTURE(url);
        auto const fault = fault_of(url);
        CAPTURE(fault);
        CHECK(fault.starts_with("endpoint"));
        CHECK(fault.find("ASS") == std::string::npos);
    }
    CHECK(fault_of("https://" + std::string(100'000, 'a') + "!").size() < 400);
}

TEST_CASE("loopback is this machine and nothing else")
{
    for (std::string_view const host :
         {"localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.0.0.0", "127.255.255.255", "::1",
          "0:0:0:0:0:0:0:1"})
    {
        CAPTURE(host);
        CHECK(core::is_loopback(host));
    }
    for (std::string_view const host :
         {"", "localhost..", ".localhost", "127.0.0.1.", "localhost.example", "my-localhost", "128.0.0.1", "127.0.0",
          "127.1", "127.0.0.1.example", "127.0.0.256", "::", "::2", "10.0.0.1", "[::1]"})
    {
        CAPTURE(host);
        CHECK(!core::is_loopback(host));
    }
}

TEST_CASE("an IP address is told from a name")
{
    for (std::string_view const host : {"10.0.0.1", "255.255.255.255", "::", "::1", "2001:db8::1", "::ffff:10.0.0.1"})
    {
        CAPTURE(host);
        CHECK(core::is_ip_address(host));
    }
    for (std::string_view const host :
         {"", "x.example", "10.0.0", "10.0.0.1.", "10.0.0.256", "1.2.3.4.5", "10.0.0.1.example", "[::1]", "cafe",
          "1234", ":::", "2001:db8::g"})
    {
        CAPTURE(host);
        CHECK(!core::is_ip_address(host));
    }
}

TEST_CASE("all but the unreserved characters of RFC 3986 are percent-encoded")
{
    for (int byte = 0; byte < 256; ++byte)
    {
        CAPTURE(byte);
        std::string encoded("before");
        core::append_encoded(encoded, std::string(1, static_cast<char>(byte)));
        bool const kept =
            byte < 128 && (std::isalnum(byte) != 0 ||
                           std::string_view("-._~").find(static_cast<char>(byte)) != std::string_view::npos);
        static constexpr std::string_view hex = "0123456789ABCDEF";
        auto const high = static_cast<std::size_t>(byte) / 16, low = static_cast<std::size_t>(byte) % 16;
        auto const expected = kept ? std::string(1, static_cast<char>(byte)) : std::string{'%', hex[high], hex[low]};
        CHECK(encoded == "before" + expected);
    }
}

TEST_CASE("a segment of a path is refused where it could change the path")
{
    CHECK(core::refuse_segment("") == "must not be empty");
    CHECK(core::refuse_segment("a/b") == "must not contain \"/\"");
    for (std::string_view const id : {".", "..", "...", "a..", "..b"})
    {
        CAPTURE(id);
        CHECK(core::refuse_segment(id) == "must not be \".\" or contain \"..\"");
    }
    for (int byte = 0; byte < 256; ++byte)
    {
        CAPTURE(byte);
        auto const id = std::string("a") + static_cast<char>(byte) + 'b';
        bool const refused = byte < 0x20 || byte == 0x7f || byte == '/';
        CHECK(core::refuse_segment(id).empty() == !refused);
    }
    for (std::string_view const id : {"ipg-1", "pool-O01qJ", "a.b", ".a", "a.", "a b", "%2e%2e", "\xc3\xbc"})
    {
        CAPTURE(id);
        CHECK(core::refuse_segment(id).empty());
    }
}

TEST_CASE("RFC 9112 section 3.2.1: a target is a path and a query in the characters of a URI, and has no fragment")
{
    for (std::string_view const target :
         {"/", "//", "/iam/v2/ip-groups?page_size=10&x=%20~", "/a?b?c", "/a:b@c;d=e,f", "/a?filter[x]=y", "/%e2%82%AC"})
    {
        CAPTURE(target);
        CHECK(core::is_target(target));
    }
    for (std::string_view const target :
         {"",
          "iam",
          "https://x.example/",
          "*",
          "?a",
          "#a",
          "/#",
          "/a#b",
          "/a?b#c",
          "/a?#",
          "/#?a",
          "/%",
          "/%4",
          "/%zz",
          "/a?b=%",
          "/%4g",
          "/a%23%",
          "/a b",
          "/\\evil.example",
          "/<a>",
          "/{id}",
          "/a|b",
          "/^",
          "/`",
          "/\""})
    {
        CAPTURE(target);
        CHECK(!core::is_target(target));
    }
    for (int byte = 0; byte < 256; ++byte)
    {
        CAPTURE(byte);
        bool const in_uri = byte > 0x20 && byte < 0x7f &&
                            std::string_view("\"#%<>\\^`{|}").find(static_cast<char>(byte)) == std::string_view::npos;
        CHECK(core::is_target(std::string("/a") + static_cast<char>(byte)) == in_uri);
    }
}

TEST_CASE("RFC 3986 section 2.1: percent-encoded bytes are decoded once, and a bare \"%\" is refused")
{
    CHECK(core::percent_decoded("") == "");
    CHECK(core::percent_decoded("a+b c") == "a+b c");
    CHECK(core::percent_decoded("%41%2f%2F%252f") == "A//%2f");
    CHECK(core::percent_decoded("%00%ff") == std::string("\0\xff", 2));
    for (std::string_view const text : {"%", "%4", "a%", "%%41", "%4g", "%g4", "% 41", "%-1", "%0x", "%41%"})
    {
        CAPTURE(text);
        CHECK(core::percent_decoded(std::string(text)) == std::nullopt);
    }
    for (int byte = 0; byte < 256; ++byte)
    {
        std::string const one(1, static_cast<char>(byte));
        std::string encoded;
        core::append_encoded(encoded, one);
        CHECK(core::percent_decoded(encoded) == one);
    }
}
