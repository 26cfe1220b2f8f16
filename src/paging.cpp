#include "paging.hpp"

#include "call.hpp"
#include "core/cursor.hpp"
#include "core/duration.hpp"
#include "core/failure.hpp"
#include "core/redact.hpp"
#include "core/shared_fields.hpp"
#include "hop.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <utility>

namespace ccloud::detail {

namespace {

constexpr std::size_t most_empty_pages = 1'000'000;

std::string refusal_of(list_options const& options)
{
    if (options.page_size < 1 || options.page_size > static_cast<int>(most_page_size))
        return "page_size: is " + std::to_string(options.page_size) + ", must be 1 to 100";
    if (options.prefetch < 0 || options.prefetch > 1)
        return "prefetch: is " + std::to_string(options.prefetch) + ", must be 0 or 1";
    if (options.max_empty_pages > most_empty_pages)
        return "max_empty_pages: is " + std::to_string(options.max_empty_pages) + ", must be 0 to " +
               std::to_string(most_empty_pages);
    return {};
}

class http_pager final : public pager, public std::enable_shared_from_this<http_pager>
{
public:
    http_pager(client cloud, planned_request first, list_options options, page_decoder decoder)
        : cloud_(std::move(cloud)), core_(client_access::core(cloud_)), first_(std::move(first)), options_(options),
          decoder_(decoder)
    {
        if (first_.refusal.empty())
            first_.refusal = refusal_of(options_);
    }

    operation<raw_page> fetch() override { return fetch_anywhere(shared_from_this()); }

    void resume(checkpoint const& from) override { token_ = from.token(); }

    void abandon() noexcept override
    {
        if (options_.prefetch == 0)
            return;
        try
        {
            asio::dispatch(core_->executor(), [self = shared_from_this()] {
                self->abandoned_ = true;
                // In Boost 1.83 and 1.84, a coroutine that is cancelled before it begins throws from run().
                if (self->prefetch_begun_)
                    self->stop_prefetch_.emit(asio::cancellation_type::terminal);
            });
        }
        catch (...) // the prefetch then runs to its end
        {
        }
    }

private:
    static operation<raw_page> fetch_anywhere(std::shared_ptr<http_pager> self)
    {
        auto const here = co_await asio::this_coro::executor;
        auto const throws = co_await asio::this_coro::throw_if_cancelled();
        co_await asio::this_coro::throw_if_cancelled(false);
        result<raw_page> page;
        std::exception_ptr thrown;
        try
        {
            if (self->core_->runs_on(here))
                page = co_await self->fetch_here();
            else
            {
                auto there = std::make_shared<far_fetch>(self);
                page = co_await hop<result<raw_page>>(std::move(there));
            }
        }
        catch (...)
        {
            thrown = std::current_exception();
        }
        co_await asio::this_coro::throw_if_cancelled(throws);
        if (thrown)
            std::rethrow_exception(thrown);
        co_return page;
    }

    class far_fetch final : public far_work<result<raw_page>>
    {
    public:
        explicit far_fetch(std::shared_ptr<http_pager> self) : self_(std::move(self)) {}

        asio::any_io_executor const& executor() const noexcept override { return self_->core_->executor(); }
        operation<raw_page> start() override { return self_->fetch_here(); }

    private:
        std::shared_ptr<http_pager> self_;
    };

    operation<raw_page> fetch_here()
    {
        while (prefetching_ != 0)
        {
            parked node;
            {
                listed_consumer const listed(*this, node);
                co_await core_->onlookers().async_park(node);
            }
            auto const how = node.how();
            if (how == wake::cancelled || how == wake::closed)
                co_return error(how == wake::closed ? errc::client_closed : errc::cancelled, "waiting for a page");
        }
        result<raw_page> page;
        if (ahead_)
        {
            page = std::move(*ahead_);
            ahead_.reset();
        }
        else
        {
            auto next = call_at(token_);
            page = co_await fetch_one(std::move(next));
        }
        if (page && !page->next.empty())
            prefetch();
        co_return page;
    }

    /** Registers the coroutine that waits for the prefetched page. */
    class listed_consumer
    {
    public:
        listed_consumer(http_pager& of, parked& node) noexcept : of_(of) { of_.consumer_ = &node; }
        listed_consumer(listed_consumer const&) = delete;
        listed_consumer& operator=(listed_consumer const&) = delete;
        ~listed_consumer() { of_.consumer_ = nullptr; }

    private:
        http_pager& of_;
    };

    /** Ends a prefetch, even if its coroutine is destroyed. */
    class running_prefetch
    {
    public:
        running_prefetch(http_pager& of, std::uint64_t number) noexcept : of_(of), number_(number) {}
        running_prefetch(running_prefetch const&) = delete;
        running_prefetch& operator=(running_prefetch const&) = delete;
        ~running_prefetch()
        {
            if (of_.prefetching_ != number_)
                return;
            of_.prefetching_ = 0;
            if (of_.consumer_)
                of_.consumer_->finish(wake::granted);
        }

    private:
        http_pager& of_;
        std::uint64_t number_;
    };

    /** Starts to fetch the page after the one that is handed out. If there is no memory for that, `fetch` gets the page
        later. */
    void prefetch() noexcept
    {
        bool const wanted = options_.prefetch > 0 && !abandoned_ &&
                            (!options_.max_pages || pages_ < *options_.max_pages) &&
                            (!options_.max_items || items_ < *options_.max_items);
        if (!wanted)
            return;
        auto work = [](std::shared_ptr<http_pager> self, planned_call page,
                       std::uint64_t number) -> asio::awaitable<void> {
            running_prefetch const running(*self, number);
            self->prefetch_begun_ = true;
            if (self->abandoned_)
                co_return;
            co_await asio::this_coro::throw_if_cancelled(false);
            self->ahead_ = co_await self->fetch_one(std::move(page));
        };
        try
        {
            auto next = call_at(token_);
            if (!core_->would_admit(next))
                return;
            prefetching_ = ++prefetches_;
            prefetch_begun_ = false;
            asio::co_spawn(
                core_->executor(), work(shared_from_this(), std::move(next), prefetching_),
                asio::bind_cancellation_slot(stop_prefetch_.slot(), [self = shared_from_this()](std::exception_ptr) {})
            );
        }
        catch (...)
        {
            prefetching_ = 0;
        }
    }

    /** Fetches the page the cursor stands at, by the call for it, and moves the cursor on. */
    operation<raw_page> fetch_one(planned_call call)
    {
        if (auto const limit = time_limit())
            call.timeout = *limit;
        if (deadline_ && *deadline_ <= core_->wire().now())
            co_return error(errc::deadline_exceeded, "total_timeout of the listing passed");
        auto failed = co_await core_->run(call);
        if (failed)
            co_return expired_token(*std::move(failed));
        raw_page page;
        page.response = take_info(call.got);
        std::string_view const body = call.got.response.body();
        if (is_long(call))
        {
            auto const slow = decoder_.begin(body, terms());
            failed = co_await decode_in_slices(*core_, slow->reader(), call, page.response);
            if (failed)
                co_return *std::move(failed);
            if (auto const lacking = slow->finish(page))
                co_return malformed(*core_, call, page.response, *lacking);
        }
        else if (auto const wrong = decoder_.decode(body, terms(), page))
            co_return malformed(*core_, call, page.response, *wrong);
        shared_fields::share(page.response, std::move(page.fields));
        std::string after;
        if (auto wrong = find_next(page, after, call))
        {
            page.token = token_;
            page.broken_link = unreadable(*core_, call, page.response, wrong->code, std::move(wrong->detail));
        }
        else
        {
            page.token = std::exchange(token_, std::move(after));
            ++pages_;
            items_ += page.size;
        }
        core_->wire().recycle(std::move(call.got.response).body());
        co_return page;
    }

    page_terms terms() const noexcept
    {
        return {static_cast<std::size_t>(options_.page_size), core_->settings().limits.decoded_response};
    }

    planned_call call_at(std::string_view token) const
    {
        planned_request planned = first_;
        auto target = first_.request.target();
        target += target.find('?') == std::string::npos ? '?' : '&';
        target.append("page_size=").append(std::to_string(options_.page_size));
        if (!token.empty())
        {
            target += "&page_token=";
            core::append_encoded(target, token);
        }
        planned.request.move_to(std::move(target));
        call_options options;
        options.retry = options_.retry;
        return client_access::plan(cloud_, std::move(planned), options);
    }

    /** What is left for a page: the shorter of its own limit and the listing's. */
    std::optional<std::chrono::milliseconds> time_limit()
    {
        if (!options_.total_timeout || *options_.total_timeout <= std::chrono::milliseconds(0))
            return options_.timeout;
        auto const now = core_->wire().now();
        if (!deadline_)
            deadline_ = now + core::bounded(*options_.total_timeout);
        auto const left = std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - now);
        auto const own = core::bounded(options_.timeout.value_or(core_->settings().total_timeout));
        return own > std::chrono::milliseconds(0) ? (std::min)(left, own) : left;
    }

    /** Why the page after another one cannot be fetched. */
    struct link_fault
    {
        errc code;
        std::string detail;
    };

    /** Reads the next link of a page that is about to be returned, and also puts its token into `after`. */
    std::optional<link_fault> find_next(raw_page& page, std::string& after, planned_call const& call)
    {
        auto const& metadata = page.envelope.metadata;
        if (auto const* const found = page.envelope.other_metadata)
            return link_fault{errc::malformed_response, std::string("metadata: expected an object, found ") + found};
        if (auto const* const found = metadata.next.other_kind)
            return link_fault{
                errc::malformed_response, std::string("metadata.next: expected a string, found ") + found};
        auto const& link = metadata.next.value;
        if (link.empty())
            return std::nullopt;
        if (link.size() > core::longest_page_link)
            return link_fault{
                errc::malformed_response, "metadata.next: has " + std::to_string(link.size()) + " bytes, more than " +
                                              std::to_string(core::longest_page_link)};
        // A part of a credential is not found any more, so the whole link is redacted before a part of it is quoted.
        auto const without_secrets = [&] { return call_secrets(*core_, call).all().redacted(link); };
        auto next = core::page_token(link);
        if (!next)
            return link_fault{
                errc::page_link_without_token, "metadata.next: \"" + core::shown_url(without_secrets()) + '"'};
        if (next->empty())
            return std::nullopt;
        if (page.size == 0 && empty_pages_ >= options_.max_empty_pages)
            return link_fault{
                errc::too_many_empty_pages,
                std::to_string(empty_pages_ + 1) + " in a row; see list_options::max_empty_pages"};
        after = *next; // first, because nothing may fail once the token is remembered
        if (!token_.empty())
            seen_.insert(token_);
        if (options_.repeated_page != on_repeated_page::allow && !seen_.insert(*next))
        {
            after.clear();
            if (options_.repeated_page == on_repeated_page::stop)
                return std::nullopt;
            auto const shown = core::page_token(without_secrets()).value_or("***");
            return link_fault{
                errc::pagination_loop,
                "page_token \"" + core::printable(shown) + "\" after " + std::to_string(pages_ + 1) + " pages"};
        }
        empty_pages_ = page.size == 0 ? empty_pages_ + 1 : 0;
        page.next = std::move(*next);
        return std::nullopt;
    }

    /** A 400 to a page token means that the token is not valid any more. */
    error expired_token(error failure) const
    {
        if (token_.empty() || failure.code() != errc::http_status || failure.status() != 400)
            return failure;
        auto& about = failure.edit();
        about.code = errc::page_token_expired;
        about.detail = "after " + std::to_string(pages_) + " pages and " + std::to_string(items_) + " items";
        return failure;
    }

    client cloud_;
    std::shared_ptr<client_core> core_;
    planned_request first_;
    list_options options_;
    page_decoder decoder_;

    std::string token_; // of the page to fetch
    core::page_memory seen_;
    std::size_t pages_ = 0;
    std::size_t items_ = 0;
    std::size_t empty_pages_ = 0;
    std::optional<steady_time> deadline_;

    std::uint64_t prefetches_ = 0;
    std::uint64_t prefetching_ = 0; ///< the number of the running prefetch; 0 means none
    bool prefetch_begun_ = false;   ///< whether the last prefetch has begun
    bool abandoned_ = false;
    std::optional<result<raw_page>> ahead_;
    parked* consumer_ = nullptr;
    asio::cancellation_signal stop_prefetch_;
};

} // namespace

std::shared_ptr<pager> pager::make(client cloud, planned_request first, list_options options, page_decoder decoder)
{
    return std::make_shared<http_pager>(std::move(cloud), std::move(first), options, decoder);
}

} // namespace ccloud::detail
