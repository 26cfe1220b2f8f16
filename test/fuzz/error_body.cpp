/*  Bodies of answers that say no: what is read from them is bounded, can be shown in a line, and is read again from the
    documented envelope as it was.

    The first byte of an input chooses the status, the second one the Content-Type. The rest is the body. */

#include "core/failure.hpp"
#include "fuzz_input.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
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
        told.id, told.status, told.code, told.title, told.detail, told.pointer, told.parameter, told.resolution
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
        put(entry, "title", told.title);
        put(entry, "detail", told.detail);
        put(entry, "resolution", told.resolution);
        errors.push_back(std::move(entry));
    }
    json::object whole;
    whole["errors"] = std::move(errors);
    return json::serialize(whole);
}

void check_line(std::string_view text)
{
    require(!text.empty() && text.size() <= 8 * 1024, "an error says something, and not too much", text);
    for (char const c : text)
        require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "an error can be shown in a line", text);
}

void check_error(ccloud::error const& failure, int status, std::string_view body)
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
    require(status == 403 ? bad_key != (failure == condition::gone) : bad_key == (status == 401), "401 or 403", body);
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
    fuzz::exact_copy const body(input.rest());

    auto const problems = core::read_problems(body.view()).kept;
    require(problems.size() <= core::most_problems, "so many problems are kept", body.view());
    std::size_t told = 0;
    for (auto const& each : problems)
        std::apply([&told](auto const&... part) { told += (part.size() + ...); }, parts(each));
    require(told <= 2 * body.view().size() + 64, "problems are made of the body", body.view());
    auto const text = written(problems);
    require(same(core::read_problems(text).kept, problems), "problems are read again as they were", text);

    ccloud::http_headers headers;
    headers.add("Content-Type", type).add("X-Request-Id", "1-2-3");
    auto about = std::make_unique<ccloud::error::data>();
    core::read_answer(*about, ccloud::response_info(status, std::move(headers)), body.view());
    require(same(about->problems, problems), "an error has the problems of the body", body.view());
    check_error(ccloud::error(std::move(about)), status, body.view());
    return 0;
}
