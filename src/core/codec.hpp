#ifndef CCLOUD_CORE_CODEC_HPP
#define CCLOUD_CORE_CODEC_HPP

#include <ccloud/open_enum.hpp>
#include <ccloud/timestamp.hpp>

#include <boost/describe/members.hpp>
#include <boost/json/value.hpp>
#include <boost/mp11/algorithm.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

/*  The tolerant reader. It decodes from the events of a JSON parser straight into the structs, without a document
    between. Unknown members pass by; absent and null ones leave the default; a wrong type is reported with its path.
    Members of the types `std::optional<timestamp>`, `std::optional<std::int64_t>` (a count, not negative) and
    `std::optional<std::string>` are not what a resource is about: there a value of a wrong type is absent. Ill-formed
    text (bytes that are not UTF-8, or the escape of an unpaired surrogate) becomes U+FFFD.

    A struct is read by its description, which stands in the header `..._json.hpp` beside the source of its collection:

        BOOST_DESCRIBE_STRUCT(ip_group, (), (id, group_name, cidr_blocks))

    A member's name is the wire's. A one-of is read by a specialisation of `one_of` that names the alternatives. */

namespace ccloud::core {

/** What is wrong with a document, and where. */
struct complaint
{
    enum class kind : unsigned char {
        malformed, ///< no JSON, a value of the wrong type, or nested too deeply
        too_many,  ///< a list has more elements than it may have
        too_large, ///< the values take more memory than they may take
    };

    std::string path;       ///< JSON pointer: "/data/3/cidr_blocks"; empty for the document itself
    std::size_t offset = 0; ///< bytes into the document
    std::string text;
    kind about = kind::malformed;

    std::string to_string() const;
};

struct reader_type;

/** Where the next value goes; no type: it is passed by. */
struct slot
{
    reader_type const* type = nullptr;
    void* to = nullptr;
    std::string_view name; ///< of the member, for complaints
};

/** How values of one C++ type take JSON. An absent function means that the kind of value does not fit. */
struct reader_type
{
    char const* expected; ///< "a string"
    void (*text)(void* to, std::string_view value) = nullptr;
    void (*integer)(void* to, std::int64_t value) = nullptr;
    void (*real)(void* to, double value) = nullptr;
    slot (*member)(void* to, std::string_view name) = nullptr; ///< makes it an object
    std::size_t (*array)(void* to) = nullptr;                  ///< a list begins; returns how many elements it may have
    slot (*element)(void* to) = nullptr;
    std::size_t element_bytes = 0;                     ///< memory that counts for each element, and for the list itself
    std::string (*too_many)(void const* to) = nullptr; ///< the text of the complaint about too many elements
    /** Receives the kind of a value that does not fit, such as "a number". The value is skipped then. If absent, such a
        value is a fault of the document. */
    void (*other_kind)(void* to, char const* found) = nullptr;
    /** For one-ofs, whose kind may come last: the object is collected first. Returns the place of its members, or, if
        that is the place of a text, of the object's own bytes. */
    slot (*choose)(void* to, boost::json::object const& whole) = nullptr;
};

inline constexpr std::size_t any_number = static_cast<std::size_t>(-1);

/** The size of the byte order mark that a document begins with, 3 or 0. It is ignored (RFC 8259 section 8.1). */
std::size_t byte_order_mark_size(std::string_view document) noexcept;

/** Reads `document` into the value behind `root`. The values may take up to `memory` bytes: lists count with twice the
    size of their elements, because vectors grow by doubling; texts count with their length; one-ofs also count with the
    object that they are collected in. Members that come twice count twice.

    A document with ill-formed text is copied, with U+FFFD in place of that text, and read a second time into the same
    value. The offset of a complaint always is one of `document`. */
std::optional<complaint> read_document(std::string_view document, slot root, std::size_t memory = any_number);

/** Reads a document in slices, between which the caller can do something else. Finds the same values and the same
    faults as `read_document`; if a document is invalid and also takes too much memory, either may be found first. The
    document and the value behind `root` must outlive the reader. */
class document_reader
{
public:
    document_reader(std::string_view document, slot root, std::size_t memory = any_number);
    document_reader(document_reader const&) = delete;
    document_reader& operator=(document_reader const&) = delete;
    ~document_reader();

    /** Reads up to `most` more bytes. Returns whether there is more to read; if not, it must not be called again. */
    bool read_some(std::size_t most);

    /** The fault in the bytes that were read so far, if there is one. */
    std::optional<complaint> take_complaint() noexcept;

private:
    class state;
    std::unique_ptr<state> state_;
};

template <class T>
reader_type const& reader_of() noexcept;

/** The `root` for a document that is read into `value`. */
template <class T>
slot root_of(T& value) noexcept
{
    return slot{&reader_of<T>(), &value, {}};
}

/** Reads `document` into `value`, whose members should have their defaults. */
template <class T>
std::optional<complaint> read_json(std::string_view document, T& value, std::size_t memory = any_number)
{
    return read_document(document, root_of(value), memory);
}

/** The count that a number or a text stands for: 1 for 1, 1.0 and "1". Nothing if it is negative, has a fraction, or is a
    double greater than 2^53, because it may stand for another integer. */
std::optional<std::int64_t> count_of(std::int64_t number) noexcept;
std::optional<std::int64_t> count_of(double number) noexcept;
std::optional<std::int64_t> count_of(std::string_view text) noexcept;

/** To be specialised for a type that is read in its own way: `static constexpr reader_type type`. */
template <class T>
struct custom_reader
{
};

/** To be specialised for each one-of `std::variant`: `static slot choose(Variant&, whole)` returns a `place_in` the
    alternative that the kind names. For an unknown kind it returns the place of a `std::string`, which gets the bytes
    of the object in the document, from `{` to `}`. */
template <class Variant>
struct one_of;

/** The kind of a one-of without the API group that some answers put before it: "networking.v1.AwsX" is "AwsX". */
std::string_view plain_kind(boost::json::object const& whole) noexcept;

namespace detail {

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class T>
inline constexpr bool is_open_enum = false;
template <class Tag>
inline constexpr bool is_open_enum<open_enum<Tag>> = true;

template <class T>
concept described = boost::describe::has_describe_members<T>::value;

template <class T>
concept customized = requires
{
    custom_reader<T>::type;
};

template <class T>
concept chosen = requires(T& value, boost::json::object const& whole)
{
    one_of<T>::choose(value, whole);
};

template <class T>
struct has_one_of
{
    template <class Member>
    using is_one_of =
        std::bool_constant<chosen<std::remove_reference_t<decltype(std::declval<T&>().*Member::pointer)>>>;
    static constexpr bool value =
        boost::mp11::mp_any_of<boost::describe::describe_members<T, boost::describe::mod_public>, is_one_of>::value;
};

template <class T>
slot described_member(void* to, std::string_view name)
{
    using members = boost::describe::describe_members<T, boost::describe::mod_public>;
    slot found;
    boost::mp11::mp_for_each<members>([&](auto member) {
        // Comparisons with texts of constant size are inlined.
        constexpr std::string_view known = decltype(member)::name;
        if (!found.type && name.size() == known.size() && std::memcmp(name.data(), known.data(), known.size()) == 0)
        {
            auto& value = static_cast<T*>(to)->*member.pointer;
            found = slot{&reader_of<std::remove_reference_t<decltype(value)>>(), &value, member.name};
        }
    });
    return found;
}

template <class T>
constexpr reader_type make_reader()
{
    if constexpr (std::is_same_v<T, std::string>)
    {
        return {.expected = "a string", .text = [](void* to, std::string_view text) {
                    *static_cast<std::string*>(to) = std::string(text); // cheaper than assign()
                }};
    }
    else if constexpr (is_open_enum<T>)
    {
        return {
            .expected = "a string", .text = [](void* to, std::string_view text) { *static_cast<T*>(to) = T(text); }};
    }
    else if constexpr (std::is_same_v<T, std::optional<timestamp>>)
    {
        return {
            .expected = "a string",
            .text = [](void* to, std::string_view text) { *static_cast<T*>(to) = parse_timestamp(text); },
            .other_kind = [](void* to, char const*) { static_cast<T*>(to)->reset(); }};
    }
    else if constexpr (std::is_same_v<T, std::optional<std::int64_t>>)
    {
        return {
            .expected = "a number",
            .text = [](void* to, std::string_view text) { *static_cast<T*>(to) = count_of(text); },
            .integer = [](void* to, std::int64_t number) { *static_cast<T*>(to) = count_of(number); },
            .real = [](void* to, double number) { *static_cast<T*>(to) = count_of(number); },
            .other_kind = [](void* to, char const*) { static_cast<T*>(to)->reset(); }};
    }
    else if constexpr (std::is_same_v<T, std::optional<std::string>>)
    {
        return {
            .expected = "a string",
            .text = [](void* to, std::string_view text) { static_cast<T*>(to)->emplace(text); },
            .integer = [](void* to, std::int64_t number) { *static_cast<T*>(to) = std::to_string(number); },
            .other_kind = [](void* to, char const*) { static_cast<T*>(to)->reset(); }};
    }
    else if constexpr (is_vector<T>)
    {
        using element = typename T::value_type;
        return {
            .expected = "an array",
            .array =
                [](void* to) {
                    static_cast<T*>(to)->clear();
                    static_cast<T*>(to)->reserve(2); // most lists in a resource are short
                    return any_number;
                },
            .element =
                [](void* to) {
                    return slot{&reader_of<element>(), &static_cast<T*>(to)->emplace_back(), {}};
                },
            .element_bytes = 2 * sizeof(element)};
    }
    else if constexpr (customized<T>)
    {
        return custom_reader<T>::type;
    }
    else if constexpr (chosen<T>)
    {
        return {.expected = "an object", .choose = [](void* to, boost::json::object const& whole) {
                    return one_of<T>::choose(*static_cast<T*>(to), whole);
                }};
    }
    else
    {
        static_assert(described<T>, "describe the struct where it is read");
        return {.expected = "an object", .member = &described_member<T>};
    }
}

} // namespace detail

template <class T>
reader_type const& reader_of() noexcept
{
    static constexpr reader_type type = detail::make_reader<T>();
    return type;
}

/** Makes a one-of hold a `T`. Returns the place of the object's members. */
template <class T, class Variant>
slot place_in(Variant& to)
{
    static_assert(!detail::has_one_of<T>::value, "a one-of within a one-of would not find its own bytes");
    return root_of(to.template emplace<T>());
}

} // namespace ccloud::core

#endif
