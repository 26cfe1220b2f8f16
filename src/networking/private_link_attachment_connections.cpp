#include <ccloud/networking/private_link_attachment_connections.hpp>

#include "call.hpp"
#include "core/writer.hpp"
#include "networking/private_link_attachment_connections_json.hpp"
#include "paging.hpp"

namespace ccloud::networking {

namespace {

constexpr std::string_view at = "/networking/v1/private-link-attachment-connections";

core::json_object reference(std::string_view id)
{
    return core::json_object().member("id", id);
}

core::json_object of_kind(std::string_view kind)
{
    return core::json_object().member("kind", kind);
}

/** Writes `spec.cloud`; gives nothing for an alternative that cannot be created. */
struct write_cloud
{
    core::json_object operator()(std::monostate) const { return {}; }
    core::json_object operator()(aws_private_link_attachment_connection const& end) const
    {
        return of_kind("AwsPrivateLinkAttachmentConnection").member("vpc_endpoint_id", end.vpc_endpoint_id);
    }
    core::json_object operator()(azure_private_link_attachment_connection const& end) const
    {
        return of_kind("AzurePrivateLinkAttachmentConnection")
            .member("private_endpoint_resource_id", end.private_endpoint_resource_id);
    }
    core::json_object operator()(gcp_private_link_attachment_connection const& end) const
    {
        return of_kind("GcpPrivateLinkAttachmentConnection")
            .member("private_service_connect_connection_id", end.private_service_connect_connection_id);
    }
    core::json_object operator()(unknown_kind const& end) const { return core::json_object::raw(end.json); }
};

} // namespace

core::json_object to_json(create_private_link_attachment_connection const& made, std::string_view environment)
{
    auto const spec = core::json_object()
                          .member("display_name", made.display_name_)
                          .member("cloud", std::visit(write_cloud(), made.cloud_))
                          .member("environment", reference(environment))
                          .member("private_link_attachment", reference(made.private_link_attachment_));
    return core::json_object().member("spec", spec);
}

core::json_object to_json(update_private_link_attachment_connection const& edit, std::string_view environment)
{
    auto const spec =
        core::json_object().touched("display_name", edit.display_name_).member("environment", reference(environment));
    return core::json_object().member("spec", spec);
}

operation<private_link_attachment_connection> private_link_attachment_connections::create(
    create_private_link_attachment_connection const& connection, call_options options
) const
{
    return call<private_link_attachment_connection>(
        client_,
        plan(method::post).path(at).require("environment", environment_).body(to_json(connection, environment_)),
        options
    );
}

operation<private_link_attachment_connection> private_link_attachment_connections::get(
    std::string_view id, call_options options
) const
{
    return call<private_link_attachment_connection>(
        client_,
        plan(method::get)
            .path(at)
            .segment("id", id)
            .require("environment", environment_)
            .query("environment", environment_),
        options
    );
}

async_generator<private_link_attachment_connection> private_link_attachment_connections::list(list_options options
) const
{
    return list(list_private_link_attachment_connections(), options);
}

async_generator<private_link_attachment_connection> private_link_attachment_connections::list(
    list_private_link_attachment_connections const& filter, list_options options
) const
{
    return list_pages<private_link_attachment_connection>(
        client_,
        plan(method::get)
            .path(at)
            .require("environment", environment_)
            .query("environment", environment_)
            .filled_query("spec.private_link_attachment", filter.private_link_attachment_),
        options
    );
}

operation<private_link_attachment_connection> private_link_attachment_connections::update(
    std::string_view id, update_private_link_attachment_connection const& edit, call_options options
) const
{
    return call<private_link_attachment_connection>(
        client_,
        plan(method::patch)
            .path(at)
            .segment("id", id)
            .require("environment", environment_)
            .body(to_json(edit, environment_)),
        options
    );
}

operation<removed> private_link_attachment_connections::remove(std::string_view id, call_options options) const
{
    return call_remove(
        client_,
        plan(method::del)
            .path(at)
            .segment("id", id)
            .require("environment", environment_)
            .query("environment", environment_),
        options
    );
}

} // namespace ccloud::networking
