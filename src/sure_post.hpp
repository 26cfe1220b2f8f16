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

/** For one function that is posted: a strand wants two blocks. */
using post_memory = spare_memory<2, 128>;

/** Posts a function, with memory of `spare` where the heap has none; nobody else may use that meanwhile. The function
    holds its state by a shared pointer: a copy of it throws nothing, and its destruction has no consequences.

    An `io_context` and strands over one, which clients work on by default, take the memory that they are offered.
    Executors of other types are asked a second time.
    @return false where they had none then either; nothing was posted */
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
