// One call of a stranger's program, tested without a network.
#include <ccloud/ccloud.hpp>
#include <ccloud/testing/run.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

namespace {

using wire_ptr = std::shared_ptr<ccloud::testing::scripted_transport>;

ccloud::asio::awaitable<void> read_one(wire_ptr wire, std::string& name)
{
    ccloud::config settings;
    settings.credentials = ccloud::api_key("key", "secret");
    auto const executor = co_await ccloud::asio::this_coro::executor;
    ccloud::client cloud(executor, settings, wire);
    ccloud::iam::ip_groups groups(cloud);
    auto group = co_await groups.get("ipg-wyorq");
    name = group.has_value() ? group->group_name : group.error().what();
}

ccloud::asio::awaitable<void> read_missing(wire_ptr wire)
{
    ccloud::config settings;
    settings.credentials = ccloud::api_key("key", "secret");
    auto const executor = co_await ccloud::asio::this_coro::executor;
    ccloud::client cloud(executor, settings, wire);
    ccloud::iam::ip_groups groups(cloud);
    auto group = co_await groups.get("ipg-none");
    std::cout << group.value().group_name << '\n';
}

/** Whether exceptions that are thrown in the library and in its headers are caught by their types. */
bool catches()
{
    int caught = 0;
    try
    {
        ccloud::config settings;
        settings.endpoint = "no URL";
        ccloud::asio::io_context context;
        ccloud::client cloud(context.get_executor(), settings);
    }
    catch (ccloud::configuration_error const&)
    {
        ++caught;
    }
    try
    {
        auto const wire = std::make_shared<ccloud::testing::scripted_transport>();
        wire->reply(404, "");
        ccloud::testing::run([&] { return read_missing(wire); });
    }
    catch (ccloud::api_exception const& failed)
    {
        caught += failed.error().response().status() == 404 ? 1 : 0;
    }
    try
    {
        auto const wire = std::make_shared<ccloud::testing::scripted_transport>();
        wire->reply(200, R"({"id": "ipg-wyorq"})").reply(500); // the second step is not used
        std::string name;
        ccloud::testing::run([&] { return read_one(wire, name); });
    }
    catch (ccloud::testing::script_error const&)
    {
        ++caught;
    }
    return caught == 3;
}

} // namespace

int main()
{
    auto const wire = std::make_shared<ccloud::testing::scripted_transport>();
    wire->reply(200, R"({"id": "ipg-wyorq", "group_name": "CorpNet", "cidr_blocks": ["10.0.0.0/8"]})");
    std::string name;
    ccloud::testing::run([&] { return read_one(wire, name); });
    std::cout << name << '\n';
    return name == "CorpNet" && catches() ? EXIT_SUCCESS : EXIT_FAILURE;
}
