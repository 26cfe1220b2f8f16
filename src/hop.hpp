#ifndef CCLOUD_HOP_HPP
#define CCLOUD_HOP_HPP

#include "kept_handler.hpp"
#include "sure_post.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/this_coro.hpp>

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

namespace ccloud::detail {

namespace asio = boost::asio;

/** Work to be awaited on another executor. It goes there, and comes back when it is done. While it is there, only that
    side keeps it alive, because the work must not outlive the execution context that it runs on. */
template <class T>
struct far_work
{
    far_work() = default;
    virtual ~far_work() = default;
    far_work(far_work const&) = delete;
    far_work& operator=(far_work const&) = delete;

    /** The executor that it runs on. Valid as long as this object. */
    virtual asio::any_io_executor const& executor() const noexcept = 0;

    /** What is done there. */
    virtual asio::awaitable<T> start() = 0;

    /** Called on the side that waited, once it is over. */
    virtual void come_home() noexcept {}

    std::optional<T> outcome;
    std::exception_ptr thrown;

    asio::cancellation_type cancelled = asio::cancellation_type::none;               ///< before it began
    std::atomic<asio::cancellation_type> cancelling = asio::cancellation_type::none; ///< on its way to the far side

    kept_handler<std::shared_ptr<far_work>> waiting; ///< resumes the caller

    spare_memory<4, 96> spare; ///< for the post back to the caller, and for one of a cancellation

    // Touched on the far side only.
    asio::cancellation_signal signal;
    bool begun = false;
    bool done = false;
};

/** Has work done on its executor, and gives it back by a post to the executor of the one that waits. Cancellation is
    posted the other way.

    (A `co_spawn` must not be cancelled from another executor in Boost 1.81: its handler holds a raw pointer to the
    signal across a dispatch. Here the signal is emitted on the executor of the work.) */
template <class T>
auto async_hop(std::shared_ptr<far_work<T>> work)
{
    auto start = [](auto handler, std::shared_ptr<far_work<T>> job) {
        auto far = [](std::shared_ptr<far_work<T>> own, asio::any_io_executor back) -> asio::awaitable<void> {
            own->begun = true;
            try
            {
                // Waits in line and between tries may be ended by any kind of cancellation.
                co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
                co_await asio::this_coro::throw_if_cancelled(false);
                if (own->cancelled != asio::cancellation_type::none)
                    own->signal.emit(own->cancelled);
                own->outcome = co_await own->start();
            }
            catch (...)
            {
                own->thrown = std::current_exception();
            }
            own->done = true;
            auto& spare = own->spare;
            post_surely(back, std::move(own), spare, [](std::shared_ptr<far_work<T>> over) {
                auto& waiting = over->waiting;
                waiting(std::move(over)); // may destroy the work
            });
        };
        try
        {
            if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected())
                // The signal may outlive the execution context, and then must hold nothing of it.
                slot.assign([waiting = std::weak_ptr(job)](asio::cancellation_type kind) {
                    auto const alive = waiting.lock();
                    if (!alive)
                        return;
                    auto& cancelling = alive->cancelling;
                    auto pending = cancelling.load();
                    while (!cancelling.compare_exchange_weak(pending, pending | kind))
                        ;
                    if (pending != asio::cancellation_type::none)
                        return; // what is posted takes the kind along, so that one block of memory is enough
                    bool const posted = post_surely(
                        alive->executor(), alive, alive->spare,
                        [](std::shared_ptr<far_work<T>> const& own) {
                            auto const kinds = own->cancelling.exchange(asio::cancellation_type::none);
                            // In Boost 1.83 and 1.84, a coroutine that is cancelled before it begins throws from run().
                            if (!own->begun)
                                own->cancelled |= kinds;
                            else if (!own->done)
                                own->signal.emit(kinds);
                        }
                    );
                    if (!posted)
                        cancelling = asio::cancellation_type::none;
                });
            asio::any_io_executor back = asio::get_associated_executor(handler);
            auto last = [job](std::exception_ptr thrown) { // keeps the signal until then
                if (thrown)
                    std::rethrow_exception(thrown);
            };
            auto bound = asio::bind_cancellation_slot(job->signal.slot(), std::move(last));
            job->waiting.keep(std::move(handler));
            asio::co_spawn(job->executor(), far(job, std::move(back)), std::move(bound));
            return;
        }
        catch (...)
        {
            job->thrown = std::current_exception();
        }
        if (job->waiting)
            job->waiting(job);
        else
            std::move(handler)(job);
    };
    return asio::async_initiate<asio::deferred_t const, void(std::shared_ptr<far_work<T>>)>(
        std::move(start), asio::deferred, std::move(work)
    );
}

/** The same, awaited with the caller's cancellation saved and restored. */
template <class T>
asio::awaitable<T> hop(std::shared_ptr<far_work<T>> work)
{
    auto const throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    auto const state = co_await asio::this_coro::cancellation_state;
    work->cancelled = state.cancelled();
    auto crossing = async_hop(std::move(work));
    work = co_await std::move(crossing);
    co_await asio::this_coro::throw_if_cancelled(throws);
    work->come_home();
    if (work->thrown)
        std::rethrow_exception(work->thrown);
    co_return *std::move(work->outcome);
}

} // namespace ccloud::detail

#endif
