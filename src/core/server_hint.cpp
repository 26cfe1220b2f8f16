#include "core/server_hint.hpp"

#include "core/ascii.hpp"
#include "core/http_date.hpp"

#include <algorithm>

namespace ccloud::core {

using namespace std::chrono;

namespace {

constexpr std::int64_t epoch_to = 9'000'000'000; // beyond, 64-bit nanoseconds overflow
constexpr auto most_seconds = duration_cast<seconds>(longest_hint);

nanoseconds span(std::int64_t count) noexcept
{
    return std::min(seconds(count), most_seconds);
}

nanoseconds until(wall_time when, wall_time from) noexcept
{
    if (when <= from)
        return nanoseconds(0);
    // In seconds first: the two may be further apart than nanoseconds can tell.
    if (floor<seconds>(when).time_since_epoch() - floor<seconds>(from).time_since_epoch() > most_seconds)
        return longest_hint;
    return std::min<nanoseconds>(when - from, longest_hint);
}

nanoseconds until_epoch(std::int64_t count, milliseconds fraction, wall_time from) noexcept
{
    return count >= epoch_to ? longest_hint : until(wall_time(seconds(count)) + fraction, from);
}

/** When the answer was made, as far as it says so. The year 1 or 9999 is a clock that was never set. */
wall_time made_at(std::string_view date, bool aged, wall_time now) noexcept
{
    auto const made = aged ? std::nullopt : parse_http_date(trim(date), now);
    return made && is_exact(*made) ? *made : now;
}

wall_time made_at(http_headers const& headers, wall_time now) noexcept
{
    return made_at(headers.find("Date").value_or(std::string_view()), headers.contains("Age"), now);
}

/** A member of RateLimit or RateLimit-Policy; parameters as sent, empty for a bare key. */
struct list_member
{
    std::string_view name; ///< without quotes. Escapes stay: equal names are spelt the same
    std::optional<std::string_view> r, t, q;
};

/** Takes one value off the front, as sent; of what stands for itself, as much as comes before one of `stops`.
    Empty where there is none. */
std::string_view take_item(std::string_view& text, std::string_view stops) noexcept
{
    std::size_t end = 0;
    if (text.starts_with('"'))
    {
        end = 1;
        while (end < text.size() && text[end] != '"')
            end += text[end] == '\\' ? 2U : 1U;
        end = end < text.size() ? end + 1 : 0;
    }
    else if (text.starts_with("%\"")) // a display string has no escaped quotes
    {
        auto const quote = text.find('"', 2);
        end = quote == std::string_view::npos ? 0 : quote + 1;
    }
    else
        end = std::min(text.find_first_of(stops), text.size());
    auto const item = text.substr(0, end);
    text.remove_prefix(end);
    return item;
}

std::optional<list_member> take_member(std::string_view& text) noexcept
{
    list_member member;
    member.name = take_item(text, " \t,;=\"");
    if (member.name.empty())
        return std::nullopt;
    if (member.name.starts_with('"'))
        member.name = member.name.substr(1, member.name.size() - 2);

    for (text = trim(text); text.starts_with(';'); text = trim(text))
    {
        text = trim(text.substr(1));
        auto const width = std::min(
            text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.*"), text.size()
        );
        auto const key = text.substr(0, width);
        text.remove_prefix(width);
        if (key.empty())
            return std::nullopt;
        std::string_view value;
        if (text.starts_with('='))
        {
            text.remove_prefix(1);
            value = take_item(text, " \t,;\"");
            if (value.empty())
                return std::nullopt;
        }
        if (key == "r")
            member.r = value;
        else if (key == "t")
            member.t = value;
        else if (key == "q")
            member.q = value;
    }
    return member;
}

/** Calls `visit(member, value of the field)` for each member of a structured list, over all fields of that name, as
    long as it returns true. False where it did not, or the list is malformed. */
template <class Visitor>
bool for_each_member(http_headers const& headers, std::string_view field, Visitor visit) noexcept
{
    bool sound = true;
    headers.for_each([&](std::string_view name, std::string_view value) {
        if (!iequals(name, field))
            return;
        auto rest = trim(value);
        while (sound && !rest.empty())
        {
            auto const member = take_member(rest);
            sound = member && visit(*member, value);
            if (!sound || rest.empty())
                return;
            bool const more = rest.starts_with(',');
            rest = trim(rest.substr(1));
            sound = more && !rest.empty();
        }
    });
    return sound;
}

/** A policy of RateLimit. */
struct service_limit
{
    std::string_view name, text;
    std::int64_t remaining = 0;
    std::optional<std::int64_t> window;
};

/** The policy that counts. Nothing where RateLimit is missing or malformed, or that policy has no window. */
std::optional<service_limit> tightest(http_headers const& headers) noexcept
{
    auto const age = headers.find("Age");
    if (age && parse_digits(*age) != 0)
        return std::nullopt;
    std::optional<service_limit> least;
    bool const sound = for_each_member(headers, "RateLimit", [&](list_member const& member, std::string_view text) {
        auto const remaining = parse_digits(member.r.value_or(std::string_view()));
        auto const window = parse_digits(member.t.value_or(std::string_view()));
        if (!remaining || (member.t && !window))
            return false;
        if (!least || *remaining < least->remaining || (*remaining == least->remaining && window > least->window))
            least = service_limit{member.name, text, *remaining, window};
        return true;
    });
    return sound && least && least->window ? least : std::nullopt;
}

/** What RateLimit-Policy grants the policy of this name. */
std::optional<std::int64_t> quota(http_headers const& headers, std::string_view name) noexcept
{
    std::optional<std::int64_t> granted;
    bool const sound = for_each_member(headers, "RateLimit-Policy", [&](list_member const& member, std::string_view) {
        if (granted || member.name != name)
            return true;
        granted = parse_digits(member.q.value_or(std::string_view()));
        return granted.has_value();
    });
    return sound ? granted : std::nullopt;
}

/** The fields that tell of a limit: the first of each name; empty where there is none. */
struct limit_fields
{
    struct group
    {
        std::string_view limit, remaining, reset;
    };
    bool listed = false; ///< there is a RateLimit
    group draft;         ///< RateLimit-Limit and so on, of the drafts before RateLimit was one field
    group plain;         ///< X-RateLimit-Limit and so on
};

/** Makes one pass over the fields, and skips most of them by their first letter, because every response is read. */
limit_fields find_limit_fields(http_headers const& headers) noexcept
{
    constexpr std::string_view prefix = "RateLimit";
    limit_fields found;
    std::string_view rest = headers.text();
    for (; !rest.empty(); rest.remove_prefix(rest.find('\n') + 1))
    {
        char const first = to_lower(rest.front());
        if (first != 'x' && first != 'r')
            continue;
        auto const name = rest.substr(0, rest.find(':'));
        auto what = name;
        if (first == 'x')
            what.remove_prefix(std::min<std::size_t>(2, what.size()));
        if (!iequals(what.substr(0, prefix.size()), prefix) || (first == 'x' && name[1] != '-'))
            continue;
        what.remove_prefix(prefix.size());
        found.listed = found.listed || (first == 'r' && what.empty());
        auto& fields = first == 'r' ? found.draft : found.plain;
        auto* const place = iequals(what, "-Limit")       ? &fields.limit
                            : iequals(what, "-Remaining") ? &fields.remaining
                            : iequals(what, "-Reset")     ? &fields.reset
                                                          : nullptr;
        if (place && !place->data())
        {
            auto const value = rest.substr(name.size() + 2);
            *place = value.substr(0, value.find('\r'));
        }
    }
    return found;
}

/** How much of the limit is left, in fields of the older kinds. */
struct plain_limit
{
    std::optional<std::int64_t> limit;
    std::optional<std::int64_t> remaining;
    std::string_view text; ///< the value of the field that names the end of the window
    nanoseconds reset{};
};

std::optional<plain_limit> read_group(
    limit_fields::group const& found, http_headers const& headers, reset_form form, wall_time now
) noexcept
{
    if (found.reset.empty())
        return std::nullopt;
    auto const reset = first_number(found.reset);
    if (!reset)
        return std::nullopt;
    bool const epoch = form == reset_form::epoch || (form == reset_form::automatic && *reset >= epoch_from);
    auto const ends = epoch ? until_epoch(*reset, {}, made_at(headers, now)) : span(*reset);
    return plain_limit{first_number(found.limit), first_number(found.remaining), found.reset, ends};
}

/** Reads RateLimit-Reset, whose value is seconds (draft-ietf-httpapi-ratelimit-headers-06 section 3.3), except that some
    servers send an epoch; or, if that field is missing or malformed, X-RateLimit-Reset in the form `form`. */
std::optional<plain_limit> read_plain(
    limit_fields const& found, http_headers const& headers, reset_form form, wall_time now
) noexcept
{
    if (auto const draft = read_group(found.draft, headers, reset_form::automatic, now))
        return draft;
    return read_group(found.plain, headers, form, now);
}

/** One value of Retry-After. */
std::optional<nanoseconds> parse_one_wait(
    std::string_view value, std::string_view date, bool aged, wall_time now
) noexcept
{
    value = trim(value);
    if (auto const when = parse_http_date(value, now))
        return until(*when, made_at(date, aged, now));

    auto const point = value.find('.');
    auto const whole = parse_digits(value.substr(0, point));
    if (!whole)
        return std::nullopt;
    milliseconds fraction{};
    if (point != std::string_view::npos)
    {
        auto const digits = value.substr(point + 1);
        if (!parse_digits(digits))
            return std::nullopt;
        auto const first = parse_digits(digits.substr(0, 3));
        auto const scale = digits.size() == 1 ? 100 : digits.size() == 2 ? 10 : 1;
        bool const more = digits.size() > 3 && digits.find_first_not_of('0', 3) != std::string_view::npos;
        fraction = milliseconds(*first * scale + (more ? 1 : 0));
    }
    if (*whole >= epoch_from)
        return until_epoch(*whole, fraction, made_at(date, aged, now));
    return std::min<nanoseconds>(span(*whole) + fraction, longest_hint);
}

} // namespace

std::optional<nanoseconds> parse_retry_after(
    std::string_view value, std::string_view date, bool aged, wall_time now
) noexcept
{
    std::optional<nanoseconds> longest;
    for (bool more = true; more;)
    {
        auto end = value.find(',');
        auto wait = parse_one_wait(value.substr(0, end), date, aged, now);
        if (!wait && end != std::string_view::npos)
        {
            auto const second = value.find(',', end + 1); // a date has a comma of its own
            wait = parse_one_wait(value.substr(0, second), date, aged, now);
            if (wait)
                end = second;
        }
        longest = std::max(longest, wait);
        more = end != std::string_view::npos;
        if (more)
            value.remove_prefix(end + 1);
    }
    return longest;
}

std::optional<server_hint> find_hint(int status, http_headers const& headers, reset_form form, wall_time now) noexcept
{
    auto const date = headers.find("Date").value_or(std::string_view());
    bool const aged = headers.contains("Age");
    std::optional<server_hint> longest;
    headers.for_each([&](std::string_view name, std::string_view value) {
        if (!iequals(name, "Retry-After"))
            return;
        auto const wait = parse_retry_after(value, date, aged, now);
        if (wait && (!longest || *wait > longest->wait))
            longest = server_hint{*wait, delay_source::retry_after, value};
    });
    bool const throttled = status == 429;
    if (longest || (!throttled && status < 500))
        return longest;

    if (auto const limit = tightest(headers))
    {
        if (!throttled && limit->remaining != 0)
            return std::nullopt;
        return server_hint{span(*limit->window), delay_source::rate_limit, limit->text};
    }
    auto const limit = read_plain(find_limit_fields(headers), headers, form, now);
    if (!limit || (!throttled && limit->remaining != 0))
        return std::nullopt;
    return server_hint{limit->reset, delay_source::rate_limit, limit->text};
}

std::optional<limit_sample> read_limits(http_headers const& headers, reset_form form, wall_time now) noexcept
{
    auto const found = find_limit_fields(headers);
    if (found.listed)
        if (auto const limit = tightest(headers))
            return limit_sample{quota(headers, limit->name), limit->remaining, span(*limit->window)};
    auto const limit = read_plain(found, headers, form, now);
    if (!limit || !limit->remaining)
        return std::nullopt;
    return limit_sample{limit->limit, *limit->remaining, limit->reset};
}

} // namespace ccloud::core
