// Connections: warmed up before the first call, watched, and closed without cutting anybody off.
#include <ccloud/ccloud.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>

namespace asio = boost::asio;
namespace iam = ccloud::iam;
using namespace std::chrono_literals;

/** Tells what each request had of its connection. */
class witness final : public ccloud::observer
{
    void connection_used(ccloud::observed_call const& call, int, ccloud::connection_use const& use) noexcept override
    {
        std::cout << to_string(call.method) << ' ' << call.path << ": request " << use.request << " of connection "
                  << use.connection->id << " to " << use.connection->remote << ", "
                  << (use.connection->resumed ? "a resumed " : "a full ") << use.connection->tls_version
                  << " handshake\n";
    }
};

asio::awaitable<void> with_connections()
{
    auto config = ccloud::config::from_environment(); // and with it HTTPS_PROXY and NO_PROXY
    config.pool.max_connections_per_origin = 32;
    config.pool.max_lifetime = 5min;
    config.compression = true;
    config.observer = std::make_shared<witness>();
    ccloud::client cloud(co_await asio::this_coro::executor, config);

    cloud.warm_up(2);
    auto listing = iam::ip_groups(cloud).list();
    auto groups = co_await listing.collect();
    std::cout << (groups ? std::to_string(groups->size()) + " groups" : groups.error().what()) << '\n';

    auto const seen = cloud.metrics().connections;
    std::cout << seen.dialed << " connections made, " << seen.idle << " idle, 99 of 100 answers began within "
              << seen.first_byte.quantile(0.99) << " us\n";

    auto ended = co_await cloud.close(5s);
    if (ended)
        std::cout << ended->finished << " calls finished, " << ended->cut << " were cut off\n";
}

int main()
{
    try
    {
        asio::io_context context(1);
        asio::co_spawn(context, with_connections(), [](std::exception_ptr failed) {
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
