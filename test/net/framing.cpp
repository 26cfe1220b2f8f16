#include <ccloud/ccloud.hpp>
#include <ccloud/transport.hpp>

#include "net/factory.hpp"
#include "net/tls.hpp"
#include "network.hpp"
#include "printers.hpp"
#include "raw_server.hpp"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
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

/** What the transport alone makes of two GETs in a row, each with its attempt timeout. */
std::vector<ccloud::exchange> exchanges(
    raw_server const& server, std::array<std::chrono::nanoseconds, 2> attempt_timeouts = {30s, 30s},
    std::size_t body_limit = 16 * 1024 * 1024
)
{
    std::vector<ccloud::exchange> all;
    asio::io_context context;
    auto settings = settings_for(server);
    settings.limits.response_body = body_limit;
    auto const wire =
        ccloud::net::make_transport(context.get_executor(), settings, ccloud::net::share_network(settings));
    auto twice = [](ccloud::transport& net, ccloud::origin to, std::array<std::chrono::nanoseconds, 2> timeouts,
                    std::vector<ccloud::exchange>& out) -> asio::awaitable<void> {
        ccloud::http_request request(ccloud::method::get, "/x");
        ccloud::send_options how;
        for (auto const timeout : timeouts)
        {
            how.attempt_timeout = timeout;
            auto got = co_await net.send(request, to, how);
            out.push_back(std::move(got));
        }
        net.close();
    };
    ccloud::origin const to(false, "127.0.0.1", server.port());
    asio::co_spawn(context, twice(*wire, to, attempt_timeouts, all), [](std::exception_ptr thrown) { CHECK(!thrown); });
    context.run();
    return all;
}

/** Chunks that make so many bytes of content, without the last one. */
std::string endless_chunks(std::size_t bytes)
{
    constexpr std::size_t size = 16 * 1024;
    std::string chunks;
    for (std::size_t done = 0; done < bytes; done += size)
        chunks += "4000\r\n" + std::string(size, 'x') + "\r\n";
    return chunks;
}

raw_reply const ok{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"};

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

TEST_CASE("an invalid response is refused, and progress says whether a header section came")
{
    struct row
    {
        char const* name;
        raw_reply reply;
        errc code;
        progress reached = progress::answered;
    };
    std::vector<row> const table{
        {"nothing", {"", true}, errc::connection_lost, progress::maybe_sent},
        {"half a head", {"HTTP/1.1 200 OK\r\nContent-Le", true}, errc::connection_lost, progress::maybe_sent},
        {"short body", {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", true}, errc::connection_lost},
        {"short chunk", {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhi", true}, errc::connection_lost},
        {"no HTTP", {"SSH-2.0-OpenSSH_9.2\r\n", true}, errc::malformed_response, progress::maybe_sent},
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
    for (auto const& [name, reply, code, reached] : table)
    {
        CAPTURE(std::string_view(name));
        raw_server const server({reply});
        auto const all = get(server);
        REQUIRE(!all[0].has_value());
        CHECK(all[0].error().code() == code);
        CHECK(all[0].error().progress() == reached);
        CHECK(all[0].error().status() == (reached == progress::answered ? 200 : 0));
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

TEST_CASE("I5: of a long answer to what may be sent again the first 64 KiB are read, and the connection is closed")
{
    constexpr std::size_t mebi = 1024 * 1024;
    struct row
    {
        char const* name;
        int status;
        std::string rest;
        std::size_t body_limit = 16 * mebi;
        std::size_t kept = 64 * 1024;
    };
    std::vector<row> const table{
        {"length", 503, "Content-Length: 1048576\r\n\r\n" + std::string(mebi, 'x')},
        {"beyond the limit for bodies", 500, "Content-Length: 1073741824\r\n\r\n" + std::string(mebi, 'x')},
        {"chunks without end", 503, "Transfer-Encoding: chunked\r\n\r\n" + endless_chunks(mebi)},
        {"one chunk without end", 429, "Transfer-Encoding: chunked\r\n\r\n40000000\r\n" + std::string(mebi, 'x')},
        {"until close, which never comes", 502, "\r\n" + std::string(mebi, 'x')},
        {"a small limit for bodies", 503, "Content-Length: 3000\r\n\r\n" + std::string(2'500, 'x'), 2'000, 2'000},
        {"the same in chunks", 503, "Transfer-Encoding: chunked\r\n\r\n" + endless_chunks(mebi), 2'000, 2'000},
    };
    for (auto const& [name, status, rest, body_limit, kept] : table)
    {
        CAPTURE(name);
        raw_server const server({{"HTTP/1.1 " + std::to_string(status) + " No\r\nRetry-After: 7\r\n" + rest}, ok});
        auto const all = exchanges(server, {30s, 30s}, body_limit);
        CHECK(all[0].answered());
        CHECK(all[0].response.status() == status);
        CHECK(all[0].response.headers().find("Retry-After") == "7");
        CHECK(all[0].response.body().size() == kept);
        CHECK(all[0].response.body().find_first_not_of('x') == std::string::npos);
        CHECK(all[1].answered());
        CHECK(!all[1].reused);
        CHECK(server.connections() == 2);
    }
}

TEST_CASE("I5: an answer to what may be sent again counts by its head, though its body is late for ever, or cut")
{
    std::vector<std::string> const dribble(1'000, "1\r\nx\r\n"); // twenty seconds of it
    struct row
    {
        char const* name;
        raw_reply reply;
        std::chrono::milliseconds attempt_timeout;
    };
    std::string const head = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\n";
    for (auto const& [name, reply, attempt_timeout] : std::vector<row>{
             {"silence", {head + "Content-Length: 9\r\n\r\nx"}, 30s},
             {"dribble", {head + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", false, dribble}, 30s},
             {"silence, and no attempt timeout", {head + "\r\nx"}, 0s},
             {"the attempt ends first", {head + "Content-Length: 9\r\n\r\nx"}, 700ms},
             {"cut", {head + "Content-Length: 9\r\n\r\nx", true}, 30s},
         })
    {
        CAPTURE(name);
        raw_server const server({reply, ok});
        auto const start = std::chrono::steady_clock::now();
        auto const all = exchanges(server, {attempt_timeout, 30s});
        CHECK(std::chrono::steady_clock::now() - start < 10s);
        CHECK(all[0].answered());
        CHECK(all[0].response.status() == 429);
        CHECK(all[0].response.headers().find("Retry-After") == "7");
        CHECK(all[0].response.body().substr(0, 1) == "x");
        CHECK(all[1].answered());
        CHECK(!all[1].reused);
    }
}

TEST_CASE("I5: the call ends as answered, too, with the status and what the server asks for")
{
    raw_server const server({{"HTTP/1.1 503 No\r\nRetry-After: 7\r\n\r\n" + std::string(100'000, 'x')}});
    auto const all = get(server);
    REQUIRE(!all[0].has_value());
    CHECK(all[0].error() == errc::http_status);
    CHECK(all[0].error().status() == 503);
    CHECK(all[0].error().progress() == progress::answered);
    CHECK(all[0].error().response().retry_after() == "7");
    CHECK(all[0].error().body() == std::string(8 * 1024, 'x'));
}

TEST_CASE("I5: an answer that ends soon leaves its connection to the next request")
{
    struct row
    {
        char const* name;
        raw_reply reply;
    };
    std::string const head = "HTTP/1.1 503 No\r\n";
    for (auto const& [name, reply] : std::vector<row>{
             {"no body", {head + "Content-Length: 0\r\n\r\n"}},
             {"in one piece", {head + "Content-Length: 3\r\n\r\nxyz"}},
             {"piece by piece", {head + "Content-Length: 3\r\n\r\n", false, {"x", "y", "z"}}},
             {"in chunks",
              {head + "Transfer-Encoding: chunked\r\n\r\n", false, {"2\r\nxy\r\n", "1\r\nz\r\n0\r\n", "\r\n"}}},
             {"just 64 KiB", {head + "Content-Length: 65536\r\n\r\n" + std::string(64 * 1024, 'x')}},
         })
    {
        CAPTURE(name);
        raw_server const server({reply, ok});
        auto const all = exchanges(server);
        CHECK(all[0].answered());
        CHECK(all[0].response.status() == 503);
        CHECK(all[1].answered());
        CHECK(all[1].reused);
        CHECK(server.connections() == 1);
    }
}

TEST_CASE("I5: other responses are read completely, and are not a success before that")
{
    constexpr std::size_t size = 1024 * 1024;
    for (std::string_view const status : {"200 OK", "404 Not Found"})
    {
        CAPTURE(status);
        auto const head = "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(size);
        raw_server const server({{head + "\r\n\r\n" + std::string(size, 'x')}, {head + "\r\n\r\nx"}});
        auto const all = exchanges(server, {30s, 500ms});
        CHECK(all[0].answered());
        CHECK(all[0].response.body().size() == size);
        CHECK(all[1].reused);
        CHECK(!all[1].answered());
        CHECK(all[1].code == errc::attempt_timeout);
        CHECK(all[1].progress == progress::answered);
        CHECK(all[1].response.status() == all[0].response.status());
        CHECK(all[1].response.body() == "x");
    }
}
