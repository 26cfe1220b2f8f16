#include <ccloud/ccloud.hpp>

#include "network.hpp"
#include "printers.hpp"
#include "raw_server.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using ccloud::errc;
using ccloud::progress;
using support::raw_reply;
using support::raw_server;
namespace asio = boost::asio;

namespace {

ccloud::config settings_for(raw_server const& server)
{
    ccloud::config settings;
    settings.endpoint = server.endpoint();
    settings.credentials = ccloud::api_key("K", "S");
    settings.retry = ccloud::retry_policy::none();
    settings.attempt_timeout = 5s;
    return settings;
}

/** Sends so many GETs, one after the other. */
std::vector<ccloud::result<ccloud::http_response>> get(raw_server const& server, int times = 1)
{
    std::vector<ccloud::result<ccloud::http_response>> all;
    support::over_network(settings_for(server), [&](ccloud::client cloud) -> asio::awaitable<void> {
        for (int i = 0; i < times; ++i)
        {
            auto got = co_await cloud.execute(ccloud::http_request(ccloud::method::get, "/x"));
            all.push_back(std::move(got));
        }
    });
    return all;
}

} // namespace

TEST_CASE("each framing of RFC 9112 section 6.3 is read, and decides about the connection")
{
    struct row
    {
        char const* name;
        raw_reply reply;
        char const* body;
        bool reused;
    };
    std::vector<row> const table{
        {"length", {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"}, "hi", true},
        {"chunks",
         {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1;x=y\r\ni\r\n0\r\nT: z\r\n\r\n"},
         "hi",
         true},
        {"204", {"HTTP/1.1 204 No Content\r\n\r\n"}, "", true},
        {"until close", {"HTTP/1.1 200 OK\r\n\r\nhi", true}, "hi", false},
        {"HTTP/1.0", {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"}, "hi", false},
        {"HTTP/1.0 keep-alive",
         {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi"},
         "hi",
         true},
        {"Connection: close", {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"}, "hi", false},
        {"Keep-Alive: timeout=1",
         {"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nhi"},
         "hi",
         false},
        {"leftover", {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n"}, "hi", false},
        {"interim",
         {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
          "2\r\n\r\nhi"},
         "hi",
         true},
    };
    for (auto const& [name, reply, body, reused] : table)
    {
        CAPTURE(name);
        raw_server const server({reply, {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"}});
        auto const all = get(server, 2);
        REQUIRE(all[0].has_value());
        CHECK(all[0]->body() == body);
        REQUIRE(all[1].has_value());
        CHECK(all[1]->body() == "next");
        CHECK(server.connections() == (reused ? 1 : 2));
    }
}

TEST_CASE("what is no answer is refused, and says whether the request may have been executed")
{
    struct row
    {
        char const* name;
        raw_reply reply;
        errc code;
    };
    std::vector<row> const table{
        {"nothing", {"", true}, errc::connection_lost},
        {"half a head", {"HTTP/1.1 200 OK\r\nContent-Le", true}, errc::connection_lost},
        {"short body", {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", true}, errc::connection_lost},
        {"short chunk", {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhi", true}, errc::connection_lost},
        {"no HTTP", {"SSH-2.0-OpenSSH_9.2\r\n", true}, errc::malformed_response},
        {"both framings",
         {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true},
         errc::malformed_response},
        {"both framings, other order",
         {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n", true},
         errc::malformed_response},
        {"two lengths",
         {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi", true},
         errc::malformed_response},
        {"bad length", {"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nhi", true}, errc::malformed_response},
        {"bad chunk",
         {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhi", true},
         errc::malformed_response},
    };
    for (auto const& [name, reply, code] : table)
    {
        CAPTURE(name);
        raw_server const server({reply});
        auto const all = get(server);
        REQUIRE(!all[0].has_value());
        CHECK(all[0].error().code() == code);
        CHECK(all[0].error().progress() == progress::maybe_sent);
    }
}

TEST_CASE("interim responses without end are not followed for ever")
{
    std::string many;
    for (int i = 0; i < 9; ++i)
        many += "HTTP/1.1 103 Early Hints\r\n\r\n";
    raw_server const server({{many}});
    auto const all = get(server);
    REQUIRE(!all[0].has_value());
    CHECK(all[0].error().code() == errc::malformed_response);
}

TEST_CASE("A3: a connection that ends under a GET is replaced by a fresh one, free of charge")
{
    raw_server const server({
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"},
        {"", true}, // read, then closed without a word: a stale connection
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfresh"},
    });
    auto settings = settings_for(server);
    settings.retry = ccloud::retry_policy();
    support::over_network(settings, [&](ccloud::client cloud) -> asio::awaitable<void> {
        auto first = co_await cloud.execute(ccloud::http_request(ccloud::method::get, "/x"));
        REQUIRE(first.has_value());
        auto second = co_await cloud.execute(ccloud::http_request(ccloud::method::get, "/x"));
        REQUIRE(second.has_value());
        CHECK(second->body() == "fresh");
        CHECK(second.response().attempts() == 2);
    });
    CHECK(server.connections() == 2);
}

TEST_CASE("a big chunked body is counted against the limit as it grows")
{
    std::string big = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 40; ++i)
        big += "400\r\n" + std::string(1'024, 'x') + "\r\n";
    big += "0\r\n\r\n";
    raw_server const server({{big}});
    auto settings = settings_for(server);
    settings.limits.response_body = 16 * 1024;
    support::over_network(settings, [&](ccloud::client cloud) -> asio::awaitable<void> {
        auto got = co_await cloud.execute(ccloud::http_request(ccloud::method::get, "/x"));
        REQUIRE(!got.has_value());
        CHECK(got.error().code() == errc::response_too_large);
    });
}

TEST_CASE("X4: close() in the turn in which a waiting call was given its connection ends that call, too")
{
    raw_reply const ok{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};
    raw_server const server({ok, ok, ok, ok});
    auto settings = settings_for(server);
    settings.pool.max_connections_per_origin = 1;
    asio::io_context context;
    std::optional<ccloud::result<ccloud::http_response>> second;
    auto first = [](ccloud::client shared) -> asio::awaitable<void> {
        auto got = co_await shared.execute(ccloud::http_request(ccloud::method::get, "/a"));
        CHECK(got.has_value());
        shared.close();
    };
    auto waiting = [](ccloud::client shared, auto& out) -> asio::awaitable<void> {
        out = co_await shared.execute(ccloud::http_request(ccloud::method::get, "/b"));
    };
    for (auto const threads : {ccloud::threading::serial, ccloud::threading::safe})
    {
        settings.threading = threads;
        ccloud::client shared(context.get_executor(), settings);
        second.reset();
        asio::co_spawn(shared.executor(), first(shared), [](std::exception_ptr) {});
        asio::co_spawn(shared.executor(), waiting(shared, second), [](std::exception_ptr) {});
        context.restart();
        context.run();
        REQUIRE(second.has_value());
        REQUIRE(!second->has_value());
        CHECK(second->error().code() == errc::client_closed);
        CHECK(second->error().progress() == progress::not_sent);
    }
}

TEST_CASE("pool 5: with an idle timeout of zero no connection is kept, and calls still get one")
{
    raw_server const server(
        {{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}}
    );
    auto settings = settings_for(server);
    settings.pool.idle_timeout = 0ms;
    support::over_network(settings, [](ccloud::client cloud) -> asio::awaitable<void> {
        for (int i = 0; i < 2; ++i)
        {
            auto got = co_await cloud.execute(ccloud::http_request(ccloud::method::get, "/x"));
            CHECK(got.has_value());
        }
    });
    CHECK(server.connections() == 2);
}
