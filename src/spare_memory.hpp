#ifndef CCLOUD_SPARE_MEMORY_HPP
#define CCLOUD_SPARE_MEMORY_HPP

#include <boost/asio/recycling_allocator.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

namespace ccloud::detail {

namespace asio = boost::asio;

/** Memory reserved for operations of Asio that have to begin even if the heap has none: a few blocks, each for one
    operation at a time. Thread-safe. */
template <std::size_t Blocks, std::size_t Size>
class spare_memory
{
public:
    spare_memory() = default;
    spare_memory(spare_memory const&) = delete;
    spare_memory& operator=(spare_memory const&) = delete;

    static constexpr std::size_t block_size = Size;

    /** Null if no block is free, or `size` is larger than a block. */
    void* take(std::size_t size) noexcept
    {
        if (size <= block_size)
            for (std::size_t i = 0; i < Blocks; ++i)
                if (!taken_[i].exchange(true, std::memory_order_acquire))
                    return blocks_[i].bytes;
        return nullptr;
    }

    /** Frees a block. @return false if `memory` is not a block of this object */
    bool give_back(void const* memory) noexcept
    {
        auto const begin = reinterpret_cast<std::uintptr_t>(blocks_.data());
        auto const offset = reinterpret_cast<std::uintptr_t>(memory) - begin;
        if (offset >= sizeof blocks_) // an address before the blocks wraps around to a large offset
            return false;
        taken_[offset / sizeof(block)].store(false, std::memory_order_release);
        return true;
    }

private:
    struct block
    {
        alignas(std::max_align_t) std::byte bytes[block_size];
    };
    std::array<block, Blocks> blocks_;
    std::array<std::atomic<bool>, Blocks> taken_{};
};

/** Allocates as Asio does by default, and from spare memory if that fails. `Pointer` points to the spare memory. */
template <class T, class Pointer>
class spare_allocator
{
public:
    using value_type = T;

    explicit spare_allocator(Pointer spare) noexcept : spare_(std::move(spare)) {}
    template <class U>
    spare_allocator(spare_allocator<U, Pointer> const& other) noexcept : spare_(other.spare_)
    {
    }

    T* allocate(std::size_t count)
    {
        static_assert(sizeof(T) <= std::pointer_traits<Pointer>::element_type::block_size);
        try
        {
            return asio::recycling_allocator<T>().allocate(count);
        }
        catch (std::bad_alloc const&)
        {
            if (void* const memory = spare_->take(count * sizeof(T)))
                return static_cast<T*>(memory);
            throw;
        }
    }

    void deallocate(T* memory, std::size_t count) noexcept
    {
        if (!spare_->give_back(memory))
            asio::recycling_allocator<T>().deallocate(memory, count);
    }

    template <class U>
    bool operator==(spare_allocator<U, Pointer> const& other) const noexcept
    {
        return spare_ == other.spare_;
    }

private:
    template <class, class>
    friend class spare_allocator;

    Pointer spare_;
};

} // namespace ccloud::detail

#endif
