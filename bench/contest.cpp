// What does a request cost, ours and our peers'? Every contender is a program of its own that sends the same GETs over
// TLS 1.3 to one nginx, and measures itself once its connections stand; nginx has the other core. Ours decodes into
// structs; who else does is called so.
#include "child.hpp"
#include "measure.hpp"
#include "nginx.hpp"
#include "questions.hpp"

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace bench {

namespace {

constexpr char group[] = "/iam/v2/ip-groups/ipg-wyorq";
constexpr char page[] = "/iam/v2/ip-groups?page_size=100";
constexpr char authorization[] = "Authorization: Basic S0VZOlNFQ1JFVA==";

std::vector<metric> const metrics{{"cpu_us", "us"}, {"rate", "1/s"}, {"p50_us", "us"}, {"p99_us", "us"}};

/** The number that follows `name` in what a contender prints. */
double number(std::string const& line, std::string const& name)
{
    auto const at = line.find(name + "=");
    if (at == std::string::npos)
        throw std::runtime_error("a contender printed \"" + line + "\"");
    return std::strtod(line.c_str() + at + name.size() + 1, nullptr);
}

/** A batch of requests. */
struct load
{
    std::string target;
    int connections = 64;
    int requests = 0;
};

class ring
{
public:
    explicit ring(std::string programs) : programs_(std::move(programs)) {}

    bool has(std::string const& program) const { return std::filesystem::exists(programs_ + "/" + program); }

    /** A program that speaks the protocol of peers/load.hpp. */
    contender with(
        std::string name, bool ours, std::string const& program, load const& what, std::vector<std::string> options,
        std::vector<std::string> settings = {}
    ) const
    {
        std::vector<std::string> command{
            programs_ + "/" + program,
            "--url",
            server_.url(what.target),
            "--ca",
            server_.ca_file(),
            "--connections",
            std::to_string(what.connections),
            "--requests",
            std::to_string(what.requests)};
        command.insert(command.end(), options.begin(), options.end());
        return {std::move(name), ours, [command = std::move(command), settings = std::move(settings)] {
                    auto const line = run_child(command, settings).output;
                    return values(line, number(line, "cpu_us"));
                }};
    }

    /** wrk does not know its CPU time; the handshakes are part of what the system says of it. */
    contender wrk(load const& what, bool quick) const
    {
        std::vector<std::string> command{
            "wrk",
            "-t1",
            "-c" + std::to_string(what.connections),
            quick ? "-d1s" : "-d2s",
            "-s",
            CCLOUD_WRK_SCRIPT,
            "-H",
            authorization,
            "-H",
            "Accept: application/json",
            server_.url(what.target)};
        return {"wrk", false, [command = std::move(command)] {
                    auto const end = run_child(command);
                    return values(end.output, end.cpu_seconds * 1e6);
                }};
    }

private:
    static std::vector<double> values(std::string const& line, double cpu_us)
    {
        auto const requests = number(line, "requests");
        return {cpu_us / requests, requests / number(line, "seconds"), number(line, "p50_us"), number(line, "p99_us")};
    }

    std::string programs_;
    nginx_server server_;
};

/** All that send the same request. */
question everybody(ring const& at, std::string name, std::string title, load const& what, bool quick)
{
    question asked{std::move(name), std::move(title), metrics, {}};
    auto& who = asked.contenders;
    who.push_back(at.with("ccloud", true, "ccloud-load", what, {}));
    who.push_back(at.with("beast_tuned", false, "beast_tuned", what, {}));
    who.push_back(at.with("beast_naive", false, "beast_naive", what, {}));
    who.push_back(at.wrk(what, quick));
    if (at.has("curl_multi"))
    {
        who.push_back(at.with("libcurl", false, "curl_multi", what, {}));
        who.push_back(at.with("libcurl_json", false, "curl_multi", what, {"--json"}));
    }
    if (at.has("go_client"))
        who.push_back(at.with("go", false, "go_client", what, {"--json"}, {"GOMAXPROCS=1"}));
    return asked;
}

/** Ours alone: connections by callers, and with one thing or another added. */
question ours(ring const& at, std::string name, std::string title, load const& what, bool quick)
{
    question asked{std::move(name), std::move(title), metrics, {}};
    auto& who = asked.contenders;
    for (int const connections : {1, 16, 64})
        for (int const callers : {1, 64, 1'000, 10'000})
        {
            if (quick && (connections != 64 || callers < 64))
                continue;
            auto batch = what;
            batch.connections = connections;
            batch.requests = std::max(callers, connections == 1 || callers == 1 ? what.requests / 4 : what.requests);
            who.push_back(at.with(
                std::to_string(connections) + "x" + std::to_string(callers), true, "ccloud-load", batch,
                {"--callers", std::to_string(callers)}
            ));
        }
    for (auto const* option : {"observer", "gzip", "hop", "raw"})
        who.push_back(at.with(option, true, "ccloud-load", what, {std::string("--") + option}));
    return asked;
}

} // namespace

void contest(std::string const& programs, bool quick, int rounds, report& notes)
{
    ring const at(programs);
    load const small{group, 64, quick ? 10'000 : 30'000};
    load const big{page, 64, quick ? 2'000 : 6'000};
    ask(everybody(at, "small_get", "GET one IP group, 420 bytes, 64 connections", small, quick), rounds, notes);
    ask(everybody(at, "page", "GET a page of 100 IP groups, 42 KB, 64 connections", big, quick), rounds, notes);
    ask(ours(at, "get", "get(): connections x callers, and 64 x 64 with", small, quick), rounds, notes);
    ask(ours(at, "list", "list(), a page: connections x callers, and 64 x 64 with", big, quick), rounds, notes);

    notes.begin("Ratios of client CPU a request");
    auto const against = [&notes](std::string const& what, std::string const& peer, double most) {
        auto const name = "ratio/" + what + "/" + peer;
        auto const theirs = "cpu_us/" + what + "/" + peer;
        if (notes.has(theirs)) // it may be missing here; then the claim says so
            notes.add_ratio(name, "cpu_us/" + what + "/ccloud", theirs);
        notes.claim(name, most);
    };
    against("small_get", "libcurl", 0.45);
    against("small_get", "go", 0.45);
    against("small_get", "beast_tuned", 1.25);
    against("small_get", "wrk", 1.35);
    against("page", "libcurl_json", 0.50);
    against("page", "go", 0.50);
    against("page", "beast_tuned", 2.1);
    notes.add_ratio("ratio/callers_10000_vs_64", "cpu_us/get/64x10000", "cpu_us/get/64x64");
    notes.claim("ratio/callers_10000_vs_64", 1.15);

    notes.chart("Client CPU of a GET of one IP group", "cpu_us/small_get");
    notes.chart("Client CPU of a GET of a page of 100 IP groups", "cpu_us/page");
    notes.chart("Requests a second, a GET of one IP group", "rate/small_get");
}

} // namespace bench
