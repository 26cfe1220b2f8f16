#ifndef CCLOUD_IAM_IP_GROUPS_HPP
#define CCLOUD_IAM_IP_GROUPS_HPP

#include <ccloud/async_generator.hpp>
#include <ccloud/client.hpp>
#include <ccloud/export.hpp>
#include <ccloud/reference.hpp>
#include <ccloud/removed.hpp>

#include <concepts>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace ccloud::iam {

/** A named set of IPv4 ranges that IP filters refer to. */
struct ip_group
{
    std::string api_version;
    std::string kind;
    std::string id;
    object_meta metadata;
    std::string group_name;
    std::vector<std::string> cidr_blocks; ///< e.g. "10.0.0.0/8"; the order means nothing
};

namespace detail {

/** A range of what converts to `std::string`, such as `std::vector<std::string>`; not a text itself. */
template <class Range>
concept range_of_texts = std::ranges::input_range<Range> && !std::convertible_to<Range, std::string> &&
                         std::convertible_to<std::ranges::range_reference_t<Range>, std::string>;

} // namespace detail

/** What a new IP group is made of. */
class create_ip_group
{
public:
    /** `group_name`: 1 to 64 letters, digits, spaces and `[ ] | & + - _ / . ,` (the server checks). */
    explicit create_ip_group(std::string group_name) : group_name_(std::move(group_name)) {}

    /** Adds ranges in CIDR notation; the server takes 1 to 25 in all. */
    template <std::convertible_to<std::string>... Blocks>
        requires(sizeof...(Blocks) > 0)
    create_ip_group& cidr_block(Blocks&&... blocks)
    {
        (cidr_blocks_.emplace_back(std::forward<Blocks>(blocks)), ...);
        return *this;
    }

    /** Adds each range of `blocks`, e.g. a `std::vector<std::string>`. */
    template <detail::range_of_texts Range>
    create_ip_group& cidr_blocks(Range&& blocks)
    {
        for (auto&& block : blocks)
            cidr_blocks_.emplace_back(block);
        return *this;
    }

private:
    friend ccloud::detail::json_object to_json(create_ip_group const& group);

    std::string group_name_;
    std::vector<std::string> cidr_blocks_;
};

/** The new state of an IP group: all of it, for the API's PATCH is no merge here. One that names only the group is
    refused ("cannot have an empty CIDR block"), and the blocks are replaced as a whole. */
class update_ip_group
{
public:
    template <std::convertible_to<std::string>... Blocks>
        requires(sizeof...(Blocks) > 0)
    explicit update_ip_group(std::string group_name, Blocks&&... cidr_blocks) : group_name_(std::move(group_name))
    {
        cidr_block(std::forward<Blocks>(cidr_blocks)...);
    }

    template <detail::range_of_texts Range>
    update_ip_group(std::string group_name, Range&& cidr_blocks) : group_name_(std::move(group_name))
    {
        for (auto&& block : cidr_blocks)
            cidr_blocks_.emplace_back(block);
    }

    /** Starts from a group as it was read, for read-modify-write. The API has no precondition for it: of two writers
        the last one wins. */
    explicit update_ip_group(ip_group const& group) : group_name_(group.group_name), cidr_blocks_(group.cidr_blocks) {}

    update_ip_group& group_name(std::string name)
    {
        group_name_ = std::move(name);
        return *this;
    }

    /** Adds ranges. */
    template <std::convertible_to<std::string>... Blocks>
        requires(sizeof...(Blocks) > 0)
    update_ip_group& cidr_block(Blocks&&... blocks)
    {
        (cidr_blocks_.emplace_back(std::forward<Blocks>(blocks)), ...);
        return *this;
    }

private:
    friend ccloud::detail::json_object to_json(update_ip_group const& group);

    std::string group_name_;
    std::vector<std::string> cidr_blocks_;
};

static_assert(!std::is_aggregate_v<create_ip_group>);
static_assert(!std::is_aggregate_v<update_ip_group>);

/** The IP groups of the organization: `/iam/v2/ip-groups`.

    Threads, lifetime, cancellation and deadlines are the client's. Conditions worth branching on, for all: `not_found`,
    `gone`, `unauthenticated`, `forbidden`, `throttled`. */
class CCLOUD_EXPORT ip_groups
{
public:
    explicit ip_groups(client cloud) : client_(std::move(cloud)) {}

    /** `POST /iam/v2/ip-groups`. `conflict` where the name is taken, `invalid_request` where the server objects to
        name or ranges, `quota_exceeded`. Never repeated once it may have been executed. */
    operation<ip_group> create(create_ip_group const& group, call_options options = {}) const;

    /** `GET /iam/v2/ip-groups/{id}`. */
    operation<ip_group> get(std::string_view id, call_options options = {}) const;

    /** `GET /iam/v2/ip-groups`, page by page. May contain the predefined `ipg-none`. */
    async_generator<ip_group> list(list_options options = {}) const;

    /** `PATCH /iam/v2/ip-groups/{id}`. Takes effect on every filter that uses the group; refused with
        `invalid_request` where it would lock the caller out. Repeated like a GET, for the same body twice leaves
        the same group. */
    operation<ip_group> update(std::string_view id, update_ip_group const& group, call_options options = {}) const;

    /** `DELETE /iam/v2/ip-groups/{id}`. */
    operation<removed> remove(std::string_view id, call_options options = {}) const;

private:
    client client_;
};

} // namespace ccloud::iam

#endif
