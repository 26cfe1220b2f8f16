#include "settings.hpp"

#include "core/duration.hpp"
#include "core/proxy.hpp"
#include "core/request.hpp"

#include <string>
#include <utility>
#include <variant>

namespace ccloud::detail {

using std::chrono::milliseconds;

namespace {

void require(bool holds, char const* what)
{
    if (!holds)
        throw configuration_error(what);
}

void check(config const& settings)
{
    if (auto const why = policy_refusal(settings.retry); !why.empty())
        throw configuration_error("retry." + std::string(why));
    require(
        settings.retry_budget >= 0 && settings.retry_budget <= 1'000'000, "retry_budget: must be 0 to 1000000 tokens"
    );
    auto const& pool = settings.pool;
    require(
        pool.max_connections_per_origin >= 1 && pool.max_connections_per_origin <= 10'000,
        "pool.max_connections_per_origin: must be 1 to 10000"
    );
    require(
        pool.max_connections == 0 || pool.max_connections >= pool.max_connections_per_origin,
        "pool.max_connections: must be 0, or no less than pool.max_connections_per_origin"
    );
    require(
        pool.max_concurrent_dials >= 1 && pool.max_concurrent_dials <= 10'000,
        "pool.max_concurrent_dials: must be 1 to 10000"
    );
    require(pool.connect_timeout > milliseconds(0), "pool.connect_timeout: must be more than zero");
    require(pool.resolve_timeout > milliseconds(0), "pool.resolve_timeout: must be more than zero");
    require(
        pool.idle_timeout >= milliseconds(0) && pool.idle_limit_for_post >= milliseconds(0),
        "pool: idle limits must not be negative"
    );
    require(
        pool.address_lifetime >= milliseconds(0) && pool.max_lifetime >= milliseconds(0),
        "pool: lifetimes must not be negative"
    );
    if (!settings.proxy.url.empty())
        if (auto const parsed = core::parse_proxy(settings.proxy.url);
            auto const* wrong = std::get_if<std::string>(&parsed))
            throw configuration_error(*wrong);
    require(settings.limits.response_header >= 1024, "limits.response_header: must be at least 1024 bytes");
    require(settings.limits.response_body >= 1024, "limits.response_body: must be at least 1024 bytes");
    require(settings.limits.decoded_response >= 1024, "limits.decoded_response: must be at least 1024 bytes");
    require(core::is_header_safe(settings.application), "application: must not contain control characters");
}

} // namespace

config checked(config settings)
{
    check(settings);
    settings.retry = bounded(settings.retry);
    for (auto* const duration :
         {&settings.total_timeout, &settings.attempt_timeout, &settings.pool.connect_timeout,
          &settings.pool.resolve_timeout, &settings.pool.address_lifetime, &settings.pool.idle_timeout,
          &settings.pool.idle_limit_for_post, &settings.pool.max_lifetime})
        *duration = core::bounded(*duration);
    return settings;
}

core::endpoint checked_endpoint(config const& settings)
{
    auto parsed = core::parse_endpoint(settings.endpoint, settings.allow_plaintext);
    if (auto const* wrong = std::get_if<std::string>(&parsed))
        throw configuration_error(*wrong);
    return std::get<core::endpoint>(std::move(parsed));
}

core::redactor secrets_of(config const& settings)
{
    core::redactor secrets;
    if (auto const* key = std::get_if<api_key>(&settings.credentials))
        secrets.add_basic(key->id(), key->secret());
    else if (auto const* bearer = std::get_if<bearer_token>(&settings.credentials))
        secrets.add(bearer->token());
    auto const parsed = core::parse_proxy(settings.proxy.url);
    if (auto const* through = std::get_if<core::proxy>(&parsed))
        secrets.add_basic(through->user, through->password);
    return secrets;
}

std::string_view policy_refusal(retry_policy const& policy) noexcept
{
    constexpr milliseconds none(0);
    if (policy.max_attempts < 1 || policy.max_attempts > 100)
        return "max_attempts: must be 1 to 100";
    if (policy.max_throttle_retries < 0 || policy.max_throttle_retries > 100)
        return "max_throttle_retries: must be 0 to 100";
    if (policy.base_delay < none || policy.max_delay < policy.base_delay)
        return "base_delay: must not be negative, nor longer than max_delay";
    if (policy.throttle_base_delay < none || policy.throttle_max_delay < policy.throttle_base_delay)
        return "throttle_base_delay: must not be negative, nor longer than throttle_max_delay";
    if (policy.max_server_delay < none)
        return "max_server_delay: must not be negative";
    if (policy.min_attempt_budget < none)
        return "min_attempt_budget: must not be negative";
    return {};
}

retry_policy bounded(retry_policy policy) noexcept
{
    for (auto* const duration :
         {&policy.base_delay, &policy.max_delay, &policy.throttle_base_delay, &policy.throttle_max_delay,
          &policy.max_server_delay, &policy.min_attempt_budget})
        *duration = core::bounded(*duration);
    return policy;
}

} // namespace ccloud::detail
