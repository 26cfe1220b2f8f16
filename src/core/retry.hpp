#ifndef CCLOUD_CORE_RETRY_HPP
#define CCLOUD_CORE_RETRY_HPP

#include <ccloud/error.hpp>
#include <ccloud/retry.hpp>

#include <chrono>
#include <cstdint>
#include <optional>

namespace ccloud::core {

/** What one try came to, as far as repeating it is concerned. */
struct outcome
{
    errc code = errc::unset; ///< the fault; `unset` or `http_status`: the response is complete
    int status = 0;          ///< of a response whose header section came; 0 for none
    ccloud::progress progress = ccloud::progress::not_sent;
    bool reused = false;                          ///< on a connection that had served before
    bool response_begun = false;                  ///< some of the answer came
    bool permanent = false;                       ///< can only fail again
    bool local = false;                           ///< this machine lacked a resource
    bool replayable = false;                      ///< the request may be executed twice
    bool new_credentials = false;                 ///< after a 401: there are others to try
    bool retry_after = false;                     ///< it came with one: turned away before it was processed
    std::optional<std::chrono::nanoseconds> hint; ///< what the server asked to wait, in this field or another
};

/** Whether the server asked for a wait. A hint of zero, or of a point in time that has passed, counts as none: the wait is
    the policy's, and grows. */
bool asks_to_wait(std::optional<std::chrono::nanoseconds> hint) noexcept;

/** Why to repeat after this outcome: the table of statuses and methods, and nothing else. `none`: not at all. For
    a response with an incomplete or damaged body, that fault counts and not the status. */
retry_reason classify(outcome const& ended) noexcept;

/** Whether the try ended by the wish of this side: cancelled, past the deadline, closed. */
bool is_called_off(outcome const& ended) noexcept;

/** What an outcome says of the server, whoever asked. Here the status counts, even if the body is incomplete. */
enum class health : unsigned char {
    unknown, ///< nothing
    well,    ///< it answers
    busy,    ///< it turned the request away for now
    failing, ///< it does not answer, or cannot
};
health health_of(outcome const& ended) noexcept;

/** Repeated at once, free of charge, once a call for each reason. */
bool is_free(retry_reason why) noexcept;

/** What a call has used up so far. */
struct tally
{
    int tries = 0;             ///< that count as attempts
    int throttles = 0;         ///< tries that were turned away
    int backoffs = 0;          ///< exponent of the next transient wait
    unsigned free_replays = 0; ///< one bit a reason
};

/** `classify`, but that what is free comes once a call and reason: afterwards it counts as the failure that it is. */
retry_reason reason_for(retry_policy const& policy, tally const& used, outcome const& ended) noexcept;

/** A length of time, and where it came from. */
struct wait_time
{
    std::chrono::nanoseconds length{};
    delay_source source = delay_source::none;
};

/** The wait after being turned away: the server's, else by the policy's throttle delays. `level`: how often the
    endpoint had turned requests away in a row before. Spread upwards, so that waiters do not come back at once. */
wait_time throttle_wait(
    retry_policy const& policy, int level, std::optional<std::chrono::nanoseconds> hint, delay_source from,
    std::uint64_t dice
) noexcept;

/** The wait after a transient failure: the longer of the server's and the policy's. */
wait_time transient_wait(
    retry_policy const& policy, int backoffs, std::optional<std::chrono::nanoseconds> hint, delay_source from,
    std::uint64_t dice
) noexcept;

/** What to do next. */
struct decision
{
    enum class action : unsigned char {
        stop,
        replay, ///< at once, on a fresh connection
        wait,
    } what = action::stop;
    retry_reason reason = retry_reason::none;
    ccloud::gave_up why = ccloud::gave_up::not_retryable;
    int cost = 0; ///< tokens of the retry budget
};

/** Decides, and counts what it grants in `used`. `why`: what `reason_for` and the caller's classifier say. `wait`: what
    would have to be waited. `remaining`: until the call's deadline. */
decision next_step(
    retry_policy const& policy, tally& used, outcome const& ended, retry_reason why, std::chrono::nanoseconds wait,
    std::chrono::nanoseconds remaining
) noexcept;

/** min(cap, base * 2^exponent), saturating; never negative. */
std::chrono::nanoseconds backoff_ceiling(
    std::chrono::nanoseconds base, std::chrono::nanoseconds cap, int exponent
) noexcept;

/** Evenly from [low, high] by 64 random bits. */
std::chrono::nanoseconds draw(std::chrono::nanoseconds low, std::chrono::nanoseconds high, std::uint64_t dice) noexcept;

} // namespace ccloud::core

#endif
