#include <ccloud/ccloud.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "client.hpp"
#include "printers.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using ccloud::errc;
using support::script;
namespace asio = boost::asio;
namespace iam = ccloud::iam;

namespace {

constexpr auto group_json = R"({"id":"ipg-1","group_name":"CorpNet"})";

ccloud::http_response answer(ccloud::http_request const&)
{
    return ccloud::http_response(200, {}, group_json);
}

/** How far the stack is from where the loop began. */
class stack_gauge
{
public:
    void mark() noexcept { base_ = here(); }
    std::size_t depth() const noexcept
    {
        auto const now = here();
        return static_cast<std::size_t>(base_ > now ? base_ - now : now - base_);
    }

private:
    [[gnu::noinline]] static char const* here() noexcept
    {
        return static_cast<char const*>(__builtin_frame_address(0));
    }
    char const* base_ = nullptr;
};

} // namespace

TEST_CASE("a long loop of calls that complete at once does not grow the stack, in place and across executors")
{
    for (auto const threads : {ccloud::threading::serial, ccloud::threading::safe})
    {
        auto wire = script();
        wire->reply_with(answer);
        auto settings = support::test_config();
        settings.threading = threads;
        stack_gauge gauge;
        std::size_t deepest = 0;
        support::with_client(
            wire,
            [&](ccloud::client cloud) -> asio::awaitable<void> {
                iam::ip_groups groups(cloud);
                gauge.mark();
                for (int i = 0; i < 20'000; ++i)
                {
                    auto got = co_await groups.get("ipg-1");
                    REQUIRE(got.has_value());
                    deepest = (std::max)(deepest, gauge.depth());
                }
            },
            settings
        );
        CHECK(deepest < 64 * 1024);
    }
}

TEST_CASE("calls from many threads meet on the client's strand, and each resumes on its own executor")
{
    asio::io_context context;
    auto wire = script();
    wire->reply_with(answer);
    auto work = asio::make_work_guard(context);
    std::vector<std::thread> workers;
    for (int i = 0; i < 2; ++i)
        workers.emplace_back([&context] { context.run(); });
    std::atomic<int> good = 0;
    {
        ccloud::client cloud(
            context.get_executor(),
            [] {
                auto settings = support::test_config();
                settings.threading = ccloud::threading::safe;
                return settings;
            }(),
            wire
        );
        auto body = [](ccloud::client shared, std::atomic<int>& count) -> asio::awaitable<void> {
            auto const mine = co_await asio::this_coro::executor;
            iam::ip_groups groups(shared);
            for (int i = 0; i < 200; ++i)
            {
                auto got = co_await groups.get("ipg-1");
                auto const now = co_await asio::this_coro::executor;
                if (got && now == mine)
                    ++count;
            }
        };
        std::vector<std::future<void>> ends;
        for (int i = 0; i < 8; ++i)
            ends.push_back(asio::co_spawn(asio::make_strand(context), body(cloud, good), asio::use_future));
        for (auto& end : ends)
            end.get();
    }
    CHECK(good == 8 * 200);
    work.reset();
    for (auto& worker : workers)
        worker.join();
    CHECK(wire->requests().size() == 8 * 200);
}

TEST_CASE("a call across executors can be cancelled while it is on its way, without a race")
{
    asio::thread_pool pool(2);
    asio::io_context context;
    auto work = asio::make_work_guard(context);
    auto wire = script();
    wire->reply_with(answer);
    auto settings = support::test_config();
    settings.threading = ccloud::threading::safe;
    std::thread runner([&context] { context.run(); });
    int ended = 0;
    {
        ccloud::client cloud(context.get_executor(), settings, wire);
        for (int i = 0; i < 300; ++i)
        {
            auto const strand = asio::make_strand(pool);
            asio::cancellation_signal signal;
            std::promise<void> done;
            auto body = [](ccloud::client shared) -> asio::awaitable<void> {
                co_await asio::this_coro::throw_if_cancelled(false);
                auto got = co_await iam::ip_groups(shared).get("ipg-1");
                if (!got)
                    REQUIRE(got.error().code() == errc::cancelled);
            };
            asio::co_spawn(
                strand, body(cloud),
                asio::bind_cancellation_slot(
                    signal.slot(), asio::bind_executor(strand, [&done](std::exception_ptr) { done.set_value(); })
                )
            );
            asio::post(strand, [&signal] { signal.emit(asio::cancellation_type::terminal); });
            done.get_future().get();
            std::promise<void> quiet; // the emission may still be in the strand's line
            asio::post(strand, [&quiet] { quiet.set_value(); });
            quiet.get_future().get();
            ++ended;
        }
    }
    CHECK(ended == 300);
    work.reset();
    runner.join();
    pool.join();
}

TEST_CASE("a coroutine on the client's own executor awaits in place")
{
    auto wire = script();
    wire->reply(200, group_json);
    auto settings = support::test_config();
    settings.threading = ccloud::threading::safe;
    asio::io_context context;
    ccloud::client cloud(context.get_executor(), settings, wire);
    std::size_t turns = 0;
    auto body = [](ccloud::client shared) -> asio::awaitable<void> {
        auto got = co_await iam::ip_groups(shared).get("ipg-1");
        CHECK(got.has_value());
    };
    asio::co_spawn(cloud.executor(), body(cloud), asio::detached);
    turns = context.run();
    CHECK(turns <= 3); // the spawn and its end; no hop
}

TEST_CASE("co_spawn turns a call into a future")
{
    asio::io_context context;
    auto wire = script();
    wire->reply(200, group_json).reply(404);
    ccloud::client cloud(context.get_executor(), support::test_config(), wire);
    iam::ip_groups groups(cloud);
    auto found = asio::co_spawn(context, groups.get("ipg-1"), asio::use_future);
    context.run();
    CHECK(found.get().value().group_name == "CorpNet");
    context.restart();
    auto thrown = asio::co_spawn(context, ccloud::or_throw(groups.get("ipg-2")), asio::use_future);
    context.run();
    CHECK_THROWS_AS(thrown.get(), ccloud::api_exception);
}

TEST_CASE("a client that was given its transport has one shard")
{
    asio::io_context context;
    ccloud::client const cloud(context.get_executor(), support::test_config(), script());
    CHECK_THROWS_AS(cloud.on(context.get_executor()), ccloud::configuration_error);
}

TEST_CASE("shards are made and closed on several threads at once")
{
    auto settings = support::test_config();
    settings.endpoint = "http://127.0.0.1:1";
    asio::io_context context;
    ccloud::client cloud(context.get_executor(), settings);
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([&cloud] {
            for (int round = 0; round < 200; ++round)
            {
                asio::io_context there;
                cloud.on(there.get_executor()).close();
                there.poll();
            }
        });
    for (auto& thread : threads)
        thread.join();
    CHECK(cloud.metrics().waiting == 0);
}
