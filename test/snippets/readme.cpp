// Snippets of README.md, run; the others stand in examples/. test/surface/readme.cmake compares the texts.
#include <ccloud/ccloud.hpp>
#include <ccloud/testing/run.hpp>
#include <ccloud/testing/scripted_transport.hpp>
#include <ccloud/testing/simulator.hpp>

#include "client.hpp"
#include "fixture.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_future.hpp>

#include <doctest/doctest.h>

#include <exception>
#include <future>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace asio = boost::asio;
namespace iam = ccloud::iam;
namespace networking = ccloud::networking;
using namespace std::chrono_literals;

using support::fixture;

namespace {

std::string const some_group = fixture("iam/ip_groups/one.json");
std::string const some_pool = fixture("iam/identity_pools/one.json");

asio::awaitable<void> five_verbs(ccloud::client cloud)
{
    iam::ip_groups groups(cloud);
    auto made = co_await groups.create(iam::create_ip_group("CorpNet").cidr_block("10.0.0.0/8"));
    if (!made)
        co_return; // made.error() says why

    auto same = co_await groups.get(made->id);
    auto changed = co_await groups.update(made->id, iam::update_ip_group(*made).cidr_block("192.168.0.0/16"));
    auto gone = co_await groups.remove(made->id, {.timeout = 5s});

    CHECK(same->group_name == "CorpNet");
    CHECK(changed->cidr_blocks.size() == 2);
    CHECK(gone.has_value());
}

asio::awaitable<void> touched_members_only(ccloud::client cloud)
{
    iam::identity_pools pools(cloud, "op-4EY");
    auto pool = co_await pools.update("pool-AzXR", iam::update_identity_pool().description("of the build farm"));

    CHECK(pool.has_value());
}

void report(ccloud::error const& failed)
{
    std::cout << failed.what() << '\n';
}

/** Sets `at_end` after the last item. */
asio::awaitable<void> items_with_responses(iam::ip_groups groups, bool& at_end)
{
    auto all = groups.list();
    for (;;)
    {
        auto item = co_await all.next();
        if (!item.has_value())
            co_return report(item.error());
        auto const& group = *item;
        if (!group)
            break; // the end
        std::cout << group->id << "  " << item.response().request_id() << '\n';
    }

    auto const end = co_await all.next();
    REQUIRE(end.has_value());
    CHECK_FALSE(end->has_value());
    CHECK(end.response().request_id() == "last page");
    at_end = true;
}

asio::awaitable<void> phases(ccloud::client cloud)
{
    networking::private_link_attachment_connections connections(cloud, "env-8gv0v5");
    auto made = co_await connections.create(networking::create_private_link_attachment_connection(
        "prod-eu", networking::aws_private_link_attachment_connection("vpce-0ed4d51f5d6ef9b6d"), "platt-61ovvd"
    ));
    bool const ready = made && made->status.phase == networking::private_link_attachment_connection_phase_words::ready;

    CHECK(made.has_value());
    CHECK_FALSE(ready);
}

asio::awaitable<void> create_and_tell(iam::ip_groups groups, std::vector<std::string>& said)
{
    auto made = co_await groups.create(iam::create_ip_group("CorpNet").cidr_block("10.0.0.0/8"));
    if (!made)
    {
        auto const& error = made.error();
        if (error == ccloud::condition::conflict)
            said.push_back("taken by " + std::string(error.response().location()));
        else if (error.progress() == ccloud::progress::maybe_sent)
            said.push_back("it may exist now: " + error.what());
        else
            said.push_back(error.what());
    }
}

asio::awaitable<void> repeatable(ccloud::client cloud)
{
    auto request = ccloud::http_request(ccloud::method::post, "/org/v2/environments")
                       .body(R"({"display_name": "staging"})")
                       .replayable(true);
    auto answer = co_await cloud.execute(std::move(request));

    CHECK(answer.has_value());
}

asio::awaitable<void> conditions(iam::ip_groups groups, std::string id, bool again)
{
    // One co_await a statement, its outcome named: right on every compiler.
    auto group = co_await groups.get(id);
    if (group)
        id = group->id;

    // A declaration in the condition is fine, too.
    if (auto other = co_await groups.get(id))
        id = other->id;

    // Instead of `again ? co_await groups.get(id) : group`.
    if (again)
        group = co_await groups.get(id);

    // Instead of `co_await groups.get(again ? id : "ipg-none")`.
    auto const chosen = again ? id : "ipg-none";
    auto third = co_await groups.get(chosen);

    // A list is named before it goes into a call.
    std::vector<std::string> const blocks{"10.0.0.0/8", "192.168.0.0/16"};
    auto made = co_await groups.create(iam::create_ip_group("CorpNet").cidr_blocks(blocks));

    CHECK(group.has_value());
    CHECK(third.has_value());
    CHECK(made.has_value());
}

/** For the mock: adds a range to a group. */
class office_network
{
public:
    explicit office_network(ccloud::client cloud) : groups_(std::move(cloud)) {}

    asio::awaitable<void> allow(std::string group_id, std::string block)
    {
        auto group = co_await or_throw(groups_.get(group_id));
        co_await or_throw(groups_.update(group_id, iam::update_ip_group(group).cidr_block(block)));
    }

private:
    iam::ip_groups groups_;
};

} // namespace

TEST_CASE("README: the mock")
{
    ccloud::config settings = support::test_config();
    auto wire = std::make_shared<ccloud::testing::scripted_transport>();
    wire->reply(429).header("Retry-After", "7");
    wire->reply(200, R"({"id": "ipg-1", "group_name": "Office", "cidr_blocks": ["10.1.0.0/16"]})");
    wire->reply(200, R"({"id": "ipg-1", "group_name": "Office"})");

    ccloud::testing::run([&]() -> asio::awaitable<void> {
        ccloud::client cloud(co_await asio::this_coro::executor, settings, wire);
        office_network office(cloud);
        co_await office.allow("ipg-1", "10.2.0.0/16");
    });

    CHECK(wire->waits().front() == 7s); // in no time: the clock is virtual
    CHECK(
        wire->requests().back().request.body() ==
        R"({"group_name":"Office","cidr_blocks":["10.1.0.0/16","10.2.0.0/16"]})"
    );
}

TEST_CASE("README: the five verbs, and a listing, against the simulator")
{
    ccloud::testing::simulator_options options;
    options.seed_groups = 250;
    ccloud::testing::simulator server(options);
    server.inject(ccloud::testing::fault::status(503).on("GET", "/ip-groups"));

    asio::io_context context;
    ccloud::client cloud(context.get_executor(), server.settings());

    std::exception_ptr thrown;
    auto const done = [&](std::exception_ptr failed) {
        thrown = failed;
        cloud.close();
    };
    auto const work = [](ccloud::client to) -> asio::awaitable<void> {
        auto all = co_await or_throw(iam::ip_groups(to).list().collect());
        CHECK(all.size() == 250);
        co_await five_verbs(to);
        co_await phases(to);
    };
    asio::co_spawn(context, work(cloud), done);
    context.run();
    CHECK(thrown == nullptr);
}

TEST_CASE("README: an update sends what was touched")
{
    auto wire = support::script();
    wire->reply(200, some_pool);
    support::with_client(wire, touched_members_only);
    CHECK(wire->requests().back().request.body() == R"({"description":"of the build farm"})");
}

TEST_CASE("README: each item has the response of its page, and the end that of the last page")
{
    auto wire = support::script();
    wire->reply(200, fixture("iam/ip_groups/page_first.json")).header("X-Request-Id", "first page");
    wire->reply(200, fixture("iam/ip_groups/page_last.json")).header("X-Request-Id", "last page");
    bool at_end = false;
    support::with_client(wire, [&at_end](ccloud::client cloud) -> asio::awaitable<void> {
        co_await items_with_responses(iam::ip_groups(cloud), at_end);
    });
    CHECK(at_end);

    auto failing = support::script();
    failing->reply(403);
    at_end = false;
    support::with_client(failing, [&at_end](ccloud::client cloud) -> asio::awaitable<void> {
        co_await items_with_responses(iam::ip_groups(cloud), at_end);
    });
    CHECK_FALSE(at_end);
}

TEST_CASE("README: errors are told apart")
{
    auto wire = support::script();
    wire->reply(409).header("Location", "/iam/v2/ip-groups/ipg-1");
    wire->fail(ccloud::errc::connection_lost, ccloud::progress::maybe_sent);
    wire->reply(403);
    std::vector<std::string> said;
    support::with_client(wire, [&said](ccloud::client cloud) -> asio::awaitable<void> {
        for (int i = 0; i < 3; ++i)
            co_await create_and_tell(iam::ip_groups(cloud), said);
    });
    REQUIRE(said.size() == 3);
    CHECK(said[0] == "taken by /iam/v2/ip-groups/ipg-1");
    CHECK(said[1].starts_with("it may exist now: POST /iam/v2/ip-groups: "));
    CHECK(said[2].starts_with("POST /iam/v2/ip-groups: HTTP 403"));
}

TEST_CASE("README: a request is said to be repeatable")
{
    auto wire = support::script();
    wire->fail(ccloud::errc::connection_lost, ccloud::progress::maybe_sent).reply(201);
    support::with_client(wire, repeatable);
    CHECK(wire->requests().size() == 2);
}

TEST_CASE("README: spellings for GCC 12")
{
    auto wire = support::script();
    for (int i = 0; i < 5; ++i)
        wire->reply(200, some_group);
    support::with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
        co_await conditions(iam::ip_groups(cloud), "ipg-wyorq", true);
    });
}

TEST_CASE("README: futures, callbacks and cancellation")
{
    ccloud::testing::simulator server;
    ccloud::config const settings = server.settings();
    std::string const id = "ipg-none-such";

    asio::io_context context;
    ccloud::client cloud(context.get_executor(), settings);
    iam::ip_groups groups(cloud);

    std::future<ccloud::result<iam::ip_group>> later = asio::co_spawn(context, groups.get(id), asio::use_future);

    asio::cancellation_signal stop;
    std::optional<ccloud::result<iam::ip_group>> outcome;
    asio::co_spawn(
        context, groups.get(id),
        asio::bind_cancellation_slot(
            stop.slot(),
            [&outcome](std::exception_ptr, ccloud::result<iam::ip_group> group) { outcome = std::move(group); }
        )
    );
    asio::post(context, [&stop] { stop.emit(asio::cancellation_type::terminal); });

    std::thread runner([&context] { context.run(); });
    CHECK(later.get().error() == ccloud::condition::not_found);
    cloud.close();
    runner.join();
    REQUIRE(outcome.has_value());
}
