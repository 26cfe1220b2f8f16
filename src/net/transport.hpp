#ifndef CCLOUD_NET_TRANSPORT_HPP
#define CCLOUD_NET_TRANSPORT_HPP

#include <ccloud/config.hpp>
#include <ccloud/transport.hpp>

#include "core/pool.hpp"
#include "core/timer_queue.hpp"
#include "net/connection.hpp"
#include "net/factory.hpp"
#include "park.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace ccloud::net {

struct shard_of_origin;
struct dial_job;
class connection_wish;
class lease;

/** The door to the network: connections over TLS, kept alive in a pool, on one executor. The decisions of the pool are
    `core::origin_pool`'s; this drives it. */
class pooled_transport final : public transport, public std::enable_shared_from_this<pooled_transport>
{
public:
    pooled_transport(asio::any_io_executor executor, config const& settings, std::shared_ptr<tls_profile const> tls);
    ~pooled_transport() override;

    asio::awaitable<exchange> send(http_request const& request, origin const& to, send_options options) override;
    steady_time now() const noexcept override { return std::chrono::steady_clock::now(); }
    wall_time wall_now() const noexcept override { return std::chrono::system_clock::now(); }
    std::uint64_t roll() noexcept override { return dice_(); }
    void arm(timer_node& node, steady_time due) override;
    void disarm(timer_node& node) noexcept override { timers_.disarm(node); }
    void close() noexcept override;

private:
    friend class connection_wish;
    friend class lease;

    using buffer = std::unique_ptr<char[]>;
    static constexpr std::size_t buffer_size = 64 * 1024;

    shard_of_origin& shard_for(origin const& to);
    void settle(shard_of_origin& shard);
    void give_back(shard_of_origin& shard, connection& used, std::optional<std::chrono::nanoseconds> keep) noexcept;
    void take_back(shard_of_origin& shard, connection& unused) noexcept;
    void tend(shard_of_origin& shard, connection& idle);
    void forget(shard_of_origin& shard, connection& gone) noexcept;
    void watch(shard_of_origin& shard, connection& idle);
    void sweep(shard_of_origin& shard) noexcept;

    void begin_dial(shard_of_origin& shard);
    void dial(shard_of_origin& shard);
    static asio::awaitable<void> run_dial(std::shared_ptr<pooled_transport> self, std::shared_ptr<dial_job> job);
    void finish_dial(dial_job& job);
    void fail_dial(dial_job& job, exchange why) noexcept;

    void run_timer();

    buffer take_buffer();
    void return_buffer(buffer used) noexcept;

    asio::any_io_executor executor_;
    config::pool_options limits_;
    config::size_limits sizes_;
    std::shared_ptr<tls_profile const> tls_;
    detail::parking_lot lot_;
    core::timer_queue timers_;
    asio::steady_timer timer_;
    steady_time timer_due_ = steady_time::max();
    std::mt19937_64 dice_;
    std::vector<std::unique_ptr<shard_of_origin>> shards_;
    std::vector<buffer> buffers_;
    bool closed_ = false;
};

} // namespace ccloud::net

#endif
