#ifndef CCLOUD_CREDENTIALS_HPP
#define CCLOUD_CREDENTIALS_HPP

#include <string>
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

/** An STS access token: `Authorization: Bearer` (RFC 6750). It is sent as it is and never renewed. */
class bearer_token
{
public:
    explicit bearer_token(std::string token) : token_(std::move(token)) {}

    std::string const& token() const noexcept { return token_; }

private:
    std::string token_;
};

/** How a client proves who it is: exactly one of none (refused by the client's constructor), key or token.
    There is no way to print one. */
using credentials = std::variant<std::monostate, api_key, bearer_token>;

} // namespace ccloud

#endif
