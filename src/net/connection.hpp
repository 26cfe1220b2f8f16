#ifndef CCLOUD_NET_CONNECTION_HPP
#define CCLOUD_NET_CONNECTION_HPP

#include <ccloud/observe.hpp>
#include <ccloud/timer.hpp>
#include <ccloud/transport.hpp>

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

/** What speaks against using an idle connection. */
struct defect
{
    close_reason reason = close_reason::ended;
    boost::system::error_code cause{}; ///< none where bytes came
    std::size_t bytes = 0;             ///< so many came that nobody had asked for, or more
};

/** One connection to an origin, through a proxy or not, over TLS or plain. Begins as a socket; layers of TLS come on
    top. Made once and never moved. */
class connection : public core::pooled, public timer_node, public std::enable_shared_from_this<connection>
{
public:
    static constexpr std::size_t one_record = 16 * 1024; ///< of TLS, at most

    explicit connection(asio::any_io_executor const& executor) : socket_(executor) {}
    ~connection();

    tcp_socket& socket() noexcept { return socket_; }

    /** Puts a layer of TLS on top, at most two. */
    tls_peer& add_tls(std::shared_ptr<tls_profile> profile, std::string host, std::uint16_t port);

    /** The topmost layer; null for a plain connection. */
    SSL* tls() noexcept;
    tls_peer const* peer() const noexcept { return inner_ ? inner_.get() : outer_.get(); }

    /** Shakes hands on the topmost layer; gives `tuple(error_code)`. After it `meter()`. */
    auto async_handshake()
    {
        if (nested_)
            tls_meter::stop(tls_->native_handle()); // what the handshake says is data to the layer below
        return asio::async_initiate<token const, void(boost::system::error_code)>(shake_hands{this}, awaited);
    }

    /** Writes all of `bytes`; gives `tuple(error_code, written)`. What is no longer than a TLS record becomes one, and
        one call of the system. */
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

    /** Writes `outgoing` in the background, record by record, while others read: a server may answer before it has read
        all (RFC 9112 section 9.5). Ends with the connection. */
    void start_upload();

    /** How an upload goes. Without one, all zero. */
    struct upload
    {
        bool under_way = false;
        std::size_t written = 0;
        boost::system::error_code failed;
    };
    upload const& uploading() const noexcept { return upload_; }

    /** Closes the socket; what is under way on it ends by `operation_aborted`. */
    void tear(torn why) noexcept;
    torn torn_by() const noexcept { return torn_; }

    /** Says goodbye (close_notify) without waiting for the peer's. Only while nothing is under way. */
    void say_goodbye() noexcept;

    /** Looks at an idle connection without waiting: what speaks against using it, if anything. Post-handshake messages of
        TLS are taken in, as many as `tls_meter` allows. */
    std::optional<defect> look();

    /** Counts from now on what the peer sends over TLS besides application data: for each layer, between two pieces of
        data of the topmost one. */
    void meter() noexcept;
    void note_data() noexcept
    {
        metered_.outer.reset();
        metered_.inner.reset();
    }

    /** The peer has sent more of it than it may. Nothing is read from it any more. */
    bool is_flooded() const noexcept { return metered_.exceeded(); }
    static std::string flood_text();

    /** Gives back the memory that an idle connection does not need. */
    void trim() noexcept;

    /** Whether TLS holds bytes that were received and not looked at. */
    bool has_unread() noexcept;

    /** The exchange for a new connection that is of no use because the server does not accept our certificate; nothing
        where `failed` says something else. */
    std::optional<exchange> refusal(boost::system::error_code const& failed, origin const& to) const;

    bool watched = false; ///< a read-readiness wait is armed
    std::string outgoing; ///< the request as bytes; its capacity is kept
    std::optional<response_reader> reader;
    std::shared_ptr<connection_info const> info;

private:
    using token = asio::as_tuple_t<asio::deferred_t>;
    static constexpr token awaited{asio::deferred};

    /** Calls `use` with the topmost layer. */
    template <class Use>
    void on_top(Use&& use)
    {
        if (nested_)
            use(*nested_);
        else if (tls_)
            use(*tls_);
        else
            use(socket_);
    }

    struct write_all
    {
        connection* self;

        template <class Handler>
        void operator()(Handler&& handler, asio::const_buffer bytes) const
        {
            self->on_top([&](auto& stream) { asio::async_write(stream, bytes, std::forward<Handler>(handler)); });
        }
    };

    struct read_some
    {
        connection* self;

        template <class Handler>
        void operator()(Handler&& handler, asio::mutable_buffer into) const
        {
            self->on_top([&](auto& stream) { stream.async_read_some(into, std::forward<Handler>(handler)); });
        }
    };

    struct shake_hands
    {
        connection* self;

        template <class Handler>
        void operator()(Handler&& handler) const
        {
            if (self->nested_)
                self->nested_->async_handshake(nested_tls_stream::client, std::forward<Handler>(handler));
            else
                self->tls_->async_handshake(tls_stream::client, std::forward<Handler>(handler));
        }
    };

    void upload_more();

    tcp_socket socket_;
    metered_socket metered_{socket_};
    std::unique_ptr<tls_peer> outer_; // before the stream that points to it
    std::unique_ptr<tls_stream> tls_;
    std::unique_ptr<tls_peer> inner_;
    std::unique_ptr<nested_tls_stream> nested_;
    upload upload_;
    torn torn_ = torn::no;
};

} // namespace ccloud::net

#endif
