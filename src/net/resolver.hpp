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

/** Finds the addresses of names. Each look-up has a thread of its own, for it cannot be stopped, only left behind;
    nobody else is held up by it. Used on one executor. */
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

    /** For a wait that took too long: fills `wait.answer` with the result of a lookup that is finished, but that the
        executor has not handled yet; else with addresses known from before; else leaves both addresses and failure
        empty. */
    void expire(std::string const& name, name_wait& wait, steady_time now);

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

    /** Begins a lookup. Returns an error if this machine lacks descriptors, threads or memory. */
    std::error_code start(std::string const& name, steady_time now);
    static void look_up(
        std::shared_ptr<lookup_state> const& state, name_lookup const& lookup, std::string const& name
    ) noexcept;
    void take(std::shared_ptr<pending> const& done, steady_time now) noexcept;
    name_answer learn(std::string const& name, name_answer const& found, steady_time now);

    /** Addresses known from before, if there are any; else the failure. */
    name_answer instead_of(std::error_code const& failure, std::string const& name, steady_time now) const;

    asio::any_io_executor executor_;
    name_lookup lookup_;
    core::name_cache cache_;
    std::vector<std::shared_ptr<pending>> pending_;
    std::vector<std::pair<std::string, name_wait*>> waits_;
};

} // namespace ccloud::net

#endif
