// Responses with a complete header section and an incomplete or damaged body: the parts that are kept, the error, and
// the retries.
#include <ccloud/ccloud.hpp>
#include <ccloud/transport.hpp>

#include "caller.hpp"
#include "printers.hpp"
#include "puppet_server.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;
using ccloud::condition;
using ccloud::errc;
using ccloud::method;
using ccloud::progress;
using support::begun_call;
using support::caller;
using support::puppet_server;

namespace {

constexpr std::string_view ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
constexpr std::size_t body_limit = 4'096;

bool mentions(std::string_view text, std::string_view part)
{
    return text.find(part) != std::string_view::npos;
}

ccloud::http_request request_of(method verb)
{
    ccloud::http_request request(verb, "/org/v2/environments");
    if (verb != method::get && verb != method::del)
        request.body("{}");
    if (verb == method::patch)
        request.replayable(true); // as the PATCHes of this library
    return request;
}

/** What happens to the body of a response. */
struct breakage
{
    std::string name;
    std::string rest; ///< of the head, and what comes of the body
    enum ending { stays_open, fin, rst, timeout, deadline, cancelled, closed } then = stays_open;
    errc code = errc::unset;
    bool repeated = false; ///< for what may be sent twice
    std::string told;      ///< in the text of the error

    bool takes_time() const noexcept { return then == timeout || then == deadline; }
};

std::vector<breakage> breakages()
{
    std::string const length = "Content-Length: 9\r\n\r\n{\"id\"";
    std::string const chunked = "Transfer-Encoding: chunked\r\n\r\n";
    std::string const large(body_limit + 1, 'x');
    return {
        {"cut by FIN", length, breakage::fin, errc::connection_lost, true, "5 of 9 bytes"},
        {"cut by RST", length, breakage::rst, errc::connection_lost, true, "5 of 9 bytes"},
        {"cut before its first byte", "Content-Length: 9\r\n\r\n", breakage::fin, errc::connection_lost, true,
         "0 of 9 bytes"},
        {"cut in a chunk", chunked + "9\r\nhi", breakage::fin, errc::connection_lost, true, "body"},
        {"cut before the last chunk", chunked + "2\r\nhi\r\n", breakage::fin, errc::connection_lost, true, "body"},
        {"cut in the trailers", chunked + "2\r\nhi\r\n0\r\nX: ", breakage::fin, errc::connection_lost, true, "body"},
        {"until close, and reset", "\r\nhi", breakage::rst, errc::connection_lost, true, "body"},
        {"no size of a chunk", chunked + "zz\r\nhi", breakage::stays_open, errc::malformed_response, false, "chunk"},
        {"no end of a chunk", chunked + "2\r\nhihi", breakage::stays_open, errc::malformed_response, false, "chunk"},
        {"longer than the limit", "Content-Length: 9999\r\n\r\n" + large, breakage::stays_open,
         errc::response_too_large, false, "config::limits.response_body (4096 bytes)"},
        {"chunks longer than the limit", chunked + "1001\r\n" + large, breakage::stays_open, errc::response_too_large,
         false, "config::limits.response_body (4096 bytes)"},
        {"until close, longer than the limit", "\r\n" + large, breakage::stays_open, errc::response_too_large, false,
         "config::limits.response_body (4096 bytes)"},
        {"attempt timeout", length, breakage::timeout, errc::attempt_timeout, true, "5 of 9 bytes"},
        {"deadline", length, breakage::deadline, errc::deadline_exceeded, false, "5 of 9 bytes"},
        {"cancelled", length, breakage::cancelled, errc::cancelled, false, "5 of 9 bytes"},
        {"client closed", length, breakage::closed, errc::client_closed, false, "5 of 9 bytes"},
    };
}

/** Makes a call whose first response breaks. Later requests are answered with 200. */
struct broken_call
{
    broken_call(breakage const& how, std::string_view status, method verb, int attempts = 1)
        : settings(server.settings()), client(adjusted(settings, how, attempts))
    {
        ccloud::call_options options;
        if (how.then == breakage::deadline)
            options.timeout = 300ms;
        call = &client.begin(request_of(verb), options);
        REQUIRE(client.until([&] { return server.accepted() == 1 && server.requests() == 1; }));
        server.send(
            "HTTP/1.1 " + std::string(status) +
            "\r\nX-Request-Id: r-1\r\nLocation: /org/v2/environments/env-1?secret=1\r\n" + how.rest
        );
        client.poll();
        switch (how.then)
        {
        case breakage::fin: server.end(); break;
        case breakage::rst: server.reset(); break;
        case breakage::cancelled: call->signal.emit(boost::asio::cancellation_type::terminal); break;
        case breakage::closed: client.cloud->close(); break;
        case breakage::stays_open:
        case breakage::timeout:
        case breakage::deadline: break;
        }
        REQUIRE(client.until([&] {
            repeated = repeated || (server.accepted() == 2 && server.requests(1) == 1);
            if (repeated && !answered)
                server.send(ok, 1);
            answered = repeated;
            return call->over();
        }));
    }

    static ccloud::config const& adjusted(ccloud::config& settings, breakage const& how, int attempts)
    {
        settings.attempt_timeout = how.then == breakage::timeout ? 300ms : 5s;
        settings.limits.response_body = body_limit;
        settings.retry.max_attempts = attempts;
        settings.retry.max_throttle_retries = attempts - 1;
        settings.retry.base_delay = settings.retry.max_delay = 0ms;
        settings.retry.throttle_base_delay = settings.retry.throttle_max_delay = 0ms;
        return settings;
    }

    puppet_server server;
    ccloud::config settings;
    caller client;
    begun_call* call = nullptr;
    bool repeated = false;
    bool answered = false;
};

bool is_ours(errc code)
{
    return code == errc::attempt_timeout || code == errc::deadline_exceeded || code == errc::cancelled ||
           code == errc::client_closed;
}

} // namespace

TEST_CASE(
    "a response whose header section has arrived is answered, and keeps status and fields, however its body breaks"
)
{
    for (std::string_view const status :
         {"200 OK", "201 Created", "202 Accepted", "400 Bad Request", "401 No", "403 Forbidden", "404 Not Found",
          "409 Conflict", "308 Permanent Redirect"})
        for (auto const& how : breakages())
            for (auto const verb : {method::get, method::post})
            {
                CAPTURE(status);
                CAPTURE(how.name);
                CAPTURE(verb);
                if (how.takes_time() && status != "201 Created" && status != "404 Not Found")
                    continue;
                broken_call const tried(how, status, verb);
                REQUIRE(!tried.call->good());
                auto const& failure = tried.call->error();
                CHECK(failure == how.code);
                CHECK(failure.progress() == progress::answered);
                CHECK(failure.status() == std::stoi(std::string(status.substr(0, 3))));
                CHECK(failure.request_id() == "r-1");
                CHECK(failure.response().location() == "/org/v2/environments/env-1?secret=1");
                CHECK(mentions(failure.detail(), how.told));
                CHECK(mentions(failure.what(), "request r-1"));
                CHECK(!mentions(failure.what(), "maybe sent"));
                CHECK(!mentions(failure.what(), "secret"));
                if (is_ours(how.code))
                    CHECK(!failure.cause());
                REQUIRE(failure.attempts().size() == 1);
                CHECK(failure.attempts()[0].status == failure.status());
                CHECK(failure.attempts()[0].code == how.code);
                CHECK(failure.attempts()[0].progress == progress::answered);
                CHECK(failure.attempts()[0].request_id == "r-1");
                CHECK(tried.client.connections().idle == 0);
            }
}

TEST_CASE("a status counts for the conditions of an error even if the body of the response is incomplete")
{
    auto const cut = breakages().front();
    for (auto const& [status, holds] : std::vector<std::pair<std::string_view, std::vector<condition>>>{
             {"404 Not Found", {condition::not_found, condition::gone, condition::network}},
             {"409 Conflict", {condition::conflict, condition::network}},
             {"401 No", {condition::unauthenticated, condition::network}},
             {"403 Forbidden", {condition::forbidden, condition::network}}, // its words might have named the key
             {"402 Payment Required", {condition::quota_exceeded, condition::network}},
             {"422 No", {condition::invalid_request, condition::network}},
             {"200 OK", {condition::network}},
         })
    {
        CAPTURE(status);
        broken_call const tried(cut, status, method::get);
        REQUIRE(!tried.call->good());
        for (auto const what :
             {condition::not_found, condition::gone, condition::conflict, condition::unauthenticated,
              condition::forbidden, condition::quota_exceeded, condition::invalid_request, condition::network,
              condition::server_failure, condition::throttled, condition::cancelled})
        {
            bool expected = false;
            for (auto const each : holds)
                expected = expected || each == what;
            CAPTURE(what);
            CHECK(tried.call->error().is(what) == expected);
        }
    }
}

TEST_CASE("the error of a POST with an incomplete 201 says that the object was created, and where")
{
    for (auto const& how : breakages())
    {
        CAPTURE(how.name);
        broken_call const created(how, "201 Created", method::post);
        REQUIRE(!created.call->good());
        CHECK(mentions(created.call->error().what(), "the server created the object"));
        CHECK(mentions(created.call->error().what(), "Location: /org/v2/environments/env-1"));
        broken_call const refused(how, "409 Conflict", method::post);
        CHECK(!mentions(refused.call->error().what(), "created"));
    }
    auto const cut = breakages().front();
    broken_call const changed(cut, "200 OK", method::patch);
    CHECK(mentions(changed.call->error().what(), "the server carried out the request"));
    broken_call const accepted(cut, "202 Accepted", method::post);
    CHECK(mentions(accepted.call->error().what(), "the server accepted the request"));
    broken_call const read(cut, "200 OK", method::get);
    CHECK(!mentions(read.call->error().what(), "the server"));
}

TEST_CASE("after an incomplete body a POST is not retried, and replayable requests are")
{
    for (std::string_view const status : {"200 OK", "201 Created", "404 Not Found", "409 Conflict"})
        for (auto const& how : breakages())
            for (auto const verb : {method::get, method::patch, method::del, method::post})
            {
                CAPTURE(status);
                CAPTURE(how.name);
                CAPTURE(verb);
                if (how.takes_time() && status != "200 OK")
                    continue;
                broken_call const tried(how, status, verb, 2);
                bool const removed = verb == method::del && status.starts_with('2') && how.takes_time();
                CHECK(tried.repeated == (how.repeated && verb != method::post && !removed));
                if (removed)
                    CHECK(tried.call->good());
                if (tried.repeated)
                    CHECK(tried.call->good());
            }
}

TEST_CASE("I5: a status that allows a retry counts as that status, however its body breaks")
{
    for (std::string_view const status :
         {"500 No", "503 No", "429 Too Many Requests", "502 Bad Gateway", "408 Request Timeout"})
        for (auto how : breakages())
        {
            if (how.then == breakage::cancelled || how.then == breakage::closed)
                continue;
            if (how.takes_time() && status != "503 No")
                continue;
            for (auto const verb : {method::get, method::post})
            {
                CAPTURE(status);
                CAPTURE(how.name);
                CAPTURE(verb);
                how.rest = "Retry-After: 0\r\n" + how.rest;
                broken_call const tried(how, status, verb, 2);
                int const code = std::stoi(std::string(status.substr(0, 3)));
                bool const turned_away = code == 429 || code == 503;
                bool const wanted = (turned_away || verb == method::get) && how.then != breakage::deadline;
                CHECK(tried.repeated == wanted);
                if (wanted)
                {
                    CHECK(tried.call->good());
                    continue;
                }
                REQUIRE(!tried.call->good());
                CHECK(tried.call->error() == errc::http_status);
                CHECK(tried.call->error().status() == code);
                CHECK(tried.call->error().progress() == progress::answered);
                CHECK(tried.call->error().response().retry_after() == "0");
            }
        }
}

TEST_CASE("I5: a status that allows a retry counts even if the framing is invalid (RFC 9112 section 6)")
{
    for (std::string_view const framing :
         {"Transfer-Encoding: banana\r\n", "Transfer-Encoding: gzip, chunked\r\n", "Content-Length: x\r\n",
          "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n"})
        for (std::string_view const status : {"500 No", "503 No"})
        {
            CAPTURE(framing);
            CAPTURE(status);
            breakage how;
            how.rest = std::string(framing) + "\r\n2\r\nhi\r\n0\r\n\r\n";
            broken_call const tried(how, status, method::get, 2);
            CHECK(tried.repeated);
            CHECK(tried.call->good());
        }
}

TEST_CASE("a cancelled or closed call whose 503 has arrived keeps its status")
{
    for (auto const& how : breakages())
        if (how.then == breakage::cancelled || how.then == breakage::closed)
            for (auto const verb : {method::get, method::post})
            {
                CAPTURE(how.name);
                CAPTURE(verb);
                broken_call const tried(how, "503 No", verb, 2);
                REQUIRE(!tried.call->good());
                CHECK(tried.call->error() == how.code);
                CHECK(tried.call->error().status() == 503);
                CHECK(tried.call->error().progress() == progress::answered);
                CHECK(!tried.call->error().cause());
                CHECK(!tried.repeated);
            }
}

TEST_CASE("rate limits in the fields of an incomplete response are learnt")
{
    auto const cut = breakages().front();
    for (std::string_view const status : {"200 OK", "404 Not Found"})
    {
        puppet_server server;
        auto settings = server.settings();
        settings.retry.on_exhausted = ccloud::on_exhausted::fail_fast;
        caller client(settings);
        auto& first = client.begin();
        REQUIRE(client.until([&] { return server.accepted() == 1 && server.requests() == 1; }));
        server.send(
            "HTTP/1.1 " + std::string(status) +
            "\r\nX-RateLimit-Limit: 10\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 60\r\n" + cut.rest
        );
        server.end();
        REQUIRE(client.until([&] { return first.over(); }));
        auto& second = client.begin();
        REQUIRE(client.until([&] { return second.over() || server.accepted() == 2; }));
        REQUIRE(second.over());
        CHECK(second.error() == errc::rate_limited);
    }
}

namespace {

/** Ends a call from the client's side at some point of an exchange. Returns its error. */
ccloud::error ended_by_us(errc how, std::string_view received, std::string upload = {})
{
    puppet_server server;
    auto settings = server.settings();
    settings.attempt_timeout = how == errc::attempt_timeout ? 200ms : 10s;
    caller client(settings);
    ccloud::call_options options;
    if (how == errc::deadline_exceeded)
        options.timeout = 200ms;
    ccloud::http_request request(method::post, "/x");
    bool const uploads = !upload.empty();
    request.body(std::move(upload));
    auto& call = client.begin(std::move(request), options);
    REQUIRE(client.until([&] { return server.accepted() == 1; }));
    if (uploads)
        client.poll();
    else
        REQUIRE(client.until([&] { return server.requests() == 1; }));
    server.send(received);
    client.poll();
    if (how == errc::cancelled)
        call.signal.emit(boost::asio::cancellation_type::terminal);
    if (how == errc::client_closed)
        client.cloud->close();
    REQUIRE(client.until([&] { return call.over(); }));
    REQUIRE(!call.good());
    return call.error();
}

} // namespace

TEST_CASE("a call that the client ended has no cause, and its error says what it waited for")
{
    struct row
    {
        std::string received;
        std::string awaited;
    };
    for (errc const how : {errc::attempt_timeout, errc::deadline_exceeded, errc::cancelled, errc::client_closed})
        for (auto const& [received, awaited] : std::vector<row>{
                 {"", "the first byte of the response"},
                 {"HTTP/1.1 2", "the rest of the response header"},
                 {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n", "the rest of the response header"},
                 {"HTTP/1.1 103 Early Hints\r\n\r\n", "the response after 1 interim response"},
                 {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "the rest of the body, 0 of 9 bytes"},
                 {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12345", "the rest of the body, 5 of 9 bytes"},
                 {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
                  "the rest of the body, 5 bytes so far"},
                 {"HTTP/1.1 200 OK\r\n\r\n12345", "the end of the connection, which ends the body, 5 bytes so far"},
             })
        {
            CAPTURE(how);
            CAPTURE(received);
            auto const failure = ended_by_us(how, received);
            CHECK(failure == how);
            CHECK(!failure.cause());
            CHECK(mentions(failure.detail(), "waiting for " + awaited));
            CHECK(!mentions(failure.what(), "Operation canceled"));
            CHECK(!mentions(failure.what(), "Bad file descriptor"));
        }
}

TEST_CASE("a call that the client ended while writing the request says how much was written, and has no cause")
{
    for (errc const how : {errc::attempt_timeout, errc::deadline_exceeded, errc::cancelled, errc::client_closed})
    {
        CAPTURE(how);
        auto const failure = ended_by_us(how, "", std::string(64 * 1024 * 1024, 'x'));
        CHECK(failure == how);
        CHECK(!failure.cause());
        CHECK(mentions(failure.detail(), "writing the request, "));
        CHECK(mentions(failure.detail(), " of 671"));
        CHECK(failure.progress() == progress::maybe_sent);
    }
}

TEST_CASE("a lost connection keeps its cause, and the error says what the call waited for")
{
    for (auto const& [received, awaited] : std::vector<std::pair<std::string, std::string>>{
             {"", "the first byte of the response"},
             {"HTTP/1.1 200", "the rest of the response header"},
             {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12345", "the rest of the body, 5 of 9 bytes"},
         })
        for (bool const resets : {false, true})
        {
            CAPTURE(received);
            CAPTURE(resets);
            puppet_server server;
            caller client(server.settings());
            auto& call = client.begin();
            REQUIRE(client.until([&] { return server.accepted() == 1 && server.requests() == 1; }));
            server.send(received);
            client.poll();
            resets ? server.reset() : server.end();
            REQUIRE(client.until([&] { return call.over(); }));
            REQUIRE(!call.good());
            CHECK(call.error() == errc::connection_lost);
            CHECK(call.error().cause());
            CHECK(mentions(call.error().detail(), "waiting for " + awaited));
        }
}

namespace {

/** A DELETE with this response. */
begun_call& remove(caller& client, puppet_server& server, std::string_view bytes)
{
    auto& call = client.begin(request_of(method::del));
    REQUIRE(client.until([&] { return server.accepted() == 1 && server.requests() == 1; }));
    server.send(bytes);
    client.poll();
    return call;
}

} // namespace

TEST_CASE("a DELETE does not fail because of the coding, the damage or the length of its body")
{
    std::string const length = "Content-Length: 9\r\n";
    struct row
    {
        std::string rest;
        bool kept = true; ///< the connection is used again
        std::string body{};
    };
    for (auto const& [rest, kept, body] : std::vector<row>{
             {"Content-Encoding: br\r\n" + length + "\r\n123456789", true, "123456789"},
             {"Content-Encoding: gzip\r\n" + length +
                  "\r\n\x1f\x8b"
                  "3456789",
              true,
              "\x1f\x8b"
              "3456789"},
             {"Content-Encoding: gzip\r\n" + length + "\r\n{\"id\":12}", true, "{\"id\":12}"},
             {"Content-Length: 4097\r\n\r\n" + std::string(4'097, 'x'), false},
             {"Transfer-Encoding: chunked\r\n\r\n1001\r\n" + std::string(4'097, 'x'), false},
             {"\r\n" + std::string(5'000, 'x'), false},
             {"Transfer-Encoding: chunked\r\n\r\nzz\r\n", false},
             {"Transfer-Encoding: chunked\r\n\r\n2\r\nhihihi", false},
             {"Content-Type: application/json\r\n" + length + "\r\n{\"broken\"", true, "{\"broken\""},
         })
        for (std::string_view const status : {"200 OK", "202 Accepted"})
        {
            CAPTURE(rest.substr(0, 60));
            CAPTURE(status);
            puppet_server server;
            auto settings = server.settings();
            settings.limits.response_body = body_limit;
            settings.attempt_timeout = 2s;
            caller client(settings);
            auto& call = remove(client, server, "HTTP/1.1 " + std::string(status) + "\r\n" + rest);
            REQUIRE(client.until([&] { return call.over(); }));
            REQUIRE(call.good());
            CHECK(call.how->value().status() == std::stoi(std::string(status.substr(0, 3))));
            CHECK(call.how->value().body() == body);
            CHECK(client.connections().idle == (kept ? 1 : 0));
        }
}

TEST_CASE("a DELETE that is answered with 2xx has succeeded, even if every response to it is cut off")
{
    for (bool const resets : {false, true})
    {
        puppet_server server;
        auto settings = server.settings();
        caller client(settings);
        std::optional<ccloud::result<ccloud::removed>> got;
        auto work = [](ccloud::client cloud, auto& out) -> boost::asio::awaitable<void> {
            ccloud::iam::ip_groups groups(cloud);
            out = co_await groups.remove("ipg-1");
        };
        boost::asio::co_spawn(client.context, work(*client.cloud, got), [](std::exception_ptr failed) {
            CHECK(!failed);
        });
        REQUIRE(client.until([&] { return server.accepted() == 1 && server.requests() == 1; }));
        server.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"id\"");
        client.poll();
        resets ? server.reset() : server.end();
        REQUIRE(client.until([&] { return got.has_value(); }));
        REQUIRE(got->has_value());
        CHECK(!got->value().already_gone);
        CHECK(got->response().status() == 200);
    }
}

TEST_CASE("a DELETE that was answered with 2xx waits one second for the rest of the body, and has succeeded")
{
    struct row
    {
        std::string_view status;
        std::string_view rest;
    };
    for (auto const& [status, rest] :
         {row{"200 OK", "Content-Length: 5\r\n\r\n"}, row{"202 Accepted", "Content-Length: 5\r\n\r\nhi"},
          row{"200 OK", "Transfer-Encoding: chunked\r\n\r\n5\r\nhi"}, row{"200 OK", "\r\nhi"}})
    {
        CAPTURE(rest);
        CAPTURE(status);
        puppet_server server;
        auto settings = server.settings();
        settings.attempt_timeout = 30s;
        settings.retry = ccloud::retry_policy();
        caller client(settings);
        auto& call =
            remove(client, server, "HTTP/1.1 " + std::string(status) + "\r\nX-Request-Id: r-1\r\n" + std::string(rest));
        REQUIRE(client.until([&] { return call.over(); }));
        REQUIRE(call.good());
        CHECK(call.how->value().status() == std::stoi(std::string(status.substr(0, 3))));
        CHECK(call.how->value().body() == ""); // an incomplete body must not look complete
        CHECK(call.how->response().attempts() == 1);
        CHECK(server.accepted() == 1);
        CHECK(server.requests() == 1);
        CHECK(client.connections().idle == 0);
        CHECK(client.until([&] { return server.left(); }));
    }
}

TEST_CASE("an error response that is announced to be longer than the limit keeps the beginning of its body")
{
    std::string const body = R"({"errors":[{"code":"c-1","detail":"no such thing"}]})";
    for (std::string_view const framing :
         {"Content-Length: 99999999999\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n174876e7ff\r\n"})
        for (std::string_view const status : {"404 Not Found", "409 Conflict", "422 No"})
            for (auto const then : {breakage::stays_open, breakage::fin, breakage::rst})
            {
                if (then == breakage::stays_open && status != "404 Not Found")
                    continue; // takes a second each
                CAPTURE(framing);
                CAPTURE(status);
                CAPTURE(then);
                puppet_server server;
                auto settings = server.settings();
                settings.attempt_timeout = 30s;
                settings.retry.max_attempts = 2;
                caller client(settings);
                auto& call = client.begin();
                REQUIRE(client.until([&] { return server.accepted() == 1 && server.requests() == 1; }));
                server.send(
                    "HTTP/1.1 " + std::string(status) + "\r\nX-Request-Id: r-1\r\n" + std::string(framing) + body
                );
                client.poll();
                if (then == breakage::fin)
                    server.end();
                if (then == breakage::rst)
                    server.reset();
                REQUIRE(client.until([&] { return call.over(); }));
                REQUIRE(!call.good());
                CHECK(call.error() == errc::response_too_large);
                CHECK(call.error().status() == std::stoi(std::string(status.substr(0, 3))));
                CHECK(call.error().request_id() == "r-1");
                CHECK(call.error().body() == body);
                REQUIRE(call.error().problems().size() == 1);
                CHECK(call.error().problems()[0].detail == "no such thing");
                CHECK(mentions(call.error().detail(), "config::limits.response_body"));
                CHECK(server.accepted() == 1);
                CHECK(client.until([&] { return then == breakage::rst || server.left(); }));
            }
}
