#ifndef CCLOUD_NET_RESPONSE_READER_HPP
#define CCLOUD_NET_RESPONSE_READER_HPP

#include <ccloud/config.hpp>
#include <ccloud/http.hpp>

#include "net/spare_bodies.hpp"

#include <boost/beast/http/basic_parser.hpp>

#include <string>

namespace ccloud::net {

namespace beast = boost::beast;

/** Reads one response off Beast's parser: the fields into one block, the body into one string.

    Where the request may be sent again, the body only explains, and its first 64 KiB are enough (rule I5): what is
    beyond them, or beyond the limit for bodies, is not kept and is no failure. */
class response_reader : public beast::http::basic_parser<false>
{
public:
    /** `spares` outlives it. */
    response_reader(config::size_limits const& limits, spare_bodies& spares);

    int status() const noexcept { return status_; }
    bool interim() const noexcept { return status_ >= 100 && status_ < 200; }

    /** Whether the head has these fields; that most have not need not be looked up. */
    struct fields_seen
    {
        bool content_length = false;
        bool transfer_encoding = false;
        bool content_encoding = false;
        bool keep_alive = false;
    };
    fields_seen const& seen() const noexcept { return seen_; }

    /** Whether the head is there, and the rest is not worth waiting for. */
    bool only_explains() const noexcept { return header_complete_ && only_explains_; }

    /** Whether as much as is kept is there, though perhaps not all. */
    bool has_enough() const noexcept { return only_explains() && body_.size() >= body_limit_; }

    http_response take();

private:
    using error_code = beast::error_code;
    using text = beast::string_view;

    static constexpr std::size_t enough_to_explain = 64 * 1024;

    void on_request_impl(beast::http::verb, text, text, int, error_code&) override {}
    void on_response_impl(int code, text, int, error_code&) override;
    void on_field_impl(beast::http::field, text name, text value, error_code&) override;
    void on_header_impl(error_code& failed) override;
    void on_body_init_impl(boost::optional<std::uint64_t> const& length, error_code&) override;
    std::size_t on_body_impl(text piece, error_code&) override;
    void on_chunk_header_impl(std::uint64_t, text, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, text piece, error_code& failed) override;
    void on_finish_impl(error_code&) override {}

    void keep(text piece);

    int status_ = 0;
    bool header_complete_ = false;
    bool only_explains_ = false;
    fields_seen seen_;
    spare_bodies& spares_;
    std::size_t body_limit_;
    http_headers headers_;
    std::string body_;
};

} // namespace ccloud::net

#endif
