#ifndef CCLOUD_CCLOUD_HPP
#define CCLOUD_CCLOUD_HPP

#include <ccloud/abi.hpp>
#include <ccloud/async_generator.hpp>
#include <ccloud/change.hpp>
#include <ccloud/client.hpp>
#include <ccloud/config.hpp>
#include <ccloud/credentials.hpp>
#include <ccloud/error.hpp>
#include <ccloud/http.hpp>
#include <ccloud/iam/identity_pools.hpp>
#include <ccloud/iam/ip_groups.hpp>
#include <ccloud/iam/sso/group_mappings.hpp>
#include <ccloud/networking/private_link_attachment_connections.hpp>
#include <ccloud/observe.hpp>
#include <ccloud/open_enum.hpp>
#include <ccloud/operation.hpp>
#include <ccloud/reference.hpp>
#include <ccloud/removed.hpp>
#include <ccloud/result.hpp>
#include <ccloud/retry.hpp>
#include <ccloud/timer.hpp>
#include <ccloud/timestamp.hpp>
#include <ccloud/transport.hpp>

#endif
