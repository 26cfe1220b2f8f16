#ifndef CCLOUD_NET_SPARE_BODIES_HPP
#define CCLOUD_NET_SPARE_BODIES_HPP

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace ccloud::net {

/** Memory of long bodies that are done with, for the next ones: to allocate it anew for each costs more than to read it,
    for malloc gives it back to the system. */
class spare_bodies
{
public:
    spare_bodies() { spares_.reserve(most); }

    /** An empty string; with memory, where one for `size` bytes would have to be allocated and there is one. */
    std::string take(std::size_t size)
    {
        if (size < shortest || spares_.empty())
            return {};
        auto spare = std::move(spares_.back());
        spares_.pop_back();
        return spare;
    }

    /** Keeps the memory of `body`, unless there is `enough`. */
    void give(std::string&& body, std::size_t enough) noexcept
    {
        bool const fits = body.capacity() >= shortest && body.capacity() <= longest;
        if (!fits || spares_.size() >= (std::min)(enough, most))
            return;
        body.clear();
        spares_.push_back(std::move(body));
    }

    /** Lets go of all but so many. */
    void trim(std::size_t to) noexcept
    {
        while (spares_.size() > to)
            spares_.pop_back();
    }

private:
    static constexpr std::size_t most = 16;
    static constexpr std::size_t shortest = 16 * 1024;
    static constexpr std::size_t longest = 256 * 1024;

    std::vector<std::string> spares_;
};

} // namespace ccloud::net

#endif
