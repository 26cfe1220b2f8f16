// What do the parts of a call cost, each by itself? The gate with the clock and the dice of the real transport, the
// pure parts with the time as it was at the start; caches are warm, nobody else is in line.
#include <ccloud/iam/ip_groups.hpp>

#include "admission.hpp"
#include "answer_fields.hpp"
#include "core/cursor.hpp"
#include "core/pool.hpp"
#include "core/request.hpp"
#include "core/retry_budget.hpp"
#include "core/server_hint.hpp"
#include "core/writer.hpp"
#include "endpoint.hpp"
#include "measure.hpp"
#include "net/factory.hpp"
#include "questions.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace bench {

namespace {

namespace core = ccloud::core;
namespace detail = ccloud::detail;
using namespace std::chrono_literals;

void require(bool holds, char const* what)
{
    if (!holds)
        throw std::runtime_error(std::string("parts: ") + what);
}

ccloud::config make_settings()
{
    ccloud::config settings;
    settings.credentials = ccloud::api_key("KEY", "SECRET");
    settings.threading = ccloud::threading::serial;
    return settings;
}

core::pool_time time_now()
{
    return {std::chrono::steady_clock::now(), std::chrono::system_clock::now()};
}

/** A part that is timed a thousand times for one look at the clock. */
template <class Work>
contender part(std::string name, Work work)
{
    constexpr int times = 1'000;
    auto const all = [work = std::move(work)] {
        for (int i = 0; i < times; ++i)
            work();
    };
    return timed(std::move(name), true, all, 1.0 / times);
}

/** Lets a request through and ends it, as a call does that is answered at its first try. */
class gate_rig
{
public:
    void operator()()
    {
        detail::gate_claim claim;
        detail::permit pass;
        require(keeper_->try_admit(claim, "/iam/v2/ip-groups", pass), "the gate is shut");
        detail::gatekeeper::ending how;
        how.health = core::health::well;
        how.status = 200;
        how.tokens = core::retry_budget::first_try_reward;
        keeper_->end(pass, how);
    }

private:
    ccloud::config settings_ = make_settings();
    boost::asio::io_context context_{1};
    std::shared_ptr<ccloud::transport> wire_ =
        ccloud::net::make_transport(context_.get_executor(), settings_, ccloud::net::share_network(settings_));
    std::shared_ptr<detail::gatekeeper> keeper_ =
        detail::gatekeeper::make(std::make_shared<detail::admission>(settings_), *wire_, context_.get_executor());
};

/** One of 64 idle connections is granted, and comes back. */
class pool_rig
{
public:
    pool_rig()
    {
        pool_.warm_up(connections_.size());
        for (auto& made : connections_)
        {
            require(pool_.next(now_).what == action::dial, "no dial");
            pool_.dialed(made, now_, idle_timeout, 0);
        }
        require(pool_.next(now_).what == action::none && pool_.idle() == connections_.size(), "not ready");
    }

    void operator()()
    {
        core::pool_waiter waiter;
        pool_.enqueue(waiter, now_.steady);
        auto const step = pool_.next(now_);
        require(step.what == action::grant, "no connection");
        ++step.connection->requests;
        require(!pool_.returned(*step.connection, now_, idle_timeout), "a connection was closed");
        require(pool_.next(now_).what == action::none, "something is left to do");
    }

private:
    using action = core::origin_pool::step::action;
    static constexpr std::size_t most = 64;
    static constexpr auto idle_timeout = 50s;

    static core::pool_limits limits()
    {
        core::pool_limits set;
        set.cap = most;
        set.max_lifetime = 10min;
        set.dial_grace = 5ms;
        return set;
    }

    core::pool_time now_ = time_now();
    std::vector<core::pooled> connections_{most};
    core::origin_pool pool_{limits()};
};

/** What a call puts together and the connection writes. */
class request_rig
{
public:
    void operator()()
    {
        ccloud::planned_request planned =
            ccloud::plan(ccloud::method::get).path("/iam/v2/ip-groups").segment("id", "ipg-00100");
        core::assemble(planned.request, head_, nullptr);
        core::serialize(planned.request, text_);
        keep(text_);
    }

private:
    ccloud::http_headers head_ = core::make_head(
        ccloud::origin(true, "api.confluent.cloud", 443),
        "Basic S0VZOlNFQ1JFVA==", "bench/1.0 (https://example.com; nobody@example.com)", false
    );
    std::string text_; // the connection's
};

/** Reads from the fields of an answer what a call wants to know: the server's limits and the id of the request. */
class fields_rig
{
public:
    void operator()() const
    {
        auto const limits = core::read_limits(fields_, ccloud::reset_form::delta, now_);
        auto const id = fields_.find("X-Request-Id");
        require(limits && id, "a field was not found");
        keep(limits);
        keep(id);
    }

private:
    ccloud::http_headers fields_ = answer_fields();
    ccloud::wall_time now_ = std::chrono::system_clock::now();
};

} // namespace

void parts(int rounds, report& notes)
{
    gate_rig gate;
    pool_rig pool;
    request_rig request;
    fields_rig const fields;
    auto const now = std::chrono::steady_clock::now();
    core::retry_budget budget(500);
    auto group = ccloud::iam::create_ip_group("CorpNet");
    group.cidr_block("192.168.0.0/24", "10.0.0.0/16");
    std::string const link = "https://confluent.cloud/api/iam/v2/ip-groups?page_token=dG9rZW4";

    question what;
    what.title = "Parts of a call";
    what.metrics = {{"micro/part_ns", "ns"}};
    what.contenders = {
        part("gate", [&gate] { gate(); }),
        part(
            "budget",
            [&budget, now] {
                require(budget.take(core::retry_budget::transient_cost, now), "the budget is spent");
                budget.give(core::retry_budget::transient_cost, now);
            }
        ),
        part("pool", [&pool] { pool(); }),
        part("encode", [&group] { keep(to_json(group).text()); }),
        part("cursor", [&link] { keep(core::page_token(link)); }),
        part("request", [&request] { request(); }),
        part("fields", [&fields] { fields(); }),
    };
    ask(what, rounds, notes);
}

} // namespace bench
