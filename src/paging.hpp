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

/** The envelope of a list. */
template <class T>
struct list_document
{
    list_metadata metadata;
    std::vector<T> data;
};

inline constexpr std::size_t most_page_size = 100;

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

using page_decoder = std::optional<core::complaint> (*)(std::string_view body, raw_page& into);

/** Fetches the pages of one listing in order: cursor, prefetch, guards. All but `fetch` and `abandon` happens on the
    client's executor. */
class pager
{
public:
    static std::shared_ptr<pager> make(client cloud, planned_request first, list_options options, page_decoder decode);

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
std::optional<core::complaint> decode_page(std::string_view body, raw_page& into)
{
    list_document<T> document;
    document.data.reserve(likely_items(body.size()));
    if (auto wrong = core::read_json(body, document))
        return wrong;
    into.metadata = std::move(document.metadata);
    into.size = document.data.size();
    into.items = std::make_shared<std::vector<T>>(std::move(document.data));
    return std::nullopt;
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
    auto pages = detail::pager::make(cloud, std::move(first), options, &detail::decode_page<T>);
    return async_generator<T>(std::make_shared<detail::typed_pager<T>>(std::move(pages)), options);
}

} // namespace ccloud

namespace ccloud::core {

template <class T>
slot list_member(void* to, std::string_view name)
{
    auto& document = *static_cast<ccloud::detail::list_document<T>*>(to);
    if (name == "data")
        return slot{&reader_of<std::vector<T>>(), &document.data, "data"};
    if (name == "metadata")
        return slot{&reader_of<ccloud::detail::list_metadata>(), &document.metadata, "metadata"};
    return {};
}

template <class T>
struct custom_reader<ccloud::detail::list_document<T>>
{
    static constexpr reader_type type{.expected = "an object", .member = &list_member<T>};
};

} // namespace ccloud::core

#endif
