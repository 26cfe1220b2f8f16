#include <ccloud/ccloud.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "certificates.hpp"
#include "http_server.hpp"
#include "rounds.hpp"
#include "tls_server.hpp"

#include <boost/asio/post.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace iam = ccloud::iam;

namespace {

constexpr char group[] = R"({"id":"ipg-1","group_name":"CorpNet","cidr_blocks":["192.168.0.0/24"]})";

/** A group, or the first, second or third page of a listing. */
std::string answer(std::string_view target)
{
    if (target.find("page_size") == std::string_view::npos)
        return support::response(200, group);
    std::string page = R"({"metadata":{)";
    if (target.find("page_token=b") == std::string_view::npos)
        page += std::string(R"("next":"https://x.test/iam/v2/ip-groups?page_token=)") +
                (target.find("page_token=a") == std::string_view::npos ? "a" : "b") + "\"";
    page += std::string(R"(},"data":[)") + group + "," + group + "]}";
    return support::response(200, page);
}

ccloud::config quick(ccloud::config settings)
{
    settings.retry = ccloud::retry_policy::none();
    settings.total_timeout = 2s;
    settings.pool.connect_timeout = 300ms;
    return settings;
}

/** Rounds with a server. */
template <class Server>
round_of with_server(std::shared_ptr<Server> server, round_plan plan, script what)
{
    return [server = std::move(server), plan = std::move(plan), what = std::move(what)](heap::failures const& which) {
        world on;
        return play(on, plan, what, which);
    };
}

make_round over_http(place where, script what, std::function<void(round_plan&)> adjust = {})
{
    return [=]() -> round_of {
        auto const server = std::make_shared<support::http_server>(answer);
        round_plan plan;
        plan.settings = quick(server->settings());
        plan.where = where;
        if (adjust)
            adjust(plan);
        return with_server(server, plan, what);
    };
}

support::authority const& ca()
{
    static support::authority const only;
    return only;
}

make_round over_tls(int version, place where, script what, std::function<void(round_plan&)> adjust = {})
{
    return [=]() -> round_of {
        auto const server = std::make_shared<support::tls_server>(support::of_version(version, ca()));
        round_plan plan;
        plan.settings = quick(server->settings(ca()));
        plan.where = where;
        plan.recovers_within =
            500ms; // OpenSSL may report a lack of memory as a bad certificate, which counts until the dial pause ends
        if (adjust)
            adjust(plan);
        return with_server(server, plan, what);
    };
}

template <class Make>
script one(Make what)
{
    return [what](subject& all) {
        auto& call = all.on.begin(all.home, [what, cloud = *all.cloud] { return what(cloud); });
        call.last = true;
        all.on.until([&] { return call.over(); }, 3s);
    };
}

ccloud::operation<iam::ip_group> get(ccloud::client const& cloud)
{
    return iam::ip_groups(cloud).get("ipg-1");
}

ccloud::operation<iam::ip_group> create(ccloud::client const& cloud)
{
    return iam::ip_groups(cloud).create(iam::create_ip_group("CorpNet").cidr_block("192.168.0.0/24"));
}

ccloud::operation<iam::ip_group> update(ccloud::client const& cloud)
{
    return iam::ip_groups(cloud).update("ipg-1", iam::update_ip_group("CorpNet", "192.168.0.0/24"));
}

ccloud::operation<ccloud::removed> erase(ccloud::client const& cloud)
{
    return iam::ip_groups(cloud).remove("ipg-1");
}

ccloud::operation<std::vector<iam::ip_group>> list(ccloud::client const& cloud)
{
    ccloud::list_options options;
    options.prefetch = 1;
    return iam::ip_groups(cloud).list(options).collect();
}

ccloud::operation<ccloud::http_response> upload(ccloud::client const& cloud)
{
    ccloud::http_request request(ccloud::method::post, "/iam/v2/ip-groups");
    request.body(std::string(100'000, ' '));
    return cloud.execute(std::move(request));
}

/** More concurrent calls than connections. */
void crowd(subject& all)
{
    for (int i = 0; i < 6; ++i)
        all.on.begin(all.home, [cloud = *all.cloud] { return get(cloud); });
    all.on.until([&] { return all.on.all_over(); }, 3s);
}

void few_connections(round_plan& plan)
{
    auto& settings = plan.settings;
    settings.pool.max_connections_per_origin = 2;
    settings.pool.max_concurrent_dials = 1;
}

script interrupted(int turns, std::function<void(subject&)> how)
{
    return [=](subject& all) {
        for (int i = 0; i < 4; ++i)
            all.on.begin(all.home, [cloud = *all.cloud] { return get(cloud); });
        all.on.poll(turns);
        how(all);
        all.on.until([&] { return all.on.all_over(); }, 3s);
    };
}

void cancel_all(subject& all)
{
    for (auto& each : all.on.acts)
    {
        // By a post, because Boost 1.83 throws if a coroutine is cancelled before it begins.
        heap::pause const no_failures;
        asio::post(all.home, [&each] { each.signal.emit(asio::cancellation_type::terminal); });
    }
}

void end(subject& all)
{
    all.cloud->close();
}

void drain(subject& all)
{
    all.on.begin(all.home, [cloud = *all.cloud] { return cloud.close(500ms); });
}

void maintain(subject& all)
{
    auto& cloud = *all.cloud;
    cloud.warm_up(2);
    all.on.until([&] { return cloud.metrics().connections.dialing == 0; }, 1s);
    for (int i = 0; i < 8; ++i)
        all.on.step();
    cloud.poison(1);
    cloud.close_idle();
    cloud.network_changed();
    cloud.warm_up(2);
    all.on.poll();
    cloud.with_header("X-Test", "value");
    all.on.until([&] { return cloud.metrics().connections.dialing == 0; }, 1s);
    cloud.reload_tls(all.settings.tls);
    all.on.poll();
    all.on.begin(all.home, [cloud] { return get(cloud); });
    all.on.until([&] { return all.on.all_over(); }, 3s);
}

void construct(subject& all)
{
    all.cloud.emplace(all.on.context.get_executor(), all.settings);
    auto copy = *all.cloud;
    all.on.begin(all.home, [copy] { return get(copy); });
    all.on.until([&] { return all.on.all_over(); }, 3s);
}

/** A shard on the other context. */
void shard(subject& all)
{
    auto second = all.cloud->on(all.on.other.get_executor());
    all.on.begin(all.home, [cloud = *all.cloud] { return get(cloud); });
    all.on.begin(all.on.other.get_executor(), [second] { return get(second); });
    all.on.begin(all.on.other.get_executor(), [second] { return list(second); });
    all.on.until([&] { return all.on.all_over(); }, 3s);
}

void without_client(round_plan& plan)
{
    plan.begins_without = true;
    plan.may_be_crippled = true;
}

constexpr std::pair<char const*, place> places[] = {
    {"serial", place::serial}, {"strand", place::strand}, {"elsewhere", place::elsewhere}};

} // namespace

TEST_CASE(
    "memory: wherever an allocation of a call fails, it ends by a typed error or std::bad_alloc, and the next one "
    "works" *
    doctest::skip(under_tsan)
)
{
    for (auto const& [name, where] : places)
    {
        auto const sub = std::string(name) + ", ";
        SUBCASE(name)
        {
            check(sub + "get", over_http(where, one(get)));
            check(sub + "create", over_http(where, one(create)));
            check(sub + "update", over_http(where, one(update)));
            check(sub + "remove", over_http(where, one(erase)));
            check(sub + "list", over_http(where, one(list)));
            check(sub + "upload", over_http(where, one(upload)));
            check(sub + "crowd", over_http(where, crowd, few_connections));
        }
    }
}

TEST_CASE("memory: the same while calls are cancelled, closed and drained" * doctest::skip(under_tsan))
{
    for (auto const& [name, where] : places)
    {
        auto const sub = std::string(name) + ", ";
        SUBCASE(name)
        {
            for (int const turns : {2, 9, 30})
            {
                check(sub + "cancel", over_http(where, interrupted(turns, cancel_all), few_connections));
                check(sub + "close", over_http(where, interrupted(turns, end), few_connections));
                check(sub + "drain", over_http(where, interrupted(turns, drain), few_connections));
            }
        }
    }
}

TEST_CASE(
    "memory: the same while a client is made, shared with another shard, and closes or poisons its connections" *
    doctest::skip(under_tsan)
)
{
    for (auto const& [name, where] : places)
    {
        auto const sub = std::string(name) + ", ";
        SUBCASE(name)
        {
            check(sub + "maintain", over_http(where, maintain));
            check(sub + "shard", over_http(where, shard));
            check(sub + "construct", over_http(where, construct, without_client));
        }
    }
}

namespace {

/** Counts what the client asks of it. */
struct asked_transport final : ccloud::testing::scripted_transport
{
    void close_idle() noexcept override { ++idle_closed; }
    void network_changed() noexcept override { ++network_changes; }
    void close() noexcept override
    {
        ++closed;
        scripted_transport::close();
    }

    int idle_closed = 0;
    int network_changes = 0;
    int closed = 0;
};

} // namespace

TEST_CASE("memory: close_idle(), network_changed() and close() are carried out even if there is no memory to post them")
{
    asio::io_context context(1);
    auto const wire = std::make_shared<asked_transport>();
    ccloud::config settings;
    settings.endpoint = "https://api.example.test";
    settings.credentials = ccloud::bearer_token("token");
    ccloud::client cloud(context.get_executor(), settings, wire);
    auto const without_memory = [&](auto ask) {
        heap::arm({1, 1'000'000, heap::by_all});
        ask();
        auto const failed = heap::failed();
        heap::disarm();
        CHECK(failed > 0);
        context.restart();
        context.poll();
    };
    without_memory([&] { cloud.close_idle(); });
    CHECK(wire->idle_closed == 1);
    CHECK(wire->network_changes == 0);
    without_memory([&] { cloud.network_changed(); });
    CHECK(wire->idle_closed == 1);
    CHECK(wire->network_changes == 1);
    without_memory([&] { cloud.close(); });
    CHECK(wire->closed == 1);
    without_memory([&] {
        cloud.close_idle();
        cloud.network_changed();
    });
    CHECK(wire->idle_closed == 1);
    CHECK(wire->network_changes == 1);
}

TEST_CASE("memory: the same over TLS" * doctest::skip(under_tsan))
{
    sweep_options ours;
    ours.of = heap::by_new | heap::by_asio;
    for (auto const& [name, where] : places)
    {
        auto const sub = std::string(name) + ", ";
        SUBCASE(name)
        {
            for (int const version : support::tls_versions)
            {
                check(sub + "get", over_tls(version, where, one(get)), ours);
                check(sub + "list", over_tls(version, where, one(list)), ours);
                check(sub + "maintain", over_tls(version, where, maintain), ours);
            }
            check(sub + "construct", over_tls(TLS1_3_VERSION, where, construct, without_client), ours);
        }
    }
}

TEST_CASE(
    "memory: a failed allocation in OpenSSL fails a handshake, and soon the next handshake succeeds" *
    doctest::skip(under_tsan)
)
{
    sweep_options options;
    options.of = heap::by_openssl;
    options.step = 41;
    for (int const version : support::tls_versions)
    {
        check("get", over_tls(version, place::serial, one(get)), options);
        check("construct", over_tls(version, place::serial, construct, without_client), options);
    }
}
