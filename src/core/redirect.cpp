#include "core/redirect.hpp"

#include "core/redact.hpp"
#include "core/url.hpp"

#include <algorithm>
#include <optional>
#include <variant>
#include <vector>

namespace ccloud::core {

namespace {

/** "a/./b/../c" is "a/c" (RFC 3986 section 5.2.4). */
std::string without_dots(std::string_view path)
{
    std::vector<std::string_view> kept;
    bool folder = true; // the path ends with a slash
    while (!path.empty())
    {
        path.remove_prefix(1); // the slash
        auto const segment = path.substr(0, path.find('/'));
        path.remove_prefix(segment.size());
        folder = segment.empty() || segment == "." || segment == "..";
        if (segment == ".." && !kept.empty())
            kept.pop_back();
        else if (segment != "." && segment != ".." && !(segment.empty() && path.empty()))
            kept.push_back(segment);
    }
    std::string clean;
    for (auto const segment : kept)
        clean.append("/").append(segment);
    if (folder || clean.empty())
        clean += '/';
    return clean;
}

bool has_scheme(std::string_view reference) noexcept
{
    auto const end = reference.find_first_of(":/?#");
    return end != std::string_view::npos && end > 0 && reference[end] == ':';
}

/** A reference without its fragment, and with a scheme if it names a host (RFC 3986 section 4.2). */
std::string with_scheme(std::string_view location, origin const& from)
{
    auto reference = std::string(location.substr(0, location.find('#')));
    return reference.starts_with("//") ? (from.tls() ? "https:" : "http:") + reference : reference;
}

/** Where the authority of a URL ends. */
std::size_t end_of_authority(std::string_view url) noexcept
{
    auto const start = url.find("://");
    return start == std::string_view::npos ? url.size() : std::min(url.find_first_of("/?", start + 3), url.size());
}

/** The origin of a URL; nothing if it is none that requests can be sent to. */
std::optional<origin> origin_of(std::string_view url)
{
    if (!has_scheme(url) || url.find("://") != url.find(':'))
        return std::nullopt;
    auto parsed = parse_endpoint(url.substr(0, end_of_authority(url)), true);
    auto* const found = std::get_if<endpoint>(&parsed);
    return found ? std::optional(std::move(found->where)) : std::nullopt;
}

} // namespace

bool is_redirect(int status, method verb) noexcept
{
    return status == 307 || status == 308 || (verb == method::get && (status == 301 || status == 302));
}

redirect follow(std::string_view location, std::string_view shown, origin const& from, std::string_view target)
{
    auto const refuse = [](std::string why) { return redirect{{}, std::move(why)}; };
    auto reference = with_scheme(location, from);
    if (reference.empty())
        return refuse("without saying where to");
    if (has_scheme(reference))
    {
        auto const other = origin_of(reference);
        if (!other)
            return refuse("to what is no place to send a request to");
        if (*other != from)
        {
            // What cannot be read is not shown: any part of it may be a password.
            auto const named = origin_of(with_scheme(shown, from));
            return refuse(
                "to another origin" + (named ? ", " + printable(named->to_string()) : std::string()) +
                "; credentials stay with " + from.to_string()
            );
        }
        auto const end = end_of_authority(reference);
        reference = end == reference.size() ? "/" : reference.substr(end);
        if (reference.starts_with('?'))
            reference = std::string("/").append(reference);
    }
    auto const query_at = std::min(reference.find('?'), reference.size());
    auto path = reference.substr(0, query_at);
    auto const query = reference.substr(query_at);
    auto const base = std::string(target.substr(0, target.find('?')));
    if (path.empty())
        path = base;
    else if (!path.starts_with('/'))
        path = base.substr(0, base.rfind('/') + 1) + path;
    auto next = without_dots(path) + query;
    if (!is_target(next))
        return refuse("to a path that cannot stand in a request");
    return {std::move(next), {}};
}

} // namespace ccloud::core
