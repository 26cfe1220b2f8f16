#ifndef CCLOUD_TEST_FAILING_HEAP_HPP
#define CCLOUD_TEST_FAILING_HEAP_HPP

#include <cstddef>

/** The heap of this program, which can be made to fail. It replaces operator new, wraps the allocation functions of C
    that Asio calls, and is what OpenSSL allocates from. */
namespace heap {

/** Who allocates; flags. */
enum source : unsigned {
    by_new = 1,     ///< operator new: this library, the standard library, Boost
    by_asio = 2,    ///< aligned_alloc: Asio's operations, and frames of coroutines
    by_openssl = 4, ///< CRYPTO_malloc and CRYPTO_realloc
    by_all = 7,
};

/** Which allocations of this thread fail. */
struct failures
{
    std::size_t first = 1; ///< counted from 1
    std::size_t count = 1; ///< in a row
    unsigned of = by_all;
};

/** From now on they are counted, and fail. */
void arm(failures const& which) noexcept;

/** From now on none fails.
    @return how many were counted */
std::size_t disarm() noexcept;

/** How many have failed since `arm`. */
std::size_t failed() noexcept;

/** For as long as it lives, this thread's allocations succeed and are not counted: for what a test does meanwhile. */
class pause
{
public:
    pause() noexcept;
    pause(pause const&) = delete;
    pause& operator=(pause const&) = delete;
    ~pause();

private:
    bool was_armed_;
};

/** Whether OpenSSL allocates here. */
bool serves_openssl() noexcept;

} // namespace heap

#endif
