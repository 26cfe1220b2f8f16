#ifndef CCLOUD_OBSERVE_HPP
#define CCLOUD_OBSERVE_HPP

#include <ccloud/error.hpp>
#include <ccloud/export.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace ccloud {

/** The call that an event is about. */
struct observed_call
{
    std::uint64_t id = 0; ///< one number for all tries of a call; unique within the shard
    ccloud::method method = method::get;
    std::string_view path; ///< without query; lives as long as the event
};

/** A connection, as it was made. */
struct connection_info
{
    std::uint64_t id = 0;    ///< unique within the shard, from 1
    std::string remote;      ///< address and port of the peer: the origin, or its proxy
    std::string local;       ///< ours
    std::string proxy;       ///< without credentials; empty: none
    std::string tls_version; ///< "TLSv1.3"; empty: no TLS
    std::string cipher;
    bool resumed = false;               ///< the handshake was a short one, with a ticket of an earlier connection
    std::chrono::nanoseconds resolve{}; ///< name look-up; zero where the addresses were known
    std::chrono::nanoseconds connect{}; ///< TCP
    std::chrono::nanoseconds tunnel{};  ///< what the proxy took
    std::chrono::nanoseconds handshake{};
};

/** What a try had of its connection. */
struct connection_use
{
    std::shared_ptr<connection_info const> connection; ///< null: it got none
    std::uint64_t request = 0;                         ///< of the connection, from 1
    std::chrono::nanoseconds waited{};                 ///< for the connection
    std::chrono::nanoseconds idle{};                   ///< that long the connection had been idle; zero for a new one
    std::chrono::nanoseconds first_byte{};             ///< from the start of writing; zero: none came
    std::size_t received = 0;                          ///< bytes
};

/** Is told what happens to the calls of a client: `config::observer`.

    Every member is called on the client's executor, by each shard (`client::on`) on its own, in the middle of the
    request path: it must be quick, must not block, and must not call the client. Whatever it has no interest in it
    leaves alone. No event holds a credential of the client, even if the server sends one back (see `error`). */
class CCLOUD_EXPORT observer
{
public:
    virtual ~observer() = default;

    /** A try begins; `number` counts from 1. */
    virtual void attempt_start(observed_call const&, int /*number*/) noexcept {}

    /** It ended, well (`code` is unset) or not. What comes next is not known yet: `reason` and `delay` are empty. */
    virtual void attempt_end(observed_call const&, int /*number*/, attempt const&) noexcept {}

    /** The same try: what it had of its connection. Comes before `attempt_end`, and only where it had one. */
    virtual void connection_used(observed_call const&, int /*number*/, connection_use const&) noexcept {}

    /** There will be a further try, after `delay`, in line with others where the server holds the endpoint back. */
    virtual void retry_scheduled(
        observed_call const&, std::chrono::nanoseconds /*delay*/, delay_source, retry_reason
    ) noexcept
    {
    }

    /** The call waited in line for so long before it could be sent, or gave up waiting. */
    virtual void gate_wait(observed_call const&, std::chrono::nanoseconds /*waited*/) noexcept {}

    /** The call ends with an error. */
    virtual void give_up(observed_call const&, error const&) noexcept {}
};

/** Why a connection was closed. */
enum class close_reason : unsigned char {
    idle_timeout,   ///< idle for too long
    lifetime,       ///< `max_lifetime`
    max_requests,   ///< `max_requests_per_connection`
    said_goodbye,   ///< the server closed it while idle, with TLS's close_notify
    ended,          ///< the server closed it while idle, without
    reset,          ///< it was reset while idle
    unsolicited,    ///< bytes came that nobody had asked for
    not_kept_alive, ///< the response said so
    incomplete,     ///< its response was not read to the end
    poisoned,       ///< `client::poison`
    evicted,        ///< another one needed its place, or too many were idle
    superseded,     ///< `network_changed`, `close_idle` or `reload_tls`
    failed,         ///< an exchange broke off on it
    cancelled,      ///< the caller did not wait for the response
    shut_down,      ///< the client was closed
};
inline constexpr std::size_t close_reasons = static_cast<std::size_t>(close_reason::shut_down) + 1;

/** "idle timeout", "lifetime" and so on. */
CCLOUD_EXPORT std::string_view to_string(close_reason why) noexcept;

/** How often a value fell below each power of two. Durations are counted in microseconds. */
struct CCLOUD_EXPORT histogram
{
    /** `counts[0]` counts zeros, `counts[i]` values from 2^(i-1) to below 2^i, the last one all beyond. */
    std::array<std::uint64_t, 36> counts{};

    std::uint64_t total() const noexcept;

    /** The upper bound of the bucket that a part of all values, 0 to 1, does not exceed; 0 where there are none. */
    std::uint64_t quantile(double part) const noexcept;
};

/** The connections of a shard: `metrics::connections`. */
struct connection_metrics
{
    std::size_t dialing = 0; ///< now, as the next three
    std::size_t active = 0;
    std::size_t idle = 0;
    std::size_t waiting = 0;     ///< calls that wait for a connection
    std::size_t most_active = 0; ///< ever, as the next one
    std::size_t most_waiting = 0;
    std::size_t tickets = 0; ///< of TLS, kept for resumption; of all shards

    std::uint64_t served_by_new = 0;    ///< requests that were a connection's first
    std::uint64_t served_by_reused = 0; ///< others
    std::uint64_t queued = 0;           ///< requests that had to wait for a connection
    std::uint64_t wait_expired = 0;     ///< of those, that waited until their deadline
    std::uint64_t wait_cancelled = 0;   ///< of those, that were cancelled meanwhile
    std::uint64_t stale = 0;            ///< kept connections that were found dead when they were wanted

    std::uint64_t dialed = 0;  ///< connections made
    std::uint64_t surplus = 0; ///< of those, that nobody waited for any more
    std::uint64_t resolve_failed = 0;
    std::uint64_t connect_failed = 0; ///< in TCP; and connections that the server closed before a call could use them
    std::uint64_t proxy_failed = 0;
    std::uint64_t tls_failed = 0;
    std::uint64_t connect_timed_out = 0;
    std::uint64_t handshakes_full = 0;
    std::uint64_t handshakes_resumed = 0;

    std::array<std::uint64_t, close_reasons> closed{}; ///< by reason
    std::uint64_t closed_for(close_reason why) const noexcept { return closed[static_cast<std::size_t>(why)]; }

    std::uint64_t bytes_sent = 0; ///< of requests and responses, before and after TLS
    std::uint64_t bytes_received = 0;

    histogram queue_wait;
    histogram resolve;
    histogram connect;
    histogram handshake;
    histogram first_byte;
    histogram idle_before_reuse;
    histogram age;      ///< of connections when they were closed
    histogram requests; ///< of connections when they were closed; a number
};

/** What a shard of a client has done so far, and what it does now: `client::metrics()`. Counters never fall. */
struct metrics
{
    std::uint64_t calls = 0;     ///< begun
    std::uint64_t succeeded = 0; ///< ended with a value
    std::uint64_t failed = 0;    ///< ended with an error

    std::uint64_t attempts = 0;          ///< tries given to the network
    std::uint64_t transient_retries = 0; ///< scheduled after a failure that may pass
    std::uint64_t throttle_retries = 0;  ///< scheduled after the server turned a request away
    std::uint64_t replays = 0;           ///< free of charge: stale connection, 421, 425, redirect, new credentials
    std::uint64_t throttled = 0;         ///< answers with status 429

    std::uint64_t gate_waits = 0;           ///< calls that had to wait in line
    std::chrono::nanoseconds gate_waited{}; ///< together
    std::uint64_t budget_exhausted = 0;     ///< calls that ended for want of budget
    std::uint64_t refused = 0;              ///< calls that were not let into the line: rate_limited, queue_full

    std::size_t waiting = 0;       ///< calls in line now, of all shards
    std::size_t in_flight = 0;     ///< calls between being let through and their answer, of all shards
    std::int64_t retry_budget = 0; ///< left, of all shards

    connection_metrics connections; ///< empty for a client that was given another transport
};

} // namespace ccloud

#endif
