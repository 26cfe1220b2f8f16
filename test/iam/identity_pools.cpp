#include <ccloud/iam/identity_pools.hpp>

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
namespace iam = ccloud::iam;

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

std::string const all_path = "/iam/v2/identity-providers/op-4EY/identity-pools";
std::string const one_path = "/iam/v2/identity-providers/op-4EY/identity-pools/pool-AzXR";

std::string answer(std::string const& name)
{
    return support::fixture("iam/identity_pools/" + name);
}

support::refusal not_found()
{
    return support::refusal(
        404, "iam/identity_pools/not_found.json", condition::not_found,
        "Provider op-537 either doesn't exist or is not active"
    );
}

iam::create_identity_pool a_pool()
{
    return iam::create_identity_pool("CI", "claims.sub", "true");
}

/** Reads one pool from a fixture. */
iam::identity_pool read(std::string const& name)
{
    iam::identity_pool pool;
    auto wire = support::script();
    wire->reply(200, answer(name));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::identity_pools pools(cloud, "op-4EY");
        pool = co_await or_throw(pools.get("pool-AzXR"));
    });
    return pool;
}

/** Reads a listing from fixtures, one a page. */
std::vector<iam::identity_pool> read_pages(std::vector<std::string> const& names)
{
    std::vector<iam::identity_pool> all;
    auto wire = support::script();
    for (auto const& name : names)
        wire->reply(200, answer(name));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::identity_pools pools(cloud, "op-4EY");
        all = co_await or_throw(pools.list().collect());
    });
    return all;
}

/** The text of the request that an update makes. */
std::string update_text(iam::update_identity_pool const& changes)
{
    auto wire = support::script();
    wire->reply(200, answer("updated.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::identity_pools pools(cloud, "op-4EY");
        auto changed = co_await pools.update("pool-AzXR", changes);
        REQUIRE(changed.has_value());
    });
    return support::text(wire->requests().front());
}

/** The text of the request that a create makes. */
std::string create_text(iam::create_identity_pool const& pool)
{
    auto wire = support::script();
    wire->reply(201, answer("created.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::identity_pools pools(cloud, "op-4EY");
        auto made = co_await pools.create(pool);
        REQUIRE(made.has_value());
    });
    return support::text(wire->requests().front());
}

} // namespace

TEST_CASE("creating an identity pool posts its four members below its provider, and reads the pool of the 201")
{
    auto wire = support::script();
    wire->reply(201, answer("created.json"))
        .header("Location", "/iam/v2/identity-providers/op-4EY/identity-pools/pool-O01qJ")
        .header("X-Request-Id", "req-1");
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::identity_pools pools(cloud, "op-4EY");
        CHECK(pools.provider_id() == "op-4EY");
        auto made = co_await pools.create(
            iam::create_identity_pool("CI", "claims.sub", "claims.iss==\"ci\"").description("for the build")
        );
        REQUIRE(made.has_value());
        CHECK(made.response().status() == 201);
        CHECK(made.response().request_id() == "req-1");
        CHECK(made.response().location() == "/iam/v2/identity-providers/op-4EY/identity-pools/pool-O01qJ");
        CHECK(made->id == "pool-O01qJ");
        CHECK(made->display_name == "CI");
        CHECK(made->description.empty());
        CHECK(made->filter == "claims.iss==\"ci\"");
        CHECK(made->metadata.created_at == utc(2024, 5, 6, 7, 8, 9));
    });
    CHECK(
        sent(*wire) ==
        list_of(with_json(
            "POST " + all_path, R"({"display_name":"CI","description":"for the build","identity_claim":"claims.sub",)"
                                R"("filter":"claims.iss==\"ci\""})"
        ))
    );
    CHECK(wire->requests().front().to == ccloud::origin(true, "api.example.test", 443));
}

TEST_CASE("an identity pool without a description is created with an empty one")
{
    CHECK(
        create_text(a_pool()) ==
        with_json(
            "POST " + all_path,
            R"({"display_name":"CI","description":"","identity_claim":"claims.sub","filter":"true"})"
        )
    );
}

TEST_CASE("the owner of a new identity pool is a query parameter, sent only where it is named, and encoded")
{
    std::string const body = R"({"display_name":"CI","description":"","identity_claim":"claims.sub","filter":"true"})";
    CHECK(
        create_text(a_pool().assigned_resource_owner("u-4vxd0g")) ==
        with_json("POST " + all_path + "?assigned_resource_owner=u-4vxd0g", body)
    );
    CHECK(
        create_text(a_pool().assigned_resource_owner("u 1&page_size=1#/ü")) ==
        with_json("POST " + all_path + "?assigned_resource_owner=u%201%26page_size%3D1%23%2F%C3%BC", body)
    );
}

TEST_CASE("filters of an identity pool go as they are, escaped as JSON and nothing more")
{
    CHECK(
        create_text(iam::create_identity_pool(
            "Büro", "claims.sub", "claims.aud==\"confluent\" && claims.group!='\\d' || claims.name==\"日本\t<x>\""
        )) ==
        with_json(
            "POST " + all_path,
            R"({"display_name":"Büro","description":"","identity_claim":"claims.sub",)"
            R"("filter":"claims.aud==\"confluent\" && claims.group!='\\d' || claims.name==\"日本\t<x>\""})"
        )
    );
}

TEST_CASE("no length of a filter is too great for this side")
{
    std::string const filter(4000, 'x');
    auto const text = create_text(iam::create_identity_pool("a", "claims.sub", filter));
    CHECK(text.find(filter) != std::string::npos);
}

TEST_CASE("an identity pool is read field by field")
{
    auto wire = support::script();
    wire->reply(200, answer("one.json")).header("Content-Type", "application/json; charset=utf-8");
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::identity_pools pools(cloud, "op-4EY");
        auto got = co_await pools.get("pool-AzXR");
        REQUIRE(got.has_value());
        CHECK(got.response().status() == 200);
        CHECK(got->api_version == "iam/v2");
        CHECK(got->kind == "IdentityPool");
        CHECK(got->id == "pool-AzXR");
        CHECK(
            got->metadata.self ==
            "https://confluent.cloud/api/iam/v2/identity-providers/op-4EY/identity-pools/pool-AzXR"
        );
        CHECK(
            got->metadata.resource_name == "crn://confluent.cloud/organization=1111aaaa-11aa-11aa-11aa-"
                                           "111111aaaaaa/identity-provider=op-4EY/identity-pool=pool-AzXR"
        );
        CHECK(got->metadata.created_at == utc(2022, 8, 17, 20, 54, 6, 219'057'000));
        CHECK(got->metadata.updated_at == utc(2023, 3, 14, 2, 13, 22, 35'970'000));
        CHECK(got->display_name == "My Identity Pool");
        CHECK(got->description == "Prod access");
        CHECK(got->identity_claim == "claims.sub");
        CHECK(got->filter == "claims.aud==\"confluent\" && claims.group!=\"invalid_group\"");
        CHECK(got->principal == "pool-AzXR");
        CHECK(got->state == iam::identity_pool_state_words::enabled);
    });
    CHECK(sent(*wire) == list_of(bare("GET " + one_path)));
}

TEST_CASE("updating an identity pool sends what was touched and nothing else")
{
    std::string const line = "PATCH " + one_path;
    using update = iam::update_identity_pool;
    CHECK(update_text(update()) == with_json(line, "{}"));
    CHECK(update_text(update().display_name("a")) == with_json(line, R"({"display_name":"a"})"));
    CHECK(update_text(update().description("")) == with_json(line, R"({"description":""})"));
    CHECK(update_text(update().description(ccloud::clear)) == with_json(line, R"({"description":null})"));
    CHECK(
        update_text(update().identity_claim("claims.email")) == with_json(line, R"({"identity_claim":"claims.email"})")
    );
    CHECK(update_text(update().filter("a==\"b\" && \"ü\"")) == with_json(line, R"({"filter":"a==\"b\" && \"ü\""})"));
    CHECK(
        update_text(update().filter("f").identity_claim("c").description("d").display_name("n")) ==
        with_json(line, R"({"display_name":"n","description":"d","identity_claim":"c","filter":"f"})")
    );
}

TEST_CASE("a touched member of an update can be left alone again")
{
    CHECK(
        update_text(iam::update_identity_pool().filter("f").description("d").filter({})) ==
        with_json("PATCH " + one_path, R"({"description":"d"})")
    );
}

TEST_CASE("updating an identity pool reads the pool of the 200")
{
    auto wire = support::script();
    wire->reply(200, answer("updated.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::identity_pools pools(cloud, "op-4EY");
        auto changed = co_await pools.update("pool-AzXR", iam::update_identity_pool().display_name("Renamed"));
        REQUIRE(changed.has_value());
        CHECK(changed.response().status() == 200);
        CHECK(changed->display_name == "Renamed");
        CHECK(changed->identity_claim == "claims.email");
        CHECK(!changed->metadata.updated_at.has_value());
    });
}

TEST_CASE("removing an identity pool is a DELETE without a body, answered by 204")
{
    auto wire = support::script();
    wire->reply(204);
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::identity_pools pools(cloud, "op-4EY");
        auto gone = co_await pools.remove("pool-AzXR");
        REQUIRE(gone.has_value());
        CHECK(!gone->already_gone);
        CHECK(gone.response().status() == 204);
    });
    CHECK(sent(*wire) == list_of(bare("DELETE " + one_path)));
}

TEST_CASE("an identity pool that a repeated DELETE does not find was already gone; at first it is an error")
{
    for (bool const repeated : {false, true})
    {
        CAPTURE(repeated);
        auto wire = support::script();
        if (repeated)
            wire->fail(errc::attempt_timeout, progress::maybe_sent);
        support::script_refusal(*wire, not_found());
        with_client(wire, [&](client cloud) -> asio::awaitable<void> {
            iam::identity_pools pools(cloud, "op-4EY");
            auto gone = co_await pools.remove("pool-AzXR");
            REQUIRE(gone.has_value() == repeated);
            if (repeated)
                CHECK(gone->already_gone);
            else
                CHECK(gone.error() == condition::not_found);
        });
    }
}

TEST_CASE("creating an identity pool is never repeated once it may have been executed, for names are not unique")
{
    for (int const status : {0, 500, 503})
    {
        CAPTURE(status);
        auto wire = support::script();
        if (status == 0)
            wire->fail(errc::connection_lost, progress::maybe_sent);
        else
            wire->reply(status);
        with_client(wire, [&](client cloud) -> asio::awaitable<void> {
            iam::identity_pools pools(cloud, "op-4EY");
            auto made = co_await pools.create(a_pool());
            REQUIRE(!made.has_value());
            CHECK(made.error().status() == status);
        });
        CHECK(wire->requests().size() == 1);
    }
}

TEST_CASE("every refusal of an identity pool keeps the server's words")
{
    SUBCASE("of a create")
    {
        support::check_refusals(
            support::refusals({400, 401, 402, 403, 409, 422, 429, 500}, not_found()), method::post, all_path,
            [](client cloud) {
                return iam::identity_pools(cloud, "op-4EY").create(a_pool().assigned_resource_owner("u-1"));
            }
        );
    }
    SUBCASE("of a read")
    {
        support::check_refusals(
            support::refusals({400, 401, 403, 429, 500}, not_found()), method::get, one_path,
            [](client cloud) { return iam::identity_pools(cloud, "op-4EY").get("pool-AzXR"); }
        );
    }
    SUBCASE("of a listing")
    {
        support::check_refusals(
            support::refusals({400, 401, 403, 429, 500}, not_found()), method::get, all_path,
            [](client cloud) { return iam::identity_pools(cloud, "op-4EY").list().next(); }
        );
    }
    SUBCASE("of an update")
    {
        support::check_refusals(
            support::refusals({400, 401, 402, 403, 409, 422, 429, 500}, not_found()), method::patch, one_path,
            [](client cloud) {
                return iam::identity_pools(cloud, "op-4EY")
                    .update("pool-AzXR", iam::update_identity_pool().filter("true"));
            }
        );
    }
    SUBCASE("of a removal")
    {
        support::check_refusals(
            support::refusals({400, 401, 403, 429, 500}, not_found()), method::del, one_path,
            [](client cloud) { return iam::identity_pools(cloud, "op-4EY").remove("pool-AzXR"); }
        );
    }
}

TEST_CASE("an id that could change the path of an identity pool is refused before anything is sent")
{
    support::check_bad_ids("id", [](client cloud, std::string const& id) {
        return iam::identity_pools(cloud, "op-4EY").get(id);
    });
    support::check_bad_ids("id", [](client cloud, std::string const& id) {
        return iam::identity_pools(cloud, "op-4EY").remove(id);
    });
    support::check_bad_ids("id", [](client cloud, std::string const& id) {
        return iam::identity_pools(cloud, "op-4EY").update(id, iam::update_identity_pool());
    });
}

TEST_CASE("a provider id that could change the path makes every call an invalid argument")
{
    support::check_bad_ids("provider_id", [](client cloud, std::string const& provider) {
        return iam::identity_pools(cloud, provider).create(a_pool());
    });
    support::check_bad_ids("provider_id", [](client cloud, std::string const& provider) {
        return iam::identity_pools(cloud, provider).get("pool-1");
    });
    support::check_bad_ids("provider_id", [](client cloud, std::string const& provider) {
        return iam::identity_pools(cloud, provider).list().next();
    });
    support::check_bad_ids("provider_id", [](client cloud, std::string const& provider) {
        return iam::identity_pools(cloud, provider).update("pool-1", iam::update_identity_pool());
    });
    support::check_bad_ids("provider_id", [](client cloud, std::string const& provider) {
        return iam::identity_pools(cloud, provider).remove("pool-1");
    });
}

TEST_CASE("any other id of a pool or a provider is percent-encoded")
{
    support::check_odd_ids(all_path + "/", "", [](client cloud, std::string const& id) {
        return iam::identity_pools(cloud, "op-4EY").get(id);
    });
    support::check_odd_ids(
        "/iam/v2/identity-providers/", "/identity-pools/pool-1",
        [](client cloud, std::string const& provider) { return iam::identity_pools(cloud, provider).remove("pool-1"); }
    );
    support::check_odd_ids(
        "/iam/v2/identity-providers/", "/identity-pools?page_size=100",
        [](client cloud, std::string const& provider) { return iam::identity_pools(cloud, provider).list().next(); }
    );
}

TEST_CASE("a listing of identity pools takes the token of the next link to its own endpoint and path")
{
    auto wire = support::script();
    wire->reply(200, answer("page_first.json")).reply(200, answer("page_last.json"));
    std::vector<std::string> ids;
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::identity_pools pools(cloud, "op-4EY");
        auto all = pools.list({.page_size = 50});
        while (auto pool = co_await or_throw(all.next()))
            ids.push_back(pool->id);
    });
    CHECK(ids == list_of("pool-AzXR", "pool-bQ7z", "group-N6p0w"));
    CHECK(
        sent(*wire) ==
        list_of(
            bare("GET " + all_path + "?page_size=50"), bare("GET " + all_path + "?page_size=50&page_token=eyJ%3D%3D")
        )
    );
    for (auto const& each : wire->requests())
        CHECK(each.to == ccloud::origin(true, "api.example.test", 443));
}

TEST_CASE("a listing of identity pools ends where next is absent or null, with or without data")
{
    CHECK(read_pages({"page_bare.json"}).size() == 1);
    CHECK(read_pages({"page_last.json"}).size() == 1);
    CHECK(read_pages({"page_empty.json"}).empty());
    CHECK(read_pages({"page_null.json"}).empty());
    CHECK(read_pages({"page_first.json", "page_null.json"}).size() == 2);
}

TEST_CASE("the items of a listing of identity pools are whole")
{
    auto const all = read_pages({"page_first.json", "page_last.json"});
    REQUIRE(all.size() == 3);
    CHECK(all[0].metadata.created_at == utc(2022, 8, 17, 20, 54, 6, 219'057'000));
    CHECK(all[0].filter == "claims.aud==\"confluent\"");
    CHECK(all[1].description == "the same name again");
    CHECK(all[1].display_name == all[0].display_name);
    CHECK(all[2].filter == "\"engineering\" in groups");
    CHECK(all[2].principal == "group-N6p0w");
    CHECK(all[2].state == iam::identity_pool_state_words::enabled);
}

TEST_CASE("a next link of identity pools without a token is an error and not the end")
{
    auto wire = support::script();
    wire->reply(200, answer("page_next_without_token.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::identity_pools pools(cloud, "op-4EY");
        auto all = co_await pools.list().collect();
        REQUIRE(!all.has_value());
        CHECK(all.error() == errc::page_link_without_token);
    });
}

TEST_CASE("members of an identity pool that this library does not know pass by")
{
    auto const pool = read("unknown_members.json");
    CHECK(pool.id == "pool-AzXR");
    CHECK(pool.display_name == "My Identity Pool");
    CHECK(pool.description == "Prod access");
    CHECK(pool.principal == "pool-AzXR");
    CHECK(pool.state == iam::identity_pool_state_words::enabled);
}

TEST_CASE("a state of an identity pool that this library does not know is kept as it is")
{
    auto const pool = read("unknown_state.json");
    CHECK(pool.state == "SUSPENDED_BY_POLICY");
    CHECK(pool.state.str() == "SUSPENDED_BY_POLICY");
    CHECK(!(pool.state == iam::identity_pool_state_words::enabled));
}

TEST_CASE("members of an identity pool that are absent, null or empty leave their defaults")
{
    for (std::string const name : {"absent_members.json", "null_members.json", "empty_members.json"})
    {
        CAPTURE(name);
        auto const pool = read(name);
        CHECK(pool.id == "pool-AzXR");
        CHECK(pool.kind.empty());
        CHECK(pool.metadata.self.empty());
        CHECK(!pool.metadata.created_at.has_value());
        CHECK(pool.display_name.empty());
        CHECK(pool.description.empty());
        CHECK(pool.identity_claim.empty());
        CHECK(pool.filter.empty());
        CHECK(pool.principal.empty());
        CHECK(pool.state.empty());
    }
}

TEST_CASE("times of identity pools are read to the nanosecond, and a bad one costs nothing else")
{
    auto const all = read_pages({"timestamps.json"});
    REQUIRE(all.size() == 3);
    CHECK(all[0].metadata.created_at == utc(2022, 8, 17, 20, 54, 6));
    CHECK(all[0].metadata.updated_at == utc(2022, 8, 17, 20, 54, 6));
    CHECK(all[1].metadata.created_at == utc(2023, 3, 14, 2, 13, 22, 35'970'000));
    CHECK(!all[1].metadata.updated_at.has_value());
    CHECK(all[2].metadata.created_at == utc(2023, 3, 14, 2, 13, 22, 1));
}
