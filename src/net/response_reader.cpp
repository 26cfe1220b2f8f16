#include "net/response_reader.hpp"

#include "core/ascii.hpp"
#include "core/field_syntax.hpp"
#include "core/keep_alive.hpp"
#include "core/parsed_fields.hpp"
#include "core/redact.hpp"
#include "core/status_line.hpp"

#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace ccloud::net {

namespace http = beast::http;

namespace {

/** Length of 16 hexadecimal digits and CRLF. The bytes of a chunk-size line beyond that count as its extension. */
constexpr std::size_t longest_plain_size = 18;

bool is_blank(char c) noexcept
{
    return c == ' ' || c == '\t';
}

constexpr char bare_newline[] = "a line ends without CR";

/** Whether Beast's parser has refused a field that describes the framing of the body. */
bool is_about_framing(beast::error_code const& failed) noexcept
{
    return failed == http::error::bad_content_length || failed == http::error::multiple_content_length ||
           failed == http::error::bad_transfer_encoding;
}

std::string limit_of(std::string_view option, std::size_t bytes)
{
    return std::string("more than config::limits.").append(option) + " (" + std::to_string(bytes) + " bytes)";
}

} // namespace

response_reader::response_reader(config::size_limits const& limits, spare_bodies& spares)
    : spares_(spares), header_limit_(limits.response_header), body_limit_(limits.response_body)
{
    header_limit((std::numeric_limits<std::uint32_t>::max)()); // `header_limit_` is used instead, because it is exact
    skip(true);
}

std::size_t response_reader::put(std::string_view bytes)
{
    auto rest = bytes;
    while (!rest.empty() && state_ < state::complete)
        switch (state_)
        {
        case state::header: read_header(rest); break;
        case state::chunk_size:
        case state::trailers:
            if (auto const line = next_line(rest))
            {
                state_ == state::chunk_size ? read_chunk_size(*line) : read_trailer(*line);
                line_.clear();
            }
            break;
        case state::body_of_length: read_data(rest, state::complete); break;
        case state::chunk_data: read_data(rest, state::chunk_cr); break;
        case state::chunk_cr: expect(rest, '\r', state::chunk_lf); break;
        case state::chunk_lf: expect(rest, '\n', state::chunk_size); break;
        case state::body_to_end:
            if (!only_explains_ && rest.size() > body_limit_ - body_.size())
                fail(fault::too_large, limit_of("response_body", body_limit_));
            keep(std::exchange(rest, {}));
            break;
        case state::complete:
        case state::broken: break;
        }
    return bytes.size() - rest.size();
}

bool response_reader::put_end() noexcept
{
    if (state_ == state::body_to_end)
        state_ = state::complete;
    return complete();
}

http_response response_reader::take()
{
    std::string().swap(line_); // frees memory, because an idle connection keeps its reader
    return http_response(status_, std::move(headers_), std::move(body_));
}

std::string response_reader::describe_wait() const
{
    switch (state_)
    {
    case state::header: return begun() ? "the rest of the response header" : "the first byte of the response";
    case state::body_of_length:
        return "the rest of the body, " + std::to_string(length_ - data_left_) + " of " + std::to_string(length_) +
               " bytes";
    case state::body_to_end:
        return "the end of the connection, which ends the body, " + std::to_string(body_.size()) + " bytes so far";
    default: return "the rest of the body, " + std::to_string(body_.size()) + " bytes so far";
    }
}

/** Reads more of the header section. The bytes are kept in `line_` until the section is complete, because the result of
    Beast's parser depends on where a piece ends. */
void response_reader::read_header(std::string_view& rest)
{
    auto const kept = line_.size();
    auto const received = kept > 0 ? std::string_view(line_.append(rest)) : rest;
    if (!core::begins_like_status_line(received))
        return fail(fault::malformed, "not an HTTP/1 status line: \"" + core::printable(received, 32) + '"');
    auto const size = find_end_of_header(received.substr(0, header_limit_), kept);
    if (fault_ != fault::none)
        return;
    if (size == 0 && received.size() > header_limit_)
        return fail(fault::too_large, limit_of("response_header", header_limit_));
    if (size == 0)
    {
        if (kept == 0)
            line_ = received;
        rest = {};
        return;
    }
    parse_header(received.substr(0, size));
    rest.remove_prefix(size - kept);
    line_.clear();
}

/** The size of the header section; 0 if its end has not come. The bytes before `checked` were searched before: there
    is no end, and no malformed line. */
std::size_t response_reader::find_end_of_header(std::string_view received, std::size_t checked)
{
    for (auto at = received.find('\n', checked); at != std::string_view::npos; at = received.find('\n', at + 1))
    {
        if (received[at - 1] != '\r')
        {
            fail(fault::malformed, bare_newline);
            return 0;
        }
        if (received.substr(at - 2, 2) == "\n\r")
            return at + 1;
    }
    return 0;
}

/** Gives the header section to Beast's parser. */
void response_reader::parse_header(std::string_view section)
{
    auto rest = section;
    while (state_ == state::header)
    {
        error_code failed;
        auto size = basic_parser::put(beast::net::const_buffer(rest.data(), rest.size()), failed);
        if (is_about_framing(failed))
            size += take_refused_field(rest.substr(size));
        else if ((size == 0 || (failed && failed != http::error::need_more)) && fault_ == fault::none)
            refuse_line(rest.substr(size));
        rest.remove_prefix(size);
    }
}

/** Beast's parser has refused the first line of `received`. */
void response_reader::refuse_line(std::string_view received)
{
    fail(fault::malformed, "not a header field: \"" + core::printable(received, 32) + '"');
}

/** Reads a framing field that Beast's parser has refused, so that the parser can read the rest of the header section,
    which may have the request id.
    @return the size of the field's lines */
std::size_t response_reader::take_refused_field(std::string_view received)
{
    std::size_t size = 0;
    do
        size = received.find("\r\n", size) + 2;
    while (size < received.size() && is_blank(received[size])); // obs-fold (RFC 9112 section 5.2)
    std::string line(received.substr(0, size - 2));
    std::replace_if(
        line.begin(), line.end(), [](char c) { return c == '\r' || c == '\n'; }, ' '
    );
    auto const field = std::string_view(line);
    auto const name = field.substr(0, field.find(':'));
    add_field(http::string_to_field({name.data(), name.size()}), name, core::trim(field.substr(name.size() + 1)));
    return size;
}

void response_reader::on_response_impl(int code, text, int version, error_code& failed)
{
    status_ = code;
    http_1_0_ = version == 10;
    if (code < 100 || code > 599)
        fail(fault::malformed, "the status code " + std::to_string(code) + " is not in 100 to 599");
    else if (code == 101)
        fail(fault::malformed, "101 Switching Protocols, which no request asked for");
    if (fault_ != fault::none)
        failed = http::error::bad_status;
}

void response_reader::on_field_impl(http::field kind, text name, text value, error_code&)
{
    add_field(kind, {name.data(), name.size()}, {value.data(), value.size()});
}

void response_reader::on_header_impl(error_code&)
{
    end_header();
}

void response_reader::add_field(http::field kind, std::string_view name, std::string_view value)
{
    switch (kind)
    {
    case http::field::connection:
    case http::field::proxy_connection: read_connection(value); break;
    case http::field::content_length: read_length(value); break;
    case http::field::transfer_encoding: read_codings(value); break;
    case http::field::content_encoding: seen_.content_encoding = true; break;
    case http::field::keep_alive: seen_.keep_alive = true; break;
    default: break;
    }
    if (headers_.empty())
        headers_.reserve(512);
    detail::parsed_fields::add(headers_, name, value);
}

/** The next line without its CRLF. Nothing if its end has not come, or if the line is invalid. */
std::optional<std::string_view> response_reader::next_line(std::string_view& rest)
{
    auto const end = rest.find('\n');
    bool const ended = end != std::string_view::npos;
    auto line = rest.substr(0, ended ? end + 1 : end);
    rest.remove_prefix(line.size());
    bool const sizes_chunk = state_ == state::chunk_size;
    auto const size = line_.size() + line.size();
    auto const counted = sizes_chunk ? size - (std::min)(size, longest_plain_size) : size;
    if (!line_.empty() || !ended)
        line = line_.append(line);

    if (sizes_chunk && !core::hex_digit(line.front()))
        fail(fault::malformed, "not a chunk size: \"" + core::printable(line, 32) + '"');
    else if (counted > header_left_)
        fail(fault::too_large, limit_of("response_header", header_limit_));
    else if (ended && !line.ends_with("\r\n"))
        fail(fault::malformed, bare_newline);
    if (!ended || fault_ != fault::none)
        return std::nullopt;
    header_left_ -= counted;
    return line.substr(0, line.size() - 2);
}

void response_reader::read_connection(std::string_view value) noexcept
{
    core::for_each_element(value, [this](std::string_view option) {
        says_close_ = says_close_ || core::iequals(option, "close");
        says_keep_alive_ = says_keep_alive_ || core::iequals(option, "keep-alive");
    });
}

/** Content-Length may come several times, or be a list, if all values are the same (RFC 9110 section 8.6). */
void response_reader::read_length(std::string_view value) noexcept
{
    core::for_each_element(value, [this](std::string_view element) {
        auto const number = core::parse_digits(element);
        auto const length = static_cast<std::uint64_t>(number.value_or(0));
        bad_length_ = bad_length_ || !number || (seen_.content_length && length != length_);
        seen_.content_length = true;
        length_ = length;
    });
}

void response_reader::read_codings(std::string_view value)
{
    seen_.transfer_encoding = true;
    core::for_each_element(value, [this](std::string_view coding) {
        if (coding.empty())
            return;
        ++codings_;
        if (!core::iequals(coding, "chunked") && foreign_coding_.empty())
            foreign_coding_ = core::printable(coding, 64);
    });
}

void response_reader::end_header()
{
    header_left_ = header_limit_;
    bool const announces_body = seen_.transfer_encoding || bad_length_ || length_ > 0;
    bool const has_body = !interim() && status_ != 204 && status_ != 304;
    doubtful_framing_ = (announces_body && (!has_body || status_ == 205)) || (seen_.transfer_encoding && http_1_0_);
    has_head_ = !interim();
    only_explains_ = core::may_be_repeated(status_);
    if (only_explains_)
        body_limit_ = (std::min)(body_limit_, enough_to_explain);

    auto complaint =
        has_body ? framing_complaint() : std::string(); // without a body the fields do not count (section 6.3 item 1)
    framed_ = complaint.empty();
    if (!framed_)
        fail(fault::malformed, std::move(complaint));
    else if (has_body)
        begin_body();
    else
        state_ = state::complete;
}

/** Why the end of the body cannot be determined (RFC 9112 section 6); empty if it can. */
std::string response_reader::framing_complaint() const
{
    if (seen_.transfer_encoding && seen_.content_length)
        return "both Transfer-Encoding and Content-Length";
    if (!foreign_coding_.empty())
        return "Transfer-Encoding is not just chunked: " + foreign_coding_;
    if (seen_.transfer_encoding && codings_ != 1)
        return codings_ == 0 ? "Transfer-Encoding is empty" : "Transfer-Encoding is chunked twice";
    return bad_length_ ? "Content-Length is not one number" : "";
}

void response_reader::begin_body()
{
    if (seen_.transfer_encoding)
        state_ = state::chunk_size;
    else if (!seen_.content_length)
    {
        state_ = state::body_to_end;
        ends_with_connection_ = true;
    }
    else if (length_ == 0)
        state_ = state::complete;
    else if (!only_explains_ && length_ > body_limit_)
        fail(fault::too_large, limit_of("response_body", body_limit_));
    else
    {
        auto const size = static_cast<std::size_t>((std::min<std::uint64_t>)(length_, body_limit_));
        body_ = spares_.take(size);
        body_.reserve(size);
        data_left_ = length_;
        state_ = state::body_of_length;
    }
}

/** Blanks may follow the size, before an extension or the end of the line (RFC 9112 section 7.1.1). */
void response_reader::read_chunk_size(std::string_view line)
{
    std::uint64_t size = 0;
    auto rest = line;
    for (; !rest.empty() && core::hex_digit(rest.front()); rest.remove_prefix(1))
    {
        if (size >> 60 != 0)
            return fail(fault::malformed, "the chunk size has more than 64 bits");
        size = size << 4 | *core::hex_digit(rest.front());
    }
    auto const extension = core::trim(rest);
    if ((!extension.empty() && extension.front() != ';') || !core::is_field_value(rest))
        return fail(fault::malformed, "not a chunk size: \"" + core::printable(line, 32) + '"');
    if (size == 0)
        state_ = state::trailers;
    else if (!only_explains_ && size > body_limit_ - body_.size())
        fail(fault::too_large, limit_of("response_body", body_limit_));
    else
    {
        data_left_ = size;
        state_ = state::chunk_data;
    }
}

/** Trailers are checked and ignored; they must not affect the framing (RFC 9110 section 6.5.1). */
void response_reader::read_trailer(std::string_view line)
{
    if (line.empty())
    {
        state_ = state::complete;
        return;
    }
    auto const colon = line.find(':');
    bool const is_field = colon != std::string_view::npos && core::is_token(line.substr(0, colon));
    if ((!is_field && !is_blank(line.front())) || !core::is_field_value(line))
        fail(fault::malformed, "not a trailer field: \"" + core::printable(line, 32) + '"');
}

void response_reader::read_data(std::string_view& rest, state next)
{
    auto const size = static_cast<std::size_t>((std::min<std::uint64_t>)(data_left_, rest.size()));
    keep(rest.substr(0, size));
    rest.remove_prefix(size);
    data_left_ -= size;
    if (data_left_ == 0)
        state_ = next;
}

void response_reader::expect(std::string_view& rest, char expected, state next)
{
    if (rest.front() != expected)
        return fail(fault::malformed, "no CRLF after the data of a chunk");
    rest.remove_prefix(1);
    state_ = next;
}

void response_reader::keep(std::string_view piece)
{
    body_.append(piece.substr(0, body_limit_ - body_.size()));
}

void response_reader::fail(fault what, std::string complaint)
{
    state_ = state::broken;
    fault_ = what;
    complaint_ = std::move(complaint);
}

} // namespace ccloud::net
