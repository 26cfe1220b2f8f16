#ifndef CCLOUD_CORE_HTTP_DATE_HPP
#define CCLOUD_CORE_HTTP_DATE_HPP

#include <ccloud/timer.hpp>

#include <optional>
#include <string_view>

namespace ccloud::core {

/** Reads an HTTP-date (RFC 9110 section 5.6.7) in any of its three forms: IMF-fixdate, RFC 850 and asctime.

    A wrong day of the week is overlooked; second 60 counts as the next second; a two-digit year is one of the century
    before where the date would lie more than fifty years after `now`, to the second. Nothing where the text is no such
    date. */
std::optional<wall_time> parse_http_date(std::string_view text, wall_time now) noexcept;

} // namespace ccloud::core

#endif
