#ifndef CCLOUD_AUTH_AUTHORIZATION_HPP
#define CCLOUD_AUTH_AUTHORIZATION_HPP

#include <ccloud/credentials.hpp>

#include <string>

namespace ccloud::auth {

/** The value of Authorization: Basic (RFC 7617) for a key, Bearer (RFC 6750) for a token.
    @throws configuration_error where there are no credentials, or they cannot stand in a header field. */
std::string authorization(credentials const& who);

} // namespace ccloud::auth

#endif
