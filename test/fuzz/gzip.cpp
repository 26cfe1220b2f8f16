/*  gzip, compared with zlib: both return the same content, or both refuse the body.

    The first byte of an input chooses: a body as it is, after two bytes for the limit of its content; or a text that
    zlib compresses, in one or more members, after bytes for level, strategy, fields of the header, length of the text,
    and perhaps damage to the result. */

#include "net/gzip.hpp"

#include "fuzz_input.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace net = ccloud::net;
using fuzz::require;

namespace {

struct outcome
{
    std::optional<std::string> content;
    bool too_large = false;
};

/** Takes the header of a member off the front (RFC 1952 section 2.3). */
bool take_header(std::string_view& body)
{
    if (body.size() < 10 || body.substr(0, 3) != "\x1f\x8b\x08")
        return false;
    auto const flags = static_cast<unsigned char>(body[3]);
    std::size_t at = 10;
    if (flags & 4) // FEXTRA
    {
        if (body.size() < at + 2)
            return false;
        at += 2U + static_cast<unsigned char>(body[at]) + 256U * static_cast<unsigned char>(body[at + 1]);
    }
    for (unsigned const text : {8U, 16U}) // FNAME, FCOMMENT
    {
        if (!(flags & text))
            continue;
        while (at < body.size() && body[at] != '\0')
            ++at;
        ++at;
    }
    if (flags & 2) // FHCRC
        at += 2;
    bool const sound = flags < 0x20 && at <= body.size();
    body = body.substr(std::min(at, body.size()));
    return sound;
}

unsigned long take_number(std::string_view& body)
{
    unsigned long value = 0;
    for (std::size_t i = 4; i > 0; --i)
        value = value * 256 + static_cast<unsigned char>(body[i - 1]);
    body.remove_prefix(4);
    return value;
}

Bytef* bytes(char const* text)
{
    return reinterpret_cast<Bytef*>(const_cast<char*>(text));
}

/** Inflates one member's data to the end of `content`, which never has more than `most + 1` bytes. */
bool take_data(std::string_view& body, std::string& content, std::size_t most)
{
    z_stream stream{};
    require(inflateInit2(&stream, -15) == Z_OK, "zlib works");
    stream.next_in = bytes(body.data());
    stream.avail_in = static_cast<uInt>(body.size());
    int state = Z_OK;
    std::array<char, 4096> piece;
    while (state == Z_OK && content.size() <= most)
    {
        auto const room = std::min(piece.size(), most + 1 - content.size());
        stream.next_out = bytes(piece.data());
        stream.avail_out = static_cast<uInt>(room);
        state = inflate(&stream, Z_SYNC_FLUSH);
        content.append(piece.data(), room - stream.avail_out);
    }
    body.remove_prefix(body.size() - stream.avail_in);
    inflateEnd(&stream);
    return state == Z_STREAM_END || content.size() > most;
}

/** One member after the other (RFC 1952 section 2.2), and nothing else. */
outcome reference(std::string_view body, std::size_t most)
{
    std::string content;
    do
    {
        auto const before = content.size();
        if (!take_header(body) || !take_data(body, content, most))
            return {};
        if (content.size() > most)
            return {std::nullopt, true};
        if (body.size() < 8)
            return {};
        auto const checksum = crc32(0, bytes(content.data() + before), static_cast<uInt>(content.size() - before));
        if (take_number(body) != checksum || take_number(body) != (content.size() - before) % 0x1'0000'0000)
            return {};
    } while (!body.empty());
    return {std::move(content), false};
}

/** The content that the library reads from a body. */
outcome inflated(std::string_view body, std::size_t most)
{
    using state = net::gzip_reader::state;
    fuzz::exact_copy const copy(body);
    net::gzip_reader reader(copy.view(), most);
    auto how = reader.inflate_slice();
    auto slices = body.size() / net::gzip_reader::longest_input + most / net::gzip_reader::longest_output;
    for (; how == state::unfinished; how = reader.inflate_slice(), --slices)
        require(slices > 0, "there are no more slices than the body needs", body);
    outcome end;
    if (how == state::finished)
        end.content = reader.take_content();
    end.too_large = how == state::too_large;
    return end;
}

void compare(std::string_view body, std::size_t most)
{
    auto const read = inflated(body, most);
    auto const expected = reference(body, most);
    require(read.content == expected.content, "the content is that of zlib", body);
    require(!read.content || !read.too_large, "what is too large has no content", body);
    require(!read.too_large || expected.too_large, "it is too large only where zlib says so", body);
    require(!read.content || net::looks_like_gzip(body), "what is gzip looks like it", body);
}

/** A member with the fields of a header that `flags` names. */
std::string compressed(std::string_view content, int level, int strategy, unsigned flags)
{
    z_stream stream{};
    require(deflateInit2(&stream, level, Z_DEFLATED, 9 + 16, 1, strategy) == Z_OK, "zlib works");
    gz_header header{};
    std::string extra("ab\3\0xyz", 7), name("n.json"), comment("c");
    if (flags & 4)
    {
        header.extra = bytes(extra.data());
        header.extra_len = static_cast<uInt>(extra.size());
    }
    header.name = flags & 8 ? bytes(name.data()) : nullptr;
    header.comment = flags & 16 ? bytes(comment.data()) : nullptr;
    header.hcrc = flags & 2 ? 1 : 0;
    header.os = 3;
    deflateSetHeader(&stream, &header);
    std::string text(deflateBound(&stream, content.size()) + 64, '\0');
    stream.next_in = bytes(content.data());
    stream.avail_in = static_cast<uInt>(content.size());
    stream.next_out = bytes(text.data());
    stream.avail_out = static_cast<uInt>(text.size());
    require(deflate(&stream, Z_FINISH) == Z_STREAM_END, "zlib works");
    text.resize(text.size() - stream.avail_out);
    deflateEnd(&stream);
    return text;
}

std::string repeated(std::string_view text, std::size_t length)
{
    std::string all;
    while (!text.empty() && all.size() + text.size() < length)
        all += text;
    return all + std::string(text.substr(0, length - all.size()));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    fuzz::input input(data, size);
    auto const choice = input.byte();
    if (choice % 2 == 0)
    {
        auto const most = input.number(2) % 4096;
        compare(input.rest(), most);
        return 0;
    }
    int const level = static_cast<int>(input.byte() % 10);
    int const strategy = static_cast<int>(input.byte() % 5);
    auto const flags = input.byte();
    auto const length = static_cast<std::size_t>(input.number(2)) % 1024; // longer ones would take too long
    auto const damage = input.byte();
    auto const place = static_cast<std::size_t>(input.number(2));
    auto const content = repeated(input.rest(), length);
    auto body = compressed(content, level, strategy, flags);
    auto whole = content;
    for (auto more = choice / 4 % 4; more > 0; --more)
    {
        auto const part = std::string_view(content).substr(0, place % (content.size() + 1));
        body += compressed(part, level, strategy, 0);
        whole += part;
    }
    if (choice & 2)
    {
        require(inflated(body, whole.size()).content == whole, "what zlib compressed is read", body);
        require(whole.empty() || inflated(body, whole.size() - 1).too_large, "one byte more is too large", body);
        return 0;
    }
    switch (damage % 4)
    {
    case 0: body.resize(place % body.size()); break;
    case 1: body[place % body.size()] = static_cast<char>(body[place % body.size()] ^ (1 << damage / 4 % 8)); break;
    case 2: body.insert(place % (body.size() + 1), 1, static_cast<char>(damage)); break;
    default: body.append(content.substr(0, place % 32)); break;
    }
    compare(body, whole.size() + damage);
    return 0;
}
