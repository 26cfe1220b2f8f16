#ifndef CCLOUD_BENCH_REPORT_HPP
#define CCLOUD_BENCH_REPORT_HPP

#include <string>
#include <string_view>
#include <vector>

namespace bench {

/** One figure: what each round gave. Its value is the median. */
struct figure
{
    std::string name; ///< "cpu_us/small_get/ccloud"
    std::string unit;
    std::vector<double> samples;
    bool ours = true;
};

double median(std::vector<double> samples);

/** Collects figures, prints them as a table, and writes them as JSON and as a chart. */
class report
{
public:
    /** Begins a section of the table. */
    void begin(std::string_view title);

    void add(figure noted);
    bool has(std::string_view name) const noexcept { return find(name) != nullptr; }

    /** Adds the ratio of the medians of two figures; its samples are the ratios of the rounds. */
    void add_ratio(std::string name, std::string_view over, std::string_view under);

    /** Adds what the first figure has more than the second, times `scale`, round by round. */
    void add_difference(
        std::string name, std::string_view unit, std::string_view over, std::string_view under, double scale = 1
    );

    /** States that the value of a figure is at most `most`. It does not hold where there is no such figure. */
    void claim(std::string_view name, double most);

    /** Prints the claims, each with what was measured.
        @return whether they hold */
    bool judge() const;

    /** Draws the figures whose names begin with `prefix` and a slash. */
    void chart(std::string_view title, std::string_view prefix);

    /** `[{"name": …, "value": …, "unit": …, "samples": […]}, …]` */
    void write_json(std::string const& path) const;

    /** Bars, a group a chart, the shortest first. */
    void write_svg(std::string const& path) const;

private:
    struct claimed
    {
        std::string name;
        double most = 0;
    };
    struct charted
    {
        std::string title;
        std::string prefix;
    };

    figure const* find(std::string_view name) const noexcept;
    figure const& get(std::string_view name) const;
    void note(figure noted, double value);

    struct row
    {
        figure what;
        double value = 0;
    };
    std::vector<row> rows_;
    std::vector<claimed> claims_;
    std::vector<charted> charts_;
};

} // namespace bench

#endif
