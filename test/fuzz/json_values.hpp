#ifndef CCLOUD_TEST_FUZZ_JSON_VALUES_HPP
#define CCLOUD_TEST_FUZZ_JSON_VALUES_HPP

#include <ccloud/networking/private_link_attachment_connections.hpp>
#include <ccloud/open_enum.hpp>
#include <ccloud/timestamp.hpp>

#include "core/codec.hpp"
#include "fuzz_input.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

/*  A simple reader of values from the DOM, and the comparison of the library's reader with it. Structs have a function
    `members(value, visit)` that calls `visit(name, member)` for each of their members. */

namespace fuzz {

namespace json = boost::json;
namespace plac = ccloud::networking;

/** JSON pointer to the value with the wrong type; nothing if the document fits. */
using misfit = std::optional<std::string>;

/** Whether bytes are a character in UTF-8, by its number: the shortest form, no surrogate, at most U+10FFFF. */
inline bool is_character(std::string_view bytes)
{
    auto const byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])); };
    if (bytes.size() == 1)
        return byte(0) < 0x80;
    static constexpr std::uint32_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    static constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    auto const size = bytes.size();
    auto const mask = 0xffu << (7 - size) & 0xffu;
    if ((byte(0) & mask) != leads[size])
        return false;
    auto number = byte(0) & ~mask;
    for (std::size_t i = 1; i < size; ++i)
    {
        if ((byte(i) & 0xc0) != 0x80)
            return false;
        number = number << 6 | (byte(i) & 0x3f);
    }
    return number >= least[size] && number <= 0x10ffff && number / 0x800 != 0xd800 / 0x800;
}

/** Whether further bytes can make these a character. The characters that begin with the same bytes are a range, and if
    any of it is valid, then its first or its last is. */
inline bool begins_character(std::string_view bytes)
{
    auto const lead = static_cast<unsigned char>(bytes[0]);
    std::size_t const needed = lead < 0xc2 || lead > 0xf4 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (bytes.size() >= needed)
        return false;
    std::string first(bytes), last(bytes);
    first.resize(needed, '\x80');
    last.resize(needed, '\xbf');
    return is_character(first) || is_character(last);
}

/** A document with U+FFFD in place of its ill-formed text (Unicode Standard section 3.9; RFC 8259 section 8.2 for the
    escapes of unpaired surrogates), except of a character that the end of the document cuts off. */
inline std::string sanitized(std::string_view document)
{
    std::string out;
    auto const unit_at = [&](std::size_t at) -> std::uint32_t {
        if (document.size() < at + 6 || document[at] != '\\' || document[at + 1] != 'u')
            return 0;
        auto const digits = document.substr(at + 2, 4);
        if (digits.find_first_not_of("0123456789abcdefABCDEF") != digits.npos)
            return 0;
        return static_cast<std::uint32_t>(std::stoul(std::string(digits), nullptr, 16));
    };
    for (std::size_t at = 0; at < document.size();)
    {
        if (document[at] == '\\')
        {
            auto const unit = unit_at(at), next = unit_at(at + 6);
            bool const pair = unit / 0x400 == 0xd800 / 0x400 && next / 0x400 == 0xdc00 / 0x400;
            bool const alone = !pair && unit / 0x800 == 0xd800 / 0x800;
            auto const two = at + 1 < document.size() && static_cast<unsigned char>(document[at + 1]) < 0x80;
            std::size_t const size = pair ? 12 : unit != 0 ? 6 : two ? 2 : 1;
            out += alone ? std::string_view("\\ufffd") : document.substr(at, size);
            at += size;
            continue;
        }
        std::size_t size = 1;
        while (size <= 4 && (document.size() < at + size || !is_character(document.substr(at, size))))
            ++size;
        bool const broken = size > 4;
        if (broken)
            for (size = 1; begins_character(document.substr(at, size)) && at + size < document.size() &&
                           begins_character(document.substr(at, size + 1));)
                ++size;
        bool const cut_off = broken && at + size == document.size() && begins_character(document.substr(at, size));
        out += broken && !cut_off ? std::string_view("\xef\xbf\xbd") : document.substr(at, size);
        at += size;
    }
    return out;
}

/** The DOM of a document without its ill-formed text; nothing if it is not valid JSON. A byte order mark is skipped
    (RFC 8259 section 8.1). */
inline std::optional<json::value> parse(std::string_view raw)
{
    auto const repaired = sanitized(raw);
    std::string_view document = repaired;
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

/** Whether any object of a valid document has a name twice. The DOM keeps only the last. */
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

// What is not a resource's own is absent if it does not fit.

inline misfit convert(json::value const& from, std::optional<ccloud::timestamp>& to)
{
    to = from.is_string() ? ccloud::parse_timestamp(text_of(from.get_string())) : std::nullopt;
    return std::nullopt;
}

inline misfit convert(json::value const& from, std::optional<std::string>& to)
{
    to.reset();
    if (from.is_string())
        to = text_of(from.get_string());
    else if (from.is_int64())
        to = std::to_string(from.get_int64());
    return std::nullopt;
}

/** Whether a count came from a double close to an integer: Boost.JSON does not always round the same digits to the same
    double. */
inline bool doubtful_count = false;

inline std::optional<std::int64_t> count_of(double number)
{
    doubtful_count = doubtful_count || std::abs(number - std::round(number)) < 1e-6 * std::max(1.0, std::abs(number));
    if (!(number >= 0) || number > 9007199254740992.0 || std::floor(number) != number)
        return std::nullopt;
    return static_cast<std::int64_t>(number);
}

inline std::optional<std::int64_t> count_of(std::string text)
{
    text.erase(0, std::min(text.size(), text.find_first_not_of(" \t")));
    text.erase(text.find_last_not_of(" \t") + 1);
    if (text.empty() || text.find_first_not_of("+-.0123456789eE") != text.npos || text[0] == '+')
        return std::nullopt;
    if (text.find_first_not_of("0123456789") == text.npos)
    {
        errno = 0;
        auto const number = std::strtoll(text.c_str(), nullptr, 10);
        if (errno == 0)
            return number;
    }
    char* end = nullptr;
    auto const number = std::strtod(text.c_str(), &end);
    return *end == 0 ? count_of(number) : std::nullopt;
}

inline misfit convert(json::value const& from, std::optional<std::int64_t>& to)
{
    to.reset();
    if (from.is_int64() && from.get_int64() >= 0)
        to = from.get_int64();
    else if (from.is_double())
        to = count_of(from.get_double());
    else if (from.is_string())
        to = count_of(text_of(from.get_string()));
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
    visit("zone", of.zone);
}

template <class Visit>
void members(plac::gcp_private_link_attachment_connection_status& of, Visit visit)
{
    visit("private_service_connect_service_attachment", of.private_service_connect_service_attachment);
    visit("private_service_connect_connection_id", of.private_service_connect_connection_id);
}

/** Writes an object with the same text for each number that is not an integer, because Boost.JSON does not always
    round the same digits to the same double. */
inline std::string written(json::value value)
{
    auto const replace = [](auto const& self, json::value& in) -> void {
        if (in.is_double())
            in = "a double";
        else if (auto* const object = in.if_object())
            for (auto& member : *object)
                self(self, member.value());
        else if (auto* const array = in.if_array())
            for (auto& element : *array)
                self(self, element);
    };
    replace(replace, value);
    return json::serialize(value);
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
    to = plac::unknown_kind{kind, written(from)}; // see as_the_dom_writes_it
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

inline std::string shown(std::optional<std::string>& value)
{
    return value ? shown(*value) : "none";
}

inline std::string shown(std::monostate&)
{
    return "none";
}

inline std::string shown(plac::unknown_kind& value)
{
    return "unknown " + value.kind + value.json;
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

struct ignore_member
{
    template <class Member>
    void operator()(std::string_view, Member&) const
    {
    }
};

/** Calls `visit` for each object of an unknown kind in a value. */
template <class T, class Visit>
void for_each_unknown(T& value, Visit const& visit)
{
    if constexpr (std::is_same_v<T, plac::unknown_kind>)
        visit(value);
    else if constexpr (requires { std::variant_size<T>::value; })
        std::visit([&](auto& kind) { for_each_unknown(kind, visit); }, value);
    else if constexpr (requires { members(value, ignore_member()); })
        members(value, [&](std::string_view, auto& member) { for_each_unknown(member, visit); });
}

template <class T, class Visit>
void for_each_unknown(std::vector<T>& value, Visit const& visit)
{
    for (auto& element : value)
        for_each_unknown(element, visit);
}

/** Replaces the bytes of objects of unknown kinds by what the DOM writes for them, because the DOM does not keep the
    bytes. */
template <class T>
void as_the_dom_writes_it(std::string_view raw, T& read)
{
    auto const document = sanitized(raw);
    for_each_unknown(read, [&document](plac::unknown_kind& unknown) {
        auto const object = parse(unknown.json);
        require(object && object->is_object(), "an unknown kind is an object", unknown.json);
        require(document.find(unknown.json) != document.npos, "an unknown kind is part of the document", unknown.json);
        require(unknown.json.front() == '{' && unknown.json.back() == '}', "it has its braces alone", unknown.json);
        unknown.json = written(*object);
    });
}

/** Compares what the library has read from a document with what the DOM reader puts into `expected`. */
template <class T>
void compare(std::string_view document, std::optional<ccloud::core::complaint> const& complaint, T read, T& expected)
{
    if (complaint)
    {
        require(complaint->offset <= document.size(), "a complaint names a byte of the document", document);
        require(!complaint->text.empty(), "a complaint says something", document);
    }
    auto const parsed = parse(document);
    if (!parsed)
    {
        require(complaint.has_value(), "what is not valid JSON is refused", document);
        return;
    }
    // RFC 8259 section 4 does not define what duplicate names mean.
    if (has_duplicates(sanitized(document), *parsed) ||
        (complaint && complaint->about == ccloud::core::complaint::kind::too_large))
        return;
    doubtful_count = false;
    auto const wrong = convert(*parsed, expected);
    require(complaint.has_value() == wrong.has_value(), "a document fits its model, or not", document);
    if (wrong)
    {
        require(complaint->path == *wrong, "a complaint names the place", complaint->to_string());
        return;
    }
    as_the_dom_writes_it(document, read);
    if (!doubtful_count)
        require(shown(read) == shown(expected), "the values are those of the DOM", shown(read));
}

} // namespace fuzz

#endif
