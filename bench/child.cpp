#include "child.hpp"

#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

extern char** environ;

namespace bench {

namespace {

/** As `posix_spawn` wants them. */
std::vector<char*> pointers(std::vector<std::string>& words)
{
    std::vector<char*> all;
    for (auto& word : words)
        all.push_back(word.data());
    all.push_back(nullptr);
    return all;
}

class spawn_actions
{
public:
    spawn_actions() { ::posix_spawn_file_actions_init(&actions_); }
    ~spawn_actions() { ::posix_spawn_file_actions_destroy(&actions_); }
    spawn_actions(spawn_actions const&) = delete;
    spawn_actions& operator=(spawn_actions const&) = delete;

    posix_spawn_file_actions_t* get() noexcept { return &actions_; }

private:
    posix_spawn_file_actions_t actions_{};
};

double seconds(timeval const& time)
{
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

} // namespace

child_end run_child(std::vector<std::string> const& command, std::vector<std::string> const& settings)
{
    auto arguments = command;
    auto environment = settings;
    for (char** each = environ; *each; ++each)
        environment.emplace_back(*each);

    int ends[2];
    if (::pipe(ends) != 0)
        throw std::system_error(errno, std::generic_category(), "pipe");
    spawn_actions actions;
    ::posix_spawn_file_actions_adddup2(actions.get(), ends[1], STDOUT_FILENO);
    ::posix_spawn_file_actions_addclose(actions.get(), ends[0]);
    ::posix_spawn_file_actions_addclose(actions.get(), ends[1]);
    pid_t child = 0;
    int const failed = ::posix_spawnp(
        &child, command.at(0).c_str(), actions.get(), nullptr, pointers(arguments).data(), pointers(environment).data()
    );
    ::close(ends[1]);
    child_end end;
    char piece[4096];
    while (auto const count = failed ? 0 : ::read(ends[0], piece, sizeof piece))
        if (count > 0)
            end.output.append(piece, static_cast<std::size_t>(count));
        else if (errno != EINTR)
            break;
    ::close(ends[0]);
    if (failed != 0)
        throw std::system_error(failed, std::generic_category(), command[0]);
    int status = 0;
    rusage used{};
    while (::wait4(child, &status, 0, &used) < 0 && errno == EINTR)
    {
    }
    if (status != 0)
        throw std::runtime_error(command[0] + " failed");
    end.cpu_seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
    return end;
}

} // namespace bench
