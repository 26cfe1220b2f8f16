#ifndef CCLOUD_CALL_RECORD_HPP
#define CCLOUD_CALL_RECORD_HPP

#include "admission.hpp"
#include "call.hpp"
#include "core/retry.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ccloud::detail {

/** Adds a try to those on record: the first fifteen and the last are kept, and one that may have been executed. */
void record(std::vector<attempt>& tries, attempt one);

/** What a call is, and what became of it so far: its permit, the tries, the waits, and the error they may end in.
    Unless it is ended well, it gives back what it holds. Used on the client's executor. */
class call_record
{
public:
    /** `call` outlives it. */
    call_record(client_core& core, planned_call& call);
    call_record(call_record const&) = delete;
    call_record& operator=(call_record const&) = delete;
    ~call_record();

    /** Why it cannot even begin. */
    call_failure refusal();

    /** Whether it has to sleep before its next try; until when. */
    bool pauses() const noexcept { return pause_ends_ != steady_time::min(); }
    steady_time pause_ends() const noexcept { return pause_ends_; }
    void end_pause() noexcept { pause_ends_ = steady_time::min(); }

    /** Whether the gate lets it through, or has. */
    bool admitted();
    gate_claim& claim() noexcept { return claim_; }
    gate_terms terms() const noexcept { return {how.deadline, policy().min_attempt_budget, policy().on_exhausted}; }
    permit& admission() noexcept { return permit_; }

    /** After a wait at the gate: the error it ended in. */
    call_failure end_wait(turn::end const& how);

    /** Gets the request of a try ready, with credentials as they are now; the error where there are none. Then begins the
        try; the error where the deadline has come. */
    bool prepared() const noexcept { return prepared_; }
    call_failure prepare_try();
    call_failure begin_try();
    void end_try(exchange const& got) const;
    http_request& request() const noexcept
    {
        return past_ && past_->redirected ? *past_->redirected : call_.planned.request;
    }

    /** Whether the attempt ended with a success. A 2xx that does not fit the request is none: it becomes
        `malformed_response`. */
    bool succeeds(exchange& got) const;

    /** Judges a try that was no success: the call's error, or nothing where there is to be another one. */
    call_failure judge(exchange&& got);

    /** Whether the server sends the request elsewhere, and follows it there: the call's error, or nothing where there
        is to be another try. */
    bool is_redirect(exchange const& got) const noexcept;
    call_failure follow(exchange&& got);

    /** Hands the answer to the call. */
    void succeed(exchange&& got);

    /** The error of a call that ends between tries, or before the first; it keeps what the last try brought. */
    error fail_waiting(errc code, std::string why = {});

    /** Last of all, where it ends in an error. Removes the secrets from it. */
    void give_up(error& failure);

    send_options how;

private:
    struct past_tries
    {
        std::vector<attempt> history;
        std::optional<exchange> last;           ///< how the last one ended
        std::optional<http_request> redirected; ///< what is sent elsewhere; errors name what was planned
    };
    struct tried_once
    {
        attempt entry;
        core::outcome ended;
        delay_source source = delay_source::none; ///< of the server's hint
        gatekeeper::ending ending;
    };
    tried_once look_at(exchange const& got);
    core::wait_time draw_wait(tried_once const& tried, retry_reason why);
    retry_reason ask_classifier(
        exchange const& got, core::outcome const& ended, retry_reason why, core::wait_time& wait
    ) const;
    bool report_to_gate(exchange const& got, tried_once& tried, retry_reason why, core::wait_time& wait);
    void note(attempt entry, core::decision const& next, core::wait_time const& wait);
    bool has_new_credentials();
    bool pay(core::decision& next);
    void count(retry_reason why) noexcept;

    error fail(exchange& got, ccloud::gave_up why);
    error refuse(errc code, std::string why);
    std::string describe_wait(bool probing) const;
    std::unique_ptr<error::data> start();

    attempt entry_for(exchange const& got) const;
    gatekeeper::ending ending_for(exchange const& got) const;
    observed_call seen() const noexcept;
    call_secrets secrets() const noexcept { return {core_, call_}; }

    retry_policy const& policy() const noexcept { return call_.policy ? *call_.policy : core_.settings().retry; }
    past_tries& past();
    call_failure try_again(exchange&& got);

    client_core& core_;
    planned_call& call_;
    std::unique_ptr<past_tries> past_; ///< once a try has failed
    steady_time started_;
    steady_time try_started_{};
    steady_time pause_ends_ = steady_time::min();
    std::uint64_t id_;
    bool assembled_ = false;
    bool prepared_ = false;
    bool ended_ = false;
    int tries_ = 0;
    int redirects_ = 0;
    int charged_ = 0; ///< tokens for the repetition to come
    int spent_ = 0;   ///< for the last one that was sent
    core::tally used_;
    gate_claim claim_;
    permit permit_;
};

} // namespace ccloud::detail

#endif
