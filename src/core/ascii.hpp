#ifndef CCLOUD_CORE_ASCII_HPP
#define CCLOUD_CORE_ASCII_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace ccloud::core {

// Characters of protocols: independent of the process's locale.

constexpr bool is_digit(char c) noexcept
{
    return c >= '0' && c <= '9';
}

/** The value of a hexadecimal digit, 0 to 15; nothing for another character. */
constexpr std::optional<unsigned> hex_digit(char c) noexcept
{
    if (is_digit(c))
        return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f')
        return static_cast<unsigned>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F')
        return static_cast<unsigned>(c - 'A' + 10);
    return std::nullopt;
}

/** `digits` hexadecimal digits at the beginning of a text; nothing if there are fewer. */
constexpr std::optional<std::uint32_t> first_hexadecimal(std::string_view text, std::size_t digits) noexcept
{
    if (text.size() < digits)
        return std::nullopt;
    std::uint32_t value = 0;
    for (char const c : text.substr(0, digits))
    {
        auto const digit = hex_digit(c);
        if (!digit)
            return std::nullopt;
        value = value << 4 | *digit;
    }
    return value;
}

constexpr char to_lower(char c) noexcept
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/** A letter or a digit. */
constexpr bool is_alphanumeric(char c) noexcept
{
    auto const lower = to_lower(c);
    return is_digit(c) || (lower >= 'a' && lower <= 'z');
}

/** An unreserved character of RFC 3986 section 2.3. */
constexpr bool is_unreserved(char c) noexcept
{
    return is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/** A letter, a digit or "_"; and any byte of a character beyond ASCII in UTF-8, because it may be a letter. */
constexpr bool is_word_character(char c) noexcept
{
    return is_alphanumeric(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

constexpr bool iequals(std::string_view left, std::string_view right) noexcept
{
    return left.size() == right.size() && std::equal(left.begin(), left.end(), right.begin(), [](char a, char b) {
               return to_lower(a) == to_lower(b);
           });
}

constexpr bool icontains(std::string_view text, std::string_view word) noexcept
{
    return word.empty() || std::search(text.begin(), text.end(), word.begin(), word.end(), [](char a, char b) {
                               return to_lower(a) == to_lower(b);
                           }) != text.end();
}

/** Without spaces and tabs at both ends (OWS of RFC 9110 section 5.6.3). */
constexpr std::string_view trim(std::string_view text) noexcept
{
    constexpr auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
    while (!text.empty() && is_blank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back()))
        text.remove_suffix(1);
    return text;
}

/** Digits only; a number beyond the range gives the greatest one. Nothing where there is anything else. */
constexpr std::optional<std::int64_t> parse_digits(std::string_view text) noexcept
{
    if (text.empty())
        return std::nullopt;
    std::int64_t value = 0;
    for (char const c : text)
    {
        if (!is_digit(c))
            return std::nullopt;
        int const digit = c - '0';
        value = value > (INT64_MAX - digit) / 10 ? INT64_MAX : value * 10 + digit;
    }
    return value;
}

/** The first number of a value such as "100, 100;w=60", or of several fields that a proxy has joined with commas: the
    first field of a name counts (RFC 9110 section 5.3). */
constexpr std::optional<std::int64_t> first_number(std::string_view value) noexcept
{
    if (auto const number = parse_digits(value)) // like most values
        return number;
    auto const end = std::find_if(value.begin(), value.end(), [](char c) { return c == ',' || c == ';'; });
    return parse_digits(trim(value.substr(0, static_cast<std::size_t>(end - value.begin()))));
}

/** A number of seconds that is read as a time since 1970 from here on, because as a wait it would be 31 years. */
inline constexpr std::int64_t epoch_from = 1'000'000'000;

/** The non-empty parts between separators, as views into `text`. */
inline std::vector<std::string_view> split(std::string_view text, char separator)
{
    std::vector<std::string_view> parts;
    while (!text.empty())
    {
        auto const part = text.substr(0, text.find(separator));
        if (!part.empty())
            parts.push_back(part);
        text.remove_prefix(std::min(part.size() + 1, text.size()));
    }
    return parts;
}

} // namespace ccloud::core

#endif
