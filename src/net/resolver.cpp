#include "net/resolver.hpp"

#include "core/shortage.hpp"
#include "net/descriptor_shortage.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <new>
#include <thread>
#include <utility>

namespace ccloud::net {

using boost::system::error_code;

namespace {

/** Look-ups of one name at the same time: a second one where the first hangs. */
constexpr std::ptrdiff_t most_lookups = 2;

struct address_list
{
    addrinfo* first = nullptr;
    address_list() = default;
    address_list(address_list const&) = delete;
    address_list& operator=(address_list const&) = delete;
    ~address_list()
    {
        if (first)
            ::freeaddrinfo(first);
    }
};

/** What a failure of getaddrinfo means, together with the errno that it left. */
std::error_code why_not_found(int failed, int system_error) noexcept
{
    // Without a free descriptor, getaddrinfo reports an unknown name, and errno may come from a later step.
    std::error_code const cause(system_error, std::system_category());
    if (!core::shortage_of(cause).empty() || (failed == EAI_SYSTEM && cause))
        return cause;
    if (auto const lacking = descriptor_shortage())
        return lacking;
    switch (failed)
    {
    case EAI_AGAIN: return error_code(asio::error::host_not_found_try_again);
    case EAI_SYSTEM:
    case EAI_FAIL: return error_code(asio::error::no_recovery);
    case EAI_MEMORY: return error_code(asio::error::no_memory);
    default: return error_code(asio::error::host_not_found);
    }
}

} // namespace

name_answer system_lookup(std::string const& name)
{
    addrinfo wanted{};
    wanted.ai_family = AF_UNSPEC;
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = AI_ADDRCONFIG;
    address_list found;
    name_answer answer;
    errno = 0;
    if (int const failed = ::getaddrinfo(name.c_str(), nullptr, &wanted, &found.first))
    {
        answer.failure = why_not_found(failed, errno);
        return answer;
    }
    for (auto const* one = found.first; one; one = one->ai_next)
    {
        std::array<char, NI_MAXHOST> text{};
        if (::getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0)
            answer.addresses.emplace_back(text.data());
    }
    if (answer.addresses.empty())
        answer.failure = error_code(asio::error::host_not_found);
    return answer;
}

/** What a look-up's thread shares with who asked. It touches nothing else of this process: that may be gone by then. */
struct resolver::lookup_state
{
    lookup_state() = default;
    lookup_state(lookup_state const&) = delete;
    lookup_state& operator=(lookup_state const&) = delete;
    ~lookup_state() { ::close(far_end); }

    name_answer answer; ///< once `ready`
    std::atomic<bool> ready{false};
    int far_end = -1; ///< of a pair of sockets, by which it says so
};

/** A look-up under way. */
struct resolver::pending
{
    explicit pending(asio::any_io_executor const& executor) : finished(executor) {}

    std::string name;
    steady_time started{};
    std::shared_ptr<lookup_state> state;
    asio::posix::stream_descriptor finished;
};

name_wait::~name_wait()
{
    if (asked_)
        std::erase_if(asked_->waits_, [this](auto const& one) { return one.second == this; });
}

resolver::resolver(asio::any_io_executor executor, name_lookup lookup, std::chrono::nanoseconds address_lifetime)
    : executor_(std::move(executor)), lookup_(std::move(lookup)), cache_(address_lifetime)
{
}

resolver::~resolver()
{
    for (auto const& [name, wait] : waits_)
        wait->asked_ = nullptr;
}

bool resolver::ask(std::string const& name, name_wait& wait, steady_time now, std::chrono::nanoseconds patience)
{
    if (auto const* known = cache_.fresh(name, now))
    {
        wait.answer.addresses = *known;
        return true;
    }
    if (auto const failed = cache_.recent_failure(name, now))
    {
        wait.answer = instead_of(failed, name, now);
        return true;
    }
    auto const same = [&name](auto const& one) { return one->name == name; };
    auto const under_way = std::count_if(pending_.begin(), pending_.end(), same);
    auto const newest = std::find_if(pending_.rbegin(), pending_.rend(), same);
    if (under_way == 0 || (under_way < most_lookups && now - (*newest)->started >= patience))
    {
        auto const failed = start(name, now);
        if (failed && under_way == 0)
        {
            wait.answer = instead_of(failed, name, now);
            return true;
        }
    }
    waits_.emplace_back(name, &wait);
    wait.asked_ = this;
    return false;
}

void resolver::expire(std::string const& name, name_wait& wait, steady_time now)
{
    auto const found = std::find_if(pending_.begin(), pending_.end(), [&name](auto const& one) {
        return one->name == name && one->state->ready.load(std::memory_order_acquire);
    });
    wait.answer = instead_of({}, name, now);
    if (found != pending_.end())
    {
        auto const answered = *found;
        take(answered, now);
    }
}

name_answer resolver::instead_of(std::error_code const& failure, std::string const& name, steady_time now) const
{
    if (auto const* known = cache_.stale(name, now))
        return {*known, {}};
    return {{}, failure};
}

std::error_code resolver::start(std::string const& name, steady_time now)
{
    try
    {
        pending_.reserve(pending_.size() + 1);
        auto job = std::make_shared<pending>(executor_);
        job->name = name;
        job->started = now;
        job->state = std::make_shared<lookup_state>();
        std::array<int, 2> ends{};
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
            return {errno, std::system_category()};
        job->state->far_end = ends[1];
        error_code failed;
        job->finished.assign(ends[0], failed);
        if (failed)
        {
            ::close(ends[0]);
            return failed;
        }
        job->finished.async_wait(
            asio::posix::stream_descriptor::wait_read,
            [this, watched = std::weak_ptr(job)](error_code) {
                if (auto const done = watched.lock()) // then the resolver is there, too
                    take(done, std::chrono::steady_clock::now());
            }
        );
        std::thread(look_up, job->state, lookup_, name).detach();
        pending_.push_back(std::move(job));
        return {};
    }
    catch (std::system_error const& failed) // of std::thread
    {
        return failed.code();
    }
    catch (std::bad_alloc const&)
    {
        return std::make_error_code(std::errc::not_enough_memory);
    }
}

/** Runs on the thread of a lookup. */
void resolver::look_up(
    std::shared_ptr<lookup_state> const& state, name_lookup const& lookup, std::string const& name
) noexcept
{
    try
    {
        state->answer = lookup(name);
    }
    catch (std::bad_alloc const&)
    {
        state->answer.failure = error_code(asio::error::no_memory);
    }
    catch (...)
    {
        state->answer.failure = error_code(asio::error::no_recovery);
    }
    state->ready.store(true, std::memory_order_release);
    (void)::send(state->far_end, "", 1, MSG_NOSIGNAL);
}

void resolver::take(std::shared_ptr<pending> const& done, steady_time now) noexcept
{
    auto const& name = done->name;
    std::erase(pending_, done);
    if (!done->state->ready.load(std::memory_order_acquire))
        return;
    name_answer answer;
    try
    {
        answer = learn(name, done->state->answer, now);
    }
    catch (std::bad_alloc const&)
    {
        answer.failure = error_code(asio::error::no_memory);
    }
    for (auto& [wanted, wait] : waits_)
        if (wanted == name)
        {
            wait->asked_ = nullptr;
            try
            {
                wait->answer = answer;
            }
            catch (std::bad_alloc const&)
            {
                wait->answer.failure = error_code(asio::error::no_memory);
            }
            wait->finish(detail::wake::granted);
        }
    std::erase_if(waits_, [](auto const& one) { return !one.second->asked_; });
}

/** Caches the result of a lookup, but not a failure for lack of local resources, which says nothing about the name.
    @return the result for the waits */
name_answer resolver::learn(std::string const& name, name_answer const& found, steady_time now)
{
    if (!found.failure)
        cache_.found(name, found.addresses, now);
    else if (core::shortage_of(found.failure).empty())
        cache_.failed(name, found.failure, now);
    return found.failure ? instead_of(found.failure, name, now) : found;
}

} // namespace ccloud::net
