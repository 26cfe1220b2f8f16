#include "core/content_coding.hpp"

#include "core/ascii.hpp"
#include "core/field_syntax.hpp"

namespace ccloud::core {

std::string content_coding(http_headers const& headers)
{
    std::string codings;
    headers.for_each([&codings](std::string_view name, std::string_view value) {
        if (!iequals(name, "Content-Encoding"))
            return;
        for_each_element(value, [&codings](std::string_view coding) {
            if (!coding.empty() && !iequals(coding, "identity"))
                codings.append(codings.empty() ? "" : ", ").append(coding);
        });
    });
    return codings;
}

} // namespace ccloud::core
