#include "park.hpp"

#include "sure_post.hpp"

#include <boost/asio/execution_context.hpp>

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

namespace ccloud::detail {

/** Nodes of a lot, in order. */
struct lot_node::list
{
    explicit list(parking_lot::state& lot) noexcept : of(lot) {}

    void append(lot_node& node) noexcept
    {
        node.in_ = this;
        node.previous_ = last;
        node.next_ = nullptr;
        (last ? last->next_ : first) = &node;
        last = &node;
    }

    parking_lot::state& of;
    lot_node* first = nullptr;
    lot_node* last = nullptr;
};

/** Tells the lots of an execution context that it goes. */
class parking_lot::registry : public asio::execution_context::service
{
public:
    using key_type = registry;
    static asio::execution_context::id id;

    explicit registry(asio::execution_context& context) : service(context) {}

    void add(std::shared_ptr<state> const& lot)
    {
        std::lock_guard const lock(mutex_);
        lots_.push_back(lot);
    }

    void remove(std::shared_ptr<state> const& lot) noexcept
    {
        std::lock_guard const lock(mutex_);
        std::erase(lots_, lot);
    }

private:
    void shutdown() override;

    std::mutex mutex_;
    std::vector<std::shared_ptr<state>> lots_;
};

asio::execution_context::id parking_lot::registry::id;

/** The lists of a lot. Posted resumptions keep them alive after the lot is destroyed. A node whose wait has ended
    keeps its coroutine until that resumes. A posted function only resumes the first of these nodes, so a post that
    fails loses no coroutine. */
struct parking_lot::state : std::enable_shared_from_this<state>
{
    explicit state(asio::any_io_executor with) : executor(std::move(with)) {}

    void post() noexcept
    {
        if (post_surely(executor, shared_from_this(), spare, [](auto const& self) { self->resume_first(); }))
            ++posted;
    }

    void resume_first()
    {
        --posted;
        auto* const node = ended.first;
        if (!node)
            return;
        node->leave_lot();
        if (posted == 0 && ended.first)
            post(); // those that could not be posted when they ended
        node->resume();
    }

    /** Destroys the coroutines. One of them may own the lot. */
    void drop_all() noexcept
    {
        auto const keep_alive = shared_from_this();
        for (auto* each : {&waiting, &held, &ended})
            while (auto* const node = each->first)
            {
                node->leave_lot();
                node->drop();
            }
    }

    asio::any_io_executor executor; ///< must not outlive the execution context; empty once that is destroyed
    registry* known_to = nullptr;
    lot_node::list waiting{*this};
    lot_node::list held{*this};
    lot_node::list ended{*this};
    std::size_t posted = 0; ///< resumptions
    post_memory spare;
};

void parking_lot::registry::shutdown()
{
    for (;;)
    {
        std::shared_ptr<state> lot;
        {
            std::lock_guard const lock(mutex_);
            if (lots_.empty())
                return;
            lot = std::move(lots_.back());
            lots_.pop_back();
        }
        lot->known_to = nullptr;
        auto const last = std::exchange(lot->executor, asio::any_io_executor());
        lot->drop_all();
    }
}

lot_node::~lot_node()
{
    leave_lot();
}

void lot_node::leave_lot() noexcept
{
    auto* const from = std::exchange(in_, nullptr);
    if (!from)
        return;
    (previous_ ? previous_->next_ : from->first) = next_;
    (next_ ? next_->previous_ : from->last) = previous_;
}

void lot_node::resume_later() noexcept
{
    auto& lot = in_->of;
    if (!lot.executor)
        return;
    leave_lot();
    lot.ended.append(*this);
    lot.post();
}

void parked::finish(wake how) noexcept
{
    if (!waiting())
        return;
    ended_ = true;
    how_ = how;
    resume_later();
}

void parked::resume()
{
    ended_ = false;
    handler_(std::exception_ptr());
}

parking_lot::parking_lot(asio::any_io_executor executor) : state_(std::make_shared<state>(std::move(executor)))
{
    auto& known_to = asio::use_service<registry>(asio::query(state_->executor, asio::execution::context));
    known_to.add(state_);
    state_->known_to = &known_to;
}

parking_lot::~parking_lot()
{
    if (state_->known_to)
        state_->known_to->remove(state_);
    state_->drop_all();
}

void parking_lot::wait(parked& node) noexcept
{
    state_->waiting.append(node);
}

void parking_lot::hold(lot_node& node) noexcept
{
    state_->held.append(node);
}

void parking_lot::finish_all(wake how) noexcept
{
    while (state_->executor && state_->waiting.first)
        static_cast<parked*>(state_->waiting.first)->finish(how);
}

asio::any_io_executor const& parking_lot::executor() const noexcept
{
    return state_->executor;
}

} // namespace ccloud::detail
