#ifndef CCLOUD_CORE_COUNTER_HPP
#define CCLOUD_CORE_COUNTER_HPP

#include <ccloud/observe.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace ccloud::core {

/** Counts events of one shard. Written on its executor only, read anywhere. */
class counter
{
public:
    void add(std::uint64_t more = 1) noexcept { value_.store(get() + more, std::memory_order_relaxed); }
    std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

/** How many there are of something now, and were at most. The same threads. */
class gauge
{
public:
    void set(std::size_t now) noexcept
    {
        value_.store(now, std::memory_order_relaxed);
        if (now > most())
            most_.store(now, std::memory_order_relaxed);
    }
    std::size_t get() const noexcept { return value_.load(std::memory_order_relaxed); }
    std::size_t most() const noexcept { return most_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::size_t> value_{0};
    std::atomic<std::size_t> most_{0};
};

/** Fills a `histogram`. The same threads. */
class distribution
{
public:
    void add(std::uint64_t value) noexcept
    {
        auto const width = static_cast<std::size_t>(std::bit_width(value));
        counts_[width < counts_.size() ? width : counts_.size() - 1].add();
    }
    void add(std::chrono::nanoseconds time) noexcept
    {
        auto const micros = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
        add(micros > 0 ? static_cast<std::uint64_t>(micros) : 0);
    }
    histogram get() const noexcept
    {
        histogram seen;
        for (std::size_t i = 0; i < counts_.size(); ++i)
            seen.counts[i] = counts_[i].get();
        return seen;
    }

private:
    std::array<counter, std::tuple_size_v<decltype(histogram::counts)>> counts_;
};

} // namespace ccloud::core

#endif
