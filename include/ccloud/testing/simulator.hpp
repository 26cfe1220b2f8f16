#ifndef CCLOUD_TESTING_SIMULATOR_HPP
#define CCLOUD_TESTING_SIMULATOR_HPP

#include <ccloud/config.hpp>
#include <ccloud/export.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace ccloud::testing {

/** How a simulator is to behave. */
class simulator_options
{
public:
    simulator_options() = default;

    /** TCP port on 127.0.0.1 and, where there is IPv6, ::1. 0: any free one. */
    std::uint16_t port = 0;

    /** Serve plain HTTP instead of HTTPS; there is no CA file then. */
    bool plaintext = false;

    /** The API is served below this path only, e.g. "/api". Empty: at the root. Begins with "/", does not end so. */
    std::string path_prefix;

    /** Base of `metadata.self`, `metadata.next` and Location. By default another host with a prefix of its own, as
        the real service does; a client that follows such a link as it is leaves the simulator. */
    std::string next_host = "https://confluent.cloud/api";

    /** Accepted by `Authorization: Basic`. */
    std::string api_key = "SIMULATORAPIKEY1";
    std::string api_secret = "simulator-secret-not-for-production";

    /** Accepted by `Authorization: Bearer`. */
    std::string bearer_token = "simulator.sts.token";

    /** IP groups present from the start: "group-0001", "group-0002" and so on. */
    std::size_t seed_groups = 0;

    /** Authenticated requests a window; what is more gets 429. 0: every one does. Default: no limit. */
    std::optional<int> rate_limit;

    /** Length of a window on the simulator's clock, from its start on. More than zero. */
    std::chrono::seconds rate_window{60};

    /** Send X-RateLimit-Limit, -Remaining and -Reset with 2xx and 429, where there is a limit. */
    bool rate_headers = true;

    /** Send Retry-After with 429. */
    bool retry_after = true;

    /** Service quotas: creating more gets 402. 0: nothing can be created. Default: no quota. Seeds are not refused. */
    std::optional<std::size_t> ip_groups_per_org;
    std::optional<std::size_t> identity_pools_per_provider;
    std::optional<std::size_t> group_mappings_per_org;

    /** How long a new private link attachment connection is PROVISIONING, on the simulator's clock. 0: READY at
        once. */
    std::chrono::milliseconds provisioning{2'000};

    /** How long a deleted one is DEPROVISIONING before it answers 404. 0: gone at once. */
    std::chrono::milliseconds deprovisioning{2'000};
};

/** Something that goes wrong, for the next connection or request.

    @code
    cloud.inject(fault::status(503).header("Retry-After", "1").times(2).on("GET", "/ip-groups"));
    cloud.inject(fault::reset().executed().on("POST", ""));
    @endcode

    The first injected fault that fits is taken; one request meets one fault. Times are real ones, not those of
    `simulator::advance`. */
class fault
{
public:
    /** Answers properly, but so much later. */
    static fault delay(std::chrono::milliseconds time) { return fault(kind::proper, true).after(time); }

    /** Answers with this status and body. The body is said to be JSON unless `header` sets Content-Type. */
    static fault status(int code, std::string body = {})
    {
        fault made(kind::status, false, std::move(body));
        made.status_ = code;
        return made;
    }

    /** Reads the request, then resets the connection (RST) without an answer. */
    static fault reset() { return {kind::reset, false}; }

    /** Resets the connection when the first bytes of a request arrive, whatever it is. `on` means nothing here. */
    static fault reset_early() { return {kind::reset_early, false}; }

    /** Resets the next connection when it is accepted. A client may try another address of "localhost" at once, so
        `times(2)` to be sure. `on` means nothing here. */
    static fault reset_on_accept() { return {kind::reset_on_accept, false}; }

    /** Accepts the next connection and never says a word, TLS neither, until the client gives up. `on` means nothing
        here. */
    static fault stall_handshake() { return {kind::stall_handshake, false}; }

    /** Reads the request, then closes the connection (close_notify and FIN) without an answer. */
    static fault close() { return {kind::close, false}; }

    /** Sends head and Content-Length of the proper answer, but so many bytes of its body only; then FIN without
        close_notify. */
    static fault truncate(std::size_t body_bytes)
    {
        fault made(kind::truncate, true);
        made.body_bytes_ = body_bytes;
        return made;
    }

    /** Sends the body of the proper answer byte by byte, with this pause before each. */
    static fault trickle(std::chrono::milliseconds pause)
    {
        fault made(kind::trickle, true);
        made.pause_ = pause;
        return made;
    }

    /** Sends these bytes in place of an answer, then closes. */
    static fault garbage(std::string bytes = "\x15\x03 this is not HTTP\r\n\r\n")
    {
        return {kind::garbage, false, std::move(bytes)};
    }

    /** Sends the body of the proper answer as gzip, without saying so in Content-Encoding. */
    static fault gzip() { return {kind::gzip, true}; }

    /** Answers properly with `Connection: close`, and closes. */
    static fault connection_close() { return {kind::connection_close, true}; }

    /** Answers properly and sends these bytes after it, unasked; the connection stays open. */
    static fault unsolicited(std::string bytes = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    {
        return {kind::unsolicited, true, std::move(bytes)};
    }

    /** Adds a header field to the answer; replaces one of the same name. */
    fault& header(std::string name, std::string value)
    {
        headers_.emplace_back(std::move(name), std::move(value));
        return *this;
    }

    /** For so many connections or requests. Default: 1. 0: until `simulator::clear_faults`. */
    fault& times(std::size_t count) noexcept
    {
        times_ = count;
        return *this;
    }

    /** Only for requests with this method ("" for any) whose target contains `path` ("" for any). */
    fault& on(std::string method, std::string path)
    {
        method_ = std::move(method);
        path_ = std::move(path);
        return *this;
    }

    /** Waits before it does what it does. Default: no wait. */
    fault& after(std::chrono::milliseconds wait) noexcept
    {
        wait_ = wait;
        return *this;
    }

    /** The request takes effect first, although its answer is lost or replaced. Default for `reset`, `close`,
        `garbage` and `status`: it has no effect. The kinds that send the proper answer always execute. */
    fault& executed() noexcept
    {
        executes_ = true;
        return *this;
    }

private:
    friend class simulator;

    enum class kind : unsigned char {
        proper,
        status,
        reset,
        reset_early,
        reset_on_accept,
        stall_handshake,
        close,
        truncate,
        trickle,
        garbage,
        gzip,
        connection_close,
        unsolicited,
    };

    fault(kind what, bool executes, std::string text = {}) : kind_(what), executes_(executes), text_(std::move(text)) {}

    kind kind_;
    bool executes_;
    int status_ = 0;
    std::size_t times_ = 1;
    std::size_t body_bytes_ = 0;
    std::chrono::milliseconds wait_{0};
    std::chrono::milliseconds pause_{0};
    std::string text_;
    std::string method_;
    std::string path_;
    std::vector<std::pair<std::string, std::string>> headers_;
};

/** An HTTPS server in this process that behaves like the four APIs of Confluent Cloud: IP groups, identity pools, SSO
    group mappings, private link attachment connections.

    @code
    ccloud::testing::simulator server;
    ccloud::client cloud(executor, server.settings());
    @endcode

    It makes its own certificate authority and holds all objects in memory. Every identity provider "op-…", environment
    "env-…" and private link attachment "platt-…" exists.

    Threads: it serves in a thread of its own; every member may be called from any thread. The destructor closes all
    connections and removes the CA file. */
class CCLOUD_EXPORT simulator
{
public:
    /** Serves as soon as it is made.
        @throws std::invalid_argument where an option makes no sense
        @throws std::system_error where the port is taken or the CA file cannot be written */
    explicit simulator(simulator_options options = {});
    ~simulator();
    simulator(simulator const&) = delete;
    simulator& operator=(simulator const&) = delete;

    /** "https://localhost:PORT" and the path prefix. */
    std::string const& endpoint() const noexcept;

    /** PEM file with the certificate authority to trust; empty with `plaintext`. */
    std::string const& ca_file() const noexcept;

    /** A configuration that reaches this server with its API key. */
    config settings() const;

    /** Moves the simulator's clock forward. It runs with real time and rules phases, rate windows and timestamps. */
    void advance(std::chrono::milliseconds time);

    /** Holds a private link attachment connection in this phase, e.g. "FAILED", until it is deleted.
        @return whether there is such a connection */
    bool set_phase(std::string_view id, std::string phase, std::string error_message = {});

    /** Lets something go wrong. */
    void inject(fault trouble);

    /** Forgets the faults that were not taken yet. */
    void clear_faults();

    /** Requests read so far, those that met a fault included. */
    std::size_t requests() const noexcept;

    /** Connections accepted so far, and those open now. */
    std::size_t connections() const noexcept;
    std::size_t open_connections() const noexcept;

    /** The last 10,000 requests, oldest first, as "METHOD target status"; the status is "-" without an answer. */
    std::vector<std::string> log() const;

    /** Closes every open connection, without a goodbye. They are closed on return. */
    void drop_connections();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

static_assert(!std::is_aggregate_v<simulator_options>, "GCC 12 destroys aggregate temporaries in co_await twice");
static_assert(!std::is_aggregate_v<fault>, "GCC 12 destroys aggregate temporaries in co_await twice");

} // namespace ccloud::testing

#endif
