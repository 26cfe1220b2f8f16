#include "net/gzip.hpp"

#include "fixture.hpp"
#include "gunzip.hpp"
#include "printers.hpp"

#include <boost/crc.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace net = ccloud::net;
using support::gunzip;

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

net::gzip_reader::state end_of(std::string_view body, std::size_t most)
{
    net::gzip_reader reader(body, most);
    return support::inflate_all(reader);
}

/** A gzip member that consists of stored blocks. */
std::string stored_member(std::string_view text, std::size_t block)
{
    std::string member = header;
    auto const put = [&member](std::uint32_t value, int size) {
        for (int i = 0; i < size; ++i)
            member += static_cast<char>(value >> 8 * i & 255);
    };
    std::size_t at = 0;
    do
    {
        auto const piece = text.substr(at, block);
        at += piece.size();
        member += at == text.size() ? '\1' : '\0';
        put(static_cast<std::uint32_t>(piece.size()), 2);
        put(static_cast<std::uint32_t>(~piece.size()) & 0xffff, 2);
        member.append(piece);
    } while (at < text.size());
    boost::crc_32_type checksum;
    checksum.process_bytes(text.data(), text.size());
    put(checksum.checksum(), 4);
    put(static_cast<std::uint32_t>(text.size()), 4);
    return member;
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
    CHECK(gunzip(plain, plenty) == content);
    CHECK(gunzip(stored, plenty) == content);
    CHECK(gunzip(all_fields, plenty) == content);
    CHECK(gunzip(empty, plenty) == "");
    CHECK((gunzip(many(), plenty) == std::string(100'000, 'a')));
    CHECK(gunzip(with_flags(1, ""), plenty) == content);
    CHECK(gunzip(with_flags(4, std::string_view("\x03\0abc", 5)), plenty) == content);
    CHECK(gunzip(with_flags(4, std::string_view("\0\0", 2)), plenty) == content);
    for (std::size_t const size : {255u, 256u, 257u, 258u, 0x1234u, 0xffffu}) // RFC 1952 section 2.3.1.1: two bytes
    {
        auto extra = std::string{static_cast<char>(size & 255), static_cast<char>(size >> 8)} + std::string(size, 'x');
        CHECK(gunzip(with_flags(4, extra), plenty) == content);
        extra.pop_back();
        CHECK(gunzip(with_flags(4, extra), plenty) == std::nullopt);
    }
    CHECK(gunzip(with_flags(8, std::string_view("a.json\0", 7)), plenty) == content);
    CHECK(gunzip(with_flags(16, std::string_view("\0", 1)), plenty) == content);
}

TEST_CASE("an error that was compressed without saying so is read (vector 17)")
{
    auto const read = gunzip(support::fixture("errors/k_gzip_without_header.json.gz"), plenty);
    CHECK(read == support::fixture("errors/k_before_gzip.json"));
}

TEST_CASE("the limit is for the content")
{
    CHECK(gunzip(plain, content.size()) == content);
    CHECK(gunzip(plain, content.size() - 1) == std::nullopt);
    CHECK(gunzip(plain, 1) == std::nullopt);
    CHECK(gunzip(plain, 0) == std::nullopt);
    CHECK(gunzip(empty, 0) == "");
    CHECK(gunzip(many(), 100'000).has_value());
    for (std::size_t const most : {0u, 1u, 16'383u, 16'384u, 16'385u, 32'768u, 65'536u, 99'999u})
    {
        CAPTURE(most);
        CHECK(gunzip(many(), most) == std::nullopt);
    }
}

TEST_CASE("a limit may be so great that it is none")
{
    CHECK(gunzip(plain, std::numeric_limits<std::size_t>::max()) == content);
}

TEST_CASE("a member that is cut short gives nothing")
{
    for (auto const& member : {plain, stored, all_fields, empty, many()})
    {
        CAPTURE(member.size());
        for (std::size_t length = 0; length < member.size(); ++length)
        {
            CAPTURE(length);
            CHECK(gunzip(std::string_view(member).substr(0, length), plenty) == std::nullopt);
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
            auto const read = gunzip(damaged, plenty);
            CHECK((!read || *read == content));
        }
}

TEST_CASE("a gzip member followed by anything except a member is damaged")
{
    CHECK(gunzip(plain + 'x', plenty) == std::nullopt);
    CHECK(gunzip(plain + '\0', plenty) == std::nullopt);
    CHECK(gunzip(plain + trailer, plenty) == std::nullopt);
    CHECK(gunzip(plain + plain + 'x', plenty) == std::nullopt);
    for (std::size_t length = 1; length < plain.size(); ++length)
        CHECK(gunzip(plain + plain.substr(0, length), plenty) == std::nullopt);
}

TEST_CASE("RFC 1952 section 2.2: members that follow one another are one content, each with its own checksum")
{
    CHECK(gunzip(plain + plain, plenty) == content + content);
    CHECK(gunzip(plain + stored + all_fields + empty + plain, plenty) == content + content + content + content);
    CHECK(gunzip(empty + empty, plenty) == "");
    CHECK(gunzip(empty + plain + empty, plenty) == content);
    CHECK((gunzip(many() + plain + many(), plenty) == std::string(100'000, 'a') + content + std::string(100'000, 'a')));
    for (std::size_t const at : {plain.size() - 8, plain.size() - 4}) // checksum and length of either member
        for (std::size_t const member : {0U, 1U})
        {
            auto damaged = plain + plain;
            damaged[member * plain.size() + at] ^= 1;
            CHECK(end_of(damaged, plenty) == net::gzip_reader::state::damaged);
        }
    CHECK(gunzip(plain + plain, 2 * content.size()) == content + content);
    CHECK(end_of(plain + plain, 2 * content.size() - 1) == net::gzip_reader::state::too_large);
    CHECK(end_of(plain + plain, content.size()) == net::gzip_reader::state::too_large);
}

TEST_CASE("a long body is inflated in slices: of 1 MiB of content, of 64 KiB of input where there is no content")
{
    using state = net::gzip_reader::state;
    auto const slices = [](std::string_view body, std::size_t limit) {
        net::gzip_reader reader(body, limit);
        int count = 1;
        while (reader.inflate_slice() == state::unfinished)
            ++count;
        return count;
    };
    constexpr std::size_t mebi = 1024 * 1024;
    CHECK(slices(plain, plenty) == 1);
    CHECK(slices(many(), plenty) == 1);
    CHECK(slices(stored_member(std::string(60 * 1024, 'x'), 1024), plenty) == 1);
    std::string several; // 2.5 MB of content, in 3,400 bytes
    for (int i = 0; i < 25; ++i)
        several += many();
    CHECK(slices(several, 16 * mebi) == 3);
    auto const blocks = header + [] {
        std::string all; // 40,000 empty blocks
        for (int i = 0; i < 40'000; ++i)
            all.append("\0\0\0\xff\xff", 5);
        return all;
    }() + stored.substr(header.size());
    CHECK(gunzip(blocks, plenty) == content);
    CHECK(slices(blocks, plenty) == 4);
    std::string members;
    for (int i = 0; i < 10'000; ++i)
        members += empty;
    CHECK(gunzip(members, plenty) == "");
    CHECK(slices(members, plenty) == 4);
    auto const large = stored_member(std::string(3 * mebi, 'x'), 60'000);
    CHECK((gunzip(large, 3 * mebi) == std::string(3 * mebi, 'x')));
    CHECK(end_of(large, 3 * mebi - 1) == state::too_large);
    CHECK(slices(large, mebi - 1) < slices(large, 3 * mebi)); // stops at the limit
}

TEST_CASE("a wrong length in the trailer makes a body damaged, and costs no memory")
{
    for (std::uint32_t const told : {0U, 1U, 15U, 100'000U, 0xffffffffU})
    {
        CAPTURE(told);
        auto lying = plain;
        for (std::size_t i = 0; i < 4; ++i)
            lying[lying.size() - 4 + i] = static_cast<char>(told >> 8 * i & 255);
        CHECK(end_of(lying, std::size_t(1) << 40) == net::gzip_reader::state::damaged);
    }
}

TEST_CASE("a header that is not right gives nothing")
{
    auto other_method = plain;
    other_method[2] = 7;
    CHECK(gunzip(other_method, plenty) == std::nullopt);
    for (int const reserved : {0x20, 0x40, 0x80})
        CHECK(gunzip(with_flags(static_cast<unsigned char>(reserved), ""), plenty) == std::nullopt);
    CHECK(gunzip(with_flags(4, "\xff\xff"), plenty) == std::nullopt);
    CHECK(gunzip(header + bytes("0400") + deflated, plenty) == std::nullopt);
    CHECK(gunzip("\x1f\x8b", plenty) == std::nullopt);
    CHECK(gunzip("", plenty) == std::nullopt);
    CHECK(gunzip(content, plenty) == std::nullopt);
}
