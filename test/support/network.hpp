#ifndef CCLOUD_TEST_SUPPORT_NETWORK_HPP
#define CCLOUD_TEST_SUPPORT_NETWORK_HPP

#include <ccloud/client.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <functional>
#include <utility>

namespace support {

/** Runs `body` with a client over the real network, to the end of both: the client's idle connections go with it. */
inline void over_network(
    ccloud::config settings, std::function<boost::asio::awaitable<void>(ccloud::client)> const& body
)
{
    boost::asio::io_context context;
    std::exception_ptr thrown;
    auto whole = [](ccloud::config const& how, std::function<boost::asio::awaitable<void>(ccloud::client)> const& then
                 ) -> boost::asio::awaitable<void> {
        auto const executor = co_await boost::asio::this_coro::executor;
        ccloud::client cloud(executor, how);
        co_await then(cloud);
    };
    boost::asio::co_spawn(context, whole(settings, body), [&thrown](std::exception_ptr failed) { thrown = failed; });
    context.run();
    if (thrown)
        std::rethrow_exception(thrown);
}

} // namespace support

#endif
