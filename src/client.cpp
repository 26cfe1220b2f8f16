// The main path: what happens on a call. Read `client_core::run`.

#include <ccloud/client.hpp>

#include "auth/authorization.hpp"
#include "call.hpp"
#include "call_record.hpp"
#include "core/duration.hpp"
#include "core/failure.hpp"
#include "core/redact.hpp"
#include "core/request.hpp"
#include "hop.hpp"
#include "net/factory.hpp"
#include "settings.hpp"

#include <boost/asio/deferred.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

namespace ccloud {

namespace detail {

client_core::client_core(
    asio::any_io_executor executor, config settings, std::shared_ptr<transport> wire,
    std::shared_ptr<shared_parts const> common
)
    : settings_(checked(std::move(settings))), executor_(std::move(executor)), endpoint_(checked_endpoint(settings_)),
      head_(core::make_head(
          endpoint_.where, auth::authorization(settings_.credentials), settings_.application, settings_.compression
      )),
      secrets_(secrets_of(settings_)), wire_(std::move(wire)), common_(std::move(common)), lot_(executor_),
      gates_(gatekeeper::make(common_ ? common_->limits : std::make_shared<admission>(settings_), *wire_, executor_)),
      onlookers_(executor_)
{
}

client_core::~client_core() = default;

planned_call::planned_call(
    planned_request&& what, call_options const& how, config const& settings, std::shared_ptr<http_headers const> with
)
    : planned(std::move(what)), extra(std::move(with)), timeout(how.timeout.value_or(settings.total_timeout)),
      attempt_timeout(how.attempt_timeout.value_or(settings.attempt_timeout)),
      replayable(how.replayable.value_or(planned.request.replayable()))
{
    if (!how.retry)
        return;
    if (auto const why = policy_refusal(*how.retry); !why.empty() && planned.refusal.empty())
        planned.refusal.append("retry.").append(why);
    policy = std::make_unique<retry_policy const>(bounded(*how.retry));
}

planned_call client_core::plan(
    planned_request&& planned, call_options const& options, std::shared_ptr<http_headers const> extra
) const
{
    if (!endpoint_.base_path.empty())
        planned.request.move_to(endpoint_.base_path + planned.request.target());
    return planned_call(std::move(planned), options, settings_, std::move(extra));
}

namespace {

/** A call that waits on another executor than the client's. It goes with the work, which may outlive the waiting side,
    and comes back. */
class far_call final : public far_work<call_failure>
{
public:
    far_call(std::shared_ptr<client_core> core, planned_call& near)
        : core_(std::move(core)), near_(near), call_(std::move(near))
    {
    }

    asio::any_io_executor const& executor() const noexcept override { return core_->executor(); }
    asio::awaitable<call_failure> start() override { return core_->run(call_); }
    void come_home() noexcept override { near_ = std::move(call_); }

private:
    std::shared_ptr<client_core> core_;
    planned_call& near_;
    planned_call call_;
};

} // namespace

asio::awaitable<call_failure> client_core::run_there(planned_call& call)
{
    return hop<call_failure>(std::make_shared<far_call>(shared_from_this(), call));
}

asio::awaitable<call_failure> client_core::run(planned_call& planned)
{
    call_record call(*this, planned);
    auto failure = call.refusal();
    auto const throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    std::exception_ptr thrown;
    try
    {
        while (!failure)
        {
            // Whatever was awaited or asked last: nothing is begun for a caller who has left.
            auto const cancellation = co_await asio::this_coro::cancellation_state;
            if (draining_ || cancellation.cancelled() != asio::cancellation_type::none)
            {
                failure = call.fail_waiting(draining_ ? errc::client_closed : errc::cancelled);
                break;
            }
            if (call.pauses())
            {
                co_await sleep_until(call.pause_ends());
                call.end_pause();
                continue;
            }
            if (!call.admitted())
            {
                turn place(*gates_, call.claim(), call.terms(), call.admission());
                if (place.waits())
                    co_await lot_.async_park(place);
                failure = call.end_wait(place.conclude());
                continue;
            }
            if (!call.prepared())
            {
                failure = call.prepare_try();
                continue;
            }

            failure = call.begin_try();
            if (failure)
                break;
            on_wire counted(*this);
            auto got = co_await wire_->send(call.request(), endpoint_.where, call.how);
            if (draining_)
                note_drained(got);
            counted.end();
            call.end_try(got);
            if (call.succeeds(got))
            {
                call.succeed(std::move(got));
                break;
            }
            failure = call.is_redirect(got) ? call.follow(std::move(got)) : call.judge(std::move(got));
        }
    }
    catch (...) // an allocation failed
    {
        thrown = std::current_exception();
    }
    co_await asio::this_coro::throw_if_cancelled(throws);
    if (thrown)
        std::rethrow_exception(thrown);
    if (failure)
        call.give_up(*failure);
    co_return failure;
}

/** A coroutine of its own, for few calls ever sleep. */
asio::awaitable<void> client_core::sleep_until(steady_time end)
{
    parked node;
    armed_timer const timer(*wire_, node, end);
    co_await lot_.async_park(node);
}

std::string_view client_core::scope_of(planned_request const& planned, std::string& storage) const
{
    auto const& request = planned.request;
    if (auto const& key = settings_.rate_scope.key())
        try
        {
            return storage = key(request.verb(), request.target());
        }
        catch (...) // as if there were no such function
        {
        }
    if (!planned.scope.empty())
        return planned.scope;
    return core::collection_of(std::string_view(request.target()).substr(endpoint_.base_path.size()));
}

bool client_core::would_admit(planned_call const& call)
{
    std::string storage;
    return gates_->is_open(scope_of(call.planned, storage));
}

metrics client_core::snapshot() const noexcept
{
    metrics now;
    now.calls = counts_.calls.get();
    now.succeeded = counts_.succeeded.get();
    now.failed = counts_.failed.get();
    now.attempts = counts_.attempts.get();
    now.transient_retries = counts_.transient_retries.get();
    now.throttle_retries = counts_.throttle_retries.get();
    now.replays = counts_.replays.get();
    now.throttled = counts_.throttled.get();
    now.gate_waits = counts_.gate_waits.get();
    now.gate_waited = std::chrono::nanoseconds(counts_.gate_waited.get());
    now.budget_exhausted = counts_.budget_exhausted.get();
    now.refused = counts_.refused.get();
    gates_->describe(now);
    wire_->describe(now.connections);
    return now;
}

void client_core::close() noexcept
{
    gates_->retire();
    try
    {
        asio::dispatch(executor_, [self = shared_from_this()] { self->close_now(); });
    }
    catch (...)
    {
        post_maintenance(closing);
    }
}

void client_core::post_maintenance(unsigned what) noexcept
{
    if (maintenance_.fetch_or(what) == 0 &&
        !post_surely(executor_, shared_from_this(), maintenance_memory_, [](auto const& self) {
            self->run_maintenance();
        }))
        maintenance_ = 0;
}

void client_core::run_maintenance() noexcept
{
    auto const what = maintenance_.exchange(0);
    if ((what & closing) != 0)
        close_now();
    if (closed_)
        return;
    if ((what & closing_idle) != 0)
        wire_->close_idle();
    if ((what & changing_network) != 0)
        wire_->network_changed();
}

/** From here on nothing is sent; what waits to be, ends. */
void client_core::begin_drain() noexcept
{
    if (std::exchange(draining_, true))
        return;
    gates_->retire();
    gates_->close();
    lot_.finish_all(wake::closed);
    wire_->drain();
}

/** Of a call that the transport gives back. Those that only waited for a connection do not count. */
void client_core::note_drained(exchange const& got) noexcept
{
    if (got.code != errc::client_closed)
        ++drained_.finished;
    else if (got.progress != progress::not_sent)
        ++drained_.cut;
}

void client_core::close_now() noexcept
{
    begin_drain();
    if (!std::exchange(closed_, true))
        wire_->close();
}

operation<drained> client_core::drain(std::chrono::milliseconds timeout)
{
    struct close_on_exit
    {
        client_core& core;
        ~close_on_exit() { core.close_now(); }
    };
    begin_drain();
    auto const before = drained_;
    {
        close_on_exit const end{*this};
        if (on_wire_ > 0 && !closed_ && timeout > std::chrono::milliseconds(0))
        {
            parked node;
            std::optional<armed_timer> timer;
            if (auto const last = core::deadline_after(wire_->now(), timeout); last != steady_time::max())
                timer.emplace(*wire_, node, last);
            co_await onlookers_.async_park(node);
        }
    }
    while (on_wire_ > 0) // their end is on its way
    {
        parked node;
        co_await onlookers_.async_park(node);
    }
    drained const end{drained_.finished - before.finished, drained_.cut - before.cut};
    co_return result<drained>(end, response_info());
}

namespace {

/** An error about a response that has come. `answer` is without secrets already. */
error unreadable(
    call_secrets secrets, planned_call const& call, response_info&& answer, errc code, std::string detail,
    core::problem_list told
)
{
    auto const& got = call.got;
    auto const& request = call.planned.request;
    auto details = std::make_unique<error::data>();
    details->code = code;
    details->progress = progress::answered;
    details->method = request.verb();
    details->path = core::path_of(request.target());
    details->response = std::move(answer);
    details->body = got.response.body().substr(0, core::kept_body);
    details->detail = std::move(detail);
    details->problems = std::move(told.kept);
    details->omitted_problems = told.omitted;
    details->elapsed = got.started + got.took;
    details->attempts = got.failed;
    attempt last;
    last.started = got.started;
    last.took = got.took;
    last.progress = progress::answered;
    last.bytes_written = got.bytes_written;
    last.reused = got.reused;
    last.connection = got.connection;
    last.status = got.response.status();
    last.code = code;
    last.request_id = secrets.shown(details->response.request_id());
    record(details->attempts, std::move(last));
    core::clean(*details, secrets.all());
    return error(std::move(details));
}

error cancelled_while_decoding(client_core const& core, planned_call const& call, response_info const& answer)
{
    call_secrets secrets(core, call);
    auto cleaned = core::cleaned(answer, secrets.all());
    auto detail =
        core::joined("while the response was decoded", core::outcome_of(call.planned.request.verb(), cleaned));
    return unreadable(secrets, call, std::move(cleaned), errc::cancelled, std::move(detail), {});
}

} // namespace

error unreadable(
    client_core const& core, planned_call const& call, response_info const& answer, errc code, std::string detail
)
{
    call_secrets secrets(core, call);
    auto cleaned = core::cleaned(answer, secrets.all());
    return unreadable(secrets, call, std::move(cleaned), code, std::move(detail), {});
}

error malformed(
    client_core const& core, planned_call const& call, response_info const& answer, core::complaint const& about
)
{
    call_secrets secrets(core, call);
    auto cleaned = core::cleaned(answer, secrets.all());
    bool const too_large = about.about == core::complaint::kind::too_large;
    auto told = too_large ? core::problem_list() : core::read_problems(call.got.response.body());
    auto const other_type = core::other_type(cleaned.headers());
    auto detail = core::joined(about.to_string(), too_large ? "see config::limits.decoded_response" : other_type);
    // An error or a web page under 200 leaves open whether the request was carried out.
    if (cleaned.status() != 200 || (told.kept.empty() && other_type.empty()))
        detail = core::joined(std::move(detail), core::outcome_of(call.planned.request.verb(), cleaned));
    auto const code = too_large ? errc::response_too_large : errc::malformed_response;
    return unreadable(secrets, call, std::move(cleaned), code, std::move(detail), std::move(told));
}

asio::awaitable<call_failure> decode_in_slices(
    client_core const& core, core::document_reader& reader, planned_call const& call, response_info const& answer
)
{
    auto const here = co_await asio::this_coro::executor;
    auto const throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    call_failure failed;
    std::exception_ptr thrown;
    try
    {
        while (!failed && reader.read_some(decode_slice))
        {
            auto others = asio::post(here, asio::deferred);
            co_await std::move(others);
            auto const cancellation = co_await asio::this_coro::cancellation_state;
            if (cancellation.cancelled() != asio::cancellation_type::none)
                failed = cancelled_while_decoding(core, call, answer);
        }
    }
    catch (...)
    {
        thrown = std::current_exception();
    }
    co_await asio::this_coro::throw_if_cancelled(throws);
    if (thrown)
        std::rethrow_exception(thrown);
    if (!failed)
        if (auto const wrong = reader.take_complaint())
            failed = malformed(core, call, answer, *wrong);
    co_return failed;
}

operation<removed> remove_call(std::shared_ptr<client_core> core, planned_call call)
{
    bool const inside = core->runs_on(co_await asio::this_coro::executor);
    auto failed = co_await core->start(inside, call);
    if (!failed)
        co_return result<removed>(removed{false}, take_info(call.got));
    if (*failed != condition::cancelled && was_carried_out(failed->attempts()))
        co_return result<removed>(removed{false}, failed->response());
    if (*failed == condition::gone && may_have_been_executed(failed->attempts()))
        co_return result<removed>(removed{true}, failed->response());
    co_return *std::move(failed);
}

namespace {

operation<http_response> raw_call(std::shared_ptr<client_core> core, planned_call call)
{
    bool const inside = core->runs_on(co_await asio::this_coro::executor);
    auto failed = co_await core->start(inside, call);
    if (failed)
        co_return *std::move(failed);
    auto& got = call.got;
    response_info info(got.response.status(), got.response.headers(), got.attempts);
    co_return result<http_response>(std::move(got.response), std::move(info));
}

std::string refusal_of(http_request const& request)
{
    if (!core::is_target(request.target()))
        return "target: must begin with \"/\", be percent-encoded, and have no fragment (\"#\")";
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
    // A strand of that size needs no memory of its own in an executor that hides its type; another does with each post.
    if (auto const* plain = given.target<asio::io_context::executor_type>())
        return make_client_strand(asio::query(*plain, asio::execution::context));
    return asio::make_strand(std::move(given));
}

/** A core with a network of its own; `common` is what a first shard shares with it. */
std::shared_ptr<client_core> make_core(
    asio::any_io_executor executor, config settings, std::shared_ptr<shared_parts const> common = nullptr
)
{
    settings = checked(std::move(settings));
    (void)checked_endpoint(settings);
    auto where = executor_for(std::move(executor), settings.threading);
    if (!common)
        common = std::make_shared<shared_parts>(shared_parts{
            net::share_network(settings), std::make_shared<admission>(settings)});
    auto wire = net::make_transport(where, settings, common->network);
    return std::make_shared<client_core>(std::move(where), std::move(settings), std::move(wire), std::move(common));
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
    core_ = std::make_shared<detail::client_core>(std::move(where), std::move(settings), std::move(wire), nullptr);
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
    if (!core_->common())
        throw configuration_error("on(): a client that was given its transport has one shard");
    auto core = detail::make_core(std::move(executor), core_->settings(), core_->common());
    auto owner = std::make_shared<detail::client_owner>(core);
    return client(std::move(core), std::move(owner), extra_);
}

client client::with_header(std::string_view name, std::string_view value) const
{
    if (auto const why = core::refuse_field(name); !why.empty())
        throw configuration_error("header \"" + std::string(name) + "\": " + std::string(why));
    if (core::is_idempotency_key(name))
        throw configuration_error("header \"" + std::string(name) + "\": belongs to one request, not to a handle");
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
    return detail::raw_call(core_, core_->plan(std::move(planned), options, extra_));
}

metrics client::metrics() const noexcept
{
    return core_->snapshot();
}

void client::close() noexcept
{
    core_->close();
}

namespace {

class far_drain final : public detail::far_work<result<drained>>
{
public:
    far_drain(std::shared_ptr<detail::client_core> core, std::chrono::milliseconds timeout)
        : core_(std::move(core)), timeout_(timeout)
    {
    }

    asio::any_io_executor const& executor() const noexcept override { return core_->executor(); }
    operation<drained> start() override { return core_->drain(timeout_); }

private:
    std::shared_ptr<detail::client_core> core_;
    std::chrono::milliseconds timeout_;
};

operation<drained> drain_call(std::shared_ptr<detail::client_core> core, std::chrono::milliseconds timeout)
{
    auto const here = co_await asio::this_coro::executor;
    auto const throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    auto const cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none)
        timeout = {};
    result<drained> end;
    std::exception_ptr thrown;
    try
    {
        if (core->runs_on(here))
            end = co_await core->drain(timeout);
        else
        {
            auto there = std::make_shared<far_drain>(core, timeout);
            end = co_await detail::hop<result<drained>>(std::move(there));
        }
    }
    catch (...)
    {
        thrown = std::current_exception();
    }
    co_await asio::this_coro::throw_if_cancelled(throws);
    if (thrown)
        std::rethrow_exception(thrown);
    co_return end;
}

} // namespace

operation<drained> client::close(std::chrono::milliseconds drain_timeout) const
{
    return drain_call(core_, drain_timeout);
}

void client::close_idle() const noexcept
{
    core_->ask_wire([](transport& wire) { wire.close_idle(); }, detail::client_core::closing_idle);
}

void client::network_changed() const noexcept
{
    core_->ask_wire([](transport& wire) { wire.network_changed(); }, detail::client_core::changing_network);
}

void client::warm_up(std::size_t connections) const
{
    core_->ask_wire([to = core_->where(), connections](transport& wire) { wire.warm_up(to, connections); });
}

void client::poison(std::uint64_t connection) const noexcept
{
    // Without memory the number cannot be stored: then no present connection takes a further request.
    core_->ask_wire([connection](transport& wire) { wire.poison(connection); }, detail::client_core::changing_network);
}

void client::reload_tls(config::tls_options const& settings) const
{
    if (!core_->common())
        throw configuration_error("reload_tls(): a client that was given its transport has no TLS of its own");
    net::reload_tls(*core_->common()->network, settings);
    close_idle();
}

} // namespace ccloud
