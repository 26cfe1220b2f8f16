#include "hop.hpp"

#include <ccloud/ccloud.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "call.hpp"
#include "client.hpp"
#include "echo.hpp"
#include "park.hpp"
#include "printers.hpp"
#include "turn_executor.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <doctest/doctest.h>

#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using ccloud::errc;
using ccloud::progress;
using support::script;
namespace asio = boost::asio;
namespace detail = ccloud::detail;
namespace iam = ccloud::iam;

namespace {

using kind = asio::cancellation_type;
constexpr auto kinds = {kind::terminal, kind::partial, kind::total};
constexpr auto both = {ccloud::threading::serial, ccloud::threading::safe};
constexpr auto group_json = R"({"id":"ipg-1","group_name":"CorpNet"})";

/** What happened, in order. */
using diary = std::vector<std::string>;

/** Two execution contexts, each of which runs when the test says so. */
struct two_places
{
    void poll()
    {
        for (std::size_t ran = 1; ran > 0;)
        {
            home->restart();
            far->restart();
            ran = home->poll() + far->poll();
        }
    }

    std::optional<asio::io_context> home{std::in_place};
    std::optional<asio::io_context> far{std::in_place};
};

/** An executor that runs the latest function first, when the test says so. */
class last_in_first_out_executor
{
public:
    explicit last_in_first_out_executor(asio::io_context& context) : pending_(std::make_shared<pending>(context)) {}

    void run() const
    {
        while (!pending_->functions.empty())
        {
            auto const latest = std::move(pending_->functions.back());
            pending_->functions.pop_back();
            latest();
        }
    }

    template <class Function>
    void execute(Function function) const
    {
        auto const kept = std::make_shared<Function>(std::move(function)); // it cannot be copied
        pending_->functions.emplace_back([kept] { std::move (*kept)(); });
    }

    asio::execution_context& query(asio::execution::context_t) const noexcept { return pending_->context; }
    static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept
    {
        return asio::execution::blocking.never;
    }
    last_in_first_out_executor require(asio::execution::blocking_t::never_t) const { return *this; }

    bool operator==(last_in_first_out_executor const&) const noexcept = default;

private:
    struct pending
    {
        explicit pending(asio::io_context& of) : context(of) {}

        asio::io_context& context;
        std::vector<std::function<void()>> functions;
    };

    std::shared_ptr<pending> pending_;
};

/** Work that says what becomes of it. */
class told_work : public detail::far_work<int>
{
public:
    enum class does { returns, throws_at_once, throws_later, waits };

    told_work(asio::any_io_executor where, diary& told, does what)
        : executor_(std::move(where)), lot_(executor_), told_(told), what_(what)
    {
    }
    ~told_work() override { told_.emplace_back("gone"); }

    asio::any_io_executor const& executor() const noexcept override { return executor_; }
    asio::awaitable<int> start() override
    {
        told_.emplace_back("started");
        if (what_ == does::throws_at_once)
            throw std::bad_alloc();
        return work();
    }
    void come_home() noexcept override { told_.emplace_back("home"); }

private:
    asio::awaitable<int> work()
    {
        auto const here = co_await asio::this_coro::executor;
        CHECK((here == executor_));
        if (what_ == does::throws_later)
            throw std::runtime_error("far");
        auto cancellation = co_await asio::this_coro::cancellation_state;
        if (what_ == does::waits && cancellation.cancelled() == kind::none)
        {
            detail::parked node;
            co_await lot_.async_park(node);
        }
        auto const heard = cancellation.cancelled();
        told_.emplace_back(heard == kind::none ? "done" : "cancelled " + std::to_string(static_cast<unsigned>(heard)));
        co_return 7;
    }

    asio::any_io_executor const executor_;
    detail::parking_lot lot_;
    diary& told_;
    does const what_;
};

/** A coroutine that awaits such work elsewhere. */
class hopper
{
public:
    hopper(two_places& places, diary& told, told_work::does what, bool hears_all = true)
        : hopper(places, told, what, hears_all, places.home->get_executor(), [] {})
    {
    }

    /** Runs on `home`, and calls `then` when the work is over. */
    hopper(
        two_places& places, diary& told, told_work::does what, bool hears_all, asio::any_io_executor const& home,
        std::function<void()> then
    )
        : told_(told), then_(std::move(then))
    {
        auto body = [](hopper& self, std::shared_ptr<told_work> work, bool all) -> asio::awaitable<void> {
            auto const mine = co_await asio::this_coro::executor;
            leaving const sentinel(self.told_);
            if (all)
                co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
            co_await asio::this_coro::throw_if_cancelled(false);
            try
            {
                self.outcome = co_await detail::hop<int>(std::move(work));
                self.then_();
            }
            catch (std::bad_alloc const&)
            {
                self.told_.emplace_back("bad_alloc");
            }
            catch (std::exception const& thrown)
            {
                self.told_.emplace_back(thrown.what());
            }
            auto const now = co_await asio::this_coro::executor;
            CHECK((now == mine));
            auto const throws = co_await asio::this_coro::throw_if_cancelled();
            CHECK(!throws);
        };
        auto work = std::make_shared<told_work>(places.far->get_executor(), told, what);
        asio::co_spawn(
            home, body(*this, std::move(work), hears_all), asio::bind_cancellation_slot(signal.slot(), asio::detached)
        );
    }

    asio::cancellation_signal signal;
    std::optional<int> outcome;

private:
    /** Says when the coroutine goes, over or not. */
    class leaving
    {
    public:
        explicit leaving(diary& told) : told_(told) {}
        leaving(leaving const&) = delete;
        leaving& operator=(leaving const&) = delete;
        ~leaving() { told_.emplace_back("left"); }

    private:
        diary& told_;
    };

    diary& told_;
    std::function<void()> then_;
};

diary lines(std::initializer_list<char const*> all)
{
    return diary(all.begin(), all.end());
}

} // namespace

TEST_CASE("work is done there, its outcome is taken home here, and it goes before the coroutine does")
{
    two_places places;
    diary told;
    hopper const one(places, told, told_work::does::returns);
    places.home->poll();
    CHECK(told.empty());
    places.far->poll();
    CHECK(told == lines({"started", "done"}));
    CHECK(!one.outcome);
    places.poll();
    CHECK(one.outcome == 7);
    CHECK(told == lines({"started", "done", "home", "gone", "left"}));
}

TEST_CASE("when the coroutine goes on, nothing of the work is left: the other execution context may be destroyed then")
{
    for (int const strand : {0, 1, 2})
    {
        CAPTURE(strand);
        two_places places;
        auto home = asio::any_io_executor(places.home->get_executor());
        if (strand == 1)
            home = asio::make_strand(*places.home);
        else if (strand == 2)
            home = detail::make_client_strand(*places.home);
        diary told;
        hopper const one(places, told, told_work::does::returns, true, home, [&] {
            places.far.reset();
            told.emplace_back("context gone");
        });
        places.home->poll();
        places.far->poll();
        places.home->restart();
        places.home->poll();
        CHECK(one.outcome == 7);
        CHECK(told == lines({"started", "done", "home", "gone", "context gone", "left"}));
    }
}

TEST_CASE("cancellations of several kinds that are on their way at the same time reach the work together")
{
    two_places places;
    diary told;
    hopper one(places, told, told_work::does::waits);
    places.poll();
    for (auto const how : {kind::total, kind::partial, kind::total})
        one.signal.emit(how);
    places.poll();
    CHECK(told == lines({"started", "cancelled 6", "home", "gone", "left"}));
}

// In Boost 1.83 and 1.84, a coroutine that is cancelled before it begins throws from run().
TEST_CASE("a cancellation that overtakes the start of the work reaches it when it starts")
{
    two_places places;
    last_in_first_out_executor const far(*places.far);
    diary told;
    std::optional<int> outcome;
    asio::cancellation_signal signal;
    auto body = [](asio::any_io_executor where, diary& notes, std::optional<int>& into) -> asio::awaitable<void> {
        co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
        co_await asio::this_coro::throw_if_cancelled(false);
        auto work = std::make_shared<told_work>(std::move(where), notes, told_work::does::waits);
        into = co_await detail::hop<int>(std::move(work));
    };
    asio::co_spawn(*places.home, body(far, told, outcome), asio::bind_cancellation_slot(signal.slot(), asio::detached));
    places.home->poll();
    signal.emit(kind::total);
    places.home->restart();
    places.home->poll();
    CHECK(told.empty());
    CHECK_NOTHROW(far.run());
    CHECK(told == lines({"started", "cancelled 4"}));
    places.poll();
    CHECK(told == lines({"started", "cancelled 4", "home", "gone"}));
    CHECK(outcome == 7);
}

TEST_CASE("what work throws, before it waits or after, is thrown here once it is home")
{
    two_places places;
    diary told;
    SUBCASE("at once")
    {
        hopper const one(places, told, told_work::does::throws_at_once);
        places.poll();
        CHECK(!one.outcome);
        CHECK(told == lines({"started", "home", "gone", "bad_alloc", "left"}));
    }
    SUBCASE("later")
    {
        hopper const one(places, told, told_work::does::throws_later);
        places.poll();
        CHECK(!one.outcome);
        CHECK(told == lines({"started", "home", "gone", "far", "left"}));
    }
}

TEST_CASE("a cancellation of any kind reaches the work where it is: before it starts, while it waits, and not after")
{
    for (auto const how : kinds)
    {
        CAPTURE(how);
        auto const heard = "cancelled " + std::to_string(static_cast<unsigned>(how));
        {
            two_places places;
            diary told;
            hopper one(places, told, told_work::does::waits);
            places.home->poll();
            one.signal.emit(how); // in line behind the work's start
            CHECK(told.empty());
            places.poll();
            CHECK(told == lines({"started", heard.c_str(), "home", "gone", "left"}));
            CHECK(one.outcome == 7);
            one.signal.emit(how);
            places.poll();
        }
        {
            two_places places;
            diary told;
            hopper one(places, told, told_work::does::waits);
            places.poll();
            CHECK(told == lines({"started"}));
            one.signal.emit(how);
            one.signal.emit(how);
            CHECK(told == lines({"started"})); // nothing happens on this side
            places.poll();
            CHECK(told == lines({"started", heard.c_str(), "home", "gone", "left"}));
        }
        {
            two_places places;
            diary told;
            hopper one(places, told, told_work::does::returns);
            places.home->poll();
            asio::post(*places.home, [&one, how] { one.signal.emit(how); });
            places.far->poll(); // the work is over, and its way back is behind the cancellation
            places.poll();
            CHECK(told == lines({"started", "done", "home", "left", "gone"}));
            CHECK(one.outcome == 7);
        }
    }
}

TEST_CASE("what the coroutine lets no other cancellation than the terminal one pass for does not reach the work")
{
    two_places places;
    diary told;
    hopper one(places, told, told_work::does::waits, false);
    places.poll();
    for (auto const how : {kind::partial, kind::total})
    {
        one.signal.emit(how);
        places.poll();
        CHECK(told == lines({"started"}));
    }
    one.signal.emit(kind::terminal);
    places.poll();
    CHECK(told == lines({"started", "cancelled 1", "home", "gone", "left"}));
}

TEST_CASE("where the other execution context goes, the coroutine goes by its own, and its signal reaches nobody")
{
    for (bool const started : {false, true})
    {
        CAPTURE(started);
        two_places places;
        diary told;
        hopper one(places, told, told_work::does::waits);
        if (started)
            places.poll();
        else
            places.home->poll();
        // A signal in between must not reach what is gone.
        asio::post(*places.home, [&one] { one.signal.emit(kind::terminal); });
        places.far.reset();
        CHECK(told == (started ? lines({"started", "gone"}) : lines({"gone"})));
        one.signal.emit(kind::terminal);
        places.home->restart();
        places.home->poll();
        CHECK(!one.outcome);
        REQUIRE(told.size() == (started ? 3U : 2U));
        CHECK(told[told.size() - 1] != told[told.size() - 2]);
        one.signal.emit(kind::terminal);
    }
}

namespace {

/** A client on one execution context, and a call from another one. */
class far_client
{
public:
    far_client(
        std::shared_ptr<ccloud::transport> wire, ccloud::threading threads,
        ccloud::config settings = support::impatient_config()
    )
    {
        settings.threading = threads;
        cloud.emplace(places.far->get_executor(), std::move(settings), std::move(wire));
    }

    void begin(bool cancelled_before = false, kind how = kind::terminal)
    {
        auto body = [](far_client& self, bool cancel, kind what) -> asio::awaitable<void> {
            co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
            co_await asio::this_coro::throw_if_cancelled(false);
            if (cancel)
                self.signal.emit(what);
            auto call = iam::ip_groups(*self.cloud).get("ipg-1");
            auto got = co_await std::move(call);
            self.outcome.emplace(std::move(got));
        };
        outcome.reset();
        thrown = nullptr;
        asio::co_spawn(
            *places.home, body(*this, cancelled_before, how),
            asio::bind_cancellation_slot(signal.slot(), [this](std::exception_ptr failed) { thrown = failed; })
        );
    }

    asio::cancellation_signal signal;
    std::optional<ccloud::result<iam::ip_group>> outcome;
    std::exception_ptr thrown;
    two_places places;
    std::optional<ccloud::client> cloud;
};

/** Its first request cannot be sent for lack of memory. */
class starved_transport final : public ccloud::testing::scripted_transport
{
public:
    explicit starved_transport(bool at_once) : at_once_(at_once) {}

    asio::awaitable<ccloud::exchange> send(
        ccloud::http_request const& request, ccloud::origin const& to, ccloud::send_options options
    ) override
    {
        if (std::exchange(fed_, true))
            return scripted_transport::send(request, to, options);
        if (at_once_)
            throw std::bad_alloc();
        return fail_later();
    }

private:
    static asio::awaitable<ccloud::exchange> fail_later()
    {
        co_await asio::post(co_await asio::this_coro::executor, asio::deferred);
        throw std::bad_alloc();
    }

    bool const at_once_;
    bool fed_ = false;
};

} // namespace

TEST_CASE("a node of a parking lot waits and is woken as often as its coroutine parks it")
{
    asio::io_context context(1);
    detail::parking_lot lot(context.get_executor());
    detail::parked node;
    std::vector<detail::wake> woken;
    auto const work = [&]() -> asio::awaitable<void> {
        for (int i = 0; i < 2; ++i)
        {
            co_await lot.async_park(node);
            woken.push_back(node.how());
        }
    };
    asio::co_spawn(context, work, asio::detached);
    context.poll();
    for (auto const how : {detail::wake::expired, detail::wake::granted})
    {
        REQUIRE(node.waiting());
        node.finish(how);
        CHECK(!node.waiting());
        context.restart();
        context.poll();
    }
    CHECK(!node.waiting());
    CHECK((woken == std::vector{detail::wake::expired, detail::wake::granted}));
}

TEST_CASE("a call from another execution context that was cancelled before sends nothing")
{
    for (auto const threads : both)
        for (auto const how : kinds)
        {
            CAPTURE(threads);
            CAPTURE(how);
            auto const wire = script();
            far_client one(wire, threads);
            one.begin(true, how);
            one.places.poll();
            REQUIRE(one.outcome.has_value());
            REQUIRE(!one.outcome->has_value());
            CHECK(one.outcome->error().code() == errc::cancelled);
            CHECK(one.outcome->error().progress() == progress::not_sent);
            CHECK(wire->requests().empty());
        }
}

TEST_CASE("what a transport throws is thrown from the call, on its own executor, and nothing stays taken")
{
    for (auto const threads : both)
        for (bool const at_once : {true, false})
        {
            CAPTURE(threads);
            CAPTURE(at_once);
            auto const wire = std::make_shared<starved_transport>(at_once);
            wire->reply(200, group_json);
            far_client one(wire, threads);
            one.begin();
            one.places.poll();
            CHECK(!one.outcome);
            REQUIRE(one.thrown != nullptr);
            CHECK_THROWS_AS(std::rethrow_exception(one.thrown), std::bad_alloc);
            CHECK(one.cloud->metrics().in_flight == 0);
            CHECK(one.cloud->metrics().waiting == 0);
            one.begin();
            one.places.poll();
            CHECK(!one.thrown);
            REQUIRE(one.outcome.has_value());
            CHECK(one.outcome->has_value());
        }
}

TEST_CASE("an error from another execution context names its request, whichever side made it")
{
    struct row
    {
        int status;
        std::string body;
        errc code;
    };
    for (auto const& [status, body, code] :
         {row{200, R"({"id":7})", errc::malformed_response}, row{200, "<html>", errc::malformed_response},
          row{404, R"({"errors":[{"detail":"not found"}]})", errc::http_status}})
        for (auto const threads : both)
        {
            CAPTURE(status);
            CAPTURE(body);
            CAPTURE(threads);
            auto const wire = script();
            wire->reply(status, body).header("X-Request-Id", "91de1d2b01474f0ea5ae95e1ee5e3f0b");
            far_client one(wire, threads);
            one.begin();
            one.places.poll();
            REQUIRE(one.outcome.has_value());
            REQUIRE(!one.outcome->has_value());
            auto const& failure = one.outcome->error();
            CHECK(failure.code() == code);
            CHECK(failure.progress() == progress::answered);
            CHECK(failure.method() == ccloud::method::get);
            CHECK(failure.path() == "/iam/v2/ip-groups/ipg-1");
            CHECK(failure.status() == status);
            CHECK(failure.request_id() == "91de1d2b01474f0ea5ae95e1ee5e3f0b");
            REQUIRE(failure.attempts().size() == 1);
            CHECK(failure.attempts().front().status == status);
            CHECK(failure.attempts().front().request_id == failure.request_id());
        }
}

TEST_CASE("no token of a call from another execution context is printed, whichever side made the error")
{
    std::string const first = "first-token-of-this-call", second = "second-token-of-this-call";
    auto settings = support::test_config();
    settings.credentials =
        ccloud::token_source([&](std::string_view rejected) { return rejected.empty() ? first : second; });
    auto const both_tokens = first + ' ' + second;
    auto const echo = "\"message\":\"" + both_tokens + '"';
    auto const padding = ",\"padding\":\"" + std::string(2 * detail::decode_slice, 'x') + '"';
    struct row
    {
        int status;
        std::string body;
    };
    for (auto const& [status, body] :
         {row{200, "{" + echo + R"(,"id":7})"}, row{200, "{" + echo + padding + R"(,"id":7})"},
          row{200, "{" + echo + padding + "}"}, row{200, "<p>" + both_tokens}, row{404, "{" + echo + "}"}})
        for (auto const threads : both)
        {
            CAPTURE(status);
            CAPTURE(body.size());
            CAPTURE(threads);
            auto const wire = script();
            wire->reply(401, "");
            wire->reply(status, body).header("X-Request-Id", both_tokens);
            far_client one(wire, threads, settings);
            one.begin();
            one.places.poll();
            CHECK(wire->requests().size() == 2);
            REQUIRE(one.outcome.has_value());
            REQUIRE(!one.outcome->has_value());
            auto const& failure = one.outcome->error();
            CHECK(failure.status() == status);
            CHECK(failure.request_id() == "*** ***");
            CHECK(failure.body().find("*** ***") != std::string::npos);
            support::output all;
            support::print(all, "error", failure);
            for (auto const& [where, text] : all)
            {
                CAPTURE(where);
                CHECK(!support::leaks(text, first));
                CHECK(!support::leaks(text, second));
            }
        }
}

TEST_CASE("a call goes where its client's execution context goes, whatever it waits for")
{
    for (bool const answered : {false, true})
    {
        CAPTURE(answered);
        auto const wire = script();
        if (answered)
            wire->reply(200, group_json);
        else
            wire->hang();
        far_client one(wire, ccloud::threading::serial); // a strand must not outlive the context
        one.begin();
        one.places.home->poll();
        one.places.far->poll();
        one.cloud.reset(); // what that asks for is never done
        one.places.far.reset();
        one.signal.emit(kind::terminal);
        one.places.home->restart();
        one.places.home->poll();
        CHECK(one.outcome.has_value() == answered);
        CHECK(!one.thrown);
    }
}
