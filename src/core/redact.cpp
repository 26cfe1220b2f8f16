#include "core/redact.hpp"

#include "core/ascii.hpp"

#include <cstdio>

namespace ccloud::core {

std::string redact_url(std::string_view url)
{
    auto const scheme = url.find("//");
    auto const start = scheme == std::string_view::npos ? 0 : scheme + 2;
    auto const end = url.find_first_of("/?#", start);
    auto const at = url.substr(0, end).rfind('@');
    if (at == std::string_view::npos || at < start)
        return std::string(url);
    return std::string(url.substr(0, start)).append("***").append(url.substr(at));
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
