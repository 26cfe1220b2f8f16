#ifndef CCLOUD_TRANSPORT_HPP
#define CCLOUD_TRANSPORT_HPP

#include <ccloud/abi.hpp>
#include <ccloud/error.hpp>
#include <ccloud/export.hpp>
#include <ccloud/http.hpp>
#include <ccloud/observe.hpp>
#include <ccloud/timer.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

namespace ccloud {

namespace asio = boost::asio;

/** What one try may cost. */
struct send_options
{
    steady_time deadline = (steady_time::max)(); ///< of the call
    std::chrono::nanoseconds attempt_timeout{};  ///< from having a connection; zero: none
    std::chrono::nanoseconds idle_limit{};       ///< take no connection idle for longer; zero: any
    bool fresh_connection = false;               ///< take no connection that has served before

    /** When a try that begins now is to end: after `attempt_timeout` or at the deadline, whichever is first. */
    steady_time ends(steady_time now) const noexcept
    {
        bool const limited = attempt_timeout > std::chrono::nanoseconds(0) && attempt_timeout <= deadline - now;
        return limited ? now + std::chrono::duration_cast<steady_time::duration>(attempt_timeout) : deadline;
    }
};

/** How one attempt ended: with a complete response, or with a code and its cause.

    Once the header section of a final response has come, `progress` is `answered`, whatever fails afterwards.
    `response` then has the status, the header fields, and what came of the body. A response with a status that may be
    retried (408, 413, 421, 425, 429, 500 and more) counts as complete once its header section has come. */
struct exchange
{
    errc code = errc::unset; ///< `unset`: the response is complete
    ccloud::progress progress = ccloud::progress::not_sent;
    std::size_t bytes_written = 0; ///< of the request, given to the network
    bool reused = false;           ///< on a connection that had served before
    bool response_begun = false;   ///< at least one byte came back
    bool permanent = false;        ///< the same try can only fail again: an unknown host, a rejected certificate
    http_response response;        ///< where `progress` is `answered`; else its status is 0
    std::error_code cause; ///< empty if this side ended the attempt: by timeout, deadline, cancellation or close()
    std::string detail;    ///< text for people: the step that was waited for, what is invalid, or why there is no body
    connection_use use;    ///< for observers; may be empty

    /** Whether there is a complete response. */
    bool answered() const noexcept { return progress == progress::answered && code == errc::unset; }

    /** One without an answer. */
    static exchange failed(errc code, ccloud::progress reached, std::error_code cause = {}, std::string detail = {})
    {
        exchange ended;
        ended.code = code;
        ended.progress = reached;
        ended.cause = cause;
        ended.detail = std::move(detail);
        return ended;
    }
};

/** The one door to the outside world: network, clocks, timers and dice. A test replaces them all at once.

    Threads: every member is called on the client's executor only, but `now()` and `describe()` by `client::metrics()`
    on any. */
class CCLOUD_EXPORT transport
{
public:
    virtual ~transport() = default;

    /** Sends one request to `to` and reads its response; tries once, and never resends.

        `request` and `to` outlive the awaitable. Ends by the deadline. Cancelled by a `terminal` signal, ends by
        `poll()` alone and sends nothing more. Never throws for a failure of the network. */
    virtual asio::awaitable<exchange> send(http_request const& request, origin const& to, send_options options) = 0;

    virtual steady_time now() const noexcept = 0;
    virtual wall_time wall_now() const noexcept = 0;

    /** Sixty-four random bits. */
    virtual std::uint64_t roll() noexcept = 0;

    /** Calls `node.fire` at `due`, or moves a node that is armed already. Never calls it from within. */
    virtual void arm(timer_node& node, steady_time due) = 0;
    virtual void disarm(timer_node& node) noexcept = 0;

    /** Offers the memory of a body that nobody needs any more, for responses to come. */
    virtual void recycle(std::string&& /*body*/) noexcept {}

    /** Ends every exchange with `errc::client_closed`, closes every connection, and refuses what comes. */
    virtual void close() noexcept = 0;

    /** Refuses what comes, and ends what has not got a connection yet, both with `errc::client_closed`; what has one
        goes on. `close()` follows. */
    virtual void drain() noexcept {}

    /** What the members of `client` with the same names ask for. A transport without a pool has nothing to do. */
    virtual void close_idle() noexcept {}
    virtual void network_changed() noexcept {}
    virtual void warm_up(origin const& /*to*/, std::size_t /*connections*/) noexcept {}
    virtual void poison(std::uint64_t /*connection*/) noexcept {}

    /** Fills in what it counts. Any thread. */
    virtual void describe(connection_metrics&) const noexcept {}
};

} // namespace ccloud

#endif
