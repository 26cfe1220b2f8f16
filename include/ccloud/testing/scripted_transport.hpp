#ifndef CCLOUD_TESTING_SCRIPTED_TRANSPORT_HPP
#define CCLOUD_TESTING_SCRIPTED_TRANSPORT_HPP

#include <ccloud/export.hpp>
#include <ccloud/transport.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ccloud::testing {

/** A request as the transport got it. */
struct recorded_request
{
    http_request request;
    origin to;
    send_options options;
    steady_time at;
};

/** A transport without a network: replies in, requests and waits recorded, time virtual (see `run`). `config::limits`,
    `pool`, `proxy` and `tls` have no effect, and errors have no `cause()`; use `simulator` for those.

    @code
    auto wire = std::make_shared<ccloud::testing::scripted_transport>();
    wire->reply(429).header("Retry-After", "7").reply(200, R"({"id":"ipg-1"})");
    ccloud::client cloud(executor, settings, wire);
    ...
    CHECK(wire->waits().front() == 7s);
    @endcode

    Each request takes the next step of the script. A script that runs dry, or is not used up at the end of
    `testing::run`, fails the test. Threads: used in one thread, the one of `run`. */
class CCLOUD_EXPORT scripted_transport : public transport
{
public:
    scripted_transport();
    ~scripted_transport() override;
    scripted_transport(scripted_transport const&) = delete;
    scripted_transport& operator=(scripted_transport const&) = delete;

    /** Appends a reply. */
    scripted_transport& reply(int status, std::string body = {});

    /** Adds a header field to the last reply. */
    scripted_transport& header(std::string_view name, std::string_view value);

    /** Lets the last step take so long; past the deadline it times out instead. */
    scripted_transport& after(std::chrono::nanoseconds delay);

    /** How long every step takes that `after` says nothing of, answers of `reply_with` too. Default: zero. */
    scripted_transport& latency(std::chrono::nanoseconds delay);

    /** Marks the connection of the last step as one that had served before. */
    scripted_transport& reused();

    /** Appends a step that ends with `code`, having got so far; `response_begun`: some of the answer came. */
    scripted_transport& fail(errc code, ccloud::progress reached, bool response_begun = false);

    /** Makes the last reply incomplete: after its header section and the body that was given, it ends with `code`. Not
        for statuses that may be retried (408, 413, 421, 425, 429, 500 and more): over the network such a response
        counts as complete once its header section has come. */
    scripted_transport& break_off(errc code);

    /** Appends a step that never answers: it ends by its deadline, by cancellation or by `close()`. */
    scripted_transport& hang();

    /** Answers every request beyond the script by this function, any number of times. */
    scripted_transport& reply_with(std::function<http_response(http_request const&)> answer);

    /** Puts a failing step before the step with this index (answers of `reply_with` count too), once. For replaying a
        script failing at every step. */
    scripted_transport& fail_at(std::size_t index, errc code, ccloud::progress reached);

    /** Makes every roll of the dice give this. Default: zero, the lowest draw: no wait after a transient failure, and
        exactly what the server asks for after a 429. */
    scripted_transport& dice(std::uint64_t value) noexcept;

    /** Room for so many records, so that recording allocates nothing but what a copy of the request needs. */
    void reserve(std::size_t requests);

    /** Every request so far, in order of sending. */
    std::vector<recorded_request> const& requests() const noexcept;

    /** Every wait that ran to its end, in order: from the arming of its timer, across later ones that moved it, to when
        it was due. It counts once its timer is disarmed after it fired. The delays of replies are not among them. */
    std::vector<std::chrono::nanoseconds> const& waits() const noexcept;

    /** Steps not taken yet. */
    std::size_t remaining() const noexcept;

    /** Says which steps were not taken, for the error of `testing::run`; empty if all were. */
    std::string unused_steps() const;

    /** Exchanges under way. */
    std::size_t in_flight() const noexcept;
    bool closed() const noexcept;

    /** What went wrong with the script so far; empty where nothing did. */
    std::string complaint() const;

    asio::awaitable<exchange> send(http_request const& request, origin const& to, send_options options) override;
    steady_time now() const noexcept override;
    wall_time wall_now() const noexcept override;
    std::uint64_t roll() noexcept override;
    void arm(timer_node& node, steady_time due) override;
    void disarm(timer_node& node) noexcept override;
    void close() noexcept override;

private:
    struct state;
    std::unique_ptr<state> state_;
};

} // namespace ccloud::testing

#endif
