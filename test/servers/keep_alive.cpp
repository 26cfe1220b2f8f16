#include <ccloud/client.hpp>

#include "printers.hpp"
#include "server.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <csignal>
#include <exception>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

constexpr int callers = 200;
constexpr int calls_each = 6;
constexpr std::chrono::milliseconds server_idle_limit = 1s;

/** What clients have asked for, each request under a path of its own, and what came of it. */
class ledger
{
public:
    explicit ledger(std::string name) : name_(std::move(name)) {}

    ccloud::http_request next()
    {
        static constexpr std::array verbs{ccloud::method::get, ccloud::method::post, ccloud::method::del};
        auto const verb = verbs[count_++ % verbs.size()];
        ccloud::http_request request(verb, "/iam/v2/ip-groups/" + name_ + std::to_string(count_));
        if (verb == ccloud::method::post)
            request.body(R"({"group_name": "CorpNet"})");
        return request;
    }

    void enter(ccloud::http_request const& request, ccloud::result<ccloud::http_response> const& answer)
    {
        auto const name = std::string(to_string(request.verb())) + " " + std::string(request.target());
        if (answer.has_value())
            answered_.push_back(name);
        else if (request.verb() == ccloud::method::post)
            failed_posts_.emplace(name, answer.error());
        else
            failed_others_.push_back(answer.error().what());
    }

    std::size_t failed_posts() const { return failed_posts_.size(); }
    std::size_t count() const { return count_; }

    /** Compares with the log of the server: a line for each request, which begins with method and target. */
    void check(std::string const& log) const
    {
        std::map<std::string, int> arrived;
        std::istringstream lines(log);
        for (std::string line; std::getline(lines, line);)
            ++arrived[line.substr(0, line.rfind(' '))];
        auto const times = [&](std::string const& name) {
            auto const found = arrived.find(name);
            return found == arrived.end() ? 0 : found->second;
        };

        CHECK(failed_others_ == std::vector<std::string>());
        CHECK(answered_.size() + failed_posts_.size() == count_);
        std::vector<std::string> lost;
        std::vector<std::string> doubled;
        for (auto const& name : answered_)
            if (times(name) == 0)
                lost.push_back(name);
            else if (times(name) > 1 && name.starts_with("POST"))
                doubled.push_back(name);
        for (auto const& [name, failure] : failed_posts_)
        {
            CAPTURE(failure);
            CHECK(failure.progress() != ccloud::progress::answered);
            CHECK(times(name) <= (failure.progress() == ccloud::progress::maybe_sent ? 1 : 0));
        }
        CHECK(lost == std::vector<std::string>());
        CHECK(doubled == std::vector<std::string>());
    }

private:
    std::string name_;
    std::size_t count_ = 0;
    std::vector<std::string> answered_;
    std::map<std::string, ccloud::error> failed_posts_;
    std::vector<std::string> failed_others_;
};

asio::awaitable<void> caller(ccloud::client cloud, ledger& book, int calls)
{
    for (int i = 0; i < calls; ++i)
    {
        auto const request = book.next();
        auto sent = request;
        auto answer = co_await cloud.execute(std::move(sent));
        book.enter(request, answer);
    }
}

void rethrow(std::exception_ptr failed)
{
    if (failed)
        std::rethrow_exception(failed);
}

/** So many callers at once; ends when all have. */
asio::awaitable<void> burst(ccloud::client cloud, ledger& book, int concurrent, int calls)
{
    auto const executor = co_await asio::this_coro::executor;
    asio::steady_timer over(executor, asio::steady_timer::time_point::max());
    int left = concurrent;
    for (int i = 0; i < concurrent; ++i)
        asio::co_spawn(executor, caller(cloud, book, calls), [&](std::exception_ptr failed) {
            rethrow(failed);
            if (--left == 0)
                over.cancel();
        });
    boost::system::error_code cancelled;
    while (left > 0)
        co_await over.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
}

asio::awaitable<void> idle_for(std::chrono::milliseconds time)
{
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> one_burst(ccloud::client cloud, ledger& book)
{
    co_await burst(cloud, book, callers, calls_each);
    cloud.close();
}

/** A burst; then one as near as can be to the moment when the server closes the connections, and one after it. */
asio::awaitable<void> bursts(ccloud::client cloud, ledger& book, int concurrent, std::chrono::milliseconds idle)
{
    co_await burst(cloud, book, concurrent, 3);
    co_await idle_for(idle);
    co_await burst(cloud, book, concurrent, 1);
    co_await idle_for(server_idle_limit + 300ms);
    co_await burst(cloud, book, concurrent, 1);
    cloud.close();
}

/** A server to test against. */
struct opponent
{
    char const* program;
    servers::server (*start)(int keepalive_requests);
    char const* log;
    int stop_signal; ///< it ends by itself then
};
constexpr opponent nginx{"nginx", &servers::nginx, "arrivals.log", SIGQUIT};
constexpr opponent haproxy{"haproxy", &servers::haproxy, "output", SIGUSR1};

/** 200 callers, whose connections are closed after 1, 2 and 100 requests. */
void check_request_limits(opponent const& kind)
{
    if (!servers::installed({kind.program}))
        return;
    for (auto const limit : {1U, 2U, 100U})
    {
        CAPTURE(limit);
        auto server = kind.start(static_cast<int>(limit));
        ledger book("ipg-");
        asio::io_context context;
        ccloud::client cloud(context.get_executor(), servers::settings_for(server.port()));
        asio::co_spawn(context, one_burst(cloud, book), &rethrow);
        context.run();
        server.stop(kind.stop_signal);

        book.check(server.file(kind.log));
        CHECK(book.failed_posts() == 0);
        auto const seen = cloud.metrics().connections;
        CHECK(seen.dialed >= callers * calls_each / limit);
        CHECK(seen.served_by_new + seen.served_by_reused >= callers * calls_each);
        CHECK(seen.served_by_new <= callers * calls_each / limit + 32);
    }
}

/** 20 clients of 10 callers each, which are idle for 980 ms to 1018 ms between bursts. Half of them use for a POST what
    was idle for up to 5 s, as is the default. */
void check_idle_limit(opponent const& kind)
{
    if (!servers::installed({kind.program}))
        return;
    auto server = kind.start(100);
    ledger any("any-");
    ledger careful("careful-");
    auto settings = servers::settings_for(server.port());
    auto careful_settings = settings;
    careful_settings.pool.idle_limit_for_post = server_idle_limit / 2;
    asio::io_context context;
    constexpr int clients = 20;
    for (int i = 0; i < clients; ++i)
    {
        bool const is_careful = i % 2 != 0;
        ccloud::client cloud(context.get_executor(), is_careful ? careful_settings : settings);
        auto const idle = server_idle_limit + 2ms * (i - clients / 2);
        asio::co_spawn(context, bursts(cloud, is_careful ? careful : any, callers / clients, idle), &rethrow);
    }
    context.run();
    server.stop(kind.stop_signal);

    auto const log = server.file(kind.log);
    any.check(log);
    careful.check(log);
    CHECK(careful.failed_posts() == 0);
}

} // namespace

TEST_CASE(
    "200 callers lose nothing to an nginx that closes connections after 1, 2 or 100 requests, and no POST comes twice"
)
{
    check_request_limits(nginx);
}

TEST_CASE("200 callers lose nothing to a haproxy that closes connections after 1, 2 or 100 requests, and no POST comes "
          "twice")
{
    check_request_limits(haproxy);
}

TEST_CASE("200 callers lose nothing to an nginx that closes connections when they are idle for 1 s, and no POST comes "
          "twice")
{
    check_idle_limit(nginx);
}

TEST_CASE("200 callers lose nothing to a haproxy that closes connections when they are idle for 1 s, and no POST comes "
          "twice")
{
    check_idle_limit(haproxy);
}
