#include "json_rows.hpp"

#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace bench {

namespace {

std::string number(double value)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value);
    return text;
}

} // namespace

void write_json(std::string const& path, std::vector<json_row> const& rows)
{
    std::ofstream file(path);
    char const* before = "[\n";
    for (auto const& [name, value, unit, samples] : rows)
    {
        file << before << R"(  {"name": ")" << name << R"(", "value": )" << number(value);
        if (!unit.empty())
            file << R"(, "unit": ")" << unit << '"';
        char const* bracket = R"(, "samples": [)";
        for (auto const& sample : samples)
            file << std::exchange(bracket, ", ") << number(sample);
        file << (samples.empty() ? "}" : "]}");
        before = ",\n";
    }
    file << "\n]\n";
    if (!file.flush())
        throw std::runtime_error(path + ": cannot be written");
}

} // namespace bench
