#ifndef CCLOUD_BENCH_ALLOCATIONS_HPP
#define CCLOUD_BENCH_ALLOCATIONS_HPP

#include <cstdint>

namespace bench {

/** Allocations of this thread so far: operator new, and Asio's aligned_alloc. */
std::uint64_t allocations() noexcept;

} // namespace bench

#endif
