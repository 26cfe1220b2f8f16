#ifndef CCLOUD_NET_CONNECTION_HPP
#define CCLOUD_NET_CONNECTION_HPP

#include <ccloud/timer.hpp>

#include "core/pool.hpp"
#include "net/response_reader.hpp"
#include "net/tls.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/write.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace ccloud::net {

/** Why a connection was torn down under an exchange. */
enum class torn : unsigned char { no, timed_out, closed };

/** One connection to an origin, over TLS or plain. Made once and never moved. */
class connection : public core::pooled, public timer_node, public std::enable_shared_from_this<connection>
{
public:
    connection(asio::any_io_executor const& executor, tls_profile const* tls);
    ~connection();

    tcp_socket& socket() noexcept { return tls_ ? tls_->next_layer() : *plain_; }
    tls_stream* tls() noexcept { return tls_.get(); }

    /** Writes all of `bytes`; gives `tuple(error_code, written)`. */
    auto async_write(std::string_view bytes)
    {
        return asio::async_initiate<token const, void(boost::system::error_code, std::size_t)>(
            write_all{this}, awaited, asio::buffer(bytes.data(), bytes.size())
        );
    }

    /** Reads what comes into the free space of the buffer; gives `tuple(error_code, read)`. */
    auto async_read_some(asio::mutable_buffer into)
    {
        return asio::async_initiate<token const, void(boost::system::error_code, std::size_t)>(
            read_some{this}, awaited, into
        );
    }

    /** Closes the socket; what is under way on it ends by `operation_aborted`. */
    void tear(torn why) noexcept;
    torn torn_by() const noexcept { return torn_; }

    /** Whether an idle connection can be used: looks at the socket without waiting. Post-handshake messages of TLS are
        taken in; data, a goodbye or a reset make it useless. */
    bool alive();

    bool watched = false; ///< a read-readiness wait is armed
    std::string outgoing; ///< the request as bytes; its capacity is kept
    std::optional<response_reader> reader;

private:
    using token = asio::as_tuple_t<asio::deferred_t>;
    static constexpr token awaited{asio::deferred};

    struct write_all
    {
        connection* self;

        template <class Handler>
        void operator()(Handler&& handler, asio::const_buffer bytes) const
        {
            if (self->tls_)
                asio::async_write(*self->tls_, bytes, std::forward<Handler>(handler));
            else
                asio::async_write(*self->plain_, bytes, std::forward<Handler>(handler));
        }
    };

    struct read_some
    {
        connection* self;

        template <class Handler>
        void operator()(Handler&& handler, asio::mutable_buffer into) const
        {
            if (self->tls_)
                self->tls_->async_read_some(into, std::forward<Handler>(handler));
            else
                self->plain_->async_read_some(into, std::forward<Handler>(handler));
        }
    };

    std::unique_ptr<tls_stream> tls_; // one of the two
    std::unique_ptr<tcp_socket> plain_;
    torn torn_ = torn::no;
};

} // namespace ccloud::net

#endif
