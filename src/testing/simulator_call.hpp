#ifndef CCLOUD_TESTING_SIMULATOR_CALL_HPP
#define CCLOUD_TESTING_SIMULATOR_CALL_HPP

#include "testing/simulator_api.hpp"
#include "testing/simulator_store.hpp"
#include "testing/simulator_text.hpp"

#include <boost/json.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ccloud::testing::simulated {

namespace json = boost::json;

inline constexpr std::string_view json_media_type = "application/json; charset=utf-8";
inline constexpr std::string_view organization = "1111aaaa-11aa-11aa-11aa-111111aaaaaa";

/** A request taken apart. */
struct call
{
    std::string_view method;
    std::string_view content_type;
    std::string_view body;
    std::string owner; ///< the identity provider in the path, where there is one
    std::string id;    ///< the object in the path; empty: the collection
    query_parameters query;
    std::string request_id;
    instant now;
};

/** One entry of an error envelope; empty members are left out. */
struct problem
{
    std::string detail = {};
    std::string pointer = {};   ///< into the body
    std::string parameter = {}; ///< of the query
    std::string code = {};
    std::string title = {};
};

/** Thrown where a request is refused: carries the answer. */
struct refusal
{
    api_response response;
};

inline api_response json_response(int status, std::string body)
{
    return {status, std::move(body), {{"Content-Type", std::string(json_media_type)}}};
}

/** {"errors":[…]}, what most of the API answers with. */
inline api_response errors_response(call const& request, int status, std::vector<problem> const& problems)
{
    json::array errors;
    for (problem const& each : problems)
    {
        json::object error{{"id", request.request_id}, {"status", std::to_string(status)}};
        if (!each.code.empty())
            error["code"] = each.code;
        if (!each.title.empty())
            error["title"] = each.title;
        error["detail"] = each.detail;
        json::object& source = error["source"].emplace_object();
        if (!each.pointer.empty())
            source["pointer"] = each.pointer;
        if (!each.parameter.empty())
            source["parameter"] = each.parameter;
        errors.push_back(std::move(error));
    }
    return json_response(status, json::serialize(json::object{{"errors", std::move(errors)}}));
}

inline refusal refuse(call const& request, int status, problem why)
{
    return {errors_response(request, status, {std::move(why)})};
}

inline refusal refuse_body(call const& request, std::string detail, std::string pointer)
{
    return refuse(request, 400, {.detail = std::move(detail), .pointer = std::move(pointer)});
}

inline refusal refuse_parameter(call const& request, std::string detail, std::string name)
{
    return refuse(
        request, 400, {.detail = std::move(detail), .parameter = std::move(name), .code = "invalid_parameter"}
    );
}

/** 402: nothing to do with payment. */
inline refusal refuse_quota(call const& request, std::string_view whose, std::size_t limit, std::string_view what)
{
    return refuse(
        request, 402,
        {.detail = "Your " + std::string(whose) + " is currently limited to " + std::to_string(limit) + " " +
                   std::string(what),
         .code = "quota_exceeded"}
    );
}

/** Sends the fields that are well formed but wrong, all of them. */
inline void refuse_values(call const& request, std::vector<problem> problems)
{
    if (problems.empty())
        return;
    for (problem& each : problems)
    {
        each.code = "invalid_configuration";
        each.title = "Invalid value";
    }
    throw refusal{errors_response(request, 422, problems)};
}

/** The answer to a successful call; with a Location where something was made. */
inline api_response object_response(int status, std::string body, std::string location = {})
{
    api_response response = json_response(status, std::move(body));
    if (!location.empty())
        response.headers.emplace_back("Location", std::move(location));
    return response;
}

/** The JSON object in the body. @throws refusal 415, 400 */
inline json::object read_object(call const& request)
{
    std::string_view media_type = request.content_type.substr(0, request.content_type.find(';'));
    media_type = media_type.substr(0, media_type.find_last_not_of(" \t") + 1);
    if (!request.body.empty() && !equal_ignoring_case(media_type, "application/json"))
        throw refuse(request, 415, {.detail = "The content type must be application/json"});
    boost::system::error_code failure;
    json::value parsed = json::parse(json::string_view(request.body.data(), request.body.size()), failure);
    if (failure)
        throw refuse(request, 400, {.detail = "The request body is malformed (" + failure.message() + ")."});
    if (!parsed.is_object())
        throw refuse(request, 400, {.detail = "The request body is malformed (not an object)."});
    return std::move(parsed.get_object());
}

/** Reads text members of an object; `finish` refuses what was amiss with any of them. */
class member_reader
{
public:
    member_reader(call const& request, json::object const& object) : request_(request), object_(object) {}

    /** Nothing where the member is absent. */
    std::optional<std::string> optional_text(std::string_view name)
    {
        json::value const* const value = object_.if_contains(json::string_view(name.data(), name.size()));
        if (value == nullptr)
            return std::nullopt;
        if (!value->is_string())
        {
            complain(name, value->is_null() ? " must not be null" : " must be a string");
            return std::nullopt;
        }
        return std::string(value->get_string());
    }

    std::string text(std::string_view name)
    {
        if (!object_.contains(json::string_view(name.data(), name.size())))
            complain(name, " is required");
        return optional_text(name).value_or("");
    }

    void finish() const
    {
        if (!problems_.empty())
            throw refusal{errors_response(request_, 400, problems_)};
    }

private:
    void complain(std::string_view name, std::string_view what)
    {
        std::string const member(name);
        problems_.push_back({.detail = member + std::string(what), .pointer = "/" + member});
    }

    call const& request_;
    json::object const& object_;
    std::vector<problem> problems_;
};

/** Which page of a list is asked for. */
struct page_request
{
    std::uint64_t from = 0; ///< number of the first record
    std::size_t size = 0;
};

/** Tokens name the list they belong to, the place and the page size. They hold "+" and "=", so that a client which
    does not decode and encode them properly is found out. */
inline std::string make_page_token(std::string_view list, page_request page)
{
    std::string text = "p1~" + std::to_string(std::hash<std::string_view>()(list) % 1'000'000) + "." +
                       std::to_string(page.from) + "." + std::to_string(page.size);
    if (text.size() % 3 == 0)
        text += '.';
    return to_base64(text);
}

inline std::optional<page_request> read_page_token(std::string_view list, std::string_view token)
{
    std::string const text = from_base64(token).value_or("");
    std::vector<std::string_view> const parts = split(text, '.');
    if (parts.size() < 3)
        return std::nullopt;
    auto const from = to_number<std::uint64_t>(parts[1]);
    auto const size = to_number<std::size_t>(parts[2]);
    if (!from || !size || token != make_page_token(list, {*from, *size}))
        return std::nullopt;
    return page_request{*from, *size};
}

/** `page_size` of the query, else that of the token, else the default. @throws refusal 400 */
inline page_request read_page_request(call const& request, std::string_view list, std::size_t default_size)
{
    constexpr int largest = 100;
    page_request page{0, default_size};
    if (auto const token = request.query.find("page_token"); token != request.query.end())
    {
        auto const place = read_page_token(list, token->second);
        if (!place)
            throw refuse_parameter(request, "page_token is not valid", "page_token");
        page = *place;
    }
    if (auto const text = request.query.find("page_size"); text != request.query.end())
    {
        auto const size = to_number<int>(text->second);
        if (!size || *size < 1 || *size > largest)
            throw refuse_parameter(request, "page_size must be between 1 and 100", "page_size");
        page.size = static_cast<std::size_t>(*size);
    }
    return page;
}

/** A link to a page; no `page_size` and no filters in it, as the real service gives them. */
inline std::string page_link(std::string_view list_url, std::string_view list, page_request page)
{
    return std::string(list_url) + "?page_token=" + percent_encode(make_page_token(list, page));
}

inline std::string crn(std::string_view path)
{
    return "crn://confluent.cloud/organization=" + std::string(organization) + "/" + std::string(path);
}

inline json::object make_metadata(std::string self, std::string resource_name, instant created, instant updated)
{
    return {
        {"self", std::move(self)},
        {"resource_name", std::move(resource_name)},
        {"created_at", to_rfc3339(created)},
        {"updated_at", to_rfc3339(updated)},
    };
}

/** One kind of object: the five calls on it. Each throws a refusal where it cannot be done. */
class resource
{
public:
    virtual ~resource() = default;
    virtual api_response list(call const& request) = 0;
    virtual api_response create(call const& request) = 0;
    virtual api_response get(call const& request) = 0;
    virtual api_response update(call const& request) = 0;
    virtual api_response remove(call const& request) = 0;
};

} // namespace ccloud::testing::simulated

#endif
