#include <ccloud/client.hpp>

#include "raw_server.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>

using namespace std::chrono_literals;
using ccloud::errc;
using support::raw_server;
namespace asio = boost::asio;

namespace {

using outcome = std::optional<ccloud::result<ccloud::http_response>>;

asio::awaitable<void> get(ccloud::client cloud, std::size_t body, outcome& into)
{
    ccloud::http_request request(ccloud::method::put, "/x");
    request.body(std::string(body, ' '));
    into = co_await cloud.execute(std::move(request));
}

/** Lets `handlers` handlers run of a call that is never answered, cancels it, and polls.
    @return whether there were so many */
bool cancel_after(int handlers, ccloud::threading threads, bool warm, std::size_t body)
{
    raw_server server({{warm ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" : ""}, {""}, {""}, {""}}
                      // then it says nothing
    );
    ccloud::config settings;
    settings.endpoint = server.endpoint();
    settings.credentials = ccloud::api_key("KEY", "SECRET");
    settings.threading = threads;
    asio::io_context context;
    std::optional<ccloud::client> cloud(std::in_place, context.get_executor(), settings);
    if (warm)
    {
        outcome first;
        asio::co_spawn(context, get(*cloud, 2, first), asio::detached);
        while (!first)
            context.run_one();
        REQUIRE(first->has_value());
        context.poll();
    }
    outcome got;
    asio::cancellation_signal signal;
    asio::co_spawn(context, get(*cloud, body, got), asio::bind_cancellation_slot(signal.slot(), asio::detached));
    int ran = 0;
    while (ran < handlers && context.run_one_for(50ms) > 0)
        ++ran;
    REQUIRE(!got);
    // By a post, because Boost 1.83 throws if a coroutine is cancelled before it begins.
    asio::post(context, [&signal] { signal.emit(asio::cancellation_type::terminal); });
    context.restart();
    context.poll();
    CHECK(got.has_value());
    if (got)
        CHECK(got->error().code() == errc::cancelled);
    cloud.reset();
    context.restart();
    context.run(); // nothing is left open
    return ran == handlers;
}

} // namespace

TEST_CASE("X1: a call is cancelled by poll() alone after each handler, on a new connection and on a kept one")
{
    for (auto const threads : {ccloud::threading::serial, ccloud::threading::safe})
        for (bool const warm : {false, true})
            for (std::size_t const body : {2u, 100'000u})
            {
                CAPTURE(warm);
                CAPTURE(body);
                int handlers = 0;
                while (cancel_after(handlers, threads, warm, body))
                {
                    CAPTURE(handlers);
                    ++handlers;
                    REQUIRE(handlers < 100);
                }
                CHECK(handlers > 2);
            }
}
