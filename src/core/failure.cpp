#include "core/failure.hpp"

#include "core/ascii.hpp"
#include "core/content_coding.hpp"
#include "core/keep_alive.hpp"
#include "core/redact.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace ccloud::core {

namespace json = boost::json;

namespace {

/** A scalar as text; null, objects and arrays give nothing. */
std::string text_of(json::value const* value)
{
    if (!value)
        return {};
    if (auto const* text = value->if_string())
        return std::string(text->data(), text->size());
    if (value->is_int64() || value->is_uint64() || value->is_double() || value->is_bool())
        return json::serialize(*value);
    return {};
}

std::string member(json::object const& object, std::initializer_list<std::string_view> names)
{
    for (auto const name : names)
    {
        auto text = text_of(object.if_contains(json::string_view(name.data(), name.size())));
        if (!text.empty())
            return text;
    }
    return {};
}

json::object const* object_member(json::object const& object, json::string_view name)
{
    auto const* value = object.if_contains(name);
    return value ? value->if_object() : nullptr;
}

bool says_anything(problem const& told)
{
    return !told.id.empty() || !told.status.empty() || !told.code.empty() || !told.title.empty() ||
           !told.detail.empty();
}

/** One element of "errors", or the object of "error". */
problem read_problem(json::object const& object)
{
    problem told;
    told.id = member(object, {"id"});
    told.status = member(object, {"status"});
    told.code = member(object, {"code", "error_code"});
    told.title = member(object, {"title"});
    told.detail = member(object, {"detail", "message"});
    told.resolution = member(object, {"resolution", "suggestion"});
    if (auto const* source = object_member(object, "source"))
    {
        told.pointer = member(*source, {"pointer"});
        told.parameter = member(*source, {"parameter"});
    }
    if (auto const* details = object.if_contains("details"); details && details->is_array())
        for (auto const& entry : details->get_array())
            if (entry.is_object())
                if (auto const more = member(entry.get_object(), {"detail", "message"}); !more.empty())
                    told.detail += (told.detail.empty() ? "" : "; ") + more;
    return told;
}

std::vector<problem> read_object(json::object const& object)
{
    std::vector<problem> all;
    if (auto const* errors = object.if_contains("errors"); errors && errors->is_array())
    {
        for (auto const& entry : errors->get_array())
            if (entry.is_object())
                if (auto told = read_problem(entry.get_object()); says_anything(told))
                    all.push_back(std::move(told));
        if (!all.empty())
            return all;
    }
    if (auto const* inner = object_member(object, "error"))
    {
        auto told = read_problem(*inner);
        if (told.id.empty())
            told.id = member(object, {"requestId"});
        if (told.status.empty())
            told.status = member(object, {"status"});
        if (says_anything(told))
            all.push_back(std::move(told));
        return all;
    }
    problem told = read_problem(object);
    if (auto const* error = object.if_contains("error"); error && error->is_string())
    {
        told.code = text_of(error);
        told.detail = member(object, {"error_description", "detail", "message"});
    }
    if (!told.code.empty() || !told.detail.empty() || !told.title.empty())
        all.push_back(std::move(told));
    return all;
}

bool is_gzip(std::string_view body) noexcept
{
    return body.starts_with("\x1f\x8b");
}

} // namespace

std::vector<problem> read_problems(std::string_view body)
{
    auto const start = body.find_first_not_of(" \t\r\n");
    if (start == std::string_view::npos || body[start] != '{')
        return {};
    boost::system::error_code failed;
    auto const value = json::parse(json::string_view(body.data(), body.size()), failed);
    if (failed || !value.is_object())
        return {};
    return read_object(value.get_object());
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
    auto const type = headers.find("Content-Type").value_or(std::string_view());
    auto const media = trim(type.substr(0, type.find(';')));
    if (media.empty() || icontains(media, "json"))
        return "body is not the JSON of an error, " + size;
    return std::string("body is ").append(printable(media, 60)).append(", ").append(size);
}

void read_answer(error::data& into, response_info response, std::string_view body)
{
    into.code = errc::http_status;
    into.progress = progress::answered;
    into.problems = is_success(response.status()) ? std::vector<problem>() : read_problems(body);
    if (into.problems.empty())
        into.detail = describe_body(response.headers(), body);
    into.body = body.substr(0, kept_body);
    into.response = std::move(response);
}

std::string_view refuse_success(int status, http_headers const& request) noexcept
{
    switch (status)
    {
    case 205: return "205 Reset Content, which no request asks for";
    case 206: return request.contains("Range") ? "" : "206 Partial Content, and the request has no Range";
    case 226: return request.contains("A-IM") ? "" : "226 IM Used, and the request has no A-IM";
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
    std::string told = "the server created the object";
    if (auto const location = response.location(); !location.empty())
        told.append(", Location: ").append(shown_url(location));
    return told;
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
