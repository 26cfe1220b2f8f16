// What a response must be for its body to be found and its connection to be used again: RFC 9112.
#include <ccloud/ccloud.hpp>
#include <ccloud/transport.hpp>

#include "caller.hpp"
#include "printers.hpp"
#include "puppet_server.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;
using ccloud::errc;
using ccloud::method;
using ccloud::progress;
using support::begun_call;
using support::caller;
using support::puppet_server;

namespace {

constexpr std::string_view ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
constexpr std::string_view chunks_of_hi = "2\r\nhi\r\n0\r\n\r\n";

ccloud::http_request request_of(method verb)
{
    ccloud::http_request request(verb, "/org/v2/environments");
    if (verb != method::get && verb != method::del)
        request.body("{}");
    return request;
}

/** Policy and timeouts with which a call ends soon if no response comes, and with which every retry is noticed. */
ccloud::config settings_for(puppet_server const& server)
{
    auto settings = server.settings();
    settings.attempt_timeout = 2s;
    settings.retry = ccloud::retry_policy();
    settings.retry.base_delay = settings.retry.max_delay = 0ms;
    settings.retry.throttle_base_delay = settings.retry.throttle_max_delay = 0ms;
    settings.retry.max_attempts = 2;
    return settings;
}

/** Makes a call to whose first request the server sends `bytes`, leaving the connection open. */
begun_call& ask(caller& client, puppet_server& server, method verb, std::string_view bytes)
{
    auto const connection = server.accepted();
    auto& call = client.begin(request_of(verb));
    REQUIRE(client.until([&] { return server.requests(connection) == 1; }));
    server.send(bytes, connection);
    client.until([&] { return call.over(); });
    return call;
}

/** Checks that the client still works, and on which connection. */
void next_call_works(caller& client, puppet_server& server, std::size_t connection)
{
    auto& call = client.begin();
    auto const before = connection < server.accepted() ? server.requests(connection) : 0;
    REQUIRE(client.until([&] { return server.requests(connection) == before + 1; }));
    server.send(ok, connection);
    REQUIRE(client.until([&] { return call.over(); }));
    REQUIRE(call.good());
    CHECK(call.how->value().body() == "hi");
}

bool mentions(std::string_view text, std::string_view part)
{
    return text.find(part) != std::string_view::npos;
}

} // namespace

TEST_CASE("RFC 9112 section 6.1: a Transfer-Encoding other than chunked, once, makes the response malformed at once")
{
    struct row
    {
        std::string fields;
        std::string named; ///< in the text of the error
    };
    for (auto const& [fields, named] : std::vector<row>{
             {"Transfer-Encoding: banana\r\n", "banana"},
             {"Transfer-Encoding:\r\n", "empty"},
             {"Transfer-Encoding: ,\r\n", "empty"},
             {"Transfer-Encoding: identity\r\n", "identity"},
             {"Transfer-Encoding: gzip\r\n", "gzip"},
             {"Transfer-Encoding: gzip, chunked\r\n", "gzip"},
             {"Transfer-Encoding: chunked, gzip\r\n", "gzip"},
             {"Transfer-Encoding: chunked, chunked\r\n", "twice"},
             {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "twice"},
             {"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "gzip"},
             {"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "identity"},
             {"Transfer-Encoding: chunked;q=1\r\n", "chunked;q=1"},
             {"Transfer-Encoding: xchunked\r\n", "xchunked"},
             {"Transfer-Encoding: \"chunked\"\r\n", "\"chunked\""},
         })
        for (auto const verb : {method::get, method::post, method::patch, method::del})
        {
            CAPTURE(fields);
            CAPTURE(verb);
            puppet_server server;
            caller client(settings_for(server));
            auto const answer = "HTTP/1.1 200 OK\r\nX-Request-Id: r-1\r\n" + fields + "\r\n";
            auto const& call = ask(client, server, verb, answer + std::string(chunks_of_hi));
            REQUIRE(call.over());
            REQUIRE(!call.good());
            CHECK(call.error() == errc::malformed_response);
            CHECK(call.error().progress() == progress::answered);
            CHECK(call.error().status() == 200);
            CHECK(call.error().request_id() == "r-1");
            CHECK(mentions(call.error().detail(), "Transfer-Encoding"));
            CHECK(mentions(call.error().detail(), named));
            CHECK(server.accepted() == 1);
            CHECK(server.requests() == 1);
            CHECK(client.until([&] { return server.left(); }));
            next_call_works(client, server, 1);
        }
}

TEST_CASE("RFC 9112 section 7: chunked is known in any case of letters, and among empty elements of the list")
{
    for (std::string_view const fields :
         {"Transfer-Encoding: CHUNKED\r\n", "Transfer-Encoding: \t Chunked \t\r\n", "Transfer-Encoding: ,chunked,,\r\n",
          "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n", "transfer-encoding: , chunked\r\n"})
    {
        CAPTURE(fields);
        puppet_server server;
        caller client(settings_for(server));
        auto const answer = "HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n" + std::string(chunks_of_hi);
        auto const& call = ask(client, server, method::get, answer);
        REQUIRE(call.good());
        CHECK(call.how->value().body() == "hi");
        next_call_works(client, server, 0);
    }
}

TEST_CASE("RFC 9112 section 6.3: Transfer-Encoding together with Content-Length is malformed, in any order and coding")
{
    for (std::string_view const coding : {"chunked", "gzip", "chunked, gzip", "gzip, chunked", "identity", ""})
        for (bool const length_first : {true, false})
            for (std::string_view const length : {"2", "0", "12"})
            {
                CAPTURE(coding);
                CAPTURE(length_first);
                CAPTURE(length);
                puppet_server server;
                caller client(settings_for(server));
                auto const te = "Transfer-Encoding: " + std::string(coding) + "\r\n";
                auto const cl = "Content-Length: " + std::string(length) + "\r\n";
                auto const& call =
                    ask(client, server, method::get,
                        "HTTP/1.1 200 OK\r\n" + (length_first ? cl + te : te + cl) + "\r\n" + std::string(chunks_of_hi)
                    );
                REQUIRE(call.over());
                REQUIRE(!call.good());
                CHECK(call.error() == errc::malformed_response);
                CHECK(server.requests() == 1);
                CHECK(client.until([&] { return server.left(); }));
                next_call_works(client, server, 1);
            }
}

TEST_CASE("RFC 9112 section 6.3 item 5: a Content-Length that is no number, or several, is malformed at once")
{
    for (std::string_view const fields :
         {"Content-Length: -2\r\n", "Content-Length: +2\r\n", "Content-Length:\r\n", "Content-Length: 2,\r\n",
          "Content-Length: 2, 3\r\n", "Content-Length: 2\r\nContent-Length: 3\r\n", "Content-Length: 0x2\r\n",
          "Content-Length: 2 2\r\n", "Content-Length: 2.0\r\n", "Content-Length: two\r\n"})
    {
        CAPTURE(fields);
        puppet_server server;
        caller client(settings_for(server));
        auto const& call = ask(client, server, method::get, "HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\nhi");
        REQUIRE(call.over());
        REQUIRE(!call.good());
        CHECK(call.error() == errc::malformed_response);
        CHECK(server.requests() == 1);
        next_call_works(client, server, 1);
    }
    for (std::string_view const fields : {"Content-Length: 2, 2\r\n", "Content-Length: 2\r\nContent-Length: 2\r\n"})
    {
        CAPTURE(fields);
        puppet_server server;
        caller client(settings_for(server));
        CHECK(ask(client, server, method::get, "HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\nhi").good());
        next_call_works(client, server, 0);
    }
}

TEST_CASE("RFC 9112 section 6.1: a chunked response of HTTP/1.0 is read, and its connection is not used again")
{
    for (std::string_view const fields :
         {"", "Connection: keep-alive\r\n", "Connection: Keep-Alive\r\nKeep-Alive: timeout=60\r\n"})
    {
        CAPTURE(fields);
        puppet_server server;
        caller client(settings_for(server));
        auto const answer = "HTTP/1.0 200 OK\r\n" + std::string(fields) + "Transfer-Encoding: chunked\r\n\r\n";
        auto const& call = ask(client, server, method::get, answer + std::string(chunks_of_hi));
        REQUIRE(call.good());
        CHECK(call.how->value().body() == "hi");
        CHECK(client.connections().idle == 0);
        CHECK(client.until([&] { return server.left(); }));
        next_call_works(client, server, 1);
    }
}

TEST_CASE("RFC 9110 section 8.6, RFC 9112 section 6.3: a response without a body that announces one ends its connection"
)
{
    struct row
    {
        std::string answer;
        int status;
        bool kept;
    };
    for (auto const& [answer, status, kept] : std::vector<row>{
             {"HTTP/1.1 204 No Content\r\n\r\n", 204, true},
             {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 204, true},
             {"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", 204, false},
             {"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi", 204, false},
             {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", 204, false},
             {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 204, false},
             {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: banana\r\n\r\n", 204, false},
             {"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", 304, true},
             {"HTTP/1.1 304 Not Modified\r\nContent-Length: 0\r\n\r\n", 304, true},
             {"HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\n\r\n", 304, false},
             {"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", 304, false},
             {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + std::string(ok), 200, true},
             {"HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\n" + std::string(ok), 200, false},
             {"HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(ok), 200, false},
             {"HTTP/1.1 205 Reset Content\r\nContent-Length: 2\r\n\r\nhi", 205, false},
         })
    {
        CAPTURE(answer);
        puppet_server server;
        caller client(settings_for(server));
        auto const& call = ask(client, server, method::get, answer);
        REQUIRE(call.over());
        CHECK((call.good() ? call.how->value().status() : call.error().status()) == status);
        CHECK(client.connections().idle == (kept ? 1 : 0));
        next_call_works(client, server, kept ? 0 : 1);
    }
}

TEST_CASE("RFC 9110 section 15.2.2: 101 is not an interim response, and no request asks to switch protocols")
{
    for (std::string_view const fields : {"", "Upgrade: websocket\r\nConnection: Upgrade\r\n", "Upgrade: h2c\r\n"})
        for (bool const final_follows : {false, true})
            for (auto const verb : {method::get, method::post})
            {
                CAPTURE(fields);
                CAPTURE(final_follows);
                CAPTURE(verb);
                puppet_server server;
                caller client(settings_for(server));
                auto const answer = "HTTP/1.1 101 Switching Protocols\r\n" + std::string(fields) + "\r\n" +
                                    std::string(final_follows ? ok : std::string_view());
                auto const& call = ask(client, server, verb, answer);
                REQUIRE(call.over());
                REQUIRE(!call.good());
                CHECK(call.error() == errc::malformed_response);
                CHECK(call.error().progress() == progress::maybe_sent);
                CHECK(mentions(call.error().detail(), "101"));
                CHECK(server.requests() == 1);
                next_call_works(client, server, 1);
            }
}

TEST_CASE("RFC 9110 section 15: a status code below 100, or not of three digits, is malformed at once")
{
    for (std::string_view const code : {"000", "001", "099", "20", "2", "2000", "20x", "-20", "2 0", ""})
        for (auto const verb : {method::get, method::del})
        {
            CAPTURE(code);
            CAPTURE(verb);
            puppet_server server;
            caller client(settings_for(server));
            auto const answer = "HTTP/1.1 " + std::string(code) + " Odd\r\nContent-Length: 2\r\n\r\nhi";
            auto const& call = ask(client, server, verb, answer);
            REQUIRE(call.over());
            REQUIRE(!call.good());
            CHECK(call.error() == errc::malformed_response);
            CHECK(call.error().progress() == progress::maybe_sent);
            CHECK(call.error().status() == 0);
            CHECK(server.requests() == 1);
            next_call_works(client, server, 1);
        }
}

TEST_CASE("RFC 9112 section 4: bytes that do not begin with a status line are malformed at the first wrong byte")
{
    for (std::string_view const answer :
         {"SSH-2.0-OpenSSH", "HTTP/2 200", "HTTP/2.0 200 OK\r\n\r\n", "http/1.1 200 OK\r\n\r\n", "\x15\x03\x03", "{",
          "\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1200 OK\r\n",
          "HTTP/1.1\t200 OK\r\n\r\n", "XHTTP/1.1 200 OK\r\n\r\n"})
    {
        CAPTURE(answer);
        puppet_server server;
        caller client(settings_for(server));
        auto const& call = ask(client, server, method::get, answer);
        REQUIRE(call.over());
        REQUIRE(!call.good());
        CHECK(call.error() == errc::malformed_response);
        CHECK(call.error().progress() == progress::maybe_sent);
        next_call_works(client, server, 1);
    }
}

TEST_CASE("RFC 9112 section 4: a status line may come without a reason, and without the space before it")
{
    for (std::string_view const line : {"HTTP/1.1 200 ", "HTTP/1.1 200", "HTTP/1.2 200", "HTTP/1.1 200 \xfc \t"})
    {
        CAPTURE(line);
        puppet_server server;
        caller client(settings_for(server));
        auto const& call = ask(client, server, method::get, std::string(line) + "\r\nContent-Length: 2\r\n\r\nhi");
        REQUIRE(call.good());
        CHECK(call.how->value().body() == "hi");
        next_call_works(client, server, 0);
    }
}

TEST_CASE("RFC 9110 sections 15.3.6 and 15.3.7: 205 and 206 that the request did not ask for are not a success, and "
          "not retried")
{
    for (std::string_view const status : {"205 Reset Content", "206 Partial Content", "226 IM Used"})
        for (auto const verb : {method::get, method::post, method::patch, method::del})
        {
            CAPTURE(status);
            CAPTURE(verb);
            puppet_server server;
            caller client(settings_for(server));
            bool const reset = status.starts_with("205");
            auto const answer = "HTTP/1.1 " + std::string(status) +
                                "\r\nX-Request-Id: r-1\r\nContent-Length: " + (reset ? "0\r\n\r\n" : "2\r\n\r\nhi");
            auto const& call = ask(client, server, verb, answer);
            REQUIRE(call.over());
            REQUIRE(!call.good());
            CHECK(call.error() == errc::malformed_response);
            CHECK(call.error().progress() == progress::answered);
            CHECK(call.error().status() == std::stoi(std::string(status.substr(0, 3))));
            CHECK(call.error().request_id() == "r-1");
            CHECK(mentions(call.error().detail(), status));
            CHECK(server.requests() == 1);
            next_call_works(client, server, 0); // it was read to its end
        }
}

TEST_CASE("RFC 9110 section 15.3.7: 206 is a success where the request has a Range")
{
    puppet_server server;
    caller client(settings_for(server));
    auto request = request_of(method::get);
    request.header("Range", "bytes=0-1");
    auto& call = client.begin(std::move(request));
    REQUIRE(client.until([&] { return server.accepted() == 1 && server.requests() == 1; }));
    server.send("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/4\r\nContent-Length: 2\r\n\r\nhi");
    REQUIRE(client.until([&] { return call.over(); }));
    CHECK(call.good());
}

namespace {

/** A header section of exactly so many bytes, its empty line included. */
std::string head_of(std::size_t size, bool in_one_field)
{
    std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n";
    while (head.size() + 2 < size)
    {
        auto const left = size - 2 - head.size();
        auto const line = in_one_field || left < 40 ? left : 20;
        head += "X: " + std::string(line - 5, 'x') + "\r\n";
    }
    return head + "\r\n";
}

using pieces = std::vector<std::string>;

pieces split(std::string_view text, std::size_t size)
{
    pieces all;
    for (std::size_t at = 0; at < text.size(); at += size)
        all.emplace_back(text.substr(at, size));
    return all;
}

} // namespace

TEST_CASE("limits.response_header is exact, however the bytes arrive: n pass, n + 1 do not")
{
    constexpr std::size_t most = 1'024;
    std::string const interim = "HTTP/1.1 103 Early Hints\r\nLink: " + std::string(900, 'l') + "\r\n\r\n";
    for (bool const in_one_field : {true, false})
        for (std::string_view const before : {std::string_view(), std::string_view(interim)})
            for (std::size_t const beyond : {0U, 1U, 2U, 300U})
                for (std::size_t const piece : {100'000U, 1U, 7U, 1'023U, 1'024U, 1'025U})
                {
                    CAPTURE(in_one_field);
                    CAPTURE(before.size());
                    CAPTURE(beyond);
                    CAPTURE(piece);
                    puppet_server server;
                    auto settings = settings_for(server);
                    settings.limits.response_header = most;
                    caller client(settings);
                    auto& call = client.begin();
                    REQUIRE(client.until([&] { return server.accepted() == 1 && server.requests() == 1; }));
                    auto const answer = std::string(before) + head_of(most + beyond, in_one_field) + "hi";
                    for (auto const& part : split(answer, piece))
                    {
                        if (call.over())
                            break;
                        server.send(part);
                        client.poll();
                    }
                    REQUIRE(client.until([&] { return call.over(); }));
                    CHECK(call.good() == (beyond == 0));
                    if (call.good())
                        continue;
                    CHECK(call.error() == errc::response_too_large);
                    CHECK(call.error().progress() == progress::maybe_sent);
                    CHECK(mentions(call.error().detail(), "config::limits.response_header"));
                    CHECK(mentions(call.error().detail(), "1024 bytes"));
                    CHECK(client.until([&] { return server.left(); }));
                }
}

TEST_CASE("limits.response_header bounds an interim response, too, and may be greater than the buffer for reading")
{
    {
        puppet_server server;
        auto settings = settings_for(server);
        settings.limits.response_header = 1'024;
        caller client(settings);
        auto const& call =
            ask(client, server, method::get,
                "HTTP/1.1 103 Early Hints\r\nLink: " + std::string(1'100, 'l') + "\r\n\r\n" + std::string(ok));
        REQUIRE(!call.good());
        CHECK(call.error() == errc::response_too_large);
    }
    for (std::size_t const beyond : {0U, 1U})
        for (bool const in_one_field : {true, false})
        {
            CAPTURE(beyond);
            CAPTURE(in_one_field);
            constexpr std::size_t most = 200 * 1024;
            puppet_server server;
            auto settings = settings_for(server);
            settings.limits.response_header = most;
            caller client(settings);
            auto& call = client.begin();
            REQUIRE(client.until([&] { return server.accepted() == 1 && server.requests() == 1; }));
            for (auto const& part : split(head_of(most + beyond, in_one_field) + "hi", 16 * 1024))
            {
                if (call.over())
                    break;
                server.send(part);
                client.poll();
            }
            REQUIRE(client.until([&] { return call.over(); }));
            CHECK(call.good() == (beyond == 0));
        }
}

TEST_CASE("RFC 9112 section 7.1.2: trailers neither grow without bound nor change how a response is framed or kept")
{
    std::string const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n";
    for (std::string_view const trailers :
         {"Connection: close\r\n", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n",
          "Transfer-Encoding: gzip\r\n", "Keep-Alive: timeout=1\r\n", "X: 1\r\n folded\r\n", "Content-Length: x\r\n",
          "Connection: @@\r\n"})
    {
        CAPTURE(trailers);
        puppet_server server;
        caller client(settings_for(server));
        auto const& call = ask(client, server, method::get, head + std::string(trailers) + "\r\n");
        REQUIRE(call.good());
        CHECK(call.how->value().body() == "hi");
        next_call_works(client, server, 0);
    }
    {
        puppet_server server;
        caller client(settings_for(server));
        std::string const closes = "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
        CHECK(ask(client, server, method::get, closes + "Connection: keep-alive\r\n\r\n").good());
        next_call_works(client, server, 1);
    }
    for (std::string_view const line : {"X: 0123456789\r\n", "X"})
    {
        CAPTURE(line);
        puppet_server server;
        auto settings = settings_for(server);
        settings.limits.response_header = 1'024;
        caller client(settings);
        std::string endless;
        while (endless.size() < 5'000)
            endless += line;
        auto const& call = ask(client, server, method::get, head + endless);
        REQUIRE(call.over());
        REQUIRE(!call.good());
        CHECK(call.error() == errc::response_too_large);
        CHECK(call.error().progress() == progress::answered);
        CHECK(mentions(call.error().detail(), "config::limits.response_header"));
        CHECK(server.requests() == 1);
    }
}

TEST_CASE("RFC 9112 section 7.1.1: blanks may follow the size of a chunk, before its extension or the end of its line")
{
    for (std::string_view const line_end :
         {" \r\n", "\t\r\n", "   \t \r\n", " ;x\r\n", "\t ; x = y\r\n", " ; x=\"a;b\"\r\n", ";x \r\n", ";x=y ;z\r\n"})
        for (bool const byte_by_byte : {false, true})
        {
            CAPTURE(line_end);
            CAPTURE(byte_by_byte);
            puppet_server server;
            caller client(settings_for(server));
            auto& call = client.begin();
            REQUIRE(client.until([&] { return server.accepted() == 1 && server.requests() == 1; }));
            std::string const text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2" + std::string(line_end) +
                                     "hi\r\n00A" + std::string(line_end) + "0123456789\r\n0" + std::string(line_end) +
                                     "\r\n";
            for (auto const& part : split(text, byte_by_byte ? 1 : text.size()))
            {
                server.send(part);
                client.poll();
            }
            client.until([&] { return call.over(); });
            REQUIRE(call.over());
            REQUIRE(call.good());
            CHECK(call.how->value().body() == "hi0123456789");
            next_call_works(client, server, 0);
        }
}

TEST_CASE("RFC 9112 section 7.1: an invalid chunk is malformed, and an endless extension is too large")
{
    std::string const head = "HTTP/1.1 200 OK\r\nX-Request-Id: r-1\r\nTransfer-Encoding: chunked\r\n\r\n";
    struct row
    {
        std::string chunks;
        errc code = errc::malformed_response;
    };
    for (auto const& [chunks, code] : std::vector<row>{
             {"zz\r\nhi"},
             {"\r\n"},
             {" 2\r\nhi\r\n"},
             {"-2\r\nhi\r\n"},
             {"0x2\r\nhi\r\n"},
             {"2 2\r\nhi\r\n"},
             {"2 x\r\nhi\r\n"},
             {"2\nhi\r\n"},
             {"2;x\ny\r\nhi\r\n"},
             {"2\r\nhi\n0\r\n\r\n"},
             {"2\r\nhiX"},
             {"2\r\nhi\rX"},
             {"2\r\nhi\r\n\r\n"},
             {"10000000000000000\r\n"},
             {"ffffffffffffffff0\r\n"},
             {"0\r\nno field\r\n"},
             {"0\r\n: x\r\n"},
             {"2;" + std::string(70'000, 'x'), errc::response_too_large},
             {"2 " + std::string(70'000, ' '), errc::response_too_large},
             {std::string(70'000, '0'), errc::response_too_large},
         })
    {
        CAPTURE(chunks.substr(0, 40));
        puppet_server server;
        caller client(settings_for(server));
        auto const& call = ask(client, server, method::get, head + chunks);
        REQUIRE(call.over());
        REQUIRE(!call.good());
        CHECK(call.error() == code);
        CHECK(call.error().progress() == progress::answered);
        CHECK(call.error().request_id() == "r-1");
        CHECK(server.requests() == 1);
        next_call_works(client, server, 1);
    }
}

TEST_CASE("RFC 9112 section 5: a field that is not well formed makes the response malformed; a folded one is unfolded")
{
    for (std::string_view const line :
         {"no colon\r\n", ": nameless\r\n", "X : space\r\n", " X: leading\r\n",
          "X: a\x01"
          "b\r\n",
          "X: a\rb\r\n", "X: a\n", "X\x7f: a\r\n", "\xc3\xa4: a\r\n"})
    {
        CAPTURE(line);
        puppet_server server;
        caller client(settings_for(server));
        auto const& call =
            ask(client, server, method::get, "HTTP/1.1 200 OK\r\n" + std::string(line) + "Content-Length: 2\r\n\r\nhi");
        REQUIRE(call.over());
        REQUIRE(!call.good());
        CHECK(call.error() == errc::malformed_response);
        CHECK(call.error().status() == 0);
        CHECK(server.requests() == 1);
    }
    for (bool const byte_by_byte : {false, true})
    {
        puppet_server server;
        caller client(settings_for(server));
        auto& call = client.begin();
        REQUIRE(client.until([&] { return server.accepted() == 1 && server.requests() == 1; }));
        std::string const text =
            "HTTP/1.1 200 OK\r\nX-Folded:\r\n one\r\n\t two \r\nX-Empty:\r\nContent-Length:\r\n 2\r\n\r\nhi";
        for (auto const& part : split(text, byte_by_byte ? 1 : text.size()))
        {
            server.send(part);
            client.poll();
        }
        REQUIRE(client.until([&] { return call.over(); }));
        REQUIRE(call.good());
        CHECK(call.how->value().headers().find("X-Folded") == "one two");
        CHECK(call.how->value().headers().find("X-Empty") == "");
        CHECK(call.how->value().body() == "hi");
        next_call_works(client, server, 0);
    }
}

TEST_CASE("RFC 9110 section 15: a status code of 600 or more is a server error, with its fields and its body")
{
    for (std::string_view const status : {"600", "700", "999"})
        for (auto const verb : {method::get, method::post, method::del})
        {
            CAPTURE(status);
            CAPTURE(verb);
            puppet_server server;
            auto settings = settings_for(server);
            settings.retry.max_attempts = 1;
            caller client(settings);
            std::string const body = R"({"errors":[{"detail":"odd"}]})";
            auto const answer = "HTTP/1.1 " + std::string(status) +
                                " Odd\r\nX-Request-Id: r-1\r\nContent-Length: " + std::to_string(body.size()) +
                                "\r\n\r\n" + body;
            auto const& call = ask(client, server, verb, answer);
            REQUIRE(call.over());
            REQUIRE(!call.good());
            CHECK(call.error() == errc::http_status);
            CHECK(call.error().is(ccloud::condition::server_failure));
            CHECK(call.error().progress() == progress::answered);
            CHECK(call.error().status() == std::stoi(std::string(status)));
            CHECK(call.error().request_id() == "r-1");
            CHECK(call.error().body() == body);
            CHECK(call.error().problems().size() == 1);
            next_call_works(client, server, 0);
        }
}

TEST_CASE("RFC 9110 section 7.6.1: malformed options of Connection do not prevent the reuse of the connection")
{
    struct row
    {
        std::string_view field;
        bool kept;
    };
    for (auto const& [field, kept] :
         {row{"Connection: keep-alive, timeout=60", true}, row{"Connection: Keep-Alive; timeout=5", true},
          row{"Proxy-Connection: a=b", true}, row{"Connection: a b", true}, row{"Connection: timeout=5, close", false},
          row{"Connection: \"close\"", false}, row{"Connection: close;", false}})
    {
        CAPTURE(field);
        puppet_server server;
        caller client(settings_for(server));
        auto const answer = "HTTP/1.1 200 OK\r\n" + std::string(field) + "\r\nContent-Length: 2\r\n\r\nhi";
        auto const& call = ask(client, server, method::get, answer);
        REQUIRE(call.good());
        CHECK(call.how->value().body() == "hi");
        next_call_works(client, server, kept ? 0 : 1);
    }
}

TEST_CASE("RFC 9112 section 8: the error of an incomplete or malformed header section quotes the status line that came")
{
    enum class ending { none, fin, rst, timeout };
    struct row
    {
        std::string rest; ///< of the header section
        ending then;
        errc code;
    };
    for (auto const& [rest, then, code] : std::vector<row>{
             {"no colon\r\n\r\n", ending::none, errc::malformed_response},
             {"X: y\n", ending::none, errc::malformed_response},
             {"X: a\rb\r\n\r\n", ending::none, errc::malformed_response},
             {"X: " + std::string(2'000, 'x'), ending::none, errc::response_too_large},
             {"", ending::fin, errc::connection_lost},
             {"Location: /x", ending::fin, errc::connection_lost},
             {"Location: /x", ending::rst, errc::connection_lost},
             {"Location: /x\r\n", ending::timeout, errc::attempt_timeout},
         })
    {
        CAPTURE(rest.substr(0, 40));
        CAPTURE(code);
        puppet_server server;
        auto settings = settings_for(server);
        settings.limits.response_header = 1'024;
        settings.attempt_timeout = then == ending::timeout ? 300ms : 5'000ms;
        caller client(settings);
        auto& call = client.begin(request_of(method::post));
        REQUIRE(client.until([&] { return server.accepted() == 1 && server.requests() == 1; }));
        server.send("HTTP/1.1 201 Created\r\n" + rest);
        client.poll();
        if (then == ending::fin)
            server.end();
        if (then == ending::rst)
            server.reset();
        REQUIRE(client.until([&] { return call.over(); }));
        REQUIRE(!call.good());
        CHECK(call.error() == code);
        CHECK(call.error().progress() == progress::maybe_sent);
        CHECK(mentions(call.error().detail(), ", after \"HTTP/1.1 201 Created\""));
        CHECK(mentions(call.error().what(), "HTTP/1.1 201 Created"));
        CHECK(server.accepted() == 1);
    }
}
