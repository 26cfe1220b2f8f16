#ifndef CCLOUD_NET_GZIP_HPP
#define CCLOUD_NET_GZIP_HPP

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ccloud::net {

/** Whether a body begins like gzip. Some services compress without saying so. */
bool looks_like_gzip(std::string_view body) noexcept;

/** The content of one gzip member (RFC 1952), its CRC and length checked; nothing where it is damaged, followed by
    something else, or larger than `most`; `too_large` tells that case. */
std::optional<std::string> gunzip(std::string_view body, std::size_t most, bool* too_large = nullptr);

} // namespace ccloud::net

#endif
