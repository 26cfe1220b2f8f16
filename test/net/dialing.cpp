#include <ccloud/ccloud.hpp>
#include <ccloud/testing/simulator.hpp>

#include "black_hole.hpp"
#include "caller.hpp"
#include "descriptors.hpp"
#include "http_server.hpp"
#include "net/connect_race.hpp"
#include "net/factory.hpp"
#include "net/resolver.hpp"
#include "printers.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using ccloud::errc;
using ccloud::progress;
using ccloud::net::connect_race;
using ccloud::net::name_answer;
using ccloud::net::name_lookup;
using ccloud::net::name_wait;
using ccloud::net::resolver;
using ccloud::testing::fault;
using ccloud::testing::simulator;
using support::black_hole;
using support::caller;
using support::http_server;
using support::http_server_counts;
using support::open_descriptors;
using support::response;
namespace asio = boost::asio;

namespace {

constexpr auto host = "api.example.test";

/** As the library gives it. */
std::error_code code_of(boost::system::error_code failed)
{
    return failed;
}

name_lookup always(std::vector<std::string> addresses)
{
    return [addresses = std::move(addresses)](std::string const&) { return name_answer{addresses, {}}; };
}

/** Looks up names: those that begin with "slow" when the test lets it, and others at once. It may outlive the test's
    client, as its threads may. */
class slow_names
{
public:
    explicit slow_names(name_answer answer) : state_(std::make_shared<state>(std::move(answer))) {}

    /** Lets all go, and waits for them. */
    ~slow_names()
    {
        release();
        std::unique_lock guard(state_->mutex);
        state_->changed.wait(guard, [this] { return state_->asked == state_->answered; });
    }
    slow_names(slow_names const&) = delete;
    slow_names& operator=(slow_names const&) = delete;

    name_lookup lookup() const
    {
        return [state = state_](std::string const& name) {
            std::unique_lock guard(state->mutex);
            ++state->asked;
            state->changed.notify_all();
            if (name.compare(0, 4, "slow") == 0)
                state->changed.wait(guard, [&] { return state->released; });
            ++state->answered;
            state->changed.notify_all();
            return state->answer;
        };
    }

    void release()
    {
        std::lock_guard const guard(state_->mutex);
        state_->released = true;
        state_->changed.notify_all();
    }

    int asked() const
    {
        std::lock_guard const guard(state_->mutex);
        return state_->asked;
    }

private:
    struct state
    {
        explicit state(name_answer found) : answer(std::move(found)) {}

        name_answer const answer;
        std::mutex mutex;
        std::condition_variable changed;
        bool released = false;
        int asked = 0;
        int answered = 0;
    };
    std::shared_ptr<state> state_;
};

/** Timers that fire when the test says so. */
class hand_clock final : public ccloud::transport
{
public:
    asio::awaitable<ccloud::exchange> send(ccloud::http_request const&, ccloud::origin const&, ccloud::send_options)
        override
    {
        co_return ccloud::exchange();
    }
    ccloud::steady_time now() const noexcept override { return ccloud::steady_time(1h); }
    ccloud::wall_time wall_now() const noexcept override { return ccloud::wall_time(1h); }
    std::uint64_t roll() noexcept override { return 0; }
    void arm(ccloud::timer_node& node, ccloud::steady_time due) override
    {
        node.due = due;
        node.position = 0;
        armed = &node;
    }
    void disarm(ccloud::timer_node& node) noexcept override
    {
        node.position = ccloud::timer_node::unarmed;
        armed = nullptr;
    }
    void close() noexcept override {}

    void fire()
    {
        auto& node = *std::exchange(armed, nullptr);
        node.position = ccloud::timer_node::unarmed;
        node.fire(node);
    }

    ccloud::timer_node* armed = nullptr;
};

/** A race on a clock that stands still. */
class slow_motion_race
{
public:
    slow_motion_race(std::vector<std::string> const& addresses, std::uint16_t port)
        : race_(context_.get_executor(), clock, [this](std::string const& address) { failed.push_back(address); })
    {
        race_.start(addresses, port);
    }

    /** Does what can be done without waiting. */
    bool over()
    {
        context_.restart();
        context_.poll();
        return race_.over();
    }

    /** Runs until it is over, though no timer fires; false where patience runs out. */
    bool ends()
    {
        context_.restart();
        while (!race_.over() && context_.run_one_for(5s) > 0)
            ;
        return race_.over();
    }

    /** The address that won; empty where none did. */
    std::string winner()
    {
        asio::ip::tcp::socket socket(context_);
        return race_.take(socket, why) ? socket.remote_endpoint().address().to_string() : std::string();
    }

    hand_clock clock;
    std::vector<std::string> failed;
    boost::system::error_code why;

private:
    asio::io_context context_;
    connect_race race_;
};

/** A port of 127.0.0.1 that refuses. */
class refusing_port
{
public:
    refusing_port() : socket_(context_, {asio::ip::address_v4::loopback(), 0}) {}
    std::uint16_t number() const { return socket_.local_endpoint().port(); }

private:
    asio::io_context context_;
    asio::ip::tcp::socket socket_; // bound, but it does not listen
};

ccloud::config settings_for(std::string const& of, std::uint16_t port)
{
    ccloud::config settings;
    settings.endpoint = "http://" + of + ":" + std::to_string(port);
    settings.allow_plaintext = true;
    settings.credentials = ccloud::api_key("KEY", "SECRET");
    settings.threading = ccloud::threading::serial;
    settings.retry = ccloud::retry_policy::none();
    return settings;
}

void begin_in_scopes_of_their_own(caller& client, std::size_t calls, ccloud::call_options options = {})
{
    for (std::size_t i = 0; i < calls; ++i)
        client.begin("/scope/" + std::to_string(i), options);
}

bool contains(std::string const& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

/** Servers on 127.0.0.1 and 127.0.0.2, on the same port. */
std::uint16_t serve_both(std::optional<http_server>& first, std::optional<http_server>& second)
{
    auto const answer = [](std::string_view) { return response(200); };
    for (int attempt = 0;; ++attempt)
        try
        {
            first.emplace(answer, "127.0.0.1");
            second.emplace(answer, "127.0.0.2", first->port());
            return first->port();
        }
        catch (std::runtime_error const&)
        {
            if (attempt == 10)
                throw;
        }
}

} // namespace

TEST_CASE("pool 15: a silent address has 250 ms before the next one is tried, too")
{
    http_server server;
    black_hole const silent("127.0.0.2", server.port());
    black_hole const silent_too("127.0.0.3", server.port());
    SUBCASE("which wins, and the others are closed")
    {
        auto const sockets = open_descriptors("socket:");
        slow_motion_race race({"127.0.0.2", "127.0.0.3", "127.0.0.1"}, server.port());
        for (int i = 0; i < 2; ++i)
        {
            CHECK(!race.over());
            REQUIRE(race.clock.armed);
            CHECK(race.clock.armed->due == race.clock.now() + 250ms);
            CHECK(server.counts().accepted == 0);
            race.clock.fire();
        }
        REQUIRE(race.ends());
        CHECK(server.sees([](http_server_counts const& now) { return now.accepted == 1; }));
        CHECK(open_descriptors("socket:") == sockets + 2); // the winner's, and the server's
        CHECK(race.winner() == "127.0.0.1");
        CHECK(!race.clock.armed);
        CHECK(race.failed.empty());
    }
    SUBCASE("which is not tried where the first one answers in time")
    {
        slow_motion_race race({"127.0.0.1", "127.0.0.2"}, server.port());
        REQUIRE(race.ends());
        CHECK(race.winner() == "127.0.0.1");
        CHECK(!race.clock.armed);
    }
    SUBCASE("unless there is none")
    {
        slow_motion_race race({"127.0.0.2"}, server.port());
        CHECK(!race.over());
        CHECK(!race.clock.armed);
    }
}

TEST_CASE("pool 15: where an address refuses, the next one is tried at once, and it is told which failed")
{
    http_server server;
    std::vector<std::string> const refusing{"127.0.0.2", "127.0.0.3"};
    SUBCASE("another one answers")
    {
        slow_motion_race race({"127.0.0.2", "127.0.0.3", "127.0.0.1"}, server.port());
        REQUIRE(race.ends());
        CHECK(race.winner() == "127.0.0.1");
        CHECK(race.failed == refusing);
    }
    SUBCASE("none answers")
    {
        slow_motion_race race(refusing, server.port());
        REQUIRE(race.ends());
        CHECK(race.winner() == "");
        CHECK(race.why == asio::error::connection_refused);
        CHECK(race.failed == refusing);
    }
    SUBCASE("what is no address is passed over")
    {
        slow_motion_race race({"nonsense", "127.0.0.1"}, server.port());
        REQUIRE(race.ends());
        CHECK(race.winner() == "127.0.0.1");
    }
    SUBCASE("there is no address")
    {
        slow_motion_race race({"nonsense"}, server.port());
        REQUIRE(race.over());
        CHECK(race.winner() == "");
        CHECK(race.why == asio::error::host_not_found);
    }
}

TEST_CASE("pool 15: where IPv6 goes nowhere and IPv4 works, a connection takes 250 ms and little more")
{
    std::optional<http_server> server;
    std::optional<black_hole> silent;
    for (int attempt = 0; attempt < 10 && !silent; ++attempt)
        try
        {
            server.emplace();
            silent.emplace("::1", server->port());
        }
        catch (boost::system::system_error const& failed)
        {
            if (failed.code() != asio::error::address_in_use)
                break;
        }
    if (!silent)
    {
        MESSAGE("skipped: this machine has no IPv6");
        return;
    }
    auto const seen = std::make_shared<support::connection_witness>();
    auto settings = settings_for(host, server->port());
    settings.observer = seen;
    caller client(settings, always({"::1", "127.0.0.1"}));
    CHECK(client.get() == "");
    REQUIRE(seen->seen.size() == 1);
    auto const& made = *seen->seen.front();
    CHECK(made.remote == "127.0.0.1:" + std::to_string(server->port()));
    CHECK(made.connect >= 250ms);
    CHECK(made.connect < 700ms); // 300 ms, and slack for a busy machine; TCP itself would try again after 1 s
}

TEST_CASE("pool 15: where every address is silent, a call ends by connect_timeout, and says what it was waiting for")
{
    black_hole const one("127.0.0.2");
    black_hole const two("127.0.0.3", one.port());
    auto settings = settings_for(host, one.port());
    settings.pool.connect_timeout = 300ms; // both are tried
    caller client(settings, always({"127.0.0.2", "127.0.0.3"}));
    auto const& call = client.begin();
    REQUIRE(client.until([&] { return call.over(); }));
    REQUIRE(!call.good());
    CHECK(call.error().code() == errc::connect_timeout);
    CHECK(call.error().progress() == progress::not_sent);
    CHECK(
        call.error().detail() ==
        "TCP connect to " + settings.endpoint + " took longer than config::pool.connect_timeout, 300 ms"
    );
    CHECK(client.connections().connect_timed_out == 1);
}

TEST_CASE("pool 15: a timeout while a connection is made names the step that hangs, and has no other cause")
{
    // The kernel accepts connections for it; it sends nothing.
    asio::io_context context;
    asio::ip::tcp::acceptor const silent(context, {asio::ip::address_v4::loopback(), 0});
    auto const port = silent.local_endpoint().port();
    black_hole const hole("127.0.0.2");
    slow_names const names({{"127.0.0.1"}, {}});
    auto const on_port = [port](std::string const& scheme_and_host) {
        return scheme_and_host + ':' + std::to_string(port);
    };

    struct row
    {
        std::string endpoint;
        std::string proxy;
        std::string step;
    };
    auto const plain = on_port("http://api.example.test");
    auto const secure = on_port("https://api.example.test");
    std::vector<row> const table{
        {on_port("http://slow.example.test"), "", "name lookup of slow.example.test"},
        {plain, on_port("http://slow.example.test"), "name lookup of slow.example.test"},
        {on_port("http://slow.example.test"), on_port("socks5://127.0.0.1"), "name lookup of slow.example.test"},
        {"http://127.0.0.2:" + std::to_string(hole.port()), "",
         "TCP connect to http://127.0.0.2:" + std::to_string(hole.port())},
        {secure, "http://127.0.0.2:" + std::to_string(hole.port()),
         "TCP connect to proxy http://127.0.0.2:" + std::to_string(hole.port())},
        {secure, on_port("https://localhost"), "TLS handshake with proxy " + on_port("https://localhost")},
        {plain, on_port("http://localhost"), "CONNECT reply of proxy " + on_port("http://localhost")},
        {secure, on_port("socks5://localhost"), "SOCKS5 reply of proxy " + on_port("socks5://localhost")},
        {secure, on_port("socks5h://localhost"), "SOCKS5 reply of proxy " + on_port("socks5h://localhost")},
        {secure, "", "TLS handshake with " + secure},
    };
    for (auto const& [endpoint, proxy, step] : table)
        for (bool const by_deadline : {false, true})
        {
            CAPTURE(step);
            CAPTURE(by_deadline);
            auto settings = settings_for(host, port);
            settings.endpoint = endpoint;
            settings.proxy.url = proxy;
            ccloud::call_options options;
            if (by_deadline)
                options.timeout = 200ms;
            else
                settings.pool.connect_timeout = 200ms;
            caller client(settings, names.lookup());
            auto const& call = client.begin("/", options);
            REQUIRE(client.until([&] { return call.over(); }));
            REQUIRE(!call.good());
            auto const& failed = call.error();
            CAPTURE(failed.what());
            CHECK(failed == (by_deadline ? errc::deadline_exceeded : errc::connect_timeout));
            CHECK(failed.progress() == progress::not_sent);
            CHECK(!failed.cause());
            if (by_deadline)
                CHECK(contains(failed.detail(), ", now: " + step + ')'));
            else
                CHECK(failed.detail() == step + " took longer than config::pool.connect_timeout, 200 ms");
        }
}

TEST_CASE("pool 15: an address that failed is tried last by the next dials, though it works again")
{
    http_server first([](std::string_view) { return response(200); }, "127.0.0.1");
    auto settings = settings_for(host, first.port());
    settings.pool.max_requests_per_connection = 1;
    caller client(settings, always({"127.0.0.2", "127.0.0.1"}));
    CHECK(client.get() == "");
    CHECK(first.counts().accepted == 1);
    http_server second([](std::string_view) { return response(200); }, "127.0.0.2", first.port());
    for (int i = 0; i < 6; ++i)
        CHECK(client.get() == "");
    CHECK(first.counts().accepted == 7);
    CHECK(second.counts().accepted == 0);
}

TEST_CASE("pool 15: dials take the addresses of a name in turn")
{
    std::optional<http_server> first;
    std::optional<http_server> second;
    auto settings = settings_for(host, serve_both(first, second));
    settings.pool.max_requests_per_connection = 1;
    caller client(settings, always({"127.0.0.2", "127.0.0.1"}));
    for (std::size_t i = 1; i <= 6; ++i)
    {
        CHECK(client.get() == "");
        CHECK(first->counts().accepted == i / 2);
        CHECK(second->counts().accepted == (i + 1) / 2);
    }
}

TEST_CASE("pool 14: a look-up that hangs delays nobody who wants another name")
{
    http_server server;
    slow_names const names({{"127.0.0.1"}, {}});
    caller stuck(settings_for("slow.example.test", server.port()), names.lookup());
    stuck.begin();
    REQUIRE(stuck.until([&] { return names.asked() == 1; }));

    auto const settings = settings_for("quick.example.test", server.port());
    auto const here = stuck.context.get_executor();
    ccloud::client other(
        here, settings,
        ccloud::net::make_transport(here, settings, ccloud::net::share_network(settings), names.lookup())
    );
    for (int i = 0; i < 3; ++i)
    {
        std::optional<support::begun_call::outcome> got;
        asio::co_spawn(
            stuck.context, other.execute({ccloud::method::get, "/"}),
            [&got](std::exception_ptr, support::begun_call::outcome how) { got = std::move(how); }
        );
        REQUIRE(stuck.until([&] { return got.has_value(); }));
        CHECK(got->has_value());
        other.close_idle();
    }
    CHECK(stuck.over() == 0);
    CHECK(names.asked() == 2);
}

TEST_CASE("pool 11: TCP probes a silent peer after 30 s, three times, 10 s apart, and waits 30 s for acknowledgements")
{
    http_server server;
    caller client(settings_for("127.0.0.1", server.port()));
    CHECK(client.get() == "");
    std::size_t found = 0;
    for (int socket = 0; socket < 1'024; ++socket)
    {
        sockaddr_in peer{};
        socklen_t size = sizeof peer;
        if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || peer.sin_family != AF_INET ||
            ntohs(peer.sin_port) != server.port())
            continue;
        ++found;
        auto const option = [socket](int level, int name) {
            int value = -1;
            socklen_t length = sizeof value;
            CHECK(::getsockopt(socket, level, name, &value, &length) == 0);
            return value;
        };
        CHECK(option(IPPROTO_TCP, TCP_NODELAY) != 0);
        CHECK(option(SOL_SOCKET, SO_KEEPALIVE) != 0);
        CHECK(option(IPPROTO_TCP, TCP_KEEPIDLE) == 30);
        CHECK(option(IPPROTO_TCP, TCP_KEEPINTVL) == 10);
        CHECK(option(IPPROTO_TCP, TCP_KEEPCNT) == 3);
        CHECK(option(IPPROTO_TCP, TCP_USER_TIMEOUT) == 30'000);
    }
    CHECK(found == 1);
}

TEST_CASE("pool 14: a look-up that hangs ends by each timeout, by cancellation and by close()")
{
    http_server server;
    slow_names const names({{"127.0.0.1"}, {}});
    auto settings = settings_for("slow.example.test", server.port());
    ccloud::call_options options;
    errc code = errc::cancelled;
    std::string says = "waiting for a connection";
    std::function<void(caller&, support::begun_call&)> act = [](caller&, support::begun_call&) {};
    SUBCASE("resolve_timeout")
    {
        settings.pool.resolve_timeout = 30ms;
        code = errc::name_resolution_failed;
        says = settings.endpoint + ": no response to the name lookup within config::pool.resolve_timeout (30 ms)";
    }
    SUBCASE("connect_timeout")
    {
        settings.pool.connect_timeout = 30ms;
        code = errc::connect_timeout;
        says = "name lookup of slow.example.test took longer than config::pool.connect_timeout, 30 ms";
    }
    SUBCASE("the call's deadline")
    {
        options.timeout = 30ms;
        code = errc::deadline_exceeded;
        says = "waiting for a connection (0 in use, 0 idle, 1 being made, 1 calls wait; one is being made for ";
    }
    SUBCASE("cancellation")
    {
        act = [](caller& client, support::begun_call& call) {
            call.signal.emit(asio::cancellation_type::terminal);
            client.poll();
        };
    }
    SUBCASE("close()")
    {
        code = errc::client_closed;
        says = "";
        act = [](caller& client, support::begun_call&) {
            client.cloud->close();
            client.poll();
        };
    }
    caller client(settings, names.lookup());
    auto& call = client.begin("/", options);
    REQUIRE(client.until([&] { return names.asked() == 1; }));
    CHECK(!call.over());
    act(client, call);
    REQUIRE(client.until([&] { return call.over(); }));
    REQUIRE(!call.good());
    CHECK(call.error().code() == code);
    CHECK(call.error().progress() == progress::not_sent);
    CHECK(contains(call.error().detail(), says));
    CAPTURE(call.error().what());
    CHECK(!call.error().cause()); // these are our own limits, not something that the system says
}

TEST_CASE("pool 14: calls that want a name whose look-up hangs start no more than a second look-up")
{
    http_server server;
    slow_names names({{"127.0.0.1"}, {}});
    auto settings = settings_for("slow.example.test", server.port());
    settings.pool.resolve_timeout = 10ms;
    caller client(settings, names.lookup());
    for (int i = 0; i < 4; ++i)
        CHECK(client.get("/", {.timeout = 10s}) != "");
    CHECK(names.asked() == 2);
    names.release();
    // A call may still meet the failure of just now.
    REQUIRE(client.until([&, pending = static_cast<support::begun_call*>(nullptr)]() mutable {
        if (pending && pending->good())
            return true;
        if (!pending || pending->over())
            pending = &client.begin();
        return false;
    }));
    CHECK(names.asked() <= 3);
}

TEST_CASE("pool 14: a hundred calls share one look-up")
{
    http_server server;
    slow_names names({{"127.0.0.1"}, {}});
    auto settings = settings_for("slow.example.test", server.port());
    settings.pool.max_connections_per_origin = settings.pool.max_concurrent_dials = 100;
    settings.rate_scope = support::scope_for_each_target();
    caller client(settings, names.lookup());
    begin_in_scopes_of_their_own(client, 100);
    client.poll();
    CHECK(client.connections().dialing == 100);
    CHECK(client.connections().waiting == 100);
    names.release();
    REQUIRE(client.until([&] { return client.all_over(); }));
    for (auto const& call : client.calls)
        CHECK(call.good());
    CHECK(names.asked() == 1);
}

TEST_CASE("pool 14: addresses are used for address_lifetime, and not at all where that is zero")
{
    http_server server;
    slow_names const names({{"127.0.0.1"}, {}});
    auto settings = settings_for(host, server.port());
    settings.pool.max_requests_per_connection = 1;
    int lookups = 1;
    SUBCASE("30 s, the default")
    {
    }
    SUBCASE("zero")
    {
        settings.pool.address_lifetime = 0ms;
        lookups = 5;
    }
    caller client(settings, names.lookup());
    for (int i = 0; i < 5; ++i)
        CHECK(client.get() == "");
    CHECK(server.counts().accepted == 5);
    CHECK(names.asked() == lookups);
}

TEST_CASE("pool 14: where a later look-up fails or hangs, the addresses from before are used")
{
    http_server server;
    slow_names const names({{}, {}});
    auto const asked = std::make_shared<std::atomic<int>>(0);
    bool hangs = false;
    SUBCASE("fails")
    {
    }
    SUBCASE("hangs")
    {
        hangs = true;
    }
    auto settings = settings_for(host, server.port());
    settings.pool.max_requests_per_connection = 1;
    settings.pool.address_lifetime = 0ms;
    settings.pool.resolve_timeout = hangs ? 10ms : 5'000ms;
    auto const lookup = [asked, hangs, slow = names.lookup()](std::string const&) {
        if (++*asked == 1)
            return name_answer{{"127.0.0.1"}, {}};
        return hangs ? slow("slow") : name_answer{{}, code_of(asio::error::host_not_found)};
    };
    caller client(settings, lookup);
    // On a busy machine the first look-up, too, may take longer than resolve_timeout; then nothing is known yet.
    int tries = 1;
    while (!client.get().empty())
        REQUIRE(++tries < 1'000);
    CHECK((hangs || tries == 1));
    for (int i = 0; i < 3; ++i)
        CHECK(client.get() == "");
    CHECK(*asked >= 2);
    CHECK(server.counts().accepted == 4);
}

TEST_CASE("pool 14: a lookup that finished in time counts, even if the executor was busy until after the timeout")
{
    asio::io_context context;
    bool fails = false;
    SUBCASE("by addresses")
    {
    }
    SUBCASE("by a failure")
    {
        fails = true;
    }
    resolver names(
        context.get_executor(),
        [fails](std::string const&) {
            return fails ? name_answer{{}, code_of(asio::error::host_not_found)} : name_answer{{"127.0.0.1"}, {}};
        },
        0s
    );
    auto const now = std::chrono::steady_clock::now();
    name_wait first;
    name_wait second;
    CHECK(!names.ask(host, first, now, 5s));
    CHECK(!names.ask(host, second, now, 5s));
    // The first wait has expired; the executor handles the result of the lookup later.
    auto const last = now + 10s;
    do
        names.expire(host, first, now + 5s);
    while (first.answer.addresses.empty() && !first.answer.failure && std::chrono::steady_clock::now() < last);
    for (auto const* wait : {&first, &second})
    {
        CHECK(wait->answer.addresses.empty() == fails);
        CHECK(wait->answer.failure == (fails ? code_of(asio::error::host_not_found) : std::error_code()));
    }
}

TEST_CASE("pool 14: a look-up that has not answered in time gives what is known from before, and no failure of the name"
)
{
    asio::io_context context;
    auto const asked = std::make_shared<std::atomic<int>>(0);
    slow_names const held({{"127.0.0.2"}, {}});
    resolver names(
        context.get_executor(),
        [asked, slow = held.lookup()](std::string const&) {
            return ++*asked == 2 ? name_answer{{"127.0.0.1"}, {}} : slow("slow");
        },
        0s
    );
    auto const now = std::chrono::steady_clock::now();
    {
        name_wait unknown;
        CHECK(!names.ask(host, unknown, now, 5s));
        names.expire(host, unknown, now + 5s);
        CHECK(unknown.answer.addresses.empty());
        CHECK(!unknown.answer.failure);
    }
    {
        auto const last = std::chrono::steady_clock::now() + 10s;
        while (held.asked() == 0 && std::chrono::steady_clock::now() < last) // so that it is the first one that hangs
            std::this_thread::yield();
        name_wait second;
        CHECK(!names.ask(host, second, now + 5s, 5s));
        while (second.answer.addresses.empty() && context.run_one_for(5s) > 0)
            ;
        CHECK(second.answer.addresses == std::vector<std::string>{"127.0.0.1"});
    }
    name_wait third;
    CHECK(!names.ask(host, third, now + 10s, 5s));
    names.expire(host, third, now + 15s);
    CHECK(third.answer.addresses == std::vector<std::string>{"127.0.0.1"});
    CHECK(!third.answer.failure);
}

TEST_CASE("pool 14: a name that was not found is asked for again after a second at the earliest")
{
    asio::io_context context;
    auto const asked = std::make_shared<std::atomic<int>>(0);
    auto const nothing = [asked](std::string const&) {
        ++*asked;
        return name_answer{{}, code_of(asio::error::host_not_found)};
    };
    resolver names(context.get_executor(), nothing, 30s);
    auto const run = [&context] {
        context.restart();
        context.run_for(5s); // there is nothing to do once the look-up is over
        return context.stopped();
    };
    using clock = std::chrono::steady_clock;
    auto const before = clock::now();
    {
        name_wait first;
        CHECK(!names.ask(host, first, clock::now(), 5s));
        REQUIRE(run());
        CHECK(first.answer.failure == code_of(asio::error::host_not_found));
    }
    auto const after = clock::now();
    CHECK(*asked == 1);
    {
        name_wait soon;
        CHECK(names.ask(host, soon, before + 999ms, 5s));
        CHECK(soon.answer.failure == code_of(asio::error::host_not_found));
        name_wait other;
        CHECK(!names.ask("other.example.test", other, before + 999ms, 5s));
        REQUIRE(run());
    }
    CHECK(*asked == 2);
    {
        name_wait later;
        CHECK(!names.ask(host, later, after + 1s, 5s));
        REQUIRE(run());
    }
    CHECK(*asked == 3);
}

TEST_CASE("pool 14: what is no answer ends the call as not sent")
{
    struct row
    {
        std::string what;
        name_lookup lookup;
        errc code;
        std::error_code cause;
    };
    std::vector<row> const table{
        {"an unknown name",
         [](std::string const&) {
             return name_answer{{}, code_of(asio::error::host_not_found)};
         },
         errc::name_resolution_failed, code_of(asio::error::host_not_found)},
        {"no server for names",
         [](std::string const&) {
             return name_answer{{}, code_of(asio::error::host_not_found_try_again)};
         },
         errc::name_resolution_failed, code_of(asio::error::host_not_found_try_again)},
        {"nothing at all", always({}), errc::name_resolution_failed, {}},
        {"an exception", [](std::string const&) -> name_answer { throw std::runtime_error("no"); },
         errc::name_resolution_failed, code_of(asio::error::no_recovery)},
        {"what is no exception", [](std::string const&) -> name_answer { throw 1; }, errc::name_resolution_failed,
         code_of(asio::error::no_recovery)},
        {"text", always({"nonsense"}), errc::connect_failed, code_of(asio::error::host_not_found)},
    };
    for (auto const& [what, lookup, code, cause] : table)
    {
        CAPTURE(what);
        auto const settings = settings_for(host, 9);
        caller client(settings, lookup);
        auto const& call = client.begin();
        REQUIRE(client.until([&] { return call.over(); }));
        REQUIRE(!call.good());
        CHECK(call.error().code() == code);
        CHECK(call.error().progress() == progress::not_sent);
        CHECK(call.error().cause() == cause);
        CHECK(contains(call.error().what(), settings.endpoint));
    }
}

TEST_CASE("pool 14: client and io_context may go while a look-up runs, which then touches nothing of theirs")
{
    http_server server;
    auto const descriptors = open_descriptors();
    {
        slow_names const names({{"127.0.0.1"}, {}});
        auto const settings = settings_for("slow.example.test", server.port());
        SUBCASE("the client first")
        {
            caller client(settings, names.lookup());
            client.begin();
            REQUIRE(client.until([&] { return names.asked() == 1; }));
            client.cloud->close();
            client.poll();
            CHECK(client.all_over());
            CHECK(client.context.stopped()); // close() leaves nothing to run
        }
        SUBCASE("the context first, and the calls with it")
        {
            asio::io_context context;
            auto call = [](ccloud::config how, name_lookup lookup) -> asio::awaitable<void> {
                auto const here = co_await asio::this_coro::executor;
                auto const network = ccloud::net::share_network(how);
                ccloud::client cloud(here, how, ccloud::net::make_transport(here, how, network, lookup));
                auto operation = cloud.execute({ccloud::method::get, "/"});
                (void)co_await std::move(operation);
            };
            asio::co_spawn(context, call(settings, names.lookup()), asio::detached);
            for (int i = 0; i < 1'000 && names.asked() == 0; ++i)
                context.run_one_for(5ms);
            REQUIRE(names.asked() == 1);
        }
    }
    auto const last = std::chrono::steady_clock::now() + 10s;
    while (open_descriptors() > descriptors && std::chrono::steady_clock::now() < last)
        std::this_thread::yield();
    CHECK(open_descriptors() <= descriptors); // less, where a thread of an earlier test was not quite over
}

TEST_CASE("pool 10: where connections are refused, each of sixteen waiting calls hears why")
{
    refusing_port const port;
    auto settings = settings_for("127.0.0.1", port.number());
    settings.rate_scope = support::scope_for_each_target();
    caller client(settings);
    begin_in_scopes_of_their_own(client, 16);
    client.poll();
    REQUIRE(client.until([&] { return client.all_over(); }));
    for (auto const& call : client.calls)
    {
        REQUIRE(!call.good());
        CHECK(call.error().code() == errc::connect_failed);
        CHECK(call.error().cause() == code_of(asio::error::connection_refused));
        CHECK(call.error().progress() == progress::not_sent);
    }
    CHECK(client.connections().connect_failed == 16);
    CHECK(client.connections().dialing == 0);
    CHECK(client.connections().waiting == 0);
    CHECK(client.connections().wait_expired == 0);
}

TEST_CASE("pool 10: dials that fail are spaced out, and a call that cannot wait says what it waited for")
{
    refusing_port const port;
    auto settings = settings_for("127.0.0.1", port.number());
    settings.pool.max_connections_per_origin = 200;
    settings.rate_scope = support::scope_for_each_target();
    caller client(settings);
    begin_in_scopes_of_their_own(client, 200, {.timeout = 600ms});
    REQUIRE(client.until([&] { return client.all_over(); }));
    std::size_t late = 0;
    std::size_t tell = 0;
    std::size_t tell_why = 0;
    std::string one;
    for (auto const& call : client.calls)
    {
        REQUIRE(!call.good());
        if (call.error().code() == errc::connect_failed)
            continue;
        CHECK(call.error().code() == errc::deadline_exceeded);
        CHECK(call.error().progress() == progress::not_sent);
        one = call.error().detail();
        ++late;
        tell += contains(one, "waiting for a connection (0 in use, 0 idle, ") ? 1U : 0U;
        tell_why += contains(one, "the last one could not be made: " + settings.endpoint) &&
                            contains(one, code_of(asio::error::connection_refused).message())
                        ? 1U
                        : 0U;
    }
    CAPTURE(one);
    CHECK(tell == late);
    CHECK(tell_why == late);
    CHECK(late > 100);                                        // without a pause all would have failed at once
    CHECK(client.connections().connect_failed >= 200 - late); // and those that nobody waited for any more
    CHECK(client.connections().wait_expired == late);
    CHECK(client.connections().waiting == 0);
}

TEST_CASE("pool 10: once the server is up again, calls that are repeated meanwhile succeed")
{
    auto port = std::make_unique<refusing_port>();
    auto settings = settings_for("127.0.0.1", port->number());
    settings.retry = ccloud::retry_policy::defaults();
    settings.retry.max_attempts = 100;
    settings.retry.base_delay = settings.retry.max_delay = 5ms;
    settings.rate_scope = support::scope_for_each_target();
    caller client(settings);
    begin_in_scopes_of_their_own(client, 16, {.timeout = 30s});
    REQUIRE(client.until([&] { return client.connections().connect_failed >= 4; }));
    CHECK(client.over() == 0);
    auto const number = port->number();
    port.reset();
    http_server server([](std::string_view) { return response(200); }, "127.0.0.1", number);
    REQUIRE(client.until([&] { return client.all_over(); }));
    for (auto const& call : client.calls)
        CHECK(call.good());
    CHECK(server.counts().requests == 16);
    CHECK(client.get() == "");
}

TEST_CASE("pool 4: no more than max_concurrent_dials connections are being made at a time")
{
    for (std::size_t const most : {1U, 4U, 16U})
    {
        CAPTURE(most);
        simulator server;
        server.inject(fault::stall_handshake().times(0));
        auto settings = server.settings();
        settings.threading = ccloud::threading::serial;
        settings.retry = ccloud::retry_policy::none();
        settings.rate_scope = support::scope_for_each_target();
        settings.pool.max_concurrent_dials = most;
        settings.pool.connect_timeout = 500ms;
        caller client(settings);
        begin_in_scopes_of_their_own(client, 40, {.timeout = 30s});
        std::size_t most_seen = 0;
        auto const look = [&] {
            most_seen = std::max(most_seen, client.connections().dialing);
            CHECK(client.connections().dialing <= most);
            CHECK(server.connections() <= client.connections().connect_timed_out + client.connections().dialing);
        };
        REQUIRE(client.until([&] {
            look();
            return server.connections() >= most;
        }));
        REQUIRE(client.until([&] { // the next ones come when those have failed
            look();
            return server.connections() > most;
        }));
        CHECK(most_seen == most);
        CHECK(client.connections().connect_timed_out > 0);
        server.clear_faults();
        client.cloud->close();
        CHECK(client.runs_out());
    }
}
