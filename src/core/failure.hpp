#ifndef CCLOUD_CORE_FAILURE_HPP
#define CCLOUD_CORE_FAILURE_HPP

#include <ccloud/error.hpp>

#include "core/redaction.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace ccloud::core {

/** Most problems that an error keeps. Further ones are only counted. */
inline constexpr std::size_t most_problems = 32;

/** Most bytes of a text of a problem. A longer one is cut, and ends in "...". */
inline constexpr std::size_t longest_problem_text = 4 * 1024;

/** Most bytes of a body that are searched for problems. */
inline constexpr std::size_t most_searched = 1024 * 1024;

/** The problems of an error body. */
struct problem_list
{
    std::vector<problem> kept; ///< up to `most_problems`
    std::size_t omitted = 0;   ///< how many further ones the body has
    bool is_failure = false;   ///< see `error::data::is_failure`
};

/** What the server complains of, read from the body of an answer in any of the shapes its services use:

    - `{"errors":[{"id","status","code","title","detail","message","source":{"pointer","parameter"},"resolution"}]}`;
      one object or text in place of the list, and texts in it, count as problems, too
    - `{"error_code","message"}`, `{"message"}`
    - `{"error":{"code","message","status","suggestion"},"requestId"}`, `{"error":"code","error_description"}`; members
      beside the object `error` count where it lacks them

    Any of these objects may have the members of the others, and `details`: a text, an object with "detail" or "message",
    or a list of such.

    Numbers are accepted in place of texts, as they were written, and ill-formed text becomes U+FFFD. Only the first
    `most_searched` bytes are read; a body that breaks off is read up to its end, and one that is nested too deeply up to
    that place. Empty if the body is empty or has another shape. */
problem_list read_problems(std::string_view body);

/** What can be said of a body that has no complaint in it: that it is empty, HTML, gzip, not JSON. */
std::string describe_body(http_headers const& headers, std::string_view body);

/** "Content-Type is text/html", if a response is not declared as JSON. */
std::string other_type(http_headers const& headers);

/** Makes `into` the error of a response's status, with what its header section and its body say. Problems are read
    only if the status is not 2xx. `lacking` says why the body, or the rest of it, is not there; empty if it is. */
void read_answer(error::data& into, response_info response, std::string_view body, std::string_view lacking = {});

/** All texts of a problem. */
std::array<std::string*, 10> texts_of(problem& told) noexcept;

/** A response without secrets in its header fields. Every response in an error is one, because texts quote parts of its
    fields, and a secret of which a part is missing is not found. */
response_info cleaned(response_info response, redactor const& secrets);

/** Prepares an error for its caller: removes the secrets from all texts but those of the response and of the attempts,
    which have none, and escapes in `detail` what `printable` escapes. */
void clean(error::data& about, redactor const& secrets);

/** Whether a text contains others as whole words: not "field 1" in "field 12", nor "10.0.0.1" in "10.0.0.1/24". Letters
    of different case differ. */
bool contains_words(std::string_view text, std::string_view words) noexcept;

/** Why a complete 2xx response with this status does not fit the request with these header fields: it has only a part
    of the content, or none (RFC 9110 sections 15.3.6 and 15.3.7, RFC 3229 section 10.4.1). Empty if it fits. */
std::string_view refuse_success(int status, http_headers const& request) noexcept;

/** What the status of a response says about the request, for an error about the response's body: "the server created
    the object, Location: /x". Empty if the status is not 2xx, and for GET. */
std::string outcome_of(method verb, response_info const& response);

/** Joins two parts of a detail by "; ". Either may be empty. */
std::string joined(std::string first, std::string_view second);

/** Bytes of a body that an error keeps. */
inline constexpr std::size_t kept_body = 8 * 1024;

/** The standard's name of a status: "Not Found"; empty where there is none. */
std::string_view reason_of(int status) noexcept;

} // namespace ccloud::core

#endif
