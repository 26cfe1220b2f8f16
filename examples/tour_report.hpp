#ifndef CCLOUD_EXAMPLES_TOUR_REPORT_HPP
#define CCLOUD_EXAMPLES_TOUR_REPORT_HPP

#include <ccloud/operation.hpp>

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

/** What the tour prints: headings, lines, and a table with a row an operation. Colour on a terminal only. */
class tour_report
{
public:
    using clock = std::chrono::steady_clock;

    explicit tour_report(bool colour) noexcept : colour_(colour) {}

    /** Colour on a terminal, unless NO_COLOR says otherwise (https://no-color.org). */
    static bool wants_colour()
    {
        auto const* const no_colour = std::getenv("NO_COLOR");
        return ::isatty(STDOUT_FILENO) == 1 && (!no_colour || *no_colour == '\0');
    }

    void heading(std::string_view text) { print("\n" + paint("1", std::string(text)) + "\n"); }
    void line(std::string_view text) { print("  " + std::string(text) + "\n"); }
    void note(std::string_view text) { print(paint("2", "  " + std::string(text)) + "\n"); }

    /** For progress within a line. */
    void print(std::string_view text)
    {
        std::fwrite(text.data(), 1, text.size(), stdout);
        std::fflush(stdout);
    }

    void table_head()
    {
        std::string const names =
            text("%-10s%-8s%-18s%-8s%-34s%7s", "operation", "verb", "path", "status", "request id", "ms");
        print(paint("2", "  " + names) + "\n");
    }

    void collection(std::string_view name, std::string_view path)
    {
        print("  " + paint("36", std::string(name) + ": " + std::string(path)) + "\n");
    }

    /** Awaits one operation; its row appears in two steps, before and after. "..." in `path` stands for the path of the
        collection. */
    template <class T>
    ccloud::operation<T> row(std::string_view name, std::string_view verb, std::string path, ccloud::operation<T> call)
    {
        ++operations_;
        print(text("  %-10.*s%-8.*s%-18s", width(name), name.data(), width(verb), verb.data(), path.c_str()));
        auto const start = clock::now();
        auto outcome = co_await std::move(call);
        end_row(outcome.response(), outcome.has_value(), milliseconds_since(start));
        if (!outcome.has_value())
            line("  " + outcome.error().what());
        co_return outcome;
    }

    int operations() const noexcept { return operations_; }
    int succeeded() const noexcept { return succeeded_; }

    static double milliseconds_since(clock::time_point start)
    {
        return std::chrono::duration<double, std::milli>(clock::now() - start).count();
    }

    template <class... Arguments>
    static std::string text(char const* format, Arguments... arguments)
    {
        char line[512];
        std::snprintf(line, sizeof line, format, arguments...);
        return line;
    }

    static int width(std::string_view text) noexcept { return static_cast<int>(text.size()); }

    std::string paint(std::string_view code, std::string text) const
    {
        if (!colour_)
            return text;
        return "\x1b[" + std::string(code) + "m" + text + "\x1b[0m";
    }

private:
    void end_row(ccloud::response_info const& response, bool ok, double took)
    {
        succeeded_ += ok ? 1 : 0;
        std::string status = response.status() == 0 ? "-" : std::to_string(response.status());
        status.resize(8, ' ');
        std::string const id(response.request_id().empty() ? "-" : response.request_id());
        print(paint(ok ? "32" : "31", status) + text("%-34s%7.1f\n", id.c_str(), took));
    }

    bool colour_;
    int operations_ = 0;
    int succeeded_ = 0;
};

#endif
