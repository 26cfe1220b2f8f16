#include "net/gzip.hpp"

#include <boost/beast/zlib/inflate_stream.hpp>
#include <boost/crc.hpp>

#include <algorithm>
#include <cstdint>

namespace ccloud::net {

namespace zlib = boost::beast::zlib;

namespace {

constexpr std::size_t header_size = 10;
constexpr std::size_t trailer_size = 8;

std::uint32_t little_endian(std::string_view bytes) noexcept
{
    std::uint32_t value = 0;
    for (std::size_t i = 4; i-- > 0;)
        value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
}

/** The deflated data of a member and what follows it; nothing where the header is not right (RFC 1952 section 2.3). */
std::optional<std::string_view> after_header(std::string_view member)
{
    constexpr unsigned header_crc = 2, extra = 4, name = 8, comment = 16, reserved = 0xe0;
    if (member.size() < header_size + trailer_size || member[2] != 8)
        return std::nullopt;
    auto const flags = static_cast<unsigned char>(member[3]);
    if (flags & reserved)
        return std::nullopt;
    auto rest = member.substr(header_size);
    auto const drop = [&rest](std::size_t count) {
        bool const enough = rest.size() >= count;
        rest.remove_prefix((std::min)(count, rest.size()));
        return enough;
    };
    if (flags & extra)
    {
        if (rest.size() < 2)
            return std::nullopt;
        auto const length = static_cast<unsigned char>(rest[0]) | static_cast<unsigned char>(rest[1]) << 8;
        if (!drop(2 + static_cast<std::size_t>(length)))
            return std::nullopt;
    }
    for (auto const flag : {name, comment})
        if (flags & flag)
        {
            auto const end = rest.find('\0');
            if (end == std::string_view::npos)
                return std::nullopt;
            drop(end + 1);
        }
    if ((flags & header_crc) && !drop(2))
        return std::nullopt;
    return rest;
}

} // namespace

bool looks_like_gzip(std::string_view body) noexcept
{
    return body.starts_with("\x1f\x8b");
}

std::optional<std::string> gunzip(std::string_view body, std::size_t most, bool* too_large)
{
    if (!looks_like_gzip(body))
        return std::nullopt;
    auto const deflated = after_header(body);
    if (!deflated)
        return std::nullopt;

    auto const room = most + (most < std::string().max_size() ? 1 : 0); // one more shows that it is too much
    std::string content;
    zlib::inflate_stream inflater;
    zlib::z_params state;
    state.next_in = deflated->data();
    state.avail_in = deflated->size();
    boost::system::error_code failed;
    while (failed != zlib::error::end_of_stream)
    {
        auto const filled = content.size();
        if (filled > most)
            break;
        content.resize((std::min)(room, filled + (std::max<std::size_t>)(16 * 1024, filled)));
        state.next_out = content.data() + filled;
        state.avail_out = content.size() - filled;
        inflater.write(state, zlib::Flush::sync, failed);
        content.resize(content.size() - state.avail_out);
        bool const stuck = failed == zlib::error::need_buffers && state.avail_in == 0;
        if (stuck || (failed && failed != zlib::error::end_of_stream && failed != zlib::error::need_buffers))
            return std::nullopt;
    }
    if (content.size() > most)
    {
        if (too_large)
            *too_large = true;
        return std::nullopt;
    }
    boost::crc_32_type checksum;
    checksum.process_bytes(content.data(), content.size());
    if (state.avail_in != trailer_size)
        return std::nullopt;
    auto const trailer = deflated->substr(deflated->size() - trailer_size);
    if (checksum.checksum() != little_endian(trailer) ||
        static_cast<std::uint32_t>(content.size()) != little_endian(trailer.substr(4)))
        return std::nullopt;
    return content;
}

} // namespace ccloud::net
