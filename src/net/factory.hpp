#ifndef CCLOUD_NET_FACTORY_HPP
#define CCLOUD_NET_FACTORY_HPP

#include <ccloud/config.hpp>
#include <ccloud/transport.hpp>

#include <memory>

namespace ccloud::net {

/** What connections of one configuration share: the trusted certificates, read once. */
class tls_profile;

/** @throws configuration_error where the CA file cannot be read. */
std::shared_ptr<tls_profile const> make_tls_profile(config::tls_options const& options);

/** A transport over TLS (or plain TCP, for an http endpoint) with a pool of its own. */
std::shared_ptr<transport> make_transport(
    asio::any_io_executor executor, config const& settings, std::shared_ptr<tls_profile const> tls
);

} // namespace ccloud::net

#endif
