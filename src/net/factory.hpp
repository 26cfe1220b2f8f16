#ifndef CCLOUD_NET_FACTORY_HPP
#define CCLOUD_NET_FACTORY_HPP

#include <ccloud/config.hpp>
#include <ccloud/transport.hpp>

#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

namespace ccloud::net {

/** What the shards of a client share: trust, keys and tickets of TLS, and the number of connections. Any thread. */
class shared_network;

/** Reads certificates and keys. @throws configuration_error where something cannot be used */
std::shared_ptr<shared_network> share_network(config const& settings);

/** Reads certificates and keys again. @throws configuration_error where something cannot be used; then the old ones
    stay. */
void reload_tls(shared_network& network, config::tls_options const& options);

/** What a look-up of a name found: addresses as text, or a failure. */
struct name_answer
{
    std::vector<std::string> addresses;
    std::error_code failure;
};

/** Looks up a name. Called on threads of its own, where it may block for as long as it likes. */
using name_lookup = std::function<name_answer(std::string const& name)>;

/** getaddrinfo. */
name_answer system_lookup(std::string const& name);

/** A transport over TLS (or plain TCP, for an http endpoint) with a pool of its own.
    @throws configuration_error for a proxy that cannot be used */
std::shared_ptr<transport> make_transport(
    asio::any_io_executor executor, config const& settings, std::shared_ptr<shared_network> network,
    name_lookup lookup = system_lookup
);

} // namespace ccloud::net

#endif
