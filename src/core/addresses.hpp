#ifndef CCLOUD_CORE_ADDRESSES_HPP
#define CCLOUD_CORE_ADDRESSES_HPP

#include <ccloud/timer.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace ccloud::core {

/** Which of a name's addresses to try in which order. */
class address_order
{
public:
    /** An address that failed is tried last for so long. */
    static constexpr std::chrono::seconds bad_for{30};

    /** The order for the next dial: the families take turns, beginning with that of the first address (RFC 8305
        section 4); within each family every dial begins with the next address; addresses that failed lately come
        last, in the same order among themselves. Addresses are text; those with a colon are IPv6. */
    std::vector<std::string> arrange(std::vector<std::string> const& found, steady_time now);

    void failed(std::string_view address, steady_time now);
    void worked(std::string_view address) noexcept;

private:
    struct failure
    {
        std::string address;
        steady_time until;
    };

    std::size_t dials_ = 0;
    std::vector<failure> failures_;
};

/** The addresses of names, for a while. The pointers it gives live until it is changed. */
class name_cache
{
public:
    /** A failure is remembered for so long, so that a storm of calls asks once. */
    static constexpr std::chrono::seconds failure_lifetime{1};

    /** Addresses past their time serve for so long after they were found, where a look-up fails. */
    static constexpr std::chrono::minutes stale_lifetime{5};

    explicit name_cache(std::chrono::nanoseconds lifetime) noexcept : lifetime_(lifetime) {}

    /** Addresses that are good; null where there are none. */
    std::vector<std::string> const* fresh(std::string_view name, steady_time now) const noexcept;

    /** Addresses that will do where a look-up fails; null where there are none. Fresh ones will. */
    std::vector<std::string> const* stale(std::string_view name, steady_time now) const noexcept;

    /** The failure of a look-up just now; none where there was none. */
    std::error_code recent_failure(std::string_view name, steady_time now) const noexcept;

    void found(std::string_view name, std::vector<std::string> addresses, steady_time now);

    /** Keeps addresses from before. */
    void failed(std::string_view name, std::error_code why, steady_time now);

    void clear() noexcept { entries_.clear(); }

private:
    struct entry
    {
        std::string name;
        std::vector<std::string> addresses;
        steady_time found{};
        std::error_code failure;
        steady_time failed{};
    };

    entry const* find(std::string_view name) const noexcept;
    entry& find_or_add(std::string_view name);

    std::chrono::nanoseconds lifetime_;
    std::vector<entry> entries_;
};

} // namespace ccloud::core

#endif
