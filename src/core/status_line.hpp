#ifndef CCLOUD_CORE_STATUS_LINE_HPP
#define CCLOUD_CORE_STATUS_LINE_HPP

#include "core/ascii.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace ccloud::core {

/** The part of a status line before the status code; "0" stands for any digit. */
inline constexpr std::string_view before_status_code = "HTTP/1.0 ";

/** Whether `text` begins with a status line of HTTP/1 (RFC 9112 section 4), or is the beginning of one. */
inline bool begins_like_status_line(std::string_view text) noexcept
{
    constexpr std::string_view form = "HTTP/1.0 000"; // 0 stands for any digit
    auto const fits = [](char c, char expected) { return expected == '0' ? is_digit(c) : c == expected; };
    auto const common = (std::min)(text.size(), form.size());
    return std::equal(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(common), form.begin(), fits) &&
           (text.size() <= form.size() || std::string_view(" \r\n").find(text[form.size()]) != std::string_view::npos);
}

} // namespace ccloud::core

#endif
