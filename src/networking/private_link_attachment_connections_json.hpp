#ifndef CCLOUD_NETWORKING_PRIVATE_LINK_ATTACHMENT_CONNECTIONS_JSON_HPP
#define CCLOUD_NETWORKING_PRIVATE_LINK_ATTACHMENT_CONNECTIONS_JSON_HPP

#include <ccloud/networking/private_link_attachment_connections.hpp>

#include "core/codec.hpp"
#include "core/described.hpp"

#include <string_view>

namespace ccloud::networking {

BOOST_DESCRIBE_STRUCT(aws_private_link_attachment_connection, (), (vpc_endpoint_id))
BOOST_DESCRIBE_STRUCT(azure_private_link_attachment_connection, (), (private_endpoint_resource_id))
BOOST_DESCRIBE_STRUCT(gcp_private_link_attachment_connection, (), (private_service_connect_connection_id))
BOOST_DESCRIBE_STRUCT(aws_private_link_attachment_connection_status, (), (vpc_endpoint_service_name, vpc_endpoint_id))
BOOST_DESCRIBE_STRUCT(
    azure_private_link_attachment_connection_status, (),
    (private_link_service_alias, private_link_service_resource_id, private_endpoint_resource_id, zone)
)
BOOST_DESCRIBE_STRUCT(
    gcp_private_link_attachment_connection_status, (),
    (private_service_connect_service_attachment, private_service_connect_connection_id)
)
BOOST_DESCRIBE_STRUCT(
    private_link_attachment_connection_spec, (), (display_name, cloud, environment, private_link_attachment)
)
BOOST_DESCRIBE_STRUCT(private_link_attachment_connection_status, (), (phase, error_code, error_message, cloud))
BOOST_DESCRIBE_STRUCT(private_link_attachment_connection, (), (api_version, kind, id, metadata, spec, status))

} // namespace ccloud::networking

namespace ccloud::core {

namespace detail {

/** The same choice for both one-ofs: the kinds of a status end in "Status". */
template <class Aws, class Azure, class Gcp, class Variant>
slot choose_cloud(Variant& cloud, boost::json::object const& whole, std::string_view suffix)
{
    auto const kind = plain_kind(whole);
    auto const is = [&](std::string_view name) { return kind.starts_with(name) && kind.substr(name.size()) == suffix; };
    if (is("AwsPrivateLinkAttachmentConnection"))
        return place_in<Aws>(cloud);
    if (is("AzurePrivateLinkAttachmentConnection"))
        return place_in<Azure>(cloud);
    if (is("GcpPrivateLinkAttachmentConnection"))
        return place_in<Gcp>(cloud);
    auto& unknown = cloud.template emplace<networking::unknown_kind>();
    unknown.kind = kind;
    return root_of(unknown.json);
}

} // namespace detail

template <>
struct one_of<networking::private_link_attachment_connection_cloud>
{
    static slot choose(networking::private_link_attachment_connection_cloud& cloud, boost::json::object const& whole)
    {
        return detail::choose_cloud<
            networking::aws_private_link_attachment_connection, networking::azure_private_link_attachment_connection,
            networking::gcp_private_link_attachment_connection>(cloud, whole, "");
    }
};

template <>
struct one_of<networking::private_link_attachment_connection_status_cloud>
{
    static slot choose(
        networking::private_link_attachment_connection_status_cloud& cloud, boost::json::object const& whole
    )
    {
        return detail::choose_cloud<
            networking::aws_private_link_attachment_connection_status,
            networking::azure_private_link_attachment_connection_status,
            networking::gcp_private_link_attachment_connection_status>(cloud, whole, "Status");
    }
};

} // namespace ccloud::core

#endif
