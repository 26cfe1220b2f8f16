#include "net/pool.hpp"

#include "core/duration.hpp"
#include "net/transport.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>
#include <new>

namespace ccloud::net {

using boost::system::error_code;
using std::chrono::nanoseconds;

namespace {

/** How long a connection is idle before it is watched. */
constexpr auto unwatched = std::chrono::milliseconds(5);

core::pool_limits limits_of(config::pool_options const& options)
{
    core::pool_limits limits;
    limits.cap = options.max_connections_per_origin;
    limits.max_idle = options.max_idle_connections;
    limits.max_dials = options.max_concurrent_dials;
    limits.max_requests = options.max_requests_per_connection;
    limits.max_lifetime = options.max_lifetime;
    limits.dial_grace = std::chrono::milliseconds(5);
    limits.dial_backoff = std::chrono::milliseconds(100);
    limits.longest_dial_backoff = std::chrono::seconds(1);
    return limits;
}

exchange out_of_memory()
{
    return exchange::failed(
        errc::connect_failed, progress::not_sent, std::make_error_code(std::errc::not_enough_memory)
    );
}

/** The error of a dial that ended by an exception, because this side lacks something. */
exchange failure_of(std::exception_ptr const& thrown) noexcept
{
    try
    {
        std::rethrow_exception(thrown);
    }
    catch (std::bad_alloc const&)
    {
        return out_of_memory();
    }
    catch (std::exception const& other)
    {
        try
        {
            return exchange::failed(errc::connect_failed, progress::not_sent, {}, other.what());
        }
        catch (...)
        {
            return out_of_memory();
        }
    }
    catch (...)
    {
        return exchange::failed(errc::connect_failed, progress::not_sent);
    }
}

} // namespace

/** A dial of a pool. */
struct pool_dial : dial_job
{
    pool_dial(asio::any_io_executor const& executor, detail::parking_lot& lot, connection_pool& from)
        : dial_job(executor, lot), pool(from)
    {
    }
    connection_pool& pool;
};

connection_pool::connection_pool(pooled_transport& owner, config const& settings, origin to, name_lookup lookup)
    : owner_(owner), where_(std::move(to)), core_(limits_of(settings.pool), &owner.network().slots()),
      dialer_(owner.executor(), settings, where_, owner.network(), std::move(lookup), owner, owner.lot()),
      watchman_(*this), generation_(owner.network().generation())
{
    fire = [](timer_node& node) noexcept { static_cast<connection_pool&>(node).settle(); };
}

connection_pool::~connection_pool() = default;

core::pool_time connection_pool::time() const noexcept
{
    return {owner_.now(), owner_.wall_now()};
}

void connection_pool::settle(core::pool_time const& now) noexcept
{
    using action = core::origin_pool::step::action;
    if (settling_)
        return; // the outer call goes on
    settling_ = true;
    follow_reload();
    while (owner_.is_open())
    {
        auto const step = core_.next(now);
        switch (step.what)
        {
        case action::none:
            turn_away(now.steady);
            note_levels();
            wake_later();
            settling_ = false;
            return;
        case action::grant:
            static_cast<connection_wish*>(step.waiter)->grant(static_cast<connection&>(*step.connection));
            break;
        case action::dial: begin_dial(); break;
        case action::close: discard(static_cast<connection&>(*step.connection), step.reason); break;
        }
    }
    note_levels();
    settling_ = false;
}

/** What was dialled with the certificates of before a reload takes no further request. */
void connection_pool::follow_reload() noexcept
{
    auto const current = owner_.network().generation();
    if (std::exchange(generation_, current) != current)
        forget_past();
}

void connection_pool::forget_past() noexcept
{
    core_.retire_all();
    refusal_.reset();
}

/** While no dial begins for a failure that can only come again, those that wait for one have it, too. */
void connection_pool::turn_away(steady_time now) noexcept
{
    if (!refusal_)
        return;
    if (now >= core_.dials_from())
        refusal_.reset();
    else if (core_.active() + core_.dialing() == 0)
        while (auto* const waiter = core_.take_waiter())
            static_cast<connection_wish*>(waiter)->fail(*refusal_);
}

void connection_pool::note_levels() noexcept
{
    auto& counts = owner_.counts();
    counts.dialing.set(core_.dialing());
    counts.active.set(core_.active());
    counts.idle.set(core_.idle());
    counts.waiting.set(core_.waiters());
}

void connection_pool::wake_later() noexcept
{
    auto const next = core_.wake_at();
    if (!next)
        owner_.disarm(*this);
    else if (!armed() || due != *next)
        try
        {
            owner_.arm(*this, *next);
        }
        catch (...)
        {
            // The end of an active connection or of a dial calls `settle` again. If there is neither, no dial would
            // begin for the calls that wait, so they end.
            if (core_.active() + core_.dialing() == 0)
                while (auto* const waiter = core_.take_waiter())
                    static_cast<connection_wish*>(waiter)->fail(out_of_memory());
        }
}

void connection_pool::give_back(connection& used, std::optional<nanoseconds> keep, close_reason otherwise) noexcept
{
    auto const now = time();
    // Bytes that came with the end of the response are no event of the socket any more.
    auto const ended = keep && used.has_unread() ? used.look() : std::nullopt;
    if (!keep || ended || !owner_.is_open() || used.torn_by() != torn::no)
    {
        if (!keep && otherwise == close_reason::failed && used.torn_by() == torn::no)
            cut_off(used, now.steady);
        else
            core_.lost();
        if (!keep && otherwise != close_reason::not_kept_alive)
            used.tear(torn::closed); // something may be under way
        discard(used, !owner_.is_open() ? close_reason::shut_down : ended ? ended->reason : otherwise);
    }
    else if (auto const why = core_.returned(used, now, core::shortened(*keep, 10, owner_.roll())))
        discard(used, *why);
    else
        watch_if_idle();
    settle(now);
}

void connection_pool::take_back(connection& unused) noexcept
{
    if (!owner_.is_open() || unused.torn_by() != torn::no)
    {
        core_.lost();
        discard(unused, close_reason::shut_down);
    }
    else
    {
        core_.ungranted(unused);
        watch_if_idle();
    }
    settle();
}

void connection_pool::leave_line(core::pool_waiter& waiter) noexcept
{
    core_.cancel(waiter);
    note_levels();
}

std::optional<exchange> connection_pool::found_dead(
    connection& granted, connection_wish& wish, defect const& found
) noexcept
{
    auto const held = granted.shared_from_this();
    bool const is_failed_dial = core_.found_dead(granted, wish, owner_.now(), owner_.roll());
    if (!is_failed_dial)
        owner_.counts().stale.add();
    discard(granted, found.reason);
    look_at_idle();
    if (!is_failed_dial)
        return std::nullopt;
    auto failure = out_of_memory();
    try
    {
        dialer_.deprioritize(granted);
        failure = dialer_.closed_before_request(granted, found);
        if (failure.permanent)
            refusal_ = failure;
    }
    catch (std::bad_alloc const&)
    {
    }
    note_failed_dial(failure);
    settle();
    return failure;
}

/** The peer ended a connection while it was used. */
void connection_pool::cut_off(connection& used, steady_time now) noexcept
{
    if (core_.cut_off(used, now, owner_.roll()))
        note_broken(used, nullptr);
}

/** Records that a connection failed, for the errors of calls that wait and for the order of addresses. */
void connection_pool::note_broken(connection const& gone, defect const* found) noexcept
{
    try
    {
        dialer_.deprioritize(gone);
        note_failure(found ? dialer_.closed_before_request(gone, *found) : dialer_.closed_without_response());
    }
    catch (std::bad_alloc const&)
    {
    }
}

/** Records a failed dial, after the core was told and the first waiter has ended. Ends the overdue waiters. */
void connection_pool::note_failed_dial(exchange const& of) noexcept
{
    owner_.counts().count_failed_dial(of.code);
    note_failure(of);
    while (auto* const overdue = core_.take_overdue(owner_.now()))
        static_cast<connection_wish*>(overdue)->fail(of);
}

void connection_pool::note_failure(exchange const& of) noexcept
{
    try
    {
        last_failure_ = of.detail + ": " + (of.cause ? of.cause : make_error_code(of.code)).message();
    }
    catch (std::bad_alloc const&)
    {
        last_failure_.clear();
    }
}

void connection_pool::responded(connection& used) noexcept
{
    if (!core_.responded(used))
        return;
    last_failure_.clear();
    refusal_.reset();
}

void connection_pool::look_at_idle() noexcept
{
    for (auto* idle = core_.newest_idle(); idle;)
    {
        auto& one = static_cast<connection&>(*std::exchange(idle, idle->older));
        if (auto const found = one.look())
            lose_idle(one, *found);
    }
}

/** The peer ended an idle connection. */
void connection_pool::lose_idle(connection& gone, defect const& found) noexcept
{
    if (core_.lost_idle(gone, owner_.now(), owner_.roll()))
        note_broken(gone, &found);
    discard(gone, found.reason);
}

/** Closes a connection that the core does not count any more. */
void connection_pool::discard(connection& gone, close_reason why) noexcept
{
    auto& counts = owner_.counts();
    counts.closed[static_cast<std::size_t>(why)].add();
    counts.age.add(owner_.now() - gone.made);
    counts.requests.add(gone.requests);
    if (gone.torn_by() == torn::no && !gone.uploading().under_way)
        gone.say_goodbye();
    gone.tear(torn::closed);
    std::erase_if(connections_, [&gone](auto const& one) { return one.get() == &gone; });
}

/** Has idle connections watched, except those that are reused immediately, because a watch costs a system call. A
    connection that is not watched for lack of memory is still checked before its next use. */
void connection_pool::watch_if_idle() noexcept
{
    if (!watchman_.armed() && core_.idle() > 0)
        watch_later();
}

void connection_pool::watch_later() noexcept
{
    try
    {
        owner_.arm(watchman_, owner_.now() + unwatched);
    }
    catch (...)
    {
    }
}

void connection_pool::watch_those_idle() noexcept
{
    if (!owner_.is_open())
        return;
    auto const since = owner_.now() - unwatched;
    bool later = false;
    for (auto* each = core_.newest_idle(); each; each = each->older)
        if (auto& idle = static_cast<connection&>(*each); idle.idle_since > since)
            later = true;
        else if (!idle.watched)
            watch(idle);
    if (later)
        watch_later();
}

/** Hears of it when the peer closes an idle connection, or sends what nobody asked for. The wait stays armed while the
    connection is in use; then what it says is overlooked. */
void connection_pool::watch(connection& idle) noexcept
{
    idle.trim();
    auto on_readable = [owner = owner_.weak_from_this(), this, watched = idle.shared_from_this()](error_code failed) {
        watched->watched = false;
        auto const alive = owner.lock();
        if (!alive || !alive->is_open() || failed || !watched->idle)
            return;
        auto const found = watched->look();
        if (!found)
            return watch(*watched);
        lose_idle(*watched, *found);
        settle();
    };
    try
    {
        idle.socket().async_wait(tcp_socket::wait_read, std::move(on_readable));
        idle.watched = true;
    }
    catch (...)
    {
    }
}

/** Begins a dial that the core counts already, or takes it back. */
void connection_pool::begin_dial() noexcept
{
    std::shared_ptr<pool_dial> job;
    try
    {
        connections_.reserve(connections_.size() + dials_.size() + 1);
        dials_.reserve(dials_.size() + 1);
        job = std::make_shared<pool_dial>(owner_.executor(), owner_.lot(), *this);
        job->made->epoch = core_.epoch();
        job->info.id = owner_.next_id();
        job->fire = [](timer_node& node) noexcept {
            auto& late = static_cast<pool_dial&>(node);
            auto& pool = late.pool;
            pool.fail_dial(late, pool.dialer_.timed_out(late));
        };
        dials_.push_back(job);
        job->began = owner_.now();
        owner_.arm(*job, job->began + owner_.limits().connect_timeout);
        asio::co_spawn(owner_.executor(), run_dial(owner_.shared_from_this(), job), asio::detached);
    }
    catch (...)
    {
        if (job && job->done)
            return;
        if (job)
            drop(*job);
        if (auto* const oldest = core_.dial_failed(owner_.now(), owner_.roll()))
            static_cast<connection_wish*>(oldest)->fail(failure_of(std::current_exception()));
    }
}

asio::awaitable<void> connection_pool::run_dial(
    std::shared_ptr<pooled_transport> keep_alive, std::shared_ptr<pool_dial> job
)
{
    (void)keep_alive; // and with it the pool
    auto& pool = job->pool;
    std::optional<exchange> failure;
    try
    {
        failure = co_await pool.dialer_.dial(job);
    }
    catch (...)
    {
        failure = failure_of(std::current_exception());
    }
    if (job->done)
        co_return;
    if (failure)
        pool.fail_dial(*job, *std::move(failure));
    else
        pool.finish_dial(*job);
}

/** Takes a dial out of the books. */
void connection_pool::drop(pool_dial& job) noexcept
{
    owner_.disarm(job);
    job.abandon();
    std::erase_if(dials_, [&job](auto const& one) { return one.get() == &job; });
}

void connection_pool::finish_dial(pool_dial& job) noexcept
{
    auto const made = job.made;
    connections_.push_back(made);
    job.done = true;
    owner_.disarm(job);
    std::erase_if(dials_, [&job](auto const& one) { return one.get() == &job; });

    auto& counts = owner_.counts();
    counts.count_dial(*made->info);
    if (core_.waiters() == 0)
        counts.surplus.add();
    made->fire = [](timer_node& node) noexcept { static_cast<connection&>(node).tear(torn::timed_out); };
    core_.dialed(*made, time(), core::shortened(owner_.limits().idle_timeout, 10, owner_.roll()), owner_.roll());
    settle();
    watch_if_idle();
}

void connection_pool::fail_dial(pool_dial& job, exchange why) noexcept
{
    if (job.done)
        return;
    auto const held = job.shared_from_this();
    drop(job);
    if (auto* const oldest = core_.dial_failed(owner_.now(), owner_.roll()))
        static_cast<connection_wish*>(oldest)->fail(why);
    note_failed_dial(why);
    if (why.permanent)
        refusal_ = std::move(why);
    settle();
}

void connection_pool::close_idle(close_reason why) noexcept
{
    while (auto* const idle = core_.take_idle())
        discard(static_cast<connection&>(*idle), why);
    settle();
}

void connection_pool::network_changed() noexcept
{
    dialer_.forget();
    abandon_dials();
    forget_past();
    settle();
}

void connection_pool::poison(std::uint64_t connection) noexcept
{
    for (auto const& one : connections_)
        if (one->info->id == connection)
            core_.poison(*one);
    settle();
}

void connection_pool::drain() noexcept
{
    owner_.disarm(*this);
    owner_.disarm(watchman_);
    while (auto* const idle = core_.take_idle())
        discard(static_cast<connection&>(*idle), close_reason::shut_down);
    abandon_dials();
    dialer_.close();
    note_levels();
}

void connection_pool::tear_active() noexcept
{
    for (auto const& active : connections_)
        active->tear(torn::closed);
}

void connection_pool::abandon_dials() noexcept
{
    while (!dials_.empty())
    {
        auto const job = dials_.back();
        drop(*job);
        core_.dial_abandoned();
    }
}

std::string connection_pool::situation() const
{
    auto const number = [](std::size_t count, char const* what) { return std::to_string(count) + ' ' + what; };
    auto text = "waiting for a connection (" + number(core_.active(), "in use, ") + number(core_.idle(), "idle, ") +
                number(core_.dialing(), "being made, ") + number(core_.waiters(), "calls wait");
    auto const now = owner_.now();
    if (!dials_.empty())
        text += "; one is being made for " + core::readable(now - dials_.front()->began) +
                ", now: " + dialer_.describe(dials_.front()->at);
    else if (core_.waiters() > 0 && core_.dials_from() > now)
        text += "; the next connection attempt begins in " + core::readable(core_.dials_from() - now);
    if (!last_failure_.empty())
        text += "; the last one could not be made: " + last_failure_;
    return text + ')';
}

connection_wish::connection_wish(connection_pool& pool, send_options const& options, steady_time now) noexcept
    : pool_(pool)
{
    pool_waiter::fresh = options.fresh_connection;
    pool_waiter::idle_limit = options.idle_limit;
    pool_.core().enqueue(*this, now);
}

connection_wish::~connection_wish()
{
    leave();
}

void connection_wish::grant(connection& got) noexcept
{
    granted_ = &got;
    finish(detail::wake::granted);
}

void connection_wish::fail(exchange const& why) noexcept
{
    try
    {
        failure = why;
    }
    catch (...) // without the detail
    {
        failure = exchange::failed(why.code, why.progress, why.cause);
        failure->permanent = why.permanent;
    }
    finish(detail::wake::granted);
}

void connection_wish::cancel() noexcept
{
    cancelled = true;
    leave();
    finish(detail::wake::cancelled);
}

void connection_wish::leave() noexcept
{
    if (queued)
        pool_.leave_line(*this);
    if (auto* const unused = take())
        pool_.take_back(*unused);
}

void lease::finish(std::optional<nanoseconds> keep) noexcept
{
    if (!used_)
        return;
    from_.disarm(*used_);
    from_.return_buffer(std::move(buffer_));
    pool_.give_back(*std::exchange(used_, nullptr), keep, otherwise);
}

void lease::consume(std::size_t bytes) noexcept
{
    begin_ += bytes;
    if (begin_ == end_)
        begin_ = end_ = 0;
}

asio::mutable_buffer lease::room()
{
    if (!buffer_)
        buffer_ = from_.take_buffer();
    if (end_ == buffer_size && begin_ > 0)
    {
        std::copy(buffer_.get() + begin_, buffer_.get() + end_, buffer_.get());
        end_ -= begin_;
        begin_ = 0;
    }
    return {buffer_.get() + end_, buffer_size - end_};
}

} // namespace ccloud::net
