#ifndef CCLOUD_ADMISSION_HPP
#define CCLOUD_ADMISSION_HPP

#include <ccloud/config.hpp>
#include <ccloud/observe.hpp>
#include <ccloud/transport.hpp>

#include "core/gate.hpp"
#include "core/retry.hpp"
#include "core/retry_budget.hpp"
#include "park.hpp"
#include "sure_post.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ccloud::detail {

class gatekeeper;
class turn;

/** The calls that hold one another back. Kept by those calls, and by the admission until it was idle for long. */
struct gate_scope
{
    explicit gate_scope(std::size_t most) : gate(most) {}

    core::gate gate;
    steady_time last_used{};
    std::string last_failure; ///< of an attempt that failed as if the server were down
};

/** What the shards of a client share to keep within the server's limits: a gate for each scope, one retry budget.
    Guarded by a mutex that is held for the arithmetic only. */
class admission
{
public:
    explicit admission(config const& settings);
    admission(admission const&) = delete;
    admission& operator=(admission const&) = delete;

private:
    friend class gatekeeper;
    friend class turn;

    std::shared_ptr<gate_scope> const& find(std::string_view name, steady_time now);
    std::size_t most_in_flight() const noexcept;
    void resize();

    std::size_t const connections_; // of a shard
    std::size_t const max_pending_;

    std::mutex mutex_;
    std::map<std::string, std::shared_ptr<gate_scope>, std::less<>> scopes_;
    core::retry_budget budget_;
    std::vector<gatekeeper*> keepers_;
    steady_time sweeps_at_ = steady_time::min();
    std::size_t waiting_ = 0;
};

/** A request that was let through. Unless something is reported of it, nothing was learnt. Used on the executor. */
class permit
{
public:
    permit() noexcept = default;
    permit(permit const&) = delete;
    permit& operator=(permit const&) = delete;
    ~permit() { drop(); }

    bool held() const noexcept { return keeper_ != nullptr; }
    void drop() noexcept;

private:
    friend class gatekeeper;
    friend class turn;

    void hold(gatekeeper& keeper, std::shared_ptr<gate_scope> scope, core::gate_pass pass) noexcept
    {
        keeper_ = &keeper;
        scope_ = std::move(scope);
        pass_ = pass;
    }

    gatekeeper* keeper_ = nullptr;
    std::shared_ptr<gate_scope> scope_;
    core::gate_pass pass_;
};

/** A call's right to be let through, try after try. */
struct gate_claim
{
    std::shared_ptr<gate_scope> scope;
    std::uint64_t ticket = 0;
};

/** How a call waits. */
struct gate_terms
{
    steady_time deadline = steady_time::max();
    std::chrono::nanoseconds needs{}; ///< before the deadline, for a try
    ccloud::on_exhausted on_exhausted = ccloud::on_exhausted::wait;
};

/** One shard's way to the gates: lines up its calls, wakes them, and tells the gates what became of their requests.
    All but what others post to it happens on the shard's executor. */
class gatekeeper final : public std::enable_shared_from_this<gatekeeper>, private timer_node
{
public:
    /** Makes one that the other shards know of. */
    static std::shared_ptr<gatekeeper> make(
        std::shared_ptr<admission> shared, transport& wire, asio::any_io_executor executor
    );

    gatekeeper(gatekeeper const&) = delete;
    gatekeeper& operator=(gatekeeper const&) = delete;
    ~gatekeeper();

    /** Lets a request through that need not wait, into `into`. Finds the claim's scope first where it has none. */
    bool try_admit(gate_claim& claim, std::string_view scope_name, permit& into);

    /** Whether a request would be let through at once. */
    bool is_open(std::string_view scope_name);

    /** How often in a row the requests of this scope were turned away. */
    int throttle_level(permit const& of) noexcept;

    /** The request was turned away: closes the gate for so long. @return until it opens */
    std::chrono::nanoseconds close_gate(permit const& of, std::chrono::nanoseconds delay, bool told) noexcept;

    /** The request failed as if the server were down. `how` is for the errors of calls that wait for the probes. */
    struct probe
    {
        bool probing = false;    ///< the gate lets one call at a time try, with pauses between
        bool for_others = false; ///< and others wait for what becomes of it
    };
    probe note_failure(permit const& of, std::string how) noexcept;
    std::string last_failure(gate_claim const& of) const;

    /** How a try ended. */
    struct ending
    {
        core::health health = core::health::unknown;
        int status = 0;
        std::optional<core::limit_sample> limits;
        std::optional<std::chrono::nanoseconds> pause; ///< until the call's next try: of a gate that probes
        int tokens = 0;                                ///< that come back to the budget
    };

    /** Ends the request. */
    void end(permit& done, ending const& how) noexcept;

    bool take_tokens(int cost) noexcept;
    void return_tokens(int cost) noexcept;

    /** Fills in what all shards share. */
    void describe(metrics& into) noexcept;

    /** The shard is to close: its calls leave the lines, other shards take over what its timer would have woken, and
        post nothing more to its executor. Any thread; its waiting calls must be woken by others. */
    void retire() noexcept;

    /** Retires, and lets go of the timer. */
    void close() noexcept;

private:
    friend class turn;

    using lock = std::unique_lock<std::mutex>;

    gatekeeper(std::shared_ptr<admission> shared, transport& wire, asio::any_io_executor executor);

    void pump(gate_scope& scope) noexcept;
    bool arm(timer_node& node, steady_time when) noexcept;
    void add_woken(turn& answered) noexcept;
    void remove_woken(turn& answered) noexcept;
    void deliver(lock& held) noexcept;
    void wake() noexcept;
    void hand_over() noexcept;
    void post_wake() noexcept;

    std::shared_ptr<admission> shared_;
    transport& wire_;
    asio::any_io_executor executor_;
    std::shared_ptr<post_memory> const wake_memory_ = std::make_shared<post_memory>();

    // The calls to wake, linked by the members that linked them in their gate. Guarded.
    core::gate_waiter* first_woken_ = nullptr;
    core::gate_waiter* last_woken_ = nullptr;
    bool delivering_ = false;
    bool posted_ = false;
    bool closed_ = false;
};

/** A call's place in line. Lives in the frame of the coroutine that waits. */
class turn final : public parked, private core::gate_waiter
{
public:
    enum class answer : unsigned char {
        waits,       ///< await it in the parking lot. After that: it was cancelled, or the client closed
        granted,     ///< `permit` is the caller's
        too_late,    ///< the deadline came
        will_not_do, ///< the server holds the endpoint back for longer than the call can wait
        exhausted,   ///< the server's limit is used up, and the call does not want to wait
        queue_full,
    };

    /** Lines up, or is refused at once. `claim` and `into` outlive it. */
    turn(gatekeeper& keeper, gate_claim& claim, gate_terms const& terms, permit& into);
    ~turn() override;

    /** Whether there was something to wait for when it lined up; it may have come since, from another shard. */
    bool waits() const noexcept { return waits_; }

    /** How it ended. Not to be asked before the wait is over. */
    struct end
    {
        answer how = answer::waits;
        std::chrono::nanoseconds waited{};
        std::optional<std::chrono::nanoseconds> opens_in; ///< of the gate, where time alone opens it
        bool probing = false;
    };
    end conclude() noexcept;

    void cancel() noexcept override;

private:
    friend class gatekeeper;

    void ring() noexcept;
    void step_out() noexcept;
    void prefetch() const noexcept;

    gatekeeper& keeper_;
    gate_claim& claim_;
    permit& permit_;
    steady_time began_;
    bool waits_ = false;

    // Guarded, for another shard may let it through.
    answer answer_ = answer::waits;
    core::gate_pass pass_;
    bool told_ = false; ///< is to be woken
};

} // namespace ccloud::detail

#endif
