/*  What doc/connections.md says of fork(): the child may execute another program, which gets no descriptor of the
    client; and the child of a process with one thread may make a client of its own, if it leaves the inherited one
    alone. The parent keeps its connections in both cases.

    The program has one thread when it forks: the server runs in a process of its own. */

#include <ccloud/iam/ip_groups.hpp>
#include <ccloud/testing/simulator.hpp>

#include "descriptors.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <exception>
#include <filesystem>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

namespace asio = boost::asio;

namespace {

class pipe_pair
{
public:
    pipe_pair()
    {
        if (::pipe2(ends_.data(), O_CLOEXEC) != 0)
            throw std::runtime_error("no pipe");
    }
    pipe_pair(pipe_pair const&) = delete;
    pipe_pair& operator=(pipe_pair const&) = delete;
    ~pipe_pair()
    {
        close_reader();
        close_writer();
    }

    int reader() const noexcept { return ends_[0]; }
    int writer() const noexcept { return ends_[1]; }
    void close_reader() noexcept { close_end(0); }
    void close_writer() noexcept { close_end(1); }

    /** Everything up to the end. */
    std::string read_all() const
    {
        std::string text;
        std::array<char, 4096> part{};
        for (ssize_t size = 0; (size = ::read(reader(), part.data(), part.size())) > 0;)
            text.append(part.data(), static_cast<std::size_t>(size));
        return text;
    }

    void write(std::string const& text) const noexcept
    {
        std::size_t done = 0;
        for (ssize_t size = 0; done < text.size(); done += static_cast<std::size_t>(size))
            if ((size = ::write(writer(), text.data() + done, text.size() - done)) <= 0)
                return;
    }

private:
    void close_end(std::size_t which) noexcept
    {
        if (ends_[which] >= 0)
            ::close(ends_[which]);
        ends_[which] = -1;
    }

    std::array<int, 2> ends_{-1, -1};
};

/** A child process, which ends by `_exit` with what `body` returns. */
class child
{
public:
    explicit child(std::function<int()> const& body) : id_(::fork())
    {
        if (id_ < 0)
            throw std::runtime_error("no process");
        if (id_ > 0)
            return;
        int status = 99;
        try
        {
            status = body();
        }
        catch (...)
        {
        }
        ::_exit(status);
    }
    child(child const&) = delete;
    child& operator=(child const&) = delete;
    ~child()
    {
        if (id_ > 0)
            wait();
    }

    /** Its exit status; -1 if it was killed. */
    int wait()
    {
        int status = 0;
        ::waitpid(id_, &status, 0);
        id_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

private:
    pid_t id_;
};

/** The simulator, in a process of its own. It ends with the pipe. */
class server_process
{
public:
    server_process()
    {
        process_.emplace([this] {
            told_.close_reader();
            stop_.close_writer();
            ccloud::testing::simulator_options options;
            options.seed_groups = 3;
            ccloud::testing::simulator server(options);
            told_.write(server.endpoint() + '\n' + server.ca_file());
            told_.close_writer();
            stop_.read_all();
            return 0;
        });
        stop_.close_reader();
        told_.close_writer();
        auto const text = told_.read_all();
        auto const end = text.find('\n');
        settings_.endpoint = text.substr(0, end);
        settings_.tls.ca_file = end == std::string::npos ? "" : text.substr(end + 1);
        ccloud::testing::simulator_options const options;
        settings_.credentials = ccloud::api_key(options.api_key, options.api_secret);
        settings_.retry = ccloud::retry_policy::none();
    }
    server_process(server_process const&) = delete;
    server_process& operator=(server_process const&) = delete;
    ~server_process() { stop_.close_writer(); }

    ccloud::config const& settings() const noexcept { return settings_; }

private:
    pipe_pair told_;
    pipe_pair stop_;
    std::optional<child> process_;
    ccloud::config settings_;
};

/** A client with an io_context of its own. */
struct own_client
{
    explicit own_client(ccloud::config const& settings) : cloud(context.get_executor(), settings) {}

    /** The number of groups that one call returns; 0 if it fails. */
    std::size_t groups()
    {
        std::size_t count = 0;
        bool ended = false;
        asio::co_spawn(
            context,
            [](ccloud::client on, std::size_t& found) -> asio::awaitable<void> {
                auto all = ccloud::iam::ip_groups(on).list();
                auto got = co_await all.collect();
                if (got)
                    found = got->size();
            }(cloud, count),
            [&ended](std::exception_ptr) { ended = true; }
        );
        context.restart();
        while (!ended && context.run_one() > 0)
            ;
        return count;
    }

    asio::io_context context;
    ccloud::client cloud;
};

std::size_t threads_of_this_process()
{
    std::size_t count = 0;
    for ([[maybe_unused]] auto const& thread : std::filesystem::directory_iterator("/proc/self/task"))
        ++count;
    return count;
}

} // namespace

TEST_CASE("a child of fork() may make a client of its own, and the parent's connections go on")
{
    server_process const server;
    own_client parent(server.settings());
    auto const expected = parent.groups();
    REQUIRE(expected >= 3);
    REQUIRE(threads_of_this_process() == 1); // else POSIX allows the child async-signal-safe functions only
    for (int round = 0; round < 3; ++round)
    {
        child other([&] {
            own_client own(server.settings());
            bool const works = own.groups() == expected && own.groups() == expected;
            return works && own.cloud.metrics().connections.dialed == 1 ? 0 : 1;
        });
        CHECK(other.wait() == 0);
        CHECK(parent.groups() == expected);
    }
    auto const connections = parent.cloud.metrics().connections;
    CHECK(connections.dialed == 1); // neither closed nor disturbed
    CHECK(connections.served_by_reused == 3);
    CHECK(parent.cloud.metrics().attempts == 4);
}

TEST_CASE("a child of fork() that ends by _exit() leaves the parent's connections alone")
{
    server_process const server;
    own_client parent(server.settings());
    auto const expected = parent.groups();
    child other([] { return 0; });
    CHECK(other.wait() == 0);
    CHECK(parent.groups() == expected);
    CHECK(parent.cloud.metrics().connections.dialed == 1);
}

TEST_CASE("a program that a child of fork() executes inherits no descriptor of a client")
{
    server_process const server;
    own_client parent(server.settings());
    auto const expected = parent.groups();
    CHECK(support::open_descriptors("socket:") >= 1);
    CHECK(support::open_descriptors("anon_inode:") >= 1); // epoll, timers
    pipe_pair output;
    child other([&] {
        int const nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
        if (::dup2(nothing, 0) < 0 || ::dup2(output.writer(), 1) < 0 || ::dup2(nothing, 2) < 0)
            return 1;
        ::execl("/bin/ls", "ls", "-l", "/proc/self/fd", nullptr);
        return 2;
    });
    output.close_writer();
    auto const listed = output.read_all();
    CHECK(other.wait() == 0);
    CAPTURE(listed);
    CHECK(listed.find("/dev/null") != std::string::npos);
    CHECK(listed.find("socket:") == std::string::npos);
    CHECK(listed.find("anon_inode:") == std::string::npos);
    CHECK(parent.groups() == expected);
    CHECK(parent.cloud.metrics().connections.dialed == 1);
}
