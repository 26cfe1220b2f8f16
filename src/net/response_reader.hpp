#ifndef CCLOUD_NET_RESPONSE_READER_HPP
#define CCLOUD_NET_RESPONSE_READER_HPP

#include <ccloud/config.hpp>
#include <ccloud/http.hpp>

#include "net/spare_bodies.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/version.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace ccloud::net {

namespace beast = boost::beast;

/** Reads one response of HTTP/1 (RFC 9112) from its bytes, however they are split: the fields into one block, the body
    into one string. Trailers and the extensions of chunks are checked and dropped.

    Beast's parser reads the header section, after all of it has come. This class finds the end of the body itself,
    because the parser of Boost 1.81 refuses blanks after a chunk size (section 7.1.1), treats trailers as header fields,
    and applies its limits differently, depending on how the bytes arrive. A status line or field that the parser refuses
    although a recipient may accept it is corrected, or read, by this class.

    The header section, its empty line included, has at most `limits.response_header` bytes. The same limit holds for
    the trailers and the extensions of all chunks together. The body has at most `limits.response_body` bytes. If the
    status allows a retry, the body is needed for the error text only, and its first 64 KiB are enough (rule I5): bytes
    beyond them, or beyond the limit for bodies, are dropped and are not a fault. Of a body of another 4xx that is
    announced to be longer than the limit, the first 64 KiB are kept, too, before the fault is reported. */
class response_reader : private beast::http::basic_parser<false>
{
public:
    /** Why a response cannot be read to its end. */
    enum class fault : unsigned char { none, malformed, too_large };

    /** `spares` must outlive the reader. */
    response_reader(config::size_limits const& limits, spare_bodies& spares);

    /** Reads more bytes of the response.
        @return how many of `bytes` belong to the response: all of them, unless it is complete or has a fault */
    std::size_t put(std::string_view bytes);

    /** The connection has ended.
        @return whether that completes the response */
    bool put_end() noexcept;

    bool begun() const noexcept { return state_ != state::header || !line_.empty(); }
    bool complete() const noexcept { return state_ == state::complete; }
    fault broken() const noexcept { return fault_; }

    /** The fault as text for people; empty if there is none. */
    std::string const& complaint() const noexcept { return complaint_; }

    /** What the reader waits for, as text for people: "the rest of the body, 5 of 9 bytes". If the header section is
        incomplete, the text quotes the status line that has come. */
    std::string describe_wait() const;

    int status() const noexcept { return status_; }
    bool interim() const noexcept { return status_ >= 100 && status_ < 200; }

    /** Whether the complete header section of a final response has come, and is well formed. */
    bool has_head() const noexcept { return has_head_; }

    /** Whether the header fields also say, without contradiction, where the body ends. */
    bool is_framed() const noexcept { return framed_; }

    /** Which of these header fields the response has, so that absent fields need no search. */
    struct fields_seen
    {
        bool content_length = false;
        bool transfer_encoding = false;
        bool content_encoding = false;
        bool keep_alive = false;
    };
    fields_seen const& seen() const noexcept { return seen_; }

    /** Whether the head is there, and the rest is not worth waiting for. */
    bool only_explains() const noexcept { return has_head_ && only_explains_; }

    /** Whether the body is announced to be longer than its limit, and is read for the error text only. The reader
        reports `fault::too_large` when as much as is kept is there, or after `refuse_rest`. */
    bool is_oversized() const noexcept { return oversized_ && state_ < state::complete; }

    /** Reports the fault of an oversized body, because no more of it will come. */
    void refuse_rest() { fail(fault::too_large, std::move(complaint_)); }

    /** Whether as much as is kept is there, though perhaps not all. */
    bool has_enough() const noexcept { return only_explains() && body_.size() >= body_limit_; }

    /** Whether the connection may persist, by version, Connection and framing (RFC 9112 section 9.3). */
    bool keep_alive() const noexcept
    {
        return complete() && !ends_with_connection_ && !says_close_ && (says_keep_alive_ || !http_1_0_);
    }

    /** Whether peers may disagree where the response ends: it announces a body that its status does not have
        (RFC 9112 section 6.3), or has a Transfer-Encoding in HTTP/1.0 (section 6.1). */
    bool has_doubtful_framing() const noexcept { return doubtful_framing_; }

    /** The response, or what came of it: the fields are complete only with `has_head()` or `interim()`. */
    http_response take();

private:
    using error_code = beast::error_code;
    using text = beast::string_view;

    enum class state : unsigned char {
        header,
        body_of_length,
        body_to_end,
        chunk_size,
        chunk_data,
        chunk_cr,
        chunk_lf,
        trailers,
        complete,
        broken,
    };

    static constexpr std::size_t enough_to_explain = 64 * 1024;

    // Callbacks of Beast's parser.
    void on_request_impl(beast::http::verb, text, text, int, error_code&) override {}
    void on_response_impl(int code, text, int version, error_code& failed) override;
    void on_field_impl(beast::http::field kind, text name, text value, error_code&) override;
    void on_header_impl(error_code&) override;
    void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
    std::size_t on_body_impl(text piece, error_code&) override { return piece.size(); }
    void on_chunk_header_impl(std::uint64_t, text, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, text piece, error_code&) override { return piece.size(); }
#if BOOST_VERSION >= 109000
    void on_trailer_field_impl(beast::http::field, text, text, error_code&) override
    {
    }
#endif
    void on_finish_impl(error_code&) override
    {
    }

    void read_header(std::string_view& rest);
    std::size_t find_end_of_header(std::string_view received, std::size_t checked);
    void parse_header(std::string_view section);
    std::size_t take_refused_field(std::string_view received);
    void note_field(beast::http::field kind, std::string_view value);
    void add_field(std::string_view name, std::string_view value);
    void copy_lines();
    std::optional<std::string_view> next_line(std::string_view& rest);
    void end_header();
    std::string framing_complaint() const;
    void begin_body();
    bool refuses_size(std::uint64_t size);
    void read_connection(std::string_view value) noexcept;
    void read_length(std::string_view value) noexcept;
    void read_codings(std::string_view value);
    void read_chunk_size(std::string_view line);
    void read_trailer(std::string_view line);
    void read_data(std::string_view& rest, state next);
    void expect(std::string_view& rest, char expected, state next);
    void keep(std::string_view piece);
    void fail(fault what, std::string complaint);

    spare_bodies& spares_;
    std::size_t header_limit_;
    std::size_t header_left_ = 0; ///< the rest of the limit for trailers and chunk extensions
    std::size_t body_limit_;
    std::string line_;             ///< a line or header section whose end has not come yet
    std::uint64_t length_ = 0;     ///< Content-Length
    std::uint64_t data_left_ = 0;  ///< bytes of the body, or of the chunk, that are to come
    std::size_t codings_ = 0;      ///< in Transfer-Encoding
    std::string foreign_coding_{}; ///< the first coding that is not chunked
    std::string complaint_;        ///< also that of an oversized body, which is not yet a fault
    int status_ = 0;
    state state_ = state::header;
    fault fault_ = fault::none;
    fields_seen seen_;
    bool http_1_0_ = false;
    bool says_close_ = false;
    bool says_keep_alive_ = false;
    bool bad_length_ = false;
    bool has_head_ = false;
    bool framed_ = false;
    bool only_explains_ = false;
    bool oversized_ = false;
    bool ends_with_connection_ = false;
    bool doubtful_framing_ = false;
    bool has_trailer_ = false; ///< a field of the trailer section, which the next line may continue
    http_headers headers_;
    std::string_view uncopied_lines_; ///< adjacent field lines of the parsed section, to be copied to `headers_`
    std::string body_;
};

} // namespace ccloud::net

#endif
