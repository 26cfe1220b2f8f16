#include <ccloud/ccloud.hpp>

#include "certificates.hpp"
#include "printers.hpp"
#include "tls_server.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

using namespace std::chrono_literals;
using ccloud::close_reason;
using ccloud::errc;
using ccloud::progress;
using support::authority;
using support::complaint;
using support::driven_client;
using support::flood;
using support::of_version;
using support::tls_server;
using support::tls_server_counts;

namespace {

/** Most messages that a server sends, so that a failing test ends. */
constexpr std::size_t without_end = 300'000;

/** Most bytes that are in the sockets when the client closes, and that the client reads in one turn. */
constexpr std::size_t most_taken = 40'000;

struct row
{
    std::string_view what;
    flood with;
    int version;
};

constexpr row floods[] = {
    {"session tickets (RFC 8446 section 4.6.1)", flood::tickets, TLS1_3_VERSION},
    {"KeyUpdate (RFC 8446 section 4.6.3)", flood::key_updates, TLS1_3_VERSION},
    {"KeyUpdate that wants one in return", flood::answered_updates, TLS1_3_VERSION},
    {"KeyUpdate that wants one in return, which is not read", flood::unread_updates, TLS1_3_VERSION},
    {"HelloRequest (RFC 5246 section 7.4.1.1)", flood::hello_requests, TLS1_2_VERSION},
};

ccloud::config settings_for(tls_server& server, authority const& ca)
{
    auto settings = server.settings(ca);
    settings.retry = ccloud::retry_policy::none();
    return settings;
}

/** Makes the client have one idle connection. */
void fill(driven_client& client, tls_server& server)
{
    REQUIRE(complaint(client.get()) == "");
    REQUIRE(client.connections().idle == 1);
    REQUIRE(server.counts().open == 1);
}

/** The server has more in the client's socket than a client should take. */
bool floods_socket(tls_server& server)
{
    return server.sees([](tls_server_counts const& now) { return now.flooded >= 100; });
}

} // namespace

TEST_CASE("TLS: a flood of messages without data on an idle connection ends it, and the next call is served by another")
{
    authority const ca;
    for (auto const& [what, with, version] : floods)
        for (bool const watched : {true, false})
        {
            CAPTURE(what);
            CAPTURE(watched);
            tls_server server(of_version(version, ca));
            driven_client client(settings_for(server, ca));
            fill(client, server);
            server.flood_open(with, without_end);
            if (watched)
            {
                CHECK(client.until([&] { return client.connections().idle == 0; }));
                CHECK(client.connections().closed_for(close_reason::unsolicited) == 1);
            }
            else
                REQUIRE(floods_socket(server));
            auto const got = client.post();
            CHECK(complaint(got) == "");
            CHECK(client.connections().closed_for(close_reason::unsolicited) == 1);
            CHECK(client.connections().stale == (watched ? 0 : 1));
            CHECK(server.sees([](tls_server_counts const& now) { return now.open == 1; }));
            CHECK(server.counts().flooded < most_taken);
        }
}

TEST_CASE("TLS: a connection is closed in the middle of a flood without waiting for its end")
{
    authority const ca;
    for (auto const& [what, with, version] : floods)
    {
        CAPTURE(what);
        tls_server server(of_version(version, ca));
        driven_client client(settings_for(server, ca));
        fill(client, server);
        server.flood_open(with, without_end);
        REQUIRE(floods_socket(server));
        SUBCASE("close_idle()")
        {
            client->close_idle();
            CHECK(client.until([&] { return client.connections().idle == 0; }));
        }
        SUBCASE("close()")
        {
            client->close();
            CHECK(client.runs_out());
        }
        CHECK(server.sees([](tls_server_counts const& now) { return now.open == 0; }));
        CHECK(server.counts().flooded < most_taken);
    }
}

TEST_CASE("TLS: a flood instead of a response ends the call, and the error says what the server did; other calls go on")
{
    authority const ca;
    for (auto const& [what, with, version] : floods)
        for (bool const fresh : {true, false})
        {
            CAPTURE(what);
            CAPTURE(fresh);
            tls_server server(of_version(version, ca));
            driven_client client(settings_for(server, ca));
            if (!fresh)
                fill(client, server);
            server.hold(2);
            auto const calls = client.start(ccloud::http_request(ccloud::method::post, "/iam/v2/ip-groups"));
            REQUIRE(client.until([&] { return server.counts().requests == (fresh ? 1 : 2); }));
            server.flood_open(with, without_end);
            REQUIRE(client.until([&] { return calls->size() == 1; }));
            REQUIRE(!calls->front().has_value());
            auto const& failed = calls->front().error();
            CAPTURE(failed.what());
            CHECK(failed == errc::connection_lost);
            CHECK(failed.progress() == progress::maybe_sent);
            CHECK(failed.detail().find("TLS handshake messages") != std::string::npos);
            CHECK(server.sees([](tls_server_counts const& now) { return now.open == 0; }));
            CHECK(server.counts().flooded < most_taken);
            server.hold(0);
            CHECK(complaint(client.get()) == "");
        }
}

TEST_CASE("TLS: a flood right after the handshake ends the attempt")
{
    authority const ca;
    for (auto const& [what, with, version] : floods)
        for (bool const asks_for_certificate : {false, true})
        {
            CAPTURE(what);
            CAPTURE(asks_for_certificate);
            auto options = of_version(version, ca);
            auto const ours = ca.issue(support::subject());
            if (asks_for_certificate)
                options.client_ca = ca.certificate();
            tls_server server(options);
            auto settings = settings_for(server, ca);
            settings.tls.certificate_pem = ours.certificate;
            settings.tls.key_pem = ours.key;
            server.flood_new(with, without_end);
            driven_client client(settings);

            auto const got = client.get();
            REQUIRE(!got.has_value());
            CAPTURE(got.error().what());
            CHECK((got.error() == errc::connection_lost || got.error() == errc::connect_failed));
            CHECK(got.error().detail().find("TLS handshake messages") != std::string::npos);
            CHECK(server.counts().accepted == 1);
            CHECK(server.counts().flooded < most_taken);
            server.flood_new(flood::none, 0);
            CHECK(complaint(client.get()) == "");
        }
}

TEST_CASE("TLS: sixteen tickets and key updates at once, before and during a call, harm no connection")
{
    authority const ca;
    for (auto const& [what, with, version] : floods)
    {
        if (version != TLS1_3_VERSION || with == flood::answered_updates)
            continue; // the server would miss what it throws away
        CAPTURE(what);
        tls_server server(of_version(version, ca));
        driven_client client(settings_for(server, ca));
        fill(client, server);
        for (std::size_t round = 1; round <= 10; ++round)
        {
            server.flood_open(with, 16);
            REQUIRE(server.sees([&](tls_server_counts const& now) { return now.flooded == 32 * round - 16; }));
            server.hold(2);
            auto const calls = client.start(1);
            REQUIRE(client.until([&] { return server.counts().requests == 1 + round; }));
            server.flood_open(with, 16);
            REQUIRE(server.sees([&](tls_server_counts const& now) { return now.flooded == 32 * round; }));
            server.hold(0);
            REQUIRE(client.until([&] { return calls->size() == 1; }));
            CHECK(complaint(calls->front()) == "");
        }
        CHECK(server.counts().accepted == 1);
        CHECK(client.connections().idle == 1);
    }
}

TEST_CASE("TLS: between two pieces of data a server may send 32 messages or 64 KiB without data, and not a message more"
)
{
    struct sent
    {
        std::string_view what;
        flood with;
        std::size_t ticket_size;
        std::size_t messages;
        bool allowed;
    };
    constexpr sent table[] = {
        {"32 KeyUpdates", flood::key_updates, 0, 32, true},
        {"33 KeyUpdates", flood::key_updates, 0, 33, false},
        {"32 tickets", flood::tickets, 0, 32, true},
        {"33 tickets", flood::tickets, 0, 33, false},
        {"14 tickets of a little more than 4 KiB", flood::tickets, 4096, 14, true},
        {"16 tickets of a little more than 4 KiB", flood::tickets, 4096, 16, false},
    };
    authority const ca;
    for (auto const& [what, with, ticket_size, messages, allowed] : table)
        for (bool const watched : {false, true})
        {
            CAPTURE(what);
            CAPTURE(watched);
            auto options = of_version(TLS1_3_VERSION, ca);
            options.ticket_size = ticket_size;
            options.tickets = 1; // before the first answer
            tls_server server(options);
            driven_client client(settings_for(server, ca));
            fill(client, server);
            for (std::size_t round = 0; round < 2; ++round) // data begin the count anew
            {
                server.flood_open(with, messages);
                auto const sent_by_now = messages * (round + 1);
                REQUIRE(server.sees([&](tls_server_counts const& now) { return now.flooded == sent_by_now; }));
                if (watched)
                    for (int i = 0; i < 3; ++i)
                        (void)client.turn();
                CHECK(complaint(client.get()) == "");
                if (!allowed)
                    break;
            }
            CHECK(client.connections().closed_for(close_reason::unsolicited) == (allowed ? 0 : 1));
            CHECK(server.counts().accepted == (allowed ? 1 : 2));
        }
}
