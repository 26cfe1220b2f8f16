#include "core/duration.hpp"

#include <cstdint>
#include <string_view>

namespace ccloud::core {

std::string readable(std::chrono::nanoseconds time)
{
    auto const count = static_cast<std::uint64_t>((std::max)(time, std::chrono::nanoseconds(0)).count());
    bool const seconds = count >= 999'500'000; // less would be rounded to 1000 ms
    std::uint64_t const unit = seconds ? 1'000'000'000 : 1'000'000;

    int decimals = count < 10 * unit ? 2 : count < 100 * unit ? 1 : 0;
    std::uint64_t parts = 1; // of the unit
    for (int i = 0; i < decimals; ++i)
        parts *= 10;
    std::uint64_t const step = unit / parts;
    std::uint64_t const rounded = (count + step / 2) / step;

    auto text = std::to_string(rounded / parts);
    if (auto rest = rounded % parts; rest > 0)
    {
        for (; rest % 10 == 0; rest /= 10)
            --decimals;
        auto const digits = std::to_string(rest);
        text.append(".").append(static_cast<std::size_t>(decimals) - digits.size(), '0').append(digits);
    }
    return text.append(seconds ? " s" : " ms");
}

} // namespace ccloud::core
