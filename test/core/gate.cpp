#include "core/gate.hpp"

#include "printers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <utility>
#include <vector>

using ccloud::steady_time;
using ccloud::core::gate;
using ccloud::core::gate_pass;
using ccloud::core::gate_waiter;
using ccloud::core::limit_sample;
using std::chrono::nanoseconds;
using namespace std::chrono_literals;
using state = gate::state;

namespace ccloud::core {

doctest::String toString(gate::state how)
{
    switch (how)
    {
    case state::open: return "open";
    case state::full: return "full";
    case state::paused: return "paused";
    case state::closed: return "closed";
    }
    return "?";
}

} // namespace ccloud::core

namespace {

steady_time at(nanoseconds since_start)
{
    return steady_time(since_start);
}

nanoseconds since_start(std::optional<steady_time> when)
{
    REQUIRE(when.has_value());
    return when->time_since_epoch();
}

limit_sample left_of(std::optional<std::int64_t> limit, std::int64_t remaining, nanoseconds reset)
{
    return {limit, remaining, reset};
}

/** A new request that need not wait. */
gate_pass send(gate& door, steady_time now)
{
    std::uint64_t ticket = 0;
    auto const pass = door.try_admit(ticket, now);
    REQUIRE(pass.has_value());
    return *pass;
}

std::vector<gate_pass> send(gate& door, int count, steady_time now)
{
    std::vector<gate_pass> passes;
    for (int i = 0; i < count; ++i)
        passes.push_back(send(door, now));
    return passes;
}

bool must_wait(gate& door, steady_time now)
{
    std::uint64_t ticket = 0;
    return !door.try_admit(ticket, now);
}

void answer(gate& door, gate_pass pass)
{
    door.succeeded(pass);
    door.end(pass);
}

void answer(gate& door, gate_pass pass, limit_sample const& sample, steady_time now, nanoseconds jitter = 0s)
{
    door.observe(pass, false, sample, now, jitter);
    answer(door, pass);
}

void reject(gate& door, gate_pass pass, steady_time now, nanoseconds delay, bool told = true)
{
    door.throttled(pass, now, delay, told);
    door.end(pass);
}

void reject(gate& door, gate_pass pass, limit_sample const& sample, steady_time now, nanoseconds delay)
{
    door.observe(pass, true, sample, now, 0s);
    reject(door, pass, now, delay);
}

bool fail(gate& door, gate_pass pass)
{
    door.failed();
    door.end(pass);
    return door.probing();
}

/** Five failures in a row, one after the other. */
void bring_down(gate& door, steady_time now)
{
    for (int i = 1; i <= 5; ++i)
        REQUIRE(fail(door, send(door, now)) == (i == 5));
}

/** All that may go now. */
std::vector<gate_waiter*> pump(gate& door, steady_time now)
{
    std::vector<gate_waiter*> gone;
    gate_pass pass;
    while (auto* const waiter = door.next(now, pass))
        gone.push_back(waiter);
    return gone;
}

using line = std::vector<gate_waiter*>;

} // namespace

TEST_CASE("G1: a throttle closes the gate for all until the latest time asked for")
{
    gate door(64);
    auto const passes = send(door, 3, at(0s));
    reject(door, passes[0], at(1s), 10s);
    CHECK(door.look(at(1s)) == state::closed);
    CHECK(since_start(door.opens_at(at(1s))) == 11s);
    CHECK(must_wait(door, at(1s))); // first tries, too
    gate_waiter first;
    door.enqueue(first);
    CHECK(pump(door, at(1s)).empty());

    reject(door, passes[1], at(2s), 5s); // earlier than what was asked for before
    CHECK(since_start(door.opens_at(at(2s))) == 11s);
    reject(door, passes[2], at(3s), 20s);
    CHECK(since_start(door.opens_at(at(3s))) == 23s);
    CHECK(pump(door, at(23s - 1ns)).empty());
    CHECK(door.look(at(23s)) == state::open);
    CHECK(!door.opens_at(at(23s)));
    CHECK(pump(door, at(23s)) == line{&first});
}

TEST_CASE("G1: a gate that nothing is known of is open, and one that is full waits for an answer")
{
    gate door(2);
    CHECK(door.look(at(-1000h)) == state::open);
    CHECK(!door.opens_at(at(0s)));
    CHECK(!door.allowed());
    CHECK(!door.paced_out());
    CHECK(!door.probing());
    CHECK(door.throttle_level() == 0);
    auto const passes = send(door, 2, at(0s));
    CHECK(door.in_flight() == 2);
    CHECK(door.look(at(0s)) == state::full);
    CHECK(!door.opens_at(at(0s)));
    CHECK(must_wait(door, at(0s)));
    door.end({}); // it was never sent
    CHECK(door.look(at(0s)) == state::open);
    CHECK(door.window() == 2);
}

TEST_CASE("G2: only the rejection of a request of the current generation counts as an episode")
{
    gate door(64);
    auto const passes = send(door, 4, at(0s));
    reject(door, passes[0], at(1s), 2s, false);
    CHECK(door.throttle_level() == 1);
    CHECK(door.window() == 1);
    SUBCASE("an older one at the server's word only extends the time")
    {
        reject(door, passes[1], at(1s), 9s, true);
        CHECK(since_start(door.opens_at(at(1s))) == 10s);
    }
    SUBCASE("an older one by the policy's delay does not even that")
    {
        reject(door, passes[1], at(1s), 9s, false);
        CHECK(since_start(door.opens_at(at(1s))) == 3s);
    }
    CHECK(door.throttle_level() == 1);
    CHECK(door.window() == 1);

    // An older success neither widens the window nor ends the series.
    answer(door, passes[2]);
    CHECK(door.throttle_level() == 1);
    CHECK(door.window() == 1);

    door.end({}); // nothing was learnt of the last one
    auto const probe = send(door, at(20s));
    reject(door, probe, at(20s), 2s, false);
    CHECK(door.throttle_level() == 2);
    CHECK(since_start(door.opens_at(at(20s))) == 22s);
    answer(door, send(door, at(22s)));
    CHECK(door.throttle_level() == 0);
    CHECK(door.window() == 2);
}

TEST_CASE("G2: requests from before take up no room in the window of a gate that opens again")
{
    gate door(4);
    auto const passes = send(door, 3, at(0s));
    reject(door, passes[0], at(0s), 1s);
    answer(door, passes[1]);
    auto const probe = send(door, at(1s)); // though passes[2] hangs
    CHECK(door.look(at(1s)) == state::full);
    CHECK(!door.opens_at(at(1s)));
    reject(door, passes[2], at(2s), 9s, false); // too late to close it
    CHECK(door.look(at(2s)) == state::full);
    answer(door, probe);
    CHECK(door.window() == 2);
    CHECK(door.in_flight() == 0);
}

TEST_CASE("G3: with those from before there are never more requests under way than connections")
{
    gate door(4);
    auto const passes = send(door, 4, at(0s));
    reject(door, passes[0], at(0s), 1s);
    auto const probe = send(door, at(1s));
    CHECK(door.in_flight() == 4);
    answer(door, probe);
    CHECK(door.window() == 2);
    send(door, at(1s));
    CHECK(must_wait(door, at(1s)));
    door.end(passes[1]);
    send(door, at(1s));
    CHECK(must_wait(door, at(1s)));
}

TEST_CASE("G3: eight requests at first, and no more than the connections there are")
{
    struct
    {
        std::size_t most;
        std::size_t window;
    } const rows[] = {{1, 1}, {7, 7}, {8, 8}, {9, 8}, {64, 8}};
    for (auto const& row : rows)
    {
        CAPTURE(row.most);
        gate door(row.most);
        CHECK(door.window() == row.window);
        send(door, static_cast<int>(row.window), at(0s));
        CHECK(must_wait(door, at(0s)));
    }
}

TEST_CASE("G3: the window grows by one an answer until it was first narrowed, never above what is set")
{
    gate door(20);
    for (std::size_t i = 1; i <= 30; ++i)
    {
        answer(door, send(door, at(0s)));
        CHECK(door.window() == std::min<std::size_t>(20, 8 + i));
    }
    door.set_most(5);
    CHECK(door.window() == 5);
    answer(door, send(door, at(0s)));
    CHECK(door.window() == 5);
    door.set_most(7);
    CHECK(door.window() == 5);
    for (int i = 0; i < 3; ++i)
        answer(door, send(door, at(0s)));
    CHECK(door.window() == 7);
}

TEST_CASE("G3: where fewer are allowed than are under way, all but the new ones go on")
{
    gate door(8);
    auto const passes = send(door, 6, at(0s));
    door.set_most(2);
    CHECK(door.in_flight() == 6);
    for (std::size_t i = 0; i < 4; ++i)
    {
        CHECK(must_wait(door, at(0s)));
        answer(door, passes[i]);
    }
    CHECK(must_wait(door, at(0s)));
    answer(door, passes[4]);
    CHECK(!must_wait(door, at(0s)));
}

TEST_CASE("G3: after a throttle one request, one more an answer up to half of what there was, then one more a round")
{
    for (auto const under_way : {7u, 8u}) // with the rejected one
    {
        CAPTURE(under_way);
        gate door(64);
        auto const passes = send(door, static_cast<int>(under_way), at(0s));
        reject(door, passes[0], at(0s), 1s);
        for (std::size_t i = 1; i < under_way; ++i)
            answer(door, passes[i]);
        REQUIRE(door.window() == 1);
        for (auto const window : {2u, 3u, 4u})
        {
            answer(door, send(door, at(1s)));
            CHECK(door.window() == window);
        }
        // From 4 on by a quarter, then a little less each time: 4.25, 4.49, 4.71, 4.92, 5.12.
        for (auto const window : {4u, 4u, 4u, 4u, 5u})
        {
            answer(door, send(door, at(1s)));
            CHECK(door.window() == window);
        }
        for (int i = 0; i < 5000; ++i)
            answer(door, send(door, at(1s)));
        CHECK(door.window() == 64);
    }
}

TEST_CASE("G3: a gate that a single request was turned away from still opens")
{
    gate door(64);
    for (auto now = 0s; now < 10s; now += 1s)
    {
        reject(door, send(door, at(now)), at(now), 1s);
        CHECK(door.window() == 1);
    }
    CHECK(door.throttle_level() == 10);
    answer(door, send(door, at(10s)));
    CHECK(door.window() == 2);
    answer(door, send(door, at(10s)));
    answer(door, send(door, at(10s)));
    CHECK(door.window() == 2); // 2.9
    answer(door, send(door, at(10s)));
    CHECK(door.window() == 3);
}

TEST_CASE("G4: waiters are served in order of arrival")
{
    gate door(2);
    auto const passes = send(door, 2, at(0s));
    std::array<gate_waiter, 4> waiters;
    for (auto& waiter : waiters)
    {
        door.enqueue(waiter);
        CHECK(waiter.queued);
    }
    CHECK(door.waiting() == 4);
    CHECK(pump(door, at(0s)).empty());
    answer(door, passes[0]);
    CHECK(pump(door, at(0s)) == line{&waiters[0]});
    CHECK(!waiters[0].queued);
    CHECK(door.waiting() == 3);
    CHECK(door.in_flight() == 2);
    door.end({});
    door.end({});
    CHECK(pump(door, at(0s)) == line{&waiters[1], &waiters[2]});
    door.end({});
    CHECK(pump(door, at(0s)) == line{&waiters[3]});
    CHECK(door.waiting() == 0);
    CHECK(pump(door, at(0s)).empty());
}

TEST_CASE("G4: those that come back are served before all that came later")
{
    gate door(8);
    std::array<std::uint64_t, 4> tickets{};
    std::vector<gate_pass> passes;
    for (auto& ticket : tickets)
        passes.push_back(*door.try_admit(ticket, at(0s)));
    reject(door, passes[2], at(0s), 10s);
    std::array<gate_waiter, 2> later;
    door.enqueue(later[0]);
    std::array<gate_waiter, 4> back;
    for (std::size_t i = 0; i < back.size(); ++i)
        back[i].ticket = tickets[i];
    door.enqueue(back[2]);
    for (auto const which : {0u, 3u, 1u})
    {
        reject(door, passes[which], at(0s), 10s);
        door.enqueue(back[which]);
        if (which == 3)
            door.enqueue(later[1]);
    }
    CHECK(door.waiting() == 6);
    line served;
    for (int i = 0; i < 6; ++i)
    {
        auto const gone = pump(door, at(10s));
        REQUIRE(gone.size() == 1);
        served.push_back(gone[0]);
        door.end({.generation = 1});
    }
    CHECK(served == line{&back[0], &back[1], &back[2], &back[3], &later[0], &later[1]});
}

TEST_CASE("G4: a request that could go never overtakes an older waiter")
{
    gate door(8);
    gate_waiter first;
    door.enqueue(first);
    std::uint64_t newcomer = 0;
    CHECK(!door.try_admit(newcomer, at(0s))); // though the gate is open
    CHECK(newcomer > first.ticket);
    auto const drawn = newcomer;
    door.leave(first);
    CHECK(door.try_admit(newcomer, at(0s)).has_value());
    CHECK(newcomer == drawn);

    gate_waiter later;
    door.enqueue(later);
    CHECK(later.ticket > drawn);
    CHECK(door.try_admit(newcomer, at(0s)).has_value()); // it comes back, and was there before
    CHECK(door.waiting() == 1);
}

TEST_CASE("G4: whoever was told to wait keeps the place it drew then")
{
    gate door(1);
    send(door, at(0s));
    gate_waiter early;
    REQUIRE(!door.try_admit(early.ticket, at(0s)));
    gate_waiter late;
    door.enqueue(late);
    door.enqueue(early);
    door.end({});
    CHECK(pump(door, at(0s)) == line{&early});
}

TEST_CASE("G4: a waiter leaves from every place in the line, and all others keep theirs")
{
    for (std::size_t length = 1; length <= 4; ++length)
        for (std::size_t gone = 0; gone < length; ++gone)
        {
            CAPTURE(length);
            CAPTURE(gone);
            gate door(8);
            std::vector<gate_waiter> waiters(length);
            for (auto& waiter : waiters)
                door.enqueue(waiter);
            door.leave(waiters[gone]);
            CHECK(!waiters[gone].queued);
            CHECK(!waiters[gone].previous);
            CHECK(!waiters[gone].next);
            CHECK(door.waiting() == length - 1);
            door.leave(waiters[gone]); // nothing happens
            CHECK(door.waiting() == length - 1);

            gate_waiter const* before = nullptr;
            for (std::size_t i = 0; i < length; ++i)
                if (i != gone)
                {
                    CHECK(waiters[i].previous == before);
                    CHECK((!before || before->next == &waiters[i]));
                    before = &waiters[i];
                }
            CHECK((!before || !before->next));

            SUBCASE("")
            {
            }
            door.enqueue(waiters[gone]); // with the ticket it had
            line everybody;
            for (auto& waiter : waiters)
                everybody.push_back(&waiter);
            CHECK(pump(door, at(0s)) == everybody);
        }
}

TEST_CASE("G5: as many are sent as are left, less those under way, and the rest pauses until the window rolls")
{
    gate door(64);
    auto const first = send(door, at(0s));
    door.observe(first, false, left_of(10, 5, 30s), at(0s), 200ms);
    CHECK(door.allowed() == 4); // it is under way itself
    answer(door, first);
    CHECK(door.allowed() == 5);
    auto const passes = send(door, 5, at(0s));
    CHECK(door.allowed() == 0);
    CHECK(door.paced_out());
    CHECK(door.look(at(0s)) == state::paused);
    CHECK(since_start(door.opens_at(at(0s))) == 30s + 200ms);
    CHECK(must_wait(door, at(30s)));

    // The fewest that were told of count, whatever the order in which the answers come.
    answer(door, passes[4], left_of(10, 1, 29s), at(1s));
    answer(door, passes[2], left_of(10, 3, 29s), at(1s));
    CHECK(door.allowed() == 0);
    answer(door, passes[0]);
    answer(door, passes[1]);
    answer(door, passes[3], left_of(10, 0, 29s), at(1s));
    CHECK(door.allowed() == 0);
    CHECK(must_wait(door, at(30s + 200ms - 1ns)));
    CHECK(!must_wait(door, at(30s + 200ms)));
}

TEST_CASE("G5: a window that rolls by the clock is assumed to hold the limit once; then answers tell")
{
    gate door(64);
    answer(door, send(door, at(0s)), left_of(4, 0, 10s), at(0s));
    REQUIRE(must_wait(door, at(9s)));
    auto const passes = send(door, 4, at(10s));
    CHECK(door.look(at(10s)) == state::full); // no time is known
    CHECK(!door.opens_at(at(10s)));
    CHECK(must_wait(door, at(1000s)));
    answer(door, passes[1], left_of(4, 3, 9s), at(11s), 100ms);
    CHECK(door.allowed() == 0);
    CHECK(since_start(door.opens_at(at(11s))) == 20s + 100ms);
    SUBCASE("somebody else uses it, too")
    {
        answer(door, passes[3], left_of(4, 0, 9s), at(11s));
        answer(door, passes[2], left_of(4, 0, 9s), at(11s));
        answer(door, passes[0], left_of(4, 2, 9s), at(11s)); // was counted before the others
        CHECK(door.allowed() == 0);
        CHECK(since_start(door.opens_at(at(11s))) == 20s + 100ms);
    }
    SUBCASE("the others were never counted")
    {
        for (int i = 0; i < 3; ++i)
            door.end({});
        CHECK(door.allowed() == 3);
        CHECK(door.look(at(11s)) == state::open);
    }
}

TEST_CASE("G5: requests of a window that rolled, and get no answer, leave the limit to others")
{
    gate door(64);
    answer(door, send(door, at(0s)), left_of(2, 0, 10s), at(0s));
    send(door, 2, at(10s));
    REQUIRE(door.look(at(10s)) == state::full);
    door.end({});
    CHECK(door.look(at(10s)) == state::open);
    door.end({});
    CHECK(door.allowed() == 2);
}

TEST_CASE("G5: the answers to requests of an earlier window are not those of the window after")
{
    gate door(64);
    answer(door, send(door, at(0s)), left_of(60, 40, 10s), at(0s));
    auto const before = send(door, 3, at(9s));
    SUBCASE("the window rolled by our clock")
    {
        auto const after = send(door, at(10s)); // nobody asked before
        REQUIRE(door.allowed() == 56);
        answer(door, before[0], left_of(60, 5, 0s), at(10s + 100ms));
        CHECK(door.allowed() == 57);
        answer(door, after, left_of(60, 59, 10s), at(10s + 200ms));
        CHECK(door.allowed() == 57);
        answer(door, before[1], left_of(60, 4, 0s), at(10s + 300ms));
        CHECK(door.allowed() == 58);
        CHECK(since_start(door.opens_at(at(10s + 300ms)).value_or(at(0s))) == 0s);
    }
    SUBCASE("it rolled by our clock, and nobody asked since")
    {
        answer(door, before[0], left_of(60, 5, 0s), at(10s + 100ms));
        CHECK(door.allowed() == 58);
    }
    SUBCASE("an answer told so first")
    {
        answer(door, before[2], left_of(60, 59, 10s), at(9s + 500ms));
        REQUIRE(door.allowed() == 57);
        answer(door, before[0], left_of(60, 5, 0s), at(9s + 600ms));
        answer(door, before[1], left_of(60, 4, 0s), at(9s + 700ms));
        CHECK(door.allowed() == 59);
    }
    SUBCASE("the limit is not known")
    {
        gate other(64);
        answer(other, send(other, at(0s)), left_of({}, 3, 10s), at(0s));
        auto const late = send(other, 2, at(9s));
        REQUIRE(other.look(at(10s)) == state::open);
        answer(other, late[0], left_of({}, 0, 1s), at(10s + 100ms));
        CHECK(!other.allowed());
        CHECK(other.look(at(10s + 100ms)) == state::open);
    }
}

TEST_CASE("G5: the freshest request tells, not the latest answer")
{
    gate door(64);
    answer(door, send(door, at(0s)), left_of(60, 30, 20s), at(0s));
    SUBCASE("an answer that was long on its way does not begin a window")
    {
        auto const early = send(door, at(0s));
        auto const slow = send(door, at(0s));
        answer(door, send(door, at(1s)), left_of(60, 2, 19s), at(1s));
        answer(door, early, left_of(60, 28, 19s), at(1s));
        answer(door, slow, left_of(60, 29, 20s), at(6s)); // it would end at 26 s
        CHECK(door.allowed() == 2);
        send(door, 2, at(6s));
        CHECK(since_start(door.opens_at(at(6s))) == 20s);
    }
    SUBCASE("an answer that was long on its way is put right by the next")
    {
        answer(door, send(door, at(0s)), left_of(60, 29, 20s), at(6s));
        answer(door, send(door, at(6s)), left_of(60, 0, 14s), at(6s));
        CHECK(door.allowed() == 0);
        CHECK(since_start(door.opens_at(at(6s))) == 20s);
    }
    SUBCASE("a second, shorter window is the tighter one")
    {
        answer(door, send(door, at(1s)), left_of(5, 0, 1s), at(1s));
        CHECK(since_start(door.opens_at(at(1s))) == 2s);
        answer(door, send(door, at(2s)), left_of(60, 20, 18s), at(2s));
        CHECK(door.allowed() == 20);
    }
}

TEST_CASE("G5: whole seconds that the server rounds up are waited for, and the least counts")
{
    gate door(64);
    // The window ends at 9.3 s.
    auto const passes = send(door, 3, at(0s));
    answer(door, passes[0], left_of(3, 2, 10s), at(0s));
    answer(door, passes[1], left_of(3, 1, 9s), at(500ms));
    answer(door, passes[2], left_of(3, 0, 9s), at(900ms));
    CHECK(since_start(door.opens_at(at(1s))) == 9s + 500ms);
    answer(door, send(door, at(9s + 500ms)), left_of(3, 2, 10s), at(9s + 500ms));
    CHECK(door.allowed() == 2);
}

TEST_CASE("G5: a server that rounds down is found out by the first rejection, and waited for from then on")
{
    for (auto const limit : {std::optional<std::int64_t>(3), std::optional<std::int64_t>()})
    {
        CAPTURE(limit);
        gate door(64);
        // The window ends at 10.9 s.
        answer(door, send(door, at(0s)), left_of(limit, 0, 10s), at(0s));
        auto const early = send(door, at(10s));
        reject(door, early, left_of(limit, 0, 0s), at(10s + 100ms), 1s);
        REQUIRE(since_start(door.opens_at(at(10s + 100ms))) == 11s + 100ms);
        auto const probe = send(door, at(11s + 100ms));
        answer(door, probe, left_of(limit, 0, 9s), at(11s + 200ms));
        CHECK(since_start(door.opens_at(at(11s + 200ms))) == 21s + 200ms); // 20.2 s and the second
        CHECK(must_wait(door, at(21s + 100ms)));
        CHECK(!must_wait(door, at(21s + 200ms)));
    }
}

TEST_CASE("G5: other rejections do not look like rounding")
{
    gate door(64);
    answer(door, send(door, at(0s)), left_of(3, 0, 10s), at(0s));
    auto const early = send(door, at(10s));
    SUBCASE("somebody else used the whole window up")
    {
        reject(door, early, left_of(3, 0, 9s), at(10s), 9s);
    }
    SUBCASE("it was answered") // the window before, and at its very end
    {
        answer(door, early, left_of(3, 1, 0s), at(10s));
    }
    SUBCASE("it says nothing of the limit")
    {
        door.observe(early, true, std::nullopt, at(10s), 0s);
        reject(door, early, at(10s), 1s);
        reject(door, send(door, at(11s)), left_of(3, 0, 1s), at(11s), 1s);
    }
    SUBCASE("the window is known, and about to end")
    {
        auto const last = send(door, at(10s));
        answer(door, early, left_of(3, 1, 1s), at(10s));
        reject(door, last, left_of(3, 0, 1s), at(10s), 1s);
    }
    answer(door, send(door, at(19s)), left_of(3, 0, 10s), at(19s));
    CHECK(since_start(door.opens_at(at(19s))) == 29s);
}

TEST_CASE("G5: resets that move, as a token bucket's do, are followed")
{
    // 60 tokens, one comes back a second; the reset tells when it is full again.
    gate door(64);
    std::int64_t tokens = 60;
    auto now = 0s;
    for (; tokens > 0; now += 1s, ++tokens)
        for (int i = 0; i < 5; ++i)
        {
            --tokens;
            answer(door, send(door, at(now)), left_of(60, tokens, std::chrono::seconds(60 - tokens)), at(now));
            CHECK((door.allowed() >= 0 && door.allowed() <= tokens));
            if (door.paced_out())
            {
                auto const opens = since_start(door.opens_at(at(now)));
                CHECK(opens > now);
                CHECK(opens <= now + std::chrono::seconds(60 - tokens) + 2s);
                tokens = -1;
                break;
            }
        }
    CHECK(now > 10s);
    CHECK(now < 20s);
}

TEST_CASE("G5: a reset that is always a second away neither stops the line nor is taken for a longer wait")
{
    gate door(64);
    auto now = at(0s);
    for (int i = 0; i < 100; ++i)
    {
        answer(door, send(door, now), left_of(1, 0, 1s), now);
        auto const opens = door.opens_at(now);
        REQUIRE(opens.has_value());
        CHECK(*opens - now == 1s);
        now = *opens;
    }
}

TEST_CASE("G6: who cannot wait for a pause to end goes without, but not through a closed gate nor a full window")
{
    gate door(2);
    std::array<gate_waiter, 3> waiters;
    SUBCASE("a pause")
    {
        answer(door, send(door, at(0s)), left_of(60, 0, 30s), at(0s));
        for (auto& waiter : waiters)
            door.enqueue(waiter);
        CHECK(pump(door, at(0s)).empty());
        door.hurry(waiters[1]);
        door.hurry(waiters[1]); // once is enough
        CHECK(pump(door, at(0s)) == line{&waiters[1]});
        CHECK(pump(door, at(0s)).empty());
        CHECK(waiters[0].next == &waiters[2]); // who came before keeps its place
        CHECK(door.waiting() == 2);
        CHECK(door.allowed() == 0);
        CHECK(pump(door, at(30s)) == line{&waiters[0]}); // one is still under way
        door.end({});
        CHECK(pump(door, at(30s)) == line{&waiters[2]});
    }
    SUBCASE("the pause between probes, one at a time")
    {
        bring_down(door, at(0s));
        door.pause_until(at(30s));
        for (auto& waiter : waiters)
            door.enqueue(waiter);
        door.hurry(waiters[1]);
        door.hurry(waiters[2]);
        CHECK(pump(door, at(0s)) == line{&waiters[1]});
        door.end({.generation = 1});
        CHECK(pump(door, at(0s)) == line{&waiters[2]});
    }
    SUBCASE("a window of the server that is assumed, while its answers are awaited")
    {
        answer(door, send(door, at(0s)), left_of(1, 0, 10s), at(0s));
        send(door, at(10s));
        REQUIRE(door.in_flight() < door.window());
        for (auto& waiter : waiters)
            door.enqueue(waiter);
        CHECK(pump(door, at(10s)).empty());
        door.hurry(waiters[1]);
        CHECK(pump(door, at(10s)) == line{&waiters[1]});
    }
    SUBCASE("a closed gate")
    {
        reject(door, send(door, at(0s)), at(0s), 30s);
        for (auto& waiter : waiters)
            door.enqueue(waiter);
        door.hurry(waiters[1]);
        CHECK(pump(door, at(30s - 1ns)).empty());
        CHECK(pump(door, at(30s)) == line{&waiters[0]}); // in order
    }
    SUBCASE("a full window")
    {
        send(door, 2, at(0s));
        for (auto& waiter : waiters)
            door.enqueue(waiter);
        door.hurry(waiters[1]);
        CHECK(pump(door, at(0s)).empty());
        door.end({});
        CHECK(pump(door, at(0s)) == line{&waiters[0]});
    }
}

TEST_CASE("G6: the first in line hurries by itself when the pause would outlast it")
{
    struct
    {
        nanoseconds deadline;
        nanoseconds needs;
        bool goes;
    } const rows[] = {
        {31s, 1s, false},      {31s - 1ns, 1s, true}, {30s, 0s, false},
        {30s - 1ns, 0s, true}, {1s, 5s, true},        {0s, 0s, true},
    };
    for (auto const& row : rows)
    {
        CAPTURE(row.deadline);
        CAPTURE(row.needs);
        gate door(64);
        answer(door, send(door, at(0s)), left_of(60, 0, 30s), at(0s));
        std::array<gate_waiter, 2> waiters;
        waiters[0].deadline = at(row.deadline);
        waiters[0].needs = row.needs;
        for (auto& waiter : waiters)
            door.enqueue(waiter);
        CHECK(pump(door, at(0s)) == (row.goes ? line{&waiters[0]} : line{}));
        CHECK(waiters[0].urgent == row.goes);
    }
}

TEST_CASE("G6: waiters that hurry are counted wherever they are")
{
    gate door(64);
    answer(door, send(door, at(0s)), left_of(60, 0, 30s), at(0s));
    std::array<gate_waiter, 4> waiters;
    waiters[0].urgent = true; // before it lines up
    door.hurry(waiters[1]);
    CHECK(waiters[1].urgent);
    for (auto& waiter : waiters)
        door.enqueue(waiter);
    door.hurry(waiters[3]);
    door.leave(waiters[0]);
    door.hurry(waiters[0]);
    door.leave(waiters[3]);
    CHECK(pump(door, at(0s)) == line{&waiters[1]});
    CHECK(pump(door, at(0s)).empty()); // would look for one for ever if one too many were counted
    door.enqueue(waiters[3]);
    door.enqueue(waiters[0]);
    CHECK(pump(door, at(0s)) == line{&waiters[0], &waiters[3]});
    CHECK(door.waiting() == 1);
    CHECK(pump(door, at(30s)) == line{&waiters[2]});
    CHECK(door.waiting() == 0);
}

TEST_CASE("T4: who waits in vain at a gate that closes is turned away at once, and nobody else")
{
    gate door(2);
    auto const passes = send(door, 2, at(0s));
    std::array<gate_waiter, 4> waiters;
    waiters[0].deadline = at(10s);
    waiters[1].deadline = at(31s);
    waiters[1].needs = 2s;
    waiters[2].deadline = at(32s);
    waiters[2].needs = 2s;
    for (auto& waiter : waiters)
        door.enqueue(waiter);
    line gone;
    auto const collect = [&gone](gate_waiter& waiter) { gone.push_back(&waiter); };
    door.turn_away(at(0s), collect);
    CHECK(gone.empty());
    reject(door, passes[0], at(0s), 30s);
    door.turn_away(at(0s), collect);
    CHECK(gone == line{&waiters[0], &waiters[1]});
    CHECK(door.waiting() == 2);
    reject(door, passes[1], at(0s), 31s);
    door.turn_away(at(0s), collect);
    CHECK(gone == line{&waiters[0], &waiters[1], &waiters[2]});
    CHECK(pump(door, at(31s)) == line{&waiters[3]});
}

TEST_CASE("G7: who does not want to wait is turned away when the limit is used up, and not before")
{
    gate door(2);
    auto const passes = send(door, 2, at(0s));
    std::array<gate_waiter, 3> waiters;
    waiters[1].impatient = true;
    for (auto& waiter : waiters)
        door.enqueue(waiter);
    line gone;
    auto const collect = [&gone](gate_waiter& waiter) { gone.push_back(&waiter); };
    door.turn_away(at(0s), collect);
    CHECK(gone.empty()); // it waits for an answer only
    SUBCASE("by what a response tells")
    {
        answer(door, passes[0], left_of(60, 1, 30s), at(0s)); // one left, and one under way
    }
    SUBCASE("by a rejection")
    {
        reject(door, passes[0], at(0s), 1s);
    }
    SUBCASE("not by failures")
    {
        for (int i = 0; i < 5; ++i)
            door.failed();
        REQUIRE(door.probing());
        door.end(passes[0]);
        door.pause_until(at(9s));
        door.turn_away(at(0s), collect);
        CHECK(gone.empty());
        return;
    }
    door.turn_away(at(0s), collect);
    CHECK(gone == line{&waiters[1]});
    CHECK(waiters[0].next == &waiters[2]);
}

TEST_CASE("G8: an answer that says nothing of the limit ends the pacing, and nothing else")
{
    gate door(64);
    auto const passes = send(door, 3, at(0s));
    answer(door, passes[0], left_of(60, 0, 30s), at(0s));
    REQUIRE(must_wait(door, at(0s)));
    door.observe(passes[1], false, std::nullopt, at(0s), 0s);
    CHECK(!door.allowed());
    CHECK(!door.paced_out());
    CHECK(!must_wait(door, at(0s)));
    reject(door, passes[1], at(0s), 5s);
    door.observe(passes[2], false, std::nullopt, at(0s), 0s);
    CHECK(door.look(at(1s)) == state::closed);
    CHECK(door.window() == 1);
    door.end({});
    door.end({});
    answer(door, send(door, at(5s)), left_of(60, 7, 25s), at(5s)); // said again
    CHECK(door.allowed() == 7);
}

TEST_CASE("G8: no pause is longer than 120 s, whatever the server says")
{
    for (nanoseconds const reset :
         {nanoseconds(120s), nanoseconds(120s + 1ns), nanoseconds(ccloud::core::longest_hint)})
    {
        CAPTURE(reset);
        gate door(64);
        answer(door, send(door, at(7s)), left_of(60, 0, reset), at(7s), 250ms);
        CHECK(since_start(door.opens_at(at(7s))) == 127s + 250ms);
        CHECK(must_wait(door, at(127s)));
        CHECK(!must_wait(door, at(127s + 250ms)));
    }
}

TEST_CASE("G5: once the window has rolled nothing holds requests back whose limit is not known, or is none")
{
    for (auto const limit : {std::optional<std::int64_t>(), std::optional<std::int64_t>(0)})
    {
        CAPTURE(limit);
        gate door(8);
        answer(door, send(door, at(0s)), left_of(limit, 0, 10s), at(0s));
        CHECK(since_start(door.opens_at(at(0s))) == 10s);
        CHECK(must_wait(door, at(9s)));
        auto const passes = send(door, 8, at(10s));
        CHECK(!door.allowed());
        for (auto const pass : passes)
            answer(door, pass, left_of(limit, 0, 5s), at(10s));
        CHECK(since_start(door.opens_at(at(10s))) == 15s);
    }
}

TEST_CASE("G3: after five failures in a row the gate probes, one request at a time")
{
    gate door(64);
    auto const passes = send(door, 8, at(0s));
    for (std::size_t i = 0; i < 4; ++i)
        CHECK(!fail(door, passes[i]));
    CHECK(!door.probing());
    SUBCASE("an answer in between begins the count anew")
    {
        answer(door, passes[4]);
        for (std::size_t i = 5; i < 8; ++i)
            CHECK(!fail(door, passes[i]));
        CHECK(!fail(door, send(door, at(0s))));
        CHECK(fail(door, send(door, at(0s))));
    }
    SUBCASE("so does a rejection")
    {
        reject(door, passes[4], at(0s), 1s);
        for (std::size_t i = 5; i < 8; ++i)
            CHECK(!fail(door, passes[i]));
        CHECK(!door.probing());
    }
    SUBCASE("what was never sent does not")
    {
        door.end({});
        CHECK(fail(door, passes[5]));
        CHECK(door.probing());
        CHECK(door.window() == 1);
        CHECK(fail(door, passes[6]));
        CHECK(fail(door, passes[7]));
        CHECK(door.window() == 1);
        send(door, at(0s));
        CHECK(must_wait(door, at(0s)));
        CHECK(door.throttle_level() == 0);
    }
}

TEST_CASE("G6: the pause between probes is advice, and the longest counts")
{
    gate door(64);
    door.pause_until(at(90s)); // not while it does not probe
    REQUIRE(door.look(at(0s)) == state::open);
    bring_down(door, at(0s));
    CHECK(door.look(at(0s)) == state::open);
    door.pause_until(at(6s));
    door.pause_until(at(3s));
    CHECK(door.look(at(0s)) == state::paused);
    CHECK(!door.paced_out());
    CHECK(since_start(door.opens_at(at(0s))) == 6s);
    CHECK(must_wait(door, at(6s - 1ns)));
    auto const probe = send(door, at(6s));
    CHECK(must_wait(door, at(6s)));
    door.observe(probe, false, left_of(60, 5, 20s), at(6s), 0s); // some are left: does not matter
    REQUIRE(fail(door, probe));
    door.pause_until(at(9s));
    CHECK(since_start(door.opens_at(at(6s))) == 9s);
    SUBCASE("together with the end of the server's window the later one counts")
    {
        gate_waiter first;
        first.urgent = true;
        door.enqueue(first);
        gate_pass pass;
        REQUIRE(door.next(at(6s), pass) == &first);
        door.observe(pass, false, left_of(60, 0, 20s), at(6s), 0s);
        REQUIRE(fail(door, pass));
        CHECK(since_start(door.opens_at(at(6s))) == 26s);
        door.pause_until(at(30s));
        CHECK(since_start(door.opens_at(at(6s))) == 30s);
        CHECK(since_start(door.opens_at(at(25s))) == 30s);
        CHECK(!must_wait(door, at(30s)));
    }
}

TEST_CASE("G3: a probe that is answered opens the gate by one, and each further answer by one more")
{
    gate door(64);
    auto const passes = send(door, 8, at(0s));
    for (std::size_t i = 0; i < 4; ++i)
        fail(door, passes[i]);
    REQUIRE(fail(door, passes[4])); // 4 were under way: up to 2 at once
    door.pause_until(at(12s));
    SUBCASE("of the probe")
    {
        for (int i = 0; i < 3; ++i)
            door.end({});
    }
    SUBCASE("one to a request from before ends the probing and its pause, and widens nothing")
    {
        answer(door, passes[5]);
        CHECK(!door.probing());
        CHECK(door.window() == 1);
        door.end({});
        door.end({});
        CHECK(door.look(at(0s)) == state::open);
    }
    answer(door, send(door, at(12s)));
    CHECK(!door.probing());
    CHECK(door.window() == 2);
    CHECK(door.look(at(0s)) == state::open); // no pause is left
    answer(door, send(door, at(12s)));
    CHECK(door.window() == 2); // 2.5
    answer(door, send(door, at(12s)));
    answer(door, send(door, at(12s)));
    CHECK(door.window() == 3);
    CHECK(!fail(door, send(door, at(12s)))); // the count begins anew
}

TEST_CASE("G1: a rejection ends the probing, and closes the gate")
{
    gate door(64);
    bring_down(door, at(0s));
    door.pause_until(at(60s));
    auto const probe = [&] {
        gate_waiter hasty;
        hasty.urgent = true;
        door.enqueue(hasty);
        gate_pass pass;
        REQUIRE(door.next(at(1s), pass) == &hasty);
        return pass;
    }();
    reject(door, probe, at(1s), 3s);
    CHECK(!door.probing());
    CHECK(door.look(at(1s)) == state::closed);
    CHECK(since_start(door.opens_at(at(1s))) == 4s); // not the 60 s
    CHECK(door.throttle_level() == 1);
    CHECK(!fail(door, send(door, at(4s))));
}

namespace {

/** Calls at a gate, and what is to be seen of a gate whatever its numbers are. */
class crowd
{
public:
    explicit crowd(std::uint32_t seed) : dice_(seed), calls_(24), most_(8), door_(most_)
    {
        for (auto& one : calls_)
            idle_.push_back(&one);
    }

    /** Something happens; then the gate lets through whom it may. @return what is wrong, or null */
    char const* step()
    {
        if (roll(200) == 0)
            down_ = !down_;
        switch (roll(16))
        {
        case 0:
        case 1:
        case 2:
        case 3: arrive(); break;
        case 4:
        case 5:
        case 6:
        case 7:
        case 8: end(); break;
        case 9: cancel(); break;
        case 10:
            if (!waiting_.empty())
                door_.hurry(*some(waiting_));
            break;
        case 11:
            if (roll(50) == 0)
                door_.set_most(most_ = 1 + roll(12));
            break;
        default: pass_time();
        }
        drain();
        check();
        return wrong_;
    }

    /** Ends what is under way, and lets time pass until nobody waits. @return what is wrong, or null */
    char const* finish()
    {
        while (!wrong_ && (!waiting_.empty() || !sent_.empty()))
        {
            if (sent_.empty())
                jump_to_opening();
            while (!sent_.empty())
                end(false);
            drain();
            check();
        }
        return wrong_;
    }

    bool busy() const { return let_through_ > 0 && most_seen_ >= 8; }

private:
    struct call final : gate_waiter
    {
        gate_pass pass;
    };

    unsigned roll(unsigned sides) { return static_cast<unsigned>(dice_()) % sides; }

    call* some(std::vector<call*>& from) { return from[roll(static_cast<unsigned>(from.size()))]; }

    void move(call* one, std::vector<call*>& from, std::vector<call*>& to)
    {
        from.erase(std::find(from.begin(), from.end(), one));
        to.push_back(one);
    }

    void expect(bool sound, char const* what)
    {
        if (!sound && !wrong_)
            wrong_ = what;
    }

    void sent(call* one, std::vector<call*>& from, gate_pass pass)
    {
        move(one, from, sent_);
        one->pass = pass;
        ++let_through_;
        most_seen_ = std::max(most_seen_, sent_.size());
        expect(now_ >= not_before_, "was let through a closed gate");
        expect(sent_.size() <= most_, "more are under way than may be");
        expect(pass.generation == generation_, "generation");
        expect(!last_ || pass.sequence > *last_, "sequence");
        last_ = pass.sequence;
    }

    void enqueue(call* one, std::vector<call*>& from)
    {
        one->urgent = roll(8) == 0;
        one->deadline = roll(3) == 0 ? now_ + std::chrono::milliseconds(roll(60'000)) : steady_time::max();
        one->needs = std::chrono::milliseconds(roll(2000));
        door_.enqueue(*one);
        move(one, from, waiting_);
    }

    void arrive()
    {
        if (idle_.empty())
            return;
        auto* const one = some(idle_);
        one->ticket = 0;
        if (roll(2) == 0)
        {
            bool const could = door_.look(now_) == state::open;
            auto const pass = door_.try_admit(one->ticket, now_);
            expect(pass.has_value() == (could && waiting_.empty()), "a newcomer's turn");
            if (pass)
            {
                sent(one, idle_, *pass);
                return;
            }
        }
        enqueue(one, idle_);
    }

    void end(bool may_return = true)
    {
        if (sent_.empty())
            return;
        auto* const one = some(sent_);
        auto const kind = roll(20);
        bool const rejected = kind < 2;
        bool const failed = kind >= 2 && kind < (down_ ? 17u : 5u);
        if (auto const sample = a_sample(); roll(3) != 0)
            door_.observe(one->pass, rejected, sample, now_, std::chrono::milliseconds(roll(250)));
        if (rejected)
        {
            auto const delay = std::chrono::milliseconds(roll(2) == 0 ? roll(500) : roll(120'000));
            bool const told = roll(2) == 0;
            bool const current = one->pass.generation == generation_;
            if (current)
            {
                ++generation_;
                ++level_;
            }
            if (current || told)
                not_before_ = std::max(not_before_, now_ + delay);
            failures_ = 0;
            door_.throttled(one->pass, now_, delay, told);
        }
        else if (failed)
        {
            if (++failures_ == 5)
                ++generation_;
            door_.failed();
            expect(door_.probing() == (failures_ >= 5), "probing");
            if (roll(4) != 0)
            {
                auto const pause = std::chrono::milliseconds(roll(20'000));
                door_.pause_until(now_ + pause);
                paused_until_ = std::max(paused_until_, now_ + pause);
            }
        }
        else if (kind < 18)
        {
            failures_ = 0;
            if (one->pass.generation == generation_)
                level_ = 0;
            door_.succeeded(one->pass);
        }
        door_.end(one->pass);
        move(one, sent_, idle_);
        if (may_return && (rejected || failed) && roll(4) != 0)
            come_back(one);
    }

    /** With the ticket that it has. */
    void come_back(call* one)
    {
        if (roll(2) == 0)
        {
            bool older = false;
            for (auto const* other : waiting_)
                older = older || other->ticket < one->ticket;
            bool const could = door_.look(now_) == state::open;
            auto const pass = door_.try_admit(one->ticket, now_);
            expect(pass.has_value() == (could && !older), "the turn of one that came back");
            if (pass)
            {
                sent(one, idle_, *pass);
                return;
            }
        }
        enqueue(one, idle_);
    }

    std::optional<limit_sample> a_sample()
    {
        if (roll(10) == 0)
            return std::nullopt;
        limit_sample sample;
        if (roll(8) != 0)
            sample.limit = roll(12);
        sample.remaining = roll(2) == 0 ? roll(3) : roll(60);
        switch (roll(4))
        {
        case 0: sample.reset = std::chrono::seconds(roll(3)); break;
        case 1: sample.reset = std::chrono::milliseconds(roll(150'000)); break;
        case 2: sample.reset = ccloud::core::longest_hint; break;
        default: sample.reset = std::chrono::seconds(60) - now_.time_since_epoch() % std::chrono::seconds(60);
        }
        return sample;
    }

    void cancel()
    {
        if (waiting_.empty())
            return;
        auto* const one = some(waiting_);
        door_.leave(*one);
        move(one, waiting_, idle_);
    }

    void pass_time()
    {
        if (roll(4) != 0)
            now_ += std::chrono::microseconds(roll(300'000));
        else if (roll(3) != 0)
        {
            if (auto const opens = door_.opens_at(now_))
                now_ = *opens;
        }
        else
            now_ += std::chrono::milliseconds(roll(30'000));
    }

    void drain()
    {
        gate_pass pass;
        auto how = door_.look(now_);
        auto left = door_.allowed();
        while (auto* const waiter = door_.next(now_, pass))
        {
            auto* const one = static_cast<call*>(waiter);
            expect(!one->queued, "is let through and still queued");
            for (auto const* other : waiting_)
                expect(
                    other->ticket >= one->ticket || (how != state::open && one->urgent && !other->urgent),
                    "overtook an older waiter"
                );
            expect(one->urgent || how == state::open, "did not wait for the pause to end");
            expect(one->urgent || !left || *left > 0, "was let through beyond the limit");
            sent(one, waiting_, pass);
            how = door_.look(now_);
            left = door_.allowed();
            if (wrong_)
                return;
        }
        expect(door_.next(now_, pass) == nullptr, "next after null");
        expect(how != state::open || waiting_.empty(), "waits at an open gate");
    }

    void check()
    {
        expect(door_.in_flight() == sent_.size(), "in_flight");
        expect(door_.waiting() == waiting_.size(), "waiting");
        expect(door_.window() >= 1 && door_.window() <= most_, "window");
        expect(door_.throttle_level() == level_, "throttle_level");
        expect(door_.probing() == (failures_ >= 5), "probing");
        expect((door_.look(now_) == state::closed) == (now_ < not_before_), "closed");
        auto const opens = door_.opens_at(now_);
        auto const longest = std::max({not_before_, paused_until_, now_ + 120s + 1s + 250ms});
        expect(!opens || (*opens > now_ && *opens <= longest), "opens_at");
        if (waiting_.empty() || !sent_.empty())
            return;
        expect(opens.has_value(), "would wait for ever");
        if (roll(4) == 0)
            jump_to_opening();
    }

    /** Nothing is under way, and somebody waits. */
    void jump_to_opening()
    {
        for (int i = 0; i < 2 && !wrong_; ++i) // what closes and what pauses end one after the other
            if (auto const opens = door_.opens_at(now_))
                now_ = *opens;
        auto const before = sent_.size();
        drain();
        expect(sent_.size() > before, "nobody was let through when the gate opened");
    }

    std::mt19937 dice_;
    std::vector<call> calls_;
    std::vector<call*> idle_;
    std::vector<call*> waiting_;
    std::vector<call*> sent_;
    std::size_t most_;
    gate door_;
    steady_time now_{};
    steady_time not_before_{};
    steady_time paused_until_{};
    std::uint64_t generation_ = 0;
    int level_ = 0;
    int failures_ = 0;
    bool down_ = false; // most requests fail
    std::optional<std::uint64_t> last_;
    std::uint64_t let_through_ = 0;
    std::size_t most_seen_ = 0;
    char const* wrong_ = nullptr;
};

} // namespace

TEST_CASE("G1-G8: a million random steps lose no waiter, and let nobody through out of turn")
{
    crowd everybody(20260101);
    for (int step = 0; step < 1'000'000; ++step)
        if (auto const* const wrong = everybody.step())
            FAIL("step " << step << ": " << wrong);
    auto const* const wrong = everybody.finish();
    CAPTURE(wrong);
    CHECK(!wrong);
    CHECK(everybody.busy());
}
