#include "json_rows.hpp"

#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace bench {

void write_json(std::string const& path, std::vector<json_row> const& rows)
{
    std::ofstream file(path);
    char const* before = "[\n";
    for (auto const& [name, value, unit] : rows)
    {
        char number[32];
        std::snprintf(number, sizeof number, "%.6g", value);
        file << before << R"(  {"name": ")" << name << R"(", "value": )" << number;
        if (!unit.empty())
            file << R"(, "unit": ")" << unit << '"';
        file << '}';
        before = ",\n";
    }
    file << "\n]\n";
    if (!file.flush())
        throw std::runtime_error(path + ": cannot be written");
}

} // namespace bench
