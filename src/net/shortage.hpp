#ifndef CCLOUD_NET_SHORTAGE_HPP
#define CCLOUD_NET_SHORTAGE_HPP

#include <string_view>
#include <system_error>

namespace ccloud::net {

/** The resource that this process or machine lacks, where an error of the system says so: "file descriptors". Empty where
    it says something else. Such a failure says nothing about a name, an address or a peer: it is transient, and is
    remembered of none of them. */
std::string_view shortage_of(std::error_code const& failed) noexcept;

} // namespace ccloud::net

#endif
