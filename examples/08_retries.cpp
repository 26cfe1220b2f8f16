// What is repeated and how often: a policy, a classifier, an observer, numbers.
#include <ccloud/ccloud.hpp>

#include "run_example.hpp"

#include <boost/asio/this_coro.hpp>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>

namespace asio = boost::asio;
namespace iam = ccloud::iam;
using namespace std::chrono_literals;

/** Writes a line for every further try. */
class retry_log final : public ccloud::observer
{
public:
    void retry_scheduled(
        ccloud::observed_call const& call, std::chrono::nanoseconds delay, ccloud::delay_source source,
        ccloud::retry_reason reason
    ) noexcept override
    {
        std::clog << "call " << call.id << ' ' << call.path << ": " << to_string(reason) << ", again in "
                  << std::chrono::duration<double>(delay).count() << " s (" << to_string(source) << ")\n";
    }
};

/** Repeats what this account's proxy answers while it starts. */
ccloud::retry_answer also_warming_up(ccloud::retry_question const& question)
{
    if (question.status == 403 && question.body.find("warming up") != std::string_view::npos)
        return {.what = ccloud::retry_answer::verdict::again, .delay = 2s};
    return {};
}

ccloud::config settings()
{
    auto config = ccloud::config::from_environment();
    config.retry.max_attempts = 4;
    config.retry.max_server_delay = 90s;
    config.classifier = also_warming_up;
    config.observer = std::make_shared<retry_log>();
    return config;
}

asio::awaitable<void> in_a_hurry(ccloud::client cloud)
{
    // Where the limit is used up this call ends at once, and says in how long it may do better.
    auto impatient = ccloud::retry_policy::defaults();
    impatient.on_exhausted = ccloud::on_exhausted::fail_fast;

    auto group = co_await iam::ip_groups(cloud).get("ipg-none", {.retry = impatient});
    if (!group && group.error() == ccloud::condition::throttled)
        std::cout << "in " << group.error().retry_after().value_or(1s).count() << " ns again\n";
    else if (!group)
        std::cout << group.error().what() << '\n';

    auto const numbers = cloud.metrics();
    std::cout << numbers.attempts << " requests for " << numbers.calls << " calls, " << numbers.throttled
              << " throttled\n";
}

int main()
{
    return run_example(in_a_hurry, settings);
}
