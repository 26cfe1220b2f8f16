/*  Every spelling that comes naturally inside a co_await expression, each run once. GCC 12 destroys some temporaries
    of such expressions twice; the types of this library are made so that none of these is among them. The address
    sanitizer tells where one is; the texts compared here tell where one was overwritten. */

#include <ccloud/ccloud.hpp>

#include "client.hpp"
#include "fixture.hpp"
#include "printers.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace asio = boost::asio;
namespace iam = ccloud::iam;
namespace networking = ccloud::networking;
namespace sso = ccloud::iam::sso;

using ccloud::client;
using ccloud::method;
using ccloud::or_throw;
using support::bare;
using support::fixture;
using support::list_of;
using support::sent;
using support::with_client;
using support::with_json;
using namespace std::chrono_literals;

namespace {

// Long enough for the heap: a text in its own buffer survives being destroyed twice.
std::string const long_name = "a name that is long enough to live on the heap";
std::string const long_text = "a text that is long enough to live on the heap, too";
std::string const long_id = "ipg-of-more-than-fifteen-letters";

std::string group()
{
    return fixture("iam/ip_groups/one.json");
}
std::string pool()
{
    return fixture("iam/identity_pools/one.json");
}
std::string mapping()
{
    return fixture("iam/sso/group_mappings/one.json");
}
std::string connection()
{
    return fixture("networking/private_link_attachment_connections/aws_ready.json");
}

/** A script with so many replies of one body. */
std::shared_ptr<ccloud::testing::scripted_transport> replies(int count, std::string const& body, int status = 200)
{
    auto wire = support::script();
    for (int i = 0; i < count; ++i)
        wire->reply(status, body);
    return wire;
}

/** A script with both pages of a listing, so many times. */
std::shared_ptr<ccloud::testing::scripted_transport> pages(std::string const& folder, int count = 1)
{
    auto wire = support::script();
    for (int i = 0; i < count; ++i)
        wire->reply(200, fixture(folder + "/page_first.json")).reply(200, fixture(folder + "/page_last.json"));
    return wire;
}

std::string with_blocks(std::string_view line, std::string const& name, std::string const& blocks)
{
    return with_json(std::string(line), R"({"group_name":")" + name + R"(","cidr_blocks":)" + blocks + "}");
}

} // namespace

TEST_CASE("a client can be made from temporaries in one expression")
{
    auto wire = replies(1, group());
    ccloud::testing::run([&]() -> asio::awaitable<void> {
        client cloud(co_await asio::this_coro::executor, support::test_config(), wire);
        iam::ip_groups groups(cloud);
        auto got = co_await groups.get("ipg-wyorq");
        CHECK(got.has_value());
    });
}

TEST_CASE("an IP group can be created from a temporary with chained blocks")
{
    auto wire = replies(6, group(), 201);
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        std::vector<std::string> const blocks{"192.168.100.0/24", "192.168.200.0/24"};

        auto made = co_await groups.create(iam::create_ip_group(long_name).cidr_block("192.168.100.0/24"));
        CHECK(made.has_value());
        made = co_await groups.create(
            iam::create_ip_group(long_name).cidr_block("192.168.100.0/24").cidr_block("192.168.200.0/24")
        );
        CHECK(made.has_value());
        made = co_await groups.create(
            iam::create_ip_group(long_name).cidr_block("192.168.100.0/24", std::string("192.168.200.0/24"))
        );
        CHECK(made.has_value());
        made = co_await groups.create(iam::create_ip_group(long_name).cidr_blocks(blocks));
        CHECK(made.has_value());
        made = co_await groups.create(iam::create_ip_group(long_name + "!").cidr_blocks(std::vector(blocks)));
        CHECK(made.has_value());
        made = co_await iam::ip_groups(cloud).create(iam::create_ip_group(std::string(long_name)));
        CHECK(made.has_value());
    });
    std::string const line = "POST /iam/v2/ip-groups";
    std::string const both = R"(["192.168.100.0/24","192.168.200.0/24"])";
    CHECK(
        sent(*wire) == list_of(
                           with_blocks(line, long_name, R"(["192.168.100.0/24"])"), with_blocks(line, long_name, both),
                           with_blocks(line, long_name, both), with_blocks(line, long_name, both),
                           with_blocks(line, long_name + "!", both), with_blocks(line, long_name, "[]")
                       )
    );
}

TEST_CASE("an IP group can be updated from temporaries, and from what was read")
{
    auto wire = replies(7, group());
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        std::vector<std::string> const blocks{"192.168.100.0/24", "192.168.200.0/24"};

        auto got = co_await groups.get("ipg-wyorq");
        REQUIRE(got.has_value());
        auto changed = co_await groups.update(got->id, iam::update_ip_group(*got));
        CHECK(changed.has_value());
        changed = co_await groups.update(
            got->id, iam::update_ip_group(*got).group_name(long_name).cidr_block("192.168.100.0/24")
        );
        CHECK(changed.has_value());
        changed = co_await groups.update(
            std::string("ipg-") + "wyorq", iam::update_ip_group(long_name, "192.168.100.0/24", "192.168.200.0/24")
        );
        CHECK(changed.has_value());
        changed = co_await groups.update("ipg-wyorq", iam::update_ip_group(long_name, blocks));
        CHECK(changed.has_value());
        changed =
            co_await groups.update("ipg-wyorq", iam::update_ip_group(long_name, std::vector(blocks)), {.timeout = 5s});
        CHECK(changed.has_value());
        changed = co_await groups.update(
            "ipg-wyorq", iam::update_ip_group(*std::move(got)).cidr_block("192.168.100.0/24"),
            {.retry = ccloud::retry_policy::defaults()}
        );
        CHECK(changed.has_value());
    });
    std::string const line = "PATCH /iam/v2/ip-groups/ipg-wyorq";
    std::string const both = R"(["192.168.100.0/24","192.168.200.0/24"])";
    std::string const three = R"(["192.168.0.0/24","192.168.7.0/24","192.168.100.0/24"])";
    CHECK(
        sent(*wire) == list_of(
                           bare("GET /iam/v2/ip-groups/ipg-wyorq"),
                           with_blocks(line, "CorpNet", R"(["192.168.0.0/24","192.168.7.0/24"])"),
                           with_blocks(line, long_name, three), with_blocks(line, long_name, both),
                           with_blocks(line, long_name, both), with_blocks(line, long_name, both),
                           with_blocks(line, "CorpNet", three)
                       )
    );
}

TEST_CASE("an identity pool can be created and updated from temporaries with chained setters")
{
    auto wire = replies(5, pool());
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::identity_pools pools(cloud, "op-4EY");
        auto made = co_await pools.create(iam::create_identity_pool(long_name, "claims.sub", long_text));
        CHECK(made.has_value());
        made = co_await iam::identity_pools(cloud, "op-of-more-than-fifteen-letters")
                   .create(
                       iam::create_identity_pool(std::string(long_name), std::string("claims.sub"), "true")
                           .description(long_text)
                           .assigned_resource_owner("u-of-more-than-fifteen-letters"),
                       {.timeout = 5s}
                   );
        CHECK(made.has_value());
        auto changed = co_await pools.update(made->id, iam::update_identity_pool().display_name(long_name));
        CHECK(changed.has_value());
        changed = co_await pools.update(
            made->id, iam::update_identity_pool()
                          .display_name(std::string(long_name))
                          .description(ccloud::clear)
                          .identity_claim(made->identity_claim)
                          .filter(std::string_view(long_text))
        );
        CHECK(changed.has_value());
        changed = co_await pools.update(
            made->id, iam::update_identity_pool().filter(ccloud::change<std::string>(long_text)),
            {.timeout = 5s, .attempt_timeout = 1s, .retry = ccloud::retry_policy::defaults(), .replayable = false}
        );
        CHECK(changed.has_value());
    });
    std::string const all = "/iam/v2/identity-providers/op-4EY/identity-pools";
    CHECK(
        sent(*wire) ==
        list_of(
            with_json(
                "POST " + all, R"({"display_name":")" + long_name +
                                   R"(","description":"","identity_claim":"claims.sub","filter":")" + long_text + "\"}"
            ),
            with_json(
                "POST /iam/v2/identity-providers/op-of-more-than-fifteen-letters/identity-pools"
                "?assigned_resource_owner=u-of-more-than-fifteen-letters",
                R"({"display_name":")" + long_name + R"(","description":")" + long_text +
                    R"(","identity_claim":"claims.sub","filter":"true"})"
            ),
            with_json("PATCH " + all + "/pool-AzXR", R"({"display_name":")" + long_name + "\"}"),
            with_json(
                "PATCH " + all + "/pool-AzXR", R"({"display_name":")" + long_name +
                                                   R"(","description":null,"identity_claim":"claims.sub","filter":")" +
                                                   long_text + "\"}"
            ),
            with_json("PATCH " + all + "/pool-AzXR", R"({"filter":")" + long_text + "\"}")
        )
    );
}

TEST_CASE("a group mapping can be created and updated from temporaries with chained setters")
{
    auto wire = replies(4, mapping());
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        sso::group_mappings mappings(cloud);
        auto made = co_await mappings.create(sso::create_group_mapping(long_name, long_text));
        CHECK(made.has_value());
        made = co_await sso::group_mappings(cloud).create(
            sso::create_group_mapping(std::string(long_name), "true").description(std::string(long_text))
        );
        CHECK(made.has_value());
        auto changed = co_await mappings.update(
            made->id, sso::update_group_mapping().description("").filter(long_text), {.timeout = 5s}
        );
        CHECK(changed.has_value());
        changed = co_await mappings.update(
            made->id, sso::update_group_mapping().display_name(made->display_name + long_name)
        );
        CHECK(changed.has_value());
    });
    std::string const all = "/iam/v2/sso/group-mappings";
    CHECK(
        sent(*wire) ==
        list_of(
            with_json(
                "POST " + all,
                R"({"display_name":")" + long_name + R"(","description":"","filter":")" + long_text + "\"}"
            ),
            with_json(
                "POST " + all,
                R"({"display_name":")" + long_name + R"(","description":")" + long_text + R"(","filter":"true"})"
            ),
            with_json("PATCH " + all + "/group-w4vP", R"({"description":"","filter":")" + long_text + "\"}"),
            with_json("PATCH " + all + "/group-w4vP", R"({"display_name":"Default)" + long_name + "\"}")
        )
    );
}

TEST_CASE("a connection can be created from a temporary of each cloud, and updated")
{
    auto wire = replies(6, connection(), 202);
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        networking::private_link_attachment_connections connections(cloud, "env-8gv0v5");
        auto made = co_await connections.create(networking::create_private_link_attachment_connection(
            long_name, networking::aws_private_link_attachment_connection("vpce-0ed4d51f5d6ef9b6d"), "platt-1"
        ));
        CHECK(made.has_value());
        made = co_await connections.create(networking::create_private_link_attachment_connection(
            long_name, networking::azure_private_link_attachment_connection("/subscriptions/privateEndpoints/1"),
            "platt-1"
        ));
        CHECK(made.has_value());
        made = co_await networking::private_link_attachment_connections(cloud, "env-8gv0v5")
                   .create(
                       networking::create_private_link_attachment_connection(
                           long_name,
                           networking::private_link_attachment_connection_cloud(
                               networking::gcp_private_link_attachment_connection("18446744073709551615")
                           ),
                           std::string("platt-1")
                       ),
                       {.timeout = 5s}
                   );
        CHECK(made.has_value());
        made = co_await connections.create(networking::create_private_link_attachment_connection(
            made->spec.display_name, made->spec.cloud, made->spec.private_link_attachment.id
        ));
        CHECK(made.has_value());
        auto changed = co_await connections.update(
            made->id, networking::update_private_link_attachment_connection().display_name(long_name)
        );
        CHECK(changed.has_value());
        changed = co_await connections.update(
            made->id, networking::update_private_link_attachment_connection().display_name(ccloud::clear),
            {.retry = ccloud::retry_policy::none()}
        );
        CHECK(changed.has_value());
    });
    std::string const all = "/networking/v1/private-link-attachment-connections";
    auto const posted = [&](std::string const& name, std::string const& cloud, std::string const& attachment) {
        return with_json(
            "POST " + all, R"({"spec":{"display_name":")" + name + R"(","cloud":)" + cloud +
                               R"(,"environment":{"id":"env-8gv0v5"},"private_link_attachment":{"id":")" + attachment +
                               "\"}}}"
        );
    };
    std::string const aws =
        R"({"kind":"AwsPrivateLinkAttachmentConnection","vpc_endpoint_id":"vpce-0ed4d51f5d6ef9b6d"})";
    CHECK(
        sent(*wire) ==
        list_of(
            posted(long_name, aws, "platt-1"),
            posted(
                long_name,
                R"({"kind":"AzurePrivateLinkAttachmentConnection",)"
                R"("private_endpoint_resource_id":"/subscriptions/privateEndpoints/1"})",
                "platt-1"
            ),
            posted(
                long_name,
                R"({"kind":"GcpPrivateLinkAttachmentConnection",)"
                R"("private_service_connect_connection_id":"18446744073709551615"})",
                "platt-1"
            ),
            posted("my_vpc", aws, "platt-plyvyl"),
            with_json(
                "PATCH " + all + "/plattc-gz20xy",
                R"({"spec":{"display_name":")" + long_name + R"(","environment":{"id":"env-8gv0v5"}}})"
            ),
            with_json(
                "PATCH " + all + "/plattc-gz20xy", R"({"spec":{"display_name":null,"environment":{"id":"env-8gv0v5"}}})"
            )
        )
    );
}

TEST_CASE("options of a call can be written in place")
{
    auto wire = replies(11, group());
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        auto got = co_await groups.get(long_id);
        CHECK(got.has_value());
        got = co_await groups.get(long_id, {});
        CHECK(got.has_value());
        got = co_await groups.get(long_id, {.timeout = 5s});
        CHECK(got.has_value());
        got = co_await groups.get(long_id, {.timeout = 5s, .attempt_timeout = 500ms});
        CHECK(got.has_value());
        got = co_await groups.get(long_id, {.retry = ccloud::retry_policy::none(), .replayable = true});
        CHECK(got.has_value());
        got = co_await groups.get(long_id, {.retry = {{.max_attempts = 2}}});
        CHECK(got.has_value());
        got = co_await groups.get(long_id, {.retry = ccloud::retry_policy{.max_attempts = 2, .base_delay = 1s}});
        CHECK(got.has_value());
        auto impatient = ccloud::retry_policy::defaults();
        impatient.on_exhausted = ccloud::on_exhausted::fail_fast;
        got = co_await groups.get(long_id, {.timeout = 5s, .retry = impatient});
        CHECK(got.has_value());
        got = co_await groups.get(long_id, ccloud::call_options{.timeout = 5s});
        CHECK(got.has_value());
        ccloud::call_options const patient{.timeout = 1h};
        got = co_await groups.get(long_id, patient);
        CHECK(got.has_value());
        auto gone = co_await groups.remove(long_id, {.timeout = 5s});
        CHECK(gone.has_value());
    });
    for (auto const& each : wire->requests())
        CHECK(each.request.target() == "/iam/v2/ip-groups/" + long_id);
}

TEST_CASE("an id can be a literal, a view, a temporary or a member of what was read")
{
    auto wire = replies(6, group());
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        auto got = co_await groups.get("ipg-of-more-than-fifteen-letters");
        CHECK(got.has_value());
        got = co_await groups.get(std::string_view(long_id));
        CHECK(got.has_value());
        got = co_await groups.get("ipg-of-more-than-" + std::string("fifteen-letters"));
        CHECK(got.has_value());
        got = co_await groups.get(std::string(long_id), {.timeout = 5s});
        CHECK(got.has_value());
        got = co_await groups.get(std::move(got)->id);
        CHECK(got.has_value());
        auto gone = co_await groups.remove(got->id);
        CHECK(gone.has_value());
    });
    std::string const first = bare("GET /iam/v2/ip-groups/" + long_id);
    CHECK(
        sent(*wire) == list_of(
                           first, first, first, first, bare("GET /iam/v2/ip-groups/ipg-wyorq"),
                           bare("DELETE /iam/v2/ip-groups/ipg-wyorq")
                       )
    );
}

TEST_CASE("a result can be the condition of an if")
{
    auto wire = replies(2, group());
    wire->reply(404, fixture("iam/ip_groups/not_found.json")).reply(204);
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        int reached = 0;
        if (auto got = co_await groups.get(long_id))
            reached += got->id == "ipg-wyorq" ? 1 : 0;
        if (auto got = co_await groups.get(std::string(long_id), {.timeout = 5s}); got.has_value())
            reached += got->cidr_blocks.size() == 2 ? 10 : 0;
        if (auto got = co_await groups.get("ipg-none"); !got && got.error() == ccloud::condition::not_found)
            reached += 100;
        if (auto gone = co_await groups.remove("ipg-none"))
            reached += gone->already_gone ? 0 : 1000;
        CHECK(reached == 1111);
    });
}

TEST_CASE("or_throw can stand anywhere")
{
    auto wire = replies(7, group());
    wire->reply(404, fixture("iam/ip_groups/not_found.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        auto got = co_await or_throw(groups.get(long_id));
        CHECK(got.group_name == "CorpNet");
        auto name = (co_await or_throw(groups.get(long_id))).group_name;
        CHECK(name == "CorpNet");
        got = co_await or_throw(groups.create(iam::create_ip_group(long_name).cidr_block("192.168.100.0/24")));
        CHECK(got.group_name == "CorpNet");
        got = co_await or_throw(groups.update(got.id, iam::update_ip_group(got).group_name(long_name)));
        CHECK(got.group_name == "CorpNet");
        co_await or_throw(groups.remove(got.id, {.timeout = 5s}));
        auto const value = (co_await groups.get(long_id)).value();
        CHECK(value.group_name == "CorpNet");
        auto const member = (co_await groups.get(std::string(long_id)))->group_name;
        CHECK(member == "CorpNet");
        std::string caught;
        try
        {
            got = co_await or_throw(groups.get("ipg-none"));
        }
        catch (ccloud::api_exception const& failure)
        {
            caught = failure.error().problems().front().detail;
        }
        CHECK(caught == "IP group not found: not found");
    });
}

TEST_CASE("a listing can be walked in every way")
{
    auto wire = pages("iam/ip_groups", 9);
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        std::vector<std::string> const three{"ipg-none", "ipg-wyorq", "ipg-9x3kd"};

        std::vector<std::string> ids;
        auto all = groups.list();
        while (auto group = co_await or_throw(all.next()))
            ids.push_back(group->id);
        CHECK(ids == three);

        ids.clear();
        all = groups.list({.page_size = 2});
        for (auto group = co_await or_throw(all.next()); group; group = co_await or_throw(all.next()))
            ids.push_back(group->id);
        CHECK(ids == three);

        ids.clear();
        all = iam::ip_groups(cloud).list({.prefetch = 1});
        for (;;)
        {
            auto group = co_await all.next();
            if (!group.has_value() || !*group)
                break;
            ids.push_back((*group)->id);
        }
        CHECK(ids == three);

        ids.clear();
        all = groups.list();
        while (auto page = co_await or_throw(all.next_page()))
            for (auto const& group : page->items)
                ids.push_back(group.id);
        CHECK(ids == three);

        auto collected = co_await groups.list().collect();
        REQUIRE(collected.has_value());
        CHECK(collected->size() == 3);

        auto limited = co_await or_throw(groups.list({.page_size = 10, .max_items = 3}).collect());
        CHECK(limited.size() == 3);

        auto some = co_await or_throw(iam::ip_groups(cloud).list({.timeout = 5s, .total_timeout = 10s}).collect(3));
        CHECK(some.size() == 3);

        std::size_t count = 0;
        for (auto const& group : co_await or_throw(groups.list().collect()))
            count += group.id.size();
        CHECK(count == 8 + 9 + 9);

        auto from_start = co_await or_throw(groups.list().resume(ccloud::checkpoint()).collect());
        CHECK(from_start.size() == 3);
    });
}

TEST_CASE("the first item of a listing can be taken from a temporary")
{
    auto wire = replies(6, fixture("iam/ip_groups/page_first.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        auto first = co_await groups.list().next();
        REQUIRE(first.has_value());
        REQUIRE((*first).has_value());
        CHECK((*first)->id == "ipg-none");
        if (auto one = co_await or_throw(groups.list({.max_items = 1}).next()))
            CHECK(one->id == "ipg-none");
        auto page = co_await groups.list({.max_pages = 1}).next_page();
        REQUIRE(page.has_value());
        CHECK((*page)->items.size() == 2);
        auto second = co_await or_throw(groups.list().resume(ccloud::checkpoint("", 1)).next());
        REQUIRE(second.has_value());
        CHECK(second->id == "ipg-wyorq");
        auto resumed =
            co_await or_throw(iam::ip_groups(cloud)
                                  .list({.page_size = 7})
                                  .resume(*ccloud::checkpoint::parse(
                                      ccloud::checkpoint("a token of more than fifteen letters", 0).to_string()
                                  ))
                                  .collect(2));
        CHECK(resumed.size() == 2);
        auto const id = (co_await or_throw(groups.list().next()))->id;
        CHECK(id == "ipg-none");
    });
    std::string const plain = bare("GET /iam/v2/ip-groups?page_size=100");
    CHECK(
        sent(*wire) ==
        list_of(
            plain, plain, plain, plain,
            bare("GET /iam/v2/ip-groups?page_size=7&page_token=a%20token%20of%20more%20than%20fifteen%20letters"), plain
        )
    );
}

TEST_CASE("a listing can be filtered by a temporary")
{
    auto wire = pages("networking/private_link_attachment_connections", 3);
    std::size_t count = 0;
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        networking::private_link_attachment_connections connections(cloud, "env-8gv0v5");
        auto all = co_await connections
                       .list(
                           networking::list_private_link_attachment_connections().private_link_attachment(
                               "platt-of-more-than-fifteen-letters"
                           ),
                           {.page_size = 2}
                       )
                       .collect();
        REQUIRE(all.has_value());
        count += all->size();
        auto listed = connections.list(networking::list_private_link_attachment_connections().private_link_attachment(
            std::string("platt-of-more-than-fifteen-letters")
        ));
        while (auto got = co_await or_throw(listed.next()))
            ++count;
        all = co_await networking::private_link_attachment_connections(cloud, std::string("env-8gv0v5"))
                  .list(networking::list_private_link_attachment_connections(), {})
                  .collect();
        REQUIRE(all.has_value());
        count += all->size();
    });
    CHECK(count == 9);
    std::string const all = "GET /networking/v1/private-link-attachment-connections?environment=env-8gv0v5";
    std::string const filtered = all + "&spec.private_link_attachment=platt-of-more-than-fifteen-letters";
    CHECK(
        sent(*wire) == list_of(
                           bare(filtered + "&page_size=2"), bare(filtered + "&page_size=2&page_token=eyJ%3D%3D"),
                           bare(filtered + "&page_size=100"), bare(filtered + "&page_size=100&page_token=eyJ%3D%3D"),
                           bare(all + "&page_size=100"), bare(all + "&page_size=100&page_token=eyJ%3D%3D")
                       )
    );
}

TEST_CASE("a raw request can be written in place")
{
    auto wire = replies(5, R"({"data":[]})");
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto got = co_await cloud.execute(ccloud::http_request(method::get, "/org/v2/environments?page_size=10"));
        REQUIRE(got.has_value());
        CHECK(got->body() == R"({"data":[]})");
        got = co_await cloud.execute({method::get, "/org/v2/environments"}, {.timeout = 5s});
        CHECK(got.has_value());
        got = co_await cloud.execute(
            ccloud::http_request(method::post, "/org/v2/environments")
                .header("X-Correlation-Id", "an id of more than fifteen letters")
                .body(R"({"display_name":")" + long_name + "\"}"),
            {.timeout = 5s, .replayable = false}
        );
        CHECK(got.has_value());
        auto body = (co_await or_throw(cloud.execute(ccloud::http_request(method::get, "/org/v2/x")))).body();
        CHECK(body == R"({"data":[]})");
        got = co_await cloud.with_header("X-Correlation-Id", "an id of more than fifteen letters")
                  .execute(ccloud::http_request(method::put, "/org/v2/x").body(std::string(long_text), "text/plain"));
        CHECK(got.has_value());
    });
    CHECK(
        sent(*wire) == list_of(
                           bare("GET /org/v2/environments?page_size=10"), bare("GET /org/v2/environments"),
                           with_json("POST /org/v2/environments", R"({"display_name":")" + long_name + "\"}"),
                           bare("GET /org/v2/x"), "PUT /org/v2/x\nContent-Type: text/plain\n\n" + long_text
                       )
    );
    for (std::size_t const index : {std::size_t(2), std::size_t(4)})
        CHECK(
            wire->requests()[index].request.headers().find("X-Correlation-Id") == "an id of more than fifteen letters"
        );
}

TEST_CASE("a collection can be made in place, from a handle made in place")
{
    auto wire = replies(3, group());
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto got = co_await iam::ip_groups(cloud).get(long_id);
        CHECK(got.has_value());
        got = co_await iam::ip_groups(cloud.with_header("X-Correlation-Id", "an id of more than fifteen letters"))
                  .get(long_id, {.timeout = 5s});
        CHECK(got.has_value());
        got = co_await iam::ip_groups(client(cloud)).get(std::string(long_id));
        CHECK(got.has_value());
    });
    CHECK(wire->requests()[1].request.headers().contains("X-Correlation-Id"));
    CHECK(!wire->requests()[2].request.headers().contains("X-Correlation-Id"));
}

TEST_CASE("a call can be kept and awaited when its arguments are gone")
{
    auto wire = replies(3, group());
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto read = iam::ip_groups(cloud).get(std::string(long_id), {.timeout = 5s});
        auto make = iam::ip_groups(cloud).create(iam::create_ip_group(long_name).cidr_block("192.168.100.0/24"));
        auto edit = iam::ip_groups(cloud).update(
            std::string(long_id), iam::update_ip_group(long_name, std::string("192.168.100.0/24"))
        );
        CHECK(wire->requests().empty());
        auto got = co_await std::move(read);
        CHECK(got.has_value());
        got = co_await std::move(make);
        CHECK(got.has_value());
        got = co_await std::move(edit);
        CHECK(got.has_value());
    });
    CHECK(
        sent(*wire) == list_of(
                           bare("GET /iam/v2/ip-groups/" + long_id),
                           with_blocks("POST /iam/v2/ip-groups", long_name, R"(["192.168.100.0/24"])"),
                           with_blocks("PATCH /iam/v2/ip-groups/" + long_id, long_name, R"(["192.168.100.0/24"])")
                       )
    );
}

TEST_CASE("a call that is never awaited sends nothing")
{
    auto wire = support::script();
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        {
            auto unused = iam::ip_groups(cloud).create(iam::create_ip_group(long_name));
            auto listing = iam::ip_groups(cloud).list();
        }
        co_return;
    });
    CHECK(wire->requests().empty());
}

TEST_CASE("a call can be spawned with a completion token")
{
    auto wire = replies(2, group());
    std::string by_callback;
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        auto executor = co_await asio::this_coro::executor;
        auto got = co_await asio::co_spawn(executor, groups.get(std::string(long_id)), asio::use_awaitable);
        CHECK(got.has_value());
        asio::co_spawn(
            executor, groups.get(std::string(long_id)),
            [&](std::exception_ptr thrown, ccloud::result<iam::ip_group> made) {
                if (!thrown && made)
                    by_callback = made->id;
            }
        );
        for (int turns = 0; by_callback.empty() && turns < 100; ++turns)
            co_await asio::post(executor, asio::use_awaitable);
    });
    CHECK(by_callback == "ipg-wyorq");
}

TEST_CASE("calls can run side by side")
{
    auto wire = replies(1, group());
    wire->reply(404, fixture("iam/ip_groups/not_found.json")).reply(200, pool());
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        using namespace asio::experimental::awaitable_operators;
        iam::ip_groups groups(cloud);
        iam::identity_pools pools(cloud, "op-4EY");
        auto both = co_await (groups.get(std::string(long_id)) && groups.get("ipg-none") && pools.get("pool-AzXR"));
        CHECK(std::get<0>(both).has_value());
        CHECK(!std::get<1>(both).has_value());
        CHECK(std::get<1>(both).error() == ccloud::condition::not_found);
        REQUIRE(std::get<2>(both).has_value());
        CHECK(std::get<2>(both)->id == "pool-AzXR");
    });
}

TEST_CASE("a call can be given on by a function of its own")
{
    auto wire = replies(2, group());
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto const passed_on = [](iam::ip_groups groups, std::string id) -> ccloud::operation<iam::ip_group> {
            co_return co_await groups.get(id, {.timeout = 5s});
        };
        auto const plain = [](iam::ip_groups groups, std::string id) { return groups.get(id); };
        auto got = co_await passed_on(iam::ip_groups(cloud), std::string(long_id));
        CHECK(got.has_value());
        got = co_await plain(iam::ip_groups(cloud), std::string(long_id));
        CHECK(got.has_value());
    });
}
