#ifndef CCLOUD_BENCH_REPORT_HPP
#define CCLOUD_BENCH_REPORT_HPP

#include <string>
#include <string_view>
#include <vector>

namespace bench {

/** Collects rows, prints them as a table, and writes them as JSON and as a chart. */
class report
{
public:
    /** Begins a section. */
    void begin(std::string_view title);

    /** Notes the median of what the rounds gave. */
    void add(std::string name, std::vector<double> rounds, std::string_view unit, bool ours);

    /** The same of a ratio, ours over a peer's. */
    void add_ratio(std::string name, std::vector<double> rounds);

    /** `[{"name": …, "value": …, "unit": …}, …]` */
    void write_json(std::string const& path) const;

    /** Bars, a group a metric. */
    void write_svg(std::string const& path) const;

private:
    struct row
    {
        std::string name;
        double value = 0;
        std::string unit;
        bool ours = false;
    };
    struct section
    {
        std::string title;
        std::vector<row> rows;
    };

    void note(row noted, double spread);

    std::vector<section> sections_;
};

} // namespace bench

#endif
