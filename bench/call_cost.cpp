// What does a call cost above its transport? The transport is the scripted one, which answers at once; by itself it is
// the peer. It records every request, which is part of its cost.
#include <ccloud/ccloud.hpp>
#include <ccloud/testing/run.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "allocations.hpp"
#include "measure.hpp"
#include "questions.hpp"

#include <boost/asio/this_coro.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace bench {

namespace {

namespace asio = boost::asio;
using wire_pointer = std::shared_ptr<ccloud::testing::scripted_transport>;

constexpr int warm_up = 100;
constexpr int calls = 5'000;
constexpr char target[] = "/iam/v2/ip-groups/ipg-wyorq";
constexpr char group[] = R"({"api_version":"iam/v2","kind":"IpGroup","id":"ipg-wyorq","metadata":{)"
                         R"("self":"https://confluent.cloud/iam/v2/ip-groups/ipg-wyorq",)"
                         R"("created_at":"2025-07-22T12:21:26.295975Z"},)"
                         R"("group_name":"CorpNet","cidr_blocks":["192.168.0.0/24","192.168.7.0/24"]})";

wire_pointer make_wire()
{
    auto wire = std::make_shared<ccloud::testing::scripted_transport>();
    wire->reserve(warm_up + calls);
    wire->reply_with([](ccloud::http_request const&) {
        return ccloud::http_response(200, ccloud::http_headers(), group);
    });
    return wire;
}

/** Between two looks at clock and counter. */
class meter
{
public:
    std::vector<double> per_call() const
    {
        std::chrono::duration<double, std::nano> const took = std::chrono::steady_clock::now() - start_;
        return {static_cast<double>(allocations() - allocations_) / calls, took.count() / calls};
    }

private:
    std::uint64_t allocations_ = allocations();
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

void require(bool holds)
{
    if (!holds)
        throw std::runtime_error("call cost: a call failed");
}

asio::awaitable<void> typed_calls(ccloud::threading how, std::vector<double>& cost)
{
    auto wire = make_wire();
    ccloud::config settings;
    settings.credentials = ccloud::api_key("KEY", "SECRET");
    settings.threading = how;
    ccloud::client cloud(co_await asio::this_coro::executor, settings, wire);
    ccloud::iam::ip_groups groups(cloud);
    for (int i = 0; i < warm_up; ++i)
    {
        auto got = co_await groups.get("ipg-wyorq");
        require(got.has_value());
    }
    meter const measured;
    for (int i = 0; i < calls; ++i)
    {
        auto got = co_await groups.get("ipg-wyorq");
        require(got.has_value());
    }
    cost = measured.per_call();
}

/** The same requests, given to the transport directly; nobody reads the answers. */
asio::awaitable<void> bare_calls(std::vector<double>& cost)
{
    auto wire = make_wire();
    ccloud::http_request request(ccloud::method::get, target);
    request.headers()
        .add("Host", "api.confluent.cloud")
        .add("Authorization", "Basic S0VZOlNFQ1JFVA==")
        .add("User-Agent", "bench/1.0 (https://example.com; nobody@example.com)")
        .add("Accept", "application/json");
    ccloud::origin const to(true, "api.confluent.cloud", 443);
    ccloud::send_options const options;
    for (int i = 0; i < warm_up; ++i)
    {
        auto got = co_await wire->send(request, to, options);
        require(got.answered());
    }
    meter const measured;
    for (int i = 0; i < calls; ++i)
    {
        auto got = co_await wire->send(request, to, options);
        require(got.answered());
    }
    cost = measured.per_call();
}

std::vector<double> run_typed(ccloud::threading how)
{
    std::vector<double> cost;
    ccloud::testing::run([&] { return typed_calls(how, cost); });
    return cost;
}

std::vector<double> run_bare()
{
    std::vector<double> cost;
    ccloud::testing::run([&] { return bare_calls(cost); });
    return cost;
}

} // namespace

void call_cost(int rounds, report& notes)
{
    question asked;
    asked.name = "call";
    asked.title = "GET one IP group on a transport that answers at once";
    asked.metrics = {{"allocations", "1"}, {"time", "ns"}};
    asked.contenders = {
        {"on the client's executor", true, [] { return run_typed(ccloud::threading::serial); }},
        {"across the hop", true, [] { return run_typed(ccloud::threading::safe); }},
        {"transport alone", false, run_bare},
    };
    ask(asked, rounds, notes);
}

} // namespace bench
