#ifndef CCLOUD_CORE_POOL_HPP
#define CCLOUD_CORE_POOL_HPP

#include <ccloud/observe.hpp>
#include <ccloud/timer.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace ccloud::core {

/** Both clocks, for the steady one stands still while a machine sleeps. */
struct pool_time
{
    steady_time steady{};
    wall_time wall{};
};

/** What a pool may do; zero durations and numbers as in `config::pool_options`. */
struct pool_limits
{
    std::size_t cap = 16;      ///< idle + active + dialling
    std::size_t max_idle = 0;  ///< 0: all
    std::size_t max_dials = 4; ///< at the same time
    std::uint64_t max_requests = 0;
    std::chrono::nanoseconds max_lifetime{}; ///< less up to a fifth, drawn for each connection
    std::chrono::nanoseconds dial_grace{};   ///< a call waits so long for a connection to come back before it dials
    /** The pause after a failed dial is random, up to this. Each further failed dial doubles it, until a connection has
        carried a response. */
    std::chrono::nanoseconds dial_backoff{};
    std::chrono::nanoseconds longest_dial_backoff{};
};

/** The slots that the pools of several shards share. Any thread. */
class slot_quota
{
public:
    /** 0: any number. */
    explicit slot_quota(std::size_t most) noexcept : most_(most) {}

    /** Takes one where there is one, or in any case. */
    bool take(bool in_any_case) noexcept;
    void give() noexcept { used_.fetch_sub(1, std::memory_order_relaxed); }
    std::size_t used() const noexcept { return used_.load(std::memory_order_relaxed); }

private:
    std::size_t const most_;
    std::atomic<std::size_t> used_{0};
};

/** A connection, as far as the pool is concerned. */
struct pooled
{
    std::uint64_t requests = 0; ///< given to it so far
    steady_time made{};
    steady_time idle_since{};
    wall_time idle_since_wall{};
    steady_time expires = (steady_time::max)(); ///< is to be closed then, if idle
    steady_time retires = (steady_time::max)(); ///< takes no further request from then on
    std::uint64_t epoch = 0;                    ///< `origin_pool::epoch()` when its dial began
    bool poisoned = false;
    bool responded = false;  ///< a response came over it
    bool idle = false;       ///< the pool holds it
    pooled* older = nullptr; ///< links of the idle connections, in the order in which they became idle
    pooled* newer = nullptr;

    bool served() const noexcept { return requests > 0; }
};

/** A call that waits for a connection. Lives with the call; it is queued or not. */
struct pool_waiter
{
    bool fresh = false;                    ///< takes no connection that has served
    std::chrono::nanoseconds idle_limit{}; ///< takes none idle for longer; zero: any
    steady_time since{};                   ///< in the line
    bool queued = false;
    pool_waiter* previous = nullptr;
    pool_waiter* next = nullptr;
};

/** The connections to one origin: who gets which, when to dial and when to close. No I/O, no clock, no dice: the driver
    tells what happened, then asks `next()` what to do until there is nothing, and again at `wake_at()`.

    Waiters are served in order of arrival, each by whatever comes first, a returned connection or a finished dial;
    idle connections are reused last in, first out. Dials belong to the pool, not to a waiter. A slot is a connection
    that is idle, active or being dialled; there are never more than the cap, nor, but for the first one, more than
    the quota has. */
class origin_pool
{
public:
    /** The quota outlives the pool; null: there is none. */
    explicit origin_pool(pool_limits const& limits, slot_quota* quota = nullptr) noexcept;
    origin_pool(origin_pool const&) = delete;
    origin_pool& operator=(origin_pool const&) = delete;
    ~origin_pool();

    void enqueue(pool_waiter& waiter, steady_time now) noexcept;

    /** Puts a waiter back to the front, with its time: what it was granted was of no use. */
    void enqueue_front(pool_waiter& waiter) noexcept;

    /** Takes a waiter out of the line; nothing where it is not in it. */
    void cancel(pool_waiter& waiter) noexcept;

    /** There should be so many connections, whether anybody waits or not. Dials that fail are not made up for. */
    void warm_up(std::size_t connections) noexcept;

    struct step
    {
        enum class action : unsigned char {
            none,
            grant, ///< `connection` is `waiter`'s now, and active
            dial,  ///< begin one; counted already
            close, ///< `connection` is no longer counted, for `reason`
        } what = action::none;
        pool_waiter* waiter = nullptr;
        pooled* connection = nullptr;
        close_reason reason = close_reason::evicted;
    };
    step next(pool_time now) noexcept;

    /** When to ask `next()` again though nothing has happened: an idle connection expires, a dial may begin. */
    std::optional<steady_time> wake_at() const noexcept;

    /** A dial succeeded; the connection is idle for now, until `expires`. The backoff goes on, because a server may
        accept connections and close them immediately. */
    void dialed(pooled& connection, pool_time now, std::chrono::nanoseconds keep, std::uint64_t dice) noexcept;

    /** A dial failed; gives the waiter that is to hear of it, the oldest, if any. */
    pool_waiter* dial_failed(steady_time now, std::uint64_t dice) noexcept;

    /** After a failed dial: removes a waiter whose attempt ends with that failure, too, because it has waited for the
        longest backoff or more, and neither a connection in use nor another dial may serve it. Null if there is
        none. */
    pool_waiter* take_overdue(steady_time now) noexcept;

    /** A response came over an active connection. The first response of a connection ends the backoff.
        @return whether this is the first */
    bool responded(pooled& connection) noexcept;

    /** The peer ended a granted connection before a request was sent over it. The pool no longer counts it.
        @return whether that is a failed dial of `waiter`, because the connection was made while `waiter` waited; if
        not, the connection was idle before, and `waiter` is back at the front of the queue, with the time since it
        waits */
    bool found_dead(pooled const& connection, pool_waiter& waiter, steady_time now, std::uint64_t dice) noexcept;

    /** Until then no dial begins, for others have failed. */
    steady_time dials_from() const noexcept { return dial_from_; }

    /** A dial was given up; nobody is to blame. */
    void dial_abandoned() noexcept;

    /** Takes the oldest waiter out of the line: for a failure that all would meet. Null where there is none. */
    pool_waiter* take_waiter() noexcept;

    /** An active connection comes back, to be kept for so long.
        @return why it is to be closed instead, where it is; then it is no longer counted */
    std::optional<close_reason> returned(pooled& connection, pool_time now, std::chrono::nanoseconds keep) noexcept;

    /** A granted connection comes back as it was: it was not used. */
    void ungranted(pooled& connection) noexcept;

    /** This side closed an active connection. */
    void lost() noexcept;

    /** The peer ended an active connection. If the connection was new and had carried no response, that counts as a
        failed dial.
        @return whether it counts */
    bool cut_off(pooled const& connection, steady_time now, std::uint64_t dice) noexcept;

    /** The same for an idle connection. */
    bool lost_idle(pooled& connection, steady_time now, std::uint64_t dice) noexcept;

    /** The connection takes no further request. */
    void poison(pooled& connection) noexcept;

    /** None of those does that were dialled, or begun to be, before now; and what made dials fail is over. */
    void retire_all() noexcept;
    std::uint64_t epoch() const noexcept { return epoch_; }

    /** Takes any idle connection; null where there is none. */
    pooled* take_idle() noexcept;

    /** The connection that became idle last; null if there is none. `older` links it to the others. */
    pooled* newest_idle() const noexcept { return newest_; }
    std::size_t idle() const noexcept { return idle_; }
    std::size_t active() const noexcept { return active_; }
    std::size_t dialing() const noexcept { return dialing_; }
    std::size_t waiters() const noexcept { return waiters_; }

private:
    std::size_t slots() const noexcept { return idle_ + active_ + dialing_; }
    bool slept(pool_time now) noexcept;
    std::optional<close_reason> worn_out(pooled const& connection, steady_time now) const noexcept;
    std::optional<close_reason> past_use(pooled const& connection, pool_time now) const noexcept;
    step close_one(pool_time now) noexcept;
    step grant_one(pool_time now) noexcept;
    step dial_one(steady_time now) noexcept;
    void back_off(steady_time now, std::uint64_t dice) noexcept;
    bool count_failure(pooled const& connection, steady_time now, std::uint64_t dice) noexcept;
    pooled* take_for(pool_waiter const& waiter, pool_time now) noexcept;
    std::optional<steady_time> wants_dial_at() const noexcept;
    void keep(pooled& connection) noexcept;
    pooled* take(pooled& idle) noexcept;
    void free_slot() noexcept;

    pool_limits const limits_;
    slot_quota* const quota_;
    std::size_t active_ = 0;
    std::size_t dialing_ = 0;
    std::size_t waiters_ = 0;
    std::size_t wanted_ = 0; ///< connections, by `warm_up`
    std::uint64_t epoch_ = 0;
    unsigned failed_dials_ = 0; ///< since the last connection that carried a response
    steady_time dial_from_{};
    steady_time room_from_{};                       ///< the quota had none; it is asked again then
    steady_time next_close_ = (steady_time::max)(); ///< no idle connection expires or retires before
    bool look_at_all_ = false;                      ///< an idle connection is not to be used any more
    std::optional<wall_time::duration> clocks_;     ///< by how much the wall's is ahead of the steady one
    pool_waiter* first_ = nullptr;
    pool_waiter* last_ = nullptr;
    std::size_t idle_ = 0;
    pooled* oldest_ = nullptr; ///< of the idle ones
    pooled* newest_ = nullptr;
};

/** A duration less up to a part of it: `shortened(t, 10, dice)` is between nine tenths of it and all. */
std::chrono::nanoseconds shortened(std::chrono::nanoseconds whole, unsigned part, std::uint64_t dice) noexcept;

} // namespace ccloud::core

#endif
