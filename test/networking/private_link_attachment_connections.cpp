#include <ccloud/networking/private_link_attachment_connections.hpp>

#include "client.hpp"
#include "fixture.hpp"
#include "printers.hpp"
#include "refusals.hpp"
#include "utc.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace asio = boost::asio;
namespace networking = ccloud::networking;

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

using aws = networking::aws_private_link_attachment_connection;
using azure = networking::azure_private_link_attachment_connection;
using gcp = networking::gcp_private_link_attachment_connection;
using aws_status = networking::aws_private_link_attachment_connection_status;
using azure_status = networking::azure_private_link_attachment_connection_status;
using gcp_status = networking::gcp_private_link_attachment_connection_status;
using phase = networking::private_link_attachment_connection_phase_words;
using connection = networking::private_link_attachment_connection;
using create_connection = networking::create_private_link_attachment_connection;
using update_connection = networking::update_private_link_attachment_connection;
using connection_filter = networking::list_private_link_attachment_connections;

namespace {

std::string const all_path = "/networking/v1/private-link-attachment-connections";
std::string const one_path = "/networking/v1/private-link-attachment-connections/plattc-gz20xy";
std::string const endpoint_id = "vpce-0ed4d51f5d6ef9b6d";

std::string answer(std::string const& name)
{
    return support::fixture("networking/private_link_attachment_connections/" + name);
}

support::refusal not_found()
{
    return support::refusal(
        404, "networking/private_link_attachment_connections/not_found.json", condition::not_found,
        "The private link attachment connection was not found"
    );
}

networking::private_link_attachment_connections in_environment(client cloud, std::string environment = "env-8gv0v5")
{
    return networking::private_link_attachment_connections(std::move(cloud), std::move(environment));
}

create_connection an_aws_connection()
{
    return create_connection("my_vpc", aws(endpoint_id), "platt-plyvyl");
}

/** Reads one connection from a fixture. */
connection read(std::string const& name)
{
    connection got;
    auto wire = support::script();
    wire->reply(200, answer(name));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto connections = in_environment(cloud);
        got = co_await or_throw(connections.get("plattc-gz20xy"));
    });
    return got;
}

/** Reads a listing from fixtures, one a page. */
std::vector<connection> read_pages(std::vector<std::string> const& names)
{
    std::vector<connection> all;
    auto wire = support::script();
    for (auto const& name : names)
        wire->reply(200, answer(name));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto connections = in_environment(cloud);
        all = co_await or_throw(connections.list().collect());
    });
    return all;
}

/** The text of the request that a create makes. */
std::string create_text(create_connection const& made, std::string const& environment = "env-8gv0v5")
{
    auto wire = support::script();
    wire->reply(202, answer("aws_provisioning.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto connections = in_environment(cloud, environment);
        auto got = co_await connections.create(made);
        REQUIRE(got.has_value());
    });
    return support::text(wire->requests().front());
}

/** The text of the request that an update makes. */
std::string update_text(update_connection const& changes)
{
    auto wire = support::script();
    wire->reply(200, answer("updated.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto connections = in_environment(cloud);
        auto changed = co_await connections.update("plattc-gz20xy", changes);
        REQUIRE(changed.has_value());
    });
    return support::text(wire->requests().front());
}

/** The texts of the requests that a listing of two pages makes. */
std::vector<std::string> list_texts(connection_filter const& filter, ccloud::list_options options)
{
    auto wire = support::script();
    wire->reply(200, answer("page_first.json")).reply(200, answer("page_last.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto connections = in_environment(cloud);
        auto all = co_await connections.list(filter, options).collect();
        REQUIRE(all.has_value());
        CHECK(all->size() == 3);
    });
    for (auto const& each : wire->requests())
        CHECK(each.to == ccloud::origin(true, "api.example.test", 443));
    return sent(*wire);
}

} // namespace

TEST_CASE("creating a connection posts its spec with both references, and is answered by 202")
{
    auto wire = support::script();
    wire->reply(202, answer("aws_provisioning.json"))
        .header(
            "Location", "https://api.confluent.cloud/networking/v1/private-link-attachment-connections/plattc-gz20xy?"
                        "environment=env-8gv0v5"
        )
        .header("X-Request-Id", "req-1");
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        networking::private_link_attachment_connections connections(cloud, "env-8gv0v5");
        CHECK(connections.environment() == "env-8gv0v5");
        auto made = co_await connections.create(create_connection("my_vpc", aws(endpoint_id), "platt-plyvyl"));
        REQUIRE(made.has_value());
        CHECK(made.response().status() == 202);
        CHECK(made.response().request_id() == "req-1");
        CHECK(
            made.response().location() ==
            "https://api.confluent.cloud/networking/v1/private-link-attachment-connections/plattc-gz20xy?"
            "environment=env-8gv0v5"
        );
        CHECK(made->id == "plattc-gz20xy");
        CHECK(made->status.phase == phase::provisioning);
    });
    CHECK(
        sent(*wire) == list_of(with_json(
                           "POST " + all_path,
                           R"({"spec":{"display_name":"my_vpc","cloud":{"kind":"AwsPrivateLinkAttachmentConnection",)"
                           R"("vpc_endpoint_id":"vpce-0ed4d51f5d6ef9b6d"},"environment":{"id":"env-8gv0v5"},)"
                           R"("private_link_attachment":{"id":"platt-plyvyl"}}})"
                       ))
    );
}

TEST_CASE("a connection of Azure names its private endpoint")
{
    CHECK(
        create_text(create_connection("my_vnet", azure("/subscriptions/1/privateEndpoints/pe \"1\""), "platt-1")) ==
        with_json(
            "POST " + all_path,
            R"({"spec":{"display_name":"my_vnet","cloud":{"kind":"AzurePrivateLinkAttachmentConnection",)"
            R"("private_endpoint_resource_id":"/subscriptions/1/privateEndpoints/pe \"1\""},)"
            R"("environment":{"id":"env-8gv0v5"},"private_link_attachment":{"id":"platt-1"}}})"
        )
    );
}

TEST_CASE("a connection of Google Cloud sends its number as text, however great")
{
    CHECK(
        create_text(create_connection("my_psc", gcp("18446744073709551615"), "platt-1")) ==
        with_json(
            "POST " + all_path,
            R"({"spec":{"display_name":"my_psc","cloud":{"kind":"GcpPrivateLinkAttachmentConnection",)"
            R"("private_service_connect_connection_id":"18446744073709551615"},)"
            R"("environment":{"id":"env-8gv0v5"},"private_link_attachment":{"id":"platt-1"}}})"
        )
    );
}

TEST_CASE("a cloud this library does not know can be sent as its JSON")
{
    networking::unknown_kind const oci{"OciX", R"({"kind":"OciX","vcn_endpoint_id":"ocid1"})"};
    CHECK(
        create_text(create_connection("my_vcn", oci, "platt-1")) ==
        with_json(
            "POST " + all_path, R"({"spec":{"display_name":"my_vcn","cloud":{"kind":"OciX","vcn_endpoint_id":"ocid1"},)"
                                R"("environment":{"id":"env-8gv0v5"},"private_link_attachment":{"id":"platt-1"}}})"
        )
    );
}

TEST_CASE("the environment of a new connection is text of its body, and can be any")
{
    CHECK(
        create_text(an_aws_connection(), "env \"ü\"/1") ==
        with_json(
            "POST " + all_path,
            R"({"spec":{"display_name":"my_vpc","cloud":{"kind":"AwsPrivateLinkAttachmentConnection",)"
            R"("vpc_endpoint_id":"vpce-0ed4d51f5d6ef9b6d"},"environment":{"id":"env \"ü\"/1"},)"
            R"("private_link_attachment":{"id":"platt-plyvyl"}}})"
        )
    );
}

TEST_CASE("a connection is read field by field")
{
    auto wire = support::script();
    wire->reply(200, answer("aws_provisioning.json")).header("Content-Type", "application/json; charset=utf-8");
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        networking::private_link_attachment_connections connections(cloud, "env-8gv0v5");
        auto got = co_await connections.get("plattc-gz20xy");
        REQUIRE(got.has_value());
        CHECK(got.response().status() == 200);
        CHECK(got->api_version == "networking/v1");
        CHECK(got->kind == "PrivateLinkAttachmentConnection");
        CHECK(got->id == "plattc-gz20xy");
        CHECK(
            got->metadata.self ==
            "https://api.confluent.cloud/networking/v1/private-link-attachment-connections/plattc-gz20xy?"
            "environment=env-8gv0v5"
        );
        std::string const environment =
            "crn://confluent.cloud/organization=1111aaaa-11aa-11aa-11aa-111111aaaaaa/environment=env-8gv0v5";
        std::string const attachment = environment + "/private-link-attachment=platt-plyvyl";
        CHECK(got->metadata.resource_name == attachment + "/private-link-attachment-connection=plattc-gz20xy");
        CHECK(got->metadata.created_at == utc(2023, 3, 14, 2, 13, 22, 35'970'000));
        CHECK(got->metadata.updated_at == utc(2023, 3, 14, 2, 13, 22, 35'970'000));

        CHECK(got->spec.display_name == "my_vpc");
        REQUIRE(std::holds_alternative<aws>(got->spec.cloud));
        CHECK(std::get<aws>(got->spec.cloud).vpc_endpoint_id == endpoint_id);
        CHECK(got->spec.environment.id == "env-8gv0v5");
        CHECK(got->spec.environment.environment == "env-8gv0v5");
        CHECK(got->spec.environment.api_version == "org/v2");
        CHECK(got->spec.environment.kind == "Environment");
        CHECK(got->spec.environment.related == "https://api.confluent.cloud/v2/environments/env-8gv0v5");
        CHECK(got->spec.environment.resource_name == environment);
        CHECK(got->spec.private_link_attachment.id == "platt-plyvyl");
        CHECK(got->spec.private_link_attachment.environment == "env-8gv0v5");
        CHECK(got->spec.private_link_attachment.api_version == "networking/v1");
        CHECK(got->spec.private_link_attachment.kind == "PrivateLinkAttachment");
        CHECK(
            got->spec.private_link_attachment.related ==
            "https://api.confluent.cloud/networking/v1/private-link-attachments/platt-plyvyl?"
            "environment=env-8gv0v5"
        );
        CHECK(got->spec.private_link_attachment.resource_name == attachment);

        CHECK(got->status.phase == phase::provisioning);
        CHECK(got->status.error_code.empty());
        CHECK(got->status.error_message.empty());
        REQUIRE(std::holds_alternative<aws_status>(got->status.cloud));
        CHECK(std::get<aws_status>(got->status.cloud).vpc_endpoint_id == endpoint_id);
        CHECK(std::get<aws_status>(got->status.cloud).vpc_endpoint_service_name.empty());
    });
    CHECK(sent(*wire) == list_of(bare("GET " + one_path + "?environment=env-8gv0v5")));
}

TEST_CASE("a connection of AWS that is ready tells the service it is connected to")
{
    auto const got = read("aws_ready.json");
    CHECK(got.status.phase == phase::ready);
    REQUIRE(std::holds_alternative<aws>(got.spec.cloud));
    CHECK(std::get<aws>(got.spec.cloud).vpc_endpoint_id == endpoint_id);
    REQUIRE(std::holds_alternative<aws_status>(got.status.cloud));
    auto const& status = std::get<aws_status>(got.status.cloud);
    CHECK(status.vpc_endpoint_id == endpoint_id);
    CHECK(status.vpc_endpoint_service_name == "com.amazonaws.vpce.us-west-2.vpce-svc-0123456789abcdef0");
    CHECK(got.spec.environment.id == "env-8gv0v5");
    CHECK(got.spec.environment.kind.empty());
    CHECK(got.spec.private_link_attachment.id == "platt-plyvyl");
    CHECK(got.spec.private_link_attachment.related.empty());
}

TEST_CASE("a connection of Azure is read with and without a prefix of its kind")
{
    std::string const endpoint = "/subscriptions/123aaaa0-0000-4000-8000-00000000000f/resourceGroups/rg-net/providers/"
                                 "Microsoft.Network/privateEndpoints/pe-1";
    for (std::string const name : {"azure_ready.json", "azure_prefixed.json"})
    {
        CAPTURE(name);
        auto const got = read(name);
        REQUIRE(std::holds_alternative<azure>(got.spec.cloud));
        CHECK(std::get<azure>(got.spec.cloud).private_endpoint_resource_id == endpoint);
        REQUIRE(std::holds_alternative<azure_status>(got.status.cloud));
        auto const& status = std::get<azure_status>(got.status.cloud);
        CHECK(status.private_endpoint_resource_id == endpoint);
        CHECK(
            status.private_link_service_alias ==
            "pls-1.f5aedb5a-5830-4ca6-9285-e5c81ffca2cb.centralus.azure.privatelinkservice"
        );
        if (name == "azure_ready.json")
            CHECK(
                status.private_link_service_resource_id ==
                "/subscriptions/456bbbb0-0000-4000-8000-00000000000f/resourceGroups/rg-svc/providers/"
                "Microsoft.Network/privateLinkServices/pls-1"
            );
        else
            CHECK(status.private_link_service_resource_id.empty());
        CHECK(status.zone == (name == "azure_ready.json" ? std::optional<std::string>("2") : std::nullopt));
    }
}

TEST_CASE("the zone of Azure, which the API documents do not have, is read as text, and fails no connection")
{
    struct row
    {
        std::string_view sent;
        std::optional<std::string> zone;
    };
    for (auto const& [sent, zone] :
         {row{"\"2\"", "2"}, row{"\"eastus2-az1\"", "eastus2-az1"}, row{"3", "3"}, row{"\"\"", ""}, row{"null", {}},
          row{"true", {}}, row{"[\"1\",\"2\"]", {}}, row{"{\"id\":\"1\"}", {}}})
    {
        CAPTURE(sent);
        auto wire = support::script();
        wire->reply(
            200, R"({"id":"plattc-1","status":{"phase":"READY","cloud":{"zone":)" + std::string(sent) +
                     R"(,"private_endpoint_resource_id":"pe-1","kind":"AzurePrivateLinkAttachmentConnectionStatus"}}})"
        );
        with_client(wire, [&](client cloud) -> asio::awaitable<void> {
            auto connections = in_environment(cloud);
            auto got = co_await connections.get("plattc-1");
            REQUIRE(got.has_value());
            auto const& status = std::get<azure_status>(got->status.cloud);
            CHECK(status.zone == zone);
            CHECK(status.private_endpoint_resource_id == "pe-1");
        });
    }
}

TEST_CASE("a connection of Google Cloud is read with and without a prefix of its kind, its number as text")
{
    auto const ready = read("gcp_ready.json");
    REQUIRE(std::holds_alternative<gcp>(ready.spec.cloud));
    CHECK(std::get<gcp>(ready.spec.cloud).private_service_connect_connection_id == "18446744073709551615");
    REQUIRE(std::holds_alternative<gcp_status>(ready.status.cloud));
    CHECK(std::get<gcp_status>(ready.status.cloud).private_service_connect_connection_id == "18446744073709551615");
    CHECK(std::get<gcp_status>(ready.status.cloud).private_service_connect_service_attachment.empty());

    auto const prefixed = read("gcp_prefixed.json");
    REQUIRE(std::holds_alternative<gcp>(prefixed.spec.cloud));
    CHECK(std::get<gcp>(prefixed.spec.cloud).private_service_connect_connection_id == "12345678912345");
    REQUIRE(std::holds_alternative<gcp_status>(prefixed.status.cloud));
    CHECK(std::get<gcp_status>(prefixed.status.cloud).private_service_connect_connection_id == "12345678912345");
    CHECK(
        std::get<gcp_status>(prefixed.status.cloud).private_service_connect_service_attachment ==
        "projects/cc-prod/regions/us-central1/serviceAttachments/plattg-1"
    );
}

TEST_CASE("the id of Google Cloud as a number would lose digits, and is reported with its path")
{
    auto wire = support::script();
    wire->reply(200, answer("gcp_id_as_number.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto connections = in_environment(cloud);
        auto got = co_await connections.get("plattc-gcp1");
        REQUIRE(!got.has_value());
        CHECK(got.error() == errc::malformed_response);
        CHECK(
            got.error().detail().find(
                "/spec/cloud/private_service_connect_connection_id: expected a string, found a number"
            ) != std::string::npos
        );
    });
}

TEST_CASE("a cloud this library does not know survives as the JSON it came as")
{
    auto const got = read("unknown_kind.json");
    REQUIRE(std::holds_alternative<networking::unknown_kind>(got.spec.cloud));
    auto const& cloud = std::get<networking::unknown_kind>(got.spec.cloud);
    CHECK(cloud.kind == "OciPrivateLinkAttachmentConnection");
    CHECK(
        cloud.json == R"({"kind":"networking.v1.OciPrivateLinkAttachmentConnection",)"
                      R"("vcn_endpoint_id":"ocid1.privateendpoint.oc1..aaaa",)"
                      R"("zones":["ad-1","ad-2"],"numbers":[1,-2,18446744073709551615],"nothing":null,"yes":true,)"
                      R"("nested":{"kind":"inner","empty":{},"none":[]}})"
    );
    REQUIRE(std::holds_alternative<networking::unknown_kind>(got.status.cloud));
    auto const& status = std::get<networking::unknown_kind>(got.status.cloud);
    CHECK(status.kind == "OciPrivateLinkAttachmentConnectionStatus");
    CHECK(
        status.json == R"({"service":"ocid1.privateserviceaccess.oc1..bbbb","note":"Zürich",)"
                       R"("kind":"OciPrivateLinkAttachmentConnectionStatus"})"
    );
    CHECK(got.spec.display_name == "my_vcn");
    CHECK(got.spec.environment.id == "env-8gv0v5");
    CHECK(got.status.phase == phase::ready);
}

TEST_CASE("the kind of a cloud may come last")
{
    auto const got = read("kind_last.json");
    CHECK(got.id == "plattc-gz20xy");
    REQUIRE(std::holds_alternative<aws>(got.spec.cloud));
    CHECK(std::get<aws>(got.spec.cloud).vpc_endpoint_id == endpoint_id);
    REQUIRE(std::holds_alternative<aws_status>(got.status.cloud));
    CHECK(
        std::get<aws_status>(got.status.cloud).vpc_endpoint_service_name ==
        "com.amazonaws.vpce.us-west-2.vpce-svc-0123456789abcdef0"
    );
    CHECK(got.status.phase == phase::ready);
    CHECK(got.spec.display_name == "my_vpc");
}

TEST_CASE(
    "a cloud of an unknown kind is sent again with the bytes it came with (RFC 8259 section 6: numbers of any size)"
)
{
    for (std::string_view const oci :
         {R"({"kind":"OciX","weight":1e400})", R"({"ocid":123456789012345678901234567890,"kind":"OciX"})",
          "{ \"kind\" : \"OciX\",\n  \"share\" : 1.10, \"name\" : \"\\u0041\\/\" }"})
    {
        CAPTURE(oci);
        auto wire = support::script();
        wire->reply(200, R"({"id":"plattc-1","spec":{"cloud":)" + std::string(oci) + "}}");
        connection got;
        with_client(wire, [&](client cloud) -> asio::awaitable<void> {
            auto connections = in_environment(cloud);
            got = co_await or_throw(connections.get("plattc-1"));
        });
        REQUIRE(std::holds_alternative<networking::unknown_kind>(got.spec.cloud));
        CHECK(std::get<networking::unknown_kind>(got.spec.cloud).json == oci);
        CHECK(
            create_text(create_connection("copy", got.spec.cloud, "platt-1")) ==
            with_json(
                "POST " + all_path, R"({"spec":{"display_name":"copy","cloud":)" + std::string(oci) +
                                        R"(,"environment":{"id":"env-8gv0v5"},)"
                                        R"("private_link_attachment":{"id":"platt-1"}}})"
            )
        );
    }
}

TEST_CASE("a cloud without a kind is kept as its JSON")
{
    auto const got = read("kind_absent.json");
    REQUIRE(std::holds_alternative<networking::unknown_kind>(got.spec.cloud));
    CHECK(std::get<networking::unknown_kind>(got.spec.cloud).kind.empty());
    CHECK(std::get<networking::unknown_kind>(got.spec.cloud).json == R"({"vpc_endpoint_id":"vpce-0ed4d51f5d6ef9b6d"})");
    CHECK(std::holds_alternative<std::monostate>(got.status.cloud));
}

TEST_CASE("a connection may have no cloud in its status while it is provisioning")
{
    auto const got = read("status_cloud_absent.json");
    CHECK(got.status.phase == phase::provisioning);
    CHECK(std::holds_alternative<std::monostate>(got.status.cloud));
    CHECK(std::holds_alternative<aws>(got.spec.cloud));
}

TEST_CASE("a connection that failed says why")
{
    auto const got = read("failed.json");
    CHECK(got.status.phase == phase::failed);
    CHECK(got.status.error_code == "vpc_endpoint_rejected");
    CHECK(got.status.error_message == "The AWS VPC Endpoint ID is invalid.");
}

TEST_CASE("a phase this library does not know is kept as it is")
{
    auto const got = read("unknown_phase.json");
    CHECK(got.status.phase == "PENDING_ACCEPT");
    CHECK(got.status.phase.str() == "PENDING_ACCEPT");
    CHECK(!(got.status.phase == phase::provisioning));
}

TEST_CASE("members of a connection that this library does not know pass by")
{
    auto const got = read("unknown_members.json");
    CHECK(got.spec.display_name == "my_vpc");
    REQUIRE(std::holds_alternative<aws>(got.spec.cloud));
    CHECK(std::get<aws>(got.spec.cloud).vpc_endpoint_id == endpoint_id);
    CHECK(got.spec.environment.id == "env-8gv0v5");
    CHECK(got.status.phase == phase::ready);
    REQUIRE(std::holds_alternative<aws_status>(got.status.cloud));
    CHECK(std::get<aws_status>(got.status.cloud).vpc_endpoint_id == endpoint_id);
}

TEST_CASE("members of a connection that are absent, null or empty leave their defaults")
{
    for (std::string const name : {"absent_members.json", "null_members.json", "empty_members.json"})
    {
        CAPTURE(name);
        auto const got = read(name);
        CHECK(got.id == "plattc-gz20xy");
        CHECK(got.metadata.self.empty());
        CHECK(got.spec.display_name.empty());
        CHECK(std::holds_alternative<std::monostate>(got.spec.cloud));
        CHECK(got.spec.environment.id.empty());
        CHECK(got.spec.private_link_attachment.id.empty());
        CHECK(got.status.phase.empty());
        CHECK(got.status.error_code.empty());
        CHECK(got.status.error_message.empty());
    }
    CHECK(std::holds_alternative<std::monostate>(read("absent_members.json").status.cloud));
    auto const nulls = read("null_members.json");
    REQUIRE(std::holds_alternative<gcp_status>(nulls.status.cloud));
    CHECK(std::get<gcp_status>(nulls.status.cloud).private_service_connect_connection_id.empty());
}

TEST_CASE("updating a connection has no query; the environment goes in the body")
{
    std::string const line = "PATCH " + one_path;
    CHECK(
        update_text(update_connection().display_name("renamed \"ü\"")) ==
        with_json(line, R"({"spec":{"display_name":"renamed \"ü\"","environment":{"id":"env-8gv0v5"}}})")
    );
    CHECK(update_text(update_connection()) == with_json(line, R"({"spec":{"environment":{"id":"env-8gv0v5"}}})"));
    CHECK(
        update_text(update_connection().display_name(ccloud::clear)) ==
        with_json(line, R"({"spec":{"display_name":null,"environment":{"id":"env-8gv0v5"}}})")
    );
}

TEST_CASE("updating a connection reads the connection of the 200")
{
    auto wire = support::script();
    wire->reply(200, answer("updated.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto connections = in_environment(cloud);
        auto changed = co_await connections.update("plattc-gz20xy", update_connection().display_name("renamed"));
        REQUIRE(changed.has_value());
        CHECK(changed.response().status() == 200);
        CHECK(changed->spec.display_name == "renamed");
        CHECK(changed->status.phase == phase::ready);
    });
}

TEST_CASE("removing a connection is a DELETE with the environment in its query, answered by 204")
{
    auto wire = support::script();
    wire->reply(204);
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto connections = in_environment(cloud);
        auto gone = co_await connections.remove("plattc-gz20xy");
        REQUIRE(gone.has_value());
        CHECK(!gone->already_gone);
        CHECK(gone.response().status() == 204);
    });
    CHECK(sent(*wire) == list_of(bare("DELETE " + one_path + "?environment=env-8gv0v5")));
}

TEST_CASE("a connection that a repeated DELETE does not find was already gone; at first it is an error")
{
    for (bool const empty_body : {false, true})
    {
        for (bool const repeated : {false, true})
        {
            CAPTURE(empty_body);
            CAPTURE(repeated);
            auto wire = support::script();
            if (repeated)
                wire->fail(errc::connection_lost, progress::maybe_sent);
            auto missing = not_found();
            if (empty_body)
                missing.body.clear();
            support::script_refusal(*wire, missing);
            with_client(wire, [&](client cloud) -> asio::awaitable<void> {
                auto connections = in_environment(cloud);
                auto gone = co_await connections.remove("plattc-gz20xy");
                REQUIRE(gone.has_value() == repeated);
                if (repeated)
                    CHECK(gone->already_gone);
                else
                    CHECK(gone.error() == condition::not_found);
            });
        }
    }
}

TEST_CASE("creating a connection is never repeated once it may have been executed")
{
    auto wire = support::script();
    wire->fail(errc::connection_lost, progress::maybe_sent);
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto connections = in_environment(cloud);
        auto made = co_await connections.create(an_aws_connection());
        REQUIRE(!made.has_value());
        CHECK(made.error().progress() == progress::maybe_sent);
    });
    CHECK(wire->requests().size() == 1);
}

TEST_CASE("updating a connection is repeated with the same bytes after a lost answer")
{
    auto wire = support::script();
    wire->fail(errc::connection_lost, progress::maybe_sent).reply(200, answer("updated.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto connections = in_environment(cloud);
        auto changed = co_await connections.update("plattc-gz20xy", update_connection().display_name("renamed"));
        CHECK(changed.has_value());
    });
    auto const once =
        with_json("PATCH " + one_path, R"({"spec":{"display_name":"renamed","environment":{"id":"env-8gv0v5"}}})");
    CHECK(sent(*wire) == list_of(once, once));
}

TEST_CASE("every refusal of a connection keeps the server's words")
{
    auto empty_404 = not_found();
    empty_404.body.clear();
    SUBCASE("of a create")
    {
        support::check_refusals(
            support::refusals({400, 401, 402, 403, 409, 422, 429, 500}), method::post, all_path,
            [](client cloud) { return in_environment(cloud).create(an_aws_connection()); }
        );
    }
    SUBCASE("of a create without a name")
    {
        support::refusal const nameless(
            400, "networking/private_link_attachment_connections/name_missing.json", condition::invalid_request,
            "The private link attachment connection name must be provided."
        );
        support::check_refusals({nameless}, method::post, all_path, [](client cloud) {
            return in_environment(cloud).create(create_connection("", aws(endpoint_id), "platt-plyvyl"));
        });
    }
    SUBCASE("of a read")
    {
        support::check_refusals(
            support::refusals({400, 401, 403, 429, 500}, not_found()), method::get, one_path,
            [](client cloud) { return in_environment(cloud).get("plattc-gz20xy"); }
        );
        support::check_refusals({empty_404}, method::get, one_path, [](client cloud) {
            return in_environment(cloud).get("plattc-gz20xy");
        });
    }
    SUBCASE("of a listing")
    {
        support::check_refusals(support::refusals({400, 401, 403, 429, 500}), method::get, all_path, [](client cloud) {
            return in_environment(cloud).list().next();
        });
    }
    SUBCASE("of an update")
    {
        support::check_refusals(
            support::refusals({400, 401, 402, 403, 409, 422, 429, 500}, not_found()), method::patch, one_path,
            [](client cloud) {
                return in_environment(cloud).update("plattc-gz20xy", update_connection().display_name("a"));
            }
        );
    }
    SUBCASE("of a removal")
    {
        support::check_refusals(
            support::refusals({400, 401, 403, 429, 500}, not_found()), method::del, one_path,
            [](client cloud) { return in_environment(cloud).remove("plattc-gz20xy"); }
        );
    }
}

TEST_CASE("an id that could change the path of a connection is refused before anything is sent")
{
    support::check_bad_ids("id", [](client cloud, std::string const& id) { return in_environment(cloud).get(id); });
    support::check_bad_ids("id", [](client cloud, std::string const& id) { return in_environment(cloud).remove(id); });
    support::check_bad_ids("id", [](client cloud, std::string const& id) {
        return in_environment(cloud).update(id, update_connection());
    });
}

TEST_CASE("an empty environment makes every call an invalid argument")
{
    auto wire = support::script();
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto connections = in_environment(cloud, "");
        auto made = co_await connections.create(an_aws_connection());
        REQUIRE(!made.has_value());
        support::check_refused_argument(made.error(), "environment");
        auto got = co_await connections.get("plattc-gz20xy");
        REQUIRE(!got.has_value());
        support::check_refused_argument(got.error(), "environment");
        auto listed = co_await connections.list().next();
        REQUIRE(!listed.has_value());
        support::check_refused_argument(listed.error(), "environment");
        auto changed = co_await connections.update("plattc-gz20xy", update_connection());
        REQUIRE(!changed.has_value());
        support::check_refused_argument(changed.error(), "environment");
        auto gone = co_await connections.remove("plattc-gz20xy");
        REQUIRE(!gone.has_value());
        support::check_refused_argument(gone.error(), "environment");
    });
    CHECK(wire->requests().empty());
}

TEST_CASE("any other id of a connection or an environment is percent-encoded")
{
    support::check_odd_ids(all_path + "/", "?environment=env-8gv0v5", [](client cloud, std::string const& id) {
        return in_environment(cloud).get(id);
    });
    support::check_odd_ids(all_path + "/", "", [](client cloud, std::string const& id) {
        return in_environment(cloud).update(id, update_connection());
    });
    support::check_odd_ids(one_path + "?environment=", "", [](client cloud, std::string const& environment) {
        return in_environment(cloud, environment).remove("plattc-gz20xy");
    });
    support::check_odd_ids(
        all_path + "?environment=", "&page_size=100",
        [](client cloud, std::string const& environment) { return in_environment(cloud, environment).list().next(); }
    );
}

TEST_CASE("a listing of connections sends environment, filter and page size with every page")
{
    CHECK(
        list_texts(connection_filter(), {}) ==
        list_of(
            bare("GET " + all_path + "?environment=env-8gv0v5&page_size=100"),
            bare("GET " + all_path + "?environment=env-8gv0v5&page_size=100&page_token=eyJ%3D%3D")
        )
    );
    std::string const filtered =
        "GET " + all_path + "?environment=env-8gv0v5&spec.private_link_attachment=platt-1&page_size=10";
    CHECK(
        list_texts(connection_filter().private_link_attachment("platt-1"), {.page_size = 10}) ==
        list_of(bare(filtered), bare(filtered + "&page_token=eyJ%3D%3D"))
    );
}

TEST_CASE("a filter of connections is percent-encoded, and left out where it is empty")
{
    CHECK(
        list_texts(connection_filter().private_link_attachment("a&page_size=1 \"ü\"#"), {}).front() ==
        bare(
            "GET " + all_path +
            "?environment=env-8gv0v5&spec.private_link_attachment=a%26page_size%3D1%20%22%C3%BC%22%23&page_size=100"
        )
    );
    CHECK(
        list_texts(connection_filter().private_link_attachment("x").private_link_attachment(""), {}).front() ==
        bare("GET " + all_path + "?environment=env-8gv0v5&page_size=100")
    );
}

TEST_CASE("a listing of connections without a filter is that of the whole environment")
{
    auto wire = support::script();
    wire->reply(200, answer("page_first.json")).reply(200, answer("page_last.json"));
    std::vector<std::string> ids;
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto connections = in_environment(cloud);
        auto all = connections.list({.page_size = 2});
        while (auto got = co_await or_throw(all.next()))
            ids.push_back(got->id);
    });
    CHECK(ids == list_of("plattc-gz20xy", "plattc-oci1", "plattc-gcp1"));
    CHECK(
        sent(*wire) == list_of(
                           bare("GET " + all_path + "?environment=env-8gv0v5&page_size=2"),
                           bare("GET " + all_path + "?environment=env-8gv0v5&page_size=2&page_token=eyJ%3D%3D")
                       )
    );
}

TEST_CASE("the items of a listing of connections are whole, each with its own cloud")
{
    auto const all = read_pages({"page_first.json", "page_last.json"});
    REQUIRE(all.size() == 3);
    REQUIRE(std::holds_alternative<aws>(all[0].spec.cloud));
    CHECK(std::get<aws>(all[0].spec.cloud).vpc_endpoint_id == endpoint_id);
    CHECK(std::holds_alternative<aws_status>(all[0].status.cloud));
    CHECK(all[0].spec.private_link_attachment.id == "platt-plyvyl");
    REQUIRE(std::holds_alternative<networking::unknown_kind>(all[1].spec.cloud));
    CHECK(std::get<networking::unknown_kind>(all[1].spec.cloud).kind == "OciPrivateLinkAttachmentConnection");
    CHECK(all[1].status.phase == phase::disconnected);
    REQUIRE(std::holds_alternative<gcp>(all[2].spec.cloud));
    CHECK(std::get<gcp>(all[2].spec.cloud).private_service_connect_connection_id == "18446744073709551615");
    CHECK(all[2].status.phase == phase::deprovisioning);
}

TEST_CASE("a listing of connections ends where next is absent, null or empty, with or without data")
{
    CHECK(read_pages({"page_bare.json"}).size() == 1);
    CHECK(read_pages({"page_last.json"}).size() == 1);
    CHECK(read_pages({"page_empty.json"}).empty());
    CHECK(read_pages({"page_null.json"}).empty());
    CHECK(read_pages({"page_first.json", "page_null.json"}).size() == 2);
}

TEST_CASE("a next link of connections without a token is an error and not the end")
{
    auto wire = support::script();
    wire->reply(200, answer("page_next_without_token.json"));
    with_client(wire, [&](client cloud) -> asio::awaitable<void> {
        auto connections = in_environment(cloud);
        auto all = co_await connections.list().collect();
        REQUIRE(!all.has_value());
        CHECK(all.error() == errc::page_link_without_token);
    });
}

TEST_CASE("times of connections are read to the nanosecond, and a bad one costs nothing else")
{
    auto const all = read_pages({"timestamps.json"});
    REQUIRE(all.size() == 3);
    CHECK(all[0].metadata.created_at == utc(2023, 3, 14, 2, 13, 22));
    CHECK(all[0].metadata.updated_at == utc(2023, 3, 14, 2, 13, 22, 35'971'000));
    CHECK(all[1].metadata.created_at == utc(2023, 3, 14, 2, 13, 22, 35'970'009));
    CHECK(all[1].metadata.updated_at == utc(2023, 3, 14, 2, 13, 22));
    CHECK(!all[2].metadata.created_at.has_value());
    CHECK(all[2].metadata.updated_at == utc(2023, 3, 14, 2, 13, 22, 500'000'000));
}
