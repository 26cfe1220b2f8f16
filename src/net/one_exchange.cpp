#include "net/one_exchange.hpp"

#include "core/ascii.hpp"
#include "core/content_coding.hpp"
#include "core/keep_alive.hpp"
#include "core/redact.hpp"
#include "core/request.hpp"
#include "net/transport.hpp"

#include <algorithm>
#include <utility>

namespace ccloud::net {

using boost::system::error_code;
using std::chrono::nanoseconds;

namespace {

/** Responses such as 100 and 103 that may come before the real one. */
constexpr int most_interims = 8;

/** How long a body may take after its head if it only explains (rule I5), or does not matter. */
constexpr std::chrono::seconds longest_explanation{1};

/** Whether this side ended an exchange with this code. Then the error of the layer below is only a consequence. */
bool ended_here(errc code) noexcept
{
    return code == errc::attempt_timeout || code == errc::deadline_exceeded || code == errc::cancelled ||
           code == errc::client_closed;
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
    removes_ = request.verb() == method::del;
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
    ended_.detail = describe_write(bytes);
    if (auto const found = ended_.code == errc::write_failed ? used_->look() : std::nullopt)
        take_refusal(found->cause);
    // Less than one TLS record, or nothing: the server cannot have seen a request.
    if (ended_.code == errc::write_failed && bytes == 0)
        ended_.progress = progress::not_sent;
}

bool one_exchange::wants_more()
{
    while (!over_ && !reader_->complete() && !reader_->has_enough())
    {
        auto const unread = used_.unread();
        if (unread.size() == 0)
        {
            if ((needs_no_rest() || reader_->is_oversized()) && !std::exchange(hurried_, true))
                from_.arm(*used_, (std::min)(due_, from_.now() + longest_explanation));
            return true;
        }
        used_.consume(reader_->put({static_cast<char const*>(unread.data()), unread.size()}));
        if (reader_->broken() != response_reader::fault::none)
            refuse();
        else if (reader_->complete() && reader_->interim())
            skip_interim();
    }
    return false;
}

void one_exchange::skip_interim()
{
    doubtful_framing_ = doubtful_framing_ || reader_->has_doubtful_framing();
    reader_ = &used_->reader.emplace(sizes_, from_.spares());
    if (++interims_ <= most_interims)
        return;
    fail(errc::malformed_response, {});
    ended_.detail = "more than " + std::to_string(most_interims) + " interim responses";
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

void one_exchange::leave()
{
    if (read_)
        stop_decoding(errc::cancelled);
    else
        break_off(asio::error::operation_aborted);
}

/** The connection ended before the response did, or with it. */
void one_exchange::break_off(error_code const& failed)
{
    over_ = true;
    // A body without a length ends with the connection (RFC 9112 section 6.3), over TLS with its goodbye.
    if (failed == asio::error::eof && reader_->put_end())
        return;
    bool const left = used_->torn_by() == torn::closed || failed == asio::error::operation_aborted;
    bool const timed_out = used_->torn_by() == torn::timed_out;
    if ((reader_->only_explains() && !left) || (needs_no_rest() && timed_out))
        return; // the head is there, and so much of the body will do
    if (reader_->is_oversized() && (!left || timed_out))
    {
        reader_->refuse_rest();
        return refuse();
    }

    auto const& upload = used_->uploading();
    fail(
        code_for(upload.failed ? errc::write_failed : errc::connection_lost, failed),
        upload.failed ? upload.failed : failed
    );
    ended_.detail = describe_wait();
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

/** The response cannot be read to its end. */
void one_exchange::refuse()
{
    over_ = true;
    if (needs_no_rest())
        return; // its head counts
    bool const too_large = reader_->broken() == response_reader::fault::too_large;
    fail(too_large ? errc::response_too_large : errc::malformed_response, {});
    ended_.detail = reader_->complaint();
}

/** Whether the body of a response does not matter: that of a 2xx to a DELETE does not. */
bool one_exchange::needs_no_body(int status) const noexcept
{
    return removes_ && core::is_success(status);
}

/** Whether the head has come, and the exchange succeeds without the rest of the body. */
bool one_exchange::needs_no_rest() const noexcept
{
    return reader_->only_explains() || (reader_->is_framed() && needs_no_body(reader_->status()));
}

std::string one_exchange::describe_write(std::size_t written) const
{
    return "writing the request, " + std::to_string(written) + " of " + std::to_string(used_->outgoing.size()) +
           " bytes";
}

/** The step that the exchange waited for, as text for people. */
std::string one_exchange::describe_wait() const
{
    auto const& upload = used_->uploading();
    if (upload.failed || (upload.under_way && !ended_.response_begun))
        return describe_write(upload.written);
    if (interims_ > 0 && !reader_->begun())
        return "waiting for the response after " + std::to_string(interims_) +
               (interims_ == 1 ? " interim response" : " interim responses");
    return "waiting for " + reader_->describe_wait();
}

bool one_exchange::decodes()
{
    if (!std::exchange(read_, true))
    {
        end_reading();
        begin_decoding();
    }
    if (!inflater_)
        return false;
    auto const how = inflater_->inflate_slice();
    if (how != gzip_reader::state::unfinished)
        end_decoding(how);
    else if (from_.is_closed())
        stop_decoding(errc::client_closed);
    else if (from_.now() >= due_)
        stop_decoding(timeout());
    return inflater_ != nullptr;
}

/** Takes the response, or what came of it, and gives the connection back. */
void one_exchange::end_reading()
{
    auto& counts = from_.counts();
    if (uploads_)
        ended_.bytes_written = used_->uploading().written;
    counts.bytes_sent.add(ended_.bytes_written);
    counts.bytes_received.add(ended_.use.received);
    if (!reader_->has_head())
        return;
    used_.responded();
    ended_.progress = progress::answered;
    ended_.response = reader_->take();
    coded_ = reader_->seen().content_encoding;
    if (ended_.code != errc::unset)
        return;
    if (!reader_->complete() && needs_no_body(ended_.response.status()))
        drop_body(); // an incomplete body must not look complete
    else if (!reader_->complete() && ended_.response.body().empty())
        ended_.detail = describe_lack();
    used_.finish(keep_for());
}

/** Why a response that counts without its body has none. */
std::string one_exchange::describe_lack() const
{
    if (reader_->broken() != response_reader::fault::none)
        return "the body was not read: " + reader_->complaint();
    bool const timed_out = used_->torn_by() == torn::timed_out;
    return timed_out ? "the body did not come in time" : "the connection ended before the body came";
}

void one_exchange::drop_body()
{
    int const status = ended_.response.status();
    ended_.response = http_response(status, std::move(ended_.response).headers(), {});
}

/** Begins to inflate a body that is compressed, even if the server does not declare that. If a body cannot be decoded,
    an error response still counts by its status, and keeps its body as it came. */
void one_exchange::begin_decoding()
{
    auto const& response = ended_.response;
    if (ended_.code != errc::unset || response.body().empty())
        return;
    auto const coding = coded_ ? core::content_coding(response.headers()) : std::string();
    coded_ = !coding.empty();
    bool const is_gzip = core::iequals(coding, "gzip") || core::iequals(coding, "x-gzip");
    if (is_gzip || (!coded_ && looks_like_gzip(response.body())))
        inflater_ = std::make_unique<gzip_reader>(response.body(), sizes_.response_body);
    else if (coded_)
        refuse_body(
            errc::malformed_response,
            "Content-Encoding is " + core::printable(coding, 64) + ", which no request asked for"
        );
}

void one_exchange::end_decoding(gzip_reader::state how)
{
    auto const inflater = std::move(inflater_);
    switch (how)
    {
    case gzip_reader::state::finished:
    {
        int const status = ended_.response.status();
        from_.recycle(std::move(ended_.response).body());
        auto headers = std::move(ended_.response).headers();
        headers.remove("Content-Encoding").remove("Content-Length");
        ended_.response = http_response(status, std::move(headers), inflater->take_content());
        break;
    }
    case gzip_reader::state::too_large:
        refuse_body(
            errc::response_too_large, "more than config::limits.response_body (" +
                                          std::to_string(sizes_.response_body) + " bytes) after inflating"
        );
        break;
    default:
        if (coded_)
            refuse_body(errc::malformed_response, "Content-Encoding is gzip, but the body is not gzip, or is damaged");
    }
}

void one_exchange::stop_decoding(errc code)
{
    inflater_.reset();
    if (code != errc::cancelled && code != errc::client_closed)
        return refuse_body(code, "inflating the body");
    ended_.code = code;
    ended_.detail = "inflating the body";
}

/** The body cannot be decoded. That is an error if the caller needs the body: after 2xx, except of a DELETE. */
void one_exchange::refuse_body(errc code, std::string detail)
{
    int const status = ended_.response.status();
    if (!core::is_success(status) || needs_no_body(status))
        return;
    ended_.code = code;
    ended_.detail = std::move(detail);
}

errc one_exchange::timeout() const noexcept
{
    return from_.now() >= options_.deadline ? errc::deadline_exceeded : errc::attempt_timeout;
}

errc one_exchange::code_for(errc otherwise, error_code const& cause)
{
    switch (used_->torn_by())
    {
    case torn::timed_out: return timeout();
    case torn::closed: return errc::client_closed;
    case torn::no: break;
    }
    return cause == asio::error::operation_aborted ? errc::cancelled : otherwise;
}

void one_exchange::fail(errc code, error_code const& cause)
{
    over_ = true;
    ended_.code = code;
    if (!ended_here(code))
        ended_.cause = cause;
    if (code != errc::cancelled)
        used_.otherwise = close_reason::failed;
}

/** What becomes of the connection after a response. */
std::optional<nanoseconds> one_exchange::keep_for()
{
    core::finished_exchange finished;
    finished.status = ended_.response.status();
    finished.keep_alive = reader_->keep_alive();
    finished.complete = reader_->complete();
    finished.request_written = !used_->uploading().under_way && !used_->uploading().failed;
    finished.doubtful_framing = doubtful_framing_ || reader_->has_doubtful_framing();
    finished.leftover = used_.unread().size();
    if (reader_->seen().keep_alive)
        finished.keep_alive_field = ended_.response.headers().find("Keep-Alive").value_or("");
    used_.otherwise = finished.leftover > 0                             ? close_reason::unsolicited
                      : !finished.complete || !finished.request_written ? close_reason::incomplete
                                                                        : close_reason::not_kept_alive;
    return core::reuse_for(finished, from_.limits().idle_timeout);
}

} // namespace ccloud::net
