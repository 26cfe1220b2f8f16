#ifndef CCLOUD_TURN_EXECUTOR_HPP
#define CCLOUD_TURN_EXECUTOR_HPP

#include "spare_memory.hpp"

#include <boost/asio/execution/allocator.hpp>
#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/require.hpp>
#include <boost/asio/strand.hpp>

#include <cstdint>
#include <memory>
#include <utility>

namespace ccloud::detail {

/** Memory for strands to schedule themselves. All strands on an `io_context` share it, because a strand needs it only
    for a moment. */
class turn_memory : public asio::execution_context::service, public spare_memory<16, 128>
{
public:
    using key_type = turn_memory;
    inline static asio::execution_context::id id;

    explicit turn_memory(asio::execution_context& of) : service(of) {}

    asio::io_context& context() noexcept { return static_cast<asio::io_context&>(service::context()); }

private:
    void shutdown() override {}
};

/** The executor of an `io_context`, for strands. In Boost 1.81, a strand that has no memory to schedule itself never
    runs again, or ends the process. This executor has reserved memory for that.

    It is as large as a pointer, so that `any_io_executor` stores a strand over it without allocation. */
template <class Allocator>
class basic_turn_executor : private Allocator
{
public:
    explicit basic_turn_executor(turn_memory& memory) noexcept : target_(reinterpret_cast<std::uintptr_t>(&memory)) {}
    basic_turn_executor(basic_turn_executor const& other) noexcept : Allocator(other), target_(other.target_)
    {
        start_work();
    }
    basic_turn_executor(basic_turn_executor&& other) noexcept
        : Allocator(other), target_(is(tracked, other.target_) ? std::exchange(other.target_, 0) : other.target_)
    {
    }
    basic_turn_executor& operator=(basic_turn_executor const&) = delete;
    ~basic_turn_executor() { finish_work(); }

    asio::io_context& query(asio::execution::context_t) const noexcept { return memory().context(); }
    asio::execution::blocking_t query(asio::execution::blocking_t) const noexcept
    {
        if (is(never, target_))
            return asio::execution::blocking.never;
        return asio::execution::blocking.possibly;
    }
    asio::execution::outstanding_work_t query(asio::execution::outstanding_work_t) const noexcept
    {
        if (is(tracked, target_))
            return asio::execution::outstanding_work.tracked;
        return asio::execution::outstanding_work.untracked;
    }
    template <class Other>
    Allocator query(asio::execution::allocator_t<Other>) const noexcept
    {
        return *this;
    }

    basic_turn_executor require(asio::execution::blocking_t::never_t) const noexcept { return with(target_ | never); }
    basic_turn_executor require(asio::execution::blocking_t::possibly_t) const noexcept
    {
        return with(target_ & ~never);
    }
    basic_turn_executor require(asio::execution::outstanding_work_t::tracked_t) const noexcept
    {
        return with(target_ | tracked);
    }
    basic_turn_executor require(asio::execution::outstanding_work_t::untracked_t) const noexcept
    {
        return with(target_ & ~tracked);
    }
    template <class Other>
    basic_turn_executor<Other> require(asio::execution::allocator_t<Other> wanted) const noexcept
    {
        return basic_turn_executor<Other>(target_, wanted.value());
    }

    /** Ignores the allocator, which is for the functions that wait in the strand. */
    template <class Function>
    void execute(Function&& what) const
    {
        auto const plain = memory().context().get_executor();
        auto const with_memory = asio::execution::allocator(spare_allocator<void, turn_memory*>(&memory()));
        if (is(never, target_))
            asio::require(asio::require(plain, asio::execution::blocking.never), with_memory)
                .execute(std::forward<Function>(what));
        else
            asio::require(plain, with_memory).execute(std::forward<Function>(what));
    }

    friend bool operator==(basic_turn_executor const& one, basic_turn_executor const& other) noexcept
    {
        return one.target_ == other.target_;
    }
    friend bool operator!=(basic_turn_executor const& one, basic_turn_executor const& other) noexcept
    {
        return one.target_ != other.target_;
    }

private:
    template <class>
    friend class basic_turn_executor;

    static constexpr std::uintptr_t never = 1;
    static constexpr std::uintptr_t tracked = 2;

    basic_turn_executor(std::uintptr_t target, Allocator const& waits) noexcept : Allocator(waits), target_(target)
    {
        start_work();
    }

    basic_turn_executor with(std::uintptr_t target) const noexcept { return basic_turn_executor(target, *this); }

    static bool is(std::uintptr_t bit, std::uintptr_t target) noexcept { return (target & bit) != 0; }
    turn_memory& memory() const noexcept { return *reinterpret_cast<turn_memory*>(target_ & ~(never | tracked)); }

    void start_work() const noexcept
    {
        if (is(tracked, target_))
            memory().context().get_executor().on_work_started();
    }
    void finish_work() const noexcept
    {
        if (is(tracked, target_))
            memory().context().get_executor().on_work_finished();
    }

    std::uintptr_t target_; ///< address of the memory; the two lowest bits are the flags above
};

using turn_executor = basic_turn_executor<std::allocator<void>>;

/** The strand of a client that was constructed with an `io_context`. */
using client_strand = asio::strand<turn_executor>;

inline client_strand make_client_strand(asio::io_context& context)
{
    return asio::make_strand(turn_executor(asio::use_service<turn_memory>(context)));
}

} // namespace ccloud::detail

#endif
