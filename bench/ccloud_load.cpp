// Ours in the contest: typed calls, with pool, gate, deadlines and retries. The callers are coroutines on the client's
// executor; each makes its calls one after the other.
#include <ccloud/ccloud.hpp>

#include "load.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace {

namespace asio = boost::asio;
namespace iam = ccloud::iam;

/** Hears of everything, and makes nothing of it. */
class listener final : public ccloud::observer
{
};

ccloud::config settings_for(load::job const& asked)
{
    ccloud::config settings;
    settings.endpoint = "https://" + asked.authority();
    settings.credentials = ccloud::api_key("KEY", "SECRET");
    settings.application = "ccloud-load/1.0";
    settings.tls.ca_file = asked.ca_file;
    settings.pool.max_connections_per_origin = asked.connections;
    settings.threading = asked.has("--hop") ? ccloud::threading::safe : ccloud::threading::serial;
    settings.compression = asked.has("--gzip");
    if (asked.has("--observer"))
        settings.observer = std::make_shared<listener>();
    return settings;
}

void require(bool holds)
{
    if (!holds)
        throw std::runtime_error("a call failed");
}

asio::awaitable<void> get_groups(
    iam::ip_groups const& groups, std::string_view id, load::meter& measured, std::size_t calls
)
{
    for (; calls > 0; --calls)
    {
        auto const begun = load::clock::now();
        auto got = co_await groups.get(id);
        require(got.has_value() && !got->id.empty());
        measured.note(begun);
    }
}

asio::awaitable<void> list_pages(iam::ip_groups const& groups, load::meter& measured, std::size_t calls)
{
    for (; calls > 0; --calls)
    {
        auto const begun = load::clock::now();
        auto all = groups.list();
        auto got = co_await all.next_page();
        require(got.has_value() && (*got)->items.size() == 100);
        measured.note(begun);
    }
}

asio::awaitable<void> get_raw(
    ccloud::client const& cloud, std::string const& target, load::meter& measured, std::size_t calls
)
{
    for (; calls > 0; --calls)
    {
        auto const begun = load::clock::now();
        auto got = co_await cloud.execute(ccloud::http_request(ccloud::method::get, target));
        require(got.has_value());
        measured.note(begun);
    }
}

/** All connections stand before the first call. */
void connect(asio::io_context& context, ccloud::client const& cloud, std::size_t connections)
{
    cloud.warm_up(connections);
    while (cloud.metrics().connections.idle < connections)
    {
        require(cloud.metrics().connections.closed_for(ccloud::close_reason::failed) == 0);
        context.restart();
        context.run_one();
    }
}

void contend(load::job const& asked, load::meter& measured)
{
    asio::io_context context(1);
    ccloud::client const cloud(context.get_executor(), settings_for(asked));
    iam::ip_groups const groups(cloud);
    auto const callers = asked.number("--callers", asked.connections);
    auto const id = asked.target.substr(asked.target.rfind('/') + 1);
    connect(context, cloud, asked.connections);
    measured.measure([&](std::size_t requests) {
        auto left = callers;
        for (std::size_t i = 0; i < callers; ++i)
        {
            auto const calls = load::share(requests, callers, i);
            auto work = asked.has("--raw")   ? get_raw(cloud, asked.target, measured, calls)
                        : asked.wants_page() ? list_pages(groups, measured, calls)
                                             : get_groups(groups, id, measured, calls);
            asio::co_spawn(context, std::move(work), [&](std::exception_ptr failed) {
                if (failed)
                    std::rethrow_exception(failed);
                if (--left == 0)
                    context.stop(); // idle connections would keep it running
            });
        }
        context.restart();
        context.run();
    });
}

} // namespace

int main(int count, char** arguments)
{
    return load::run(count, arguments, {"--callers N", "--observer", "--gzip", "--hop", "--raw"}, contend);
}
