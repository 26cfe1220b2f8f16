#include <ccloud/observe.hpp>

#include "core/counter.hpp"
#include "printers.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <set>
#include <string_view>

namespace core = ccloud::core;
using namespace std::chrono_literals;
using ccloud::close_reason;
using ccloud::histogram;

namespace {

constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t last = std::tuple_size_v<decltype(histogram::counts)> - 1;

/** The bucket that a value is counted in. */
template <class Value>
std::size_t bucket_of(Value value)
{
    core::distribution counts;
    counts.add(value);
    auto const seen = counts.get();
    REQUIRE(seen.total() == 1);
    std::size_t at = 0;
    while (seen.counts[at] == 0)
        ++at;
    return at;
}

} // namespace

TEST_CASE("every reason to close a connection has words of its own")
{
    std::set<std::string_view> words;
    for (std::size_t i = 0; i < ccloud::close_reasons; ++i)
    {
        auto const text = to_string(static_cast<close_reason>(i));
        CAPTURE(i);
        CHECK(!text.empty());
        CHECK(text != "unknown");
        CHECK(words.insert(text).second);
    }
    CHECK(words.size() == 15);
    CHECK(to_string(static_cast<close_reason>(ccloud::close_reasons)) == "unknown");
    CHECK(to_string(static_cast<close_reason>(255)) == "unknown");
    CHECK(to_string(close_reason::idle_timeout) == "idle timeout");
    CHECK(to_string(close_reason::lifetime) == "lifetime");
    CHECK(to_string(close_reason::shut_down) == "client closed");
}

TEST_CASE("connections are counted by the reason that closed them")
{
    ccloud::connection_metrics seen;
    for (std::size_t i = 0; i < ccloud::close_reasons; ++i)
        seen.closed[i] = 100 + i;
    CHECK(seen.closed_for(close_reason::idle_timeout) == 100);
    CHECK(seen.closed_for(close_reason::max_requests) == 102);
    CHECK(seen.closed_for(close_reason::shut_down) == 100 + ccloud::close_reasons - 1);
}

TEST_CASE("a histogram without values has no quantile")
{
    histogram const empty;
    CHECK(empty.total() == 0);
    for (double const part : {0.0, 0.5, 1.0})
        CHECK(empty.quantile(part) == 0);
}

TEST_CASE("a quantile is the upper bound of the first bucket up to which there are so many values")
{
    histogram seen;
    seen.counts[0] = 10; // zeros
    seen.counts[1] = 20; // ones
    seen.counts[4] = 60; // 8 to 15
    seen.counts[10] = 9; // 512 to 1023
    seen.counts[20] = 1; // 524288 to 1048575
    CHECK(seen.total() == 100);
    struct row
    {
        double part;
        std::uint64_t bound;
    };
    for (auto const& [part, bound] :
         {row{0.0, 0}, row{0.01, 0}, row{0.1, 0}, row{0.11, 1}, row{0.3, 1}, row{0.31, 15}, row{0.5, 15}, row{0.9, 15},
          row{0.91, 1023}, row{0.99, 1023}, row{0.991, 1'048'575}, row{1.0, 1'048'575}})
    {
        CAPTURE(part);
        CHECK(seen.quantile(part) == bound);
    }
}

TEST_CASE("the quantiles of one value are its bucket's, whatever the part")
{
    for (std::size_t at = 0; at < last; ++at)
    {
        CAPTURE(at);
        histogram seen;
        seen.counts[at] = 1;
        auto const bound = at == 0 ? 0 : (std::uint64_t(1) << at) - 1;
        for (double const part : {0.0, 0.001, 0.5, 0.999, 1.0})
            CHECK(seen.quantile(part) == bound);
        CHECK(bucket_of(bound) == at);
        CHECK(bucket_of(bound + 1) == at + 1);
    }
}

TEST_CASE("quantiles grow with the part, and an empty bucket is nobody's")
{
    histogram seen;
    for (std::size_t i = 0; i < last; i += 3)
        seen.counts[i] = i + 1;
    std::uint64_t before = 0;
    for (int percent = 0; percent <= 100; ++percent)
    {
        auto const bound = seen.quantile(percent / 100.0);
        CHECK(bound >= before);
        CHECK(seen.counts[bucket_of(bound)] > 0);
        before = bound;
    }
    CHECK(before == (std::uint64_t(1) << 33) - 1);
}

TEST_CASE("values are counted by powers of two, zeros for themselves, and what is beyond the last with it")
{
    struct row
    {
        std::uint64_t value;
        std::size_t bucket;
    };
    for (auto const& [value, bucket] :
         {row{0, 0}, row{1, 1}, row{2, 2}, row{3, 2}, row{4, 3}, row{7, 3}, row{8, 4}, row{1023, 10}, row{1024, 11},
          row{(std::uint64_t(1) << 34) - 1, 34}, row{std::uint64_t(1) << 34, 35}, row{(std::uint64_t(1) << 35) - 1, 35},
          row{std::uint64_t(1) << 35, 35}, row{most, 35}})
    {
        CAPTURE(value);
        CHECK(bucket_of(value) == bucket);
    }
    CHECK(last == 35);
}

TEST_CASE("durations are counted in whole microseconds, and no time at all where they are negative")
{
    using std::chrono::nanoseconds;
    struct row
    {
        nanoseconds time;
        std::size_t bucket;
    };
    for (auto const& [time, bucket] :
         {row{0ns, 0}, row{1ns, 0}, row{999ns, 0}, row{1us, 1}, row{1999ns, 1}, row{2us, 2}, row{1ms, 10}, row{1s, 20},
          row{24h, 35}, row{nanoseconds::max(), 35}, row{-1ns, 0}, row{-1s, 0}, row{nanoseconds::min(), 0}})
    {
        CAPTURE(time);
        CHECK(bucket_of(time) == bucket);
    }
}

TEST_CASE("a distribution keeps every value")
{
    core::distribution counts;
    std::uint64_t value = 1;
    for (int i = 0; i < 1000; ++i)
    {
        counts.add(value >> (i % 64));
        value = value * 6364136223846793005u + 1442695040888963407u;
    }
    CHECK(counts.get().total() == 1000);
    core::distribution hundred;
    for (std::uint64_t i = 1; i <= 100; ++i)
        hundred.add(i);
    CHECK(hundred.get().quantile(0.5) == 63);
    CHECK(hundred.get().quantile(0.63) == 63);
    CHECK(hundred.get().quantile(0.64) == 127);
}

TEST_CASE("a gauge knows the most there ever were")
{
    core::gauge present;
    CHECK(present.get() == 0);
    CHECK(present.most() == 0);
    for (std::size_t const now : {3u, 1u, 7u, 0u, 5u})
        present.set(now);
    CHECK(present.get() == 5);
    CHECK(present.most() == 7);
}
