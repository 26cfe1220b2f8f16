/*  Proxy URLs, the requests to proxies, and no_proxy, compared with another implementation that uses inet_pton.

    The first byte of an input chooses: a URL of a proxy; or a port (two bytes), a line with a host and a no_proxy list.
    In a URL each "$" stands for a secret, which must not appear in any text for people. */

#include "core/proxy.hpp"

#include "core/url.hpp"
#include "fuzz_input.hpp"

#include <arpa/inet.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace core = ccloud::core;
using fuzz::is_printable;
using fuzz::require;
using fuzz::secret;
using fuzz::shows_secret;

namespace {

std::string percent_encoded(std::string_view text)
{
    std::string encoded;
    for (char const c : text)
    {
        auto const byte = static_cast<unsigned char>(c);
        encoded += '%';
        encoded += "0123456789abcdef"[byte / 16];
        encoded += "0123456789abcdef"[byte % 16];
    }
    return encoded;
}

/** RFC 4648 section 4, bit by bit. */
std::string base64_decoded(std::string_view text)
{
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    require(text.size() % 4 == 0, "base64 comes in groups of four", text);
    std::string bits;
    std::size_t padding = 0;
    for (char const c : text)
    {
        if (c == '=')
        {
            ++padding;
            continue;
        }
        auto const value = digits.find(c);
        require(value != std::string_view::npos && padding == 0, "base64 has only its digits, then padding", text);
        for (int bit = 5; bit >= 0; --bit)
            bits += (value >> bit & 1) ? '1' : '0';
    }
    require(padding <= 2 && bits.size() % 8 == 2 * padding, "base64 is padded to a group", text);
    std::string bytes;
    for (std::size_t at = 0; at + 8 <= bits.size(); at += 8)
    {
        unsigned byte = 0;
        for (std::size_t bit = 0; bit < 8; ++bit)
            byte = byte * 2 + (bits[at + bit] == '1' ? 1U : 0U);
        bytes += static_cast<char>(byte);
    }
    return bytes;
}

void check_connect_request(core::proxy const& through)
{
    auto const text = core::connect_request(through, ccloud::origin(true, "api.example", 8443));
    constexpr std::string_view start = "CONNECT api.example:8443 HTTP/1.1\r\nHost: api.example:8443\r\nUser-Agent: ";
    require(text.starts_with(start), "a CONNECT names its target twice", text);
    std::string_view rest(text);
    std::vector<std::string_view> lines;
    for (auto end = rest.find("\r\n"); end != std::string_view::npos; end = rest.find("\r\n"))
    {
        lines.push_back(rest.substr(0, end));
        rest.remove_prefix(end + 2);
        require(is_printable(lines.back()), "no line has a control character", text);
    }
    auto const count = through.has_credentials() ? 5U : 4U;
    require(rest.empty() && lines.size() == count && lines.back().empty(), "a CONNECT has just its fields", text);
    if (!through.has_credentials())
        return;
    constexpr std::string_view field = "Proxy-Authorization: Basic ";
    require(lines[3].starts_with(field), "credentials are sent", text);
    require(
        base64_decoded(lines[3].substr(field.size())) == through.user + ':' + through.password,
        "user and password are sent as they were given (RFC 7617 section 2)", text
    );
}

bool same(core::proxy const& a, core::proxy const& b)
{
    return a.how == b.how && a.host == b.host && a.port == b.port && a.user == b.user && a.password == b.password;
}

void check_url(std::string_view text)
{
    std::string url;
    for (char const c : text)
        if (c == '$')
            url += secret;
        else
            url += c;
    fuzz::exact_copy const copy(url);
    auto const parsed = core::parse_proxy(copy.view());
    if (auto const* const complaint = std::get_if<std::string>(&parsed))
    {
        require(!shows_secret(*complaint), "a complaint shows no part of the URL", *complaint);
        require(complaint->starts_with("proxy: ") && is_printable(*complaint), "a complaint is a line", *complaint);
        return;
    }
    auto const& read = std::get<core::proxy>(parsed);
    require(!read.host.empty() && read.host.size() <= 255 && read.port != 0, "a proxy has host and port", url);
    auto const shown = read.to_string();
    auto const at = url.rfind('@');
    require(
        !shows_secret(shown) || shows_secret(std::string_view(url).substr(at == std::string::npos ? 0 : at + 1)),
        "credentials are not shown", shown
    );

    auto const bare = core::parse_proxy(shown);
    auto const* const place = std::get_if<core::proxy>(&bare);
    require(place && !place->has_credentials() && place->to_string() == shown, "what is shown is a URL", shown);
    auto full = shown;
    full.insert(shown.find("//") + 2, percent_encoded(read.user) + ':' + percent_encoded(read.password) + '@');
    auto const again = core::parse_proxy(full);
    auto const* const whole = std::get_if<core::proxy>(&again);
    require(whole && same(*whole, read), "a proxy is read back as it was", full);
    if (read.speaks_http())
        check_connect_request(read);
}

struct address
{
    int family = 0;
    std::array<unsigned char, 16> bytes{};

    bool bit(std::size_t index) const { return (bytes[index / 8] >> (7 - index % 8) & 1) != 0; }
    std::size_t width() const { return family == AF_INET ? 32 : 128; }
};

std::optional<address> read_address(std::string text)
{
    if (text.find('\0') != std::string::npos)
        return std::nullopt;
    for (int const family : {AF_INET, AF_INET6})
    {
        address read;
        read.family = family;
        if (inet_pton(family, text.c_str(), read.bytes.data()) == 1)
            return read;
    }
    return std::nullopt;
}

std::string without_brackets(std::string text)
{
    if (text.size() >= 2 && text.front() == '[' && text.back() == ']')
        return text.substr(1, text.size() - 2);
    return text;
}

/** A number of digits only, cut at a million. */
std::optional<std::size_t> read_number(std::string_view text)
{
    std::size_t value = 0;
    for (char const c : text)
    {
        if (c < '0' || c > '9')
            return std::nullopt;
        value = std::min<std::size_t>(value * 10 + static_cast<std::size_t>(c - '0'), 1'000'000);
    }
    return text.empty() ? std::nullopt : std::optional(value);
}

std::string lower(std::string text)
{
    for (char& c : text)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c + 32);
    return text;
}

/** The labels of a name, the last one first; an empty one at the end of the name is the root. */
std::vector<std::string> labels(std::string name)
{
    std::vector<std::string> found;
    if (!name.empty() && name.back() == '.')
        name.pop_back();
    while (true)
    {
        auto const dot = name.rfind('.');
        found.push_back(lower(name.substr(dot == std::string::npos ? 0 : dot + 1)));
        if (dot == std::string::npos)
            return found;
        name.resize(dot);
    }
}

/** Whether one entry of a no_proxy list matches the host. */
bool means(std::string entry, std::string const& host, std::uint16_t port)
{
    auto const target = read_address(host);
    if (auto const slash = entry.find('/'); slash != std::string::npos)
    {
        auto const network = read_address(without_brackets(entry.substr(0, slash)));
        auto const bits = read_number(std::string_view(entry).substr(slash + 1));
        if (!network || !bits || !target || network->family != target->family || *bits > network->width())
            return false;
        for (std::size_t i = 0; i < *bits; ++i)
            if (network->bit(i) != target->bit(i))
                return false;
        return true;
    }
    auto colon = std::string::npos;
    if (entry.starts_with('['))
    {
        if (auto const bracket = entry.find(']'); bracket != std::string::npos)
            colon = entry.find(':', bracket);
    }
    else if (entry.find(':') == entry.rfind(':'))
        colon = entry.find(':');
    if (colon != std::string::npos)
    {
        if (read_number(std::string_view(entry).substr(colon + 1)) != port)
            return false;
        entry.resize(colon);
    }
    if (entry == "*")
        return true;
    auto const named = read_address(without_brackets(entry));
    if (target || named)
        return target && named && target->family == named->family && target->bytes == named->bytes;
    if (entry.starts_with("*."))
        entry.erase(0, 1);
    if (entry.starts_with('.'))
        entry.erase(0, 1);
    if (entry.empty() || entry == ".")
        return false;
    auto const domain = labels(entry), name = labels(host);
    if (domain.size() > name.size())
        return false;
    return std::equal(domain.begin(), domain.end(), name.begin());
}

void check_no_proxy(std::uint16_t port, std::string_view host, std::string_view list)
{
    auto const parsed = core::parse_endpoint(std::string("https://").append(host), true);
    auto const* const read = std::get_if<core::endpoint>(&parsed);
    if (!read || !read->base_path.empty())
        return;
    ccloud::origin const to(true, read->where.host(), port);
    bool expected = false;
    std::string entry;
    for (char const c : std::string(list) + ',')
    {
        if (std::string_view(", \t\r\n").find(c) == std::string_view::npos)
        {
            entry += c;
            continue;
        }
        expected = expected || (!entry.empty() && means(entry, to.host(), port));
        entry.clear();
    }
    fuzz::exact_copy const copy(list);
    require(core::goes_direct(copy.view(), to) == expected, "no_proxy names a host", to.to_string());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    fuzz::input input(data, size);
    if (input.byte() % 2 == 0)
    {
        check_url(input.rest());
        return 0;
    }
    auto const port = static_cast<std::uint16_t>(input.number(2));
    auto const host = input.line();
    check_no_proxy(port, host, input.rest());
    return 0;
}
