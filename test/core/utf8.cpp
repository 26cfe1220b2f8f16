#include "core/utf8.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace core = ccloud::core;

namespace {

/** UTF-8 of a number as its bits say (RFC 3629 section 3), in `size` bytes. */
std::string encoded(std::uint32_t number, int size)
{
    if (size == 1)
        return std::string(1, static_cast<char>(number));
    std::string text;
    for (int i = 1; i < size; ++i, number >>= 6)
        text.insert(text.begin(), static_cast<char>(0x80 | (number & 0x3f)));
    text.insert(text.begin(), static_cast<char>((0xf00 >> size & 0xff) | number));
    return text;
}

int shortest(std::uint32_t number)
{
    return number < 0x80 ? 1 : number < 0x800 ? 2 : number < 0x10000 ? 3 : 4;
}

} // namespace

TEST_CASE("RFC 3629 section 3: every code point has one form, and surrogates and larger numbers have none")
{
    for (std::uint32_t number = 0; number < 0x200000; number += number < 0x11000 ? 1 : 61)
        for (int size = shortest(number); size <= 4; ++size)
        {
            auto const text = encoded(number, size);
            bool const exists = number <= 0x10ffff && (number < 0xd800 || number > 0xdfff);
            bool const expected = exists && size == shortest(number);
            auto const first = core::first_sequence(text + "x");
            if (core::is_utf8(text) != expected || first.well_formed != expected ||
                (expected && (first.size != text.size() || first.cut_off)))
            {
                CAPTURE(number);
                CAPTURE(size);
                FAIL("it is taken for what it is not");
            }
        }
}

TEST_CASE("a text is UTF-8 if all of its characters are")
{
    for (std::string_view const text : {"", "a", "\x7f", "Z\xc3\xbcrich", "\xf0\x9f\x9a\x80", "a\xe2\x82\xac"})
    {
        CAPTURE(text);
        CHECK(core::is_utf8(text));
        CHECK(!core::is_utf8(std::string(text) + "\xff"));
        CHECK(!core::is_utf8("\xbf" + std::string(text)));
        CHECK(!core::is_utf8(std::string(text) + "\xe2\x82"));
        CHECK(!core::is_utf8(std::string(100, 'x') + "\xc3" + std::string(text) + "x"));
    }
    CHECK(core::is_utf8(std::string_view("\0", 1)));
    CHECK(!core::is_utf8("\xfe\xff"));
    CHECK(!core::is_utf8("Z\xfcrich")); // ISO 8859-1
}
