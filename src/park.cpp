#include "park.hpp"

#include <boost/asio/execution_context.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

namespace ccloud::detail {

/** Tells the lots of an execution context that it goes. */
class parking_lot::registry : public asio::execution_context::service
{
public:
    using key_type = registry;
    static asio::execution_context::id id;

    explicit registry(asio::execution_context& context) : service(context) {}

    void add(parking_lot& lot)
    {
        std::lock_guard const lock(mutex_);
        lots_.push_back(&lot);
    }

    void remove(parking_lot& lot) noexcept
    {
        std::lock_guard const lock(mutex_);
        std::erase(lots_, &lot);
    }

private:
    void shutdown() override
    {
        for (;;)
        {
            parking_lot* lot = nullptr;
            {
                std::lock_guard const lock(mutex_);
                if (lots_.empty())
                    return;
                lot = lots_.back();
                lots_.pop_back();
            }
            lot->orphan();
        }
    }

    std::mutex mutex_;
    std::vector<parking_lot*> lots_;
};

asio::execution_context::id parking_lot::registry::id;

parked::~parked()
{
    unlink();
}

void parked::finish(wake how) noexcept
{
    if (!handler_)
        return;
    auto const executor = lot_->executor_;
    auto resume = std::move(handler_);
    unlink();
    asio::post(executor, [resume = std::move(resume), how]() mutable { std::move(resume)(how); });
}

void parked::unlink() noexcept
{
    if (!lot_)
        return;
    (previous_ ? previous_->next_ : lot_->first_) = next_;
    if (next_)
        next_->previous_ = previous_;
    lot_ = nullptr;
    previous_ = next_ = nullptr;
}

parking_lot::parking_lot(asio::any_io_executor executor)
    : executor_(std::move(executor)),
      registry_(&asio::use_service<registry>(asio::query(executor_, asio::execution::context)))
{
    registry_->add(*this);
}

parking_lot::~parking_lot()
{
    if (registry_)
        registry_->remove(*this);
    auto const gone = detach();
}

void parking_lot::link(parked& node) noexcept
{
    node.lot_ = this;
    node.next_ = first_;
    if (first_)
        first_->previous_ = &node;
    first_ = &node;
}

void parking_lot::finish_all(wake how) noexcept
{
    while (first_)
        first_->finish(how);
}

std::vector<parking_lot::resumption> parking_lot::detach()
{
    std::vector<resumption> gone;
    while (first_)
    {
        auto& node = *first_;
        gone.push_back(std::move(node.handler_));
        node.unlink();
    }
    return gone;
}

void parking_lot::orphan() noexcept
{
    registry_ = nullptr;
    auto const last = std::exchange(executor_, asio::any_io_executor());
    auto const gone = detach(); // dies first, and this lot perhaps with it: nothing is touched afterwards
}

} // namespace ccloud::detail
