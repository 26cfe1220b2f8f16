#include "core/timer_queue.hpp"

namespace ccloud::core {

namespace {

bool fires_before(timer_node const& one, timer_node const& other) noexcept
{
    return one.due != other.due ? one.due < other.due : one.order < other.order;
}

} // namespace

void timer_queue::arm(timer_node& node, steady_time due)
{
    if (!node.armed())
    {
        heap_.push_back(&node);
        node.position = heap_.size() - 1;
    }
    node.due = due;
    node.order = ++armings_;
    rise(node.position);
    sink(node.position);
}

void timer_queue::disarm(timer_node& node) noexcept
{
    if (!node.armed())
        return;
    auto const hole = node.position;
    auto* const last = heap_.back();
    heap_.pop_back();
    node.position = timer_node::unarmed;
    if (last == &node)
        return;
    place(*last, hole);
    rise(hole);
    sink(last->position);
}

void timer_queue::fire_due(steady_time now) noexcept
{
    while (!heap_.empty() && heap_.front()->due <= now)
    {
        auto& node = *heap_.front();
        disarm(node);
        node.fire(node);
    }
}

void timer_queue::place(timer_node& node, std::size_t at) noexcept
{
    heap_[at] = &node;
    node.position = at;
}

void timer_queue::rise(std::size_t at) noexcept
{
    auto& node = *heap_[at];
    while (at > 0)
    {
        auto const parent = (at - 1) / 2;
        if (!fires_before(node, *heap_[parent]))
            break;
        place(*heap_[parent], at);
        at = parent;
    }
    place(node, at);
}

void timer_queue::sink(std::size_t at) noexcept
{
    auto& node = *heap_[at];
    for (;;)
    {
        auto child = 2 * at + 1;
        if (child >= heap_.size())
            break;
        if (child + 1 < heap_.size() && fires_before(*heap_[child + 1], *heap_[child]))
            ++child;
        if (!fires_before(*heap_[child], node))
            break;
        place(*heap_[child], at);
        at = child;
    }
    place(node, at);
}

} // namespace ccloud::core
