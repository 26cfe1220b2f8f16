#ifndef CCLOUD_CORE_REDIRECT_HPP
#define CCLOUD_CORE_REDIRECT_HPP

#include <ccloud/http.hpp>

#include <string>
#include <string_view>

namespace ccloud::core {

/** Redirects that a call follows; one more ends it. */
inline constexpr int most_redirects = 5;

/** Whether an answer sends the same request elsewhere: 307 and 308, for GET 301 and 302, too (RFC 9110 section 15.4).
    Others would change the method. */
bool is_redirect(int status, method verb) noexcept;

/** Where to. */
struct redirect
{
    std::string target;  ///< path and query; empty where it is not to be followed
    std::string refusal; ///< then why: names the other origin, but never a user, a password or a query
};

/** Reads a Location field that came from `from` in answer to `target`. Credentials never leave their origin: only a place
    within it is followed. A refusal quotes `shown`, which is the field without secrets: they have to be removed before
    the field is taken apart. */
redirect follow(std::string_view location, std::string_view shown, origin const& from, std::string_view target);

} // namespace ccloud::core

#endif
