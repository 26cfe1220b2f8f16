#include <ccloud/timestamp.hpp>

#include "core/ascii.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

namespace ccloud {

namespace {

/** Reads numbers of two digits that stand at known places. */
class digit_pairs
{
public:
    explicit digit_pairs(char const* text) noexcept : text_(text) {}

    int at(std::size_t place) noexcept
    {
        auto const tens = static_cast<unsigned char>(text_[place] - '0');
        auto const ones = static_cast<unsigned char>(text_[place + 1] - '0');
        odd_ |= static_cast<unsigned>(tens > 9) | static_cast<unsigned>(ones > 9);
        return tens * 10 + ones;
    }

    bool sound() const noexcept { return odd_ == 0; }

private:
    char const* text_;
    unsigned odd_ = 0;
};

/** Takes the digits of a fraction off the front, as nanoseconds; what is finer is dropped. */
std::optional<std::chrono::nanoseconds> take_fraction(std::string_view& text) noexcept
{
    static constexpr std::array<std::int64_t, 10> units{1'000'000'000, 100'000'000, 10'000'000, 1'000'000, 100'000,
                                                        10'000,        1'000,       100,        10,        1};
    std::int64_t value = 0;
    std::size_t digits = 0;
    for (; digits < text.size() && core::is_digit(text[digits]); ++digits)
        if (digits < 9)
            value = value * 10 + (text[digits] - '0');
    if (digits == 0)
        return std::nullopt;
    text.remove_prefix(digits);
    return std::chrono::nanoseconds(value * units[std::min<std::size_t>(digits, 9)]);
}

/** The offset of "Z" or "+hh:mm". */
std::optional<std::chrono::minutes> read_offset(std::string_view text) noexcept
{
    if (text == "Z" || text == "z")
        return std::chrono::minutes(0);
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':')
        return std::nullopt;
    digit_pairs pairs(text.data());
    int const hours = pairs.at(1);
    int const minutes = pairs.at(4);
    if (!pairs.sound() || hours > 23 || minutes > 59)
        return std::nullopt;
    return (text[0] == '-' ? -1 : 1) * (std::chrono::hours(hours) + std::chrono::minutes(minutes));
}

} // namespace

std::optional<timestamp> parse_timestamp(std::string_view text) noexcept
{
    using namespace std::chrono;
    constexpr std::string_view shape = "yyyy-mm-ddThh:mm:ss";
    if (text.size() <= shape.size() || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') ||
        text[13] != ':' || text[16] != ':')
        return std::nullopt;
    digit_pairs pairs(text.data());
    int const y = pairs.at(0) * 100 + pairs.at(2);
    int const m = pairs.at(5);
    int const d = pairs.at(8);
    int const hour = pairs.at(11);
    int const minute = pairs.at(14);
    int const second = pairs.at(17);
    auto rest = text.substr(shape.size());
    std::optional<nanoseconds> fraction(0);
    if (rest.front() == '.')
    {
        rest.remove_prefix(1);
        fraction = take_fraction(rest);
    }
    auto const offset = read_offset(rest);
    year_month_day const date{year(y), month(static_cast<unsigned>(m)), day(static_cast<unsigned>(d))};
    // 64-bit nanoseconds reach from 1677-09 to 2262-04.
    if (!pairs.sound() || !fraction || !offset || !date.ok() || y < 1678 || y > 2261 || hour > 23 || minute > 59 ||
        second > 60)
        return std::nullopt;
    return sys_days(date) + hours(hour) + minutes(minute) + seconds(second) + *fraction - *offset;
}

std::string to_string(timestamp when)
{
    using namespace std::chrono;
    auto const day = floor<days>(when);
    year_month_day const date(day);
    hh_mm_ss const clock(when - day);
    char text[64];
    int length = std::snprintf(
        text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%09lld", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
        static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
        static_cast<long long>(clock.subseconds().count())
    );
    while (text[length - 1] == '0')
        --length;
    if (text[length - 1] == '.')
        --length;
    return std::string(text, static_cast<std::size_t>(length)) + 'Z';
}

} // namespace ccloud
