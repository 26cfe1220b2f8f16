#ifndef CCLOUD_CORE_PROXY_HPP
#define CCLOUD_CORE_PROXY_HPP

#include <ccloud/http.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace ccloud::core {

/** A proxy, taken apart. */
struct proxy
{
    enum class kind : unsigned char {
        http,    ///< CONNECT (RFC 9110 section 9.3.6)
        https,   ///< the same over TLS
        socks5,  ///< RFC 1928; names are looked up here
        socks5h, ///< names are looked up by the proxy
    };
    kind how = kind::http;
    std::string host; ///< IPv6 without brackets
    std::uint16_t port = 0;
    std::string user; ///< decoded; empty together with the password: no credentials
    std::string password;

    bool speaks_http() const noexcept { return how == kind::http || how == kind::https; }
    bool has_credentials() const noexcept { return !user.empty() || !password.empty(); }

    /** "socks5h://proxy.example:1080"; never the credentials. */
    std::string to_string() const;
};

/** Reads the URL of a proxy, `config::proxy_options::url`. Gives what is wrong with it as a sentence where it cannot be
    used; that never shows a password. */
std::variant<proxy, std::string> parse_proxy(std::string_view url);

/** Whether `config::proxy_options::no_proxy` says that `to` is reached without the proxy. Entries that make no sense are
    passed over. Loopback addresses are no exception. */
bool goes_direct(std::string_view no_proxy, origin const& to);

/** The whole CONNECT request, with Host, User-Agent and, where the proxy has credentials, Proxy-Authorization (Basic). */
std::string connect_request(proxy const& through, origin const& to);

/** The longest head of an answer to CONNECT that is read. */
inline constexpr std::size_t longest_connect_reply = 8 * 1024;

/** What a proxy answered to CONNECT. */
struct connect_reply
{
    enum class state : unsigned char {
        incomplete,      ///< read on
        accepted,        ///< the tunnel begins right after the head
        unauthenticated, ///< 407, or 401, as some proxies answer wrong credentials
        refused,         ///< any other status
        malformed,       ///< no HTTP/1 response, too long, or something came after the head of an acceptance
    } is = state::incomplete;
    int status = 0;
    std::string reason; ///< the status line without its version, printable: "403 Filtered"; or what is malformed

    /** Whether the same request can only be refused again: every refusal except 408, 429 and 5xx. */
    bool permanent() const noexcept;
};

/** Reads what came so far. Interim responses are passed over. */
connect_reply read_connect_reply(std::string_view received);

/** The client's side of a SOCKS5 handshake (RFC 1928, and RFC 1929 for credentials), without I/O:

    @code
    socks5_handshake talk(through, "origin.example", 443);
    while (talk.is() == socks5_handshake::state::going)
        write(talk.output()), talk.input(read_exactly(talk.wants()));
    @endcode

    It never asks for a byte more than its message has: what follows belongs to the tunnel. */
class socks5_handshake
{
public:
    enum class state : unsigned char {
        going,
        done,
        unauthenticated, ///< the proxy wants credentials, or others
        refused,         ///< it does not connect to the target; `reason()` says why
        malformed,       ///< it does not speak SOCKS5
    };

    /** `host` is a name of at most 255 bytes, or an address of either kind without brackets. */
    socks5_handshake(proxy const& through, std::string_view host, std::uint16_t port);

    state is() const noexcept { return state_; }

    /** What to write now; empty where there is nothing to write. */
    std::string const& output() const noexcept { return output_; }

    /** How many bytes to read then. */
    std::size_t wants() const noexcept { return wants_; }

    /** Takes exactly `wants()` bytes, and forgets the output. */
    void input(std::string_view bytes);

    /** In words, for people: "connection refused", "not allowed by its rules". */
    std::string const& reason() const noexcept { return reason_; }

    /** Whether the same request can only be refused again: not allowed, or not supported. */
    bool permanent() const noexcept { return permanent_; }

private:
    enum class step : unsigned char { method, password, reply_head, reply_rest };

    void ask_for_connection();
    void end(state how, std::string reason, bool permanent);

    state state_ = state::going;
    step step_ = step::method;
    std::size_t wants_ = 2;
    bool permanent_ = false;
    std::string output_;
    std::string reason_;
    std::string credentials_; ///< the message of RFC 1929
    std::string request_;     ///< the CONNECT message
};

} // namespace ccloud::core

#endif
