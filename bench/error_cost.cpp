// What does a call cost that ends in an error, looked at as a result and caught as an exception? On the scripted
// transport, so without a network and with its own share (micro/call_ns/transport). CPU time of the thread.
#include <ccloud/ccloud.hpp>
#include <ccloud/testing/run.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "answer_fields.hpp"
#include "measure.hpp"
#include "questions.hpp"

#include <boost/asio/this_coro.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace bench {

namespace {

namespace asio = boost::asio;
namespace iam = ccloud::iam;

constexpr int warm_up = 100;
constexpr int calls = 5'000;
constexpr char id[] = "ipg-00100";

ccloud::http_response not_found()
{
    return {
        404, answer_fields(),
        R"({"errors":[{"id":"91de1d2b01474f0ea5ae95e1ee5e3f0b","status":"404",)"
        R"("detail":"IP group not found: not found","source":{}}]})"};
}

ccloud::http_response throttled()
{
    auto fields = answer_fields();
    fields.add("Retry-After", "0");
    return {
        429, std::move(fields),
        R"({"errors":[{"id":"91de1d2b01474f0ea5ae95e1ee5e3f0b","status":"429",)"
        R"("title":"Too Many Requests","detail":"rate limit exceeded","source":{}}]})"};
}

/** No call is repeated, and a 429 closes the gate for no time, so that the next call need not wait: the server says 0,
    and so does the policy, which counts then. */
ccloud::config make_settings()
{
    ccloud::config settings;
    settings.credentials = ccloud::api_key("KEY", "SECRET");
    settings.threading = ccloud::threading::serial;
    settings.retry = ccloud::retry_policy::none();
    settings.retry.throttle_base_delay = settings.retry.throttle_max_delay = {};
    return settings;
}

using attempted = asio::awaitable<void> (*)(iam::ip_groups const& groups, int status, int times);

asio::awaitable<void> as_results(iam::ip_groups const& groups, int status, int times)
{
    for (int i = 0; i < times; ++i)
    {
        auto got = co_await groups.get(id);
        if (got || got.error().status() != status)
            throw std::runtime_error("error cost: a call ended differently");
        keep(got.error());
    }
}

asio::awaitable<void> as_exceptions(iam::ip_groups const& groups, int status, int times)
{
    for (int i = 0; i < times; ++i)
        try
        {
            auto got = co_await or_throw(groups.get(id));
            throw std::runtime_error("error cost: a call succeeded");
        }
        catch (ccloud::api_exception const& failed)
        {
            if (failed.error().status() != status)
                throw;
            keep(failed.error());
        }
}

asio::awaitable<void> measured(ccloud::http_response const& answer, attempted attempt, double& cost)
{
    auto wire = std::make_shared<ccloud::testing::scripted_transport>();
    wire->reserve(warm_up + calls);
    wire->reply_with([&answer](ccloud::http_request const&) { return answer; });
    ccloud::client cloud(co_await asio::this_coro::executor, make_settings(), wire);
    iam::ip_groups groups(cloud);
    co_await attempt(groups, answer.status(), warm_up);
    auto const start = thread_cpu_seconds();
    co_await attempt(groups, answer.status(), calls);
    cost = (thread_cpu_seconds() - start) * 1e6 / calls;
    if (cloud.metrics().gate_waits > 0)
        throw std::runtime_error("error cost: calls waited at the gate");
}

contender with(std::string name, ccloud::http_response const& answer, attempted attempt)
{
    return {std::move(name), true, [&answer, attempt] {
                double cost = 0;
                ccloud::testing::run([&] { return measured(answer, attempt, cost); });
                return std::vector<double>{cost};
            }};
}

} // namespace

void error_cost(int rounds, report& notes)
{
    auto const missing = not_found();
    auto const busy = throttled();
    question what;
    what.title = "GET one IP group on a transport that answers at once, with an error";
    what.metrics = {{"micro/error_us", "us"}};
    what.contenders = {
        with("404_result", missing, as_results),
        with("404_exception", missing, as_exceptions),
        with("429_result", busy, as_results),
        with("429_exception", busy, as_exceptions),
    };
    ask(what, rounds, notes);
    notes.chart("A call that ends in an error, as a result and as an exception", "micro/error_us");
}

} // namespace bench
