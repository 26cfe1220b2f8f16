#ifndef CCLOUD_TESTING_SIMULATOR_TEXT_HPP
#define CCLOUD_TESTING_SIMULATOR_TEXT_HPP

#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace ccloud::testing::simulated {

/** The simulator's clock: wall time at its start, and from then on steady and only forward. */
using instant = std::chrono::sys_time<std::chrono::microseconds>;

/** Reads the whole of `text` as a decimal number. */
template <class Number>
std::optional<Number> to_number(std::string_view text)
{
    Number value{};
    auto const [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

/** RFC 3339 in UTC with as many fraction digits as needed, at most six: the real service trims zeros. */
inline std::string to_rfc3339(instant time)
{
    auto const day = std::chrono::floor<std::chrono::days>(time);
    std::chrono::year_month_day const date(day);
    std::chrono::hh_mm_ss const clock(time - day);
    std::array<char, 64> text{};
    std::snprintf(
        text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06d", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
        static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
        static_cast<int>(clock.subseconds().count())
    );
    std::string trimmed(text.data());
    trimmed.erase(trimmed.find_last_not_of('0') + 1);
    if (trimmed.back() == '.')
        trimmed.pop_back();
    return trimmed + 'Z';
}

inline constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

inline std::string to_base64(std::string_view bytes)
{
    std::string text;
    std::uint32_t bits = 0;
    int count = 0;
    for (char const byte : bytes)
    {
        bits = bits << 8 | static_cast<unsigned char>(byte);
        for (count += 8; count >= 6; count -= 6)
            text += base64_digits[bits >> (count - 6) & 63];
    }
    if (count > 0)
        text += base64_digits[bits << (6 - count) & 63];
    text.resize((text.size() + 3) / 4 * 4, '=');
    return text;
}

/** Strict: padded to a multiple of four, nothing but digits before the padding. */
inline std::optional<std::string> from_base64(std::string_view text)
{
    if (text.size() % 4 != 0)
        return std::nullopt;
    for (int padding = 0; padding < 2 && text.ends_with('='); ++padding)
        text.remove_suffix(1);
    std::string bytes;
    std::uint32_t bits = 0;
    int count = 0;
    for (char const digit : text)
    {
        auto const value = base64_digits.find(digit);
        if (value == std::string_view::npos)
            return std::nullopt;
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        count += 6;
        if (count >= 8)
        {
            count -= 8;
            bytes += static_cast<char>(bits >> count & 255);
        }
    }
    return bytes;
}

inline bool is_unreserved(char c)
{
    constexpr std::string_view marks = "-._~";
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           marks.find(c) != std::string_view::npos;
}

inline std::string percent_encode(std::string_view text)
{
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string encoded;
    for (char const c : text)
    {
        if (is_unreserved(c))
        {
            encoded += c;
            continue;
        }
        auto const byte = static_cast<unsigned char>(c);
        encoded += '%';
        encoded += digits[byte >> 4];
        encoded += digits[byte & 15];
    }
    return encoded;
}

enum class plus_sign : bool { itself, space };

/** Nothing where a "%" is not followed by two hexadecimal digits. */
inline std::optional<std::string> percent_decode(std::string_view text, plus_sign plus = plus_sign::itself)
{
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i)
    {
        if (text[i] == '+' && plus == plus_sign::space)
        {
            decoded += ' ';
        }
        else if (text[i] != '%')
        {
            decoded += text[i];
        }
        else
        {
            std::string_view const digits = text.substr(i + 1, 2);
            unsigned byte = 0;
            auto const [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
            if (failure != std::errc() || end != digits.data() + 2)
                return std::nullopt;
            decoded += static_cast<char>(byte);
            i += 2;
        }
    }
    return decoded;
}

/** Splits at every separator: "a/b/" gives "a", "b" and "". */
inline std::vector<std::string_view> split(std::string_view text, char separator)
{
    std::vector<std::string_view> parts;
    for (auto end = text.find(separator); end != std::string_view::npos; end = text.find(separator))
    {
        parts.push_back(text.substr(0, end));
        text.remove_prefix(end + 1);
    }
    parts.push_back(text);
    return parts;
}

using query_parameters = std::map<std::string, std::string, std::less<>>;

/** Parameters of a query string, decoded; the first of a name counts. Nothing where an escape is broken. */
inline std::optional<query_parameters> parse_query(std::string_view text)
{
    query_parameters parameters;
    for (std::string_view const pair : split(text, '&'))
    {
        if (pair.empty())
            continue;
        auto const equals = pair.find('=');
        auto name = percent_decode(pair.substr(0, equals), plus_sign::space);
        auto value = percent_decode(
            equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1), plus_sign::space
        );
        if (!name || !value)
            return std::nullopt;
        parameters.try_emplace(std::move(*name), std::move(*value));
    }
    return parameters;
}

/** Characters, not bytes, of UTF-8. */
inline std::size_t count_code_points(std::string_view text)
{
    std::size_t count = 0;
    for (char const c : text)
        count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    return count;
}

inline bool equal_ignoring_case(std::string_view left, std::string_view right)
{
    auto const lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
    if (left.size() != right.size())
        return false;
    for (std::size_t i = 0; i < left.size(); ++i)
        if (lower(left[i]) != lower(right[i]))
            return false;
    return true;
}

/** The n-th id: a prefix and five letters and digits of both cases, in no visible order; no two alike. */
inline std::string make_id(std::string_view prefix, std::uint64_t n)
{
    constexpr std::string_view digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    constexpr std::uint64_t all = 62ull * 62 * 62 * 62 * 62;
    constexpr std::uint64_t stride = 566'558'657; // shares no factor with `all`
    std::string id(prefix);
    std::uint64_t rest = n * stride % all;
    for (int i = 0; i < 5; ++i)
    {
        id += digits[static_cast<std::size_t>(rest % 62)];
        rest /= 62;
    }
    return id;
}

} // namespace ccloud::testing::simulated

#endif
