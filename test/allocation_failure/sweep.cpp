#include "sweep.hpp"

#include "program_symbols.hpp"

#include <execinfo.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string_view>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

namespace {

constexpr unsigned longest_round = 30; ///< seconds

/** The report of a child process, in shared memory. */
struct told
{
    std::size_t first = 0; ///< the first allocation that fails in the current round
    std::size_t rounds = 0;
    std::size_t used = 0; ///< bytes of `text`
    std::size_t excused = 0;
    bool over = false;
    std::array<char, 1024 * 1024> text; ///< lines

    void note(std::string_view line) noexcept
    {
        if (used + line.size() + 1 > text.size())
            return;
        std::copy(line.begin(), line.end(), text.begin() + static_cast<std::ptrdiff_t>(used));
        used += line.size();
        text[used++] = '\n';
    }
};

told* common = nullptr;
program_symbols const* symbols = nullptr;

/** Functions of Asio in which the process ends if there is no memory, whoever calls them. */
constexpr std::string_view asios[] = {
    "strand_executor_service21create_implementation", // a strand is made
};

[[noreturn]] void die(int code) noexcept
{
    heap::pause const no_failures;
    std::array<void*, 64> frames;
    int const count = ::backtrace(frames.data(), static_cast<int>(frames.size()));
    std::unique_ptr<char*, void (*)(void*)> const names(::backtrace_symbols(frames.data(), count), std::free);
    auto const function_at = [&](int i) { return symbols->name_of(frames[static_cast<std::size_t>(i)]); };
    for (int i = 0; i < count; ++i)
        for (auto const function : asios)
            if (function_at(i).find(function) != std::string_view::npos)
            {
                ++common->excused;
                std::_Exit(0);
            }
    for (int i = 0; names && i < count; ++i)
        common->note("    " + std::string(names.get()[i]) + ' ' + std::string(function_at(i)));
    std::_Exit(code);
}

constexpr int terminated = 70;
constexpr int hung = 71;
constexpr int leaked = 72;
constexpr int crashed = 73;

bool playing = false; ///< this process is a child

[[noreturn]] void play(make_round const& make, sweep_options const& options, std::size_t from)
{
    std::set_terminate([] { die(terminated); });
    std::signal(SIGALRM, [](int) { die(hung); });
    std::signal(SIGSEGV, [](int) { die(crashed); });
    std::signal(SIGABRT, [](int) { die(crashed); });
    playing = true;
    void* frame = nullptr;
    (void)::backtrace(&frame, 1); // the first call allocates
    ::alarm(longest_round);
    {
        auto const round = make();
        for (common->first = from;; common->first += options.step)
        {
            ::alarm(longest_round);
            ++common->rounds;
            std::string wrong;
            try
            {
                wrong = round({common->first, options.in_a_row, options.of});
            }
            catch (std::exception const& thrown)
            {
                wrong = std::string("threw ") + thrown.what();
            }
            (void)heap::disarm();
            if (!wrong.empty())
                common->note("allocation " + std::to_string(common->first) + ": " + wrong);
            if (heap::failed() == 0)
                break;
        }
        ::alarm(longest_round);
    }
    common->over = true;
#if defined(__SANITIZE_ADDRESS__)
    ::alarm(0);
    if (__lsan_do_recoverable_leak_check() != 0)
        std::_Exit(leaked);
#endif
    std::_Exit(0);
}

std::string end_of_child(int status)
{
    if (WIFSIGNALED(status))
        return std::string("killed by signal ") + std::to_string(WTERMSIG(status));
    switch (WEXITSTATUS(status))
    {
    case 0: return {};
    case terminated: return "std::terminate was called";
    case hung: return "it hangs";
    case crashed: return "it crashed";
    case leaked: return "memory was leaked";
    default: return "exit " + std::to_string(WEXITSTATUS(status));
    }
}

} // namespace

#if defined(__SANITIZE_ADDRESS__)
/** UndefinedBehaviorSanitizer calls this before it ends the process. Its report may be about a fault of Asio's. */
extern "C" void __ubsan_on_report()
{
    if (playing)
        die(crashed);
}
#endif

sweep_result sweep(make_round const& make, sweep_options const& options)
{
    void* const memory = ::mmap(nullptr, sizeof(told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        throw std::runtime_error("mmap");
    common = new (memory) told;
    static program_symbols const of_program;
    symbols = &of_program;
    sweep_result result;
    std::size_t from = 1;
    while (!common->over)
    {
        auto const child = ::fork();
        if (child < 0)
            throw std::runtime_error("fork");
        if (child == 0)
            play(make, options, from);
        int status = 0;
        while (::waitpid(child, &status, 0) < 0 && errno == EINTR)
        {
        }
        if (auto const how = end_of_child(status); !how.empty())
            common->note(common->over ? how : "allocation " + std::to_string(common->first) + ": " + how);
        from = common->first + options.step;
    }
    result.rounds = common->rounds;
    result.excused = common->excused;
    std::string_view rest(common->text.data(), common->used);
    while (!rest.empty())
    {
        auto const end = rest.find('\n');
        result.complaints.emplace_back(rest.substr(0, end));
        rest.remove_prefix(end + 1);
    }
    ::munmap(memory, sizeof(told));
    common = nullptr;
    return result;
}
