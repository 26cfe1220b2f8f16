#ifndef CCLOUD_TESTING_SIMULATOR_CONNECTION_HPP
#define CCLOUD_TESTING_SIMULATOR_CONNECTION_HPP

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ccloud::testing::simulated {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

/** How a connection goes on after an answer. */
enum class ending : unsigned char {
    keep_open,
    goodbye, ///< close_notify and FIN
    cut,     ///< FIN alone
    reset,   ///< RST
};

/** What is put on the wire for a request. */
struct delivery
{
    std::chrono::milliseconds wait{0};
    std::string text;
    std::size_t slow_bytes = 0; ///< at the end of `text`, sent one by one
    std::chrono::milliseconds pause{0};
    ending then = ending::keep_open;
};

/** One connection. The plain socket lies below the TLS stream, where there is one. */
struct connection
{
    explicit connection(tcp::socket accepted) : socket(std::move(accepted)), timer(socket.get_executor()) {}

    void close()
    {
        error_code ignored;
        socket.close(ignored);
        timer.cancel();
    }

    /** RST: closing does not wait for what the peer did not get yet. */
    void reset()
    {
        error_code ignored;
        socket.set_option(tcp::socket::linger(true, 0), ignored);
        close();
    }

    tcp::socket socket;
    std::optional<asio::ssl::stream<tcp::socket&>> tls;
    asio::steady_timer timer;
};

using connection_pointer = std::shared_ptr<connection>;

/** @return whether the time passed, and the connection was not closed meanwhile */
inline asio::awaitable<bool> wait_for(connection_pointer peer, std::chrono::milliseconds time)
{
    error_code failure;
    auto token = asio::redirect_error(asio::use_awaitable, failure);
    peer->timer.expires_after(time);
    co_await peer->timer.async_wait(token);
    co_return !failure && peer->socket.is_open();
}

/** Takes what comes and says nothing, until the peer gives up. */
inline asio::awaitable<void> stall(connection_pointer peer)
{
    error_code failure;
    auto token = asio::redirect_error(asio::use_awaitable, failure);
    std::array<char, 512> bytes;
    auto const space = asio::buffer(bytes);
    while (!failure)
        co_await peer->socket.async_read_some(space, token);
}

/** Says close_notify and waits a second for the answer. */
inline asio::awaitable<void> say_goodbye(connection_pointer peer)
{
    error_code ignored;
    auto token = asio::redirect_error(asio::use_awaitable, ignored);
    auto const give_up = [peer](error_code cancelled) {
        if (!cancelled)
            peer->close();
    };
    peer->timer.expires_after(std::chrono::seconds(1));
    peer->timer.async_wait(give_up);
    co_await peer->tls->async_shutdown(token);
    peer->timer.cancel();
}

/** Sends the end of an answer byte by byte. */
template <class Stream>
asio::awaitable<bool> trickle(connection_pointer peer, Stream& stream, std::string_view bytes, delivery const& answer)
{
    error_code failure;
    auto token = asio::redirect_error(asio::use_awaitable, failure);
    for (std::size_t i = 0; i < bytes.size() && !failure; ++i)
    {
        bool const waited = co_await wait_for(peer, answer.pause);
        if (!waited)
            co_return false;
        auto const byte = asio::buffer(bytes.data() + i, 1);
        co_await asio::async_write(stream, byte, token);
    }
    co_return !failure;
}

/** @return whether the connection may serve another request */
template <class Stream>
asio::awaitable<bool> deliver(connection_pointer peer, Stream& stream, delivery const& answer)
{
    if (answer.wait.count() > 0)
    {
        bool const waited = co_await wait_for(peer, answer.wait);
        if (!waited)
            co_return false;
    }
    std::string_view const text = answer.text;
    std::size_t const at_once = text.size() - answer.slow_bytes;
    error_code failure;
    auto token = asio::redirect_error(asio::use_awaitable, failure);
    auto const begin = asio::buffer(text.data(), at_once);
    co_await asio::async_write(stream, begin, token);
    if (failure)
        co_return false;
    if (answer.slow_bytes > 0)
    {
        bool const sent = co_await trickle(peer, stream, text.substr(at_once), answer);
        if (!sent)
            co_return false;
    }
    if (answer.then == ending::goodbye && peer->tls)
        co_await say_goodbye(peer);
    if (answer.then == ending::reset)
        peer->reset();
    co_return answer.then == ending::keep_open;
}

// Asio opens sockets without close-on-exec. These functions set it, so that a program that a test starts does not keep
// the sockets open.

inline tcp::acceptor listen_on(asio::io_context& io, tcp::endpoint const& address)
{
    auto const protocol = address.protocol();
    int const made = ::socket(protocol.family(), SOCK_STREAM | SOCK_CLOEXEC, protocol.protocol());
    if (made < 0)
        throw boost::system::system_error(errno, boost::system::system_category(), "socket");
    tcp::acceptor acceptor(io, protocol, made);
    acceptor.non_blocking(true);
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    if (address.address().is_v6())
        acceptor.set_option(asio::ip::v6_only(true));
    acceptor.bind(address);
    acceptor.listen();
    return acceptor;
}

/** Waits for a connection. */
inline asio::awaitable<tcp::socket> accept(tcp::acceptor& acceptor, error_code& failure)
{
    auto token = asio::redirect_error(asio::use_awaitable, failure);
    int made = -1;
    do
    {
        co_await acceptor.async_wait(tcp::acceptor::wait_read, token);
        if (failure)
            break;
        made = ::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC);
        if (made < 0)
            failure.assign(errno, boost::system::system_category());
    } while (failure == asio::error::would_block); // it has gone again
    tcp::socket accepted(acceptor.get_executor());
    if (made >= 0)
        accepted.assign(acceptor.local_endpoint(failure).protocol(), made, failure);
    if (made >= 0 && !accepted.is_open())
        ::close(made);
    co_return accepted;
}

/** Listens on one port of 127.0.0.1 and ::1, so that "localhost" means this server whichever is tried first. Where
    the port is free to choose, one that is free on both. */
inline std::vector<tcp::acceptor> listen_on_loopback(asio::io_context& io, std::uint16_t port)
{
    for (int attempts_left = port == 0 ? 16 : 1;; --attempts_left)
    {
        std::vector<tcp::acceptor> acceptors;
        acceptors.push_back(listen_on(io, {asio::ip::address_v4::loopback(), port}));
        try
        {
            std::uint16_t const chosen = acceptors.front().local_endpoint().port();
            acceptors.push_back(listen_on(io, {asio::ip::address_v6::loopback(), chosen}));
        }
        catch (boost::system::system_error const& failure)
        {
            if (failure.code() == asio::error::address_in_use && attempts_left > 1)
                continue;
            if (failure.code() == asio::error::address_in_use)
                throw;
        }
        return acceptors;
    }
}

} // namespace ccloud::testing::simulated

#endif
