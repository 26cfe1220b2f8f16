#ifndef CCLOUD_PARK_HPP
#define CCLOUD_PARK_HPP

#include <ccloud/timer.hpp>
#include <ccloud/transport.hpp>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>

#include <vector>

namespace ccloud::detail {

/** How a wait ended. It ends once. */
enum class wake : unsigned char {
    granted,   ///< what was waited for is there
    expired,   ///< the time came
    cancelled, ///< the caller does not want it any more
    closed,    ///< the client was closed
};

class parking_lot;

/** One coroutine that waits: for a time, for another's word, or both. Lives in the frame of the coroutine. */
class parked : public timer_node
{
public:
    parked() noexcept
    {
        fire = [](timer_node& node) noexcept { static_cast<parked&>(node).finish(wake::expired); };
    }
    virtual ~parked();

    bool waiting() const noexcept { return static_cast<bool>(handler_); }

    /** Ends the wait; nothing where it is over. The coroutine resumes by a post, never from within. */
    void finish(wake how) noexcept;

    /** Called when the caller cancels, before or after the wait was granted but before the coroutine resumed. */
    virtual void cancel() noexcept { finish(wake::cancelled); }

private:
    friend class parking_lot;

    void unlink() noexcept;

    asio::any_completion_handler<void(wake)> handler_; ///< empty: nobody waits
    parking_lot* lot_ = nullptr;
    parked* previous_ = nullptr;
    parked* next_ = nullptr;
};

/** The coroutines that wait on one executor. When the execution context goes, they go with it, as they would from a
    timer of its own. Used on the executor only. */
class parking_lot
{
public:
    explicit parking_lot(asio::any_io_executor executor);
    parking_lot(parking_lot const&) = delete;
    parking_lot& operator=(parking_lot const&) = delete;
    ~parking_lot();

    /** Awaited, gives how the wait ended. Takes cancellation of any kind. */
    auto async_park(parked& node)
    {
        return asio::async_initiate<asio::deferred_t const, void(wake)>(initiate{this, &node}, asio::deferred);
    }

    /** Ends every wait. */
    void finish_all(wake how) noexcept;

    asio::any_io_executor const& executor() const noexcept { return executor_; }

private:
    friend class parked;
    class registry;
    using resumption = asio::any_completion_handler<void(wake)>;

    struct initiate
    {
        parking_lot* lot;
        parked* node;

        template <class Handler>
        void operator()(Handler&& handler) const
        {
            lot->link(*node);
            resumption(std::forward<Handler>(handler)).swap(node->handler_); // in Boost 1.81 it cannot be assigned
            if (auto slot = asio::get_associated_cancellation_slot(node->handler_); slot.is_connected())
                slot.assign(cancel_node{node});
        }
    };

    struct cancel_node
    {
        parked* node;
        void operator()(asio::cancellation_type kind) const noexcept
        {
            if (kind != asio::cancellation_type::none)
                node->cancel();
        }
    };

    void link(parked& node) noexcept;

    /** Takes the waiting coroutines out of the lot. Dropping one may destroy the lot's owner. */
    std::vector<resumption> detach();

    /** The execution context goes: drops the waits, and the executor, which must not outlive it. */
    void orphan() noexcept;

    asio::any_io_executor executor_;
    registry* registry_;
    parked* first_ = nullptr;
};

/** Keeps a node armed for as long as it lives. */
class armed_timer
{
public:
    armed_timer(transport& timers, timer_node& node, steady_time due) : timers_(timers), node_(node)
    {
        timers_.arm(node_, due);
    }
    armed_timer(armed_timer const&) = delete;
    armed_timer& operator=(armed_timer const&) = delete;
    ~armed_timer() { timers_.disarm(node_); }

private:
    transport& timers_;
    timer_node& node_;
};

} // namespace ccloud::detail

#endif
