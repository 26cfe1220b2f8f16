#ifndef CCLOUD_NET_TLS_HPP
#define CCLOUD_NET_TLS_HPP

#include <ccloud/config.hpp>
#include <ccloud/http.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

#include <string>

namespace ccloud::net {

namespace asio = boost::asio;

using tcp_socket = asio::ip::tcp::socket;
using tls_stream = asio::ssl::stream<tcp_socket>;

/** TLS 1.2 and later, with the peer's certificate verified. Made once, then only read: connections of any thread may
    share it. */
class tls_profile
{
public:
    explicit tls_profile(config::tls_options const& options);

    asio::ssl::context& context() const noexcept { return context_; }

private:
    mutable asio::ssl::context context_;
};

/** Tells the stream whom it talks to: the certificate must be for this host, SNI names it (unless it is an address,
    RFC 6066 section 3), and ALPN offers http/1.1 alone. */
boost::system::error_code prepare(tls_stream& stream, std::string const& host);

/** Why the handshake was refused for the peer's certificate; empty where it was not for that. */
std::string certificate_complaint(tls_stream& stream);

/** Whether ALPN chose a protocol that we did not offer. */
bool speaks_other_protocol(tls_stream& stream);

} // namespace ccloud::net

#endif
