#ifndef CCLOUD_RETRY_HPP
#define CCLOUD_RETRY_HPP

#include <ccloud/error.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string_view>
#include <type_traits>

namespace ccloud {

/** What a call does when the server's limit is used up. */
enum class on_exhausted : unsigned char {
    wait,      ///< it waits in line, as long as it fits before its deadline
    fail_fast, ///< it ends at once: `gave_up::limit_exhausted`
};

/** When a call is tried again, and after how long.

    Repeated are: what was provably not sent (a refused connection, a failed name look-up); 429, after what the
    server asks for; and, where the request is replayable (GET, DELETE and this library's PATCHes, never a POST),
    500, 502, 503, 504, other gateway failures, lost connections and attempt timeouts, also in the middle of a response.

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

    /** The same for a throttle (429; 413, 503 and 529 with Retry-After) that does not say how long to wait, or that asks
        for a wait of zero or until a time that has passed; drawn from the upper half. It doubles with each time in a row
        that the endpoint throttles this client, whichever call it meets. */
    std::chrono::milliseconds throttle_base_delay{1'000};
    std::chrono::milliseconds throttle_max_delay{60'000};

    /** Longest wait the server may ask for; a longer one ends the call with `gave_up::retry_after_too_long`. */
    std::chrono::milliseconds max_server_delay{120'000};

    /** Time that must be left for the next try after a wait. */
    std::chrono::milliseconds min_attempt_budget{1'000};

    ccloud::on_exhausted on_exhausted = on_exhausted::wait;

    static constexpr retry_policy defaults() noexcept { return {}; }

    /** A policy that never repeats anything. */
    static constexpr retry_policy none() noexcept
    {
        retry_policy policy;
        policy.max_attempts = 1;
        policy.max_throttle_retries = 0;
        return policy;
    }
};

static_assert(std::is_trivially_destructible_v<retry_policy>, "it is part of call_options");

/** A try that was no success, as a classifier is shown it. The views live as long as the question. */
struct retry_question
{
    ccloud::method method = method::get;
    std::string_view path;   ///< without query
    int attempt = 1;         ///< how many tries there were
    int status = 0;          ///< 0: no complete header section came
    errc code = errc::unset; ///< `http_status`: the response is complete
    ccloud::progress progress = progress::not_sent;
    bool replayable = false;                  ///< the request may be executed twice
    http_headers const* headers = nullptr;    ///< of the response; null where `status` is 0
    std::string_view body;                    ///< of the response, or what came of it
    retry_reason reason = retry_reason::none; ///< why the library would repeat it; `none`: it would not
};

/** What a classifier says. */
struct retry_answer
{
    enum class verdict : unsigned char {
        as_usual, ///< what the library would do
        never,    ///< the call ends
        again,    ///< it is repeated, within the number of attempts, the budget and the deadline
    };
    verdict what = verdict::as_usual;

    /** In place of the library's own draw; still never less than the server asks for. */
    std::optional<std::chrono::milliseconds> delay = std::nullopt;
};

/** Judges after the library did, once for each try that was no success, but for redirects and for those that the
    caller's cancellation, the deadline or `close()` ended. Called on the client's executor, by each shard on its own;
    must not block. What it throws counts as `as_usual`. */
using retry_classifier = std::function<retry_answer(retry_question const&)>;

} // namespace ccloud

#endif
