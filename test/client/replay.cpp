#include <ccloud/client.hpp>
#include <ccloud/iam/ip_groups.hpp>
#include <ccloud/observe.hpp>

#include "client.hpp"
#include "printers.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using ccloud::errc;
using ccloud::gave_up;
using ccloud::progress;
using ccloud::retry_reason;
using support::test_config;
using support::with_client;
namespace asio = boost::asio;
namespace iam = ccloud::iam;

namespace {

/** How a try ends that gets no whole answer. */
struct broken_try
{
    enum amount { nothing, some, all };
    amount written = nothing;
    bool reused = false;
    bool begun = false; ///< some of the answer came
    errc code = errc::connection_lost;

    std::size_t bytes() const { return written == nothing ? 0 : written == some ? 7 : 70; }
};

/** Answers all tries but those that it is told to break. */
class breaking_wire : public ccloud::testing::scripted_transport
{
public:
    using script = std::function<std::optional<broken_try>(std::size_t)>;

    explicit breaking_wire(script breaks) : breaks_(std::move(breaks))
    {
        reply_with([](ccloud::http_request const& request) {
            bool const removes = request.verb() == ccloud::method::del;
            return ccloud::http_response(removes ? 204 : 200, {}, removes ? "" : R"({"id":"ipg-1"})");
        });
    }

    asio::awaitable<ccloud::exchange> send(
        ccloud::http_request const& request, ccloud::origin const& to, ccloud::send_options options
    ) override
    {
        auto const how = breaks_(requests().size());
        auto ended = co_await scripted_transport::send(request, to, options);
        if (how)
        {
            ended = ccloud::exchange::failed(
                how->code, how->written == broken_try::nothing ? progress::not_sent : progress::maybe_sent
            );
            ended.bytes_written = how->bytes();
            ended.reused = how->reused;
            ended.response_begun = how->begun;
        }
        co_return ended;
    }

private:
    script breaks_;
};

/** Keeps why tries were repeated. */
struct reasons_heard final : ccloud::observer
{
    void retry_scheduled(
        ccloud::observed_call const&, std::chrono::nanoseconds delay, ccloud::delay_source from, retry_reason why
    ) noexcept override
    {
        bool const at_once = delay == std::chrono::nanoseconds(0) && from == ccloud::delay_source::none;
        CHECK(at_once == (why == retry_reason::stale_connection));
        all.push_back(why);
    }

    std::vector<retry_reason> all;
};

/** How a call went. */
struct ending
{
    std::optional<ccloud::error> failure;
    int attempts = 0;
};

template <class T>
ending ending_of(ccloud::result<T> const& got)
{
    ending how;
    if (!got.has_value())
        how.failure = got.error();
    how.attempts = got.has_value() ? got.response().attempts() : static_cast<int>(got.error().attempts().size());
    return how;
}

using call = std::function<asio::awaitable<ending>(ccloud::client)>;

asio::awaitable<ending> execute(ccloud::client cloud, ccloud::http_request request, ccloud::call_options options)
{
    auto got = co_await cloud.execute(std::move(request), options);
    co_return ending_of(got);
}

call raw(ccloud::http_request request, ccloud::call_options options = {})
{
    return [request = std::move(request), options](ccloud::client cloud) { return execute(cloud, request, options); };
}

ccloud::http_request request_of(ccloud::method verb)
{
    ccloud::http_request request(verb, "/x");
    if (verb != ccloud::method::get && verb != ccloud::method::del)
        request.body("{}");
    return request;
}

asio::awaitable<ending> get_group(ccloud::client cloud)
{
    iam::ip_groups groups(cloud);
    auto got = co_await groups.get("ipg-1");
    co_return ending_of(got);
}

asio::awaitable<ending> create_group(ccloud::client cloud)
{
    iam::ip_groups groups(cloud);
    auto got = co_await groups.create(iam::create_ip_group("CorpNet").cidr_block("10.0.0.0/8"));
    co_return ending_of(got);
}

asio::awaitable<ending> update_group(ccloud::client cloud)
{
    iam::ip_groups groups(cloud);
    auto got = co_await groups.update("ipg-1", iam::update_ip_group("CorpNet", "10.0.0.0/8"));
    co_return ending_of(got);
}

asio::awaitable<ending> remove_group(ccloud::client cloud)
{
    iam::ip_groups groups(cloud);
    auto got = co_await groups.remove("ipg-1");
    co_return ending_of(got);
}

/** A way to ask. */
struct kind
{
    std::string name;
    call begin;
    bool may_run_twice; ///< by its method, or because the caller says so
    bool undeclared_post = false;
};

std::vector<kind> kinds()
{
    using ccloud::method;
    auto const post = request_of(method::post);
    auto random_key = post;
    auto own_key = post;
    auto declared = post;
    auto patch = request_of(method::patch);
    auto single = request_of(method::get);
    random_key.idempotency_key();
    own_key.idempotency_key("one-order");
    declared.replayable(true);
    single.replayable(false);
    return {
        {"GET", raw(request_of(method::get)), true},
        {"GET of a collection", get_group, true},
        {"GET, not to be repeated", raw(single), false},
        {"DELETE", raw(request_of(method::del)), true},
        {"DELETE of a collection", remove_group, true},
        {"PUT", raw(request_of(method::put)), true},
        {"PATCH", raw(patch), false},
        {"PATCH of a collection", update_group, true},
        {"POST", raw(post), false, true},
        {"POST of a collection", create_group, false, true},
        {"POST with an Idempotency-Key", raw(own_key), true},
        {"POST with a random Idempotency-Key", raw(random_key), true},
        {"POST, replayable", raw(declared), true},
        {"POST, replayable by the options of the call", raw(post, {.replayable = true}), true},
        {"POST, replayable, but not by the options of the call", raw(declared, {.replayable = false}), false, true},
    };
}

/** What a call may spend on repetitions. */
struct purse
{
    std::string name;
    int max_attempts;
    int budget; ///< tokens; 0: any number
    int paid;   ///< repetitions that it pays for
};

constexpr int cost = 14; // of a repetition after a transient failure

std::vector<purse> purses()
{
    return {
        {"defaults", ccloud::retry_policy::defaults().max_attempts, 500, 5},
        {"none", ccloud::retry_policy::none().max_attempts, 500, 0},
        {"two attempts", 2, 500, 1},
        {"an empty budget", 6, 1, 0},
        {"a budget for two", 6, 2 * cost + 1, 2},
    };
}

/** Ends of all tries, of which some may be good. */
struct story
{
    std::string name;
    std::function<std::optional<broken_try>(broken_try const& first, std::size_t index)> tell;
};

std::vector<story> stories()
{
    using maybe = std::optional<broken_try>;
    return {
        {"then an answer", [](auto const& first, std::size_t index) { return index == 0 ? maybe(first) : maybe(); }},
        {"then the same for ever", [](auto const& first, std::size_t) { return maybe(first); }},
        {"then lost on the fresh connection",
         [](auto const& first, std::size_t index) {
             return maybe(index == 0 ? first : broken_try{broken_try::all, false, false, errc::connection_lost});
         }},
        {"then stale again, once written, and an answer",
         [](auto const& first, std::size_t index) {
             auto const again = broken_try{broken_try::all, true, false, errc::connection_lost};
             return index == 0 ? maybe(first) : index == 1 ? maybe(again) : maybe();
         }},
    };
}

/** What is to happen. */
struct course
{
    std::vector<retry_reason> reasons; ///< of each repetition
    bool answered = false;
    gave_up why = gave_up::not_retryable;
    bool maybe_sent = false; ///< a byte went out in one of the tries
    int paid = 0;
    int free = 0;
};

/** The rules, in words of their own: rule A3 and pool.md section 4 item 13. */
course rules(kind const& asked, purse const& has, std::function<std::optional<broken_try>(std::size_t)> const& tries)
{
    course then;
    for (;;)
    {
        auto const failed = tries(then.reasons.size());
        if (!failed)
        {
            then.answered = true;
            return then;
        }
        bool const left_us = failed->written != broken_try::nothing;
        then.maybe_sent = then.maybe_sent || left_us;
        if (left_us && !asked.may_run_twice)
            return then;
        if (failed->reused && !failed->begun && then.free == 0 && has.max_attempts > 1)
        {
            ++then.free;
            then.reasons.push_back(retry_reason::stale_connection);
        }
        else if (then.paid == has.max_attempts - 1)
        {
            then.why = gave_up::attempts_exhausted;
            return then;
        }
        else if (then.paid == has.paid)
        {
            then.why = gave_up::retry_budget_exhausted;
            return then;
        }
        else
        {
            ++then.paid;
            then.reasons.push_back(retry_reason::transient);
        }
    }
}

/** The ways in which a first try fails. */
std::vector<broken_try> first_tries()
{
    std::vector<broken_try> all;
    for (auto const written : {broken_try::nothing, broken_try::some, broken_try::all})
        for (bool const reused : {false, true})
            for (bool const begun : {false, true})
                for (errc const code : {errc::write_failed, errc::connection_lost})
                    all.push_back({written, reused, begun, code});
    return all;
}

/** Whether all sends were one request: the same bytes, the same Idempotency-Key. */
bool same_request(std::vector<ccloud::testing::recorded_request> const& sent)
{
    for (auto const& each : sent)
        if (support::text(each) != support::text(sent.front()) ||
            each.request.headers().find("Idempotency-Key") != sent.front().request.headers().find("Idempotency-Key"))
            return false;
    return true;
}

void check_course(ending const& how, course const& expected, breaking_wire const& wire, broken_try const& last)
{
    auto const sends = expected.reasons.size() + 1;
    CHECK(wire.requests().size() == sends);
    CHECK(how.attempts == static_cast<int>(sends));
    CHECK(how.failure.has_value() != expected.answered);
    CHECK(same_request(wire.requests()));
    for (std::size_t i = 0; i < wire.requests().size() && i < sends; ++i)
    {
        bool const after_stale = i > 0 && expected.reasons[i - 1] == retry_reason::stale_connection;
        CHECK(wire.requests()[i].options.fresh_connection == after_stale);
    }
    if (!how.failure || expected.answered)
        return;
    CHECK(how.failure->code() == last.code);
    CHECK(how.failure->gave_up() == expected.why);
    CHECK(how.failure->progress() == (expected.maybe_sent ? progress::maybe_sent : progress::not_sent));
}

/** Each try, as the error of the call tells it. */
void check_tries(ccloud::error const& failure, course const& expected, breaking_wire::script const& tries)
{
    auto const& all = failure.attempts();
    REQUIRE(all.size() == expected.reasons.size() + 1);
    for (std::size_t i = 0; i < all.size(); ++i)
    {
        auto const broken = tries(i);
        REQUIRE(broken.has_value());
        CHECK(all[i].code == broken->code);
        CHECK(all[i].reused == broken->reused);
        CHECK(all[i].bytes_written == broken->bytes());
        CHECK(all[i].progress == (broken->bytes() == 0 ? progress::not_sent : progress::maybe_sent));
        CHECK(all[i].reason == (i < expected.reasons.size() ? expected.reasons[i] : retry_reason::none));
    }
}

/** How often a request went out after bytes of it had gone out before. */
std::size_t sent_again(std::size_t sends, breaking_wire::script const& tries)
{
    std::size_t again = 0;
    bool out = false;
    for (std::size_t i = 0; i < sends; ++i)
    {
        again += out ? 1 : 0;
        auto const broken = tries(i);
        out = out || !broken || broken->bytes() > 0;
    }
    return again;
}

} // namespace

TEST_CASE("A3, pool 13: the replay table: method by bytes written, reused, response begun, policy, and what follows")
{
    for (auto const& asked : kinds())
        for (auto const& has : purses())
            for (auto const& follows : stories())
                for (auto const& first : first_tries())
                {
                    CAPTURE(asked.name);
                    CAPTURE(has.name);
                    CAPTURE(follows.name);
                    CAPTURE(first.bytes());
                    CAPTURE(first.reused);
                    CAPTURE(first.begun);
                    CAPTURE(first.code);
                    breaking_wire::script const tries = [&](std::size_t i) { return follows.tell(first, i); };
                    auto const expected = rules(asked, has, tries);
                    auto const wire = std::make_shared<breaking_wire>(tries);
                    auto const heard = std::make_shared<reasons_heard>();
                    auto settings = test_config();
                    settings.retry.max_attempts = has.max_attempts;
                    settings.retry_budget = has.budget;
                    settings.observer = heard;
                    ending how;
                    ccloud::metrics counted;
                    with_client(
                        wire,
                        [&](ccloud::client cloud) -> asio::awaitable<void> {
                            auto work = asked.begin(cloud);
                            how = co_await std::move(work);
                            counted = cloud.metrics();
                        },
                        settings
                    );

                    check_course(how, expected, *wire, tries(expected.reasons.size()).value_or(first));
                    CHECK(heard->all == expected.reasons);
                    CHECK(counted.attempts == expected.reasons.size() + 1);
                    CHECK(counted.replays == static_cast<std::uint64_t>(expected.free));
                    CHECK(counted.transient_retries == static_cast<std::uint64_t>(expected.paid));
                    CHECK(counted.replays <= 1);
                    if (how.failure)
                    {
                        CHECK(counted.retry_budget == has.budget - cost * expected.paid);
                        check_tries(*how.failure, expected, tries);
                    }
                    if (asked.undeclared_post)
                        CHECK(sent_again(wire->requests().size(), tries) == 0);
                }
}

TEST_CASE("A3: a call that was answered gets back what it paid, and a free replay had cost nothing meanwhile")
{
    for (bool const reused : {false, true})
    {
        CAPTURE(reused);
        std::vector<std::int64_t> left; // when each try begins
        std::optional<ccloud::client> watched;
        broken_try const first{broken_try::all, reused, false, errc::connection_lost};
        auto const wire = std::make_shared<breaking_wire>([&](std::size_t i) {
            left.push_back(watched->metrics().retry_budget);
            return i == 0 ? std::optional(first) : std::nullopt;
        });
        with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
            watched = cloud;
            auto work = get_group(cloud);
            auto const how = co_await std::move(work);
            CHECK(!how.failure.has_value());
            CHECK(cloud.metrics().retry_budget == test_config().retry_budget);
            watched.reset();
        });
        REQUIRE(left.size() == 2);
        CHECK(left[0] == test_config().retry_budget);
        CHECK(left[1] == test_config().retry_budget - (reused ? 0 : cost));
    }
}

TEST_CASE("A3: a free replay is one a call, not one a client")
{
    broken_try const stale{broken_try::all, true, false, errc::connection_lost};
    auto const wire = std::make_shared<breaking_wire>([&](std::size_t i) {
        return i % 2 == 0 ? std::optional(stale) : std::nullopt;
    });
    auto settings = test_config();
    settings.retry.max_attempts = 2;
    settings.retry_budget = 1; // pays for nothing
    with_client(
        wire,
        [](ccloud::client cloud) -> asio::awaitable<void> {
            for (int i = 0; i < 5; ++i)
            {
                auto work = get_group(cloud);
                auto const how = co_await std::move(work);
                CHECK(!how.failure.has_value());
                CHECK(how.attempts == 2);
            }
            CHECK(cloud.metrics().replays == 5);
            CHECK(cloud.metrics().transient_retries == 0);
        },
        settings
    );
}
