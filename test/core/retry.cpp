#include "core/retry.hpp"

#include "core/retry_budget.hpp"
#include "printers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace core = ccloud::core;
using namespace std::chrono_literals;
using ccloud::delay_source;
using ccloud::errc;
using ccloud::gave_up;
using ccloud::progress;
using ccloud::retry_policy;
using ccloud::retry_reason;
using core::decision;
using core::health;
using core::outcome;
using core::tally;
using std::chrono::nanoseconds;
using action = core::decision::action;

namespace ccloud::core {

doctest::String toString(health what)
{
    switch (what)
    {
    case health::unknown: return "unknown";
    case health::well: return "well";
    case health::busy: return "busy";
    case health::failing: return "failing";
    }
    return "?";
}

doctest::String toString(decision::action what)
{
    return what == decision::action::stop ? "stop" : what == decision::action::replay ? "replay" : "wait";
}

} // namespace ccloud::core

namespace {

constexpr nanoseconds no_deadline = nanoseconds::max();
constexpr std::uint64_t lowest = 0;
constexpr std::uint64_t highest = std::numeric_limits<std::uint64_t>::max();
outcome answer(int status, bool replayable, std::optional<nanoseconds> hint = std::nullopt)
{
    outcome ended;
    ended.code = errc::http_status;
    ended.status = status;
    ended.progress = progress::answered;
    ended.response_begun = true;
    ended.replayable = replayable;
    ended.hint = hint;
    ended.retry_after = hint.has_value();
    return ended;
}

outcome failure(errc code, progress reached, bool replayable)
{
    outcome ended;
    ended.code = code;
    ended.progress = reached;
    ended.replayable = replayable;
    return ended;
}

outcome stale(bool replayable, progress reached = progress::maybe_sent)
{
    auto ended = failure(errc::connection_lost, reached, replayable);
    ended.reused = true;
    return ended;
}

/** A decision with the wait it is about. */
struct judged
{
    action what = action::stop;
    nanoseconds delay{};
    gave_up why = gave_up::not_retryable;
    retry_reason reason = retry_reason::none;
    int cost = 0;
};

/** Judges as the client does, without a classifier; every throttle of the call is one of the endpoint's. */
judged judge(retry_policy const& policy, tally& used, outcome const& ended, nanoseconds left, std::uint64_t dice)
{
    auto const why = core::reason_for(policy, used, ended);
    auto const wait = why == retry_reason::throttled
                          ? core::throttle_wait(policy, used.throttles, ended.hint, delay_source::retry_after, dice)
                          : core::transient_wait(policy, used.backoffs, ended.hint, delay_source::retry_after, dice);
    auto const next = core::next_step(policy, used, ended, why, wait.length, left);
    return {next.what, next.what == action::wait ? wait.length : nanoseconds(0), next.why, next.reason, next.cost};
}

judged decide(outcome const& ended, tally used = {}, std::uint64_t dice = lowest, nanoseconds left = no_deadline)
{
    return judge(retry_policy(), used, ended, left, dice);
}

bool same(tally const& a, tally const& b)
{
    return a.tries == b.tries && a.throttles == b.throttles && a.backoffs == b.backoffs &&
           a.free_replays == b.free_replays;
}

} // namespace

TEST_CASE("A4: answers are repeated by status and method")
{
    struct row
    {
        int status;
        std::optional<nanoseconds> hint;
        retry_reason replayable, post;
    };
    std::vector<row> const table{
        {408, {}, retry_reason::transient, retry_reason::none},
        {413, {}, retry_reason::none, retry_reason::none},
        {413, 2s, retry_reason::throttled, retry_reason::throttled},
        {421, {}, retry_reason::misdirected, retry_reason::misdirected},
        {425, {}, retry_reason::too_early, retry_reason::too_early},
        {429, {}, retry_reason::throttled, retry_reason::throttled},
        {429, 2s, retry_reason::throttled, retry_reason::throttled},
        {500, {}, retry_reason::transient, retry_reason::none},
        {500, 2s, retry_reason::transient, retry_reason::none},
        {502, {}, retry_reason::transient, retry_reason::none},
        {503, {}, retry_reason::transient, retry_reason::none},
        {503, 2s, retry_reason::throttled, retry_reason::throttled},
        {504, {}, retry_reason::transient, retry_reason::none},
        {520, {}, retry_reason::transient, retry_reason::none},
        {521, {}, retry_reason::transient, retry_reason::none},
        {522, {}, retry_reason::transient, retry_reason::none},
        {523, {}, retry_reason::transient, retry_reason::none},
        {524, {}, retry_reason::transient, retry_reason::none},
        {527, {}, retry_reason::transient, retry_reason::none},
        {529, {}, retry_reason::transient, retry_reason::none},
        {529, 2s, retry_reason::throttled, retry_reason::throttled},
    };
    for (auto const& [status, hint, replayable, post] : table)
    {
        CAPTURE(status);
        CAPTURE(hint);
        CHECK(core::classify(answer(status, true, hint)) == replayable);
        CHECK(core::classify(answer(status, false, hint)) == post);
    }
    for (int status = 100; status < 600; ++status)
    {
        CAPTURE(status);
        if (std::any_of(table.begin(), table.end(), [&](row const& known) { return known.status == status; }))
            continue;
        for (bool const replayable : {false, true})
        {
            CHECK(core::classify(answer(status, replayable)) == retry_reason::none);
            CHECK(core::classify(answer(status, replayable, 2s)) == retry_reason::none);
        }
    }
}

TEST_CASE("A4: that a limit is used up does not make a 503 one that was turned away unprocessed")
{
    for (int const status : {503, 529})
    {
        CAPTURE(status);
        auto ended = answer(status, false, 2s);
        ended.retry_after = false; // the hint is of X-RateLimit-Reset
        CHECK(core::classify(ended) == retry_reason::none);
        CHECK(core::health_of(ended) == health::failing);
        ended.replayable = true;
        CHECK(core::classify(ended) == retry_reason::transient);
    }
}

TEST_CASE("A4, I1: failures without an answer are repeated by how far they got")
{
    constexpr auto not_sent = progress::not_sent;
    constexpr auto maybe_sent = progress::maybe_sent;
    struct row
    {
        errc code;
        progress reached;
        retry_reason replayable, post;
    };
    for (auto const& [code, reached, replayable, post] : {
             row{errc::name_resolution_failed, not_sent, retry_reason::transient, retry_reason::transient},
             row{errc::connect_failed, not_sent, retry_reason::transient, retry_reason::transient},
             row{errc::connect_timeout, not_sent, retry_reason::transient, retry_reason::transient},
             row{errc::proxy_refused, not_sent, retry_reason::transient, retry_reason::transient},
             row{errc::tls_failed, not_sent, retry_reason::transient, retry_reason::transient},
             row{errc::write_failed, not_sent, retry_reason::transient, retry_reason::transient},
             row{errc::connection_lost, not_sent, retry_reason::transient, retry_reason::transient},
             row{errc::attempt_timeout, not_sent, retry_reason::transient, retry_reason::transient},
             row{errc::write_failed, maybe_sent, retry_reason::transient, retry_reason::none},
             row{errc::connection_lost, maybe_sent, retry_reason::transient, retry_reason::none},
             row{errc::attempt_timeout, maybe_sent, retry_reason::transient, retry_reason::none},
             row{errc::unset, not_sent, retry_reason::none, retry_reason::none},
             row{errc::invalid_argument, not_sent, retry_reason::none, retry_reason::none},
             row{errc::busy, not_sent, retry_reason::none, retry_reason::none},
             row{errc::client_closed, not_sent, retry_reason::none, retry_reason::none},
             row{errc::proxy_authentication_failed, not_sent, retry_reason::none, retry_reason::none},
             row{errc::tls_version_unsupported, not_sent, retry_reason::none, retry_reason::none},
             row{errc::certificate_wrong_host, not_sent, retry_reason::none, retry_reason::none},
             row{errc::certificate_expired, not_sent, retry_reason::none, retry_reason::none},
             row{errc::certificate_self_signed, not_sent, retry_reason::none, retry_reason::none},
             row{errc::certificate_unknown_authority, not_sent, retry_reason::none, retry_reason::none},
             row{errc::certificate_rejected, not_sent, retry_reason::none, retry_reason::none},
             row{errc::client_certificate_rejected, not_sent, retry_reason::none, retry_reason::none},
             row{errc::deadline_exceeded, not_sent, retry_reason::none, retry_reason::none},
             row{errc::deadline_exceeded, maybe_sent, retry_reason::none, retry_reason::none},
             row{errc::cancelled, not_sent, retry_reason::none, retry_reason::none},
             row{errc::cancelled, maybe_sent, retry_reason::none, retry_reason::none},
             row{errc::response_too_large, progress::answered, retry_reason::none, retry_reason::none},
             row{errc::malformed_response, progress::answered, retry_reason::none, retry_reason::none},
         })
    {
        CAPTURE(code);
        CAPTURE(reached);
        CHECK(core::classify(failure(code, reached, true)) == replayable);
        CHECK(core::classify(failure(code, reached, false)) == post);
        auto never = failure(code, reached, true);
        never.permanent = true;
        CHECK(core::classify(never) == retry_reason::none);
    }
}

TEST_CASE("an answer that broke off is repeated where the request may be")
{
    for (bool const reused : {false, true})
    {
        CAPTURE(reused);
        auto cut = failure(errc::connection_lost, progress::maybe_sent, true);
        cut.reused = reused;
        cut.response_begun = true;
        CHECK(core::classify(cut) == retry_reason::transient);
        cut.replayable = false;
        CHECK(core::classify(cut) == retry_reason::none);
        cut.progress = progress::answered;
        CHECK(core::classify(cut) == retry_reason::none);
    }
}

TEST_CASE("A3: a stale connection is no fault of the call: it is replayed, a POST only where no byte was sent")
{
    CHECK(core::classify(stale(true)) == retry_reason::stale_connection);
    CHECK(core::classify(stale(false)) == retry_reason::none);
    CHECK(core::classify(stale(true, progress::not_sent)) == retry_reason::stale_connection);
    CHECK(core::classify(stale(false, progress::not_sent)) == retry_reason::stale_connection);
    auto written = stale(true);
    written.code = errc::write_failed;
    CHECK(core::classify(written) == retry_reason::stale_connection);
    auto slow = stale(true);
    slow.code = errc::attempt_timeout;
    CHECK(core::classify(slow) == retry_reason::transient);
}

TEST_CASE("A3: a replay is free, at once, and happens once a call")
{
    tally used;
    auto const first = judge(retry_policy(), used, stale(true), no_deadline, highest);
    CHECK(first.what == action::replay);
    CHECK(first.delay == 0ns);
    CHECK(first.reason == retry_reason::stale_connection);
    CHECK(first.cost == 0);
    CHECK(used.tries == 0);

    auto after = used;
    CHECK(judge(retry_policy(), after, stale(true), no_deadline, highest).what == action::wait);
    CHECK(after.tries == 1);
    for (int const status : {421, 425})
    {
        CAPTURE(status);
        CHECK(decide(answer(status, true), used).what == action::replay); // once each
    }
}

TEST_CASE("A3: 421, 425 and a 401 with new credentials are replayed once, a POST too")
{
    for (int const status : {401, 421, 425})
        for (bool const replayable : {true, false})
        {
            CAPTURE(status);
            tally used;
            auto ended = answer(status, replayable);
            ended.new_credentials = true;
            CHECK(judge(retry_policy(), used, ended, no_deadline, lowest).what == action::replay);
            auto const again = judge(retry_policy(), used, ended, no_deadline, lowest);
            CHECK(again.what == action::stop);
            CHECK(again.why == gave_up::not_retryable);
        }
    CHECK(core::classify(answer(401, true)) == retry_reason::none);
}

TEST_CASE("A3: what is free of charge is what the server cannot be blamed for, a redirect among it")
{
    using enum retry_reason;
    for (auto const why : {stale_connection, misdirected, too_early, redirected, new_credentials})
    {
        CAPTURE(why);
        CHECK(core::is_free(why));
        tally used;
        auto const next = core::next_step(retry_policy(), used, stale(false), why, 0ns, 0ns);
        CHECK(next.what == action::replay); // without time for a wait, too
        CHECK(next.reason == why);
        CHECK(next.cost == 0);
        CHECK(used.tries == 0);
        CHECK(used.throttles == 0);
        CHECK(used.backoffs == 0);
    }
    for (auto const why : {none, transient, throttled, classifier})
    {
        CAPTURE(why);
        CHECK(!core::is_free(why));
    }
}

TEST_CASE("A3: a response is not given up for a replay that has no time: it is the result of the call")
{
    using enum retry_reason;
    auto const policy = retry_policy::defaults();
    for (auto const why : {misdirected, too_early, new_credentials})
        for (int const status : {401, 421, 425})
        {
            CAPTURE(why);
            CAPTURE(status);
            tally used;
            auto const ended = answer(status, true);
            auto const late = core::next_step(policy, used, ended, why, 0ns, policy.min_attempt_budget - 1ns);
            CHECK(late.what == action::stop);
            CHECK(late.why == gave_up::deadline_would_pass);
            CHECK(core::next_step(policy, used, ended, why, 0ns, policy.min_attempt_budget).what == action::replay);
        }
}

TEST_CASE("a lack of resources on this machine says nothing of the server, and is retried all the same")
{
    for (auto const code : {errc::name_resolution_failed, errc::connect_failed, errc::tls_failed, errc::write_failed})
        for (auto const reached : {progress::not_sent, progress::maybe_sent})
        {
            CAPTURE(code);
            auto ended = failure(code, reached, true);
            CHECK(core::health_of(ended) == health::failing);
            ended.local = true;
            CHECK(core::health_of(ended) == health::unknown);
            CHECK(core::classify(ended) == retry_reason::transient);
        }
}

TEST_CASE("a redirect is no failure, neither of the call nor of the server")
{
    for (int const status : {300, 301, 302, 303, 304, 307, 308})
        for (bool const replayable : {true, false})
        {
            CAPTURE(status);
            CHECK(core::classify(answer(status, replayable)) == retry_reason::none);
            CHECK(core::classify(answer(status, replayable, 2s)) == retry_reason::none);
            CHECK(core::health_of(answer(status, replayable)) == health::well);
        }
}

TEST_CASE("a proxy that refuses for now is asked again; one that can only refuse is not, and tells nothing")
{
    for (bool const replayable : {true, false})
    {
        CAPTURE(replayable);
        auto refused = failure(errc::proxy_refused, progress::not_sent, replayable);
        CHECK(decide(refused).what == action::wait);
        CHECK(decide(refused).reason == retry_reason::transient);
        CHECK(decide(refused).cost == 14);
        CHECK(core::health_of(refused) == health::failing);
        auto rejected = failure(errc::proxy_authentication_failed, progress::not_sent, replayable);
        CHECK(decide(rejected).what == action::stop);
        CHECK(decide(rejected).why == gave_up::not_retryable);
        CHECK(core::health_of(rejected) == health::unknown);
        refused.permanent = rejected.permanent = true;
        for (auto const& ended : {refused, rejected})
        {
            CHECK(decide(ended).what == action::stop);
            CHECK(decide(ended).why == gave_up::not_retryable);
            CHECK(core::health_of(ended) == health::unknown);
        }
    }
}

TEST_CASE("what an outcome says of the server does not depend on whether the request may be repeated")
{
    for (bool const replayable : {true, false})
    {
        CAPTURE(replayable);
        for (int const status : {200, 301, 400, 401, 404, 409, 413, 421, 425, 501})
            CHECK(core::health_of(answer(status, replayable)) == health::well);
        for (int const status : {408, 500, 502, 503, 504, 520, 529})
            CHECK(core::health_of(answer(status, replayable)) == health::failing);
        CHECK(core::health_of(answer(429, replayable)) == health::busy);
        CHECK(core::health_of(answer(503, replayable, 2s)) == health::busy);
        CHECK(core::health_of(answer(413, replayable, 2s)) == health::busy);
        CHECK(core::health_of(failure(errc::connect_failed, progress::not_sent, replayable)) == health::failing);
        CHECK(core::health_of(failure(errc::attempt_timeout, progress::maybe_sent, replayable)) == health::failing);
        CHECK(core::health_of(stale(replayable)) == health::unknown);
        CHECK(core::health_of(failure(errc::cancelled, progress::maybe_sent, replayable)) == health::unknown);
        CHECK(core::health_of(failure(errc::deadline_exceeded, progress::not_sent, replayable)) == health::unknown);
        auto rejected = failure(errc::name_resolution_failed, progress::not_sent, replayable);
        rejected.permanent = true;
        CHECK(core::health_of(rejected) == health::unknown);
    }
}

TEST_CASE("A4: a response with an incomplete body is retried by its fault, whatever its status")
{
    for (int const status : {200, 201, 204, 301, 401, 404, 409})
        for (bool const replayable : {true, false})
            for (errc const code :
                 {errc::connection_lost, errc::attempt_timeout, errc::malformed_response, errc::response_too_large,
                  errc::cancelled, errc::deadline_exceeded, errc::client_closed})
            {
                CAPTURE(status);
                CAPTURE(replayable);
                CAPTURE(code);
                auto broken = failure(code, progress::answered, replayable);
                broken.status = status;
                broken.response_begun = true;
                broken.reused = true; // but that is no excuse once a response began
                bool const lost = code == errc::connection_lost || code == errc::attempt_timeout;
                auto const wanted = lost && replayable ? retry_reason::transient : retry_reason::none;
                CHECK(core::classify(broken) == wanted);
                CHECK(core::reason_for(retry_policy(), tally(), broken) == wanted);
                bool const ours =
                    code == errc::cancelled || code == errc::deadline_exceeded || code == errc::client_closed;
                CHECK(core::is_called_off(broken) == ours);
                CHECK(core::health_of(broken) == (lost ? health::failing : ours ? health::unknown : health::well));
            }
}

TEST_CASE("a status counts for the server's health even if the call was cancelled during the body")
{
    auto cancelled = failure(errc::cancelled, progress::answered, true);
    cancelled.status = 429;
    CHECK(core::health_of(cancelled) == health::busy);
    CHECK(core::classify(cancelled) == retry_reason::none);
    cancelled.status = 503;
    CHECK(core::health_of(cancelled) == health::failing);
    cancelled.retry_after = true;
    CHECK(core::health_of(cancelled) == health::busy);
}

TEST_CASE("G7: fail_fast ends a throttled call at once, and nothing else")
{
    retry_policy policy;
    policy.on_exhausted = ccloud::on_exhausted::fail_fast;
    tally used;
    auto const throttled = judge(policy, used, answer(429, true, 1s), no_deadline, lowest);
    CHECK(throttled.what == action::stop);
    CHECK(throttled.why == gave_up::limit_exhausted);
    CHECK(judge(policy, used, answer(500, true), no_deadline, lowest).what == action::wait);
}

TEST_CASE("Q1: a repetition after a failure costs 14, after a throttle 5, a free replay nothing")
{
    CHECK(decide(answer(500, true)).cost == 14);
    CHECK(decide(answer(429, true)).cost == 5);
    CHECK(decide(answer(503, false, 1s)).cost == 5);
    CHECK(decide(stale(true)).cost == 0);
    CHECK(decide(answer(421, true)).cost == 0);
    CHECK(decide(answer(404, true)).cost == 0);
}

TEST_CASE("a wait says where its length came from")
{
    retry_policy const policy;
    auto const told = delay_source::rate_limit;
    CHECK(core::throttle_wait(policy, 0, 7s, told, lowest).source == told);
    CHECK(core::throttle_wait(policy, 0, 1ms, told, lowest).source == delay_source::backoff);
    CHECK(core::throttle_wait(policy, 0, std::nullopt, told, lowest).source == delay_source::backoff);
    CHECK(core::transient_wait(policy, 0, 7s, told, lowest).source == told);
    CHECK(core::transient_wait(policy, 5, 1s, told, highest).source == delay_source::backoff);
}

TEST_CASE("A1: six tries are five waits")
{
    tally used;
    for (int wait = 1; wait <= 5; ++wait)
    {
        CAPTURE(wait);
        CHECK(judge(retry_policy(), used, answer(500, true), no_deadline, highest).what == action::wait);
    }
    auto const last = judge(retry_policy(), used, answer(500, true), no_deadline, highest);
    CHECK(last.what == action::stop);
    CHECK(last.why == gave_up::attempts_exhausted);
}

TEST_CASE("A2: throttles are counted apart from tries")
{
    tally used;
    for (int wait = 1; wait <= 5; ++wait)
        REQUIRE(judge(retry_policy(), used, answer(503, true), no_deadline, highest).what == action::wait);
    for (int wait = 1; wait <= 8; ++wait)
    {
        CAPTURE(wait);
        auto const hint = wait % 2 ? std::optional<nanoseconds>(1s) : std::nullopt;
        CHECK(judge(retry_policy(), used, answer(429, false, hint), no_deadline, lowest).what == action::wait);
    }
    CHECK(used.tries == 5);
    CHECK(used.throttles == 8);
    CHECK(decide(answer(429, false, 1s), used).why == gave_up::attempts_exhausted);
    CHECK(decide(answer(500, true), used).why == gave_up::attempts_exhausted);
}

TEST_CASE("retry_policy::none repeats nothing, not even what is free")
{
    for (auto const& ended :
         {answer(500, true), answer(429, true, 1s), answer(421, true), stale(true),
          failure(errc::connect_failed, progress::not_sent, true)})
    {
        CAPTURE(ended.status);
        CAPTURE(ended.code);
        tally used;
        CHECK(judge(retry_policy::none(), used, ended, no_deadline, lowest).what == action::stop);
        CHECK(same(used, tally()));
    }
}

TEST_CASE("B1: the wait after a transient failure is drawn from zero to a ceiling that doubles")
{
    tally used;
    for (auto const ceiling : {500ms, 1000ms, 2000ms, 4000ms, 8000ms})
    {
        CAPTURE(ceiling);
        CHECK(decide(answer(500, true), used, lowest).delay == 0ns);
        CHECK(judge(retry_policy(), used, answer(500, true), no_deadline, highest).delay == nanoseconds(ceiling));
    }
}

TEST_CASE("B2: the wait after a throttle without a hint is drawn from the upper half")
{
    tally used;
    for (auto const ceiling : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s})
    {
        CAPTURE(ceiling);
        CHECK(decide(answer(429, false), used, lowest).delay == nanoseconds(ceiling) / 2);
        CHECK(judge(retry_policy(), used, answer(429, false), no_deadline, highest).delay == nanoseconds(ceiling));
    }
}

TEST_CASE("B4: after a wait that the server asked for the backoff begins anew")
{
    tally used;
    for (int i = 0; i < 3; ++i)
        judge(retry_policy(), used, answer(500, true), no_deadline, highest);
    CHECK(decide(answer(500, true), used, highest).delay == nanoseconds(4s));
    judge(retry_policy(), used, answer(429, true, 1s), no_deadline, highest);
    CHECK(used.tries == 3);
    CHECK(decide(answer(500, true), used, highest).delay == nanoseconds(500ms));
}

TEST_CASE("S3: a wait is never shorter than the hint, and longer by a spread of a tenth at most")
{
    std::mt19937_64 dice(3);
    for (auto const hint : std::initializer_list<nanoseconds>{1ns, 1ms, 100ms, 1s, 2s, 7s, 30s, 60s, 119s, 120s})
        for (int round = 0; round < 200; ++round)
        {
            auto const roll = round == 0 ? lowest : round == 1 ? highest : dice();
            CAPTURE(hint);
            CAPTURE(roll);
            nanoseconds const spread = std::clamp<nanoseconds>(hint / 10, 250ms, 5s);
            for (auto const& ended : {answer(429, false, hint), answer(503, true, hint), answer(500, true, hint)})
            {
                auto const next = decide(ended, {}, roll);
                CHECK(next.what == action::wait);
                CHECK(next.delay >= hint);
                CHECK(next.delay <= std::max<nanoseconds>(hint, 1s) + spread);
            }
        }
}

TEST_CASE("S3: a hint shorter than our own backoff does not shorten it")
{
    CHECK(decide(answer(429, false, 1ms), {}, lowest).delay == nanoseconds(500ms));
    CHECK(decide(answer(429, false, 1ms), {}, highest).delay == nanoseconds(1250ms));
    CHECK(decide(answer(500, true, 1ms), {}, highest).delay == nanoseconds(750ms));
}

TEST_CASE("S1: a hint of zero leaves the wait to our own backoff")
{
    CHECK(decide(answer(429, false, 0s), {}, lowest).delay == nanoseconds(500ms));
    CHECK(decide(answer(429, false, 0s), {}, highest).delay == nanoseconds(1s));
    CHECK(decide(answer(500, true, 0s), {}, highest).delay == nanoseconds(500ms));
}

TEST_CASE("S1: a hint of zero counts as none: the ceiling of the backoff goes on doubling, and does not begin anew")
{
    for (auto const hint :
         {std::optional<nanoseconds>(0s), std::optional<nanoseconds>(-1s), std::optional<nanoseconds>()})
    {
        CAPTURE(hint);
        CHECK(!core::asks_to_wait(hint));
        tally used;
        for (auto const ceiling : {500ms, 1'000ms, 2'000ms, 4'000ms, 8'000ms})
            CHECK(judge(retry_policy(), used, answer(500, true, hint), no_deadline, highest).delay == ceiling);
        tally throttled;
        for (auto const ceiling : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s})
        {
            auto const next =
                judge(retry_policy(), throttled, answer(503, false, hint ? hint : 0s), no_deadline, highest);
            CHECK(next.delay == ceiling);
            CHECK(next.cost == core::retry_budget::throttle_cost);
        }
    }
    CHECK(core::asks_to_wait(1ns));
    tally used;
    used.backoffs = 3;
    CHECK(judge(retry_policy(), used, answer(500, true, 1ns), no_deadline, highest).delay > 4s);
    CHECK(used.backoffs == 0); // B4
}

TEST_CASE("S4: a wait the server asks for beyond the policy's limit ends the call")
{
    for (auto const& ended : {answer(429, true, 120s + 1ns), answer(503, false, 121s), answer(500, true, 24h * 365)})
    {
        CAPTURE(ended.status);
        tally used;
        auto const next = judge(retry_policy(), used, ended, no_deadline, lowest);
        CHECK(next.what == action::stop);
        CHECK(next.why == gave_up::retry_after_too_long);
        CHECK(same(used, tally()));
    }
    CHECK(decide(answer(429, true, 120s)).what == action::wait);
}

TEST_CASE("T4: a wait that leaves no time for a try is not begun, and nothing is counted")
{
    struct row
    {
        std::string_view name;
        outcome ended;
        nanoseconds delay;
    };
    for (auto const& [name, ended, delay] :
         {row{"backoff", answer(500, true), 500ms}, row{"throttle", answer(429, false), 1s},
          row{"hint", answer(429, false, 10s), 11s}})
    {
        CAPTURE(name);
        tally used;
        used.backoffs = 0;
        CHECK(decide(ended, used, highest, delay + 1s).what == action::wait);
        CHECK(decide(ended, used, highest, delay + 1s).delay == delay);
        for (auto const left : {delay + 1s - 1ns, delay, nanoseconds(0), nanoseconds(-1), nanoseconds::min()})
        {
            CAPTURE(left);
            auto const next = judge(retry_policy(), used, ended, left, highest);
            CHECK(next.what == action::stop);
            CHECK(next.why == gave_up::deadline_would_pass);
            CHECK(same(used, tally()));
        }
    }
}

TEST_CASE("what is never repeated says so")
{
    for (auto const& ended : {answer(501, true), answer(404, true), answer(500, false), stale(false)})
    {
        CAPTURE(ended.status);
        CHECK(decide(ended).what == action::stop);
        CHECK(decide(ended).why == gave_up::not_retryable);
    }
}

TEST_CASE("B1, B3: a backoff ceiling saturates for every exponent and every duration")
{
    std::vector<nanoseconds> spans{
        nanoseconds::min(),
        -1s,
        -1ns,
        0ns,
        1ns,
        2ns,
        3ns,
        500ms,
        1s,
        20s,
        24h,
        nanoseconds::max() / 2,
        nanoseconds::max() / 2 + 1ns,
        nanoseconds::max() - 1ns,
        nanoseconds::max()};
    std::vector<int> exponents;
    for (int i = 0; i < 130; ++i)
        exponents.push_back(i);
    for (int bit = 8; bit < 31; ++bit)
        exponents.insert(exponents.end(), {(1 << bit) - 1, 1 << bit});
    exponents.push_back(std::numeric_limits<int>::max());

    for (auto const base : spans)
        for (auto const cap : spans)
        {
            CAPTURE(base);
            CAPTURE(cap);
            for (int const exponent : exponents)
            {
                auto const ceiling = core::backoff_ceiling(base, cap, exponent);
                nanoseconds expected{};
                if (base > 0ns && cap > 0ns)
                    expected = exponent > 62 || base.count() > (cap.count() >> exponent)
                                   ? cap
                                   : nanoseconds(base.count() << exponent);
                if (ceiling != expected)
                {
                    CAPTURE(exponent);
                    CHECK(ceiling == expected);
                }
            }
        }
}

TEST_CASE("B1: every exponent up to the greatest gives a ceiling between zero and the cap")
{
    std::mt19937_64 dice(11);
    for (int round = 0; round < 20'000; ++round)
    {
        auto const exponent = static_cast<int>(dice() & 0x7fffffff);
        nanoseconds const base(static_cast<nanoseconds::rep>(dice() >> (dice() % 64)));
        nanoseconds const cap(static_cast<nanoseconds::rep>(dice() >> (dice() % 64)));
        auto const ceiling = core::backoff_ceiling(base, cap, exponent);
        bool const fits = ceiling >= 0ns && ceiling <= std::max(cap, nanoseconds(0));
        if (!fits)
            FAIL("base " << base.count() << ", cap " << cap.count() << ", exponent " << exponent);
    }
}

TEST_CASE("a draw stays within its bounds and reaches both")
{
    std::mt19937_64 dice(17);
    struct row
    {
        nanoseconds low, high;
    };
    for (auto const& [low, high] :
         {row{0ns, 0ns}, row{0ns, 1ns}, row{5ns, 8ns}, row{500ms, 1s}, row{0ns, 20s}, row{0ns, nanoseconds::max()},
          row{nanoseconds::max() - 1ns, nanoseconds::max()}})
    {
        CAPTURE(low);
        CAPTURE(high);
        CHECK(core::draw(low, high, lowest) == low);
        CHECK(core::draw(low, high, highest) <= high);
        if (high - low < 1h)
            CHECK(core::draw(low, high, highest) == high);
        bool within = true;
        for (int round = 0; round < 2000; ++round)
        {
            auto const drawn = core::draw(low, high, dice());
            within = within && drawn >= low && drawn <= high;
        }
        CHECK(within);
    }
    CHECK(core::draw(2s, 1s, highest) == nanoseconds(2s));
}

TEST_CASE("draws are even")
{
    std::mt19937_64 dice(19);
    std::vector<int> counts(4);
    for (int round = 0; round < 40'000; ++round)
        ++counts[static_cast<std::size_t>(core::draw(0ns, 3ns, dice()).count())];
    for (int const count : counts)
        CHECK(std::abs(count - 10'000) < 500);
}
