#ifndef CCLOUD_CORE_FAILURE_HPP
#define CCLOUD_CORE_FAILURE_HPP

#include <ccloud/error.hpp>

#include <string_view>
#include <vector>

namespace ccloud::core {

/** Problems that an error keeps. Further ones are counted. */
inline constexpr std::size_t most_problems = 32;

/** Bytes that a text of a problem keeps. A longer one is cut, and ends in "...". */
inline constexpr std::size_t longest_problem_text = 4 * 1024;

/** Bytes of a body that are searched for problems. */
inline constexpr std::size_t most_searched = 1024 * 1024;

/** The problems of an error body. */
struct problem_list
{
    std::vector<problem> kept; ///< up to `most_problems`
    std::size_t omitted = 0;   ///< that followed
};

/** What the server complains of, read from the body of an answer in any of the shapes its services use:

    - `{"errors":[{"id","status","code","title","detail"|"message","source":{"pointer","parameter"},"resolution"}]}`
    - `{"error_code","message"}`, `{"message"}`
    - `{"error":{"code","message","status","suggestion"},"requestId"}`, `{"error":"code","error_description"}`

    Numbers are taken where texts are documented. The first `most_searched` bytes are read, and a body that breaks off as far
    as it goes. Empty where the body is empty, or is something else. */
problem_list read_problems(std::string_view body);

/** What can be said of a body that has no complaint in it: that it is empty, HTML, gzip, not JSON. */
std::string describe_body(http_headers const& headers, std::string_view body);

/** Fills in all that the head and the body of a response tell, as the error of its status. Never fails. The problems
    are read where the status is not 2xx. */
void read_answer(error::data& into, response_info response, std::string_view body);

/** Why a response with this status, whole and 2xx, does not answer the request with these fields: it has only a part of
    the content, or none (RFC 9110 sections 15.3.6 and 15.3.7, RFC 3229 section 10.4.1). Empty where it does. */
std::string_view refuse_success(int status, http_headers const& request) noexcept;

/** What the head of a response tells of the request, for an error that is about the rest of the response: "the server
    created the object, Location: /x". Empty where the status is not 2xx, and for GET. */
std::string outcome_of(method verb, response_info const& response);

/** Two parts of a detail, either of which may be empty. */
std::string joined(std::string first, std::string_view second);

/** Bytes of a body that an error keeps. */
inline constexpr std::size_t kept_body = 8 * 1024;

/** The standard's name of a status: "Not Found"; empty where there is none. */
std::string_view reason_of(int status) noexcept;

} // namespace ccloud::core

#endif
