#include "core/failure.hpp"

#include "core/ascii.hpp"
#include "core/codec.hpp"
#include "core/content_coding.hpp"
#include "core/keep_alive.hpp"
#include "core/redact.hpp"
#include "core/text_repair.hpp"

#include <boost/json/basic_parser_impl.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

namespace ccloud::core {

namespace json = boost::json;
using boost::system::error_code;

namespace {

/** Appends up to `longest_problem_text` bytes, and one more to show that the text was longer. */
void append_counted(std::string& text, std::string_view more)
{
    text += more.substr(0, longest_problem_text + 1 - text.size());
}

/** Cuts a text made by `append_counted` between two characters, and marks the cut. */
void cut(std::string& text)
{
    if (text.size() <= longest_problem_text)
        return;
    auto end = longest_problem_text;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
        --end;
    text.replace(end, std::string::npos, cut_mark);
}

/** Texts without repetitions. Takes no more once they are longer than a text of a problem may be. */
class distinct_texts
{
public:
    void add(std::string&& text)
    {
        if (text.empty() || size_ > longest_problem_text || !known_.insert(text).second)
            return;
        size_ += text.size();
        in_order_.push_back(std::move(text));
    }

    void clear() noexcept
    {
        size_ = 0;
        known_.clear();
        in_order_.clear();
    }

    std::vector<std::string> const& in_order() const noexcept { return in_order_; }

private:
    std::size_t size_ = 0;
    std::set<std::string> known_;
    std::vector<std::string> in_order_;
};

/** The known members of an object that may hold a problem, as they were sent. */
struct raw_problem
{
    std::string id, status, code, error_code, title, detail, message, resolution, suggestion;
    std::string error, description; // "error", if it is a text, and "error_description"
    std::string pointer, parameter; // of "source"
    std::string request_id;         // of the document
    distinct_texts details;

    void clear() noexcept
    {
        for (auto* const text :
             {&id, &status, &code, &error_code, &title, &detail, &message, &resolution, &suggestion, &error,
              &description, &pointer, &parameter, &request_id})
            text->clear();
        details.clear();
    }

    /** Whether it has any member; `request_id` is none. */
    bool says_anything() const noexcept
    {
        return !(
            id.empty() && status.empty() && code.empty() && error_code.empty() && title.empty() && detail.empty() &&
            message.empty() && resolution.empty() && suggestion.empty() && error.empty() && description.empty() &&
            pointer.empty() && parameter.empty() && details.in_order().empty()
        );
    }
};

/** Takes the first of the texts that is not empty. */
std::string first_of(std::initializer_list<std::string*> texts)
{
    for (auto* const text : texts)
        if (!text->empty())
            return std::move(*text);
    return {};
}

/** Appends a text to others, unless they contain it. */
void append_new(std::string& text, std::string_view more)
{
    if (contains_words(text, more))
        return;
    if (!text.empty())
        append_counted(text, "; ");
    append_counted(text, more);
}

/** Puts a text into the first of the places that is empty; or among the details, if there is none. */
void put(std::string text, std::initializer_list<std::string*> places, distinct_texts& details)
{
    if (text.empty())
        return;
    for (auto* const place : places)
        if (place->empty())
        {
            *place = std::move(text);
            return;
        }
    details.add(std::move(text));
}

/** Moves the members of RFC 6749 section 5.2 to those that mean the same, or among the details. */
void place_oauth_members(raw_problem& raw)
{
    put(std::exchange(raw.description, {}), {&raw.detail, &raw.message}, raw.details);
    put(std::exchange(raw.error, {}), {&raw.code, &raw.title}, raw.details);
}

/** Adds to the object "error" what the document has beside it. */
void complete(raw_problem& inner, raw_problem& document)
{
    place_oauth_members(inner);
    place_oauth_members(document);
    inner.id = first_of({&inner.id, &document.request_id});
    for (auto const member :
         {&raw_problem::id, &raw_problem::status, &raw_problem::code, &raw_problem::error_code, &raw_problem::title,
          &raw_problem::resolution, &raw_problem::suggestion, &raw_problem::pointer, &raw_problem::parameter})
        inner.*member = first_of({&(inner.*member), &(document.*member)});
    bool const has_words = !inner.detail.empty() || !inner.message.empty();
    for (auto const member : {&raw_problem::detail, &raw_problem::message})
        if (has_words)
            inner.details.add(std::move(document.*member));
        else
            inner.*member = std::move(document.*member);
    for (auto const& one : document.details.in_order())
        inner.details.add(std::string(one));
}

problem made_of(raw_problem& raw)
{
    place_oauth_members(raw);
    problem told;
    told.id = std::move(raw.id);
    told.status = std::move(raw.status);
    told.code = raw.code.empty() ? raw.error_code : std::move(raw.code);
    told.error_code = std::move(raw.error_code);
    told.title = std::move(raw.title);
    told.detail = raw.detail.empty() ? raw.message : std::move(raw.detail);
    told.message = std::move(raw.message);
    for (auto const& one : raw.details.in_order())
        if (told.detail.size() <= longest_problem_text)
            append_new(told.detail, one);
    told.resolution = std::move(raw.resolution);
    append_new(told.resolution, raw.suggestion);
    told.pointer = std::move(raw.pointer);
    told.parameter = std::move(raw.parameter);
    for (auto* const text : texts_of(told))
        cut(*text);
    return told;
}

/** Reads the problems from the events of a parser. Builds no document, so its memory is bounded. */
class problem_reader
{
public:
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

    bool on_document_begin(error_code&) noexcept { return true; }
    bool on_document_end(error_code&) noexcept { return true; }

    bool on_object_begin(error_code&)
    {
        auto const inside = skipping_ > 0 ? place::nowhere : object_inside();
        if (inside == place::nowhere)
            ++skipping_;
        else
            enter(inside);
        return true;
    }

    bool on_object_end(std::size_t, error_code&)
    {
        leave();
        return true;
    }

    bool on_array_begin(error_code&)
    {
        auto const inside = skipping_ > 0 ? place::nowhere : array_inside();
        if (inside == place::nowhere)
            ++skipping_;
        else
            enter(inside);
        return true;
    }

    bool on_array_end(std::size_t, error_code&)
    {
        leave();
        return true;
    }

    bool on_key_part(json::string_view part, std::size_t, error_code&)
    {
        append_key(part);
        return true;
    }

    bool on_key(json::string_view part, std::size_t, error_code&)
    {
        if (skipping_ > 0)
            return true;
        append_key(part);
        begin_member();
        return true;
    }

    bool on_string_part(json::string_view part, std::size_t, error_code&)
    {
        append_text({part.data(), part.size()});
        in_text_ = true;
        return true;
    }

    bool on_string(json::string_view part, std::size_t, error_code&)
    {
        append_text({part.data(), part.size()});
        end_text();
        return true;
    }

    bool on_number_part(json::string_view, error_code&) noexcept { return true; }
    bool on_int64(std::int64_t, json::string_view text, error_code&) { return take_scalar(text); }
    bool on_uint64(std::uint64_t, json::string_view text, error_code&) { return take_scalar(text); }
    bool on_double(double, json::string_view text, error_code&) { return take_scalar(text); }
    bool on_bool(bool value, error_code&) { return take_scalar(value ? "true" : "false"); }
    bool on_null(error_code&) noexcept { return true; }
    bool on_comment_part(json::string_view, error_code&) noexcept { return true; }
    bool on_comment(json::string_view, error_code&) noexcept { return true; }

    /** The problems that were read. If the document breaks off, incomplete objects and texts count, too. */
    problem_list take()
    {
        if (in_text_)
        {
            append_text(cut_mark);
            end_text();
        }
        skipping_ = 0;
        while (depth_ > 0)
            leave();
        if (!listed_.kept.empty())
            return std::move(listed_);
        problem_list all;
        if (has_inner_)
        {
            complete(inner_, document_);
            if (inner_.says_anything())
                all.kept.push_back(made_of(inner_));
            return all;
        }
        if (auto told = made_of(document_); !told.code.empty() || !told.detail.empty() || !told.title.empty())
            all.kept.push_back(std::move(told));
        return all;
    }

private:
    /** The kind of object or list that the reader is in. */
    enum class place : unsigned char {
        nowhere,  ///< outside of the document, or in a skipped value
        document, ///< the object that is the body
        errors,   ///< the list "errors"
        listed,   ///< an object in "errors", or in its place
        inner,    ///< the object "error"
        source,   ///< "source" of any of the three objects
        details,  ///< the list "details" of any of the three objects
        entry,    ///< an object in "details", or in its place
    };

    place here() const noexcept { return depth_ == 0 ? place::nowhere : places_[depth_ - 1]; }

    static bool complains(place at) noexcept
    {
        return at == place::document || at == place::listed || at == place::inner;
    }

    /** The problem that is being read. */
    raw_problem& current_problem() noexcept
    {
        for (std::size_t i = depth_; i-- > 0;)
            if (places_[i] == place::listed)
                return element_;
            else if (places_[i] == place::inner)
                return inner_;
        return document_;
    }

    place object_inside() const noexcept
    {
        switch (here())
        {
        case place::nowhere: return place::document;
        case place::errors: return place::listed;
        case place::details: return place::entry;
        case place::document:
            if (key_ == "error")
                return place::inner;
            if (key_ == "errors")
                return place::listed;
            [[fallthrough]];
        case place::listed:
        case place::inner:
            if (key_ == "details")
                return place::entry;
            return key_ == "source" ? place::source : place::nowhere;
        default: return place::nowhere;
        }
    }

    place array_inside() const noexcept
    {
        if (here() == place::document && key_ == "errors")
            return place::errors;
        return complains(here()) && key_ == "details" ? place::details : place::nowhere;
    }

    void enter(place inside)
    {
        places_[depth_++] = inside;
        key_.clear();
        if (inside == place::listed)
            element_.clear();
        else if (inside == place::entry)
            entry_.clear();
        else if (inside == place::inner)
            has_inner_ = true;
    }

    void leave()
    {
        if (skipping_ > 0)
        {
            --skipping_;
            return;
        }
        auto const left = places_[--depth_];
        if (left == place::listed)
            keep_element(here() == place::errors);
        else if (left == place::entry)
            current_problem().details.add(first_of({&entry_.detail, &entry_.message}));
        text_ = nullptr;
    }

    /** `is_failure`: it is an object in a list. */
    void keep_element(bool is_failure)
    {
        if (!element_.says_anything())
            return;
        listed_.is_failure = listed_.is_failure || is_failure;
        if (listed_.kept.size() < most_problems)
            listed_.kept.push_back(made_of(element_));
        else
            ++listed_.omitted;
    }

    void append_key(json::string_view part)
    {
        constexpr std::size_t longest_known = 32; // longer ones are unknown whatever follows
        if (skipping_ > 0)
            return;
        if (key_done_)
            key_.clear();
        key_done_ = false;
        key_.append(part.data(), std::min(part.size(), longest_known - std::min(key_.size(), longest_known)));
    }

    /** A member begins. If a name comes twice, the last member counts. */
    void begin_member()
    {
        key_done_ = true;
        text_ = nullptr;
        if (auto* const text = text_of_member())
        {
            text->clear();
            text_ = text;
        }
        if (here() == place::document && key_ == "errors")
        {
            listed_ = {};
            begin_text_problem();
        }
        if (here() == place::document && key_ == "error")
        {
            inner_.clear();
            has_inner_ = false;
        }
        if (complains(here()) && key_ == "details")
        {
            current_problem().details.clear();
            begin_text_detail();
        }
        if (complains(here()) && key_ == "source")
        {
            current_problem().pointer.clear();
            current_problem().parameter.clear();
        }
    }

    std::string* text_of_member() noexcept
    {
        struct known
        {
            std::string_view name;
            std::string raw_problem::*text;
        };
        static constexpr std::array<known, 11> of_problem{{
            {"id", &raw_problem::id},
            {"status", &raw_problem::status},
            {"code", &raw_problem::code},
            {"error_code", &raw_problem::error_code},
            {"title", &raw_problem::title},
            {"detail", &raw_problem::detail},
            {"message", &raw_problem::message},
            {"resolution", &raw_problem::resolution},
            {"suggestion", &raw_problem::suggestion},
            {"error", &raw_problem::error},
            {"error_description", &raw_problem::description},
        }};
        static constexpr std::array<known, 2> of_source{{
            {"pointer", &raw_problem::pointer},
            {"parameter", &raw_problem::parameter},
        }};
        static constexpr std::array<known, 2> of_entry{{
            {"detail", &raw_problem::detail},
            {"message", &raw_problem::message},
        }};
        auto const find = [this](auto const& all, raw_problem& raw) -> std::string* {
            auto const at = std::find_if(all.begin(), all.end(), [this](known const& one) { return one.name == key_; });
            return at == all.end() ? nullptr : &(raw.*at->text);
        };
        switch (here())
        {
        case place::document:
            if (key_ == "requestId")
                return &document_.request_id;
            [[fallthrough]];
        case place::listed:
        case place::inner: return find(of_problem, current_problem());
        case place::source: return find(of_source, current_problem());
        case place::entry: return find(of_entry, entry_);
        default: return nullptr;
        }
    }

    /** The next text may be a problem: that of "errors", or one in its list. */
    void begin_text_problem()
    {
        element_.clear();
        text_ = &element_.detail;
    }

    /** The next text may be one of "details". */
    void begin_text_detail()
    {
        entry_.clear();
        text_ = &entry_.detail;
    }

    /** Whether a text that goes to `text_` is one of "details" by itself. */
    bool is_text_detail() const noexcept { return text_ == &entry_.detail && here() != place::entry; }

    /** Whether a text that goes to `text_` is a problem by itself. */
    bool is_text_problem() const noexcept { return text_ == &element_.detail && here() != place::listed; }

    void append_text(std::string_view part)
    {
        if (skipping_ > 0)
            return;
        if (!in_text_ && here() == place::errors)
            begin_text_problem();
        if (!in_text_ && here() == place::details)
            begin_text_detail();
        if (text_)
            append_counted(*text_, part);
    }

    void end_text()
    {
        in_text_ = false;
        if (skipping_ == 0 && is_text_problem())
            keep_element(false);
        if (skipping_ == 0 && is_text_detail())
            current_problem().details.add(std::move(entry_.detail));
        text_ = nullptr;
    }

    /** A number or a boolean counts as the text that it was sent as, except as "error", "errors" or "details". */
    bool take_scalar(std::string_view value)
    {
        bool const counts = text_ && text_ != &current_problem().error && !is_text_problem() && !is_text_detail();
        if (skipping_ == 0 && counts)
            append_counted(*text_, value);
        text_ = nullptr;
        return true;
    }

    static constexpr std::size_t most_places = 5; // document, errors, listed, details, entry

    std::array<place, most_places> places_{};
    std::size_t depth_ = 0;
    std::size_t skipping_ = 0;
    std::string key_;
    bool key_done_ = false;
    std::string* text_ = nullptr; ///< where the value of the current member goes
    bool in_text_ = false;        ///< the rest of a text is to come

    raw_problem document_;
    raw_problem inner_;
    raw_problem element_;
    raw_problem entry_;
    bool has_inner_ = false;
    problem_list listed_;
};

bool is_gzip(std::string_view body) noexcept
{
    return body.starts_with("\x1f\x8b");
}

struct parsed_problems
{
    std::optional<problem_list> told; ///< nothing if the body is not JSON, or has ill-formed text
    bool is_cut = false;              ///< the body breaks off, or its last character is ill-formed
};

/** The problems of a body, which may go on if it is not `whole`. */
parsed_problems parse_problems(std::string_view body, bool whole)
{
    body.remove_prefix(byte_order_mark_size(body));
    json::basic_parser<problem_reader> parser({});
    error_code failed;
    auto const consumed = parser.write_some(!whole, body.data(), body.size(), failed);
    // A document that breaks off, or that is nested too deeply, counts as far as it was read. Text that is not JSON has no
    // problems.
    bool const is_cut = failed == json::error::incomplete || failed == json::error::too_deep;
    if (!is_cut && (failed || consumed < body.size()))
        return {};
    return {parser.handler().take(), is_cut};
}

} // namespace

problem_list read_problems(std::string_view body)
{
    bool const whole = body.size() <= most_searched;
    body = body.substr(0, most_searched);
    auto parsed = parse_problems(body, whole);
    if (!parsed.told || parsed.is_cut)
    {
        text_repair repair(body);
        while (repair.copy_some(body.size()))
            ;
        if (repair.changed())
            parsed = parse_problems(repair.copy(), whole);
    }
    return std::move(parsed.told).value_or(problem_list());
}

namespace {

/** The media type of a body, without parameters, if it is not JSON. */
std::string_view other_media(http_headers const& headers) noexcept
{
    auto const type = headers.find("Content-Type").value_or(std::string_view());
    auto const media = trim(type.substr(0, type.find(';')));
    return icontains(media, "json") ? std::string_view() : media;
}

} // namespace

std::string other_type(http_headers const& headers)
{
    auto const media = other_media(headers);
    return media.empty() ? std::string() : "Content-Type is " + printable(media, 60);
}

std::string describe_body(http_headers const& headers, std::string_view body)
{
    if (body.empty())
        return "empty body";
    auto const size = std::to_string(body.size()) + " bytes";
    if (auto const coding = content_coding(headers); !coding.empty() && !iequals(coding, "gzip"))
        return "body with Content-Encoding " + printable(coding, 60) + ", " + size;
    if (is_gzip(body))
        return "gzip-compressed body, " + size;
    auto const media = other_media(headers);
    if (media.empty())
        return "body is not the JSON of an error, " + size;
    return std::string("body is ").append(printable(media, 60)).append(", ").append(size);
}

void read_answer(error::data& into, response_info response, std::string_view body, std::string_view lacking)
{
    into.code = errc::http_status;
    into.progress = progress::answered;
    if (!is_success(response.status()))
    {
        auto told = read_problems(body);
        into.problems = std::move(told.kept);
        into.omitted_problems = told.omitted;
        into.is_failure = told.is_failure;
    }
    if (into.problems.empty())
        into.detail = joined(body.empty() && !lacking.empty() ? "" : describe_body(response.headers(), body), lacking);
    into.body = body.substr(0, kept_body);
    into.response = std::move(response);
}

std::array<std::string*, 10> texts_of(problem& told) noexcept
{
    static_assert(sizeof(problem) == 10 * sizeof(std::string), "a new text has to be listed");
    return {&told.id,     &told.status,  &told.code,    &told.error_code, &told.title,
            &told.detail, &told.message, &told.pointer, &told.parameter,  &told.resolution};
}

void clean(error::data& about, redactor const& secrets)
{
    bool const may_lack_its_end =
        about.body.size() >= kept_body || about.code != errc::http_status || may_be_repeated(about.response.status());
    secrets.redact(about.path);
    secrets.redact(about.body, may_lack_its_end ? text_end::truncated : text_end::complete);
    secrets.redact(about.detail);
    about.detail = printable_whole(std::move(about.detail));
    for (auto& told : about.problems)
        for (auto* const text : texts_of(told))
            secrets.redact(*text);
}

response_info cleaned(response_info response, redactor const& secrets)
{
    if (secrets.empty())
        return response;
    return response_info(response.status(), secrets.redacted(response.headers()), response.attempts());
}

bool contains_words(std::string_view text, std::string_view words) noexcept
{
    auto const is_space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
    // Whether nothing but a few punctuation marks stands between here and white space or the end.
    auto const word_ends = [&](auto from, auto const end) {
        for (int marks = 0; from != end && !is_space(*from); ++from, ++marks)
            if (marks == 4 || is_word_character(*from))
                return false;
        return true;
    };
    if (words.empty())
        return true;
    for (auto at = text.find(words); at != std::string_view::npos; at = text.find(words, at + 1))
        if (word_ends(std::make_reverse_iterator(text.begin() + at), text.rend()) &&
            word_ends(text.begin() + at + words.size(), text.end()))
            return true;
    return false;
}

std::string_view refuse_success(int status, http_headers const& request) noexcept
{
    switch (status)
    {
    case 205: return "205 Reset Content, which no request asks for";
    case 206: return request.contains("Range") ? "" : "206 Partial Content, but the request has no Range";
    case 226: return request.contains("A-IM") ? "" : "226 IM Used, but the request has no A-IM";
    default: return {};
    }
}

std::string outcome_of(method verb, response_info const& response)
{
    if (!is_success(response.status()) || verb == method::get)
        return {};
    if (response.status() == 202)
        return "the server accepted the request";
    if (response.status() != 201)
        return "the server carried out the request";
    std::string text = "the server created the object";
    if (auto const location = response.location(); !location.empty())
        text.append(", Location: ").append(shown_url(location));
    return text;
}

std::string joined(std::string first, std::string_view second)
{
    if (!first.empty() && !second.empty())
        first += "; ";
    return std::move(first.append(second));
}

std::string_view reason_of(int status) noexcept
{
    switch (status)
    {
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 425: return "Too Early";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return {};
    }
}

} // namespace ccloud::core
