#ifndef CCLOUD_NET_TRANSPORT_HPP
#define CCLOUD_NET_TRANSPORT_HPP

#include <ccloud/config.hpp>
#include <ccloud/transport.hpp>

#include "core/timer_queue.hpp"
#include "net/factory.hpp"
#include "net/pool.hpp"
#include "net/pool_counters.hpp"
#include "net/shared_network.hpp"
#include "park.hpp"
#include "sure_post.hpp"

#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

namespace ccloud::net {

/** The door to the network: connections over TLS, kept alive in a pool for each origin, on one executor. */
class pooled_transport final : public transport, public std::enable_shared_from_this<pooled_transport>
{
public:
    pooled_transport(
        asio::any_io_executor executor, config const& settings, std::shared_ptr<shared_network> network,
        name_lookup lookup
    );
    ~pooled_transport() override;

    asio::awaitable<exchange> send(http_request const& request, origin const& to, send_options options) override;
    steady_time now() const noexcept override { return std::chrono::steady_clock::now(); }
    wall_time wall_now() const noexcept override { return std::chrono::system_clock::now(); }
    std::uint64_t roll() noexcept override { return dice_(); }
    void arm(timer_node& node, steady_time due) override;
    void disarm(timer_node& node) noexcept override { timers_.disarm(node); }
    void close() noexcept override;
    void drain() noexcept override;
    void close_idle() noexcept override;
    void network_changed() noexcept override;
    void warm_up(origin const& to, std::size_t connections) noexcept override;
    void poison(std::uint64_t connection) noexcept override;
    void recycle(std::string&& body) noexcept override;
    void describe(connection_metrics& seen) const noexcept override;

    // For its pools.
    using buffer = std::unique_ptr<char[]>;
    asio::any_io_executor const& executor() const noexcept { return executor_; }
    config::pool_options const& limits() const noexcept { return settings_.pool; }
    shared_network& network() noexcept { return *network_; }
    pool_counters& counts() noexcept { return counts_; }
    detail::parking_lot& lot() noexcept { return lot_; }
    std::uint64_t next_id() noexcept { return ++connections_made_; }
    bool is_open() const noexcept { return state_ == state::open; }
    bool is_closed() const noexcept { return state_ == state::closed; }
    spare_bodies& spares() noexcept { return spares_; }
    buffer take_buffer();
    void return_buffer(buffer used) noexcept;

private:
    enum class state : unsigned char { open, draining, closed };

    class timer_wait;
    using timer_memory = detail::spare_memory<2, 512>;

    connection_pool& pool_for(origin const& to);
    void run_timer();
    void end_timer_wait() noexcept;

    asio::any_io_executor executor_;
    config const settings_;
    name_lookup lookup_;
    std::shared_ptr<shared_network> network_;
    pool_counters counts_;
    detail::parking_lot lot_;
    core::timer_queue timers_;
    asio::steady_timer timer_;
    steady_time timer_due_ = steady_time::max();
    bool timer_waits_ = false;
    std::shared_ptr<timer_memory> const timer_memory_ = std::make_shared<timer_memory>();
    std::mt19937_64 dice_;
    std::uint64_t connections_made_ = 0;
    std::vector<std::unique_ptr<connection_pool>> pools_;
    std::vector<buffer> buffers_; ///< that nobody uses now
    std::size_t buffers_in_use_ = 0;
    spare_bodies spares_;
    state state_ = state::open;
};

} // namespace ccloud::net

#endif
