#include "core/proxy.hpp"

#include "core/base64.hpp"
#include "core/request.hpp"
#include "printers.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace core = ccloud::core;
using namespace std::string_literals;
using namespace std::string_view_literals;
using ccloud::origin;
using core::connect_reply;
using core::proxy;
using core::socks5_handshake;
using kind = proxy::kind;

namespace ccloud::core {

doctest::String toString(proxy::kind how)
{
    switch (how)
    {
    case proxy::kind::http: return "http";
    case proxy::kind::https: return "https";
    case proxy::kind::socks5: return "socks5";
    case proxy::kind::socks5h: return "socks5h";
    }
    return "?";
}

doctest::String toString(connect_reply::state how)
{
    switch (how)
    {
    case connect_reply::state::incomplete: return "incomplete";
    case connect_reply::state::accepted: return "accepted";
    case connect_reply::state::unauthenticated: return "unauthenticated";
    case connect_reply::state::refused: return "refused";
    case connect_reply::state::malformed: return "malformed";
    }
    return "?";
}

doctest::String toString(socks5_handshake::state how)
{
    switch (how)
    {
    case socks5_handshake::state::going: return "going";
    case socks5_handshake::state::done: return "done";
    case socks5_handshake::state::unauthenticated: return "unauthenticated";
    case socks5_handshake::state::refused: return "refused";
    case socks5_handshake::state::malformed: return "malformed";
    }
    return "?";
}

} // namespace ccloud::core

namespace {

proxy parsed(std::string_view url)
{
    auto const read = core::parse_proxy(url);
    if (auto const* const fault = std::get_if<std::string>(&read))
        FAIL(*fault);
    return std::get<proxy>(read);
}

/** Empty where the URL can be used. */
std::string fault_of(std::string_view url)
{
    auto const read = core::parse_proxy(url);
    auto const* const fault = std::get_if<std::string>(&read);
    return fault ? *fault : std::string();
}

/** "05 01 00" */
std::string hex(std::string_view bytes)
{
    static constexpr auto digits = "0123456789abcdef"sv;
    std::string text;
    for (char const c : bytes)
    {
        auto const byte = static_cast<unsigned char>(c);
        if (!text.empty())
            text += ' ';
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

proxy socks(std::string user = {}, std::string password = {})
{
    proxy through;
    through.how = kind::socks5h;
    through.host = "proxy.example";
    through.port = 1080;
    through.user = std::move(user);
    through.password = std::move(password);
    return through;
}

/** A proxy that answers as told, each answer cut as the handshake wants it. */
socks5_handshake played(std::string_view answers, proxy const& through = socks())
{
    socks5_handshake talk(through, "origin.example", 443);
    while (talk.is() == socks5_handshake::state::going)
    {
        REQUIRE(talk.wants() > 0);
        REQUIRE(talk.wants() <= answers.size());
        auto const wanted = talk.wants();
        talk.input(answers.substr(0, wanted));
        answers.remove_prefix(wanted);
    }
    CHECK(hex(answers) == "");
    CHECK(talk.wants() == 0);
    CHECK(hex(talk.output()) == "");
    return talk;
}

constexpr auto established = "HTTP/1.1 200 Connection established\r\n\r\n"sv;

} // namespace

TEST_CASE("RFC 4648: base64 as in its section 10")
{
    CHECK(core::base64("") == "");
    CHECK(core::base64("f") == "Zg==");
    CHECK(core::base64("fo") == "Zm8=");
    CHECK(core::base64("foo") == "Zm9v");
    CHECK(core::base64("foob") == "Zm9vYg==");
    CHECK(core::base64("fooba") == "Zm9vYmE=");
    CHECK(core::base64("foobar") == "Zm9vYmFy");
    CHECK(core::base64("\xff\xfe\x00\xfb"sv) == "//4A+w==");
}

TEST_CASE("pool 16: the URL of a proxy is taken apart")
{
    struct row
    {
        std::string_view url;
        kind how;
        std::string_view host;
        std::uint16_t port;
        std::string user, password, shown;
    };
    for (auto const& [url, how, host, port, user, password, shown] : {
             row{"http://proxy:3128", kind::http, "proxy", 3128, "", "", "http://proxy:3128"},
             row{"http://proxy:3128/", kind::http, "proxy", 3128, "", "", "http://proxy:3128"},
             row{"http://proxy", kind::http, "proxy", 80, "", "", "http://proxy:80"},
             row{"https://proxy", kind::https, "proxy", 443, "", "", "https://proxy:443"},
             row{"socks5://proxy", kind::socks5, "proxy", 1080, "", "", "socks5://proxy:1080"},
             row{"socks5h://proxy", kind::socks5h, "proxy", 1080, "", "", "socks5h://proxy:1080"},
             row{"SOCKS5H://Proxy.Example:9", kind::socks5h, "proxy.example", 9, "", "", "socks5h://proxy.example:9"},
             row{"proxy:3128", kind::http, "proxy", 3128, "", "", "http://proxy:3128"},
             row{"proxy", kind::http, "proxy", 80, "", "", "http://proxy:80"},
             row{"proxy/", kind::http, "proxy", 80, "", "", "http://proxy:80"},
             row{"10.0.0.1:3128", kind::http, "10.0.0.1", 3128, "", "", "http://10.0.0.1:3128"},
             row{"10.0.0.1.example:3128", kind::http, "10.0.0.1.example", 3128, "", "", "http://10.0.0.1.example:3128"},
             row{"https://Proxy.Example.", kind::https, "proxy.example.", 443, "", "", "https://proxy.example.:443"},
             row{"http://proxy:1", kind::http, "proxy", 1, "", "", "http://proxy:1"},
             row{"http://proxy:65535", kind::http, "proxy", 65535, "", "", "http://proxy:65535"},
             row{"http://[::1]:3128", kind::http, "::1", 3128, "", "", "http://[::1]:3128"},
             row{"https://[2001:DB8::1]", kind::https, "2001:db8::1", 443, "", "", "https://[2001:db8::1]:443"},
             row{"[::1]:3128", kind::http, "::1", 3128, "", "", "http://[::1]:3128"},
             row{"http://me:hunter2@proxy:3128", kind::http, "proxy", 3128, "me", "hunter2", "http://proxy:3128"},
             row{"me:hunter2@proxy:3128", kind::http, "proxy", 3128, "me", "hunter2", "http://proxy:3128"},
             row{"http://me:hunter2@[::1]:1", kind::http, "::1", 1, "me", "hunter2", "http://[::1]:1"},
             row{"http://me@proxy", kind::http, "proxy", 80, "me", "", "http://proxy:80"},
             row{"http://me:@proxy", kind::http, "proxy", 80, "me", "", "http://proxy:80"},
             row{"http://:hunter2@proxy", kind::http, "proxy", 80, "", "hunter2", "http://proxy:80"},
             row{"http://@proxy", kind::http, "proxy", 80, "", "", "http://proxy:80"},
             row{"http://:@proxy", kind::http, "proxy", 80, "", "", "http://proxy:80"},
             row{"http://m%65:%3a%40%2F%3f%25%20@proxy", kind::http, "proxy", 80, "me", ":@/?% ", "http://proxy:80"},
             row{"http://me:hun:ter2@proxy", kind::http, "proxy", 80, "me", "hun:ter2", "http://proxy:80"},
             row{"http://me:hun@ter2@proxy", kind::http, "proxy", 80, "me", "hun@ter2", "http://proxy:80"},
             row{"http://me:a+b@proxy", kind::http, "proxy", 80, "me", "a+b", "http://proxy:80"},
             row{"http://m%C3%BC:x@proxy", kind::http, "proxy", 80, "m\xc3\xbc", "x", "http://proxy:80"},
             row{"socks5://a%3Ab:x@proxy", kind::socks5, "proxy", 1080, "a:b", "x", "socks5://proxy:1080"},
         })
    {
        CAPTURE(url);
        auto const read = parsed(url);
        CHECK(read.how == how);
        CHECK(read.host == host);
        CHECK(read.port == port);
        CHECK(read.user == user);
        CHECK(read.password == password);
        CHECK(read.has_credentials() == !(user.empty() && password.empty()));
        CHECK(read.speaks_http() == (how == kind::http || how == kind::https));
        CHECK(read.to_string() == shown);
    }
}

TEST_CASE("pool 16: the URL of a proxy that cannot be used is refused with its reason")
{
    struct row
    {
        std::string_view url, reason;
    };
    constexpr auto path = "must not have a path, query or fragment"sv;
    constexpr auto port = "the port must be 1 to 65535"sv;
    constexpr auto host = "the host must be ASCII: a name or an address"sv;
    constexpr auto scheme = "the scheme must be http, https, socks5 or socks5h"sv;
    constexpr auto no_host = "has no host"sv;
    constexpr auto empty_label = "the host has an empty label"sv;
    constexpr auto dot = "an address must not end with a dot"sv;
    constexpr auto escape = "must be percent-encoded"sv;
    constexpr auto control = "must not contain control characters"sv;
    for (auto const& [url, reason] : {
             row{"", "is empty"},
             row{"ftp://proxy", scheme},
             row{"socks4://proxy", scheme},
             row{"socks4a://proxy", scheme},
             row{"socks://proxy", scheme},
             row{"://proxy", scheme},
             row{" http://proxy", scheme},
             row{"http ://proxy", scheme},
             row{"me:a://b@proxy", scheme},
             row{"http:proxy:3128", port},
             row{"http:/proxy", path},
             row{"//proxy", path},
             row{"http://", no_host},
             row{"http:///", no_host},
             row{"http://:3128", no_host},
             row{"http://me:x@", no_host},
             row{"http://me:x@:3128", no_host},
             row{"http://::1", no_host},
             row{"http://proxy:", port},
             row{"http://proxy:0", port},
             row{"http://proxy:65536", port},
             row{"http://proxy:4294967297", port},
             row{"http://proxy:99999999999999999999999999", port},
             row{"http://proxy:-1", port},
             row{"http://proxy:+1", port},
             row{"http://proxy:3128x", port},
             row{"http://proxy:3128 ", port},
             row{"http://proxy:3128\n", port},
             row{"http://proxy:1:2", port},
             row{"http://[::1]:", port},
             row{"http://proxy:3128/x", path},
             row{"http://proxy:3128//", path},
             row{"http://proxy:3128?x", path},
             row{"http://proxy:3128/?", path},
             row{"http://proxy:3128#x", path},
             row{"http://proxy\\x", host},
             row{"http://pro xy", host},
             row{" proxy", host},
             row{"http://proxy\r\nX-Evil: 1", host},
             row{"http://pro\0xy"sv, host},
             row{"http://b\xc3\xbc"
                 "cher.example",
                 host},
             row{"http://proxy%2e", host},
             row{"http://pro%0d%0axy", host},
             row{"http://[::1", host},
             row{"http://[::1]x:1", host},
             row{"http://[::g]", host},
             row{"http://[fe80::1%25eth0]", host},
             row{"http://[10.0.0.1]", host},
             row{"http://.", empty_label},
             row{"http://proxy..", empty_label},
             row{"https://proxy..example:3128", empty_label},
             row{"socks5://.proxy.example", empty_label},
             row{"http://me:x@127.0.0.1.:3128", dot},
             row{"socks5h://10.0.0.1.", dot},
             row{"http://[::1].", host},
             row{"http://me:%@proxy", escape},
             row{"http://me:%2@proxy", escape},
             row{"http://me:%zz@proxy", escape},
             row{"http://%4:x@proxy", escape},
             row{"http://me:hun/ter2@proxy", escape},
             row{"http://me:1/ter2@proxy", escape},
             row{"http://me:1?ter2@proxy", escape},
             row{"http://me:1#ter2@proxy", escape},
             row{"http://me:x%0d%0aX-Evil:%201@proxy", control},
             row{"http://me%0a:x@proxy", control},
             row{"http://me:x%7f@proxy", control},
             row{"http://me:x%1F@proxy", control},
             row{"http://me:x\t@proxy", control},
             row{"http://me:x\r\n@proxy", control},
             row{"socks5://me:x%0a@proxy", control},
             row{"http://me%3Ayou:x@proxy", "the user must not contain \":\""},
             row{"https://me%3Ayou:x@proxy", "the user must not contain \":\""},
         })
    {
        CAPTURE(url);
        auto const fault = fault_of(url);
        CAPTURE(fault);
        CHECK(fault.starts_with("proxy: "));
        CHECK(fault.find(reason) != std::string::npos);
    }
    for (auto const url :
         {"http://me:x%00@proxy"sv, "http://%00me@proxy"sv, "http://me:x\0@proxy"sv, "socks5://me:x%00@proxy"sv})
        CHECK(fault_of(url).starts_with("proxy: user and password must"));
}

TEST_CASE("pool 16: SOCKS5 has at most 255 bytes for a user, a password and a name")
{
    auto const url = [](std::string_view scheme, std::size_t user, std::size_t password) {
        return std::string(scheme) + "://" + std::string(user, 'u') + ':' + std::string(password, 'p') + "@proxy";
    };
    for (auto const scheme : {"socks5"sv, "socks5h"sv})
    {
        CHECK(fault_of(url(scheme, 255, 255)) == "");
        CHECK(fault_of(url(scheme, 256, 1)).find("longer than 255 bytes") != std::string::npos);
        CHECK(fault_of(url(scheme, 1, 256)).find("longer than 255 bytes") != std::string::npos);
    }
    CHECK(fault_of(url("http", 256, 256)) == "");
    CHECK(fault_of(url("https", 256, 256)) == "");

    std::string escaped = "socks5://";
    for (int i = 0; i < 255; ++i)
        escaped += "%75";
    CHECK(parsed(escaped + "@proxy").user == std::string(255, 'u'));
    CHECK(!fault_of(escaped + "%75@proxy").empty());

    CHECK(fault_of("http://" + std::string(255, 'h')) == "");
    CHECK(fault_of("http://" + std::string(256, 'h')).find("longer than 255 bytes") != std::string::npos);
}

TEST_CASE("pool 16: nothing of a proxy's credentials is shown, however its URL is broken")
{
    for (auto const scheme : {"http://"sv, "socks5h://"sv, "gopher://"sv, ""sv, "//"sv, "http:/"sv})
        for (auto const user : {"jane"sv, ""sv, "ja%6e%0a"sv, "jane%3a"sv})
            for (auto const secret :
                 {"hunter2"sv, "hun@ter2"sv, "hunter2\r\n"sv, "hunter2 "sv, "hunter2/"sv, "/hunter2"sv, "?hunter2"sv,
                  "1#hunter2"sv, "hunter2%"sv, "hunter2%00"sv, "[hunter2]"sv, "://hunter2"sv})
                for (auto const rest :
                     {"@proxy"sv, "@proxy:99999"sv, "@:1"sv, "@"sv, ""sv, "%40proxy:3128"sv, "@pro xy"sv, "@[::1"sv,
                      "@proxy/path"sv, "@proxy?q#f"sv})
                {
                    auto const url = std::string(scheme).append(user).append(":").append(secret).append(rest);
                    CAPTURE(url);
                    auto const read = core::parse_proxy(url);
                    auto const* const usable = std::get_if<proxy>(&read);
                    auto const shown = usable ? usable->to_string() : std::get<std::string>(read);
                    CAPTURE(shown);
                    CHECK(!shown.empty());
                    CHECK(shown.find("hun") == std::string::npos);
                    if (rest.starts_with('@')) // else what is after the "@" of the password is the host
                        CHECK(shown.find("ter2") == std::string::npos);
                    CHECK(shown.find("jane") == std::string::npos);
                }
}

TEST_CASE("pool 16: NO_PROXY names what is reached directly")
{
    struct row
    {
        std::string_view no_proxy;
        std::string host;
        std::uint16_t port;
        bool direct;
    };
    for (auto const& [no_proxy, host, port, direct] : {
             row{"", "example.com", 443, false},
             row{" , ,", "example.com", 443, false},
             row{"*", "example.com", 443, true},
             row{"*", "10.0.0.1", 443, true},
             row{"*", "::1", 8443, true},
             row{"x.example,*", "example.com", 443, true},
             row{"*:443", "example.com", 443, true},
             row{"*:443", "10.0.0.1", 443, true},
             row{"*:443", "example.com", 8443, false},
             row{"**", "example.com", 443, false},

             // names
             row{"example.com", "example.com", 443, true},
             row{"example.com", "api.example.com", 443, true},
             row{"example.com", "a.b.example.com", 443, true},
             row{"example.com", "badexample.com", 443, false},
             row{"example.com", "example.com.evil", 443, false},
             row{"example.com", "com", 443, false},
             row{".example.com", "example.com", 443, true},
             row{".example.com", "api.example.com", 443, true},
             row{".example.com", "badexample.com", 443, false},
             row{"*.example.com", "api.example.com", 443, true},
             row{"*.example.com", "badexample.com", 443, false},
             row{"api.example.com", "example.com", 443, false},
             row{"EXAMPLE.com", "api.example.com", 443, true},
             row{"example.com", "API.Example.COM", 443, true},
             row{"example.com.", "example.com", 443, true},
             row{"example.com", "example.com.", 443, true},
             row{".example.com.", "api.example.com.", 443, true},
             row{"localhost", "localhost", 443, true},
             row{"com", "example.com", 443, true},
             row{".", "example.com", 443, false},
             row{".", "example.com.", 443, false},
             row{".", "example.com..", 443, false},
             row{"..", "example.com", 443, false},
             row{"*.", "example.com", 443, false},
             row{"", "localhost", 443, false},

             // ports
             row{"example.com:443", "example.com", 443, true},
             row{"example.com:443", "api.example.com", 443, true},
             row{"example.com:443", "example.com", 8443, false},
             row{".example.com:8443", "api.example.com", 8443, true},
             row{"example.com.:443", "example.com", 443, true},
             row{"example.com:", "example.com", 443, false},
             row{"example.com:x", "example.com", 443, false},
             row{"example.com:443x", "example.com", 443, false},
             row{"example.com:65979", "example.com", 443, false},
             row{":443", "example.com", 443, false},
             row{"10.0.0.1:443", "10.0.0.1", 443, true},
             row{"10.0.0.1:443", "10.0.0.1", 80, false},

             // lists
             row{"a.example,example.com", "example.com", 443, true},
             row{"a.example, example.com", "example.com", 443, true},
             row{"a.example example.com", "example.com", 443, true},
             row{"a.example\texample.com", "example.com", 443, true},
             row{",, example.com ,,", "example.com", 443, true},
             row{"example.com,a.example", "example.com", 443, true},
             row{"example.com\n", "example.com", 443, true},
             row{"a.example,b.example", "example.com", 443, false},

             // addresses
             row{"10.0.0.1", "10.0.0.1", 443, true},
             row{"10.0.0.1", "10.0.0.10", 443, false},
             row{"10.0.0.1", "110.0.0.1", 443, false},
             row{"0.0.1", "10.0.0.1", 443, false},
             row{".0.0.1", "10.0.0.1", 443, false},
             row{"1", "10.0.0.1", 443, false},
             row{"::1", "::1", 443, true},
             row{"::1", "::1", 8443, true},
             row{"::1", "::2", 443, false},
             row{"[::1]", "::1", 443, true},
             row{"[::1]:443", "::1", 443, true},
             row{"[::1]:443", "::1", 8443, false},
             row{"[::1]443", "::1", 443, false},
             row{"[::1", "::1", 443, false},
             row{"[::1]:", "::1", 443, false},
             row{"::1:443", "::1", 443, false},
             row{"0:0:0:0:0:0:0:1", "::1", 443, true},
             row{"2001:DB8::1", "2001:db8::1", 443, true},
             row{"2001:db8:0::1", "2001:db8::1", 443, true},

             // networks
             row{"10.0.0.0/8", "10.200.3.4", 443, true},
             row{"10.0.0.0/8", "11.0.0.1", 443, false},
             row{"10.1.2.3/8", "10.200.3.4", 443, true},
             row{"172.16.0.0/12", "172.31.255.255", 443, true},
             row{"172.16.0.0/12", "172.32.0.0", 443, false},
             row{"172.16.0.0/12", "172.15.255.255", 443, false},
             row{"192.168.7.0/25", "192.168.7.127", 443, true},
             row{"192.168.7.0/25", "192.168.7.128", 443, false},
             row{"10.0.0.1/32", "10.0.0.1", 443, true},
             row{"10.0.0.1/32", "10.0.0.2", 443, false},
             row{"10.0.0.0/31", "10.0.0.1", 443, true},
             row{"0.0.0.0/0", "10.0.0.1", 443, true},
             row{"0.0.0.0/0", "::1", 443, false},
             row{"0.0.0.0/0", "example.com", 443, false},
             row{"::/0", "2001:db8::1", 443, true},
             row{"::/0", "10.0.0.1", 443, false},
             row{"2001:db8::/32", "2001:db8:ffff::1", 443, true},
             row{"2001:db8::/32", "2001:db9::1", 443, false},
             row{"[2001:db8::]/32", "2001:db8::1", 443, true},
             row{"fe80::/10", "febf::1", 443, true},
             row{"fe80::/10", "fec0::1", 443, false},
             row{"::1/128", "::1", 443, true},
             row{"::1/128", "::2", 443, false},
             row{"10.0.0.0/33", "10.0.0.1", 443, false},
             row{"::/129", "::1", 443, false},
             row{"10.0.0.0/", "10.0.0.1", 443, false},
             row{"10.0.0.0/-1", "10.0.0.1", 443, false},
             row{"10.0.0.0/x", "10.0.0.1", 443, false},
             row{"10.0.0.0/8:443", "10.0.0.1", 443, false},
             row{"10.0.0.0/99999999999999999999", "10.0.0.1", 443, false},
             row{"10/8", "10.0.0.1", 443, false},
             row{"/8", "10.0.0.1", 443, false},
             row{"/0", "example.com", 443, false},
             row{"example.com/8", "example.com", 443, false},
             row{"10.0.0.0/x 10.0.0.0/8", "10.0.0.1", 443, true},

             // names and addresses never match each other; loopback is no exception
             row{"127.0.0.1", "localhost", 443, false},
             row{"localhost", "127.0.0.1", 443, false},
             row{"127.0.0.0/8 ::1/128", "localhost", 443, false},
             row{"10.0.0.1", "x.10.0.0.1", 443, false},
             row{"10.0.0.1", "10.0.0.1.example", 443, false},
             row{"https://example.com", "example.com", 443, false},
         })
    {
        CAPTURE(no_proxy);
        CAPTURE(host);
        CAPTURE(port);
        CHECK(core::goes_direct(no_proxy, origin(true, host, port)) == direct);
        CHECK(core::goes_direct(no_proxy, origin(false, host, port)) == direct);
    }
}

TEST_CASE("RFC 9110 9.3.6: a CONNECT request names host and port, and carries credentials where there are some")
{
    auto const agent = "User-Agent: " + core::user_agent({}) + "\r\n";
    auto const expect = [&agent](std::string const& target, std::string const& authorization = {}) {
        return "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n" + agent + authorization + "\r\n";
    };
    auto const plain = parsed("http://proxy:3128");
    CHECK(core::connect_request(plain, origin(true, "origin.example", 443)) == expect("origin.example:443"));
    CHECK(core::connect_request(plain, origin(true, "origin.example", 8443)) == expect("origin.example:8443"));
    CHECK(core::connect_request(plain, origin(false, "origin.example", 80)) == expect("origin.example:80"));
    CHECK(core::connect_request(plain, origin(true, "origin.example.", 443)) == expect("origin.example.:443"));
    CHECK(core::connect_request(plain, origin(true, "10.0.0.1", 443)) == expect("10.0.0.1:443"));
    CHECK(core::connect_request(plain, origin(true, "2001:db8::1", 443)) == expect("[2001:db8::1]:443"));

    origin const to(true, "origin.example", 443);
    CHECK(
        core::connect_request(parsed("https://Aladdin:open%20sesame@proxy"), to) ==
        expect("origin.example:443", "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n")
    );
    CHECK(
        core::connect_request(parsed("http://me@proxy"), to) ==
        expect("origin.example:443", "Proxy-Authorization: Basic bWU6\r\n")
    );
    CHECK(
        core::connect_request(parsed("http://:me@proxy"), to) ==
        expect("origin.example:443", "Proxy-Authorization: Basic Om1l\r\n")
    );
}

TEST_CASE("pool 16: answers to CONNECT are read, whatever their lines end with and wherever they are cut")
{
    using state = connect_reply::state;
    struct row
    {
        std::string_view head;
        state is;
        int status;
        std::string_view reason;
    };
    for (auto const& [head, is, status, reason] : {
             row{established, state::accepted, 200, "200 Connection established"},
             row{"HTTP/1.0 200 OK\r\nProxy-Agent: x\r\n\r\n", state::accepted, 200, "200 OK"},
             row{"HTTP/1.1 200\r\n\r\n", state::accepted, 200, "200"},
             row{"HTTP/1.1 200 \r\n\r\n", state::accepted, 200, "200"},
             row{"HTTP/1.1 204 No Content\r\n\r\n", state::accepted, 204, "204 No Content"},
             row{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", state::accepted, 200,
                 "200 OK"},
             row{"HTTP/1.1 200 OK\n\n", state::accepted, 200, "200 OK"},
             row{"HTTP/1.1 200\n\n", state::accepted, 200, "200"},
             row{"HTTP/1.1 200 OK\r\nA: b\n\r\n", state::accepted, 200, "200 OK"},
             row{"HTTP/1.1 200 OK\nA: b\r\n\n", state::accepted, 200, "200 OK"},
             row{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", state::accepted, 200, "200 OK"},
             row{"HTTP/1.1 100\n\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.0 200\r\n\r\n", state::accepted, 200,
                 "200"},
             row{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 No\r\n\r\n", state::refused, 403, "403 No"},
             row{"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n",
                 state::unauthenticated, 407, "407 Proxy Authentication Required"},
             row{"HTTP/1.0 407\r\n\r\n", state::unauthenticated, 407, "407"},
             row{"HTTP/1.1 403 Filtered\r\nContent-Length: 9\r\n\r\n", state::refused, 403, "403 Filtered"},
             row{"HTTP/1.1 403 a\tb\x1b[2J\r\n\r\n", state::refused, 403, "403 a\\x09b\\x1b[2J"},
             row{"HTTP/1.1 502 Bad Gateway\r\n\r\n", state::refused, 502, "502 Bad Gateway"},
             row{"HTTP/1.1 301 Moved\r\nLocation: http://login/\r\n\r\n", state::refused, 301, "301 Moved"},
             row{"HTTP/1.1 101 Switching Protocols\r\n\r\n", state::refused, 101, "101 Switching Protocols"},
             row{"HTTP/1.1 199 Odd\r\n\r\nHTTP/1.1 300 Odd\r\n\r\n", state::refused, 300, "300 Odd"},
             row{"HTTP/1.1 999 Odd\r\n\r\n", state::refused, 999, "999 Odd"},
         })
    {
        CAPTURE(head);
        for (std::size_t cut = 0; cut < head.size(); ++cut)
        {
            CAPTURE(cut);
            auto const part = core::read_connect_reply(head.substr(0, cut));
            CHECK(part.is == state::incomplete);
            CHECK(part.status == 0);
        }
        auto const whole = core::read_connect_reply(head);
        CHECK(whole.is == is);
        CHECK(whole.status == status);
        CHECK(whole.reason == reason);
    }
}

TEST_CASE("pool 16: a refusal is decided by its head alone, whatever body follows")
{
    for (auto const head :
         {"HTTP/1.1 403 Filtered\r\nContent-Length: 100000\r\n\r\n"sv, "HTTP/1.0 407 Who\n\n"sv,
          "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n"sv})
    {
        auto const alone = core::read_connect_reply(head);
        CHECK(alone.status >= 403);
        for (auto const& body : {"x"s, "HTTP/1.1 200 OK\r\n\r\n"s, "\r\n\r\n"s, std::string(100'000, 'x')})
        {
            auto const followed = core::read_connect_reply(std::string(head) + body);
            CHECK(followed.is == alone.is);
            CHECK(followed.status == alone.status);
            CHECK(followed.reason == alone.reason);
        }
    }
}

TEST_CASE("pool 16: nothing may follow the head that opens a tunnel")
{
    for (auto const extra : {"x"sv, "\r\n"sv, "\0"sv, "\x15\x03\x01"sv, established})
    {
        auto const reply = core::read_connect_reply(std::string(established).append(extra));
        CHECK(reply.is == connect_reply::state::malformed);
        CHECK(reply.reason == "something after the head that opens the tunnel");
        CHECK(reply.status == 0);
        CHECK(!reply.permanent());
    }
}

TEST_CASE("pool 16: what is no response of HTTP/1 is told at its first odd byte")
{
    struct row
    {
        std::string_view text;
        std::size_t fits; ///< bytes that could still become a response
    };
    for (auto const& [text, fits] : {
             row{"SSH-2.0-OpenSSH_9.2\r\n", 0},
             row{"\x15\x03\x01\x00\x02\x02\x50"sv, 0},
             row{"\r\nHTTP/1.1 200 OK\r\n\r\n", 0},
             row{"http/1.1 200 OK\r\n\r\n", 0},
             row{"HTTP/2 200\r\n\r\n", 5},
             row{"HTTP/2.0 200 OK\r\n\r\n", 5},
             row{"HTTP/1 200 OK\r\n\r\n", 6},
             row{"HTTP/1.x 200 OK\r\n\r\n", 7},
             row{"HTTP/1.10 200 OK\r\n\r\n", 8},
             row{"HTTP/1.1  200 OK\r\n\r\n", 9},
             row{"HTTP/1.1 OK\r\n\r\n", 9},
             row{"HTTP/1.1 -200 OK\r\n\r\n", 9},
             row{"HTTP/1.1 20 OK\r\n\r\n", 11},
             row{"HTTP/1.1 2000 OK\r\n\r\n", 12},
             row{"HTTP/1.1 200OK\r\n\r\n", 12},
             row{"HTTP/1.1 100\r\n\r\nSSH-2.0", 16},
             row{"HTTP/1.1 100\r\n\r\nHTTP/1.1 20x", 27},
         })
    {
        CAPTURE(text);
        for (std::size_t size = 0; size <= text.size(); ++size)
        {
            CAPTURE(size);
            auto const reply = core::read_connect_reply(text.substr(0, size));
            bool const odd = size > fits;
            CHECK(reply.is == (odd ? connect_reply::state::malformed : connect_reply::state::incomplete));
            CHECK(reply.reason == (odd ? "no HTTP/1 response" : ""));
            CHECK(reply.status == 0);
        }
    }
    for (auto const text :
         {"HTTP/1.1 099 Low\r\n\r\n"sv, "HTTP/1.1 000\r\n\r\n"sv, "HTTP/1.1 200\rOK\r\n\r\n"sv,
          "HTTP/1.1 200\r\r\n\r\n"sv})
    {
        CAPTURE(text);
        CHECK(core::read_connect_reply(text).is == connect_reply::state::malformed);
    }
}

TEST_CASE("pool 16: a CONNECT reply whose interim heads reach the limit is judged alike, however it is split")
{
    constexpr std::size_t most = core::longest_connect_reply;
    for (std::size_t const left : {0u, 1u, 2u, 8u})
    {
        CAPTURE(left);
        std::string received = "HTTP/1.1 100 Continue\r\nX: \r\n\r\n";
        received.insert(received.size() - 4, most - left - received.size(), 'a');
        received += "HTT0 not a status line, and longer than the limit allows";
        auto const whole = core::read_connect_reply(received);
        CHECK(whole.is == connect_reply::state::malformed);
        for (auto size = most - left; size < received.size(); ++size)
            if (auto const part = core::read_connect_reply(received.substr(0, size));
                part.is != connect_reply::state::incomplete)
                CHECK(part.reason == whole.reason);
    }
}

TEST_CASE("pool 16: the head of an answer to CONNECT has at most 8 KiB, interim responses included")
{
    auto const of_size = [](std::string_view begin, std::size_t size) {
        return std::string(begin) + "X: " + std::string(size - begin.size() - 3 - 4, 'x') + "\r\n\r\n";
    };
    constexpr std::size_t most = core::longest_connect_reply;
    CHECK(most == 8192);
    for (auto const begin : {"HTTP/1.1 200 OK\r\n"sv, "HTTP/1.1 100\r\n\r\nHTTP/1.1 200 OK\r\n"sv})
    {
        auto const longest = of_size(begin, most);
        REQUIRE(longest.size() == most);
        CHECK(core::read_connect_reply(longest).is == connect_reply::state::accepted);
        CHECK(core::read_connect_reply(longest.substr(0, most - 1)).is == connect_reply::state::incomplete);
        CHECK(core::read_connect_reply(of_size(begin, most + 1)).is == connect_reply::state::malformed);
        CHECK(core::read_connect_reply(of_size(begin, most + 1).substr(0, most)).is == connect_reply::state::malformed);
        CHECK(core::read_connect_reply(of_size(begin, most + 1)).reason == "a head of more than 8 KiB");
    }
    auto const refusal = of_size("HTTP/1.1 403 No\r\n", most + 1);
    CHECK(core::read_connect_reply(refusal).is == connect_reply::state::malformed);
    CHECK(!core::read_connect_reply(refusal).permanent());
    CHECK(core::read_connect_reply("HTTP/1.1 200 " + std::string(most, 'x')).is == connect_reply::state::malformed);

    std::string interim;
    while (interim.size() < most)
        interim += "HTTP/1.1 100 Continue\r\n\r\n";
    CHECK(core::read_connect_reply(interim + std::string(established)).is == connect_reply::state::malformed);
}

TEST_CASE("pool 16: a long reason is cut")
{
    auto const reply = core::read_connect_reply("HTTP/1.1 403 " + std::string(5'000, 'x') + "\r\n\r\n");
    CHECK(reply.is == connect_reply::state::refused);
    CHECK(reply.reason == "403 " + std::string(196, 'x') + "...");
}

TEST_CASE("RFC 9110 section 9.3.6: a refusal of CONNECT is permanent, except 408, 429 and 5xx, which may pass")
{
    std::vector<int> passing;
    for (int status = 101; status < 1000; status = status == 101 ? 300 : status + 1)
    {
        auto const reply = core::read_connect_reply("HTTP/1.1 " + std::to_string(status) + "\r\n\r\n");
        REQUIRE(reply.status == status);
        if (!reply.permanent() && (status < 500 || status > 599))
            passing.push_back(status);
        if (status >= 500 && status < 600)
            CHECK(!reply.permanent());
    }
    CHECK(passing == std::vector<int>{408, 429});
    CHECK(!core::read_connect_reply("").permanent());
    CHECK(!core::read_connect_reply(established).permanent());
}

TEST_CASE("RFC 9112 section 4: a CONNECT reply may lack the space after the status code, and may be of HTTP/1.2")
{
    for (std::string_view const line : {"HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.2 200 OK", "HTTP/1.9 200"})
    {
        CAPTURE(line);
        CHECK(core::read_connect_reply(std::string(line) + "\r\n\r\n").is == connect_reply::state::accepted);
    }
}

TEST_CASE("RFC 1928: a handshake without credentials, byte by byte")
{
    socks5_handshake talk(socks(), "origin.example", 443);
    CHECK(hex(talk.output()) == "05 01 00");
    CHECK(talk.wants() == 2);
    talk.input("\x05\x00"sv);
    CHECK(talk.is() == socks5_handshake::state::going);
    CHECK(hex(talk.output()) == "05 01 00 03 0e 6f 72 69 67 69 6e 2e 65 78 61 6d 70 6c 65 01 bb");
    CHECK(talk.wants() == 5);
    talk.input("\x05\x00\x00\x01\x0a"sv);
    CHECK(talk.is() == socks5_handshake::state::going);
    CHECK(hex(talk.output()) == "");
    CHECK(talk.wants() == 5);
    talk.input("\x00\x00\x01\x04\x38"sv);
    CHECK(talk.is() == socks5_handshake::state::done);
    CHECK(hex(talk.output()) == "");
    CHECK(talk.wants() == 0);
    CHECK(talk.reason() == "");
    CHECK(!talk.permanent());
}

TEST_CASE("RFC 1929: a handshake with credentials, byte by byte")
{
    socks5_handshake talk(socks("me", "pass"), "10.0.0.1", 8443);
    CHECK(hex(talk.output()) == "05 02 00 02");
    CHECK(talk.wants() == 2);
    talk.input("\x05\x02"sv);
    CHECK(talk.is() == socks5_handshake::state::going);
    CHECK(hex(talk.output()) == "01 02 6d 65 04 70 61 73 73");
    CHECK(talk.wants() == 2);
    talk.input("\x01\x00"sv);
    CHECK(talk.is() == socks5_handshake::state::going);
    CHECK(hex(talk.output()) == "05 01 00 01 0a 00 00 01 20 fb");
    CHECK(talk.wants() == 5);
    talk.input("\x05\x00\x00\x01\x00"sv);
    talk.input("\x00\x00\x00\x00\x00"sv);
    CHECK(talk.is() == socks5_handshake::state::done);
}

TEST_CASE("RFC 1928: credentials are not sent where the proxy wants none")
{
    socks5_handshake talk(socks("me", "pass"), "10.0.0.1", 443);
    talk.input("\x05\x00"sv);
    CHECK(hex(talk.output()) == "05 01 00 01 0a 00 00 01 01 bb");
}

TEST_CASE("RFC 1929: half of the credentials, and the longest ones")
{
    struct row
    {
        std::string user, password, message;
    };
    std::string const longest(255, '\xff');
    for (auto const& [user, password, message] : {
             row{"me", "", "\x01\x02me\x00"s},
             row{"", "me", "\x01\x00\x02me"s},
             row{longest, longest, "\x01\xff"s + longest + '\xff' + longest},
         })
    {
        socks5_handshake talk(socks(user, password), "origin.example", 443);
        CHECK(hex(talk.output()) == "05 02 00 02");
        talk.input("\x05\x02"sv);
        CHECK(hex(talk.output()) == hex(message));
    }
}

TEST_CASE("RFC 1928: targets are sent as what they are")
{
    struct row
    {
        std::string host;
        std::uint16_t port;
        std::string message;
    };
    std::string const longest(255, 'x');
    for (auto const& [host, port, message] : {
             row{"255.0.1.2", 65535, "\x05\x01\x00\x01\xff\x00\x01\x02\xff\xff"s},
             row{"2001:db8::10", 1,
                 "\x05\x01\x00\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10\x00\x01"s},
             row{"::ffff:10.0.0.1", 443,
                 "\x05\x01\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x0a\x00\x00\x01\x01\xbb"s},
             row{"a", 256, "\x05\x01\x00\x03\x01\x61\x01\x00"s},
             row{"10.0.0.1.example", 443, "\x05\x01\x00\x03\x10"s + "10.0.0.1.example" + "\x01\xbb"},
             row{longest, 443, "\x05\x01\x00\x03\xff"s + longest + "\x01\xbb"},
         })
    {
        CAPTURE(host);
        socks5_handshake talk(socks(), host, port);
        talk.input("\x05\x00"sv);
        CHECK(hex(talk.output()) == hex(message));
    }
}

TEST_CASE("RFC 1928: the bound address is read to its last byte and no further, whatever its type")
{
    struct row
    {
        std::string_view address;
        std::size_t rest;
    };
    std::string const longest = "\x03\xff" + std::string(255, 'x') + "\x04\x38";
    for (auto const& [address, rest] : {
             row{"\x01\x7f\x00\x00\x01\x04\x38"sv, 5},
             row{"\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x04\x38"sv, 17},
             row{"\x03\x0dproxy.example\x04\x38"sv, 15},
             row{"\x03\x01x\x04\x38"sv, 3},
             row{"\x03\x00\x04\x38"sv, 2},
             row{longest, 257},
         })
    {
        CAPTURE(rest);
        socks5_handshake talk(socks(), "origin.example", 443);
        talk.input("\x05\x00"sv);
        talk.input("\x05\x00\x00"s.append(address.substr(0, 2)));
        CHECK(talk.is() == socks5_handshake::state::going);
        CHECK(talk.wants() == rest);
        REQUIRE(talk.wants() == address.size() - 2);
        talk.input(address.substr(2));
        CHECK(talk.is() == socks5_handshake::state::done);
        CHECK(talk.wants() == 0);
    }
}

TEST_CASE("pool 16: the refusals of SOCKS5 are told apart")
{
    struct row
    {
        char code;
        std::string_view reason;
        bool permanent;
    };
    for (auto const& [code, reason, permanent] : {
             row{'\x01', "general failure", false},
             row{'\x02', "not allowed by its rules", true},
             row{'\x03', "network unreachable", false},
             row{'\x04', "host unreachable", false},
             row{'\x05', "connection refused", false},
             row{'\x06', "TTL expired", false},
             row{'\x07', "command not supported", true},
             row{'\x08', "address type not supported", true},
             row{'\x09', "failure 9", false},
             row{'\xff', "failure 255", false},
         })
    {
        CAPTURE(reason);
        // No more than the head is asked for, and the type of the address does not matter.
        for (char const type : {'\x01', '\x03', '\x04', '\x00'})
        {
            auto const talk = played("\x05\x00\x05"s + code + '\0' + type + '\0');
            CHECK(talk.is() == socks5_handshake::state::refused);
            CHECK(talk.reason() == reason);
            CHECK(talk.permanent() == permanent);
        }
    }
}

TEST_CASE("pool 16: a SOCKS5 proxy that does not take our credentials")
{
    struct row
    {
        std::string_view answers;
        bool with_credentials;
        std::string_view reason;
    };
    for (auto const& [answers, with_credentials, reason] : {
             row{"\x05\xff"sv, false, "it wants credentials"},
             row{"\x05\xff"sv, true, "it takes neither user and password nor none"},
             row{"\x05\x02\x01\x01"sv, true, "wrong user or password"},
             row{"\x05\x02\x01\xff"sv, true, "wrong user or password"},
         })
    {
        auto const talk = played(answers, with_credentials ? socks("me", "hunter2") : socks());
        CHECK(talk.is() == socks5_handshake::state::unauthenticated);
        CHECK(talk.reason() == reason);
        CHECK(talk.permanent());
    }
}

TEST_CASE("pool 16: what does not speak SOCKS5 is told from what refuses")
{
    struct row
    {
        std::string_view answers;
        bool with_credentials;
        std::string_view reason;
    };
    constexpr auto no_socks = "it does not speak SOCKS5"sv;
    constexpr auto not_offered = "it chose a method that was not offered"sv;
    for (auto const& [answers, with_credentials, reason] : {
             row{"HT"sv, false, no_socks},
             row{"\x00\x5a"sv, false, no_socks},
             row{"\x04\x00"sv, false, no_socks},
             row{"\x04\xff"sv, true, no_socks},
             row{"\x05\x02"sv, false, not_offered},
             row{"\x05\x01"sv, false, not_offered},
             row{"\x05\x01"sv, true, not_offered},
             row{"\x05\x80"sv, true, not_offered},
             row{"\x05\x02\x05\x00"sv, true, "it does not speak RFC 1929"},
             row{"\x05\x02\x00\x00"sv, true, "it does not speak RFC 1929"},
             row{"\x05\x00\x04\x00\x00\x01\x00"sv, false, no_socks},
             row{"\x05\x00\x00\x5a\x00\x01\x00"sv, false, no_socks},
             row{"\x05\x00\x01\x05\x00\x01\x00"sv, false, no_socks},
             row{"\x05\x00\x05\x00\x00\x00\x00"sv, false, "an address of an unknown type"},
             row{"\x05\x00\x05\x00\x00\x02\x00"sv, false, "an address of an unknown type"},
             row{"\x05\x00\x05\x00\x00\x05\x00"sv, false, "an address of an unknown type"},
         })
    {
        CAPTURE(hex(answers));
        auto const talk = played(answers, with_credentials ? socks("me", "hunter2") : socks());
        CHECK(talk.is() == socks5_handshake::state::malformed);
        CHECK(talk.reason() == reason);
        CHECK(!talk.permanent());
    }
}

TEST_CASE("a SOCKS5 handshake that cannot be said ends before its first byte")
{
    for (std::size_t const size : {std::size_t(0), std::size_t(256), std::size_t(70'000)})
    {
        socks5_handshake const talk(socks(), std::string(size, 'x'), 443);
        CHECK(talk.is() == socks5_handshake::state::refused);
        CHECK(talk.reason() == "the name must have 1 to 255 bytes");
        CHECK(talk.permanent());
        CHECK(hex(talk.output()) == "");
        CHECK(talk.wants() == 0);
    }
    for (auto const& through : {socks(std::string(256, 'u'), "p"), socks("u", std::string(256, 'p'))})
    {
        socks5_handshake const talk(through, "origin.example", 443);
        CHECK(talk.is() == socks5_handshake::state::unauthenticated);
        CHECK(talk.permanent());
        CHECK(hex(talk.output()) == "");
        CHECK(talk.wants() == 0);
    }
}

TEST_CASE("a SOCKS5 handshake takes no message of another length, and nothing after its end")
{
    for (auto const bytes : {""sv, "\x05"sv, "\x05\x00\x05"sv})
    {
        socks5_handshake talk(socks(), "origin.example", 443);
        talk.input(bytes);
        CHECK(talk.is() == socks5_handshake::state::malformed);
        CHECK(talk.wants() == 0);
        talk.input("\x05\x00"sv);
        CHECK(talk.is() == socks5_handshake::state::malformed);
        CHECK(hex(talk.output()) == "");
    }
    auto talk = played("\x05\x00\x05\x05\x00\x01\x00"sv);
    talk.input("\x05\x00"sv);
    CHECK(talk.is() == socks5_handshake::state::refused);
    CHECK(talk.reason() == "connection refused");
}
