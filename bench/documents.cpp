#include "documents.hpp"

#include <array>
#include <cstdio>

namespace bench {

namespace {

/** The same length for each number of three digits. Identifiers and times look random, or gzip would have it easy. */
std::string numbered_group(unsigned number)
{
    unsigned const id = number * 48271 % 100'000;
    unsigned const microseconds = number * 69621 % 1'000'000;
    std::array<char, 512> text{};
    std::snprintf(
        text.data(), text.size(),
        R"({"api_version":"iam/v2","kind":"IpGroup","id":"ipg-%05u","metadata":{)"
        R"("self":"https://confluent.cloud/iam/v2/ip-groups/ipg-%05u",)"
        R"("resource_name":"crn://confluent.cloud/organization=1111aaaa-11aa-11aa-11aa-111111aaaaaa/ip-group=ipg-%05u",)"
        R"("created_at":"2025-07-22T12:21:26.%06uZ","updated_at":"2025-07-22T12:23:05.%06uZ"},)"
        R"("group_name":"CorpNet - branch office %u","cidr_blocks":["192.168.%u.0/24","10.%u.0.0/16"]})",
        id, id, id, microseconds, 999'999 - microseconds, number, number, number
    );
    return text.data();
}

} // namespace

std::string group_document()
{
    return numbered_group(100);
}

std::string page_document()
{
    std::string page = R"({"api_version":"iam/v2","kind":"IpGroupList","metadata":{)"
                       R"("first":"https://confluent.cloud/api/iam/v2/ip-groups",)"
                       R"("next":"https://confluent.cloud/api/iam/v2/ip-groups?page_token=dG9rZW4","total_size":1000},)"
                       R"("data":[)";
    for (unsigned i = 100; i < 200; ++i)
    {
        page += i == 100 ? "" : ",";
        page += numbered_group(i);
    }
    return page + "]}";
}

} // namespace bench
