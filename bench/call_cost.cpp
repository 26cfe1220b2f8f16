// What does a call cost above its transport, and an item above its page? The transport is the scripted one, which
// answers at once and records each request. CPU time of one thread, which also runs both sides of a hop; what the
// network would cost is left out, and so is waking another thread.
#include <ccloud/ccloud.hpp>
#include <ccloud/testing/run.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "allocations.hpp"
#include "answer_fields.hpp"
#include "documents.hpp"
#include "measure.hpp"
#include "questions.hpp"

#include <boost/asio/this_coro.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace bench {

namespace {

namespace asio = boost::asio;
namespace iam = ccloud::iam;
using wire_pointer = std::shared_ptr<ccloud::testing::scripted_transport>;
using values = std::vector<double>;

constexpr int warm_up = 100;
constexpr int calls = 5'000;
constexpr std::size_t pages = 100;
constexpr std::size_t items_a_page = 100;
constexpr char id[] = "ipg-00100";

void require(bool holds)
{
    if (!holds)
        throw std::runtime_error("call cost: a call failed");
}

wire_pointer make_wire(std::string body, ccloud::http_headers fields = {})
{
    auto wire = std::make_shared<ccloud::testing::scripted_transport>();
    wire->reserve(warm_up + calls + 1);
    wire->reply_with([body = std::move(body), fields = std::move(fields)](ccloud::http_request const&) {
        return ccloud::http_response(200, fields, body);
    });
    return wire;
}

ccloud::config make_settings(ccloud::threading how = ccloud::threading::serial)
{
    ccloud::config settings;
    settings.credentials = ccloud::api_key("KEY", "SECRET");
    settings.threading = how;
    return settings;
}

/** Counts, as little as an observer may do. */
class counting_observer final : public ccloud::observer
{
public:
    void attempt_start(ccloud::observed_call const&, int) noexcept override { ++begun_; }
    void attempt_end(ccloud::observed_call const&, int, ccloud::attempt const&) noexcept override { ++ended_; }

private:
    std::uint64_t begun_ = 0;
    std::uint64_t ended_ = 0;
};

/** Between two looks at clock and counter: nanoseconds and allocations. */
class meter
{
public:
    values per(std::size_t times) const
    {
        auto const used = thread_cpu_seconds() - start_;
        auto const allocated = allocations() - allocations_;
        auto const n = static_cast<double>(times);
        return {used * 1e9 / n, static_cast<double>(allocated) / n};
    }

private:
    std::uint64_t allocations_ = allocations();
    double start_ = thread_cpu_seconds();
};

asio::awaitable<void> typed_calls(ccloud::config settings, wire_pointer wire, values& cost)
{
    ccloud::client cloud(co_await asio::this_coro::executor, std::move(settings), std::move(wire));
    iam::ip_groups groups(cloud);
    for (int i = 0; i < warm_up; ++i)
    {
        auto got = co_await groups.get(id);
        require(got.has_value());
    }
    meter const measured;
    for (int i = 0; i < calls; ++i)
    {
        auto got = co_await groups.get(id);
        require(got.has_value());
    }
    cost = measured.per(calls);
}

/** The request of a call, given to the transport directly; nobody reads the answers. */
asio::awaitable<void> bare_calls(wire_pointer wire, values& cost)
{
    ccloud::client cloud(co_await asio::this_coro::executor, make_settings(), wire);
    iam::ip_groups groups(cloud);
    auto first = co_await groups.get(id);
    require(first.has_value());
    auto const sent = wire->requests().front();
    for (int i = 0; i < warm_up; ++i)
    {
        auto got = co_await wire->send(sent.request, sent.to, sent.options);
        require(got.answered());
    }
    meter const measured;
    for (int i = 0; i < calls; ++i)
    {
        auto got = co_await wire->send(sent.request, sent.to, sent.options);
        require(got.answered());
    }
    cost = measured.per(calls);
}

asio::awaitable<std::size_t> count_by_item(ccloud::async_generator<iam::ip_group>& all)
{
    for (std::size_t count = 0;; ++count)
    {
        auto item = co_await all.next();
        require(item.has_value());
        if (!*item)
            co_return count;
    }
}

asio::awaitable<std::size_t> count_by_page(ccloud::async_generator<iam::ip_group>& all)
{
    for (std::size_t count = 0;;)
    {
        auto page = co_await all.next_page();
        require(page.has_value());
        if (!*page)
            co_return count;
        count += (*page)->items.size();
    }
}

/** Pages that follow one another, for the page names itself as the next one. */
ccloud::async_generator<iam::ip_group> list(ccloud::client const& cloud, std::size_t most_pages)
{
    ccloud::list_options options;
    options.repeated_page = ccloud::on_repeated_page::allow;
    options.max_pages = most_pages;
    return iam::ip_groups(cloud).list(options);
}

using counting = asio::awaitable<std::size_t> (*)(ccloud::async_generator<iam::ip_group>&);

asio::awaitable<void> listing(counting count, values& cost)
{
    ccloud::client cloud(co_await asio::this_coro::executor, make_settings(), make_wire(page_document()));
    auto few = list(cloud, 2);
    (void)co_await count(few);
    auto all = list(cloud, pages);
    meter const measured;
    auto const items = co_await count(all);
    cost = measured.per(items);
    require(items == pages * items_a_page);
}

/** The items of a page but the first, which is there then. */
asio::awaitable<void> buffered_items(values& cost)
{
    ccloud::client cloud(co_await asio::this_coro::executor, make_settings(), make_wire(page_document()));
    auto all = list(cloud, pages);
    cost = {0, 0};
    for (std::size_t page = 0; page < pages; ++page)
    {
        auto first = co_await all.next();
        require(first.has_value() && first->has_value());
        meter const measured;
        for (std::size_t i = 1; i < items_a_page; ++i)
        {
            auto item = co_await all.next();
            require(item.has_value() && item->has_value());
        }
        auto const of_page = measured.per(items_a_page - 1);
        for (std::size_t i = 0; i < cost.size(); ++i)
            cost[i] += of_page[i] / pages;
    }
}

contender run(std::string name, bool ours, std::function<asio::awaitable<void>(values&)> work)
{
    return {std::move(name), ours, [work = std::move(work)] {
                values cost;
                ccloud::testing::run([&] { return work(cost); });
                return cost;
            }};
}

void about_calls(int rounds, report& notes)
{
    auto const group = group_document();
    auto const typed = [&group](ccloud::config settings, ccloud::http_headers fields = {}) {
        return [&group, settings = std::move(settings), fields = std::move(fields)](values& cost) {
            return typed_calls(settings, make_wire(group, fields), cost);
        };
    };
    auto const bare = [&group](ccloud::http_headers fields = {}) {
        return
            [&group, fields = std::move(fields)](values& cost) { return bare_calls(make_wire(group, fields), cost); };
    };
    auto observed = make_settings();
    observed.observer = std::make_shared<counting_observer>();

    question what;
    what.title = "GET one IP group on a transport that answers at once";
    what.metrics = {{"micro/call_ns", "ns"}, {"micro/call_allocations", "1"}};
    what.contenders = {
        run("inline", true, typed(make_settings())),
        run("hop", true, typed(make_settings(ccloud::threading::safe))),
        run("transport", false, bare()),
        run("inline_observed", true, typed(std::move(observed))),
        run("inline_with_fields", true, typed(make_settings(), answer_fields())),
        run("transport_with_fields", false, bare(answer_fields())),
    };
    ask(what, rounds, notes);

    auto const above = [&notes](std::string const& name, std::string const& who, std::string const& under) {
        auto const ns = "micro/call_ns/";
        auto const count = "micro/call_allocations/";
        notes.add_difference("micro/" + name + "_us", "us", ns + who, ns + under, 1e-3);
        notes.add_difference("micro/" + name + "_allocations", "1", count + who, count + under);
    };
    above("overhead", "inline", "transport");
    above("overhead_hop", "hop", "transport");
    above("overhead_observed", "inline_observed", "transport");
    above("overhead_with_fields", "inline_with_fields", "transport_with_fields");
    notes.claim("micro/overhead_us", 1);
    notes.claim("micro/overhead_hop_us", 2);
    notes.claim("micro/overhead_allocations", 12);
}

void about_listings(int rounds, report& notes)
{
    question what;
    what.title = "List pages of 100 IP groups on that transport, an item";
    what.metrics = {{"micro/listing_ns", "ns"}, {"micro/listing_allocations", "1"}};
    what.contenders = {
        run("next", true, [](values& cost) { return listing(count_by_item, cost); }),
        run("next_page", true, [](values& cost) { return listing(count_by_page, cost); }),
        run("next_buffered", true, buffered_items),
    };
    ask(what, rounds, notes);
    notes.add_difference("micro/generator_ns", "ns", "micro/listing_ns/next", "micro/listing_ns/next_page");
    notes.add_difference(
        "micro/generator_allocations", "1", "micro/listing_allocations/next", "micro/listing_allocations/next_page"
    );
    notes.claim("micro/generator_ns", 150);
}

} // namespace

void call_cost(int rounds, report& notes)
{
    about_calls(rounds, notes);
    about_listings(rounds, notes);
}

} // namespace bench
