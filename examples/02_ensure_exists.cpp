// Makes sure that an IP group exists: the result style, where outcomes are branched on and nothing is thrown.
#include <ccloud/ccloud.hpp>

#include "run_example.hpp"

#include <iostream>
#include <string>
#include <utility>

namespace asio = boost::asio;
namespace iam = ccloud::iam;

/** `id`: what it was the last time; any text where that is not known. */
ccloud::operation<iam::ip_group> ensure_exists(
    iam::ip_groups groups, std::string id, std::string name, std::string block
)
{
    auto group = co_await groups.get(id);
    if (!group && group.error() == ccloud::condition::not_found)
        group = co_await groups.create(iam::create_ip_group(name).cidr_block(block));
    if (group || group.error() != ccloud::condition::conflict)
        co_return group;

    // The name is taken: look for the group that has it.
    auto all = co_await groups.list().collect();
    if (!all)
        co_return std::move(all).error();
    for (auto& other : *all)
        if (other.group_name == name)
            co_return std::move(other);
    co_return group; // it went in between: the conflict stands
}

asio::awaitable<void> report(ccloud::client cloud, std::string id, std::string name, std::string block)
{
    auto group = co_await ensure_exists(iam::ip_groups(cloud), id, name, block);
    if (group)
        std::cout << group->id << "  " << group->group_name << '\n';
    else
        std::cout << group.error().what() << '\n';
}

int main(int count, char** arguments)
{
    if (count != 4)
    {
        std::cerr << "Creates an IP group where there is none. Usage: 02_ensure_exists ID NAME BLOCK\n"
                     "e.g. 02_ensure_exists ipg-unknown CorpNet 10.0.0.0/8\n";
        return EXIT_FAILURE;
    }
    std::string const id = arguments[1];
    std::string const name = arguments[2];
    std::string const block = arguments[3];
    return run_example([&](ccloud::client cloud) { return report(cloud, id, name, block); });
}
