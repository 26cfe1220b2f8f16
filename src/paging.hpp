#ifndef CCLOUD_PAGING_HPP
#define CCLOUD_PAGING_HPP

#include <ccloud/async_generator.hpp>
#include <ccloud/client.hpp>

#include "core/codec.hpp"
#include "endpoint.hpp"

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ccloud::detail {

/** The members of a list's metadata that mean something to us. */
struct list_metadata
{
    std::string next;
    std::optional<std::int64_t> total_size;
};
BOOST_DESCRIBE_STRUCT(list_metadata, (), (next, total_size))

/** How many items a page may have if `asked` were requested: ten times as many, or as many as the longest page that
    any of the APIs documents, if that is more. A server may ignore `page_size`, and may raise its limits. */
constexpr std::size_t most_items(std::size_t asked) noexcept
{
    constexpr std::size_t longest_documented = 500;
    return (std::max)(10 * asked, longest_documented);
}

/** The items of a page, and the number of items that was requested. */
template <class T>
struct page_items
{
    std::vector<T> all;
    std::size_t asked = 0;
};

/** The envelope of a list. */
template <class T>
struct list_document
{
    list_metadata metadata;
    page_items<T> data;
};

inline constexpr std::size_t most_page_size = 100;

/** The limits of a page that is decoded. */
struct page_terms
{
    std::size_t asked;  ///< items that were requested
    std::size_t memory; ///< bytes that the decoded page may take
};

/** A page whose items are known to its owner only. */
struct raw_page
{
    std::shared_ptr<void> items; ///< std::vector<T>
    std::size_t size = 0;
    list_metadata metadata;
    std::string token;
    std::string next;
    response_info response;
};

/** Decodes a long page. */
class long_page
{
public:
    long_page() = default;
    long_page(long_page const&) = delete;
    long_page& operator=(long_page const&) = delete;
    virtual ~long_page() = default;

    virtual core::document_reader& reader() noexcept = 0;

    /** Moves the items out, after the whole page was read. */
    virtual void finish(raw_page& into) = 0;
};

/** How pages of one type are decoded: a short one in one go, a long one in slices. */
struct page_decoder
{
    std::optional<core::complaint> (*decode)(std::string_view body, page_terms terms, raw_page& into);
    std::unique_ptr<long_page> (*begin)(std::string_view body, page_terms terms);
};

/** Fetches the pages of one listing in order: cursor, prefetch, guards. All but `fetch` and `abandon` happens on the
    client's executor. */
class pager
{
public:
    static std::shared_ptr<pager> make(client cloud, planned_request first, list_options options, page_decoder decoder);

    virtual ~pager() = default;

    /** The next page; an error does not advance. Not to be called past the end, nor twice at a time. */
    virtual operation<raw_page> fetch() = 0;
    virtual void resume(checkpoint const& from) = 0;

    /** Cancels a prefetch under way. Any thread. */
    virtual void abandon() noexcept = 0;
};

/** How many items a page of so many bytes may have, rather too many than too few: they are dear to move. */
constexpr std::size_t likely_items(std::size_t bytes) noexcept
{
    constexpr std::size_t short_item = 300;
    return (std::min)(bytes / short_item + 1, most_page_size);
}

template <class T>
list_document<T> empty_page(std::size_t bytes, page_terms terms)
{
    list_document<T> document;
    document.data.asked = terms.asked;
    document.data.all.reserve(likely_items(bytes));
    return document;
}

template <class T>
void hand_over(list_document<T>&& document, raw_page& into)
{
    into.metadata = std::move(document.metadata);
    into.size = document.data.all.size();
    into.items = std::make_shared<std::vector<T>>(std::move(document.data.all));
}

template <class T>
std::optional<core::complaint> decode_page(std::string_view body, page_terms terms, raw_page& into)
{
    auto document = empty_page<T>(body.size(), terms);
    if (auto wrong = core::read_json(body, document, terms.memory))
        return wrong;
    hand_over(std::move(document), into);
    return std::nullopt;
}

template <class T>
class typed_long_page final : public long_page
{
public:
    typed_long_page(std::string_view body, page_terms terms)
        : document_(empty_page<T>(body.size(), terms)), reader_(body, core::root_of(document_), terms.memory)
    {
    }

    core::document_reader& reader() noexcept override { return reader_; }
    void finish(raw_page& into) override { hand_over(std::move(document_), into); }

private:
    list_document<T> document_;
    core::document_reader reader_;
};

template <class T>
std::unique_ptr<long_page> begin_page(std::string_view body, page_terms terms)
{
    return std::make_unique<typed_long_page<T>>(body, terms);
}

template <class T>
class typed_pager final : public page_source<T>
{
public:
    explicit typed_pager(std::shared_ptr<pager> pages) noexcept : pages_(std::move(pages)) {}

    operation<fetched_page<T>> fetch() override { return fetch_from(pages_); }
    void resume(checkpoint const& from) override { pages_->resume(from); }
    void abandon() noexcept override { pages_->abandon(); }

private:
    static operation<fetched_page<T>> fetch_from(std::shared_ptr<pager> pages)
    {
        auto got = co_await pages->fetch();
        if (!got)
            co_return std::move(got).error();
        fetched_page<T> page;
        page.items = std::move(*std::static_pointer_cast<std::vector<T>>(got->items));
        page.token = std::move(got->token);
        page.next = std::move(got->next);
        page.total_size = got->metadata.total_size;
        page.response = std::move(got->response);
        co_return page;
    }

    std::shared_ptr<pager> pages_;
};

} // namespace ccloud::detail

namespace ccloud {

/** The listing that begins with this request. */
template <class T>
async_generator<T> list_pages(client const& cloud, planned_request first, list_options options)
{
    detail::page_decoder const decoder{&detail::decode_page<T>, &detail::begin_page<T>};
    auto pages = detail::pager::make(cloud, std::move(first), options, decoder);
    return async_generator<T>(std::make_shared<detail::typed_pager<T>>(std::move(pages)), options);
}

} // namespace ccloud

namespace ccloud::core {

template <class T>
slot list_member(void* to, std::string_view name)
{
    auto& document = *static_cast<ccloud::detail::list_document<T>*>(to);
    if (name == "data")
        return slot{&reader_of<ccloud::detail::page_items<T>>(), &document.data, "data"};
    if (name == "metadata")
        return slot{&reader_of<ccloud::detail::list_metadata>(), &document.metadata, "metadata"};
    return {};
}

template <class T>
struct custom_reader<ccloud::detail::page_items<T>>
{
    static std::size_t begin(void* to)
    {
        auto& items = *static_cast<ccloud::detail::page_items<T>*>(to);
        items.all.clear();
        return ccloud::detail::most_items(items.asked);
    }

    static slot add(void* to)
    {
        return slot{&reader_of<T>(), &static_cast<ccloud::detail::page_items<T>*>(to)->all.emplace_back(), {}};
    }

    static std::string too_many(void const* to)
    {
        auto const asked = static_cast<ccloud::detail::page_items<T> const*>(to)->asked;
        return "more than " + std::to_string(ccloud::detail::most_items(asked)) + " items, for a page_size of " +
               std::to_string(asked);
    }

    static constexpr reader_type type{
        .expected = "an array",
        .array = &begin,
        .element = &add,
        .element_bytes = 2 * sizeof(T),
        .too_many = &too_many};
};

template <class T>
struct custom_reader<ccloud::detail::list_document<T>>
{
    static constexpr reader_type type{.expected = "an object", .member = &list_member<T>};
};

} // namespace ccloud::core

#endif
