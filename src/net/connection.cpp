#include "net/connection.hpp"

#include "core/keep_alive.hpp"

#include <boost/beast/http/error.hpp>

#include <sys/socket.h>

#include <algorithm>

namespace ccloud::net {

namespace http = beast::http;

response_reader::response_reader(config::size_limits const& limits) : body_limit_(limits.response_body)
{
    constexpr std::size_t beast_most = 0xffffffff;
    header_limit(static_cast<std::uint32_t>((std::min)(limits.response_header, beast_most)));
    body_limit(static_cast<std::uint64_t>(limits.response_body));
    eager(true);
}

http_response response_reader::take()
{
    return http_response(status_, std::move(headers_), std::move(body_));
}

void response_reader::on_response_impl(int code, text, int, error_code&)
{
    status_ = code;
    only_explains_ = core::may_be_repeated(code);
    if (!only_explains_)
        return;
    body_limit_ = (std::min)(body_limit_, enough_to_explain);
    body_limit(boost::none); // Beast would refuse what is longer
}

void response_reader::on_field_impl(http::field, text name, text value, error_code&)
{
    if (header_complete_) // trailers mean nothing to us
        return;
    if (headers_.empty())
        headers_.reserve(512);
    headers_.add(std::string_view(name.data(), name.size()), std::string_view(value.data(), value.size()));
}

void response_reader::on_header_impl(error_code& failed)
{
    header_complete_ = true;
    // Both framings at once are an attempt to smuggle (RFC 9112 section 6.3).
    if (headers_.contains("Content-Length") && headers_.contains("Transfer-Encoding"))
        failed = http::error::bad_transfer_encoding;
}

void response_reader::on_body_init_impl(boost::optional<std::uint64_t> const& length, error_code&)
{
    if (length)
        body_.reserve(static_cast<std::size_t>((std::min)(*length, static_cast<std::uint64_t>(body_limit_))));
}

void response_reader::keep(text piece)
{
    body_.append(piece.data(), (std::min)(piece.size(), body_limit_ - body_.size()));
}

std::size_t response_reader::on_body_impl(text piece, error_code&)
{
    keep(piece);
    return piece.size();
}

std::size_t response_reader::on_chunk_body_impl(std::uint64_t, text piece, error_code& failed)
{
    if (!only_explains_ && body_.size() + piece.size() > body_limit_)
        failed = http::error::body_limit;
    else
        keep(piece);
    return piece.size();
}

connection::connection(asio::any_io_executor const& executor, tls_profile const* tls)
{
    if (tls)
        tls_ = std::make_unique<tls_stream>(tcp_socket(executor), tls->context());
    else
        plain_ = std::make_unique<tcp_socket>(executor);
}

connection::~connection() = default;

void connection::tear(torn why) noexcept
{
    if (torn_ == torn::no)
        torn_ = why;
    boost::system::error_code ignored;
    socket().close(ignored);
}

bool connection::alive()
{
    if (!socket().is_open())
        return false;
    char byte = 0;
    if (!tls_)
        return ::recv(plain_->native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
               (errno == EAGAIN || errno == EWOULDBLOCK);
    // Tickets and key updates make a healthy TLS 1.3 connection readable, and TLS may hold records that the socket does
    // not show any more: only a read through TLS can tell.
    boost::system::error_code failed;
    tls_->read_some(asio::buffer(&byte, 1), failed);
    return failed == asio::error::would_block;
}

} // namespace ccloud::net
