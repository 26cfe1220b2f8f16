#include "core/addresses.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace ccloud::core {

std::vector<std::string> address_order::arrange(std::vector<std::string> const& found, steady_time now)
{
    std::erase_if(failures_, [now](failure const& failed) { return failed.until <= now; });
    auto const failed_lately = [this](std::string const& address) {
        return std::any_of(failures_.begin(), failures_.end(), [&address](failure const& failed) {
            return failed.address == address;
        });
    };
    auto const is_ipv6 = [](std::string const& address) { return address.find(':') != std::string::npos; };

    auto const dial = dials_++;
    std::vector<std::string> order;
    order.reserve(found.size());
    for (bool const bad : {false, true})
    {
        std::array<std::vector<std::string>, 2> families; // that of the first address, and the other
        for (auto const& address : found)
            if (failed_lately(address) == bad)
                families[is_ipv6(address) == is_ipv6(found.front()) ? 0 : 1].push_back(address);
        auto const turns = std::max(families[0].size(), families[1].size());
        for (std::size_t turn = 0; turn < turns; ++turn)
            for (auto const& family : families)
                if (turn < family.size())
                    order.push_back(family[(dial + turn) % family.size()]);
    }
    return order;
}

void address_order::failed(std::string_view address, steady_time now)
{
    worked(address);
    failures_.push_back({std::string(address), now + bad_for});
}

void address_order::worked(std::string_view address) noexcept
{
    std::erase_if(failures_, [address](failure const& failed) { return failed.address == address; });
}

std::vector<std::string> const* name_cache::fresh(std::string_view name, steady_time now) const noexcept
{
    auto const* const known = find(name);
    return known && !known->addresses.empty() && now - known->found < lifetime_ ? &known->addresses : nullptr;
}

std::vector<std::string> const* name_cache::stale(std::string_view name, steady_time now) const noexcept
{
    auto const* const known = find(name);
    auto const usable_for = std::max<std::chrono::nanoseconds>(lifetime_, stale_lifetime);
    return known && !known->addresses.empty() && now - known->found < usable_for ? &known->addresses : nullptr;
}

std::error_code name_cache::recent_failure(std::string_view name, steady_time now) const noexcept
{
    auto const* const known = find(name);
    return known && now - known->failed < failure_lifetime ? known->failure : std::error_code();
}

void name_cache::found(std::string_view name, std::vector<std::string> addresses, steady_time now)
{
    auto& known = find_or_add(name);
    known.addresses = std::move(addresses);
    known.found = now;
    known.failure.clear();
}

void name_cache::failed(std::string_view name, std::error_code why, steady_time now)
{
    auto& known = find_or_add(name);
    known.failure = why;
    known.failed = now;
}

name_cache::entry const* name_cache::find(std::string_view name) const noexcept
{
    auto const at =
        std::find_if(entries_.begin(), entries_.end(), [name](entry const& known) { return known.name == name; });
    return at == entries_.end() ? nullptr : &*at;
}

name_cache::entry& name_cache::find_or_add(std::string_view name)
{
    for (auto& known : entries_)
        if (known.name == name)
            return known;
    entry added;
    added.name = name;
    return entries_.emplace_back(std::move(added));
}

} // namespace ccloud::core
