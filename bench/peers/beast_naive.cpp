// What one writes with Beast at first: messages in and out of a default flat_buffer.
#include "beast_dial.hpp"
#include "load.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <memory>
#include <string>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

struct connection
{
    connection(asio::io_context& context, asio::ssl::context& tls) : stream(context, tls) {}

    asio::ssl::stream<asio::ip::tcp::socket> stream;
    boost::beast::flat_buffer buffer;
};

asio::awaitable<void> work(connection& on, load::job const& asked, load::meter& measured, std::size_t requests)
{
    for (; requests > 0; --requests)
    {
        auto const begun = load::clock::now();
        http::request<http::empty_body> request(http::verb::get, asked.target, 11);
        request.set(http::field::host, asked.authority());
        request.set(http::field::authorization, std::string(load::authorization));
        request.set(http::field::user_agent, "beast_naive/1.0");
        request.set(http::field::accept, "application/json");
        co_await http::async_write(on.stream, request, asio::use_awaitable);
        http::response<http::string_body> response;
        co_await http::async_read(on.stream, on.buffer, response, asio::use_awaitable);
        asked.check(static_cast<int>(response.result_int()), response.body().size());
        measured.note(begun);
    }
}

void contend(load::job const& asked, load::meter& measured)
{
    asio::io_context context(1);
    auto tls = load::tls_profile(asked);
    std::vector<std::unique_ptr<connection>> connections;
    for (std::size_t i = 0; i < asked.connections; ++i)
    {
        connections.push_back(std::make_unique<connection>(context, tls));
        load::dial(connections.back()->stream, asked);
    }
    measured.measure([&](std::size_t requests) {
        load::run_all(context, connections.size(), [&](std::size_t i) {
            return work(*connections[i], asked, measured, load::share(requests, connections.size(), i));
        });
    });
}

} // namespace

int main(int count, char** arguments)
{
    return load::run(count, arguments, {}, contend);
}
