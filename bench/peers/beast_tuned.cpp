// A Beast loop tuned by hand: the request is one text made once and goes out in one write, responses are read off a
// parser that keeps nothing. Bodies are counted, not decoded.
#include "beast_dial.hpp"
#include "load.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/version.hpp>

#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::beast::string_view;
using boost::system::error_code;

/** The status and the length of the body. */
class counting_reader : public http::basic_parser<false>
{
public:
    counting_reader() { eager(true); }

    int status() const noexcept { return status_; }
    std::size_t body_size() const noexcept { return body_size_; }

private:
    void on_request_impl(http::verb, string_view, string_view, int, error_code&) override {}
    void on_response_impl(int code, string_view, int, error_code&) override { status_ = code; }
    void on_field_impl(http::field, string_view, string_view, error_code&) override {}
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
    std::size_t on_body_impl(string_view piece, error_code&) override { return count(piece); }
    void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, string_view piece, error_code&) override { return count(piece); }
#if BOOST_VERSION >= 109000
    void on_trailer_field_impl(http::field, string_view, string_view, error_code&) override
    {
    }
#endif
    void on_finish_impl(error_code&) override
    {
    }

    std::size_t count(string_view piece)
    {
        body_size_ += piece.size();
        return piece.size();
    }

    int status_ = 0;
    std::size_t body_size_ = 0;
};

struct connection
{
    connection(asio::io_context& context, asio::ssl::context& tls) : stream(context, tls)
    {
        // Asio lets OpenSSL free its buffers after each record; that costs pages 5 to 15 %.
        ::SSL_clear_mode(stream.native_handle(), SSL_MODE_RELEASE_BUFFERS);
    }

    asio::ssl::stream<asio::ip::tcp::socket> stream;
    std::array<char, 64 * 1024> buffer;
    std::size_t unread = 0; // at its beginning
    std::optional<counting_reader> reader;

    auto room() { return asio::buffer(buffer) + unread; }

    /** Feeds the parser with so many bytes more; what it does not take yet stays. */
    void parse(std::size_t more)
    {
        unread += more;
        error_code failed;
        auto const taken = reader->put(asio::const_buffer(buffer.data(), unread), failed);
        if (failed && (failed != http::error::need_more || unread == buffer.size()))
            throw boost::system::system_error(failed);
        unread -= taken;
        if (unread > 0)
            std::memmove(buffer.data(), buffer.data() + taken, unread);
    }
};

asio::awaitable<void> work(
    connection& on, std::string const& request, load::job const& asked, load::meter& measured, std::size_t requests
)
{
    auto const text = asio::buffer(request);
    for (; requests > 0; --requests)
    {
        auto const begun = load::clock::now();
        co_await asio::async_write(on.stream, text, asio::deferred);
        on.reader.emplace();
        while (!on.reader->is_done())
        {
            auto const got = co_await on.stream.async_read_some(on.room(), asio::deferred);
            on.parse(got);
        }
        asked.check(on.reader->status(), on.reader->body_size());
        measured.note(begun);
    }
}

void contend(load::job const& asked, load::meter& measured)
{
    asio::io_context context(1);
    auto tls = load::tls_profile(asked);
    auto const request = asked.request("beast_tuned");
    std::vector<std::unique_ptr<connection>> connections;
    for (std::size_t i = 0; i < asked.connections; ++i)
    {
        connections.push_back(std::make_unique<connection>(context, tls));
        load::dial(connections.back()->stream, asked);
    }
    measured.measure([&](std::size_t requests) {
        load::run_all(context, connections.size(), [&](std::size_t i) {
            return work(*connections[i], request, asked, measured, load::share(requests, connections.size(), i));
        });
    });
}

} // namespace

int main(int count, char** arguments)
{
    return load::run(count, arguments, {}, contend);
}
