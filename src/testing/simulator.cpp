#include <ccloud/testing/simulator.hpp>

#include "testing/simulator_api.hpp"
#include "testing/simulator_connection.hpp"
#include "testing/simulator_tls.hpp"
#include "testing/simulator_wire.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>

#include <algorithm>
#include <atomic>
#include <deque>
#include <future>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <unordered_set>

namespace ccloud::testing {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using simulated::connection;
using simulated::connection_pointer;
using simulated::delivery;
using simulated::ending;

namespace {

constexpr std::size_t read_size = 64 * 1024;
constexpr std::size_t log_size = 10'000;

simulator_options checked(simulator_options options)
{
    std::string const& prefix = options.path_prefix;
    if (!prefix.empty() && (!prefix.starts_with('/') || prefix.ends_with('/')))
        throw std::invalid_argument("simulator: path_prefix must begin with '/' and not end with it");
    if (options.rate_limit && *options.rate_limit < 0)
        throw std::invalid_argument("simulator: rate_limit must not be negative");
    if (options.rate_window.count() <= 0)
        throw std::invalid_argument("simulator: rate_window must be more than zero");
    if (options.provisioning.count() < 0 || options.deprovisioning.count() < 0)
        throw std::invalid_argument("simulator: provisioning and deprovisioning must not be negative");
    return options;
}

} // namespace

/** The server. All but the members under `guard` and the counters belongs to its thread. */
struct simulator::impl
{
    explicit impl(simulator_options const& given)
        : options(given), api(given, epoch), acceptors(simulated::listen_on_loopback(io, given.port))
    {
        std::string const port = std::to_string(acceptors.front().local_endpoint().port());
        endpoint = (options.plaintext ? "http://localhost:" : "https://localhost:") + port + options.path_prefix;
        if (!options.plaintext)
        {
            identity.emplace();
            identity->install(tls.native_handle());
            ca_file = identity->ca_file();
        }
        for (tcp::acceptor& acceptor : acceptors)
            asio::co_spawn(io, accept_all(acceptor), asio::detached);
        thread = std::thread([this] { io.run(); });
    }

    ~impl()
    {
        io.stop();
        thread.join();
    }

    impl(impl const&) = delete;
    impl& operator=(impl const&) = delete;

    simulated::instant now() const
    {
        using std::chrono::duration_cast;
        auto const passed = std::chrono::steady_clock::now() - begin;
        return epoch + duration_cast<std::chrono::microseconds>(passed) + ahead;
    }

    asio::awaitable<void> accept_all(tcp::acceptor& acceptor)
    {
        error_code failure;
        auto token = asio::redirect_error(asio::use_awaitable, failure);
        asio::steady_timer pause(io);
        for (;;)
        {
            tcp::socket accepted = co_await simulated::accept(acceptor, failure);
            if (!failure)
            {
                admit(std::move(accepted));
                continue;
            }
            pause.expires_after(std::chrono::milliseconds(10)); // out of descriptors, most likely
            co_await pause.async_wait(token);
        }
    }

    void admit(tcp::socket accepted)
    {
        error_code ignored;
        accepted.set_option(tcp::no_delay(true), ignored);
        connections.fetch_add(1);
        asio::co_spawn(io, serve(std::make_shared<connection>(std::move(accepted))), asio::detached);
    }

    /** A connection from its first to its last byte. */
    asio::awaitable<void> serve(connection_pointer peer)
    {
        registration const registered(*this, peer.get());
        std::optional<fault> const trouble = take_fault([](fault const& each) {
            return each.kind_ == fault::kind::reset_on_accept || each.kind_ == fault::kind::stall_handshake;
        });
        if (trouble)
        {
            co_await misbehave(peer, *trouble);
        }
        else if (options.plaintext)
        {
            co_await converse(peer, peer->socket);
        }
        else
        {
            error_code failure;
            auto token = asio::redirect_error(asio::use_awaitable, failure);
            peer->tls.emplace(peer->socket, tls);
            co_await peer->tls->async_handshake(asio::ssl::stream_base::server, token);
            if (!failure)
                co_await converse(peer, *peer->tls);
        }
        peer->close();
    }

    static asio::awaitable<void> misbehave(connection_pointer peer, fault const& trouble)
    {
        bool const waited = co_await simulated::wait_for(peer, trouble.wait_);
        if (!waited)
            co_return;
        if (trouble.kind_ == fault::kind::stall_handshake)
            co_await simulated::stall(peer);
        else
            peer->reset();
    }

    /** Answers requests, one after the other, until either side ends the connection. */
    template <class Stream>
    asio::awaitable<void> converse(connection_pointer peer, Stream& stream)
    {
        simulated::request_reader reader(read_size);
        error_code failure;
        auto token = asio::redirect_error(asio::use_awaitable, failure);
        for (bool more = true; more;)
        {
            reader.begin();
            while (!reader.complete())
            {
                asio::mutable_buffer const space = reader.prepare();
                std::size_t const count = co_await stream.async_read_some(space, token);
                if (failure)
                    co_return;
                if (reader.untouched() && take_early_reset())
                {
                    peer->reset();
                    co_return;
                }
                reader.commit(count);
            }
            delivery const answer = reader.valid() ? decide(reader) : reject();
            more = co_await simulated::deliver(peer, stream, answer);
        }
    }

    bool take_early_reset()
    {
        return take_fault([](fault const& each) { return each.kind_ == fault::kind::reset_early; }).has_value();
    }

    std::optional<fault> take_request_fault(std::string_view method, std::string_view target)
    {
        return take_fault([&](fault const& each) {
            bool const connection_fault = each.kind_ == fault::kind::reset_on_accept ||
                                          each.kind_ == fault::kind::stall_handshake ||
                                          each.kind_ == fault::kind::reset_early;
            return !connection_fault && (each.method_.empty() || each.method_ == method) &&
                   target.find(each.path_) != std::string_view::npos;
        });
    }

    /** The first fault that fits; used up when it was taken as often as it wants. */
    template <class Fits>
    std::optional<fault> take_fault(Fits const& fits)
    {
        std::lock_guard const lock(guard);
        auto const found = std::ranges::find_if(faults, fits);
        if (found == faults.end())
            return std::nullopt;
        fault taken = *found;
        if (found->times_ == 1)
            faults.erase(found);
        else if (found->times_ > 1)
            --found->times_;
        return taken;
    }

    /** What is no HTTP gets a short answer and the door. */
    static delivery reject()
    {
        simulated::api_response const answer{.status = 400, .body = {}, .headers = {}};
        delivery result;
        result.text = simulated::to_wire(answer, simulated::persistence::close);
        result.then = ending::goodbye;
        return result;
    }

    delivery decide(simulated::request_reader const& reader)
    {
        simulated::api_request const request = reader.request();
        requests.fetch_add(1);
        std::optional<fault> const trouble = take_request_fault(request.method, request.target);
        std::lock_guard const lock(guard);
        simulated::api_response answer;
        if (!trouble || trouble->executes_)
            answer = api.answer(request, now());
        if (!trouble)
        {
            note(request, std::to_string(answer.status));
            return deliver_properly(answer, reader.keep_alive());
        }
        if (trouble->kind_ == fault::kind::status)
            answer = stand_in(*trouble);
        for (auto const& [name, value] : trouble->headers_)
            simulated::set_header(answer, name, value);
        delivery result = spoil(*trouble, std::move(answer), reader.keep_alive());
        note(request, result.text.starts_with("HTTP/") ? result.text.substr(9, 3) : "-");
        return result;
    }

    void note(simulated::api_request const& request, std::string const& status)
    {
        if (lines.size() == log_size)
            lines.pop_front();
        std::string& line = lines.emplace_back(request.method);
        line.append(" ").append(request.target).append(" ").append(status);
    }

    static delivery deliver_properly(simulated::api_response const& answer, bool keep_alive)
    {
        using simulated::persistence;
        delivery result;
        result.text = simulated::to_wire(answer, keep_alive ? persistence::keep_alive : persistence::close);
        result.then = keep_alive ? ending::keep_open : ending::goodbye;
        return result;
    }

    /** The answer of `fault::status`. */
    simulated::api_response stand_in(fault const& trouble)
    {
        simulated::api_response answer{.status = trouble.status_, .body = trouble.text_, .headers = {}};
        if (!trouble.text_.empty())
            simulated::set_header(answer, "Content-Type", "application/json; charset=utf-8");
        simulated::set_header(answer, "X-Request-Id", api.next_request_id());
        return answer;
    }

    static delivery spoil(fault const& trouble, simulated::api_response answer, bool keep_alive)
    {
        using kind = fault::kind;
        if (trouble.kind_ == kind::gzip)
            answer.body = simulated::to_gzip(answer.body);
        bool const closes = trouble.kind_ == kind::connection_close;
        delivery result = deliver_properly(answer, keep_alive && !closes);
        result.wait = trouble.wait_;
        switch (trouble.kind_)
        {
        case kind::reset:
            result.text.clear();
            result.then = ending::reset;
            break;
        case kind::close:
            result.text.clear();
            result.then = ending::goodbye;
            break;
        case kind::garbage:
            result.text = trouble.text_;
            result.then = ending::goodbye;
            break;
        case kind::truncate:
            result.text.resize(
                result.text.size() - answer.body.size() + std::min(trouble.body_bytes_, answer.body.size())
            );
            result.then = ending::cut;
            break;
        case kind::trickle:
            result.slow_bytes = answer.body.size();
            result.pause = trouble.pause_;
            break;
        case kind::unsolicited: result.text += trouble.text_; break;
        default: break;
        }
        return result;
    }

    void drop_connections()
    {
        std::promise<void> done;
        asio::post(io, [&] {
            for (connection* each : open)
                each->close();
            done.set_value();
        });
        done.get_future().wait();
    }

    /** Keeps a connection among the open ones. */
    class registration
    {
    public:
        registration(impl& owner, connection* member) : owner_(owner), member_(member)
        {
            owner_.open.insert(member_);
            owner_.open_connections.fetch_add(1);
        }
        ~registration()
        {
            owner_.open.erase(member_);
            owner_.open_connections.fetch_sub(1);
        }
        registration(registration const&) = delete;
        registration& operator=(registration const&) = delete;

    private:
        impl& owner_;
        connection* member_;
    };

    simulator_options const options;
    std::string endpoint;
    std::string ca_file;
    std::optional<simulated::tls_identity> identity;
    simulated::instant const epoch =
        std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
    std::chrono::steady_clock::time_point const begin = std::chrono::steady_clock::now();

    std::atomic<std::size_t> requests{0};
    std::atomic<std::size_t> connections{0};
    std::atomic<std::size_t> open_connections{0};

    mutable std::mutex guard;
    std::chrono::milliseconds ahead{0};
    simulated::api api;
    std::deque<fault> faults;
    std::deque<std::string> lines;

    asio::ssl::context tls{asio::ssl::context::tls_server};
    std::unordered_set<connection*> open;
    asio::io_context io{1}; // goes first: what waits in it uses the members above
    std::vector<tcp::acceptor> acceptors;
    std::thread thread;
};

simulator::simulator(simulator_options options)
{
    simulator_options const good = checked(std::move(options));
    try
    {
        impl_ = std::make_unique<impl>(good);
    }
    catch (boost::system::system_error const& failure)
    {
        throw std::system_error(failure.code(), "simulator");
    }
}

simulator::~simulator() = default;

std::string const& simulator::endpoint() const noexcept
{
    return impl_->endpoint;
}

std::string const& simulator::ca_file() const noexcept
{
    return impl_->ca_file;
}

config simulator::settings() const
{
    config result;
    result.endpoint = impl_->endpoint;
    result.credentials = ccloud::api_key(impl_->options.api_key, impl_->options.api_secret);
    result.tls.ca_file = impl_->ca_file;
    return result;
}

void simulator::advance(std::chrono::milliseconds time)
{
    if (time.count() < 0)
        throw std::invalid_argument("simulator: the clock only goes forward");
    std::lock_guard const lock(impl_->guard);
    impl_->ahead += time;
}

bool simulator::set_phase(std::string_view id, std::string phase, std::string error_message)
{
    std::lock_guard const lock(impl_->guard);
    return impl_->api.set_phase(id, std::move(phase), std::move(error_message), impl_->now());
}

void simulator::inject(fault trouble)
{
    std::lock_guard const lock(impl_->guard);
    impl_->faults.push_back(std::move(trouble));
}

void simulator::clear_faults()
{
    std::lock_guard const lock(impl_->guard);
    impl_->faults.clear();
}

std::size_t simulator::requests() const noexcept
{
    return impl_->requests.load();
}

std::size_t simulator::connections() const noexcept
{
    return impl_->connections.load();
}

std::size_t simulator::open_connections() const noexcept
{
    return impl_->open_connections.load();
}

std::vector<std::string> simulator::log() const
{
    std::lock_guard const lock(impl_->guard);
    return {impl_->lines.begin(), impl_->lines.end()};
}

void simulator::drop_connections()
{
    impl_->drop_connections();
}

} // namespace ccloud::testing
