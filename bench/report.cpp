#include "report.hpp"

#include "json_rows.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <utility>

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

std::string shown(double value)
{
    return text(value >= 1000 ? "%.0f" : value >= 10 ? "%.1f" : "%.2f", value);
}

/** Calls `combine` with the samples of each round. */
template <class Combine>
std::vector<double> by_round(std::vector<double> const& over, std::vector<double> const& under, Combine combine)
{
    std::vector<double> all;
    for (std::size_t i = 0; i < std::min(over.size(), under.size()); ++i)
        all.push_back(combine(over[i], under[i]));
    return all;
}

} // namespace

double median(std::vector<double> samples)
{
    if (samples.empty())
        throw std::invalid_argument("a median of nothing");
    std::sort(samples.begin(), samples.end());
    auto const n = samples.size();
    return n % 2 == 1 ? samples[n / 2] : (samples[n / 2 - 1] + samples[n / 2]) / 2;
}

void report::begin(std::string_view title)
{
    std::printf(
        "\n%.*s\n  %-44s%12s%12s%12s  %s\n", static_cast<int>(title.size()), title.data(), "", "median", "min", "max",
        "unit"
    );
}

void report::add(figure noted)
{
    auto const value = median(noted.samples);
    note(std::move(noted), value);
}

void report::add_ratio(std::string name, std::string_view over, std::string_view under)
{
    auto const& one = get(over);
    auto const& other = get(under);
    auto samples = by_round(one.samples, other.samples, [](double a, double b) { return a / b; });
    auto const value = median(one.samples) / median(other.samples);
    note({std::move(name), std::string(ratio_unit), std::move(samples)}, value);
}

void report::add_difference(
    std::string name, std::string_view unit, std::string_view over, std::string_view under, double scale
)
{
    add(
        {std::move(name), std::string(unit),
         by_round(get(over).samples, get(under).samples, [scale](double a, double b) { return (a - b) * scale; })}
    );
}

void report::note(figure noted, double value)
{
    auto const [least, most] = std::minmax_element(noted.samples.begin(), noted.samples.end());
    std::printf(
        "  %-44s%12s%12s%12s  %s\n", noted.name.c_str(), shown(value).c_str(), shown(*least).c_str(),
        shown(*most).c_str(), noted.unit.c_str()
    );
    std::fflush(stdout);
    rows_.push_back({std::move(noted), value});
}

figure const* report::find(std::string_view name) const noexcept
{
    for (auto const& each : rows_)
        if (each.what.name == name)
            return &each.what;
    return nullptr;
}

figure const& report::get(std::string_view name) const
{
    if (auto const* found = find(name))
        return *found;
    throw std::invalid_argument("no figure is called " + std::string(name));
}

void report::claim(std::string_view name, double most)
{
    claims_.push_back({std::string(name), most});
}

bool report::judge() const
{
    bool all = true;
    std::printf("\nClaims\n");
    for (auto const& [name, most] : claims_)
    {
        auto const found =
            std::find_if(rows_.begin(), rows_.end(), [&](row const& each) { return each.what.name == name; });
        bool const holds = found != rows_.end() && found->value <= most;
        all = all && holds;
        std::printf(
            "  %-44s%12s  at most %-8s%s\n", name.c_str(),
            found == rows_.end() ? "not measured" : shown(found->value).c_str(), shown(most).c_str(),
            holds ? "holds" : "DOES NOT HOLD"
        );
    }
    return all;
}

void report::chart(std::string_view title, std::string_view prefix)
{
    charts_.push_back({std::string(title), std::string(prefix) + "/"});
}

void report::write_json(std::string const& path) const
{
    std::vector<json_row> rows;
    for (auto const& [what, value] : rows_)
        rows.push_back({what.name, value, what.unit, what.samples});
    bench::write_json(path, rows);
}

void report::write_svg(std::string const& path) const
{
    constexpr int line = 20;
    constexpr int left = 200;
    constexpr double widest = 360;
    std::string drawing;
    int y = 10;
    auto const words = [&](int x, std::string_view style, std::string const& what) {
        drawing += text(
            "<text x=\"%d\" y=\"%d\" %.*s>%s</text>\n", x, y + 13, static_cast<int>(style.size()), style.data(),
            what.c_str()
        );
    };
    for (auto const& [title, prefix] : charts_)
    {
        std::vector<row const*> bars;
        double most = 0;
        for (auto const& each : rows_)
            if (each.what.name.starts_with(prefix))
            {
                bars.push_back(&each);
                most = std::max(most, each.value);
            }
        if (bars.empty())
            continue;
        std::stable_sort(bars.begin(), bars.end(), [](row const* a, row const* b) { return a->value < b->value; });
        words(8, "font-weight=\"bold\"", title);
        y += line + 2;
        for (auto const* bar : bars)
        {
            auto const width = most == 0 ? 0.0 : bar->value / most * widest;
            words(16, "", bar->what.name.substr(prefix.size()));
            drawing += text(
                "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"14\" fill=\"%s\"/>\n", left, y + 2, width,
                bar->what.ours ? "#2a78d6" : "#9a9a94"
            );
            words(left + 6 + static_cast<int>(width), "", shown(bar->value) + " " + bar->what.unit);
            y += line;
        }
        y += 14;
    }
    std::ofstream file(path);
    file << text(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"660\" height=\"%d\" font-family=\"sans-serif\" "
        "font-size=\"13\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
        y
    );
    file << drawing << "</svg>\n";
    if (!file.flush())
        throw std::runtime_error(path + ": cannot be written");
}

} // namespace bench
