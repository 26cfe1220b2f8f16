#include "core/shortage.hpp"

namespace ccloud::core {

std::string_view shortage_of(std::error_code const& failed) noexcept
{
    auto const condition = failed.default_error_condition();
    if (condition.category() != std::generic_category())
        return {};
    switch (static_cast<std::errc>(condition.value()))
    {
    case std::errc::too_many_files_open: return "file descriptors of this process";
    case std::errc::too_many_files_open_in_system: return "file descriptors of this machine";
    case std::errc::not_enough_memory: return "memory";
    case std::errc::no_buffer_space: return "network buffers";
    case std::errc::address_not_available: return "local ports";
    case std::errc::resource_unavailable_try_again: return "threads"; // pthread_create
    case std::errc::no_space_on_device: return "epoll watches";       // epoll_ctl
    default: return {};
    }
}

} // namespace ccloud::core
