// All four APIs in a few seconds: against the simulator in this process, or, with --live, read-only against the real
// service.
#include <ccloud/ccloud.hpp>
#include <ccloud/testing/simulator.hpp>

#include "tour_report.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace asio = boost::asio;
namespace iam = ccloud::iam;
namespace sso = ccloud::iam::sso;
namespace networking = ccloud::networking;
namespace testing = ccloud::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t seeded_groups = 1'000;
std::string const provider = "op-tour";
std::string const environment = "env-tour";
std::string const attachment = "platt-tour";

/** Of something that may have failed: the id, or none. The calls that need it say so then. */
template <class T>
std::string id_of(ccloud::result<T> const& made)
{
    return made ? made->id : std::string();
}

// The twenty operations

asio::awaitable<void> ip_groups_tour(ccloud::client cloud, tour_report& out)
{
    iam::ip_groups groups(cloud);
    out.collection("IP groups", "/iam/v2/ip-groups");
    auto made = co_await out.row(
        "create", "POST", "...", groups.create(iam::create_ip_group("CorpNet").cidr_block("192.168.0.0/24"))
    );
    auto const id = id_of(made);
    auto got = co_await out.row("get", "GET", ".../" + id, groups.get(id));
    auto some = groups.list();
    auto page = co_await out.row("list", "GET", "...", some.next_page());
    iam::update_ip_group wanted("CorpNet", "192.168.0.0/24", "192.168.7.0/24");
    auto changed = co_await out.row("update", "PATCH", ".../" + id, groups.update(id, wanted));
    auto gone = co_await out.row("remove", "DELETE", ".../" + id, groups.remove(id));
}

asio::awaitable<void> identity_pools_tour(ccloud::client cloud, tour_report& out)
{
    iam::identity_pools pools(cloud, provider);
    out.collection("identity pools", "/iam/v2/identity-providers/" + provider + "/identity-pools");
    iam::create_identity_pool wanted("Builds", "claims.sub", R"(claims.aud=="confluent")");
    auto made = co_await out.row("create", "POST", "...", pools.create(wanted));
    auto const id = id_of(made);
    auto got = co_await out.row("get", "GET", ".../" + id, pools.get(id));
    auto some = pools.list();
    auto page = co_await out.row("list", "GET", "...", some.next_page());
    auto changed = co_await out.row(
        "update", "PATCH", ".../" + id, pools.update(id, iam::update_identity_pool().description("of the build farm"))
    );
    auto gone = co_await out.row("remove", "DELETE", ".../" + id, pools.remove(id));
}

asio::awaitable<void> group_mappings_tour(ccloud::client cloud, tour_report& out)
{
    sso::group_mappings mappings(cloud);
    out.collection("SSO group mappings", "/iam/v2/sso/group-mappings");
    sso::create_group_mapping wanted("Engineers", R"("engineering" in groups)");
    auto made = co_await out.row("create", "POST", "...", mappings.create(wanted));
    auto const id = id_of(made);
    auto got = co_await out.row("get", "GET", ".../" + id, mappings.get(id));
    auto some = mappings.list();
    auto page = co_await out.row("list", "GET", "...", some.next_page());
    auto changed = co_await out.row(
        "update", "PATCH", ".../" + id, mappings.update(id, sso::update_group_mapping().display_name("All engineers"))
    );
    auto gone = co_await out.row("remove", "DELETE", ".../" + id, mappings.remove(id));
}

networking::create_private_link_attachment_connection aws_connection(std::string name)
{
    return networking::create_private_link_attachment_connection(
        std::move(name), networking::aws_private_link_attachment_connection("vpce-0ed4d51f5d6ef9b6d"), attachment
    );
}

asio::awaitable<void> connections_tour(ccloud::client cloud, tour_report& out)
{
    networking::private_link_attachment_connections connections(cloud, environment);
    out.collection("private link attachment connections", "/networking/v1/private-link-attachment-connections");
    auto made = co_await out.row("create", "POST", "...", connections.create(aws_connection("prod-eu")));
    auto const id = id_of(made);
    auto got = co_await out.row("get", "GET", ".../" + id, connections.get(id));
    auto some = connections.list();
    auto page = co_await out.row("list", "GET", "...", some.next_page());
    networking::update_private_link_attachment_connection wanted;
    wanted.display_name("prod-eu-1");
    auto changed = co_await out.row("update", "PATCH", ".../" + id, connections.update(id, wanted));
    auto gone = co_await out.row("remove", "DELETE", ".../" + id, connections.remove(id));
}

// What else there is to see

asio::awaitable<void> listing_tour(ccloud::client cloud, tour_report& out)
{
    out.heading("A listing of 1,000 groups, page by page");
    iam::ip_groups groups(cloud);
    auto pages = groups.list({.page_size = 100, .prefetch = 1});
    std::size_t count = 0;
    int number = 0;
    while (auto page = co_await or_throw(pages.next_page()))
    {
        count += page->items.size();
        auto const total = static_cast<std::size_t>(page->total_size.value_or(0));
        auto const filled = total == 0 ? 0 : count * 40 / total;
        auto const bar = std::string(filled, '#') + std::string(40 - filled, '.');
        out.line(tour_report::text("page %2d  [%s] %5zu of %zu", ++number, bar.c_str(), count, total));
    }
    if (count != seeded_groups)
        throw std::runtime_error("the listing gave " + std::to_string(count) + " groups");
}

/** Prints a dot every 100 ms until told to stop. */
asio::awaitable<void> dots(tour_report& out, std::shared_ptr<bool const> done)
{
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (!*done)
    {
        out.print(".");
        timer.expires_after(100ms);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

asio::awaitable<void> throttled_tour(ccloud::client cloud, testing::simulator& server, tour_report& out)
{
    out.heading("A 429 that is waited out");
    iam::ip_groups groups(cloud);
    server.inject(testing::fault::status(429).header("Retry-After", "1").on("GET", "/ip-groups"));
    out.line("GET /iam/v2/ip-groups, answered by 429 and \"Retry-After: 1\"");
    out.print("  waiting ");
    auto const done = std::make_shared<bool>(false);
    auto const executor = co_await asio::this_coro::executor;
    asio::co_spawn(executor, dots(out, done), asio::detached);

    auto const start = tour_report::clock::now();
    auto some = groups.list({.page_size = 1});
    auto page = co_await some.next_page();
    *done = true;
    auto const took = tour_report::milliseconds_since(start);
    if (!page.has_value())
        throw ccloud::api_exception(page.error());
    out.print(tour_report::text(
        "\n  %d after %d attempts and %.0f ms\n", page.response().status(), page.response().attempts(), took
    ));
}

asio::awaitable<void> error_tour(ccloud::client cloud, tour_report& out)
{
    out.heading("An error, as its user meets it");
    iam::ip_groups groups(cloud);
    auto made = co_await groups.create(iam::create_ip_group("Wrong!").cidr_block("10.0.0.0/8", "10.1.2.3/99"));
    if (made)
        throw std::runtime_error("a group with wrong blocks was created");
    auto const& error = made.error();
    out.line(out.paint("31", error.what()));
    for (auto const& problem : error.problems())
        out.line(tour_report::text("  %-18s %s", problem.pointer.c_str(), problem.detail.c_str()));
    out.line(
        "  invalid_request: " + std::string(error == ccloud::condition::invalid_request ? "yes" : "no") +
        ", progress: " + std::string(to_string(error.progress())) +
        ", attempts: " + std::to_string(error.attempts().size())
    );
}

asio::awaitable<void> print_phase(
    networking::private_link_attachment_connections connections, std::string id, std::string when, tour_report& out
)
{
    auto now = co_await connections.get(id);
    std::string what;
    if (now)
        what = now->status.phase.str();
    else if (now.error() == ccloud::condition::gone)
        what = "gone";
    else
        throw ccloud::api_exception(now.error());
    if (now)
        if (auto const* aws =
                std::get_if<networking::aws_private_link_attachment_connection_status>(&now->status.cloud))
            if (!aws->vpc_endpoint_service_name.empty())
                what += "  " + aws->vpc_endpoint_service_name;
    out.line(tour_report::text("%-18s%s", when.c_str(), what.c_str()));
}

asio::awaitable<void> phases_tour(ccloud::client cloud, testing::simulator& server, tour_report& out)
{
    out.heading("A private link attachment connection, from creation to removal (on the simulator's clock)");
    networking::private_link_attachment_connections connections(cloud, environment);
    auto made = co_await or_throw(connections.create(aws_connection("prod-us")));
    co_await print_phase(connections, made.id, "created", out);
    server.advance(30s);
    co_await print_phase(connections, made.id, "30 s later", out);
    server.advance(30s);
    co_await print_phase(connections, made.id, "60 s later", out);
    co_await or_throw(connections.remove(made.id));
    co_await print_phase(connections, made.id, "removed", out);
    server.advance(60s);
    co_await print_phase(connections, made.id, "60 s later", out);
}

asio::awaitable<void> operations_tour(ccloud::client cloud, tour_report& out)
{
    out.heading("Twenty operations");
    out.table_head();
    co_await ip_groups_tour(cloud, out);
    co_await identity_pools_tour(cloud, out);
    co_await group_mappings_tour(cloud, out);
    co_await connections_tour(cloud, out);
}

asio::awaitable<void> simulator_tour(testing::simulator& server, tour_report& out)
{
    ccloud::client cloud(co_await asio::this_coro::executor, server.settings());
    co_await operations_tour(cloud, out);
    co_await listing_tour(cloud, out);
    co_await throttled_tour(cloud, server, out);
    co_await error_tour(cloud, out);
    co_await phases_tour(cloud, server, out);
}

// The real service: lists and gets, nothing else

template <class Collection>
asio::awaitable<void> read_only(std::string_view name, std::string_view path, Collection items, tour_report& out)
{
    out.collection(name, path);
    auto some = items.list({.page_size = 10});
    auto page = co_await out.row("list", "GET", "...", some.next_page());
    if (!page.has_value() || !*page)
        co_return;
    auto const id = (*page)->items.front().id;
    auto got = co_await out.row("get", "GET", ".../" + id, items.get(id));
}

struct live_options
{
    std::string provider;
    std::string environment;
};

asio::awaitable<void> live_tour(ccloud::config settings, live_options const& wanted, tour_report& out)
{
    ccloud::client cloud(co_await asio::this_coro::executor, std::move(settings));
    out.table_head();
    co_await read_only("IP groups", "/iam/v2/ip-groups", iam::ip_groups(cloud), out);
    co_await read_only("SSO group mappings", "/iam/v2/sso/group-mappings", sso::group_mappings(cloud), out);
    if (wanted.provider.empty())
        out.note("identity pools: skipped; name a provider with --provider op-...");
    else
        co_await read_only(
            "identity pools", "/iam/v2/identity-providers/" + wanted.provider + "/identity-pools",
            iam::identity_pools(cloud, wanted.provider), out
        );
    if (wanted.environment.empty())
        out.note("private link attachment connections: skipped; name an environment with --environment env-...");
    else
        co_await read_only(
            "private link attachment connections", "/networking/v1/private-link-attachment-connections",
            networking::private_link_attachment_connections(cloud, wanted.environment), out
        );
}

// The program

void run(asio::awaitable<void> work)
{
    asio::io_context context(1);
    asio::co_spawn(context, std::move(work), [](std::exception_ptr failed) {
        if (failed)
            std::rethrow_exception(failed);
    });
    context.run();
}

/** Prints the last line; gives the exit code. */
int conclude(char const* what, int operations, tour_report& out, std::string const& failure)
{
    if (!failure.empty())
        out.print("\n" + out.paint("31", failure) + "\n");
    bool const ok = failure.empty() && out.succeeded() == operations;
    out.print(tour_report::text("\n%s: %d of %d operations ok\n", what, out.succeeded(), operations));
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int tour_simulator(tour_report& out)
{
    std::string failure;
    try
    {
        testing::simulator_options options;
        options.seed_groups = seeded_groups;
        options.provisioning = 60s;
        options.deprovisioning = 60s;
        testing::simulator server(options);
        out.print("ccloud tour: the simulator in this process, " + server.endpoint() + "\n");
        auto const* const key = std::getenv("CONFLUENT_CLOUD_API_KEY");
        if (key && *key != '\0')
            out.note("(the API key in the environment is not used; --live uses it, and only reads)");
        run(simulator_tour(server, out));
    }
    catch (std::exception const& failed)
    {
        failure = failed.what();
    }
    return conclude("demo", 20, out, failure);
}

int tour_live(live_options const& wanted, tour_report& out)
{
    std::string failure;
    try
    {
        auto settings = ccloud::config::from_environment();
        out.print("ccloud tour: " + settings.endpoint + "\n");
        out.line("read-only: lists and gets, nothing is created, changed or removed");
        run(live_tour(std::move(settings), wanted, out));
    }
    catch (std::exception const& failed)
    {
        failure = failed.what();
    }
    return conclude("live", out.operations(), out, failure);
}

constexpr char usage[] = "Usage: tour [--live [--provider ID] [--environment ID]]\n"
                         "Without --live: all twenty operations against the simulator.\n"
                         "With it: lists and gets against the real service; needs CONFLUENT_CLOUD_API_KEY and\n"
                         "CONFLUENT_CLOUD_API_SECRET, or CONFLUENT_CLOUD_BEARER_TOKEN.\n";

} // namespace

int main(int count, char** arguments)
{
    bool live = false;
    live_options wanted;
    for (int i = 1; i < count; ++i)
    {
        std::string_view const option = arguments[i];
        bool const has_value = i + 1 < count;
        if (option == "--live")
            live = true;
        else if (option == "--provider" && has_value)
            wanted.provider = arguments[++i];
        else if (option == "--environment" && has_value)
            wanted.environment = arguments[++i];
        else
        {
            std::fputs(usage, option == "--help" ? stdout : stderr);
            return option == "--help" ? EXIT_SUCCESS : 2;
        }
    }
    tour_report out(tour_report::wants_colour());
    return live ? tour_live(wanted, out) : tour_simulator(out);
}
