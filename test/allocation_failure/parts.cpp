// Single parts of the library, while allocations fail.
#include "failing_heap.hpp"
#include "net/resolver.hpp"
#include "park.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <string>

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace detail = ccloud::detail;
namespace net = ccloud::net;

TEST_CASE("memory: every wait that has ended is resumed, though only one resumption could be posted")
{
    constexpr std::size_t waits = 5;
    for (bool const on_strand : {false, true}) // where a post needs more memory
    {
        CAPTURE(on_strand);
        asio::io_context context(1);
        asio::any_io_executor executor = context.get_executor();
        if (on_strand)
            executor = asio::make_strand(context);
        detail::parking_lot lot(executor);
        std::deque<detail::parked> nodes(waits);
        std::size_t resumed = 0;
        auto const wait = [&](detail::parked& node) -> asio::awaitable<void> {
            co_await lot.async_park(node);
            ++resumed;
        };
        for (int round = 1; round <= 2; ++round)
        {
            for (auto& node : nodes)
                asio::co_spawn(executor, wait(node), asio::detached);
            context.restart();
            context.poll();
            heap::arm({1, 1'000'000, heap::by_all});
            lot.finish_all(detail::wake::granted);
            auto const failed = heap::failed();
            heap::disarm();
            CHECK(failed > 0);
            context.restart();
            context.poll();
            REQUIRE(resumed == static_cast<std::size_t>(round) * waits);
        }
    }
}

TEST_CASE("memory: whichever allocation fails, a look-up gives each wait an address or a failure")
{
    std::size_t first = 0;
    for (bool failed = true; failed;)
    {
        ++first;
        CAPTURE(first);
        asio::io_context context(1);
        net::resolver names(
            context.get_executor(),
            [](std::string const&) {
                return net::name_answer{{"127.0.0.1"}, {}};
            },
            30s
        );
        auto const now = std::chrono::steady_clock::now();
        net::name_wait one;
        net::name_wait other;
        REQUIRE(!names.ask("api.example.test", one, now, 5s));
        REQUIRE(!names.ask("api.example.test", other, now, 5s));
        heap::arm({first, 1, heap::by_all});
        auto const ran = context.run_one_for(20s);
        failed = heap::failed() > 0;
        heap::disarm();
        REQUIRE(ran == 1);
        for (auto const* wait : {&one, &other})
            CHECK(wait->answer.addresses.empty() == static_cast<bool>(wait->answer.failure));
    }
    CHECK(first > 3); // at least the copies for the cache and for the two waits have failed
}
