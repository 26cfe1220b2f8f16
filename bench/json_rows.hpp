#ifndef CCLOUD_BENCH_JSON_ROWS_HPP
#define CCLOUD_BENCH_JSON_ROWS_HPP

#include <string>
#include <vector>

namespace bench {

/** One figure of a benchmark. */
struct json_row
{
    std::string name;
    double value = 0;
    std::string unit = {};            ///< empty: left out
    std::vector<double> samples = {}; ///< empty: left out
};

/** Writes `[{"name": …, "value": …, "unit": …, "samples": […]}, …]`.
    @throws std::runtime_error where the file cannot be written */
void write_json(std::string const& path, std::vector<json_row> const& rows);

} // namespace bench

#endif
