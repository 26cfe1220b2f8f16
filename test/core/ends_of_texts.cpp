// The texts that the other tests read end in NUL, or lie in a string that does. These do not: see guarded_text.
#include <ccloud/timestamp.hpp>

#include "core/base64.hpp"
#include "core/codec.hpp"
#include "core/cursor.hpp"
#include "core/failure.hpp"
#include "core/http_date.hpp"
#include "core/ip_address.hpp"
#include "core/proxy.hpp"
#include "core/redaction.hpp"
#include "core/redirect.hpp"
#include "core/url.hpp"
#include "guarded_text.hpp"
#include "gunzip.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace core = ccloud::core;
using support::guarded_text;
using namespace std::chrono_literals;
using namespace std::string_view_literals;

namespace {

/** Calls `read` with each beginning of a text, the text itself included. */
template <class Read>
void for_each_beginning(std::string_view text, Read read)
{
    for (std::size_t size = 0; size <= text.size(); ++size)
    {
        guarded_text const part(text.substr(0, size));
        CAPTURE(part.view());
        read(part.view());
    }
}

} // namespace

TEST_CASE("RFC 4648 section 4: base64 encodes the bytes of its text, whatever follows them")
{
    std::string const expected[] = {"", "/w==", "//8=", "////", "/////w==", "//////8=", "////////"};
    std::string const all(6, '\xff');
    for (std::size_t size = 0; size <= all.size(); ++size)
    {
        CHECK(core::base64(std::string_view(all).substr(0, size)) == expected[size]);
        CHECK(core::base64(guarded_text(all.substr(0, size)).view()) == expected[size]);
    }
}

TEST_CASE("RFC 3339 section 5.6: a date-time is read up to its end, whatever follows it")
{
    for (auto const text :
         {"2022-08-17T20:54:06.219057Z"sv, "2022-08-17T20:54:06Z"sv, "2006-01-02T15:04:05.123456789012-07:00"sv})
        for_each_beginning(text, [text](std::string_view part) {
            CHECK(ccloud::parse_timestamp(part).has_value() == (part.size() == text.size()));
        });
    // A view into a longer text.
    CHECK(!ccloud::parse_timestamp("2022-08-17T20:54:06Z"sv.substr(0, 19)).has_value());
    CHECK(!ccloud::parse_timestamp("2022-08-17T20:54:06.5Z"sv.substr(0, 19)).has_value());
    CHECK(!ccloud::parse_timestamp("2022-08-17T20:54:06.55Z"sv.substr(0, 21)).has_value());
    CHECK(ccloud::parse_timestamp("2022-08-17T20:54:06Z5"sv.substr(0, 20)).has_value());
}

TEST_CASE("a secret is looked for up to the end of a text, whatever follows it")
{
    core::redactor secrets;
    secrets.add("correct-horse-battery");
    constexpr auto text = "token=correct-horse-battery"sv;
    for_each_beginning(text, [&](std::string_view part) {
        CHECK((secrets.redacted(part) == part) == (part.size() < text.size()));
    });
    // A view into a longer text.
    for (std::size_t size = 0; size < text.size(); ++size)
        CHECK(secrets.redacted(text.substr(0, size)) == text.substr(0, size));
}

TEST_CASE("RFC 9110 section 5.6.7: a date of HTTP is read up to its end, whatever follows it")
{
    ccloud::wall_time const now = std::chrono::sys_days(std::chrono::year(2024) / 1 / 1);
    for (auto const text :
         {"Sun, 06 Nov 1994 08:49:37 GMT"sv, "Sunday, 06-Nov-94 08:49:37 GMT"sv, "Sun Nov  6 08:49:37 1994"sv})
        for_each_beginning(text, [&](std::string_view part) {
            CHECK((part.size() < text.size() || core::parse_http_date(part, now).has_value()));
            CHECK((part.size() == text.size() || !core::parse_http_date(part, now).has_value()));
        });
}

TEST_CASE("a link, an address, a URL and a reply of a proxy are read up to their end")
{
    for_each_beginning("https://api.example.test/iam/v2/ip-groups?page_size=5&page_token=a%2Fb%20", [](auto part) {
        (void)core::page_token(part);
        (void)core::parse_endpoint(part, true);
        (void)core::parse_proxy(part);
        (void)core::follow(part, part, ccloud::origin(true, "api.example.test", 443), "/a");
    });
    for (auto const text : {"2001:db8::192.0.2.33"sv, "192.0.2.255"sv, "::ffff:10.0.0.1"sv})
        for_each_beginning(text, [](auto part) { (void)core::ip_address::parse(part); });
    for_each_beginning("HTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", [](auto part) {
        (void)core::read_connect_reply(part);
    });
    for_each_beginning("socks5h://me:p%40ss@[::1]:1080/", [](auto part) { (void)core::parse_proxy(part); });
}

TEST_CASE("an error body and a gzip member are read up to their end")
{
    for_each_beginning(
        R"({"errors":[{"code":"a","detail":"\u00e9\ud83d\ude80","source":{"pointer":"/x"}}],"message":"m"})",
        [](auto part) { (void)core::read_problems(part); }
    );
    // FEXTRA, FNAME, FCOMMENT, FHCRC; it holds {"id":"ipg-1"}
    for_each_beginning(
        "\x1f\x8b\x08\x1e\x00\x00\x00\x00\x02\x03\x06\x00\x61\x62\x02\x00\x78\x79\x6f\x6e\x65\x2e\x6a\x73\x6f\x6e\x00"
        "\x63\x00\x22\x98\xab\x56\xca\x4c\x51\xb2\x52\xca\x2c\x48\xd7\x35\x54\xaa\x05\x00\x37\x5c\x35\x79\x0e\x00\x00\x00"sv,
        [](auto part) { (void)support::gunzip(part, 1000); }
    );
}
