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

/** Memory for one posted function: a strand needs two blocks. */
using post_memory = spare_memory<2, 128>;

/** Posts a function; if that fails, tries a second time.
    @return whether it was posted */
template <class Function>
bool post_twice(asio::any_io_executor const& to, Function const& what) noexcept
{
    for (int tries = 0; tries < 2; ++tries)
        try
        {
            asio::post(to, Function(what));
            return true;
        }
        catch (...)
        {
        }
    return false;
}

/** Posts a call of `what(owner)`, with memory of `spare` if the heap has none. `spare` must live as long as `*owner`,
    which is kept until the call. Until then, nothing else may use `spare`. Copying `what` must not throw, and destroying
    it must have no side effect.

    An `io_context`, and strands over one, use the spare memory. On an executor of another type the post is only tried
    a second time.
    @return false if nothing was posted, because there was no memory */
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
    auto const with = [&](auto const& executor, auto const& memory) {
        asio::prefer(
            asio::require(executor, asio::execution::blocking.never),
            asio::execution::allocator(spare_allocator<void, std::decay_t<decltype(memory)>>(memory))
        )
            .execute(std::move(call));
    };
    try
    {
        if (auto const* const own = to.target<client_strand>())
            with(*own, &spare);
        else if (auto const* const context = to.target<plain>())
            with(*context, &spare);
        else if (auto const* const strand = to.target<asio::strand<plain>>())
            with(*strand, std::shared_ptr<Memory>(call.owner, &spare)); // the strand uses it longer than the function
        else
            return post_twice(to, call);
        return true;
    }
    catch (...)
    {
        return false;
    }
}

} // namespace ccloud::detail

#endif
