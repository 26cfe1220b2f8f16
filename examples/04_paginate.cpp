// Five ways through a listing.
#include <ccloud/ccloud.hpp>

#include "run_example.hpp"

#include <iostream>
#include <optional>
#include <string>

namespace asio = boost::asio;
namespace iam = ccloud::iam;

/** Item by item; pages are fetched as they are needed. */
asio::awaitable<void> by_item(iam::ip_groups groups)
{
    int count = 0;
    auto all = groups.list();
    while (auto group = co_await or_throw(all.next()))
        ++count;
    std::cout << "by item: " << count << " groups\n";
}

/** Page by page, the next one fetched while this one is worked on. */
asio::awaitable<void> by_page(iam::ip_groups groups)
{
    auto pages = groups.list({.page_size = 50, .prefetch = 1});
    while (auto page = co_await or_throw(pages.next_page()))
        std::cout << "by page: " << page->items.size() << " of " << page->total_size.value_or(-1) << " groups\n";
}

/** All of it in one vector, or no more than so much. */
asio::awaitable<void> collected(iam::ip_groups groups)
{
    auto all = groups.list();
    auto everything = co_await or_throw(all.collect());
    std::cout << "collected: " << everything.size() << " groups\n";

    auto some = groups.list({.max_items = 150});
    auto first = co_await or_throw(some.collect());
    std::cout << "of these at most 150: " << first.size() << " groups\n";
}

/** Stops in the middle and goes on from there, as another process could. */
asio::awaitable<void> resumed(iam::ip_groups groups)
{
    auto listing = groups.list();
    auto batch = co_await or_throw(listing.collect(120));
    std::string const stored = listing.checkpoint().to_string();

    auto place = ccloud::checkpoint::parse(stored);
    auto rest = groups.list().resume(place.value());
    auto others = co_await or_throw(rest.collect());
    std::cout << "resumed: " << batch.size() << " groups, then " << others.size() << '\n';
}

asio::awaitable<void> paginate(ccloud::client cloud)
{
    iam::ip_groups groups(cloud);
    co_await by_item(groups);
    co_await by_page(groups);
    co_await collected(groups);
    co_await resumed(groups);
}

int main()
{
    return run_example(paginate);
}
