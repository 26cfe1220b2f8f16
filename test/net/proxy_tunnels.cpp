// Replies to CONNECT, and tunnels that fail before the TLS handshake is complete: RFC 9110 section 9.3.6.
#include <ccloud/ccloud.hpp>

#include "caller.hpp"
#include "printers.hpp"
#include "puppet_server.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

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

} // namespace

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
