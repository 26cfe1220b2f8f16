#include "core/pool.hpp"

#include <algorithm>

namespace ccloud::core {

void origin_pool::enqueue(pool_waiter& waiter) noexcept
{
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

origin_pool::step origin_pool::next(steady_time now)
{
    for (auto* waiter = first_; waiter && !idle_.empty(); waiter = waiter->next)
        if (auto* const connection = take_for(*waiter, now))
        {
            cancel(*waiter);
            ++active_;
            return {step::action::grant, waiter, connection};
        }
    if (waiters_ <= dialing_)
        return {};
    if (idle_.size() + active_ + dialing_ < cap_)
    {
        ++dialing_;
        return {step::action::dial, nullptr, nullptr};
    }
    if (!idle_.empty())
    {
        // Nobody in the line may take it: it makes room for one that somebody may.
        auto* const oldest = idle_.front();
        idle_.pop_front();
        return {step::action::close, nullptr, oldest};
    }
    return {};
}

pooled* origin_pool::take_for(pool_waiter const& waiter, steady_time now) noexcept
{
    for (auto at = idle_.end(); at != idle_.begin();)
    {
        auto* const connection = *--at;
        bool const too_old =
            waiter.idle_limit > std::chrono::nanoseconds(0) && now - connection->idle_since > waiter.idle_limit;
        bool const expired = connection->served && connection->expires <= now; // a new one is for whoever waits
        if ((waiter.fresh && connection->served) || too_old || expired)
            continue;
        idle_.erase(at);
        return connection;
    }
    return nullptr;
}

void origin_pool::dialed(pooled& connection, steady_time now)
{
    --dialing_;
    connection.idle_since = now;
    idle_.push_back(&connection);
}

pool_waiter* origin_pool::dial_failed() noexcept
{
    --dialing_;
    auto* const oldest = first_;
    if (oldest)
        cancel(*oldest);
    return oldest;
}

void origin_pool::returned(pooled& connection, steady_time now, std::chrono::nanoseconds keep)
{
    --active_;
    connection.idle_since = now;
    connection.expires = now + keep;
    idle_.push_back(&connection);
}

void origin_pool::ungranted(pooled& connection)
{
    --active_;
    idle_.push_back(&connection);
}

void origin_pool::lost() noexcept
{
    --active_;
}

void origin_pool::lost_idle(pooled& connection) noexcept
{
    idle_.erase(std::remove(idle_.begin(), idle_.end(), &connection), idle_.end());
}

bool origin_pool::is_idle(pooled const& connection) const noexcept
{
    return std::find(idle_.begin(), idle_.end(), &connection) != idle_.end();
}

pooled* origin_pool::take_expired(steady_time now) noexcept
{
    auto const found =
        std::find_if(idle_.begin(), idle_.end(), [now](pooled const* one) { return one->expires <= now; });
    if (found == idle_.end())
        return nullptr;
    auto* const connection = *found;
    idle_.erase(found);
    return connection;
}

pooled* origin_pool::take_idle() noexcept
{
    if (idle_.empty())
        return nullptr;
    auto* const newest = idle_.back();
    idle_.pop_back();
    return newest;
}

std::optional<steady_time> origin_pool::next_expiry() const noexcept
{
    std::optional<steady_time> earliest;
    for (auto const* one : idle_)
        if (!earliest || one->expires < *earliest)
            earliest = one->expires;
    return earliest;
}

} // namespace ccloud::core
