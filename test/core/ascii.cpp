#include "core/ascii.hpp"

#include "printers.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace core = ccloud::core;

TEST_CASE("letters and digits are those of ASCII, whatever the locale says")
{
    for (int byte = 0; byte < 256; ++byte)
    {
        CAPTURE(byte);
        auto const c = static_cast<char>(byte);
        CHECK(core::is_digit(c) == (byte >= 0x30 && byte <= 0x39));
        bool const upper = byte >= 0x41 && byte <= 0x5a;
        CHECK(static_cast<int>(static_cast<unsigned char>(core::to_lower(c))) == (upper ? byte + 32 : byte));
    }
}

TEST_CASE("names compare without regard to case, as a whole or as a part")
{
    CHECK(core::iequals("", ""));
    CHECK(core::iequals("Retry-After", "rETRY-aFTER"));
    CHECK(!core::iequals("Retry-After", "Retry-Afte"));
    CHECK(!core::iequals("a[", "a{"));
    CHECK(core::icontains("403 forbidden: Invalid API Key!", "invalid api key"));
    CHECK(core::icontains("anything", ""));
    CHECK(core::icontains("", ""));
    CHECK(!core::icontains("invalid api", "invalid api key"));
    CHECK(!core::icontains("", "a"));
}

TEST_CASE("spaces and tabs go from both ends, and nothing else does")
{
    struct row
    {
        std::string_view text, trimmed;
    };
    for (auto const& [text, trimmed] :
         {row{"", ""}, row{" \t ", ""}, row{"a", "a"}, row{" \ta b\t ", "a b"}, row{"\r\na\n", "\r\na\n"}})
    {
        CAPTURE(text);
        CHECK(core::trim(text) == trimmed);
    }
}

TEST_CASE("digits are read up to the greatest number, and anything else is no number")
{
    struct row
    {
        std::string_view text;
        std::optional<std::int64_t> value;
    };
    for (auto const& [text, value] : {
             row{"0", 0},
             row{"007", 7},
             row{"9223372036854775806", INT64_MAX - 1},
             row{"9223372036854775807", INT64_MAX},
             row{"9223372036854775808", INT64_MAX},
             row{"99999999999999999999999", INT64_MAX},
             row{"", std::nullopt},
             row{"+1", std::nullopt},
             row{"-1", std::nullopt},
             row{" 1", std::nullopt},
             row{"1 ", std::nullopt},
             row{"1.0", std::nullopt},
             row{"0x1", std::nullopt},
             row{"99999999999999999999999x", std::nullopt},
             row{"\xd9\xa1", std::nullopt},
         })
    {
        CAPTURE(text);
        CHECK(core::parse_digits(text) == value);
    }
}

TEST_CASE("a list is split at its separators, and empty parts are dropped")
{
    using parts = std::vector<std::string_view>;
    CHECK(core::split("", ':') == parts{});
    CHECK(core::split(":", ':') == parts{});
    CHECK(core::split("a", ':') == parts{"a"});
    CHECK(core::split("a:b", ':') == parts{"a", "b"});
    CHECK(core::split("::a::b c::", ':') == parts{"a", "b c"});
}
