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

namespace ccloud::detail {

/** Memory for one posted function: a strand needs two blocks. */
using post_memory = spare_memory<2, 128>;

/** Posts a function, with memory of `spare` if the heap has none. Until the function has run, nothing else may use
    `spare`. The function has to hold its state by a shared pointer: copying it must not throw, and destroying it must
    have no side effect.

    An `io_context`, and strands over one, use the spare memory. On an executor of another type the post is only tried
    a second time.
    @return false if nothing was posted, because that attempt failed, too */
template <class Memory, class Function>
bool post_surely(asio::any_io_executor const& to, std::shared_ptr<Memory> const& spare, Function const& what) noexcept
{
    static_assert(std::is_nothrow_copy_constructible_v<Function>);
    using plain = asio::io_context::executor_type;
    auto const with_spare = [&](auto const& executor) {
        asio::prefer(
            asio::require(executor, asio::execution::blocking.never),
            asio::execution::allocator(spare_allocator<void, std::shared_ptr<Memory>>(spare))
        )
            .execute(Function(what));
    };
    for (bool const again : {false, true})
        try
        {
            if (!again)
                asio::post(to, Function(what));
            else if (auto const* const context = to.target<plain>())
                with_spare(*context);
            else if (auto const* const own = to.target<client_strand>())
                with_spare(*own);
            else if (auto const* const strand = to.target<asio::strand<plain>>())
                with_spare(*strand);
            else
                asio::post(to, Function(what));
            return true;
        }
        catch (...)
        {
        }
    return false;
}

} // namespace ccloud::detail

#endif
