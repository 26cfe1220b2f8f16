#ifndef CCLOUD_RETRY_HPP
#define CCLOUD_RETRY_HPP

#include <chrono>

namespace ccloud {

/** When a call is tried again, and after how long.

    Repeated are: what was provably not sent (a refused connection, a failed name look-up); 429, after what the
    server asks for; and, where the request is replayable (GET, DELETE and this library's PATCHes, never a POST),
    500, 502, 503, 504, other gateway failures, lost connections and attempt timeouts.

    A wait that does not fit before the call's deadline is not begun: the call ends at once with the last answer. */
struct retry_policy
{
    /** Tries for transient failures, the first included. 1: never again. Range 1 to 100. */
    int max_attempts = 6;

    /** Further tries after a 429, counted apart. 0: a 429 ends the call. Range 0 to 100. */
    int max_throttle_retries = 8;

    /** First ceiling of the wait after a transient failure; doubles each time up to `max_delay`. The wait is drawn
        evenly from zero to the ceiling ("full jitter"). Zero: no wait. */
    std::chrono::milliseconds base_delay{500};
    std::chrono::milliseconds max_delay{20'000};

    /** The same for a 429 without Retry-After and X-RateLimit-Reset; drawn from the upper half. */
    std::chrono::milliseconds throttle_base_delay{1'000};
    std::chrono::milliseconds throttle_max_delay{60'000};

    /** Longest wait the server may ask for; a longer one ends the call with `gave_up::retry_after_too_long`. */
    std::chrono::milliseconds max_server_delay{120'000};

    /** Time that must be left for the next try after a wait. */
    std::chrono::milliseconds min_attempt_budget{1'000};

    /** A policy that never repeats anything. */
    static constexpr retry_policy none() noexcept
    {
        retry_policy policy;
        policy.max_attempts = 1;
        policy.max_throttle_retries = 0;
        return policy;
    }
};

} // namespace ccloud

#endif
