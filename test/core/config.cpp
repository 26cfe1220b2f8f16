#include <ccloud/config.hpp>
#include <ccloud/error.hpp>

#include "printers.hpp"

#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

using ccloud::config;
using ccloud::configuration_error;

namespace {

using variables = std::map<std::string, std::string, std::less<>>;

config from(variables const& set)
{
    return config::from_environment([&](std::string_view name) -> std::optional<std::string> {
        auto const found = set.find(name);
        return found == set.end() ? std::nullopt : std::optional(found->second);
    });
}

std::string fault_of(variables const& set)
{
    try
    {
        from(set);
        return "none";
    }
    catch (configuration_error const& fault)
    {
        return fault.what();
    }
}

variables with_key(variables more = {})
{
    more.insert({{"CONFLUENT_CLOUD_API_KEY", "KEY"}, {"CONFLUENT_CLOUD_API_SECRET", "hunter2"}});
    return more;
}

} // namespace

TEST_CASE("a key of the environment is taken, and the rest is the default")
{
    auto const settings = from(with_key());
    auto const* const key = std::get_if<ccloud::api_key>(&settings.credentials);
    REQUIRE(key != nullptr);
    CHECK(key->id() == "KEY");
    CHECK(key->secret() == "hunter2");
    CHECK(settings.endpoint == config().endpoint);
    CHECK(settings.endpoint == "https://api.confluent.cloud");
    CHECK(settings.tls.ca_file.empty());
}

TEST_CASE("a token of the environment is taken")
{
    auto const settings = from({{"CONFLUENT_CLOUD_BEARER_TOKEN", "eyJ"}});
    auto const* const token = std::get_if<ccloud::bearer_token>(&settings.credentials);
    REQUIRE(token != nullptr);
    CHECK(token->token() == "eyJ");
}

TEST_CASE("endpoint and CA file of the environment are taken")
{
    std::string const file = CCLOUD_TEST_DATA "/README.md";
    auto const settings =
        from(with_key({{"CONFLUENT_CLOUD_ENDPOINT", "https://confluent.example:8443/api"}, {"SSL_CERT_FILE", file}}));
    CHECK(settings.endpoint == "https://confluent.example:8443/api");
    CHECK(settings.tls.ca_file == file);
    CHECK(from(with_key({{"CONFLUENT_CLOUD_ENDPOINT", "http://localhost:1"}})).endpoint == "http://localhost:1");
}

TEST_CASE("a variable that is empty counts as unset")
{
    auto const settings =
        from(with_key({{"CONFLUENT_CLOUD_BEARER_TOKEN", ""}, {"CONFLUENT_CLOUD_ENDPOINT", ""}, {"SSL_CERT_FILE", ""}}));
    CHECK(std::holds_alternative<ccloud::api_key>(settings.credentials));
    CHECK(settings.endpoint == "https://api.confluent.cloud");
    CHECK(settings.tls.ca_file.empty());
}

TEST_CASE("an environment that cannot be used is refused by the name of the variable, and without secrets")
{
    struct row
    {
        std::string_view name;
        variables set;
        std::vector<std::string_view> says;
    };
    for (auto const& [name, set, says] : {
             row{"nothing", {}, {"CONFLUENT_CLOUD_API_KEY", "CONFLUENT_CLOUD_API_SECRET"}},
             row{"empty",
                 {{"CONFLUENT_CLOUD_API_KEY", ""}, {"CONFLUENT_CLOUD_API_SECRET", ""}},
                 {"CONFLUENT_CLOUD_API_KEY", "CONFLUENT_CLOUD_API_SECRET"}},
             row{"no secret", {{"CONFLUENT_CLOUD_API_KEY", "KEY"}}, {"CONFLUENT_CLOUD_API_SECRET is not"}},
             row{"no key", {{"CONFLUENT_CLOUD_API_SECRET", "hunter2"}}, {"CONFLUENT_CLOUD_API_KEY is not"}},
             row{"both kinds",
                 with_key({{"CONFLUENT_CLOUD_BEARER_TOKEN", "hunter2"}}),
                 {"CONFLUENT_CLOUD_API_KEY", "CONFLUENT_CLOUD_BEARER_TOKEN"}},
             row{"a token and half a key",
                 {{"CONFLUENT_CLOUD_BEARER_TOKEN", "hunter2"}, {"CONFLUENT_CLOUD_API_SECRET", "hunter2"}},
                 {"CONFLUENT_CLOUD_BEARER_TOKEN"}},
             row{"a key with a line end",
                 {{"CONFLUENT_CLOUD_API_KEY", "KEY"}, {"CONFLUENT_CLOUD_API_SECRET", "hunter2\n"}},
                 {"API key"}},
             row{"a token with a line end", {{"CONFLUENT_CLOUD_BEARER_TOKEN", "hunter2\n"}}, {"bearer token"}},
             row{"no URL",
                 with_key({{"CONFLUENT_CLOUD_ENDPOINT", "api.confluent.cloud"}}),
                 {"CONFLUENT_CLOUD_ENDPOINT", "api.confluent.cloud"}},
             row{"plain http",
                 with_key({{"CONFLUENT_CLOUD_ENDPOINT", "http://api.confluent.cloud"}}),
                 {"CONFLUENT_CLOUD_ENDPOINT", "plain http"}},
             row{"a password",
                 with_key({{"CONFLUENT_CLOUD_ENDPOINT", "https://user:hunter2@x.example"}}),
                 {"CONFLUENT_CLOUD_ENDPOINT", "user or password"}},
             row{"a missing CA file",
                 with_key({{"SSL_CERT_FILE", "/no/such/file.pem"}}),
                 {"SSL_CERT_FILE", "/no/such/file.pem"}},
         })
    {
        CAPTURE(name);
        auto const fault = fault_of(set);
        CAPTURE(fault);
        for (auto const part : says)
            CHECK(fault.find(part) != std::string::npos);
        CHECK(fault.find("hunter2") == std::string::npos);
        CHECK(fault.find_first_of("\r\n") == std::string::npos);
    }
}

TEST_CASE("the defaults are those that are documented")
{
    using namespace std::chrono_literals;
    config const settings;
    CHECK(settings.total_timeout == 180s);
    CHECK(settings.attempt_timeout == 30s);
    CHECK(settings.pool.connect_timeout == 10s);
    CHECK(settings.pool.idle_timeout == 50s);
    CHECK(settings.pool.idle_limit_for_post == 5s);
    CHECK(settings.pool.max_connections_per_origin == 16);
    CHECK(settings.retry.max_attempts == 6);
    CHECK(settings.retry.max_throttle_retries == 8);
    CHECK(settings.retry.base_delay == 500ms);
    CHECK(settings.retry.max_delay == 20s);
    CHECK(settings.retry.max_server_delay == 120s);
    CHECK(!settings.allow_plaintext);
    CHECK(std::holds_alternative<std::monostate>(settings.credentials));
}
