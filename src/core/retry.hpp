#ifndef CCLOUD_CORE_RETRY_HPP
#define CCLOUD_CORE_RETRY_HPP

#include <ccloud/error.hpp>
#include <ccloud/retry.hpp>
#include <ccloud/timer.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ccloud::core {

/** What one try came to, as far as repeating it is concerned. */
struct outcome
{
    errc code = errc::unset; ///< of a try without an answer
    int status = 0;          ///< of the answer; 0 for none
    ccloud::progress progress = ccloud::progress::not_sent;
    bool reused = false;                          ///< on a connection that had served before
    bool response_begun = false;                  ///< some of the answer came
    bool permanent = false;                       ///< can only fail again
    bool replayable = false;                      ///< the request may be executed twice
    std::optional<std::chrono::nanoseconds> hint; ///< what the server asked to wait
};

/** How an outcome is to be answered. */
enum class verdict : unsigned char {
    final,     ///< never repeat
    transient, ///< repeat after backing off
    throttled, ///< repeat when the server says
    replay,    ///< repeat at once on a fresh connection, once a call and free of charge
};

/** The table of statuses and methods, and nothing else. */
verdict classify(outcome const& ended) noexcept;

/** What a call has used up so far. */
struct tally
{
    int tries = 0;     ///< that count as attempts
    int throttles = 0; ///< tries that were told to wait
    int backoffs = 0;  ///< exponent of the next transient wait
    bool replayed = false;
};

/** What to do next. */
struct decision
{
    enum class action : unsigned char { stop, replay, wait } what = action::stop;
    std::chrono::nanoseconds delay{};
    ccloud::gave_up why = ccloud::gave_up::not_retryable;
};

/** Decides, and counts what it grants in `used`. `remaining`: until the call's deadline. `dice`: 64 random bits. */
decision next_step(
    retry_policy const& policy, tally& used, outcome const& ended, std::chrono::nanoseconds remaining,
    std::uint64_t dice
) noexcept;

/** min(cap, base * 2^exponent), saturating; never negative. */
std::chrono::nanoseconds backoff_ceiling(
    std::chrono::nanoseconds base, std::chrono::nanoseconds cap, int exponent
) noexcept;

/** Evenly from [low, high] by 64 random bits. */
std::chrono::nanoseconds draw(std::chrono::nanoseconds low, std::chrono::nanoseconds high, std::uint64_t dice) noexcept;

/** How long the server asks to wait: the largest valid Retry-After (RFC 9110 section 10.2.3: seconds or an HTTP-date,
    measured against the response's own Date), else, of a 429, X-RateLimit-Reset, which is in seconds from now.

    Seconds may have a fraction, rounded up to milliseconds. A number of 10^9 and more is read as an epoch. What is
    malformed counts as absent, what lies in the past as zero, and what is too great saturates at `longest_hint`. */
std::optional<std::chrono::nanoseconds> server_hint(int status, http_headers const& headers, wall_time now) noexcept;

std::optional<std::chrono::nanoseconds> parse_retry_after(
    std::string_view value, std::string_view date, bool aged, wall_time now
) noexcept;

inline constexpr std::chrono::nanoseconds longest_hint = std::chrono::hours(24 * 365);

} // namespace ccloud::core

#endif
