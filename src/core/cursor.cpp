#include "core/cursor.hpp"

#include "core/url.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace ccloud::core {

namespace {

/** Decodes a name or a value of a form-encoded query: "+" stands for a space. */
std::optional<std::string> form_decoded(std::string_view text)
{
    std::string spaced(text);
    std::replace(spaced.begin(), spaced.end(), '+', ' ');
    return percent_decoded(std::move(spaced));
}

bool is_visible_ascii(std::string_view text) noexcept
{
    return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

} // namespace

std::optional<std::string> page_token(std::string_view link)
{
    while (!link.empty() && static_cast<unsigned char>(link.back()) <= 0x20)
        link.remove_suffix(1);
    link = link.substr(0, link.find('#'));
    auto query = link.substr(std::min(link.find('?'), link.size()));
    std::optional<std::string> end;
    while (!query.empty())
    {
        query.remove_prefix(1); // "?" or "&"
        auto const parameter = query.substr(0, query.find('&'));
        query.remove_prefix(parameter.size());
        auto const equals = parameter.find('=');
        if (equals == std::string_view::npos || form_decoded(parameter.substr(0, equals)) != "page_token")
            continue;
        auto const value = parameter.substr(equals + 1);
        if (!value.empty())
            return is_visible_ascii(value) ? form_decoded(value) : std::nullopt;
        end.emplace();
    }
    return end;
}

bool page_memory::insert(std::string_view token)
{
    if (exact_.contains(std::string(token)))
        return false;
    if (exact_.size() < most_exact && exact_bytes_ + token.size() <= most_exact_bytes)
    {
        exact_bytes_ += token.size();
        return exact_.emplace(token).second;
    }
    return hashed_.insert(std::hash<std::string_view>()(token)).second;
}

} // namespace ccloud::core
