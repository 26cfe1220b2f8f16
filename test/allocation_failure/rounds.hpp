#ifndef CCLOUD_TEST_ROUNDS_HPP
#define CCLOUD_TEST_ROUNDS_HPP

#include "sweep.hpp"
#include "world.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

/** ThreadSanitizer does not support a forked child that starts threads. */
#if defined(__SANITIZE_THREAD__)
inline constexpr bool under_tsan = true;
#else
inline constexpr bool under_tsan = false;
#endif

/** A client while allocations fail. */
struct subject
{
    world& on;
    std::optional<ccloud::client>& cloud;
    ccloud::config const& settings;
    boost::asio::any_io_executor home; ///< calls are awaited on it
};

using script = std::function<void(subject&)>;

/** The executor of the client, and the executor on which its calls are awaited. */
enum class place { serial, strand, elsewhere };

/** How a round is set up, and what must hold after it. */
struct round_plan
{
    ccloud::config settings;
    place where = place::serial;
    std::function<std::shared_ptr<ccloud::transport>()> wire; ///< empty: the client's own
    bool begins_without = false;                              ///< the script makes the client
    bool may_be_crippled = false; ///< a client that the script made may be unusable; then a new client has to work
    std::chrono::milliseconds recovers_within{0}; ///< how long later calls may fail
};

/** A round: makes a client, runs the script while allocations fail, and then makes a call, which has to succeed. */
std::string play(world& on, round_plan const& with, script const& what, heap::failures const& which);

/** Runs a sweep, and fails the test if anything is wrong. If CCLOUD_EVERY_ALLOCATION is set, no allocation is skipped.
    CCLOUD_FAILURES_IN_A_ROW is the number of allocations that fail in each round. */
void check(std::string const& name, make_round const& make, sweep_options const& options = {});

#endif
