#include "core/retry_budget.hpp"

#include "printers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <random>

using ccloud::steady_time;
using ccloud::core::retry_budget;
using namespace std::chrono_literals;

namespace {

steady_time at(std::chrono::nanoseconds since_start)
{
    return steady_time(since_start);
}

/** As of the last use: time gives nothing back. */
int left_in(retry_budget& budget)
{
    return budget.left(steady_time::min());
}

} // namespace

TEST_CASE("Q1: a budget is full at first, and a repetition costs 14 after a failure, 5 after a throttle")
{
    retry_budget budget(500);
    CHECK(left_in(budget) == 500);
    CHECK(budget.take(retry_budget::transient_cost, at(0s)));
    CHECK(left_in(budget) == 486);
    CHECK(budget.take(retry_budget::throttle_cost, at(0s)));
    CHECK(left_in(budget) == 481);
    budget.give(retry_budget::first_try_reward, at(0s));
    CHECK(left_in(budget) == 482);
    int repeated = 0;
    while (budget.take(retry_budget::transient_cost, at(0s)))
        ++repeated;
    CHECK(repeated == 482 / 14);
    CHECK(left_in(budget) == 482 % 14);
}

TEST_CASE("Q2: what is not there is not taken, not even a part of it")
{
    retry_budget budget(13);
    CHECK(!budget.take(14, at(0s)));
    CHECK(left_in(budget) == 13);
    CHECK(budget.take(13, at(0s)));
    CHECK(left_in(budget) == 0);
    CHECK(!budget.take(1, at(0s)));
    CHECK(budget.take(0, at(0s)));
    CHECK(left_in(budget) == 0);
}

TEST_CASE("Q3: what is given back can be taken again, and no more than the capacity is kept")
{
    retry_budget budget(20);
    REQUIRE(budget.take(14, at(0s)));
    budget.give(14, at(0s));
    CHECK(left_in(budget) == 20);
    budget.give(14, at(0s));
    CHECK(left_in(budget) == 20);
    REQUIRE(budget.take(5, at(0s)));
    budget.give(14, at(0s));
    CHECK(left_in(budget) == 20);
}

TEST_CASE("Q1: one token comes back for each whole second from the first use on")
{
    retry_budget budget(10);
    REQUIRE(budget.take(10, at(100s)));
    struct
    {
        std::chrono::milliseconds when;
        int left;
    } const rows[] = {{100'000ms, 0}, {100'999ms, 0}, {101'000ms, 1},  {101'001ms, 1}, {103'500ms, 3},
                      {104'000ms, 4}, {109'999ms, 9}, {110'000ms, 10}, {111'000ms, 10}};
    for (auto const& row : rows)
    {
        CAPTURE(row.when);
        budget.give(0, at(row.when));
        CHECK(left_in(budget) == row.left);
    }
    REQUIRE(budget.take(10, at(111s)));
    budget.give(0, at(24h * 365 * 100)); // a century of seconds
    CHECK(left_in(budget) == 10);
}

TEST_CASE("Q1: frequent calls lose nothing of the seconds that pass between them")
{
    retry_budget budget(1000);
    REQUIRE(budget.take(1000, at(0s)));
    for (auto now = 0ms; now <= 60s; now += 7ms)
        CHECK(!budget.take(1000, at(now)));
    CHECK(left_in(budget) == 59); // the last call was at 59.997 s
    budget.give(0, at(60s));
    CHECK(left_in(budget) == 60);
    for (int i = 0; i < 1000; ++i)
        budget.give(0, at(60s));
    CHECK(left_in(budget) == 60);
}

TEST_CASE("Q1: time that stands still or goes back gives nothing, and takes nothing away")
{
    retry_budget budget(10);
    REQUIRE(budget.take(10, at(50s)));
    budget.give(0, at(53s));
    REQUIRE(left_in(budget) == 3);
    budget.give(0, at(20s));
    CHECK(left_in(budget) == 3);
    budget.give(0, at(53s)); // the same seconds do not count twice
    CHECK(left_in(budget) == 3);
    budget.give(0, at(-50s));
    budget.give(0, at(54s));
    CHECK(left_in(budget) == 4);
    CHECK(budget.take(4, at(0s)));
    CHECK(left_in(budget) == 0);
}

TEST_CASE("Q1: seconds before the first use count for nothing")
{
    retry_budget budget(10);
    CHECK(budget.take(4, at(-1000h)));
    CHECK(left_in(budget) == 6);
    budget.give(0, at(-1000h + 1s));
    CHECK(left_in(budget) == 7);
}

TEST_CASE("Q2: a capacity of 0 grants everything")
{
    retry_budget budget(0);
    for (int i = 0; i < 100; ++i)
        CHECK(budget.take(1'000'000, at(0s)));
    CHECK(left_in(budget) == 0);
    budget.give(14, at(10s));
    CHECK(left_in(budget) == 0);
    CHECK(budget.take(14, at(10s)));
}

TEST_CASE("Q1: a hundred thousand random steps leave the budget as plain arithmetic would")
{
    constexpr int capacity = 100;
    retry_budget budget(capacity);
    std::mt19937 dice(20260101);
    REQUIRE(budget.take(0, at(0s)));
    long long now = 0; // ms
    long long counted = 0;
    int left = capacity;
    for (int step = 0; step < 100'000; ++step)
    {
        now += static_cast<long long>(dice() % 1500) - 300;
        auto const seconds = std::max(now / 1000, counted);
        left = static_cast<int>(std::min<long long>(capacity, left + seconds - counted));
        counted = seconds;
        auto const tokens = static_cast<int>(dice() % 15);
        bool sound = true;
        if (dice() % 3 != 0)
        {
            sound = budget.take(tokens, at(std::chrono::milliseconds(now))) == (tokens <= left);
            left -= tokens <= left ? tokens : 0;
        }
        else
        {
            budget.give(tokens / 4, at(std::chrono::milliseconds(now)));
            left = std::min(capacity, left + tokens / 4);
        }
        if (!sound || left_in(budget) != left)
            FAIL("step " << step << ": " << left_in(budget) << " are left, not " << left);
    }
}
