/*  Blocks of header fields, compared with a list of pairs.

    Every line of an input is an operation: a letter that chooses it, a name, a colon and a value. "\r" and "\n" in a
    name or a value are written as "\x01" and "\x02". For a capital letter the value is a view into the block itself. */

#include <ccloud/http.hpp>

#include "fuzz_input.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using ccloud::http_headers;
using fuzz::require;

namespace {

using field = std::pair<std::string, std::string>;

char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool same_name(std::string_view a, std::string_view b)
{
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

/** The expected content of a block. */
struct model
{
    std::vector<field> fields;
    std::optional<std::string> refused;

    static bool is_token(std::string_view name)
    {
        constexpr std::string_view allowed =
            "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        return !name.empty() && name.find_first_not_of(allowed) == std::string_view::npos;
    }

    static bool is_value(std::string_view value)
    {
        return std::none_of(value.begin(), value.end(), [](char c) {
            return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
        });
    }

    void add(std::string name, std::string value)
    {
        if (!is_token(name) || !is_value(value))
        {
            if (!refused)
                refused = name.empty() ? "(empty name)" : name;
            return;
        }
        auto const blank = [](char c) { return c == ' ' || c == '\t'; };
        while (!value.empty() && blank(value.back()))
            value.pop_back();
        value.erase(value.begin(), std::find_if_not(value.begin(), value.end(), blank));
        fields.emplace_back(std::move(name), std::move(value));
    }

    void remove(std::string_view name)
    {
        std::erase_if(fields, [&](field const& each) { return same_name(each.first, name); });
    }

    std::optional<std::string> find(std::string_view name) const
    {
        for (auto const& [other, value] : fields)
            if (same_name(other, name))
                return value;
        return std::nullopt;
    }
};

void compare(http_headers const& block, model const& expected, std::string_view name)
{
    std::string text;
    std::vector<field> fields;
    block.for_each([&](std::string_view each, std::string_view value) { fields.emplace_back(each, value); });
    require(fields == expected.fields, "a block has the fields that were put into it, in order", block.text());
    for (auto const& [each, value] : expected.fields)
        text += each + ": " + value + "\r\n";
    require(block.text() == text, "a block is as it goes over the wire (RFC 9112 section 5)", block.text());
    require(block.empty() == text.empty(), "an empty block has no text", block.text());
    auto const found = block.find(name);
    auto const wanted = expected.find(name);
    require(found == wanted && block.contains(name) == found.has_value(), "the first field of a name is found", name);
    require(block.well_formed() == !expected.refused, "what is refused is remembered", block.text());
    require(block.refused() == expected.refused.value_or(""), "the first name is remembered", block.refused());
}

std::string unescaped(std::string_view text)
{
    std::string other(text);
    std::replace(other.begin(), other.end(), '\x01', '\r');
    std::replace(other.begin(), other.end(), '\x02', '\n');
    return other;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    fuzz::input input(data, size);
    http_headers block;
    model expected;
    while (!input.empty())
    {
        auto const line = input.line();
        auto const operation = line.substr(0, 1);
        auto const text = unescaped(line.substr(std::min<std::size_t>(1, line.size())));
        auto const colon = std::min(text.find(':'), text.size());
        fuzz::exact_copy const name(std::string_view(text).substr(0, colon));
        fuzz::exact_copy const value(std::string_view(text).substr(std::min(colon + 1, text.size())));
        auto const own = block.find(value.view());
        std::string const copy(own.value_or(""));
        std::string const added(name.view());
        if (operation == "s")
        {
            block.set(name.view(), value.view());
            expected.remove(added);
            expected.add(added, std::string(value.view()));
        }
        else if (operation == "S" && own)
        {
            block.set(name.view(), *own);
            expected.remove(added);
            expected.add(added, copy);
        }
        else if (operation == "A" && own)
        {
            block.add(name.view(), *own);
            expected.add(added, copy);
        }
        else if (operation == "N" && own)
        {
            block.set(*own, value.view());
            expected.remove(copy);
            expected.add(copy, std::string(value.view()));
        }
        else if (operation == "r")
        {
            block.remove(name.view());
            expected.remove(added);
        }
        else if (operation == "p")
        {
            http_headers other;
            other.add(name.view(), value.view());
            block.append(other);
            expected.add(added, std::string(value.view()));
        }
        else if (operation == "P")
        {
            block.append(block);
            auto const fields = expected.fields;
            expected.fields.insert(expected.fields.end(), fields.begin(), fields.end());
            if (block.text().size() > 256)
                block.clear(), expected = {};
        }
        else
        {
            block.add(name.view(), value.view());
            expected.add(added, std::string(value.view()));
        }
        compare(block, expected, name.view());
    }
    return 0;
}
