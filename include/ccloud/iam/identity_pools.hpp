#ifndef CCLOUD_IAM_IDENTITY_POOLS_HPP
#define CCLOUD_IAM_IDENTITY_POOLS_HPP

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

namespace ccloud::iam {

/** Words of `identity_pool::state`. */
struct identity_pool_state_words
{
    static constexpr std::string_view enabled = "ENABLED";
};
using identity_pool_state = open_enum<identity_pool_state_words>;

/** A group of external identities, told by a filter over their token's claims. */
struct identity_pool
{
    std::string api_version;
    std::string kind;
    std::string id;
    object_meta metadata;
    std::string display_name; ///< not unique
    std::string description;
    std::string identity_claim; ///< the claim that names the identity, e.g. "claims.sub"
    std::string filter;         ///< CEL, e.g. `claims.aud=="confluent"`
    std::string principal;      ///< what role bindings name; equals the id
    identity_pool_state state;
};

/** What a new identity pool is made of. */
class create_identity_pool
{
public:
    create_identity_pool(std::string display_name, std::string identity_claim, std::string filter)
        : display_name_(std::move(display_name)), identity_claim_(std::move(identity_claim)), filter_(std::move(filter))
    {
    }

    /** Default: empty; the API wants one, and takes "". */
    create_identity_pool& description(std::string text)
    {
        description_ = std::move(text);
        return *this;
    }

    /** The principal that is to own the pool: a user, group mapping, service account or pool. Default, and where
        empty: nobody is named. Sent as query parameter; cannot be read back. */
    create_identity_pool& assigned_resource_owner(std::string principal)
    {
        assigned_resource_owner_ = std::move(principal);
        return *this;
    }

private:
    friend class identity_pools;
    friend ccloud::detail::json_object to_json(create_identity_pool const& pool);

    std::string display_name_;
    std::string description_;
    std::string identity_claim_;
    std::string filter_;
    std::string assigned_resource_owner_;
};

/** Changes to an identity pool; what is not touched stays as it is. */
class update_identity_pool
{
public:
    update_identity_pool() = default;

    update_identity_pool& display_name(change<std::string> value)
    {
        display_name_ = std::move(value);
        return *this;
    }
    /** To blank a description send ""; the API documents no null. */
    update_identity_pool& description(change<std::string> value)
    {
        description_ = std::move(value);
        return *this;
    }
    update_identity_pool& identity_claim(change<std::string> value)
    {
        identity_claim_ = std::move(value);
        return *this;
    }
    update_identity_pool& filter(change<std::string> value)
    {
        filter_ = std::move(value);
        return *this;
    }

private:
    friend ccloud::detail::json_object to_json(update_identity_pool const& pool);

    change<std::string> display_name_;
    change<std::string> description_;
    change<std::string> identity_claim_;
    change<std::string> filter_;
};

static_assert(!std::is_aggregate_v<create_identity_pool>);
static_assert(!std::is_aggregate_v<update_identity_pool>);

/** The identity pools of one identity provider: `/iam/v2/identity-providers/{provider_id}/identity-pools`.

    Threads, lifetime, cancellation and deadlines are the client's. Conditions worth branching on, for all: `not_found`
    (of the pool or of the provider), `gone`, `unauthenticated`, `forbidden`, `throttled`. */
class CCLOUD_EXPORT identity_pools
{
public:
    /** `provider_id`: e.g. "op-4EY"; one that cannot stand in a path makes every call an `invalid_argument`. */
    identity_pools(client cloud, std::string provider_id)
        : client_(std::move(cloud)), provider_id_(std::move(provider_id))
    {
    }

    std::string const& provider_id() const noexcept { return provider_id_; }

    /** `POST …/identity-pools`. `quota_exceeded` (identity_pools_per_provider), `invalid_request` where the filter is
        no valid expression, `conflict`. Never repeated once it may have been executed. */
    operation<identity_pool> create(create_identity_pool const& pool, call_options options = {}) const;

    /** `GET …/identity-pools/{id}`. */
    operation<identity_pool> get(std::string_view id, call_options options = {}) const;

    /** `GET …/identity-pools`, page by page. Group mappings may turn up among the pools. */
    async_generator<identity_pool> list(list_options options = {}) const;

    /** `PATCH …/identity-pools/{id}`: a merge. Repeated like a GET. */
    operation<identity_pool> update(std::string_view id, update_identity_pool const& edit, call_options options = {})
        const;

    /** `DELETE …/identity-pools/{id}`. */
    operation<removed> remove(std::string_view id, call_options options = {}) const;

private:
    client client_;
    std::string provider_id_;
};

} // namespace ccloud::iam

#endif
