#include <ccloud/iam/sso/group_mappings.hpp>

#include "client.hpp"
#include "fixture.hpp"
#include "printers.hpp"
#include "refusals.hpp"
#include "utc.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace asio = boost::asio;
namespace sso = ccloud::iam::sso;

using ccloud::client;
using ccloud::condition;
using ccloud::errc;
using ccloud::method;
using ccloud::or_throw;
using ccloud::progress;
using support::bare;
using support::list_of;
using support::sent;
using support::utc;
using support::with_client;
using support::with_json;

namespace {

std::string const all_path = "/iam/v2/sso/group-mappings";
std::string const one_path = "/iam/v2/sso/group-mappings/group-w4vP";

std::string answer(std::string const& name)
{
    return support::fixture("iam/sso/group_mappings/" + name);
}

/** The server speaks of service accounts here; what counts is the status. */
support::refusal not_found()
{
    return support::refusal(
        404, "iam/sso/group_mappings/not_found.json", condition::not_found, "Service Account Not Found"
    );
}

/** Reads one mapping from a fixture. */
sso::group_mapping read(std::string const& name)
{
    sso::group_mapping mapping;
    auto wire = support::script();
    wire->reply(200, answer(name));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        sso::group_mappings mappings(cloud);
        mapping = co_await or_throw(mappings.get("group-w4vP"));
    });
    return mapping;
}

/** Reads a listing from fixtures, one a page. */
std::vector<sso::group_mapping> read_pages(std::vector<std::string> const& names)
{
    std::vector<sso::group_mapping> all;
    auto wire = support::script();
    for (auto const& name : names)
        wire->reply(200, answer(name));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        sso::group_mappings mappings(cloud);
        all = co_await or_throw(mappings.list().collect());
    });
    return all;
}

/** The text of the request that an update makes. */
std::string update_text(sso::update_group_mapping const& changes)
{
    auto wire = support::script();
    wire->reply(200, answer("updated.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        sso::group_mappings mappings(cloud);
        auto changed = co_await mappings.update("group-w4vP", changes);
        REQUIRE(changed.has_value());
    });
    return support::text(wire->requests().front());
}

} // namespace

TEST_CASE("creating a group mapping posts its three members and reads the mapping of the 201")
{
    auto wire = support::script();
    wire->reply(201, answer("created.json"))
        .header("Location", "https://confluent.cloud/api/iam/v2/sso/group-mappings/group-N6p0w")
        .header("X-Request-Id", "req-1");
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        sso::group_mappings mappings(cloud);
        auto made = co_await mappings.create(
            sso::create_group_mapping("Everybody", "\"engineering\" in groups && true").description("Wer möchte")
        );
        REQUIRE(made.has_value());
        CHECK(made.response().status() == 201);
        CHECK(made.response().request_id() == "req-1");
        CHECK(made.response().location() == "https://confluent.cloud/api/iam/v2/sso/group-mappings/group-N6p0w");
        CHECK(made->id == "group-N6p0w");
        CHECK(made->filter == "true");
        CHECK(made->metadata.created_at == utc(2024, 1, 2, 3, 4, 5));
        CHECK(!made->metadata.updated_at.has_value());
    });
    CHECK(
        sent(*wire) ==
        list_of(with_json(
            "POST " + all_path,
            R"({"display_name":"Everybody","description":"Wer möchte","filter":"\"engineering\" in groups && true"})"
        ))
    );
    CHECK(wire->requests().front().to == ccloud::origin(true, "api.example.test", 443));
}

TEST_CASE("a group mapping without a description is created with an empty one")
{
    auto wire = support::script();
    wire->reply(201, answer("created.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        sso::group_mappings mappings(cloud);
        auto made = co_await mappings.create(sso::create_group_mapping("Everybody", "true"));
        CHECK(made.has_value());
    });
    CHECK(
        sent(*wire) ==
        list_of(with_json("POST " + all_path, R"({"display_name":"Everybody","description":"","filter":"true"})"))
    );
}

TEST_CASE("a group mapping is read field by field")
{
    auto wire = support::script();
    wire->reply(200, answer("one.json")).header("Content-Type", "application/json; charset=utf-8");
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        sso::group_mappings mappings(cloud);
        auto got = co_await mappings.get("group-w4vP");
        REQUIRE(got.has_value());
        CHECK(got.response().status() == 200);
        CHECK(got->api_version == "iam/v2");
        CHECK(got->kind == "GroupMapping");
        CHECK(got->id == "group-w4vP");
        CHECK(got->metadata.self == "https://confluent.cloud/api/iam/v2/sso/group-mappings/group-w4vP");
        CHECK(got->metadata.resource_name == "crn://confluent.cloud/organization=foo/group-mapping=group-w4vP");
        CHECK(got->metadata.created_at == utc(2023, 12, 10, 8, 9, 46, 464'541'000));
        CHECK(got->metadata.updated_at == utc(2023, 12, 11, 8, 9, 46, 464'500'000));
        CHECK(got->display_name == "Default");
        CHECK(got->description == "everyone");
        CHECK(got->filter == "\"engineering\" in groups");
        CHECK(got->principal == "group-w4vP");
        CHECK(got->state == sso::group_mapping_state_words::enabled);
    });
    CHECK(sent(*wire) == list_of(bare("GET " + one_path)));
}

TEST_CASE("the API version of a group mapping is told as it came, whichever of the two it is")
{
    CHECK(read("one.json").api_version == "iam/v2");
    CHECK(read("created.json").api_version == "iam.v2/sso");
}

TEST_CASE("updating a group mapping sends what was touched and nothing else")
{
    std::string const line = "PATCH " + one_path;
    using update = sso::update_group_mapping;
    CHECK(update_text(update()) == with_json(line, "{}"));
    CHECK(update_text(update().display_name("a")) == with_json(line, R"({"display_name":"a"})"));
    CHECK(update_text(update().description("")) == with_json(line, R"({"description":""})"));
    CHECK(update_text(update().description(ccloud::clear)) == with_json(line, R"({"description":null})"));
    CHECK(
        update_text(update().filter("\"a&b\" in groups || \"ü\" in groups")) ==
        with_json(line, R"({"filter":"\"a&b\" in groups || \"ü\" in groups"})")
    );
    CHECK(
        update_text(update().filter("f").display_name("n").description("d")) ==
        with_json(line, R"({"display_name":"n","description":"d","filter":"f"})")
    );
}

TEST_CASE("updating a group mapping reads the mapping of the 200")
{
    auto wire = support::script();
    wire->reply(200, answer("updated.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        sso::group_mappings mappings(cloud);
        auto changed = co_await mappings.update("group-w4vP", sso::update_group_mapping().description(""));
        REQUIRE(changed.has_value());
        CHECK(changed.response().status() == 200);
        CHECK(changed->id == "group-w4vP");
        CHECK(changed->description.empty());
        CHECK(changed->filter == "groups.exists(g, g.startsWith(\"eng-\"))");
        CHECK(changed->metadata.updated_at == utc(2024, 2, 29, 23, 59, 59, 999'999'999));
    });
}

TEST_CASE("removing a group mapping is a DELETE without a body, answered by 204")
{
    auto wire = support::script();
    wire->reply(204);
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        sso::group_mappings mappings(cloud);
        auto gone = co_await mappings.remove("group-w4vP");
        REQUIRE(gone.has_value());
        CHECK(!gone->already_gone);
        CHECK(gone.response().status() == 204);
    });
    CHECK(sent(*wire) == list_of(bare("DELETE " + one_path)));
}

TEST_CASE("a group mapping that a repeated DELETE does not find was already gone; at first it is an error")
{
    for (bool const repeated : {false, true})
    {
        CAPTURE(repeated);
        auto wire = support::script();
        if (repeated)
            wire->fail(errc::connection_lost, progress::maybe_sent, true);
        support::script_refusal(*wire, not_found());
        with_client(wire, [&](client cloud) -> asio::awaitable<void> {
            sso::group_mappings mappings(cloud);
            auto gone = co_await mappings.remove("group-w4vP");
            REQUIRE(gone.has_value() == repeated);
            if (repeated)
                CHECK(gone->already_gone);
            else
                CHECK(gone.error() == condition::not_found);
        });
    }
}

TEST_CASE("creating a group mapping is never repeated once it may have been executed")
{
    auto wire = support::script();
    wire->fail(errc::attempt_timeout, progress::maybe_sent);
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        sso::group_mappings mappings(cloud);
        auto made = co_await mappings.create(sso::create_group_mapping("Everybody", "true"));
        REQUIRE(!made.has_value());
        CHECK(made.error() == condition::timed_out);
        CHECK(made.error().progress() == progress::maybe_sent);
    });
    CHECK(wire->requests().size() == 1);
}

TEST_CASE("every refusal of a group mapping keeps the server's words")
{
    SUBCASE("of a create")
    {
        support::check_refusals(
            support::refusals({400, 401, 402, 403, 409, 422, 429, 500}), method::post, all_path,
            [](client cloud) {
                return sso::group_mappings(cloud).create(sso::create_group_mapping("Everybody", "true"));
            }
        );
    }
    SUBCASE("of a create beyond the quota")
    {
        support::refusal const full(
            402, "iam/sso/group_mappings/limit_reached.json", condition::quota_exceeded,
            "Group mapping reached limit 12"
        );
        support::check_refusals({full}, method::post, all_path, [](client cloud) {
            return sso::group_mappings(cloud).create(sso::create_group_mapping("Everybody", "true"));
        });
    }
    SUBCASE("of a read")
    {
        support::check_refusals(
            support::refusals({400, 401, 403, 429, 500}, not_found()), method::get, one_path,
            [](client cloud) { return sso::group_mappings(cloud).get("group-w4vP"); }
        );
    }
    SUBCASE("of a listing")
    {
        support::check_refusals(support::refusals({400, 401, 403, 429, 500}), method::get, all_path, [](client cloud) {
            return sso::group_mappings(cloud).list().next();
        });
    }
    SUBCASE("of an update")
    {
        support::check_refusals(
            support::refusals({400, 401, 402, 403, 409, 422, 429, 500}, not_found()), method::patch, one_path,
            [](client cloud) {
                return sso::group_mappings(cloud).update("group-w4vP", sso::update_group_mapping().filter("true"));
            }
        );
    }
    SUBCASE("of a removal")
    {
        support::check_refusals(
            support::refusals({400, 401, 403, 429, 500}, not_found()), method::del, one_path,
            [](client cloud) { return sso::group_mappings(cloud).remove("group-w4vP"); }
        );
    }
}

TEST_CASE("the misleading code of a group mapping that is not there can be read")
{
    auto wire = support::script();
    support::script_refusal(*wire, not_found());
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        sso::group_mappings mappings(cloud);
        auto got = co_await mappings.get("group-w4vP");
        REQUIRE(!got.has_value());
        CHECK(got.error() == condition::not_found);
        CHECK(got.error() == condition::gone);
        REQUIRE(got.error().problems().size() == 1);
        CHECK(got.error().problems()[0].code == "service_account_not_found");
        CHECK(got.error().problems()[0].id == "0be1a77e4c2c4a1f9d5e6b7a8c9d0e1f");
        CHECK(got.error().problems()[0].status == "404");
    });
}

TEST_CASE("an id that could change the path of a group mapping is refused before anything is sent")
{
    support::check_bad_ids("id", [](client cloud, std::string const& id) {
        return sso::group_mappings(cloud).get(id);
    });
    support::check_bad_ids("id", [](client cloud, std::string const& id) {
        return sso::group_mappings(cloud).remove(id);
    });
    support::check_bad_ids("id", [](client cloud, std::string const& id) {
        return sso::group_mappings(cloud).update(id, sso::update_group_mapping());
    });
}

TEST_CASE("any other id of a group mapping is percent-encoded")
{
    support::check_odd_ids(all_path + "/", "", [](client cloud, std::string const& id) {
        return sso::group_mappings(cloud).get(id);
    });
    support::check_odd_ids(all_path + "/", "", [](client cloud, std::string const& id) {
        return sso::group_mappings(cloud).update(id, sso::update_group_mapping());
    });
}

TEST_CASE("a listing of group mappings takes the token of the next link to its own endpoint")
{
    auto wire = support::script();
    wire->reply(200, answer("page_first.json")).reply(200, answer("page_last.json"));
    std::vector<std::string> ids;
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        sso::group_mappings mappings(cloud);
        auto all = mappings.list();
        while (auto mapping = co_await or_throw(all.next()))
            ids.push_back(mapping->id);
    });
    CHECK(ids == list_of("group-w4vP", "group-qXk2", "group-N6p0w"));
    CHECK(
        sent(*wire) ==
        list_of(
            bare("GET " + all_path + "?page_size=100"), bare("GET " + all_path + "?page_size=100&page_token=eyJ%3D%3D")
        )
    );
    for (auto const& each : wire->requests())
        CHECK(each.to == ccloud::origin(true, "api.example.test", 443));
}

TEST_CASE("a listing of group mappings ends where next is absent, with or without data")
{
    CHECK(read_pages({"page_bare.json"}).size() == 1);
    CHECK(read_pages({"page_last.json"}).size() == 1);
    CHECK(read_pages({"page_empty.json"}).empty());
    CHECK(read_pages({"page_null.json"}).empty());
    CHECK(read_pages({"page_first.json", "page_null.json"}).size() == 2);
}

TEST_CASE("the items of a listing of group mappings are whole")
{
    auto const all = read_pages({"page_first.json", "page_last.json"});
    REQUIRE(all.size() == 3);
    CHECK(all[0].metadata.created_at == utc(2023, 12, 10, 8, 9, 46, 464'541'000));
    CHECK(all[0].description == "everyone");
    CHECK(all[1].filter == "\"ops\" in groups");
    CHECK(all[2].display_name == "Everybody");
    CHECK(all[2].state == sso::group_mapping_state_words::enabled);
}

TEST_CASE("a next link of group mappings without a token is an error and not the end")
{
    auto wire = support::script();
    wire->reply(200, answer("page_next_without_token.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        sso::group_mappings mappings(cloud);
        auto all = co_await mappings.list().collect();
        REQUIRE(!all.has_value());
        CHECK(all.error() == errc::page_link_without_token);
    });
}

TEST_CASE("members of a group mapping that this library does not know pass by")
{
    auto const mapping = read("unknown_members.json");
    CHECK(mapping.id == "group-w4vP");
    CHECK(mapping.display_name == "Default");
    CHECK(mapping.filter == "true");
    CHECK(mapping.principal == "group-w4vP");
    CHECK(mapping.state == sso::group_mapping_state_words::enabled);
}

TEST_CASE("a state of a group mapping that this library does not know is kept as it is")
{
    auto const mapping = read("unknown_state.json");
    CHECK(mapping.state == "DISABLED");
    CHECK(!(mapping.state == sso::group_mapping_state_words::enabled));
}

TEST_CASE("members of a group mapping that are absent, null or empty leave their defaults")
{
    for (std::string const name : {"absent_members.json", "null_members.json", "empty_members.json"})
    {
        CAPTURE(name);
        auto const mapping = read(name);
        CHECK(mapping.id == "group-w4vP");
        CHECK(mapping.api_version.empty());
        CHECK(mapping.kind.empty());
        CHECK(mapping.metadata.self.empty());
        CHECK(mapping.display_name.empty());
        CHECK(mapping.description.empty());
        CHECK(mapping.filter.empty());
        CHECK(mapping.principal.empty());
        CHECK(mapping.state.empty());
    }
}

TEST_CASE("times of group mappings are read to the nanosecond, and a bad one costs nothing else")
{
    auto const all = read_pages({"timestamps.json"});
    REQUIRE(all.size() == 3);
    CHECK(all[0].metadata.created_at == utc(2023, 12, 10, 8, 9, 46));
    CHECK(all[0].metadata.updated_at == utc(2023, 12, 10, 8, 9, 46, 464'540'000));
    CHECK(all[1].metadata.created_at == utc(2023, 12, 10, 8, 9, 46, 464'541'987));
    CHECK(all[1].metadata.updated_at == utc(2023, 12, 10, 8, 9, 46));
    CHECK(!all[2].metadata.created_at.has_value());
    CHECK(all[2].metadata.updated_at == utc(2023, 12, 10, 8, 9, 46));
}
