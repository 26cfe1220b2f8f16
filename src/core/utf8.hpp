#ifndef CCLOUD_CORE_UTF8_HPP
#define CCLOUD_CORE_UTF8_HPP

#include <cstddef>
#include <string_view>

namespace ccloud::core {

/** U+FFFD REPLACEMENT CHARACTER in UTF-8. */
inline constexpr std::string_view replacement_character = "\xef\xbf\xbd";

/** A sequence of bytes at the beginning of a text. */
struct utf8_sequence
{
    std::size_t size; ///< bytes, 1 to 4
    bool well_formed; ///< whether they are a character
    bool cut_off;     ///< whether the text ends within what may be a character
};

/** The first character of a text that is not empty. If the text does not begin with one, returns the maximal part of an
    ill-formed sequence that one U+FFFD replaces (Unicode Standard, section 3.9, table 3-7 and table 3-11). */
utf8_sequence first_sequence(std::string_view text) noexcept;

/** Whether a text is UTF-8 (RFC 3629 section 3): without overlong forms, surrogates, and characters beyond U+10FFFF. */
bool is_utf8(std::string_view text) noexcept;

/** Whether all characters of a text are ASCII. */
bool is_ascii(std::string_view text) noexcept;

} // namespace ccloud::core

#endif
