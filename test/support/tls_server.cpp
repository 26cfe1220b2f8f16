#include "tls_server.hpp"

#include "fixture.hpp"

#include <boost/asio/co_spawn.hpp>

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <deque>
#include <future>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

namespace support {

using ccloud::testing::simulated::certificate_pointer;
using ccloud::testing::simulated::key_pointer;

namespace {

template <class Result>
Result check(Result result, char const* what)
{
    if (result)
        return result;
    char reason[256];
    ERR_error_string_n(ERR_get_error(), reason, sizeof reason);
    throw std::runtime_error(std::string("tls_server: ") + what + ": " + reason);
}

struct openssl_delete
{
    void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
    void operator()(BIO* memory) const noexcept { BIO_free(memory); }
};

std::unique_ptr<BIO, openssl_delete> reader_of(std::string const& text)
{
    return std::unique_ptr<BIO, openssl_delete>(
        check(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), "memory")
    );
}

void use(SSL_CTX* context, identity const& shown)
{
    auto const certificates = reader_of(shown.certificate);
    certificate_pointer const leaf(check(PEM_read_bio_X509(certificates.get(), nullptr, nullptr, nullptr), "PEM"));
    check(SSL_CTX_use_certificate(context, leaf.get()), "certificate");
    check(SSL_CTX_clear_chain_certs(context), "chain");
    while (certificate_pointer const above{PEM_read_bio_X509(certificates.get(), nullptr, nullptr, nullptr)})
        check(SSL_CTX_add1_chain_cert(context, above.get()), "chain");
    ERR_clear_error(); // of the end of the text
    auto const text = reader_of(shown.key);
    key_pointer const key(check(PEM_read_bio_PrivateKey(text.get(), nullptr, nullptr, nullptr), "PEM"));
    check(SSL_CTX_use_PrivateKey(context, key.get()), "private key");
}

void demand_client_certificate(SSL_CTX* context, std::string const& ca)
{
    auto const text = reader_of(ca);
    certificate_pointer const root(check(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr), "PEM"));
    check(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), root.get()), "client CA");
    check(SSL_CTX_add_client_CA(context, root.get()), "client CA");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
}

void set_resumption(SSL_CTX* context, tls_server_options const& options)
{
    check(SSL_CTX_set_session_id_context(context, reinterpret_cast<unsigned char const*>("test"), 4), "sessions");
    check(SSL_CTX_set_num_tickets(context, static_cast<std::size_t>(options.tickets)), "tickets");
    bool const cached = options.keeps_sessions && options.tickets > 0;
    if (options.keeps_sessions || options.tickets == 0)
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(context, cached ? SSL_SESS_CACHE_SERVER : SSL_SESS_CACHE_OFF);
}

/** The name of a ClientHello's server_name extension (RFC 6066 section 3). */
std::string name_in_hello(SSL* ssl)
{
    unsigned char const* data = nullptr;
    std::size_t size = 0;
    std::size_t const before = 5; // length of the list, type, length of the name
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &size) != 1 || size < before)
        return {};
    return std::string(reinterpret_cast<char const*>(data) + before, size - before);
}

std::string common_name(X509* certificate)
{
    char text[256] = "";
    if (certificate)
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text, sizeof text);
    return text;
}

struct peer
{
    peer(int socket, SSL_CTX* context) : fd(socket), ssl(SSL_new(context))
    {
        SSL_set_fd(ssl, fd);
        SSL_set_accept_state(ssl);
        BIO_set_callback_ex(SSL_get_rbio(ssl), &see_transfer);
        BIO_set_callback_arg(SSL_get_rbio(ssl), reinterpret_cast<char*>(this));
    }
    peer(peer const&) = delete;
    peer& operator=(peer const&) = delete;

    ~peer()
    {
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); // else its session dies with it
        SSL_free(ssl);
        ::close(fd);
    }

    bool midway() const noexcept { return pauses && wrote; }

    /** Keeps OpenSSL from reading on in the middle of a handshake. */
    static long see_transfer(BIO* bio, int what, char const*, std::size_t, int, long, int result, std::size_t*)
    {
        auto& self = *reinterpret_cast<peer*>(BIO_get_callback_arg(bio));
        if (what == BIO_CB_WRITE)
            self.wrote = true;
        if (what != BIO_CB_READ || !self.midway())
            return result;
        BIO_set_retry_read(bio);
        return -1;
    }

    /** Whether to keep back what is written until it is a whole segment. */
    void gather(bool yes) const noexcept
    {
        int const value = yes ? 1 : 0;
        ::setsockopt(fd, IPPROTO_TCP, TCP_CORK, &value, sizeof value);
    }

    void reset_on_close() const noexcept
    {
        linger const at_once{1, 0};
        ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }

    int fd;
    SSL* ssl;
    bool up = false;
    bool failed = false;
    bool deaf = false;
    bool pauses = false; // after its first flight
    bool wrote = false;
    bool over = false;
    flood floods = flood::none;
    std::size_t to_flood = 0; // messages
    bool hung_up = false;     // reads on until the client closes
    std::string received{};
    int unanswered = 0;
};

} // namespace

tls_server_options of_version(int version, authority const& ca)
{
    tls_server_options options;
    options.shown = ca.issue(subject::local());
    options.min_version = options.max_version = version;
    return options;
}

class tls_server::implementation
{
public:
    explicit implementation(tls_server_options options)
        : options_(std::move(options)), context_(check(SSL_CTX_new(TLS_server_method()), "context")),
          wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
    {
        auto const body = fixture("iam/ip_groups/page_bare.json");
        answer_ =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
            "\r\n\r\n" + body;
        configure();
        listen();
        thread_ = std::thread([this] { run(); });
    }

    ~implementation()
    {
        perform([this] { stopped_ = true; });
        thread_.join();
        peers_.clear();
        ::close(listener_);
        ::close(wake_);
    }

    std::uint16_t port() const noexcept { return port_; }

    tls_server_counts counts() const
    {
        std::lock_guard const guard(mutex_);
        return counts_;
    }

    bool sees(std::function<bool(tls_server_counts const&)> const& holds) const
    {
        std::unique_lock guard(mutex_);
        return changed_.wait_for(guard, patience, [&] { return holds(counts_); });
    }

    /** Runs `what` on the server's thread, and waits for its end. */
    void perform(std::function<void()> what)
    {
        std::packaged_task<void()> task(std::move(what));
        auto done = task.get_future();
        {
            std::lock_guard const guard(mutex_);
            tasks_.push_back(std::move(task));
        }
        std::uint64_t const one = 1;
        (void)!::write(wake_, &one, sizeof one);
        done.get();
    }

    void for_each(std::function<void(peer&)> what)
    {
        perform([this, what] {
            for (auto& each : peers_)
                if (each->up && !each->over)
                {
                    ERR_clear_error();
                    what(*each);
                }
        });
    }

    void show(identity const& other)
    {
        perform([this, other] { use(context_.get(), other); });
    }

    void forget_tickets()
    {
        perform([this] {
            auto const size = SSL_CTX_get_tlsext_ticket_keys(context_.get(), nullptr, 0);
            std::vector<unsigned char> keys(static_cast<std::size_t>(size));
            check(RAND_bytes(keys.data(), static_cast<int>(size)) == 1, "random");
            check(SSL_CTX_set_tlsext_ticket_keys(context_.get(), keys.data(), size), "ticket keys");
        });
    }

    void go_on()
    {
        perform([this] {
            for (auto& each : peers_)
                each->deaf = each->pauses = false;
        });
    }

    void add_to_answers(std::string const& bytes, bool goodbye)
    {
        perform([this, bytes, goodbye] {
            addition_ = bytes;
            parts_ = goodbye;
        });
    }

    void end_all(ending how)
    {
        perform([this, how] { ending_ = how; });
    }

    void flood_new(flood with, std::size_t most)
    {
        perform([this, with, most] {
            flood_new_ = with;
            most_flooded_ = most;
        });
    }

    void hold(std::size_t requests)
    {
        perform([this, requests] {
            held_ = requests;
            answer_waiting();
        });
    }

    static void begin_flood(peer& to, flood with, std::size_t most)
    {
        int const small = 32 * 1024;
        ::setsockopt(to.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        to.floods = with;
        to.to_flood = most;
    }

private:
    static constexpr std::string_view unasked = "HTTP/1.1 408 Request Timeout\r\n\r\n";

    static implementation& of(void* self) { return *static_cast<implementation*>(self); }

    void configure()
    {
        auto* const context = context_.get();
        use(context, options_.shown);
        if (options_.max_version < TLS1_2_VERSION)
            check(SSL_CTX_set_cipher_list(context, "DEFAULT:@SECLEVEL=0"), "ciphers");
        check(SSL_CTX_set_min_proto_version(context, options_.min_version), "version");
        check(SSL_CTX_set_max_proto_version(context, options_.max_version), "version");
        if (!options_.client_ca.empty())
            demand_client_certificate(context, options_.client_ca);
        set_resumption(context, options_);
        SSL_CTX_set_alpn_select_cb(context, &choose_protocol, this);
        SSL_CTX_set_client_hello_cb(context, &see_hello, this);
        SSL_CTX_set_session_ticket_cb(context, &number_ticket, &see_ticket, this);
        SSL_CTX_set_msg_callback(context, &see_message);
        SSL_CTX_set_msg_callback_arg(context, this);
    }

    void listen()
    {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        sockaddr_in where{};
        where.sin_family = AF_INET;
        where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        auto* const address = reinterpret_cast<sockaddr*>(&where);
        socklen_t size = sizeof where;
        if (::bind(listener_, address, size) != 0 || ::listen(listener_, 256) != 0 ||
            ::getsockname(listener_, address, &size) != 0)
            throw std::runtime_error("tls_server: cannot listen");
        port_ = ntohs(where.sin_port);
    }

    static int choose_protocol(
        SSL*, unsigned char const** chosen, unsigned char* length, unsigned char const* offered,
        unsigned offered_length, void* self
    )
    {
        auto const& options = of(self).options_;
        std::string_view const rest(reinterpret_cast<char const*>(offered), offered_length);
        auto const entry = static_cast<char>(options.protocol.size()) + options.protocol;
        if (!options.imposes_protocol && rest.find(entry) == std::string_view::npos)
            return SSL_TLSEXT_ERR_ALERT_FATAL;
        *chosen = reinterpret_cast<unsigned char const*>(options.protocol.data());
        *length = static_cast<unsigned char>(options.protocol.size());
        return SSL_TLSEXT_ERR_OK;
    }

    static int see_hello(SSL* ssl, int* alert, void* self)
    {
        auto& server = of(self);
        server.counts_.names.push_back(name_in_hello(ssl));
        if (server.options_.hello_alert < 0)
            return SSL_CLIENT_HELLO_SUCCESS;
        *alert = server.options_.hello_alert;
        return SSL_CLIENT_HELLO_ERROR;
    }

    static int number_ticket(SSL* ssl, void* self)
    {
        auto const number = ++of(self).tickets_;
        std::vector<unsigned char> data(sizeof number + of(self).options_.ticket_size);
        std::memcpy(data.data(), &number, sizeof number);
        return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), data.data(), data.size());
    }

    static SSL_TICKET_RETURN see_ticket(
        SSL*, SSL_SESSION* session, unsigned char const*, std::size_t, SSL_TICKET_STATUS status, void* self
    )
    {
        if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
            return SSL_TICKET_RETURN_IGNORE_RENEW;
        void* data = nullptr;
        std::size_t size = 0;
        std::uint64_t number = 0;
        if (SSL_SESSION_get0_ticket_appdata(session, &data, &size) == 1 && size >= sizeof number)
            std::memcpy(&number, data, sizeof number);
        auto& counts = of(self).counts_;
        ++counts.presented[number];
        counts.presented_to.push_back(counts.names.back());
        return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
    }

    static void see_message(int sent, int, int type, void const* bytes, std::size_t size, SSL*, void* self)
    {
        bool const handshake = sent == 0 && type == SSL3_RT_HANDSHAKE && size > 0;
        if (handshake && *static_cast<unsigned char const*>(bytes) == SSL3_MT_KEY_UPDATE)
            ++of(self).counts_.key_updates;
    }

    void run()
    {
        sigset_t broken_pipe; // OpenSSL writes by write()
        sigemptyset(&broken_pipe);
        sigaddset(&broken_pipe, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
        while (!stopped_)
        {
            std::vector<pollfd> watched{{wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
            for (auto const& each : peers_)
            {
                short const wanted = each->floods == flood::none ? POLLIN : POLLOUT;
                watched.push_back({each->deaf ? -1 : each->fd, wanted, 0});
            }
            ::poll(watched.data(), watched.size(), -1);
            std::deque<std::packaged_task<void()>> tasks;
            {
                std::lock_guard const guard(mutex_);
                std::uint64_t count = 0;
                (void)!::read(wake_, &count, sizeof count);
                tasks.swap(tasks_);
                for (std::size_t i = 2; i < watched.size(); ++i)
                    if (watched[i].revents != 0)
                        advance(*peers_[i - 2]);
                if (watched[1].revents != 0)
                    accept();
                bury();
                for (auto& task : tasks)
                    task();
                bury();
            }
            changed_.notify_all();
        }
    }

    void accept()
    {
        for (;;)
        {
            int const fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0)
                return;
            int const yes = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
            peers_.push_back(std::make_unique<peer>(fd, context_.get()));
            peers_.back()->deaf = options_.pauses_at_start;
            peers_.back()->pauses = options_.pauses_midway;
            ++counts_.accepted;
        }
    }

    void bury()
    {
        std::erase_if(peers_, [](auto const& each) { return each->over; });
        counts_.open = peers_.size();
    }

    void advance(peer& with)
    {
        ERR_clear_error();
        if (with.floods != flood::none)
            go_on_flooding(with);
        else if (with.failed || with.hung_up)
            drain(with);
        else if (with.up || shake_hands(with))
            serve(with);
    }

    /** Sends some messages, as far as the socket takes them; then the loop looks at the others. */
    void go_on_flooding(peer& to)
    {
        constexpr int at_once = 64;
        std::array<char, 4096> answers;
        if (to.floods == flood::answered_updates)
            while (::recv(to.fd, answers.data(), answers.size(), MSG_DONTWAIT) > 0)
                ;
        // OpenSSL does not report that a ticket cannot be sent any more.
        pollfd state{to.fd, 0, 0};
        ::poll(&state, 1, 0);
        to.over = state.revents != 0;
        if (to.over)
            return;
        for (int i = 0; i < at_once && to.to_flood > 0; ++i)
        {
            ERR_clear_error();
            if (!SSL_in_init(to.ssl))
                begin_message(to);
            int const done = SSL_do_handshake(to.ssl);
            if (done != 1)
            {
                to.over = SSL_get_error(to.ssl, done) != SSL_ERROR_WANT_WRITE;
                return;
            }
            --to.to_flood;
            ++counts_.flooded;
        }
        if (to.to_flood == 0)
            to.floods = flood::none;
    }

    static void begin_message(peer& to)
    {
        switch (to.floods)
        {
        case flood::tickets: check(SSL_new_session_ticket(to.ssl), "ticket"); break;
        case flood::key_updates: check(SSL_key_update(to.ssl, SSL_KEY_UPDATE_NOT_REQUESTED), "key"); break;
        case flood::answered_updates:
        case flood::unread_updates: check(SSL_key_update(to.ssl, SSL_KEY_UPDATE_REQUESTED), "key"); break;
        case flood::hello_requests: check(SSL_renegotiate(to.ssl), "renegotiation"); break;
        case flood::none: break;
        }
    }

    bool shake_hands(peer& with)
    {
        if (ending_ == ending::data && !with.wrote && options_.max_version >= TLS1_3_VERSION)
            return speak_early(with);
        bool const cuts = ending_ != ending::none;
        if (cuts)
            with.gather(true);
        int const done = SSL_accept(with.ssl);
        int const why = SSL_get_error(with.ssl, done);
        if (cuts)
            cut_short(with, done == 1);
        if (with.hung_up || with.over)
            return false;
        if (done == 1)
        {
            with.up = true;
            ++(SSL_session_reused(with.ssl) ? counts_.resumed : counts_.full);
            counts_.clients.push_back(common_name(SSL_get0_peer_certificate(with.ssl)));
        }
        else if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
            refuse(with);
        else if (with.midway())
            with.deaf = true;
        if (with.up && flood_new_ != flood::none)
        {
            begin_flood(with, flood_new_, most_flooded_);
            return false;
        }
        return with.up;
    }

    /** TLS 1.3 lets a server send data with its first flight (RFC 8446 section 4.4.4, "0.5-RTT data"). */
    bool speak_early(peer& with)
    {
        std::array<char, 64> none;
        std::size_t moved = 0;
        with.gather(true);
        if (SSL_read_early_data(with.ssl, none.data(), none.size(), &moved) == SSL_READ_EARLY_DATA_FINISH)
            check(SSL_write_early_data(with.ssl, unasked.data(), unasked.size(), &moved) == 1, "early data");
        with.gather(false);
        return false;
    }

    /** Ends a connection as `end_all` wants it, where it is time to. */
    void cut_short(peer& with, bool up)
    {
        bool const now = ending_ == ending::fin_midway ? with.wrote && !up : up && !ends_on_request();
        if (now && up)
            ++(SSL_session_reused(with.ssl) ? counts_.resumed : counts_.full);
        if (now)
            hang_up(with, ending_);
        with.gather(false);
    }

    void hang_up(peer& with, ending how)
    {
        switch (how)
        {
        case ending::none: return;
        case ending::goodbye:
        case ending::goodbye_on_request: SSL_shutdown(with.ssl); [[fallthrough]];
        case ending::fin:
        case ending::fin_midway:
        case ending::fin_on_request:
            ::shutdown(with.fd, SHUT_WR);
            with.hung_up = true;
            return;
        case ending::reset:
        case ending::reset_on_request:
            with.gather(false);
            with.reset_on_close();
            with.over = true;
            return;
        case ending::data:
            if (options_.max_version < TLS1_3_VERSION)
                SSL_write(with.ssl, unasked.data(), static_cast<int>(unasked.size()));
            with.hung_up = true;
            return;
        }
    }

    void refuse(peer& with)
    {
        auto const* const reason = ERR_reason_error_string(ERR_peek_last_error());
        counts_.failures.emplace_back(reason ? reason : "the connection ended");
        ++counts_.failed;
        with.failed = true;
        if (options_.resets_refused)
        {
            with.reset_on_close();
            with.over = true;
            return;
        }
        ::shutdown(with.fd, SHUT_WR);
        drain(with);
    }

    void drain(peer& with)
    {
        std::array<char, 4096> bytes;
        for (;;)
        {
            auto const got = ::recv(with.fd, bytes.data(), bytes.size(), 0);
            if (got < 0 && (errno == EAGAIN || errno == EINTR))
                return;
            with.over = got <= 0;
            if (with.over)
                return;
            counts_.after_failure += static_cast<std::size_t>(got);
        }
    }

    void serve(peer& with)
    {
        std::array<char, 4096> bytes;
        for (;;)
        {
            // OpenSSL would take this for an attack, and forget the session.
            if (SSL_pending(with.ssl) == 0 && ::recv(with.fd, bytes.data(), 1, MSG_PEEK) == 0)
            {
                with.over = true;
                ++counts_.cut_off;
                return;
            }
            int const got = SSL_read(with.ssl, bytes.data(), static_cast<int>(bytes.size()));
            if (got <= 0)
            {
                lose(with, SSL_get_error(with.ssl, got));
                return;
            }
            with.received.append(bytes.data(), static_cast<std::size_t>(got));
            while (take_request(with))
            {
                if (ends_on_request())
                {
                    hang_up(with, ending_);
                    return;
                }
                ++with.unanswered;
            }
            answer_waiting();
        }
    }

    bool ends_on_request() const noexcept
    {
        return ending_ == ending::fin_on_request || ending_ == ending::goodbye_on_request ||
               ending_ == ending::reset_on_request;
    }

    void lose(peer& with, int why)
    {
        if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
            return;
        with.over = true;
        if (why != SSL_ERROR_ZERO_RETURN)
        {
            ++counts_.cut_off;
            return;
        }
        ++counts_.goodbyes;
        SSL_shutdown(with.ssl);
    }

    bool take_request(peer& from)
    {
        auto const head = from.received.find("\r\n\r\n");
        if (head == std::string::npos)
            return false;
        std::size_t length = 0;
        std::string_view const field = "\r\nContent-Length: ";
        if (auto const at = from.received.find(field); at < head)
            length = std::stoul(from.received.substr(at + field.size()));
        auto const size = head + 4 + length;
        if (from.received.size() < size)
            return false;
        from.received.erase(0, size);
        ++counts_.requests;
        return true;
    }

    void answer_waiting()
    {
        std::size_t waiting = 0;
        for (auto const& each : peers_)
            waiting += static_cast<std::size_t>(each->unanswered);
        if (waiting < held_)
            return;
        if (waiting > 0)
            held_ = 0;
        for (auto& each : peers_)
            for (; each->unanswered > 0; --each->unanswered)
                answer(*each);
    }

    void answer(peer& to)
    {
        to.gather(true);
        SSL_write(to.ssl, answer_.data(), static_cast<int>(answer_.size()));
        if (!addition_.empty())
            SSL_write(to.ssl, addition_.data(), static_cast<int>(addition_.size()));
        if (parts_)
            SSL_shutdown(to.ssl);
        to.gather(false);
    }

    tls_server_options const options_;
    std::unique_ptr<SSL_CTX, openssl_delete> context_;
    std::string answer_;
    int wake_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::uint64_t tickets_ = 0;
    std::size_t held_ = 0;
    ending ending_ = ending::none;
    flood flood_new_ = flood::none;
    std::size_t most_flooded_ = 0;
    std::string addition_;
    bool parts_ = false;
    bool stopped_ = false;
    std::vector<std::unique_ptr<peer>> peers_;
    std::mutex mutable mutex_; // counts_ and tasks_
    std::condition_variable mutable changed_;
    tls_server_counts counts_;
    std::deque<std::packaged_task<void()>> tasks_;
    std::thread thread_;
};

tls_server::tls_server(tls_server_options options) : impl_(std::make_unique<implementation>(std::move(options)))
{
}
tls_server::~tls_server() = default;

std::uint16_t tls_server::port() const noexcept
{
    return impl_->port();
}

std::string tls_server::endpoint(std::string const& host) const
{
    return "https://" + host + ":" + std::to_string(port());
}

ccloud::config tls_server::settings(authority const& ca) const
{
    ccloud::config settings;
    settings.endpoint = endpoint();
    settings.credentials = ccloud::api_key("KEY", "SECRET");
    settings.threading = ccloud::threading::serial;
    settings.tls.ca_pem = ca.certificate();
    return settings;
}

tls_server_counts tls_server::counts() const
{
    return impl_->counts();
}

bool tls_server::sees(std::function<bool(tls_server_counts const&)> const& holds) const
{
    return impl_->sees(holds);
}

void tls_server::show(identity const& other)
{
    impl_->show(other);
}

void tls_server::forget_tickets()
{
    impl_->forget_tickets();
}

void tls_server::hold(std::size_t requests)
{
    impl_->hold(requests);
}

void tls_server::go_on()
{
    impl_->go_on();
}

void tls_server::add_to_answers(std::string const& bytes, bool goodbye)
{
    impl_->add_to_answers(bytes, goodbye);
}

void tls_server::send_ticket()
{
    impl_->for_each([](peer& to) {
        check(SSL_new_session_ticket(to.ssl), "ticket");
        check(SSL_do_handshake(to.ssl) == 1, "ticket");
    });
}

void tls_server::update_keys(bool want_yours)
{
    impl_->for_each([want_yours](peer& to) {
        check(SSL_key_update(to.ssl, want_yours ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED), "key");
        check(SSL_do_handshake(to.ssl) == 1, "key");
    });
}

void tls_server::ask_to_renegotiate()
{
    impl_->for_each([](peer& to) {
        check(SSL_renegotiate(to.ssl), "renegotiation");
        check(SSL_do_handshake(to.ssl) == 1, "renegotiation");
    });
}

void tls_server::send(std::string_view bytes)
{
    impl_->for_each([bytes](peer& to) {
        check(SSL_write(to.ssl, bytes.data(), static_cast<int>(bytes.size())) > 0, "send");
    });
}

void tls_server::say_goodbye(bool and_end)
{
    impl_->for_each([and_end](peer& to) {
        SSL_shutdown(to.ssl);
        if (and_end)
            ::shutdown(to.fd, SHUT_WR);
    });
}

void tls_server::end()
{
    impl_->for_each([](peer& to) { ::shutdown(to.fd, SHUT_WR); });
}

void tls_server::reset()
{
    impl_->for_each([](peer& to) {
        to.reset_on_close();
        to.over = true;
    });
}

void tls_server::end_all(ending how)
{
    impl_->end_all(how);
}

void tls_server::flood_open(flood with, std::size_t most)
{
    impl_->for_each([with, most](peer& to) { implementation::begin_flood(to, with, most); });
}

void tls_server::flood_new(flood with, std::size_t most)
{
    impl_->flood_new(with, most);
}

void tls_server::stop_listening()
{
    impl_->for_each([](peer& to) { to.deaf = true; });
}

void tls_server::listen_again()
{
    impl_->for_each([](peer& to) { to.deaf = false; });
}

driven_client::driven_client(ccloud::config settings) : cloud_(std::in_place, context_.get_executor(), settings)
{
}

driven_client::driven_client(ccloud::config settings, transport_maker const& make)
    : cloud_(std::in_place, context_.get_executor(), settings, make(context_.get_executor()))
{
}

driven_client::~driven_client()
{
    cloud_.reset();
    runs_out();
}

driven_client::outcome driven_client::get()
{
    return std::move(get_all(1).front());
}

driven_client::outcome driven_client::post(std::string body)
{
    auto request = ccloud::http_request(ccloud::method::post, "/iam/v2/ip-groups");
    request.body(std::move(body));
    return std::move(finish(start(request, 1), 1).front());
}

std::vector<driven_client::outcome> driven_client::get_all(std::size_t concurrent)
{
    return finish(start(concurrent), concurrent);
}

driven_client::outcomes driven_client::start(std::size_t concurrent)
{
    return start(ccloud::http_request(ccloud::method::get, "/iam/v2/ip-groups"), concurrent);
}

driven_client::outcomes driven_client::start(ccloud::http_request const& request, std::size_t concurrent)
{
    auto const ended = std::make_shared<std::vector<outcome>>();
    for (std::size_t i = 0; i < concurrent; ++i)
        boost::asio::co_spawn(context_, cloud_->execute(request), [ended](std::exception_ptr failed, outcome got) {
            if (failed)
                std::rethrow_exception(failed);
            ended->push_back(std::move(got));
        });
    return ended;
}

std::vector<driven_client::outcome> driven_client::finish(outcomes const& begun, std::size_t concurrent)
{
    REQUIRE(until([&] { return begun->size() == concurrent; }));
    return std::move(*begun);
}

bool driven_client::until(std::function<bool()> const& holds)
{
    using clock = std::chrono::steady_clock;
    auto const last = clock::now() + patience;
    while (!holds())
    {
        context_.restart();
        context_.run_one_for(std::chrono::milliseconds(10)); // what the server has seen may change without us
        if (context_.stopped() || clock::now() >= last)
            return holds();
    }
    return true;
}

bool driven_client::turn()
{
    context_.restart();
    return context_.run_one_for(patience) > 0;
}

bool driven_client::runs_out()
{
    context_.restart();
    context_.run_for(patience);
    return context_.stopped();
}

} // namespace support
