#include <ccloud/observe.hpp>

#include <numeric>

namespace ccloud {

std::string_view to_string(close_reason why) noexcept
{
    switch (why)
    {
    case close_reason::idle_timeout: return "idle timeout";
    case close_reason::lifetime: return "lifetime";
    case close_reason::max_requests: return "number of requests";
    case close_reason::said_goodbye: return "goodbye of the server";
    case close_reason::ended: return "end without goodbye";
    case close_reason::reset: return "reset";
    case close_reason::unsolicited: return "unsolicited bytes";
    case close_reason::not_kept_alive: return "not kept alive";
    case close_reason::incomplete: return "incomplete response";
    case close_reason::poisoned: return "poisoned";
    case close_reason::evicted: return "evicted";
    case close_reason::superseded: return "superseded";
    case close_reason::failed: return "failed exchange";
    case close_reason::cancelled: return "cancelled exchange";
    case close_reason::shut_down: return "client closed";
    }
    return "unknown";
}

std::uint64_t histogram::total() const noexcept
{
    return std::accumulate(counts.begin(), counts.end(), std::uint64_t(0));
}

std::uint64_t histogram::quantile(double part) const noexcept
{
    auto const all = static_cast<double>(total());
    double seen = 0;
    for (std::size_t i = 0; all > 0 && i < counts.size(); ++i)
        if (seen += static_cast<double>(counts[i]); seen >= part * all && counts[i] > 0)
            return i == 0 ? 0 : (std::uint64_t(1) << i) - 1;
    return 0;
}

} // namespace ccloud
