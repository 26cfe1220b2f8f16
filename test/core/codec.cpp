#include "core/codec.hpp"

#include "core/described.hpp"
#include "core/text_repair.hpp"
#include "fixture.hpp"
#include "printers.hpp"
#include "utc.hpp"

#include <boost/describe/class.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace core = ccloud::core;

namespace codec_test {

struct phase_words;

struct lake
{
    std::string depth;
    std::vector<std::string> fish;
};
BOOST_DESCRIBE_STRUCT(lake, (), (depth, fish))

struct river
{
    std::string length;
    std::optional<std::int64_t> bridges;
    std::optional<ccloud::timestamp> measured;
    std::optional<std::string> source;
};
BOOST_DESCRIBE_STRUCT(river, (), (length, bridges, measured, source))

struct other_water
{
    std::string kind;
    std::string json;
};

using water = std::variant<std::monostate, lake, river, other_water>;

struct place
{
    std::string id = "none";
    std::optional<std::int64_t> count;
    std::vector<std::string> tags{"default"};
    ccloud::open_enum<phase_words> phase;
    ccloud::object_meta metadata;
    water near;
    std::vector<place> children;
};
BOOST_DESCRIBE_STRUCT(place, (), (id, count, tags, phase, metadata, near, children))

struct map
{
    std::vector<water> waters;
};
BOOST_DESCRIBE_STRUCT(map, (), (waters))

} // namespace codec_test

template <>
struct ccloud::core::one_of<codec_test::water>
{
    static slot choose(codec_test::water& to, boost::json::object const& whole)
    {
        auto const kind = plain_kind(whole);
        if (kind == "Lake")
            return place_in<codec_test::lake>(to);
        if (kind == "River")
            return place_in<codec_test::river>(to);
        auto& other = to.emplace<codec_test::other_water>();
        other.kind = kind;
        return root_of(other.json);
    }
};

namespace {

using codec_test::place;

/** Every part of the grammar and every kind of member. */
constexpr std::string_view sample = R"({
  "id": "p-1\u00e9\ud83d\ude80\n", "unknown": {"a": [1, -2.5e3, true, false, null, {"b": "c"}], "": ""},
  "count": 42, "tags": ["a", "", null, "\"\\\/"], "phase": "READY",
  "metadata": {"self": "https://x.example/p-1", "created_at": "2023-03-14T02:13:22.03597Z", "updated_at": "bad"},
  "near": {"fish": ["carp", "pike"], "sizes": {"carp": [1, 2]}, "depth": "12", "kind": "maps.v1.Lake"},
  "children": [{"id": "p-2"}, {"near": {"kind": "River", "length": "7"}}, {"near": {"kind": "Pond", "x": [1]}}]
})";

std::optional<core::complaint> complaint_about(std::string_view document)
{
    place read;
    return core::read_json(document, read);
}

place read(std::string_view document)
{
    place value;
    auto const wrong = core::read_json(document, value);
    if (wrong)
        FAIL(wrong->to_string() << " in " << document.substr(0, 200));
    return value;
}

std::string repeat(std::string_view text, std::size_t times)
{
    std::string all;
    for (std::size_t i = 0; i < times; ++i)
        all += text;
    return all;
}

} // namespace

TEST_CASE("a document is read into its description, whatever else is in it")
{
    auto const all = read(sample);
    CHECK(all.id == "p-1\xc3\xa9\xf0\x9f\x9a\x80\n");
    CHECK(all.count == 42);
    CHECK(all.tags == std::vector<std::string>{"a", "", "\"\\/"});
    CHECK(all.phase == "READY");
    CHECK(all.metadata.self == "https://x.example/p-1");
    CHECK(all.metadata.created_at == support::utc(2023, 3, 14, 2, 13, 22, 35'970'000));
    CHECK(!all.metadata.updated_at.has_value());
    auto const* near = std::get_if<codec_test::lake>(&all.near);
    REQUIRE(near != nullptr);
    CHECK(near->depth == "12");
    CHECK(near->fish == std::vector<std::string>{"carp", "pike"});
    REQUIRE(all.children.size() == 3);
    CHECK(all.children[0].id == "p-2");
    CHECK(all.children[0].tags == std::vector<std::string>{"default"});
    CHECK(std::get<codec_test::river>(all.children[1].near).length == "7");
    CHECK(std::get<codec_test::other_water>(all.children[2].near).json == R"({"kind": "Pond", "x": [1]})");
}

TEST_CASE("members that are absent, null or unknown leave the defaults")
{
    for (std::string_view const document : {
             "{}",
             " \t\r\n{ } \r\n",
             R"({"id":null,"count":null,"tags":null,"phase":null,"metadata":null,"near":null,"children":null})",
             R"({"metadata":{"self":null,"created_at":null}})",
             R"({"ID":"x","i":"x","idd":"x","":"x"})",
             R"({"u":0,"v":-1,"w":1.5,"x":"id","y":[],"z":{}})",
             R"({"u":{"id":"x","tags":[1],"near":{"kind":"Lake","depth":7}},"v":[{"id":5},["id"],[[[]]],null]})",
             R"({"u":18446744073709551615,"v":1e300,"w":-9223372036854775808,"x":99999999999999999999999})",
         })
    {
        CAPTURE(document);
        auto const value = read(document);
        CHECK(value.id == "none");
        CHECK(!value.count.has_value());
        CHECK(value.tags == std::vector<std::string>{"default"});
        CHECK(value.phase.empty());
        CHECK(value.metadata.self.empty());
        CHECK(!value.metadata.created_at.has_value());
        CHECK(value.near.index() == 0);
        CHECK(value.children.empty());
    }
}

TEST_CASE("texts are unescaped, in keys too")
{
    struct row
    {
        std::string_view document, id;
    };
    for (auto const& [document, id] : {
             row{R"({"id":""})", ""},
             row{R"({"id":"\"\\\/\b\f\n\r\t"})", "\"\\/\b\f\n\r\t"},
             row{R"({"id":"\u0041\u00e9\u65e5"})", "A\xc3\xa9\xe6\x97\xa5"},
             row{R"({"id":"a\ud83d\ude80b"})", "a\xf0\x9f\x9a\x80"
                                               "b"},
             row{R"({"i\u0064":"x"})", "x"},
             row{R"({"\u0069\u0064":"x"})", "x"},
             row{R"({"\ud83d\ude80":"y","id":"x","i\u0064e":"z"})", "x"},
             row{"{\"id\":\"\xc3\xbc\"}", "\xc3\xbc"},
         })
    {
        CAPTURE(document);
        CHECK(read(document).id == id);
    }
    CHECK(read(R"({"id":"a\u0000b"})").id == std::string("a\0b", 3));
}

TEST_CASE("long texts arrive whole")
{
    auto const plain = repeat("0123456789abcdef", 8192);
    CHECK(read("{\"id\":\"" + plain + "\"}").id == plain);
    CHECK(
        read("{\"id\":\"" + repeat("abc\\n\\ud83d\\ude80", 16'384) + "\"}").id ==
        repeat("abc\n\xf0\x9f\x9a\x80", 16'384)
    );
    CHECK(read("{\"" + plain + "\":\"" + plain + "\",\"id\":\"x\"}").id == "x");
    CHECK(
        read("{\"near\":{\"" + repeat("k\\n", 40'000) + "\":1,\"depth\":\"" + plain + "\",\"kind\":\"Lake\"}}")
            .near.index() == 1
    );
    CHECK(read("{\"tags\":[\"" + plain + "\",\"x\"]}").tags == std::vector<std::string>{plain, "x"});
}

TEST_CASE("of a member that comes twice the last one counts")
{
    CHECK(read(R"({"id":"a","id":"b"})").id == "b");
    CHECK(read(R"({"count":1,"count":2})").count == 2);
    CHECK(read(R"({"tags":["a","b"],"tags":["c"]})").tags == std::vector<std::string>{"c"});
    CHECK(read(R"({"children":[{},{}],"children":[]})").children.empty());
    CHECK(read(R"({"near":{"kind":"Lake"},"near":{"kind":"River"}})").near.index() == 2);
    auto const near = read(R"({"near":{"kind":"River","depth":"1","kind":"Lake","depth":"2"}})").near;
    REQUIRE(near.index() == 1);
    CHECK(std::get<1>(near).depth == "2");
}

TEST_CASE("a null in an array is no element")
{
    CHECK(read(R"({"tags":[null,null]})").tags.empty());
    CHECK(read(R"({"tags":[null,"a",null,"b"]})").tags == std::vector<std::string>{"a", "b"});
    auto const children = read(R"({"children":[null,{"id":"x"},null]})").children;
    REQUIRE(children.size() == 1);
    CHECK(children[0].id == "x");
}

TEST_CASE("a one-of is read by its kind, first or last, with or without the group before it (vector 7)")
{
    for (std::string_view const near : {
             R"({"kind":"Lake","depth":"3","fish":["eel"]})",
             R"({"depth":"3","fish":["eel"],"kind":"Lake"})",
             R"({"depth":"3","kind":"maps.v1.Lake","fish":["eel"]})",
             R"({"more":{"kind":"River","length":"1"},"depth":"3","fish":["eel"],"kind":"Lake","x":[{"kind":"R"}]})",
             R"({"d\u0065pth":"3","k\u0069nd":"L\u0061ke","fish":["e\u0065l"]})",
         })
    {
        CAPTURE(near);
        auto const read_near = read("{\"near\":" + std::string(near) + ",\"id\":\"after\"}");
        CHECK(read_near.id == "after");
        auto const* lake = std::get_if<codec_test::lake>(&read_near.near);
        REQUIRE(lake != nullptr);
        CHECK(lake->depth == "3");
        CHECK(lake->fish == std::vector<std::string>{"eel"});
    }
}

TEST_CASE("a one-of of a kind nobody knows keeps its text")
{
    struct row
    {
        std::string_view near, kind;
    };
    for (auto const& [near, kind] :
         {row{R"({"kind":"Pond","a":{"b":[1,"x",null,true]}})", "Pond"}, row{R"({"kind":"maps.v2.Pond"})", "Pond"},
          row{R"({"kind":7})", ""}, row{R"({"kind":null,"a":"b"})", ""}, row{"{}", ""}})
    {
        CAPTURE(near);
        auto const value = read("{\"near\":" + std::string(near) + "}").near;
        auto const* other = std::get_if<codec_test::other_water>(&value);
        REQUIRE(other != nullptr);
        CHECK(other->kind == kind);
        CHECK(other->json == near);
    }
}

namespace {

/** Objects of an unknown kind, which a JSON writer would not reproduce byte by byte. */
constexpr std::string_view unknown_objects[] = {
    R"({"kind":"Pond","n":1e400})",
    R"({"kind":"Pond","n":-1e400,"m":[1E+400]})",
    R"({"kind":"Pond","n":[1e999,-1E+999,1e-999],"m":18446744073709551616})",
    R"({"n":123456789012345678901234567890,"kind":"Pond"})",
    R"({"kind":"Pond","n":[1.10,0.1e1,-0,-0.0,1E5,2.50]})",
    R"({"kind":"Pond","n":0.1000000000000000055511151231257827021181583404541015625})",
    "{ \"kind\" : \"Pond\" ,\r\n\t\"a\" : [ 1 , { } ] }",
    R"({"kind":"\u0050ond","a\/b":"\u00e9\/\ud83d\ude80"})",
    R"({"kind":"Lake","a":1,"kind":"Pond","a":2})",
    R"({"a":"}{\"}\\","{":"{","}":{"\\\"":"\\"},"kind":"Pond"})",
    R"({"kind":"Pond","near":{"kind":"River","near":{}}})",
};

std::string_view own_bytes(codec_test::water const& value)
{
    auto const* const other = std::get_if<codec_test::other_water>(&value);
    return other ? std::string_view(other->json) : "not of an unknown kind";
}

} // namespace

TEST_CASE("a one-of of an unknown kind keeps the bytes of the document (RFC 8259 section 6: numbers of any size)")
{
    for (auto const object : unknown_objects)
    {
        CAPTURE(object);
        for (std::string_view const before :
             {R"({"near":)", "{ \"near\" \n:\t ", R"({"n\u0065ar":)", R"({"id":"{\"{","x":[{},{"a":{}}],"near":)",
              R"({"x":{"near":{}},"children":[{"near":{"kind":"Lake"}},{"near":{}}],"near":)",
              "\xef\xbb\xbf{\"near\":", "{\"\u00e4\":1,\"near\":", "{\"x\":{},\"\u00e4\":{},\"near\":"})
        {
            CAPTURE(before);
            auto const document = std::string(before) + std::string(object) + ",\"tags\":[\"{}\"]}";
            CHECK(own_bytes(read(document).near) == object);
            for (std::size_t slice = 1; slice <= document.size(); ++slice)
            {
                place value;
                core::document_reader reader(document, core::root_of(value));
                while (reader.read_some(slice))
                    ;
                REQUIRE(!reader.take_complaint().has_value());
                REQUIRE(own_bytes(value.near) == object);
            }
        }
        codec_test::water root;
        CHECK(!core::read_json(" " + std::string(object) + " ", root).has_value());
        CHECK(own_bytes(root) == object);
    }
}

TEST_CASE("each one-of in a list keeps bytes of its own")
{
    std::string document = "{\"waters\":[{\"kind\":\"Lake\"}";
    for (auto const object : unknown_objects)
        document.append(", ").append(object).append(R"(,{"kind":"River","{":{}},null)");
    codec_test::map map;
    REQUIRE(!core::read_json(document + "]}", map).has_value());
    REQUIRE(map.waters.size() == 1 + 2 * std::size(unknown_objects));
    for (std::size_t i = 0; i < std::size(unknown_objects); ++i)
        CHECK(own_bytes(map.waters[2 * i + 1]) == unknown_objects[i]);
}

TEST_CASE("a one-of may be the document itself")
{
    codec_test::water water;
    CHECK(!core::read_json(R"({"depth":"3","kind":"Lake"})", water).has_value());
    CHECK(water.index() == 1);
}

TEST_CASE("one-ofs may stand in an array")
{
    codec_test::map map;
    CHECK(!core::read_json(R"({"waters":[{"kind":"Lake","depth":"3"},null,{"length":"1","kind":"River"}]})", map)
               .has_value());
    REQUIRE(map.waters.size() == 2);
    CHECK(map.waters[0].index() == 1);
    CHECK(map.waters[1].index() == 2);
}

TEST_CASE("a value of the wrong type is reported with its path")
{
    struct row
    {
        std::string_view document, path, text;
    };
    for (auto const& [document, path, text] : {
             row{R"({"id":7})", "/id", "expected a string, found a number"},
             row{R"({"id":-7.5})", "/id", "expected a string, found a number"},
             row{R"({"id":18446744073709551615})", "/id", "expected a string, found a number"},
             row{R"({"id":true})", "/id", "expected a string, found a boolean"},
             row{R"({"id":["x"]})", "/id", "expected a string, found an array"},
             row{R"({"id":{}})", "/id", "expected a string, found an object"},
             row{R"({"i\u0064":7})", "/id", "expected a string, found a number"},
             row{R"({"phase":1})", "/phase", "expected a string, found a number"},
             row{R"({"tags":"x"})", "/tags", "expected an array, found a string"},
             row{R"({"tags":{"0":"x"}})", "/tags", "expected an array, found an object"},
             row{R"({"tags":[5]})", "/tags/0", "expected a string, found a number"},
             row{R"({"tags":["a",null,["b"]]})", "/tags/2", "expected a string, found an array"},
             row{R"({"metadata":[]})", "/metadata", "expected an object, found an array"},
             row{R"({"metadata":"x"})", "/metadata", "expected an object, found a string"},
             row{R"({"metadata":{"self":1}})", "/metadata/self", "expected a string, found a number"},
             row{R"({"children":[{},{"id":"x"},{"id":{}}]})", "/children/2/id", "expected a string, found an object"},
             row{R"({"children":[7]})", "/children/0", "expected an object, found a number"},
             row{R"({"children":[{"children":[{},{"tags":["",1]}]}]})", "/children/0/children/1/tags/1",
                 "expected a string, found a number"},
             row{R"({"near":"Lake"})", "/near", "expected an object, found a string"},
             row{R"({"near":[]})", "/near", "expected an object, found an array"},
             row{R"({"near":{"depth":5,"kind":"Lake"}})", "/near/depth", "expected a string, found a number"},
             row{R"({"near":{"kind":"Lake","depth":5}})", "/near/depth", "expected a string, found a number"},
             row{R"({"near":{"kind":"Lake","fish":["a",{}]}})", "/near/fish/1", "expected a string, found an object"},
             row{R"({"children":[{},{"near":{"kind":"Lake","fish":{}}}]})", "/children/1/near/fish",
                 "expected an array, found an object"},
             row{"[]", "", "expected an object, found an array"},
             row{"null", "", "expected an object, found null"},
             row{"\"x\"", "", "expected an object, found a string"},
             row{"12", "", "expected an object, found a number"},
             row{"1.5", "", "expected an object, found a number"},
             row{"true", "", "expected an object, found a boolean"},
         })
    {
        CAPTURE(document);
        auto const wrong = complaint_about(document);
        REQUIRE(wrong.has_value());
        CHECK(wrong->path == path);
        CHECK(wrong->text == text);
        CHECK(wrong->offset <= document.size());
    }
}

namespace {

/** The documents that have `value` as a count, a timestamp or an optional text, first and last, alone and in a one-of. */
std::vector<std::string> documents_with(std::string_view value)
{
    auto const odd = std::string(value);
    return {
        R"({"id":"a","count":)" + odd + R"(,"metadata":{"created_at":)" + odd + R"(,"self":"s"},"near":{"bridges":)" +
            odd + R"(,"measured":)" + odd + R"(,"kind":"River","source":)" + odd + R"(,"length":"7"},"tags":["t"]})",
        R"({"tags":["t"],"near":{"kind":"River","length":"7","source":)" + odd + R"(,"measured":)" + odd +
            R"(,"bridges":)" + odd + R"(},"metadata":{"self":"s","created_at":)" + odd + R"(},"id":"a","count":)" +
            odd + "}",
        // The last of two members counts.
        R"({"id":"a","count":3,"metadata":{"self":"s","created_at":"2023-03-14T02:13:22Z","created_at":)" + odd +
            R"(},"near":{"kind":"River","length":"7","bridges":3,"bridges":)" + odd +
            R"(,"measured":"2023-03-14T02:13:22Z","measured":)" + odd + R"(,"source":"x","source":)" + odd +
            R"(},"tags":["t"],"count":)" + odd + "}"};
}

/** Reads a document in one piece and in slices of every size; the values have to be the same. */
place read_every_way(std::string_view document)
{
    auto value = read(document);
    for (std::size_t slice = 1; slice <= document.size(); ++slice)
    {
        place again;
        core::document_reader reader(document, core::root_of(again));
        while (reader.read_some(slice))
            ;
        REQUIRE(!reader.take_complaint().has_value());
        REQUIRE(again.id == value.id);
        REQUIRE(again.count == value.count);
        REQUIRE(again.tags == value.tags);
        REQUIRE(again.metadata.created_at == value.metadata.created_at);
        REQUIRE(again.near.index() == value.near.index());
    }
    return value;
}

} // namespace

TEST_CASE("a count is read from each number whose value is plain (RFC 8259 section 6), and is absent otherwise")
{
    struct row
    {
        std::string_view value;
        std::optional<std::int64_t> count;
    };
    for (auto const& [value, count] : {
             row{"5", 5},
             row{"1.0", 1},
             row{"\"1\"", 1},
             row{"1e2", 100},
             row{"5E0", 5},
             row{"1200e-2", 12},
             row{"\"1.0\"", 1},
             row{"\"1e2\"", 100},
             row{"\" 7 \"", 7},
             row{"\"007\"", 7},
             row{"0", 0},
             row{"-0", 0},
             row{"-0.0", 0},
             row{"9223372036854775807", INT64_MAX},
             row{"\"9223372036854775807\"", INT64_MAX},
             row{"9007199254740992.0", 9007199254740992},
             row{"-1", {}},
             row{"-1.0", {}},
             row{"\"-1\"", {}},
             row{"1.5", {}},
             row{"\"1.5\"", {}},
             row{"1e-1", {}},
             row{"9007199254740994.0", {}}, // a double that may have been another number
             row{"9223372036854775808", {}},
             row{"18446744073709551615", {}},
             row{"\"9223372036854775808\"", {}},
             row{"99999999999999999999999", {}},
             row{"1e400", {}},
             row{"-1e400", {}},
             row{"\"1e400\"", {}},
             row{"\"\"", {}},
             row{"\" \"", {}},
             row{"\"many\"", {}},
             row{"\"0x10\"", {}},
             row{"\"1 2\"", {}},
             row{"\"1,000\"", {}},
             row{"\"inf\"", {}},
             row{"\"nan\"", {}},
             row{"true", {}},
             row{"[1]", {}},
             row{"[]", {}},
             row{"{}", {}},
             row{"{\"count\":1}", {}},
             row{"[{\"count\":[1,{}]},\"x\",null]", {}},
         })
    {
        CAPTURE(value);
        for (auto const& document : documents_with(value))
        {
            CAPTURE(document);
            auto const all = read_every_way(document);
            CHECK(all.id == "a");
            CHECK(all.count == count);
            CHECK(all.tags == std::vector<std::string>{"t"});
            CHECK(all.metadata.self == "s");
            auto const* const river = std::get_if<codec_test::river>(&all.near);
            REQUIRE(river != nullptr);
            CHECK(river->length == "7");
            CHECK(river->bridges == count);
        }
    }
}

TEST_CASE("a timestamp that is no RFC 3339 date-time is absent, whatever it is")
{
    for (std::string_view const value :
         {"1678759", "-1", "1.5e9", "1e400", "18446744073709551615", "true", "\"\"", "\"yesterday\"", "\"1678759\"",
          "\"2023-02-30T00:00:00Z\"", "\"0001-01-01T00:00:00Z\"", "[]", "[\"2023-03-14T02:13:22Z\"]", "{}",
          "{\"seconds\":1678759,\"nanos\":[{}]}"})
    {
        CAPTURE(value);
        for (auto const& document : documents_with(value))
        {
            CAPTURE(document);
            auto const all = read_every_way(document);
            CHECK(all.id == "a");
            CHECK(!all.metadata.created_at.has_value());
            CHECK(all.metadata.self == "s");
            CHECK(!std::get<codec_test::river>(all.near).measured.has_value());
            CHECK(all.tags == std::vector<std::string>{"t"});
        }
    }
}

TEST_CASE("an optional text is read from a string and from an integer, and is absent otherwise")
{
    struct row
    {
        std::string_view value;
        std::optional<std::string> text;
    };
    for (auto const& [value, text] :
         {row{"\"2\"", "2"}, row{"\"\"", ""}, row{"2", "2"}, row{"-2", "-2"}, row{"18446744073709551615", {}},
          row{"2.0", {}}, row{"true", {}}, row{"[\"2\"]", {}}, row{"{\"source\":\"2\"}", {}}})
    {
        CAPTURE(value);
        for (auto const& document : documents_with(value))
        {
            auto const all = read_every_way(document);
            CHECK(std::get<codec_test::river>(all.near).source == text);
            CHECK(all.tags == std::vector<std::string>{"t"});
        }
    }
    CHECK(!std::get<codec_test::river>(read(R"({"near":{"kind":"River","source":null}})").near).source.has_value());
}

namespace {

struct ill_formed_text
{
    std::string_view sent, read;
};

#define R1 "\xef\xbf\xbd"

/** Ill-formed texts, as they stand between quotation marks, and how they are read: U+FFFD replaces each
    surrogate escape without its other half, and each maximal part of an ill-formed sequence of bytes, as section 3.9 of
    the Unicode Standard recommends (table 3-8 to table 3-11). */
constexpr ill_formed_text ill_formed_texts[] = {
    {R"(\ud800)", R1},
    {R"(\uDBFF)", R1},
    {R"(\udc00)", R1},
    {R"(\uDFFF)", R1},
    {R"(a\ud83db)", "a" R1 "b"},
    {R"(\ud800\ud800)", R1 R1},
    {R"(\udc00\ud800)", R1 R1},
    {R"(\udc00\udc00)", R1 R1},
    {R"(\ud800\u0041)", R1 "A"},
    {R"(\ud800\n)", R1 "\n"},
    {R"(\ud800\\)", R1 "\\"},
    {R"(\ud83d\ud83d\ude80)", R1 "\xf0\x9f\x9a\x80"},
    {R"(\ud83d\ude80\ude80)", "\xf0\x9f\x9a\x80" R1},
    {R"(\\ud800\ud800)", "\\ud800" R1}, // the first one is a backslash and letters
    {R"(\\\ud800)", "\\" R1},
    {"\xff", R1},
    {"\xfe\xff", R1 R1},
    {"\x80", R1},
    {"a\x80\xbf", "a" R1 R1},
    {"\xc3(", R1 "("},
    {"\xc3", R1},
    {"\xe2\x82", R1},
    {"\xe2\x82 \xe2\x82\xac", R1 " \xe2\x82\xac"},
    {"\xf0\x9f\x9a", R1},
    {"\xc0\xaf", R1 R1}, // overlong forms
    {"\xc1\xbf", R1 R1},
    {"\xe0\x80\xaf", R1 R1 R1},
    {"\xf0\x80\x80\xaf", R1 R1 R1 R1},
    {"\xed\xa0\xbd", R1 R1 R1},                      // an encoded surrogate
    {"\xed\xa0\xbd\xed\xba\x80", R1 R1 R1 R1 R1 R1}, // CESU-8
    {"\xf4\x90\x80\x80", R1 R1 R1 R1},               // beyond U+10FFFF
    {"\xf8\x88\x80\x80\x80", R1 R1 R1 R1 R1},
    {"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", R1 R1 R1 R1 "A"},
    {"\xff\\n\xc3\xbc\\ud800\xf0\x9f\x9a\x80", R1 "\n\xc3\xbc" R1 "\xf0\x9f\x9a\x80"},
};

#undef R1

} // namespace

TEST_CASE("ill-formed text becomes U+FFFD (Unicode 3.9, RFC 8259 section 8.2), and all else is read")
{
    for (auto const& [sent, text] : ill_formed_texts)
    {
        CAPTURE(text);
        std::string const odd(sent);
        std::string const expected(text);
        auto const all = read_every_way(
            "{\"id\":\"" + odd + "\",\"phase\":\"" + odd + "\",\"tags\":[\"a\",\"" + odd + "\",\"" + odd +
            "b\"],\"count\":2,\"near\":{\"depth\":\"" + odd + "\",\"kind\":\"Lake\",\"fish\":[\"eel\",\"" + odd +
            "\"]}}"
        );
        CHECK(all.id == expected);
        CHECK(all.phase == expected);
        CHECK(all.tags == std::vector<std::string>{"a", expected, expected + "b"});
        CHECK(all.count == 2);
        auto const* const lake = std::get_if<codec_test::lake>(&all.near);
        REQUIRE(lake != nullptr);
        CHECK(lake->depth == expected);
        CHECK(lake->fish == std::vector<std::string>{"eel", expected});
    }
}

TEST_CASE("ill-formed text in a name, in an unknown member or in an unknown kind does no harm")
{
    for (auto const& [sent, text] : ill_formed_texts)
    {
        CAPTURE(text);
        std::string const odd(sent);
        auto const all = read_every_way(
            "{\"id" + odd + "\":1,\"" + odd + "\":{\"" + odd + "\":[\"" + odd +
            "\"]},\"id\":\"x\",\"near\":{\"kind\":\"Pond" + odd + "\",\"n\":1.10,\"a\":\"" + odd + "\"},\"tags\":[]}"
        );
        CHECK(all.id == "x");
        auto const* const other = std::get_if<codec_test::other_water>(&all.near);
        REQUIRE(other != nullptr);
        CHECK(other->kind == "Pond" + std::string(text));
        CHECK(other->json.starts_with("{\"kind\":\"Pond"));
        CHECK(other->json.find("\"n\":1.10,") != std::string::npos);
        codec_test::other_water again;
        CHECK(read("{\"near\":" + other->json + "}").near.index() == all.near.index());
    }
}

TEST_CASE("with ill-formed text, too, a complaint names path and byte of the document that was sent")
{
    struct row
    {
        std::string document;
        std::string_view path, text;
        std::size_t from, to;
    };
    std::string const many(1'000, '\xff');
    for (auto const& [document, path, text, from, to] : {
             row{"{\"id\":\"\xff\xff\",\"tags\":7}", "/tags", "expected an array, found a number", 18, 19},
             row{R"({"id":"\ud800","tags":7})", "/tags", "expected an array, found a number", 22, 23},
             row{"{\"id\":\"\xff\xfe\"}x", "", "something follows the document", 11, 11},
             row{"{\"id\":\"\xff\",\"b\":tru}", "", "not valid JSON (syntax error)", 14, 18},
             row{"{\"id\":\"\xff\"", "", "the document ends too early", 9, 9},
             row{"{\"id\":\"" + many + "\",\"tags\":7}", "/tags", "expected an array, found a number", 1'016, 1'017},
             row{"{\"tags\":7,\"id\":\"\xff\"}", "/tags", "expected an array, found a number", 8, 9},
         })
    {
        CAPTURE(path);
        CAPTURE(document.substr(0, 60));
        for (std::size_t const slice : {document.size(), document.size() / 2, std::size_t(7), std::size_t(1)})
        {
            CAPTURE(slice);
            place value;
            core::document_reader reader(document, core::root_of(value));
            while (reader.read_some(slice))
                ;
            auto const wrong = slice == document.size() ? complaint_about(document) : reader.take_complaint();
            REQUIRE(wrong.has_value());
            if (!path.empty())
                CHECK(wrong->path == path);
            CHECK(wrong->text == text);
            CHECK(wrong->offset >= from);
            CHECK(wrong->offset <= to);
        }
    }
}

TEST_CASE("a document with ill-formed text is read in slices of bounded size")
{
    for (std::string_view const ill_formed : {"\xff", R"(\ud800)", "\xed\xa0\xbd", "\\\\\xff"})
    {
        CAPTURE(ill_formed);
        auto const document = "{\"id\":\"" + repeat(ill_formed, 100'000) + "\"}";
        place value;
        core::document_reader reader(document, core::root_of(value));
        std::size_t slices = 1;
        while (reader.read_some(64 * 1024))
            ++slices;
        CHECK(!reader.take_complaint().has_value());
        CHECK(slices > document.size() / (64 * 1024) + 1); // it was read more than once, with pauses
        CHECK(slices <= 5 * (document.size() / (64 * 1024)) + 5);
        CHECK(value.id.size() >= 300'000);
        place limited;
        CHECK(core::read_json(document, limited, 100'000)->about == core::complaint::kind::too_large);
    }
}

TEST_CASE("a document that more than 1 MiB of replacements would be added to is binary, and refused as it was")
{
    constexpr std::size_t added = 2; // by each
    for (std::size_t const count : {core::text_repair::most_growth / added, core::text_repair::most_growth / added + 1})
    {
        CAPTURE(count);
        auto const document = "{\"id\":\"" + repeat("\xff", count) + "\"}";
        bool const refused = count * added > core::text_repair::most_growth;
        auto const wrong = complaint_about(document);
        REQUIRE(wrong.has_value() == refused);
        place value;
        core::document_reader reader(document, core::root_of(value));
        while (reader.read_some(64 * 1024))
            ;
        auto const sliced = reader.take_complaint();
        REQUIRE(sliced.has_value() == refused);
        if (!refused)
            continue;
        CHECK(wrong->text == "not valid JSON (syntax error)");
        CHECK(wrong->offset == 7);
        CHECK(sliced->offset >= 7);
        CHECK(sliced->offset <= 10);
    }
}

TEST_CASE("the offset of a complaint is where the trouble is")
{
    struct row
    {
        std::string_view document;
        std::size_t from, to;
    };
    for (auto const& [document, from, to] : {
             row{"", 0, 0},
             row{"x", 0, 1},
             row{R"({"id":"x",})", 10, 11},
             row{R"({"id":"x" "b":1})", 10, 11},
             row{R"({"id":"x","b":tru})", 14, 18},
             row{R"({"id":"x")", 9, 9},
             row{R"({"id":"x"}})", 10, 10},
             row{R"({"id":"x"}  {})", 10, 12},
             row{R"({"id":"a)", 8, 8},
             row{"{\"id\":\"a\nb\"}", 8, 9},
             row{R"({"aaaaaaaaaaaaaaaaaaaa":1,"id":7,"b":1})", 26, 33},
             row{R"({"id":"\x"})", 7, 9},
         })
    {
        CAPTURE(document);
        auto const wrong = complaint_about(document);
        REQUIRE(wrong.has_value());
        CHECK(wrong->offset >= from);
        CHECK(wrong->offset <= to);
    }
}

TEST_CASE("what is no JSON is complained of")
{
    for (std::string_view const document : {
             "",
             " \r\n\t ",
             "\xef\xbb\xbf",
             "\xef\xbb\xbf \n",
             "\xef\xbb\xbf\xef\xbb\xbf{}",
             "\xef\xbb{}",
             " \xef\xbb\xbf{}",
             "{\xef\xbb\xbf}",
             "{}\xef\xbb\xbf",
             "\xff\xfe{}",
             "{",
             "}",
             "{]",
             "{}{}",
             "{}x",
             "{} null",
             R"({"id"})",
             R"({"id":})",
             R"({"id":"x",})",
             R"({"id":"x"]})",
             R"({id:"x"})",
             R"({'id':'x'})",
             R"({"tags":["a",]})",
             R"({"tags":["a" "b"]})",
             R"({"count":01})",
             R"({"count":+1})",
             R"({"count":1.})",
             R"({"count":.5})",
             R"({"count":0x1})",
             R"({"count":NaN})",
             R"({"count":Infinity})",
             R"({"u":truE})",
             R"({"id":"\u12g4"})",
             R"({"id":"\q"})",
             R"({} // comment)",
             R"(/* comment */ {})",
             "{\"id\":\"a\tb\"}",
             "\xff{\"id\":\"x\"}",
             "{\"id\":\xff}",
             "{\"id\":\"\xff\"",
             "{\"id\":\"\xff",
             R"({"id":"\ud83d)",
             R"({"id":"\ud83d\u12g4"})",
             R"({"id":"\ud83d\q"})",
             "<html></html>",
             "\x1f\x8b\x08",
         })
    {
        CAPTURE(document);
        auto const wrong = complaint_about(document);
        REQUIRE(wrong.has_value());
        CHECK(!wrong->text.empty());
        CHECK(wrong->offset <= document.size());
    }
    CHECK(complaint_about(std::string_view("\0{}", 3)).has_value());
    CHECK(complaint_about(std::string_view("{}\0", 3)).has_value());
}

TEST_CASE("RFC 8259 section 8.1: a byte order mark before a document is ignored, and counts as its bytes")
{
    CHECK(read("\xef\xbb\xbf{\"id\":\"x\"}").id == "x");
    CHECK(read("\xef\xbb\xbf \r\n{\"id\":\"\xc3\xbc\"}\n").id == "\xc3\xbc");
    CHECK(complaint_about("\xef\xbb\xbf{\"id\":7}")->path == "/id");
    CHECK(complaint_about("\xef\xbb\xbf{\"id\":\"x\"} y")->offset == 14);
    CHECK(complaint_about("\xef\xbb\xbf")->text == "the body is empty");
    CHECK(complaint_about("\xef\xbb\xbf \n")->text == "the body is empty");
}

TEST_CASE("an empty body is called so")
{
    CHECK(complaint_about("")->to_string() == "/: the body is empty, at byte 0");
    CHECK(complaint_about(" \n")->text == "the body is empty");
}

TEST_CASE("a complaint says where it is in one line")
{
    core::complaint const wrong{"/data/3/id", 120, "expected a string, found a number"};
    CHECK(wrong.to_string() == "/data/3/id: expected a string, found a number, at byte 120");
}

TEST_CASE("a document that is nested too deeply is refused wherever it is")
{
    for (std::size_t const depth : {33u, 1000u, 1'000'000u})
    {
        CAPTURE(depth);
        for (auto const& document : std::vector<std::string>{
                 repeat("[", depth), "{\"u\":" + repeat("[", depth) + repeat("]", depth) + "}",
                 repeat("{\"u\":", depth) + "1" + repeat("}", depth),
                 repeat("{\"children\":[", depth) + repeat("]}", depth),
                 "{\"near\":{\"a\":" + repeat("[", depth) + repeat("]", depth) + "}}",
                 "{\"near\":{\"kind\":\"Pond\",\"a\":" + repeat("{\"b\":", depth),
                 repeat("{\"near\":", depth) + "{}" + repeat("}", depth)})
        {
            CAPTURE(document.substr(0, 40));
            auto const wrong = complaint_about(document);
            REQUIRE(wrong.has_value());
            CHECK((wrong->text == "nested more than 32 deep" || document.starts_with('[')));
            CHECK(wrong->path.size() < 1'000);
        }
    }
    CHECK(!complaint_about(repeat("{\"children\":[", 8) + repeat("]}", 8)).has_value());
    CHECK(!complaint_about("{\"u\":" + repeat("[", 31) + repeat("]", 31) + "}").has_value());
    CHECK(!complaint_about("{\"near\":{\"a\":" + repeat("[", 30) + repeat("]", 30) + "}}").has_value());
}

TEST_CASE("numbers of any size are skipped in unknown members, and a count that does not fit is absent")
{
    auto const digits = repeat("9", 40);
    auto const many_digits = repeat("9", 100'000);
    for (auto const& number : std::vector<std::string>{
             "1e400", "-1e400", "1e-400", digits, "-" + digits, "0." + digits, digits + "e99999", many_digits,
             "0." + many_digits, "-0", "-0.0"})
    {
        CAPTURE(number.substr(0, 60));
        auto const value = read("{\"u\":" + number + ",\"v\":[" + number + "],\"id\":\"x\"}");
        CHECK(value.id == "x");
        if (number.starts_with("0.9"))
            continue; // rounded, it is 1
        bool const is_zero = number == "-0" || number == "-0.0" || number == "1e-400";
        CHECK(read("{\"count\":" + number + "}").count == (is_zero ? std::optional<std::int64_t>(0) : std::nullopt));
    }
    // RFC 8259 section 6 lets a parser set limits on the range of numbers; that of Boost.JSON 1.81 is an exponent of 32
    // bits, and 1.83 has none.
    for (auto const& number : std::vector<std::string>{"1e" + digits, digits + "e" + digits})
    {
        auto const complaint = complaint_about("{\"u\":" + number + "}");
        if (complaint)
            CHECK(complaint->text == "not valid JSON (exponent overflow)");
        else
            CHECK(!read("{\"count\":" + number + "}").count.has_value());
    }
}

namespace {

/** A document whose values take more memory the larger `size` is, and the path at which the limit is exceeded. */
struct growing
{
    std::string_view name;
    std::string (*make)(std::size_t size);
    std::string_view path;
};

std::string joined(std::string_view element, std::size_t times)
{
    auto all = repeat(std::string(element) + ',', times);
    all.pop_back();
    return all;
}

constexpr growing documents_that_grow[]{
    {"a list of texts", [](std::size_t size) { return "{\"tags\":[" + joined("\"\"", size) + "]}"; }, "/tags/"},
    {"a list of objects", [](std::size_t size) { return "{\"children\":[" + joined("{}", size) + "]}"; }, "/children/"},
    {"lists in a list",
     [](std::size_t size) { return "{\"children\":[{\"children\":[{\"tags\":[" + joined("\"\"", size) + "]}]}]}"; },
     "/children/0/children/0/tags/"},
    {"empty lists in a list", [](std::size_t size) { return "{\"children\":[" + joined("{\"tags\":[]}", size) + "]}"; },
     "/children/"},
    {"a text", [](std::size_t size) { return "{\"id\":\"" + repeat("x", 64 * size) + "\"}"; }, "/id"},
    {"a text with escapes", [](std::size_t size) { return "{\"id\":\"" + repeat("\\n", 64 * size) + "\"}"; }, "/id"},
    {"texts in a list",
     [](std::size_t size) { return "{\"tags\":[" + joined("\"abcdefghijklmnopqrstuvw\"", size) + "]}"; }, "/tags/"},
    {"a member that comes often", [](std::size_t size) { return "{" + joined("\"tags\":[\"a\"]", size) + "}"; },
     "/tags"},
    {"a one-of", [](std::size_t size) { return "{\"near\":{\"kind\":\"Pond\",\"a\":[" + joined("1", size) + "]}}"; },
     "/near"},
    {"a one-of with texts",
     [](std::size_t size) { return "{\"near\":{\"a\":\"" + repeat("x", 20 * size) + "\",\"kind\":\"Pond\"}}"; },
     "/near"},
    {"a one-of that comes often", [](std::size_t size) { return "{" + joined("\"near\":{\"a\":{}}", size) + "}"; },
     "/near"},
    {"objects in a one-of",
     [](std::size_t size) { return "{\"near\":{\"a\":[" + joined("{\"b\":null}", size) + "]}}"; }, "/near"},
};

} // namespace

TEST_CASE("values of every kind count against the limit of memory")
{
    constexpr std::size_t limit = 100'000;
    for (auto const& [name, make, path] : documents_that_grow)
    {
        CAPTURE(name);
        auto const document = make(20'000);
        place value;
        auto const wrong = core::read_json(document, value, limit);
        REQUIRE(wrong.has_value());
        CAPTURE(wrong->to_string());
        CHECK(wrong->about == core::complaint::kind::too_large);
        CHECK(wrong->text == "the values take more than 100000 bytes of memory");
        CHECK(wrong->path.starts_with(path));
        CHECK(wrong->offset <= document.size());
        place small;
        CHECK(!core::read_json(make(10), small, limit).has_value());
        place all;
        auto const without_limit = core::read_json(document, all);
        CHECK((!without_limit || without_limit->about == core::complaint::kind::malformed)); // a one-of of 1 MiB
    }
}

TEST_CASE("a list counts against the limit of memory even if it is empty, because it has room for two elements")
{
    constexpr std::size_t count = 100;
    constexpr auto limit = (count + 1) * 2 * sizeof(place); // the list of the children, and each of them
    place value;
    CHECK(!core::read_json("{\"children\":[" + joined("{}", count) + "]}", value, limit).has_value());
    CHECK(!core::read_json("{\"children\":[" + joined("{\"tags\":null}", count) + "]}", value, limit).has_value());
    for (std::string_view const child : {R"({"tags":[]})", R"({"children":[]})"})
    {
        CAPTURE(child);
        auto const wrong = core::read_json("{\"children\":[" + joined(child, count) + "]}", value, limit);
        REQUIRE(wrong.has_value());
        CHECK(wrong->about == core::complaint::kind::too_large);
    }
}

TEST_CASE("a one-of has a limit of its own, because it is collected before it is read")
{
    constexpr std::string_view text = "the object takes more than 1048576 bytes of memory";
    for (std::string_view const element : {"1", "{}", "[]", "\"x\"", "null", "true", "1.5", "18446744073709551615"})
    {
        CAPTURE(element);
        auto const wrong = complaint_about("{\"near\":{\"a\":[" + joined(element, 15'000) + "]}}");
        REQUIRE(wrong.has_value());
        CHECK(wrong->path == "/near");
        CHECK(wrong->text == text);
        CHECK(!complaint_about("{\"near\":{\"a\":[" + joined(element, 5'000) + "]}}").has_value());
    }
    auto const long_key = "{\"near\":{\"" + repeat("k", 600'000) + "\":1}}";
    CHECK(complaint_about(long_key)->text == text);
    CHECK(
        complaint_about("{\"children\":[{},{\"near\":{\"a\":\"" + repeat("x", 600'000) + "\"}}]}")->path ==
        "/children/1/near"
    );
    CHECK(complaint_about("{\"near\":{\"a\":\"" + repeat("\\u0001", 600'000) + "\"}}")->text == text);
    // The parts of texts and keys with escapes count, also where the object's own bytes are not kept.
    for (std::string_view const member : {R"("depth":"$")", R"("$":1)"})
        for (std::string_view const piece : {"x", "\\n"})
        {
            CAPTURE(member);
            CAPTURE(piece);
            auto const lake = [&](std::size_t size) {
                auto document = R"({"near":{"kind":"Lake",)" + std::string(member) + "}}";
                return document.replace(document.find('$'), 1, repeat(piece, size));
            };
            auto const wrong = complaint_about(lake(1'100'000));
            REQUIRE(wrong.has_value());
            CHECK(wrong->text == text);
            CHECK(wrong->path == "/near");
            CHECK(!complaint_about(lake(900'000)).has_value());
        }

    // Blanks and digits count in the bytes of an unknown kind, because they are kept there.
    for (std::string_view const kept : {" ", "1"})
    {
        CAPTURE(kept);
        auto const near = [kept](std::string_view kind, std::size_t size) {
            return "{\"near\":{\"kind\":\"" + std::string(kind) + "\",\"a\":1" + repeat(kept, size) + "}}";
        };
        auto const wrong = complaint_about(near("Pond", 1'100'000));
        REQUIRE(wrong.has_value());
        CHECK(wrong->text == text);
        CHECK(wrong->path == "/near");
        CHECK(!complaint_about(near("Pond", 900'000)).has_value());
        CHECK(!complaint_about(near("Lake", 1'100'000)).has_value());
        place value;
        auto const beyond_memory = core::read_json(near("Pond", 20'000), value, 10'000);
        REQUIRE(beyond_memory.has_value());
        CHECK(beyond_memory->about == core::complaint::kind::too_large);
        CHECK(own_bytes(value.near).empty());
    }
}

namespace {

std::string text_of(codec_test::place const& value)
{
    std::string text = value.id + '|' + (value.count ? std::to_string(*value.count) : "") + '|' + value.phase.str() +
                       '|' + value.metadata.self + '|' + (value.metadata.created_at ? "created" : "");
    for (auto const& tag : value.tags)
        text += '|' + tag;
    if (auto const* lake = std::get_if<codec_test::lake>(&value.near))
        text += "|lake " + lake->depth + ' ' + std::to_string(lake->fish.size());
    else if (auto const* other = std::get_if<codec_test::other_water>(&value.near))
        text += "|other " + other->json;
    else
        text += '|' + std::to_string(value.near.index());
    for (auto const& child : value.children)
        text += '{' + text_of(child) + '}';
    return text;
}

} // namespace

TEST_CASE("a document read in slices of any size gives the same values and faults as in one piece")
{
    std::vector<std::string> documents{
        std::string(sample),
        "",
        " ",
        " {} ",
        "{}{}",
        "{} x",
        "\xef\xbb\xbf{\"id\":\"x\"}",
        "\xef\xbb\xbf",
        R"({"id":7})",
        R"({"count":12345678901234567890123})",
        R"({"count":-9223372036854775808,"u":[1e400,0.1e-5,-0]})",
        R"({"near":{"depth":"\u00e9\n","fish":["a\\b",null],"kind":"x.Lake"}})",
        R"({"near":{"kind":"Pond","a":{"b":[1.5,18446744073709551615,false,"\ud83d\ude80"]}}})",
        "{\"id\":\"\xf0\x9f\x9a\x80\xc3\xbc\"}",
        "{\"id\":\"\xc3\"}",
        "{\"id\":\"\xed\xa0\xbd\"}",
        R"({"id":"\ud83d"})",
        R"({"tags":["a",]})",
        R"({"children":[{},{"tags":["",1]}]})",
        R"({"u":tru)",
        repeat("{\"children\":[", 40),
        "{\"tags\":[" + joined("\"tag\"", 300) + "]}",
    };
    for (std::size_t length = 0; length < sample.size(); length += 7)
        documents.push_back(std::string(sample.substr(0, length)));
    constexpr std::size_t memory = 8'000;
    for (auto const& document : documents)
    {
        CAPTURE(document.substr(0, 100));
        place whole;
        auto const expected = core::read_json(document, whole, memory);
        for (std::size_t const slice : {1u, 2u, 3u, 7u, 64u, 100'000u})
        {
            CAPTURE(slice);
            place read;
            core::document_reader reader(document, core::root_of(read), memory);
            std::size_t slices = 1;
            while (reader.read_some(slice))
                ++slices;
            CHECK(slices <= 5 * (document.size() / slice) + 5); // read once; or read, copied, and read again
            auto const wrong = reader.take_complaint();
            REQUIRE(wrong.has_value() == expected.has_value());
            if (!wrong)
            {
                CHECK(text_of(read) == text_of(whole));
                continue;
            }
            CHECK(wrong->path == expected->path);
            CHECK(wrong->text == expected->text);
            CHECK(wrong->about == expected->about);
            // An incomplete character is noticed where it begins or where it breaks off.
            auto const at = expected->offset;
            bool const in_character = at < document.size() && static_cast<unsigned char>(document[at]) >= 0x80;
            auto const latest = at + (in_character ? 2 : 0);
            CHECK(wrong->offset >= expected->offset);
            CHECK(wrong->offset <= latest);
        }
    }
}

TEST_CASE("a document that ends too early is complained of at every byte, and never taken for whole")
{
    auto const group = support::fixture("iam/ip_groups/one.json");
    auto const connection = support::fixture("networking/private_link_attachment_connections/kind_last.json");
    for (std::string_view document : {sample, std::string_view(group), std::string_view(connection)})
    {
        document = document.substr(0, document.find_last_of('}') + 1);
        CAPTURE(document.substr(0, 40));
        CHECK(!complaint_about(document).has_value());
        for (std::size_t length = 0; length < document.size(); ++length)
        {
            auto const wrong = complaint_about(document.substr(0, length));
            if (!wrong || wrong->offset > length || wrong->text.empty())
                FAIL("the first " << length << " bytes" << (wrong ? ": " + wrong->to_string() : " pass"));
        }
    }
}

TEST_CASE("no damaged byte does harm")
{
    std::mt19937 dice(42);
    std::string_view const bytes("\0\"\\{}[]:,0-e.tn\x7f\xc3\xff ", 20);
    for (std::size_t at = 0; at < sample.size(); ++at)
        for (char const c : bytes)
        {
            std::string document(sample);
            document[at] = c;
            if (dice() % 4 == 0)
                document.erase(dice() % document.size(), 1 + dice() % 3);
            auto const wrong = complaint_about(document);
            if (wrong && wrong->offset > document.size())
                FAIL("byte " << at << ": " << wrong->to_string());
        }
}
