#include "server.hpp"

#include "testing/simulator_tls.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <thread>

namespace servers {

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

struct socket
{
    explicit socket(int type, int family = AF_INET) : number(::socket(family, type | SOCK_CLOEXEC, 0)) {}
    ~socket()
    {
        if (number >= 0)
            ::close(number);
    }
    socket(socket const&) = delete;
    socket& operator=(socket const&) = delete;

    int number;
};

bool bind_v4(int socket, std::uint16_t port)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::bind(socket, reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0;
}

bool bind_v6(int socket, std::uint16_t port)
{
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    address.sin6_addr = in6addr_loopback;
    return ::bind(socket, reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0;
}

bool has_ipv6()
{
    socket const probe(SOCK_STREAM, AF_INET6);
    return bind_v6(probe.number, 0);
}

/** As a server does that may listen again on a port whose connections have just ended. */
bool can_listen(std::uint16_t port)
{
    int const yes = 1;
    socket const v4(SOCK_STREAM);
    ::setsockopt(v4.number, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    socket const v6(SOCK_STREAM, AF_INET6);
    ::setsockopt(v6.number, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    return bind_v4(v4.number, port) && (!has_ipv6() || bind_v6(v6.number, port));
}

bool listens(std::uint16_t port)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socket const probe(SOCK_STREAM);
    return ::connect(probe.number, reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0;
}

/** Waits for something that other processes do, within bounds. */
template <class Condition>
bool eventually(Condition holds)
{
    auto const end = std::chrono::steady_clock::now() + 10s;
    while (!holds())
    {
        if (std::chrono::steady_clock::now() > end)
            return false;
        std::this_thread::sleep_for(5ms);
    }
    return true;
}

std::string content(fs::path const& path)
{
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

std::string filled(std::string text, server::values const& values)
{
    for (auto const& [name, value] : values)
    {
        auto const mark = "@" + name + "@";
        for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + value.size()))
            text.replace(at, mark.size(), value);
    }
    return text;
}

ccloud::testing::simulated::tls_identity const& identity()
{
    static ccloud::testing::simulated::tls_identity const ours;
    return ours;
}

/** Certificate and key. */
std::string identity_pem()
{
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
    identity().install(context.get());
    std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), &BIO_free);
    PEM_write_bio_X509(memory.get(), SSL_CTX_get0_certificate(context.get()));
    auto* const key = SSL_CTX_get0_privatekey(context.get());
    PEM_write_bio_PrivateKey(memory.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
    char* text = nullptr;
    auto const length = BIO_get_mem_data(memory.get(), &text);
    return std::string(text, static_cast<std::size_t>(length));
}

} // namespace

bool installed(std::initializer_list<char const*> programs)
{
    char const* const path = std::getenv("PATH");
    for (std::string const program : programs)
    {
        std::istringstream folders(path != nullptr ? path : "");
        bool found = false;
        for (std::string folder; !found && std::getline(folders, folder, ':');)
            found = ::access((folder + "/" + program).c_str(), X_OK) == 0;
        if (!found)
        {
            MESSAGE("skipped: there is no " << program);
            return false;
        }
    }
    return true;
}

free_port::free_port()
{
    std::random_device dice;
    std::uniform_int_distribution<unsigned> any(10'000, 30'000);
    for (int tries = 0; tries < 1'000; ++tries)
    {
        number_ = static_cast<std::uint16_t>(any(dice));
        reservation_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (bind_v4(reservation_, number_) && can_listen(number_))
            return;
        ::close(reservation_);
    }
    throw std::runtime_error("no port is free");
}

free_port::~free_port()
{
    ::close(reservation_);
}

temporary_folder::temporary_folder()
{
    auto name = (fs::temp_directory_path() / "ccloud-servers-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
        throw std::system_error(errno, std::generic_category(), name);
    path_ = name;
}

temporary_folder::~temporary_folder()
{
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

child_process::child_process(std::vector<std::string> const& command, fs::path const& folder)
{
    std::vector<char*> arguments;
    for (auto const& each : command)
        arguments.push_back(const_cast<char*>(each.c_str()));
    arguments.push_back(nullptr);
    auto const output = (folder / "output").string();
    auto const parent = ::getpid();

    id_ = ::fork();
    if (id_ < 0)
        throw std::system_error(errno, std::generic_category(), "fork");
    if (id_ > 0)
        return;
    int const printed = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    bool const ready = ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::getppid() == parent && printed >= 0 &&
                       ::dup2(printed, STDOUT_FILENO) >= 0 && ::dup2(printed, STDERR_FILENO) >= 0 &&
                       ::chdir(folder.c_str()) == 0;
    if (ready)
        ::execvp(arguments.front(), arguments.data());
    ::_exit(127);
}

child_process::~child_process()
{
    if (ended())
        return;
    signal(SIGKILL);
    ::waitpid(id_, nullptr, 0);
}

void child_process::signal(int number) const
{
    if (id_ > 0)
        ::kill(id_, number);
}

bool child_process::ended()
{
    if (id_ > 0 && ::waitpid(id_, nullptr, WNOHANG) == id_)
        id_ = -1;
    return id_ < 0;
}

server::server(std::vector<std::string> const& command, std::string const& configuration, values filled_in)
{
    std::ofstream(folder_.path() / "identity.pem") << identity_pem();
    filled_in.emplace_back("port", std::string());
    for (int tries = 0; tries < 3; ++tries) // somebody may take the port before the program does
    {
        port_.emplace();
        filled_in.back().second = port_->text();
        if (!configuration.empty())
        {
            auto const text = content(fs::path(CCLOUD_TEST_SERVERS) / (configuration + ".in"));
            std::ofstream(folder_.path() / configuration) << filled(text, filled_in);
        }
        auto whole = command;
        for (auto& argument : whole)
            argument = filled(argument, filled_in);
        process_.emplace(whole, folder_.path());
        if (listens_soon())
            return;
    }
    throw std::runtime_error(command.front() + " does not listen: " + file("output"));
}

bool server::listens_soon()
{
    return eventually([this] { return process_->ended() || listens(port()); }) && !process_->ended();
}

void server::stop(int signal)
{
    process_->signal(signal);
    if (!eventually([this] { return process_->ended(); }))
        throw std::runtime_error("the server does not end: " + file("output"));
}

std::string server::file(std::string const& name) const
{
    return content(folder_.path() / name);
}

server nginx(int keepalive_requests)
{
    return server(
        {"nginx", "-p", ".", "-c", "nginx.conf"}, "nginx.conf",
        {{"keepalive_requests", std::to_string(keepalive_requests)},
         {"listen_v6", has_ipv6() ? "listen [::1]:@port@ ssl;" : ""}}
    );
}

server haproxy(int keepalive_requests)
{
    return server(
        {"haproxy", "-db", "-f", "haproxy.cfg"}, "haproxy.cfg",
        {{"keepalive_requests", std::to_string(keepalive_requests)}}
    );
}

server tls_front(std::uint16_t behind)
{
    return server({"haproxy", "-db", "-f", "tls_front.cfg"}, "tls_front.cfg", {{"behind", std::to_string(behind)}});
}

server tinyproxy(std::uint16_t allowed, std::uint16_t other, std::string const& credentials)
{
    return server(
        {"tinyproxy", "-d", "-c", "tinyproxy.conf"}, "tinyproxy.conf",
        {{"allowed_port", std::to_string(allowed)},
         {"other_allowed_port", std::to_string(other)},
         {"basic_auth", credentials.empty() ? "" : "BasicAuth " + credentials}}
    );
}

server microsocks(std::vector<std::string> const& credentials)
{
    std::vector<std::string> command{"microsocks", "-i", "127.0.0.1", "-p", "@port@"};
    command.insert(command.end(), credentials.begin(), credentials.end());
    return server(command, {}, {});
}

std::string const& ca_file()
{
    return identity().ca_file();
}

ccloud::config settings_for(std::uint16_t port, bool retried)
{
    ccloud::config settings;
    settings.endpoint = "https://localhost:" + std::to_string(port);
    settings.credentials = ccloud::api_key("KEY", "SECRET");
    settings.tls.ca_file = ca_file();
    if (!retried)
        settings.retry = ccloud::retry_policy::none();
    return settings;
}

} // namespace servers
