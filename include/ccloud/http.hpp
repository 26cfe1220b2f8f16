#ifndef CCLOUD_HTTP_HPP
#define CCLOUD_HTTP_HPP

#include <ccloud/export.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ccloud {

namespace detail {
struct parsed_fields;
struct shared_fields;
} // namespace detail

/** The request methods of the API. */
enum class method : unsigned char { get, post, patch, put, del };

/** "GET", "POST", "PATCH", "PUT" or "DELETE". */
CCLOUD_EXPORT std::string_view to_string(method verb) noexcept;

/** Whether RFC 9110 section 9.2.2 calls the method idempotent: all of ours but POST and PATCH. */
CCLOUD_EXPORT bool is_idempotent(method verb) noexcept;

/** Header fields in one buffer, as they go over the wire: `Name: value CRLF` a line.

    Names compare without regard to case (RFC 9110 section 5.1). A name that is no token, or a value with CR, LF or
    NUL, is not stored: the block remembers the name, `well_formed()` turns false, and the request is refused before
    anything is sent. Threads: a value type. */
class CCLOUD_EXPORT http_headers
{
public:
    http_headers() = default;

    /** Adds one field at the end; an earlier field of the same name stays. */
    http_headers& add(std::string_view name, std::string_view value);

    /** Adds one field in place of every earlier one of the same name. */
    http_headers& set(std::string_view name, std::string_view value);

    /** Takes out every field of that name. */
    http_headers& remove(std::string_view name);

    /** Adds the fields of another block at the end. */
    http_headers& append(http_headers const& other);

    /** The first value of `name`, without surrounding white space; nothing when there is none.
        The view lives as long as this block is neither changed nor moved. */
    std::optional<std::string_view> find(std::string_view name) const noexcept;

    bool contains(std::string_view name) const noexcept { return find(name).has_value(); }

    /** Calls `visit(name, value)` for each field, in order. */
    template <class Visitor>
    void for_each(Visitor&& visit) const
    {
        std::string_view rest = text_;
        while (auto const found = next_field(rest))
            visit(found->first, found->second);
    }

    bool empty() const noexcept { return text_.empty(); }
    bool well_formed() const noexcept { return !refused_; }

    /** The name of the first field that was refused; empty when the block is well formed. */
    std::string_view refused() const noexcept { return refused_ ? *refused_ : std::string_view(); }

    std::string const& text() const noexcept { return text_; }
    void reserve(std::size_t bytes) { text_.reserve(bytes); }
    void clear() noexcept;

private:
    friend struct detail::parsed_fields;

    using field = std::pair<std::string_view, std::string_view>;
    static std::optional<field> next_field(std::string_view& rest) noexcept;

    std::string text_;
    std::shared_ptr<std::string const> refused_; ///< null: none
};

/** A request of the lower tier: a method, a target below the endpoint, header fields and a body.

    The client adds the base path of its endpoint, Host, Authorization, User-Agent and Accept. */
class CCLOUD_EXPORT http_request
{
public:
    http_request() = default;

    /** `target` is path and query as they go over the wire, percent-encoded, and begins with "/". */
    http_request(method verb, std::string target);

    /** Adds a header field. Authorization, Host, Content-Length, Transfer-Encoding and Connection belong to the
        client; a request that sets one of them is refused. */
    http_request& header(std::string_view name, std::string_view value);

    /** Sets the body, and Content-Type to `media_type`. */
    http_request& body(std::string content, std::string_view media_type = "application/json");

    /** States whether the request may be repeated after it may have been executed. Default: what RFC 9110 says of
        its method. */
    http_request& replayable(bool yes) noexcept;

    /** Lets the server tell repetitions apart, and so makes the request replayable: sends Idempotency-Key with `key`,
        or, where that is empty, with 128 random bits that the client draws once a call. Only for endpoints that
        document the field, for others execute every repetition. No API of Confluent Cloud documents it so far. */
    http_request& idempotency_key(std::string_view key = {});

    method verb() const noexcept { return verb_; }
    std::string const& target() const& noexcept { return target_; }
    std::string&& target() && noexcept { return std::move(target_); }
    http_headers const& headers() const noexcept { return headers_; }
    http_headers& headers() noexcept { return headers_; }
    std::string const& body() const& noexcept { return body_; }
    std::string&& body() && noexcept { return std::move(body_); }

    /** Sets the body alone; its Content-Type is among the fields already. */
    void content(std::string bytes) noexcept { body_ = std::move(bytes); }

    /** Sets the target alone. */
    void move_to(std::string target) noexcept { target_ = std::move(target); }

    bool replayable() const noexcept { return replayable_; }
    bool wants_key() const noexcept { return wants_key_; }

private:
    method verb_ = method::get;
    bool replayable_ = true;
    bool wants_key_ = false;
    std::string target_;
    http_headers headers_;
    std::string body_;
};

/** Where requests go: scheme, host and port. The host is lower case and without brackets. */
class CCLOUD_EXPORT origin
{
public:
    origin() = default;
    origin(bool tls, std::string host, std::uint16_t port) : tls_(tls), port_(port), host_(std::move(host)) {}

    bool tls() const noexcept { return tls_; }
    std::string const& host() const noexcept { return host_; }
    std::uint16_t port() const noexcept { return port_; }

    /** "https://host:port"; the port only where it is not the scheme's own; IPv6 in brackets. */
    std::string to_string() const;

    /** The value of the Host field (RFC 9112 section 3.2). */
    std::string authority() const;

    friend bool operator==(origin const&, origin const&) = default;

private:
    bool tls_ = true;
    std::uint16_t port_ = 443;
    std::string host_;
};

/** The three rate-limit values of a response. Each is absent where the server did not send it, or not as a number; of
    several fields, or of a list, the first number counts. */
struct rate_limit
{
    std::optional<std::int64_t> limit;     ///< X-RateLimit-Limit: requests a window
    std::optional<std::int64_t> remaining; ///< X-RateLimit-Remaining: requests left in this window

    /** X-RateLimit-Reset: until the window rolls, from now. Absent if it is 10^9 or more: that is a time since 1970. */
    std::optional<std::chrono::seconds> reset;
};

/** What the server said beside the value: status line and header fields. Cheap to move; copying copies the fields,
    except that the items of a page share those of its response. Threads: a value type. */
class CCLOUD_EXPORT response_info
{
public:
    response_info() = default;
    response_info(int status, http_headers headers, int attempts = 1) noexcept
        : status_(status), attempts_(attempts), headers_(std::move(headers))
    {
    }

    /** The HTTP status; 0 if no complete header section came. */
    int status() const noexcept { return status_; }

    /** How often the request was given to the network. */
    int attempts() const noexcept { return attempts_; }
    void attempts(int count) noexcept { attempts_ = count; }

    /** The header fields of the response. */
    http_headers const& headers() const noexcept { return shared_ ? *shared_ : headers_; }

    /** X-Request-Id: what support asks for. Empty where the server sent none. */
    std::string_view request_id() const noexcept;

    /** Location: the new resource of a 201 or 202, the conflicting one of a 409. Empty where absent. It may name
        another host than the endpoint; do not send credentials there. */
    std::string_view location() const noexcept;

    /** Retry-After as sent; empty where absent. */
    std::string_view retry_after() const noexcept;

    /** The values of all WWW-Authenticate fields, in order, each as it was sent; empty where there is none. They say what
        credentials a 401 wants: `Basic error="invalid_key", error_description="The API Key is invalid"`. A value may
        hold several challenges, separated by commas (RFC 9110 section 11.6.1). The views live as long as `headers()`. */
    std::vector<std::string_view> www_authenticate() const;

    ccloud::rate_limit rate_limit() const noexcept;

private:
    friend struct detail::shared_fields;

    int status_ = 0;
    int attempts_ = 0;
    http_headers headers_;                       ///< empty if they are shared
    std::shared_ptr<http_headers const> shared_; ///< may be null
};

/** A response of the lower tier. */
class http_response
{
public:
    http_response() = default;
    http_response(int status, http_headers headers, std::string body) noexcept
        : status_(status), headers_(std::move(headers)), body_(std::move(body))
    {
    }

    int status() const noexcept { return status_; }
    http_headers const& headers() const& noexcept { return headers_; }
    http_headers&& headers() && noexcept { return std::move(headers_); }
    std::string const& body() const& noexcept { return body_; }
    std::string&& body() && noexcept { return std::move(body_); }

private:
    int status_ = 0;
    http_headers headers_;
    std::string body_;
};

} // namespace ccloud

#endif
