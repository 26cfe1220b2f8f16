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

/** A text that may stand in one line of a message, as UTF-8 without control characters. Escaped are control characters
    (C0, DEL and C1), those that set the direction of text or begin a line (U+061C, U+200E, U+200F, U+2028 to U+202E,
    U+2066 to U+2069), and bytes that are no UTF-8: "\x1b", "\u202e". A text of more than `most` bytes is cut between two
    characters, and ends in "...". */
std::string printable(std::string_view text, std::size_t most = 200);

/** The same, not cut. */
std::string printable_whole(std::string text);

} // namespace ccloud::core

#endif
