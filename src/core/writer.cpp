#include "core/writer.hpp"

#include "core/utf8.hpp"

namespace ccloud::core {

void append_json_string(std::string& to, std::string_view text)
{
    static constexpr std::string_view hex = "0123456789abcdef";
    to += '"';
    for (char const c : text)
    {
        auto const byte = static_cast<unsigned char>(c);
        switch (c)
        {
        case '"': to += "\\\""; break;
        case '\\': to += "\\\\"; break;
        case '\b': to += "\\b"; break;
        case '\f': to += "\\f"; break;
        case '\n': to += "\\n"; break;
        case '\r': to += "\\r"; break;
        case '\t': to += "\\t"; break;
        default:
            if (byte >= 0x20)
                to += c;
            else
                to.append("\\u00").append({hex[byte >> 4], hex[byte & 15]});
        }
    }
    to += '"';
}

} // namespace ccloud::core

namespace ccloud::detail {

using core::append_json_string;
using core::is_utf8;

json_object json_object::raw(std::string_view object)
{
    json_object written;
    if (auto const end = object.rfind('}'); end != std::string_view::npos)
        written.text_ = object.substr(0, end);
    if (!is_utf8(object))
        written.not_utf8_ = "json";
    return written;
}

void json_object::begin(std::string_view name)
{
    if (text_.size() > 1)
        text_ += ',';
    append_json_string(text_, name);
    text_ += ':';
}

/** Notes that a text is not UTF-8, if it is the first. */
void json_object::note(std::string_view name, std::string_view within)
{
    if (not_utf8_.empty())
        not_utf8_.append(name).append(within);
}

json_object& json_object::member(std::string_view name, std::string_view value) &
{
    if (!is_utf8(value))
        note(name, {});
    begin(name);
    append_json_string(text_, value);
    return *this;
}

json_object& json_object::member(std::string_view name, std::vector<std::string> const& values) &
{
    begin(name);
    text_ += '[';
    for (std::size_t i = 0; i < values.size(); ++i)
    {
        if (i > 0)
            text_ += ',';
        if (!is_utf8(values[i]))
            note(name, '[' + std::to_string(i) + ']');
        append_json_string(text_, values[i]);
    }
    text_ += ']';
    return *this;
}

json_object& json_object::member(std::string_view name, json_object const& value) &
{
    if (!value.not_utf8_.empty())
        note(name, '.' + value.not_utf8_);
    begin(name);
    text_.append(value.text_).append("}");
    return *this;
}

json_object& json_object::touched(std::string_view name, change<std::string> const& value) &
{
    if (value.value())
        return member(name, std::string_view(*value.value()));
    if (value.cleared())
    {
        begin(name);
        text_ += "null";
    }
    return *this;
}

} // namespace ccloud::detail
