#ifndef CCLOUD_CORE_CONTENT_CODING_HPP
#define CCLOUD_CORE_CONTENT_CODING_HPP

#include <ccloud/http.hpp>

#include <string>

namespace ccloud::core {

/** The content codings of a response, as its Content-Encoding fields name them (RFC 9110 section 8.4), in one list:
    "gzip" or "gzip, br". "identity" is left out. Empty if there is no coding. */
std::string content_coding(http_headers const& headers);

} // namespace ccloud::core

#endif
