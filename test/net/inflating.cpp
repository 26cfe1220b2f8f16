// A long compressed body is inflated in slices, between which the executor runs other handlers.
#include <ccloud/ccloud.hpp>

#include "caller.hpp"
#include "net/gzip.hpp"
#include "printers.hpp"
#include "puppet_server.hpp"

#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/post.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

using namespace std::chrono_literals;
using ccloud::errc;
using ccloud::progress;
using support::begun_call;
using support::caller;
using support::puppet_server;

namespace {

constexpr std::size_t in_member = 100'000;

/** So many gzip members of 136 bytes, each with a hundred thousand times "a". */
std::string members(std::size_t count)
{
    std::string one("\x1f\x8b\x08\0\0\0\0\0\x02\x03\xed\xc1\x31\x01\0\0\0\xc2\xa0\xac\xeb\x5f\xc2\x1a\x1e\x40\x01", 27);
    one.append(96, '\0').append("\xaf\x06\x87\xfa\xe2\x1b\xa0\x86\x01\0", 10);
    std::string all;
    for (std::size_t i = 0; i < count; ++i)
        all += one;
    return all;
}

std::string answer(std::string_view status, std::string_view fields, std::string_view body)
{
    return "HTTP/1.1 " + std::string(status) + "\r\nX-Request-Id: r-1\r\n" + std::string(fields) +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

/** A call, and what the executor did between the end of the response and that of the call. */
struct long_call
{
    long_call(
        std::string_view status, std::string_view fields, std::string_view body,
        std::function<void(long_call&)> const& meanwhile = {}
    )
        : settings(adjusted(server)), client(settings)
    {
        call = &client.begin();
        REQUIRE(client.until([&] { return server.accepted() == 1 && server.requests() == 1; }));
        begun = std::chrono::steady_clock::now();
        server.send(answer(status, fields, body));
        std::function<void()> tick = [&] {
            ++ticks;
            if (!call->over())
                boost::asio::post(client.context, tick);
        };
        bool decoding = false;
        REQUIRE(client.until([&] {
            if (!call->over() && client.connections().idle == 1 && !std::exchange(decoding, true))
            {
                boost::asio::post(client.context, tick);
                if (meanwhile)
                    meanwhile(*this);
            }
            return call->over();
        }));
    }

    static ccloud::config adjusted(puppet_server const& server)
    {
        auto settings = server.settings();
        settings.attempt_timeout = 1s;
        settings.limits.response_body = 32 * 1024 * 1024;
        return settings;
    }

    puppet_server server;
    ccloud::config settings;
    caller client;
    begun_call* call = nullptr;
    std::chrono::steady_clock::time_point begun;
    int ticks = 0; ///< turns that other work had
};

constexpr std::string_view gzip = "Content-Encoding: gzip\r\n";

} // namespace

TEST_CASE("while a long body is inflated, other handlers of the executor run after each MiB of content")
{
    for (std::string_view const fields : {gzip, std::string_view()})
    {
        constexpr std::size_t count = 120; // 12 MB
        long_call const inflated("200 OK", fields, members(count));
        REQUIRE(inflated.call->good());
        CHECK((inflated.call->how->value().body() == std::string(count * in_member, 'a')));
        CHECK(inflated.ticks >= static_cast<int>(count * in_member / ccloud::net::gzip_reader::longest_output) - 1);
    }
}

TEST_CASE("a body of less than a slice is inflated without an interruption")
{
    for (auto const& body : {std::string("plain"), members(1), members(10)})
    {
        long_call const inflated("200 OK", body == "plain" ? std::string_view() : gzip, body);
        REQUIRE(inflated.call->good());
        CHECK(inflated.ticks == 0);
    }
}

TEST_CASE(
    "a call that is cancelled or closed while its body is inflated ends with that error, and keeps status and fields"
)
{
    for (errc const how : {errc::cancelled, errc::client_closed})
    {
        CAPTURE(how);
        long_call const ended("200 OK", gzip, members(120), [how](long_call& now) {
            if (how == errc::cancelled)
                now.call->signal.emit(boost::asio::cancellation_type::terminal);
            else
                now.client.cloud->close();
        });
        REQUIRE(!ended.call->good());
        CHECK(ended.call->error() == how);
        CHECK(ended.call->error().progress() == progress::answered);
        CHECK(ended.call->error().status() == 200);
        CHECK(ended.call->error().request_id() == "r-1");
        CHECK(ended.call->error().detail() == "inflating the body");
        CHECK(!ended.call->error().cause());
        CHECK(ended.ticks < 4); // at once
    }
}

TEST_CASE("the attempt's timeout ends inflating; an error response still counts by its status")
{
    auto const past_timeout = [](long_call& now) { std::this_thread::sleep_until(now.begun + 1'100ms); };
    long_call const late("200 OK", gzip, members(120), past_timeout);
    REQUIRE(!late.call->good());
    CHECK(late.call->error() == errc::attempt_timeout);
    CHECK(late.call->error().progress() == progress::answered);
    CHECK(late.call->error().detail() == "inflating the body");
    long_call const refused("404 Not Found", gzip, members(120), past_timeout);
    REQUIRE(!refused.call->good());
    CHECK(refused.call->error() == errc::http_status);
    CHECK(refused.call->error().status() == 404);
}
