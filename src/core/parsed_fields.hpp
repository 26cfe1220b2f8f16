#ifndef CCLOUD_CORE_PARSED_FIELDS_HPP
#define CCLOUD_CORE_PARSED_FIELDS_HPP

#include <ccloud/http.hpp>

#include <cstddef>
#include <string_view>

namespace ccloud::detail {

/** Adds fields that a parser of HTTP has found well formed and without surrounding white space. */
struct parsed_fields
{
    static void add(http_headers& to, std::string_view name, std::string_view value)
    {
        to.text_.append(name).append(": ").append(value).append("\r\n");
    }

    /** Adds whole field lines. Each is "name: value" and CRLF; its value is not folded. */
    static void add_lines(http_headers& to, std::string_view lines) { to.text_.append(lines); }
};

} // namespace ccloud::detail

#endif
