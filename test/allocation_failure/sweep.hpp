#ifndef CCLOUD_TEST_SWEEP_HPP
#define CCLOUD_TEST_SWEEP_HPP

#include "failing_heap.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

/** Does something once, while allocations fail.
    @return what is wrong after it, a line each */
using round_of = std::function<std::string(heap::failures const&)>;

/** Makes the round, in the process that plays it: servers with threads have to live there. */
using make_round = std::function<round_of()>;

struct sweep_options
{
    std::size_t in_a_row = 1; ///< allocations that fail
    std::size_t step = 1;     ///< every so many allocations are tried
    unsigned of = heap::by_all;
};

/** What came of it. */
struct sweep_result
{
    std::size_t rounds = 0;
    std::size_t excused = 0; ///< deaths that only Asio can cause: doc/memory.md
    std::vector<std::string> complaints;
};

/** Plays rounds in which the first, the second, ... allocation fails, until one comes to its end before it fails. They
    are played by a child of this process; where it dies or hangs that is a complaint, and another child goes on. */
sweep_result sweep(make_round const& make, sweep_options const& options);

#endif
