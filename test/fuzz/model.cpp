/*  The reader into each model, against the DOM of Boost.JSON: both take and refuse the same documents, complain of the
    same place, and give the same values.

    The first byte of an input chooses the model, and whether the document is one resource or a page of them. */

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
#include <string>
#include <string_view>
#include <vector>

namespace core = ccloud::core;
namespace json = boost::json;
using fuzz::misfit;
using fuzz::require;

namespace fuzz {

// What the API documents of each resource, written down once more.

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

template <class Visit>
void members(ccloud::detail::list_metadata& of, Visit visit)
{
    visit("next", of.next);
    visit("total_size", of.total_size);
}

template <class T>
struct listed
{
    ccloud::detail::list_metadata metadata;
    std::vector<T> data;
};

template <class T, class Visit>
void members(listed<T>& of, Visit visit)
{
    visit("metadata", of.metadata);
    visit("data", of.data);
}

} // namespace fuzz

namespace {

/** Compares what the library made of a document with what the DOM says. */
template <class T>
void compare(std::string_view document, std::optional<core::complaint> const& complaint, T& read)
{
    if (complaint)
    {
        require(complaint->offset <= document.size(), "a complaint names a byte of the document", document);
        require(!complaint->text.empty(), "a complaint says something", document);
    }
    auto const parsed = fuzz::parse(document);
    if (!parsed)
    {
        require(complaint.has_value(), "what is not valid JSON is refused", document);
        return;
    }
    // RFC 8259 section 4 leaves open what names mean that come twice.
    if (fuzz::has_duplicates(document, *parsed))
        return;
    T expected;
    auto const wrong = fuzz::convert(*parsed, expected);
    require(complaint.has_value() == wrong.has_value(), "a document fits its model, or not", document);
    if (wrong)
        require(complaint->path == *wrong, "a complaint names the place", complaint->to_string());
    else
        require(fuzz::shown(read) == fuzz::shown(expected), "the values are those of the DOM", fuzz::shown(read));
}

template <class T>
void check_one(std::string_view document)
{
    T read;
    auto const complaint = core::read_json(document, read);
    compare(document, complaint, read);
}

template <class T>
void check_page(std::string_view document)
{
    ccloud::detail::raw_page page;
    fuzz::listed<T> read;
    constexpr ccloud::detail::page_terms unbounded{1'000'000, 1'000'000'000};
    auto const complaint = ccloud::detail::decode_page<T>(document, unbounded, page);
    if (!complaint)
    {
        read.metadata = page.metadata;
        read.data = *std::static_pointer_cast<std::vector<T>>(page.items);
        require(read.data.size() == page.size, "a page knows its size", document);
    }
    compare(document, complaint, read);
}

template <class T>
void check(bool page, std::string_view document)
{
    page ? check_page<T>(document) : check_one<T>(document);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    fuzz::input input(data, size);
    auto const choice = input.byte();
    bool const page = choice / 4 % 2 == 1;
    fuzz::exact_copy const document(input.rest());
    switch (choice % 4)
    {
    case 0: check<ccloud::iam::ip_group>(page, document.view()); break;
    case 1: check<ccloud::iam::identity_pool>(page, document.view()); break;
    case 2: check<ccloud::iam::sso::group_mapping>(page, document.view()); break;
    default: check<ccloud::networking::private_link_attachment_connection>(page, document.view());
    }
    return 0;
}
