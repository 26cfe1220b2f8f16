#include <ccloud/ccloud.hpp>

#include "certificates.hpp"
#include "http_server.hpp"
#include "printers.hpp"
#include "tls_server.hpp"

#include <boost/asio/co_spawn.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using ccloud::close_reason;
using ccloud::errc;
using support::authority;
using support::complaint;
using support::driven_client;
using support::http_server;
using support::http_server_counts;
using support::of_version;
using support::tls_server;
using support::tls_server_counts;
using support::tls_versions;

namespace {

std::uint64_t closed(driven_client const& client)
{
    auto const counts = client.connections().closed;
    return std::accumulate(counts.begin(), counts.end(), std::uint64_t(0));
}

/** Makes the client have so many idle connections. */
void fill(driven_client& client, tls_server& server, std::size_t connections)
{
    server.hold(connections);
    for (auto const& got : client.get_all(connections))
        REQUIRE(complaint(got) == "");
    REQUIRE(client.connections().idle == connections);
    REQUIRE(server.counts().open == connections);
}

constexpr std::string_view idle_408 = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

} // namespace

TEST_CASE("pool 11: tickets and key updates on an idle connection leave it alive, and it is used again")
{
    authority const ca;
    auto options = of_version(TLS1_3_VERSION, ca);
    options.tickets = 1;
    tls_server server(options);
    driven_client client(server.settings(ca));
    REQUIRE(complaint(client.get()) == "");
    SUBCASE("tickets")
    {
        for (std::size_t i = 0; i < 4; ++i)
        {
            auto const before = client.connections().tickets;
            server.send_ticket();
            if (i < 2) // the client may keep few
                CHECK(client.until([&] { return client.connections().tickets > before; }));
            CHECK(client.connections().idle == 1);
            CHECK(complaint(client.get()) == "");
        }
        CHECK(server.counts().requests == 5);
    }
    SUBCASE("key updates")
    {
        for (std::size_t i = 0; i < 4; ++i)
        {
            server.update_keys(i % 2 == 1);
            CHECK(client.turn());
            CHECK(client.connections().idle == 1);
            CHECK(complaint(client.post()) == "");
        }
        CHECK(server.sees([](tls_server_counts const& now) { return now.key_updates == 2; }));
    }
    SUBCASE("all of them at once, and then nobody looks before the next call")
    {
        for (std::size_t i = 0; i < 4; ++i)
        {
            server.send_ticket();
            server.update_keys(true);
            server.send_ticket();
            CHECK(complaint(client.post()) == "");
        }
        CHECK(server.sees([](tls_server_counts const& now) { return now.key_updates == 4; }));
    }
    CHECK(server.counts().accepted == 1);
    CHECK(closed(client) == 0);
    CHECK(client.connections().stale == 0);
}

TEST_CASE("pool 11: what ends an idle connection is noticed while nobody calls, and the next call needs one try")
{
    struct row
    {
        std::string name;
        close_reason why;
        std::function<void(tls_server&)> act;
    };
    std::vector<row> const table{
        {"close_notify and FIN", close_reason::said_goodbye, [](tls_server& server) { server.say_goodbye(); }},
        {"close_notify alone", close_reason::said_goodbye, [](tls_server& server) { server.say_goodbye(false); }},
        {"FIN", close_reason::ended, [](tls_server& server) { server.end(); }},
        {"RST", close_reason::reset, [](tls_server& server) { server.reset(); }},
        {"408", close_reason::unsolicited, [](tls_server& server) { server.send(idle_408); }},
        {"408, close_notify and FIN", close_reason::unsolicited,
         [](tls_server& server) {
             server.send(idle_408);
             server.say_goodbye();
         }},
    };
    authority const ca;
    for (auto const& [name, why, act] : table)
        for (int const version : tls_versions)
            for (std::size_t const connections : {std::size_t(1), std::size_t(3)})
            {
                CAPTURE(name);
                CAPTURE(version);
                CAPTURE(connections);
                tls_server server(of_version(version, ca));
                driven_client client(server.settings(ca));
                fill(client, server, connections);
                act(server);
                CHECK(client.until([&] { return closed(client) == connections; }));
                CHECK(client.connections().closed_for(why) == connections);
                CHECK(client.connections().idle == 0);
                CHECK(server.sees([](tls_server_counts const& now) { return now.open == 0; }));

                auto const got = client.post();
                CHECK(complaint(got) == "");
                CHECK(got.response().attempts() == 1);
                CHECK(server.counts().accepted == connections + 1);
                CHECK(server.counts().requests == connections + 1);
                CHECK(client.connections().stale == 0);
            }
}

TEST_CASE("pool 11: without TLS, too, what ends an idle connection is noticed, be it watched yet or not")
{
    struct row
    {
        std::string name;
        close_reason why;
        std::function<void(http_server&)> act;
    };
    std::vector<row> const table{
        {"FIN", close_reason::ended, [](http_server& server) { server.end(); }},
        {"RST", close_reason::reset, [](http_server& server) { server.reset(); }},
        {"408", close_reason::unsolicited, [](http_server& server) { server.send(idle_408); }},
        {"408 and FIN", close_reason::unsolicited,
         [](http_server& server) {
             server.send(idle_408);
             server.end();
         }},
    };
    for (auto const& [name, why, act] : table)
        for (std::size_t const connections : {std::size_t(1), std::size_t(3)})
            for (bool const at_once : {false, true})
            {
                CAPTURE(name);
                CAPTURE(connections);
                CAPTURE(at_once);
                http_server server;
                driven_client client(server.settings());
                server.hold();
                auto const calls = client.start(connections);
                REQUIRE(client.until([&] { return server.counts().waiting == connections; }));
                server.release();
                REQUIRE(client.until([&] { return calls->size() == connections; }));
                REQUIRE(client.connections().idle == connections);

                act(server);
                if (at_once)
                    REQUIRE(server.sees([&](http_server_counts const& now) {
                        return why != close_reason::reset || now.open == 0;
                    }));
                else
                    REQUIRE(client.until([&] { return client.connections().idle == 0; }));
                auto const got = client.post();
                CHECK(complaint(got) == "");
                CHECK(got.response().attempts() == 1);
                CHECK(closed(client) == connections);
                CHECK(client.connections().closed_for(why) == connections);
                CHECK(client.connections().stale <= (at_once ? 1U : 0U));
                CHECK(server.counts().accepted == connections + 1);
                CHECK(server.counts().requests == connections + 1);
            }
}

TEST_CASE("pool 11: what comes in one segment with the answer counts as if it came later")
{
    struct row
    {
        std::string name;
        close_reason why;
        std::string bytes;
        bool goodbye;
    };
    std::vector<row> const table{
        {"close_notify", close_reason::said_goodbye, "", true},
        {"408", close_reason::unsolicited, std::string(idle_408), false},
        {"408 and close_notify", close_reason::unsolicited, std::string(idle_408), true},
    };
    authority const ca;
    for (auto const& [name, why, bytes, goodbye] : table)
        for (int const version : tls_versions)
        {
            CAPTURE(name);
            CAPTURE(version);
            tls_server server(of_version(version, ca));
            driven_client client(server.settings(ca));
            fill(client, server, 1);
            server.add_to_answers(bytes, goodbye);
            CHECK(complaint(client.get()) == "");
            CHECK(client.until([&] { return closed(client) == 1; }));
            CHECK(client.connections().closed_for(why) == 1);
            server.add_to_answers("", false);
            auto const got = client.post();
            CHECK(complaint(got) == "");
            CHECK(got.response().attempts() == 1);
            CHECK(server.counts().accepted == 2);
            CHECK(server.counts().requests == 3);
        }
}

TEST_CASE("pool 11: a wish to renegotiate is not granted, and the next call needs one try")
{
    authority const ca;
    tls_server server(of_version(TLS1_2_VERSION, ca));
    driven_client client(server.settings(ca));
    fill(client, server, 1);
    server.ask_to_renegotiate();
    CHECK(client.until([&] { return closed(client) == 1; })); // OpenSSL's server insists
    auto const got = client.post();
    CHECK(complaint(got) == "");
    CHECK(got.response().attempts() == 1);
    CHECK(server.counts().accepted == 2);
}

TEST_CASE("pool 23: a peer that never answers our goodbye holds nobody up")
{
    authority const ca;
    for (int const version : tls_versions)
        for (bool const drains : {false, true})
        {
            CAPTURE(version);
            CAPTURE(drains);
            tls_server server(of_version(version, ca));
            driven_client client(server.settings(ca));
            fill(client, server, 3);
            server.stop_listening();
            std::optional<ccloud::drained> end;
            if (drains)
                boost::asio::co_spawn(
                    client.context(), client->close(60s),
                    [&end](std::exception_ptr, ccloud::result<ccloud::drained> const& got) { end = got.value(); }
                );
            else
                client->close();
            CHECK(client.runs_out());
            CHECK(client.connections().idle == 0);
            CHECK(client.connections().closed_for(close_reason::shut_down) == 3);
            CHECK(end.has_value() == drains);
            if (end)
                CHECK(end->finished + end->cut == 0);
            server.listen_again();
            CHECK(server.sees([](tls_server_counts const& now) { return now.open == 0; }));
            CHECK(server.counts().goodbyes == 3);
            CHECK(server.counts().cut_off == 0);
        }
}

TEST_CASE("pool 23: a peer that never ends its handshake holds nobody up")
{
    authority const ca;
    for (bool const drains : {false, true})
    {
        CAPTURE(drains);
        auto options = of_version(TLS1_3_VERSION, ca);
        options.pauses_at_start = true;
        tls_server server(options);
        driven_client client(server.settings(ca));
        auto const call = client.start(1);
        REQUIRE(client.until([&] { return server.counts().accepted == 1; }));
        std::optional<ccloud::drained> end;
        if (drains)
            boost::asio::co_spawn(
                client.context(), client->close(60s),
                [&end](std::exception_ptr, ccloud::result<ccloud::drained> const& got) { end = got.value(); }
            );
        else
            client->close();
        CHECK(client.runs_out());
        CHECK(end.has_value() == drains);
        REQUIRE(call->size() == 1);
        REQUIRE(!call->front().has_value());
        CHECK(call->front().error() == errc::client_closed);
        CHECK(call->front().error().progress() == ccloud::progress::not_sent);
        CHECK(client.connections().dialing == 0);
        server.go_on();
        CHECK(server.sees([](tls_server_counts const& now) { return now.open == 0; }));
        CHECK(server.counts().requests == 0);
    }
}

TEST_CASE("pool 23: a drain cuts what a deaf peer never answers, and says so")
{
    authority const ca;
    tls_server server(of_version(TLS1_3_VERSION, ca));
    driven_client client(server.settings(ca));
    fill(client, server, 2);
    server.stop_listening();
    auto const call = client.start(1);
    REQUIRE(client.until([&] { return client.connections().active == 1; }));
    std::optional<ccloud::drained> end;
    boost::asio::co_spawn(
        client.context(), client->close(20ms),
        [&end](std::exception_ptr, ccloud::result<ccloud::drained> const& got) { end = got.value(); }
    );
    CHECK(client.runs_out());
    REQUIRE(end.has_value());
    CHECK(end->cut == 1);
    CHECK(end->finished == 0);
    REQUIRE(call->size() == 1);
    REQUIRE(!call->front().has_value());
    CHECK(call->front().error() == errc::client_closed);
    server.listen_again();
    CHECK(server.sees([](tls_server_counts const& now) { return now.open == 0; }));
}

TEST_CASE("pool 23: connections that are given up are told goodbye")
{
    authority const ca;
    tls_server server(of_version(TLS1_3_VERSION, ca));
    driven_client client(server.settings(ca));
    fill(client, server, 3);
    SUBCASE("close_idle")
    {
        client->close_idle();
    }
    SUBCASE("network_changed")
    {
        client->network_changed();
    }
    SUBCASE("reload_tls")
    {
        client->reload_tls(server.settings(ca).tls);
    }
    CHECK(client.until([&] { return client.connections().idle == 0; }));
    CHECK(client.connections().closed_for(close_reason::superseded) == 3);
    REQUIRE(complaint(client.get()) == "");
    CHECK(server.sees([](tls_server_counts const& now) { return now.open == 1; }));
    CHECK(server.counts().goodbyes == 3);
}
