#include <ccloud/ccloud.hpp>

#include "certificates.hpp"
#include "net/factory.hpp"
#include "net/shared_network.hpp"
#include "net/tls.hpp"
#include "printers.hpp"
#include "tls_server.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using ccloud::errc;
using ccloud::progress;
using support::authority;
using support::complaint;
using support::driven_client;
using support::of_version;
using support::subject;
using support::tls_server;
using support::tls_server_counts;
using support::tls_versions;
namespace asio = boost::asio;

namespace {

/** A lookup that resolves every name to this machine, and records the names. */
class local_names
{
public:
    ccloud::net::name_lookup lookup() const
    {
        return [state = state_](std::string const& name) {
            std::lock_guard const guard(state->mutex);
            state->asked.push_back(name);
            ccloud::net::name_answer answer;
            answer.addresses = {"127.0.0.1"};
            return answer;
        };
    }

    std::vector<std::string> asked() const
    {
        std::lock_guard const guard(state_->mutex);
        return state_->asked;
    }

private:
    struct state
    {
        std::mutex mutex;
        std::vector<std::string> asked;
    };
    std::shared_ptr<state> state_ = std::make_shared<state>();
};

/** A client that looks names up there, over that network. */
driven_client client_of(
    ccloud::config const& settings, local_names const& names,
    std::shared_ptr<ccloud::net::shared_network> const& network
)
{
    return driven_client(settings, [&](asio::any_io_executor executor) {
        return ccloud::net::make_transport(std::move(executor), settings, network, names.lookup());
    });
}

ccloud::config settings_for(tls_server const& server, authority const& ca, std::string const& host)
{
    auto settings = server.settings(ca);
    settings.endpoint = server.endpoint(host);
    return settings;
}

/** A certificate for these names, whatever its subject says. */
subject called(std::string common_name, std::vector<std::string> names, std::vector<std::string> addresses = {})
{
    subject made;
    made.common_name = std::move(common_name);
    made.names = std::move(names);
    made.addresses = std::move(addresses);
    return made;
}

} // namespace

TEST_CASE(
    "RFC 6066 section 3: TLS uses a host without the dot at its end, the lookup uses the dot (RFC 1034 section 3.1)"
)
{
    struct row
    {
        std::string host, certificate;
    };
    authority const ca;
    for (auto const& [host, certificate] : {
             row{"api.example.test.", "api.example.test"},
             row{"API.Example.TEST.", "api.example.test"},
             row{"api.example.test.", "*.example.test"},
             row{"api.example.test", "api.example.test"},
         })
        for (int const version : tls_versions)
        {
            CAPTURE(host);
            CAPTURE(certificate);
            CAPTURE(version);
            auto options = of_version(version, ca);
            options.shown = ca.issue(subject::named(certificate));
            tls_server server(options);
            local_names const names;
            auto const settings = settings_for(server, ca, host);
            auto client = client_of(settings, names, ccloud::net::share_network(settings));
            CHECK(complaint(client.get()) == "");
            std::vector<std::string> const sni{"api.example.test"};
            CHECK(server.counts().names == sni);
            std::vector<std::string> const asked{host.ends_with('.') ? "api.example.test." : "api.example.test"};
            CHECK(names.asked() == asked);

            // What was resumed is checked in the same way, and the ticket is found again.
            client->close_idle();
            REQUIRE(client.until([&] { return client.connections().idle == 0; }));
            CHECK(complaint(client.get()) == "");
            CHECK(server.counts().resumed == 1);
        }
}

TEST_CASE("RFC 6761 section 6.3: localhost with a dot at its end is this machine, and is not looked up")
{
    authority const ca;
    tls_server server(of_version(TLS1_3_VERSION, ca));
    local_names const names;
    auto const settings = settings_for(server, ca, "localhost.");
    auto client = client_of(settings, names, ccloud::net::share_network(settings));
    CHECK(complaint(client.get()) == "");
    std::vector<std::string> const sni{"localhost"};
    CHECK(server.counts().names == sni);
    CHECK(names.asked().empty());
}

TEST_CASE("RFC 6066 section 3: with a dot at the end of a host, a certificate for another host is still refused")
{
    authority const ca;
    for (std::string const certificate : {"other.example.test", "example.test", "test", "*.test"})
    {
        CAPTURE(certificate);
        auto options = of_version(TLS1_3_VERSION, ca);
        options.shown = ca.issue(subject::named(certificate));
        tls_server server(options);
        local_names const names;
        auto const settings = settings_for(server, ca, "api.example.test.");
        auto client = client_of(settings, names, ccloud::net::share_network(settings));
        auto const got = client.get();
        REQUIRE(!got.has_value());
        CHECK(got.error() == errc::certificate_wrong_host);
        CHECK(got.error().progress() == progress::not_sent);
        CHECK(server.counts().requests == 0);
    }
}

TEST_CASE("RFC 9110 section 4.3.4: the common name of a certificate is not compared with the host")
{
    struct row
    {
        std::string name;
        subject shown;
        std::string host;
    };
    authority const ca;
    std::vector<row> const table{
        {"nothing but a common name", called("localhost", {}), "localhost"},
        {"a common name, and an address that is not asked for", called("localhost", {}, {"127.0.0.1"}), "localhost"},
        {"a common name, and another name", called("localhost", {"other.example"}), "localhost"},
        {"a common name for a host with a dot at its end", called("localhost", {}), "localhost."},
        {"a wildcard as a common name", called("*.example.test", {}), "api.example.test"},
        {"an address as a common name", called("127.0.0.1", {}), "127.0.0.1"},
        {"an address as a name (section 4.3.5)", called("test", {"127.0.0.1"}), "127.0.0.1"},
        {"a wildcard for an address", called("test", {"*.0.0.1"}), "127.0.0.1"},
        {"a wildcard for a part of a label", called("test", {"a*.example.test"}), "api.example.test"},
    };
    for (auto const& [name, shown, host] : table)
        for (int const version : tls_versions)
        {
            CAPTURE(name);
            CAPTURE(version);
            auto options = of_version(version, ca);
            options.shown = ca.issue(shown);
            tls_server server(options);
            local_names const names;
            auto const settings = settings_for(server, ca, host);
            auto client = client_of(settings, names, ccloud::net::share_network(settings));
            auto const got = client.post();
            REQUIRE(!got.has_value());
            CAPTURE(got.error().what());
            CHECK(got.error() == errc::certificate_wrong_host);
            CHECK(got.error().progress() == progress::not_sent);
            CHECK(got.error().gave_up() == ccloud::gave_up::not_retryable);
            CHECK(server.counts().requests == 0);
            CHECK(server.counts().full == 0);
        }
}

namespace {

/** A session with the server, made by a TLS client that trusts the CA and does not check the name. */
ccloud::net::session_pointer session_with(tls_server const& server, authority const& ca, int version)
{
    asio::io_context io;
    asio::ssl::context trusting(asio::ssl::context::tls_client);
    trusting.add_certificate_authority(asio::buffer(ca.certificate()));
    trusting.set_verify_mode(asio::ssl::verify_peer);
    ::SSL_CTX_set_min_proto_version(trusting.native_handle(), version);
    ::SSL_CTX_set_max_proto_version(trusting.native_handle(), version);
    asio::ssl::stream<asio::ip::tcp::socket> stream(io, trusting);
    stream.next_layer().connect({asio::ip::address_v4::loopback(), server.port()});
    ::SSL_set_tlsext_host_name(stream.native_handle(), "localhost");
    stream.handshake(asio::ssl::stream_base::client);
    std::string_view const request = "GET / HTTP/1.1\r\n\r\n";
    asio::write(stream, asio::buffer(request.data(), request.size()));
    std::array<char, 4096> answer;
    (void)stream.read_some(asio::buffer(answer)); // over TLS 1.3 tickets come with it
    ccloud::net::session_pointer session(::SSL_SESSION_dup(::SSL_get0_session(stream.native_handle())));
    boost::system::error_code ignored;
    stream.shutdown(ignored);
    return session;
}

} // namespace

TEST_CASE("RFC 9110 section 4.3.4: a resumed session is checked like a new one: the common name is not compared")
{
    struct row
    {
        std::string name;
        subject shown;
        bool good;
    };
    authority const ca;
    std::vector<row> const table{
        {"nothing but a common name", called("localhost", {}), false},
        {"a common name, and an address", called("localhost", {}, {"127.0.0.1"}), false},
        {"another name", called("test", {"other.example"}), false},
        {"the name", called("test", {"localhost"}), true},
    };
    for (auto const& [name, shown, good] : table)
        for (int const version : tls_versions)
            for (std::string const host : {"localhost", "localhost."})
            {
                CAPTURE(name);
                CAPTURE(version);
                CAPTURE(host);
                auto options = of_version(version, ca);
                options.shown = ca.issue(shown);
                tls_server server(options);
                local_names const names;
                auto const settings = settings_for(server, ca, host);
                auto const network = ccloud::net::share_network(settings);
                network->for_origin()->tickets().put(
                    "localhost " + std::to_string(server.port()), session_with(server, ca, version)
                );
                auto const before = server.counts();
                auto client = client_of(settings, names, network);
                auto const got = client.post();
                CHECK(server.sees([&](tls_server_counts const& now) { return now.resumed == before.resumed + 1; }));
                CHECK(got.has_value() == good);
                if (got.has_value())
                    continue;
                CHECK(got.error() == errc::certificate_wrong_host);
                CHECK(got.error().progress() == progress::not_sent);
                CHECK(server.counts().requests == before.requests);
            }
}
