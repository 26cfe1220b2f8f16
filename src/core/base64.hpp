#ifndef CCLOUD_CORE_BASE64_HPP
#define CCLOUD_CORE_BASE64_HPP

#include <string>
#include <string_view>

namespace ccloud::core {

/** RFC 4648 section 4, with padding and without line breaks. */
std::string base64(std::string_view bytes);

} // namespace ccloud::core

#endif
