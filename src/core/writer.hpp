#ifndef CCLOUD_CORE_WRITER_HPP
#define CCLOUD_CORE_WRITER_HPP

#include <ccloud/change.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ccloud::detail {

/** Writes a JSON object, member by member, exactly as told: compact, in this order, nothing added.

    @code
    json_object().member("group_name", name).member("cidr_blocks", blocks).text()
    @endcode */
class json_object
{
public:
    json_object& member(std::string_view name, std::string_view value) &;
    json_object& member(std::string_view name, std::vector<std::string> const& values) &;
    json_object& member(std::string_view name, json_object const& value) &;

    template <class Value>
    json_object&& member(std::string_view name, Value const& value) &&
    {
        return std::move(static_cast<json_object&>(*this).member(name, value));
    }

    /** A member of an update: nothing where untouched, null where cleared. */
    json_object& touched(std::string_view name, change<std::string> const& value) &;
    json_object&& touched(std::string_view name, change<std::string> const& value) &&
    {
        return std::move(static_cast<json_object&>(*this).touched(name, value));
    }

    /** An object that is text already; as a member it is called "json". */
    static json_object raw(std::string_view object);

    std::string text() const { return text_ + '}'; }

    /** The first text that is not UTF-8 (RFC 8259 section 8.1), by the names of its members: "spec.display_name",
        "cidr_blocks[1]". Empty if there is none. */
    std::string const& not_utf8() const noexcept { return not_utf8_; }

private:
    void begin(std::string_view name);
    void note(std::string_view name, std::string_view within);

    std::string text_ = "{";
    std::string not_utf8_;
};

} // namespace ccloud::detail

namespace ccloud::core {

using ccloud::detail::json_object;

/** Appends a JSON string: `"`, `\` and control characters are escaped, UTF-8 passes through (RFC 8259 section 7). */
void append_json_string(std::string& to, std::string_view text);

} // namespace ccloud::core

#endif
