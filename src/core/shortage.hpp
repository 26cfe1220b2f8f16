#ifndef CCLOUD_CORE_SHORTAGE_HPP
#define CCLOUD_CORE_SHORTAGE_HPP

#include <string_view>
#include <system_error>

namespace ccloud::core {

/** The resource that this process or machine lacks, if that is what the system error means, such as "memory"; else
    empty. Such a failure says nothing about a name, an address or a peer. It is transient, and must not be cached for
    one of them. */
std::string_view shortage_of(std::error_code const& failed) noexcept;

} // namespace ccloud::core

#endif
