#ifndef CCLOUD_OPERATION_HPP
#define CCLOUD_OPERATION_HPP

#include <ccloud/abi.hpp>
#include <ccloud/result.hpp>

#include <boost/asio/awaitable.hpp>

#include <utility>

namespace ccloud {

namespace asio = boost::asio;

/** What every call of this library returns: awaited once, it gives a `result<T>`. Nothing happens before.
    `asio::co_spawn(executor, groups.get(id), token)` turns it into a future or a callback. */
template <class T>
using operation = asio::awaitable<result<T>>;

/** Awaits `call` and gives its value, or throws `api_exception`. */
template <class T>
asio::awaitable<T> or_throw(operation<T> call)
{
    auto outcome = co_await std::move(call);
    if (!outcome.has_value())
        throw api_exception(std::move(outcome).error());
    co_return *std::move(outcome);
}

} // namespace ccloud

#endif
