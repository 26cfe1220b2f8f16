#include <ccloud/http.hpp>

#include "core/ascii.hpp"
#include "core/field_syntax.hpp"

namespace ccloud {

namespace {

/** Appends a field to a block. `name` and `value` may be views into the block, so it is not reallocated before
    both are copied. */
void append_field(std::string& block, std::string_view name, std::string_view value)
{
    constexpr std::size_t separators = 4; // ": " and CRLF
    auto const size = block.size() + name.size() + value.size() + separators;
    if (size <= block.capacity())
    {
        block.append(name).append(": ").append(value).append("\r\n");
        return;
    }
    std::string grown;
    grown.reserve((std::max)(size, 2 * block.capacity()));
    grown.append(block).append(name).append(": ").append(value).append("\r\n");
    block = std::move(grown);
}

/** The fields of a block that have another name. */
http_headers others_than(std::string_view name, http_headers const& block)
{
    http_headers others;
    block.for_each([&](std::string_view other, std::string_view value) {
        if (!core::iequals(other, name))
            others.add(other, value);
    });
    return others;
}

} // namespace

std::string_view to_string(method verb) noexcept
{
    switch (verb)
    {
    case method::get: return "GET";
    case method::post: return "POST";
    case method::patch: return "PATCH";
    case method::put: return "PUT";
    case method::del: return "DELETE";
    }
    return "GET";
}

bool is_idempotent(method verb) noexcept
{
    return verb != method::post && verb != method::patch;
}

http_headers& http_headers::add(std::string_view name, std::string_view value)
{
    if (!core::is_token(name) || !core::is_field_value(value))
    {
        if (!refused_)
            refused_ = std::make_shared<std::string const>(name.empty() ? "(empty name)" : name);
        return *this;
    }
    append_field(text_, name, core::trim(value));
    return *this;
}

http_headers& http_headers::set(std::string_view name, std::string_view value)
{
    auto others = others_than(name, *this); // a copy, because `name` and `value` may be views into this block
    others.add(name, value);
    text_ = std::move(others.text_);
    if (!refused_)
        refused_ = std::move(others.refused_);
    return *this;
}

http_headers& http_headers::remove(std::string_view name)
{
    text_ = std::move(others_than(name, *this).text_);
    return *this;
}

http_headers& http_headers::append(http_headers const& other)
{
    text_.append(other.text_);
    if (!refused_)
        refused_ = other.refused_;
    return *this;
}

std::optional<std::string_view> http_headers::find(std::string_view name) const noexcept
{
    if (name.find(':') != std::string_view::npos)
        return std::nullopt;
    std::string_view rest = text_;
    while (rest.size() > name.size())
    {
        if (rest[name.size()] == ':' && core::iequals(rest.substr(0, name.size()), name))
            return next_field(rest)->second;
        rest.remove_prefix(rest.find('\n') + 1);
    }
    return std::nullopt;
}

void http_headers::clear() noexcept
{
    text_.clear();
    refused_.reset();
}

/** Each line is "name: value" and CRLF: `add` and `parsed_fields` write no others. */
std::optional<http_headers::field> http_headers::next_field(std::string_view& rest) noexcept
{
    if (rest.empty())
        return std::nullopt;
    auto const colon = rest.find(':');
    auto const value = colon + 2;
    auto const end = rest.find('\r', value);
    field const found(rest.substr(0, colon), rest.substr(value, end - value));
    rest.remove_prefix(end + 2);
    return found;
}

http_request::http_request(method verb, std::string target)
    : verb_(verb), replayable_(is_idempotent(verb)), target_(std::move(target))
{
}

http_request& http_request::header(std::string_view name, std::string_view value)
{
    headers_.add(name, value);
    return *this;
}

http_request& http_request::body(std::string content, std::string_view media_type)
{
    body_ = std::move(content);
    headers_.set("Content-Type", media_type);
    return *this;
}

http_request& http_request::replayable(bool yes) noexcept
{
    replayable_ = yes;
    return *this;
}

http_request& http_request::idempotency_key(std::string_view key)
{
    replayable_ = true;
    wants_key_ = key.empty();
    if (!key.empty())
        headers_.set("Idempotency-Key", key);
    return *this;
}

std::string origin::authority() const
{
    auto text = host_.find(':') == std::string::npos ? host_ : '[' + host_ + ']';
    if (port_ != (tls_ ? 443 : 80))
        text += ':' + std::to_string(port_);
    return text;
}

std::string origin::to_string() const
{
    return (tls_ ? "https://" : "http://") + authority();
}

std::string_view response_info::request_id() const noexcept
{
    return headers().find("X-Request-Id").value_or(std::string_view());
}

std::string_view response_info::location() const noexcept
{
    return headers().find("Location").value_or(std::string_view());
}

std::string_view response_info::retry_after() const noexcept
{
    return headers().find("Retry-After").value_or(std::string_view());
}

std::vector<std::string_view> response_info::www_authenticate() const
{
    std::vector<std::string_view> values;
    headers().for_each([&values](std::string_view name, std::string_view value) {
        if (core::iequals(name, "WWW-Authenticate"))
            values.push_back(value);
    });
    return values;
}

rate_limit response_info::rate_limit() const noexcept
{
    auto const number = [this](std::string_view name) {
        return core::first_number(headers().find(name).value_or(std::string_view()));
    };
    ccloud::rate_limit values;
    values.limit = number("X-RateLimit-Limit");
    values.remaining = number("X-RateLimit-Remaining");
    if (auto const reset = number("X-RateLimit-Reset"); reset && *reset < core::epoch_from)
        values.reset = std::chrono::seconds(*reset);
    return values;
}

} // namespace ccloud
