#ifndef CCLOUD_BENCH_PEERS_LOAD_HPP
#define CCLOUD_BENCH_PEERS_LOAD_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

/** What the load programs of a contest share: each sends the same requests, measures itself and prints one line. */
namespace load {

using clock = std::chrono::steady_clock;

/** Of the key "KEY" with the secret "SECRET". */
inline constexpr std::string_view authorization = "Basic S0VZOlNFQ1JFVA==";

/** What a load program is asked to do. */
struct job
{
    std::string host;
    std::string port;
    std::string target; ///< path and query
    std::string ca_file;
    std::size_t connections = 1;
    std::size_t requests = 0;
    std::size_t body_bytes = 0; ///< that each body must have; 0: any
    bool json = false;          ///< bodies are decoded

    /** The program's own that were given, with their values. */
    std::map<std::string, std::string, std::less<>> options;

    bool has(std::string_view option) const { return options.contains(option); }
    std::size_t number(std::string_view option, std::size_t otherwise) const;

    /** "host:port" */
    std::string authority() const { return host + ":" + port; }

    /** Whether the target is a list. */
    bool wants_page() const { return target.find('?') != std::string::npos; }

    /** A whole GET as it goes over the wire. */
    std::string request(std::string_view program) const;

    /** @throws std::runtime_error where a response is not as it should be */
    void check(int status, std::size_t body) const;
};

/** `own` are the options of the program alone: "--json", or "--callers N" for one with a value.
    @throws std::invalid_argument */
job parse(int count, char** arguments, std::vector<std::string_view> const& own = {});

/** How many of `total` requests the worker of that number takes. */
inline std::size_t share(std::size_t total, std::size_t workers, std::size_t number)
{
    return total / workers + (number < total % workers ? 1 : 0);
}

/** Wall time, CPU time of the process and the latency of each request of a batch. */
class meter
{
public:
    explicit meter(job const& asked);

    /** Runs a batch to warm up, then the one that counts, and prints its line. */
    void measure(std::function<void(std::size_t requests)> const& batch);

    /** A request is done that was begun then. */
    void note(clock::time_point begun)
    {
        auto const nanoseconds = std::chrono::nanoseconds(clock::now() - begun).count();
        constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max();
        latencies_.push_back(static_cast<std::uint32_t>((std::min<std::int64_t>)(nanoseconds, most)));
    }

private:
    void begin();
    void finish();

    std::size_t warm_up_;
    std::size_t requests_;
    std::vector<std::uint32_t> latencies_;
    clock::time_point began_;
    std::int64_t cpu_before_ = 0;
};

/** The whole of `main`: what is thrown goes to stderr, and fails. */
int run(
    int count, char** arguments, std::vector<std::string_view> const& own,
    std::function<void(job const&, meter&)> const& work
);

} // namespace load

#endif
