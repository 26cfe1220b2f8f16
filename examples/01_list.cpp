// Prints every IP group of the organization.
#include <ccloud/ccloud.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

#include <cstdlib>
#include <exception>
#include <iostream>

namespace asio = boost::asio;
namespace iam = ccloud::iam;

asio::awaitable<void> print_groups()
{
    ccloud::client cloud(co_await asio::this_coro::executor, ccloud::config::from_environment());
    iam::ip_groups groups(cloud);

    auto all = groups.list();
    while (auto group = co_await or_throw(all.next()))
        std::cout << group->id << "  " << group->group_name << '\n';
}

int main()
{
    try
    {
        asio::io_context context;
        asio::co_spawn(context, print_groups(), [](std::exception_ptr failed) {
            if (failed)
                std::rethrow_exception(failed);
        });
        context.run();
        return EXIT_SUCCESS;
    }
    catch (ccloud::configuration_error const& failed)
    {
        std::cerr << "configuration: " << failed.what() << '\n';
    }
    catch (std::exception const& failed)
    {
        std::cerr << failed.what() << '\n';
    }
    return EXIT_FAILURE;
}
