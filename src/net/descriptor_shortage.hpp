#ifndef CCLOUD_NET_DESCRIPTOR_SHORTAGE_HPP
#define CCLOUD_NET_DESCRIPTOR_SHORTAGE_HPP

#include "core/shortage.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace ccloud::net {

/** The error of the system if this process cannot open a descriptor at the moment for lack of a local resource; empty
    otherwise. Some functions of other libraries report such a lack as another failure. */
inline std::error_code descriptor_shortage() noexcept
{
    int const made = ::eventfd(0, EFD_CLOEXEC);
    if (made >= 0)
    {
        ::close(made);
        return {};
    }
    std::error_code const failed(errno, std::system_category());
    return core::shortage_of(failed).empty() ? std::error_code() : failed; // a sandbox may refuse eventfd
}

} // namespace ccloud::net

#endif
