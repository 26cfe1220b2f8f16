#ifndef CCLOUD_PARK_HPP
#define CCLOUD_PARK_HPP

#include <ccloud/timer.hpp>
#include <ccloud/transport.hpp>

#include "kept_handler.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>

#include <exception>
#include <memory>
#include <new>
#include <utility>

namespace ccloud::detail {

/** How a wait ended. It ends once. */
enum class wake : unsigned char {
    granted,   ///< what was waited for is there
    expired,   ///< the time came
    cancelled, ///< the caller does not want it any more
    closed,    ///< the client was closed
};

class parking_lot;

/** A node of a parking lot: a wait, and the coroutine that is suspended by it. */
class lot_node
{
public:
    lot_node(lot_node const&) = delete;
    lot_node& operator=(lot_node const&) = delete;

protected:
    lot_node() = default;
    virtual ~lot_node();

    /** Leaves the lot. */
    void leave_lot() noexcept;

    /** Posts a call of `resume`. Does nothing while the execution context is destroyed. */
    void resume_later() noexcept;

private:
    friend class parking_lot;
    struct list;

    /** Resumes the coroutine. Called after the node has left the lot. */
    virtual void resume() = 0;

    /** Destroys the coroutine, whose frame mostly holds this node. Called after the node has left the lot. */
    virtual void drop() noexcept = 0;

    list* in_ = nullptr;
    lot_node* previous_ = nullptr;
    lot_node* next_ = nullptr;
};

/** One coroutine that waits: for a time, for another's word, or both. Lives in the frame of the coroutine. */
class parked : public timer_node, public lot_node
{
public:
    parked() noexcept
    {
        fire = [](timer_node& node) noexcept { static_cast<parked&>(node).finish(wake::expired); };
    }

    bool waiting() const noexcept { return handler_ && !ended_; }

    /** How the wait has ended. */
    wake how() const noexcept { return how_; }

    /** Ends the wait; nothing where it is over. The coroutine resumes by a post, never from within. */
    void finish(wake how) noexcept;

    /** Called when the caller cancels, before or after the wait was granted but before the coroutine resumed. */
    virtual void cancel() noexcept { finish(wake::cancelled); }

private:
    friend class parking_lot;

    void resume() override;
    void drop() noexcept override { handler_.drop(); }

    kept_handler<std::exception_ptr> handler_; ///< empty: nobody waits
    bool ended_ = false;                       ///< the wait is over; the coroutine has not resumed yet
    wake how_ = wake::granted;
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

    /** Waits until the wait of `node` ends. Accepts cancellation of any kind. Throws `std::bad_alloc` if there is no
        memory to begin the wait; resuming needs no memory. */
    auto async_park(parked& node)
    {
        return asio::async_initiate<asio::deferred_t const, void(std::exception_ptr)>(
            initiate{this, &node}, asio::deferred
        );
    }

    /** Keeps a node that waits for something else, so that its coroutine is destroyed with the execution context. */
    void hold(lot_node& node) noexcept;

    /** Ends every wait of a `parked`. */
    void finish_all(wake how) noexcept;

    /** Empty once the execution context is gone. */
    asio::any_io_executor const& executor() const noexcept;

private:
    friend class lot_node;
    class registry;
    struct state;

    struct initiate
    {
        parking_lot* lot;
        parked* node;

        template <class Handler>
        void operator()(Handler&& handler) const
        {
            std::exception_ptr failed;
            try
            {
                if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected())
                    slot.assign(cancel_node{node});
            }
            catch (std::bad_alloc const&)
            {
                failed = std::current_exception();
            }
            if (failed)
                return std::forward<Handler>(handler)(failed);
            node->handler_.keep(std::forward<Handler>(handler));
            lot->wait(*node);
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

    void wait(parked& node) noexcept;

    std::shared_ptr<state> state_;
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
