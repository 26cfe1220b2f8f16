// What memory does a call take that waits? A hundred thousand calls stand in line at the gate, behind a few that the
// transport never answers; beside them, as many coroutines that wait for nothing in particular. Bytes of heap that
// malloc has given out; connections and answers are left out.
#include <ccloud/ccloud.hpp>

#include "core/timer_queue.hpp"
#include "measure.hpp"
#include "park.hpp"
#include "questions.hpp"

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <malloc.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

namespace bench {

namespace {

namespace asio = boost::asio;
namespace detail = ccloud::detail;

constexpr std::size_t first_calls = 100; ///< which find the gate open, and grow what is kept for all
constexpr std::size_t calls = 100'000;

double heap_in_use()
{
    auto const now = ::mallinfo2();
    return static_cast<double>(now.uordblks + now.hblkhd);
}

/** What the heap grows by, a time, when `start` is called so many times and everything then waits. */
double grown_by(asio::io_context& context, std::function<void()> const& start)
{
    auto const repeat = [&](std::size_t times) {
        for (std::size_t i = 0; i < times; ++i)
            start();
        context.restart();
        context.poll();
    };
    repeat(first_calls);
    auto const before = heap_in_use();
    repeat(calls);
    auto const grown = heap_in_use() - before;
    if (grown <= 0)
        throw std::runtime_error("memory: this malloc does not tell what it has given out");
    return grown / static_cast<double>(calls);
}

/** Never answers, and its timers never fire. */
class silent_transport final : public ccloud::transport
{
public:
    explicit silent_transport(asio::any_io_executor executor) : lot_(std::move(executor)) {}

    asio::awaitable<ccloud::exchange> send(ccloud::http_request const&, ccloud::origin const&, ccloud::send_options)
        override
    {
        detail::parked node;
        co_await lot_.async_park(node);
        co_return ccloud::exchange::failed(ccloud::errc::client_closed, ccloud::progress::maybe_sent);
    }

    ccloud::steady_time now() const noexcept override { return start_; }
    ccloud::wall_time wall_now() const noexcept override { return {}; }
    std::uint64_t roll() noexcept override { return 0; }
    void arm(ccloud::timer_node& node, ccloud::steady_time due) override { timers_.arm(node, due); }
    void disarm(ccloud::timer_node& node) noexcept override { timers_.disarm(node); }
    void close() noexcept override { lot_.finish_all(detail::wake::closed); }

private:
    ccloud::steady_time const start_ = std::chrono::steady_clock::now();
    ccloud::core::timer_queue timers_;
    detail::parking_lot lot_;
};

asio::awaitable<void> waiting_call(ccloud::iam::ip_groups const& groups, std::size_t& ended)
{
    auto got = co_await groups.get("ipg-1");
    if (!got && got.error().code() == ccloud::errc::client_closed)
        ++ended;
}

std::vector<double> bytes_a_call()
{
    asio::io_context context(1);
    ccloud::config settings;
    settings.credentials = ccloud::api_key("KEY", "SECRET");
    settings.threading = ccloud::threading::serial;
    settings.max_pending = 0;
    auto const executor = context.get_executor();
    ccloud::client cloud(executor, settings, std::make_shared<silent_transport>(executor));
    ccloud::iam::ip_groups const groups(cloud);
    std::size_t ended = 0;
    auto const bytes =
        grown_by(context, [&] { asio::co_spawn(cloud.executor(), waiting_call(groups, ended), asio::detached); });
    auto const waiting = cloud.metrics().waiting;
    cloud.close();
    context.restart();
    context.run();
    if (waiting < calls || ended != first_calls + calls)
        throw std::runtime_error("memory: calls did not wait, or not until the client was closed");
    return {bytes};
}

/** Handlers as small as they come. */
class bare_lot
{
public:
    asio::awaitable<void> wait()
    {
        auto const park = [](auto resume, std::vector<handler>* all) { all->emplace_back(std::move(resume)); };
        auto waiting = asio::async_initiate<asio::deferred_t const, void()>(park, asio::deferred, &parked_);
        co_await std::move(waiting);
    }

    std::size_t size() const noexcept { return parked_.size(); }

    void resume_all(asio::io_context& context)
    {
        for (auto& each : std::exchange(parked_, {}))
            asio::post(context, std::move(each));
    }

private:
    using handler = asio::any_completion_handler<void()>;
    std::vector<handler> parked_;
};

std::vector<double> bytes_bare()
{
    asio::io_context context(1);
    bare_lot lot;
    auto const bytes = grown_by(context, [&] { asio::co_spawn(context, lot.wait(), asio::detached); });
    if (lot.size() != first_calls + calls)
        throw std::runtime_error("memory: coroutines did not wait");
    lot.resume_all(context);
    context.restart();
    context.run();
    return {bytes};
}

} // namespace

void memory(int rounds, report& notes)
{
    question what;
    what.title = "100,000 calls that wait, bytes of heap a call";
    what.metrics = {{"memory/call_bytes", "B"}};
    what.contenders = {
        {"ccloud", true, bytes_a_call},
        {"bare", false, bytes_bare},
    };
    ask(what, rounds, notes);
    notes.add_difference("memory/waiting_call_bytes", "B", "memory/call_bytes/ccloud", "memory/call_bytes/bare");
    notes.claim("memory/waiting_call_bytes", 2560);
}

} // namespace bench
