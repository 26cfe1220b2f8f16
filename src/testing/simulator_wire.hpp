#ifndef CCLOUD_TESTING_SIMULATOR_WIRE_HPP
#define CCLOUD_TESTING_SIMULATOR_WIRE_HPP

#include "testing/simulator_api.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/zlib/deflate_stream.hpp>
#include <boost/crc.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ccloud::testing::simulated {

namespace http = boost::beast::http;

/** Takes requests out of a byte stream, one after the other; the beginning of the next one may come with the last. */
class request_reader
{
public:
    explicit request_reader(std::size_t read_size) : read_size_(read_size) { buffer_.reserve(read_size); }

    /** Begins the next request, with what is there already. */
    void begin()
    {
        parser_.emplace();
        parser_->eager(true);
        parser_->header_limit(64 * 1024);
        parser_->body_limit(1024 * 1024);
        failure_ = {};
        untouched_ = buffer_.size() == 0;
        parse();
    }

    /** Space for more bytes, of which `commit` then takes the first. */
    boost::asio::mutable_buffer prepare() { return buffer_.prepare(read_size_); }

    void commit(std::size_t count)
    {
        untouched_ = false;
        buffer_.commit(count);
        parse();
    }

    /** Whether not one byte of this request came yet. */
    bool untouched() const noexcept { return untouched_; }

    /** Whether there is a whole request, or no hope for one. */
    bool complete() const { return failure_.failed() || parser_->is_done(); }
    bool valid() const noexcept { return !failure_.failed(); }
    bool keep_alive() const { return parser_->keep_alive(); }

    /** The request; its views live until the next `begin`. */
    api_request request() const
    {
        auto const& message = parser_->get();
        return {
            view(message.method_string()), view(message.target()), view(message[http::field::authorization]),
            view(message[http::field::content_type]), message.body()};
    }

private:
    using string_view = boost::beast::string_view;

    static std::string_view view(string_view text) { return {text.data(), text.size()}; }

    void parse()
    {
        while (buffer_.size() > 0 && !complete())
        {
            std::size_t const used = parser_->put(buffer_.data(), failure_);
            buffer_.consume(used);
            if (failure_ == http::error::need_more)
            {
                failure_ = {};
                return;
            }
        }
    }

    std::size_t read_size_;
    boost::beast::flat_buffer buffer_;
    std::optional<http::request_parser<http::string_body>> parser_;
    boost::system::error_code failure_;
    bool untouched_ = true;
};

enum class persistence : bool { close, keep_alive };

inline void set_header(api_response& response, std::string const& name, std::string const& value)
{
    auto const same_name = [&](auto const& field) { return equal_ignoring_case(field.first, name); };
    std::erase_if(response.headers, same_name);
    response.headers.emplace_back(name, value);
}

/** The bytes of a response. */
inline std::string to_wire(api_response const& response, persistence after)
{
    auto const reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(response.status)));
    std::string text;
    text.reserve(512 + response.body.size());
    text.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
    text.append(reason.data(), reason.size()).append("\r\n");
    for (auto const& [name, value] : response.headers)
        text.append(name).append(": ").append(value).append("\r\n");
    if (response.status != 204)
        text.append("Content-Length: ").append(std::to_string(response.body.size())).append("\r\n");
    if (after == persistence::close)
        text.append("Connection: close\r\n");
    return text.append("\r\n").append(response.body);
}

inline void append_little_endian(std::string& bytes, std::uint32_t value)
{
    for (int shift = 0; shift < 32; shift += 8)
        bytes += static_cast<char>(value >> shift & 255);
}

/** RFC 1952, one member. */
inline std::string to_gzip(std::string const& content)
{
    namespace zlib = boost::beast::zlib;
    std::string bytes("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
    std::size_t const head = bytes.size();
    zlib::deflate_stream deflate;
    bytes.resize(head + deflate.upper_bound(content.size()));
    zlib::z_params work;
    work.next_in = content.data();
    work.avail_in = content.size();
    work.next_out = bytes.data() + head;
    work.avail_out = bytes.size() - head;
    boost::system::error_code at_end;
    deflate.write(work, zlib::Flush::finish, at_end);
    bytes.resize(head + work.total_out);
    boost::crc_32_type checksum;
    checksum.process_bytes(content.data(), content.size());
    append_little_endian(bytes, checksum.checksum());
    append_little_endian(bytes, static_cast<std::uint32_t>(content.size()));
    return bytes;
}

} // namespace ccloud::testing::simulated

#endif
