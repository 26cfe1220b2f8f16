#ifndef CCLOUD_CORE_REQUEST_HPP
#define CCLOUD_CORE_REQUEST_HPP

#include <ccloud/credentials.hpp>
#include <ccloud/http.hpp>

#include <string>
#include <string_view>

namespace ccloud::core {

/** The header lines that all requests of one credential share: Host, Authorization, User-Agent, Accept and, with
    `compression`, Accept-Encoding. Made once. Without `authorization` each try sets its own. */
http_headers make_head(
    origin const& to, std::string_view authorization, std::string_view application, bool compression
);

/** The product this library names itself by in User-Agent. */
std::string user_agent(std::string_view application);

/** Puts the shared head and `extra` before the request's own fields. */
void assemble(http_request& request, http_headers const& head, http_headers const* extra);

/** The request as bytes, in `to`: request line, fields, Content-Length where there is or may be a body, body. */
void serialize(http_request const& request, std::string& to);

/** Why a caller must not set this field; empty where it may. */
std::string_view refuse_field(std::string_view name) noexcept;

/** Whether the field is Idempotency-Key, which tells the repetitions of one request from others. */
bool is_idempotency_key(std::string_view name) noexcept;

/** Whether a credential may stand in a header field as it is. */
bool is_header_safe(std::string_view text) noexcept;

} // namespace ccloud::core

#endif
