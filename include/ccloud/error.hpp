#ifndef CCLOUD_ERROR_HPP
#define CCLOUD_ERROR_HPP

#include <ccloud/export.hpp>
#include <ccloud/http.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

/*  Errors, by what may have happened on the server:

    error
    |
    +-- not sent             nothing reached the server
    |     invalid_argument         an id, option or header that cannot go into a request
    |     busy                     a second next() on a generator whose first is under way
    |     client_closed            close() was called, or the last handle of the client is gone
    |     rate_limited             the server holds this client back for longer than the call can wait, or wants to
    |     queue_full               config::max_pending calls wait already
    |     credentials_unavailable  the source of credentials gave none
    |     name_resolution_failed   the host has no address
    |     connect_failed           refused, reset or unreachable; or the server closed a new connection, or sent data on
    |                              it, before the client sent a request over it
    |     connect_timeout          no connection within connect_timeout
    |     proxy_authentication_failed    the proxy wants other credentials, or some
    |     proxy_refused            the proxy does not open the way
    |     tls_failed               the handshake broke off, or the peer did not answer with TLS
    |     tls_version_unsupported  the server speaks no TLS that we accept
    |     certificate_wrong_host, certificate_expired, certificate_self_signed, certificate_unknown_authority,
    |     certificate_rejected     the peer's certificate was not accepted, for that reason or another (never repeated)
    |     client_certificate_rejected    the server wants a certificate of ours, or another one (never repeated)
    |     cancelled, deadline_exceeded   where they came before the first byte
    |
    +-- maybe sent           bytes left this process, no complete header section came back
    |     write_failed             the connection broke while the request was written
    |     connection_lost          it broke, or ended, before the whole response was there
    |     attempt_timeout          no whole response within attempt_timeout
    |     deadline_exceeded        the call's deadline passed
    |     cancelled, client_closed the caller cancelled, or closed the client
    |     malformed_response       the bytes that came are not an HTTP/1 response
    |     response_too_large       its header section is larger than config::limits allows
    |
    +-- answered             a complete response came, and its status is no success (errc::http_status; after a 408 or
    |                        5xx the request may have been executed); conditions tell the cases apart:
    |     invalid_request 400 422      unauthenticated 401    quota_exceeded 402     forbidden 403
    |     not_found 404                conflict 409           throttled 429          server_failure 5xx
    |     redirect_refused         it named another place, and going there is not allowed
    |
    +-- answered, bad body   the header section came, so `status()`, `response()` and the status's conditions hold
    |     write_failed, connection_lost, attempt_timeout, deadline_exceeded, cancelled, client_closed
    |                              the rest of the response did not come, for that reason
    |     malformed_response       the end of the body cannot be found, or its coding is damaged or unknown
    |     response_too_large       the body is larger than config::limits allows
    |
    +-- answered, unreadable
          malformed_response       not the JSON that was asked for (with JSON path and byte offset): for example an
                                   object or an item without `id`, a list without `data`, an error under a 2xx, also
                                   beside an empty list, whose text is in `problems()`; a page with far more items
                                   than were asked for, or with a next link that is not a text or longer than 16 KiB;
                                   status 205, 206 or 226
          response_too_large       the decoded values exceed config::limits.decoded_response
          page_link_without_token, pagination_loop, too_many_empty_pages, page_token_expired    (listings)

    `error::progress()` says which of not sent, maybe sent and answered it was. A response with a status that may be
    retried (408, 413, 421, 425, 429, 500 and more) is `http_status` even if the rest of the response did not come. */

namespace ccloud {

/** What went wrong. `std::error_code` category "ccloud". */
enum class errc {
    unset = 1,
    invalid_argument,
    busy,
    client_closed,
    rate_limited,
    queue_full,
    credentials_unavailable,
    name_resolution_failed,
    connect_failed,
    connect_timeout,
    proxy_authentication_failed,
    proxy_refused,
    tls_failed,
    tls_version_unsupported,
    certificate_wrong_host,
    certificate_expired,
    certificate_self_signed,
    certificate_unknown_authority,
    certificate_rejected,
    client_certificate_rejected,
    write_failed,
    connection_lost,
    attempt_timeout,
    deadline_exceeded,
    cancelled,
    http_status,
    redirect_refused,
    malformed_response,
    response_too_large,
    page_link_without_token,
    pagination_loop,
    too_many_empty_pages,
    page_token_expired,
};

CCLOUD_EXPORT std::error_category const& error_category() noexcept;
CCLOUD_EXPORT std::error_code make_error_code(errc code) noexcept;

/** What a caller branches on: `if (made.error() == ccloud::condition::conflict)`. Conditions overlap. The conditions
    of a status hold as soon as the header section of the response came, even if the rest of the response did not. */
enum class condition {
    not_found,       ///< 404
    gone,            ///< the responses for a deleted object: 404, 410, and a complete 403 that has the list `errors` of
                     ///< the API, with an object in it, or a problem that says "not found"; but not if it calls the
                     ///< API key invalid or names a quota. Proxies answer 403, too, for example with only a `message`
    conflict,        ///< 409; `response().location()` names the other object where the server knows it
    unauthenticated, ///< 401, or a 403 that calls the API key invalid, in its body or in WWW-Authenticate
    forbidden,       ///< 403
    quota_exceeded,  ///< 402, or another error status whose text says "currently limited to"
    throttled,       ///< 429, or rate_limited: the server's limit kept the call from being sent
    invalid_request, ///< 400 or 422 (page_token_expired is one), or an argument refused before sending
    server_failure,  ///< 5xx, and 600 or more (RFC 9110 section 15)
    timed_out,       ///< connect_timeout, attempt_timeout or deadline_exceeded; or a retry that would pass it
    cancelled,       ///< cancelled, or the client was closed
    network,         ///< resolution, connection, proxy, TLS or transfer failed
    tls_failure,     ///< of these, TLS: the handshake failed, or a certificate was not accepted
    malformed_response, ///< the response, or its link to the next page, cannot be read or exceeds config::limits
};

/** How far a try, or a call with all its tries, got. Retry, errors and documentation use these three words. */
enum class progress : unsigned char {
    not_sent,   ///< provably not executed: no byte of the request was given to the network, or TLS kept it out
    maybe_sent, ///< the server may or may not have acted on it
    answered,   ///< the complete header section of a final response arrived; its body may be incomplete
};

/** "not sent", "maybe sent" or "answered". */
CCLOUD_EXPORT std::string_view to_string(progress reached) noexcept;

/** Why the call was not tried once more. */
enum class gave_up : unsigned char {
    not_retryable,          ///< this outcome, or this method after this outcome, is never repeated
    attempts_exhausted,     ///< the policy's number of attempts is used up
    deadline_would_pass,    ///< the wait does not fit before the deadline; nothing was slept
    retry_after_too_long,   ///< the server asks for more than `retry_policy::max_server_delay`
    retry_budget_exhausted, ///< too large a part of this client's requests were repetitions lately
    limit_exhausted,        ///< `on_exhausted::fail_fast`, and the server's limit is used up
};

/** "not retryable", "no tries left" and so on. */
CCLOUD_EXPORT std::string_view to_string(gave_up why) noexcept;

/** Why a try was repeated. */
enum class retry_reason : unsigned char {
    none,             ///< it was not
    transient,        ///< a failure that may pass: 5xx, a lost connection, a timeout
    throttled,        ///< turned away for now: 429, or 413, 503 and 529 with Retry-After
    stale_connection, ///< the kept connection turned out to be closed; free of charge
    misdirected,      ///< 421; once, on a fresh connection, free of charge
    too_early,        ///< 425; once, free of charge
    redirected,       ///< the server named another place within itself; free of charge
    new_credentials,  ///< 401, and the source of credentials gave others; once, free of charge
    classifier,       ///< `config::classifier` asked for it
};

/** "transient failure", "throttled" and so on. */
CCLOUD_EXPORT std::string_view to_string(retry_reason why) noexcept;

/** Where the length of a wait came from. */
enum class delay_source : unsigned char {
    none,        ///< there was no wait
    backoff,     ///< drawn by the policy
    retry_after, ///< Retry-After
    rate_limit,  ///< RateLimit or X-RateLimit-Reset
    classifier,  ///< `config::classifier`
};

/** "backoff", "Retry-After" and so on. */
CCLOUD_EXPORT std::string_view to_string(delay_source from) noexcept;

/** One error that the server reports. Each member is as the server sent it, with three exceptions: the credentials of the
    client are replaced (see `error`), ill-formed text becomes U+FFFD, and a text of more than 4 KiB is cut. Numbers are
    text, as they were written. A member that the server did not send is empty, unless a substitute is named here. Source:
    "Failure" in the API documentation, and the other envelopes its services use. */
struct problem
{
    /** Identifier of this occurrence: `id`, or else the `requestId` beside an object `error`. */
    std::string id;

    /** HTTP status code, as text. */
    std::string status;

    /** Error code for programs, such as "quota_exceeded"; new values may appear. If the server sent no `code`: its `error`
        if that is a string, or else its `error_code`. */
    std::string code;

    /** The member `error_code`, which is a number in most services. */
    std::string error_code;

    /** Short description. If the server sent no `title`, but a `code` and the string `error`: its `error`. */
    std::string title;

    /** Description for people. If the server sent no `detail`: its `error_description`, or else its `message`. Followed by
        the texts of `details`, separated by "; ". */
    std::string detail;

    /** The member `message`. If the server sent no `message`, but a `detail` and an `error_description`: the latter. */
    std::string message;

    /** JSON pointer (RFC 6901) to the member of the request body that is at fault. */
    std::string pointer;

    /** Name of the query parameter that is at fault. */
    std::string parameter;

    /** What to do about the error: the members `resolution` and `suggestion`. */
    std::string resolution;
};

/** One try of a call. */
struct attempt
{
    std::chrono::nanoseconds started{}; ///< since the call began
    std::chrono::nanoseconds took{};
    ccloud::progress progress = progress::not_sent;
    std::size_t bytes_written = 0;
    bool reused = false;                                 ///< on a connection that had served before
    std::uint64_t connection = 0;                        ///< `connection_info::id`; 0: there was none
    int status = 0;                                      ///< 0: no complete header section came
    errc code = errc::unset;                             ///< what went wrong with it
    std::optional<std::chrono::nanoseconds> server_hint; ///< what the server asked to wait
    /** The value of the field that `server_hint` was read from: at most its first 64 bytes, then redacted and escaped as
        described at `error`. */
    std::string hint_text;
    std::string request_id;                   ///< X-Request-Id; empty where there is none
    retry_reason reason = retry_reason::none; ///< why there was a next one
    std::chrono::nanoseconds delay{};         ///< before the next one; zero for a free replay and the last
    ccloud::delay_source delay_source = delay_source::none;
};

/** Why an operation failed; one pointer wide.

    The server's words (`problems()`, `body()`) and ours (`what()`, `detail()`) are kept apart, for the server's may
    repeat what a user typed.

    No credential of this client is part of an error, even if a server or a proxy sends it back: the API secret, every
    access token of the call, and the password of the proxy. In `what()`, `detail()`, `path()`, `body()`, `problems()`, the
    fields of `response()` and `attempts()` they are replaced by "***", in these spellings:

    - as they are;
    - in Base64 (RFC 4648 section 4), alone and as user and password of Basic (RFC 7617), with or without padding, and with
      any line breaks;
    - one of these with any of its bytes percent-encoded (with "+" for a blank, too), escaped as in JSON or as "\x2b", or
      as a character reference of HTML, by number or by the name of an ASCII character ("&plus;"); also if that was escaped
      up to two more times;
    - where a text is cut, or "..." follows: the beginning, if it has at least four bytes.

    A secret of less than 8 bytes is replaced only if it is a whole word. Other spellings are not known, for instance
    letters of another case, a part of a secret that is not its beginning, or references of HTML with more than eight
    digits. The id of the API key is not secret, nor is the name of the proxy's user beside a password. Other secrets that
    a caller puts into a request are not known to the library.

    `what()`, `detail()` and the texts of `attempts()` are UTF-8 without control characters and without characters that
    change the direction of text; in their place stands an escape, for instance "\x1b" or "\u202e". `problems()`,
    `body()` and the fields of `response()` are not escaped.

    Threads: a value type; copying copies. */
class CCLOUD_EXPORT error
{
public:
    struct data;

    error() noexcept;
    explicit error(errc code, std::string detail = {});
    explicit error(std::unique_ptr<data> details) noexcept;
    error(error const& other);
    error(error&& other) noexcept;
    error& operator=(error const& other);
    error& operator=(error&& other) noexcept;
    ~error();

    errc code() const noexcept;

    /** `not_sent` only where no try of the call can have been executed. */
    ccloud::progress progress() const noexcept;
    ccloud::gave_up gave_up() const noexcept;

    /** The request it was about; the path is without query, for queries may hold names. */
    std::optional<ccloud::method> method() const noexcept;
    std::string const& path() const noexcept;

    /** HTTP status; 0 if no complete header section came. If `code()` is not `http_status`, the rest of the response
        did not come or cannot be read. */
    int status() const noexcept { return response().status(); }
    std::string_view request_id() const noexcept { return response().request_id(); }
    response_info const& response() const noexcept;

    /** The server's complaints, the first 32; empty if it sent none that could be read. The library looks for them in
        the first MiB of the body. A text of more than 4 KiB is cut, and ends in "...". */
    std::vector<problem> const& problems() const noexcept;

    /** How many complaints the server sent beyond those in `problems()`. */
    std::size_t omitted_problems() const noexcept;

    /** The first 8 KiB of the body of the response, or what came of it; inflated if that was possible. */
    std::string const& body() const noexcept;

    /** Details from the library: the refused argument, the JSON path, the TLS alert, or the step that was waited for.
        If the status says that the request was carried out, that is added. */
    std::string const& detail() const noexcept;

    /** The code of the layer below (Asio, OpenSSL, getaddrinfo), if one caused the error. Empty if this side ended the
        call: attempt_timeout, deadline_exceeded, cancelled, client_closed. */
    std::error_code const& cause() const noexcept;

    /** Every try, oldest first. Empty if the library refused the call itself. Where there were more than 16: the first
        ones and the last, and among them one that may have been executed, if any may. */
    std::vector<attempt> const& attempts() const noexcept;

    /** From the start of the call to its end, waits included. */
    std::chrono::nanoseconds elapsed() const noexcept;

    /** After how long a further attempt may succeed: what the server asked for last, or how long its limit will keep the
        client from sending. Empty if no wait is known, or if the server asked for a wait of zero or named a time that has
        passed. */
    std::optional<std::chrono::nanoseconds> retry_after() const noexcept;

    /** One line for people:
        `GET /iam/v2/ip-groups/ipg-1: HTTP 404: IP group not found (request 3f…, attempt 1 in 80 ms)`. */
    std::string what() const;

    bool is(condition what) const noexcept;
    friend bool operator==(error const& failure, condition what) noexcept { return failure.is(what); }
    friend bool operator==(error const& failure, errc code) noexcept { return failure.code() == code; }

    /** For the layers that fill it in; makes the details where there are none. */
    data& edit();

private:
    std::unique_ptr<data> data_;
};

static_assert(sizeof(error) == sizeof(void*));

struct error::data
{
    errc code = errc::unset;
    ccloud::progress progress = ccloud::progress::not_sent;
    ccloud::gave_up gave_up = ccloud::gave_up::not_retryable;
    std::optional<ccloud::method> method;
    std::string path;
    response_info response;
    std::vector<problem> problems;
    std::size_t omitted_problems = 0;
    bool is_failure = false; ///< the body is the document "Failure" of the API: its list `errors` has an object
    std::string body;
    std::string detail;
    std::error_code cause;
    std::vector<attempt> attempts;
    std::chrono::nanoseconds elapsed{};
    std::optional<std::chrono::nanoseconds> retry_after;
};

/** What `or_throw` and `result::value()` throw. `code()` is the `errc`; `what()` the error's line. */
class CCLOUD_EXPORT api_exception : public std::system_error
{
public:
    explicit api_exception(ccloud::error failure);

    ccloud::error const& error() const noexcept { return error_; }
    char const* what() const noexcept override { return text_.c_str(); }

private:
    ccloud::error error_;
    std::string text_;
};

/** A fault in the configuration, thrown before any I/O by constructors, `config::from_environment()`, `client::on`,
    `client::with_header` and `client::reload_tls`. */
class CCLOUD_EXPORT configuration_error : public std::invalid_argument
{
public:
    using std::invalid_argument::invalid_argument;
};

} // namespace ccloud

template <>
struct std::is_error_code_enum<ccloud::errc> : std::true_type
{
};

#endif
