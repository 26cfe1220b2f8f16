#ifndef CCLOUD_BENCH_PEERS_BEAST_DIAL_HPP
#define CCLOUD_BENCH_PEERS_BEAST_DIAL_HPP

#include "load.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>

#include <cstddef>
#include <exception>

namespace load {

/** TLS 1.3 alone, and only with a server whose authority the file has. */
inline boost::asio::ssl::context tls_profile(job const& asked)
{
    boost::asio::ssl::context made(boost::asio::ssl::context::tlsv13_client);
    made.set_verify_mode(boost::asio::ssl::verify_peer);
    made.load_verify_file(asked.ca_file);
    return made;
}

/** Connects, and waits for it: connections are not what is measured. */
template <class Stream>
void dial(Stream& stream, job const& asked)
{
    boost::asio::ip::tcp::resolver resolver(stream.get_executor());
    boost::asio::connect(stream.next_layer(), resolver.resolve(asked.host, asked.port));
    stream.next_layer().set_option(boost::asio::ip::tcp::no_delay(true));
    stream.set_verify_callback(boost::asio::ssl::host_name_verification(asked.host));
    stream.handshake(boost::asio::ssl::stream_base::client);
}

/** Runs the coroutines `worker(0)` to `worker(workers - 1)` to their ends. */
template <class Worker>
void run_all(boost::asio::io_context& context, std::size_t workers, Worker worker)
{
    for (std::size_t i = 0; i < workers; ++i)
        boost::asio::co_spawn(context, worker(i), [](std::exception_ptr failed) {
            if (failed)
                std::rethrow_exception(failed);
        });
    context.restart();
    context.run();
}

} // namespace load

#endif
