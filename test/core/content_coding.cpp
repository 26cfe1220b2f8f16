#include "core/content_coding.hpp"

#include "printers.hpp"

#include <doctest/doctest.h>

#include <string_view>
#include <vector>

TEST_CASE("RFC 9110 section 8.4: Content-Encoding is one list over all its fields, and identity is no coding")
{
    struct row
    {
        std::vector<std::string_view> values;
        std::string_view coding;
    };
    for (auto const& [values, coding] : std::vector<row>{
             {{}, ""},
             {{""}, ""},
             {{"identity"}, ""},
             {{"Identity", ",identity ,"}, ""},
             {{"gzip"}, "gzip"},
             {{" gzip\t"}, "gzip"},
             {{"identity, gzip"}, "gzip"},
             {{"identity", "br"}, "br"},
             {{"gzip", "br"}, "gzip, br"},
             {{"gzip,br", "", "x;q=1"}, "gzip, br, x;q=1"},
         })
    {
        ccloud::http_headers headers;
        headers.add("Content-Type", "application/json");
        for (auto const value : values)
            headers.add("content-encoding", value);
        CAPTURE(coding);
        CHECK(ccloud::core::content_coding(headers) == coding);
    }
}
