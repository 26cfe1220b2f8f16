#include "core/redact.hpp"

#include "core/ascii.hpp"

#include <algorithm>
#include <cstdio>

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
    for (char const c : text.substr(0, most))
    {
        if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f)
        {
            out += c;
            continue;
        }
        char escape[8];
        std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
        out += escape;
    }
    if (text.size() > most)
        out += "...";
    return out;
}

} // namespace ccloud::core
