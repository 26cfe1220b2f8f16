// How many requests do calls cost at a server that limits, or is away? Beside the policy that is common elsewhere, each
// call on its own. Virtual time and a model of the server, then the simulator over TLS in real time.
#include <ccloud/ccloud.hpp>
#include <ccloud/testing/simulator.hpp>

#include "json_rows.hpp"
#include "rate_model.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace rate = bench::rate;
using rate::contender;

constexpr char usage[] = "Usage: rate_limit [--json FILE] [--seeds N] [--skip-simulator]\n"
                         "Prints tables; with --json also writes their means as rows of name and value.\n";

struct wishes
{
    std::string json;
    int seeds = 10;
    bool simulator = true;
};

bool parse(int count, char** arguments, wishes& wanted)
{
    for (int i = 1; i < count; ++i)
    {
        std::string_view const option = arguments[i];
        if (option == "--skip-simulator")
        {
            wanted.simulator = false;
            continue;
        }
        if (i + 1 == count)
            return false;
        std::string_view const value = arguments[++i];
        auto const* const end = value.data() + value.size();
        if (option == "--json")
            wanted.json = value;
        else if (option != "--seeds" || std::from_chars(value.data(), end, wanted.seeds).ptr != end || wanted.seeds < 1)
            return false;
    }
    return true;
}

/** One figure of several runs: all of them are better the smaller they are. */
class summary
{
public:
    void add(double value)
    {
        worst_ = runs_ == 0 ? value : (std::max)(worst_, value);
        sum_ += value;
        ++runs_;
    }

    double mean() const noexcept { return sum_ / runs_; }

    std::string text(char const* format, double unit = 1) const
    {
        char one[64];
        char both[128];
        std::snprintf(one, sizeof one, "%s (%s)", format, format);
        std::snprintf(both, sizeof both, one, mean() / unit, worst_ / unit);
        return both;
    }

private:
    double sum_ = 0;
    double worst_ = 0;
    int runs_ = 0;
};

void line(
    std::string_view what, std::string_view who, std::string const& a, std::string const& b, std::string const& c,
    std::string const& d
)
{
    std::printf(
        "  %-24.*s%-10.*s%20s%20s%20s%20s\n", static_cast<int>(what.size()), what.data(), static_cast<int>(who.size()),
        who.data(), a.c_str(), b.c_str(), c.c_str(), d.c_str()
    );
    std::fflush(stdout);
}

void queues(int seeds, std::vector<bench::json_row>& notes)
{
    std::printf(
        "\n%d calls at a server that lets 60 a minute pass, 20 and 100 at once; mean (worst) of %d seeds\n",
        rate::queued_calls, seeds
    );
    line("", "", "sent", "429", "failed", "elapsed / ideal");
    for (auto const& what : rate::scenarios())
        for (int const parallel : {20, 100})
            for (auto const who : {contender::ours, contender::control})
            {
                summary sent;
                summary throttled;
                summary failed;
                summary elapsed;
                for (int seed = 1; seed <= seeds; ++seed)
                {
                    auto const got = rate::play(what, parallel, who, static_cast<std::uint64_t>(seed));
                    sent.add(got.sent);
                    throttled.add(got.throttled);
                    failed.add(got.failed);
                    elapsed.add(got.elapsed);
                }
                auto const shape = std::string(what.name) + '/' + std::to_string(parallel);
                auto const name = "rate/" + shape + '/' + std::string(to_string(who)) + '/';
                notes.push_back({name + "sent", sent.mean()});
                notes.push_back({name + "throttled", throttled.mean()});
                notes.push_back({name + "failed", failed.mean()});
                notes.push_back({name + "elapsed", elapsed.mean()});
                line(
                    shape, to_string(who), sent.text("%.1f"), throttled.text("%.1f"), failed.text("%.1f"),
                    elapsed.text("%.3f")
                );
            }
}

void fleets(int seeds, std::vector<bench::json_row>& notes)
{
    constexpr auto brief = rate::short_outage();
    constexpr auto total = rate::total_outage();
    constexpr double percent = 0.01;
    std::printf(
        "\n%d clients with a call a second each, connections refused from 20 s to 23 s; and %d clients that are always "
        "refused\n",
        brief.clients, total.clients
    );
    line("", "", "failed in outage, %", "failed in all, %", "peak / steady", "requests / call");
    for (auto const who : {contender::ours, contender::control})
    {
        summary in_outage;
        summary in_all;
        summary peak;
        summary requests;
        for (int seed = 1; seed <= seeds; ++seed)
        {
            auto const met = rate::play(brief, who, static_cast<std::uint64_t>(seed));
            in_outage.add(met.failed_share());
            in_all.add(static_cast<double>(met.failed) / static_cast<double>(met.calls));
            peak.add(met.peak);
            auto const refused = rate::play(total, who, static_cast<std::uint64_t>(seed));
            requests.add(refused.requests_per_call);
        }
        std::string const suffix = who == contender::ours ? "" : "/control";
        notes.push_back({"fleet/outage/failed_share" + suffix, in_outage.mean()});
        notes.push_back({"fleet/outage/peak" + suffix, peak.mean()});
        notes.push_back({"fleet/total/" + std::string(to_string(who)), requests.mean()});
        line(
            "fleet", to_string(who), in_outage.text("%.2f", percent), in_all.text("%.3f", percent), peak.text("%.2f"),
            requests.text("%.3f")
        );
    }
}

/** Three hundred calls of one client at the simulator, a hundred at once. */
class real_run
{
public:
    real_run(ccloud::testing::simulator& server, contender who)
        : who_(who), cloud_(context_.get_executor(), settings_for(server, who))
    {
    }

    void run()
    {
        int busy = parallel;
        for (int i = 0; i < parallel; ++i)
            asio::co_spawn(context_, work(), [this, &busy](std::exception_ptr failed) {
                if (failed)
                    std::rethrow_exception(failed);
                if (--busy == 0)
                    cloud_.close();
            });
        context_.run();
    }

    int failed() const noexcept { return failed_; }

    static constexpr int parallel = 100;

private:
    static ccloud::config settings_for(ccloud::testing::simulator const& server, contender who)
    {
        auto settings = server.settings();
        settings.threading = ccloud::threading::serial;
        settings.total_timeout = std::chrono::seconds(600);
        // Each call of the control is on its own: none holds another back.
        if (who == contender::control)
            settings.rate_scope = ccloud::rate_scope::keyed([calls = 0](ccloud::method, std::string_view) mutable {
                return std::to_string(++calls);
            });
        return settings;
    }

    asio::awaitable<void> work()
    {
        while (queue_ > 0)
        {
            --queue_;
            bool ok = false;
            if (who_ == contender::ours)
                ok = co_await call();
            else
                ok = co_await call_as_control();
            if (!ok)
                ++failed_;
        }
    }

    asio::awaitable<bool> call()
    {
        ccloud::http_request const request(ccloud::method::get, target);
        auto const got = co_await cloud_.execute(request);
        co_return got.has_value();
    }

    asio::awaitable<bool> call_as_control()
    {
        ccloud::http_request const request(ccloud::method::get, target);
        ccloud::call_options once;
        once.retry = ccloud::retry_policy::none();
        asio::steady_timer timer(co_await asio::this_coro::executor);
        for (int index = 0;; ++index)
        {
            auto const got = co_await cloud_.execute(request, once);
            if (got)
                co_return true;
            int const status = got.error().status();
            if (index + 1 == rate::control_attempts || !rate::control_repeats(status))
                co_return false;
            timer.expires_after(rate::control_wait(index, got.response().retry_after()));
            co_await timer.async_wait(asio::use_awaitable);
        }
    }

    static constexpr char target[] = "/iam/v2/ip-groups?page_size=1";

    contender who_;
    int queue_ = rate::queued_calls;
    int failed_ = 0;
    asio::io_context context_{1};
    ccloud::client cloud_;
};

void simulated(std::vector<bench::json_row>& notes)
{
    std::printf(
        "\n%d calls at the simulator over TLS, which lets 50 a second pass, %d at once\n", rate::queued_calls,
        real_run::parallel
    );
    line("", "", "sent", "429", "failed", "");
    for (auto const who : {contender::ours, contender::control})
    {
        ccloud::testing::simulator_options options;
        options.seed_groups = 1;
        options.rate_limit = 50;
        options.rate_window = std::chrono::seconds(1);
        ccloud::testing::simulator server(options);
        real_run one(server, who);
        one.run();
        auto const log = server.log();
        auto const throttled =
            std::count_if(log.begin(), log.end(), [](std::string const& entry) { return entry.ends_with(" 429"); });
        auto const shape = "simulator/" + std::to_string(real_run::parallel);
        auto const name = "rate/" + shape + '/' + std::string(to_string(who)) + '/';
        notes.push_back({name + "sent", static_cast<double>(server.requests())});
        notes.push_back({name + "throttled", static_cast<double>(throttled)});
        line(
            shape, to_string(who), std::to_string(server.requests()), std::to_string(throttled),
            std::to_string(one.failed()), ""
        );
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
    try
    {
        std::vector<bench::json_row> notes;
        queues(wanted.seeds, notes);
        fleets(wanted.seeds, notes);
        if (wanted.simulator)
            simulated(notes);
        if (!wanted.json.empty())
            bench::write_json(wanted.json, notes);
        return EXIT_SUCCESS;
    }
    catch (std::exception const& failed)
    {
        std::fprintf(stderr, "rate_limit: %s\n", failed.what());
        return EXIT_FAILURE;
    }
}
