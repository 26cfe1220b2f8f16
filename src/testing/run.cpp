#include <ccloud/testing/run.hpp>

#include "testing/clock.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <string>

namespace ccloud::testing {

namespace asio = boost::asio;

namespace {

std::string complaints(virtual_clock const& clock)
{
    std::string all;
    for (auto const* wire : clock.transports())
        if (auto const one = wire->complaint(); !one.empty())
            all += (all.empty() ? "" : "; ") + one;
    return all;
}

/** Runs what is ready, then what the clock brings, until nothing is left or `done` is set. */
void turn(asio::io_context& context, virtual_clock& clock, bool const& done)
{
    while (!done)
    {
        context.restart();
        if (context.poll() > 0)
            continue;
        if (clock.advance())
            continue;
        if (!clock.transports().empty())
            throw script_error(
                "testing::run: the coroutine waits for something that cannot happen; " + complaints(clock)
            );
        context.restart();
        if (context.run_one() == 0)
            throw script_error("testing::run: the coroutine waits, and nothing is left to run");
    }
}

} // namespace

void run(std::function<asio::awaitable<void>()> const& body)
{
    auto& clock = virtual_clock::of_this_thread();
    asio::io_context context;
    bool done = false;
    std::exception_ptr thrown;
    asio::co_spawn(context, body(), [&](std::exception_ptr failed) {
        thrown = failed;
        done = true;
    });
    turn(context, clock, done);
    context.restart();
    context.poll(); // goodbyes
    if (thrown)
        std::rethrow_exception(thrown);
    std::string wrong = complaints(clock);
    for (auto const* wire : clock.transports())
        if (auto const unused = wire->unused_steps(); !unused.empty())
            wrong.append(wrong.empty() ? "" : "; ").append(unused);
    if (!wrong.empty())
        throw script_error("testing::run: " + wrong);
}

} // namespace ccloud::testing
