#include "core/pool.hpp"

#include <algorithm>
#include <utility>

namespace ccloud::core {

using std::chrono::nanoseconds;
using action = origin_pool::step::action;

namespace {

constexpr nanoseconds none(0);

/** More than clocks are set right by, less than any idle timeout. */
constexpr std::chrono::seconds shortest_sleep{1};

constexpr std::chrono::milliseconds quota_pause{50};

nanoseconds drawn(nanoseconds most, std::uint64_t dice) noexcept
{
    return nanoseconds(static_cast<std::int64_t>(dice % (static_cast<std::uint64_t>(most.count()) + 1)));
}

/** By the clock that says more. */
nanoseconds idle_for(pooled const& connection, pool_time now) noexcept
{
    return std::max<nanoseconds>(now.steady - connection.idle_since, now.wall - connection.idle_since_wall);
}

} // namespace

nanoseconds shortened(nanoseconds whole, unsigned part, std::uint64_t dice) noexcept
{
    return whole - drawn(std::max(none, whole / part), dice);
}

bool slot_quota::take(bool in_any_case) noexcept
{
    auto used = used_.load(std::memory_order_relaxed);
    do
        if (!in_any_case && most_ > 0 && used >= most_)
            return false;
    while (!used_.compare_exchange_weak(used, used + 1, std::memory_order_relaxed));
    return true;
}

origin_pool::origin_pool(pool_limits const& limits, slot_quota* quota) noexcept : limits_(limits), quota_(quota)
{
}

origin_pool::~origin_pool()
{
    for (auto left = slots(); left > 0; --left)
        free_slot();
}

void origin_pool::enqueue(pool_waiter& waiter, steady_time now) noexcept
{
    waiter.since = now;
    waiter.queued = true;
    waiter.next = nullptr;
    waiter.previous = last_;
    (last_ ? last_->next : first_) = &waiter;
    last_ = &waiter;
    ++waiters_;
}

void origin_pool::enqueue_front(pool_waiter& waiter) noexcept
{
    waiter.queued = true;
    waiter.previous = nullptr;
    waiter.next = first_;
    (first_ ? first_->previous : last_) = &waiter;
    first_ = &waiter;
    ++waiters_;
}

void origin_pool::cancel(pool_waiter& waiter) noexcept
{
    if (!waiter.queued)
        return;
    (waiter.previous ? waiter.previous->next : first_) = waiter.next;
    (waiter.next ? waiter.next->previous : last_) = waiter.previous;
    waiter.queued = false;
    --waiters_;
}

pool_waiter* origin_pool::take_waiter() noexcept
{
    auto* const oldest = first_;
    if (oldest)
        cancel(*oldest);
    return oldest;
}

void origin_pool::warm_up(std::size_t connections) noexcept
{
    wanted_ = std::min(connections, limits_.cap);
}

origin_pool::step origin_pool::next(pool_time now) noexcept
{
    look_at_all_ = slept(now) || look_at_all_;
    if (first_ && idle_ > 0)
        if (auto const granted = grant_one(now); granted.what != action::none)
            return granted;
    if (look_at_all_ || now.steady >= next_close_)
        if (auto const closing = close_one(now); closing.what != action::none)
            return closing;
    if (limits_.max_idle > 0 && idle_ > limits_.max_idle)
    {
        free_slot();
        return {action::close, nullptr, take(*oldest_), close_reason::evicted};
    }
    return dial_one(now.steady);
}

/** Whether the machine has slept since: then idle connections are older than the steady clock says. */
bool origin_pool::slept(pool_time now) noexcept
{
    auto const ahead =
        now.wall.time_since_epoch() - std::chrono::duration_cast<wall_time::duration>(now.steady.time_since_epoch());
    bool const jumped = clocks_ && ahead - *clocks_ >= shortest_sleep;
    clocks_ = ahead;
    return jumped;
}

/** Why a connection takes no further request. */
std::optional<close_reason> origin_pool::worn_out(pooled const& connection, steady_time now) const noexcept
{
    if (connection.poisoned)
        return close_reason::poisoned;
    if (connection.epoch != epoch_)
        return close_reason::superseded;
    if (limits_.max_requests > 0 && connection.requests >= limits_.max_requests)
        return close_reason::max_requests;
    if (connection.retires <= now)
        return close_reason::lifetime;
    return std::nullopt;
}

/** Why an idle connection is to be closed. */
std::optional<close_reason> origin_pool::past_use(pooled const& connection, pool_time now) const noexcept
{
    if (auto const why = worn_out(connection, now.steady))
        return why;
    bool const expired = idle_for(connection, now) >= connection.expires - connection.idle_since;
    return expired ? std::optional(close_reason::idle_timeout) : std::nullopt;
}

origin_pool::step origin_pool::close_one(pool_time now) noexcept
{
    next_close_ = steady_time::max();
    for (auto* each = oldest_; each; each = each->newer)
    {
        if (auto const why = past_use(*each, now))
        {
            next_close_ = now.steady; // there may be more
            free_slot();
            return {action::close, nullptr, take(*each), *why};
        }
        next_close_ = std::min({next_close_, each->expires, each->retires});
    }
    look_at_all_ = false;
    return {};
}

origin_pool::step origin_pool::grant_one(pool_time now) noexcept
{
    auto const due = wants_dial_at();
    bool const dial_is_due = due && *due <= now.steady;
    std::size_t ahead = 0;
    for (auto* waiter = first_; waiter; waiter = waiter->next, ++ahead)
    {
        if (auto* const connection = take_for(*waiter, now))
        {
            cancel(*waiter);
            ++active_;
            return {action::grant, waiter, connection};
        }
        if (dial_is_due && waiter->fresh && ahead >= dialing_)
            break; // those behind it could keep every connection busy for ever, and no room for its dial
    }
    return {};
}

pooled* origin_pool::take_for(pool_waiter const& waiter, pool_time now) noexcept
{
    for (auto* each = newest_; each; each = each->older)
    {
        auto const& connection = *each;
        auto const spent = past_use(connection, now);
        // A new one is for whoever waits, however short the idle timeout.
        bool const usable = !spent || (*spent == close_reason::idle_timeout && !connection.served());
        bool const too_old = waiter.idle_limit > none && idle_for(connection, now) > waiter.idle_limit;
        if (usable && !too_old && !(waiter.fresh && connection.served()))
            return take(*each);
    }
    return nullptr;
}

/** When a dial is wanted: for the first waiter without one, else to warm up. */
std::optional<steady_time> origin_pool::wants_dial_at() const noexcept
{
    if (dialing_ >= limits_.max_dials)
        return std::nullopt;
    if (waiters_ > dialing_)
    {
        auto const* waiter = first_;
        for (auto skipped = dialing_; skipped > 0; --skipped)
            waiter = waiter->next;
        // One that is in use may come back soon, but a waiter for a fresh one has nothing of that.
        bool const may_be_served = active_ > 0 && !waiter->fresh;
        return std::max(dial_from_, may_be_served ? waiter->since + limits_.dial_grace : steady_time{});
    }
    if (slots() < wanted_)
        return dial_from_;
    return std::nullopt;
}

origin_pool::step origin_pool::dial_one(steady_time now) noexcept
{
    room_from_ = {};
    auto const due = wants_dial_at();
    if (!due || now < *due)
        return {};
    if (slots() < limits_.cap && (!quota_ || quota_->take(slots() == 0)))
    {
        ++dialing_;
        return {action::dial};
    }
    // Nobody in the line may take an idle one: it makes room for one that somebody may.
    if (waiters_ > dialing_ && idle_ > 0)
    {
        free_slot();
        return {action::close, nullptr, take(*oldest_), close_reason::evicted};
    }
    if (waiters_ <= dialing_)
        wanted_ = 0; // there is no room to warm up
    else if (slots() < limits_.cap)
        room_from_ = now + quota_pause; // other shards do not tell when they close one
    return {};
}

std::optional<steady_time> origin_pool::wake_at() const noexcept
{
    auto earliest = idle_ == 0 ? steady_time::max() : next_close_;
    bool const has_room = slots() < limits_.cap || idle_ > 0; // an idle one makes room
    if (auto const due = wants_dial_at(); due && has_room)
        earliest = std::min(earliest, std::max(*due, room_from_));
    return earliest == steady_time::max() ? std::nullopt : std::optional(earliest);
}

void origin_pool::dialed(pooled& connection, pool_time now, nanoseconds keep_for, std::uint64_t dice) noexcept
{
    --dialing_;
    connection.made = connection.idle_since = now.steady;
    connection.idle_since_wall = now.wall;
    connection.expires = now.steady + keep_for;
    if (limits_.max_lifetime > none)
        connection.retires = now.steady + shortened(limits_.max_lifetime, 5, dice);
    keep(connection);
}

void origin_pool::dial_abandoned() noexcept
{
    --dialing_;
    free_slot();
}

pool_waiter* origin_pool::dial_failed(steady_time now, std::uint64_t dice) noexcept
{
    dial_abandoned();
    wanted_ = 0;
    if (now >= dial_from_) // else it began before the backoff, with another that failed
        back_off(now, dice);
    return take_waiter();
}

pool_waiter* origin_pool::take_overdue(steady_time now) noexcept
{
    bool const may_be_served = active_ > 0 || waiters_ <= dialing_;
    return !may_be_served && now - first_->since >= limits_.longest_dial_backoff ? take_waiter() : nullptr;
}

void origin_pool::back_off(steady_time now, std::uint64_t dice) noexcept
{
    auto most = limits_.dial_backoff;
    for (auto n = failed_dials_; n > 0 && most < limits_.longest_dial_backoff; --n)
        most *= 2;
    ++failed_dials_;
    dial_from_ = now + drawn(std::min(most, limits_.longest_dial_backoff), dice);
}

/** Whether the end of a connection counts as a failed dial. It does not if a response came over the connection, or if
    the connection lived for so long that the next dial may begin immediately. */
bool origin_pool::count_failure(pooled const& connection, steady_time now, std::uint64_t dice) noexcept
{
    if (connection.responded || now - connection.made >= limits_.longest_dial_backoff)
        return false;
    wanted_ = 0;
    if (connection.made >= dial_from_) // else it was dialled before the backoff, with another that failed
        back_off(now, dice);
    return true;
}

bool origin_pool::responded(pooled& connection) noexcept
{
    if (std::exchange(connection.responded, true))
        return false;
    failed_dials_ = 0;
    dial_from_ = {};
    return true;
}

bool origin_pool::found_dead(
    pooled const& connection, pool_waiter& waiter, steady_time now, std::uint64_t dice
) noexcept
{
    cut_off(connection, now, dice);
    bool const was_idle = connection.served() || connection.made < waiter.since;
    if (was_idle)
        enqueue_front(waiter);
    return !was_idle;
}

std::optional<close_reason> origin_pool::returned(pooled& connection, pool_time now, nanoseconds keep_for) noexcept
{
    --active_;
    if (auto const why = worn_out(connection, now.steady))
    {
        free_slot();
        return why;
    }
    connection.idle_since = now.steady;
    connection.idle_since_wall = now.wall;
    connection.expires = now.steady + keep_for;
    keep(connection);
    return std::nullopt;
}

void origin_pool::ungranted(pooled& connection) noexcept
{
    --active_;
    look_at_all_ = true;
    keep(connection);
}

void origin_pool::lost() noexcept
{
    --active_;
    free_slot();
}

bool origin_pool::cut_off(pooled const& connection, steady_time now, std::uint64_t dice) noexcept
{
    lost();
    return count_failure(connection, now, dice);
}

bool origin_pool::lost_idle(pooled& connection, steady_time now, std::uint64_t dice) noexcept
{
    take(connection);
    free_slot();
    return count_failure(connection, now, dice);
}

void origin_pool::poison(pooled& connection) noexcept
{
    connection.poisoned = true;
    look_at_all_ = true;
}

void origin_pool::retire_all() noexcept
{
    ++epoch_;
    look_at_all_ = true;
    failed_dials_ = 0;
    dial_from_ = {};
}

pooled* origin_pool::take_idle() noexcept
{
    if (!newest_)
        return nullptr;
    free_slot();
    return take(*newest_);
}

void origin_pool::keep(pooled& connection) noexcept
{
    connection.older = newest_;
    connection.newer = nullptr;
    (newest_ ? newest_->newer : oldest_) = &connection;
    newest_ = &connection;
    ++idle_;
    connection.idle = true;
    if (connection.epoch != epoch_)
        look_at_all_ = true;
    next_close_ = std::min({next_close_, connection.expires, connection.retires});
}

pooled* origin_pool::take(pooled& idle) noexcept
{
    (idle.older ? idle.older->newer : oldest_) = idle.newer;
    (idle.newer ? idle.newer->older : newest_) = idle.older;
    --idle_;
    idle.idle = false;
    return &idle;
}

void origin_pool::free_slot() noexcept
{
    if (wanted_ > 0)
        --wanted_; // what goes is not made up for
    if (quota_)
        quota_->give();
}

} // namespace ccloud::core
