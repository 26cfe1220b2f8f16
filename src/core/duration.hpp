#ifndef CCLOUD_CORE_DURATION_HPP
#define CCLOUD_CORE_DURATION_HPP

#include <ccloud/timer.hpp>

#include <algorithm>
#include <chrono>
#include <string>

namespace ccloud::core {

/** Ten years: what is longer is as good as for ever, and would overflow in nanoseconds. */
inline constexpr std::chrono::milliseconds longest_duration = std::chrono::hours(24 * 365 * 10);

/** A duration that a caller gave, as one that can be calculated with: zero to ten years. */
constexpr std::chrono::milliseconds bounded(std::chrono::milliseconds given) noexcept
{
    return std::clamp(given, std::chrono::milliseconds(0), longest_duration);
}

/** The moment `limit` after `now`; none for a limit of zero or less, and for one that never comes. */
constexpr steady_time deadline_after(steady_time now, std::chrono::milliseconds limit) noexcept
{
    if (limit <= std::chrono::milliseconds(0) || limit >= longest_duration)
        return steady_time::max();
    return now + limit;
}

/** A time as people read it, to three digits and the whole second: "80 ms", "1.25 s", "12.3 s", "125 s". */
std::string readable(std::chrono::nanoseconds time);

} // namespace ccloud::core

#endif
