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
#include <memory>
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

    int accepted() const noexcept { return accepted_; }
    int requests() const noexcept { return requests_; }

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
        if (::SSL_accept(outer.get()) != 1 || !hears(outer.get()))
            return;
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
        if (at_once)
            ::SSL_shutdown(inner.get());
        gather(inner.get(), false);
        while (hears(inner.get()))
        {
            ++requests_;
            gather(inner.get(), true);
            say(inner.get(), "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
            if (ends)
                ::SSL_shutdown(inner.get());
            gather(inner.get(), false);
        }
    }

    static void gather_last_flight(SSL const* tls, int where, int)
    {
        if (where == SSL_CB_ACCEPT_LOOP && ::SSL_get_state(tls) == TLS_ST_SR_FINISHED)
            gather(const_cast<SSL*>(tls), true);
    }

    /** Reads a request, which the client writes as one record; false where the client has gone. */
    static bool hears(SSL* tls)
    {
        std::array<char, 16 * 1024> bytes;
        return ::SSL_read(tls, bytes.data(), static_cast<int>(bytes.size())) > 0;
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
