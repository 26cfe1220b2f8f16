#include "net/response_reader.hpp"

#include "core/ascii.hpp"
#include "core/field_syntax.hpp"
#include "core/keep_alive.hpp"
#include "core/parsed_fields.hpp"
#include "core/redact.hpp"
#include "core/redaction.hpp"
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
constexpr char bare_return[] = "a line has a CR without LF";

/** The places of the minor version and of the space after the status code in a status line. */
constexpr std::size_t minor_version = 7;
constexpr std::size_t end_of_code = 12;

/** Up to `most` bytes of a line, for a complaint. It ends in `core::cut_mark` if the line is longer, or is not known to
    end: `core::redactor` then removes the beginning of a credential before it. */
std::string quoted(std::string_view line, bool ended, std::size_t most = 32)
{
    auto text = '"' + core::printable(line, most);
    if (!ended && line.size() <= most)
        text += core::cut_mark;
    return text += '"';
}

/** The same of the first line that was received. It ends where it has its line feed. */
std::string quoted(std::string_view received)
{
    auto const size = received.find('\n') + 1; // 0: there is no line feed
    return size == 0 ? quoted(received, false) : quoted(received.substr(0, size), true);
}

/** The status line at the beginning of `received`, for the end of a complaint: ", after \"HTTP/1.1 201 Created\"". Empty
    if the status code may be incomplete. The line may be incomplete, and the quotation is bounded. */
std::string after_status_line(std::string_view received)
{
    if (received.size() <= end_of_code)
        return {};
    auto const end = received.find_first_of("\r\n");
    return ", after " + quoted(received.substr(0, end), end != std::string_view::npos, 64);
}

std::string status_line_complaint(std::string_view received)
{
    return "not an HTTP/1 status line: " + quoted(received);
}

/** The header section with a status line that Beast's parser can read, if it refuses the original although recipients
    may accept it; otherwise empty. A higher minor version is read as HTTP/1.1 (RFC 9110 section 2.5), and the space
    after the status code may be missing (RFC 9112 section 4). */
std::string corrected_section(std::string_view section)
{
    if (section[minor_version] <= '1' && section[end_of_code] == ' ')
        return {};
    std::string corrected(section);
    corrected[minor_version] = (std::min)(section[minor_version], '1');
    if (section[end_of_code] != ' ')
        corrected.insert(end_of_code, 1, ' ');
    return corrected;
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
    case state::header:
        return begun() ? "the rest of the response header" + after_status_line(line_)
                       : "the first byte of the response";
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
        return fail(fault::malformed, status_line_complaint(received));
    auto const size = find_end_of_header(received.substr(0, header_limit_), kept);
    if (fault_ != fault::none)
        return;
    if (size == 0 && received.size() > header_limit_)
        return fail(
            fault::too_large,
            limit_of("response_header", header_limit_) + after_status_line(received.substr(0, header_limit_))
        );
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
            bool const in_status_line = received.find('\n') == at;
            fail(
                fault::malformed, in_status_line ? status_line_complaint(received.substr(0, at + 1))
                                                 : bare_newline + after_status_line(received)
            );
            return 0;
        }
        if (received[at - 2] == '\n')
            return at + 1;
    }
    return 0;
}

/** Gives the header section to Beast's parser. */
void response_reader::parse_header(std::string_view section)
{
    auto const corrected = corrected_section(section);
    auto rest = corrected.empty() ? section : std::string_view(corrected);
    headers_.reserve(section.size());
    while (state_ == state::header)
    {
        error_code failed;
        auto const read = basic_parser::put(beast::net::const_buffer(rest.data(), rest.size()), failed);
        rest.remove_prefix(read);
        if (fault_ != fault::none || (read > 0 && (!failed || failed == http::error::need_more)))
            continue;
        if (status_ == 0)
            return fail(fault::malformed, status_line_complaint(section));
        if (failed == http::error::bad_line_ending) // such a CR must not be skipped (RFC 9112 section 2.2)
            return fail(fault::malformed, bare_return + after_status_line(section));
        auto const size = take_refused_field(rest);
        if (size == 0)
            return fail(fault::malformed, "not a header field: " + quoted(rest) + after_status_line(section));
        rest.remove_prefix(size);
    }
}

/** Reads a field that Beast's parser has refused, if it is well formed (RFC 9112 section 5). The parser refuses invalid
    framing fields, which must not hide the rest of the header section, a Connection field that is not a list of tokens,
    and folded values of more than 4 KiB.
    @return the size of the field's lines; 0 if the field is not well formed */
std::size_t response_reader::take_refused_field(std::string_view received)
{
    auto const name = received.substr(0, received.find(':'));
    if (!core::is_token(name))
        return 0;
    std::string value;
    auto size = name.size() + 1;
    do
    {
        auto const end = received.find("\r\n", size);
        auto const part = core::trim(received.substr(size, end - size));
        if (!value.empty() && !part.empty())
            value += ' ';
        value += part;
        size = end + 2;
    } while (is_blank(received[size])); // obs-fold (RFC 9112 section 5.2); an empty line ends `received`
    if (!core::is_field_value(value))
        return 0;
    note_field(http::string_to_field({name.data(), name.size()}), value);
    add_field(name, value);
    return size;
}

void response_reader::on_response_impl(int code, text, int version, error_code& failed)
{
    status_ = code;
    http_1_0_ = version == 10;
    if (code < 100)
        fail(fault::malformed, "the status code " + std::to_string(code) + " is below 100");
    else if (code == 101)
        fail(fault::malformed, "101 Switching Protocols, which no request asked for");
    if (fault_ != fault::none)
        failed = http::error::bad_status;
}

void response_reader::on_field_impl(http::field kind, text name, text value, error_code&)
{
    note_field(kind, {value.data(), value.size()});
    // A line "name: value" is kept as it is, and adjacent ones are copied together. The texts are parts of the section,
    // except the value of a folded line, which is in a buffer of the parser or begins after the fold. So a line has this
    // form if the value begins two bytes after the name and CR follows it.
    auto const end_of_name = name.data() + name.size();
    if (value.data() != end_of_name + 2 || end_of_name[1] != ' ' || value.data()[value.size()] != '\r')
        return add_field({name.data(), name.size()}, {value.data(), value.size()});
    if (name.data() != uncopied_lines_.data() + uncopied_lines_.size())
    {
        copy_lines();
        uncopied_lines_ = {name.data(), 0};
    }
    uncopied_lines_ = {uncopied_lines_.data(), uncopied_lines_.size() + name.size() + 2 + value.size() + 2};
}

void response_reader::on_header_impl(error_code&)
{
    copy_lines();
    end_header();
}

void response_reader::add_field(std::string_view name, std::string_view value)
{
    copy_lines();
    detail::parsed_fields::add(headers_, name, value);
}

/** Copies the field lines that are to be kept as they are. */
void response_reader::copy_lines()
{
    detail::parsed_fields::add_lines(headers_, std::exchange(uncopied_lines_, {}));
}

/** Records what a field means for the connection, the framing and the coding of the response. */
void response_reader::note_field(http::field kind, std::string_view value)
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
        fail(fault::malformed, "not a chunk size: " + quoted(line));
    else if (counted > header_left_)
        fail(fault::too_large, limit_of("response_header", header_limit_));
    else if (ended && !line.ends_with("\r\n"))
        fail(fault::malformed, bare_newline);
    if (!ended || fault_ != fault::none)
        return std::nullopt;
    header_left_ -= counted;
    return line.substr(0, line.size() - 2);
}

/** Unknown and malformed options are ignored (RFC 9110 section 7.6.1). But the connection is not kept if a malformed one
    may mean `close`, or has a quotation mark: the commas in a quoted string do not separate options. */
void response_reader::read_connection(std::string_view value) noexcept
{
    core::for_each_element(value, [this](std::string_view option) {
        bool const may_close = core::is_token(option)
                                   ? core::iequals(option, "close")
                                   : core::icontains(option, "close") || option.find('"') != std::string_view::npos;
        says_close_ = says_close_ || may_close;
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
    else if (!refuses_size(length_))
    {
        auto const size = static_cast<std::size_t>((std::min<std::uint64_t>)(length_, body_limit_));
        body_ = spares_.take(size);
        body_.reserve(size);
        data_left_ = length_;
        state_ = state::body_of_length;
    }
}

/** Whether a body that grows by `size` bytes is refused immediately, because it exceeds the limit. The beginning of an
    error response is read nevertheless, because it may explain the error. */
bool response_reader::refuses_size(std::uint64_t size)
{
    if (only_explains_ || oversized_ || size <= body_limit_ - body_.size())
        return false;
    complaint_ = limit_of("response_body", body_limit_);
    body_limit_ = (std::min)(body_limit_, (std::max)(body_.size(), enough_to_explain));
    oversized_ = status_ >= 400 && body_.size() < body_limit_;
    if (!oversized_)
        refuse_rest();
    return !oversized_;
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
        return fail(fault::malformed, "not a chunk size: " + quoted(line, true));
    if (size == 0)
        state_ = state::trailers;
    else if (!refuses_size(size))
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
    bool const is_fold = has_trailer_ && is_blank(line.front());
    if ((!is_field && !is_fold) || !core::is_field_value(line))
        fail(fault::malformed, "not a trailer field: " + quoted(line, true));
    has_trailer_ = true;
}

void response_reader::read_data(std::string_view& rest, state next)
{
    auto const size = static_cast<std::size_t>((std::min<std::uint64_t>)(data_left_, rest.size()));
    keep(rest.substr(0, size));
    rest.remove_prefix(size);
    data_left_ -= size;
    if (oversized_ && body_.size() == body_limit_)
        refuse_rest();
    else if (data_left_ == 0)
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
