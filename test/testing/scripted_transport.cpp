#include <ccloud/testing/run.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "client.hpp"
#include "printers.hpp"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using ccloud::errc;
using ccloud::progress;
using ccloud::testing::scripted_transport;
using std::chrono::nanoseconds;
namespace asio = boost::asio;

namespace {

/** A timer of which nothing is wanted. */
struct plain_timer final : ccloud::timer_node
{
    plain_timer()
    {
        fire = [](timer_node&) noexcept {};
    }
};

asio::awaitable<ccloud::exchange> send(scripted_transport& wire, nanoseconds attempt_timeout = 0s)
{
    ccloud::http_request const request(ccloud::method::get, "/x");
    ccloud::origin const to(true, "api.example.test", 443);
    ccloud::send_options how;
    how.attempt_timeout = attempt_timeout;
    co_return co_await wire.send(request, to, how);
}

/** Lets virtual time go on. */
asio::awaitable<void> pass(scripted_transport& wire, nanoseconds time)
{
    wire.reply(200).after(time);
    (void)co_await send(wire);
}

} // namespace

TEST_CASE("a wait that ran to its end is recorded from its start, one that was given up is not")
{
    scripted_transport wire;
    auto const waiting = [&wire]() -> asio::awaitable<void> {
        auto const start = wire.now();
        std::array<plain_timer, 6> nodes;
        wire.arm(nodes[0], start + 3s);
        wire.arm(nodes[1], start + 5s);
        wire.arm(nodes[2], start + 60s);
        wire.arm(nodes[3], start + 4s);
        wire.arm(nodes[4], start + 1s);
        co_await pass(wire, 2s);
        wire.arm(nodes[1], start + 7s); // prolonged: one wait of seven seconds
        wire.arm(nodes[3], start + 3s); // cut short: one of three
        wire.arm(nodes[4], start + 9s); // had fired: another wait, of seven
        co_await pass(wire, 20s);
        CHECK(wire.waits().empty());
        wire.disarm(nodes[1]);
        wire.disarm(nodes[2]); // not over yet
        wire.disarm(nodes[4]);
        wire.disarm(nodes[3]);
        wire.disarm(nodes[3]); // once is enough
        wire.disarm(nodes[0]);
        wire.disarm(nodes[5]); // never armed
        CHECK(wire.waits() == std::vector<nanoseconds>{7s, 7s, 3s, 3s});
    };
    ccloud::testing::run(waiting);
}

TEST_CASE("a hundred thousand waits at the same time cost what each costs alone")
{
    constexpr std::size_t count = 100'000;
    scripted_transport wire;
    auto const waiting = [&wire]() -> asio::awaitable<void> {
        std::vector<plain_timer> nodes(count);
        for (auto& node : nodes)
            wire.arm(node, wire.now() + 10s);
        co_await pass(wire, 11s);
        for (std::size_t i = count; i-- > 0;)
        {
            if (i % 2 == 0)
                wire.arm(nodes[i], wire.now() + 10s);
            wire.disarm(nodes[i]);
        }
    };
    ccloud::testing::run(waiting);
    CHECK(wire.waits().size() == count / 2);
}

TEST_CASE("latency is the time of every step that names none")
{
    scripted_transport wire;
    wire.latency(200ms);
    wire.reply(200)
        .reply(200)
        .after(50ms)
        .reply(200)
        .after(0ms)
        .fail(errc::connection_lost, progress::maybe_sent)
        .hang();
    wire.reply_with([](ccloud::http_request const&) { return ccloud::http_response(204, {}, {}); });
    auto const calling = [&wire]() -> asio::awaitable<void> {
        std::vector<nanoseconds> took;
        for (int i = 0; i < 6; ++i)
        {
            auto const start = wire.now();
            auto const got = co_await send(wire, 30s);
            took.push_back(wire.now() - start);
            CHECK(got.answered() == (i != 3 && i != 4));
        }
        CHECK(took == std::vector<nanoseconds>{200ms, 50ms, 0ms, 200ms, 30s, 200ms});

        wire.latency(0ms); // for what comes
        auto const start = wire.now();
        auto const at_once = co_await send(wire);
        CHECK(at_once.answered());
        CHECK(wire.now() == start);

        wire.latency(5s).reply(200);
        auto const late = co_await send(wire, 1s);
        CHECK(late.code == errc::attempt_timeout);
    };
    ccloud::testing::run(calling);
    CHECK(wire.waits().empty());
}

TEST_CASE("the error of a script that is not used up names the first step that is left, and counts")
{
    struct row
    {
        std::function<void(scripted_transport&)> more; ///< steps after those that are taken
        std::string message;
    };
    for (auto const& [more, message] : std::vector<row>{
             {[](scripted_transport& wire) { wire.reply(429); },
              "1 step was not used: step 3 of the script, reply(429); 2 requests were sent"},
             {[](scripted_transport& wire) { wire.hang().reply(200); },
              "2 steps were not used, the first is step 3 of the script, hang(); 2 requests were sent"},
             {[](scripted_transport& wire) { wire.fail(errc::cancelled, progress::not_sent); },
              "1 step was not used: step 3 of the script, fail(): cancelled; 2 requests were sent"},
         })
    {
        auto const wire = std::make_shared<scripted_transport>();
        CHECK(wire->unused_steps().empty());
        std::string thrown;
        try
        {
            ccloud::testing::run([&]() -> asio::awaitable<void> {
                wire->reply(200).reply(200);
                more(*wire);
                for (int i = 0; i < 2; ++i)
                    (void)co_await send(*wire);
            });
        }
        catch (ccloud::testing::script_error const& wrong)
        {
            thrown = wrong.what();
        }
        CHECK(thrown == "testing::run: " + message);
    }
}
