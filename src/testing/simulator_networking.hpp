#ifndef CCLOUD_TESTING_SIMULATOR_NETWORKING_HPP
#define CCLOUD_TESTING_SIMULATOR_NETWORKING_HPP

#include "testing/simulator_call.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <map>

namespace ccloud::testing::simulated {

/** One of the three clouds: what its one-of calls things. */
struct cloud_words
{
    std::string_view kind;      ///< in a request
    std::string_view member;    ///< the customer's endpoint, in `spec` and `status`
    std::string_view id_prefix; ///< of the endpoint; empty: it is digits
    std::string_view complaint; ///< where the endpoint is missing or wrong
    std::vector<std::pair<std::string_view, std::string_view>> ready; ///< further members of `status.cloud`
    bool early_status = false; ///< `status.cloud` is there while provisioning, its further members ""
};

inline std::array<cloud_words, 3> const& all_clouds()
{
    static std::array<cloud_words, 3> const clouds{
        cloud_words{
            "AwsPrivateLinkAttachmentConnection",
            "vpc_endpoint_id",
            "vpce-",
            "The AWS VPC Endpoint ID is invalid.",
            {{"vpc_endpoint_service_name", "com.amazonaws.vpce.us-west-2.vpce-svc-0123456789abcdef0"}},
            true},
        cloud_words{
            "AzurePrivateLinkAttachmentConnection",
            "private_endpoint_resource_id",
            "/subscriptions/",
            "The Azure Private Endpoint Resource ID is invalid.",
            {{"private_link_service_alias", "s-abcde-plsvc.11111111-aaaa.eastus.azure.privatelinkservice"},
             {"private_link_service_resource_id",
              "/subscriptions/22222222-bbbb/resourceGroups/rg/providers/Microsoft.Network/privateLinkServices/plsvc"},
             {"zone", "1"}}},
        cloud_words{
            "GcpPrivateLinkAttachmentConnection",
            "private_service_connect_connection_id",
            "",
            "The GCP Private Service Connect Connection ID is invalid.",
            {{"private_service_connect_service_attachment",
              "projects/example/regions/us-central1/serviceAttachments/plattg"}}},
    };
    return clouds;
}

/** A private link attachment connection. */
struct connection_record
{
    std::uint64_t number = 0;
    std::string id;
    std::string display_name;
    std::string environment;
    std::string attachment;
    std::string endpoint;
    cloud_words const* cloud = nullptr;
    instant created;
    instant updated;
    instant ready;
    std::optional<instant> gone; ///< once it is being deleted
    std::string held_phase;      ///< by `set_phase`; empty: time tells
    std::string error_message;
};

/** `/networking/v1/private-link-attachment-connections` */
class connection_resource final : public resource
{
public:
    explicit connection_resource(simulator_options const& options)
        : url_(options.next_host + "/networking/v1/private-link-attachment-connections"),
          provisioning_(options.provisioning), deprovisioning_(options.deprovisioning)
    {
    }

    api_response list(call const& request) override
    {
        forget_gone(request.now);
        std::string const environment = required_environment(request);
        page_request const wanted = read_page_request(request, list_name(environment), 10);
        auto const attachment = request.query.find("spec.private_link_attachment");
        bool const every = attachment == request.query.end() || attachment->second.empty();
        auto const passes = [&](connection_record const& each) {
            return every || each.attachment == attachment->second;
        };
        page<connection_record> const found = connections_[environment].read(wanted.from, wanted.size, passes);
        return json_response(200, json::serialize(list_body(environment, wanted, found, request.now)));
    }

    /** Asynchronous: 202, and PROVISIONING for a while. */
    api_response create(call const& request) override
    {
        connection_record const& made = add(read_new(request), request.now);
        return object_response(202, render(made, request.now), url_of(made));
    }

    api_response get(call const& request) override
    {
        return json_response(200, render(find(request, required_environment(request)), request.now));
    }

    /** The environment comes in the body here, and nothing in the query. */
    api_response update(call const& request) override
    {
        if (!request.query.empty())
            throw refuse_parameter(request, "PATCH takes no query parameters", request.query.begin()->first);
        json::object const body = read_object(request);
        json::object const& spec = read_spec(request, body);
        connection_record& record = find(request, read_reference(request, spec, "environment"));
        for (std::string_view const name : {"cloud", "private_link_attachment"})
            if (spec.contains(json::string_view(name.data(), name.size())))
                throw refuse_body(request, std::string(name) + " is immutable", "/spec/" + std::string(name));
        if (spec.contains("display_name"))
            record.display_name = read_display_name(request, spec, record);
        record.updated = request.now;
        return json_response(200, render(record, request.now));
    }

    /** Asynchronous: 204, DEPROVISIONING for a while, then 404. Doing it twice changes nothing. */
    api_response remove(call const& request) override
    {
        connection_record& record = find(request, required_environment(request));
        if (!record.gone)
        {
            record.gone = request.now + deprovisioning_;
            leaving_.push_back(&record);
        }
        return {.status = 204, .body = {}, .headers = {}};
    }

    bool set_phase(std::string_view id, std::string phase, std::string error_message, instant now)
    {
        forget_gone(now);
        for (auto const& [environment, connections] : connections_)
        {
            connection_record* const record = connections.find(std::string(id));
            if (record == nullptr)
                continue;
            record->held_phase = std::move(phase);
            record->error_message = std::move(error_message);
            return true;
        }
        return false;
    }

private:
    /** 404 with an empty body is what is sent for a wrong id and for a wrong environment. */
    static refusal not_found() { return {api_response{.status = 404, .body = {}, .headers = {}}}; }

    static std::string list_name(std::string const& environment) { return "connections of " + environment; }

    static std::string known_environment(std::string environment)
    {
        if (!environment.starts_with("env-"))
            throw not_found();
        return environment;
    }

    static std::string required_environment(call const& request)
    {
        auto const environment = request.query.find("environment");
        if (environment == request.query.end() || environment->second.empty())
            throw refuse_parameter(request, "The environment query parameter is required", "environment");
        return known_environment(environment->second);
    }

    connection_record& find(call const& request, std::string const& environment)
    {
        forget_gone(request.now);
        connection_record* const record = connections_[environment].find(request.id);
        if (record == nullptr)
            throw not_found();
        return *record;
    }

    /** All take the same time to go, so the first that was deleted is the first that is gone. */
    void forget_gone(instant now)
    {
        while (!leaving_.empty() && *leaving_.front()->gone <= now)
        {
            connection_record const& record = *leaving_.front();
            leaving_.pop_front();
            connections_[std::string(record.environment)].erase(record);
        }
    }

    static json::object const& read_spec(call const& request, json::object const& body)
    {
        json::value const* const spec = body.if_contains("spec");
        if (spec == nullptr || !spec->is_object())
            throw refuse_body(request, "The request body is malformed (missing spec).", "/spec");
        return spec->get_object();
    }

    /** The text of a member, or "" where it is absent or something else. */
    static std::string text_of(json::object const& object, std::string_view name)
    {
        json::value const* const value = object.if_contains(json::string_view(name.data(), name.size()));
        return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
    }

    static json::object const& read_object_member(call const& request, json::object const& spec, std::string_view name)
    {
        json::value const* const value = spec.if_contains(json::string_view(name.data(), name.size()));
        if (value == nullptr || !value->is_object())
            throw refuse_body(
                request, "The request body is malformed (missing " + std::string(name) + ").",
                "/spec/" + std::string(name)
            );
        return value->get_object();
    }

    static std::string read_reference(call const& request, json::object const& spec, std::string_view name)
    {
        std::string id = text_of(read_object_member(request, spec, name), "id");
        if (id.empty())
            throw refuse_body(
                request, "The request body is malformed (missing " + std::string(name) + " id).",
                "/spec/" + std::string(name) + "/id"
            );
        return id;
    }

    static std::string read_name(call const& request, json::object const& spec)
    {
        std::string name = text_of(spec, "display_name");
        if (name.empty())
            throw refuse_body(
                request, "The private link attachment connection name must be provided.", "/spec/display_name"
            );
        return name;
    }

    static std::string read_display_name(call const& request, json::object const& spec, connection_record const& record)
    {
        std::string name = read_name(request, spec);
        if (record.gone)
            throw refuse(request, 409, {.detail = "The private link attachment connection is being deleted."});
        return name;
    }

    static cloud_words const& read_kind(call const& request, json::object const& cloud)
    {
        std::string const kind = text_of(cloud, "kind");
        std::string_view const word = std::string_view(kind).substr(kind.rfind('.') + 1); // npos + 1 is 0
        auto const found = std::ranges::find(all_clouds(), word, &cloud_words::kind);
        if (found == all_clouds().end())
            throw refuse_body(request, "The request body is malformed (unknown cloud kind).", "/spec/cloud/kind");
        return *found;
    }

    static std::string read_endpoint(call const& request, json::object const& cloud, cloud_words const& words)
    {
        std::string endpoint = text_of(cloud, words.member);
        bool const digits = endpoint.find_first_not_of("0123456789") == std::string::npos;
        if (endpoint.size() <= words.id_prefix.size() || !endpoint.starts_with(words.id_prefix) ||
            (words.id_prefix.empty() && !digits))
            throw refuse_body(request, std::string(words.complaint), "/spec/cloud/" + std::string(words.member));
        return endpoint;
    }

    static connection_record read_new(call const& request)
    {
        json::object const body = read_object(request);
        json::object const& spec = read_spec(request, body);
        connection_record made;
        made.display_name = read_name(request, spec);
        json::object const& cloud = read_object_member(request, spec, "cloud");
        made.cloud = &read_kind(request, cloud);
        made.endpoint = read_endpoint(request, cloud, *made.cloud);
        std::string environment = read_reference(request, spec, "environment");
        made.attachment = read_reference(request, spec, "private_link_attachment");
        if (!made.attachment.starts_with("platt-"))
            throw refuse_body(
                request, "The private link attachment was not found.", "/spec/private_link_attachment/id"
            );
        made.environment = known_environment(std::move(environment));
        return made;
    }

    connection_record& add(connection_record made, instant now)
    {
        made.number = ++last_number_;
        made.id = make_id("plattc-", made.number);
        made.created = now;
        made.updated = now;
        made.ready = now + provisioning_;
        std::string const environment = made.environment;
        return connections_[environment].add(std::move(made));
    }

    /** With the query that reading it takes. */
    std::string url_of(connection_record const& record) const
    {
        return url_ + "/" + record.id + "?environment=" + percent_encode(record.environment);
    }

    static std::string phase_of(connection_record const& record, instant now)
    {
        if (record.gone)
            return "DEPROVISIONING";
        if (!record.held_phase.empty())
            return record.held_phase;
        return now < record.ready ? "PROVISIONING" : "READY";
    }

    static json::object environment_reference(std::string const& environment)
    {
        return {
            {"api_version", "org/v2"},
            {"environment", environment},
            {"id", environment},
            {"kind", "Environment"},
            {"related", "https://api.confluent.cloud/v2/environments/" + environment},
            {"resource_name", crn("environment=" + environment)},
        };
    }

    static json::object attachment_reference(connection_record const& record)
    {
        return {
            {"api_version", "networking/v1"},
            {"environment", record.environment},
            {"id", record.attachment},
            {"kind", "PrivateLinkAttachment"},
            {"related", "https://api.confluent.cloud/networking/v1/private-link-attachments/" + record.attachment +
                            "?environment=" + record.environment},
            {"resource_name",
             crn("environment=" + record.environment + "/private-link-attachment=" + record.attachment)},
        };
    }

    /** The one-of with its discriminator as production writes it, with the API group before it. */
    static json::object make_cloud(connection_record const& record, std::string_view suffix)
    {
        cloud_words const& words = *record.cloud;
        json::object cloud{{"kind", "networking.v1." + std::string(words.kind) + std::string(suffix)}};
        cloud[json::string_view(words.member.data(), words.member.size())] = record.endpoint;
        return cloud;
    }

    static json::object make_status(connection_record const& record, instant now)
    {
        std::string const phase = phase_of(record, now);
        bool const provisioned = phase != "PROVISIONING";
        json::object status{{"phase", phase}};
        if (provisioned)
        {
            status["error_code"] = record.error_message.empty() ? "" : "simulated_failure";
            status["error_message"] = record.error_message;
        }
        if (!provisioned && !record.cloud->early_status)
            return status;
        json::object cloud = make_cloud(record, "Status");
        for (auto const& [name, value] : record.cloud->ready)
            cloud[json::string_view(name.data(), name.size())] =
                provisioned ? json::string_view(value.data(), value.size()) : json::string_view();
        status["cloud"] = std::move(cloud);
        return status;
    }

    json::object make_object(connection_record const& record, instant now) const
    {
        std::string const name =
            crn("environment=" + record.environment + "/private-link-attachment=" + record.attachment +
                "/private-link-attachment-connection=" + record.id);
        return {
            {"api_version", "networking/v1"},
            {"kind", "PrivateLinkAttachmentConnection"},
            {"id", record.id},
            {"metadata", make_metadata(url_of(record), name, record.created, record.updated)},
            {"spec",
             {{"display_name", record.display_name},
              {"cloud", make_cloud(record, "")},
              {"environment", environment_reference(record.environment)},
              {"private_link_attachment", attachment_reference(record)}}},
            {"status", make_status(record, now)},
        };
    }

    std::string render(connection_record const& record, instant now) const
    {
        return json::serialize(make_object(record, now));
    }

    /** `next` is "" at the end here; the other lists show null and no member at all. */
    json::object list_body(
        std::string const& environment, page_request wanted, page<connection_record> const& found, instant now
    ) const
    {
        json::array data;
        for (connection_record const* record : found.items)
            data.push_back(make_object(*record, now));
        std::string next;
        if (found.next)
            next = page_link(url_, list_name(environment), {*found.next, wanted.size});
        return {
            {"api_version", "networking/v1"},
            {"kind", "PrivateLinkAttachmentConnectionList"},
            {"metadata", {{"self", url_}, {"next", next}}},
            {"data", std::move(data)},
        };
    }

    std::string url_;
    std::chrono::milliseconds provisioning_;
    std::chrono::milliseconds deprovisioning_;
    std::uint64_t last_number_ = 0;
    std::map<std::string, collection<connection_record>> connections_; ///< by environment
    std::deque<connection_record const*> leaving_;                     ///< in the order they will be gone
};

} // namespace ccloud::testing::simulated

#endif
