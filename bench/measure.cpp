#include "measure.hpp"

#include <time.h>

#include <chrono>
#include <cstddef>
#include <utility>

namespace bench {

namespace {

std::string joined(std::string const& metric, std::string const& question, std::string const& who)
{
    auto name = metric;
    for (auto const& part : {question, who})
        if (!part.empty())
            name += "/" + part;
    return name;
}

} // namespace

void ask(question const& what, int rounds, report& notes)
{
    auto const& who = what.contenders;
    std::vector<std::vector<std::vector<double>>> samples( // by contender, by metric
        who.size(), std::vector<std::vector<double>>(what.metrics.size())
    );
    for (auto const& each : who)
        each.run();
    for (int round = 0; round < rounds; ++round)
        for (std::size_t turn = 0; turn < who.size(); ++turn)
        {
            auto const i = (turn + static_cast<std::size_t>(round)) % who.size();
            auto const values = who[i].run();
            for (std::size_t m = 0; m < what.metrics.size(); ++m)
                samples[i][m].push_back(values.at(m));
        }

    notes.begin(what.title);
    for (std::size_t m = 0; m < what.metrics.size(); ++m)
        for (std::size_t i = 0; i < who.size(); ++i)
        {
            auto const& [name, unit] = what.metrics[m];
            notes.add({joined(name, what.name, who[i].name), unit, std::move(samples[i][m]), who[i].ours});
        }
}

double thread_cpu_seconds()
{
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double nanoseconds_per_call(std::function<void()> const& work)
{
    using clock = std::chrono::steady_clock;
    auto const start = clock::now();
    std::chrono::duration<double, std::nano> took{};
    long calls = 0;
    do
    {
        work();
        ++calls;
        took = clock::now() - start;
    } while (took < std::chrono::milliseconds(20));
    return took.count() / static_cast<double>(calls);
}

contender timed(std::string name, bool ours, std::function<void()> work, double scale)
{
    return {std::move(name), ours, [work = std::move(work), scale] {
                return std::vector<double>{nanoseconds_per_call(work) * scale};
            }};
}

} // namespace bench
