#ifndef CCLOUD_REFERENCE_HPP
#define CCLOUD_REFERENCE_HPP

#include <ccloud/timestamp.hpp>

#include <optional>
#include <string>

namespace ccloud {

/** Metadata of a resource ("ObjectMeta" in the API documents). */
struct object_meta
{
    std::string self;          ///< URL of the resource; its host and prefix need not be the endpoint's
    std::string resource_name; ///< CRN; opaque
    std::optional<timestamp> created_at;
    std::optional<timestamp> updated_at;
    std::optional<timestamp> deleted_at;
};

/** A reference to another resource ("ObjectReference"). Requests carry only the id. */
struct object_reference
{
    std::string id;
    std::string environment;   ///< for resources that live in an environment
    std::string related;       ///< URL, opaque
    std::string resource_name; ///< CRN, opaque
    std::string api_version;
    std::string kind;
};

} // namespace ccloud

#endif
