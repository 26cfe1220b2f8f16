#ifndef CCLOUD_TEST_FUZZ_JSON_VALUES_HPP
#define CCLOUD_TEST_FUZZ_JSON_VALUES_HPP

#include <ccloud/networking/private_link_attachment_connections.hpp>
#include <ccloud/open_enum.hpp>
#include <ccloud/timestamp.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/*  JSON into values, by way of the DOM: as straightforward as can be, to compare the library's reader with. Structs have a
    function `members(value, visit)` that calls `visit(name, member)` for each of their members. */

namespace fuzz {

namespace json = boost::json;
namespace plac = ccloud::networking;

/** Where a document does not fit, as a JSON pointer; nothing where it does. */
using misfit = std::optional<std::string>;

/** The DOM of a document; nothing where it is not valid JSON. A byte order mark is passed over (RFC 8259 section 8.1). */
inline std::optional<json::value> parse(std::string_view document)
{
    if (document.starts_with("\xef\xbb\xbf"))
        document.remove_prefix(3);
    boost::system::error_code failed;
    auto value = json::parse(json::string_view(document.data(), document.size()), failed);
    return failed ? std::nullopt : std::optional(std::move(value));
}

inline std::size_t count_members(json::value const& value)
{
    std::size_t count = 0;
    if (auto const* const object = value.if_object())
        for (auto const& member : *object)
            count += 1 + count_members(member.value());
    if (auto const* const array = value.if_array())
        for (auto const& element : *array)
            count += count_members(element);
    return count;
}

/** Whether any object of a valid document has a name twice: the DOM keeps the last one alone. */
inline bool has_duplicates(std::string_view document, json::value const& parsed)
{
    std::size_t names = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < document.size(); ++i)
        if (document[i] == '"')
            quoted = !quoted;
        else if (quoted && document[i] == '\\')
            ++i;
        else if (!quoted && document[i] == ':')
            ++names;
    return names != count_members(parsed);
}

inline std::string text_of(json::string const& from)
{
    return std::string(from.data(), from.size());
}

// One function for each kind of member. Null and absent members keep their defaults.

inline misfit convert(json::value const& from, std::string& to)
{
    if (!from.is_string())
        return std::string();
    to = text_of(from.get_string());
    return std::nullopt;
}

template <class Tag>
misfit convert(json::value const& from, ccloud::open_enum<Tag>& to)
{
    if (!from.is_string())
        return std::string();
    to = ccloud::open_enum<Tag>(text_of(from.get_string()));
    return std::nullopt;
}

inline misfit convert(json::value const& from, std::optional<ccloud::timestamp>& to)
{
    if (!from.is_string())
        return std::string();
    to = ccloud::parse_timestamp(text_of(from.get_string()));
    return std::nullopt;
}

inline misfit convert(json::value const& from, std::optional<std::int64_t>& to)
{
    if (!from.is_int64())
        return std::string();
    to = from.get_int64();
    return std::nullopt;
}

template <class T>
misfit convert(json::value const& from, T& to);

template <class T>
misfit convert(json::value const& from, std::vector<T>& to)
{
    if (!from.is_array())
        return std::string();
    to.clear();
    std::size_t index = 0;
    for (auto const& element : from.get_array())
    {
        auto const at = index++;
        if (element.is_null())
            continue; // no element at all
        if (auto const wrong = convert(element, to.emplace_back()))
            return '/' + std::to_string(at) + *wrong;
    }
    return std::nullopt;
}

template <class Visit>
void members(plac::aws_private_link_attachment_connection& of, Visit visit)
{
    visit("vpc_endpoint_id", of.vpc_endpoint_id);
}

template <class Visit>
void members(plac::azure_private_link_attachment_connection& of, Visit visit)
{
    visit("private_endpoint_resource_id", of.private_endpoint_resource_id);
}

template <class Visit>
void members(plac::gcp_private_link_attachment_connection& of, Visit visit)
{
    visit("private_service_connect_connection_id", of.private_service_connect_connection_id);
}

template <class Visit>
void members(plac::aws_private_link_attachment_connection_status& of, Visit visit)
{
    visit("vpc_endpoint_service_name", of.vpc_endpoint_service_name);
    visit("vpc_endpoint_id", of.vpc_endpoint_id);
}

template <class Visit>
void members(plac::azure_private_link_attachment_connection_status& of, Visit visit)
{
    visit("private_link_service_alias", of.private_link_service_alias);
    visit("private_link_service_resource_id", of.private_link_service_resource_id);
    visit("private_endpoint_resource_id", of.private_endpoint_resource_id);
}

template <class Visit>
void members(plac::gcp_private_link_attachment_connection_status& of, Visit visit)
{
    visit("private_service_connect_service_attachment", of.private_service_connect_service_attachment);
    visit("private_service_connect_connection_id", of.private_service_connect_connection_id);
}

/** A one-of: the word after the last dot of `kind` names the alternative. */
template <class Aws, class Azure, class Gcp>
misfit convert_one_of(
    json::value const& from, std::variant<std::monostate, Aws, Azure, Gcp, plac::unknown_kind>& to,
    std::string const& suffix
)
{
    if (!from.is_object())
        return std::string();
    std::string kind;
    if (auto const* const told = from.get_object().if_contains("kind"); told && told->is_string())
        kind = text_of(told->get_string());
    if (auto const dot = kind.rfind('.'); dot != std::string::npos)
        kind = kind.substr(dot + 1);
    if (kind == "AwsPrivateLinkAttachmentConnection" + suffix)
        return convert(from, to.template emplace<Aws>());
    if (kind == "AzurePrivateLinkAttachmentConnection" + suffix)
        return convert(from, to.template emplace<Azure>());
    if (kind == "GcpPrivateLinkAttachmentConnection" + suffix)
        return convert(from, to.template emplace<Gcp>());
    to = plac::unknown_kind{kind, json::serialize(from)};
    return std::nullopt;
}

inline misfit convert(json::value const& from, plac::private_link_attachment_connection_cloud& to)
{
    return convert_one_of(from, to, "");
}

inline misfit convert(json::value const& from, plac::private_link_attachment_connection_status_cloud& to)
{
    return convert_one_of(from, to, "Status");
}

template <class T>
misfit convert(json::value const& from, T& to)
{
    if (!from.is_object())
        return std::string();
    misfit found;
    for (auto const& member : from.get_object())
    {
        std::string_view const key(member.key().data(), member.key().size());
        members(to, [&](std::string_view name, auto& into) {
            if (found || name != key || member.value().is_null())
                return;
            if (auto const wrong = convert(member.value(), into))
                found = '/' + std::string(name) + *wrong;
        });
    }
    return found;
}

// Values as a text, for comparison.

inline std::string shown(std::string& value)
{
    return '"' + value + '"';
}

template <class Tag>
std::string shown(ccloud::open_enum<Tag>& value)
{
    return '"' + value.str() + '"';
}

inline std::string shown(std::optional<ccloud::timestamp>& value)
{
    return value ? std::to_string(value->time_since_epoch().count()) : "none";
}

inline std::string shown(std::optional<std::int64_t>& value)
{
    return value ? std::to_string(*value) : "none";
}

inline std::string shown(std::monostate&)
{
    return "none";
}

/** The members of an unknown kind as the DOM orders them. */
inline std::string shown(plac::unknown_kind& value)
{
    auto const object = parse(value.json);
    return "unknown " + value.kind + (object ? json::serialize(*object) : " that is not valid JSON");
}

template <class T>
std::string shown(T& value);

template <class... Kinds>
std::string shown(std::variant<Kinds...>& value)
{
    return std::to_string(value.index()) + std::visit([](auto& kind) { return shown(kind); }, value);
}

template <class T>
std::string shown(std::vector<T>& value)
{
    std::string text = "[";
    for (auto& element : value)
        text += shown(element) + ',';
    return text + ']';
}

template <class T>
std::string shown(T& value)
{
    std::string text = "{";
    members(value, [&](std::string_view name, auto& member) {
        text.append(name).append(":").append(shown(member)).append(",");
    });
    return text + '}';
}

} // namespace fuzz

#endif
