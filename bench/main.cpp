// Answers the questions of this folder; each with its peers in one run.
#include "questions.hpp"
#include "report.hpp"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>

namespace {

constexpr char usage[] = "Usage: ccloud-bench [--out DIRECTORY] [--rounds N] [--only decode|calls|cost|handshake]\n"
                         "Prints a table; with --out also writes results.json and results.svg there.\n";

struct wishes
{
    std::string out;
    std::string only;
    int rounds = 9;
};

bool parse(int count, char** arguments, wishes& wanted)
{
    for (int i = 1; i < count; ++i)
    {
        std::string_view const option = arguments[i];
        if (i + 1 == count)
            return false;
        std::string_view const value = arguments[++i];
        if (option == "--out")
            wanted.out = value;
        else if (option == "--only")
            wanted.only = value;
        else if (option != "--rounds" || std::from_chars(value.data(), value.data() + value.size(), wanted.rounds).ec != std::errc() || wanted.rounds < 1)
            return false;
    }
    return true;
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
    try
    {
        std::printf(
            "ccloud-bench: %s build, medians of %d rounds; ratios are ours over the peer's\n", CCLOUD_BUILD_TYPE,
            wanted.rounds
        );
        bench::report notes;
        auto const asked = [&wanted](std::string_view name) { return wanted.only.empty() || wanted.only == name; };
        if (asked("decode"))
            bench::decode(wanted.rounds, notes);
        if (asked("calls"))
            bench::round_trips(wanted.rounds, notes);
        if (asked("cost"))
            bench::call_cost(wanted.rounds, notes);
        if (asked("handshake"))
            bench::handshake(wanted.rounds, notes);
        if (!wanted.out.empty())
        {
            notes.write_json(wanted.out + "/results.json");
            notes.write_svg(wanted.out + "/results.svg");
        }
        return EXIT_SUCCESS;
    }
    catch (std::exception const& failed)
    {
        std::fprintf(stderr, "ccloud-bench: %s\n", failed.what());
        return EXIT_FAILURE;
    }
}
