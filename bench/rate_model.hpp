#ifndef CCLOUD_BENCH_RATE_MODEL_HPP
#define CCLOUD_BENCH_RATE_MODEL_HPP

#include <ccloud/transport.hpp>

#include "park.hpp"
#include "testing/clock.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string_view>
#include <vector>

/** A model of a server that limits and fails, in virtual time, and the two policies that call it. */
namespace bench::rate {

namespace asio = boost::asio;
using ccloud::exchange;
using ccloud::http_request;
using ccloud::http_response;
using ccloud::origin;
using ccloud::send_options;
using ccloud::steady_time;
using ccloud::timer_node;
using ccloud::wall_time;
using std::chrono::nanoseconds;

/** How a model server limits and fails. Times are since its start. */
struct server_rules
{
    enum class limiter : unsigned char {
        none,
        fixed_window, ///< `limit` a window; windows begin with the server
        token_bucket, ///< `limit` at once, and one token each `window / limit`
    };

    limiter kind = limiter::none;
    int limit = 60;
    std::chrono::seconds window{60};
    int neighbour = 0;    ///< of the limit, what somebody else has used up when a window opens
    bool headers = true;  ///< X-RateLimit-Limit, -Remaining, -Reset; Retry-After with 429
    bool round_up = true; ///< seconds are rounded up; otherwise down, as a sloppy server does
    nanoseconds latency = std::chrono::milliseconds(200);
    nanoseconds refused_from{};  ///< connections are refused from here
    nanoseconds refused_until{}; ///< to here; not at all where both are the same
};

/** One server, shared by everyone who calls it. */
class model_server
{
public:
    /** One request. */
    struct record
    {
        nanoseconds at{}; ///< when it was sent, since the start
        int status = 0;   ///< 0: refused
    };

    model_server(server_rules rules, steady_time start) : rules_(rules), start_(start), credit_(capacity()) {}

    /** What a request sent at `now` meets, and notes it. Called in order of time. */
    exchange meet(steady_time now);

    /** Until what `meet` gave is there. */
    nanoseconds latency_of(exchange const& met) const noexcept;

    server_rules const& rules() const noexcept { return rules_; }
    steady_time start() const noexcept { return start_; }

    /** Every request so far, in order of time. */
    std::vector<record> const& requests() const noexcept { return requests_; }
    std::size_t throttled() const noexcept;

    /** The requests sent from `from` until before `until`. */
    std::size_t sent_between(nanoseconds from, nanoseconds until) const noexcept;

    /** The most requests that any stretch of time of `length` carries, of those that begin at `from` or later. */
    std::size_t peak(nanoseconds from, nanoseconds length) const noexcept;

private:
    /** A token of the bucket, and the bucket, as the time they take to come back. */
    nanoseconds token() const noexcept { return nanoseconds(rules_.window) / rules_.limit; }
    nanoseconds capacity() const noexcept { return token() * rules_.limit; }

    /** Decides on a request that arrives at `at`. */
    http_response decide(nanoseconds at);
    http_response answer(bool granted, std::int64_t remaining, nanoseconds reset, nanoseconds retry_after) const;

    server_rules rules_;
    steady_time start_;
    nanoseconds::rep window_ = -1; ///< index of the window that `used_` is about
    int used_ = 0;
    nanoseconds credit_; ///< of the bucket
    nanoseconds counted_{};
    std::vector<record> requests_;
};

/** A connection to a model server, with dice of its own, over the virtual clock of the thread. Serves the executor it
    is given, with `threading::serial`. */
class model_transport final : public ccloud::transport
{
public:
    model_transport(asio::any_io_executor executor, std::shared_ptr<model_server> server, std::uint64_t seed);

    asio::awaitable<exchange> send(http_request const& request, origin const& to, send_options options) override;
    steady_time now() const noexcept override { return clock_.now(); }
    wall_time wall_now() const noexcept override { return clock_.wall_now(); }
    std::uint64_t roll() noexcept override { return dice_(); }
    void arm(timer_node& node, steady_time due) override { clock_.arm(node, due); }
    void disarm(timer_node& node) noexcept override { clock_.disarm(node); }
    void close() noexcept override;

    /** Waits until `due`. */
    asio::awaitable<void> sleep_until(steady_time due);

private:
    ccloud::testing::virtual_clock& clock_ = ccloud::testing::virtual_clock::of_this_thread();
    std::shared_ptr<model_server> server_;
    std::mt19937_64 dice_;
    ccloud::detail::parking_lot lot_;
    bool closed_ = false;
};

/** Who calls. */
enum class contender : unsigned char {
    ours,    ///< `ccloud::client`
    control, ///< what is common elsewhere: see `control_wait`
};

/** "ours" or "control". */
std::string_view to_string(contender who) noexcept;

/** The policy of the control, for each call on its own: tries in all, and the wait after the try with this index,
    `2^n` s up to 30 s, or exactly what Retry-After says where it is a number. No jitter. */
constexpr int control_attempts = 5;
nanoseconds control_wait(int index, std::string_view retry_after) noexcept;

/** Whether the control tries again after this status; 0: a failure of the network. */
bool control_repeats(int status) noexcept;

/** A server to empty a queue of calls at. */
struct scenario
{
    std::string_view name;
    server_rules rules;
    nanoseconds ideal; ///< what a clairvoyant needs for all calls, with as many at once as it likes
};

/** 300 calls: how many are in the queue of `play`. */
constexpr int queued_calls = 300;

/** fixed, fixed-no-headers, neighbour, bucket; and fixed-floor, which rounds down. */
std::vector<scenario> const& scenarios();

/** What became of the queue. */
struct figures
{
    double sent = 0;
    double throttled = 0; ///< answered 429
    double failed = 0;    ///< calls
    double elapsed = 0;   ///< over the ideal
};

/** Empties the queue by one client with so many calls at once, in virtual time. `total_timeout` is 600 s. */
figures play(scenario const& what, int parallel, contender who, std::uint64_t seed);

/** Independent clients; each begins a call every second, at a phase of its own, whatever became of those before. */
struct fleet_rules
{
    int clients = 1'000;
    std::chrono::seconds duration{60}; ///< of beginning calls
    std::chrono::seconds refused_from{20};
    std::chrono::seconds refused_until{23};
    std::chrono::seconds judged_from{23}; ///< where `peak` and `requests_per_call` begin to look
};

struct fleet_figures
{
    std::size_t calls = 0;
    std::size_t failed = 0;
    std::size_t in_outage = 0;        ///< calls begun while connections were refused
    std::size_t failed_in_outage = 0; ///< of those
    double peak = 0;                  ///< the fullest 100 ms over the steady rate
    double requests_per_call = 0;     ///< requests over calls begun, from `judged_from` to the end of `duration`

    double failed_share() const noexcept
    {
        return in_outage == 0 ? 0 : static_cast<double>(failed_in_outage) / static_cast<double>(in_outage);
    }
};

/** A fleet that meets a short outage. */
constexpr fleet_rules short_outage() noexcept
{
    return {};
}

/** A fleet that meets nothing else: for requests a call once the retry budget is used up. */
constexpr fleet_rules total_outage() noexcept
{
    using std::chrono::seconds;
    return {20, seconds(1'200), seconds(0), seconds(1'000'000), seconds(600)};
}

/** Lets a fleet live, in virtual time, until its last call has ended. */
fleet_figures play(fleet_rules const& rules, contender who, std::uint64_t seed);

} // namespace bench::rate

#endif
