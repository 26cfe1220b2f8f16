#include "core/retry.hpp"

#include "printers.hpp"
#include "utc.hpp"

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
constexpr std::string_view sent_at = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr auto too_long = std::optional<nanoseconds>(nanoseconds::max());

/** Twenty seconds ahead of the server's clock, so that a row tells which of the two was used. */
ccloud::wall_time const local_clock =
    std::chrono::time_point_cast<ccloud::wall_time::duration>(support::utc(1994, 11, 6, 8, 49, 57));

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

ccloud::http_headers fields(std::initializer_list<std::pair<std::string_view, std::string_view>> all)
{
    ccloud::http_headers headers;
    for (auto const& [name, value] : all)
        headers.add(name, value);
    return headers;
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

TEST_CASE("Retry-After is read as the vectors of S1 say")
{
    struct row
    {
        std::string_view name, value;
        std::optional<nanoseconds> hint; // too_long: more than the policy allows
        std::string_view date = sent_at;
        bool aged = false;
    };
    for (auto const& [name, value, hint, date, aged] : {
             row{"zero", "0", 0s},
             row{"white space", " 7 ", 7s},
             row{"leading zeros", "007", 7s},
             row{"a fraction", "1.5", 1500ms},
             row{"a fraction of two digits", "1.25", 1250ms},
             row{"a fraction is rounded up", "0.0001", 1ms},
             row{"a fraction is rounded up after its third digit", "1.9991", 2000ms},
             row{"a fraction of zeros", "3.0000", 3s},
             row{"at the cap", "120", 120s},
             row{"past the cap", "121", too_long},
             row{"negative", "-1", std::nullopt},
             row{"signed", "+5", std::nullopt},
             row{"exponent", "1e3", std::nullopt},
             row{"hexadecimal", "0x10", std::nullopt},
             row{"infinity", "inf", std::nullopt},
             row{"not a number", "nan", std::nullopt},
             row{"empty", "", std::nullopt},
             row{"blank", "  ", std::nullopt},
             row{"a unit", "5s", std::nullopt},
             row{"trailing letters", "120abc", std::nullopt},
             row{"a decimal comma", "1,5", std::nullopt},
             row{"two points", "1.5.5", std::nullopt},
             row{"no digit after the point", "5.", std::nullopt},
             row{"no digit before the point", ".5", std::nullopt},
             row{"saturates", "99999999999999999999999", too_long},
             row{"saturates with a fraction", "99999999999999999999999.9", too_long},
             row{"wraps in 64-bit nanoseconds", "9223372037", too_long},
             row{"the greatest of 64 bits", "18446744073709551615", too_long},
             row{"below 10^9 it is no epoch", "784111797", too_long},
             row{"an epoch", "1743441608", 60s, "Mon, 31 Mar 2025 17:19:08 GMT"},
             row{"an epoch with a fraction", "1743441608.25", 60250ms, "Mon, 31 Mar 2025 17:19:08 GMT"},
             row{"an epoch that has passed", "1743441000", 0s, "Mon, 31 Mar 2025 17:19:08 GMT"},
             row{"IMF-fixdate", "Sun, 06 Nov 1994 08:50:37 GMT", 60s},
             row{"RFC 850", "Sunday, 06-Nov-94 08:50:37 GMT", 60s},
             row{"asctime", "Sun Nov  6 08:50:37 1994", 60s},
             row{"a date that has passed", "Sun, 06 Nov 1994 08:49:00 GMT", 0s},
             row{"a wrong day of the week", "Mon, 06 Nov 1994 08:50:37 GMT", 60s},
             row{"a day that never was", "Sun, 31 Feb 1994 08:50:37 GMT", std::nullopt},
             row{"a leap second", "Sun, 06 Nov 1994 08:49:60 GMT", 23s},
             row{"another zone", "Sun, 06 Nov 1994 08:50:37 +0100", std::nullopt},
             row{"a date years ahead", "Thu, 06 Nov 2200 08:50:37 GMT", too_long},
             row{"a date in an answer from a cache", "Sun, 06 Nov 1994 08:50:37 GMT", 40s, sent_at, true},
             row{"a date without Date", "Sun, 06 Nov 1994 08:50:37 GMT", 40s, ""},
             row{"a date with a malformed Date", "Sun, 06 Nov 1994 08:50:37 GMT", 40s, "yesterday"},
             row{"asctime without Date", "Sun Nov  6 08:50:37 1994", 40s, ""},
         })
    {
        CAPTURE(name);
        CAPTURE(value);
        auto const read = core::parse_retry_after(value, date, aged, local_clock);
        if (hint != too_long)
        {
            CHECK(read == hint);
            continue;
        }
        CHECK(read.has_value());
        CHECK(read > std::optional<nanoseconds>(retry_policy().max_server_delay));
        CHECK(read <= std::optional<nanoseconds>(core::longest_hint));
    }
}

TEST_CASE("of several Retry-After fields the largest valid one counts (S2)")
{
    struct row
    {
        std::string_view first, second;
        std::optional<nanoseconds> hint;
    };
    for (auto const& [first, second, hint] :
         {row{"5", "30", 30s}, row{"30", "5", 30s}, row{"-1", "5", 5s}, row{"5", "x", 5s}, row{"0", "-1", 0s},
          row{"x", "", std::nullopt}, row{"5", "Sun Nov  6 08:50:37 1994", 40s}})
    {
        CAPTURE(first);
        CAPTURE(second);
        auto const headers = fields({{"Retry-After", first}, {"retry-after", second}});
        CHECK(core::server_hint(429, headers, local_clock) == hint);
    }
}

TEST_CASE("Retry-After comes before X-RateLimit-Reset, which counts for a 429 alone (S5, vector 13)")
{
    struct row
    {
        int status;
        std::string_view retry_after, reset;
        std::optional<nanoseconds> hint;
    };
    for (auto const& [status, retry_after, reset, hint] : {
             row{429, "2", "", 2s},
             row{429, "", "3", 3s},
             row{429, "2", "30", 2s},
             row{429, "0", "30", 0s},
             row{429, "-1", "3", 3s},
             row{429, "soon", "3", 3s},
             row{429, "", "0", 0s},
             row{429, "", "-3", std::nullopt},
             row{429, "", "3.5", std::nullopt},
             row{429, "", "soon", std::nullopt},
             row{429, "", "99999999999999999999999", core::longest_hint},
             row{429, "", "", std::nullopt},
             row{503, "2", "", 2s},
             row{503, "", "3", std::nullopt},
             row{500, "2", "3", 2s},
             row{200, "", "3", std::nullopt},
             row{413, "7", "", 7s},
         })
    {
        CAPTURE(status);
        CAPTURE(retry_after);
        CAPTURE(reset);
        ccloud::http_headers headers;
        headers.add("Date", sent_at).add("X-RateLimit-Remaining", "0");
        if (!retry_after.empty())
            headers.add("Retry-After", retry_after);
        if (!reset.empty())
            headers.add("x-ratelimit-reset", reset);
        CHECK(core::server_hint(status, headers, local_clock) == hint);
    }
}

TEST_CASE("a date in Retry-After is measured against Date, unless the answer is from a cache (S1)")
{
    auto headers = fields({{"Retry-After", "Sun Nov  6 08:50:37 1994"}, {"Date", "Sun Nov  6 08:49:37 1994"}});
    CHECK(core::server_hint(429, headers, local_clock) == nanoseconds(60s));
    headers.add("Age", "30");
    CHECK(core::server_hint(429, headers, local_clock) == nanoseconds(40s));
}

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
         {answer(429, true, 120s + 1ns), answer(503, false, 121s), answer(500, true, core::longest_hint)})
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
