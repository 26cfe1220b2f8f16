#include "testing/simulator_api.hpp"

#include "testing/simulator_call.hpp"
#include "testing/simulator_iam.hpp"
#include "testing/simulator_networking.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <span>

namespace ccloud::testing::simulated {

namespace {

/** Counts requests in fixed windows. */
class rate_meter
{
public:
    rate_meter(int limit, std::chrono::seconds window, instant start) : limit_(limit), window_(window), start_(start) {}

    /** Counts a request. @return whether it is within the limit */
    bool spend(instant now)
    {
        auto const window = (now - start_) / window_;
        if (window != current_)
            used_ = 0;
        current_ = window;
        if (used_ >= limit_)
            return false;
        ++used_;
        return true;
    }

    int limit() const noexcept { return limit_; }
    int remaining() const noexcept { return limit_ - used_; }

    /** Until the window ends; rounded up, so at least 1. */
    std::chrono::seconds reset(instant now) const
    {
        return std::chrono::ceil<std::chrono::seconds>(window_ - (now - start_) % window_);
    }

private:
    int limit_;
    std::chrono::microseconds window_;
    instant start_;
    std::int64_t current_ = 0;
    int used_ = 0;
};

/** One step of splitmix64: a permutation, so that different inputs never give the same. */
std::uint64_t scramble(std::uint64_t value)
{
    value += 0x9E3779B97F4A7C15;
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9;
    value = (value ^ value >> 27) * 0x94D049BB133111EB;
    return value ^ value >> 31;
}

refusal method_not_allowed(std::string allowed)
{
    api_response response = json_response(405, R"({"message":"method not allowed"})");
    response.headers.emplace_back("Allow", std::move(allowed));
    return {std::move(response)};
}

refusal unknown_path()
{
    return {json_response(404, R"({"message":"resource not found"})")};
}

api_response call_collection(resource& target, call const& request)
{
    if (request.method == "GET")
        return target.list(request);
    if (request.method == "POST")
        return target.create(request);
    throw method_not_allowed("GET, POST");
}

api_response call_object(resource& target, call const& request)
{
    if (request.method == "GET")
        return target.get(request);
    if (request.method == "PATCH")
        return target.update(request);
    if (request.method == "DELETE")
        return target.remove(request);
    throw method_not_allowed("GET, PATCH, DELETE");
}

/** Compares a path with a route, part by part; "*" fits any part that is not empty. */
bool fits(std::span<std::string_view const> path, std::vector<std::string_view> const& route)
{
    return std::ranges::equal(path, route, [](std::string_view part, std::string_view wanted) {
        return wanted == "*" ? !part.empty() : part == wanted;
    });
}

/** Where a collection lives. */
struct route
{
    std::vector<std::string_view> path;
    std::size_t owner; ///< index of the identity provider in the path; 0: there is none
    resource* target;
};

} // namespace

struct api::state
{
    state(simulator_options const& given, instant start)
        : options(given), ip_groups(given, start), identity_pools(given), group_mappings(given), connections(given),
          routes{
              {{"iam", "v2", "ip-groups"}, 0, &ip_groups},
              {{"iam", "v2", "identity-providers", "*", "identity-pools"}, 3, &identity_pools},
              {{"iam", "v2", "sso", "group-mappings"}, 0, &group_mappings},
              {{"networking", "v1", "private-link-attachment-connections"}, 0, &connections},
          },
          basic("Basic " + to_base64(options.api_key + ":" + options.api_secret)),
          bearer("Bearer " + options.bearer_token),
          id_seed(static_cast<std::uint64_t>(start.time_since_epoch().count()))
    {
        if (options.rate_limit)
            meter.emplace(*options.rate_limit, options.rate_window, start);
    }

    /** @throws refusal where there is a reason to */
    api_response process(api_request const& request, call& taken_apart)
    {
        authenticate(request, taken_apart);
        if (meter && !meter->spend(taken_apart.now))
            throw refusal{throttled(taken_apart.now)};
        auto const question = request.target.find('?');
        read_query(taken_apart, question == std::string_view::npos ? "" : request.target.substr(question + 1));
        return route_call(taken_apart, request.target.substr(0, question));
    }

    void authenticate(api_request const& request, call const& taken_apart) const
    {
        std::string_view const given = request.authorization;
        if (same_credentials(given, basic) || same_credentials(given, bearer))
            return;
        refusal unauthorized = refuse(taken_apart, 401, {.detail = "Unauthorized"});
        unauthorized.response.headers.emplace_back("WWW-Authenticate", challenge(given));
        throw unauthorized;
    }

    /** The scheme is compared without regard to case (RFC 9110 section 11.1). */
    static bool same_credentials(std::string_view given, std::string_view wanted)
    {
        auto const space = wanted.find(' ') + 1;
        return given.size() == wanted.size() && equal_ignoring_case(given.substr(0, space), wanted.substr(0, space)) &&
               given.substr(space) == wanted.substr(space);
    }

    static std::string challenge(std::string_view given)
    {
        std::string_view const scheme = given.substr(0, given.find(' '));
        if (given.empty())
            return R"(Basic error="missing_credentials", error_description="No credentials were given")";
        if (equal_ignoring_case(scheme, "Bearer"))
            return R"(Bearer error="invalid_token", error_description="The token is invalid")";
        if (equal_ignoring_case(scheme, "Basic"))
            return R"(Basic error="invalid_key", error_description="The API Key is invalid")";
        return R"(Basic error="invalid_scheme", error_description="The authentication scheme is not supported")";
    }

    api_response throttled(instant now) const
    {
        api_response response{.status = 429, .body = {}, .headers = {}};
        if (options.retry_after)
            response.headers.emplace_back("Retry-After", std::to_string(meter->reset(now).count()));
        return response;
    }

    static void read_query(call& taken_apart, std::string_view query)
    {
        auto parameters = parse_query(query);
        if (!parameters)
            throw refuse(taken_apart, 400, {.detail = "The query string is malformed"});
        taken_apart.query = std::move(*parameters);
    }

    api_response route_call(call& taken_apart, std::string_view path)
    {
        std::string const root = options.path_prefix + "/";
        if (!path.starts_with(root))
            throw unknown_path();
        std::vector<std::string_view> const parts = split(path.substr(root.size()), '/');
        for (route const& each : routes)
        {
            std::size_t const length = each.path.size();
            bool const object = parts.size() == length + 1 && !parts.back().empty();
            if ((!object && parts.size() != length) || !fits(std::span(parts).first(length), each.path))
                continue;
            if (each.owner != 0)
                taken_apart.owner = percent_decode(parts[each.owner]).value_or("");
            if (!object)
                return call_collection(*each.target, taken_apart);
            taken_apart.id = percent_decode(parts.back()).value_or("");
            return call_object(*each.target, taken_apart);
        }
        throw unknown_path();
    }

    void add_common_headers(api_response& response, call const& taken_apart) const
    {
        response.headers.emplace_back("X-Request-Id", taken_apart.request_id);
        bool const counted = response.status / 100 == 2 || response.status == 429;
        if (!meter || !options.rate_headers || !counted)
            return;
        response.headers.emplace_back("X-RateLimit-Limit", std::to_string(meter->limit()));
        response.headers.emplace_back("X-RateLimit-Remaining", std::to_string(meter->remaining()));
        response.headers.emplace_back("X-RateLimit-Reset", std::to_string(meter->reset(taken_apart.now).count()));
    }

    simulator_options const options;
    ip_group_resource ip_groups;
    identity_pool_resource identity_pools;
    group_mapping_resource group_mappings;
    connection_resource connections;
    std::vector<route> const routes;
    std::string const basic;
    std::string const bearer;
    std::uint64_t const id_seed;
    std::uint64_t ids_given = 0;
    std::optional<rate_meter> meter;
};

api::api(simulator_options options, instant start) : state_(std::make_unique<state>(options, start))
{
}

api::~api() = default;

api_response api::answer(api_request const& request, instant now)
{
    call taken_apart;
    taken_apart.method = request.method;
    taken_apart.content_type = request.content_type;
    taken_apart.body = request.body;
    taken_apart.request_id = next_request_id();
    taken_apart.now = now;
    api_response response;
    try
    {
        response = state_->process(request, taken_apart);
    }
    catch (refusal& refused)
    {
        response = std::move(refused.response);
    }
    state_->add_common_headers(response, taken_apart);
    return response;
}

std::string api::next_request_id()
{
    std::uint64_t const count = ++state_->ids_given;
    std::array<char, 33> text{};
    std::snprintf(
        text.data(), text.size(), "%016llx%016llx", static_cast<unsigned long long>(scramble(state_->id_seed ^ count)),
        static_cast<unsigned long long>(scramble(~count))
    );
    return text.data();
}

bool api::set_phase(std::string_view id, std::string phase, std::string error_message, instant now)
{
    return state_->connections.set_phase(id, std::move(phase), std::move(error_message), now);
}

} // namespace ccloud::testing::simulated
