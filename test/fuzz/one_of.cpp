/*  The one-ofs `spec.cloud` and `status.cloud`, whose kind may stand anywhere among their members, compared with the
    DOM and with other orders of the members.

    The first byte of an input chooses the one-of, the second one by how many places the members are rotated. The rest
    is a document. */

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

/** The members of an object as they stand in its text, which is valid JSON. */
std::vector<std::string> members_of(std::string_view object)
{
    std::vector<std::string> all;
    std::size_t depth = 0;
    bool quoted = false;
    for (std::size_t i = 1; i + 1 < object.size(); ++i)
    {
        char const c = object[i];
        if (c == ',' && !quoted && depth == 0)
        {
            all.emplace_back();
            continue;
        }
        if (all.empty())
            all.emplace_back();
        all.back() += c;
        if (quoted && c == '\\')
            all.back() += object[++i];
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '['))
            ++depth;
        else if (!quoted && (c == '}' || c == ']'))
            --depth;
    }
    return all;
}

/** An object of these members, beginning with a later one. */
std::string joined(std::vector<std::string> const& members, std::size_t turn)
{
    std::string text = "{";
    for (std::size_t i = 0; i < members.size(); ++i)
        text.append(i > 0 ? "," : "").append(members[(i + turn) % members.size()]);
    return text + '}';
}

std::string_view without_blanks_around(std::string_view document)
{
    if (document.starts_with("\xef\xbb\xbf"))
        document.remove_prefix(3);
    auto const begin = document.find('{'), end = document.rfind('}');
    return document.substr(begin, end + 1 - begin);
}

template <class Variant>
Variant read_again(std::string_view document, bool refused)
{
    Variant read;
    require(
        core::read_json(document, read).has_value() == refused, "it fits in each order and with its group", document
    );
    return read;
}

/** An object of an unknown kind has these very bytes. */
template <class Variant>
bool is_unknown(Variant const& read, std::string_view text)
{
    auto const* const unknown = std::get_if<ccloud::networking::unknown_kind>(&read);
    if (unknown)
        require(unknown->json == text, "an unknown kind is the bytes of the object", unknown->json);
    return unknown != nullptr;
}

template <class Variant>
void check(std::size_t turn, std::string_view document)
{
    Variant read, expected;
    auto const complaint = core::read_json(document, read);
    fuzz::compare(document, complaint, read, expected);
    auto const parsed = fuzz::parse(document);
    auto const repaired = fuzz::sanitized(document);
    if (!parsed || !parsed->is_object() || fuzz::has_duplicates(repaired, *parsed))
        return;
    auto const text = without_blanks_around(repaired);
    bool const refused = complaint.has_value();
    bool const unknown = !refused && is_unknown(read, text);

    auto members = members_of(text);
    auto const turned = joined(members, turn);
    auto other = read_again<Variant>(turned, refused);
    if (unknown)
        require(is_unknown(other, turned), "an unknown kind stays one in another order", turned);
    else if (!refused)
        require(fuzz::shown(read) == fuzz::shown(other), "the order of the members makes no difference", turned);

    auto const& object = parsed->get_object();
    auto const kind = object.find("kind");
    if (kind == object.end() || !kind->value().is_string())
        return;
    auto const word = fuzz::text_of(kind->value().get_string());
    members[static_cast<std::size_t>(kind - object.begin())] =
        "\"kind\":" + json::serialize(json::string("networking.v1." + word.substr(word.rfind('.') + 1)));
    auto const grouped = joined(members, 0);
    auto prefixed = read_again<Variant>(grouped, refused);
    if (unknown)
        require(is_unknown(prefixed, grouped), "an unknown kind stays one with its group", grouped);
    else if (!refused)
        require(fuzz::shown(read) == fuzz::shown(prefixed), "the API group of a kind makes no difference", grouped);
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
