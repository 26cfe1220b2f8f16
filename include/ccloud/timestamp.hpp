#ifndef CCLOUD_TIMESTAMP_HPP
#define CCLOUD_TIMESTAMP_HPP

#include <ccloud/export.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace ccloud {

/** A point in time, UTC, in nanoseconds since 1970 (from 1677-09-21 to 2262-04-11). It is a
    `std::chrono::sys_time<std::chrono::nanoseconds>`, and can be used as one; it has a type of its own so that an
    unqualified `to_string(when)` is found (argument-dependent lookup). */
class timestamp : public std::chrono::sys_time<std::chrono::nanoseconds>
{
public:
    using time_point::time_point;
    constexpr timestamp() noexcept = default;
    constexpr timestamp(std::chrono::sys_time<std::chrono::nanoseconds> when) noexcept : time_point(when) {}
};

/** Reads a date-time of RFC 3339 section 5.6: "2023-03-14T02:13:22.03597Z".

    Takes 0 to 9 digits of a second's fraction (further digits are dropped), `Z` or an offset, lower case `t` and
    `z`, one space in place of `T` (as the examples of the API documents have it), and second 60 as the first second of
    the next minute. Nothing where the text is no such date-time. */
CCLOUD_EXPORT std::optional<timestamp> parse_timestamp(std::string_view text) noexcept;

/** Writes RFC 3339 in UTC with as many digits of a fraction as needed: "2023-03-14T02:13:22.03597Z". Any value. */
CCLOUD_EXPORT std::string to_string(timestamp when);

} // namespace ccloud

#endif
