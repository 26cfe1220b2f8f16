#ifndef CCLOUD_NET_CONNECTION_HPP
#define CCLOUD_NET_CONNECTION_HPP

#include <ccloud/observe.hpp>
#include <ccloud/timer.hpp>
#include <ccloud/transport.hpp>

#include "core/pool.hpp"
#include "kept_handler.hpp"
#include "net/response_reader.hpp"
#include "net/tls.hpp"
#include "park.hpp"
#include "sure_post.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/write.hpp>

#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace ccloud::net {

/** Why a connection was torn down under an exchange. */
enum class torn : unsigned char { no, timed_out, closed };

/** Why an idle connection cannot be used. */
struct defect
{
    close_reason reason = close_reason::ended;
    boost::system::error_code cause{}; ///< none where bytes came
    std::size_t bytes = 0;             ///< at least this number of bytes came without a request
};

/** One connection to an origin, through a proxy or not, over TLS or plain. Begins as a socket; layers of TLS come on
    top. Made once and never moved. */
class connection : public core::pooled, public timer_node, public std::enable_shared_from_this<connection>
{
public:
    static constexpr std::size_t one_record = 16 * 1024; ///< of TLS, at most

    /** `lot` must outlive all operations of the connection. */
    connection(asio::any_io_executor const& executor, detail::parking_lot& lot) : socket_(executor), lot_(lot) {}
    ~connection();

    tcp_socket& socket() noexcept { return socket_; }

    /** Puts a layer of TLS on top, at most two. */
    tls_peer& add_tls(std::shared_ptr<tls_profile> profile, std::string host, std::uint16_t port);

    /** The topmost layer; null for a plain connection. */
    SSL* tls() noexcept;
    tls_peer const* peer() const noexcept { return inner_ ? inner_.get() : outer_.get(); }

    /** Does the TLS handshake on the topmost layer; results in `tuple(error_code)`. Call `meter()` after it. */
    auto async_handshake()
    {
        if (nested_)
            metered_.outer.stop(); // the messages of the inner handshake are data of the outer layer
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

    /** Checks an idle connection without waiting. Returns why it cannot be used, or nothing. Reads post-handshake
        messages of TLS, as many as `tls_meter` allows. */
    std::optional<defect> look();

    /** From now on counts what the peer sends over TLS besides application data, for each layer of TLS. The counts
        begin again when application data of the topmost layer arrive. */
    void meter() noexcept;
    void note_data() noexcept
    {
        metered_.outer.reset();
        metered_.inner.reset();
    }

    /** Whether the peer has sent more of that than the limit. Then nothing more is read. */
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

    /** The pending operation. Its coroutine is stored here and not in Asio, because Asio destroys the handler of an
        operation that it has no memory to continue. The operation then ends with an error. */
    class awaited_operation final : public detail::lot_node
    {
    public:
        detail::kept_handler<boost::system::error_code, std::size_t> handler;

        void end(boost::system::error_code failed, std::size_t moved)
        {
            leave_lot();
            if (handler)
                handler(failed, moved);
        }

    private:
        void resume() override {}
        void drop() noexcept override { handler.drop(); }
    };

    /** The handler that Asio calls at the end of an operation, or destroys. */
    class end_of_operation
    {
    public:
        explicit end_of_operation(std::shared_ptr<connection> self) noexcept : self_(std::move(self)) {}
        end_of_operation(end_of_operation&&) noexcept = default;
        ~end_of_operation()
        {
            if (self_)
                self_->lose_operation(self_);
        }

        void operator()(boost::system::error_code failed, std::size_t moved = 0)
        {
            auto const self = std::move(self_);
            self->operation_.end(failed, moved);
        }

    private:
        std::shared_ptr<connection> self_; ///< null after the call, and after a move
    };

    // Asio would allocate in the cancellation slot for each part of a composed operation.
    struct cancel_operation
    {
        connection* self;

        void operator()(asio::cancellation_type kind) const noexcept
        {
            boost::system::error_code ignored;
            if ((kind & asio::cancellation_type::terminal) != asio::cancellation_type::none)
                self->socket_.cancel(ignored);
        }
    };

    /** Stores `handler`, and calls `begin` with a handler for Asio. */
    template <class Begin, class Handler>
    void begin_operation(Begin&& begin, Handler&& handler)
    {
        boost::system::error_code failed;
        try
        {
            if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected())
                slot.assign(cancel_operation{this});
        }
        catch (std::bad_alloc const&)
        {
            failed = asio::error::no_memory;
        }
        if (failed)
            return std::forward<Handler>(handler)(failed, std::size_t(0));
        operation_.handler.keep(std::forward<Handler>(handler));
        lot_.hold(operation_);
        try
        {
            begin(end_of_operation(shared_from_this()));
        }
        catch (std::bad_alloc const&) // the destroyed handler has ended the operation
        {
        }
    }

    struct write_all
    {
        connection* self;

        template <class Handler>
        void operator()(Handler&& handler, asio::const_buffer bytes) const
        {
            auto const write = [&](end_of_operation end) {
                self->on_top([&](auto& stream) { asio::async_write(stream, bytes, std::move(end)); });
            };
            self->begin_operation(write, std::forward<Handler>(handler));
        }
    };

    struct read_some
    {
        connection* self;

        template <class Handler>
        void operator()(Handler&& handler, asio::mutable_buffer into) const
        {
            auto const read = [&](end_of_operation end) {
                self->on_top([&](auto& stream) { stream.async_read_some(into, std::move(end)); });
            };
            self->begin_operation(read, std::forward<Handler>(handler));
        }
    };

    struct shake_hands
    {
        connection* self;

        template <class Handler>
        void operator()(Handler&& handler) const
        {
            auto const shake = [&](end_of_operation end) {
                if (self->nested_)
                    self->nested_->async_handshake(nested_tls_stream::client, std::move(end));
                else
                    self->tls_->async_handshake(tls_stream::client, std::move(end));
            };
            auto end = [handler = std::forward<Handler>(handler)](auto failed, std::size_t) mutable {
                std::move(handler)(failed);
            };
            self->begin_operation(shake, std::move(end));
        }
    };

    void upload_more();
    void lose_operation(std::shared_ptr<connection> const& self) noexcept;

    tcp_socket socket_;
    metered_socket metered_{socket_};
    std::unique_ptr<tls_peer> outer_; // before the stream that points to it
    std::unique_ptr<tls_stream> tls_;
    std::unique_ptr<tls_peer> inner_;
    std::unique_ptr<nested_tls_stream> nested_;
    upload upload_;
    detail::parking_lot& lot_;
    awaited_operation operation_;
    detail::post_memory memory_;
    torn torn_ = torn::no;
};

} // namespace ccloud::net

#endif
