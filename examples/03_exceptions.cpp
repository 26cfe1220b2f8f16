// The throwing style: or_throw around any operation, one catch for all of them.
#include <ccloud/ccloud.hpp>

#include "run_example.hpp"

#include <iostream>
#include <string>
#include <utility>

namespace asio = boost::asio;
namespace iam = ccloud::iam;

asio::awaitable<void> print_group(ccloud::client cloud, std::string id)
{
    iam::ip_groups groups(cloud);
    try
    {
        auto group = co_await or_throw(groups.get(id));
        std::cout << group.id << "  " << group.group_name << '\n';
    }
    catch (ccloud::api_exception const& failed)
    {
        std::cout << failed.what() << '\n';
        auto const& error = failed.error();
        std::cout << "  the request was " << to_string(error.progress()) << ", HTTP status " << error.status() << '\n';
        for (auto const& problem : error.problems())
            std::cout << "  " << problem.detail << "  " << problem.pointer << '\n';
        if (error == ccloud::condition::not_found)
            std::cout << "  there is no group " << id << '\n';
    }
}

int main(int count, char** arguments)
{
    std::string const id = count > 1 ? arguments[1] : "ipg-none-such";
    return run_example([&id](ccloud::client cloud) { return print_group(cloud, id); });
}
