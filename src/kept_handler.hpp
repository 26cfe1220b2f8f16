#ifndef CCLOUD_KEPT_HANDLER_HPP
#define CCLOUD_KEPT_HANDLER_HPP

#include <cstddef>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

namespace ccloud::detail {

/** Stores one completion handler of any type inside the object, without allocation. */
template <class... Arguments>
class kept_handler
{
public:
    kept_handler() = default;
    kept_handler(kept_handler const&) = delete;
    kept_handler& operator=(kept_handler const&) = delete;
    ~kept_handler() { drop(); }

    explicit operator bool() const noexcept { return use_ != nullptr; }

    /** Precondition: empty. */
    template <class Handler>
    void keep(Handler handler) noexcept
    {
        static_assert(sizeof(Handler) <= sizeof memory_ && alignof(Handler) <= alignof(void*));
        static_assert(std::is_nothrow_move_constructible_v<Handler>);
        ::new (static_cast<void*>(memory_)) Handler(std::move(handler));
        use_ = [](std::byte* memory, std::tuple<Arguments...>* arguments) {
            auto& kept = *std::launder(reinterpret_cast<Handler*>(memory));
            auto last = std::move(kept);
            kept.~Handler();
            if (arguments)
                std::apply(std::move(last), std::move(*arguments));
        };
    }

    /** Moves the handler out and calls it. The call may destroy this object. */
    void operator()(Arguments... arguments)
    {
        std::tuple<Arguments...> all(std::move(arguments)...);
        std::exchange(use_, nullptr)(memory_, &all);
    }

    /** Destroys the handler. That may destroy this object, too. */
    void drop() noexcept
    {
        if (auto const use = std::exchange(use_, nullptr))
            use(memory_, nullptr);
    }

private:
    alignas(void*) std::byte memory_[4 * sizeof(void*)];
    void (*use_)(std::byte* memory, std::tuple<Arguments...>* arguments) = nullptr;
};

} // namespace ccloud::detail

#endif
