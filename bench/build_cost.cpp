// What does a user's build pay? CPU time of the compiler that only reads a public header, beside the one of Asio that
// operations stand on; and the bytes that linking the library adds, with what it pulls out of Asio's headers. Left out
// is what the user's own code costs to compile.
#include "child.hpp"
#include "measure.hpp"
#include "questions.hpp"
#include "testing/simulator_tls.hpp"

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bench {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view whole = "ccloud"; // ccloud.hpp includes all but testing
constexpr int most_rounds_of_all = 3;

double milliseconds_to_include(std::string const& header)
{
    auto const end = run_child(
        {CCLOUD_CXX, "-std=c++20", "-fsyntax-only", "-I" CCLOUD_INCLUDE, "-I" CCLOUD_GENERATED_INCLUDE, "-include",
         header, "-xc++", "/dev/null"}
    );
    return end.cpu_seconds * 1e3;
}

contender including(std::string name, bool ours, std::string header)
{
    return {std::move(name), ours, [header = std::move(header)] {
                return std::vector<double>{milliseconds_to_include(header)};
            }};
}

contender including_ours(std::string const& name)
{
    return including(name, true, "ccloud/" + name + ".hpp");
}

/** Without the folder "ccloud" and the extension: "iam/ip_groups". */
std::vector<std::string> public_headers()
{
    fs::path const root = fs::path(CCLOUD_INCLUDE) / "ccloud";
    std::vector<std::string> names;
    for (auto const& entry : fs::recursive_directory_iterator(root))
        if (entry.path().extension() == ".hpp")
            names.push_back(entry.path().lexically_relative(root).replace_extension().generic_string());
    std::sort(names.begin(), names.end());
    return names;
}

question about(std::string title, std::vector<contender> who)
{
    return {"", std::move(title), {{"build_ms/include", "ms"}}, std::move(who)};
}

double stripped_megabytes(std::string const& program)
{
    ccloud::testing::simulated::temporary_file const lean("");
    run_child({"strip", "-o", lean.path(), program});
    return static_cast<double>(fs::file_size(lean.path())) * 1e-6;
}

} // namespace

void build_cost(bool quick, int rounds, report& notes)
{
    ask(about(
            "Include one header, CPU of the compiler",
            {
                including_ours(std::string(whole)),
                including("awaitable", false, "boost/asio/awaitable.hpp"),
            }
        ),
        rounds, notes);
    notes.add_ratio("ratio/include_vs_awaitable", "build_ms/include/ccloud", "build_ms/include/awaitable");
    notes.claim("ratio/include_vs_awaitable", 1.5);
    if (!quick)
    {
        std::vector<contender> who;
        for (auto const& name : public_headers())
            if (name != whole)
                who.push_back(including_ours(name));
        ask(about("Include one public header", std::move(who)), std::min(rounds, most_rounds_of_all), notes);
    }

    notes.begin("Stripped, above a program that does nothing");
    auto const nothing = stripped_megabytes(CCLOUD_WITHOUT);
    auto const above = [&notes, nothing](std::string name, std::string const& program, bool ours) {
        notes.add({std::move(name), "MB", {stripped_megabytes(program) - nothing}, ours});
    };
    above("size/linked_mb", CCLOUD_WITH, true);
    above("size/beast_naive_mb", CCLOUD_BEAST_NAIVE, false);
    notes.claim("size/linked_mb", 2);
}

} // namespace bench
