/*  Complete responses, with interim responses before them: the result is the same however the bytes are split, the fields
    are those of a strict reader of lines, and the result is that of Beast's parser if both can read the response.

    Two bytes of an input are the limits of header and body, one chooses whether the connection ends, and three choose
    where the bytes are split. The rest is what the server sends; a byte 0xfe in it stands for a hundred letters. */

#include "core/ascii.hpp"
#include "core/content_coding.hpp"
#include "core/field_syntax.hpp"
#include "core/keep_alive.hpp"
#include "fuzz_input.hpp"
#include "net/response_reader.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/version.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace http = boost::beast::http;
namespace net = ccloud::net;
using fault = net::response_reader::fault;
using fuzz::require;

namespace {

constexpr int most_interims = 8;

struct outcome
{
    int interims = 0;
    bool complete = false;
    fault broken = fault::none;
    bool has_head = false;
    bool framed = false;
    bool only_explains = false;
    bool keep_alive = false;
    bool doubtful = false;
    int status = 0;
    std::size_t begin = 0;    ///< where the last response begins
    std::size_t consumed = 0; ///< where it ends
    std::string fields;
    std::string body;
};

/** Other functions that read the header fields of a response. */
void check_fields(ccloud::http_headers const& headers)
{
    auto const coding = ccloud::core::content_coding(headers);
    require(headers.contains("Content-Encoding") || coding.empty(), "only Content-Encoding names a coding", coding);
    require(coding.size() <= headers.text().size(), "a coding is a part of the fields", coding);
    constexpr std::chrono::seconds idle_timeout(50);
    ccloud::core::finished_exchange ended;
    ended.status = 200;
    ended.keep_alive = ended.complete = ended.request_written = true;
    ended.keep_alive_field = headers.find("Keep-Alive").value_or("");
    auto const kept = ccloud::core::reuse_for(ended, idle_timeout);
    require(
        !kept || (kept->count() > 0 && *kept <= idle_timeout), "a server only shortens the idle time", headers.text()
    );
}

/** Reads the bytes of the server as an exchange does, in pieces that end at `ends`. */
outcome read(
    std::string_view sent, std::vector<std::size_t> const& ends, bool closed, ccloud::config::size_limits limits
)
{
    net::spare_bodies spares;
    std::optional<net::response_reader> reader;
    reader.emplace(limits, spares);
    outcome end;
    bool over = false;
    for (auto const next : ends)
    {
        auto const size = next - std::min(next, end.consumed);
        // A copy on the heap takes longer than the reading of one byte.
        char const single = size == 1 ? sent[end.consumed] : '\0';
        std::optional<fuzz::exact_copy> piece;
        if (size > 1)
            piece.emplace(sent.substr(end.consumed, size));
        auto rest = piece ? piece->view() : std::string_view(&single, size);
        while (!over && !rest.empty())
        {
            auto const taken = reader->put(rest);
            require(taken <= rest.size(), "no more is taken than is there", sent);
            require(taken > 0 || reader->complete() || reader->broken() != fault::none, "reading goes on", sent);
            rest.remove_prefix(taken);
            end.consumed += taken;
            over = reader->broken() != fault::none || reader->complete() || reader->has_enough();
            if (!reader->complete() || !reader->interim() || reader->broken() != fault::none)
                continue;
            over = ++end.interims > most_interims;
            if (over)
                break;
            reader.emplace(limits, spares);
            end.begin = end.consumed;
        }
        if (over)
            break;
    }
    if (!over && closed)
        reader->put_end();
    end.complete = reader->complete();
    end.broken = reader->broken();
    require(end.broken == fault::none || !end.complete, "a complete response has no fault", sent);
    require(end.broken == fault::none || !reader->complaint().empty(), "a fault has a complaint", sent);
    require(reader->complaint().size() <= 400, "a complaint is short", reader->complaint());
    require(fuzz::is_printable(reader->complaint()), "a complaint is printable", reader->complaint());
    require(end.complete || !reader->describe_wait().empty(), "the next step has a description", sent);
    end.has_head = reader->has_head();
    end.framed = reader->is_framed();
    end.only_explains = reader->only_explains();
    end.keep_alive = reader->keep_alive();
    end.doubtful = reader->has_doubtful_framing();
    auto const response = reader->take();
    check_fields(response.headers());
    end.status = response.status();
    end.fields = response.headers().text();
    end.body = response.body();
    require(end.body.size() <= limits.response_body, "a body is within its limit", sent);
    return end;
}

/** A difference that is allowed: if only the first part of a body is needed, the bytes after it do not matter. */
bool same(outcome const& a, outcome const& b)
{
    if (a.interims != b.interims || a.has_head != b.has_head || a.only_explains != b.only_explains)
        return false;
    if (a.has_head && (a.status != b.status || a.fields != b.fields || a.framed != b.framed || a.body != b.body ||
                       a.doubtful != b.doubtful || a.begin != b.begin))
        return false;
    if (a.only_explains)
        return true;
    return a.broken == b.broken && a.complete == b.complete && a.keep_alive == b.keep_alive &&
           (!a.complete || a.consumed == b.consumed);
}

std::string without_blanks(std::string_view text)
{
    std::string other(text);
    std::erase_if(other, [](char c) { return c == ' ' || c == '\t'; });
    return other;
}

/** What is kept of a well-formed header section (RFC 9112 section 5): its fields, unfolded, as "name: value" and CRLF. */
std::optional<std::string> fields_of(std::string_view section)
{
    std::string fields;
    for (bool in_status_line = true;; in_status_line = false)
    {
        auto const end = section.find("\r\n");
        auto const line = section.substr(0, end);
        section.remove_prefix(end + 2);
        if (in_status_line)
            continue;
        if (line.empty())
            return fields;
        bool const is_fold = line.front() == ' ' || line.front() == '\t';
        auto const colon = line.find(':');
        if (!ccloud::core::is_field_value(line))
            return std::nullopt;
        if (is_fold && !fields.empty())
        {
            fields.resize(fields.size() - 2);
            auto const part = ccloud::core::trim(line);
            fields.append(part.empty() || fields.ends_with(": ") ? "" : " ").append(part);
        }
        else if (colon != std::string_view::npos && ccloud::core::is_token(line.substr(0, colon)))
            fields.append(line.substr(0, colon)).append(": ").append(ccloud::core::trim(line.substr(colon + 1)));
        else
            return std::nullopt;
        fields.append("\r\n");
    }
}

/** The response that Beast's parser reads. */
class beast_reader : public http::basic_parser<false>
{
public:
    int status = 0;
    int version = 0;
    bool has_trailers = false;
    std::string fields;
    std::string body;

private:
    using error_code = boost::system::error_code;
    using text = boost::beast::string_view;

    void add(text piece) { body.append(piece.data(), piece.size()); }

    void on_request_impl(http::verb, text, text, int, error_code&) override {}
    void on_response_impl(int code, text, int its_version, error_code&) override
    {
        status = code;
        version = its_version;
    }
    void on_field_impl(http::field, text name, text value, error_code&) override
    {
        has_trailers = is_header_done();
        if (!has_trailers)
            fields.append(name.data(), name.size()).append(":").append(value.data(), value.size()).append("\r\n");
    }
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
    std::size_t on_body_impl(text piece, error_code&) override { return add(piece), piece.size(); }
    void on_chunk_header_impl(std::uint64_t, text, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, text piece, error_code&) override { return add(piece), piece.size(); }
#if BOOST_VERSION >= 109000
    void on_trailer_field_impl(http::field, text, text, error_code&) override
    {
        has_trailers = true;
    }
#endif
    void on_finish_impl(error_code&) override
    {
    }
};

/** Compares a complete response with the one that Beast's parser reads from the same bytes, if it can. */
void compare_with_beast(std::string_view sent, outcome const& read, bool closed)
{
    beast_reader parser;
    parser.header_limit(0xffffffff);
    parser.body_limit(boost::none);
    parser.eager(true);
    auto rest = sent.substr(read.begin);
    boost::system::error_code failed;
    for (bool more = true; more && !parser.is_done();)
    {
        auto const taken = parser.put(boost::asio::buffer(rest.data(), rest.size()), failed);
        rest.remove_prefix(taken);
        more = taken > 0 && !rest.empty() && (!failed || failed == http::error::need_more);
    }
    if (closed && !parser.is_done() && (!failed || failed == http::error::need_more) && parser.got_some())
        parser.put_eof(failed);
    if (!parser.is_done() || (failed && failed != http::error::need_more))
        return;
    require(parser.status == read.status, "Beast reads the same status", sent);
    require(without_blanks(parser.fields) == without_blanks(read.fields), "Beast reads the same fields", sent);
    require(parser.body == read.body, "Beast reads the same body", sent);
    require(sent.size() - rest.size() == read.consumed, "Beast ends at the same byte", sent);
    if (parser.has_trailers)
        return; // it takes Connection from there, which RFC 9110 section 6.5.1 forbids
    // RFC 9112 section 9.3: "close" counts first. In HTTP/1.0 Beast looks for "keep-alive" alone.
    require(!read.keep_alive || parser.keep_alive(), "Beast keeps the same connections", sent);
    require(
        parser.version == 10 || read.doubtful || read.keep_alive || !parser.keep_alive(),
        "Beast closes the same connections", sent
    );
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    fuzz::input input(data, size);
    ccloud::config::size_limits limits;
    auto const header = input.byte(), body = input.byte();
    limits.response_header = 16 + 2 * static_cast<std::size_t>(header);
    limits.response_body = body == 255 ? 100'000 : body;
    bool const closed = input.byte() % 2 == 1;
    std::array<unsigned, 3> const splits{input.byte(), input.byte(), input.byte()};
    auto const sent = fuzz::expanded(input.rest(), "a", 100, 600);

    auto const whole = read(sent, {sent.size()}, closed, limits);
    std::vector<std::size_t> each(sent.size());
    for (std::size_t i = 0; i < sent.size(); ++i)
        each[i] = i + 1;
    auto const same_as_whole = [&](std::vector<std::size_t> const& splits_at) {
        return same(whole, read(sent, splits_at, closed, limits));
    };
    require(same_as_whole(each), "the same outcome, byte by byte", sent);
    std::vector<std::size_t> ends{sent.size()};
    for (auto const split : splits)
        ends.push_back(sent.size() * split / 256);
    std::sort(ends.begin(), ends.end());
    require(same_as_whole(ends), "the same outcome, however it is split", sent);
    if (!whole.has_head)
        return 0;

    // The limit of the header is exact.
    auto const head = sent.find("\r\n\r\n", whole.begin) + 4 - whole.begin;
    require(head <= limits.response_header, "a header is within its limit", sent);
    auto const fields = fields_of(std::string_view(sent).substr(whole.begin, head));
    require(fields.has_value(), "the lines of a header section are fields", sent);
    require(*fields == whole.fields, "the fields are those of the lines", sent);
    if (whole.interims == 0)
    {
        limits.response_header = head;
        require(read(sent, ends, closed, limits).has_head, "a header of the limit is read", sent);
        limits.response_header = head - 1;
        require(read(sent, ends, closed, limits).broken == fault::too_large, "one byte more is too large", sent);
    }
    if (whole.complete && !whole.only_explains)
        compare_with_beast(sent, whole, closed);
    return 0;
}
