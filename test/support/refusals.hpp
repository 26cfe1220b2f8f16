#ifndef CCLOUD_TEST_SUPPORT_REFUSALS_HPP
#define CCLOUD_TEST_SUPPORT_REFUSALS_HPP

#include <ccloud/result.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "client.hpp"
#include "fixture.hpp"
#include "printers.hpp"

#include <doctest/doctest.h>

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

/** An answer by which the server says no, and what has to come of it. */
struct refusal
{
    refusal(
        int code, std::string fixture_name, ccloud::condition condition, std::string said, std::string header_name = {},
        std::string value = {}
    )
        : status(code), body(std::move(fixture_name)), means(condition), detail(std::move(said)),
          header(std::move(header_name)), header_value(std::move(value))
    {
    }

    int status;
    std::string body; ///< name of a fixture; empty for an empty body
    ccloud::condition means;
    std::string detail;
    std::string header;
    std::string header_value;
};

/** The answers of all four resources, but for 404, where each speaks its own dialect. */
inline refusal refusal_of(int status)
{
    using ccloud::condition;
    std::string const body = "errors/status/" + std::to_string(status) + ".json";
    switch (status)
    {
    case 400: return refusal(400, body, condition::invalid_request, "page_size is not a number");
    case 401:
        return refusal(
            401, body, condition::unauthenticated, "The API Key does not exist", "WWW-Authenticate",
            R"(Basic error="invalid_key", error_description="The API Key is invalid")"
        );
    case 402:
        return refusal(402, body, condition::quota_exceeded, "Your organization is currently limited to 12 of these");
    case 403: return refusal(403, body, condition::forbidden, "Forbidden Access");
    case 409:
        return refusal(
            409, body, condition::conflict, "The name is already in use", "Location",
            "https://api.example.test/other/object-1"
        );
    case 422: return refusal(422, body, condition::invalid_request, "filter is not a valid CEL expression");
    case 429: return refusal(429, body, condition::throttled, "Too many requests", "Retry-After", "2");
    case 500: return refusal(500, body, condition::server_failure, "Something went wrong on our side");
    default: throw std::logic_error("no refusal is known for status " + std::to_string(status));
    }
}

inline std::vector<refusal> refusals(std::initializer_list<int> statuses)
{
    std::vector<refusal> all;
    for (auto const status : statuses)
        all.push_back(refusal_of(status));
    return all;
}

inline std::vector<refusal> refusals(std::initializer_list<int> statuses, refusal not_found)
{
    auto all = refusals(statuses);
    all.push_back(std::move(not_found));
    return all;
}

inline void script_refusal(ccloud::testing::scripted_transport& wire, refusal const& answer)
{
    wire.reply(answer.status, answer.body.empty() ? std::string() : fixture(answer.body))
        .header("Content-Type", "application/json; charset=utf-8")
        .header("X-Request-Id", "req-" + std::to_string(answer.status));
    if (!answer.header.empty())
        wire.header(answer.header, answer.header_value);
}

inline void check_refused(
    ccloud::error const& failure, refusal const& expected, ccloud::method verb, std::string_view path
)
{
    CAPTURE(expected.status);
    CHECK(failure == ccloud::errc::http_status);
    CHECK(failure == expected.means);
    CHECK(failure.progress() == ccloud::progress::answered);
    CHECK(failure.status() == expected.status);
    CHECK(failure.request_id() == "req-" + std::to_string(expected.status));
    CHECK(failure.method() == verb);
    CHECK(failure.path() == path);
    if (expected.body.empty())
    {
        CHECK(failure.problems().empty());
        CHECK(failure.body().empty());
        return;
    }
    REQUIRE(failure.problems().size() == 1);
    CHECK(failure.problems().front().detail == expected.detail);
    CHECK(failure.body() == fixture(expected.body));
    if (!expected.header.empty())
    {
        auto const value = failure.response().headers().find(expected.header);
        REQUIRE(value.has_value());
        CHECK(*value == expected.header_value);
    }
}

/** Lets the server refuse `call(client)` in each of these ways. */
template <class Call>
void check_refusals(std::vector<refusal> const& answers, ccloud::method verb, std::string_view path, Call call)
{
    for (auto const& answer : answers)
    {
        auto wire = script();
        script_refusal(*wire, answer);
        with_client(
            wire,
            [&](ccloud::client cloud) -> boost::asio::awaitable<void> {
                auto outcome = co_await call(cloud);
                REQUIRE(!outcome.has_value());
                check_refused(outcome.error(), answer, verb, path);
            },
            impatient_config()
        );
        CHECK(wire->requests().size() == 1);
    }
}

/** Ids that cannot stand in a path. */
inline std::vector<std::string> const& bad_ids()
{
    static std::vector<std::string> const ids{
        "",
        ".",
        "..",
        "/",
        "a/b",
        "../ip-filters",
        "a\r\nX-Injected: 1",
        "a\r",
        "a\n",
        std::string("a\0b", 3),
        std::string(1, '\0'),
        "a\x01",
        "\x1f",
        "a\tb",
        "a\x7f",
    };
    return ids;
}

/** Expects an argument that was refused before anything was sent. */
inline void check_refused_argument(ccloud::error const& failure, std::string_view parameter)
{
    CHECK(failure == ccloud::errc::invalid_argument);
    CHECK(failure == ccloud::condition::invalid_request);
    CHECK(failure.progress() == ccloud::progress::not_sent);
    CHECK(failure.status() == 0);
    CHECK(failure.detail().find(parameter) != std::string::npos);
    for (auto const byte : failure.what())
        CHECK(static_cast<unsigned char>(byte) >= 0x20);
}

/** Expects `call(client, id)` to refuse every bad id, and to send nothing. */
template <class Call>
void check_bad_ids(std::string_view parameter, Call call)
{
    auto wire = script();
    with_client(wire, [&](ccloud::client cloud) -> boost::asio::awaitable<void> {
        for (auto const& id : bad_ids())
        {
            CAPTURE(id);
            auto outcome = co_await call(cloud, id);
            REQUIRE(!outcome.has_value());
            check_refused_argument(outcome.error(), parameter);
        }
    });
    CHECK(wire->requests().empty());
}

/** What becomes of an id in a path. */
struct encoded_id
{
    std::string id;
    std::string in_path;
};

/** Ids that look odd and are none of the client's business. */
inline std::vector<encoded_id> const& odd_ids()
{
    static std::vector<encoded_id> const ids{
        {"ipg-wyorq", "ipg-wyorq"},
        {"AZaz09-._~", "AZaz09-._~"},
        {"two words", "two%20words"},
        {"100%", "100%25"},
        {"%2e%2e%2f", "%252e%252e%252f"},
        {"a?environment=env-2", "a%3Fenvironment%3Denv-2"},
        {"a#fragment", "a%23fragment"},
        {"a;b&c+d,e", "a%3Bb%26c%2Bd%2Ce"},
        {"user:key@host", "user%3Akey%40host"},
        {"back\\slash\"quote", "back%5Cslash%22quote"},
        {"Büro", "B%C3%BCro"},
        {"日🚀", "%E6%97%A5%F0%9F%9A%80"},
    };
    return ids;
}

/** Expects `call(client, id)` to ask for `path` with the id encoded, whatever is answered. */
template <class Call>
void check_odd_ids(std::string_view before, std::string_view after, Call call)
{
    for (auto const& [id, in_path] : odd_ids())
    {
        CAPTURE(id);
        auto wire = script();
        script_refusal(*wire, refusal_of(403));
        with_client(wire, [&](ccloud::client cloud) -> boost::asio::awaitable<void> {
            (void)co_await call(cloud, id);
        });
        REQUIRE(wire->requests().size() == 1);
        CHECK(wire->requests().front().request.target() == std::string(before) + in_path + std::string(after));
    }
}

} // namespace support

#endif
