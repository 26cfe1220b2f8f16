// What a client shows of its connections, and what it asks of its transport.
#include <ccloud/client.hpp>
#include <ccloud/iam/ip_groups.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "client.hpp"
#include "printers.hpp"
#include "stage.hpp"
#include "turn_executor.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using ccloud::connection_info;
using ccloud::connection_use;
using ccloud::errc;
using ccloud::progress;
using std::chrono::nanoseconds;
using support::get;
using support::list_of;
using support::said;
using support::script;
using support::stage;
using support::test_config;
namespace asio = boost::asio;

namespace {

constexpr auto both = {ccloud::threading::serial, ccloud::threading::safe};

ccloud::config config_with(ccloud::threading threads, std::shared_ptr<ccloud::observer> eye = nullptr)
{
    auto settings = test_config();
    settings.threading = threads;
    settings.observer = std::move(eye);
    return settings;
}

std::shared_ptr<connection_info const> connection(std::uint64_t id)
{
    auto made = std::make_shared<connection_info>();
    made->id = id;
    made->remote = "192.0.2." + std::to_string(id) + ":443";
    made->local = "10.0.0.1:50000";
    made->proxy = "http://proxy.example:3128";
    made->tls_version = "TLSv1.3";
    made->cipher = "TLS_AES_256_GCM_SHA384";
    made->resumed = true;
    made->resolve = 1ms;
    made->connect = 2ms;
    made->tunnel = 3ms;
    made->handshake = 4ms;
    return made;
}

/** Says of each exchange what it had of its connection. */
class using_wire : public ccloud::testing::scripted_transport
{
public:
    /** For the next exchange. */
    using_wire& uses(connection_use use)
    {
        uses_.push_back(std::move(use));
        return *this;
    }

    asio::awaitable<ccloud::exchange> send(
        ccloud::http_request const& request, ccloud::origin const& to, ccloud::send_options options
    ) override
    {
        connection_use mine;
        if (!uses_.empty())
        {
            mine = std::move(uses_.front());
            uses_.pop_front();
        }
        auto ended = co_await scripted_transport::send(request, to, options);
        ended.use = std::move(mine);
        ended.bytes_written = 1234;
        co_return ended;
    }

private:
    std::deque<connection_use> uses_;
};

connection_use use_of(std::shared_ptr<connection_info const> which, std::uint64_t request = 1)
{
    connection_use use;
    use.connection = std::move(which);
    use.request = request;
    use.waited = 5ms;
    use.idle = request > 1 ? 6s : 0s;
    use.first_byte = 7ms;
    use.received = 800 + request;
    return use;
}

/** Writes down in which order it hears of what. */
class notes : public ccloud::observer
{
public:
    void attempt_start(ccloud::observed_call const& call, int number) noexcept override { add("start", call, number); }
    void attempt_end(ccloud::observed_call const& call, int number, ccloud::attempt const& ended) noexcept override
    {
        add("end", call, number);
        heard.back() += " on " + std::to_string(ended.connection);
    }
    void connection_used(ccloud::observed_call const& call, int number, connection_use const& use) noexcept override
    {
        add("used", call, number);
        uses.push_back(use);
    }
    void retry_scheduled(
        ccloud::observed_call const& call, nanoseconds, ccloud::delay_source, ccloud::retry_reason why
    ) noexcept override
    {
        add("again", call, 0);
        heard.back() += ", " + std::string(to_string(why));
    }
    void give_up(ccloud::observed_call const& call, ccloud::error const&) noexcept override { add("give up", call, 0); }

    std::vector<std::string> heard;
    std::vector<connection_use> uses;

private:
    void add(std::string what, ccloud::observed_call const& call, int number)
    {
        CHECK(call.id == 1);
        CHECK(call.path == "/a/v1/things");
        if (number > 0)
            what += ' ' + std::to_string(number);
        heard.push_back(std::move(what));
    }
};

/** Writes down what it is asked for, and where. */
class asked_wire : public ccloud::testing::scripted_transport
{
public:
    void close_idle() noexcept override { add("close idle"); }
    void network_changed() noexcept override { add("network changed"); }
    void warm_up(ccloud::origin const& to, std::size_t connections) noexcept override
    {
        add("warm up " + to.to_string() + ' ' + std::to_string(connections));
    }
    void poison(std::uint64_t connection) noexcept override { add("poison " + std::to_string(connection)); }
    void drain() noexcept override { add("drain"); }
    void close() noexcept override
    {
        add("close");
        at_home = [] { return true; }; // an executor must not outlive its context
        scripted_transport::close();
    }

    std::vector<std::string> asked;
    std::function<bool()> at_home = [] { return true; };
    std::thread::id const thread = std::this_thread::get_id();

private:
    void add(std::string what)
    {
        CHECK(std::this_thread::get_id() == thread);
        CHECK(at_home());
        asked.push_back(std::move(what));
    }
};

/** Whether the caller runs on the executor of a client. */
std::function<bool()> runs_on(asio::any_io_executor executor)
{
    return [executor] {
        if (auto const* strand = executor.target<ccloud::detail::client_strand>())
            return strand->running_in_this_thread();
        auto const* plain = executor.target<asio::io_context::executor_type>();
        return plain && plain->running_in_this_thread();
    };
}

} // namespace

TEST_CASE("pool 25, E3: each try says what it had of its connection, before it ends; where it had none, nothing")
{
    auto const seven = connection(7);
    auto const eight = connection(8);
    for (auto const threads : both)
    {
        auto const eye = std::make_shared<notes>();
        auto const wire = std::make_shared<using_wire>();
        wire->reply(503).fail(errc::connect_failed, progress::not_sent).reply(200);
        wire->uses(use_of(seven)).uses({}).uses(use_of(eight, 3));
        stage on(wire, config_with(threads, eye));
        CHECK(on.ask(get("/a/v1/things?x=1")).has_value());
        CHECK(
            eye->heard == list_of(
                              "start 1", "used 1", "end 1 on 7", "again, transient failure", //
                              "start 2", "end 2 on 0", "again, transient failure",           //
                              "start 3", "used 3", "end 3 on 8"
                          )
        );
        REQUIRE(eye->uses.size() == 2);
        auto const& first = eye->uses[0];
        CHECK(first.connection == seven);
        CHECK(first.request == 1);
        CHECK(first.waited == 5ms);
        CHECK(first.idle == 0s);
        CHECK(first.first_byte == 7ms);
        CHECK(first.received == 801);
        auto const& second = eye->uses[1];
        CHECK(second.connection == eight);
        CHECK(second.request == 3);
        CHECK(second.idle == 6s);
        CHECK(second.received == 803);
        CHECK(second.connection->remote == "192.0.2.8:443");
        CHECK(second.connection->resumed);
        CHECK(second.connection->handshake == 4ms);
    }
}

TEST_CASE("pool 25: an error tells the connection of each of its tries")
{
    auto const wire = std::make_shared<using_wire>();
    wire->reply(503).fail(errc::connect_failed, progress::not_sent);
    wire->reply(307).header("Location", "/b").fail(errc::connection_lost, progress::maybe_sent, true).reply(404);
    wire->uses(use_of(connection(7))).uses({}).uses(use_of(connection(9), 2));
    wire->uses(use_of(connection(9), 3)).uses(use_of(connection(12)));
    stage on(wire);
    auto const got = on.ask(get("/a/v1/things"));
    REQUIRE(!got.has_value());
    std::vector<std::uint64_t> ids;
    for (auto const& each : got.error().attempts())
        ids.push_back(each.connection);
    CHECK(ids == std::vector<std::uint64_t>{7, 0, 9, 9, 12});
}

TEST_CASE("E1: the last attempt of an error whose response cannot be read tells all of that attempt")
{
    std::string const body = R"({"id":7})";
    for (bool const long_body : {false, true}) // which is decoded in slices
    {
        CAPTURE(long_body);
        auto const wire = std::make_shared<using_wire>();
        wire->reply(503).after(2s);
        wire->reply(200, body + std::string(long_body ? 1'000'000 : 0, ' ')).header("X-Request-Id", "r-2");
        wire->after(3s).reused();
        wire->uses(use_of(connection(7))).uses(use_of(connection(9), 2));
        std::optional<ccloud::error> failure;
        support::with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
            auto const got = co_await ccloud::iam::ip_groups(cloud).get("ipg-1");
            REQUIRE(!got.has_value());
            failure = got.error();
        });
        CHECK(*failure == errc::malformed_response);
        CHECK(failure->elapsed() == 5s);
        REQUIRE(failure->attempts().size() == 2);
        auto const& first = failure->attempts().front();
        CHECK(first.status == 503);
        CHECK(first.took == 2s);
        CHECK(first.connection == 7);
        auto const& last = failure->attempts().back();
        CHECK(last.started == 2s);
        CHECK(last.took == 3s);
        CHECK(last.progress == progress::answered);
        CHECK(last.bytes_written == 1234);
        CHECK(last.reused);
        CHECK(last.connection == 9);
        CHECK(last.status == 200);
        CHECK(last.code == errc::malformed_response);
        CHECK(last.request_id == "r-2");
        CHECK(last.reason == ccloud::retry_reason::none);
        CHECK(last.delay == 0s);
    }
}

TEST_CASE("pool 25: a try that is refused, redirected, cut off or cancelled tells of its connection, too")
{
    struct row
    {
        std::string_view name;
        std::function<void(using_wire&)> meets;
        bool cancelled = false;
    };
    for (auto const& [name, meets, cancelled] : std::vector<row>{
             {"answered", [](using_wire& wire) { wire.reply(404); }},
             {"redirected", [](using_wire& wire) { wire.reply(307).header("Location", "//evil.example"); }},
             {"lost", [](using_wire& wire) { wire.fail(errc::connection_lost, progress::maybe_sent); }},
             {"malformed", [](using_wire& wire) { wire.fail(errc::malformed_response, progress::answered, true); }},
             {"late", [](using_wire& wire) { wire.hang(); }},
             {"cancelled", [](using_wire& wire) { wire.hang(); }, true},
         })
    {
        CAPTURE(name);
        auto const eye = std::make_shared<notes>();
        auto const wire = std::make_shared<using_wire>();
        meets(*wire);
        wire->uses(use_of(connection(3)));
        auto settings = config_with(ccloud::threading::serial, eye);
        settings.retry = ccloud::retry_policy::none();
        stage on(wire, settings);
        auto& call = on.call(get("/a/v1/things"), {.timeout = 1s});
        if (cancelled)
            call.cancel();
        on.run();
        CHECK(eye->heard == list_of("start 1", "used 1", "end 1 on 3", "give up"));
        CHECK(call.failure().attempts().at(0).connection == 3);
    }
}

TEST_CASE("an observer that has no interest in connections, and one that is not there, are no trouble")
{
    for (auto const& eye : {std::make_shared<ccloud::observer>(), std::shared_ptr<ccloud::observer>()})
    {
        auto const wire = std::make_shared<using_wire>();
        wire->reply(503).reply(200);
        wire->uses(use_of(connection(1))).uses(use_of(connection(2)));
        stage on(wire, config_with(ccloud::threading::serial, eye));
        CHECK(on.ask(get("/a")).has_value());
    }
}

TEST_CASE("pool 24: a transport that counts nothing shows no connections")
{
    for (auto const threads : both)
    {
        auto const wire = script();
        wire->reply(503).reply(200);
        stage on(wire, config_with(threads));
        CHECK(on.ask(get("/a")).has_value());
        on.cloud().warm_up(3);
        on.poll();
        auto const seen = on.cloud().metrics();
        CHECK(seen.attempts == 2);
        auto const& zero = seen.connections;
        for (std::size_t const count :
             {zero.dialing, zero.active, zero.idle, zero.waiting, zero.most_active, zero.most_waiting, zero.tickets})
            CHECK(count == 0);
        for (std::uint64_t const count :
             {zero.served_by_new, zero.served_by_reused, zero.queued, zero.wait_expired, zero.wait_cancelled,
              zero.stale, zero.dialed, zero.surplus, zero.resolve_failed, zero.connect_failed, zero.proxy_failed,
              zero.tls_failed, zero.connect_timed_out, zero.handshakes_full, zero.handshakes_resumed, zero.bytes_sent,
              zero.bytes_received})
            CHECK(count == 0);
        for (auto const count : zero.closed)
            CHECK(count == 0);
        for (auto const* const each :
             {&zero.queue_wait, &zero.resolve, &zero.connect, &zero.handshake, &zero.first_byte,
              &zero.idle_before_reuse, &zero.age, &zero.requests})
            CHECK(each->total() == 0);
    }
}

TEST_CASE("pool 24: what a transport counts is shown, on whatever thread somebody looks")
{
    struct counting_wire : ccloud::testing::scripted_transport
    {
        void describe(ccloud::connection_metrics& seen) const noexcept override
        {
            seen.idle = 3;
            seen.dialed = 5;
            seen.closed[static_cast<std::size_t>(ccloud::close_reason::lifetime)] = 2;
            seen.handshake.counts[7] = 5;
        }
    };
    stage on(std::make_shared<counting_wire>());
    ccloud::metrics there;
    std::thread([&] { there = on.cloud().metrics(); }).join();
    for (auto const& seen : {on.cloud().metrics(), there})
    {
        CHECK(seen.connections.idle == 3);
        CHECK(seen.connections.dialed == 5);
        CHECK(seen.connections.closed_for(ccloud::close_reason::lifetime) == 2);
        CHECK(seen.connections.handshake.quantile(0.5) == 127);
    }
}

TEST_CASE("pool 23: what a client is asked for reaches its transport in order, on its executor, from any thread")
{
    static_assert(noexcept(std::declval<ccloud::client const&>().close_idle()));
    static_assert(noexcept(std::declval<ccloud::client const&>().network_changed()));
    static_assert(noexcept(std::declval<ccloud::client const&>().poison(1)));
    for (auto const threads : both)
        for (bool const elsewhere : {true, false})
        {
            CAPTURE(threads);
            CAPTURE(elsewhere);
            auto const wire = std::make_shared<asked_wire>();
            stage on(wire, config_with(threads));
            wire->at_home = runs_on(on.cloud().executor());
            auto const traced = on.cloud().with_header("X-Trace", "t");
            auto const ask = [&] {
                on.cloud().close_idle();
                traced.network_changed();
                on.cloud().warm_up(3);
                traced.poison(~std::uint64_t(0));
                on.cloud().warm_up(0);
            };
            if (elsewhere)
                std::thread(ask).join();
            else
                ask();
            CHECK(wire->asked.empty()); // nothing happens where it is asked
            on.poll();
            CHECK(
                wire->asked == list_of(
                                   "close idle", "network changed", "warm up https://api.example.test 3",
                                   "poison 18446744073709551615", "warm up https://api.example.test 0"
                               )
            );
        }
}

TEST_CASE("a client is asked on its own executor, too, in the middle of a call")
{
    for (auto const threads : both)
    {
        auto const wire = std::make_shared<asked_wire>();
        wire->reply(200);
        stage on(wire, config_with(threads));
        wire->at_home = runs_on(on.cloud().executor());
        asio::post(on.cloud().executor(), [&] {
            on.cloud().close_idle();
            on.cloud().poison(4);
        });
        CHECK(on.ask(get("/a")).has_value());
        CHECK(wire->asked == list_of("close idle", "poison 4"));
    }
}

TEST_CASE("several threads ask at a time: nothing is lost")
{
    constexpr int times = 200;
    for (auto const threads : both)
    {
        auto const wire = std::make_shared<asked_wire>();
        stage on(wire, config_with(threads));
        wire->at_home = runs_on(on.cloud().executor());
        std::vector<std::thread> askers;
        for (int i = 0; i < 4; ++i)
            askers.emplace_back([cloud = on.cloud(), i] {
                for (int round = 0; round < times; ++round)
                {
                    if (i == 0)
                        cloud.close_idle();
                    else if (i == 1)
                        cloud.network_changed();
                    else if (i == 2)
                        cloud.warm_up(1);
                    else
                        cloud.poison(1);
                }
            });
        for (auto& each : askers)
            each.join();
        on.poll();
        CHECK(wire->asked.size() == 4 * times);
    }
}

TEST_CASE("pool 23: after close() nothing is asked of the transport any more, but before it all that was")
{
    for (auto const threads : both)
        for (bool const polled : {true, false})
        {
            CAPTURE(threads);
            CAPTURE(polled);
            auto const wire = std::make_shared<asked_wire>();
            stage on(wire, config_with(threads));
            on.cloud().close_idle();
            on.cloud().close();
            if (polled)
                on.poll();
            on.cloud().close_idle();
            on.cloud().network_changed();
            on.cloud().warm_up(1);
            on.cloud().poison(1);
            on.cloud().close();
            on.poll();
            CHECK(wire->asked == list_of("close idle", "drain", "close"));
        }
}

TEST_CASE("pool 23: a transport is told once that the client drains, hears what is asked meanwhile, and is closed once")
{
    for (auto const threads : both)
    {
        auto const wire = std::make_shared<asked_wire>();
        wire->reply(200).after(1s);
        stage on(wire, config_with(threads));
        auto& call = on.call(get("/a"));
        auto wait = [](ccloud::client cloud) -> asio::awaitable<void> {
            auto end = co_await cloud.close(10s);
            CHECK(end.has_value());
        };
        for (int i = 0; i < 2; ++i)
            asio::co_spawn(on.context(), wait(on.cloud()), [](std::exception_ptr thrown) { CHECK(!thrown); });
        on.poll();
        CHECK(wire->asked == list_of("drain"));
        on.cloud().poison(1);
        on.run();
        CHECK(call.ok());
        on.cloud().close();
        on.poll();
        CHECK(wire->asked == list_of("drain", "poison 1", "close"));
    }
}

TEST_CASE("G5: an answer whose content cannot be read tells of the rate limit all the same")
{
    struct garbling_wire : ccloud::testing::scripted_transport
    {
        asio::awaitable<ccloud::exchange> send(
            ccloud::http_request const& request, ccloud::origin const& to, ccloud::send_options options
        ) override
        {
            auto ended = co_await scripted_transport::send(request, to, options);
            if (ended.response.body() == "garbled")
                ended.code = errc::malformed_response;
            co_return ended;
        }
    };
    auto const wire = std::make_shared<garbling_wire>();
    for (std::string_view const body : {"garbled", "{}"})
    {
        bool const first = body == "garbled";
        wire->reply(200, std::string(body)).header("X-RateLimit-Limit", "10").header("X-RateLimit-Reset", "30");
        wire->header("X-RateLimit-Remaining", first ? "0" : "9");
    }
    stage on(wire);
    auto const garbled = on.ask(get("/a/v1/things"));
    REQUIRE(!garbled.has_value());
    CHECK(garbled.error().code() == errc::malformed_response);
    CHECK(on.ask(get("/a/v1/things")).has_value());
    CHECK(on.elapsed() >= 30s);
}

TEST_CASE("the last handle goes, or the execution context, while something is still to be asked")
{
    for (auto const threads : both)
    {
        auto const wire = std::make_shared<asked_wire>();
        stage on(wire, config_with(threads));
        on.cloud().network_changed();
        on.drop_client();
        on.poll();
        CHECK(wire->asked == list_of("network changed", "drain", "close"));

        auto const other = std::make_shared<asked_wire>();
        stage gone(other, config_with(threads));
        gone.cloud().warm_up(1);
        gone.drop_context();
        CHECK(other->asked.empty());
    }
}

TEST_CASE("what is asked of a transport without a pool is nothing to it")
{
    auto const wire = script();
    wire->reply(200);
    stage on(wire);
    on.cloud().close_idle();
    on.cloud().network_changed();
    on.cloud().warm_up(1'000'000);
    on.cloud().poison(1);
    CHECK(on.ask(get("/a")).has_value());
}

TEST_CASE("a client that was given its transport has no TLS to load again, and says so")
{
    for (auto const threads : both)
    {
        auto const wire = std::make_shared<asked_wire>();
        stage on(wire, config_with(threads));
        ccloud::config::tls_options missing;
        missing.ca_file = "/no/such/file.pem";
        for (auto const& settings : {ccloud::config::tls_options(), missing})
        {
            std::string told;
            try
            {
                on.cloud().reload_tls(settings);
            }
            catch (ccloud::configuration_error const& refused)
            {
                told = refused.what();
            }
            CHECK(told.starts_with("reload_tls()"));
            CHECK(told.find("transport") != std::string::npos);
        }
        on.poll();
        CHECK(wire->asked.empty()); // its connections stay
    }
}
