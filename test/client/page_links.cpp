#include <ccloud/ccloud.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "client.hpp"
#include "printers.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using ccloud::checkpoint;
using ccloud::errc;
using support::script;
using support::with_client;
namespace asio = boost::asio;
namespace iam = ccloud::iam;

namespace {

using names = std::vector<std::string>;
using groups = ccloud::async_generator<iam::ip_group>;

/** A page with these ids. `metadata` is JSON, and left out if it is empty. */
std::string page_with(std::string const& metadata, names const& ids)
{
    std::string text = R"({"kind":"IpGroupList")";
    if (!metadata.empty())
        text += R"(,"metadata":)" + metadata;
    text += R"(,"data":[)";
    for (std::size_t i = 0; i < ids.size(); ++i)
        text += (i ? R"(,{"id":")" : R"({"id":")") + ids[i] + "\"}";
    return text + "]}";
}

std::string next_link(std::string const& link)
{
    return R"({"next":")" + link + R"("})";
}

names ids_of(std::vector<iam::ip_group> const& all)
{
    names ids;
    for (auto const& group : all)
        ids.push_back(group.id);
    return ids;
}

/** Takes items until the end or an error. */
asio::awaitable<std::pair<names, ccloud::error>> drain(groups& listing)
{
    std::pair<names, ccloud::error> all;
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

struct broken_link
{
    std::string metadata;
    errc code;
    std::string detail;
};

/** What cannot be followed, and what an error says of it. */
std::vector<broken_link> broken_links()
{
    return {
        {next_link("https://x.example/y"), errc::page_link_without_token, R"(metadata.next: "https://x.example/y")"},
        {next_link("no link"), errc::page_link_without_token, R"(metadata.next: "no link")"},
        {next_link("?page_token=a b"), errc::page_link_without_token, R"(metadata.next: "?***")"},
        {next_link("?page_token=%4"), errc::page_link_without_token, R"(metadata.next: "?***")"},
        {next_link("?page_token=" + std::string(16'384, 'T')), errc::malformed_response,
         "metadata.next: has 16396 bytes, more than 16384"},
        {R"({"next":7})", errc::malformed_response, "metadata.next: expected a string, found a number"},
        {R"({"next":1.5})", errc::malformed_response, "metadata.next: expected a string, found a number"},
        {R"({"next":true})", errc::malformed_response, "metadata.next: expected a string, found a boolean"},
        {R"({"next":{"href":"?page_token=T"}})", errc::malformed_response,
         "metadata.next: expected a string, found an object"},
        {R"({"next":["?page_token=T",[{}]]})", errc::malformed_response,
         "metadata.next: expected a string, found an array"},
        {R"("?page_token=T")", errc::malformed_response, "metadata: expected an object, found a string"},
        {R"([{"next":"?page_token=T"}])", errc::malformed_response, "metadata: expected an object, found an array"},
        {R"(18446744073709551615)", errc::malformed_response, "metadata: expected an object, found a number"},
    };
}

} // namespace

TEST_CASE("the items of a page are delivered whatever its next link is; the error comes when the next page is wanted")
{
    for (auto const& [metadata, code, detail] : broken_links())
        for (int const prefetch : {0, 1})
            for (auto const threads : {ccloud::threading::serial, ccloud::threading::safe})
            {
                CAPTURE(metadata.substr(0, 60));
                CAPTURE(prefetch);
                auto settings = support::test_config();
                settings.threading = threads;
                auto wire = script();
                wire->reply(200, page_with(next_link("?page_token=T1"), {"a", "b"}));
                wire->reply(200, page_with(metadata, {"c", "d"}));
                with_client(
                    wire,
                    [&](ccloud::client cloud) -> asio::awaitable<void> {
                        auto listing = iam::ip_groups(cloud).list({.prefetch = prefetch});
                        auto const all = co_await drain(listing);
                        CHECK(all.first == names{"a", "b", "c", "d"});
                        CHECK(all.second.code() == code);
                        CHECK(all.second.detail() == detail);
                        CHECK(all.second == ccloud::condition::malformed_response);
                    },
                    settings
                );
                CHECK(wire->requests().size() == 2);
            }
}

TEST_CASE("next_page gives a page with a broken link, and the call after it the error")
{
    for (auto const& [metadata, code, detail] : broken_links())
        for (int const prefetch : {0, 1})
        {
            CAPTURE(metadata.substr(0, 60));
            auto wire = script();
            wire->reply(200, page_with(next_link("?page_token=T1"), {"a"})).reply(200, page_with(metadata, {"b", "c"}));
            with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
                auto listing = iam::ip_groups(cloud).list({.prefetch = prefetch});
                (void)co_await listing.next_page();
                auto const page = co_await listing.next_page();
                REQUIRE(page.value().has_value());
                CHECK(ids_of((*page)->items) == names{"b", "c"});
                CHECK(listing.checkpoint() == checkpoint("T1", 2));
                auto const failed = co_await listing.next_page();
                REQUIRE(!failed.has_value());
                CHECK(failed.error().code() == code);
                CHECK(failed.error().detail() == detail);
            });
        }
}

TEST_CASE("collect of all items ends with the error of a broken link, and the items are delivered by the next calls")
{
    auto wire = script();
    wire->reply(200, page_with(next_link("?page_token=T1"), {"a"})).reply(200, page_with(R"({"next":7})", {"b", "c"}));
    wire->reply(200, page_with(R"({"next":7})", {"b", "c", "d"}));
    with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
        auto listing = iam::ip_groups(cloud).list();
        auto const failed = co_await listing.collect();
        REQUIRE(!failed.has_value());
        CHECK(failed.error().code() == errc::malformed_response);
        CHECK(listing.checkpoint() == checkpoint());
        auto const three = co_await listing.collect(3);
        REQUIRE(three.has_value());
        CHECK(ids_of(*three) == names{"a", "b", "c"});
        CHECK(listing.checkpoint() == checkpoint("T1", 2));
        auto const rest = co_await drain(listing); // the page is fetched again, and has one more item by now
        CHECK(rest.first == names{"d"});
        CHECK(rest.second.code() == errc::malformed_response);
    });
}

TEST_CASE("after the error of a broken link the page is fetched again, its items are skipped, and its new link counts")
{
    for (int const prefetch : {0, 1})
        for (auto const& [metadata, code, detail] : broken_links())
        {
            CAPTURE(metadata.substr(0, 60));
            auto wire = script();
            wire->reply(200, page_with(next_link("?page_token=T1"), {"a", "b"}));
            wire->reply(200, page_with(metadata, {"c", "d"})).reply(200, page_with(metadata, {"c", "d"}));
            wire->reply(200, page_with(next_link("?page_token=T2"), {"c", "d"})).reply(200, page_with({}, {"e"}));
            with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
                auto listing = iam::ip_groups(cloud).list({.prefetch = prefetch});
                auto const first = co_await drain(listing);
                CHECK(first.first == names{"a", "b", "c", "d"});
                auto const place = listing.checkpoint();
                CHECK(place == checkpoint("T1", 2));
                auto const again = co_await drain(listing);
                CHECK(again.first.empty());
                CHECK(again.second.code() == code);
                CHECK(listing.checkpoint() == place);
                auto const rest = co_await drain(listing);
                CHECK(rest.first == names{"e"});
                CHECK(rest.second.code() == errc::unset);
                CHECK(listing.checkpoint().at_end());
            });
            auto const& sent = wire->requests();
            REQUIRE(sent.size() == 5);
            for (std::size_t const i : {1U, 2U, 3U})
                CHECK(sent[i].request.target().ends_with("page_token=T1"));
        }
}

TEST_CASE(
    "a page with a broken link that has fewer items when it is fetched again takes no item from the pages after it"
)
{
    struct row
    {
        std::vector<names> again; ///< the page each time it is fetched again; the last time its link is sound
        names rest;               ///< of what is delivered after that
    };
    for (auto const& [again, rest] : std::vector<row>{
             {{{"c"}}, {"e", "f"}},
             {{{}}, {"e", "f"}},
             {{{"c", "d"}}, {"e", "f"}},
             {{{"c", "d", "x"}}, {"x", "e", "f"}},
             {{{"c"}, {"c"}}, {"e", "f"}},
             {{{"c"}, {"c", "x"}}, {"x", "e", "f"}}, // skipped is what the page had the last time
             {{{"c", "d", "x"}, {"d", "x"}}, {"x", "e", "f"}},
         })
        for (int const prefetch : {0, 1})
            for (bool const collects : {false, true})
            {
                CAPTURE(again.front().size());
                CAPTURE(again.size());
                CAPTURE(prefetch);
                CAPTURE(collects);
                auto wire = script();
                wire->reply(200, page_with(next_link("?page_token=T1"), {"a", "b"}));
                wire->reply(200, page_with(R"({"next":7})", {"c", "d"}));
                for (auto const& page : again)
                    wire->reply(
                        200, page_with(&page == &again.back() ? next_link("?page_token=T2") : R"({"next":7})", page)
                    );
                wire->reply(200, page_with({}, {"e", "f"}));
                with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
                    auto listing = iam::ip_groups(cloud).list({.prefetch = prefetch});
                    auto const first = co_await drain(listing);
                    CHECK(first.first == names{"a", "b", "c", "d"});
                    names later;
                    for (std::size_t i = 1; i < again.size(); ++i)
                    {
                        auto const failed = co_await drain(listing);
                        CHECK(failed.second.code() == errc::malformed_response);
                        later.insert(later.end(), failed.first.begin(), failed.first.end());
                    }
                    if (collects)
                    {
                        auto const all = co_await listing.collect();
                        REQUIRE(all.has_value());
                        auto const ids = ids_of(*all);
                        later.insert(later.end(), ids.begin(), ids.end());
                    }
                    else
                    {
                        auto const all = co_await drain(listing);
                        CHECK(all.second.code() == errc::unset);
                        later.insert(later.end(), all.first.begin(), all.first.end());
                    }
                    CHECK(later == rest);
                });
            }
}

TEST_CASE("a failed collect that fetched a shorter page again has a checkpoint before its first item")
{
    auto wire = script();
    wire->reply(200, page_with(R"({"next":7})", {"a", "b"}));
    wire->reply(200, page_with(next_link("?page_token=T1"), {"a"}));
    wire->reply(200, page_with(next_link("?page_token=T2"), {"c", "d"}));
    wire->reply(404);
    with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
        auto listing = iam::ip_groups(cloud).list();
        auto const first = co_await drain(listing);
        CHECK(first.first == names{"a", "b"});
        auto const failed = co_await listing.collect();
        REQUIRE(!failed.has_value());
        CHECK(failed.error().status() == 404);
        CHECK(listing.checkpoint() == checkpoint("T1", 0));
        auto const two = co_await listing.collect(2);
        REQUIRE(two.has_value());
        CHECK(ids_of(*two) == names{"c", "d"});
    });
}

TEST_CASE("a listing that resumes beyond the items of a page with a broken link keeps its place")
{
    auto wire = script();
    wire->reply(200, page_with(R"({"next":7})", {"a", "b"}));
    wire->reply(200, page_with(next_link("?page_token=T1"), {"a", "b"})).reply(200, page_with({}, {"c", "d"}));
    with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
        auto listing = iam::ip_groups(cloud).list().resume(checkpoint("", 3));
        auto const failed = co_await listing.next();
        REQUIRE(!failed.has_value());
        CHECK(listing.checkpoint() == checkpoint("", 3));
        auto const rest = co_await drain(listing);
        CHECK(rest.first == names{"d"});
    });
}

TEST_CASE("a listing that ends by max_pages before the place it resumed at keeps that place beside a broken link")
{
    for (std::string_view const link : {R"({"next":7})", R"({"next":"?page_token=T1"})"})
    {
        CAPTURE(link);
        bool const broken = link == R"({"next":7})";
        auto wire = script();
        wire->reply(200, page_with(std::string(link), {"a", "b"}));
        with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
            auto listing = iam::ip_groups(cloud).list({.max_pages = 1}).resume(checkpoint("", 3));
            auto const ended = co_await listing.next();
            REQUIRE(ended.has_value());
            CHECK(!ended->has_value());
            CHECK(listing.checkpoint() == (broken ? checkpoint("", 3) : checkpoint("T1", 1)));
        });
    }
}

TEST_CASE("a broken link is no error if the next page is not wanted: max_items and max_pages")
{
    for (auto const& options :
         {ccloud::list_options{.max_items = 2}, ccloud::list_options{.max_items = 2, .prefetch = 1},
          ccloud::list_options{.max_pages = 1}, ccloud::list_options{.max_pages = 1, .prefetch = 1}})
    {
        auto wire = script();
        wire->reply(200, page_with(R"({"next":7})", {"a", "b"}));
        with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
            auto listing = iam::ip_groups(cloud).list(options);
            auto const all = co_await listing.collect();
            REQUIRE(all.has_value());
            CHECK(ids_of(*all) == names{"a", "b"});
            CHECK(listing.checkpoint() == checkpoint("", 2));
        });
    }
}

TEST_CASE("RFC 3986 does not matter: a token is found in a link that no strict parser takes")
{
    for (std::string const& link :
         {std::string("https://x.example/?filter=a b&page_token=T1"),
          std::string("https://x.example/?x=%zz&page_token=T1"),
          std::string(R"(https://x.example/?x[]=\"a\"&page_token=T1&y={<>})"),
          std::string("https://x.example/\xc3\xbc?\xc3\xbc=\xe2\x82\xac&page_token=T1"),
          std::string("https://[::1/?page_token=T1"), std::string("https://x.example:port/?page_token=T1#a b")})
    {
        CAPTURE(link);
        auto wire = script();
        wire->reply(200, page_with(next_link(link), {"a"})).reply(200, page_with({}, {"b"}));
        with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
            auto listing = iam::ip_groups(cloud).list();
            auto const all = co_await drain(listing);
            CHECK(all.first == names{"a", "b"});
            CHECK(all.second.code() == errc::unset);
        });
        CHECK(wire->requests().back().request.target().ends_with("page_size=100&page_token=T1"));
    }
}

TEST_CASE(
    "the error of a page link has the request, the attempts, the response and the body of the page that it came with"
)
{
    struct row
    {
        std::string name, page;
        errc code;
    };
    std::vector<row> rows{
        {"loop", page_with(next_link("?page_token=T1"), {"b"}), errc::pagination_loop},
        {"empty", page_with(next_link("?page_token=T2"), {}), errc::too_many_empty_pages}};
    for (auto const& each : broken_links())
        rows.push_back({each.metadata.substr(0, 40), page_with(each.metadata, {"b"}), each.code});
    for (auto const& [name, page, code] : rows)
        for (int const prefetch : {0, 1})
        {
            CAPTURE(name);
            CAPTURE(prefetch);
            auto wire = script();
            wire->reply(200, page_with(next_link("?page_token=T1"), {"a"}));
            wire->reply(429).header("Retry-After", "2").header("X-Request-Id", "r1");
            wire->reply(200, page).header("X-Request-Id", "r2").after(30ms).reused();
            with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
                auto listing = iam::ip_groups(cloud).list({.prefetch = prefetch, .max_empty_pages = 0});
                auto const all = co_await drain(listing);
                auto const& failure = all.second;
                CHECK(failure.code() == code);
                CHECK(failure.progress() == ccloud::progress::answered);
                CHECK(failure.method() == ccloud::method::get);
                CHECK(failure.path() == "/iam/v2/ip-groups");
                CHECK(failure.status() == 200);
                CHECK(failure.request_id() == "r2");
                CHECK(failure.body() == page.substr(0, 8192));
                CHECK(failure.response().attempts() == 2);
                REQUIRE(failure.attempts().size() == 2);
                CHECK(failure.attempts()[0].status == 429);
                CHECK(failure.attempts()[0].request_id == "r1");
                CHECK(failure.attempts()[1].status == 200);
                CHECK(failure.attempts()[1].code == code);
                CHECK(failure.attempts()[1].reused);
                CHECK(failure.attempts()[1].took == 30ms);
                CHECK(failure.elapsed() == 2030ms);
                auto const text = failure.what();
                CAPTURE(text);
                CHECK(text.starts_with("GET /iam/v2/ip-groups: "));
                CHECK(text.find("(request r2, attempt 2 in 2.03 s)") != std::string::npos);
            });
        }
}

TEST_CASE("items have the response of the page that they came with")
{
    for (int const prefetch : {0, 1})
        for (auto const threads : {ccloud::threading::serial, ccloud::threading::safe})
        {
            auto settings = support::test_config();
            settings.threading = threads;
            auto wire = script();
            wire->reply(200, page_with(next_link("?page_token=T1"), {"a", "b"})).header("X-Request-Id", "r1");
            wire->reply(200, page_with(next_link("?page_token=T2"), {})).header("X-Request-Id", "r2");
            wire->reply(500)
                .reply(203, page_with({}, {"c"}))
                .header("X-Request-Id", "r3")
                .header("X-RateLimit-Limit", "9");
            with_client(
                wire,
                [&](ccloud::client cloud) -> asio::awaitable<void> {
                    auto listing = iam::ip_groups(cloud).list({.prefetch = prefetch});
                    std::vector<ccloud::response_info> kept;
                    for (int i = 0; i < 4; ++i) // the fourth is the end
                    {
                        auto const item = co_await listing.next();
                        REQUIRE(item.has_value());
                        CHECK(item->has_value() == (i < 3));
                        kept.push_back(item.response());
                    }
                    CHECK(kept[0].request_id() == "r1");
                    CHECK(kept[0].status() == 200);
                    CHECK(kept[0].attempts() == 1);
                    CHECK(kept[1].request_id() == "r1");
                    for (int i : {2, 3})
                    {
                        auto const& info = kept[static_cast<std::size_t>(i)];
                        CHECK(info.request_id() == "r3");
                        CHECK(info.status() == 203);
                        CHECK(info.attempts() == 2);
                        CHECK(info.rate_limit().limit == 9);
                        CHECK(info.headers().contains("X-RateLimit-Limit"));
                    }
                },
                settings
            );
        }
}

TEST_CASE("a page shows its links, and the kind and API version of the list, where they were sent")
{
    std::string const full =
        R"({"api_version":"iam/v2","kind":"IpGroupList","metadata":{"first":"https://x.example/f","last":"/l?page_token=Z",)"
        R"("prev":"p","next":"https://confluent.cloud/api?page_token=T1","self":"s","total_size":3},)"
        R"("data":[{"id":"a"},{"id":"b"}]})";
    for (int const prefetch : {0, 1})
    {
        auto wire = script();
        wire->reply(200, full);
        wire->reply(
            200, R"({"data":[{"id":"c"}],"metadata":{"prev":null,"self":"","first":7,"last":[{}],"next":null}})"
        );
        with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
            auto listing = iam::ip_groups(cloud).list({.prefetch = prefetch});
            (void)co_await listing.next();
            auto const rest = co_await listing.next_page();
            REQUIRE(rest.value().has_value());
            auto const& page = **rest;
            CHECK(ids_of(page.items) == names{"b"});
            CHECK(page.api_version == "iam/v2");
            CHECK(page.kind == "IpGroupList");
            CHECK(page.links.first == "https://x.example/f");
            CHECK(page.links.last == "/l?page_token=Z");
            CHECK(page.links.prev == "p");
            CHECK(page.links.next == "https://confluent.cloud/api?page_token=T1");
            CHECK(page.links.self == "s");
            CHECK(page.total_size == 3);
            auto const bare = co_await listing.next_page();
            REQUIRE(bare.value().has_value());
            auto const& last = **bare;
            CHECK(last.api_version.empty());
            CHECK(last.kind.empty());
            CHECK(last.total_size == std::nullopt);
            for (auto const* link :
                 {&last.links.first, &last.links.last, &last.links.prev, &last.links.next, &last.links.self})
                CHECK(link->empty());
        });
    }
}

TEST_CASE("a page whose kind, API version or links are not texts is read, and these are absent")
{
    for (std::string_view const value : {"7", "1.5", "true", "{\"a\":[1]}", "[1,[2]]", "18446744073709551615", "null"})
        for (std::string_view const name : {"api_version", "kind"})
            for (std::size_t const padding : {std::size_t(0), std::size_t(300'000)})
            {
                CAPTURE(value);
                CAPTURE(name);
                auto wire = script();
                wire->reply(
                    200, std::string("{\"").append(name).append("\":").append(value).append(R"(,"x":")") +
                             std::string(padding, 'x') + R"(","metadata":{"self":)" + std::string(value) +
                             R"(,"next":"?page_token=T"},"data":[{"id":"a"}]})"
                );
                with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
                    auto listing = iam::ip_groups(cloud).list();
                    auto const page = co_await listing.next_page();
                    REQUIRE(page.has_value());
                    REQUIRE(page->has_value());
                    CHECK(ids_of((*page)->items) == names{"a"});
                    CHECK((*page)->kind.empty());
                    CHECK((*page)->api_version.empty());
                    CHECK((*page)->links.self.empty());
                    CHECK((*page)->links.next == "?page_token=T");
                });
            }
}
