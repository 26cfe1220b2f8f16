#include "core/cursor.hpp"

#include "printers.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>

namespace core = ccloud::core;

TEST_CASE("of a next link only the token is taken, decoded once (P9, vector 2)")
{
    struct row
    {
        std::string_view link, token;
    };
    for (auto const& [link, token] : {
             row{"https://confluent.cloud/api/iam/v2/sso/group-mappings?page_token=eyJ%3D%3D", "eyJ=="},
             row{"https://api.confluent.cloud/iam/v2/ip-groups?page_size=10&page_token=abc", "abc"},
             row{"https://api.confluent.cloud/iam/v2/ip-groups?page_token=abc&page_size=10", "abc"},
             row{"http://user:secret@elsewhere.example:8080/?page_token=abc#end", "abc"},
             row{"/iam/v2/ip-groups?page_token=abc", "abc"},
             row{"?page_token=abc", "abc"},
             row{"https://x.example/?page_token=eyJ==", "eyJ=="},
             row{"https://x.example/?page_token=a%252Fb", "a%2Fb"},
             row{"https://x.example/?page_token=a%2Bb", "a+b"},
             row{"https://x.example/?page_token=a+b", "a b"},
             row{"https://x.example/?page_token=a%26page_token%3Db", "a&page_token=b"},
             row{"https://x.example/?page_token=%C3%BC", "\xc3\xbc"},
             row{"https://x.example/?page%5Ftoken=abc", "abc"},
             row{"https://x.example/?page_token=&page_token=abc", "abc"},
         })
    {
        CAPTURE(link);
        CHECK(core::page_token(link) == std::string(token));
    }
}

TEST_CASE("a link without a token has none (vector 3)")
{
    for (std::string_view const link : {
             "",
             "https://x.example/iam/v2/ip-groups",
             "https://x.example/iam/v2/ip-groups?",
             "https://x.example/iam/v2/ip-groups?page_token",
             "https://x.example/iam/v2/ip-groups?page_token=",
             "https://x.example/iam/v2/ip-groups?page_size=10",
             "https://x.example/iam/v2/ip-groups?Page_Token=abc",
             "https://x.example/iam/v2/ip-groups?my_page_token=abc",
             "https://x.example/iam/v2/ip-groups#page_token=abc",
             "https://x.example/page_token=abc",
             "page_token=abc",
             "not a URL",
             "https://x.example/?page_token=a b",
             "https://x.example/?page_token=%zz",
             "https://x.example/?page_token=%4",
             "://?page_token=abc",
         })
    {
        CAPTURE(link);
        CHECK(core::page_token(link) == std::nullopt);
    }
}

TEST_CASE("a token is remembered for ever, by itself or beyond ten thousand by its hash (P5)")
{
    core::page_memory seen;
    constexpr int many = 25'000;
    int fresh = 0;
    for (int i = 0; i < many; ++i)
        fresh += seen.insert("token-" + std::to_string(i));
    CHECK(fresh == many);
    int again = 0;
    for (int i = 0; i < many; ++i)
        again += seen.insert("token-" + std::to_string(i));
    CHECK(again == 0);
    CHECK(seen.insert("token"));
    CHECK(!seen.insert("token"));
}

TEST_CASE("a cycle of two pages is a repetition too (P5)")
{
    core::page_memory seen;
    CHECK(seen.insert("A"));
    CHECK(seen.insert("B"));
    CHECK(!seen.insert("A"));
}
