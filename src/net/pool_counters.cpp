#include "net/pool_counters.hpp"

namespace ccloud::net {

void pool_counters::count_failed_dial(errc why) noexcept
{
    switch (why)
    {
    case errc::name_resolution_failed: resolve_failed.add(); break;
    case errc::connect_timeout: connect_timed_out.add(); break;
    case errc::connect_failed: connect_failed.add(); break;
    case errc::proxy_authentication_failed:
    case errc::proxy_refused: proxy_failed.add(); break;
    default: tls_failed.add(); break;
    }
}

void pool_counters::count_dial(connection_info const& made) noexcept
{
    dialed.add();
    resolve.add(made.resolve);
    connect.add(made.connect);
    if (made.tls_version.empty())
        return;
    handshake.add(made.handshake);
    (made.resumed ? handshakes_resumed : handshakes_full).add();
}

void pool_counters::describe(connection_metrics& seen) const noexcept
{
    seen.dialing = dialing.get();
    seen.active = active.get();
    seen.idle = idle.get();
    seen.waiting = waiting.get();
    seen.most_active = active.most();
    seen.most_waiting = waiting.most();
    seen.served_by_new = served_by_new.get();
    seen.served_by_reused = served_by_reused.get();
    seen.queued = queued.get();
    seen.wait_expired = wait_expired.get();
    seen.wait_cancelled = wait_cancelled.get();
    seen.stale = stale.get();
    seen.dialed = dialed.get();
    seen.surplus = surplus.get();
    seen.resolve_failed = resolve_failed.get();
    seen.connect_failed = connect_failed.get();
    seen.proxy_failed = proxy_failed.get();
    seen.tls_failed = tls_failed.get();
    seen.connect_timed_out = connect_timed_out.get();
    seen.handshakes_full = handshakes_full.get();
    seen.handshakes_resumed = handshakes_resumed.get();
    for (std::size_t i = 0; i < close_reasons; ++i)
        seen.closed[i] = closed[i].get();
    seen.bytes_sent = bytes_sent.get();
    seen.bytes_received = bytes_received.get();
    seen.queue_wait = queue_wait.get();
    seen.resolve = resolve.get();
    seen.connect = connect.get();
    seen.handshake = handshake.get();
    seen.first_byte = first_byte.get();
    seen.idle_before_reuse = idle_before_reuse.get();
    seen.age = age.get();
    seen.requests = requests.get();
}

} // namespace ccloud::net
