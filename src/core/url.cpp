#include "core/url.hpp"

#include "core/ascii.hpp"
#include "core/ip_address.hpp"
#include "core/redact.hpp"

#include <algorithm>

namespace ccloud::core {

namespace {

/** Host and port of an authority without user; nothing where it is no such thing. */
struct host_and_port
{
    std::string_view host;
    std::optional<std::string_view> port;
};

std::optional<host_and_port> split_authority(std::string_view authority) noexcept
{
    host_and_port parts;
    auto rest = std::string_view();
    if (authority.starts_with('['))
    {
        auto const end = authority.find(']');
        if (end == std::string_view::npos)
            return std::nullopt;
        parts.host = authority.substr(1, end - 1);
        rest = authority.substr(end + 1);
        if (parts.host.find(':') == std::string_view::npos || !is_ip_address(parts.host))
            return std::nullopt;
    }
    else
    {
        parts.host = authority.substr(0, authority.find(':'));
        rest = authority.substr(parts.host.size());
        auto const allowed = [](char c) {
            auto const lower = to_lower(c);
            return (lower >= 'a' && lower <= 'z') || is_digit(c) || c == '.' || c == '-' || c == '_';
        };
        if (!std::all_of(parts.host.begin(), parts.host.end(), allowed))
            return std::nullopt;
    }
    if (rest.empty())
        return parts;
    if (!rest.starts_with(':'))
        return std::nullopt;
    parts.port = rest.substr(1);
    return parts;
}

/** Whether a text has only characters of a URI without a fragment (RFC 3986 section 2), and two hexadecimal digits
    after each "%". */
bool is_uri_text(std::string_view text) noexcept
{
    constexpr std::string_view others = "-._~:/?[]@!$&'()*+,;=";
    for (std::size_t i = 0; i < text.size(); ++i)
    {
        char const c = to_lower(text[i]);
        if (c == '%')
        {
            if (text.size() - i < 3 || !hex_digit(text[i + 1]) || !hex_digit(text[i + 2]))
                return false;
        }
        else if (!is_digit(c) && (c < 'a' || c > 'z') && others.find(c) == std::string_view::npos)
            return false;
    }
    return true;
}

/** Whether a text is the name of a scheme (RFC 3986 section 3.1). */
bool is_scheme(std::string_view text) noexcept
{
    auto const is_letter = [](char c) { return to_lower(c) >= 'a' && to_lower(c) <= 'z'; };
    return !text.empty() && is_letter(text.front()) && std::all_of(text.begin(), text.end(), [&](char c) {
        return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
    });
}

} // namespace

std::variant<endpoint, std::string> parse_endpoint(std::string_view url, bool allow_plaintext)
{
    auto const complain = [url](std::string_view what) {
        return std::string("endpoint \"").append(shown_url(url)).append("\": ").append(what);
    };
    if (url.empty())
        return std::string("endpoint: is empty");
    auto const scheme = url.substr(0, url.find(':'));
    if (scheme.size() == url.size() || !is_scheme(scheme) || !is_uri_text(url))
        return complain("is no absolute URL such as https://api.confluent.cloud");
    bool const tls = iequals(scheme, "https");
    if (!tls && !iequals(scheme, "http"))
        return complain("the scheme must be https");
    if (url.find('?') != std::string_view::npos)
        return complain("must not have a query");

    auto const start = scheme.size() + 1;
    if (!url.substr(start).starts_with("//"))
        return complain("has no host");
    auto const authority = url.substr(start + 2, url.find('/', start + 2) - start - 2);
    if (authority.find('@') != std::string_view::npos)
        return complain("must not contain a user or password; set the credentials instead");
    auto const parts = split_authority(authority);
    if (!parts)
        return complain("the host must be ASCII: a name or an address");
    if (parts->host.empty())
        return complain("has no host");
    if (auto const wrong = refuse_host(parts->host); !wrong.empty())
        return complain(wrong);
    auto const port = parts->port ? parse_digits(*parts->port) : std::optional<std::int64_t>(tls ? 443 : 80);
    if (!port || *port < 1 || *port > 65535)
        return complain("the port must be 1 to 65535");

    std::string host(parts->host);
    for (char& c : host)
        c = to_lower(c);
    if (!tls && !allow_plaintext && !is_loopback(host))
        return complain("plain http would send the credentials unprotected; use https, or set allow_plaintext");
    std::string path(url.substr(start + 2 + authority.size()));
    while (path.ends_with('/'))
        path.pop_back();
    return endpoint{origin(tls, std::move(host), static_cast<std::uint16_t>(*port)), std::move(path)};
}

bool is_loopback(std::string_view host) noexcept
{
    if (auto const address = ip_address::parse(host))
        return address->is_loopback();
    return iequals(without_dot_at_end(host), "localhost");
}

std::string_view refuse_host(std::string_view host) noexcept
{
    if (host.starts_with('.') || host.find("..") != std::string_view::npos)
        return "the host has an empty label";
    // RFC 3986 section 3.2.2 reads such a host as a name, other clients as the address.
    if (host.ends_with('.') && is_ip_address(without_dot_at_end(host)))
        return "an address must not end with a dot";
    return {};
}

std::string_view without_dot_at_end(std::string_view host) noexcept
{
    return host.substr(0, host.size() - (host.ends_with('.') ? 1 : 0));
}

bool is_ip_address(std::string_view host) noexcept
{
    return ip_address::parse(host).has_value();
}

void append_encoded(std::string& to, std::string_view text)
{
    static constexpr std::string_view hex = "0123456789ABCDEF";
    for (;;)
    {
        auto const plain = std::find_if_not(text.begin(), text.end(), is_unreserved);
        to.append(text.begin(), plain);
        if (plain == text.end())
            return;
        auto const byte = static_cast<unsigned char>(*plain);
        text = std::string_view(plain + 1, text.end());
        to += '%';
        to += hex[byte >> 4];
        to += hex[byte & 15];
    }
}

std::optional<std::string> percent_decoded(std::string text)
{
    std::size_t size = 0; // of the decoded text
    for (std::size_t i = 0; i < text.size(); ++i)
    {
        char c = text[i];
        if (c == '%')
        {
            auto const high = text.size() - i < 3 ? std::nullopt : hex_digit(text[i + 1]);
            auto const low = text.size() - i < 3 ? std::nullopt : hex_digit(text[i + 2]);
            if (!high || !low)
                return std::nullopt;
            c = static_cast<char>(static_cast<unsigned char>(*high << 4 | *low));
            i += 2;
        }
        text[size++] = c;
    }
    text.resize(size);
    return text;
}

std::string_view refuse_segment(std::string_view id) noexcept
{
    if (id.empty())
        return "must not be empty";
    for (char const c : id)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            return "must not contain control characters (CR, LF, NUL, ...)";
    if (id.find('/') != std::string_view::npos)
        return "must not contain \"/\"";
    if (id == "." || id.find("..") != std::string_view::npos)
        return "must not be \".\" or contain \"..\"";
    return {};
}

std::string_view collection_of(std::string_view target) noexcept
{
    target = target.substr(0, target.find('?'));
    std::size_t end = 0;
    for (int segment = 0; segment < 3 && end < target.size(); ++segment)
        end = std::min(target.find('/', end + 1), target.size());
    return target.substr(0, end);
}

bool is_target(std::string_view target) noexcept
{
    return target.starts_with('/') && is_uri_text(target);
}

} // namespace ccloud::core
