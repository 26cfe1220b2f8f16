// Requests whose write fails. The writes of the test's thread fail as the test says: see support/write_fault.hpp.
#include <ccloud/ccloud.hpp>

#include "caller.hpp"
#include "certificates.hpp"
#include "http_server.hpp"
#include "printers.hpp"
#include "tls_server.hpp"
#include "write_fault.hpp"

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

using namespace std::chrono_literals;
using ccloud::close_reason;
using ccloud::errc;
using ccloud::method;
using ccloud::progress;
using support::authority;
using support::caller;
using support::http_server;
using support::tls_server;

namespace {

/** A server without TLS, or of a version of it. */
class place
{
public:
    explicit place(int version)
    {
        if (version == 0)
            plain_.emplace();
        else
            tls_.emplace(support::of_version(version, ca()));
    }

    ccloud::config settings() const
    {
        auto how = plain_ ? plain_->settings() : tls_->settings(ca());
        how.retry = ccloud::retry_policy();
        how.retry.base_delay = how.retry.max_delay = 1ms;
        return how;
    }

    std::size_t requests() const { return plain_ ? plain_->counts().requests : tls_->counts().requests; }
    std::size_t accepted() const { return plain_ ? plain_->counts().accepted : tls_->counts().accepted; }

    void hold() { plain_ ? plain_->hold() : tls_->hold(1000); }
    void end() { plain_ ? plain_->end() : tls_->end(); }

private:
    static authority const& ca()
    {
        static authority const only;
        return only;
    }

    std::optional<http_server> plain_;
    std::optional<tls_server> tls_;
};

ccloud::http_request request_of(method verb, std::size_t body = 2)
{
    ccloud::http_request made(verb, "/iam/v2/ip-groups");
    if (verb == method::post)
        made.content(std::string(body, ' '));
    return made;
}

/** Has the next write on an idle connection fail, and makes a call. */
support::begun_call& call_with_fault(caller& client, place const& server, method verb, support::write_fault fault)
{
    REQUIRE(client.get() == "");
    REQUIRE(client.connections().idle == 1);
    REQUIRE(server.requests() == 1);
    support::next_write_fault = fault;
    auto& call = client.begin(request_of(verb));
    REQUIRE(client.until([&] { return call.over(); }));
    REQUIRE(!support::next_write_fault.has_value());
    return call;
}

} // namespace

TEST_CASE("I1: a request whose write fails before its first byte is not sent, and a POST, too, is repeated")
{
    for (int const version : {0, TLS1_2_VERSION, TLS1_3_VERSION})
        for (int const why : {EPIPE, ECONNRESET, ETIMEDOUT})
            for (auto const verb : {method::post, method::get})
            {
                CAPTURE(version);
                CAPTURE(why);
                CAPTURE(static_cast<int>(verb));
                place const server(version);
                caller client(server.settings());
                auto& call = call_with_fault(client, server, verb, {0, why});
                REQUIRE(call.good());
                CHECK(call.how->response().attempts() == 2);
                CHECK(server.requests() == 2);
                CHECK(server.accepted() == 2);
                CHECK(client.connections().closed_for(close_reason::failed) == 1);
            }
}

TEST_CASE("I1: without a retry, a request whose write fails before its first byte is an error that says so")
{
    for (int const version : {0, TLS1_2_VERSION, TLS1_3_VERSION})
    {
        CAPTURE(version);
        place const server(version);
        auto settings = server.settings();
        settings.retry = ccloud::retry_policy::none();
        caller client(settings);
        auto& call = call_with_fault(client, server, method::post, {0, EPIPE});
        REQUIRE(!call.good());
        auto const& failed = call.error();
        CHECK(failed == errc::write_failed);
        CHECK(failed.progress() == progress::not_sent);
        CHECK(failed.cause() == std::error_code(EPIPE, std::system_category()));
        CHECK(failed.detail().starts_with("writing the request, 0 of "));
        REQUIRE(failed.attempts().size() == 1);
        CHECK(failed.attempts().front().progress == progress::not_sent);
        CHECK(failed.attempts().front().bytes_written == 0);
        CHECK(failed.attempts().front().reused);
        CHECK(client.get() == "");
    }
}

TEST_CASE("I1: a request whose write fails after its first byte may have been sent: a POST is not repeated, a GET is")
{
    for (std::size_t const written : {1U, 40U})
        for (auto const verb : {method::post, method::get})
        {
            CAPTURE(written);
            CAPTURE(static_cast<int>(verb));
            place const server(0);
            caller client(server.settings());
            auto& call = call_with_fault(client, server, verb, {written, EPIPE});
            CHECK(server.accepted() == (verb == method::get ? 2 : 1));
            if (verb == method::get)
            {
                REQUIRE(call.good());
                CHECK(call.how->response().attempts() == 2);
                continue;
            }
            REQUIRE(!call.good());
            auto const& failed = call.error();
            CHECK(failed == errc::write_failed);
            CHECK(failed.progress() == progress::maybe_sent);
            CHECK(failed.cause() == std::error_code(EPIPE, std::system_category()));
            CHECK(failed.detail().starts_with("writing the request, " + std::to_string(written) + " of "));
            REQUIRE(failed.attempts().size() == 1);
            CHECK(failed.attempts().front().bytes_written == written);
            CHECK(client.get() == "");
        }
}

TEST_CASE("RFC 8446 section 5.2: a part of a TLS record tells the server nothing: not sent, and a POST is repeated")
{
    for (int const version : support::tls_versions)
        for (std::size_t const written : {1U, 100U})
        {
            CAPTURE(version);
            CAPTURE(written);
            place const server(version);
            caller client(server.settings());
            auto& call = call_with_fault(client, server, method::post, {written, ECONNRESET});
            REQUIRE(call.good());
            CHECK(call.how->response().attempts() == 2);
            CHECK(server.requests() == 2);
            CHECK(server.accepted() == 2);
        }
}

TEST_CASE("RFC 9112 section 9.5: a long request whose write fails may be answered still; without an answer it is a "
          "failed write that may have been sent")
{
    for (int const version : {0, TLS1_2_VERSION, TLS1_3_VERSION})
    {
        CAPTURE(version);
        place server(version);
        caller client(server.settings());
        REQUIRE(client.get() == "");
        server.hold();
        support::next_write_fault = support::write_fault{50'000, EPIPE};
        auto& call = client.begin(request_of(method::post, 100'000));
        REQUIRE(client.until([&] { return !support::next_write_fault.has_value(); }));
        server.end();
        REQUIRE(client.until([&] { return call.over(); }));
        REQUIRE(!call.good());
        auto const& failed = call.error();
        CHECK(failed == errc::write_failed);
        CHECK(failed.progress() == progress::maybe_sent);
        CHECK(failed.cause() == std::error_code(EPIPE, std::system_category()));
        REQUIRE(failed.attempts().size() == 1);
        auto const written = failed.attempts().front().bytes_written;
        CHECK(written > 0);
        CHECK(written <= 50'000);
        CHECK(failed.detail().starts_with("writing the request, " + std::to_string(written) + " of "));
    }
}
