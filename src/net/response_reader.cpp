#include "net/response_reader.hpp"

#include "core/keep_alive.hpp"
#include "core/parsed_fields.hpp"

#include <boost/beast/http/error.hpp>

#include <algorithm>

namespace ccloud::net {

namespace http = beast::http;

response_reader::response_reader(config::size_limits const& limits, spare_bodies& spares)
    : spares_(spares), body_limit_(limits.response_body)
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

void response_reader::on_field_impl(http::field kind, text name, text value, error_code&)
{
    if (header_complete_) // trailers mean nothing to us
        return;
    if (headers_.empty())
        headers_.reserve(512);
    switch (kind)
    {
    case http::field::content_length: seen_.content_length = true; break;
    case http::field::transfer_encoding: seen_.transfer_encoding = true; break;
    case http::field::content_encoding: seen_.content_encoding = true; break;
    case http::field::keep_alive: seen_.keep_alive = true; break;
    default: break;
    }
    detail::parsed_fields::add(headers_, {name.data(), name.size()}, {value.data(), value.size()});
}

void response_reader::on_header_impl(error_code& failed)
{
    header_complete_ = true;
    // Both framings at once are an attempt to smuggle (RFC 9112 section 6.3).
    if (seen_.content_length && seen_.transfer_encoding)
        failed = http::error::bad_transfer_encoding;
}

void response_reader::on_body_init_impl(boost::optional<std::uint64_t> const& length, error_code&)
{
    if (!length)
        return;
    auto const size = static_cast<std::size_t>((std::min)(*length, static_cast<std::uint64_t>(body_limit_)));
    body_ = spares_.take(size);
    body_.reserve(size);
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

} // namespace ccloud::net
