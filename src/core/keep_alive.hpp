#ifndef CCLOUD_CORE_KEEP_ALIVE_HPP
#define CCLOUD_CORE_KEEP_ALIVE_HPP

#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>

namespace ccloud::core {

/** What is known of a connection once a response was read. */
struct finished_exchange
{
    int status = 0;
    bool keep_alive = false;           ///< by version and Connection field (RFC 9112 section 9.3)
    bool complete = false;             ///< the response ended by its own framing
    bool request_written = false;      ///< the whole request was
    bool doubtful_framing = false;     ///< peers may disagree where the response ends
    std::size_t leftover = 0;          ///< bytes after the response
    std::string_view keep_alive_field; ///< value of Keep-Alive; empty for none
};

/** For how long the connection may be kept idle for reuse; nothing where it is to be closed.

    The connection is to be closed after 408 and 421, if it has bytes that no request asked for, and if the response
    announced a body that its status does not have (RFC 9112 section 6.3 item 1) or had a Transfer-Encoding in HTTP/1.0
    (section 6.1). The server's `timeout` counts less two seconds, so that it never closes first. */
std::optional<std::chrono::nanoseconds> reuse_for(
    finished_exchange const& ended, std::chrono::nanoseconds idle_timeout
) noexcept;

constexpr bool is_success(int status) noexcept
{
    return status >= 200 && status < 300;
}

/** Whether a request that was answered so may be sent again: 408, 413, 421, 425, 429, 5xx, and 600 or more, which counts
    as 5xx (RFC 9110 section 15). Of such an answer the status and the fields count, and little of its body is waited
    for. */
bool may_be_repeated(int status) noexcept;

} // namespace ccloud::core

#endif
