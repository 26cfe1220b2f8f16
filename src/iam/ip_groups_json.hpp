#ifndef CCLOUD_IAM_IP_GROUPS_JSON_HPP
#define CCLOUD_IAM_IP_GROUPS_JSON_HPP

#include <ccloud/iam/ip_groups.hpp>

#include "core/codec.hpp"
#include "core/described.hpp"

namespace ccloud::iam {

BOOST_DESCRIBE_STRUCT(ip_group, (), (api_version, kind, id, metadata, group_name, cidr_blocks))

} // namespace ccloud::iam

#endif
