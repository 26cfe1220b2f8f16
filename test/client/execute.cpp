#include <ccloud/ccloud.hpp>
#include <ccloud/testing/run.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "client.hpp"
#include "printers.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using ccloud::condition;
using ccloud::errc;
using ccloud::gave_up;
using ccloud::progress;
using support::script;
using support::with_client;
namespace asio = boost::asio;
namespace iam = ccloud::iam;

namespace {

constexpr auto group_json = R"({"id":"ipg-1","group_name":"CorpNet","cidr_blocks":["10.0.0.0/8"]})";

/** What became of one call. */
struct ending
{
    bool ok = false;
    ccloud::error failure;
    ccloud::response_info response;
};

/** Runs a GET of a group over `wire`. */
ending get_group(
    std::shared_ptr<ccloud::testing::scripted_transport> wire, ccloud::call_options options = {},
    ccloud::config settings = support::test_config()
)
{
    ending got;
    with_client(
        std::move(wire),
        [&](ccloud::client cloud) -> asio::awaitable<void> {
            auto group = co_await iam::ip_groups(cloud).get("ipg-1", options);
            got.ok = group.has_value();
            got.response = group.response();
            if (!group)
                got.failure = group.error();
        },
        std::move(settings)
    );
    return got;
}

ending create_group(std::shared_ptr<ccloud::testing::scripted_transport> wire, ccloud::call_options options = {})
{
    ending made;
    with_client(std::move(wire), [&](ccloud::client cloud) -> asio::awaitable<void> {
        auto group =
            co_await iam::ip_groups(cloud).create(iam::create_ip_group("CorpNet").cidr_block("10.0.0.0/8"), options);
        made.ok = group.has_value();
        made.response = group.response();
        if (!group)
            made.failure = group.error();
    });
    return made;
}

} // namespace

TEST_CASE("a call sends one request with the shared head and gives the decoded value")
{
    auto wire = script();
    wire->reply(200, group_json).header("X-Request-Id", "req-7").header("X-RateLimit-Remaining", "41");
    auto const got = get_group(wire);
    REQUIRE(got.ok);
    CHECK(got.response.status() == 200);
    CHECK(got.response.request_id() == "req-7");
    CHECK(got.response.rate_limit().remaining == 41);
    CHECK(got.response.attempts() == 1);
    REQUIRE(wire->requests().size() == 1);
    auto const& sent = wire->requests().front();
    CHECK(sent.request.target() == "/iam/v2/ip-groups/ipg-1");
    CHECK(sent.request.headers().find("Host") == "api.example.test");
    CHECK(sent.request.headers().find("Authorization") == "Basic S0VZOlNFQ1JFVA==");
    CHECK(sent.request.headers().find("Accept") == "application/json");
    CHECK(sent.request.headers().find("User-Agent")->starts_with("ccloud-cpp/"));
    CHECK(sent.to.to_string() == "https://api.example.test");
}

TEST_CASE("vector 20: a base URL with a path prefix keeps it before every target")
{
    auto wire = script();
    wire->reply(200, group_json);
    auto settings = support::test_config();
    settings.endpoint = "https://confluent.example:8443/api/";
    CHECK(get_group(wire, {}, settings).ok);
    CHECK(wire->requests().front().request.target() == "/api/iam/v2/ip-groups/ipg-1");
    CHECK(wire->requests().front().request.headers().find("Host") == "confluent.example:8443");
}

TEST_CASE("a bearer token and the application's name go into the head")
{
    auto wire = script();
    wire->reply(200, group_json);
    auto settings = support::test_config();
    settings.credentials = ccloud::bearer_token("tok");
    settings.application = "svc/1.2 (https://svc.example; ops@svc.example)";
    CHECK(get_group(wire, {}, settings).ok);
    auto const& headers = wire->requests().front().request.headers();
    CHECK(headers.find("Authorization") == "Bearer tok");
    CHECK(headers.find("User-Agent")->starts_with("svc/1.2 (https://svc.example; ops@svc.example) ccloud-cpp/"));
}

TEST_CASE("S3: a throttled call waits as long as the server asks and then succeeds")
{
    auto wire = script();
    wire->reply(429).header("Retry-After", "7").reply(200, group_json);
    auto const got = get_group(wire);
    CHECK(got.ok);
    CHECK(got.response.attempts() == 2);
    CHECK(wire->waits() == std::vector<std::chrono::nanoseconds>{7s});
}

TEST_CASE("vector 13: X-RateLimit-Reset is relative seconds and serves where Retry-After is missing")
{
    auto wire = script();
    wire->reply(429).header("X-RateLimit-Reset", "3").reply(200, group_json);
    CHECK(get_group(wire).ok);
    CHECK(wire->waits() == std::vector<std::chrono::nanoseconds>{3s});
}

TEST_CASE("B2: a throttled call without a hint waits at least half its ceiling")
{
    auto wire = script();
    wire->reply(429).reply(429).reply(200, group_json);
    CHECK(get_group(wire).ok);
    CHECK(wire->waits() == std::vector<std::chrono::nanoseconds>{500ms, 1s});
}

TEST_CASE("B1: transient failures back off from the highest draw 0.5, 1, 2, 4, 8 s and then give up")
{
    auto wire = script();
    wire->dice(~std::uint64_t(0));
    for (int i = 0; i < 6; ++i)
        wire->reply(503, "<html>down</html>");
    auto const got = get_group(wire);
    REQUIRE(!got.ok);
    CHECK(got.failure == condition::server_failure);
    CHECK(got.failure.gave_up() == gave_up::attempts_exhausted);
    CHECK(got.failure.attempts().size() == 6);
    CHECK(wire->requests().size() == 6);
    CHECK(wire->waits() == std::vector<std::chrono::nanoseconds>{500ms, 1s, 2s, 4s, 8s});
    CHECK(got.failure.attempts()[4].delay == 8s);
    CHECK(got.failure.elapsed() == 15'500ms);
}

TEST_CASE("A2: throttles are counted apart from transient failures")
{
    auto wire = script();
    for (int i = 0; i < 9; ++i)
        wire->reply(429).header("Retry-After", "1");
    auto const got = get_group(wire);
    REQUIRE(!got.ok);
    CHECK(got.failure == condition::throttled);
    CHECK(got.failure.gave_up() == gave_up::attempts_exhausted);
    CHECK(wire->requests().size() == 9);
}

TEST_CASE("T4: a wait that does not fit before the deadline is not begun")
{
    auto wire = script();
    wire->reply(429, R"({"message":"slow down"})").header("Retry-After", "30");
    auto const got = get_group(wire, {.timeout = 10s});
    REQUIRE(!got.ok);
    CHECK(got.failure == condition::throttled);
    CHECK(got.failure == condition::timed_out);
    CHECK(got.failure.gave_up() == gave_up::deadline_would_pass);
    CHECK(got.failure.status() == 429);
    CHECK(got.failure.elapsed() == 0s);
    CHECK(wire->waits().empty());
}

TEST_CASE("S4: a server that asks for too long a wait ends the call at once")
{
    auto wire = script();
    wire->reply(429).header("Retry-After", "121");
    auto const got = get_group(wire, {.timeout = 1h});
    REQUIRE(!got.ok);
    CHECK(got.failure.gave_up() == gave_up::retry_after_too_long);
    REQUIRE(got.failure.attempts().size() == 1);
    CHECK(got.failure.attempts().front().server_hint == 121s);
}

TEST_CASE("vector 14: 501 is never repeated, 503 is")
{
    auto wire = script();
    wire->reply(501);
    CHECK(get_group(wire).failure.status() == 501);
    CHECK(wire->requests().size() == 1);
    auto again = script();
    again->reply(503).reply(200, group_json);
    CHECK(get_group(again).ok);
}

TEST_CASE("I1: a POST that may have been executed is not repeated, one that was not sent is")
{
    struct row
    {
        errc code;
        progress reached;
        bool repeated;
    };
    constexpr std::array<row, 7> table{{
        {errc::connect_failed, progress::not_sent, true},
        {errc::name_resolution_failed, progress::not_sent, true},
        {errc::connect_timeout, progress::not_sent, true},
        {errc::tls_failed, progress::not_sent, true},
        {errc::write_failed, progress::maybe_sent, false},
        {errc::connection_lost, progress::maybe_sent, false},
        {errc::attempt_timeout, progress::maybe_sent, false},
    }};
    for (auto const& [code, reached, repeated] : table)
    {
        CAPTURE(code);
        auto wire = script();
        wire->fail(code, reached);
        if (repeated)
            wire->reply(201, group_json);
        auto const made = create_group(wire);
        CHECK(made.ok == repeated);
        CHECK(wire->requests().size() == (repeated ? 2 : 1));
        if (!repeated)
        {
            CHECK(made.failure.code() == code);
            CHECK(made.failure.progress() == progress::maybe_sent);
        }
    }
}

TEST_CASE("I1: a POST is not repeated after 500, 502 and 504; after 429, and 503 with Retry-After, it is")
{
    for (int const status : {500, 502, 504, 503})
    {
        CAPTURE(status);
        auto wire = script();
        wire->reply(status);
        CHECK(create_group(wire).failure.status() == status);
        CHECK(wire->requests().size() == 1);
    }
    for (int const status : {429, 503})
    {
        CAPTURE(status);
        auto wire = script();
        wire->reply(status).header("Retry-After", "1").reply(201, group_json);
        CHECK(create_group(wire).ok);
    }
}

TEST_CASE("I2: a caller may state that a POST can be repeated, or that a GET must not")
{
    auto wire = script();
    wire->fail(errc::connection_lost, progress::maybe_sent).reply(201, group_json);
    CHECK(create_group(wire, {.replayable = true}).ok);
    auto other = script();
    other->fail(errc::connection_lost, progress::maybe_sent);
    CHECK(!get_group(other, {.replayable = false}).ok);
}

TEST_CASE("A3: a stale connection is replaced once, free of charge, by a fresh one")
{
    auto wire = script();
    wire->fail(errc::connection_lost, progress::maybe_sent).reused().reply(200, group_json);
    ccloud::retry_policy twice;
    twice.max_attempts = 2;
    auto const got = get_group(wire, {.retry = twice});
    CHECK(got.ok);
    REQUIRE(wire->requests().size() == 2);
    CHECK(!wire->requests()[0].options.fresh_connection);
    CHECK(wire->requests()[1].options.fresh_connection);
    CHECK(wire->waits().empty());
}

TEST_CASE("A3: a stale connection is no excuse once some of the answer came, nor for a POST")
{
    auto wire = script();
    wire->fail(errc::connection_lost, progress::maybe_sent).reused();
    auto const made = create_group(wire);
    CHECK(!made.ok);
    CHECK(made.failure.progress() == progress::maybe_sent);
    auto begun = script();
    begun->fail(errc::connection_lost, progress::maybe_sent, true).reused().reply(200, group_json);
    CHECK(get_group(begun).ok);
    CHECK(begun->waits().size() == 1); // charged: it backed off
}

TEST_CASE("C2: a POST takes no connection that was idle for long, a GET any")
{
    auto wire = script();
    wire->reply(201, group_json);
    CHECK(create_group(wire).ok);
    CHECK(wire->requests().front().options.idle_limit == 5s);
    auto other = script();
    other->reply(200, group_json);
    CHECK(get_group(other).ok);
    CHECK(other->requests().front().options.idle_limit == 0s);
}

TEST_CASE("T1: a try that does not answer ends by attempt_timeout, the call by total_timeout")
{
    auto settings = support::test_config();
    settings.attempt_timeout = 30s;
    auto wire = script();
    wire->hang().reply(200, group_json);
    CHECK(get_group(wire, {}, settings).ok);
    CHECK(wire->requests()[1].at - wire->requests()[0].at == 30s);

    auto late = script();
    late->hang();
    auto const got = get_group(late, {.timeout = 12s});
    REQUIRE(!got.ok);
    CHECK(got.failure.code() == errc::deadline_exceeded);
    CHECK(got.failure.progress() == progress::maybe_sent);
    CHECK(got.failure == condition::timed_out);
    CHECK(got.failure.elapsed() == 12s);
}

TEST_CASE("retry_policy::none() repeats nothing, not after a 429 either")
{
    for (int const status : {429, 503})
    {
        auto wire = script();
        wire->reply(status).header("Retry-After", "1");
        auto const got = get_group(wire, {.retry = ccloud::retry_policy::none()});
        CHECK(got.failure.status() == status);
        CHECK(wire->requests().size() == 1);
    }
}

TEST_CASE("malformed JSON gives the path and the byte offset, and keeps the status")
{
    auto wire = script();
    wire->reply(200, R"({"id":"ipg-1","cidr_blocks":["10.0.0.0/8",7]})").header("X-Request-Id", "r1");
    auto const got = get_group(wire);
    REQUIRE(!got.ok);
    CHECK(got.failure.code() == errc::malformed_response);
    CHECK(got.failure.progress() == progress::answered);
    CHECK(got.failure.status() == 200);
    CHECK(got.failure.request_id() == "r1");
    CHECK(got.failure.detail().starts_with("/cidr_blocks/1: expected a string, found a number, at byte 4"));
    CHECK(got.failure.path() == "/iam/v2/ip-groups/ipg-1");
    CHECK(got.failure.attempts().size() == 1);
}

TEST_CASE("if the body of a 201 is incomplete or invalid, the error says that the object was created, and where")
{
    for (errc const code :
         {errc::connection_lost, errc::attempt_timeout, errc::malformed_response, errc::response_too_large})
    {
        CAPTURE(code);
        auto wire = script();
        wire->reply(201, "{\"id\":\"ipg")
            .header("X-Request-Id", "r1")
            .header("Location", "/iam/v2/ip-groups/ipg-1")
            .break_off(code);
        auto const made = create_group(wire);
        REQUIRE(!made.ok);
        CHECK(made.failure == code);
        CHECK(made.failure.progress() == progress::answered);
        CHECK(made.failure.status() == 201);
        CHECK(made.failure.request_id() == "r1");
        CHECK(made.failure.response().location() == "/iam/v2/ip-groups/ipg-1");
        CHECK(made.failure.body() == "{\"id\":\"ipg");
        CHECK(made.failure.problems().empty());
        CHECK(made.failure.detail() == "the server created the object, Location: /iam/v2/ip-groups/ipg-1");
        CHECK(wire->requests().size() == 1);
    }
    auto wire = script();
    wire->reply(201, "{\"id\":7}").header("Location", "/iam/v2/ip-groups/ipg-1");
    auto const made = create_group(wire);
    REQUIRE(!made.ok);
    CHECK(made.failure == errc::malformed_response);
    CHECK(made.failure.detail().starts_with("/id: expected a string, found a number, at byte"));
    CHECK(made.failure.detail().ends_with("; the server created the object, Location: /iam/v2/ip-groups/ipg-1"));
}

TEST_CASE("the header section of an incomplete response is kept through later attempts")
{
    auto settings = support::test_config();
    settings.retry.max_attempts = 2;
    auto wire = script();
    wire->reply(404, "{\"mess").header("X-Request-Id", "r1").break_off(errc::connection_lost);
    wire->fail(errc::connect_failed, progress::not_sent);
    auto const got = get_group(wire, {}, settings);
    REQUIRE(!got.ok);
    CHECK(got.failure == errc::connect_failed);
    CHECK(got.failure.progress() == progress::not_sent); // the first said that there was nothing to do
    REQUIRE(got.failure.attempts().size() == 2);
    CHECK(got.failure.attempts()[0].status == 404);
    CHECK(got.failure.attempts()[0].code == errc::connection_lost);
    CHECK(got.failure.attempts()[0].progress == progress::answered);
    CHECK(got.failure.attempts()[0].request_id == "r1");
    CHECK(got.failure.attempts()[0].reason == ccloud::retry_reason::transient);

    auto done = script();
    done->reply(200, "{").break_off(errc::connection_lost).fail(errc::connect_failed, progress::not_sent);
    CHECK(get_group(done, {}, settings).failure.progress() == progress::maybe_sent); // the first was executed
}

namespace {

ccloud::result<ccloud::removed> remove_group(
    std::shared_ptr<ccloud::testing::scripted_transport> wire, int attempts = 2
)
{
    auto settings = support::test_config();
    settings.retry.max_attempts = attempts;
    ccloud::result<ccloud::removed> got;
    with_client(
        std::move(wire),
        [&](ccloud::client cloud) -> asio::awaitable<void> {
            iam::ip_groups groups(cloud);
            got = co_await groups.remove("ipg-1");
        },
        settings
    );
    return got;
}

} // namespace

TEST_CASE("a removal has succeeded once a 2xx status came, even if the body and later attempts fail")
{
    for (errc const code : {errc::connection_lost, errc::attempt_timeout, errc::deadline_exceeded})
        for (int const status : {200, 202, 204})
        {
            CAPTURE(code);
            CAPTURE(status);
            auto wire = script();
            wire->reply(status, "{").break_off(code);
            auto const alone = remove_group(wire, 1);
            REQUIRE(alone.has_value());
            CHECK(!alone->already_gone);
            CHECK(alone.response().status() == status);
        }
    auto then_gone = script();
    then_gone->reply(200, "{").break_off(errc::connection_lost).reply(404);
    auto const gone = remove_group(then_gone);
    REQUIRE(gone.has_value());
    CHECK(!gone->already_gone); // this call removed it
    auto then_lost = script();
    then_lost->reply(200, "{").break_off(errc::connection_lost).fail(errc::connect_failed, progress::not_sent);
    CHECK(remove_group(then_lost).has_value());
}

namespace {

constexpr std::string_view deleted_403 =
    R"({"errors":[{"id":"1","status":"403","code":"forbidden_access","detail":"Forbidden Access","source":{}}]})";
constexpr std::string_view bad_key_403 = R"({"errors":[{"status":"403","detail":"invalid API key"}]})";
constexpr std::string_view proxy_403 = "<html><title>403 Forbidden</title></html>";

} // namespace

TEST_CASE("a DELETE that is repeated and answered as deleted objects are, by 404, 410 or 403, was already gone")
{
    struct row
    {
        int status;
        std::string_view body;
        bool gone;
    };
    for (auto const& [status, body, gone] :
         {row{404, "", true}, row{410, "", true}, row{403, deleted_403, true},
          row{403, R"({"message":"Forbidden"})", false}, row{403, R"({"error":"access_denied"})", false},
          row{403, R"({"errors":[{"detail":"currently limited to 3"}]})", false},
          row{403, R"({"message":"resource not found"})", true}, row{403, bad_key_403, false},
          row{403, proxy_403, false}, row{403, "", false}, row{401, deleted_403, false}, row{409, deleted_403, false}})
    {
        CAPTURE(status);
        CAPTURE(body);
        // After an attempt that may have been executed: lost, timed out, or answered by a gateway.
        for (int const before : {0, 1, 502, 504})
        {
            CAPTURE(before);
            auto wire = script();
            if (before == 0)
                wire->fail(errc::connection_lost, progress::maybe_sent);
            else if (before == 1)
                wire->fail(errc::attempt_timeout, progress::maybe_sent);
            else
                wire->reply(before);
            wire->reply(status, std::string(body));
            auto const got = remove_group(wire, 2);
            REQUIRE(got.has_value() == gone);
            if (gone)
                CHECK(got->already_gone);
            else
                CHECK(got.error().status() == status);
        }
        // At first, or after attempts that were certainly not executed, it is an error.
        auto first = script();
        first->reply(status, std::string(body));
        CHECK(!remove_group(first, 1).has_value());
        auto not_sent = script();
        not_sent->fail(errc::connect_failed, progress::not_sent).reply(status, std::string(body));
        CHECK(!remove_group(not_sent, 2).has_value());
        auto throttled = script();
        throttled->reply(429).reply(status, std::string(body));
        CHECK(!remove_group(throttled, 2).has_value());
    }
}

TEST_CASE("a 403 to a repeated DELETE whose body did not come whole says nothing of the object")
{
    auto wire = script();
    wire->fail(errc::connection_lost, progress::maybe_sent);
    wire->reply(403, std::string(deleted_403)).break_off(errc::connection_lost);
    auto const got = remove_group(wire, 2);
    REQUIRE(!got.has_value());
    CHECK(got.error() == condition::forbidden);
    CHECK(got.error() != condition::gone);
}

TEST_CASE("a removal that was cancelled or refused has not succeeded, even if the response is incomplete")
{
    for (errc const code : {errc::cancelled, errc::client_closed, errc::malformed_response})
    {
        CAPTURE(code);
        auto wire = script();
        wire->reply(200, "{").break_off(code);
        auto const got = remove_group(wire, 1);
        REQUIRE(!got.has_value());
        CHECK(got.error() == code);
    }
    auto missing = script();
    missing->reply(404, "{").break_off(errc::connection_lost).reply(404);
    auto const never_there = remove_group(missing);
    REQUIRE(!never_there.has_value());
    CHECK(never_there.error() == condition::not_found);
    auto broken = script();
    broken->reply(404, "{").break_off(errc::connection_lost);
    auto const not_found = remove_group(broken, 1);
    REQUIRE(!not_found.has_value());
    CHECK(not_found.error() == errc::connection_lost);
    CHECK(not_found.error() == condition::not_found);
    auto unknown = script();
    unknown->fail(errc::connection_lost, progress::maybe_sent).reply(404, "{").break_off(errc::malformed_response);
    auto const perhaps = remove_group(unknown);
    REQUIRE(perhaps.has_value());
    CHECK(perhaps->already_gone);
}

TEST_CASE("Retry-After of an incomplete error response is honoured; that of an incomplete 2xx is not")
{
    auto settings = support::test_config();
    settings.retry.max_attempts = 2;
    auto refused = script();
    refused->reply(404, "{").header("Retry-After", "7").break_off(errc::connection_lost).reply(200, group_json);
    CHECK(get_group(refused, {}, settings).ok);
    CHECK(refused->waits() == std::vector<std::chrono::nanoseconds>{7s});
    auto accepted = script();
    accepted->reply(202, "{").header("Retry-After", "3600").break_off(errc::connection_lost).reply(200, group_json);
    CHECK(get_group(accepted, {}, settings).ok);
    CHECK((accepted->waits().empty() || accepted->waits().front() < 1s));

    auto alone = script();
    alone->reply(409, "{").header("Retry-After", "7").break_off(errc::malformed_response);
    auto const got = get_group(alone, {}, settings);
    REQUIRE(!got.ok);
    CHECK(got.failure.retry_after() == 7s);
    CHECK(got.failure.attempts()[0].server_hint == 7s);
}

TEST_CASE("a classifier receives the header section of an incomplete response, and its fault")
{
    auto settings = support::test_config();
    settings.retry.max_attempts = 2;
    int asked = 0;
    settings.classifier = [&asked](ccloud::retry_question const& question) {
        ++asked;
        CHECK(question.status == 404);
        CHECK(question.code == errc::malformed_response);
        CHECK(question.progress == progress::answered);
        REQUIRE(question.headers != nullptr);
        CHECK(question.headers->find("X-Kind") == "odd");
        CHECK(question.body == "{\"mess");
        return ccloud::retry_answer{ccloud::retry_answer::verdict::again};
    };
    auto wire = script();
    wire->reply(404, "{\"mess").header("X-Kind", "odd").break_off(errc::malformed_response).reply(200, group_json);
    CHECK(get_group(wire, {}, settings).ok);
    CHECK(asked == 1);
}

TEST_CASE("after an incomplete 401 the token source is not asked again: the fault of the body decides about the retry")
{
    auto settings = support::test_config();
    std::vector<std::string> rejected;
    settings.credentials = ccloud::token_source([&rejected](std::string_view what) {
        rejected.emplace_back(what);
        return "tok-" + std::to_string(rejected.size());
    });
    auto wire = script();
    wire->reply(401, "{").break_off(errc::connection_lost).reply(200, group_json);
    CHECK(get_group(wire, {}, settings).ok);
    CHECK(rejected == std::vector<std::string>{"", ""});
}

namespace {

/** Adds a cause and a detail to each exchange that fails, as the real transport does. */
class telling_transport : public ccloud::testing::scripted_transport
{
public:
    asio::awaitable<ccloud::exchange> send(
        ccloud::http_request const& request, ccloud::origin const& to, ccloud::send_options options
    ) override
    {
        auto ended = co_await scripted_transport::send(request, to, options);
        if (!ended.answered())
        {
            ended.cause = std::make_error_code(std::errc::connection_reset);
            ended.detail = "waiting for the rest of the body";
        }
        co_return ended;
    }
};

} // namespace

TEST_CASE("an error that ended a wait has neither the cause nor the detail of the attempt before it")
{
    auto const wire = std::make_shared<telling_transport>();
    wire->reply(404, "{").break_off(errc::connection_lost);
    auto settings = support::test_config();
    settings.retry.base_delay = settings.retry.max_delay = 10s;
    wire->dice(~std::uint64_t(0));
    with_client(
        wire,
        [&](ccloud::client cloud) -> asio::awaitable<void> {
            auto const executor = co_await asio::this_coro::executor;
            std::optional<ccloud::result<ccloud::http_response>> got;
            asio::co_spawn(
                executor, cloud.execute(ccloud::http_request(ccloud::method::get, "/x")),
                [&got](std::exception_ptr, ccloud::result<ccloud::http_response> how) { got = std::move(how); }
            );
            while (wire->in_flight() > 0 || wire->requests().empty() || cloud.metrics().attempts == 0)
                co_await asio::post(asio::use_awaitable);
            (void)co_await cloud.close(1s);
            while (!got)
                co_await asio::post(asio::use_awaitable);
            REQUIRE(!got->has_value());
            CHECK(got->error() == errc::client_closed);
            CHECK(!got->error().cause());
            CHECK(got->error().detail().empty());
        },
        settings
    );
}

TEST_CASE("an error is one line for people: request, status, the server's words, request id, attempts")
{
    auto wire = script();
    wire->reply(404, R"({"errors":[{"id":"e1","status":"404","detail":"IP group not found: not found.","source":{}}]})")
        .header("X-Request-Id", "3f2a");
    auto const got = get_group(wire);
    CHECK(
        got.failure.what() ==
        "GET /iam/v2/ip-groups/ipg-1: HTTP 404: IP group not found: not found (request 3f2a, attempt 1 in 0 ms)"
    );
}

TEST_CASE("the raw tier sends what it is given, with the same head, and takes other statuses than 2xx for errors")
{
    auto wire = script();
    wire->reply(200, "{\"data\":[]}").header("X-Request-Id", "r9").reply(418, "{\"message\":\"teapot\"}");
    with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
        auto got = co_await cloud.execute(
            ccloud::http_request(ccloud::method::get, "/org/v2/environments?page_size=5").header("X-Trace", "t1")
        );
        REQUIRE(got.has_value());
        CHECK(got->body() == "{\"data\":[]}");
        CHECK(got->headers().find("x-request-id") == "r9");
        CHECK(got.response().request_id() == "r9");
        auto refused = co_await cloud.execute(ccloud::http_request(ccloud::method::get, "/x"));
        REQUIRE(!refused.has_value());
        CHECK(refused.error().status() == 418);
        CHECK(refused.error().problems().front().detail == "teapot");
    });
    CHECK(wire->requests()[0].request.headers().find("X-Trace") == "t1");
    CHECK(wire->requests()[0].request.headers().contains("Authorization"));
}

TEST_CASE("the raw tier refuses what would change the request line or the head, before anything is sent")
{
    auto wire = script();
    with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
        using ccloud::http_request;
        using ccloud::method;
        std::vector<http_request> bad;
        bad.push_back(http_request(method::get, ""));
        bad.push_back(http_request(method::get, "no-slash"));
        bad.push_back(http_request(method::get, "/a b"));
        bad.push_back(http_request(method::get, "/a\r\nX: y"));
        bad.push_back(http_request(method::get, "/\xc3\xa4"));
        bad.push_back(http_request(method::get, "/a#b")); // RFC 9112 section 3.2.1: no fragment
        bad.push_back(http_request(method::get, "/a?b#"));
        bad.push_back(http_request(method::get, "/a?b=%zz"));
        bad.push_back(http_request(method::get, "/a\\..\\b"));
        bad.push_back(http_request(method::get, "/{id}"));
        bad.push_back(http_request(method::get, "/a").header("X-A", "1\r\nX-B: 2"));
        bad.push_back(http_request(method::get, "/a").header("X A", "1"));
        bad.push_back(http_request(method::get, "/a").header("Authorization", "Basic eA=="));
        bad.push_back(http_request(method::post, "/a").header("content-length", "0"));
        for (auto const& request : bad)
        {
            auto got = co_await cloud.execute(request);
            REQUIRE(!got.has_value());
            CHECK(got.error().code() == errc::invalid_argument);
            CHECK(!got.error().detail().empty());
            CHECK(got.error().progress() == progress::not_sent);
        }
    });
    CHECK(wire->requests().empty());
}

TEST_CASE("with_header adds a field to the requests of that handle only")
{
    auto wire = script();
    wire->reply(200, group_json).reply(200, group_json);
    with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
        auto traced = cloud.with_header("X-Correlation-Id", "c-1");
        (void)co_await iam::ip_groups(traced).get("ipg-1");
        (void)co_await iam::ip_groups(cloud).get("ipg-1");
        CHECK_THROWS_AS(cloud.with_header("Authorization", "x"), ccloud::configuration_error);
        CHECK_THROWS_AS(cloud.with_header("X-Y", "a\nb"), ccloud::configuration_error);
    });
    CHECK(wire->requests()[0].request.headers().find("X-Correlation-Id") == "c-1");
    CHECK(!wire->requests()[1].request.headers().contains("X-Correlation-Id"));
}

TEST_CASE("a client refuses a configuration that cannot work, naming what is wrong, before any I/O")
{
    struct row
    {
        char const* what;
        void (*spoil)(ccloud::config&);
    };
    std::vector<row> const table{
        {"credentials", [](ccloud::config& c) { c.credentials = {}; }},
        {"credentials", [](ccloud::config& c) { c.credentials = ccloud::api_key("", "s"); }},
        {"credentials", [](ccloud::config& c) { c.credentials = ccloud::api_key("k", ""); }},
        {"credentials", [](ccloud::config& c) { c.credentials = ccloud::bearer_token("a b"); }},
        {"endpoint", [](ccloud::config& c) { c.endpoint = "not a url"; }},
        {"endpoint", [](ccloud::config& c) { c.endpoint = "http://api.confluent.cloud"; }},
        {"endpoint", [](ccloud::config& c) { c.endpoint = "https://u:pa55@api.confluent.cloud"; }},
        {"retry.max_attempts", [](ccloud::config& c) { c.retry.max_attempts = 0; }},
        {"retry", [](ccloud::config& c) { c.retry.base_delay = -1ms; }},
        {"pool.max_connections_per_origin", [](ccloud::config& c) { c.pool.max_connections_per_origin = 0; }},
        {"pool.connect_timeout", [](ccloud::config& c) { c.pool.connect_timeout = 0ms; }},
        {"limits.response_header", [](ccloud::config& c) { c.limits.response_header = 1023; }},
        {"limits.response_body", [](ccloud::config& c) { c.limits.response_body = 1023; }},
        {"limits.response_body", [](ccloud::config& c) { c.limits.response_body = 0; }},
        {"limits.decoded_response", [](ccloud::config& c) { c.limits.decoded_response = 1023; }},
        {"application", [](ccloud::config& c) { c.application = "a\r\nb"; }},
    };
    ccloud::testing::run([&]() -> asio::awaitable<void> {
        auto const executor = co_await asio::this_coro::executor;
        for (auto const& [what, spoil] : table)
        {
            CAPTURE(what);
            auto settings = support::test_config();
            spoil(settings);
            std::string told;
            try
            {
                ccloud::client const cloud(executor, settings, script());
            }
            catch (ccloud::configuration_error const& refused)
            {
                told = refused.what();
            }
            CHECK(told.starts_with(what));
            CHECK(told.find("pa55") == std::string::npos);
        }
        auto smallest = support::test_config();
        smallest.limits.response_header = smallest.limits.response_body = smallest.limits.decoded_response = 1024;
        CHECK_NOTHROW(ccloud::client(executor, smallest, script()));
        CHECK_THROWS_AS(ccloud::client(executor, support::test_config(), nullptr), ccloud::configuration_error);
        CHECK_THROWS_AS(ccloud::client({}, support::test_config(), script()), ccloud::configuration_error);
    });
}

TEST_CASE("an error says maybe sent where an earlier try may have been executed, though the last was not sent")
{
    auto wire = script();
    wire->fail(errc::connection_lost, progress::maybe_sent);
    for (int i = 0; i < 5; ++i)
        wire->fail(errc::connect_failed, progress::not_sent);
    auto const got = get_group(wire);
    REQUIRE(!got.ok);
    CHECK(got.failure.code() == errc::connect_failed);
    CHECK(got.failure.progress() == progress::maybe_sent);
    auto throttled = script();
    throttled->reply(429).header("Retry-After", "1");
    for (int i = 0; i < 6; ++i)
        throttled->fail(errc::connect_failed, progress::not_sent);
    CHECK(get_group(throttled).failure.progress() == progress::not_sent); // turned away before it was processed
}

TEST_CASE("durations without bounds are as good as for ever")
{
    auto settings = support::test_config();
    for (auto* const duration :
         {&settings.total_timeout, &settings.attempt_timeout, &settings.retry.max_delay,
          &settings.retry.max_server_delay, &settings.pool.idle_timeout})
        *duration = std::chrono::milliseconds::max();
    auto wire = script();
    wire->reply(429).header("Retry-After", "86400").reply(503).reply(200, group_json);
    CHECK(get_group(wire, {.timeout = std::chrono::milliseconds::max()}, settings).ok);
    auto negative = script();
    negative->reply(200, group_json).after(1h);
    CHECK(get_group(negative, {.timeout = std::chrono::milliseconds::min(), .attempt_timeout = -1ms}).ok);
}

TEST_CASE("rule 10: a conversation survives, or ends clearly, when it fails at any one step")
{
    struct failure
    {
        errc code;
        progress reached;
    };
    constexpr std::array<failure, 4> failures{{
        {errc::connect_failed, progress::not_sent},
        {errc::connection_lost, progress::maybe_sent},
        {errc::attempt_timeout, progress::maybe_sent},
        {errc::certificate_rejected, progress::not_sent},
    }};
    constexpr std::size_t steps = 5;
    for (auto const& [code, reached] : failures)
        for (std::size_t at = 0; at <= steps; ++at)
        {
            CAPTURE(code);
            CAPTURE(at);
            auto wire = script();
            wire->reply_with([](ccloud::http_request const& request) {
                if (request.verb() == ccloud::method::del)
                    return ccloud::http_response(204, {}, {});
                if (request.target().find("page_size") != std::string::npos)
                    return ccloud::http_response(
                        200, {}, std::string(R"({"metadata":{},"data":[)") + group_json + "]}"
                    );
                return ccloud::http_response(200, {}, group_json);
            });
            wire->fail_at(at, code, reached);
            std::vector<errc> errors;
            with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
                iam::ip_groups groups(cloud);
                auto note = [&errors](auto const& got) {
                    if (!got.has_value())
                    {
                        errors.push_back(got.error().code());
                        CHECK(got.error().what().find("/iam/v2/ip-groups") != std::string::npos);
                    }
                };
                auto made = co_await groups.create(iam::create_ip_group("CorpNet").cidr_block("10.0.0.0/8"));
                note(made);
                auto got = co_await groups.get("ipg-1");
                note(got);
                auto changed = co_await groups.update("ipg-1", iam::update_ip_group("CorpNet", "10.0.0.0/8"));
                note(changed);
                auto listing = groups.list();
                auto all = co_await listing.collect();
                note(all);
                auto gone = co_await groups.remove("ipg-1");
                note(gone);
            });
            bool const final_failure = code == errc::certificate_rejected;
            bool const lost_post = at == 0 && reached == progress::maybe_sent;
            if (at >= steps) // nothing was left to fail
                CHECK(errors.empty());
            else if (final_failure || lost_post)
                CHECK(errors.front() == code);
            else
                CHECK(errors.empty());
        }
}
