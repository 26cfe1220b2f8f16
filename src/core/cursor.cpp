#include "core/cursor.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <functional>

namespace ccloud::core {

namespace urls = boost::urls;

std::optional<std::string> page_token(std::string_view link)
{
    auto const parsed = urls::parse_uri_reference(urls::string_view(link.data(), link.size()));
    if (!parsed)
        return std::nullopt;
    for (auto const param : parsed->encoded_params())
    {
        if (param.key.decode() != "page_token" || !param.has_value)
            continue;
        urls::encoding_opts form;
        form.space_as_plus = true; // queries are form-encoded, as the server's own clients read them
        auto token = param.value.decode(form);
        if (!token.empty())
            return token;
    }
    return std::nullopt;
}

bool page_memory::insert(std::string_view token)
{
    constexpr std::size_t most_exact = 10'000;
    if (exact_.contains(std::string(token)))
        return false;
    if (exact_.size() < most_exact)
        return exact_.emplace(token).second;
    return hashed_.insert(std::hash<std::string_view>()(token)).second;
}

} // namespace ccloud::core
