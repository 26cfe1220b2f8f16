#include "net/transport.hpp"

#include "core/keep_alive.hpp"
#include "core/request.hpp"
#include "core/url.hpp"
#include "net/gzip.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <tuple>
#include <utility>

namespace ccloud::net {

using boost::system::error_code;
using std::chrono::nanoseconds;
using tcp = asio::ip::tcp;

/** A dial under way. It belongs to the pool: nobody's cancellation ends it. */
struct dial_job : timer_node
{
    dial_job(pooled_transport& from, shard_of_origin& of, asio::any_io_executor const& executor, tls_profile const* tls)
        : owner(from), shard(of), resolver(executor), made(std::make_shared<connection>(executor, tls))
    {
    }

    /** Lets go of what the coroutine waits for. A name look-up cannot be stopped, only left behind. */
    void abandon() noexcept
    {
        done = true;
        resolver.cancel();
        made->tear(torn::timed_out);
    }

    pooled_transport& owner;
    shard_of_origin& shard;
    tcp::resolver resolver;
    std::shared_ptr<connection> made;
    bool done = false;
};

/** The connections to one origin. */
struct shard_of_origin : timer_node
{
    shard_of_origin(pooled_transport& from, origin to, std::size_t cap) : owner(from), where(std::move(to)), pool(cap)
    {
    }
    pooled_transport& owner;
    origin where;
    core::origin_pool pool;
    std::vector<std::shared_ptr<connection>> connections;
    std::vector<std::shared_ptr<dial_job>> dials;
};

/** A call that wants a connection. */
class connection_wish final : public detail::parked, public core::pool_waiter
{
public:
    connection_wish(pooled_transport& from, shard_of_origin& of) noexcept : from_(from), shard_(of) {}

    ~connection_wish() override
    {
        shard_.pool.cancel(*this);
        reclaim();
    }

    void grant(connection& got) noexcept
    {
        granted_ = &got;
        finish(detail::wake::granted);
    }

    void fail(exchange why) noexcept
    {
        failure = std::move(why);
        finish(detail::wake::granted);
    }

    /** A grant that the caller does not live to see goes to the next in line, at once. */
    void cancel() noexcept override
    {
        cancelled = true;
        shard_.pool.cancel(*this);
        reclaim();
        finish(detail::wake::cancelled);
    }

    connection* take() noexcept { return std::exchange(granted_, nullptr); }
    bool settled() const noexcept { return granted_ != nullptr || failure.has_value(); }

    std::optional<exchange> failure;
    bool cancelled = false;

private:
    void reclaim() noexcept
    {
        if (auto* const unused = take())
            from_.take_back(shard_, *unused);
    }

    pooled_transport& from_;
    shard_of_origin& shard_;
    connection* granted_ = nullptr;
};

/** A connection in use. Unless it is returned it is closed. */
class lease
{
public:
    lease(pooled_transport& from, shard_of_origin& of, connection& used) : from_(from), shard_(of), used_(&used) {}
    lease(lease const&) = delete;
    lease& operator=(lease const&) = delete;
    ~lease() { finish(std::nullopt); }

    void finish(std::optional<nanoseconds> keep) noexcept
    {
        if (!used_)
            return;
        from_.disarm(*used_);
        from_.return_buffer(std::move(buffer_));
        from_.give_back(shard_, *std::exchange(used_, nullptr), keep);
    }

    connection* operator->() const noexcept { return used_; }
    connection& operator*() const noexcept { return *used_; }

    // What was read and not parsed yet lies in [begin, end) of the buffer.
    asio::const_buffer unread() const noexcept { return {buffer_.get() + begin_, end_ - begin_}; }
    void consume(std::size_t bytes) noexcept
    {
        begin_ += bytes;
        if (begin_ == end_)
            begin_ = end_ = 0;
    }
    asio::mutable_buffer room()
    {
        if (!buffer_)
            buffer_ = from_.take_buffer();
        if (end_ == pooled_transport::buffer_size && begin_ > 0)
        {
            std::copy(buffer_.get() + begin_, buffer_.get() + end_, buffer_.get());
            end_ -= begin_;
            begin_ = 0;
        }
        return {buffer_.get() + end_, pooled_transport::buffer_size - end_};
    }
    void filled(std::size_t bytes) noexcept { end_ += bytes; }

private:
    pooled_transport& from_;
    shard_of_origin& shard_;
    connection* used_;
    pooled_transport::buffer buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

namespace {

/** The later of two ends of an exchange loses: why the socket was closed tells more than that it was. */
errc code_for(connection& used, send_options const& options, steady_time now, errc otherwise, error_code cause)
{
    switch (used.torn_by())
    {
    case torn::timed_out: return now >= options.deadline ? errc::deadline_exceeded : errc::attempt_timeout;
    case torn::closed: return errc::client_closed;
    case torn::no: break;
    }
    return cause == asio::error::operation_aborted ? errc::cancelled : otherwise;
}

/** Says why a response cannot be read. */
void explain(exchange& ended, error_code failed)
{
    bool const too_large = failed == beast::http::error::body_limit || failed == beast::http::error::header_limit;
    ended.code = too_large ? errc::response_too_large : errc::malformed_response;
    ended.cause = failed;
    ended.detail = too_large ? "see config::limits" : "no HTTP that can be read";
}

/** Where an origin is whose host needs no look-up: an address, or localhost, which always means this machine (RFC 6761
    section 6.3). */
std::vector<tcp::endpoint> known_endpoints(origin const& where)
{
    if (where.host() == "localhost")
        return {{asio::ip::address_v4::loopback(), where.port()}, {asio::ip::address_v6::loopback(), where.port()}};
    error_code unknown;
    auto const address = asio::ip::make_address(where.host(), unknown);
    if (unknown)
        return {};
    return {{address, where.port()}};
}

/** Responses such as 100 and 103 that may come before the real one. */
constexpr int most_interims = 8;

/** How long a body may take after its head where it only explains (rule I5). */
constexpr std::chrono::seconds longest_explanation{1};

} // namespace

std::shared_ptr<transport> make_transport(
    asio::any_io_executor executor, config const& settings, std::shared_ptr<tls_profile const> tls
)
{
    return std::make_shared<pooled_transport>(std::move(executor), settings, std::move(tls));
}

pooled_transport::pooled_transport(
    asio::any_io_executor executor, config const& settings, std::shared_ptr<tls_profile const> tls
)
    : executor_(std::move(executor)), limits_(settings.pool), sizes_(settings.limits), tls_(std::move(tls)),
      lot_(executor_), timer_(executor_), dice_(std::random_device()())
{
}

pooled_transport::~pooled_transport() = default;

// One try: a connection, one write, reads until the response is complete.
asio::awaitable<exchange> pooled_transport::send(http_request const& request, origin const& to, send_options options)
{
    auto const keep_alive = shared_from_this();
    if (options.deadline <= now())
        co_return exchange::failed(errc::deadline_exceeded, progress::not_sent);

    auto& shard = shard_for(to);
    connection_wish wish(*this, shard);
    wish.pool_waiter::fresh = options.fresh_connection;
    wish.idle_limit = options.idle_limit;
    shard.pool.enqueue(wish);
    connection* granted = nullptr;
    while (!granted)
    {
        if (closed_)
            co_return exchange::failed(errc::client_closed, progress::not_sent);
        settle(shard);
        if (!wish.settled())
        {
            std::optional<detail::armed_timer> timer;
            if (options.deadline != steady_time::max())
                timer.emplace(*this, wish, options.deadline);
            auto const how = co_await lot_.async_park(wish);
            if (how == detail::wake::expired)
                co_return exchange::failed(errc::deadline_exceeded, progress::not_sent, {}, "waiting for a connection");
            if (how == detail::wake::closed)
                co_return exchange::failed(errc::client_closed, progress::not_sent);
        }
        if (wish.cancelled)
            co_return exchange::failed(errc::cancelled, progress::not_sent, {}, "waiting for a connection");
        if (wish.failure)
            co_return *std::move(wish.failure);
        granted = wish.take();
        if (!granted->alive())
        {
            shard.pool.enqueue_front(wish); // it keeps its place
            give_back(shard, *std::exchange(granted, nullptr), std::nullopt);
            sweep(shard);
        }
    }

    lease used(*this, shard, *granted);
    exchange ended;
    ended.reused = std::exchange(used->served, true);
    auto const due = options.ends(now());
    if (due != steady_time::max())
        arm(*used, due);

    core::serialize(request, used->outgoing);
    std::tuple<error_code, std::size_t> const written = co_await used->async_write(used->outgoing);
    ended.bytes_written = std::get<1>(written);
    ended.progress = progress::maybe_sent;
    if (std::get<0>(written))
    {
        ended.cause = std::get<0>(written);
        ended.code = code_for(*used, options, now(), errc::write_failed, ended.cause);
        // Less than one TLS record, or nothing: the server cannot have seen a request.
        if (ended.code == errc::write_failed && ended.bytes_written == 0)
            ended.progress = progress::not_sent;
        co_return ended;
    }

    auto& reader = used->reader.emplace(sizes_);
    int interims = 0;
    bool hurried = false;
    while (!reader.is_done() && !reader.has_enough())
    {
        error_code failed;
        if (used.unread().size() > 0)
        {
            used.consume(reader.put(used.unread(), failed));
            if (reader.is_done() && reader.interim() && ++interims <= most_interims)
                used->reader.emplace(sizes_);
        }
        else
            failed = beast::http::error::need_more;
        if (!failed)
            continue;
        if (failed == beast::http::error::need_more && used.room().size() == 0)
            failed = beast::http::error::header_limit;
        if (failed == beast::http::error::need_more)
        {
            if (reader.only_explains() && !std::exchange(hurried, true))
                arm(*used, (std::min)(due, now() + longest_explanation));
            std::tuple<error_code, std::size_t> const got = co_await used->async_read_some(used.room());
            failed = std::get<0>(got);
            used.filled(std::get<1>(got));
            ended.response_begun = ended.response_begun || std::get<1>(got) > 0;
            if (!failed)
                continue;
            // A body without a length ends with the connection (RFC 9112 section 6.3), over TLS with its goodbye.
            if (failed == asio::error::eof && reader.got_some() && !reader.is_done())
            {
                error_code incomplete;
                reader.put_eof(incomplete);
                if (!incomplete)
                    break;
            }
            bool const left = used->torn_by() == torn::closed || failed == asio::error::operation_aborted;
            if (reader.only_explains() && (!left || used->torn_by() == torn::timed_out))
                break; // the head is there, and so much of the body will do
            ended.cause = failed;
            ended.code = code_for(*used, options, now(), errc::connection_lost, failed);
            co_return ended;
        }
        explain(ended, failed);
        co_return ended;
    }
    if (reader.interim())
    {
        explain(ended, beast::http::error::unexpected_body);
        co_return ended;
    }

    core::finished_exchange finished;
    finished.status = reader.status();
    finished.keep_alive = reader.keep_alive();
    finished.complete = reader.is_done();
    finished.request_written = true;
    finished.leftover = used.unread().size();
    finished.keep_alive_field = reader.headers().find("Keep-Alive").value_or(std::string_view());
    auto const keep = core::reuse_for(finished, limits_.idle_timeout);
    if (looks_like_gzip(reader.body()))
        if (auto content = gunzip(reader.body(), sizes_.response_body))
            reader.body() = *std::move(content);
    ended.response = reader.take();
    ended.progress = progress::answered;
    used.finish(keep);
    co_return ended;
}

shard_of_origin& pooled_transport::shard_for(origin const& to)
{
    for (auto& shard : shards_)
        if (shard->where == to)
            return *shard;
    auto& added =
        *shards_.emplace_back(std::make_unique<shard_of_origin>(*this, to, limits_.max_connections_per_origin));
    added.fire = [](timer_node& node) noexcept {
        auto& shard = static_cast<shard_of_origin&>(node);
        shard.owner.sweep(shard);
    };
    return added;
}

/** Does what the pool wants done, until it wants nothing. */
void pooled_transport::settle(shard_of_origin& shard)
{
    using action = core::origin_pool::step::action;
    while (!closed_)
    {
        auto const step = shard.pool.next(now());
        switch (step.what)
        {
        case action::none: return;
        case action::grant:
            static_cast<connection_wish*>(step.waiter)->grant(static_cast<connection&>(*step.connection));
            break;
        case action::dial: begin_dial(shard); break;
        case action::close: forget(shard, static_cast<connection&>(*step.connection)); break;
        }
    }
}

void pooled_transport::give_back(shard_of_origin& shard, connection& used, std::optional<nanoseconds> keep) noexcept
{
    if (!keep || *keep <= nanoseconds(0) || closed_ || used.torn_by() != torn::no)
    {
        shard.pool.lost();
        forget(shard, used);
    }
    else
    {
        shard.pool.returned(used, now(), *keep);
        tend(shard, used);
    }
    settle(shard);
}

/** Of a grant that nobody came for. */
void pooled_transport::take_back(shard_of_origin& shard, connection& unused) noexcept
{
    if (closed_ || unused.torn_by() != torn::no)
    {
        shard.pool.lost();
        forget(shard, unused);
    }
    else
    {
        shard.pool.ungranted(unused);
        tend(shard, unused);
    }
    settle(shard);
}

/** Looks after an idle connection: hears of its end, and closes it in time. */
void pooled_transport::tend(shard_of_origin& shard, connection& idle)
{
    watch(shard, idle);
    if (!shard.armed())
        arm(shard, idle.expires);
}

/** Closes a connection that the pool does not count any more. */
void pooled_transport::forget(shard_of_origin& shard, connection& gone) noexcept
{
    gone.tear(torn::closed);
    std::erase_if(shard.connections, [&gone](auto const& one) { return one.get() == &gone; });
}

/** Hears of it when the peer closes an idle connection, or sends what nobody asked for. The wait stays armed while the
    connection is in use; then what it says is overlooked. */
void pooled_transport::watch(shard_of_origin& shard, connection& idle)
{
    if (std::exchange(idle.watched, true))
        return;
    idle.socket().async_wait(
        tcp::socket::wait_read,
        [self = weak_from_this(), &shard, watched = idle.shared_from_this()](error_code failed) {
            watched->watched = false;
            auto const owner = self.lock();
            if (!owner || owner->closed_ || failed)
                return;
            bool const is_idle = shard.pool.is_idle(*watched);
            if (is_idle && watched->alive())
                owner->watch(shard, *watched);
            else if (is_idle)
            {
                shard.pool.lost_idle(*watched);
                owner->forget(shard, *watched);
                owner->settle(shard);
            }
        }
    );
}

/** Closes the idle connections that are past their time. */
void pooled_transport::sweep(shard_of_origin& shard) noexcept
{
    auto const time = now();
    while (auto* const old = shard.pool.take_expired(time))
        forget(shard, static_cast<connection&>(*old));
    if (auto const next = shard.pool.next_expiry(); next && !closed_)
        arm(shard, *next);
}

/** Begins a dial that the pool counts already, or takes it back. */
void pooled_transport::begin_dial(shard_of_origin& shard)
{
    try
    {
        dial(shard);
    }
    catch (std::exception const& failed)
    {
        if (auto* const oldest = shard.pool.dial_failed())
            static_cast<connection_wish*>(oldest)->fail(
                exchange::failed(errc::connect_failed, progress::not_sent, {}, failed.what())
            );
    }
}

void pooled_transport::dial(shard_of_origin& shard)
{
    auto job = std::make_shared<dial_job>(*this, shard, executor_, shard.where.tls() ? tls_.get() : nullptr);
    shard.dials.push_back(job);
    job->fire = [](timer_node& node) noexcept {
        auto& late = static_cast<dial_job&>(node);
        late.owner.fail_dial(late, exchange::failed(errc::connect_timeout, progress::not_sent));
    };
    arm(*job, now() + limits_.connect_timeout);
    asio::co_spawn(
        executor_, run_dial(shared_from_this(), job),
        [self = shared_from_this(), job](std::exception_ptr thrown) {
            if (thrown && !job->done)
                self->fail_dial(*job, exchange::failed(errc::connect_failed, progress::not_sent, {}, "out of memory"));
        }
    );
}

asio::awaitable<void> pooled_transport::run_dial(std::shared_ptr<pooled_transport> self, std::shared_ptr<dial_job> job)
{
    constexpr auto awaited = asio::as_tuple(asio::deferred);
    auto const where = job->shard.where;
    auto& made = *job->made;
    error_code failed;

    auto endpoints = known_endpoints(where);
    if (endpoints.empty())
    {
        auto const service = std::to_string(where.port());
        std::tuple<error_code, tcp::resolver::results_type> const found =
            co_await job->resolver.async_resolve(where.host(), service, awaited);
        if (job->done)
            co_return;
        failed = std::get<0>(found);
        if (failed)
        {
            auto why = exchange::failed(errc::name_resolution_failed, progress::not_sent, failed, where.host());
            why.permanent = failed != asio::error::host_not_found_try_again;
            self->fail_dial(*job, std::move(why));
            co_return;
        }
        for (auto const& entry : std::get<1>(found))
            endpoints.push_back(entry.endpoint());
    }

    std::tuple<error_code, tcp::endpoint> const reached =
        co_await asio::async_connect(made.socket(), endpoints, awaited);
    if (job->done)
        co_return;
    failed = std::get<0>(reached);
    if (failed)
    {
        self->fail_dial(*job, exchange::failed(errc::connect_failed, progress::not_sent, failed, where.to_string()));
        co_return;
    }
    made.socket().set_option(tcp::no_delay(true), failed);
    made.socket().set_option(asio::socket_base::keep_alive(true), failed);
    made.socket().non_blocking(true, failed); // for connection::alive()

    if (auto* const tls = made.tls())
    {
        failed = prepare(*tls, where.host());
        if (!failed)
        {
            std::tuple<error_code> const shaken = co_await tls->async_handshake(tls_stream::client, awaited);
            if (job->done)
                co_return;
            failed = std::get<0>(shaken);
        }
        auto const complaint = certificate_complaint(*tls);
        bool const other_protocol = !failed && speaks_other_protocol(*tls);
        if (failed || other_protocol)
        {
            bool const rejected = failed && !complaint.empty();
            auto why = exchange::failed(
                rejected ? errc::certificate_rejected : errc::tls_failed, progress::not_sent, failed, where.to_string()
            );
            if (rejected)
                why.detail += ": " + complaint;
            if (other_protocol)
                why.detail += ": the server chose another protocol than http/1.1";
            // What TLS itself objects to will not change; a broken connection may.
            why.permanent = rejected || other_protocol || failed.category() == asio::error::get_ssl_category();
            self->fail_dial(*job, std::move(why));
            co_return;
        }
    }
    self->finish_dial(*job);
}

void pooled_transport::finish_dial(dial_job& job)
{
    auto& shard = job.shard;
    auto const made = job.made;
    job.done = true;
    disarm(job);
    std::erase_if(shard.dials, [&job](auto const& one) { return one.get() == &job; });
    made->fire = [](timer_node& node) noexcept { static_cast<connection&>(node).tear(torn::timed_out); };
    made->expires = now() + limits_.idle_timeout;
    shard.connections.push_back(made);
    shard.pool.dialed(*made, now());
    settle(shard);
    if (shard.pool.is_idle(*made))
        tend(shard, *made);
}

void pooled_transport::fail_dial(dial_job& job, exchange why) noexcept
{
    if (job.done)
        return;
    auto& shard = job.shard;
    auto const kept =
        std::find_if(shard.dials.begin(), shard.dials.end(), [&job](auto const& one) { return one.get() == &job; });
    auto const held = kept == shard.dials.end() ? nullptr : *kept;
    disarm(job);
    job.abandon();
    if (held)
        shard.dials.erase(kept);
    if (auto* const oldest = shard.pool.dial_failed())
        static_cast<connection_wish*>(oldest)->fail(std::move(why));
    settle(shard);
}

void pooled_transport::arm(timer_node& node, steady_time due)
{
    timers_.arm(node, due);
    if (timers_.earliest() < timer_due_)
        run_timer();
}

/** Waits for the earliest node. One wait serves all; it is begun anew only for an earlier one. */
void pooled_transport::run_timer()
{
    timer_due_ = timers_.earliest();
    timer_.expires_at(timer_due_);
    timer_.async_wait([self = weak_from_this()](error_code failed) {
        auto const owner = self.lock();
        if (!owner || failed)
            return;
        owner->timer_due_ = steady_time::max();
        owner->timers_.fire_due(owner->now());
        if (!owner->timers_.empty() && owner->timers_.earliest() < owner->timer_due_)
            owner->run_timer();
    });
}

void pooled_transport::close() noexcept
{
    if (std::exchange(closed_, true))
        return;
    lot_.finish_all(detail::wake::closed);
    for (auto& shard : shards_)
    {
        disarm(*shard);
        while (auto* const idle = shard->pool.take_idle())
            forget(*shard, static_cast<connection&>(*idle));
        for (auto& active : shard->connections)
            active->tear(torn::closed);
        for (auto& job : shard->dials)
        {
            disarm(*job);
            job->abandon();
        }
        shard->dials.clear();
    }
    buffers_.clear();
    timer_.cancel();
    timer_due_ = steady_time::max();
}

pooled_transport::buffer pooled_transport::take_buffer()
{
    if (buffers_.empty())
        return buffer(new char[buffer_size]);
    auto reused = std::move(buffers_.back());
    buffers_.pop_back();
    return reused;
}

void pooled_transport::return_buffer(buffer used) noexcept
{
    if (used && buffers_.size() < limits_.max_connections_per_origin && !closed_)
        buffers_.push_back(std::move(used));
}

} // namespace ccloud::net
