#include "core/keep_alive.hpp"

#include "core/ascii.hpp"

namespace ccloud::core {

std::optional<std::chrono::nanoseconds> reuse_for(
    finished_exchange const& ended, std::chrono::nanoseconds idle_timeout
) noexcept
{
    if (!ended.keep_alive || !ended.complete || !ended.request_written || ended.leftover > 0)
        return std::nullopt;
    if (ended.status == 408 || ended.status == 421)
        return std::nullopt;

    std::chrono::nanoseconds keep = idle_timeout;
    std::string_view rest = ended.keep_alive_field;
    while (!rest.empty())
    {
        auto const comma = rest.find(',');
        auto const parameter = trim(rest.substr(0, comma));
        rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
        auto const equals = parameter.find('=');
        if (equals == std::string_view::npos)
            continue;
        auto const name = trim(parameter.substr(0, equals));
        auto const number = parse_digits(trim(parameter.substr(equals + 1)));
        if (!number)
            continue;
        if (iequals(name, "max") && *number == 0)
            return std::nullopt;
        constexpr std::int64_t a_day = 86'400;
        if (iequals(name, "timeout") && *number < a_day)
            keep = (std::min)(keep, std::chrono::nanoseconds(std::chrono::seconds(*number - 2)));
    }
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
    default: return status >= 500 && status < 600;
    }
}

} // namespace ccloud::core
