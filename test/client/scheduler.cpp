// The rules of waiting and repeating, seen from outside, in virtual time.
#include <ccloud/client.hpp>
#include <ccloud/iam/ip_groups.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "client.hpp"
#include "printers.hpp"
#include "stage.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

using namespace std::chrono_literals;
using ccloud::condition;
using ccloud::delay_source;
using ccloud::errc;
using ccloud::gave_up;
using ccloud::progress;
using ccloud::retry_reason;
using std::chrono::nanoseconds;
using support::get;
using support::list_of;
using support::post;
using support::said;
using support::script;
using support::stage;
using support::talking_wire;
using support::test_config;

namespace {

using wire_pointer = std::shared_ptr<ccloud::testing::scripted_transport>;

std::shared_ptr<talking_wire> talk(talking_wire::talk answer)
{
    return std::make_shared<talking_wire>(std::move(answer));
}

/** A server that turns the first request to `target` away and takes all others. */
std::shared_ptr<talking_wire> throttles_once(std::string target, std::string retry_after)
{
    bool done = false;
    return talk([=](ccloud::http_request const& request) mutable {
        if (request.target() != target || std::exchange(done, true))
            return said(200);
        return said(429).with("Retry-After", retry_after);
    });
}

said failing()
{
    return said(503);
}

std::vector<std::string> targets(ccloud::testing::scripted_transport const& wire)
{
    std::vector<std::string> all;
    for (auto const& each : wire.requests())
        all.push_back(each.request.target());
    return all;
}

/** When the requests were sent, from the first one on. */
std::vector<nanoseconds> times(ccloud::testing::scripted_transport const& wire)
{
    std::vector<nanoseconds> all;
    for (auto const& each : wire.requests())
        all.push_back(each.at - wire.requests().front().at);
    return all;
}

std::vector<nanoseconds> times_of(std::initializer_list<nanoseconds> list)
{
    return list;
}

std::string header_of(ccloud::testing::scripted_transport const& wire, std::size_t request, std::string_view name)
{
    return std::string(wire.requests().at(request).request.headers().find(name).value_or("(none)"));
}

/** Nothing is held that somebody else may need. */
void check_quiet(stage& on, std::int64_t budget)
{
    auto const now = on.cloud().metrics();
    CHECK(now.in_flight == 0);
    CHECK(now.waiting == 0);
    CHECK(now.retry_budget == budget);
    CHECK(now.calls == now.succeeded + now.failed);
}

ccloud::config with_connections(std::size_t count)
{
    auto settings = test_config();
    settings.pool.max_connections_per_origin = count;
    return settings;
}

/** The wall's clock is moved back and forth whenever somebody looks. */
class jumping_wire : public ccloud::testing::scripted_transport
{
public:
    ccloud::wall_time wall_now() const noexcept override
    {
        jump_ = jump_ > 0h ? -jump_ - 1h : 1h - jump_;
        return scripted_transport::wall_now() + jump_;
    }

private:
    mutable std::chrono::hours jump_{0};
};

/** Its dice are no two times the same. */
class dicing_wire : public ccloud::testing::scripted_transport
{
public:
    std::uint64_t roll() noexcept override
    {
        state_ += 0x9e3779b97f4a7c15u;
        auto mixed = (state_ ^ state_ >> 30) * 0xbf58476d1ce4e5b9u;
        mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
        return mixed ^ mixed >> 31;
    }

private:
    std::uint64_t state_ = 1;
};

/** Counts timers. */
class counting_wire : public talking_wire
{
public:
    using talking_wire::talking_wire;

    void arm(ccloud::timer_node& node, ccloud::steady_time due) override
    {
        ++armings;
        armed_.insert(&node);
        most = (std::max)(most, armed_.size());
        talking_wire::arm(node, due);
    }
    void disarm(ccloud::timer_node& node) noexcept override
    {
        armed_.erase(&node);
        talking_wire::disarm(node);
    }

    std::size_t armings = 0;
    std::size_t most = 0;

private:
    std::unordered_set<ccloud::timer_node const*> armed_;
};

/** Writes down what it is told. */
class diary : public ccloud::observer
{
public:
    void attempt_start(ccloud::observed_call const& call, int number) noexcept override
    {
        note(call, "starts #" + std::to_string(number));
    }
    void attempt_end(ccloud::observed_call const& call, int number, ccloud::attempt const& ended) noexcept override
    {
        std::string line = "ends #" + std::to_string(number) + ' ';
        line += ended.status != 0 ? std::to_string(ended.status) : std::string(to_string(ended.progress));
        if (!ended.request_id.empty())
            line += " id " + ended.request_id;
        if (ended.server_hint)
            line += " asks " + support::in_words(*ended.server_hint) + " by " + ended.hint_text;
        if (ended.took > 0s)
            line += " in " + support::in_words(ended.took);
        if (ended.reason != retry_reason::none || ended.delay > 0s)
            line += " knows too much";
        note(call, line);
    }
    void retry_scheduled(
        ccloud::observed_call const& call, nanoseconds delay, delay_source source, retry_reason reason
    ) noexcept override
    {
        note(
            call, "again in " + support::in_words(delay) + " by " + std::string(to_string(source)) + " for " +
                      std::string(to_string(reason))
        );
    }
    void gate_wait(ccloud::observed_call const& call, nanoseconds waited) noexcept override
    {
        note(call, "waited " + support::in_words(waited));
    }
    void give_up(ccloud::observed_call const& call, ccloud::error const& failure) noexcept override
    {
        note(call, "gives up: " + make_error_code(failure.code()).message());
    }

    std::vector<std::string> lines;

private:
    void note(ccloud::observed_call const& call, std::string const& what)
    {
        lines.push_back(
            std::to_string(call.id) + ' ' + std::string(to_string(call.method)) + ' ' + std::string(call.path) + ' ' +
            what
        );
    }
};

} // namespace

// ---- timeouts

TEST_CASE("T2: a wall clock that jumps changes no wait and no deadline")
{
    auto wire = std::make_shared<jumping_wire>();
    wire->reply(429).header("Retry-After", "7");
    wire->reply(429)
        .header("Retry-After", "Sun, 06 Nov 1994 08:49:39 GMT")
        .header("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
    wire->reply(503).hang();
    stage on(wire);
    auto const got = on.ask(get("/a/v1/things"), {.timeout = 20s, .attempt_timeout = 0ms});
    REQUIRE(!got.has_value());
    CHECK(got.error().code() == errc::deadline_exceeded);
    CHECK(got.error().elapsed() == 20s);
    CHECK(on.elapsed() == 20s);
    CHECK(times(*wire) == times_of({0s, 7s, 9s, 9s}));
}

TEST_CASE("T3: a try is limited by attempt_timeout, or by what is left of the call where that is less")
{
    auto wire = script();
    wire->hang().hang();
    stage on(wire);
    auto const got = on.ask(get("/a/v1/things"), {.timeout = 40s, .attempt_timeout = 30s});
    REQUIRE(!got.has_value());
    CHECK(got.error().code() == errc::deadline_exceeded);
    REQUIRE(got.error().attempts().size() == 2);
    CHECK(got.error().attempts()[0].took == 30s);
    CHECK(got.error().attempts()[0].code == errc::attempt_timeout);
    CHECK(got.error().attempts()[1].took == 10s);
    CHECK(got.error().attempts()[1].code == errc::deadline_exceeded);
    CHECK(on.elapsed() == 40s);
}

TEST_CASE("T1, T3: time in line counts: what is left for the try is less by it")
{
    auto wire = talk([](ccloud::http_request const&) { return said(200).after(1h); });
    stage on(wire, with_connections(1));
    auto& first = on.call(get("/a/v1/things/1"), {.timeout = 8s});
    auto& second = on.call(get("/a/v1/things/2"), {.timeout = 10s});
    auto& third = on.call(get("/a/v1/things/3"), {.timeout = 5s});
    on.run();
    CHECK(first.failure().elapsed() == 8s);
    CHECK(second.failure().elapsed() == 10s);
    CHECK(second.failure().attempts().at(0).took == 2s);
    CHECK(third.failure().code() == errc::deadline_exceeded);
    CHECK(third.failure().elapsed() == 5s);
    CHECK(third.failure().progress() == progress::not_sent);
    CHECK(third.failure() == condition::timed_out);
    CHECK(third.failure().detail() == "waiting in line");
    CHECK(targets(*wire) == list_of("/a/v1/things/1", "/a/v1/things/2"));
    check_quiet(on, 500);
}

TEST_CASE("T5: the timer of a try, the deadline and the caller's cancellation are three ends; only the first repeats")
{
    auto wire = talk([](ccloud::http_request const&) { return said(200).after(1h); });
    stage on(wire);
    auto policy = ccloud::retry_policy::defaults();
    policy.max_attempts = 2;

    auto const tried = on.ask(get("/a/v1/things"), {.attempt_timeout = 5s, .retry = policy});
    REQUIRE(!tried.has_value());
    CHECK(tried.error().code() == errc::attempt_timeout);
    CHECK(tried.error().gave_up() == gave_up::attempts_exhausted);
    CHECK(tried.error().attempts().size() == 2);
    CHECK(tried.error().elapsed() == 10s);

    for (auto const limit : {0ms, 5'000ms, 6'000ms}) // none, the same moment, later
    {
        auto const late = on.ask(get("/a/v1/things"), {.timeout = 5s, .attempt_timeout = limit, .retry = policy});
        REQUIRE(!late.has_value());
        CHECK(late.error().code() == errc::deadline_exceeded);
        CHECK(late.error().gave_up() == gave_up::not_retryable);
        CHECK(late.error().attempts().size() == 1);
        CHECK(late.error().elapsed() == 5s);
    }

    auto& unwanted = on.call(get("/a/v1/things"), {.attempt_timeout = 5s, .retry = policy});
    on.pass(1s);
    unwanted.cancel();
    on.poll();
    REQUIRE(unwanted.ended());
    CHECK(unwanted.failure().code() == errc::cancelled);
    CHECK(unwanted.failure().gave_up() == gave_up::not_retryable);
    CHECK(unwanted.failure().attempts().size() == 1);
    CHECK(unwanted.failure().elapsed() == 1s);
}

TEST_CASE("T4: a call with a deadline of 2 s and a server that asks for 60 s fails at once, with the hint in the error")
{
    auto wire = script();
    wire->reply(429, R"({"message":"slow down"})").header("Retry-After", "60");
    stage on(wire);
    auto const got = on.ask(get("/iam/v2/ip-groups/ipg-1"), {.timeout = 2s});
    REQUIRE(!got.has_value());
    auto const& failure = got.error();
    CHECK(failure.code() == errc::http_status);
    CHECK(failure.status() == 429);
    CHECK(failure == condition::throttled);
    CHECK(failure.gave_up() == gave_up::deadline_would_pass);
    CHECK(failure.retry_after() == 60s);
    CHECK(failure.attempts().at(0).server_hint == 60s);
    CHECK(failure.elapsed() == 0s);
    CHECK(on.elapsed() == 0s);
    CHECK(wire->waits().empty());
    CHECK(
        failure.what() == "GET /iam/v2/ip-groups/ipg-1: HTTP 429: slow down (attempt 1 in 0 ms, server asked for 60 s, "
                          "waiting longer would pass the deadline)"
    );
    check_quiet(on, 500);
}

// ---- gate

TEST_CASE("G1: a 429 holds back every call of the endpoint, first tries included, and no other endpoint's")
{
    auto wire = throttles_once("/a/v1/things/1", "7");
    stage on(wire);
    auto& first = on.call(get("/a/v1/things/1"));
    auto& second = on.call(get("/a/v1/things/2?page_size=1"));
    auto& elsewhere = on.call(get("/a/v1/others/1"));
    CHECK(elsewhere.ended());
    CHECK(!first.ended());
    CHECK(!second.ended());
    CHECK(on.cloud().metrics().waiting == 2);
    on.pass(3s);
    auto& third = on.call(post("/a/v1/things"));
    on.run();
    CHECK(first.ok());
    CHECK(second.ok());
    CHECK(third.ok());
    CHECK(
        targets(*wire) ==
        list_of("/a/v1/things/1", "/a/v1/others/1", "/a/v1/things/1", "/a/v1/things/2?page_size=1", "/a/v1/things")
    );
    CHECK(times(*wire) == times_of({0s, 0s, 7s, 7s, 7s}));
    check_quiet(on, 500);
}

TEST_CASE("G1: what the server asks for later only moves the opening further away")
{
    auto wire = talk([](ccloud::http_request const& request) {
        if (request.target() == "/a/v1/things/1")
            return said(429).with("Retry-After", "30").after(500ms);
        if (request.target() == "/a/v1/things/2")
            return said(429).with("Retry-After", "5").after(1s);
        if (request.target() == "/a/v1/things/3")
            return said(429).with("Retry-After", "60").after(2s);
        return said(200);
    });
    stage on(wire);
    auto policy = ccloud::retry_policy::none();
    for (auto const* target : {"/a/v1/things/1", "/a/v1/things/2", "/a/v1/things/3"})
        on.add(get(target), {.retry = policy});
    on.pass(2s);
    CHECK(wire->requests().size() == 3);
    auto const got = on.ask(get("/a/v1/things/4"));
    CHECK(got.has_value());
    CHECK(on.elapsed() == 62s);
}

TEST_CASE("G4: calls go in order of arrival; one that was turned away goes before all that came later")
{
    auto wire = throttles_once("/a/v1/things/1", "7");
    stage on(wire, with_connections(1));
    for (auto const* target : {"/a/v1/things/1", "/a/v1/things/2", "/a/v1/things/3", "/a/v1/things/4"})
        on.add(get(target));
    on.run();
    CHECK(
        targets(*wire) ==
        list_of("/a/v1/things/1", "/a/v1/things/1", "/a/v1/things/2", "/a/v1/things/3", "/a/v1/things/4")
    );

    // Several that were turned away together keep their order among themselves, whoever's answer was first.
    int left = 3;
    auto together = talk([&left](ccloud::http_request const& request) {
        if (left-- <= 0)
            return said(200);
        return said(429).with("Retry-After", "7").after(request.target().back() == '1' ? 900ms : 100ms);
    });
    stage crowd(together);
    for (auto const* target : {"/a/v1/things/1", "/a/v1/things/2", "/a/v1/things/3"})
        crowd.call(get(target));
    crowd.pass(500ms);
    crowd.call(get("/a/v1/things/4"));
    crowd.run();
    auto const order = targets(*together);
    REQUIRE(order.size() == 7);
    CHECK(
        std::vector(order.begin() + 3, order.end()) ==
        list_of("/a/v1/things/1", "/a/v1/things/2", "/a/v1/things/3", "/a/v1/things/4")
    );
    check_quiet(crowd, 500);
}

TEST_CASE(
    "G2, G4: those that were turned away together without a hint wait for the gate alone, and go in order of arrival"
)
{
    int sent = 0;
    auto wire = talk([&sent](ccloud::http_request const&) { return said(++sent <= 3 ? 429 : 200).after(100ms); });
    stage on(wire);
    for (char const* id : {"1", "2", "3"})
        on.add(get(std::string("/a/v1/things/") + id));
    on.run();
    CHECK(
        targets(*wire) ==
        list_of(
            "/a/v1/things/1", "/a/v1/things/2", "/a/v1/things/3", "/a/v1/things/1", "/a/v1/things/2", "/a/v1/things/3"
        )
    );
    CHECK(times(*wire) == times_of({0ms, 0ms, 0ms, 600ms, 700ms, 700ms})); // closed for 500 ms, then one, then two
    check_quiet(on, 500);
}

TEST_CASE("G6: pacing is advice: where waiting for the window does not fit the deadline, the call is sent")
{
    auto wire = talk([](ccloud::http_request const&) {
        return said(200)
            .with("X-RateLimit-Limit", "10")
            .with("X-RateLimit-Remaining", "0")
            .with("X-RateLimit-Reset", "30");
    });
    stage on(wire);
    CHECK(on.ask(get("/a/v1/things/1")).has_value());
    auto& patient = on.call(get("/a/v1/things/2"));
    auto& hurried = on.call(get("/a/v1/things/3"), {.timeout = 10s});
    CHECK(hurried.ok());
    CHECK(!patient.ended());
    on.run();
    CHECK(patient.ok());
    CHECK(targets(*wire) == list_of("/a/v1/things/1", "/a/v1/things/3", "/a/v1/things/2"));
    CHECK(times(*wire) == times_of({0s, 0s, 30s}));
    check_quiet(on, 500);
}

TEST_CASE(
    "G5: a call that waits for the server's window goes at its end or up to 250 ms later, so clients are not in step"
)
{
    for (bool const late : {false, true})
    {
        auto wire = talk([](ccloud::http_request const&) {
            return said(200).with("X-RateLimit-Remaining", "0").with("X-RateLimit-Reset", "30");
        });
        wire->dice(late ? ~std::uint64_t(0) : 0);
        stage on(wire);
        CHECK(on.ask(get("/a/v1/things/1")).has_value());
        CHECK(on.ask(get("/a/v1/things/2")).has_value());
        CHECK(times(*wire) == times_of({0s, late ? 30s + 250ms : 30s}));
    }
}

TEST_CASE(
    "G6: where the window is prolonged, a call in line behind another is sent when its last moment for an attempt comes"
)
{
    auto wire = talk([](ccloud::http_request const& request) {
        auto const id = request.target().back();
        return said(200)
            .with("X-RateLimit-Remaining", "0")
            .with(
                "X-RateLimit-Reset", id == '1'   ? "30"
                                     : id == '4' ? "60"
                                                 : "31"
            );
    });
    auto settings = test_config();
    settings.retry.min_attempt_budget = 1s;
    stage on(wire, settings);
    CHECK(on.ask(get("/a/v1/things/1")).has_value());
    on.call(get("/a/v1/things/2"), {.timeout = 0s});
    on.call(get("/a/v1/things/3"), {.timeout = 35s});
    on.pass(5s);
    on.call(get("/a/v1/things/4"), {.timeout = 3s}); // cannot wait, and hears of a longer window
    on.run();
    CHECK(targets(*wire) == list_of("/a/v1/things/1", "/a/v1/things/4", "/a/v1/things/3", "/a/v1/things/2"));
    CHECK(times(*wire) == times_of({0s, 5s, 34s, 65s}));
    for (auto const& call : on.calls())
        CHECK(call.ok());
    check_quiet(on, 500);
}

TEST_CASE("G6: Retry-After is an order: a call that cannot wait for it is not sent, and fails at once")
{
    auto wire = throttles_once("/a/v1/things/1", "60");
    stage on(wire);
    on.call(get("/a/v1/things/1"));
    on.pass(20s);
    auto& late = on.call(get("/a/v1/things/2"), {.timeout = 2s});
    REQUIRE(late.ended());
    auto const& failure = late.failure();
    CHECK(failure.code() == errc::rate_limited);
    CHECK(failure == condition::throttled);
    CHECK(failure == condition::timed_out);
    CHECK(failure.gave_up() == gave_up::deadline_would_pass);
    CHECK(failure.retry_after() == 40s);
    CHECK(failure.progress() == progress::not_sent);
    CHECK(failure.attempts().empty());
    CHECK(failure.elapsed() == 0s);
    CHECK(failure.what().find("opens in 40 s") != std::string::npos);
    CHECK(wire->requests().size() == 1);
    CHECK(on.cloud().metrics().refused == 1);
    // A second must be left for the try itself.
    CHECK(on.call(get("/a/v1/things/3"), {.timeout = 40'999ms}).ended());
    auto& fits = on.call(get("/a/v1/things/4"), {.timeout = 41s});
    on.run();
    CHECK(fits.ok());
    check_quiet(on, 500);
}

TEST_CASE("G6, T4: a call in line for which the gate closes too long ends then, and is not sent either")
{
    auto wire = talk([](ccloud::http_request const&) { return said(429).with("Retry-After", "60").after(3s); });
    stage on(wire, with_connections(1));
    on.add(get("/a/v1/things/1"), {.retry = ccloud::retry_policy::none()});
    auto& waiting = on.call(get("/a/v1/things/2"), {.timeout = 10s});
    on.run_to(waiting);
    CHECK(waiting.failure().code() == errc::rate_limited);
    CHECK(waiting.failure().gave_up() == gave_up::deadline_would_pass);
    CHECK(waiting.failure().retry_after() == 60s);
    CHECK(waiting.failure().elapsed() == 3s);
    CHECK(wire->requests().size() == 1);
    check_quiet(on, 500);
}

TEST_CASE("G7: a call in line that does not want to wait ends when the limit is used up")
{
    auto const used_up = said(200).with("X-RateLimit-Remaining", "0").with("X-RateLimit-Reset", "30").after(3s);
    auto const turned_away = said(429).with("Retry-After", "30").after(3s);
    for (auto const& first : {used_up, turned_away})
    {
        CAPTURE(first.status);
        auto wire = talk([&](ccloud::http_request const&) { return first; });
        stage on(wire, with_connections(1));
        on.add(get("/a/v1/things/1"), {.retry = ccloud::retry_policy::none()});
        auto impatient = ccloud::retry_policy::defaults();
        impatient.on_exhausted = ccloud::on_exhausted::fail_fast;
        auto& waiting = on.call(get("/a/v1/things/2"), {.retry = impatient});
        CHECK(!waiting.ended());
        on.run_to(waiting);
        CHECK(waiting.failure().code() == errc::rate_limited);
        CHECK(waiting.failure().gave_up() == gave_up::limit_exhausted);
        CHECK(waiting.failure().retry_after() == 30s);
        CHECK(waiting.failure().elapsed() == 3s);
        CHECK(wire->requests().size() == 1);
        check_quiet(on, 500);
    }
}

TEST_CASE("G7: fail_fast ends a call instead of letting it wait for the server's limit")
{
    auto settings = test_config();
    settings.retry.on_exhausted = ccloud::on_exhausted::fail_fast;
    auto wire = throttles_once("/a/v1/things/1", "7");
    stage on(wire, settings);
    auto& turned_away = on.call(get("/a/v1/things/1"));
    REQUIRE(turned_away.ended());
    CHECK(turned_away.failure().status() == 429);
    CHECK(turned_away.failure().gave_up() == gave_up::limit_exhausted);
    CHECK(turned_away.failure().retry_after() == 7s);

    on.pass(2s);
    auto& held = on.call(get("/a/v1/things/2"));
    REQUIRE(held.ended());
    CHECK(held.failure().code() == errc::rate_limited);
    CHECK(held.failure().gave_up() == gave_up::limit_exhausted);
    CHECK(held.failure().retry_after() == 5s);
    CHECK(held.failure() == condition::throttled);
    CHECK(held.failure() != condition::timed_out);

    auto policy = ccloud::retry_policy::defaults(); // a call's own word counts
    auto& patient = on.call(get("/a/v1/things/3"), {.retry = policy});
    CHECK(!patient.ended());
    on.run();
    CHECK(patient.ok());
    CHECK(on.elapsed() == 7s);
    check_quiet(on, 500);
}

TEST_CASE("G7: fail_fast heeds the pacing too, but waits for a place among the requests under way")
{
    auto settings = with_connections(1);
    settings.retry.on_exhausted = ccloud::on_exhausted::fail_fast;
    auto wire = talk([](ccloud::http_request const& request) {
        bool const last = request.target() == "/a/v1/things/2";
        return said(200).with("X-RateLimit-Remaining", last ? "0" : "9").with("X-RateLimit-Reset", "30").after(1s);
    });
    stage on(wire, settings);
    auto& first = on.call(get("/a/v1/things/1"));
    auto& second = on.call(get("/a/v1/things/2"));
    CHECK(!second.ended());
    on.run();
    CHECK(first.ok());
    CHECK(second.ok());
    auto& third = on.call(get("/a/v1/things/3"));
    REQUIRE(third.ended());
    CHECK(third.failure().code() == errc::rate_limited);
    CHECK(third.failure().gave_up() == gave_up::limit_exhausted);
    CHECK(third.failure().retry_after() == 29s);
    check_quiet(on, 500);
}

namespace {

/** Throttles an endpoint three times in a row without a hint, lets `idle` pass, and throttles it again.
    @return how long the gate was closed then */
nanoseconds closed_after(nanoseconds idle)
{
    auto wire = talk([](ccloud::http_request const& request) {
        return said(request.target().starts_with("/a/v1/things") ? 429 : 200);
    });
    stage on(wire);
    auto const none = ccloud::retry_policy::none();
    for (int i = 0; i < 3; ++i)
    {
        CHECK(on.ask(get("/a/v1/things"), {.retry = none}).error().status() == 429);
        on.pass(10s);
    }
    on.pass(idle);
    CHECK(on.ask(get("/a/v1/others")).has_value()); // a new endpoint: what was idle for long is swept out
    CHECK(on.ask(get("/a/v1/things"), {.retry = none}).error().status() == 429);
    auto policy = none;
    policy.on_exhausted = ccloud::on_exhausted::fail_fast;
    auto const held = on.ask(get("/a/v1/things"), {.retry = policy});
    return held.error().retry_after().value();
}

} // namespace

TEST_CASE("G9: an endpoint that nobody used for ten minutes is forgotten, and its past with it")
{
    CHECK(closed_after(9min) == 4s);
    CHECK(closed_after(10min) == 500ms);
}

TEST_CASE("G9: endpoints to forget are looked for once a minute, however many new ones are used")
{
    auto wire = talk([](ccloud::http_request const& request) {
        return said(request.target().starts_with("/a/v1/things") ? 429 : 200);
    });
    stage on(wire);
    auto policy = ccloud::retry_policy::none();
    for (int i = 0; i < 3; ++i)
    {
        CHECK(on.ask(get("/a/v1/things"), {.retry = policy}).error().status() == 429);
        on.pass(10s);
    }
    on.pass(9min + 30s);
    CHECK(on.ask(get("/a/v1/others")).has_value()); // looks for endpoints that nobody used for ten minutes
    on.pass(40s);
    CHECK(on.ask(get("/a/v1/more")).has_value()); // does not look for them
    CHECK(on.ask(get("/a/v1/things"), {.retry = policy}).error().status() == 429);
    policy.on_exhausted = ccloud::on_exhausted::fail_fast;
    CHECK(on.ask(get("/a/v1/things"), {.retry = policy}).error().retry_after() == 4s);
}

TEST_CASE("G9: an endpoint that is still held back is not forgotten, however long that is")
{
    auto settings = test_config();
    settings.retry = ccloud::retry_policy::none();
    settings.retry.max_server_delay = 1h;
    auto wire = throttles_once("/a/v1/things/1", "1800");
    stage on(wire, settings);
    CHECK(on.ask(get("/a/v1/things/1")).error().status() == 429);
    on.pass(15min);
    CHECK(on.ask(get("/a/v1/others")).has_value());
    auto const held = on.ask(get("/a/v1/things/2"));
    REQUIRE(!held.has_value());
    CHECK(held.error().code() == errc::rate_limited);
    CHECK(held.error().retry_after() == 15min);
}

TEST_CASE("G9: very many scopes cost no more each than few do")
{
    constexpr int scopes = 20'000;
    auto settings = test_config();
    settings.rate_scope =
        ccloud::rate_scope::keyed([](ccloud::method, std::string_view target) { return std::string(target); });
    auto wire = talk([](ccloud::http_request const&) { return said(200); });
    wire->reserve(scopes);
    stage on(wire, settings);
    for (int i = 0; i < scopes; ++i)
        on.call(get("/a/" + std::to_string(i)));
    CHECK(on.cloud().metrics().succeeded == scopes);
    check_quiet(on, 500);
}

TEST_CASE("max_pending: so many calls wait in line, and one more is refused")
{
    auto settings = with_connections(1);
    settings.max_pending = 2;
    auto wire = talk([](ccloud::http_request const&) { return said(200).after(1s); });
    stage on(wire, settings);
    for (int i = 0; i < 3; ++i)
        on.call(get("/a/v1/things"));
    CHECK(on.cloud().metrics().waiting == 2);
    auto& refused = on.call(get("/a/v1/things"));
    REQUIRE(refused.ended());
    CHECK(refused.failure().code() == errc::queue_full);
    CHECK(refused.failure().progress() == progress::not_sent);
    CHECK(refused.failure().elapsed() == 0s);
    CHECK(on.call(get("/a/v1/others")).started); // another endpoint has a place, not a line
    CHECK(on.cloud().metrics().refused == 1);
    on.run();
    CHECK(wire->requests().size() == 4);
    check_quiet(on, 500);

    settings.max_pending = 0;
    stage open(wire, settings);
    for (int i = 0; i < 10; ++i)
        open.call(get("/a/v1/things"));
    CHECK(open.cloud().metrics().waiting == 9);
    open.run();
    check_quiet(open, 500);
}

TEST_CASE(
    "max_pending: a call that would wait in vain, or does not want to, hears that rather than that the line is full"
)
{
    auto settings = test_config();
    settings.max_pending = 1;
    auto wire = throttles_once("/a/v1/things/1", "60");
    stage on(wire, settings);
    on.call(get("/a/v1/things/1")); // which waits in the line until the gate opens
    CHECK(on.cloud().metrics().waiting == 1);

    auto impatient = ccloud::retry_policy::defaults();
    impatient.on_exhausted = ccloud::on_exhausted::fail_fast;
    auto& held = on.call(get("/a/v1/things/2"), {.retry = impatient});
    REQUIRE(held.ended());
    CHECK(held.failure().code() == errc::rate_limited);
    CHECK(held.failure().gave_up() == gave_up::limit_exhausted);
    CHECK(held.failure().retry_after() == 60s);

    auto& late = on.call(get("/a/v1/things/3"), {.timeout = 10s});
    REQUIRE(late.ended());
    CHECK(late.failure().code() == errc::rate_limited);
    CHECK(late.failure().gave_up() == gave_up::deadline_would_pass);
    CHECK(late.failure().retry_after() == 60s);

    auto& patient = on.call(get("/a/v1/things/4"), {.timeout = 120s});
    REQUIRE(patient.ended());
    CHECK(patient.failure().code() == errc::queue_full);
    CHECK(on.cloud().metrics().refused == 3);
    on.run();
    CHECK(wire->requests().size() == 2);
    check_quiet(on, 500);
}

TEST_CASE("rate_scope: endpoints, the whole client, or whatever a function names")
{
    struct row
    {
        ccloud::rate_scope scope;
        bool holds_same_environment;
        bool holds_other_endpoint;
    };
    auto by_environment = ccloud::rate_scope::keyed([](ccloud::method, std::string_view target) {
        return std::string(target.substr((std::min)(target.find("environment="), target.size())));
    });
    std::vector<row> const table{
        {ccloud::rate_scope::endpoint(), true, false},
        {ccloud::rate_scope::client(), true, true},
        {by_environment, true, true},
    };
    for (auto const& [scope, same, other] : table)
    {
        auto settings = test_config();
        settings.rate_scope = scope;
        auto wire = throttles_once("/a/v1/things?environment=e1", "7");
        stage on(wire, settings);
        on.call(get("/a/v1/things?environment=e1"));
        auto& again = on.call(get("/a/v1/things?environment=e1"));
        CHECK(again.ended() != same);
        auto& elsewhere = on.call(get("/b/v1/others?environment=e1"));
        CHECK(elsewhere.ended() != other);
        auto& next = on.call(get("/a/v1/things?environment=e2"));
        CHECK(next.ended() == (scope.key() && scope.key()(ccloud::method::get, "environment=") != ""));
        on.run();
        check_quiet(on, 500);
    }
}

TEST_CASE("S4: the gate closes for up to two minutes, although the client's own calls may not wait as long")
{
    for (auto const& [asked, closed] : {std::pair("30", 30s), std::pair("120", 120s), std::pair("121", 120s)})
    {
        CAPTURE(asked);
        auto settings = test_config();
        settings.retry.max_server_delay = 10s;
        auto wire = throttles_once("/a/v1/things/1", asked);
        stage on(wire, settings);
        auto const refused = on.ask(get("/a/v1/things/1"));
        REQUIRE(!refused.has_value());
        CHECK(refused.error().gave_up() == gave_up::retry_after_too_long);
        CHECK(on.ask(get("/a/v1/things/2"), {.timeout = 10min}).has_value());
        CHECK(on.elapsed() == closed);
    }
}

TEST_CASE("S4: the gate closes for all although the call that was turned away gives up")
{
    struct row
    {
        ccloud::retry_policy policy;
        char const* asked;
        gave_up why;
        nanoseconds closed;
    };
    auto short_patience = ccloud::retry_policy::defaults();
    short_patience.max_server_delay = 10s;
    std::vector<row> const table{
        {ccloud::retry_policy::none(), "30", gave_up::attempts_exhausted, 30s},
        {ccloud::retry_policy::defaults(), "121", gave_up::retry_after_too_long, 120s},
        {ccloud::retry_policy::defaults(), "99999", gave_up::retry_after_too_long, 120s},
        {short_patience, "30", gave_up::retry_after_too_long, 30s},
    };
    for (auto const& [policy, asked, why, closed] : table)
    {
        CAPTURE(asked);
        auto wire = throttles_once("/a/v1/things/1", asked);
        stage on(wire);
        auto const refused = on.ask(get("/a/v1/things/1"), {.retry = policy});
        REQUIRE(!refused.has_value());
        CHECK(refused.error().gave_up() == why);
        CHECK(refused.error().retry_after() == refused.error().attempts().at(0).server_hint);
        CHECK(on.elapsed() == 0s);
        CHECK(on.ask(get("/a/v1/things/2"), {.timeout = 10min}).has_value());
        CHECK(on.elapsed() == closed);
        check_quiet(on, 500);
    }
}

TEST_CASE("G3: after five failures in a row the endpoint is tried by one call at a time, until one succeeds")
{
    bool down = true;
    auto wire = talk([&down](ccloud::http_request const&) { return down ? said(503) : said(200).after(1s); });
    stage on(wire);
    auto const once = ccloud::retry_policy::none();
    for (int i = 0; i < 5; ++i)
        CHECK(on.ask(get("/a/v1/things"), {.retry = once}).error().status() == 503);
    down = false;
    for (int i = 0; i < 4; ++i)
        on.call(get("/a/v1/things"), {.retry = once});
    CHECK(wire->in_flight() == 1);
    CHECK(on.cloud().metrics().waiting == 3);
    on.pass(1s);
    CHECK(wire->in_flight() == 2);
    on.run();
    for (auto& each : on.calls())
        CHECK(each.ended());
    CHECK(on.elapsed() == 3s);
    check_quiet(on, 500);
}

TEST_CASE("G3: the error of a call that waited for the probes of a failing endpoint names the last failure")
{
    auto const once = ccloud::retry_policy::none();
    std::string const waits = "waiting in line: the endpoint fails, and is tried by one call at a time; ";
    SUBCASE("a status, of another call")
    {
        bool down = true;
        auto wire = talk([&down](ccloud::http_request const&) { return down ? said(503) : said(200).after(1h); });
        stage on(wire);
        for (int i = 0; i < 5; ++i)
            CHECK(on.ask(get("/a/v1/things"), {.retry = once}).error().status() == 503);
        down = false;
        on.call(get("/a/v1/things"), {.timeout = 8s, .retry = once});
        auto& waiting = on.call(get("/a/v1/things"), {.timeout = 3s, .retry = once});
        on.run();
        CHECK(waiting.failure() == errc::deadline_exceeded);
        CHECK(waiting.failure().attempts().empty());
        CHECK(waiting.failure().detail() == waits + "the last failure: HTTP status 503");
    }
    SUBCASE("a connection that could not be made, of another call")
    {
        auto wire = script();
        for (int i = 0; i < 5; ++i)
            wire->fail(errc::connect_failed, progress::not_sent);
        wire->hang();
        stage on(wire);
        for (int i = 0; i < 5; ++i)
            CHECK(on.ask(get("/a/v1/things"), {.retry = once}).error() == errc::connect_failed);
        on.call(get("/a/v1/things"), {.timeout = 8s, .retry = once});
        auto& waiting = on.call(get("/a/v1/things"), {.timeout = 3s, .retry = once});
        on.run();
        CHECK(waiting.failure() == errc::deadline_exceeded);
        CHECK(waiting.failure().attempts().empty());
        auto const reason = ccloud::make_error_code(errc::connect_failed).message();
        CHECK(waiting.failure().detail() == waits + "the last failure: " + reason);
    }
}

TEST_CASE("the error of a call whose deadline comes while it waits names the failure of its own last attempt")
{
    auto wire = script();
    wire->fail(errc::connect_failed, progress::not_sent).hang();
    wire->dice(~std::uint64_t(0));
    stage on(wire, with_connections(1));
    auto& failed = on.call(get("/a/v1/things/1"), {.timeout = 3s});
    on.call(get("/a/v1/things/2")); // takes the only place while the first one backs off
    on.run();
    CHECK(failed.failure() == errc::deadline_exceeded);
    CHECK(failed.failure().attempts().size() == 1);
    auto const reason = ccloud::make_error_code(errc::connect_failed).message();
    CHECK(failed.failure().detail() == "waiting in line; the last attempt: " + reason);
}

TEST_CASE("T1: no attempt begins once the deadline has come")
{
    SUBCASE("in line, when the call before it ends in that moment")
    {
        auto wire = talk([](ccloud::http_request const&) { return said(200).after(1h); });
        stage on(wire, with_connections(1));
        on.call(get("/a/v1/things/1"), {.timeout = 5s});
        auto& second = on.call(get("/a/v1/things/2"), {.timeout = 5s});
        on.run();
        CHECK(second.failure() == errc::deadline_exceeded);
        CHECK(second.failure().attempts().empty());
        CHECK(second.failure().detail() == "waiting in line");
        CHECK(wire->requests().size() == 1);
        CHECK(on.cloud().metrics().attempts == 1);
    }
    SUBCASE("after a redirect")
    {
        auto wire =
            talk([](ccloud::http_request const&) { return said(307).with("Location", "/a/v1/things/2").after(5s); });
        stage on(wire);
        auto const got = on.ask(get("/a/v1/things/1"), {.timeout = 5s, .attempt_timeout = 0ms});
        REQUIRE(!got.has_value());
        CHECK(got.error() == errc::deadline_exceeded);
        CHECK(got.error().attempts().size() == 1);
    }
}

TEST_CASE("G3: while an endpoint is probed, the pauses between the tries hold for all of its calls")
{
    int failures = 7;
    auto wire = talk([&failures](ccloud::http_request const&) { return failures-- > 0 ? said(503) : said(200); });
    wire->dice(~std::uint64_t(0));
    stage on(wire);
    auto const once = ccloud::retry_policy::none();
    for (int i = 0; i < 5; ++i)
        CHECK(on.ask(get("/a/v1/things/0"), {.retry = once}).error().status() == 503);
    auto& probe = on.call(get("/a/v1/things/1"));
    auto& other = on.call(get("/a/v1/things/2"));
    CHECK(wire->requests().size() == 6);
    on.run();
    CHECK(probe.ok());
    CHECK(other.ok());
    // The probe alone, with its backoffs between; then all go on.
    auto const when = times(*wire);
    auto const sent = targets(*wire);
    REQUIRE(sent.size() == 9);
    CHECK(sent[5] == "/a/v1/things/1");
    CHECK(sent[6] == "/a/v1/things/1");
    CHECK(sent[7] == "/a/v1/things/1");
    CHECK(sent[8] == "/a/v1/things/2");
    CHECK(when[5] == 0s);
    CHECK(when[6] - when[5] >= 500ms);
    CHECK(when[7] - when[6] >= 1s);
    CHECK(when[8] == when[7]);
    CHECK(on.cloud().metrics().in_flight == 0);
    CHECK(on.cloud().metrics().waiting == 0);
}

TEST_CASE("G3: a backoff as long as max_delay is a pause between probes for all calls, too")
{
    int failures = 6;
    auto wire = talk([&failures](ccloud::http_request const&) { return failures-- > 0 ? said(503) : said(200); });
    wire->dice(~std::uint64_t(0));
    auto settings = test_config();
    settings.retry.max_delay = 2s;
    settings.retry.base_delay = 2s;
    stage on(wire, settings);
    auto const once = ccloud::retry_policy::none();
    for (int i = 0; i < 5; ++i)
        CHECK(on.ask(get("/a/v1/things/0"), {.retry = once}).error().status() == 503);
    on.add(get("/a/v1/things/1"));
    on.add(get("/a/v1/things/2"));
    on.run();
    auto const when = times(*wire);
    REQUIRE(when.size() == 8);
    CHECK(when[5] == 0s);
    CHECK(when[6] >= 2s);
    CHECK(when[7] >= 2s);
}

TEST_CASE("G3: the pause between probes is at most five seconds, so the end of an outage is noticed soon")
{
    auto settings = test_config();
    settings.retry.max_attempts = 100;
    settings.retry_budget = 0;
    bool down = true;
    auto wire = talk([&down](ccloud::http_request const&) { return down ? said(503) : said(200); });
    wire->dice(~std::uint64_t(0)); // every backoff is as long as it can be: 20 s in the end
    stage on(wire, settings);
    for (int i = 0; i < 6; ++i)
        on.add(get("/a/v1/things/" + std::to_string(i)), {.timeout = 0s});
    on.pass(100s);
    auto const in_outage = times(*wire);
    auto longest = 0ns;
    for (std::size_t i = 1; i < in_outage.size(); ++i)
        longest = std::max<std::chrono::nanoseconds>(longest, in_outage[i] - in_outage[i - 1]);
    CHECK(longest == 5s);
    auto& later = on.call(get("/a/v1/things/later"), {.timeout = 0s});
    CHECK(!later.ended());
    down = false;
    auto const recovered = on.elapsed();
    on.run_to(later);
    CHECK(later.ok());
    CHECK(on.since_start(later.ended_at) - recovered <= 5s);
    on.run();
    CHECK(on.cloud().metrics().in_flight == 0);
    CHECK(on.cloud().metrics().waiting == 0);
}

TEST_CASE("G4: 100,000 calls at a closed gate wake in order, with one timer each")
{
#ifdef __SANITIZE_THREAD__
    constexpr std::size_t crowd = 20'000; // it takes its time
#else
    constexpr std::size_t crowd = 100'000;
#endif
    auto settings = test_config();
    settings.max_pending = crowd + 1;
    bool first = true;
    auto wire = std::make_shared<counting_wire>([&first](ccloud::http_request const&) {
        if (std::exchange(first, false))
            return said(429).with("Retry-After", "60");
        return said(200);
    });
    wire->reserve(crowd + 2);
    stage on(wire, settings);
    for (std::size_t i = 0; i <= crowd; ++i)
        on.add(get("/a/v1/things/" + std::to_string(i)));
    on.poll();
    CHECK(wire->requests().size() == 1);
    CHECK(on.cloud().metrics().waiting == crowd + 1);
    CHECK(wire->most == crowd + 2); // the gate's own
    on.run();
    CHECK(on.elapsed() == 60s);
    REQUIRE(wire->requests().size() == crowd + 2);
    bool in_order = true;
    for (std::size_t i = 0; i <= crowd; ++i)
        in_order = in_order && wire->requests()[i + 1].request.target() == "/a/v1/things/" + std::to_string(i);
    CHECK(in_order);
    CHECK(wire->armings <= crowd + 3);
    CHECK(on.cloud().metrics().gate_waits == crowd + 1);
    CHECK(on.cloud().metrics().gate_waited == (crowd + 1) * nanoseconds(60s));
    check_quiet(on, 500);
}

// ---- budget

TEST_CASE("Q2: without budget a call ends after its first try, with the answer it got; first tries are never held back")
{
    auto settings = test_config();
    settings.retry_budget = 20;
    auto wire = talk([](ccloud::http_request const&) { return failing().with("X-Request-Id", "r"); });
    stage on(wire, settings);
    auto const twice = on.ask(get("/a/v1/things"));
    REQUIRE(!twice.has_value());
    CHECK(twice.error().gave_up() == gave_up::retry_budget_exhausted);
    CHECK(twice.error().status() == 503);
    CHECK(twice.error().request_id() == "r");
    CHECK(twice.error().attempts().size() == 2);
    CHECK(twice.error().attempts().back().reason == retry_reason::none);
    for (int i = 0; i < 3; ++i)
    {
        auto const once = on.ask(get("/a/v1/things"));
        CHECK(once.error().gave_up() == gave_up::retry_budget_exhausted);
        CHECK(once.error().attempts().size() == 1);
    }
    CHECK(on.elapsed() == 0s);
    CHECK(on.cloud().metrics().budget_exhausted == 4);
    CHECK(on.cloud().metrics().transient_retries == 1);
    check_quiet(on, 6);

    settings.retry_budget = 0; // no such limit
    stage free(wire, settings);
    CHECK(free.ask(get("/a/v1/things")).error().attempts().size() == 6);
    check_quiet(free, 0);
}

TEST_CASE(
    "Q1: 14 for a repetition after a failure, 5 after a 429; back on success, one for a success at once, one a second"
)
{
    auto settings = test_config();
    settings.retry_budget = 100;
    auto wire = script();
    stage on(wire, settings);
    auto const left = [&on] { return on.cloud().metrics().retry_budget; };
    for (int i = 0; i < 6; ++i)
        wire->reply(503);
    CHECK(!on.ask(get("/a/v1/things")).has_value());
    CHECK(left() == 30);
    wire->reply(200);
    CHECK(on.ask(get("/a/v1/things")).has_value());
    CHECK(left() == 31);
    wire->reply(503).reply(200);
    CHECK(on.ask(get("/a/v1/things")).has_value());
    CHECK(left() == 31);
    wire->reply(503).reply(503).reply(200); // the last repetition alone comes back
    CHECK(on.ask(get("/a/v1/things")).has_value());
    CHECK(left() == 17);
    wire->reply(421).reply(200); // free, and no success at once
    CHECK(on.ask(get("/a/v1/things")).has_value());
    CHECK(left() == 17);
    wire->reply(429).header("Retry-After", "0").reply(429).header("Retry-After", "0").reply(404);
    CHECK(!on.ask(get("/a/v1/things")).has_value());
    CHECK(on.elapsed() == 1500ms); // without a hint: 500 ms and 1 s
    CHECK(left() == 8);            // one came back meanwhile
    on.pass(2'500ms);
    wire->reply(200);
    CHECK(on.ask(get("/a/v1/things")).has_value());
    CHECK(left() == 12); // four seconds in all
    on.pass(1h);
    wire->reply(200);
    CHECK(on.ask(get("/a/v1/things")).has_value());
    CHECK(left() == 100);
    CHECK(wire->remaining() == 0);
    check_quiet(on, 100);
}

TEST_CASE("Q3: a repetition that is cancelled before it is sent gives its tokens back")
{
    struct row
    {
        int status;
        std::int64_t left;
    };
    for (auto const& [status, left] : {row{429, 495}, row{503, 486}})
    {
        auto wire = script();
        wire->reply(status).dice(~std::uint64_t(0));
        stage on(wire);
        auto& call = on.call(get("/a/v1/things"), {}, support::hears::anything);
        CHECK(!call.ended());
        CHECK(on.cloud().metrics().retry_budget == left);
        call.cancel();
        on.poll();
        REQUIRE(call.ended());
        CHECK(call.failure().code() == errc::cancelled);
        CHECK(wire->requests().size() == 1);
        check_quiet(on, 500);
    }
    // One that was sent has cost what it cost.
    auto wire = script();
    wire->reply(503).hang();
    stage on(wire);
    auto& call = on.call(get("/a/v1/things"));
    on.pass(1ms);
    call.cancel();
    on.poll();
    REQUIRE(call.ended());
    CHECK(call.failure().attempts().size() == 2);
    check_quiet(on, 486);
}

// ---- what is sent again

TEST_CASE("I2: an idempotency key makes a POST repeatable, the same in every try, another in another call")
{
    auto wire = std::make_shared<dicing_wire>();
    wire->fail(errc::connection_lost, progress::maybe_sent).reply(500).reply(201).reply(201).reply(201);
    wire->reply(500);
    stage on(wire);
    auto keyed = post("/a/v1/things");
    keyed.idempotency_key();
    CHECK(on.ask(keyed).has_value());
    CHECK(on.ask(keyed).has_value());
    auto own = post("/a/v1/things");
    own.idempotency_key("order-7");
    CHECK(on.ask(own).has_value());
    auto const key = header_of(*wire, 0, "Idempotency-Key");
    CHECK(key.size() == 32);
    CHECK(key.find_first_not_of("0123456789abcdef") == std::string::npos);
    CHECK(header_of(*wire, 1, "Idempotency-Key") == key);
    CHECK(header_of(*wire, 2, "Idempotency-Key") == key);
    CHECK(header_of(*wire, 3, "Idempotency-Key") != key);
    CHECK(header_of(*wire, 3, "Idempotency-Key").size() == 32);
    CHECK(header_of(*wire, 4, "Idempotency-Key") == "order-7");
    auto by_field = post("/a/v1/things");
    by_field.header("Idempotency-Key", "order-8"); // says nothing of what may be repeated
    CHECK(on.ask(by_field).error().status() == 500);
}

TEST_CASE("I3: the body is the same bytes in every try, for the call owns it")
{
    auto wire = script();
    std::string const body("{\"binary\":\"\0\xff\r\n\"}", 18);
    wire->reply(429).header("Retry-After", "1").reply(421).fail(errc::connect_failed, progress::not_sent).reply(201);
    stage on(wire);
    {
        auto request = post("/a/v1/things", body);
        on.add(request);
        request.body("changed by the caller");
    }
    on.run();
    CHECK(on.calls().front().ok());
    REQUIRE(wire->requests().size() == 4);
    for (auto const& each : wire->requests())
    {
        CHECK(each.request.body() == body);
        CHECK(each.request.headers().text() == wire->requests().front().request.headers().text());
    }
}

TEST_CASE("I4: a source of tokens is asked before every try, and after a 401 with the token that was refused")
{
    std::vector<std::string> asked;
    int number = 0;
    auto settings = test_config();
    settings.credentials = ccloud::token_source([&](std::string_view rejected) {
        asked.emplace_back(rejected);
        return "token-" + std::to_string(++number);
    });
    auto const eye = std::make_shared<diary>();
    settings.observer = eye;
    auto wire = script();
    wire->reply(503).reply(401).reply(429).header("Retry-After", "1").reply(200);
    wire->reply(401).reply(401);
    stage on(wire, settings);
    auto request = post("/a/v1/things");
    request.idempotency_key();
    CHECK(on.ask(request).has_value());
    CHECK(asked == list_of("", "", "token-2", ""));
    for (std::size_t i = 0; i < 4; ++i)
    {
        CHECK(header_of(*wire, i, "Authorization") == "Bearer token-" + std::to_string(i + 1));
        CHECK(header_of(*wire, i, "Idempotency-Key") == header_of(*wire, 0, "Idempotency-Key"));
        auto const text = wire->requests()[i].request.headers().text();
        CHECK(text.find("Authorization") == text.rfind("Authorization"));
    }
    CHECK(on.cloud().metrics().replays == 1);
    CHECK(on.cloud().metrics().retry_budget == 487); // 14 are gone, 5 came back, and one for a second
    asked.clear();

    auto const refused = on.ask(get("/a/v1/things"));
    REQUIRE(!refused.has_value());
    CHECK(refused.error() == condition::unauthenticated);
    CHECK(refused.error().attempts().size() == 2);
    CHECK(refused.error().attempts()[0].reason == retry_reason::new_credentials);
    CHECK(asked == list_of("", "token-5", "token-6"));
    CHECK(wire->waits() == times_of({0s, 1s}));

    // The call's id stays, the number of the try does not.
    std::vector<std::string> starts;
    for (auto const& line : eye->lines)
        if (line.find("starts") != std::string::npos)
            starts.push_back(line);
    CHECK(
        starts == list_of(
                      "1 POST /a/v1/things starts #1", "1 POST /a/v1/things starts #2", "1 POST /a/v1/things starts #3",
                      "1 POST /a/v1/things starts #4", "2 GET /a/v1/things starts #1", "2 GET /a/v1/things starts #2"
                  )
    );
    for (auto const& line : eye->lines)
        CHECK(line.find("token") == std::string::npos);
}

TEST_CASE("I4: a 401 is final where the source has no other token, and for a key or a fixed token")
{
    auto settings = test_config();
    for (ccloud::credentials const& who :
         {ccloud::credentials(ccloud::token_source([](std::string_view) { return std::string("same"); })),
          ccloud::credentials(ccloud::token_source([](std::string_view rejected) {
              if (!rejected.empty())
                  throw std::runtime_error("no other");
              return std::string("one");
          })),
          ccloud::credentials(ccloud::bearer_token("fixed")), ccloud::credentials(ccloud::api_key("k", "s"))})
    {
        settings.credentials = who;
        auto wire = script();
        wire->reply(401);
        stage on(wire, settings);
        auto const got = on.ask(get("/a/v1/things"));
        REQUIRE(!got.has_value());
        CHECK(got.error() == condition::unauthenticated);
        CHECK(wire->requests().size() == 1);
        check_quiet(on, 500);
    }
}

TEST_CASE("I4: a source that throws, gives nothing, or gives what cannot be sent ends the call before it is sent")
{
    std::vector<ccloud::token_source::function> const sources{
        [](std::string_view) -> std::string { throw std::runtime_error("secret-in-text"); },
        [](std::string_view) -> std::string { throw 7; },
        [](std::string_view) { return std::string(); },
        [](std::string_view) { return std::string("a b"); },
        [](std::string_view) { return std::string("a\r\nX: y"); },
        [](std::string_view) { return std::string("a\0b", 3); },
    };
    for (auto const& source : sources)
    {
        auto settings = test_config();
        settings.credentials = ccloud::token_source(source);
        auto wire = script();
        stage on(wire, settings);
        auto const got = on.ask(get("/a/v1/things"));
        REQUIRE(!got.has_value());
        CHECK(got.error().code() == errc::credentials_unavailable);
        CHECK(got.error().progress() == progress::not_sent);
        CHECK(got.error().attempts().empty());
        CHECK(got.error().what().find("secret") == std::string::npos);
        CHECK(wire->requests().empty());
        check_quiet(on, 500);
    }

    // Before a repetition too; what the last try brought is kept, and what the repetition would have cost.
    int given = 0;
    auto settings = test_config();
    settings.credentials =
        ccloud::token_source([&given](std::string_view) { return ++given == 1 ? std::string("one") : std::string(); });
    auto wire = script();
    wire->reply(429).header("Retry-After", "1");
    stage on(wire, settings);
    auto const got = on.ask(get("/a/v1/things"));
    REQUIRE(!got.has_value());
    CHECK(got.error().code() == errc::credentials_unavailable);
    CHECK(got.error().status() == 429);
    CHECK(got.error().attempts().size() == 1);
    check_quiet(on, 500);
}

TEST_CASE("a policy of the call comes before the client's; an impossible one is refused before anything is sent")
{
    auto wire = script();
    wire->reply(503).reply(503).reply(503).reply(429).header("Retry-After", "1");
    stage on(wire);
    auto policy = ccloud::retry_policy::defaults();
    policy.max_attempts = 3;
    CHECK(on.ask(get("/a/v1/things"), {.retry = policy}).error().attempts().size() == 3);
    CHECK(on.ask(get("/a/v1/things"), {.retry = ccloud::retry_policy::none()}).error().attempts().size() == 1);
    CHECK(wire->remaining() == 0);

    struct row
    {
        char const* what;
        void (*spoil)(ccloud::retry_policy&);
    };
    constexpr std::array<row, 7> table{{
        {"retry.max_attempts", [](ccloud::retry_policy& p) { p.max_attempts = 0; }},
        {"retry.max_attempts", [](ccloud::retry_policy& p) { p.max_attempts = 101; }},
        {"retry.max_throttle_retries", [](ccloud::retry_policy& p) { p.max_throttle_retries = -1; }},
        {"retry.base_delay", [](ccloud::retry_policy& p) { p.max_delay = p.base_delay - 1ms; }},
        {"retry.throttle_base_delay", [](ccloud::retry_policy& p) { p.throttle_base_delay = -1ms; }},
        {"retry.max_server_delay", [](ccloud::retry_policy& p) { p.max_server_delay = -1ms; }},
        {"retry.min_attempt_budget", [](ccloud::retry_policy& p) { p.min_attempt_budget = -1ms; }},
    }};
    for (auto const& [what, spoil] : table)
    {
        auto impossible = ccloud::retry_policy::defaults();
        spoil(impossible);
        auto const refused = on.ask(get("/a/v1/things"), {.retry = impossible});
        REQUIRE(!refused.has_value());
        CHECK(refused.error().code() == errc::invalid_argument);
        CHECK(refused.error().detail().starts_with(what));
    }
    CHECK(on.cloud().metrics().attempts == 4);
    CHECK(on.cloud().metrics().in_flight == 0);
    CHECK(on.cloud().metrics().calls == on.cloud().metrics().failed);
}

// ---- every end

TEST_CASE("X3: whatever a call ends in, nothing is held afterwards")
{
    struct row
    {
        char const* what;
        std::function<void(ccloud::testing::scripted_transport&)> script;
        ccloud::call_options options;
        std::int64_t budget;
        bool cancels = false;
        bool closes = false;
    };
    using wire_reference = ccloud::testing::scripted_transport&;
    auto const none = ccloud::retry_policy::none();
    std::vector<row> const table{
        {"success", [](wire_reference w) { w.reply(200); }, {}, 500},
        {"success after a failure", [](wire_reference w) { w.reply(503).reply(200); }, {}, 500},
        {"success after a 429", [](wire_reference w) { w.reply(429).reply(200); }, {}, 500},
        {"success after a replay", [](wire_reference w) { w.reply(425).reply(200); }, {}, 500},
        {"not found", [](wire_reference w) { w.reply(404); }, {}, 500},
        {"not found after a failure", [](wire_reference w) { w.reply(503).reply(404); }, {}, 486},
        {"policy none", [](wire_reference w) { w.reply(503); }, {.retry = none}, 500},
        {"throttled, policy none",
         [](wire_reference w) { w.reply(429).header("Retry-After", "9"); },
         {.retry = none},
         500},
        {"too long a wait", [](wire_reference w) { w.reply(429).header("Retry-After", "999"); }, {}, 500},
        {"a wait past the deadline",
         [](wire_reference w) { w.reply(429).header("Retry-After", "99"); },
         {.timeout = 9s},
         500},
        {"never sent", [](wire_reference w) { w.fail(errc::certificate_rejected, progress::not_sent); }, {}, 500},
        {"lost",
         [](wire_reference w) { w.fail(errc::connection_lost, progress::maybe_sent); },
         {.replayable = false},
         500},
        {"deadline", [](wire_reference w) { w.hang(); }, {.timeout = 9s}, 500},
        {"deadline of a repetition", [](wire_reference w) { w.reply(503).hang(); }, {.timeout = 9s}, 495},
        {"timeout of the only try", [](wire_reference w) { w.hang(); }, {.attempt_timeout = 9s, .retry = none}, 500},
        {"cancelled under way", [](wire_reference w) { w.hang(); }, {}, 500, true},
        {"cancelled in line", [](wire_reference w) { w.reply(429).header("Retry-After", "9"); }, {}, 500, true},
        {"closed under way", [](wire_reference w) { w.hang(); }, {}, 500, false, true},
        {"closed in line", [](wire_reference w) { w.reply(429).header("Retry-After", "9"); }, {}, 500, false, true},
        {"a probe that fails",
         [](wire_reference w) {
             for (int i = 0; i < 6; ++i)
                 w.reply(500);
         },
         {},
         430},
    };
    for (auto const& [what, write, options, budget, cancels, closes] : table)
    {
        CAPTURE(what);
        auto wire = script();
        write(*wire);
        stage on(wire);
        auto& call = on.call(get("/a/v1/things"), options);
        if (cancels)
            call.cancel();
        if (closes)
            on.cloud().close();
        on.run();
        CHECK(call.ended());
        CHECK(wire->remaining() == 0);
        CHECK(wire->in_flight() == 0);
        CHECK(wire->complaint().empty());
        check_quiet(on, budget);
    }
}

// ---- what is told

TEST_CASE("E1: each try is on record with all that is known of it")
{
    auto wire = script();
    wire->reply(429).header("Retry-After", " 7 ").header("X-Request-Id", "r1").after(100ms);
    wire->fail(errc::connection_lost, progress::maybe_sent).reused().after(1s);
    wire->reply(503).header("X-Request-Id", "r3").header("X-RateLimit-Remaining", "0").header("X-RateLimit-Reset", "3");
    wire->reply(500);
    wire->reply(404).header("X-Request-Id", "r5").after(2s);
    stage on(wire);
    auto const got = on.ask(get("/a/v1/things"));
    REQUIRE(!got.has_value());
    auto const& tries = got.error().attempts();
    REQUIRE(tries.size() == 5);

    CHECK(tries[0].started == 0s);
    CHECK(tries[0].took == 100ms);
    CHECK(tries[0].progress == progress::answered);
    CHECK(!tries[0].reused);
    CHECK(tries[0].status == 429);
    CHECK(tries[0].code == errc::http_status);
    CHECK(tries[0].server_hint == 7s);
    CHECK(tries[0].hint_text.find('7') != std::string::npos);
    CHECK(tries[0].request_id == "r1");
    CHECK(tries[0].reason == retry_reason::throttled);
    CHECK(tries[0].delay == 7s);
    CHECK(tries[0].delay_source == delay_source::retry_after);

    CHECK(tries[1].started == 7'100ms);
    CHECK(tries[1].took == 1s);
    CHECK(tries[1].progress == progress::maybe_sent);
    CHECK(tries[1].reused);
    CHECK(tries[1].status == 0);
    CHECK(tries[1].code == errc::connection_lost);
    CHECK(!tries[1].server_hint);
    CHECK(tries[1].hint_text.empty());
    CHECK(tries[1].request_id.empty());
    CHECK(tries[1].reason == retry_reason::stale_connection);
    CHECK(tries[1].delay == 0s);
    CHECK(tries[1].delay_source == delay_source::none);

    CHECK(tries[2].started == 8'100ms);
    CHECK(tries[2].status == 503);
    CHECK(tries[2].server_hint == 3s);
    CHECK(tries[2].hint_text == "3");
    CHECK(tries[2].reason == retry_reason::transient);
    CHECK(tries[2].delay == 3s);
    CHECK(tries[2].delay_source == delay_source::rate_limit);

    CHECK(tries[3].started == 11'100ms);
    CHECK(tries[3].reason == retry_reason::transient);
    CHECK(tries[3].delay_source == delay_source::backoff);

    CHECK(tries[4].status == 404);
    CHECK(tries[4].reason == retry_reason::none);
    CHECK(tries[4].delay == 0s);
    CHECK(tries[4].delay_source == delay_source::none);
    CHECK(tries[4].request_id == "r5");
    CHECK(got.error().request_id() == "r5");
    CHECK(got.error().elapsed() == 13'100ms);
}

TEST_CASE("E1: at most sixteen tries are kept, the last among them, and at most 64 bytes of a hint")
{
    auto settings = test_config();
    settings.retry.max_attempts = 20;
    auto wire = script();
    for (int i = 1; i <= 20; ++i)
        wire->reply(503).header("X-Request-Id", std::to_string(i));
    stage on(wire, settings);
    auto const got = on.ask(get("/a/v1/things"));
    auto const& tries = got.error().attempts();
    REQUIRE(tries.size() == 16);
    CHECK(tries[14].request_id == "15");
    CHECK(tries[15].request_id == "20");
    CHECK(got.error().response().attempts() == 20);
    CHECK(got.error().what().find("attempt 20") != std::string::npos);

    auto wordy = script();
    std::string const name(100, 'n');
    wordy->reply(429).header("RateLimit", '"' + name + "\";r=0;t=7").reply(200);
    std::string hint;
    settings.classifier = [](ccloud::retry_question const&) -> ccloud::retry_answer {
        return {ccloud::retry_answer::verdict::never};
    };
    stage other(wordy, settings);
    auto const told = other.ask(get("/a/v1/things"));
    REQUIRE(!told.has_value());
    CHECK(told.error().attempts().at(0).hint_text == ('"' + name).substr(0, 64));
    CHECK(told.error().attempts().at(0).server_hint == 7s);
}

TEST_CASE("E1: an answer that cannot be read counts among the sixteen")
{
    auto settings = test_config();
    settings.retry.max_attempts = 30;
    settings.retry_budget = 0;
    auto wire = script();
    for (int i = 0; i < 20; ++i)
        wire->reply(503);
    wire->reply(200, "no JSON").header("X-Request-Id", "r");
    support::with_client(
        wire,
        [](ccloud::client cloud) -> boost::asio::awaitable<void> {
            auto const got = co_await ccloud::iam::ip_groups(cloud).get("ipg-1");
            REQUIRE(!got.has_value());
            CHECK(got.error().code() == errc::malformed_response);
            CHECK(got.error().attempts().size() == 16);
            CHECK(got.error().attempts().back().request_id == "r");
        },
        settings
    );
}

TEST_CASE("E1: that an early try may have been executed is not forgotten with its record")
{
    auto settings = test_config();
    settings.retry.max_attempts = 30;
    settings.retry_budget = 0;
    auto wire = script();
    for (int i = 0; i < 16; ++i)
        wire->fail(errc::connect_failed, progress::not_sent);
    wire->fail(errc::connection_lost, progress::maybe_sent);
    for (int i = 0; i < 13; ++i)
        wire->fail(errc::connect_failed, progress::not_sent);
    stage on(wire, settings);
    auto const got = on.ask(get("/a/v1/things"));
    REQUIRE(!got.has_value());
    CHECK(got.error().attempts().size() == 16);
    CHECK(got.error().code() == errc::connect_failed);
    CHECK(got.error().progress() == progress::maybe_sent);
}

TEST_CASE("E2: one line says request, tries, time, status, hint and why it ended")
{
    auto wire = script();
    for (int i = 0; i < 5; ++i)
        wire->reply(503).after(100ms);
    wire->reply(502, R"({"message":"no gateway"})")
        .header("Retry-After", "2")
        .header("X-Request-Id", "r-9")
        .after(100ms);
    stage on(wire);
    auto const got = on.ask(get("/iam/v2/ip-groups?page_token=secret"));
    REQUIRE(!got.has_value());
    CHECK(
        got.error().what() == "GET /iam/v2/ip-groups: HTTP 502: no gateway (request r-9, attempt 6 in 600 ms, server "
                              "asked for 2 s, no tries left)"
    );
}

TEST_CASE("E3: an observer hears of every try, wait, repetition and failure, in order, and the metrics count the same")
{
    auto settings = with_connections(1);
    auto const eye = std::make_shared<diary>();
    settings.observer = eye;
    auto wire = script();
    wire->reply(429).header("Retry-After", "7").header("X-Request-Id", "r1").after(100ms);
    wire->reply(421);
    wire->reply(503);
    wire->reply(200).after(1s); // to the other call, while the first one backs off
    wire->reply(404).header("X-Request-Id", "r2");
    stage on(wire, settings);
    on.add(get("/a/v1/things/1?secret=1"));
    on.add(post("/a/v1/things"));
    on.run();
    auto const expected = list_of(
        "1 GET /a/v1/things/1 starts #1",                                     //
        "1 GET /a/v1/things/1 ends #1 429 id r1 asks 7 s by 7 in 100 ms",     //
        "1 GET /a/v1/things/1 again in 7 s by Retry-After for throttled",     //
        "1 GET /a/v1/things/1 waited 7 s",                                    //
        "1 GET /a/v1/things/1 starts #2",                                     //
        "1 GET /a/v1/things/1 ends #2 421",                                   //
        "1 GET /a/v1/things/1 again in 0 s by none for misdirected",          //
        "1 GET /a/v1/things/1 starts #3",                                     //
        "1 GET /a/v1/things/1 ends #3 503",                                   //
        "1 GET /a/v1/things/1 again in 0 s by backoff for transient failure", //
        "2 POST /a/v1/things waited 7100 ms",                                 //
        "2 POST /a/v1/things starts #1",                                      //
        "2 POST /a/v1/things ends #1 200 in 1 s",                             //
        "1 GET /a/v1/things/1 waited 1 s",                                    //
        "1 GET /a/v1/things/1 starts #4",                                     //
        "1 GET /a/v1/things/1 ends #4 404 id r2",                             //
        "1 GET /a/v1/things/1 gives up: the server answered with an error"
    );
    CHECK(eye->lines == expected);
    auto const now = on.cloud().metrics();
    CHECK(now.calls == 2);
    CHECK(now.succeeded == 1);
    CHECK(now.failed == 1);
    CHECK(now.attempts == 5);
    CHECK(now.transient_retries == 1);
    CHECK(now.throttle_retries == 1);
    CHECK(now.replays == 1);
    CHECK(now.throttled == 1);
    CHECK(now.gate_waits == 3);
    CHECK(now.gate_waited == 15'100ms);
    CHECK(now.budget_exhausted == 0);
    CHECK(now.refused == 0);
}

TEST_CASE("E3: an observer hears of calls that are refused, cancelled in line, or without credentials")
{
    auto settings = with_connections(1);
    settings.max_pending = 1;
    auto const eye = std::make_shared<diary>();
    settings.observer = eye;
    auto wire = talk([](ccloud::http_request const&) { return said(200).after(2s); });
    stage on(wire, settings);
    on.call(get("/a/v1/things/1"));
    auto& waiting = on.call(get("/a/v1/things/2"));
    on.call(get("/a/v1/things/3"));
    on.call(get("no slash"));
    on.pass(1s);
    waiting.cancel();
    on.run();
    std::vector<std::string> ends;
    for (auto const& line : eye->lines)
        if (line.find("gives up") != std::string::npos || line.find("waited") != std::string::npos)
            ends.push_back(line.substr(0, line.find(':')));
    CHECK(
        ends == list_of(
                    "3 GET /a/v1/things/3 gives up", "4 GET no slash gives up", "2 GET /a/v1/things/2 waited 1 s",
                    "2 GET /a/v1/things/2 gives up"
                )
    );
    check_quiet(on, 500);
}

// ---- classifier

namespace {

using verdict = ccloud::retry_answer::verdict;

/** Asks once, with a classifier, a server that says `first` and then 200. */
struct judged
{
    bool ok = false;
    std::size_t requests = 0;
    nanoseconds elapsed{};
    ccloud::error failure;
    std::int64_t budget = 0;
};

judged ask_judged(
    std::function<void(ccloud::testing::scripted_transport&)> const& first, ccloud::retry_classifier classifier,
    ccloud::http_request request = get("/a/v1/things"), ccloud::call_options options = {}
)
{
    auto settings = test_config();
    settings.classifier = std::move(classifier);
    auto wire = script();
    first(*wire);
    wire->reply(200);
    stage on(wire, settings);
    auto const got = on.ask(std::move(request), options);
    judged result;
    result.ok = got.has_value();
    result.requests = wire->requests().size();
    result.elapsed = on.elapsed();
    if (!got)
        result.failure = got.error();
    result.budget = on.cloud().metrics().retry_budget;
    CHECK(on.cloud().metrics().in_flight == 0);
    CHECK(on.cloud().metrics().waiting == 0);
    return result;
}

ccloud::retry_classifier always(verdict what, std::optional<std::chrono::milliseconds> delay = {})
{
    return [=](ccloud::retry_question const&) {
        ccloud::retry_answer answer;
        answer.what = what;
        answer.delay = delay;
        return answer;
    };
}

} // namespace

TEST_CASE("A4: a classifier is shown what there is to know")
{
    std::vector<std::string> seen;
    auto const look = [&seen](ccloud::retry_question const& q) -> ccloud::retry_answer {
        seen.push_back(
            std::string(to_string(q.method)) + ' ' + std::string(q.path) + " #" + std::to_string(q.attempt) + ' ' +
            std::to_string(q.status) + ' ' + std::string(to_string(q.progress)) + ' ' +
            (q.replayable ? "replayable" : "once") + ' ' +
            (q.headers ? std::string(q.headers->find("X-Why").value_or("-")) : "no headers") + " '" +
            std::string(q.body) + "' " + std::string(to_string(q.reason)) + ' ' + make_error_code(q.code).message()
        );
        return {};
    };
    auto const got = ask_judged(
        [](auto& w) {
            w.reply(503, "busy").header("X-Why", "full");
            w.fail(errc::connection_lost, progress::maybe_sent);
        },
        look, get("/a/v1/things?q=1")
    );
    CHECK(got.ok);
    REQUIRE(seen.size() == 2);
    CHECK(seen[0].starts_with("GET /a/v1/things #1 503 answered replayable full 'busy' transient failure "));
    CHECK(seen[1].starts_with("GET /a/v1/things #2 0 maybe sent replayable no headers '' transient failure "));
}

TEST_CASE("A4: a classifier can forbid a repetition")
{
    for (int const status : {503, 429, 421})
    {
        auto const got = ask_judged([=](auto& w) { w.reply(status); }, always(verdict::never));
        CHECK(!got.ok);
        CHECK(got.failure.status() == status);
        CHECK(got.failure.gave_up() == gave_up::not_retryable);
        CHECK(got.requests == 1);
        CHECK(got.budget == 500);
    }
}

TEST_CASE("A4: a classifier can allow a repetition, of a POST too, within the number of tries")
{
    for (int const status : {404, 409, 500, 503})
    {
        auto const got = ask_judged([=](auto& w) { w.reply(status); }, always(verdict::again), post("/a/v1/things"));
        CHECK(got.ok);
        CHECK(got.requests == 2);
    }
    auto const lost = ask_judged(
        [](auto& w) { w.fail(errc::connection_lost, progress::maybe_sent); }, always(verdict::again),
        post("/a/v1/things")
    );
    CHECK(lost.ok);
    auto const nine = ask_judged(
        [](auto& w) {
            for (int i = 0; i < 9; ++i)
                w.reply(404);
        },
        always(verdict::again)
    );
    CHECK(nine.requests == 6);
    CHECK(nine.failure.gave_up() == gave_up::attempts_exhausted);
    CHECK(nine.failure.attempts().at(0).reason == retry_reason::classifier);
    CHECK(nine.budget == 430);
    auto const none = ask_judged(
        [](auto& w) { w.reply(404); }, always(verdict::again), get("/a/v1/things"),
        {.retry = ccloud::retry_policy::none()}
    );
    CHECK(none.requests == 1);
}

TEST_CASE("A4, T4: a classifier can set the wait, never below the server's, nor past the deadline")
{
    auto const set = ask_judged([](auto& w) { w.reply(503); }, always(verdict::as_usual, 4s));
    CHECK(set.ok);
    CHECK(set.elapsed == 4s);
    auto const longer =
        ask_judged([](auto& w) { w.reply(429).header("Retry-After", "5"); }, always(verdict::as_usual, 9s));
    CHECK(longer.elapsed == 9s);
    auto const shorter =
        ask_judged([](auto& w) { w.reply(429).header("Retry-After", "5"); }, always(verdict::again, 1s));
    CHECK(shorter.ok);
    CHECK(shorter.elapsed == 5s);
    auto const negative = ask_judged([](auto& w) { w.reply(404); }, always(verdict::again, -1s));
    CHECK(negative.ok);
    CHECK(negative.elapsed == 0s);
    auto const late = ask_judged(
        [](auto& w) { w.reply(503); }, always(verdict::again, 9s), get("/a/v1/things"), {.timeout = 9'999ms}
    );
    CHECK(!late.ok);
    CHECK(late.failure.gave_up() == gave_up::deadline_would_pass);
    CHECK(late.elapsed == 0s);
    for (auto const endless : {std::chrono::milliseconds::max(), std::chrono::milliseconds(24h * 365 * 300)})
    {
        auto const never = ask_judged([](auto& w) { w.reply(404); }, always(verdict::again, endless));
        CHECK(!never.ok);
        CHECK(never.failure.gave_up() == gave_up::deadline_would_pass);
    }
}

TEST_CASE("A4: a classifier that throws has said nothing")
{
    auto const got = ask_judged(
        [](auto& w) { w.reply(503); },
        [](ccloud::retry_question const&) -> ccloud::retry_answer { throw std::runtime_error("no idea"); }
    );
    CHECK(got.ok);
    CHECK(got.requests == 2);
    auto const final = ask_judged(
        [](auto& w) { w.reply(404); }, [](ccloud::retry_question const&) -> ccloud::retry_answer { throw 7; }
    );
    CHECK(final.failure.status() == 404);
}

TEST_CASE("A4: a classifier's veto ends the call, but the gate has heard of the 429 all the same")
{
    auto settings = test_config();
    settings.classifier = always(verdict::never);
    auto wire = throttles_once("/a/v1/things/1", "7");
    stage on(wire, settings);
    CHECK(on.ask(get("/a/v1/things/1")).error().gave_up() == gave_up::not_retryable);
    CHECK(on.ask(get("/a/v1/things/2")).has_value());
    CHECK(on.elapsed() == 7s);
    check_quiet(on, 500);
}

TEST_CASE("S4: how long the gate is closed for all is the client's matter, not that of the call that was turned away")
{
    struct
    {
        ccloud::retry_policy policy;
        char const* asked;
        nanoseconds closed;
    } const rows[] = {
        {{.throttle_max_delay = 5s, .max_server_delay = 5s}, "100", 100s},
        {{.max_server_delay = 24h * 30}, "86400", 120s},
    };
    for (auto const& row : rows)
    {
        CAPTURE(row.asked);
        auto wire = throttles_once("/a/v1/things/1", row.asked);
        stage on(wire);
        auto& turned_away = on.call(get("/a/v1/things/1"), {.timeout = 0s, .retry = row.policy});
        auto& other = on.call(get("/a/v1/things/2"), {.timeout = 0s});
        on.run_to(other);
        CHECK(other.ok());
        CHECK(on.since_start(other.ended_at) == row.closed);
        on.run();
        if (turned_away.ok()) // it waits by itself for what is longer than the gate is closed
            CHECK(on.since_start(turned_away.ended_at) == 86'400s);
    }
}

TEST_CASE("T5, A4: a classifier is not asked about the caller's cancellation, the deadline and close()")
{
    enum class end { cancelled, deadline, closed };
    for (auto const how : {end::cancelled, end::deadline, end::closed})
    {
        auto settings = test_config();
        int asked = 0;
        settings.classifier = [&asked](ccloud::retry_question const&) {
            ++asked;
            return ccloud::retry_answer{.what = ccloud::retry_answer::verdict::again};
        };
        auto wire = script();
        wire->hang();
        stage on(wire, settings);
        auto& call = on.call(post("/a/v1/things"), {.timeout = 9s});
        if (how == end::cancelled)
            call.cancel();
        else if (how == end::closed)
            on.cloud().close();
        on.run();
        CHECK(asked == 0);
        CHECK(wire->requests().size() == 1);
        CHECK(on.cloud().metrics().transient_retries == 0);
        check_quiet(on, 500);
    }
}

TEST_CASE("A4: a classifier may repeat what the library would repeat once")
{
    auto settings = test_config();
    settings.classifier = [](ccloud::retry_question const&) {
        return ccloud::retry_answer{.what = ccloud::retry_answer::verdict::again};
    };
    auto wire = script();
    wire->reply(421).reply(421).reply(200);
    stage on(wire, settings);
    CHECK(on.ask(get("/a/v1/things")).has_value());
    CHECK(on.cloud().metrics().replays == 1);
    CHECK(on.cloud().metrics().transient_retries == 1);
}

TEST_CASE("X2: a source of tokens that cancels the call is the last that is asked for it")
{
    auto settings = test_config();
    std::function<void()> refuse_session = [] {};
    settings.credentials = ccloud::token_source([&refuse_session](std::string_view) {
        refuse_session();
        return std::string("token");
    });
    auto wire = script();
    stage on(wire, settings);
    auto& call = on.add(post("/a/v1/things"));
    refuse_session = [&call] { call.cancel(); };
    on.run();
    CHECK(call.failure().code() == errc::cancelled);
    CHECK(call.failure().progress() == progress::not_sent);
    CHECK(wire->requests().empty());
    check_quiet(on, 500);
}

TEST_CASE(
    "a classifier's long wait, and the server's, are the call's own: while the gate probes it holds up nobody else"
)
{
    auto settings = test_config();
    settings.classifier = [](ccloud::retry_question const& question) {
        ccloud::retry_answer answer;
        if (question.attempt == 5)
            answer.delay = 24h;
        return answer;
    };
    auto wire = talk([](ccloud::http_request const& request) {
        return said(request.target() == "/a/v1/things/1" ? 500 : 200);
    });
    stage on(wire, settings);
    auto& failing_call = on.call(get("/a/v1/things/1"), {.timeout = 0s});
    while (wire->requests().size() < 5)
        on.step();
    on.poll();
    auto& other = on.call(get("/a/v1/things/2"), {.timeout = 0s});
    on.run_to(other);
    CHECK(other.ok());
    CHECK(on.since_start(other.ended_at) < 1min);
    failing_call.cancel();
    on.run();
    check_quiet(on, on.cloud().metrics().retry_budget);
}

TEST_CASE("A3: only a stale and a misdirected connection are left; the try after the next takes any again")
{
    auto settings = test_config();
    int number = 0;
    settings.credentials = ccloud::token_source([&number](std::string_view) { return std::to_string(++number); });
    auto wire = script();
    wire->reply(401).reply(503).fail(errc::connection_lost, progress::maybe_sent).reused().reply(503).reply(200);
    stage on(wire, settings);
    CHECK(on.ask(get("/a/v1/things")).has_value());
    std::vector<bool> fresh;
    for (auto const& each : wire->requests())
        fresh.push_back(each.options.fresh_connection);
    CHECK(fresh == std::vector<bool>({false, false, false, true, false}));
}

TEST_CASE("Q1: what comes back a second can be seen, though nobody calls")
{
    auto settings = test_config();
    settings.retry_budget = 14;
    auto wire = script();
    wire->reply(503).reply(503);
    stage on(wire, settings);
    CHECK(!on.ask(get("/a/v1/things")).has_value());
    CHECK(on.cloud().metrics().retry_budget == 0);
    on.pass(5s);
    CHECK(on.cloud().metrics().retry_budget == 5);
}

TEST_CASE("rate_scope: a function that throws counts as none")
{
    auto settings = test_config();
    settings.rate_scope = ccloud::rate_scope::keyed([](ccloud::method, std::string_view) -> std::string {
        throw std::runtime_error("no name");
    });
    auto wire = throttles_once("/a/v1/things/1", "7");
    stage on(wire, settings);
    on.add(get("/a/v1/things/1"));
    auto& held = on.call(get("/a/v1/things/2"));
    auto& other = on.call(get("/a/v1/others/2"));
    CHECK(!held.ended());
    CHECK(other.ok());
    on.run();
    CHECK(held.ok());
    CHECK(on.elapsed() == 7s);
    check_quiet(on, 500);
}

TEST_CASE("I2: an idempotency key belongs to one request, so a handle refuses it")
{
    stage on(script());
    CHECK_THROWS_WITH_AS(
        on.cloud().with_header("idempotency-key", "1"),
        "header \"idempotency-key\": belongs to one request, not to a handle", ccloud::configuration_error
    );
}
