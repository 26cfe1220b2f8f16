/*  The caller's text that is not UTF-8: JSON is exchanged in UTF-8 (RFC 8259 section 8.1), so no server can read it. */

#include <ccloud/iam/identity_pools.hpp>
#include <ccloud/iam/ip_groups.hpp>
#include <ccloud/iam/sso/group_mappings.hpp>
#include <ccloud/networking/private_link_attachment_connections.hpp>

#include "client.hpp"
#include "printers.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace asio = boost::asio;
namespace iam = ccloud::iam;
namespace networking = ccloud::networking;

using ccloud::client;
using ccloud::condition;
using ccloud::errc;
using ccloud::progress;

namespace {

/** An operation that fails, and its error. */
using attempted = std::function<asio::awaitable<ccloud::error>(client, std::string)>;

struct row
{
    std::string_view field;
    attempted attempt;
};

template <class T>
asio::awaitable<ccloud::error> failure_of(ccloud::operation<T> work)
{
    auto got = co_await std::move(work);
    CHECK(!got.has_value());
    if (got.has_value())
        co_return ccloud::error();
    co_return std::move(got).error();
}

template <class T>
asio::awaitable<ccloud::error> failure_of(ccloud::async_generator<T> listing)
{
    auto got = co_await listing.next();
    CHECK(!got.has_value());
    if (got.has_value())
        co_return ccloud::error();
    co_return std::move(got).error();
}

networking::private_link_attachment_connections in_environment(client const& cloud, std::string environment = "env-1")
{
    return networking::private_link_attachment_connections(cloud, std::move(environment));
}

asio::awaitable<ccloud::error> failure_with(client cloud, networking::private_link_attachment_connection_cloud end)
{
    networking::create_private_link_attachment_connection const made("name", std::move(end), "platt-1");
    return failure_of(in_environment(cloud).create(made));
}

std::vector<row> const& every_field()
{
    static std::vector<row> const rows{
        {"group_name",
         [](client cloud, std::string text) {
             return failure_of(iam::ip_groups(cloud).create(iam::create_ip_group(text).cidr_block("10.0.0.0/8")));
         }},
        {"cidr_blocks[1]",
         [](client cloud, std::string text) {
             iam::create_ip_group group("a");
             group.cidr_block("10.0.0.0/8").cidr_block(text).cidr_block(text);
             return failure_of(iam::ip_groups(cloud).create(group));
         }},
        {"group_name",
         [](client cloud, std::string text) {
             iam::ip_group old;
             old.group_name = text;
             return failure_of(iam::ip_groups(cloud).update("ipg-1", iam::update_ip_group(old)));
         }},
        {"cidr_blocks[0]",
         [](client cloud, std::string text) {
             iam::ip_group old;
             old.cidr_blocks.push_back(text);
             return failure_of(iam::ip_groups(cloud).update("ipg-1", iam::update_ip_group(old)));
         }},
        {"id", [](client cloud, std::string text) { return failure_of(iam::ip_groups(cloud).get(text)); }},
        {"id", [](client cloud, std::string text) { return failure_of(iam::ip_groups(cloud).remove(text)); }},
        {"display_name",
         [](client cloud, std::string text) {
             return failure_of(iam::identity_pools(cloud, "op-1").create(iam::create_identity_pool(text, "c", "d")));
         }},
        {"description",
         [](client cloud, std::string text) {
             return failure_of(
                 iam::identity_pools(cloud, "op-1").create(iam::create_identity_pool("a", "c", "d").description(text))
             );
         }},
        {"identity_claim",
         [](client cloud, std::string text) {
             return failure_of(iam::identity_pools(cloud, "op-1").create(iam::create_identity_pool("a", text, "d")));
         }},
        {"filter",
         [](client cloud, std::string text) {
             return failure_of(iam::identity_pools(cloud, "op-1").create(iam::create_identity_pool("a", "c", text)));
         }},
        {"assigned_resource_owner",
         [](client cloud, std::string text) {
             iam::create_identity_pool pool("a", "c", "d");
             pool.assigned_resource_owner(text);
             return failure_of(iam::identity_pools(cloud, "op-1").create(pool));
         }},
        {"provider_id",
         [](client cloud, std::string text) { return failure_of(iam::identity_pools(cloud, text).get("pool-1")); }},
        {"provider_id",
         [](client cloud, std::string text) { return failure_of(iam::identity_pools(cloud, text).list()); }},
        {"description",
         [](client cloud, std::string text) {
             return failure_of(
                 iam::identity_pools(cloud, "op-1").update("pool-1", iam::update_identity_pool().description(text))
             );
         }},
        {"filter",
         [](client cloud, std::string text) {
             return failure_of(iam::identity_pools(cloud, "op-1")
                                   .update("pool-1", iam::update_identity_pool().description("a").filter(text)));
         }},
        {"display_name",
         [](client cloud, std::string text) {
             return failure_of(iam::sso::group_mappings(cloud).create(iam::sso::create_group_mapping(text, "c")));
         }},
        {"filter",
         [](client cloud, std::string text) {
             return failure_of(
                 iam::sso::group_mappings(cloud).update("group-1", iam::sso::update_group_mapping().filter(text))
             );
         }},
        {"spec.display_name",
         [](client cloud, std::string text) {
             networking::create_private_link_attachment_connection const made(
                 text, networking::aws_private_link_attachment_connection("vpce-1"), "platt-1"
             );
             return failure_of(in_environment(cloud).create(made));
         }},
        {"spec.private_link_attachment.id",
         [](client cloud, std::string text) {
             networking::create_private_link_attachment_connection const made(
                 "a", networking::aws_private_link_attachment_connection("vpce-1"), text
             );
             return failure_of(in_environment(cloud).create(made));
         }},
        {"spec.cloud.vpc_endpoint_id",
         [](client cloud, std::string text) {
             return failure_with(cloud, networking::aws_private_link_attachment_connection(text));
         }},
        {"spec.cloud.private_endpoint_resource_id",
         [](client cloud, std::string text) {
             return failure_with(cloud, networking::azure_private_link_attachment_connection(text));
         }},
        {"spec.cloud.private_service_connect_connection_id",
         [](client cloud, std::string text) {
             return failure_with(cloud, networking::gcp_private_link_attachment_connection(text));
         }},
        {"spec.cloud.json",
         [](client cloud, std::string text) {
             networking::unknown_kind other;
             other.json = R"({"kind":"OciX","a":")" + text + "\"}";
             return failure_with(cloud, std::move(other));
         }},
        {"environment",
         [](client cloud, std::string text) {
             networking::create_private_link_attachment_connection const made(
                 "a", networking::aws_private_link_attachment_connection("vpce-1"), "platt-1"
             );
             return failure_of(in_environment(cloud, text).create(made));
         }},
        {"environment",
         [](client cloud, std::string text) { return failure_of(in_environment(cloud, text).get("plattc-1")); }},
        {"environment", [](client cloud, std::string text) { return failure_of(in_environment(cloud, text).list()); }},
        {"spec.private_link_attachment",
         [](client cloud, std::string text) {
             networking::list_private_link_attachment_connections filter;
             filter.private_link_attachment(text);
             return failure_of(in_environment(cloud).list(filter));
         }},
        {"spec.display_name",
         [](client cloud, std::string text) {
             networking::update_private_link_attachment_connection edit;
             edit.display_name(text);
             return failure_of(in_environment(cloud).update("plattc-1", edit));
         }},
    };
    return rows;
}

} // namespace

TEST_CASE("RFC 8259 section 8.1: a text that is not UTF-8 is an invalid argument with the name of its field, not sent")
{
    for (auto const& [field, attempt] : every_field())
        for (std::string_view const text :
             {"\xff", "Z\xfcrich", "\xed\xa0\xbd", "\xc0\xaf", "cut\xe2\x82", "\xf4\x90\x80\x80"})
        {
            CAPTURE(field);
            auto wire = support::script();
            wire->reply(200, "{}"); // of the next call, which works
            support::with_client(wire, [&](client cloud) -> asio::awaitable<void> {
                auto work = attempt(cloud, std::string(text));
                auto const failure = co_await std::move(work);
                CHECK(failure == errc::invalid_argument);
                CHECK(failure == condition::invalid_request);
                CHECK(failure.progress() == progress::not_sent);
                CHECK(failure.detail() == std::string(field) + " must be UTF-8");
                CHECK(failure.what().ends_with("invalid argument: " + std::string(field) + " must be UTF-8"));
                CHECK(wire->requests().empty());
                ccloud::http_request probe(ccloud::method::get, "/x");
                auto next = co_await cloud.execute(probe);
                CHECK(next.has_value());
            });
        }
}

TEST_CASE("text in UTF-8 of every length is sent as it is")
{
    for (auto const& [field, attempt] : every_field())
    {
        CAPTURE(field);
        std::string const text = "Z\xc3\xbcrich-\xe2\x82\xac-\xf0\x9f\x9a\x80";
        auto wire = support::script();
        wire->reply(418); // any failure
        support::with_client(wire, [&](client cloud) -> asio::awaitable<void> {
            auto work = attempt(cloud, text);
            auto const failure = co_await std::move(work);
            CHECK(failure == errc::http_status);
        });
        REQUIRE(wire->requests().size() == 1);
        auto const sent = support::text(wire->requests().front());
        CHECK((
            sent.find(text) != std::string::npos || sent.find("Z%C3%BCrich-%E2%82%AC-%F0%9F%9A%80") != std::string::npos
        ));
    }
}
