#include "core/http_date.hpp"

#include "core/ascii.hpp"

#include <array>

namespace ccloud::core {

namespace {

using namespace std::chrono;

constexpr std::array<std::string_view, 12> month_names{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> short_days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 7> long_days{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                    "Thursday", "Friday", "Saturday"};

/** Matches a text against a picture: `D` day of month, `M` month name, `Y` year, `y` two digits of one, `h` `m` `s`
    two digits each; `_` a day of month padded by a space; anything else itself. */
struct date_parts
{
    int day = 0, month = 0, year = 0, hour = 0, minute = 0, second = 0;
    bool short_year = false;

    bool read(std::string_view text, std::string_view picture) noexcept
    {
        auto const digits = [&text](std::size_t width, int& to) {
            auto const value = text.size() < width ? std::nullopt : parse_digits(text.substr(0, width));
            if (value)
            {
                to = static_cast<int>(*value);
                text.remove_prefix(width);
            }
            return value.has_value();
        };
        for (char const c : picture)
        {
            bool fits = false;
            switch (c)
            {
            case 'D': fits = digits(2, day); break;
            case '_':
                if (text.starts_with(' '))
                {
                    text.remove_prefix(1);
                    fits = digits(1, day);
                }
                else
                    fits = digits(2, day);
                break;
            case 'Y': fits = digits(4, year); break;
            case 'y': fits = short_year = digits(2, year); break;
            case 'h': fits = digits(2, hour); break;
            case 'm': fits = digits(2, minute); break;
            case 's': fits = digits(2, second); break;
            case 'M':
                for (std::size_t i = 0; i < month_names.size() && !fits; ++i)
                    if (text.starts_with(month_names[i]))
                    {
                        month = static_cast<int>(i) + 1;
                        text.remove_prefix(3);
                        fits = true;
                    }
                break;
            default:
                fits = text.starts_with(c);
                if (fits)
                    text.remove_prefix(1);
            }
            if (!fits)
                return false;
        }
        return text.empty();
    }

    /** The year of the current century with the two digits that were read; or of the century before, if the date would
        be more than fifty years after `now`. */
    int full_year(wall_time now) const noexcept
    {
        auto const midnight = floor<days>(now);
        year_month_day const today(midnight);
        hh_mm_ss const clock(floor<seconds>(now - midnight));
        auto const this_year = static_cast<int>(today.year());
        auto const full = this_year / 100 * 100 + year;
        std::array const read{full - 50, month, day, hour, minute, second};
        std::array const present{
            this_year,
            static_cast<int>(static_cast<unsigned>(today.month())),
            static_cast<int>(static_cast<unsigned>(today.day())),
            static_cast<int>(clock.hours().count()),
            static_cast<int>(clock.minutes().count()),
            static_cast<int>(clock.seconds().count())};
        return read > present ? full - 100 : full;
    }

    std::optional<wall_time> time(wall_time now) const noexcept
    {
        int const full = short_year ? full_year(now) : year;
        year_month_day const date{
            std::chrono::year(full), std::chrono::month(static_cast<unsigned>(month)),
            std::chrono::day(static_cast<unsigned>(day))};
        if (!date.ok() || hour > 23 || minute > 59 || second > 60)
            return std::nullopt;
        // 64-bit nanoseconds hold no more.
        if (full < 1678)
            return earliest_http_date;
        if (full > 2261)
            return latest_http_date;
        return wall_time(sys_days(date) + hours(hour) + minutes(minute) + seconds(second));
    }
};

/** Takes the zone off the end of a date; the forms that have one have this one. */
bool drop_zone(std::string_view& text) noexcept
{
    bool const utc = text.ends_with(" GMT") || text.ends_with(" UTC");
    if (utc)
        text.remove_suffix(4);
    return utc;
}

} // namespace

std::optional<wall_time> parse_http_date(std::string_view text, wall_time now) noexcept
{
    for (auto const day : long_days)
    {
        auto rest = text;
        if (date_parts parts;
            rest.starts_with(day) && drop_zone(rest) && parts.read(rest.substr(day.size()), ", D-M-y h:m:s"))
            return parts.time(now);
    }
    for (auto const day : short_days)
    {
        auto rest = text;
        if (!rest.starts_with(day))
            continue;
        bool const zoned = drop_zone(rest);
        if (date_parts parts; parts.read(rest.substr(day.size()), zoned ? ", D M Y h:m:s" : " M _ h:m:s Y"))
            return parts.time(now);
    }
    return std::nullopt;
}

} // namespace ccloud::core
