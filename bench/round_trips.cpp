// How many calls a second, and how much CPU of the client a call, over TLS? The server is the simulator, in a thread of
// its own; the client's CPU is that of this thread. The calls a second say as much about the server.
#include <ccloud/ccloud.hpp>
#include <ccloud/testing/simulator.hpp>

#include "beast_client.hpp"
#include "measure.hpp"
#include "questions.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace bench {

namespace {

namespace iam = ccloud::iam;

struct load
{
    std::string target;
    std::string id; ///< of the group in `target`; empty: it is the page
    int concurrency = 1;
    int calls = 0; ///< a batch
};

/** Runs `worker(0)` to `worker(concurrency - 1)` to their ends; gives calls a second and CPU microseconds a call. */
std::vector<double> batch(
    asio::io_context& context, load const& what, std::function<asio::awaitable<void>(int)> const& worker
)
{
    int left = what.concurrency;
    for (int i = 0; i < what.concurrency; ++i)
        asio::co_spawn(context, worker(i), [&](std::exception_ptr failed) {
            if (failed)
                std::rethrow_exception(failed);
            if (--left == 0)
                context.stop(); // idle connections would keep it running
        });
    auto const start = std::chrono::steady_clock::now();
    auto const cpu = thread_cpu_seconds();
    context.run();
    auto const used = thread_cpu_seconds() - cpu;
    std::chrono::duration<double> const took = std::chrono::steady_clock::now() - start;
    context.restart();
    return {what.calls / took.count(), used * 1e6 / what.calls};
}

void require(bool holds, std::string const& what)
{
    if (!holds)
        throw std::runtime_error("round trips: " + what);
}

/** Ours: a pool of connections, deadlines, retries, and with `typed` the structs. */
class our_side
{
public:
    our_side(ccloud::config settings, load what, bool typed)
        : what_(std::move(what)), typed_(typed), cloud_(context_.get_executor(), tuned(std::move(settings), what_))
    {
    }

    std::vector<double> run()
    {
        return batch(context_, what_, [this](int) { return work(); });
    }

private:
    static ccloud::config tuned(ccloud::config settings, load const& what)
    {
        settings.threading = ccloud::threading::serial;
        settings.pool.max_connections_per_origin = static_cast<std::size_t>(what.concurrency);
        return settings;
    }

    asio::awaitable<void> work()
    {
        iam::ip_groups groups(cloud_);
        for (int i = 0; i < what_.calls / what_.concurrency; ++i)
        {
            if (!typed_)
            {
                auto got = co_await cloud_.execute(ccloud::http_request(ccloud::method::get, what_.target));
                require(got.has_value(), "a raw call failed");
            }
            else if (what_.id.empty())
            {
                auto pages = groups.list();
                auto got = co_await pages.next_page();
                require(got.has_value() && (*got)->items.size() == 100, "a page failed");
            }
            else
            {
                auto got = co_await groups.get(what_.id);
                require(got.has_value(), "a typed call failed");
            }
        }
    }

    load what_;
    bool typed_;
    asio::io_context context_{1};
    ccloud::client cloud_;
};

class beast_side
{
public:
    beast_side(ccloud::config const& settings, load what) : what_(std::move(what)), client_(settings)
    {
        connections_.resize(static_cast<std::size_t>(what_.concurrency));
    }

    std::vector<double> run()
    {
        return batch(context_, what_, [this](int i) { return work(static_cast<std::size_t>(i)); });
    }

private:
    asio::awaitable<void> work(std::size_t i)
    {
        if (!connections_[i])
            connections_[i] = co_await client_.connect();
        for (int call = 0; call < what_.calls / what_.concurrency; ++call)
        {
            auto body = co_await client_.get(*connections_[i], what_.target);
            require(!body.empty(), "an empty body");
        }
    }

    load what_;
    asio::io_context context_{1};
    beast_client client_;
    std::vector<std::unique_ptr<beast_client::connection>> connections_;
};

std::string any_id(ccloud::config settings)
{
    asio::io_context context(1);
    std::string id;
    auto const work = [](ccloud::config to, std::string& found) -> asio::awaitable<void> {
        ccloud::client cloud(co_await asio::this_coro::executor, std::move(to));
        auto some = iam::ip_groups(cloud).list({.max_items = 1});
        auto first = co_await or_throw(some.collect());
        found = first.at(0).id;
    };
    asio::co_spawn(context, work(std::move(settings), id), [](std::exception_ptr failed) {
        if (failed)
            std::rethrow_exception(failed);
    });
    context.run();
    return id;
}

void ask_about(
    std::string name, std::string title, ccloud::config const& settings, load const& what, int rounds, report& notes
)
{
    auto const raw = std::make_shared<our_side>(settings, what, false);
    auto const typed = std::make_shared<our_side>(settings, what, true);
    auto const beast = std::make_shared<beast_side>(settings, what);
    question asked;
    asked.name = std::move(name);
    asked.title = std::move(title);
    asked.metrics = {{"rate", "1/s"}, {"client cpu", "us"}};
    asked.contenders = {
        {"ccloud execute", true, [raw] { return raw->run(); }},
        {"ccloud typed", true, [typed] { return typed->run(); }},
        {"beast", false, [beast] { return beast->run(); }},
    };
    ask(asked, rounds, notes);
}

} // namespace

void round_trips(int rounds, report& notes)
{
    ccloud::testing::simulator_options options;
    options.seed_groups = 1'000;
    ccloud::testing::simulator server(options);
    auto const settings = server.settings();
    auto const id = any_id(settings);
    std::string const one = "/iam/v2/ip-groups/" + id;
    std::string const page = "/iam/v2/ip-groups?page_size=100";

    ask_about("one x1", "GET one IP group over TLS, 1 coroutine", settings, {one, id, 1, 2'000}, rounds, notes);
    ask_about("one x64", "GET one IP group over TLS, 64 coroutines", settings, {one, id, 64, 6'400}, rounds, notes);
    ask_about("page x64", "GET a page of 100 over TLS, 64 coroutines", settings, {page, "", 64, 1'920}, rounds, notes);
}

} // namespace bench
