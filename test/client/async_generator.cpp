#include <ccloud/ccloud.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "client.hpp"
#include "printers.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using ccloud::checkpoint;
using ccloud::condition;
using ccloud::errc;
using ccloud::list_options;
using support::script;
using support::with_client;
namespace asio = boost::asio;
namespace iam = ccloud::iam;

namespace {

/** A page with these ids, and a link to the page with this token; no link where it is empty. */
std::string page_text(std::vector<std::string> const& ids, std::string const& next = {})
{
    std::string text = R"({"kind":"IpGroupList","metadata":{"self":"https://confluent.cloud/api/x")";
    if (!next.empty())
        text += R"(,"next":"https://confluent.cloud/api/iam/v2/ip-groups?page_token=)" + next + '"';
    text += R"(},"data":[)";
    for (std::size_t i = 0; i < ids.size(); ++i)
        text += (i ? "," : "") + std::string(R"({"id":")") + ids[i] + "\"}";
    return text + "]}";
}

std::string const a_b = page_text({"a", "b"}, "T1");
std::string const c_d = page_text({"c", "d"}, "T2");
std::string const e = page_text({"e"});

std::vector<std::string> targets(ccloud::testing::scripted_transport const& wire)
{
    std::vector<std::string> all;
    for (auto const& sent : wire.requests())
        all.push_back(sent.request.target().substr(std::string("/iam/v2/ip-groups?").size()));
    return all;
}

using groups = ccloud::async_generator<iam::ip_group>;

std::vector<std::string> ids_of(std::vector<iam::ip_group> const& all)
{
    std::vector<std::string> ids;
    for (auto const& group : all)
        ids.push_back(group.id);
    return ids;
}

/** Takes items until the end or an error. */
asio::awaitable<std::pair<std::vector<std::string>, ccloud::error>> drain(groups& listing)
{
    std::pair<std::vector<std::string>, ccloud::error> all;
    for (;;)
    {
        auto item = co_await listing.next();
        if (!item.has_value())
        {
            all.second = item.error();
            co_return all;
        }
        if (!*item)
            co_return all;
        all.first.push_back((*item)->id);
    }
}

using names = std::vector<std::string>;

} // namespace

TEST_CASE("P1, P3, P7: pages are fetched lazily, 100 items each, by the token of the page before")
{
    auto wire = script();
    wire->reply(200, a_b).reply(200, c_d).reply(200, e);
    with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
        auto listing = iam::ip_groups(cloud).list();
        CHECK(wire->requests().empty());
        auto const first = co_await listing.next();
        CHECK(wire->requests().size() == 1);
        auto const rest = co_await drain(listing);
        CHECK(rest.first == names{"b", "c", "d", "e"});
        auto const after = co_await listing.next();
        REQUIRE(after.has_value());
        CHECK(!after->has_value());
    });
    CHECK(targets(*wire) == names{"page_size=100", "page_size=100&page_token=T1", "page_size=100&page_token=T2"});
}

TEST_CASE("P2: an error does not advance; the next call asks for the same page again")
{
    auto wire = script();
    wire->reply(200, a_b).reply(501).reply(200, e);
    with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
        auto listing = iam::ip_groups(cloud).list();
        auto const some = co_await drain(listing);
        CHECK(some.first == names{"a", "b"});
        CHECK(some.second.status() == 501);
        auto const rest = co_await drain(listing);
        CHECK(rest.first == names{"e"});
    });
    CHECK(targets(*wire)[1] == targets(*wire)[2]);
}

TEST_CASE("P4: an empty page with a link goes on; null, \"\" and no link end the listing")
{
    for (auto const* const end :
         {R"({"data":[]})", R"({"metadata":null,"data":null})", R"({"metadata":{"next":null},"data":[]})",
          R"({"metadata":{"next":""},"data":[]})", R"({"metadata":{"next":"/x?page_token="},"data":[]})",
          R"({"metadata":{"next":"https://x.example/?page_size=10&page_token=&x=a b"},"data":null})"})
    {
        CAPTURE(end);
        auto wire = script();
        wire->reply(200, page_text({}, "T1")).reply(200, page_text({"a"}, "T2")).reply(200, end);
        with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
            auto listing = iam::ip_groups(cloud).list();
            auto const all = co_await drain(listing);
            CHECK(all.first == names{"a"});
            CHECK(all.second.code() == errc::unset);
        });
    }
}

TEST_CASE("P4: list_options::max_empty_pages empty pages in a row are followed, by default 100; one more is an error")
{
    CHECK(list_options().max_empty_pages == 100);
    for (auto const most : {std::size_t(100), std::size_t(0), std::size_t(1), std::size_t(250)})
    {
        CAPTURE(most);
        auto wire = script();
        std::size_t count = 0;
        wire->reply_with([&](ccloud::http_request const&) {
            bool const full = ++count == 3; // the empty pages before it do not count
            return ccloud::http_response(200, {}, page_text(full ? names{"a"} : names(), "T" + std::to_string(count)));
        });
        with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
            auto listing = iam::ip_groups(cloud).list({.max_empty_pages = most});
            auto const all = co_await drain(listing);
            CHECK(all.first == (most < 2 ? names() : names{"a"}));
            CHECK(all.second.code() == errc::too_many_empty_pages);
            CHECK(all.second == condition::malformed_response);
            auto const number = std::to_string(most + 1);
            CHECK(all.second.detail() == number + " in a row; see list_options::max_empty_pages");
        });
        CHECK(wire->requests().size() == (most < 2 ? 0U : 3U) + most + 1);
    }
}

TEST_CASE("an empty page that is the last one is no error with max_empty_pages = 0")
{
    auto wire = script();
    wire->reply(200, page_text({"a"}, "T1")).reply(200, page_text({}));
    with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
        auto listing = iam::ip_groups(cloud).list({.max_empty_pages = 0});
        auto const all = co_await drain(listing);
        CHECK(all.first == names{"a"});
        CHECK(all.second.code() == errc::unset);
    });
}

TEST_CASE("max_empty_pages is at most 1,000,000; more is refused, and nothing is sent")
{
    auto wire = script();
    wire->reply(200, e);
    with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
        for (auto const most : {std::size_t(1'000'001), static_cast<std::size_t>(-1)})
        {
            auto listing = iam::ip_groups(cloud).list({.max_empty_pages = most});
            auto const got = co_await listing.next();
            REQUIRE(!got.has_value());
            CHECK(got.error().code() == errc::invalid_argument);
            CHECK(got.error().detail() == "max_empty_pages: is " + std::to_string(most) + ", must be 0 to 1000000");
        }
        auto listing = iam::ip_groups(cloud).list({.max_empty_pages = 1'000'000});
        auto const all = co_await drain(listing);
        CHECK(all.first == names{"e"});
    });
    CHECK(wire->requests().size() == 1);
}

TEST_CASE("P5, vector 3: a token that comes again is an error, or the end, or allowed")
{
    auto const cycle = [](ccloud::on_repeated_page what) {
        auto wire = script();
        wire->reply(200, page_text({"a"}, "A")).reply(200, page_text({"b"}, "B")).reply(200, page_text({"c"}, "A"));
        if (what == ccloud::on_repeated_page::allow)
            wire->reply(200, e);
        std::pair<names, ccloud::error> all;
        with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
            auto listing = iam::ip_groups(cloud).list({.repeated_page = what});
            all = co_await drain(listing);
        });
        return all;
    };
    auto const failed = cycle(ccloud::on_repeated_page::fail);
    CHECK(failed.first == names{"a", "b", "c"}); // the third page is sound, only its link is not
    CHECK(failed.second.code() == errc::pagination_loop);
    CHECK(failed.second.detail().find("\"A\"") != std::string::npos);
    auto const stopped = cycle(ccloud::on_repeated_page::stop);
    CHECK(stopped.first == names{"a", "b", "c"});
    CHECK(stopped.second.code() == errc::unset);
    CHECK(cycle(ccloud::on_repeated_page::allow).first == names{"a", "b", "c", "e"});
}

TEST_CASE("vector 3: a link without a token is an error, not the end")
{
    auto wire = script();
    wire->reply(200, R"({"metadata":{"next":"https://confluent.cloud/api/iam/v2/ip-groups"},"data":[{"id":"a"}]})");
    with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
        auto listing = iam::ip_groups(cloud).list();
        auto const item = co_await listing.next();
        REQUIRE(item.value().has_value());
        auto const got = co_await listing.next();
        REQUIRE(!got.has_value());
        CHECK(got.error().code() == errc::page_link_without_token);
        CHECK(got.error().status() == 200);
        CHECK(got.error().path() == "/iam/v2/ip-groups");
    });
}

TEST_CASE("RFC 3986 section 3.4: a page link with an empty query and a fragment has no token; the next listing works")
{
    for (std::string const& link :
         {"https://x/y?#" + std::string(100'000, 'a'), std::string("x?#"), std::string("?#page_token=T1")})
    {
        auto wire = script();
        wire->reply(200, R"({"metadata":{"next":")" + link.substr(0, 8'000) + R"("},"data":[{"id":"a"}]})")
            .reply(200, e);
        with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
            auto listing = iam::ip_groups(cloud).list();
            auto const all = co_await drain(listing);
            CHECK(all.first == names{"a"});
            CHECK(all.second.code() == errc::page_link_without_token);
            auto other = iam::ip_groups(cloud).list();
            auto const rest = co_await drain(other);
            CHECK(rest.first == names{"e"});
        });
    }
}

TEST_CASE("an error shows a page link bounded and printable, without user, password and query")
{
    for (std::string const& link :
         {std::string("https://alice:hunter2@x.example/y"), std::string("https://:hunter2/z"),
          std::string("//alice:hun@ter2@x.example"), std::string("https://x.example/y?key=hunter2"),
          std::string("https://x.example/y#hunter2"), "https://x.example/" + std::string(10'000, 'y') + "hunter2",
          std::string(R"(https://x.example/\u0000\u001b\r\n?hunter2)")})
    {
        CAPTURE(link.substr(0, 100));
        auto wire = script();
        wire->reply(200, R"({"metadata":{"next":")" + link + R"("},"data":[]})");
        with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
            auto listing = iam::ip_groups(cloud).list();
            auto const got = co_await listing.next();
            REQUIRE(!got.has_value());
            auto const& detail = got.error().detail();
            CAPTURE(detail);
            CHECK(got.error().code() == errc::page_link_without_token);
            CHECK(detail.starts_with("metadata.next: \""));
            CHECK(detail.size() < 300);
            CHECK(detail.find("alice") == std::string::npos);
            CHECK(detail.find("ter2") == std::string::npos);
            CHECK(std::all_of(detail.begin(), detail.end(), [](char c) { return c >= 0x20 && c < 0x7f; }));
        });
    }
}

TEST_CASE("an error shows a repeated page token bounded and printable")
{
    for (std::string const& token : {std::string(10'000, 'A'), std::string("%00%1b%0d%0a")})
    {
        auto wire = script();
        wire->reply(200, page_text({"a"}, token)).reply(200, page_text({"b"}, token));
        with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
            auto listing = iam::ip_groups(cloud).list();
            auto const all = co_await drain(listing);
            CHECK(all.second.code() == errc::pagination_loop);
            auto const& detail = all.second.detail();
            CHECK(detail.size() < 300);
            CHECK(std::all_of(detail.begin(), detail.end(), [](char c) { return c >= 0x20 && c < 0x7f; }));
        });
    }
}

TEST_CASE("a page link that is too long for a request line is malformed, and the error names both sizes")
{
    auto wire = script();
    wire->reply(200, page_text({"a"}, std::string(16 * 1024, 'T'))).reply(200, page_text({"a", "e"}));
    with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
        auto listing = iam::ip_groups(cloud).list();
        auto const all = co_await drain(listing);
        CHECK(all.first == names{"a"});
        CHECK(all.second.code() == errc::malformed_response);
        CHECK(all.second.detail() == "metadata.next: has 16440 bytes, more than 16384");
        auto const rest = co_await drain(listing);
        CHECK(rest.first == names{"e"});
    });
}

TEST_CASE("P6: max_items and max_pages stop without fetching a page too many")
{
    auto wire = script();
    wire->reply(200, a_b).reply(200, c_d);
    with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
        auto listing = iam::ip_groups(cloud).list({.max_items = 3});
        auto const all = co_await drain(listing);
        CHECK(all.first == names{"a", "b", "c"});
        CHECK(listing.checkpoint() == checkpoint("T1", 1));
    });
    auto exact = script();
    exact->reply(200, a_b);
    with_client(exact, [](ccloud::client cloud) -> asio::awaitable<void> {
        auto listing = iam::ip_groups(cloud).list({.max_items = 2, .prefetch = 1});
        auto const all = co_await drain(listing);
        CHECK(all.first == names{"a", "b"});
    });
    auto pages = script();
    pages->reply(200, a_b).reply(200, c_d);
    with_client(pages, [](ccloud::client cloud) -> asio::awaitable<void> {
        auto listing = iam::ip_groups(cloud).list({.max_pages = 2, .prefetch = 1});
        auto const all = co_await drain(listing);
        CHECK(all.first == names{"a", "b", "c", "d"});
        CHECK(listing.checkpoint() == checkpoint("T2", 0));
    });
    auto none = script();
    with_client(none, [](ccloud::client cloud) -> asio::awaitable<void> {
        auto listing = iam::ip_groups(cloud).list({.max_items = 0});
        auto const all = co_await drain(listing);
        CHECK(all.first.empty());
    });
}

TEST_CASE("a page size out of range is refused, naming it, and nothing is sent")
{
    for (int const size : {0, -1, 101, 100'000})
    {
        auto wire = script();
        with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
            auto listing = iam::ip_groups(cloud).list({.page_size = size});
            auto const got = co_await listing.next();
            REQUIRE(!got.has_value());
            CHECK(got.error().code() == errc::invalid_argument);
            CHECK(got.error().detail().starts_with("page_size"));
        });
        CHECK(wire->requests().empty());
    }
}

TEST_CASE("next_page gives the undelivered rest of a page, then whole pages, then nothing")
{
    auto wire = script();
    wire->reply(200, a_b).header("X-Request-Id", "r1").reply(200, c_d).reply(200, e);
    with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
        auto listing = iam::ip_groups(cloud).list();
        (void)co_await listing.next();
        auto const rest = co_await listing.next_page();
        REQUIRE(rest.has_value());
        REQUIRE(rest->has_value());
        CHECK(ids_of((*rest)->items) == names{"b"});
        CHECK((*rest)->response.request_id() == "r1");
        auto const second = co_await listing.next_page();
        CHECK(ids_of((*second)->items) == names{"c", "d"});
        auto const third = co_await listing.next_page();
        CHECK(ids_of((*third)->items) == names{"e"});
        auto const end = co_await listing.next_page();
        REQUIRE(end.has_value());
        CHECK(!end->has_value());
    });
}

TEST_CASE("collect gathers up to a number; after an error what was gathered is delivered again")
{
    auto wire = script();
    wire->reply(200, a_b).reply(200, c_d).reply(500).reply(200, e);
    auto settings = support::impatient_config();
    with_client(
        wire,
        [](ccloud::client cloud) -> asio::awaitable<void> {
            auto listing = iam::ip_groups(cloud).list();
            auto const three = co_await listing.collect(3);
            REQUIRE(three.has_value());
            CHECK(ids_of(*three) == names{"a", "b", "c"});
            auto const failed = co_await listing.collect();
            REQUIRE(!failed.has_value());
            CHECK(failed.error().status() == 500);
            CHECK(listing.checkpoint() == checkpoint("T1", 1));
            auto const rest = co_await listing.collect();
            REQUIRE(rest.has_value());
            CHECK(ids_of(*rest) == names{"d", "e"});
            CHECK(listing.checkpoint().at_end());
        },
        settings
    );
}

TEST_CASE("P3: a listing resumes from its checkpoint at every item, across pages and after text")
{
    for (std::size_t taken = 0; taken <= 5; ++taken)
    {
        CAPTURE(taken);
        std::string saved;
        names first;
        names second;
        auto const answer = [](ccloud::http_request const& request) {
            auto const& target = request.target();
            auto const& body = target.ends_with("T1") ? c_d : target.ends_with("T2") ? e : a_b;
            return ccloud::http_response(200, {}, body);
        };
        auto wire = script();
        wire->reply_with(answer);
        with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
            auto listing = iam::ip_groups(cloud).list();
            for (std::size_t i = 0; i < taken; ++i)
            {
                auto item = co_await listing.next();
                first.push_back((*item)->id);
            }
            saved = listing.checkpoint().to_string();
            auto const place = checkpoint::parse(saved);
            REQUIRE(place.has_value());
            auto resumed = iam::ip_groups(cloud).list().resume(*place);
            auto const rest = co_await drain(resumed);
            second = rest.first;
        });
        first.insert(first.end(), second.begin(), second.end());
        CHECK(first == names{"a", "b", "c", "d", "e"});
    }
}

TEST_CASE("P9, vector 2: only the token of a link is taken, whatever host it names, and it is encoded once")
{
    auto wire = script();
    wire->reply(200, page_text({"a"}, "eyJ%3D%3D")).reply(200, e);
    with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
        auto listing = iam::ip_groups(cloud).list({.page_size = 7});
        (void)co_await drain(listing);
    });
    REQUIRE(wire->requests().size() == 2);
    CHECK(wire->requests()[1].to.host() == "api.example.test");
    CHECK(targets(*wire)[1] == "page_size=7&page_token=eyJ%3D%3D");
}

TEST_CASE("P10: a 400 to a page token means that the token expired; nothing is restarted")
{
    auto wire = script();
    wire->reply(200, a_b).reply(400, R"({"errors":[{"status":"400","detail":"Invalid page token."}]})");
    with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
        auto listing = iam::ip_groups(cloud).list();
        auto const all = co_await drain(listing);
        CHECK(all.first == names{"a", "b"});
        CHECK(all.second.code() == errc::page_token_expired);
        CHECK(all.second.status() == 400);
        CHECK(all.second.detail() == "after 1 pages and 2 items");
    });
    auto first = script();
    first->reply(400);
    with_client(first, [](ccloud::client cloud) -> asio::awaitable<void> {
        auto listing = iam::ip_groups(cloud).list();
        auto const all = co_await drain(listing);
        CHECK(all.second.code() == errc::http_status);
    });
}

TEST_CASE("P11: each page has tries and a timeout of its own; total_timeout covers the listing")
{
    auto wire = script();
    wire->reply(429).header("Retry-After", "3").reply(200, a_b).reply(429).header("Retry-After", "3").reply(200, e);
    with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
        auto listing = iam::ip_groups(cloud).list({.timeout = 5s});
        auto const all = co_await drain(listing);
        CHECK(all.first == names{"a", "b", "e"});
    });
    auto late = script();
    late->reply(200, a_b).after(4s).reply(429).header("Retry-After", "3");
    with_client(late, [](ccloud::client cloud) -> asio::awaitable<void> {
        auto listing = iam::ip_groups(cloud).list({.total_timeout = 7s});
        auto const all = co_await drain(listing);
        CHECK(all.first == names{"a", "b"});
        CHECK(all.second == condition::timed_out);
        CHECK(all.second.status() == 429);
    });
}

TEST_CASE("P11: a listing may bring a policy of its own")
{
    auto wire = script();
    wire->reply(429).header("Retry-After", "1");
    with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
        auto all = iam::ip_groups(cloud).list({.retry = ccloud::retry_policy::none()});
        auto page = co_await all.next_page();
        REQUIRE(!page.has_value());
        CHECK(page.error() == ccloud::condition::throttled);
    });
    CHECK(wire->requests().size() == 1);
}

TEST_CASE("P11: a timeout of zero is none")
{
    auto wire = script();
    wire->reply(200, e).after(1h);
    auto settings = support::test_config();
    settings.attempt_timeout = 0ms;
    with_client(
        wire,
        [](ccloud::client cloud) -> asio::awaitable<void> {
            auto listing = iam::ip_groups(cloud).list({.timeout = 0ms, .total_timeout = 0ms});
            auto const all = co_await drain(listing);
            CHECK(all.first == names{"e"});
        },
        settings
    );
}

TEST_CASE("P8: a prefetch overlaps with the consumer, and its error comes when the consumer asks")
{
    for (auto const threads : {ccloud::threading::serial, ccloud::threading::safe})
    {
        auto wire = script();
        wire->reply(200, a_b).reply(200, c_d).reply(500).reply(200, e);
        auto settings = support::impatient_config();
        settings.threading = threads;
        with_client(
            wire,
            [&](ccloud::client cloud) -> asio::awaitable<void> {
                auto listing = iam::ip_groups(cloud).list({.prefetch = 1});
                (void)co_await listing.next();
                auto const here = co_await asio::this_coro::executor;
                for (int i = 0; i < 8; ++i)
                    co_await asio::post(here, asio::use_awaitable);
                CHECK(wire->requests().size() == 2); // the second page is there before it is asked for
                auto const all = co_await drain(listing);
                CHECK(all.first == names{"b", "c", "d"});
                CHECK(all.second.status() == 500);
                auto const rest = co_await drain(listing);
                CHECK(rest.first == names{"e"});
            },
            settings
        );
        CHECK(targets(*wire)[2] == targets(*wire)[3]);
    }
}

TEST_CASE("P8: a slow prefetch is waited for, and one under way is cancelled when the generator goes")
{
    for (auto const threads : {ccloud::threading::serial, ccloud::threading::safe})
    {
        auto settings = support::test_config();
        settings.threading = threads;
        auto slow = script();
        slow->reply(200, a_b).reply(200, e).after(5s);
        with_client(
            slow,
            [](ccloud::client cloud) -> asio::awaitable<void> {
                auto listing = iam::ip_groups(cloud).list({.prefetch = 1});
                auto const all = co_await drain(listing);
                CHECK(all.first == names{"a", "b", "e"});
            },
            settings
        );

        auto hanging = script();
        hanging->reply(200, a_b).hang();
        with_client(
            hanging,
            [&](ccloud::client cloud) -> asio::awaitable<void> {
                auto const here = co_await asio::this_coro::executor;
                {
                    auto listing = iam::ip_groups(cloud).list({.prefetch = 1});
                    (void)co_await listing.next();
                    for (int i = 0; i < 8; ++i)
                        co_await asio::post(here, asio::use_awaitable);
                    CHECK(hanging->in_flight() == 1);
                }
                for (int i = 0; i < 8; ++i)
                    co_await asio::post(here, asio::use_awaitable);
                CHECK(hanging->in_flight() == 0);
            },
            settings
        );
    }
}

TEST_CASE("a second next() while one is under way is told that the generator is busy")
{
    auto wire = script();
    wire->reply(200, e).after(1s);
    with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
        using namespace asio::experimental::awaitable_operators;
        auto listing = iam::ip_groups(cloud).list();
        auto one = listing.next();
        auto two = listing.next();
        auto both = std::move(one) && std::move(two);
        std::tuple<ccloud::result<std::optional<iam::ip_group>>, ccloud::result<std::optional<iam::ip_group>>> const
            got = co_await std::move(both);
        CHECK(std::get<0>(got).has_value());
        REQUIRE(!std::get<1>(got).has_value());
        CHECK(std::get<1>(got).error().code() == errc::busy);
    });
}

TEST_CASE("a generator can be moved between calls, and outlives the client and the collection")
{
    auto wire = script();
    wire->reply(200, a_b).reply(200, e);
    ccloud::testing::run([&]() -> asio::awaitable<void> {
        auto const here = co_await asio::this_coro::executor;
        std::vector<groups> kept;
        {
            ccloud::client cloud(here, support::test_config(), wire);
            kept.push_back(iam::ip_groups(cloud).list());
        }
        (void)co_await kept.front().next();
        auto moved = std::move(kept.front());
        auto const all = co_await drain(moved);
        CHECK(all.first == names{"b", "e"});
    });
}

TEST_CASE("rule 10: a listing delivers every item exactly once when it fails at any one page")
{
    for (std::size_t at = 0; at < 3; ++at)
        for (int const prefetch : {0, 1})
        {
            CAPTURE(at);
            CAPTURE(prefetch);
            auto wire = script();
            wire->reply(200, a_b).reply(200, c_d).reply(200, e).fail_at(
                at, errc::connection_lost, ccloud::progress::maybe_sent
            );
            with_client(
                wire,
                [&](ccloud::client cloud) -> asio::awaitable<void> {
                    auto listing = iam::ip_groups(cloud).list({.prefetch = prefetch});
                    auto all = co_await drain(listing);
                    CHECK(all.second.code() == errc::connection_lost);
                    auto const rest = co_await drain(listing);
                    CHECK(rest.second.code() == errc::unset);
                    all.first.insert(all.first.end(), rest.first.begin(), rest.first.end());
                    CHECK(all.first == names{"a", "b", "c", "d", "e"});
                },
                support::impatient_config()
            );
        }
}
