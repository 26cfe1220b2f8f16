#ifndef CCLOUD_BENCH_PEERS_DOM_HPP
#define CCLOUD_BENCH_PEERS_DOM_HPP

#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>

#include <string>
#include <string_view>
#include <vector>

/** What one writes with Boost.JSON: a document, and conversions from it. */
namespace dom {

namespace json = boost::json;

struct object_meta
{
    std::string self;
    std::string resource_name;
    std::string created_at;
    std::string updated_at;
};

struct ip_group
{
    std::string api_version;
    std::string kind;
    std::string id;
    object_meta metadata;
    std::string group_name;
    std::vector<std::string> cidr_blocks;
};

inline object_meta tag_invoke(json::value_to_tag<object_meta>, json::value const& from)
{
    auto const& object = from.as_object();
    return {
        json::value_to<std::string>(object.at("self")),
        json::value_to<std::string>(object.at("resource_name")),
        json::value_to<std::string>(object.at("created_at")),
        json::value_to<std::string>(object.at("updated_at")),
    };
}

inline ip_group tag_invoke(json::value_to_tag<ip_group>, json::value const& from)
{
    auto const& object = from.as_object();
    return {
        json::value_to<std::string>(object.at("api_version")),
        json::value_to<std::string>(object.at("kind")),
        json::value_to<std::string>(object.at("id")),
        json::value_to<object_meta>(object.at("metadata")),
        json::value_to<std::string>(object.at("group_name")),
        json::value_to<std::vector<std::string>>(object.at("cidr_blocks")), // reserves
    };
}

inline ip_group read_group(std::string_view text)
{
    return json::value_to<ip_group>(json::parse(text));
}

inline std::vector<ip_group> read_page(std::string_view text)
{
    return json::value_to<std::vector<ip_group>>(json::parse(text).at("data"));
}

} // namespace dom

#endif
