#ifndef CCLOUD_TEST_SWEEP_HPP
#define CCLOUD_TEST_SWEEP_HPP

#include "failing_heap.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

/** Runs a scenario once, while allocations fail.
    @return what is wrong after it, a line each */
using round_of = std::function<std::string(heap::failures const&)>;

/** Makes the round. Called in the process that runs it, because servers with threads have to run there. */
using make_round = std::function<round_of()>;

struct sweep_options
{
    std::size_t in_a_row = 1; ///< allocations that fail
    std::size_t step = 1;     ///< distance between the allocations that are tried
    unsigned of = heap::by_all;
};

/** The result of a sweep. */
struct sweep_result
{
    std::size_t rounds = 0;
    std::size_t excused = 0; ///< ends of the process that only Asio can cause, see doc/memory.md
    std::vector<std::string> complaints;
};

/** Runs rounds in which the first, the second, ... allocation fails, until a round ends before its allocation. A child
    of this process runs them. If it dies or hangs, that is a complaint, and another child continues. */
sweep_result sweep(make_round const& make, sweep_options const& options);

#endif
