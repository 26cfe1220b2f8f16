#include "rounds.hpp"

#include <ccloud/error.hpp>

#include <boost/system/system_error.hpp>

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>

using namespace std::chrono_literals;

namespace {

bool const verbose = std::getenv("VERBOSE") != nullptr;

std::string at_rest(world& on, ccloud::client const& cloud)
{
    auto const quiet = [&] {
        auto const now = cloud.metrics();
        return now.connections.dialing == 0 && now.connections.active == 0 && now.connections.waiting == 0 &&
               now.in_flight == 0 && now.waiting == 0 && now.calls == now.succeeded + now.failed;
    };
    if (on.until(quiet, 3s))
        return {};
    auto const now = cloud.metrics();
    return "is not at rest: dialing " + std::to_string(now.connections.dialing) + ", active " +
           std::to_string(now.connections.active) + ", waiting " + std::to_string(now.connections.waiting) +
           ", in flight " + std::to_string(now.in_flight) + ", in line " + std::to_string(now.waiting) + ", calls " +
           std::to_string(now.calls) + ", ended " + std::to_string(now.succeeded + now.failed) + "; ";
}

ccloud::client make(world& on, ccloud::config const& settings, round_plan const& with)
{
    boost::asio::any_io_executor const work = on.context.get_executor();
    return with.wire ? ccloud::client(work, settings, with.wire()) : ccloud::client(work, settings);
}

/** Makes calls until one succeeds. Returns why none does; empty if one has succeeded. */
std::string call_again(world& on, ccloud::client const& cloud, subject const& all, round_plan const& with)
{
    auto const last = world::clock::now() + with.recovers_within;
    for (;;)
    {
        auto& next = on.begin(all.home, [&] { return cloud.execute({ccloud::method::get, "/iam/v2/ip-groups"}); });
        on.until([&] { return next.over(); });
        if (next.how == act::end::value || next.text.find("the client is closed") != std::string::npos)
            return {};
        if (world::clock::now() >= last)
            return "the next call fails: " + next.text + "; ";
        auto const pause = world::clock::now() + 20ms;
        on.until([&] { return world::clock::now() >= pause; });
    }
}

} // namespace

std::string play(world& on, round_plan const& with, script const& what, heap::failures const& which)
{
    auto settings = with.settings;
    settings.threading = with.where == place::serial ? ccloud::threading::serial : ccloud::threading::safe;
    std::optional<ccloud::client> cloud;
    if (!with.begins_without)
        cloud.emplace(make(on, settings, with));
    auto const home = with.where == place::elsewhere ? on.other.get_executor() : on.context.get_executor();
    subject all{on, cloud, settings, home};
    std::string wrong;
    heap::arm(which);
    try
    {
        what(all);
    }
    catch (std::bad_alloc const&)
    {
    }
    catch (ccloud::configuration_error const&)
    {
    }
    catch (boost::system::system_error const&)
    {
    }
    (void)heap::disarm();
    if (!on.until([&] { return on.all_over(); }, 4s))
        wrong += "hangs; ";
    if (on.count(act::end::lost) > 0)
        wrong += "lost; ";
    for (auto const& each : on.acts)
        if (each.text.find("throw_if_cancelled") != std::string::npos)
            wrong += "throw_if_cancelled was changed; ";
    if (verbose && wrong.empty() && heap::failed() > 0)
        std::fprintf(stderr, "%zu: %s\n", which.first, on.outcomes().c_str());
    if (cloud)
        wrong += at_rest(on, *cloud);
    if (!cloud || with.may_be_crippled)
    {
        cloud.reset();
        cloud.emplace(make(on, settings, with));
    }
    wrong += call_again(on, *cloud, all, with);
    wrong += at_rest(on, *cloud);
    cloud.reset();
    on.poll();
    if (!on.until([&] { return on.context.stopped(); }))
        wrong += "work is left; ";
    if (!wrong.empty())
        wrong += " [" + on.outcomes() + "]";
    return wrong;
}

void check(std::string const& name, make_round const& make, sweep_options const& options)
{
    auto used = options;
    if (std::getenv("CCLOUD_EVERY_ALLOCATION"))
        used.step = 1;
    if (char const* text = std::getenv("CCLOUD_FAILURES_IN_A_ROW"))
        used.in_a_row = static_cast<std::size_t>(std::atoi(text));
    CAPTURE(name);
    auto const result = sweep(make, used);
    std::string const deaths = result.excused == 0 ? "" : ", and " + std::to_string(result.excused) + " deaths by Asio";
    MESSAGE(name << ": " << result.rounds << " rounds" << deaths);
    CHECK(result.rounds > 1); // something was made to fail
    for (auto const& each : result.complaints)
    {
        CAPTURE(each);
        CHECK(each.empty());
    }
}
