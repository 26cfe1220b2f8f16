#include <ccloud/abi.hpp>

namespace ccloud::abi {

template <int Version>
void boost_version() noexcept
{
}

template CCLOUD_EXPORT void boost_version<BOOST_VERSION / 100>() noexcept;

} // namespace ccloud::abi
