#ifndef CCLOUD_CORE_DESCRIBED_HPP
#define CCLOUD_CORE_DESCRIBED_HPP

#include <ccloud/reference.hpp>

#include <boost/describe/class.hpp>

namespace ccloud {

// The shapes that resources share.
BOOST_DESCRIBE_STRUCT(object_meta, (), (self, resource_name, created_at, updated_at, deleted_at))
BOOST_DESCRIBE_STRUCT(object_reference, (), (id, environment, related, resource_name, api_version, kind))

} // namespace ccloud

#endif
