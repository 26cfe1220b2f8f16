#include "core/utf8.hpp"
#include "core/writer.hpp"
#include "endpoint.hpp"
#include "printers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

using ccloud::method;
using ccloud::plan;
using ccloud::planned_request;
using ccloud::core::json_object;

namespace {

planned_request with_id(std::string_view id)
{
    return plan(method::get).path("/iam/v2/ip-groups").segment("id", id);
}

planned_request with_parameter(std::string_view value)
{
    return plan(method::get).path("/x").query("filter", value).query("page_size", "100");
}

/** Undoes percent-encoding, as a server does. */
std::string decoded(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (text[i] == '%')
        {
            out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
            i += 2;
        }
        else
            out += text[i];
    return out;
}

} // namespace

TEST_CASE("a request is built from its path, ids and parameters")
{
    planned_request const made = plan(method::patch)
                                     .path("/iam/v2/identity-providers")
                                     .segment("provider_id", "op-1")
                                     .path("/identity-pools")
                                     .segment("id", "pool 1")
                                     .query("spec.name", "a&b=c")
                                     .filled_query("none", "")
                                     .filled_query("token", "eyJ==")
                                     .body(json_object());
    CHECK(made.refusal.empty());
    CHECK(made.request.verb() == method::patch);
    CHECK(
        made.request.target() ==
        "/iam/v2/identity-providers/op-1/identity-pools/pool%201?spec.name=a%26b%3Dc&token=eyJ%3D%3D"
    );
    CHECK(made.request.body() == "{}");
    CHECK(made.request.headers().text() == "Content-Type: application/json\r\n");
}

TEST_CASE("a request without a body has no Content-Type")
{
    planned_request const made = plan(method::del).path("/x");
    CHECK(made.request.headers().empty());
    CHECK(made.request.target() == "/x");
}

TEST_CASE("all that is planned may be sent twice, but for a POST (I1)")
{
    for (auto const verb : {method::get, method::post, method::patch, method::put, method::del})
    {
        CAPTURE(verb);
        planned_request const made = plan(verb).path("/x");
        CHECK(made.request.replayable() == (verb != method::post));
    }
}

TEST_CASE("an id that could change the path or the request line is refused by name")
{
    for (std::string_view const id :
         {std::string_view(""), std::string_view("a/b"), std::string_view("/"), std::string_view("."),
          std::string_view(".."), std::string_view("a..b"), std::string_view("a\r\nHost: x"), std::string_view("a\n"),
          std::string_view("a\0b", 3), std::string_view("\x7f"), std::string_view("\t")})
    {
        CAPTURE(id);
        auto const made = with_id(id);
        CHECK(made.refusal.starts_with("id must not "));
    }
}

TEST_CASE("an id, a parameter or a body that is not UTF-8 is refused by name (RFC 8259 section 8.1)")
{
    CHECK(with_id("a\xff").refusal == "id must be UTF-8");
    CHECK(with_id("Z\xc3\xbcrich").refusal.empty());
    CHECK(with_parameter("\xed\xa0\xbd").refusal == "filter must be UTF-8");
    planned_request const required = plan(method::post).path("/x").require("environment", "\xc3");
    CHECK(required.refusal == "environment must be UTF-8");
    planned_request const filled = plan(method::post).path("/x").filled_query("owner", "\x80");
    CHECK(filled.refusal == "owner must be UTF-8");
    planned_request const written = plan(method::post).path("/x").body(json_object().member("name", "\xff"));
    CHECK(written.refusal == "name must be UTF-8");
}

TEST_CASE("the first refusal is the one that is told")
{
    planned_request const made =
        plan(method::get).segment("provider_id", "").require("environment", "").segment("id", "a/b");
    CHECK(made.refusal == "provider_id must not be empty");
    planned_request const required = plan(method::get).path("/x").require("environment", "").segment("id", "..");
    CHECK(required.refusal == "environment must not be empty");
    planned_request const fine = plan(method::get).path("/x").require("environment", "env-1");
    CHECK(fine.refusal.empty());
}

TEST_CASE("no byte of an id or a value can leave its place")
{
    for (int first = 0; first < 256; ++first)
        for (std::string_view const rest : {"", "x", "%2e%2e", "/../", "?a=b", "#", "\r\nX: y", " HTTP/1.1"})
        {
            CAPTURE(first);
            CAPTURE(rest);
            auto const text = std::string(1, static_cast<char>(first)).append(rest);

            auto const by_id = with_id(text);
            auto const& target = by_id.request.target();
            if (by_id.refusal.empty())
            {
                CHECK(ccloud::core::is_target(target));
                CHECK(std::count(target.begin(), target.end(), '/') == 4);
                CHECK(target.find_first_of("?#&\\") == std::string::npos);
                CHECK(decoded(target.substr(target.rfind('/') + 1)) == text);
            }

            auto const by_value = with_parameter(text);
            auto const& query = by_value.request.target();
            CHECK(by_value.refusal.empty() == ccloud::core::is_utf8(text));
            CHECK(ccloud::core::is_target(query));
            CHECK(std::count(query.begin(), query.end(), '&') == 1);
            CHECK(std::count(query.begin(), query.end(), '=') == 2);
            CHECK(std::count(query.begin(), query.end(), '?') == 1);
            CHECK(std::count(query.begin(), query.end(), '/') == 1);
            CHECK(query.ends_with("&page_size=100"));
            CHECK(decoded(query.substr(10, query.size() - 24)) == text);
        }
}
