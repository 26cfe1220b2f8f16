// A class of yours, tested without a network and without waiting.
#include <ccloud/ccloud.hpp>
#include <ccloud/testing/run.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include <boost/asio/this_coro.hpp>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace asio = boost::asio;
namespace iam = ccloud::iam;
using namespace std::chrono_literals;

/** The class under test: it is given its client, and does not care what is behind. */
class office_network
{
public:
    explicit office_network(ccloud::client cloud) : groups_(std::move(cloud)) {}

    /** Adds a range to a group; gives how many it has then. */
    asio::awaitable<std::size_t> allow(std::string group_id, std::string block)
    {
        auto group = co_await or_throw(groups_.get(group_id));
        auto changed = co_await or_throw(groups_.update(group_id, iam::update_ip_group(group).cidr_block(block)));
        co_return changed.cidr_blocks.size();
    }

private:
    iam::ip_groups groups_;
};

int failures = 0;

void check(bool holds, std::string_view what)
{
    std::cout << (holds ? "ok      " : "FAILED  ") << what << '\n';
    failures += holds ? 0 : 1;
}

asio::awaitable<void> test_allow(std::shared_ptr<ccloud::testing::scripted_transport> wire)
{
    ccloud::config settings;
    settings.credentials = ccloud::api_key("key", "secret");
    ccloud::client cloud(co_await asio::this_coro::executor, settings, wire);

    office_network office(cloud);
    auto count = co_await office.allow("ipg-1", "10.2.0.0/16");
    check(count == 2, "the group has two ranges");
}

int main()
{
    auto wire = std::make_shared<ccloud::testing::scripted_transport>();
    wire->reply(429).header("Retry-After", "7");
    wire->reply(200, R"({"id": "ipg-1", "group_name": "Office", "cidr_blocks": ["10.1.0.0/16"]})");
    wire->reply(200, R"({"id": "ipg-1", "group_name": "Office", "cidr_blocks": ["10.1.0.0/16", "10.2.0.0/16"]})");

    ccloud::testing::run([&] { return test_allow(wire); });

    auto const& sent = wire->requests();
    check(sent.size() == 3, "three requests were sent");
    check(wire->waits().size() == 1 && wire->waits().front() == 7s, "the 429 was waited out, in no time");
    check(
        sent.back().request.body() == R"({"group_name":"Office","cidr_blocks":["10.1.0.0/16","10.2.0.0/16"]})",
        "the update names all ranges"
    );
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
