#include <ccloud/testing/simulator.hpp>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <exception>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace {

constexpr char usage[] = "Usage: ccloud-simulator [options]\n"
                         "Serves the four APIs of Confluent Cloud on localhost until SIGINT or SIGTERM.\n"
                         "\n"
                         "  --port N          listen on this port (default: any free one)\n"
                         "  --rate-limit N    answer 429 beyond N requests per 60 s (default: no limit)\n"
                         "  --seed-groups N   begin with N IP groups (default: 0)\n"
                         "  --path-prefix P   serve the API below this path, e.g. /api\n"
                         "  --plaintext       serve http instead of https\n"
                         "  --help            print this and exit\n"
                         "\n"
                         "The first four lines printed are variables for `export`.\n";

/** Told to the user; ends the program with 2. */
class usage_error : public std::runtime_error
{
public:
    using std::runtime_error::runtime_error;
};

struct command
{
    ccloud::testing::simulator_options options;
    bool help = false;
};

template <class Number>
Number parse_number(std::string_view option, std::string_view text, Number least = 0)
{
    Number value{};
    char const* const end = text.data() + text.size();
    auto const [stop, failure] = std::from_chars(text.data(), end, value);
    if (failure != std::errc() || stop != end || value < least)
        throw usage_error(std::string(option) + ": not a number in range: " + std::string(text));
    return value;
}

command parse(int count, char** arguments)
{
    command result;
    for (int i = 1; i < count; ++i)
    {
        std::string_view const option = arguments[i];
        auto const value = [&]() -> std::string_view {
            if (++i == count)
                throw usage_error(std::string(option) + ": needs a value");
            return arguments[i];
        };
        if (option == "--help")
            result.help = true;
        else if (option == "--plaintext")
            result.options.plaintext = true;
        else if (option == "--port")
            result.options.port = parse_number<std::uint16_t>(option, value());
        else if (option == "--rate-limit")
            result.options.rate_limit = parse_number<int>(option, value());
        else if (option == "--seed-groups")
            result.options.seed_groups = parse_number<std::size_t>(option, value());
        else if (option == "--path-prefix")
            result.options.path_prefix = value();
        else
            throw usage_error("unknown option " + std::string(option));
    }
    return result;
}

/** SIGINT and SIGTERM, blocked here and so in every thread made later, for `sigwait`. */
sigset_t block_signals()
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    return signals;
}

void serve(ccloud::testing::simulator_options const& options)
{
    sigset_t const signals = block_signals();
    ccloud::testing::simulator server(options);
    std::printf("CONFLUENT_CLOUD_ENDPOINT=%s\n", server.endpoint().c_str());
    std::printf("SSL_CERT_FILE=%s\n", server.ca_file().c_str());
    std::printf("CONFLUENT_CLOUD_API_KEY=%s\n", options.api_key.c_str());
    std::printf("CONFLUENT_CLOUD_API_SECRET=%s\n", options.api_secret.c_str());
    std::fflush(stdout);
    int received = 0;
    sigwait(&signals, &received);
}

} // namespace

int main(int count, char** arguments)
{
    try
    {
        command const wanted = parse(count, arguments);
        if (wanted.help)
            std::fputs(usage, stdout);
        else
            serve(wanted.options);
        return 0;
    }
    catch (usage_error const& failure)
    {
        std::fprintf(stderr, "ccloud-simulator: %s\n%s", failure.what(), usage);
        return 2;
    }
    catch (std::invalid_argument const& failure)
    {
        std::fprintf(stderr, "ccloud-simulator: %s\n", failure.what());
        return 2;
    }
    catch (std::system_error const& failure)
    {
        std::fprintf(stderr, "ccloud-simulator: cannot serve: %s\n", failure.code().message().c_str());
        return 1;
    }
    catch (std::exception const& failure)
    {
        std::fprintf(stderr, "ccloud-simulator: %s\n", failure.what());
        return 1;
    }
}
