#include <ccloud/ccloud.hpp>
#include <ccloud/testing/run.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "client.hpp"
#include "printers.hpp"
#include "stage.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using ccloud::condition;
using ccloud::errc;
using ccloud::gave_up;
using ccloud::method;
using ccloud::progress;
using ccloud::retry_reason;
using std::chrono::nanoseconds;
using support::get;
using support::post;
using support::said;
using support::script;
using support::stage;
using support::talking_wire;
using support::with_client;
namespace asio = boost::asio;
namespace iam = ccloud::iam;

namespace {

constexpr auto verbs = {method::get, method::post, method::patch, method::put, method::del};

/** A request with a body and fields of its own. */
ccloud::http_request full_request(method verb)
{
    ccloud::http_request request(verb, "/a/v1/things?x=1");
    request.header("X-Trace", "t-1").header("X-Trace", "t-2").body(R"({"name":"thing"})", "application/merge+json");
    return request;
}

/** What becomes of one request over a script. */
ccloud::result<ccloud::http_response> ask(
    std::shared_ptr<ccloud::testing::scripted_transport> wire, ccloud::http_request request,
    ccloud::call_options options = {}, ccloud::config settings = support::test_config()
)
{
    ccloud::result<ccloud::http_response> outcome;
    with_client(
        std::move(wire),
        [&](ccloud::client cloud) -> asio::awaitable<void> { outcome = co_await cloud.execute(request, options); },
        std::move(settings)
    );
    return outcome;
}

std::vector<std::string> lines(ccloud::testing::scripted_transport const& wire)
{
    std::vector<std::string> all;
    for (auto const& each : wire.requests())
        all.push_back(std::string(to_string(each.request.verb())) + ' ' + each.request.target());
    return all;
}

std::vector<retry_reason> reasons(ccloud::error const& failure)
{
    std::vector<retry_reason> all;
    for (auto const& each : failure.attempts())
        all.push_back(each.reason);
    return all;
}

bool says(std::string_view text, std::string_view part)
{
    return text.find(part) != std::string_view::npos;
}

/** Writes down what it is told. */
class notes : public ccloud::observer
{
public:
    void attempt_start(ccloud::observed_call const& call, int number) noexcept override { add("start", call, number); }
    void attempt_end(ccloud::observed_call const& call, int number, ccloud::attempt const& ended) noexcept override
    {
        add("end", call, number);
        heard.back() += ' ' + std::to_string(ended.status) + (ended.code == errc::unset ? " well" : " not well");
        if (ended.reason != retry_reason::none || ended.delay != 0ns)
            heard.back() += ", foretold";
        if (!ended.request_id.empty())
            heard.back() += ", " + ended.request_id;
    }
    void retry_scheduled(
        ccloud::observed_call const& call, nanoseconds delay, ccloud::delay_source from, retry_reason why
    ) noexcept override
    {
        add("again", call, 0);
        heard.back() += ' ' + support::in_words(delay) + ", " + std::string(to_string(why));
        if (from != ccloud::delay_source::none)
            heard.back() += ", " + std::string(to_string(from));
    }
    void give_up(ccloud::observed_call const& call, ccloud::error const& failure) noexcept override
    {
        add("give up", call, 0);
        heard.back() += failure.code() == errc::redirect_refused ? " refused" : " otherwise";
    }

    std::vector<std::string> heard;

private:
    void add(std::string what, ccloud::observed_call const& call, int number)
    {
        if (number > 0)
            what += ' ' + std::to_string(number);
        CHECK(call.path == "/a/v1/things"); // as it was asked for
        heard.push_back(std::move(what));
    }
};

/** A server whose things have moved, one from place to place. Counts what it executes. */
class moving_server
{
public:
    explicit moving_server(int hops, int status = 307, nanoseconds each = {})
        : hops_(hops), status_(status), each_(each)
    {
    }

    said answer(ccloud::http_request const& request)
    {
        int const place = std::stoi(request.target().substr(request.target().rfind('/') + 1));
        if (place < hops_)
            return said(status_).with("Location", "/a/v1/things/" + std::to_string(place + 1)).after(each_);
        executed += place == hops_ ? 1 : 0;
        return said(200, "{}").after(each_);
    }

    talking_wire::talk talk()
    {
        return [this](ccloud::http_request const& request) { return answer(request); };
    }

    int executed = 0;

private:
    int hops_;
    int status_;
    nanoseconds each_;
};

} // namespace

TEST_CASE("307 and 308 are followed by the same request: method, body, fields and origin")
{
    for (int const status : {307, 308})
        for (auto const verb : verbs)
        {
            CAPTURE(status);
            CAPTURE(verb);
            auto wire = script();
            wire->reply(status, "moved").header("Location", "/b/v2/things?y=2#part").reply(200, "here");
            auto const got = ask(wire, full_request(verb));
            REQUIRE(got.has_value());
            CHECK(got->body() == "here");
            CHECK(got.response().status() == 200);
            CHECK(got.response().attempts() == 2);
            REQUIRE(wire->requests().size() == 2);
            auto const& first = wire->requests()[0];
            auto const& second = wire->requests()[1];
            CHECK(second.request.verb() == verb);
            CHECK(second.request.target() == "/b/v2/things?y=2");
            CHECK(second.request.body() == first.request.body());
            CHECK(second.request.headers().text() == first.request.headers().text());
            CHECK(second.to == first.to);
            CHECK(second.options.deadline == first.options.deadline);
            CHECK(second.options.attempt_timeout == first.options.attempt_timeout);
            CHECK(second.options.idle_limit == first.options.idle_limit);
            CHECK(wire->waits().empty());
        }
}

TEST_CASE("301 and 302 are followed by a GET alone; for others they are the answer")
{
    for (int const status : {301, 302})
        for (auto const verb : verbs)
        {
            CAPTURE(status);
            CAPTURE(verb);
            auto wire = script();
            wire->reply(status).header("Location", "/b");
            if (verb == method::get)
                wire->reply(200);
            auto const got = ask(wire, full_request(verb));
            CHECK(got.has_value() == (verb == method::get));
            if (got.has_value())
                continue;
            CHECK(got.error().code() == errc::http_status);
            CHECK(got.error().status() == status);
            CHECK(got.error().gave_up() == gave_up::not_retryable);
            CHECK(got.error().response().location() == "/b");
            CHECK(got.error().attempts().size() == 1);
        }
}

TEST_CASE("no other status is followed, for it would change the method, or is no order")
{
    for (int const status : {300, 303, 304, 305, 306, 309, 399})
        for (auto const verb : verbs)
        {
            CAPTURE(status);
            auto wire = script();
            wire->reply(status).header("Location", "/b");
            auto const got = ask(wire, full_request(verb));
            REQUIRE(!got.has_value());
            CHECK(got.error().code() == errc::http_status);
            CHECK(got.error().status() == status);
            CHECK(wire->requests().size() == 1);
        }
    for (int const status : {200, 201, 202})
    {
        auto wire = script();
        wire->reply(status, "{}").header("Location", "https://evil.example/b");
        CHECK(ask(wire, full_request(method::post)).has_value());
        CHECK(wire->requests().size() == 1);
    }
}

TEST_CASE("five redirects are followed, the sixth is refused")
{
    for (int hops = 1; hops <= 8; ++hops)
        for (auto const verb : {method::get, method::post})
        {
            CAPTURE(hops);
            moving_server server(hops);
            auto const wire = std::make_shared<talking_wire>(server.talk());
            auto const got = ask(wire, ccloud::http_request(verb, "/a/v1/things/0"));
            CHECK(got.has_value() == (hops <= 5));
            CHECK(server.executed == (hops <= 5 ? 1 : 0));
            CHECK(wire->requests().size() == static_cast<std::size_t>(std::min(hops, 5) + 1));
            CHECK(got.response().attempts() == std::min(hops, 5) + 1);
            if (got.has_value())
                continue;
            auto const& failure = got.error();
            CHECK(failure.code() == errc::redirect_refused);
            CHECK(failure.status() == 307);
            CHECK(failure.progress() == progress::answered);
            CHECK(failure.gave_up() == gave_up::not_retryable);
            CHECK(failure.response().location() == "/a/v1/things/6");
            CHECK(says(failure.detail(), "more than 5"));
            CHECK(says(failure.what(), "more than 5"));
            auto const again = retry_reason::redirected;
            CHECK(reasons(failure) == std::vector<retry_reason>{again, again, again, again, again, retry_reason::none});
            for (auto const& each : failure.attempts())
            {
                CHECK(each.status == 307);
                CHECK(each.progress == progress::answered);
                CHECK(each.delay == 0ns);
                CHECK(each.delay_source == ccloud::delay_source::none);
            }
        }
}

TEST_CASE("another origin is refused by its name, and nothing is sent there")
{
    struct row
    {
        std::string_view location, named;
    };
    for (auto const& [location, named] : {
             row{"https://evil.example/a", "https://evil.example"},
             row{"//evil.example/a", "https://evil.example"},
             row{"http://api.example.test/a", "http://api.example.test"},
             row{"https://api.example.test:8443/a", "https://api.example.test:8443"},
         })
        for (int const status : {301, 302, 307, 308})
            for (auto const verb : {method::get, method::post})
            {
                if (status < 307 && verb != method::get)
                    continue;
                CAPTURE(location);
                CAPTURE(status);
                auto wire = script();
                wire->reply(status).header("Location", location).header("X-Request-Id", "r-1");
                auto const got = ask(wire, full_request(verb));
                REQUIRE(!got.has_value());
                auto const& failure = got.error();
                CHECK(failure.code() == errc::redirect_refused);
                CHECK(failure.status() == status);
                CHECK(failure.progress() == progress::answered);
                CHECK(failure.request_id() == "r-1");
                CHECK(failure.response().location() == location);
                CHECK(says(failure.detail(), named));
                CHECK(says(failure.detail(), "https://api.example.test"));
                CHECK(says(failure.what(), named));
                CHECK(reasons(failure) == std::vector{retry_reason::none});
                CHECK(failure.attempts()[0].request_id == "r-1");
                CHECK(failure != condition::network);
                CHECK(failure != condition::not_found);
                REQUIRE(wire->requests().size() == 1);
                CHECK(wire->requests()[0].to.to_string() == "https://api.example.test");
            }
}

TEST_CASE("a redirect in the middle of a chain may not leave the origin either")
{
    auto wire = script();
    wire->reply(308).header("Location", "https://API.example.test:443/b");
    wire->reply(307).header("Location", "https://user:hunter2@evil.example/c?hunter2");
    auto const got = ask(wire, full_request(method::post));
    REQUIRE(!got.has_value());
    CHECK(got.error().code() == errc::redirect_refused);
    CHECK(!says(got.error().what(), "hunter2"));
    CHECK(!says(got.error().detail(), "hunter2"));
    CHECK(lines(*wire) == support::list_of("POST /a/v1/things?x=1", "POST /b"));
    for (auto const& each : wire->requests())
        CHECK(each.to.to_string() == "https://api.example.test");
}

TEST_CASE("a redirect that names no place, or one that cannot stand in a request, is refused")
{
    for (std::string_view const location : {"", "#part", "/a b", "/\xc3\xa4", "ftp://api.example.test/a", "/a\x01"})
    {
        CAPTURE(location);
        auto wire = script();
        wire->reply(307, R"({"message":"moved"})");
        if (!location.empty())
            wire->header("Location", location);
        auto const got = ask(wire, get("/a"));
        REQUIRE(!got.has_value());
        CHECK(got.error().code() == errc::redirect_refused);
        CHECK(got.error().status() == 307);
        CHECK(got.error().detail().starts_with("redirected "));
        CHECK(!says(got.error().detail(), "redirected the server")); // it is one sentence
        CHECK(got.error().problems().size() == 1);
        CHECK(wire->requests().size() == 1);
    }
}

TEST_CASE("a place is found from where the last redirect led to, below the base path or not")
{
    auto settings = support::test_config();
    settings.endpoint = "https://api.example.test/api";
    auto wire = script();
    wire->reply(307).header("Location", "v2/things?z");
    wire->reply(307).header("Location", "?q=1");
    wire->reply(307).header("Location", "../v3/");
    wire->reply(307).header("Location", "/elsewhere");
    wire->reply(307).header("Location", "https://api.example.test/api/last");
    wire->reply(200);
    CHECK(ask(wire, get("/a/b?c"), {}, settings).has_value());
    CHECK(
        lines(*wire) == support::list_of(
                            "GET /api/a/b?c", "GET /api/a/v2/things?z", "GET /api/a/v2/things?q=1", "GET /api/a/v3/",
                            "GET /elsewhere", "GET /api/last"
                        )
    );
}

TEST_CASE("an error speaks of the request as it was asked for")
{
    auto wire = script();
    wire->reply(307).header("Location", "/b/v2/other").reply(404, R"({"message":"no such thing"})");
    auto const got = ask(wire, get("/a/v1/things?x=1"));
    REQUIRE(!got.has_value());
    CHECK(got.error() == condition::not_found);
    CHECK(got.error().path() == "/a/v1/things");
    CHECK(reasons(got.error()) == std::vector{retry_reason::redirected, retry_reason::none});
    CHECK(got.error().what() == "GET /a/v1/things: HTTP 404: no such thing (attempt 2 in 0 ms)");
}

TEST_CASE("what a redirect led to is repeated there, with its waits and its reasons")
{
    auto wire = script();
    wire->dice(~std::uint64_t(0));
    wire->reply(307).header("Location", "/b").reply(503);
    wire->reply(308).header("Location", "/c").reply(503).reply(429).header("Retry-After", "7").reply(404);
    auto const got = ask(wire, get("/a"));
    REQUIRE(!got.has_value());
    CHECK(lines(*wire) == support::list_of("GET /a", "GET /b", "GET /b", "GET /c", "GET /c", "GET /c"));
    CHECK(
        reasons(got.error()) ==
        std::vector{
            retry_reason::redirected, retry_reason::transient, retry_reason::redirected, retry_reason::transient,
            retry_reason::throttled, retry_reason::none}
    );
    REQUIRE(wire->waits().size() == 3);
    CHECK(wire->waits()[0] == 500ms);
    CHECK(wire->waits()[1] == 1s); // the backoff goes on where it was
    CHECK(wire->waits()[2] >= 7s);

    auto after = script();
    after->reply(503).reply(307).header("Location", "/b").reply(200);
    CHECK(ask(after, get("/a")).has_value());
    CHECK(lines(*after) == support::list_of("GET /a", "GET /a", "GET /b"));
}

TEST_CASE("a POST that was redirected is repeated by the same rules as before")
{
    auto refused = script();
    refused->reply(307).header("Location", "/b").reply(503);
    auto const got = ask(refused, post("/a"));
    REQUIRE(!got.has_value());
    CHECK(got.error().status() == 503);
    CHECK(refused->requests().size() == 2);

    auto turned_away = script();
    turned_away->reply(307).header("Location", "/b").reply(503).header("Retry-After", "1").reply(201);
    CHECK(ask(turned_away, post("/a")).has_value());
    CHECK(lines(*turned_away) == support::list_of("POST /a", "POST /b", "POST /b"));
}

TEST_CASE("A3, Q1: redirects cost no attempt of the policy and nothing of the budget")
{
    auto settings = support::test_config();
    settings.retry_budget = 100;
    settings.retry.max_attempts = 2;
    moving_server server(5);
    bool failing = true;
    auto const talk = server.talk();
    stage on(
        std::make_shared<talking_wire>([&](ccloud::http_request const& request) {
            if (request.target().ends_with('5') && std::exchange(failing, false))
                return said(503);
            return talk(request);
        }),
        settings
    );
    CHECK(on.ask(get("/a/v1/things/0")).has_value());
    auto const now = on.cloud().metrics();
    CHECK(now.calls == 1);
    CHECK(now.succeeded == 1);
    CHECK(now.attempts == 7);
    CHECK(now.replays == 5);
    CHECK(now.transient_retries == 1);
    CHECK(now.throttle_retries == 0);
    CHECK(now.retry_budget == 100); // what the one repetition took it gave back

    moving_server other(5);
    auto poor = support::test_config();
    poor.retry_budget = 1;
    stage hard_up(std::make_shared<talking_wire>(other.talk()), poor);
    CHECK(hard_up.ask(get("/a/v1/things/0")).has_value());
    CHECK(hard_up.cloud().metrics().retry_budget == 1);
    CHECK(hard_up.cloud().metrics().budget_exhausted == 0);
}

TEST_CASE("redirects are followed under any policy, for they are no repetition")
{
    for (auto const verb : {method::get, method::post})
    {
        moving_server server(5);
        auto const wire = std::make_shared<talking_wire>(server.talk());
        ccloud::call_options options;
        options.retry = ccloud::retry_policy::none();
        options.replayable = false;
        CHECK(ask(wire, ccloud::http_request(verb, "/a/v1/things/0"), options).has_value());
        CHECK(server.executed == 1);
    }
}

TEST_CASE("T1: the deadline is that of the call, over all its redirects")
{
    for (auto const verb : {method::get, method::post})
    {
        moving_server server(5, 307, 4s);
        stage on(std::make_shared<talking_wire>(server.talk()));
        auto const got = on.ask(ccloud::http_request(verb, "/a/v1/things/0"), {.timeout = 10s});
        REQUIRE(!got.has_value());
        CHECK(got.error().code() == errc::deadline_exceeded);
        CHECK(got.error().progress() == progress::maybe_sent);
        CHECK(got.error().elapsed() == 10s);
        CHECK(
            reasons(got.error()) == std::vector{retry_reason::redirected, retry_reason::redirected, retry_reason::none}
        );
        CHECK(server.executed == 0);
    }
    moving_server exact(1, 307, 10s);
    auto const wire = std::make_shared<talking_wire>(exact.talk());
    stage on(wire);
    auto const got = on.ask(post("/a/v1/things/0"), {.timeout = 10s});
    REQUIRE(!got.has_value());
    CHECK(got.error().code() == errc::deadline_exceeded);
    CHECK(got.error().progress() == progress::not_sent); // a redirect is no execution
    CHECK(wire->requests().size() == 1);
}

TEST_CASE("each hop has an attempt_timeout of its own")
{
    moving_server server(3, 308, 4s);
    stage on(std::make_shared<talking_wire>(server.talk()));
    auto const got = on.ask(get("/a/v1/things/0"), {.attempt_timeout = 5s});
    REQUIRE(got.has_value());
    CHECK(on.elapsed() == 16s);
}

TEST_CASE("I2: the key by which a server tells repetitions apart is the same wherever a call is sent to")
{
    struct dicing_wire : talking_wire
    {
        using talking_wire::talking_wire;
        std::uint64_t roll() noexcept override { return ++rolls; }
        std::uint64_t rolls = 0;
    };
    int number = 0;
    auto const wire = std::make_shared<dicing_wire>([&number](ccloud::http_request const&) {
        switch (number++)
        {
        case 0:
        case 2: return said(307).with("Location", "/b" + std::to_string(number));
        case 1: return said(503);
        default: return said(201);
        }
    });
    CHECK(ask(wire, post("/a").idempotency_key()).has_value());
    CHECK(lines(*wire) == support::list_of("POST /a", "POST /b1", "POST /b1", "POST /b3"));
    std::set<std::string> keys;
    for (auto const& each : wire->requests())
        keys.insert(std::string(each.request.headers().find("Idempotency-Key").value_or("none")));
    CHECK(keys.size() == 1);
    CHECK(keys.begin()->size() == 32);
}

TEST_CASE("I4: a source of tokens is asked for each hop, and new credentials go to where the redirect led")
{
    auto settings = support::test_config();
    int asked = 0;
    settings.credentials = ccloud::token_source([&asked](std::string_view rejected) {
        return rejected.empty() ? "t" + std::to_string(++asked) : std::string("fresh");
    });
    auto wire = script();
    wire->reply(307).header("Location", "/b").reply(401).reply(200);
    CHECK(ask(wire, post("/a"), {}, settings).has_value());
    CHECK(lines(*wire) == support::list_of("POST /a", "POST /b", "POST /b"));
    std::vector<std::string> sent;
    for (auto const& each : wire->requests())
        sent.emplace_back(each.request.headers().find("Authorization").value_or("none"));
    CHECK(sent == support::list_of("Bearer t1", "Bearer t2", "Bearer fresh"));
}

TEST_CASE("a replay on a fresh connection does not make the hops after it take one, too")
{
    auto wire = script();
    wire->fail(errc::connection_lost, progress::maybe_sent).reused();
    wire->reply(307).header("Location", "/b").reply(200);
    CHECK(ask(wire, get("/a")).has_value());
    REQUIRE(wire->requests().size() == 3);
    CHECK(!wire->requests()[0].options.fresh_connection);
    CHECK(wire->requests()[1].options.fresh_connection);
    CHECK(!wire->requests()[2].options.fresh_connection);
}

TEST_CASE("A3: a stale connection after a redirect is replaced, and the redirect kept")
{
    auto wire = script();
    wire->reply(307).header("Location", "/b");
    wire->fail(errc::connection_lost, progress::maybe_sent).reused();
    wire->reply(421).reply(200);
    CHECK(ask(wire, get("/a")).has_value());
    CHECK(lines(*wire) == support::list_of("GET /a", "GET /b", "GET /b", "GET /b"));
    CHECK(wire->requests()[2].options.fresh_connection);
    CHECK(wire->requests()[3].options.fresh_connection);
}

TEST_CASE("a redirected call keeps its place: nobody overtakes it between its hops")
{
    auto settings = support::test_config();
    settings.pool.max_connections_per_origin = 1;
    moving_server server(2, 307, 1s);
    auto const wire = std::make_shared<talking_wire>(server.talk());
    stage on(wire, settings);
    on.add(get("/a/v1/things/0"));
    on.add(get("/a/v1/things/2"));
    on.run();
    CHECK(
        lines(*wire) ==
        support::list_of("GET /a/v1/things/0", "GET /a/v1/things/1", "GET /a/v1/things/2", "GET /a/v1/things/2")
    );
    CHECK(server.executed == 2);
    CHECK(on.cloud().metrics().in_flight == 0);
}

TEST_CASE("G5: what a refused redirect says of the rate limit holds the next call back, as any answer does")
{
    int number = 0;
    auto const wire = std::make_shared<talking_wire>([&number](ccloud::http_request const&) {
        bool const first = number++ == 0;
        return said(first ? 307 : 200)
            .with("Location", "https://evil.example/")
            .with("X-RateLimit-Limit", "10")
            .with("X-RateLimit-Remaining", first ? "0" : "9")
            .with("X-RateLimit-Reset", "30");
    });
    stage on(wire);
    auto const refused = on.ask(get("/a/v1/things"));
    REQUIRE(!refused.has_value());
    CHECK(refused.error().code() == errc::redirect_refused);
    CHECK(on.ask(get("/a/v1/things")).has_value());
    CHECK(on.elapsed() >= 30s);
}

TEST_CASE("E3: observers hear of a redirect as of any try, and that it is followed at once")
{
    auto const eye = std::make_shared<notes>();
    auto settings = support::test_config();
    settings.observer = eye;
    auto wire = script();
    wire->reply(307).header("Location", "/b").header("X-Request-Id", "r-1");
    wire->reply(200).header("X-Request-Id", "r-2");
    CHECK(ask(wire, get("/a/v1/things"), {}, settings).has_value());
    CHECK(
        eye->heard ==
        support::list_of(
            "start 1", "end 1 307 not well, r-1", "again 0 s, redirected", "start 2", "end 2 200 well, r-2"
        )
    );

    eye->heard.clear();
    auto refused = script();
    refused->reply(307).header("Location", "/b").reply(308).header("Location", "https://evil.example");
    CHECK(!ask(refused, get("/a/v1/things"), {}, settings).has_value());
    CHECK(
        eye->heard ==
        support::list_of(
            "start 1", "end 1 307 not well", "again 0 s, redirected", "start 2", "end 2 308 not well", "give up refused"
        )
    );
}

TEST_CASE("metrics count a redirect among what is free, and a refused one as a failure")
{
    auto const wire = std::make_shared<talking_wire>([](ccloud::http_request const& request) {
        if (request.target() == "/a")
            return said(307).with("Location", "/b");
        return request.target() == "/b" ? said(200) : said(302).with("Location", "//evil.example");
    });
    stage on(wire);
    CHECK(on.ask(get("/a")).has_value());
    CHECK(!on.ask(get("/c")).has_value());
    auto const now = on.cloud().metrics();
    CHECK(now.calls == 2);
    CHECK(now.succeeded == 1);
    CHECK(now.failed == 1);
    CHECK(now.attempts == 3);
    CHECK(now.replays == 1);
    CHECK(now.in_flight == 0);
}

TEST_CASE("typed calls are redirected like others: what is created, read, changed and removed")
{
    constexpr auto json = R"({"id":"ipg-1","group_name":"CorpNet"})";
    auto wire = script();
    for (int const status : {201, 200, 200, 204})
    {
        wire->reply(307).header("Location", "https://api.example.test/iam/v3/moved");
        wire->reply(status, status == 204 ? "" : json);
    }
    wire->reply(307).header("Location", "/iam/v3/moved").reply(404);
    with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        auto made = co_await groups.create(iam::create_ip_group("CorpNet").cidr_block("10.0.0.0/8"));
        CHECK(made.value().id == "ipg-1");
        auto read = co_await groups.get("ipg-1");
        CHECK(read.value().group_name == "CorpNet");
        auto changed = co_await groups.update("ipg-1", iam::update_ip_group("CorpNet", "10.0.0.0/8"));
        CHECK(changed.has_value());
        auto gone = co_await groups.remove("ipg-1");
        REQUIRE(gone.has_value());
        CHECK(!gone->already_gone);
        auto never = co_await groups.remove("ipg-1");
        REQUIRE(!never.has_value()); // a redirect has removed nothing
        CHECK(never.error() == condition::not_found);
    });
    for (std::size_t i = 0; i < wire->requests().size(); i += 2)
    {
        auto const& before = wire->requests()[i].request;
        auto const& after = wire->requests()[i + 1].request;
        CHECK(after.target() == "/iam/v3/moved");
        CHECK(after.verb() == before.verb());
        CHECK(after.body() == before.body());
    }
}

TEST_CASE("a listing goes on where its pages are redirected, each item once, though any one step fails")
{
    std::vector<std::string> const whole{"a", "b", "c"};
    auto const serve = [](ccloud::http_request const& request) {
        auto const moved = [&](std::string_view to) {
            ccloud::http_headers fields;
            auto const query = request.target().find('?');
            fields.add("Location", std::string(to) + request.target().substr(query));
            return ccloud::http_response(307, std::move(fields), {});
        };
        if (request.target().starts_with("/iam/v2/"))
            return moved("/iam/v3/ip-groups");
        if (request.target().starts_with("/iam/v3/"))
            return moved("/iam/v4/ip-groups");
        bool const second = says(request.target(), "page_token=T1");
        std::string const first_page = R"({"metadata":{"next":"https://x.example/iam/v2/ip-groups?page_token=T1"},)"
                                       R"("data":[{"id":"a"},{"id":"b"}]})";
        return ccloud::http_response(200, {}, second ? R"({"metadata":{},"data":[{"id":"c"}]})" : first_page);
    };
    for (std::size_t at = 0; at <= 6; ++at)
    {
        CAPTURE(at);
        auto wire = script();
        wire->reply_with(serve);
        wire->fail_at(at, errc::connection_lost, progress::maybe_sent);
        with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
            auto listing = iam::ip_groups(cloud).list({.page_size = 2});
            auto all = co_await listing.collect();
            REQUIRE(all.has_value());
            std::vector<std::string> ids;
            for (auto const& each : *all)
                ids.push_back(each.id);
            CHECK(ids == whole);
        });
        CHECK(wire->requests().size() == (at < 6 ? 7u : 6u));
    }
}

TEST_CASE("rule 10: a redirected call survives, or ends clearly, when it fails at any one step, and is executed once")
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
    constexpr int hops = 3;
    for (auto const& [code, reached] : failures)
        for (auto const verb : {method::get, method::post})
            for (std::size_t at = 0; at <= hops + 1; ++at)
            {
                CAPTURE(code);
                CAPTURE(verb);
                CAPTURE(at);
                moving_server server(hops);
                auto const wire = script();
                wire->reply_with([&server](ccloud::http_request const& request) {
                    auto answer = server.answer(request);
                    return ccloud::http_response(answer.status, std::move(answer.headers), std::move(answer.body));
                });
                wire->fail_at(at, code, reached);
                auto const got =
                    ask(wire, ccloud::http_request(verb, "/a/v1/things/0").replayable(verb == method::get));
                bool const fails = at <= hops;
                bool const repeated = reached == progress::not_sent || verb == method::get;
                bool const survives = !fails || (repeated && code != errc::certificate_rejected);
                CHECK(got.has_value() == survives);
                CHECK(server.executed == (survives ? 1 : 0));
                if (survives)
                {
                    CHECK(wire->requests().size() == hops + (fails ? 2u : 1u));
                    CHECK(got.response().attempts() == static_cast<int>(wire->requests().size()));
                    continue;
                }
                CHECK(wire->requests().size() == at + 1);
                CHECK(got.error().code() == code);
                CHECK(got.error().progress() == reached);
                auto expected = std::vector<retry_reason>(at, retry_reason::redirected);
                expected.push_back(retry_reason::none);
                CHECK(reasons(got.error()) == expected);
            }
}

namespace {

/** Plays a chain of redirects to each of its handlers in turn, and then does something to it. */
template <class Function>
void after_every_handler(Function const& then)
{
    for (auto const threads : {ccloud::threading::serial, ccloud::threading::safe})
        for (auto const verb : {method::get, method::post})
        {
            bool more = true;
            for (int k = 0; more; ++k)
            {
                CAPTURE(threads);
                CAPTURE(k);
                moving_server server(3, 307, 1s);
                auto const wire = std::make_shared<talking_wire>(server.talk());
                auto settings = support::test_config();
                settings.threading = threads;
                stage on(wire, settings);
                auto& call = on.add(ccloud::http_request(verb, "/a/v1/things/0"));
                for (int i = 0; i < k && !call.ended(); ++i)
                    on.step();
                more = !call.ended();
                if (more)
                    then(on, *wire, call, threads);
                if (call.ended())
                    CHECK(server.executed <= 1);
            }
        }
}

/** What every call says that ended before its chain did. */
void check_broken_off(support::played_call const& call, talking_wire const& wire, errc code)
{
    REQUIRE(call.ended());
    CHECK(!call.thrown);
    if (call.ok())
        return; // it was at its end
    auto const& failure = call.failure();
    CHECK(failure.code() == code);
    CHECK(failure == condition::cancelled);
    auto const tries = failure.attempts().size();
    CHECK(tries == wire.requests().size());
    for (std::size_t i = 0; i + 1 < tries; ++i)
    {
        CHECK(failure.attempts()[i].reason == retry_reason::redirected);
        CHECK(failure.attempts()[i].status == 307);
    }
    if (tries == 0)
        CHECK(failure.progress() == progress::not_sent);
    else if (failure.status() == 307)
        CHECK(failure.attempts().back().reason == retry_reason::redirected); // between two hops
    else
        CHECK(failure.progress() == progress::maybe_sent);
}

} // namespace

TEST_CASE("X1: a redirected call is cancelled after every handler: it ends at once, and sends nothing more")
{
    after_every_handler([](stage& on, talking_wire& wire, support::played_call& call, ccloud::threading threads) {
        bool heard = false;
        std::size_t before = 0;
        asio::post(on.context(), [&] {
            heard = true;
            before = wire.requests().size();
            if (!call.ended())
                call.cancel();
        });
        while (!heard)
            on.step();
        auto const now = on.elapsed();
        on.poll();
        CHECK(on.elapsed() == now);
        if (threads == ccloud::threading::serial)
            CHECK(wire.requests().size() == before);
        check_broken_off(call, wire, errc::cancelled);
        CHECK(wire.in_flight() == 0);
        CHECK(on.cloud().metrics().in_flight == 0);
        CHECK(on.ask(get("/a/v1/things/9")).has_value());
    });
}

namespace {

/** Does something at a time, before anything else that is due then. */
struct interruption : ccloud::timer_node
{
    explicit interruption(std::function<void()> what) : then(std::move(what))
    {
        fire = [](ccloud::timer_node& node) noexcept { static_cast<interruption&>(node).then(); };
    }
    std::function<void()> then;
};

/** Plays a chain of redirects of one second each, with something that happens in the very moment of an answer, just
    before the call hears of it. */
void at_each_answer(errc code, std::function<void(stage&, support::played_call&)> const& then)
{
    for (int answer = 1; answer <= 4; ++answer)
    {
        CAPTURE(answer);
        moving_server server(3, 307, 1s);
        auto const wire = std::make_shared<talking_wire>(server.talk());
        stage on(wire);
        support::played_call* call = nullptr;
        // By a post, because from outside of the executor, Boost 1.81 cancels a coroutine a turn later than 1.83 does.
        interruption strike([&] { asio::post(on.context(), [&] { then(on, *call); }); });
        wire->arm(strike, wire->now() + answer * 1s);
        call = &on.add(post("/a/v1/things/0"));
        on.run();
        CHECK(on.elapsed() == answer * 1s);
        CHECK(wire->requests().size() == static_cast<std::size_t>(answer));
        wire->disarm(strike);
        check_broken_off(*call, *wire, code);
        if (answer == 4)
        {
            CHECK(call->ok()); // its last answer was there
            continue;
        }
        REQUIRE(!call->ok());
        CHECK(call->failure().status() == 307);
        CHECK(call->failure().attempts().size() == static_cast<std::size_t>(answer));
        CHECK(call->failure().attempts().back().reason == retry_reason::redirected);
        CHECK(server.executed == 0);
    }
}

} // namespace

TEST_CASE("X2: a cancellation in the turn of a redirect keeps the next hop from being sent")
{
    at_each_answer(errc::cancelled, [](stage&, support::played_call& call) { call.cancel(); });
}

TEST_CASE("X4: close() in the turn of a redirect keeps the next hop from being sent")
{
    at_each_answer(errc::client_closed, [](stage& on, support::played_call&) { on.cloud().close(); });
}

TEST_CASE("X4: close() after every handler ends a redirected call at once")
{
    after_every_handler([](stage& on, talking_wire& wire, support::played_call& call, ccloud::threading) {
        on.cloud().close();
        on.poll();
        check_broken_off(call, wire, errc::client_closed);
        CHECK(wire.in_flight() == 0);
    });
}

TEST_CASE("X4: the last handle, or the execution context, goes after every handler of a redirected call")
{
    after_every_handler([](stage& on, talking_wire& wire, support::played_call& call, ccloud::threading) {
        on.drop_client();
        on.poll();
        check_broken_off(call, wire, errc::client_closed);
    });
    after_every_handler([](stage& on, talking_wire&, support::played_call&, ccloud::threading) { on.drop_context(); });
}

TEST_CASE("a client that drains follows no redirect: what is on the wire ends with the answer it got")
{
    moving_server server(3, 307, 1s);
    auto const wire = std::make_shared<talking_wire>(server.talk());
    stage on(wire);
    auto& call = on.call(get("/a/v1/things/0"));
    std::optional<ccloud::drained> end;
    auto body = [](ccloud::client cloud, auto& into) -> asio::awaitable<void> {
        auto outcome = co_await cloud.close(10s);
        into = outcome.value();
    };
    asio::co_spawn(on.context(), body(on.cloud(), end), [](std::exception_ptr thrown) { CHECK(!thrown); });
    on.run();
    REQUIRE(!call.ok());
    CHECK(call.failure().code() == errc::client_closed);
    CHECK(call.failure().status() == 307);
    CHECK(wire->requests().size() == 1);
    REQUIRE(end.has_value());
    CHECK(end->finished == 1);
    CHECK(end->cut == 0);
    CHECK(on.elapsed() == 1s);
}
