#include "core/url.hpp"

#include "core/ascii.hpp"
#include "core/redact.hpp"

#include <boost/url/ipv4_address.hpp>
#include <boost/url/ipv6_address.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

namespace ccloud::core {

namespace urls = boost::urls;

std::variant<endpoint, std::string> parse_endpoint(std::string_view url, bool allow_plaintext)
{
    auto const complain = [url](std::string_view what) {
        return std::string("endpoint \"").append(printable(redact_url(url))).append("\": ").append(what);
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
    if (view.has_userinfo())
        return complain("must not contain a user or password; set the credentials instead");
    if (view.host().empty())
        return complain("has no host");
    if (view.has_query())
        return complain("must not have a query");
    if (view.has_port() && (view.port_number() == 0 || view.port().empty()))
        return complain("the port must be 1 to 65535");
    std::string host(view.host_address());
    for (char& c : host)
        c = to_lower(c);
    if (!is_target("/" + host))
        return complain("the host must be ASCII");
    if (!tls && !allow_plaintext && !is_loopback(host))
        return complain("plain http would send the credentials unprotected; use https, or set allow_plaintext");
    std::string path(view.encoded_path());
    while (path.ends_with('/'))
        path.pop_back();
    auto const port = view.has_port() ? view.port_number() : static_cast<std::uint16_t>(tls ? 443 : 80);
    return endpoint{origin(tls, std::move(host), port), std::move(path)};
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

bool is_target(std::string_view target) noexcept
{
    return target.starts_with('/') &&
           std::all_of(target.begin(), target.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

} // namespace ccloud::core
