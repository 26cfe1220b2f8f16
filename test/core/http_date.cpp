#include "core/http_date.hpp"

#include "printers.hpp"
#include "utc.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string_view>

namespace core = ccloud::core;

using ccloud::wall_time;
using support::utc;

namespace {

wall_time wall(ccloud::timestamp when)
{
    return std::chrono::time_point_cast<wall_time::duration>(when);
}

wall_time const now = wall(utc(1994, 11, 6, 8, 49, 37));

} // namespace

TEST_CASE("the three forms of an HTTP-date are read (RFC 9110 section 5.6.7)")
{
    struct row
    {
        std::string_view text;
        ccloud::timestamp when;
    };
    for (auto const& [text, when] : {
             row{"Sun, 06 Nov 1994 08:50:37 GMT", utc(1994, 11, 6, 8, 50, 37)},
             row{"Sunday, 06-Nov-94 08:50:37 GMT", utc(1994, 11, 6, 8, 50, 37)},
             row{"Sun Nov  6 08:50:37 1994", utc(1994, 11, 6, 8, 50, 37)},
             row{"Wed Nov 16 08:50:37 1994", utc(1994, 11, 16, 8, 50, 37)},
             row{"Sun, 06 Nov 1994 08:50:37 UTC", utc(1994, 11, 6, 8, 50, 37)},
             row{"Mon, 31 Mar 2025 17:19:08 GMT", utc(2025, 3, 31, 17, 19, 8)},
             row{"Thu, 29 Feb 2024 00:00:00 GMT", utc(2024, 2, 29)},
             row{"Thu, 01 Jan 1970 00:00:00 GMT", utc(1970, 1, 1)},
             row{"Fri, 31 Dec 1999 23:59:59 GMT", utc(1999, 12, 31, 23, 59, 59)},
         })
    {
        CAPTURE(text);
        CHECK(core::parse_http_date(text, now) == wall(when));
    }
}

TEST_CASE("every month is known by its name")
{
    unsigned month = 0;
    for (std::string_view const name :
         {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"})
    {
        CAPTURE(name);
        auto const when = wall(utc(2026, ++month, 9, 1, 2, 3));
        CHECK(core::parse_http_date("Mon, 09 " + std::string(name) + " 2026 01:02:03 GMT", now) == when);
        CHECK(
            core::parse_http_date("Monday, 09-" + std::string(name) + "-26 01:02:03 GMT", wall(utc(2026, 1, 1))) == when
        );
        CHECK(core::parse_http_date("Mon " + std::string(name) + "  9 01:02:03 2026", now) == when);
    }
}

TEST_CASE("a wrong day of the week is overlooked, and second 60 is the first of the next minute (S1)")
{
    CHECK(core::parse_http_date("Mon, 06 Nov 1994 08:50:37 GMT", now) == wall(utc(1994, 11, 6, 8, 50, 37)));
    CHECK(core::parse_http_date("Saturday, 06-Nov-94 08:50:37 GMT", now) == wall(utc(1994, 11, 6, 8, 50, 37)));
    CHECK(core::parse_http_date("Sat Nov  6 08:50:37 1994", now) == wall(utc(1994, 11, 6, 8, 50, 37)));
    CHECK(core::parse_http_date("Sun, 06 Nov 1994 08:49:60 GMT", now) == wall(utc(1994, 11, 6, 8, 50)));
    CHECK(core::parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT", now) == wall(utc(2017, 1, 1)));
}

TEST_CASE("a two-digit year more than fifty years ahead is one of the century before")
{
    struct row
    {
        int this_year;
        std::string_view text;
        int year;
    };
    for (auto const& [this_year, text, year] : {
             row{1994, "Sunday, 06-Nov-94 08:50:37 GMT", 1994},
             row{2026, "Sunday, 06-Nov-26 08:50:37 GMT", 2026},
             row{2026, "Sunday, 06-Nov-27 08:50:37 GMT", 2027},
             row{2026, "Sunday, 06-Nov-75 08:50:37 GMT", 2075},
             row{2026, "Sunday, 06-Nov-77 08:50:37 GMT", 1977},
             row{2026, "Sunday, 06-Nov-94 08:50:37 GMT", 1994},
             row{2026, "Sunday, 06-Nov-00 08:50:37 GMT", 2000},
         })
    {
        CAPTURE(text);
        CAPTURE(this_year);
        CHECK(core::parse_http_date(text, wall(utc(this_year, 6, 1))) == wall(utc(year, 11, 6, 8, 50, 37)));
    }
}

TEST_CASE("\"more than fifty years in the future\" is exact to the second (RFC 9110 section 5.6.7)")
{
    struct row
    {
        std::string_view text;
        ccloud::timestamp expected;
    };
    auto const when = wall(utc(2026, 6, 1, 12, 30, 15, 999'999'999));
    for (auto const& [text, expected] : {
             row{"Monday, 01-Jun-76 12:30:15 GMT", utc(2076, 6, 1, 12, 30, 15)},
             row{"Monday, 01-Jun-76 12:30:16 GMT", utc(1976, 6, 1, 12, 30, 16)},
             row{"Monday, 01-Jun-76 12:31:00 GMT", utc(1976, 6, 1, 12, 31)},
             row{"Monday, 01-Jun-76 13:00:00 GMT", utc(1976, 6, 1, 13)},
             row{"Tuesday, 02-Jun-76 00:00:00 GMT", utc(1976, 6, 2)},
             row{"Wednesday, 01-Jul-76 00:00:00 GMT", utc(1976, 7, 1)},
             row{"Sunday, 31-May-76 23:59:60 GMT", utc(2076, 6, 1)},
         })
    {
        CAPTURE(text);
        CHECK(core::parse_http_date(text, when) == wall(expected));
    }
    // A year that has a 29th of February, fifty years before one that has none.
    auto const leap_day = wall(utc(2024, 2, 29, 12));
    CHECK(core::parse_http_date("Friday, 28-Feb-74 12:00:00 GMT", leap_day) == wall(utc(2074, 2, 28, 12)));
    CHECK(core::parse_http_date("Friday, 01-Mar-74 00:00:00 GMT", leap_day) == wall(utc(1974, 3, 1)));
}

TEST_CASE("what is no HTTP-date is none (S1)")
{
    for (std::string_view const text : {
             "",
             "Sun",
             "Sun,",
             "GMT",
             "7",
             "Sun, 31 Feb 1994 08:50:37 GMT",
             "Wed, 29 Feb 2023 08:50:37 GMT",
             "Sun, 00 Nov 1994 08:50:37 GMT",
             "Sun, 06 Nov 1994 24:00:00 GMT",
             "Sun, 06 Nov 1994 08:60:37 GMT",
             "Sun, 06 Nov 1994 08:50:61 GMT",
             "Sun, 06 Nov 1994 08:50:37 +0100",
             "Sun, 06 Nov 1994 08:50:37 CET",
             "Sun, 06 Nov 1994 08:50:37",
             "Sun, 06 Nov 1994 08:50:37 GMT ",
             " Sun, 06 Nov 1994 08:50:37 GMT",
             "Sun, 06 Nov 1994 08:50:37 GMTx",
             "Sun, 6 Nov 1994 08:50:37 GMT",
             "Sun, 06 nov 1994 08:50:37 GMT",
             "Sun, 06 Nov 94 08:50:37 GMT",
             "Sunday, 06-Nov-1994 08:50:37 GMT",
             "Sunday, 06 Nov 1994 08:50:37 GMT",
             "Sun Nov 06 08:50:37 94",
             "Sun Nov 31 08:50:37 1994",
             "Sun Nov  6 08:50:37 1994 GMT",
             "Sun Nov 6 08:50:37 1994",
             "06 Nov 1994 08:50:37 GMT",
             "1994-11-06T08:50:37Z",
             "Sun, 31 Feb 9999 08:50:37 GMT",
             "Sun, 06 Nov 9999 24:50:37 GMT",
             "Sun, -6 Nov 1994 08:50:37 GMT",
         })
    {
        CAPTURE(text);
        CHECK(core::parse_http_date(text, now) == std::nullopt);
    }
}

TEST_CASE(
    "RFC 9110 section 5.6.7: a date that is too far away for 64-bit nanoseconds counts as the last or first that is not"
)
{
    for (std::string_view const text :
         {"Fri, 31 Dec 9999 23:59:59 GMT", "Wed, 01 Jan 2262 00:00:00 GMT", "Wed, 31 Dec 2261 23:59:59 GMT",
          "Sun Nov  6 08:50:37 9999"})
    {
        CAPTURE(text);
        CHECK(core::parse_http_date(text, now) == core::latest_http_date);
    }
    CHECK(
        core::parse_http_date("Wed, 31 Dec 2261 23:59:60 GMT", now) == core::latest_http_date + std::chrono::seconds(1)
    );
    for (std::string_view const text :
         {"Sun, 06 Nov 0001 08:50:37 GMT", "Fri, 31 Dec 1677 23:59:59 GMT", "Sat, 01 Jan 1678 00:00:00 GMT",
          "Sun Nov  6 08:50:37 0000"})
    {
        CAPTURE(text);
        CHECK(core::parse_http_date(text, now) == core::earliest_http_date);
    }
}

TEST_CASE("no beginning of an HTTP-date is one")
{
    for (std::string_view const whole :
         {"Sun, 06 Nov 1994 08:50:37 GMT", "Sunday, 06-Nov-94 08:50:37 GMT", "Sun Nov  6 08:50:37 1994"})
        for (std::size_t length = 0; length < whole.size(); ++length)
        {
            auto const text = whole.substr(0, length);
            CAPTURE(text);
            CHECK(core::parse_http_date(text, now) == std::nullopt);
        }
}
