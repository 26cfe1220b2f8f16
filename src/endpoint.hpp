#ifndef CCLOUD_ENDPOINT_HPP
#define CCLOUD_ENDPOINT_HPP

#include <ccloud/http.hpp>

#include "core/url.hpp"
#include "core/utf8.hpp"
#include "core/writer.hpp"

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
    explicit plan(method verb) : planned_{http_request(verb, {}), {}, {}} { target_.reserve(47); }

    /** A piece of path as it stands, a literal. The last one names the rate scope. */
    plan&& path(std::string_view piece) &&
    {
        target_ += piece;
        planned_.scope = piece;
        return std::move(*this);
    }

    /** A piece of path that the caller named; `what` is said where it cannot be one. */
    plan&& segment(std::string_view what, std::string_view value) &&
    {
        if (auto const why = core::refuse_segment(value); !why.empty())
            refuse(what, why);
        require_utf8(what, value);
        target_ += '/';
        core::append_encoded(target_, value);
        return std::move(*this);
    }

    /** A query parameter. */
    plan&& query(std::string_view name, std::string_view value) &&
    {
        require_utf8(name, value);
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
        if (value.empty())
            refuse(what, "must not be empty");
        require_utf8(what, value);
        return std::move(*this);
    }

    plan&& body(core::json_object const& json) &&
    {
        if (!json.not_utf8().empty())
            refuse(json.not_utf8(), not_utf8);
        planned_.request.body(json.text());
        return std::move(*this);
    }

    operator planned_request() &&
    {
        planned_.request.move_to(std::move(target_));
        // The PATCHes of these APIs name the new state; sent twice they leave what one leaves.
        planned_.request.replayable(planned_.request.verb() != method::post);
        return std::move(planned_);
    }

private:
    static constexpr std::string_view not_utf8 = "must be UTF-8";

    void require_utf8(std::string_view what, std::string_view value)
    {
        if (!core::is_utf8(value))
            refuse(what, not_utf8);
    }

    /** The first refusal counts. */
    void refuse(std::string_view what, std::string_view why)
    {
        if (planned_.refusal.empty())
            planned_.refusal.append(what).append(" ").append(why);
    }

    bool queried_ = false;
    std::string target_;
    planned_request planned_;
};

} // namespace ccloud

#endif
