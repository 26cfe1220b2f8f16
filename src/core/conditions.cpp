#include <ccloud/error.hpp>

#include "core/ascii.hpp"
#include "core/duration.hpp"
#include "core/failure.hpp"
#include "core/redact.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace ccloud {

namespace {

class category final : public std::error_category
{
public:
    char const* name() const noexcept override { return "ccloud"; }

    std::string message(int value) const override
    {
        switch (static_cast<errc>(value))
        {
        case errc::unset: return "no result yet";
        case errc::invalid_argument: return "invalid argument";
        case errc::busy: return "another call on this object is under way";
        case errc::client_closed: return "the client is closed";
        case errc::rate_limited: return "the server's limit is used up, and the call was not sent";
        case errc::queue_full: return "too many calls wait already";
        case errc::credentials_unavailable: return "the source of credentials gave none";
        case errc::name_resolution_failed: return "the host name could not be resolved";
        case errc::connect_failed: return "the connection could not be made";
        case errc::connect_timeout: return "the connection was not made in time";
        case errc::proxy_authentication_failed: return "the proxy does not accept the credentials";
        case errc::proxy_refused: return "the proxy does not connect";
        case errc::tls_failed: return "the TLS handshake failed";
        case errc::tls_version_unsupported: return "no common version of TLS";
        case errc::certificate_wrong_host: return "the server's certificate is for another host";
        case errc::certificate_expired: return "the server's certificate has expired, or is not valid yet";
        case errc::certificate_self_signed: return "the server's certificate is self-signed";
        case errc::certificate_unknown_authority: return "the server's certificate is of an unknown authority";
        case errc::certificate_rejected: return "the server's certificate was not accepted";
        case errc::client_certificate_rejected: return "the server does not accept our certificate, or wants one";
        case errc::write_failed: return "the connection broke while the request was written";
        case errc::connection_lost: return "the connection was lost before the whole response was there";
        case errc::attempt_timeout: return "no whole response in time";
        case errc::deadline_exceeded: return "the deadline of the call passed";
        case errc::cancelled: return "cancelled";
        case errc::http_status: return "the server answered with an error";
        case errc::redirect_refused: return "the server redirects to where the call may not go";
        case errc::malformed_response: return "the response could not be read";
        case errc::response_too_large: return "the response is larger than the limit";
        case errc::page_link_without_token: return "the link to the next page has no page_token that can be read";
        case errc::pagination_loop: return "the server named a page a second time";
        case errc::too_many_empty_pages: return "too many empty pages in a row";
        case errc::page_token_expired: return "the page token is not valid any more";
        }
        return "unknown error";
    }
};

/** Whether the body of an error response, or what was read from it, has these words. */
bool says(error::data const& about, std::string_view words) noexcept
{
    return core::icontains(about.body, words) ||
           std::any_of(about.problems.begin(), about.problems.end(), [words](problem const& told) {
               return core::icontains(told.detail, words) || core::icontains(told.message, words) ||
                      core::icontains(told.title, words) || core::icontains(told.resolution, words);
           });
}

/** Whether a challenge has the parameter `error` with one of the values for credentials that are not valid: of the API,
    or of RFC 6750 section 3.1. */
bool refuses_credentials(std::string_view challenge) noexcept
{
    for (auto equals = challenge.find('='); equals != std::string_view::npos; equals = challenge.find('=', equals + 1))
    {
        auto name = core::trim(challenge.substr(0, equals));
        name.remove_prefix(name.find_last_of(" \t,") + 1); // npos + 1 is 0
        auto value = core::trim(challenge.substr(equals + 1));
        value.remove_prefix(value.starts_with('"') ? 1 : 0);
        value = value.substr(0, value.find_first_of("\", \t"));
        if (core::iequals(name, "error") &&
            (core::iequals(value, "invalid_key") || core::iequals(value, "invalid_token")))
            return true;
    }
    return false;
}

/** Of a 403: complains of the key rather than of rights or of the object. */
bool names_bad_key(error::data const& about) noexcept
{
    if (says(about, "invalid api key") || says(about, "api key is invalid"))
        return true;
    for (auto const& told : about.problems)
        if (core::iequals(told.code, "invalid_key") || core::iequals(told.code, "invalid_api_key"))
            return true;
    bool refused = false;
    about.response.headers().for_each([&refused](std::string_view name, std::string_view value) {
        refused = refused || (core::iequals(name, "WWW-Authenticate") && refuses_credentials(value));
    });
    return refused;
}

/** The words by which the official command line tool knows a quota. Some services send them with another status than
    402. */
bool names_quota(error::data const& about) noexcept
{
    return says(about, "currently limited to");
}

bool says_not_found(problem const& told) noexcept
{
    auto const one_of = [](auto const& texts, std::string_view words) {
        return std::any_of(texts.begin(), texts.end(), [words](std::string const* text) {
            return core::icontains(*text, words);
        });
    };
    return one_of(std::array{&told.title, &told.detail, &told.message}, "not found") ||
           one_of(std::array{&told.status, &told.code, &told.error_code, &told.title}, "not_found");
}

/** Whether a 403 is the response for a deleted object. It is the API's own word only if it comes in the API's document, or
    names the reason: gateways and firewalls answer 403 with texts of their own, for instance {"message":"Forbidden"}. */
bool says_gone(error::data const& about) noexcept
{
    bool const is_complete = about.code == errc::http_status;
    return is_complete &&
           (about.is_failure || std::any_of(about.problems.begin(), about.problems.end(), says_not_found)) &&
           !names_bad_key(about) && !names_quota(about);
}

bool is_tls_failure(errc code) noexcept
{
    switch (code)
    {
    case errc::tls_failed:
    case errc::tls_version_unsupported:
    case errc::certificate_wrong_host:
    case errc::certificate_expired:
    case errc::certificate_self_signed:
    case errc::certificate_unknown_authority:
    case errc::certificate_rejected:
    case errc::client_certificate_rejected: return true;
    default: return false;
    }
}

bool is_network_failure(errc code) noexcept
{
    switch (code)
    {
    case errc::name_resolution_failed:
    case errc::connect_failed:
    case errc::connect_timeout:
    case errc::proxy_authentication_failed:
    case errc::proxy_refused:
    case errc::write_failed:
    case errc::connection_lost: return true;
    default: return is_tls_failure(code);
    }
}

bool holds(error::data const& about, condition what) noexcept
{
    int const status = about.response.status();
    bool const refused = about.progress == progress::answered; // the body may be incomplete
    auto const answered = [&](int code) { return refused && status == code; };
    switch (what)
    {
    case condition::not_found: return answered(404);
    case condition::gone: return answered(404) || answered(410) || (answered(403) && says_gone(about));
    case condition::conflict: return answered(409);
    case condition::unauthenticated: return answered(401) || (answered(403) && names_bad_key(about));
    case condition::forbidden: return answered(403);
    case condition::quota_exceeded: return answered(402) || (refused && status >= 400 && names_quota(about));
    case condition::throttled: return answered(429) || about.code == errc::rate_limited;
    case condition::invalid_request: return answered(400) || answered(422) || about.code == errc::invalid_argument;
    case condition::server_failure: return refused && status >= 500;
    case condition::timed_out:
        return about.code == errc::connect_timeout || about.code == errc::attempt_timeout ||
               about.code == errc::deadline_exceeded || about.gave_up == gave_up::deadline_would_pass;
    case condition::cancelled: return about.code == errc::cancelled || about.code == errc::client_closed;
    case condition::network: return is_network_failure(about.code);
    case condition::tls_failure: return is_tls_failure(about.code);
    case condition::malformed_response:
        return about.code == errc::malformed_response || about.code == errc::response_too_large ||
               about.code == errc::page_link_without_token || about.code == errc::pagination_loop ||
               about.code == errc::too_many_empty_pages;
    }
    return false;
}

std::string_view without_full_stop(std::string_view text) noexcept
{
    auto const end = text.find_last_not_of(". \t\r\n");
    return text.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

/** Most bytes of the server's words in a line. */
constexpr std::size_t most_words = 400;

/** What a line may show of a text, and a byte more, so that a longer text is seen to be cut. */
std::string_view beginning(std::string_view text) noexcept
{
    return text.substr(0, most_words + 1);
}

/** `core::contains_words` in any case of letters. */
bool icontains_words(std::string text, std::string words)
{
    for (auto* const one : {&text, &words})
        std::transform(one->begin(), one->end(), one->begin(), core::to_lower);
    return core::contains_words(text, words);
}

/** Two texts without what they have in common: the longer one if it contains the other, else both. */
std::string merged(std::string first, std::string second)
{
    if (icontains_words(first, second))
        return first;
    return icontains_words(second, first) ? second : first.append("; ").append(second);
}

/** The server's words, best first: detail and message, or title, or a code that is not the status, or the place that is
    wrong, or the name of the status; and the resolution. Says nothing twice. */
std::string words_of(std::vector<problem> const& problems, std::size_t omitted, int status)
{
    if (problems.empty())
        return {};
    auto const& first = problems.front();
    auto main = merged(
        std::string(beginning(without_full_stop(first.detail))),
        std::string(beginning(without_full_stop(first.message)))
    );
    for (auto const* const next : {&first.title, &first.code, &first.pointer, &first.parameter})
        if (main.empty())
            main = without_full_stop(*next);
    if (main.empty() || main == std::to_string(status))
        main = core::reason_of(status);
    auto text = core::printable(main, most_words);
    if (std::string const resolution(without_full_stop(first.resolution)); !icontains_words(main, resolution))
        text += text.empty() ? core::printable(resolution) : " (" + core::printable(resolution) + ')';
    if (text.empty())
        return text;
    if (auto const more = problems.size() - 1 + omitted; more > 0)
        text += " and " + std::to_string(more) + " more";
    return text;
}

error::data const& empty_data() noexcept
{
    static error::data const empty;
    return empty;
}

} // namespace

std::error_category const& error_category() noexcept
{
    static category const instance;
    return instance;
}

std::error_code make_error_code(errc code) noexcept
{
    return {static_cast<int>(code), error_category()};
}

std::string_view to_string(progress reached) noexcept
{
    switch (reached)
    {
    case progress::not_sent: return "not sent";
    case progress::maybe_sent: return "maybe sent";
    case progress::answered: return "answered";
    }
    return {};
}

std::string_view to_string(gave_up why) noexcept
{
    switch (why)
    {
    case gave_up::not_retryable: return "not retryable";
    case gave_up::attempts_exhausted: return "no tries left";
    case gave_up::deadline_would_pass: return "waiting longer would pass the deadline";
    case gave_up::retry_after_too_long: return "too long a wait";
    case gave_up::retry_budget_exhausted: return "the retry budget is used up";
    case gave_up::limit_exhausted: return "waiting for the limit was not wanted";
    }
    return {};
}

std::string_view to_string(retry_reason why) noexcept
{
    switch (why)
    {
    case retry_reason::none: return "none";
    case retry_reason::transient: return "transient failure";
    case retry_reason::throttled: return "throttled";
    case retry_reason::stale_connection: return "stale connection";
    case retry_reason::misdirected: return "misdirected";
    case retry_reason::too_early: return "too early";
    case retry_reason::redirected: return "redirected";
    case retry_reason::new_credentials: return "new credentials";
    case retry_reason::classifier: return "classifier";
    }
    return {};
}

std::string_view to_string(delay_source from) noexcept
{
    switch (from)
    {
    case delay_source::none: return "none";
    case delay_source::backoff: return "backoff";
    case delay_source::retry_after: return "Retry-After";
    case delay_source::rate_limit: return "rate limit";
    case delay_source::classifier: return "classifier";
    }
    return {};
}

error::error() noexcept = default;

error::error(errc code, std::string detail) : data_(std::make_unique<data>())
{
    data_->code = code;
    data_->detail = std::move(detail);
}

error::error(std::unique_ptr<data> details) noexcept : data_(std::move(details))
{
}
error::error(error const& other) : data_(other.data_ ? std::make_unique<data>(*other.data_) : nullptr)
{
}
error::error(error&& other) noexcept = default;
error::~error() = default;
error& error::operator=(error&& other) noexcept = default;

error& error::operator=(error const& other)
{
    if (this != &other)
        data_ = other.data_ ? std::make_unique<data>(*other.data_) : nullptr;
    return *this;
}

error::data& error::edit()
{
    if (!data_)
        data_ = std::make_unique<data>();
    return *data_;
}

namespace {

error::data const& view(std::unique_ptr<error::data> const& data) noexcept
{
    return data ? *data : empty_data();
}

} // namespace

errc error::code() const noexcept
{
    return view(data_).code;
}
progress error::progress() const noexcept
{
    return view(data_).progress;
}
gave_up error::gave_up() const noexcept
{
    return view(data_).gave_up;
}
std::optional<method> error::method() const noexcept
{
    return view(data_).method;
}
std::string const& error::path() const noexcept
{
    return view(data_).path;
}
response_info const& error::response() const noexcept
{
    return view(data_).response;
}
std::vector<problem> const& error::problems() const noexcept
{
    return view(data_).problems;
}
std::size_t error::omitted_problems() const noexcept
{
    return view(data_).omitted_problems;
}
std::string const& error::body() const noexcept
{
    return view(data_).body;
}
std::string const& error::detail() const noexcept
{
    return view(data_).detail;
}
std::error_code const& error::cause() const noexcept
{
    return view(data_).cause;
}
std::vector<attempt> const& error::attempts() const noexcept
{
    return view(data_).attempts;
}
std::chrono::nanoseconds error::elapsed() const noexcept
{
    return view(data_).elapsed;
}
std::optional<std::chrono::nanoseconds> error::retry_after() const noexcept
{
    return view(data_).retry_after;
}
bool error::is(condition what) const noexcept
{
    return holds(view(data_), what);
}

std::string error::what() const
{
    auto const& about = view(data_);
    std::string line;
    if (about.method)
        line.append(to_string(*about.method)).append(" ").append(core::printable(about.path, 300)).append(": ");
    int const status = about.response.status();
    if (about.code != errc::http_status)
        line += make_error_code(about.code).message();
    if (status != 0)
    {
        line += about.code == errc::http_status ? "HTTP " : " (HTTP ";
        line += std::to_string(status);
        if (about.code != errc::http_status)
            line += ')';
        else if (about.problems.empty() && !core::reason_of(status).empty())
            line.append(" ").append(core::reason_of(status));
    }
    if (auto const told = words_of(about.problems, about.omitted_problems, status); !told.empty())
        line.append(": ").append(told);
    if (!about.detail.empty())
        line.append(": ").append(core::printable(about.detail, 400));
    if (about.cause)
        line.append(": ").append(core::printable(about.cause.message()));
    std::string aside;
    auto const note = [&aside](std::string_view text) { aside.append(aside.empty() ? " (" : ", ").append(text); };
    if (auto const id = about.response.request_id(); !id.empty())
        note("request " + core::printable(id, 80));
    if (!about.attempts.empty())
    {
        auto const tries =
            std::max<std::size_t>(about.attempts.size(), static_cast<std::size_t>(about.response.attempts()));
        note("attempt " + std::to_string(tries) + " in " + core::readable(about.elapsed));
    }
    if (about.method && about.progress == progress::maybe_sent)
        note("maybe sent");
    if (about.retry_after && *about.retry_after > std::chrono::nanoseconds(0))
    {
        bool const own_word = about.code == errc::rate_limited && status == 0;
        note((own_word ? "opens in " : "server asked for ") + core::readable(*about.retry_after));
    }
    if (about.gave_up != gave_up::not_retryable)
        note(to_string(about.gave_up));
    return aside.empty() ? line : line + aside + ')';
}

api_exception::api_exception(ccloud::error failure)
    : std::system_error(make_error_code(failure.code())), error_(std::move(failure)), text_(error_.what())
{
}

} // namespace ccloud
