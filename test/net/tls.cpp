#include <ccloud/ccloud.hpp>

#include "certificates.hpp"
#include "printers.hpp"
#include "rehashed.hpp"
#include "tls_server.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using ccloud::condition;
using ccloud::errc;
using ccloud::progress;
using ccloud::testing::simulated::temporary_file;
using support::authority;
using support::complaint;
using support::driven_client;
using support::identity;
using support::rehashed;
using support::subject;
using support::tls_server;
using support::tls_server_counts;
using support::tls_server_options;

namespace {

constexpr int no_version = 0;
constexpr int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

tls_server_options shown(identity const& own, int version = no_version)
{
    tls_server_options options;
    options.shown = own;
    if (version != no_version)
        options.min_version = options.max_version = version;
    return options;
}

subject valid(std::chrono::seconds from, std::chrono::seconds until)
{
    auto local = subject::local();
    local.from = from;
    local.until = until;
    return local;
}

bool contains(std::string text, std::string_view words)
{
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    return text.find(words) != std::string::npos;
}

void check_refused(driven_client::outcome const& got, errc code, std::string_view reason)
{
    REQUIRE(!got.has_value());
    auto const& failure = got.error();
    CAPTURE(failure.what());
    CHECK(failure.code() == code);
    CHECK(failure.progress() == progress::not_sent);
    CHECK(failure == condition::tls_failure);
    CHECK(failure == condition::network);
    CHECK(failure.attempts().size() == 1);
    CHECK(failure.gave_up() == ccloud::gave_up::not_retryable);
    CHECK(contains(failure.what(), "localhost"));
    CHECK(contains(failure.what(), reason));
}

/** A POST, and fifty GETs at once; gives what the server has seen when all is over. */
tls_server_counts check_refusal(tls_server& server, ccloud::config const& settings, errc code, std::string_view reason)
{
    {
        driven_client client(settings);
        check_refused(client.post(), code, reason);
        for (auto const& each : client.get_all(50))
            check_refused(each, code, reason);
        CHECK(client.until([&] { return client.connections().active + client.connections().idle == 0; }));
        CHECK(client.connections().waiting == 0);
    }
    CHECK(server.sees([](tls_server_counts const& now) { return now.accepted > 0 && now.open == 0; }));
    CHECK(server.counts().requests == 0);
    return server.counts();
}

/** How a client shows its certificate. */
ccloud::config with_certificate(ccloud::config settings, identity const& own)
{
    settings.tls.certificate_pem = own.certificate;
    settings.tls.key_pem = own.key;
    return settings;
}

/** What the constructor says of these settings; empty: it takes them. */
std::string fault_in(ccloud::config settings)
{
    boost::asio::io_context context;
    try
    {
        ccloud::client const cloud(context.get_executor(), std::move(settings));
        return {};
    }
    catch (ccloud::configuration_error const& failed)
    {
        return failed.what();
    }
}

} // namespace

TEST_CASE("pool 17: a server whose certificate is not acceptable gets nothing, and each reason has its own error")
{
    authority const ca;
    authority const other("other CA");
    auto with_root = other.issue(subject::local());
    with_root.certificate += other.certificate();
    auto no_server = subject::local();
    no_server.usage = "clientAuth";
    struct row
    {
        std::string name;
        identity shown;
        errc code;
        std::string reason;
    };
    std::vector<row> const table{
        {"for another host", ca.issue(subject::named("other.example")), errc::certificate_wrong_host, "host"},
        {"for no host", ca.issue(subject::client("localhost.example")), errc::certificate_wrong_host, "host"},
        {"expired", ca.issue(valid(-2h, -1h)), errc::certificate_expired, "expired"},
        {"not valid yet", ca.issue(valid(1h, 2h)), errc::certificate_expired, "not yet valid"},
        {"self-signed", support::self_signed(subject::local()), errc::certificate_self_signed, "self"},
        {"of another authority", other.issue(subject::local()), errc::certificate_unknown_authority, "issuer"},
        {"the same with its root", with_root, errc::certificate_unknown_authority, "certificate"},
        {"not for servers", ca.issue(no_server), errc::certificate_rejected, "purpose"},
    };
    for (auto const& [name, own, code, reason] : table)
        for (int const version : versions)
        {
            CAPTURE(name);
            CAPTURE(version);
            tls_server server(shown(own, version));
            auto const seen = check_refusal(server, server.settings(ca), code, reason);
            CHECK(seen.after_failure == 0);
            CHECK(seen.full == 0);
            CHECK(seen.failed == seen.accepted);
        }
}

TEST_CASE("pool 17: a server that speaks no TLS that we accept gets nothing")
{
    authority const ca;
    auto const own = ca.issue(subject::local());
    struct row
    {
        std::string name;
        tls_server_options options;
        bool require_tls_1_3;
        errc code;
        std::string reason;
    };
    auto old = shown(own);
    old.min_version = TLS1_VERSION;
    old.max_version = TLS1_1_VERSION;
    auto wants_another = shown(own);
    wants_another.hello_alert = SSL_AD_PROTOCOL_VERSION;
    auto finds_no_cipher = shown(own);
    finds_no_cipher.hello_alert = SSL_AD_HANDSHAKE_FAILURE;
    auto not_here = shown(own);
    not_here.hello_alert = SSL_AD_UNRECOGNIZED_NAME;
    auto http_2 = shown(own);
    http_2.protocol = "h2";
    auto h2_in_any_case = http_2;
    h2_in_any_case.imposes_protocol = true;
    std::vector<row> const table{
        {"TLS 1.1", old, false, errc::tls_version_unsupported, "version"},
        {"TLS 1.2", shown(own, TLS1_2_VERSION), true, errc::tls_version_unsupported, "version"},
        {"alert protocol_version", wants_another, false, errc::tls_version_unsupported, "version"},
        {"alert handshake_failure", finds_no_cipher, false, errc::tls_failed, "handshake failure"},
        {"alert unrecognized_name", not_here, false, errc::tls_failed, "unrecognized name"},
        {"alert no_application_protocol", http_2, false, errc::tls_failed, "protocol"},
        {"ALPN h2", h2_in_any_case, false, errc::tls_failed, "handshake"},
    };
    for (auto const& [name, options, require_tls_1_3, code, reason] : table)
    {
        CAPTURE(name);
        tls_server server(options);
        auto settings = server.settings(ca);
        settings.tls.require_tls_1_3 = require_tls_1_3;
        CHECK(check_refusal(server, settings, code, reason).after_failure == 0);
    }
}

TEST_CASE("pool 17: require_tls_1_3 is content with TLS 1.3")
{
    authority const ca;
    tls_server server(shown(ca.issue(subject::local())));
    auto settings = server.settings(ca);
    settings.tls.require_tls_1_3 = true;
    driven_client client(settings);
    CHECK(complaint(client.get()) == "");
}

TEST_CASE("pool 17: SNI is sent for names, and not for addresses")
{
    authority const ca;
    tls_server server(shown(ca.issue(subject::local())));
    for (std::string const host : {"localhost", "127.0.0.1"})
    {
        auto settings = server.settings(ca);
        settings.endpoint = server.endpoint(host);
        driven_client client(settings);
        CHECK(complaint(client.get()) == "");
    }
    std::vector<std::string> const expected{"localhost", ""};
    CHECK(server.counts().names == expected);

    tls_server other(shown(ca.issue(subject::named("localhost"))));
    auto settings = other.settings(ca);
    settings.endpoint = other.endpoint("127.0.0.1");
    driven_client client(settings);
    auto const got = client.get();
    REQUIRE(!got.has_value());
    CHECK(got.error() == errc::certificate_wrong_host);
    CHECK(contains(got.error().what(), "127.0.0.1"));
}

TEST_CASE("pool 17: authorities are trusted from a file, a folder, a text, and beside the system's")
{
    authority const ca;
    authority const other("other CA");
    auto const middle = ca.intermediate("middle").intermediate("lower");
    tls_server server(shown(middle.issue(subject::local())));
    temporary_file const file(ca.certificate());
    rehashed const folder(ca);
    using tls_options = ccloud::config::tls_options;
    rehashed const another_folder(other);
    std::vector<tls_options> accepted(7);
    accepted[0].ca_file = file.path();
    accepted[1].ca_directory = folder.path();
    accepted[2].ca_pem = "some words before\n" + other.certificate() + "\n" + ca.certificate();
    accepted[3].ca_file = file.path();
    accepted[3].add_to_system = true;
    accepted[4].ca_pem = other.certificate();
    accepted[4].ca_directory = folder.path();
    accepted[5].ca_directory = another_folder.path() + ":" + folder.path();
    accepted[6].ca_directory = folder.path() + ":";
    for (auto const& how : accepted)
    {
        CAPTURE(&how - accepted.data());
        auto settings = server.settings(ca);
        settings.tls = how;
        driven_client client(settings);
        CHECK(complaint(client.get()) == "");
    }
    auto settings = server.settings(ca);
    settings.tls = {};
    driven_client client(settings); // the system does not know them
    auto const got = client.get();
    REQUIRE(!got.has_value());
    CHECK(got.error() == condition::tls_failure);
}

TEST_CASE("pool 17: a client certificate is shown to a server that demands one")
{
    authority const ca;
    for (int const version : versions)
    {
        CAPTURE(version);
        auto options = shown(ca.issue(subject::local()), version);
        options.client_ca = ca.certificate();
        tls_server server(options);
        auto const first = ca.intermediate("middle").issue(subject::client("first"));
        auto const second = ca.issue(subject::client("second"));
        temporary_file const certificate(second.certificate);
        temporary_file const key(support::encrypted(second.key, "open sesame"));
        std::vector<ccloud::config> accepted(4, server.settings(ca));
        accepted[0] = with_certificate(server.settings(ca), first);
        accepted[1] = with_certificate(server.settings(ca), second);
        accepted[2].tls.certificate_file = certificate.path();
        accepted[2].tls.key_file = key.path();
        accepted[2].tls.key_password = "open sesame";
        accepted[3].tls.certificate_file = certificate.path();
        accepted[3].tls.key_pem = second.key;
        for (auto const& settings : accepted)
        {
            CAPTURE(&settings - accepted.data());
            driven_client client(settings);
            CHECK(complaint(client.get()) == "");
            CHECK(complaint(client.post()) == "");
        }
        std::vector<std::string> const expected{"first", "second", "second", "second"};
        CHECK(server.counts().clients == expected);
        CHECK(server.counts().requests == 8);
    }
}

TEST_CASE("pool 17: a server that demands another client certificate, or one at all, has executed nothing")
{
    authority const ca;
    auto const wrong = authority("other CA").issue(subject::client("unknown"));
    for (int const version : versions)
        for (bool const resets : {false, true})
        {
            CAPTURE(version);
            CAPTURE(resets);
            auto options = shown(ca.issue(subject::local()), version);
            options.client_ca = ca.certificate();
            options.resets_refused = resets;
            tls_server server(options);
            check_refusal(server, server.settings(ca), errc::client_certificate_rejected, "certificate");
            auto const settings = with_certificate(server.settings(ca), wrong);
            auto const seen = check_refusal(server, settings, errc::client_certificate_rejected, "certificate");
            CHECK(seen.full == 0);
        }
}

TEST_CASE("pool 17: a client certificate that is refused long after it was sent is still told from a lost connection")
{
    authority const ca;
    for (bool const resets : {false, true})
        for (std::size_t const size : {std::size_t(100), std::size_t(4'000'000)})
        {
            CAPTURE(resets);
            CAPTURE(size);
            auto options = shown(ca.issue(subject::local()), TLS1_3_VERSION);
            options.client_ca = ca.certificate();
            options.pauses_midway = true;
            options.resets_refused = resets;
            tls_server server(options);
            driven_client client(server.settings(ca));
            auto const call = client.start(
                ccloud::http_request(ccloud::method::post, "/iam/v2/ip-groups").body(std::string(size, ' '))
            );
            REQUIRE(client.until([&] { return client.connections().active == 1; }));
            client.context().poll(); // writes what can be written
            server.go_on();
            REQUIRE(client.until([&] { return call->size() == 1; }));
            check_refused(call->front(), errc::client_certificate_rejected, "certificate");
            CHECK(server.counts().accepted == 1);
            CHECK(server.counts().requests == 0);
        }
}

TEST_CASE("pool 17: what is wrong with the TLS options is said by the client's constructor, which names the option")
{
    authority const ca;
    auto const own = ca.issue(subject::client("first"));
    auto const other = ca.issue(subject::client("second"));
    temporary_file const ca_file(ca.certificate());
    temporary_file const certificate_file(own.certificate);
    temporary_file const key_file(own.key);
    temporary_file const garbage("-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n");
    temporary_file const nothing("");
    auto const locked = support::encrypted(own.key, "open sesame");
    auto half = ca.certificate();
    half.resize(half.size() / 2);
    using tls_options = ccloud::config::tls_options;
    struct row
    {
        std::string name;
        std::string option;
        std::function<void(tls_options&)> spoil;
    };
    std::vector<row> const table{
        {"no such file", "tls.ca_file", [](auto& tls) { tls.ca_file = "/does/not/exist.pem"; }},
        {"a folder", "tls.ca_file", [](auto& tls) { tls.ca_file = "/"; }},
        {"garbage", "tls.ca_file", [&](auto& tls) { tls.ca_file = garbage.path(); }},
        {"nothing", "tls.ca_file", [&](auto& tls) { tls.ca_file = nothing.path(); }},
        {"a key for an authority", "tls.ca_file", [&](auto& tls) { tls.ca_file = key_file.path(); }},
        {"garbage", "tls.ca_pem", [](auto& tls) { tls.ca_pem = "garbage"; }},
        {"half of it", "tls.ca_pem", [&](auto& tls) { tls.ca_pem = half; }},
        {"half of the second", "tls.ca_pem", [&](auto& tls) { tls.ca_pem = ca.certificate() + half; }},
        {"no such folder", "tls.ca_directory", [](auto& tls) { tls.ca_directory = "/does/not/exist"; }},
        {"a list with a folder that is not there", "tls.ca_directory",
         [](auto& tls) { tls.ca_directory = "/:/does/not/exist"; }},
        {"a file", "tls.ca_directory", [&](auto& tls) { tls.ca_directory = ca_file.path(); }},
        {"an empty list", "tls.ca_directory", [](auto& tls) { tls.ca_directory = ":"; }},
        {"file and text", "tls.ca_file",
         [&](auto& tls) {
             tls.ca_file = ca_file.path();
             tls.ca_pem = ca.certificate();
         }},
        {"no such file", "tls.certificate_file",
         [&](auto& tls) {
             tls.certificate_file = "/does/not/exist.pem";
             tls.key_pem = own.key;
         }},
        {"garbage", "tls.certificate_pem",
         [&](auto& tls) {
             tls.certificate_pem = "garbage";
             tls.key_pem = own.key;
         }},
        {"file and text", "tls.certificate_file",
         [&](auto& tls) {
             tls.certificate_file = certificate_file.path();
             tls.certificate_pem = own.certificate;
             tls.key_pem = own.key;
         }},
        {"without a key", "tls.key_pem", [&](auto& tls) { tls.certificate_pem = own.certificate; }},
        {"without a key", "tls.key_file", [&](auto& tls) { tls.certificate_file = certificate_file.path(); }},
        {"without a certificate", "tls.certificate_pem", [&](auto& tls) { tls.key_pem = own.key; }},
        {"without a certificate", "tls.certificate_file", [&](auto& tls) { tls.key_file = key_file.path(); }},
        {"no such file", "tls.key_file",
         [&](auto& tls) {
             tls.certificate_pem = own.certificate;
             tls.key_file = "/does/not/exist.pem";
         }},
        {"garbage", "tls.key_pem",
         [&](auto& tls) {
             tls.certificate_pem = own.certificate;
             tls.key_pem = "garbage";
         }},
        {"file and text", "tls.key_file",
         [&](auto& tls) {
             tls.certificate_pem = own.certificate;
             tls.key_file = key_file.path();
             tls.key_pem = own.key;
         }},
        {"the key of another one", "tls.key_pem",
         [&](auto& tls) {
             tls.certificate_pem = own.certificate;
             tls.key_pem = other.key;
         }},
        {"a password is missing", "tls.key_pem",
         [&](auto& tls) {
             tls.certificate_pem = own.certificate;
             tls.key_pem = locked;
         }},
        {"another password", "tls.key_pem",
         [&](auto& tls) {
             tls.certificate_pem = own.certificate;
             tls.key_pem = locked;
             tls.key_password = "open barley";
         }},
    };
    for (auto const& [name, option, spoil] : table)
    {
        CAPTURE(name);
        CAPTURE(option);
        ccloud::config settings;
        settings.credentials = ccloud::api_key("KEY", "SECRET");
        spoil(settings.tls);
        auto const fault = fault_in(settings);
        CAPTURE(fault);
        CHECK(contains(fault, option));
        CHECK(!contains(fault, "barley"));
        CHECK(!contains(fault, "begin"));
    }
}

TEST_CASE("reload_tls: what is trusted from now on decides, and no connection from before is used again")
{
    authority const old_ca;
    authority const new_ca("new CA");
    for (int const version : versions)
        for (bool const at_once : {false, true})
        {
            CAPTURE(version);
            CAPTURE(at_once);
            tls_server server(shown(old_ca.issue(subject::local()), version));
            driven_client client(server.settings(old_ca));
            REQUIRE(complaint(client.get()) == "");
            server.show(new_ca.issue(subject::local()));
            CHECK(complaint(client.get()) == ""); // on the connection that is there
            CHECK(server.counts().accepted == 1);

            client->reload_tls(server.settings(new_ca).tls);
            if (!at_once)
                CHECK(client.until([&] { return client.connections().idle == 0; }));
            CHECK(complaint(client.get()) == "");
            CHECK(complaint(client.post()) == "");
            CHECK(server.counts().accepted == 2);
            CHECK(server.counts().full == 2);
            CHECK(client.connections().closed_for(ccloud::close_reason::superseded) == 1);

            client->reload_tls(server.settings(old_ca).tls);
            auto const got = client.get();
            REQUIRE(!got.has_value());
            CHECK(got.error() == errc::certificate_unknown_authority);
            CHECK(server.counts().requests == 4);
        }
}

TEST_CASE("reload_tls: a call under way ends on its connection, which is not used again")
{
    authority const ca;
    tls_server server(shown(ca.issue(subject::local())));
    driven_client client(server.settings(ca));
    REQUIRE(complaint(client.get()) == "");
    server.hold(2); // answers neither before the second one waits
    auto const before = client.start(1);
    REQUIRE(client.until([&] { return client.connections().active == 1; }));
    client->reload_tls(server.settings(ca).tls);
    auto const after = client.start(1);
    REQUIRE(client.until([&] { return before->size() + after->size() == 2; }));
    CHECK(complaint(before->front()) == "");
    CHECK(complaint(after->front()) == "");
    CHECK(complaint(client.get()) == "");
    CHECK(server.counts().accepted == 2);
    CHECK(client.connections().idle == 1);
    CHECK(client.connections().closed_for(ccloud::close_reason::superseded) == 1);
}

TEST_CASE("reload_tls: a connection that was being made meanwhile serves nobody")
{
    authority const ca;
    authority const other("other CA");
    for (bool const at_start : {true, false})
    {
        CAPTURE(at_start);
        auto options = shown(ca.issue(subject::local()), TLS1_2_VERSION);
        options.pauses_at_start = at_start;
        options.pauses_midway = !at_start;
        tls_server server(options);
        driven_client client(server.settings(ca));
        auto const call = client.start(1);
        REQUIRE(client.until([&] {
            auto const seen = server.counts();
            return at_start ? seen.accepted == 1 : seen.names.size() == 1;
        }));
        client->reload_tls(server.settings(other).tls);
        REQUIRE(client.until([&] {
            server.go_on();
            return call->size() == 1;
        }));
        REQUIRE(!call->front().has_value());
        CHECK(call->front().error() == errc::certificate_unknown_authority);
        CHECK(server.counts().requests == 0);
    }
}

TEST_CASE("reload_tls: a call that waits for a connection gets none from before")
{
    authority const ca;
    tls_server server(shown(ca.issue(subject::local())));
    auto settings = server.settings(ca);
    settings.pool.max_connections_per_origin = 1;
    driven_client client(settings);
    server.hold(2);
    auto const first = client.start(1);
    REQUIRE(client.until([&] { return server.counts().requests == 1; }));
    // Of another endpoint, so that the gate lets it through.
    auto const second = client.start(ccloud::http_request(ccloud::method::get, "/org/v2/environments"));
    REQUIRE(client.until([&] { return client.connections().waiting == 1; }));
    client->reload_tls(settings.tls);
    server.hold(1);
    REQUIRE(client.until([&] { return first->size() == 1; }));
    CHECK(complaint(first->front()) == "");
    REQUIRE(client.until([&] { return second->size() == 1; }));
    CHECK(complaint(second->front()) == "");
    CHECK(server.counts().accepted == 2);
}

TEST_CASE("reload_tls: options that cannot be used are refused, and nothing changes")
{
    authority const ca;
    authority const other("other CA");
    tls_server server(shown(ca.issue(subject::local())));
    driven_client client(server.settings(ca));
    REQUIRE(complaint(client.get()) == "");
    auto missing = server.settings(ca).tls;
    missing.ca_pem.clear();
    missing.ca_file = "/does/not/exist.pem";
    auto half = server.settings(other).tls;
    half.certificate_pem = other.issue(subject::client("first")).certificate;
    for (auto const& unusable : {missing, half})
    {
        CHECK_THROWS_AS(client->reload_tls(unusable), ccloud::configuration_error);
        CHECK(complaint(client.get()) == "");
        CHECK(server.counts().accepted == 1);
    }
    server.end();
    REQUIRE(client.until([&] { return client.connections().idle == 0; }));
    CHECK(complaint(client.get()) == ""); // is trusted as before
    CHECK(server.counts().accepted == 2);
}
