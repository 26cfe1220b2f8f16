#include <ccloud/http.hpp>

#include "core/ascii.hpp"
#include "core/parsed_fields.hpp"
#include "core/shared_fields.hpp"
#include "printers.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using ccloud::http_headers;
using ccloud::http_request;
using ccloud::method;
using ccloud::origin;
using ccloud::response_info;

namespace http = boost::beast::http;

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

TEST_CASE("a name is found as a whole, where a field begins, whatever values look like")
{
    http_headers headers;
    headers.add("X-Via", "Host: no").add("Hostx", "1").add("X-Time", "12:34:56").add("Hos", "").add("HOST", "h:443");
    CHECK(headers.find("Host") == std::string_view("h:443"));
    CHECK(headers.find("hostX") == std::string_view("1"));
    CHECK(headers.find("Hos") == std::string_view(""));
    CHECK(headers.find("x-time") == std::string_view("12:34:56"));
    for (std::string_view const name :
         {"Ho", "Hostxy", "ost", "Host:", "Host: ", "Host: h", "Hos:", "Hos: ", "X-Via: Host", "X-Time: 12", ":",
          "::", "12", "no", "443", "\n", "\r\nHost", "X-Via: Host: no\r\nHostx"})
    {
        CAPTURE(name);
        CHECK(!headers.contains(name));
    }
    CHECK(!headers.contains(headers.text()));
    CHECK(!headers.contains(std::string(1'000, 'h')));
}

TEST_CASE("a name is found where looking at one field after the other finds it")
{
    static constexpr std::string_view names[] = {"a", "A", "ab", "aB", "b", "bA", "aba", "-"};
    static constexpr std::string_view values[] = {"", "a", ":", "a:", "a: b", "b: a: ab", "::"};
    static constexpr std::string_view others[] = {"", "a:", "a: b", "b:", ":", "abab", "--"};
    std::mt19937 dice(20260101);
    auto const one_of = [&dice](auto const& choices) { return choices[dice() % std::size(choices)]; };
    for (int round = 0; round < 5'000; ++round)
    {
        http_headers headers;
        for (auto left = dice() % 5; left > 0; --left)
            headers.add(one_of(names), one_of(values));
        auto const check = [&](std::string_view wanted) {
            std::optional<std::string_view> first;
            headers.for_each([&](std::string_view name, std::string_view value) {
                if (!first && ccloud::core::iequals(name, wanted))
                    first = value;
            });
            if (headers.find(wanted) != first)
                FAIL("\"" << wanted << "\" in\n" << headers.text());
        };
        for (auto const name : names)
            check(name);
        for (auto const other : others)
            check(other);
    }
}

TEST_CASE("the fields that a parser finds make the block that add() makes of them")
{
    static constexpr std::string_view blanks[] = {"", " ", "\t", "  \t "};
    std::mt19937 dice(20260101);
    auto const below = [&dice](std::size_t bound) { return dice() % bound; };
    std::string bytes{'\t'};
    for (int byte = 0x20; byte < 0x100; ++byte)
        if (byte != 0x7f)
            bytes += static_cast<char>(byte);
    for (int round = 0; round < 2'000; ++round)
    {
        http_headers added;
        std::string head = "HTTP/1.1 200 OK\r\n";
        for (auto left = 1 + below(8); left > 0; --left)
        {
            auto const name = std::string(1, "xXyY"[below(4)]).append(below(20), '-') + std::to_string(left);
            std::string value;
            for (auto size = below(4) == 0 ? 0 : below(40); size > 0; --size)
                value += bytes[below(bytes.size())];
            added.add(name, value);
            head.append(name).append(":").append(blanks[below(4)]).append(value).append(blanks[below(4)]) += "\r\n";
        }
        REQUIRE(added.well_formed());
        head += "\r\n";
        http::response_parser<http::empty_body> parser;
        boost::system::error_code failed;
        parser.put(boost::asio::buffer(head), failed);
        http_headers parsed;
        for (auto const& each : parser.get())
        {
            auto const name = each.name_string();
            auto const value = each.value();
            ccloud::detail::parsed_fields::add(parsed, {name.data(), name.size()}, {value.data(), value.size()});
        }
        if (failed || parsed.text() != added.text())
            FAIL(failed.message() << "\n" << head);
        CHECK(parsed.well_formed());
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

TEST_CASE("a name and a value may be views into the block that they go to")
{
    for (std::size_t const length : {1u, 8u, 200u, 5000u})
    {
        CAPTURE(length);
        std::string const value(length, 'v');
        http_headers block;
        block.add("From", value).add("Name", "To");
        block.add("Added", *block.find("From"));
        CHECK(block.find("Added") == value);
        block.add(*block.find("Name"), *block.find("Added"));
        CHECK(block.find("To") == value);
        block.set("Set", *block.find("From"));
        CHECK(block.find("Set") == value);
        block.set("From", *block.find("From"));
        CHECK(block.find("From") == value);
        block.set(*block.find("Name"), *block.find("Name"));
        CHECK(block.find("To") == "To");
        block.remove(*block.find("Name"));
        CHECK(!block.contains("To"));
        auto const once = block.text();
        block.append(block);
        CHECK(block.text() == once + once);
        CHECK(block.well_formed());
    }
}

TEST_CASE("a refused set() removes the earlier fields, and remembers the first refused name")
{
    http_headers block;
    block.add("A", "1").add("bad name", "2").set("A", "3\r\n");
    CHECK(block.text().empty());
    CHECK(block.refused() == "bad name");
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

TEST_CASE("RFC 9110 section 7.2: an origin is written as it is, a dot at the end of its host included, and with the "
          "port only "
          "where it is not the scheme's own")
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
             row{origin(true, "x.example.", 443), "https://x.example.", "x.example."},
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

TEST_CASE("RFC 9110 section 11.6.1: every WWW-Authenticate field is told, in order and as it was sent")
{
    constexpr std::string_view basic = R"(Basic error="invalid_key", error_description="The API Key is invalid")";
    constexpr std::string_view several =
        R"(Newauth realm="apps", type=1, title="Login to \"apps\"", Basic realm="simple")";
    auto const info = answer(
        {{"WWW-Authenticate", basic},
         {"X-Other", "Basic"},
         {"www-authenticate", several},
         {"WWW-AUTHENTICATE", ""},
         {"Proxy-Authenticate", "Basic"}}
    );
    CHECK(info.www_authenticate() == std::vector<std::string_view>{basic, several, ""});
    CHECK(answer({}).www_authenticate().empty());
    CHECK(response_info().www_authenticate().empty());
    ccloud::error failure;
    failure.edit().response = info;
    CHECK(failure.response().www_authenticate().at(0) == basic);
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
          row{"-1", std::nullopt}, row{"1.5", std::nullopt}, row{"soon", std::nullopt}, row{"60, 60;w=60", 60},
          row{"60;w=60", 60}, row{" 5 , x", 5}, row{"x, 60", std::nullopt}, row{", 60", std::nullopt},
          row{"999999999", 999'999'999}})
    {
        CAPTURE(value);
        http_headers headers;
        headers.add("x-ratelimit-limit", value).add("X-RateLimit-Remaining", value).add("X-RATELIMIT-RESET", value);
        auto const limits = response_info(429, headers).rate_limit();
        CHECK(limits.limit == number);
        CHECK(limits.remaining == number);
        CHECK(limits.reset.has_value() == (number && *number < 1'000'000'000));
        if (limits.reset && number)
            CHECK(limits.reset->count() == *number);
    }
    CHECK(!answer({}).rate_limit().limit.has_value());
}

TEST_CASE("an X-RateLimit-Reset of 10^9 or more is a time since 1970, and no length of time")
{
    for (auto const* const value : {"1000000000", "1743441608", "1743441608000", "99999999999999999999"})
    {
        CAPTURE(value);
        CHECK(answer({{"X-RateLimit-Reset", value}}).rate_limit().reset == std::nullopt);
    }
    CHECK(answer({{"X-RateLimit-Reset", "999999999"}}).rate_limit().reset == std::chrono::seconds(999'999'999));
}

TEST_CASE("copies of a response share its header fields once these are shared, and every accessor reads them")
{
    std::string const id(100, 'r');
    auto info = answer(
        {{"X-Request-Id", id},
         {"Location", "/x"},
         {"Retry-After", "7"},
         {"WWW-Authenticate", "Basic"},
         {"X-RateLimit-Limit", "9"},
         {"X-RateLimit-Remaining", "8"},
         {"X-RateLimit-Reset", "6"}}
    );
    info.attempts(3);
    auto const before = info;
    ccloud::detail::shared_fields::share(info, std::make_shared<http_headers>());
    auto const* const fields = &info.headers();
    auto copy = info;
    CHECK(&copy.headers() == fields);
    CHECK(&before.headers() != fields);
    info = response_info();
    for (auto const* one : {static_cast<response_info const*>(&copy), &before})
    {
        CHECK(one->request_id() == id);
        CHECK(one->location() == "/x");
        CHECK(one->retry_after() == "7");
        CHECK(one->www_authenticate() == std::vector<std::string_view>{"Basic"});
        CHECK(one->rate_limit().limit == 9);
        CHECK(one->rate_limit().remaining == 8);
        CHECK(one->rate_limit().reset == std::chrono::seconds(6));
        CHECK(one->status() == before.status());
        CHECK(one->attempts() == 3);
        CHECK(one->headers().text() == before.headers().text());
    }
    ccloud::detail::shared_fields::share(copy, std::make_shared<http_headers>()); // the second time it changes nothing
    CHECK(&copy.headers() == fields);
    auto const moved = std::move(copy);
    CHECK(&moved.headers() == fields);
    CHECK(info.request_id().empty());

    response_info empty;
    ccloud::detail::shared_fields::share(empty, std::make_shared<http_headers>());
    CHECK(empty.headers().empty());
}
