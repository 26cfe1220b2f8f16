#include "net/dialer.hpp"

#include "core/duration.hpp"
#include "core/shortage.hpp"
#include "core/url.hpp"

#include <netinet/tcp.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <new>
#include <tuple>
#include <utility>
#include <variant>

namespace ccloud::net {

using boost::system::error_code;
using std::chrono::nanoseconds;
using tcp = asio::ip::tcp;

namespace {

/** Addresses of a host that needs no look-up: an address, or localhost, which always means this machine (RFC 6761
    section 6.3). */
std::vector<std::string> known_addresses(std::string const& host)
{
    if (core::without_dot_at_end(host) == "localhost")
        return {"127.0.0.1", "::1"};
    error_code unknown;
    asio::ip::make_address(host, unknown);
    if (unknown)
        return {};
    return {host};
}

std::string to_text(tcp::endpoint const& at)
{
    auto const address = at.address().to_string();
    auto const port = ':' + std::to_string(at.port());
    return at.address().is_v6() ? '[' + address + ']' + port : address + port;
}

/** Detects a peer that has gone without a word: after 30 s of silence, or of unacknowledged bytes. */
void set_options(tcp_socket& socket)
{
    using first_after = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPIDLE>;
    using interval = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPINTVL>;
    using probes = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPCNT>;
    using user_timeout = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_USER_TIMEOUT>;
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
    socket.set_option(first_after(30), ignored);
    socket.set_option(interval(10), ignored);
    socket.set_option(probes(3), ignored);
    socket.set_option(user_timeout(30'000), ignored);
}

std::optional<core::proxy> proxy_for(config::proxy_options const& options, origin const& to)
{
    if (options.url.empty() || core::goes_direct(options.no_proxy, to))
        return std::nullopt;
    auto parsed = core::parse_proxy(options.url);
    if (auto const* wrong = std::get_if<std::string>(&parsed))
        throw configuration_error(*wrong);
    return std::get<core::proxy>(std::move(parsed));
}

/** Adds to `whom`, the peer of a failure, the resource that this machine lacks, if that is the cause. */
std::string with_shortage(std::string whom, std::error_code const& cause)
{
    if (auto const lacking = core::shortage_of(cause); !lacking.empty())
        whom.append(": out of ").append(lacking);
    return whom;
}

/** Keeps the node that a job waits on known to it, to be let go of. */
class waiting_on
{
public:
    waiting_on(dial_job& job, detail::parked& node) noexcept : job_(job) { job_.waiting = &node; }
    waiting_on(waiting_on const&) = delete;
    waiting_on& operator=(waiting_on const&) = delete;
    ~waiting_on() { job_.waiting = nullptr; }

private:
    dial_job& job_;
};

} // namespace

dialer::dialer(
    asio::any_io_executor executor, config const& settings, origin to, shared_network& network, name_lookup lookup,
    transport& timers, detail::parking_lot& lot
)
    : executor_(std::move(executor)), to_(std::move(to)), proxy_(proxy_for(settings.proxy, to_)),
      resolve_timeout_(settings.pool.resolve_timeout), connect_timeout_(settings.pool.connect_timeout),
      network_(network), timers_(timers), lot_(lot),
      resolver_(executor_, std::move(lookup), settings.pool.address_lifetime)
{
}

std::string dialer::next_hop() const
{
    return proxy_ ? "proxy " + proxy_->to_string() : to_.to_string();
}

std::string dialer::describe(dial_job::step at) const
{
    using step = dial_job::step;
    switch (at)
    {
    case step::resolving: return "name lookup of " + (proxy_ ? proxy_->host : to_.host());
    case step::connecting: return "TCP connect to " + next_hop();
    case step::proxy_tls: return "TLS handshake with " + next_hop();
    case step::proxy_reply: return (proxy_->speaks_http() ? "CONNECT reply of " : "SOCKS5 reply of ") + next_hop();
    case step::resolving_origin: return "name lookup of " + to_.host();
    case step::tls: break;
    }
    return "TLS handshake with " + origin_text();
}

exchange dialer::timed_out(dial_job const& job) const noexcept
{
    auto late = exchange::failed(errc::connect_timeout, progress::not_sent);
    try
    {
        late.detail = describe(job.at) + " took longer than config::pool.connect_timeout, ";
        late.detail += core::readable(connect_timeout_);
    }
    catch (std::bad_alloc const&) // the error then has no detail
    {
    }
    return late;
}

/** The origin, and the proxy that leads to it: "https://api.example through proxy http://proxy.example:3128". */
std::string dialer::origin_text() const
{
    return to_.to_string() + (proxy_ ? " through " + next_hop() : "");
}

/** Who may have ended a connection: "https://api.example: the server", or the server or the proxy. */
std::string dialer::peer_text() const
{
    return to_.to_string() + (proxy_ ? ": the server or " + next_hop() : ": the server");
}

exchange dialer::closed_before_request(connection const& made, defect const& found) const
{
    if (auto refused = made.refusal(found.cause, to_))
        return *std::move(refused);
    auto why = peer_text();
    if (made.is_flooded())
        why += " sent " + connection::flood_text();
    else if (found.reason == close_reason::unsolicited)
        why += " sent " + std::to_string(found.bytes) + (found.bytes == 1 ? " byte" : " bytes");
    else if (found.reason == close_reason::reset)
        why += " reset the connection";
    else
        why += " closed the connection";
    why += to_.tls() ? " after the TLS handshake" : proxy_ ? " after the tunnel was open" : " after accepting it";
    why += ", before any request";
    return exchange::failed(errc::connect_failed, progress::not_sent, found.cause, std::move(why));
}

exchange dialer::closed_without_response() const
{
    auto why = peer_text() + " ended a new connection without a response to its first request";
    return exchange::failed(errc::connection_lost, progress::maybe_sent, {}, std::move(why));
}

void dialer::deprioritize(connection const& made)
{
    auto address = std::string_view(made.info->remote);
    address = address.substr(0, address.rfind(':'));
    if (address.starts_with('['))
        address = address.substr(1, address.size() - 2);
    order_.failed(address, timers_.now());
}

asio::awaitable<std::optional<exchange>> dialer::dial(std::shared_ptr<dial_job> job)
{
    std::vector<std::string> addresses;
    auto const& first = proxy_ ? proxy_->host : to_.host();
    failure failed = co_await find(*job, first, next_hop(), addresses);
    if (!failed && !job->done)
        failed = co_await connect(*job, std::move(addresses));
    if (!failed && !job->done && proxy_)
        failed = co_await pass_proxy(*job);
    if (!failed && !job->done && to_.tls())
    {
        job->at = dial_job::step::tls;
        failed = co_await shake_hands(*job, network_.for_origin(), to_.host(), to_.port());
    }
    if (failed || job->done)
        co_return failed;
    auto& made = *job->made;
    if (auto* const ssl = made.tls(); ssl && to_.tls())
    {
        job->info.tls_version = ::SSL_get_version(ssl);
        job->info.cipher = ::SSL_get_cipher_name(ssl);
        job->info.resumed = ::SSL_session_reused(ssl) == 1;
    }
    if (proxy_)
        job->info.proxy = proxy_->to_string();
    made.info = std::make_shared<connection_info const>(std::move(job->info));
    co_return std::nullopt;
}

asio::awaitable<dialer::failure> dialer::find(
    dial_job& job, std::string name, std::string whom, std::vector<std::string>& addresses
)
{
    addresses = known_addresses(name);
    if (!addresses.empty())
        co_return std::nullopt;
    auto const began = timers_.now();
    name_wait wait;
    auto how = detail::wake::granted;
    if (!resolver_.ask(name, wait, began, resolve_timeout_))
    {
        waiting_on const watched(job, wait);
        detail::armed_timer const timer(timers_, wait, began + resolve_timeout_);
        co_await lot_.async_park(wait);
        how = wait.how();
        if (how != detail::wake::granted)
            resolver_.expire(name, wait, timers_.now());
    }
    job.info.resolve += timers_.now() - began;
    if (wait.answer.addresses.empty())
    {
        auto const& cause = wait.answer.failure;
        if (how == detail::wake::expired && !cause)
            whom += ": no response to the name lookup within config::pool.resolve_timeout (" +
                    core::readable(resolve_timeout_) + ')';
        auto why =
            exchange::failed(errc::name_resolution_failed, progress::not_sent, cause, with_shortage(whom, cause));
        why.permanent = cause == error_code(asio::error::host_not_found);
        co_return why;
    }
    addresses = std::move(wait.answer.addresses);
    co_return std::nullopt;
}

asio::awaitable<dialer::failure> dialer::connect(dial_job& job, std::vector<std::string> addresses)
{
    job.at = dial_job::step::connecting;
    auto const began = timers_.now();
    connect_race race(executor_, timers_, [this](std::string const& address) {
        order_.failed(address, timers_.now());
    });
    race.start(order_.arrange(addresses, began), proxy_ ? proxy_->port : to_.port());
    if (!race.over())
    {
        waiting_on const watched(job, race);
        co_await lot_.async_park(race);
    }
    if (job.done)
        co_return std::nullopt;
    error_code failed;
    auto& socket = job.made->socket();
    if (!race.take(socket, failed))
        co_return exchange::failed(errc::connect_failed, progress::not_sent, failed, with_shortage(next_hop(), failed));
    set_options(socket);
    job.info.connect = timers_.now() - began;
    auto const remote = socket.remote_endpoint(failed);
    auto const local = socket.local_endpoint(failed);
    job.info.remote = to_text(remote);
    job.info.local = to_text(local);
    order_.worked(remote.address().to_string());
    co_return std::nullopt;
}

asio::awaitable<dialer::failure> dialer::pass_proxy(dial_job& job)
{
    auto const began = timers_.now();
    failure failed;
    if (proxy_->how == core::proxy::kind::https)
    {
        job.at = dial_job::step::proxy_tls;
        failed = co_await shake_hands(job, network_.for_proxy(), proxy_->host, proxy_->port);
    }
    if (!failed && !job.done)
    {
        job.at = dial_job::step::proxy_reply;
        if (proxy_->speaks_http())
            failed = co_await open_tunnel(job);
        else
            failed = co_await talk_socks(job);
    }
    job.info.tunnel = timers_.now() - began;
    co_return failed;
}

dialer::failure dialer::proxy_failed(errc code, std::string const& why, bool permanent, std::error_code cause) const
{
    auto ended = exchange::failed(code, progress::not_sent, cause, next_hop() + ": " + why);
    ended.permanent = permanent;
    return ended;
}

asio::awaitable<dialer::failure> dialer::open_tunnel(dial_job& job)
{
    using state = core::connect_reply::state;
    auto& made = *job.made;
    auto const request = core::connect_request(*proxy_, to_);
    std::tuple<error_code, std::size_t> moved = co_await made.async_write(request);
    std::string received;
    core::connect_reply reply;
    while (!std::get<0>(moved) && reply.is == state::incomplete && !job.done)
    {
        std::array<char, 1024> more;
        moved = co_await made.async_read_some(asio::buffer(more));
        received.append(more.data(), std::get<1>(moved));
        reply = core::read_connect_reply(received);
    }
    switch (reply.is)
    {
    case state::accepted: co_return std::nullopt;
    case state::unauthenticated: co_return proxy_failed(errc::proxy_authentication_failed, reply.reason, true);
    case state::refused: co_return proxy_failed(errc::proxy_refused, reply.reason, reply.permanent());
    case state::malformed: co_return proxy_failed(errc::proxy_refused, reply.reason, true);
    case state::incomplete: break;
    }
    if (made.is_flooded())
        co_return proxy_failed(errc::proxy_refused, "it sent " + connection::flood_text(), false);
    co_return proxy_failed(errc::proxy_refused, "the connection broke", false, std::get<0>(moved));
}

asio::awaitable<dialer::failure> dialer::talk_socks(dial_job& job)
{
    using state = core::socks5_handshake::state;
    auto target = to_.host();
    if (proxy_->how == core::proxy::kind::socks5 && !core::is_ip_address(target))
    {
        std::vector<std::string> addresses;
        job.at = dial_job::step::resolving_origin;
        failure failed = co_await find(job, target, to_.to_string(), addresses);
        if (failed || job.done)
            co_return failed;
        job.at = dial_job::step::proxy_reply;
        target = target_order_.arrange(addresses, timers_.now()).front();
    }
    auto& made = *job.made;
    core::socks5_handshake talk(*proxy_, target, to_.port());
    std::array<char, 512> received;
    while (talk.is() == state::going && !job.done)
    {
        std::tuple<error_code, std::size_t> moved;
        if (!talk.output().empty())
            moved = co_await made.async_write(talk.output());
        std::size_t got = 0;
        auto const wanted = std::min(talk.wants(), received.size());
        while (!std::get<0>(moved) && got < wanted && !job.done)
        {
            moved = co_await made.async_read_some(asio::buffer(received.data() + got, wanted - got));
            got += std::get<1>(moved);
        }
        if (std::get<0>(moved))
            co_return proxy_failed(errc::proxy_refused, "the connection broke", false, std::get<0>(moved));
        talk.input({received.data(), got});
    }
    switch (talk.is())
    {
    case state::unauthenticated: co_return proxy_failed(errc::proxy_authentication_failed, talk.reason(), true);
    case state::refused:
        target_order_.failed(target, timers_.now());
        co_return proxy_failed(errc::proxy_refused, talk.reason(), talk.permanent());
    case state::malformed: co_return proxy_failed(errc::proxy_refused, talk.reason(), true);
    case state::going:
    case state::done: break;
    }
    co_return std::nullopt;
}

asio::awaitable<dialer::failure> dialer::shake_hands(
    dial_job& job, std::shared_ptr<tls_profile> profile, std::string host, std::uint16_t port
)
{
    auto const began = timers_.now();
    auto& made = *job.made;
    auto& peer = made.add_tls(std::move(profile), std::move(host), port);
    auto failed = peer.prepare(made.tls());
    if (!failed)
    {
        std::tuple<error_code> const shaken = co_await made.async_handshake();
        failed = std::get<0>(shaken);
    }
    if (job.done)
        co_return std::nullopt;
    job.info.handshake = timers_.now() - began;
    auto const verdict = peer.judge(made.tls(), failed);
    if (verdict.code != errc::unset)
    {
        auto detail = job.at == dial_job::step::proxy_tls ? next_hop() : origin_text();
        if (!verdict.why.empty())
            detail.append(": ").append(verdict.why);
        auto why = exchange::failed(verdict.code, progress::not_sent, verdict.cause, std::move(detail));
        why.permanent = verdict.permanent;
        co_return why;
    }
    made.meter();
    bool const may_hear_later = peer.asked_for_certificate() && ::SSL_version(made.tls()) >= TLS1_3_VERSION;
    if (may_hear_later)
        co_return co_await await_verdict_on_us(job, job.info.handshake);
    co_return std::nullopt;
}

/** Over TLS 1.3 a server that wants another certificate, or any, says so after our side of the handshake is over. It is
    waited for, about a round trip, so that no request is given to a server that will not read it. */
asio::awaitable<dialer::failure> dialer::await_verdict_on_us(dial_job& job, nanoseconds patience)
{
    constexpr std::chrono::milliseconds slack{50};
    auto& made = *job.made;
    detail::parked wait;
    waiting_on const watched(job, wait);
    {
        detail::armed_timer const timer(timers_, wait, timers_.now() + patience + slack);
        // This wait may outlive the dial.
        made.socket().async_wait(tcp_socket::wait_read, [dial = job.weak_from_this(), node = &wait](error_code) {
            auto const waits = dial.lock();
            if (waits && waits->waiting == node)
                node->finish(detail::wake::granted);
        });
        co_await lot_.async_park(wait);
    }
    if (job.done)
        co_return std::nullopt;
    auto const found = made.look();
    if (!found)
        co_return std::nullopt;
    co_return closed_before_request(made, *found);
}

} // namespace ccloud::net
