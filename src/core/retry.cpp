#include "core/retry.hpp"

#include "core/ascii.hpp"
#include "core/http_date.hpp"

#include <algorithm>

namespace ccloud::core {

using namespace std::chrono;

namespace {

verdict classify_status(outcome const& ended) noexcept
{
    auto const repeatable = [](bool yes) { return yes ? verdict::transient : verdict::final; };
    switch (ended.status)
    {
    case 429: return verdict::throttled;
    case 413: return ended.hint ? verdict::throttled : verdict::final;
    case 503:
    case 529: // a hint says that it was turned away before it was processed
        return ended.hint ? verdict::throttled : repeatable(ended.replayable);
    case 421:
    case 425: return verdict::replay;
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
    default: return verdict::final;
    }
}

bool may_be_stale_connection(outcome const& ended) noexcept
{
    return ended.reused && !ended.response_begun &&
           (ended.code == errc::connection_lost || ended.code == errc::write_failed);
}

} // namespace

verdict classify(outcome const& ended) noexcept
{
    if (ended.status != 0)
        return classify_status(ended);
    switch (ended.code)
    {
    case errc::name_resolution_failed:
    case errc::connect_failed:
    case errc::connect_timeout:
    case errc::tls_failed:
    case errc::write_failed:
    case errc::connection_lost:
    case errc::attempt_timeout: break;
    default: return verdict::final;
    }
    if (ended.permanent)
        return verdict::final;
    bool const unsent = ended.progress == progress::not_sent;
    if (may_be_stale_connection(ended) && (unsent || ended.replayable))
        return verdict::replay;
    return unsent || ended.replayable ? verdict::transient : verdict::final;
}

decision next_step(
    retry_policy const& policy, tally& used, outcome const& ended, nanoseconds remaining, std::uint64_t dice
) noexcept
{
    using action = decision::action;
    auto kind = classify(ended);
    if (kind == verdict::replay)
    {
        if (!used.replayed && policy.max_attempts > 1)
        {
            used.replayed = true;
            return {action::replay, {}, {}};
        }
        kind = ended.status == 0 ? verdict::transient : verdict::final;
    }
    if (kind == verdict::final)
        return {action::stop, {}, gave_up::not_retryable};

    nanoseconds delay{};
    if (kind == verdict::throttled)
    {
        if (used.throttles >= policy.max_throttle_retries)
            return {action::stop, {}, gave_up::attempts_exhausted};
        if (ended.hint && *ended.hint > policy.max_server_delay)
            return {action::stop, {}, gave_up::retry_after_too_long};
        auto const ceiling = backoff_ceiling(policy.throttle_base_delay, policy.throttle_max_delay, used.throttles);
        delay = draw(ceiling / 2, ceiling, dice);
    }
    else
    {
        if (used.tries + 1 >= policy.max_attempts)
            return {action::stop, {}, gave_up::attempts_exhausted};
        if (ended.hint && *ended.hint > policy.max_server_delay)
            return {action::stop, {}, gave_up::retry_after_too_long};
        delay = draw(nanoseconds(0), backoff_ceiling(policy.base_delay, policy.max_delay, used.backoffs), dice);
    }
    if (ended.hint && *ended.hint > nanoseconds(0))
    {
        nanoseconds const spread = std::clamp<nanoseconds>(*ended.hint / 10, milliseconds(250), seconds(5));
        delay = std::max(*ended.hint, delay) + draw(nanoseconds(0), spread, dice);
    }
    if (delay > remaining || remaining - delay < policy.min_attempt_budget)
        return {action::stop, {}, gave_up::deadline_would_pass};

    if (kind == verdict::throttled)
        ++used.throttles;
    else
        ++used.tries;
    used.backoffs = ended.hint ? 0 : used.backoffs + (kind == verdict::transient ? 1 : 0);
    return {action::wait, delay, {}};
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

std::optional<nanoseconds> parse_retry_after(
    std::string_view value, std::string_view date, bool aged, wall_time now
) noexcept
{
    value = trim(value);
    wall_time from = now;
    if (!aged)
        from = parse_http_date(trim(date), now).value_or(now);
    auto const until = [&](wall_time when) -> nanoseconds {
        if (when <= from)
            return nanoseconds(0);
        // In seconds first: the two may be further apart than nanoseconds can tell.
        if (floor<seconds>(when) - floor<seconds>(from) > longest_hint)
            return longest_hint;
        return duration_cast<nanoseconds>(when - from);
    };
    if (auto const when = parse_http_date(value, now))
        return until(*when);

    auto const point = value.find('.');
    auto const whole = parse_digits(value.substr(0, point));
    if (!whole)
        return std::nullopt;
    milliseconds fraction{};
    if (point != std::string_view::npos)
    {
        auto const digits = value.substr(point + 1);
        if (!parse_digits(digits))
            return std::nullopt;
        auto const first = parse_digits(digits.substr(0, 3));
        auto const scale = digits.size() == 1 ? 100 : digits.size() == 2 ? 10 : 1;
        bool const more = digits.size() > 3 && digits.find_first_not_of('0', 3) != std::string_view::npos;
        fraction = milliseconds(*first * scale + (more ? 1 : 0));
    }
    constexpr std::int64_t epoch_from = 1'000'000'000;
    constexpr std::int64_t epoch_to = 9'000'000'000; // beyond, 64-bit nanoseconds overflow
    if (*whole >= epoch_to)
        return longest_hint;
    if (*whole >= epoch_from)
        return until(wall_time(seconds(*whole)) + fraction);
    return std::min<nanoseconds>(seconds(*whole) + fraction, longest_hint);
}

std::optional<nanoseconds> server_hint(int status, http_headers const& headers, wall_time now) noexcept
{
    auto const date = headers.find("Date").value_or(std::string_view());
    bool const aged = headers.contains("Age");
    std::optional<nanoseconds> longest;
    headers.for_each([&](std::string_view name, std::string_view value) {
        if (!iequals(name, "Retry-After"))
            return;
        auto const hint = parse_retry_after(value, date, aged, now);
        if (hint && (!longest || *hint > *longest))
            longest = hint;
    });
    if (longest || status != 429)
        return longest;
    auto const reset = parse_digits(headers.find("X-RateLimit-Reset").value_or(std::string_view()));
    if (!reset)
        return std::nullopt;
    auto const most = duration_cast<seconds>(longest_hint).count();
    return seconds(std::min<std::int64_t>(*reset, most));
}

} // namespace ccloud::core
