#include "net/one_exchange.hpp"

#include "core/ascii.hpp"
#include "core/keep_alive.hpp"
#include "core/request.hpp"
#include "net/gzip.hpp"
#include "net/transport.hpp"

#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <utility>

namespace ccloud::net {

using boost::system::error_code;
using std::chrono::nanoseconds;
namespace http = beast::http;

namespace {

/** Responses such as 100 and 103 that may come before the real one. */
constexpr int most_interims = 8;

/** How long a body may take after its head where it only explains (rule I5). */
constexpr std::chrono::seconds longest_explanation{1};

/** Inflates the body where it is compressed, whether the server says so or not. Says so where it cannot; but a refusal
    counts by its status, so its body is dropped then. `coded`: the head has a Content-Encoding. */
void inflate(exchange& ended, bool coded, std::size_t most)
{
    auto const coding = coded ? ended.response.headers().find("Content-Encoding").value_or("") : std::string_view();
    bool const says_gzip = core::iequals(coding, "gzip") || core::iequals(coding, "x-gzip");
    bool const says_nothing = coding.empty() || core::iequals(coding, "identity");
    if (says_nothing && !looks_like_gzip(ended.response.body()))
        return;
    bool too_large = false;
    auto content = says_gzip || says_nothing ? gunzip(ended.response.body(), most, &too_large) : std::nullopt;
    int const status = ended.response.status();
    if (content)
    {
        auto headers = std::move(ended.response).headers();
        headers.remove("Content-Encoding").remove("Content-Length");
        ended.response = http_response(status, std::move(headers), *std::move(content));
        return;
    }
    if (!too_large && (says_nothing || ended.response.body().empty()))
        return;
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

} // namespace

one_exchange::one_exchange(
    pooled_transport& from, connection_pool& pool, connection& granted, config::size_limits const& sizes,
    send_options const& options
)
    : from_(from), to_(pool.where()), used_(from, pool, granted), sizes_(sizes), options_(options)
{
}

void one_exchange::begin(http_request const& request, connection_wait const& wait)
{
    auto& counts = from_.counts();
    auto& use = ended_.use;
    started_ = wait.queued ? from_.now() : wait.began;
    ended_.reused = used_->served();
    ended_.progress = progress::maybe_sent;
    use.connection = used_->info;
    use.request = ++used_->requests;
    if (wait.queued)
        use.waited = started_ - wait.began;
    counts.queue_wait.add(use.waited);
    if (ended_.reused)
    {
        use.idle = started_ - used_->idle_since;
        counts.idle_before_reuse.add(use.idle);
    }
    (ended_.reused ? counts.served_by_reused : counts.served_by_new).add();

    due_ = options_.ends(started_);
    if (due_ != steady_time::max())
        from_.arm(*used_, due_);
    reader_ = &used_->reader.emplace(sizes_, from_.spares());
    core::serialize(request, used_->outgoing);
    uploads_ = used_->outgoing.size() > connection::one_record;
    if (uploads_)
        used_->start_upload();
}

void one_exchange::end_write(moved const& written)
{
    auto const& [failed, bytes] = written;
    ended_.bytes_written = bytes;
    if (!failed)
        return;
    fail(code_for(errc::write_failed, failed), failed);
    if (auto const found = ended_.code == errc::write_failed ? used_->look() : std::nullopt)
        take_refusal(found->cause);
    // Less than one TLS record, or nothing: the server cannot have seen a request.
    if (ended_.code == errc::write_failed && bytes == 0)
        ended_.progress = progress::not_sent;
}

bool one_exchange::wants_more()
{
    while (!over_ && !reader_->is_done() && !reader_->has_enough())
    {
        error_code failed = http::error::need_more;
        if (used_.unread().size() > 0)
        {
            failed = {};
            used_.consume(reader_->put(used_.unread(), failed));
            if (reader_->is_done() && reader_->interim() && ++interims_ <= most_interims)
                reader_ = &used_->reader.emplace(sizes_, from_.spares());
        }
        if (failed == http::error::need_more)
        {
            if (used_.room().size() > 0)
            {
                if (reader_->only_explains() && !std::exchange(hurried_, true))
                    from_.arm(*used_, (std::min)(due_, from_.now() + longest_explanation));
                return true;
            }
            failed = http::error::header_limit;
        }
        if (failed)
            refuse(failed);
    }
    return false;
}

void one_exchange::end_read(moved const& got)
{
    auto const& [failed, bytes] = got;
    auto& use = ended_.use;
    used_.filled(bytes);
    if (use.received == 0 && bytes > 0)
    {
        use.first_byte = from_.now() - started_;
        from_.counts().first_byte.add(use.first_byte);
    }
    if (bytes > 0)
        used_->note_data();
    use.received += bytes;
    ended_.response_begun = use.received > 0;
    if (failed)
        break_off(failed);
}

/** The connection ended before the response did, or with it. */
void one_exchange::break_off(error_code const& failed)
{
    over_ = true;
    // A body without a length ends with the connection (RFC 9112 section 6.3), over TLS with its goodbye.
    if (failed == asio::error::eof && reader_->got_some() && !reader_->is_done())
    {
        error_code incomplete;
        reader_->put_eof(incomplete);
        if (!incomplete)
            return;
    }
    bool const left = used_->torn_by() == torn::closed || failed == asio::error::operation_aborted;
    if (reader_->only_explains() && (!left || used_->torn_by() == torn::timed_out))
        return; // the head is there, and so much of the body will do

    auto const& upload = used_->uploading();
    fail(
        code_for(upload.failed ? errc::write_failed : errc::connection_lost, failed),
        upload.failed ? upload.failed : failed
    );
    if (used_->is_flooded())
    {
        ended_.cause.clear();
        ended_.detail = "the server sent " + connection::flood_text();
    }
    if (!ended_.response_begun)
        take_refusal(failed);
}

/** Over TLS 1.3 the server may refuse our certificate as late as this. */
void one_exchange::take_refusal(error_code const& failed)
{
    if (ended_.reused)
        return;
    if (auto refused = used_->refusal(failed, to_))
    {
        refused->use = std::move(ended_.use);
        refused->bytes_written = ended_.bytes_written;
        ended_ = *std::move(refused);
    }
}

/** The response cannot be read. */
void one_exchange::refuse(error_code const& failed)
{
    bool const too_large = failed == http::error::body_limit || failed == http::error::header_limit;
    fail(too_large ? errc::response_too_large : errc::malformed_response, failed);
    ended_.detail = too_large ? "see config::limits" : "no HTTP that can be read";
}

exchange one_exchange::finish()
{
    if (!over_ && reader_->interim())
        refuse(http::error::unexpected_body);
    if (reader_->is_header_done() && !reader_->interim())
        used_.responded();
    auto& counts = from_.counts();
    if (uploads_)
        ended_.bytes_written = used_->uploading().written;
    counts.bytes_sent.add(ended_.bytes_written);
    counts.bytes_received.add(ended_.use.received);
    if (ended_.code == errc::unset)
    {
        bool const complete = reader_->is_done();
        bool const keeps_alive = complete && reader_->keep_alive();
        bool const coded = reader_->seen().content_encoding;
        ended_.response = reader_->take();
        ended_.progress = progress::answered;
        used_.finish(keep_for(complete, keeps_alive));
        inflate(ended_, coded, sizes_.response_body);
    }
    return std::move(ended_);
}

errc one_exchange::code_for(errc otherwise, error_code const& cause)
{
    switch (used_->torn_by())
    {
    case torn::timed_out: return from_.now() >= options_.deadline ? errc::deadline_exceeded : errc::attempt_timeout;
    case torn::closed: return errc::client_closed;
    case torn::no: break;
    }
    return cause == asio::error::operation_aborted ? errc::cancelled : otherwise;
}

void one_exchange::fail(errc code, error_code const& cause)
{
    over_ = true;
    ended_.code = code;
    ended_.cause = cause;
    if (code != errc::cancelled)
        used_.otherwise = close_reason::failed;
}

/** What becomes of the connection after a response. */
std::optional<nanoseconds> one_exchange::keep_for(bool complete, bool keep_alive)
{
    core::finished_exchange finished;
    finished.status = ended_.response.status();
    finished.keep_alive = keep_alive;
    finished.complete = complete;
    finished.request_written = !used_->uploading().under_way && !used_->uploading().failed;
    finished.leftover = used_.unread().size();
    if (reader_->seen().keep_alive)
        finished.keep_alive_field = ended_.response.headers().find("Keep-Alive").value_or("");
    used_.otherwise = finished.leftover > 0                             ? close_reason::unsolicited
                      : !finished.complete || !finished.request_written ? close_reason::incomplete
                                                                        : close_reason::not_kept_alive;
    return core::reuse_for(finished, from_.limits().idle_timeout);
}

} // namespace ccloud::net
