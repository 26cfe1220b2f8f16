#include <ccloud/http.hpp>

#include "printers.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using ccloud::http_headers;
using ccloud::http_request;
using ccloud::method;
using ccloud::origin;
using ccloud::response_info;

namespace {

std::vector<std::string> lines_of(http_headers const& headers)
{
    std::vector<std::string> lines;
    headers.for_each([&](std::string_view name, std::string_view value) {
        lines.push_back(std::string(name).append("=").append(value));
    });
    return lines;
}

using field = std::pair<std::string_view, std::string_view>;

response_info answer(std::initializer_list<field> fields)
{
    http_headers headers;
    for (auto const& [name, value] : fields)
        headers.add(name, value);
    return response_info(200, std::move(headers));
}

} // namespace

TEST_CASE("fields stand in one buffer as they go over the wire, in order")
{
    http_headers headers;
    CHECK(headers.empty());
    headers.add("Accept", "application/json").add("X-A", "  spaced \t").add("X-Empty", "").add("x-a", "again");
    CHECK(headers.text() == "Accept: application/json\r\nX-A: spaced\r\nX-Empty: \r\nx-a: again\r\n");
    CHECK(
        lines_of(headers) == std::vector<std::string>{"Accept=application/json", "X-A=spaced", "X-Empty=", "x-a=again"}
    );
    CHECK(headers.well_formed());
    headers.clear();
    CHECK(headers.empty());
    CHECK(lines_of(headers).empty());
}

TEST_CASE("names are found without regard to case, the first value first")
{
    http_headers headers;
    headers.add("X-Request-Id", "one").add("x-request-id", "two").add("X-Empty", "");
    for (std::string_view const name : {"X-Request-Id", "x-request-id", "X-REQUEST-ID"})
    {
        CAPTURE(name);
        CHECK(headers.find(name) == std::string_view("one"));
        CHECK(headers.contains(name));
    }
    CHECK(headers.find("X-Empty") == std::string_view(""));
    for (std::string_view const name : {"X-Request", "Request-Id", "X-Request-Id ", "X-Request-Id:", "", "one"})
    {
        CAPTURE(name);
        CHECK(!headers.contains(name));
    }
}

TEST_CASE("a block is appended to another with its order and its refusals")
{
    http_headers first;
    first.add("A", "1");
    http_headers second;
    second.add("B", " 2\t").add("A", "3").add("no token", "4");
    first.append(second);
    CHECK(lines_of(first) == std::vector<std::string>{"A=1", "B=2", "A=3"});
    CHECK(!first.well_formed());
    CHECK(first.refused() == "no token");
}

TEST_CASE("set() takes the place of every earlier field of that name")
{
    http_headers headers;
    headers.add("A", "1").add("B", "2").add("a", "3").set("A", "4");
    CHECK(lines_of(headers) == std::vector<std::string>{"B=2", "A=4"});
}

TEST_CASE("a name that is no token, or a value that could end the line, is refused by name")
{
    struct row
    {
        std::string_view name, value, refused;
    };
    for (auto const& [name, value, refused] : {
             row{"X-A", "a\r\nX-Evil: 1", "X-A"},
             row{"X-A", "a\r", "X-A"},
             row{"X-A", "\na", "X-A"},
             row{"X-A", std::string_view("a\0b", 3), "X-A"},
             row{"X-A", "\x01", "X-A"},
             row{"X-A", "\x7f", "X-A"},
             row{"", "a", "(empty name)"},
             row{"X A", "a", "X A"},
             row{"X-A:", "a", "X-A:"},
             row{" X-A", "a", " X-A"},
             row{"X-\xc3\xbc", "a", "X-\xc3\xbc"},
             row{"X\r\nY", "a", "X\r\nY"},
             row{"X(1)", "a", "X(1)"},
         })
    {
        CAPTURE(name);
        CAPTURE(value);
        http_headers headers;
        headers.add("Before", "1").add(name, value).add("X-Bad", "\n").add("After", "2");
        CHECK(!headers.well_formed());
        CHECK(headers.refused() == refused);
        CHECK(headers.text() == "Before: 1\r\nAfter: 2\r\n");
        headers.clear();
        CHECK(headers.well_formed());
    }
}

TEST_CASE("of all bytes only control characters cannot stand in a value, and only token characters in a name")
{
    static constexpr std::string_view token =
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (int byte = 0; byte < 256; ++byte)
    {
        CAPTURE(byte);
        auto const c = static_cast<char>(byte);
        CHECK(
            http_headers().add("X", std::string{'a', c, 'b'}).well_formed() ==
            ((byte >= 0x20 && byte != 0x7f) || c == '\t')
        );
        CHECK(
            http_headers().add(std::string{'a', c, 'b'}, "x").well_formed() == (token.find(c) != std::string_view::npos)
        );
    }
}

TEST_CASE("methods have their names, and are idempotent as RFC 9110 says")
{
    struct row
    {
        method verb;
        std::string_view name;
        bool idempotent;
    };
    for (auto const& [verb, name, idempotent] :
         {row{method::get, "GET", true}, row{method::post, "POST", false}, row{method::patch, "PATCH", false},
          row{method::put, "PUT", true}, row{method::del, "DELETE", true}})
    {
        CAPTURE(name);
        CHECK(ccloud::to_string(verb) == name);
        CHECK(ccloud::is_idempotent(verb) == idempotent);
        CHECK(http_request(verb, "/").replayable() == idempotent);
        CHECK(http_request(verb, "/").replayable(!idempotent).replayable() == !idempotent);
    }
}

TEST_CASE("a request holds what it is given")
{
    http_request request(method::post, "/iam/v2/ip-groups");
    request.header("X-Client-Request-Id", "7").body("{\"a\":1}");
    CHECK(request.verb() == method::post);
    CHECK(request.target() == "/iam/v2/ip-groups");
    CHECK(request.body() == "{\"a\":1}");
    CHECK(request.headers().find("content-type") == std::string_view("application/json"));
    CHECK(request.headers().find("x-client-request-id") == std::string_view("7"));
    CHECK(
        http_request(method::post, "/").body("a=b", "application/x-www-form-urlencoded").headers().text() ==
        "Content-Type: application/x-www-form-urlencoded\r\n"
    );
    CHECK(!http_request(method::get, "/").header("X", "a\r\nb").headers().well_formed());
    CHECK(http_request().target().empty());
}

TEST_CASE("a body that is set a second time sets Content-Type anew")
{
    http_request request(method::post, "/");
    request.body("a=b", "application/x-www-form-urlencoded").body("{}");
    CHECK(request.body() == "{}");
    CHECK(request.headers().text() == "Content-Type: application/json\r\n");
}

TEST_CASE("an origin is written with the port only where it is not the scheme's own")
{
    struct row
    {
        origin where;
        std::string_view text, authority;
    };
    for (auto const& [where, text, authority] : {
             row{origin(true, "x.example", 443), "https://x.example", "x.example"},
             row{origin(true, "x.example", 8443), "https://x.example:8443", "x.example:8443"},
             row{origin(true, "x.example", 80), "https://x.example:80", "x.example:80"},
             row{origin(false, "x.example", 80), "http://x.example", "x.example"},
             row{origin(false, "x.example", 443), "http://x.example:443", "x.example:443"},
             row{origin(true, "10.0.0.1", 443), "https://10.0.0.1", "10.0.0.1"},
             row{origin(true, "::1", 443), "https://[::1]", "[::1]"},
             row{origin(true, "2001:db8::1", 8443), "https://[2001:db8::1]:8443", "[2001:db8::1]:8443"},
         })
    {
        CAPTURE(text);
        CHECK(where.to_string() == text);
        CHECK(where.authority() == authority);
    }
    CHECK(origin(true, "a", 1) == origin(true, "a", 1));
    CHECK(origin(true, "a", 1) != origin(true, "a", 2));
    CHECK(origin(true, "a", 1) != origin(true, "b", 1));
    CHECK(origin(true, "a", 1) != origin(false, "a", 1));
}

TEST_CASE("an answer tells its request id, location and wait in any case of letters (vector 16)")
{
    auto const info =
        answer({{"x-request-id", "req-1"}, {"location", "https://other.example/1"}, {"RETRY-AFTER", "7"}});
    CHECK(info.status() == 200);
    CHECK(info.attempts() == 1);
    CHECK(info.request_id() == "req-1");
    CHECK(info.location() == "https://other.example/1");
    CHECK(info.retry_after() == "7");
    CHECK(answer({}).request_id().empty());
    CHECK(answer({}).location().empty());
    CHECK(answer({}).retry_after().empty());
    CHECK(response_info().status() == 0);
    CHECK(response_info().attempts() == 0);
}

TEST_CASE("rate-limit values are numbers or absent")
{
    struct row
    {
        std::string_view value;
        std::optional<std::int64_t> number;
    };
    for (auto const& [value, number] :
         {row{"60", 60}, row{"0", 0}, row{" 007 ", 7}, row{"99999999999999999999999", INT64_MAX}, row{"", std::nullopt},
          row{"-1", std::nullopt}, row{"1.5", std::nullopt}, row{"soon", std::nullopt},
          row{"60, 60;w=60", std::nullopt}})
    {
        CAPTURE(value);
        http_headers headers;
        headers.add("x-ratelimit-limit", value).add("X-RateLimit-Remaining", value).add("X-RATELIMIT-RESET", value);
        auto const limits = response_info(429, headers).rate_limit();
        CHECK(limits.limit == number);
        CHECK(limits.remaining == number);
        CHECK(limits.reset.has_value() == number.has_value());
        if (limits.reset && number)
            CHECK(limits.reset->count() == *number);
    }
    CHECK(!answer({}).rate_limit().limit.has_value());
}
