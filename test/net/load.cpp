#include <ccloud/ccloud.hpp>
#include <ccloud/testing/simulator.hpp>

#include "caller.hpp"
#include "certificates.hpp"
#include "descriptors.hpp"
#include "http_server.hpp"
#include "net/shared_network.hpp"
#include "printers.hpp"
#include "tls_server.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <doctest/doctest.h>
#include <malloc.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using ccloud::close_reason;
using ccloud::drained;
using ccloud::errc;
using ccloud::progress;
using ccloud::testing::fault;
using ccloud::testing::simulator;
using support::begun_call;
using support::caller;
using support::http_server;
using support::http_server_counts;
using support::open_descriptors;
using support::response;
using support::tls_server_counts;
namespace asio = boost::asio;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t scale = 10;
#else
constexpr std::size_t scale = 1;
#endif

support::authority const& ca()
{
    static support::authority const only;
    return only;
}

std::unique_ptr<support::tls_server> with_tls()
{
    support::tls_server_options options;
    options.shown = ca().issue(support::subject::local());
    return std::make_unique<support::tls_server>(options);
}

/** Takes down in which order calls end. */
class finish_order
{
public:
    explicit finish_order(std::size_t calls) : over_(calls, false) {}

    void end(std::size_t call)
    {
        auto earlier = first_open_;
        for (auto i = first_open_; i < call; ++i)
            earlier += over_[i] ? 1U : 0U;
        most_ = std::max(most_, ended_++ - earlier);
        over_[call] = true;
        while (first_open_ < over_.size() && over_[first_open_])
            ++first_open_;
    }

    /** The largest number of calls that began after another one and ended before it. */
    std::size_t most_overtaken() const noexcept { return most_; }

private:
    std::vector<bool> over_;
    std::size_t first_open_ = 0; ///< all before it are over
    std::size_t ended_ = 0;
    std::size_t most_ = 0;
};

struct storm_end
{
    std::size_t succeeded = 0;
    std::size_t cancelled_unsent = 0;
    std::size_t cancelled_sent = 0;
    std::size_t otherwise = 0;
};

/** So many calls, a few hundred at a time, a part of them cancelled at moments that the dice choose, as are those when
    the server is let answer. */
storm_end storm(caller& client, std::size_t calls, std::uint32_t seed, std::function<void()> const& let_answer)
{
    constexpr std::size_t most_running = 300;
    constexpr std::size_t on_wire = 16; // the oldest ones, about
    using kind = asio::cancellation_type;
    constexpr kind kinds[] = {kind::terminal, kind::terminal, kind::terminal, kind::terminal,
                              kind::partial,  kind::total,    kind::all};
    std::mt19937 dice(seed);
    auto const last = std::chrono::steady_clock::now() + 60s;
    std::vector<begun_call*> running;
    while (client.over() < calls)
    {
        REQUIRE(std::chrono::steady_clock::now() < last);
        while (client.calls.size() < calls && client.calls.size() - client.over() < most_running && dice() % 4 > 0)
            running.push_back(&client.begin("/scope/" + std::to_string(dice() % 8)));
        client.context.restart();
        if (client.context.poll_one() == 0)
            client.context.run_one_for(1ms);
        if (dice() % 4 == 0)
            let_answer();
        if (dice() % 8 > 0)
            continue;
        std::erase_if(running, [](begun_call const* call) { return call->over(); });
        auto const candidates = dice() % 2 == 0 ? running.size() : std::min(running.size(), on_wire);
        if (candidates == 0)
            continue;
        // By a post, because Boost 1.83 throws if a coroutine is cancelled before it begins.
        auto* const call = running[dice() % candidates];
        asio::post(client.context, [call, kind = kinds[dice() % std::size(kinds)]] { call->signal.emit(kind); });
    }
    storm_end end;
    for (auto const& call : client.calls)
    {
        CHECK(call.ends == 1);
        if (call.good())
            ++end.succeeded;
        else if (call.error().code() != errc::cancelled)
            ++end.otherwise;
        else
            ++(call.error().progress() == progress::not_sent ? end.cancelled_unsent : end.cancelled_sent);
    }
    return end;
}

/** That nothing is left of a storm. */
void check_calm(caller& client)
{
    auto const now = client.cloud->metrics();
    CHECK(now.waiting == 0);
    CHECK(now.in_flight == 0);
    CHECK(now.calls == client.calls.size());
    CHECK(now.succeeded + now.failed == now.calls);
    CHECK(now.connections.active == 0);
    CHECK(now.connections.waiting == 0);
    CHECK(now.connections.dialing + now.connections.idle == client.network->slots().used());
    CHECK(client.get() == "");
    REQUIRE(client.until([&] { return client.connections().dialing == 0; }));
    CHECK(client.connections().idle == client.network->slots().used());
    client.cloud->close();
    CHECK(client.runs_out());
    CHECK(client.network->slots().used() == 0);
}

using outcome_counts = std::map<std::string, std::size_t>;
constexpr auto refused = "the client is closed, not sent";
constexpr auto cut_off = "the client is closed, maybe sent";
constexpr auto answered = "answered";
constexpr auto none_yet = "none yet";

std::string text(outcome_counts const& seen)
{
    std::string lines;
    for (auto const& [how, count] : seen)
        lines += std::to_string(count) + ' ' + how + '\n';
    return lines;
}

/** How calls ended that the end of their client met. */
std::string outcomes(caller const& client)
{
    outcome_counts seen;
    for (auto const& call : client.calls)
        if (!call.over())
            ++seen[none_yet];
        else if (call.good())
            ++seen[answered];
        else
            ++seen
                [make_error_code(call.error().code()).message() + ", " +
                 std::string(to_string(call.error().progress()))];
    return text(seen);
}

/** Nothing can be called any more: it is said at once, and nothing is sent. */
void check_closed(caller& client)
{
    auto const& late = client.begin();
    client.poll();
    REQUIRE(late.over());
    REQUIRE(!late.good());
    CHECK(late.error().code() == errc::client_closed);
    CHECK(late.error().progress() == progress::not_sent);
}

/** A drain under way, or over. */
struct begun_drain
{
    asio::cancellation_signal signal;
    std::optional<ccloud::result<drained>> how;
};

void drain(caller& client, std::chrono::milliseconds patience, begun_drain& into)
{
    asio::co_spawn(
        client.context, client.cloud->close(patience),
        asio::bind_cancellation_slot(
            into.signal.slot(),
            [&into](std::exception_ptr thrown, ccloud::result<drained> got) {
                if (thrown)
                    std::rethrow_exception(thrown);
                into.how = std::move(got);
            }
        )
    );
}

/** Makes the client have so many idle connections. */
void fill(caller& client, http_server& server, std::size_t connections)
{
    server.hold();
    for (std::size_t i = 0; i < connections; ++i)
        client.begin();
    REQUIRE(client.until([&] { return server.counts().waiting == connections; }));
    server.release();
    REQUIRE(client.until([&] { return client.all_over(); }));
    REQUIRE(client.connections().idle == connections);
}

} // namespace

TEST_CASE("pool 8: ten thousand calls over sixteen connections are answered in the order they came, and none is lost")
{
    constexpr std::size_t count = 10'000 / scale;
    constexpr std::size_t first = 8; // so many the gate lets through before it knows the server
    constexpr std::size_t connections = 16;
    http_server server;
    server.hold();
    finish_order order(count);
    caller client(server.settings());
    for (std::size_t i = 0; i < count; ++i)
        client.begin("/org/v2/environments", {}, [&order, i] { order.end(i); });
    REQUIRE(client.until([&] { return server.counts().waiting == first; }));
    CHECK(client.cloud->metrics().waiting == count - first);
    CHECK(client.cloud->metrics().in_flight == first);
    server.release(first);
    REQUIRE(client.until([&] { return server.counts().waiting == connections; }));
    server.release();
    REQUIRE(client.until([&] { return client.cloud->metrics().succeeded == count; }));
    REQUIRE(client.until([&] { return client.all_over(); }));
    CHECK(order.most_overtaken() <= connections);
    CHECK(server.counts().requests == count);
    CHECK(server.counts().accepted == connections);
    CHECK(server.counts().most_waiting == connections);
    for (auto const& call : client.calls)
    {
        CHECK(call.ends == 1);
        CHECK(call.good());
    }
    MESSAGE("largest overtaking: " << order.most_overtaken());
}

TEST_CASE("pool 21: after a storm of ten thousand calls, cancelled at random, nothing is held and the next call works")
{
    http_server server([](std::string_view target) {
        return response(200, "{}", target.back() == '7' ? "Connection: close\r\n" : "");
    });
    auto settings = server.settings();
    settings.rate_scope = support::scope_for_each_target();
    caller client(settings);
    server.hold();
    auto const end = storm(client, 10'000 / scale, 20'250'701, [&] { server.release(2); });
    server.release();
    MESSAGE(
        end.succeeded << " succeeded, " << end.cancelled_unsent << " were cancelled before and " << end.cancelled_sent
                      << " after they were sent; connections made: " << server.counts().accepted
    );
    CHECK(end.succeeded > 2'000 / scale);
    CHECK(end.cancelled_unsent > 1'000 / scale);
    CHECK(end.cancelled_sent > 100 / scale);
    CHECK(end.otherwise == 0);
    CHECK(client.connections().wait_cancelled > 0);
    check_calm(client);
    CHECK(server.sees([](http_server_counts const& now) { return now.open == 0; }));
    CHECK(server.counts().most_open <= 16);
}

TEST_CASE("pool 21: the same over TLS, where dials take longer")
{
    auto server = with_tls();
    auto settings = server->settings(ca());
    settings.rate_scope = support::scope_for_each_target();
    caller client(settings);
    auto const end = storm(client, 2'000 / scale, 7, [] {});
    CHECK(end.succeeded > 0);
    CHECK(end.cancelled_unsent > 0);
    CHECK(end.cancelled_sent > 0);
    CHECK(end.otherwise == 0);
    check_calm(client);
    CHECK(server->sees([](tls_server_counts const& now) { return now.open == 0; }));
}

TEST_CASE("pool 21: a call that leaves the line for a connection is not counted there any more")
{
    http_server server;
    auto settings = server.settings();
    settings.pool.max_connections_per_origin = 1;
    settings.rate_scope = support::scope_for_each_target();
    caller client(settings);
    server.hold();
    client.begin();
    REQUIRE(client.until([&] { return server.counts().waiting == 1; }));
    SUBCASE("cancelled")
    {
        auto& call = client.begin("/another/scope");
        client.poll();
        REQUIRE(client.connections().waiting == 1);
        call.signal.emit(asio::cancellation_type::partial);
        client.poll();
        REQUIRE(call.over());
        CHECK(call.error().code() == errc::cancelled);
        CHECK(client.connections().wait_cancelled == 1);
    }
    SUBCASE("expired")
    {
        auto const& call = client.begin("/another/scope", {.timeout = 20ms});
        client.poll();
        REQUIRE(client.connections().waiting == 1);
        REQUIRE(client.until([&] { return call.over(); }));
        CHECK(call.error().code() == errc::deadline_exceeded);
        CHECK(client.connections().wait_expired == 1);
    }
    CHECK(client.connections().waiting == 0);
    CHECK(client.connections().active == 1);
    server.release();
    REQUIRE(client.until([&] { return client.all_over(); }));
    CHECK(server.counts().requests == 1);
}

TEST_CASE("pool 23: close() during a thousand calls ends each with a typed error, and leaves no socket open")
{
    constexpr std::size_t count = 1'000;
    constexpr std::size_t connections = 16;
    auto server = with_tls();
    auto const sockets = open_descriptors("socket:");
    auto settings = server->settings(ca());
    settings.rate_scope = support::scope_for_each_target();
    caller client(settings);
    server->hold(count);
    for (std::size_t i = 0; i < count; ++i)
        client.begin("/scope/" + std::to_string(i % 3));
    REQUIRE(client.until([&] { return server->counts().requests == connections; }));
    CHECK(client.over() == 0);
    client.cloud->close();
    CHECK(client.runs_out());
    CHECK(outcomes(client) == text({{refused, count - connections}, {cut_off, connections}}));
    for (auto const& call : client.calls)
        CHECK(call.ends == 1);
    CHECK(client.network->slots().used() == 0);
    CHECK(client.connections().active == 0);
    CHECK(client.connections().waiting == 0);
    client.cloud->close();
    check_closed(client);
    CHECK(server->sees([](tls_server_counts const& now) { return now.open == 0; }));
    CHECK(open_descriptors("socket:") == sockets);
}

TEST_CASE("pool 23: a drain ends at once the calls that wait in line, and lets those on the wire finish")
{
    http_server server;
    auto const sockets = open_descriptors("socket:");
    auto settings = server.settings();
    settings.pool.max_connections_per_origin = 4;
    caller client(settings);
    server.hold();
    client.begin_all(1'000);
    REQUIRE(client.until([&] { return server.counts().waiting == 4; }));
    begun_drain draining;
    drain(client, 60s, draining);
    client.poll();
    CHECK(outcomes(client) == text({{refused, 996}, {none_yet, 4}}));
    CHECK(!draining.how);
    CHECK(client.connections().active == 4);
    check_closed(client);
    server.release();
    REQUIRE(client.until([&] { return draining.how.has_value(); }));
    REQUIRE(draining.how->has_value());
    CHECK((*draining.how)->finished == 4);
    CHECK((*draining.how)->cut == 0);
    CHECK(outcomes(client) == text({{refused, 997}, {answered, 4}}));
    check_closed(client);
    CHECK(client.runs_out());
    CHECK(server.sees([](http_server_counts const& now) { return now.open == 0; }));
    CHECK(server.counts().requests == 4);
    CHECK(open_descriptors("socket:") == sockets);
}

TEST_CASE("pool 23: a drain ends at once the calls that wait for a connection, too")
{
    http_server server;
    auto settings = server.settings();
    settings.pool.max_connections_per_origin = 4;
    settings.rate_scope = support::scope_for_each_target();
    caller client(settings);
    server.hold();
    for (std::size_t i = 0; i < 12; ++i)
        client.begin("/scope/" + std::to_string(i % 3));
    REQUIRE(client.until([&] { return server.counts().waiting == 4; }));
    REQUIRE(client.connections().waiting == 8);
    begun_drain draining;
    drain(client, 60s, draining);
    client.poll();
    CHECK(outcomes(client) == text({{refused, 8}, {none_yet, 4}}));
    CHECK(client.connections().waiting == 0);
    server.release();
    REQUIRE(client.until([&] { return draining.how.has_value(); }));
    CHECK((*draining.how)->finished == 4);
    CHECK((*draining.how)->cut == 0);
    CHECK(server.counts().requests == 4);
}

TEST_CASE("pool 23: close() of a transport alone ends the calls that wait for a connection, and those on the wire")
{
    http_server server;
    auto settings = server.settings();
    settings.pool.max_connections_per_origin = 1;
    settings.rate_scope = support::scope_for_each_target();
    caller client(settings);
    server.hold();
    client.begin("/sent");
    REQUIRE(client.until([&] { return server.counts().waiting == 1; }));
    client.begin("/queued");
    client.poll();
    REQUIRE(client.connections().waiting == 1);
    client.wire->close();
    client.poll();
    REQUIRE(client.all_over());
    for (auto const& call : client.calls)
        CHECK(call.error() == errc::client_closed);
    CHECK(client.calls.front().error().progress() == progress::maybe_sent);
    CHECK(client.calls.back().error().progress() == progress::not_sent);
    CHECK(client.connections().waiting == 0);
    CHECK(client.connections().active == 0);
    server.release();
}

TEST_CASE("pool 23: a drain cuts the calls that are not back in time, and counts them")
{
    http_server server;
    auto const sockets = open_descriptors("socket:");
    auto settings = server.settings();
    settings.pool.max_connections_per_origin = 8;
    caller client(settings);
    server.hold();
    client.begin_all(1'000);
    REQUIRE(client.until([&] { return server.counts().waiting == 8; }));
    begun_drain draining;
    std::size_t finished = 0;
    SUBCASE("some were")
    {
        finished = 3;
        drain(client, 2s, draining);
        server.release(finished);
    }
    SUBCASE("none was")
    {
        drain(client, 1ms, draining);
    }
    SUBCASE("there is no time")
    {
        drain(client, 0ms, draining);
        client.poll();
        CHECK(draining.how.has_value());
    }
    SUBCASE("there is less than none")
    {
        drain(client, -1h, draining);
        client.poll();
        CHECK(draining.how.has_value());
    }
    REQUIRE(client.until([&] { return draining.how.has_value(); }));
    CHECK((*draining.how)->finished == finished);
    CHECK((*draining.how)->cut == 8 - finished);
    outcome_counts expected{{refused, 992}, {cut_off, 8 - finished}};
    if (finished > 0)
        expected[answered] = finished;
    CHECK(outcomes(client) == text(expected));
    check_closed(client);
    CHECK(client.runs_out());
    CHECK(server.sees([](http_server_counts const& now) { return now.open == 0; }));
    CHECK(open_descriptors("socket:") == sockets);
}

TEST_CASE("pool 23: a drain closes idle connections of TLS with a goodbye")
{
    auto server = with_tls();
    caller client(server->settings(ca()));
    server->hold(3);
    client.begin_all(3);
    REQUIRE(client.until([&] { return client.all_over(); }));
    REQUIRE(client.connections().idle == 3);
    begun_drain draining;
    drain(client, 10s, draining);
    client.poll();
    REQUIRE(draining.how.has_value());
    CHECK((*draining.how)->finished == 0);
    CHECK((*draining.how)->cut == 0);
    CHECK(server->sees([](tls_server_counts const& now) { return now.goodbyes == 3 && now.open == 0; }));
    CHECK(client.connections().closed_for(close_reason::shut_down) == 3);
}

TEST_CASE("pool 23: a drain may be awaited by many at once, again, after close(), and before any call")
{
    http_server server;
    caller client(server.settings());
    SUBCASE("many at once")
    {
        server.hold();
        client.begin_all(2);
        REQUIRE(client.until([&] { return server.counts().waiting == 2; }));
        begun_drain one;
        begun_drain two;
        begun_drain impatient;
        drain(client, 60s, one);
        drain(client, 30s, two);
        client.poll();
        CHECK(!one.how);
        CHECK(!two.how);
        SUBCASE("who all wait to the end")
        {
            server.release();
            REQUIRE(client.until([&] { return one.how && two.how; }));
            for (auto const* each : {&one, &two})
            {
                CHECK((*each->how)->finished == 2);
                CHECK((*each->how)->cut == 0);
            }
            CHECK(outcomes(client) == text({{answered, 2}}));
        }
        SUBCASE("one of whom has less patience: it ends the calls for all")
        {
            drain(client, 1ms, impatient);
            REQUIRE(client.until([&] { return one.how && two.how && impatient.how; }));
            CHECK((*impatient.how)->finished == 0);
            CHECK((*impatient.how)->cut == 2);
            CHECK(outcomes(client) == text({{cut_off, 2}}));
            for (auto const* each : {&one, &two})
                CHECK((*each->how)->finished + (*each->how)->cut == 2);
        }
        SUBCASE("while another closes: it ends them, too")
        {
            client.cloud->close();
            REQUIRE(client.until([&] { return one.how && two.how; }));
            CHECK(outcomes(client) == text({{cut_off, 2}}));
        }
    }
    SUBCASE("before any call")
    {
        begun_drain first;
        drain(client, 10s, first);
        client.poll();
        REQUIRE(first.how.has_value());
        CHECK((*first.how)->finished + (*first.how)->cut == 0);
    }
    SUBCASE("after a call")
    {
        CHECK(client.get() == "");
    }
    SUBCASE("after close()")
    {
        CHECK(client.get() == "");
        client.cloud->close();
    }
    begun_drain last;
    drain(client, 10s, last);
    client.poll();
    REQUIRE(last.how.has_value());
    REQUIRE(last.how->has_value());
    CHECK((*last.how)->finished + (*last.how)->cut == 0);
    check_closed(client);
    CHECK(client.runs_out());
    CHECK(server.sees([](http_server_counts const& now) { return now.open == 0; }));
}

TEST_CASE("pool 23: who no longer waits for a drain closes the client at once")
{
    http_server server;
    caller client(server.settings());
    server.hold();
    client.begin_all(20);
    REQUIRE(client.until([&] { return server.counts().waiting == 8; }));
    begun_drain draining;
    drain(client, 60s, draining);
    client.poll();
    CHECK(client.over() == 12);
    draining.signal.emit(asio::cancellation_type::terminal);
    client.poll();
    CHECK(outcomes(client) == text({{refused, 12}, {cut_off, 8}}));
    REQUIRE(draining.how.has_value());
    REQUIRE(draining.how->has_value());
    CHECK((*draining.how)->cut == 8);
    CHECK(client.runs_out());
    CHECK(server.sees([](http_server_counts const& now) { return now.open == 0; }));
}

TEST_CASE("pool 23: a drain may be awaited on another thread, and a call be made there meanwhile")
{
    http_server server;
    server.hold();
    auto settings = server.settings();
    settings.threading = ccloud::threading::safe;
    asio::io_context context;
    auto const sockets = open_descriptors("socket:");
    std::optional<ccloud::client> cloud(std::in_place, context.get_executor(), settings);
    auto const request = [] { return ccloud::http_request(ccloud::method::get, "/org/v2/environments"); };
    auto on_wire = asio::co_spawn(context, cloud->execute(request()), asio::use_future);
    std::thread runner([&context] { context.run(); });
    CHECK(server.sees([](http_server_counts const& now) { return now.waiting == 1; }));

    asio::io_context elsewhere;
    auto end = asio::co_spawn(elsewhere, cloud->close(60s), asio::use_future);
    elsewhere.poll();
    elsewhere.restart();
    auto late = asio::co_spawn(elsewhere, cloud->execute(request()), asio::use_future);
    std::thread other([&elsewhere] { elsewhere.run(); });
    auto const refusal = late.get();
    REQUIRE(!refusal.has_value());
    CHECK(refusal.error().code() == errc::client_closed);
    CHECK(end.wait_for(0s) == std::future_status::timeout);
    server.release();
    auto const how = end.get();
    REQUIRE(how.has_value());
    CHECK(how->finished == 1);
    CHECK(how->cut == 0);
    CHECK(on_wire.get().has_value());
    other.join();
    runner.join();
    CHECK(server.sees([](http_server_counts const& now) { return now.open == 0; }));
    CHECK(open_descriptors("socket:") == sockets);
}

namespace {

/** Two shards on two threads, many calls at a time on each. */
class two_shards
{
public:
    explicit two_shards(ccloud::config settings) : cloud_(contexts_[0].get_executor(), std::move(settings)) {}

    /** Makes the calls, to their end; closes both then. Gives what both have counted. */
    std::array<ccloud::metrics, 2> run(std::size_t calls_of_each, std::size_t at_a_time)
    {
        std::array<std::optional<ccloud::client>, 2> shards{cloud_, cloud_.on(contexts_[1].get_executor())};
        std::array<std::size_t, 2> running{};
        for (std::size_t i = 0; i < 2; ++i)
            for (auto& left = running[i]; left < at_a_time;)
            {
                ++left;
                asio::co_spawn(
                    contexts_[i], call(*shards[i], "/shard/" + std::to_string(i), calls_of_each / at_a_time),
                    [&, i](std::exception_ptr) {
                        if (--running[i] == 0)
                        {
                            seen_[i] = shards[i]->metrics();
                            ++over_;
                        }
                    }
                );
            }
        auto const work = [this](asio::io_context& context) {
            while (over_ < 2)
                context.run_one_for(1ms);
        };
        std::thread other([&] { work(contexts_[1]); });
        work(contexts_[0]);
        other.join();
        shared_ = cloud_.metrics();
        for (std::size_t i = 0; i < 2; ++i)
        {
            shards[i]->close();
            contexts_[i].restart();
            contexts_[i].run();
        }
        return seen_;
    }

    /** With what both shards have in common, as it was at the end. */
    ccloud::metrics const& shared() const noexcept { return shared_; }

private:
    static asio::awaitable<void> call(ccloud::client shard, std::string target, std::size_t count)
    {
        for (std::size_t i = 0; i < count; ++i)
        {
            auto request = ccloud::http_request(ccloud::method::get, target);
            auto operation = shard.execute(std::move(request));
            (void)co_await std::move(operation);
        }
    }

    std::array<asio::io_context, 2> contexts_;
    ccloud::client cloud_;
    std::array<ccloud::metrics, 2> seen_;
    ccloud::metrics shared_;
    std::atomic<int> over_{0};
};

} // namespace

TEST_CASE("pool 22: two shards on two threads share one gate or more, and the number of connections, and lose no update"
)
{
    constexpr std::size_t calls = 2'000;
    constexpr std::size_t each = 6;
    constexpr std::size_t together = 8;
    http_server server;
    auto settings = server.settings();
    settings.pool.max_connections_per_origin = each;
    std::size_t most = 2 * each;
    SUBCASE("one gate")
    {
        settings.rate_scope = ccloud::rate_scope::client();
    }
    SUBCASE("a gate of its own for each, so that both want all the connections that they may have")
    {
        settings.rate_scope = support::scope_for_each_target();
        settings.pool.max_connections = most = together;
        server.hold();
    }
    bool crowded = true;
    std::thread opener([&] {
        if (most == together)
            crowded = server.sees([&](http_server_counts const& now) { return now.waiting == together; });
        server.release();
    });
    two_shards both(settings);
    auto const seen = both.run(calls, 40);
    opener.join();
    CHECK(crowded);
    for (auto const& shard : seen)
    {
        CHECK(shard.calls == calls);
        CHECK(shard.succeeded == calls);
        CHECK(shard.attempts == calls);
        CHECK(shard.failed == 0);
        CHECK(shard.connections.served_by_new + shard.connections.served_by_reused == calls);
        CHECK(shard.connections.most_active <= each);
        CHECK(shard.connections.active == 0);
        CHECK(shard.connections.waiting == 0);
    }
    CHECK(both.shared().in_flight == 0);
    CHECK(both.shared().waiting == 0);
    CHECK(both.shared().retry_budget == settings.retry_budget);
    CHECK(server.counts().requests == 2 * calls);
    CHECK(server.counts().accepted == seen[0].connections.dialed + seen[1].connections.dialed);
    CHECK(server.counts().accepted <= most);
    CHECK(server.counts().most_waiting <= most);
}

TEST_CASE("pool 22: two shards on two threads share one retry budget, and grant no repetition more than it pays for")
{
    constexpr std::size_t calls = 1'000;
    constexpr std::size_t repetitions = 500;
    http_server server([](std::string_view) { return response(503); });
    auto settings = server.settings();
    settings.retry.max_attempts = 2;
    settings.retry.base_delay = 0ms;
    settings.retry_budget = 14 * static_cast<int>(repetitions);
    auto const began = std::chrono::steady_clock::now();
    two_shards both(settings);
    auto const seen = both.run(calls, 20);
    auto const seconds = std::chrono::ceil<std::chrono::seconds>(std::chrono::steady_clock::now() - began).count();
    auto const repeated = seen[0].transient_retries + seen[1].transient_retries;
    CHECK(seen[0].failed == calls);
    CHECK(seen[1].failed == calls);
    CHECK(repeated >= repetitions);
    CHECK(repeated <= repetitions + static_cast<std::size_t>(seconds) / 14); // a token comes back each second
    CHECK(seen[0].transient_retries > 0);
    CHECK(seen[1].transient_retries > 0);
    CHECK(server.counts().requests == 2 * calls + repeated);
    CHECK(both.shared().in_flight == 0);
    CHECK(both.shared().waiting == 0);
    CHECK(both.shared().retry_budget < 14);
}

TEST_CASE("pool 7: ten thousand connects and closes leak no descriptor and no memory")
{
    constexpr std::size_t rounds = 10'000 / scale;
    auto close_each = [](std::string_view) { return response(200, "{}", "Connection: close\r\n"); };
    auto keep_alive = [](std::string_view) { return response(200); };
    bool server_closes = false;
    SUBCASE("where the server does not keep them")
    {
        server_closes = true;
    }
    SUBCASE("where the client does not, by max_requests_per_connection")
    {
    }
    http_server server(server_closes ? http_server::handler(close_each) : keep_alive);
    auto settings = server.settings();
    settings.pool.max_requests_per_connection = server_closes ? 0 : 1;
    caller client(settings);
    constexpr std::size_t at_a_time = 10;
    auto const churn = [&](std::size_t connections) {
        for (std::size_t i = 0; i < connections; i += at_a_time)
        {
            client.begin_all(at_a_time);
            REQUIRE(client.until([&] { return client.all_over(); }));
            for (auto const& call : client.calls)
                REQUIRE(call.good());
            client.forget();
        }
        REQUIRE(server.sees([](http_server_counts const& now) { return now.open == 0; }));
    };
    auto const crowd = [&] { // all at once: what may be kept for later is there afterwards
        server.hold();
        client.begin_all(at_a_time);
        REQUIRE(client.until([&] { return server.counts().waiting == at_a_time; }));
        server.release();
        REQUIRE(client.until([&] { return client.all_over(); }));
        client.forget();
    };
    churn(rounds / 10 - at_a_time);
    crowd();
    REQUIRE(server.sees([](http_server_counts const& now) { return now.open == 0; }));
    auto const descriptors = open_descriptors();
    auto const heap = ::mallinfo2().uordblks;
    churn(rounds - rounds / 10);
    CHECK(open_descriptors() == descriptors);
    auto const growth = static_cast<long long>(::mallinfo2().uordblks) - static_cast<long long>(heap);
    MESSAGE("heap grew by " << growth << " bytes");
    CHECK(growth < 32 * 1024);
    CHECK(server.counts().accepted == rounds);
    CHECK(client.connections().dialed == rounds);
    auto const why = server_closes ? close_reason::not_kept_alive : close_reason::max_requests;
    CHECK(client.connections().closed_for(why) == rounds);
}

TEST_CASE("pool 6: a connection takes no more requests than max_requests_per_connection")
{
    http_server server;
    auto settings = server.settings();
    settings.pool.max_requests_per_connection = 3;
    caller client(settings);
    for (std::size_t i = 1; i <= 9; ++i)
    {
        CHECK(client.get() == "");
        CHECK(server.counts().accepted == (i + 2) / 3);
        CHECK(client.connections().closed_for(close_reason::max_requests) == i / 3);
        CHECK(client.connections().idle == (i % 3 == 0 ? 0 : 1));
    }
    CHECK(client.connections().served_by_new == 3);
    CHECK(client.connections().served_by_reused == 6);
    CHECK(client.connections().stale == 0);
}

TEST_CASE("pool 6: a connection past max_lifetime is closed while it is idle, and when it comes back, never in use")
{
    http_server server;
    auto settings = server.settings();
    settings.pool.max_lifetime = 30ms;
    caller client(settings);
    auto const retired = [&] { return client.connections().closed_for(close_reason::lifetime); };
    CHECK(client.get() == "");
    REQUIRE(client.until([&] { return retired() == 1; })); // nobody calls
    CHECK(client.connections().idle == 0);
    CHECK(server.sees([](http_server_counts const& now) { return now.open == 0; }));

    server.hold();
    auto const& call = client.begin();
    REQUIRE(client.until([&] { return server.counts().waiting == 1; }));
    auto const past = std::chrono::steady_clock::now() + 30ms;
    REQUIRE(client.until([&] { return std::chrono::steady_clock::now() > past; }));
    CHECK(client.connections().active == 1);
    server.release();
    REQUIRE(client.until([&] { return call.over(); }));
    CHECK(call.good());
    CHECK(retired() == 2);
    CHECK(client.connections().idle == 0);
    CHECK(client.get() == "");
    CHECK(server.counts().accepted == 3);
}

TEST_CASE("pool 25: a poisoned connection is closed: at once where it is idle, else when its exchange has ended")
{
    http_server server;
    auto const seen = std::make_shared<support::connection_witness>();
    auto settings = server.settings();
    settings.observer = seen;
    caller client(settings);
    CHECK(client.get() == "");
    CHECK(client.get() == "");
    REQUIRE(seen->seen.size() == 2);
    auto const first = seen->seen[0]->id;
    CHECK(seen->seen[1]->id == first);
    client.cloud->poison(first + 1);
    client.cloud->poison(0);
    client.poll();
    CHECK(client.connections().idle == 1);
    client.cloud->poison(first);
    client.poll();
    CHECK(client.connections().idle == 0);
    CHECK(client.connections().closed_for(close_reason::poisoned) == 1);
    CHECK(server.sees([](http_server_counts const& now) { return now.open == 0; }));

    server.hold();
    auto const& call = client.begin();
    REQUIRE(client.until([&] { return server.counts().waiting == 1; }));
    client.cloud->poison(first + 1);
    client.poll();
    CHECK(client.connections().active == 1);
    CHECK(server.counts().open == 1);
    server.release();
    REQUIRE(client.until([&] { return call.over(); }));
    CHECK(call.good());
    CHECK(seen->seen.back()->id == first + 1);
    CHECK(client.connections().closed_for(close_reason::poisoned) == 2);
    CHECK(client.get() == "");
    CHECK(server.counts().accepted == 3);
}

TEST_CASE("pool 23: close_idle() closes what is idle and nothing else")
{
    http_server server;
    caller client(server.settings());
    fill(client, server, 4);
    server.hold();
    auto const& call = client.begin();
    REQUIRE(client.until([&] { return server.counts().waiting == 1; }));
    client.cloud->close_idle();
    client.poll();
    CHECK(client.connections().idle == 0);
    CHECK(client.connections().active == 1);
    CHECK(client.connections().closed_for(close_reason::superseded) == 3);
    CHECK(server.sees([](http_server_counts const& now) { return now.open == 1; }));
    server.release();
    REQUIRE(client.until([&] { return call.over(); }));
    CHECK(call.good());
    CHECK(client.connections().idle == 1);
    CHECK(client.get() == "");
    CHECK(server.counts().accepted == 4);
}

TEST_CASE("pool 23: after network_changed() no present connection takes a further request, and names are asked again")
{
    http_server server;
    auto const lookups = std::make_shared<std::atomic<int>>(0);
    auto lookup = [lookups](std::string const&) {
        ++*lookups;
        return ccloud::net::name_answer{{"127.0.0.1"}, {}};
    };
    caller client(server.settings("api.example.test"), lookup);
    fill(client, server, 4);
    CHECK(*lookups == 1);
    server.hold();
    auto const& call = client.begin();
    REQUIRE(client.until([&] { return server.counts().waiting == 1; }));
    client.cloud->network_changed();
    client.poll();
    CHECK(client.connections().idle == 0);
    CHECK(client.connections().active == 1);
    CHECK(client.connections().closed_for(close_reason::superseded) == 3);
    server.release();
    REQUIRE(client.until([&] { return call.over(); }));
    CHECK(call.good());
    CHECK(client.connections().idle == 0);
    CHECK(client.connections().closed_for(close_reason::superseded) == 4);
    CHECK(server.sees([](http_server_counts const& now) { return now.open == 0; }));
    CHECK(client.get() == "");
    CHECK(*lookups == 2);
    CHECK(server.counts().accepted == 5);
}

TEST_CASE("pool 23: network_changed() begins dials anew that are under way, and the calls that wait do not notice")
{
    simulator server;
    server.inject(fault::stall_handshake().times(0));
    auto settings = server.settings();
    settings.threading = ccloud::threading::serial;
    settings.retry = ccloud::retry_policy::none();
    caller client(settings);
    auto const& call = client.begin("/iam/v2/ip-groups");
    REQUIRE(client.until([&] { return server.connections() == 1; }));
    server.clear_faults();
    client.cloud->network_changed();
    REQUIRE(client.until([&] { return call.over(); }));
    CHECK(call.good());
    CHECK(server.connections() == 2);
    CHECK(client.connections().idle == 1);
}

TEST_CASE("pool 23: warm_up() makes connections ahead of need, up to the cap, and calls use them")
{
    http_server server;
    auto settings = server.settings();
    settings.pool.max_connections_per_origin = 6;
    caller client(settings);
    client.cloud->warm_up(4);
    REQUIRE(client.until([&] { return client.connections().idle == 4; }));
    CHECK(server.sees([](http_server_counts const& now) { return now.accepted == 4; }));
    CHECK(server.counts().requests == 0);
    client.cloud->warm_up(2);
    client.cloud->warm_up(100);
    REQUIRE(client.until([&] { return client.connections().idle == 6; }));
    client.poll();
    CHECK(client.connections().dialing == 0);
    fill(client, server, 6);
    CHECK(server.counts().accepted == 6);
    CHECK(client.connections().served_by_new == 6);
    client.cloud->close();
    client.cloud->warm_up(3);
    CHECK(client.runs_out());
    CHECK(server.counts().accepted == 6);
}

TEST_CASE("pool 4: the wait for a connection is not part of attempt_timeout, and is reported")
{
    struct waits final : ccloud::observer
    {
        void connection_used(ccloud::observed_call const&, int, ccloud::connection_use const& use) noexcept override
        {
            seen.push_back(use.waited);
        }
        std::vector<std::chrono::nanoseconds> seen;
    };
    http_server server;
    auto const witness = std::make_shared<waits>();
    auto settings = server.settings();
    settings.observer = witness;
    settings.rate_scope = support::scope_for_each_target();
    settings.pool.max_connections_per_origin = 1;
    settings.retry = ccloud::retry_policy::none();
    caller client(settings);
    server.hold();
    client.begin("/first");
    REQUIRE(client.until([&] { return server.counts().waiting == 1; }));
    constexpr auto limit = 100ms;
    auto const began = std::chrono::steady_clock::now();
    client.begin("/second", {.attempt_timeout = limit});
    REQUIRE(client.until([&] { return std::chrono::steady_clock::now() >= began + 3 * limit; }));
    server.release();
    REQUIRE(client.until([&] { return client.all_over(); }));
    for (auto const& call : client.calls)
        CHECK(call.good());
    REQUIRE(witness->seen.size() == 2);
    CHECK(witness->seen[1] >= 2 * limit);
    CHECK(client.connections().queued == 2);
    CHECK(client.connections().queue_wait.total() == 2);
    CHECK(client.connections().queue_wait.quantile(1.0) >= 200'000); // microseconds
}

TEST_CASE("pool 24: a connection is counted with what it took to make, how long it was idle, and its age")
{
    http_server server;
    caller client(server.settings());
    CHECK(client.get() == "");
    auto const idle_from = std::chrono::steady_clock::now();
    REQUIRE(client.until([&] { return std::chrono::steady_clock::now() >= idle_from + 10ms; }));
    CHECK(client.get() == "");
    client.cloud->close_idle();
    client.poll();
    auto const seen = client.connections();
    CHECK(seen.resolve.total() == 1);
    CHECK(seen.connect.total() == 1);
    CHECK(seen.connect.counts[0] == 0); // less than a microsecond it does not take
    CHECK(seen.idle_before_reuse.total() == 1);
    CHECK(seen.idle_before_reuse.quantile(1.0) >= 9'000);
    CHECK(seen.age.total() == 1);
    CHECK(seen.age.quantile(1.0) >= 9'000);
    CHECK(seen.requests.total() == 1);
}

TEST_CASE("pool 21: a connection that was granted but not taken when close() came is no longer counted")
{
    http_server server;
    caller client(server.settings());
    auto const& call = client.begin();
    REQUIRE(client.until([&] { return client.connections().active == 1; }));
    REQUIRE(server.counts().requests == 0); // the call has not gone on yet
    client.wire->close();                   // the client's own comes by a post, after the call
    client.poll();
    REQUIRE(call.over());
    REQUIRE(!call.good());
    CAPTURE(call.error().what());
    CHECK(call.error() == errc::client_closed);
    CHECK(call.error().progress() == progress::not_sent);
    CHECK(client.connections().active == 0);
    CHECK(client.connections().closed_for(close_reason::shut_down) == 1);
    CHECK(client.network->slots().used() == 0);
}
