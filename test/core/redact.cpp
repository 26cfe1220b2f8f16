#include "core/redact.hpp"

#include "printers.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace core = ccloud::core;

TEST_CASE("a URL is shown without its user part")
{
    struct row
    {
        std::string_view url, shown;
    };
    for (auto const& [url, shown] : {
             row{"", ""},
             row{"https://api.confluent.cloud", "https://api.confluent.cloud"},
             row{"https://api.confluent.cloud/a@b?c@d#e@f", "https://api.confluent.cloud/a@b?c@d#e@f"},
             row{"https://user@host/p", "https://***@host/p"},
             row{"https://user:secret@host:8443/p", "https://***@host:8443/p"},
             row{"https://user:sec@ret@host", "https://***@host"},
             row{"//user:secret@host", "//***@host"},
             row{"user:secret@host", "***@host"},
         })
    {
        CAPTURE(url);
        CHECK(core::redact_url(url) == shown);
    }
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
