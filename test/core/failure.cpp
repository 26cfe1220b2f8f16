#include "core/failure.hpp"

#include "fixture.hpp"
#include "gunzip.hpp"
#include "printers.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace core = ccloud::core;
namespace json = boost::json;

using ccloud::problem;

namespace {

/** All that a problem says, in the order of its members; `error_code` and `message` only if they say something else than
    `code` and `detail`. */
std::string text(problem const& told)
{
    std::string line;
    auto const add = [&line](std::string_view name, std::string const& value) {
        if (!value.empty())
            line.append(line.empty() ? "" : " | ").append(name).append("=").append(value);
    };
    add("id", told.id);
    add("status", told.status);
    add("code", told.code);
    add("error_code", told.error_code == told.code ? std::string() : told.error_code);
    add("title", told.title);
    add("detail", told.detail);
    add("message", told.message == told.detail ? std::string() : told.message);
    add("pointer", told.pointer);
    add("parameter", told.parameter);
    add("resolution", told.resolution);
    return line;
}

std::vector<std::string> problems_in(std::string_view body)
{
    std::vector<std::string> lines;
    for (auto const& told : core::read_problems(body).kept)
        lines.push_back(text(told));
    return lines;
}

bool same(problem const& left, problem const& right)
{
    return text(left) == text(right) && left.error_code == right.error_code && left.message == right.message;
}

/** The error of an answer, as the loop makes it. */
ccloud::error answered(int status, std::string body, std::string_view media_type = "application/json")
{
    ccloud::http_headers headers;
    headers.add("Content-Type", media_type).add("X-Request-Id", "req-1");
    ccloud::error failure;
    auto& about = failure.edit();
    about.method = ccloud::method::get;
    about.path = "/iam/v2/ip-groups/ipg-1";
    about.attempts.resize(1);
    about.elapsed = std::chrono::milliseconds(80);
    core::read_answer(about, ccloud::response_info(status, headers), body);
    return failure;
}

} // namespace

TEST_CASE("the complaints of every error shape are read (vector 5)")
{
    struct row
    {
        std::string_view fixture;
        std::vector<std::string> problems;
    };
    for (auto const& [fixture, problems] : std::vector<row>{
             {"a_errors_without_code.json",
              {"id=7c1f0e5a9b3d4c2e8f6a1b0c9d8e7f60 | status=404 | detail=IP group not found: not found"}},
             {"b_misleading_code.json",
              {"id=0be1a77e4c2c4a1f9d5e6b7a8c9d0e1f | status=404 | code=service_account_not_found | "
               "detail=Service Account Not Found"}},
             {"c_error_code_and_message.json",
              {"code=404 | detail=Provider op-537 either doesn't exist or is not active"}},
             {"c_five_digit_code.json", {"code=40301 | detail=User is denied operation Describe on this resource"}},
             {"d_error_object.json", {"status=NOT_FOUND | code=404 | detail=no route for this path"}},
             {"d_error_object_short.json", {"code=401 | detail=token is expired"}},
             {"e_message_only.json", {"detail=resource not found"}},
             {"f_message_and_details.json",
              {"status=404 | code=RESOURCE_NOT_FOUND | detail=The resource does not exist; plattc-gz20xy | "
               "message=The resource does not exist"}},
             {"g_nested_error_with_request_id.json",
              {"id=5f0c9a1d7e | status=400 | code=INVALID_PAGE_SIZE | detail=page_size must be a number | "
               "resolution=Use a number from 1 to 100"}},
             {"h_error_null.json", {}},
             {"i_empty", {}},
             {"j_bad_gateway.html", {}},
             {"j_plain_text.txt", {}},
             {"k_gzip_without_header.json.gz", {}},
             {"k_before_gzip.json",
              {"id=d41d8cd98f00b204e9800998ecf8427e | status=403 | code=forbidden_access | detail=Forbidden Access"}},
             {"l_unauthorized.json", {"id=e99a18c428cb38d5f260853678922e03 | status=401 | detail=Unauthorized"}},
             {"m_error_string.json", {"code=invalid_client | detail=The client secret is wrong."}},
             {"many_problems.json",
              {"id=91de1d2b01474f0ea5ae95e1ee5e3f0b | status=422 | code=invalid_configuration | title=Invalid value | "
               "detail=group_name must not be empty | pointer=/group_name",
               "id=91de1d2b01474f0ea5ae95e1ee5e3f0b | status=422 | code=invalid_configuration | title=Invalid value | "
               "detail=10.0.0.0/40 is no range | pointer=/cidr_blocks/1 | "
               "resolution=Give a prefix length from 0 to 32",
               "id=91de1d2b01474f0ea5ae95e1ee5e3f0b | status=422 | detail=page_size is not a number | "
               "parameter=page_size"}},
         })
    {
        CAPTURE(fixture);
        CHECK(problems_in(support::fixture("errors/" + std::string(fixture))) == problems);
    }
}

TEST_CASE("a number in a problem is the text that was sent: RFC 8259 section 6 does not limit its size or its form")
{
    for (std::string const number :
         {"404", "404.0", "1.50", "1e2", "1E+2", "-0", "0.1", "12345678901234567890123", "18446744073709551615",
          "-9223372036854775809", "1e400", "-1e-400", "0.30000000000000004", "123456789.123456789"})
    {
        CAPTURE(number);
        CHECK(
            problems_in("{\"errors\":[{\"id\":" + number + ",\"code\":" + number + "}]}") ==
            std::vector<std::string>{"id=" + number + " | code=" + number}
        );
        CHECK(problems_in("{\"error_code\":" + number + '}') == std::vector<std::string>{"code=" + number});
    }
}

TEST_CASE("a problem keeps every member it came with, wherever in the document it is")
{
    struct row
    {
        std::string_view body;
        std::vector<std::string> problems;
    };
    for (auto const& [body, problems] : std::vector<row>{
             {R"({"error":{},"message":"m","error_code":40403})", {"code=40403 | detail=m"}},
             {R"({"message":"m","error":{"other":1}})", {"detail=m"}},
             {R"({"error":{"code":"c"},"message":"m"})", {"code=c | detail=m"}},
             {R"({"error":{"message":"i"},"message":"o","error_code":5})", {"code=5 | detail=i; o | message=i"}},
             {R"({"error":{"message":"i"},"message":"i"})", {"detail=i"}},
             {R"({"error":{"code":"c","error_code":1},"code":"d","error_code":2})", {"code=c | error_code=1"}},
             {R"({"error":{"detail":"d"},"title":"t","resolution":"r","source":{"pointer":"/a"},"id":"7"})",
              {"id=7 | title=t | detail=d | pointer=/a | resolution=r"}},
             {R"({"error":{"code":"c"},"detail":"d","message":"m","error_description":"e"})",
              {"code=c | detail=d; e | message=m"}},
             {R"({"error":{"code":"c","details":["x"]},"details":[{"detail":"y"}]})", {"code=c | detail=x; y"}},
             {R"({"error":{"code":"c"},"id":"7","requestId":"8"})", {"id=8 | code=c"}},
             {R"({"errors":[{"source":{"pointer":"/a"}},{"source":{"parameter":"p"}},{"resolution":"r"},{"source":{}}]})",
              {"pointer=/a", "parameter=p", "resolution=r"}},
             {R"({"error":{"suggestion":"s"}})", {"resolution=s"}},
             {R"({"errors":[{"code":"c","details":"d"}]})", {"code=c | detail=d"}},
             {R"({"errors":[{"code":"c","details":["d","e","d",7,null,["f"]]}]})", {"code=c | detail=d; e"}},
             {R"({"error":{"code":"c","message":"m","details":"d"}})", {"code=c | detail=m; d | message=m"}},
             {R"({"message":"m","details":true})", {"detail=m"}},
             {R"({"message":"m","details":["x","x",{"message":"y"}]})", {"detail=m; x; y | message=m"}},
             {R"({"error":{"error_description":"d"},"detail":"x","details":"y"})", {"detail=d; x; y"}},
             {R"({"error":{"error":"e"},"code":"c","message":"m"})", {"code=e | detail=m"}},
             {R"({"message":"m","details":["d)", {"detail=m; d... | message=m"}},
         })
    {
        CAPTURE(body);
        CHECK(problems_in(body) == problems);
    }
}

TEST_CASE("a document that is nested too deeply to be read has the problems before that place")
{
    auto const nested = std::string(100, '[') + std::string(100, ']');
    CHECK(
        problems_in(R"({"errors":[{"detail":"a"},{"code":"b","meta":)" + nested + R"(,"detail":"c"}]})") ==
        std::vector<std::string>{"detail=a", "code=b"}
    );
    CHECK(problems_in(R"({"message":"m","meta":)" + nested + "}") == std::vector<std::string>{"detail=m"});
    CHECK(problems_in(nested).empty());
}

TEST_CASE("odd forms of the shapes are read as far as they go")
{
    struct row
    {
        std::string_view body;
        std::vector<std::string> problems;
    };
    for (auto const& [body, problems] : std::vector<row>{
             {R"({"code":"c","error_code":404,"detail":"d","message":"m"})",
              {"code=c | error_code=404 | detail=d | message=m"}},
             {R"({"errors":[{"error_code":7,"code":"c","message":"m","detail":"d","status":"404"}]})",
              {"status=404 | code=c | error_code=7 | detail=d | message=m"}},
             {R"({"error":{"code":"c","error_code":7,"detail":"d","message":"m"}})",
              {"code=c | error_code=7 | detail=d | message=m"}},
             {R"({"error":"invalid_client","error_description":"d","message":"m"})",
              {"code=invalid_client | detail=d | message=m"}},
             {R"({"error":"invalid_client","error_description":"e","detail":"d"})",
              {"code=invalid_client | detail=d | message=e"}},
             {R"({"error":"invalid_client","error_description":"e","detail":"d","message":"m"})",
              {"code=invalid_client | detail=d; e | message=m"}},
             {R"({"error":"invalid_client","error_code":7})", {"code=invalid_client | error_code=7"}},
             {R"({"status":403,"error":"Forbidden","code":"c","message":"m","path":"/x"})",
              {"status=403 | code=c | title=Forbidden | detail=m"}},
             {R"({"error":"Forbidden","code":"c","title":"t","message":"m"})",
              {"code=c | title=t | detail=m; Forbidden | message=m"}},
             {R"({"error_description":"d"})", {"detail=d"}},
             {R"({"resolution":"r","suggestion":"s","message":"m"})", {"detail=m | resolution=r; s"}},
             {R"({"resolution":"r","suggestion":"r","message":"m"})", {"detail=m | resolution=r"}},
             {R"({"message":"m","details":[{"detail":"m"},{"detail":"n"},{"message":"n"},{"message":"o"}]})",
              {"detail=m; n; o | message=m"}},
             {R"({"details":[{"detail":"m"}],"message":"the m is missing"})", {"detail=the m is missing"}},
             {R"({"message":"m","details":[{"detail":"field 12"},{"detail":"field 1"},{"detail":"field 12"}]})",
              {"detail=m; field 12; field 1 | message=m"}},
             {R"({"message":"bad: field 12","details":[{"detail":"field 1"}]})",
              {"detail=bad: field 12; field 1 | message=bad: field 12"}},
             {R"({"message":"10.0.0.1/24, refused","details":[{"detail":"10.0.0.1"},{"detail":"refused"},{"detail":"0.1/24"}]})",
              {"detail=10.0.0.1/24, refused; 10.0.0.1; 0.1/24 | message=10.0.0.1/24, refused"}},
             {R"({"resolution":"use b2","suggestion":"use b","message":"m"})", {"detail=m | resolution=use b2; use b"}},
             {R"({"message":"m","details":["x","y",7,"x",{"detail":"z"},""]})", {"detail=m; x; y; z | message=m"}},
             {R"({"details":["x"]})", {"detail=x"}},
             {R"({"details":"x","message":"m"})", {"detail=m; x | message=m"}},
             {R"({"details":{"message":"x"},"message":"m"})", {"detail=m; x | message=m"}},
             {R"({"errors":[{"detail":"m","details":["x",["y"]]}]})", {"detail=m; x"}},
             {"{\"message\":\"m\",\"details\":[\"x", {"detail=m; x... | message=m"}},
             {R"({"errors":[{"error":"e","error_description":"d"}]})", {"code=e | detail=d"}},
             {R"({"errors":[{"error":"e"},{"error_description":"d"},{"error":{"message":"m"}}]})",
              {"code=e", "detail=d"}},
             {R"({"errors":[{"error":"e","code":"c","title":"t","detail":"d","message":"m","error_description":"x"}]})",
              {"code=c | title=t | detail=d; x; e | message=m"}},
             {R"({"error":{"error":"e","error_description":"d"}})", {"code=e | detail=d"}},
             {R"({"errors":[]})", {}},
             {R"({"errors":null})", {}},
             {R"({"errors":[{}]})", {}},
             {R"({"errors":[null,7,"x",{"detail":"y"}]})", {"detail=x", "detail=y"}},
             {R"({"errors":["x","","y",["z"]]})", {"detail=x", "detail=y"}},
             {R"({"errors":{"detail":"y"}})", {"detail=y"}},
             {R"({"errors":{"status":404,"code":"c","source":{"pointer":"/a"},"details":[{"detail":"d"}]}})",
              {"status=404 | code=c | detail=d | pointer=/a"}},
             {R"({"errors":{},"message":"y"})", {"detail=y"}},
             {R"({"errors":"x"})", {"detail=x"}},
             {R"({"errors":"","message":"y"})", {"detail=y"}},
             {R"({"errors":{"detail":"x"},"errors":[{"detail":"y"}]})", {"detail=y"}},
             {R"({"errors":[{"detail":"x"}],"errors":"y"})", {"detail=y"}},
             {"{\"errors\":{\"detail\":\"y", {"detail=y..."}},
             {"{\"errors\":[\"y", {"detail=y..."}},
             {R"({"errors":[],"message":"y"})", {"detail=y"}},
             {R"({"errors":[{"status":404,"code":7,"detail":true}]})", {"status=404 | code=7 | detail=true"}},
             {R"({"errors":[{"detail":null,"message":"y","source":null}]})", {"detail=y"}},
             {R"({"errors":[{"detail":{"a":1},"source":[],"title":"t"}]})", {"title=t"}},
             {R"({"errors":[{"detail":"x","source":{"pointer":"/a","parameter":"b","other":1}}]})",
              {"detail=x | pointer=/a | parameter=b"}},
             {R"({"error":{}})", {}},
             {R"({"error":""})", {}},
             {R"({"error":[],"message":"y"})", {"detail=y"}},
             {R"({"error":"x"})", {"code=x"}},
             {R"({"error_code":40403})", {"code=40403"}},
             {R"({"message":""})", {}},
             {R"({"message":null})", {}},
             {R"(  {"message":"y"}  )", {"detail=y"}},
             {"{}", {}},
             {"[]", {}},
             {"null", {}},
             {"\"text\"", {}},
             {"{", {}},
             {"{\"message\":\"y\"", {"detail=y"}},
             {"{\"message\":\"y\",", {"detail=y"}},
             {"{\"message\":\"y\",\"code\":\"cut", {"code=cut... | detail=y"}},
             {"{\"message\":\"y", {"detail=y..."}},
             {"{\"message\":\"y\",\"other\":\"cut", {"detail=y"}},
             {"{\"message\":\"y\",\"other\":{\"message\":\"cut", {"detail=y"}},
             {"{\"message\":\"y\",\"co", {"detail=y"}},
             {R"({"errors":[{"detail":"a"},{"code":"b","detail":)", {"detail=a", "code=b"}},
             {R"({"error":{"code":"b","message":"y"},"requestId)", {"code=b | detail=y"}},
             {R"({"details":[{"message":"b"},{"message":"c"}],"message":"a","details":[{"detail":"d"},7,{}]})",
              {"detail=a; d | message=a"}},
             {R"({"errors":[{"detail":"a"}],"errors":[{"detail":"b"}]})", {"detail=b"}},
             {R"({"errors":[{"detail":"a"}],"errors":7,"message":"y"})", {"detail=y"}},
             {R"({"error":{"message":"a"},"error":"x"})", {"code=x"}},
             {R"({"message":"a","message":{"b":"c"}})", {}},
             {R"({"errors":[[{"detail":"a"}],{"errors":[{"detail":"b"}],"detail":"c"}]})", {"detail=c"}},
             {R"({"error":{"source":{"pointer":"/a","x":{"pointer":"/b"}},"message":["y"],"code":1.5}})",
              {"code=1.5 | pointer=/a"}},
             {R"({"mess\u0061ge":"\u0041\ud83d\ude80"})", {"detail=A\xf0\x9f\x9a\x80"}},
             {"{\"message\":\"y\"}x", {}},
             {"{\"message\":\"a\xff\"}", {"detail=a\xef\xbf\xbd"}},
             {"{\"code\":\"b\",\"message\":\"a\xf3\"}", {"code=b | detail=a\xef\xbf\xbd"}},
             {"{\"code\":\"b\",\"message\":\"a\xe2\"}", {"code=b | detail=a\xef\xbf\xbd"}},
             {R"({"message":"\ud800b","id":"\udc00\ud83d\ude80"})",
              {"id=\xef\xbf\xbd\xf0\x9f\x9a\x80 | detail=\xef\xbf\xbd"
               "b"}},
             {"{\"mess\xff\":\"x\",\"message\":\"y\"}", {"detail=y"}},
             {"{\"message\":\"\xed\xa0\xbd\",\"code\":\"cut",
              {"code=cut... | detail=\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}},
             {"{\"message\":\"\xff\"} \xff", {}},
             {"\xff{\"message\":\"y\"}", {}},
             {"<html>", {}},
             {"", {}},
             {" \n", {}},
         })
    {
        CAPTURE(body);
        CHECK(problems_in(body) == problems);
    }
}

namespace {

std::string repeat(std::string_view text, std::size_t times)
{
    std::string all;
    all.reserve(text.size() * times);
    for (std::size_t i = 0; i < times; ++i)
        all += text;
    return all;
}

/** The same reader on a document of Boost.JSON, without bounds. */
class document_reader
{
public:
    static std::vector<problem> problems_in(std::string_view body)
    {
        boost::system::error_code failed;
        auto const value = json::parse(json::string_view(body.data(), body.size()), failed);
        return !failed && value.is_object() ? read_document(value.get_object()) : std::vector<problem>();
    }

private:
    static std::string text_of(json::value const* value)
    {
        if (!value || value->is_null() || value->is_object() || value->is_array())
            return {};
        if (value->is_double())
            return "-1.5"; // the only one in random bodies; the value does not tell how it was written
        auto const* text = value->if_string();
        return text ? std::string(text->data(), text->size()) : json::serialize(*value);
    }

    static std::string member(json::object const& object, std::vector<std::string_view> const& names)
    {
        for (auto const name : names)
            if (auto text = text_of(object.if_contains(json::string_view(name.data(), name.size()))); !text.empty())
                return text;
        return {};
    }

    /** `more` has no text of several words here, so that it is new unless it is one of the parts. */
    static void append_new(std::string& to, std::string const& more)
    {
        bool const is_part = ("; " + to + "; ").find("; " + more + "; ") != std::string::npos;
        if (!more.empty() && !is_part)
            to += (to.empty() ? "" : "; ") + more;
    }

    static std::string text_of_entry(json::value const& entry)
    {
        if (auto const* object = entry.if_object())
            return member(*object, {"detail", "message"});
        return entry.is_string() ? text_of(&entry) : std::string();
    }

    static std::vector<std::string> read_details(json::object const& object)
    {
        std::vector<std::string> all;
        auto const* details = object.if_contains("details");
        if (details && details->is_array())
            for (auto const& entry : details->get_array())
                all.push_back(text_of_entry(entry));
        else if (details)
            all.push_back(text_of_entry(*details));
        return all;
    }

    /** The texts of an object by the names of their members. */
    struct raw_members
    {
        std::map<std::string_view, std::string> texts;
        std::vector<std::string> details;

        /** Puts a text in place of the first of the members that is not there, else among the details. */
        void put(std::string const& text, std::vector<std::string_view> const& names)
        {
            for (auto const name : names)
                if (texts[name].empty())
                {
                    texts[name] = text;
                    return;
                }
            details.push_back(text);
        }
    };

    static raw_members read_members(json::object const& object)
    {
        raw_members read;
        for (auto const name :
             {"id", "status", "code", "error_code", "title", "detail", "message", "resolution", "suggestion"})
            read.texts[name] = member(object, {name});
        if (auto const* source = object.if_contains("source"); source && source->is_object())
            for (auto const name : {"pointer", "parameter"})
                read.texts[name] = member(source->get_object(), {name});
        read.details = read_details(object);
        read.put(member(object, {"error_description"}), {"detail", "message"});
        auto const* error = object.if_contains("error");
        read.put(error && error->is_string() ? text_of(error) : std::string(), {"code", "title"});
        return read;
    }

    /** The object "error", completed by what the document has beside it. */
    static raw_members read_inner_members(json::object const& inner, json::object const& document)
    {
        auto read = read_members(inner);
        auto beside = read_members(document);
        if (auto const id = member(document, {"requestId"}); !id.empty())
            beside.texts["id"] = id;
        if (!read.texts["detail"].empty() || !read.texts["message"].empty())
            for (auto const name : {"detail", "message"})
                read.details.push_back(std::exchange(beside.texts[name], {}));
        for (auto const& [name, text] : beside.texts)
            if (read.texts[name].empty())
                read.texts[name] = text;
        read.details.insert(read.details.end(), beside.details.begin(), beside.details.end());
        return read;
    }

    static problem made_of(raw_members read)
    {
        auto& texts = read.texts;
        problem told;
        told.id = texts["id"];
        told.status = texts["status"];
        told.code = texts["code"].empty() ? texts["error_code"] : texts["code"];
        told.error_code = texts["error_code"];
        told.title = texts["title"];
        told.detail = texts["detail"].empty() ? texts["message"] : texts["detail"];
        told.message = texts["message"];
        for (auto const& one : read.details)
            append_new(told.detail, one);
        told.resolution = texts["resolution"];
        append_new(told.resolution, texts["suggestion"]);
        told.pointer = texts["pointer"];
        told.parameter = texts["parameter"];
        return told;
    }

    static bool says_anything(problem const& told) { return !text(told).empty(); }

    static void add(std::vector<problem>& all, json::value const& from)
    {
        problem told;
        if (auto const* object = from.if_object())
            told = made_of(read_members(*object));
        else if (auto const* words = from.if_string())
            told.detail = std::string(words->data(), words->size());
        if (says_anything(told))
            all.push_back(std::move(told));
    }

    static std::vector<problem> read_document(json::object const& object)
    {
        std::vector<problem> all;
        if (auto const* errors = object.if_contains("errors"); errors && errors->is_array())
            for (auto const& entry : errors->get_array())
                add(all, entry);
        else if (errors)
            add(all, *errors);
        if (!all.empty())
            return all;
        auto const* error = object.if_contains("error");
        if (error && error->is_object())
        {
            auto told = made_of(read_inner_members(error->get_object(), object));
            if (says_anything(told))
                all.push_back(std::move(told));
            return all;
        }
        auto told = made_of(read_members(object));
        if (!told.code.empty() || !told.detail.empty() || !told.title.empty())
            all.push_back(std::move(told));
        return all;
    }
};

/** A random error body, made of the parts of real ones. */
std::string random_value(std::mt19937& dice, int depth)
{
    static constexpr std::array names{
        "id",         "status", "code",    "error_code", "title",   "detail",    "message", "resolution",
        "suggestion", "source", "pointer", "parameter",  "details", "requestId", "error",   "error_description",
        "errors",     "other"};
    static constexpr std::array scalars{
        "null", "true", "7", "-1.5", "\"\"", "\"text\"", "\"\\u00e9\\n\"", "18446744073709551615"};
    auto const kind = depth == 0 ? 0 : dice() % 4;
    if (depth < 0 || depth > 3 || kind == 1)
        return scalars[dice() % scalars.size()];
    bool const list = kind == 2;
    std::string text = list ? "[" : "{";
    for (auto count = dice() % 7; count > 0; --count)
    {
        if (text.size() > 1)
            text += ',';
        if (!list)
            text.append("\"").append(names[dice() % names.size()]).append("\":");
        text += random_value(dice, depth + 1);
    }
    return text + (list ? ']' : '}');
}

} // namespace

TEST_CASE("error bodies of every form are read as from a document of Boost.JSON")
{
    std::mt19937 dice(42);
    std::size_t with_problems = 0;
    for (int round = 0; round < 50'000; ++round)
    {
        auto const body = random_value(dice, 0);
        auto const expected = document_reader::problems_in(body);
        auto const read = core::read_problems(body).kept;
        with_problems += !expected.empty();
        if (!std::equal(read.begin(), read.end(), expected.begin(), expected.end(), same))
        {
            CAPTURE(body);
            CAPTURE(expected.empty() ? "nothing" : text(expected.front()));
            CHECK(read.size() == expected.size());
            FAIL((read.empty() ? "nothing" : text(read.front())));
        }
    }
    CHECK(with_problems > 5'000);
}

TEST_CASE("an error keeps 32 problems and counts the rest")
{
    for (std::size_t const count : {1u, 31u, 32u, 33u, 1'000u, 30'000u})
    {
        CAPTURE(count);
        auto body = "{\"errors\":[{}" + repeat(",{\"detail\":\"a\"},null,{}", count) + "]}";
        auto const failure = answered(422, body);
        auto const kept = std::min<std::size_t>(count, 32);
        CHECK(failure.problems().size() == kept);
        CHECK(failure.omitted_problems() == count - kept);
        auto const more = count > 1 ? " and " + std::to_string(count - 1) + " more" : "";
        CHECK(failure.what().find("HTTP 422: a" + more + " (request") != std::string::npos);
        CHECK(failure.problems().capacity() <= 64);
    }
    CHECK(answered(500, "{}").omitted_problems() == 0);
}

TEST_CASE("the first MiB of an error body is searched for problems")
{
    constexpr std::size_t searched = 1024 * 1024;
    auto const filler = std::string(searched, ' ');
    CHECK(answered(500, "{\"message\":\"a\"," + filler + "\"message\":\"b\"}").problems().front().detail == "a");
    CHECK(answered(500, filler + "{\"message\":\"a\"}").problems().empty());
    CHECK(answered(500, "{\"x\":\"" + filler + "\",\"message\":\"a\"}").problems().empty());
    CHECK(answered(500, "{\"message\":\"a\"}" + std::string(searched - 15, ' ')).problems().size() == 1);
    auto const many = answered(422, "{\"errors\":[" + repeat("{\"code\":\"a\"},", 100'000));
    CHECK(many.problems().size() == 32);
    CHECK(many.omitted_problems() == (searched - 11) / 13 - 32 + 1); // the last one is cut, but says something
}

TEST_CASE("the texts of a problem are bounded; a cut is between characters and marked by dots")
{
    constexpr std::size_t most = 4096;
    for (std::string_view const member :
         {"id", "status", "code", "error_code", "title", "detail", "message", "resolution", "suggestion"})
        for (std::size_t const size : {most - 1, most, most + 1, 100'000ul})
        {
            CAPTURE(member);
            CAPTURE(size);
            auto const body = "{\"title\":\"t\",\"" + std::string(member) + "\":\"" + std::string(size, 'x') + "\"}";
            auto const all = core::read_problems(body).kept;
            auto const& told = all.at(0);
            std::size_t longest = 0;
            for (auto const* const each :
                 {&told.id, &told.status, &told.code, &told.error_code, &told.title, &told.detail, &told.message,
                  &told.resolution, &told.pointer, &told.parameter})
            {
                longest = std::max(longest, each->size());
                if (each->size() > 1)
                    CHECK(*each == (size > most ? std::string(most, 'x') + "..." : std::string(size, 'x')));
                CHECK(each->capacity() <= 4 * most); // the rest is not kept in memory
            }
            CHECK(longest == (size > most ? most + 3 : size));
        }
    auto const bytes =
        core::read_problems("{\"message\":\"x" + repeat("\xf0\x9f\x9a\x80", 2'000) + "\"}").kept.at(0).detail;
    CHECK((bytes == "x" + repeat("\xf0\x9f\x9a\x80", 1'023) + "..."));
    auto const escapes =
        core::read_problems("{\"message\":\"" + repeat("\\ud83d\\ude80", 2'000) + "\"}").kept.at(0).detail;
    CHECK((escapes == repeat("\xf0\x9f\x9a\x80", 1'024) + "..."));
    auto const pointer = core::read_problems(
        "{\"errors\":[{\"id\":\"i\",\"source\":{\"pointer\":\"" + std::string(9'000, '/') + "\"}}]}"
    );
    CHECK(pointer.kept.at(0).pointer == std::string(most, '/') + "...");
}

TEST_CASE("details are joined up to the bound of a text, however many there are")
{
    auto const body =
        "{\"message\":\"m\",\"details\":[{\"detail\":\"d\"}" + repeat(",{\"message\":\"e\"}", 40'000) + "]}";
    auto const told = core::read_problems(body).kept.at(0);
    CHECK(told.detail == "m; d; e");
    std::string different = "{\"message\":\"m\",\"details\":[{\"detail\":\"d\"}";
    for (int i = 0; i < 40'000; ++i)
        different += ",{\"message\":\"" + std::to_string(i) + " e\"}";
    auto const many = core::read_problems(different + "]}").kept.at(0);
    CHECK(many.detail.starts_with("m; d; 0 e; 1 e; 2 e"));
    CHECK(many.detail.size() == 4096 + 3);
    CHECK(many.detail.ends_with("..."));
    auto const long_entry =
        core::read_problems("{\"details\":[{\"detail\":\"" + std::string(50'000, 'x') + "\"}]}").kept.at(0);
    CHECK(long_entry.detail == std::string(4096, 'x') + "...");
}

TEST_CASE("keys, texts and nesting of any size in an error's body do no harm")
{
    auto const huge = std::string(200'000, 'k');
    CHECK(problems_in("{\"" + huge + "\":\"" + huge + "\",\"message\":\"y\"}") == std::vector<std::string>{"detail=y"});
    CHECK(problems_in("{\"message" + huge + "\":\"x\",\"message\":\"y\"}") == std::vector<std::string>{"detail=y"});
    CHECK(
        problems_in("{\"u\":[1e400," + std::string(10'000, '9') + "],\"message\":\"y\"}") ==
        std::vector<std::string>{"detail=y"}
    );
    CHECK(
        problems_in("{\"u\":" + repeat("[", 31) + repeat("]", 31) + ",\"message\":\"y\"}") ==
        std::vector<std::string>{"detail=y"}
    );
    for (std::string_view const open :
         {"[", "{\"a\":", "{\"errors\":[", "{\"error\":", "{\"source\":", "{\"details\":["})
    {
        CAPTURE(open);
        CHECK(problems_in("{\"message\":\"y\",\"u\":" + repeat(open, 100'000)) == std::vector<std::string>{"detail=y"});
    }
}

TEST_CASE("RFC 8259 section 8.1: a byte order mark before an error's body is ignored, and kept in the body")
{
    std::string const body = "\xef\xbb\xbf{\"message\":\"y\"}";
    auto const failure = answered(500, body);
    REQUIRE(failure.problems().size() == 1);
    CHECK(failure.problems().front().detail == "y");
    CHECK(failure.body() == body);
    CHECK(problems_in("\xef\xbb\xbf \n{\"errors\":[{\"code\":7}]}") == std::vector<std::string>{"code=7"});
    CHECK(problems_in("\xef\xbb\xbf\xef\xbb\xbf{\"message\":\"y\"}").empty());
    CHECK(problems_in("\xef\xbb{\"message\":\"y\"}").empty());
}

TEST_CASE("no damage to an error's body does harm or hides its status")
{
    auto const whole = support::fixture("errors/many_problems.json");
    for (std::size_t length = 0; length < whole.size(); ++length)
    {
        CAPTURE(length);
        auto const failure = answered(422, whole.substr(0, length));
        CHECK(failure.status() == 422);
        CHECK(failure == ccloud::condition::invalid_request);
    }
    auto const deep = std::string(100'000, '[');
    CHECK(answered(500, "{\"errors\":" + deep).status() == 500);
    CHECK(answered(500, deep).problems().empty());
}

TEST_CASE("what an answer tells is all in its error")
{
    for (int const status : {301, 400, 403, 404, 429, 500, 502, 599})
        for (std::string_view const fixture :
             {"a_errors_without_code.json", "h_error_null.json", "i_empty", "j_bad_gateway.html",
              "k_gzip_without_header.json.gz", "m_error_string.json"})
        {
            CAPTURE(status);
            CAPTURE(fixture);
            auto const body = support::fixture("errors/" + std::string(fixture));
            auto const failure = answered(status, body);
            CHECK(failure.code() == ccloud::errc::http_status);
            CHECK(failure.progress() == ccloud::progress::answered);
            CHECK(failure.status() == status);
            CHECK(failure.request_id() == "req-1");
            CHECK(failure.body() == body);
            CHECK(failure.detail().empty() == !failure.problems().empty());
            CHECK(failure.what().find("HTTP " + std::to_string(status)) != std::string::npos);
        }
}

TEST_CASE("an error keeps the first 8 KiB of a body, and reads all of it")
{
    auto const body = "{\"errors\":[{\"detail\":\"first\"},{\"detail\":\"" + std::string(20'000, 'x') + "\"}]}";
    auto const failure = answered(500, body);
    CHECK(failure.body() == body.substr(0, 8192));
    CHECK(failure.problems().size() == 2);
    for (std::size_t const size : {8191u, 8192u, 8193u})
    {
        CAPTURE(size);
        CHECK(answered(500, std::string(size, 'x')).body().size() == std::min<std::size_t>(size, 8192));
    }
}

TEST_CASE("the line of an error is written for people")
{
    constexpr std::string_view json = "application/json";
    struct row
    {
        int status;
        std::string_view fixture, media_type, line;
    };
    for (auto const& [status, fixture, media_type, line] : {
             row{404, "a_errors_without_code.json", json, "HTTP 404: IP group not found: not found"},
             row{404, "b_misleading_code.json", json, "HTTP 404: Service Account Not Found"},
             row{404, "c_error_code_and_message.json", json,
                 "HTTP 404: Provider op-537 either doesn't exist or is not active"},
             row{404, "d_error_object.json", json, "HTTP 404: no route for this path"},
             row{403, "e_message_only.json", json, "HTTP 403: resource not found"},
             row{404, "f_message_and_details.json", json, "HTTP 404: The resource does not exist; plattc-gz20xy"},
             row{400, "g_nested_error_with_request_id.json", json,
                 "HTTP 400: page_size must be a number (Use a number from 1 to 100)"},
             row{500, "h_error_null.json", json,
                 "HTTP 500 Internal Server Error: body is not the JSON of an error, 14 bytes"},
             row{404, "i_empty", json, "HTTP 404 Not Found: empty body"},
             row{502, "j_bad_gateway.html", "text/html; charset=utf-8",
                 "HTTP 502 Bad Gateway: body is text/html, 143 bytes"},
             row{503, "j_plain_text.txt", "text/plain", "HTTP 503 Service Unavailable: body is text/plain, 95 bytes"},
             row{403, "k_gzip_without_header.json.gz", json, "HTTP 403 Forbidden: gzip-compressed body, 127 bytes"},
             row{401, "l_unauthorized.json", json, "HTTP 401: Unauthorized"},
             row{401, "m_error_string.json", json, "HTTP 401: The client secret is wrong"},
             row{422, "many_problems.json", json, "HTTP 422: group_name must not be empty and 2 more"},
             row{599, "i_empty", json, "HTTP 599: empty body"},
         })
    {
        CAPTURE(fixture);
        CHECK(
            answered(status, support::fixture("errors/" + std::string(fixture)), media_type).what() ==
            "GET /iam/v2/ip-groups/ipg-1: " + std::string(line) + " (request req-1, attempt 1 in 80 ms)"
        );
    }
}

TEST_CASE("the line of an error whose problems have no words names the place that is wrong, or else the status")
{
    struct row
    {
        std::string_view body, line;
    };
    for (auto const& [body, line] :
         {row{R"({"errors":[{"source":{"pointer":"/group_name"}}]})", "HTTP 404: /group_name"},
          row{R"({"errors":[{"source":{"parameter":"page_size"},"resolution":"Use 1."}]})",
              "HTTP 404: page_size (Use 1)"},
          row{R"({"errors":[{"id":"7"},{"id":"8"}]})", "HTTP 404: Not Found and 1 more"},
          row{R"({"message":"."})", "HTTP 404: Not Found"}, row{R"({"message":" \n"})", "HTTP 404: Not Found"}})
    {
        CAPTURE(body);
        CHECK(
            answered(404, std::string(body)).what() ==
            "GET /iam/v2/ip-groups/ipg-1: " + std::string(line) + " (request req-1, attempt 1 in 80 ms)"
        );
    }
    auto const unnamed = answered(599, R"({"errors":[{"id":"7"},{"id":"8"}]})").what();
    CHECK(unnamed == "GET /iam/v2/ip-groups/ipg-1: HTTP 599 (request req-1, attempt 1 in 80 ms)");
    auto const resolved = answered(599, R"({"errors":[{"resolution":"Wait."}]})").what();
    CHECK(resolved == "GET /iam/v2/ip-groups/ipg-1: HTTP 599: Wait (request req-1, attempt 1 in 80 ms)");
}

TEST_CASE("the line of an error says nothing twice, and leaves out nothing that only one member says")
{
    struct row
    {
        std::string_view body, words;
    };
    for (auto const& [body, words] : {
             row{R"({"detail":"the group is in use.","message":"The group is in use"})", "the group is in use"},
             row{R"({"detail":"not found","message":"IP group ipg-1 not found."})", "IP group ipg-1 not found"},
             row{R"({"detail":"IP group ipg-1 not found","message":"Not Found"})", "IP group ipg-1 not found"},
             row{R"({"detail":"the name is taken","message":"conflict"})", "the name is taken; conflict"},
             row{R"({"message":"m","details":[{"detail":"m"},{"detail":"n"}]})", "m; n"},
             row{R"({"detail":"field 12 is bad","message":"field 1"})", "field 12 is bad; field 1"},
             row{R"({"detail":"range 10.0.0.1","message":"10.0.0.1/24 refused"})",
                 "range 10.0.0.1; 10.0.0.1/24 refused"},
             row{R"({"detail":"not found","message":"[ipg-1: Not Found]"})", "[ipg-1: Not Found]"},
             row{R"({"errors":[{"detail":"use b2","resolution":"Use b"}]})", "use b2 (Use b)"},
             row{R"({"errors":[{"detail":"use b","resolution":"Use b."}]})", "use b"},
             row{R"({"errors":[{"detail":"a is bad","resolution":"Use b."}]})", "a is bad (Use b)"},
             row{R"({"title":"Not Found","code":404})", "Not Found"},
             row{R"({"error_code":404})", "Not Found"},
             row{R"({"error_code":40401})", "40401"},
             row{R"({"error":{"code":404,"message":"no route"}})", "no route"},
             row{R"({"error":"invalid_client","error_description":"invalid_client"})", "invalid_client"},
         })
    {
        CAPTURE(body);
        CHECK(
            answered(404, std::string(body)).what() ==
            "GET /iam/v2/ip-groups/ipg-1: HTTP 404: " + std::string(words) + " (request req-1, attempt 1 in 80 ms)"
        );
    }
}

TEST_CASE("two complaints are told as one and one more")
{
    CHECK(
        answered(422, R"({"errors":[{"detail":"a is bad.","resolution":"Use b."},{"detail":"c is bad"}]})").what() ==
        "GET /iam/v2/ip-groups/ipg-1: HTTP 422: a is bad (Use b) and 1 more (request req-1, attempt 1 in 80 ms)"
    );
}

TEST_CASE("a body that was compressed without saying so is read once it is inflated (vector 17)")
{
    auto const body = support::gunzip(support::fixture("errors/k_gzip_without_header.json.gz"), 4096);
    REQUIRE(body.has_value());
    CHECK(
        answered(403, *body).what() ==
        "GET /iam/v2/ip-groups/ipg-1: HTTP 403: Forbidden Access (request req-1, attempt 1 in 80 ms)"
    );
}

TEST_CASE("the line of an error stays one line, whatever the server sends")
{
    auto failure = answered(500, "{\"message\":\"a\\r\\nb\\u0000\\u001b[31m\"}");
    CHECK(
        failure.what() ==
        "GET /iam/v2/ip-groups/ipg-1: HTTP 500: a\\x0d\\x0ab\\x00\\x1b[31m (request req-1, attempt 1 in 80 ms)"
    );
    CHECK(answered(500, "{\"message\":\"" + std::string(100'000, 'x') + "\"}").what().size() < 1000);
    CHECK(answered(502, "x", "text/" + std::string(10'000, 'x')).what().size() < 1000);
}

TEST_CASE("RFC 9110 section 15: statuses have the names of the registry, or none")
{
    for (auto const& [status, name] : std::map<int, std::string_view>{
             {301, "Moved Permanently"},
             {302, "Found"},
             {304, "Not Modified"},
             {307, "Temporary Redirect"},
             {308, "Permanent Redirect"},
             {400, "Bad Request"},
             {401, "Unauthorized"},
             {402, "Payment Required"},
             {403, "Forbidden"},
             {404, "Not Found"},
             {405, "Method Not Allowed"},
             {406, "Not Acceptable"},
             {408, "Request Timeout"},
             {409, "Conflict"},
             {410, "Gone"},
             {412, "Precondition Failed"},
             {413, "Content Too Large"},
             {415, "Unsupported Media Type"},
             {421, "Misdirected Request"},
             {422, "Unprocessable Content"},
             {425, "Too Early"},         // RFC 8470 section 5.2
             {429, "Too Many Requests"}, // RFC 6585 section 4
             {500, "Internal Server Error"},
             {501, "Not Implemented"},
             {502, "Bad Gateway"},
             {503, "Service Unavailable"},
             {504, "Gateway Timeout"},
         })
    {
        CAPTURE(status);
        CHECK(core::reason_of(status) == name);
    }
    for (int const status : {-1, 0, 200, 299, 418, 599, 1000})
    {
        CAPTURE(status);
        CHECK(core::reason_of(status).empty());
    }
}

TEST_CASE("a 2xx that does not fit the request is recognized by its status and the request's header fields")
{
    ccloud::http_headers const plain;
    ccloud::http_headers ranged;
    ranged.add("range", "bytes=0-1");
    ccloud::http_headers manipulated;
    manipulated.add("A-IM", "vcdiff");
    for (int status = 200; status < 300; ++status)
    {
        CAPTURE(status);
        bool const refused = status == 205 || status == 206 || status == 226;
        CHECK(core::refuse_success(status, plain).empty() == !refused);
        CHECK(core::refuse_success(status, ranged).empty() == (!refused || status == 206));
        CHECK(core::refuse_success(status, manipulated).empty() == (!refused || status == 226));
    }
}

TEST_CASE(
    "the status of a response says what the server did with the request, and never shows query or user of a Location"
)
{
    using ccloud::method;
    auto const outcome = [](method verb, int status, std::string_view location) {
        ccloud::http_headers headers;
        if (!location.empty())
            headers.add("Location", location);
        return core::outcome_of(verb, ccloud::response_info(status, headers));
    };
    CHECK(outcome(method::post, 201, "") == "the server created the object");
    CHECK(outcome(method::post, 201, "/a/b?token=x") == "the server created the object, Location: /a/b?***");
    CHECK(outcome(method::post, 201, "https://u:p@host/a") == "the server created the object, Location: ***@host/a");
    CHECK(outcome(method::post, 201, "/" + std::string(5'000, 'x')).size() < 300);
    CHECK(outcome(method::put, 201, "") == "the server created the object");
    CHECK(outcome(method::post, 202, "/x") == "the server accepted the request");
    CHECK(outcome(method::del, 204, "") == "the server carried out the request");
    CHECK(outcome(method::patch, 200, "") == "the server carried out the request");
    CHECK(outcome(method::get, 200, "") == "");
    for (int const status : {0, 102, 304, 404, 409, 500})
        CHECK(outcome(method::post, status, "/x") == "");
}
