// Shards, faults and close(): every call ends by its timeout.
//
//   stress [--seconds N] [--seed N] [--shards N] [--callers N] [--plain]
//
// Callers on several threads call a server that misbehaves in phases: it works, fails some responses, kills every
// connection, does not respond, is down, or throttles. Meanwhile calls are cancelled, and shards are closed and
// replaced. The program fails if a call ends later than 250 ms after its timeout, if a call never ends, or if a client
// holds something after all its calls have ended.

#include <ccloud/client.hpp>

#include "certificates.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

namespace {

/** How long after its timeout a call may end. */
constexpr auto tolerance = 250ms;

constexpr auto awaited = asio::as_tuple(asio::use_awaitable);

struct options
{
    int seconds = 60;
    std::uint64_t seed = 1;
    std::size_t shards = 3;
    std::size_t callers = 24; ///< of each shard
    bool plain = false;
};

class random_numbers
{
public:
    explicit random_numbers(std::uint64_t seed) : engine_(seed) {}

    int between(int low, int high) { return std::uniform_int_distribution<int>(low, high)(engine_); }
    bool chance(int percent) { return between(1, 100) <= percent; }

private:
    std::mt19937_64 engine_;
};

/** How the server behaves for a while. */
enum class phase { sound, rough, kills, silent, down, throttles };
constexpr std::array phases{phase::sound,  phase::rough, phase::sound, phase::kills,
                            phase::silent, phase::down,  phase::sound, phase::throttles};

char const* to_string(phase now)
{
    switch (now)
    {
    case phase::sound: return "sound";
    case phase::rough: return "rough";
    case phase::kills: return "kills";
    case phase::silent: return "silent";
    case phase::down: return "down";
    case phase::throttles: return "throttles";
    }
    return "";
}

/** An HTTP/1.1 server on a thread of its own, whose behaviour depends on its phase. */
class faulty_server
{
public:
    using tcp = asio::ip::tcp;

    faulty_server(bool tls, std::uint64_t seed, support::identity const& shown) : tls_(tls), random_(seed)
    {
        if (tls_)
        {
            context_tls_.use_certificate_chain(asio::buffer(shown.certificate));
            context_tls_.use_private_key(asio::buffer(shown.key), asio::ssl::context::pem);
        }
        listen({asio::ip::address_v4::loopback(), 0});
        asio::co_spawn(context_, change_phases(), asio::detached);
        thread_ = std::thread([this] { context_.run(); });
    }

    ~faulty_server()
    {
        context_.stop();
        thread_.join();
    }

    std::string endpoint() const { return (tls_ ? "https://localhost:" : "http://127.0.0.1:") + std::to_string(port_); }

    phase current() const noexcept { return phase_; }
    std::uint64_t accepted() const noexcept { return accepted_; }
    std::uint64_t requests() const noexcept { return requests_; }

    /** Works without faults from now on. */
    void recover() noexcept { recovered_ = true; }

private:
    void listen(tcp::endpoint where)
    {
        acceptor_.emplace(context_);
        acceptor_->open(where.protocol());
        acceptor_->set_option(tcp::acceptor::reuse_address(true));
        acceptor_->bind(where);
        acceptor_->listen();
        port_ = acceptor_->local_endpoint().port();
        asio::co_spawn(context_, accept(), asio::detached);
    }

    asio::awaitable<void> change_phases()
    {
        for (std::size_t i = 0;; ++i)
        {
            auto const next = recovered_ ? phase::sound : phases[i % phases.size()];
            if (next == phase::down)
                acceptor_.reset();
            else if (!acceptor_)
                listen({asio::ip::address_v4::loopback(), port_});
            phase_ = next;
            asio::steady_timer timer(context_, milliseconds(random_.between(200, 1'500)));
            auto waited = co_await timer.async_wait(awaited);
            (void)waited;
        }
    }

    asio::awaitable<void> accept()
    {
        for (;;)
        {
            tcp::socket peer(context_);
            auto accepted = co_await acceptor_->async_accept(peer, awaited);
            if (std::get<0>(accepted))
                co_return;
            ++accepted_;
            asio::co_spawn(context_, serve(std::move(peer)), asio::detached);
        }
    }

    asio::awaitable<void> serve(tcp::socket peer)
    {
        if (phase_ == phase::silent && random_.chance(50))
            co_return co_await hang(peer);
        if (phase_ == phase::kills && random_.chance(50))
            co_return;
        if (!tls_)
            co_return co_await converse(peer, peer);
        asio::ssl::stream<tcp::socket&> stream(peer, context_tls_);
        auto shaken = co_await stream.async_handshake(asio::ssl::stream_base::server, awaited);
        if (std::get<0>(shaken) || phase_ == phase::kills)
            co_return;
        co_await converse(stream, peer);
    }

    /** Keeps a connection open, and sends nothing. */
    asio::awaitable<void> hang(tcp::socket& peer)
    {
        asio::steady_timer timer(context_, 20s);
        auto waited = co_await timer.async_wait(awaited);
        (void)waited;
        error_code ignored;
        peer.close(ignored);
    }

    template <class Stream>
    asio::awaitable<void> converse(Stream& stream, tcp::socket& peer)
    {
        std::string received;
        for (;;)
        {
            auto into = asio::dynamic_buffer(received);
            auto head = co_await asio::async_read_until(stream, into, "\r\n\r\n", awaited);
            if (std::get<0>(head))
                co_return;
            received.clear(); // requests arrive in one piece, and their bodies are ignored
            ++requests_;
            bool const fails = phase_ != phase::sound && random_.chance(phase_ == phase::rough ? 60 : 90);
            auto reply = fails ? faulty_reply() : sound_reply();
            if (reply.hangs)
                co_return co_await hang(peer);
            if (reply.resets)
            {
                error_code ignored;
                peer.set_option(asio::socket_base::linger(true, 0), ignored);
                peer.close(ignored);
                co_return;
            }
            if (reply.delay > 0ms)
            {
                asio::steady_timer timer(context_, reply.delay);
                auto waited = co_await timer.async_wait(awaited);
                (void)waited;
            }
            auto sent = co_await asio::async_write(stream, asio::buffer(reply.bytes), awaited);
            if (std::get<0>(sent) || reply.closes)
                co_return;
        }
    }

    struct response
    {
        std::string bytes;
        bool closes = false;
        bool hangs = false;
        bool resets = false;
        milliseconds delay{};
    };

    static std::string with_body(std::string_view status, std::string_view fields, std::string_view body)
    {
        return std::string("HTTP/1.1 ")
            .append(status)
            .append("\r\n")
            .append(fields)
            .append("Content-Length: ")
            .append(std::to_string(body.size()))
            .append("\r\n\r\n")
            .append(body);
    }

    response sound_reply()
    {
        response made;
        made.bytes = with_body("200 OK", "Content-Type: application/json\r\n", R"({"data":[]})");
        if (random_.chance(5))
        {
            made.bytes = with_body("200 OK", "Connection: close\r\n", "{}");
            made.closes = true;
        }
        made.delay = milliseconds(random_.chance(20) ? random_.between(1, 30) : 0);
        return made;
    }

    response faulty_reply()
    {
        response made;
        if (phase_ == phase::throttles)
        {
            made.bytes = random_.chance(50) ? with_body("429 Too Many Requests", "Retry-After: 1\r\n", "{}")
                                            : with_body("429 Too Many Requests", "", "{}");
            return made;
        }
        if (phase_ == phase::silent)
        {
            made.hangs = true;
            return made;
        }
        switch (random_.between(0, 10))
        {
        case 0: made.resets = true; break;
        case 1: made.closes = true; break; // without a byte
        case 2:
            made.bytes = "HTTP/1.1 200 OK\r\nContent-Le";
            made.closes = true;
            break;
        case 3:
            made.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"da";
            made.closes = true;
            break;
        case 4: made.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"; break;
        case 5: made.bytes = with_body("500 Internal Server Error", "", "{}"); break;
        case 6: made.bytes = with_body("503 Service Unavailable", "Retry-After: 1\r\n", "{}"); break;
        case 7: made.hangs = true; break;
        case 8: made.bytes = with_body("200 OK", "", "{}") + "unsolicited"; break;
        case 9: made.bytes = with_body("404 Not Found", "", "{}"); break;
        default: made = sound_reply(); made.delay = milliseconds(random_.between(50, 400));
        }
        return made;
    }

    bool const tls_;
    random_numbers random_;
    asio::io_context context_{1};
    asio::ssl::context context_tls_{asio::ssl::context::tls_server};
    std::optional<tcp::acceptor> acceptor_;
    std::uint16_t port_ = 0;
    std::atomic<phase> phase_ = phase::sound;
    std::atomic<bool> recovered_ = false;
    std::atomic<std::uint64_t> accepted_ = 0;
    std::atomic<std::uint64_t> requests_ = 0;
    std::thread thread_;
};

/** Measures how late the event loop of a thread runs timers. A call cannot be on time if its thread is late. */
class lag_meter
{
public:
    void note(nanoseconds late) noexcept
    {
        std::lock_guard const lock(mutex_);
        auto const now = steady_clock::now();
        if (late > 5ms)
            lags_.emplace_back(now, late);
        if (lags_.size() > 20'000)
            lags_.erase(lags_.begin(), lags_.begin() + 10'000);
    }

    /** The greatest delay since `from`. */
    nanoseconds most_since(steady_clock::time_point from) const noexcept
    {
        std::lock_guard const lock(mutex_);
        nanoseconds most{};
        for (auto at = lags_.rbegin(); at != lags_.rend() && at->first >= from; ++at)
            most = std::max(most, at->second);
        return most;
    }

private:
    mutable std::mutex mutex_;
    std::vector<std::pair<steady_clock::time_point, nanoseconds>> lags_;
};

struct totals
{
    std::atomic<std::uint64_t> begun = 0;
    std::atomic<std::uint64_t> ended = 0;
    std::atomic<std::uint64_t> good = 0;
    std::atomic<std::uint64_t> late = 0;
    std::atomic<std::uint64_t> excused = 0; ///< calls that were late because their thread was
    std::atomic<std::int64_t> latest = 0;   ///< nanoseconds after the timeout
    std::mutex mutex;
    std::map<std::string, std::uint64_t> by_outcome;
};

/** A thread with an event loop, a shard on it, and callers. */
struct shard
{
    asio::io_context context{1};
    lag_meter lag;
    std::thread thread;
    std::mutex mutex;
    std::optional<ccloud::client> cloud; ///< guarded

    ccloud::client handle()
    {
        std::lock_guard const lock(mutex);
        return *cloud;
    }

    void replace(ccloud::client by)
    {
        std::lock_guard const lock(mutex);
        cloud.emplace(std::move(by));
    }
};

class stress
{
public:
    stress(options const& chosen, support::authority const& ca)
        : chosen_(chosen), server_(!chosen.plain, chosen.seed, ca.issue(support::subject::local()))
    {
        settings_.endpoint = server_.endpoint();
        settings_.credentials = ccloud::api_key("KEY", "secret");
        settings_.tls.ca_pem = ca.certificate();
        settings_.pool.max_connections_per_origin = 8;
        settings_.pool.max_connections = 8 + 4 * chosen.shards;
        settings_.pool.connect_timeout = 2'000ms;
        settings_.attempt_timeout = 1'000ms;
        settings_.retry_budget = 0;
        settings_.retry.base_delay = 50ms;
        settings_.retry.max_delay = 2'000ms;
        settings_.retry.min_attempt_budget = 10ms;
        settings_.retry.max_attempts = 30;
    }

    /** @return whether everything is correct */
    bool run()
    {
        for (std::size_t i = 0; i < chosen_.shards; ++i)
            shards_.push_back(std::make_unique<shard>());
        shards_[0]->cloud.emplace(shards_[0]->context.get_executor(), settings_);
        for (std::size_t i = 0; i < chosen_.shards; ++i)
        {
            auto& one = *shards_[i];
            if (i > 0)
                one.cloud.emplace(shards_[0]->handle().on(one.context.get_executor()));
            asio::co_spawn(one.context, measure_lag(one), asio::detached);
            for (std::size_t n = 0; n < chosen_.callers; ++n)
                asio::co_spawn(one.context, call_on(one, chosen_.seed * 1'000 + i * 100 + n), rethrow);
        }
        for (auto& one : shards_)
            one->thread = std::thread([&one] { one->context.run(); });
        disturb();
        bool sound = finish();
        report();
        return sound && totals_.late == 0;
    }

private:
    static void rethrow(std::exception_ptr thrown)
    {
        if (thrown)
            std::rethrow_exception(thrown);
    }

    asio::awaitable<void> measure_lag(shard& own)
    {
        asio::steady_timer timer(own.context);
        while (!over_)
        {
            auto const due = steady_clock::now() + 5ms;
            timer.expires_at(due);
            auto waited = co_await timer.async_wait(awaited);
            (void)waited;
            own.lag.note(steady_clock::now() - due);
        }
    }

    asio::awaitable<void> call_on(shard& own, std::uint64_t seed)
    {
        random_numbers random(seed);
        ++callers_;
        while (!over_)
        {
            // Now and then a call crosses executors.
            auto& target =
                random.chance(10) ? *shards_[static_cast<std::size_t>(random.between(0, 1'000)) % shards_.size()] : own;
            auto cloud = target.handle();
            auto const timeout =
                milliseconds(random.chance(10) ? random.between(3'000, 12'000) : random.between(5, 2'000));
            bool const cancels = random.chance(15);
            auto const method = random.chance(70)   ? ccloud::method::get
                                : random.chance(50) ? ccloud::method::post
                                                    : ccloud::method::del;
            ccloud::http_request request(method, "/iam/v2/" + std::to_string(random.between(1, 4)));
            ccloud::call_options how;
            how.timeout = timeout;
            auto const started = steady_clock::now();
            ++totals_.begun;
            auto const cancel_after = milliseconds(cancels ? random.between(0, 500) : -1);
            auto const outcome = co_await call_once(own, std::move(cloud), std::move(request), how, cancel_after);
            auto const ended = steady_clock::now();
            judge(own, target, outcome, started, ended, timeout);
            if (outcome == "client_closed")
            {
                asio::steady_timer pause(own.context, 5ms);
                auto waited = co_await pause.async_wait(awaited);
                (void)waited;
            }
        }
        --callers_;
    }

    asio::awaitable<std::string> call_once(
        shard& own, ccloud::client cloud, ccloud::http_request request, ccloud::call_options how,
        milliseconds cancel_after
    )
    {
        struct state
        {
            explicit state(asio::io_context& context) : done(context, steady_clock::time_point::max()), cancel(context)
            {
            }
            asio::cancellation_signal signal;
            asio::steady_timer done;
            asio::steady_timer cancel;
            std::string outcome;
        };
        auto shared = std::make_shared<state>(own.context);
        if (cancel_after >= 0ms)
        {
            shared->cancel.expires_after(cancel_after);
            shared->cancel.async_wait([shared](error_code failed) {
                if (!failed)
                    shared->signal.emit(asio::cancellation_type::terminal);
            });
        }
        asio::co_spawn(
            own.context, cloud.execute(std::move(request), how),
            asio::bind_cancellation_slot(
                shared->signal.slot(),
                [shared](std::exception_ptr thrown, ccloud::result<ccloud::http_response> got) {
                    shared->outcome = thrown            ? "cancelled before its start"
                                      : got.has_value() ? "good"
                                                        : make_error_code(got.error().code()).message();
                    if (!thrown && !got.has_value() && got.error().code() == ccloud::errc::client_closed)
                        shared->outcome = "client_closed";
                    shared->cancel.cancel();
                    shared->done.cancel();
                }
            )
        );
        if (shared->outcome.empty())
        {
            auto waited = co_await shared->done.async_wait(awaited);
            (void)waited;
        }
        co_return shared->outcome;
    }

    void judge(
        shard const& own, shard const& target, std::string const& outcome, steady_clock::time_point started,
        steady_clock::time_point ended, milliseconds timeout
    )
    {
        ++totals_.ended;
        auto const late = ended - started - nanoseconds(timeout);
        for (auto seen = totals_.latest.load(); late.count() > seen;)
            if (totals_.latest.compare_exchange_weak(seen, late.count()))
                break;
        if (outcome == "good")
            ++totals_.good;
        {
            std::lock_guard const lock(totals_.mutex);
            ++totals_.by_outcome[outcome];
        }
        if (late <= tolerance)
            return;
        auto const lag = own.lag.most_since(started) + target.lag.most_since(started);
        if (late <= tolerance + lag)
        {
            ++totals_.excused;
            return;
        }
        ++totals_.late;
        std::fprintf(
            stderr, "LATE: timeout %lld ms, took %lld ms, lag %lld ms, outcome %s, server %s\n",
            static_cast<long long>(timeout.count()),
            static_cast<long long>(std::chrono::duration_cast<milliseconds>(ended - started).count()),
            static_cast<long long>(std::chrono::duration_cast<milliseconds>(lag).count()), outcome.c_str(),
            to_string(server_.current())
        );
    }

    /** Closes, replaces and disturbs shards until the run's time has passed. */
    void disturb()
    {
        random_numbers random(chosen_.seed + 77);
        auto const end = steady_clock::now() + std::chrono::seconds(chosen_.seconds);
        while (steady_clock::now() < end)
        {
            std::this_thread::sleep_for(milliseconds(random.between(20, 400)));
            auto& one = *shards_[static_cast<std::size_t>(random.between(0, 1'000)) % shards_.size()];
            auto cloud = one.handle();
            switch (random.between(0, 7))
            {
            case 0:
                one.replace(cloud.on(one.context.get_executor()));
                cloud.close();
                break;
            case 1:
            {
                one.replace(cloud.on(one.context.get_executor()));
                auto drain = [](ccloud::client old, milliseconds timeout) -> asio::awaitable<void> {
                    auto drained = co_await old.close(timeout);
                    (void)drained;
                };
                asio::co_spawn(one.context, drain(cloud, milliseconds(random.between(0, 500))), rethrow);
                break;
            }
            case 2: one.replace(cloud.on(one.context.get_executor())); break; // the calls hold the last handle
            case 3: cloud.network_changed(); break;
            case 4: cloud.close_idle(); break;
            case 5: cloud.warm_up(static_cast<std::size_t>(random.between(0, 8))); break;
            case 6: cloud.poison(static_cast<std::uint64_t>(random.between(1, 500))); break;
            default: break;
            }
        }
    }

    /** Waits for the end of all calls, and then checks that the clients hold nothing. */
    bool finish()
    {
        over_ = true;
        server_.recover();
        auto const patience = steady_clock::now() + 14s;
        while (callers_ > 0 && steady_clock::now() < patience)
            std::this_thread::sleep_for(5ms);
        bool sound = callers_ == 0;
        if (!sound)
            std::fprintf(stderr, "LOST: %d callers still wait\n", callers_.load());
        for (auto& one : shards_)
        {
            auto const held = one->handle().metrics();
            if (held.waiting + held.in_flight + held.connections.active + held.connections.waiting > 0)
            {
                sound = false;
                std::fprintf(
                    stderr, "HELD: %zu waiting, %zu in flight, %zu connections active, %zu calls in the pool's queue\n",
                    held.waiting, held.in_flight, held.connections.active, held.connections.waiting
                );
            }
        }
        for (auto& one : shards_)
        {
            std::lock_guard const lock(one->mutex);
            one->cloud.reset();
        }
        auto const last = steady_clock::now() + 10s;
        for (auto& one : shards_)
            while (!one->context.stopped() && steady_clock::now() < last)
                std::this_thread::sleep_for(5ms);
        for (auto& one : shards_)
        {
            if (!one->context.stopped())
            {
                sound = false;
                std::fprintf(stderr, "HELD: an event loop has work left after close()\n");
                one->context.stop();
            }
            one->thread.join();
        }
        return sound;
    }

    void report()
    {
        std::printf(
            "seed %llu: %llu calls, %llu good, latest %+.1f ms, %llu late, %llu excused; server: %llu connections, "
            "%llu requests\n",
            static_cast<unsigned long long>(chosen_.seed), static_cast<unsigned long long>(totals_.ended.load()),
            static_cast<unsigned long long>(totals_.good.load()), static_cast<double>(totals_.latest.load()) / 1e6,
            static_cast<unsigned long long>(totals_.late.load()),
            static_cast<unsigned long long>(totals_.excused.load()),
            static_cast<unsigned long long>(server_.accepted()), static_cast<unsigned long long>(server_.requests())
        );
        for (auto const& [outcome, count] : totals_.by_outcome)
            std::printf("  %8llu %s\n", static_cast<unsigned long long>(count), outcome.c_str());
    }

    options const chosen_;
    faulty_server server_;
    ccloud::config settings_;
    std::vector<std::unique_ptr<shard>> shards_;
    std::atomic<bool> over_ = false;
    std::atomic<int> callers_ = 0;
    totals totals_;
};

[[noreturn]] void usage()
{
    std::fputs("usage: stress [--seconds N] [--seed N] [--shards N] [--callers N] [--plain]\n", stderr);
    std::exit(2);
}

options parse(int count, char** arguments)
{
    options chosen;
    for (int i = 1; i < count; ++i)
    {
        std::string_view const name = arguments[i];
        if (name == "--plain")
        {
            chosen.plain = true;
            continue;
        }
        if (i + 1 == count)
            usage();
        auto const value = std::strtoull(arguments[++i], nullptr, 10);
        if (name == "--seconds" && value > 0)
            chosen.seconds = static_cast<int>(value);
        else if (name == "--seed")
            chosen.seed = value;
        else if (name == "--shards" && value > 0)
            chosen.shards = value;
        else if (name == "--callers" && value > 0)
            chosen.callers = value;
        else
            usage();
    }
    return chosen;
}

} // namespace

int main(int count, char** arguments)
{
    auto const chosen = parse(count, arguments);
    support::authority const ca;
    stress test(chosen, ca);
    return test.run() ? EXIT_SUCCESS : EXIT_FAILURE;
}
