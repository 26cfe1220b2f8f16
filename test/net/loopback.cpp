#include <ccloud/ccloud.hpp>
#include <ccloud/testing/simulator.hpp>

#include "network.hpp"
#include "printers.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using ccloud::condition;
using ccloud::errc;
using ccloud::progress;
using ccloud::testing::fault;
using ccloud::testing::simulator;
using ccloud::testing::simulator_options;
using support::over_network;
namespace asio = boost::asio;
namespace iam = ccloud::iam;
namespace networking = ccloud::networking;

namespace {

simulator_options with_groups(std::size_t count)
{
    simulator_options options;
    options.seed_groups = count;
    return options;
}

/** The settings for `server`, with waits short enough for a test and nothing tried twice. */
ccloud::config impatient(simulator const& server)
{
    auto settings = server.settings();
    settings.retry = ccloud::retry_policy::none();
    return settings;
}

/** Lists one group; gives the error, if any. */
std::optional<ccloud::error> list_once(ccloud::config const& settings)
{
    std::optional<ccloud::error> failure;
    over_network(settings, [&](ccloud::client cloud) -> asio::awaitable<void> {
        auto listing = iam::ip_groups(cloud).list({.page_size = 1});
        auto got = co_await listing.next_page();
        if (!got.has_value())
            failure = got.error();
    });
    return failure;
}

} // namespace

TEST_CASE("the four resources are created, read, listed, changed and removed over TLS, on one connection")
{
    simulator server;
    for (auto const threads : {ccloud::threading::serial, ccloud::threading::safe})
    {
        auto settings = server.settings();
        settings.threading = threads;
        auto const before = server.connections();
        over_network(settings, [&](ccloud::client cloud) -> asio::awaitable<void> {
            iam::ip_groups groups(cloud);
            auto group = co_await groups.create(iam::create_ip_group("CorpNet").cidr_block("10.0.0.0/8"));
            REQUIRE(group.has_value());
            CHECK(group.response().status() == 201);
            CHECK(!group.response().location().empty());
            CHECK(!group.response().request_id().empty());
            auto const group_id = group->id;
            auto again = co_await groups.create(iam::create_ip_group("CorpNet").cidr_block("10.0.0.0/8"));
            REQUIRE(!again.has_value());
            CHECK(again.error() == condition::conflict);
            group = co_await groups.update(group_id, iam::update_ip_group("Office", "10.1.0.0/16", "10.2.0.0/16"));
            REQUIRE(group.has_value());
            CHECK(group->group_name == "Office");
            group = co_await groups.get(group_id);
            REQUIRE(group.has_value());
            CHECK(group->cidr_blocks.size() == 2);
            auto gone = co_await groups.remove(group_id);
            REQUIRE(gone.has_value());
            CHECK(!gone->already_gone);
            gone = co_await groups.remove(group_id);
            REQUIRE(!gone.has_value());
            CHECK(gone.error() == condition::not_found);

            iam::identity_pools pools(cloud, "op-4EY");
            auto pool = co_await pools.create(
                iam::create_identity_pool("prod", "claims.sub", R"(claims.aud=="x")").assigned_resource_owner("u-1")
            );
            REQUIRE(pool.has_value());
            CHECK(pool->state == iam::identity_pool_state_words::enabled);
            auto const pool_id = pool->id;
            pool = co_await pools.update(pool_id, iam::update_identity_pool().description("new"));
            REQUIRE(pool.has_value());
            CHECK(pool->display_name == "prod");
            CHECK(pool->description == "new");
            pool = co_await pools.get(pool_id);
            CHECK(pool.has_value());
            auto pool_list = pools.list();
            auto all_pools = co_await pool_list.collect();
            CHECK(all_pools.value().size() == 1);
            gone = co_await pools.remove(pool_id);
            CHECK(gone.has_value());

            iam::sso::group_mappings mappings(cloud);
            auto mapping = co_await mappings.create(iam::sso::create_group_mapping("all", "true"));
            REQUIRE(mapping.has_value());
            auto const mapping_id = mapping->id;
            mapping = co_await mappings.update(mapping_id, iam::sso::update_group_mapping().display_name("everyone"));
            REQUIRE(mapping.has_value());
            CHECK(mapping->display_name == "everyone");
            mapping = co_await mappings.get(mapping_id);
            CHECK(mapping.has_value());
            auto mapping_list = mappings.list();
            auto all_mappings = co_await mapping_list.collect();
            CHECK(all_mappings.value().size() == 1);
            gone = co_await mappings.remove(mapping_id);
            CHECK(gone.has_value());

            using phase = networking::private_link_attachment_connection_phase_words;
            networking::private_link_attachment_connections links(cloud, "env-1");
            auto link = co_await links.create(networking::create_private_link_attachment_connection(
                "vpc", networking::aws_private_link_attachment_connection("vpce-0ed4d51f5d6ef9b6d"), "platt-1"
            ));
            REQUIRE(link.has_value());
            CHECK(link.response().status() == 202);
            CHECK(link->status.phase == phase::provisioning);
            auto const link_id = link->id;
            server.advance(1h);
            link = co_await links.get(link_id);
            REQUIRE(link.has_value());
            CHECK(link->status.phase == phase::ready);
            link = co_await links.update(
                link_id, networking::update_private_link_attachment_connection().display_name("renamed")
            );
            REQUIRE(link.has_value());
            CHECK(link->spec.display_name == "renamed");
            auto link_list =
                links.list(networking::list_private_link_attachment_connections().private_link_attachment("platt-1"));
            auto all_links = co_await link_list.collect();
            CHECK(all_links.value().size() == 1);
            gone = co_await links.remove(link_id);
            CHECK(gone.has_value());
            server.advance(1h);
            link = co_await links.get(link_id);
            REQUIRE(!link.has_value());
            CHECK(link.error() == condition::gone);
        });
        CHECK(server.connections() == before + 1);
    }
}

TEST_CASE("a thousand groups are listed page by page, links to another host notwithstanding, with and without prefetch")
{
    simulator server(with_groups(1'000));
    for (int const prefetch : {0, 1})
        over_network(server.settings(), [&](ccloud::client cloud) -> asio::awaitable<void> {
            auto listing = iam::ip_groups(cloud).list({.prefetch = prefetch});
            auto all = co_await listing.collect();
            REQUIRE(all.has_value());
            CHECK(all->size() == 1'000);
            CHECK(all->back().group_name == "group-1000");
        });
    CHECK(server.requests() == 20);
}

TEST_CASE("a base URL with a path prefix, a bearer token, and plain http on loopback work")
{
    simulator_options options;
    options.path_prefix = "/api";
    options.plaintext = true;
    options.seed_groups = 1;
    simulator server(options);
    auto settings = server.settings();
    settings.credentials = ccloud::bearer_token(options.bearer_token);
    CHECK(!list_once(settings));
    settings.credentials = ccloud::bearer_token("wrong");
    auto const refused = list_once(settings);
    REQUIRE(refused.has_value());
    CHECK(*refused == condition::unauthenticated);
    CHECK(!refused->response().headers().find("WWW-Authenticate")->empty());
}

TEST_CASE("pool 2: no more connections than the cap, and every waiting call is served")
{
    simulator server(with_groups(1));
    auto settings = server.settings();
    settings.pool.max_connections_per_origin = 4;
    over_network(settings, [&](ccloud::client cloud) -> asio::awaitable<void> {
        auto const here = co_await asio::this_coro::executor;
        int good = 0;
        int left = 64;
        asio::steady_timer done(here, asio::steady_timer::time_point::max());
        auto one = [](ccloud::client shared, int& ok) -> asio::awaitable<void> {
            for (int i = 0; i < 5; ++i)
            {
                auto listing = iam::ip_groups(shared).list();
                auto got = co_await listing.collect();
                ok += got.has_value() ? 1 : 0;
            }
        };
        for (int i = 0; i < 64; ++i)
            asio::co_spawn(here, one(cloud, good), [&](std::exception_ptr) {
                if (--left == 0)
                    done.cancel();
            });
        boost::system::error_code woken;
        co_await done.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        CHECK(good == 64 * 5);
    });
    CHECK(server.connections() <= 4);
}

TEST_CASE("pool 17: a certificate of an unknown authority is refused, and never tried again")
{
    simulator server;
    auto settings = server.settings();
    settings.tls.ca_file.clear();
    auto const refused = list_once(settings);
    REQUIRE(refused.has_value());
    CHECK(refused->code() == errc::certificate_unknown_authority);
    CHECK(refused->progress() == progress::not_sent);
    CHECK(refused->attempts().size() == 1);
    CHECK(refused->detail().find("certificate") != std::string::npos);
    CHECK(server.requests() == 0);
}

TEST_CASE("a CA file that cannot be read is a configuration error of the constructor")
{
    simulator server;
    auto settings = server.settings();
    settings.tls.ca_file = "/does/not/exist.pem";
    asio::io_context context;
    CHECK_THROWS_AS(ccloud::client(context.get_executor(), settings), ccloud::configuration_error);
}

TEST_CASE("an endpoint without TLS loads no CA file, neither when the client is made nor by reload_tls()")
{
    asio::io_context context;
    ccloud::config settings;
    settings.endpoint = "http://127.0.0.1:1";
    settings.allow_plaintext = true;
    settings.credentials = ccloud::bearer_token("token");
    settings.tls.ca_file = "/does/not/exist.pem";
    std::optional<ccloud::client> plain;
    CHECK_NOTHROW(plain.emplace(context.get_executor(), settings));
    REQUIRE(plain.has_value());
    CHECK_NOTHROW(plain->reload_tls(settings.tls));
}

TEST_CASE("a refused connection says so, and is not sent")
{
    std::string endpoint;
    ccloud::config settings;
    {
        simulator server;
        settings = impatient(server);
    } // the port is free again
    settings.tls.ca_file.clear();
    auto const refused = list_once(settings);
    REQUIRE(refused.has_value());
    CHECK(refused->code() == errc::connect_failed);
    CHECK(refused->progress() == progress::not_sent);
    CHECK(*refused == condition::network);
    CHECK(refused->cause());
}

TEST_CASE("a host without an address ends the call as not sent, within connect_timeout")
{
    simulator server;
    auto settings = impatient(server);
    settings.endpoint = "https://host.invalid"; // RFC 6761 section 6.4
    settings.pool.connect_timeout = 3s;         // for resolvers that do not know the RFC, and wait for their servers
    auto const failure = list_once(settings);
    REQUIRE(failure.has_value());
    bool const unresolved = failure->code() == errc::name_resolution_failed;
    CHECK((unresolved || failure->code() == errc::connect_timeout));
    CHECK(failure->progress() == progress::not_sent);
    CHECK(*failure == condition::network);
    CHECK(server.requests() == 0);
}

TEST_CASE("pool 15: a server that accepts and says nothing is given up after connect_timeout")
{
    simulator server;
    server.inject(fault::stall_handshake().times(0));
    auto settings = impatient(server);
    settings.pool.connect_timeout = 150ms;
    auto const failure = list_once(settings);
    REQUIRE(failure.has_value());
    CHECK(failure->code() == errc::connect_timeout);
    CHECK(failure->progress() == progress::not_sent);
    CHECK(*failure == condition::timed_out);
    server.clear_faults();
}

TEST_CASE("T1: an answer that does not come ends the try by attempt_timeout, the call by its deadline")
{
    simulator server;
    server.inject(fault::delay(20s).times(2));
    auto settings = impatient(server);
    settings.attempt_timeout = 100ms;
    auto const failure = list_once(settings);
    REQUIRE(failure.has_value());
    CHECK(failure->code() == errc::attempt_timeout);
    CHECK(failure->progress() == progress::maybe_sent);
    CHECK(failure->attempts().front().bytes_written > 0);
    settings.attempt_timeout = 30s;
    settings.total_timeout = 100ms;
    auto const late = list_once(settings);
    REQUIRE(late.has_value());
    CHECK(late->code() == errc::deadline_exceeded);
}

TEST_CASE("a broken answer is told for what it is")
{
    simulator server(with_groups(30));
    struct row
    {
        fault trouble;
        errc code;
    };
    std::vector<row> const table{
        {fault::reset(), errc::connection_lost},       {fault::close(), errc::connection_lost},
        {fault::reset_early(), errc::connection_lost}, {fault::truncate(10), errc::connection_lost},
        {fault::garbage(), errc::malformed_response},  {fault::status(200, "<html>"), errc::malformed_response},
    };
    for (auto const& [trouble, code] : table)
    {
        CAPTURE(code);
        server.inject(trouble);
        auto const failure = list_once(impatient(server));
        REQUIRE(failure.has_value());
        CHECK(failure->code() == code);
        CHECK(!list_once(impatient(server))); // the fault is spent
    }
}

TEST_CASE("a GET survives each of these on its next try")
{
    simulator server(with_groups(30));
    auto settings = server.settings();
    settings.retry.base_delay = 1ms;
    for (auto const& trouble :
         {fault::reset(), fault::close(), fault::truncate(10), fault::status(503), fault::status(500)})
    {
        server.inject(trouble);
        CHECK(!list_once(settings));
    }
}

TEST_CASE("I1: a POST whose answer is lost is not sent again")
{
    simulator server;
    server.inject(fault::reset().executed().on("POST", ""));
    over_network(server.settings(), [&](ccloud::client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        auto made = co_await groups.create(iam::create_ip_group("CorpNet").cidr_block("10.0.0.0/8"));
        REQUIRE(!made.has_value());
        CHECK(made.error().code() == errc::connection_lost);
        CHECK(made.error().progress() == progress::maybe_sent);
        auto listing = groups.list();
        auto all = co_await listing.collect();
        CHECK(all.value().size() == 1);
    });
    CHECK(server.requests() == 2);
}

TEST_CASE("removed: a DELETE whose answer was lost counts as done when the next try finds nothing")
{
    simulator server(with_groups(1));
    over_network(server.settings(), [&](ccloud::client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        auto listing = groups.list();
        auto all = co_await listing.collect();
        server.inject(fault::reset().executed().on("DELETE", ""));
        auto gone = co_await groups.remove(all.value().front().id);
        REQUIRE(gone.has_value());
        CHECK(gone->already_gone);
    });
}

TEST_CASE("vector 17: a gzip body without Content-Encoding is read")
{
    simulator server(with_groups(30));
    server.inject(fault::gzip());
    CHECK(!list_once(impatient(server)));
}

TEST_CASE("a slow body is read to its end")
{
    simulator server(with_groups(1));
    server.inject(fault::trickle(1ms));
    CHECK(!list_once(impatient(server)));
}

TEST_CASE("pool 7: a connection with bytes that nobody asked for, or that the server ends, is not used again")
{
    simulator server(with_groups(1));
    over_network(server.settings(), [&](ccloud::client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        for (auto const& trouble : {fault::unsolicited(), fault::connection_close()})
        {
            auto const before = server.connections();
            server.inject(trouble);
            for (int i = 0; i < 3; ++i)
            {
                auto listing = groups.list();
                auto all = co_await listing.collect();
                REQUIRE(all.has_value());
                CHECK(all->size() == 1);
            }
            CHECK(server.connections() <= before + 2);
        }
        CHECK(server.connections() >= 3);
    });
}

TEST_CASE("pool 12: connections that the server dropped while idle are noticed, and cost neither an error nor a try")
{
    simulator server(with_groups(1));
    over_network(server.settings(), [&](ccloud::client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        for (int i = 0; i < 5; ++i)
        {
            auto made =
                co_await groups.create(iam::create_ip_group("name " + std::to_string(i)).cidr_block("10.0.0.0/8"));
            REQUIRE(made.has_value());
            CHECK(made.response().attempts() == 1);
            server.drop_connections();
        }
    });
}

TEST_CASE("answers larger than the limits are refused")
{
    simulator server;
    auto settings = impatient(server);
    settings.limits.response_body = 2'000;
    server.inject(fault::status(200, std::string(3'000, ' ')));
    auto failure = list_once(settings);
    REQUIRE(failure.has_value());
    CHECK(failure->code() == errc::response_too_large);
    settings = impatient(server);
    settings.limits.response_header = 1'024;
    server.inject(fault::status(200).header("X-Long", std::string(2'000, 'x')));
    failure = list_once(settings);
    REQUIRE(failure.has_value());
    CHECK(failure->code() == errc::response_too_large);
}

TEST_CASE("S1: a 429 of the server's rate limit is waited out")
{
    simulator_options options;
    options.rate_limit = 1;
    options.rate_window = 1s;
    options.rate_headers = false; // else the client would not run into it
    options.seed_groups = 1;
    simulator server(options);
    over_network(server.settings(), [&](ccloud::client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        int attempts = 0;
        for (int i = 0; i < 3; ++i)
        {
            auto listing = groups.list();
            auto page = co_await listing.next_page();
            REQUIRE(page.has_value());
            attempts += (*page)->response.attempts();
        }
        CHECK(attempts > 3); // three calls at once cannot fall into three windows
    });
}

TEST_CASE("X1: a call is cancelled by poll() alone while it dials, shakes hands, and waits for the answer")
{
    for (auto const threads : {ccloud::threading::serial, ccloud::threading::safe})
        for (int const stage : {0, 1, 2})
        {
            CAPTURE(stage);
            simulator server(with_groups(1));
            if (stage == 1)
                server.inject(fault::stall_handshake().times(0));
            if (stage == 2)
                server.inject(fault::delay(20s));
            auto settings = server.settings();
            settings.threading = threads;
            asio::io_context context;
            std::optional<ccloud::client> cloud(std::in_place, context.get_executor(), settings);
            asio::cancellation_signal signal;
            std::optional<ccloud::result<std::vector<iam::ip_group>>> outcome;
            auto body = [](std::optional<ccloud::client>& shared, auto& out) -> asio::awaitable<void> {
                auto listing = iam::ip_groups(*shared).list();
                out = co_await listing.collect();
            };
            asio::co_spawn(context, body(cloud, outcome), asio::bind_cancellation_slot(signal.slot(), asio::detached));
            if (stage == 0)
                context.poll_one(); // no more, for loopback is quick
            else if (stage == 1)
                while (server.connections() == 0)
                    context.run_for(1ms);
            else
                while (server.requests() == 0)
                    context.run_for(1ms);
            REQUIRE(!outcome);
            signal.emit(asio::cancellation_type::terminal);
            context.restart();
            context.poll();
            REQUIRE(outcome.has_value());
            CHECK(outcome->error().code() == errc::cancelled);
            CHECK(outcome->error().progress() == (stage == 2 ? progress::maybe_sent : progress::not_sent));
            cloud.reset();
            context.restart();
            context.run(); // ends: nothing is left open
        }
}

TEST_CASE("X4: close() ends what is under way, and lets io_context::run() return")
{
    simulator server(with_groups(1));
    server.inject(fault::delay(20s).times(0).on("DELETE", ""));
    asio::io_context context;
    ccloud::client cloud(context.get_executor(), server.settings());
    std::optional<ccloud::error> failure;
    auto body = [](ccloud::client& shared, auto& out) -> asio::awaitable<void> {
        auto listing = iam::ip_groups(shared).list();
        (void)co_await listing.collect();
        auto gone = co_await iam::ip_groups(shared).remove("ipg-1");
        if (!gone)
            out = gone.error();
    };
    asio::co_spawn(context, body(cloud, failure), asio::detached);
    while (server.requests() < 2)
        context.run_for(1ms);
    cloud.close();
    context.restart();
    context.run();
    REQUIRE(failure.has_value());
    CHECK(failure->code() == errc::client_closed);
    CHECK(failure->progress() == progress::maybe_sent);
}

TEST_CASE("an io_context that goes first takes connections, dials and waiting calls along")
{
    simulator server(with_groups(1));
    server.inject(fault::delay(20s));
    auto settings = server.settings();
    settings.pool.max_connections_per_origin = 1;
    for (int const turns : {0, 1, 3, 6, 12, 50})
    {
        auto context = std::make_unique<asio::io_context>();
        auto body = [](ccloud::config how) -> asio::awaitable<void> {
            auto const here = co_await asio::this_coro::executor;
            ccloud::client cloud(here, how);
            auto listing = iam::ip_groups(cloud).list({.prefetch = 1});
            (void)co_await listing.collect();
        };
        for (int i = 0; i < 3; ++i)
            asio::co_spawn(*context, body(settings), asio::detached);
        for (int i = 0; i < turns; ++i)
            context->run_one_for(5ms);
        context.reset();
    }
}

TEST_CASE("on() makes a shard with its own connections for another thread")
{
    simulator server(with_groups(10));
    asio::io_context first;
    asio::io_context second;
    std::atomic<int> good = 0;
    {
        ccloud::client cloud(first.get_executor(), server.settings());
        auto other = cloud.on(second.get_executor());
        auto body = [](ccloud::client shard, std::atomic<int>& count) -> asio::awaitable<void> {
            for (int i = 0; i < 20; ++i)
            {
                auto listing = iam::ip_groups(shard).list();
                auto all = co_await listing.collect();
                count += all.has_value() ? 1 : 0;
            }
        };
        asio::co_spawn(first, body(cloud, good), asio::detached);
        asio::co_spawn(second, body(other, good), asio::detached);
    }
    std::thread runner([&second] { second.run(); });
    first.run();
    runner.join();
    CHECK(good == 40);
    CHECK(server.connections() == 2);
}
