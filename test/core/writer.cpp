#include "core/writer.hpp"

#include "printers.hpp"

#include <boost/json/parse.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

using ccloud::core::json_object;

namespace {

std::string quoted(std::string_view text)
{
    std::string to;
    ccloud::core::append_json_string(to, text);
    return to;
}

} // namespace

TEST_CASE("a JSON object is written compactly, in the order of its members, with nothing added")
{
    CHECK(json_object().text() == "{}");
    CHECK(
        json_object()
            .member("group_name", "CorpNet")
            .member("cidr_blocks", std::vector<std::string>{"a", "b"})
            .text() == R"({"group_name":"CorpNet","cidr_blocks":["a","b"]})"
    );
    CHECK(json_object().member("b", "1").member("a", "2").text() == R"({"b":"1","a":"2"})");
    CHECK(json_object().member("none", std::vector<std::string>()).text() == R"({"none":[]})");
    CHECK(json_object().member("a", "").member("", "b").text() == R"({"a":"","":"b"})");
}

TEST_CASE("objects nest")
{
    auto const inner = json_object().member("id", "env-1");
    CHECK(
        json_object()
            .member("spec", json_object().member("environment", inner).member("name", "x"))
            .member("z", "y")
            .text() == R"({"spec":{"environment":{"id":"env-1"},"name":"x"},"z":"y"})"
    );
    CHECK(json_object().member("empty", json_object()).text() == R"({"empty":{}})");
}

TEST_CASE("a member of an update is absent where untouched, null where cleared, and may be set to nothing")
{
    using change = ccloud::change<std::string>;
    CHECK(json_object().touched("a", change()).text() == "{}");
    CHECK(json_object().touched("a", change(ccloud::clear)).text() == R"({"a":null})");
    CHECK(json_object().touched("a", change("x")).text() == R"({"a":"x"})");
    CHECK(json_object().touched("a", change("")).text() == R"({"a":""})");
    CHECK(
        json_object().touched("a", change()).touched("b", change("x")).touched("c", change(ccloud::clear)).text() ==
        R"({"b":"x","c":null})"
    );
}

TEST_CASE("an object that is text already goes through as it is")
{
    CHECK(json_object::raw(R"({"kind":"Other","n":[1,{"a":2}]})").text() == R"({"kind":"Other","n":[1,{"a":2}]})");
    CHECK(json_object::raw("{}").text() == "{}");
    CHECK(json_object().member("cloud", json_object::raw(R"({"a":1})")).text() == R"({"cloud":{"a":1}})");
}

TEST_CASE("the first text that is not UTF-8 is named by its members (RFC 8259 section 8.1)")
{
    using change = ccloud::change<std::string>;
    auto const good = json_object().member("a", "Z\xc3\xbcrich").member("b", std::vector<std::string>{"\xe2\x82\xac"});
    CHECK(good.not_utf8().empty());
    CHECK(json_object().member("a", "x").member("b", "\xff").member("c", "\xff").not_utf8() == "b");
    CHECK(json_object().member("a", std::vector<std::string>{"x", "y", "\x80"}).not_utf8() == "a[2]");
    CHECK(json_object().touched("a", change("\xc3")).not_utf8() == "a");
    CHECK(json_object().touched("a", change(ccloud::clear)).not_utf8().empty());
    auto const inner = json_object().member("id", "\xed\xa0\xbd");
    CHECK(json_object().member("spec", json_object().member("near", inner)).not_utf8() == "spec.near.id");
    CHECK(json_object().member("cloud", json_object::raw("{\"a\":\"\xff\"}")).not_utf8() == "cloud.json");
    CHECK(json_object().member("cloud", json_object::raw("{\"a\":\"\xc3\xbc\"}")).not_utf8().empty());
}

TEST_CASE("texts are escaped as RFC 8259 section 7 asks")
{
    CHECK(quoted("") == R"("")");
    CHECK(quoted(R"(a "quote" and a \)") == R"("a \"quote\" and a \\")");
    CHECK(quoted("\b\f\n\r\t") == R"("\b\f\n\r\t")");
    CHECK(quoted("/<>&") == R"("/<>&")");
    CHECK(quoted("\x01\x1f") == R"("\u0001\u001f")");
    CHECK(quoted(std::string_view("\0", 1)) == R"("\u0000")");
    CHECK(quoted("\x7f \xc3\xbc \xf0\x9f\x9a\x80") == "\"\x7f \xc3\xbc \xf0\x9f\x9a\x80\"");
    CHECK(json_object().member("a\"b\n", "x").text() == R"({"a\"b\n":"x"})");
}

TEST_CASE("every character of ASCII comes back from a parser as it went in")
{
    for (int byte = 0; byte < 128; ++byte)
    {
        CAPTURE(byte);
        std::string const text(1, static_cast<char>(byte));
        auto const back = boost::json::parse(json_object().member(text, text).text());
        CHECK(back.at(text).as_string() == text);
    }
}
