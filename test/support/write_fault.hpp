#ifndef CCLOUD_TEST_SUPPORT_WRITE_FAULT_HPP
#define CCLOUD_TEST_SUPPORT_WRITE_FAULT_HPP

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <utility>

namespace support {

/** A failure of the writes of this thread to sockets, in test programs that wrap the system calls. */
struct write_fault
{
    std::size_t left = 0; ///< bytes that are still written
    int why = 0;          ///< errno of the write after them
};
inline thread_local std::optional<write_fault> next_write_fault;

/** The epoll sets in which this thread watches its descriptors, by descriptor. */
struct epoll_watch
{
    int set = -1;
    epoll_event events{};
};
inline thread_local std::array<epoll_watch, 1024> epoll_watches;

/** For a wrapper of epoll_ctl. */
inline void note_epoll_ctl(int set, int what, int fd, epoll_event const* events) noexcept
{
    if (fd >= 0 && static_cast<std::size_t>(fd) < epoll_watches.size())
        epoll_watches[static_cast<std::size_t>(fd)] = what == EPOLL_CTL_DEL ? epoll_watch() : epoll_watch{set, *events};
}

/** For a wrapper of a system call that writes `size` bytes to `fd`, by `write`, which takes how many of them to write.
    `epoll_control` is the real epoll_ctl. */
template <class Write, class Control>
auto write_or_fail(int fd, std::size_t size, Write write, Control epoll_control) -> decltype(write(size))
{
    auto& fault = next_write_fault;
    if (!fault || size == 0)
        return write(size);
    if (fault->left == 0)
    {
        errno = std::exchange(fault, std::nullopt)->why;
        return -1;
    }
    auto const written = write(std::min(size, fault->left));
    if (written > 0)
        fault->left -= static_cast<std::size_t>(written);
    // After a write of a part, Asio waits until the socket becomes writable. It is already, so epoll has to say so again.
    if (auto& watch = epoll_watches.at(static_cast<std::size_t>(fd)); watch.set >= 0)
        epoll_control(watch.set, EPOLL_CTL_MOD, fd, &watch.events);
    return written;
}

} // namespace support

#endif
