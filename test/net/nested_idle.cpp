#include <ccloud/ccloud.hpp>

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
enum class goodbye { with_handshake, with_answer };

/** An HTTPS proxy, and the origin behind it, on a thread of its own: TLS in TLS, one connection after the other. The
    inner close_notify comes in a record of the outer layer of its own. */
class tunnel
{
public:
    tunnel(authority const& ca, int version, goodbye when)
        : when_(when), tls_(asio::ssl::context::tls_server), acceptor_(context_, {asio::ip::address_v4::loopback(), 0})
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

    ccloud::config settings(authority const& ca) const
    {
        ccloud::config settings;
        settings.endpoint = "https://localhost:1";
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

    int accepted() const noexcept { return accepted_; }
    int requests() const noexcept { return requests_; }

    /** What a client says of itself and of whom it means, in a handshake; "none" where it says nothing. */
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
            bool const first = ++accepted_ == 1;
            serve(client.native_handle(), first);
        }
    }

    void serve(int fd, bool ends)
    {
        tls_pointer const outer(::SSL_new(tls_.native_handle()), &::SSL_free);
        ::SSL_set_fd(outer.get(), fd);
        if (::SSL_accept(outer.get()) != 1)
            return;
        auto const connect = hear(outer.get());
        if (connect.empty())
            return;
        {
            std::lock_guard const guard(mutex_);
            heard_ = {greeting_of(outer.get()), connect, {}};
        }
        say(outer.get(), "HTTP/1.1 200 Connected\r\n\r\n");

        tls_pointer const inner(::SSL_new(tls_.native_handle()), &::SSL_free);
        BIO* const below = ::BIO_new(::BIO_f_ssl());
        BIO_set_ssl(below, outer.get(), BIO_NOCLOSE);
        ::SSL_set_bio(inner.get(), below, below);
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
        while (!hear(inner.get()).empty())
        {
            ++requests_;
            gather(inner.get(), true);
            say(inner.get(), "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
            if (ends)
                ::SSL_shutdown(inner.get());
            gather(inner.get(), false);
        }
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

    /** Reads a request, which the client writes as one record; empty where the client has gone. */
    static std::string hear(SSL* tls)
    {
        std::array<char, 16 * 1024> bytes;
        int const got = ::SSL_read(tls, bytes.data(), static_cast<int>(bytes.size()));
        return got > 0 ? std::string(bytes.data(), static_cast<std::size_t>(got)) : std::string();
    }

    static void say(SSL* tls, std::string_view bytes)
    {
        ::SSL_write(tls, bytes.data(), static_cast<int>(bytes.size()));
    }

    goodbye const when_;
    asio::ssl::context tls_;
    asio::io_context context_;
    asio::ip::tcp::acceptor acceptor_;
    std::string url_;
    std::atomic<int> accepted_ = 0;
    std::atomic<int> requests_ = 0;
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
    SUBCASE("when it is taken, new: over TLS 1.2 the server speaks last in the handshake")
    {
        tunnel proxy(ca, TLS1_2_VERSION, goodbye::with_handshake);
        driven_client client(proxy.settings(ca));
        auto const got = client.post();
        CHECK(complaint(got) == "");
        CHECK(got.response().attempts() == 1);
        CHECK(client.connections().closed_for(close_reason::said_goodbye) == 1);
        CHECK(client.connections().stale == 1);
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

TEST_CASE("RFC 6066 section 3: TLS knows proxy and origin without the dots at the ends of their names")
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
