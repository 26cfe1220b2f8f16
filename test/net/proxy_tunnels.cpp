// Replies to CONNECT, and tunnels that fail before the TLS handshake is complete: RFC 9110 section 9.3.6.
#include <ccloud/ccloud.hpp>

#include "caller.hpp"
#include "printers.hpp"
#include "puppet_server.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

using namespace std::chrono_literals;
using ccloud::errc;
using ccloud::progress;
using support::caller;
using support::puppet_server;

namespace {

bool mentions(std::string_view text, std::string_view part)
{
    return text.find(part) != std::string_view::npos;
}

ccloud::config settings_through(puppet_server const& proxy)
{
    auto settings = proxy.settings();
    settings.proxy.url = settings.endpoint;
    settings.endpoint = "https://origin.example";
    settings.retry = ccloud::retry_policy();
    settings.retry.base_delay = settings.retry.max_delay = 1ms;
    settings.retry.max_attempts = 2;
    return settings;
}

/** Makes a call, and sends this reply to each CONNECT. */
ccloud::error call_through(caller& client, puppet_server& proxy, std::string_view reply)
{
    auto& call = client.begin();
    std::size_t answered = 0;
    REQUIRE(client.until([&] {
        if (proxy.requests(answered) == 1)
            proxy.send(reply, answered++);
        return call.over();
    }));
    REQUIRE(!call.good());
    return call.error();
}

/** The origin has no TLS, so that what follows the CONNECT can be read. */
ccloud::config plain_settings_through(puppet_server const& proxy)
{
    auto settings = settings_through(proxy);
    settings.endpoint = "http://origin.example";
    return settings;
}

constexpr std::string_view connect_head = "CONNECT origin.example:80 HTTP/1.1\r\nHost: origin.example:80\r\n";

} // namespace

TEST_CASE("RFC 9110 section 9.3.6: a tunnel is open once the head of a 2xx is complete, whatever pieces it arrives in")
{
    for (std::string const reply :
         {"HTTP/1.1 200 Connection established\r\n\r\n", "HTTP/1.0 200 OK\nVia: x\n\n",
          "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 299 Fine\r\nContent-Length: 5\r\n\r\n"})
        for (std::size_t cut = 0; cut <= reply.size(); ++cut) // the last one is a byte at a time
        {
            CAPTURE(reply);
            CAPTURE(cut);
            puppet_server proxy;
            caller client(plain_settings_through(proxy));
            auto& call = client.begin();
            REQUIRE(client.until([&] { return proxy.requests() == 1; }));
            auto const request = proxy.received();
            CHECK(request.starts_with(connect_head));
            std::string piece;
            for (std::size_t i = 0; i < reply.size(); ++i)
            {
                if (!piece.empty() && (i == cut || cut == reply.size()))
                {
                    proxy.send(std::exchange(piece, {}));
                    client.poll();
                    client.poll();
                    REQUIRE(proxy.received() == request); // the client waits for the rest
                }
                piece += reply[i];
            }
            proxy.send(piece);
            REQUIRE(client.until([&] { return proxy.requests() == 2; }));
            CHECK(std::string_view(proxy.received())
                      .substr(request.size())
                      .starts_with("GET /org/v2/environments HTTP/1.1\r\nHost: origin.example\r\n"));
            proxy.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
            REQUIRE(client.until([&] { return call.over(); }));
            CHECK(call.good());
            CHECK(proxy.accepted() == 1);
        }
}

TEST_CASE("RFC 9110 section 11.7.1: a proxy that wants credentials, or others, is not asked again")
{
    for (std::string_view const user : {"", "me:pass@"})
        for (std::string const status : {"407 Proxy Authentication Required", "401 Unauthorized"})
        {
            CAPTURE(user);
            CAPTURE(status);
            puppet_server proxy;
            auto settings = settings_through(proxy);
            auto const name = "proxy " + settings.proxy.url;
            settings.proxy.url.insert(7, user);
            caller client(settings);
            auto const failed =
                call_through(client, proxy, "HTTP/1.1 " + status + "\r\nProxy-Authenticate: Basic\r\n\r\n");
            auto const given = proxy.received().find("\r\nProxy-Authorization: Basic bWU6cGFzcw==\r\n");
            CHECK((given == std::string::npos) == user.empty());
            CHECK(failed == errc::proxy_authentication_failed);
            CHECK(failed.progress() == progress::not_sent);
            CHECK(failed.detail() == name + ": " + status);
            CHECK(!mentions(failed.what(), "pass@"));
            CHECK(failed.attempts().size() == 1);
            CHECK(proxy.accepted() == 1);
            CHECK(client.connections().proxy_failed == 1);
        }
}

TEST_CASE("RFC 9110 section 11.7.1: a proxy that wants other credentials hears once of all calls that wait")
{
    puppet_server proxy;
    auto settings = settings_through(proxy);
    settings.rate_scope = support::scope_for_each_target();
    settings.pool.max_concurrent_dials = 1;
    caller client(settings);
    for (char const scope : {'a', 'b', 'c'})
        client.begin(std::string("/scope/") + scope);
    REQUIRE(client.until([&] { return proxy.requests() == 1; }));
    proxy.send("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n");
    REQUIRE(client.until([&] { return client.all_over(); }));
    for (auto const& call : client.calls)
    {
        REQUIRE(!call.good());
        CHECK(call.error() == errc::proxy_authentication_failed);
    }
    CHECK(proxy.accepted() == 1);
    CHECK(client.connections().proxy_failed == 1);
}

TEST_CASE("RFC 9112 section 4: a reply to CONNECT that is not a response of HTTP/1 is reported, and not asked for again"
)
{
    struct row
    {
        std::string reply;
        std::string_view text;
    };
    for (auto const& [reply, text] :
         {row{"SSH-2.0-OpenSSH_9.2\r\n", "no HTTP/1 response"}, row{"HTTP/2 200\r\n\r\n", "no HTTP/1 response"},
          row{"\x05", "no HTTP/1 response"}, row{"HTTP/1.1 099 Low\r\n\r\n", "no HTTP/1 response"},
          row{"HTTP/1.1 200 OK\r\nA: " + std::string(8192, 'a'), "a head of more than 8 KiB"},
          row{"HTTP/1.1 200 OK\r\n\r\nmore", "something after the head that opens the tunnel"}})
    {
        CAPTURE(reply.substr(0, 40));
        puppet_server proxy;
        caller client(settings_through(proxy));
        auto const failed = call_through(client, proxy, reply);
        CHECK(failed == errc::proxy_refused);
        CHECK(failed.progress() == progress::not_sent);
        CHECK(failed.detail() == "proxy " + settings_through(proxy).proxy.url + ": " + std::string(text));
        CHECK(failed.attempts().size() == 1);
        CHECK(proxy.accepted() == 1);
    }
}

TEST_CASE("RFC 9112 section 8: a proxy may end the connection at each byte of its reply to CONNECT: tried again")
{
    std::string_view const reply = "HTTP/1.1 200 Connection established\r\n\r\n";
    for (bool const resets : {false, true})
        for (std::size_t sent = 0; sent < reply.size(); ++sent)
        {
            CAPTURE(resets);
            CAPTURE(sent);
            puppet_server proxy;
            caller client(settings_through(proxy));
            auto& call = client.begin();
            for (std::size_t connection = 0; connection < 2; ++connection)
            {
                REQUIRE(client.until([&] { return proxy.requests(connection) == 1; }));
                proxy.send(reply.substr(0, sent), connection);
                resets ? proxy.reset(connection) : proxy.end(connection);
            }
            REQUIRE(client.until([&] { return call.over(); }));
            REQUIRE(!call.good());
            CHECK(call.error() == errc::proxy_refused);
            CHECK(call.error().progress() == progress::not_sent);
            CHECK(call.error().detail() == "proxy " + settings_through(proxy).proxy.url + ": the connection broke");
            boost::system::error_code const cause =
                resets ? boost::system::error_code(boost::asio::error::connection_reset)
                       : boost::system::error_code(boost::asio::error::eof);
            CHECK(call.error().cause() == std::error_code(cause));
            CHECK(call.error().attempts().size() == 2);
            CHECK(proxy.accepted() == 2);
        }
}

TEST_CASE("a proxy that does not answer CONNECT is given up after connect_timeout, and named")
{
    for (std::string_view const begun : {"", "HTTP/1.1 200 Connection established\r\n"})
    {
        CAPTURE(begun);
        puppet_server proxy;
        auto settings = settings_through(proxy);
        settings.retry = ccloud::retry_policy::none();
        settings.pool.connect_timeout = 200ms;
        caller client(settings);
        auto& call = client.begin();
        REQUIRE(client.until([&] { return proxy.requests() == 1; }));
        proxy.send(begun);
        REQUIRE(client.until([&] { return call.over(); }));
        REQUIRE(!call.good());
        CHECK(call.error() == errc::connect_timeout);
        CHECK(call.error().progress() == progress::not_sent);
        CHECK(call.error().detail().starts_with("CONNECT reply of proxy " + settings.proxy.url + " took longer than"));
        CHECK(client.until([&] { return proxy.left(); }));
    }
}

TEST_CASE("RFC 9110 section 9.3.6: a proxy that refuses CONNECT is asked again only after 408, 429 and 5xx")
{
    struct row
    {
        std::string_view reply;
        bool again;
    };
    for (auto const& [reply, again] :
         {row{"302 Found\r\nLocation: http://portal.example/login", false}, row{"301 Moved", false},
          row{"307 Temporary Redirect", false}, row{"304 Not Modified", false}, row{"101 Switching Protocols", false},
          row{"403 Filtered", false}, row{"404 Not Found", false}, row{"425 Too Early", false}, row{"600 Odd", false},
          row{"999 Odd", false}, row{"408 Request Timeout", true}, row{"429 Too Many", true}, row{"500 Odd", true},
          row{"502 Bad Gateway", true}, row{"503 Busy", true}, row{"599 Odd", true}})
    {
        CAPTURE(reply);
        puppet_server proxy;
        caller client(settings_through(proxy));
        auto const failed =
            call_through(client, proxy, "HTTP/1.1 " + std::string(reply) + "\r\nContent-Length: 0\r\n\r\n");
        CHECK(failed == errc::proxy_refused);
        CHECK(failed.progress() == progress::not_sent);
        CHECK(mentions(failed.detail(), "proxy http://127.0.0.1:"));
        CHECK(mentions(failed.detail(), reply.substr(0, reply.find('\r'))));
        CHECK(failed.attempts().size() == (again ? 2 : 1));
        CHECK(proxy.accepted() == (again ? 2 : 1));
    }
}

TEST_CASE(
    "RFC 9110 section 9.3.6: a TLS handshake that fails after the tunnel was opened names the origin and the proxy"
)
{
    enum class ending { closes, resets, plain_http, banner, silent };
    for (auto const then : {ending::closes, ending::resets, ending::plain_http, ending::banner, ending::silent})
    {
        CAPTURE(static_cast<int>(then));
        puppet_server proxy;
        auto settings = settings_through(proxy);
        settings.retry = ccloud::retry_policy::none();
        settings.pool.connect_timeout = then == ending::silent ? 300ms : 10'000ms;
        auto const url = settings.proxy.url;
        caller client(settings);
        auto& call = client.begin();
        REQUIRE(client.until([&] { return proxy.requests() == 1; }));
        auto const before = proxy.received().size();
        proxy.send("HTTP/1.1 200 Connection established\r\n\r\n");
        REQUIRE(client.until([&] { return proxy.received().size() > before; })); // the ClientHello
        switch (then)
        {
        case ending::closes: proxy.end(); break;
        case ending::resets: proxy.reset(); break;
        case ending::plain_http: proxy.send("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"); break;
        case ending::banner: proxy.send("SSH-2.0-OpenSSH_9.2\r\n"); break;
        case ending::silent: break;
        }
        REQUIRE(client.until([&] { return call.over(); }));
        REQUIRE(!call.good());
        CAPTURE(call.error().what());
        CHECK(call.error() == (then == ending::silent ? errc::connect_timeout : errc::tls_failed));
        CHECK(call.error().progress() == progress::not_sent);
        CHECK(mentions(call.error().detail(), "https://origin.example through proxy " + url));
    }
}

TEST_CASE("pool 15: the address of a proxy that ends each tunnel before a request can be sent is tried last")
{
    std::optional<puppet_server> bad, good; // two addresses of one name
    for (int attempt = 0; !good; ++attempt)
        try
        {
            bad.emplace("127.0.0.2");
            good.emplace("127.0.0.1", bad->port());
        }
        catch (boost::system::system_error const&)
        {
            REQUIRE(attempt < 10);
        }
    auto settings = plain_settings_through(*good);
    settings.proxy.url = "http://proxy.example:" + std::to_string(good->port());
    settings.pool.max_requests_per_connection = 1;
    caller client(settings, [](std::string const&) {
        return ccloud::net::name_answer{{"127.0.0.2", "127.0.0.1"}, {}};
    });
    constexpr std::string_view opened = "HTTP/1.1 200 Connection established\r\n\r\n";
    for (std::size_t tunnel = 0; tunnel < 5; ++tunnel) // otherwise dials would take turns
    {
        auto& call = client.begin();
        if (tunnel == 0)
        {
            REQUIRE(client.until([&] { return bad->requests() == 1; }));
            bad->send(opened);
            bad->end();
        }
        REQUIRE(client.until([&] { return good->requests(tunnel) == 1; }));
        good->send(opened, tunnel);
        REQUIRE(client.until([&] { return good->requests(tunnel) == 2; }));
        good->send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", tunnel);
        REQUIRE(client.until([&] { return call.over(); }));
        REQUIRE(call.good());
        CHECK(call.how->response().attempts() == (tunnel == 0 ? 2 : 1));
    }
    CHECK(client.connections().connect_failed == 1); // it was found before the request, so not_sent
    CHECK(client.connections().closed_for(ccloud::close_reason::ended) == 1);
    CHECK(bad->accepted() == 1);
}
