#ifndef CCLOUD_BENCH_CHILD_HPP
#define CCLOUD_BENCH_CHILD_HPP

#include <string>
#include <vector>

namespace bench {

/** What became of a child process. */
struct child_end
{
    std::string output;     ///< what it wrote to its standard output
    double cpu_seconds = 0; ///< user and system time
};

/** Runs a program to its end: `command` is its path, or a name to be found in PATH, and its arguments. `settings` are
    added to its environment: "GOMAXPROCS=1".
    @throws std::runtime_error where it cannot be started or fails */
child_end run_child(std::vector<std::string> const& command, std::vector<std::string> const& settings = {});

} // namespace bench

#endif
