#ifndef CCLOUD_CORE_POOL_HPP
#define CCLOUD_CORE_POOL_HPP

#include <ccloud/timer.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>

namespace ccloud::core {

/** A connection, as far as the pool is concerned. */
struct pooled
{
    bool served = false; ///< was given a request before
    steady_time idle_since{};
    steady_time expires = steady_time::max(); ///< is to be closed then, if idle
};

/** A call that waits for a connection. Lives with the call; it is queued or not. */
struct pool_waiter
{
    bool fresh = false;                    ///< takes no connection that has served
    std::chrono::nanoseconds idle_limit{}; ///< takes none idle for longer; zero: any
    bool queued = false;
    pool_waiter* previous = nullptr;
    pool_waiter* next = nullptr;
};

/** The connections to one origin: who gets which, when to dial and when to close. No I/O, no clock: the driver tells
    what happened, then asks `next()` what to do until there is nothing.

    Waiters are served in order of arrival, each by whatever comes first, a returned connection or a finished dial;
    idle connections are reused last in, first out. Dials belong to the pool, not to a waiter. At every moment
    idle + active + dialling is at most the cap. */
class origin_pool
{
public:
    explicit origin_pool(std::size_t cap) noexcept : cap_(cap) {}
    origin_pool(origin_pool const&) = delete;
    origin_pool& operator=(origin_pool const&) = delete;

    void enqueue(pool_waiter& waiter) noexcept;

    /** Puts a waiter back to the front: what it was granted was of no use. */
    void enqueue_front(pool_waiter& waiter) noexcept;

    /** Takes a waiter out of the line; nothing where it is not in it. */
    void cancel(pool_waiter& waiter) noexcept;

    struct step
    {
        enum class action : unsigned char {
            none,
            grant, ///< `connection` is `waiter`'s now, and active
            dial,  ///< begin one; counted already
            close, ///< `connection` makes room; no longer counted
        } what = action::none;
        pool_waiter* waiter = nullptr;
        pooled* connection = nullptr;
    };
    step next(steady_time now);

    /** A dial succeeded; the connection is idle for now. */
    void dialed(pooled& connection, steady_time now);

    /** A dial failed; gives the waiter that is to hear of it, the oldest, if any. */
    pool_waiter* dial_failed() noexcept;

    /** An active connection comes back, to be kept for so long. */
    void returned(pooled& connection, steady_time now, std::chrono::nanoseconds keep);

    /** A granted connection comes back as it was: it was not used. */
    void ungranted(pooled& connection);

    /** An active connection was closed. */
    void lost() noexcept;

    /** An idle connection was closed by its peer. */
    void lost_idle(pooled& connection) noexcept;

    bool is_idle(pooled const& connection) const noexcept;

    /** Takes an idle connection that is past its time; null where there is none. */
    pooled* take_expired(steady_time now) noexcept;

    /** Takes any idle connection; null where there is none. */
    pooled* take_idle() noexcept;

    /** When the next idle connection expires. */
    std::optional<steady_time> next_expiry() const noexcept;

    std::size_t idle() const noexcept { return idle_.size(); }
    std::size_t active() const noexcept { return active_; }
    std::size_t dialing() const noexcept { return dialing_; }
    std::size_t waiters() const noexcept { return waiters_; }

private:
    pooled* take_for(pool_waiter const& waiter, steady_time now) noexcept;

    std::size_t cap_;
    std::size_t active_ = 0;
    std::size_t dialing_ = 0;
    std::size_t waiters_ = 0;
    pool_waiter* first_ = nullptr;
    pool_waiter* last_ = nullptr;
    std::deque<pooled*> idle_; // newest at the back
};

} // namespace ccloud::core

#endif
