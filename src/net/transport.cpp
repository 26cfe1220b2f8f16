#include "net/transport.hpp"

#include "core/ascii.hpp"
#include "core/keep_alive.hpp"
#include "core/request.hpp"
#include "net/gzip.hpp"

#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

namespace ccloud::net {

using boost::system::error_code;
using std::chrono::nanoseconds;

namespace {

/** Responses such as 100 and 103 that may come before the real one. */
constexpr int most_interims = 8;

/** How long a body may take after its head where it only explains (rule I5). */
constexpr std::chrono::seconds longest_explanation{1};

/** What is longer is written in the background, for it may be answered before it is read. */
constexpr std::size_t one_record = 16 * 1024;

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

/** Inflates the body where it is compressed, whether the server says so or not. Says so where it cannot; but a refusal
    counts by its status, so its body is dropped then. */
void inflate(exchange& ended, std::size_t most)
{
    auto const coding = ended.response.headers().find("Content-Encoding").value_or(std::string_view());
    bool const says_gzip = core::iequals(coding, "gzip") || core::iequals(coding, "x-gzip");
    bool const says_nothing = coding.empty() || core::iequals(coding, "identity");
    if (says_nothing && !looks_like_gzip(ended.response.body()))
        return;
    bool too_large = false;
    auto content = says_gzip || says_nothing ? gunzip(ended.response.body(), most, &too_large) : std::nullopt;
    if (content)
    {
        auto headers = ended.response.headers();
        headers.remove("Content-Encoding").remove("Content-Length");
        ended.response = http_response(ended.response.status(), std::move(headers), *std::move(content));
        return;
    }
    if (!too_large && (says_nothing || ended.response.body().empty()))
        return;
    int const status = ended.response.status();
    if (status < 200 || status >= 300)
    {
        ended.response = http_response(status, std::move(ended.response).headers(), {});
        return;
    }
    ended.code = too_large ? errc::response_too_large : errc::malformed_response;
    ended.detail = too_large   ? "see config::limits"
                   : says_gzip ? "Content-Encoding is gzip, but the body is not, or is damaged"
                               : "Content-Encoding is " + std::string(coding.substr(0, 64));
}

/** What becomes of a connection after a whole exchange. */
std::optional<nanoseconds> keep_for(
    lease& used, exchange const& ended, bool complete, bool keep_alive, nanoseconds idle_timeout
)
{
    core::finished_exchange finished;
    finished.status = ended.response.status();
    finished.keep_alive = keep_alive;
    finished.complete = complete;
    finished.request_written = !used->uploading().under_way && !used->uploading().failed;
    finished.leftover = used.unread().size();
    finished.keep_alive_field = ended.response.headers().find("Keep-Alive").value_or(std::string_view());
    used.otherwise = finished.leftover > 0                             ? close_reason::unsolicited
                     : !finished.complete || !finished.request_written ? close_reason::incomplete
                                                                       : close_reason::not_kept_alive;
    return core::reuse_for(finished, idle_timeout);
}

} // namespace

std::shared_ptr<transport> make_transport(
    asio::any_io_executor executor, config const& settings, std::shared_ptr<shared_network> network, name_lookup lookup
)
{
    return std::make_shared<pooled_transport>(std::move(executor), settings, std::move(network), std::move(lookup));
}

pooled_transport::pooled_transport(
    asio::any_io_executor executor, config const& settings, std::shared_ptr<shared_network> network, name_lookup lookup
)
    : executor_(std::move(executor)), limits_(settings.pool), sizes_(settings.limits), settings_(settings),
      lookup_(std::move(lookup)), network_(std::move(network)), generation_(network_->generation()), lot_(executor_),
      timer_(executor_), dice_(std::random_device()())
{
}

pooled_transport::~pooled_transport() = default;

// One try: a connection, one write, reads until the response is complete.
asio::awaitable<exchange> pooled_transport::send(http_request const& request, origin const& to, send_options options)
{
    auto const keep_alive = shared_from_this();
    auto const began = now();
    if (options.deadline <= began)
        co_return exchange::failed(errc::deadline_exceeded, progress::not_sent);
    follow_reload();

    auto& pool = pool_for(to);
    connection_wish wish(pool, options, began);
    connection* granted = nullptr;
    bool queued = false;
    while (!granted)
    {
        if (closed_)
            co_return exchange::failed(errc::client_closed, progress::not_sent);
        pool.settle();
        if (!wish.settled())
        {
            if (!std::exchange(queued, true))
                counts_.queued.add();
            std::optional<detail::armed_timer> timer;
            if (options.deadline != steady_time::max())
                timer.emplace(*this, wish, options.deadline);
            auto const how = co_await lot_.async_park(wish);
            if (how == detail::wake::expired)
            {
                counts_.wait_expired.add();
                co_return exchange::failed(errc::deadline_exceeded, progress::not_sent, {}, pool.situation());
            }
            if (how == detail::wake::closed)
                co_return exchange::failed(errc::client_closed, progress::not_sent);
        }
        if (wish.cancelled)
        {
            counts_.wait_cancelled.add();
            co_return exchange::failed(errc::cancelled, progress::not_sent, {}, "waiting for a connection");
        }
        if (wish.failure)
            co_return *std::move(wish.failure);
        granted = wish.take();
        error_code said;
        if (auto const dead = granted->look(said))
        {
            pool.core().enqueue_front(wish); // it keeps its place
            pool.found_dead(*std::exchange(granted, nullptr), *dead);
        }
    }

    lease used(*this, pool, *granted);
    exchange ended;
    auto const started = now();
    ended.reused = used->served();
    ended.use.connection = used->info;
    ended.use.request = ++used->requests;
    if (queued)
        ended.use.waited = started - began;
    if (ended.reused)
        ended.use.idle = started - used->idle_since;
    (ended.reused ? counts_.served_by_reused : counts_.served_by_new).add();
    counts_.queue_wait.add(ended.use.waited);
    if (ended.reused)
        counts_.idle_before_reuse.add(ended.use.idle);
    auto const due = options.ends(started);
    if (due != steady_time::max())
        arm(*used, due);

    core::serialize(request, used->outgoing);
    ended.progress = progress::maybe_sent;
    bool const uploads = used->outgoing.size() > one_record;
    if (uploads)
        used->start_upload();
    else
    {
        std::tuple<error_code, std::size_t> const written = co_await used->async_write(used->outgoing);
        ended.bytes_written = std::get<1>(written);
        counts_.bytes_sent.add(ended.bytes_written);
        if (std::get<0>(written))
        {
            used.otherwise = close_reason::failed;
            ended.cause = std::get<0>(written);
            ended.code = code_for(*used, options, now(), errc::write_failed, ended.cause);
            // Less than one TLS record, or nothing: the server cannot have seen a request.
            if (ended.code == errc::write_failed && ended.bytes_written == 0)
                ended.progress = progress::not_sent;
            co_return ended;
        }
    }

    auto* reader = &used->reader.emplace(sizes_);
    int interims = 0;
    bool hurried = false;
    while (!reader->is_done() && !reader->has_enough())
    {
        error_code failed;
        if (used.unread().size() > 0)
        {
            used.consume(reader->put(used.unread(), failed));
            if (reader->is_done() && reader->interim() && ++interims <= most_interims)
                reader = &used->reader.emplace(sizes_);
        }
        else
            failed = beast::http::error::need_more;
        if (!failed)
            continue;
        if (failed == beast::http::error::need_more && used.room().size() == 0)
            failed = beast::http::error::header_limit;
        if (failed != beast::http::error::need_more)
        {
            used.otherwise = close_reason::failed;
            explain(ended, failed);
            co_return ended;
        }
        if (reader->only_explains() && !std::exchange(hurried, true))
            arm(*used, (std::min)(due, now() + longest_explanation));
        std::tuple<error_code, std::size_t> const got = co_await used->async_read_some(used.room());
        failed = std::get<0>(got);
        used.filled(std::get<1>(got));
        if (ended.use.received == 0 && std::get<1>(got) > 0)
            counts_.first_byte.add(ended.use.first_byte = now() - started);
        ended.use.received += std::get<1>(got);
        ended.response_begun = ended.use.received > 0;
        if (uploads)
            ended.bytes_written = used->uploading().written;
        if (!failed)
            continue;
        // A body without a length ends with the connection (RFC 9112 section 6.3), over TLS with its goodbye.
        if (failed == asio::error::eof && reader->got_some() && !reader->is_done())
        {
            error_code incomplete;
            reader->put_eof(incomplete);
            if (!incomplete)
                break;
        }
        bool const left = used->torn_by() == torn::closed || failed == asio::error::operation_aborted;
        if (reader->only_explains() && (!left || used->torn_by() == torn::timed_out))
            break; // the head is there, and so much of the body will do
        bool const broke_first = uploads && used->uploading().failed;
        ended.cause = broke_first ? used->uploading().failed : failed;
        ended.code = code_for(*used, options, now(), broke_first ? errc::write_failed : errc::connection_lost, failed);
        if (ended.code != errc::cancelled)
            used.otherwise = close_reason::failed;
        if (auto const* peer = used->peer(); peer && !ended.response_begun && peer->rejects_our_certificate(failed))
        {
            ended.code = errc::client_certificate_rejected;
            ended.progress = progress::not_sent; // what was written, the server did not let in
            ended.permanent = true;
            ended.detail = to.to_string() + ": " + failed.message();
        }
        counts_.bytes_received.add(ended.use.received);
        co_return ended;
    }
    counts_.bytes_received.add(ended.use.received);
    if (uploads)
    {
        ended.bytes_written = used->uploading().written;
        counts_.bytes_sent.add(ended.bytes_written);
    }
    if (reader->interim())
    {
        used.otherwise = close_reason::failed;
        explain(ended, beast::http::error::unexpected_body);
        co_return ended;
    }

    bool const complete = reader->is_done();
    bool const keeps_alive = reader->keep_alive();
    ended.response = reader->take();
    ended.progress = progress::answered;
    used.finish(keep_for(used, ended, complete, keeps_alive, limits_.idle_timeout));
    inflate(ended, sizes_.response_body);
    co_return ended;
}

connection_pool& pooled_transport::pool_for(origin const& to)
{
    for (auto& pool : pools_)
        if (pool->where() == to)
            return *pool;
    return *pools_.emplace_back(std::make_unique<connection_pool>(*this, settings_, to, lookup_));
}

/** Takes connections out of use that were made with certificates of before a reload. */
void pooled_transport::follow_reload()
{
    if (std::exchange(generation_, network_->generation()) == network_->generation())
        return;
    for (auto const& pool : pools_)
        pool->retire_all();
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
    for (auto& pool : pools_)
        pool->close();
    buffers_.clear();
    timer_.cancel();
    timer_due_ = steady_time::max();
}

void pooled_transport::close_idle() noexcept
{
    for (auto& pool : pools_)
        pool->close_idle(close_reason::superseded);
}

void pooled_transport::network_changed() noexcept
{
    for (auto& pool : pools_)
        pool->network_changed();
}

void pooled_transport::warm_up(origin const& to, std::size_t connections) noexcept
{
    if (closed_)
        return;
    auto& pool = pool_for(to);
    pool.core().warm_up(connections);
    pool.settle();
}

void pooled_transport::poison(std::uint64_t connection) noexcept
{
    for (auto& pool : pools_)
        pool->poison(connection);
}

void pooled_transport::describe(connection_metrics& seen) const noexcept
{
    counts_.describe(seen);
    seen.tickets = network_->tickets();
}

pooled_transport::buffer pooled_transport::take_buffer()
{
    if (buffers_.empty())
        return buffer(new char[lease::buffer_size]);
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
