#ifndef CCLOUD_ENDPOINT_HPP
#define CCLOUD_ENDPOINT_HPP

#include <ccloud/http.hpp>

#include "core/url.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace ccloud {

/** A request of a collection, or the reason why there cannot be one. */
struct planned_request
{
    http_request request;
    std::string refusal;    ///< empty where there is none
    std::string_view scope; ///< what the collection's requests are limited by together; empty for raw ones
};

/** Builds the request of one operation from its path, ids and parameters, so that no value can change the path. */
class plan
{
public:
    explicit plan(method verb) : verb_(verb) { target_.reserve(128); }

    /** A piece of path as it stands, a literal. The last one names the rate scope. */
    plan&& path(std::string_view piece) &&
    {
        target_ += piece;
        scope_ = piece;
        return std::move(*this);
    }

    /** A piece of path that the caller named; `what` is said where it cannot be one. */
    plan&& segment(std::string_view what, std::string_view value) &&
    {
        if (auto const why = core::refuse_segment(value); !why.empty() && refusal_.empty())
            refusal_.append(what).append(" ").append(why);
        target_ += '/';
        core::append_encoded(target_, value);
        return std::move(*this);
    }

    /** A query parameter. */
    plan&& query(std::string_view name, std::string_view value) &&
    {
        target_ += queried_ ? '&' : '?';
        queried_ = true;
        target_.append(name).append("=");
        core::append_encoded(target_, value);
        return std::move(*this);
    }

    /** A query parameter that is left out where it is empty. */
    plan&& filled_query(std::string_view name, std::string_view value) &&
    {
        return value.empty() ? std::move(*this) : std::move(*this).query(name, value);
    }

    /** Refuses the request where a value that it cannot do without is empty. */
    plan&& require(std::string_view what, std::string_view value) &&
    {
        if (value.empty() && refusal_.empty())
            refusal_.append(what).append(" must not be empty");
        return std::move(*this);
    }

    plan&& body(std::string json) &&
    {
        body_ = std::move(json);
        return std::move(*this);
    }

    operator planned_request() &&
    {
        http_request request(verb_, std::move(target_));
        if (!body_.empty())
            request.body(std::move(body_));
        // The PATCHes of these APIs name the new state; sent twice they leave what one leaves.
        request.replayable(verb_ != method::post);
        return planned_request{std::move(request), std::move(refusal_), scope_};
    }

private:
    method verb_;
    bool queried_ = false;
    std::string target_;
    std::string body_;
    std::string refusal_;
    std::string_view scope_;
};

} // namespace ccloud

#endif
