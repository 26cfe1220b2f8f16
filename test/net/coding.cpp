// Content-Encoding: what is asked for, what is inflated, and what becomes of an answer that cannot be.
#include <ccloud/ccloud.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "client.hpp"
#include "fixture.hpp"
#include "network.hpp"
#include "printers.hpp"
#include "raw_server.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using ccloud::condition;
using ccloud::errc;
using ccloud::progress;
using support::raw_reply;
using support::raw_server;
namespace asio = boost::asio;
namespace iam = ccloud::iam;

namespace {

std::string bytes(std::string_view hex)
{
    auto const digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    std::string text;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        text += static_cast<char>(digit(hex[i]) << 4 | digit(hex[i + 1]));
    return text;
}

std::string const content = R"({"id":"ipg-1"})";
std::string const gzipped = bytes("1f8b0800000000000203ab56ca4c51b252ca2c48d73554aa0500375c35790e000000");
std::string const gzipped_nothing = bytes("1f8b080000000000020303000000000000000000");

/** A hundred thousand times "a", in 136 bytes. */
std::string gzipped_many()
{
    return bytes("1f8b0800000000000203edc13101000000c2a0aceb5fc21a1e4001") + std::string(96, '\0') +
           bytes("af0687fae21ba0860100");
}

std::string const cut_short = gzipped.substr(0, gzipped.size() - 1);

std::string with_wrong_checksum()
{
    auto damaged = gzipped;
    damaged[damaged.size() - 8] ^= 1;
    return damaged;
}

/** A response with its length; `fields` are whole lines. */
raw_reply reply(std::string_view status, std::string_view fields, std::string_view body)
{
    std::string text = "HTTP/1.1 ";
    text.append(status).append("\r\nX-Request-Id: r-1\r\n").append(fields);
    text.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n").append(body);
    return {std::move(text)};
}

raw_reply coded(std::string_view status, std::string_view coding, std::string_view body)
{
    return reply(status, "Content-Encoding: " + std::string(coding) + "\r\n", body);
}

ccloud::config settings_for(raw_server const& server)
{
    ccloud::config settings;
    settings.endpoint = server.endpoint();
    settings.credentials = ccloud::api_key("K", "S");
    settings.retry.base_delay = settings.retry.max_delay = 0ms;
    settings.retry.throttle_base_delay = settings.retry.throttle_max_delay = 0ms;
    settings.attempt_timeout = 5s;
    return settings;
}

/** Sends one request; what comes back, and by how many requests. */
struct outcome
{
    ccloud::result<ccloud::http_response> got;
    int requests = 0;
    int connections = 0;
};

outcome ask(
    std::deque<raw_reply> replies, std::size_t limit = 1024 * 1024, ccloud::method verb = ccloud::method::get,
    bool compression = false, int times = 1
)
{
    raw_server const server(std::move(replies));
    auto settings = settings_for(server);
    settings.limits.response_body = limit;
    settings.compression = compression;
    outcome all;
    support::over_network(settings, [&](ccloud::client cloud) -> asio::awaitable<void> {
        for (int i = 0; i < times; ++i)
            all.got = co_await cloud.execute(ccloud::http_request(verb, "/x"));
    });
    all.requests = server.requests();
    all.connections = server.connections();
    return all;
}

outcome ask_once(raw_reply only)
{
    std::deque<raw_reply> replies;
    replies.push_back(std::move(only));
    return ask(std::move(replies));
}

std::string in_chunks(std::string_view body)
{
    std::string text;
    for (std::size_t i = 0; i < body.size(); ++i)
        text.append("1\r\n").append(body.substr(i, 1)).append("\r\n");
    return text + "0\r\n\r\n";
}

bool says(std::string_view text, std::string_view part)
{
    return text.find(part) != std::string_view::npos;
}

} // namespace

TEST_CASE("gzip is asked for where the configuration says so, and nowhere else")
{
    for (bool const compression : {true, false})
    {
        auto const wire = support::script();
        wire->reply(200, content).reply(503).reply(200, content);
        auto settings = support::test_config();
        settings.compression = compression;
        support::with_client(
            wire,
            [](ccloud::client cloud) -> asio::awaitable<void> {
                auto raw = co_await cloud.execute(ccloud::http_request(ccloud::method::get, "/x"));
                CHECK(raw.has_value());
                auto typed = co_await iam::ip_groups(cloud).get("ipg-1");
                CHECK(typed.has_value());
            },
            settings
        );
        REQUIRE(wire->requests().size() == 3);
        for (auto const& sent : wire->requests())
        {
            auto const field = sent.request.headers().find("Accept-Encoding");
            CHECK(field == (compression ? std::optional<std::string_view>("gzip") : std::nullopt));
        }
    }
}

TEST_CASE("what is declared as gzip is inflated, asked for or not, and the fields speak of what is handed out")
{
    for (std::string_view const coding : {"gzip", "x-gzip", "GZIP", "X-GZip", "  gzip\t"})
        for (bool const compression : {true, false})
        {
            CAPTURE(coding);
            auto const all = ask({coded("200 OK", coding, gzipped)}, 1024, ccloud::method::get, compression);
            REQUIRE(all.got.has_value());
            CHECK(all.got->body() == content);
            for (auto const* const fields : {&all.got->headers(), &all.got.response().headers()})
            {
                CHECK(!fields->contains("Content-Encoding"));
                CHECK(!fields->contains("Content-Length"));
                CHECK(fields->find("X-Request-Id") == "r-1");
            }
            CHECK(all.got.response().status() == 200);
            CHECK(all.got.response().request_id() == "r-1");
        }
}

TEST_CASE("gzip is inflated in each framing, and by whatever method it was asked for")
{
    std::string const head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n";
    for (auto const& framed :
         {raw_reply{head + "Content-Length: " + std::to_string(gzipped.size()) + "\r\n\r\n" + gzipped},
          raw_reply{head + "Transfer-Encoding: chunked\r\n\r\n" + in_chunks(gzipped)},
          raw_reply{head + "\r\n" + gzipped, true}})
        for (auto const verb : {ccloud::method::get, ccloud::method::post, ccloud::method::del})
        {
            CAPTURE(verb);
            auto const all = ask({framed}, 1024, verb);
            REQUIRE(all.got.has_value());
            CHECK(all.got->body() == content);
        }
}

TEST_CASE("vector 17: what begins like gzip is inflated, though nobody said that it is")
{
    for (std::string_view const fields : {"", "Content-Encoding: identity\r\n", "Content-Encoding:\r\n"})
    {
        CAPTURE(fields);
        auto const all = ask_once(reply("200 OK", fields, gzipped));
        REQUIRE(all.got.has_value());
        CHECK(all.got->body() == content);
        CHECK(!all.got->headers().contains("Content-Encoding"));
        CHECK(!all.got->headers().contains("Content-Length"));
    }
}

TEST_CASE("what is not compressed is left as it is, its fields too")
{
    std::string const odd = "\x1f\x8b is no gzip";
    struct row
    {
        std::string_view fields, body;
    };
    for (auto const& [fields, body] :
         {row{"", content}, row{"Content-Encoding: identity\r\n", content}, row{"Content-Encoding: Identity\r\n", ""},
          row{"", odd}, row{"Content-Encoding: identity\r\n", odd}, row{"", cut_short}, row{"", "\x1f"}, row{"", ""}})
    {
        CAPTURE(fields);
        CAPTURE(body);
        auto const all = ask_once(reply("200 OK", fields, body));
        REQUIRE(all.got.has_value());
        CHECK(all.got->body() == body);
        CHECK(all.got->headers().find("Content-Length") == std::to_string(body.size()));
        CHECK(all.got->headers().contains("Content-Encoding") == !fields.empty());
    }
}

TEST_CASE("an answer without a body has no coding, whatever it declares")
{
    for (std::string_view const coding : {"gzip", "br"})
    {
        CHECK(ask_once(coded("200 OK", coding, "")).got.has_value());
        CHECK(ask_once({"HTTP/1.1 204 No Content\r\nContent-Encoding: " + std::string(coding) + "\r\n\r\n"})
                  .got.has_value());
    }
    auto const nothing = ask_once(coded("200 OK", "gzip", gzipped_nothing));
    REQUIRE(nothing.got.has_value());
    CHECK(nothing.got->body().empty());
}

TEST_CASE("what is declared as gzip and is not, or is damaged, cannot be read: said so, and not repeated")
{
    for (auto const& body :
         {cut_short, with_wrong_checksum(), content, gzipped + "x", gzipped + cut_short, gzipped.substr(0, 12),
          std::string("\x1f\x8b"), std::string("x")})
    {
        CAPTURE(body.size());
        auto const all = ask_once(coded("200 OK", "gzip", body));
        REQUIRE(!all.got.has_value());
        auto const& failure = all.got.error();
        CHECK(failure.code() == errc::malformed_response);
        CHECK(failure == condition::malformed_response);
        CHECK(failure.progress() == progress::answered);
        CHECK(says(failure.detail(), "gzip"));
        CHECK(says(failure.detail(), "damaged"));
        CHECK(all.requests == 1);
    }
}

TEST_CASE("a coding that nobody asked for is named, and not repeated")
{
    for (std::string_view const coding : {"br", "deflate", "zstd", "gzip, br", "gzip, gzip", "gzip2", "gzip;q=1"})
    {
        CAPTURE(coding);
        auto const all = ask_once(coded("200 OK", coding, gzipped));
        REQUIRE(!all.got.has_value());
        CHECK(all.got.error().code() == errc::malformed_response);
        CHECK(all.got.error().progress() == progress::answered);
        CHECK(says(all.got.error().detail(), coding));
        CHECK(all.requests == 1);
    }
    auto const endless = ask_once(coded("200 OK", std::string(10'000, 'x'), gzipped));
    REQUIRE(!endless.got.has_value());
    CHECK(endless.got.error().detail().size() < 200);
}

TEST_CASE("RFC 1952 section 2.2: gzip of several members is one content")
{
    for (std::string_view const fields : {"Content-Encoding: gzip\r\n", ""})
        for (auto const& body : {gzipped + gzipped, gzipped + gzipped_nothing + gzipped})
        {
            CAPTURE(fields);
            auto const all = ask_once(reply("200 OK", fields, body));
            REQUIRE(all.got.has_value());
            CHECK(all.got->body() == content + content);
        }
}

TEST_CASE("RFC 9110 section 8.4: several fields of Content-Encoding are one list")
{
    auto const identity = ask_once(
        reply("200 OK", "Content-Encoding: identity\r\nContent-Encoding: gzip\r\nContent-Encoding:\r\n", gzipped)
    );
    REQUIRE(identity.got.has_value());
    CHECK(identity.got->body() == content);
    auto const other = ask_once(reply("200 OK", "Content-Encoding: gzip\r\nContent-Encoding: br\r\n", gzipped));
    REQUIRE(!other.got.has_value());
    CHECK(says(other.got.error().detail(), "gzip, br"));
}

TEST_CASE("an error response whose content cannot be decoded keeps its status, its fields, and its body as it came")
{
    for (auto const& damaged : {coded("200 OK", "gzip", cut_short), coded("200 OK", "br", gzipped)})
    {
        auto const all = ask_once(damaged);
        REQUIRE(!all.got.has_value());
        CHECK(all.got.error().status() == 200);
        CHECK(all.got.error().request_id() == "r-1");
        REQUIRE(all.got.error().attempts().size() == 1);
        CHECK(all.got.error().attempts()[0].status == 200);
        CHECK(all.got.error().body() == damaged.bytes.substr(damaged.bytes.find("\r\n\r\n") + 4));
    }
    for (std::string_view const status : {"404 Not Found", "403 Forbidden", "400 Bad Request"})
    {
        auto const all = ask_once(coded(status, "br", gzipped));
        REQUIRE(!all.got.has_value());
        CHECK(all.got.error() == errc::http_status);
        CHECK(all.got.error().body() == gzipped);
        CHECK(says(all.got.error().detail(), "Content-Encoding br"));
    }
}

TEST_CASE("a 403 with an unreadable body does not count as the response for a deleted object")
{
    for (auto const& unreadable : {coded("403 No", "br", gzipped), coded("403 No", "gzip", cut_short)})
    {
        auto const all = ask_once(unreadable);
        REQUIRE(!all.got.has_value());
        CHECK(all.got.error() == condition::forbidden);
        CHECK(all.got.error() != condition::gone);
    }
}

TEST_CASE("pool 18: the limit for bodies is one for what is inflated, declared or not")
{
    for (std::string_view const fields : {"Content-Encoding: gzip\r\n", ""})
    {
        CAPTURE(fields);
        auto const whole = ask({reply("200 OK", fields, gzipped_many())}, 100'000);
        REQUIRE(whole.got.has_value());
        CHECK((whole.got->body() == std::string(100'000, 'a')));
        for (std::size_t const limit : {std::size_t(1024), std::size_t(99'999)})
        {
            CAPTURE(limit);
            auto const all = ask({reply("200 OK", fields, gzipped_many())}, limit);
            REQUIRE(!all.got.has_value());
            CHECK(all.got.error().code() == errc::response_too_large);
            CHECK(says(all.got.error().detail(), "config::limits"));
            CHECK(all.got.error().progress() == progress::answered);
            CHECK(all.requests == 1);
        }
    }
}

TEST_CASE("a refusal keeps its status, whatever its coding, and its words where they can be read")
{
    std::string const compressed = support::fixture("errors/k_gzip_without_header.json.gz");
    struct row
    {
        std::string_view status;
        int number;
    };
    for (auto const& [status, number] :
         {row{"404 Not Found", 404}, row{"400 Bad Request", 400}, row{"409 Conflict", 409},
          row{"501 Not Implemented", 501}})
    {
        CAPTURE(status);
        for (std::string_view const fields : {"Content-Encoding: gzip\r\n", ""})
        {
            auto const read = ask_once(reply(status, fields, compressed));
            REQUIRE(!read.got.has_value());
            CHECK(read.got.error().code() == errc::http_status);
            CHECK(read.got.error().status() == number);
            CHECK(read.got.error().problems().size() == 1);
            CHECK(read.got.error().body() == support::fixture("errors/k_before_gzip.json"));
        }
        for (auto const& unreadable :
             {coded(status, "gzip", cut_short), coded(status, "gzip", content), coded(status, "br", gzipped),
              reply(status, "", cut_short)})
        {
            auto const all = ask_once(unreadable);
            REQUIRE(!all.got.has_value());
            CHECK(all.got.error().code() == errc::http_status);
            CHECK(all.got.error().status() == number);
            CHECK(all.got.error().progress() == progress::answered);
            CHECK(all.got.error().request_id() == "r-1");
            CHECK(all.got.error().problems().empty());
            CHECK(all.requests == 1);
        }
    }
    auto const too_large = ask({coded("404 Not Found", "gzip", gzipped_many())}, 1024);
    REQUIRE(!too_large.got.has_value());
    CHECK(too_large.got.error() == condition::not_found);
}

TEST_CASE("I5: a 503 is a 503, though its gzip is cut short, and is repeated")
{
    std::string const head = "HTTP/1.1 503 Service Unavailable\r\nContent-Encoding: gzip\r\nRetry-After: 0\r\n";
    std::string const length = "Content-Length: ";
    std::string const much = "1f8b0800000000000203"; // and then what never ends
    for (auto const& broken :
         {raw_reply{head + length + "34\r\n\r\n" + cut_short, true},
          raw_reply{head + length + "33\r\n\r\n" + cut_short},
          raw_reply{head + length + "1000000\r\n\r\n" + bytes(much) + std::string(70'000, '\x55')},
          raw_reply{head + "Transfer-Encoding: chunked\r\n\r\n5\r\n" + gzipped.substr(0, 5), true},
          raw_reply{head + "\r\n" + gzipped.substr(0, 20), true}, raw_reply{head + length + "34\r\n\r\n", true},
          coded("503 No", "br", gzipped)})
    {
        CAPTURE(broken.bytes.size());
        auto const repeated = ask({broken, coded("200 OK", "gzip", gzipped)});
        REQUIRE(repeated.got.has_value());
        CHECK(repeated.got->body() == content);
        CHECK(repeated.requests == 2);

        raw_server const server({broken});
        auto settings = settings_for(server);
        settings.retry = ccloud::retry_policy::none();
        support::over_network(settings, [&](ccloud::client cloud) -> asio::awaitable<void> {
            auto got = co_await cloud.execute(ccloud::http_request(ccloud::method::get, "/x"));
            REQUIRE(!got.has_value());
            CHECK(got.error().code() == errc::http_status);
            CHECK(got.error().status() == 503);
            CHECK(got.error().progress() == progress::answered);
            CHECK(got.error().problems().empty());
            auto const body = broken.bytes.substr(broken.bytes.find("\r\n\r\n") + 4); // as it came
            auto const whole = broken.bytes.find("chunked") != std::string::npos ? body.substr(3) : body;
            CHECK((got.error().body() == whole.substr(0, 8 * 1024)));
        });
    }
}

TEST_CASE("I5: a 503 whose gzip is whole says what it has to say")
{
    raw_server const server({coded("503 No", "gzip", support::fixture("errors/k_gzip_without_header.json.gz"))});
    auto settings = settings_for(server);
    settings.retry = ccloud::retry_policy::none();
    support::over_network(settings, [](ccloud::client cloud) -> asio::awaitable<void> {
        auto got = co_await cloud.execute(ccloud::http_request(ccloud::method::get, "/x"));
        REQUIRE(!got.has_value());
        CHECK(got.error().status() == 503);
        CHECK(got.error().problems().size() == 1);
    });
}

TEST_CASE("a redirect is followed, though its body cannot be read")
{
    for (auto const& moved :
         {reply("307 Moved", "Location: /y\r\nContent-Encoding: gzip\r\n", cut_short),
          reply("308 Moved", "Location: /y\r\nContent-Encoding: br\r\n", gzipped)})
    {
        auto const all = ask({moved, coded("200 OK", "gzip", gzipped)});
        REQUIRE(all.got.has_value());
        CHECK(all.got->body() == content);
        CHECK(all.requests == 2);
    }
}

TEST_CASE("content that cannot be read is no fault of its connection: the next request goes over the same one")
{
    for (auto const& unreadable :
         {coded("200 OK", "gzip", cut_short), coded("200 OK", "br", gzipped), coded("404 No", "gzip", "x")})
    {
        auto const all =
            ask({unreadable, coded("200 OK", "gzip", gzipped)}, 1024 * 1024, ccloud::method::get, false, 2);
        REQUIRE(all.got.has_value());
        CHECK(all.got->body() == content);
        CHECK(all.requests == 2);
        CHECK(all.connections == 1);
    }
}

TEST_CASE("typed calls read what was compressed")
{
    raw_server const server({coded("200 OK", "gzip", gzipped), reply("200 OK", "", gzipped)});
    support::over_network(settings_for(server), [](ccloud::client cloud) -> asio::awaitable<void> {
        for (int i = 0; i < 2; ++i)
        {
            auto group = co_await iam::ip_groups(cloud).get("ipg-1");
            REQUIRE(group.has_value());
            CHECK(group->id == "ipg-1");
        }
    });
}
