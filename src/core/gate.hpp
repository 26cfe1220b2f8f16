#ifndef CCLOUD_CORE_GATE_HPP
#define CCLOUD_CORE_GATE_HPP

#include <ccloud/timer.hpp>

#include "core/server_hint.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

namespace ccloud::core {

/** A call that waits at a gate. Lives with the call; it is queued or not. */
struct gate_waiter
{
    std::uint64_t ticket = 0; ///< the call's place in order of arrival, kept from one try to the next; 0: none yet
    steady_time deadline = steady_time::max();
    std::chrono::nanoseconds needs{}; ///< time that a try must have before the deadline
    bool impatient = false;           ///< does not want to wait where the server's limit is used up
    bool urgent = false;              ///< cannot wait for a pause to end, and goes without
    bool queued = false;
    gate_waiter* previous = nullptr;
    gate_waiter* next = nullptr;
};

/** What a request that was let through is known by. */
struct gate_pass
{
    std::uint64_t generation = 0; ///< how often the gate had been thrown shut by then
    std::uint64_t sequence = 0;   ///< in order of admission
};

/** Where the requests of one scope line up when the server holds them back. No I/O, no clock: the driver tells what
    became of each request, then asks `next()` for waiters until there is none.

    - A throttled request closes the gate for all until the server's time has come. It opens for one request; each
      that is answered widens the window by one, from half the size it had by one a round.
    - The limit that the responses tell of is kept: at most so many requests are sent as are left in the server's
      window, and the rest pause until it rolls.
    - After five transient failures in a row the gate probes: one request at a time, with the pauses of its backoff.

    Waiters are served in order of arrival; one that comes back after a try is before all that came later. */
class gate
{
public:
    /** `most`: requests under way at a time, 1 and more. */
    explicit gate(std::size_t most) noexcept { set_most(most); }
    gate(gate const&) = delete;
    gate& operator=(gate const&) = delete;

    enum class state : unsigned char {
        open,
        full,   ///< waits for an answer
        paused, ///< waits for a time that is advice: the end of the server's window, the next probe
        closed, ///< waits for a time that the server has set
    };

    /** Whether a request could go now if nobody were waiting. */
    state look(steady_time now) noexcept;

    /** Lets a request through that need not wait; nothing where it must. Draws the ticket where there is none. */
    std::optional<gate_pass> try_admit(std::uint64_t& ticket, steady_time now) noexcept;

    /** Puts a waiter where its ticket belongs; draws one where there is none. */
    void enqueue(gate_waiter& waiter) noexcept;

    /** Lets a waiter that cannot wait pass by a pause. */
    void hurry(gate_waiter& waiter) noexcept;

    /** Takes a waiter out of the line; nothing where it is not in it. */
    void leave(gate_waiter& waiter) noexcept;

    /** The next waiter that may go, out of the line and let through; null where nobody may. */
    gate_waiter* next(steady_time now, gate_pass& pass) noexcept;

    /** When the gate opens by time alone; nothing where it is open, or waits for an answer. */
    std::optional<steady_time> opens_at(steady_time now) noexcept;

    // What became of a request, before it is ended.

    /** It was answered, and not turned away. */
    void succeeded(gate_pass pass) noexcept;

    /** It was turned away; `delay` is how long to wait from now, at the server's word if `told`. */
    void throttled(gate_pass pass, steady_time now, std::chrono::nanoseconds delay, bool told) noexcept;

    /** It failed as if the server were down; enough of them in a row, and the gate probes. */
    void failed() noexcept;

    /** Takes note of what a response says of the limit. Nothing said ends the pacing.
        `jitter`: added to the end of the server's window. */
    void observe(
        gate_pass pass, bool turned_away, std::optional<limit_sample> const& sample, steady_time now,
        std::chrono::nanoseconds jitter
    ) noexcept;

    /** The request is under way no more. */
    void end(gate_pass pass) noexcept;

    /** While it probes: no probe before that. */
    void pause_until(steady_time when) noexcept;

    /** Takes out the waiters that would wait in vain, and gives each to `refuse`: at a closed gate those whose deadline
        comes first, and where the server's limit is used up those that do not want to wait. */
    template <class Function>
    void turn_away(steady_time now, Function&& refuse)
    {
        auto const how = look(now);
        bool const closed = how == state::closed;
        bool const used_up = closed || (how == state::paused && paced_out());
        if (!(closed && std::exchange(closed_anew_, false)) && !(used_up && impatient_ > 0))
            return;
        take_out(
            [&](gate_waiter const& waiter) { return waiter.impatient || (closed && !fits(waiter, not_before_)); },
            refuse
        );
    }

    /** Takes out the waiters that `which` names, and gives each to `taken`. */
    template <class Predicate, class Function>
    void take_out(Predicate&& which, Function&& taken)
    {
        for (auto* one = first_; one;)
        {
            auto& waiter = *std::exchange(one, one->next);
            if (!which(waiter))
                continue;
            unlink(waiter);
            taken(waiter);
        }
    }

    /** Whether a try from then on would have time enough. */
    static bool fits(gate_waiter const& waiter, steady_time from) noexcept;

    /** How often in a row requests were turned away. */
    int throttle_level() const noexcept { return level_; }

    void set_most(std::size_t most) noexcept;

    bool probing() const noexcept { return failures_ >= failures_before_probing; }
    bool paced_out() const noexcept { return paced_ && allowance() <= 0; }
    std::size_t window() const noexcept { return static_cast<std::size_t>(window_); }
    std::size_t in_flight() const noexcept { return in_flight_; }
    /** Who is next in line. */
    gate_waiter const* first() const noexcept { return first_; }

    std::size_t waiting() const noexcept { return waiting_; }

    /** How many more the server would take in its window; nothing where that is not known. */
    std::optional<std::int64_t> allowed() const noexcept;

private:
    static constexpr int failures_before_probing = 5;

    gate_pass admit() noexcept;
    void stop_probing() noexcept;
    bool full() const noexcept { return current_ >= window() || in_flight_ >= most_; }
    std::int64_t allowance() const noexcept { return lowest_ - static_cast<std::int64_t>(in_flight_); }
    steady_time pause_ends(steady_time now) const noexcept;
    void roll(steady_time now) noexcept;
    void narrow() noexcept;
    void unlink(gate_waiter& waiter) noexcept;

    std::size_t most_ = 0;
    double window_ = 8;
    double threshold_ = std::numeric_limits<double>::infinity();
    std::uint64_t generation_ = 0;
    std::uint64_t sequence_ = 0;
    std::uint64_t tickets_ = 0;
    int level_ = 0;
    steady_time not_before_ = steady_time::min();

    int failures_ = 0; ///< in a row
    steady_time probe_at_ = steady_time::min();

    // What the server's window is known to hold.
    bool paced_ = false;
    bool assumed_ = false;    ///< the window rolled by our clock, and no answer has told so yet
    std::int64_t lowest_ = 0; ///< the fewest that a response of this window said to be left
    std::optional<std::int64_t> limit_;
    std::uint64_t window_from_ = 0; ///< requests before this sequence were of an earlier window
    std::uint64_t freshest_ = 0;    ///< the latest request whose answer told of the limit
    steady_time resets_at_ = steady_time::max();
    std::chrono::nanoseconds jitter_{};
    std::chrono::nanoseconds slack_{}; ///< added to the end of a window, once the server was found to round it down

    std::size_t in_flight_ = 0;
    std::size_t current_ = 0; ///< of these, since the gate was last narrowed: what its window counts
    std::size_t waiting_ = 0;
    std::size_t urgent_ = 0;
    std::size_t impatient_ = 0;
    bool closed_anew_ = false; ///< since waiters were turned away last
    gate_waiter* first_ = nullptr;
    gate_waiter* last_ = nullptr;
};

} // namespace ccloud::core

#endif
