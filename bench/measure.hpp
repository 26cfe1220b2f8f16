#ifndef CCLOUD_BENCH_MEASURE_HPP
#define CCLOUD_BENCH_MEASURE_HPP

#include "report.hpp"

#include <functional>
#include <string>
#include <vector>

namespace bench {

/** Something that is counted or timed, e.g. {"cpu_us", "us"}. */
struct metric
{
    std::string name;
    std::string unit;
};

/** One way to do the work. `run` does a batch and gives a value a metric. */
struct contender
{
    std::string name;
    bool ours = false;
    std::function<std::vector<double>()> run;
};

/** A question: what is done, what is measured, by whom. Its figures are called "metric/question/contender"; a part that
    is empty is left out. */
struct question
{
    std::string name;  ///< "small_get"
    std::string title; ///< for people
    std::vector<metric> metrics;
    std::vector<contender> contenders;
};

/** Lets the contenders take turns, the first to begin another each round, after one round that does not count. */
void ask(question const& what, int rounds, report& notes);

/** CPU time of the calling thread, in seconds. */
double thread_cpu_seconds();

/** Runs `work` until 20 ms have passed; gives nanoseconds a call. */
double nanoseconds_per_call(std::function<void()> const& work);

/** A contender that is timed by the clock, in nanoseconds times `scale`. */
contender timed(std::string name, bool ours, std::function<void()> work, double scale = 1);

/** Keeps the compiler from dropping a result. */
template <class T>
void keep(T const& value)
{
    asm volatile("" : : "r"(&value) : "memory");
}

} // namespace bench

#endif
