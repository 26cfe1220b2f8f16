#ifndef CCLOUD_CREDENTIALS_HPP
#define CCLOUD_CREDENTIALS_HPP

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace ccloud {

/** A Cloud API key and its secret: `Authorization: Basic` (RFC 7617). Cluster-scoped keys are refused by the API. */
class api_key
{
public:
    api_key(std::string id, std::string secret) : id_(std::move(id)), secret_(std::move(secret)) {}

    std::string const& id() const noexcept { return id_; }
    std::string const& secret() const noexcept { return secret_; }

private:
    std::string id_;
    std::string secret_;
};

/** An STS access token: `Authorization: Bearer` (RFC 6750). It is sent as it is and never renewed; see
    `token_source`. */
class bearer_token
{
public:
    explicit bearer_token(std::string token) : token_(std::move(token)) {}

    std::string const& token() const noexcept { return token_; }

private:
    std::string token_;
};

/** Access tokens that expire: a function that is asked for the one to send before every try.

    It is called on the client's executor, by every shard on its own, and must not block: renew the token elsewhere,
    and hand out the newest here. `rejected` is empty, or the token that the server has just answered with 401; where
    another one comes back, the request is repeated with it, once a call. An empty token, one that cannot go into a
    header field, or an exception ends the call with `errc::credentials_unavailable`. */
class token_source
{
public:
    using function = std::function<std::string(std::string_view rejected)>;

    explicit token_source(function get) : get_(std::move(get)) {}

    function const& get() const noexcept { return get_; }

private:
    function get_;
};

/** How a client proves who it is: exactly one of none (refused by the client's constructor), key, token or source of
    tokens. There is no way to print one. */
using credentials = std::variant<std::monostate, api_key, bearer_token, token_source>;

} // namespace ccloud

#endif
