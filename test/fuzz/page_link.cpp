/*  Page links: another reader finds the same token, and a token that was put into a link is found again.

    The first byte of an input chooses: a link; or the length of a token, followed by the token, the text before the
    query, and the text after the token. */

#include "core/cursor.hpp"
#include "core/url.hpp"
#include "fuzz_input.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace core = ccloud::core;
using fuzz::require;

namespace {

/** Decodes one name or value of a form (WHATWG URL section 5.1, but refuses a "%" without two digits). */
std::optional<std::string> decoded(std::string_view text)
{
    constexpr std::string_view digits = "0123456789abcdef0123456789ABCDEF";
    std::string bytes;
    for (std::size_t i = 0; i < text.size(); ++i)
    {
        if (text[i] == '+')
            bytes += ' ';
        else if (text[i] != '%')
            bytes += text[i];
        else
        {
            if (i + 2 >= text.size())
                return std::nullopt;
            auto const high = digits.find(text[i + 1]), low = digits.find(text[i + 2]);
            if (high == std::string_view::npos || low == std::string_view::npos)
                return std::nullopt;
            bytes += static_cast<char>(static_cast<unsigned char>(high % 16 * 16 + low % 16));
            i += 2;
        }
    }
    return bytes;
}

/** The first token in a link that is not empty; an empty text if there are empty ones only. The query is found by RFC
    3986 section 3.4. White space after the link is ignored. */
std::optional<std::string> token_of(std::string_view link)
{
    std::size_t size = link.size();
    while (size > 0 && link[size - 1] >= 0 && link[size - 1] <= ' ')
        --size;
    link = link.substr(0, size);
    bool in_query = false, in_value = false;
    std::optional<std::string> last;
    std::string name, value;
    for (std::size_t i = 0;; ++i)
    {
        bool const end = i == link.size() || link[i] == '#';
        if (end || (in_query && link[i] == '&'))
        {
            if (in_value && decoded(name) == "page_token")
            {
                last = "";
                for (char const c : value)
                    if (c <= 0x20 || c >= 0x7f)
                        return std::nullopt;
                if (!value.empty())
                    return decoded(value);
            }
            if (end)
                return last;
            in_value = false;
            name.clear();
            value.clear();
        }
        else if (!in_query)
            in_query = link[i] == '?';
        else if (in_value)
            value += link[i];
        else if (link[i] == '=')
            in_value = true;
        else
            name += link[i];
    }
}

void check_link(std::string_view link)
{
    fuzz::exact_copy const copy(link);
    require(core::page_token(copy.view()) == token_of(link), "the token is in the query", link);
}

void check_round_trip(std::string_view token, std::string_view before, std::string_view after)
{
    std::string link(before);
    link += link.find('?') == std::string::npos ? '?' : '&';
    link += "page_token=";
    core::append_encoded(link, token);
    link.append("&").append(after);
    check_link(link);
    // Does not hold if the query has an earlier token, or if there is a fragment.
    bool const only = before.find_first_of("#?") == std::string_view::npos;
    require(!only || token.empty() || core::page_token(link) == token, "a token comes back as it was", link);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    fuzz::input input(data, size);
    auto const length = input.byte();
    if (length % 2 == 0)
    {
        check_link(input.rest());
        return 0;
    }
    auto const token = input.take(length / 2);
    auto const before = input.line();
    check_round_trip(token, before, input.rest());
    return 0;
}
