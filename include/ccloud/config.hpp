#ifndef CCLOUD_CONFIG_HPP
#define CCLOUD_CONFIG_HPP

#include <ccloud/credentials.hpp>
#include <ccloud/export.hpp>
#include <ccloud/http.hpp>
#include <ccloud/observe.hpp>
#include <ccloud/retry.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace ccloud {

/** How calls of several threads meet. */
enum class threading : unsigned char {
    /** The client makes a strand over its executor; any thread may call. One post in and one out a call. */
    safe,
    /** The client works on the executor it is given as it is: a one-thread `io_context` or the caller's strand.
        Coroutines that run there await without any hop; nobody else may call. */
    serial,
};

/** Which calls hold one another back when the server throttles. Never more than those of one client and its shards,
    for limits belong to an origin and a credential. */
class rate_scope
{
public:
    /** Names the scope of a request by its method and target (path and query). Called on the client's executor, by
        every shard on its own; must not throw. */
    using key_function = std::function<std::string(method verb, std::string_view target)>;

    /** The default: a scope for each collection's endpoint; for raw requests the first three segments of the path. */
    static rate_scope endpoint() { return {}; }

    /** One scope for all calls. */
    static rate_scope client()
    {
        return keyed([](method, std::string_view) { return std::string(); });
    }

    /** A scope for each name that `key` gives. */
    static rate_scope keyed(key_function key)
    {
        rate_scope scope;
        scope.key_ = std::move(key);
        return scope;
    }

    /** Empty for `endpoint()`. */
    key_function const& key() const noexcept { return key_; }

private:
    key_function key_;
};

/** How to read X-RateLimit-Reset. */
enum class reset_form : unsigned char {
    delta,     ///< seconds from now, as this API documents it
    epoch,     ///< seconds since 1970
    automatic, ///< an epoch if it is 10^9 or more, which as seconds from now would be 31 years; else seconds from now
};

/** Everything a client can be told. Options of a call come before those of the client, those before the defaults here.
    Only `from_environment()` reads the environment; SSL_CERT_FILE and SSL_CERT_DIR are no exception, although OpenSSL
    reads them by default. The client's constructor checks the options and throws `configuration_error`. A duration of
    more than ten years means for ever. */
class CCLOUD_EXPORT config
{
public:
    /** The defaults; `credentials` must still be set. */
    config();

    /** Reads CONFLUENT_CLOUD_API_KEY and CONFLUENT_CLOUD_API_SECRET, or CONFLUENT_CLOUD_BEARER_TOKEN;
        CONFLUENT_CLOUD_ENDPOINT (default: the public endpoint); SSL_CERT_FILE and SSL_CERT_DIR, which replace the
        system's certificate authorities (`tls_options::ca_file` and `ca_directory`; directories in SSL_CERT_DIR that do
        not exist are ignored); https_proxy or HTTPS_PROXY where the endpoint is https, and no_proxy or NO_PROXY.
        Unset and empty are the same.
        @throws configuration_error where no credentials, half a key, or both kinds are set, or the endpoint, the
        proxy or the CA file cannot be used, or SSL_CERT_DIR lists no directory that exists. */
    static config from_environment();

    /** The same with another source of variables: `lookup(name)` gives the value, or nothing. For tests. */
    static config from_environment(std::function<std::optional<std::string>(std::string_view)> const& lookup);

    /** Base URL. It may have a port and a path prefix ("https://confluent.example/api"), but no query, fragment or
        user. A dot at the end of the host ("https://confluent.example.") keeps the resolver from trying search domains.
        The dot is sent in the Host field (RFC 9110 section 7.2), but TLS uses the name without it (RFC 6066 section 3).
        `http` is refused unless the host is loopback or `allow_plaintext` is set. */
    std::string endpoint = "https://api.confluent.cloud";

    ccloud::credentials credentials;

    /** What the caller calls itself, put before the library's own product in User-Agent (RFC 9110 section 10.1.5);
        best as `name/version (url; email)`. */
    std::string application;

    /** Send credentials over plain http to hosts other than this machine. For private test rigs only. */
    bool allow_plaintext = false;

    ccloud::threading threading = threading::safe;

    /** From the call to its end: waits, retries and body included. Zero or less: none. */
    std::chrono::milliseconds total_timeout{180'000};

    /** For one try, from the moment it has a connection. Zero or less: none. */
    std::chrono::milliseconds attempt_timeout{30'000};

    retry_policy retry;

    /** Has the last word on whether a try is repeated; empty: nobody has. */
    retry_classifier classifier;

    /** Tokens of the retry budget: what keeps repetitions from making an outage worse. A repetition costs 14 after a
        failure and 5 after being throttled; one comes back a second and for every call that succeeds at once, and a
        repetition that succeeds gives back what it cost. Without tokens calls end after their first try
        (`gave_up::retry_budget_exhausted`). Shared by the shards. 0: no such limit. Up to 1,000,000. */
    int retry_budget = 500;

    ccloud::rate_scope rate_scope;

    /** How X-RateLimit-Reset is read. Default: `automatic`. */
    ccloud::reset_form reset_form = reset_form::automatic;

    /** Calls that wait in line for the rate gate, of all shards; one more ends with `errc::queue_full`. 0: any
        number. */
    std::size_t max_pending = 100'000;

    /** Is told what happens; null: nobody is. Shared by the shards. */
    std::shared_ptr<ccloud::observer> observer;

    /** How to prove who the server is, and who we are. Files are PEM, and are read by the client's constructor and by
        `client::reload_tls`. Of a pair of a file and a text at most one may be set. TLS is 1.2 or later; the server's
        certificate is always verified; renegotiation, compression and early data are not used. */
    struct tls_options
    {
        /** Certificate authorities to trust instead of the system's: a file or a text, a directory that
            `openssl rehash` has made (or several, separated by colons), or both. If all three are empty, the client
            trusts the authorities in the file and the directory that OpenSSL was built to use (`openssl version -d`).
            OpenSSL reads a directory during each handshake, and opens its files without close-on-exec. Each directory
            must exist; a server whose authority is not found there is `certificate_unknown_authority`. */
        std::string ca_file;
        std::string ca_directory;
        std::string ca_pem;

        /** Trust the system's authorities beside those above. */
        bool add_to_system = false;

        /** Our certificate with its chain, and its private key: for servers that want to know their clients (mTLS). Not
            shown to a proxy. */
        std::string certificate_file;
        std::string certificate_pem;
        std::string key_file;
        std::string key_pem;
        std::string key_password;

        /** Refuse TLS 1.2. */
        bool require_tls_1_3 = false;
    };
    tls_options tls;

    struct proxy_options
    {
        /** `scheme://[user:password@]host[:port]` with scheme http (default port 80) or https (443) for HTTP CONNECT,
            socks5 (1080; names are looked up here) or socks5h (by the proxy). User and password are percent-encoded.
            Empty: none. */
        std::string url;

        /** Hosts to reach without it, separated by commas: names, which stand for their subdomains, too; addresses;
            networks ("10.0.0.0/8"); each but a network with a port or without; "*" for all. */
        std::string no_proxy;
    };
    proxy_options proxy;

    struct pool_options
    {
        /** Connections to one origin, idle and dialling ones included; further calls wait in line. 1 to 10,000. */
        std::size_t max_connections_per_origin = 16;

        /** Connections of all shards of the client together, but each shard may have one. 0: any number; else no less
            than `max_connections_per_origin`. */
        std::size_t max_connections = 256;

        /** Connections that one shard keeps idle; the one idle for longest goes. 0: all. */
        std::size_t max_idle_connections = 0;

        /** Connections that are being made at the same time. 1 to 10,000. */
        std::size_t max_concurrent_dials = 4;

        /** Name look-up, TCP, proxy and TLS together. More than zero. */
        std::chrono::milliseconds connect_timeout{10'000};

        /** Name look-up alone; then addresses known from before are used, if any. More than zero. */
        std::chrono::milliseconds resolve_timeout{5'000};

        /** How long the addresses of a name are good. Zero: each connection looks up. */
        std::chrono::milliseconds address_lifetime{30'000};

        /** An idle connection is closed after this long, or up to a tenth sooner: below the 60 s of common load
            balancers. The server's `Keep-Alive: timeout` counts where it is shorter. Zero: none is kept. */
        std::chrono::milliseconds idle_timeout{50'000};

        /** A request that must not be sent twice takes no connection that was idle for longer than this, for the
            server may be about to close it. Zero: it takes any. */
        std::chrono::milliseconds idle_limit_for_post{5'000};

        /** A connection takes no further request after this long, or up to a fifth sooner, so that a change of
            addresses is followed. Zero: any time. */
        std::chrono::milliseconds max_lifetime{600'000};

        /** Requests a connection is used for. 0: any number. */
        std::size_t max_requests_per_connection = 0;
    };
    pool_options pool;

    /** Ask for gzip. What comes compressed is inflated either way. */
    bool compression = false;

    /** Each is at least 1024. */
    struct size_limits
    {
        /** Most bytes of a header section: status line, fields and the empty line after them. The same limit holds for
            each interim response, and for the trailers and all chunk extensions of a response together. */
        std::size_t response_header = 64 * 1024;

        /** Most bytes of a body. The limit holds before inflating and after it. */
        std::size_t response_body = 16 * 1024 * 1024;

        /** Most bytes of memory that the values of one decoded response may take. The count is an estimate. A
            response that would take more ends in `errc::response_too_large`. The values of an ordinary response take
            two to three times the bytes of its body; those of a hostile response up to 300 times. */
        std::size_t decoded_response = 64 * 1024 * 1024;
    };
    size_limits limits;
};

static_assert(!std::is_aggregate_v<config>, "GCC 12 destroys aggregate temporaries in co_await twice");

} // namespace ccloud

#endif
