#ifndef CCLOUD_CORE_IP_ADDRESS_HPP
#define CCLOUD_CORE_IP_ADDRESS_HPP

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace ccloud::core {

/** An IPv4 or IPv6 address, as its bytes in network order. */
class ip_address
{
public:
    static constexpr std::size_t v4_size = 4;
    static constexpr std::size_t v6_size = 16;

    /** Reads the text of an address, all of it: the dotted decimal form without leading zeros (RFC 3986 section 3.2.2),
        or one of the forms of RFC 4291 section 2.2, without brackets and without a zone. Returns nothing for other
        text. */
    static std::optional<ip_address> parse(std::string_view text) noexcept;

    /** 4 or 16 bytes. */
    std::string_view bytes() const noexcept { return {bytes_.data(), size_}; }

    /** Whether the address is in 127.0.0.0/8, or is ::1. */
    bool is_loopback() const noexcept;

    friend bool operator==(ip_address const&, ip_address const&) = default;

private:
    bool read_v4(std::string_view text) noexcept;
    bool read_v6(std::string_view text) noexcept;
    void append(unsigned byte) noexcept { bytes_[size_++] = static_cast<char>(static_cast<unsigned char>(byte)); }

    std::array<char, v6_size> bytes_{};
    std::size_t size_ = 0;
};

} // namespace ccloud::core

#endif
