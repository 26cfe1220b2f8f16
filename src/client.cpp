// The main path: what happens on a call. Read `client_core::run`.

#include <ccloud/client.hpp>

#include "auth/authorization.hpp"
#include "call.hpp"
#include "core/duration.hpp"
#include "core/failure.hpp"
#include "core/redact.hpp"
#include "core/request.hpp"
#include "core/retry.hpp"
#include "hop.hpp"
#include "net/factory.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/strand.hpp>

#include <algorithm>
#include <utility>

namespace ccloud {

namespace detail {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

namespace {

void require(bool holds, char const* what)
{
    if (!holds)
        throw configuration_error(what);
}

void check(config const& settings)
{
    auto const& retry = settings.retry;
    require(retry.max_attempts >= 1 && retry.max_attempts <= 100, "retry.max_attempts: must be 1 to 100");
    require(
        retry.max_throttle_retries >= 0 && retry.max_throttle_retries <= 100,
        "retry.max_throttle_retries: must be 0 to 100"
    );
    require(
        retry.base_delay >= milliseconds(0) && retry.max_delay >= retry.base_delay &&
            retry.throttle_base_delay >= milliseconds(0) && retry.throttle_max_delay >= retry.throttle_base_delay &&
            retry.max_server_delay >= milliseconds(0) && retry.min_attempt_budget >= milliseconds(0),
        "retry: delays must not be negative, nor a base delay longer than its maximum"
    );
    auto const& pool = settings.pool;
    require(
        pool.max_connections_per_origin >= 1 && pool.max_connections_per_origin <= 10'000,
        "pool.max_connections_per_origin: must be 1 to 10000"
    );
    require(pool.connect_timeout > milliseconds(0), "pool.connect_timeout: must be more than zero");
    require(
        pool.idle_timeout >= milliseconds(0) && pool.idle_limit_for_post >= milliseconds(0),
        "pool: idle limits must not be negative"
    );
    require(
        settings.limits.response_header >= 1024 && settings.limits.response_body >= 1024,
        "limits: must be at least 1024 bytes"
    );
    require(core::is_header_safe(settings.application), "application: must not contain control characters");
}

/** The same settings, checked, with durations that can be calculated with. */
config checked(config settings)
{
    check(settings);
    for (auto* const duration :
         {&settings.total_timeout, &settings.attempt_timeout, &settings.retry.base_delay, &settings.retry.max_delay,
          &settings.retry.throttle_base_delay, &settings.retry.throttle_max_delay, &settings.retry.max_server_delay,
          &settings.retry.min_attempt_budget, &settings.pool.connect_timeout, &settings.pool.idle_timeout,
          &settings.pool.idle_limit_for_post})
        *duration = core::bounded(*duration);
    return settings;
}

core::endpoint checked_endpoint(config const& settings)
{
    auto parsed = core::parse_endpoint(settings.endpoint, settings.allow_plaintext);
    if (auto const* wrong = std::get_if<std::string>(&parsed))
        throw configuration_error(*wrong);
    return std::get<core::endpoint>(std::move(parsed));
}

/** Whether a try before the last one may have been executed. */
bool may_have_been_executed(std::vector<attempt> const& tries) noexcept
{
    return tries.size() > 1 && std::any_of(tries.begin(), tries.end() - 1, [](attempt const& one) {
               return one.progress == progress::maybe_sent || one.status >= 500 || one.status == 408;
           });
}

bool is_success(int status) noexcept
{
    return status >= 200 && status < 300;
}

} // namespace

/** What a call is, and what became of it so far: the tries, the waits, and the error they may end in. */
class call_record
{
public:
    call_record(planned_request const& planned, call_options const& options, config const& settings, transport& wire)
        : planned_(planned), wire_(wire), policy_(settings.retry), started_(wire.now()),
          deadline_(core::deadline_after(started_, options.timeout.value_or(settings.total_timeout))),
          replayable_(options.replayable.value_or(planned.request.replayable()))
    {
        if (options.retry)
            policy_ = *options.retry;
        how.deadline = deadline_;
        auto const limit = options.attempt_timeout.value_or(settings.attempt_timeout);
        how.attempt_timeout = core::bounded(limit);
        if (!replayable_)
            how.idle_limit = settings.pool.idle_limit_for_post;
    }

    void begin_try()
    {
        ++tries_;
        try_started_ = wire_.now();
    }

    int tries() const noexcept { return tries_; }

    /** Judges a try that was no success. */
    core::decision judge(exchange const& got)
    {
        core::outcome ended;
        ended.code = got.code;
        ended.status = got.answered() ? got.response.status() : 0;
        ended.progress = got.progress;
        ended.reused = got.reused;
        ended.response_begun = got.response_begun;
        ended.permanent = got.permanent;
        ended.replayable = replayable_;
        if (got.answered())
            ended.hint = core::server_hint(ended.status, got.response.headers(), wire_.wall_now());
        auto const now = wire_.now();
        nanoseconds const remaining =
            deadline_ == steady_time::max() ? nanoseconds::max() : nanoseconds(deadline_ - now);
        auto const next = core::next_step(policy_, used_, ended, remaining, wire_.roll());
        note(got, ended, now, next);
        return next;
    }

    answered succeed(exchange got)
    {
        core::outcome ended;
        ended.status = got.response.status();
        ended.progress = progress::answered;
        auto last = entry_for(got, ended, wire_.now());
        return answered{std::move(got.response), tries_, std::move(history_), std::move(last)};
    }

    /** The error of the call: of its last try, and why there was no further one. */
    error fail(exchange got, ccloud::gave_up why)
    {
        auto about = start();
        if (got.answered())
        {
            int const status = got.response.status();
            std::string const body(std::move(got.response).body());
            core::read_answer(*about, response_info(status, std::move(got.response).headers(), tries_), body);
        }
        else
        {
            about->code = got.code;
            about->progress = got.progress;
            // An earlier try may have done what this one did not come to.
            if (may_have_been_executed(about->attempts))
                about->progress = (std::max)(about->progress, progress::maybe_sent);
            about->detail = std::move(got.detail);
            about->cause = got.cause;
        }
        about->gave_up = why;
        return error(std::move(about));
    }

    /** The error of a call that ends between tries, or before the first; it keeps what the last try brought. */
    error fail_waiting(errc code, exchange last)
    {
        if (tries_ == 0)
            return refuse(code, {});
        auto failure = fail(std::move(last), gave_up::not_retryable);
        failure.edit().code = code;
        return failure;
    }

    /** The error of a call that was not begun. */
    error refuse(errc code, std::string why)
    {
        auto about = start();
        about->code = code;
        about->detail = std::move(why);
        return error(std::move(about));
    }

    send_options how;

private:
    std::unique_ptr<error::data> start()
    {
        auto about = std::make_unique<error::data>();
        about->method = planned_.request.verb();
        about->path = core::path_of(planned_.request.target());
        about->attempts = std::move(history_);
        about->elapsed = wire_.now() - started_;
        return about;
    }

    void note(exchange const& got, core::outcome const& ended, steady_time now, core::decision const& next)
    {
        constexpr std::size_t most = 16;
        if (history_.size() == most)
            history_.pop_back();
        history_.push_back(entry_for(got, ended, now));
        history_.back().delay = next.delay;
    }

    attempt entry_for(exchange const& got, core::outcome const& ended, steady_time now) const
    {
        attempt entry;
        entry.started = try_started_ - started_;
        entry.took = now - try_started_;
        entry.progress = ended.progress;
        entry.bytes_written = got.bytes_written;
        entry.reused = got.reused;
        entry.status = ended.status;
        entry.code = got.answered() ? errc::http_status : got.code;
        entry.server_hint = ended.hint;
        return entry;
    }

    planned_request const& planned_;
    transport& wire_;
    retry_policy policy_;
    steady_time started_;
    steady_time deadline_;
    steady_time try_started_{};
    bool replayable_;
    int tries_ = 0;
    core::tally used_;
    std::vector<attempt> history_;
};

client_core::client_core(
    asio::any_io_executor executor, config settings, std::shared_ptr<transport> wire,
    std::shared_ptr<net::tls_profile const> tls, bool own_wire
)
    : settings_(checked(std::move(settings))), executor_(std::move(executor)), endpoint_(checked_endpoint(settings_)),
      head_(core::make_head(endpoint_.where, auth::authorization(settings_.credentials), settings_.application)),
      wire_(std::move(wire)), tls_(std::move(tls)), lot_(executor_), owns_wire_(own_wire)
{
}

client_core::~client_core() = default;

planned_request client_core::prepare(planned_request planned, http_headers const* extra) const
{
    if (planned.refusal.empty())
        planned.request = core::assemble(std::move(planned.request), endpoint_.base_path, head_, extra);
    return planned;
}

operation<answered> client_core::hop(planned_request const& planned, call_options options)
{
    auto far = [](std::shared_ptr<client_core> self, planned_request owned, call_options how) -> operation<answered> {
        // Waits in line and between tries may be ended by any kind of cancellation.
        co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
        co_return co_await self->run(owned, how);
    };
    auto const throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    auto work = far(shared_from_this(), planned, options);
    auto crossing = async_hop(executor_, std::move(work));
    auto outcome = co_await std::move(crossing);
    co_await asio::this_coro::throw_if_cancelled(throws);
    co_return outcome;
}

operation<answered> client_core::run(planned_request const& planned, call_options options)
{
    call_record call(planned, options, settings_, *wire_);
    if (!planned.refusal.empty())
        co_return call.refuse(errc::invalid_argument, planned.refusal);

    auto const throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    exchange got;
    std::optional<nanoseconds> pause;
    std::optional<error> failure;
    while (!failure)
    {
        // Whatever was awaited last: nothing is begun for a caller who has left.
        auto const cancellation = co_await asio::this_coro::cancellation_state;
        if (closed_ || cancellation.cancelled() != asio::cancellation_type::none)
        {
            failure = call.fail_waiting(closed_ ? errc::client_closed : errc::cancelled, std::move(got));
            break;
        }
        if (pause)
        {
            parked node;
            armed_timer const timer(*wire_, node, wire_->now() + *std::exchange(pause, std::nullopt));
            (void)co_await lot_.async_park(node);
            continue;
        }

        call.begin_try();
        got = co_await wire_->send(planned.request, endpoint_.where, call.how);
        if (got.answered() && is_success(got.response.status()))
            break;

        auto const next = call.judge(got);
        if (next.what == core::decision::action::stop)
            failure = call.fail(std::move(got), next.why);
        else if (next.what == core::decision::action::replay)
            call.how.fresh_connection = true;
        else
            pause = next.delay;
    }
    co_await asio::this_coro::throw_if_cancelled(throws);
    if (failure)
        co_return *std::move(failure);
    co_return call.succeed(std::move(got));
}

void client_core::close() noexcept
{
    asio::dispatch(executor_, [self = shared_from_this()] {
        if (std::exchange(self->closed_, true))
            return;
        self->lot_.finish_all(wake::closed);
        self->wire_->close();
    });
}

error malformed(planned_request const& planned, answered const& got, core::complaint const& about)
{
    auto details = std::make_unique<error::data>();
    details->code = errc::malformed_response;
    details->progress = progress::answered;
    details->method = planned.request.verb();
    details->path = core::path_of(planned.request.target());
    details->response = response_info(got.response.status(), got.response.headers(), got.attempts);
    details->body = got.response.body().substr(0, core::kept_body);
    details->detail = about.to_string();
    details->attempts = got.failed;
    details->attempts.push_back(got.last);
    details->attempts.back().code = errc::malformed_response;
    return error(std::move(details));
}

operation<removed> remove_call(std::shared_ptr<client_core> core, planned_request planned, call_options options)
{
    auto const here = co_await asio::this_coro::executor;
    auto got = co_await core->start(here, planned, options);
    if (got)
        co_return result<removed>(removed{false}, info_of(std::move(*got)));
    if (got.error() == condition::not_found && may_have_been_executed(got.error().attempts()))
        co_return result<removed>(removed{true}, got.error().response());
    co_return std::move(got).error();
}

namespace {

operation<http_response> raw_call(std::shared_ptr<client_core> core, planned_request planned, call_options options)
{
    auto const here = co_await asio::this_coro::executor;
    auto got = co_await core->start(here, planned, options);
    if (!got)
        co_return std::move(got).error();
    response_info info(got->response.status(), got->response.headers(), got->attempts);
    co_return result<http_response>(std::move(got->response), std::move(info));
}

std::string refusal_of(http_request const& request)
{
    if (!core::is_target(request.target()))
        return "target: must begin with \"/\" and be percent-encoded";
    if (!request.headers().well_formed())
        return "header \"" + core::printable(request.headers().refused()) +
               "\": is no field name, or its value has CR, LF or NUL";
    std::string why;
    request.headers().for_each([&why](std::string_view name, std::string_view) {
        if (auto const not_yours = core::refuse_field(name); !not_yours.empty() && why.empty())
            why.append("header \"").append(name).append("\": ").append(not_yours);
    });
    return why;
}

asio::any_io_executor executor_for(asio::any_io_executor given, threading how)
{
    if (!given)
        throw configuration_error("executor: is empty");
    if (how == threading::serial)
        return given;
    return asio::make_strand(std::move(given));
}

/** A core with a network of its own; `tls` where there is one already. */
std::shared_ptr<client_core> make_core(
    asio::any_io_executor executor, config settings, std::shared_ptr<net::tls_profile const> tls = nullptr
)
{
    settings = checked(std::move(settings));
    bool const needs_tls = checked_endpoint(settings).where.tls();
    auto where = executor_for(std::move(executor), settings.threading);
    if (needs_tls && !tls)
        tls = net::make_tls_profile(settings.tls);
    auto wire = net::make_transport(where, settings, tls);
    return std::make_shared<client_core>(std::move(where), std::move(settings), std::move(wire), std::move(tls), true);
}

} // namespace

/** Goes with the last handle; then the calls under way are cancelled. */
class client_owner
{
public:
    explicit client_owner(std::shared_ptr<client_core> core) noexcept : core_(std::move(core)) {}
    client_owner(client_owner const&) = delete;
    client_owner& operator=(client_owner const&) = delete;
    ~client_owner() { core_->close(); }

private:
    std::shared_ptr<client_core> core_;
};

} // namespace detail

client::client(asio::any_io_executor executor, config settings)
    : core_(detail::make_core(std::move(executor), std::move(settings))),
      owner_(std::make_shared<detail::client_owner>(core_))
{
}

client::client(asio::any_io_executor executor, config settings, std::shared_ptr<transport> wire)
{
    if (!wire)
        throw configuration_error("transport: is null");
    auto where = detail::executor_for(std::move(executor), settings.threading);
    core_ =
        std::make_shared<detail::client_core>(std::move(where), std::move(settings), std::move(wire), nullptr, false);
    owner_ = std::make_shared<detail::client_owner>(core_);
}

client::client(
    std::shared_ptr<detail::client_core> core, std::shared_ptr<detail::client_owner> owner,
    std::shared_ptr<http_headers const> extra
) noexcept
    : core_(std::move(core)), owner_(std::move(owner)), extra_(std::move(extra))
{
}

client client::on(asio::any_io_executor executor) const
{
    if (!core_->owns_wire())
        throw configuration_error("on(): a client that was given its transport has one shard");
    auto core = detail::make_core(std::move(executor), core_->settings(), core_->tls());
    auto owner = std::make_shared<detail::client_owner>(core);
    return client(std::move(core), std::move(owner), extra_);
}

client client::with_header(std::string_view name, std::string_view value) const
{
    if (auto const why = core::refuse_field(name); !why.empty())
        throw configuration_error("header \"" + std::string(name) + "\": " + std::string(why));
    auto extended = std::make_shared<http_headers>(extra_ ? *extra_ : http_headers());
    extended->add(name, value);
    if (!extended->well_formed())
        throw configuration_error(
            "header \"" + core::printable(name) + "\": is no field name, or its value has control characters"
        );
    return client(core_, owner_, std::move(extended));
}

asio::any_io_executor client::executor() const noexcept
{
    return core_->executor();
}

operation<http_response> client::execute(http_request request, call_options options) const
{
    planned_request planned;
    planned.refusal = detail::refusal_of(request);
    planned.request = std::move(request);
    return detail::raw_call(core_, core_->prepare(std::move(planned), extra_.get()), options);
}

metrics client::metrics() const noexcept
{
    return {};
}

void client::close() noexcept
{
    core_->close();
}

} // namespace ccloud
