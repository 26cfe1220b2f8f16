#ifndef CCLOUD_NET_DIALER_HPP
#define CCLOUD_NET_DIALER_HPP

#include <ccloud/config.hpp>
#include <ccloud/transport.hpp>

#include "core/addresses.hpp"
#include "core/proxy.hpp"
#include "net/connect_race.hpp"
#include "net/connection.hpp"
#include "net/resolver.hpp"
#include "net/shared_network.hpp"
#include "park.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ccloud::net {

/** A connection being made. It belongs to the pool: no call's cancellation ends it. */
struct dial_job : timer_node, std::enable_shared_from_this<dial_job>
{
    dial_job(asio::any_io_executor const& executor, detail::parking_lot& lot)
        : made(std::make_shared<connection>(executor, lot))
    {
    }

    /** What the dial waits for now. */
    enum class step : unsigned char {
        resolving, ///< the name of the next hop: the proxy or the origin
        connecting,
        proxy_tls,
        proxy_reply,
        resolving_origin, ///< its name, for a SOCKS proxy that wants an address
        tls,
    };

    /** Lets go of what the coroutine waits for; nobody cares for its result any more. */
    void abandon() noexcept
    {
        done = true;
        made->tear(torn::timed_out);
        if (waiting)
            waiting->finish(detail::wake::closed);
    }

    std::shared_ptr<connection> made;
    connection_info info; ///< grows into `made->info`
    steady_time began{};
    step at = step::resolving;
    detail::parked* waiting = nullptr;
    bool done = false;
};

/** Makes connections to one origin: name look-up, TCP, proxy, TLS. */
class dialer
{
public:
    /** `timers`, `lot` and `network` outlive it. @throws configuration_error for a proxy that cannot be used */
    dialer(
        asio::any_io_executor executor, config const& settings, origin to, shared_network& network, name_lookup lookup,
        transport& timers, detail::parking_lot& lot
    );

    /** Fills `job->made`, or tells why not; then its result means nothing if the job was abandoned meanwhile. */
    asio::awaitable<std::optional<exchange>> dial(std::shared_ptr<dial_job> job);

    /** A step as text: "TLS handshake with https://api.example". */
    std::string describe(dial_job::step at) const;

    /** The error of a dial that took too long. */
    exchange timed_out(dial_job const& job) const noexcept;

    /** The error for a new connection that its peer ended before a request was sent over it. */
    exchange closed_before_request(connection const& made, defect const& found) const;

    /** The error for a new connection that its peer ended before the first response. */
    exchange closed_without_response() const;

    /** For a while, dials try the address of this connection last. */
    void deprioritize(connection const& made);

    /** Forgets addresses. */
    void forget() noexcept { resolver_.forget(); }

    /** No dial is under way any more, nor will be. */
    void close() noexcept { resolver_.abandon(); }

private:
    using failure = std::optional<exchange>;

    /** `whom` is named by the error. */
    asio::awaitable<failure> find(
        dial_job& job, std::string name, std::string whom, std::vector<std::string>& addresses
    );
    asio::awaitable<failure> connect(dial_job& job, std::vector<std::string> addresses);
    asio::awaitable<failure> pass_proxy(dial_job& job);
    asio::awaitable<failure> open_tunnel(dial_job& job);
    asio::awaitable<failure> talk_socks(dial_job& job);
    asio::awaitable<failure> shake_hands(
        dial_job& job, std::shared_ptr<tls_profile> profile, std::string host, std::uint16_t port
    );
    asio::awaitable<failure> await_verdict_on_us(dial_job& job, std::chrono::nanoseconds patience);

    /** "proxy http://proxy.example:3128" or the origin: whom a failure is about. */
    std::string next_hop() const;
    std::string origin_text() const;
    std::string peer_text() const;
    failure proxy_failed(errc code, std::string const& why, bool permanent, std::error_code cause = {}) const;

    asio::any_io_executor executor_;
    origin to_;
    std::optional<core::proxy> proxy_;
    std::chrono::nanoseconds resolve_timeout_;
    std::chrono::nanoseconds connect_timeout_;
    shared_network& network_;
    transport& timers_;
    detail::parking_lot& lot_;
    resolver resolver_;
    core::address_order order_;        ///< of the next hop's addresses
    core::address_order target_order_; ///< of the origin's, where a proxy wants an address
};

} // namespace ccloud::net

#endif
