#ifndef CCLOUD_TEST_SUPPORT_CALLER_HPP
#define CCLOUD_TEST_SUPPORT_CALLER_HPP

#include <ccloud/client.hpp>

#include "net/factory.hpp"

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
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

/** Each target is a scope of its own, so that many calls wait in the pool's line rather than in the gate's. */
inline ccloud::rate_scope scope_for_each_target()
{
    return ccloud::rate_scope::keyed([](ccloud::method, std::string_view target) { return std::string(target); });
}

/** Keeps what it hears of connections. */
struct connection_witness final : ccloud::observer
{
    void connection_used(ccloud::observed_call const&, int, ccloud::connection_use const& use) noexcept override
    {
        seen.push_back(use.connection);
    }

    std::vector<std::shared_ptr<ccloud::connection_info const>> seen;
};

/** A call under way, or over. */
struct begun_call
{
    using outcome = ccloud::result<ccloud::http_response>;

    bool over() const noexcept { return ends > 0; }
    bool good() const { return how && how->has_value(); }
    ccloud::error const& error() const { return how->error(); }

    boost::asio::cancellation_signal signal;
    int ends = 0; ///< how often it has ended
    std::optional<outcome> how;
};

/** A client over the real network, which moves only while the test waits for something, and its calls. */
class caller
{
public:
    /** A network of its own, whose parts the test can see. Null `lookup`: the system's. */
    explicit caller(ccloud::config const& settings, ccloud::net::name_lookup lookup = ccloud::net::system_lookup)
        : network(ccloud::net::share_network(settings)),
          wire(ccloud::net::make_transport(context.get_executor(), settings, network, std::move(lookup))),
          cloud(std::in_place, context.get_executor(), settings, wire)
    {
    }

    /** Closes the client, and runs until nothing is left to do. */
    ~caller()
    {
        cloud.reset();
        wire.reset();
        (void)runs_out();
    }
    caller(caller const&) = delete;
    caller& operator=(caller const&) = delete;

    ccloud::connection_metrics connections() const noexcept { return cloud->metrics().connections; }

    /** Begins a GET that any kind of cancellation reaches. `then` is called when it has ended. */
    begun_call& begin(
        std::string target = "/org/v2/environments", ccloud::call_options options = {}, std::function<void()> then = {}
    )
    {
        return begin({ccloud::method::get, std::move(target)}, options, std::move(then));
    }

    /** Begins any request in the same way. */
    begun_call& begin(ccloud::http_request request, ccloud::call_options options = {}, std::function<void()> then = {})
    {
        auto& call = calls.emplace_back();
        boost::asio::co_spawn(
            context, open_to_cancellation(cloud->execute(std::move(request), options)),
            boost::asio::bind_cancellation_slot(
                call.signal.slot(),
                [this, &call, then = std::move(then)](std::exception_ptr thrown, begun_call::outcome got) {
                    if (thrown)
                        std::rethrow_exception(thrown);
                    over_ += call.ends++ == 0 ? 1U : 0U;
                    call.how = std::move(got);
                    if (then)
                        then();
                }
            )
        );
        return call;
    }

    /** Begins so many. */
    void begin_all(std::size_t count)
    {
        for (std::size_t i = 0; i < count; ++i)
            begin();
    }

    /** Makes a call, to its end; gives why it failed, empty where it did not. */
    std::string get(std::string target = "/org/v2/environments", ccloud::call_options options = {})
    {
        auto& call = begin(std::move(target), options);
        if (!until([&call] { return call.over(); }))
            return "it has not ended";
        return call.good() ? std::string() : call.error().what();
    }

    /** Calls that have ended. */
    std::size_t over() const noexcept { return over_; }
    bool all_over() const noexcept { return over_ == calls.size(); }

    /** Forgets the calls. All must be over. */
    void forget()
    {
        calls.clear();
        over_ = 0;
    }

    /** Runs the client until `holds` is true; false where patience runs out. */
    bool until(std::function<bool()> const& holds)
    {
        auto const last = std::chrono::steady_clock::now() + longest;
        while (!holds())
        {
            if (std::chrono::steady_clock::now() >= last)
                return false;
            context.restart();
            context.run_one_for(std::chrono::milliseconds(5)); // `holds` may be about others
        }
        return true;
    }

    /** Does what can be done without waiting for anything. */
    void poll()
    {
        context.restart();
        context.poll();
    }

    /** Runs the client until it has nothing left to do; false where patience runs out. */
    bool runs_out()
    {
        context.restart();
        context.run_for(longest);
        return context.stopped();
    }

    boost::asio::io_context context;
    std::shared_ptr<ccloud::net::shared_network> network;
    std::shared_ptr<ccloud::transport> wire;
    std::optional<ccloud::client> cloud;
    std::deque<begun_call> calls;

private:
    std::size_t over_ = 0;
    static constexpr std::chrono::seconds longest{20}; ///< only a test that fails waits that long

    static ccloud::operation<ccloud::http_response> open_to_cancellation(ccloud::operation<ccloud::http_response> call)
    {
        co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::enable_total_cancellation());
        co_await boost::asio::this_coro::throw_if_cancelled(false);
        auto got = co_await std::move(call);
        co_return got;
    }
};

} // namespace support

#endif
