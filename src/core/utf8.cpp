#include "core/utf8.hpp"

#include <cstdint>
#include <cstring>

namespace ccloud::core {

utf8_sequence first_sequence(std::string_view text) noexcept
{
    auto const byte = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    unsigned const lead = byte(0);
    if (lead < 0x80)
        return {1, true, false};
    if (lead < 0xc2 || lead > 0xf4)
        return {1, false, false};
    std::size_t const size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    // Only the second byte has limits of its own.
    unsigned least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    for (std::size_t i = 1; i < size; ++i, least = 0x80, most = 0xbf)
        if (i == text.size() || byte(i) < least || byte(i) > most)
            return {i, false, i == text.size()};
    return {size, true, false};
}

bool is_utf8(std::string_view text) noexcept
{
    if (is_ascii(text))
        return true;
    while (!text.empty())
    {
        auto const first = first_sequence(text);
        if (!first.well_formed)
            return false;
        text.remove_prefix(first.size);
    }
    return true;
}

bool is_ascii(std::string_view text) noexcept
{
    // Eight bytes at a time, and without a branch on their values: compilers use wide registers then.
    std::uint64_t all = 0;
    for (; text.size() >= sizeof all; text.remove_prefix(sizeof all))
    {
        std::uint64_t eight = 0;
        std::memcpy(&eight, text.data(), sizeof eight);
        all |= eight;
    }
    for (char const c : text)
        all |= static_cast<unsigned char>(c);
    return (all & 0x8080'8080'8080'8080U) == 0;
}

} // namespace ccloud::core
