#ifndef CCLOUD_CORE_FIELD_SYNTAX_HPP
#define CCLOUD_CORE_FIELD_SYNTAX_HPP

#include "core/ascii.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace ccloud::core {

namespace detail {

/** The characters of a token (RFC 9110 section 5.6.2). */
inline constexpr auto token_characters = [] {
    std::array<bool, 256> allowed{};
    for (char const c :
         std::string_view("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
        allowed[static_cast<unsigned char>(c)] = true;
    return allowed;
}();

} // namespace detail

/** Whether `name` is a token, as the name of a field must be. */
inline bool is_token(std::string_view name) noexcept
{
    auto const allowed = [](char c) { return detail::token_characters[static_cast<unsigned char>(c)]; };
    return !name.empty() && std::all_of(name.begin(), name.end(), allowed);
}

/** Whether `value` has only what RFC 9110 section 5.5 allows: everything except control characters other than tab. */
inline bool is_field_value(std::string_view value) noexcept
{
    bool refused = false; // looks at the whole value, because compilers vectorize that
    for (char const c : value)
        refused |= (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
    return !refused;
}

/** Calls `use` with each element of a list (RFC 9110 section 5.6.1), without white space around it. Elements may be
    empty. */
template <class Use>
void for_each_element(std::string_view list, Use&& use)
{
    for (;;)
    {
        auto const comma = list.find(',');
        use(trim(list.substr(0, comma)));
        if (comma == std::string_view::npos)
            return;
        list.remove_prefix(comma + 1);
    }
}

} // namespace ccloud::core

#endif
