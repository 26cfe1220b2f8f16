#ifndef CCLOUD_TEST_SUPPORT_UTC_HPP
#define CCLOUD_TEST_SUPPORT_UTC_HPP

#include <ccloud/timestamp.hpp>

#include <chrono>

namespace support {

inline ccloud::timestamp utc(
    int year, unsigned month, unsigned day, int hour = 0, int minute = 0, int second = 0, long long nanoseconds = 0
)
{
    std::chrono::sys_days const midnight = std::chrono::year(year) / static_cast<int>(month) / static_cast<int>(day);
    return midnight + std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second) +
           std::chrono::nanoseconds(nanoseconds);
}

} // namespace support

#endif
