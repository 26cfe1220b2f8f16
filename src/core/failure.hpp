#ifndef CCLOUD_CORE_FAILURE_HPP
#define CCLOUD_CORE_FAILURE_HPP

#include <ccloud/error.hpp>

#include <string_view>
#include <vector>

namespace ccloud::core {

/** What the server complains of, read from the body of an answer in any of the shapes its services use:

    - `{"errors":[{"id","status","code","title","detail"|"message","source":{"pointer","parameter"},"resolution"}]}`
    - `{"error_code","message"}`, `{"message"}`
    - `{"error":{"code","message","status","suggestion"},"requestId"}`, `{"error":"code","error_description"}`

    Numbers are taken where texts are documented. Empty where the body is empty, or is something else. */
std::vector<problem> read_problems(std::string_view body);

/** What can be said of a body that has no complaint in it: that it is empty, HTML, gzip, not JSON. */
std::string describe_body(http_headers const& headers, std::string_view body);

/** Fills in all that an answer with a status other than 2xx tells. Never fails. */
void read_answer(error::data& into, response_info response, std::string_view body);

/** Bytes of a body that an error keeps. */
inline constexpr std::size_t kept_body = 8 * 1024;

/** The standard's name of a status: "Not Found"; empty where there is none. */
std::string_view reason_of(int status) noexcept;

} // namespace ccloud::core

#endif
