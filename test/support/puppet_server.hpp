#ifndef CCLOUD_TEST_SUPPORT_PUPPET_SERVER_HPP
#define CCLOUD_TEST_SUPPORT_PUPPET_SERVER_HPP

#include <ccloud/config.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

namespace support {

/** A server without TLS that does only what the test tells it to do. Connections are numbered by
    their order. */
class puppet_server
{
public:
    /** Throws boost::system::system_error where the port is taken. */
    explicit puppet_server(std::string const& address = "127.0.0.1", std::uint16_t port = 0)
        : acceptor_(context_, {boost::asio::ip::make_address(address), port})
    {
        acceptor_.non_blocking(true);
    }

    ccloud::config settings() const
    {
        ccloud::config how;
        how.endpoint = "http://127.0.0.1:" + std::to_string(port());
        how.allow_plaintext = true;
        how.credentials = ccloud::api_key("KEY", "SECRET");
        how.threading = ccloud::threading::serial;
        how.retry = ccloud::retry_policy::none();
        return how;
    }

    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

    std::size_t accepted()
    {
        for (;;)
        {
            boost::system::error_code none;
            tcp::socket next(context_);
            acceptor_.accept(next, none);
            if (none)
                return peers_.size();
            next.non_blocking(true);
            next.set_option(tcp::no_delay(true));
            peers_.push_back({std::move(next)});
        }
    }

    /** All that came on that connection so far. */
    std::string const& received(std::size_t connection = 0)
    {
        auto& from = look(connection);
        return from.received;
    }

    /** Requests, by the ends of their heads; the tests send GET, and POST with a body of two bytes. */
    std::size_t requests(std::size_t connection = 0)
    {
        if (connection >= accepted())
            return 0;
        auto const& text = received(connection);
        std::size_t count = 0;
        for (auto at = text.find("\r\n\r\n"); at != std::string::npos; at = text.find("\r\n\r\n", at + 4))
            ++count;
        return count;
    }

    /** Whether the client has ended that connection. */
    bool left(std::size_t connection = 0) { return look(connection).over; }

    void send(std::string_view bytes, std::size_t connection = 0)
    {
        boost::asio::write(peers_.at(connection).socket, boost::asio::buffer(bytes));
    }

    /** FIN. */
    void end(std::size_t connection = 0) { peers_.at(connection).socket.shutdown(tcp::socket::shutdown_send); }

    /** RST. */
    void reset(std::size_t connection = 0)
    {
        look(connection);
        auto& socket = peers_.at(connection).socket;
        socket.set_option(boost::asio::socket_base::linger(true, 0));
        socket.close();
    }

private:
    using tcp = boost::asio::ip::tcp;

    struct peer
    {
        tcp::socket socket;
        std::string received{};
        bool over = false;
    };

    peer& look(std::size_t connection)
    {
        accepted();
        auto& from = peers_.at(connection);
        std::array<char, 4096> bytes;
        boost::system::error_code failed;
        while (!from.over && !failed)
        {
            auto const got = from.socket.read_some(boost::asio::buffer(bytes), failed);
            from.received.append(bytes.data(), got);
        }
        from.over = from.over || (failed && failed != boost::asio::error::would_block);
        return from;
    }

    boost::asio::io_context context_;
    tcp::acceptor acceptor_;
    std::deque<peer> peers_;
};

} // namespace support

#endif
