#include "net/metered_socket.hpp"

namespace ccloud::net {

void tls_meter::attach(SSL* ssl) noexcept
{
    ::SSL_set_msg_callback(ssl, &on_message);
    ::SSL_set_msg_callback_arg(ssl, this);
}

void tls_meter::on_message(int sent, int, int type, void const* bytes, std::size_t size, SSL*, void* self) noexcept
{
    auto& meter = *static_cast<tls_meter*>(self);
    if (sent != 0 || !meter.counting_)
        return;
    if (type == SSL3_RT_HANDSHAKE)
        ++meter.messages_;
    else if (type == SSL3_RT_HEADER && size >= SSL3_RT_HEADER_LENGTH)
    {
        auto const* const header = static_cast<unsigned char const*>(bytes);
        meter.bytes_ += SSL3_RT_HEADER_LENGTH + (std::size_t(header[3]) << 8U) + header[4];
    }
}

} // namespace ccloud::net
