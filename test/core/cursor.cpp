#include "core/cursor.hpp"

#include "printers.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

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

TEST_CASE(
    "RFC 3986 section 3.4: a query lies between the first \"?\" and the first \"#\"; a fragment is never part of it"
)
{
    auto const long_fragment = std::string(100'000, 'a');
    for (auto const& link : std::vector<std::string>{
             "x?#", "?#", "#", "#?page_token=abc", "https://x/y?#" + long_fragment, "https://x/y#" + long_fragment,
             "https://x/y?#page_token=abc", "https://x/y?a#&page_token=abc", "https://x/y?page_token#=abc",
             "https://x/y?&#page_token=abc", "https://x/y?=#page_token=abc"})
    {
        CAPTURE(link.substr(0, 60));
        CHECK(core::page_token(link) == std::nullopt);
    }
    CHECK(core::page_token("https://x/y?page_token=#abc") == "");
    CHECK(core::page_token("https://x/y?page_token=#" + long_fragment) == "");
    CHECK(core::page_token("https://x/y?page_token=abc#?page_token=def") == "abc");
    CHECK(core::page_token("https://x/y?page_token=abc#" + long_fragment) == "abc");
    CHECK(core::page_token("https://x/y?page_token=a?b#c") == "a?b");
    CHECK(core::page_token("https://x/y?b?page_token=x&page_token=a") == "a");
}

TEST_CASE("only the query of a page link is read, and only page_token in the query")
{
    struct row
    {
        std::string_view link, token;
    };
    for (auto const& [link, token] : {
             row{"://?page_token=abc", "abc"},
             row{"https://[::1?page_token=abc", "abc"},
             row{"not a URL?page_token=abc", "abc"},
             row{"https://x.example/?x=%zz&page_token=abc", "abc"},
             row{"https://x.example/?%zz=y&page_token=abc", "abc"},
             row{"https://x.example/?x=a b&page_token=abc", "abc"},
             row{"https://x.example/?page_token=abc&x=a b", "abc"},
             row{"https://x.example/a b?page_token=abc#a b", "abc"},
             row{"https://x.example/?x=%&page_token=abc&y=%4", "abc"},
             row{"https://x.example/?x[]=\"a\"&page_token=abc&{y}=<b>|^`\\", "abc"},
             row{"https://x.example/?x=\xc3\xbc&page_token=abc&\xff=y", "abc"},
             row{"https://x.example/?x=\x01\x7f&page_token=abc", "abc"},
             row{"https://x.example:99999/?page_token=abc", "abc"},
             row{"https://x.example/?&&page_token=abc&", "abc"},
             row{"https://x.example/?page_token=a=b=", "a=b="},
             row{"https://x.example/?page_token&page_token=abc", "abc"},
             row{"https://x.example/?page+token=x&page_token=abc", "abc"},
             row{"https://x.example/?page_token=[a]|b", "[a]|b"},
             row{"https://x.example/?page_token=abc ", "abc"}, // WHATWG URL section 4.4: no part of the link
             row{"\n https://x.example/?page_token=abc\r\n", "abc"},
             row{"https://x.example/?page_token=abc#x \t", "abc"},
             row{"https://x.example/?page_token=%00", std::string_view("\0", 1)},
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
             "https://x.example/?page_token=%",
             "https://x.example/?page_token=abc%",
             "https://x.example/?page_token=%4g",
             "https://x.example/?page_token=%zz&page_token=abc",
             "https://x.example/?page_token=a\r\nb",
             "https://x.example/?page_token=a\x7f",
             "https://x.example/?page_token=\xc3\xbc",
         })
    {
        CAPTURE(link);
        CHECK(core::page_token(link) == std::nullopt);
    }
}

TEST_CASE("a link whose page tokens are all empty is the end of a listing, not a link without a token")
{
    for (std::string_view const link :
         {"https://x.example/iam/v2/ip-groups?page_token=", "?page_token=", "?page_token=&page_size=10",
          "?page_size=10&page_token=&page_token=", "?page%5Ftoken=", "?x=a b&page_token=", "?page_token&page_token="})
    {
        CAPTURE(link);
        CHECK(core::page_token(link) == "");
    }
    for (std::string_view const link : {"?page_token", "?page_token%3D", "?page_tokens=", "?page_token=%"})
    {
        CAPTURE(link);
        CHECK(core::page_token(link) == std::nullopt);
    }
}

TEST_CASE("ordinary links are read as Boost.URL reads them")
{
    namespace urls = boost::urls;
    auto const reference = [](std::string const& link) -> std::optional<std::string> {
        std::optional<std::string> end;
        auto const parsed = urls::parse_uri_reference(link);
        if (!parsed)
            return std::nullopt;
        for (auto const param : parsed->encoded_params())
        {
            urls::encoding_opts form;
            form.space_as_plus = true;
            if (param.key.decode() == "page_token" && param.has_value)
            {
                auto token = param.value.decode(form);
                if (!token.empty())
                    return token;
                end.emplace();
            }
        }
        return end;
    };
    std::mt19937 dice(42);
    std::vector<std::string> const parts{"page_token", "page%5ftoken", "page_size", "=", "=", "&", "&", "a", "%2B", "+",
                                         "%26",        "%3d",          "%25",       "?", "/", ":", "@", "~", "Z9",  ""};
    std::vector<std::string> const places{
        "https://api.example/iam/v2/ip-groups", "/iam/v2", "", "//h:1/p", "http://[::1]/"};
    std::size_t with_token = 0;
    for (int round = 0; round < 20'000; ++round)
    {
        auto link = places[dice() % places.size()] + "?x=1&page_token=";
        for (auto count = dice() % 12; count > 0; --count)
            link += parts[dice() % parts.size()];
        link += dice() % 4 == 0 ? "#f" : "";
        auto const expected = reference(link);
        with_token += expected && !expected->empty();
        if (core::page_token(link) != expected)
            FAIL(link);
    }
    CHECK(with_token > 15'000);
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

TEST_CASE("long tokens are remembered in bounded memory, and still distinguished")
{
    core::page_memory seen;
    std::string const start(core::page_memory::most_exact_bytes / 4, 'x');
    for (char last = 'a'; last <= 'l'; ++last)
        CHECK(seen.insert(start + last));
    for (char last = 'a'; last <= 'l'; ++last)
        CHECK(!seen.insert(start + last));
    CHECK(seen.insert("short"));
    CHECK(!seen.insert("short"));
}

TEST_CASE("a cycle of two pages is a repetition too (P5)")
{
    core::page_memory seen;
    CHECK(seen.insert("A"));
    CHECK(seen.insert("B"));
    CHECK(!seen.insert("A"));
}
