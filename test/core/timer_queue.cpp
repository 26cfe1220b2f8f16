#include "core/timer_queue.hpp"

#include "printers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <utility>
#include <vector>

using ccloud::steady_time;
using ccloud::timer_node;
using ccloud::core::timer_queue;
using namespace std::chrono_literals;

namespace {

steady_time at(long long tick)
{
    return steady_time(std::chrono::milliseconds(tick));
}

/** A node that notes when it was called. */
struct noted final : timer_node
{
    std::vector<noted*>* calls = nullptr;
    timer_queue* queue = nullptr; // where set, arms itself again
    steady_time again{};

    static void call(timer_node& self) noexcept
    {
        auto& node = static_cast<noted&>(self);
        node.calls->push_back(&node);
        if (node.queue)
            std::exchange(node.queue, nullptr)->arm(node, node.again);
    }
};

/** Has every call of the nodes noted. */
template <class Nodes>
void listen(Nodes& nodes, std::vector<noted*>& calls)
{
    for (auto& node : nodes)
    {
        node.fire = &noted::call;
        node.calls = &calls;
    }
}

} // namespace

TEST_CASE("nodes fire in order of time, none before it is due")
{
    timer_queue queue;
    std::vector<noted*> calls;
    std::array<noted, 4> nodes;
    listen(nodes, calls);
    queue.arm(nodes[0], at(30));
    queue.arm(nodes[1], at(10));
    queue.arm(nodes[2], at(20));
    queue.arm(nodes[3], at(40));
    CHECK(queue.earliest() == at(10));
    queue.fire_due(at(9));
    CHECK(calls.empty());
    queue.fire_due(at(30));
    CHECK(calls == std::vector<noted*>{&nodes[1], &nodes[2], &nodes[0]});
    CHECK(!nodes[0].armed());
    CHECK(nodes[3].armed());
    queue.disarm(nodes[3]);
    CHECK(queue.empty());
    queue.disarm(nodes[3]);
    queue.fire_due(at(100));
    CHECK(calls.size() == 3);
}

TEST_CASE("a node that is armed while others fire is called in the same turn where it is due")
{
    timer_queue queue;
    std::vector<noted*> calls;
    std::array<noted, 2> nodes;
    listen(nodes, calls);
    nodes[0].queue = &queue;
    nodes[0].again = at(15);
    queue.arm(nodes[0], at(10));
    queue.arm(nodes[1], at(20));
    queue.fire_due(at(20));
    CHECK(calls == std::vector<noted*>{&nodes[0], &nodes[0], &nodes[1]});

    nodes[0].queue = &queue;
    nodes[0].again = at(31);
    queue.arm(nodes[0], at(30));
    queue.fire_due(at(30));
    CHECK(calls.size() == 4);
    CHECK(queue.earliest() == at(31));
    queue.disarm(nodes[0]);
}

TEST_CASE("nodes that are due at the same time fire in the order in which they were armed")
{
    timer_queue queue;
    std::vector<noted*> calls;
    std::array<noted, 5> nodes;
    listen(nodes, calls);
    for (auto const which : {2u, 0u, 3u, 1u, 4u})
        queue.arm(nodes[which], at(10));
    queue.arm(nodes[2], at(10)); // armed anew: the last
    queue.arm(nodes[0], at(5));
    queue.arm(nodes[0], at(10));
    queue.disarm(nodes[3]);
    SUBCASE("as they were armed last")
    {
        queue.fire_due(at(10));
        CHECK(calls == std::vector<noted*>{&nodes[1], &nodes[4], &nodes[2], &nodes[0]});
    }
    SUBCASE("one that is armed while others fire comes after those that wait")
    {
        nodes[1].queue = &queue;
        nodes[1].again = at(10);
        queue.fire_due(at(10));
        CHECK(calls == std::vector<noted*>{&nodes[1], &nodes[4], &nodes[2], &nodes[0], &nodes[1]});
    }
}

TEST_CASE("a hundred thousand nodes fire by time, and those of one time as they were armed")
{
    constexpr std::size_t count = 100'000;
    timer_queue queue;
    std::vector<noted*> calls;
    std::vector<noted> nodes(count);
    std::mt19937 dice(20260101);
    auto const some_time = [&dice] { return at(static_cast<long long>(dice() % 50)); };
    calls.reserve(count);
    listen(nodes, calls);
    for (auto& node : nodes)
        queue.arm(node, some_time());
    std::vector<noted*> expected;
    for (std::size_t i = 0; i < count; ++i)
    {
        if (i % 7 == 0)
            queue.disarm(nodes[i]);
        else if (i % 3 != 0)
            expected.push_back(&nodes[i]);
    }
    for (std::size_t i = count; i-- > 0;) // armed anew, the other way round
        if (i % 7 != 0 && i % 3 == 0)
        {
            queue.arm(nodes[i], i % 2 == 0 ? nodes[i].due : some_time());
            expected.push_back(&nodes[i]);
        }
    std::stable_sort(expected.begin(), expected.end(), [](noted const* one, noted const* other) {
        return one->due < other->due;
    });
    queue.fire_due(at(20));
    auto const early = calls.size();
    CHECK((early > 0 && early < expected.size()));
    queue.fire_due(at(50));
    CHECK((calls == expected)); // too many to print
    CHECK(queue.empty());
}

TEST_CASE("a hundred thousand random steps leave the queue as a plain list would be")
{
    constexpr std::size_t count = 48;
    timer_queue queue;
    std::vector<noted*> calls;
    std::array<noted, count> nodes;
    std::array<std::optional<steady_time>, count> model;
    std::array<int, count> armed_in{}; // step
    listen(nodes, calls);
    std::mt19937 dice(20260101);
    long long now = 0;
    for (int step = 0; step < 100'000; ++step)
    {
        auto const which = dice() % count;
        switch (dice() % 8)
        {
        case 0:
        case 1:
        case 2:
        case 3: // arm or move; few distinct times, so that many are equal
            model[which] = at(now + static_cast<long long>(dice() % 40));
            queue.arm(nodes[which], *model[which]);
            armed_in[which] = step;
            break;
        case 4:
        case 5:
            queue.disarm(nodes[which]);
            model[which].reset();
            break;
        default:
            now += static_cast<long long>(dice() % 6);
            calls.clear();
            queue.fire_due(at(now));
            std::size_t due = 0;
            for (auto const& when : model)
                due += when && *when <= at(now);
            bool sound = calls.size() == due;
            for (std::size_t i = 0; i < calls.size() && sound; ++i)
            {
                auto const fired = static_cast<std::size_t>(calls[i] - nodes.data());
                auto& when = model[fired];
                sound = when && *when <= at(now);
                if (sound && i > 0)
                {
                    auto const before = static_cast<std::size_t>(calls[i - 1] - nodes.data());
                    sound = std::pair(nodes[before].due, armed_in[before]) < std::pair(*when, armed_in[fired]);
                }
                when.reset();
            }
            if (!sound)
                FAIL("step " << step << ": fired " << calls.size() << " of " << due);
        }
        bool sound = true;
        std::optional<steady_time> earliest;
        for (std::size_t i = 0; i < count; ++i)
        {
            sound = sound && nodes[i].armed() == model[i].has_value() && (!model[i] || nodes[i].due == *model[i]);
            if (model[i] && (!earliest || *model[i] < *earliest))
                earliest = model[i];
        }
        if (!sound || queue.empty() != !earliest || (earliest && queue.earliest() != *earliest))
            FAIL("step " << step);
    }
    for (auto& node : nodes)
        queue.disarm(node);
    CHECK(queue.empty());
}

namespace {

/** A queue beside a map that is ordered as it should be. Its nodes arm, move and disarm one another when they fire. */
class twin_queues
{
public:
    twin_queues() : nodes_(2'000)
    {
        for (auto& node : nodes_)
        {
            node.owner = this;
            node.fire = [](timer_node& self) noexcept {
                auto& fired = static_cast<player&>(self);
                fired.owner->check_turn(fired);
            };
        }
    }
    ~twin_queues()
    {
        for (auto& node : nodes_)
            queue_.disarm(node);
    }

    void change_one()
    {
        auto& node = nodes_[dice_() % nodes_.size()];
        if (node.armed() != plan_.contains(node.key))
            ++faults_;
        plan_.erase(node.key);
        if (dice_() % 4 == 0)
            return queue_.disarm(node);
        // Few times, some of them over, so that many are equal.
        node.key = {at(now_ - 5 + static_cast<long long>(dice_() % 60)), ++armings_};
        plan_.emplace(node.key, &node);
        queue_.arm(node, node.key.first);
    }

    void pass()
    {
        now_ += static_cast<long long>(dice_() % 3);
        queue_.fire_due(at(now_));
        faults_ += !plan_.empty() && plan_.begin()->first.first <= at(now_);
        check_front();
    }

    void check_front()
    {
        faults_ += queue_.empty() != plan_.empty();
        faults_ += !plan_.empty() && queue_.earliest() != plan_.begin()->first.first;
    }

    int faults() const noexcept { return faults_; }
    int fired() const noexcept { return fired_; }
    std::size_t armed() const noexcept { return plan_.size(); }

private:
    using place = std::pair<steady_time, std::uint64_t>; // and a number for those of one time

    struct player : timer_node
    {
        twin_queues* owner = nullptr;
        place key;
    };

    void check_turn(player& fired) noexcept
    {
        ++fired_;
        if (plan_.empty() || plan_.begin()->second != &fired || fired.armed() || fired.due != fired.key.first)
            ++faults_;
        plan_.erase(fired.key);
        for (auto left = dice_() % 2; left > 0; --left)
            change_one();
    }

    std::mt19937 dice_{20260101};
    timer_queue queue_;
    std::vector<player> nodes_;
    std::map<place, player*> plan_;
    std::uint64_t armings_ = 0;
    long long now_ = 0;
    int faults_ = 0;
    int fired_ = 0;
};

} // namespace

TEST_CASE("a hundred thousand random steps on two thousand nodes, which change others when they fire, keep the order")
{
    twin_queues both;
    std::size_t most = 0;
    for (int step = 0; step < 100'000 && both.faults() == 0; ++step)
    {
        both.change_one();
        both.check_front();
        if (step % 16 == 0)
            both.pass();
        most = std::max(most, both.armed());
    }
    CHECK(both.faults() == 0);
    CHECK(both.fired() > 10'000);
    CHECK(most > 300);
}
