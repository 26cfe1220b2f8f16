#include "core/timer_queue.hpp"

#include <algorithm>
#include <cstddef>

namespace ccloud::core {

namespace {

/** Children of a place. With four the heap is half as deep as with two, and they lie side by side. */
constexpr std::size_t arity = 4;

} // namespace

bool timer_queue::entry::fires_before(entry const& other) const noexcept
{
    return due != other.due ? due < other.due : order < other.order;
}

void timer_queue::arm(timer_node& node, steady_time due)
{
    if (!node.armed())
    {
        heap_.emplace_back();
        node.position = heap_.size() - 1;
    }
    node.due = due;
    settle(node.position, {due, ++armings_, &node});
}

void timer_queue::disarm(timer_node& node) noexcept
{
    if (!node.armed())
        return;
    auto const hole = node.position;
    auto const last = heap_.back();
    heap_.pop_back();
    node.position = timer_node::unarmed;
    if (last.node != &node)
        settle(hole, last);
}

void timer_queue::fire_due(steady_time now) noexcept
{
    while (!heap_.empty() && heap_.front().due <= now)
    {
        auto& node = *heap_.front().node;
        disarm(node);
        node.fire(node);
    }
}

/** Fills the hole at `at` with `one`, or with what has to be there then. */
void timer_queue::settle(std::size_t at, entry const& one) noexcept
{
    while (at > 0)
    {
        auto const parent = (at - 1) / arity;
        if (!one.fires_before(heap_[parent]))
            break;
        place(heap_[parent], at);
        at = parent;
    }
    for (;;)
    {
        auto const begin = arity * at + 1;
        auto const end = std::min(begin + arity, heap_.size());
        auto first = begin;
        for (auto child = begin + 1; child < end; ++child)
            if (heap_[child].fires_before(heap_[first]))
                first = child;
        if (begin >= end || !heap_[first].fires_before(one))
            break;
        place(heap_[first], at);
        at = first;
    }
    place(one, at);
}

void timer_queue::place(entry const& one, std::size_t at) noexcept
{
    heap_[at] = one;
    one.node->position = at;
}

} // namespace ccloud::core
