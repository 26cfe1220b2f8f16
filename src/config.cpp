#include <ccloud/config.hpp>
#include <ccloud/error.hpp>

#include "auth/authorization.hpp"
#include "core/ascii.hpp"
#include "core/proxy.hpp"
#include "core/redact.hpp"
#include "core/url.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace ccloud {

namespace {

/** Checks the file that SSL_CERT_FILE names; the name may be empty. @throws configuration_error if it cannot be
    opened */
std::string ca_file(std::string const& path)
{
    if (path.empty())
        return path;
    auto* const file = std::fopen(path.c_str(), "re"); // close-on-exec
    if (!file)
        throw configuration_error(
            "SSL_CERT_FILE: cannot read \"" + core::printable_whole(path) +
            "\": " + std::generic_category().message(errno)
        );
    std::fclose(file);
    return path;
}

/** The directories in SSL_CERT_DIR that exist. OpenSSL ignores the others, too.
    @throws configuration_error if none exists */
std::string ca_directories(std::string const& list)
{
    std::string found;
    for (auto const folder : core::split(list, ':'))
    {
        std::error_code no_such;
        if (std::filesystem::is_directory(folder, no_such))
            found.append(found.empty() ? "" : ":").append(folder);
    }
    if (found.empty() && !list.empty())
        throw configuration_error("SSL_CERT_DIR: \"" + core::printable_whole(list) + "\" is not a directory");
    return found;
}

} // namespace

config::config() = default;

config config::from_environment()
{
    return from_environment([](std::string_view name) -> std::optional<std::string> {
        if (auto const* value = std::getenv(std::string(name).c_str()))
            return std::string(value);
        return std::nullopt;
    });
}

config config::from_environment(std::function<std::optional<std::string>(std::string_view)> const& lookup)
{
    auto const variable = [&lookup](std::string_view name) { return lookup(name).value_or(std::string()); };
    config settings;
    auto const key = variable("CONFLUENT_CLOUD_API_KEY");
    auto const secret = variable("CONFLUENT_CLOUD_API_SECRET");
    auto const token = variable("CONFLUENT_CLOUD_BEARER_TOKEN");
    if (!token.empty() && (!key.empty() || !secret.empty()))
        throw configuration_error(
            "credentials: CONFLUENT_CLOUD_BEARER_TOKEN and CONFLUENT_CLOUD_API_KEY are both set; unset one of them"
        );
    if (!key.empty() && secret.empty())
        throw configuration_error("credentials: CONFLUENT_CLOUD_API_KEY is set, CONFLUENT_CLOUD_API_SECRET is not");
    if (key.empty() && !secret.empty())
        throw configuration_error("credentials: CONFLUENT_CLOUD_API_SECRET is set, CONFLUENT_CLOUD_API_KEY is not");
    if (!token.empty())
        settings.credentials = bearer_token(token);
    else if (!key.empty())
        settings.credentials = api_key(key, secret);
    (void)auth::authorization(settings.credentials);

    if (auto endpoint = variable("CONFLUENT_CLOUD_ENDPOINT"); !endpoint.empty())
        settings.endpoint = std::move(endpoint);
    auto const parsed = core::parse_endpoint(settings.endpoint, settings.allow_plaintext);
    if (auto const* wrong = std::get_if<std::string>(&parsed))
        throw configuration_error("CONFLUENT_CLOUD_ENDPOINT: " + *wrong);

    auto const either = [&variable](std::string_view lower, std::string_view upper) {
        auto value = variable(lower);
        return value.empty() ? variable(upper) : value;
    };
    if (std::get<core::endpoint>(parsed).where.tls())
    {
        settings.proxy.url = either("https_proxy", "HTTPS_PROXY");
        settings.proxy.no_proxy = either("no_proxy", "NO_PROXY");
        auto const through = core::parse_proxy(settings.proxy.url);
        if (auto const* wrong = std::get_if<std::string>(&through); wrong && !settings.proxy.url.empty())
            throw configuration_error(*wrong + " (from https_proxy or HTTPS_PROXY)");
    }

    settings.tls.ca_file = ca_file(variable("SSL_CERT_FILE"));
    settings.tls.ca_directory = ca_directories(variable("SSL_CERT_DIR"));
    return settings;
}

} // namespace ccloud
