#ifndef CCLOUD_CORE_TIMER_QUEUE_HPP
#define CCLOUD_CORE_TIMER_QUEUE_HPP

#include <ccloud/timer.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ccloud::core {

/** Timer nodes by due time: a heap that knows each node's place, so that moving and disarming one costs as little as
    arming it. It compares what it holds itself, for the nodes of many waiting calls are not in any cache. Pure: whoever
    owns it supplies the clock. */
class timer_queue
{
public:
    /** Adds `node`, or moves it where it is armed already; either way behind those that are due at the same time. */
    void arm(timer_node& node, steady_time due);
    void disarm(timer_node& node) noexcept;

    bool empty() const noexcept { return heap_.empty(); }

    /** When the earliest node is due. Precondition: not empty. */
    steady_time earliest() const noexcept { return heap_.front().due; }

    /** Fires every node that is due by `now`, in order of time, and those of one time in the order in which they were
        armed; those that are armed meanwhile too. */
    void fire_due(steady_time now) noexcept;

private:
    struct entry
    {
        steady_time due{};
        std::uint64_t order = 0; ///< when it was armed, as a number
        timer_node* node = nullptr;

        bool fires_before(entry const& other) const noexcept;
    };

    void settle(std::size_t at, entry const& one) noexcept;
    void place(entry const& one, std::size_t at) noexcept;

    std::vector<entry> heap_;
    std::uint64_t armings_ = 0;
};

} // namespace ccloud::core

#endif
