#ifndef CCLOUD_TEST_SUPPORT_BLACK_HOLE_HPP
#define CCLOUD_TEST_SUPPORT_BLACK_HOLE_HPP

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstdint>
#include <deque>
#include <stdexcept>
#include <string>

namespace support {

/** A port of this machine that does not answer: its queue of connections that nobody accepts is full, so that Linux
    drops each further SYN. */
class black_hole
{
public:
    /** Throws boost::system::system_error where there is no such address, or the port is taken. */
    explicit black_hole(std::string const& address, std::uint16_t port = 0)
        : at_(boost::asio::ip::make_address(address), port), listener_(context_)
    {
        listener_.open(at_.protocol());
        if (at_.address().is_v6())
            listener_.set_option(boost::asio::ip::v6_only(true));
        listener_.bind(at_);
        at_ = listener_.local_endpoint();
        listener_.listen(0);
        while (!is_full())
        {
            if (waiting_.size() > 16)
                throw std::runtime_error("black_hole: does not fill up");
            waiting_.emplace_back(context_).connect(at_);
        }
    }

    std::uint16_t port() const { return at_.port(); }

private:
    bool is_full()
    {
        ::tcp_info seen{};
        socklen_t size = sizeof seen;
        ::getsockopt(listener_.native_handle(), IPPROTO_TCP, TCP_INFO, &seen, &size);
        return seen.tcpi_unacked > seen.tcpi_sacked; // of a listener: connections in its queue, and how many may be
    }

    boost::asio::io_context context_;
    boost::asio::ip::tcp::endpoint at_;
    boost::asio::ip::tcp::acceptor listener_;
    std::deque<boost::asio::ip::tcp::socket> waiting_;
};

} // namespace support

#endif
