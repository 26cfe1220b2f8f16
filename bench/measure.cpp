#include "measure.hpp"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace bench {

namespace {

using rounds_of = std::vector<std::vector<double>>; // by round, by metric

std::vector<double> column(rounds_of const& values, std::size_t metric)
{
    std::vector<double> all;
    for (auto const& round : values)
        all.push_back(round[metric]);
    return all;
}

std::vector<double> ratios(std::vector<double> const& ours, std::vector<double> const& peers)
{
    std::vector<double> all;
    for (std::size_t i = 0; i < ours.size(); ++i)
        all.push_back(ours[i] / peers[i]);
    return all;
}

} // namespace

void ask(question const& what, int rounds, report& notes)
{
    auto const& who = what.contenders;
    std::vector<rounds_of> values(who.size());
    for (auto const& each : who)
        each.run();
    for (int round = 0; round < rounds; ++round)
        for (std::size_t turn = 0; turn < who.size(); ++turn)
        {
            auto const i = (turn + static_cast<std::size_t>(round)) % who.size();
            values[i].push_back(who[i].run());
        }

    notes.begin(what.title);
    for (std::size_t m = 0; m < what.metrics.size(); ++m)
    {
        auto const& measured = what.metrics[m];
        for (std::size_t i = 0; i < who.size(); ++i)
            notes.add(
                what.name + "/" + who[i].name + "/" + measured.name, column(values[i], m), measured.unit, who[i].ours
            );
        for (std::size_t i = 0; i < who.size(); ++i)
            for (std::size_t j = 0; j < who.size(); ++j)
                if (who[i].ours && !who[j].ours)
                    notes.add_ratio(
                        what.name + "/" + who[i].name + " : " + who[j].name + "/" + measured.name,
                        ratios(column(values[i], m), column(values[j], m))
                    );
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

} // namespace bench
