#ifndef CCLOUD_IAM_IDENTITY_POOLS_JSON_HPP
#define CCLOUD_IAM_IDENTITY_POOLS_JSON_HPP

#include <ccloud/iam/identity_pools.hpp>

#include "core/codec.hpp"
#include "core/described.hpp"

namespace ccloud::iam {

BOOST_DESCRIBE_STRUCT(
    identity_pool, (),
    (api_version, kind, id, metadata, display_name, description, identity_claim, filter, principal, state)
)

} // namespace ccloud::iam

#endif
