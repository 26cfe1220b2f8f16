#include "auth/authorization.hpp"

#include <ccloud/error.hpp>

#include "printers.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using ccloud::api_key;
using ccloud::bearer_token;
using ccloud::credentials;
using ccloud::auth::authorization;

namespace {

std::string fault_of(credentials const& who)
{
    try
    {
        return "none: " + authorization(who);
    }
    catch (ccloud::configuration_error const& fault)
    {
        return fault.what();
    }
}

} // namespace

TEST_CASE("a key is sent as Basic (RFC 7617)")
{
    struct row
    {
        std::string_view id, secret, value;
    };
    for (auto const& [id, secret, value] : {
             row{"Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
             row{"test", "123\xc2\xa3", "Basic dGVzdDoxMjPCow=="},
             row{"a", "b", "Basic YTpi"},
             row{"a", "bc", "Basic YTpiYw=="},
             row{"a", "bcd", "Basic YTpiY2Q="},
             row{"a", "b:c", "Basic YTpiOmM="},
             row{"KEY", "SECRET", "Basic S0VZOlNFQ1JFVA=="},
             row{"\xff", "\xfe\xff", "Basic /zr+/w=="},
         })
    {
        CAPTURE(value);
        CHECK(authorization(api_key(std::string(id), std::string(secret))) == value);
    }
}

TEST_CASE("a token is sent as Bearer (RFC 6750)")
{
    CHECK(authorization(bearer_token("eyJ.a-b_c~d+e/f=")) == "Bearer eyJ.a-b_c~d+e/f=");
}

TEST_CASE("credentials that cannot be sent are refused without being shown")
{
    struct row
    {
        credentials who;
        std::string_view says;
    };
    for (auto const& [who, says] : {
             row{credentials(), "none are set"},
             row{api_key("", "hunter2"), "the id of the API key is empty"},
             row{api_key("KEY", ""), "the secret of the API key is empty"},
             row{api_key("K:EY", "hunter2"), "the id of the API key contains \":\""},
             row{api_key("KEY\n", "hunter2"), "the API key contains control characters"},
             row{api_key("KEY", "hunter2\r\nX-Evil: 1"), "the API key contains control characters"},
             row{api_key("KEY", std::string("hunter2\0", 8)), "the API key contains control characters"},
             row{api_key("KEY", "hunter2\x7f"), "the API key contains control characters"},
             row{bearer_token(""), "the bearer token is empty"},
             row{bearer_token("hunter2 x"), "the bearer token contains spaces or control characters"},
             row{bearer_token(" hunter2"), "the bearer token contains spaces or control characters"},
             row{bearer_token("hunter2\r\n"), "the bearer token contains spaces or control characters"},
         })
    {
        CAPTURE(says);
        auto const fault = fault_of(who);
        CHECK(fault.starts_with("credentials: "));
        CHECK(fault.find(says) != std::string::npos);
        CHECK(fault.find("hunter2") == std::string::npos);
    }
}
