#include <ccloud/testing/scripted_transport.hpp>

#include "park.hpp"
#include "testing/clock.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <deque>
#include <list>
#include <memory_resource>
#include <optional>
#include <stdexcept>
#include <unordered_map>
#include <utility>

namespace ccloud::testing {

using std::chrono::nanoseconds;

namespace {

struct step
{
    exchange outcome;
    http_headers headers;
    int status = 0; // 0: a failure
    std::string body;
    std::optional<nanoseconds> delay; // none: the script's latency
    bool hangs = false;
};

/** A step as a test wrote it. */
std::string text_of(step const& one)
{
    if (one.hangs)
        return "hang()";
    if (one.status != 0)
        return "reply(" + std::to_string(one.status) + ')';
    return "fail(): " + make_error_code(one.outcome.code).message();
}

struct injected_failure
{
    std::size_t index = 0;
    errc code = errc::unset;
    ccloud::progress reached = ccloud::progress::not_sent;
};

exchange answer(int status, http_headers headers, std::string body)
{
    exchange ended;
    ended.progress = progress::answered;
    ended.response_begun = true;
    ended.response = http_response(status, std::move(headers), std::move(body));
    return ended;
}

class counted
{
public:
    explicit counted(std::size_t& count) noexcept : count_(count) { ++count_; }
    counted(counted const&) = delete;
    counted& operator=(counted const&) = delete;
    ~counted() { --count_; }

private:
    std::size_t& count_;
};

/** Keeps a node on the virtual clock for as long as it lives. */
class clock_timer
{
public:
    clock_timer(virtual_clock& clock, timer_node& node, steady_time due) : clock_(clock), node_(node)
    {
        if (due != steady_time::max())
            clock_.arm(node_, due);
    }
    clock_timer(clock_timer const&) = delete;
    clock_timer& operator=(clock_timer const&) = delete;
    ~clock_timer() { clock_.disarm(node_); }

private:
    virtual_clock& clock_;
    timer_node& node_;
};

} // namespace

struct scripted_transport::state
{
    virtual_clock& clock = virtual_clock::of_this_thread();
    std::deque<step> script;
    std::size_t taken = 0;
    std::optional<injected_failure> injected;
    std::function<http_response(http_request const&)> beyond;
    nanoseconds latency{};
    std::uint64_t dice = 0;
    std::vector<recorded_request> requests;
    std::vector<nanoseconds> waits;
    std::pmr::unsynchronized_pool_resource memory;
    std::pmr::unordered_map<timer_node const*, steady_time> started{&memory}; // when each wait began
    std::string complaint;
    std::list<detail::parking_lot> lots; // one an executor
    std::size_t in_flight = 0;
    bool closed = false;

    step& last()
    {
        if (script.empty())
            throw std::logic_error("scripted_transport: there is no step yet");
        return script.back();
    }

    /** What the next request meets. */
    step next(http_request const& request)
    {
        step now;
        if (injected && injected->index == taken)
        {
            now.outcome = exchange::failed(injected->code, injected->reached, {}, "injected");
            injected.reset();
        }
        else if (!script.empty())
        {
            now = std::move(script.front());
            script.pop_front();
            ++taken;
        }
        else if (beyond)
        {
            ++taken;
            auto made = beyond(request);
            now.status = made.status();
            now.body = made.body();
            now.headers = std::move(made).headers();
        }
        else
        {
            complaint = "the script ran dry at request " + std::to_string(requests.size()) + ", " +
                        std::string(to_string(request.verb())) + ' ' + request.target();
            now.outcome = exchange::failed(errc::connect_failed, progress::not_sent, {}, complaint);
            now.outcome.permanent = true;
            now.delay = nanoseconds(0);
        }
        return now;
    }

    detail::parking_lot& lot_on(asio::any_io_executor const& here)
    {
        lots.remove_if([](auto const& lot) { return !lot.executor(); }); // their contexts are gone
        for (auto& lot : lots)
            if (lot.executor() == here)
                return lot;
        return lots.emplace_back(here);
    }
};

scripted_transport::scripted_transport() : state_(std::make_unique<state>())
{
    state_->clock.add(*this);
}

scripted_transport::~scripted_transport()
{
    state_->clock.remove(*this);
}

scripted_transport& scripted_transport::reply(int status, std::string body)
{
    auto& added = state_->script.emplace_back();
    added.status = status;
    added.body = std::move(body);
    return *this;
}

scripted_transport& scripted_transport::header(std::string_view name, std::string_view value)
{
    state_->last().headers.add(name, value);
    return *this;
}

scripted_transport& scripted_transport::after(nanoseconds delay)
{
    state_->last().delay = delay;
    return *this;
}

scripted_transport& scripted_transport::latency(nanoseconds delay)
{
    state_->latency = delay;
    return *this;
}

scripted_transport& scripted_transport::reused()
{
    state_->last().outcome.reused = true;
    return *this;
}

scripted_transport& scripted_transport::fail(errc code, ccloud::progress reached, bool response_begun)
{
    auto& added = state_->script.emplace_back();
    added.outcome = exchange::failed(code, reached);
    added.outcome.response_begun = response_begun;
    return *this;
}

scripted_transport& scripted_transport::break_off(errc code)
{
    auto& incomplete = state_->last();
    if (incomplete.status == 0)
        throw std::logic_error("scripted_transport::break_off: the last step is not a reply");
    incomplete.outcome.code = code;
    return *this;
}

scripted_transport& scripted_transport::hang()
{
    state_->script.emplace_back().hangs = true;
    return *this;
}

scripted_transport& scripted_transport::reply_with(std::function<http_response(http_request const&)> answer)
{
    state_->beyond = std::move(answer);
    return *this;
}

scripted_transport& scripted_transport::fail_at(std::size_t index, errc code, ccloud::progress reached)
{
    state_->injected = injected_failure{index, code, reached};
    return *this;
}

scripted_transport& scripted_transport::dice(std::uint64_t value) noexcept
{
    state_->dice = value;
    return *this;
}

void scripted_transport::reserve(std::size_t requests)
{
    state_->requests.reserve(requests);
}

std::vector<recorded_request> const& scripted_transport::requests() const noexcept
{
    return state_->requests;
}
std::vector<nanoseconds> const& scripted_transport::waits() const noexcept
{
    return state_->waits;
}
std::size_t scripted_transport::remaining() const noexcept
{
    return state_->script.size();
}
std::string scripted_transport::unused_steps() const
{
    auto const& left = state_->script;
    if (left.empty())
        return {};
    auto const count = [](std::size_t number, std::string_view one, std::string_view several) {
        return std::to_string(number).append(" ").append(number == 1 ? one : several);
    };
    return count(left.size(), "step was not used: step ", "steps were not used, the first is step ") +
           std::to_string(state_->taken + 1) + " of the script, " + text_of(left.front()) + "; " +
           count(state_->requests.size(), "request was sent", "requests were sent");
}
std::size_t scripted_transport::in_flight() const noexcept
{
    return state_->in_flight;
}
bool scripted_transport::closed() const noexcept
{
    return state_->closed;
}
std::string scripted_transport::complaint() const
{
    return state_->complaint;
}

asio::awaitable<exchange> scripted_transport::send(http_request const& request, origin const& to, send_options options)
{
    auto& self = *state_;
    if (self.closed)
        co_return exchange::failed(errc::client_closed, progress::not_sent);
    if (options.deadline <= now())
        co_return exchange::failed(errc::deadline_exceeded, progress::not_sent);
    self.requests.push_back(recorded_request{request, to, options, now()});
    auto met = self.next(request);

    auto const delay = met.delay.value_or(self.latency);
    if (met.hangs || delay > nanoseconds(0))
    {
        counted const under_way(self.in_flight);
        auto const end = options.ends(now());
        auto const ready = met.hangs ? steady_time::max() : now() + delay;
        auto const here = co_await asio::this_coro::executor;
        detail::parked node;
        clock_timer const timer(self.clock, node, (std::min)(ready, end));
        co_await self.lot_on(here).async_park(node);
        auto const how = node.how();
        if (how == detail::wake::cancelled)
            co_return exchange::failed(errc::cancelled, progress::maybe_sent);
        if (how == detail::wake::closed)
            co_return exchange::failed(errc::client_closed, progress::maybe_sent);
        if (ready > end)
            co_return exchange::failed(
                end < options.deadline ? errc::attempt_timeout : errc::deadline_exceeded, progress::maybe_sent
            );
    }
    if (met.status == 0)
        co_return std::move(met.outcome);
    auto ended = answer(met.status, std::move(met.headers), std::move(met.body));
    ended.reused = met.outcome.reused;
    ended.code = met.outcome.code;
    co_return ended;
}

steady_time scripted_transport::now() const noexcept
{
    return state_->clock.now();
}
wall_time scripted_transport::wall_now() const noexcept
{
    return state_->clock.wall_now();
}
std::uint64_t scripted_transport::roll() noexcept
{
    return state_->dice;
}

void scripted_transport::arm(timer_node& node, steady_time due)
{
    auto& self = *state_;
    bool const changes = node.armed(); // an earlier wait
    // Reserved now, because recording a wait must not fail.
    if (self.waits.capacity() <= self.waits.size() + self.started.size())
        self.waits.reserve(2 * self.waits.capacity() + 1);
    auto const wait = changes ? self.started.end() : self.started.insert_or_assign(&node, now()).first;
    try
    {
        self.clock.arm(node, due);
    }
    catch (...)
    {
        if (!changes)
            self.started.erase(wait);
        throw;
    }
}

void scripted_transport::disarm(timer_node& node) noexcept
{
    auto& self = *state_;
    if (auto const wait = self.started.find(&node); wait != self.started.end())
    {
        if (!node.armed())
            self.waits.push_back(node.due - wait->second);
        self.started.erase(wait);
    }
    self.clock.disarm(node);
}

void scripted_transport::close() noexcept
{
    state_->closed = true;
    for (auto& lot : state_->lots)
        lot.finish_all(detail::wake::closed);
}

} // namespace ccloud::testing
