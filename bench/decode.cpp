// What does it cost to read a page of 100 IP groups? Ours decodes from the parser's events into the structs; the peers
// build a document first.
#include <ccloud/iam/ip_groups.hpp>
#include <ccloud/timestamp.hpp>

#include "core/described.hpp"
#include "measure.hpp"
#include "paging.hpp"
#include "questions.hpp"

#include <boost/describe/class.hpp>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <array>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace ccloud::iam {

// As in the source file of the collection.
BOOST_DESCRIBE_STRUCT(ip_group, (), (api_version, kind, id, metadata, group_name, cidr_blocks))

} // namespace ccloud::iam

namespace bench {

namespace {

namespace json = boost::json;
using ccloud::iam::ip_group;

constexpr std::size_t groups = 100;

/** A page as the service writes it. */
std::string make_page()
{
    std::string page = R"({"api_version":"iam/v2","kind":"IpGroupList","metadata":{)"
                       R"("first":"https://confluent.cloud/api/iam/v2/ip-groups",)"
                       R"("next":"https://confluent.cloud/api/iam/v2/ip-groups?page_token=dG9rZW4","total_size":1000},)"
                       R"("data":[)";
    std::array<char, 640> item{};
    for (unsigned i = 0; i < groups; ++i)
    {
        std::snprintf(
            item.data(), item.size(),
            R"(%s{"api_version":"iam/v2","kind":"IpGroup","id":"ipg-%05u","metadata":{)"
            R"("self":"https://confluent.cloud/iam/v2/ip-groups/ipg-%05u",)"
            R"("resource_name":"crn://confluent.cloud/organization=1111aaaa-11aa-11aa-11aa-111111aaaaaa/ip-group=ipg-%05u",)"
            R"("created_at":"2025-07-22T12:21:26.295975Z","updated_at":"2025-07-22T12:23:05.109445Z"},)"
            R"("group_name":"CorpNet %u","cidr_blocks":["192.168.%u.0/24","10.%u.0.0/16"]})",
            i == 0 ? "" : ",", i, i, i, i, i, i
        );
        page += item.data();
    }
    return page + "]}";
}

/** By hand, as strictly as needed to get the same values. */
std::string text(json::object const& object, json::string_view name)
{
    auto const& value = object.at(name).as_string();
    return {value.data(), value.size()};
}

std::optional<ccloud::timestamp> when(json::object const& object, json::string_view name)
{
    auto const& value = object.at(name).as_string();
    return ccloud::parse_timestamp(std::string_view(value.data(), value.size()));
}

std::vector<ip_group> convert(json::value const& document)
{
    std::vector<ip_group> all;
    auto const& data = document.at("data").as_array();
    all.reserve(data.size());
    for (auto const& item : data)
    {
        auto const& object = item.as_object();
        auto const& metadata = object.at("metadata").as_object();
        auto& group = all.emplace_back();
        group.api_version = text(object, "api_version");
        group.kind = text(object, "kind");
        group.id = text(object, "id");
        group.metadata.self = text(metadata, "self");
        group.metadata.resource_name = text(metadata, "resource_name");
        group.metadata.created_at = when(metadata, "created_at");
        group.metadata.updated_at = when(metadata, "updated_at");
        group.group_name = text(object, "group_name");
        for (auto const& block : object.at("cidr_blocks").as_array())
            group.cidr_blocks.emplace_back(block.as_string().data(), block.as_string().size());
    }
    return all;
}

void require(bool holds)
{
    if (!holds)
        throw std::runtime_error("decode: a page was read wrongly");
}

contender timed(std::string name, bool ours, std::function<void()> work)
{
    return {std::move(name), ours, [work = std::move(work)] {
                return std::vector<double>{nanoseconds_per_call(work) / 1000};
            }};
}

} // namespace

void decode(int rounds, report& notes)
{
    std::string const page = make_page();

    auto const codec = [&page] {
        ccloud::detail::raw_page read;
        require(!ccloud::detail::decode_page<ip_group>(page, read) && read.size == groups);
        keep(read);
    };
    auto const dom = [&page] {
        auto const document = json::parse(page);
        keep(document);
    };
    auto const dom_and_hand = [&page] {
        auto const read = convert(json::parse(page));
        require(read.size() == groups);
        keep(read);
    };
    auto const pooled_dom_and_hand = [&page] {
        json::monotonic_resource memory;
        auto const read = convert(json::parse(page, &memory));
        require(read.size() == groups);
        keep(read);
    };

    question what;
    what.name = "decode";
    what.title = "Read a page of 100 IP groups, " + std::to_string(page.size()) + " bytes";
    what.metrics = {{"time", "us"}};
    what.contenders = {
        timed("ccloud", true, codec),
        timed("document", false, dom),
        timed("document+hand", false, dom_and_hand),
        timed("monotonic document+hand", false, pooled_dom_and_hand),
    };
    ask(what, rounds, notes);
}

} // namespace bench
