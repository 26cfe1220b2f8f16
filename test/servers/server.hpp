#ifndef CCLOUD_TEST_SERVERS_SERVER_HPP
#define CCLOUD_TEST_SERVERS_SERVER_HPP

#include <ccloud/config.hpp>

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace servers {

/** Whether all of these programs can be run; a message of the test names the first that cannot. */
bool installed(std::initializer_list<char const*> programs);

/** A port of this machine that nobody listens on, and that no other run of these tests takes while this lives. It is
    none of those that are given to outgoing connections. */
class free_port
{
public:
    free_port();
    ~free_port();
    free_port(free_port const&) = delete;
    free_port& operator=(free_port const&) = delete;

    std::uint16_t number() const noexcept { return number_; }
    std::string text() const { return std::to_string(number_); }

private:
    std::uint16_t number_ = 0;
    int reservation_ = -1;
};

/** A folder of its own, as long as it lives. */
class temporary_folder
{
public:
    temporary_folder();
    ~temporary_folder();
    temporary_folder(temporary_folder const&) = delete;
    temporary_folder& operator=(temporary_folder const&) = delete;

    std::filesystem::path const& path() const noexcept { return path_; }

private:
    std::filesystem::path path_;
};

/** A program in the foreground. It ends with this, and with the thread that made this, whatever ends that. */
class child_process
{
public:
    /** Runs `command` in `folder`, with what it prints in the file "output" there. */
    child_process(std::vector<std::string> const& command, std::filesystem::path const& folder);
    ~child_process();
    child_process(child_process const&) = delete;
    child_process& operator=(child_process const&) = delete;

    void signal(int number) const;
    bool ended();

private:
    pid_t id_ = -1;
};

/** A program that listens on a port, in a folder of its own. */
class server
{
public:
    /** What stands for each `@name@` in a configuration, and in an argument. */
    using values = std::vector<std::pair<std::string, std::string>>;

    /** Runs `command` with a file made of the template `configuration`.in, where one is named, and returns when it
        takes connections. `@port@` is the port to listen on. @throws std::runtime_error */
    server(std::vector<std::string> const& command, std::string const& configuration, values filled_in);

    std::uint16_t port() const noexcept { return port_->number(); }

    /** "127.0.0.1:<port>" */
    std::string address() const { return "127.0.0.1:" + port_->text(); }

    /** Lets it end by itself, by `signal`, so that its logs are complete.
        @throws std::runtime_error where it does not */
    void stop(int signal);

    /** The text of a file it has written; "output" is what it has printed. */
    std::string file(std::string const& name) const;

private:
    bool listens_soon();

    std::optional<free_port> port_;
    temporary_folder folder_;
    std::optional<child_process> process_;
};

/** Answers every request with `{"id": "ipg-1"}`; closes connections after so many requests, and when they were idle
    for 1 s. "arrivals.log" has a line for each request: method, target, status. TLS 1.2. */
server nginx(int keepalive_requests = 100);

/** The same in TLS 1.3. Its log is "output". */
server haproxy(int keepalive_requests = 100);

/** Takes TLS off, and passes the rest on to a port. */
server tls_front(std::uint16_t behind);

/** An HTTP proxy that connects to these two ports alone. `credentials` is "user password", or nothing. */
server tinyproxy(std::uint16_t allowed, std::uint16_t other, std::string const& credentials = {});

/** A SOCKS5 proxy. `credentials` is {"-u", user, "-P", password}, or nothing. Its log is "output". */
server microsocks(std::vector<std::string> const& credentials = {});

/** PEM file with the authority of all these servers. */
std::string const& ca_file();

/** A client's settings for a server of these at `port`; nothing is tried twice where `retried` is not set. */
ccloud::config settings_for(std::uint16_t port, bool retried = true);

} // namespace servers

#endif
