#ifndef CCLOUD_IAM_SSO_GROUP_MAPPINGS_JSON_HPP
#define CCLOUD_IAM_SSO_GROUP_MAPPINGS_JSON_HPP

#include <ccloud/iam/sso/group_mappings.hpp>

#include "core/codec.hpp"
#include "core/described.hpp"

namespace ccloud::iam::sso {

BOOST_DESCRIBE_STRUCT(
    group_mapping, (), (api_version, kind, id, metadata, display_name, description, filter, principal, state)
)

} // namespace ccloud::iam::sso

#endif
