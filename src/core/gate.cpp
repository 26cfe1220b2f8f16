#include "core/gate.hpp"

#include <algorithm>

namespace ccloud::core {

using std::chrono::nanoseconds;
using std::chrono::seconds;

namespace {

constexpr nanoseconds longest_pause = seconds(120);

/** By which a server that tells whole seconds may be wrong. */
constexpr nanoseconds rounding = seconds(1);

/** Ends of a window that lie closer together are the same end, told in whole seconds. */
constexpr nanoseconds resolution = std::chrono::milliseconds(1500);

} // namespace

gate::state gate::look(steady_time now) noexcept
{
    roll(now);
    if (now < not_before_)
        return state::closed;
    if (full())
        return state::full;
    if (now < probe_at_)
        return state::paused;
    if (paced_out())
        return resets_at_ == steady_time::max() ? state::full : state::paused;
    return state::open;
}

std::optional<gate_pass> gate::try_admit(std::uint64_t& ticket, steady_time now) noexcept
{
    if (ticket == 0)
        ticket = ++tickets_;
    if (first_ && first_->ticket < ticket)
        return std::nullopt;
    if (look(now) != state::open)
        return std::nullopt;
    return admit();
}

void gate::enqueue(gate_waiter& waiter) noexcept
{
    if (waiter.ticket == 0)
        waiter.ticket = ++tickets_;
    // What comes first belongs to the end; what comes back, near the front. So it is looked for from both.
    gate_waiter* after = last_;
    for (auto* before = first_; after && after->ticket > waiter.ticket; after = after->previous, before = before->next)
        if (before->ticket > waiter.ticket)
        {
            after = before->previous;
            break;
        }
    waiter.previous = after;
    waiter.next = after ? after->next : first_;
    (waiter.previous ? waiter.previous->next : first_) = &waiter;
    (waiter.next ? waiter.next->previous : last_) = &waiter;
    waiter.queued = true;
    ++waiting_;
    if (waiter.urgent)
        ++urgent_;
    if (waiter.impatient)
        ++impatient_;
}

void gate::hurry(gate_waiter& waiter) noexcept
{
    if (waiter.urgent)
        return;
    waiter.urgent = true;
    if (waiter.queued)
        ++urgent_;
}

void gate::leave(gate_waiter& waiter) noexcept
{
    if (waiter.queued)
        unlink(waiter);
}

gate_waiter* gate::next(steady_time now, gate_pass& pass) noexcept
{
    auto const how = look(now);
    if (!first_ || how == state::closed || full())
        return nullptr;
    auto* chosen = first_;
    if (how != state::open)
    {
        if (!fits(*chosen, pause_ends(now)))
            hurry(*chosen);
        if (urgent_ == 0)
            return nullptr;
        while (!chosen->urgent)
            chosen = chosen->next;
    }
    unlink(*chosen);
    pass = admit();
    return chosen;
}

std::optional<steady_time> gate::opens_at(steady_time now) noexcept
{
    switch (look(now))
    {
    case state::closed: return not_before_;
    case state::paused: return pause_ends(now);
    default: return std::nullopt;
    }
}

void gate::succeeded(gate_pass pass) noexcept
{
    stop_probing();
    if (pass.generation != generation_)
        return;
    level_ = 0;
    window_ = std::min(static_cast<double>(most_), window_ + (window_ < threshold_ ? 1 : 1 / window_));
}

void gate::throttled(gate_pass pass, steady_time now, nanoseconds delay, bool told) noexcept
{
    stop_probing();
    bool const first = pass.generation == generation_;
    if (first)
    {
        narrow();
        ++level_;
    }
    if ((first || told) && now + delay > not_before_)
    {
        not_before_ = now + delay;
        closed_anew_ = true;
    }
}

void gate::failed() noexcept
{
    if (++failures_ == failures_before_probing)
        narrow();
}

void gate::observe(
    gate_pass pass, bool turned_away, std::optional<limit_sample> const& sample, steady_time now, nanoseconds jitter
) noexcept
{
    if (!sample)
    {
        paced_ = assumed_ = false;
        return;
    }
    roll(now);
    if (pass.sequence < window_from_)
        return;
    auto const end = now + std::min(sample->reset, longest_pause);
    if (assumed_ && turned_away && sample->reset <= rounding)
        slack_ = rounding; // it had not rolled yet: the server rounds down
    bool const unknown = !paced_ || assumed_;
    bool const fresh = pass.sequence >= freshest_;
    if (!unknown && !fresh && end + resolution < resets_at_)
        return; // of the window before
    if (unknown || (fresh && end > resets_at_ + resolution))
    {
        lowest_ = sample->remaining;
        resets_at_ = end;
        jitter_ = jitter;
    }
    else
    {
        lowest_ = std::min(lowest_, sample->remaining);
        resets_at_ = std::min(resets_at_, end);
    }
    freshest_ = std::max(freshest_, pass.sequence);
    limit_ = sample->limit;
    paced_ = true;
    assumed_ = false;
}

void gate::end(gate_pass pass) noexcept
{
    --in_flight_;
    if (pass.generation == generation_)
        --current_;
}

void gate::pause_until(steady_time when) noexcept
{
    if (probing())
        probe_at_ = std::max(probe_at_, when);
}

bool gate::fits(gate_waiter const& waiter, steady_time from) noexcept
{
    return waiter.deadline == steady_time::max() || (from <= waiter.deadline && waiter.deadline - from >= waiter.needs);
}

void gate::set_most(std::size_t most) noexcept
{
    most_ = most;
    window_ = std::min(window_, static_cast<double>(most));
}

std::optional<std::int64_t> gate::allowed() const noexcept
{
    return paced_ ? std::optional(std::max<std::int64_t>(allowance(), 0)) : std::nullopt;
}

void gate::stop_probing() noexcept
{
    failures_ = 0;
    probe_at_ = steady_time::min();
}

gate_pass gate::admit() noexcept
{
    ++in_flight_;
    ++current_;
    return {generation_, sequence_++};
}

steady_time gate::pause_ends(steady_time now) const noexcept
{
    auto ends = probe_at_;
    if (paced_out() && resets_at_ != steady_time::max())
        ends = std::max(ends, resets_at_ + slack_ + jitter_);
    return std::max(ends, now);
}

/** The server's window is over by our clock: a whole one is assumed, until an answer tells. */
void gate::roll(steady_time now) noexcept
{
    if (!paced_ || resets_at_ == steady_time::max() || now < resets_at_ + slack_ + jitter_)
        return;
    paced_ = limit_ && *limit_ > 0;
    lowest_ = limit_.value_or(0);
    assumed_ = true;
    resets_at_ = steady_time::max();
    window_from_ = sequence_;
}

/** One at a time, up to half of what there was before it goes slower. */
void gate::narrow() noexcept
{
    ++generation_;
    current_ = 0;
    threshold_ = std::max(2.0, static_cast<double>(in_flight_) / 2);
    window_ = 1;
}

void gate::unlink(gate_waiter& waiter) noexcept
{
    (waiter.previous ? waiter.previous->next : first_) = waiter.next;
    (waiter.next ? waiter.next->previous : last_) = waiter.previous;
    waiter.previous = waiter.next = nullptr;
    waiter.queued = false;
    --waiting_;
    if (waiter.urgent)
        --urgent_;
    if (waiter.impatient)
        --impatient_;
}

} // namespace ccloud::core
