#include "core/url.hpp"

#include "core/ascii.hpp"
#include "core/redact.hpp"

#include <boost/url/ipv4_address.hpp>
#include <boost/url/ipv6_address.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <algorithm>

namespace ccloud::core {

namespace urls = boost::urls;

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
        if (!urls::parse_ipv6_address(urls::string_view(parts.host.data(), parts.host.size())))
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

} // namespace

std::variant<endpoint, std::string> parse_endpoint(std::string_view url, bool allow_plaintext)
{
    auto const complain = [url](std::string_view what) {
        // Up to the last "@" of all: a password with "/", "?" or "#" in it ends the authority early.
        auto const at = url.rfind('@');
        auto const shown = at == std::string_view::npos ? std::string(url) : "***" + std::string(url.substr(at));
        return std::string("endpoint \"").append(printable(shown)).append("\": ").append(what);
    };
    if (url.empty())
        return std::string("endpoint: is empty");
    auto const parsed = urls::parse_absolute_uri(urls::string_view(url.data(), url.size()));
    if (!parsed)
        return complain("is no absolute URL such as https://api.confluent.cloud");
    urls::url_view const view = *parsed;
    bool const tls = view.scheme_id() == urls::scheme::https;
    if (!tls && view.scheme_id() != urls::scheme::http)
        return complain("the scheme must be https");
    if (view.has_query())
        return complain("must not have a query");

    // Boost.URL 1.81 takes a host that only begins like an address for the address: the authority is read here.
    auto const start = url.find(':') + 1;
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
    urls::string_view const text(host.data(), host.size());
    if (auto const v4 = urls::parse_ipv4_address(text))
        return v4->is_loopback();
    if (auto const v6 = urls::parse_ipv6_address(text))
        return v6->is_loopback();
    return iequals(host, "localhost");
}

bool is_ip_address(std::string_view host) noexcept
{
    urls::string_view const text(host.data(), host.size());
    return urls::parse_ipv4_address(text).has_value() || urls::parse_ipv6_address(text).has_value();
}

void append_encoded(std::string& to, std::string_view text)
{
    static constexpr std::string_view hex = "0123456789ABCDEF";
    for (char const c : text)
    {
        auto const lower = to_lower(c);
        if ((lower >= 'a' && lower <= 'z') || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~')
        {
            to += c;
            continue;
        }
        auto const byte = static_cast<unsigned char>(c);
        to += '%';
        to += hex[byte >> 4];
        to += hex[byte & 15];
    }
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
    return target.starts_with('/') &&
           std::all_of(target.begin(), target.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

} // namespace ccloud::core
