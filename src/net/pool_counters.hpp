#ifndef CCLOUD_NET_POOL_COUNTERS_HPP
#define CCLOUD_NET_POOL_COUNTERS_HPP

#include <ccloud/observe.hpp>

#include "core/counter.hpp"

#include <array>

namespace ccloud::net {

/** What `connection_metrics` shows. */
struct pool_counters
{
    core::gauge dialing;
    core::gauge active;
    core::gauge idle;
    core::gauge waiting;
    core::counter served_by_new;
    core::counter served_by_reused;
    core::counter queued;
    core::counter wait_expired;
    core::counter wait_cancelled;
    core::counter stale;
    core::counter dialed;
    core::counter surplus;
    core::counter resolve_failed;
    core::counter connect_failed;
    core::counter proxy_failed;
    core::counter tls_failed;
    core::counter connect_timed_out;
    core::counter handshakes_full;
    core::counter handshakes_resumed;
    std::array<core::counter, close_reasons> closed;
    core::counter bytes_sent;
    core::counter bytes_received;
    core::distribution queue_wait;
    core::distribution resolve;
    core::distribution connect;
    core::distribution handshake;
    core::distribution first_byte;
    core::distribution idle_before_reuse;
    core::distribution age;
    core::distribution requests;

    void count_failed_dial(errc why) noexcept;
    void count_dial(connection_info const& made) noexcept;
    void describe(connection_metrics& seen) const noexcept;
};

} // namespace ccloud::net

#endif
