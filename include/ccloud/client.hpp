#ifndef CCLOUD_CLIENT_HPP
#define CCLOUD_CLIENT_HPP

#include <ccloud/config.hpp>
#include <ccloud/export.hpp>
#include <ccloud/operation.hpp>
#include <ccloud/transport.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>

namespace ccloud {

namespace detail {
class json_object; // what collections write
class client_core;
class client_owner;
struct client_access;
} // namespace detail

/** Options of one call; each comes before the client's. */
struct call_options
{
    /** From the call to its end, waits and retries included; zero or less: none. Default: `config::total_timeout`. */
    std::optional<std::chrono::milliseconds> timeout = std::nullopt;

    /** For one try. Default: `config::attempt_timeout`. */
    std::optional<std::chrono::milliseconds> attempt_timeout = std::nullopt;

    /** The policy of this call: `{.retry = ccloud::retry_policy::none()}`. Default: `config::retry`. */
    std::optional<retry_policy> retry = std::nullopt;

    /** Whether the request may be repeated after it may have been executed. Default: the operation's own. */
    std::optional<bool> replayable = std::nullopt;
};

static_assert(
    std::is_aggregate_v<call_options> && std::is_trivially_destructible_v<call_options>,
    "GCC 12 destroys other aggregate temporaries in co_await twice"
);

/** How a drain ended. */
struct drained
{
    std::size_t finished = 0; ///< calls that were on the wire, and came to their own end
    std::size_t cut = 0;      ///< calls that were not back in time, and were ended
};

/** A handle to a client of the API: configuration, credentials, connections.

    Copies are cheap and share everything; so do the collections made from one.

    @code
    ccloud::client cloud(co_await asio::this_coro::executor, ccloud::config::from_environment());
    ccloud::iam::ip_groups groups(cloud);
    auto group = co_await groups.get("ipg-wyorq");
    @endcode

    **Threads.** With `threading::safe`, the default, calls may be made and awaited on any executor and thread;
    distinct handles may be used at the same time, one handle may not be changed meanwhile. A coroutine that runs on
    `executor()` awaits without a hop. With `threading::serial` every call must run on the executor the client was
    given. The result always arrives on the executor of the coroutine that awaits.

    **Lifetime.** Calls under way keep what they need. When the last handle and the last collection are gone, they
    are cancelled and every connection is closed. Until then idle connections keep `io_context::run()` busy;
    `close()` ends that. The execution context must outlive the handles, and the calls that coroutines of other execution
    contexts wait for.

    **Cancellation.** `terminal` ends a call wherever it is; `partial` and `total` end it while it waits (in
    line, for a connection, or between tries), where the awaiting coroutine lets them pass. A cancelled call completes by
    `poll()` alone, sends nothing more, and gives an error with `condition::cancelled` whose `progress()` says
    whether the server may have acted. Where the coroutine was cancelled before the call began, Asio throws
    `operation_aborted` from the `co_await` itself unless `this_coro::throw_if_cancelled(false)` is set; that setting
    is kept.

    **Deadlines.** Every call ends by its timeout.

    **Errors.** Operations give `result`s. What is thrown: `configuration_error`, `std::bad_alloc` (doc/memory.md), and
    what Asio throws for a coroutine that was cancelled before. */
class CCLOUD_EXPORT client
{
public:
    /** Makes a client that talks TLS over its own pool of connections.
        @throws configuration_error where something in `settings` cannot be used; no I/O but reading the CA file. */
    client(asio::any_io_executor executor, config settings);

    /** Makes a client over another transport: `testing::scripted_transport`, or one of your own.
        `wire` is called on `executor()` only, and serves this client alone: it is closed with it. */
    client(asio::any_io_executor executor, config settings, std::shared_ptr<transport> wire);

    /** A handle to a second shard on another executor: own connections; the same configuration and credentials, rate
        gate and retry budget. Its life and its `close()` are its own.
        @throws configuration_error for a client that was given its transport. */
    client on(asio::any_io_executor executor) const;

    /** A handle that shares everything with this one and adds a header field to each of its requests.
        @throws configuration_error for a field that belongs to the client, or that cannot go into a request. */
    client with_header(std::string_view name, std::string_view value) const;

    /** The executor the client works on: its strand, or with `threading::serial` the one it was given. */
    asio::any_io_executor executor() const noexcept;

    /** Sends a request for an endpoint this library does not know, with the same authentication, retries and errors.
        A status other than 2xx is an error. `request.target()` is below the endpoint: "/org/v2/environments". */
    operation<http_response> execute(http_request request, call_options options = {}) const;

    /** What this shard has done so far, and what it does now. Any thread; never blocks for long. */
    ccloud::metrics metrics() const noexcept;

    /** Cancels every call of every handle of this shard, closes every connection, and refuses what comes with
        `errc::client_closed`. Does not wait; idempotent; any thread. */
    void close() noexcept;

    /** Lets what is on the wire finish, and closes then: new calls, and those that wait, end with
        `errc::client_closed` at once; those whose request was sent have `drain_timeout` to end by themselves and are
        cut then; after that every connection is closed, with TLS's goodbye where it is idle. At the end no socket is
        open. May be awaited any number of times, after `close()`, too. Where the wait is cancelled, the client closes
        at once. */
    operation<drained> close(std::chrono::milliseconds drain_timeout) const;

    /** Closes the connections of this shard that are idle. Any thread, as the next four. */
    void close_idle() const noexcept;

    /** The machine has moved to another network: closes what is idle, uses no present connection for a further request,
        and forgets the addresses of names. */
    void network_changed() const noexcept;

    /** Makes connections ahead of need, until there are so many: within the limits of `config::pool`. */
    void warm_up(std::size_t connections) const;

    /** Takes a connection out of use, once its exchange has ended: `connection_info::id`. */
    void poison(std::uint64_t connection) const noexcept;

    /** Reads certificates and keys again, for all shards; `settings` says from where. New connections use them; the
        present ones take no further request.
        @throws configuration_error where something cannot be used; then nothing has changed. */
    void reload_tls(config::tls_options const& settings) const;

private:
    friend struct detail::client_access; // for the collections

    CCLOUD_NO_EXPORT client(
        std::shared_ptr<detail::client_core> core, std::shared_ptr<detail::client_owner> owner,
        std::shared_ptr<http_headers const> extra
    ) noexcept;

    std::shared_ptr<detail::client_core> core_;
    std::shared_ptr<detail::client_owner> owner_;
    std::shared_ptr<http_headers const> extra_;
};

} // namespace ccloud

#endif
