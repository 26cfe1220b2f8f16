#ifndef CCLOUD_EXAMPLES_RUN_EXAMPLE_HPP
#define CCLOUD_EXAMPLES_RUN_EXAMPLE_HPP

#include <ccloud/client.hpp>
#include <ccloud/config.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <utility>

/** What an example does with a client. */
using example = std::function<boost::asio::awaitable<void>(ccloud::client)>;

inline boost::asio::awaitable<void> with_client(example const& body, ccloud::config settings)
{
    ccloud::client cloud(co_await boost::asio::this_coro::executor, std::move(settings));
    co_await body(cloud);
}

/** Runs an example with a client made from `settings`, by default from the environment: all there is to the `main` of
    01_list.cpp. */
inline int run_example(
    example const& body,
    std::function<ccloud::config()> const& settings = [] { return ccloud::config::from_environment(); }
)
{
    try
    {
        boost::asio::io_context context;
        auto work = with_client(body, settings());
        boost::asio::co_spawn(context, std::move(work), [](std::exception_ptr failed) {
            if (failed)
                std::rethrow_exception(failed);
        });
        context.run();
        return EXIT_SUCCESS;
    }
    catch (ccloud::configuration_error const& failed)
    {
        std::cerr << "configuration: " << failed.what() << '\n'
                  << "(without an account: start ccloud-simulator and export the variables it prints)\n";
    }
    catch (std::exception const& failed)
    {
        std::cerr << failed.what() << '\n';
    }
    return EXIT_FAILURE;
}

#endif
