#include "core/server_hint.hpp"

#include "printers.hpp"
#include "utc.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace core = ccloud::core;
using namespace std::chrono_literals;
using ccloud::delay_source;
using ccloud::http_headers;
using ccloud::reset_form;
using core::longest_hint;
using std::chrono::nanoseconds;

namespace {

constexpr std::string_view sent_at = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr auto too_long = std::optional<nanoseconds>(nanoseconds::max());
constexpr auto greatest = std::numeric_limits<std::int64_t>::max();

/** Twenty seconds ahead of the server's clock, so that a row tells which of the two was used. */
ccloud::wall_time const local_clock =
    std::chrono::time_point_cast<ccloud::wall_time::duration>(support::utc(1994, 11, 6, 8, 49, 57));

http_headers fields(std::initializer_list<std::pair<std::string_view, std::string_view>> all)
{
    http_headers headers;
    for (auto const& [name, value] : all)
        if (!value.empty())
            headers.add(name, value);
    return headers;
}

std::optional<nanoseconds> wait_of(int status, http_headers const& headers, reset_form form = reset_form::delta)
{
    auto const hint = core::find_hint(status, headers, form, local_clock);
    return hint ? std::optional(hint->wait) : std::nullopt;
}

/** "limit/remaining/reset" with "-" for no limit; "nothing" where there is no sample. */
std::string limits_of(http_headers const& headers, reset_form form = reset_form::delta)
{
    auto const sample = core::read_limits(headers, form, local_clock);
    if (!sample)
        return "nothing";
    return (sample->limit ? std::to_string(*sample->limit) : "-") + '/' + std::to_string(sample->remaining) + '/' +
           support::in_words(sample->reset);
}

bool within_bounds(nanoseconds wait)
{
    return wait >= 0ns && wait <= longest_hint;
}

/** Draws what the properties below are shown. */
class generator
{
public:
    explicit generator(std::uint64_t seed) : dice_(seed) {}

    std::size_t below(std::size_t bound) { return static_cast<std::size_t>(dice_() % bound); }
    bool one_in(std::size_t count) { return below(count) == 0; }

    template <class Choices>
    auto const& one_of(Choices const& choices)
    {
        return choices[below(std::size(choices))];
    }

    /** A well-formed text, and in two of three cases something broken from it. */
    std::string value(std::vector<std::string_view> const& seeds)
    {
        static constexpr std::string_view letters = "0123456789019.,;:=\"\\ \tGMT+-ertqw*%";
        std::string text(one_of(seeds));
        for (std::size_t left = below(4); left > 0 && !one_in(3); --left)
        {
            auto const at = below(text.size() + 1);
            switch (below(5))
            {
            case 0: text.insert(at, 1, one_of(letters)); break;
            case 1: text.erase(at, 1 + below(3)); break;
            case 2: text = text.substr(0, at) + std::string(one_of(seeds)).substr(below(2)); break;
            case 3: text.insert(at, std::string(1 + below(20), '9')); break;
            default:
                if (at < text.size())
                    text[at] = one_of(letters);
            }
        }
        return text;
    }

    std::string retry_after() { return value(retry_after_seeds); }

    http_headers headers()
    {
        http_headers made;
        auto const add = [&](std::size_t rarity, std::string_view name, std::vector<std::string_view> const& seeds) {
            while (one_in(rarity))
                made.add(name, value(seeds));
        };
        add(2, "Retry-After", retry_after_seeds);
        add(2, "Date", {sent_at, "Fri, 31 Dec 1993 23:59:60 GMT", "Sun Nov  6 08:49:37 1994"});
        add(6, "Age", {"0", "30"});
        add(3, "RateLimit",
            {R"("default";r=50;t=30)", R"("default";r=50;t=30, "burst";r=0;t=1)", "burst;r=3;t=1;pk=:YQ==:"});
        add(3, "RateLimit-Policy", {R"("default";q=100;w=60)", R"("default";q=100;w=60,"burst";q=5)"});
        add(2, "X-RateLimit-Limit", {"100"});
        add(2, "X-RateLimit-Remaining", {"0", "0", "7"});
        add(2, "X-RateLimit-Reset", {"3", "784111837", "1743441608", "0"});
        return made;
    }

    int status() { return one_of(std::array{200, 404, 413, 429, 429, 429, 500, 503, 599}); }
    reset_form form() { return one_of(std::array{reset_form::delta, reset_form::epoch, reset_form::automatic}); }

private:
    std::vector<std::string_view> const retry_after_seeds{
        "0",
        "7",
        "1.5",
        "120",
        "1743441608",
        "9223372037",
        "8999999999.999",
        "Sun, 06 Nov 1994 08:50:37 GMT",
        "Sunday, 06-Nov-94 08:50:37 GMT",
        "Sun Nov  6 08:50:37 1994"};
    std::mt19937_64 dice_;
};

std::string shown(int status, http_headers const& headers)
{
    return std::to_string(status) + '\n' + headers.text();
}

} // namespace

TEST_CASE("S1: Retry-After is read as the vectors say")
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
             row{"a fraction longer than any number", "3.99999999999999999999999", 4s},
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
             row{"a list (RFC 9110 section 5.3)", "30, 30", 30s},
             row{"a list counts with its longest wait", "5,60 , 7", 60s},
             row{"a list with a date", "5, Sun, 06 Nov 1994 08:50:37 GMT", 60s},
             row{"a list of dates", "Sun, 06 Nov 1994 08:50:37 GMT, Sunday, 06-Nov-94 08:50:36 GMT", 60s},
             row{"a list with a date before", "Sun Nov  6 08:50:37 1994,5", 60s},
             row{"a list with a malformed member", "x, 30, -7", 30s},
             row{"a list with empty members", ",30,,7,", 30s},
             row{"a list of malformed members", "x, 31 Feb 1994 08:50:37 GMT", std::nullopt},
             row{"two points", "1.5.5", std::nullopt},
             row{"no digit after the point", "5.", std::nullopt},
             row{"no digit before the point", ".5", std::nullopt},
             row{"white space inside", "1 5", std::nullopt},
             row{"quotes", "\"5\"", std::nullopt},
             row{"saturates", "99999999999999999999999", too_long},
             row{"saturates with a fraction", "99999999999999999999999.9", too_long},
             row{"wraps in 64-bit nanoseconds", "9223372037", too_long},
             row{"the greatest of 64 bits", "18446744073709551615", too_long},
             row{"below 10^9 it is no epoch", "784111797", too_long},
             row{"the last below 10^9", "999999999.9999", too_long},
             row{"an epoch", "1743441608", 60s, "Mon, 31 Mar 2025 17:19:08 GMT"},
             row{"the first epoch", "1000000000", 8s, "Sun, 09 Sep 2001 01:46:32 GMT"},
             row{"an epoch with a fraction", "1743441608.25", 60250ms, "Mon, 31 Mar 2025 17:19:08 GMT"},
             row{"an epoch that has passed", "1743441000", 0s, "Mon, 31 Mar 2025 17:19:08 GMT"},
             row{"an epoch without Date", "1743441608", too_long, ""},
             row{"an epoch near the end of 64-bit nanoseconds", "8999999999.999", too_long},
             row{"an epoch a year ahead to the second", "1774977548", longest_hint, "Mon, 31 Mar 2025 17:19:08 GMT"},
             row{"the same and a fraction", "1774977548.5", longest_hint, "Mon, 31 Mar 2025 17:19:08 GMT"},
             row{"IMF-fixdate", "Sun, 06 Nov 1994 08:50:37 GMT", 60s},
             row{"RFC 850", "Sunday, 06-Nov-94 08:50:37 GMT", 60s},
             row{"asctime", "Sun Nov  6 08:50:37 1994", 60s},
             row{"a date that has passed", "Sun, 06 Nov 1994 08:49:00 GMT", 0s},
             row{"the date of the answer", sent_at, 0s},
             row{"a wrong day of the week", "Mon, 06 Nov 1994 08:50:37 GMT", 60s},
             row{"a day that never was", "Sun, 31 Feb 1994 08:50:37 GMT", std::nullopt},
             row{"a leap second", "Sun, 06 Nov 1994 08:49:60 GMT", 23s},
             row{"another zone", "Sun, 06 Nov 1994 08:50:37 +0100", std::nullopt},
             row{"a date years ahead", "Thu, 06 Nov 2200 08:50:37 GMT", too_long},
             row{"a date that nanoseconds do not reach", "Fri, 31 Dec 9999 23:59:59 GMT", longest_hint},
             row{"asctime that nanoseconds do not reach", "Fri Dec 31 23:59:59 9999", longest_hint},
             row{"a date before 1678", "Sun, 06 Nov 1594 08:50:37 GMT", 0s},
             row{"dates six centuries apart", "Thu, 31 Dec 2261 08:50:37 GMT", longest_hint,
                 "Sat, 01 Jan 1678 00:00:00 GMT"},
             row{"the same the other way round", "Sat, 01 Jan 1678 00:00:00 GMT", 0s, "Thu, 31 Dec 2261 08:50:37 GMT"},
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
        CHECK(read > std::optional<nanoseconds>(ccloud::retry_policy().max_server_delay));
        CHECK(read <= std::optional<nanoseconds>(longest_hint));
    }
}

TEST_CASE("S1: a date in Retry-After is measured against Date, unless the answer is from a cache")
{
    auto headers = fields({{"Retry-After", "Sun Nov  6 08:50:37 1994"}, {"Date", "Sun Nov  6 08:49:37 1994"}});
    CHECK(wait_of(429, headers) == nanoseconds(60s));
    headers.add("Age", "30");
    CHECK(wait_of(429, headers) == nanoseconds(40s));
}

TEST_CASE("a Date beyond what can be computed with is none: the wait is measured against the client's clock")
{
    for (std::string_view const date :
         {"Mon, 01 Jan 0001 00:00:00 GMT", "Sun Nov  6 08:50:37 0000", "Fri, 31 Dec 1677 23:59:59 GMT",
          "Wed, 01 Jan 2262 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "Sun Nov  6 08:50:37 9999"})
    {
        CAPTURE(date);
        CHECK(
            wait_of(429, fields({{"Date", date}, {"Retry-After", "Sun, 06 Nov 1994 08:50:37 GMT"}})) == nanoseconds(40s)
        );
        for (std::string_view const name : {"X-RateLimit-Reset", "RateLimit-Reset"})
        {
            auto const limited = fields({{"Date", date}, {name, "784111837"}, {"X-RateLimit-Remaining", "0"}});
            bool const old = name == "X-RateLimit-Reset"; // the other is an epoch from 10^9 on
            CHECK(wait_of(429, limited, reset_form::epoch) == (old ? nanoseconds(40s) : longest_hint));
        }
    }
    // A date that is only wrong, and one in a Retry-After, count as they are.
    CHECK(
        wait_of(
            429, fields({{"Date", "Sat, 01 Jan 2000 00:00:00 GMT"}, {"Retry-After", "Sat, 01 Jan 2000 00:00:07 GMT"}})
        ) == nanoseconds(7s)
    );
    CHECK(
        wait_of(
            429, fields({{"Date", "Mon, 01 Jan 0001 00:00:00 GMT"}, {"Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT"}})
        ) == longest_hint
    );
}

TEST_CASE("S2: of several Retry-After fields the largest valid one counts")
{
    struct row
    {
        std::string_view first, second;
        std::optional<nanoseconds> hint;
        std::string_view text;
    };
    for (auto const& [first, second, hint, text] :
         {row{"5", "30", 30s, "30"}, row{"30", "5", 30s, "30"}, row{"-1", "5", 5s, "5"}, row{"5", "x", 5s, "5"},
          row{"0", "-1", 0s, "0"}, row{"x", "", std::nullopt, ""}, row{"30", "030", 30s, "30"},
          row{"5", "Sun Nov  6 08:50:37 1994", 40s, "Sun Nov  6 08:50:37 1994"},
          row{"99999999999999999999", "5", longest_hint, "99999999999999999999"}})
    {
        CAPTURE(first);
        CAPTURE(second);
        http_headers headers;
        headers.add("Retry-After", first).add("retry-after", second);
        auto const found = core::find_hint(429, headers, reset_form::delta, local_clock);
        CHECK((found ? std::optional(found->wait) : std::nullopt) == hint);
        if (!found)
            continue;
        CHECK(found->source == delay_source::retry_after);
        CHECK(found->text == text);
        CHECK(found->text.data() >= headers.text().data());
        CHECK(found->text.data() < headers.text().data() + headers.text().size());
    }
}

TEST_CASE("S5: Retry-After comes before RateLimit, that before X-RateLimit-Reset; malformed is absent (vector 13)")
{
    struct row
    {
        std::string_view retry_after, rate_limit, reset;
        std::optional<nanoseconds> hint;
        delay_source source = delay_source::rate_limit;
    };
    for (auto const& [retry_after, rate_limit, reset, hint, source] : {
             row{"2", R"("a";r=0;t=20)", "30", 2s, delay_source::retry_after},
             row{"2", "", "", 2s, delay_source::retry_after},
             row{"2", "", "30", 2s, delay_source::retry_after},
             row{"0", R"("a";r=0;t=20)", "30", 0s, delay_source::retry_after},
             row{"-1", R"("a";r=0;t=20)", "30", 20s},
             row{"soon", "", "3", 3s},
             row{"", R"("a";r=0;t=20)", "30", 20s},
             row{"", R"("a";r=0;t=20)", "", 20s},
             row{"", R"("a";r=0;t=0)", "30", 0s},
             row{"", R"("a";r=0)", "30", 30s},
             row{"", R"("a";r=0;t=-1)", "30", 30s},
             row{"", R"("a";r=0;t=20,)", "30", 30s},
             row{"", "limit=10, remaining=0, reset=20", "30", 30s},
             row{"", "", "3", 3s},
             row{"", "", "0", 0s},
             row{"", "", "007", 7s},
             row{"", "", "99999999999999999999999", longest_hint},
             row{"", R"("a";r=0;t=99999999999999999999999)", "", longest_hint},
             row{"", "", "-3", std::nullopt},
             row{"", "", "+3", std::nullopt},
             row{"", "", "3.5", std::nullopt},
             row{"", "", "3, 7", 3s},
             row{"", "", ", 7", std::nullopt},
             row{"", "", "soon", std::nullopt},
             row{"", "", "Sun, 06 Nov 1994 08:50:37 GMT", std::nullopt},
             row{"", "", "", std::nullopt},
             row{"-1", R"("a")", "-1", std::nullopt},
         })
    {
        CAPTURE(retry_after);
        CAPTURE(rate_limit);
        CAPTURE(reset);
        auto const headers = fields(
            {{"Date", sent_at}, {"x-ratelimit-reset", reset}, {"ratelimit", rate_limit}, {"retry-after", retry_after}}
        );
        auto const found = core::find_hint(429, headers, reset_form::delta, local_clock);
        CHECK((found ? std::optional(found->wait) : std::nullopt) == hint);
        if (!found)
            continue;
        CHECK(found->source == source);
        auto const& from = source == delay_source::retry_after                 ? retry_after
                           : wait_of(429, fields({{"RateLimit", rate_limit}})) ? rate_limit
                                                                               : reset;
        CHECK(found->text == from);
    }
}

TEST_CASE("S5: a reset counts for 429, and for 5xx where nothing remains; Retry-After for any status")
{
    constexpr std::string_view left = R"("a";r=1;t=20)", spent = R"("a";r=0;t=20)";
    struct row
    {
        std::string_view rate_limit, remaining, reset;
        std::optional<nanoseconds> throttled, failed;
    };
    for (auto const& [rate_limit, remaining, reset, throttled, failed] : {
             row{spent, "", "", 20s, 20s},
             row{left, "", "", 20s, std::nullopt},
             row{left, "0", "3", 20s, std::nullopt}, // RateLimit comes first
             row{spent, "5", "3", 20s, 20s},
             row{"", "0", "3", 3s, 3s},
             row{"", "000", "3", 3s, 3s},
             row{"", "1", "3", 3s, std::nullopt},
             row{"", "", "3", 3s, std::nullopt},
             row{"", "none", "3", 3s, std::nullopt},
             row{"", "-0", "3", 3s, std::nullopt},
             row{"", "0", "", std::nullopt, std::nullopt},
         })
    {
        CAPTURE(rate_limit);
        CAPTURE(remaining);
        CAPTURE(reset);
        auto headers =
            fields({{"RateLimit", rate_limit}, {"X-RateLimit-Remaining", remaining}, {"X-RateLimit-Reset", reset}});
        CHECK(wait_of(429, headers) == throttled);
        for (int const status : {500, 501, 502, 503, 504, 529, 599})
            CHECK(wait_of(status, headers) == failed);
        for (int const status : {0, 200, 204, 302, 400, 401, 402, 403, 404, 408, 409, 413, 425, 428, 430, 499})
            CHECK(wait_of(status, headers) == std::nullopt);
        headers.add("Retry-After", "7");
        for (int const status : {0, 200, 202, 302, 403, 413, 429, 500, 503})
            CHECK(wait_of(status, headers) == nanoseconds(7s));
    }
}

TEST_CASE("S5: X-RateLimit-Reset is read in the form that is configured")
{
    struct row
    {
        std::string_view name, reset;
        std::optional<nanoseconds> delta, epoch, automatic;
        std::string_view date = sent_at, age = "";
    };
    for (auto const& [name, reset, delta, epoch, automatic, date, age] : {
             row{"small", "30", 30s, 0s, 30s},
             row{"zero", "0", 0s, 0s, 0s},
             row{"an epoch below 10^9", "784111837", longest_hint, 60s, longest_hint},
             row{"the same from a cache", "784111837", longest_hint, 40s, longest_hint, sent_at, "30"},
             row{"the same with an Age of zero", "784111837", longest_hint, 40s, longest_hint, sent_at, "0"},
             row{"the same without Date", "784111837", longest_hint, 40s, longest_hint, ""},
             row{"the same with a malformed Date", "784111837", longest_hint, 40s, longest_hint, "now"},
             row{"an epoch that has passed", "784111700", longest_hint, 0s, longest_hint},
             row{"an epoch", "1743441608", longest_hint, 60s, 60s, "Mon, 31 Mar 2025 17:19:08 GMT"},
             row{"10^9", "1000000000", longest_hint, 8s, 8s, "Sun, 09 Sep 2001 01:46:32 GMT"},
             row{"10^9 that has passed", "1000000000", longest_hint, 0s, 0s, "Mon, 31 Mar 2025 17:19:08 GMT"},
             row{"the last below 10^9", "999999999", longest_hint, 7s, longest_hint, "Sun, 09 Sep 2001 01:46:32 GMT"},
             row{"milliseconds", "1743441608000", longest_hint, longest_hint, longest_hint},
             row{"saturates", "99999999999999999999", longest_hint, longest_hint, longest_hint},
             row{"no number", "x", std::nullopt, std::nullopt, std::nullopt},
             row{"a fraction", "1743441608.5", std::nullopt, std::nullopt, std::nullopt},
         })
    {
        CAPTURE(name);
        auto const headers =
            fields({{"Date", date}, {"Age", age}, {"X-RateLimit-Reset", reset}, {"X-RateLimit-Remaining", "0"}});
        for (auto const& [form, wait] :
             {std::pair(reset_form::delta, delta), std::pair(reset_form::epoch, epoch),
              std::pair(reset_form::automatic, automatic)})
        {
            CAPTURE(static_cast<int>(form));
            CHECK(wait_of(429, headers, form) == wait);
            CHECK(wait_of(503, headers, form) == wait);
            auto const sample = core::read_limits(headers, form, local_clock);
            CHECK((sample ? std::optional(sample->reset) : std::nullopt) == wait);
        }
    }
}

TEST_CASE("S5: RateLimit-Reset of the older drafts is in seconds, after RateLimit and before X-RateLimit-Reset")
{
    struct row
    {
        std::string_view name, rate_limit, limit, remaining, reset, sample;
        std::optional<nanoseconds> hint;
    };
    for (auto const& [name, rate_limit, limit, remaining, reset, sample, hint] : {
             row{"alone", "", "100", "0", "7", "100/0/7 s", 7s},
             row{"a limit with its policies", "", "100, 100;w=60, 1000;w=3600", "0", "7", "100/0/7 s", 7s},
             row{"a year at most", "", "", "0", "999999999", "-/0/31536000 s", longest_hint},
             row{"fields that a proxy has joined", "", "100, 100", "0, 5", "7, 30", "100/0/7 s", 7s},
             row{"after RateLimit", R"("a";r=0;t=20)", "100", "5", "7", "-/0/20 s", 20s},
             row{"malformed", "", "100", "0", "x", "9/2/30 s", 30s},
             row{"absent", "", "100", "0", "", "9/2/30 s", 30s},
             row{"without what remains", "", "100", "", "7", "nothing", 7s},
         })
    {
        CAPTURE(name);
        auto const headers = fields(
            {{"X-RateLimit-Limit", "9"},
             {"X-RateLimit-Remaining", "2"},
             {"X-RateLimit-Reset", "30"},
             {"RateLimit", rate_limit},
             {"ratelimit-limit", limit},
             {"RateLimit-Remaining", remaining},
             {"RATELIMIT-RESET", reset}}
        );
        for (auto const form : {reset_form::delta, reset_form::automatic})
        {
            CHECK(limits_of(headers, form) == sample);
            CHECK(wait_of(429, headers, form) == hint);
        }
    }
}

TEST_CASE("S5: a number of seconds of 10^9 or more, which is 31 years, is an epoch in RateLimit-Reset in every form")
{
    for (auto const& [reset, wait] :
         {std::pair<std::string_view, nanoseconds>{"1743441608", 60s}, {"1743441548", 0s}, {"999999999", longest_hint}})
    {
        CAPTURE(reset);
        auto const headers =
            fields({{"Date", "Mon, 31 Mar 2025 17:19:08 GMT"}, {"RateLimit-Reset", reset}, {"RateLimit-Remaining", "0"}}
            );
        for (auto const form : {reset_form::delta, reset_form::epoch, reset_form::automatic})
        {
            CHECK(wait_of(429, headers, form) == wait);
            CHECK(wait_of(503, headers, form) == wait);
            CHECK(wait_of(404, headers, form) == std::nullopt);
        }
    }
}

TEST_CASE("S5: by default an X-RateLimit-Reset of 10^9 or more is an epoch, for it cannot be a number of seconds")
{
    auto const form = ccloud::config().reset_form;
    auto const wait = [form](std::string_view reset) {
        return wait_of(429, fields({{"Date", "Mon, 31 Mar 2025 17:19:08 GMT"}, {"X-RateLimit-Reset", reset}}), form);
    };
    CHECK(wait("1743441608") == 60s);
    CHECK(wait("1000000000") == 0s);
    CHECK(wait("999999999") == longest_hint);
    CHECK(wait("30") == 30s);
}

TEST_CASE("S5: the window of RateLimit is in seconds from now, whatever form X-RateLimit-Reset has")
{
    auto const headers = fields({{"Date", sent_at}, {"RateLimit", R"("a";r=0;t=1743441608)"}});
    for (auto const form : {reset_form::delta, reset_form::epoch, reset_form::automatic})
        CHECK(wait_of(429, headers, form) == longest_hint);
}

TEST_CASE("S5: RateLimit is a list, of which the tightest policy counts")
{
    struct row
    {
        std::string_view name, value, sample;
    };
    for (auto const& [name, value, sample] : {
             row{"one policy", R"("default";r=50;t=30)", "-/50/30 s"},
             row{"the smallest r", R"("default";r=50;t=30, "burst";r=3;t=1)", "-/3/1 s"},
             row{"the smallest r in front", R"("burst";r=3;t=1,"default";r=50;t=30)", "-/3/1 s"},
             row{"among equals the largest t", R"("a";r=3;t=1, "b";r=3;t=9, "c";r=3;t=5)", "-/3/9 s"},
             row{"among equals one with a t", R"("a";r=3, "b";r=3;t=0, "c";r=3)", "-/3/0 s"},
             row{"the smallest has no t", R"("a";r=3, "b";r=4;t=9)", "nothing"},
             row{"another has no t", R"("a";r=3;t=9, "b";r=4)", "-/3/9 s"},
             row{"the order of parameters", R"("a";t=9;r=3)", "-/3/9 s"},
             row{"a repeated parameter: the last", R"("a";r=8;t=1;r=3;t=9)", "-/3/9 s"},
             row{"a token for a name", "default;r=50;t=30", "-/50/30 s"},
             row{"tokens with all they may contain", "*a:b/c.d-e_f;r=50;t=30", "-/50/30 s"},
             row{"an empty name", R"("";r=50;t=30)", "-/50/30 s"},
             row{"a comma in a name", R"("a,b";r=50;t=30, "c";r=3;t=1)", "-/3/1 s"},
             row{"a policy inside a name", R"("a;r=0;t=7, b";r=50;t=30)", "-/50/30 s"},
             row{"escapes in a name", R"("a\";r=0;t=7,\\";r=50;t=30)", "-/50/30 s"},
             row{"unknown parameters", R"("a";x;r=3;y=?0;t=9;z=1.5;d=@1659578233;n=-5)", "-/3/9 s"},
             row{"a partition key", R"("a";r=3;t=9;pk=:cHsdsRa894==:)", "-/3/9 s"},
             row{"a string among the parameters", R"("a";c="x;r=0,\";t=0";r=3;t=9)", "-/3/9 s"},
             row{"a display string", R"("a";c=%"x;r=0,%c3%bc";r=3;t=9)", "-/3/9 s"},
             row{"a parameter in capitals is another one", R"("a";r=3;t=9;R=0;T=0)", "-/3/9 s"},
             row{"a parameter that begins alike is another one", R"("a";r=3;t=9;rr=0;t2=0)", "-/3/9 s"},
             row{"white space", "\"a\" ; r=3 ;\t t=9\t , \t\"b\";r=7;t=1", "-/3/9 s"},
             row{"leading zeros", R"("a";r=003;t=09)", "-/3/9 s"},
             row{"saturates", R"("a";r=99999999999999999999;t=99999999999999999999)",
                 "-/9223372036854775807/31536000 s"},
             row{"zero", R"("a";r=0;t=0)", "-/0/0 s"},
         })
    {
        CAPTURE(name);
        CAPTURE(value);
        auto const headers = fields({{"RateLimit", value}});
        CHECK(limits_of(headers) == sample);
        auto const hint = core::find_hint(429, headers, reset_form::delta, local_clock);
        CHECK(hint.has_value() == (sample != "nothing"));
        if (hint)
            CHECK(hint->text == value);
    }
}

TEST_CASE("S5: a list may be spread over several fields")
{
    auto const headers = fields(
        {{"RateLimit", R"("default";r=50;t=30)"},
         {"RateLimit-Policy", R"("default";q=100;w=60)"},
         {"ratelimit", R"("hour";r=9;t=70, "burst";r=3;t=1)"},
         {"ratelimit-policy", R"("hour";q=900;w=3600,"burst";q=5;w=1)"}}
    );
    CHECK(limits_of(headers) == "5/3/1 s");
    auto const hint = core::find_hint(429, headers, reset_form::delta, local_clock);
    REQUIRE(hint);
    CHECK(hint->text == R"("hour";r=9;t=70, "burst";r=3;t=1)");
}

TEST_CASE("S5: the limit is the quota of the policy that has the same name")
{
    struct row
    {
        std::string_view name, policy, limit;
    };
    for (auto const& [name, policy, limit] : {
             row{"one policy", R"("default";q=100;w=60)", "100"},
             row{"one of two", R"("burst";q=5;w=1,"default";q=100;w=60)", "100"},
             row{"a token for a name", "default;q=100;w=60", "100"},
             row{"a quota unit and a partition key", R"("default";q=65535;qu="content-bytes";pk=:YQ==:)", "65535"},
             row{"of two of one name the first", R"("default";q=100, "default";q=7)", "100"},
             row{"saturates", R"("default";q=99999999999999999999)", "9223372036854775807"},
             row{"none of that name", R"("burst";q=5;w=1)", "-"},
             row{"names regard case", R"("Default";q=5;w=1)", "-"},
             row{"no quota", R"("default";w=60)", "-"},
             row{"an odd quota", R"("default";q=1e3)", "-"},
             row{"an odd quota of another policy", R"("burst";q=x, "default";q=100)", "100"},
             row{"malformed after it", R"("default";q=100, "x)", "-"},
             row{"absent", "", "-"},
         })
    {
        CAPTURE(name);
        auto const headers =
            fields({{"RateLimit", R"("default";r=50;t=30)"}, {"X-RateLimit-Limit", "1"}, {"RateLimit-Policy", policy}});
        CHECK(limits_of(headers) == std::string(limit) + "/50/30 s");
    }
    CHECK(
        limits_of(fields({{"RateLimit", R"("a\"b";r=1;t=2)"}, {"RateLimit-Policy", R"("a";q=3, "a\"b";q=4)"}})) ==
        "4/1/2 s"
    );
}

TEST_CASE("S5: RateLimit in an answer from a cache is ignored")
{
    for (auto const& [age, wait] :
         {std::pair<std::string_view, nanoseconds>("0", 20s), {"00", 20s}, {"1", 3s}, {"x", 3s}})
    {
        CAPTURE(age);
        auto const headers = fields({{"RateLimit", R"("a";r=0;t=20)"}, {"X-RateLimit-Reset", "3"}, {"Age", age}});
        CHECK(wait_of(429, headers) == wait);
    }
}

TEST_CASE("G8: RateLimit gives no sample where anything of it is malformed")
{
    for (std::string_view const value :
         {R"("a")",
          R"("a";t=30)",
          R"("a";r=50)",
          R"("a";r;t=30)",
          R"("a";r=50;t)",
          R"("a";r=-1;t=30)",
          R"("a";r=+1;t=30)",
          R"("a";r=1.0;t=30)",
          R"("a";r="1";t=30)",
          R"("a";r=1e2;t=30)",
          R"("a";r=:MQ==:;t=30)",
          R"("a";r=?1;t=30)",
          R"("a";r=50;t=-30)",
          R"("a";r=50;t=0.5)",
          R"("a";r=50;t="30")",
          R"("a";r=;t=30)",
          R"("a";r= 50;t=30)",
          R"("a";r =50;t=30)",
          R"("a";r=50;t=30;)",
          R"("a";r=50;;t=30)",
          R"("a";r=50;t=30;x=)",
          R"("a";r=50;t=30;x=")",
          R"("a";r=50;t=30;x="\")",
          R"("a";r=50;t=30;x=%")",
          R"("a";r=50;t=30;"x")",
          R"("a";r=50;t=30,)",
          R"("a";r=50;t=30, ,"b";r=3;t=1)",
          R"(,"a";r=50;t=30)",
          R"("a";r=50;t=30 "b";r=3;t=1)",
          R"("a";r=50;t=30 xb;r=3;t=1)",
          R"("a";r=50 t=30)",
          R"("a"r=50;t=30)",
          R"("a"x;r=50;t=30)",
          R"("a;r=50;t=30)",
          R"("a\";r=50;t=30)",
          R"("a";r=50;t=30, "b")",
          R"("a";r=50;t=30, "b";r=x;t=1)",
          R"("a";r=50;t=30, "b";r=99;t=x)",
          ";r=50;t=30",
          "r=50;t=30",
          "limit=100, remaining=50, reset=5",
          "50",
          "",
          " "})
    {
        CAPTURE(value);
        http_headers headers;
        headers.add("RateLimit", value);
        CHECK(limits_of(headers) == "nothing");
        CHECK(wait_of(429, headers) == std::nullopt);
        headers.add("X-RateLimit-Remaining", "4").add("X-RateLimit-Reset", "3");
        CHECK(limits_of(headers) == "-/4/3 s");
        CHECK(wait_of(429, headers) == nanoseconds(3s));
    }
    auto const second = fields({{"RateLimit", R"("a";r=50;t=30)"}, {"RateLimit", R"("b";r=3;t=x)"}});
    CHECK(limits_of(second) == "nothing");
}

TEST_CASE("G8: X-RateLimit fields give no sample where remaining or reset is missing or odd")
{
    struct row
    {
        std::string_view limit, remaining, reset, sample;
    };
    for (auto const& [limit, remaining, reset, sample] : {
             row{"100", "4", "3", "100/4/3 s"},
             row{"100", "0", "0", "100/0/0 s"},
             row{"", "4", "3", "-/4/3 s"},
             row{"-1", "4", "3", "-/4/3 s"},
             row{"100, 100;w=60", "4", "3", "100/4/3 s"},
             row{"100, 90", "4, 3", "3, 60", "100/4/3 s"},
             row{"x, 100", "4", "3", "-/4/3 s"},
             row{"unlimited", "4", "3", "-/4/3 s"},
             row{"0100", "004", "03", "100/4/3 s"},
             row{"99999999999999999999", "99999999999999999999", "99999999999999999999",
                 "9223372036854775807/9223372036854775807/31536000 s"},
             row{"100", "", "3", "nothing"},
             row{"100", "-4", "3", "nothing"},
             row{"100", "+4", "3", "nothing"},
             row{"100", "4.0", "3", "nothing"},
             row{"100", "4e0", "3", "nothing"},
             row{"100", "0x4", "3", "nothing"},
             row{"100", "x, 4", "3", "nothing"},
             row{"100", "four", "3", "nothing"},
             row{"100", "4", "", "nothing"},
             row{"100", "4", "-3", "nothing"},
             row{"100", "4", "+3", "nothing"},
             row{"100", "4", "3.5", "nothing"},
             row{"100", "4", "3s", "nothing"},
             row{"100", "4", "Sun, 06 Nov 1994 08:50:37 GMT", "nothing"},
             row{"100", "", "", "nothing"},
             row{"", "", "", "nothing"},
         })
    {
        CAPTURE(limit);
        CAPTURE(remaining);
        CAPTURE(reset);
        auto const headers =
            fields({{"x-ratelimit-limit", limit}, {"x-ratelimit-remaining", remaining}, {"x-ratelimit-reset", reset}});
        CHECK(limits_of(headers) == sample);
    }
}

TEST_CASE("G8: of X-RateLimit fields with one name the first counts, however it is spelt, and be it odd")
{
    http_headers headers;
    headers.add("x-RATELIMIT-lImIt", "100").add("X-RateLimit-Reset", "3").add("X-RATELIMIT-REMAINING", "4");
    CHECK(limits_of(headers) == "100/4/3 s");
    headers.add("X-RateLimit-Limit", "7").add("X-RateLimit-Remaining", "8").add("x-ratelimit-reset", "9");
    CHECK(limits_of(headers) == "100/4/3 s");
    CHECK(wait_of(429, headers) == nanoseconds(3s));
    headers.remove("x-ratelimit-limit");
    CHECK(limits_of(headers) == "-/4/3 s");
    for (std::string_view const odd : {"-", "soon", "-1"})
    {
        CAPTURE(odd);
        http_headers first;
        first.add("X-RateLimit-Limit", odd).append(headers).add("X-RateLimit-Limit", "100");
        CHECK(limits_of(first) == "-/4/3 s");
        http_headers second;
        second.add("X-RateLimit-Remaining", odd).append(headers);
        CHECK(limits_of(second) == "nothing");
        http_headers third;
        third.add("X-RateLimit-Reset", odd).append(headers);
        CHECK(limits_of(third) == "nothing");
    }
}

TEST_CASE("G8: of X-RateLimit fields with one name the first counts, be it empty")
{
    for (std::string_view const name : {"X-RateLimit-Remaining", "X-RateLimit-Reset"})
    {
        CAPTURE(name);
        http_headers headers;
        headers.add(name, "").add("X-RateLimit-Remaining", "4").add("X-RateLimit-Reset", "3");
        CHECK(limits_of(headers) == "nothing");
    }
}

TEST_CASE("G8: names that are almost those of a limit are none")
{
    for (std::string_view const name :
         {"X-RateLimit-",
          "X-RateLimit",
          "X-RateLimit-Limited",
          "X-RateLimit-Rese",
          "X-RateLimit-Resets",
          "X-RateLimit--Reset",
          "X-RateLimit-Reset-",
          "X-RateLimitReset",
          "XRateLimit-Reset",
          "X-Rate-Limit-Reset",
          "X_RateLimit_Reset",
          "Y-RateLimit-Reset",
          "RateLimit-Reset",
          "RateLimit-Remaining",
          "Reset",
          "X",
          "R",
          "RateLimits",
          "Rate-Limit",
          "X-RateLimit-RateLimit"})
    {
        CAPTURE(name);
        http_headers headers;
        headers.add(name, R"("a";r=50;t=30)").add(name, "1");
        CHECK(limits_of(headers) == "nothing");
        CHECK(wait_of(429, headers) == std::nullopt);
        headers.add("X-RateLimit-Remaining", "4").add("X-RateLimit-Reset", "3").add(name, "2");
        CHECK(limits_of(headers) == "-/4/3 s");
        CHECK(wait_of(429, headers) == nanoseconds(3s));
    }
    http_headers headers;
    CHECK(limits_of(headers.add("rATELIMIT", R"("a";r=50;t=30)")) == "-/50/30 s");
}

TEST_CASE("G8: a sample is taken from RateLimit first, and never from both")
{
    auto headers = fields(
        {{"X-RateLimit-Limit", "100"},
         {"X-RateLimit-Remaining", "4"},
         {"X-RateLimit-Reset", "3"},
         {"RateLimit", R"("a";r=50;t=30)"}}
    );
    CHECK(limits_of(headers) == "-/50/30 s");
    headers.set("RateLimit", R"("a";r=50)");
    CHECK(limits_of(headers) == "100/4/3 s");
}

TEST_CASE("S1, S2, S5, G8: what holds for every answer")
{
    constexpr int rounds = 60'000;
    static constexpr std::array<std::string_view, 8> malformed{
        "-1", "5s", "1e3", "inf", "1;5", "Sun, 31 Feb 1994 08:50:37 GMT", "Sun, 06 Nov 1994 08:50:37 +0100", "."};
    generator draw(0x5eed);
    int hints = 0, samples = 0;
    for (int round = 0; round < rounds; ++round)
    {
        auto const status = draw.status();
        auto const form = draw.form();
        auto const headers = draw.headers();
        auto const find = [&](http_headers const& of) { return core::find_hint(status, of, form, local_clock); };
        auto const hint = find(headers);
        auto const sample = core::read_limits(headers, form, local_clock);
        bool holds = true;
        auto const expect = [&](bool what, char const* rule) {
            holds = holds && what;
            if (!what)
                MESSAGE(rule);
        };

        bool asked = false;
        headers.for_each([&](std::string_view name, std::string_view value) {
            auto const date = headers.find("Date").value_or(std::string_view());
            if (name == "Retry-After")
                asked = asked || core::parse_retry_after(value, date, headers.contains("Age"), local_clock);
        });
        expect(!asked || (hint && hint->source == delay_source::retry_after), "a valid Retry-After is obeyed");
        if (hint)
        {
            ++hints;
            auto const& whole = headers.text();
            expect(within_bounds(hint->wait), "a wait is within its bounds");
            expect(whole.data() <= hint->text.data(), "the text is a view into the headers");
            expect(hint->text.data() + hint->text.size() <= whole.data() + whole.size(), "... and ends there");
            expect(!hint->text.empty(), "a hint has a text");
            expect(hint->source == (asked ? delay_source::retry_after : delay_source::rate_limit), "the source");
            expect(asked || status == 429 || status >= 500, "a reset counts for 429 and 5xx");
            expect(asked || status == 429 || (sample && sample->remaining == 0), "... where nothing remains");
            expect(asked || !sample || sample->reset == hint->wait, "hint and sample agree");
        }
        if (sample)
        {
            ++samples;
            expect(within_bounds(sample->reset), "a reset is within its bounds");
            expect(sample->remaining >= 0 && sample->limit.value_or(0) >= 0, "counts are not negative");
            expect(status != 429 || hint.has_value(), "a 429 with a sample has a hint");
        }

        auto more = headers;
        more.add("Retry-After", draw.one_of(malformed)).add("X-Other", "5");
        auto const same = find(more);
        expect(same.has_value() == hint.has_value(), "a malformed Retry-After makes no difference");
        expect(!hint || !same || (same->wait == hint->wait && same->source == hint->source), "... to the wait");
        expect(!hint || !same || same->text == hint->text, "... nor to the text");

        more = headers;
        more.add("Retry-After", draw.retry_after());
        if (auto const next = find(more); asked)
            expect(next && next->wait >= hint->wait, "a further Retry-After never shortens the wait");

        more = headers;
        more.add("RateLimit", draw.value({R"("z";r=0;t=1)", R"("z";r=9;t=9)", "z"}));
        auto const tighter = core::read_limits(more, form, local_clock);
        if (tighter && sample && !headers.contains("X-RateLimit-Remaining")) // both are from RateLimit
            expect(tighter->remaining <= sample->remaining, "a further policy never loosens the limit");
        if (!holds)
            FAIL_CHECK(shown(status, headers));
    }
    CHECK(hints > rounds / 4);
    CHECK(samples > rounds / 8);
}

TEST_CASE("S1: every text is read as a wait within its bounds, or not at all")
{
    generator draw(0xdade);
    int read = 0;
    for (int round = 0; round < 200'000; ++round)
    {
        auto const value = draw.retry_after();
        auto const date = draw.one_in(2) ? draw.retry_after() : std::string(sent_at);
        auto const wait = core::parse_retry_after(value, date, draw.one_in(4), local_clock);
        read += wait ? 1 : 0;
        if (wait && !within_bounds(*wait))
            FAIL_CHECK(value);
        bool const digits = !value.empty() && value.find_first_not_of("0123456789") == std::string::npos;
        if (digits && !wait)
            FAIL_CHECK(value);
        if (wait && value.find_first_of("0123456789") == std::string::npos)
            FAIL_CHECK(value);
        if (wait && value.find_first_of("+-eE") == 0 && value.find(',') == std::string::npos)
            FAIL_CHECK(value);
    }
    CHECK(read > 50'000);
    CHECK(read < 180'000);
}

TEST_CASE("S1: seconds are read exactly, and a longer wait is never read as a shorter one")
{
    std::mt19937_64 dice(23);
    nanoseconds before{};
    for (std::int64_t count = 0; count < 999'999'999; count += static_cast<std::int64_t>(dice() % 20'000))
    {
        auto const wait = core::parse_retry_after(std::to_string(count), sent_at, false, local_clock);
        auto const exact = std::min<nanoseconds>(std::chrono::seconds(count), longest_hint);
        if (wait != exact || *wait < before)
            FAIL_CHECK(count);
        before = exact;
    }
}

TEST_CASE("S5: every well-formed list is read, however it is written")
{
    generator draw(0x115f);
    static constexpr std::array<std::string_view, 6> names{"a", "default", "a-b", "*x", "a/b:c", "z9"};
    static constexpr std::array<std::string_view, 8> extras{
        "", ";x", ";pk=:YWI=:", R"(;c="a,b;r=0")", R"(;c="\"\\")", ";n=-1.5", ";b=?1", ";R=0"};
    static constexpr std::array<std::string_view, 4> gaps{"", " ", "\t", "  "};
    for (int round = 0; round < 30'000; ++round)
    {
        http_headers headers;
        std::string list;
        std::optional<std::pair<std::int64_t, std::int64_t>> tightest; // remaining, -window
        for (std::size_t left = 1 + draw.below(5); left > 0; --left)
        {
            auto const remaining = draw.one_in(20) ? greatest : static_cast<std::int64_t>(draw.below(6));
            auto const window = static_cast<std::int64_t>(draw.below(100'000));
            auto const name = std::string(draw.one_of(names));
            list += draw.one_in(2) ? '"' + name + '"' : name;
            auto const r = ";r=" + std::string(draw.below(3), '0') + std::to_string(remaining);
            auto const t = ";t=" + std::to_string(window);
            list.append(draw.one_of(extras)).append(draw.one_in(2) ? r + t : t + r).append(draw.one_of(extras));
            auto const policy = std::pair(remaining, -window);
            tightest = tightest ? std::min(*tightest, policy) : policy;
            if (left > 1 && draw.one_in(4))
                headers.add("RateLimit", std::exchange(list, {}));
            else if (left > 1)
                list.append(draw.one_of(gaps)).append(",").append(draw.one_of(gaps));
        }
        headers.add("RateLimit", list);
        auto const sample = core::read_limits(headers, draw.form(), local_clock);
        if (!sample || sample->remaining != tightest->first ||
            sample->reset != nanoseconds(std::chrono::seconds(-tightest->second)))
            FAIL_CHECK(headers.text());
    }
}
