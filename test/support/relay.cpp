#include "relay.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <mutex>
#include <stdexcept>
#include <string_view>
#include <thread>

namespace support {

namespace {

/** A socket, closed in the end. */
class descriptor
{
public:
    explicit descriptor(int fd = -1) noexcept : fd_(fd) {}
    descriptor(descriptor const&) = delete;
    descriptor& operator=(descriptor const&) = delete;
    ~descriptor() { reset(-1); }

    void reset(int fd) noexcept
    {
        if (fd_ >= 0)
            ::close(fd_);
        fd_ = fd;
    }
    int get() const noexcept { return fd_; }

private:
    int fd_;
};

sockaddr_in at_loopback(std::uint16_t port) noexcept
{
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return where;
}

bool pass_on(int to, std::string_view bytes) noexcept
{
    while (!bytes.empty())
    {
        auto const sent = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

} // namespace

class relay::implementation
{
public:
    explicit implementation(std::uint16_t to)
        : to_(to), wake_(::eventfd(0, EFD_CLOEXEC)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        auto where = at_loopback(0);
        auto* const address = reinterpret_cast<sockaddr*>(&where);
        socklen_t size = sizeof where;
        if (::bind(listener_.get(), address, size) != 0 || ::listen(listener_.get(), 16) != 0 ||
            ::getsockname(listener_.get(), address, &size) != 0)
            throw std::runtime_error("relay: cannot listen");
        port_ = ntohs(where.sin_port);
        thread_ = std::thread([this] { run(); });
    }

    ~implementation()
    {
        std::uint64_t const one = 1;
        (void)!::write(wake_.get(), &one, sizeof one);
        thread_.join();
    }

    std::uint16_t port() const noexcept { return port_; }

    std::string said() const
    {
        std::lock_guard const guard(mutex_);
        return said_;
    }

private:
    void run()
    {
        std::array<char, 64 * 1024> bytes;
        for (;;)
        {
            std::array<pollfd, 4> watched{
                {{wake_.get(), POLLIN, 0},
                 {listener_.get(), POLLIN, 0},
                 {client_.get(), POLLIN, 0},
                 {server_.get(), POLLIN, 0}}};
            ::poll(watched.data(), watched.size(), -1);
            if (watched[0].revents != 0)
                return;
            for (auto const i : {2U, 3U})
            {
                if (watched[i].revents == 0 || client_.get() < 0)
                    continue;
                auto const got = ::recv(watched[i].fd, bytes.data(), bytes.size(), 0);
                std::string_view const piece(bytes.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
                if (i == 2)
                {
                    std::lock_guard const guard(mutex_);
                    said_.append(piece);
                }
                if (piece.empty() || !pass_on((i == 2 ? server_ : client_).get(), piece))
                {
                    client_.reset(-1);
                    server_.reset(-1);
                }
            }
            if (watched[1].revents != 0)
                accept();
        }
    }

    void accept()
    {
        client_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        server_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        auto const where = at_loopback(to_);
        (void)!::connect(server_.get(), reinterpret_cast<sockaddr const*>(&where), sizeof where);
        int const yes = 1;
        for (int const fd : {client_.get(), server_.get()})
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        std::lock_guard const guard(mutex_);
        said_.clear();
    }

    std::uint16_t const to_;
    std::uint16_t port_ = 0;
    descriptor wake_;
    descriptor listener_;
    descriptor client_;
    descriptor server_;
    std::mutex mutable mutex_;
    std::string said_;
    std::thread thread_;
};

relay::relay(std::uint16_t to) : impl_(std::make_unique<implementation>(to))
{
}
relay::~relay() = default;

std::uint16_t relay::port() const noexcept
{
    return impl_->port();
}

std::string relay::endpoint() const
{
    return "https://localhost:" + std::to_string(port());
}

std::vector<tls_record> relay::records() const
{
    constexpr std::size_t head = 5; // type, version, length (RFC 8446 section 5.1)
    auto const said = impl_->said();
    std::string_view rest = said;
    std::vector<tls_record> found;
    while (rest.size() >= head)
    {
        auto const byte = [rest](std::size_t i) {
            return static_cast<std::size_t>(static_cast<unsigned char>(rest[i]));
        };
        auto const size = byte(3) << 8 | byte(4);
        if (rest.size() < head + size)
            break;
        found.push_back({static_cast<int>(byte(0)), size});
        rest.remove_prefix(head + size);
    }
    return found;
}

} // namespace support
