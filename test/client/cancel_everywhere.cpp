// Conversations of several calls, broken off after every single handler: nothing is sent afterwards, nothing is lost.
#include <ccloud/client.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "call.hpp"
#include "client.hpp"
#include "core/retry_budget.hpp"
#include "printers.hpp"
#include "stage.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using ccloud::condition;
using ccloud::errc;
using std::chrono::nanoseconds;
using support::get;
using support::hears;
using support::said;
using support::stage;
using support::talking_wire;
using support::test_config;
namespace asio = boost::asio;
namespace detail = ccloud::detail;

namespace {

/** Keeps the book of the retry budget by what is told to observers. */
class bookkeeper : public ccloud::observer
{
public:
    explicit bookkeeper(int capacity) : budget_(capacity) {}

    void attempt_start(ccloud::observed_call const& call, int number) noexcept override
    {
        auto& its = accounts_[call.id];
        its.tries = number;
        if (its.charged > 0)
            its.spent = std::exchange(its.charged, 0);
    }
    void attempt_end(ccloud::observed_call const& call, int number, ccloud::attempt const& ended) noexcept override
    {
        if (ended.code != errc::unset)
            return;
        int const back = number == 1 ? ccloud::core::retry_budget::first_try_reward : accounts_[call.id].spent;
        if (back > 0)
            budget_.give(back, now());
    }
    void retry_scheduled(
        ccloud::observed_call const& call, nanoseconds, ccloud::delay_source, ccloud::retry_reason reason
    ) noexcept override
    {
        using ccloud::core::retry_budget;
        if (ccloud::core::is_free(reason))
            return;
        bool const throttled = reason == ccloud::retry_reason::throttled;
        auto& charged = accounts_[call.id].charged;
        charged = throttled ? retry_budget::throttle_cost : retry_budget::transient_cost;
        CHECK(budget_.take(charged, now()));
    }
    void give_up(ccloud::observed_call const& call, ccloud::error const&) noexcept override
    {
        if (auto const back = std::exchange(accounts_[call.id].charged, 0); back > 0)
            budget_.give(back, now());
    }

    int left() noexcept { return budget_.left(now()); }

private:
    struct account
    {
        int tries = 0;
        int charged = 0;
        int spent = 0;
    };

    static ccloud::steady_time now() { return ccloud::testing::virtual_clock::of_this_thread().now(); }

    ccloud::core::retry_budget budget_;
    std::map<std::uint64_t, account> accounts_;
};

/** A server, and the calls that meet it. */
struct conversation
{
    char const* name;
    std::function<talking_wire::talk()> server;
    std::vector<ccloud::call_options> calls;
    std::size_t connections = 16;
    bool token = false;
    std::vector<std::size_t> doomed = {}; ///< calls that may end in an error by themselves

    bool is_doomed(std::size_t call) const { return std::find(doomed.begin(), doomed.end(), call) != doomed.end(); }
};

/** Answers by the number of the request, from 0. */
std::function<talking_wire::talk()> by_number(std::function<said(int)> answer)
{
    return [answer]() -> talking_wire::talk {
        return [answer, number = 0](ccloud::http_request const& request) mutable {
            return request.target() == "/a/v1/things/later" ? said(200) : answer(number++);
        };
    };
}

std::vector<conversation> const& conversations()
{
    static std::vector<conversation> const all{
        {"throttled at once",
         by_number([](int n) { return n == 0 ? said(429).with("Retry-After", "7") : said(200); }),
         {{}, {}, {}}},
        {"throttled twice, without a hint",
         by_number([](int n) { return n == 1 || n == 3 ? said(429).after(50ms) : said(200).after(100ms); }),
         {{}, {}, {}, {}}},
        {"a backoff each", by_number([](int n) { return n < 3 ? said(503) : said(200).after(10ms); }), {{}, {}, {}}},
        {"a place for two", by_number([](int) { return said(200).after(1s); }), {{}, {}, {}, {}, {}}, 2},
        {"pacing",
         by_number([](int n) {
             return said(200)
                 .with("X-RateLimit-Limit", "3")
                 .with("X-RateLimit-Remaining", n == 0 ? "1" : "0")
                 .with("X-RateLimit-Reset", "5")
                 .after(20ms);
         }),
         {{}, {}, {.timeout = 3s}, {}},
         2},
        {"probing",
         by_number([](int n) { return n < 7 ? said(500).after(10ms) : said(200).after(100ms); }),
         {{}, {}, {}, {}}},
        {"replays",
         by_number([](int n) { return n == 0   ? said(421)
                                      : n == 2 ? said(425).after(5ms)
                                               : said(200); }),
         {{}, {}},
         1},
        {"new credentials",
         by_number([](int n) { return n < 2 ? said(401).after(5ms) : said(200).after(5ms); }),
         {{}, {}},
         16,
         true},
        {"answers that hang",
         by_number([](int n) { return said(200).after(n < 2 ? 1h : 10ms); }),
         {{.attempt_timeout = 30s}, {.attempt_timeout = 20s}, {}},
         2},
        {"deadlines in line",
         by_number([](int) { return said(200).after(4s); }),
         {{}, {.timeout = 2s}, {.timeout = 5s}, {}},
         1,
         false,
         {1, 2}},
        {"a gate that closes while calls are in line",
         by_number([](int n) { return n == 0 ? said(429).with("Retry-After", "20").after(1s) : said(200); }),
         {{}, {.timeout = 10s}, {.timeout = 90s}, {}},
         1,
         false,
         {1}},
    };
    return all;
}

/** What all runs have in common. */
class play_through
{
public:
    play_through(conversation const& what, ccloud::threading threads, hears ears)
        : what_(what), book_(std::make_shared<bookkeeper>(500)), wire_(std::make_shared<talking_wire>(what.server())),
          on_(wire_, settings(threads))
    {
        wire_->dice(std::uint64_t(1) << 63);
        core_ = detail::client_access::core(on_.cloud());
        for (std::size_t i = 0; i < what.calls.size(); ++i)
            on_.add(get("/a/v1/things/" + std::to_string(i)), what.calls[i], ears);
    }

    stage& on() { return on_; }
    support::played_call& call(std::size_t i) { return on_.calls()[i]; }
    std::size_t requests() const { return wire_->requests().size(); }

    std::size_t requests_of(std::size_t victim) const
    {
        std::size_t count = 0;
        for (auto const& each : wire_->requests())
            count += each.request.target() == "/a/v1/things/" + std::to_string(victim) ? 1u : 0u;
        return count;
    }

    /** So many handlers or moments. False where the conversation ended before. */
    bool steps(int count)
    {
        for (int i = 0; i < count; ++i)
            if (all_ended() || !on_.step())
                return false;
        return !all_ended();
    }

    bool all_ended() const
    {
        for (auto const& each : const_cast<stage&>(on_).calls())
            if (!each.ended())
                return false;
        return true;
    }

    void check_others(std::size_t victim)
    {
        on_.run();
        for (std::size_t i = 0; i < what_.calls.size(); ++i)
        {
            if (i == victim)
                continue;
            CAPTURE(i);
            CHECK(call(i).ended());
            CHECK((call(i).ok() || what_.is_doomed(i)));
        }
    }

    void check_quiet()
    {
        auto const now = core_->snapshot();
        CHECK(now.in_flight == 0);
        CHECK(now.waiting == 0);
        CHECK(now.retry_budget == book_->left());
        CHECK(now.calls == now.succeeded + now.failed);
        CHECK(wire_->in_flight() == 0);
        for (auto const& each : on_.calls())
            CHECK(!each.thrown);
    }

    void check_works()
    {
        auto const further = on_.ask(get("/a/v1/things/later"));
        CHECK(further.has_value());
        check_quiet();
    }

    void drop_context()
    {
        core_.reset();
        on_.drop_context();
    }

private:
    ccloud::config settings(ccloud::threading threads) const
    {
        auto how = test_config();
        how.threading = threads;
        how.pool.max_connections_per_origin = what_.connections;
        how.observer = book_;
        if (what_.token)
            how.credentials = ccloud::token_source([](std::string_view rejected) {
                return rejected.empty() ? std::string("old") : std::string("new");
            });
        return how;
    }

    conversation const& what_;
    std::shared_ptr<bookkeeper> book_;
    std::shared_ptr<talking_wire> wire_;
    stage on_;
    std::shared_ptr<detail::client_core> core_; // goes before the execution context
};

constexpr auto both = {ccloud::threading::serial, ccloud::threading::safe};

/** Plays a conversation from its beginning to each of its handlers in turn, and then does something to it. */
template <class Function>
void after_every_handler(conversation const& what, ccloud::threading threads, hears ears, Function const& then)
{
    bool more = true;
    for (int k = 0; more; ++k)
    {
        INFO(what.name);
        CAPTURE(k);
        play_through run(what, threads, ears);
        more = run.steps(k);
        then(run);
    }
}

} // namespace

TEST_CASE("X1, X2, X3: a call is cancelled after every handler: it ends at once, sends nothing, and holds nobody up")
{
    using kind = asio::cancellation_type;
    int runs = 0;
    for (auto const& what : conversations())
        for (auto const threads : both)
            for (auto const how : {kind::terminal, kind::partial, kind::total})
                for (std::size_t victim = 0; victim < what.calls.size(); ++victim)
                {
                    CAPTURE(threads);
                    CAPTURE(how);
                    CAPTURE(victim);
                    auto const ears = how == kind::terminal ? hears::terminal : hears::anything;
                    after_every_handler(what, threads, ears, [&](play_through& run) {
                        auto& call = run.call(victim);
                        // To hear of other kinds than the terminal one, a coroutine must have begun.
                        if (call.ended() || (how != kind::terminal && !call.started))
                            return;
                        ++runs;
                        // As a handler of the caller's executor, in line with the others.
                        bool heard = false;
                        std::size_t before = 0;
                        asio::post(run.on().context(), [&] {
                            heard = true;
                            before = run.requests_of(victim);
                            if (!call.ended())
                                call.cancel(how);
                        });
                        while (!heard)
                            run.on().step();
                        auto const now = run.on().elapsed();
                        run.on().poll();
                        CHECK(run.on().elapsed() == now);
                        REQUIRE(call.ended());
                        if (threads == ccloud::threading::serial)
                            CHECK(run.requests_of(victim) == before);
                        before = run.requests_of(victim);
                        if (!call.ok() && !what.is_doomed(victim))
                            CHECK(call.failure().code() == errc::cancelled);
                        run.check_others(victim);
                        CHECK(run.requests_of(victim) == before);
                        run.check_quiet();
                        run.check_works();
                    });
                }
    CHECK(runs > 1'000);
}

TEST_CASE("X1: what a coroutine does not let pass does not touch its call")
{
    for (auto const& what : conversations())
        for (auto const how : {asio::cancellation_type::partial, asio::cancellation_type::total})
            after_every_handler(what, ccloud::threading::serial, hears::terminal, [&](play_through& run) {
                for (auto& each : run.on().calls())
                    if (!each.ended())
                        each.cancel(how);
                run.check_others(what.calls.size());
                run.check_works();
            });
}

TEST_CASE("X3: every call is cancelled at one time, after every handler")
{
    for (auto const& what : conversations())
        for (auto const threads : both)
            after_every_handler(what, threads, hears::terminal, [&](play_through& run) {
                asio::post(run.on().context(), [&run] {
                    for (auto& each : run.on().calls())
                        if (!each.ended())
                            each.cancel();
                });
                run.on().poll();
                CHECK(run.all_ended());
                run.check_quiet();
                run.check_works();
            });
}

TEST_CASE("X4: close() after every handler ends all calls at once")
{
    for (auto const& what : conversations())
        for (auto const threads : both)
            after_every_handler(what, threads, hears::terminal, [&](play_through& run) {
                std::vector<bool> before;
                for (auto& each : run.on().calls())
                    before.push_back(each.ended());
                run.on().cloud().close();
                run.on().poll();
                auto const requests = run.requests();
                for (std::size_t i = 0; i < before.size(); ++i)
                {
                    REQUIRE(run.call(i).ended());
                    if (!before[i] && !run.call(i).ok() && !what.is_doomed(i))
                        CHECK(run.call(i).failure() == condition::cancelled);
                }
                run.check_quiet();
                auto const refused = run.on().ask(get("/a/v1/things/later"));
                REQUIRE(!refused.has_value());
                CHECK(refused.error().code() == errc::client_closed);
                CHECK(run.requests() == requests);
            });
}

TEST_CASE("X4: the last handle goes after every handler, and all calls with it")
{
    for (auto const& what : conversations())
        for (auto const threads : both)
            after_every_handler(what, threads, hears::terminal, [&](play_through& run) {
                run.on().drop_client();
                run.on().poll();
                CHECK(run.all_ended());
                run.check_quiet();
            });
}

TEST_CASE("X4: the execution context goes after every handler, and leaks nothing")
{
    for (auto const& what : conversations())
        for (auto const threads : both)
            after_every_handler(what, threads, hears::terminal, [&](play_through& run) { run.drop_context(); });
}

namespace {

/** One of two shards that hold each other back: a client's core of its own on a context of its own. */
class shard
{
public:
    shard(std::shared_ptr<detail::shared_parts const> common, talking_wire::talk answer, std::size_t connections)
        : context_(std::make_unique<asio::io_context>()), wire_(std::make_shared<talking_wire>(std::move(answer)))
    {
        auto settings = test_config();
        settings.pool.max_connections_per_origin = connections;
        core_ = std::make_shared<detail::client_core>(context_->get_executor(), settings, wire_, std::move(common));
    }

    /** Ends with the call's error, or nothing. */
    support::played_call& add(ccloud::call_options options = {}, std::string target = "/a/v1/things")
    {
        auto& made = calls_.emplace_back();
        ccloud::planned_request planned;
        planned.request = get(std::move(target));
        asio::co_spawn(
            *context_, ask(core_, core_->plan(std::move(planned), options, nullptr), made),
            asio::bind_cancellation_slot(
                made.signal.slot(), [&made](std::exception_ptr failed) { made.thrown = failed; }
            )
        );
        return made;
    }

    std::size_t poll()
    {
        context_->restart();
        return context_->poll();
    }

    bool all_ended() const
    {
        for (auto const& each : calls_)
            if (!each.ended())
                return false;
        return true;
    }

    void release_core() { core_.reset(); }
    void drop_context() { context_.reset(); }

    asio::io_context& context() { return *context_; }
    detail::client_core& core() { return *core_; }
    talking_wire& wire() { return *wire_; }
    std::deque<support::played_call>& calls() { return calls_; }

private:
    static asio::awaitable<void> ask(
        std::shared_ptr<detail::client_core> core, detail::planned_call call, support::played_call& into
    )
    {
        co_await asio::this_coro::throw_if_cancelled(false);
        into.started = true;
        auto failed = co_await core->run(call);
        if (failed)
            into.outcome.emplace(*std::move(failed));
        else
            into.outcome.emplace(ccloud::http_response());
    }

    std::deque<support::played_call> calls_;
    std::unique_ptr<asio::io_context> context_;
    std::shared_ptr<talking_wire> wire_;
    std::shared_ptr<detail::client_core> core_;
};

std::shared_ptr<detail::shared_parts const> shared_limits(std::size_t connections)
{
    auto settings = test_config();
    settings.pool.max_connections_per_origin = connections;
    auto parts = std::make_shared<detail::shared_parts>();
    parts->limits = std::make_shared<detail::admission>(settings);
    return parts;
}

/** Runs two shards of one thread until nothing is left to do without time passing. */
void settle(shard& one, shard& other)
{
    while (one.poll() + other.poll() > 0)
    {
    }
}

void settle_to_the_end(shard& one, shard& other)
{
    auto& clock = ccloud::testing::virtual_clock::of_this_thread();
    do
        settle(one, other);
    while (!(one.all_ended() && other.all_ended()) && clock.advance());
}

} // namespace

TEST_CASE("shards: what one is told holds the other back, and an answer to one lets the other's calls go")
{
    auto const common = shared_limits(1); // of each
    auto slow = [](ccloud::http_request const&) { return said(200).after(1s); };
    bool first = true;
    auto throttles = [&first](ccloud::http_request const&) {
        return std::exchange(first, false) ? said(429).with("Retry-After", "7") : said(200);
    };
    auto& clock = ccloud::testing::virtual_clock::of_this_thread();
    auto const start = clock.now();
    shard one(common, throttles, 1);
    shard other(common, slow, 1);
    one.add();
    settle(one, other);
    auto& held = other.add();
    settle(one, other);
    CHECK(one.wire().requests().size() == 1);
    CHECK(other.wire().requests().empty());
    CHECK(one.core().snapshot().waiting == 2);
    CHECK(other.core().snapshot().retry_budget == 495);
    settle_to_the_end(one, other);
    CHECK(held.ok());
    CHECK(other.wire().requests().at(0).at - start == 7s);
    CHECK(one.core().snapshot().in_flight == 0);
    CHECK(one.core().snapshot().waiting == 0);

    // Two connections in all: the calls of both stand in one line.
    for (int i = 0; i < 3; ++i)
    {
        other.add();
        settle(one, other);
        one.add();
        settle(one, other);
    }
    settle_to_the_end(one, other);
    CHECK(one.all_ended());
    CHECK(other.all_ended());
    CHECK(other.core().snapshot().in_flight == 0);
    CHECK(other.core().snapshot().waiting == 0);
}

TEST_CASE("shards: one that closes, or goes without a word, leaves the other's calls to the other's timer")
{
    auto& clock = ccloud::testing::virtual_clock::of_this_thread();
    for (bool const polled : {true, false})
    {
        CAPTURE(polled);
        auto const start = clock.now();
        auto const common = shared_limits(1);
        auto throttles = [](ccloud::http_request const&) { return said(429).with("Retry-After", "30").after(1s); };
        shard one(common, throttles, 1);
        shard other(
            common, [](ccloud::http_request const&) { return said(200); }, 1
        );
        for (int i = 0; i < 2; ++i) // it takes both places
            one.add();
        one.poll();
        auto& waiting = other.add();
        other.poll();
        CHECK(!waiting.ended());
        clock.advance();
        one.poll(); // it has seen the 429, and its timer would wake all
        one.core().close();
        if (polled)
        {
            one.poll();
            CHECK(one.all_ended());
        }
        one.release_core();
        one.drop_context();
        while (!waiting.ended())
            if (other.poll() == 0)
                REQUIRE(clock.advance());
        CHECK(waiting.ok());
        REQUIRE(other.wire().requests().size() == 1);
        CHECK(other.wire().requests()[0].at - start == 31s);
        CHECK(other.core().snapshot().in_flight == 0);
        CHECK(other.core().snapshot().waiting == 0);
    }
}

TEST_CASE("shards: a closed one that ends its last request tells the others when to go on")
{
    // The window of the server is used up; the closed shard's request is all that keeps it from being seen.
    auto& clock = ccloud::testing::virtual_clock::of_this_thread();
    auto const common = shared_limits(1);
    asio::io_context context;
    auto wire = std::make_shared<talking_wire>([](ccloud::http_request const&) { return said(200); });
    auto const one = detail::gatekeeper::make(common->limits, *wire, context.get_executor());
    auto const other = detail::gatekeeper::make(common->limits, *wire, context.get_executor());
    auto const now = clock.now();

    std::vector<detail::gate_claim> claims(3);
    std::vector<detail::permit> permits(3);
    REQUIRE(one->try_admit(claims[0], "things", permits[0]));
    REQUIRE(one->try_admit(claims[1], "things", permits[1]));
    {
        claims[2].scope = claims[0].scope;
        detail::turn waiting(*other, claims[2], {}, permits[2]);
        CHECK(waiting.waits());
        one->close();
        context.poll();
        detail::gatekeeper::ending told;
        told.health = ccloud::core::health::unknown;
        told.status = 404;
        told.limits = ccloud::core::limit_sample{10, 0, 30s};
        one->end(permits[0], told);
        one->end(permits[1], told);
        context.restart();
        context.poll();
        CHECK(wire->waits().empty());
        while (clock.now() < now + 30s)
            REQUIRE(clock.advance());
        CHECK(waiting.conclude().how == detail::turn::answer::granted);
        CHECK(permits[2].held());
    }
    context.restart();
    context.poll();
    other->close();
}

TEST_CASE("shards: the calls of one that is to close leave the line at once, and keep nobody waiting")
{
    auto const common = shared_limits(1); // two in all
    asio::io_context context;
    auto wire = std::make_shared<talking_wire>([](ccloud::http_request const&) { return said(200); });
    auto const one = detail::gatekeeper::make(common->limits, *wire, context.get_executor());
    auto const other = detail::gatekeeper::make(common->limits, *wire, context.get_executor());

    std::vector<detail::gate_claim> claims(4);
    std::vector<detail::permit> permits(4);
    REQUIRE(other->try_admit(claims[0], "things", permits[0]));
    REQUIRE(other->try_admit(claims[1], "things", permits[1]));
    claims[2].scope = claims[3].scope = claims[0].scope;
    {
        detail::turn first(*one, claims[2], {}, permits[2]);
        detail::turn second(*other, claims[3], {}, permits[3]);
        one->retire(); // nobody runs its executor any more
        ccloud::metrics seen;
        other->describe(seen);
        CHECK(seen.waiting == 1);
        permits[0].drop();
        CHECK(second.conclude().how == detail::turn::answer::granted);
        CHECK(first.conclude().how == detail::turn::answer::waits);
        CHECK(permits[3].held());
        CHECK(!permits[2].held());
    }
    permits[1].drop();
    permits[3].drop();
    ccloud::metrics seen;
    other->describe(seen);
    CHECK(seen.in_flight == 0);
    CHECK(seen.waiting == 0);
    other->close();
}

TEST_CASE("shards: the end of a request on one thread wakes a call that waits on another")
{
    auto const common = shared_limits(1);
    ccloud::call_options options;
    options.timeout = 0ms;
    shard here(
        common, [](ccloud::http_request const&) { return said(200).after(1s); }, 1
    );
    here.add(options);
    here.poll();
    CHECK(here.core().snapshot().in_flight == 1); // and no more: nobody else was there when it began
    auto work = [&common, options](bool& good) {
        shard there(
            common, [](ccloud::http_request const&) { return said(200); }, 1
        );
        auto const guard = asio::make_work_guard(there.context());
        auto& waiting = there.add(options);
        while (!waiting.ended())
            there.context().run_one(); // nothing of its own would ever wake it
        good = waiting.ok();
    };
    bool good = false;
    std::thread other(work, std::ref(good));
    while (here.core().snapshot().waiting == 0)
        std::this_thread::yield();
    ccloud::testing::virtual_clock::of_this_thread().advance();
    here.poll();
    CHECK(here.all_ended());
    other.join();
    CHECK(good);
    CHECK(here.core().snapshot().in_flight == 0);
    CHECK(here.core().snapshot().waiting == 0);
}

TEST_CASE("shards: two threads share a gate: thousands of calls, throttled and cancelled, lose nothing")
{
    constexpr int calls = 1'000;
    constexpr int window = 4;
    auto const common = shared_limits(window / 2);
    std::atomic<int> left = 2;
    struct figures
    {
        int ended = 0;
        int good = 0;
        int cancelled = 0;
        int other = 0;
        ccloud::metrics last;
    };
    std::array<figures, 2> results;
    std::array<asio::io_context*, 2> contexts{};
    std::atomic<int> ready = 0;
    auto work = [&](std::size_t mine) {
        auto& got = results[mine];
        std::uint64_t dice = mine + 1;
        auto const roll = [&dice](unsigned sides) {
            dice = dice * 6364136223846793005u + 1442695040888963407u;
            return static_cast<unsigned>(dice >> 33) % sides;
        };
        int number = 0;
        shard own(
            common,
            [&](ccloud::http_request const&) {
                ++number;
                if (number % 97 == 0)
                    return said(429).with("Retry-After", "1");
                if (number % 31 == 0)
                    return said(503);
                return said(200).after(roll(3) == 0 ? 1ms : 0ms);
            },
            window / 2
        );
        auto const guard = asio::make_work_guard(own.context());
        contexts[mine] = &own.context();
        ++ready;
        while (ready < 2)
            std::this_thread::yield();
        ccloud::call_options options;
        options.timeout = 0ms; // the clocks of two threads have nothing to do with each other
        auto retry = ccloud::retry_policy::defaults();
        retry.max_attempts = 100;
        retry.max_throttle_retries = 100;
        options.retry = retry;
        auto& clock = ccloud::testing::virtual_clock::of_this_thread();
        int begun = 0;
        bool told = false;
        while (left > 0)
        {
            for (; begun < calls && static_cast<int>(own.calls().size()) - got.ended < 40; ++begun)
            {
                auto& call = own.add(options);
                if (roll(4) == 0)
                    asio::post(own.context(), [&call, &own, again = roll(3)] {
                        asio::post(own.context(), [&call, &own, again] {
                            auto const cancel = [&call] {
                                if (!call.ended())
                                    call.cancel();
                            };
                            if (again == 0)
                                return cancel();
                            asio::post(own.context(), cancel);
                        });
                    });
            }
            own.context().restart();
            bool const ran = own.context().poll() > 0;
            got.ended = 0;
            for (auto const& each : own.calls())
                got.ended += each.ended() ? 1 : 0;
            if (!told && begun == calls && got.ended == calls)
            {
                told = true;
                if (--left == 0)
                    asio::post(*contexts[1 - mine], [] {});
                continue;
            }
            if (ran || clock.advance())
                continue;
            if (left > 0)
                own.context().run_one(); // the other shard has something for this one, or is done
        }
        for (auto const& each : own.calls())
        {
            if (each.ok())
                ++got.good;
            else if (each.outcome && each.failure().code() == errc::cancelled)
                ++got.cancelled;
            else
                ++got.other;
        }
        ready.fetch_sub(1);
        while (ready > 0)
            std::this_thread::yield();
        got.last = own.core().snapshot();
    };
    std::thread second([&] { work(1); });
    work(0);
    second.join();
    for (auto const& got : results)
    {
        CHECK(got.good + got.cancelled == calls);
        CHECK(got.other == 0);
        CHECK(got.cancelled > 0);
        CHECK(got.good > calls / 2);
        CHECK(got.last.in_flight == 0);
        CHECK(got.last.waiting == 0);
        CHECK(got.last.attempts >= static_cast<std::uint64_t>(got.good));
    }
}
