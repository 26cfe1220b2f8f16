#include <ccloud/timestamp.hpp>

#include "core/ascii.hpp"

#include <cstdio>

namespace ccloud {

namespace {

/** Takes fixed-width numbers and separators off the front of a text. */
class scanner
{
public:
    explicit scanner(std::string_view text) noexcept : rest_(text) {}

    int number(std::size_t width) noexcept
    {
        auto const value = core::parse_digits(rest_.substr(0, width));
        if (rest_.size() < width || !value)
        {
            failed_ = true;
            return 0;
        }
        rest_.remove_prefix(width);
        return static_cast<int>(*value);
    }

    bool take(std::string_view one_of) noexcept
    {
        if (rest_.empty() || one_of.find(rest_.front()) == std::string_view::npos)
            return false;
        taken_ = rest_.front();
        rest_.remove_prefix(1);
        return true;
    }

    void expect(std::string_view one_of) noexcept { failed_ = !take(one_of) || failed_; }

    /** Digits of a fraction as nanoseconds. */
    std::chrono::nanoseconds fraction() noexcept
    {
        std::int64_t value = 0;
        int digits = 0;
        for (; !rest_.empty() && core::is_digit(rest_.front()); rest_.remove_prefix(1), ++digits)
            if (digits < 9)
                value = value * 10 + (rest_.front() - '0');
        failed_ = failed_ || digits == 0;
        for (int scale = digits; scale < 9; ++scale)
            value *= 10;
        return std::chrono::nanoseconds(value);
    }

    char taken() const noexcept { return taken_; }
    bool done() const noexcept { return rest_.empty() && !failed_; }

private:
    std::string_view rest_;
    char taken_ = 0;
    bool failed_ = false;
};

} // namespace

std::optional<timestamp> parse_timestamp(std::string_view text) noexcept
{
    using namespace std::chrono;
    scanner scan(text);
    int const y = scan.number(4);
    scan.expect("-");
    int const m = scan.number(2);
    scan.expect("-");
    int const d = scan.number(2);
    scan.expect("Tt");
    int const hour = scan.number(2);
    scan.expect(":");
    int const minute = scan.number(2);
    scan.expect(":");
    int const second = scan.number(2);
    nanoseconds const fraction = scan.take(".") ? scan.fraction() : nanoseconds(0);
    minutes offset{};
    scan.expect("Zz+-");
    if (scan.taken() == '+' || scan.taken() == '-')
    {
        int const sign = scan.taken() == '-' ? -1 : 1;
        int const offset_hours = scan.number(2);
        scan.expect(":");
        int const offset_minutes = scan.number(2);
        if (offset_hours > 23 || offset_minutes > 59)
            return std::nullopt;
        offset = sign * (hours(offset_hours) + minutes(offset_minutes));
    }
    year_month_day const date{year(y), month(static_cast<unsigned>(m)), day(static_cast<unsigned>(d))};
    // 64-bit nanoseconds reach from 1677-09 to 2262-04.
    if (!scan.done() || !date.ok() || y < 1678 || y > 2261 || hour > 23 || minute > 59 || second > 60)
        return std::nullopt;
    return sys_days(date) + hours(hour) + minutes(minute) + seconds(second) + fraction - offset;
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
