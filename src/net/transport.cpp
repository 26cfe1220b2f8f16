#include "net/transport.hpp"

#include "net/one_exchange.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <optional>
#include <utility>

namespace ccloud::net {

using boost::system::error_code;

std::shared_ptr<transport> make_transport(
    asio::any_io_executor executor, config const& settings, std::shared_ptr<shared_network> network, name_lookup lookup
)
{
    return std::make_shared<pooled_transport>(std::move(executor), settings, std::move(network), std::move(lookup));
}

/** The handler of the timer. There is one at a time, with memory of its own. If Asio destroys the handler, because it
    has no memory to run it on its executor, the handler posts itself. Otherwise no deadline would ever expire. */
class pooled_transport::timer_wait
{
public:
    using allocator_type = detail::spare_allocator<void, std::shared_ptr<timer_memory>>;

    explicit timer_wait(pooled_transport& owner)
        : owner_(owner.weak_from_this()), executor_(owner.executor_), memory_(owner.timer_memory_)
    {
    }
    timer_wait(timer_wait&& other) noexcept
        : owner_(std::move(other.owner_)), executor_(std::move(other.executor_)), memory_(other.memory_),
          pending_(std::exchange(other.pending_, false))
    {
    }
    ~timer_wait()
    {
        if (pending_)
            (void)again();
    }

    allocator_type get_allocator() const noexcept { return allocator_type(memory_); }

    void operator()(error_code)
    {
        pending_ = false;
        if (auto const owner = owner_.lock())
            owner->end_timer_wait();
    }

    /** Ends the wait by a post instead. @return whether it was posted */
    bool again() noexcept
    {
        pending_ = false;
        return detail::post_surely(executor_, memory_, *memory_, [owner = std::move(owner_)](auto&&) {
            if (auto const alive = owner.lock())
                alive->end_timer_wait();
        });
    }

private:
    std::weak_ptr<pooled_transport> owner_;
    asio::any_io_executor executor_;
    std::shared_ptr<timer_memory>
        memory_; ///< a move copies it, because Asio also asks a moved-from handler for its allocator
    bool pending_ = true;
};

pooled_transport::pooled_transport(
    asio::any_io_executor executor, config const& settings, std::shared_ptr<shared_network> network, name_lookup lookup
)
    : executor_(std::move(executor)), settings_(settings), lookup_(std::move(lookup)), network_(std::move(network)),
      lot_(executor_), timer_(executor_), dice_(std::random_device()())
{
}

pooled_transport::~pooled_transport() = default;

namespace {

/** Lets other handlers that are ready on the executor run first. A separate coroutine, because few exchanges need
    it. */
asio::awaitable<void> next_turn()
{
    co_await asio::post(asio::use_awaitable);
}

} // namespace

// One try: a connection, one write, reads until the response is complete.
asio::awaitable<exchange> pooled_transport::send(http_request const& request, origin const& to, send_options options)
{
    auto const keep_alive = shared_from_this();
    auto& pool = pool_for(to);
    auto const began = pool.time();
    connection_wait wait{began.steady};
    if (options.deadline <= wait.began)
        co_return exchange::failed(errc::deadline_exceeded, progress::not_sent);

    connection_wish wish(pool, options, wait.began);
    connection* granted = nullptr;
    while (!granted)
    {
        if (!is_open())
            co_return exchange::failed(errc::client_closed, progress::not_sent);
        pool.settle(wait.queued ? pool.time() : began);
        if (!wish.settled())
        {
            if (!std::exchange(wait.queued, true))
                counts_.queued.add();
            std::optional<detail::armed_timer> timer;
            if (options.deadline != steady_time::max())
                timer.emplace(*this, wish, options.deadline);
            co_await lot_.async_park(wish);
            auto const how = wish.how();
            if (how == detail::wake::expired)
            {
                counts_.wait_expired.add();
                co_return exchange::failed(errc::deadline_exceeded, progress::not_sent, {}, pool.situation());
            }
            if (how == detail::wake::closed)
                co_return exchange::failed(errc::client_closed, progress::not_sent);
        }
        if (wish.cancelled)
        {
            counts_.wait_cancelled.add();
            co_return exchange::failed(errc::cancelled, progress::not_sent, {}, "waiting for a connection");
        }
        if (wish.failure)
            co_return *std::move(wish.failure);
        granted = wish.take();
        if (granted->torn_by() != torn::no)
        {
            pool.take_back(*granted);
            co_return exchange::failed(errc::client_closed, progress::not_sent);
        }
        if (auto const found = granted->look())
            if (auto failure = pool.found_dead(*std::exchange(granted, nullptr), wish, *found))
                co_return *std::move(failure);
    }

    one_exchange talk(*this, pool, *granted, settings_.limits, options);
    talk.begin(request, wait);
    if (!talk.uploads())
    {
        one_exchange::moved const written = co_await talk.used().async_write(talk.used().outgoing);
        talk.end_write(written);
    }
    while (talk.wants_more())
    {
        // A cancellation in the turn in which one operation has ended does not end the next one.
        auto const cancellation = co_await asio::this_coro::cancellation_state;
        if ((cancellation.cancelled() & asio::cancellation_type::terminal) != asio::cancellation_type::none)
            talk.leave();
        else
        {
            one_exchange::moved const got = co_await talk.used().async_read_some(talk.room());
            talk.end_read(got);
        }
    }
    while (talk.decodes())
    {
        co_await next_turn();
        auto const cancellation = co_await asio::this_coro::cancellation_state;
        if ((cancellation.cancelled() & asio::cancellation_type::terminal) != asio::cancellation_type::none)
            talk.leave();
    }
    co_return talk.finish();
}

connection_pool& pooled_transport::pool_for(origin const& to)
{
    for (auto& pool : pools_)
        if (pool->where() == to)
            return *pool;
    return *pools_.emplace_back(std::make_unique<connection_pool>(*this, settings_, to, lookup_));
}

void pooled_transport::arm(timer_node& node, steady_time due)
{
    bool const is_new = !node.armed();
    timers_.arm(node, due);
    if (timers_.earliest() >= timer_due_)
        return;
    try
    {
        run_timer();
    }
    catch (...)
    {
        if (is_new)
            timers_.disarm(node);
        throw;
    }
}

/** Waits for the earliest node. One wait serves all; it is begun anew only for an earlier one, and not after `close()`:
    then nobody waits, but for nodes that are on their way out. */
void pooled_transport::run_timer()
{
    if (state_ == state::closed)
        return;
    timer_due_ = timers_.earliest();
    timer_.expires_at(timer_due_); // cancels a pending wait, whose handler then begins the next one
    if (timer_waits_)
        return;
    try
    {
        timer_.async_wait(timer_wait(*this));
        timer_waits_ = true;
    }
    catch (...)
    {
        timer_due_ = steady_time::max();
        throw;
    }
}

void pooled_transport::end_timer_wait() noexcept
{
    timer_waits_ = false;
    if (state_ == state::closed)
        return;
    timer_due_ = steady_time::max();
    timers_.fire_due(now());
    if (timers_.empty() || timers_.earliest() >= timer_due_)
        return;
    try
    {
        run_timer();
    }
    catch (std::bad_alloc const&)
    {
        timer_waits_ = timer_wait(*this).again();
    }
}

void pooled_transport::drain() noexcept
{
    if (state_ != state::open)
        return;
    state_ = state::draining;
    lot_.finish_all(detail::wake::closed);
    for (auto& pool : pools_)
        pool->drain();
}

void pooled_transport::close() noexcept
{
    drain();
    if (std::exchange(state_, state::closed) == state::closed)
        return;
    for (auto& pool : pools_)
        pool->tear_active();
    buffers_.clear();
    spares_.trim(0);
    timer_.cancel();
    timer_due_ = steady_time::max();
}

void pooled_transport::close_idle() noexcept
{
    for (auto& pool : pools_)
        pool->close_idle(close_reason::superseded);
}

void pooled_transport::network_changed() noexcept
{
    for (auto& pool : pools_)
        pool->network_changed();
}

void pooled_transport::warm_up(origin const& to, std::size_t connections) noexcept
{
    if (!is_open())
        return;
    try
    {
        auto& pool = pool_for(to);
        pool.core().warm_up(connections);
        pool.settle();
    }
    catch (std::bad_alloc const&) // calls then open connections when they need them
    {
    }
}

void pooled_transport::poison(std::uint64_t connection) noexcept
{
    for (auto& pool : pools_)
        pool->poison(connection);
}

void pooled_transport::describe(connection_metrics& seen) const noexcept
{
    counts_.describe(seen);
    seen.tickets = network_->tickets();
}

void pooled_transport::recycle(std::string&& body) noexcept
{
    if (is_open())
        spares_.give(std::move(body), buffers_in_use_ + 1);
}

pooled_transport::buffer pooled_transport::take_buffer()
{
    if (buffers_.capacity() <= buffers_in_use_) // so that it can be returned
        buffers_.reserve(2 * buffers_in_use_ + 1);
    auto taken = buffers_.empty() ? buffer(new char[lease::buffer_size]) : std::move(buffers_.back());
    if (!buffers_.empty())
        buffers_.pop_back();
    ++buffers_in_use_;
    return taken;
}

void pooled_transport::return_buffer(buffer used) noexcept
{
    if (!used)
        return;
    // As many as are in use may be wanted again soon; of a burst that is over, one is kept.
    if (--buffers_in_use_ == 0)
    {
        buffers_.clear();
        spares_.trim(1);
    }
    if (buffers_.size() <= buffers_in_use_ && is_open())
        buffers_.push_back(std::move(used));
}

} // namespace ccloud::net
