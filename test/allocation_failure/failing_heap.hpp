#ifndef CCLOUD_TEST_FAILING_HEAP_HPP
#define CCLOUD_TEST_FAILING_HEAP_HPP

#include <cstddef>

/** A heap that can be made to fail. It replaces operator new, wraps the C allocation functions that Asio calls, and
    serves OpenSSL. */
namespace heap {

/** The caller of an allocation. Flags. */
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

/** From now on this thread's allocations are counted, and fail as planned. */
void arm(failures const& which) noexcept;

/** From now on no allocation fails.
    @return how many were counted */
std::size_t disarm() noexcept;

/** How many allocations have failed since `arm`. */
std::size_t failed() noexcept;

/** While it exists, this thread's allocations succeed and are not counted. For code of the test itself. */
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

/** Whether OpenSSL uses this heap. */
bool serves_openssl() noexcept;

} // namespace heap

#endif
