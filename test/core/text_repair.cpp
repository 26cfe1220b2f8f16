#include "core/text_repair.hpp"

#include "core/utf8.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <random>
#include <string>
#include <string_view>

namespace core = ccloud::core;

namespace {

#define FFFD "\xef\xbf\xbd"

std::string repaired(std::string_view text, std::size_t most = static_cast<std::size_t>(-1))
{
    core::text_repair repair(text);
    while (repair.copy_some(most))
        ;
    CHECK(repair.changed() == (repair.copy() != text));
    return repair.copy();
}

} // namespace

TEST_CASE("well-formed text is copied byte by byte, whether it is JSON or not")
{
    for (std::string_view const text :
         {"", "plain", R"({"a":["\u00e9\ud83d\ude80\\ud800\n",1e5]})", "\xc3\xbc \xe2\x82\xac \xf0\x9f\x9a\x80", "\\",
          "\\\\", "\\u", "\\u12", "\\u12g4", "\\ud8", "\\ud80g",
          "\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\xc2\x80\xe0\xa0\x80"})
    {
        CAPTURE(text);
        for (std::size_t most = 1; most <= text.size() + 1; ++most)
            CHECK(repaired(text, most) == text);
    }
    CHECK(repaired(std::string_view("\0a\0", 3)) == std::string_view("\0a\0", 3));
}

TEST_CASE(
    "ill-formed text is replaced where it stands, in slices of any size, but not a character that the end cuts off"
)
{
    struct row
    {
        std::string_view text, copy;
    };
    for (auto const& [text, copy] : {
             row{"a\xff"
                 "b",
                 "a" FFFD "b"},
             row{"\xe2\x82", "\xe2\x82"}, // the end cuts it off
             row{"\xff\xf0\x9f\x9a", FFFD "\xf0\x9f\x9a"},
             row{"\xf0\"", FFFD "\""},
             row{"\xe0\x80", FFFD FFFD},
             row{"\xff", FFFD},
             row{"\xf0\x9f\x9a\xf0\x9f\x9a\x80", FFFD "\xf0\x9f\x9a\x80"},
             row{"\\\xff", "\\" FFFD},
             row{"\\\xc3\xbc", "\\\xc3\xbc"},
             row{"\\u\xff\xff", "\\u" FFFD FFFD},
             row{R"(\ud800)", R"(\ud800)"}, // the end cuts it off
             row{R"(\ud800\)", R"(\ud800\)"},
             row{R"(\ud800\u)", R"(\ud800\u)"},
             row{R"(\ud800\udc0)", R"(\ud800\udc0)"},
             row{R"(\ud800")", R"(\ufffd")"},
             row{R"(\ud800\n)", R"(\ufffd\n)"},
             row{R"(\ud800\udx)", R"(\ufffd\udx)"},
             row{R"(\udc00)", R"(\ufffd)"},
             row{R"(\ud800\\udc00)", R"(\ufffd\\udc00)"},
             row{R"(\\\ud800\\ud800)", R"(\\\ufffd\\ud800)"},
             row{R"(\udc00\ud800\ud800\udc00)", R"(\ufffd\ufffd\ud800\udc00)"},
             row{R"(\uD800\uDC00\uDC00)", R"(\uD800\uDC00\ufffd)"},
         })
    {
        CAPTURE(text);
        for (std::size_t most = 1; most <= text.size() + 1; ++most)
            CHECK(repaired(text, most) == copy);
    }
}

TEST_CASE("the offset in the text is that of the byte which a byte of the copy was made from")
{
    std::string_view const text = "a\xffq\\ud800\xe2\x82z\xc3\xbc";
    std::string_view const copy = "a" FFFD "q\\ufffd" FFFD "z\xc3\xbc";
    for (std::size_t most = 1; most <= text.size() + 1; ++most) // in slices of any size
    {
        CAPTURE(most);
        core::text_repair repair(text);
        while (repair.copy_some(most))
            ;
        REQUIRE(repair.copy() == copy);
        std::size_t last = 0;
        for (std::size_t offset = 0; offset <= copy.size(); ++offset)
        {
            auto const at = repair.offset_in_text(offset);
            CHECK(at >= last);
            CHECK(at <= text.size());
            last = at;
        }
        for (char const c : {'a', 'q', 'z'})
            CHECK(repair.offset_in_text(copy.find(c)) == text.find(c));
        CHECK(repair.offset_in_text(copy.size()) == text.size());
        CHECK(repair.offset_in_text(1'000) == text.size());
    }
}

TEST_CASE("whatever the bytes, a copy is UTF-8, has at most three times the size, and is not changed again")
{
    std::mt19937 dice(42);
    constexpr std::string_view alphabet = "\\\\\\u\"udD8800cCdef\xff\x80\xbf\xc3\xe2\xed\xa0\xf0\x9f\xf4 ";
    for (int round = 0; round < 20'000; ++round)
    {
        std::string text;
        for (auto size = dice() % 24; size > 0; --size)
            text += alphabet[dice() % alphabet.size()];
        CAPTURE(text);
        auto const copy = repaired(text + "x");
        text += 'x'; // cuts nothing off
        REQUIRE(core::is_utf8(copy));
        REQUIRE(copy.size() <= 3 * text.size());
        REQUIRE(repaired(copy) == copy);
        REQUIRE(repaired(text, 1 + dice() % 8) == copy);
    }
}
