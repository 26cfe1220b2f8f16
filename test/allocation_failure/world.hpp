#ifndef CCLOUD_TEST_WORLD_HPP
#define CCLOUD_TEST_WORLD_HPP

#include <ccloud/client.hpp>

#include "failing_heap.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <new>
#include <string>
#include <utility>

/** An operation that is awaited, and its result. */
struct act
{
    enum class end : unsigned char {
        none,
        value,
        error,
        threw, ///< the await threw an exception
        lost,  ///< its coroutine was destroyed
    };

    bool over() const noexcept { return how != end::none; }

    end how = end::none;
    std::string text;  ///< of the error or exception
    bool last = false; ///< after it, no allocation fails any more
    boost::asio::cancellation_signal signal;
};

/** Two execution contexts, and the operations that are awaited on them. Handlers run only within `step`. */
class world
{
public:
    using clock = std::chrono::steady_clock;

    /** Awaits the operation that `what` makes, on that executor, when its context runs next. */
    template <class Make>
    act& begin(boost::asio::any_io_executor const& on, Make what)
    {
        heap::pause const no_failures;
        auto& made = acts.emplace_back();
        boost::asio::co_spawn(
            on, perform(std::move(what), made),
            boost::asio::bind_cancellation_slot(made.signal.slot(), [](std::exception_ptr) {})
        );
        return made;
    }
    template <class Make>
    act& begin(Make what)
    {
        return begin(context.get_executor(), std::move(what));
    }

    /** Runs one ready handler of each context, or waits a little for one. */
    void step(std::chrono::microseconds patience = std::chrono::milliseconds(1))
    {
        if (run_one(other) + run_one(context) == 0)
            try
            {
                context.restart();
                context.run_one_for(patience);
            }
            catch (std::bad_alloc const&)
            {
                ++thrown;
            }
    }

    template <class Holds>
    bool until(Holds holds, std::chrono::milliseconds patience = std::chrono::seconds(5))
    {
        auto const last = clock::now() + patience;
        while (!holds())
        {
            if (clock::now() >= last)
                return false;
            step();
        }
        return true;
    }

    /** Runs ready handlers, up to a number, without waiting. */
    void poll(int most = 1'000)
    {
        while (most-- > 0 && run_one(other) + run_one(context) > 0)
        {
        }
    }

    bool all_over() const noexcept { return count(act::end::none) == 0; }

    std::size_t count(act::end how) const noexcept
    {
        std::size_t all = 0;
        for (auto const& each : acts)
            if (each.how == how)
                ++all;
        return all;
    }

    /** A description of the state, for people. */
    std::string outcomes() const
    {
        std::string text;
        for (auto const& each : acts)
        {
            constexpr char const* names[] = {"hangs", "value", "error", "threw", "LOST"};
            text += names[static_cast<int>(each.how)];
            text += each.text.empty() ? "; " : " (" + each.text + "); ";
        }
        return text + std::to_string(thrown) + " out of run()";
    }

    std::deque<act> acts;
    boost::asio::io_context other;
    boost::asio::io_context context;
    std::size_t thrown = 0; ///< how often a context threw std::bad_alloc

private:
    /** How many handlers ran. */
    std::size_t run_one(boost::asio::io_context& one)
    {
        try
        {
            one.restart();
            return one.poll_one();
        }
        catch (std::bad_alloc const&)
        {
            ++thrown;
            return 1;
        }
    }

    struct watch
    {
        act& on;
        ~watch()
        {
            if (!on.over())
                on.how = act::end::lost;
        }
    };

    template <class Make>
    static boost::asio::awaitable<void> perform(Make what, act& into)
    {
        watch const gone{into};
        {
            heap::pause const no_failures; // no await below is suspended
            co_await boost::asio::this_coro::throw_if_cancelled(false);
            co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::enable_total_cancellation());
        }
        auto how = act::end::none;
        std::string text;
        try
        {
            auto work = what();
            auto got = co_await std::move(work);
            heap::pause const no_failures;
            how = got.has_value() ? act::end::value : act::end::error;
            if (how == act::end::error)
                text = got.error().what();
        }
        catch (std::bad_alloc const&)
        {
            heap::pause const no_failures;
            how = act::end::threw;
            text = "std::bad_alloc";
        }
        bool const throws = co_await boost::asio::this_coro::throw_if_cancelled();
        if (into.last)
            (void)heap::disarm(); // the end of this coroutine is Asio's work, not the client's
        heap::pause const no_failures;
        if (throws)
            text += ", and throw_if_cancelled was changed";
        into.text = std::move(text);
        into.how = how;
    }
};

#endif
