#ifndef CCLOUD_CHANGE_HPP
#define CCLOUD_CHANGE_HPP

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>

namespace ccloud {

/** Tag for a member that is to be set to JSON null: `update.description(ccloud::clear)`. */
struct clear_t
{
    explicit constexpr clear_t(int) noexcept {}
};
inline constexpr clear_t clear{0};

template <class T>
class change;

namespace detail {

/** What a change of `T` can be made from, besides itself and `clear`. */
template <class U, class T>
concept new_value = std::constructible_from<T, U> && !std::same_as<std::remove_cvref_t<U>, change<T>> &&
                    !std::same_as<std::remove_cvref_t<U>, clear_t>;

} // namespace detail

/** A member of an update: untouched (not sent), set (sent), or cleared (sent as null). */
template <class T>
class change
{
public:
    change() noexcept {}
    change(clear_t) noexcept : cleared_(true) {}

    template <detail::new_value<T> U>
    change(U&& value) : value_(std::in_place, std::forward<U>(value))
    {
    }

    bool untouched() const noexcept { return !value_ && !cleared_; }
    bool cleared() const noexcept { return cleared_; }

    /** The new value; nothing where untouched or cleared. */
    std::optional<T> const& value() const noexcept { return value_; }

private:
    std::optional<T> value_;
    bool cleared_ = false;
};

} // namespace ccloud

#endif
