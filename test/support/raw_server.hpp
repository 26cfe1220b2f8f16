#ifndef CCLOUD_TEST_SUPPORT_RAW_SERVER_HPP
#define CCLOUD_TEST_SUPPORT_RAW_SERVER_HPP

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace support {

/** What the raw server does for one request. */
struct raw_reply
{
    std::string bytes;
    bool then_close = false;
    std::vector<std::string> later{}; ///< sent after that, a piece every 20 ms
};

/** A plain TCP server that answers requests by bytes, whatever they are: for what no proper server would say. */
class raw_server
{
public:
    explicit raw_server(std::deque<raw_reply> replies)
        : replies_(std::move(replies)), acceptor_(context_, {boost::asio::ip::address_v4::loopback(), 0})
    {
        boost::asio::co_spawn(context_, accept(), boost::asio::detached);
        thread_ = std::thread([this] { context_.run(); });
    }

    ~raw_server()
    {
        context_.stop();
        thread_.join();
    }

    std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(port()); }
    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    int connections() const { return connections_; }
    int requests() const { return requests_; }

private:
    using tcp = boost::asio::ip::tcp;
    static constexpr auto awaited = boost::asio::as_tuple(boost::asio::use_awaitable);

    boost::asio::awaitable<void> accept()
    {
        for (;;)
        {
            tcp::socket peer = co_await acceptor_.async_accept(boost::asio::use_awaitable);
            ++connections_;
            boost::asio::co_spawn(context_, serve(std::move(peer)), boost::asio::detached);
        }
    }

    boost::asio::awaitable<void> serve(tcp::socket peer)
    {
        std::string received;
        for (;;)
        {
            auto into = boost::asio::dynamic_buffer(received);
            std::tuple<boost::system::error_code, std::size_t> const head =
                co_await boost::asio::async_read_until(peer, into, "\r\n\r\n", awaited);
            if (std::get<0>(head))
                co_return;
            received.clear(); // the tests send bodies in the same segment as the head
            ++requests_;
            if (replies_.empty())
                co_return;
            auto const reply = std::move(replies_.front());
            replies_.pop_front();
            std::tuple<boost::system::error_code, std::size_t> sent =
                co_await boost::asio::async_write(peer, boost::asio::buffer(reply.bytes), awaited);
            for (auto const& piece : reply.later)
            {
                if (std::get<0>(sent))
                    co_return;
                boost::asio::steady_timer pause(context_, std::chrono::milliseconds(20));
                (void)co_await pause.async_wait(awaited);
                sent = co_await boost::asio::async_write(peer, boost::asio::buffer(piece), awaited);
            }
            if (std::get<0>(sent) || reply.then_close)
                co_return;
        }
    }

    std::deque<raw_reply> replies_;
    boost::asio::io_context context_;
    tcp::acceptor acceptor_;
    std::atomic<int> connections_ = 0;
    std::atomic<int> requests_ = 0;
    std::thread thread_;
};

} // namespace support

#endif
