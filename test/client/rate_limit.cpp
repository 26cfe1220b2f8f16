// What the rate gate, its pacing and its probing, and the retry budget achieve together, in virtual time: the model of
// `bench/rate_limit`, on fixed seeds.
#include "rate_model.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>

using namespace std::chrono_literals;
using bench::rate::contender;
using bench::rate::model_server;
using bench::rate::server_rules;
namespace rate = bench::rate;

namespace {

constexpr ccloud::steady_time start{1h};

/** 100 calls at once; the seeds are 1 to 3. */
rate::figures worst_of(std::string_view name, contender who = contender::ours)
{
    rate::figures worst;
    for (auto const& what : rate::scenarios())
    {
        if (what.name != name)
            continue;
        for (std::uint64_t seed = 1; seed <= 3; ++seed)
        {
            auto const got = rate::play(what, 100, who, seed);
            worst.sent = (std::max)(worst.sent, got.sent);
            worst.throttled = (std::max)(worst.throttled, got.throttled);
            worst.failed = (std::max)(worst.failed, got.failed);
            worst.elapsed = (std::max)(worst.elapsed, got.elapsed);
        }
        return worst;
    }
    throw std::logic_error("there is no such scenario");
}

double requests_per_call(rate::figures const& got)
{
    return got.sent / rate::queued_calls;
}

/** What a server said: status, X-RateLimit-Limit, -Remaining, -Reset, Retry-After; "-" where absent. */
std::string told(ccloud::exchange const& met)
{
    auto const& headers = met.response.headers();
    std::string line = std::to_string(met.response.status());
    for (auto const* name : {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After"})
        line.append(" ").append(headers.find(name).value_or("-"));
    return line;
}

server_rules two_in_ten_seconds(server_rules::limiter kind)
{
    server_rules rules;
    rules.kind = kind;
    rules.limit = 2;
    rules.window = 10s;
    return rules;
}

} // namespace

TEST_CASE("G5: a fixed window with headers: 300 calls by 100 take 300 requests, none of them turned away")
{
    auto const got = worst_of("fixed");
    CHECK(got.sent == 300);
    CHECK(got.throttled == 0);
    CHECK(got.failed == 0);
    CHECK(got.elapsed <= 1.05);
}

TEST_CASE("G2, G3: a fixed window without headers: at most 1.45 requests a call, and none fails")
{
    auto const got = worst_of("fixed-no-headers");
    CHECK(requests_per_call(got) <= 1.45);
    CHECK(got.failed == 0);
}

TEST_CASE("G5: a neighbour that eats half of every window: at most 1.05 requests a call, and none fails")
{
    auto const got = worst_of("neighbour");
    CHECK(requests_per_call(got) <= 1.05);
    CHECK(got.failed == 0);
}

TEST_CASE("G5: a token bucket: at most 1.02 requests a call, and none fails")
{
    auto const got = worst_of("bucket");
    CHECK(requests_per_call(got) <= 1.02);
    CHECK(got.failed == 0);
}

TEST_CASE("G5: a server that rounds its seconds down: one round of requests finds out, and none fails")
{
    auto const got = worst_of("fixed-floor");
    CHECK(got.throttled <= 16); // connections
    CHECK(got.failed == 0);
}

TEST_CASE("probing: 1000 clients meet an outage of 3 s: hardly a call fails, and no wave follows")
{
    auto const got = rate::play(rate::short_outage(), contender::ours, 1);
    CHECK(got.calls == 60'000);
    CHECK(got.in_outage == 3'000);
    CHECK(got.failed_share() < 0.01);
    CHECK(got.peak <= 2.5);
    CHECK(got.failed == got.failed_in_outage);
}

TEST_CASE("Q2: in a total outage a client repeats next to nothing once its budget is used up")
{
    rate::fleet_rules rules = rate::total_outage();
    rules.clients = 4;
    CHECK(rate::play(rules, contender::ours, 1).requests_per_call <= 1.1);
    CHECK(rate::play(rules, contender::control, 1).requests_per_call == doctest::Approx(5).epsilon(0.001));
}

TEST_CASE("the model: the policy that is common elsewhere fares as it is known to")
{
    auto const fixed = worst_of("fixed", contender::control);
    CHECK(fixed.sent == 660);
    CHECK(fixed.throttled == 360);
    CHECK(fixed.failed == 0);
    auto const silent = worst_of("fixed-no-headers", contender::control);
    CHECK(silent.sent == 1260);
    CHECK(silent.throttled == 1200);
    CHECK(silent.failed == 240);
    auto const bucket = worst_of("bucket", contender::control);
    CHECK(bucket.sent >= 1200);
    CHECK(bucket.failed >= 200);
}

TEST_CASE("the model: a fixed window counts, tells whole seconds rounded up, and rolls")
{
    auto rules = two_in_ten_seconds(server_rules::limiter::fixed_window);
    model_server server(rules, start); // decides 100 ms after a request was sent
    CHECK(told(server.meet(start)) == "200 2 1 10 -");
    CHECK(told(server.meet(start + 1s)) == "200 2 0 9 -");
    CHECK(told(server.meet(start + 9'800ms)) == "429 2 0 1 1");
    CHECK(told(server.meet(start + 9'900ms)) == "200 2 1 10 -");
    CHECK(server.throttled() == 1);
    CHECK(server.sent_between(1s, 9'900ms) == 2);

    rules.neighbour = 1;
    rules.round_up = false;
    model_server shared(rules, start);
    CHECK(told(shared.meet(start)) == "200 2 0 9 -");
    CHECK(told(shared.meet(start + 9'800ms)) == "429 2 0 0 0");
    CHECK(told(shared.meet(start + 9'900ms)) == "200 2 0 10 -");

    rules.headers = false;
    model_server silent(rules, start);
    CHECK(told(silent.meet(start)) == "200 - - - -");
    CHECK(told(silent.meet(start)) == "429 - - - -");
}

TEST_CASE("the model: a token bucket gives back a token at a time")
{
    model_server server(two_in_ten_seconds(server_rules::limiter::token_bucket), start);
    CHECK(told(server.meet(start)) == "200 2 1 5 -");
    CHECK(told(server.meet(start + 1s)) == "200 2 0 9 -");
    CHECK(told(server.meet(start + 2s)) == "429 2 0 8 3");
    CHECK(told(server.meet(start + 5s)) == "200 2 0 10 -");
    CHECK(told(server.meet(start + 60s)) == "200 2 1 5 -");
}

TEST_CASE("the model: connections are refused for a time, and the fullest stretch is found")
{
    server_rules rules;
    rules.refused_from = 1s;
    rules.refused_until = 2s;
    model_server server(rules, start);
    CHECK(server.meet(start).answered());
    CHECK(server.meet(start + 1s).code == ccloud::errc::connect_failed);
    CHECK(server.meet(start + 1'999ms).progress == ccloud::progress::not_sent);
    CHECK(server.meet(start + 2s).answered());
    CHECK(server.meet(start + 2'050ms).answered());
    CHECK(server.meet(start + 2'100ms).answered());
    CHECK(server.peak(0s, 100ms) == 3);
    CHECK(server.peak(0s, 102ms) == 4);
    CHECK(server.peak(2'010ms, 1s) == 2);
}
