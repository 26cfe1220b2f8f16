/*  Dates of HTTP and of RFC 3339, compared with another reader and another calendar, and written and read again.

    The first byte of an input chooses: a text as RFC 3339; a text as an HTTP-date, after eight bytes with the current
    time; or a time (eight bytes) that is written in every form. */

#include <ccloud/timestamp.hpp>

#include "core/http_date.hpp"
#include "fuzz_input.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace core = ccloud::core;
using fuzz::require;
using std::chrono::nanoseconds;

namespace {

constexpr std::array<char const*, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<char const*, 7> weekdays{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                              "Thursday", "Friday", "Saturday"};

bool is_leap(int year)
{
    return year % 400 == 0 || (year % 4 == 0 && year % 100 != 0);
}

int days_in_year(int year)
{
    return is_leap(year) ? 366 : 365;
}

int days_in_month(int year, int month)
{
    constexpr std::array lengths{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return lengths[static_cast<std::size_t>(month - 1)] + (month == 2 && is_leap(year) ? 1 : 0);
}

/** A point in time as a calendar shows it. */
struct civil
{
    int year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0;
    long long fraction = 0; ///< nanoseconds
    int weekday = 4;

    bool exists() const
    {
        return month >= 1 && month <= 12 && day >= 1 && day <= days_in_month(year, month) && hour <= 23 &&
               minute <= 59 && second <= 60;
    }

    /** Whether 64-bit nanoseconds hold it. */
    bool fits() const { return year >= 1678 && year <= 2261; }

    long long seconds() const
    {
        long long days = day - 1;
        for (int y = 1970; y < year; ++y)
            days += days_in_year(y);
        for (int y = year; y < 1970; ++y)
            days -= days_in_year(y);
        for (int m = 1; m < month; ++m)
            days += days_in_month(year, m);
        return ((days * 24 + hour) * 60 + minute) * 60 + second;
    }

    /** Whether this is later than `other`, without fractions of a second. */
    bool later_than(civil const& other) const
    {
        std::array const mine{year, month, day, hour, minute, second};
        return mine > std::array{other.year, other.month, other.day, other.hour, other.minute, other.second};
    }

    static civil at(long long seconds)
    {
        civil shown;
        auto left = seconds;
        shown.second = take_part(left, 60);
        shown.minute = take_part(left, 60);
        shown.hour = take_part(left, 24);
        auto weeks = left + 4; // the first day of 1970 was a Thursday
        shown.weekday = take_part(weeks, 7);
        for (; left < 0; left += days_in_year(shown.year))
            --shown.year;
        for (; left >= days_in_year(shown.year); ++shown.year)
            left -= days_in_year(shown.year);
        for (; left >= days_in_month(shown.year, shown.month); ++shown.month)
            left -= days_in_month(shown.year, shown.month);
        shown.day = static_cast<int>(left) + 1;
        return shown;
    }

private:
    /** Divides, rounding down, and gives the remainder. */
    static int take_part(long long& number, long long size)
    {
        auto const part = (number % size + size) % size;
        number = (number - part) / size;
        return static_cast<int>(part);
    }
};

/** Reads parts of a text in order. After the first part that does not fit, all further reads fail. */
class scanner
{
public:
    explicit scanner(std::string_view text) : rest_(text) {}

    bool literal(std::string_view expected)
    {
        bool const fits = sound_ && rest_.substr(0, expected.size()) == expected;
        sound_ = fits;
        if (fits)
            rest_ = rest_.substr(expected.size());
        return fits;
    }

    int digits(int count)
    {
        int value = 0;
        for (; count > 0; --count)
        {
            sound_ = sound_ && !rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9';
            if (!sound_)
                return 0;
            value = value * 10 + (rest_[0] - '0');
            rest_ = rest_.substr(1);
        }
        return value;
    }

    int month()
    {
        for (int i = 1; i <= 12 && sound_; ++i)
            if (next(months[static_cast<std::size_t>(i - 1)]))
                return literal(months[static_cast<std::size_t>(i - 1)]) ? i : 0;
        sound_ = false;
        return 0;
    }

    void time(civil& into)
    {
        into.hour = digits(2);
        literal(":");
        into.minute = digits(2);
        literal(":");
        into.second = digits(2);
    }

    bool next(std::string_view expected) const { return sound_ && rest_.substr(0, expected.size()) == expected; }
    bool next_digit() const { return sound_ && !rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9'; }
    bool ended() const { return sound_ && rest_.empty(); }
    bool sound() const { return sound_; }

private:
    std::string_view rest_;
    bool sound_ = true;
};

/** RFC 3339 section 5.6; nanoseconds since 1970. */
std::optional<long long> read_rfc3339(std::string_view text)
{
    scanner scan(text);
    civil date;
    date.year = scan.digits(4);
    scan.literal("-");
    date.month = scan.digits(2);
    scan.literal("-");
    date.day = scan.digits(2);
    scan.literal(scan.next("t") ? "t" : scan.next(" ") ? " " : "T");
    scan.time(date);
    if (scan.next("."))
    {
        scan.literal(".");
        long long unit = 100'000'000;
        do
        {
            date.fraction += scan.digits(1) * unit;
            unit /= 10;
        } while (scan.next_digit());
    }
    int offset = 0;
    if (scan.next("+") || scan.next("-"))
    {
        int const sign = scan.next("+") ? 1 : -1;
        scan.literal(sign > 0 ? "+" : "-");
        int const hours = scan.digits(2);
        scan.literal(":");
        int const minutes = scan.digits(2);
        if (hours > 23 || minutes > 59)
            return std::nullopt;
        offset = sign * (hours * 60 + minutes);
    }
    else
        scan.literal(scan.next("z") ? "z" : "Z");
    if (!scan.ended() || !date.exists() || !date.fits())
        return std::nullopt;
    return (date.seconds() - offset * 60) * 1'000'000'000 + date.fraction;
}

/** The three forms of RFC 9110 section 5.6.7, with "UTC" for "GMT" where a server prefers that; seconds since 1970. */
std::optional<long long> read_http_date(std::string_view text, civil const& now)
{
    for (std::string_view const weekday : weekdays)
    {
        for (bool const spelt_out : {true, false})
        {
            scanner scan(text);
            if (!scan.literal(spelt_out ? weekday : weekday.substr(0, 3)))
                continue;
            civil date;
            bool century_missing = false;
            if (spelt_out)
            {
                scan.literal(", ");
                date.day = scan.digits(2);
                scan.literal("-");
                date.month = scan.month();
                scan.literal("-");
                date.year = now.year / 100 * 100 + scan.digits(2);
                century_missing = true;
                scan.literal(" ");
                scan.time(date);
                scan.literal(scan.next(" UTC") ? " UTC" : " GMT");
            }
            else if (scan.next(", "))
            {
                scan.literal(", ");
                date.day = scan.digits(2);
                scan.literal(" ");
                date.month = scan.month();
                scan.literal(" ");
                date.year = scan.digits(4);
                scan.literal(" ");
                scan.time(date);
                scan.literal(scan.next(" UTC") ? " UTC" : " GMT");
            }
            else
            {
                scan.literal(" ");
                date.month = scan.month();
                scan.literal(" ");
                bool const padded = scan.next(" ");
                if (padded)
                    scan.literal(" ");
                date.day = scan.digits(padded ? 1 : 2);
                scan.literal(" ");
                scan.time(date);
                scan.literal(" ");
                date.year = scan.digits(4);
            }
            if (!scan.ended())
                continue;
            auto limit = now;
            limit.year += 50;
            if (century_missing && date.later_than(limit))
                date.year -= 100;
            if (!date.exists())
                return std::nullopt;
            if (date.fits())
                return date.seconds();
            civil bound;
            bound.year = date.year < 1678 ? 1678 : 2262;
            return bound.seconds() - (date.year < 1678 ? 0 : 1);
        }
    }
    return std::nullopt;
}

long long seconds_of(ccloud::wall_time when)
{
    return std::chrono::floor<std::chrono::seconds>(when).time_since_epoch().count();
}

/** Some second of the years 1678 to 2261. */
long long second_of(std::uint64_t number)
{
    civil first, last;
    first.year = 1678;
    last.year = 2262;
    auto const span = static_cast<std::uint64_t>(last.seconds() - first.seconds());
    return first.seconds() + static_cast<long long>(number % span);
}

ccloud::wall_time wall(long long seconds)
{
    return ccloud::wall_time(std::chrono::seconds(seconds));
}

void check_rfc3339(std::string_view text)
{
    auto const read = ccloud::parse_timestamp(text);
    auto const expected = read_rfc3339(text);
    require(read.has_value() == expected.has_value(), "a text is a timestamp where RFC 3339 says so", text);
    if (!read)
        return;
    require(read->time_since_epoch().count() == *expected, "the calendars agree", text);
    auto const again = ccloud::parse_timestamp(ccloud::to_string(*read));
    // With an offset, the time may be outside the years that a text without an offset can name.
    auto const year = civil::at(seconds_of(*read)).year;
    require(again == read || year < 1678 || year > 2261, "a timestamp is written as it was read", text);
}

void check_http_date(std::string_view text, long long now)
{
    auto const read = core::parse_http_date(text, wall(now));
    auto const expected = read_http_date(text, civil::at(now));
    require(read.has_value() == expected.has_value(), "a text is an HTTP-date where RFC 9110 says so", text);
    require(!read || seconds_of(*read) == *expected, "the calendars agree", text);
}

std::string print(char const* format, auto... arguments)
{
    std::array<char, 80> text{};
    auto const length = std::snprintf(text.data(), text.size(), format, arguments...);
    return std::string(text.data(), static_cast<std::size_t>(length));
}

void check_written(std::uint64_t number)
{
    auto const seconds = second_of(number);
    auto const fraction = static_cast<long long>(number >> 32) % 1'000'000'000;
    auto const date = civil::at(seconds);
    ccloud::timestamp const when(std::chrono::seconds(seconds) + nanoseconds(fraction));

    auto const text = ccloud::to_string(when);
    require(ccloud::parse_timestamp(text) == when, "a timestamp is read back as it was", text);
    auto const start =
        print("%04d-%02d-%02dT%02d:%02d:%02d", date.year, date.month, date.day, date.hour, date.minute, date.second);
    require(text.starts_with(start) && text.ends_with('Z'), "it is written as RFC 3339 says", text);

    auto const day = std::string(weekdays[static_cast<std::size_t>(date.weekday)]);
    auto const* const month = months[static_cast<std::size_t>(date.month - 1)];
    auto const time = print("%02d:%02d:%02d", date.hour, date.minute, date.second);
    for (auto const& form :
         {day.substr(0, 3) + print(", %02d %s %04d ", date.day, month, date.year) + time + " GMT",
          day + print(", %02d-%s-%02d ", date.day, month, date.year % 100) + time + " GMT",
          day.substr(0, 3) + print(" %s %2d ", month, date.day) + time + print(" %04d", date.year)})
        require(core::parse_http_date(form, when) == wall(seconds), "every form of an HTTP-date is read", form);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    fuzz::input input(data, size);
    switch (input.byte() % 3)
    {
    case 0: check_rfc3339(fuzz::exact_copy(input.rest()).view()); break;
    case 1:
    {
        auto const now = second_of(input.number(8));
        fuzz::exact_copy const text(input.rest());
        check_http_date(text.view(), now);
        break;
    }
    default: check_written(input.number(8));
    }
    return 0;
}
