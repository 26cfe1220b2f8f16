#include "net/connect_race.hpp"

#include "core/shortage.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <optional>
#include <utility>

namespace ccloud::net {

using boost::system::error_code;
using tcp = asio::ip::tcp;

namespace {

/** Opens a non-blocking socket. Asio would open it without close-on-exec: then a program that another thread starts
    would inherit the socket and keep it open. */
void open(tcp_socket& socket, tcp const& protocol, error_code& failed)
{
    int const made = ::socket(protocol.family(), SOCK_STREAM | SOCK_CLOEXEC, protocol.protocol());
    if (made < 0)
    {
        failed.assign(errno, boost::system::system_category());
        return;
    }
    socket.assign(protocol, made, failed);
    if (failed)
        ::close(made);
    else
        socket.non_blocking(true, failed); // for connection::look(), too
}

} // namespace

/** The attempts. */
struct connect_race::lanes : timer_node, std::enable_shared_from_this<connect_race::lanes>
{
    lanes(asio::any_io_executor with, transport& clock, note_failure on_failure)
        : executor(std::move(with)), timers(clock), failed(std::move(on_failure))
    {
        fire = [](timer_node& node) noexcept { static_cast<lanes&>(node).begin_next(); };
    }

    void begin_next() noexcept
    {
        while (!over && next < goals.size())
        {
            auto const lane = next++;
            auto const failed_at_once = begin(lane);
            if (!failed_at_once)
                return;
            note(lane, failed_at_once);
        }
        if (!over && running == 0)
            finish();
    }

    error_code begin(std::size_t lane) noexcept
    {
        try
        {
            sockets[lane] = std::make_unique<tcp_socket>(executor);
            auto& socket = *sockets[lane];
            error_code refused;
            open(socket, goals[lane].protocol(), refused);
            if (refused)
                return refused;
            if (next < goals.size())
                timers.arm(*this, timers.now() + stagger);
            socket.async_connect(goals[lane], [self = shared_from_this(), lane](error_code ended) {
                self->end_lane(lane, ended);
            });
            ++running;
            return {};
        }
        catch (std::exception const&)
        {
            return asio::error::no_memory;
        }
    }

    void end_lane(std::size_t lane, error_code ended) noexcept
    {
        --running;
        if (over)
            return;
        if (!ended)
        {
            winner = lane;
            return finish();
        }
        note(lane, ended);
        begin_next();
    }

    /** Records a failed address, so that later dials begin with other addresses. Does nothing if there is no memory. */
    void note(std::size_t lane, error_code const& ended) noexcept
    {
        last = ended;
        if (!failed || !core::shortage_of(ended).empty())
            return;
        try
        {
            failed(goals[lane].address().to_string());
        }
        catch (std::bad_alloc const&)
        {
        }
    }

    void finish() noexcept
    {
        over = true;
        if (armed())
            timers.disarm(*this);
        for (std::size_t i = 0; i < sockets.size(); ++i)
            if (sockets[i] && i != winner)
            {
                error_code ignored;
                sockets[i]->close(ignored);
            }
        failed = nullptr;
        if (auto* const waiting = std::exchange(race, nullptr))
            waiting->parked::finish(detail::wake::granted);
    }

    asio::any_io_executor executor;
    transport& timers;
    note_failure failed;
    connect_race* race = nullptr; ///< null once it need not be told
    std::vector<tcp::endpoint> goals;
    std::vector<std::unique_ptr<tcp_socket>> sockets; ///< one for each goal; null until its connect begins
    std::size_t next = 0;
    std::size_t running = 0;
    bool over = false;
    std::optional<std::size_t> winner;
    error_code last = asio::error::host_not_found;
};

connect_race::connect_race(asio::any_io_executor executor, transport& timers, note_failure failed)
    : lanes_(std::make_shared<lanes>(std::move(executor), timers, std::move(failed)))
{
}

connect_race::~connect_race()
{
    stop();
}

void connect_race::start(std::vector<std::string> const& addresses, std::uint16_t port)
{
    for (auto const& text : addresses)
    {
        error_code unreadable;
        auto const address = asio::ip::make_address(text, unreadable);
        if (!unreadable)
            lanes_->goals.emplace_back(address, port);
    }
    lanes_->sockets.resize(lanes_->goals.size());
    lanes_->race = this;
    lanes_->begin_next();
}

bool connect_race::over() const noexcept
{
    return lanes_->over;
}

void connect_race::stop() noexcept
{
    lanes_->race = nullptr;
    if (!lanes_->over)
        lanes_->finish();
    finish(detail::wake::closed);
}

bool connect_race::take(tcp_socket& into, error_code& why)
{
    if (!lanes_->winner)
    {
        why = lanes_->last;
        return false;
    }
    into = std::move(*lanes_->sockets[*lanes_->winner]);
    return true;
}

} // namespace ccloud::net
