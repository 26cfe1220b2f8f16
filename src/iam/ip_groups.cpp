#include <ccloud/iam/ip_groups.hpp>

#include "call.hpp"
#include "core/writer.hpp"
#include "iam/ip_groups_json.hpp"
#include "paging.hpp"

namespace ccloud::iam {

namespace {

constexpr std::string_view at = "/iam/v2/ip-groups";

} // namespace

core::json_object to_json(create_ip_group const& group)
{
    return core::json_object().member("group_name", group.group_name_).member("cidr_blocks", group.cidr_blocks_);
}

core::json_object to_json(update_ip_group const& group)
{
    return core::json_object().member("group_name", group.group_name_).member("cidr_blocks", group.cidr_blocks_);
}

operation<ip_group> ip_groups::create(create_ip_group const& group, call_options options) const
{
    return call<ip_group>(client_, plan(method::post).path(at).body(to_json(group)), options);
}

operation<ip_group> ip_groups::get(std::string_view id, call_options options) const
{
    return call<ip_group>(client_, plan(method::get).path(at).segment("id", id), options);
}

async_generator<ip_group> ip_groups::list(list_options options) const
{
    return list_pages<ip_group>(client_, plan(method::get).path(at), options);
}

operation<ip_group> ip_groups::update(std::string_view id, update_ip_group const& group, call_options options) const
{
    return call<ip_group>(client_, plan(method::patch).path(at).segment("id", id).body(to_json(group)), options);
}

operation<removed> ip_groups::remove(std::string_view id, call_options options) const
{
    return call_remove(client_, plan(method::del).path(at).segment("id", id), options);
}

} // namespace ccloud::iam
