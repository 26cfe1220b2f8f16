#include <ccloud/ccloud.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "call.hpp"
#include "client.hpp"
#include "printers.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using ccloud::errc;
using support::script;
using support::with_client;
namespace asio = boost::asio;
namespace iam = ccloud::iam;

namespace {

constexpr std::size_t slice = ccloud::detail::decode_slice;

/** A group with members of the given kinds, and many bytes that no member takes. */
std::string group_text(std::size_t padding)
{
    return R"({"group_name":"CorpNet","unknown":")" + std::string(padding, 'x') +
           R"(","cidr_blocks":["10.0.0.0/8"],"id":"ipg-1"})";
}

std::string page_text(std::size_t items, std::size_t padding = 0, std::string const& next = {})
{
    auto text = R"({"metadata":{"next":")" + (next.empty() ? next : "?page_token=" + next) + R"("},"unknown":")" +
                std::string(padding, 'x') + R"(","data":[)";
    for (std::size_t i = 0; i < items; ++i)
        text += (i ? R"(,{"id":")" : R"({"id":")") + std::to_string(i) + "\"}";
    return text + "]}";
}

ccloud::config with_memory(std::size_t bytes)
{
    auto settings = support::test_config();
    settings.limits.decoded_response = bytes;
    return settings;
}

/** Counts how often other handlers of the executor run until it is told to stop. */
asio::awaitable<void> count_turns(std::shared_ptr<std::size_t> turns, std::shared_ptr<bool> stop)
{
    auto const here = co_await asio::this_coro::executor;
    while (!*stop)
    {
        ++*turns;
        auto turn = asio::post(here, asio::deferred);
        co_await std::move(turn);
    }
}

using work = std::function<asio::awaitable<void>(ccloud::client)>;

/** Runs `what` next to a coroutine that posts, and gives how often that one ran. */
std::size_t turns_during(std::shared_ptr<ccloud::testing::scripted_transport> wire, work what, ccloud::config settings)
{
    auto const turns = std::make_shared<std::size_t>(0);
    auto const stop = std::make_shared<bool>(false);
    with_client(
        std::move(wire),
        [&](ccloud::client cloud) -> asio::awaitable<void> {
            auto const here = co_await asio::this_coro::executor;
            asio::co_spawn(here, count_turns(turns, stop), [](std::exception_ptr) {});
            auto running = what(cloud);
            co_await std::move(running);
            *stop = true;
        },
        std::move(settings)
    );
    return *turns;
}

} // namespace

TEST_CASE("a long response is decoded in slices, between which other handlers of the executor run")
{
    for (auto const threads : {ccloud::threading::serial, ccloud::threading::safe})
    {
        auto settings = support::test_config();
        settings.threading = threads;
        auto const get = [&](std::size_t size) {
            auto wire = script();
            wire->reply(200, group_text(size));
            return turns_during(
                wire,
                [](ccloud::client cloud) -> asio::awaitable<void> {
                    auto const got = co_await iam::ip_groups(cloud).get("ipg-1");
                    REQUIRE(got.has_value());
                    CHECK(got->id == "ipg-1");
                    CHECK(got->cidr_blocks.size() == 1);
                    CHECK(got.response().status() == 200);
                },
                settings
            );
        };
        auto const list = [&](std::size_t size) {
            auto wire = script();
            wire->reply(200, page_text(100, size, "T")).reply(200, page_text(50, size));
            return turns_during(
                wire,
                [](ccloud::client cloud) -> asio::awaitable<void> {
                    auto groups = iam::ip_groups(cloud).list();
                    auto const all = co_await groups.collect();
                    REQUIRE(all.has_value());
                    CHECK(all->size() == 150);
                    CHECK(all->back().id == "49");
                },
                settings
            );
        };
        auto const of_short_group = get(0), of_short_list = list(0);
        CHECK(get(slice - 100) == of_short_group); // one slice as before
        CHECK(list(slice / 2) == of_short_list);
        CHECK(get(20 * slice) == of_short_group + 20);
        CHECK(list(20 * slice) >= of_short_list + 39);
    }
}

TEST_CASE("a prefetched page is decoded in slices, too")
{
    auto wire = script();
    wire->reply(200, page_text(10, 5 * slice, "T")).reply(200, page_text(5, 5 * slice));
    with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
        auto groups = iam::ip_groups(cloud).list({.prefetch = 1});
        auto const all = co_await groups.collect();
        REQUIRE(all.has_value());
        CHECK(all->size() == 15);
    });
}

TEST_CASE("X1: the caller may cancel while a long response is decoded; status and attempt are kept")
{
    for (auto const threads : {ccloud::threading::serial, ccloud::threading::safe})
        for (bool const listing : {false, true})
        {
            CAPTURE(listing);
            auto settings = support::test_config();
            settings.threading = threads;
            auto wire = script();
            wire->reply(201, listing ? page_text(10, 50 * slice) : group_text(50 * slice)).header("X-Request-Id", "r1");
            wire->reply(200, listing ? page_text(3) : group_text(0));
            ccloud::error failure;
            bool again = false;
            with_client(
                wire,
                [&](ccloud::client cloud) -> asio::awaitable<void> {
                    auto const here = co_await asio::this_coro::executor;
                    asio::cancellation_signal signal;
                    bool ended = false;
                    auto call = [](ccloud::client to, bool list, ccloud::error& into) -> asio::awaitable<void> {
                        co_await asio::this_coro::throw_if_cancelled(false);
                        if (list)
                        {
                            auto groups = iam::ip_groups(to).list();
                            auto const page = co_await groups.next_page();
                            into = page.error();
                            co_return;
                        }
                        auto const got = co_await iam::ip_groups(to).create(iam::create_ip_group("x"));
                        into = got.error();
                    };
                    asio::co_spawn(
                        here, call(cloud, listing, failure),
                        asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr) { ended = true; })
                    );
                    std::size_t turns = 0;
                    while (!ended)
                    {
                        if (++turns == 30) // sent and answered by then, and not yet decoded
                            signal.emit(asio::cancellation_type::terminal);
                        auto turn = asio::post(here, asio::deferred);
                        co_await std::move(turn);
                    }
                    CHECK(turns >= 30);
                    CHECK(turns < 45);
                    if (listing)
                    {
                        auto groups = iam::ip_groups(cloud).list();
                        auto const all = co_await groups.collect();
                        again = all.has_value();
                    }
                    else
                    {
                        auto const got = co_await iam::ip_groups(cloud).get("ipg-1");
                        again = got.has_value();
                    }
                },
                settings
            );
            CHECK(again);
            CHECK(failure.code() == errc::cancelled);
            CHECK(failure.progress() == ccloud::progress::answered);
            CHECK(failure.status() == 201);
            CHECK(failure.request_id() == "r1");
            CHECK(failure.attempts().size() == 1);
            std::string const made = listing ? "" : "; the server created the object";
            CHECK(failure.detail() == "while the response was decoded" + made);
        }
}

TEST_CASE("an invalid long response has the same error as a short one")
{
    for (std::size_t const padding : {std::size_t(10), 5 * slice})
        for (std::string const end : {R"(","id":7})", R"(","id":"x"} y)", R"(","id":"x")", R"(","id":tru})"})
        {
            CAPTURE(padding);
            CAPTURE(end);
            auto wire = script();
            wire->reply(200, R"({"unknown":")" + std::string(padding, 'x') + end).reply(200, group_text(0));
            with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
                auto const got = co_await iam::ip_groups(cloud).get("ipg-1");
                REQUIRE(!got.has_value());
                CHECK(got.error().code() == errc::malformed_response);
                CHECK(got.error().status() == 200);
                CHECK(got.error().body().size() == std::min<std::size_t>(8192, 12 + padding + end.size()));
                auto const again = co_await iam::ip_groups(cloud).get("ipg-1");
                CHECK(again.has_value());
            });
        }
}

TEST_CASE("a page has at most ten times the requested items, or 500; a longer page is malformed, and the error names "
          "both numbers")
{
    struct row
    {
        int page_size;
        std::size_t most;
    };
    for (auto const& [page_size, most] : {row{100, 1000}, row{99, 990}, row{50, 500}, row{10, 500}, row{1, 500}})
    {
        CAPTURE(page_size);
        auto const options = ccloud::list_options{.page_size = page_size};
        auto wire = script();
        wire->reply(200, page_text(most)).reply(200, page_text(most + 1)).reply(200, page_text(100'000));
        with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
            auto full = iam::ip_groups(cloud).list(options);
            auto const all = co_await full.collect();
            REQUIRE(all.has_value());
            CHECK(all->size() == most);
            for (int round = 0; round < 2; ++round)
            {
                auto over = iam::ip_groups(cloud).list(options);
                auto const none = co_await over.next();
                REQUIRE(!none.has_value());
                CHECK(none.error().code() == errc::malformed_response);
                auto const expected = "/data/" + std::to_string(most) + ": more than " + std::to_string(most) +
                                      " items, for a page_size of " + std::to_string(page_size) + ", at byte ";
                CHECK(none.error().detail().starts_with(expected));
                CHECK(none.error().status() == 200);
            }
        });
    }
}

TEST_CASE("nulls count as items of a page, because reading them takes as long")
{
    auto wire = script();
    std::string nulls = "null";
    for (int i = 0; i < 1000; ++i)
        nulls += ",null";
    wire->reply(200, R"({"data":[)" + nulls + "]}").reply(200, R"({"data":[)" + nulls.substr(5) + "]}");
    with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
        auto over = iam::ip_groups(cloud).list();
        auto const none = co_await over.next();
        REQUIRE(!none.has_value());
        CHECK(none.error().code() == errc::malformed_response);
        auto full = iam::ip_groups(cloud).list();
        auto const all = co_await full.collect();
        REQUIRE(all.has_value());
        CHECK(all->empty());
    });
}

TEST_CASE(
    "config::limits.decoded_response bounds the memory of a decoded response, short or long, one resource or a page"
)
{
    std::string blocks = "\"\"";
    for (int i = 0; i < 40'000; ++i)
        blocks += ",\"\"";
    auto const many = R"("cidr_blocks":[)" + blocks + "]";
    for (auto const& group : std::vector<std::string>{
             "{" + many + "}", "{" + many.substr(0, 30'000) + "\"]}", "{\"id\":\"" + std::string(300'000, 'x') + "\"}",
             "{\"metadata\":{\"self\":\"" + std::string(300'000, 'x') + "\"}}"})
        for (bool const listing : {false, true})
        {
            CAPTURE(group.substr(0, 40));
            CAPTURE(listing);
            auto wire = script();
            wire->reply(200, listing ? "{\"data\":[" + group + "]}" : group);
            wire->reply(200, listing ? page_text(5) : group_text(0));
            with_client(
                wire,
                [&](ccloud::client cloud) -> asio::awaitable<void> {
                    iam::ip_groups const groups(cloud);
                    ccloud::error failure;
                    if (listing)
                    {
                        auto over = groups.list();
                        auto const none = co_await over.next();
                        REQUIRE(!none.has_value());
                        failure = none.error();
                        auto const rest = co_await over.collect();
                        REQUIRE(rest.has_value());
                        CHECK(rest->size() == 5);
                    }
                    else
                    {
                        auto const none = co_await groups.get("ipg-1");
                        REQUIRE(!none.has_value());
                        failure = none.error();
                        auto const again = co_await groups.get("ipg-1");
                        CHECK(again.has_value());
                    }
                    CHECK(failure.code() == errc::response_too_large);
                    CHECK(failure == ccloud::condition::malformed_response);
                    CHECK(failure.status() == 200);
                    CHECK(
                        failure.detail().find("the values take more than 262144 bytes of memory") != std::string::npos
                    );
                    CHECK(failure.detail().ends_with("; see config::limits.decoded_response"));
                },
                with_memory(256 * 1024)
            );
        }
}

TEST_CASE("RFC 8259 section 8.1: a byte order mark before a response is ignored")
{
    std::string const mark = "\xef\xbb\xbf";
    auto wire = script();
    wire->reply(200, mark + group_text(0)).reply(200, mark + page_text(3)).reply(200, mark + group_text(3 * slice));
    wire->reply(404, mark + R"({"message":"gone"})");
    with_client(wire, [](ccloud::client cloud) -> asio::awaitable<void> {
        iam::ip_groups const groups(cloud);
        auto const one = co_await groups.get("ipg-1");
        CHECK(one.has_value());
        auto listing = groups.list();
        auto const all = co_await listing.collect();
        REQUIRE(all.has_value());
        CHECK(all->size() == 3);
        auto const long_one = co_await groups.get("ipg-1");
        CHECK(long_one.has_value());
        auto const gone = co_await groups.get("ipg-1");
        REQUIRE(!gone.has_value());
        REQUIRE(gone.error().problems().size() == 1);
        CHECK(gone.error().problems().front().detail == "gone");
    });
}

TEST_CASE("the byte of a fault is named in a long response with ill-formed text, too")
{
    std::string const ill_formed(3 * slice, '\xff'); // each becomes three bytes in the copy that is read
    std::string const begin = R"({"other":")" + ill_formed + R"(","id":)";
    auto wire = script();
    wire->reply(200, begin + "7}");
    with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
        auto const got = co_await iam::ip_groups(cloud).get("ipg-1");
        REQUIRE(!got.has_value());
        auto const& detail = got.error().detail();
        CAPTURE(detail);
        CHECK(detail.find("at byte " + std::to_string(begin.size() + 1)) != std::string::npos);
    });
}
