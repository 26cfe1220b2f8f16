#include "core/pool.hpp"

#include "printers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <string_view>
#include <vector>

using ccloud::steady_time;
using ccloud::core::origin_pool;
using ccloud::core::pool_waiter;
using ccloud::core::pooled;
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

steady_time at(std::chrono::milliseconds since_start)
{
    return steady_time(since_start);
}

/** Takes a pool's dial through to an active connection for `waiter`. */
void serve(origin_pool& pool, pool_waiter& waiter, pooled& connection, steady_time now)
{
    pool.enqueue(waiter);
    REQUIRE(pool.next(now).what == action::dial);
    pool.dialed(connection, now);
    auto const step = pool.next(now);
    REQUIRE(step.what == action::grant);
    REQUIRE(step.waiter == &waiter);
    REQUIRE(step.connection == &connection);
    connection.served = true;
}

} // namespace

TEST_CASE("a waiter whose connection was dead keeps its place in the line (pool item 8)")
{
    origin_pool pool(1);
    pool_waiter first;
    pool_waiter second;
    pooled dead;
    serve(pool, first, dead, at(0ms));
    pool.enqueue(second);
    pool.enqueue_front(first);
    pool.lost();
    REQUIRE(pool.next(at(1ms)).what == action::dial);
    pooled made;
    pool.dialed(made, at(1ms));
    auto const step = pool.next(at(1ms));
    CHECK(step.what == action::grant);
    CHECK(step.waiter == &first);
    CHECK(pool.waiters() == 1);
}

TEST_CASE("C2: a grant that was not used leaves the connection as old as it was")
{
    origin_pool pool(2);
    pool_waiter one;
    pooled connection;
    serve(pool, one, connection, at(0ms));
    pool.returned(connection, at(0ms), 50s);
    pool.enqueue(one);
    REQUIRE(pool.next(at(30s)).what == action::grant);
    pool.ungranted(connection);
    CHECK(pool.active() == 0);
    CHECK(pool.idle() == 1);
    CHECK(connection.idle_since == at(0ms));
    pool_waiter post;
    post.idle_limit = 5s;
    pool.enqueue(post);
    CHECK(pool.next(at(30s)).what == action::dial);
}

TEST_CASE("waiters are served in order of arrival (pool item 8)")
{
    origin_pool pool(1);
    std::array<pool_waiter, 4> waiters;
    pooled only;
    serve(pool, waiters[0], only, at(0ms));
    for (std::size_t i = 1; i < waiters.size(); ++i)
        pool.enqueue(waiters[i]);
    CHECK(pool.next(at(0ms)).what == action::none);
    CHECK(pool.waiters() == 3);
    pool.cancel(waiters[2]);
    for (auto const next : {1u, 3u})
    {
        pool.returned(only, at(1ms), 50s);
        auto const step = pool.next(at(1ms));
        CHECK(step.what == action::grant);
        CHECK(step.waiter == &waiters[next]);
        CHECK(!waiters[next].queued);
    }
    CHECK(pool.waiters() == 0);
    CHECK(pool.next(at(1ms)).what == action::none);
}

TEST_CASE("idle connections are reused last in, first out (C1, pool item 5)")
{
    origin_pool pool(3);
    std::array<pool_waiter, 3> waiters;
    std::array<pooled, 3> connections;
    for (std::size_t i = 0; i < 3; ++i)
        serve(pool, waiters[i], connections[i], at(0ms));
    for (auto const back : {1u, 0u, 2u})
        pool.returned(connections[back], at(1ms), 50s);
    for (auto const next : {2u, 0u, 1u})
    {
        pool.enqueue(waiters[0]);
        CHECK(pool.next(at(2ms)).connection == &connections[next]);
    }
}

TEST_CASE("there are never more connections than the cap, dials included (pool item 2)")
{
    origin_pool pool(2);
    std::array<pool_waiter, 5> waiters;
    std::array<pooled, 2> connections;
    for (auto& waiter : waiters)
        pool.enqueue(waiter);
    CHECK(pool.next(at(0ms)).what == action::dial);
    CHECK(pool.next(at(0ms)).what == action::dial);
    CHECK(pool.next(at(0ms)).what == action::none);
    CHECK(pool.dialing() == 2);
    for (auto& connection : connections)
        pool.dialed(connection, at(1ms));
    CHECK(pool.next(at(1ms)).waiter == &waiters[0]);
    CHECK(pool.next(at(1ms)).waiter == &waiters[1]);
    CHECK(pool.next(at(1ms)).what == action::none);
    pool.lost();
    CHECK(pool.next(at(1ms)).what == action::dial);
    CHECK(pool.active() == 1);
}

TEST_CASE("no more is dialled than there are waiters (pool item 4)")
{
    origin_pool pool(16);
    pool_waiter waiter;
    pool.enqueue(waiter);
    CHECK(pool.next(at(0ms)).what == action::dial);
    CHECK(pool.next(at(0ms)).what == action::none);
}

TEST_CASE("a waiter takes what comes first; the dial that comes too late serves the next one")
{
    origin_pool pool(2);
    std::array<pool_waiter, 3> waiters;
    std::array<pooled, 2> connections;
    serve(pool, waiters[0], connections[0], at(0ms));
    pool.enqueue(waiters[1]);
    CHECK(pool.next(at(0ms)).what == action::dial);
    pool.returned(connections[0], at(1ms), 50s);
    CHECK(pool.next(at(1ms)).connection == &connections[0]);
    pool.dialed(connections[1], at(2ms));
    CHECK(pool.next(at(2ms)).what == action::none);
    CHECK(pool.idle() == 1);
    pool.enqueue(waiters[2]);
    CHECK(pool.next(at(3ms)).connection == &connections[1]);
}

TEST_CASE("a waiter that wants a fresh connection gets one, at the expense of an idle one where there is no room")
{
    pool_waiter first, fresh;
    pooled used, made;
    fresh.fresh = true;
    SUBCASE("room")
    {
        origin_pool pool(2);
        serve(pool, first, used, at(0ms));
        pool.returned(used, at(0ms), 50s);
        pool.enqueue(fresh);
        CHECK(pool.next(at(0ms)).what == action::dial);
        pool.dialed(made, at(1ms));
        CHECK(pool.next(at(1ms)).connection == &made);
        CHECK(pool.idle() == 1);
    }
    SUBCASE("no room")
    {
        origin_pool pool(1);
        serve(pool, first, used, at(0ms));
        pool.returned(used, at(0ms), 50s);
        pool.enqueue(fresh);
        auto const step = pool.next(at(0ms));
        CHECK(step.what == action::close);
        CHECK(step.connection == &used);
        CHECK(pool.next(at(0ms)).what == action::dial);
        pool.dialed(made, at(1ms));
        CHECK(pool.next(at(1ms)).connection == &made);
    }
    SUBCASE("a connection that was dialled for somebody else is fresh")
    {
        origin_pool pool(1);
        pool.enqueue(first);
        CHECK(pool.next(at(0ms)).what == action::dial);
        pool.cancel(first);
        pool.dialed(made, at(1ms));
        CHECK(pool.next(at(1ms)).what == action::none);
        pool.enqueue(fresh);
        CHECK(pool.next(at(2ms)).connection == &made);
    }
}

TEST_CASE("a waiter takes no connection that was idle for longer than it likes (C2)")
{
    for (auto const idle : {5000ms, 5001ms})
        for (bool const another_waits : {false, true})
        {
            CAPTURE(idle);
            CAPTURE(another_waits);
            origin_pool pool(1);
            pool_waiter first, post, get;
            pooled used;
            post.idle_limit = 5s;
            serve(pool, first, used, at(0ms));
            pool.returned(used, at(0ms), 50s);
            pool.enqueue(post);
            if (another_waits)
                pool.enqueue(get);
            auto const step = pool.next(at(idle));
            if (idle == 5000ms)
                CHECK(step.waiter == &post);
            else if (another_waits)
                CHECK(step.waiter == &get);
            else
                CHECK(step.what == action::close);
        }
}

TEST_CASE("a connection past its time is given to nobody")
{
    origin_pool pool(1);
    pool_waiter first, second;
    pooled used;
    serve(pool, first, used, at(0ms));
    pool.returned(used, at(0ms), 50s);
    CHECK(pool.next_expiry() == at(50s));
    CHECK(pool.take_expired(at(49'999ms)) == nullptr);
    SUBCASE("it is taken out")
    {
        CHECK(pool.take_expired(at(50s)) == &used);
        CHECK(pool.take_expired(at(50s)) == nullptr);
        CHECK(pool.idle() == 0);
        CHECK(!pool.next_expiry().has_value());
    }
    SUBCASE("it makes room")
    {
        pool.enqueue(second);
        CHECK(pool.next(at(50s)).what == action::close);
        CHECK(pool.next(at(50s)).what == action::dial);
    }
}

TEST_CASE("a failed dial completes the oldest waiter, and the next one has a dial of its own (pool item 10)")
{
    origin_pool pool(1);
    std::array<pool_waiter, 2> waiters;
    for (auto& waiter : waiters)
        pool.enqueue(waiter);
    CHECK(pool.next(at(0ms)).what == action::dial);
    CHECK(pool.dial_failed() == &waiters[0]);
    CHECK(!waiters[0].queued);
    CHECK(pool.next(at(0ms)).what == action::dial);
    pool.cancel(waiters[1]);
    CHECK(pool.dial_failed() == nullptr);
    CHECK(pool.dialing() == 0);
    CHECK(pool.next(at(0ms)).what == action::none);
}

TEST_CASE("cancelling twice, or what is in no line, does nothing")
{
    origin_pool pool(1);
    pool_waiter waiter, other;
    pool.cancel(waiter);
    pool.enqueue(waiter);
    pool.enqueue(other);
    pool.cancel(waiter);
    pool.cancel(waiter);
    CHECK(pool.waiters() == 1);
    pool.enqueue(waiter);
    pool.cancel(other);
    CHECK(pool.waiters() == 1);
    CHECK(pool.next(at(0ms)).what == action::dial);
}

TEST_CASE("an idle connection that its peer closed is gone")
{
    origin_pool pool(2);
    std::array<pool_waiter, 2> waiters;
    std::array<pooled, 2> connections;
    for (std::size_t i = 0; i < 2; ++i)
        serve(pool, waiters[i], connections[i], at(0ms));
    for (auto& connection : connections)
        pool.returned(connection, at(0ms), 50s);
    CHECK(pool.is_idle(connections[1]));
    pool.lost_idle(connections[1]);
    CHECK(!pool.is_idle(connections[1]));
    CHECK(pool.idle() == 1);
    CHECK(pool.take_idle() == &connections[0]);
    CHECK(pool.take_idle() == nullptr);
}

namespace {

/** Drives a pool by random events, and keeps its own simple books to compare. */
class fuzzer
{
public:
    fuzzer(std::size_t cap, unsigned seed) : pool_(cap), cap_(cap), dice_(seed) {}

    void run(int steps)
    {
        for (step_ = 0; step_ < steps; ++step_)
        {
            event();
            settle();
        }
        drain();
    }

private:
    enum class state : unsigned char { closed, idle, active };

    struct connection
    {
        pooled shared;
        state is = state::closed;
        long long order = 0; // when it became idle
    };
    struct waiting
    {
        pool_waiter shared;
        long long order = 0; // when it came; 0: in no line
    };

    void require(bool holds, std::string_view what) const
    {
        if (!holds)
            FAIL("cap " << cap_ << ", step " << step_ << ": " << what);
    }

    unsigned roll(unsigned sides) { return static_cast<unsigned>(dice_() % sides); }

    connection* any(state wanted)
    {
        auto const start = roll(most);
        for (unsigned i = 0; i < most; ++i)
            if (auto& one = connections_[(start + i) % most]; one.is == wanted)
                return &one;
        return nullptr;
    }

    std::size_t count(state wanted) const
    {
        return static_cast<std::size_t>(std::count_if(connections_.begin(), connections_.end(), [=](auto const& one) {
            return one.is == wanted;
        }));
    }

    std::size_t in_line() const
    {
        return static_cast<std::size_t>(std::count_if(waiters_.begin(), waiters_.end(), [](auto const& one) {
            return one.order != 0;
        }));
    }

    bool may_take(waiting const& who, connection const& what) const
    {
        return what.is == state::idle && !(who.shared.fresh && what.shared.served) &&
               (!what.shared.served || what.shared.expires > now_) &&
               (who.shared.idle_limit == 0ns || now_ - what.shared.idle_since <= who.shared.idle_limit);
    }

    waiting const* first_that_may_take_something() const
    {
        waiting const* first = nullptr;
        for (auto const& who : waiters_)
            if (who.order && (!first || who.order < first->order) &&
                std::any_of(connections_.begin(), connections_.end(), [&](auto const& c) { return may_take(who, c); }))
                first = &who;
        return first;
    }

    waiting const* oldest() const
    {
        waiting const* first = nullptr;
        for (auto const& who : waiters_)
            if (who.order && (!first || who.order < first->order))
                first = &who;
        return first;
    }

    void close(connection& one)
    {
        one.is = state::closed;
        ++closed_;
    }

    void event()
    {
        switch (roll(12))
        {
        case 0:
        case 1:
        case 2:
        case 3:
            if (auto& who = waiters_[roll(most)]; who.order == 0)
            {
                who.shared.fresh = roll(4) == 0;
                who.shared.idle_limit = roll(3) == 0 ? 5ms : 0ms;
                who.order = ++clock_;
                pool_.enqueue(who.shared);
            }
            break;
        case 4:
        {
            auto& who = waiters_[roll(most)];
            pool_.cancel(who.shared);
            who.order = 0;
            break;
        }
        case 5:
        case 6:
            if (dialing_ > 0)
            {
                auto* const made = any(state::closed);
                made->shared = pooled();
                made->shared.expires = now_ + 20ms;
                made->is = state::idle;
                made->order = ++clock_;
                --dialing_;
                pool_.dialed(made->shared, now_);
            }
            break;
        case 7:
            if (dialing_ > 0)
            {
                auto const* const expected = oldest();
                auto const* const told = pool_.dial_failed();
                require(told == (expected ? &expected->shared : nullptr), "a failed dial completes the oldest waiter");
                if (expected)
                    const_cast<waiting*>(expected)->order = 0;
                --dialing_;
                ++closed_;
            }
            break;
        case 8:
        case 9:
            if (auto* const used = any(state::active))
            {
                used->is = state::idle;
                used->order = ++clock_;
                pool_.returned(used->shared, now_, std::chrono::milliseconds(1 + roll(20)));
            }
            break;
        case 10:
            if (auto* const used = any(state::active))
            {
                pool_.lost();
                close(*used);
            }
            else if (auto* const idle = any(state::idle))
            {
                pool_.lost_idle(idle->shared);
                close(*idle);
            }
            break;
        default:
            now_ += std::chrono::milliseconds(roll(4));
            while (auto* const expired = pool_.take_expired(now_))
            {
                auto& one = of(expired);
                require(one.is == state::idle && expired->expires <= now_, "only what has expired is taken");
                close(one);
            }
        }
        compare();
    }

    connection& of(pooled* shared)
    {
        for (auto& one : connections_)
            if (&one.shared == shared)
                return one;
        require(false, "the connection is one of ours");
        return connections_[0];
    }

    waiting& of(pool_waiter* shared)
    {
        for (auto& one : waiters_)
            if (&one.shared == shared)
                return one;
        require(false, "the waiter is one of ours");
        return waiters_[0];
    }

    void settle()
    {
        for (int turn = 0;; ++turn)
        {
            require(turn < 100, "the pool comes to rest");
            auto const step = pool_.next(now_);
            if (step.what == action::none)
                break;
            if (step.what == action::dial)
            {
                require(in_line() > dialing_, "nothing is dialled without a waiter");
                ++dialing_;
                ++dialled_;
            }
            else if (step.what == action::close)
            {
                auto& one = of(step.connection);
                require(one.is == state::idle, "only what is idle makes room");
                require(!first_that_may_take_something(), "nothing is closed that a waiter may take");
                close(one);
            }
            else
                grant(of(step.waiter), of(step.connection));
            compare();
        }
        require(!first_that_may_take_something(), "no waiter waits beside a connection it may take");
        require(
            in_line() <= dialing_ || (count(state::idle) == 0 && count(state::active) + dialing_ == cap_),
            "who waits has a dial, or there is no room for one"
        );
    }

    void grant(waiting& who, connection& what)
    {
        require(who.order != 0, "the waiter is in the line");
        require(may_take(who, what), "the waiter may take the connection");
        require(first_that_may_take_something() == &who, "no earlier waiter could be served");
        for (auto const& other : connections_)
            require(!may_take(who, other) || other.order <= what.order, "the newest idle connection is taken");
        require(!who.shared.queued, "a served waiter is in no line");
        who.order = 0;
        what.is = state::active;
        what.shared.served = true;
    }

    void compare() const
    {
        require(pool_.idle() == count(state::idle), "idle connections are counted");
        require(pool_.active() == count(state::active), "active connections are counted");
        require(pool_.dialing() == dialing_, "dials are counted");
        require(pool_.waiters() == in_line(), "waiters are counted");
        require(pool_.idle() + pool_.active() + pool_.dialing() <= cap_, "the cap holds");
        require(
            dialled_ == closed_ + pool_.idle() + pool_.active() + pool_.dialing(), "no connection appears or vanishes"
        );
    }

    void drain()
    {
        for (auto& who : waiters_)
        {
            pool_.cancel(who.shared);
            who.order = 0;
        }
        for (; dialing_ > 0; --dialing_, ++closed_)
            require(pool_.dial_failed() == nullptr, "nobody is left to hear of a dial");
        while (auto* const used = any(state::active))
        {
            pool_.lost();
            close(*used);
        }
        while (auto* const idle = pool_.take_idle())
            close(of(idle));
        compare();
        require(dialled_ == closed_, "all is closed in the end");
    }

    static constexpr unsigned most = 12;

    origin_pool pool_;
    std::size_t cap_;
    std::mt19937 dice_;
    steady_time now_ = at(0ms);
    std::array<connection, most> connections_;
    std::array<waiting, most> waiters_;
    std::size_t dialing_ = 0, dialled_ = 0, closed_ = 0;
    long long clock_ = 0;
    int step_ = 0;
};

} // namespace

TEST_CASE("a million random events break no rule of the pool")
{
    for (std::size_t const cap : {1u, 2u, 3u, 5u, 8u})
        fuzzer(cap, 4711).run(200'000);
}
