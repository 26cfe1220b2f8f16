#include "admission.hpp"

#include <algorithm>
#include <utility>

namespace ccloud::detail {

using std::chrono::nanoseconds;

namespace {

constexpr auto scope_lifetime = std::chrono::minutes(10);
constexpr auto between_sweeps = std::chrono::minutes(1);
constexpr auto longest_jitter = std::chrono::milliseconds(250);

} // namespace

admission::admission(config const& settings)
    : connections_(settings.pool.max_connections_per_origin), max_pending_(settings.max_pending),
      budget_(settings.retry_budget)
{
}

std::shared_ptr<gate_scope> const& admission::find(std::string_view name, steady_time now)
{
    auto found = scopes_.find(name);
    if (found == scopes_.end())
    {
        if (now >= sweeps_at_)
        {
            sweeps_at_ = now + between_sweeps;
            std::erase_if(scopes_, [now](auto const& entry) {
                auto& scope = *entry.second;
                return entry.second.use_count() == 1 && now - scope.last_used >= scope_lifetime &&
                       scope.gate.look(now) != core::gate::state::closed;
            });
        }
        found = scopes_.emplace(name, std::make_shared<gate_scope>(most_in_flight())).first;
    }
    found->second->last_used = now;
    return found->second;
}

/** The connections of all shards together. */
std::size_t admission::most_in_flight() const noexcept
{
    return connections_ * std::max<std::size_t>(keepers_.size(), 1);
}

void admission::resize()
{
    for (auto& [name, scope] : scopes_)
        scope->gate.set_most(most_in_flight());
}

void permit::drop() noexcept
{
    if (keeper_)
        keeper_->end(*this, {});
}

gatekeeper::gatekeeper(std::shared_ptr<admission> shared, transport& wire, asio::any_io_executor executor)
    : shared_(std::move(shared)), wire_(wire), executor_(std::move(executor))
{
    fire = [](timer_node& node) noexcept { static_cast<gatekeeper&>(node).wake(); };
}

std::shared_ptr<gatekeeper> gatekeeper::make(
    std::shared_ptr<admission> shared, transport& wire, asio::any_io_executor executor
)
{
    std::shared_ptr<gatekeeper> const made(new gatekeeper(std::move(shared), wire, std::move(executor)));
    lock const held(made->shared_->mutex_);
    made->shared_->keepers_.push_back(made.get());
    made->shared_->resize();
    return made;
}

gatekeeper::~gatekeeper()
{
    if (armed())
        wire_.disarm(*this); // the execution context went before close() could run
    lock const held(shared_->mutex_);
    std::erase(shared_->keepers_, this);
    shared_->resize();
}

void gatekeeper::retire() noexcept
{
    lock const held(shared_->mutex_);
    if (std::exchange(closed_, true))
        return;
    for (auto& [name, scope] : shared_->scopes_)
        scope->gate.take_out(
            [this](core::gate_waiter const& waiter) { return &static_cast<turn const&>(waiter).keeper_ == this; },
            [this](core::gate_waiter&) { --shared_->waiting_; }
        );
    hand_over();
}

void gatekeeper::close() noexcept
{
    retire();
    wire_.disarm(*this);
}

bool gatekeeper::try_admit(gate_claim& claim, std::string_view scope_name, permit& into)
{
    auto const now = wire_.now();
    lock const held(shared_->mutex_);
    if (!claim.scope)
        claim.scope = shared_->find(scope_name, now);
    auto const pass = claim.scope->gate.try_admit(claim.ticket, now);
    if (pass)
        into.hold(*this, claim.scope, *pass);
    return pass.has_value();
}

bool gatekeeper::is_open(std::string_view scope_name)
{
    auto const now = wire_.now();
    lock const held(shared_->mutex_);
    auto& gate = shared_->find(scope_name, now)->gate;
    return gate.waiting() == 0 && gate.look(now) == core::gate::state::open;
}

int gatekeeper::throttle_level(permit const& of) noexcept
{
    lock const held(shared_->mutex_);
    return of.scope_->gate.throttle_level();
}

nanoseconds gatekeeper::close_gate(permit const& of, nanoseconds delay, bool told) noexcept
{
    auto const now = wire_.now();
    lock const held(shared_->mutex_);
    auto& gate = of.scope_->gate;
    gate.throttled(of.pass_, now, delay, told);
    auto const opens = gate.opens_at(now);
    return opens ? *opens - now : nanoseconds(0);
}

gatekeeper::probe gatekeeper::note_failure(permit const& of, std::string how) noexcept
{
    lock const held(shared_->mutex_);
    auto& gate = of.scope_->gate;
    gate.failed();
    of.scope_->last_failure.swap(how);
    return {gate.probing(), gate.probing() && gate.waiting() > 0};
}

std::string gatekeeper::last_failure(gate_claim const& of) const
{
    lock const held(shared_->mutex_);
    return of.scope->last_failure;
}

void gatekeeper::end(permit& done, ending const& how) noexcept
{
    auto const now = wire_.now();
    auto const jitter = core::draw(nanoseconds(0), longest_jitter, wire_.roll());
    auto const scope = std::move(done.scope_);
    done.keeper_ = nullptr;

    lock held(shared_->mutex_);
    auto& gate = scope->gate;
    // What failed on the way says nothing of the limit; everything else should.
    if (how.limits || (how.status != 0 && how.status < 500))
        gate.observe(done.pass_, how.health == core::health::busy, how.limits, now, jitter);
    if (how.health == core::health::well)
        gate.succeeded(done.pass_);
    if (how.pause)
        gate.pause_until(now + *how.pause);
    gate.end(done.pass_);
    scope->last_used = now;
    if (how.tokens > 0)
        shared_->budget_.give(how.tokens, now);
    if (gate.waiting() > 0)
    {
        pump(*scope);
        deliver(held);
    }
}

bool gatekeeper::take_tokens(int cost) noexcept
{
    lock const held(shared_->mutex_);
    return shared_->budget_.take(cost, wire_.now());
}

void gatekeeper::return_tokens(int cost) noexcept
{
    lock const held(shared_->mutex_);
    shared_->budget_.give(cost, wire_.now());
}

void gatekeeper::describe(metrics& into) noexcept
{
    lock const held(shared_->mutex_);
    into.waiting = shared_->waiting_;
    into.in_flight = 0;
    for (auto const& [name, scope] : shared_->scopes_)
        into.in_flight += scope->gate.in_flight();
    into.retry_budget = shared_->budget_.left(wire_.now());
}

/** Lets those go that may, turns those away that would wait in vain, and has the timer ring when others may go. */
void gatekeeper::pump(gate_scope& scope) noexcept
{
    auto const now = wire_.now();
    auto const answer = [this](core::gate_waiter& waiter, turn::answer what) {
        auto& woken = static_cast<turn&>(waiter);
        woken.answer_ = what;
        --shared_->waiting_;
        woken.keeper_.add_woken(woken);
        if (&woken.keeper_ != this)
            woken.keeper_.post_wake();
    };
    core::gate_pass pass;
    while (auto* const waiter = scope.gate.next(now, pass))
    {
        static_cast<turn&>(*waiter).pass_ = pass;
        answer(*waiter, turn::answer::granted);
        if (auto const* next = scope.gate.first())
            static_cast<turn const*>(next)->prefetch();
    }
    scope.gate.turn_away(now, [&](core::gate_waiter& waiter) {
        answer(waiter, waiter.impatient ? turn::answer::exhausted : turn::answer::will_not_do);
    });
    if (scope.gate.waiting() == 0)
        return;
    if (closed_)
        hand_over();
    else if (auto const opens = scope.gate.opens_at(now); opens && (!armed() || *opens < due) && !arm(*this, *opens))
        post_wake(); // which tries to arm the timer again
}

/** Arms a timer. @return false if there is no memory for that */
bool gatekeeper::arm(timer_node& node, steady_time when) noexcept
{
    try
    {
        wire_.arm(node, when);
        return true;
    }
    catch (...)
    {
        return false;
    }
}

/** Appends a call that has left its gate to the list of calls to wake. */
void gatekeeper::add_woken(turn& answered) noexcept
{
    answered.told_ = true;
    answered.previous = last_woken_;
    answered.next = nullptr;
    (last_woken_ ? last_woken_->next : first_woken_) = &answered;
    last_woken_ = &answered;
}

/** Removes a call from that list, if it is there. */
void gatekeeper::remove_woken(turn& answered) noexcept
{
    if (!std::exchange(answered.told_, false))
        return;
    (answered.previous ? answered.previous->next : first_woken_) = answered.next;
    (answered.next ? answered.next->previous : last_woken_) = answered.previous;
    answered.previous = answered.next = nullptr;
}

/** Wakes this shard's calls that have their answer. A call's end may let further ones through: they are woken by the
    same loop, not from within. */
void gatekeeper::deliver(lock& held) noexcept
{
    if (std::exchange(delivering_, true))
        return;
    while (first_woken_)
    {
        auto& next = static_cast<turn&>(*first_woken_);
        remove_woken(next);
        held.unlock();
        next.finish(wake::granted);
        held.lock();
    }
    delivering_ = false;
}

void gatekeeper::wake() noexcept
{
    lock held(shared_->mutex_);
    posted_ = false;
    if (closed_)
        return;          // the transport may be gone
    wire_.disarm(*this); // for transports that keep books of waits
    for (auto& [name, scope] : shared_->scopes_)
        if (scope->gate.waiting() > 0)
            pump(*scope);
    deliver(held);
}

/** Leaves the waiting calls of the other shards to their own timers. */
void gatekeeper::hand_over() noexcept
{
    for (auto* const other : shared_->keepers_)
        if (other != this)
            other->post_wake();
}

/** On behalf of another shard. Nothing where the shard is closed, for its execution context may go any time. */
void gatekeeper::post_wake() noexcept
{
    if (closed_ || posted_)
        return;
    posted_ = post_surely(executor_, wake_memory_, *wake_memory_, [self = weak_from_this()](auto&&) {
        if (auto const keeper = self.lock())
            keeper->wake();
    });
}

turn::turn(gatekeeper& keeper, gate_claim& claim, gate_terms const& terms, permit& into)
    : keeper_(keeper), claim_(claim), permit_(into), began_(keeper.wire_.now())
{
    fire = [](timer_node& node) noexcept { static_cast<turn&>(static_cast<parked&>(node)).ring(); };
    ticket = claim.ticket;
    deadline = terms.deadline;
    needs = terms.needs;
    impatient = terms.on_exhausted == on_exhausted::fail_fast;

    auto& shared = *keeper.shared_;
    gatekeeper::lock held(shared.mutex_);
    waits_ = true;
    if (keeper.closed_)
        return; // the end of all waits is on its way
    auto& gate = claim.scope->gate;
    auto const state = gate.look(began_);
    bool const closed = state == core::gate::state::closed;
    bool const paused = state == core::gate::state::paused;
    bool const fits = (!closed && !paused) || core::gate::fits(*this, *gate.opens_at(began_));
    if (impatient && (closed || (paused && gate.paced_out())))
        answer_ = answer::exhausted;
    else if (closed && !fits)
        answer_ = answer::will_not_do;
    else if (shared.max_pending_ > 0 && shared.waiting_ >= shared.max_pending_)
        answer_ = answer::queue_full;
    waits_ = answer_ == answer::waits;
    if (!waits_)
        return;

    urgent = !fits;
    if (deadline != steady_time::max())
    {
        bool const has_last_call = deadline - began_ > needs;
        keeper.wire_.arm(*this, has_last_call ? deadline - needs : deadline);
    }
    gate.enqueue(*this);
    ++shared.waiting_;
    keeper.pump(*claim.scope);
    keeper.deliver(held);
    // Meanwhile another shard may have let it through, and it was delivered before it could be awaited.
    waits_ = answer_ == answer::waits;
}

turn::~turn()
{
    keeper_.wire_.disarm(*this);
    gatekeeper::lock held(keeper_.shared_->mutex_);
    step_out();
    keeper_.deliver(held);
}

turn::end turn::conclude() noexcept
{
    end result;
    auto const now = keeper_.wire_.now();
    gatekeeper::lock const held(keeper_.shared_->mutex_);
    auto& gate = claim_.scope->gate;
    result.how = answer_;
    result.waited = now - began_;
    result.probing = gate.probing();
    if (auto const opens = gate.opens_at(now))
        result.opens_in = *opens - now;
    keeper_.remove_woken(*this);
    if (answer_ == answer::granted)
    {
        permit_.hold(keeper_, claim_.scope, pass_);
        answer_ = answer::waits; // it is the permit's now
    }
    return result;
}

/** A grant that the caller does not live to see goes to the next in line, at once. */
void turn::cancel() noexcept
{
    {
        gatekeeper::lock held(keeper_.shared_->mutex_);
        step_out();
        keeper_.deliver(held);
    }
    finish(wake::cancelled);
}

/** The last call for a try, so long before the deadline as a try needs, and the deadline. */
void turn::ring() noexcept
{
    auto const now = keeper_.wire_.now();
    {
        gatekeeper::lock held(keeper_.shared_->mutex_);
        if (!queued)
            return; // its answer is on the way
        if (now < deadline && keeper_.arm(*this, deadline))
        {
            claim_.scope->gate.hurry(*this);
            keeper_.pump(*claim_.scope);
            keeper_.deliver(held);
            return;
        }
        step_out();
        answer_ = answer::too_late;
    }
    finish(wake::expired);
}

/** Leaves the line, or gives a grant back that was not taken. */
void turn::step_out() noexcept
{
    auto& gate = claim_.scope->gate;
    keeper_.remove_woken(*this);
    if (queued)
    {
        gate.leave(*this);
        --keeper_.shared_->waiting_;
    }
    else if (answer_ == answer::granted)
    {
        gate.end(pass_);
        answer_ = answer::waits;
        keeper_.pump(*claim_.scope);
    }
}

/** A turn lives in the frame of its call, which thousands of others have pushed out of the caches since. */
void turn::prefetch() const noexcept
{
    constexpr int before = 11; // of the frame, in cache lines
    constexpr int after = 5;
    constexpr int line = 64;
    for (int i = -before; i <= after; ++i)
        __builtin_prefetch(reinterpret_cast<char const*>(this) + i * line);
}

} // namespace ccloud::detail
