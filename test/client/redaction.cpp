#include <ccloud/ccloud.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "client.hpp"
#include "core/base64.hpp"
#include "echo.hpp"
#include "printers.hpp"
#include "stage.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/*  The credentials of a client are planted in everything that a server can send. None may come out in anything that a
    caller can print: see "No credential of this client" in error.hpp. */

using namespace std::chrono_literals;
using ccloud::errc;
using ccloud::progress;
using support::echo;
using support::get;
using support::output;
using support::post;
using support::said;
using support::stage;
using support::talking_wire;
namespace asio = boost::asio;
namespace iam = ccloud::iam;

namespace {

/** With every character that a percent-encoding, JSON or a URL treats in its own way. */
std::string const api_secret = R"(cflt/+"k9\Q%2FzW7=m@N4:&pL8vR)";
std::string const token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1LTEyMyJ9.c2lnbmF0dXJl-_x";
std::string const renewed = "eyJraWQiOiJrMiJ9.eyJzdWIiOiJ1LTQ1NiJ9.YW5vdGhlciBvbmU";
std::string const proxy_password = "pr0xy/p%ssword";

struct planted
{
    std::string name;
    ccloud::config settings;
    std::vector<std::string> secrets;
};

std::string without_padding(std::string text)
{
    return text.substr(0, text.find('='));
}

std::vector<planted> credentials()
{
    std::vector<planted> all;
    {
        auto settings = support::test_config();
        settings.credentials = ccloud::api_key("KEY12345", api_secret);
        all.push_back(
            {"API key",
             settings,
             {api_secret, without_padding(ccloud::core::base64("KEY12345:" + api_secret)),
              without_padding(ccloud::core::base64(api_secret))}}
        );
    }
    {
        auto settings = support::test_config();
        settings.credentials = ccloud::bearer_token(token);
        all.push_back({"bearer token", settings, {token}});
    }
    {
        auto settings = support::test_config();
        settings.credentials =
            ccloud::token_source([](std::string_view rejected) { return rejected.empty() ? token : renewed; });
        all.push_back({"source of tokens", settings, {token}});
    }
    {
        auto settings = support::test_config();
        settings.proxy.url = "http://carol:pr0xy%2Fp%25ssword@proxy.example.test:3128";
        all.push_back(
            {"proxy", settings, {proxy_password, without_padding(ccloud::core::base64("carol:" + proxy_password))}}
        );
    }
    return all;
}

std::string json_text(std::string_view text)
{
    return boost::json::serialize(boost::json::value(boost::json::string_view(text.data(), text.size())));
}

/** A text inside of a JSON document that shows `form`, whether that is JSON already or not. */
std::string member(std::string_view name, std::string_view form)
{
    auto const value = json_text(form);
    return '"' + std::string(name) + "\":" + value;
}

/** A member whose value is `form` as it is, for forms with JSON escapes. */
std::string raw_member(std::string_view name, std::string_view form)
{
    return '"' + std::string(name) + "\":\"" + std::string(form) + '"';
}

/** A transport whose attempts end as a function says. */
class failing_wire : public ccloud::testing::scripted_transport
{
public:
    explicit failing_wire(std::function<ccloud::exchange()> next) : next_(std::move(next)) {}

    asio::awaitable<ccloud::exchange> send(ccloud::http_request const&, ccloud::origin const&, ccloud::send_options)
        override
    {
        co_return next_();
    }

private:
    std::function<ccloud::exchange()> next_;
};

/** A way by which a server's words come to a caller. */
struct channel
{
    std::string name;
    std::function<output(std::string const& form, ccloud::config)> play;
};

/** What can be output after one request that is answered like that. */
std::function<output(std::string const&, ccloud::config)> answered(
    std::function<said(std::string const&)> answer, ccloud::http_request request = get("/things/1")
)
{
    return
        [answer = std::move(answer), request = std::move(request)](std::string const& form, ccloud::config settings) {
            auto const watching = std::make_shared<support::printing_observer>();
            settings.observer = watching;
            stage there(
                std::make_shared<talking_wire>([&](ccloud::http_request const&) { return answer(form); }),
                std::move(settings)
            );
            auto const got = there.ask(request);
            auto all = watching->texts();
            REQUIRE(!all.empty());
            if (!got.has_value())
                support::print(all, "error", got.error());
            return all;
        };
}

/** The same after the first page of a listing, or after an object, that is answered with 200. */
template <class Ask>
std::function<output(std::string const&, ccloud::config)> read_from(
    std::function<said(std::string const&)> answer, Ask ask
)
{
    return [answer = std::move(answer), ask](std::string const& form, ccloud::config settings) {
        auto const watching = std::make_shared<support::printing_observer>();
        settings.observer = watching;
        output all;
        support::with_client(
            std::make_shared<talking_wire>([&](ccloud::http_request const&) { return answer(form); }),
            [&](ccloud::client cloud) -> asio::awaitable<void> {
                std::optional<ccloud::error> failure;
                auto work = ask(cloud, failure);
                co_await std::move(work);
                REQUIRE(failure);
                support::print(all, "error", *failure);
            },
            std::move(settings)
        );
        for (auto& one : watching->texts())
            all.push_back(std::move(one));
        return all;
    };
}

asio::awaitable<void> get_group(ccloud::client cloud, std::optional<ccloud::error>& failure)
{
    iam::ip_groups const groups(cloud);
    auto const got = co_await groups.get("ipg-1");
    if (!got.has_value())
        failure = got.error();
}

asio::awaitable<void> create_group(ccloud::client cloud, std::optional<ccloud::error>& failure)
{
    iam::ip_groups const groups(cloud);
    auto const wanted = iam::create_ip_group("CorpNet").cidr_block("192.168.0.0/24");
    auto call = groups.create(wanted);
    auto const got = co_await std::move(call);
    if (!got.has_value())
        failure = got.error();
}

asio::awaitable<void> list_groups(ccloud::client cloud, std::optional<ccloud::error>& failure)
{
    iam::ip_groups const groups(cloud);
    auto listing = groups.list();
    for (int page = 0; page < 3 && !failure; ++page)
    {
        auto const got = co_await listing.next_page();
        if (!got.has_value())
            failure = got.error();
    }
}

/** What can be output after an attempt that the transport ended with a text of its own. */
std::function<output(std::string const&, ccloud::config)> ended(errc code, progress reached)
{
    return [code, reached](std::string const& form, ccloud::config settings) {
        auto const watching = std::make_shared<support::printing_observer>();
        settings.observer = watching;
        settings.retry = ccloud::retry_policy::none();
        stage there(
            std::make_shared<failing_wire>([&] {
                return ccloud::exchange::failed(code, reached, {}, "not a header field: \"X: " + form + '"');
            }),
            std::move(settings)
        );
        auto const got = there.ask(get("/things/1"));
        REQUIRE(!got.has_value());
        auto all = watching->texts();
        support::print(all, "error", got.error());
        return all;
    };
}

/** A call that waits until its deadline, because the attempts of other calls failed: its error tells of the last one. */
output behind_others(std::string const& form, ccloud::config settings)
{
    settings.retry.max_attempts = 20;
    settings.total_timeout = 20s;
    stage there(
        std::make_shared<failing_wire>([&] {
            return ccloud::exchange::failed(errc::connection_lost, progress::maybe_sent, {}, "the peer said " + form);
        }),
        std::move(settings)
    );
    for (int i = 0; i < 12; ++i)
        there.call(get("/things/" + std::to_string(i)));
    there.run();
    output all;
    for (auto const& one : there.calls())
        support::print(all, "error", one.failure());
    return all;
}

/** Members of a problem in the shapes of error bodies that are known. */
std::vector<channel> problems()
{
    std::vector<channel> all;
    auto const add = [&all](std::string const& name, std::function<std::string(std::string const&)> body) {
        all.push_back({"problem " + name, answered([body](std::string const& form) { return said(400, body(form)); })});
    };
    for (std::string const name :
         {"id", "status", "code", "title", "detail", "message", "error_code", "resolution", "suggestion", "unknown"})
    {
        for (bool const raw : {false, true})
        {
            auto const one = [name, raw](std::string const& form) {
                return raw ? raw_member(name, form) : member(name, form);
            };
            add("errors/" + name, [one](std::string const& form) {
                return R"({"errors":[{"code":"c","detail":"d",)" + one(form) + "}]}";
            });
            add("error/" + name,
                [one](std::string const& form) { return R"({"error":{"message":"m",)" + one(form) + "}}"; });
            add(name, [one](std::string const& form) { return "{" + one(form) + "}"; });
        }
    }
    for (std::string const name : {"pointer", "parameter"})
        add("source/" + name, [name](std::string const& form) {
            return R"({"errors":[{"code":"c","source":{)" + member(name, form) + "}}]}";
        });
    add("details",
        [](std::string const& form) { return R"({"message":"m","details":[{)" + member("message", form) + "}]}"; });
    add("requestId",
        [](std::string const& form) { return R"({"error":{"code":"c"},)" + member("requestId", form) + "}"; });
    add("error_description",
        [](std::string const& form) { return R"({"error":"e",)" + member("error_description", form) + "}"; });
    return all;
}

bool is_field_name(std::string_view text)
{
    return std::all_of(text.begin(), text.end(), [](char c) {
        return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos || (c >= '0' && c <= '9') ||
               (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    });
}

std::vector<channel> channels()
{
    auto all = problems();
    all.push_back({"body, text", answered([](std::string const& form) {
                       return said(400, "bad credential " + form + ", sorry").with("Content-Type", "text/plain");
                   })});
    all.push_back({"body, only the credential", answered([](std::string const& form) { return said(404, form); })});
    all.push_back({"body of an attempt that is repeated", answered([](std::string const& form) {
                       return said(503, form);
                   })});
    for (std::string const name :
         {"X-Request-Id", "WWW-Authenticate", "Location", "X-Echo", "Content-Type", "Content-Encoding", "Set-Cookie"})
    {
        for (int const status : {200, 301, 400, 401, 429, 503})
            all.push_back({name + " of " + std::to_string(status), answered([name, status](std::string const& form) {
                               return said(status, "x").with(name, form);
                           })});
        all.push_back(
            {name + " of a success that is not JSON",
             read_from([name](std::string const& form) { return said(200, "x").with(name, "a " + form); }, get_group)}
        );
        all.push_back(
            {name + " of a page that is not JSON",
             read_from([name](std::string const& form) { return said(200, "x").with(name, "a " + form); }, list_groups)}
        );
    }
    all.push_back({"name of a header field", answered([](std::string const& form) {
                       return said(400, "x").with(is_field_name(form) ? "X-" + form : "X-None", "1");
                   })});
    all.push_back({"hint of a rate limit", answered([](std::string const& form) {
                       auto const name = form.find_first_of("\"\\") == std::string::npos ? form : "none";
                       return said(429, "x").with("RateLimit", '"' + name + "\";r=0;t=1");
                   })});
    for (std::string const before :
         {"https://other.example.test/", "https://other.example.test/x?y=", "https://u:", "https://", "", "//", "x:"})
        all.push_back({"Location " + before, answered([before](std::string const& form) {
                           return said(307, "x").with("Location", before + form + "@other.example.test/p");
                       })});
    for (std::string const before : {"https://other.example.test/", "https://", "/things/", "https://u:p@"})
    {
        all.push_back({"Location at the end, " + before, answered([before](std::string const& form) {
                           return said(308, "x").with("Location", before + form);
                       })});
        all.push_back(
            {"Location of an object that was created, " + before,
             read_from(
                 [before](std::string const& form) { return said(201, "x").with("Location", before + form); },
                 create_group
             )}
        );
        all.push_back(
            {"page link without a token, " + before,
             read_from(
                 [before](std::string const& form) {
                     return said(200, R"({"data":[],"metadata":{)" + member("next", before + form) + "}}");
                 },
                 list_groups
             )}
        );
    }
    all.push_back(
        {"page token",
         read_from(
             [](std::string const& form) {
                 return said(200, R"({"data":[],"metadata":{)" + member("next", "/x?page_token=a" + form) + "}}");
             },
             list_groups
         )}
    );
    all.push_back(
        {"body of a success that is not JSON",
         read_from([](std::string const& form) { return said(200, "[1," + form); }, get_group)}
    );
    for (bool const page : {false, true})
        for (std::string const name : {"message", "detail"})
            all.push_back({"error under 200, " + name, [page, name](std::string const& form, ccloud::config settings) {
                               auto const answer = [name](std::string const& words) {
                                   return said(
                                       200, R"({"id":7,"data":7,"error":{"code":"c",)" + member(name, words) + "}}"
                                   );
                               };
                               return page ? read_from(answer, list_groups)(form, settings)
                                           : read_from(answer, get_group)(form, settings);
                           }});
    all.push_back(
        {"body of a page of another type",
         read_from(
             [](std::string const& form) { return said(200, R"({"data":{)" + member("x", form) + "}}"); }, list_groups
         )}
    );
    all.push_back({"malformed header", ended(errc::malformed_response, progress::maybe_sent)});
    all.push_back({"CONNECT refused", ended(errc::proxy_refused, progress::not_sent)});
    all.push_back({"CONNECT unauthenticated", ended(errc::proxy_authentication_failed, progress::not_sent)});
    all.push_back({"TLS", ended(errc::tls_failed, progress::not_sent)});
    all.push_back({"error of others", behind_others});
    return all;
}

/** Whether a text is UTF-8 (the table of Unicode, section 3.9) without C0, DEL, C1 and controls of direction and lines. */
bool is_harmless(std::string_view text)
{
    for (std::size_t at = 0; at < text.size();)
    {
        auto const byte = [&](std::size_t i) {
            return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
        };
        auto const lead = byte(0);
        std::size_t const size = lead < 0x80   ? 1
                                 : lead < 0xc2 ? 0
                                 : lead < 0xe0 ? 2
                                 : lead < 0xf0 ? 3
                                 : lead < 0xf5 ? 4
                                               : 0;
        if (size == 0)
            return false;
        unsigned code = size == 1 ? lead : lead & (0x7fU >> size);
        for (std::size_t i = 1; i < size; ++i)
        {
            if ((byte(i) & 0xc0U) != 0x80U)
                return false;
            code = code * 64 + (byte(i) & 0x3fU);
        }
        bool const overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
        bool const surrogate = code >= 0xd800 && code < 0xe000;
        bool const control = code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c || code == 0x200e ||
                             code == 0x200f || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
        if (overlong || surrogate || control || code > 0x10ffff)
            return false;
        at += size;
    }
    return true;
}

/** Where a part of a credential is printed, with the text; empty if nowhere. */
std::string leak_in(output const& all, std::vector<std::string> const& secrets)
{
    for (auto const& [where, text] : all)
        for (auto const& secret : secrets)
            if (support::leaks_part(text, secret))
                return where + ": " + text.substr(0, 300);
    return {};
}

} // namespace

TEST_CASE("the search for credentials finds each form, and each form fits a JSON text")
{
    for (auto const& one : credentials())
        for (auto const& secret : one.secrets)
            for (auto const& [name, text] : support::echoes_of(secret))
            {
                CAPTURE(name);
                CAPTURE(text);
                CHECK(support::leaks("before " + text + " after", secret));
                CHECK(!support::leaks("before " + text.substr(1, text.size() / 2) + " after", secret));
                CHECK(support::leaks_part("before " + text + " after", secret));
                for (std::size_t at = 0; at + 8 <= secret.size(); ++at)
                {
                    CHECK(support::leaks_part("before " + secret.substr(at, 8) + " after", secret));
                    CHECK(!support::leaks_part("before " + secret.substr(at, 7) + " after", secret));
                }
            }
}

TEST_CASE("no credential that a server sends back is printed, whatever channel and form it comes by")
{
    // All combinations take minutes under ThreadSanitizer, and use one thread. There each channel has other forms.
#if defined(__SANITIZE_THREAD__)
    constexpr std::size_t every = 11;
#else
    constexpr std::size_t every = 1;
#endif
    std::size_t combinations = 0;
    for (auto const& by : channels())
    {
        CAPTURE(by.name);
        std::string leak; // the first one: a failure names the channel once
        for (auto const& one : credentials())
            for (auto const& secret : one.secrets)
                for (auto const& form : support::echoes_of(secret))
                {
                    if (combinations++ % every != 0)
                        continue;
                    auto const all = by.play(form.text, one.settings);
                    if (leak.empty())
                        leak = leak_in(all, one.secrets);
                    if (!leak.empty() && leak.find('\n') == std::string::npos)
                        leak += "\n(" + one.name + ", " + form.name + ')';
                }
        CHECK(leak == "");
    }
}

TEST_CASE("a channel that brings no credential is printed as it came")
{
    std::vector<std::string> silent; // channels that no text shows anything of: fields of a success
    for (auto const& by : channels())
    {
        CAPTURE(by.name);
        bool shown = false;
        for (auto const& [where, text] : by.play("nothing-secret-here", support::test_config()))
        {
            CAPTURE(where);
            bool const has_user = by.name.find("u:p@") != std::string::npos; // which no text shows
            CHECK((has_user || text.find("***") == std::string::npos));
            shown = shown || text.find("nothing-secret-here") != std::string::npos;
        }
        if (!shown)
            silent.push_back(by.name);
    }
    CHECK(
        silent ==
        std::vector<std::string>{
            "WWW-Authenticate of 200", "Location of 200", "X-Echo of 200", "Content-Type of 200",
            "Content-Encoding of 200", "Set-Cookie of 200"}
    );
}

TEST_CASE("a token of an earlier attempt of the call is not printed either")
{
    for (int const last : {400, 503, 200})
    {
        CAPTURE(last);
        auto settings = support::test_config();
        settings.retry.max_attempts = 3;
        std::vector<std::string> tokens;
        settings.credentials = ccloud::token_source([&tokens](std::string_view) {
            return tokens.emplace_back("token-" + std::to_string(tokens.size()) + "-of-this-call");
        });
        auto const watching = std::make_shared<support::printing_observer>();
        settings.observer = watching;
        output all;
        int requests = 0;
        auto const echo_all = [&] {
            std::string words = "tokens";
            for (auto const& one : tokens)
                words += ' ' + one;
            return words;
        };
        support::with_client(
            std::make_shared<talking_wire>([&](ccloud::http_request const&) {
                int const status = ++requests == 1 ? 401 : requests == 2 ? 503 : last;
                return said(status, echo_all()).with("X-Request-Id", echo_all());
            }),
            [&](ccloud::client cloud) -> asio::awaitable<void> {
                std::optional<ccloud::error> failure;
                auto work = get_group(cloud, failure);
                co_await std::move(work);
                REQUIRE(failure);
                support::print(all, "error", *failure);
            },
            settings
        );
        CHECK(tokens.size() >= 3);
        for (auto const& one : watching->texts())
            all.push_back(one);
        CHECK(leak_in(all, tokens) == "");
    }
}

TEST_CASE("a credential is removed from the request id of a success that an observer is told")
{
    auto settings = support::test_config();
    settings.credentials = ccloud::token_source([](std::string_view) { return token; });
    auto const watching = std::make_shared<support::printing_observer>();
    settings.observer = watching;
    stage there(
        std::make_shared<talking_wire>([](ccloud::http_request const&) {
            return said(200, "{}").with("X-Request-Id", token + "!");
        }),
        settings
    );
    REQUIRE(there.ask(get("/things/1")).has_value());
    auto const texts = watching->texts();
    CHECK(
        std::count(
            texts.begin(), texts.end(), std::pair<std::string, std::string>("observer.attempt_end.request_id", "***!")
        ) == 1
    );
}

TEST_CASE("a token that looks escaped is removed without its escapes, too, although that is shorter than the token")
{
    auto settings = support::test_config();
    settings.retry = ccloud::retry_policy::none();
    settings.credentials = ccloud::token_source([](std::string_view) { return "opaque%2Btoken%2Fvalue"; });
    for (int const status : {200, 400, 429})
    {
        CAPTURE(status);
        auto const watching = std::make_shared<support::printing_observer>();
        settings.observer = watching;
        stage there(
            std::make_shared<talking_wire>([status](ccloud::http_request const&) {
                return said(status, "{}").with("X-Request-Id", "opaque+token/value").with("Retry-After", "7");
            }),
            settings
        );
        auto const got = there.ask(get("/things/1"));
        auto texts = watching->texts();
        if (!got.has_value())
            support::print(texts, "error", got.error());
        for (auto const& [where, text] : texts)
        {
            CAPTURE(where);
            CHECK(text.find("opaque+token/value") == std::string::npos);
        }
    }
}

TEST_CASE("a credential is removed that is cut off by the end of what an error keeps of a body")
{
    auto settings = support::impatient_config();
    settings.credentials = ccloud::bearer_token(token);
    for (std::size_t kept = 4; kept <= token.size(); ++kept)
    {
        auto wire = support::script();
        wire->reply(404, std::string(8 * 1024 - kept, 'x') + token + " and so on");
        stage there(wire, settings);
        auto const got = there.ask(get("/things/1"));
        REQUIRE(!got.has_value());
        CHECK(got.error().body() == std::string(8 * 1024 - kept, 'x') + "***");
    }
}

TEST_CASE("credentials are removed from a field of a response before a part of the field is quoted")
{
    auto key = support::impatient_config();
    key.credentials = ccloud::api_key("KEY12345", "abcdefghijkl/mn;pqrst");
    auto behind_proxy = support::impatient_config();
    behind_proxy.proxy.url = "http://carol:first-part%40second-part@proxy.example.test:3128";
    struct row
    {
        ccloud::config settings;
        std::string_view name, value, shown;
    };
    std::vector<row> const rows{
        {key, "Location", "https://abcdefghijkl%2Fmn%3bpqrst",
         "; the server created the object, Location: https://***"},
        {key, "Location", "https://abcdefghijkl/mn;pqrst/x",
         "; the server created the object, Location: https://***/x"},
        {key, "Content-Type", "abcdefghijkl/mn;pqrst", "; Content-Type is ***"},
        {key, "Content-Type", "text/abcdefghijkl%2fmn;pqrst; charset=x", "; Content-Type is text/***"},
        {behind_proxy, "Location", "https://first-part@second-part/",
         "; the server created the object, Location: https://***/"},
    };
    for (auto const& [settings, name, value, shown] : rows)
        for (auto const& body : {std::string("[]"), "[" + std::string(200'000, ' ')})
        {
            CAPTURE(value);
            auto const by =
                read_from([&](std::string const&) { return said(201, body).with(name, value); }, create_group);
            for (auto const& [where, text] : by({}, settings))
            {
                CAPTURE(where);
                for (std::string_view const part : {"abcdefgh", "pqrst", "first-part", "second-part"})
                    CHECK(text.find(part) == std::string::npos);
                if (where == "error.detail")
                    CHECK(text.find(shown) != std::string::npos);
            }
        }
}

TEST_CASE("credentials are removed from the Location of a call that is cancelled while its response is decoded")
{
    auto settings = support::impatient_config();
    settings.credentials = ccloud::api_key("KEY12345", "abcdefghijkl/mnop");
    auto wire = support::script();
    wire->reply(201, R"({"id":"ipg-1","x":")" + std::string(4'000'000, 'x') + "\"}");
    wire->header("Location", "https://abcdefghijkl%2Fmnop");
    std::optional<ccloud::error> failure;
    support::with_client(
        wire,
        [&](ccloud::client cloud) -> asio::awaitable<void> {
            auto const here = co_await asio::this_coro::executor;
            asio::cancellation_signal signal;
            bool ended = false;
            asio::co_spawn(
                here, create_group(cloud, failure),
                asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr) { ended = true; })
            );
            int turns = 0;
            while (!ended)
            {
                if (turns++ == 30) // the response came, and is not decoded yet
                    signal.emit(asio::cancellation_type::terminal);
                auto turn = asio::post(here, asio::deferred);
                co_await std::move(turn);
            }
        },
        settings
    );
    REQUIRE(failure);
    CHECK(failure->code() == errc::cancelled);
    CHECK(failure->detail() == "while the response was decoded; the server created the object, Location: https://***");
}

TEST_CASE("the beginning of a token is removed from a request id that says in any spelling that it was cut")
{
    for (std::string_view const mark :
         {"...", "\xe2\x80\xa6", "%e2%80%a6", "\\u2026", "\\u002e\\u002e\\u002e", "%2e%2e%2e", "&#8230;", "&#46;.."})
        for (int const status : {200, 400})
        {
            CAPTURE(mark);
            CAPTURE(status);
            auto settings = support::impatient_config();
            settings.credentials = ccloud::token_source([](std::string_view) { return token; });
            auto const watching = std::make_shared<support::printing_observer>();
            settings.observer = watching;
            stage there(
                std::make_shared<talking_wire>([&](ccloud::http_request const&) {
                    return said(status, "{}").with("X-Request-Id", token.substr(0, 10) + std::string(mark));
                }),
                settings
            );
            (void)there.ask(get("/things/1"));
            bool found = false;
            for (auto const& [where, text] : watching->texts())
                if (where == "observer.attempt_end.request_id")
                {
                    found = true;
                    CHECK(text.starts_with("***"));
                    CHECK(text.find(token.substr(0, 4)) == std::string::npos);
                }
            CHECK(found);
        }
}

TEST_CASE("the id of the API key, and the user of the proxy, are not secret")
{
    auto settings = support::impatient_config();
    settings.credentials = ccloud::api_key("KEY12345", api_secret);
    settings.proxy.url = "http://carol:password@proxy.example.test:3128";
    auto wire = support::script();
    wire->reply(403, R"({"message":"key KEY12345 of carol may not"})");
    stage there(wire, settings);
    auto const got = there.ask(get("/things/1"));
    REQUIRE(!got.has_value());
    CHECK(got.error().problems().front().detail == "key KEY12345 of carol may not");
}

TEST_CASE("texts for people are UTF-8 without control characters, whatever channel they come by")
{
    std::string const controls = "a\x1b[31m\x7f\xc2\x85\xe2\x80\xae\xe2\x81\xa6\xd8\x9c\xe2\x80\x8e\xff\xc0\xafz";
    for (auto const& by : channels())
    {
        CAPTURE(by.name);
        for (auto const& [where, text] : by.play(controls, support::test_config()))
        {
            bool const for_people = where.ends_with("what") || where.ends_with("what of the exception") ||
                                    where.ends_with("detail") || where.ends_with("attempt.request_id") ||
                                    where.ends_with("hint_text") || where.starts_with("observer.attempt_end");
            CAPTURE(where);
            if (for_people)
                CHECK(is_harmless(text));
        }
    }
}

TEST_CASE("an error about a response that came has the progress answered, and so has its last attempt")
{
    struct row
    {
        std::string name;
        errc code;
        std::function<said()> answer;
        asio::awaitable<void> (*ask)(ccloud::client, std::optional<ccloud::error>&);
    };
    auto const page = [](std::string const& link) { return R"({"data":[],"metadata":{"next":")" + link + R"("}})"; };
    std::vector<row> const rows{
        {"object", errc::malformed_response, [] { return said(200, "<html>"); }, get_group},
        {"empty body", errc::malformed_response, [] { return said(200, ""); }, get_group},
        {"created object", errc::malformed_response, [] { return said(201, "<html>"); }, create_group},
        {"long object", errc::malformed_response, [] { return said(200, "[" + std::string(200'000, ' ')); }, get_group},
        {"page", errc::malformed_response, [] { return said(200, "<html>"); }, list_groups},
        {"long page", errc::malformed_response, [] { return said(200, "[" + std::string(200'000, ' ')); }, list_groups},
        {"205", errc::malformed_response, [] { return said(205, ""); }, get_group},
        {"206", errc::malformed_response, [] { return said(206, "{}"); }, get_group},
        {"226 to a page", errc::malformed_response, [] { return said(226, "{}"); }, list_groups},
        {"204 to a page", errc::malformed_response, [] { return said(204, ""); }, list_groups},
        {"link without a token", errc::page_link_without_token, [&] { return said(200, page("x")); }, list_groups},
        {"long link", errc::malformed_response, [&] { return said(200, page(std::string(20'000, 'x'))); }, list_groups},
        {"loop", errc::pagination_loop, [&] { return said(200, page("?page_token=x")); }, list_groups},
    };
    for (auto const& [name, code, answer, ask] : rows)
    {
        CAPTURE(name);
        std::optional<ccloud::error> failure;
        support::with_client(
            std::make_shared<talking_wire>([&](ccloud::http_request const&) { return answer(); }),
            [&](ccloud::client cloud) -> asio::awaitable<void> {
                auto work = ask(cloud, failure);
                co_await std::move(work);
            },
            support::impatient_config()
        );
        REQUIRE(failure);
        CHECK(failure->code() == code);
        CHECK(failure->progress() == progress::answered);
        CHECK(failure->status() / 100 == 2);
        for (auto const& one : failure->attempts())
            CHECK(one.progress == progress::answered);
    }
}
