#include "net/connection.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace ccloud::net {

using boost::system::error_code;

namespace {

/** Asio has OpenSSL give back its buffers after every record; here they go when the connection is idle. */
void keep_buffers(SSL* tls) noexcept
{
    ::SSL_clear_mode(tls, SSL_MODE_RELEASE_BUFFERS);
}

} // namespace

connection::~connection() = default;

tls_peer& connection::add_tls(std::shared_ptr<tls_profile> profile, std::string host, std::uint16_t port)
{
    auto peer = std::make_unique<tls_peer>(std::move(profile), std::move(host), port);
    if (!tls_)
    {
        outer_ = std::move(peer);
        tls_ = std::make_unique<tls_stream>(metered_, outer_->context());
        keep_buffers(tls_->native_handle());
        metered_.outer.attach(tls_->native_handle());
        return *outer_;
    }
    inner_ = std::move(peer);
    nested_ = std::make_unique<nested_tls_stream>(*tls_, inner_->context());
    keep_buffers(nested_->native_handle());
    metered_.inner.attach(nested_->native_handle());
    return *inner_;
}

SSL* connection::tls() noexcept
{
    if (nested_)
        return nested_->native_handle();
    return tls_ ? tls_->native_handle() : nullptr;
}

void connection::start_upload()
{
    upload_ = {true, 0, {}};
    upload_more();
}

void connection::upload_more()
{
    auto const rest = std::string_view(outgoing).substr(upload_.written, one_record);
    auto next = [self = shared_from_this()](error_code failed, std::size_t written) {
        auto& state = self->upload_;
        state.written += written;
        state.failed = failed;
        state.under_way = !failed && state.written < self->outgoing.size();
        if (state.under_way)
            self->upload_more();
    };
    on_top([&](auto& stream) { asio::async_write(stream, asio::buffer(rest.data(), rest.size()), std::move(next)); });
}

/** Ends an operation that Asio dropped, because it had no memory to continue it. */
void connection::lose_operation(std::shared_ptr<connection> const& self) noexcept
{
    detail::post_surely(socket_.get_executor(), self, memory_, [](std::shared_ptr<connection> const& lost) {
        lost->operation_.end(asio::error::no_memory, 0);
    });
}

void connection::tear(torn why) noexcept
{
    if (torn_ == torn::no)
        torn_ = why;
    error_code ignored;
    socket_.close(ignored);
}

void connection::say_goodbye() noexcept
{
    if (!tls_ || !socket_.is_open())
        return;
    // The socket does not block: this sends close_notify if it can, reads what has arrived, as far as `tls_meter`
    // allows, and then gives up.
    try
    {
        error_code ignored;
        if (nested_)
            nested_->shutdown(ignored);
        tls_->shutdown(ignored);
    }
    catch (...)
    {
    }
}

std::optional<defect> connection::look()
{
    if (!socket_.is_open())
        return defect{};
    std::array<char, 1024> bytes;
    defect found;
    // Mostly nothing came, and this costs least.
    if (!has_unread() && ::recv(socket_.native_handle(), bytes.data(), 1, MSG_PEEK | MSG_DONTWAIT) < 0)
        found.cause = error_code(errno, boost::system::system_category());
    else
        // Tickets and key updates make a healthy TLS 1.3 connection readable, and TLS may hold records that the socket
        // does not show any more: only a read through TLS can tell.
        on_top([&](auto& stream) { found.bytes = stream.read_some(asio::buffer(bytes), found.cause); });
    if (found.cause == asio::error::would_block)
        return std::nullopt;
    if (is_flooded())
        return defect{close_reason::unsolicited};
    if (!found.cause)
        found.reason = close_reason::unsolicited;
    else if (found.cause == asio::error::eof && tls_)
        found.reason = close_reason::said_goodbye;
    else if (found.cause == asio::error::connection_reset || found.cause == asio::error::broken_pipe)
        found.reason = close_reason::reset;
    return found;
}

void connection::meter() noexcept
{
    if (tls_)
        metered_.outer.start();
    if (nested_)
        metered_.inner.start();
}

std::string connection::flood_text()
{
    return "more than " + std::to_string(tls_meter::most_messages) + " TLS handshake messages, or more than " +
           std::to_string(tls_meter::most_bytes / 1024) + " KiB, without application data";
}

void connection::trim() noexcept
{
    constexpr std::size_t enough = 64 * 1024;
    if (outgoing.capacity() > enough)
        std::string().swap(outgoing);
    // OpenSSL keeps a buffer after messages that were no data, such as tickets.
    if (tls_)
        ::SSL_free_buffers(tls_->native_handle());
    if (nested_)
        ::SSL_free_buffers(nested_->native_handle());
}

bool connection::has_unread() noexcept
{
    auto const holds = [](SSL* tls) {
        return ::SSL_has_pending(tls) == 1 || ::BIO_ctrl_pending(::SSL_get_rbio(tls)) > 0;
    };
    return (nested_ && holds(nested_->native_handle())) || (tls_ && holds(tls_->native_handle()));
}

std::optional<exchange> connection::refusal(error_code const& failed, origin const& to) const
{
    if (!peer() || !peer()->rejects_our_certificate(failed))
        return std::nullopt;
    // Whatever was written, TLS did not let it in.
    auto why = exchange::failed(errc::client_certificate_rejected, progress::not_sent, failed, to.to_string());
    why.permanent = true;
    return why;
}

} // namespace ccloud::net
