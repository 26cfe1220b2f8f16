#include "core/addresses.hpp"

#include "printers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using ccloud::steady_time;
using ccloud::core::address_order;
using ccloud::core::name_cache;
using std::chrono::nanoseconds;
using namespace std::chrono_literals;
using addresses = std::vector<std::string>;

namespace {

steady_time at(nanoseconds since_start)
{
    return steady_time(1h + since_start);
}

/** None where there are none. */
addresses read(addresses const* found)
{
    return found ? *found : addresses();
}

std::error_code const refused = std::make_error_code(std::errc::connection_refused);

} // namespace

TEST_CASE("pool 15: the families take turns, beginning with that of the first address")
{
    struct row
    {
        addresses found, order;
    };
    for (auto const& [found, order] : {
             row{{}, {}},
             row{{"10.0.0.1"}, {"10.0.0.1"}},
             row{{"10.0.0.1", "10.0.0.2", "10.0.0.3"}, {"10.0.0.1", "10.0.0.2", "10.0.0.3"}},
             row{{"::1", "::2"}, {"::1", "::2"}},
             row{{"::1", "::2", "10.0.0.1", "10.0.0.2"}, {"::1", "10.0.0.1", "::2", "10.0.0.2"}},
             row{{"10.0.0.1", "10.0.0.2", "::1", "::2"}, {"10.0.0.1", "::1", "10.0.0.2", "::2"}},
             row{{"::1", "10.0.0.1", "10.0.0.2", "10.0.0.3"}, {"::1", "10.0.0.1", "10.0.0.2", "10.0.0.3"}},
             row{{"10.0.0.1", "10.0.0.2", "10.0.0.3", "::1"}, {"10.0.0.1", "::1", "10.0.0.2", "10.0.0.3"}},
             row{{"::1", "::2", "::3", "10.0.0.1"}, {"::1", "10.0.0.1", "::2", "::3"}},
             row{{"::1", "10.0.0.1", "::2", "10.0.0.2"}, {"::1", "10.0.0.1", "::2", "10.0.0.2"}},
         })
    {
        CAPTURE(found);
        CHECK(address_order().arrange(found, at(0s)) == order);
    }
}

TEST_CASE("pool 15: every dial begins with the next address of each family")
{
    address_order order;
    addresses const found{"::1", "::2", "::3", "10.0.0.1", "10.0.0.2"};
    CHECK(order.arrange(found, at(0s)) == addresses{"::1", "10.0.0.1", "::2", "10.0.0.2", "::3"});
    CHECK(order.arrange(found, at(0s)) == addresses{"::2", "10.0.0.2", "::3", "10.0.0.1", "::1"});
    CHECK(order.arrange(found, at(0s)) == addresses{"::3", "10.0.0.1", "::1", "10.0.0.2", "::2"});
    CHECK(order.arrange(found, at(0s)) == addresses{"::1", "10.0.0.2", "::2", "10.0.0.1", "::3"});
    CHECK(order.arrange({"10.0.0.9"}, at(0s)) == addresses{"10.0.0.9"});
}

TEST_CASE("pool 15: an address that failed is tried last for 30 s, and no longer")
{
    addresses const found{"10.0.0.1", "10.0.0.2"};
    for (auto const& [since, bad] :
         {std::pair(0ns, true), std::pair(nanoseconds(30s) - 1ns, true), std::pair(nanoseconds(30s), false),
          std::pair(nanoseconds(31s), false)})
    {
        CAPTURE(since);
        address_order order;
        order.failed("10.0.0.1", at(0s));
        CHECK(order.arrange(found, at(since)).front() == (bad ? "10.0.0.2" : "10.0.0.1"));
    }
}

TEST_CASE("pool 15: the last failure of an address counts")
{
    addresses const found{"10.0.0.1", "10.0.0.2"};
    address_order order;
    order.failed("10.0.0.1", at(0s));
    order.failed("10.0.0.1", at(20s));
    CHECK(order.arrange(found, at(50s - 1ns)) == addresses{"10.0.0.2", "10.0.0.1"});
    CHECK(order.arrange(found, at(50s)) == addresses{"10.0.0.2", "10.0.0.1"}); // the next of two good ones
    CHECK(order.arrange(found, at(50s)) == addresses{"10.0.0.1", "10.0.0.2"});
}

TEST_CASE("pool 15: an address that worked has its failures forgotten, and others keep theirs")
{
    addresses const found{"10.0.0.1", "10.0.0.2", "10.0.0.3"};
    address_order order;
    order.failed("10.0.0.1", at(0s));
    order.failed("10.0.0.1", at(1s));
    order.failed("10.0.0.2", at(1s));
    order.worked("10.0.0.1");
    order.worked("10.0.0.3");
    order.worked("never seen");
    CHECK(order.arrange(found, at(2s)) == addresses{"10.0.0.1", "10.0.0.3", "10.0.0.2"});
}

TEST_CASE("pool 15: addresses that failed come last in the same kind of order, and the others keep theirs")
{
    addresses const found{"::1", "::2", "::3", "10.0.0.1", "10.0.0.2", "10.0.0.3"};
    SUBCASE("some of each family")
    {
        address_order order;
        for (auto const* const address : {"::1", "::3", "10.0.0.2"})
            order.failed(address, at(0s));
        CHECK(order.arrange(found, at(1s)) == addresses{"::2", "10.0.0.1", "10.0.0.3", "::1", "10.0.0.2", "::3"});
        CHECK(order.arrange(found, at(1s)) == addresses{"::2", "10.0.0.3", "10.0.0.1", "::3", "10.0.0.2", "::1"});
    }
    SUBCASE("a whole family")
    {
        address_order order;
        for (auto const* const address : {"::1", "::2", "::3"})
            order.failed(address, at(0s));
        CHECK(order.arrange(found, at(1s)) == addresses{"10.0.0.1", "10.0.0.2", "10.0.0.3", "::1", "::2", "::3"});
    }
    SUBCASE("all")
    {
        address_order order;
        for (auto const& address : found)
            order.failed(address, at(0s));
        CHECK(order.arrange(found, at(1s)) == address_order().arrange(found, at(1s)));
    }
    SUBCASE("one that is not among them")
    {
        address_order order;
        order.failed("10.0.0.9", at(0s));
        CHECK(order.arrange(found, at(1s)) == address_order().arrange(found, at(1s)));
    }
}

TEST_CASE("pool 15: dials spread evenly over the addresses that are good")
{
    addresses const found{"10.0.0.1", "10.0.0.2", "10.0.0.3"};
    address_order order;
    order.failed("10.0.0.2", at(0s));
    std::map<std::string, int> first;
    for (int dial = 0; dial < 12; ++dial)
    {
        auto const arranged = order.arrange(found, at(1s));
        ++first[arranged.front()];
        CHECK(arranged.back() == "10.0.0.2");
        CHECK(std::is_permutation(arranged.begin(), arranged.end(), found.begin(), found.end()));
    }
    CHECK(first == std::map<std::string, int>{{"10.0.0.1", 6}, {"10.0.0.3", 6}});
}

TEST_CASE("pool 14: addresses are good for their lifetime, and will do for five minutes")
{
    name_cache names(30s);
    addresses const found{"10.0.0.1", "::1"};
    names.found("a.example", found, at(0s));
    struct row
    {
        nanoseconds age;
        addresses fresh, stale;
    };
    for (auto const& [age, fresh, stale] : {
             row{0ns, found, found},
             row{30s - 1ns, found, found},
             row{30s, {}, found},
             row{5min - 1ns, {}, found},
             row{5min, {}, {}},
             row{24h, {}, {}},
         })
    {
        CAPTURE(age);
        CHECK(read(names.fresh("a.example", at(age))) == fresh);
        CHECK(read(names.stale("a.example", at(age))) == stale);
    }
}

TEST_CASE("pool 14: fresh addresses will do, even past five minutes")
{
    name_cache names(10min);
    names.found("a.example", {"10.0.0.1"}, at(0s));
    CHECK(names.fresh("a.example", at(10min - 1ns)) != nullptr);
    CHECK(names.stale("a.example", at(10min - 1ns)) != nullptr);
    CHECK(names.fresh("a.example", at(10min)) == nullptr);
    CHECK(names.stale("a.example", at(10min)) == nullptr);

    name_cache longest(nanoseconds::max());
    longest.found("a.example", {"10.0.0.1"}, at(0s));
    CHECK(longest.fresh("a.example", at(24h * 365)) != nullptr);
}

TEST_CASE("pool 14: without a lifetime every connection looks up, and a failed look-up falls back")
{
    for (auto const lifetime : {nanoseconds(0), nanoseconds(-1s)})
    {
        name_cache names(lifetime);
        names.found("a.example", {"10.0.0.1"}, at(0s));
        CHECK(names.fresh("a.example", at(0s)) == nullptr);
        CHECK(read(names.stale("a.example", at(0s))) == addresses{"10.0.0.1"});
        CHECK(names.stale("a.example", at(5min)) == nullptr);
    }
}

TEST_CASE("pool 14: a failure is remembered for a second")
{
    name_cache names(30s);
    CHECK(!names.recent_failure("a.example", at(0s)));
    names.failed("a.example", refused, at(0s));
    CHECK(names.recent_failure("a.example", at(0s)) == refused);
    CHECK(names.recent_failure("a.example", at(1s - 1ns)) == refused);
    CHECK(!names.recent_failure("a.example", at(1s)));
    CHECK(!names.recent_failure("b.example", at(0s)));
    CHECK(names.fresh("a.example", at(0s)) == nullptr);
    CHECK(names.stale("a.example", at(0s)) == nullptr);
}

TEST_CASE("pool 14: a failure keeps addresses from before and their age")
{
    name_cache names(30s);
    names.found("a.example", {"10.0.0.1"}, at(0s));
    names.failed("a.example", refused, at(40s));
    CHECK(names.recent_failure("a.example", at(40s)) == refused);
    CHECK(names.fresh("a.example", at(40s)) == nullptr);
    CHECK(read(names.stale("a.example", at(40s))) == addresses{"10.0.0.1"});
    CHECK(names.stale("a.example", at(5min)) == nullptr);
}

TEST_CASE("pool 14: a look-up that succeeds replaces the addresses and ends the failure")
{
    name_cache names(30s);
    names.found("a.example", {"10.0.0.1"}, at(0s));
    names.failed("a.example", refused, at(40s));
    names.found("a.example", {"10.0.0.2"}, at(40s));
    CHECK(!names.recent_failure("a.example", at(40s)));
    CHECK(read(names.fresh("a.example", at(70s - 1ns))) == addresses{"10.0.0.2"});
    CHECK(names.fresh("a.example", at(70s)) == nullptr);
}

TEST_CASE("names of a cache do not mix")
{
    name_cache names(30s);
    names.found("a.example", {"10.0.0.1"}, at(0s));
    names.found("b.example", {"10.0.0.2"}, at(10s));
    names.failed("c.example", refused, at(10s));
    CHECK(read(names.fresh("a.example", at(10s))) == addresses{"10.0.0.1"});
    CHECK(read(names.fresh("b.example", at(35s))) == addresses{"10.0.0.2"});
    CHECK(names.fresh("a.example", at(35s)) == nullptr);
    CHECK(names.fresh("c.example", at(10s)) == nullptr);
    CHECK(names.fresh("example", at(10s)) == nullptr);
    CHECK(names.fresh("", at(10s)) == nullptr);
}

TEST_CASE("no addresses are none, and a cache that is cleared knows nothing")
{
    name_cache names(30s);
    names.found("a.example", {}, at(0s));
    CHECK(names.fresh("a.example", at(0s)) == nullptr);
    CHECK(names.stale("a.example", at(0s)) == nullptr);

    names.found("a.example", {"10.0.0.1"}, at(0s));
    names.failed("b.example", refused, at(0s));
    names.clear();
    CHECK(names.fresh("a.example", at(0s)) == nullptr);
    CHECK(names.stale("a.example", at(0s)) == nullptr);
    CHECK(!names.recent_failure("b.example", at(0s)));
    names.found("a.example", {"10.0.0.2"}, at(1s));
    CHECK(read(names.fresh("a.example", at(1s))) == addresses{"10.0.0.2"});
}
