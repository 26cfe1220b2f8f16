/*  The one-ofs `spec.cloud` and `status.cloud`, whose kind may stand anywhere among their members: against the DOM, and in
    every order of the members.

    The first byte of an input chooses the one-of, the second one how the members are turned. The rest is a document. */

#include "core/codec.hpp"
#include "fuzz_input.hpp"
#include "json_values.hpp"
#include "networking/private_link_attachment_connections_json.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace core = ccloud::core;
namespace json = boost::json;
using fuzz::require;

namespace {

template <class Variant>
bool same(Variant& a, Variant& b)
{
    auto const* const left = std::get_if<ccloud::networking::unknown_kind>(&a);
    auto const* const right = std::get_if<ccloud::networking::unknown_kind>(&b);
    if (left && right)
        return left->kind == right->kind && fuzz::parse(left->json) == fuzz::parse(right->json);
    return fuzz::shown(a) == fuzz::shown(b);
}

/** The members in turn, beginning with a later one. */
json::object turned(json::object const& object, std::size_t by)
{
    std::vector<json::object::value_type> const members(object.begin(), object.end());
    json::object other;
    for (std::size_t i = 0; i < members.size(); ++i)
    {
        auto const& member = members[(i + by) % members.size()];
        other.insert(member);
    }
    return other;
}

template <class Variant>
void check(std::size_t turn, std::string_view document)
{
    Variant read;
    auto const complaint = core::read_json(document, read);
    auto const parsed = fuzz::parse(document);
    if (!parsed)
    {
        require(complaint.has_value(), "what is not valid JSON is refused", document);
        return;
    }
    if (fuzz::has_duplicates(document, *parsed))
        return;
    Variant expected;
    auto const wrong = fuzz::convert(*parsed, expected);
    require(complaint.has_value() == wrong.has_value(), "a document fits a one-of, or not", document);
    if (complaint)
    {
        require(complaint->path == *wrong, "a complaint names the place", complaint->to_string());
        require(complaint->offset <= document.size(), "a complaint names a byte of the document", document);
    }
    else
        require(same(read, expected), "the values are those of the DOM", fuzz::shown(read));
    auto const* const object = parsed->if_object();
    if (!object)
        return;

    Variant other;
    auto const text = json::serialize(turned(*object, turn));
    if (!fuzz::parse(text))
        return; // it has a number beyond the range of a double, which Boost.JSON writes as "Infinity"
    require(core::read_json(text, other).has_value() == complaint.has_value(), "in another order it fits, too", text);
    // The text of an unknown kind is Boost.JSON's, which writes some numbers in other digits each time.
    bool const unknown = std::holds_alternative<ccloud::networking::unknown_kind>(read);
    require(complaint || unknown || same(read, other), "the order of the members makes no difference", text);

    auto grouped = *object;
    auto const* const kind = grouped.if_contains("kind");
    if (!kind || !kind->is_string())
        return;
    auto const word = fuzz::text_of(kind->get_string());
    grouped["kind"] = "networking.v1." + word.substr(word.rfind('.') + 1);
    Variant prefixed;
    auto const named = json::serialize(grouped);
    require(
        core::read_json(named, prefixed).has_value() == complaint.has_value(), "with its group it fits, too", named
    );
    if (!complaint && !std::holds_alternative<ccloud::networking::unknown_kind>(read))
        require(same(read, prefixed), "the API group of a kind makes no difference", named);
    else if (!complaint)
        require(read.index() == prefixed.index(), "an unknown kind stays one", named);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    fuzz::input input(data, size);
    auto const choice = input.byte();
    auto const turn = input.byte();
    fuzz::exact_copy const document(input.rest());
    if (choice % 2 == 0)
        check<ccloud::networking::private_link_attachment_connection_cloud>(turn, document.view());
    else
        check<ccloud::networking::private_link_attachment_connection_status_cloud>(turn, document.view());
    return 0;
}
