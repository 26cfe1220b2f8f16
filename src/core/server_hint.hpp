#ifndef CCLOUD_CORE_SERVER_HINT_HPP
#define CCLOUD_CORE_SERVER_HINT_HPP

#include <ccloud/config.hpp>
#include <ccloud/error.hpp>
#include <ccloud/http.hpp>
#include <ccloud/timer.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ccloud::core {

/** What the server asks to wait. */
struct server_hint
{
    std::chrono::nanoseconds wait{}; ///< from zero to `longest_hint`
    delay_source source = delay_source::none;
    std::string_view text; ///< the field's value as sent; a view into the headers
};

/** The wait that an answer with `status`, no success, asks for; the first of these that is there and well formed:

    1. Retry-After, with any status (RFC 9110 section 10.2.3); of several fields the longest wait.
    2. RateLimit (draft-ietf-httpapi-ratelimit-headers-11 section 4): `t` of the tightest policy, see `read_limits`.
    3. RateLimit-Reset, in seconds (the drafts up to draft-ietf-httpapi-ratelimit-headers-06); from 10^9 on an epoch,
       which some servers send.
    4. X-RateLimit-Reset, in the form the configuration names. This API documents seconds from now.

    The last three also come with answers that have another cause. They count where the status is 429; and with 5xx where
    nothing remains of the limit. What lies in the past is a wait of zero. */
std::optional<server_hint> find_hint(int status, http_headers const& headers, reset_form form, wall_time now) noexcept;

/** How much of the limit is left, of a response. */
struct limit_sample
{
    std::optional<std::int64_t> limit; ///< requests a window; nothing where it is missing or odd
    std::int64_t remaining = 0;        ///< requests left in this window
    std::chrono::nanoseconds reset{};  ///< until the window rolls: from zero to `longest_hint`
};

/** Reads the first of these that is complete:

    1. RateLimit, with the limit of RateLimit-Policy;
    2. RateLimit-Limit, -Remaining and -Reset;
    3. X-RateLimit-Limit, -Remaining and -Reset. This group is read only if RateLimit-Reset is missing or malformed.

    Returns nothing if remaining or reset is missing or malformed. A limit that is missing or malformed is absent.

    RateLimit is a structured list (RFC 9651 section 3.1), such as `"default";r=50;t=30, "burst";r=3;t=1`. The tightest
    policy counts: that with the smallest `r`, among equals that with the largest `t`. Its limit is the `q` of the policy
    of the same name in RateLimit-Policy. A list with one malformed member is ignored, over all its fields (RFC 9651
    section 4.2); so is RateLimit in an answer from a cache (section 7.3 of the draft). More is accepted than the draft
    allows: tokens for names, and white space before a semicolon. */
std::optional<limit_sample> read_limits(http_headers const& headers, reset_form form, wall_time now) noexcept;

/** The value of one Retry-After (RFC 9110 section 10.2.3): seconds, or an HTTP-date.

    Beyond the RFC, seconds may have a fraction, rounded up to milliseconds, and a number of 10^9 and more is read as an
    epoch. A list counts with its longest wait, because a proxy may have joined two fields (RFC 9110 section 5.3). Points in
    time are measured against `date`, the Date of the same answer, so that the two clocks need not
    agree; against `now` where that is no date or the answer was `aged`, by a cache. Malformed elements of a list are ignored;
    nothing where no element is well-formed. */
std::optional<std::chrono::nanoseconds> parse_retry_after(
    std::string_view value, std::string_view date, bool aged, wall_time now
) noexcept;

/** What is longer counts as this. */
inline constexpr std::chrono::nanoseconds longest_hint = std::chrono::hours(24 * 365);

} // namespace ccloud::core

#endif
