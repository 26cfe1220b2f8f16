// Shards of one client on one execution context, which go while others stay.
#include <ccloud/ccloud.hpp>

#include "certificates.hpp"
#include "http_server.hpp"
#include "printers.hpp"
#include "tls_server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using ccloud::errc;
using support::authority;
using support::http_server;
using support::tls_server;
namespace asio = boost::asio;

namespace {

/** A client, and the shards that a test makes of it. They move only while the test waits for something. */
class sharded_client
{
public:
    using outcome = ccloud::result<ccloud::http_response>;

    explicit sharded_client(ccloud::config const& settings) { shards.emplace_back(context_.get_executor(), settings); }
    ~sharded_client()
    {
        shards.clear();
        context_.restart();
        context_.run_for(support::patience);
    }
    sharded_client(sharded_client const&) = delete;
    sharded_client& operator=(sharded_client const&) = delete;

    void add_shard() { shards.push_back(shards.front().on(context_.get_executor())); }

    /** Begins a call. */
    std::shared_ptr<std::optional<outcome>> begin(std::size_t shard)
    {
        auto into = std::make_shared<std::optional<outcome>>();
        auto work = shards.at(shard).execute(ccloud::http_request(ccloud::method::get, "/org/v2/environments"));
        asio::co_spawn(context_, std::move(work), [into](std::exception_ptr thrown, outcome got) {
            if (!thrown)
                into->emplace(std::move(got));
        });
        return into;
    }

    /** Makes a call. Ends the test if it does not end in time. */
    outcome get(std::size_t shard)
    {
        auto const got = begin(shard);
        REQUIRE(until([&] { return got->has_value(); }));
        return **got;
    }

    /** Runs the client until `holds` is true; false where patience runs out. */
    bool until(std::function<bool()> const& holds)
    {
        auto const last = std::chrono::steady_clock::now() + support::patience;
        while (!holds())
        {
            if (std::chrono::steady_clock::now() >= last)
                return false;
            context_.restart();
            context_.run_one_for(5ms);
        }
        return true;
    }

    /** Does what can be done without waiting for anything. */
    void poll()
    {
        context_.restart();
        context_.poll();
    }

private:
    asio::io_context context_;

public:
    std::vector<ccloud::client> shards;
};

} // namespace

TEST_CASE("G3: there are as many requests under way together as the shards have connections, also after one shard goes")
{
    constexpr std::size_t each = 2, calls = 10;
    for (std::size_t const gone : {0U, 1U, 2U})
    {
        CAPTURE(gone);
        http_server server;
        auto settings = server.settings();
        settings.pool.max_connections_per_origin = each;
        settings.rate_scope = ccloud::rate_scope::client();
        sharded_client client(settings);
        client.add_shard();
        client.add_shard();
        REQUIRE(client.get(0).has_value()); // the gate exists from now on
        for (std::size_t i = 0; i < gone; ++i)
            client.shards.pop_back();
        client.poll();

        server.hold();
        std::vector<std::shared_ptr<std::optional<sharded_client::outcome>>> begun;
        for (std::size_t i = 0; i < calls; ++i)
            begun.push_back(client.begin(0));
        REQUIRE(client.until([&] { return server.counts().waiting == each; }));
        auto const seen = client.shards[0].metrics();
        CHECK(seen.in_flight == each * (3 - gone));
        CHECK(seen.waiting == calls - each * (3 - gone));
        CHECK(seen.connections.waiting == each * (2 - gone)); // admitted, and without a connection

        server.release();
        for (auto const& call : begun)
        {
            REQUIRE(client.until([&] { return call->has_value(); }));
            CHECK((*call)->has_value());
        }
    }
}

TEST_CASE("pool 10: after the backoff of a permanent refusal a shard dials again, though another one holds every slot")
{
    authority const ca;
    auto options = support::of_version(TLS1_3_VERSION, ca);
    options.tickets = 0; // a resumed session shows no certificate
    tls_server server(options);
    auto settings = server.settings(ca);
    settings.pool.max_connections = settings.pool.max_connections_per_origin = 1;
    sharded_client client(settings);
    client.add_shard();
    REQUIRE(client.get(0).has_value());
    CHECK(client.shards[0].metrics().connections.idle == 1); // it has the only slot

    server.show(ca.issue(support::subject::named("other.example.test")));
    for (std::size_t dials = 1; dials <= 3; ++dials)
        REQUIRE(client.until([&] { // until its backoff is over, a refusal is told to each call at once
            auto const refused = client.get(1);
            REQUIRE(!refused.has_value());
            CHECK(refused.error() == errc::certificate_wrong_host);
            return server.counts().accepted > dials;
        }));
    server.show(options.shown);
    CHECK(client.until([&] { return client.get(1).has_value(); }));
    CHECK(client.get(0).has_value());
    CHECK(server.counts().accepted == 5);
}
