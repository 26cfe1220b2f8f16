#include <ccloud/error.hpp>

#include "core/failure.hpp"
#include "fixture.hpp"
#include "printers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using ccloud::condition;
using ccloud::errc;
using ccloud::error;
using ccloud::gave_up;
using ccloud::progress;
using namespace std::chrono_literals;

namespace {

constexpr int last_errc = static_cast<int>(errc::page_token_expired);

constexpr condition all_conditions[] = {
    condition::not_found,      condition::gone,
    condition::conflict,       condition::unauthenticated,
    condition::forbidden,      condition::throttled,
    condition::quota_exceeded, condition::invalid_request,
    condition::server_failure, condition::timed_out,
    condition::cancelled,      condition::network,
    condition::tls_failure,    condition::malformed_response,
};

using conditions = std::vector<condition>;

void check_exactly(error const& failure, conditions const& expected)
{
    for (auto const what : all_conditions)
    {
        CAPTURE(what);
        CHECK(failure.is(what) == (std::find(expected.begin(), expected.end(), what) != expected.end()));
        CHECK((failure == what) == failure.is(what));
    }
}

error answered(int status, std::string_view body = {})
{
    error failure;
    ccloud::core::read_answer(failure.edit(), ccloud::response_info(status, {}), body);
    return failure;
}

} // namespace

TEST_CASE("each status has its conditions and no other")
{
    for (int status = 100; status < 600; ++status)
    {
        conditions expected;
        switch (status)
        {
        case 400:
        case 422: expected = {condition::invalid_request}; break;
        case 401: expected = {condition::unauthenticated}; break;
        case 402: expected = {condition::quota_exceeded}; break;
        case 403: expected = {condition::forbidden}; break;
        case 404: expected = {condition::not_found, condition::gone}; break;
        case 409: expected = {condition::conflict}; break;
        case 410: expected = {condition::gone}; break;
        case 429: expected = {condition::throttled}; break;
        default:
            if (status >= 500)
                expected = {condition::server_failure};
        }
        CAPTURE(status);
        check_exactly(answered(status), expected);
    }
}

TEST_CASE("some statuses mean what their text says (vector 6)")
{
    struct row
    {
        int status;
        std::string_view fixture;
        conditions expected;
    };
    for (auto const& [status, fixture, expected] : std::vector<row>{
             {403, "invalid_api_key_403.json", {condition::forbidden, condition::unauthenticated}},
             {403, "status/403.json", {condition::forbidden, condition::gone}},
             {403, "e_message_only.json", {condition::forbidden, condition::gone}},
             {403, "c_five_digit_code.json", {condition::forbidden}},
             {403, "d_error_object.json", {condition::forbidden, condition::gone}},
             {403, "d_error_object_short.json", {condition::forbidden}},
             {403, "k_before_gzip.json", {condition::forbidden, condition::gone}},
             {403, "i_empty", {condition::forbidden}},
             {403, "h_error_null.json", {condition::forbidden}},
             {403, "j_bad_gateway.html", {condition::forbidden}},
             {403, "j_plain_text.txt", {condition::forbidden}},
             {403, "k_gzip_without_header.json.gz", {condition::forbidden}},
             {410, "e_message_only.json", {condition::gone}},
             {400, "quota_as_400.json", {condition::invalid_request, condition::quota_exceeded}},
             {400, "status/400.json", {condition::invalid_request}},
             {402, "status/402.json", {condition::quota_exceeded}},
             {404, "invalid_api_key_403.json", {condition::not_found, condition::gone}},
             {422, "quota_as_400.json", {condition::invalid_request, condition::quota_exceeded}},
             {403, "quota_as_400.json", {condition::forbidden, condition::quota_exceeded}},
             {409, "quota_as_400.json", {condition::conflict, condition::quota_exceeded}},
             {429, "quota_as_400.json", {condition::throttled, condition::quota_exceeded}},
             {500, "quota_as_400.json", {condition::server_failure, condition::quota_exceeded}},
             {418, "quota_as_400.json", {condition::quota_exceeded}},
             {200, "quota_as_400.json", {}},
             {302, "quota_as_400.json", {}},
             {500, "invalid_api_key_403.json", {condition::server_failure}},
         })
    {
        CAPTURE(status);
        CAPTURE(fixture);
        check_exactly(answered(status, support::fixture("errors/" + std::string(fixture))), expected);
    }
}

TEST_CASE("a bad key is known in any case of letters and in any shape of the body")
{
    for (std::string_view const body :
         {"Invalid API Key", "{\"message\":\"INVALID API KEY.\"}", "<p>invalid api key</p>",
          R"({"error":{"message":"the Invalid API key"}})", R"({"message":"invalid\u0020API key"})",
          R"({"errors":[{"status":"403","detail":"The API Key is invalid"}]})", R"({"message":"api key is invalid."})",
          R"({"errors":[{"code":"invalid_key","detail":"Forbidden"}]})",
          R"({"errors":[{"code":"invalid_api_key","detail":"not found"}]})"})
    {
        CAPTURE(body);
        check_exactly(answered(403, body), {condition::forbidden, condition::unauthenticated});
    }
    check_exactly(
        answered(403, R"({"message":"the API key is valid, the group is not found"})"),
        {condition::forbidden, condition::gone}
    );
}

TEST_CASE("a bad key is known by error=\"invalid_key\" in WWW-Authenticate, as in the example of the API document")
{
    auto const challenged = [](std::string_view value, std::string_view body) {
        ccloud::http_headers headers;
        headers.add("WWW-Authenticate", "Newauth realm=\"x\"").add("www-authenticate", value);
        error failure;
        ccloud::core::read_answer(failure.edit(), ccloud::response_info(403, headers), body);
        return failure;
    };
    constexpr std::string_view deleted = R"({"errors":[{"status":"403","detail":"Forbidden Access"}]})";
    for (std::string_view const value :
         {R"(Basic error="invalid_key", error_description="The API Key is invalid")", "Basic ERROR = invalid_key",
          "Basic realm=\"a\",error=\"invalid_key\"", "Bearer error=\"invalid_token\""})
        for (std::string_view const body : {deleted, std::string_view()})
        {
            CAPTURE(value);
            check_exactly(challenged(value, body), {condition::forbidden, condition::unauthenticated});
        }
    for (std::string_view const value : {"Basic", "Basic realm=\"invalid_key\"", "Bearer error=\"insufficient_scope\""})
    {
        CAPTURE(value);
        check_exactly(challenged(value, deleted), {condition::forbidden, condition::gone});
    }
}

TEST_CASE("a quota is known by its words in any shape of the body (\"currently limited to\" of the official tools)")
{
    for (std::string_view const body :
         {R"({"message":"Your organization is Currently Limited To 10 environments"})",
          R"({"errors":[{"detail":"first"},{"title":"is currently limited to 3"}]})",
          R"({"errors":[{"code":"x","message":"is currently limited to 3","detail":"refused"}]})",
          R"({"error":{"message":"is currently limited to 3"}})",
          R"({"errors":{"detail":"is currently limited to 3"}})",
          R"({"error":"denied","error_description":"is currently limited to 3"})",
          R"({"message":"refused","details":[{"detail":"is currently limited to 3"}]})",
          R"({"message":"is currently\u0020limited to 3"})", "is currently limited to 3\n"})
    {
        CAPTURE(body);
        check_exactly(answered(409, body), {condition::conflict, condition::quota_exceeded});
    }
    for (std::string_view const body : {R"({"message":"is limited to 10"})", "", "{}", "<p>Conflict</p>"})
    {
        CAPTURE(body);
        check_exactly(answered(409, body), {condition::conflict});
    }
    check_exactly(
        answered(403, R"({"errors":[{"detail":"not found: is currently limited to 3"}]})"),
        {condition::forbidden, condition::quota_exceeded}
    );
    auto cut = answered(409, R"({"message":"is currently limited to)");
    cut.edit().code = errc::connection_lost;
    check_exactly(cut, {condition::conflict, condition::quota_exceeded, condition::network});
}

TEST_CASE("a 403 is gone only in the API's own words: proxies and firewalls answer 403, too")
{
    for (std::string_view const body :
         {"<html><head><title>403 Forbidden</title></head></html>",
          "Access denied",
          "",
          " ",
          "[]",
          "\"Forbidden\"",
          "{}",
          R"({"error":null})",
          R"({"blocked":true})",
          "{\"message\":\"x\"} <!-- padding -->",
          R"({"message":"Forbidden"})",
          R"({"error":{"code":403}})",
          R"({"error_code":40301})",
          R"({"error":"access_denied"})",
          R"({"errors":["Forbidden"]})",
          R"({"errors":"Forbidden"})",
          R"({"errors":[],"message":"Forbidden"})",
          R"({"errors":{"detail":"Forbidden"}})",
          R"({"errors":[{}],"message":"Forbidden"})",
          "<p>The page was not found</p>",
          R"({"errors":[{"detail":"x"}],"errors":[],"message":"Forbidden"})"})
    {
        CAPTURE(body);
        check_exactly(answered(403, body), {condition::forbidden});
    }
    for (std::string_view const body :
         {R"({"errors":[{"status":"403","code":"forbidden_access","detail":"Forbidden Access"}]})",
          R"({"message":"resource not found"})", R"({"error":{"code":403,"message":"Not Found"}})",
          R"({"errors":["Not found"]})", R"({"code":"RESOURCE_NOT_FOUND","message":"Forbidden"})",
          R"({"errors":["x",{"code":"forbidden"}]})"})
    {
        CAPTURE(body);
        check_exactly(answered(403, body), {condition::forbidden, condition::gone});
    }
}

TEST_CASE("each failure without an answer has its conditions and no other")
{
    struct row
    {
        errc code;
        conditions expected;
    };
    std::vector<row> const table{
        {errc::unset, {}},
        {errc::invalid_argument, {condition::invalid_request}},
        {errc::busy, {}},
        {errc::client_closed, {condition::cancelled}},
        {errc::rate_limited, {condition::throttled}},
        {errc::queue_full, {}},
        {errc::credentials_unavailable, {}},
        {errc::name_resolution_failed, {condition::network}},
        {errc::connect_failed, {condition::network}},
        {errc::connect_timeout, {condition::network, condition::timed_out}},
        {errc::proxy_authentication_failed, {condition::network}},
        {errc::proxy_refused, {condition::network}},
        {errc::tls_failed, {condition::network, condition::tls_failure}},
        {errc::tls_version_unsupported, {condition::network, condition::tls_failure}},
        {errc::certificate_wrong_host, {condition::network, condition::tls_failure}},
        {errc::certificate_expired, {condition::network, condition::tls_failure}},
        {errc::certificate_self_signed, {condition::network, condition::tls_failure}},
        {errc::certificate_unknown_authority, {condition::network, condition::tls_failure}},
        {errc::certificate_rejected, {condition::network, condition::tls_failure}},
        {errc::client_certificate_rejected, {condition::network, condition::tls_failure}},
        {errc::write_failed, {condition::network}},
        {errc::connection_lost, {condition::network}},
        {errc::attempt_timeout, {condition::timed_out}},
        {errc::deadline_exceeded, {condition::timed_out}},
        {errc::cancelled, {condition::cancelled}},
        {errc::http_status, {}},
        {errc::redirect_refused, {}},
        {errc::malformed_response, {condition::malformed_response}},
        {errc::response_too_large, {condition::malformed_response}},
        {errc::page_link_without_token, {condition::malformed_response}},
        {errc::pagination_loop, {condition::malformed_response}},
        {errc::too_many_empty_pages, {condition::malformed_response}},
        {errc::page_token_expired, {}},
    };
    CHECK(table.size() == static_cast<std::size_t>(last_errc));
    for (auto const& [code, expected] : table)
    {
        CAPTURE(code);
        error const failure(code);
        check_exactly(failure, expected);
        CHECK(failure == code);
        CHECK(failure != (code == errc::busy ? errc::cancelled : errc::busy));
    }
}

TEST_CASE("a status counts even if its body is incomplete, but such a 403 says nothing about keys and objects")
{
    struct row
    {
        int status;
        conditions expected; ///< beside that of the code
    };
    for (auto const& [status, expected] : std::vector<row>{
             {200, {}},
             {201, {}},
             {400, {condition::invalid_request}},
             {401, {condition::unauthenticated}},
             {402, {condition::quota_exceeded}},
             {403, {condition::forbidden}},
             {404, {condition::not_found, condition::gone}},
             {409, {condition::conflict}},
             {410, {condition::gone}},
             {429, {condition::throttled}},
             {503, {condition::server_failure}},
         })
        for (auto const& [code, own] : std::vector<std::pair<errc, condition>>{
                 {errc::malformed_response, condition::malformed_response},
                 {errc::response_too_large, condition::malformed_response},
                 {errc::connection_lost, condition::network},
                 {errc::attempt_timeout, condition::timed_out},
                 {errc::deadline_exceeded, condition::timed_out},
                 {errc::cancelled, condition::cancelled},
                 {errc::client_closed, condition::cancelled},
             })
        {
            CAPTURE(status);
            CAPTURE(code);
            auto failure = answered(status, "{\"message\":\"cut");
            failure.edit().code = code;
            auto all = expected;
            all.push_back(own);
            check_exactly(failure, all);
        }
    auto bad_key = answered(403, "{\"message\":\"invalid API key");
    bad_key.edit().code = errc::connection_lost;
    check_exactly(bad_key, {condition::forbidden, condition::unauthenticated, condition::network});
}

TEST_CASE("a 403 with an unknown content coding may be about the API key, so it is not gone")
{
    error failure;
    ccloud::http_headers headers;
    headers.add("Content-Encoding", "br");
    ccloud::core::read_answer(failure.edit(), ccloud::response_info(403, headers), "\x0b\x02");
    check_exactly(failure, {condition::forbidden});
}

TEST_CASE("an expired page token is a bad request too (P10)")
{
    auto failure = answered(400);
    failure.edit().code = errc::page_token_expired;
    check_exactly(failure, {condition::invalid_request});
}

TEST_CASE("a retry that would have passed the deadline is a time-out beside what it is (T4)")
{
    auto failure = answered(503);
    failure.edit().gave_up = gave_up::deadline_would_pass;
    check_exactly(failure, {condition::server_failure, condition::timed_out});
}

TEST_CASE("an error is one pointer wide, and a value")
{
    static_assert(sizeof(error) == sizeof(void*));
    auto original = answered(404, "{\"message\":\"gone\"}");
    original.edit().path = "/a";
    error copy(original);
    copy.edit().path = "/b";
    CHECK(original.path() == "/a");
    CHECK(copy.path() == "/b");
    CHECK(copy.problems().size() == 1);

    error assigned(errc::cancelled);
    assigned = original;
    CHECK(assigned.what() == original.what());
    auto& itself = assigned;
    assigned = itself;
    CHECK(assigned.path() == "/a");
    assigned = error();
    CHECK(assigned.code() == errc::unset);
    original = assigned;
    CHECK(original.status() == 0);

    error moved(std::move(copy));
    CHECK(moved.path() == "/b");
    copy = std::move(moved);
    CHECK(copy.path() == "/b");
    error none_copied(assigned);
    CHECK(none_copied.code() == errc::unset);
}

TEST_CASE("an error without anything answers every question")
{
    error const none;
    CHECK(none.code() == errc::unset);
    CHECK(none.progress() == progress::not_sent);
    CHECK(none.gave_up() == gave_up::not_retryable);
    CHECK(!none.method().has_value());
    CHECK(none.path().empty());
    CHECK(none.status() == 0);
    CHECK(none.request_id().empty());
    CHECK(none.problems().empty());
    CHECK(none.body().empty());
    CHECK(none.detail().empty());
    CHECK(!none.cause());
    CHECK(none.attempts().empty());
    CHECK(none.elapsed().count() == 0);
    CHECK(!none.retry_after().has_value());
    CHECK(none.what() == "no result yet");
    check_exactly(none, {});
}

TEST_CASE("E2: the line of an error without an answer says how far it got and why it was the last try")
{
    error lost(errc::connection_lost);
    auto& about = lost.edit();
    about.method = ccloud::method::post;
    about.path = "/iam/v2/ip-groups";
    about.progress = progress::maybe_sent;
    about.cause = std::make_error_code(std::errc::connection_reset);
    about.attempts.resize(2);
    about.elapsed = 1'250ms;
    auto const line = "POST /iam/v2/ip-groups: the connection was lost before the whole response was there: " +
                      about.cause.message() + " (attempt 2 in 1.25 s, maybe sent";
    for (auto const& [why, words] : std::vector<std::pair<gave_up, std::string>>{
             {gave_up::not_retryable, ""},
             {gave_up::attempts_exhausted, ", no tries left"},
             {gave_up::deadline_would_pass, ", waiting longer would pass the deadline"},
             {gave_up::retry_after_too_long, ", too long a wait"},
             {gave_up::retry_budget_exhausted, ", the retry budget is used up"},
             {gave_up::limit_exhausted, ", waiting for the limit was not wanted"},
         })
    {
        about.gave_up = why;
        CHECK(lost.what() == line + words + ")");
    }

    CHECK(error(errc::invalid_argument, "id must not be empty").what() == "invalid argument: id must not be empty");
}

TEST_CASE("E2: the line of an error names method, path, attempts, time, last status, what the server asked for and why")
{
    ccloud::http_headers headers;
    headers.add("X-Request-Id", "3f2a");
    error throttled;
    auto& about = throttled.edit();
    about.method = ccloud::method::get;
    about.path = "/iam/v2/ip-groups";
    about.attempts.resize(4);
    about.elapsed = 12'345ms;
    about.retry_after = 60s;
    about.gave_up = gave_up::deadline_would_pass;
    ccloud::core::read_answer(about, ccloud::response_info(429, headers, 4), "{\"message\":\"slow down\"}");
    CHECK(
        throttled.what() ==
        "GET /iam/v2/ip-groups: HTTP 429: slow down (request 3f2a, attempt 4 in 12.3 s, server asked "
        "for 60 s, waiting longer would pass the deadline)"
    );
    CHECK(throttled.retry_after() == 60s);

    about.retry_after = 300s;
    about.gave_up = gave_up::retry_after_too_long;
    CHECK(
        throttled.what() ==
        "GET /iam/v2/ip-groups: HTTP 429: slow down (request 3f2a, attempt 4 in 12.3 s, server asked "
        "for 300 s, too long a wait)"
    );

    about.retry_after = 0s; // asks for nothing
    about.gave_up = gave_up::attempts_exhausted;
    about.response.attempts(20); // of which the history has four
    CHECK(
        throttled.what() ==
        "GET /iam/v2/ip-groups: HTTP 429: slow down (request 3f2a, attempt 20 in 12.3 s, no tries left)"
    );
}

TEST_CASE("E2: the line of a call that was held back says when it might pass")
{
    error held(errc::rate_limited);
    auto& about = held.edit();
    about.method = ccloud::method::get;
    about.path = "/iam/v2/ip-groups";
    about.retry_after = 57s;
    about.gave_up = gave_up::limit_exhausted;
    std::string const line = "GET /iam/v2/ip-groups: the server's limit is used up, and the call was not sent";
    CHECK(held.what() == line + " (opens in 57 s, waiting for the limit was not wanted)");

    about.gave_up = gave_up::deadline_would_pass;
    about.attempts.resize(1); // it had been sent before
    about.elapsed = 3s;
    CHECK(held.what() == line + " (attempt 1 in 3 s, opens in 57 s, waiting longer would pass the deadline)");

    about.response = ccloud::response_info(429, {});
    CHECK(
        held.what() ==
        line + " (HTTP 429) (attempt 1 in 3 s, server asked for 57 s, waiting longer would pass the deadline)"
    );
}

TEST_CASE("an unreadable answer tells its status in the line")
{
    error failure(errc::malformed_response, "/id: expected a string, found a number, at byte 6");
    failure.edit().response = ccloud::response_info(200, {});
    CHECK(
        failure.what() == "the response could not be read (HTTP 200): /id: expected a string, found a number, at byte 6"
    );
}

TEST_CASE("every code has a message of its own")
{
    std::set<std::string> messages;
    for (int value = 1; value <= last_errc; ++value)
    {
        std::error_code const code = static_cast<errc>(value);
        CHECK(code.category() == ccloud::error_category());
        CHECK(messages.insert(code.message()).second);
        CHECK(code.message().size() > 5);
    }
    for (auto const& [code, message] : std::vector<std::pair<errc, std::string>>{
             {errc::rate_limited, "the server's limit is used up, and the call was not sent"},
             {errc::queue_full, "too many calls wait already"},
             {errc::credentials_unavailable, "the source of credentials gave none"},
         })
        CHECK(make_error_code(code).message() == message);
    CHECK(std::string(ccloud::error_category().name()) == "ccloud");
    CHECK(ccloud::error_category().message(last_errc + 1) == "unknown error");
}

TEST_CASE("progress has the three words of the documentation")
{
    CHECK(ccloud::to_string(progress::not_sent) == "not sent");
    CHECK(ccloud::to_string(progress::maybe_sent) == "maybe sent");
    CHECK(ccloud::to_string(progress::answered) == "answered");
}

TEST_CASE("each reason for a repetition or for none, and each source of a wait, has words of its own")
{
    using ccloud::delay_source;
    using ccloud::retry_reason;
    for (auto const& [why, words] : std::vector<std::pair<gave_up, std::string_view>>{
             {gave_up::not_retryable, "not retryable"},
             {gave_up::attempts_exhausted, "no tries left"},
             {gave_up::deadline_would_pass, "waiting longer would pass the deadline"},
             {gave_up::retry_after_too_long, "too long a wait"},
             {gave_up::retry_budget_exhausted, "the retry budget is used up"},
             {gave_up::limit_exhausted, "waiting for the limit was not wanted"},
         })
        CHECK(to_string(why) == words); // found by ADL
    for (auto const& [why, words] : std::vector<std::pair<retry_reason, std::string_view>>{
             {retry_reason::none, "none"},
             {retry_reason::transient, "transient failure"},
             {retry_reason::throttled, "throttled"},
             {retry_reason::stale_connection, "stale connection"},
             {retry_reason::misdirected, "misdirected"},
             {retry_reason::too_early, "too early"},
             {retry_reason::new_credentials, "new credentials"},
             {retry_reason::classifier, "classifier"},
         })
        CHECK(ccloud::to_string(why) == words);
    for (auto const& [from, words] : std::vector<std::pair<delay_source, std::string_view>>{
             {delay_source::none, "none"},
             {delay_source::backoff, "backoff"},
             {delay_source::retry_after, "Retry-After"},
             {delay_source::rate_limit, "rate limit"},
             {delay_source::classifier, "classifier"},
         })
        CHECK(ccloud::to_string(from) == words);
}

TEST_CASE("an exception carries the error, its code and its line")
{
    auto const failure = answered(404, "{\"message\":\"no such group\"}");
    ccloud::api_exception const thrown(failure);
    CHECK(std::string(thrown.what()) == "HTTP 404: no such group");
    CHECK(thrown.code() == errc::http_status);
    CHECK(thrown.error() == condition::not_found);
}
