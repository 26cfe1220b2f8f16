#ifndef CCLOUD_NET_CONNECT_RACE_HPP
#define CCLOUD_NET_CONNECT_RACE_HPP

#include <ccloud/transport.hpp>

#include "net/tls.hpp"
#include "park.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ccloud::net {

/** Connects to the first of several addresses that answers (RFC 8305 section 5): the next one is tried at once where one
    fails, and after a while where one is silent. The coroutine that wants the socket parks on it. */
class connect_race final : public detail::parked
{
public:
    /** How long a silent address has before the next one is tried, too. */
    static constexpr std::chrono::milliseconds stagger{250};

    /** Is told of each address that fails. */
    using note_failure = std::function<void(std::string const& address)>;

    connect_race(asio::any_io_executor executor, transport& timers, note_failure failed);
    ~connect_race() override;

    /** Begins. The addresses are text; where none can be used the race is over at once. */
    void start(std::vector<std::string> const& addresses, std::uint16_t port);

    bool over() const noexcept;

    /** Ends it: no address has won. */
    void stop() noexcept;

    /** The winner's, or why there is none. */
    bool take(tcp_socket& into, boost::system::error_code& why);

private:
    struct lanes;
    std::shared_ptr<lanes> lanes_; ///< outlives the race, in the handlers
};

} // namespace ccloud::net

#endif
