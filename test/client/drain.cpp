// client::close(timeout): what is on the wire finishes, everything else ends at once.
#include <ccloud/ccloud.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "call.hpp"
#include "client.hpp"
#include "printers.hpp"
#include "raw_server.hpp"
#include "stage.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using ccloud::condition;
using ccloud::drained;
using ccloud::errc;
using ccloud::progress;
using ccloud::retry_reason;
using std::chrono::milliseconds;
using support::get;
using support::hears;
using support::played_call;
using support::post;
using support::said;
using support::script;
using support::stage;
using support::talking_wire;
using support::test_config;
namespace asio = boost::asio;
namespace detail = ccloud::detail;
namespace iam = ccloud::iam;

namespace ccloud {

bool operator==(drained const& a, drained const& b)
{
    return a.finished == b.finished && a.cut == b.cut;
}

doctest::String toString(drained const& end)
{
    return support::printed(std::to_string(end.finished) + " finished, " + std::to_string(end.cut) + " cut");
}

} // namespace ccloud

namespace {

constexpr auto both = {ccloud::threading::serial, ccloud::threading::safe};

ccloud::config config_with(ccloud::threading threads, std::size_t connections = 16)
{
    auto settings = test_config();
    settings.threading = threads;
    settings.pool.max_connections_per_origin = connections;
    return settings;
}

/** A drain that is awaited by a coroutine of its own. */
class draining
{
public:
    /** Begins when the context runs next, on `where`. */
    draining(stage& on, milliseconds timeout, hears what = hears::terminal, asio::any_io_executor where = nullptr)
        : on_(&on)
    {
        if (!where)
            where = on.context().get_executor();
        auto work = wait(on.cloud().close(timeout), *this, what);
        asio::co_spawn(
            where, std::move(work),
            asio::bind_cancellation_slot(signal_.slot(), [this](std::exception_ptr failed) { thrown = failed; })
        );
    }
    draining(draining const&) = delete;
    draining& operator=(draining const&) = delete;

    bool ended() const noexcept { return outcome.has_value() || thrown; }
    drained end() const { return outcome.value().value(); }
    void cancel(asio::cancellation_type kind = asio::cancellation_type::terminal) { signal_.emit(kind); }

    std::optional<ccloud::result<drained>> outcome;
    std::exception_ptr thrown;
    std::chrono::nanoseconds ended_at{};
    bool stayed = false;          ///< it resumed on the executor that it had begun on
    bool threw_as_before = false; ///< the coroutine's `throw_if_cancelled` is what it was

private:
    static asio::awaitable<void> wait(ccloud::operation<drained> work, draining& self, hears what)
    {
        co_await asio::this_coro::throw_if_cancelled(false);
        if (what == hears::anything)
            co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
        auto const before = co_await asio::this_coro::executor;
        auto got = co_await std::move(work);
        auto const after = co_await asio::this_coro::executor;
        self.stayed = before == after;
        self.threw_as_before = !co_await asio::this_coro::throw_if_cancelled();
        self.ended_at = self.on_->elapsed();
        self.outcome.emplace(std::move(got));
    }

    stage* on_;
    asio::cancellation_signal signal_;
};

void run_to(stage& on, draining const& one)
{
    while (!one.ended())
        if (!on.step())
            throw ccloud::testing::script_error("the drain waits for something that cannot happen");
    on.poll();
}

/** Everything is over, and nothing is held. */
void check_closed(stage& on, ccloud::testing::scripted_transport& wire)
{
    CHECK(wire.closed());
    CHECK(wire.in_flight() == 0);
    auto const now = on.cloud().metrics();
    CHECK(now.in_flight == 0);
    CHECK(now.waiting == 0);
    CHECK(now.calls == now.succeeded + now.failed);
    auto const requests = wire.requests().size();
    auto const refused = on.ask(get("/late"));
    REQUIRE(!refused.has_value());
    CHECK(refused.error().code() == errc::client_closed);
    CHECK(refused.error().progress() == progress::not_sent);
    CHECK(wire.requests().size() == requests);
}

/** Answers by the first segment of the path. */
said by_place(ccloud::http_request const& request)
{
    switch (request.target()[1])
    {
    case 'o': return said(200).after(1s);                 // ok
    case 'f': return said(503).after(100ms);              // failing
    case 't': return said(429).with("Retry-After", "60"); // throttled
    case 'h': return said(200).after(24h);                // hangs
    default: return said(404);
    }
}

} // namespace

TEST_CASE("pool 23: what is on the wire finishes; what waits in line, or between tries, ends at once with what it has")
{
    for (auto const threads : both)
    {
        auto const wire = std::make_shared<talking_wire>(by_place);
        wire->dice(~std::uint64_t(0)); // the longest waits
        stage on(wire, config_with(threads, 2));
        auto& first = on.call(get("/ok/v1/things"));
        auto& second = on.call(post("/ok/v1/things"));
        auto& in_line = on.call(get("/ok/v1/things"));
        auto& backing_off = on.call(get("/failing/v1/things"));
        auto& throttled = on.call(get("/throttled/v1/things"));
        auto& behind = on.call(get("/throttled/v1/things"));
        on.pass(200ms);
        CHECK(wire->requests().size() == 4);
        CHECK(wire->in_flight() == 2);

        draining drain(on, 10s);
        on.poll();
        CHECK(on.elapsed() == 200ms);
        CHECK(!drain.ended());
        CHECK(!wire->closed());
        CHECK(!first.ended());
        CHECK(!second.ended());
        for (auto* const each : {&in_line, &behind, &backing_off, &throttled})
        {
            REQUIRE(each->ended());
            REQUIRE(!each->ok());
            CHECK(each->failure().code() == errc::client_closed);
            CHECK(each->failure() == condition::cancelled);
        }
        for (auto* const each : {&in_line, &behind})
        {
            CHECK(each->failure().attempts().empty());
            CHECK(each->failure().progress() == progress::not_sent);
        }
        CHECK(backing_off.failure().status() == 503);
        CHECK(backing_off.failure().attempts().size() == 1);
        CHECK(throttled.failure().status() == 429);
        CHECK(throttled.failure().attempts().size() == 1);
        CHECK(throttled.failure().retry_after() == 60s);

        run_to(on, drain);
        CHECK(drain.end() == drained{2, 0});
        CHECK(drain.ended_at == 1s);
        CHECK(first.ok());
        CHECK(second.ok());
        CHECK(wire->requests().size() == 4);
        check_closed(on, *wire);
        CHECK(on.cloud().metrics().retry_budget == 500);
    }
}

TEST_CASE("pool 23: no further try is begun after, whatever the reason")
{
    struct row
    {
        char const* name;
        std::function<void(ccloud::testing::scripted_transport&)> answer;
        int status;
    };
    for (auto const& [name, answer, status] : std::vector<row>{
             {"transient", [](auto& wire) { wire.reply(503); }, 503},
             {"throttled", [](auto& wire) { wire.reply(429).header("Retry-After", "1"); }, 429},
             {"misdirected", [](auto& wire) { wire.reply(421); }, 421},
             {"too early", [](auto& wire) { wire.reply(425); }, 425},
             {"new credentials", [](auto& wire) { wire.reply(401); }, 401},
             {"redirected", [](auto& wire) { wire.reply(307).header("Location", "/b"); }, 307},
             {"lost", [](auto& wire) { wire.fail(errc::connection_lost, progress::maybe_sent); }, 0},
             {"stale", [](auto& wire) { wire.fail(errc::connection_lost, progress::maybe_sent).reused(); }, 0},
             {"not sent", [](auto& wire) { wire.fail(errc::connect_failed, progress::not_sent); }, 0},
         })
        for (auto const threads : both)
        {
            CAPTURE(name);
            auto const wire = script();
            answer(*wire);
            wire->after(1s);
            auto settings = config_with(threads);
            settings.credentials = ccloud::token_source([](std::string_view rejected) {
                return rejected.empty() ? std::string("old") : std::string("new");
            });
            stage on(wire, settings);
            auto& call = on.call(get("/a"));
            draining drain(on, 10s);
            run_to(on, drain);
            CHECK(drain.end() == drained{1, 0});
            CHECK(drain.ended_at == 1s);
            REQUIRE(!call.ok());
            CHECK(call.failure().code() == errc::client_closed);
            CHECK(call.failure().status() == status);
            CHECK(call.failure().attempts().size() == 1);
            CHECK(wire->requests().size() == 1);
            check_closed(on, *wire);
            CHECK(on.cloud().metrics().retry_budget == 500);
        }
}

TEST_CASE("pool 23: an answer that is none to be repeated is the call's own end")
{
    auto const wire = script();
    wire->reply(404).after(1s).fail(errc::certificate_rejected, progress::not_sent).after(1s);
    stage on(wire);
    auto& missing = on.call(get("/a"));
    auto& rejected = on.call(get("/b"));
    draining drain(on, 10s);
    run_to(on, drain);
    CHECK(drain.end() == drained{2, 0});
    CHECK(missing.failure() == condition::not_found);
    CHECK(rejected.failure().code() == errc::certificate_rejected);
}

TEST_CASE("pool 23: what is not back in time is cut")
{
    for (auto const threads : both)
    {
        auto const wire = std::make_shared<talking_wire>(by_place);
        stage on(wire, config_with(threads));
        auto& quick = on.call(get("/ok/v1/things"));
        auto& slow = on.call(get("/hangs/v1/things"), {.timeout = 0ms, .attempt_timeout = 0ms});
        draining drain(on, 5s);
        run_to(on, drain);
        CHECK(drain.end() == drained{1, 1});
        CHECK(drain.ended_at == 5s);
        CHECK(drain.stayed);
        CHECK(quick.ok());
        CHECK(on.since_start(quick.ended_at) == 1s);
        REQUIRE(!slow.ok());
        CHECK(slow.failure().code() == errc::client_closed);
        CHECK(slow.failure().progress() == progress::maybe_sent);
        CHECK(slow.failure().attempts().size() == 1);
        CHECK(on.since_start(slow.ended_at) == 5s);
        check_closed(on, *wire);
    }
}

TEST_CASE("pool 23: no time at all cuts at once")
{
    for (auto const timeout : {0ms, -1ms, milliseconds::min()})
        for (auto const threads : both)
        {
            CAPTURE(timeout);
            auto const wire = std::make_shared<talking_wire>(by_place);
            stage on(wire, config_with(threads, 1));
            auto& sent = on.call(get("/ok/v1/things"));
            auto& in_line = on.call(get("/ok/v1/things"));
            draining drain(on, timeout);
            on.poll();
            REQUIRE(drain.ended());
            CHECK(drain.end() == drained{0, 1});
            CHECK(on.elapsed() == 0s);
            CHECK(sent.failure().code() == errc::client_closed);
            CHECK(sent.failure().progress() == progress::maybe_sent);
            CHECK(in_line.failure().code() == errc::client_closed);
            CHECK(in_line.failure().progress() == progress::not_sent);
            check_closed(on, *wire);
        }
}

TEST_CASE("pool 23: a client that does nothing is closed at once, however long it may take")
{
    for (auto const timeout : {milliseconds::max(), milliseconds(10s), 0ms})
        for (auto const threads : both)
        {
            auto const wire = script();
            wire->reply(200);
            stage on(wire, config_with(threads));
            CHECK(on.ask(get("/a")).has_value());
            draining drain(on, timeout);
            on.poll();
            REQUIRE(drain.ended());
            CHECK(drain.end() == drained{0, 0});
            CHECK(on.elapsed() == 0s);
            check_closed(on, *wire);
        }
}

TEST_CASE("pool 23: a call's own deadline, its cancellation and its attempt_timeout count while the client drains")
{
    for (auto const threads : both)
    {
        auto const wire = std::make_shared<talking_wire>(by_place);
        stage on(wire, config_with(threads));
        auto& late = on.call(get("/hangs"), {.timeout = 2s});
        auto& slow = on.call(get("/hangs"), {.attempt_timeout = 3s});
        auto& unwanted = on.call(get("/hangs"));
        draining drain(on, 10s);
        on.poll();
        unwanted.cancel();
        on.poll();
        CHECK(on.elapsed() == 0s);
        REQUIRE(unwanted.ended());
        CHECK(unwanted.failure().code() == errc::cancelled);
        run_to(on, drain);
        CHECK(drain.end() == drained{3, 0});
        CHECK(drain.ended_at == 3s);
        CHECK(late.failure().code() == errc::deadline_exceeded);
        CHECK(on.since_start(late.ended_at) == 2s);
        CHECK(slow.failure().code() == errc::client_closed); // there would have been another try
        CHECK(slow.failure().attempts().at(0).code == errc::attempt_timeout);
        check_closed(on, *wire);
    }
}

TEST_CASE("pool 23: an endless drain_timeout is waited for as long as it takes, and arms no timer for the end of time")
{
    struct watching_wire : talking_wire
    {
        using talking_wire::talking_wire;
        void arm(ccloud::timer_node& node, ccloud::steady_time due) override
        {
            if (due == ccloud::steady_time::max())
                ++endless;
            else
                talking_wire::arm(node, due);
        }
        int endless = 0;
    };
    for (auto const timeout : {milliseconds::max(), milliseconds(std::chrono::hours(24 * 365 * 20))})
    {
        auto const wire = std::make_shared<watching_wire>(by_place);
        stage on(wire);
        auto& slow = on.call(get("/hangs"), {.timeout = 0ms, .attempt_timeout = 0ms});
        draining drain(on, timeout);
        run_to(on, drain);
        CHECK(drain.end() == drained{1, 0});
        CHECK(drain.ended_at == 24h);
        CHECK(slow.ok());
        CHECK(wire->endless == 0);
    }
}

TEST_CASE("pool 23: new calls are refused while the client drains, whatever handle they are made on")
{
    for (auto const threads : both)
    {
        auto const wire = std::make_shared<talking_wire>(by_place);
        stage on(wire, config_with(threads));
        auto traced = on.cloud().with_header("X-Trace", "t");
        auto& under_way = on.call(get("/ok"));
        draining drain(on, 10s);
        on.poll();
        auto& late = on.call(get("/ok"));
        REQUIRE(late.ended());
        CHECK(late.failure().code() == errc::client_closed);
        CHECK(late.failure().progress() == progress::not_sent);
        std::optional<errc> other;
        auto body = [](ccloud::client cloud, std::optional<errc>& into) -> asio::awaitable<void> {
            auto group = co_await iam::ip_groups(cloud).get("ipg-1");
            into = group.error().code();
        };
        asio::co_spawn(on.context(), body(traced, other), [](std::exception_ptr thrown) { CHECK(!thrown); });
        on.poll();
        CHECK(other == errc::client_closed);
        CHECK(wire->requests().size() == 1);
        run_to(on, drain);
        CHECK(under_way.ok());
        CHECK(drain.end() == drained{1, 0});
    }
}

TEST_CASE("pool 23: it may be awaited any number of times, one after the other")
{
    for (auto const threads : both)
    {
        auto const wire = std::make_shared<talking_wire>(by_place);
        stage on(wire, config_with(threads));
        on.call(get("/ok"));
        draining first(on, 10s);
        run_to(on, first);
        CHECK(first.end() == drained{1, 0});
        for (auto const timeout : {milliseconds(10s), 0ms})
        {
            draining again(on, timeout);
            on.poll();
            REQUIRE(again.ended());
            CHECK(again.end() == drained{0, 0});
            CHECK(again.ended_at == 1s);
        }
        check_closed(on, *wire);
    }
}

TEST_CASE("pool 23: where several await it, the shortest timeout counts, and all tell the same")
{
    for (auto const threads : both)
        for (bool const shortest_first : {true, false})
        {
            CAPTURE(shortest_first);
            auto const wire = std::make_shared<talking_wire>(by_place);
            stage on(wire, config_with(threads));
            on.call(get("/ok"));
            on.call(get("/hangs"));
            draining one(on, shortest_first ? 3s : 10s);
            draining other(on, shortest_first ? 10s : 3s);
            run_to(on, one);
            run_to(on, other);
            for (auto const* const each : {&one, &other})
            {
                CHECK(each->ended_at == 3s);
                CHECK(each->end() == drained{1, 1});
            }
            check_closed(on, *wire);
        }
}

TEST_CASE("pool 23: one that comes later counts what is still on the wire")
{
    auto const wire = std::make_shared<talking_wire>(by_place);
    stage on(wire);
    on.call(get("/ok"));
    on.call(get("/hangs"));
    draining early(on, 5s);
    on.pass(2s);
    draining late(on, 10s);
    run_to(on, early);
    run_to(on, late);
    CHECK(early.end() == drained{1, 1});
    CHECK(late.end() == drained{0, 1});
    CHECK(late.ended_at == 5s);
}

TEST_CASE("pool 23: close() while the client drains ends it at once, and what it ends is cut")
{
    for (auto const threads : both)
    {
        auto const wire = std::make_shared<talking_wire>(by_place);
        stage on(wire, config_with(threads));
        auto& call = on.call(get("/ok"));
        draining drain(on, 10s);
        on.poll();
        on.cloud().close();
        on.poll();
        REQUIRE(drain.ended());
        CHECK(drain.end() == drained{0, 1});
        CHECK(on.elapsed() == 0s);
        CHECK(call.failure().code() == errc::client_closed);
        check_closed(on, *wire);
    }
}

TEST_CASE("pool 23: after close() it waits for what close() has cut, and no longer")
{
    for (auto const threads : both)
    {
        auto const wire = std::make_shared<talking_wire>(by_place);
        stage on(wire, config_with(threads));
        auto& call = on.call(get("/ok"));
        on.cloud().close();
        draining at_once(on, 10s); // the end of the call is on its way
        on.poll();
        CHECK(call.ended());
        REQUIRE(at_once.ended());
        CHECK(at_once.end().finished == 0);
        draining later(on, 10s);
        on.poll();
        REQUIRE(later.ended());
        CHECK(later.end() == drained{0, 0});
        CHECK(on.elapsed() == 0s);
        check_closed(on, *wire);
    }
}

TEST_CASE(
    "pool 23: what a transport throws while the client drains is thrown from close(timeout), and the client is closed"
)
{
    struct timerless_wire : talking_wire
    {
        using talking_wire::talking_wire;
        void arm(ccloud::timer_node& node, ccloud::steady_time due) override
        {
            if (timerless)
                throw std::bad_alloc();
            talking_wire::arm(node, due);
        }
        bool timerless = false;
    };
    for (auto const threads : both)
    {
        auto const wire = std::make_shared<timerless_wire>(by_place);
        stage on(wire, config_with(threads));
        auto const& call = on.call(get("/hangs"), {.timeout = 0ms});
        wire->timerless = true;
        draining drain(on, 10s);
        run_to(on, drain);
        CHECK(!drain.outcome);
        REQUIRE(drain.thrown != nullptr);
        CHECK_THROWS_AS(std::rethrow_exception(drain.thrown), std::bad_alloc);
        REQUIRE(call.ended());
        CHECK(call.failure().code() == errc::client_closed);
        wire->timerless = false;
        check_closed(on, *wire);
    }
}

TEST_CASE("pool 23: it is awaited on any executor, and resumes there")
{
    for (auto const threads : both)
        for (bool const cut : {true, false})
        {
            CAPTURE(threads);
            auto const wire = std::make_shared<talking_wire>(by_place);
            stage on(wire, config_with(threads));
            auto& call = on.call(get("/ok"));
            auto const strand = asio::make_strand(on.context().get_executor());
            draining there(on, cut ? 500ms : 10s, hears::terminal, strand);
            draining here(on, 10s, hears::terminal, on.cloud().executor());
            run_to(on, there);
            run_to(on, here);
            CHECK(there.stayed);
            CHECK(here.stayed);
            CHECK(there.ended_at == (cut ? 500ms : 1s));
            CHECK(call.ok() == !cut);
            CHECK(there.end() == (cut ? drained{0, 1} : drained{1, 0}));
            check_closed(on, *wire);
        }
}

TEST_CASE("pool 23: it is awaited on another thread while the client's own runs")
{
    for (auto const threads : both)
    {
        auto const wire = std::make_shared<talking_wire>(by_place);
        stage on(wire, config_with(threads));
        auto& call = on.call(get("/ok"));
        auto const guard = asio::make_work_guard(on.context());
        std::optional<drained> end;
        std::atomic<bool> done = false;
        auto body = [](ccloud::operation<drained> work, std::optional<drained>& into) -> asio::awaitable<void> {
            auto got = co_await std::move(work);
            into = got.value();
        };
        asio::io_context own;
        asio::co_spawn(own, body(on.cloud().close(10s), end), [](std::exception_ptr thrown) { CHECK(!thrown); });
        std::thread other([&] {
            own.run();
            done = true;
            asio::post(on.context(), [] {});
        });
        on.context().restart();
        on.context().run_one(); // the drain begins
        while (!done)
            if (!on.step())
                on.context().run_one();
        other.join();
        REQUIRE(end.has_value());
        CHECK(*end == drained{1, 0});
        CHECK(call.ok());
        check_closed(on, *wire);
    }
}

TEST_CASE("pool 23, X1: where the wait is cancelled the client closes at once")
{
    using kind = asio::cancellation_type;
    for (auto const threads : both)
        for (auto const how : {kind::terminal, kind::partial, kind::total})
        {
            CAPTURE(threads);
            CAPTURE(how);
            auto const wire = std::make_shared<talking_wire>(by_place);
            stage on(wire, config_with(threads));
            auto& call = on.call(get("/ok"));
            draining drain(on, 10s, hears::anything);
            on.poll();
            CHECK(!drain.ended());
            drain.cancel(how);
            on.poll();
            REQUIRE(drain.ended());
            CHECK(!drain.thrown);
            CHECK(drain.end() == drained{0, 1});
            CHECK(drain.threw_as_before);
            CHECK(on.elapsed() == 0s);
            CHECK(call.failure().code() == errc::client_closed);
            check_closed(on, *wire);
        }
}

TEST_CASE("X1: a wait for the drain that lets no other cancellation pass is cancelled by terminal alone")
{
    for (auto const threads : both)
    {
        auto const wire = std::make_shared<talking_wire>(by_place);
        stage on(wire, config_with(threads));
        auto& call = on.call(get("/ok"));
        draining drain(on, 10s, hears::terminal);
        on.poll();
        drain.cancel(asio::cancellation_type::partial);
        drain.cancel(asio::cancellation_type::total);
        run_to(on, drain);
        CHECK(drain.end() == drained{1, 0});
        CHECK(call.ok());
    }
}

TEST_CASE("X1: one of two that wait for the drain is cancelled: both hear at once, and the same")
{
    for (auto const threads : both)
    {
        auto const wire = std::make_shared<talking_wire>(by_place);
        stage on(wire, config_with(threads));
        on.call(get("/ok"));
        draining patient(on, 10s);
        draining hasty(on, 10s);
        on.poll();
        hasty.cancel();
        on.poll();
        REQUIRE(patient.ended());
        REQUIRE(hasty.ended());
        CHECK(on.elapsed() == 0s);
        CHECK(hasty.end() == drained{0, 1});
        CHECK(patient.end() == drained{0, 1});
    }
}

TEST_CASE("X1: a coroutine that was cancelled before has no patience left: the client closes at once")
{
    for (auto const threads : both)
    {
        CAPTURE(threads);
        auto const wire = std::make_shared<talking_wire>(by_place);
        stage on(wire, config_with(threads));
        auto& call = on.call(get("/ok"));
        std::optional<drained> end;
        asio::cancellation_signal signal;
        auto body = [](ccloud::client cloud, asio::cancellation_signal& own,
                       std::optional<drained>& into) -> asio::awaitable<void> {
            co_await asio::this_coro::throw_if_cancelled(false);
            own.emit(asio::cancellation_type::terminal);
            auto got = co_await cloud.close(10s);
            into = got.value();
        };
        asio::co_spawn(
            on.context(), body(on.cloud(), signal, end),
            asio::bind_cancellation_slot(signal.slot(), [](std::exception_ptr thrown) { CHECK(!thrown); })
        );
        on.poll();
        CHECK(on.elapsed() == 0s);
        CHECK(call.ended());
        CHECK((end && *end == drained{0, 1}));
        while (!end && on.step())
        {
        }
    }
}

TEST_CASE("X2: throw_if_cancelled of the coroutine that waits is what it was")
{
    for (auto const threads : both)
        for (bool const throws : {true, false})
        {
            auto const wire = std::make_shared<talking_wire>(by_place);
            stage on(wire, config_with(threads));
            on.call(get("/ok"));
            std::optional<bool> after;
            auto body = [](ccloud::client cloud, bool throwing, std::optional<bool>& into) -> asio::awaitable<void> {
                co_await asio::this_coro::throw_if_cancelled(throwing);
                auto got = co_await cloud.close(10s);
                CHECK(got.has_value());
                into = co_await asio::this_coro::throw_if_cancelled();
            };
            asio::co_spawn(on.context(), body(on.cloud(), throws, after), [](std::exception_ptr thrown) {
                CHECK(!thrown);
            });
            on.run();
            while (!after)
                REQUIRE(on.step());
            CHECK(after == throws);
        }
}

TEST_CASE("X4: the last handle goes while the client drains: it closes at once, and who waits is told")
{
    for (auto const threads : both)
    {
        auto const wire = std::make_shared<talking_wire>(by_place);
        stage on(wire, config_with(threads));
        auto& call = on.call(get("/ok"));
        draining drain(on, 10s);
        on.poll();
        on.drop_client();
        on.poll();
        REQUIRE(drain.ended());
        CHECK(drain.end() == drained{0, 1});
        CHECK(on.elapsed() == 0s);
        CHECK(call.failure().code() == errc::client_closed);
        CHECK(wire->closed());
    }
}

TEST_CASE("X4: the last handle goes before the drain is awaited: there is nothing left to wait for")
{
    for (auto const threads : both)
    {
        auto const wire = std::make_shared<talking_wire>(by_place);
        stage on(wire, config_with(threads));
        auto& call = on.call(get("/ok"));
        draining drain(on, 10s);
        on.drop_client();
        on.poll();
        CHECK(call.ended());
        REQUIRE(drain.ended());
        CHECK(on.elapsed() == 0s);
        CHECK(wire->closed());
    }
}

TEST_CASE("a listing under way keeps what it has, gets the page that is on the wire, and no further one")
{
    auto const page = [](std::string_view ids, std::string_view next) {
        return std::string(R"({"metadata":{"next":")").append(next).append(R"("},"data":[)").append(ids).append("]}");
    };
    auto const link = "https://x.example/iam/v2/ip-groups?page_token=";
    for (bool const on_the_wire : {true, false})
        for (int const prefetch : {0, 1})
        {
            CAPTURE(on_the_wire);
            CAPTURE(prefetch);
            auto const wire = script();
            wire->reply(200, page(R"({"id":"a"},{"id":"b"})", std::string(link) + "T1")).after(1s);
            wire->reply(200, page(R"({"id":"c"})", std::string(link) + "T2")).after(1s);
            std::vector<std::string> ids;
            std::optional<ccloud::error> failure;
            stage on(wire);
            auto body = [](ccloud::client cloud, int ahead, std::vector<std::string>& into,
                           std::optional<ccloud::error>& ended) -> asio::awaitable<void> {
                auto listing = iam::ip_groups(cloud).list({.prefetch = ahead});
                for (;;)
                {
                    auto item = co_await listing.next();
                    if (!item.has_value())
                    {
                        ended = item.error();
                        co_return;
                    }
                    if (!item->has_value())
                        co_return;
                    into.push_back((*item)->id);
                }
            };
            asio::co_spawn(on.context(), body(on.cloud(), prefetch, ids, failure), [](std::exception_ptr thrown) {
                CHECK(!thrown);
            });
            on.pass(on_the_wire ? 1500ms : 500ms);
            draining drain(on, 10s);
            run_to(on, drain);
            while (!failure)
                REQUIRE(on.step());
            CHECK(failure->code() == errc::client_closed);
            CHECK(ids.size() == (on_the_wire ? 3 : 2));
            CHECK(wire->requests().size() == (on_the_wire ? 2 : 1));
            CHECK(drain.end() == drained{1, 0});
            CHECK(wire->remaining() == (on_the_wire ? 0 : 1));
        }
}

TEST_CASE("X4: a thousand calls end, each by an answer or by client_closed, and nothing is left")
{
    for (auto const threads : both)
    {
        int number = 0;
        auto const wire = std::make_shared<talking_wire>([&number](ccloud::http_request const&) {
            return ++number % 3 == 0 ? said(503).after(2s) : said(200).after(number * 10ms);
        });
        stage on(wire, config_with(threads, 100));
        for (int i = 0; i < 1'000; ++i)
            on.add(get("/a/v1/things"));
        on.poll();
        auto const sent = wire->in_flight();
        CHECK(sent > 0);
        draining drain(on, 1s);
        run_to(on, drain);
        CHECK(drain.end().finished + drain.end().cut == sent);
        CHECK(drain.end().finished > 0);
        CHECK(drain.end().cut > 0);
        CHECK(drain.ended_at == 1s);
        std::size_t good = 0;
        for (auto& each : on.calls())
        {
            REQUIRE(each.ended());
            good += each.ok() ? 1u : 0u;
            if (!each.ok())
                CHECK(each.failure().code() == errc::client_closed);
        }
        CHECK(good == drain.end().finished);
        CHECK(wire->requests().size() == sent);
        check_closed(on, *wire);
        CHECK(on.cloud().metrics().retry_budget == 500);
    }
}

namespace {

/** Conversations of three calls that wait in all ways there are. */
std::vector<std::pair<char const*, std::function<talking_wire::talk()>>> const& servers()
{
    using number_to_answer = said (*)(int);
    auto const by_number = [](number_to_answer answer) {
        return [answer]() -> talking_wire::talk {
            return [answer, number = 0](ccloud::http_request const&) mutable { return answer(number++); };
        };
    };
    static std::vector<std::pair<char const*, std::function<talking_wire::talk()>>> const all{
        {"slow", by_number([](int) { return said(200).after(1s); })},
        {"at once", by_number([](int) { return said(200); })},
        {"failing", by_number([](int n) { return n < 3 ? said(503).after(100ms) : said(200).after(1s); })},
        {"throttling", by_number([](int n) {
             return n == 0 ? said(429).with("Retry-After", "3").after(100ms) : said(200).after(1s);
         })},
        {"redirecting", by_number([](int n) {
             return n % 2 == 0 ? said(307).with("Location", "/a/v1/things/b").after(500ms) : said(200).after(500ms);
         })},
        {"replaying", by_number([](int n) { return n == 0 ? said(421).after(100ms) : said(200).after(1s); })},
        {"hanging", by_number([](int n) { return said(200).after(n == 1 ? 24h : 1s); })},
    };
    return all;
}

/** Plays each conversation to each of its handlers, drains then, and plays on as `then` does. */
template <class Function>
void after_every_handler(milliseconds timeout, Function const& then)
{
    for (auto const& [name, server] : servers())
        for (auto const threads : both)
        {
            bool more = true;
            for (int k = 0; more; ++k)
            {
                INFO(name);
                CAPTURE(threads);
                CAPTURE(k);
                auto const wire = std::make_shared<talking_wire>(server());
                stage on(wire, config_with(threads, 2));
                wire->dice(~std::uint64_t(0));
                for (int i = 0; i < 3; ++i)
                    on.add(get("/a/v1/things"));
                for (int i = 0; more && i < k; ++i)
                    more = on.step();
                then(on, *wire, timeout, threads);
            }
        }
}

} // namespace

TEST_CASE("pool 23: a drain begun after any handler ends in time, sends nothing, and every call has its end")
{
    for (auto const timeout : {0ms, 700ms, milliseconds(48h)})
        after_every_handler(
            timeout,
            [](stage& on, talking_wire& wire, milliseconds patience, ccloud::threading threads) {
                std::size_t on_wire = 0;
                std::size_t requests = 0;
                auto const began = on.elapsed();
                if (threads == ccloud::threading::serial)
                    asio::post(on.context(), [&] { // right before the drain
                        on_wire = wire.in_flight();
                        requests = wire.requests().size();
                    });
                draining drain(on, patience);
                run_to(on, drain);
                REQUIRE(drain.outcome.has_value());
                if (threads == ccloud::threading::serial)
                {
                    CHECK(drain.end().finished + drain.end().cut == on_wire);
                    CHECK(wire.requests().size() == requests);
                }
                CHECK(drain.ended_at - began <= std::max(patience, 0ms));
                for (auto& each : on.calls())
                {
                    REQUIRE(each.ended());
                    CHECK(!each.thrown);
                    if (!each.ok())
                        CHECK(each.failure().code() == errc::client_closed);
                }
                check_closed(on, wire);
            }
        );
}

TEST_CASE("pool 23, X4: the execution context goes after any handler of a drain, and leaks nothing")
{
    for (int after : {0, 1, 2, 3, 5, 8})
        after_every_handler(10s, [after](stage& on, talking_wire&, milliseconds patience, ccloud::threading) {
            draining here(on, patience);
            auto elsewhere = [](ccloud::operation<drained> work) -> asio::awaitable<void> {
                (void)co_await std::move(work);
            };
            asio::co_spawn(
                asio::make_strand(on.context()), elsewhere(on.cloud().close(patience)),
                [](std::exception_ptr thrown) { CHECK(!thrown); }
            );
            for (int i = 0; i < after; ++i)
                on.step();
            on.drop_context();
        });
}

TEST_CASE("shards: one that drains leaves the line to the others, and finishes what it has sent")
{
    auto settings = config_with(ccloud::threading::serial, 1);
    auto common = std::make_shared<detail::shared_parts>();
    common->limits = std::make_shared<detail::admission>(settings);
    asio::io_context context;
    auto const wire = std::make_shared<talking_wire>([](ccloud::http_request const&) { return said(200).after(1s); });
    auto const make = [&](std::shared_ptr<ccloud::transport> over) {
        return std::make_shared<detail::client_core>(context.get_executor(), settings, std::move(over), common);
    };
    auto const other_wire =
        std::make_shared<talking_wire>([](ccloud::http_request const&) { return said(200).after(1s); });
    auto const one = make(wire);
    auto const other = make(other_wire);
    std::vector<std::optional<errc>> ends(4);
    auto ask = [](std::shared_ptr<detail::client_core> core, std::optional<errc>& into) -> asio::awaitable<void> {
        ccloud::planned_request planned;
        planned.request = get("/a/v1/things");
        auto call = core->plan(std::move(planned), {}, nullptr);
        auto failed = co_await core->run(call);
        into = errc::unset;
        if (failed)
            into = failed->code();
    };
    auto const failed = [](std::exception_ptr thrown) { CHECK(!thrown); };
    for (std::size_t i = 0; i < 4; ++i) // two are sent, one each; two wait, one each
        asio::co_spawn(context, ask(i % 2 == 0 ? one : other, ends[i]), failed);
    context.poll();
    CHECK(one->snapshot().waiting == 2);
    std::optional<drained> end;
    auto drain = [](std::shared_ptr<detail::client_core> core, std::optional<drained>& into) -> asio::awaitable<void> {
        auto got = co_await core->drain(10s);
        into = got.value();
    };
    asio::co_spawn(context, drain(one, end), failed);
    context.restart();
    context.poll();
    CHECK(ends[2] == errc::client_closed);
    CHECK(other->snapshot().waiting == 1);
    auto& clock = ccloud::testing::virtual_clock::of_this_thread();
    auto const began = clock.now();
    while (!ends[3])
    {
        context.restart();
        if (context.poll() == 0)
            REQUIRE(clock.advance());
    }
    CHECK(clock.now() - began == 2s);
    CHECK(ends[0] == errc::unset);
    CHECK(ends[1] == errc::unset);
    CHECK(ends[3] == errc::unset);
    REQUIRE(end.has_value());
    CHECK(*end == drained{1, 0});
    CHECK(wire->closed());
    CHECK(!other_wire->closed());
    CHECK(other->snapshot().in_flight == 0);
    other->close();
    context.restart();
    context.poll();
}

TEST_CASE("pool 23: a call that waits for a connection is not on the wire: it ends at once, and is not counted")
{
    support::raw_server const server({{""}}); // reads, and never answers
    ccloud::config settings;
    settings.endpoint = server.endpoint();
    settings.credentials = ccloud::api_key("K", "S");
    settings.threading = ccloud::threading::serial;
    settings.pool.max_connections_per_origin = 1;
    asio::io_context context;
    ccloud::client const cloud(context.get_executor(), settings);
    std::vector<std::optional<ccloud::error>> ends(2);
    auto ask = [](ccloud::client shared, std::string target,
                  std::optional<ccloud::error>& into) -> asio::awaitable<void> {
        auto got = co_await shared.execute(get(std::move(target)));
        into = got.error();
    };
    auto const failed = [](std::exception_ptr thrown) { CHECK(!thrown); };
    asio::co_spawn(context, ask(cloud, "/a/v1/things", ends[0]), failed);
    auto const run_until = [&context](auto const& holds) {
        while (!holds())
        {
            context.restart();
            if (context.poll_one() == 0)
                std::this_thread::yield();
        }
    };
    run_until([&server] { return server.requests() == 1; });
    asio::co_spawn(context, ask(cloud, "/b/v1/things", ends[1]), failed); // another gate, the same connections
    run_until([&cloud] { return cloud.metrics().connections.waiting == 1; });
    std::optional<drained> end;
    auto drain = [](ccloud::client shared, std::optional<drained>& into) -> asio::awaitable<void> {
        auto got = co_await shared.close(0ms);
        into = got.value();
    };
    asio::co_spawn(context, drain(cloud, end), failed);
    context.restart();
    context.run();
    REQUIRE(ends[0].has_value());
    CHECK(ends[0]->code() == errc::client_closed);
    CHECK(ends[0]->progress() == progress::maybe_sent);
    REQUIRE(ends[1].has_value());
    CHECK(ends[1]->code() == errc::client_closed);
    CHECK(ends[1]->progress() == progress::not_sent);
    REQUIRE(end.has_value());
    CHECK(*end == drained{0, 1});
}
