#include <ccloud/ccloud.hpp>

#include "certificates.hpp"
#include "printers.hpp"
#include "tls_server.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using ccloud::condition;
using ccloud::errc;
using ccloud::progress;
using support::driven_client;
using namespace std::string_view_literals;
namespace asio = boost::asio;

namespace {

/** A TCP server that reads some bytes of each client before each of its responses, and then closes its side. */
class blunt_server
{
public:
    explicit blunt_server(std::vector<std::string> answers)
        : answers_(std::move(answers)), acceptor_(context_, {asio::ip::address_v4::loopback(), 0}),
          thread_([this] { run(); })
    {
    }

    /** After its clients. */
    ~blunt_server()
    {
        ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
        thread_.join();
    }
    blunt_server(blunt_server const&) = delete;
    blunt_server& operator=(blunt_server const&) = delete;

    std::string at(std::string const& host = "localhost") const
    {
        return host + ":" + std::to_string(acceptor_.local_endpoint().port());
    }

private:
    void run()
    {
        for (boost::system::error_code over; !over;)
        {
            asio::ip::tcp::socket client(context_);
            acceptor_.accept(client, over);
            std::array<char, 4096> bytes;
            boost::system::error_code failed = over;
            for (auto const& answer : answers_)
            {
                if (!failed)
                    client.read_some(asio::buffer(bytes), failed);
                if (!failed)
                    asio::write(client, asio::buffer(answer), failed);
            }
            if (!failed)
                client.shutdown(asio::ip::tcp::socket::shutdown_send, failed);
            while (!failed) // until the client ends, so that nothing is lost by a reset
                client.read_some(asio::buffer(bytes), failed);
        }
    }

    std::vector<std::string> const answers_;
    asio::io_context context_;
    asio::ip::tcp::acceptor acceptor_;
    std::thread thread_;
};

ccloud::config settings_for(std::string const& endpoint)
{
    ccloud::config settings;
    settings.endpoint = endpoint;
    settings.credentials = ccloud::api_key("KEY", "SECRET");
    settings.threading = ccloud::threading::serial;
    return settings;
}

/** A TLS record of handshake messages. */
std::string record(std::string_view version, std::string_view content)
{
    std::string text("\x16");
    text.append(version);
    text += static_cast<char>(content.size() >> 8);
    text += static_cast<char>(content.size() & 255);
    return text.append(content);
}

/** A ServerHello of that version, with extensions that need it. */
std::string server_hello(std::string_view version, std::string_view extensions = {})
{
    std::string body(version);
    body.append(32, 'r').append("\x00\xc0\x2f\x00"sv); // random, no session, a cipher, no compression
    body.append(extensions);
    std::string message("\x02\x00\x00"sv);
    message += static_cast<char>(body.size());
    return record(version, message + body);
}

bool contains(std::string const& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("RFC 8446 section 5.1: a peer whose response is not a TLS record is distinguished from a peer with another "
          "TLS version")
{
    struct row
    {
        std::string_view name, answer;
    };
    for (auto const& [name, answer] : {
             row{"HTTP", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"},
             row{"HTTP without TLS, as nginx says it", "<html>The plain HTTP request was sent to HTTPS port</html>"},
             row{"SSH", "SSH-2.0-OpenSSH_9.2\r\n"},
             row{"SMTP", "220 mail.example ESMTP\r\n"},
             row{"a request in the place of an answer", "GET / HTTP/1.1\r\n\r\n"},
             row{"the same with another method", "POST / HTTP/1.1\r\n\r\n"},
             row{"a request to a proxy", "CONNECT localhost:443 HTTP/1.1\r\n\r\n"},
             row{"MySQL", "\x4a\x00\x00\x00\x0a"
                          "8.0.36\x00"sv},
             row{"the ClientHello's own type, and then text", "\x16"
                                                              "hello, who is there?"sv},
             row{"SSL 2", "\x80\x2e\x04\x00\x01\x00\x02\x00"sv},
             row{"five bytes", "hello"},
         })
    {
        CAPTURE(name);
        blunt_server server({std::string(answer)});
        driven_client client(settings_for("https://" + server.at()));
        auto const got = client.post();
        REQUIRE(!got.has_value());
        auto const& failure = got.error();
        std::string const said = failure.what();
        CAPTURE(said);
        CHECK(failure.code() == errc::tls_failed);
        CHECK(failure == condition::tls_failure);
        CHECK(failure.progress() == progress::not_sent);
        CHECK(failure.gave_up() == ccloud::gave_up::not_retryable); // the next try can only end like this
        CHECK(contains(said, "https://" + server.at()));
        CHECK(contains(said, "the peer did not answer with TLS (plain HTTP on this port?)"));
        CHECK(!contains(said, "version"));
        CHECK(!failure.cause());
    }
}

TEST_CASE("RFC 8446 section 4.1.3: a peer with another TLS version, or that refuses the client's, is reported as such")
{
    struct row
    {
        std::string name, answer;
    };
    std::vector<row> const table{
        {"SSL 3", server_hello("\x03\x00"sv)},
        {"TLS 1.0", server_hello("\x03\x01"sv)},
        {"TLS 1.1", server_hello("\x03\x02"sv)},
        {"an alert of SSL 3", std::string("\x15\x03\x00\x00\x02\x02\x46"sv)},
        {"an alert of TLS 1.0", std::string("\x15\x03\x01\x00\x02\x02\x46"sv)},
        {"an alert of TLS 1.2", std::string("\x15\x03\x03\x00\x02\x02\x46"sv)},
    };
    for (auto const& [name, answer] : table)
    {
        CAPTURE(name);
        blunt_server server({answer});
        driven_client client(settings_for("https://" + server.at()));
        auto const got = client.post();
        REQUIRE(!got.has_value());
        CAPTURE(got.error().what());
        CHECK(got.error().code() == errc::tls_version_unsupported);
        CHECK(got.error().cause());
        CHECK(!contains(got.error().what(), "did not answer with TLS"));
    }
}

TEST_CASE("RFC 8446 section 5.1: bytes that are not a TLS record, after a ServerHello, are a failed handshake")
{
    auto const hello = server_hello("\x03\x03"sv, "\x00\x05\xff\x01\x00\x01\x00"sv); // with renegotiation_info
    blunt_server server({hello + "HTTP/1.1 400 Bad Request\r\n\r\n"});
    driven_client client(settings_for("https://" + server.at()));
    auto const got = client.post();
    REQUIRE(!got.has_value());
    CAPTURE(got.error().what());
    CHECK(got.error().code() == errc::tls_failed);
    CHECK(got.error().cause());
    CHECK(!contains(got.error().what(), "did not answer with TLS"));
}

TEST_CASE("RFC 8446 section 5.1: a peer that closes before its first record is retried")
{
    for (std::string_view const answer : {""sv, "no"sv, "\x16\x03\x03\x00"sv})
    {
        CAPTURE(answer.size());
        blunt_server server({std::string(answer)});
        auto settings = settings_for("https://" + server.at());
        settings.retry.max_attempts = 2;
        settings.retry.base_delay = std::chrono::milliseconds(1);
        driven_client client(settings);
        auto const got = client.post();
        REQUIRE(!got.has_value());
        CAPTURE(got.error().what());
        CHECK(got.error().code() == errc::tls_failed);
        CHECK(got.error().attempts().size() == 2);
        CHECK(!contains(got.error().what(), "did not answer with TLS"));
    }
}

TEST_CASE("RFC 8446 section 5.1: a proxy without TLS under an https URL is named, and its origin is not")
{
    blunt_server proxy({"HTTP/1.1 200 Connected\r\n\r\n"});
    auto settings = settings_for("https://origin.example");
    settings.proxy.url = "https://" + proxy.at();
    driven_client client(settings);
    auto const got = client.post();
    REQUIRE(!got.has_value());
    std::string const said = got.error().what();
    CAPTURE(said);
    CHECK(got.error().code() == errc::tls_failed);
    CHECK(contains(said, "proxy https://" + proxy.at() + ": the peer did not answer with TLS"));
    CHECK(!contains(said, "origin.example"));
}

TEST_CASE("RFC 9110 section 9.3.6: plain HTTP in the TLS handshake through a proxy names the origin and the proxy")
{
    blunt_server proxy({"HTTP/1.1 200 Connected\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n"});
    auto settings = settings_for("https://origin.example");
    settings.proxy.url = "http://" + proxy.at();
    driven_client client(settings);
    auto const got = client.post();
    REQUIRE(!got.has_value());
    std::string const said = got.error().what();
    CAPTURE(said);
    CHECK(got.error().code() == errc::tls_failed);
    CHECK(contains(said, "https://origin.example through proxy http://" + proxy.at() + ": the peer did not answer with")
    );
}
