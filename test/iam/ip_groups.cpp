#include <ccloud/iam/ip_groups.hpp>

#include "client.hpp"
#include "fixture.hpp"
#include "printers.hpp"
#include "refusals.hpp"
#include "utc.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
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

std::string answer(std::string const& name)
{
    return support::fixture("iam/ip_groups/" + name);
}

support::refusal not_found()
{
    return support::refusal(404, "iam/ip_groups/not_found.json", condition::not_found, "IP group not found: not found");
}

/** Reads one group from a fixture. */
iam::ip_group read(std::string const& name)
{
    iam::ip_group group;
    auto wire = support::script();
    wire->reply(200, answer(name));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        group = co_await or_throw(iam::ip_groups(cloud).get("ipg-wyorq"));
    });
    return group;
}

/** Reads a listing from fixtures, one a page. */
std::vector<iam::ip_group> read_pages(std::vector<std::string> const& names)
{
    std::vector<iam::ip_group> all;
    auto wire = support::script();
    for (auto const& name : names)
        wire->reply(200, answer(name));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        all = co_await or_throw(iam::ip_groups(cloud).list().collect());
    });
    return all;
}

/** The error of reading one group from a text. */
ccloud::error unreadable(std::string text)
{
    ccloud::error failure;
    auto wire = support::script();
    wire->reply(200, std::move(text)).header("X-Request-Id", "req-7");
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto got = co_await iam::ip_groups(cloud).get("ipg-wyorq");
        REQUIRE(!got.has_value());
        failure = got.error();
    });
    return failure;
}

} // namespace

TEST_CASE("creating an IP group posts name and blocks and reads the group of the 201")
{
    auto wire = support::script();
    wire->reply(201, answer("created.json"))
        .header("Location", "https://confluent.cloud/iam/v2/ip-groups/ipg-9x3kd")
        .header("X-Request-Id", "req-1");
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        iam::create_ip_group wanted("Büro \"Köln\"");
        wanted.cidr_block("10.0.0.0/8", "203.0.113.7/32");
        auto made = co_await groups.create(wanted);
        REQUIRE(made.has_value());
        CHECK(made.response().status() == 201);
        CHECK(made.response().attempts() == 1);
        CHECK(made.response().request_id() == "req-1");
        CHECK(made.response().location() == "https://confluent.cloud/iam/v2/ip-groups/ipg-9x3kd");
        CHECK(made->id == "ipg-9x3kd");
        CHECK(made->group_name == "Büro \"Köln\"");
        CHECK(made->cidr_blocks == list_of("10.0.0.0/8", "203.0.113.7/32"));
        CHECK(made->metadata.created_at == utc(2025, 11, 3, 9, 0, 0, 500'000'000));
    });
    CHECK(
        sent(*wire) ==
        list_of(with_json(
            "POST /iam/v2/ip-groups", R"({"group_name":"Büro \"Köln\"","cidr_blocks":["10.0.0.0/8","203.0.113.7/32"]})"
        ))
    );
    CHECK(wire->requests().front().to == ccloud::origin(true, "api.example.test", 443));
}

TEST_CASE("any success status of a create counts, for gateways change them")
{
    for (int const status : {200, 201, 202})
    {
        CAPTURE(status);
        auto wire = support::script();
        wire->reply(status, answer("created.json"));
        with_client(wire, [&](client cloud) -> asio::awaitable<void> {
            auto made = co_await iam::ip_groups(cloud).create(iam::create_ip_group("a").cidr_block("10.0.0.0/8"));
            REQUIRE(made.has_value());
            CHECK(made.response().status() == status);
            CHECK(made.response().location().empty());
        });
    }
}

TEST_CASE("the text of a create is escaped as JSON and nothing more")
{
    auto wire = support::script();
    wire->reply(201, answer("created.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        std::string name = "\" \\ / \b\f\n\r\t & <b> ü 日 🚀 \x01\x1f";
        name += '\0';
        auto made = co_await iam::ip_groups(cloud).create(iam::create_ip_group(name));
        CHECK(made.has_value());
    });
    CHECK(
        sent(*wire) == list_of(with_json(
                           "POST /iam/v2/ip-groups",
                           R"({"group_name":"\" \\ / \b\f\n\r\t & <b> ü 日 🚀 \u0001\u001f\u0000","cidr_blocks":[]})"
                       ))
    );
}

TEST_CASE("no rule of the server is checked before it: an IP group may be sent without name and blocks")
{
    auto wire = support::script();
    wire->reply(400, answer("empty_cidr_block.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto made = co_await iam::ip_groups(cloud).create(iam::create_ip_group(""));
        REQUIRE(!made.has_value());
        CHECK(made.error() == condition::invalid_request);
    });
    CHECK(sent(*wire) == list_of(with_json("POST /iam/v2/ip-groups", R"({"group_name":"","cidr_blocks":[]})")));
}

TEST_CASE("an IP group is read field by field")
{
    auto wire = support::script();
    wire->reply(200, answer("one.json")).header("Content-Type", "application/json; charset=utf-8");
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        auto got = co_await groups.get("ipg-wyorq");
        REQUIRE(got.has_value());
        CHECK(got.response().status() == 200);
        CHECK(got->api_version == "iam/v2");
        CHECK(got->kind == "IpGroup");
        CHECK(got->id == "ipg-wyorq");
        CHECK(got->metadata.self == "https://confluent.cloud/iam/v2/ip-groups/ipg-wyorq");
        CHECK(
            got->metadata.resource_name ==
            "crn://confluent.cloud/organization=1111aaaa-11aa-11aa-11aa-111111aaaaaa/ip-group=ipg-wyorq"
        );
        CHECK(got->metadata.created_at == utc(2025, 7, 22, 12, 21, 26, 295'975'000));
        CHECK(got->metadata.updated_at == utc(2025, 7, 22, 12, 23, 5, 109'445'000));
        CHECK(!got->metadata.deleted_at.has_value());
        CHECK(got->group_name == "CorpNet");
        CHECK(got->cidr_blocks == list_of("192.168.0.0/24", "192.168.7.0/24"));
    });
    CHECK(sent(*wire) == list_of(bare("GET /iam/v2/ip-groups/ipg-wyorq")));
}

TEST_CASE("updating an IP group sends name and blocks, for this PATCH is no merge")
{
    auto wire = support::script();
    wire->reply(200, answer("updated.json")).reply(200, answer("updated.json")).reply(200, answer("updated.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        auto changed = co_await groups.update("ipg-wyorq", iam::update_ip_group("CorpNet 2", "192.168.0.0/24"));
        REQUIRE(changed.has_value());
        CHECK(changed.response().status() == 200);
        CHECK(changed->group_name == "CorpNet 2");
        CHECK(changed->cidr_blocks == list_of("192.168.0.0/24"));
        CHECK(changed->metadata.updated_at == utc(2025, 7, 23, 7));

        // Read, modify, write: what was read goes back whole.
        changed = co_await groups.update("ipg-wyorq", iam::update_ip_group(*changed).cidr_block("10.1.0.0/16"));
        REQUIRE(changed.has_value());
        changed = co_await groups.update("ipg-wyorq", iam::update_ip_group(*changed).group_name("Renamed"));
        REQUIRE(changed.has_value());
    });
    std::string const line = "PATCH /iam/v2/ip-groups/ipg-wyorq";
    CHECK(
        sent(*wire) ==
        list_of(
            with_json(line, R"({"group_name":"CorpNet 2","cidr_blocks":["192.168.0.0/24"]})"),
            with_json(line, R"({"group_name":"CorpNet 2","cidr_blocks":["192.168.0.0/24","10.1.0.0/16"]})"),
            with_json(line, R"({"group_name":"Renamed","cidr_blocks":["192.168.0.0/24"]})")
        )
    );
}

TEST_CASE("removing an IP group is a DELETE without a body, answered by 204")
{
    auto wire = support::script();
    wire->reply(204).header("X-Request-Id", "req-9");
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        auto gone = co_await groups.remove("ipg-wyorq");
        REQUIRE(gone.has_value());
        CHECK(!gone->already_gone);
        CHECK(gone.response().status() == 204);
        CHECK(gone.response().request_id() == "req-9");
    });
    CHECK(sent(*wire) == list_of(bare("DELETE /iam/v2/ip-groups/ipg-wyorq")));
}

TEST_CASE("the body of a successful DELETE does not matter")
{
    for (std::string_view const body : {"", "{}", R"({"error":null})", "OK"})
    {
        CAPTURE(body);
        auto wire = support::script();
        wire->reply(200, std::string(body));
        with_client(wire, [&](client cloud) -> asio::awaitable<void> {
            auto gone = co_await iam::ip_groups(cloud).remove("ipg-wyorq");
            CHECK(gone.has_value());
        });
    }
}

TEST_CASE("a DELETE that is repeated after a lost answer and finds nothing says that it was already gone")
{
    auto wire = support::script();
    wire->fail(errc::connection_lost, progress::maybe_sent);
    support::script_refusal(*wire, not_found());
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto gone = co_await iam::ip_groups(cloud).remove("ipg-wyorq");
        REQUIRE(gone.has_value());
        CHECK(gone->already_gone);
        CHECK(gone.response().attempts() == 2);
    });
    std::string const line = bare("DELETE /iam/v2/ip-groups/ipg-wyorq");
    CHECK(sent(*wire) == list_of(line, line));
}

TEST_CASE("a DELETE that is repeated and succeeds did not find it gone")
{
    auto wire = support::script();
    wire->fail(errc::connection_lost, progress::maybe_sent).reply(204);
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto gone = co_await iam::ip_groups(cloud).remove("ipg-wyorq");
        REQUIRE(gone.has_value());
        CHECK(!gone->already_gone);
    });
}

TEST_CASE("a DELETE that finds nothing at first is an error, also where earlier tries never reached the server")
{
    for (bool const refused_before : {false, true})
    {
        CAPTURE(refused_before);
        auto wire = support::script();
        if (refused_before)
            wire->fail(errc::connect_failed, progress::not_sent);
        support::script_refusal(*wire, not_found());
        with_client(wire, [&](client cloud) -> asio::awaitable<void> {
            auto gone = co_await iam::ip_groups(cloud).remove("ipg-wyorq");
            REQUIRE(!gone.has_value());
            CHECK(gone.error() == condition::not_found);
            CHECK(gone.error() == condition::gone);
        });
    }
}

TEST_CASE("creating an IP group is never repeated once it may have been executed")
{
    auto wire = support::script();
    wire->fail(errc::connection_lost, progress::maybe_sent);
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto made = co_await iam::ip_groups(cloud).create(iam::create_ip_group("a").cidr_block("10.0.0.0/8"));
        REQUIRE(!made.has_value());
        CHECK(made.error() == errc::connection_lost);
        CHECK(made.error() == condition::network);
        CHECK(made.error().progress() == progress::maybe_sent);
        CHECK(made.error().gave_up() == ccloud::gave_up::not_retryable);
    });
    CHECK(wire->requests().size() == 1);
}

TEST_CASE("updating an IP group is repeated with the same bytes after a lost answer")
{
    auto wire = support::script();
    wire->fail(errc::connection_lost, progress::maybe_sent).reply(503).reply(200, answer("updated.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto changed = co_await iam::ip_groups(cloud).update("ipg-1", iam::update_ip_group("a", "10.0.0.0/8"));
        REQUIRE(changed.has_value());
        CHECK(changed.response().attempts() == 3);
    });
    auto const once = with_json("PATCH /iam/v2/ip-groups/ipg-1", R"({"group_name":"a","cidr_blocks":["10.0.0.0/8"]})");
    CHECK(sent(*wire) == list_of(once, once, once));
}

TEST_CASE("every refusal of an IP group keeps the server's words")
{
    std::string const all = "/iam/v2/ip-groups";
    std::string const one = "/iam/v2/ip-groups/ipg-1";
    SUBCASE("of a create")
    {
        support::check_refusals(
            support::refusals({400, 401, 402, 403, 409, 422, 429, 500}), method::post, all,
            [](client cloud) {
                return iam::ip_groups(cloud).create(iam::create_ip_group("a").cidr_block("10.0.0.0/8"));
            }
        );
    }
    SUBCASE("of a read")
    {
        support::check_refusals(
            support::refusals({400, 401, 403, 429, 500}, not_found()), method::get, one,
            [](client cloud) { return iam::ip_groups(cloud).get("ipg-1"); }
        );
    }
    SUBCASE("of a listing")
    {
        support::check_refusals(support::refusals({400, 401, 403, 429, 500}), method::get, all, [](client cloud) {
            return iam::ip_groups(cloud).list().next();
        });
    }
    SUBCASE("of an update")
    {
        support::check_refusals(
            support::refusals({400, 401, 402, 403, 409, 422, 429, 500}, not_found()), method::patch, one,
            [](client cloud) { return iam::ip_groups(cloud).update("ipg-1", iam::update_ip_group("a", "10.0.0.0/8")); }
        );
    }
    SUBCASE("of a removal")
    {
        support::check_refusals(
            support::refusals({400, 401, 403, 429, 500}, not_found()), method::del, one,
            [](client cloud) { return iam::ip_groups(cloud).remove("ipg-1"); }
        );
    }
    SUBCASE("that would lock the caller out")
    {
        support::refusal const locked(
            400, "iam/ip_groups/lock_out.json", condition::invalid_request,
            "this action would lock out the requester from IP address 203.0.113.7"
        );
        support::check_refusals({locked}, method::patch, one, [](client cloud) {
            return iam::ip_groups(cloud).update("ipg-1", iam::update_ip_group("a", "10.0.0.0/8"));
        });
    }
}

TEST_CASE("a refusal is understood in every shape that the services use, and none hides the status")
{
    struct row
    {
        int status;
        std::string file;
        condition means;
        std::string detail; // empty: no complaint can be read
        std::string code;
    };
    std::vector<row> const rows{
        {404, "a_errors_without_code.json", condition::not_found, "IP group not found: not found", ""},
        {404, "b_misleading_code.json", condition::not_found, "Service Account Not Found", "service_account_not_found"},
        {404, "c_error_code_and_message.json", condition::not_found,
         "Provider op-537 either doesn't exist or is not active", "404"},
        {403, "c_five_digit_code.json", condition::forbidden, "User is denied operation Describe on this resource",
         "40301"},
        {404, "d_error_object.json", condition::not_found, "no route for this path", "404"},
        {401, "d_error_object_short.json", condition::unauthenticated, "token is expired", "401"},
        {403, "e_message_only.json", condition::gone, "resource not found", ""},
        {404, "f_message_and_details.json", condition::not_found, "The resource does not exist; plattc-gz20xy",
         "RESOURCE_NOT_FOUND"},
        {400, "g_nested_error_with_request_id.json", condition::invalid_request, "page_size must be a number",
         "INVALID_PAGE_SIZE"},
        {500, "h_error_null.json", condition::server_failure, "", ""},
        {404, "i_empty", condition::not_found, "", ""},
        {502, "j_bad_gateway.html", condition::server_failure, "", ""},
        {503, "j_plain_text.txt", condition::server_failure, "", ""},
        {403, "k_gzip_without_header.json.gz", condition::forbidden, "", ""},
        {403, "k_before_gzip.json", condition::forbidden, "Forbidden Access", "forbidden_access"},
        {401, "l_unauthorized.json", condition::unauthenticated, "Unauthorized", ""},
        {400, "m_error_string.json", condition::invalid_request, "The client secret is wrong.", "invalid_client"},
        {403, "invalid_api_key_403.json", condition::unauthenticated,
         "403 forbidden: invalid API key for this operation", ""},
        {400, "quota_as_400.json", condition::quota_exceeded,
         "Your organization is currently limited to 10 environments", ""},
    };
    for (auto const& expected : rows)
    {
        CAPTURE(expected.file);
        auto const body = support::fixture("errors/" + expected.file);
        auto wire = support::script();
        wire->reply(expected.status, body).header("X-Request-Id", "req-5");
        with_client(
            wire,
            [&](client cloud) -> asio::awaitable<void> {
                auto got = co_await iam::ip_groups(cloud).get("ipg-1");
                REQUIRE(!got.has_value());
                auto const& failure = got.error();
                CHECK(failure == errc::http_status);
                CHECK(failure == expected.means);
                CHECK(failure.status() == expected.status);
                CHECK(failure.request_id() == "req-5");
                CHECK(failure.body() == body);
                CHECK(failure.what().find(std::to_string(expected.status)) != std::string::npos);
                REQUIRE(failure.problems().empty() == (expected.detail.empty() && expected.code.empty()));
                if (failure.problems().empty())
                    CHECK(!failure.detail().empty());
                else
                {
                    CHECK(failure.problems().front().detail == expected.detail);
                    CHECK(failure.problems().front().code == expected.code);
                }
            },
            support::impatient_config()
        );
    }
}

TEST_CASE("a refusal that complains of the API key does not mean that an IP group is gone")
{
    auto wire = support::script();
    wire->reply(403, support::fixture("errors/invalid_api_key_403.json"));
    wire->reply(403, support::fixture("errors/status/403.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        auto got = co_await groups.get("ipg-1");
        REQUIRE(!got.has_value());
        CHECK(!(got.error() == condition::gone));
        got = co_await groups.get("ipg-1");
        REQUIRE(!got.has_value());
        CHECK(got.error() == condition::gone);
        CHECK(!(got.error() == condition::not_found));
    });
}

TEST_CASE("an answer with many complaints keeps them all, each with its place")
{
    auto wire = support::script();
    wire->reply(422, support::fixture("errors/many_problems.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto made = co_await iam::ip_groups(cloud).create(iam::create_ip_group(""));
        REQUIRE(!made.has_value());
        auto const& problems = made.error().problems();
        REQUIRE(problems.size() == 3);
        CHECK(problems[0].pointer == "/group_name");
        CHECK(problems[0].title == "Invalid value");
        CHECK(problems[1].pointer == "/cidr_blocks/1");
        CHECK(problems[1].resolution == "Give a prefix length from 0 to 32");
        CHECK(problems[2].parameter == "page_size");
        CHECK(problems[2].status == "422");
        CHECK(problems[2].code.empty());
    });
}

TEST_CASE("a success that says error null is a success")
{
    auto wire = support::script();
    wire->reply(200, support::fixture("errors/h_error_null.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto gone = co_await iam::ip_groups(cloud).remove("ipg-1");
        CHECK(gone.has_value());
    });
}

TEST_CASE("an id that could change the path of an IP group is refused before anything is sent")
{
    support::check_bad_ids("id", [](client cloud, std::string const& id) { return iam::ip_groups(cloud).get(id); });
    support::check_bad_ids("id", [](client cloud, std::string const& id) { return iam::ip_groups(cloud).remove(id); });
    support::check_bad_ids("id", [](client cloud, std::string const& id) {
        return iam::ip_groups(cloud).update(id, iam::update_ip_group("a", "10.0.0.0/8"));
    });
}

TEST_CASE("any other id of an IP group is percent-encoded")
{
    support::check_odd_ids("/iam/v2/ip-groups/", "", [](client cloud, std::string const& id) {
        return iam::ip_groups(cloud).get(id);
    });
    support::check_odd_ids("/iam/v2/ip-groups/", "", [](client cloud, std::string const& id) {
        return iam::ip_groups(cloud).remove(id);
    });
}

TEST_CASE("a listing of IP groups takes the token of the next link to its own endpoint, and sends the page size again")
{
    auto wire = support::script();
    wire->reply(200, answer("page_first.json")).reply(200, answer("page_last.json"));
    std::vector<std::string> ids;
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        auto all = groups.list();
        CHECK(wire->requests().empty());
        while (auto group = co_await or_throw(all.next()))
            ids.push_back(group->id);
        CHECK(all.checkpoint().at_end());
    });
    CHECK(ids == list_of("ipg-none", "ipg-wyorq", "ipg-9x3kd"));
    CHECK(
        sent(*wire) == list_of(
                           bare("GET /iam/v2/ip-groups?page_size=100"),
                           bare("GET /iam/v2/ip-groups?page_size=100&page_token=eyJ%3D%3D")
                       )
    );
    for (auto const& each : wire->requests())
        CHECK(each.to == ccloud::origin(true, "api.example.test", 443));
}

TEST_CASE("a listing of IP groups keeps the path prefix of the endpoint")
{
    auto wire = support::script();
    wire->reply(200, answer("page_first.json")).reply(200, answer("page_last.json"));
    auto settings = support::test_config();
    settings.endpoint = "https://confluent.example/api/";
    with_client(
        wire,
        [&](client cloud) -> asio::awaitable<void> {
            auto all = co_await iam::ip_groups(cloud).list({.page_size = 2}).collect();
            REQUIRE(all.has_value());
            CHECK(all->size() == 3);
        },
        settings
    );
    CHECK(
        sent(*wire) == list_of(
                           bare("GET /api/iam/v2/ip-groups?page_size=2"),
                           bare("GET /api/iam/v2/ip-groups?page_size=2&page_token=eyJ%3D%3D")
                       )
    );
}

TEST_CASE("a page of IP groups tells the size of the whole listing")
{
    auto wire = support::script();
    wire->reply(200, answer("page_first.json")).header("X-Request-Id", "req-3");
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto all = iam::ip_groups(cloud).list();
        auto page = co_await all.next_page();
        REQUIRE(page.has_value());
        REQUIRE((*page).has_value());
        CHECK((*page)->items.size() == 2);
        CHECK((*page)->total_size == 3);
        CHECK((*page)->response.request_id() == "req-3");
        CHECK((*page)->items[0].group_name == "No Public Networks");
        CHECK((*page)->items[0].cidr_blocks.empty());
        CHECK((*page)->items[1].metadata.created_at == utc(2025, 7, 22, 12, 21, 26, 295'975'000));
        CHECK(all.checkpoint() == ccloud::checkpoint("eyJ==", 0));
    });
}

TEST_CASE("a listing of IP groups resumes at a checkpoint in the middle of a page")
{
    auto wire = support::script();
    wire->reply(200, answer("page_last.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto all = iam::ip_groups(cloud).list().resume(ccloud::checkpoint("eyJ==", 1));
        auto none = co_await all.next();
        REQUIRE(none.has_value());
        CHECK(!(*none).has_value());
    });
    CHECK(sent(*wire) == list_of(bare("GET /iam/v2/ip-groups?page_size=100&page_token=eyJ%3D%3D")));
}

TEST_CASE("a listing of IP groups ends where next is absent, null or empty, and goes on over empty pages")
{
    CHECK(read_pages({"page_bare.json"}).size() == 1);
    CHECK(read_pages({"page_next_null.json"}).size() == 1);
    CHECK(read_pages({"page_last.json"}).size() == 1);
    CHECK(read_pages({"page_empty.json"}).empty());
    CHECK(read_pages({"page_null.json"}).empty());
    CHECK(read_pages({"page_first.json", "page_null.json"}).size() == 2);
    CHECK(read_pages({"page_first.json", "page_empty.json"}).size() == 2);
    CHECK(read_pages({"page_empty_with_next.json", "page_last.json"}).size() == 1);
}

TEST_CASE("a next link without a token is an error and not the end")
{
    auto wire = support::script();
    wire->reply(200, answer("page_next_without_token.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto all = co_await iam::ip_groups(cloud).list().collect();
        REQUIRE(!all.has_value());
        CHECK(all.error() == errc::page_link_without_token);
        CHECK(all.error().path() == "/iam/v2/ip-groups");
    });
}

TEST_CASE("a page token that comes a second time is an error")
{
    auto wire = support::script();
    wire->reply(200, answer("page_first.json")).reply(200, answer("page_first.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto all = co_await iam::ip_groups(cloud).list().collect();
        REQUIRE(!all.has_value());
        CHECK(all.error() == errc::pagination_loop);
        CHECK(all.error().detail() == R"(page_token "eyJ==" after 2 pages)");
    });
    CHECK(wire->requests().size() == 2);
}

TEST_CASE("a page size the API does not document is refused before anything is sent")
{
    auto wire = support::script();
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        for (int const size : {0, -1, 101})
        {
            CAPTURE(size);
            auto first = co_await groups.list({.page_size = size}).next();
            REQUIRE(!first.has_value());
            support::check_refused_argument(first.error(), "page_size");
        }
    });
    CHECK(wire->requests().empty());
}

TEST_CASE("a page token that has expired is told apart from a bad request")
{
    auto wire = support::script();
    wire->reply(200, answer("page_first.json"));
    support::script_refusal(*wire, support::refusal_of(400));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto all = co_await iam::ip_groups(cloud).list().collect();
        REQUIRE(!all.has_value());
        CHECK(all.error() == errc::page_token_expired);
        CHECK(all.error().status() == 400);
    });
}

TEST_CASE("members of an IP group that this library does not know pass by")
{
    auto const group = read("unknown_members.json");
    CHECK(group.api_version == "iam/v3");
    CHECK(group.id == "ipg-wyorq");
    CHECK(group.metadata.self == "https://confluent.cloud/iam/v2/ip-groups/ipg-wyorq");
    CHECK(group.metadata.created_at == utc(2025, 7, 22, 12, 21, 26, 295'975'000));
    CHECK(group.group_name == "CorpNet");
    CHECK(group.cidr_blocks == list_of("192.168.0.0/24"));
}

TEST_CASE("members of an IP group that are absent, null or empty leave their defaults")
{
    for (std::string const name : {"absent_members.json", "null_members.json", "empty_members.json"})
    {
        CAPTURE(name);
        auto const group = read(name);
        CHECK(group.id == "ipg-wyorq");
        CHECK(group.api_version.empty());
        CHECK(group.kind.empty());
        CHECK(group.metadata.self.empty());
        CHECK(group.metadata.resource_name.empty());
        CHECK(!group.metadata.created_at.has_value());
        CHECK(!group.metadata.updated_at.has_value());
        CHECK(group.group_name.empty());
        CHECK(group.cidr_blocks.empty());
    }
}

TEST_CASE("escapes in the text of an IP group are undone")
{
    auto const group = read("escaped_text.json");
    CHECK(
        group.group_name == "tab\t quote\" slash/ back\\ line\n ü 日本 🚀 "
                            "日本"
    );
    CHECK(group.cidr_blocks == list_of("192.168.0.0/24"));
}

TEST_CASE("times are read with any number of digits and any offset, and a bad one costs nothing else")
{
    auto const all = read_pages({"timestamps.json"});
    std::vector<std::pair<std::string, std::optional<ccloud::timestamp>>> const expected{
        {"digits-0", utc(2022, 8, 17, 20, 54, 6)},
        {"digits-5", utc(2023, 3, 14, 2, 13, 22, 35'970'000)},
        {"digits-6", utc(2022, 8, 17, 20, 54, 6, 219'057'000)},
        {"digits-9", utc(2022, 8, 17, 20, 54, 6, 219'057'123)},
        {"offset", utc(2006, 1, 2, 22, 4, 5)},
        {"offset-east", utc(2006, 1, 1, 18, 34, 5, 500'000'000)},
        {"space", std::nullopt},
        {"words", std::nullopt},
        {"null", std::nullopt},
        {"absent", std::nullopt},
    };
    REQUIRE(all.size() == expected.size());
    for (std::size_t i = 0; i < all.size(); ++i)
    {
        CHECK(all[i].id == expected[i].first);
        CHECK(all[i].metadata.created_at == expected[i].second);
        if (!expected[i].second)
            CHECK(all[i].metadata.updated_at == utc(2022, 8, 17, 20, 54, 6));
    }
    CHECK(all.back().metadata.deleted_at == utc(2022, 8, 18));
}

TEST_CASE("a member of the wrong type is reported with its path and its place")
{
    auto const text = answer("wrong_type.json");
    auto const failure = unreadable(text);
    CHECK(failure == errc::malformed_response);
    CHECK(failure == condition::malformed_response);
    CHECK(failure.progress() == progress::answered);
    CHECK(failure.status() == 200);
    CHECK(failure.request_id() == "req-7");
    CHECK(failure.body() == text);
    CHECK(failure.detail().find("/cidr_blocks: expected an array, found a string") != std::string::npos);
    CHECK(failure.detail().find("byte ") != std::string::npos);
}

TEST_CASE("a member of the wrong type in a listing is reported with the place of its item")
{
    auto wire = support::script();
    wire->reply(200, answer("page_wrong_type.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto first = co_await iam::ip_groups(cloud).list().next();
        REQUIRE(!first.has_value());
        CHECK(first.error() == errc::malformed_response);
        CHECK(first.error().detail().find("/data/1/cidr_blocks/1: expected a string") != std::string::npos);
    });
}

TEST_CASE("an answer that is no JSON is malformed, and what came is kept")
{
    for (auto const& text :
         {answer("truncated.json"), std::string(), std::string("null"), std::string("[]"), std::string("\"ipg\""),
          support::fixture("errors/j_bad_gateway.html"), answer("one.json") + "x"})
    {
        CAPTURE(text);
        auto const failure = unreadable(text);
        CHECK(failure == errc::malformed_response);
        CHECK(failure.status() == 200);
        CHECK(failure.body() == text);
        CHECK(failure.attempts().size() == 1);
    }
}
