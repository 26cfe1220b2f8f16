#include "core/retry.hpp"

#include "core/retry_budget.hpp"

#include <algorithm>
#include <bit>

namespace ccloud::core {

using namespace std::chrono;

namespace {

retry_reason classify_status(outcome const& ended) noexcept
{
    auto const repeatable = [](bool yes) { return yes ? retry_reason::transient : retry_reason::none; };
    switch (ended.status)
    {
    case 429: return retry_reason::throttled;
    case 413: return ended.retry_after ? retry_reason::throttled : retry_reason::none;
    case 503:
    case 529: return ended.retry_after ? retry_reason::throttled : repeatable(ended.replayable);
    case 401: return ended.new_credentials ? retry_reason::new_credentials : retry_reason::none;
    case 421: return retry_reason::misdirected;
    case 425: return retry_reason::too_early;
    case 408:
    case 500:
    case 502:
    case 504:
    case 520:
    case 521:
    case 522:
    case 523:
    case 524:
    case 527: return repeatable(ended.replayable);
    default: return retry_reason::none;
    }
}

bool may_be_stale_connection(outcome const& ended) noexcept
{
    return ended.reused && !ended.response_begun &&
           (ended.code == errc::connection_lost || ended.code == errc::write_failed);
}

bool is_network_failure(errc code) noexcept
{
    switch (code)
    {
    case errc::name_resolution_failed:
    case errc::connect_failed:
    case errc::connect_timeout:
    case errc::proxy_refused:
    case errc::tls_failed:
    case errc::write_failed:
    case errc::connection_lost:
    case errc::attempt_timeout: return true;
    default: return false;
    }
}

unsigned bit_of(retry_reason why) noexcept
{
    return 1u << static_cast<unsigned>(why);
}

/** Never earlier than the server asks, and some of its wait later: it tells all clients the same. */
wait_time with_hint(wait_time own, std::optional<nanoseconds> hint, delay_source from, std::uint64_t dice) noexcept
{
    if (!asks_to_wait(hint))
        return own;
    nanoseconds const spread = std::clamp<nanoseconds>(*hint / 10, milliseconds(250), seconds(5));
    auto const least = std::max(*hint, own.length);
    return {least + draw(nanoseconds(0), spread, std::rotl(dice, 32)), *hint >= own.length ? from : own.source};
}

} // namespace

bool asks_to_wait(std::optional<nanoseconds> hint) noexcept
{
    return hint && *hint > nanoseconds(0);
}

retry_reason classify(outcome const& ended) noexcept
{
    if (ended.status != 0 && (ended.code == errc::unset || ended.code == errc::http_status))
        return classify_status(ended);
    if (!is_network_failure(ended.code) || ended.permanent)
        return retry_reason::none;
    bool const repeatable = ended.replayable || ended.progress == progress::not_sent;
    if (!repeatable)
        return retry_reason::none;
    return may_be_stale_connection(ended) ? retry_reason::stale_connection : retry_reason::transient;
}

health health_of(outcome const& ended) noexcept
{
    if (ended.local)
        return health::unknown;
    auto as_if_replayable = ended;
    as_if_replayable.replayable = true;
    auto why = ended.status != 0 ? classify_status(as_if_replayable) : retry_reason::none;
    if (why != retry_reason::throttled && why != retry_reason::transient)
        why = classify(as_if_replayable);
    switch (why)
    {
    case retry_reason::transient: return health::failing;
    case retry_reason::throttled: return health::busy;
    case retry_reason::stale_connection: return health::unknown;
    default: return ended.status != 0 && !is_called_off(ended) ? health::well : health::unknown;
    }
}

bool is_called_off(outcome const& ended) noexcept
{
    return ended.code == errc::cancelled || ended.code == errc::client_closed || ended.code == errc::deadline_exceeded;
}

bool is_free(retry_reason why) noexcept
{
    return why == retry_reason::stale_connection || why == retry_reason::misdirected ||
           why == retry_reason::too_early || why == retry_reason::redirected || why == retry_reason::new_credentials;
}

retry_reason reason_for(retry_policy const& policy, tally const& used, outcome const& ended) noexcept
{
    auto const why = classify(ended);
    if (!is_free(why) || (policy.max_attempts > 1 && (used.free_replays & bit_of(why)) == 0))
        return why;
    return why == retry_reason::stale_connection ? retry_reason::transient : retry_reason::none;
}

wait_time throttle_wait(
    retry_policy const& policy, int level, std::optional<nanoseconds> hint, delay_source from, std::uint64_t dice
) noexcept
{
    auto const ceiling = backoff_ceiling(policy.throttle_base_delay, policy.throttle_max_delay, level);
    return with_hint({draw(ceiling / 2, ceiling, dice), delay_source::backoff}, hint, from, dice);
}

wait_time transient_wait(
    retry_policy const& policy, int backoffs, std::optional<nanoseconds> hint, delay_source from, std::uint64_t dice
) noexcept
{
    auto const ceiling = backoff_ceiling(policy.base_delay, policy.max_delay, backoffs);
    return with_hint({draw(nanoseconds(0), ceiling, dice), delay_source::backoff}, hint, from, dice);
}

decision next_step(
    retry_policy const& policy, tally& used, outcome const& ended, retry_reason why, nanoseconds wait,
    nanoseconds remaining
) noexcept
{
    using action = decision::action;
    auto const stop = [](gave_up because) { return decision{action::stop, retry_reason::none, because, 0}; };
    if (is_free(why))
    {
        if (ended.status != 0 && remaining < policy.min_attempt_budget)
            return stop(gave_up::deadline_would_pass); // else a response that is known is lost
        used.free_replays |= bit_of(why);
        return {action::replay, why, {}, 0};
    }
    if (why == retry_reason::none)
        return stop(gave_up::not_retryable);

    bool const throttled = why == retry_reason::throttled;
    auto& count = throttled ? used.throttles : used.tries;
    if (count >= (throttled ? policy.max_throttle_retries : policy.max_attempts - 1))
        return stop(gave_up::attempts_exhausted);
    if (throttled && policy.on_exhausted == on_exhausted::fail_fast)
        return stop(gave_up::limit_exhausted);
    if (ended.hint && *ended.hint > policy.max_server_delay)
        return stop(gave_up::retry_after_too_long);
    if (wait > remaining || remaining - wait < policy.min_attempt_budget)
        return stop(gave_up::deadline_would_pass);

    ++count;
    used.backoffs = asks_to_wait(ended.hint) ? 0 : used.backoffs + (throttled ? 0 : 1);
    return {action::wait, why, {}, throttled ? retry_budget::throttle_cost : retry_budget::transient_cost};
}

nanoseconds backoff_ceiling(nanoseconds base, nanoseconds cap, int exponent) noexcept
{
    nanoseconds const highest = std::max(cap, nanoseconds(0));
    nanoseconds ceiling = std::clamp(base, nanoseconds(0), highest);
    for (int i = 0; i < exponent && ceiling > nanoseconds(0) && ceiling < highest; ++i)
        ceiling = ceiling > highest / 2 ? highest : ceiling * 2;
    return ceiling;
}

nanoseconds draw(nanoseconds low, nanoseconds high, std::uint64_t dice) noexcept
{
    if (high <= low)
        return low;
    auto const unit = static_cast<double>(dice >> 11) * 0x1p-53; // [0, 1)
    auto const span = static_cast<double>((high - low).count()) + 1.0;
    return std::min(high, low + nanoseconds(static_cast<nanoseconds::rep>(unit * span)));
}

} // namespace ccloud::core
