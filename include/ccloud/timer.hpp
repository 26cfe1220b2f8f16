#ifndef CCLOUD_TIMER_HPP
#define CCLOUD_TIMER_HPP

#include <chrono>
#include <cstddef>

namespace ccloud {

/** Deadlines and waits are measured on this clock, never on the wall's. */
using steady_time = std::chrono::steady_clock::time_point;

/** Dates of HTTP are compared with this one. */
using wall_time = std::chrono::system_clock::time_point;

/** A wish to be called at a time. The owner keeps it alive while armed, and disarms it before it goes.
    `fire` is called once, on the client's executor; the node is disarmed by then. Of nodes that are due at the same
    time, the one that was armed first is called first; to move a node is to arm it anew. */
struct timer_node
{
    void (*fire)(timer_node&) noexcept = nullptr;
    steady_time due{};
    std::size_t position = unarmed; ///< where the timer queue keeps it

    static constexpr std::size_t unarmed = static_cast<std::size_t>(-1);
    bool armed() const noexcept { return position != unarmed; }

    timer_node() = default;
    timer_node(timer_node const&) = delete;
    timer_node& operator=(timer_node const&) = delete;

protected:
    ~timer_node() = default;
};

} // namespace ccloud

#endif
