#include "net/gzip.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

namespace ccloud::net {

namespace zlib = boost::beast::zlib;

namespace {

constexpr std::size_t header_size = 10;
constexpr std::size_t trailer_size = 8;
constexpr std::size_t greatest_ratio = 1032; // of deflate: two bits may stand for 258 bytes

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

gzip_reader::gzip_reader(std::string_view body, std::size_t limit) : rest_(body), limit_(limit)
{
    if (body.size() < header_size + trailer_size)
        return;
    // Of a body with one member, the last four bytes are the length of its content.
    auto const declared = static_cast<std::size_t>(little_endian(body.substr(body.size() - 4)));
    content_.reserve((std::min)({declared, limit, body.size() * greatest_ratio}));
}

std::string gzip_reader::take_content()
{
    content_.resize(filled_);
    return std::move(content_);
}

gzip_reader::state gzip_reader::inflate_slice()
{
    auto const last_rest = rest_.size() - (std::min)(rest_.size(), longest_input);
    auto const most = filled_ + longest_output;
    while (filled_ < most && (rest_.size() > last_rest || last_rest == 0))
    {
        if (!in_member_ && !begin_member())
            return state::damaged;
        if (filled_ == content_.size())
            make_room(most);
        auto const input = rest_.size() - (std::min)(rest_.size(), last_rest);
        zlib::z_params moved;
        moved.next_in = rest_.data();
        moved.avail_in = input;
        moved.next_out = content_.data() + filled_;
        moved.avail_out = content_.size() - filled_;
        boost::system::error_code failed;
        inflater_.write(moved, zlib::Flush::finish, failed); // needs no window if the content fits in one call
        rest_.remove_prefix(input - moved.avail_in);
        checksum_.process_bytes(content_.data() + filled_, content_.size() - moved.avail_out - filled_);
        filled_ = content_.size() - moved.avail_out;
        if (filled_ > limit_)
            return state::too_large;
        if (failed == zlib::error::end_of_stream)
        {
            auto const unused = static_cast<std::size_t>(moved.data_type & 63) /
                                8; // whole bytes that the inflater has read beyond the end
            rest_ = {rest_.data() - unused, rest_.size() + unused};
            if (!end_member())
                return state::damaged;
            if (rest_.empty())
                return state::finished;
        }
        else if (failed != zlib::error::need_buffers || (rest_.empty() && moved.avail_out > 0))
            return state::damaged;
    }
    return state::unfinished;
}

bool gzip_reader::begin_member()
{
    auto const deflated = looks_like_gzip(rest_) ? after_header(rest_) : std::nullopt;
    if (!deflated)
        return false;
    rest_ = *deflated;
    inflater_.reset();
    checksum_.reset();
    member_ = filled_;
    in_member_ = true;
    return true;
}

bool gzip_reader::end_member()
{
    if (rest_.size() < trailer_size || checksum_.checksum() != little_endian(rest_) ||
        static_cast<std::uint32_t>(filled_ - member_) != little_endian(rest_.substr(4)))
        return false;
    rest_.remove_prefix(trailer_size);
    in_member_ = false;
    return true;
}

/** Makes room for more content: up to the reserved capacity, or as much again as there is, but not beyond `most`, and
    at most one byte beyond the limit. That byte shows that the content is too large. */
void gzip_reader::make_room(std::size_t most)
{
    constexpr std::size_t least = 16 * 1024;
    auto const reserved = content_.capacity();
    auto const wanted = filled_ < reserved ? reserved : filled_ + (std::max)(least, filled_);
    auto const ceiling = limit_ < content_.max_size() ? limit_ + 1 : limit_;
    content_.resize((std::min)({wanted, most, ceiling}));
}

} // namespace ccloud::net
