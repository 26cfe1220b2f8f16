#include "core/pool.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

using ccloud::close_reason;
using ccloud::steady_time;
using ccloud::wall_time;
using ccloud::core::origin_pool;
using ccloud::core::pool_limits;
using ccloud::core::pool_time;
using ccloud::core::pool_waiter;
using ccloud::core::pooled;
using ccloud::core::slot_quota;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using namespace std::chrono_literals;
using action = origin_pool::step::action;

namespace {

/** What the pools of a storm have in common. */
struct world
{
    world(std::size_t most, unsigned seed) : quota(most), most_slots(most), dice(seed) {}

    unsigned roll(unsigned sides) { return static_cast<unsigned>(dice() % sides); }
    milliseconds up_to(nanoseconds most)
    {
        return milliseconds(roll(static_cast<unsigned>(most / nanoseconds(1ms)) + 1));
    }
    bool quota_is_full(std::size_t given_back = 0) const
    {
        return most_slots > 0 && quota.used() + given_back >= most_slots;
    }

    slot_quota quota;
    std::size_t most_slots;
    bool rush = false; // more arrive than are served
    std::minstd_rand dice;
    pool_time now{steady_time(1h), wall_time(500'000h)};
    long long step = 0;
};

/** Drives a pool by random events as its driver would, keeps simple books of its own, and compares. */
class player
{
public:
    player(world& of, pool_limits const& limits) : world_(of), limits_(limits), pool_(limits, &of.quota) {}

    void event();
    void settle();
    void everybody_leaves();
    void serve_a_newcomer();
    void require_that_none_expired() const;

    std::optional<steady_time> wake_at() const { return pool_.wake_at(); }
    std::size_t slots() const { return idle_ + active_ + dials_.size(); }

private:
    enum class held : unsigned char { closed, idle, granted, used };

    struct waiting
    {
        pool_waiter shared;
        bool here = false; // in the line, or with a connection
        steady_time since{};
    };

    struct connection
    {
        pooled shared;
        held is = held::closed;
        waiting* holder = nullptr;
        long long order = 0; // when it became idle
        pool_time idle_from{};
        nanoseconds keep{};
        steady_time retires = (steady_time::max)();
        std::uint64_t epoch = 0;
        bool poisoned = false;
        bool responded = false;
        steady_time made{};
    };

    void require(bool holds, std::string_view what) const
    {
        if (!holds)
            FAIL("cap " << limits_.cap << ", quota " << world_.most_slots << ", step " << world_.step << ": " << what);
    }

    std::optional<close_reason> worn(connection const& what) const;
    bool was_idle_for(connection const& what, nanoseconds time) const;
    bool may_take(waiting const& who, connection const& what) const;
    std::size_t first_taker() const;
    steady_time dial_by() const { return std::max(no_dial_before_, quota_until_); }
    bool wants_dial() const { return line_.size() > dials_.size() && dials_.size() < limits_.max_dials; }
    steady_time end_of_grace() const;
    bool room_is_for_a_fresh_one() const;
    void compare() const;
    void compare_rest();

    connection* any(held wanted);
    connection& of(pooled const* shared);
    void leave_line(waiting& who);

    void arrive(waiting& who);
    void leave(waiting& who);
    void come_back(connection& what);
    void found_dead(connection& what);
    void lose(connection& what);
    void die_idle(connection& what);
    void respond(connection& what);
    bool fails_a_dial(connection const& what, nanoseconds pause);
    static std::uint64_t dice_of(nanoseconds pause) { return static_cast<std::uint64_t>(pause.count()); }
    void dial_succeeded(std::uint64_t epoch);
    void dial_failed();
    void tell_overdue();
    void end_dial(bool well);
    void warm_up();
    void rare_event();

    void granted(pool_waiter const* to, connection& what);
    void dial_begun();
    void closed(connection& what, close_reason why);
    void becomes_idle(connection& what);
    void gone(connection& what);

    world& world_;
    pool_limits const limits_;
    origin_pool pool_;
    std::array<connection, 10> connections_;
    std::array<waiting, 12> waiters_;
    std::vector<waiting*> line_;
    std::vector<std::uint64_t> dials_; // the epoch of each
    std::size_t idle_ = 0, active_ = 0;
    std::size_t to_warm_up_ = 0; // dials that may be begun for nobody
    std::uint64_t epoch_ = 0;
    steady_time no_dial_before_{}; // for failed dials
    steady_time quota_until_{};    // it need not be asked before
    long long clock_ = 0, dialled_ = 0, ended_ = 0;
};

// What ought to be

std::optional<close_reason> player::worn(connection const& what) const
{
    if (what.poisoned)
        return close_reason::poisoned;
    if (what.epoch != epoch_)
        return close_reason::superseded;
    if (limits_.max_requests > 0 && what.shared.requests >= limits_.max_requests)
        return close_reason::max_requests;
    if (what.retires <= world_.now.steady)
        return close_reason::lifetime;
    return std::nullopt;
}

bool player::was_idle_for(connection const& what, nanoseconds time) const
{
    return world_.now.steady - what.idle_from.steady >= time || world_.now.wall - what.idle_from.wall >= time;
}

bool player::may_take(waiting const& who, connection const& what) const
{
    if (what.is != held::idle || worn(what))
        return false;
    if (what.shared.requests > 0 && (who.shared.fresh || was_idle_for(what, what.keep)))
        return false;
    return who.shared.idle_limit == 0ns || !was_idle_for(what, who.shared.idle_limit + 1ns);
}

/** The place in the line of the first one that may take an idle connection. */
std::size_t player::first_taker() const
{
    std::size_t place = line_.size();
    if (idle_ > 0)
        for (place = 0; place < line_.size(); ++place)
            for (auto const& what : connections_)
                if (may_take(*line_[place], what))
                    return place;
    return place;
}

/** Until when the first waiter without a dial had better not have one. */
steady_time player::end_of_grace() const
{
    auto const& who = *line_[dials_.size()];
    return active_ > 0 && !who.shared.fresh ? who.since + limits_.dial_grace : steady_time();
}

/** A dial is owed, and one is in the line for whom it must be, ahead of those that may take an idle one. */
bool player::room_is_for_a_fresh_one() const
{
    if (!wants_dial() || world_.now.steady < std::max(no_dial_before_, end_of_grace()))
        return false;
    auto const first = line_.begin() + static_cast<std::ptrdiff_t>(dials_.size());
    auto const last = line_.begin() + static_cast<std::ptrdiff_t>(std::max(dials_.size(), first_taker()));
    return std::any_of(first, last, [](waiting const* who) { return who->shared.fresh; });
}

void player::compare() const
{
    require(pool_.idle() == idle_, "idle connections are counted");
    require(pool_.active() == active_, "active connections are counted");
    require(pool_.dialing() == dials_.size(), "dials are counted");
    require(pool_.waiters() == line_.size(), "waiters are counted");
    require(slots() <= limits_.cap, "the cap holds");
    require(dials_.size() <= limits_.max_dials, "no more is dialled at once than may be");
    require(dialled_ - ended_ == static_cast<long long>(slots()), "no connection appears or vanishes");
}

/** The pool does no more: there is a reason, and it says until when. */
void player::compare_rest()
{
    auto const now = world_.now.steady;
    auto const wake = pool_.wake_at();
    require(!wake || *wake > now, "it does not wake up for nothing");
    require(first_taker() == line_.size(), "no waiter waits beside a connection it may take");
    require(limits_.max_idle == 0 || idle_ <= limits_.max_idle, "no more are idle than may be");
    for (auto const& what : connections_)
        if (what.is == held::idle)
        {
            auto const end = std::min(what.idle_from.steady + what.keep, what.retires);
            require(!worn(what) && now < end, "what is worn or has expired is closed");
            require(wake && *wake <= end, "it wakes up to close a connection");
        }
    if (wants_dial() && (slots() < limits_.cap || idle_ > 0))
    {
        bool const no_room = world_.quota_is_full() && slots() > 0 && idle_ == 0;
        require(no_room || now < std::max(dial_by(), end_of_grace()), "who waits has a dial if there is room");
        if (no_room && now >= std::max(no_dial_before_, end_of_grace()))
            quota_until_ = now + 50ms;
        require(wake && *wake <= std::max(dial_by(), end_of_grace()), "it wakes up to dial");
    }
    else if (!wants_dial() && to_warm_up_ > 0 && dials_.size() < limits_.max_dials && world_.most_slots == 0)
        require(now < dial_by() && wake && *wake <= dial_by(), "it warms up as soon as it may");
}

void player::require_that_none_expired() const
{
    for (auto const& what : connections_)
        require(what.is != held::idle || !was_idle_for(what, what.keep), "what expired in its sleep is closed");
}

// What its driver does

player::connection* player::any(held wanted)
{
    auto const start = world_.roll(static_cast<unsigned>(connections_.size()));
    for (std::size_t i = 0; i < connections_.size(); ++i)
        if (auto& one = connections_[(start + i) % connections_.size()]; one.is == wanted)
            return &one;
    return nullptr;
}

player::connection& player::of(pooled const* shared)
{
    auto const one =
        std::find_if(connections_.begin(), connections_.end(), [=](auto const& c) { return &c.shared == shared; });
    require(one != connections_.end(), "the connection is one of ours");
    return *one;
}

void player::leave_line(waiting& who)
{
    line_.erase(std::remove(line_.begin(), line_.end(), &who), line_.end());
}

void player::event()
{
    auto& who = waiters_[world_.roll(static_cast<unsigned>(waiters_.size()))];
    auto const which = world_.rush ? world_.roll(20) : 4 + world_.roll(16);
    if (which < 6)
    {
        if (!who.here)
            arrive(who);
    }
    else if (which < 7)
        leave(who);
    else if (which < 10)
    {
        if (auto* const granted = any(held::granted))
        {
            ++granted->shared.requests;
            granted->is = held::used;
        }
    }
    else if (which < 14)
    {
        if (auto* const used = any(held::used))
            come_back(*used);
    }
    else if (which < 17)
        end_dial(true);
    else if (which == 17)
        end_dial(world_.roll(2) == 0);
    else
        rare_event();
    compare();
}

void player::rare_event()
{
    auto const which = world_.roll(40);
    auto* const what = any(static_cast<held>(1 + world_.roll(3)));
    if (which < 20 && what)
    {
        if (what->is == held::idle)
            die_idle(*what);
        else if (what->is == held::granted)
            found_dead(*what);
        else
            lose(*what);
    }
    else if (which < 24 && what)
    {
        what->poisoned = true;
        pool_.poison(what->shared);
    }
    else if (which < 28)
        warm_up();
    else if (which == 28)
    {
        ++epoch_;
        no_dial_before_ = quota_until_ = {};
        pool_.retire_all();
    }
    else if (which == 29 && !dials_.empty())
    {
        dials_.pop_back();
        ++ended_;
        pool_.dial_abandoned();
    }
    else if (which == 30)
        if (auto* const taken = pool_.take_idle())
            gone(of(taken));
}

void player::arrive(waiting& who)
{
    who.shared.fresh = world_.roll(4) == 0;
    who.shared.idle_limit = world_.roll(3) == 0 ? 5s : 0s;
    who.here = true;
    who.since = world_.now.steady;
    line_.push_back(&who);
    pool_.enqueue(who.shared, world_.now.steady);
}

/** A call is cancelled, at whatever it does. */
void player::leave(waiting& who)
{
    pool_.cancel(who.shared);
    leave_line(who);
    auto const what =
        std::find_if(connections_.begin(), connections_.end(), [&](auto const& c) { return c.holder == &who; });
    if (what != connections_.end() && what->is == held::used)
        lose(*what);
    else if (what != connections_.end())
    {
        auto const as_old = what->idle_from;
        --active_;
        becomes_idle(*what);
        what->idle_from = as_old;
        pool_.ungranted(what->shared);
    }
    who.here = false;
}

void player::come_back(connection& what)
{
    respond(what);
    auto const why = worn(what);
    auto const keep = world_.roll(10) == 0 ? 0ms : world_.up_to(50s);
    require(pool_.returned(what.shared, world_.now, keep) == why, "what is worn is not kept, and all else is");
    what.holder->here = false;
    if (why)
    {
        gone(what);
        return;
    }
    what.keep = keep;
    --active_;
    becomes_idle(what);
}

/** The header section of a response has come, perhaps the first of the connection. */
void player::respond(connection& what)
{
    require(pool_.responded(what.shared) == !what.responded, "it knows the first response of a connection");
    if (!std::exchange(what.responded, true))
        no_dial_before_ = quota_until_ = {};
}

/** A call has ended, and the server has ended its connection. */
void player::lose(connection& what)
{
    what.holder->here = false;
    auto const how = world_.roll(3);
    if (how == 0)
        pool_.lost();
    else
    {
        if (how == 1)
            respond(what);
        nanoseconds const pause = world_.up_to(limits_.dial_backoff);
        bool const expected = fails_a_dial(what, pause);
        bool const counted = pool_.cut_off(what.shared, world_.now.steady, dice_of(pause));
        require(counted == expected, "a connection that dies without a response is a failed dial");
    }
    gone(what);
}

void player::die_idle(connection& what)
{
    nanoseconds const pause = world_.up_to(limits_.dial_backoff);
    bool const expected = fails_a_dial(what, pause);
    bool const counted = pool_.lost_idle(what.shared, world_.now.steady, dice_of(pause));
    require(counted == expected, "a connection that dies idle without a response is a failed dial");
    gone(what);
}

/** The server had closed a granted connection: its waiter fails, or goes back to the front of the queue. */
void player::found_dead(connection& what)
{
    auto& who = *what.holder;
    nanoseconds const pause = world_.up_to(limits_.dial_backoff);
    fails_a_dial(what, pause);
    bool const its_own = what.shared.requests == 0 && what.made >= who.since;
    if (!its_own)
        who.shared.fresh = world_.roll(2) == 0;
    bool const failed = pool_.found_dead(what.shared, who.shared, world_.now.steady, dice_of(pause));
    require(failed == its_own, "who waited for the dial has failed, and nobody else");
    who.here = !failed;
    gone(what);
    if (!failed)
        line_.insert(line_.begin(), &who);
}

/** Whether the end of a connection counts as a failed dial. Then the next dial waits, except if it began together with
        the failed one. */
bool player::fails_a_dial(connection const& what, nanoseconds pause)
{
    auto const now = world_.now.steady;
    if (what.responded || now - what.made >= limits_.longest_dial_backoff)
        return false;
    to_warm_up_ = 0;
    if (what.made >= no_dial_before_)
        no_dial_before_ = now + pause;
    return true;
}

void player::end_dial(bool well)
{
    if (dials_.empty())
        return;
    auto const which = dials_.begin() + world_.roll(static_cast<unsigned>(dials_.size()));
    auto const epoch = *which;
    dials_.erase(which);
    if (well)
        dial_succeeded(epoch);
    else
        dial_failed();
}

void player::dial_succeeded(std::uint64_t epoch)
{
    auto& what = *any(held::closed);
    what = connection();
    what.shared.epoch = what.epoch = epoch;
    what.keep = world_.roll(10) == 0 ? 0ms : world_.up_to(50s);
    nanoseconds const less = world_.up_to(limits_.max_lifetime / 5);
    if (limits_.max_lifetime > 0s)
        what.retires = world_.now.steady + limits_.max_lifetime - less;
    becomes_idle(what);
    what.made = world_.now.steady;
    pool_.dialed(what.shared, world_.now, what.keep, static_cast<std::uint64_t>(less.count()));
}

void player::dial_failed()
{
    auto const now = world_.now.steady;
    // The pause is drawn from this range, however many dials failed before.
    nanoseconds const pause = world_.up_to(limits_.dial_backoff);
    auto* const oldest = line_.empty() ? nullptr : line_.front();
    auto* const told = pool_.dial_failed(now, dice_of(pause));
    require(told == (oldest ? &oldest->shared : nullptr), "a failed dial completes the oldest waiter");
    if (oldest)
    {
        leave_line(*oldest);
        oldest->here = false;
    }
    tell_overdue();
    if (now >= no_dial_before_)
        no_dial_before_ = now + pause;
    to_warm_up_ = 0;
    ++ended_;
}

/** The waiters that fail together with the oldest one after a failed dial. */
void player::tell_overdue()
{
    for (;;)
    {
        bool const may_be_served = active_ > 0 || line_.size() <= dials_.size();
        auto* const who = may_be_served ? nullptr : line_.front();
        bool const overdue = who && world_.now.steady - who->since >= limits_.longest_dial_backoff;
        auto* const told = pool_.take_overdue(world_.now.steady);
        require(told == (overdue ? &who->shared : nullptr), "who has waited long hears of a failed dial");
        if (!overdue)
            return;
        leave_line(*who);
        who->here = false;
    }
}

void player::warm_up()
{
    std::size_t const wanted = world_.roll(12);
    auto const target = std::min(wanted, limits_.cap);
    to_warm_up_ = target > slots() ? target - slots() : 0;
    pool_.warm_up(wanted);
}

void player::becomes_idle(connection& what)
{
    what.is = held::idle;
    what.holder = nullptr;
    what.order = ++clock_;
    what.idle_from = world_.now;
    ++idle_;
}

void player::gone(connection& what)
{
    --(what.is == held::idle ? idle_ : active_);
    what.is = held::closed;
    what.holder = nullptr;
    ++ended_;
}

// What the pool does

void player::settle()
{
    for (int turn = 0;; ++turn)
    {
        require(turn < 100, "the pool comes to rest");
        auto const step = pool_.next(world_.now);
        if (step.what == action::none)
            break;
        if (step.what == action::grant)
            granted(step.waiter, of(step.connection));
        else if (step.what == action::dial)
            dial_begun();
        else
            closed(of(step.connection), step.reason);
        compare();
    }
    compare_rest();
}

void player::granted(pool_waiter const* to, connection& what)
{
    auto const place = first_taker();
    require(place < line_.size() && &line_[place]->shared == to, "the first that may take any is served");
    auto& who = *line_[place];
    require(!who.shared.queued && !what.shared.idle, "it is in no line any more, and the connection not idle");
    require(may_take(who, what), "nothing is given that is worn, or not for this one");
    for (auto const& other : connections_)
        require(!may_take(who, other) || other.order <= what.order, "the newest idle connection is given");
    leave_line(who);
    what.is = held::granted;
    what.holder = &who;
    --idle_;
    ++active_;
}

void player::dial_begun()
{
    auto const now = world_.now.steady;
    bool const had_room = world_.most_slots == 0 || world_.quota.used() <= world_.most_slots;
    require(had_room || slots() == 0, "the quota has room, or it is the first");
    require(now >= no_dial_before_, "nothing is dialled during the backoff");
    if (line_.size() > dials_.size())
        require(now >= end_of_grace(), "nothing is dialled during the grace");
    else
        require(to_warm_up_ > 0, "nothing is dialled for nobody");
    dials_.push_back(epoch_);
    to_warm_up_ -= to_warm_up_ > 0 ? 1 : 0;
    ++dialled_;
}

void player::closed(connection& what, close_reason why)
{
    require(what.is == held::idle && !what.shared.idle, "only what is idle is closed, and is not any more");
    require(first_taker() == line_.size() || room_is_for_a_fresh_one(), "nothing is closed while any may be taken");
    if (auto const expected = worn(what))
        require(why == *expected, "it says what is worn");
    else if (why == close_reason::idle_timeout)
        require(was_idle_for(what, what.keep), "it has expired");
    else
    {
        require(why == close_reason::evicted, "nothing is wrong with it");
        bool const makes_room = wants_dial() && (slots() == limits_.cap || world_.quota_is_full(1)) &&
                                world_.now.steady >= std::max(no_dial_before_, end_of_grace());
        require(makes_room || (limits_.max_idle > 0 && idle_ > limits_.max_idle), "too many are idle, or one is due");
        for (auto const& other : connections_)
            require(other.is != held::idle || other.order >= what.order, "the oldest one goes");
    }
    gone(what);
}

// The end

void player::everybody_leaves()
{
    for (auto& who : waiters_)
        leave(who);
    settle();
    require(pool_.active() == 0 && pool_.waiters() == 0, "nobody is left");
    require(pool_.idle() + pool_.dialing() == slots(), "nothing is left in between");
}

void player::serve_a_newcomer()
{
    auto& who = waiters_.front();
    arrive(who);
    for (int turn = 0; turn < 100; ++turn)
    {
        settle();
        if (!who.shared.queued)
            return;
        if (!dials_.empty())
            end_dial(true);
        else
        {
            auto const wake = wake_at();
            require(wake.has_value(), "it goes on for as long as somebody waits");
            world_.now.wall += *wake - world_.now.steady;
            world_.now.steady = *wake;
        }
    }
    require(false, "who comes after the storm is served");
}

pool_limits some_limits(world& of, std::size_t cap)
{
    pool_limits limits;
    limits.cap = cap;
    limits.max_idle = of.roll(3);
    limits.max_dials = 1 + of.roll(4);
    limits.max_requests = of.roll(2) * 3;
    limits.max_lifetime = of.roll(2) * 20s;
    limits.dial_grace = of.roll(2) * 5ms;
    limits.dial_backoff = of.roll(3) * 50ms;
    limits.longest_dial_backoff = 1s;
    return limits;
}

/** Lets time pass; @return whether the machine slept. */
bool pass_time(world& of, player const& one)
{
    nanoseconds passed = 0s, asleep = 0s;
    auto const kind = of.roll(100);
    if (kind < 50)
        passed = of.up_to(4ms);
    else if (kind < 70)
        passed = of.up_to(4s);
    else if (kind < 90)
        passed = one.wake_at().value_or(of.now.steady) - of.now.steady;
    else if (kind < 95)
        asleep = 2s + of.up_to(60s);
    else
        asleep = of.up_to(1998ms) - 999ms; // somebody sets the clock right
    of.now.steady += passed;
    of.now.wall += passed + asleep;
    return asleep >= 2s;
}

void storm(std::size_t cap, std::size_t quota, unsigned seed, int rounds, int steps)
{
    world of(quota, seed);
    {
        std::array<player, 2> players{player(of, some_limits(of, cap)), player(of, some_limits(of, cap))};
        for (int round = 0; round < rounds; ++round)
        {
            for (int i = 0; i < steps; ++i, ++of.step)
            {
                if (of.roll(300) == 0)
                    of.rush = !of.rush;
                auto& one = players[of.roll(2)];
                one.event();
                one.settle();
                if (of.roll(6) == 0)
                {
                    bool const slept = pass_time(of, one);
                    for (auto& each : players)
                    {
                        each.settle();
                        if (slept)
                            each.require_that_none_expired();
                    }
                }
                if (of.quota.used() != players[0].slots() + players[1].slots())
                    FAIL("step " << of.step << ": what the quota counts is what there is");
            }
            for (auto& each : players)
                each.everybody_leaves();
            players[of.roll(2)].serve_a_newcomer();
        }
    }
    CHECK(of.quota.used() == 0);
}

} // namespace

TEST_CASE("pool 21: two million random events, many of them cancellations, break no rule of the pool")
{
    unsigned seed = 4711;
    for (std::size_t const cap : {1u, 2u, 3u, 5u, 8u})
        for (std::size_t const quota : {0u, 1u, 4u, 9u})
            for (int part = 0; part < 4; ++part)
                storm(cap, quota, ++seed, 5, 5'000);
}

namespace {

/** Attempts against a server that ends every connection without a response, and the counts of attempts and dials. */
class hopeless
{
public:
    hopeless(pool_limits const& limits, unsigned seed) : pool_(limits), dice_(seed) {}

    void step();

    long long dials() const noexcept { return dials_; }
    long long attempts() const noexcept { return attempts_; }
    void pass(nanoseconds time)
    {
        now_.steady += time;
        now_.wall += time;
    }

private:
    struct held
    {
        pooled shared;
        pool_waiter* by = nullptr; ///< null: idle, or closed
        bool open = false;
    };

    unsigned roll(unsigned sides) { return static_cast<unsigned>(dice_() % sides); }
    held* any(bool idle);
    void settle();

    origin_pool pool_;
    std::minstd_rand dice_;
    pool_time now_{steady_time(1h), wall_time(500'000h)};
    std::array<pool_waiter, 32> waiters_;
    std::array<bool, 32> busy_{};
    std::array<held, 16> connections_;
    long long dials_ = 0;
    long long attempts_ = 0;
};

hopeless::held* hopeless::any(bool idle)
{
    auto const start = roll(static_cast<unsigned>(connections_.size()));
    for (std::size_t i = 0; i < connections_.size(); ++i)
        if (auto& one = connections_[(start + i) % connections_.size()]; one.open && (one.by == nullptr) == idle)
            return &one;
    return nullptr;
}

void hopeless::settle()
{
    for (;;)
    {
        auto const next = pool_.next(now_);
        if (next.what == action::none)
            return;
        if (next.what == action::dial)
        {
            ++dials_;
            continue;
        }
        auto const one = std::find_if(connections_.begin(), connections_.end(), [&](held const& each) {
            return &each.shared == next.connection;
        });
        REQUIRE(one != connections_.end());
        one->by = next.what == action::grant ? next.waiter : nullptr;
        one->open = next.what == action::grant;
    }
}

void hopeless::step()
{
    auto const place = roll(static_cast<unsigned>(waiters_.size()));
    auto& who = waiters_[place];
    auto const over = [this](pool_waiter const* of) { busy_[static_cast<std::size_t>(of - waiters_.data())] = false; };
    switch (roll(8))
    {
    case 0:
    case 1:
    case 2:
        if (!std::exchange(busy_[place], true))
        {
            ++attempts_;
            who.fresh = roll(4) == 0;
            who.idle_limit = roll(4) == 0 ? 5s : 0s;
            pool_.enqueue(who, now_.steady);
        }
        break;
    case 3: // it is cancelled in the line
        if (who.queued)
        {
            pool_.cancel(who);
            over(&who);
        }
        break;
    case 4: // a dial ends
        if (pool_.dialing() == 0)
            break;
        if (roll(6) == 0)
        {
            if (auto* const told = pool_.dial_failed(now_.steady, dice_()))
                over(told);
            while (auto* const overdue = pool_.take_overdue(now_.steady))
                over(overdue);
            break;
        }
        for (auto& each : connections_)
            if (!each.open)
            {
                each = held();
                each.open = true;
                pool_.dialed(each.shared, now_, 50s, dice_());
                break;
            }
        break;
    case 5: // what was granted is found dead, or is handed back, or dies with a request
        if (auto* const one = any(false))
        {
            auto* const by = std::exchange(one->by, nullptr);
            auto const how = roll(4);
            if (how == 0)
            {
                pool_.ungranted(one->shared);
                over(by);
                break;
            }
            one->open = false;
            bool const ends = how == 1 || pool_.found_dead(one->shared, *by, now_.steady, dice_());
            if (how == 1)
                pool_.cut_off(one->shared, now_.steady, dice_());
            if (ends)
                over(by);
        }
        break;
    case 6: // one dies idle
        if (auto* const one = any(true))
        {
            one->open = false;
            pool_.lost_idle(one->shared, now_.steady, dice_());
        }
        break;
    case 7: pass(milliseconds(roll(20))); break;
    }
    settle();
}

} // namespace

TEST_CASE("pool 10: a server that ends every connection without a response gets at most one dial per attempt")
{
    for (unsigned seed = 1; seed <= 20; ++seed)
        for (std::size_t const most_dials : {1u, 4u, 16u})
            for (nanoseconds const backoff : {0ms, 1ms, 100ms})
            {
                pool_limits limits;
                limits.cap = 16;
                limits.max_dials = most_dials;
                limits.dial_grace = 5ms;
                limits.dial_backoff = backoff;
                limits.longest_dial_backoff = 50 * backoff;
                hopeless server(limits, seed);
                for (int i = 0; i < 20'000; ++i)
                {
                    server.step();
                    if (server.dials() > server.attempts())
                        FAIL(
                            "seed " << seed << ", step " << i << ": " << server.dials() << " dials, "
                                    << server.attempts() << " attempts"
                        );
                }
                CHECK(server.dials() > 0);
            }
}
