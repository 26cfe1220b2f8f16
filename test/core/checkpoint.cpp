#include <ccloud/async_generator.hpp>

#include "printers.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>

using ccloud::checkpoint;

TEST_CASE("a checkpoint comes back from its text as it was (P3)")
{
    for (auto const& [token, offset] :
         {std::pair<std::string, std::size_t>{"", 0},
          {"", 7},
          {"eyJ==", 0},
          {"eyJ==", 99},
          {"at:1:end", 3},
          {"end", 0},
          {":", 1},
          {"a b\n\"\xc3\xbc", 2},
          {std::string("a\0b", 3), 4},
          {std::string(255, 'x'), 1'000'000'000}})
    {
        CAPTURE(token);
        CAPTURE(offset);
        checkpoint const place(token, offset);
        auto const read = checkpoint::parse(place.to_string());
        REQUIRE(read.has_value());
        CHECK(*read == place);
        CHECK(read->token() == token);
        CHECK(read->offset() == offset);
        CHECK(!read->at_end());
    }
    auto const end = checkpoint::parse(checkpoint::end().to_string());
    REQUIRE(end.has_value());
    CHECK(end->at_end());
    CHECK(*end == checkpoint::end());
    CHECK(checkpoint::parse(checkpoint().to_string()) == checkpoint());
}

TEST_CASE("a checkpoint is parsed from its own text for every offset (P3)")
{
    auto const greatest = std::numeric_limits<std::size_t>::max();
    for (auto const offset : {greatest / 2 - 1, greatest / 2, greatest / 2 + 1, greatest - 1, greatest})
    {
        CAPTURE(offset);
        CHECK(checkpoint::parse(checkpoint("eyJ==", offset).to_string()) == checkpoint("eyJ==", offset));
    }
    CHECK(!checkpoint::parse("at:18446744073709551616:eyJ==").has_value());
}

TEST_CASE("the text of a checkpoint is plain")
{
    CHECK(checkpoint().to_string() == "at:0:");
    CHECK(checkpoint("eyJ==", 12).to_string() == "at:12:eyJ==");
    CHECK(checkpoint::end().to_string() == "end");
}

TEST_CASE("what is no checkpoint gives none, and is never taken for the end")
{
    for (std::string_view const text : {
             "",
             "END",
             "end ",
             " end",
             "at",
             "at:",
             "at:0",
             "at::",
             "at:x:token",
             "at:-1:token",
             "at:+1:token",
             "at: 1:token",
             "at:1.5:token",
             "at:0x1:token",
             "AT:0:token",
             "0:token",
             "eyJ==",
             "at:99999999999999999999999:token",
         })
    {
        CAPTURE(text);
        CHECK(!checkpoint::parse(text).has_value());
    }
}
