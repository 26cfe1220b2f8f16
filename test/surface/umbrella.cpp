// The public headers under the macros of <windows.h>: what they name must survive them.
// The standard library and Asio come first; they look after themselves.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#define min(left, right) poisoned min
#define max(left, right) poisoned max
#define near
#define far
#define small char
#define interface struct

#include <ccloud/ccloud.hpp>
#include <ccloud/testing/run.hpp>
#include <ccloud/testing/scripted_transport.hpp>
#include <ccloud/testing/simulator.hpp>

#undef min
#undef max
#undef near
#undef far
#undef small
#undef interface

namespace {

// One name of each header that <ccloud/ccloud.hpp> must bring.
static_assert(std::is_move_constructible_v<ccloud::async_generator<ccloud::iam::ip_group>>);
static_assert(std::is_default_constructible_v<ccloud::change<std::string>>);
static_assert(std::is_copy_constructible_v<ccloud::client>);
static_assert(std::is_default_constructible_v<ccloud::config>);
static_assert(std::is_constructible_v<ccloud::credentials, ccloud::api_key>);
static_assert(sizeof(ccloud::error) == sizeof(void*));
static_assert(std::is_default_constructible_v<ccloud::http_request>);
static_assert(std::is_class_v<ccloud::open_enum<ccloud::iam::identity_pool>>);
static_assert(std::is_same_v<ccloud::operation<int>, boost::asio::awaitable<ccloud::result<int>>>);
static_assert(std::is_aggregate_v<ccloud::object_reference>);
static_assert(std::is_aggregate_v<ccloud::removed>);
static_assert(std::is_default_constructible_v<ccloud::result<int>>);
static_assert(std::is_class_v<ccloud::retry_policy>);
static_assert(std::is_same_v<ccloud::timestamp::duration, std::chrono::nanoseconds>);
static_assert(std::is_abstract_v<ccloud::transport>);

static_assert(std::is_constructible_v<ccloud::iam::ip_groups, ccloud::client>);
static_assert(std::is_constructible_v<ccloud::iam::identity_pools, ccloud::client, std::string>);
static_assert(std::is_constructible_v<ccloud::iam::sso::group_mappings, ccloud::client>);
static_assert(std::is_constructible_v<
              ccloud::networking::private_link_attachment_connections, ccloud::client, std::string>);

// And of the testing headers.
static_assert(std::is_base_of_v<ccloud::transport, ccloud::testing::scripted_transport>);
static_assert(std::is_base_of_v<std::logic_error, ccloud::testing::script_error>);
static_assert(std::is_class_v<ccloud::testing::simulator>);

} // namespace
