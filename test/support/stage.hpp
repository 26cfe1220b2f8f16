#ifndef CCLOUD_TEST_SUPPORT_STAGE_HPP
#define CCLOUD_TEST_SUPPORT_STAGE_HPP

#include <ccloud/client.hpp>
#include <ccloud/testing/run.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "client.hpp"
#include "testing/clock.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

#include <chrono>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace support {

/** An answer, and how long it takes. */
class said
{
public:
    explicit said(int code = 200, std::string content = {}) : status(code), body(std::move(content)) {}

    said&& with(std::string_view name, std::string_view value) &&
    {
        headers.add(name, value);
        return std::move(*this);
    }
    said&& after(std::chrono::nanoseconds time) &&
    {
        delay = time;
        return std::move(*this);
    }

    int status;
    std::string body;
    ccloud::http_headers headers;
    std::chrono::nanoseconds delay{};
};

/** A transport whose answers, and the time they take, a function gives. */
class talking_wire : public ccloud::testing::scripted_transport
{
public:
    using talk = std::function<said(ccloud::http_request const&)>;

    explicit talking_wire(talk answer) : answer_(std::move(answer))
    {
        reply_with([this](ccloud::http_request const&) {
            return ccloud::http_response(next_.status, std::move(next_.headers), std::move(next_.body));
        });
    }

    boost::asio::awaitable<ccloud::exchange> send(
        ccloud::http_request const& request, ccloud::origin const& to, ccloud::send_options options
    ) override
    {
        next_ = answer_(request);
        latency(next_.delay); // it is awaited at once
        return scripted_transport::send(request, to, options);
    }

private:
    talk answer_;
    said next_;
};

/** A call that runs by itself. */
struct played_call
{
    bool ended() const noexcept { return outcome.has_value() || thrown; }
    bool ok() const { return outcome && outcome->has_value(); }
    ccloud::error const& failure() const { return outcome.value().error(); }
    void cancel(boost::asio::cancellation_type kind = boost::asio::cancellation_type::terminal) { signal.emit(kind); }

    std::optional<ccloud::result<ccloud::http_response>> outcome;
    std::exception_ptr thrown;
    bool started = false;
    ccloud::steady_time ended_at{};
    boost::asio::cancellation_signal signal;
};

/** What lets a call be cancelled. */
enum class hears {
    terminal, ///< as Asio has it by default
    anything,
};

inline boost::asio::awaitable<void> play(
    ccloud::operation<ccloud::http_response> work, played_call& into, hears what, ccloud::testing::virtual_clock& clock
)
{
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    if (what == hears::anything)
        co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::enable_total_cancellation());
    into.started = true;
    auto got = co_await std::move(work);
    into.ended_at = clock.now();
    into.outcome.emplace(std::move(got));
}

/** A client whose handlers run, and whose time passes, when the test says so. */
class stage
{
public:
    explicit stage(std::shared_ptr<ccloud::testing::scripted_transport> wire, ccloud::config settings = test_config())
        : began_(clock_.now()), context_(std::make_unique<boost::asio::io_context>())
    {
        cloud_.emplace(context_->get_executor(), std::move(settings), std::move(wire));
    }

    stage(stage const&) = delete;
    stage& operator=(stage const&) = delete;

    /** Ends what is under way, in proper order. */
    ~stage()
    {
        cloud_.reset();
        if (context_)
            poll();
    }

    ccloud::client& cloud() { return *cloud_; }
    boost::asio::io_context& context() { return *context_; }

    /** Begins a call: it does what it can without waiting when the context runs next. */
    played_call& add(ccloud::http_request request, ccloud::call_options options = {}, hears what = hears::terminal)
    {
        auto& made = calls_.emplace_back();
        auto work = play(cloud_->execute(std::move(request), options), made, what, clock_);
        boost::asio::co_spawn(
            *context_, std::move(work),
            boost::asio::bind_cancellation_slot(
                made.signal.slot(), [&made](std::exception_ptr failed) { made.thrown = failed; }
            )
        );
        return made;
    }

    /** Begins a call, and runs what can run without time passing. */
    played_call& call(ccloud::http_request request, ccloud::call_options options = {}, hears what = hears::terminal)
    {
        auto& made = add(std::move(request), options, what);
        poll();
        return made;
    }

    /** Begins a call and runs all to its end. */
    ccloud::result<ccloud::http_response> ask(ccloud::http_request request, ccloud::call_options options = {})
    {
        auto& made = add(std::move(request), options);
        run_to(made);
        return *made.outcome;
    }

    std::deque<played_call>& calls() { return calls_; }

    /** Runs what can run without time passing. */
    std::size_t poll()
    {
        context_->restart();
        return context_->poll();
    }

    /** Runs one handler; where there is none, lets time pass to the next timer. False where there is none either. */
    bool step()
    {
        context_->restart();
        return context_->poll_one() > 0 || clock_.advance();
    }

    void run_to(played_call const& one)
    {
        while (!one.ended())
            if (!step())
                throw ccloud::testing::script_error("the call waits for something that cannot happen");
    }

    /** Until every call has ended. */
    void run()
    {
        for (auto const& one : calls_)
            run_to(one);
        poll();
    }

    /** Lets so much time pass. */
    void pass(std::chrono::nanoseconds time)
    {
        struct alarm : ccloud::timer_node
        {
            alarm()
            {
                fire = [](ccloud::timer_node& node) noexcept { static_cast<alarm&>(node).rung = true; };
            }
            bool rung = false;
        } there;
        clock_.arm(there, clock_.now() + time);
        while (!there.rung)
            step();
        poll();
    }

    std::chrono::nanoseconds elapsed() const { return clock_.now() - began_; }
    std::chrono::nanoseconds since_start(ccloud::steady_time when) const { return when - began_; }

    void drop_client() { cloud_.reset(); }

    /** The last handle goes, and the execution context before anything of that was noticed. */
    void drop_context()
    {
        cloud_.reset();
        context_.reset();
    }

private:
    ccloud::testing::virtual_clock& clock_ = ccloud::testing::virtual_clock::of_this_thread();
    ccloud::steady_time began_;
    std::deque<played_call> calls_; // outlive the coroutines that write to them
    std::unique_ptr<boost::asio::io_context> context_;
    std::optional<ccloud::client> cloud_;
};

inline ccloud::http_request get(std::string target)
{
    return ccloud::http_request(ccloud::method::get, std::move(target));
}

inline ccloud::http_request post(std::string target, std::string body = "{}")
{
    ccloud::http_request request(ccloud::method::post, std::move(target));
    request.body(std::move(body));
    return request;
}

} // namespace support

#endif
