#ifndef CCLOUD_CORE_URL_HPP
#define CCLOUD_CORE_URL_HPP

#include <ccloud/http.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace ccloud::core {

/** A base URL, taken apart. */
struct endpoint
{
    origin where;
    std::string base_path; ///< without a slash at its end; empty for none
};

/** Reads a base URL. Gives what is wrong with it as a sentence where it cannot be used; that never shows a password. */
std::variant<endpoint, std::string> parse_endpoint(std::string_view url, bool allow_plaintext);

/** A host without a dot at its end. The dot makes a name absolute (RFC 1034 section 3.1): name resolution uses it, and
    then tries no search domain. The dot is part of the Host field (RFC 9110 section 7.2), but not of the server name
    in TLS (RFC 6066 section 3). */
std::string_view without_dot_at_end(std::string_view host) noexcept;

/** Why a host of letters, digits, ".", "-" and "_" is invalid, as the rest of a sentence: a label is empty, or an
    address has a dot at its end. Empty if the host may be valid. */
std::string_view refuse_host(std::string_view host) noexcept;

/** "localhost", with or without a dot at its end, 127.0.0.0/8 or ::1. */
bool is_loopback(std::string_view host) noexcept;

/** Whether the host is an IP address and so has no name to send in TLS. */
bool is_ip_address(std::string_view host) noexcept;

/** Appends `text` percent-encoded: everything but the unreserved characters of RFC 3986 section 2.3. */
void append_encoded(std::string& to, std::string_view text);

/** Decodes the percent-encoded bytes of `text` (RFC 3986 section 2.1), once. Returns nothing where a "%" is not
    followed by two hexadecimal digits. */
std::optional<std::string> percent_decoded(std::string text);

/** Why `id` cannot be a segment of a path, as the rest of a sentence; empty where it can. Refused are what could change
    the path or the request line: nothing, "..", "/", and control characters. */
std::string_view refuse_segment(std::string_view id) noexcept;

/** The collection that a target is in, as far as its path tells: the first three segments, "/iam/v2/ip-groups". */
std::string_view collection_of(std::string_view target) noexcept;

/** Whether a text can be the target of a request line in origin form (RFC 9112 section 3.2.1): it begins with "/", has
    only characters of a URI (RFC 3986 section 2), each "%" among them followed by two hexadecimal digits, and has no
    "#", because a fragment is never sent. */
bool is_target(std::string_view target) noexcept;

} // namespace ccloud::core

#endif
