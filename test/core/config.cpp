#include <ccloud/config.hpp>
#include <ccloud/error.hpp>

#include "fixture.hpp"
#include "printers.hpp"
#include "settings.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

using namespace std::chrono_literals;
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

/** What is wrong with settings that a client is to be made with; "none" where nothing is. */
std::string refusal_of(config settings)
{
    settings.credentials = ccloud::api_key("KEY", "SECRET");
    try
    {
        (void)ccloud::detail::checked(std::move(settings));
        return "none";
    }
    catch (configuration_error const& fault)
    {
        return fault.what();
    }
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
    auto const file = support::fixture_path("README.md");
    auto const settings =
        from(with_key({{"CONFLUENT_CLOUD_ENDPOINT", "https://confluent.example:8443/api"}, {"SSL_CERT_FILE", file}}));
    CHECK(settings.endpoint == "https://confluent.example:8443/api");
    CHECK(settings.tls.ca_file == file);
    CHECK(from(with_key({{"CONFLUENT_CLOUD_ENDPOINT", "http://localhost:1"}})).endpoint == "http://localhost:1");
}

TEST_CASE("SSL_CERT_DIR of the environment is used, with those of its directories that exist")
{
    auto const folder = std::filesystem::path(support::fixture_path("README.md")).parent_path().string();
    for (auto const& [list, taken] : {
             std::pair(folder, folder),
             std::pair("/no/such/folder:" + folder, folder),
             std::pair(folder + ":/no/such/folder", folder),
             std::pair(folder + ":" + folder + "/errors", folder + ":" + folder + "/errors"),
             std::pair(":" + folder + ":", folder),
         })
    {
        CAPTURE(list);
        CHECK(from(with_key({{"SSL_CERT_DIR", list}})).tls.ca_directory == taken);
    }
    CHECK(from(with_key({{"SSL_CERT_DIR", ""}})).tls.ca_directory.empty());
    auto const file = support::fixture_path("README.md");
    auto const both = from(with_key({{"SSL_CERT_DIR", folder}, {"SSL_CERT_FILE", file}}));
    CHECK(both.tls.ca_directory == folder);
    CHECK(both.tls.ca_file == file);
    CHECK(!both.tls.add_to_system); // both take the place of the system's
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
                 {"SSL_CERT_FILE", "/no/such/file.pem", "No such file"}},
             row{"a missing folder of authorities",
                 with_key({{"SSL_CERT_DIR", "/no/such/folder"}}),
                 {"SSL_CERT_DIR", "/no/such/folder"}},
             row{"missing folders of authorities",
                 with_key({{"SSL_CERT_DIR", "/no/such/folder:/nor/this"}}),
                 {"SSL_CERT_DIR", "/no/such/folder:/nor/this"}},
             row{"a file in the place of a folder",
                 with_key({{"SSL_CERT_DIR", support::fixture_path("README.md")}}),
                 {"SSL_CERT_DIR", "README.md"}},
             row{"no folder at all", with_key({{"SSL_CERT_DIR", ":"}}), {"SSL_CERT_DIR", "\":\""}},
             row{"a proxy of an unknown kind",
                 with_key({{"https_proxy", "ftp://user:hunter2@proxy.example"}}),
                 {"proxy", "the scheme", "https_proxy or HTTPS_PROXY"}},
             row{"a proxy of an unknown kind in capitals",
                 with_key({{"HTTPS_PROXY", "ftp://user:hunter2@proxy.example"}}),
                 {"proxy", "the scheme", "https_proxy or HTTPS_PROXY"}},
             row{"a proxy without a host",
                 with_key({{"https_proxy", "http://user:hunter2@"}}),
                 {"proxy", "no host", "https_proxy or HTTPS_PROXY"}},
             row{"a proxy with a bad port",
                 with_key({{"https_proxy", "http://user:hunter2@proxy.example:0"}}),
                 {"proxy", "port", "https_proxy or HTTPS_PROXY"}},
             row{"a proxy with a path",
                 with_key({{"https_proxy", "http://proxy.example/hunter2"}}),
                 {"proxy", "path", "https_proxy or HTTPS_PROXY"}},
             row{"a proxy whose password ends its authority",
                 with_key({{"https_proxy", "http://user:hunter2/x@proxy.example"}}),
                 {"proxy", "percent-encoded", "https_proxy or HTTPS_PROXY"}},
             row{"a proxy whose password has a line end",
                 with_key({{"https_proxy", "http://user:hunter2%0a@proxy.example"}}),
                 {"proxy", "control characters", "https_proxy or HTTPS_PROXY"}},
             row{"a proxy with a line end",
                 with_key({{"https_proxy", "http://proxy.example\n"}}),
                 {"proxy", "https_proxy or HTTPS_PROXY"}},
             row{"a bad proxy before a good one",
                 with_key({{"https_proxy", "hunter2://"}, {"HTTPS_PROXY", "http://proxy.example"}}),
                 {"proxy", "https_proxy or HTTPS_PROXY"}},
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

TEST_CASE("pool 16: the proxy of the environment is taken, the variable in small letters before that in capitals")
{
    struct row
    {
        variables set;
        std::string_view url, no_proxy;
    };
    for (auto const& [set, url, no_proxy] : {
             row{{}, "", ""},
             row{{{"https_proxy", "http://a.example:3128"}}, "http://a.example:3128", ""},
             row{{{"HTTPS_PROXY", "http://b.example:3128"}}, "http://b.example:3128", ""},
             row{{{"https_proxy", "http://a.example"}, {"HTTPS_PROXY", "http://b.example"}}, "http://a.example", ""},
             row{{{"https_proxy", ""}, {"HTTPS_PROXY", "http://b.example"}}, "http://b.example", ""},
             row{{{"https_proxy", "http://a.example"}, {"HTTPS_PROXY", ""}}, "http://a.example", ""},
             row{{{"https_proxy", "http://a.example"}, {"HTTPS_PROXY", "nonsense://"}}, "http://a.example", ""},
             row{{{"https_proxy", ""}, {"HTTPS_PROXY", ""}, {"no_proxy", ""}, {"NO_PROXY", ""}}, "", ""},
             row{{{"https_proxy", "proxy.example:3128"}}, "proxy.example:3128", ""},
             row{{{"https_proxy", "https://a.example"}}, "https://a.example", ""},
             row{{{"https_proxy", "socks5h://user:p%40ss@[::1]:1080"}}, "socks5h://user:p%40ss@[::1]:1080", ""},
             row{{{"no_proxy", "localhost,10.0.0.0/8"}}, "", "localhost,10.0.0.0/8"},
             row{{{"NO_PROXY", "*"}}, "", "*"},
             row{{{"no_proxy", "a.example"}, {"NO_PROXY", "b.example"}}, "", "a.example"},
             row{{{"no_proxy", ""}, {"NO_PROXY", "b.example"}}, "", "b.example"},
             row{{{"no_proxy", "a.example"}, {"NO_PROXY", ""}}, "", "a.example"},
             row{{{"HTTPS_PROXY", "http://b.example"}, {"no_proxy", "a.example"}, {"NO_PROXY", "*"}},
                 "http://b.example",
                 "a.example"},
             row{{{"https_proxy", "http://a.example"}, {"no_proxy", ",,//:x, ]["}}, "http://a.example", ",,//:x, ]["},
         })
    {
        CAPTURE(url);
        CAPTURE(no_proxy);
        auto const settings = from(with_key(set));
        CHECK(settings.proxy.url == url);
        CHECK(settings.proxy.no_proxy == no_proxy);
        CHECK(refusal_of(settings) == "none");
    }
}

TEST_CASE("pool 16: an endpoint without TLS has no proxy, whatever the environment says")
{
    for (std::string const url : {"http://proxy.example", "nonsense://"})
    {
        CAPTURE(url);
        auto const settings = from(with_key(
            {{"CONFLUENT_CLOUD_ENDPOINT", "http://localhost:8080"},
             {"https_proxy", url},
             {"HTTPS_PROXY", url},
             {"http_proxy", url},
             {"no_proxy", "*"},
             {"NO_PROXY", "*"}}
        ));
        CHECK(settings.proxy.url == "");
        CHECK(settings.proxy.no_proxy == "");
    }
}

TEST_CASE("of the environment only what is documented is read")
{
    std::set<std::string> asked;
    auto const lookup = [&](std::string_view name) -> std::optional<std::string> {
        asked.insert(std::string(name));
        return name.starts_with("CONFLUENT_CLOUD_API") ? std::optional<std::string>("x") : std::nullopt;
    };
    (void)config::from_environment(lookup);
    CHECK(
        asked ==
        std::set<std::string>{
            "CONFLUENT_CLOUD_API_KEY", "CONFLUENT_CLOUD_API_SECRET", "CONFLUENT_CLOUD_BEARER_TOKEN",
            "CONFLUENT_CLOUD_ENDPOINT", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_DIR", "SSL_CERT_FILE", "https_proxy",
            "no_proxy"}
    );
}

TEST_CASE("options of the pool and the proxy that cannot be used are refused by their names")
{
    struct row
    {
        std::string_view what;
        void (*spoil)(config&);
    };
    for (auto const& [what, spoil] : {
             row{"pool.max_connections_per_origin", [](config& c) { c.pool.max_connections_per_origin = 0; }},
             row{"pool.max_connections_per_origin", [](config& c) { c.pool.max_connections_per_origin = 10'001; }},
             row{"pool.max_concurrent_dials", [](config& c) { c.pool.max_concurrent_dials = 0; }},
             row{"pool.max_concurrent_dials", [](config& c) { c.pool.max_concurrent_dials = 10'001; }},
             row{"pool.connect_timeout", [](config& c) { c.pool.connect_timeout = 0ms; }},
             row{"pool.connect_timeout", [](config& c) { c.pool.connect_timeout = -1ms; }},
             row{"pool.resolve_timeout", [](config& c) { c.pool.resolve_timeout = 0ms; }},
             row{"pool.resolve_timeout", [](config& c) { c.pool.resolve_timeout = -1ms; }},
             row{"pool: idle limits", [](config& c) { c.pool.idle_timeout = -1ms; }},
             row{"pool: idle limits", [](config& c) { c.pool.idle_limit_for_post = -1ms; }},
             row{"pool: lifetimes", [](config& c) { c.pool.address_lifetime = -1ms; }},
             row{"pool: lifetimes", [](config& c) { c.pool.max_lifetime = -1ms; }},
             row{"proxy: ", [](config& c) { c.proxy.url = "ftp://user:hunter2@proxy.example"; }},
             row{"proxy: ", [](config& c) { c.proxy.url = "http://user:hunter2@"; }},
             row{"proxy: ", [](config& c) { c.proxy.url = "http://user:hunter2/@proxy.example"; }},
         })
    {
        config settings;
        spoil(settings);
        auto const fault = refusal_of(settings);
        CAPTURE(what);
        CAPTURE(fault);
        CHECK(fault.starts_with(what));
        CHECK(fault.find("hunter2") == std::string::npos);
    }
}

TEST_CASE("every option of the pool can be set to its extremes")
{
    config least;
    least.pool.max_connections_per_origin = 1;
    least.pool.max_connections = 0;
    least.pool.max_idle_connections = 0;
    least.pool.max_concurrent_dials = 1;
    least.pool.connect_timeout = 1ms;
    least.pool.resolve_timeout = 1ms;
    least.pool.address_lifetime = 0ms;
    least.pool.idle_timeout = 0ms;
    least.pool.idle_limit_for_post = 0ms;
    least.pool.max_lifetime = 0ms;
    least.pool.max_requests_per_connection = 0;
    CHECK(refusal_of(least) == "none");

    config greatest;
    constexpr auto any_number = static_cast<std::size_t>(-1);
    greatest.pool.max_connections_per_origin = 10'000;
    greatest.pool.max_connections = any_number;
    greatest.pool.max_idle_connections = any_number;
    greatest.pool.max_concurrent_dials = 10'000;
    greatest.pool.max_requests_per_connection = any_number;
    auto const durations = [](config& c) {
        return std::vector{&c.pool.connect_timeout, &c.pool.resolve_timeout,     &c.pool.address_lifetime,
                           &c.pool.idle_timeout,    &c.pool.idle_limit_for_post, &c.pool.max_lifetime};
    };
    for (auto* const each : durations(greatest))
        *each = std::chrono::milliseconds::max();
    CHECK(refusal_of(greatest) == "none");
    auto bounded = ccloud::detail::checked(greatest);
    for (auto const* const each : durations(bounded))
        CHECK(*each == std::chrono::hours(24 * 365 * 10));
}

TEST_CASE("the defaults are those that are documented")
{
    config const settings;
    CHECK(settings.total_timeout == 180s);
    CHECK(settings.attempt_timeout == 30s);
    CHECK(settings.pool.connect_timeout == 10s);
    CHECK(settings.pool.idle_timeout == 50s);
    CHECK(settings.pool.idle_limit_for_post == 5s);
    CHECK(settings.pool.max_connections_per_origin == 16);
    CHECK(settings.pool.max_connections == 256);
    CHECK(settings.pool.max_idle_connections == 0);
    CHECK(settings.pool.max_concurrent_dials == 4);
    CHECK(settings.pool.resolve_timeout == 5s);
    CHECK(settings.pool.address_lifetime == 30s);
    CHECK(settings.pool.max_lifetime == 10min);
    CHECK(settings.pool.max_requests_per_connection == 0);
    CHECK(settings.proxy.url.empty());
    CHECK(settings.proxy.no_proxy.empty());
    CHECK(!settings.compression);
    CHECK(!settings.tls.add_to_system);
    CHECK(!settings.tls.require_tls_1_3);
    CHECK(settings.retry.max_attempts == 6);
    CHECK(settings.retry.max_throttle_retries == 8);
    CHECK(settings.retry.base_delay == 500ms);
    CHECK(settings.retry.max_delay == 20s);
    CHECK(settings.retry.max_server_delay == 120s);
    CHECK(!settings.allow_plaintext);
    CHECK(std::holds_alternative<std::monostate>(settings.credentials));
}
