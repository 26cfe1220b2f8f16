#ifndef CCLOUD_NET_DESCRIPTOR_SHORTAGE_HPP
#define CCLOUD_NET_DESCRIPTOR_SHORTAGE_HPP

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace ccloud::net {

/** The error if this process cannot open a descriptor at the moment; empty if it can. For libraries that report such a
    failure as another one. */
inline std::error_code descriptor_shortage() noexcept
{
    int const made = ::eventfd(0, EFD_CLOEXEC);
    if (made < 0)
        return {errno, std::system_category()};
    ::close(made);
    return {};
}

} // namespace ccloud::net

#endif
