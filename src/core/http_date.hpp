#ifndef CCLOUD_CORE_HTTP_DATE_HPP
#define CCLOUD_CORE_HTTP_DATE_HPP

#include <ccloud/timer.hpp>

#include <chrono>
#include <optional>
#include <string_view>

namespace ccloud::core {

// What `wall_time` can hold, in whole years. Each also stands for all dates beyond it.
inline constexpr wall_time earliest_http_date{std::chrono::sys_days(std::chrono::year(1678) / 1 / 1)};
inline constexpr wall_time latest_http_date{
    std::chrono::sys_days(std::chrono::year(2262) / 1 / 1) - std::chrono::seconds(1)};

/** Reads an HTTP-date (RFC 9110 section 5.6.7) in any of its three forms: IMF-fixdate, RFC 850 and asctime.

    A wrong day of the week is overlooked; second 60 counts as the next second; a two-digit year belongs to the century
    before if the date would be more than fifty years after `now`, compared to the second. A date before 1678 counts as
    `earliest_http_date`, and one after 2261 as `latest_http_date`. Returns nothing if the text is not such a date. */
std::optional<wall_time> parse_http_date(std::string_view text, wall_time now) noexcept;

/** Whether a date is one to compute with: it does not stand for dates that `wall_time` cannot hold. */
constexpr bool is_exact(wall_time date) noexcept
{
    return date > earliest_http_date && date < latest_http_date;
}

} // namespace ccloud::core

#endif
