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

/** A member of an update: untouched (not sent), set (sent), or cleared (sent as null). */
template <class T>
class change
{
public:
    change() noexcept {}
    change(clear_t) noexcept : cleared_(true) {}

    template <class U>
        requires(std::constructible_from<T, U> && !std::same_as<std::remove_cvref_t<U>, change> &&
                 !std::same_as<std::remove_cvref_t<U>, clear_t>)
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
