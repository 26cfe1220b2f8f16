#ifndef CCLOUD_PAGING_HPP
#define CCLOUD_PAGING_HPP

#include <ccloud/async_generator.hpp>
#include <ccloud/client.hpp>

#include "core/codec.hpp"
#include "core/required.hpp"
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

/** A text of a list that no item depends on, so that a page is not lost if it is something else. */
struct lenient_text
{
    std::string value;
    char const* other_kind = nullptr; ///< "a number", if it was no text
};

/** The metadata of a list. */
struct list_metadata
{
    lenient_text first;
    lenient_text last;
    lenient_text prev;
    lenient_text next;
    lenient_text self;
    std::optional<std::int64_t> total_size;
};
BOOST_DESCRIBE_STRUCT(list_metadata, (), (first, last, prev, next, self, total_size))

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

/** Whether a document has an error: a text, number, object or list that is not empty. */
struct error_mark
{
    bool is_set = false;
};

/** The envelope of a list, without its items. */
struct list_envelope
{
    lenient_text api_version;
    lenient_text kind;
    list_metadata metadata;
    char const* other_metadata = nullptr; ///< "an array", if the metadata was no object
    bool has_data = false;                ///< also if it is null
    error_mark error;                     ///< "error" or "errors"
};

/** A list of the API. */
template <class T>
struct list_document : list_envelope
{
    page_items<T> data;
};

/** What a decoded list lacks of that which every list of the API has: "data", and an id in each item. An object without
    "data", such as an error under 200, is not an empty list; nor is one whose "data" is empty beside an error. `bytes` is
    the size of the document. */
template <class T>
std::optional<core::complaint> check_list(list_document<T> const& document, std::size_t bytes)
{
    if (!document.has_data)
        return core::complaint{"/data", bytes, "is missing"};
    if (document.data.all.empty() && document.error.is_set)
        return core::complaint{"/data", bytes, "is empty beside an error"};
    for (auto const& item : document.data.all)
        if (item.id.empty())
            return core::check_required(item, "/data/" + std::to_string(&item - document.data.all.data()), bytes);
    return std::nullopt;
}

inline constexpr std::size_t most_page_size = 100;

/** The limits of a page that is decoded. */
struct page_terms
{
    std::size_t asked;  ///< items that were requested
    std::size_t memory; ///< bytes that the decoded page may take
};

/** What the parts of a page are moved into, in one piece of memory. */
template <class T>
struct page_parts
{
    std::vector<T> items;
    http_headers fields; ///< of the response, which its copies share
};

/** A page whose items are known to its owner only. */
struct raw_page
{
    std::shared_ptr<void> items;          ///< std::vector<T>
    std::shared_ptr<http_headers> fields; ///< the place for those of the response; empty
    std::size_t size = 0;
    list_envelope envelope;
    std::string token;                ///< the page token that it was fetched with
    std::string next;                 ///< the page token of the next page; empty at the end
    std::optional<error> broken_link; ///< why the next page cannot be fetched
    response_info response;           ///< shares its header fields
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

    /** Moves the items out, after the whole page was read. Returns what the page lacks. */
    virtual std::optional<core::complaint> finish(raw_page& into) = 0;
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
    into.envelope = std::move(static_cast<list_envelope&>(document));
    into.size = document.data.all.size();
    auto const parts = std::make_shared<page_parts<T>>();
    parts->items = std::move(document.data.all);
    into.items = {parts, &parts->items};
    into.fields = {parts, &parts->fields};
}

template <class T>
std::optional<core::complaint> decode_page(std::string_view body, page_terms terms, raw_page& into)
{
    auto document = empty_page<T>(body.size(), terms);
    if (auto wrong = core::read_json(body, document, terms.memory))
        return wrong;
    if (auto lacking = check_list(document, body.size()))
        return lacking;
    hand_over(std::move(document), into);
    return std::nullopt;
}

template <class T>
class typed_long_page final : public long_page
{
public:
    typed_long_page(std::string_view body, page_terms terms)
        : bytes_(body.size()), document_(empty_page<T>(bytes_, terms)),
          reader_(body, core::root_of(document_), terms.memory)
    {
    }

    core::document_reader& reader() noexcept override { return reader_; }
    std::optional<core::complaint> finish(raw_page& into) override
    {
        auto lacking = check_list(document_, bytes_);
        if (!lacking)
            hand_over(std::move(document_), into);
        return lacking;
    }

private:
    std::size_t const bytes_;
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
        page.token = std::move(got->token);
        page.next = std::move(got->next);
        page.broken_link = std::move(got->broken_link);
        auto& content = page.content;
        content.items = std::move(*std::static_pointer_cast<std::vector<T>>(got->items));
        content.response = std::move(got->response);
        auto& [api_version, kind, metadata, other, has_data, failure] = got->envelope;
        content.api_version = std::move(api_version.value);
        content.kind = std::move(kind.value);
        content.total_size = metadata.total_size;
        content.links.first = std::move(metadata.first.value);
        content.links.last = std::move(metadata.last.value);
        content.links.prev = std::move(metadata.prev.value);
        content.links.next = std::move(metadata.next.value);
        content.links.self = std::move(metadata.self.value);
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

template <>
struct custom_reader<ccloud::detail::lenient_text>
{
    static constexpr reader_type type{
        .expected = "a string",
        .text =
            [](void* to, std::string_view text) {
                *static_cast<ccloud::detail::lenient_text*>(to) = {std::string(text), nullptr};
            },
        .other_kind =
            [](void* to, char const* found) {
                *static_cast<ccloud::detail::lenient_text*>(to) = {{}, found};
            }};
};

template <>
struct custom_reader<ccloud::detail::error_mark>
{
    static void set(void* to) noexcept { static_cast<ccloud::detail::error_mark*>(to)->is_set = true; }
    static slot inside(void* to) noexcept { return slot{&type, to, {}}; }

    static constexpr reader_type type{
        .expected = "an error",
        .text =
            [](void* to, std::string_view text) {
                if (!text.empty())
                    set(to);
            },
        .integer =
            [](void* to, std::int64_t number) {
                if (number != 0)
                    set(to);
            },
        .real =
            [](void* to, double number) {
                if (number != 0)
                    set(to);
            },
        .member = [](void* to, std::string_view) { return inside(to); },
        .array = [](void*) { return any_number; },
        .element = [](void* to) { return inside(to); },
        .other_kind =
            [](void* to, char const* found) {
                if (std::string_view(found) == "a number") // of more than 63 bits
                    set(to);
            }};
};

/** The metadata of the envelope behind it. */
struct metadata_reader
{
    static slot member(void* to, std::string_view name)
    {
        auto& envelope = *static_cast<ccloud::detail::list_envelope*>(to);
        return reader_of<ccloud::detail::list_metadata>().member(&envelope.metadata, name);
    }

    static constexpr reader_type type{
        .expected = "an object", .member = &member, .other_kind = [](void* to, char const* found) {
            static_cast<ccloud::detail::list_envelope*>(to)->other_metadata = found;
        }};
};

template <class T>
slot list_member(void* to, std::string_view name)
{
    auto& document = *static_cast<ccloud::detail::list_document<T>*>(to);
    auto const text = [](ccloud::detail::lenient_text& into, std::string_view of) {
        return slot{&reader_of<ccloud::detail::lenient_text>(), &into, of};
    };
    if (name == "data")
    {
        document.has_data = true;
        return slot{&reader_of<ccloud::detail::page_items<T>>(), &document.data, "data"};
    }
    if (name == "metadata")
        return slot{&metadata_reader::type, static_cast<ccloud::detail::list_envelope*>(&document), "metadata"};
    if (name == "kind")
        return text(document.kind, "kind");
    if (name == "api_version")
        return text(document.api_version, "api_version");
    if (name == "error" || name == "errors")
        return slot{&reader_of<ccloud::detail::error_mark>(), &document.error, "error"};
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
