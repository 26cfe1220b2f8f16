#include "core/proxy.hpp"

#include "core/ascii.hpp"
#include "core/base64.hpp"
#include "core/ip_address.hpp"
#include "core/redact.hpp"
#include "core/request.hpp"
#include "core/status_line.hpp"
#include "core/url.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace ccloud::core {

using namespace std::string_view_literals;

namespace {

struct proxy_scheme
{
    std::string_view name;
    proxy::kind how;
    std::uint16_t port;
};

constexpr std::array<proxy_scheme, 4> schemes{{
    {"http", proxy::kind::http, 80},
    {"https", proxy::kind::https, 443},
    {"socks5", proxy::kind::socks5, 1080},
    {"socks5h", proxy::kind::socks5h, 1080},
}};

/** The greatest length that one byte tells: of names, users and passwords in SOCKS5. */
constexpr std::size_t longest_text = 255;

/** "host:port", IPv6 in brackets; with the port in any case, unlike the Host field of a request. */
std::string host_and_port(std::string_view host, std::uint16_t port)
{
    std::string text(host);
    if (host.find(':') != std::string_view::npos)
        text = std::string("[").append(text).append("]");
    return text.append(":").append(std::to_string(port));
}

/** Reads "user:password" into `to`; gives what is wrong, or nothing. */
std::string_view read_credentials(std::string_view text, proxy& to)
{
    auto const colon = std::min(text.find(':'), text.size());
    auto user = percent_decoded(std::string(text.substr(0, colon)));
    auto password = percent_decoded(std::string(text.substr(std::min(colon + 1, text.size()))));
    if (!user || !password)
        return "user and password must be percent-encoded (\"%\" as \"%25\")";
    if (!is_header_safe(*user) || !is_header_safe(*password))
        return "user and password must not contain control characters (CR, LF, NUL, ...)";
    // RFC 7617 section 2: the first colon ends the user
    if (to.speaks_http() && user->find(':') != std::string::npos)
        return "the user must not contain \":\"";
    if (!to.speaks_http() && (user->size() > longest_text || password->size() > longest_text))
        return "user and password must not be longer than 255 bytes each in SOCKS5";
    to.user = std::move(*user);
    to.password = std::move(*password);
    return {};
}

/** Reads "host" or "host:port" into `to`; gives what is wrong, or nothing. */
std::string_view read_authority(std::string_view text, std::uint16_t default_port, proxy& to)
{
    auto const colon = text.find(':', text.starts_with('[') ? text.find(']') : 0);
    auto const host = text.substr(0, colon);
    if (host.empty())
        return "the URL has no host";
    if (host.size() > longest_text)
        return "the host must not be longer than 255 bytes";
    if (auto const wrong = refuse_host(host); !wrong.empty())
        return wrong;
    auto const checked = parse_endpoint(std::string("http://").append(host), true);
    auto const* const read = std::get_if<endpoint>(&checked);
    if (!read)
        return "the host must be ASCII: a name or an address";
    auto const port = colon == std::string_view::npos ? std::optional<std::int64_t>(default_port)
                                                      : parse_digits(text.substr(colon + 1));
    if (!port || *port < 1 || *port > 65535)
        return "the port must be 1 to 65535";
    to.host = read->where.host();
    to.port = static_cast<std::uint16_t>(*port);
    return {};
}

bool in_network(ip_address const& address, ip_address const& network, std::int64_t bits) noexcept
{
    auto const have = address.bytes();
    auto const wanted = network.bytes();
    if (have.size() != wanted.size() || bits > static_cast<std::int64_t>(8 * wanted.size()))
        return false;
    auto const whole = static_cast<std::size_t>(bits / 8);
    if (have.substr(0, whole) != wanted.substr(0, whole))
        return false;
    auto const rest = static_cast<unsigned>(bits % 8);
    return rest == 0 || static_cast<unsigned char>(have[whole] ^ wanted[whole]) >> (8 - rest) == 0;
}

std::string_view without_brackets(std::string_view host) noexcept
{
    return host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
}

/** Whether `name` is `domain` or below it. */
bool in_domain(std::string_view name, std::string_view domain) noexcept
{
    if (domain.empty() || domain.size() > name.size() || !iequals(name.substr(name.size() - domain.size()), domain))
        return false;
    return name.size() == domain.size() || name[name.size() - domain.size() - 1] == '.';
}

/** Whether one entry of a no_proxy list names `to`, whose address is `address`, if it has one. */
bool names(std::string_view entry, origin const& to, std::optional<ip_address> const& address)
{
    if (auto const slash = entry.find('/'); slash != std::string_view::npos)
    {
        auto const network = ip_address::parse(without_brackets(entry.substr(0, slash)));
        auto const bits = parse_digits(entry.substr(slash + 1));
        return address && network && bits && in_network(*address, *network, *bits);
    }
    bool const bare_ipv6 = !entry.starts_with('[') && entry.find(':') != entry.rfind(':');
    auto const colon = entry.find(':', entry.starts_with('[') ? entry.find(']') : 0);
    if (!bare_ipv6 && colon != std::string_view::npos)
    {
        if (parse_digits(entry.substr(colon + 1)) != to.port())
            return false;
        entry = entry.substr(0, colon);
    }
    if (entry == "*")
        return true;
    auto const entry_address = ip_address::parse(without_brackets(entry));
    if (address || entry_address)
        return address == entry_address;
    if (entry.starts_with("*."))
        entry.remove_prefix(1);
    if (entry.starts_with('.'))
        entry.remove_prefix(1);
    return in_domain(without_dot_at_end(to.host()), without_dot_at_end(entry));
}

/** The size of the head that `text` begins with, its empty line included. Lines may end without CR (RFC 9112
    section 2.2). */
std::optional<std::size_t> head_size(std::string_view text) noexcept
{
    std::size_t line = 0;
    for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', line))
    {
        auto const content = text.substr(line, end - line);
        if (content.empty() || content == "\r")
            return end + 1;
        line = end + 1;
    }
    return std::nullopt;
}

connect_reply malformed_reply(std::string_view what)
{
    connect_reply reply;
    reply.is = connect_reply::state::malformed;
    reply.reason = what;
    return reply;
}

/** A length and so many bytes. */
void append_counted(std::string& to, std::string_view text)
{
    to += static_cast<char>(static_cast<unsigned char>(text.size()));
    to += text;
}

} // namespace

std::string proxy::to_string() const
{
    auto const scheme =
        std::find_if(schemes.begin(), schemes.end(), [this](auto const& known) { return known.how == how; });
    return std::string(scheme->name).append("://").append(host_and_port(host, port));
}

std::variant<proxy, std::string> parse_proxy(std::string_view url)
{
    // No part of the URL is quoted: where it is broken, anything in it may be the password.
    auto const complain = [](std::string_view what) { return std::string("proxy: ").append(what); };
    if (url.empty())
        return complain("the URL is empty");
    auto const mark = url.find("://");
    auto const name = mark == std::string_view::npos ? schemes[0].name : url.substr(0, mark);
    auto const scheme =
        std::find_if(schemes.begin(), schemes.end(), [name](auto const& known) { return iequals(known.name, name); });
    if (scheme == schemes.end())
        return complain("the scheme must be http, https, socks5 or socks5h");

    auto const rest = mark == std::string_view::npos ? url : url.substr(mark + 3);
    auto const authority = rest.substr(0, rest.find_first_of("/?#"));
    auto const tail = rest.substr(authority.size());
    if (tail.find('@') != std::string_view::npos)
        return complain("\"/\", \"?\" and \"#\" in user and password must be percent-encoded");
    if (!tail.empty() && tail != "/")
        return complain("the URL must not have a path, query or fragment");

    proxy read;
    read.how = scheme->how;
    auto const at = authority.rfind('@');
    if (at != std::string_view::npos)
        if (auto const wrong = read_credentials(authority.substr(0, at), read); !wrong.empty())
            return complain(wrong);
    auto const where = at == std::string_view::npos ? authority : authority.substr(at + 1);
    if (auto const wrong = read_authority(where, scheme->port, read); !wrong.empty())
        return complain(wrong);
    return read;
}

bool goes_direct(std::string_view no_proxy, origin const& to)
{
    constexpr auto separators = ", \t\r\n"sv;
    auto const address = ip_address::parse(to.host());
    while (true)
    {
        no_proxy.remove_prefix(std::min(no_proxy.find_first_not_of(separators), no_proxy.size()));
        if (no_proxy.empty())
            return false;
        auto const entry = no_proxy.substr(0, no_proxy.find_first_of(separators));
        if (names(entry, to, address))
            return true;
        no_proxy.remove_prefix(entry.size());
    }
}

std::string connect_request(proxy const& through, origin const& to)
{
    auto const target = host_and_port(to.host(), to.port());
    http_headers fields;
    fields.add("Host", target).add("User-Agent", user_agent({}));
    if (through.has_credentials())
        fields.add("Proxy-Authorization", "Basic " + base64(through.user + ':' + through.password));
    return "CONNECT " + target + " HTTP/1.1\r\n" + fields.text() + "\r\n";
}

bool connect_reply::permanent() const noexcept
{
    if (is != state::refused && is != state::unauthenticated)
        return false;
    return status != 408 && status != 429 && (status < 500 || status > 599);
}

connect_reply read_connect_reply(std::string_view received)
{
    std::size_t read = 0;
    while (true)
    {
        auto const rest = received.substr(read);
        if (!begins_like_status_line(rest.substr(0, longest_connect_reply - read)))
            return malformed_reply("no HTTP/1 response");
        auto const head = head_size(rest);
        if (read + head.value_or(rest.size() + 1) > longest_connect_reply)
            return malformed_reply("a head of more than 8 KiB");
        if (!head)
            return {};

        auto line = rest.substr(0, rest.find('\n'));
        if (line.ends_with('\r'))
            line.remove_suffix(1);
        constexpr auto before_status = before_status_code.size();
        auto const status = parse_digits(line.substr(before_status, 3)).value_or(0);
        if (status < 100 || (line.size() > before_status + 3 && line[before_status + 3] != ' '))
            return malformed_reply("no HTTP/1 response");
        read += *head;
        if (status < 200 && status != 101)
            continue;

        connect_reply reply;
        reply.status = static_cast<int>(status);
        reply.reason = printable(trim(line.substr(before_status)));
        if (status == 407 || status == 401)
            reply.is = connect_reply::state::unauthenticated;
        else if (status < 200 || status >= 300)
            reply.is = connect_reply::state::refused;
        else if (received.size() == read)
            reply.is = connect_reply::state::accepted;
        else
            return malformed_reply("something after the head that opens the tunnel");
        return reply;
    }
}

socks5_handshake::socks5_handshake(proxy const& through, std::string_view host, std::uint16_t port)
{
    if (through.user.size() > longest_text || through.password.size() > longest_text)
    {
        end(state::unauthenticated, "user or password is longer than 255 bytes", true);
        return;
    }
    if (host.empty() || host.size() > longest_text)
    {
        end(state::refused, "the name must have 1 to 255 bytes", true);
        return;
    }

    output_.append(through.has_credentials() ? "\x05\x02\x00\x02"sv : "\x05\x01\x00"sv);
    if (through.has_credentials())
    {
        credentials_ += '\x01';
        append_counted(credentials_, through.user);
        append_counted(credentials_, through.password);
    }

    request_.append("\x05\x01\x00"sv);
    if (auto const address = ip_address::parse(host))
        request_.append(address->bytes().size() == ip_address::v4_size ? "\x01"sv : "\x04"sv).append(address->bytes());
    else
        append_counted(request_ += '\x03', host);
    request_ += static_cast<char>(static_cast<unsigned char>(port >> 8));
    request_ += static_cast<char>(static_cast<unsigned char>(port & 255));
}

void socks5_handshake::input(std::string_view bytes)
{
    if (state_ != state::going)
        return;
    output_.clear();
    auto const byte = [bytes](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
    if (bytes.size() != wants_)
        return end(state::malformed, "a message of another length", false);
    switch (step_)
    {
    case step::method:
        if (byte(0) != 5)
            return end(state::malformed, "it does not speak SOCKS5", false);
        if (byte(1) == 0)
            return ask_for_connection();
        if (byte(1) == 2 && !credentials_.empty())
        {
            output_ = std::exchange(credentials_, std::string());
            step_ = step::password;
            return;
        }
        if (byte(1) != 0xff)
            return end(state::malformed, "it chose a method that was not offered", false);
        if (credentials_.empty())
            return end(state::unauthenticated, "it wants credentials", true);
        return end(state::unauthenticated, "it takes neither user and password nor none", true);
    case step::password:
        if (byte(0) != 1)
            return end(state::malformed, "it does not speak RFC 1929", false);
        if (byte(1) != 0)
            return end(state::unauthenticated, "wrong user or password", true);
        return ask_for_connection();
    case step::reply_head:
        if (byte(0) != 5)
            return end(state::malformed, "it does not speak SOCKS5", false);
        switch (byte(1))
        {
        case 0: break;
        case 1: return end(state::refused, "general failure", false);
        case 2: return end(state::refused, "not allowed by its rules", true);
        case 3: return end(state::refused, "network unreachable", false);
        case 4: return end(state::refused, "host unreachable", false);
        case 5: return end(state::refused, "connection refused", false);
        case 6: return end(state::refused, "TTL expired", false);
        case 7: return end(state::refused, "command not supported", true);
        case 8: return end(state::refused, "address type not supported", true);
        default: return end(state::refused, "failure " + std::to_string(byte(1)), false);
        }
        step_ = step::reply_rest;
        // The fifth byte is the first of an address, or the length of a name; two for the port.
        switch (byte(3))
        {
        case 1: wants_ = 3 + 2; return;
        case 3: wants_ = byte(4) + 2u; return;
        case 4: wants_ = 15 + 2; return;
        default: return end(state::malformed, "an address of an unknown type", false);
        }
    case step::reply_rest: return end(state::done, {}, false);
    }
}

void socks5_handshake::ask_for_connection()
{
    output_ = std::move(request_);
    wants_ = 5;
    step_ = step::reply_head;
}

void socks5_handshake::end(state how, std::string reason, bool permanent)
{
    state_ = how;
    wants_ = 0;
    permanent_ = permanent;
    reason_ = std::move(reason);
    output_.clear();
    credentials_.clear();
}

} // namespace ccloud::core
