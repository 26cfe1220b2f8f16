#include "testing/clock.hpp"

#include <algorithm>

namespace ccloud::testing {

virtual_clock& virtual_clock::of_this_thread() noexcept
{
    thread_local virtual_clock clock;
    return clock;
}

wall_time virtual_clock::wall_now() const noexcept
{
    using namespace std::chrono;
    constexpr sys_days start = year(2026) / January / 1;
    return start + duration_cast<wall_time::duration>(now_.time_since_epoch());
}

bool virtual_clock::advance() noexcept
{
    if (timers_.empty())
        return false;
    now_ = (std::max)(now_, timers_.earliest());
    timers_.fire_due(now_);
    return true;
}

} // namespace ccloud::testing
