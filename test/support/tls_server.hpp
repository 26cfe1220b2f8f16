#ifndef CCLOUD_TEST_SUPPORT_TLS_SERVER_HPP
#define CCLOUD_TEST_SUPPORT_TLS_SERVER_HPP

#include <ccloud/client.hpp>

#include "certificates.hpp"

#include <boost/asio/io_context.hpp>

#include <openssl/ssl.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace support {

/** How long a test waits for what must happen; only a test that fails waits that long. */
inline constexpr std::chrono::seconds patience{5};

struct tls_server_options
{
    identity shown;
    int min_version = TLS1_2_VERSION;
    int max_version = TLS1_3_VERSION;
    std::string protocol = "http/1.1"; ///< what ALPN is to agree on
    bool imposes_protocol = false;     ///< chooses it even where the client does not offer it
    int hello_alert = -1;              ///< the alert that answers every ClientHello; -1: none
    std::string client_ca;             ///< demands a client certificate of this authority, PEM; empty: none
    bool pauses_at_start = false;      ///< reads no ClientHello before `go_on`
    bool pauses_midway = false;        ///< reads no second flight of the client before `go_on`
    bool resets_refused = false;       ///< a failed handshake ends by RST, not by FIN
    int tickets = 2;                   ///< after a full handshake; TLS 1.2 knows one or none
    std::size_t ticket_size = 0;       ///< bytes that a ticket has more than it needs
    bool keeps_sessions = false;       ///< resumes by sessions in its memory (session ids), not by what tickets hold
};

inline constexpr int tls_versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/** How a server ends a connection before any response. */
enum class ending : unsigned char {
    none,
    fin,                ///< FIN without close_notify, in one segment with the end of the handshake
    goodbye,            ///< close_notify and FIN, likewise
    reset,              ///< RST after the end of the handshake
    data,               ///< unrequested application data, with the server's last flight; then silence
    fin_midway,         ///< TLS 1.3: FIN with the server's flight, before the client's Finished is read
    fin_on_request,     ///< FIN once a request is there
    goodbye_on_request, ///< close_notify and FIN, likewise
    reset_on_request,   ///< RST, likewise
};

/** The messages that a server sends without end, and without reading from the client. */
enum class flood : unsigned char {
    none,
    tickets,          ///< TLS 1.3: NewSessionTicket
    key_updates,      ///< TLS 1.3: KeyUpdate, update_not_requested
    answered_updates, ///< TLS 1.3: KeyUpdate, update_requested; what the client answers is thrown away
    unread_updates,   ///< the same, but what the client answers is left in the socket
    hello_requests,   ///< TLS 1.2
};

/** Of a server that speaks one version, and shows a certificate of `ca` for this machine. */
tls_server_options of_version(int version, authority const& ca);

/** What the server has seen so far. */
struct tls_server_counts
{
    std::size_t accepted = 0; ///< TCP connections
    std::size_t open = 0;     ///< of these, now
    std::size_t full = 0;     ///< handshakes
    std::size_t resumed = 0;
    std::size_t failed = 0;
    std::size_t after_failure = 0; ///< bytes that came on connections whose handshake had failed
    std::size_t requests = 0;
    std::size_t goodbyes = 0;               ///< connections that the client ended with close_notify
    std::size_t cut_off = 0;                ///< without
    std::size_t key_updates = 0;            ///< KeyUpdate messages of clients
    std::size_t flooded = 0;                ///< messages of floods, given to the network
    std::vector<std::string> names;         ///< SNI of each ClientHello; empty: it has none
    std::vector<std::string> clients;       ///< common name of the client's certificate, for each handshake
    std::vector<std::string> failures;      ///< OpenSSL's reason, for each handshake that failed
    std::map<std::uint64_t, int> presented; ///< how often each ticket came back, by its number
    std::vector<std::string> presented_to;  ///< SNI of each ClientHello with a ticket
};

/** A TLS server of OpenSSL on a thread of its own, at 127.0.0.1. It answers every HTTP/1.1 request by a list of one IP
    group, and misbehaves when it is told to: each member does so on every open connection whose handshake is done,
    and returns when it has. */
class tls_server
{
public:
    explicit tls_server(tls_server_options options);
    ~tls_server();
    tls_server(tls_server const&) = delete;
    tls_server& operator=(tls_server const&) = delete;

    std::uint16_t port() const noexcept;

    /** "https://localhost:port", or for another name of this machine. */
    std::string endpoint(std::string const& host = "localhost") const;

    /** The settings of a client that trusts `ca`. */
    ccloud::config settings(authority const& ca) const;

    tls_server_counts counts() const;

    /** Waits until `holds` is true of the counts; false where patience runs out. */
    bool sees(std::function<bool(tls_server_counts const&)> const& holds) const;

    /** Has another certificate for connections to come. What tickets are encrypted with stays the same. */
    void show(identity const& other);

    /** Knows none of the tickets it has given. */
    void forget_tickets();

    /** Answers nothing before so many requests wait; then all of them. */
    void hold(std::size_t requests);

    /** Lets the handshakes continue that pause. */
    void go_on();

    /** Has each further answer followed by these bytes, and by close_notify if wanted, in the same segment. */
    void add_to_answers(std::string const& bytes, bool goodbye);

    void send_ticket();                    ///< TLS 1.3
    void update_keys(bool want_yours);     ///< TLS 1.3
    void ask_to_renegotiate();             ///< TLS 1.2
    void send(std::string_view bytes);     ///< application data that nobody asked for
    void say_goodbye(bool and_end = true); ///< close_notify, and FIN
    void end();                            ///< FIN without close_notify
    void reset();                          ///< RST

    /** Every further connection ends like this. */
    void end_all(ending how);

    /** Sends up to a number of messages on every open connection, or on every later connection after its handshake. */
    void flood_open(flood with, std::size_t most);
    void flood_new(flood with, std::size_t most);

    /** Reads no more, and so answers no close_notify, until `listen_again`. */
    void stop_listening();
    void listen_again();

private:
    class implementation;
    std::unique_ptr<implementation> impl_;
};

/** A client over the real network that moves only while the test waits for something. */
class driven_client
{
public:
    explicit driven_client(ccloud::config settings);

    /** With the transport that `make` gives. */
    using transport_maker = std::function<std::shared_ptr<ccloud::transport>(ccloud::asio::any_io_executor)>;
    driven_client(ccloud::config settings, transport_maker const& make);

    /** Closes the client. */
    ~driven_client();
    driven_client(driven_client const&) = delete;
    driven_client& operator=(driven_client const&) = delete;

    ccloud::client& operator*() noexcept { return *cloud_; }
    ccloud::client* operator->() noexcept { return &*cloud_; }
    ccloud::connection_metrics connections() const noexcept { return cloud_->metrics().connections; }
    boost::asio::io_context& context() noexcept { return context_; }

    using outcome = ccloud::result<ccloud::http_response>;
    using outcomes = std::shared_ptr<std::vector<outcome>>;

    /** Lists the groups. Ends the test where it has not ended in time. */
    outcome get();
    outcome post(std::string body = R"({"group_name": "CorpNet", "cidr_blocks": ["192.168.0.0/24"]})");
    std::vector<outcome> get_all(std::size_t concurrent);

    /** Begins calls that list the groups; they go on while the client runs. */
    outcomes start(std::size_t concurrent);
    outcomes start(ccloud::http_request const& request, std::size_t concurrent = 1);

    /** Runs the client until `holds` is true; false where patience runs out, or nothing is left to run. */
    bool until(std::function<bool()> const& holds);

    /** Lets one thing happen; false where nothing does. */
    bool turn();

    /** Runs the client until it has nothing left to do; false where patience runs out. */
    bool runs_out();

private:
    std::vector<outcome> finish(outcomes const& begun, std::size_t concurrent);

    boost::asio::io_context context_;
    std::optional<ccloud::client> cloud_;
};

/** Why a call failed; empty: it did not. */
inline std::string complaint(driven_client::outcome const& got)
{
    return got.has_value() ? std::string() : got.error().what();
}

} // namespace support

#endif
