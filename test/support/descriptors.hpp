#ifndef CCLOUD_TEST_SUPPORT_DESCRIPTORS_HPP
#define CCLOUD_TEST_SUPPORT_DESCRIPTORS_HPP

#include <cstddef>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace support {

/** Open descriptors of this process whose target begins so, "socket:" for example; all where nothing is said. */
inline std::size_t open_descriptors(std::string_view kind = {})
{
    std::size_t count = 0;
    for (auto const& each : std::filesystem::directory_iterator("/proc/self/fd"))
    {
        std::error_code gone; // the descriptor of this very listing
        auto const target = std::filesystem::read_symlink(each.path(), gone).string();
        count += !gone && target.compare(0, kind.size(), kind) == 0 ? 1U : 0U;
    }
    return count;
}

} // namespace support

#endif
