#include "core/ip_address.hpp"

#include "core/ascii.hpp"

#include <algorithm>

namespace ccloud::core {

std::optional<ip_address> ip_address::parse(std::string_view text) noexcept
{
    ip_address read;
    bool const whole = text.find(':') == std::string_view::npos ? read.read_v4(text) : read.read_v6(text);
    return whole ? std::optional(read) : std::nullopt;
}

bool ip_address::is_loopback() const noexcept
{
    if (size_ == v4_size)
        return bytes_[0] == 127;
    return std::all_of(bytes_.begin(), bytes_.end() - 1, [](char byte) { return byte == 0; }) && bytes_.back() == 1;
}

/** Appends four numbers from 0 to 255. */
bool ip_address::read_v4(std::string_view text) noexcept
{
    constexpr std::size_t longest_number = 3;
    for (int number = 0; number < 4; ++number)
    {
        auto const digits = text.substr(0, text.find('.'));
        auto const value = parse_digits(digits);
        bool const well_formed = digits.size() <= longest_number && (digits.size() == 1 || !digits.starts_with('0'));
        if (!value || !well_formed || *value > 255)
            return false;
        append(static_cast<unsigned>(*value));
        text.remove_prefix(digits.size());
        if (number < 3 && !text.starts_with('.'))
            return false;
        text.remove_prefix(number < 3 ? 1 : 0);
    }
    return text.empty();
}

/** Reads eight groups of hexadecimal digits. "::" stands for one or more groups of zeros, and an IPv4 address may take
    the place of the last two groups. */
bool ip_address::read_v6(std::string_view text) noexcept
{
    constexpr std::size_t longest_group = 4;
    std::optional<std::size_t> gap; // the position of "::"
    if (text.starts_with("::"))
    {
        gap = 0;
        text.remove_prefix(2);
    }
    while (!text.empty())
    {
        auto const group = text.substr(0, text.find(':'));
        bool const last = group.size() == text.size();
        if (last && group.find('.') != std::string_view::npos)
        {
            if (size_ + v4_size > v6_size || !read_v4(group))
                return false;
            break;
        }
        if (group.empty() || group.size() > longest_group || size_ == v6_size)
            return false;
        unsigned value = 0;
        for (char const c : group)
        {
            auto const digit = hex_digit(c);
            if (!digit)
                return false;
            value = value << 4 | *digit;
        }
        append(value >> 8);
        append(value & 0xff);
        if (last)
            break;
        text.remove_prefix(group.size() + 1);
        if (text.starts_with(':') && !gap)
        {
            gap = size_;
            text.remove_prefix(1);
        }
        else if (text.empty()) // a single colon at the end
            return false;
    }
    if (!gap)
        return size_ == v6_size;
    if (size_ == v6_size)
        return false;
    // The groups after the gap move to the end. The bytes between become zero.
    auto const start = bytes_.begin() + static_cast<std::ptrdiff_t>(*gap);
    auto const end = bytes_.begin() + static_cast<std::ptrdiff_t>(size_);
    auto const moved = std::move_backward(start, end, bytes_.end());
    std::fill(start, moved, '\0');
    size_ = v6_size;
    return true;
}

} // namespace ccloud::core
