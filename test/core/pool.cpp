#include "core/pool.hpp"

#include "printers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <thread>
#include <vector>

using ccloud::close_reason;
using ccloud::steady_time;
using ccloud::wall_time;
using ccloud::core::origin_pool;
using ccloud::core::pool_limits;
using ccloud::core::pool_time;
using ccloud::core::pool_waiter;
using ccloud::core::pooled;
using ccloud::core::shortened;
using ccloud::core::slot_quota;
using std::chrono::nanoseconds;
using namespace std::chrono_literals;
using action = origin_pool::step::action;

namespace ccloud::core {

doctest::String toString(origin_pool::step::action what)
{
    switch (what)
    {
    case action::none: return "none";
    case action::grant: return "grant";
    case action::dial: return "dial";
    case action::close: return "close";
    }
    return "?";
}

} // namespace ccloud::core

namespace {

constexpr auto never = std::numeric_limits<std::int64_t>::max();

pool_time at(nanoseconds steady, nanoseconds slept = 0s)
{
    return {steady_time(steady), wall_time(steady + slept + 500'000h)};
}

/** Neither graces nor backoffs, and as many dials as there may be connections. */
pool_limits up_to(std::size_t connections)
{
    pool_limits limits;
    limits.cap = limits.max_dials = connections;
    return limits;
}

nanoseconds since_start(std::optional<steady_time> when)
{
    return when ? when->time_since_epoch() : nanoseconds(-1);
}

bool gives(origin_pool::step const& step, pool_waiter const& waiter, pooled const& connection)
{
    return step.what == action::grant && step.waiter == &waiter && step.connection == &connection && !waiter.queued &&
           !connection.idle;
}

bool closes(origin_pool::step const& step, pooled const& connection, close_reason why)
{
    return step.what == action::close && step.connection == &connection && step.reason == why && !connection.idle;
}

int dials(origin_pool& pool, pool_time now)
{
    for (int begun = 0; begun < 100; ++begun)
        if (auto const what = pool.next(now).what; what != action::dial)
        {
            REQUIRE(what == action::none);
            return begun;
        }
    FAIL("it dials without end");
    return 0;
}

/** Takes a dial through to an active connection for `waiter`, and its first request. */
void serve(origin_pool& pool, pool_waiter& waiter, pooled& connection, pool_time now)
{
    pool.enqueue(waiter, now.steady);
    REQUIRE(pool.next(now).what == action::dial);
    connection.epoch = pool.epoch();
    pool.dialed(connection, now, 50s, 0);
    REQUIRE(gives(pool.next(now), waiter, connection));
    ++connection.requests;
}

/** Makes an idle connection that has served. */
void leave_idle(origin_pool& pool, pooled& connection, pool_time now, nanoseconds keep = 50s)
{
    pool_waiter waiter;
    serve(pool, waiter, connection, now);
    REQUIRE(pool.responded(connection));
    REQUIRE(!pool.returned(connection, now, keep));
}

} // namespace

// Caps

TEST_CASE("pool 2: there are never more connections than the cap, dials included")
{
    origin_pool pool(up_to(2));
    std::array<pool_waiter, 5> waiters;
    std::array<pooled, 2> connections;
    for (auto& waiter : waiters)
        pool.enqueue(waiter, steady_time());
    REQUIRE(dials(pool, at(0ms)) == 2);
    CHECK(pool.dialing() == 2);
    for (auto& connection : connections)
        pool.dialed(connection, at(1ms), 50s, 0);
    CHECK(gives(pool.next(at(1ms)), waiters[0], connections[1]));
    CHECK(gives(pool.next(at(1ms)), waiters[1], connections[0]));
    REQUIRE(dials(pool, at(1ms)) == 0);
    CHECK(!pool.wake_at());
    pool.lost();
    REQUIRE(dials(pool, at(1ms)) == 1);
    CHECK(pool.active() == 1);
}

TEST_CASE("pool 2: pools that share a quota have no more connections than it allows, but each may have one")
{
    slot_quota quota(3);
    origin_pool one(up_to(16), &quota), two(up_to(16), &quota), three(up_to(16), &quota);
    std::array<pool_waiter, 9> waiters;
    for (std::size_t i = 0; i < waiters.size(); ++i)
        (i < 5 ? one : i < 7 ? two : three).enqueue(waiters[i], steady_time());
    REQUIRE(dials(one, at(0ms)) == 3);
    REQUIRE(dials(two, at(0ms)) == 1);
    REQUIRE(dials(three, at(0ms)) == 1);
    CHECK(quota.used() == 5);

    // Two more than the quota has are there; only the third slot to become free is to be had.
    one.dial_failed(steady_time(), 0);
    one.dial_failed(steady_time(), 0);
    REQUIRE(dials(two, at(60ms)) == 0);
    one.dial_failed(steady_time(), 0);
    CHECK(quota.used() == 2);
    REQUIRE(dials(two, at(120ms)) == 1);
    CHECK(quota.used() == 3);
}

TEST_CASE("pool 2: a pool asks its quota again after 50 ms, and at once where a slot of its own becomes free")
{
    slot_quota quota(2);
    origin_pool pool(up_to(4), &quota), other(up_to(4), &quota);
    std::array<pool_waiter, 3> waiters;
    pool_waiter elsewhere;
    pooled mine, theirs;
    serve(pool, waiters[0], mine, at(0ms));
    serve(other, elsewhere, theirs, at(0ms));
    pool.enqueue(waiters[1], steady_time());
    pool.enqueue(waiters[2], steady_time());
    CHECK(pool.next(at(7ms)).what == action::none);
    CHECK(since_start(pool.wake_at()) == 57ms);
    SUBCASE("of another pool")
    {
        other.lost();
        CHECK(pool.next(at(57ms)).what == action::dial);
    }
    SUBCASE("of its own")
    {
        pool.lost();
        REQUIRE(dials(pool, at(8ms)) == 1);
    }
    SUBCASE("of none")
    {
        CHECK(pool.next(at(57ms)).what == action::none);
        CHECK(since_start(pool.wake_at()) == 107ms);
    }
    SUBCASE("an idle one that nobody may take")
    {
        waiters[1].fresh = waiters[2].fresh = true;
        REQUIRE(!pool.returned(mine, at(8ms), 50s));
        CHECK(since_start(pool.wake_at()) <= 57ms);
        CHECK(closes(pool.next(at(57ms)), mine, close_reason::evicted));
        REQUIRE(dials(pool, at(57ms)) == 1);
    }
}

TEST_CASE("pool 2: a pool that goes gives its slots back to the quota, whatever they were")
{
    slot_quota quota(0);
    {
        origin_pool pool(up_to(8), &quota);
        pool_waiter waiter;
        pooled idle, active;
        leave_idle(pool, idle, at(0ms));
        waiter.fresh = true;
        serve(pool, waiter, active, at(0ms));
        waiter.fresh = true;
        pool.enqueue(waiter, steady_time());
        REQUIRE(dials(pool, at(0ms)) == 1);
        CHECK(pool.idle() + pool.active() + pool.dialing() == 3);
        CHECK(quota.used() == 3);
    }
    CHECK(quota.used() == 0);
}

TEST_CASE("pool 2: threads take no more slots of a quota than there are")
{
    constexpr std::size_t most = 3;
    slot_quota quota(most);
    std::atomic<std::size_t> held{0}, seen{0}, refused{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            for (int turn = 0; turn < 20'000; ++turn)
            {
                if (!quota.take(false))
                {
                    ++refused;
                    continue;
                }
                auto const now = ++held;
                for (auto before = seen.load(); now > before && !seen.compare_exchange_weak(before, now);)
                    continue;
                --held;
                quota.give();
            }
        });
    for (auto& thread : threads)
        thread.join();
    CHECK(seen <= most);
    CHECK(quota.used() == 0);
    for (std::size_t i = 0; i < most; ++i)
        CHECK(quota.take(false));
    CHECK(!quota.take(false));
    CHECK(quota.take(true));
    CHECK(quota.used() == most + 1);
}

TEST_CASE("pool 3: of more idle connections than may be, the one that became idle first goes")
{
    auto limits = up_to(4);
    limits.max_idle = 2;
    origin_pool pool(limits);
    std::array<pool_waiter, 4> waiters;
    std::array<pooled, 4> connections;
    for (std::size_t i = 0; i < 4; ++i)
        serve(pool, waiters[i], connections[i], at(0ms));
    for (auto const back : {2u, 0u})
        pool.returned(connections[back], at(1ms), 50s);
    CHECK(pool.next(at(1ms)).what == action::none);
    pool.returned(connections[3], at(2ms), 50s);
    CHECK(closes(pool.next(at(2ms)), connections[2], close_reason::evicted));
    CHECK(pool.next(at(2ms)).what == action::none);
    CHECK(pool.idle() == 2);

    // It goes to who waits rather than away.
    pool.returned(connections[1], at(3ms), 50s);
    pool.enqueue(waiters[0], steady_time(3ms));
    CHECK(gives(pool.next(at(3ms)), waiters[0], connections[1]));
    CHECK(pool.next(at(3ms)).what == action::none);
}

TEST_CASE(
    "pool 3: a waiter that wants a fresh connection gets one, at the expense of an idle one where there is no room"
)
{
    pool_waiter fresh;
    pooled used, made;
    fresh.fresh = true;
    SUBCASE("room")
    {
        origin_pool pool(up_to(2));
        leave_idle(pool, used, at(0ms));
        pool.enqueue(fresh, steady_time());
        REQUIRE(dials(pool, at(0ms)) == 1);
        pool.dialed(made, at(1ms), 50s, 0);
        CHECK(gives(pool.next(at(1ms)), fresh, made));
        CHECK(pool.idle() == 1);
    }
    SUBCASE("no room")
    {
        origin_pool pool(up_to(2));
        pooled older;
        leave_idle(pool, older, at(0ms));
        fresh.fresh = true;
        serve(pool, fresh, used, at(0ms));
        pool.returned(used, at(0ms), 50s);
        pool.enqueue(fresh, steady_time());
        CHECK(closes(pool.next(at(0ms)), older, close_reason::evicted));
        REQUIRE(dials(pool, at(0ms)) == 1);
        pool.dialed(made, at(1ms), 50s, 0);
        CHECK(gives(pool.next(at(1ms)), fresh, made));
    }
    SUBCASE("no room in the quota")
    {
        slot_quota quota(1);
        origin_pool pool(up_to(2), &quota);
        leave_idle(pool, used, at(0ms));
        pool.enqueue(fresh, steady_time());
        CHECK(closes(pool.next(at(0ms)), used, close_reason::evicted));
        REQUIRE(dials(pool, at(0ms)) == 1);
    }
    SUBCASE("a connection that was dialled for somebody else is fresh")
    {
        origin_pool pool(up_to(1));
        pool_waiter first;
        pool.enqueue(first, steady_time());
        REQUIRE(dials(pool, at(0ms)) == 1);
        pool.cancel(first);
        pool.dialed(made, at(1ms), 50s, 0);
        CHECK(pool.next(at(1ms)).what == action::none);
        pool.enqueue(fresh, steady_time());
        CHECK(gives(pool.next(at(2ms)), fresh, made));
    }
}

TEST_CASE("pool 8: who wants a fresh connection is not passed over for ever by those who take any")
{
    slot_quota quota(1);
    for (auto* const shared : {static_cast<slot_quota*>(nullptr), &quota})
    {
        CAPTURE(shared != nullptr);
        origin_pool pool(up_to(shared ? 2 : 1), shared);
        std::array<pool_waiter, 4> waiters;
        pooled used, made;
        serve(pool, waiters[0], used, at(0ms));
        waiters[1].fresh = true;
        for (auto const next : {1u, 2u, 3u})
            pool.enqueue(waiters[next], steady_time());
        pool.returned(used, at(0ms), 50s);
        CHECK(closes(pool.next(at(0ms)), used, close_reason::evicted));
        REQUIRE(dials(pool, at(0ms)) == 1);
        pool.dialed(made, at(1ms), 50s, 0);
        CHECK(gives(pool.next(at(1ms)), waiters[1], made));
        ++made.requests;
        pool.returned(made, at(2ms), 50s);
        CHECK(gives(pool.next(at(2ms)), waiters[2], made));
    }
}

TEST_CASE("pool 8: who wants a fresh connection is passed over while none may be dialled")
{
    auto limits = up_to(2);
    limits.dial_backoff = limits.longest_dial_backoff = 100ms;
    std::array<pool_waiter, 4> waiters;
    pooled used, another;
    waiters[1].fresh = waiters[2].fresh = true;
    SUBCASE("for an earlier one waits for a connection to come back")
    {
        limits.dial_grace = 5ms;
        origin_pool pool(limits);
        leave_idle(pool, another, at(0ms));
        waiters[0].fresh = true;
        serve(pool, waiters[0], used, at(0ms));
        pool_waiter post;
        post.idle_limit = 5s;
        pool.enqueue(post, steady_time(10s));
        for (auto const next : {1u, 3u})
            pool.enqueue(waiters[next], steady_time(10s));
        CHECK(gives(pool.next(at(10s)), waiters[3], another));
    }
    SUBCASE("for failed dials")
    {
        origin_pool pool(limits);
        serve(pool, waiters[0], used, at(0ms));
        pool.enqueue(waiters[2], steady_time());
        REQUIRE(dials(pool, at(0ms)) == 1);
        CHECK(pool.dial_failed(steady_time(0ms), 100'000'000) == &waiters[2]);
        for (auto const next : {1u, 3u})
            pool.enqueue(waiters[next], steady_time());
        pool.returned(used, at(1ms), 50s);
        CHECK(gives(pool.next(at(1ms)), waiters[3], used));
    }
    SUBCASE("for it has a dial of its own")
    {
        origin_pool pool(limits);
        serve(pool, waiters[0], used, at(0ms));
        for (auto const next : {1u, 3u})
            pool.enqueue(waiters[next], steady_time());
        REQUIRE(dials(pool, at(0ms)) == 1);
        pool.returned(used, at(1ms), 50s);
        CHECK(gives(pool.next(at(1ms)), waiters[3], used));
        pool.dialed(another, at(2ms), 50s, 0);
        CHECK(gives(pool.next(at(2ms)), waiters[1], another));
    }
}

// Dials

TEST_CASE("pool 4: new dials are the fewest of waiters without one, room and what may be dialled at once")
{
    struct
    {
        std::size_t active, waiters, cap, max_dials;
        int dials;
    } const rows[] = {
        {0, 0, 16, 4, 0}, {0, 1, 16, 4, 1}, {0, 3, 16, 4, 3}, {0, 4, 16, 4, 4},  {0, 9, 16, 4, 4}, {0, 9, 3, 4, 3},
        {2, 9, 3, 4, 1},  {3, 9, 3, 4, 0},  {2, 2, 16, 4, 2}, {14, 9, 16, 4, 2}, {0, 9, 16, 1, 1}, {0, 9, 1, 9, 1},
    };
    for (auto const& row : rows)
    {
        CAPTURE(row.active);
        CAPTURE(row.waiters);
        CAPTURE(row.cap);
        CAPTURE(row.max_dials);
        auto limits = up_to(row.cap);
        limits.max_dials = row.max_dials;
        origin_pool pool(limits);
        std::vector<pool_waiter> waiters(row.active + row.waiters);
        std::vector<pooled> connections(row.active);
        for (std::size_t i = 0; i < row.active; ++i)
            serve(pool, waiters[i], connections[i], at(0ms));
        for (auto i = row.active; i < waiters.size(); ++i)
            pool.enqueue(waiters[i], steady_time());
        REQUIRE(dials(pool, at(0ms)) == row.dials);
    }
}

TEST_CASE("pool 4: a dial that ends, well or not, lets the next one begin")
{
    auto limits = up_to(16);
    limits.max_dials = 2;
    origin_pool pool(limits);
    std::array<pool_waiter, 5> waiters;
    pooled made;
    for (auto& waiter : waiters)
        pool.enqueue(waiter, steady_time());
    REQUIRE(dials(pool, at(0ms)) == 2);
    pool.dialed(made, at(1ms), 50s, 0);
    CHECK(gives(pool.next(at(1ms)), waiters[0], made));
    REQUIRE(dials(pool, at(1ms)) == 1);
    CHECK(pool.dial_failed(steady_time(2ms), 0) == &waiters[1]);
    REQUIRE(dials(pool, at(2ms)) == 1);
    CHECK(pool.waiters() == 3);
    pool.cancel(waiters[2]);
    CHECK(pool.dial_failed(steady_time(3ms), 0) == &waiters[3]);
    REQUIRE(dials(pool, at(3ms)) == 0); // one waits, and has the other dial
}

TEST_CASE("pool 4: where a connection is in use, a waiter gives it a moment to come back before it dials")
{
    auto limits = up_to(2);
    limits.dial_grace = 5ms;
    origin_pool pool(limits);
    pool_waiter first, second;
    pooled used;
    serve(pool, first, used, at(10ms)); // that there is none at all is no reason to wait
    pool.enqueue(second, steady_time(20ms));
    SUBCASE("it does not come back")
    {
        REQUIRE(dials(pool, at(20ms)) == 0);
        CHECK(since_start(pool.wake_at()) == 25ms);
        REQUIRE(dials(pool, at(25ms - 1ns)) == 0);
        REQUIRE(dials(pool, at(25ms)) == 1);
        CHECK(!pool.wake_at());
    }
    SUBCASE("it does")
    {
        REQUIRE(dials(pool, at(20ms)) == 0);
        pool.returned(used, at(24ms), 50s);
        CHECK(gives(pool.next(at(24ms)), second, used));
        REQUIRE(dials(pool, at(1s)) == 0);
        CHECK(!pool.wake_at());
    }
    SUBCASE("it is lost")
    {
        pool.lost();
        CHECK(since_start(pool.wake_at()) == 0ms);
        REQUIRE(dials(pool, at(20ms)) == 1);
    }
    SUBCASE("it would be of no use")
    {
        second.fresh = true;
        REQUIRE(dials(pool, at(20ms)) == 1);
    }
    SUBCASE("it was waited for already")
    {
        REQUIRE(dials(pool, at(20ms)) == 0);
        pool.cancel(second);
        pool.enqueue_front(second);
        REQUIRE(dials(pool, at(25ms - 1ns)) == 0);
        REQUIRE(dials(pool, at(25ms)) == 1);
    }
}

TEST_CASE("pool 4: the moment is each waiter's own")
{
    auto limits = up_to(8);
    limits.dial_grace = 5ms;
    origin_pool pool(limits);
    std::array<pool_waiter, 4> waiters;
    pooled used;
    serve(pool, waiters[0], used, at(0ms));
    pool.enqueue(waiters[1], steady_time(10ms));
    pool.enqueue(waiters[2], steady_time(12ms));
    pool.enqueue(waiters[3], steady_time(19ms));
    REQUIRE(dials(pool, at(15ms)) == 1);
    CHECK(since_start(pool.wake_at()) == 17ms);
    REQUIRE(dials(pool, at(18ms)) == 1);
    CHECK(since_start(pool.wake_at()) == 24ms);
}

TEST_CASE("pool 4: after the moment an idle connection that is of no use makes room for a dial")
{
    auto limits = up_to(2);
    limits.dial_grace = 5ms;
    origin_pool pool(limits);
    pool_waiter first, post;
    pooled old, busy;
    leave_idle(pool, old, at(0ms));
    first.fresh = true;
    serve(pool, first, busy, at(0ms));
    post.idle_limit = 5s;
    pool.enqueue(post, steady_time(10s));
    CHECK(pool.next(at(10s)).what == action::none);
    CHECK(since_start(pool.wake_at()) == 10'005ms);
    CHECK(closes(pool.next(at(10'005ms)), old, close_reason::evicted));
    REQUIRE(dials(pool, at(10'005ms)) == 1);
}

TEST_CASE("pool 9: a waiter takes what comes first; the dial that comes too late becomes idle")
{
    origin_pool pool(up_to(2));
    std::array<pool_waiter, 3> waiters;
    std::array<pooled, 2> connections;
    serve(pool, waiters[0], connections[0], at(0ms));
    pool.enqueue(waiters[1], steady_time());
    REQUIRE(dials(pool, at(0ms)) == 1);
    SUBCASE("the connection")
    {
        pool.returned(connections[0], at(1ms), 50s);
        CHECK(gives(pool.next(at(1ms)), waiters[1], connections[0]));
        pool.dialed(connections[1], at(2ms), 50s, 0);
        CHECK(pool.next(at(2ms)).what == action::none);
        CHECK(pool.idle() == 1);
        CHECK(connections[1].idle);
        CHECK(since_start(pool.wake_at()) <= 50'002ms);
        pool.enqueue(waiters[2], steady_time(3ms));
        CHECK(gives(pool.next(at(3ms)), waiters[2], connections[1]));
    }
    SUBCASE("the dial")
    {
        pool.dialed(connections[1], at(1ms), 50s, 0);
        CHECK(gives(pool.next(at(1ms)), waiters[1], connections[1]));
        pool.returned(connections[0], at(2ms), 50s);
        CHECK(pool.next(at(2ms)).what == action::none);
        CHECK(pool.idle() == 1);
    }
}

TEST_CASE(
    "pool 9: a cancelled waiter leaks no slot while its dial is under way; the next one is served by it (httpcore 1093)"
)
{
    slot_quota quota(4);
    origin_pool pool(up_to(1), &quota);
    pool_waiter gone, next;
    pooled made;
    pool.enqueue(gone, steady_time());
    REQUIRE(dials(pool, at(0ms)) == 1);
    pool.cancel(gone);
    REQUIRE(dials(pool, at(0ms)) == 0);
    CHECK(pool.waiters() == 0);
    CHECK(pool.dialing() == 1);
    SUBCASE("who came meanwhile")
    {
        pool.enqueue(next, steady_time(1ms));
        REQUIRE(dials(pool, at(1ms)) == 0);
        pool.dialed(made, at(2ms), 50s, 0);
        CHECK(gives(pool.next(at(2ms)), next, made));
    }
    SUBCASE("who comes later")
    {
        pool.dialed(made, at(2ms), 50s, 0);
        CHECK(pool.next(at(2ms)).what == action::none);
        pool.enqueue(next, steady_time(3ms));
        CHECK(gives(pool.next(at(3ms)), next, made));
    }
    SUBCASE("it failed")
    {
        CHECK(pool.dial_failed(steady_time(2ms), 0) == nullptr);
        CHECK(quota.used() == 0);
        pool.enqueue(next, steady_time(3ms));
        REQUIRE(dials(pool, at(3ms)) == 1);
    }
    CHECK(quota.used() == 1);
    CHECK(pool.idle() + pool.active() + pool.dialing() == 1);
}

TEST_CASE("pool 10: a failed dial completes the oldest waiter, and the next one has a dial of its own")
{
    origin_pool pool(up_to(1));
    std::array<pool_waiter, 2> waiters;
    for (auto& waiter : waiters)
        pool.enqueue(waiter, steady_time());
    REQUIRE(dials(pool, at(0ms)) == 1);
    CHECK(pool.dial_failed(steady_time(), 0) == &waiters[0]);
    CHECK(!waiters[0].queued);
    REQUIRE(dials(pool, at(0ms)) == 1);
    pool.cancel(waiters[1]);
    CHECK(pool.dial_failed(steady_time(), 0) == nullptr);
    CHECK(pool.dialing() == 0);
    REQUIRE(dials(pool, at(0ms)) == 0);
    CHECK(!pool.wake_at());
}

namespace {

pool_limits backing_off(std::size_t connections)
{
    auto limits = up_to(connections);
    limits.dial_backoff = 100ms;
    limits.longest_dial_backoff = 1s;
    return limits;
}

} // namespace

TEST_CASE("pool 10: after failed dials the next one waits, up to 100 ms doubled by each, up to 1 s")
{
    nanoseconds const most[] = {100ms, 200ms, 400ms, 800ms, 1s, 1s, 1s};
    for (int part = 0; part <= 2; ++part) // of two halves
    {
        CAPTURE(part);
        origin_pool pool(backing_off(1));
        pool_waiter waiter;
        nanoseconds now = 1h;
        for (auto const longest : most)
        {
            auto const pause = longest / 2 * part;
            // What the dice show beyond the longest wait begins at zero again.
            auto const dice = static_cast<std::uint64_t>((pause + 3 * (longest + 1ns)).count());
            pool.enqueue(waiter, steady_time(now));
            REQUIRE(dials(pool, at(now)) == 1);
            REQUIRE(pool.dial_failed(steady_time(now), dice) == &waiter);
            pool.enqueue(waiter, steady_time(now));
            CHECK(since_start(pool.wake_at()) == now + pause);
            if (part > 0)
                REQUIRE(dials(pool, at(now + pause - 1ns)) == 0);
            now += pause;
            pool.cancel(waiter);
        }
    }
}

TEST_CASE("pool 10: dials that fail together count once")
{
    origin_pool pool(backing_off(4));
    std::array<pool_waiter, 9> waiters;
    for (auto& waiter : waiters)
        pool.enqueue(waiter, steady_time());
    REQUIRE(dials(pool, at(0ms)) == 4);
    CHECK(pool.dial_failed(steady_time(10ms), 100'000'000) == &waiters[0]);
    for (auto const next : {1u, 2u, 3u})
        CHECK(pool.dial_failed(steady_time(11ms), never) == &waiters[next]);
    CHECK(since_start(pool.wake_at()) == 110ms);
    REQUIRE(dials(pool, at(110ms - 1ns)) == 0);
    REQUIRE(dials(pool, at(110ms)) == 4);
    pool.dial_failed(steady_time(110ms), 200'000'000);
    CHECK(since_start(pool.wake_at()) == 310ms);
}

TEST_CASE("pool 10: a failed dial also ends waits that are as long as the longest backoff, unless others may serve them"
)
{
    origin_pool pool(backing_off(4));
    std::array<pool_waiter, 6> waiters;
    pooled used;
    auto const begin = [&](std::size_t dialling) {
        for (std::size_t i = 0; i < waiters.size(); ++i)
            pool.enqueue(waiters[i], steady_time(i < 4 ? 0ms : 1ms));
        REQUIRE(dials(pool, at(0ms)) == dialling);
    };
    SUBCASE("while nothing is in use")
    {
        begin(4);
        CHECK(pool.dial_failed(steady_time(1s), 0) == &waiters[0]);
        for (auto const next : {1u, 2u}) // three dials may serve three of them
            CHECK(pool.take_overdue(steady_time(1s)) == &waiters[next]);
        CHECK(pool.take_overdue(steady_time(1s)) == nullptr);
        CHECK(pool.waiters() == 3);
    }
    SUBCASE("as long as it takes")
    {
        begin(4);
        for (auto const next : {0u, 1u, 2u})
            CHECK(pool.dial_failed(steady_time(1s - 1ns), 0) == &waiters[next]);
        CHECK(pool.take_overdue(steady_time(1s - 1ns)) == nullptr);
        CHECK(pool.take_overdue(steady_time(1s)) == &waiters[3]);
        CHECK(pool.take_overdue(steady_time(1s)) == nullptr); // the dial is for one of the two
        CHECK(pool.dial_failed(steady_time(1s), 0) == &waiters[4]);
        CHECK(pool.take_overdue(steady_time(1s)) == nullptr); // it came later
        CHECK(pool.take_overdue(steady_time(1s + 1ms)) == &waiters[5]);
        CHECK(pool.take_overdue(steady_time(1h)) == nullptr); // nobody waits
    }
    SUBCASE("while a connection is in use")
    {
        pool_waiter first;
        serve(pool, first, used, at(0ms));
        begin(3);
        for (auto const next : {0u, 1u, 2u})
        {
            CHECK(pool.dial_failed(steady_time(1s), 0) == &waiters[next]);
            CHECK(pool.take_overdue(steady_time(1s)) == nullptr);
        }
    }
}

TEST_CASE("pool 10: a response ends the backoff, and a dial that succeeds does not")
{
    origin_pool pool(backing_off(3));
    std::array<pool_waiter, 9> waiters;
    pooled made;
    for (auto& waiter : waiters)
        pool.enqueue(waiter, steady_time());
    REQUIRE(dials(pool, at(0ms)) == 3);
    pool.dial_failed(steady_time(), 100'000'000);
    REQUIRE(dials(pool, at(1ms)) == 0);
    pool.dialed(made, at(2ms), 50s, 0);
    CHECK(gives(pool.next(at(2ms)), waiters[1], made));
    REQUIRE(dials(pool, at(2ms)) == 0);
    CHECK(since_start(pool.wake_at()) == 100ms);
    CHECK(pool.responded(made));
    REQUIRE(dials(pool, at(3ms)) == 1);
    pool.dial_failed(steady_time(3ms), 100'000'001); // the first one again: beyond 100 ms is zero
    CHECK(since_start(pool.wake_at()) == 3ms);
    REQUIRE(dials(pool, at(3ms)) == 1);
}

TEST_CASE(
    "pool 10: only the first response of a connection ends the backoff: a server may serve only its present connections"
)
{
    origin_pool pool(backing_off(2));
    std::array<pool_waiter, 2> waiters;
    pooled used;
    serve(pool, waiters[0], used, at(0ms));
    CHECK(pool.responded(used));
    pool.enqueue(waiters[1], steady_time());
    REQUIRE(dials(pool, at(0ms)) == 1);
    CHECK(pool.dial_failed(steady_time(), 100'000'000) == &waiters[1]);
    CHECK(!pool.responded(used));
    pool.enqueue(waiters[1], steady_time(1ms));
    REQUIRE(dials(pool, at(1ms)) == 0);
    CHECK(since_start(pool.wake_at()) == 100ms);
}

TEST_CASE("pool 10: a connection that its peer ends before a response counts as a failed dial, in every state")
{
    nanoseconds const most[] = {100ms, 200ms, 400ms, 800ms, 1s, 1s, 1s};
    enum class end { when_granted, in_use, idle, dial };
    constexpr end always[] = {end::when_granted, end::in_use, end::idle};
    for (auto const how : always)
        for (bool const takes_turns_with_dials : {false, true})
        {
            CAPTURE(static_cast<int>(how));
            CAPTURE(takes_turns_with_dials);
            origin_pool pool(backing_off(1));
            nanoseconds now = 1h;
            bool turn = false;
            for (auto const longest : most)
            {
                pooled made;
                pool_waiter waiter;
                pool.enqueue(waiter, steady_time(now));
                REQUIRE(dials(pool, at(now)) == 1);
                turn = takes_turns_with_dials && !turn;
                auto const dice = static_cast<std::uint64_t>(longest.count());
                if (how == end::idle)
                    pool.cancel(waiter);
                if (turn)
                    pool.dial_failed(steady_time(now), dice);
                else
                {
                    pool.dialed(made, at(now), 50s, 0);
                    if (how == end::idle)
                        CHECK(pool.lost_idle(made, steady_time(now), dice));
                    else
                    {
                        REQUIRE(gives(pool.next(at(now)), waiter, made));
                        if (how == end::when_granted)
                            CHECK(pool.found_dead(made, waiter, steady_time(now), dice));
                        else
                        {
                            ++made.requests;
                            CHECK(pool.cut_off(made, steady_time(now), dice));
                        }
                    }
                }
                CHECK(!waiter.queued);
                CHECK(pool.idle() + pool.active() + pool.dialing() == 0);
                pool.enqueue(waiter, steady_time(now));
                CHECK(since_start(pool.wake_at()) == now + longest);
                pool.cancel(waiter);
                now += longest;
            }
        }
}

TEST_CASE("pool 10: new connections that their peer ends together count once, together with concurrent failed dials")
{
    origin_pool pool(backing_off(4));
    std::array<pool_waiter, 9> waiters;
    std::array<pooled, 3> made;
    for (auto& waiter : waiters)
        pool.enqueue(waiter, steady_time());
    REQUIRE(dials(pool, at(0ms)) == 4);
    for (auto& connection : made)
        pool.dialed(connection, at(10ms), 50s, 0);
    for (std::size_t i = 0; i < 3; ++i)
        REQUIRE(gives(pool.next(at(10ms)), waiters[i], made[2 - i]));
    CHECK(pool.found_dead(made[2], waiters[0], steady_time(11ms), 100'000'000));
    CHECK(pool.found_dead(made[1], waiters[1], steady_time(12ms), never));
    CHECK(pool.cut_off(made[0], steady_time(13ms), never));
    CHECK(pool.dial_failed(steady_time(14ms), never) == &waiters[3]);
    REQUIRE(dials(pool, at(111ms - 1ns)) == 0);
    REQUIRE(dials(pool, at(111ms)) == 4);
    pool.dial_failed(steady_time(111ms), 200'000'000);
    CHECK(since_start(pool.wake_at()) == 311ms);
}

TEST_CASE("pool 10: the end of a connection is not a failed dial after a response, or after the longest backoff")
{
    origin_pool pool(backing_off(2));
    pool_waiter waiter, next;
    pooled connection;
    serve(pool, waiter, connection, at(0ms));
    nanoseconds now = 1ms;
    SUBCASE("it has responded, and is cut off")
    {
        pool.responded(connection);
        CHECK(!pool.cut_off(connection, steady_time(now), never));
    }
    SUBCASE("it has responded, and is idle")
    {
        pool.responded(connection);
        pool.returned(connection, at(0ms), 50s);
        CHECK(!pool.lost_idle(connection, steady_time(now), never));
    }
    SUBCASE("it has lived for 1 s")
    {
        now = 1s;
        CHECK(!pool.cut_off(connection, steady_time(now), never));
    }
    SUBCASE("it was closed here")
    {
        pool.lost();
    }
    CHECK(pool.dials_from() <= steady_time(now));
    pool.enqueue(next, steady_time(now));
    REQUIRE(dials(pool, at(now)) == 1);
}

TEST_CASE(
    "pool 10: a dead connection fails its waiter if it was dialled meanwhile; else the waiter is at the front again"
)
{
    origin_pool pool(backing_off(1));
    pool_waiter waiter, behind;
    pooled connection;
    bool its_own = false;
    SUBCASE("it was idle, and has served")
    {
        leave_idle(pool, connection, at(0ms));
    }
    SUBCASE("it was idle, and new")
    {
        pool.warm_up(1);
        REQUIRE(dials(pool, at(0ms)) == 1);
        pool.dialed(connection, at(0ms), 50s, 0);
    }
    SUBCASE("it was dialled meanwhile")
    {
        its_own = true;
    }
    pool.enqueue(waiter, steady_time(1ms));
    pool.enqueue(behind, steady_time(2ms));
    if (its_own)
    {
        REQUIRE(dials(pool, at(2ms)) == 1);
        pool.dialed(connection, at(3ms), 50s, 0);
    }
    REQUIRE(gives(pool.next(at(3ms)), waiter, connection));
    CHECK(pool.found_dead(connection, waiter, steady_time(3ms), 0) == its_own);
    CHECK(pool.active() + pool.idle() == 0);
    CHECK(waiter.queued == !its_own);
    CHECK(pool.waiters() == (its_own ? 1 : 2));
    CHECK(pool.take_waiter() == (its_own ? &behind : &waiter));
    CHECK(waiter.since == steady_time(1ms));
}

TEST_CASE("pool 23: a warm-up ends if the server closes its connections")
{
    auto limits = backing_off(16);
    limits.max_dials = 2;
    origin_pool pool(limits);
    std::array<pooled, 2> made;
    pool.warm_up(16);
    REQUIRE(dials(pool, at(0ms)) == 2);
    for (auto& connection : made)
        pool.dialed(connection, at(1ms), 50s, 0);
    REQUIRE(dials(pool, at(1ms)) == 2);
    for (auto& connection : made)
        CHECK(pool.lost_idle(connection, steady_time(2ms), 0));
    for (int i = 0; i < 2; ++i)
        pool.dial_abandoned();
    REQUIRE(dials(pool, at(1h)) == 0);
}

TEST_CASE("pool 10: a connection that comes back during the backoff serves who waits")
{
    origin_pool pool(backing_off(2));
    std::array<pool_waiter, 3> waiters;
    pooled used;
    serve(pool, waiters[0], used, at(0ms));
    pool.enqueue(waiters[1], steady_time());
    pool.enqueue(waiters[2], steady_time());
    REQUIRE(dials(pool, at(0ms)) == 1);
    CHECK(pool.dial_failed(steady_time(), 100'000'000) == &waiters[1]);
    pool.returned(used, at(1ms), 50s);
    CHECK(gives(pool.next(at(1ms)), waiters[2], used));
    CHECK(!pool.wake_at());
}

TEST_CASE("pool 10: waiters behind a full pool whose dials all fail are served later (Go 32336)")
{
    slot_quota quota(2);
    auto limits = backing_off(2);
    limits.dial_grace = 5ms;
    origin_pool pool(limits, &quota);
    std::array<pool_waiter, 6> waiters;
    for (auto& waiter : waiters)
        pool.enqueue(waiter, steady_time());
    nanoseconds now = 0s;
    for (std::size_t failed = 0; failed < 4; failed += 2)
    {
        REQUIRE(dials(pool, at(now)) == 2);
        CHECK(pool.dial_failed(steady_time(now), never) == &waiters[failed]);
        CHECK(pool.dial_failed(steady_time(now), never) == &waiters[failed + 1]);
        CHECK(quota.used() == 0);
        REQUIRE(dials(pool, at(now)) == 0);
        REQUIRE(pool.wake_at());
        CHECK(*pool.wake_at() > steady_time(now));
        now = since_start(pool.wake_at());
    }
    REQUIRE(dials(pool, at(now)) == 2);
    std::array<pooled, 2> made;
    for (auto& connection : made)
        pool.dialed(connection, at(now), 50s, 0);
    CHECK(gives(pool.next(at(now)), waiters[4], made[1]));
    CHECK(gives(pool.next(at(now)), waiters[5], made[0]));
}

// Reuse

TEST_CASE("C1, pool 5: idle connections are reused last in, first out")
{
    origin_pool pool(up_to(3));
    std::array<pool_waiter, 3> waiters;
    std::array<pooled, 3> connections;
    for (std::size_t i = 0; i < 3; ++i)
        serve(pool, waiters[i], connections[i], at(0ms));
    for (auto const back : {1u, 0u, 2u})
        pool.returned(connections[back], at(1ms), 50s);
    for (auto const next : {2u, 0u, 1u})
    {
        pool.enqueue(waiters[0], steady_time(2ms));
        CHECK(gives(pool.next(at(2ms)), waiters[0], connections[next]));
    }
}

TEST_CASE("pool 5: a connection that was idle for as long as it is kept is closed and given to nobody")
{
    origin_pool pool(up_to(1));
    pool_waiter second;
    pooled used;
    leave_idle(pool, used, at(1s), 20s);
    CHECK(since_start(pool.wake_at()) == 21s);
    CHECK(pool.next(at(21s - 1ns)).what == action::none);
    CHECK(pool.idle() == 1);
    SUBCASE("nobody waits")
    {
        CHECK(closes(pool.next(at(21s)), used, close_reason::idle_timeout));
        CHECK(pool.next(at(21s)).what == action::none);
        CHECK(pool.idle() == 0);
        CHECK(!pool.wake_at());
    }
    SUBCASE("somebody does")
    {
        pool.enqueue(second, steady_time(21s));
        CHECK(closes(pool.next(at(21s)), used, close_reason::idle_timeout));
        REQUIRE(dials(pool, at(21s)) == 1);
    }
}

TEST_CASE("pool 5: each use begins the idle time anew, by what the server said this time")
{
    origin_pool pool(up_to(2));
    std::array<pooled, 2> connections;
    pool_waiter waiter;
    leave_idle(pool, connections[0], at(0s), 50s);
    waiter.fresh = true;
    serve(pool, waiter, connections[1], at(0s));
    pool.returned(connections[1], at(0s), 8s);
    waiter.fresh = false;
    pool.enqueue(waiter, steady_time(6s));
    CHECK(gives(pool.next(at(6s)), waiter, connections[1]));
    pool.returned(connections[1], at(9s), 4s);
    CHECK(since_start(pool.wake_at()) <= 13s);
    CHECK(pool.next(at(13s - 1ns)).what == action::none);
    CHECK(since_start(pool.wake_at()) == 13s);
    CHECK(closes(pool.next(at(13s)), connections[1], close_reason::idle_timeout));
    CHECK(pool.next(at(13s)).what == action::none);
    CHECK(since_start(pool.wake_at()) == 50s);
}

TEST_CASE("pool 5: several that expire together are all closed")
{
    origin_pool pool(up_to(3));
    std::array<pool_waiter, 3> waiters;
    std::array<pooled, 3> connections;
    for (std::size_t i = 0; i < 3; ++i)
        serve(pool, waiters[i], connections[i], at(0ms));
    for (auto& connection : connections)
        pool.returned(connection, at(0ms), 10s);
    for (int left = 2; left >= 0; --left)
    {
        CHECK(pool.next(at(10s)).what == action::close);
        CHECK(pool.idle() == static_cast<std::size_t>(left));
    }
    CHECK(pool.next(at(10s)).what == action::none);
}

TEST_CASE("pool 5: a new connection is for whoever waits, even where none is kept")
{
    origin_pool pool(up_to(1));
    pool_waiter waiter;
    pooled made;
    pool.enqueue(waiter, steady_time());
    REQUIRE(dials(pool, at(0ms)) == 1);
    SUBCASE("it serves once")
    {
        pool.dialed(made, at(1ms), 0s, 0);
        CHECK(gives(pool.next(at(1ms)), waiter, made));
        ++made.requests;
        pool.returned(made, at(2ms), 0s);
        pool.enqueue(waiter, steady_time(2ms));
        CHECK(closes(pool.next(at(2ms)), made, close_reason::idle_timeout));
    }
    SUBCASE("nobody waits any more")
    {
        pool.cancel(waiter);
        pool.dialed(made, at(1ms), 0s, 0);
        CHECK(closes(pool.next(at(1ms)), made, close_reason::idle_timeout));
    }
}

TEST_CASE("pool 5: connections that a machine slept through are closed, and given to nobody")
{
    origin_pool pool(up_to(2));
    pool_waiter waiter;
    pooled used;
    leave_idle(pool, used, at(0s));
    CHECK(pool.next(at(10s)).what == action::none);
    SUBCASE("for too long")
    {
        CHECK(closes(pool.next(at(10s, 40s)), used, close_reason::idle_timeout));
    }
    SUBCASE("for too long, and somebody waits")
    {
        pool.enqueue(waiter, steady_time(10s));
        CHECK(closes(pool.next(at(10s, 40s)), used, close_reason::idle_timeout));
        REQUIRE(dials(pool, at(10s, 40s)) == 1);
    }
    SUBCASE("not for long")
    {
        CHECK(pool.next(at(10s, 40s - 1ns)).what == action::none);
        pool.enqueue(waiter, steady_time(10s));
        CHECK(gives(pool.next(at(10s, 40s - 1ns)), waiter, used));
    }
    SUBCASE("in the course of the last wake-up")
    {
        CHECK(pool.next(at(10s, 30s)).what == action::none);
        CHECK(pool.next(at(20s - 1ns, 30s)).what == action::none);
        CHECK(since_start(pool.wake_at()) == 50s);
        CHECK(closes(pool.next(at(20s, 31s)), used, close_reason::idle_timeout));
    }
}

TEST_CASE("pool 5: a clock that is set right closes nothing")
{
    for (nanoseconds const step : std::array<nanoseconds, 6>{-1h, -1s, -999ms, 1ms, 999ms, 1s - 1ns})
    {
        CAPTURE(step);
        origin_pool pool(up_to(1));
        pooled used;
        leave_idle(pool, used, at(0s));
        CHECK(pool.next(at(49'999ms)).what == action::none);
        CHECK(pool.next(at(49'999ms, step)).what == action::none);
        CHECK(since_start(pool.wake_at()) == 50s);
        CHECK(closes(pool.next(at(50s, step)), used, close_reason::idle_timeout));
    }
    origin_pool pool(up_to(1));
    pooled used;
    leave_idle(pool, used, at(0s));
    for (auto const by : {0ms, 600ms, 1200ms, 600ms, -600ms, 300ms})
        CHECK(pool.next(at(49'999ms, by)).what == action::none);
    CHECK(closes(pool.next(at(49'999ms, 1300ms)), used, close_reason::idle_timeout)); // it was asleep
}

TEST_CASE("C2: a waiter takes no connection that was idle for longer than it likes")
{
    for (auto const idle : {5000ms, 5001ms})
        for (bool const another_waits : {false, true})
            for (bool const asleep : {false, true})
            {
                CAPTURE(idle);
                CAPTURE(another_waits);
                CAPTURE(asleep);
                auto const then = asleep ? at(1ms, idle - 1ms) : at(idle);
                origin_pool pool(up_to(1));
                pool_waiter post, get;
                pooled used;
                post.idle_limit = 5s;
                leave_idle(pool, used, at(0ms));
                pool.enqueue(post, then.steady);
                if (another_waits)
                    pool.enqueue(get, then.steady);
                auto const step = pool.next(then);
                if (idle == 5000ms)
                    CHECK(gives(step, post, used));
                else if (another_waits)
                    CHECK(gives(step, get, used));
                else
                    CHECK(closes(step, used, close_reason::evicted));
            }
}

TEST_CASE("C2: a waiter takes an older connection where the newest is not for it")
{
    origin_pool pool(up_to(2));
    pool_waiter first, fresh;
    pooled spare, used;
    serve(pool, first, used, at(0ms));
    pool.enqueue(first, steady_time());
    REQUIRE(dials(pool, at(0ms)) == 1);
    pool.cancel(first);
    pool.dialed(spare, at(1ms), 50s, 0);
    pool.returned(used, at(2ms), 50s);
    fresh.fresh = true;
    pool.enqueue(fresh, steady_time(3ms));
    CHECK(gives(pool.next(at(3ms)), fresh, spare));
}

TEST_CASE("C2: a grant that was not used leaves the connection as old as it was")
{
    origin_pool pool(up_to(2));
    pool_waiter one, post;
    pooled connection;
    leave_idle(pool, connection, at(0ms));
    pool.enqueue(one, steady_time(30s));
    REQUIRE(gives(pool.next(at(30s)), one, connection));
    pool.ungranted(connection);
    CHECK(pool.active() == 0);
    CHECK(pool.idle() == 1);
    CHECK(connection.idle_since == steady_time());
    CHECK(since_start(pool.wake_at()) <= 50s);
    SUBCASE("it is too old for a POST")
    {
        post.idle_limit = 5s;
        pool.enqueue(post, steady_time(30s));
        REQUIRE(dials(pool, at(30s)) == 1);
    }
    SUBCASE("it expires when it would have")
    {
        CHECK(pool.next(at(50s - 1ns)).what == action::none);
        CHECK(closes(pool.next(at(50s)), connection, close_reason::idle_timeout));
    }
}

TEST_CASE("pool 5: a grant that was not used until too late is worth nothing")
{
    origin_pool pool(up_to(1));
    pool_waiter one, two;
    pooled connection;
    leave_idle(pool, connection, at(0s));
    pool.enqueue(one, steady_time(49s));
    REQUIRE(gives(pool.next(at(49s)), one, connection));
    SUBCASE("it expired")
    {
        pool.enqueue(two, steady_time(50s));
        pool.ungranted(connection);
        CHECK(closes(pool.next(at(50s)), connection, close_reason::idle_timeout));
    }
    SUBCASE("it was poisoned")
    {
        pool.enqueue(two, steady_time(49s));
        pool.poison(connection);
        REQUIRE(dials(pool, at(49s)) == 0);
        pool.ungranted(connection);
        CHECK(closes(pool.next(at(49s)), connection, close_reason::poisoned));
    }
    SUBCASE("it is of yesterday")
    {
        pool.enqueue(two, steady_time(49s));
        pool.retire_all();
        REQUIRE(dials(pool, at(49s)) == 0);
        pool.ungranted(connection);
        CHECK(closes(pool.next(at(49s)), connection, close_reason::superseded));
    }
    REQUIRE(dials(pool, at(50s)) == 1);
}

// Wear

TEST_CASE("pool 6: a lifetime is shortened by up to a fifth")
{
    auto limits = up_to(1);
    limits.max_lifetime = 600s;
    struct
    {
        std::uint64_t dice;
        nanoseconds life;
    } const rows[] = {
        {0, 600s}, {1, 600s - 1ns}, {60'000'000'000, 540s}, {120'000'000'000, 480s}, {120'000'000'001, 600s},
    };
    for (auto const& row : rows)
    {
        CAPTURE(row.dice);
        origin_pool pool(limits);
        pooled made;
        pool.warm_up(1);
        REQUIRE(dials(pool, at(7s)) == 1);
        pool.dialed(made, at(7s), 1h, row.dice);
        CHECK(made.made == steady_time(7s));
        CHECK(since_start(pool.wake_at()) == 7s + row.life);
        CHECK(pool.next(at(7s + row.life - 1ns)).what == action::none);
        CHECK(closes(pool.next(at(7s + row.life)), made, close_reason::lifetime));
    }
}

TEST_CASE("pool 6: a lifetime that ends during a request ends the connection after it")
{
    auto limits = up_to(1);
    limits.max_lifetime = 600s;
    origin_pool pool(limits);
    pool_waiter waiter;
    pooled used;
    serve(pool, waiter, used, at(0s));
    CHECK(pool.next(at(1h)).what == action::none);
    CHECK(!pool.wake_at());
    SUBCASE("in time")
    {
        CHECK(pool.returned(used, at(600s - 1ns), 50s) == std::nullopt);
        CHECK(since_start(pool.wake_at()) == 600s);
        pool.enqueue(waiter, steady_time(600s));
        CHECK(closes(pool.next(at(600s)), used, close_reason::lifetime)); // and is given to nobody
    }
    SUBCASE("too late")
    {
        CHECK(pool.returned(used, at(600s), 50s) == close_reason::lifetime);
    }
    CHECK(pool.active() == 0);
    CHECK(pool.idle() == 0);
}

TEST_CASE("pool 6: without a lifetime a connection lives for as long as it is used")
{
    origin_pool pool(up_to(1));
    pool_waiter waiter;
    pooled used;
    serve(pool, waiter, used, at(0s));
    CHECK(pool.returned(used, at(24h * 365), 50s) == std::nullopt);
    pool.enqueue(waiter, steady_time(24h * 365));
    CHECK(gives(pool.next(at(24h * 365)), waiter, used));
}

TEST_CASE("pool 6: a connection serves so many requests and no more")
{
    slot_quota quota(0);
    auto limits = up_to(1);
    limits.max_requests = 2;
    origin_pool pool(limits, &quota);
    pool_waiter waiter;
    pooled used;
    leave_idle(pool, used, at(0s));
    pool.enqueue(waiter, steady_time());
    REQUIRE(gives(pool.next(at(0s)), waiter, used));
    SUBCASE("the second one was sent")
    {
        ++used.requests;
        CHECK(pool.returned(used, at(0s), 50s) == close_reason::max_requests);
        CHECK(!used.idle);
        CHECK(pool.idle() == 0);
        CHECK(pool.active() == 0);
        CHECK(quota.used() == 0);
    }
    SUBCASE("it was not")
    {
        pool.ungranted(used);
        CHECK(pool.next(at(0s)).what == action::none);
        CHECK(pool.idle() == 1);
    }
}

TEST_CASE("pool 7: a poisoned connection takes no further request")
{
    origin_pool pool(up_to(2));
    pool_waiter first, second;
    pooled one, two;
    serve(pool, first, one, at(0ms));
    serve(pool, second, two, at(0ms));
    SUBCASE("it is in use")
    {
        pool.poison(one);
        CHECK(pool.next(at(0ms)).what == action::none);
        CHECK(pool.active() == 2);
        CHECK(pool.returned(one, at(0ms), 50s) == close_reason::poisoned);
        CHECK(pool.active() == 1);
    }
    SUBCASE("it is idle")
    {
        pool.returned(two, at(0ms), 50s);
        pool.returned(one, at(0ms), 50s);
        pool.poison(one);
        pool.enqueue(first, steady_time());
        CHECK(gives(pool.next(at(0ms)), first, two));
        CHECK(closes(pool.next(at(0ms)), one, close_reason::poisoned));
        CHECK(pool.next(at(0ms)).what == action::none);
    }
}

TEST_CASE("pool 23: after a change of network no connection of before takes a further request")
{
    origin_pool pool(up_to(4));
    std::array<pool_waiter, 3> waiters;
    pooled idle, active, made;
    serve(pool, waiters[0], active, at(0ms));
    leave_idle(pool, idle, at(0ms));
    waiters[1].fresh = true;
    pool.enqueue(waiters[1], steady_time());
    REQUIRE(dials(pool, at(0ms)) == 1);
    made.epoch = pool.epoch();
    pool.retire_all();
    CHECK(pool.epoch() != made.epoch);

    CHECK(closes(pool.next(at(1ms)), idle, close_reason::superseded));
    CHECK(pool.next(at(1ms)).what == action::none);
    CHECK(pool.returned(active, at(1ms), 50s) == close_reason::superseded);
    pool.dialed(made, at(2ms), 50s, 0); // too late: who waits for it has another one dialled
    CHECK(closes(pool.next(at(2ms)), made, close_reason::superseded));
    REQUIRE(dials(pool, at(2ms)) == 1);
    pooled later;
    later.epoch = pool.epoch();
    pool.dialed(later, at(3ms), 50s, 0);
    CHECK(gives(pool.next(at(3ms)), waiters[1], later));
    CHECK(pool.returned(later, at(4ms), 50s) == std::nullopt);
    CHECK(pool.next(at(4ms)).what == action::none);
    CHECK(pool.idle() == 1);
}

TEST_CASE("pool 23: a dial that is given up is nobody's failure; who waits has another one at once")
{
    slot_quota quota(0);
    origin_pool pool(backing_off(1), &quota);
    pool_waiter waiter;
    pool.enqueue(waiter, steady_time());
    REQUIRE(dials(pool, at(0ms)) == 1);
    pool.dial_abandoned();
    CHECK(quota.used() == 0);
    CHECK(pool.dialing() == 0);
    CHECK(waiter.queued);
    REQUIRE(dials(pool, at(0ms)) == 1);
    CHECK(pool.dial_failed(steady_time(), 100'000'001) == &waiter); // the first one
    CHECK(!pool.wake_at());
    pool.enqueue(waiter, steady_time());
    REQUIRE(dials(pool, at(0ms)) == 1);
}

TEST_CASE("pool 23: after a change of network dials that failed before count no more")
{
    origin_pool pool(backing_off(1));
    pool_waiter waiter;
    pool.enqueue(waiter, steady_time());
    REQUIRE(dials(pool, at(0ms)) == 1);
    CHECK(pool.dial_failed(steady_time(), 100'000'000) == &waiter);
    CHECK(since_start(pool.dials_from()) == 100ms);
    pool.enqueue(waiter, steady_time());
    REQUIRE(dials(pool, at(0ms)) == 0);
    pool.retire_all();
    CHECK(since_start(pool.dials_from()) == 0ms);
    REQUIRE(dials(pool, at(0ms)) == 1);
    pool.dial_failed(steady_time(), 100'000'001); // the first one again: beyond 100 ms is zero
    CHECK(since_start(pool.dials_from()) == 0ms);
}

TEST_CASE("pool 11: an idle connection that its peer closed is gone")
{
    slot_quota quota(0);
    origin_pool pool(up_to(3), &quota);
    std::array<pool_waiter, 3> waiters;
    std::array<pooled, 3> connections;
    for (std::size_t i = 0; i < 3; ++i)
        serve(pool, waiters[i], connections[i], at(0ms));
    for (auto& connection : connections)
        pool.returned(connection, at(0ms), 50s);
    CHECK(!pool.lost_idle(connections[1], steady_time(), never));
    CHECK(!connections[1].idle);
    CHECK(pool.idle() == 2);
    CHECK(quota.used() == 2);
    CHECK(pool.take_idle() == &connections[2]);
    CHECK(pool.take_idle() == &connections[0]);
    CHECK(pool.take_idle() == nullptr);
    CHECK(quota.used() == 0);
    CHECK(pool.next(at(50s)).what == action::none);
    CHECK(!pool.wake_at());
}

// The line

TEST_CASE("pool 8: waiters are served in order of arrival")
{
    origin_pool pool(up_to(1));
    std::array<pool_waiter, 4> waiters;
    pooled only;
    serve(pool, waiters[0], only, at(0ms));
    for (std::size_t i = 1; i < waiters.size(); ++i)
        pool.enqueue(waiters[i], steady_time());
    CHECK(pool.next(at(0ms)).what == action::none);
    CHECK(pool.waiters() == 3);
    pool.cancel(waiters[2]);
    for (auto const next : {1u, 3u})
    {
        pool.returned(only, at(1ms), 50s);
        CHECK(gives(pool.next(at(1ms)), waiters[next], only));
    }
    CHECK(pool.waiters() == 0);
    CHECK(pool.next(at(1ms)).what == action::none);
}

TEST_CASE("pool 8: who comes just after a connection does not overtake who waited for it")
{
    origin_pool pool(up_to(1));
    std::array<pool_waiter, 3> waiters;
    pooled only;
    serve(pool, waiters[0], only, at(0ms));
    pool.enqueue(waiters[1], steady_time());
    pool.returned(only, at(1ms), 50s);
    pool.enqueue(waiters[2], steady_time(1ms));
    CHECK(gives(pool.next(at(1ms)), waiters[1], only));
    CHECK(pool.next(at(1ms)).what == action::none);
}

TEST_CASE("pool 8: a waiter cancelled after it was granted a connection passes it on (Boost.MySQL 509)")
{
    origin_pool pool(up_to(1));
    std::array<pool_waiter, 3> waiters;
    pooled only;
    serve(pool, waiters[0], only, at(0ms));
    pool.enqueue(waiters[1], steady_time());
    pool.enqueue(waiters[2], steady_time());
    pool.returned(only, at(1ms), 50s);
    REQUIRE(gives(pool.next(at(1ms)), waiters[1], only));
    pool.cancel(waiters[1]); // it is in no line
    CHECK(pool.waiters() == 1);
    SUBCASE("as it is")
    {
        pool.ungranted(only);
        CHECK(gives(pool.next(at(1ms)), waiters[2], only));
        CHECK(pool.active() == 1);
    }
    SUBCASE("dead")
    {
        pool.lost();
        REQUIRE(dials(pool, at(1ms)) == 1);
    }
    CHECK(pool.idle() + pool.active() + pool.dialing() == 1);
}

TEST_CASE("pool 8: a waiter whose connection was dead keeps its place in the line")
{
    origin_pool pool(up_to(1));
    pool_waiter first, second;
    pooled dead, made;
    serve(pool, first, dead, at(0ms));
    pool.enqueue(second, steady_time());
    pool.enqueue_front(first);
    pool.lost();
    REQUIRE(dials(pool, at(1ms)) == 1);
    pool.dialed(made, at(1ms), 50s, 0);
    CHECK(gives(pool.next(at(1ms)), first, made));
    CHECK(pool.waiters() == 1);
    CHECK(pool.take_waiter() == &second);
    CHECK(!second.queued);
    CHECK(pool.take_waiter() == nullptr);
}

TEST_CASE("pool 8: cancelling twice, or what is in no line, does nothing")
{
    origin_pool pool(up_to(1));
    pool_waiter waiter, other, third;
    pool.cancel(waiter);
    pool.enqueue(waiter, steady_time());
    pool.enqueue(other, steady_time());
    pool.cancel(waiter);
    pool.cancel(waiter);
    CHECK(pool.waiters() == 1);
    pool.enqueue(waiter, steady_time());
    pool.enqueue_front(third);
    pool.cancel(other);
    CHECK(pool.waiters() == 2);
    CHECK(pool.take_waiter() == &third);
    CHECK(pool.take_waiter() == &waiter);
    CHECK(pool.take_waiter() == nullptr);
    CHECK(pool.waiters() == 0);
    pool.enqueue_front(other);
    pool.enqueue(third, steady_time());
    CHECK(pool.take_waiter() == &other);
    CHECK(pool.take_waiter() == &third);
}

// Warm-up

TEST_CASE("pool 23: a warm-up dials what is missing, a few at a time, and ends")
{
    auto limits = up_to(8);
    limits.max_dials = 2;
    slot_quota quota(0);
    origin_pool pool(limits, &quota);
    std::array<pooled, 4> connections;
    leave_idle(pool, connections[0], at(0ms));
    pool.warm_up(4);
    CHECK(since_start(pool.wake_at()) == 0ms);
    REQUIRE(dials(pool, at(0ms)) == 2);
    pool.dialed(connections[1], at(1ms), 50s, 0);
    REQUIRE(dials(pool, at(1ms)) == 1);
    for (auto const made : {2u, 3u})
        pool.dialed(connections[made], at(2ms), 50s, 0);
    REQUIRE(dials(pool, at(2ms)) == 0);
    CHECK(pool.idle() == 4);
    pool.lost_idle(connections[2], steady_time(3ms), never);
    REQUIRE(dials(pool, at(3ms)) == 0);
}

TEST_CASE("pool 23: a warm-up stays within the cap and the quota, and does not wait for room")
{
    SUBCASE("cap")
    {
        origin_pool pool(up_to(3));
        pool.warm_up(9);
        REQUIRE(dials(pool, at(0ms)) == 3);
    }
    SUBCASE("quota")
    {
        slot_quota quota(4);
        origin_pool pool(up_to(9), &quota), other(up_to(9), &quota);
        pool_waiter waiter;
        pooled used, made;
        serve(other, waiter, used, at(0ms));
        pool.warm_up(9);
        REQUIRE(dials(pool, at(0ms)) == 3);
        CHECK(!pool.wake_at());
        other.lost();
        REQUIRE(dials(pool, at(1h)) == 0);
        pool.enqueue(waiter, steady_time(1h));
        pool.dialed(made, at(1h), 50s, 0);
        CHECK(gives(pool.next(at(1h)), waiter, made));
    }
}

TEST_CASE("pool 23: a warm-up does not make up for dials that fail, nor for connections that go")
{
    auto limits = up_to(8);
    limits.max_dials = 1;
    SUBCASE("dials that fail")
    {
        origin_pool pool(limits);
        pool.warm_up(3);
        REQUIRE(dials(pool, at(0ms)) == 1);
        CHECK(pool.dial_failed(steady_time(), 0) == nullptr);
        REQUIRE(dials(pool, at(1h)) == 0);
    }
    SUBCASE("connections that expire at once")
    {
        origin_pool pool(limits);
        std::array<pooled, 3> connections;
        pool.warm_up(3);
        for (auto& connection : connections)
        {
            REQUIRE(pool.next(at(0ms)).what == action::dial);
            pool.dialed(connection, at(0ms), 0s, 0);
            CHECK(closes(pool.next(at(0ms)), connection, close_reason::idle_timeout));
        }
        REQUIRE(dials(pool, at(1h)) == 0);
    }
    SUBCASE("connections that are too many")
    {
        limits.max_idle = 1;
        origin_pool pool(limits);
        std::array<pooled, 3> connections;
        pool.warm_up(3);
        for (std::size_t i = 0; i < 3; ++i)
        {
            REQUIRE(pool.next(at(0ms)).what == action::dial);
            pool.dialed(connections[i], at(0ms), 50s, 0);
            if (i > 0)
                CHECK(closes(pool.next(at(0ms)), connections[i - 1], close_reason::evicted));
        }
        REQUIRE(dials(pool, at(0ms)) == 0);
    }
    SUBCASE("connections that were there already")
    {
        origin_pool pool(limits);
        pooled connection;
        leave_idle(pool, connection, at(0ms));
        pool.warm_up(1);
        REQUIRE(dials(pool, at(0ms)) == 0);
        pool.lost_idle(connection, steady_time(), never);
        REQUIRE(dials(pool, at(0ms)) == 0);
        CHECK(!pool.wake_at());
    }
}

TEST_CASE("pool 5, pool 6: what is shortened keeps at least all but its part, and its dice are fair at both ends")
{
    struct
    {
        nanoseconds whole;
        unsigned part;
        std::uint64_t dice;
        nanoseconds left;
    } const rows[] = {
        {50s, 10, 0, 50s},     {50s, 10, 1, 50s - 1ns}, {50s, 10, 5'000'000'000, 45s}, {50s, 10, 5'000'000'001, 50s},
        {9ns, 10, 12345, 9ns}, {0s, 10, 12345, 0s},     {-3s, 10, 12345, -3s},
    };
    for (auto const& row : rows)
    {
        CAPTURE(row.whole);
        CAPTURE(row.dice);
        CHECK(shortened(row.whole, row.part, row.dice) == row.left);
    }
    for (auto const dice : {std::uint64_t{never}, std::uint64_t{never} * 2 + 1})
    {
        CHECK(shortened(50s, 5, dice) >= 40s);
        CHECK(shortened(50s, 5, dice) <= 50s);
    }
}
TEST_CASE("pool 10: a full quota does not hide that dials fail")
{
    slot_quota quota(1);
    origin_pool pool(backing_off(2), &quota);
    pool_waiter elsewhere;
    pooled theirs;
    origin_pool other(up_to(1), &quota);
    serve(other, elsewhere, theirs, at(0s));
    std::array<pool_waiter, 8> waiters;
    for (auto& waiter : waiters)
        pool.enqueue(waiter, steady_time());
    nanoseconds now = 0s;
    for (nanoseconds const pause : {100ms, 200ms, 400ms, 800ms})
    {
        REQUIRE(dials(pool, at(now)) == 1);
        now += 1ms;
        pool.dial_failed(steady_time(now), static_cast<std::uint64_t>(pause.count()));
        REQUIRE(dials(pool, at(now)) == 0);
        CHECK(since_start(pool.wake_at()) == now + pause);
        now += pause;
    }
}

TEST_CASE("pool 8: nor is it for a full quota that was asked before")
{
    slot_quota quota(1);
    origin_pool pool(up_to(2), &quota);
    pool_waiter first, fresh, other;
    pooled used;
    serve(pool, first, used, at(0ms));
    fresh.fresh = true;
    pool.enqueue(fresh, steady_time());
    REQUIRE(dials(pool, at(0ms)) == 0);
    pool.enqueue(other, steady_time());
    pool.returned(used, at(1ms), 50s);
    CHECK(closes(pool.next(at(1ms)), used, close_reason::evicted));
    REQUIRE(dials(pool, at(1ms)) == 1);
}
