#ifndef CCLOUD_ASYNC_GENERATOR_HPP
#define CCLOUD_ASYNC_GENERATOR_HPP

#include <ccloud/export.hpp>
#include <ccloud/operation.hpp>
#include <ccloud/retry.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace ccloud {

/** What to do when the server names a page a second time. */
enum class on_repeated_page : unsigned char {
    fail,  ///< `errc::pagination_loop`
    stop,  ///< take it for the end
    allow, ///< follow it
};

/** Options of a listing. */
struct list_options
{
    /** Items per page, 1 to 100 as the API documents; the server may send fewer. A page that has more than 500 items
        and more than ten times `page_size` is `errc::malformed_response`. */
    int page_size = 100;

    /** Give no more than so many items, and fetch no page beyond. Default: all. */
    std::optional<std::size_t> max_items = std::nullopt;

    /** Fetch no more than so many pages. Default: all. */
    std::optional<std::size_t> max_pages = std::nullopt;

    /** 1: fetch the next page while this one is consumed. 0: fetch when asked. */
    int prefetch = 0;

    on_repeated_page repeated_page = on_repeated_page::fail;

    /** Maximum number of consecutive empty pages that a listing follows. One more empty page with a next link ends the
        call with `errc::too_many_empty_pages`. Default: 100. Range: 0 to 1,000,000; a larger value is
        `errc::invalid_argument`. 0 allows an empty page only at the end. */
    std::size_t max_empty_pages = 100;

    /** For one page, its retries included. Default: `config::total_timeout`. */
    std::optional<std::chrono::milliseconds> timeout = std::nullopt;

    /** For the whole listing, from its first page on, the consumer's own time included. Default: none. */
    std::optional<std::chrono::milliseconds> total_timeout = std::nullopt;

    /** The policy of each page. Default: `config::retry`. */
    std::optional<retry_policy> retry = std::nullopt;
};

static_assert(
    std::is_trivially_destructible_v<list_options>, "GCC 12 destroys other aggregate temporaries in co_await twice"
);

/** A place in a listing: before its next undelivered item. Can be stored as text and resumed from, in another process
    too, for as long as the server honours its page tokens. Delivered items are skipped by number: if items of the page
    were deleted meanwhile, as many further ones are skipped. */
class CCLOUD_EXPORT checkpoint
{
public:
    /** The beginning. */
    checkpoint() = default;
    checkpoint(std::string token, std::size_t offset) : offset_(offset), token_(std::move(token)) {}
    static checkpoint end();

    /** Token of the page to fetch, empty for the first; and how many of the items from there on were delivered. */
    std::string const& token() const noexcept { return token_; }
    std::size_t offset() const noexcept { return offset_; }
    bool at_end() const noexcept { return at_end_; }

    std::string to_string() const;

    /** Reads what `to_string` wrote; nothing where it is something else. */
    static std::optional<checkpoint> parse(std::string_view text);

    friend bool operator==(checkpoint const&, checkpoint const&) = default;

private:
    std::size_t offset_ = 0;
    bool at_end_ = false;
    std::string token_;
};

/** The links in the metadata of a page, as the server sent them. A link is empty if the server sent none, null, or a
    value that is not a string. The links may name another host than the endpoint; do not send credentials there. */
struct page_links
{
    std::string first;
    std::string last;
    std::string prev;
    std::string next;
    std::string self;
};

/** Items of one page, or the rest of one. */
template <class T>
struct page
{
    std::vector<T> items;
    std::optional<std::int64_t> total_size; ///< of the whole listing, where the server says so
    page_links links;
    std::string kind;        ///< of the list, such as "IpGroupList"; empty if the server sent none
    std::string api_version; ///< such as "iam/v2"; empty if the server sent none
    response_info response;
};

namespace detail {

/** A page as it was fetched, and where it stands in the listing. */
template <class T>
struct fetched_page
{
    page<T> content;                  ///< its response shares its header fields
    std::string token;                ///< the page token that it was fetched with
    std::string next;                 ///< the page token of the next page; empty at the end
    std::optional<error> broken_link; ///< why the next page cannot be fetched
};

/** Fetches pages in order; an error does not advance. Owns prefetch and decoding, on the client's executor. */
template <class T>
class page_source
{
public:
    virtual ~page_source() = default;
    virtual operation<fetched_page<T>> fetch() = 0;
    virtual void resume(checkpoint const& from) = 0;
    virtual void abandon() noexcept = 0;
};

/** State of a generator; shared with its awaitables, so that these never dangle. */
template <class T>
struct listing
{
    explicit listing(std::shared_ptr<page_source<T>> from, list_options limits)
        : source(std::move(from)), options(limits)
    {
    }

    listing(listing const&) = delete;
    listing& operator=(listing const&) = delete;
    ~listing() { source->abandon(); }

    std::shared_ptr<page_source<T>> source;
    list_options options;

    std::vector<T> buffer; // undelivered items are [index, size)
    std::size_t index = 0;
    std::string base_token; // buffer[0] comes base_offset items after the start of this page
    std::size_t base_offset = 0;
    std::string next_token;           // of the page after the buffer, unless `complete` or `broken_link`
    bool cut = false;                 // max_items cut the last page short
    bool complete = false;            // nothing comes after the buffer
    std::optional<error> broken_link; // why the page after the buffer cannot be fetched
    bool busy = false;
    bool started = false;
    bool resumed_late = false;
    std::size_t delivered = 0;
    std::size_t pages = 0;
    std::size_t to_skip = 0;   // items that were delivered before, from the next page on: the rest of a checkpoint's
    std::size_t refetched = 0; // items that the next page had when it was fetched before: all were delivered
    page<T> current;           // the page that was fetched last, without its items

    bool spent() const noexcept
    {
        return complete || (options.max_items && delivered >= *options.max_items) ||
               (options.max_pages && pages >= *options.max_pages);
    }

    /** Delivers the rest of the current page: the items in the buffer, and its links. */
    page<T> take_rest() noexcept
    {
        page<T> rest;
        rest.total_size = current.total_size;
        rest.links = std::move(current.links);
        rest.kind = std::move(current.kind);
        rest.api_version = std::move(current.api_version);
        rest.response = current.response;
        base_offset += buffer.size();
        delivered += buffer.size() - index;
        buffer.erase(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(index));
        index = 0;
        rest.items = std::exchange(buffer, {});
        return rest;
    }

    /** Goes back to the page in the buffer, whose items were delivered, and returns why its link cannot be followed. The
        next call fetches that page again, because the server may send another link then. */
    error go_back() noexcept
    {
        --pages;
        refetched = base_offset + buffer.size();
        next_token = std::move(base_token);
        buffer.clear();
        index = 0;
        error failure = *std::move(broken_link);
        broken_link.reset();
        return failure;
    }

    /** Takes a page into the empty buffer. */
    void accept(fetched_page<T> got)
    {
        ++pages;
        auto& items = got.content.items;
        // What this page lacks by now of the items that it had is not skipped on the pages after it.
        auto const again = (std::min)(std::exchange(refetched, 0), items.size());
        auto const skip = again + (std::min)(to_skip, items.size() - again);
        to_skip -= skip - again;
        buffer = std::move(items);
        index = skip;
        base_token = std::move(got.token);
        base_offset = 0;
        next_token = std::move(got.next);
        broken_link = std::move(got.broken_link);
        complete = next_token.empty() && !broken_link;
        current = std::move(got.content);
        cut = false;
        if (options.max_items && buffer.size() - index > *options.max_items - delivered)
        {
            buffer.resize(index + (*options.max_items - delivered));
            cut = true;
        }
    }
};

/** Marks a listing as being awaited. */
class busy_mark
{
public:
    explicit busy_mark(bool& flag) noexcept : flag_(flag) { flag_ = true; }
    busy_mark(busy_mark const&) = delete;
    busy_mark& operator=(busy_mark const&) = delete;
    ~busy_mark() { flag_ = false; }

private:
    bool& flag_;
};

inline error busy_error()
{
    return error(errc::busy, "a call on this generator is under way");
}

inline error late_resume_error()
{
    return error(errc::invalid_argument, "resume() was called after the listing was begun");
}

/** Makes the buffer non-empty where anything is left: true, or false at the end. */
template <class T>
operation<bool> fill(std::shared_ptr<listing<T>> state)
{
    if (state->resumed_late)
        co_return late_resume_error();
    state->started = true;
    while (state->index == state->buffer.size())
    {
        if (state->cut || state->spent())
            co_return false;
        if (state->broken_link)
            co_return state->go_back();
        auto got = co_await state->source->fetch();
        if (!got)
            co_return std::move(got).error();
        state->accept(*std::move(got));
    }
    co_return true;
}

template <class T>
operation<std::optional<T>> next_item(std::shared_ptr<listing<T>> state)
{
    if (state->busy)
        co_return busy_error();
    if (state->index == state->buffer.size())
    {
        busy_mark const mark(state->busy);
        auto more = co_await fill(state);
        if (!more)
            co_return std::move(more).error();
        if (!*more)
            co_return result<std::optional<T>>(std::optional<T>(), state->current.response);
    }
    ++state->delivered;
    auto& item = state->buffer[state->index++];
    co_return result<std::optional<T>>(std::in_place, state->current.response, std::move(item));
}

template <class T>
operation<std::optional<page<T>>> next_page_of(std::shared_ptr<listing<T>> state)
{
    if (state->busy)
        co_return busy_error();
    busy_mark const mark(state->busy);
    auto more = co_await fill(state);
    if (!more)
        co_return std::move(more).error();
    if (!*more)
        co_return result<std::optional<page<T>>>(std::optional<page<T>>(), state->current.response);
    std::optional<page<T>> rest(state->take_rest());
    co_return result<std::optional<page<T>>>(std::move(rest), state->current.response);
}

/** Items on their way out of a listing. Unless they are delivered they go back, to be delivered again. */
template <class T>
class gathering
{
public:
    explicit gathering(listing<T>& from) noexcept : from_(from) {}
    gathering(gathering const&) = delete;
    gathering& operator=(gathering const&) = delete;

    ~gathering()
    {
        if (delivered_ || items.empty())
            return;
        from_.delivered -= items.size();
        from_.buffer = std::move(items);
        from_.index = 0;
        from_.base_token = std::move(token_);
        from_.base_offset = offset_;
    }

    void take_buffered(std::size_t max)
    {
        if (items.empty())
        {
            token_ = from_.base_token;
            offset_ = from_.base_offset + from_.index;
        }
        auto const taken = (std::min)(from_.buffer.size() - from_.index, max - items.size());
        auto const needed = items.size() + taken;
        if (needed > items.capacity()) // first, because no item may be on its way when there is no memory
            items.reserve((std::max)(needed, (std::min)(2 * items.capacity(), max)));
        for (std::size_t i = 0; i < taken; ++i, ++from_.index, ++from_.delivered)
            items.push_back(std::move(from_.buffer[from_.index]));
    }

    std::vector<T> deliver()
    {
        delivered_ = true;
        return std::move(items);
    }

    std::vector<T> items;

private:
    listing<T>& from_;
    std::string token_; // of the page that the first item came with
    std::size_t offset_ = 0;
    bool delivered_ = false;
};

template <class T>
operation<std::vector<T>> collect_items(std::shared_ptr<listing<T>> state, std::size_t max)
{
    if (state->busy)
        co_return busy_error();
    busy_mark const mark(state->busy);
    gathering<T> all(*state);
    while (all.items.size() < max)
    {
        auto more = co_await fill(state);
        if (!more)
            co_return std::move(more).error();
        if (!*more)
            break;
        all.take_buffered(max);
    }
    co_return result<std::vector<T>>(all.deliver(), state->current.response);
}

} // namespace detail

/** A listing that is pulled: item by item, page by page, or all at once. Made by `list()` of a collection.

    @code
    auto all = groups.list();
    while (auto group = co_await or_throw(all.next()))
        std::cout << group->id << '\n';
    @endcode

    Lazy: nothing is sent before the first `next()`. Follows the server's page tokens, over empty pages too, always
    to the client's own endpoint, whatever host a link names; ends where a page has no next link. The items of a page
    are delivered even if its next link cannot be followed; the first call that needs the page after it returns the
    error. The call after that fetches the page with the broken link again, and skips as many of its items as were
    delivered: items are skipped by number, so none is lost or repeated as long as the page does not change on the server.

    An error does not advance: the next call asks for the same page again. Tokens may expire; then the server's 400
    arrives as `errc::page_token_expired`, and the listing has to be begun anew (nothing is restarted silently, for
    items would come twice).

    **Threads.** A generator is used by one coroutine at a time; a second call while one is under way gives
    `errc::busy`. **Lifetime.** Movable between calls; may be destroyed at any time, which cancels a prefetch under
    way. **Cancellation.** As for every call of the client; a cancelled `next()` can be called again. */
template <class T>
class async_generator
{
public:
    using value_type = T;

    async_generator(std::shared_ptr<detail::page_source<T>> source, list_options options)
        : state_(std::make_shared<detail::listing<T>>(std::move(source), options))
    {
    }

    async_generator(async_generator&&) noexcept = default;
    async_generator& operator=(async_generator&&) noexcept = default;
    async_generator(async_generator const&) = delete;
    async_generator& operator=(async_generator const&) = delete;
    ~async_generator() = default;

    /** The next item, or nothing at the end. `response()` of the result is that of the page that the item came with, and
        at the end that of the last page. The items of a page share it. Items that a failed `collect()` leaves behind have
        the response of the last page that it fetched. */
    operation<std::optional<T>> next() { return detail::next_item(state_); }

    /** The undelivered rest of the current page, or else the next page that is not empty; nothing at the end. After a
        failed `collect()`, the items are all that it gathered, and the rest is that of the last page it fetched. */
    operation<std::optional<page<T>>> next_page() { return detail::next_page_of(state_); }

    /** Up to `max` further items. After an error the items gathered so far are delivered again by the next call. */
    operation<std::vector<T>> collect(std::size_t max = static_cast<std::size_t>(-1))
    {
        return detail::collect_items(state_, max);
    }

    /** The place before the next undelivered item. */
    ccloud::checkpoint checkpoint() const
    {
        auto const& at = *state_;
        if (at.index < at.buffer.size() || at.cut || at.broken_link)
            return ccloud::checkpoint(at.base_token, at.base_offset + at.index + at.to_skip);
        if (at.complete)
            return ccloud::checkpoint::end();
        return ccloud::checkpoint(at.next_token, at.refetched + at.to_skip);
    }

    /** Goes to `place` before the first call; calls then give what comes after it. Once a call was made it is too
        late: further calls give `errc::invalid_argument` where they would fetch a page. */
    async_generator& resume(ccloud::checkpoint const& place) &
    {
        seek(place);
        return *this;
    }
    async_generator&& resume(ccloud::checkpoint const& place) &&
    {
        seek(place);
        return std::move(*this);
    }

private:
    void seek(ccloud::checkpoint const& place)
    {
        state_->resumed_late = state_->started;
        if (state_->started)
            return;
        state_->next_token = place.token();
        state_->to_skip = place.offset();
        state_->complete = place.at_end();
        state_->source->resume(place);
    }

    std::shared_ptr<detail::listing<T>> state_;
};

} // namespace ccloud

#endif
