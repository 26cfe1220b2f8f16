// Gzip made by zlib. Every length up to 200,000 at every level is tried by test/long/gzip_lengths.cpp.
#include "net/gzip.hpp"

#include "deflated.hpp"
#include "gunzip.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace {

constexpr std::size_t longest = 200'000;

/** The lengths from 0 to `longest` that are next to a multiple of the sizes by which buffers grow, and some between. */
std::size_t after(std::size_t length)
{
    auto const place = length % (16 * 1024);
    return length + (place < 24 || place >= 16 * 1024 - 300 ? 1 : 211);
}

} // namespace

TEST_CASE("RFC 1952: valid gzip of any length is inflated, at every level, and near each buffer size")
{
    auto const text = support::page_text(longest);
    for (int level = 0; level <= 9; ++level)
        for (std::size_t length = 0; length <= longest; length = level % 5 == 1 ? after(length) : length + 1'237)
        {
            auto const content = std::string_view(text).substr(0, length);
            auto const inflated = support::gunzip(support::deflated(content, level), longest);
            CAPTURE(level);
            CAPTURE(length);
            REQUIRE((inflated && *inflated == content));
        }
}

TEST_CASE("RFC 1951: each kind of block is inflated: stored, with fixed and with dynamic codes")
{
    std::string const patterns[] = {
        support::noise(70'000), std::string(70'000, 'a'), support::page_text(70'000),
        support::noise(300) + std::string(300, 'b')};
    for (auto const& content : patterns)
        for (int const strategy : {Z_DEFAULT_STRATEGY, Z_HUFFMAN_ONLY, Z_RLE, Z_FIXED, Z_FILTERED})
            for (int const level : {0, 1, 6, 9})
            {
                CAPTURE(strategy);
                CAPTURE(level);
                CHECK((support::gunzip(support::deflated(content, level, strategy), longest) == content));
            }
}

TEST_CASE("content of many slices is inflated correctly, with members that end anywhere in a slice")
{
    auto const text = support::page_text(3'000'000) + support::noise(500'000);
    constexpr std::size_t plenty = 16 * 1024 * 1024;
    for (int const level : {0, 1, 6})
    {
        CAPTURE(level);
        CHECK((support::gunzip(support::deflated(text, level), plenty) == text));
        std::string members;
        for (std::size_t at = 0, size = 1; at < text.size(); at += size, size = size * 3 % 400'009)
            members += support::deflated(std::string_view(text).substr(at, size), level);
        CHECK((support::gunzip(members, plenty) == text));
        CHECK(!support::gunzip(members, text.size() - 1));
    }
}

TEST_CASE("a body that is cut anywhere, or has a flipped bit, is refused or gives its original content")
{
    auto const text = support::page_text(3'000);
    auto const body = support::deflated(text, 6);
    for (std::size_t length = 0; length < body.size(); ++length)
        CHECK(!support::gunzip(body.substr(0, length), longest));
    for (std::size_t bit = 0; bit < body.size() * 8; ++bit)
    {
        auto damaged = body;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
        auto const inflated = support::gunzip(damaged, longest);
        CHECK((!inflated || *inflated == text));
    }
}
