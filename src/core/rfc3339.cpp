#include <ccloud/timestamp.hpp>

#include "core/ascii.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace ccloud {

namespace {

/** The number of two digits. */
constexpr int two_digits(char const* text) noexcept
{
    return (text[0] - '0') * 10 + (text[1] - '0');
}

/** Whether `text`, of the same size, has at each place a character from `lowest` to `highest`, which are ASCII. Compares
    eight places at a time: the addition sets the high bit of a byte above `highest`, and the subtraction that of one
    below `lowest`. Their carries change only places after such a byte. */
template <std::size_t Size>
bool is_between(char const* text, char const (&lowest)[Size], char const (&highest)[Size]) noexcept
{
    constexpr std::size_t places = Size - 1;
    constexpr std::uint64_t high_bits = 0x8080808080808080;
    static_assert(places >= sizeof high_bits);
    auto const eight_at = [](char const* from) {
        std::uint64_t bytes = 0;
        std::memcpy(&bytes, from, sizeof bytes);
        return bytes;
    };
    std::uint64_t outside = 0;
    for (std::size_t next = 0; next < places; next += sizeof outside)
    {
        auto const at = (std::min)(next, places - sizeof outside); // the last eight may overlap those before
        auto const bytes = eight_at(text + at);
        outside |= bytes | (bytes + (~high_bits - eight_at(highest + at))) | (bytes - eight_at(lowest + at));
    }
    return (outside & high_bits) == 0;
}

/** Takes the digits of a fraction off the front, as nanoseconds; what is finer is dropped. */
std::optional<std::chrono::nanoseconds> take_fraction(std::string_view& text) noexcept
{
    static constexpr std::array<std::int64_t, 10> units{1'000'000'000, 100'000'000, 10'000'000, 1'000'000, 100'000,
                                                        10'000,        1'000,       100,        10,        1};
    std::int64_t value = 0;
    std::size_t digits = 0;
    for (; digits < units.size() - 1 && digits < text.size() && core::is_digit(text[digits]); ++digits)
        value = value * 10 + (text[digits] - '0');
    if (digits == 0)
        return std::nullopt;
    auto const unit = units[digits];
    while (digits < text.size() && core::is_digit(text[digits]))
        ++digits;
    text.remove_prefix(digits);
    return std::chrono::nanoseconds(value * unit);
}

/** The offset of "Z" or "+hh:mm". */
std::optional<std::chrono::minutes> read_offset(std::string_view text) noexcept
{
    if (text.size() == 1 && core::to_lower(text[0]) == 'z')
        return std::chrono::minutes(0);
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-'))
        return std::nullopt;
    char const padded[] = {text[1], text[2], text[3], text[4], text[5], '0', '0', '0'}; // to eight places
    int const hours = two_digits(padded);
    if (!is_between(padded, "00:00000", "29:59000") || hours > 23)
        return std::nullopt;
    auto const distance = std::chrono::hours(hours) + std::chrono::minutes(two_digits(padded + 3));
    return text[0] == '-' ? -distance : distance;
}

} // namespace

std::optional<timestamp> parse_timestamp(std::string_view text) noexcept
{
    using namespace std::chrono;
    constexpr char lowest[] = "0000-00-00 00:00:00";
    constexpr char highest[] = "9999-19-39t29:59:69"; // at each place; the numbers are checked below
    constexpr std::size_t size = sizeof lowest - 1;
    if (text.size() <= size || !is_between(text.data(), lowest, highest) ||
        (text[10] != 'T' && text[10] != 't' && text[10] != ' '))
        return std::nullopt;
    auto const number = [digits = text.data()](std::size_t place) { return two_digits(digits + place); };
    int const y = number(0) * 100 + number(2);
    int const m = number(5);
    int const d = number(8);
    int const hour = number(11);
    int const minute = number(14);
    int const second = number(17);
    auto rest = text.substr(size);
    std::optional<nanoseconds> fraction(0);
    if (rest.front() == '.')
    {
        rest.remove_prefix(1);
        fraction = take_fraction(rest);
    }
    auto const offset = read_offset(rest);
    year_month_day const date{year(y), month(static_cast<unsigned>(m)), day(static_cast<unsigned>(d))};
    // 64-bit nanoseconds reach from 1677-09 to 2262-04.
    if (!fraction || !offset || !date.ok() || y < 1678 || y > 2261 || hour > 23 || second > 60)
        return std::nullopt;
    return sys_days(date) + hours(hour) + minutes(minute) + seconds(second) + *fraction - *offset;
}

std::string to_string(timestamp when)
{
    using namespace std::chrono;
    // Not by `when - day`: of the first day, only the last part can be told in nanoseconds.
    auto const since_epoch = when.time_since_epoch();
    auto const second = floor<seconds>(since_epoch);
    auto fraction = since_epoch % seconds(1);
    if (fraction < nanoseconds(0))
        fraction += seconds(1);
    auto const day = floor<days>(second);
    year_month_day const date{sys_days(day)};
    hh_mm_ss const clock(second - day);
    char text[64];
    int length = std::snprintf(
        text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%09lld", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
        static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
        static_cast<long long>(fraction.count())
    );
    while (text[length - 1] == '0')
        --length;
    if (text[length - 1] == '.')
        --length;
    return std::string(text, static_cast<std::size_t>(length)) + 'Z';
}

} // namespace ccloud
