// Answers the questions of this folder; each with its peers in one run.
#include "questions.hpp"
#include "report.hpp"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace {

constexpr char usage[] = "Usage: ccloud-bench [--quick] [--check] [--rounds N] [--out DIRECTORY]\n"
                         "                    [--only network|decode|calls|errors|parts|memory|handshake|build]\n"
                         "Prints a table, and the claims with what was measured; with --out also writes results.json "
                         "and results.svg there.\n"
                         "--quick   smaller batches, fewer combinations\n"
                         "--check   fails where a claim does not hold\n";

struct wishes
{
    bool quick = false;
    bool check = false;
    int rounds = 0;
    std::string out;
    std::string only;
};

bool parse(int count, char** arguments, wishes& wanted)
{
    for (int i = 1; i < count; ++i)
    {
        std::string_view const option = arguments[i];
        if (option == "--quick")
            wanted.quick = true;
        else if (option == "--check")
            wanted.check = true;
        else if (i + 1 == count)
            return false;
        else
        {
            std::string_view const value = arguments[++i];
            auto const [end, failed] = std::from_chars(value.data(), value.data() + value.size(), wanted.rounds);
            if (option == "--out")
                wanted.out = value;
            else if (option == "--only")
                wanted.only = value;
            else if (option != "--rounds" || failed != std::errc() || end != value.data() + value.size() || wanted.rounds < 1)
                return false;
        }
    }
    return true;
}

/** One question that cannot be answered does not keep the others from it. */
bool answer(std::string_view name, std::function<void()> const& ask)
{
    try
    {
        ask();
        return true;
    }
    catch (std::exception const& failed)
    {
        std::fprintf(stderr, "ccloud-bench, %.*s: %s\n", static_cast<int>(name.size()), name.data(), failed.what());
        return false;
    }
}

} // namespace

int main(int count, char** arguments)
{
    wishes wanted;
    if (!parse(count, arguments, wanted))
    {
        std::fputs(usage, stderr);
        return 2;
    }
    int const rounds = wanted.rounds > 0 ? wanted.rounds : wanted.quick ? 5 : 9;
    bool const quick = wanted.quick;
    std::pair<std::string_view, std::function<void(bench::report&)>> const questions[] = {
        {"network", [&](bench::report& notes) { bench::contest(CCLOUD_PROGRAMS, quick, rounds, notes); }},
        {"decode", [&](bench::report& notes) { bench::decode(rounds, notes); }},
        {"calls", [&](bench::report& notes) { bench::call_cost(rounds, notes); }},
        {"errors", [&](bench::report& notes) { bench::error_cost(rounds, notes); }},
        {"parts", [&](bench::report& notes) { bench::parts(rounds, notes); }},
        {"memory", [&](bench::report& notes) { bench::memory(rounds, notes); }},
        {"handshake", [&](bench::report& notes) { bench::handshake(rounds, notes); }},
        {"build", [&](bench::report& notes) { bench::build_cost(quick, rounds, notes); }},
    };
    try
    {
        std::printf("ccloud-bench: %s build, %d rounds; a ratio is ours over the peer's\n", CCLOUD_BUILD_TYPE, rounds);
        bench::report notes;
        bool asked = false;
        bool answered = true;
        for (auto const& [name, ask] : questions)
            if (wanted.only.empty() || wanted.only == name)
            {
                asked = true;
                answered = answer(name, [&] { ask(notes); }) && answered;
            }
        if (!asked)
        {
            std::fputs(usage, stderr);
            return 2;
        }
        bool const holds = notes.judge();
        if (!wanted.out.empty())
        {
            notes.write_json(wanted.out + "/results.json");
            notes.write_svg(wanted.out + "/results.svg");
        }
        return answered && (holds || !wanted.check) ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    catch (std::exception const& failed)
    {
        std::fprintf(stderr, "ccloud-bench: %s\n", failed.what());
        return EXIT_FAILURE;
    }
}
