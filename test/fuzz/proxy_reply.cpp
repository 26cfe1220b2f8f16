/*  Replies of proxies to CONNECT, and the messages of SOCKS5. However the bytes are split, the result is the same, and
    another reader has the same result.

    The first byte of an input chooses. CONNECT: three bytes with the places where the reply is split; in the rest, a
    byte 0xfe stands for a thousand letters. SOCKS5: a byte with the lengths of user and password, a byte with the
    length of the host, these texts, and then what the proxy sends. */

#include "core/proxy.hpp"
#include "fuzz_input.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace core = ccloud::core;
using fuzz::require;
using connect_state = core::connect_reply::state;
using socks5_state = core::socks5_handshake::state;

namespace {

bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/** Reads a reply to CONNECT byte by byte. */
class reply_stream
{
public:
    connect_state state() const noexcept { return state_; }
    int status() const noexcept { return status_; }

    void take(char c)
    {
        if (state_ == connect_state::accepted)
            state_ = connect_state::malformed; // something follows
        if (state_ != connect_state::incomplete)
            return;
        line_ += c;
        ++size_;
        if (first_ && !may_begin_status_line())
            state_ = connect_state::malformed;
        else if (c == '\n')
            end_line();
        // The next head would be beyond the limit.
        if (state_ == connect_state::incomplete && size_ == core::longest_connect_reply)
            state_ = connect_state::malformed;
    }

private:
    bool may_begin_status_line() const
    {
        constexpr std::string_view form = "HTTP/1.d ddd";
        auto const at = line_.size() - 1;
        if (at < form.size())
            return form[at] == 'd' ? is_digit(line_[at]) : line_[at] == form[at];
        return at > form.size() || line_[at] == ' ' || line_[at] == '\r' || line_[at] == '\n';
    }

    void end_line()
    {
        std::string line(line_.begin(), line_.end() - 1);
        if (!line.empty() && line.back() == '\r')
            line.pop_back();
        line_.clear();
        if (first_)
        {
            first_ = false;
            status_line_ = line;
        }
        else if (line.empty())
            end_head();
    }

    void end_head()
    {
        first_ = true;
        int const status = (status_line_[9] - '0') * 100 + (status_line_[10] - '0') * 10 + (status_line_[11] - '0');
        if (status < 100 || (status_line_.size() > 12 && status_line_[12] != ' '))
            state_ = connect_state::malformed;
        else if (status >= 200 || status == 101)
        {
            status_ = status;
            state_ = status >= 200 && status <= 299   ? connect_state::accepted
                     : status == 407 || status == 401 ? connect_state::unauthenticated
                                                      : connect_state::refused;
        }
    }

    connect_state state_ = connect_state::incomplete;
    int status_ = 0;
    std::size_t size_ = 0;
    bool first_ = true; ///< the line is the status line
    std::string line_;
    std::string status_line_;
};

bool same(core::connect_reply const& a, core::connect_reply const& b)
{
    return a.is == b.is && a.status == b.status && a.reason == b.reason;
}

void check_connect(std::array<unsigned, 3> splits, std::string_view text)
{
    std::string received;
    for (char const c : text)
        if (c != '\xfe')
            received += c;
        else if (received.size() <= core::longest_connect_reply)
            received.append(1000, 'a');
    fuzz::exact_copy const copy(received);
    auto const whole = core::read_connect_reply(copy.view());

    reply_stream stream;
    std::size_t decided = received.size();
    for (std::size_t i = 0; i < received.size(); ++i)
    {
        bool const open = stream.state() == connect_state::incomplete;
        stream.take(received[i]);
        if (open && stream.state() != connect_state::incomplete)
            decided = i + 1;
    }
    require(whole.is == stream.state(), "a reply to CONNECT is judged as RFC 9112 says", received);
    require(whole.status == (whole.is == connect_state::malformed ? 0 : stream.status()), "its status", received);
    for (char const c : whole.reason)
        require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "a reason is printable", whole.reason);
    require(whole.reason.size() <= 1000, "a reason is short", whole.reason);
    require(!whole.permanent() || whole.is != connect_state::accepted, "what is accepted is no failure", received);

    std::array<std::size_t, 5> ends{0, 0, 0, decided, received.size()};
    for (std::size_t i = 0; i < splits.size(); ++i)
        ends[i] = received.size() * splits[i] / 256;
    std::sort(ends.begin(), ends.end());
    for (auto const end : ends)
    {
        fuzz::exact_copy const part(std::string_view(received).substr(0, end));
        auto const reply = core::read_connect_reply(part.view());
        if (end < decided)
            require(reply.is == connect_state::incomplete, "no verdict before all that it needs is there", received);
        else if (reply.is != connect_state::accepted)
            require(same(reply, whole), "the same verdict however a reply is split", received);
        else
            require(end == decided, "accepted is only what ends with the head", received);
    }
}

struct outcome
{
    socks5_state state = socks5_state::going;
    std::size_t consumed = 0;
    int messages = 1; ///< that the client sends
};

/** A client by RFC 1928 and RFC 1929 that has all bytes of the proxy from the start. */
outcome read_socks5(std::string_view sent, bool credentials)
{
    auto const at = [sent](std::size_t index) { return static_cast<unsigned char>(sent[index]); };
    outcome end;
    auto const stop = [&end](socks5_state state) {
        end.state = state;
        return end;
    };
    if (sent.size() < 2)
        return end;
    end.consumed = 2;
    if (at(0) != 5)
        return stop(socks5_state::malformed);
    if (at(1) == 0xff)
        return stop(socks5_state::unauthenticated);
    if (at(1) != 0 && !(at(1) == 2 && credentials))
        return stop(socks5_state::malformed);
    if (at(1) == 2)
    {
        ++end.messages;
        if (sent.size() < 4)
            return end;
        end.consumed = 4;
        if (at(2) != 1)
            return stop(socks5_state::malformed);
        if (at(3) != 0)
            return stop(socks5_state::unauthenticated);
    }
    ++end.messages;
    auto const reply = end.consumed;
    if (sent.size() < reply + 5)
        return end;
    end.consumed += 5;
    if (at(reply) != 5)
        return stop(socks5_state::malformed);
    if (at(reply + 1) != 0)
        return stop(socks5_state::refused);
    std::size_t size = 4 + 2;
    switch (at(reply + 3))
    {
    case 1: size += 4; break;
    case 3: size += 1U + at(reply + 4); break;
    case 4: size += 16; break;
    default: return stop(socks5_state::malformed);
    }
    if (sent.size() < reply + size)
        return end;
    end.consumed = reply + size;
    return stop(socks5_state::done);
}

void check_socks5(std::string user, std::string password, std::string const& host, std::string_view sent)
{
    core::proxy through;
    through.how = core::proxy::kind::socks5h;
    through.host = "proxy.example";
    through.port = 1080;
    through.user = std::move(user);
    through.password = std::move(password);
    core::socks5_handshake talk(through, host, 443);
    if (host.empty())
    {
        require(talk.is() == socks5_state::refused, "a target has a name", host);
        return;
    }
    std::string written;
    std::size_t read = 0;
    int messages = 0;
    while (talk.is() == socks5_state::going)
    {
        written += talk.output();
        messages += talk.output().empty() ? 0 : 1;
        auto const wanted = talk.wants();
        require(wanted > 0 && wanted <= 257, "a message has 1 to 257 bytes", host);
        if (sent.size() - read < wanted)
            break;
        fuzz::exact_copy const bytes(sent.substr(read, wanted));
        talk.input(bytes.view());
        read += wanted;
    }
    auto const expected = read_socks5(sent, through.has_credentials());
    require(talk.is() == expected.state, "a SOCKS5 handshake ends as RFC 1928 says", sent);
    require(read == expected.consumed, "no byte of the tunnel is read", sent);
    require(messages == expected.messages, "a message is sent for each answer", sent);
    require(talk.is() == socks5_state::going || talk.output().empty(), "nothing is sent after the end", sent);
    bool const failed = talk.is() != socks5_state::going && talk.is() != socks5_state::done;
    require(talk.reason().empty() != failed, "a failure has a reason", sent);
    require(!talk.permanent() || failed, "only a failure is permanent", sent);

    auto all = through.has_credentials() ? std::string("\x05\x02\x00\x02", 4) : std::string("\x05\x01\x00", 3);
    if (sent.size() >= 2 && sent[1] == 2)
        all += '\x01' + std::string(1, static_cast<char>(through.user.size())) + through.user +
               std::string(1, static_cast<char>(through.password.size())) + through.password;
    all += std::string("\x05\x01\x00", 3);
    require(std::string_view(all).starts_with(std::string_view(written).substr(0, all.size())), "as RFC 1928 says");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    fuzz::input input(data, size);
    if (input.byte() % 2 == 0)
    {
        std::array<unsigned, 3> const splits{input.byte(), input.byte(), input.byte()};
        check_connect(splits, input.rest());
        return 0;
    }
    auto const credentials = input.byte();
    auto const length = input.byte();
    std::string user(input.take(credentials / 16)), password(input.take(credentials % 16));
    std::string const host(input.take(length));
    check_socks5(std::move(user), std::move(password), host, input.rest());
    return 0;
}
