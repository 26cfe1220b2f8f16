#include <ccloud/ccloud.hpp>

#include "caller.hpp"
#include "certificates.hpp"
#include "http_server.hpp"
#include "printers.hpp"
#include "tls_server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using ccloud::close_reason;
using ccloud::errc;
using ccloud::progress;
using support::authority;
using support::caller;
using support::ending;
using support::http_server;
using support::of_version;
using support::tls_server;
using support::tls_server_options;
namespace asio = boost::asio;

namespace {

bool contains(std::string_view text, std::string_view part)
{
    return text.find(part) != std::string_view::npos;
}

std::size_t attempts_of(caller const& client)
{
    return client.cloud->metrics().attempts;
}

/** A server without TLS that ends each connection before it has answered anything; also a proxy that opens a tunnel
    first. On a thread of its own. */
class hostile_server
{
public:
    enum class manner { closes, resets, speaks, opens_tunnel_and_closes, reads_request_and_closes };

    explicit hostile_server(manner how, std::string const& address = "127.0.0.1", std::uint16_t port = 0)
        : how_(how), acceptor_(context_, {asio::ip::make_address(address), port})
    {
        asio::co_spawn(context_, accept(), asio::detached);
        thread_ = std::thread([this] { context_.run(); });
    }
    ~hostile_server()
    {
        context_.stop();
        thread_.join();
    }
    hostile_server(hostile_server const&) = delete;
    hostile_server& operator=(hostile_server const&) = delete;

    std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }
    std::size_t accepted() const { return accepted_; }

private:
    using tcp = asio::ip::tcp;
    static constexpr auto awaited = asio::as_tuple(asio::use_awaitable);

    asio::awaitable<void> accept()
    {
        for (;;)
        {
            tcp::socket peer = co_await acceptor_.async_accept(asio::use_awaitable);
            ++accepted_;
            asio::co_spawn(context_, mistreat(std::move(peer)), asio::detached);
        }
    }

    asio::awaitable<void> mistreat(tcp::socket peer)
    {
        boost::system::error_code ignored;
        std::string received;
        std::tuple<boost::system::error_code, std::size_t> moved;
        if (how_ == manner::opens_tunnel_and_closes || how_ == manner::reads_request_and_closes)
        {
            auto into = asio::dynamic_buffer(received);
            moved = co_await asio::async_read_until(peer, into, "\r\n\r\n", awaited);
        }
        std::string_view const answer = how_ == manner::opens_tunnel_and_closes ? "HTTP/1.1 200 Connected\r\n\r\n"
                                        : how_ == manner::speaks                ? "SSH-2.0-OpenSSH_9.2\r\n"
                                                                                : "";
        if (!answer.empty())
            moved = co_await asio::async_write(peer, asio::buffer(answer), awaited);
        if (how_ == manner::resets)
        {
            peer.set_option(asio::socket_base::linger(true, 0), ignored);
            peer.close(ignored);
        }
        else if (how_ != manner::speaks)
            peer.shutdown(tcp::socket::shutdown_send, ignored);
        if (how_ != manner::resets)
        {
            received.clear();
            auto into = asio::dynamic_buffer(received);
            moved = co_await asio::async_read_until(peer, into, "never", awaited);
        }
    }

    manner const how_;
    asio::io_context context_;
    tcp::acceptor acceptor_;
    std::atomic<std::size_t> accepted_ = 0;
    std::thread thread_;
};

ccloud::config settings_for(std::string endpoint)
{
    ccloud::config settings;
    settings.endpoint = std::move(endpoint);
    settings.allow_plaintext = true;
    settings.credentials = ccloud::api_key("KEY", "SECRET");
    settings.threading = ccloud::threading::serial;
    return settings;
}

struct death
{
    std::string_view name;
    ending how;
    int version;
    bool sure; ///< the client sees it before it can write a request
    std::string_view told;
    errc code = errc::connect_failed;
};

constexpr std::string_view closed = ": the server closed the connection after the TLS handshake, before any request";
constexpr std::string_view reset = ": the server reset the connection after the TLS handshake, before any request";
constexpr std::string_view sent = ": the server sent 32 bytes after the TLS handshake, before any request";

tls_server_options without_tickets(int version, authority const& ca)
{
    auto options = of_version(version, ca);
    options.tickets = 0; // where a TLS 1.2 session is resumed, the client speaks last
    return options;
}

/** Over TLS 1.3 the client's handshake ends before the server's. So if the server closes after its handshake, the
    client may have sent a request already. */
constexpr death deaths[] = {
    {"FIN", ending::fin, TLS1_2_VERSION, true, closed},
    {"close_notify and FIN", ending::goodbye, TLS1_2_VERSION, true, closed},
    {"RST", ending::reset, TLS1_2_VERSION, false, reset},
    {"data", ending::data, TLS1_2_VERSION, true, sent},
    {"FIN after the request", ending::fin_on_request, TLS1_2_VERSION, false, "", errc::connection_lost},
    {"RST after the request", ending::reset_on_request, TLS1_2_VERSION, false, "", errc::connection_lost},
    {"FIN with the server's flight", ending::fin_midway, TLS1_3_VERSION, true, closed},
    {"data with the server's flight", ending::data, TLS1_3_VERSION, true, sent},
    {"FIN", ending::fin, TLS1_3_VERSION, false, closed},
    {"close_notify and FIN", ending::goodbye, TLS1_3_VERSION, false, closed},
    {"RST", ending::reset, TLS1_3_VERSION, false, reset},
    {"FIN after the request", ending::fin_on_request, TLS1_3_VERSION, false, "", errc::connection_lost},
    {"close_notify after the request", ending::goodbye_on_request, TLS1_3_VERSION, false, "", errc::connection_lost},
    {"RST after the request", ending::reset_on_request, TLS1_3_VERSION, false, "", errc::connection_lost},
};

} // namespace

TEST_CASE("pool 10: a server that ends each new connection costs one dial per attempt, and the error says what it did")
{
    authority const ca;
    for (auto const& [name, how, version, sure, told, code] : deaths)
        for (int const most_attempts : {1, 2})
        {
            CAPTURE(name);
            CAPTURE(version);
            CAPTURE(most_attempts);
            tls_server server(without_tickets(version, ca));
            server.end_all(how);
            auto settings = server.settings(ca);
            settings.retry.max_attempts = most_attempts;
            settings.retry.base_delay = settings.retry.max_delay = 1ms;
            caller client(settings);
            auto const& call = client.begin();
            REQUIRE(client.until([&] { return call.over(); }));
            REQUIRE(!call.good());
            auto const& failed = call.error();
            CAPTURE(failed.what());
            CHECK(failed.attempts().size() == static_cast<std::size_t>(most_attempts));
            CHECK(server.counts().accepted == static_cast<std::size_t>(most_attempts));
            if (sure)
            {
                CHECK(failed == errc::connect_failed);
                CHECK(failed.progress() == progress::not_sent);
                CHECK(failed.detail() == server.endpoint() + std::string(told));
                for (auto const& attempt : failed.attempts())
                {
                    CHECK(attempt.progress == progress::not_sent);
                    CHECK(attempt.bytes_written == 0);
                }
                CHECK(client.connections().connect_failed == static_cast<std::size_t>(most_attempts));
                CHECK(client.connections().stale == 0);
            }
            else
                CHECK(
                    (failed == code || failed == errc::connection_lost || failed == errc::write_failed ||
                     failed == errc::tls_failed)
                );
            CHECK(client.connections().idle + client.connections().active + client.connections().dialing == 0);

            server.end_all(ending::none);
            CHECK(client.get() == "");
        }
}

TEST_CASE("pool 10: without TLS, too, a connection that its server ends before any request is a failed dial")
{
    using manner = hostile_server::manner;
    struct row
    {
        manner how;
        std::string_view told;
        close_reason why;
        bool through_proxy = false;
    };
    std::vector<row> const table{
        {manner::closes, " closed the connection after accepting it, before any request", close_reason::ended},
        {manner::resets, " reset the connection after accepting it, before any request", close_reason::reset},
        {manner::speaks, " sent 21 bytes after accepting it, before any request", close_reason::unsolicited},
        {manner::reads_request_and_closes, "", close_reason::failed},
        {manner::opens_tunnel_and_closes, " closed the connection after the tunnel was open, before any request",
         close_reason::ended, true},
    };
    for (auto const& [how, told, why, through_proxy] : table)
    {
        CAPTURE(static_cast<int>(how));
        hostile_server server(how);
        auto settings = settings_for(through_proxy ? "http://origin.example.test" : server.url());
        if (through_proxy)
            settings.proxy.url = server.url();
        settings.retry.max_attempts = 3;
        settings.retry.base_delay = settings.retry.max_delay = 1ms;
        caller client(settings);
        auto const& call = client.begin();
        REQUIRE(client.until([&] { return call.over(); }));
        REQUIRE(!call.good());
        auto const& failed = call.error();
        CAPTURE(failed.what());
        CHECK(server.accepted() == failed.attempts().size());
        CHECK(client.connections().stale == 0);
        // The client may be quicker than the server: then its request is lost.
        if (failed == errc::connect_failed)
        {
            auto const whom = settings.endpoint + ": the server" + (through_proxy ? " or proxy " + server.url() : "");
            bool const in_connect = how == manner::resets && failed.detail() == settings.endpoint;
            CHECK((in_connect || failed.detail() == whom + std::string(told)));
            CHECK((in_connect || client.connections().closed_for(why) > 0));
            CHECK(failed.attempts().back().progress == progress::not_sent);
        }
        else
            CHECK(failed.progress() == progress::maybe_sent);
        // Bytes that are not a response are not retried. It is chance in which attempt they arrive too late for a
        // failed dial.
        CHECK((failed == errc::malformed_response || failed.attempts().size() == 3));
    }
}

TEST_CASE("pool 10: two hundred callers of an unreachable server do not wait for each other's failed dials")
{
    asio::io_context context;
    asio::ip::tcp::socket const taken(context, {asio::ip::address_v4::loopback(), 0}); // and nobody listens there
    auto const port = taken.local_endpoint().port();
    auto settings = settings_for("http://127.0.0.1:" + std::to_string(port));
    settings.rate_scope = support::scope_for_each_target();
    settings.retry.max_attempts = 1;
    caller client(settings);
    for (std::size_t i = 0; i < 200; ++i)
        client.begin("/scope/" + std::to_string(i), {.timeout = 60s});
    REQUIRE(client.until([&] { return client.all_over(); }));
    for (auto const& call : client.calls)
        CHECK(call.error() == errc::connect_failed);
    // Calls that have waited for a second fail with the same dial: four dials per round, with pauses of up to a second.
    CHECK(client.connections().connect_failed < 100);
    CHECK(client.connections().waiting == 0);
}

TEST_CASE(
    "pool 10: two hundred callers of a server that ends each new connection dial no more than they try, and get on "
    "once the server does"
)
{
    authority const ca;
    for (auto const& [name, how, version, sure, told, code] : deaths)
    {
        CAPTURE(name);
        CAPTURE(version);
        tls_server server(without_tickets(version, ca));
        server.end_all(how);
        auto settings = server.settings(ca);
        settings.rate_scope = support::scope_for_each_target();
        settings.pool.max_connections_per_origin = 64;
        settings.pool.max_concurrent_dials = 16;
        settings.retry.max_attempts = 100;
        settings.retry.base_delay = settings.retry.max_delay = 1ms;
        caller client(settings);
        // The first attempt fails before the others begin, so that the client knows the cause even if their deadline
        // passes during their first attempt.
        auto& first = client.begin("/scope/first", {.timeout = 30s, .retry = ccloud::retry_policy::none()});
        REQUIRE(client.until([&] { return first.over(); }));
        for (std::size_t i = 0; i < 200; ++i)
            client.begin("/scope/" + std::to_string(i), {.timeout = 400ms});
        REQUIRE(client.until([&] { return client.all_over(); }));
        std::size_t silent = 0;
        std::string one;
        for (auto const& call : client.calls)
        {
            REQUIRE(!call.good());
            auto const& failed = call.error();
            bool const in_use = failed.progress() == progress::maybe_sent || failed == errc::write_failed;
            bool const tells = contains(failed.what(), sure ? told : "the server") || (!sure && in_use);
            silent += tells ? 0 : 1;
            if (!tells)
                one = failed.what();
            if (sure)
                CHECK(failed.progress() == progress::not_sent);
        }
        CAPTURE(one);
        CHECK(silent == 0);
        CHECK(server.counts().accepted <= attempts_of(client) + 32);
        CHECK(server.counts().requests <= attempts_of(client));
        CHECK(client.connections().waiting == 0);
        CHECK(client.connections().active == 0);

        // The same client: calls that already wait when the server recovers, and calls after them.
        client.forget();
        for (std::size_t i = 0; i < 200; ++i)
            client.begin("/scope/" + std::to_string(i), {.timeout = 30s});
        client.poll();
        server.end_all(ending::none);
        REQUIRE(client.until([&] { return client.all_over(); }));
        std::size_t late = 0;
        for (auto const& call : client.calls)
            if (!call.good())
                late += call.error() == errc::deadline_exceeded ? 1U : 0U; // others failed before it got well
        CHECK(late == 0);
        client.forget();
        for (std::size_t i = 0; i < 200; ++i)
            client.begin("/scope/" + std::to_string(i), {.timeout = 30s});
        REQUIRE(client.until([&] { return client.all_over(); }));
        for (auto const& call : client.calls)
            CHECK((call.good() ? "" : call.error().what()) == std::string());
    }
}

TEST_CASE("pool 10: a proxy that closes the tunnel after opening it costs one dial per attempt: the TLS handshake fails"
)
{
    hostile_server proxy(hostile_server::manner::opens_tunnel_and_closes);
    auto settings = settings_for("https://origin.example.test");
    settings.proxy.url = proxy.url();
    settings.retry.max_attempts = 3;
    settings.retry.base_delay = settings.retry.max_delay = 1ms;
    caller client(settings);
    auto const& call = client.begin();
    REQUIRE(client.until([&] { return call.over(); }));
    REQUIRE(!call.good());
    CAPTURE(call.error().what());
    CHECK(call.error() == errc::tls_failed);
    CHECK(call.error().progress() == progress::not_sent);
    CHECK(call.error().cause());
    CHECK(contains(call.error().detail(), "https://origin.example.test through proxy " + proxy.url()));
    CHECK(call.error().attempts().size() == 3);
    CHECK(proxy.accepted() == 3);
}

TEST_CASE("pool 15: the address of a server that ends each new connection is tried last")
{
    for (auto const how : {hostile_server::manner::closes, hostile_server::manner::reads_request_and_closes})
    {
        CAPTURE(static_cast<int>(how));
        http_server good([](std::string_view) { return support::response(200); }, "127.0.0.1");
        hostile_server const bad(how, "127.0.0.2", good.port());
        auto settings = good.settings("api.example.test");
        settings.pool.max_requests_per_connection = 1;
        settings.retry.base_delay = settings.retry.max_delay = 1ms;
        caller client(settings, [](std::string const&) {
            return ccloud::net::name_answer{{"127.0.0.2", "127.0.0.1"}, {}};
        });
        for (int i = 0; i < 6; ++i)
            CHECK(client.get() == "");
        CHECK(bad.accepted() == 1);
        CHECK(good.counts().requests == 6);
    }
}

TEST_CASE(
    "pool 10, 15: a connection that its server ends after a response is no failed dial, nor held against the address"
)
{
    std::optional<http_server> first, second; // two addresses of one name
    for (int attempt = 0; !second; ++attempt)
        try
        {
            auto const answer = [](std::string_view) { return support::response(200); };
            first.emplace(answer, "127.0.0.2");
            second.emplace(answer, "127.0.0.1", first->port());
        }
        catch (std::runtime_error const&) // the port is taken
        {
            REQUIRE(attempt < 10);
        }
    auto settings = first->settings("api.example.test");
    caller client(settings, [](std::string const&) {
        return ccloud::net::name_answer{{"127.0.0.2", "127.0.0.1"}, {}};
    });
    CHECK(client.get() == "");
    CHECK(first->counts().accepted == 1);
    first->end();
    REQUIRE(client.until([&] { return client.connections().closed_for(close_reason::ended) == 1; }));
    for (std::size_t dial = 1; dial < 5; ++dial) // dials take turns, also with the address whose connection was ended
    {
        CAPTURE(dial);
        CHECK(client.get() == "");
        CHECK(first->counts().accepted == 1 + dial / 2);
        CHECK(second->counts().accepted == (dial + 1) / 2);
        client.cloud->close_idle();
        client.poll();
    }
    CHECK(client.connections().connect_failed == 0);
    CHECK(client.connections().dialed == 5);
}

TEST_CASE("pool 23: warmed-up connections that the server ends are not replaced, and no call fails because of them")
{
    authority const ca;
    tls_server server(without_tickets(TLS1_2_VERSION, ca));
    server.end_all(ending::fin);
    auto settings = server.settings(ca);
    settings.pool.max_concurrent_dials = 4;
    caller client(settings);
    client.cloud->warm_up(16);
    REQUIRE(client.until([&] {
        auto const now = client.connections();
        return now.closed_for(close_reason::ended) >= 4 && now.idle + now.dialing == 0;
    }));
    CHECK(server.counts().accepted <= 16);
    CHECK(client.connections().connect_failed == 0);
    server.end_all(ending::none);
    auto const& call = client.begin();
    REQUIRE(client.until([&] { return call.over(); }));
    REQUIRE(call.good());
    CHECK(call.how->response().attempts() == 1);
}

TEST_CASE("pool 11: if all idle connections are dead, a call uses up no attempt for them, and one dial follows")
{
    authority const ca;
    for (int const version : {TLS1_2_VERSION, TLS1_3_VERSION})
    {
        CAPTURE(version);
        tls_server server(of_version(version, ca));
        caller client(server.settings(ca));
        server.hold(8);
        client.begin_all(8);
        REQUIRE(client.until([&] { return client.all_over(); }));
        REQUIRE(client.connections().idle == 8);
        server.end();
        auto const& call = client.begin();
        REQUIRE(client.until([&] { return call.over(); }));
        REQUIRE(call.good());
        CHECK(call.how->response().attempts() == 1);
        CHECK(client.connections().closed_for(close_reason::ended) == 8);
        CHECK(client.connections().stale <= 1);
        CHECK(client.connections().connect_failed == 0);
        CHECK(server.counts().accepted == 9);
    }
}

TEST_CASE("tls: a client certificate that a TLS 1.3 server refuses after the handshake costs one dial for all that wait"
)
{
    authority const ca;
    authority const other;
    auto options = without_tickets(TLS1_3_VERSION, ca);
    options.client_ca = ca.certificate();
    tls_server server(options);
    auto settings = server.settings(ca);
    auto const ours = other.issue(support::subject());
    settings.tls.certificate_pem = ours.certificate;
    settings.tls.key_pem = ours.key;
    settings.rate_scope = support::scope_for_each_target();
    settings.pool.max_concurrent_dials = 1;
    caller client(settings);
    for (std::size_t i = 0; i < 8; ++i)
        client.begin("/scope/" + std::to_string(i));
    REQUIRE(client.until([&] { return client.all_over(); }));
    for (auto const& call : client.calls)
    {
        REQUIRE(!call.good());
        CHECK(call.error() == errc::client_certificate_rejected);
        CHECK(call.error().progress() == progress::not_sent);
        CHECK(call.error().attempts().size() == 1);
    }
    CHECK(client.connections().tls_failed == 1);
    CHECK(client.connections().dialed == 0);
    CHECK(client.connections().stale == 0);
    CHECK(server.counts().accepted == 1);
}
