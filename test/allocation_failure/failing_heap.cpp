#include "failing_heap.hpp"

#include <openssl/crypto.h>

#include <cstdlib>
#include <new>
#include <utility>

namespace heap {

namespace {

struct state
{
    bool armed = false;
    failures which;
    std::size_t taken = 0;
    std::size_t failed = 0;
};
thread_local state mine;

/** Whether the current allocation is to fail. */
bool fails(source by) noexcept
{
    if (!mine.armed || (mine.which.of & by) == 0)
        return false;
    bool const hit = ++mine.taken >= mine.which.first && mine.taken - mine.which.first < mine.which.count;
    if (hit)
        ++mine.failed;
    return hit;
}

void* allocate(std::size_t size) noexcept
{
    return fails(by_new) ? nullptr : std::malloc(size ? size : 1);
}

bool has_openssl = false;

/** OpenSSL accepts allocation functions only before its first allocation, so they are set before constructors of
    globals. */
[[gnu::constructor(101)]] void serve_openssl()
{
    has_openssl =
        CRYPTO_set_mem_functions(
            [](std::size_t size, char const*, int) { return fails(by_openssl) ? nullptr : std::malloc(size); },
            [](void* memory, std::size_t size, char const*, int) {
                return fails(by_openssl) ? nullptr : std::realloc(memory, size);
            },
            [](void* memory, char const*, int) { std::free(memory); }
        ) == 1;
}

} // namespace

void arm(failures const& which) noexcept
{
    mine = {true, which, 0, 0};
}

std::size_t disarm() noexcept
{
    mine.armed = false;
    return mine.taken;
}

std::size_t failed() noexcept
{
    return mine.failed;
}

pause::pause() noexcept : was_armed_(std::exchange(mine.armed, false))
{
}

pause::~pause()
{
    mine.armed = was_armed_;
}

bool serves_openssl() noexcept
{
    return has_openssl;
}

} // namespace heap

void* operator new(std::size_t size)
{
    if (void* const memory = heap::allocate(size))
        return memory;
    throw std::bad_alloc();
}

void* operator new(std::size_t size, std::nothrow_t const&) noexcept
{
    return heap::allocate(size);
}

void operator delete(void* memory) noexcept
{
    std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept
{
    std::free(memory);
}

void* operator new(std::size_t size, std::align_val_t alignment)
{
    auto const unit = static_cast<std::size_t>(alignment);
    if (!heap::fails(heap::by_new))
        if (void* const memory = std::aligned_alloc(unit, (size + unit - 1) / unit * unit))
            return memory;
    throw std::bad_alloc();
}

void operator delete(void* memory, std::align_val_t) noexcept
{
    std::free(memory);
}

void operator delete(void* memory, std::size_t, std::align_val_t) noexcept
{
    std::free(memory);
}

extern "C" void* __real_aligned_alloc(std::size_t alignment, std::size_t size);

extern "C" void* __wrap_aligned_alloc(std::size_t alignment, std::size_t size)
{
    return heap::fails(heap::by_asio) ? nullptr : __real_aligned_alloc(alignment, size);
}
