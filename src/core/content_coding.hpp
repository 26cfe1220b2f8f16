#ifndef CCLOUD_CORE_CONTENT_CODING_HPP
#define CCLOUD_CORE_CONTENT_CODING_HPP

#include <ccloud/http.hpp>

#include <string>

namespace ccloud::core {

/** The codings of a response's body as Content-Encoding names them (RFC 9110 section 8.4), a list over all its fields:
    "gzip" or "gzip, br". "identity" is none; empty where there is no coding. */
std::string content_coding(http_headers const& headers);

} // namespace ccloud::core

#endif
