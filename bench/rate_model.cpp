#include "rate_model.hpp"

#include <ccloud/ccloud.hpp>
#include <ccloud/testing/run.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <charconv>
#include <deque>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace bench::rate {

namespace iam = ccloud::iam;
using ccloud::http_headers;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr nanoseconds refusal_takes = milliseconds(1);

} // namespace

exchange model_server::meet(steady_time now)
{
    nanoseconds const at = now - start_;
    auto& noted = requests_.emplace_back(record{at, 0});
    if (at >= rules_.refused_from && at < rules_.refused_until)
        return exchange::failed(ccloud::errc::connect_failed, ccloud::progress::not_sent);
    // All requests are under way for the same time, so they arrive in the order of sending.
    exchange met;
    met.progress = ccloud::progress::answered;
    met.response_begun = true;
    met.response = decide(at + rules_.latency / 2);
    noted.status = met.response.status();
    return met;
}

nanoseconds model_server::latency_of(exchange const& met) const noexcept
{
    return met.answered() ? rules_.latency : refusal_takes;
}

http_response model_server::decide(nanoseconds at)
{
    switch (rules_.kind)
    {
    case server_rules::limiter::fixed_window:
    {
        auto const window = at / nanoseconds(rules_.window);
        if (std::exchange(window_, window) != window)
            used_ = rules_.neighbour;
        auto const reset = rules_.window * (window + 1) - at;
        bool const granted = used_ < rules_.limit;
        used_ += granted ? 1 : 0;
        return answer(granted, rules_.limit - used_, reset, reset);
    }
    case server_rules::limiter::token_bucket:
    {
        credit_ = (std::min)(capacity(), credit_ + (at - std::exchange(counted_, at)));
        bool const granted = credit_ >= token();
        if (granted)
            credit_ -= token();
        return answer(granted, credit_ / token(), capacity() - credit_, token() - credit_);
    }
    case server_rules::limiter::none: break;
    }
    return {200, http_headers(), R"({"id":"ipg-1"})"};
}

http_response model_server::answer(bool granted, std::int64_t remaining, nanoseconds reset, nanoseconds retry_after)
    const
{
    http_headers fields;
    auto const whole = [this](nanoseconds time) {
        return std::to_string(
            (rules_.round_up ? std::chrono::ceil<seconds>(time) : std::chrono::floor<seconds>(time)).count()
        );
    };
    if (rules_.headers)
    {
        fields.add("X-RateLimit-Limit", std::to_string(rules_.limit));
        fields.add("X-RateLimit-Remaining", std::to_string(remaining));
        fields.add("X-RateLimit-Reset", whole(reset));
        if (!granted)
            fields.add("Retry-After", whole(retry_after));
    }
    if (granted)
        return {200, std::move(fields), R"({"id":"ipg-1"})"};
    return {429, std::move(fields), R"({"errors":[{"status":"429","detail":"Too many requests"}]})"};
}

std::size_t model_server::throttled() const noexcept
{
    return static_cast<std::size_t>(std::count_if(requests_.begin(), requests_.end(), [](record const& one) {
        return one.status == 429;
    }));
}

std::size_t model_server::sent_between(nanoseconds from, nanoseconds until) const noexcept
{
    return static_cast<std::size_t>(std::count_if(requests_.begin(), requests_.end(), [&](record const& one) {
        return one.at >= from && one.at < until;
    }));
}

std::size_t model_server::peak(nanoseconds from, nanoseconds length) const noexcept
{
    std::size_t most = 0;
    std::size_t last = 0;
    for (std::size_t first = 0; first < requests_.size(); ++first)
    {
        if (requests_[first].at < from)
            continue;
        while (last < requests_.size() && requests_[last].at < requests_[first].at + length)
            ++last;
        most = (std::max)(most, last - first);
    }
    return most;
}

model_transport::model_transport(
    asio::any_io_executor executor, std::shared_ptr<model_server> server, std::uint64_t seed
)
    : server_(std::move(server)), dice_(seed), lot_(std::move(executor))
{
}

asio::awaitable<exchange> model_transport::send(http_request const&, origin const&, send_options options)
{
    using ccloud::errc;
    using ccloud::detail::wake;
    auto const begun = now();
    if (closed_)
        co_return exchange::failed(errc::client_closed, ccloud::progress::not_sent);
    if (options.deadline <= begun)
        co_return exchange::failed(errc::deadline_exceeded, ccloud::progress::not_sent);
    auto met = server_->meet(begun);
    auto const reached = met.answered() ? ccloud::progress::maybe_sent : ccloud::progress::not_sent;
    auto const end = options.ends(begun);
    auto const ready = begun + server_->latency_of(met);

    ccloud::detail::parked node;
    ccloud::detail::armed_timer const timer(*this, node, (std::min)(ready, end));
    co_await lot_.async_park(node);
    if (node.how() == wake::cancelled)
        co_return exchange::failed(errc::cancelled, reached);
    if (node.how() == wake::closed)
        co_return exchange::failed(errc::client_closed, reached);
    if (ready > end)
        co_return exchange::failed(end < options.deadline ? errc::attempt_timeout : errc::deadline_exceeded, reached);
    co_return std::move(met);
}

void model_transport::close() noexcept
{
    closed_ = true;
    lot_.finish_all(ccloud::detail::wake::closed);
}

asio::awaitable<void> model_transport::sleep_until(steady_time due)
{
    ccloud::detail::parked node;
    ccloud::detail::armed_timer const timer(*this, node, due);
    co_await lot_.async_park(node);
}

std::string_view to_string(contender who) noexcept
{
    return who == contender::ours ? "ours" : "control";
}

nanoseconds control_wait(int index, std::string_view retry_after) noexcept
{
    std::int64_t asked = 0;
    auto const* const end = retry_after.data() + retry_after.size();
    if (!retry_after.empty() && std::from_chars(retry_after.data(), end, asked).ptr == end)
        return seconds(asked);
    return (std::min)(seconds(30), seconds(1) * (1 << (std::min)(index, 5)));
}

bool control_repeats(int status) noexcept
{
    return status == 0 || status == 429 || status >= 500;
}

namespace {

/** Somebody who makes calls by one of the two policies. */
class caller
{
public:
    caller(
        asio::any_io_executor const& executor, std::shared_ptr<model_server> server, contender who, std::uint64_t seed,
        seconds total_timeout
    )
        : wire_(std::make_shared<model_transport>(executor, std::move(server), seed))
    {
        if (who == contender::control)
            return;
        ccloud::config settings;
        settings.endpoint = "https://api.example.test";
        settings.credentials = ccloud::api_key("KEY", "SECRET");
        settings.threading = ccloud::threading::serial;
        settings.total_timeout = total_timeout;
        groups_.emplace(ccloud::client(executor, std::move(settings), wire_));
    }

    model_transport& wire() noexcept { return *wire_; }

    /** One call; whether it succeeded. */
    asio::awaitable<bool> call()
    {
        if (!groups_)
            return call_as_control();
        return call_as_ours();
    }

private:
    asio::awaitable<bool> call_as_ours()
    {
        auto const got = co_await groups_->get("ipg-1");
        co_return got.has_value();
    }

    asio::awaitable<bool> call_as_control()
    {
        http_request const request(ccloud::method::get, "/iam/v2/ip-groups/ipg-1");
        origin const to(true, "api.example.test", 443);
        send_options const how;
        for (int index = 0;; ++index)
        {
            auto const got = co_await wire_->send(request, to, how);
            int const status = got.answered() ? got.response.status() : 0;
            if (status == 200)
                co_return true;
            if (index + 1 == control_attempts || !control_repeats(status))
                co_return false;
            std::string_view asked;
            if (status == 429 || status == 503)
                asked = got.response.headers().find("Retry-After").value_or(std::string_view());
            auto const due = wire_->now() + control_wait(index, asked);
            co_await wire_->sleep_until(due);
        }
    }

    std::shared_ptr<model_transport> wire_;
    std::optional<iam::ip_groups> groups_;
};

/** Where coroutines arrive at their end. */
class finish_line
{
public:
    finish_line(asio::any_io_executor executor, std::size_t expected) : expected_(expected), lot_(std::move(executor))
    {
    }

    /** For `co_spawn`. */
    auto arrival()
    {
        return [this](std::exception_ptr failed) {
            if (failed && !failed_)
                failed_ = failed;
            if (--expected_ == 0)
                node_.finish(ccloud::detail::wake::granted);
        };
    }

    /** Waits until all have arrived. */
    asio::awaitable<void> passed()
    {
        if (expected_ > 0)
            co_await lot_.async_park(node_);
        if (failed_)
            std::rethrow_exception(failed_);
    }

private:
    std::size_t expected_;
    std::exception_ptr failed_;
    ccloud::detail::parking_lot lot_;
    ccloud::detail::parked node_;
};

/** Runs `body` in virtual time. With a transport that `run` knows of, it complains where nothing can ever happen
    rather than to wait for real I/O. */
void in_virtual_time(std::function<asio::awaitable<void>()> const& body)
{
    ccloud::testing::scripted_transport const known;
    ccloud::testing::run(body);
}

asio::awaitable<void> work(caller& one, int& queue, std::size_t& failed)
{
    while (queue > 0)
    {
        --queue;
        bool const ok = co_await one.call();
        if (!ok)
            ++failed;
    }
}

asio::awaitable<void> empty_queue(scenario const& what, int parallel, contender who, std::uint64_t seed, figures& notes)
{
    auto const here = co_await asio::this_coro::executor;
    auto const start = ccloud::testing::virtual_clock::of_this_thread().now();
    auto const server = std::make_shared<model_server>(what.rules, start);
    caller one(here, server, who, seed, seconds(600));
    finish_line line(here, static_cast<std::size_t>(parallel));
    int queue = queued_calls;
    std::size_t failed = 0;
    for (int i = 0; i < parallel; ++i)
        asio::co_spawn(here, work(one, queue, failed), line.arrival());
    co_await line.passed();

    std::chrono::duration<double> const took = one.wire().now() - start;
    notes.sent = static_cast<double>(server->requests().size());
    notes.throttled = static_cast<double>(server->throttled());
    notes.failed = static_cast<double>(failed);
    notes.elapsed = took / what.ideal;
}

asio::awaitable<void> call_once(caller& one, bool in_outage, fleet_figures& notes)
{
    bool const ok = co_await one.call();
    if (ok)
        co_return;
    ++notes.failed;
    if (in_outage)
        ++notes.failed_in_outage;
}

/** Begins the calls of one client. */
asio::awaitable<void> live(
    caller& one, model_server const& server, fleet_rules const& rules, nanoseconds phase, finish_line& line,
    fleet_figures& notes
)
{
    auto const here = co_await asio::this_coro::executor;
    for (nanoseconds at = phase; at < rules.duration; at += seconds(1))
    {
        co_await one.wire().sleep_until(server.start() + at);
        bool const in_outage = at >= rules.refused_from && at < rules.refused_until;
        ++notes.calls;
        if (in_outage)
            ++notes.in_outage;
        asio::co_spawn(here, call_once(one, in_outage, notes), line.arrival());
    }
}

asio::awaitable<void> live_all(fleet_rules const& rules, contender who, std::uint64_t seed, fleet_figures& notes)
{
    auto const here = co_await asio::this_coro::executor;
    server_rules world;
    world.refused_from = rules.refused_from;
    world.refused_until = rules.refused_until;
    auto const start = ccloud::testing::virtual_clock::of_this_thread().now();
    auto const server = std::make_shared<model_server>(world, start);
    auto const clients = static_cast<std::size_t>(rules.clients);
    auto const seconds_of_calls = static_cast<std::size_t>(rules.duration.count());
    finish_line line(here, clients * (1 + seconds_of_calls));
    std::mt19937_64 dice(seed);
    std::deque<caller> callers;
    for (std::size_t i = 0; i < clients; ++i)
    {
        auto& one = callers.emplace_back(here, server, who, dice(), seconds(180));
        nanoseconds const phase(static_cast<nanoseconds::rep>(dice() % 1'000'000'000));
        asio::co_spawn(here, live(one, *server, rules, phase, line, notes), line.arrival());
    }
    co_await line.passed();

    constexpr nanoseconds stretch = milliseconds(100);
    auto const steady = static_cast<double>(clients) * (stretch / std::chrono::duration<double>(1));
    auto const judged =
        static_cast<double>(clients) * static_cast<double>((rules.duration - rules.judged_from).count());
    notes.peak = static_cast<double>(server->peak(rules.judged_from, stretch)) / steady;
    notes.requests_per_call = static_cast<double>(server->sent_between(rules.judged_from, rules.duration)) / judged;
}

} // namespace

std::vector<scenario> const& scenarios()
{
    using limiter = server_rules::limiter;
    auto const one = [](std::string_view name, seconds last_window, auto change) {
        server_rules rules;
        rules.kind = limiter::fixed_window;
        change(rules);
        return scenario{name, rules, last_window + rules.latency};
    };
    // 60 a minute: the last call can be answered when the 5th window opens, or with half of it the 10th; 240 tokens
    // come one a second.
    static std::vector<scenario> const all = {
        one("fixed", seconds(240), [](server_rules&) {}),
        one("fixed-no-headers", seconds(240), [](server_rules& rules) { rules.headers = false; }),
        one("neighbour", seconds(540), [](server_rules& rules) { rules.neighbour = 30; }),
        one("bucket", seconds(240), [](server_rules& rules) { rules.kind = limiter::token_bucket; }),
        one("fixed-floor", seconds(240), [](server_rules& rules) { rules.round_up = false; }),
    };
    return all;
}

figures play(scenario const& what, int parallel, contender who, std::uint64_t seed)
{
    figures notes;
    in_virtual_time([&] { return empty_queue(what, parallel, who, seed, notes); });
    return notes;
}

fleet_figures play(fleet_rules const& rules, contender who, std::uint64_t seed)
{
    fleet_figures notes;
    in_virtual_time([&] { return live_all(rules, who, seed, notes); });
    return notes;
}

} // namespace bench::rate
