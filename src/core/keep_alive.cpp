#include "core/keep_alive.hpp"

#include "core/ascii.hpp"
#include "core/field_syntax.hpp"

namespace ccloud::core {

std::optional<std::chrono::nanoseconds> reuse_for(
    finished_exchange const& ended, std::chrono::nanoseconds idle_timeout
) noexcept
{
    if (!ended.keep_alive || !ended.complete || !ended.request_written || ended.doubtful_framing || ended.leftover > 0)
        return std::nullopt;
    if (ended.status == 408 || ended.status == 421)
        return std::nullopt;

    std::chrono::nanoseconds keep = idle_timeout;
    bool last = false;
    for_each_element(ended.keep_alive_field, [&](std::string_view parameter) {
        auto const equals = parameter.find('=');
        if (equals == std::string_view::npos)
            return;
        auto const name = trim(parameter.substr(0, equals));
        auto const number = parse_digits(trim(parameter.substr(equals + 1)));
        if (!number)
            return;
        last = last || (iequals(name, "max") && *number == 0);
        constexpr std::int64_t a_day = 86'400;
        if (iequals(name, "timeout") && *number < a_day)
            keep = (std::min)(keep, std::chrono::nanoseconds(std::chrono::seconds(*number - 2)));
    });
    if (last)
        return std::nullopt;
    if (keep <= std::chrono::nanoseconds(0))
        return std::nullopt;
    return keep;
}

bool may_be_repeated(int status) noexcept
{
    switch (status)
    {
    case 408:
    case 413:
    case 421:
    case 425:
    case 429: return true;
    default: return status >= 500;
    }
}

} // namespace ccloud::core
