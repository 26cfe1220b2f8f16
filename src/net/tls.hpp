#ifndef CCLOUD_NET_TLS_HPP
#define CCLOUD_NET_TLS_HPP

#include <ccloud/config.hpp>
#include <ccloud/error.hpp>

#include "net/metered_socket.hpp"

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace ccloud::net {

using tls_stream = asio::ssl::stream<metered_socket&>;
using nested_tls_stream = asio::ssl::stream<tls_stream&>; ///< to the origin through an HTTPS proxy

struct session_delete
{
    void operator()(SSL_SESSION* session) const noexcept { ::SSL_SESSION_free(session); }
};
using session_pointer = std::unique_ptr<SSL_SESSION, session_delete>;

/** Sessions that servers let us resume, by peer. Any thread. */
class session_store
{
public:
    explicit session_store(std::size_t most_for_a_peer) noexcept : most_(most_for_a_peer) {}

    void put(std::string const& peer, session_pointer session);

    /** The newest one that is not too old; null where there is none. One of TLS 1.3 is given away (RFC 8446 appendix
        C.4), of one of TLS 1.2 a copy: it may be used again, and the end of a connection can spoil its session. */
    session_pointer take(std::string const& peer);

    std::size_t size() const noexcept;

private:
    std::size_t const most_;
    mutable std::mutex mutex_;
    std::map<std::string, std::deque<session_pointer>, std::less<>> sessions_;
};

/** How we speak TLS: whom we trust, what we show, and the tickets that were got that way. Made once, then only read but
    for the tickets: connections of any thread may share it. */
class tls_profile
{
public:
    /** @throws configuration_error */
    tls_profile(config::tls_options const& options, bool shows_certificate, std::size_t tickets_for_a_peer);

    asio::ssl::context& context() noexcept { return context_; }
    session_store& tickets() noexcept { return tickets_; }

private:
    asio::ssl::context context_;
    session_store tickets_;
};

/** One side of a TLS connection: whom it talks to, under which profile. OpenSSL's stream points to it, so it outlives
    the stream and does not move. */
class tls_peer
{
public:
    tls_peer(std::shared_ptr<tls_profile> profile, std::string_view host, std::uint16_t port);
    tls_peer(tls_peer const&) = delete;
    tls_peer& operator=(tls_peer const&) = delete;

    asio::ssl::context& context() noexcept { return profile_->context(); }

    /** Before the handshake: the certificate must be for the host, SNI names it (unless it is an address, RFC 6066
        section 3), both without a dot at its end; ALPN offers http/1.1 alone, and a ticket is offered where there is
        one. */
    boost::system::error_code prepare(SSL* ssl);

    /** After the handshake, well or not: what speaks against using the connection. A resumed session is checked like a
        new one. */
    struct verdict
    {
        errc code = errc::unset; ///< unset: nothing
        std::string why;         ///< empty where the error code says it
        bool permanent = false;
        std::error_code cause{}; ///< empty if `why` says everything
    };
    verdict judge(SSL* ssl, boost::system::error_code const& failed) const;

    /** The server asked for a certificate of ours. */
    bool asked_for_certificate() const noexcept { return asked_; }

    /** Whether an error says that it does not accept what it got. Over TLS 1.3 that may come after the handshake. */
    bool rejects_our_certificate(boost::system::error_code const& failed) const noexcept;

private:
    friend class tls_profile;

    static int index();
    static int on_session(SSL* ssl, SSL_SESSION* session);
    static int on_certificate_request(SSL* ssl, void*);

    std::shared_ptr<tls_profile> profile_;
    std::string host_; ///< without a dot at its end
    std::string name_; ///< for tickets
    bool asked_ = false;
};

} // namespace ccloud::net

#endif
