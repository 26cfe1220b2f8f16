#ifndef CCLOUD_RESULT_HPP
#define CCLOUD_RESULT_HPP

#include <ccloud/error.hpp>
#include <ccloud/http.hpp>

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace ccloud {

namespace detail {

template <class T>
struct is_optional : std::false_type
{
};
template <class T>
struct is_optional<std::optional<T>> : std::true_type
{
};

} // namespace detail

/** The outcome of an operation: a value, or an `error`; either way with what the server said beside it.

    A default-constructed result holds an error with `errc::unset`.

    `result<std::optional<T>>` has no `operator bool`, so that neither the end of a listing nor an error can be
    mistaken for the other: ask `has_value()` first and the optional next, or use `or_throw`.

    Threads: a value type; distinct objects may be used from distinct threads. */
template <class T>
class [[nodiscard]] result
{
public:
    using value_type = T;

    result() noexcept : state_(std::in_place_index<1>) {}
    result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    result(T value, response_info response)
        : state_(std::in_place_index<0>, std::move(value)), response_(std::move(response))
    {
    }
    template <class... Arguments>
    result(std::in_place_t, response_info response, Arguments&&... arguments)
        : state_(std::in_place_index<0>, std::forward<Arguments>(arguments)...), response_(std::move(response))
    {
    }
    result(ccloud::error failure) noexcept : state_(std::in_place_index<1>, std::move(failure)) {}

    bool has_value() const noexcept { return state_.index() == 0; }

    explicit operator bool() const noexcept requires(!detail::is_optional<T>::value) { return has_value(); }

    /** The value. Precondition of `operator*` and `operator->`: `has_value()`. */
    T& operator*() & noexcept { return *std::get_if<0>(&state_); }
    T const& operator*() const& noexcept { return *std::get_if<0>(&state_); }
    T operator*() && { return std::move(*std::get_if<0>(&state_)); } // a value: no reference into a temporary
    T* operator->() noexcept { return std::get_if<0>(&state_); }
    T const* operator->() const noexcept { return std::get_if<0>(&state_); }

    /** The value, or throws `api_exception` with the error. */
    T& value() &
    {
        require();
        return **this;
    }
    T const& value() const&
    {
        require();
        return **this;
    }
    T value() &&
    {
        require();
        return std::move(*std::get_if<0>(&state_));
    }

    /** The error. Precondition: `!has_value()`. */
    ccloud::error& error() & noexcept { return *std::get_if<1>(&state_); }
    ccloud::error const& error() const& noexcept { return *std::get_if<1>(&state_); }
    ccloud::error&& error() && noexcept { return std::move(*std::get_if<1>(&state_)); }

    /** Status, headers and number of attempts of the last response: of the value's, or of the error's.
        Empty (status 0) when the server never answered. */
    response_info const& response() const noexcept { return has_value() ? response_ : error().response(); }

private:
    void require() const
    {
        if (!has_value())
            throw api_exception(error());
    }

    std::variant<T, ccloud::error> state_;
    response_info response_;
};

} // namespace ccloud

#endif
