#ifndef CCLOUD_CALL_HPP
#define CCLOUD_CALL_HPP

#include <ccloud/client.hpp>
#include <ccloud/removed.hpp>

#include "admission.hpp"
#include "core/codec.hpp"
#include "core/counter.hpp"
#include "core/redaction.hpp"
#include "core/required.hpp"
#include "core/url.hpp"
#include "endpoint.hpp"
#include "park.hpp"
#include "sure_post.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/this_coro.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ccloud::net {
class shared_network;
}

namespace ccloud::detail {

/** The access tokens of a call, if there is a source of them. */
struct bearer_tokens
{
    std::string last;       ///< of the last attempt
    std::string next;       ///< for the one to come; empty: it is to be asked for
    core::redactor secrets; ///< the earlier tokens and all other secrets; empty until it is needed
};

/** A success of the loop. */
struct answered
{
    http_response response;
    int attempts = 0;
    bool reused = false; ///< this and what follows as in `attempt`
    std::chrono::nanoseconds started{};
    std::chrono::nanoseconds took{};
    std::size_t bytes_written = 0;
    std::uint64_t connection = 0;
    std::vector<attempt> failed; ///< the tries before the one that succeeded
};

/** A call from plan to answer. Lives in the frame of the coroutine that waits for it, and is kept small: many wait. */
struct planned_call
{
    planned_call(
        planned_request&& what, call_options const& how, config const& settings,
        std::shared_ptr<http_headers const> with
    );

    planned_request planned;                    ///< but for the fields that all requests share
    std::shared_ptr<http_headers const> extra;  ///< fields of the handle; may be null
    std::unique_ptr<retry_policy const> policy; ///< of this call alone; may be null
    std::unique_ptr<bearer_tokens> tokens;      ///< null: no source of them, or no attempt yet
    std::chrono::milliseconds timeout;          ///< zero or less: none
    std::chrono::milliseconds attempt_timeout;
    bool replayable;
    answered got;
};

/** Nothing where the call got its answer. */
using call_failure = std::optional<error>;

struct counters
{
    core::counter calls;
    core::counter succeeded;
    core::counter failed;
    core::counter attempts;
    core::counter transient_retries;
    core::counter throttle_retries;
    core::counter replays;
    core::counter throttled;
    core::counter gate_waits;
    core::counter gate_waited; ///< nanoseconds
    core::counter budget_exhausted;
    core::counter refused;
};

/** What the shards of a client share. */
struct shared_parts
{
    std::shared_ptr<net::shared_network> network;
    std::shared_ptr<admission> limits;
};

/** What the handles of a client share: configuration, the door, the loop. All but `execute`, `prepare` and `close` is
    used on `executor()` only. */
class client_core : public std::enable_shared_from_this<client_core>
{
public:
    client_core(
        asio::any_io_executor executor, config settings, std::shared_ptr<transport> wire,
        std::shared_ptr<shared_parts const> common
    );
    ~client_core();

    /** Whether a coroutine on `here` may await the loop without a hop. */
    bool runs_on(asio::any_io_executor const& here) const noexcept { return here == executor_; }

    /** The main path: attempt, judge, wait, return. Awaited on `executor()`; `call` outlives it. */
    asio::awaitable<call_failure> run(planned_call& call);

    /** The same, awaited on any other executor. */
    asio::awaitable<call_failure> run_there(planned_call& call);

    /** Whichever of the two a coroutine needs that runs on `executor()`, or does not. */
    asio::awaitable<call_failure> start(bool inside, planned_call& call)
    {
        return inside ? run(call) : run_there(call);
    }

    /** Plans a call with a request whose target is below the endpoint. */
    planned_call plan(planned_request&& planned, call_options const& options, std::shared_ptr<http_headers const> extra)
        const;

    /** Names the rate scope of a prepared request; in `storage` where the name has to be made. */
    std::string_view scope_of(planned_request const& planned, std::string& storage) const;

    /** Whether the request would be sent at once. */
    bool would_admit(planned_call const& call);

    void close() noexcept;

    /** Lets what is on the wire finish, then closes. Awaited on `executor()`. */
    operation<drained> drain(std::chrono::milliseconds timeout);

    /** Asks something of the transport, on its executor; any thread. Nothing once the client is closed. */
    template <class Ask>
    void ask_wire(Ask ask)
    {
        asio::dispatch(executor_, [self = shared_from_this(), ask = std::move(ask)] {
            if (!self->closed_)
                ask(*self->wire_);
        });
    }

    /** What the client can have done on its executor even if the heap has no memory. Flags. */
    enum maintenance : unsigned {
        closing = 1,
        closing_idle = 2,
        changing_network = 4,
    };

    /** The same. If there is no memory for that, has `instead` done. */
    template <class Ask>
    void ask_wire(Ask ask, maintenance instead) noexcept
    {
        try
        {
            ask_wire(std::move(ask));
        }
        catch (...)
        {
            post_maintenance(instead);
        }
    }

    metrics snapshot() const noexcept;

    asio::any_io_executor const& executor() const noexcept { return executor_; }
    config const& settings() const noexcept { return settings_; }
    origin const& where() const noexcept { return endpoint_.where; }
    http_headers const& head() const noexcept { return head_; }
    core::redactor const& secrets() const noexcept { return secrets_; }
    transport& wire() noexcept { return *wire_; }
    parking_lot& onlookers() noexcept { return onlookers_; }

    /** For further shards; null for a client that was given its transport. */
    std::shared_ptr<shared_parts const> const& common() const noexcept { return common_; }
    gatekeeper& gates() noexcept { return *gates_; }
    counters& counts() noexcept { return counts_; }
    std::uint64_t next_call() noexcept { return ++calls_; }

private:
    /** A call that is on the wire. */
    class on_wire
    {
    public:
        explicit on_wire(client_core& core) noexcept : core_(&core) { ++core_->on_wire_; }
        on_wire(on_wire const&) = delete;
        on_wire& operator=(on_wire const&) = delete;
        ~on_wire() { end(); }

        void end() noexcept
        {
            auto* const core = std::exchange(core_, nullptr);
            if (core && --core->on_wire_ == 0)
                core->onlookers_.finish_all(wake::granted);
        }

    private:
        client_core* core_;
    };

    asio::awaitable<void> sleep_until(steady_time end);
    void begin_drain() noexcept;
    void note_drained(exchange const& got) noexcept;
    void close_now() noexcept;
    void post_maintenance(unsigned what) noexcept;
    void run_maintenance() noexcept;

    config const settings_;
    asio::any_io_executor executor_;
    core::endpoint endpoint_;
    http_headers head_;
    core::redactor const secrets_;
    std::shared_ptr<transport> wire_;
    std::shared_ptr<shared_parts const> common_;
    parking_lot lot_;
    std::shared_ptr<gatekeeper> gates_;
    counters counts_;
    std::uint64_t calls_ = 0;
    std::size_t on_wire_ = 0; ///< calls that the transport has
    drained drained_;         ///< of those, since `begin_drain`
    parking_lot onlookers_;   ///< who waits for calls to end: drains, and who wants a page that is fetched ahead
    std::atomic<unsigned> maintenance_{0};
    post_memory maintenance_memory_;
    bool draining_ = false; ///< nothing more is sent
    bool closed_ = false;
};

/** What collections may see of a handle. */
struct client_access
{
    static std::shared_ptr<client_core> const& core(client const& cloud) noexcept { return cloud.core_; }

    static planned_call plan(client const& cloud, planned_request&& planned, call_options const& options)
    {
        return cloud.core_->plan(std::move(planned), options, cloud.extra_);
    }
};

/** What must not be printed of a call: the secrets of its client, and its own tokens. Refers to both. */
class call_secrets
{
public:
    call_secrets(client_core const& core, planned_call const& call) noexcept
        : client_(core.secrets()), tokens_(call.tokens.get())
    {
    }

    /** Adds the token of the last attempt to the secrets of the call, before another one takes its place. */
    void remember_last_token();

    /** All of them, the last token, too. Lives as long as the client and the call. */
    core::redactor const& all();

    /** A short text of the server in the form for messages, for instance a request id. Needs no other memory than the
        result, as long as nothing has to be removed. */
    std::string shown(std::string_view text, core::text_end end = core::text_end::complete);

private:
    core::redactor const& client_;
    bearer_tokens* tokens_; ///< may be null
};

/** Whether a try before the last one may have been executed. */
bool may_have_been_executed(std::vector<attempt> const& tries) noexcept;

/** Whether a response had a success status, although its body was lost. */
bool was_carried_out(std::vector<attempt> const& tries) noexcept;

/** The error of a call whose response came and is a success, but of no use: `code` and `detail` say why. It has the
    request, the attempts and the body. */
error unreadable(
    client_core const& core, planned_call const& call, response_info const& answer, errc code, std::string detail
);

/** The error of a call whose response cannot be decoded. If the body is an error of the server, it has its problems. */
error malformed(
    client_core const& core, planned_call const& call, response_info const& answer, core::complaint const& about
);

/** What the server said beside the body. */
inline response_info take_info(answered& got) noexcept
{
    auto const status = got.response.status();
    return response_info(status, std::move(got.response).headers(), got.attempts);
}

/** Bytes of a response that are decoded without a pause. */
inline constexpr std::size_t decode_slice = 64 * 1024;

inline bool is_long(planned_call const& call) noexcept
{
    return call.got.response.body().size() > decode_slice;
}

/** Reads a long response in slices. Between two slices, other handlers of the executor run. Returns the call's failure
    if the response cannot be read, or if the caller cancels. The arguments must outlive the coroutine. */
asio::awaitable<call_failure> decode_in_slices(
    client_core const& core, core::document_reader& reader, planned_call const& call, response_info const& answer
);

template <core::resource T>
result<T> decoded(client_core const& core, planned_call& call)
{
    result<T> outcome(std::in_place, take_info(call.got));
    auto const memory = core.settings().limits.decoded_response;
    if (auto const wrong = core::read_json(call.got.response.body(), *outcome, memory))
        outcome = malformed(core, call, outcome.response(), *wrong);
    else if (auto const lacking = core::check_required(*outcome, {}, call.got.response.body().size()))
        outcome = malformed(core, call, outcome.response(), *lacking);
    return outcome; // the only return, so that the result is not moved
}

/** Decodes a long response into a `T`. */
template <class T>
class long_decoding
{
public:
    long_decoding(client_core const& core, planned_call& call)
        : outcome_(std::in_place, take_info(call.got)), core_(core), call_(call),
          reader_(call.got.response.body(), core::root_of(*outcome_), core.settings().limits.decoded_response)
    {
    }

    asio::awaitable<call_failure> run() { return decode_in_slices(core_, reader_, call_, outcome_.response()); }

    /** Returns the outcome. To be called once, after the whole response was read. */
    result<T> take()
    {
        if (auto const lacking = core::check_required(*outcome_, {}, call_.got.response.body().size()))
            return malformed(core_, call_, outcome_.response(), *lacking);
        return std::move(outcome_);
    }

private:
    result<T> outcome_;
    client_core const& core_;
    planned_call const& call_;
    core::document_reader reader_;
};

template <class T>
operation<T> typed_call(std::shared_ptr<client_core> core, planned_call call)
{
    bool const inside = core->runs_on(co_await asio::this_coro::executor);
    std::unique_ptr<long_decoding<T>> slow;
    auto step = core->start(inside, call);
    while (true) // a second co_await expression would enlarge the coroutine frame of every call
    {
        auto failed = co_await std::move(step);
        if (failed)
            co_return *std::move(failed);
        if (slow)
            co_return slow->take();
        if (!is_long(call))
            co_return decoded<T>(*core, call);
        slow = std::make_unique<long_decoding<T>>(*core, call);
        step = slow->run();
    }
}

operation<removed> remove_call(std::shared_ptr<client_core> core, planned_call call);

} // namespace ccloud::detail

namespace ccloud {

/** Sends what was planned, and decodes the answer as `T`. */
template <class T>
operation<T> call(client const& cloud, planned_request planned, call_options options)
{
    using detail::client_access;
    return detail::typed_call<T>(client_access::core(cloud), client_access::plan(cloud, std::move(planned), options));
}

/** Sends a DELETE. A response as for deleted objects, `condition::gone`, that follows an attempt which may have been
    executed counts as done. */
inline operation<removed> call_remove(client const& cloud, planned_request planned, call_options options)
{
    using detail::client_access;
    return detail::remove_call(client_access::core(cloud), client_access::plan(cloud, std::move(planned), options));
}

} // namespace ccloud

#endif
