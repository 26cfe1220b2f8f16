#ifndef CCLOUD_NET_METERED_SOCKET_HPP
#define CCLOUD_NET_METERED_SOCKET_HPP

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/system/error_code.hpp>

#include <openssl/ssl.h>

#include <cstddef>
#include <utility>

namespace ccloud::net {

namespace asio = boost::asio;

using tcp_socket = asio::ip::tcp::socket;

/** Counts what the peer of one layer of TLS has sent since its last application data: bytes of records, and handshake
    messages, such as session tickets and KeyUpdate (RFC 8446 section 4.6) or HelloRequest (RFC 5246 section
    7.4.1.1). */
class tls_meter
{
public:
    static constexpr std::size_t most_messages = 32;
    static constexpr std::size_t most_bytes = 64 * 1024;

    /** Has OpenSSL tell this meter what it reads. Called before the handshake, because OpenSSL 3.2 and later ask for the
        callback when they make the state of the record layer, at each change of keys. The meter must outlive `ssl`. */
    void attach(SSL* ssl) noexcept;

    /** Begins to count. Called after the handshake. */
    void start() noexcept
    {
        counting_ = true;
        reset();
    }
    void stop() noexcept { counting_ = false; }

    /** Application data came. */
    void reset() noexcept { messages_ = bytes_ = 0; }

    bool exceeded() const noexcept { return messages_ > most_messages || bytes_ > most_bytes; }

private:
    static void on_message(int sent, int, int type, void const* bytes, std::size_t size, SSL*, void* self) noexcept;

    bool counting_ = false;
    std::size_t messages_ = 0;
    std::size_t bytes_ = 0;
};

/** The socket below TLS. OpenSSL reads until application data arrive. If a peer has sent too much else, reads from this
    socket fail with `connection_aborted`. Between two checks Asio reads at most one buffer (17 KB), so no read takes
    long. */
class metered_socket
{
public:
    using lowest_layer_type = tcp_socket::lowest_layer_type;
    using executor_type = tcp_socket::executor_type;

    explicit metered_socket(tcp_socket& socket) noexcept : socket_(socket) {}

    tls_meter outer; ///< of the layer of TLS above it
    tls_meter inner; ///< of the layer above that, if any

    bool exceeded() const noexcept { return outer.exceeded() || inner.exceeded(); }

    executor_type get_executor() noexcept { return socket_.get_executor(); }
    lowest_layer_type& lowest_layer() noexcept { return socket_.lowest_layer(); }

    template <class Buffers>
    std::size_t read_some(Buffers const& into, boost::system::error_code& failed)
    {
        if (!exceeded())
            return socket_.read_some(into, failed);
        failed = asio::error::connection_aborted;
        return 0;
    }

    /** Never fails with `would_block`: Asio has already taken the bytes from OpenSSL, so a second try would not send
        them. */
    template <class Buffers>
    std::size_t write_some(Buffers const& from, boost::system::error_code& failed)
    {
        auto const written = socket_.write_some(from, failed);
        if (failed == asio::error::would_block)
            failed = asio::error::no_buffer_space;
        return written;
    }

    template <class Buffers, class Handler>
    void async_read_some(Buffers const& into, Handler&& handler)
    {
        // Asio reads into an empty buffer if it only wants to be resumed by the executor.
        if (asio::buffer_size(into) == 0 || !exceeded())
            socket_.async_read_some(into, std::forward<Handler>(handler));
        else
            asio::post(
                get_executor(), boost::beast::bind_front_handler(
                                    std::forward<Handler>(handler),
                                    boost::system::error_code(asio::error::connection_aborted), std::size_t(0)
                                )
            );
    }

    template <class Buffers, class Handler>
    void async_write_some(Buffers const& from, Handler&& handler)
    {
        socket_.async_write_some(from, std::forward<Handler>(handler));
    }

private:
    tcp_socket& socket_;
};

} // namespace ccloud::net

#endif
