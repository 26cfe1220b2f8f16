#include <ccloud/ccloud.hpp>
#include <ccloud/transport.hpp>

#include "caller.hpp"
#include "certificates.hpp"
#include "http_server.hpp"
#include "printers.hpp"
#include "puppet_server.hpp"
#include "tls_server.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using ccloud::close_reason;
using ccloud::errc;
using ccloud::progress;
using support::authority;
using support::begun_call;
using support::caller;
using support::complaint;
using support::driven_client;
using support::http_server;
using support::http_server_counts;
using support::puppet_server;
using support::response;
using support::subject;
using support::tls_server;
using support::tls_server_counts;
namespace asio = boost::asio;

namespace {

/** How much of each answer came. */
struct amount_witness final : ccloud::observer
{
    void connection_used(ccloud::observed_call const&, int, ccloud::connection_use const& use) noexcept override
    {
        received.push_back(use.received);
    }

    std::vector<std::size_t> received;
};

std::uint64_t closed(ccloud::connection_metrics const& counts)
{
    return std::accumulate(counts.closed.begin(), counts.closed.end(), std::uint64_t(0));
}

/** Begins a GET, and waits until the server has it as the newest of that connection. */
begun_call& ask(caller& client, puppet_server& server, std::size_t connection = 0)
{
    auto const before = server.requests(connection);
    auto& call = client.begin();
    REQUIRE(client.until([&] { return server.requests(connection) == before + 1; }));
    return call;
}

/** The same, answered by these bytes. */
begun_call& ask_and_answer(caller& client, puppet_server& server, std::string_view answer, std::size_t connection = 0)
{
    auto& call = ask(client, server, connection);
    server.send(answer, connection);
    REQUIRE(client.until([&] { return call.over(); }));
    return call;
}

/** Status and body; the body's place is taken by the code where there is no answer. */
std::string told(begun_call const& call)
{
    if (call.good())
        return std::to_string(call.how->value().status()) + " " + call.how->value().body();
    auto const& failure = call.error();
    return failure.code() == errc::http_status ? std::to_string(failure.status()) + " " + failure.body()
                                               : failure.what();
}

bool same_cause(ccloud::error const& failure, boost::system::error_code const& cause)
{
    return failure.cause() == std::error_code(cause);
}

constexpr std::string_view ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

support::tls_server_options shown_by(authority const& ca)
{
    support::tls_server_options options;
    options.shown = ca.issue(subject::local());
    return options;
}

/** Lets so much real time pass for the client. */
void pass(caller& client, std::chrono::milliseconds time)
{
    auto const past = std::chrono::steady_clock::now() + time;
    REQUIRE(client.until([&] { return std::chrono::steady_clock::now() > past; }));
}

} // namespace

TEST_CASE("H1: a connection is used again after its response was read to the end")
{
    auto const check = [](ccloud::connection_metrics const& counts) {
        CHECK(counts.dialed == 1);
        CHECK(counts.served_by_new == 1);
        CHECK(counts.served_by_reused == 4);
        CHECK(counts.idle == 1);
        CHECK(closed(counts) == 0);
    };
    SUBCASE("plain")
    {
        http_server server;
        caller client(server.settings());
        for (int i = 0; i < 5; ++i)
            CHECK(client.get() == "");
        check(client.connections());
        CHECK(server.counts().accepted == 1);
        CHECK(server.counts().requests == 5);
    }
    SUBCASE("TLS")
    {
        authority const ca;
        tls_server server(shown_by(ca));
        driven_client client(server.settings(ca));
        for (int i = 0; i < 5; ++i)
            CHECK(complaint(client.get()) == "");
        check(client.connections());
        CHECK(server.counts().accepted == 1);
        CHECK(server.counts().requests == 5);
    }
}

TEST_CASE("H1: an idle connection is closed after idle_timeout though nobody calls, and the server sees it go")
{
    SUBCASE("plain")
    {
        http_server server;
        auto settings = server.settings();
        settings.pool.idle_timeout = 30ms;
        caller client(settings);
        CHECK(client.get() == "");
        REQUIRE(client.until([&] { return client.connections().closed_for(close_reason::idle_timeout) == 1; }));
        CHECK(client.connections().idle == 0);
        CHECK(server.sees([](http_server_counts const& now) { return now.open == 0; }));
        CHECK(client.get() == "");
        CHECK(server.counts().accepted == 2);
        CHECK(client.connections().served_by_new == 2);
        CHECK(client.connections().stale == 0);
    }
    SUBCASE("TLS, by a goodbye")
    {
        authority const ca;
        tls_server server(shown_by(ca));
        auto settings = server.settings(ca);
        settings.pool.idle_timeout = 30ms;
        driven_client client(settings);
        CHECK(complaint(client.get()) == "");
        REQUIRE(client.until([&] { return client.connections().closed_for(close_reason::idle_timeout) == 1; }));
        CHECK(server.sees([](tls_server_counts const& now) { return now.open == 0; }));
        CHECK(server.counts().goodbyes == 1);
        CHECK(server.counts().cut_off == 0);
        CHECK(complaint(client.get()) == "");
        CHECK(server.counts().accepted == 2);
    }
}

TEST_CASE("H1: a body under way outlives idle_timeout, on a new connection and on a kept one")
{
    puppet_server server;
    auto settings = server.settings();
    settings.pool.idle_timeout = 200ms;
    settings.pool.max_connections_per_origin = 1;
    caller client(settings);
    auto& first = client.begin();
    auto& second = client.begin(); // waits, so that the connection is never idle for long
    for (auto* call : {&first, &second})
    {
        std::size_t const nth = call == &first ? 1 : 2;
        REQUIRE(client.until([&] { return server.requests() == nth; }));
        server.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n");
        for (char const letter : std::string_view("trickles"))
        {
            pass(client, 40ms);
            CHECK(client.connections().active == 1);
            CHECK(!call->over());
            server.send({&letter, 1});
        }
        REQUIRE(client.until([&] { return call->over(); }));
        CHECK(told(*call) == "200 trickles");
    }
    CHECK(client.connections().dialed == 1);
    CHECK(client.connections().served_by_reused == 1);
    REQUIRE(client.until([&] { return closed(client.connections()) == 1; })); // idle now
    CHECK(client.connections().closed_for(close_reason::idle_timeout) == 1);
    CHECK(client.until([&] { return server.left(); }));
}

TEST_CASE("H1: an answer that has no body by its status leaves its connection to the next request")
{
    struct row
    {
        std::string name;
        std::string_view answer;
        std::string told;
    };
    for (auto const& [name, answer, expected] : std::vector<row>{
             {"204", "HTTP/1.1 204 No Content\r\n\r\n", "204 "},
             {"204 with a length of none", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "204 "},
             {"304", "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", "304 "},
         })
    {
        CAPTURE(name);
        puppet_server server;
        caller client(server.settings());
        CHECK(told(ask_and_answer(client, server, answer)) == expected);
        CHECK(closed(client.connections()) == 0);
        CHECK(told(ask_and_answer(client, server, ok)) == "200 hi");
        CHECK(server.accepted() == 1);
        CHECK(client.connections().dialed == 1);
        CHECK(client.connections().served_by_reused == 1);
    }
}

TEST_CASE("H1: a 5xx does not poison its connection")
{
    for (int const status : {500, 501, 502, 503, 504, 505, 520, 599})
    {
        CAPTURE(status);
        bool well = false;
        http_server server([&](std::string_view) { return response(std::exchange(well, true) ? 200 : status); });
        auto settings = server.settings();
        settings.retry = ccloud::retry_policy::none();
        caller client(settings);
        CHECK(client.get() != "");
        CHECK(client.connections().idle == 1);
        CHECK(client.get() == "");
        CHECK(server.counts().accepted == 1);
        CHECK(client.connections().served_by_reused == 1);
        CHECK(closed(client.connections()) == 0);
    }
}

TEST_CASE("H1: a 5xx is repeated on the same connection")
{
    int left = 2;
    http_server server([&](std::string_view) { return response(left-- > 0 ? 503 : 200); });
    auto settings = server.settings();
    settings.retry.base_delay = 0ms;
    caller client(settings);
    CHECK(client.get() == "");
    CHECK(server.counts().requests == 3);
    CHECK(server.counts().accepted == 1);
    CHECK(client.connections().dialed == 1);
    CHECK(client.connections().served_by_reused == 2);
}

TEST_CASE("H1: RST and FIN before and in the middle of an answer lose the call, and their connection alone")
{
    struct row
    {
        std::string name;
        std::string_view before; ///< what came of the answer
    };
    for (auto const& [name, before] : std::vector<row>{
             {"before the first byte", ""},
             {"in the status line", "HTTP/1.1 2"},
             {"in the fields", "HTTP/1.1 200 OK\r\nContent-Le"},
             {"before the empty line", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n"},
             {"after an interim answer", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"},
             {"before the body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"},
             {"in the body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"id\""},
             {"in the size of a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9"},
             {"in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhi"},
             {"before the last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"},
             {"in the trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: x\r\n"},
         })
        for (bool const resets : {true, false})
        {
            CAPTURE(name);
            CAPTURE(resets);
            puppet_server server;
            auto const seen = std::make_shared<amount_witness>();
            auto settings = server.settings();
            settings.observer = seen;
            caller client(settings);
            auto& call = ask(client, server);
            server.send(before);
            client.poll();
            CHECK(!call.over());
            resets ? server.reset() : server.end();
            REQUIRE(client.until([&] { return call.over(); }));
            REQUIRE(!call.good());
            CHECK(call.error() == errc::connection_lost);
            bool const has_head = before.starts_with("HTTP/1.1 200") && before.find("\r\n\r\n") != before.npos;
            CHECK(call.error().progress() == (has_head ? progress::answered : progress::maybe_sent));
            if (resets)
                CHECK(same_cause(call.error(), asio::error::connection_reset));
            else
                CHECK(same_cause(call.error(), asio::error::eof));
            REQUIRE(seen->received.size() == 1);
            CHECK(seen->received.front() == before.size());
            CHECK(client.connections().closed_for(close_reason::failed) == 1);
            CHECK(closed(client.connections()) == 1);

            CHECK(told(ask_and_answer(client, server, ok, 1)) == "200 hi");
            CHECK(server.accepted() == 2);
            CHECK(client.connections().served_by_new == 2);
        }
}

TEST_CASE("H1: a connection that is lost takes no other connection of its origin along")
{
    puppet_server server;
    caller client(server.settings());
    auto& unlucky = ask(client, server);
    auto& other = ask(client, server, 1);
    server.reset(0);
    REQUIRE(client.until([&] { return unlucky.over(); }));
    CHECK(unlucky.error() == errc::connection_lost);
    CHECK(!other.over());
    server.send(ok, 1);
    REQUIRE(client.until([&] { return other.over(); }));
    CHECK(told(other) == "200 hi");
    CHECK(told(ask_and_answer(client, server, ok, 1)) == "200 hi");
    CHECK(client.connections().dialed == 2);
}

TEST_CASE("H1: a body without a length ends by FIN, but not by RST")
{
    for (bool const resets : {true, false})
    {
        CAPTURE(resets);
        puppet_server server;
        caller client(server.settings());
        auto& call = ask(client, server);
        server.send("HTTP/1.1 200 OK\r\n\r\nhi");
        client.poll();
        CHECK(!call.over());
        resets ? server.reset() : server.end();
        REQUIRE(client.until([&] { return call.over(); }));
        CHECK(call.good() != resets);
        if (call.good())
            CHECK(told(call) == "200 hi");
        else
            CHECK(call.error() == errc::connection_lost);
        CHECK(client.connections().closed_for(resets ? close_reason::failed : close_reason::not_kept_alive) == 1);
        CHECK(client.connections().idle == 0);
    }
}

TEST_CASE("H1: over TLS a body without a length ends by close_notify, but by neither FIN alone nor RST")
{
    struct row
    {
        std::string name;
        void (*act)(tls_server&);
        bool good;
    };
    authority const ca;
    for (auto const& [name, act, good] : std::vector<row>{
             {"close_notify and FIN", [](tls_server& server) { server.say_goodbye(); }, true},
             {"close_notify alone", [](tls_server& server) { server.say_goodbye(false); }, true},
             {"FIN", [](tls_server& server) { server.end(); }, false},
             {"RST", [](tls_server& server) { server.reset(); }, false},
         })
        for (int const version : {TLS1_2_VERSION, TLS1_3_VERSION})
        {
            CAPTURE(name);
            CAPTURE(version);
            auto options = shown_by(ca);
            options.min_version = options.max_version = version;
            tls_server server(options);
            auto settings = server.settings(ca);
            settings.retry = ccloud::retry_policy::none();
            driven_client client(settings);
            server.hold(2); // the one request is never answered by the server itself
            auto const call = client.start(1);
            REQUIRE(client.until([&] { return server.counts().requests == 1; }));
            server.send("HTTP/1.1 200 OK\r\n\r\nhi");
            act(server);
            REQUIRE(client.until([&] { return call->size() == 1; }));
            auto const& got = call->front();
            CHECK(got.has_value() == good);
            if (got.has_value())
                CHECK(got->body() == "hi");
            else
                CHECK(got.error() == errc::connection_lost);
            CHECK(client.connections().idle == 0);
            CHECK(client.connections().closed_for(good ? close_reason::not_kept_alive : close_reason::failed) == 1);
        }
}

TEST_CASE("H1: over TLS what breaks off before or in the middle of an answer loses the call, however it does")
{
    struct row
    {
        std::string name;
        void (*act)(tls_server&);
    };
    authority const ca;
    for (std::string_view const before :
         {"", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"id\""})
        for (auto const& [name, act] : std::vector<row>{
                 {"close_notify and FIN", [](tls_server& server) { server.say_goodbye(); }},
                 {"FIN", [](tls_server& server) { server.end(); }},
                 {"RST", [](tls_server& server) { server.reset(); }},
             })
        {
            CAPTURE(before);
            CAPTURE(name);
            tls_server server(shown_by(ca));
            auto settings = server.settings(ca);
            settings.retry = ccloud::retry_policy::none();
            driven_client client(settings);
            server.hold(2);
            auto const call = client.start(1);
            REQUIRE(client.until([&] { return server.counts().requests == 1; }));
            if (!before.empty())
                server.send(before);
            act(server);
            REQUIRE(client.until([&] { return call->size() == 1; }));
            REQUIRE(!call->front().has_value());
            CHECK(call->front().error() == errc::connection_lost);
            bool const has_head = before.find("\r\n\r\n") != before.npos;
            CHECK(call->front().error().progress() == (has_head ? progress::answered : progress::maybe_sent));
            CHECK(client.connections().closed_for(close_reason::failed) == 1);
            CHECK(client.connections().idle == 0);
        }
}

TEST_CASE("H1: a kept connection that is lost before the first byte is replaced for a GET, once, and told to a POST")
{
    for (bool const posts : {false, true})
        for (bool const resets : {true, false})
        {
            CAPTURE(posts);
            CAPTURE(resets);
            puppet_server server;
            auto settings = server.settings();
            settings.retry = ccloud::retry_policy();
            caller client(settings);
            CHECK(told(ask_and_answer(client, server, ok)) == "200 hi");
            ccloud::http_request request(posts ? ccloud::method::post : ccloud::method::get, "/x");
            if (posts)
                request.body("{}");
            std::optional<ccloud::result<ccloud::http_response>> got;
            asio::co_spawn(
                client.context, client.cloud->execute(std::move(request)),
                [&got](std::exception_ptr, ccloud::result<ccloud::http_response> how) { got = std::move(how); }
            );
            REQUIRE(client.until([&] { return server.requests() == 2; }));
            resets ? server.reset() : server.end();
            REQUIRE(client.until([&] { return got.has_value() || server.requests(1) == 1; }));
            CHECK(got.has_value() == posts);
            if (!posts)
            {
                server.send(ok, 1);
                REQUIRE(client.until([&] { return got.has_value(); }));
                CHECK(got->has_value());
                CHECK(got->response().attempts() == 2);
            }
            else
            {
                CHECK(got->error() == errc::connection_lost);
                CHECK(got->error().progress() == progress::maybe_sent);
            }
            CHECK(server.accepted() == (posts ? 1 : 2));
            CHECK(client.connections().closed_for(close_reason::failed) == 1);
            CHECK(client.cloud->metrics().replays == (posts ? 0 : 1));
        }
}

TEST_CASE("H1: nothing of a request is on the wire before the response to the one before it has ended")
{
    bool own_lines = false; // each call in a line of its own: they wait for the connection, not at the gate
    SUBCASE("one line")
    {
    }
    SUBCASE("a line for each call")
    {
        own_lines = true;
    }
    puppet_server server;
    auto settings = server.settings();
    settings.pool.max_connections_per_origin = 1;
    if (own_lines)
        settings.rate_scope = support::scope_for_each_target();
    caller client(settings);
    constexpr std::size_t calls = 3;
    for (std::size_t i = 0; i < calls; ++i)
        client.begin("/" + std::to_string(i));
    for (std::size_t i = 0; i < calls; ++i)
    {
        REQUIRE(client.until([&] { return server.requests() == i + 1; }));
        auto const so_far = server.received();
        CHECK(so_far.compare(so_far.size() - 4, 4, "\r\n\r\n") == 0);
        for (std::string_view const piece : {"HTTP/1.1 200 OK\r\n", "Content-Length: 2\r\n\r\n", "h"})
        {
            server.send(piece);
            client.poll();
            CHECK(server.received() == so_far);
            CHECK(server.accepted() == 1);
        }
        CHECK(client.over() == i);
        server.send("i");
        REQUIRE(client.until([&] { return client.over() == i + 1; }));
    }
    for (std::size_t i = 0; i < calls; ++i)
        CHECK(told(client.calls[i]) == "200 hi");
    CHECK(client.connections().dialed == 1);
    CHECK(client.connections().served_by_reused == calls - 1);
}

namespace {

asio::awaitable<void> send_to(ccloud::transport& wire, ccloud::origin to, int& answered)
{
    ccloud::http_request request(ccloud::method::get, "/x");
    ccloud::send_options options;
    auto got = co_await wire.send(request, to, options);
    answered += got.answered() ? 1 : 0;
}

} // namespace

TEST_CASE("H1: origins never share a connection: neither by port, nor by name of the same address")
{
    http_server here;
    http_server there;
    auto lookup = [](std::string const&) { return ccloud::net::name_answer{{"127.0.0.1"}, {}}; };
    caller client(here.settings(), lookup);
    std::vector<ccloud::origin> const origins{
        {false, "127.0.0.1", here.port()},
        {false, "127.0.0.1", there.port()},
        {false, "one.example.test", here.port()},
        {false, "two.example.test", here.port()},
    };
    constexpr int rounds = 3;
    int answered = 0;
    int sent = 0;
    for (int i = 0; i < rounds; ++i)
        for (auto const& to : origins)
        {
            asio::co_spawn(client.context, send_to(*client.wire, to, answered), [](std::exception_ptr failed) {
                CHECK(!failed);
            });
            ++sent;
            REQUIRE(client.until([&] { return answered == sent; }));
        }
    CHECK(here.counts().accepted == 3);
    CHECK(here.counts().requests == 3 * rounds);
    CHECK(there.counts().accepted == 1);
    CHECK(there.counts().requests == rounds);
    auto const counts = client.connections();
    CHECK(counts.dialed == origins.size());
    CHECK(here.counts().open == 3);
    CHECK(there.counts().open == 1);
    CHECK(counts.served_by_new == origins.size());
    CHECK(counts.served_by_reused == origins.size() * (rounds - 1));
    CHECK(closed(counts) == 0);
}

TEST_CASE("H1: an origin over TLS and a plain one at the same place never share a connection")
{
    authority const ca;
    tls_server server(shown_by(ca));
    auto settings = server.settings(ca);
    caller client(settings);
    int answered = 0;
    auto const send = [&](bool tls) {
        auto const before = answered;
        bool over = false;
        asio::co_spawn(
            client.context, send_to(*client.wire, ccloud::origin(tls, "localhost", server.port()), answered),
            [&over](std::exception_ptr failed) {
                CHECK(!failed);
                over = true;
            }
        );
        REQUIRE(client.until([&] { return over; }));
        return answered > before;
    };
    CHECK(send(true));
    CHECK(server.sees([](tls_server_counts const& now) { return now.requests == 1; }));
    CHECK(!send(false)); // on a connection of its own, where the server understands nothing
    CHECK(server.sees([](tls_server_counts const& now) { return now.accepted == 2 && now.failed == 1; }));
    CHECK(send(true));
    CHECK(server.counts().requests == 2);
    CHECK(client.connections().dialed == 2);
    CHECK(client.connections().served_by_reused == 1);
}

TEST_CASE("H1: Connection: close ends the connection after the answer, whatever its status and framing")
{
    struct row
    {
        std::string name;
        std::string_view answer;
        std::string told;
    };
    for (auto const& [name, answer, expected] : std::vector<row>{
             {"length", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", "200 hi"},
             {"chunks",
              "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
              "200 hi"},
             {"another case", "HTTP/1.1 200 OK\r\nCONNECTION: Close\r\nContent-Length: 2\r\n\r\nhi", "200 hi"},
             {"in a list", "HTTP/1.1 200 OK\r\nConnection: x, close\r\nContent-Length: 2\r\n\r\nhi", "200 hi"},
             {"204", "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", "204 "},
             {"503", "HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno", "503 no"},
         })
    {
        CAPTURE(name);
        puppet_server server;
        caller client(server.settings());
        CHECK(told(ask_and_answer(client, server, answer)) == expected);
        CHECK(client.connections().closed_for(close_reason::not_kept_alive) == 1);
        CHECK(client.connections().idle == 0);
        CHECK(client.until([&] { return server.left(); })); // though the server has not ended it
        CHECK(told(ask_and_answer(client, server, ok, 1)) == "200 hi");
        CHECK(client.connections().served_by_new == 2);
    }
}

TEST_CASE("H1: a connection of HTTP/1.0 is kept where the server says keep-alive, and nowhere else")
{
    struct row
    {
        std::string name;
        std::string_view answer;
        bool kept;
    };
    for (auto const& [name, answer, kept] : std::vector<row>{
             {"nothing said", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", false},
             {"close", "HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", false},
             {"keep-alive", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", true},
             {"Keep-Alive", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nhi", true},
         })
    {
        CAPTURE(name);
        puppet_server server;
        caller client(server.settings());
        CHECK(told(ask_and_answer(client, server, answer)) == "200 hi");
        CHECK(client.connections().idle == (kept ? 1 : 0));
        CHECK(client.connections().closed_for(close_reason::not_kept_alive) == (kept ? 0 : 1));
        CHECK(told(ask_and_answer(client, server, ok, kept ? 0 : 1)) == "200 hi");
        CHECK(server.accepted() == (kept ? 1 : 2));
        CHECK(client.connections().served_by_reused == (kept ? 1 : 0));
    }
}

TEST_CASE("H1: bytes beyond the response are no answer to anything: the connection goes, and the next call gets its own"
)
{
    struct row
    {
        std::string name;
        std::string_view answer;
        std::string_view beyond;
        std::string told;
    };
    constexpr std::string_view chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    constexpr std::string_view stranger = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong";
    for (auto const& [name, answer, beyond, expected] : std::vector<row>{
             {"a byte", ok, "x", "200 hi"},
             {"an empty line", ok, "\r\n", "200 hi"},
             {"a whole answer", ok, stranger, "200 hi"},
             {"after chunks", chunks, stranger, "200 hi"},
             {"after 204", "HTTP/1.1 204 No Content\r\n\r\n", stranger, "204 "},
         })
        for (bool const later : {false, true}) // in a segment of its own
        {
            CAPTURE(name);
            CAPTURE(later);
            puppet_server server;
            caller client(server.settings());
            auto const bytes = std::string(answer) + std::string(later ? std::string_view() : beyond);
            CHECK(told(ask_and_answer(client, server, bytes)) == expected);
            if (later)
                server.send(beyond);
            REQUIRE(client.until([&] { return closed(client.connections()) == 1; }));
            CHECK(client.connections().closed_for(close_reason::unsolicited) == 1);
            CHECK(client.until([&] { return server.left(); }));
            CHECK(told(ask_and_answer(client, server, ok, 1)) == "200 hi");
            CHECK(client.connections().served_by_reused == 0);
            CHECK(server.requests(0) == 1);
        }
}

TEST_CASE("H1: chunks with trailers end after them, and the trailers are no fields of the answer")
{
    puppet_server server;
    caller client(server.settings());
    auto& call = ask(client, server);
    for (std::string_view const piece :
         {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n", "2;name=value\r\nhi\r\n", "0\r\n",
          "X-Sum: 1\r\nX-RateLimit-Remaining: 0\r\n"})
    {
        server.send(piece);
        client.poll();
        CHECK(!call.over());
        CHECK(client.connections().active == 1);
    }
    server.send("\r\n");
    REQUIRE(client.until([&] { return call.over(); }));
    CHECK(told(call) == "200 hi");
    CHECK(!call.how->value().headers().contains("X-Sum"));
    CHECK(!call.how->value().headers().contains("X-RateLimit-Remaining"));
    CHECK(client.connections().idle == 1);
    CHECK(told(ask_and_answer(client, server, ok)) == "200 hi");
    CHECK(client.connections().served_by_reused == 1);
}
