#ifndef CCLOUD_OBSERVE_HPP
#define CCLOUD_OBSERVE_HPP

#include <ccloud/error.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ccloud {

/** The call that an event is about. */
struct observed_call
{
    std::uint64_t id = 0; ///< one number for all tries of a call; unique within the shard
    ccloud::method method = method::get;
    std::string_view path; ///< without query; lives as long as the event
};

/** Is told what happens to the calls of a client: `config::observer`.

    Every member is called on the client's executor, by each shard (`client::on`) on its own, in the middle of the
    request path: it must be quick, must not block, and must not call the client. Whatever it has no interest in it
    leaves alone. No event holds a credential. */
class observer
{
public:
    virtual ~observer() = default;

    /** A try begins; `number` counts from 1. */
    virtual void attempt_start(observed_call const&, int /*number*/) noexcept {}

    /** It ended, well (`code` is unset) or not. What comes next is not known yet: `reason` and `delay` are empty. */
    virtual void attempt_end(observed_call const&, int /*number*/, attempt const&) noexcept {}

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

/** What a shard of a client has done so far, and what it does now: `client::metrics()`. Counters never fall. */
struct metrics
{
    std::uint64_t calls = 0;     ///< begun
    std::uint64_t succeeded = 0; ///< ended with a value
    std::uint64_t failed = 0;    ///< ended with an error

    std::uint64_t attempts = 0;          ///< tries given to the network
    std::uint64_t transient_retries = 0; ///< scheduled after a failure that may pass
    std::uint64_t throttle_retries = 0;  ///< scheduled after the server turned a request away
    std::uint64_t replays = 0;           ///< free of charge: stale connection, 421, 425, new credentials
    std::uint64_t throttled = 0;         ///< answers with status 429

    std::uint64_t gate_waits = 0;           ///< calls that had to wait in line
    std::chrono::nanoseconds gate_waited{}; ///< together
    std::uint64_t budget_exhausted = 0;     ///< calls that ended for want of budget
    std::uint64_t refused = 0;              ///< calls that were not let into the line: rate_limited, queue_full

    std::size_t waiting = 0;       ///< calls in line now, of all shards
    std::size_t in_flight = 0;     ///< calls between being let through and their answer, of all shards
    std::int64_t retry_budget = 0; ///< left, of all shards
};

} // namespace ccloud

#endif
