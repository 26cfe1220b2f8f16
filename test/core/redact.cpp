#include "core/redact.hpp"

#include "printers.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace core = ccloud::core;

TEST_CASE("a URL is shown without possible secrets, in one line of bounded length")
{
    struct row
    {
        std::string_view url, shown;
    };
    for (auto const& [url, shown] : {
             row{"", ""},
             row{"https://api.confluent.cloud", "https://api.confluent.cloud"},
             row{"https://api.confluent.cloud:8443/a/b", "https://api.confluent.cloud:8443/a/b"},
             row{"https://[2001:db8::1]:8443/a", "https://[2001:db8::1]:8443/a"},
             row{"https://[2001:db8::1]/a", "https://[2001:db8::1]/a"},
             row{"localhost:8080", "localhost:8080"},
             row{"api.confluent.cloud", "api.confluent.cloud"},
             row{"/iam/v2?page_token=x", "/iam/v2?***"},
             row{"/iam/v2#x", "/iam/v2#***"},
             row{"https://x.example/a%20b", "https://x.example/a%20b"},
             row{"https://user@host/p", "***@host/p"},
             row{"https://user:secret@host:8443/p", "***@host:8443/p"},
             row{"https://user:sec@ret@host", "***@host"},
             row{"https://user:se/c?r#et@host/p?q", "***@host/p?***"},
             row{"//user:secret@host", "***@host"},
             row{"user:secret@host", "***@host"},
             row{"https://user:secret@[::1]:secret", "***@[::1]:***"},
             row{"https://user:secret", "https://user:***"},
             row{"https://user:123456", "https://user:***"},
             row{"https://host:65535", "https://host:65535"}, // a port has five digits at most
             row{"https://user:1234567", "https://user:***"},
             row{"user:secret", "user:***"},
             row{"https://host:80/a:b", "https://host:80/a:***"},
             row{"https://[::1]?secret", "https://[::1]?***"},
             row{"https://[::1]secret", "https://[:***"}, // RFC 3986 section 3.2.2: a port or a path comes after "]"
             row{"https://[:12:0]secret%4a:0h", "https://[:***"},
             row{"[a:b]secret", "[a:***"},
             row{"https://user%3Asecret", "https://user%***"},
             row{"https://host\r\n", "https://host\\x0d\\x0a"},
         })
    {
        CAPTURE(url);
        CHECK(core::shown_url(url) == shown);
    }
    CHECK(core::shown_url("https://host/" + std::string(100'000, 'x')).size() == 203);
    CHECK(core::shown_url(std::string(100'000, '[')).size() == 203);
}

TEST_CASE("values of fields that carry credentials are not shown")
{
    for (std::string_view const name :
         {"Authorization", "authorization", "PROXY-AUTHORIZATION", "Cookie", "X-Api-Token", "X-Secret-Thing"})
    {
        CAPTURE(name);
        CHECK(core::redact_header(name, "hush") == "***");
    }
    for (std::string_view const name : {"Accept", "X-Request-Id", "WWW-Authenticate"})
    {
        CAPTURE(name);
        CHECK(core::redact_header(name, "a value") == "a value");
    }
}

TEST_CASE("the path of a target is what stands before the query")
{
    CHECK(core::path_of("/iam/v2/ip-groups?filter=x?y") == "/iam/v2/ip-groups");
    CHECK(core::path_of("/iam/v2/ip-groups") == "/iam/v2/ip-groups");
    CHECK(core::path_of("?a") == "");
    CHECK(core::path_of("") == "");
}

TEST_CASE("a text for one line has its control characters escaped and is cut at its limit")
{
    CHECK(core::printable("") == "");
    CHECK(core::printable("plain \xc3\xbc ~") == "plain \xc3\xbc ~");
    CHECK(core::printable(std::string_view("a\r\nb\0\x7f\x1b[0m", 10)) == "a\\x0d\\x0ab\\x00\\x7f\\x1b[0m");
    CHECK(core::printable("abcdef", 6) == "abcdef");
    CHECK(core::printable("abcdef", 5) == "abcde...");
    CHECK(core::printable(std::string(201, 'x')).size() == 203);
}

TEST_CASE("a text for one line is UTF-8 without controls of C0, C1, direction or lines (Unicode 3.9 and 23.2)")
{
    struct row
    {
        std::string_view text, shown;
    };
    for (auto const& [text, shown] : {
             row{"\xc2\x80\xc2\x85\xc2\x9b\xc2\x9f\xc2\xa0", "\\u0080\\u0085\\u009b\\u009f\xc2\xa0"},
             row{"\xe2\x80\xaa\xe2\x80\xab\xe2\x80\xac\xe2\x80\xad\xe2\x80\xae\xe2\x80\xaf",
                 "\\u202a\\u202b\\u202c\\u202d\\u202e\xe2\x80\xaf"},
             row{"\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa7\xe2\x81\xa8\xe2\x81\xa9\xe2\x81\xaa",
                 "\xe2\x81\xa5\\u2066\\u2067\\u2068\\u2069\xe2\x81\xaa"},
             row{"\xe2\x80\x8d\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\x90", "\xe2\x80\x8d\\u200e\\u200f\xe2\x80\x90"},
             row{"\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9", "\xe2\x80\xa7\\u2028\\u2029"},
             row{"\xd8\x9b\xd8\x9c\xd8\x9d", "\xd8\x9b\\u061c\xd8\x9d"},
             row{"\x80 \xff \xc3 \xc3(", "\\x80 \\xff \\xc3 \\xc3("},
             row{"\xc0\x80 \xed\xa0\x80 \xf5\x80\x80\x80", "\\xc0\\x80 \\xed\\xa0\\x80 \\xf5\\x80\\x80\\x80"},
             row{"\xe2\x82\xac \xf0\x9f\x98\x80 \xe2\x82", "\xe2\x82\xac \xf0\x9f\x98\x80 \\xe2\\x82"},
         })
    {
        CHECK(core::printable(text) == shown);
        CHECK(core::printable_whole(std::string(text)) == shown);
    }
    CHECK(core::printable_whole(std::string(1000, 'x')) == std::string(1000, 'x'));
}

TEST_CASE("a text for one line is cut between two characters")
{
    std::string_view const text = "a\xe2\x82\xac\xe2\x82\xac";
    CHECK(core::printable(text, 7) == text);
    for (std::size_t const most : {4U, 5U, 6U})
        CHECK(core::printable(text, most) == "a\xe2\x82\xac...");
    for (std::size_t const most : {1U, 2U, 3U})
        CHECK(core::printable(text, most) == "a...");
    CHECK(core::printable(text, 0) == "...");
}
