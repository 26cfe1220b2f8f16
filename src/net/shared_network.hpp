#ifndef CCLOUD_NET_SHARED_NETWORK_HPP
#define CCLOUD_NET_SHARED_NETWORK_HPP

#include "core/pool.hpp"
#include "net/factory.hpp"
#include "net/tls.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

namespace ccloud::net {

class shared_network
{
public:
    explicit shared_network(config const& settings);

    /** The profiles for new connections; null where the endpoint and the proxy have no TLS. */
    std::shared_ptr<tls_profile> for_origin() const;
    std::shared_ptr<tls_profile> for_proxy() const;

    /** Grows with each reload. */
    std::uint64_t generation() const noexcept { return generation_.load(std::memory_order_relaxed); }

    void reload(config::tls_options const& options);

    core::slot_quota& slots() noexcept { return slots_; }
    std::size_t tickets() const;

private:
    bool const origin_has_tls_;
    bool const proxy_has_tls_;
    std::size_t const tickets_for_a_peer_;
    core::slot_quota slots_;
    std::atomic<std::uint64_t> generation_{0};
    mutable std::mutex mutex_;
    std::shared_ptr<tls_profile> origin_;
    std::shared_ptr<tls_profile> proxy_; ///< the same trust, but it never shows our certificate
};

} // namespace ccloud::net

#endif
