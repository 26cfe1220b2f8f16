#include "nginx.hpp"

#include "certificates.hpp"
#include "documents.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace bench {

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

// One cipher suite, so that all clients have the same to decrypt.
constexpr char configuration[] = R"(daemon off;
master_process off;
pid nginx.pid;
error_log stderr error;

events {
    worker_connections 1024;
}

http {
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;

    access_log off;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    open_file_cache max=16 inactive=1h;
    open_file_cache_valid 1h;

    types { application/json json; }
    etag off;
    max_ranges 0;
    gzip on;
    gzip_vary on;
    gzip_comp_level 1;
    gzip_min_length 0;
    gzip_types application/json;
    add_header Last-Modified "";
    add_header X-Request-Id $request_id;
    add_header X-RateLimit-Limit 1000000;
    add_header X-RateLimit-Remaining 999999;
    add_header X-RateLimit-Reset 60;
    add_header X-Envoy-Upstream-Service-Time 7;
    add_header Strict-Transport-Security "max-age=31536000; includeSubDomains";

    server {
        listen 127.0.0.1:@port@ ssl;
        ssl_certificate certificate.pem;
        ssl_certificate_key key.pem;
        ssl_protocols TLSv1.3;
        ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
        root documents;
        location = /iam/v2/ip-groups {
            rewrite ^ /page.json break;
        }
        location /iam/v2/ip-groups/ {
            rewrite ^ /group.json break;
        }
    }
}
)";

/** Also where scripts/servers unpacks it. */
std::string find_nginx()
{
    char const* const path = std::getenv("PATH");
    std::istringstream folders(std::string(path != nullptr ? path : "") + ":/usr/sbin:build/servers/bin");
    for (std::string folder; std::getline(folders, folder, ':');)
        if (auto program = folder + "/nginx"; ::access(program.c_str(), X_OK) == 0)
            return fs::absolute(program).string();
    throw std::runtime_error("nginx: not found");
}

void write(fs::path const& file, std::string const& content)
{
    if (!(std::ofstream(file, std::ios::binary) << content << std::flush))
        throw std::runtime_error("nginx: cannot write " + file.string());
}

std::string read(fs::path const& file)
{
    std::ifstream from(file, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(from), {});
}

class local_socket
{
public:
    explicit local_socket(std::uint16_t port) : number_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        address_.sin_family = AF_INET;
        address_.sin_port = htons(port);
        address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    ~local_socket() { ::close(number_); }
    local_socket(local_socket const&) = delete;
    local_socket& operator=(local_socket const&) = delete;

    bool connects() { return ::connect(number_, reinterpret_cast<sockaddr*>(&address_), sizeof address_) == 0; }

    std::uint16_t free_port()
    {
        auto* const address = reinterpret_cast<sockaddr*>(&address_);
        socklen_t size = sizeof address_;
        if (::bind(number_, address, size) != 0 || ::getsockname(number_, address, &size) != 0)
            throw std::system_error(errno, std::generic_category(), "nginx: no port is free");
        return ntohs(address_.sin_port);
    }

private:
    int number_;
    sockaddr_in address_{};
};

} // namespace

nginx_server::nginx_server()
{
    auto const program = find_nginx();
    auto name = (fs::temp_directory_path() / "ccloud-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
        throw std::system_error(errno, std::generic_category(), name);
    folder_ = name;
    try
    {
        support::authority const authority("ccloud bench CA");
        auto const identity = authority.issue(support::subject::local());
        write(folder_ / "ca.pem", authority.certificate());
        write(folder_ / "certificate.pem", identity.certificate);
        write(folder_ / "key.pem", identity.key);
        fs::create_directory(folder_ / "documents");
        write(folder_ / "documents/group.json", group_document());
        write(folder_ / "documents/page.json", page_document());
        for (int tries = 0; tries < 3; ++tries) // somebody may take the port before nginx does
            if (start(program))
                return;
        throw std::runtime_error("nginx does not start: " + read(folder_ / "output"));
    }
    catch (...)
    {
        clean_up();
        throw;
    }
}

nginx_server::~nginx_server()
{
    clean_up();
}

std::string nginx_server::url(std::string_view path) const
{
    return "https://127.0.0.1:" + std::to_string(port_) + std::string(path);
}

bool nginx_server::start(std::string const& program)
{
    port_ = local_socket(0).free_port();
    std::string text = configuration;
    text.replace(text.find("@port@"), 6, std::to_string(port_));
    write(folder_ / "nginx.conf", text);
    auto const output = folder_ / "output";
    auto const prefix = folder_.string() + "/";
    auto const parent = ::getpid();

    process_ = ::fork();
    if (process_ < 0)
        throw std::system_error(errno, std::generic_category(), "fork");
    if (process_ == 0)
    {
        int const printed = ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        bool const ready = ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::getppid() == parent && printed >= 0 &&
                           ::dup2(printed, STDOUT_FILENO) >= 0 && ::dup2(printed, STDERR_FILENO) >= 0;
        if (ready)
            ::execl(program.c_str(), "nginx", "-p", prefix.c_str(), "-c", "nginx.conf", nullptr);
        ::_exit(127);
    }

    auto const end = std::chrono::steady_clock::now() + 10s;
    while (!ended() && !local_socket(port_).connects() && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(5ms);
    if (!ended() && local_socket(port_).connects())
        return true;
    end_process();
    return false;
}

bool nginx_server::ended()
{
    if (process_ > 0 && ::waitpid(process_, nullptr, WNOHANG) == process_)
        process_ = -1;
    return process_ < 0;
}

void nginx_server::end_process()
{
    if (ended())
        return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    process_ = -1;
}

void nginx_server::clean_up()
{
    end_process();
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
}

} // namespace bench
