#ifndef CCLOUD_TEST_SUPPORT_PRINTERS_HPP
#define CCLOUD_TEST_SUPPORT_PRINTERS_HPP

#include <ccloud/error.hpp>
#include <ccloud/http.hpp>
#include <ccloud/open_enum.hpp>
#include <ccloud/timestamp.hpp>

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

inline doctest::String printed(std::string_view text)
{
    return doctest::String(text.data(), static_cast<unsigned>(text.size()));
}

/** In the largest unit that holds it exactly: "7 s", "1500 ms". */
inline std::string in_words(std::chrono::nanoseconds span)
{
    static constexpr std::array<std::pair<long long, char const*>, 3> units{
        {{1'000'000'000, " s"}, {1'000'000, " ms"}, {1'000, " us"}}};
    auto const count = static_cast<long long>(span.count());
    for (auto const& [size, name] : units)
        if (count % size == 0)
            return std::to_string(count / size) + name;
    return std::to_string(count) + " ns";
}

} // namespace support

// doctest 2.4.9 prints every enumeration as a number and asks no StringMaker; it does find these by their arguments.
namespace ccloud {

inline doctest::String toString(errc code)
{
    switch (code)
    {
    case errc::unset: return "errc::unset";
    case errc::invalid_argument: return "errc::invalid_argument";
    case errc::busy: return "errc::busy";
    case errc::client_closed: return "errc::client_closed";
    case errc::rate_limited: return "errc::rate_limited";
    case errc::queue_full: return "errc::queue_full";
    case errc::credentials_unavailable: return "errc::credentials_unavailable";
    case errc::name_resolution_failed: return "errc::name_resolution_failed";
    case errc::connect_failed: return "errc::connect_failed";
    case errc::connect_timeout: return "errc::connect_timeout";
    case errc::proxy_authentication_failed: return "errc::proxy_authentication_failed";
    case errc::proxy_refused: return "errc::proxy_refused";
    case errc::tls_failed: return "errc::tls_failed";
    case errc::tls_version_unsupported: return "errc::tls_version_unsupported";
    case errc::certificate_wrong_host: return "errc::certificate_wrong_host";
    case errc::certificate_expired: return "errc::certificate_expired";
    case errc::certificate_self_signed: return "errc::certificate_self_signed";
    case errc::certificate_unknown_authority: return "errc::certificate_unknown_authority";
    case errc::certificate_rejected: return "errc::certificate_rejected";
    case errc::client_certificate_rejected: return "errc::client_certificate_rejected";
    case errc::write_failed: return "errc::write_failed";
    case errc::connection_lost: return "errc::connection_lost";
    case errc::attempt_timeout: return "errc::attempt_timeout";
    case errc::deadline_exceeded: return "errc::deadline_exceeded";
    case errc::cancelled: return "errc::cancelled";
    case errc::http_status: return "errc::http_status";
    case errc::redirect_refused: return "errc::redirect_refused";
    case errc::malformed_response: return "errc::malformed_response";
    case errc::response_too_large: return "errc::response_too_large";
    case errc::page_link_without_token: return "errc::page_link_without_token";
    case errc::pagination_loop: return "errc::pagination_loop";
    case errc::too_many_empty_pages: return "errc::too_many_empty_pages";
    case errc::page_token_expired: return "errc::page_token_expired";
    }
    return "errc(?)";
}

inline doctest::String toString(condition what)
{
    switch (what)
    {
    case condition::not_found: return "condition::not_found";
    case condition::gone: return "condition::gone";
    case condition::conflict: return "condition::conflict";
    case condition::unauthenticated: return "condition::unauthenticated";
    case condition::forbidden: return "condition::forbidden";
    case condition::quota_exceeded: return "condition::quota_exceeded";
    case condition::throttled: return "condition::throttled";
    case condition::invalid_request: return "condition::invalid_request";
    case condition::server_failure: return "condition::server_failure";
    case condition::timed_out: return "condition::timed_out";
    case condition::cancelled: return "condition::cancelled";
    case condition::network: return "condition::network";
    case condition::tls_failure: return "condition::tls_failure";
    case condition::malformed_response: return "condition::malformed_response";
    }
    return "condition(?)";
}

inline doctest::String toString(gave_up why)
{
    switch (why)
    {
    case gave_up::not_retryable: return "gave_up::not_retryable";
    case gave_up::attempts_exhausted: return "gave_up::attempts_exhausted";
    case gave_up::deadline_would_pass: return "gave_up::deadline_would_pass";
    case gave_up::retry_after_too_long: return "gave_up::retry_after_too_long";
    case gave_up::retry_budget_exhausted: return "gave_up::retry_budget_exhausted";
    case gave_up::limit_exhausted: return "gave_up::limit_exhausted";
    }
    return "gave_up(?)";
}

inline doctest::String toString(retry_reason why)
{
    auto const text = to_string(why);
    return {text.data(), static_cast<unsigned>(text.size())};
}

inline doctest::String toString(delay_source from)
{
    auto const text = to_string(from);
    return {text.data(), static_cast<unsigned>(text.size())};
}

inline doctest::String toString(method verb)
{
    return support::printed(to_string(verb));
}

inline doctest::String toString(progress reached)
{
    return support::printed(to_string(reached));
}

} // namespace ccloud

namespace doctest {

template <>
struct StringMaker<ccloud::error>
{
    static String convert(ccloud::error const& failure) { return support::printed(failure.what()); }
};

template <class Tag>
struct StringMaker<ccloud::open_enum<Tag>>
{
    static String convert(ccloud::open_enum<Tag> const& word) { return support::printed(word.str()); }
};

template <class Rep, class Period>
struct StringMaker<std::chrono::duration<Rep, Period>>
{
    static String convert(std::chrono::duration<Rep, Period> span)
    {
        return support::printed(support::in_words(std::chrono::duration_cast<std::chrono::nanoseconds>(span)));
    }
};

template <class Duration>
struct StringMaker<std::chrono::time_point<std::chrono::system_clock, Duration>>
{
    static String convert(std::chrono::time_point<std::chrono::system_clock, Duration> when)
    {
        return support::printed(ccloud::to_string(std::chrono::time_point_cast<std::chrono::nanoseconds>(when)));
    }
};

template <>
struct StringMaker<ccloud::http_request>
{
    /** As it goes over the wire, but for the credentials. */
    static String convert(ccloud::http_request const& request)
    {
        std::string text(ccloud::to_string(request.verb()));
        text += ' ';
        text += request.target();
        request.headers().for_each([&](std::string_view name, std::string_view value) {
            text += '\n';
            text += name;
            text += ": ";
            text += name == "Authorization" ? "(not shown)" : value;
        });
        text += "\n\n";
        text += request.body();
        return support::printed(text);
    }
};

template <>
struct StringMaker<ccloud::origin>
{
    static String convert(ccloud::origin const& where) { return support::printed(where.to_string()); }
};

template <class T>
struct StringMaker<std::optional<T>>
{
    static String convert(std::optional<T> const& value) { return value ? toString(*value) : String("nothing"); }
};

template <class T>
struct StringMaker<std::vector<T>>
{
    static String convert(std::vector<T> const& items)
    {
        String text = "[";
        for (auto const& item : items)
        {
            if (text.size() > 1)
                text += ", ";
            text += toString(item);
        }
        return text + "]";
    }
};

} // namespace doctest

#endif
