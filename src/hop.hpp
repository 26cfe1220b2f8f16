#ifndef CCLOUD_HOP_HPP
#define CCLOUD_HOP_HPP

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <memory>
#include <utility>

namespace ccloud::detail {

namespace asio = boost::asio;

/** What the two sides of a hop share. The signal is touched on the far side only. */
struct hop_state
{
    asio::any_io_executor far; ///< of the work
    asio::cancellation_signal signal;
    bool done = false;
};

/** Starts `work` on another executor; its result is posted back to the one that awaits, cancellation the other way.

    (A `co_spawn` must not be cancelled from another executor in Boost 1.81: its handler holds a raw pointer to the
    signal across a dispatch. Here the signal is emitted on the executor of the work.) */
template <class T>
auto async_hop(asio::any_io_executor there, asio::awaitable<T> work)
{
    auto start = [](auto handler, asio::any_io_executor target, asio::awaitable<T> job) {
        auto const state = std::make_shared<hop_state>();
        state->far = target;
        auto const back = asio::get_associated_executor(handler);
        if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected())
            // The signal may outlive the execution context, and then must hold nothing of it.
            slot.assign([waiting = std::weak_ptr(state)](asio::cancellation_type kind) {
                auto const hop = waiting.lock();
                if (!hop)
                    return;
                asio::post(hop->far, [hop, kind] {
                    if (!hop->done)
                        hop->signal.emit(kind);
                });
            });
        asio::co_spawn(
            target, std::move(job),
            asio::bind_cancellation_slot(
                state->signal.slot(),
                [state, back, handler = std::move(handler)](std::exception_ptr thrown, T value) mutable {
                    state->done = true;
                    asio::post(back, [handler = std::move(handler), thrown, value = std::move(value)]() mutable {
                        std::move(handler)(thrown, std::move(value));
                    });
                }
            )
        );
    };
    return asio::async_initiate<asio::use_awaitable_t<> const, void(std::exception_ptr, T)>(
        std::move(start), asio::use_awaitable, std::move(there), std::move(work)
    );
}

} // namespace ccloud::detail

#endif
