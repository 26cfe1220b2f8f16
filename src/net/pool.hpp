#ifndef CCLOUD_NET_POOL_HPP
#define CCLOUD_NET_POOL_HPP

#include <ccloud/transport.hpp>

#include "core/pool.hpp"
#include "net/connection.hpp"
#include "net/dialer.hpp"
#include "net/pool_counters.hpp"
#include "park.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ccloud::net {

class connection_wish;
class pooled_transport;
struct pool_dial;

/** The connections to one origin. The decisions are `core::origin_pool`'s; this does what it says. Part of a transport,
    and used on its executor. */
class connection_pool final : public timer_node
{
public:
    /** @throws configuration_error for a proxy that cannot be used */
    connection_pool(pooled_transport& owner, config const& settings, origin to, name_lookup lookup);
    ~connection_pool();

    origin const& where() const noexcept { return where_; }
    core::origin_pool& core() noexcept { return core_; }

    core::pool_time time() const noexcept;

    /** Does what the core wants done, until it wants nothing. */
    void settle() noexcept { settle(time()); }
    void settle(core::pool_time const& now) noexcept;

    /** A connection comes back, to be kept for so long; where nothing is said, it is closed for `otherwise`. */
    void give_back(connection& used, std::optional<std::chrono::nanoseconds> keep, close_reason otherwise) noexcept;

    /** One comes back that was granted and not used. */
    void take_back(connection& unused) noexcept;

    void leave_line(core::pool_waiter& waiter) noexcept;

    /** The peer ended a granted connection before a request was sent over it. The idle connections are checked, too.
        @return the error of the attempt, if the connection was made for it; else `wish` is back at the front of the
        queue */
    std::optional<exchange> found_dead(connection& granted, connection_wish& wish, defect const& found) noexcept;

    /** The header section of a response came. */
    void responded(connection& used) noexcept;

    void close_idle(close_reason why) noexcept;
    void network_changed() noexcept;
    void poison(std::uint64_t connection) noexcept;

    /** Closes what is idle, and abandons dials. */
    void drain() noexcept;

    /** Tears what is in use. */
    void tear_active() noexcept;

    /** What keeps a call waiting, for people. */
    std::string situation() const;

private:
    struct watchman : timer_node
    {
        explicit watchman(connection_pool& of) noexcept : pool(of)
        {
            fire = [](timer_node& node) noexcept { static_cast<watchman&>(node).pool.watch_those_idle(); };
        }
        connection_pool& pool;
    };

    void note_levels() noexcept;
    void wake_later() noexcept;
    void follow_reload() noexcept;
    void forget_past() noexcept;
    void turn_away(steady_time now) noexcept;
    void watch_if_idle() noexcept;
    void watch_later() noexcept;
    void watch_those_idle() noexcept;
    void watch(connection& idle) noexcept;
    void look_at_idle() noexcept;
    void lose_idle(connection& gone, defect const& found) noexcept;
    void cut_off(connection& used, steady_time now) noexcept;
    void note_broken(connection const& gone, defect const* found) noexcept;
    void note_failed_dial(exchange const& of) noexcept;
    void note_failure(exchange const& of) noexcept;
    void discard(connection& gone, close_reason why) noexcept;

    void begin_dial() noexcept;
    void finish_dial(pool_dial& job) noexcept;
    void fail_dial(pool_dial& job, exchange why) noexcept;
    void drop(pool_dial& job) noexcept;
    void abandon_dials() noexcept;
    static asio::awaitable<void> run_dial(std::shared_ptr<pooled_transport> keep_alive, std::shared_ptr<pool_dial> job);

    pooled_transport& owner_;
    origin const where_;
    core::origin_pool core_;
    dialer dialer_;
    watchman watchman_;
    std::vector<std::shared_ptr<connection>> connections_;
    std::vector<std::shared_ptr<pool_dial>> dials_;
    std::string last_failure_; ///< of a dial; empty after a response over a new connection
    std::optional<exchange>
        refusal_; ///< the last failure, if a dial can only fail again; ends calls until the next dial begins
    std::uint64_t generation_; ///< of the network's TLS
    bool settling_ = false;
};

/** A call that wants a connection: in the line for as long as it lives. */
class connection_wish final : public detail::parked, public core::pool_waiter
{
public:
    connection_wish(connection_pool& pool, send_options const& options, steady_time now) noexcept;
    ~connection_wish() override;

    void grant(connection& got) noexcept;
    void fail(exchange const& why) noexcept;

    /** A grant that the caller does not live to see goes to the next in line, at once. */
    void cancel() noexcept override;

    connection* take() noexcept { return std::exchange(granted_, nullptr); }
    bool settled() const noexcept { return granted_ != nullptr || failure.has_value(); }

    std::optional<exchange> failure;
    bool cancelled = false;

private:
    void leave() noexcept;

    connection_pool& pool_;
    connection* granted_ = nullptr;
};

/** A connection in use, with a buffer for what is read. Unless it is returned it is closed. */
class lease
{
public:
    static constexpr std::size_t buffer_size = 64 * 1024;

    lease(pooled_transport& from, connection_pool& pool, connection& used) noexcept
        : from_(from), pool_(pool), used_(&used)
    {
    }
    lease(lease const&) = delete;
    lease& operator=(lease const&) = delete;
    ~lease() { finish(std::nullopt); }

    void finish(std::optional<std::chrono::nanoseconds> keep) noexcept;

    /** The header section of a response came. */
    void responded() noexcept { pool_.responded(*used_); }

    connection* operator->() const noexcept { return used_; }
    connection& operator*() const noexcept { return *used_; }

    // What was read and not parsed yet lies in [begin, end) of the buffer.
    asio::const_buffer unread() const noexcept { return {buffer_.get() + begin_, end_ - begin_}; }
    void consume(std::size_t bytes) noexcept;
    asio::mutable_buffer room();
    void filled(std::size_t bytes) noexcept { end_ += bytes; }

    close_reason otherwise = close_reason::cancelled; ///< why it is closed if it is not returned

private:
    pooled_transport& from_;
    connection_pool& pool_;
    connection* used_;
    std::unique_ptr<char[]> buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

} // namespace ccloud::net

#endif
