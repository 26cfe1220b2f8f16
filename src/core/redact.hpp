#ifndef CCLOUD_CORE_REDACT_HPP
#define CCLOUD_CORE_REDACT_HPP

#include <string>
#include <string_view>

namespace ccloud::core {

/** A URL, valid or not, in the form for messages: without user, password, query and fragment, printable, and cut at
    200 bytes.

    An invalid URL may hold a password anywhere. So "***" replaces everything before the last "@", and everything after
    a colon that does not begin a port. */
std::string shown_url(std::string_view url);

/** A value of a request header field that may be shown: credentials are replaced by "***". */
std::string redact_header(std::string_view name, std::string_view value);

/** The path of a target, without the query: values of a query may name people. */
std::string_view path_of(std::string_view target) noexcept;

/** A text that may stand in one line of a message: control characters are escaped, and beyond `most` bytes it is
    cut. */
std::string printable(std::string_view text, std::size_t most = 200);

} // namespace ccloud::core

#endif
