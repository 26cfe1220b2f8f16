#include <ccloud/timestamp.hpp>

#include "printers.hpp"
#include "utc.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

using ccloud::parse_timestamp;
using support::utc;

namespace {

/** RFC 3339 a character at a time. */
class slow_reader
{
public:
    explicit slow_reader(std::string_view text) : text_(text) {}

    std::optional<ccloud::timestamp> read()
    {
        auto const year = number(4, 1678, 2261);
        one_of("-");
        auto const month = number(2, 1, 12);
        one_of("-");
        auto const day = number(2, 1, 31);
        one_of("Tt ");
        auto seconds = 3600 * number(2, 0, 23);
        one_of(":");
        seconds += 60 * number(2, 0, 59);
        one_of(":");
        seconds += number(2, 0, 60);
        long long nanoseconds = 0;
        if (comes("."))
        {
            one_of(".");
            long long unit = 100'000'000;
            do
            {
                nanoseconds += unit * number(1, 0, 9);
                unit /= 10;
            } while (comes("0123456789"));
        }
        if (comes("+") || comes("-"))
        {
            int const sign = one_of("+-") == '+' ? -1 : 1;
            seconds += sign * 3600 * number(2, 0, 23);
            one_of(":");
            seconds += sign * 60 * number(2, 0, 59);
        }
        else
            one_of("Zz");
        if (!sound_ || !text_.empty() || day > length_of(year, month))
            return std::nullopt;
        long long days = day - 1;
        for (auto earlier = month - 1; earlier > 0; --earlier)
            days += length_of(year, earlier);
        for (long long other = 1970; other < year; ++other)
            days += length_of(other, 2) + 337;
        for (long long other = year; other < 1970; ++other)
            days -= length_of(other, 2) + 337;
        return ccloud::timestamp(std::chrono::nanoseconds((days * 86'400 + seconds) * 1'000'000'000 + nanoseconds));
    }

private:
    static long long length_of(long long year, long long month)
    {
        if (month == 2)
            return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
        return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
    }

    bool comes(std::string_view any) const
    {
        return sound_ && !text_.empty() && any.find(text_.front()) != std::string_view::npos;
    }

    char one_of(std::string_view any)
    {
        sound_ = comes(any);
        if (!sound_)
            return ' ';
        auto const first = text_.front();
        text_.remove_prefix(1);
        return first;
    }

    long long number(int digits, long long least, long long most)
    {
        long long value = 0;
        for (; digits > 0; --digits)
            value = 10 * value + (one_of("0123456789") - '0');
        sound_ = sound_ && least <= value && value <= most;
        return value;
    }

    std::string_view text_;
    bool sound_ = true;
};

/** Whether it was a date-time. */
bool read_alike(std::string_view text)
{
    auto const expected = slow_reader(text).read();
    if (parse_timestamp(text) != expected)
        FAIL("\"" << text << "\" is read otherwise");
    return expected.has_value();
}

std::string two(int number)
{
    return {static_cast<char>('0' + number / 10), static_cast<char>('0' + number % 10)};
}

} // namespace

TEST_CASE("a date-time is read with any number of digits and any offset, and written in UTC (vector 9)")
{
    struct row
    {
        std::string_view text;
        ccloud::timestamp when;
        std::string_view written;
    };
    for (auto const& [text, when, written] : {
             row{"2022-08-17T20:54:06Z", utc(2022, 8, 17, 20, 54, 6), "2022-08-17T20:54:06Z"},
             row{"2023-03-14T02:13:22.03597Z", utc(2023, 3, 14, 2, 13, 22, 35'970'000), "2023-03-14T02:13:22.03597Z"},
             row{"2022-08-17T20:54:06.219057Z", utc(2022, 8, 17, 20, 54, 6, 219'057'000),
                 "2022-08-17T20:54:06.219057Z"},
             row{"2022-08-17T20:54:06.123456789Z", utc(2022, 8, 17, 20, 54, 6, 123'456'789),
                 "2022-08-17T20:54:06.123456789Z"},
             row{"2022-08-17T20:54:06.123456789987Z", utc(2022, 8, 17, 20, 54, 6, 123'456'789),
                 "2022-08-17T20:54:06.123456789Z"},
             row{"2022-08-17T20:54:06.5Z", utc(2022, 8, 17, 20, 54, 6, 500'000'000), "2022-08-17T20:54:06.5Z"},
             row{"2022-08-17T20:54:06.000Z", utc(2022, 8, 17, 20, 54, 6), "2022-08-17T20:54:06Z"},
             row{"2022-08-17T20:54:06.000000001Z", utc(2022, 8, 17, 20, 54, 6, 1), "2022-08-17T20:54:06.000000001Z"},
             row{"2006-01-02T15:04:05-07:00", utc(2006, 1, 2, 22, 4, 5), "2006-01-02T22:04:05Z"},
             row{"2006-01-02T00:04:05+05:30", utc(2006, 1, 1, 18, 34, 5), "2006-01-01T18:34:05Z"},
             row{"2006-01-02T15:04:05+00:00", utc(2006, 1, 2, 15, 4, 5), "2006-01-02T15:04:05Z"},
             row{"2006-01-02T15:04:05-00:00", utc(2006, 1, 2, 15, 4, 5), "2006-01-02T15:04:05Z"},
             row{"2006-12-31T23:59:59-23:59", utc(2007, 1, 1, 23, 58, 59), "2007-01-01T23:58:59Z"},
             row{"2006-01-02t15:04:05z", utc(2006, 1, 2, 15, 4, 5), "2006-01-02T15:04:05Z"},
             row{"2006-01-02 15:04:05-07:00", utc(2006, 1, 2, 22, 4, 5), "2006-01-02T22:04:05Z"},
             row{"2022-08-17 20:54:06.5Z", utc(2022, 8, 17, 20, 54, 6, 500'000'000), "2022-08-17T20:54:06.5Z"},
             row{"2016-12-31T23:59:60Z", utc(2017, 1, 1), "2017-01-01T00:00:00Z"},
             row{"2024-02-29T00:00:00Z", utc(2024, 2, 29), "2024-02-29T00:00:00Z"},
             row{"1970-01-01T00:00:00Z", utc(1970, 1, 1), "1970-01-01T00:00:00Z"},
             row{"1969-12-31T23:59:59.75Z", utc(1969, 12, 31, 23, 59, 59, 750'000'000), "1969-12-31T23:59:59.75Z"},
             row{"1678-01-01T00:00:00Z", utc(1678, 1, 1), "1678-01-01T00:00:00Z"},
             row{"2261-12-31T23:59:59Z", utc(2261, 12, 31, 23, 59, 59), "2261-12-31T23:59:59Z"},
         })
    {
        CAPTURE(text);
        auto const read = parse_timestamp(text);
        CHECK(read == when);
        CHECK(ccloud::to_string(when) == written);
        CHECK(parse_timestamp(written) == when);
    }
}

TEST_CASE("every timestamp is written, also the first and the last, and in the days around them")
{
    using std::chrono::nanoseconds;
    struct row
    {
        long long count;
        std::string_view written;
    };
    constexpr long long first = std::numeric_limits<long long>::min();
    constexpr long long last = std::numeric_limits<long long>::max();
    for (auto const& [count, written] : {
             row{first, "1677-09-21T00:12:43.145224192Z"},
             row{first + 1, "1677-09-21T00:12:43.145224193Z"},
             row{first + 854'775'808, "1677-09-21T00:12:44Z"},
             row{first + 86'400'000'000'000, "1677-09-22T00:12:43.145224192Z"},
             row{-1, "1969-12-31T23:59:59.999999999Z"},
             row{0, "1970-01-01T00:00:00Z"},
             row{last, "2262-04-11T23:47:16.854775807Z"},
             row{last - 86'400'000'000'000, "2262-04-10T23:47:16.854775807Z"},
         })
        CHECK(ccloud::to_string(ccloud::timestamp(nanoseconds(count))) == written);
}

TEST_CASE("to_string of a timestamp is found by its argument, and a timestamp is a time of std::chrono")
{
    using namespace std::chrono;
    ccloud::timestamp const when = sys_days(year(2024) / 2 / 29) + hours(1);
    CHECK(to_string(when) == "2024-02-29T01:00:00Z");
    CHECK(to_string(ccloud::timestamp(when + minutes(1))) == "2024-02-29T01:01:00Z");
    sys_time<nanoseconds> const plain = when;
    CHECK(plain == when);
    CHECK(when < plain + nanoseconds(1));
    CHECK(floor<days>(when) == sys_days(year(2024) / 2 / 29));
    std::optional<ccloud::timestamp> const read = parse_timestamp("2024-02-29T01:00:00Z");
    CHECK(read == when);
    CHECK(read == plain);
}

TEST_CASE("what is no date-time gives nothing")
{
    for (std::string_view const text : {
             "",
             "2022",
             "2022-08-17",
             "2022-08-17T20:54:06",
             "2022-08-17  20:54:06Z",
             "2022-08-17\t20:54:06Z",
             "2006-01-02_15:04:05-07:00",
             " 2022-08-17T20:54:06Z",
             "2022-08-17T20:54:06Z ",
             "2022-08-17T20:54:06ZZ",
             "2022-08-17T20:54:06.Z",
             "2022-08-17T20:54:06,5Z",
             "2022-08-17T20:54Z",
             "2022-8-17T20:54:06Z",
             "22-08-17T20:54:06Z",
             "+022-08-17T20:54:06Z",
             "2022-00-17T20:54:06Z",
             "2022-13-17T20:54:06Z",
             "2022-08-00T20:54:06Z",
             "2022-02-30T20:54:06Z",
             "2023-02-29T20:54:06Z",
             "2022-08-17T24:00:00Z",
             "2022-08-17T20:60:06Z",
             "2022-08-17T20:54:61Z",
             "2022-08-17T20:54:06+24:00",
             "2022-08-17T20:54:06+02:60",
             "2022-08-17T20:54:06+0200",
             "2022-08-17T20:54:06+2:00",
             "2022-08-17T20:54:06+02",
             "2022-08-17T20:54:06-",
             "0001-01-01T00:00:00Z",
             "1677-12-31T00:00:00Z",
             "2262-01-01T00:00:00Z",
             "9999-12-31T23:59:59Z",
             "yesterday",
         })
    {
        CAPTURE(text);
        CHECK(parse_timestamp(text) == std::nullopt);
    }
}

TEST_CASE("no beginning of a date-time is one")
{
    std::string_view const whole = "2006-01-02T15:04:05.25-07:00";
    for (std::size_t length = 0; length < whole.size(); ++length)
    {
        CAPTURE(length);
        CHECK(parse_timestamp(whole.substr(0, length)) == std::nullopt);
    }
}

TEST_CASE("every date and time of day is read, and no other")
{
    for (std::string const year :
         {"0000", "0001", "1677", "1678", "1900", "1969", "1970", "2000", "2023", "2024", "2261", "2262", "9999"})
    {
        std::size_t dates = 0;
        for (int month = 0; month < 100; ++month)
            for (int day = 0; day < 100; ++day)
                dates += read_alike(year + '-' + two(month) + '-' + two(day) + "T23:59:59.999999999Z") ? 1U : 0U;
        bool const leap = year == "2000" || year == "2024";
        bool const far = year < "1678" || year > "2261";
        CHECK(dates == (far ? 0U : leap ? 366U : 365U));
    }
    std::size_t times = 0;
    for (int hour = 0; hour < 100; ++hour)
        for (int minute = 0; minute < 100; ++minute)
            for (int const second : {0, 9, 10, 58, 59, 60, 61, 62, 90, 99})
                times += read_alike("2024-02-29T" + two(hour) + ':' + two(minute) + ':' + two(second) + 'Z') ? 1U : 0U;
    CHECK(times == 24 * 60 * 6);
}

TEST_CASE("a fraction of any length and every offset are read")
{
    std::string const digits = "987654321012345678909";
    std::size_t offsets = 0;
    for (std::size_t length = 0; length <= digits.size(); ++length)
        for (std::string const zone : {"Z", "z", "-00:01", "+23:59"})
        {
            bool const read = read_alike("1678-01-01T00:00:00." + digits.substr(0, length) + zone);
            CHECK(read == (length > 0));
        }
    for (char const sign : {'+', '-', ' ', '0'})
        for (int hour = 0; hour < 100; ++hour)
            for (int minute = 0; minute < 100; ++minute)
                offsets += read_alike("2261-12-31T23:59:60" + (sign + two(hour)) + ':' + two(minute)) ? 1U : 0U;
    CHECK(offsets == 2 * 24 * 60);
}

TEST_CASE("a date-time with any one character replaced, taken out or put in is read as far as it is one")
{
    for (std::string const whole :
         {"2024-02-29T09:58:07Z", "1999-12-31t23:59:60.123456789-07:30", "2006-01-02T15:04:05.0z",
          "1970-10-10T10:10:10+09:09"})
    {
        bool const read = read_alike(whole);
        CHECK(read);
        for (std::size_t place = 0; place <= whole.size(); ++place)
        {
            for (int byte = 0; byte < 256; ++byte)
            {
                auto text = whole;
                text.insert(place, 1, static_cast<char>(byte));
                read_alike(text);
                if (place == whole.size())
                    continue;
                text.erase(place + 1, 1);
                read_alike(text);
            }
            if (place < whole.size())
                read_alike(std::string(whole).erase(place, 1));
        }
    }
}
