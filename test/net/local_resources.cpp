#include <ccloud/ccloud.hpp>

#include "black_hole.hpp"
#include "caller.hpp"
#include "certificates.hpp"
#include "core/shortage.hpp"
#include "descriptors.hpp"
#include "few_descriptors.hpp"
#include "http_server.hpp"
#include "net/connect_race.hpp"
#include "net/descriptor_shortage.hpp"
#include "net/factory.hpp"
#include "net/resolver.hpp"
#include "net/shared_network.hpp"
#include "net/tls.hpp"
#include "printers.hpp"
#include "rehashed.hpp"
#include "tls_server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <pthread.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
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
using ccloud::net::system_lookup;
using support::authority;
using support::black_hole;
using support::caller;
using support::few_descriptors;
using support::http_server;
using support::of_version;
using support::tls_server;
namespace asio = boost::asio;

// The descriptors that a client opens, and its behaviour without free ones. System calls of the test's thread fail as
// the test says, by the linker's --wrap.

namespace {

struct system_calls
{
    int socket_fails = 0;        ///< errno of each call; 0: it does not fail
    int socket_is_unwatched = 0; ///< 1: each is a descriptor that epoll refuses with EBADF
    int socketpair_fails = 0;
    int connect_fails = 0;
    int eventfd_fails = 0;
    std::size_t connects = 0;
    std::size_t sockets = 0;
    std::size_t inheritable = 0; ///< of these, without close-on-exec
};
thread_local system_calls mine;

int refuse(int why) noexcept
{
    errno = why;
    return -1;
}

} // namespace

extern "C" {

int __real_socket(int domain, int type, int protocol);
int __real_socketpair(int domain, int type, int protocol, int* pair);
int __real_connect(int fd, sockaddr const* to, socklen_t size);
int __real_eventfd(unsigned count, int flags);

int __wrap_socket(int domain, int type, int protocol)
{
    ++mine.sockets;
    mine.inheritable += (type & SOCK_CLOEXEC) == 0 ? 1U : 0U;
    if (mine.socket_is_unwatched)
        return ::open("/", O_PATH | O_CLOEXEC);
    return mine.socket_fails ? refuse(mine.socket_fails) : __real_socket(domain, type, protocol);
}

int __wrap_socketpair(int domain, int type, int protocol, int* pair)
{
    return mine.socketpair_fails ? refuse(mine.socketpair_fails) : __real_socketpair(domain, type, protocol, pair);
}

int __wrap_connect(int fd, sockaddr const* to, socklen_t size)
{
    ++mine.connects;
    return mine.connect_fails ? refuse(mine.connect_fails) : __real_connect(fd, to, size);
}

int __wrap_eventfd(unsigned count, int flags)
{
    return mine.eventfd_fails ? refuse(mine.eventfd_fails) : __real_eventfd(count, flags);
}

} // extern "C"

namespace {

/** While it exists, system calls of this thread fail. */
class failing
{
public:
    failing(int system_calls::*which, int why) : which_(which) { mine.*which_ = why; }
    ~failing() { mine.*which_ = 0; }
    failing(failing const&) = delete;
    failing& operator=(failing const&) = delete;

private:
    int system_calls::*which_;
};

/** While it exists, no thread can be started, because its stack would be larger than all memory. */
class no_threads
{
public:
    no_threads()
    {
        ::pthread_getattr_default_np(&before_);
        pthread_attr_t huge;
        ::pthread_getattr_default_np(&huge);
        ::pthread_attr_setstacksize(&huge, std::size_t(1) << 50);
        ::pthread_setattr_default_np(&huge);
        ::pthread_attr_destroy(&huge);
    }
    ~no_threads()
    {
        ::pthread_setattr_default_np(&before_);
        ::pthread_attr_destroy(&before_);
    }
    no_threads(no_threads const&) = delete;
    no_threads& operator=(no_threads const&) = delete;

private:
    pthread_attr_t before_;
};

constexpr auto host = "api.example.test";

std::error_code system_error(int number)
{
    return {number, std::system_category()};
}

name_lookup always(std::vector<std::string> addresses)
{
    return [addresses = std::move(addresses)](std::string const&) { return name_answer{addresses, {}}; };
}

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

/** One try, as the call loop sees it. */
ccloud::exchange send(caller& client, ccloud::origin const& to)
{
    ccloud::http_request const request(ccloud::method::get, "/");
    std::optional<ccloud::exchange> ended;
    asio::co_spawn(
        client.context, client.wire->send(request, to, {}),
        [&ended](std::exception_ptr, ccloud::exchange got) { ended = std::move(got); }
    );
    REQUIRE(client.until([&] { return ended.has_value(); }));
    return *std::move(ended);
}

bool contains(std::string const& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

/** Asks until there is an answer. */
name_answer answer_of(asio::io_context& context, resolver& names, ccloud::steady_time now)
{
    name_wait wait;
    if (!names.ask(host, wait, now, 5s))
    {
        context.restart();
        context.run_for(5s); // there is nothing to do once the look-up is over
        REQUIRE(context.stopped());
    }
    return wait.answer;
}

} // namespace

TEST_CASE("a lack of local resources is distinguished from faults of a name, an address or a peer")
{
    for (auto const& [number, what] : {
             std::pair(EMFILE, "file descriptors of this process"),
             std::pair(ENFILE, "file descriptors of this machine"),
             std::pair(ENOMEM, "memory"),
             std::pair(ENOBUFS, "network buffers"),
             std::pair(EADDRNOTAVAIL, "local ports"),
             std::pair(EAGAIN, "threads"),
             std::pair(ENOSPC, "epoll watches"),
         })
    {
        CHECK(ccloud::core::shortage_of(system_error(number)) == what);
        CHECK(ccloud::core::shortage_of({number, std::generic_category()}) == what);
        CHECK(ccloud::core::shortage_of(boost::system::error_code(number, boost::system::system_category())) == what);
    }
    for (int const number :
         {0, ECONNREFUSED, ECONNRESET, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT, EPIPE, EACCES, EPERM, ENOENT})
        CHECK(ccloud::core::shortage_of(system_error(number)) == "");
    std::error_code const not_found = boost::system::error_code(asio::error::host_not_found);
    CHECK(ccloud::core::shortage_of(not_found) == "");
    // Other categories have numbers of their own.
    CHECK(ccloud::core::shortage_of({EMFILE, ccloud::error_category()}) == "");
}

TEST_CASE("a name is reported as unknown only if the lookup was possible")
{
    // A label has at most 63 letters (RFC 1035 section 2.3.4), so no server of names is asked.
    auto const no_such_name = std::string(64, 'a') + ".test";
    std::error_code const not_found = boost::system::error_code(asio::error::host_not_found);
    for (int round = 0; round < 2; ++round)
    {
        auto const unknown = system_lookup(no_such_name);
        CHECK(unknown.failure == not_found);
        CHECK(unknown.addresses.empty());
        auto const local = system_lookup("localhost");
        CHECK(!local.failure);
        CHECK(!local.addresses.empty());
        auto const address = system_lookup("127.0.0.1");
        CHECK(address.addresses == std::vector<std::string>{"127.0.0.1"});

        few_descriptors const none(0);
        for (std::string const& name : {no_such_name, std::string("localhost"), std::string("localhost.")})
        {
            CAPTURE(name);
            auto const got = system_lookup(name);
            CHECK(got.failure == system_error(EMFILE));
            CHECK(got.addresses.empty());
        }
    }
}

TEST_CASE("a lookup that fails for lack of local resources is not cached: the next one begins immediately")
{
    for (int const number : {EMFILE, ENFILE, ENOMEM, ENOBUFS, EAGAIN})
    {
        CAPTURE(number);
        asio::io_context context;
        auto const asked = std::make_shared<std::atomic<int>>(0);
        auto const lacking = [asked, number](std::string const&) {
            return ++*asked <= 2 ? name_answer{{}, system_error(number)} : name_answer{{"127.0.0.1"}, {}};
        };
        resolver names(context.get_executor(), lacking, 30s);
        auto const now = std::chrono::steady_clock::now();
        CHECK(answer_of(context, names, now).failure == system_error(number));
        CHECK(answer_of(context, names, now).failure == system_error(number));
        CHECK(answer_of(context, names, now).addresses == std::vector<std::string>{"127.0.0.1"});
        CHECK(*asked == 3);
    }
}

TEST_CASE("a lookup whose thread runs out of memory reports that")
{
    asio::io_context context;
    resolver names(
        context.get_executor(), [](std::string const&) -> name_answer { throw std::bad_alloc(); }, 30s
    );
    auto const got = answer_of(context, names, std::chrono::steady_clock::now());
    CHECK(got.failure == std::make_error_condition(std::errc::not_enough_memory));
}

TEST_CASE("a lookup that cannot begin names the missing resource, and the next one begins as soon as possible")
{
    enum class lack { pair, descriptors, one_descriptor, threads };
    for (auto const what : {lack::pair, lack::descriptors, lack::one_descriptor, lack::threads})
    {
        CAPTURE(static_cast<int>(what));
        asio::io_context context;
        asio::steady_timer const has_descriptors(context); // of its own, for epoll
        auto const asked = std::make_shared<std::atomic<int>>(0);
        resolver names(
            context.get_executor(),
            [asked](std::string const&) {
                ++*asked;
                return name_answer{{"127.0.0.1"}, {}};
            },
            0s
        );
        auto const now = std::chrono::steady_clock::now();
        auto const lacking = [&] {
            std::optional<failing> pair;
            std::optional<few_descriptors> few;
            std::optional<no_threads> none;
            if (what == lack::pair)
                pair.emplace(&system_calls::socketpair_fails, ENFILE);
            else if (what == lack::threads)
                none.emplace();
            else
                few.emplace(what == lack::descriptors ? 0 : 1);
            return answer_of(context, names, now);
        };
        auto const expected = system_error(what == lack::pair ? ENFILE : what == lack::threads ? EAGAIN : EMFILE);
        CHECK(lacking().failure.default_error_condition() == expected.default_error_condition());
        CHECK(*asked == 0);
        CHECK(answer_of(context, names, now).addresses == std::vector<std::string>{"127.0.0.1"});
        CHECK(*asked == 1);

        // Addresses known from before are used.
        auto const known = lacking();
        CHECK(!known.failure);
        CHECK(known.addresses == std::vector<std::string>{"127.0.0.1"});
        CHECK(*asked == 1);
    }
}

TEST_CASE("if a second lookup for a name cannot begin, its wait gets the result of the first")
{
    struct gate
    {
        std::mutex mutex;
        std::condition_variable changed;
        bool open = false;
    };
    auto const held = std::make_shared<gate>();
    asio::io_context context;
    resolver names(
        context.get_executor(),
        [held](std::string const&) {
            std::unique_lock guard(held->mutex);
            held->changed.wait(guard, [&] { return held->open; });
            return name_answer{{"127.0.0.1"}, {}};
        },
        30s
    );
    auto const now = std::chrono::steady_clock::now();
    name_wait first;
    name_wait second;
    CHECK(!names.ask(host, first, now, 5s));
    {
        few_descriptors const none(0);
        CHECK(!names.ask(host, second, now + 5s, 5s));
    }
    {
        std::lock_guard const guard(held->mutex);
        held->open = true;
    }
    held->changed.notify_all();
    context.run_for(5s);
    CHECK(context.stopped());
    CHECK(first.answer.addresses == std::vector<std::string>{"127.0.0.1"});
    CHECK(second.answer.addresses == std::vector<std::string>{"127.0.0.1"});
}

TEST_CASE("without a free descriptor a call says so, is not_sent and retryable, and the next call works")
{
    // A look-up wants two. Each row has a server of its own: the server of an earlier row might close a connection, and
    // so free a descriptor, while there are to be few.
    for (std::size_t const left : {0U, 1U})
    {
        CAPTURE(left);
        http_server server;
        auto const settings = settings_for(host, server.port());
        ccloud::origin const to(false, host, server.port());
        caller client(settings, always({"127.0.0.1"}));
        {
            few_descriptors const few(left);
            auto const ended = send(client, to);
            CHECK(ended.code == errc::name_resolution_failed);
            CHECK(ended.progress == progress::not_sent);
            CHECK(!ended.permanent);
            CHECK(ended.cause == system_error(EMFILE));
            CHECK(contains(ended.detail, settings.endpoint));
            CHECK(contains(ended.detail, "out of file descriptors of this process"));
        }
        CHECK(client.get() == "");
    }
}

TEST_CASE("if a socket cannot be opened, the error says so, is not_sent and retryable, and the next call works")
{
    // Runs a call while the lack of an object of type `Lack` holds, and one after it.
    auto const check =
        [&]<class Lack>(std::in_place_type_t<Lack>, int number, std::string_view what, auto... arguments) {
            CAPTURE(number);
            http_server server; // of its own: the one before might still close connections, which frees descriptors
            auto const settings = settings_for("127.0.0.1", server.port());
            caller client(settings);
            {
                Lack const lack(arguments...);
                auto const ended = send(client, ccloud::origin(false, "127.0.0.1", server.port()));
                CHECK(ended.code == errc::connect_failed);
                CHECK(ended.progress == progress::not_sent);
                CHECK(!ended.permanent);
                CHECK(ended.cause == system_error(number));
                CHECK(contains(ended.detail, settings.endpoint));
                CHECK(contains(ended.detail, what));
            }
            CHECK(client.get() == "");
        };
    for (int const number : {EMFILE, ENFILE, ENOBUFS, ENOMEM})
        check(std::in_place_type<failing>, number, "out of ", &system_calls::socket_fails, number);
    for (int const number : {EADDRNOTAVAIL, ENOBUFS, ENOMEM})
        check(std::in_place_type<failing>, number, "out of ", &system_calls::connect_fails, number);
    check(std::in_place_type<few_descriptors>, EMFILE, "out of file descriptors of this process", 0U);
}

TEST_CASE("a call is retried until this machine has descriptors again")
{
    http_server server;
    auto settings = settings_for(host, server.port());
    settings.retry = {};
    settings.retry.base_delay = 1ms;
    caller client(settings, always({"127.0.0.1"}));
    std::optional<few_descriptors> few(std::in_place, 0);
    auto const& call = client.begin();
    REQUIRE(client.until([&] { return client.connections().resolve_failed >= 2; }));
    few.reset();
    REQUIRE(client.until([&] { return call.over(); }));
    CHECK(call.good());
}

TEST_CASE("a lack of descriptors does not make the rate gate probe: every call hears of it, and none waits for another")
{
    http_server server;
    auto settings = settings_for(host, server.port());
    settings.retry.max_attempts = 2;
    settings.retry.base_delay = settings.retry.max_delay = 1ms;
    caller client(settings, always({"127.0.0.1"}));
    {
        few_descriptors const none(0);
        client.begin_all(20);
        REQUIRE(client.until([&] { return client.all_over(); }));
    }
    for (auto const& call : client.calls)
    {
        REQUIRE(!call.good());
        CHECK(call.error() == errc::name_resolution_failed);
        CHECK(contains(call.error().detail(), "out of file descriptors of this process"));
    }
    client.begin_all(20);
    CHECK(client.cloud->metrics().waiting == 0);
    REQUIRE(client.until([&] { return client.all_over(); }));
    CHECK(client.calls.back().good());
}

namespace {

/** Runs a race to its end while a system call fails. Returns why no connect succeeded. */
struct lost_race
{
    lost_race(std::vector<std::string> const& addresses, int system_calls::*which, int why_it_fails)
    {
        caller client(settings_for("127.0.0.1", 9));
        connect_race race(client.context.get_executor(), *client.wire, [this](std::string const& address) {
            blamed.push_back(address);
        });
        failing const call(which, why_it_fails);
        race.start(addresses, 9);
        REQUIRE(client.until([&] { return race.over(); }));
        asio::ip::tcp::socket socket(client.context);
        CHECK(!race.take(socket, why));
    }

    boost::system::error_code why;
    std::vector<std::string> blamed;
};

} // namespace

TEST_CASE("after a lack of local resources, no address is tried later than others")
{
    std::vector<std::string> const addresses{"127.0.0.2", "127.0.0.3", "::1"};
    for (int const number : {EMFILE, ENFILE, ENOBUFS, ENOMEM})
    {
        CAPTURE(number);
        auto const before = mine.connects;
        lost_race const race(addresses, &system_calls::socket_fails, number);
        CHECK(race.why == system_error(number));
        CHECK(race.blamed.empty());
        CHECK(mine.connects == before);
    }
    for (int const number : {EADDRNOTAVAIL, ENOBUFS, ENOMEM})
    {
        CAPTURE(number);
        lost_race const race({"127.0.0.2", "127.0.0.3"}, &system_calls::connect_fails, number);
        CHECK(race.why == system_error(number));
        CHECK(race.blamed.empty());
    }
    for (int const number : {ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EACCES})
    {
        CAPTURE(number);
        lost_race const race({"127.0.0.2", "127.0.0.3"}, &system_calls::connect_fails, number);
        CHECK(race.why == system_error(number));
        std::vector<std::string> const both{"127.0.0.2", "127.0.0.3"};
        CHECK(race.blamed == both);
    }
}

TEST_CASE("a socket that epoll does not take is closed")
{
    auto const before = support::open_descriptors();
    {
        lost_race const race({"127.0.0.2", "127.0.0.3"}, &system_calls::socket_is_unwatched, 1);
        CHECK(race.why == system_error(EBADF));
    }
    CHECK(support::open_descriptors() == before);
}

TEST_CASE("a CA directory that cannot be read for lack of descriptors is not reported as a bad certificate")
{
    authority const ca;
    auto const own = support::self_signed(support::subject::local());
    support::rehashed const with_ca(ca);
    support::rehashed const with_own(own.certificate);
    for (int const version : support::tls_versions)
        for (auto const* const folder : {&with_ca, &with_own})
        {
            CAPTURE(version);
            bool const is_self_signed = folder == &with_own;
            CAPTURE(is_self_signed);
            auto options = of_version(version, ca);
            options.pauses_at_start = true;
            if (is_self_signed)
                options.shown = own;
            tls_server server(options);
            auto settings = server.settings(ca);
            settings.tls = {};
            settings.tls.ca_directory = folder->path();
            caller client(settings);
            ccloud::http_request const request(ccloud::method::get, "/");
            ccloud::origin const where(true, "localhost", server.port());
            std::optional<ccloud::exchange> ended;
            asio::co_spawn(
                client.context, client.wire->send(request, where, {}),
                [&ended](std::exception_ptr, ccloud::exchange got) { ended = std::move(got); }
            );
            REQUIRE(client.until([&] { return server.counts().accepted == 1; }));
            {
                few_descriptors const none(0);
                server.go_on();
                REQUIRE(client.until([&] { return ended.has_value(); }));
            }
            CHECK(ended->code == errc::tls_failed);
            CHECK(ended->progress == progress::not_sent);
            CHECK(!ended->permanent);
            CHECK(ended->cause == system_error(EMFILE));
            CHECK(contains(ended->detail, "out of file descriptors of this process"));
            auto const& call = client.begin();
            REQUIRE(client.until([&] { return server.counts().accepted == 2; }));
            server.go_on();
            REQUIRE(client.until([&] { return call.over(); }));
            CHECK(call.good());
        }
}

namespace {

/** A handshake between two ends in memory, which the client's end refuses. @return the error of OpenSSL */
boost::system::error_code refused_handshake(SSL* client, SSL_CTX* of_server)
{
    std::unique_ptr<SSL, decltype(&::SSL_free)> const server(::SSL_new(of_server), &::SSL_free);
    BIO* near = nullptr;
    BIO* far = nullptr;
    REQUIRE(::BIO_new_bio_pair(&near, 0, &far, 0) == 1);
    ::SSL_set_bio(client, near, near);
    ::SSL_set_bio(server.get(), far, far);
    ::SSL_set_connect_state(client);
    ::SSL_set_accept_state(server.get());
    for (int step = 0; step < 100; ++step)
    {
        ::ERR_clear_error();
        if (int const ended = ::SSL_do_handshake(client);
            ended <= 0 && ::SSL_get_error(client, ended) != SSL_ERROR_WANT_READ)
            return {static_cast<int>(::ERR_get_error()), asio::error::get_ssl_category()};
        (void)::SSL_do_handshake(server.get());
    }
    return {};
}

} // namespace

TEST_CASE("a lack of descriptors during verification counts, also if there are some when the handshake is judged")
{
    ccloud::testing::simulated::tls_identity const shown;
    std::unique_ptr<SSL_CTX, decltype(&::SSL_CTX_free)> const of_server(
        ::SSL_CTX_new(::TLS_server_method()), &::SSL_CTX_free
    );
    shown.install(of_server.get());
    ccloud::config settings;
    settings.endpoint = "https://localhost";
    settings.tls.ca_pem = authority().certificate(); // another one
    auto const profile = ccloud::net::share_network(settings)->for_origin();
    struct row
    {
        std::string name;
        int eventfd_fails;
        errc code;
        bool permanent;
    };
    std::vector<row> const table{
        {"the authority is unknown", 0, errc::certificate_unknown_authority, true},
        {"no descriptor of this process", EMFILE, errc::tls_failed, false},
        {"no descriptor of this machine", ENFILE, errc::tls_failed, false},
        {"no memory", ENOMEM, errc::tls_failed, false},
        {"a sandbox refuses the system call", EPERM, errc::certificate_unknown_authority, true},
    };
    for (auto const& [name, number, code, permanent] : table)
    {
        CAPTURE(name);
        std::unique_ptr<SSL, decltype(&::SSL_free)> const tls(
            ::SSL_new(profile->context().native_handle()), &::SSL_free
        );
        ccloud::net::tls_peer peer(profile, "localhost", 443);
        REQUIRE(!peer.prepare(tls.get()));
        boost::system::error_code failed;
        {
            failing const lacking(&system_calls::eventfd_fails, number);
            failed = refused_handshake(tls.get(), of_server.get());
        }
        REQUIRE(failed);
        auto const verdict = peer.judge(tls.get(), failed);
        CHECK(verdict.code == code);
        CHECK(verdict.permanent == permanent);
        if (!permanent)
            CHECK(verdict.cause == system_error(number));
    }
}

TEST_CASE("a system call that a sandbox refuses is no lack of descriptors")
{
    for (int const number : {EPERM, ENOSYS, EACCES})
    {
        CAPTURE(number);
        failing const refused(&system_calls::eventfd_fails, number);
        CHECK(!ccloud::net::descriptor_shortage());
        auto const unknown = system_lookup(std::string(64, 'a') + ".test");
        CHECK(unknown.failure == boost::system::error_code(asio::error::host_not_found));
    }
    for (int const number : {EMFILE, ENFILE, ENOMEM})
    {
        CAPTURE(number);
        failing const lacking(&system_calls::eventfd_fails, number);
        CHECK(ccloud::net::descriptor_shortage() == system_error(number));
    }
}

TEST_CASE("the constructor and reload_tls fail if certificate authorities cannot be read for lack of descriptors")
{
    authority const ca;
    support::rehashed const folder(ca);
    ccloud::testing::simulated::temporary_file const file(ca.certificate());
    tls_server server(of_version(TLS1_3_VERSION, ca));
    caller client(server.settings(ca));
    std::vector<ccloud::config::tls_options> table(3); // the system's first
    table[1].ca_file = file.path();
    table[2].ca_pem = ca.certificate();
    table[2].add_to_system = true;
    for (auto const& options : table)
    {
        CAPTURE(&options - table.data());
        auto settings = server.settings(ca);
        settings.tls = options;
        std::string said;
        {
            few_descriptors const none(0);
            CHECK_THROWS_AS(client.cloud->reload_tls(options), ccloud::configuration_error);
            try
            {
                (void)ccloud::net::share_network(settings);
            }
            catch (ccloud::configuration_error const& failed)
            {
                said = failed.what();
            }
        }
        CAPTURE(said);
        CHECK(contains(said, system_error(EMFILE).message()));
        CHECK(client.get() == ""); // is trusted as before
        CHECK_NOTHROW((void)ccloud::net::share_network(settings));
    }
}

TEST_CASE("a handshake that fails for lack of memory or descriptors is not permanent")
{
    struct row
    {
        std::string name;
        unsigned long code; ///< of OpenSSL
        int cause;
        std::string why;
    };
    std::vector<row> const table{
        {"OpenSSL has no memory", ERR_PACK(ERR_LIB_SSL, 0, ERR_R_MALLOC_FAILURE), ENOMEM, "out of memory"},
        {"the same elsewhere", ERR_PACK(ERR_LIB_EVP, 0, ERR_R_MALLOC_FAILURE), ENOMEM, "out of memory"},
        {"the system has none", ERR_SYSTEM_FLAG | ENOMEM, ENOMEM, "out of memory"},
        {"no descriptor", ERR_SYSTEM_FLAG | EMFILE, EMFILE, "out of file descriptors of this process"},
        {"no descriptor of the machine", ERR_SYSTEM_FLAG | ENFILE, ENFILE, "out of file descriptors of this machine"},
        {"another error of the system", ERR_SYSTEM_FLAG | EACCES, EACCES, ""},
    };
    ccloud::config settings;
    settings.endpoint = "https://localhost";
    auto const profile = ccloud::net::share_network(settings)->for_origin();
    ccloud::net::tls_peer const peer(profile, "localhost", 443);
    std::unique_ptr<SSL, decltype(&::SSL_free)> const tls(::SSL_new(profile->context().native_handle()), &::SSL_free);
    for (auto const& [name, code, cause, why] : table)
        for (long const verified : {X509_V_OK, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY})
        {
            CAPTURE(name);
            if (why.empty() && verified != X509_V_OK)
                continue; // the folder of authorities cannot be read, and will not be
            ::SSL_set_verify_result(tls.get(), verified);
            boost::system::error_code const failed(static_cast<int>(code), asio::error::get_ssl_category());
            auto const verdict = peer.judge(tls.get(), failed);
            CHECK(verdict.code == errc::tls_failed);
            CHECK(verdict.why == why);
            CHECK(!verdict.permanent);
            CHECK(verdict.cause.default_error_condition() == system_error(cause).default_error_condition());
        }
}

namespace {

/** The descriptors of this process, by number. */
std::set<int> descriptors()
{
    std::set<int> open;
    for (auto const& each : std::filesystem::directory_iterator("/proc/self/fd"))
        open.insert(std::stoi(each.path().filename().string()));
    return open;
}

/** The descriptors that a client has opened, and those that a program inherits that another thread starts. */
struct opened
{
    std::size_t all = 0;
    std::size_t connections = 0; ///< sockets of IP
    std::size_t inherited = 0;
};

/** The descriptors that were opened since then, except the sockets of a server that listens at that port. */
opened since(std::set<int> const& before, std::uint16_t port)
{
    opened found;
    for (int const each : descriptors())
    {
        int const flags = ::fcntl(each, F_GETFD);
        sockaddr_in own{};
        socklen_t size = sizeof own;
        bool const is_socket = ::getsockname(each, reinterpret_cast<sockaddr*>(&own), &size) == 0;
        bool const is_ip = is_socket && own.sin_family == AF_INET;
        if (flags < 0 || before.count(each) > 0 || (is_ip && ntohs(own.sin_port) == port))
            continue;
        ++found.all;
        found.connections += is_ip ? 1U : 0U;
        found.inherited += (flags & FD_CLOEXEC) == 0 ? 1U : 0U;
    }
    return found;
}

} // namespace

TEST_CASE("all descriptors of a client are close-on-exec: of lookups, of connects that win or lose, in use and idle")
{
    authority const ca;
    tls_server server(of_version(TLS1_3_VERSION, ca));
    black_hole const silent("127.0.0.2", server.port());
    black_hole const silent_too("127.0.0.3", server.port());
    auto const settings = server.settings(ca);
    struct
    {
        std::mutex mutex;
        std::condition_variable changed;
        bool open = false;
    } gate;
    auto const before = descriptors();
    auto const sockets = mine.sockets;
    auto const inheritable = mine.inheritable; // those of the servers
    caller client(settings, [&gate](std::string const&) {
        std::unique_lock guard(gate.mutex);
        gate.changed.wait(guard, [&] { return gate.open; });
        return name_answer{{"127.0.0.2", "127.0.0.3", "127.0.0.1"}, {}};
    });
    auto const client_alone = since(before, server.port());
    CHECK(client_alone.all > 0); // epoll, and what wakes it
    CHECK(client_alone.inherited == 0);

    ccloud::http_request const request(ccloud::method::get, "/");
    std::optional<ccloud::exchange> ended;
    ccloud::origin const elsewhere(true, "elsewhere.test", server.port());
    asio::co_spawn(
        client.context, client.wire->send(request, elsewhere, {}),
        [&ended](std::exception_ptr, ccloud::exchange got) { ended = std::move(got); }
    );
    client.poll();
    auto const looking_up = since(before, server.port());
    CHECK(looking_up.all == client_alone.all + 2);
    CHECK(looking_up.inherited == 0);
    {
        std::lock_guard const guard(gate.mutex);
        gate.open = true;
    }
    gate.changed.notify_all();
    REQUIRE(client.until([&] { return since(before, server.port()).connections == 2; }));
    CHECK(since(before, server.port()).inherited == 0);
    REQUIRE(client.until([&] { return ended.has_value(); })); // the certificate is for localhost
    CHECK(ended->code == errc::certificate_wrong_host);

    server.hold(2);
    auto const& call = client.begin();
    REQUIRE(client.until([&] { return server.counts().requests == 1; }));
    CHECK(since(before, server.port()).connections == 1);
    CHECK(since(before, server.port()).inherited == 0);
    server.hold(0);
    REQUIRE(client.until([&] { return call.over(); }));
    CHECK(call.good());
    CHECK(since(before, server.port()).connections == 1);
    CHECK(since(before, server.port()).inherited == 0);

    CHECK(mine.sockets > sockets);
    CHECK(mine.inheritable == inheritable); // they are made so: there is no moment in between
}
