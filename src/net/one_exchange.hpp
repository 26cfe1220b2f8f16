#ifndef CCLOUD_NET_ONE_EXCHANGE_HPP
#define CCLOUD_NET_ONE_EXCHANGE_HPP

#include <ccloud/transport.hpp>

#include "net/gzip.hpp"
#include "net/pool.hpp"
#include "net/response_reader.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
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
    while (talk.decodes())
        co_await next_turn(…);
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

    /** Puts the request down as bytes, and sets the time limit. What is long is written in the background, for it may
        be answered before it is read. */
    void begin(http_request const& request, connection_wait const& wait);
    bool uploads() const noexcept { return uploads_; }

    void end_write(moved const& written);

    /** Reads the response as far as it is there.
        @return whether more of it is to be awaited */
    bool wants_more();
    asio::mutable_buffer room() { return used_.room(); }
    void end_read(moved const& got);

    /** Called after `wants_more` has returned false. The first call gives the connection back. Each call inflates one
        slice of a compressed body.
        @return whether there is more to inflate; the caller lets other handlers run before the next call */
    bool decodes();

    /** The caller does not want it any more. */
    void leave();

    /** Its outcome. */
    exchange finish() { return std::move(ended_); }

private:
    /** The later of two ends of an exchange loses: why the socket was closed tells more than that it was. */
    errc code_for(errc otherwise, boost::system::error_code const& cause);
    errc timeout() const noexcept;
    void fail(errc code, boost::system::error_code const& cause);
    void break_off(boost::system::error_code const& failed);
    void skip_interim();
    void refuse();
    void take_refusal(boost::system::error_code const& failed);
    bool needs_no_body(int status) const noexcept;
    bool needs_no_rest() const noexcept;
    std::string describe_write(std::size_t written) const;
    std::string describe_lack() const;
    std::string describe_wait() const;

    void end_reading();
    void begin_decoding();
    void end_decoding(gzip_reader::state how);
    void stop_decoding(errc code);
    void refuse_body(errc code, std::string detail);
    void drop_body();
    std::optional<std::chrono::nanoseconds> keep_for();

    pooled_transport& from_;
    origin const& to_;
    lease used_;
    config::size_limits const& sizes_;
    send_options const& options_;
    exchange ended_;
    steady_time started_{};
    steady_time due_ = steady_time::max();
    response_reader* reader_ = nullptr;
    std::unique_ptr<gzip_reader> inflater_; ///< null if the body is not compressed
    int interims_ = 0;
    bool uploads_ = false;
    bool removes_ = false; ///< the request is a DELETE
    bool doubtful_framing_ = false;
    bool hurried_ = false; ///< the rest of the body has little time
    bool over_ = false;
    bool read_ = false;  ///< the response was read, as far as it is wanted
    bool coded_ = false; ///< the response has a Content-Encoding
};

} // namespace ccloud::net

#endif
