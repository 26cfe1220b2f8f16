#ifndef CCLOUD_TEST_SUPPORT_DEFLATED_HPP
#define CCLOUD_TEST_SUPPORT_DEFLATED_HPP

#include <zlib.h>

#include <cstddef>
#include <string>
#include <string_view>

// For programs that are linked with zlib.
namespace support {

/** A gzip member with this content, made by zlib. */
inline std::string deflated(std::string_view content, int level, int strategy = Z_DEFAULT_STRATEGY)
{
    constexpr int gzip_with_largest_window = 15 + 16;
    z_stream stream{};
    deflateInit2(&stream, level, Z_DEFLATED, gzip_with_largest_window, 8, strategy);
    std::string member(deflateBound(&stream, content.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
    stream.avail_in = static_cast<uInt>(content.size());
    stream.next_out = reinterpret_cast<Bytef*>(member.data());
    stream.avail_out = static_cast<uInt>(member.size());
    deflate(&stream, Z_FINISH);
    member.resize(stream.total_out);
    deflateEnd(&stream);
    return member;
}

/** Text like that of an API page, of exactly `size` bytes. */
inline std::string page_text(std::size_t size)
{
    std::string text;
    text.reserve(size + 64);
    for (unsigned i = 1; text.size() < size; ++i)
        text += "{\"id\":\"pool-" + std::to_string(i * 2'654'435'761U % 100'000U) + "\",\"state\":\"ENABLED\"},";
    text.resize(size);
    return text;
}

/** Bytes without any pattern, the same each time. */
inline std::string noise(std::size_t size)
{
    std::string bytes(size, '\0');
    unsigned state = 1;
    for (char& each : bytes)
    {
        state = state * 1'664'525U + 1'013'904'223U;
        each = static_cast<char>(state >> 24);
    }
    return bytes;
}

} // namespace support

#endif
