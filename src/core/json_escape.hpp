#ifndef CCLOUD_CORE_JSON_ESCAPE_HPP
#define CCLOUD_CORE_JSON_ESCAPE_HPP

#include "core/ascii.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ccloud::core {

// The escapes of JSON texts that stand for a code unit of UTF-16 (RFC 8259 section 7): "\ud83d".

inline constexpr std::size_t unicode_escape_size = 6;

/** The code unit of the escape that a text begins with; nothing if it begins with something else. */
constexpr std::optional<std::uint32_t> escaped_unit(std::string_view text) noexcept
{
    return text.starts_with("\\u") ? first_hexadecimal(text.substr(2), 4) : std::nullopt;
}

constexpr bool is_high_surrogate(std::uint32_t unit) noexcept
{
    return (unit & 0xfffffc00) == 0xd800;
}

constexpr bool is_low_surrogate(std::uint32_t unit) noexcept
{
    return (unit & 0xfffffc00) == 0xdc00;
}

/** The character that two surrogates stand for. */
constexpr std::uint32_t character_of(std::uint32_t high, std::uint32_t low) noexcept
{
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

} // namespace ccloud::core

#endif
