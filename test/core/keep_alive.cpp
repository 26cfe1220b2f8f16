#include "core/keep_alive.hpp"

#include "printers.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

namespace core = ccloud::core;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;

namespace {

core::finished_exchange finished(std::string_view keep_alive_field = {})
{
    core::finished_exchange ended;
    ended.status = 200;
    ended.keep_alive = true;
    ended.complete = true;
    ended.request_written = true;
    ended.keep_alive_field = keep_alive_field;
    return ended;
}

} // namespace

TEST_CASE("a connection is kept after a whole exchange, and closed where anything is odd (C3, pool item 7)")
{
    CHECK(core::reuse_for(finished(), 50s) == nanoseconds(50s));

    auto ended = finished();
    SUBCASE("Connection: close")
    {
        ended.keep_alive = false;
    }
    SUBCASE("a short response")
    {
        ended.complete = false;
    }
    SUBCASE("an answer before the whole request was written")
    {
        ended.request_written = false;
    }
    SUBCASE("bytes nobody asked for")
    {
        ended.leftover = 1;
    }
    SUBCASE("a body that the status does not have, or a Transfer-Encoding in HTTP/1.0 (RFC 9112 sections 6.3 and 6.1)")
    {
        ended.doubtful_framing = true;
    }
    SUBCASE("408")
    {
        ended.status = 408;
    }
    SUBCASE("421")
    {
        ended.status = 421;
    }
    CHECK(core::reuse_for(ended, 50s) == std::nullopt);
}

TEST_CASE("a connection survives statuses that say nothing about it (C3)")
{
    for (int const status : {200, 202, 204, 301, 400, 401, 404, 409, 425, 429, 500, 502, 503, 504})
    {
        CAPTURE(status);
        auto ended = finished();
        ended.status = status;
        CHECK(core::reuse_for(ended, 50s) == nanoseconds(50s));
    }
}

TEST_CASE("the server's own time-out counts less two seconds (pool item 5)")
{
    struct row
    {
        std::string_view field;
        std::optional<nanoseconds> keep;
    };
    for (auto const& [field, keep] : {
             row{"timeout=30", 28s},
             row{"timeout=30, max=100", 28s},
             row{"max=100,timeout=30", 28s},
             row{" Timeout = 30 ", 28s},
             row{"timeout=60", 50s},
             row{"timeout=52", 50s},
             row{"timeout=3", 1s},
             row{"timeout=2", std::nullopt},
             row{"timeout=1", std::nullopt},
             row{"timeout=0", std::nullopt},
             row{"timeout=30, max=0", std::nullopt},
             row{"max=0", std::nullopt},
             row{"max=1", 50s},
             row{"timeout=-1", 50s},
             row{"timeout=x", 50s},
             row{"timeout", 50s},
             row{"timeout=", 50s},
             row{",,=,", 50s},
             row{"timeout=99999999999999999999999999", 50s},
             row{"timeout=9223372036854775807", 50s},
             row{"my-timeout=5", 50s},
         })
    {
        CAPTURE(field);
        CHECK(core::reuse_for(finished(field), 50s) == keep);
    }
}

TEST_CASE("I5: what may be sent again is told by the status")
{
    std::vector<int> repeated;
    for (int status = 0; status < 500; ++status)
        if (core::may_be_repeated(status))
            repeated.push_back(status);
    CHECK(repeated == std::vector<int>{408, 413, 421, 425, 429});
    for (int status = 500; status < 1000; ++status) // 600 and more count as 5xx (RFC 9110 section 15)
        CHECK(core::may_be_repeated(status));
    CHECK(!core::may_be_repeated(-1));
}

TEST_CASE("an idle time-out of zero or less keeps nothing")
{
    CHECK(core::reuse_for(finished(), 0s) == std::nullopt);
    CHECK(core::reuse_for(finished(), -1s) == std::nullopt);
    CHECK(core::reuse_for(finished("timeout=30"), 0s) == std::nullopt);
}
