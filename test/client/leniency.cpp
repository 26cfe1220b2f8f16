/*  What is odd in a response, but not what the resource is about: the resource is read all the same. */

#include <ccloud/iam/identity_pools.hpp>
#include <ccloud/iam/ip_groups.hpp>
#include <ccloud/iam/sso/group_mappings.hpp>
#include <ccloud/networking/private_link_attachment_connections.hpp>

#include "client.hpp"
#include "printers.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace asio = boost::asio;
namespace iam = ccloud::iam;
namespace networking = ccloud::networking;

using ccloud::client;
using support::with_client;

namespace {

iam::ip_groups groups(client const& cloud)
{
    return iam::ip_groups(cloud);
}

iam::identity_pools pools(client const& cloud)
{
    return iam::identity_pools(cloud, "op-1");
}

iam::sso::group_mappings mappings(client const& cloud)
{
    return iam::sso::group_mappings(cloud);
}

networking::private_link_attachment_connections connections(client const& cloud)
{
    return networking::private_link_attachment_connections(cloud, "env-1");
}

std::string const& name_of(iam::ip_group const& of)
{
    return of.group_name;
}

std::string const& name_of(iam::identity_pool const& of)
{
    return of.display_name;
}

std::string const& name_of(iam::sso::group_mapping const& of)
{
    return of.display_name;
}

std::string const& name_of(networking::private_link_attachment_connection const& of)
{
    return of.spec.display_name;
}

/** An object of any of the four resources, with a name and the members of its metadata. */
std::string object(std::string_view name, std::string_view metadata)
{
    auto const text = '"' + std::string(name) + '"';
    return R"({"id":"x-1","metadata":{)" + std::string(metadata) + R"(},"group_name":)" + text + R"(,"display_name":)" +
           text + R"(,"spec":{"display_name":)" + text + "}}";
}

std::string page(std::string_view metadata, std::string_view objects)
{
    return R"({"metadata":{)" + std::string(metadata) + R"(},"data":[)" + std::string(objects) + "]}";
}

/** Reads an object from a single response, and from a page. */
template <class Collection>
void check_object(Collection (*in)(client const&), std::string const& body, std::string_view name)
{
    CAPTURE(body.substr(0, 200));
    auto wire = support::script();
    wire->reply(200, body).reply(200, page("", body));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto collection = in(cloud);
        auto got = co_await collection.get("x-1");
        REQUIRE(got.has_value());
        CHECK(got->id == "x-1");
        CHECK(name_of(*got) == name);
        auto all = co_await collection.list().collect();
        REQUIRE(all.has_value());
        REQUIRE(all->size() == 1);
        CHECK(all->front().id == "x-1");
        CHECK(name_of(all->front()) == name);
        CHECK(!all->front().metadata.created_at.has_value());
        CHECK(all->front().metadata.self == got->metadata.self);
    });
}

void check_every_resource(std::string const& body, std::string_view name)
{
    check_object(&groups, body, name);
    check_object(&pools, body, name);
    check_object(&mappings, body, name);
    check_object(&connections, body, name);
}

} // namespace

TEST_CASE("no form of a date fails a resource: ObjectMeta of the API documents requires none of them")
{
    for (std::string_view const value :
         {"1678759", "1678759.5", "-1", "1e400", "null", "true", "{}", R"({"seconds":1})", "[]", R"("")",
          R"("yesterday")", R"("2023-02-30T00:00:00Z")", R"("0001-01-01T00:00:00Z")", R"("\ud800")"})
    {
        CAPTURE(value);
        auto const odd = std::string(value);
        check_every_resource(
            object(
                "Office", R"("created_at":)" + odd + R"(,"self":"https://x.example/1","updated_at":)" + odd +
                              R"(,"deleted_at":)" + odd
            ),
            "Office"
        );
    }
}

TEST_CASE("no form of total_size fails a page: ListMeta of the API documents does not require it")
{
    struct row
    {
        std::string_view value;
        std::optional<std::int64_t> size;
    };
    for (auto const& [value, size] :
         {row{"1", 1}, row{"1.0", 1}, row{R"("1")", 1}, row{"1e2", 100}, row{"0", 0}, row{"null", {}}, row{"-1", {}},
          row{"1.5", {}}, row{R"("many")", {}}, row{R"("")", {}}, row{"1e999", {}}, row{"18446744073709551616", {}},
          row{"false", {}}, row{"[1]", {}}, row{R"({"value":1})", {}}})
    {
        CAPTURE(value);
        auto wire = support::script();
        wire->reply(
            200, page(R"("total_size":)" + std::string(value) + R"(,"next":"/x?page_token=t")", object("Office", ""))
        );
        wire->reply(200, page("", object("Annex", "")));
        with_client(wire, [&](client cloud) -> asio::awaitable<void> {
            auto all = groups(cloud).list();
            auto first = co_await all.next_page();
            REQUIRE(first.has_value());
            REQUIRE(first->has_value());
            CHECK((*first)->total_size == size);
            CHECK((*first)->items.front().group_name == "Office");
            auto second = co_await all.next();
            REQUIRE(second.has_value());
            CHECK((*second)->group_name == "Annex");
        });
    }
}

TEST_CASE("ill-formed text in a resource becomes U+FFFD (RFC 8259 section 8.2, Unicode 3.9), and no page fails")
{
    struct row
    {
        std::string_view sent, name;
    };
    for (auto const& [sent, name] :
         {row{R"(a\ud800b)", "a\xef\xbf\xbd"
                             "b"},
          row{R"(\udc00\ud800)", "\xef\xbf\xbd\xef\xbf\xbd"}, row{R"(\ud83d\ude80)", "\xf0\x9f\x9a\x80"},
          row{"Z\xfcrich", "Z\xef\xbf\xbdrich"}, row{"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
          row{"\xed\xa0\xbd", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, row{"\xe2\x82", "\xef\xbf\xbd"}})
    {
        CAPTURE(name);
        check_every_resource(object(sent, R"("self":"x","created_at":1,"x":")" + std::string(sent) + '"'), name);
    }
}

TEST_CASE("a page of more than 64 KiB with ill-formed text is read in slices, and has all of its items")
{
    for (std::string_view const ill_formed : {R"(\ud800)", "\xff"})
        for (std::size_t const at : {0u, 250u, 499u})
        {
            CAPTURE(ill_formed);
            CAPTURE(at);
            std::string objects;
            for (std::size_t i = 0; i < 500; ++i)
                objects.append(i > 0 ? "," : "")
                    .append(object(std::string(200, 'n').append(i == at ? ill_formed : ""), ""));
            auto wire = support::script();
            wire->reply(200, page("", objects));
            with_client(wire, [&](client cloud) -> asio::awaitable<void> {
                auto all = co_await groups(cloud).list().collect();
                REQUIRE(all.has_value());
                REQUIRE(all->size() == 500);
                for (std::size_t i = 0; i < 500; ++i)
                    CHECK((*all)[i].group_name == std::string(200, 'n') + (i == at ? "\xef\xbf\xbd" : ""));
            });
        }
}

TEST_CASE("ill-formed text does not hide what else is wrong with a page, or where")
{
    auto wire = support::script();
    wire->reply(200, page("", object("\xff", "") + R"(,{"id":7})"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto all = co_await groups(cloud).list().collect();
        REQUIRE(!all.has_value());
        CHECK(all.error() == ccloud::errc::malformed_response);
        CHECK(all.error().detail().find("/data/1/id: expected a string, found a number") != std::string::npos);
    });
}

TEST_CASE("a cloud of an unknown kind is sent with the bytes it came with: numbers of any size (RFC 8259 section 6)")
{
    for (std::string_view const cloud_object :
         {R"({"kind":"networking.v1.OciX","n":123456789012345678901234567890.10,"m":[1e999,-1e999,1E-999,-0.0]})",
          R"({"m":18446744073709551616,"kind":"OciX","t":"\ud83d\ude80\u00e9\/"})"})
    {
        CAPTURE(cloud_object);
        auto wire = support::script();
        wire->reply(200, R"({"id":"plattc-1","spec":{"cloud":)" + std::string(cloud_object) + "}}");
        wire->reply(202, R"({"id":"plattc-2"})");
        with_client(wire, [&](client cloud) -> asio::awaitable<void> {
            auto collection = connections(cloud);
            auto got = co_await collection.get("plattc-1");
            REQUIRE(got.has_value());
            networking::create_private_link_attachment_connection const copy("b", got->spec.cloud, "platt-1");
            auto made = co_await collection.create(copy);
            CHECK(made.has_value());
        });
        CHECK(
            wire->requests().at(1).request.body().find("\"cloud\":" + std::string(cloud_object)) != std::string::npos
        );
    }
}

TEST_CASE("a cloud of an unknown kind with ill-formed text can be sent again, as UTF-8")
{
    auto wire = support::script();
    wire->reply(
        200, R"({"id":"plattc-1","spec":{"cloud":{"kind":"OciX","n":1.10,"t":")"
             "\xff"
             R"(\udc00"}}})"
    );
    wire->reply(202, R"({"id":"plattc-2"})");
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto collection = connections(cloud);
        auto got = co_await collection.get("plattc-1");
        REQUIRE(got.has_value());
        networking::create_private_link_attachment_connection const copy("b", got->spec.cloud, "platt-1");
        auto made = co_await collection.create(copy);
        CHECK(made.has_value());
    });
    CHECK(
        wire->requests().at(1).request.body().find("{\"kind\":\"OciX\",\"n\":1.10,\"t\":\"\xef\xbf\xbd\\ufffd\"}") !=
        std::string::npos
    );
}
