#ifndef CCLOUD_NETWORKING_PRIVATE_LINK_ATTACHMENT_CONNECTIONS_HPP
#define CCLOUD_NETWORKING_PRIVATE_LINK_ATTACHMENT_CONNECTIONS_HPP

#include <ccloud/async_generator.hpp>
#include <ccloud/change.hpp>
#include <ccloud/client.hpp>
#include <ccloud/export.hpp>
#include <ccloud/open_enum.hpp>
#include <ccloud/reference.hpp>
#include <ccloud/removed.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace ccloud::networking {

/** The customer's end of a connection in AWS. */
struct aws_private_link_attachment_connection
{
    aws_private_link_attachment_connection() = default;
    explicit aws_private_link_attachment_connection(std::string vpc_endpoint) : vpc_endpoint_id(std::move(vpc_endpoint))
    {
    }

    std::string vpc_endpoint_id; ///< e.g. "vpce-0ed4d51f5d6ef9b6d"
};

/** The customer's end of a connection in Azure. */
struct azure_private_link_attachment_connection
{
    azure_private_link_attachment_connection() = default;
    explicit azure_private_link_attachment_connection(std::string private_endpoint)
        : private_endpoint_resource_id(std::move(private_endpoint))
    {
    }

    std::string private_endpoint_resource_id; ///< "/subscriptions/…/privateEndpoints/…"
};

/** The customer's end of a connection in Google Cloud. */
struct gcp_private_link_attachment_connection
{
    gcp_private_link_attachment_connection() = default;
    explicit gcp_private_link_attachment_connection(std::string connection)
        : private_service_connect_connection_id(std::move(connection))
    {
    }

    std::string private_service_connect_connection_id; ///< digits; as text, for they exceed 2^53
};

/** A one-of whose `kind` this library does not know. */
struct unknown_kind
{
    std::string kind; ///< without the "networking.v1." that some answers put before it
    /** The whole object, from `{` to `}`, as the bytes that the server sent: numbers keep all digits, whatever their
        size (RFC 8259 section 6), and blanks and escapes do not change. Only ill-formed text (bytes that are not UTF-8,
        or the escape of an unpaired surrogate) becomes U+FFFD, as everywhere. An object of more than 1 MiB is refused with
        `errc::malformed_response`. `create` sends these bytes unchanged. */
    std::string json;
};

/** `spec.cloud`; `std::monostate` where the server sent none. */
using private_link_attachment_connection_cloud = std::variant<
    std::monostate, aws_private_link_attachment_connection, azure_private_link_attachment_connection,
    gcp_private_link_attachment_connection, unknown_kind>;

/** The provider's end in AWS. Members may be empty while provisioning. */
struct aws_private_link_attachment_connection_status
{
    std::string vpc_endpoint_service_name;
    std::string vpc_endpoint_id;
};

/** The provider's end in Azure. */
struct azure_private_link_attachment_connection_status
{
    std::string private_link_service_alias;
    std::string private_link_service_resource_id;
    std::string private_endpoint_resource_id;
    std::optional<std::string> zone; ///< availability zone, such as "2"; sent, but not documented for this resource
};

/** The provider's end in Google Cloud. */
struct gcp_private_link_attachment_connection_status
{
    std::string private_service_connect_service_attachment; ///< may be empty even when ready
    std::string private_service_connect_connection_id;
};

/** `status.cloud`; `std::monostate` where the server sent none, as it may while provisioning. */
using private_link_attachment_connection_status_cloud = std::variant<
    std::monostate, aws_private_link_attachment_connection_status, azure_private_link_attachment_connection_status,
    gcp_private_link_attachment_connection_status, unknown_kind>;

/** Words of `private_link_attachment_connection_status::phase`. */
struct private_link_attachment_connection_phase_words
{
    static constexpr std::string_view provisioning = "PROVISIONING";
    static constexpr std::string_view ready = "READY";
    static constexpr std::string_view failed = "FAILED";
    static constexpr std::string_view deprovisioning = "DEPROVISIONING";
    static constexpr std::string_view disconnected = "DISCONNECTED"; ///< the customer's endpoint is gone
};
using private_link_attachment_connection_phase = open_enum<private_link_attachment_connection_phase_words>;

/** What is wanted. */
struct private_link_attachment_connection_spec
{
    std::string display_name;
    private_link_attachment_connection_cloud cloud;
    object_reference environment;
    object_reference private_link_attachment;
};

/** What is. */
struct private_link_attachment_connection_status
{
    private_link_attachment_connection_phase phase;
    std::string error_code;    ///< empty where all is well
    std::string error_message; ///< empty where all is well
    private_link_attachment_connection_status_cloud cloud;
};

/** A connection of an endpoint in the customer's cloud to a private link attachment. */
struct private_link_attachment_connection
{
    std::string api_version;
    std::string kind;
    std::string id;
    object_meta metadata;
    private_link_attachment_connection_spec spec;
    private_link_attachment_connection_status status;
};

/** What a new connection is made of; the environment is the collection's. */
class create_private_link_attachment_connection
{
public:
    /** `cloud`: one of the three `…_private_link_attachment_connection`s. `private_link_attachment`: the id of the
        attachment, which must be waiting for connections or ready. */
    create_private_link_attachment_connection(
        std::string display_name, private_link_attachment_connection_cloud cloud, std::string private_link_attachment
    )
        : display_name_(std::move(display_name)), cloud_(std::move(cloud)),
          private_link_attachment_(std::move(private_link_attachment))
    {
    }

private:
    friend ccloud::detail::json_object to_json(
        create_private_link_attachment_connection const& made, std::string_view environment
    );

    std::string display_name_;
    private_link_attachment_connection_cloud cloud_;
    std::string private_link_attachment_;
};

/** Changes to a connection: its name is all that can change. */
class update_private_link_attachment_connection
{
public:
    update_private_link_attachment_connection() = default;

    update_private_link_attachment_connection& display_name(change<std::string> value)
    {
        display_name_ = std::move(value);
        return *this;
    }

private:
    friend ccloud::detail::json_object to_json(
        update_private_link_attachment_connection const& edit, std::string_view environment
    );

    change<std::string> display_name_;
};

/** Which connections to list. */
class list_private_link_attachment_connections
{
public:
    list_private_link_attachment_connections() = default;

    /** Only those of this attachment; empty: of all. */
    list_private_link_attachment_connections& private_link_attachment(std::string id)
    {
        private_link_attachment_ = std::move(id);
        return *this;
    }

private:
    friend class private_link_attachment_connections;

    std::string private_link_attachment_;
};

static_assert(!std::is_aggregate_v<aws_private_link_attachment_connection>);
static_assert(!std::is_aggregate_v<azure_private_link_attachment_connection>);
static_assert(!std::is_aggregate_v<gcp_private_link_attachment_connection>);
static_assert(!std::is_aggregate_v<create_private_link_attachment_connection>);
static_assert(!std::is_aggregate_v<update_private_link_attachment_connection>);
static_assert(!std::is_aggregate_v<list_private_link_attachment_connections>);

/** The private link attachment connections of one environment: `/networking/v1/private-link-attachment-connections`.

    Creating and deleting are asynchronous on the server: a new connection is `PROVISIONING` before it is `READY` or
    `FAILED`, a deleted one `DEPROVISIONING` before it answers `condition::gone`. A wrong environment answers like a
    missing connection. Threads, lifetime, cancellation and deadlines are the client's. Conditions worth branching on,
    for all: `not_found`, `gone`, `unauthenticated`, `forbidden`, `throttled`. */
class CCLOUD_EXPORT private_link_attachment_connections
{
public:
    /** `environment`: e.g. "env-8gv0v5"; an empty one makes every call an `invalid_argument`. */
    private_link_attachment_connections(client cloud, std::string environment)
        : client_(std::move(cloud)), environment_(std::move(environment))
    {
    }

    std::string const& environment() const noexcept { return environment_; }

    /** `POST /networking/v1/private-link-attachment-connections`, answered by 202. `invalid_request` where the
        attachment or the endpoint is not right, `conflict`. Never repeated once it may have been executed. */
    operation<private_link_attachment_connection> create(
        create_private_link_attachment_connection const& connection, call_options options = {}
    ) const;

    /** `GET …/{id}?environment=…`. */
    operation<private_link_attachment_connection> get(std::string_view id, call_options options = {}) const;

    /** `GET …?environment=…`, page by page. */
    async_generator<private_link_attachment_connection> list(list_options options = {}) const;
    async_generator<private_link_attachment_connection> list(
        list_private_link_attachment_connections const& filter, list_options options = {}
    ) const;

    /** `PATCH …/{id}`, the environment in the body. Repeated like a GET. */
    operation<private_link_attachment_connection> update(
        std::string_view id, update_private_link_attachment_connection const& edit, call_options options = {}
    ) const;

    /** `DELETE …/{id}?environment=…`: begins the removal. */
    operation<removed> remove(std::string_view id, call_options options = {}) const;

private:
    client client_;
    std::string environment_;
};

} // namespace ccloud::networking

#endif
