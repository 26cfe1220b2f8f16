/*  Bodies of error responses: the problems are those of the DOM of Boost.JSON, are bounded, and fit in a line of text;
    and written in the documented envelope and read again, they are the same.

    The first byte of an input chooses the status, the second one the Content-Type. The rest is the body, in which a
    byte 0xfe stands for a thousand letters. */

#include "core/failure.hpp"
#include "fuzz_input.hpp"
#include "json_values.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace core = ccloud::core;
namespace json = boost::json;
using ccloud::condition;
using ccloud::problem;
using fuzz::require;

namespace {

auto parts(problem const& told)
{
    return std::tie(
        told.id, told.status, told.code, told.error_code, told.title, told.detail, told.message, told.pointer,
        told.parameter, told.resolution
    );
}

bool same(std::vector<problem> const& a, std::vector<problem> const& b)
{
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](problem const& left, problem const& right) {
        return parts(left) == parts(right);
    });
}

/** The envelope that the API documents. */
std::string written(std::vector<problem> const& problems)
{
    auto const put = [](json::object& into, json::string_view name, std::string const& value) {
        if (!value.empty())
            into[name] = value;
    };
    json::array errors;
    for (auto const& told : problems)
    {
        json::object source, entry;
        put(source, "pointer", told.pointer);
        put(source, "parameter", told.parameter);
        entry["source"] = std::move(source);
        put(entry, "id", told.id);
        put(entry, "status", told.status);
        put(entry, "code", told.code);
        put(entry, "error_code", told.error_code);
        put(entry, "title", told.title);
        put(entry, "detail", told.detail);
        put(entry, "message", told.message);
        put(entry, "resolution", told.resolution);
        errors.push_back(std::move(entry));
    }
    json::object whole;
    whole["errors"] = std::move(errors);
    return json::serialize(whole);
}

/** A scalar as text; an empty text for anything else. */
std::string text_of(json::object const& object, char const* name)
{
    auto const* const value = object.if_contains(name);
    if (!value || value->is_null() || value->is_object() || value->is_array())
        return {};
    return value->is_string() ? fuzz::text_of(value->get_string()) : json::serialize(*value);
}

std::string first_text(json::object const& object, std::initializer_list<char const*> names)
{
    for (auto const* const name : names)
        if (auto text = text_of(object, name); !text.empty())
            return text;
    return {};
}

/** The text up to its limit, without cutting a character. */
std::string shortened(std::string const& text)
{
    if (text.size() <= core::longest_problem_text)
        return text;
    auto end = core::longest_problem_text;
    while ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
        --end;
    return text.substr(0, end) + "...";
}

/** Appends a text, unless its words are there already. */
void append_new(std::string& to, std::string const& more)
{
    if (core::contains_words(to, more))
        return;
    to += to.empty() ? more : "; " + more;
}

/** The text of an entry of `details`. */
std::string detail_of(json::value const& entry)
{
    if (auto const* const object = entry.if_object())
        return first_text(*object, {"detail", "message"});
    return entry.is_string() ? fuzz::text_of(entry.get_string()) : std::string();
}

std::vector<std::string> details_of(json::object const& object)
{
    std::vector<std::string> all;
    auto const* const details = object.if_contains("details");
    if (details && details->is_array())
        for (auto const& entry : details->get_array())
            all.push_back(detail_of(entry));
    else if (details)
        all.push_back(detail_of(*details));
    return all;
}

/** The texts of an object that may hold a problem, by the names of their members. */
struct raw_members
{
    std::map<std::string_view, std::string> texts;
    std::vector<std::string> details;

    /** Puts a text in place of the first of the members that is not there, else among the details. */
    void put(std::string const& text, std::initializer_list<std::string_view> names)
    {
        for (auto const name : names)
            if (texts[name].empty())
            {
                texts[name] = text;
                return;
            }
        details.push_back(text);
    }
};

raw_members members_of(json::object const& object)
{
    raw_members read;
    for (auto const* const name :
         {"id", "status", "code", "error_code", "title", "detail", "message", "resolution", "suggestion"})
        read.texts[name] = text_of(object, name);
    if (auto const* const source = object.if_contains("source"); source && source->is_object())
        for (auto const* const name : {"pointer", "parameter"})
            read.texts[name] = text_of(source->get_object(), name);
    read.details = details_of(object);
    read.put(text_of(object, "error_description"), {"detail", "message"});
    auto const* const error = object.if_contains("error");
    read.put(error && error->is_string() ? fuzz::text_of(error->get_string()) : std::string(), {"code", "title"});
    return read;
}

/** The members of the object "error", completed by what the document has beside it. */
raw_members inner_members(json::object const& inner, json::object const& document)
{
    auto read = members_of(inner);
    auto beside = members_of(document);
    if (auto const id = text_of(document, "requestId"); !id.empty())
        beside.texts["id"] = id;
    if (!read.texts["detail"].empty() || !read.texts["message"].empty())
        for (auto const* const name : {"detail", "message"})
            read.details.push_back(std::exchange(beside.texts[name], {}));
    for (auto const& [name, text] : beside.texts)
        if (read.texts[name].empty())
            read.texts[name] = text;
    read.details.insert(read.details.end(), beside.details.begin(), beside.details.end());
    return read;
}

problem problem_of(raw_members read)
{
    auto& texts = read.texts;
    problem told;
    told.id = texts["id"];
    told.status = texts["status"];
    told.code = texts["code"].empty() ? texts["error_code"] : texts["code"];
    told.error_code = texts["error_code"];
    told.title = texts["title"];
    told.detail = texts["detail"].empty() ? texts["message"] : texts["detail"];
    told.message = texts["message"];
    for (auto const& text : read.details)
        append_new(told.detail, text);
    told.resolution = texts["resolution"];
    append_new(told.resolution, texts["suggestion"]);
    told.pointer = texts["pointer"];
    told.parameter = texts["parameter"];
    return told;
}

bool complains(problem const& told)
{
    return !(told.id + told.status + told.code + told.title + told.detail + told.pointer + told.parameter +
             told.resolution)
                .empty();
}

/** Whether the text of each number in a value is known from the value. */
bool shows_its_numbers(json::value const& value)
{
    if (value.is_array())
        return std::all_of(value.get_array().begin(), value.get_array().end(), shows_its_numbers);
    if (value.is_object())
        return std::all_of(value.get_object().begin(), value.get_object().end(), [](auto const& member) {
            return shows_its_numbers(member.value());
        });
    return !value.is_double() && value != json::value(0); // which may have been "-0"
}

/** All problems of a document, in the envelopes that `read_problems` names. */
std::vector<problem> problems_of(json::value const& document)
{
    std::vector<problem> all;
    auto const* const object = document.if_object();
    if (!object)
        return all;
    auto const add = [&all](json::value const& from) {
        problem told;
        if (from.is_object())
            told = problem_of(members_of(from.get_object()));
        else if (from.is_string())
            told.detail = fuzz::text_of(from.get_string());
        if (complains(told))
            all.push_back(told);
    };
    if (auto const* const errors = object->if_contains("errors"); errors && errors->is_array())
        for (auto const& entry : errors->get_array())
            add(entry);
    else if (errors)
        add(*errors);
    if (!all.empty())
        return all;
    auto const* const error = object->if_contains("error");
    if (error && error->is_object())
    {
        auto told = problem_of(inner_members(error->get_object(), *object));
        if (complains(told))
            all.push_back(told);
        return all;
    }
    auto told = problem_of(members_of(*object));
    if (!(told.code + told.title + told.detail).empty())
        all.push_back(told);
    return all;
}

/** Compares the problems that were read with those in the DOM of a valid document. */
void compare(core::problem_list const& read, std::string_view body)
{
    auto const document = fuzz::parse(body);
    if (!document || !shows_its_numbers(*document))
        return;
    auto expected = problems_of(*document);
    auto const kept = std::min(expected.size(), core::most_problems);
    require(read.omitted == expected.size() - kept, "further problems are counted", body);
    expected.resize(kept);
    for (auto& told : expected)
        for (auto* const text :
             {&told.id, &told.status, &told.code, &told.error_code, &told.title, &told.detail, &told.message,
              &told.pointer, &told.parameter, &told.resolution})
            *text = shortened(*text);
    require(same(read.kept, expected), "the problems are those of the DOM", written(read.kept));
}

void check_line(std::string_view text)
{
    require(!text.empty() && text.size() <= 8 * 1024, "an error says something, and not too much", text);
    for (char const c : text)
        require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "an error can be shown in a line", text);
}

/** `is_failure`: the list `errors` has an object. */
void check_error(ccloud::error const& failure, int status, std::string_view body, bool is_failure)
{
    require(failure == ccloud::errc::http_status && failure.status() == status, "an error has the status", body);
    require(failure.progress() == ccloud::progress::answered, "an answer is an answer", body);
    require(failure.body() == body.substr(0, core::kept_body), "an error keeps the first 8 KiB", body);
    require(!failure.problems().empty() || !failure.detail().empty(), "without problems there is a detail", body);
    check_line(failure.what());

    require((failure == condition::not_found) == (status == 404), "404 is not_found", body);
    require((failure == condition::conflict) == (status == 409), "409 is conflict", body);
    require((failure == condition::forbidden) == (status == 403), "403 is forbidden", body);
    require((failure == condition::throttled) == (status == 429), "429 is throttled", body);
    require((failure == condition::server_failure) == (status >= 500), "5xx is server_failure", body);
    require((failure == condition::invalid_request) == (status == 400 || status == 422), "400 is invalid", body);
    bool const bad_key = failure == condition::unauthenticated;
    require(status == 403 || bad_key == (status == 401), "401 or 403", body);
    bool const is_gone = failure == condition::gone;
    bool const is_about_object = status == 403 && !bad_key && failure != condition::quota_exceeded;
    require(status != 404 || is_gone, "404 is gone", body);
    require(!is_about_object || !is_failure || is_gone, "a failure of the API is gone", body);
    require(!is_gone || status == 404 || (is_about_object && !failure.problems().empty()), "else 403 is not", body);
    require(status != 402 || failure == condition::quota_exceeded, "402 is a quota", body);
    require(failure != condition::network && failure != condition::cancelled, "an answer is no failed send", body);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    constexpr std::array statuses{400, 401, 402, 403, 404, 409, 422, 429, 500, 503, 301, 599};
    constexpr std::array<std::string_view, 5> types{
        "application/json", "", "text/html; charset=utf-8", "application/problem+json", "\x01\xff;"};
    fuzz::input input(data, size);
    int const status = statuses[input.byte() % statuses.size()];
    auto const type = types[input.byte() % types.size()];
    fuzz::exact_copy const body(fuzz::expanded(input.rest(), "a", 1000, 10'000));

    auto const problems = core::read_problems(body.view());
    require(problems.kept.size() <= core::most_problems, "problems are bounded", body.view());
    bool whole = true; // no text is cut
    for (auto const& told : problems.kept)
        std::apply(
            [&](auto const&... part) {
                auto const longest = std::max({part.size()...});
                require(longest <= core::longest_problem_text + 3, "texts of problems are bounded", body.view());
                whole = whole && longest <= core::longest_problem_text;
            },
            parts(told)
        );
    compare(problems, body.view());
    auto const text = written(problems.kept);
    auto const again = core::read_problems(text).kept;
    require(!whole || same(again, problems.kept), "problems are read again as they were", text);

    ccloud::http_headers headers;
    headers.add("Content-Type", type).add("X-Request-Id", "1-2-3");
    auto about = std::make_unique<ccloud::error::data>();
    core::read_answer(*about, ccloud::response_info(status, std::move(headers)), body.view());
    require(same(about->problems, problems.kept), "an error has the problems of the body", body.view());
    require(about->omitted_problems == problems.omitted, "an error counts the others", body.view());
    bool const is_failure = about->is_failure;
    check_error(ccloud::error(std::move(about)), status, body.view(), is_failure);
    return 0;
}
