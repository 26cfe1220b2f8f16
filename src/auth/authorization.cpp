#include "auth/authorization.hpp"

#include <ccloud/error.hpp>

#include "core/base64.hpp"
#include "core/request.hpp"

#include <string_view>

namespace ccloud::auth {

namespace {

struct to_value
{
    std::string operator()(std::monostate) const
    {
        throw configuration_error(
            "credentials: none are set; give an api_key or a bearer_token, or set CONFLUENT_CLOUD_API_KEY and "
            "CONFLUENT_CLOUD_API_SECRET"
        );
    }

    std::string operator()(api_key const& key) const
    {
        if (key.id().empty())
            throw configuration_error("credentials: the id of the API key is empty");
        if (key.secret().empty())
            throw configuration_error("credentials: the secret of the API key is empty");
        // RFC 7617 section 2: the first colon ends the id
        if (key.id().find(':') != std::string::npos)
            throw configuration_error("credentials: the id of the API key contains \":\"");
        if (!core::is_header_safe(key.id()) || !core::is_header_safe(key.secret()))
            throw configuration_error("credentials: the API key contains control characters");
        return "Basic " + core::base64(key.id() + ':' + key.secret());
    }

    std::string operator()(bearer_token const& token) const
    {
        if (token.token().empty())
            throw configuration_error("credentials: the bearer token is empty");
        auto value = bearer(token.token());
        if (value.empty())
            throw configuration_error("credentials: the bearer token contains spaces or control characters");
        return value;
    }

    std::string operator()(token_source const& source) const
    {
        if (!source.get())
            throw configuration_error("credentials: the source of tokens is empty");
        return {};
    }
};

} // namespace

std::string authorization(credentials const& who)
{
    return std::visit(to_value(), who);
}

std::string bearer(std::string_view token)
{
    if (token.empty() || !core::is_header_safe(token) || token.find(' ') != std::string_view::npos)
        return {};
    return std::string("Bearer ").append(token);
}

} // namespace ccloud::auth
