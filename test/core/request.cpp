#include "core/request.hpp"

#include "printers.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace core = ccloud::core;

using ccloud::http_headers;
using ccloud::http_request;
using ccloud::method;
using ccloud::origin;

namespace {

std::string wire(http_request const& request)
{
    std::string bytes("left over");
    core::serialize(request, bytes);
    return bytes;
}

} // namespace

TEST_CASE("the head of all requests names host, credential, product and media type")
{
    CHECK(
        core::make_head(origin(true, "::1", 8443), "Basic QQ==", "tool/1 (x)", false).text() ==
        "Host: [::1]:8443\r\nAuthorization: Basic QQ==\r\nUser-Agent: " + core::user_agent("tool/1 (x)") +
            "\r\nAccept: application/json\r\n"
    );
}

TEST_CASE("the library names itself after the application")
{
    auto const alone = core::user_agent("");
    CHECK(alone.starts_with("ccloud-cpp/" CCLOUD_VERSION " ("));
    CHECK(alone.ends_with(")"));
    CHECK(core::user_agent("tool/1 (https://x.example)") == "tool/1 (https://x.example) " + alone);
}

TEST_CASE("a request is put together from shared head, extra fields and its own")
{
    http_headers head;
    head.add("Host", "x.example");
    http_headers extra;
    extra.add("traceparent", "00-1");
    auto made = http_request(method::post, "/iam/v2/ip-groups?a=b").header("X-Own", "1").body("{}");
    core::assemble(made, head, &extra);
    CHECK(made.target() == "/iam/v2/ip-groups?a=b");
    CHECK(made.verb() == method::post);
    CHECK(made.body() == "{}");
    CHECK(!made.replayable());
    CHECK(
        made.headers().text() ==
        "Host: x.example\r\ntraceparent: 00-1\r\nX-Own: 1\r\nContent-Type: application/json\r\n"
    );
    auto bare = http_request(method::patch, "/x").replayable(true);
    core::assemble(bare, {}, nullptr);
    CHECK(bare.target() == "/x");
    CHECK(bare.headers().empty());
    CHECK(bare.replayable());
}

TEST_CASE("a request goes over the wire byte for byte")
{
    CHECK(wire(http_request(method::get, "/a?b=c")) == "GET /a?b=c HTTP/1.1\r\n\r\n");
    CHECK(wire(http_request(method::del, "/a").header("Host", "x")) == "DELETE /a HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(
        wire(http_request(method::post, "/a").body("{\"a\":1}")) ==
        "POST /a HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}"
    );
    CHECK(wire(http_request(method::post, "/a")) == "POST /a HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
    CHECK(wire(http_request(method::patch, "/a")) == "PATCH /a HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
    CHECK(wire(http_request(method::put, "/a")) == "PUT /a HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
    CHECK(
        wire(http_request(method::del, "/a").body("x", "text/plain")) ==
        "DELETE /a HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx"
    );
    std::string const binary("\0\r\n\xff", 4);
    CHECK(wire(http_request(method::post, "/a").body(binary, "x/y")).ends_with("Content-Length: 4\r\n\r\n" + binary));
}

TEST_CASE("fields that belong to the client are refused in any case of letters")
{
    for (std::string_view const name :
         {"Authorization", "authorization", "HOST", "Content-Length", "transfer-encoding", "Connection", "Expect",
          "Accept-Encoding"})
    {
        CAPTURE(name);
        CHECK(!core::refuse_field(name).empty());
    }
    for (std::string_view const name : {"X-Client-Request-Id", "Accept", "traceparent", "Authorizatio", "X-Host"})
    {
        CAPTURE(name);
        CHECK(core::refuse_field(name).empty());
    }
}

TEST_CASE("a credential may stand in a field where it has no control characters")
{
    CHECK(core::is_header_safe(""));
    for (int byte = 0; byte < 256; ++byte)
    {
        CAPTURE(byte);
        CHECK(core::is_header_safe(std::string{'a', static_cast<char>(byte)}) == (byte >= 0x20 && byte != 0x7f));
    }
}
