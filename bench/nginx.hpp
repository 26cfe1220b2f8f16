#ifndef CCLOUD_BENCH_NGINX_HPP
#define CCLOUD_BENCH_NGINX_HPP

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace bench {

/** The server of the contests: one process of nginx on 127.0.0.1, TLS 1.3, connections kept alive without end.

    `GET /iam/v2/ip-groups/<id>` gives `group_document()`, `GET /iam/v2/ip-groups?…` gives `page_document()`, with the
    header fields of the service; compressed for a client that accepts gzip. It ends with this object, and with the
    thread that made it. */
class nginx_server
{
public:
    /** Returns when it takes connections. @throws std::runtime_error */
    nginx_server();
    ~nginx_server();
    nginx_server(nginx_server const&) = delete;
    nginx_server& operator=(nginx_server const&) = delete;

    std::uint16_t port() const noexcept { return port_; }

    /** "https://127.0.0.1:<port>" and then `path`, which begins with a slash and may have a query. */
    std::string url(std::string_view path) const;

    /** PEM file with the authority; its certificate is for 127.0.0.1 and localhost. */
    std::string ca_file() const { return (folder_ / "ca.pem").string(); }

private:
    bool start(std::string const& program);
    bool ended();
    void end_process();
    void clean_up();

    std::filesystem::path folder_;
    std::uint16_t port_ = 0;
    pid_t process_ = -1;
};

} // namespace bench

#endif
