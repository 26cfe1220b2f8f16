#include <ccloud/client.hpp>

#include "net/factory.hpp"
#include "network.hpp"
#include "printers.hpp"
#include "server.hpp"
#include "testing/simulator_tls.hpp"

#include <boost/asio/awaitable.hpp>

#include <doctest/doctest.h>

#include <array>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using ccloud::errc;
using ccloud::progress;
using servers::installed;
using servers::settings_for;
namespace asio = boost::asio;

namespace {

constexpr auto user = "build-farm";
constexpr auto password = "s3cret.pw";
constexpr auto in_url = "build%2Dfarm:s3cret%2Epw@";
constexpr auto wrong_in_url = "build%2Dfarm:oth3r%2Epw@";

class watcher : public ccloud::observer
{
public:
    void connection_used(ccloud::observed_call const&, int, ccloud::connection_use const& use) noexcept override
    {
        uses.push_back(use);
    }

    std::vector<ccloud::connection_use> uses;
};

/** What came of a few calls. */
struct outcome
{
    std::optional<ccloud::error> failure; ///< of the first that failed
    std::vector<ccloud::connection_use> uses;
    ccloud::connection_metrics connections;
};

/** Whether the programs are there, and proxies can look up the name of the origin: not where there is no /etc/hosts. */
bool usable(std::initializer_list<char const*> programs)
{
    if (!installed(programs))
        return false;
    bool const named = !ccloud::net::system_lookup("localhost").failure;
    if (!named)
        MESSAGE("skipped: this system does not know localhost");
    return named;
}

outcome call(ccloud::config settings, int times)
{
    auto const watching = std::make_shared<watcher>();
    settings.observer = watching;
    outcome seen;
    support::over_network(settings, [&](ccloud::client cloud) -> asio::awaitable<void> {
        for (int i = 0; i < times && !seen.failure; ++i)
        {
            ccloud::http_request request(ccloud::method::get, "/iam/v2/ip-groups/ipg-1");
            auto answer = co_await cloud.execute(std::move(request));
            if (!answer.has_value())
                seen.failure = answer.error();
            else
                CHECK(answer->body() == R"({"id": "ipg-1"})");
        }
        seen.connections = cloud.metrics().connections;
    });
    seen.uses = watching->uses;
    return seen;
}

bool contains(std::string_view text, std::string_view part)
{
    return text.find(part) != std::string_view::npos;
}

/** Expects three calls to be answered on one connection through a proxy that is shown as `proxy`. */
void check_answered(ccloud::config const& settings, std::string const& proxy)
{
    CAPTURE(proxy);
    auto const seen = call(settings, 3);
    CHECK(seen.failure == std::nullopt);
    REQUIRE(seen.uses.size() == 3);
    for (auto const& use : seen.uses)
    {
        REQUIRE(use.connection != nullptr);
        CHECK(use.connection->id == seen.uses.front().connection->id);
        CHECK(use.connection->proxy == proxy);
        CHECK(use.connection->tls_version == "TLSv1.2");
    }
    CHECK(seen.connections.dialed == 1);
    CHECK(seen.connections.proxy_failed == 0);
}

/** Expects a call to fail before anything was sent, for a reason that names the proxy and shows no credentials. */
void check_failed(ccloud::config const& settings, errc code, std::string const& proxy)
{
    CAPTURE(proxy);
    auto const seen = call(settings, 1);
    REQUIRE(seen.failure.has_value());
    CAPTURE(*seen.failure);
    CHECK(*seen.failure == code);
    CHECK(*seen.failure == ccloud::condition::network);
    CHECK(seen.failure->progress() == progress::not_sent);
    CHECK(contains(seen.failure->detail(), proxy));
    for (auto const secret : {"farm", "s3cret", "oth3r"})
        CHECK(!contains(seen.failure->what(), secret));
    CHECK(seen.connections.dialed == 0);
}

/** Through the proxy at `address` with each of these credentials in turn. */
void check_credentials(ccloud::config settings, std::string const& scheme, std::string const& address)
{
    auto const shown = scheme + address;
    settings.proxy.url = scheme + in_url + address;
    check_answered(settings, shown);
    settings.proxy.url = scheme + wrong_in_url + address;
    check_failed(settings, errc::proxy_authentication_failed, shown);
    settings.proxy.url = shown;
    check_failed(settings, errc::proxy_authentication_failed, shown);
}

std::string tinyproxy_credentials()
{
    return std::string(user) + " " + password;
}

std::vector<std::string> microsocks_credentials()
{
    return {"-u", user, "-P", password};
}

} // namespace

TEST_CASE("pool 16: calls reach nginx through tinyproxy, by CONNECT, and share a tunnel")
{
    if (!usable({"nginx", "tinyproxy"}))
        return;
    auto const origin = servers::nginx();
    servers::free_port const nobody;
    auto const proxy = servers::tinyproxy(origin.port(), nobody.number());
    auto settings = settings_for(origin.port(), false);
    auto const url = "http://" + proxy.address();
    settings.proxy.url = url;
    check_answered(settings, url);
    settings.proxy.url = "http://" + std::string(in_url) + proxy.address(); // not asked for
    check_answered(settings, url);

    settings.proxy.url = url;
    settings.endpoint = "https://localhost:" + nobody.text();
    check_failed(settings, errc::proxy_refused, url);
    servers::free_port const forbidden;
    settings.endpoint = "https://localhost:" + forbidden.text();
    check_failed(settings, errc::proxy_refused, url);
}

TEST_CASE("pool 16: tinyproxy lets those pass who have the credentials it asks for")
{
    if (!usable({"nginx", "tinyproxy"}))
        return;
    auto const origin = servers::nginx();
    auto const proxy = servers::tinyproxy(origin.port(), origin.port(), tinyproxy_credentials());
    check_credentials(settings_for(origin.port(), false), "http://", proxy.address());
}

TEST_CASE("pool 16: the way to tinyproxy may be TLS, too")
{
    if (!usable({"nginx", "tinyproxy", "haproxy"}))
        return;
    auto const origin = servers::nginx();
    auto const proxy = servers::tinyproxy(origin.port(), origin.port(), tinyproxy_credentials());
    auto const front = servers::tls_front(proxy.port());
    auto settings = settings_for(origin.port(), false);
    check_credentials(settings, "https://", "localhost:" + std::to_string(front.port()));

    settings.endpoint = "https://127.0.0.1:" + std::to_string(front.port());
    settings.proxy.url = "https://" + std::string(in_url) + front.address();
    check_failed(settings, errc::proxy_refused, "https://" + front.address());

    ccloud::testing::simulated::tls_identity const stranger;
    settings.tls.ca_file = stranger.ca_file();
    check_failed(settings, errc::certificate_unknown_authority, "https://" + front.address());
}

TEST_CASE("pool 16: calls reach nginx through microsocks, where names are looked up here by socks5 and there by socks5h"
)
{
    if (!usable({"nginx", "microsocks"}))
        return;
    auto const origin = servers::nginx();
    auto const port = std::to_string(origin.port());
    auto const proxy = servers::microsocks();
    auto settings = settings_for(origin.port(), false);

    settings.proxy.url = "socks5://" + proxy.address();
    check_answered(settings, settings.proxy.url);
    CHECK(contains(proxy.file("output"), "connected to 127.0.0.1:" + port));
    CHECK(!contains(proxy.file("output"), "connected to localhost:" + port));

    settings.proxy.url = "socks5h://" + proxy.address();
    check_answered(settings, settings.proxy.url);
    CHECK(contains(proxy.file("output"), "connected to localhost:" + port));

    servers::free_port const nobody;
    settings.endpoint = "https://localhost:" + nobody.text();
    check_failed(settings, errc::proxy_refused, settings.proxy.url);
}

TEST_CASE("pool 16: microsocks lets those pass who have the credentials it asks for")
{
    if (!usable({"nginx", "microsocks"}))
        return;
    auto const origin = servers::nginx();
    auto const proxy = servers::microsocks(microsocks_credentials());
    for (std::string const scheme : {"socks5://", "socks5h://"})
        check_credentials(settings_for(origin.port(), false), scheme, proxy.address());
}

TEST_CASE("pool 16: a proxy that is not there is a connect_failed which names it")
{
    servers::free_port const nobody;
    auto settings = settings_for(nobody.number(), false);
    for (std::string const scheme : {"http://", "https://", "socks5://", "socks5h://"})
    {
        settings.proxy.url = scheme + in_url + "127.0.0.1:" + nobody.text();
        check_failed(settings, errc::connect_failed, scheme + "127.0.0.1:" + nobody.text());
    }
}

TEST_CASE("pool 16: no_proxy names what is reached without the proxy")
{
    if (!installed({"nginx"}))
        return;
    auto const origin = servers::nginx();
    servers::free_port const nobody;
    auto settings = settings_for(origin.port(), false);
    settings.proxy.url = "http://127.0.0.1:" + nobody.text();
    auto const port = std::to_string(origin.port());
    for (auto const& list : {std::string("localhost"), "example.com, localhost:" + port, std::string("*")})
    {
        settings.proxy.no_proxy = list;
        check_answered(settings, "");
    }
    for (auto const& list : {std::string("127.0.0.0/8"), "localhost:" + nobody.text(), std::string("example.com")})
    {
        settings.proxy.no_proxy = list;
        check_failed(settings, errc::connect_failed, settings.proxy.url);
    }
    settings.endpoint = "https://127.0.0.1:" + port;
    settings.proxy.no_proxy = "127.0.0.0/8";
    check_answered(settings, "");
}

TEST_CASE("pool 16: from_environment() reads of the proxy and of what is reached without it")
{
    if (!usable({"nginx", "tinyproxy"}))
        return;
    auto const origin = servers::nginx();
    auto const proxy = servers::tinyproxy(origin.port(), origin.port(), tinyproxy_credentials());
    servers::server::values variables{
        {"CONFLUENT_CLOUD_API_KEY", "KEY"},
        {"CONFLUENT_CLOUD_API_SECRET", "SECRET"},
        {"CONFLUENT_CLOUD_ENDPOINT", "https://localhost:" + std::to_string(origin.port())},
        {"SSL_CERT_FILE", servers::ca_file()},
        {"HTTPS_PROXY", "http://" + std::string(in_url) + proxy.address()},
    };
    auto const read = [&] {
        return ccloud::config::from_environment([&](std::string_view name) -> std::optional<std::string> {
            for (auto const& [known, value] : variables)
                if (known == name)
                    return value;
            return std::nullopt;
        });
    };
    check_answered(read(), "http://" + proxy.address());
    variables.emplace_back("NO_PROXY", "example.com,localhost");
    check_answered(read(), "");
}
