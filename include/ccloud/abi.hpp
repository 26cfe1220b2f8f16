#ifndef CCLOUD_ABI_HPP
#define CCLOUD_ABI_HPP

#include <ccloud/export.hpp>

#include <boost/version.hpp>

/** A program and the library must be compiled with the same minor version of Boost.

    `asio::awaitable` and `asio::any_io_executor` are in the public types, and their layout differs between minor versions
    of Boost. Each source file that includes a header of this library with a type of Asio refers to a function that is
    named for the version of Boost, and the library defines the one for its own version. An object of another version
    does not link: the linker reports `ccloud::abi::boost_version<1083>()` as undefined. */
namespace ccloud::abi {

template <int Version>
CCLOUD_EXPORT void boost_version() noexcept;

extern template void boost_version<BOOST_VERSION / 100>() noexcept;

// Internal linkage: of an inline variable, the linker would keep the one of the first object only. `retain` keeps it
// from --gc-sections.
[[gnu::used, gnu::retain]] static constexpr void (*required_boost_version
)() noexcept = &boost_version<BOOST_VERSION / 100>;

} // namespace ccloud::abi

#endif
