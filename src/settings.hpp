#ifndef CCLOUD_SETTINGS_HPP
#define CCLOUD_SETTINGS_HPP

#include <ccloud/config.hpp>

#include "core/redaction.hpp"
#include "core/url.hpp"

#include <string_view>

namespace ccloud::detail {

/** The same settings, with durations that can be calculated with.
    @throws configuration_error naming what cannot be used */
config checked(config settings);

/** @throws configuration_error where the base URL cannot be used */
core::endpoint checked_endpoint(config const& settings);

/** What is wrong with a policy, by the names of its members; empty where nothing is. */
std::string_view policy_refusal(retry_policy const& policy) noexcept;

/** The policy with durations that can be calculated with. */
retry_policy bounded(retry_policy policy) noexcept;

/** What must not be printed: the credentials of the client, and those of its proxy. `settings` were checked. */
core::redactor secrets_of(config const& settings);

} // namespace ccloud::detail

#endif
