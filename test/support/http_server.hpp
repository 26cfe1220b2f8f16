#ifndef CCLOUD_TEST_SUPPORT_HTTP_SERVER_HPP
#define CCLOUD_TEST_SUPPORT_HTTP_SERVER_HPP

#include <ccloud/config.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace support {

/** What the server has seen so far. */
struct http_server_counts
{
    std::size_t accepted = 0;
    std::size_t open = 0; ///< now
    std::size_t most_open = 0;
    std::size_t requests = 0;
    std::size_t waiting = 0; ///< requests without an answer, now
    std::size_t most_waiting = 0;
};

/** The bytes of a response; the connection ends after one that says so. */
std::string response(int status, std::string_view body = "{}", std::string_view fields = {});

/** A plain HTTP/1.1 server on a thread of its own, made for many requests: it reads a head, ignores what it says but
    for the target, and answers by bytes. Leaves no socket in TIME_WAIT. */
class http_server
{
public:
    using handler = std::function<std::string(std::string_view target)>;

    /** `answers` is called on the server's thread. Throws std::runtime_error where it cannot listen. */
    explicit http_server(handler answers, std::string const& address = "127.0.0.1", std::uint16_t port = 0);

    /** Answers all by 200. */
    http_server();
    ~http_server();
    http_server(http_server const&) = delete;
    http_server& operator=(http_server const&) = delete;

    std::uint16_t port() const noexcept;

    /** Settings of a client that reaches it, by a name that the client looks up where one is given. */
    ccloud::config settings(std::string const& host = "127.0.0.1") const;

    http_server_counts counts() const;

    /** Waits until `holds` is true of the counts; false where patience runs out. */
    bool sees(std::function<bool(http_server_counts const&)> const& holds) const;

    /** Answers nothing until `release`. Returns when that is so. */
    void hold();

    /** Answers what waits, and what comes. */
    void release();

    /** Answers so many of what waits now, at most, and holds on. */
    void release(std::size_t requests);

    // Each does so on every open connection.
    void send(std::string_view bytes); ///< that nobody asked for
    void end();                        ///< FIN
    void reset();                      ///< RST

private:
    class implementation;
    std::unique_ptr<implementation> impl_;
};

} // namespace support

#endif
