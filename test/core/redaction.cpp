#include "core/redaction.hpp"

#include "core/base64.hpp"
#include "echo.hpp"
#include "printers.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace core = ccloud::core;
using core::redactor;
using core::text_end;

namespace {

redactor hiding(std::string_view secret)
{
    redactor made;
    made.add(secret);
    return made;
}

struct row
{
    std::string_view secret, text, expected;
};

constexpr std::string_view secret = "c/2+Qd\"x\\Zq7w%41=";

} // namespace

TEST_CASE("a secret is removed wherever it stands, and nothing else is")
{
    for (auto const& [hidden, text, expected] : {
             row{"abcdefgh", "", ""},
             row{"abcdefgh", "abcdefgh", "***"},
             row{"abcdefgh", "xabcdefghx", "x***x"},
             row{"abcdefgh", "abcdefghabcdefgh", "******"},
             row{"abcdefgh", "abcdefg abcdefghi ABCDEFGH", "abcdefg ***i ABCDEFGH"},
             row{"aaaaaaaa", "aaaaaaaaa-aaaaaaa.", "***-aaaaaaa."}, // what overlaps is removed as a whole
             row{"abcabcab", "abcabcabcab", "***"},
             row{"", "abc", "abc"},
         })
    {
        CAPTURE(text);
        CHECK(hiding(hidden).redacted(text) == expected);
        CHECK(hiding(hidden).redacted(text, text_end::truncated) == expected);
    }
}

TEST_CASE("a secret is removed with any of its bytes escaped: RFC 3986 section 2.1, RFC 8259 section 7, HTML")
{
    auto const hidden = hiding(secret);
    for (auto const& [name, text] : support::echoes_of(std::string(secret)))
    {
        CAPTURE(name);
        CAPTURE(text);
        CHECK(hidden.redacted(text) == "***");
        CHECK(hidden.redacted("{\"a\":\"" + text + "\"}, " + text + '.') == "{\"a\":\"***\"}, ***.");
        CHECK(hidden.redacted("\\n" + text + "%20") == "\\n***%20");
    }
    for (auto const& [hidden_one, text, expected] : {
             row{"abcdefgh", "a&#98;&#x63;&#X64;efgh", "***"},
             row{"<&>\"'bcd", "&lt;&amp;&gt;&quot;&apos;bcd", "***"},
             row{"a\xc3\xa9\xf0\x9f\x98\x80z1234", "a\\u00e9\\ud83d\\ude00z1234", "***"},
             row{"a\xc3\xa9\xf0\x9f\x98\x80z1234", "a%C3%a9&#128512;z1234", "***"},
             row{"a\xe9z12345", "a\xc3\xa9z12345 a\\u00e9z12345 a\\xe9z12345 a%e9z12345", "*** *** *** ***"},
             row{"abcdefgh", "\\x61bcdefgh", "***"},
             row{"a\tcdefgh", "a\\tcdefgh", "***"},
             row{"%41%42%43%44", "%41%42%43%44 %2541%2542%2543%2544", "*** ***"},
             row{"abcdefgh", "%2561%25%36%32cdefgh", "***"}, // encoded twice
             row{"abcdefgh", "%6 %zz \\q \\u12 &nope; &#; &#x; %", "%6 %zz \\q \\u12 &nope; &#; &#x; %"},
             row{"abcdefgh", "%61bcdefg%6", "%61bcdefg%6"},
         })
    {
        CAPTURE(text);
        CHECK(hiding(hidden_one).redacted(text) == expected);
    }
}

TEST_CASE("a secret with blanks is removed in the form encoding, too: application/x-www-form-urlencoded (WHATWG URL)")
{
    for (auto const& [hidden, text, expected] : {
             row{"a b+c d%ef", "x=a+b%2Bc+d%25ef&y", "x=***&y"},
             row{"a b+c d%ef", "a b+c d%ef a%20b%2Bc%20d%25ef", "*** ***"},
             row{"a b+c d%ef", "a%2Bb%252Bc%2Bd%2525ef", "***"}, // encoded twice
             row{"ab+cd+ef+gh", "ab cd ef gh", "ab cd ef gh"},   // which is another text
         })
    {
        CAPTURE(text);
        CHECK(hiding(hidden).redacted(text) == expected);
    }
    CHECK(hiding("a b+c d%ef").redacted("x=a+b%2Bc+", text_end::truncated) == "x=***");
}

TEST_CASE("where a text is cut, and before an ellipsis, the beginning of a secret is removed")
{
    for (auto const& [hidden, text, expected] : {
             row{"abcdefgh", "x abcdefg", "x ***"},
             row{"abcdefgh", "x abcd", "x ***"},
             row{"abcdefgh", "x abc", "x abc"}, // too short to tell
             row{"abcdefgh", "x abcd y", "x abcd y"},
             row{"abcdefgh", "x %61bcd%6", "x ***"},
             row{"abcdefgh", "x %61bcd%", "x ***"},
             row{"abcdefgh", "x \\u0061bcd\\u00", "x ***"},
             row{"abcdefgh", "x abcd\\", "x ***"},
             row{"abcdefgh", "x abcdef%2567", "x ***"},
             row{"abcdefgh", "x &#97;bcd&", "x ***"}, // HTML: character references
             row{"abcdefgh", "x &#97;bcd&#", "x ***"},
             row{"abcdefgh", "x &#97;bcd&#10", "x ***"},
             row{"abcdefgh", "x abcd&#x", "x ***"},
             row{"abcdefgh", "x abcd&#x6", "x ***"},
             row{"abcd<fgh", "x abcd&l", "x ***"},
             row{"abcdefgh", "x abcd&unknownname", "x abcd&unknownname"},
         })
    {
        CAPTURE(text);
        CHECK(hiding(hidden).redacted(text, text_end::truncated) == expected);
        CHECK(hiding(hidden).redacted(text) == text);
        auto const shown = std::string(expected);
        CHECK(hiding(hidden).redacted('"' + std::string(text) + "...\"") == '"' + shown + "...\"");
        CHECK(hiding(hidden).redacted(std::string(text) + "\xe2\x80\xa6") == shown + "\xe2\x80\xa6");
    }
    std::string const whole(secret);
    for (std::size_t size = redactor::shortest_beginning; size < whole.size(); ++size)
    {
        CHECK(hiding(secret).redacted("x: " + whole.substr(0, size), text_end::truncated) == "x: ***");
        for (auto const& [name, text] : support::echoes_of(whole.substr(0, size)))
        {
            CAPTURE(text);
            CHECK(hiding(secret).redacted("x: " + text, text_end::truncated) == "x: ***");
        }
    }
}

TEST_CASE("a secret of less than 8 bytes is removed as a whole word only")
{
    for (auto const& [hidden, text, expected] : {
             row{"abcdefg", "abcdefg", "***"},
             row{"abcdefg", "abcdefgh xabcdefg abcdefg_ 1abcdefg", "abcdefgh xabcdefg abcdefg_ 1abcdefg"},
             row{"abcdefg", "(abcdefg) abcdefg. \"abcdefg\" abcdefg-x", "(***) ***. \"***\" ***-x"},
             row{"abcdefg", "%20abcdefg%20 \\nabcdefg\\n %61bcdefg", "%20***%20 \\n***\\n ***"},
             row{"abcdefg", "abcdef", "abcdef"}, // no beginnings
             row{"abcdefg",
                 "\xc3\xa9"
                 "abcdefg",
                 "\xc3\xa9"
                 "abcdefg"},
             row{"a", "a b a-a ab", "*** b ***-*** ab"},
         })
    {
        CAPTURE(text);
        CHECK(hiding(hidden).redacted(text) == expected);
        CHECK(hiding(hidden).redacted(text, text_end::truncated) == expected);
    }
    CHECK(hiding("abcdefg").redacted("abcdef...") == "abcdef...");
}

TEST_CASE("of Basic credentials, password and Base64 are secret, and the user is not, unless it is alone (RFC 7617)")
{
    redactor hidden;
    hidden.add_basic("KEY12345", "pass word/1");
    auto const coded = core::base64("KEY12345:pass word/1");
    CHECK(hidden.redacted("KEY12345 pass word/1 " + coded) == "KEY12345 *** ***");
    CHECK(hidden.redacted("KEY12345:pass%20word%2f1") == "KEY12345:***");
    redactor padded;
    padded.add_basic("KEY12345", "password");
    auto const with_padding = core::base64("KEY12345:password");
    REQUIRE(with_padding.ends_with('='));
    auto const bare = with_padding.substr(0, with_padding.find('='));
    CHECK(padded.redacted("Basic " + bare + ", Basic " + with_padding) == "Basic ***, Basic ***");
    redactor alone;
    alone.add_basic("tokentoken", "");
    CHECK(alone.redacted("tokentoken dG9rZW50b2tlbjo") == "*** ***");
    redactor none;
    none.add_basic("", "");
    CHECK(none.empty());
    CHECK(none.redacted(":") == ":");
}

TEST_CASE(
    "the Base64 of a secret, and that of user and password, is removed with its padding and any line breaks (RFC 4648)"
)
{
    redactor hidden;
    hidden.add_basic("KEY12345", "abcdefghijklmnop");
    std::string const pair = "S0VZMTIzNDU6YWJjZGVmZ2hpamtsbW5vcA"; // of KEY12345:abcdefghijklmnop
    std::string const alone = "YWJjZGVmZ2hpamtsbW5vcA";
    REQUIRE(core::base64("abcdefghijklmnop") == alone + "==");
    REQUIRE(core::base64("KEY12345:abcdefghijklmnop") == pair + "==");
    for (auto const& coded : {pair, alone})
    {
        CAPTURE(coded);
        for (std::string_view const padding : {"", "=", "==", "%3D%3d", "\\u003d=", "&equals;&#61;", "%3D="})
            CHECK(hidden.redacted("<" + coded + std::string(padding) + ">") == "<***>");
        CHECK(hidden.redacted(coded + "===") == "***=");
        for (std::string_view const line_break :
             {"\n", "\r\n", "\\n", "\\r\\n", "%0a", "%0D%0A", "&#10;", "&NewLine;", "%5Cn"})
            for (std::size_t const width : {1U, 4U, 19U})
            {
                CAPTURE(line_break);
                CAPTURE(width);
                std::string wrapped;
                for (std::size_t at = 0; at < coded.size(); at += width)
                    wrapped.append(at > 0 ? line_break : "").append(coded, at, width);
                CHECK(hidden.redacted(wrapped) == "***");
                auto const next_line = std::string(line_break) + "next line";
                CHECK(hidden.redacted(wrapped + next_line) == "***" + next_line);
                CHECK(hidden.redacted(wrapped + std::string(line_break) + "==" + next_line) == "***" + next_line);
                auto const cut = hidden.redacted(wrapped.substr(0, wrapped.size() - 1), text_end::truncated);
                CHECK((cut == "***" || cut == "***" + std::string(line_break)));
            }
    }
    // Line breaks within the secret itself are no form of it.
    CHECK(hidden.redacted("abcdefgh\nijklmnop") == "abcdefgh\nijklmnop");
}

TEST_CASE("the names that HTML has for characters of ASCII are known")
{
    std::string const every = "\t\n!\"\"#$%&&'()**+,./:;<<=>>?@[[\\]]^__``{{|||}}";
    std::string const named =
        "&Tab;&NewLine;&excl;&quot;&QUOT;&num;&dollar;&percnt;&amp;&AMP;&apos;&lpar;&rpar;&ast;&midast;&plus;&comma;"
        "&period;&sol;&colon;&semi;&lt;&LT;&equals;&gt;&GT;&quest;&commat;&lsqb;&lbrack;&bsol;&rsqb;&rbrack;&Hat;"
        "&lowbar;&UnderBar;&grave;&DiacriticalGrave;&lcub;&lbrace;&verbar;&vert;&VerticalLine;&rcub;&rbrace;";
    CHECK(hiding(every).redacted("<" + named + ">") == "<--->"); // each other mask is part of the secret
}

TEST_CASE("a text that is cut within a character reference of HTML loses the beginning of a secret, too")
{
    for (std::string_view const end : {"&", "&#", "&#4", "&#x2", "&so", "&#6..."})
    {
        CAPTURE(end);
        auto const cut = hiding("abcdefgh/").redacted("x abcdefg" + std::string(end), text_end::truncated);
        CHECK(cut == (end.ends_with("...") ? "x ***..." : "x ***"));
    }
    CHECK(hiding("abcdefgh/").redacted("x abcdefg&so", text_end::complete) == "x abcdefg&so");
    // A semicolon that comes later does not end the reference.
    CHECK(hiding("abcdefgh+ijkl").redacted("abcdefgh&#4...; see docs", text_end::complete) == "***...; see docs");
    CHECK(hiding("abcdefgh+ijkl").redacted("abcdefgh&pl...;", text_end::complete) == "***...;");
    for (std::string_view const end : {"&unknown", "&#12345678901", "&so sl"})
        CHECK(
            hiding("abcdefgh/").redacted("x abcdefg" + std::string(end), text_end::truncated) ==
            "x abcdefg" + std::string(end)
        );
}

TEST_CASE("a text is too short for a secret only if nothing in it was cut or escaped")
{
    CHECK(redactor::is_too_short("abcdefg", text_end::complete, "abcdefgh"));
    CHECK(redactor::is_too_short("", text_end::complete, "abcdefgh"));
    CHECK(!redactor::is_too_short("abcdefgh", text_end::complete, "abcdefgh"));
    CHECK(!redactor::is_too_short("abcdefg", text_end::truncated, "abcdefgh"));
    for (std::string_view const mark : {"...", "\xe2\x80\xa6", "%2e", "\\u2026", "&#46;"})
    {
        CAPTURE(mark);
        CHECK(!redactor::is_too_short("abcd" + std::string(mark), text_end::complete, "abcdefghijklmnop"));
        CHECK(!redactor::is_too_short("abcd", text_end::complete, "abcdefgh%41%42" + std::string(mark)));
    }
}

TEST_CASE("several secrets are removed, one within another, too")
{
    redactor hidden;
    for (std::string_view const one : {"abcdefgh", "defghijkl", "cdefghij", "abcdefgh"})
        hidden.add(one);
    CHECK(hidden.redacted("1abcdefghijkl2 cdefghij3") == "1***2 ***3");
}

TEST_CASE("a removal makes no secret out of the text around it")
{
    CHECK(hiding("ab***cdefgh").redacted("abab***cdefghcdefgh").find('*') == std::string::npos);
    CHECK(hiding("*abcdefg").redacted("*abcdefgabcdefg").find("*abcdefg") == std::string::npos);
    CHECK(hiding("#*-abcdefgh").redacted("x#*-abcdefghx") == "x???x");
}

TEST_CASE("names and values of header fields lose secrets, and the block stays one of fields")
{
    ccloud::http_headers fields;
    fields.add("X-A", "1").add("X-abcdefgh", "abcdefgh").add("X-B", "abcd").add("X-C", "").add("X-A", "a%62cdefgh!");
    CHECK(hiding("abcdefgh").redacted(fields).text() == "X-A: 1\r\nX-***: ***\r\nX-B: abcd\r\nX-C: \r\nX-A: ***!\r\n");
    ccloud::http_headers split;
    split.add("aaaa", "bbbb"); // not found across the parts of a field
    CHECK(hiding("aaaa: bbbb").redacted(split).text() == "aaaa: bbbb\r\n");
}

TEST_CASE("no text has the secret after a removal, and a second removal changes nothing")
{
    std::mt19937 dice(23);
    auto const text_of = [&dice](std::string_view letters, std::size_t size) {
        std::string text;
        while (text.size() < size)
            text += letters[dice() % letters.size()];
        return text;
    };
    for (int round = 0; round < 20'000; ++round)
    {
        std::string_view const letters = round % 2 == 0 ? "ab" : "a4%2561\\u0*&#;";
        auto const one = text_of(letters, 8 + dice() % 3);
        redactor hidden;
        hidden.add(one);
        std::string text;
        for (int piece = 0; piece < 3; ++piece)
        {
            text += text_of(letters, dice() % 6);
            auto const part = one.substr(dice() % 3 == 0 ? dice() % 4 : 0);
            text += dice() % 2 == 0 ? support::spelled(part, "%") : part;
        }
        auto const once = hidden.redacted(text);
        CAPTURE(one);
        CAPTURE(text);
        CAPTURE(once);
        CHECK(once.find(one) == std::string::npos);
        CHECK(hidden.redacted(once) == once);
    }
}

TEST_CASE("the time is linear in the size of a text, whatever the text and the secret are")
{
    // A search that starts anew at each byte would compare 10^11 bytes for each of these texts.
    constexpr std::size_t size = 1024 * 1024;
    auto const hidden = hiding(std::string(size / 2, 'a') + 'b');
    for (std::string_view const piece :
         {"a", "%61", "\\u0061", "%2561", "a%", "%a", "\\", "&#97;", "&", "...", "a\n", "&a"})
    {
        CAPTURE(piece);
        std::string text;
        while (text.size() < size)
            text += piece;
        auto const before = text;
        hidden.redact(text);
        CHECK(text == before);
    }
}
