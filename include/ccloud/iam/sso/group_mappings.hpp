#ifndef CCLOUD_IAM_SSO_GROUP_MAPPINGS_HPP
#define CCLOUD_IAM_SSO_GROUP_MAPPINGS_HPP

#include <ccloud/async_generator.hpp>
#include <ccloud/change.hpp>
#include <ccloud/client.hpp>
#include <ccloud/export.hpp>
#include <ccloud/open_enum.hpp>
#include <ccloud/reference.hpp>
#include <ccloud/removed.hpp>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace ccloud::iam::sso {

/** Words of `group_mapping::state`. */
struct group_mapping_state_words
{
    static constexpr std::string_view enabled = "ENABLED";
};
using group_mapping_state = open_enum<group_mapping_state_words>;

/** A mapping of a group of the single sign-on provider to a principal. */
struct group_mapping
{
    std::string api_version; ///< "iam/v2" as answered, "iam.v2/sso" as documented
    std::string kind;
    std::string id;
    object_meta metadata;
    std::string display_name;
    std::string description;
    std::string filter;    ///< which groups, e.g. `"engineering" in groups`, the quotes included
    std::string principal; ///< what role bindings name; equals the id
    group_mapping_state state;
};

/** What a new group mapping is made of. */
class create_group_mapping
{
public:
    create_group_mapping(std::string display_name, std::string filter)
        : display_name_(std::move(display_name)), filter_(std::move(filter))
    {
    }

    /** Default: empty; the API wants one, and takes "". */
    create_group_mapping& description(std::string text)
    {
        description_ = std::move(text);
        return *this;
    }

private:
    friend ccloud::detail::json_object to_json(create_group_mapping const& mapping);

    std::string display_name_;
    std::string description_;
    std::string filter_;
};

/** Changes to a group mapping; what is not touched stays as it is. */
class update_group_mapping
{
public:
    update_group_mapping() = default;

    update_group_mapping& display_name(change<std::string> value)
    {
        display_name_ = std::move(value);
        return *this;
    }
    /** To blank a description send ""; the API documents no null. */
    update_group_mapping& description(change<std::string> value)
    {
        description_ = std::move(value);
        return *this;
    }
    /** The id, and so the principal, stays. */
    update_group_mapping& filter(change<std::string> value)
    {
        filter_ = std::move(value);
        return *this;
    }

private:
    friend ccloud::detail::json_object to_json(update_group_mapping const& mapping);

    change<std::string> display_name_;
    change<std::string> description_;
    change<std::string> filter_;
};

static_assert(!std::is_aggregate_v<create_group_mapping>);
static_assert(!std::is_aggregate_v<update_group_mapping>);

/** The SSO group mappings of the organization: `/iam/v2/sso/group-mappings`. Needs SSO on the organization, and the
    OrganizationAdmin role.

    Threads, lifetime, cancellation and deadlines are the client's. Conditions worth branching on, for all: `not_found`
    (its problem code may read "service_account_not_found"), `gone`, `unauthenticated`, `forbidden`, `throttled`. */
class CCLOUD_EXPORT group_mappings
{
public:
    explicit group_mappings(client cloud) : client_(std::move(cloud)) {}

    /** `POST /iam/v2/sso/group-mappings`. `quota_exceeded` (group_mappings_per_org), `conflict`, `invalid_request`
        where the filter is no valid expression. Never repeated once it may have been executed. */
    operation<group_mapping> create(create_group_mapping const& mapping, call_options options = {}) const;

    /** `GET /iam/v2/sso/group-mappings/{id}`. */
    operation<group_mapping> get(std::string_view id, call_options options = {}) const;

    /** `GET /iam/v2/sso/group-mappings`, page by page. */
    async_generator<group_mapping> list(list_options options = {}) const;

    /** `PATCH /iam/v2/sso/group-mappings/{id}`: a merge. Repeated like a GET. */
    operation<group_mapping> update(std::string_view id, update_group_mapping const& edit, call_options options = {})
        const;

    /** `DELETE /iam/v2/sso/group-mappings/{id}`. */
    operation<removed> remove(std::string_view id, call_options options = {}) const;

private:
    client client_;
};

} // namespace ccloud::iam::sso

#endif
