#include <ccloud/ccloud.hpp>

#include "caller.hpp"
#include "certificates.hpp"
#include "printers.hpp"
#include "tls_server.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <doctest/doctest.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

using ccloud::close_reason;
using ccloud::errc;
using support::authority;
using support::complaint;
using support::driven_client;
using support::subject;
using support::tls_versions;
namespace asio = boost::asio;

namespace {

/** Whether what is written stays here until it is a whole segment. */
void gather(SSL* tls, bool yes)
{
    int const value = yes ? 1 : 0;
    ::setsockopt(::SSL_get_fd(tls), IPPROTO_TCP, TCP_CORK, &value, sizeof value);
}

/** When the first tunnel is told goodbye, in one segment with what the client waits for. */
enum class goodbye { never, with_handshake, with_answer };

/** Where the first tunnel is flooded with KeyUpdate messages (RFC 8446 section 4.6.3). */
enum class flooded_layer { none, outer, inner };

/** The phase of the flood: before the tunnel is open, instead of a response, or after one. */
enum class moment { before_tunnel, instead_of_answer, after_answer };

/** An HTTPS proxy, and the origin behind it, on a thread of its own: TLS in TLS, one connection after the other. The
    inner close_notify comes in a record of the outer layer of its own. */
class tunnel
{
public:
    tunnel(
        authority const& ca, int version, goodbye when, flooded_layer where = flooded_layer::none,
        moment from = moment::after_answer
    )
        : when_(when), floods_(where), flooded_from_(from), tls_(asio::ssl::context::tls_server),
          acceptor_(context_, {asio::ip::address_v4::loopback(), 0})
    {
        auto const shown = ca.issue(subject::local());
        tls_.use_certificate_chain(asio::buffer(shown.certificate));
        tls_.use_private_key(asio::buffer(shown.key), asio::ssl::context::pem);
        ::SSL_CTX_set_min_proto_version(tls_.native_handle(), version);
        ::SSL_CTX_set_max_proto_version(tls_.native_handle(), version);
        ::SSL_CTX_set_num_tickets(tls_.native_handle(), 0);
        url_ = "https://localhost:" + std::to_string(acceptor_.local_endpoint().port());
        thread_ = std::thread([this] { run(); });
    }

    /** After its clients. */
    ~tunnel()
    {
        ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
        thread_.join();
    }
    tunnel(tunnel const&) = delete;
    tunnel& operator=(tunnel const&) = delete;

    /** Without TLS at the origin, the tunnel has one layer. */
    ccloud::config settings(authority const& ca, bool origin_has_tls = true) const
    {
        ccloud::config settings;
        settings.endpoint = origin_has_tls ? "https://localhost:1" : "http://localhost";
        settings.allow_plaintext = !origin_has_tls;
        settings.proxy.url = url_;
        settings.credentials = ccloud::api_key("KEY", "SECRET");
        settings.threading = ccloud::threading::serial;
        settings.tls.ca_pem = ca.certificate();
        return settings;
    }

    /** Has proxy and origin ask for a certificate; they are content with any, or none. */
    void ask_for_certificates()
    {
        ::SSL_CTX_set_verify(tls_.native_handle(), SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
    }

    /** From the next connection on, this number of certificates follows the origin's own. */
    std::atomic<int> further_certificates = 0;

    /** How many messages each flood has. By default a flood goes on until the client closes the connection. */
    std::atomic<int> flood_size = without_end;

    int accepted() const noexcept { return accepted_; }
    int requests() const noexcept { return requests_; }
    int goodbyes() const noexcept { return goodbyes_; } ///< of the innermost layer
    int flooded() const noexcept { return flooded_; }   ///< messages

    /** The names that a client sends in a handshake; "none" if it sends none. */
    struct greeting
    {
        std::string name;        ///< SNI
        std::string certificate; ///< its common name
    };

    /** What the newest client has said. */
    struct greetings
    {
        greeting to_proxy;
        std::string connect; ///< the head of its CONNECT
        greeting to_origin;
    };
    greetings heard() const
    {
        std::lock_guard const guard(mutex_);
        return heard_;
    }

private:
    static constexpr int without_end = 300'000;
    using tls_pointer = std::unique_ptr<SSL, decltype(&::SSL_free)>;

    void run()
    {
        sigset_t broken_pipe; // OpenSSL writes by write()
        sigemptyset(&broken_pipe);
        sigaddset(&broken_pipe, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
        for (;;)
        {
            boost::system::error_code over;
            asio::ip::tcp::socket client(context_);
            acceptor_.accept(client, over);
            if (over)
                return;
            client.set_option(asio::ip::tcp::no_delay(true));
            bool const first = ++accepted_ == 1;
            serve(client.native_handle(), first);
        }
    }

    void serve(int fd, bool ends)
    {
        tls_pointer const outer(::SSL_new(tls_.native_handle()), &::SSL_free);
        ::SSL_set_fd(outer.get(), fd);
        std::string request;
        if (::SSL_accept(outer.get()) != 1 || !hears(outer.get(), request))
            return;
        {
            std::lock_guard const guard(mutex_);
            heard_ = {greeting_of(outer.get()), request, {}};
        }
        if (ends && flooded_from_ == moment::before_tunnel && floods_ == flooded_layer::outer)
            return flood(outer.get());
        say(outer.get(), "HTTP/1.1 200 Connected\r\n\r\n");
        if (request.starts_with("CONNECT localhost:80 "))
            return answer(outer.get(), outer.get(), false);

        tls_pointer const inner(::SSL_new(tls_.native_handle()), &::SSL_free);
        BIO* const below = ::BIO_new(::BIO_f_ssl());
        BIO_set_ssl(below, outer.get(), BIO_NOCLOSE);
        ::SSL_set_bio(inner.get(), below, below);
        for (int i = 0; i < further_certificates; ++i)
            SSL_add1_chain_cert(inner.get(), ::SSL_get_certificate(inner.get()));
        bool const at_once = ends && when_ == goodbye::with_handshake;
        if (at_once)
            ::SSL_set_info_callback(inner.get(), &gather_last_flight);
        if (::SSL_accept(inner.get()) != 1)
            return;
        {
            std::lock_guard const guard(mutex_);
            heard_.to_origin = greeting_of(inner.get());
        }
        if (at_once)
            ::SSL_shutdown(inner.get());
        gather(inner.get(), false);
        answer(outer.get(), inner.get(), ends);
    }

    void answer(SSL* outer, SSL* inner, bool ends)
    {
        std::string request;
        while (hears(inner, request))
        {
            ++requests_;
            SSL* const flooded = floods_ == flooded_layer::outer ? outer : inner;
            if (ends && floods_ != flooded_layer::none && flooded_from_ == moment::instead_of_answer)
                return flood(flooded);
            gather(inner, true);
            say(inner, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
            if (ends && when_ != goodbye::never)
                ::SSL_shutdown(inner);
            gather(inner, false);
            if (ends && floods_ != flooded_layer::none)
                flood(flooded);
        }
        goodbyes_ += (::SSL_get_shutdown(inner) & SSL_RECEIVED_SHUTDOWN) != 0 ? 1 : 0;
    }

    void flood(SSL* with)
    {
        for (int sent = 0; sent < flood_size; ++sent, ++flooded_)
            if (::SSL_key_update(with, SSL_KEY_UPDATE_NOT_REQUESTED) != 1 || ::SSL_do_handshake(with) != 1)
                return;
    }

    static greeting greeting_of(SSL* tls)
    {
        greeting heard{"none", "none"};
        if (auto const* const name = ::SSL_get_servername(tls, TLSEXT_NAMETYPE_host_name))
            heard.name = name;
        if (auto* const shown = ::SSL_get0_peer_certificate(tls))
        {
            char text[256] = "";
            ::X509_NAME_get_text_by_NID(::X509_get_subject_name(shown), NID_commonName, text, sizeof text);
            heard.certificate = text;
        }
        return heard;
    }

    static void gather_last_flight(SSL const* tls, int where, int)
    {
        if (where == SSL_CB_ACCEPT_LOOP && ::SSL_get_state(tls) == TLS_ST_SR_FINISHED)
            gather(const_cast<SSL*>(tls), true);
    }

    /** Reads a request, which the client writes as one record; false where the client has gone. */
    static bool hears(SSL* tls, std::string& request)
    {
        std::array<char, 16 * 1024> bytes;
        int const size = ::SSL_read(tls, bytes.data(), static_cast<int>(bytes.size()));
        request.assign(bytes.data(), static_cast<std::size_t>(size > 0 ? size : 0));
        return size > 0;
    }

    static void say(SSL* tls, std::string_view bytes)
    {
        ::SSL_write(tls, bytes.data(), static_cast<int>(bytes.size()));
    }

    goodbye const when_;
    flooded_layer const floods_;
    moment const flooded_from_;
    asio::ssl::context tls_;
    asio::io_context context_;
    asio::ip::tcp::acceptor acceptor_;
    std::string url_;
    std::atomic<int> accepted_ = 0;
    std::atomic<int> requests_ = 0;
    std::atomic<int> goodbyes_ = 0;
    std::atomic<int> flooded_ = 0;
    std::mutex mutable mutex_;
    greetings heard_;
    std::thread thread_;
};

} // namespace

TEST_CASE("pool 11: a goodbye that lies in the outer layer of an https proxy is seen before the connection is used")
{
    authority const ca;
    SUBCASE("when it is given back")
    {
        for (int const version : tls_versions)
        {
            CAPTURE(version);
            tunnel proxy(ca, version, goodbye::with_answer);
            driven_client client(proxy.settings(ca));
            REQUIRE(complaint(client.get()) == "");
            CHECK(client.connections().closed_for(close_reason::said_goodbye) == 1);
            CHECK(client.connections().idle == 0);

            auto const got = client.post();
            CHECK(complaint(got) == "");
            CHECK(got.response().attempts() == 1);
            CHECK(client.connections().stale == 0);
            CHECK(proxy.accepted() == 2);
            CHECK(proxy.requests() == 2);
        }
    }
    SUBCASE(
        "when it is taken, new: over TLS 1.2 the server speaks last in the handshake; that attempt has failed unsent"
    )
    {
        tunnel proxy(ca, TLS1_2_VERSION, goodbye::with_handshake);
        driven_client client(proxy.settings(ca));
        auto const got = client.post();
        CHECK(complaint(got) == "");
        CHECK(got.response().attempts() == 2);
        CHECK(client.connections().closed_for(close_reason::said_goodbye) == 1);
        CHECK(client.connections().connect_failed == 1);
        CHECK(client.connections().stale == 0);
        CHECK(proxy.accepted() == 2);
        CHECK(proxy.requests() == 1);
    }
}

TEST_CASE("pool 16: the certificate of the client is shown to the origin, and not to the https proxy before it")
{
    authority const ca;
    auto const own = ca.issue(subject::client("first"));
    for (int const version : tls_versions)
    {
        CAPTURE(version);
        tunnel proxy(ca, version, goodbye::with_answer);
        proxy.ask_for_certificates();
        auto settings = proxy.settings(ca);
        settings.tls.certificate_pem = own.certificate;
        settings.tls.key_pem = own.key;
        driven_client client(settings);
        CHECK(complaint(client.get()) == "");
        CHECK(proxy.heard().to_proxy.certificate == "none");
        CHECK(proxy.heard().to_origin.certificate == "first");
    }
}

TEST_CASE("RFC 6066 section 3: the server names in TLS, of proxy and origin, have no dot at the end")
{
    authority const ca;
    for (int const version : tls_versions)
    {
        CAPTURE(version);
        tunnel proxy(ca, version, goodbye::with_answer);
        auto settings = proxy.settings(ca);
        settings.endpoint = "https://localhost.:1";
        settings.proxy.url.replace(settings.proxy.url.rfind(':'), 0, ".");
        driven_client client(settings);
        CHECK(complaint(client.get()) == "");
        auto const heard = proxy.heard();
        CHECK(heard.to_proxy.name == "localhost");
        CHECK(heard.connect.starts_with("CONNECT localhost.:1 HTTP/1.1\r\nHost: localhost.:1\r\n")); // as it was given
        CHECK(heard.to_origin.name == "localhost");
    }
}

TEST_CASE("TLS: a flood within either layer of an https proxy ends the connection, in every phase of a call")
{
    authority const ca;
    for (auto const where : {flooded_layer::outer, flooded_layer::inner})
        for (auto const from : {moment::before_tunnel, moment::instead_of_answer, moment::after_answer})
        {
            if (where == flooded_layer::inner && from == moment::before_tunnel)
                continue;
            CAPTURE(static_cast<int>(where));
            CAPTURE(static_cast<int>(from));
            tunnel proxy(ca, TLS1_3_VERSION, goodbye::never, where, from);
            auto settings = proxy.settings(ca);
            settings.retry = ccloud::retry_policy::none();
            driven_client client(settings);
            auto const got = client.get();
            if (from == moment::after_answer)
            {
                CHECK(complaint(got) == "");
                CHECK(client.until([&] { return client.connections().idle == 0; }));
                CHECK(client.connections().closed_for(close_reason::unsolicited) == 1);
            }
            else
            {
                REQUIRE(!got.has_value());
                CAPTURE(got.error().what());
                CHECK(got.error() == (from == moment::before_tunnel ? errc::proxy_refused : errc::connection_lost));
                CHECK(got.error().detail().find("TLS handshake messages") != std::string::npos);
            }
            CHECK(complaint(client.get()) == "");
            CHECK(proxy.accepted() == 2);
            CHECK(proxy.flooded() < 40'000);
        }
}

TEST_CASE("TLS: behind an https proxy, too, each layer may carry 32 messages between two pieces of data, and not a "
          "message more")
{
    authority const ca;
    for (auto const where : {flooded_layer::outer, flooded_layer::inner})
        for (int const messages : {32, 33})
        {
            CAPTURE(static_cast<int>(where));
            CAPTURE(messages);
            bool const allowed = messages == 32;
            tunnel proxy(ca, TLS1_3_VERSION, goodbye::never, where);
            proxy.flood_size = messages;
            driven_client client(proxy.settings(ca));
            for (int answers = 1; answers <= 3; ++answers) // each begins the count anew
            {
                CHECK(complaint(client.get()) == "");
                auto const expected = messages * (allowed ? answers : 1);
                REQUIRE(client.until([&] { return proxy.flooded() == expected; }));
            }
            CHECK(complaint(client.get()) == "");
            CHECK(client.connections().closed_for(close_reason::unsolicited) == (allowed ? 0 : 1));
            CHECK(proxy.accepted() == (allowed ? 1 : 2));
            CHECK(proxy.requests() == 4);
        }
}

TEST_CASE("TLS: a long handshake with the origin does not count as a flood in the layer of an https proxy")
{
    authority const ca;
    for (int const version : tls_versions)
    {
        CAPTURE(version);
        tunnel proxy(ca, version, goodbye::never);
        auto const each = ca.issue(subject::local()).certificate.size() * 3 / 4; // PEM
        proxy.further_certificates = static_cast<int>(80 * 1024 / each);
        driven_client client(proxy.settings(ca));
        CHECK(complaint(client.get()) == "");
        CHECK(proxy.accepted() == 1);
    }
}

TEST_CASE("pool 23: behind an https proxy, too, the origin gets close_notify (RFC 8446 section 6.1)")
{
    authority const ca;
    for (int const version : tls_versions)
    {
        CAPTURE(version);
        tunnel proxy(ca, version, goodbye::never);
        driven_client client(proxy.settings(ca));
        REQUIRE(complaint(client.get()) == "");
        client->close_idle();
        CHECK(client.until([&] { return proxy.goodbyes() == 1; }));
    }
}

TEST_CASE(
    "observer: a connection without TLS to its origin reports no TLS, even if the connection to the proxy uses TLS"
)
{
    authority const ca;
    tunnel proxy(ca, TLS1_3_VERSION, goodbye::never);
    auto const seen = std::make_shared<support::connection_witness>();
    auto settings = proxy.settings(ca, false);
    settings.observer = seen;
    driven_client client(settings);
    REQUIRE(complaint(client.get()) == "");
    REQUIRE(seen->seen.size() == 1);
    CHECK(seen->seen.front()->tls_version == "");
    CHECK(seen->seen.front()->cipher == "");
    CHECK(!seen->seen.front()->resumed);
    CHECK(seen->seen.front()->proxy == settings.proxy.url);
}
