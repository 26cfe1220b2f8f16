// SOCKS5 proxies over sockets (RFC 1928, and RFC 1929 for credentials). core/proxy.cpp tests the messages alone.
#include <ccloud/ccloud.hpp>

#include "caller.hpp"
#include "printers.hpp"
#include "puppet_server.hpp"

#include <boost/asio/error.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace std::string_view_literals;
using ccloud::close_reason;
using ccloud::errc;
using ccloud::progress;
using support::caller;
using support::puppet_server;
namespace asio = boost::asio;

namespace {

constexpr auto offer_none = "\x05\x01\x00"sv;
constexpr auto offer_password = "\x05\x02\x00\x02"sv;
constexpr auto choose_none = "\x05\x00"sv;
constexpr auto choose_password = "\x05\x02"sv;
constexpr auto password = "\x01\x02me\x04pass"sv;
constexpr auto password_is_right = "\x01\x00"sv;
constexpr auto connected = "\x05\x00\x00\x01\x7f\x00\x00\x01\x04\x38"sv;
constexpr auto answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"sv;

/** The message that asks for a connection to origin.example:80. */
std::string ask_for_name()
{
    return "\x05\x01\x00\x03\x0eorigin.example\x00\x50"s;
}

std::string ask_for_address(std::string_view bytes)
{
    return "\x05\x01\x00\x01"s.append(bytes) + "\x00\x50"s;
}

/** A message of the client, and the reply to it. */
struct step
{
    std::string asked;
    std::string reply;
};

std::vector<step> without_credentials(std::string reply = std::string(connected))
{
    return {{std::string(offer_none), std::string(choose_none)}, {ask_for_name(), std::move(reply)}};
}

std::vector<step> with_credentials(std::string reply = std::string(connected))
{
    return {
        {std::string(offer_password), std::string(choose_password)},
        {std::string(password), std::string(password_is_right)},
        {ask_for_name(), std::move(reply)}};
}

std::string replies_of(std::vector<step> const& steps)
{
    std::string all;
    for (auto const& each : steps)
        all += each.reply;
    return all;
}

/** A SOCKS5 proxy that does what the test tells it to do, and the origin behind it, http://origin.example. */
class socks_proxy
{
public:
    ccloud::config settings(std::string_view scheme = "socks5h", std::string_view user = {}) const
    {
        auto how = server.settings();
        how.proxy.url = std::string(scheme) + "://" + std::string(user) + how.endpoint.substr(7);
        how.endpoint = "http://origin.example";
        return how;
    }

    /** Its name in errors. */
    std::string name(std::string_view scheme = "socks5h") const
    {
        return "proxy " + std::string(scheme) + "://" + server.settings().endpoint.substr(7);
    }

    /** The settings of a client that makes a second attempt after a failure that may pass. */
    ccloud::config with_two_attempts(std::string_view user = {}) const
    {
        auto how = settings("socks5h", user);
        how.retry = ccloud::retry_policy();
        how.retry.max_attempts = 2;
        how.retry.base_delay = how.retry.max_delay = 1ms;
        return how;
    }

    /** Runs the client until exactly `bytes` came on a connection, after those of the earlier steps. */
    void expect(caller& client, std::string_view bytes, std::size_t connection)
    {
        if (heard_.size() <= connection)
            heard_.resize(connection + 1);
        auto& heard = heard_[connection];
        heard += bytes;
        REQUIRE(client.until([&] {
            return server.accepted() > connection && server.received(connection).size() >= heard.size();
        }));
        REQUIRE((server.received(connection) == heard));
    }

    /** Plays the steps on a connection. Of each reply, the bytes before each of these places are sent alone. */
    void play(
        caller& client, std::vector<step> const& steps, std::size_t connection = 0,
        std::vector<std::size_t> const& cuts = {}
    )
    {
        std::size_t sent = 0;
        for (auto const& each : steps)
        {
            expect(client, each.asked, connection);
            std::string piece;
            for (char const c : each.reply)
            {
                if (std::find(cuts.begin(), cuts.end(), sent++) != cuts.end() && !piece.empty())
                {
                    server.send(std::exchange(piece, {}), connection);
                    client.poll();
                    client.poll();
                    REQUIRE((server.received(connection) == heard_[connection])); // the client waits for the rest
                }
                piece += c;
            }
            server.send(piece, connection);
        }
    }

    /** Runs the client until its request is there, and answers it. */
    void serve(caller& client, std::size_t connection = 0)
    {
        REQUIRE(client.until([&] { return server.requests(connection) == 1; }));
        auto const request = std::string_view(server.received(connection)).substr(heard_[connection].size());
        CHECK(request.starts_with("GET /org/v2/environments HTTP/1.1\r\nHost: origin.example\r\n"));
        server.send(answer, connection);
    }

    puppet_server server;

private:
    std::vector<std::string> heard_;
};

/** Has every dial of a call meet the same replies, until the call has ended. */
ccloud::error failure_of(caller& client, socks_proxy& proxy, std::vector<step> const& steps)
{
    auto& call = client.begin();
    for (std::size_t connection = 0; !call.over(); ++connection)
    {
        REQUIRE(client.until([&] { return call.over() || proxy.server.accepted() > connection; }));
        if (call.over())
            break;
        proxy.play(client, steps, connection);
        REQUIRE(client.until([&] { return proxy.server.left(connection); }));
    }
    REQUIRE(!call.good());
    return call.error();
}

} // namespace

TEST_CASE("RFC 1928: a call goes through a SOCKS5 proxy, and each reply may arrive in pieces, cut at any byte")
{
    struct row
    {
        std::string_view name;
        std::string_view user;
        std::vector<step> steps;
    };
    for (auto const& [name, user, steps] : {
             row{"no credentials", "", without_credentials()},
             row{"credentials", "me:pass@", with_credentials()},
             row{"bound to IPv6", "",
                 without_credentials("\x05\x00\x00\x04\x20\x01\x0d\xb8"s + std::string(12, '\x01') + "\x04\x38")},
             row{"bound to a name", "", without_credentials("\x05\x00\x00\x03\x0dproxy.example\x04\x38"s)},
             row{"bound to an empty name", "", without_credentials("\x05\x00\x00\x03\x00\x00\x00"s)},
             row{"credentials that are not wanted",
                 "me:pass@",
                 {{std::string(offer_password), std::string(choose_none)}, {ask_for_name(), std::string(connected)}}},
         })
    {
        CAPTURE(name);
        std::vector<std::vector<std::size_t>> ways{{}, {}};
        for (std::size_t byte = 1; byte < replies_of(steps).size(); ++byte)
        {
            ways.push_back({byte});
            ways[1].push_back(byte); // one byte at a time
        }
        for (auto const& cuts : ways)
        {
            CAPTURE(cuts.size());
            CAPTURE((cuts.empty() ? 0 : cuts.front()));
            socks_proxy proxy;
            auto settings = proxy.settings("socks5h", user);
            auto const seen = std::make_shared<support::connection_witness>();
            settings.observer = seen;
            caller client(settings);
            auto& call = client.begin();
            proxy.play(client, steps, 0, cuts);
            proxy.serve(client);
            REQUIRE(client.until([&] { return call.over(); }));
            CHECK(call.good());
            CHECK(proxy.server.accepted() == 1);
            REQUIRE(seen->seen.size() == 1);
            CHECK("proxy " + seen->seen.front()->proxy == proxy.name());
            CHECK(seen->seen.front()->tunnel > 0ns);
        }
    }
}

TEST_CASE("RFC 1928 section 6: each refusal of a SOCKS5 proxy has its text, and is permanent where it cannot pass")
{
    struct row
    {
        int code;
        std::string_view text;
        bool permanent;
    };
    for (auto const& [code, text, permanent] : {
             row{1, "general failure", false},
             row{2, "not allowed by its rules", true},
             row{3, "network unreachable", false},
             row{4, "host unreachable", false},
             row{5, "connection refused", false},
             row{6, "TTL expired", false},
             row{7, "command not supported", true},
             row{8, "address type not supported", true},
             row{9, "failure 9", false},
             row{255, "failure 255", false},
         })
    {
        CAPTURE(code);
        socks_proxy proxy;
        caller client(proxy.with_two_attempts());
        auto const reply = "\x05"s + static_cast<char>(code) + "\x00\x01\x00\x00\x00\x00\x00\x00"s;
        auto const failed = failure_of(client, proxy, without_credentials(reply));
        CHECK(failed == errc::proxy_refused);
        CHECK(failed.progress() == progress::not_sent);
        CHECK(failed.detail() == proxy.name() + ": " + std::string(text));
        CHECK(!failed.cause());
        CHECK(failed.attempts().size() == (permanent ? 1 : 2));
        CHECK(proxy.server.accepted() == failed.attempts().size());
        CHECK(client.connections().proxy_failed == failed.attempts().size());
    }
}

TEST_CASE("RFC 1929 section 2: a SOCKS5 proxy that does not take the credentials is not asked again")
{
    struct row
    {
        std::string_view user;
        std::vector<step> steps;
        std::string_view text;
    };
    auto const none = "\x05\xff"s;
    for (auto const& [user, steps, text] : {
             row{"", {{std::string(offer_none), none}}, "it wants credentials"},
             row{"me:pass@", {{std::string(offer_password), none}}, "it takes neither user and password nor none"},
             row{"me:pass@",
                 {{std::string(offer_password), std::string(choose_password)}, {std::string(password), "\x01\x01"s}},
                 "wrong user or password"},
             row{"me:pass@",
                 {{std::string(offer_password), std::string(choose_password)}, {std::string(password), "\x01\xff"s}},
                 "wrong user or password"},
         })
    {
        CAPTURE(text);
        socks_proxy proxy;
        caller client(proxy.with_two_attempts(user));
        auto const failed = failure_of(client, proxy, steps);
        CHECK(failed == errc::proxy_authentication_failed);
        CHECK(failed.progress() == progress::not_sent);
        CHECK(failed.detail() == proxy.name() + ": " + std::string(text));
        CHECK(failed.what().find("pass@") == std::string::npos);
        CHECK(failed.attempts().size() == 1);
        CHECK(proxy.server.accepted() == 1);
    }
}

TEST_CASE("RFC 1928: a peer whose reply is not SOCKS5 is reported, and not asked again")
{
    struct row
    {
        std::vector<step> steps;
        std::string_view text;
    };
    for (auto const& [steps, text] : {
             row{{{std::string(offer_none), "\x04\x00"s}}, "it does not speak SOCKS5"},
             row{{{std::string(offer_none), "HTTP/1.1 400 Bad Request\r\n\r\n"}}, "it does not speak SOCKS5"},
             row{{{std::string(offer_none), "\x05\x02"s}}, "it chose a method that was not offered"},
             row{{{std::string(offer_none), "\x05\x01"s}}, "it chose a method that was not offered"},
             row{without_credentials("\x04\x00\x00\x01\x00"s), "it does not speak SOCKS5"},
             row{without_credentials("\x05\x00\x00\x02\x00"s), "an address of an unknown type"},
         })
    {
        CAPTURE(text);
        socks_proxy proxy;
        caller client(proxy.with_two_attempts());
        auto const failed = failure_of(client, proxy, steps);
        CHECK(failed == errc::proxy_refused);
        CHECK(failed.progress() == progress::not_sent);
        CHECK(failed.detail() == proxy.name() + ": " + std::string(text));
        CHECK(failed.attempts().size() == 1);
        CHECK(proxy.server.accepted() == 1);
    }
    socks_proxy proxy;
    caller client(proxy.with_two_attempts("me:pass@"));
    auto const failed = failure_of(
        client, proxy,
        {{std::string(offer_password), std::string(choose_password)}, {std::string(password), "\x05\x00"s}}
    );
    CHECK(failed == errc::proxy_refused);
    CHECK(failed.detail() == proxy.name() + ": it does not speak RFC 1929");
    CHECK(failed.attempts().size() == 1);
}

TEST_CASE("RFC 1928: a SOCKS5 proxy may end the connection at each byte of its replies: not sent, and tried again")
{
    auto const all = replies_of(with_credentials()).size();
    for (bool const resets : {false, true})
        for (std::size_t most = 0; most < all; ++most)
        {
            CAPTURE(resets);
            CAPTURE(most);
            socks_proxy proxy;
            caller client(proxy.with_two_attempts("me:pass@"));
            auto& call = client.begin();
            std::vector<step> begun;
            auto left = most;
            for (auto each : with_credentials())
            {
                each.reply.resize(std::min(left, each.reply.size()));
                left -= each.reply.size();
                begun.push_back(each);
                if (left == 0)
                    break;
            }
            if (auto const last = with_credentials()[begun.size() - 1];
                begun.back().reply == last.reply && begun.size() < with_credentials().size())
                begun.push_back({with_credentials()[begun.size()].asked, {}});
            for (std::size_t connection = 0; connection < 2; ++connection)
            {
                proxy.play(client, begun, connection);
                resets ? proxy.server.reset(connection) : proxy.server.end(connection);
            }
            REQUIRE(client.until([&] { return call.over(); }));
            REQUIRE(!call.good());
            CHECK(call.error() == errc::proxy_refused);
            CHECK(call.error().progress() == progress::not_sent);
            CHECK(call.error().detail() == proxy.name() + ": the connection broke");
            auto const cause = resets ? boost::system::error_code(asio::error::connection_reset)
                                      : boost::system::error_code(asio::error::eof);
            CHECK(call.error().cause() == std::error_code(cause));
            CHECK(call.error().attempts().size() == 2);
            CHECK(proxy.server.accepted() == 2);
        }
}

TEST_CASE("RFC 1928: bytes behind the reply of a SOCKS5 proxy belong to the tunnel, where nobody asked for them")
{
    socks_proxy proxy;
    caller client(proxy.settings());
    auto const failed = failure_of(client, proxy, without_credentials(std::string(connected) + "x"));
    CHECK(failed == errc::connect_failed);
    CHECK(failed.progress() == progress::not_sent);
    CHECK(failed.detail().find("sent 1 byte after the tunnel was open") != std::string::npos);
    CHECK(client.connections().closed_for(close_reason::unsolicited) == 1);
}

TEST_CASE("a SOCKS5 proxy that does not answer is given up after connect_timeout, and named")
{
    for (std::string_view const scheme : {"socks5h", "socks5"})
        for (std::size_t answered = 0; answered < 3; ++answered)
        {
            CAPTURE(scheme);
            CAPTURE(answered);
            socks_proxy proxy;
            auto settings = proxy.settings(scheme, "me:pass@");
            settings.pool.connect_timeout = 200ms;
            caller client(settings, [](std::string const&) { return ccloud::net::name_answer{{"192.0.2.1"}, {}}; });
            auto& call = client.begin();
            auto steps = with_credentials();
            if (scheme == "socks5")
                steps.back().asked = ask_for_address("\xc0\x00\x02\x01"sv);
            steps.resize(answered + 1);
            steps.back().reply.clear();
            proxy.play(client, steps);
            REQUIRE(client.until([&] { return call.over(); }));
            REQUIRE(!call.good());
            CHECK(call.error() == errc::connect_timeout);
            CHECK(call.error().progress() == progress::not_sent);
            CHECK(call.error().detail().starts_with("SOCKS5 reply of " + proxy.name(scheme) + " took longer than"));
            CHECK(client.until([&] { return proxy.server.left(); }));
        }
}

TEST_CASE("RFC 1929 section 2: credentials that a SOCKS5 proxy does not take are shown once for all calls that wait")
{
    socks_proxy proxy;
    auto settings = proxy.with_two_attempts("me:pass@");
    settings.rate_scope = support::scope_for_each_target();
    settings.pool.max_concurrent_dials = 1;
    caller client(settings);
    for (char const scope : {'a', 'b', 'c'})
        client.begin(std::string("/scope/") + scope);
    proxy.play(
        client, {{std::string(offer_password), std::string(choose_password)}, {std::string(password), "\x01\x01"s}}
    );
    REQUIRE(client.until([&] { return client.all_over(); }));
    for (auto const& call : client.calls)
    {
        REQUIRE(!call.good());
        CHECK(call.error() == errc::proxy_authentication_failed);
    }
    CHECK(proxy.server.accepted() == 1);
    CHECK(client.connections().proxy_failed == 1);
}

TEST_CASE("pool 16: socks5 resolves the origin here; an address that the proxy refuses is asked for last from then on")
{
    auto const first = ask_for_address("\xc0\x00\x02\x01"sv);
    auto const second = ask_for_address("\xc0\x00\x02\x02"sv);
    auto const refused = "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"s;
    socks_proxy proxy;
    auto settings = proxy.settings("socks5");
    settings.retry = ccloud::retry_policy();
    settings.retry.base_delay = settings.retry.max_delay = 1ms;
    settings.pool.max_requests_per_connection = 1;
    auto const names = std::make_shared<std::vector<std::string>>(); // the thread of a look-up may outlive the test
    caller client(settings, [names](std::string const& name) {
        names->push_back(name);
        return ccloud::net::name_answer{{"192.0.2.1", "192.0.2.2"}, {}};
    });
    auto const dial = [&](std::string const& target, std::string const& reply, std::size_t connection) {
        proxy.play(client, {{std::string(offer_none), std::string(choose_none)}, {target, reply}}, connection);
    };
    auto& call = client.begin();
    dial(first, refused, 0);
    dial(second, std::string(connected), 1);
    proxy.serve(client, 1);
    REQUIRE(client.until([&] { return call.over(); }));
    REQUIRE(call.good());
    CHECK(call.how->response().attempts() == 2);
    for (std::size_t connection = 2; connection < 6; ++connection) // otherwise dials would take turns
    {
        auto& next = client.begin();
        dial(second, std::string(connected), connection);
        proxy.serve(client, connection);
        REQUIRE(client.until([&] { return next.over(); }));
        CHECK(next.good());
    }
    CHECK(*names == std::vector<std::string>{"origin.example"});
}

TEST_CASE("pool 16: a name of the origin that socks5 cannot resolve here is that failure, and the proxy hears nothing")
{
    boost::system::error_code const unknown = asio::error::host_not_found;
    socks_proxy proxy;
    caller client(proxy.settings("socks5"), [unknown](std::string const&) {
        return ccloud::net::name_answer{{}, unknown};
    });
    auto& call = client.begin();
    REQUIRE(client.until([&] { return call.over(); }));
    REQUIRE(!call.good());
    CHECK(call.error() == errc::name_resolution_failed);
    CHECK(call.error().progress() == progress::not_sent);
    CHECK(call.error().detail() == "http://origin.example");
    CHECK(call.error().cause() == std::error_code(unknown));
    REQUIRE(proxy.server.accepted() == 1);
    REQUIRE(client.until([&] { return proxy.server.left(); }));
    CHECK(proxy.server.received() == "");
}
