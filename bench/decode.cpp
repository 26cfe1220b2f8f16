// What does it cost to read a page of 100 IP groups, and one group? Ours decodes from the parser's events into the
// structs; the peer builds a document and converts that. Left out is where the text comes from: it lies in memory.
#include <ccloud/iam/ip_groups.hpp>

#include "core/described.hpp"
#include "documents.hpp"
#include "measure.hpp"
#include "paging.hpp"
#include "peers/dom.hpp"
#include "questions.hpp"

#include <boost/describe/class.hpp>
#include <boost/json/parse.hpp>

#include <cstddef>
#include <stdexcept>
#include <string>

namespace ccloud::iam {

// As in the source file of the collection.
BOOST_DESCRIBE_STRUCT(ip_group, (), (api_version, kind, id, metadata, group_name, cidr_blocks))

} // namespace ccloud::iam

namespace bench {

namespace {

using ccloud::iam::ip_group;

constexpr std::size_t groups = 100;
constexpr double microseconds = 1e-3; // of nanoseconds

void require(bool holds)
{
    if (!holds)
        throw std::runtime_error("decode: a document was read wrongly");
}

question about_page(std::string const& page)
{
    ccloud::detail::page_terms const terms{groups, ccloud::config().limits.decoded_response};
    auto const codec = [&page, terms] {
        ccloud::detail::raw_page read;
        require(!ccloud::detail::decode_page<ip_group>(page, terms, read) && read.size == groups);
        keep(read);
    };
    auto const dom = [&page] {
        auto const read = dom::read_page(page);
        require(read.size() == groups);
        keep(read);
    };
    auto const document = [&page] {
        auto const read = boost::json::parse(page);
        keep(read);
    };
    question what;
    what.title = "Read a page of 100 IP groups, " + std::to_string(page.size()) + " bytes";
    what.metrics = {{"micro/codec_us", "us"}};
    what.contenders = {
        timed("ccloud", true, codec, microseconds),
        timed("dom", false, dom, microseconds),
        timed("document", false, document, microseconds),
    };
    return what;
}

question about_group(std::string const& group)
{
    auto const codec = [&group] {
        ip_group read;
        require(!ccloud::core::read_json(group, read) && read.cidr_blocks.size() == 2);
        keep(read);
    };
    auto const dom = [&group] {
        auto const read = dom::read_group(group);
        require(read.cidr_blocks.size() == 2);
        keep(read);
    };
    question what;
    what.title = "Read an IP group, " + std::to_string(group.size()) + " bytes";
    what.metrics = {{"micro/codec_group_us", "us"}};
    what.contenders = {
        timed("ccloud", true, codec, microseconds),
        timed("dom", false, dom, microseconds),
    };
    return what;
}

} // namespace

void decode(int rounds, report& notes)
{
    auto const page = page_document();
    auto const group = group_document();
    ask(about_page(page), rounds, notes);
    notes.add_ratio("ratio/codec/dom", "micro/codec_us/ccloud", "micro/codec_us/dom");
    notes.claim("ratio/codec/dom", 0.45);
    notes.chart("Reading a page of 100 IP groups", "micro/codec_us");
    ask(about_group(group), rounds, notes);
}

} // namespace bench
