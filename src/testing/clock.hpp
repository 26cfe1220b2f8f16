#ifndef CCLOUD_TESTING_CLOCK_HPP
#define CCLOUD_TESTING_CLOCK_HPP

#include <ccloud/testing/scripted_transport.hpp>
#include <ccloud/timer.hpp>

#include "core/timer_queue.hpp"

#include <vector>

namespace ccloud::testing {

/** The virtual time of a thread, shared by its scripted transports and moved by `run`. */
class virtual_clock
{
public:
    static virtual_clock& of_this_thread() noexcept;

    steady_time now() const noexcept { return now_; }

    /** The wall's clock goes along with the steady one, from a fixed date on. */
    wall_time wall_now() const noexcept;

    void arm(timer_node& node, steady_time due) { timers_.arm(node, due); }
    void disarm(timer_node& node) noexcept { timers_.disarm(node); }

    /** Jumps to the earliest timer and fires what is due; false where none is armed. */
    bool advance() noexcept;

    void add(scripted_transport& wire) { transports_.push_back(&wire); }
    void remove(scripted_transport& wire) noexcept { std::erase(transports_, &wire); }
    std::vector<scripted_transport*> const& transports() const noexcept { return transports_; }

private:
    steady_time now_{std::chrono::hours(1)};
    core::timer_queue timers_;
    std::vector<scripted_transport*> transports_;
};

} // namespace ccloud::testing

#endif
