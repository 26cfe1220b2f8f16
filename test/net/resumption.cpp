#include <ccloud/ccloud.hpp>

#include "certificates.hpp"
#include "net/factory.hpp"
#include "printers.hpp"
#include "tls_server.hpp"

#include <boost/asio/co_spawn.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using ccloud::errc;
using support::authority;
using support::complaint;
using support::driven_client;
using support::of_version;
using support::subject;
using support::tls_server;
using support::tls_server_counts;
using support::tls_versions;

namespace {

/** Keeps what it hears of connections. */
struct witness final : ccloud::observer
{
    void connection_used(ccloud::observed_call const&, int, ccloud::connection_use const& use) noexcept override
    {
        seen.push_back(use.connection);
    }

    std::vector<std::shared_ptr<ccloud::connection_info const>> seen;
};

/** The server drops its connections by `drop`, and the client notices. */
void lose_all(driven_client& client, tls_server& server, std::function<void(tls_server&)> const& drop)
{
    drop(server);
    REQUIRE(client.until([&] { return client.connections().idle == 0; }));
    REQUIRE(server.sees([](tls_server_counts const& now) { return now.open == 0; }));
}

void reset(tls_server& server)
{
    server.reset();
}

bool none_twice(tls_server_counts const& seen)
{
    return std::all_of(seen.presented.begin(), seen.presented.end(), [](auto const& each) { return each.second == 1; });
}

} // namespace

TEST_CASE("pool 17: after each reconnect the handshake is resumed, however the connection was lost")
{
    struct row
    {
        std::string name;
        std::function<void(tls_server&)> drop;
    };
    std::vector<row> const table{
        {"close_notify", [](tls_server& server) { server.say_goodbye(); }},
        {"FIN", [](tls_server& server) { server.end(); }},
        {"RST", &reset},
        {"bytes", [](tls_server& server) { server.send("HTTP/1.1 408 Request Timeout\r\n\r\n"); }},
    };
    authority const ca;
    for (auto const& [name, drop] : table)
        for (int const version : tls_versions)
            for (bool const keeps_sessions : {false, true})
            {
                CAPTURE(name);
                CAPTURE(version);
                CAPTURE(keeps_sessions);
                auto options = of_version(version, ca);
                options.keeps_sessions = keeps_sessions;
                tls_server server(options);
                auto const seen = std::make_shared<witness>();
                auto settings = server.settings(ca);
                settings.observer = seen;
                driven_client client(settings);
                for (std::size_t i = 0; i < 6; ++i)
                {
                    CAPTURE(i);
                    REQUIRE(complaint(client.get()) == "");
                    CHECK(server.counts().full == 1);
                    CHECK(server.counts().resumed == i);
                    CHECK(client.connections().handshakes_full == 1);
                    CHECK(client.connections().handshakes_resumed == i);
                    REQUIRE(seen->seen.size() == i + 1);
                    CHECK(seen->seen.back()->resumed == (i > 0));
                    CHECK(seen->seen.back()->tls_version == (version == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2"));
                    lose_all(client, server, drop);
                }
                if (version == TLS1_3_VERSION)
                    CHECK(none_twice(server.counts()));
            }
}

TEST_CASE("pool 17: a ticket on an idle connection, or on one that the client closed, is good for the next one")
{
    authority const ca;
    auto options = of_version(TLS1_3_VERSION, ca);
    options.tickets = 1;
    tls_server server(options);
    driven_client client(server.settings(ca));
    client->warm_up(1); // no request, so the ticket comes while it is idle
    REQUIRE(client.until([&] { return client.connections().idle == 1 && client.connections().tickets == 1; }));
    client->close_idle();
    REQUIRE(client.until([&] { return client.connections().idle == 0; }));
    CHECK(complaint(client.get()) == "");
    CHECK(server.counts().full == 1);
    CHECK(server.counts().resumed == 1);
}

TEST_CASE("pool 17: sixteen connections lost at once are all resumed, and no ticket of TLS 1.3 is shown twice")
{
    authority const ca;
    std::size_t const all = 16;
    for (int const version : tls_versions)
    {
        CAPTURE(version);
        tls_server server(of_version(version, ca));
        driven_client client(server.settings(ca));
        for (std::size_t i = 0; i < all; ++i) // until the gate lets so many go at once
            REQUIRE(complaint(client.get()) == "");
        std::size_t full = 0;
        for (std::size_t round = 0; round < 3; ++round)
        {
            CAPTURE(round);
            server.hold(all);
            for (auto const& got : client.get_all(all))
                REQUIRE(complaint(got) == "");
            auto const seen = server.counts();
            CHECK(seen.accepted == all * (round + 1));
            CHECK(seen.resumed == client.connections().handshakes_resumed);
            CHECK(seen.full == client.connections().handshakes_full);
            if (round == 0)
                full = seen.full; // the later ones of the first sixteen may find tickets of the earlier ones
            CHECK(seen.full == full);
            if (version == TLS1_3_VERSION)
            {
                CHECK(none_twice(seen));
                server.send_ticket(); // one for each
                CHECK(client.until([&] { return client.connections().tickets >= all; }));
            }
            lose_all(client, server, &reset);
        }
    }
}

TEST_CASE("pool 17: a server that gives no tickets, or does not know them any more, costs a full handshake and no more")
{
    authority const ca;
    for (int const version : tls_versions)
        for (bool const gives : {false, true})
        {
            CAPTURE(version);
            CAPTURE(gives);
            auto options = of_version(version, ca);
            options.tickets = gives ? 2 : 0;
            tls_server server(options);
            driven_client client(server.settings(ca));
            for (std::size_t i = 0; i < 4; ++i)
            {
                auto const got = client.post();
                REQUIRE(complaint(got) == "");
                CHECK(got.response().attempts() == 1);
                CHECK(server.counts().full == i + 1);
                CHECK((client.connections().tickets > 0) == gives);
                lose_all(client, server, &reset);
                server.forget_tickets();
            }
            CHECK(client.connections().handshakes_full == 4);
            CHECK(client.connections().handshakes_resumed == 0);
            CHECK(server.counts().failed == 0);
        }
}

TEST_CASE("pool 17: no ticket helps a client past a server that it does not trust")
{
    authority const ca;
    authority const other("other CA");
    for (int const version : tls_versions)
    {
        CAPTURE(version);
        tls_server server(of_version(version, ca));
        driven_client trusting(server.settings(ca));
        REQUIRE(complaint(trusting.get()) == "");
        driven_client wary(server.settings(other));
        for (int i = 0; i < 3; ++i)
        {
            auto const got = wary.get();
            REQUIRE(!got.has_value());
            CHECK(got.error() == errc::certificate_unknown_authority);
        }
        CHECK(wary.connections().tickets == 0);

        trusting->reload_tls(server.settings(other).tls);
        for (int i = 0; i < 3; ++i)
        {
            auto const got = trusting.get();
            REQUIRE(!got.has_value());
            CHECK(got.error() == errc::certificate_unknown_authority);
        }
        CHECK(server.counts().presented.empty());

        trusting->reload_tls(server.settings(ca).tls);
        CHECK(complaint(trusting.get()) == "");
        CHECK(server.counts().presented.empty());
        CHECK(server.counts().full == 2);
        CHECK(server.counts().requests == 2);
    }
}

TEST_CASE("pool 17: tickets from before reload_tls are not used, so the server learns of another client certificate")
{
    authority const ca;
    for (int const version : tls_versions)
    {
        CAPTURE(version);
        auto options = of_version(version, ca);
        options.client_ca = ca.certificate();
        tls_server server(options);
        auto settings_of = [&](char const* name) {
            auto settings = server.settings(ca);
            auto const own = ca.issue(subject::client(name));
            settings.tls.certificate_pem = own.certificate;
            settings.tls.key_pem = own.key;
            return settings;
        };
        driven_client client(settings_of("first"));
        REQUIRE(complaint(client.get()) == "");
        lose_all(client, server, &reset);
        REQUIRE(complaint(client.get()) == "");
        CHECK(server.counts().resumed == 1);

        client->reload_tls(settings_of("second").tls);
        REQUIRE(complaint(client.get()) == "");
        CHECK(server.counts().full == 2);
        lose_all(client, server, &reset);
        REQUIRE(complaint(client.get()) == "");
        CHECK(server.counts().resumed == 2);
        std::vector<std::string> const expected{"first", "first", "second", "second"};
        CHECK(server.counts().clients == expected);
        CHECK(server.counts().failed == 0);
    }
}

TEST_CASE("pool 17: a ticket that comes on a connection from before reload_tls is not kept")
{
    authority const ca;
    auto options = of_version(TLS1_3_VERSION, ca);
    tls_server server(options);
    driven_client client(server.settings(ca));
    REQUIRE(complaint(client.get()) == "");
    server.hold(2);
    auto const before = client.start(1);
    REQUIRE(client.until([&] { return client.connections().active == 1; }));
    client->reload_tls(server.settings(ca).tls);
    CHECK(client.connections().tickets == 0);
    server.send_ticket();
    server.hold(1); // answers it
    REQUIRE(client.until([&] { return before->size() == 1; }));
    CHECK(complaint(before->front()) == "");
    CHECK(client.connections().tickets == 0);
    CHECK(complaint(client.get()) == "");
    CHECK(server.counts().presented.empty());
    CHECK(server.counts().full == 2);
}

TEST_CASE("pool 17: shards share tickets")
{
    authority const ca;
    tls_server server(of_version(TLS1_3_VERSION, ca));
    driven_client client(server.settings(ca));
    REQUIRE(complaint(client.get()) == "");
    auto shard = client->on(client.context().get_executor());
    std::optional<driven_client::outcome> got;
    boost::asio::co_spawn(
        client.context(), shard.execute(ccloud::http_request(ccloud::method::get, "/iam/v2/ip-groups")),
        [&got](std::exception_ptr, driven_client::outcome ended) { got = std::move(ended); }
    );
    REQUIRE(client.until([&] { return got.has_value(); }));
    CHECK(complaint(*got) == "");
    CHECK(shard.metrics().connections.handshakes_resumed == 1);
    CHECK(server.counts().resumed == 1);
}

TEST_CASE("pool 17: a ticket of one host is not shown to another one, be it the same server")
{
    authority const ca;
    for (int const version : tls_versions)
    {
        CAPTURE(version);
        auto options = of_version(version, ca);
        auto both = subject::local();
        both.names = {"a.test", "b.test"};
        options.shown = ca.issue(both);
        tls_server server(options);
        auto const settings = server.settings(ca);
        auto const network = ccloud::net::share_network(settings);
        auto const everything_is_here = [](std::string const&) {
            ccloud::net::name_answer answer;
            answer.addresses = {"127.0.0.1"};
            return answer;
        };
        boost::asio::io_context context;
        auto const wire = ccloud::net::make_transport(context.get_executor(), settings, network, everything_is_here);
        ccloud::http_request const request(ccloud::method::get, "/iam/v2/ip-groups");
        std::vector<std::string> const hosts{"a.test", "b.test", "127.0.0.1", "a.test", "b.test", "127.0.0.1"};
        for (auto const& host : hosts)
        {
            CAPTURE(host);
            ccloud::origin const to(true, host, server.port());
            ccloud::send_options how;
            how.fresh_connection = true;
            std::optional<ccloud::exchange> got;
            boost::asio::co_spawn(
                context, wire->send(request, to, how),
                [&got](std::exception_ptr, ccloud::exchange ended) { got = std::move(ended); }
            );
            while (!got && context.run_one_for(support::patience) > 0)
            {
            }
            REQUIRE(got.has_value());
            CHECK(got->answered());
        }
        wire->close();
        context.run_for(support::patience);
        CHECK(context.stopped());
        auto const seen = server.counts();
        std::vector<std::string> const names{"a.test", "b.test", "", "a.test", "b.test", ""};
        std::vector<std::string> const again{"a.test", "b.test", ""};
        CHECK(seen.names == names);
        CHECK(seen.presented_to == again);
        CHECK(seen.full == 3);
        CHECK(seen.resumed == 3);
    }
}
