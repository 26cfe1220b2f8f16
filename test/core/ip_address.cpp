#include "core/ip_address.hpp"

#include "printers.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <optional>
#include <random>
#include <string>
#include <string_view>

using ccloud::core::ip_address;

namespace {

/** The address that the C library reads from a text; nothing if it is not an address. */
std::optional<std::string> reference(std::string const& text)
{
    std::array<char, 16> bytes{};
    if (::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1)
        return std::string(bytes.data(), 4);
    if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1)
        return std::string(bytes.data(), 16);
    return std::nullopt;
}

std::optional<std::string> bytes_of(std::string_view text)
{
    auto const address = ip_address::parse(text);
    return address ? std::optional(std::string(address->bytes())) : std::nullopt;
}

} // namespace

TEST_CASE("RFC 4291 section 2.2: addresses are read as the C library reads them, and nothing else is an address")
{
    for (std::string const text :
         {"0.0.0.0", "255.255.255.255", "127.0.0.1", "::", "::1", "1::", "1::8", "1:2:3:4:5:6:7:8", "::2:3:4:5:6:7:8",
          "1:2:3:4:5:6:7::", "1:2::7:8", "2001:DB8::1", "::ffff:10.0.0.1", "64:ff9b::192.0.2.33", "1:2:3:4:5:6:1.2.3.4",
          "ABCD:ef01:2345:6789:abcd:EF01:2345:6789"})
    {
        CAPTURE(text);
        REQUIRE(reference(text).has_value());
        CHECK(bytes_of(text) == reference(text));
    }
    for (std::string const text :
         {"",
          "1",
          "1.2.3",
          "1.2.3.4.",
          "1.2.3.4.5",
          ".1.2.3",
          "1..2.3",
          "1.2.3.256",
          "1.2.3.999999999999999999999",
          "01.2.3.4",
          "1.2.3.00",
          "1.2.3.-4",
          "1.2.3.+4",
          " 1.2.3.4",
          "1.2.3.4 ",
          "1.2.3.4x",
          "127.0.0.1.example",
          ":",
          ":::",
          "::1::",
          "1::2::3",
          ":1:2:3:4:5:6:7",
          "1:2:3:4:5:6:7:",
          "1:2:3:4:5:6:7",
          "1:2:3:4:5:6:7:8:9",
          "1:2:3:4:5:6:7:8::",
          "::1:2:3:4:5:6:7:8",
          "12345::",
          "g::",
          "::1%eth0",
          "[::1]",
          "::1.2.3",
          "::1.2.3.4:5",
          "1.2.3.4::",
          "1:2:3:4:5:6:7:1.2.3.4",
          "::1.2.3.04",
          "::-1",
          "::+1",
          "::0x1"})
    {
        CAPTURE(text);
        CHECK(!reference(text).has_value());
        CHECK(bytes_of(text) == std::nullopt);
    }
    CHECK(bytes_of(std::string_view("1.2.3.4\0", 8)) == std::nullopt);
}

TEST_CASE("random texts are addresses exactly if the C library accepts them")
{
    std::mt19937 dice(42);
    constexpr std::array<std::string_view, 20> parts{
        ":",  "::", ":",  "0",  "1",   "ff",  "abcd", "12345", ".", "127",
        "10", "01", "::", "1:", "2:3", "4:5", ".255", "256",   "g", "1.2.3.4"};
    std::size_t addresses = 0;
    for (int round = 0; round < 200'000; ++round)
    {
        std::string text;
        for (auto count = 1 + dice() % 9; count > 0; --count)
            text += parts[dice() % parts.size()];
        auto const expected = reference(text);
        addresses += expected.has_value();
        if (bytes_of(text) != expected)
            FAIL(text);
    }
    CHECK(addresses > 1'000);
}

TEST_CASE("loopback addresses are 127.0.0.0/8 and ::1")
{
    for (std::string_view const text : {"127.0.0.0", "127.255.255.255", "::1", "0:0:0:0:0:0:0:1"})
    {
        CAPTURE(text);
        CHECK(ip_address::parse(text)->is_loopback());
    }
    for (std::string_view const text : {"126.255.255.255", "128.0.0.0", "::", "::2", "1::1", "::ffff:127.0.0.1"})
    {
        CAPTURE(text);
        CHECK(!ip_address::parse(text)->is_loopback());
    }
}
