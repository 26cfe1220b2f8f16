#include "core/request.hpp"

#include "core/ascii.hpp"

#include <array>

namespace ccloud::core {

std::string user_agent(std::string_view application)
{
    constexpr std::string_view product = "ccloud-cpp/" CCLOUD_VERSION;
    constexpr std::string_view contact = " (https://ccloud-cpp.example.org; maintainers@ccloud-cpp.example.org)";
    std::string text(application);
    if (!text.empty())
        text += ' ';
    return text.append(product).append(contact);
}

http_headers make_head(origin const& to, std::string_view authorization, std::string_view application, bool compression)
{
    http_headers head;
    head.add("Host", to.authority());
    if (!authorization.empty())
        head.add("Authorization", authorization);
    head.add("User-Agent", user_agent(application)).add("Accept", "application/json");
    if (compression)
        head.add("Accept-Encoding", "gzip");
    return head;
}

void assemble(http_request& request, http_headers const& head, http_headers const* extra)
{
    auto& own = request.headers();
    http_headers fields;
    fields.reserve(head.text().size() + (extra ? extra->text().size() : 0) + own.text().size());
    fields.append(head);
    if (extra)
        fields.append(*extra);
    fields.append(own);
    own = std::move(fields);
}

void serialize(http_request const& request, std::string& to)
{
    auto const verb = to_string(request.verb());
    auto const& body = request.body();
    bool const carries_body = !body.empty() || request.verb() == method::post || request.verb() == method::patch ||
                              request.verb() == method::put;
    to.clear();
    to.reserve(verb.size() + request.target().size() + request.headers().text().size() + body.size() + 64);
    to.append(verb).append(" ").append(request.target()).append(" HTTP/1.1\r\n").append(request.headers().text());
    if (carries_body)
        to.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
    to.append("\r\n").append(body);
}

std::string_view refuse_field(std::string_view name) noexcept
{
    static constexpr std::array<std::string_view, 13> ours{
        "Authorization", "Host",       "Content-Length",  "Transfer-Encoding",
        "Connection",    "Keep-Alive", "Upgrade",         "TE",
        "Trailer",       "Expect",     "Accept-Encoding", "Proxy-Authorization",
        "User-Agent",
    };
    for (auto const field : ours)
        if (iequals(field, name))
            return "belongs to the client; see config for credentials and application";
    return {};
}

bool is_idempotency_key(std::string_view name) noexcept
{
    return iequals(name, "Idempotency-Key");
}

bool is_header_safe(std::string_view text) noexcept
{
    return std::none_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
}

} // namespace ccloud::core
