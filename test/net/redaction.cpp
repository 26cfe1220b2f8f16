// What servers and proxies write where only the network layer reads it: status lines, malformed lines, replies to CONNECT.
#include <ccloud/ccloud.hpp>

#include "caller.hpp"
#include "core/base64.hpp"
#include "echo.hpp"
#include "printers.hpp"
#include "puppet_server.hpp"
#include "raw_server.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using ccloud::errc;
using support::caller;
using support::output;
using support::puppet_server;
using support::raw_reply;
using support::raw_server;

namespace {

std::string const api_secret = R"(cflt/+"k9\Q%2FzW7=mN4pL8vR)";
std::string const proxy_password = "pr0xy/p%ssword";

std::string basic(std::string const& user, std::string const& password)
{
    auto const coded = ccloud::core::base64(user + ':' + password);
    return coded.substr(0, coded.find('='));
}

/** The forms of some secrets, and the beginnings that a quotation of 32 or 64 bytes leaves of them. */
std::vector<support::echo> forms(
    std::vector<std::string> const& secrets, std::vector<std::size_t> const& places = {0, 20, 40}
)
{
    std::vector<support::echo> all;
    for (auto const& secret : secrets)
        for (auto const& form : support::echoes_of(secret))
            for (auto const before : places)
                all.push_back({form.name, std::string(before, '.') + form.text});
    return all;
}

/** Where eight bytes of a secret, or more than a few bytes of its beginning, are printed. */
std::string leak_in(output const& all, std::vector<std::string> const& secrets)
{
    for (auto const& [where, text] : all)
        for (auto const& secret : secrets)
            if (support::leaks(text, secret.substr(0, 6)) || support::leaks_part(text, secret))
                return where + ": " + text.substr(0, 300);
    return {};
}

/** What can be printed after a request that is answered with these bytes. */
output answered(raw_reply reply, ccloud::config settings)
{
    auto const watching = std::make_shared<support::printing_observer>();
    settings.observer = watching;
    settings.retry = ccloud::retry_policy::none();
    settings.limits.response_header = 1024;
    raw_server server({std::move(reply)});
    settings.endpoint = server.endpoint();
    caller client(settings);
    auto& call = client.begin();
    REQUIRE(client.until([&call] { return call.over(); }));
    REQUIRE(!call.good());
    auto all = watching->texts();
    support::print(all, "error", call.error());
    return all;
}

} // namespace

TEST_CASE("no credential is printed that a server sends where a response is malformed (RFC 9112)")
{
    struct channel
    {
        std::string name;
        std::function<raw_reply(std::string const& form)> reply;
    };
    std::string const head = "HTTP/1.1 200 OK\r\n";
    std::string const chunked = head + "Transfer-Encoding: chunked\r\n\r\n";
    std::vector<channel> const channels{
        {"no status line",
         [](auto const& form) {
             return raw_reply{form + "\r\n\r\n", true};
         }},
        {"no status line, incomplete",
         [](auto const& form) {
             return raw_reply{form, true};
         }},
        {"reason phrase",
         [](auto const& form) {
             return raw_reply{"HTTP/1.1 200 " + form + "\r\nno field\r\n\r\n", true};
         }},
        {"reason phrase, incomplete",
         [](auto const& form) {
             return raw_reply{"HTTP/1.1 200 " + form, true};
         }},
        {"reason phrase, cut by the end of the connection",
         [](auto const& form) {
             return raw_reply{"HTTP/1.1 200 " + form.substr(0, form.size() - 2), true};
         }},
        {"reason phrase, header section too large",
         [](auto const& form) {
             return raw_reply{"HTTP/1.1 200 " + form + "\r\nX: " + std::string(2000, 'x') + "\r\n\r\n", true};
         }},
        {"line without a colon",
         [head](auto const& form) {
             return raw_reply{head + form + "\r\n\r\n", true};
         }},
        {"name of a field",
         [head](auto const& form) {
             return raw_reply{head + form + " : x\r\n\r\n", true};
         }},
        {"value of a field",
         [head](auto const& form) {
             return raw_reply{head + "X: " + form + std::string(1, '\0') + "\r\n\r\n", true};
         }},
        {"transfer coding",
         [head](auto const& form) {
             return raw_reply{head + "Transfer-Encoding: " + form + "\r\n\r\n", true};
         }},
        {"content coding",
         [head](auto const& form) {
             return raw_reply{head + "Content-Length: 1\r\nContent-Encoding: " + form + "\r\n\r\nx", true};
         }},
        {"size of a chunk",
         [chunked](auto const& form) {
             return raw_reply{chunked + "z" + form + "\r\n", true};
         }},
        {"size of a chunk, incomplete",
         [chunked](auto const& form) {
             return raw_reply{chunked + "z" + form, true};
         }},
        {"extension of a chunk",
         [chunked](auto const& form) {
             return raw_reply{chunked + "1 " + form + "\r\n", true};
         }},
        {"trailer",
         [chunked](auto const& form) {
             return raw_reply{chunked + "0\r\n" + form + "\r\n\r\n", true};
         }},
        {"body that breaks off",
         [head](auto const& form) {
             return raw_reply{head + "Content-Length: 9999\r\n\r\n" + form.substr(0, form.size() - 2), true};
         }},
        {"body of an error that breaks off",
         [](auto const& form) {
             return raw_reply{
                 "HTTP/1.1 503 No\r\nContent-Length: 9999\r\n\r\n" + form.substr(0, form.size() - 2), true};
         }},
        {"body that is cut at 8 KiB",
         [](auto const& form) {
             auto body = std::string(8192 - form.size() / 2, 'x') + form;
             return raw_reply{
                 "HTTP/1.1 404 No\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body, true};
         }},
        {"text of a problem that is cut at 4 KiB",
         [](auto const& form) {
             // Among JSON escapes a cut would not be one of the form, so only forms without them.
             auto const plain = form.find_first_of("\\\"") == std::string::npos ? form : std::string("none");
             auto body = "{\"message\":\"" + std::string(4096 - plain.size() / 2, 'x') + plain + "\"}";
             return raw_reply{
                 "HTTP/1.1 404 No\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body, true};
         }},
    };
    auto settings = ccloud::config();
    settings.credentials = ccloud::api_key("KEY12345", api_secret);
    settings.allow_plaintext = true;
    std::vector<std::string> const secrets{api_secret, basic("KEY12345", api_secret)};
    for (auto const& by : channels)
    {
        CAPTURE(by.name);
        std::string leak;
        for (auto const& form : forms(secrets))
            if (leak.empty())
                leak = leak_in(answered(by.reply(form.text), settings), secrets);
        CHECK(leak == "");
    }
}

TEST_CASE("no credential is printed that a proxy sends in its reply to CONNECT (RFC 9110 section 9.3.6)")
{
    for (std::string const status : {"407", "403", "502"})
    {
        CAPTURE(status);
        puppet_server proxy;
        auto settings = proxy.settings();
        settings.proxy.url = "http://carol:pr0xy%2Fp%25ssword@" + settings.endpoint.substr(7);
        settings.endpoint = "https://origin.example";
        settings.credentials = ccloud::api_key("KEY12345", api_secret);
        settings.retry = ccloud::retry_policy::none();
        auto const watching = std::make_shared<support::printing_observer>();
        settings.observer = watching;
        std::vector<std::string> const secrets{proxy_password, basic("carol", proxy_password)};
        std::size_t connections = 0;
        std::string leak;
        for (auto const& form : forms(secrets, {170})) // a quotation has up to 200 bytes
        {
            caller client(settings); // a new one, because a pool waits after failures
            auto& call = client.begin();
            bool replied = false;
            REQUIRE(client.until([&] {
                if (!replied && proxy.requests(connections) == 1)
                {
                    proxy.send("HTTP/1.1 " + status + ' ' + form.text + "\r\n\r\nx", connections);
                    replied = true;
                }
                return call.over();
            }));
            ++connections;
            REQUIRE(!call.good());
            output all;
            support::print(all, "error", call.error());
            if (leak.empty())
                leak = leak_in(all, secrets);
        }
        CHECK(leak == "");
        CHECK(leak_in(watching->texts(), secrets) == "");
    }
}

TEST_CASE("an error does not say that a body is empty if the body was not read")
{
    struct row
    {
        std::string rest; ///< of the response, after the status line
        std::string told;
    };
    auto settings = ccloud::config();
    settings.credentials = ccloud::api_key("KEY12345", api_secret);
    settings.allow_plaintext = true;
    for (std::string const status : {"503 No", "500 No", "429 No"})
        for (auto const& [rest, told] : {
                 row{"Content-Length: 5\r\n\r\n", "the connection ended before the body came"},
                 row{"Transfer-Encoding: chunked\r\n\r\n", "the connection ended before the body came"},
                 row{"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
                     "the body was not read: not a chunk size: \"zz\\x0d\\x0a\""},
                 row{"Content-Length: x\r\n\r\n", "the body was not read: Content-Length is not one number"},
                 row{"Transfer-Encoding: br\r\n\r\n",
                     "the body was not read: Transfer-Encoding is not just chunked: br"},
                 row{"Content-Length: 0\r\n\r\n", "empty body"},
                 row{"\r\n", "empty body"},
             })
        {
            CAPTURE(status);
            CAPTURE(rest);
            for (auto const& [where, text] : answered({"HTTP/1.1 " + status + "\r\n" + rest, true}, settings))
                if (where == "error.detail")
                    CHECK(text == told);
        }
}

TEST_CASE("an error says that the body did not come in time, if the server sent a header section and then nothing")
{
    for (auto const limit : {std::chrono::milliseconds(100), std::chrono::milliseconds(30'000)}) // of an attempt
        for (std::string_view const framing : {"Content-Length: 5\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"})
        {
            CAPTURE(limit.count());
            CAPTURE(framing);
            puppet_server server;
            auto settings = server.settings();
            settings.attempt_timeout = limit;
            settings.retry = ccloud::retry_policy::none();
            caller client(settings);
            auto& call = client.begin();
            REQUIRE(client.until([&] { return server.requests() == 1; }));
            server.send("HTTP/1.1 503 No\r\n" + std::string(framing));
            REQUIRE(client.until([&] { return call.over(); }));
            REQUIRE(!call.good());
            CHECK(call.error().code() == errc::http_status);
            CHECK(call.error().status() == 503);
            CHECK(call.error().detail() == "the body did not come in time");
        }
}
