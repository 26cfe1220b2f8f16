#include "net/gzip.hpp"

#include "fixture.hpp"
#include "printers.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace net = ccloud::net;

namespace {

constexpr std::size_t plenty = 1 << 20;

std::string bytes(std::string_view hex)
{
    auto const digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    std::string text;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        text += static_cast<char>(digit(hex[i]) << 4 | digit(hex[i + 1]));
    return text;
}

std::string const content = R"({"id":"ipg-1"})";

// Made by gzip and zlib; each holds `content`.
std::string const header = bytes("1f8b0800000000000203");
std::string const deflated = bytes("ab56ca4c51b252ca2c48d73554aa0500");
std::string const trailer = bytes("375c35790e000000");
std::string const plain = header + deflated + trailer;
std::string const stored = header + bytes("010e00f1ff7b226964223a226970672d31227d") + trailer;
std::string const all_fields = // FEXTRA, FNAME, FCOMMENT, FHCRC
    bytes("1f8b081e00000000020306006162020078796f6e652e6a736f6e0063002298") + deflated + trailer;
std::string const empty = header + bytes("03000000000000000000");

/** A hundred thousand times "a". */
std::string many()
{
    return header + bytes("edc13101000000c2a0aceb5fc21a1e4001") + std::string(96, '\0') + bytes("af0687fae21ba0860100");
}

std::string with_flags(unsigned char flags, std::string_view fields)
{
    auto member = header;
    member[3] = static_cast<char>(flags);
    return member.append(fields).append(deflated).append(trailer);
}

} // namespace

TEST_CASE("gzip is known by its first two bytes")
{
    CHECK(net::looks_like_gzip(plain));
    CHECK(net::looks_like_gzip("\x1f\x8b"));
    CHECK(!net::looks_like_gzip("\x1f"));
    CHECK(!net::looks_like_gzip(""));
    CHECK(!net::looks_like_gzip(content));
}

TEST_CASE("a member is inflated, whatever its header holds")
{
    CHECK(net::gunzip(plain, plenty) == content);
    CHECK(net::gunzip(stored, plenty) == content);
    CHECK(net::gunzip(all_fields, plenty) == content);
    CHECK(net::gunzip(empty, plenty) == "");
    CHECK((net::gunzip(many(), plenty) == std::string(100'000, 'a')));
    CHECK(net::gunzip(with_flags(1, ""), plenty) == content);
    CHECK(net::gunzip(with_flags(4, std::string_view("\x03\0abc", 5)), plenty) == content);
    CHECK(net::gunzip(with_flags(4, std::string_view("\0\0", 2)), plenty) == content);
    CHECK(net::gunzip(with_flags(8, std::string_view("a.json\0", 7)), plenty) == content);
    CHECK(net::gunzip(with_flags(16, std::string_view("\0", 1)), plenty) == content);
}

TEST_CASE("an error that was compressed without saying so is read (vector 17)")
{
    auto const read = net::gunzip(support::fixture("errors/k_gzip_without_header.json.gz"), plenty);
    CHECK(read == support::fixture("errors/k_before_gzip.json"));
}

TEST_CASE("the limit is for the content")
{
    CHECK(net::gunzip(plain, content.size()) == content);
    CHECK(net::gunzip(plain, content.size() - 1) == std::nullopt);
    CHECK(net::gunzip(plain, 1) == std::nullopt);
    CHECK(net::gunzip(plain, 0) == std::nullopt);
    CHECK(net::gunzip(empty, 0) == "");
    CHECK(net::gunzip(many(), 100'000).has_value());
    for (std::size_t const most : {0u, 1u, 16'383u, 16'384u, 16'385u, 32'768u, 65'536u, 99'999u})
    {
        CAPTURE(most);
        CHECK(net::gunzip(many(), most) == std::nullopt);
    }
}

TEST_CASE("a limit may be so great that it is none")
{
    CHECK(net::gunzip(plain, std::numeric_limits<std::size_t>::max()) == content);
}

TEST_CASE("a member that is cut short gives nothing")
{
    for (auto const& member : {plain, stored, all_fields, empty, many()})
    {
        CAPTURE(member.size());
        for (std::size_t length = 0; length < member.size(); ++length)
        {
            CAPTURE(length);
            CHECK(net::gunzip(std::string_view(member).substr(0, length), plenty) == std::nullopt);
        }
    }
}

TEST_CASE("a member with any one bit flipped gives nothing, or what it held")
{
    for (auto const& member : {plain, stored, all_fields})
        for (std::size_t bit = 0; bit < member.size() * 8; ++bit)
        {
            CAPTURE(bit);
            auto damaged = member;
            damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
            auto const read = net::gunzip(damaged, plenty);
            CHECK((!read || *read == content));
        }
}

TEST_CASE("a member followed by anything gives nothing")
{
    CHECK(net::gunzip(plain + 'x', plenty) == std::nullopt);
    CHECK(net::gunzip(plain + '\0', plenty) == std::nullopt);
    CHECK(net::gunzip(plain + plain, plenty) == std::nullopt);
    CHECK(net::gunzip(plain + trailer, plenty) == std::nullopt);
}

TEST_CASE("a header that is not right gives nothing")
{
    auto other_method = plain;
    other_method[2] = 7;
    CHECK(net::gunzip(other_method, plenty) == std::nullopt);
    for (int const reserved : {0x20, 0x40, 0x80})
        CHECK(net::gunzip(with_flags(static_cast<unsigned char>(reserved), ""), plenty) == std::nullopt);
    CHECK(net::gunzip(with_flags(4, "\xff\xff"), plenty) == std::nullopt);
    CHECK(net::gunzip(header + bytes("0400") + deflated, plenty) == std::nullopt);
    CHECK(net::gunzip("\x1f\x8b", plenty) == std::nullopt);
    CHECK(net::gunzip("", plenty) == std::nullopt);
    CHECK(net::gunzip(content, plenty) == std::nullopt);
}
