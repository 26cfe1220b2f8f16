// What does a new connection cost the client, with a full handshake and with a resumed one? TCP, TLS 1.3 and one
// exchange each time, for the answer says that the connection closes. CPU of the client's thread; the server and the
// look-up of the name have their own.
#include <ccloud/ccloud.hpp>

#include "measure.hpp"
#include "questions.hpp"
#include "testing/simulator_tls.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

#include <atomic>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace bench {

namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

/** Answers one request a connection, one connection after the other. */
class one_shot_server
{
public:
    explicit one_shot_server(bool resumes) : context_(asio::ssl::context::tls_server)
    {
        identity_.install(context_.native_handle());
        SSL_CTX_set_session_cache_mode(context_.native_handle(), SSL_SESS_CACHE_OFF);
        if (!resumes)
            SSL_CTX_set_num_tickets(context_.native_handle(), 0);
        thread_ = std::thread([this] { serve(); });
    }

    ~one_shot_server()
    {
        stopped_ = true;
        boost::system::error_code ignored;
        tcp::socket(io_).connect(acceptor_.local_endpoint(), ignored); // wakes it up
        thread_.join();
    }

    ccloud::config settings() const
    {
        ccloud::config how;
        how.endpoint = "https://localhost:" + std::to_string(acceptor_.local_endpoint().port());
        how.credentials = ccloud::api_key("KEY", "SECRET");
        how.tls.ca_file = identity_.ca_file();
        how.threading = ccloud::threading::serial;
        return how;
    }

private:
    void serve()
    {
        while (!stopped_)
        {
            boost::system::error_code failed;
            asio::ssl::stream<tcp::socket> peer(acceptor_.accept(), context_);
            peer.next_layer().set_option(tcp::no_delay(true), failed);
            peer.handshake(asio::ssl::stream_base::server, failed);
            std::string request;
            if (!failed)
                asio::read_until(peer, asio::dynamic_buffer(request), "\r\n\r\n", failed);
            if (!failed)
                asio::write(
                    peer,
                    asio::buffer(std::string("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")),
                    failed
                );
        }
    }

    ccloud::testing::simulated::tls_identity identity_;
    asio::ssl::context context_;
    asio::io_context io_;
    tcp::acceptor acceptor_{io_, {asio::ip::address_v4::loopback(), 0}};
    std::atomic<bool> stopped_{false};
    std::thread thread_;
};

/** Calls, one after the other; each makes a connection. */
class visitor
{
public:
    explicit visitor(bool resumes)
        : resumes_(resumes), server_(resumes), cloud_(context_.get_executor(), server_.settings())
    {
    }

    std::vector<double> run()
    {
        constexpr int calls = 200;
        auto const before = cloud_.metrics().connections;
        auto const start = thread_cpu_seconds();
        asio::co_spawn(context_, work(calls), [](std::exception_ptr failed) {
            if (failed)
                std::rethrow_exception(failed);
        });
        context_.run();
        auto const used = thread_cpu_seconds() - start;
        context_.restart();
        auto const after = cloud_.metrics().connections;
        auto const resumed = after.handshakes_resumed - before.handshakes_resumed;
        if (resumed < (resumes_ ? calls - 1 : 0) || (!resumes_ && resumed > 0))
            throw std::runtime_error("handshake: " + std::to_string(resumed) + " were resumed");
        return {used * 1e6 / calls};
    }

private:
    asio::awaitable<void> work(int calls)
    {
        for (int i = 0; i < calls; ++i)
            (void)co_await or_throw(cloud_.execute(ccloud::http_request(ccloud::method::get, "/")));
    }

    bool resumes_;
    one_shot_server server_;
    asio::io_context context_{1};
    ccloud::client cloud_;
};

} // namespace

void handshake(int rounds, report& notes)
{
    auto const resumed = std::make_shared<visitor>(true);
    auto const full = std::make_shared<visitor>(false);
    question asked;
    asked.name = "handshake";
    asked.title = "A new TLS 1.3 connection and one exchange";
    asked.metrics = {{"cpu_us", "us"}};
    asked.contenders = {
        {"resumed", true, [resumed] { return resumed->run(); }},
        {"full", true, [full] { return full->run(); }},
    };
    ask(asked, rounds, notes);
    notes.add_ratio("ratio/handshake_resumed_vs_full", "cpu_us/handshake/resumed", "cpu_us/handshake/full");
    notes.claim("ratio/handshake_resumed_vs_full", 0.60);
    notes.chart("Client CPU of a new connection", "cpu_us/handshake");
}

} // namespace bench
