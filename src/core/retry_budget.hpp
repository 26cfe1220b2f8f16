#ifndef CCLOUD_CORE_RETRY_BUDGET_HPP
#define CCLOUD_CORE_RETRY_BUDGET_HPP

#include <ccloud/timer.hpp>

#include <cstdint>

namespace ccloud::core {

/** Tokens that repetitions are paid with, so that a client never sends many more requests than it was asked for while
    a server is down. One comes back a second. First tries cost nothing. */
class retry_budget
{
public:
    static constexpr int transient_cost = 14;
    static constexpr int throttle_cost = 5;
    static constexpr int first_try_reward = 1;

    /** Full at first. 0: everything is granted. */
    explicit retry_budget(int capacity) noexcept : capacity_(capacity), left_(capacity) {}

    /** Takes `cost`, or nothing where there is less. */
    bool take(int cost, steady_time now) noexcept;

    /** Gives back, up to the capacity. */
    void give(int tokens, steady_time now) noexcept;

    int left(steady_time now) noexcept;

private:
    void refill(steady_time now) noexcept;

    int capacity_;
    int left_;
    steady_time refilled_ = steady_time::min(); ///< in whole seconds from the first use on
};

} // namespace ccloud::core

#endif
