#include "load.hpp"

#include <sys/resource.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>

namespace load {

namespace {

/** User and system time of this process in microseconds. */
std::int64_t cpu_time()
{
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * std::int64_t{1'000'000} + used.ru_utime.tv_usec +
           used.ru_stime.tv_usec;
}

std::size_t to_number(std::string_view option, std::string_view text)
{
    std::size_t number = 0;
    auto const read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size())
        throw std::invalid_argument(std::string(option) + " wants a number");
    return number;
}

void take_url(std::string_view url, job& into)
{
    constexpr std::string_view scheme = "https://";
    auto const slash = url.find('/', scheme.size());
    auto const colon = url.find(':', scheme.size());
    if (!url.starts_with(scheme) || slash == url.npos || colon > slash)
        throw std::invalid_argument("--url wants https://HOST:PORT/PATH");
    into.host = url.substr(scheme.size(), colon - scheme.size());
    into.port = url.substr(colon + 1, slash - colon - 1);
    into.target = url.substr(slash);
}

} // namespace

std::size_t job::number(std::string_view option, std::size_t otherwise) const
{
    auto const given = options.find(option);
    return given == options.end() ? otherwise : to_number(option, given->second);
}

std::string job::request(std::string_view program) const
{
    return "GET " + target + " HTTP/1.1\r\nHost: " + authority() + "\r\nAuthorization: " + std::string(authorization) +
           "\r\nUser-Agent: " + std::string(program) + "/1.0\r\nAccept: application/json\r\n\r\n";
}

void job::check(int status, std::size_t body) const
{
    if (status != 200)
        throw std::runtime_error("HTTP " + std::to_string(status));
    if (body_bytes != 0 && body != body_bytes)
        throw std::runtime_error("a body of " + std::to_string(body) + " bytes");
}

job parse(int count, char** arguments, std::vector<std::string_view> const& own)
{
    job asked;
    for (int i = 1; i < count; ++i)
    {
        std::string_view const option = arguments[i];
        auto const is_option = [option](std::string_view known) { return known.substr(0, known.find(' ')) == option; };
        auto const known = std::find_if(own.begin(), own.end(), is_option);
        bool const flag = known != own.end() && *known == option;
        if (!flag && ++i == count)
            throw std::invalid_argument(std::string(option) + " wants a value, or is not known");
        std::string_view const value = flag ? "" : arguments[i];
        if (known != own.end())
            asked.options[std::string(option)] = value;
        else if (option == "--url")
            take_url(value, asked);
        else if (option == "--ca")
            asked.ca_file = value;
        else if (option == "--connections")
            asked.connections = to_number(option, value);
        else if (option == "--requests")
            asked.requests = to_number(option, value);
        else if (option == "--body-bytes")
            asked.body_bytes = to_number(option, value);
        else
            throw std::invalid_argument(std::string(option) + " is not known");
    }
    asked.json = asked.has("--json");
    if (asked.host.empty() || asked.ca_file.empty() || asked.connections == 0 || asked.requests == 0)
        throw std::invalid_argument("wanted: --url, --ca, --connections, --requests");
    return asked;
}

meter::meter(job const& asked)
    : warm_up_((std::max)(asked.requests / 10, 8 * asked.connections)), requests_(asked.requests)
{
    latencies_.reserve((std::max)(warm_up_, requests_));
}

void meter::measure(std::function<void(std::size_t requests)> const& batch)
{
    batch(warm_up_);
    begin();
    batch(requests_);
    finish();
}

void meter::begin()
{
    latencies_.clear();
    cpu_before_ = cpu_time();
    began_ = clock::now();
}

void meter::finish()
{
    std::chrono::duration<double> const passed = clock::now() - began_;
    auto const cpu = cpu_time() - cpu_before_;
    if (latencies_.size() != requests_)
        throw std::logic_error(std::to_string(latencies_.size()) + " requests were noted");
    std::sort(latencies_.begin(), latencies_.end());
    auto const percentile = [this](std::size_t percent) { return latencies_[(requests_ - 1) * percent / 100] / 1e3; };
    std::printf(
        "requests=%zu seconds=%.6f cpu_us=%lld p50_us=%.1f p99_us=%.1f\n", requests_, passed.count(),
        static_cast<long long>(cpu), percentile(50), percentile(99)
    );
}

int run(
    int count, char** arguments, std::vector<std::string_view> const& own,
    std::function<void(job const&, meter&)> const& work
)
{
    try
    {
        auto const asked = parse(count, arguments, own);
        meter measured(asked);
        work(asked, measured);
        return EXIT_SUCCESS;
    }
    catch (std::exception const& failed)
    {
        std::fprintf(stderr, "%s: %s\n", arguments[0], failed.what());
        return EXIT_FAILURE;
    }
}

} // namespace load
