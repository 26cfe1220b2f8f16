#include <ccloud/iam/sso/group_mappings.hpp>

#include "call.hpp"
#include "core/writer.hpp"
#include "iam/sso/group_mappings_json.hpp"
#include "paging.hpp"

namespace ccloud::iam::sso {

namespace {

constexpr std::string_view at = "/iam/v2/sso/group-mappings";

} // namespace

core::json_object to_json(create_group_mapping const& mapping)
{
    return core::json_object()
        .member("display_name", mapping.display_name_)
        .member("description", mapping.description_)
        .member("filter", mapping.filter_);
}

core::json_object to_json(update_group_mapping const& mapping)
{
    return core::json_object()
        .touched("display_name", mapping.display_name_)
        .touched("description", mapping.description_)
        .touched("filter", mapping.filter_);
}

operation<group_mapping> group_mappings::create(create_group_mapping const& mapping, call_options options) const
{
    return call<group_mapping>(client_, plan(method::post).path(at).body(to_json(mapping)), options);
}

operation<group_mapping> group_mappings::get(std::string_view id, call_options options) const
{
    return call<group_mapping>(client_, plan(method::get).path(at).segment("id", id), options);
}

async_generator<group_mapping> group_mappings::list(list_options options) const
{
    return list_pages<group_mapping>(client_, plan(method::get).path(at), options);
}

operation<group_mapping> group_mappings::update(
    std::string_view id, update_group_mapping const& edit, call_options options
) const
{
    return call<group_mapping>(client_, plan(method::patch).path(at).segment("id", id).body(to_json(edit)), options);
}

operation<removed> group_mappings::remove(std::string_view id, call_options options) const
{
    return call_remove(client_, plan(method::del).path(at).segment("id", id), options);
}

} // namespace ccloud::iam::sso
