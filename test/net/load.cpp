#include <ccloud/ccloud.hpp>
#include <ccloud/testing/simulator.hpp>

#include "caller.hpp"
#include "certificates.hpp"
#include "descriptors.hpp"
#include "http_server.hpp"
#include "net/shared_network.hpp"
#include "printers.hpp"
#include "tls_server.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <doctest/doctest.h>

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using ccloud::close_reason;
using ccloud::condition;
using ccloud::drained;
using ccloud::errc;
using ccloud::progress;
using ccloud::testing::fault;
using ccloud::testing::simulator;
using support::begun_call;
using support::caller;
using support::http_server;
using support::http_server_counts;
using support::open_descriptors;
using support::response;
namespace asio = boost::asio;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t scale = 10;
#else
constexpr std::size_t scale = 1;
#endif

/** Each target is a scope of its own, so that many calls wait in the pool's line rather than in the gate's. */
ccloud::rate_scope a_scope_for_each_target()
{
    return ccloud::rate_scope::keyed([](ccloud::method, std::string_view target) { return std::string(target); });
}

/** Takes down in which order calls end. */
class finish_order
{
public:
    explicit finish_order(std::size_t calls) : over_(calls, false) {}

    void end(std::size_t call)
    {
        std::size_t earlier = first_open_;
        for (auto i = first_open_; i < call; ++i)
            earlier += over_[i] ? 1 : 0;
        most_ = std::max(most_, call > first_open_ || call < first_open_ ? ended_ - std::min(ended_, earlier) : 0);
        over_[call] = true;
        ++ended_;
        while (first_open_ < over_.size() && over_[first_open_])
            ++first_open_;
    }

    /** The largest number of calls that began after another one and ended before it. */
    std::size_t most_overtaken() const noexcept { return most_; }
    std::size_t ended() const noexcept { return ended_; }

private:
    std::vector<bool> over_;
    std::size_t first_open_ = 0; ///< all before it are over
    std::size_t ended_ = 0;
    std::size_t most_ = 0;
};

} // namespace
