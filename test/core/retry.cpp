#include "core/retry.hpp"

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
using ccloud::errc;
using ccloud::gave_up;
using ccloud::progress;
using ccloud::retry_policy;
using core::decision;
using core::outcome;
using core::tally;
using core::verdict;
using std::chrono::nanoseconds;
using action = core::decision::action;

namespace ccloud::core {

doctest::String toString(verdict what)
{
    switch (what)
    {
    case verdict::final: return "final";
    case verdict::transient: return "transient";
    case verdict::throttled: return "throttled";
    case verdict::replay: return "replay";
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

decision decide(outcome const& ended, tally used = {}, std::uint64_t dice = lowest, nanoseconds left = no_deadline)
{
    return core::next_step(retry_policy(), used, ended, left, dice);
}

bool same(tally const& a, tally const& b)
{
    return a.tries == b.tries && a.throttles == b.throttles && a.backoffs == b.backoffs && a.replayed == b.replayed;
}

} // namespace

TEST_CASE("answers are repeated by status and method (A4)")
{
    struct row
    {
        int status;
        std::optional<nanoseconds> hint;
        verdict replayable, post;
    };
    std::vector<row> const table{
        {408, {}, verdict::transient, verdict::final},     {413, {}, verdict::final, verdict::final},
        {413, 2s, verdict::throttled, verdict::throttled}, {421, {}, verdict::replay, verdict::replay},
        {425, {}, verdict::replay, verdict::replay},       {429, {}, verdict::throttled, verdict::throttled},
        {429, 2s, verdict::throttled, verdict::throttled}, {500, {}, verdict::transient, verdict::final},
        {500, 2s, verdict::transient, verdict::final},     {502, {}, verdict::transient, verdict::final},
        {503, {}, verdict::transient, verdict::final},     {503, 2s, verdict::throttled, verdict::throttled},
        {504, {}, verdict::transient, verdict::final},     {520, {}, verdict::transient, verdict::final},
        {521, {}, verdict::transient, verdict::final},     {522, {}, verdict::transient, verdict::final},
        {523, {}, verdict::transient, verdict::final},     {524, {}, verdict::transient, verdict::final},
        {527, {}, verdict::transient, verdict::final},     {529, {}, verdict::transient, verdict::final},
        {529, 2s, verdict::throttled, verdict::throttled},
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
            CHECK(core::classify(answer(status, replayable)) == verdict::final);
            CHECK(core::classify(answer(status, replayable, 2s)) == verdict::final);
        }
    }
}

TEST_CASE("failures without an answer are repeated by how far they got (A4, I1)")
{
    constexpr auto not_sent = progress::not_sent;
    constexpr auto maybe_sent = progress::maybe_sent;
    struct row
    {
        errc code;
        progress reached;
        verdict replayable, post;
    };
    for (auto const& [code, reached, replayable, post] : {
             row{errc::name_resolution_failed, not_sent, verdict::transient, verdict::transient},
             row{errc::connect_failed, not_sent, verdict::transient, verdict::transient},
             row{errc::connect_timeout, not_sent, verdict::transient, verdict::transient},
             row{errc::tls_failed, not_sent, verdict::transient, verdict::transient},
             row{errc::write_failed, not_sent, verdict::transient, verdict::transient},
             row{errc::connection_lost, not_sent, verdict::transient, verdict::transient},
             row{errc::attempt_timeout, not_sent, verdict::transient, verdict::transient},
             row{errc::write_failed, maybe_sent, verdict::transient, verdict::final},
             row{errc::connection_lost, maybe_sent, verdict::transient, verdict::final},
             row{errc::attempt_timeout, maybe_sent, verdict::transient, verdict::final},
             row{errc::unset, not_sent, verdict::final, verdict::final},
             row{errc::invalid_argument, not_sent, verdict::final, verdict::final},
             row{errc::busy, not_sent, verdict::final, verdict::final},
             row{errc::client_closed, not_sent, verdict::final, verdict::final},
             row{errc::certificate_rejected, not_sent, verdict::final, verdict::final},
             row{errc::deadline_exceeded, not_sent, verdict::final, verdict::final},
             row{errc::deadline_exceeded, maybe_sent, verdict::final, verdict::final},
             row{errc::cancelled, not_sent, verdict::final, verdict::final},
             row{errc::cancelled, maybe_sent, verdict::final, verdict::final},
             row{errc::response_too_large, progress::answered, verdict::final, verdict::final},
             row{errc::malformed_response, progress::answered, verdict::final, verdict::final},
         })
    {
        CAPTURE(code);
        CAPTURE(reached);
        CHECK(core::classify(failure(code, reached, true)) == replayable);
        CHECK(core::classify(failure(code, reached, false)) == post);
        auto never = failure(code, reached, true);
        never.permanent = true;
        CHECK(core::classify(never) == verdict::final);
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
        CHECK(core::classify(cut) == verdict::transient);
        cut.replayable = false;
        CHECK(core::classify(cut) == verdict::final);
        cut.progress = progress::answered;
        CHECK(core::classify(cut) == verdict::final);
    }
}

TEST_CASE("a stale connection is no fault of the call: it is replayed, a POST only where no byte was sent (A3)")
{
    CHECK(core::classify(stale(true)) == verdict::replay);
    CHECK(core::classify(stale(false)) == verdict::final);
    CHECK(core::classify(stale(true, progress::not_sent)) == verdict::replay);
    CHECK(core::classify(stale(false, progress::not_sent)) == verdict::replay);
    auto written = stale(true);
    written.code = errc::write_failed;
    CHECK(core::classify(written) == verdict::replay);
    auto slow = stale(true);
    slow.code = errc::attempt_timeout;
    CHECK(core::classify(slow) == verdict::transient);
}

TEST_CASE("a replay is free, at once, and happens once a call (A3)")
{
    tally used;
    auto const first = core::next_step(retry_policy(), used, stale(true), no_deadline, highest);
    CHECK(first.what == action::replay);
    CHECK(first.delay == 0ns);
    CHECK(used.replayed);
    CHECK(used.tries == 0);

    auto after = used;
    CHECK(core::next_step(retry_policy(), after, stale(true), no_deadline, highest).what == action::wait);
    CHECK(after.tries == 1);
    for (int const status : {421, 425})
    {
        CAPTURE(status);
        CHECK(decide(answer(status, true), used).what == action::stop);
        CHECK(decide(answer(status, true), used).why == gave_up::not_retryable);
    }
}

TEST_CASE("421 and 425 are replayed once, a POST too")
{
    for (int const status : {421, 425})
        for (bool const replayable : {true, false})
        {
            CAPTURE(status);
            tally used;
            CHECK(
                core::next_step(retry_policy(), used, answer(status, replayable), no_deadline, lowest).what ==
                action::replay
            );
            CHECK(
                core::next_step(retry_policy(), used, answer(status, replayable), no_deadline, lowest).what ==
                action::stop
            );
        }
}

TEST_CASE("six tries are five waits (A1)")
{
    tally used;
    for (int wait = 1; wait <= 5; ++wait)
    {
        CAPTURE(wait);
        CHECK(core::next_step(retry_policy(), used, answer(500, true), no_deadline, highest).what == action::wait);
    }
    auto const last = core::next_step(retry_policy(), used, answer(500, true), no_deadline, highest);
    CHECK(last.what == action::stop);
    CHECK(last.why == gave_up::attempts_exhausted);
}

TEST_CASE("throttles are counted apart from tries (A2)")
{
    tally used;
    for (int wait = 1; wait <= 5; ++wait)
        REQUIRE(core::next_step(retry_policy(), used, answer(503, true), no_deadline, highest).what == action::wait);
    for (int wait = 1; wait <= 8; ++wait)
    {
        CAPTURE(wait);
        auto const hint = wait % 2 ? std::optional<nanoseconds>(1s) : std::nullopt;
        CHECK(
            core::next_step(retry_policy(), used, answer(429, false, hint), no_deadline, lowest).what == action::wait
        );
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
        CHECK(core::next_step(retry_policy::none(), used, ended, no_deadline, lowest).what == action::stop);
        CHECK(same(used, tally()));
    }
}

TEST_CASE("the wait after a transient failure is drawn from zero to a ceiling that doubles (B1)")
{
    tally used;
    for (auto const ceiling : {500ms, 1000ms, 2000ms, 4000ms, 8000ms})
    {
        CAPTURE(ceiling);
        CHECK(decide(answer(500, true), used, lowest).delay == 0ns);
        CHECK(
            core::next_step(retry_policy(), used, answer(500, true), no_deadline, highest).delay == nanoseconds(ceiling)
        );
    }
}

TEST_CASE("the wait after a throttle without a hint is drawn from the upper half (B2)")
{
    tally used;
    for (auto const ceiling : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s})
    {
        CAPTURE(ceiling);
        CHECK(decide(answer(429, false), used, lowest).delay == nanoseconds(ceiling) / 2);
        CHECK(
            core::next_step(retry_policy(), used, answer(429, false), no_deadline, highest).delay ==
            nanoseconds(ceiling)
        );
    }
}

TEST_CASE("after a wait that the server asked for the backoff begins anew (B4)")
{
    tally used;
    for (int i = 0; i < 3; ++i)
        core::next_step(retry_policy(), used, answer(500, true), no_deadline, highest);
    CHECK(decide(answer(500, true), used, highest).delay == nanoseconds(4s));
    core::next_step(retry_policy(), used, answer(429, true, 1s), no_deadline, highest);
    CHECK(used.tries == 3);
    CHECK(decide(answer(500, true), used, highest).delay == nanoseconds(500ms));
}

TEST_CASE("a wait is never shorter than the hint, and longer by a spread of a tenth at most (S3)")
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

TEST_CASE("a hint shorter than our own backoff does not shorten it (S3)")
{
    CHECK(decide(answer(429, false, 1ms), {}, lowest).delay == nanoseconds(500ms));
    CHECK(decide(answer(429, false, 1ms), {}, highest).delay == nanoseconds(1250ms));
    CHECK(decide(answer(500, true, 1ms), {}, highest).delay == nanoseconds(750ms));
}

TEST_CASE("a hint of zero leaves the wait to our own backoff (S1)")
{
    CHECK(decide(answer(429, false, 0s), {}, lowest).delay == nanoseconds(500ms));
    CHECK(decide(answer(429, false, 0s), {}, highest).delay == nanoseconds(1s));
    CHECK(decide(answer(500, true, 0s), {}, highest).delay == nanoseconds(500ms));
}

TEST_CASE("a wait the server asks for beyond the policy's limit ends the call (S4)")
{
    for (auto const& ended :
         {answer(429, true, 120s + 1ns), answer(503, false, 121s), answer(500, true, 24h * 365)})
    {
        CAPTURE(ended.status);
        tally used;
        auto const next = core::next_step(retry_policy(), used, ended, no_deadline, lowest);
        CHECK(next.what == action::stop);
        CHECK(next.why == gave_up::retry_after_too_long);
        CHECK(same(used, tally()));
    }
    CHECK(decide(answer(429, true, 120s)).what == action::wait);
}

TEST_CASE("a wait that leaves no time for a try is not begun, and nothing is counted (T4)")
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
            auto const next = core::next_step(retry_policy(), used, ended, left, highest);
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

TEST_CASE("a backoff ceiling saturates for every exponent and every duration (B1, B3)")
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

TEST_CASE("every exponent up to the greatest gives a ceiling between zero and the cap (B1)")
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
