#ifndef CCLOUD_BENCH_ANSWER_FIELDS_HPP
#define CCLOUD_BENCH_ANSWER_FIELDS_HPP

#include <ccloud/http.hpp>

namespace bench {

/** The header fields of an answer, as the service writes them. */
inline ccloud::http_headers answer_fields()
{
    ccloud::http_headers fields;
    fields.add("Server", "nginx")
        .add("Date", "Tue, 22 Jul 2025 12:23:05 GMT")
        .add("Content-Type", "application/json")
        .add("Content-Length", "420")
        .add("Connection", "keep-alive")
        .add("X-Request-Id", "91de1d2b01474f0ea5ae95e1ee5e3f0b")
        .add("X-RateLimit-Limit", "1000000")
        .add("X-RateLimit-Remaining", "999999")
        .add("X-RateLimit-Reset", "60")
        .add("X-Envoy-Upstream-Service-Time", "7")
        .add("Strict-Transport-Security", "max-age=31536000; includeSubDomains");
    return fields;
}

} // namespace bench

#endif
