/*  The reader of each model, compared with the DOM of Boost.JSON: both accept the same documents, report errors at the
    same place, and return the same values.

    The first byte of an input chooses the model, whether the document is one resource or a page of them, and how many
    items were requested. The second byte is the size of the slices in which the document is read again; the third is
    the limit for the memory of the values. In the document a byte 0xfe stands for a hundred empty objects. */

#include "core/codec.hpp"
#include "fuzz_input.hpp"
#include "iam/identity_pools_json.hpp"
#include "iam/ip_groups_json.hpp"
#include "iam/sso/group_mappings_json.hpp"
#include "json_values.hpp"
#include "networking/private_link_attachment_connections_json.hpp"
#include "paging.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace core = ccloud::core;
namespace json = boost::json;
using fuzz::misfit;
using fuzz::require;

namespace fuzz {

// The members of each resource by the API's documentation, independent of the library's description.

template <class Visit>
void members(ccloud::object_meta& of, Visit visit)
{
    visit("self", of.self);
    visit("resource_name", of.resource_name);
    visit("created_at", of.created_at);
    visit("updated_at", of.updated_at);
    visit("deleted_at", of.deleted_at);
}

template <class Visit>
void members(ccloud::object_reference& of, Visit visit)
{
    visit("id", of.id);
    visit("environment", of.environment);
    visit("related", of.related);
    visit("resource_name", of.resource_name);
    visit("api_version", of.api_version);
    visit("kind", of.kind);
}

template <class Visit>
void members(ccloud::iam::ip_group& of, Visit visit)
{
    visit("api_version", of.api_version);
    visit("kind", of.kind);
    visit("id", of.id);
    visit("metadata", of.metadata);
    visit("group_name", of.group_name);
    visit("cidr_blocks", of.cidr_blocks);
}

template <class Visit>
void members(ccloud::iam::identity_pool& of, Visit visit)
{
    visit("api_version", of.api_version);
    visit("kind", of.kind);
    visit("id", of.id);
    visit("metadata", of.metadata);
    visit("display_name", of.display_name);
    visit("description", of.description);
    visit("identity_claim", of.identity_claim);
    visit("filter", of.filter);
    visit("principal", of.principal);
    visit("state", of.state);
}

template <class Visit>
void members(ccloud::iam::sso::group_mapping& of, Visit visit)
{
    visit("api_version", of.api_version);
    visit("kind", of.kind);
    visit("id", of.id);
    visit("metadata", of.metadata);
    visit("display_name", of.display_name);
    visit("description", of.description);
    visit("filter", of.filter);
    visit("principal", of.principal);
    visit("state", of.state);
}

template <class Visit>
void members(ccloud::networking::private_link_attachment_connection_spec& of, Visit visit)
{
    visit("display_name", of.display_name);
    visit("cloud", of.cloud);
    visit("environment", of.environment);
    visit("private_link_attachment", of.private_link_attachment);
}

template <class Visit>
void members(ccloud::networking::private_link_attachment_connection_status& of, Visit visit)
{
    visit("phase", of.phase);
    visit("error_code", of.error_code);
    visit("error_message", of.error_message);
    visit("cloud", of.cloud);
}

template <class Visit>
void members(ccloud::networking::private_link_attachment_connection& of, Visit visit)
{
    visit("api_version", of.api_version);
    visit("kind", of.kind);
    visit("id", of.id);
    visit("metadata", of.metadata);
    visit("spec", of.spec);
    visit("status", of.status);
}

/** What a complaint calls a value. */
inline char const* kind_of(json::value const& value)
{
    switch (value.kind())
    {
    case json::kind::object: return "an object";
    case json::kind::array: return "an array";
    case json::kind::string: return "a string";
    case json::kind::bool_: return "a boolean";
    default: return "a number";
    }
}

/** A text that may be of any other kind. */
struct any_text
{
    std::string value;
    char const* other_kind = nullptr;
};

inline misfit convert(json::value const& from, any_text& to)
{
    if (from.is_string())
        to.value = text_of(from.get_string());
    else
        to.other_kind = kind_of(from);
    return std::nullopt;
}

inline std::string shown(any_text& value)
{
    return value.other_kind ? value.other_kind : shown(value.value);
}

struct known_metadata
{
    any_text first, last, prev, next, self;
    std::optional<std::int64_t> total_size;
};

template <class Visit>
void members(known_metadata& of, Visit visit)
{
    visit("first", of.first);
    visit("last", of.last);
    visit("prev", of.prev);
    visit("next", of.next);
    visit("self", of.self);
    visit("total_size", of.total_size);
}

/** The metadata of a list, which may be of any kind. */
struct any_metadata
{
    known_metadata value;
    char const* other_kind = nullptr;
};

inline misfit convert(json::value const& from, any_metadata& to)
{
    if (from.is_object())
        return convert(from, to.value);
    to.other_kind = kind_of(from);
    return std::nullopt;
}

inline std::string shown(any_metadata& value)
{
    return value.other_kind ? value.other_kind : shown(value.value);
}

/** The items of a page, whose number is limited. */
template <class T>
struct items
{
    std::vector<T> all;
    std::size_t most = 0;
};

template <class T>
struct list_members
{
    any_text api_version;
    any_text kind;
    any_metadata metadata;
    items<T> data;
};

template <class T>
struct listed
{
    list_members<T> all;
};

template <class T>
misfit convert(json::value const& from, items<T>& to)
{
    if (auto const wrong = convert(from, to.all))
    {
        // If there are two faults, the first counts.
        auto const index = wrong->empty() ? 0 : std::stoul(wrong->substr(1));
        return index >= to.most && !wrong->empty() ? '/' + std::to_string(to.most) : *wrong;
    }
    if (from.get_array().size() > to.most)
        return '/' + std::to_string(to.most);
    return std::nullopt;
}

template <class T>
std::string shown(items<T>& value)
{
    return shown(value.all);
}

template <class T, class Visit>
void for_each_unknown(items<T>& value, Visit const& visit)
{
    for_each_unknown(value.all, visit);
}

template <class T, class Visit>
void members(list_members<T>& of, Visit visit)
{
    visit("api_version", of.api_version);
    visit("kind", of.kind);
    visit("metadata", of.metadata);
    visit("data", of.data);
}

template <class T, class Visit>
void members(listed<T>& of, Visit visit)
{
    members(of.all, visit);
}

/** Whether the value of "error" or "errors" says anything: a text or a number, also inside of objects and lists. */
bool is_error(json::value const& value)
{
    auto const* const object = value.if_object();
    auto const* const list = value.if_array();
    return (object && std::any_of(object->begin(), object->end(), [](auto const& one) { return is_error(one.value()); })
           ) ||
           (list && std::any_of(list->begin(), list->end(), is_error)) ||
           (value.is_string() && !value.get_string().empty()) || (value.is_number() && value.to_number<double>() != 0);
}

bool has_error(json::object const& document)
{
    return std::any_of(document.begin(), document.end(), [](auto const& member) {
        return (member.key() == "error" || member.key() == "errors") && is_error(member.value());
    });
}

/** A list has data, which may be null, but not beside an error, and its items have ids. */
template <class T>
misfit convert(json::value const& from, listed<T>& to)
{
    if (auto const wrong = convert(from, to.all))
        return wrong;
    if (!from.get_object().contains("data"))
        return "/data";
    auto const& items = to.all.data.all;
    if (items.empty() && has_error(from.get_object()))
        return "/data";
    for (std::size_t i = 0; i < items.size(); ++i)
        if (items[i].id.empty())
            return "/data/" + std::to_string(i) + "/id";
    return std::nullopt;
}

} // namespace fuzz

namespace {

/** The result of one way to read a document. */
template <class T>
struct reading
{
    T value;
    std::optional<core::complaint> complaint;
};

/** The complaint. For invalid JSON it is shortened, because Boost.JSON does not always report the same error. */
std::string_view reason(core::complaint const& complaint)
{
    constexpr std::string_view invalid = "not valid JSON";
    return complaint.text.starts_with(invalid) ? invalid : std::string_view(complaint.text);
}

/** Whether the complaint is about the memory that values take, or about one object. */
bool is_about_memory(core::complaint const& complaint)
{
    return complaint.about == core::complaint::kind::too_large || complaint.text.starts_with("the object takes more");
}

/** Whether two complaints are about a document that is invalid and too large. A text is counted in the parts that the
    parser gives, and an invalid character ends a part, so that either fault may be found first. */
bool are_both_right(core::complaint const& one, core::complaint const& other)
{
    auto const is_invalid = [](core::complaint const& of) { return reason(of) == "not valid JSON"; };
    return (is_about_memory(one) && is_invalid(other)) || (is_invalid(one) && is_about_memory(other));
}

template <class T>
void compare_slices(std::string_view document, reading<T>& whole, reading<T>& sliced)
{
    require(whole.complaint.has_value() == sliced.complaint.has_value(), "slices make no difference", document);
    if (whole.complaint)
    {
        auto const &one = *whole.complaint, &other = *sliced.complaint;
        if (are_both_right(one, other))
            return;
        require(
            one.path == other.path && one.about == other.about && reason(one) == reason(other),
            "slices make no difference for a complaint", other.to_string()
        );
        if (one.about == core::complaint::kind::too_large)
            return; // a text is counted as it comes
        // In a character or a pair of escapes, which are twelve bytes, it is noticed earlier or later.
        auto const apart = one.offset < other.offset ? other.offset - one.offset : one.offset - other.offset;
        require(apart < 12, "slices make no difference for the place", other.to_string());
    }
    else
        require(fuzz::shown(whole.value) == fuzz::shown(sliced.value), "slices make no difference", document);
}

/** How an input's document is read. */
struct terms
{
    bool page = false;
    std::size_t asked = 1;
    std::size_t slice = 1;
    std::size_t memory = core::any_number;
};

std::optional<core::complaint> read_slices(core::document_reader& reader, std::size_t slice)
{
    while (reader.read_some(slice))
        ;
    return reader.take_complaint();
}

template <class T>
void check_one(std::string_view document, terms how)
{
    reading<T> whole, sliced;
    T expected;
    whole.complaint = core::read_json(document, whole.value, how.memory);
    core::document_reader reader(document, core::root_of(sliced.value), how.memory);
    sliced.complaint = read_slices(reader, how.slice);
    compare_slices(document, whole, sliced);
    fuzz::compare(document, whole.complaint, whole.value, expected);
}

template <class T>
void take(ccloud::detail::raw_page& page, fuzz::listed<T>& into)
{
    auto const& envelope = page.envelope;
    auto const& metadata = envelope.metadata;
    auto const text = [](ccloud::detail::lenient_text const& from) {
        return fuzz::any_text{from.value, from.other_kind};
    };
    into.all.api_version = text(envelope.api_version);
    into.all.kind = text(envelope.kind);
    into.all.metadata.other_kind = envelope.other_metadata;
    into.all.metadata.value = {text(metadata.first), text(metadata.last), text(metadata.prev),
                               text(metadata.next),  text(metadata.self), metadata.total_size};
    into.all.data.all = *std::static_pointer_cast<std::vector<T>>(page.items);
    require(into.all.data.all.size() == page.size, "a page knows its size");
}

template <class T>
void check_page(std::string_view document, terms how)
{
    ccloud::detail::page_terms const asked{how.asked, how.memory};
    reading<fuzz::listed<T>> whole, sliced;
    fuzz::listed<T> expected;
    expected.all.data.most = ccloud::detail::most_items(how.asked);
    ccloud::detail::raw_page page;
    whole.complaint = ccloud::detail::decode_page<T>(document, asked, page);
    if (!whole.complaint)
        take(page, whole.value);
    ccloud::detail::raw_page other;
    auto const slow = ccloud::detail::begin_page<T>(document, asked);
    sliced.complaint = read_slices(slow->reader(), how.slice);
    if (!sliced.complaint)
        sliced.complaint = slow->finish(other);
    if (!sliced.complaint)
        take(other, sliced.value);
    compare_slices(document, whole, sliced);
    fuzz::compare(document, whole.complaint, whole.value, expected);
}

template <class T>
void check(std::string_view document, terms how)
{
    how.page ? check_page<T>(document, how) : check_one<T>(document, how);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    fuzz::input input(data, size);
    auto const choice = input.byte(), slice = input.byte(), memory = input.byte();
    terms how;
    how.page = choice / 4 % 2 == 1;
    how.asked = 1 + choice / 8;
    how.slice = 1 + slice;
    how.memory = memory < 128 ? core::any_number : 1024 * (memory - 127);
    fuzz::exact_copy const document(fuzz::expanded(input.rest(), "{},", 100, 2'000));
    switch (choice % 4)
    {
    case 0: check<ccloud::iam::ip_group>(document.view(), how); break;
    case 1: check<ccloud::iam::identity_pool>(document.view(), how); break;
    case 2: check<ccloud::iam::sso::group_mapping>(document.view(), how); break;
    default: check<ccloud::networking::private_link_attachment_connection>(document.view(), how);
    }
    return 0;
}
