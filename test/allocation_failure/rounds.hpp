#ifndef CCLOUD_TEST_ROUNDS_HPP
#define CCLOUD_TEST_ROUNDS_HPP

#include "sweep.hpp"
#include "world.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

/** ThreadSanitizer does not support a child of a process that goes on with threads of its own. */
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
    boost::asio::any_io_executor home; ///< where calls are awaited
};

using script = std::function<void(subject&)>;

/** Where the client works, and where its calls are awaited. */
enum class place { serial, strand, elsewhere };

/** How a round is set up, and what must hold after it. */
struct round_plan
{
    ccloud::config settings;
    place where = place::serial;
    std::function<std::shared_ptr<ccloud::transport>()> wire; ///< empty: the client's own
    bool begins_without = false;                              ///< the script makes the client
    bool may_be_crippled = false; ///< a client that was made meanwhile may be of no use: then another one has to be
    std::chrono::milliseconds recovers_within{0}; ///< calls that come after
};

/** Makes a client, plays the script while allocations fail, and then makes a call, which has to succeed. */
std::string play(world& on, round_plan const& with, script const& what, heap::failures const& which);

/** Sweeps, and has the test fail where anything is wrong. Where CCLOUD_EVERY_ALLOCATION is set, no allocation is passed
    over; CCLOUD_FAILURES_IN_A_ROW says how many fail each time. */
void check(std::string const& name, make_round const& make, sweep_options const& options = {});

#endif
