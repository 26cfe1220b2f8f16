#include "core/retry_budget.hpp"

#include <algorithm>

namespace ccloud::core {

bool retry_budget::take(int cost, steady_time now) noexcept
{
    if (capacity_ == 0)
        return true;
    refill(now);
    if (left_ < cost)
        return false;
    left_ -= cost;
    return true;
}

void retry_budget::give(int tokens, steady_time now) noexcept
{
    refill(now);
    left_ = std::min(capacity_, left_ + tokens);
}

int retry_budget::left(steady_time now) noexcept
{
    refill(now);
    return left_;
}

void retry_budget::refill(steady_time now) noexcept
{
    if (refilled_ == steady_time::min())
        refilled_ = now;
    if (now <= refilled_)
        return;
    auto const passed = std::chrono::floor<std::chrono::seconds>(now - refilled_);
    refilled_ += passed;
    left_ = static_cast<int>(std::min<std::int64_t>(capacity_, left_ + passed.count()));
}

} // namespace ccloud::core
