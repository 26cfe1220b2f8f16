// Options of a client, of a handle and of a call; and a client that stays on its thread.
#include <ccloud/ccloud.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

#include <cstdlib>
#include <exception>
#include <iostream>

namespace asio = boost::asio;
namespace iam = ccloud::iam;
using namespace std::chrono_literals;

/** What holds for all calls. */
ccloud::config settings()
{
    auto config = ccloud::config::from_environment();
    config.application = "stock-keeper/2.1 (https://stock.example.com; ops@stock.example.com)";
    config.total_timeout = 60s;
    config.retry.max_attempts = 4;
    config.retry.max_delay = 5s;
    config.threading = ccloud::threading::serial; // one thread runs the context: no hop, no strand
    return config;
}

asio::awaitable<void> with_options()
{
    ccloud::client cloud(co_await asio::this_coro::executor, settings());
    iam::ip_groups groups(cloud);

    // For one call.
    auto quick = co_await groups.get("ipg-none", {.timeout = 5s, .retry = ccloud::retry_policy::none()});
    std::cout << (quick ? quick->group_name : quick.error().what()) << '\n';

    // For one page of a listing, and for all of it.
    auto all = groups.list({.page_size = 25, .timeout = 10s, .total_timeout = 2min});
    auto first = co_await all.next_page();
    std::cout << (first.has_value() ? "the first page is there" : first.error().what()) << '\n';

    // For every request of a handle; it shares the connections with the first one.
    iam::ip_groups traced(cloud.with_header("X-Correlation-Id", "order-4711"));
    auto again = co_await traced.get("ipg-none");
    std::cout << again.response().attempts() << " attempt, request " << again.response().request_id() << '\n';
}

int main()
{
    try
    {
        asio::io_context context(1);
        asio::co_spawn(context, with_options(), [](std::exception_ptr failed) {
            if (failed)
                std::rethrow_exception(failed);
        });
        context.run();
        return EXIT_SUCCESS;
    }
    catch (std::exception const& failed)
    {
        std::cerr << failed.what() << '\n';
        return EXIT_FAILURE;
    }
}
