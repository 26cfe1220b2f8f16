#ifndef CCLOUD_TESTING_SIMULATOR_IAM_HPP
#define CCLOUD_TESTING_SIMULATOR_IAM_HPP

#include "testing/simulator_call.hpp"

#include <algorithm>
#include <functional>
#include <map>

namespace ccloud::testing::simulated {

/** An object of the IAM APIs. Its JSON is made when it changes, for it is read far more often. */
struct iam_record
{
    std::uint64_t number = 0;
    std::string id;
    std::string url;
    json::object content;
    std::string text;
};

inline std::string join_texts(std::vector<iam_record const*> const& records)
{
    std::string joined;
    for (iam_record const* record : records)
    {
        if (!joined.empty())
            joined += ',';
        joined += record->text;
    }
    return joined;
}

inline constexpr auto any_record = [](iam_record const&) { return true; };

inline void set_member(iam_record& record, std::string_view name, std::string_view value)
{
    record.content[json::string_view(name.data(), name.size())] = json::string_view(value.data(), value.size());
}

/** Notes the time of a change and makes the text anew. */
inline void touch(iam_record& record, instant now)
{
    record.content["metadata"].as_object()["updated_at"] = to_rfc3339(now);
    record.text = json::serialize(record.content);
}

/** "a.b.c.d/n" with numbers in range. */
inline bool is_ipv4_block(std::string_view text)
{
    auto const slash = text.find('/');
    if (slash == std::string_view::npos)
        return false;
    auto const bits = to_number<int>(text.substr(slash + 1));
    std::vector<std::string_view> const parts = split(text.substr(0, slash), '.');
    return bits && *bits >= 0 && *bits <= 32 && parts.size() == 4 &&
           std::ranges::all_of(parts, [](std::string_view part) {
               auto const byte = to_number<int>(part);
               return byte && *byte >= 0 && *byte <= 255 && part.size() <= 3;
           });
}

/** Letters, digits, space and a few marks; whatever is not ASCII passes for a letter. */
inline bool may_stand_in_group_name(char c)
{
    constexpr std::string_view marks = " []|&+-_/.,";
    return static_cast<unsigned char>(c) >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z') || marks.find(c) != std::string_view::npos;
}

/** `/iam/v2/ip-groups` */
class ip_group_resource final : public resource
{
public:
    ip_group_resource(simulator_options const& options, instant start)
        : url_(options.next_host + "/iam/v2/ip-groups"), quota_(options.ip_groups_per_org)
    {
        for (std::size_t n = 1; n <= options.seed_groups; ++n)
            seed(n, start);
    }

    api_response list(call const& request) override
    {
        page_request const wanted = read_page_request(request, "ip-groups", 25);
        page<iam_record> const found = groups_.read(wanted.from, wanted.size, any_record);
        return json_response(
            200, R"({"api_version":"iam/v2","kind":"IpGroupList","metadata":)" +
                     json::serialize(list_metadata(wanted, found)) + R"(,"data":[)" + join_texts(found.items) + "]}"
        );
    }

    api_response create(call const& request) override
    {
        content const wanted = read(request);
        refuse_taken_name(request, wanted.name, nullptr);
        if (quota_ && groups_.size() >= *quota_)
            throw refuse_quota(request, "organization", *quota_, "IP groups");
        iam_record const& made = add(wanted, request.now);
        return object_response(201, made.text, made.url);
    }

    api_response get(call const& request) override { return json_response(200, find(request).text); }

    /** No merge: the name and all blocks must be given. */
    api_response update(call const& request) override
    {
        iam_record& group = find(request);
        content const wanted = read(request);
        refuse_taken_name(request, wanted.name, &group);
        by_name_.erase(std::string(group.content["group_name"].as_string()));
        by_name_.emplace(wanted.name, &group);
        fill(group, wanted);
        touch(group, request.now);
        return json_response(200, group.text);
    }

    api_response remove(call const& request) override
    {
        iam_record& group = find(request);
        by_name_.erase(std::string(group.content["group_name"].as_string()));
        groups_.erase(group);
        return {.status = 204, .body = {}, .headers = {}};
    }

private:
    struct content
    {
        std::string name;
        std::vector<std::string> blocks;
    };

    static content read(call const& request)
    {
        json::object const body = read_object(request);
        content result;
        member_reader members(request, body);
        result.name = members.text("group_name");
        json::value const* const blocks = body.if_contains("cidr_blocks");
        if (blocks == nullptr || (blocks->is_array() && blocks->get_array().empty()))
            throw refuse_body(request, "cannot have an empty CIDR block", "/cidr_blocks");
        members.finish();
        result.blocks = read_blocks(request, *blocks);
        refuse_values(request, wrong_values(result));
        return result;
    }

    static std::vector<std::string> read_blocks(call const& request, json::value const& value)
    {
        if (!value.is_array())
            throw refuse_body(request, "cidr_blocks must be an array of strings", "/cidr_blocks");
        std::vector<std::string> blocks;
        for (json::value const& block : value.get_array())
        {
            if (!block.is_string())
                throw refuse_body(
                    request, "cidr_blocks must be an array of strings", "/cidr_blocks/" + std::to_string(blocks.size())
                );
            blocks.emplace_back(block.get_string());
        }
        return blocks;
    }

    static std::vector<problem> wrong_values(content const& group)
    {
        std::vector<problem> problems;
        std::size_t const length = count_code_points(group.name);
        if (length < 1 || length > 64)
            problems.push_back({.detail = "group_name must have 1 to 64 characters", .pointer = "/group_name"});
        if (!std::ranges::all_of(group.name, may_stand_in_group_name))
            problems.push_back({.detail = "group_name has a character that is not allowed", .pointer = "/group_name"});
        if (group.blocks.size() > 25)
            problems.push_back({.detail = "cidr_blocks must have 1 to 25 items", .pointer = "/cidr_blocks"});
        for (std::size_t i = 0; i < group.blocks.size(); ++i)
            if (!is_ipv4_block(group.blocks[i]))
                problems.push_back(
                    {.detail = group.blocks[i] + " is not a valid IPv4 CIDR block",
                     .pointer = "/cidr_blocks/" + std::to_string(i)}
                );
        return problems;
    }

    void refuse_taken_name(call const& request, std::string const& name, iam_record const* except) const
    {
        auto const taken = by_name_.find(name);
        if (taken == by_name_.end() || taken->second == except)
            return;
        refusal conflict = refuse(
            request, 409,
            {.detail = "An IP group with the name " + name + " already exists",
             .pointer = "/group_name",
             .code = "resource_already_exists"}
        );
        conflict.response.headers.emplace_back("Location", taken->second->url);
        throw conflict;
    }

    static void fill(iam_record& group, content const& wanted)
    {
        set_member(group, "group_name", wanted.name);
        group.content["cidr_blocks"] = json::array(wanted.blocks.begin(), wanted.blocks.end());
    }

    iam_record& add(content const& wanted, instant now)
    {
        iam_record made;
        made.number = ++last_number_;
        made.id = make_id("ipg-", made.number);
        made.url = url_ + "/" + made.id;
        made.content = {
            {"api_version", "iam/v2"},
            {"kind", "IpGroup"},
            {"id", made.id},
            {"metadata", make_metadata(made.url, crn("ip-group=" + made.id), now, now)},
        };
        fill(made, wanted);
        touch(made, now);
        iam_record& group = groups_.add(std::move(made));
        by_name_.emplace(wanted.name, &group);
        return group;
    }

    void seed(std::size_t n, instant now)
    {
        std::string const digits = std::to_string(n);
        std::string const net = std::to_string(n / 256 % 256) + "." + std::to_string(n % 256) + ".0/24";
        std::string const name = "group-" + std::string(4 - std::min<std::size_t>(4, digits.size()), '0') + digits;
        add({name, {"10." + net, "100." + net}}, now);
    }

    iam_record& find(call const& request) const
    {
        iam_record* const group = groups_.find(request.id);
        if (group == nullptr)
            throw refuse(request, 404, {.detail = "IP group not found: not found"});
        return *group;
    }

    json::object list_metadata(page_request wanted, page<iam_record> const& found) const
    {
        std::size_t const total = groups_.size();
        std::size_t const begin = groups_.index_of(wanted.from);
        std::size_t const last = total == 0 ? 0 : (total - 1) / wanted.size * wanted.size;
        auto const link = [&](std::size_t index) {
            return page_link(url_, "ip-groups", {index < total ? groups_.at(index).number : 0, wanted.size});
        };
        json::object metadata{{"first", url_}, {"last", link(last)}, {"prev", nullptr}, {"next", nullptr}};
        if (begin > 0)
            metadata["prev"] = link(begin - std::min(begin, wanted.size));
        if (found.next)
            metadata["next"] = page_link(url_, "ip-groups", {*found.next, wanted.size});
        metadata["total_size"] = total;
        return metadata;
    }

    std::string url_;
    std::optional<std::size_t> quota_;
    std::uint64_t last_number_ = 0;
    collection<iam_record> groups_;
    std::unordered_map<std::string, iam_record*> by_name_;
};

/** A look at the syntax of a CEL expression, no more: something there, quotes and brackets in pairs. */
inline bool looks_like_cel(std::string_view text)
{
    std::string open;
    char quote = '\0';
    for (std::size_t i = 0; i < text.size(); ++i)
    {
        char const c = text[i];
        if (quote != '\0')
        {
            if (c == '\\')
                ++i;
            else if (c == quote)
                quote = '\0';
        }
        else if (c == '"' || c == '\'')
        {
            quote = c;
        }
        else if (c == '(' || c == '[' || c == '{')
        {
            open += c == '(' ? ')' : c == '[' ? ']' : '}';
        }
        else if (c == ')' || c == ']' || c == '}')
        {
            if (!open.ends_with(c))
                return false;
            open.pop_back();
        }
    }
    return quote == '\0' && open.empty() && text.find_first_not_of(" \t\r\n") != std::string_view::npos;
}

/** How identity pools and group mappings differ. */
struct claims_rules
{
    std::string_view kind;
    std::string_view id_prefix;
    std::string_view crn_label;
    std::vector<std::string_view> required;
    std::vector<std::string_view> optional; ///< empty text where not given
    std::string_view quota_of;
    std::string_view quota_word;
    std::optional<std::size_t> quota;
};

/** What identity pools and group mappings have in common: a filter over claims, PATCH as a merge. */
class claims_resource : public resource
{
public:
    api_response list(call const& request) override
    {
        refuse_owner(request);
        std::string const url = list_url(request);
        page_request const wanted = read_page_request(request, url, 10);
        page<iam_record> const found = records_[request.owner].read(wanted.from, wanted.size, any_record);
        json::object metadata{{"self", url}};
        if (found.next)
            metadata["next"] = page_link(url, url, {*found.next, wanted.size});
        return json_response(
            200, R"({"kind":")" + std::string(rules_.kind) + R"(List","metadata":)" + json::serialize(metadata) +
                     R"(,"data":[)" + join_texts(found.items) + "]}"
        );
    }

    api_response create(call const& request) override
    {
        refuse_owner(request);
        json::object const body = read_object(request);
        member_reader members(request, body);
        texts wanted;
        for (std::string_view const name : rules_.required)
            wanted.emplace_back(name, members.text(name));
        for (std::string_view const name : rules_.optional)
            wanted.emplace_back(name, members.optional_text(name).value_or(""));
        members.finish();
        refuse_values(request, wrong_values(wanted));
        refuse_over_quota(request);
        iam_record const& made = add(request, wanted);
        return object_response(201, made.text, made.url);
    }

    api_response get(call const& request) override { return json_response(200, find(request).text); }

    api_response update(call const& request) override
    {
        iam_record& record = find(request);
        json::object const body = read_object(request);
        member_reader members(request, body);
        texts wanted;
        for (auto const* names : {&rules_.required, &rules_.optional})
            for (std::string_view const name : *names)
                if (auto value = members.optional_text(name))
                    wanted.emplace_back(name, std::move(*value));
        members.finish();
        refuse_values(request, wrong_values(wanted));
        for (auto const& [name, value] : wanted)
            set_member(record, name, value);
        touch(record, request.now);
        return json_response(200, record.text);
    }

    api_response remove(call const& request) override
    {
        records_[request.owner].erase(find(request));
        return {.status = 204, .body = {}, .headers = {}};
    }

protected:
    explicit claims_resource(claims_rules rules) : rules_(std::move(rules)) {}

private:
    using texts = std::vector<std::pair<std::string_view, std::string>>;

    virtual std::string list_url(call const& request) const = 0;
    virtual std::string owner_crn(call const& request) const = 0;
    virtual void refuse_owner(call const& request) const = 0;
    virtual refusal not_found(call const& request) const = 0;

    static std::vector<problem> wrong_values(texts const& wanted)
    {
        std::vector<problem> problems;
        for (auto const& [name, value] : wanted)
        {
            std::string const member(name);
            if (member == "filter" && !looks_like_cel(value))
                problems.push_back({.detail = "filter is not a valid CEL expression", .pointer = "/filter"});
            else if (member == "filter" && count_code_points(value) > 300)
                problems.push_back({.detail = "filter must have 1 to 300 characters", .pointer = "/filter"});
            else if (member != "description" && value.empty())
                problems.push_back({.detail = member + " must not be empty", .pointer = "/" + member});
        }
        return problems;
    }

    void refuse_over_quota(call const& request)
    {
        if (rules_.quota && records_[request.owner].size() >= *rules_.quota)
            throw refuse_quota(request, rules_.quota_of, *rules_.quota, rules_.quota_word);
    }

    iam_record& add(call const& request, texts const& wanted)
    {
        iam_record made;
        made.number = ++last_number_;
        made.id = make_id(rules_.id_prefix, made.number);
        made.url = list_url(request) + "/" + made.id;
        std::string const name = crn(owner_crn(request) + std::string(rules_.crn_label) + "=" + made.id);
        made.content["api_version"] = "iam/v2";
        set_member(made, "kind", rules_.kind);
        set_member(made, "id", made.id);
        made.content["metadata"] = make_metadata(made.url, name, request.now, request.now);
        for (auto const& [member, value] : wanted)
            set_member(made, member, value);
        set_member(made, "principal", made.id);
        set_member(made, "state", "ENABLED");
        touch(made, request.now);
        return records_[request.owner].add(std::move(made));
    }

    iam_record& find(call const& request)
    {
        refuse_owner(request);
        iam_record* const record = records_[request.owner].find(request.id);
        if (record == nullptr)
            throw not_found(request);
        return *record;
    }

    claims_rules rules_;
    std::uint64_t last_number_ = 0;
    std::map<std::string, collection<iam_record>> records_; ///< by owner
};

/** `/iam/v2/identity-providers/{provider_id}/identity-pools` */
class identity_pool_resource final : public claims_resource
{
public:
    explicit identity_pool_resource(simulator_options const& options)
        : claims_resource(
              {.kind = "IdentityPool",
               .id_prefix = "pool-",
               .crn_label = "identity-pool",
               .required = {"display_name", "description", "identity_claim", "filter"},
               .optional = {},
               .quota_of = "identity provider",
               .quota_word = "identity pools",
               .quota = options.identity_pools_per_provider}
          ),
          base_(options.next_host + "/iam/v2/identity-providers/")
    {
    }

    api_response create(call const& request) override
    {
        refuse_resource_owner(request);
        return claims_resource::create(request);
    }

private:
    std::string list_url(call const& request) const override
    {
        return base_ + percent_encode(request.owner) + "/identity-pools";
    }
    std::string owner_crn(call const& request) const override { return "identity-provider=" + request.owner + "/"; }

    void refuse_owner(call const& request) const override
    {
        if (!request.owner.starts_with("op-"))
            throw not_found(request);
    }

    /** An envelope of its own; a missing pool is told like a missing provider. */
    refusal not_found(call const& request) const override
    {
        json::object const body{
            {"error_code", 404}, {"message", "Provider " + request.owner + " either doesn't exist or is not active"}};
        return {json_response(404, json::serialize(body))};
    }

    static void refuse_resource_owner(call const& request)
    {
        auto const owner = request.query.find("assigned_resource_owner");
        if (owner == request.query.end() || owner->second.empty())
            return;
        for (std::string_view const prefix : {"group-", "u-", "sa-", "pool-"})
            if (owner->second.starts_with(prefix))
                return;
        throw refuse_parameter(request, "assigned_resource_owner is not a principal", "assigned_resource_owner");
    }

    std::string base_;
};

/** `/iam/v2/sso/group-mappings` */
class group_mapping_resource final : public claims_resource
{
public:
    explicit group_mapping_resource(simulator_options const& options)
        : claims_resource(
              {.kind = "GroupMapping",
               .id_prefix = "group-",
               .crn_label = "group-mapping",
               .required = {"display_name", "filter"},
               .optional = {"description"},
               .quota_of = "organization",
               .quota_word = "group mappings",
               .quota = options.group_mappings_per_org}
          ),
          url_(options.next_host + "/iam/v2/sso/group-mappings")
    {
    }

private:
    std::string list_url(call const&) const override { return url_; }
    std::string owner_crn(call const&) const override { return {}; }
    void refuse_owner(call const&) const override {}

    /** The real service says "service account" here. */
    refusal not_found(call const& request) const override
    {
        return refuse(request, 404, {.detail = "Service Account Not Found", .code = "service_account_not_found"});
    }

    std::string url_;
};

} // namespace ccloud::testing::simulated

#endif
