#ifndef CCLOUD_BENCH_BEAST_CLIENT_HPP
#define CCLOUD_BENCH_BEAST_CLIENT_HPP

#include <ccloud/config.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

namespace bench {

namespace asio = boost::asio;
namespace http = boost::beast::http;

/** The peer: what one writes with Beast, one connection a coroutine, kept alive. No deadline, no retry, no pool. */
class beast_client
{
public:
    explicit beast_client(ccloud::config const& settings) : tls_(asio::ssl::context::tls_client)
    {
        tls_.set_verify_mode(asio::ssl::verify_peer);
        tls_.load_verify_file(settings.tls.ca_file);
        port_ = settings.endpoint.substr(settings.endpoint.rfind(':') + 1);
        authorization_ = "Basic " + base64(settings.credentials);
    }

    class connection
    {
    public:
        connection(asio::any_io_executor const& executor, asio::ssl::context& tls) : stream(executor, tls) {}

        asio::ssl::stream<asio::ip::tcp::socket> stream;
        boost::beast::flat_buffer buffer;
    };

    asio::awaitable<std::unique_ptr<connection>> connect()
    {
        auto const executor = co_await asio::this_coro::executor;
        auto made = std::make_unique<connection>(executor, tls_);
        asio::ip::tcp::resolver resolver(executor);
        auto const found = co_await resolver.async_resolve("localhost", port_, asio::use_awaitable);
        co_await asio::async_connect(made->stream.next_layer(), found, asio::use_awaitable);
        made->stream.next_layer().set_option(asio::ip::tcp::no_delay(true));
        made->stream.set_verify_callback(asio::ssl::host_name_verification("localhost"));
        if (::SSL_set_tlsext_host_name(made->stream.native_handle(), "localhost") != 1)
            throw std::runtime_error("beast: no server name");
        co_await made->stream.async_handshake(asio::ssl::stream_base::client, asio::use_awaitable);
        co_return made;
    }

    asio::awaitable<std::string> get(connection& to, std::string const& target)
    {
        http::request<http::empty_body> request(http::verb::get, target, 11);
        request.set(http::field::host, "localhost:" + port_);
        request.set(http::field::authorization, authorization_);
        request.set(http::field::user_agent, "bench/1.0");
        request.set(http::field::accept, "application/json");
        co_await http::async_write(to.stream, request, asio::use_awaitable);
        http::response<http::string_body> response;
        co_await http::async_read(to.stream, to.buffer, response, asio::use_awaitable);
        if (response.result() != http::status::ok)
            throw std::runtime_error("beast: HTTP " + std::to_string(response.result_int()));
        co_return std::move(response.body());
    }

private:
    static std::string base64(ccloud::credentials const& who)
    {
        auto const& key = std::get<ccloud::api_key>(who);
        auto const text = key.id() + ":" + key.secret();
        std::string encoded(4 * ((text.size() + 2) / 3), '\0');
        ::EVP_EncodeBlock(
            reinterpret_cast<unsigned char*>(encoded.data()), reinterpret_cast<unsigned char const*>(text.data()),
            static_cast<int>(text.size())
        );
        return encoded;
    }

    asio::ssl::context tls_;
    std::string port_;
    std::string authorization_;
};

} // namespace bench

#endif
