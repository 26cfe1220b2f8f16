#ifndef CCLOUD_CORE_REQUIRED_HPP
#define CCLOUD_CORE_REQUIRED_HPP

#include "core/codec.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace ccloud::core {

/** A resource of the API. The API document requires an id in each one, also in the items of a list. */
template <class T>
concept resource = requires(T const& value)
{
    value.id.empty();
};

/** Returns the fault of a resource without an id; such a document, an error under 200 for example, is not a resource.
    `path` is the place of the resource in a document of `bytes` bytes. */
template <resource T>
std::optional<complaint> check_required(T const& value, std::string path, std::size_t bytes)
{
    if (value.id.empty())
        return complaint{std::move(path) + "/id", bytes, "is missing or empty"};
    return std::nullopt;
}

} // namespace ccloud::core

#endif
