#ifndef CCLOUD_SURE_POST_HPP
#define CCLOUD_SURE_POST_HPP

#include "spare_memory.hpp"
#include "turn_executor.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution/allocator.hpp>
#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/require.hpp>
#include <boost/asio/strand.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace ccloud::detail {

/** Memory for one call of `post_surely` that is pending. An `asio::strand` needs two blocks: one for the function and one
    to schedule itself. */
using post_memory = spare_memory<2, 128>;

/** Posts a call of `what(owner)`, with memory of `spare` if the heap has none. `spare` must live as long as `*owner`,
    which is kept until the call. Each pending call takes a block of `spare`, and on an `asio::strand` one more. Copying
    `what` must not throw, and destroying it must have no side effect.

    An `io_context`, and strands over one, use the spare memory. On an executor of another type the post is only tried
    a second time.
    @return false if the call was not posted, because there was no memory. An `asio::strand` may still run it then, or
            never run again (doc/memory.md). */
template <class Owner, class Memory, class Function>
bool post_surely(
    asio::any_io_executor const& to, std::shared_ptr<Owner> owner, Memory& spare, Function const& what
) noexcept
{
    static_assert(std::is_nothrow_copy_constructible_v<Function>);
    using plain = asio::io_context::executor_type;
    struct owned_call
    {
        std::shared_ptr<Owner> owner;
        Function what;

        void operator()() { what(std::move(owner)); }
    };
    owned_call call{std::move(owner), what};
    auto const execute_on = [&](auto const& executor, auto const& memory) {
        asio::prefer(
            asio::require(executor, asio::execution::blocking.never),
            asio::execution::allocator(spare_allocator<void, std::decay_t<decltype(memory)>>(memory))
        )
            .execute(std::move(call));
    };
    auto const* const of_client = to.target<client_strand>();
    auto const* const context = of_client ? nullptr : to.target<plain>();
    try
    {
        if (of_client)
            execute_on(*of_client, &spare);
        else if (context)
            execute_on(*context, &spare);
        else
            asio::post(to, owned_call(call));
        return true;
    }
    catch (...)
    {
        if (of_client || context)
            return false;
    }
    try
    {
        // A strand keeps the memory, and with it the owner, longer than the function. So it gets it only now.
        if (auto const* const strand = to.target<asio::strand<plain>>())
            execute_on(*strand, std::shared_ptr<Memory>(call.owner, &spare));
        else
            asio::post(to, owned_call(call));
        return true;
    }
    catch (...)
    {
        return false;
    }
}

} // namespace ccloud::detail

#endif
