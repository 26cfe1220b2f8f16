#include "call_record.hpp"

#include "auth/authorization.hpp"
#include "core/duration.hpp"
#include "core/failure.hpp"
#include "core/keep_alive.hpp"
#include "core/redact.hpp"
#include "core/redirect.hpp"
#include "core/request.hpp"
#include "core/server_hint.hpp"
#include "core/shortage.hpp"
#include "settings.hpp"

#include <algorithm>
#include <utility>

namespace ccloud::detail {

using std::chrono::nanoseconds;

namespace {

constexpr std::size_t most_entries = 16;
constexpr std::size_t longest_hint_text = 64;

/** For which a gate is closed at the server's word though the policy allows less (rule S4). */
constexpr nanoseconds longest_closing = std::chrono::seconds(120);

/** The longest pause between two probes of a failing endpoint. The end of an outage is noticed at most so much
    later. */
constexpr nanoseconds longest_probe_pause = std::chrono::seconds(5);

/** 128 random bits as hexadecimal digits. */
std::string random_key(std::uint64_t high, std::uint64_t low)
{
    static constexpr char digits[] = "0123456789abcdef";
    std::string key;
    for (auto const half : {high, low})
        for (int shift = 60; shift >= 0; shift -= 4)
            key += digits[half >> shift & 15];
    return key;
}

std::string_view request_id_of(exchange const& got) noexcept
{
    return got.response.headers().find("X-Request-Id").value_or(std::string_view());
}

token_source const* tokens_of(config const& settings) noexcept
{
    return std::get_if<token_source>(&settings.credentials);
}

/** A token for the next try; empty where the source gives none. */
std::string ask(token_source const& source, std::string_view rejected)
{
    try
    {
        return source.get()(rejected);
    }
    catch (...)
    {
        return {};
    }
}

/** "https://api.example: Connection refused" or "HTTP status 503": for the error of a call that waits. */
std::string summary_of(exchange const& got)
{
    if (got.answered())
        return "HTTP status " + std::to_string(got.response.status());
    auto const reason = (got.cause ? got.cause : make_error_code(got.code)).message();
    return got.detail.empty() ? reason : got.detail + ": " + reason;
}

bool may_have_run(attempt const& one) noexcept
{
    return one.progress == progress::maybe_sent || one.status >= 500 || one.status == 408 ||
           core::is_success(one.status);
}

} // namespace

bool may_have_been_executed(std::vector<attempt> const& tries) noexcept
{
    return tries.size() > 1 && std::any_of(tries.begin(), tries.end() - 1, may_have_run);
}

bool was_carried_out(std::vector<attempt> const& tries) noexcept
{
    return std::any_of(tries.begin(), tries.end(), [](attempt const& one) {
        bool const cut_off = one.code == errc::connection_lost || one.code == errc::attempt_timeout ||
                             one.code == errc::deadline_exceeded;
        return core::is_success(one.status) && cut_off;
    });
}

void record(std::vector<attempt>& tries, attempt one)
{
    if (tries.size() == most_entries)
    {
        // That one of them may have been executed must not be forgotten: it takes the place of the last but one.
        if (may_have_run(tries.back()) && !may_have_been_executed(tries))
            std::swap(tries.back(), *(tries.end() - 2));
        tries.pop_back();
    }
    tries.push_back(std::move(one));
}

void call_secrets::remember_last_token()
{
    auto& known = tokens_->secrets;
    if (known.empty())
        known = client_;
    known.add(tokens_->last);
}

core::redactor const& call_secrets::all()
{
    if (!tokens_)
        return client_;
    remember_last_token();
    return tokens_->secrets;
}

std::string call_secrets::shown(std::string_view text, core::text_end end)
{
    if (text.empty())
        return {};
    std::string copy(text);
    bool const has_no_token = !tokens_ || core::redactor::is_too_short(text, end, tokens_->last);
    auto const& secrets = !has_no_token ? all() : tokens_ && !tokens_->secrets.empty() ? tokens_->secrets : client_;
    secrets.redact(copy, end);
    return core::printable_whole(std::move(copy));
}

call_record::call_record(client_core& core, planned_call& call)
    : core_(core), call_(call), started_(core.wire().now()), id_(core.next_call())
{
    auto const& settings = core.settings();
    how.deadline = core::deadline_after(started_, call.timeout);
    how.attempt_timeout = core::bounded(call.attempt_timeout);
    if (!call_.replayable)
        how.idle_limit = settings.pool.idle_limit_for_post;
    if (request().wants_key())
    {
        auto const high = core.wire().roll();
        request().headers().set("Idempotency-Key", random_key(high, core.wire().roll()));
    }
    core.counts().calls.add();
}

call_record::~call_record()
{
    if (charged_ > 0)
        core_.gates().return_tokens(charged_);
    if (!ended_) // an allocation failed, or the execution context was destroyed
        core_.counts().failed.add();
}

call_failure call_record::refusal()
{
    if (call_.planned.refusal.empty())
        return std::nullopt;
    return refuse(errc::invalid_argument, call_.planned.refusal);
}

call_record::past_tries& call_record::past()
{
    if (!past_)
        past_ = std::make_unique<past_tries>();
    return *past_;
}

bool call_record::admitted()
{
    if (permit_.held())
        return true;
    if (claim_.scope)
        return core_.gates().try_admit(claim_, {}, permit_);
    std::string storage;
    auto const scope = core_.scope_of(call_.planned, storage);
    return core_.gates().try_admit(claim_, scope, permit_);
}

call_failure call_record::end_wait(turn::end const& how_it_ended)
{
    using answer = turn::answer;
    if (how_it_ended.waited > nanoseconds(0))
    {
        core_.counts().gate_waits.add();
        core_.counts().gate_waited.add(static_cast<std::uint64_t>(how_it_ended.waited.count()));
        if (auto const& eye = core_.settings().observer)
            eye->gate_wait(seen(), how_it_ended.waited);
    }
    // Advice of the last answer gives way to what the gate knows by now.
    auto const held_back = [&](gave_up why) {
        auto failure = tries_ > 0 ? fail(*past_->last, why) : refuse(errc::rate_limited, {});
        failure.edit().gave_up = why;
        failure.edit().retry_after = how_it_ended.opens_in;
        return failure;
    };
    switch (how_it_ended.how)
    {
    case answer::waits: return std::nullopt;
    case answer::granted:
        if (core_.wire().now() < how.deadline)
            return std::nullopt;
        [[fallthrough]]; // granted too late
    case answer::too_late: return fail_waiting(errc::deadline_exceeded, describe_wait(how_it_ended.probing));
    case answer::will_not_do: core_.counts().refused.add(); return held_back(gave_up::deadline_would_pass);
    case answer::exhausted: core_.counts().refused.add(); return held_back(gave_up::limit_exhausted);
    case answer::queue_full:
        core_.counts().refused.add();
        return fail_waiting(errc::queue_full, "see config::max_pending");
    }
    return std::nullopt;
}

/** What a call waited for at the gate. */
std::string call_record::describe_wait(bool probing) const
{
    if (!probing)
        return "waiting in line";
    std::string text = "waiting in line: the endpoint fails, and is tried by one call at a time";
    if (tries_ == 0 || past_->last->answered()) // else the error tells of this call's own last attempt
        text = core::joined(std::move(text), "the last failure: " + core_.gates().last_failure(claim_));
    return text;
}

call_failure call_record::prepare_try()
{
    prepared_ = true;
    if (!std::exchange(assembled_, true)) // not before: a call that waits does without
        core::assemble(request(), core_.head(), call_.extra.get());
    if (auto const* source = tokens_of(core_.settings()))
    {
        auto& tokens = call_.tokens;
        if (!tokens)
            tokens = std::make_unique<bearer_tokens>();
        else
            secrets().remember_last_token();
        tokens->last = tokens->next.empty() ? ask(*source, {}) : std::exchange(tokens->next, {});
        auto const value = auth::bearer(tokens->last);
        if (value.empty())
            return fail_waiting(errc::credentials_unavailable);
        request().headers().set("Authorization", value);
    }
    return std::nullopt;
}

call_failure call_record::begin_try()
{
    auto const now = core_.wire().now();
    if (now >= how.deadline)
        return fail_waiting(errc::deadline_exceeded, "before an attempt could begin");
    prepared_ = false;
    if (charged_ > 0)
        spent_ = std::exchange(charged_, 0);
    ++tries_;
    core_.counts().attempts.add();
    try_started_ = now;
    if (auto const& eye = core_.settings().observer)
        eye->attempt_start(seen(), tries_);
    return std::nullopt;
}

void call_record::end_try(exchange const& got) const
{
    auto const& eye = core_.settings().observer;
    if (eye && got.use.connection)
        eye->connection_used(seen(), tries_, got.use);
}

bool call_record::succeeds(exchange& got) const
{
    int const status = got.response.status();
    if (!got.answered() || !core::is_success(status))
        return false;
    auto const refusal = core::refuse_success(status, request().headers());
    if (refusal.empty())
        return true;
    got.code = errc::malformed_response;
    got.detail = refusal;
    return false;
}

call_failure call_record::judge(exchange&& got)
{
    auto tried = look_at(got);
    auto why = core::reason_for(policy(), used_, tried.ended);
    auto wait = draw_wait(tried, why);
    if (core_.settings().classifier && !core::is_called_off(tried.ended))
        why = ask_classifier(got, tried.ended, why, wait);
    bool const waits_at_gate = report_to_gate(got, tried, why, wait);

    auto const now = core_.wire().now();
    nanoseconds const remaining = how.deadline == steady_time::max() ? nanoseconds::max() : how.deadline - now;
    auto next = core::next_step(policy(), used_, tried.ended, why, wait.length, remaining);
    bool const repeats = next.what == core::decision::action::wait && pay(next);
    if (!repeats)
        tried.ending.pause.reset();
    note(std::move(tried.entry), next, wait);
    how.fresh_connection = next.reason == retry_reason::stale_connection || next.reason == retry_reason::misdirected;
    if (next.what == core::decision::action::replay)
        return try_again(std::move(got)); // with the permit that it has
    core_.gates().end(permit_, tried.ending);
    if (!repeats)
        return fail(got, next.why);
    if (!waits_at_gate)
        pause_ends_ = now + wait.length;
    return try_again(std::move(got));
}

call_failure call_record::try_again(exchange&& got)
{
    past().last = std::move(got);
    return std::nullopt;
}

bool call_record::is_redirect(exchange const& got) const noexcept
{
    return got.answered() && core::is_redirect(got.response.status(), call_.planned.request.verb());
}

call_failure call_record::follow(exchange&& got)
{
    auto const location = got.response.headers().find("Location").value_or(std::string_view());
    auto next = core::follow(location, secrets().all().redacted(location), core_.where(), request().target());
    if (next.refusal.empty() && ++redirects_ > core::most_redirects)
        next.refusal = "more than " + std::to_string(core::most_redirects) + " times in a row";
    auto entry = entry_for(got);
    entry.request_id = secrets().shown(request_id_of(got));
    core::decision decided;
    if (next.refusal.empty())
    {
        decided.what = core::decision::action::replay;
        decided.reason = retry_reason::redirected;
    }
    note(std::move(entry), decided, {});
    if (next.refusal.empty())
    {
        auto& request = past().redirected;
        if (!request)
            request = call_.planned.request;
        request->move_to(std::move(next.target));
        how.fresh_connection = false;
        return try_again(std::move(got)); // with the permit that it has
    }
    core_.gates().end(permit_, ending_for(got));
    auto failure = fail(got, gave_up::not_retryable);
    failure.edit().code = errc::redirect_refused;
    failure.edit().detail = "redirected " + next.refusal;
    return failure;
}

void call_record::succeed(exchange&& got)
{
    auto const& settings = core_.settings();
    auto ending = ending_for(got);
    ending.tokens = tries_ == 1 ? core::retry_budget::first_try_reward : spent_;
    core_.gates().end(permit_, ending);
    core_.counts().succeeded.add();
    ended_ = true;
    auto last = entry_for(got);
    if (settings.observer)
    {
        last.request_id = secrets().shown(request_id_of(got));
        settings.observer->attempt_end(seen(), tries_, last);
    }
    auto& into = call_.got;
    into.response = std::move(got.response);
    into.attempts = tries_;
    if (past_)
        into.failed = std::move(past_->history);
    into.reused = last.reused;
    into.started = last.started;
    into.took = last.took;
    into.bytes_written = last.bytes_written;
    into.connection = last.connection;
}

error call_record::fail_waiting(errc code, std::string why)
{
    if (tries_ == 0)
        return refuse(code, std::move(why));
    auto& last = *past_->last;
    bool const was_redirected = is_redirect(last);
    if (!last.answered() && code == errc::deadline_exceeded)
        why = core::joined(std::move(why), "the last attempt: " + summary_of(last));
    auto failure = fail(last, gave_up::not_retryable);
    failure.edit().code = code;
    if (!why.empty() || !last.answered())
        failure.edit().detail = std::move(why);
    failure.edit().cause = {}; // that was of the last attempt
    if (was_redirected && !may_have_been_executed(failure.attempts()))
        failure.edit().progress = progress::not_sent; // a redirect is no execution
    return failure;
}

void call_record::give_up(error& failure)
{
    core::clean(failure.edit(), secrets().all());
    core_.counts().failed.add();
    ended_ = true;
    if (auto const& eye = core_.settings().observer)
        eye->give_up(seen(), failure);
}

/** A try with all that its answer says of repeating it. */
call_record::tried_once call_record::look_at(exchange const& got)
{
    tried_once tried;
    tried.entry = entry_for(got);
    auto& ended = tried.ended;
    ended.code = got.code;
    ended.status = tried.ending.status = tried.entry.status;
    ended.progress = got.progress;
    ended.reused = got.reused;
    ended.response_begun = got.response_begun;
    ended.permanent = got.permanent;
    ended.local = !core::shortage_of(got.cause).empty();
    ended.replayable = call_.replayable;
    ended.new_credentials = got.answered() && ended.status == 401 && has_new_credentials();
    if (ended.status != 0)
    {
        auto const now = core_.wire().wall_now();
        auto const form = core_.settings().reset_form;
        auto const& headers = got.response.headers();
        bool const success = core::is_success(ended.status); // its Retry-After does not ask for a retry
        if (auto const hint = success ? std::nullopt : core::find_hint(ended.status, headers, form, now))
        {
            ended.hint = tried.entry.server_hint = hint->wait;
            ended.retry_after = hint->source == delay_source::retry_after;
            tried.source = hint->source;
            bool const is_long = hint->text.size() > longest_hint_text;
            auto const end = is_long ? core::text_end::truncated : core::text_end::complete;
            tried.entry.hint_text = secrets().shown(hint->text.substr(0, longest_hint_text), end);
        }
        tried.entry.request_id = secrets().shown(request_id_of(got));
        tried.ending.limits = core::read_limits(headers, form, now);
    }
    tried.ending.health = core::health_of(ended);
    if (ended.status == 429)
        core_.counts().throttled.add();
    return tried;
}

core::wait_time call_record::draw_wait(tried_once const& tried, retry_reason why)
{
    auto const dice = core_.wire().roll();
    if (why != retry_reason::throttled)
        return core::transient_wait(policy(), used_.backoffs, tried.ended.hint, tried.source, dice);
    auto const level = core_.gates().throttle_level(permit_);
    return core::throttle_wait(policy(), level, tried.ended.hint, tried.source, dice);
}

/** Reports a server that throttled this call, or that fails, to the gate, whether the call is retried or not. The gate
    delays no call for longer than the client's own policy allows, and pauses a failing endpoint for
    `longest_probe_pause` at most. Changes `wait` to the pause of all calls, and sets the gate's pause between probes.
    @return whether the call is to wait at the gate; else it waits by itself */
bool call_record::report_to_gate(exchange const& got, tried_once& tried, retry_reason why, core::wait_time& wait)
{
    auto& gates = core_.gates();
    auto const& ours = core_.settings().retry;
    if (tried.ending.health == core::health::busy)
    {
        auto const most = std::max<nanoseconds>(ours.max_server_delay, longest_closing);
        auto const opens = gates.close_gate(permit_, std::min(wait.length, most), core::asks_to_wait(tried.ended.hint));
        // The gate is open if it was closed for another call and has opened since: then this call has its own wait.
        if (why != retry_reason::throttled || wait.length > most || opens == nanoseconds(0))
            return false;
        wait.length = opens;
        return true;
    }
    if (tried.ending.health != core::health::failing)
        return false;
    auto const probe = gates.note_failure(permit_, secrets().all().redacted(summary_of(got)));
    if (!probe.probing || wait.length > ours.max_delay)
        return false;
    if (probe.for_others)
        wait.length += wait.length / 2;
    tried.ending.pause = std::min(wait.length, longest_probe_pause);
    return wait.length <= longest_probe_pause;
}

/** Puts a try on record, and tells what follows. */
void call_record::note(attempt entry, core::decision const& next, core::wait_time const& wait)
{
    auto const& eye = core_.settings().observer;
    if (eye)
        eye->attempt_end(seen(), tries_, entry);
    if (next.what != core::decision::action::stop)
    {
        entry.reason = next.reason;
        if (next.what == core::decision::action::wait)
        {
            entry.delay = wait.length;
            entry.delay_source = wait.source;
        }
        count(next.reason);
        if (eye)
            eye->retry_scheduled(seen(), entry.delay, entry.delay_source, entry.reason);
    }
    record(past().history, std::move(entry));
}

/** After a 401: whether the source has another token by now. It is kept for the next try. */
bool call_record::has_new_credentials()
{
    if (!call_.tokens)
        return false;
    auto const& last = call_.tokens->last;
    auto& next = call_.tokens->next;
    next = ask(*tokens_of(core_.settings()), last);
    if (next == last)
        next.clear();
    return !next.empty();
}

retry_reason call_record::ask_classifier(
    exchange const& got, core::outcome const& ended, retry_reason why, core::wait_time& wait
) const
{
    retry_question question;
    question.method = call_.planned.request.verb();
    question.path = core::path_of(call_.planned.request.target());
    question.attempt = tries_;
    question.status = ended.status;
    question.code = got.answered() ? errc::http_status : got.code;
    question.progress = ended.progress;
    question.replayable = call_.replayable;
    question.reason = why;
    if (ended.status != 0)
    {
        question.headers = &got.response.headers();
        question.body = got.response.body();
    }
    retry_answer said;
    try
    {
        said = core_.settings().classifier(question);
    }
    catch (...)
    {
        return why;
    }
    if (said.what == retry_answer::verdict::never)
        return retry_reason::none;
    if (said.what == retry_answer::verdict::again && why == retry_reason::none)
        why = retry_reason::classifier;
    if (said.delay)
        wait = {
            std::max<nanoseconds>(core::bounded(*said.delay), ended.hint.value_or(nanoseconds(0))),
            delay_source::classifier};
    return why;
}

/** Pays for a repetition from the budget, or calls it off. */
bool call_record::pay(core::decision& next)
{
    if (core_.gates().take_tokens(next.cost))
    {
        charged_ = next.cost;
        return true;
    }
    core_.counts().budget_exhausted.add();
    next = {};
    next.why = gave_up::retry_budget_exhausted;
    return false;
}

void call_record::count(retry_reason why) noexcept
{
    auto& counts = core_.counts();
    if (core::is_free(why))
        counts.replays.add();
    else if (why == retry_reason::throttled)
        counts.throttle_retries.add();
    else
        counts.transient_retries.add();
}

/** The error of the call: of its last try, and why there was no further one. */
error call_record::fail(exchange& got, ccloud::gave_up why)
{
    auto about = start();
    if (int const status = got.response.status(); status != 0)
    {
        std::string const body(std::move(got.response).body());
        response_info response(status, std::move(got.response).headers(), tries_);
        if (!about->attempts.empty() && core::asks_to_wait(about->attempts.back().server_hint))
            about->retry_after = about->attempts.back().server_hint;
        core::read_answer(*about, core::cleaned(std::move(response), secrets().all()), body, got.detail);
    }
    if (!got.answered())
    {
        about->code = got.code;
        about->progress = got.progress;
        // An earlier try may have done what this one did not come to.
        if (may_have_been_executed(about->attempts))
            about->progress = (std::max)(about->progress, progress::maybe_sent);
        about->detail = core::joined(std::move(got.detail), core::outcome_of(*about->method, about->response));
        about->cause = got.cause;
    }
    about->gave_up = why;
    return error(std::move(about));
}

/** The error of a call that was not begun. */
error call_record::refuse(errc code, std::string why)
{
    auto about = start();
    about->code = code;
    about->detail = std::move(why);
    return error(std::move(about));
}

/** What the gate is to know of an answer that says nothing against the server. */
gatekeeper::ending call_record::ending_for(exchange const& got) const
{
    gatekeeper::ending ending;
    ending.health = core::health::well;
    ending.status = got.response.status();
    ending.limits = core::read_limits(got.response.headers(), core_.settings().reset_form, core_.wire().wall_now());
    return ending;
}

std::unique_ptr<error::data> call_record::start()
{
    auto about = std::make_unique<error::data>();
    about->method = call_.planned.request.verb();
    about->path = core::path_of(call_.planned.request.target());
    if (past_)
        about->attempts = std::move(past_->history);
    about->elapsed = core_.wire().now() - started_;
    return about;
}

attempt call_record::entry_for(exchange const& got) const
{
    attempt entry;
    entry.started = try_started_ - started_;
    entry.took = core_.wire().now() - try_started_;
    entry.progress = got.progress;
    entry.bytes_written = got.bytes_written;
    entry.reused = got.reused;
    entry.connection = got.use.connection ? got.use.connection->id : 0;
    entry.status = got.response.status();
    if (!got.answered())
        entry.code = got.code;
    else if (!core::is_success(entry.status))
        entry.code = errc::http_status;
    return entry;
}

observed_call call_record::seen() const noexcept
{
    return {id_, call_.planned.request.verb(), core::path_of(call_.planned.request.target())};
}

} // namespace ccloud::detail
