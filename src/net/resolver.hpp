#ifndef CCLOUD_NET_RESOLVER_HPP
#define CCLOUD_NET_RESOLVER_HPP

#include "core/addresses.hpp"
#include "net/factory.hpp"
#include "park.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace ccloud::net {

class resolver;

/** A dial that waits for the addresses of a name. Lives in the frame of its coroutine. */
class name_wait final : public detail::parked
{
public:
    name_wait() = default;
    ~name_wait() override;

    name_answer answer;

private:
    friend class resolver;
    resolver* asked_ = nullptr;
};

/** Finds the addresses of names. Each look-up has a thread of its own, for it cannot be stopped, only left behind; nobody
    else is held up by it. Used on one executor. */
class resolver
{
public:
    resolver(asio::any_io_executor executor, name_lookup lookup, std::chrono::nanoseconds address_lifetime);
    resolver(resolver const&) = delete;
    resolver& operator=(resolver const&) = delete;
    ~resolver();

    /** Asks for a name.
        @return whether `wait.answer` is there already; else park on it until it is */
    bool ask(std::string const& name, name_wait& wait, steady_time now, std::chrono::nanoseconds patience);

    /** What will do where the look-up takes too long: addresses known from before, or a failure. */
    name_answer make_do(std::string const& name, steady_time now) const;

    /** Leaves behind what is under way: it may be of another network. */
    void abandon() noexcept { pending_.clear(); }

    void forget() noexcept
    {
        abandon();
        cache_.clear();
    }

private:
    friend class name_wait;
    struct lookup_state;
    struct pending;

    void start(std::string const& name, steady_time now);
    void take(std::shared_ptr<pending> const& done) noexcept;
    name_answer learn(std::string const& name, name_answer const& found);

    asio::any_io_executor executor_;
    name_lookup lookup_;
    core::name_cache cache_;
    std::vector<std::shared_ptr<pending>> pending_;
    std::vector<std::pair<std::string, name_wait*>> waits_;
};

} // namespace ccloud::net

#endif
