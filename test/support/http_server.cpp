#include "http_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace support {

namespace {

constexpr std::chrono::seconds longest_wait{20};
constexpr auto all = std::numeric_limits<std::size_t>::max();

/** One connection. */
struct session
{
    explicit session(int socket) : fd(socket) {}
    session(session const&) = delete;
    session& operator=(session const&) = delete;
    ~session()
    {
        linger const at_once{1, 0}; // by RST: a peer that has closed already goes without TIME_WAIT
        ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        ::close(fd);
    }

    /** Closed once the peer has closed it. */
    void end() noexcept
    {
        last = true;
        ::shutdown(fd, SHUT_WR);
    }

    int fd;
    std::string received;
    std::vector<std::string> targets; ///< of requests without an answer
    bool last = false;                ///< nothing more is answered
    bool over = false;
};

std::string target_of(std::string_view head)
{
    auto const begin = head.find(' ') + 1;
    return std::string(head.substr(begin, head.find(' ', begin) - begin));
}

} // namespace

std::string response(int status, std::string_view body, std::string_view fields)
{
    auto text = "HTTP/1.1 " + std::to_string(status) + " Text\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\nContent-Type: application/json\r\n";
    return text.append(fields).append("\r\n").append(body);
}

class http_server::implementation
{
public:
    implementation(handler answers, std::string const& address, std::uint16_t port)
        : answers_(std::move(answers)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
    {
        listen(address, port);
        thread_ = std::thread([this] { run(); });
    }

    ~implementation()
    {
        {
            std::lock_guard const guard(mutex_);
            stopped_ = true;
        }
        wake();
        thread_.join();
        sessions_.clear();
        ::close(listener_);
        ::close(wake_);
    }

    std::uint16_t port() const noexcept { return port_; }

    http_server_counts counts() const
    {
        std::lock_guard const guard(mutex_);
        return counts_;
    }

    bool sees(std::function<bool(http_server_counts const&)> const& holds) const
    {
        std::unique_lock guard(mutex_);
        return changed_.wait_for(guard, longest_wait, [&] { return holds(counts_); });
    }

    void allow(std::size_t requests)
    {
        {
            std::lock_guard const guard(mutex_);
            allowed_ = requests;
        }
        wake();
    }

    template <class Function>
    void for_each(Function what)
    {
        {
            std::lock_guard const guard(mutex_);
            for (auto& each : sessions_)
                what(*each);
        }
        wake();
    }

private:
    void listen(std::string const& address, std::uint16_t port)
    {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        int const yes = 1;
        ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        sockaddr_in where{};
        where.sin_family = AF_INET;
        where.sin_port = htons(port);
        ::inet_pton(AF_INET, address.c_str(), &where.sin_addr);
        auto* const at = reinterpret_cast<sockaddr*>(&where);
        socklen_t size = sizeof where;
        if (::bind(listener_, at, size) != 0 || ::listen(listener_, 4096) != 0 ||
            ::getsockname(listener_, at, &size) != 0)
            throw std::runtime_error("http_server: cannot listen at " + address);
        port_ = ntohs(where.sin_port);
    }

    void wake() const noexcept
    {
        std::uint64_t const one = 1;
        (void)!::write(wake_, &one, sizeof one);
    }

    void run()
    {
        std::vector<pollfd> watched;
        for (;;)
        {
            watched.assign({{wake_, POLLIN, 0}, {listener_, POLLIN, 0}});
            for (auto const& each : sessions_)
                watched.push_back({each->fd, POLLIN, 0});
            ::poll(watched.data(), watched.size(), -1);
            {
                std::lock_guard const guard(mutex_);
                if (stopped_)
                    return;
                std::uint64_t count = 0;
                (void)!::read(wake_, &count, sizeof count);
                for (std::size_t i = 2; i < watched.size(); ++i)
                    if (watched[i].revents != 0)
                        read(*sessions_[i - 2]);
                if (watched[1].revents != 0)
                    accept();
                bury();
                answer();
            }
            changed_.notify_all();
        }
    }

    void accept()
    {
        for (;;)
        {
            int const fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0)
                return;
            int const yes = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
            for (auto& each : sessions_)
                read(*each); // a client that closes one before it makes another has one
            bury();
            sessions_.push_back(std::make_unique<session>(fd));
            ++counts_.accepted;
            counts_.open = sessions_.size();
            counts_.most_open = std::max(counts_.most_open, counts_.open);
        }
    }

    void read(session& from)
    {
        if (from.over)
            return;
        std::array<char, 16 * 1024> bytes;
        for (;;)
        {
            auto const got = ::recv(from.fd, bytes.data(), bytes.size(), 0);
            if (got < 0 && (errno == EAGAIN || errno == EINTR))
                break;
            if (got <= 0)
            {
                from.over = true;
                return;
            }
            from.received.append(bytes.data(), static_cast<std::size_t>(got));
        }
        for (auto end = from.received.find("\r\n\r\n"); end != std::string::npos; end = from.received.find("\r\n\r\n"))
        {
            from.targets.push_back(target_of(from.received));
            from.received.erase(0, end + 4);
            ++counts_.requests;
        }
    }

    void answer()
    {
        std::size_t waiting = 0;
        for (auto& each : sessions_)
            waiting += each->over || each->last ? 0 : each->targets.size();
        counts_.most_waiting = std::max(counts_.most_waiting, waiting);
        for (auto& each : sessions_)
            while (!each->over && !each->last && !each->targets.empty() && allowed_ > 0)
            {
                allowed_ -= allowed_ == all ? 0 : 1;
                --waiting;
                auto const text = answers_(each->targets.front());
                each->targets.erase(each->targets.begin());
                (void)!::send(each->fd, text.data(), text.size(), MSG_NOSIGNAL);
                if (text.find("Connection: close") == std::string::npos)
                    continue;
                each->end();
            }
        counts_.waiting = waiting;
        if (allowed_ != all)
            allowed_ = 0;
    }

    void bury()
    {
        std::erase_if(sessions_, [](auto const& each) { return each->over; });
        counts_.open = sessions_.size();
    }

    handler const answers_;
    int const wake_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::vector<std::unique_ptr<session>> sessions_;
    std::mutex mutable mutex_; // the rest
    std::condition_variable mutable changed_;
    std::size_t allowed_ = all;
    bool stopped_ = false;
    http_server_counts counts_;
    std::thread thread_;
};

http_server::http_server(handler answers, std::string const& address, std::uint16_t port)
    : impl_(std::make_unique<implementation>(std::move(answers), address, port))
{
}
http_server::http_server() : http_server([](std::string_view) { return response(200); })
{
}
http_server::~http_server() = default;

std::uint16_t http_server::port() const noexcept
{
    return impl_->port();
}

ccloud::config http_server::settings(std::string const& host) const
{
    ccloud::config settings;
    settings.endpoint = "http://" + host + ":" + std::to_string(port());
    settings.allow_plaintext = true;
    settings.credentials = ccloud::api_key("KEY", "SECRET");
    settings.threading = ccloud::threading::serial;
    return settings;
}

http_server_counts http_server::counts() const
{
    return impl_->counts();
}

bool http_server::sees(std::function<bool(http_server_counts const&)> const& holds) const
{
    return impl_->sees(holds);
}

void http_server::hold()
{
    impl_->allow(0);
}

void http_server::release()
{
    impl_->allow(all);
}

void http_server::release(std::size_t requests)
{
    impl_->allow(requests);
}

void http_server::send(std::string_view bytes)
{
    impl_->for_each([bytes](session& to) { (void)!::send(to.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL); });
}

void http_server::end()
{
    impl_->for_each([](session& with) { with.end(); });
}

void http_server::reset()
{
    impl_->for_each([](session& with) { with.over = true; });
}

} // namespace support
