#include "report.hpp"

#include "json_rows.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace bench {

namespace {

constexpr std::string_view ratio_unit = "ratio";

template <class... Arguments>
std::string text(char const* format, Arguments... arguments)
{
    char line[512];
    std::snprintf(line, sizeof line, format, arguments...);
    return line;
}

/** The middle value, and how far the others lie apart: the range as a part of it. */
double median(std::vector<double>& values, double& spread)
{
    std::sort(values.begin(), values.end());
    auto const n = values.size();
    auto const middle = n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
    spread = middle == 0 ? 0 : (values.back() - values.front()) / middle;
    return middle;
}

/** What is common to the bars of a group: "decode/ccloud/time" belongs to "decode/time". */
std::string group_of(std::string const& name)
{
    auto const first = name.find('/');
    return name.substr(0, first) + name.substr(name.rfind('/'));
}

std::string who_of(std::string const& name)
{
    auto const first = name.find('/');
    return name.substr(first + 1, name.rfind('/') - first - 1);
}

} // namespace

void report::begin(std::string_view title)
{
    sections_.push_back({std::string(title), {}});
    std::printf("\n%s\n  %-64s%12s  %-6s%8s\n", sections_.back().title.c_str(), "", "median", "unit", "spread");
}

void report::add(std::string name, std::vector<double> rounds, std::string_view unit, bool ours)
{
    double spread = 0;
    auto const value = median(rounds, spread);
    note({std::move(name), value, std::string(unit), ours}, spread);
}

void report::add_ratio(std::string name, std::vector<double> rounds)
{
    add(std::move(name), std::move(rounds), ratio_unit, true);
}

void report::note(row noted, double spread)
{
    auto const value = text(noted.value >= 1000 ? "%.0f" : "%.2f", noted.value);
    std::printf("  %-64s%12s  %-6s%7.0f%%\n", noted.name.c_str(), value.c_str(), noted.unit.c_str(), spread * 100);
    std::fflush(stdout);
    sections_.back().rows.push_back(std::move(noted));
}

void report::write_json(std::string const& path) const
{
    std::vector<json_row> rows;
    for (auto const& each : sections_)
        for (auto const& one : each.rows)
            rows.push_back({one.name, one.value, one.unit});
    bench::write_json(path, rows);
}

void report::write_svg(std::string const& path) const
{
    constexpr int line = 18;
    constexpr int left = 190;
    constexpr double widest = 380;
    std::string drawing;
    int y = 8;
    auto const words = [&](int x, std::string_view style, std::string const& what) {
        drawing += text(
            "<text x=\"%d\" y=\"%d\" %.*s>%s</text>\n", x, y + 13, static_cast<int>(style.size()), style.data(),
            what.c_str()
        );
    };
    for (auto const& each : sections_)
    {
        std::string group;
        double most = 1;
        for (auto const& one : each.rows)
        {
            if (one.unit == ratio_unit)
                continue;
            if (group_of(one.name) != group)
            {
                group = group_of(one.name);
                most = 0;
                for (auto const& other : each.rows)
                    if (other.unit != ratio_unit && group_of(other.name) == group)
                        most = std::max(most, other.value);
                y += 10;
                words(8, "font-weight=\"bold\"", group + ", " + one.unit);
                y += line;
            }
            auto const width = most == 0 ? 0.0 : one.value / most * widest;
            words(8, "", who_of(one.name));
            drawing += text(
                "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"13\" fill=\"%s\"/>\n", left, y + 2, width,
                one.ours ? "#2a78d6" : "#9a9a94"
            );
            words(left + 6 + static_cast<int>(width), "", text(one.value >= 1000 ? "%.0f" : "%.2f", one.value));
            y += line;
        }
    }
    std::ofstream file(path);
    if (!file)
        throw std::runtime_error(path + ": cannot be written");
    file << text(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"660\" height=\"%d\" font-family=\"sans-serif\" "
        "font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
        y + 12
    );
    file << drawing << "</svg>\n";
}

} // namespace bench
