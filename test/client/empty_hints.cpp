#include "core/http_date.hpp"
#include "printers.hpp"
#include "stage.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using ccloud::gave_up;
using ccloud::retry_reason;
using std::chrono::nanoseconds;
using support::said;
using support::stage;
using support::talking_wire;

namespace {

constexpr auto latency = 10ms;

struct field
{
    std::string_view name, value;
};

/** What asks for a wait of no length: RFC 9110 section 10.2.3 allows zero, and a date of the past has come. */
constexpr field empty_hints[] = {
    {"Retry-After", "0"},
    {"Retry-After", "0.0"},
    {"Retry-After", "0, 0"},
    {"Retry-After", "Thu, 01 Jan 1970 00:00:00 GMT"},
    {"Retry-After", "Sun, 06 Nov 0001 08:49:37 GMT"},
    {"Retry-After", "Sunday, 06-Nov-94 08:49:37 GMT"},
    {"Retry-After", "1000000000"},
};

/** The pauses between the requests that were sent. */
std::vector<nanoseconds> pauses(ccloud::testing::scripted_transport const& wire)
{
    std::vector<nanoseconds> all;
    auto const& sent = wire.requests();
    for (std::size_t i = 1; i < sent.size(); ++i)
        all.push_back(sent[i].at - sent[i - 1].at);
    return all;
}

std::shared_ptr<talking_wire> always(int status, field hint)
{
    return std::make_shared<talking_wire>([=](ccloud::http_request const&) {
        return said(status, "{}").with(hint.name, hint.value).after(latency);
    });
}

} // namespace

TEST_CASE("a POST that is always throttled with a hint of zero or of the past waits for the throttle backoff, at least "
          "0.5 s, which grows")
{
    for (int const status : {503, 429, 413, 529})
        for (auto const& hint : empty_hints)
            for (std::uint64_t const dice : {std::uint64_t(0), ~std::uint64_t(0)})
            {
                CAPTURE(status);
                CAPTURE(hint.value);
                CAPTURE(dice);
                auto wire = always(status, hint);
                wire->dice(dice);
                auto settings = support::test_config();
                settings.total_timeout = 10min;
                stage play(wire, settings);
                auto const got = play.ask(support::post("/iam/v2/ip-groups"));
                REQUIRE(!got.has_value());
                CHECK(got.error().status() == status);
                CHECK(got.error().gave_up() == gave_up::attempts_exhausted);
                CHECK(got.error().retry_after() == std::nullopt);
                auto const waited = pauses(*wire);
                REQUIRE(waited.size() == 8);
                std::chrono::milliseconds ceiling = 1s;
                for (auto const& pause : waited)
                {
                    CHECK(pause >= ceiling / 2);
                    CHECK(pause <= ceiling + latency);
                    ceiling = std::min<std::chrono::milliseconds>(2 * ceiling, 60s);
                }
                for (auto const& one : got.error().attempts())
                    CHECK(
                        one.delay_source == (&one == &got.error().attempts().back() ? ccloud::delay_source::none
                                                                                    : ccloud::delay_source::backoff)
                    );
            }
}

TEST_CASE("each retry after a hint of zero is charged to the retry budget, and none is sent without tokens")
{
    for (int const status : {503, 429})
        for (auto const& hint : empty_hints)
        {
            CAPTURE(status);
            CAPTURE(hint.value);
            auto wire = always(status, hint);
            auto settings = support::test_config();
            settings.retry_budget = 12; // two retries cost 10; two tokens come back in the 1.5 s that they wait
            stage play(wire, settings);
            auto const got = play.ask(support::post("/iam/v2/ip-groups"));
            REQUIRE(!got.has_value());
            CHECK(got.error().gave_up() == gave_up::retry_budget_exhausted);
            CHECK(wire->requests().size() == 3);
            CHECK(play.cloud().metrics().budget_exhausted == 1);
        }
}

TEST_CASE("a hint of zero leaves the backoff after a transient failure as it is without one: its ceiling doubles")
{
    for (int const status : {500, 502, 504})
        for (auto const& hint : empty_hints)
        {
            CAPTURE(status);
            CAPTURE(hint.value);
            auto wire = always(status, hint);
            wire->dice(~std::uint64_t(0)); // the longest wait
            auto settings = support::test_config();
            settings.total_timeout = 10min;
            stage play(wire, settings);
            auto const got = play.ask(support::get("/iam/v2/ip-groups"));
            REQUIRE(!got.has_value());
            CHECK(got.error().retry_after() == std::nullopt);
            auto const waited = pauses(*wire);
            REQUIRE(waited.size() == 5);
            std::chrono::milliseconds ceiling = 500ms;
            for (auto const& pause : waited)
            {
                CHECK(pause > ceiling - 1ms);
                CHECK(pause <= ceiling + latency);
                ceiling *= 2;
            }
        }
}

TEST_CASE("a call that was throttled without a wait is not sent again before its own backoff, even if the gate that "
          "another call had closed is open again")
{
    // The first POST is throttled at once, and succeeds after its wait. The second is throttled after that.
    for (auto const& hint : empty_hints)
    {
        CAPTURE(hint.value);
        int count = 0;
        auto wire = std::make_shared<talking_wire>([&](ccloud::http_request const&) {
            switch (++count)
            {
            case 1: return said(503).with(hint.name, hint.value).after(latency);
            case 2: return said(503).with(hint.name, hint.value).after(2s);
            default: return said(200).after(latency);
            }
        });
        stage play(wire);
        auto& first = play.call(support::post("/iam/v2/ip-groups", "1"));
        auto& second = play.call(support::post("/iam/v2/ip-groups", "2"));
        play.run();
        CHECK(first.ok());
        CHECK(second.ok());
        auto const& sent = wire->requests();
        REQUIRE(sent.size() == 4);
        CHECK(sent[2].request.body() == "1");
        CHECK(sent[3].request.body() == "2");
        CHECK(sent[2].at - sent[0].at >= 500ms);
        CHECK(sent[3].at - (sent[1].at + 2s) >= 500ms);
    }
}

TEST_CASE("RFC 9110 section 10.2.3: a Retry-After of the year 9999 is a very long wait, which ends the call")
{
    for (auto const* const text : {"Fri, 31 Dec 9999 23:59:59 GMT", "Fri Dec 31 23:59:59 9999", "31536000, 30"})
    {
        CAPTURE(text);
        auto wire = always(503, field{"Retry-After", text});
        stage play(wire);
        auto const got = play.ask(support::get("/iam/v2/ip-groups"));
        REQUIRE(!got.has_value());
        CHECK(got.error().gave_up() == gave_up::retry_after_too_long);
        CHECK(got.error().retry_after() == std::chrono::hours(24 * 365));
        CHECK(wire->requests().size() == 1);
    }
}
