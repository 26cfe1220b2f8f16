#include <ccloud/iam/identity_pools.hpp>

#include "call.hpp"
#include "core/writer.hpp"
#include "iam/identity_pools_json.hpp"
#include "paging.hpp"

namespace ccloud::iam {

namespace {

plan at(method verb, std::string_view provider_id)
{
    return plan(verb).path("/iam/v2/identity-providers").segment("provider_id", provider_id).path("/identity-pools");
}

} // namespace

core::json_object to_json(create_identity_pool const& pool)
{
    return core::json_object()
        .member("display_name", pool.display_name_)
        .member("description", pool.description_)
        .member("identity_claim", pool.identity_claim_)
        .member("filter", pool.filter_);
}

core::json_object to_json(update_identity_pool const& pool)
{
    return core::json_object()
        .touched("display_name", pool.display_name_)
        .touched("description", pool.description_)
        .touched("identity_claim", pool.identity_claim_)
        .touched("filter", pool.filter_);
}

operation<identity_pool> identity_pools::create(create_identity_pool const& pool, call_options options) const
{
    return call<identity_pool>(
        client_,
        at(method::post, provider_id_)
            .filled_query("assigned_resource_owner", pool.assigned_resource_owner_)
            .body(to_json(pool)),
        options
    );
}

operation<identity_pool> identity_pools::get(std::string_view id, call_options options) const
{
    return call<identity_pool>(client_, at(method::get, provider_id_).segment("id", id), options);
}

async_generator<identity_pool> identity_pools::list(list_options options) const
{
    return list_pages<identity_pool>(client_, at(method::get, provider_id_), options);
}

operation<identity_pool> identity_pools::update(
    std::string_view id, update_identity_pool const& edit, call_options options
) const
{
    return call<identity_pool>(client_, at(method::patch, provider_id_).segment("id", id).body(to_json(edit)), options);
}

operation<removed> identity_pools::remove(std::string_view id, call_options options) const
{
    return call_remove(client_, at(method::del, provider_id_).segment("id", id), options);
}

} // namespace ccloud::iam
