#ifndef CCLOUD_TESTING_RUN_HPP
#define CCLOUD_TESTING_RUN_HPP

#include <ccloud/abi.hpp>
#include <ccloud/export.hpp>

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <stdexcept>

namespace ccloud::testing {

/** A test that went wrong by itself: a script that ran dry or was not used up, or a coroutine that waits for
    something that can never happen. */
class CCLOUD_EXPORT script_error : public std::logic_error
{
public:
    using std::logic_error::logic_error;
};

/** Runs a coroutine to its end on an `io_context` of its own, in this thread.

    Time is virtual for the `scripted_transport`s of this thread: whenever nothing else can run, the clock jumps to
    the earliest timer, so an hour of backing off takes microseconds. Where the thread has no scripted transport, waits
    for real I/O instead.

    Rethrows what the coroutine throws.
    @throws script_error where the coroutine can never end, or where a script of this thread ran dry or was not used
    up. */
CCLOUD_EXPORT void run(std::function<boost::asio::awaitable<void>()> const& body);

} // namespace ccloud::testing

#endif
