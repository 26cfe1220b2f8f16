#include "core/redact.hpp"

#include "core/ascii.hpp"
#include "core/redaction.hpp"
#include "core/utf8.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace ccloud::core {

namespace {

constexpr std::string_view hidden = "***";

/** Whether `text`, which follows a colon, begins with a port or an empty one, up to the end of the authority. */
bool begins_port(std::string_view text) noexcept
{
    constexpr std::size_t most_digits = 5;
    auto const port = text.substr(0, text.find_first_of("/?#"));
    return port.size() <= most_digits && std::all_of(port.begin(), port.end(), is_digit);
}

/** The size of an IPv6 address in brackets at the beginning of `text`; 0 if there is none, or if something else than a
    port, path, query or fragment follows it. */
std::size_t literal_size(std::string_view text) noexcept
{
    auto const end = text.starts_with('[') ? text.find_first_not_of("0123456789abcdefABCDEF:.", 1) : 0;
    if (end >= text.size() || text[end] != ']')
        return 0;
    auto const size = end + 1;
    return text.find_first_of(":/?#", size) == size || size == text.size() ? size : 0;
}

/** Of characters in UTF-8: whether they are controls, or have an effect on the text around them. */
bool is_control(std::string_view character) noexcept
{
    auto const byte = [character](std::size_t at) { return static_cast<unsigned char>(character[at]); };
    switch (character.size())
    {
    case 1: return byte(0) < 0x20 || byte(0) == 0x7f;
    case 2: return (byte(0) == 0xc2 && byte(1) < 0xa0) || character == "\xd8\x9c"; // U+0080 to U+009F, U+061C
    case 3:
        if (byte(0) != 0xe2)
            return false;
        if (byte(1) == 0x80) // U+200E, U+200F, U+2028 to U+202E
            return byte(2) == 0x8e || byte(2) == 0x8f || (byte(2) >= 0xa8 && byte(2) <= 0xae);
        return byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9; // U+2066 to U+2069
    default: return false;
    }
}

/** Appends a character, or the bytes of an ill-formed one, as `printable` shows it. */
void append_printable(std::string& out, std::string_view bytes, bool well_formed)
{
    if (well_formed && !is_control(bytes))
    {
        out += bytes;
        return;
    }
    auto const append = [&out](char const* form, unsigned value) {
        char escape[8];
        std::snprintf(escape, sizeof escape, form, value);
        out += escape;
    };
    if (well_formed && bytes.size() > 1)
    {
        unsigned code = static_cast<unsigned char>(bytes[0]) & (bytes.size() == 2 ? 0x1fU : 0x0fU);
        for (char const c : bytes.substr(1))
            code = code << 6 | (static_cast<unsigned char>(c) & 0x3fU);
        return append("\\u%04x", code);
    }
    for (char const c : bytes)
        append("\\x%02x", static_cast<unsigned char>(c));
}

} // namespace

std::string shown_url(std::string_view url)
{
    auto const at = url.rfind('@');
    auto const scheme_end = url.find(':');
    std::string shown;
    auto rest = url;
    if (at != std::string_view::npos)
    {
        shown = std::string(hidden).append("@");
        rest = url.substr(at + 1);
    }
    else if (scheme_end != std::string_view::npos && url.substr(scheme_end).starts_with("://"))
    {
        shown = url.substr(0, scheme_end + 3);
        rest = url.substr(scheme_end + 3);
    }
    auto const literal = literal_size(rest);
    auto colon = rest.find(':', literal);
    if (colon != std::string_view::npos && begins_port(rest.substr(colon + 1)))
        colon = rest.find(':', colon + 1);
    // In place of a host there may be credentials with an encoded ":" or "@" ("%3A", "%40").
    auto const encoded = rest.substr(0, rest.find('/')).find('%');
    auto const end = std::min({rest.size(), colon, encoded, rest.find_first_of("?#")});
    shown += rest.substr(0, end);
    if (end < rest.size())
        shown.append(1, rest[end]).append(hidden);
    return printable(shown);
}

std::string redact_header(std::string_view name, std::string_view value)
{
    bool const secret = iequals(name, "Authorization") || iequals(name, "Proxy-Authorization") ||
                        iequals(name, "Cookie") || icontains(name, "token") || icontains(name, "secret");
    return secret ? "***" : std::string(value);
}

std::string_view path_of(std::string_view target) noexcept
{
    return target.substr(0, target.find('?'));
}

std::string printable(std::string_view text, std::size_t most)
{
    std::string out;
    while (!text.empty())
    {
        auto const first = first_sequence(text);
        if (first.size > most)
            return out += cut_mark;
        append_printable(out, text.substr(0, first.size), first.well_formed);
        text.remove_prefix(first.size);
        most -= first.size;
    }
    return out;
}

std::string printable_whole(std::string text)
{
    bool const is_plain = std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
    return is_plain ? std::move(text) : printable(text, std::string::npos);
}

} // namespace ccloud::core
