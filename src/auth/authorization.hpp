#ifndef CCLOUD_AUTH_AUTHORIZATION_HPP
#define CCLOUD_AUTH_AUTHORIZATION_HPP

#include <ccloud/credentials.hpp>

#include <string>
#include <string_view>

namespace ccloud::auth {

/** The value of Authorization: Basic (RFC 7617) for a key, Bearer (RFC 6750) for a token.
    Empty for a source of tokens, whose value each try asks for.
    @throws configuration_error where there are no credentials, or they cannot stand in a header field. */
std::string authorization(credentials const& who);

/** The value of Authorization for an access token; empty where the token cannot stand in a header field. */
std::string bearer(std::string_view token);

} // namespace ccloud::auth

#endif
