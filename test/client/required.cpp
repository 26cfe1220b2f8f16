#include <ccloud/ccloud.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "client.hpp"
#include "printers.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using ccloud::condition;
using ccloud::errc;
using support::script;
using support::with_client;
namespace asio = boost::asio;
namespace iam = ccloud::iam;
namespace networking = ccloud::networking;

// The API document requires `id` in every object and `data` in every list.

namespace {

/** The outcome of an operation, and of the GET after it. */
struct outcome
{
    std::optional<ccloud::error> failure;
    bool next_works = false;
    std::size_t requests = 0;
};

using operation = std::function<asio::awaitable<std::optional<ccloud::error>>(ccloud::client)>;

template <class Result>
std::optional<ccloud::error> failure_of(Result const& got)
{
    return got.has_value() ? std::nullopt : std::optional(got.error());
}

struct named_operation
{
    std::string_view name;
    operation run;
};

/** Each operation that returns an object. */
std::vector<named_operation> object_operations()
{
    return {
        {"get",
         [](ccloud::client cloud) -> asio::awaitable<std::optional<ccloud::error>> {
             auto const got = co_await iam::ip_groups(cloud).get("ipg-1");
             co_return failure_of(got);
         }},
        {"create",
         [](ccloud::client cloud) -> asio::awaitable<std::optional<ccloud::error>> {
             auto const what = iam::create_ip_group("x");
             auto const got = co_await iam::ip_groups(cloud).create(what);
             co_return failure_of(got);
         }},
        {"update",
         [](ccloud::client cloud) -> asio::awaitable<std::optional<ccloud::error>> {
             auto const what = iam::update_ip_group("y", "10.0.0.0/8");
             auto const got = co_await iam::ip_groups(cloud).update("ipg-1", what);
             co_return failure_of(got);
         }},
        {"get of an identity pool",
         [](ccloud::client cloud) -> asio::awaitable<std::optional<ccloud::error>> {
             auto const got = co_await iam::identity_pools(cloud, "op-1").get("pool-1");
             co_return failure_of(got);
         }},
        {"get of a group mapping",
         [](ccloud::client cloud) -> asio::awaitable<std::optional<ccloud::error>> {
             auto const got = co_await iam::sso::group_mappings(cloud).get("group-1");
             co_return failure_of(got);
         }},
        {"get of a connection",
         [](ccloud::client cloud) -> asio::awaitable<std::optional<ccloud::error>> {
             auto const got = co_await networking::private_link_attachment_connections(cloud, "env-1").get("plattc-1");
             co_return failure_of(got);
         }},
    };
}

std::vector<named_operation> list_operations()
{
    return {
        {"list by item",
         [](ccloud::client cloud) -> asio::awaitable<std::optional<ccloud::error>> {
             auto listing = iam::ip_groups(cloud).list();
             auto const got = co_await listing.next();
             co_return failure_of(got);
         }},
        {"list by page",
         [](ccloud::client cloud) -> asio::awaitable<std::optional<ccloud::error>> {
             auto listing = iam::sso::group_mappings(cloud).list();
             auto const got = co_await listing.next_page();
             co_return failure_of(got);
         }},
        {"list with prefetch",
         [](ccloud::client cloud) -> asio::awaitable<std::optional<ccloud::error>> {
             auto listing = iam::identity_pools(cloud, "op-1").list({.prefetch = 1});
             auto const got = co_await listing.collect();
             co_return failure_of(got);
         }},
    };
}

outcome play(operation const& what, int status, std::string body, std::string_view type = "application/json")
{
    outcome ended;
    auto wire = script();
    wire->reply(status, std::move(body)).header("Content-Type", type).header("X-Request-Id", "r1");
    wire->header("Location", "/iam/v2/ip-groups/ipg-9");
    wire->reply(200, R"({"id":"ipg-1"})");
    with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
        ended.failure = co_await what(cloud);
        ended.requests = wire->requests().size();
        auto const again = co_await iam::ip_groups(cloud).get("ipg-1");
        ended.next_works = again.has_value();
    });
    return ended;
}

/** What is wrong with every malformed response: it was answered, it is not retried, and the client works on. */
void check_malformed(outcome const& ended, int status)
{
    REQUIRE(ended.failure.has_value());
    auto const& failure = *ended.failure;
    CAPTURE(failure.what());
    CHECK(failure.code() == errc::malformed_response);
    CHECK(failure == condition::malformed_response);
    CHECK(failure.progress() == ccloud::progress::answered);
    CHECK(failure.status() == status);
    CHECK(failure.request_id() == "r1");
    CHECK(failure.attempts().size() == 1);
    CHECK(ended.requests == 1);
    CHECK(ended.next_works);
}

std::string const padding(300'000, 'x');

} // namespace

TEST_CASE("a 2xx for an object without an id is malformed, whichever operation it answers")
{
    for (auto const& [name, run] : object_operations())
        for (int const status : {200, 201, 202})
            for (std::string const& body :
                 {std::string("{}"), std::string(R"({"id":null})"), std::string(R"({"id":""})"),
                  std::string(R"({"group_name":"CorpNet","spec":{},"metadata":{"self":"x"}})"),
                  std::string(R"({"data":[{"id":"ipg-1"}]})"), R"({"x":")" + padding + R"("})"})
            {
                CAPTURE(name);
                CAPTURE(status);
                CAPTURE(body.substr(0, 60));
                auto const ended = play(run, status, body);
                check_malformed(ended, status);
                auto const missing = "/id: is missing or empty, at byte " + std::to_string(body.size());
                CHECK(ended.failure->detail().starts_with(missing));
                CHECK(ended.failure->body() == body.substr(0, 8192));
                CHECK(ended.failure->problems().empty());
            }
}

TEST_CASE("a 2xx for an object that has no body, or a body of another kind, is malformed")
{
    struct row
    {
        std::string_view body, detail;
    };
    for (auto const& [name, run] : object_operations())
        for (auto const& [body, detail] :
             {row{"", "/: the body is empty"}, row{" \r\n", "/: the body is empty"},
              row{"null", "/: expected an object, "}, row{"[]", "/: expected an object, found an array"},
              row{"\"ipg-1\"", "/: expected an object, found a string"},
              row{"7", "/: expected an object, found a number"},
              row{R"({"id":7})", "/id: expected a string, found a number"},
              row{R"({"id":{}})", "/id: expected a string, found an object"}})
            for (int const status : {200, 204})
            {
                CAPTURE(name);
                CAPTURE(body);
                auto const ended = play(run, status, std::string(body));
                check_malformed(ended, status);
                CHECK(ended.failure->detail().starts_with(detail));
            }
}

TEST_CASE("a 2xx for a list without data is malformed, and is not an empty listing")
{
    for (auto const& [name, run] : list_operations())
        for (std::string const& body :
             {std::string("{}"), std::string(R"({"metadata":{"next":null},"kind":"IpGroupList"})"),
              std::string(R"({"id":"ipg-1"})"), std::string(R"({"Data":[]})"), R"({"x":")" + padding + R"("})"})
        {
            CAPTURE(name);
            CAPTURE(body.substr(0, 60));
            auto const ended = play(run, 200, body);
            check_malformed(ended, 200);
            CHECK(ended.failure->detail() == "/data: is missing, at byte " + std::to_string(body.size()));
        }
}

TEST_CASE("a list whose data is of another kind, or has an item without an id, is malformed, and the item is named")
{
    struct row
    {
        std::string body, detail;
    };
    for (auto const& [name, run] : list_operations())
        for (auto const& [body, detail] :
             {row{R"({"data":{}})", "/data: expected an array, found an object"},
              row{R"({"data":"x"})", "/data: expected an array, found a string"},
              row{R"({"data":0})", "/data: expected an array, found a number"},
              row{R"({"data":false})", "/data: expected an array, found a boolean"},
              row{R"({"data":["x"]})", "/data/0: expected an object, found a string"},
              row{R"({"data":[{"id":"a"},{}]})", "/data/1/id: is missing or empty"},
              row{R"({"data":[{"id":null}]})", "/data/0/id: is missing or empty"},
              row{R"({"data":[{"id":"a"},{"id":"b"},{"id":""}]})", "/data/2/id: is missing or empty"},
              row{R"({"x":")" + padding + R"(","data":[{"id":"a"},{}]})", "/data/1/id: is missing or empty"},
              row{"", "/: the body is empty"}, row{"[]", "/: expected an object, found an array"}})
        {
            CAPTURE(name);
            CAPTURE(body.substr(0, 60));
            auto const ended = play(run, 200, body);
            check_malformed(ended, 200);
            CHECK(ended.failure->detail().starts_with(detail));
        }
}

TEST_CASE("data that is null or an empty array is an empty listing")
{
    for (auto const& [name, run] : list_operations())
        for (auto const* const body : {R"({"data":null})", R"({"data":[]})", R"({"metadata":{},"data":null})"})
        {
            CAPTURE(name);
            CAPTURE(body);
            auto const ended = play(run, 200, body);
            CHECK(!ended.failure);
        }
}

TEST_CASE("an error beside data that is null or empty is malformed under a 2xx, and is not an empty listing")
{
    struct row
    {
        std::string body, words;
    };
    for (auto const& [name, run] : list_operations())
        for (auto const& [body, words] :
             {row{R"({"data":null,"errors":[{"status":"500","detail":"the backend is away"}]})", "the backend is away"},
              row{R"({"error":{"code":500,"message":"the backend is away"},"data":[]})", "the backend is away"},
              row{R"({"error":"invalid session","data":null})", "invalid session"},
              row{R"({"errors":["invalid session"],"kind":"IpGroupList","metadata":{},"data":[]})", "invalid session"},
              row{R"({"data":[],"error":503,"message":"try again later"})", "try again later"},
              row{R"({"data":[],"error":503.1,"message":"try again later"})", "try again later"},
              row{R"({"data":[],"error":18446744073709551615,"message":"try again later"})", "try again later"},
              row{R"({"data":[],"x":")" + padding + R"(","error":"invalid session"})", "invalid session"}})
        {
            CAPTURE(name);
            CAPTURE(body.substr(0, 60));
            auto const ended = play(run, 200, body);
            check_malformed(ended, 200);
            auto const& failure = *ended.failure;
            CHECK(failure.detail().starts_with("/data: is empty beside an error"));
            REQUIRE(failure.problems().size() == 1);
            CHECK(failure.what().find(words) != std::string::npos);
        }
}

TEST_CASE("members for errors that hold none do not fail an empty listing, and no error fails a listing with items")
{
    for (auto const& [name, run] : list_operations())
        for (std::string_view const member :
             {R"("error":null)", R"("errors":null)", R"("errors":[])", R"("error":{})", R"("error":"")", R"("error":0)",
              R"("error":0.0)", R"("error":false)", R"("errors":[null,{},""])",
              R"("error":{"code":null,"message":"","details":[]})"})
            for (std::string_view const data : {"null", "[]"})
            {
                CAPTURE(name);
                CAPTURE(member);
                auto const ended =
                    play(run, 200, std::string("{\"data\":").append(data).append(",").append(member) + '}');
                CHECK(!ended.failure);
            }
    for (auto const& [name, run] : list_operations())
    {
        CAPTURE(name);
        auto const ended = play(run, 200, R"({"data":[{"id":"ipg-1"}],"errors":[{"detail":"one region is away"}]})");
        CHECK(!ended.failure);
    }
}

TEST_CASE("an error under a 2xx is malformed, and has the words of the server")
{
    struct row
    {
        std::string body, words;
    };
    auto operations = object_operations();
    for (auto& each : list_operations())
        operations.push_back(std::move(each));
    for (auto const& [name, run] : operations)
        for (auto const& [body, words] :
             {row{R"({"error":"invalid session"})", "invalid session"},
              row{R"({"error":{"code":403,"message":"no access to this group"}})", "no access to this group"},
              row{R"({"errors":[{"status":"500","detail":"the backend is away"}]})", "the backend is away"},
              row{R"({"error_code":40101,"message":"the key has expired"})", "the key has expired"},
              row{R"({"message":"try again later"})", "try again later"},
              row{R"({"x":")" + padding + R"(","error":"invalid session"})", "invalid session"}})
        {
            CAPTURE(name);
            CAPTURE(words);
            auto const ended = play(run, 200, body);
            check_malformed(ended, 200);
            auto const& failure = *ended.failure;
            REQUIRE(failure.problems().size() == 1);
            CHECK(failure.what().find(words) != std::string::npos);
            CHECK(failure.detail().find("the server carried out the request") == std::string::npos);
        }
}

TEST_CASE("a 2xx that is no JSON is malformed, and the error names its Content-Type")
{
    auto operations = object_operations();
    for (auto& each : list_operations())
        operations.push_back(std::move(each));
    for (auto const& [name, run] : operations)
        for (std::string const& body :
             {std::string("<html><body>Please log in</body></html>"), std::string("OK"), "<!DOCTYPE html>" + padding})
        {
            CAPTURE(name);
            CAPTURE(body.substr(0, 40));
            auto const ended = play(run, 200, body, "text/html; charset=utf-8");
            check_malformed(ended, 200);
            CHECK(ended.failure->detail().starts_with("/: not valid JSON ("));
            CHECK(ended.failure->detail().ends_with("; Content-Type is text/html"));
        }
}

TEST_CASE("an object that is declared as another type than JSON is read all the same")
{
    for (std::string_view const type : {"text/plain", "application/octet-stream", "application/vnd.api+json", "html"})
    {
        CAPTURE(type);
        auto const ended = play(object_operations().front().run, 200, R"({"id":"ipg-1"})", type);
        CHECK(!ended.failure);
    }
}

TEST_CASE(
    "a POST whose 201 or 202 lacks the id was carried out: the error says so, with the place, and it is not sent again"
)
{
    auto const create = object_operations()[1].run;
    for (std::string const& body :
         {std::string("{}"), std::string(), std::string("<html>"), std::string(R"({"error":"x"})"),
          std::string(R"({"id":"ipg-1")"), R"({"x":")" + padding + R"("})"})
    {
        CAPTURE(body.substr(0, 40));
        auto const created = play(create, 201, body);
        check_malformed(created, 201);
        CHECK(created.failure->detail().ends_with("; the server created the object, Location: /iam/v2/ip-groups/ipg-9")
        );
        auto const accepted = play(create, 202, body);
        check_malformed(accepted, 202);
        CHECK(accepted.failure->detail().ends_with("; the server accepted the request"));
    }
    auto const plain = play(create, 200, "{}");
    check_malformed(plain, 200);
    CHECK(plain.failure->detail().ends_with("; the server carried out the request"));
}

TEST_CASE("the body of a DELETE's 2xx is never a reason to fail")
{
    operation const remove = [](ccloud::client cloud) -> asio::awaitable<std::optional<ccloud::error>> {
        auto const got = co_await iam::ip_groups(cloud).remove("ipg-1");
        co_return failure_of(got);
    };
    for (std::string_view const body :
         {"", "{}", "null", "OK", "[]", "{", R"({"id":"ipg-1"})", R"({"message":"the group was deleted"})",
          R"({"errors":[{"status":"403","detail":"no access"}]})", "<html>Please log in</html>"})
        for (int const status : {200, 202, 204})
        {
            CAPTURE(body);
            auto const ended = play(remove, status, std::string(body));
            CHECK(!ended.failure);
            CHECK(ended.next_works);
        }
}
