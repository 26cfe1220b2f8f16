#include "net/shared_network.hpp"

#include "core/proxy.hpp"
#include "core/url.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace ccloud::net {

namespace {

bool is_https_proxy(std::string const& url)
{
    auto const parsed = core::parse_proxy(url);
    auto const* through = std::get_if<core::proxy>(&parsed);
    return through && through->how == core::proxy::kind::https;
}

bool is_https(config const& settings)
{
    auto const parsed = core::parse_endpoint(settings.endpoint, settings.allow_plaintext);
    auto const* to = std::get_if<core::endpoint>(&parsed);
    return to && to->where.tls();
}

/** A pool that loses all its connections at once can resume them all. */
std::size_t tickets_for(std::size_t connections) noexcept
{
    constexpr std::size_t fewest = 4, most = 64;
    return std::clamp(connections, fewest, most);
}

} // namespace

shared_network::shared_network(config const& settings)
    : origin_has_tls_(is_https(settings)), proxy_has_tls_(is_https_proxy(settings.proxy.url)),
      tickets_for_a_peer_(tickets_for(settings.pool.max_connections_per_origin)), slots_(settings.pool.max_connections)
{
    reload(settings.tls);
}

std::shared_ptr<tls_profile> shared_network::for_origin() const
{
    std::lock_guard const lock(mutex_);
    return origin_;
}

std::shared_ptr<tls_profile> shared_network::for_proxy() const
{
    std::lock_guard const lock(mutex_);
    return proxy_;
}

void shared_network::reload(config::tls_options const& options)
{
    auto origin = origin_has_tls_ ? std::make_shared<tls_profile>(options, true, tickets_for_a_peer_) : nullptr;
    auto proxy = proxy_has_tls_ ? std::make_shared<tls_profile>(options, false, tickets_for_a_peer_) : nullptr;
    std::lock_guard const lock(mutex_);
    origin_.swap(origin);
    proxy_.swap(proxy);
    generation_.fetch_add(1, std::memory_order_relaxed);
}

std::size_t shared_network::tickets() const
{
    std::size_t all = 0;
    for (auto const& profile : {for_origin(), for_proxy()})
        if (profile)
            all += profile->tickets().size();
    return all;
}

std::shared_ptr<shared_network> share_network(config const& settings)
{
    return std::make_shared<shared_network>(settings);
}

void reload_tls(shared_network& network, config::tls_options const& options)
{
    network.reload(options);
}

} // namespace ccloud::net
