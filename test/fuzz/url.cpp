/*  URLs: endpoints, redirects, targets, and their text in errors.

    The first byte of an input chooses: an endpoint; a URL with a password, made of lines (scheme, user, text before
    and after the password, the rest); a redirect, made of lines (target, Location); or a target and a segment. */

#include "core/url.hpp"

#include "core/redact.hpp"
#include "core/redirect.hpp"
#include "fuzz_input.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace core = ccloud::core;
using fuzz::is_printable;
using fuzz::require;
using fuzz::secret;
using fuzz::shows_secret;

namespace {

/** A URL in a message has to be short and printable. */
void check_shown(std::string_view text)
{
    require(text.size() <= 1200, "a shown URL is short", text);
    require(is_printable(text), "a shown URL is printable", text);
}

void check_endpoint(std::string_view url)
{
    fuzz::exact_copy const copy(url);
    auto const parsed = core::parse_endpoint(copy.view(), true);
    if (auto const* const complaint = std::get_if<std::string>(&parsed))
    {
        check_shown(*complaint);
        return;
    }
    auto const& read = std::get<core::endpoint>(parsed);
    auto const& host = read.where.host();
    require(!host.empty() && read.where.port() != 0, "an endpoint has host and port", url);
    for (char const c : host)
        require(
            std::string_view("abcdefghijklmnopqrstuvwxyz0123456789.-_:").find(c) != std::string_view::npos,
            "a host is lower case ASCII", url
        );
    require((host.find(':') == std::string::npos) || core::is_ip_address(host), "only addresses have a colon", url);
    require(read.base_path.empty() || core::is_target(read.base_path), "a base path can stand in a request", url);
    require(!read.base_path.ends_with('/'), "a base path has no slash at its end", url);
    auto const text = read.where.to_string() + read.base_path;
    auto const again = core::parse_endpoint(text, true);
    auto const* const whole = std::get_if<core::endpoint>(&again);
    require(whole && whole->where == read.where && whole->base_path == read.base_path, "it is read as written", text);

    auto const strict = core::parse_endpoint(url, false);
    bool const safe = read.where.tls() || core::is_loopback(host);
    require(std::holds_alternative<core::endpoint>(strict) == safe, "plain http is for loopback alone", url);
}

/** However a URL with a password is broken, no complaint shows the password. */
void check_password(fuzz::input& input)
{
    auto const scheme = input.line(), user = input.line(), before = input.line(), after = input.line();
    auto const end = input.rest();
    std::string url(scheme);
    url.append("://").append(user).append(":").append(before).append(secret).append(after);
    // Without an "@" after it, the text counts as a password only if it cannot be a host or a path.
    bool const ended = after.find('@') != std::string_view::npos || end.find('@') != std::string_view::npos;
    bool const told = ended || std::string(user).append(before).find('@') == std::string::npos;
    bool const in_path = !ended && before.find_first_of("/?#") != std::string_view::npos;
    url.append(end);
    // The host may consist of parts of both "after" and "end", and may read like the password.
    if (!told || in_path || shows_secret(scheme) || shows_secret(user) || shows_secret(before) ||
        shows_secret(std::string(after).append(end)))
        return;
    auto const shown = core::shown_url(url);
    check_shown(shown);
    require(!shows_secret(shown), "a shown URL has no password", shown);
    auto const parsed = core::parse_endpoint(url, true);
    if (auto const* const complaint = std::get_if<std::string>(&parsed))
        require(!shows_secret(*complaint), "a complaint has no password", *complaint);
    auto const next = core::follow(url, url, ccloud::origin(true, "api.example", 443), "/a/b?c");
    require(!shows_secret(next.refusal), "a refusal has no password", next.refusal);
    check_shown(next.refusal);
}

/** The algorithm of RFC 3986 section 5.2.4, step by step. */
std::string without_dot_segments(std::string in)
{
    std::string out;
    auto const drop_last = [&out] {
        auto const slash = out.rfind('/');
        out.resize(slash == std::string::npos ? 0 : slash);
    };
    while (!in.empty())
    {
        if (in.starts_with("../"))
            in.erase(0, 3);
        else if (in.starts_with("./"))
            in.erase(0, 2);
        else if (in.starts_with("/./"))
            in.erase(0, 2);
        else if (in == "/.")
            in = "/";
        else if (in.starts_with("/../"))
        {
            in.erase(0, 3);
            drop_last();
        }
        else if (in == "/..")
        {
            in = "/";
            drop_last();
        }
        else if (in == "." || in == "..")
            in.clear();
        else
        {
            auto const end = in.find('/', 1);
            out += in.substr(0, end);
            in.erase(0, end);
        }
    }
    return out;
}

/** The target within the origin that a Location names (RFC 3986 section 5.2.2); nothing if there is none. */
std::optional<std::string> resolved(std::string location, ccloud::origin const& from, std::string const& target)
{
    location = location.substr(0, location.find('#'));
    if (location.empty())
        return std::nullopt;
    auto const special = location.find_first_of(":/?");
    if (location.starts_with("//"))
        location = "https:" + location;
    else if (special == std::string::npos || special == 0 || location[special] != ':')
    {
        auto const query_at = std::min(location.find('?'), location.size());
        auto path = location.substr(0, query_at);
        auto const base = target.substr(0, target.find('?'));
        if (path.empty())
            path = base;
        else if (path[0] != '/')
            path = base.substr(0, base.rfind('/') + 1) + path;
        return without_dot_segments(path) + location.substr(query_at);
    }
    auto const colon = location.find(':');
    if (location.substr(colon).substr(0, 3) != "://")
        return std::nullopt;
    auto const end = std::min(location.find_first_of("/?", colon + 3), location.size());
    auto const where = core::parse_endpoint(location.substr(0, end), true);
    auto const* const other = std::get_if<core::endpoint>(&where);
    if (!other || other->where != from)
        return std::nullopt;
    auto const rest = location.substr(end);
    auto const query_at = std::min(rest.find('?'), rest.size());
    auto const path = without_dot_segments(rest.substr(0, query_at));
    return (path.empty() ? "/" : path) + rest.substr(query_at);
}

void check_redirect(fuzz::input& input)
{
    std::string target(input.line());
    if (!core::is_target(target))
        target = "/iam/v2/ip-groups?page_size=1";
    ccloud::origin const from(true, "api.example", 443);
    fuzz::exact_copy const location(input.rest());
    auto const next = core::follow(location.view(), location.view(), from, target);
    auto expected = resolved(std::string(location.view()), from, target);
    if (expected && !core::is_target(*expected))
        expected.reset();
    require(next.target.empty() != next.refusal.empty(), "a redirect has a target or a refusal", next.target);
    require(next.target == expected.value_or(std::string()), "a Location is resolved as RFC 3986 says", next.target);
    check_shown(next.refusal);
}

bool is_one_of(char c, std::string_view set)
{
    return set.find(c) != std::string_view::npos;
}

void check_target(fuzz::input& input)
{
    constexpr std::string_view hexadecimal = "0123456789abcdefABCDEF";
    constexpr std::string_view unreserved = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    fuzz::exact_copy const copy(input.line());
    auto const target = copy.view();
    bool sound = !target.empty() && target[0] == '/';
    for (std::size_t i = 0; i < target.size(); ++i)
        if (target[i] == '%')
            sound = sound && i + 2 < target.size() && is_one_of(target[i + 1], hexadecimal) &&
                    is_one_of(target[i + 2], hexadecimal);
        else
            sound = sound && (is_one_of(target[i], unreserved) || is_one_of(target[i], ":/?[]@!$&'()*+,;="));
    require(core::is_target(target) == sound, "a target is a path and a query of RFC 3986", target);
    if (sound)
    {
        std::size_t slashes = 0, end = 0;
        for (; end < target.size() && target[end] != '?'; ++end)
            if (target[end] == '/' && ++slashes == 4)
                break;
        require(core::collection_of(target) == target.substr(0, end), "a collection is three segments", target);
    }

    auto const text = input.rest();
    std::string encoded;
    core::append_encoded(encoded, text);
    for (std::size_t i = 0; i < encoded.size(); ++i)
        require(is_one_of(encoded[i], unreserved) || encoded[i] == '%', "encoded is what is not unreserved", encoded);
    require(core::percent_decoded(encoded) == text, "what is encoded is decoded again", encoded);
    require(core::is_target('/' + encoded), "what is encoded can stand in a target", encoded);
    auto const path = without_dot_segments("/a/" + encoded + "/b");
    require(!core::refuse_segment(text).empty() || path == "/a/" + encoded + "/b", "an id changes no path", path);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    fuzz::input input(data, size);
    switch (input.byte() % 4)
    {
    case 0: check_endpoint(input.rest()); break;
    case 1: check_password(input); break;
    case 2: check_redirect(input); break;
    default: check_target(input);
    }
    return 0;
}
