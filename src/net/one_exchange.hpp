#ifndef CCLOUD_NET_ONE_EXCHANGE_HPP
#define CCLOUD_NET_ONE_EXCHANGE_HPP

#include <ccloud/transport.hpp>

#include "net/pool.hpp"
#include "net/response_reader.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <tuple>

namespace ccloud::net {

/** What a call had to wait for its connection. */
struct connection_wait
{
    steady_time began{};
    bool queued = false;
};

/** One request and its response on one connection: all but the awaits. Unless it ends well, the connection is closed.

    @code
    one_exchange talk(…);
    talk.begin(request, wait);
    if (!talk.uploads())
        talk.end_write(co_await talk.used().async_write(…));
    while (talk.wants_more())
        talk.end_read(co_await talk.used().async_read_some(talk.room()));
    co_return talk.finish();
    @endcode */
class one_exchange
{
public:
    using moved = std::tuple<boost::system::error_code, std::size_t>;

    /** All that is referred to outlives it. */
    one_exchange(
        pooled_transport& from, connection_pool& pool, connection& granted, config::size_limits const& sizes,
        send_options const& options
    );

    connection& used() noexcept { return *used_; }

    /** Puts the request down as bytes, and sets the time limit. What is long is written in the background, for it may be
        answered before it is read. */
    void begin(http_request const& request, connection_wait const& wait);
    bool uploads() const noexcept { return uploads_; }

    void end_write(moved const& written);

    /** Reads the response as far as it is there.
        @return whether more of it is to be awaited */
    bool wants_more();
    asio::mutable_buffer room() { return used_.room(); }
    void end_read(moved const& got);

    /** The caller does not want it any more. */
    void leave() { break_off(asio::error::operation_aborted); }

    /** Its outcome; the connection goes back. */
    exchange finish();

private:
    /** The later of two ends of an exchange loses: why the socket was closed tells more than that it was. */
    errc code_for(errc otherwise, boost::system::error_code const& cause);
    void fail(errc code, boost::system::error_code const& cause);
    void break_off(boost::system::error_code const& failed);
    void refuse(boost::system::error_code const& failed);
    void take_refusal(boost::system::error_code const& failed);
    std::optional<std::chrono::nanoseconds> keep_for(bool complete, bool keep_alive);

    pooled_transport& from_;
    origin const& to_;
    lease used_;
    config::size_limits const& sizes_;
    send_options const& options_;
    exchange ended_;
    steady_time started_{};
    steady_time due_ = steady_time::max();
    response_reader* reader_ = nullptr;
    int interims_ = 0;
    bool uploads_ = false;
    bool hurried_ = false; ///< the rest of the body has little time
    bool over_ = false;
};

} // namespace ccloud::net

#endif
