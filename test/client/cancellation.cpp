#include <ccloud/ccloud.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "client.hpp"
#include "printers.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <doctest/doctest.h>

#include <exception>
#include <optional>
#include <vector>

using namespace std::chrono_literals;
using ccloud::condition;
using ccloud::errc;
using ccloud::progress;
using support::script;
namespace asio = boost::asio;
namespace iam = ccloud::iam;

namespace {

constexpr auto group_json = R"({"id":"ipg-1"})";

/** A call that was started by itself, so that it can be cancelled from outside. Nothing moves time. */
class started_call
{
public:
    started_call(
        std::shared_ptr<ccloud::testing::scripted_transport> wire, ccloud::threading threads, bool throws = false
    )
    {
        auto settings = support::test_config();
        settings.threading = threads;
        cloud_.emplace(context_.get_executor(), settings, std::move(wire));
        auto body = [](started_call& self, bool throwing) -> asio::awaitable<void> {
            co_await asio::this_coro::throw_if_cancelled(throwing);
            co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
            auto call = iam::ip_groups(*self.cloud_).get("ipg-1");
            self.outcome = co_await std::move(call);
            self.throws_afterwards = co_await asio::this_coro::throw_if_cancelled();
        };
        asio::co_spawn(
            context_, body(*this, throws),
            asio::bind_cancellation_slot(signal_.slot(), [this](std::exception_ptr failed) { thrown = failed; })
        );
        poll();
    }

    void poll()
    {
        context_.restart();
        context_.poll();
    }

    void cancel(asio::cancellation_type kind)
    {
        signal_.emit(kind);
        poll();
    }

    ccloud::client& cloud() { return *cloud_; }
    void drop_client()
    {
        cloud_.reset();
        poll();
    }

    std::optional<ccloud::result<iam::ip_group>> outcome;
    bool throws_afterwards = false;
    std::exception_ptr thrown;

private:
    asio::io_context context_;
    asio::cancellation_signal signal_;
    std::optional<ccloud::client> cloud_;
};

} // namespace

TEST_CASE("X1: a call that waits for its answer is cancelled by poll() alone, in place and across executors")
{
    for (auto const threads : {ccloud::threading::serial, ccloud::threading::safe})
    {
        auto wire = script();
        wire->hang();
        started_call call(wire, threads);
        REQUIRE(!call.outcome);
        CHECK(wire->in_flight() == 1);
        call.cancel(asio::cancellation_type::terminal);
        REQUIRE(call.outcome.has_value());
        CHECK(call.outcome->error().code() == errc::cancelled);
        CHECK(call.outcome->error() == condition::cancelled);
        CHECK(call.outcome->error().progress() == progress::maybe_sent);
        CHECK(wire->in_flight() == 0);
        CHECK(wire->requests().size() == 1);
    }
}

TEST_CASE("X1: a call that waits between tries is cancelled by any kind, and sends nothing more")
{
    for (auto const threads : {ccloud::threading::serial, ccloud::threading::safe})
        for (auto const kind :
             {asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total})
        {
            auto wire = script();
            wire->reply(429).header("Retry-After", "60").reply(200, group_json);
            started_call call(wire, threads);
            REQUIRE(!call.outcome);
            call.cancel(kind);
            REQUIRE(call.outcome.has_value());
            CHECK(call.outcome->error().code() == errc::cancelled);
            CHECK(call.outcome->error().status() == 429); // what the last try brought is kept
            CHECK(call.outcome->error().attempts().size() == 1);
            CHECK(wire->requests().size() == 1);
        }
}

TEST_CASE("X2: the coroutine's own throw_if_cancelled is saved and restored, never reset")
{
    for (bool const throws : {true, false})
        for (auto const threads : {ccloud::threading::serial, ccloud::threading::safe})
        {
            auto wire = script();
            wire->reply(200, group_json);
            started_call call(wire, threads, throws);
            REQUIRE(call.outcome.has_value());
            CHECK(call.outcome->has_value());
            CHECK(call.throws_afterwards == throws);
        }
}

TEST_CASE("X2: a listing, too, restores the coroutine's own throw_if_cancelled, whatever becomes of its page")
{
    auto const first_page = R"({"data":[{"id":"1"}],"metadata":{"next":"/x?page_token=t"}})";
    for (bool const throws : {true, false})
        for (auto const threads : {ccloud::threading::serial, ccloud::threading::safe})
            for (int const prefetch : {0, 1})
            {
                CAPTURE(throws);
                CAPTURE(static_cast<int>(threads));
                CAPTURE(prefetch);
                auto wire = script();
                wire->reply(200, first_page).reply(404).reply(200, R"({"data":[{"id":"2"}]})");
                auto settings = support::test_config();
                settings.threading = threads;
                std::vector<bool> given, kept;
                auto body = [&](ccloud::client cloud) -> asio::awaitable<void> {
                    co_await asio::this_coro::throw_if_cancelled(throws);
                    auto listing = iam::ip_groups(cloud).list({.prefetch = prefetch});
                    for (int i = 0; i < 4; ++i) // an item, a failure, an item, the end
                    {
                        auto const got = co_await listing.next();
                        given.push_back(got.has_value());
                        kept.push_back(co_await asio::this_coro::throw_if_cancelled());
                    }
                };
                asio::io_context context;
                ccloud::client cloud(context.get_executor(), settings, wire);
                asio::co_spawn(context, body(cloud), asio::detached);
                context.poll();
                CHECK(given == std::vector<bool>{true, false, true, true});
                CHECK(kept == std::vector<bool>(4, throws));
            }
}

TEST_CASE("X4: close() ends a call wherever it waits, and refuses further ones")
{
    for (auto const threads : {ccloud::threading::serial, ccloud::threading::safe})
    {
        auto waiting = script();
        waiting->reply(503).header("Retry-After", "60");
        started_call call(waiting, threads);
        call.cloud().close();
        call.poll();
        REQUIRE(call.outcome.has_value());
        CHECK(call.outcome->error().code() == errc::client_closed);
        CHECK(call.outcome->error() == condition::cancelled);

        auto hanging = script();
        hanging->hang();
        started_call other(hanging, threads);
        other.cloud().close();
        other.cloud().close();
        other.poll();
        REQUIRE(other.outcome.has_value());
        CHECK(other.outcome->error().code() == errc::client_closed);
        CHECK(other.outcome->error().progress() == progress::maybe_sent);
    }
}

TEST_CASE("a call outlives its collection, and is cancelled when the last handle goes")
{
    auto wire = script();
    wire->hang();
    started_call call(wire, ccloud::threading::safe);
    REQUIRE(!call.outcome);
    call.drop_client();
    REQUIRE(call.outcome.has_value());
    CHECK(call.outcome->error().code() == errc::client_closed);
    CHECK(wire->closed());
}

TEST_CASE("an execution context that goes while calls wait takes them along and leaks nothing")
{
    for (auto const threads : {ccloud::threading::serial, ccloud::threading::safe})
    {
        auto hanging = script();
        hanging->hang();
        started_call const one(hanging, threads);
        auto backing_off = script();
        backing_off->reply(429).header("Retry-After", "60");
        started_call const two(backing_off, threads);
        CHECK(!one.outcome);
        CHECK(!two.outcome);
    }
}

TEST_CASE("a context that goes before its strands takes a waiting call along that holds the last handle")
{
    auto settings = support::test_config();
    asio::io_context context;
    {
        // The lots' service is made first, so that the strands' is gone before it at the end.
        ccloud::client const early(context.get_executor(), settings, script());
    }
    settings.threading = ccloud::threading::safe;
    auto wire = script();
    wire->reply(429).header("Retry-After", "60");
    auto body = [](ccloud::client last) -> asio::awaitable<void> {
        auto got = co_await iam::ip_groups(last).get("ipg-1");
        CHECK(!got.has_value());
    };
    {
        ccloud::client cloud(context.get_executor(), settings, std::move(wire));
        auto const executor = cloud.executor();
        asio::co_spawn(executor, body(std::move(cloud)), asio::detached);
    }
    context.poll();
}

namespace {

/** Emits a signal at a time on the virtual clock. */
struct timed_cancellation : ccloud::timer_node
{
    timed_cancellation()
    {
        fire = [](ccloud::timer_node& node) noexcept {
            static_cast<timed_cancellation&>(node).signal.emit(asio::cancellation_type::terminal);
        };
    }
    asio::cancellation_signal signal;
};

} // namespace

namespace {

/** Runs `call` and cancels it one virtual second after it began to wait, in the very turn of an answer that takes as
    long. (The clock fires timers of one time in the order in which they were armed.) */
asio::awaitable<void> cancelled_with_the_answer(
    std::shared_ptr<ccloud::testing::scripted_transport> wire, asio::awaitable<void> call
)
{
    auto const here = co_await asio::this_coro::executor;
    timed_cancellation soon;
    auto arm_later = [](auto& own, timed_cancellation& node) -> asio::awaitable<void> {
        own.arm(node, own.now() + 1s);
        co_return;
    };
    asio::co_spawn(here, arm_later(*wire, soon), asio::detached); // runs once the call waits
    auto token = asio::bind_cancellation_slot(soon.signal.slot(), asio::use_awaitable);
    auto running = asio::co_spawn(here, std::move(call), token);
    co_await std::move(running);
    wire->disarm(soon);
}

} // namespace

TEST_CASE("X2: a cancellation in the turn of the answer ends the call then, not after the wait that would follow")
{
    auto wire = script();
    wire->reply(429).header("Retry-After", "60").after(1s);
    support::with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
        std::optional<ccloud::result<iam::ip_group>> outcome;
        auto call = [](ccloud::client shared, auto& out) -> asio::awaitable<void> {
            co_await asio::this_coro::throw_if_cancelled(false);
            out = co_await iam::ip_groups(shared).get("ipg-1");
        };
        auto const start = wire->now();
        auto running = cancelled_with_the_answer(wire, call(cloud, outcome));
        co_await std::move(running);
        CHECK(wire->now() - start == 1s);
        REQUIRE(outcome.has_value());
        CHECK(outcome->error().code() == errc::cancelled);
        CHECK(outcome->error().attempts().size() == 1);
    });
}

TEST_CASE("a cancelled collect() loses nothing, even where Asio throws from its inside")
{
    auto wire = script();
    wire->reply(200, R"({"data":[{"id":"1"},{"id":"2"}],"metadata":{"next":"/x?page_token=t"}})")
        .after(1s)
        .reply(200, R"({"data":[{"id":"3"}]})");
    support::with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
        auto listing = iam::ip_groups(cloud).list();
        auto call = [](ccloud::async_generator<iam::ip_group>& from) -> asio::awaitable<void> {
            try
            {
                auto got = co_await from.collect();
                CHECK(!got.has_value());
            }
            catch (boost::system::system_error const& thrown)
            {
                CHECK(thrown.code() == asio::error::operation_aborted);
            }
        };
        auto running = cancelled_with_the_answer(wire, call(listing));
        co_await std::move(running);
        CHECK(listing.checkpoint() == ccloud::checkpoint("", 0));
        auto all = co_await listing.collect();
        REQUIRE(all.has_value());
        CHECK(all->size() == 3);
    });
}

TEST_CASE("a coroutine that was cancelled before the call sends nothing")
{
    auto wire = script();
    auto settings = support::test_config();
    asio::io_context context;
    ccloud::client cloud(context.get_executor(), settings, wire);
    asio::cancellation_signal signal;
    std::optional<ccloud::result<iam::ip_group>> outcome;
    auto body = [&](asio::cancellation_signal& own) -> asio::awaitable<void> {
        co_await asio::this_coro::throw_if_cancelled(false);
        own.emit(asio::cancellation_type::terminal);
        outcome = co_await iam::ip_groups(cloud).get("ipg-1");
    };
    asio::co_spawn(context, body(signal), asio::bind_cancellation_slot(signal.slot(), asio::detached));
    context.run();
    REQUIRE(outcome.has_value());
    CHECK(outcome->error().code() == errc::cancelled);
    CHECK(outcome->error().progress() == progress::not_sent);
    CHECK(wire->requests().empty());
}
