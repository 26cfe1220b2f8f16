#include "net/response_reader.hpp"

#include "printers.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace net = ccloud::net;
using fault = net::response_reader::fault;

namespace {

/** The result of reading some bytes. */
struct reading
{
    int status = 0;
    std::string fields;
    std::string body;
    std::string complaint;
    std::size_t taken = 0;
    fault broken = fault::none;
    bool head = false;
    bool complete = false;
    bool keep_alive = false;
    bool doubtful = false;

    friend bool operator==(reading const&, reading const&) = default;
};

ccloud::config::size_limits limits_of(std::size_t header = 64 * 1024, std::size_t body = 1024 * 1024)
{
    ccloud::config::size_limits limits;
    limits.response_header = header;
    limits.response_body = body;
    return limits;
}

/** Reads `text` in pieces that end at these places, and at its end. With `closed` the connection ends then. */
reading read(
    std::string_view text, std::vector<std::size_t> const& ends = {}, bool closed = false,
    ccloud::config::size_limits const& limits = limits_of()
)
{
    net::spare_bodies spares;
    net::response_reader reader(limits, spares);
    reading all;
    std::size_t at = 0;
    auto const put = [&](std::size_t end) {
        // A copy in an allocation of the exact size, so that a sanitizer detects reads beyond its end.
        std::vector<char> const piece(
            text.begin() + static_cast<std::ptrdiff_t>(at), text.begin() + static_cast<std::ptrdiff_t>(end)
        );
        if (piece.empty() || reader.complete() || reader.broken() != fault::none)
            return;
        all.taken += reader.put({piece.data(), piece.size()});
        at = end;
    };
    for (auto const end : ends)
        put(end);
    put(text.size());
    if (closed)
        reader.put_end();
    all.complete = reader.complete();
    all.broken = reader.broken();
    all.complaint = reader.complaint().substr(0, reader.complaint().find('"')); // it quotes as much as there is
    all.head = reader.has_head();
    all.keep_alive = reader.keep_alive();
    all.doubtful = reader.has_doubtful_framing();
    if (all.broken != fault::none)
        all.taken = 0; // how many are left then does not matter
    auto response = reader.take();
    all.status = response.status();
    all.body = response.body();
    all.fields = response.headers().text();
    return all;
}

std::string const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

std::vector<std::string> const samples{
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close, x\r\n\r\nhi and more",
    "HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nno",
    "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nextra",
    "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200",
    "HTTP/1.1 200\r\nX-Folded: a\r\n b\r\n\tc\r\nX: \r\n\r\nto the end",
    chunked + "2\r\nhi\r\n1;x=\"y\"\r\n!\r\n0\r\n\r\nrest",
    chunked + "A \t\r\n0123456789\r\n000 ; x\r\nTrailer: x\r\n folded\r\n\r\n",
    chunked + "2\r\nhiX",
    chunked + "zz\r\n",
    chunked + "fffffffffffffffff\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "HTTP/1.1 500 No\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
    "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
    "HTTP/1.1 200 OK\r\nbroken\r\n\r\n",
    "HTTP/1.1 999 No\r\n\r\n",
    "HTTP/1.1 099 No\r\n\r\n",
    "HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nhi and more",
    "HTTP/1.9 404\r\nConnection: a b\r\nX-Folded: a\r\n b\r\n\r\nto the end",
    "HTTP/1.1 200 \r\r\nContent-Length: 2\r\n\r\nhi",
    "HTTP/1.1 404 No\r\nContent-Length: 99999999999\r\n\r\nhi",
    "HTTP/1.1 201 Created\nX: y\r\n\r\n",
    "HTTP/1.1 201 Created\r\nX: y\n\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "SSH-2.0-OpenSSH\r\n",
    "HELO mail.example\r\n",
    "HT0\r\n\r\n1 503 Unavailable\r\n\r\n",
    "HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/1.1 20f",
    "HTTP/1.1 503 Service Unavailable\r\nRetry-AHTTP/1.1 20f",
    "HTTP/1.1 200 OK\r\nno field\r\nX: y",
    "HTTP/1.1 200 OK\r\nno field\r\nX: y\nZ: 1\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nno field\r\n\r\n",
};

} // namespace

TEST_CASE("a response is read in the same way however its bytes are split")
{
    for (auto const& text : samples)
        for (bool const closed : {false, true})
        {
            CAPTURE(text);
            auto const whole = read(text, {}, closed);
            std::vector<std::size_t> each;
            for (std::size_t first = 0; first <= text.size(); ++first)
            {
                each.push_back(first);
                for (std::size_t second = first; second <= text.size(); ++second)
                {
                    CAPTURE(first);
                    CAPTURE(second);
                    REQUIRE((read(text, {first, second}, closed) == whole));
                }
            }
            CHECK((read(text, each, closed) == whole));
        }
}

TEST_CASE(
    "RFC 9112 section 4: an invalid status line is malformed at its first wrong byte, even if bytes come one by one"
)
{
    struct row
    {
        std::string_view sent;
        std::size_t good;
    };
    for (auto const& [sent, good] :
         {row{"SSH-2.0-OpenSSH\r\n", 0}, row{"HELO mail.example\r\n", 1}, row{"HT0\r\n\r\n1 503 No\r\n\r\n", 2},
          row{"HTTP/2.0 200 OK\r\n\r\n", 5}, row{"HTTP/1.x 200 OK\r\n\r\n", 7}, row{"HTTP/1.1  200 OK\r\n\r\n", 9},
          row{"HTTP/1.1 20f\r\n\r\n", 11}, row{"HTTP/1.1 2000\r\n\r\n", 12}})
    {
        CAPTURE(sent);
        net::spare_bodies spares;
        net::response_reader reader(limits_of(), spares);
        std::size_t taken = 0;
        while (taken < sent.size() && reader.broken() == fault::none)
        {
            reader.put(sent.substr(taken, 1));
            taken += reader.broken() == fault::none;
        }
        CHECK(reader.broken() == fault::malformed);
        CHECK(taken == good);
        CHECK(reader.complaint().starts_with("not an HTTP/1 status line: \""));
    }
}

TEST_CASE("bytes after the end of a response are not consumed")
{
    CHECK(read(samples[1]).taken == samples[1].size() - std::string_view(" and more").size());
    CHECK(read(samples[3]).taken == samples[3].size() - 5);
    CHECK(read(samples[4]).taken == samples[4].find("HTTP/1.1 200"));
    CHECK(read(samples[6]).taken == samples[6].size() - 4);
}

TEST_CASE("RFC 9112 section 5.1: fields keep their order, and lose the white space around their values")
{
    std::vector<std::pair<std::string, std::string>> const lines{
        {"A: one", "A: one"},
        {"B: two words", "B: two words"},
        {"C:three", "C: three"},
        {"D:  four", "D: four"},
        {"E: five \t", "E: five"},
        {"F:\tsix", "F: six"},
        {"G:", "G: "},
        {"H: ", "H: "},
        {"I:  ", "I: "},
        {"J: seven\r\n eight", "J: seven eight"},
        {"K: :nine:", "K: :nine:"},
        {"Connection: a b", "Connection: a b"},
        {"L:\r\n ten", "L: ten"},
        {"M: \r\n\televen", "M: eleven"},
        {"N: a\r\n \r\n b", "N: a b"},
        {"o-DD: \xc3\xa4", "o-DD: \xc3\xa4"},
    };
    for (auto const& [first, first_kept] : lines)
        for (auto const& [second, second_kept] : lines)
            for (auto const& [third, third_kept] : lines)
            {
                auto const fields = first + "\r\n" + second + "\r\n" + third + "\r\n\r\n";
                auto const kept = first_kept + "\r\n" + second_kept + "\r\n" + third_kept + "\r\n";
                CAPTURE(fields);
                CHECK(read("HTTP/1.1 204 No Content\r\n" + fields).fields == kept);
                CHECK(read("HTTP/1.9 204\r\n" + fields).fields == kept);
                CHECK(read("HTTP/1.1 204 No Content\r\n" + fields, {30}).fields == kept);
            }
}

TEST_CASE("limits.response_header is exact at any split")
{
    std::string const head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Long: " + std::string(60, 'x') + "\r\n\r\n";
    auto const text = head + "hi";
    for (std::size_t limit = 0; limit <= head.size() + 2; ++limit)
        for (std::size_t split = 0; split <= text.size(); ++split)
        {
            CAPTURE(limit);
            CAPTURE(split);
            auto const got = read(text, {split}, false, limits_of(limit));
            CHECK(got.complete == (limit >= head.size()));
            CHECK(got.broken == (limit >= head.size() ? fault::none : fault::too_large));
        }
}

TEST_CASE("trailers, and the extensions of all chunks together, are bounded by limits.response_header, too")
{
    std::string const trailers = "T: " + std::string(50, 't') + "\r\n\r\n";
    for (std::size_t beyond = 0; beyond < 2; ++beyond)
    {
        CAPTURE(beyond);
        auto const limit = trailers.size() - beyond;
        CHECK(read(chunked + "0\r\n" + trailers, {}, false, limits_of(limit)).complete == (beyond == 0));
        CHECK((read("HTTP/1.1 204 No\r\n\r\n").complete)); // without them
    }
    // Each chunk has 20 bytes of extension beyond the 18 that a plain size may have.
    std::string const chunk = "1;" + std::string(34, 'x') + "\r\nc\r\n";
    for (std::size_t const chunks : {4U, 5U, 6U})
    {
        std::string text = chunked;
        for (std::size_t i = 0; i < chunks; ++i)
            text += chunk;
        auto const got = read(text + "0\r\n\r\n", {}, false, limits_of(102));
        CAPTURE(chunks);
        CHECK(got.complete == (chunks < 6)); // 2 bytes are left for the end of the trailers
    }
    // Plain sizes do not count as extensions, however many there are.
    std::string many = chunked;
    for (int i = 0; i < 10'000; ++i)
        many += "1\r\nc\r\n";
    CHECK(read(many + "0\r\n\r\n", {}, false, limits_of(64)).complete);
}

TEST_CASE("limits.response_body is exact in each framing")
{
    for (std::size_t const size : {9U, 10U, 11U, 1'000U})
    {
        CAPTURE(size);
        auto const body = std::string(size, 'x');
        auto const limits = limits_of(1024, 10);
        bool const fits = size <= 10;
        auto const length = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n";
        CHECK(read(length + body, {}, false, limits).complete == fits);
        CHECK(read("HTTP/1.1 200 OK\r\n\r\n" + body, {}, true, limits).complete == fits);
        std::string pieces = chunked;
        for (std::size_t i = 0; i < size; ++i)
            pieces += "1\r\nx\r\n";
        CHECK(read(pieces + "0\r\n\r\n", {}, false, limits).complete == fits);
        auto const told = read(length, {}, false, limits);
        CHECK((told.broken == fault::too_large) == !fits); // by its head already
        CHECK(told.head);
    }
    auto const greatest = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n";
    CHECK(read(greatest).broken == fault::too_large);
    CHECK(read(chunked + "ffffffffffffffff\r\n").broken == fault::too_large);
}

TEST_CASE("the reader describes what it waits for")
{
    net::spare_bodies spares;
    auto const awaited = [&spares](std::string_view text) {
        auto const limits = limits_of();
        net::response_reader reader(limits, spares);
        if (!text.empty())
            reader.put(text);
        return reader.describe_wait();
    };
    CHECK(awaited("") == "the first byte of the response");
    CHECK(awaited("H") == "the rest of the response header");
    CHECK(awaited("HTTP/1.1 200") == "the rest of the response header");
    auto const created = "the rest of the response header, after \"HTTP/1.1 201 Created\"";
    CHECK(awaited("HTTP/1.1 201 Crea") == "the rest of the response header, after \"HTTP/1.1 201 Crea...\"");
    CHECK(awaited("HTTP/1.1 201 Created\r\n") == created);
    CHECK(awaited("HTTP/1.1 201 Created\r\nX") == created);
    CHECK(awaited("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi") == "the rest of the body, 2 of 3 bytes");
    CHECK(awaited(chunked + "9\r\nhi") == "the rest of the body, 2 bytes so far");
    CHECK(awaited(chunked + "0\r\nT: x\r\n") == "the rest of the body, 0 bytes so far");
}

namespace {

/** The complaint about a response of these bytes; empty if there is none. */
std::string complaint_about(std::string_view text, ccloud::config::size_limits const& limits = limits_of())
{
    net::spare_bodies spares;
    net::response_reader reader(limits, spares);
    reader.put(text);
    return reader.complaint();
}

} // namespace

TEST_CASE("RFC 9110 section 7.6.1: unknown and malformed options of Connection are ignored, and close among them counts"
)
{
    struct row
    {
        std::string_view value;
        bool kept;             ///< by HTTP/1.1
        bool kept_1_0 = false; ///< by HTTP/1.0
    };
    for (auto const& [value, kept, kept_1_0] : std::vector<row>{
             {"keep-alive", true, true},
             {"keep-alive, timeout=60", true, true},
             {"timeout=60,keep-alive", true, true},
             {"keep-alive, timeout=60\r\n , max=5", true, true},
             {"Keep-Alive; timeout=5", true},
             {"timeout=5", true},
             {"a b", true},
             {"a=b", true},
             {"@@", true},
             {"\xc3\xa4", true},
             {"", true},
             {",,", true},
             {"close", false},
             {"CLOSE", false},
             {"close, timeout=5", false},
             {"timeout=5, Close", false},
             {"keep-alive, timeout=5, close", false},
             {",,\x80,close", false},
             // It is not certain what these mean.
             {"close;", false},
             {"close; timeout=5", false},
             {"\"close\"", false},
             {"x=\"a, keep-alive, b\"", false},
             {"\"", false},
         })
        for (std::string_view const name : {"Connection", "connection", "Proxy-Connection"})
            for (bool const newer : {true, false})
            {
                CAPTURE(value);
                CAPTURE(name);
                CAPTURE(newer);
                auto const head = std::string(newer ? "HTTP/1.1" : "HTTP/1.0") + " 200 OK\r\n" + std::string(name) +
                                  ": " + std::string(value) + "\r\nX-Request-Id: r-1\r\nContent-Length: 2\r\n\r\n";
                auto const got = read(head + "hi");
                CHECK(got.complaint == "");
                CHECK(got.complete);
                CHECK(got.body == "hi");
                CHECK(got.fields.find("X-Request-Id: r-1") != std::string::npos);
                CHECK(got.keep_alive == (newer ? kept : kept_1_0));
            }
}

TEST_CASE("RFC 9110 section 5.5: a control character makes a field malformed, Connection included")
{
    for (std::string_view const value :
         {"a\x01"
          "b",
          "timeout=5\x7f", "timeout=5\r\n \x02"})
        for (std::string_view const name : {"Connection", "Proxy-Connection", "X"})
        {
            CAPTURE(value);
            CAPTURE(name);
            auto const got = read("HTTP/1.1 200 OK\r\n" + std::string(name) + ": " + std::string(value) + "\r\n\r\n");
            CHECK(got.broken == fault::malformed);
            CHECK(got.complaint == "not a header field: ");
        }
}

TEST_CASE("RFC 9112 section 2.2: a CR without LF makes a header section malformed, wherever it stands")
{
    std::vector<std::string> const lines{
        "Content-Length: 2",
        "\rXContent-Length: 2",
        "\rTransfer-Encoding: chunked",
        "\r Content-Length: 0",
        "\r\x01X: y",
        "\r: y",
        "X\r: y",
        "X:\ry",
        "X: y\rz",
        "X: y\r\r",
        "\r",
        "\r\r",
        "X: y\r\n z\r",
        "X: y\r\n \rz",
        "X: a b\r\r\n c",
        "Connection: keep-alive\rX",
    };
    for (auto const& line : lines)
        for (std::size_t place = 0; place < 3; ++place)
        {
            std::vector<std::string> section{"A: b", "Content-Length: 2"};
            section.insert(section.begin() + static_cast<std::ptrdiff_t>(place), line);
            std::string text = "HTTP/1.1 200 OK\r\n";
            for (auto const& each : section)
                text += each + "\r\n";
            text += "\r\nhi";
            CAPTURE(text);
            bool const has_bare_return = line != lines.front();
            for (std::size_t split = 0; split <= text.size(); ++split)
                CHECK(read(text, {split}).broken == (has_bare_return ? fault::malformed : fault::none));
        }
    CHECK(
        complaint_about("HTTP/1.1 200 OK\r\nA: b\r\n\rXContent-Length: 2\r\n\r\nhi") ==
        "a line has a CR without LF, after \"HTTP/1.1 200 OK\""
    );
}

TEST_CASE("RFC 9112 section 5.2: a trailer may be folded, but a trailer section does not begin with a folded line")
{
    CHECK(read(chunked + "0\r\nT: a\r\n b\r\n\tc\r\n\r\n").complete);
    CHECK(read(chunked + "0\r\nT: a\r\n \r\n\r\n").complete);
    CHECK(read(chunked + "0\r\n b\r\n\r\n").broken == fault::malformed);
    CHECK(read(chunked + "0\r\n\tT: a\r\n\r\n").broken == fault::malformed);
    CHECK(complaint_about(chunked + "0\r\n b\r\n\r\n").starts_with("not a trailer field: "));
}

TEST_CASE("RFC 9112 section 5.2: a folded field value is unfolded, however long it is")
{
    for (std::size_t const size : {4'000U, 4'096U, 4'097U, 5'000U, 60'000U})
    {
        CAPTURE(size);
        std::string const part(size / 2, 'x');
        auto const got = read(
            "HTTP/1.1 200 OK\r\nX-Folded: " + part + " \r\n \t" + part +
            "\r\n \r\n\tend \r\nX-Request-Id: r-1\r\nContent-Length: 2\r\n\r\nhi"
        );
        CHECK(got.complaint == "");
        CHECK(got.body == "hi");
        CHECK(got.fields.find("X-Folded: " + part + ' ' + part + " end\r\n") != std::string::npos);
        CHECK(got.fields.find("X-Request-Id: r-1") != std::string::npos);
        auto const framing = read("HTTP/1.1 200 OK\r\nContent-Length:\r\n " + std::string(size, ' ') + "2\r\n\r\nhi");
        CHECK(framing.body == "hi");
        auto const refused = read("HTTP/1.1 200 OK\r\nX-Folded: " + part + "\r\n " + part + "\x01\r\n\r\n");
        CHECK(refused.broken == fault::malformed);
    }
    CHECK(read("HTTP/1.1 200 OK\r\n X: " + std::string(5'000, 'x') + "\r\n y\r\n\r\n").broken == fault::malformed);
}

TEST_CASE("RFC 9112 section 2.2: the complaint about a header section quotes the status line that came before the fault"
)
{
    auto const after = ", after \"HTTP/1.1 201 Created\"";
    std::string const head = "HTTP/1.1 201 Created\r\nLocation: /x\r\n";
    CHECK(complaint_about(head + "no colon\r\n\r\n").ends_with(after));
    CHECK(complaint_about(head + ": nameless\r\n\r\n").ends_with(after));
    CHECK(complaint_about(head + "X : space\r\n\r\n").starts_with("not a header field: \"X : space"));
    CHECK(complaint_about(head + "X : space\r\n\r\n").ends_with(after));
    CHECK(complaint_about(head + "X: y\n") == std::string("a line ends without CR") + after);
    CHECK(
        complaint_about(head + "X: " + std::string(200, 'x'), limits_of(100)) ==
        std::string("more than config::limits.response_header (100 bytes)") + after
    );
    CHECK(complaint_about(head, limits_of(24)).ends_with(after));
    CHECK(complaint_about(head, limits_of(16)).ends_with(", after \"HTTP/1.1 201 Cre...\""));
    CHECK(complaint_about(head, limits_of(12)).ends_with("(12 bytes)"));

    auto const hostile = complaint_about("HTTP/1.1 201 \x1b[1m" + std::string(5'000, 'r') + "\r\nX: y\n");
    CHECK(hostile.size() < 200);
    CHECK(hostile.find('\x1b') == std::string::npos);
    // What has a head of its own says it with its status.
    CHECK(complaint_about("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n") == "Content-Length is not one number");
}

TEST_CASE("RFC 9110 section 2.5: a response of a higher minor version of HTTP/1 is read as one of HTTP/1.1")
{
    for (char const minor : {'2', '3', '9'})
        for (std::string_view const line : {" 200 X", " 200 ", " 200"})
        {
            CAPTURE(minor);
            CAPTURE(line);
            auto const start = std::string("HTTP/1.") + minor + std::string(line);
            auto const got = read(start + "\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nrest");
            CHECK(got.complaint == "");
            CHECK(got.status == 200);
            CHECK(got.body == "hi");
            CHECK(got.keep_alive);
            CHECK(!got.doubtful);
            CHECK(!read(start + "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").keep_alive);
            CHECK(complaint_about(start + "\r\nno colon\r\n\r\n").ends_with(", after \"" + start + '"'));
        }
    CHECK(read("HTTP/1.2 103 Early Hints\r\n\r\n").complete);
    CHECK(read("HTTP/2.0 200 OK\r\n\r\n").broken == fault::malformed);
    CHECK(read("HTTP/0.9 200 OK\r\n\r\n").broken == fault::malformed);
}

TEST_CASE("RFC 9112 section 4: a status line may lack its reason, and the space before it")
{
    for (std::string_view const line :
         {"HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.0 200", "HTTP/1.1 200  ", "HTTP/1.1 200 \t"})
    {
        CAPTURE(line);
        auto const got = read(std::string(line) + "\r\nContent-Length: 2\r\n\r\nhi");
        CHECK(got.complaint == "");
        CHECK(got.status == 200);
        CHECK(got.body == "hi");
        CHECK(read(std::string(line) + "\r\n\r\n").status == 200);
    }
}

TEST_CASE("RFC 9112 section 4: the complaint about a malformed status line calls it a status line")
{
    for (std::string_view const line :
         {std::string_view("HTTP/1.1 200 a\0b\r\n", 18), std::string_view("HTTP/1.1 200 \0\r\n", 16),
          std::string_view("HTTP/1.1 200 a\rb\r\n"), std::string_view("HTTP/1.1 200 OK\r\r\n"),
          std::string_view("HTTP/1.1 200\r\r\n"), std::string_view("HTTP/1.1 200 \r\r\n"),
          std::string_view("HTTP/1.1 200 OK\x7f\r\n"), std::string_view("HTTP/1.1 200 OK\n"),
          std::string_view("HTTP/1.1 200\n"), std::string_view("HTTP/1.2 200 a\rb\r\n"),
          std::string_view("HTTP/1.1 \r\n"), std::string_view("HTTP/1.1 20\r\n")})
    {
        auto const text = std::string(line) + "Content-Length: 2\r\n\r\nhi";
        CAPTURE(text);
        CHECK(read(text).broken == fault::malformed);
        auto const complaint = complaint_about(text);
        CAPTURE(complaint);
        CHECK(complaint.starts_with("not an HTTP/1 status line: \"" + std::string(line.substr(0, 9))));
        CHECK(complaint.find("header field") == std::string::npos);
    }
}

TEST_CASE("a complaint about bytes that are not HTTP quotes their first line only")
{
    CHECK(complaint_about("denied\r\nBearer abcdefgh") == "not an HTTP/1 status line: \"denied\\x0d\\x0a\"");
    CHECK(complaint_about("denied\nBearer abcdefgh") == "not an HTTP/1 status line: \"denied\\x0a\"");
    CHECK(complaint_about("denied: Bearer abcdefgh") == "not an HTTP/1 status line: \"denied: Bearer abcdefgh...\"");
}

TEST_CASE("RFC 9110 section 15: status codes of 600 and more are read, and those below 100 are malformed")
{
    for (int const status : {600, 601, 700, 999})
    {
        CAPTURE(status);
        auto const got =
            read("HTTP/1.1 " + std::to_string(status) + " Odd\r\nX-Request-Id: r\r\nContent-Length: 2\r\n\r\nhi");
        CHECK(got.complete);
        CHECK(got.head);
        CHECK(got.status == status);
        CHECK(got.body == "hi");
        CHECK(got.keep_alive);
    }
    for (std::string_view const code : {"000", "001", "099"})
    {
        CAPTURE(code);
        auto const complaint = complaint_about("HTTP/1.1 " + std::string(code) + " Odd\r\n\r\n");
        CHECK(complaint.starts_with("the status code "));
        CHECK(complaint.ends_with(" is below 100"));
    }
}

TEST_CASE("the beginning of an error response that is announced to be longer than the limit is kept")
{
    constexpr std::size_t kept = 64 * 1024;
    auto const of_length = [](std::string_view status) {
        return "HTTP/1.1 " + std::string(status) + " No\r\nContent-Length: 99999999999\r\n\r\n";
    };
    auto const of_chunks = [](std::string_view status) {
        return "HTTP/1.1 " + std::string(status) + " No\r\nTransfer-Encoding: chunked\r\n\r\n174876e7ff\r\n";
    };
    for (std::string_view const status : {"400", "404", "422", "499"})
        for (auto const& head : {of_length(status), of_chunks(status)})
        {
            CAPTURE(head);
            auto const begun = read(head + "{\"errors\":");
            CHECK(begun.broken == fault::none);
            CHECK(begun.head);
            CHECK(begun.body == "{\"errors\":");
            for (std::size_t const more : {0U, 1U, 70'000U})
            {
                auto const full = read(head + std::string(kept + more, 'x'), {head.size() + 1});
                CHECK(full.broken == fault::too_large);
                CHECK(full.body == std::string(kept, 'x'));
            }
            CHECK(read(head + std::string(kept - 1, 'x')).broken == fault::none);
            CHECK(read(head + "0123456789", {}, false, limits_of(1'024, 10)).broken == fault::too_large);
            CHECK(read(head + "0123456789", {}, false, limits_of(1'024, 10)).body == "0123456789");
            CHECK(read(head, {}, false, limits_of(1'024, 0)).broken == fault::too_large);
            CHECK(
                complaint_about(head + "0123456789", limits_of(1'024, 10)) ==
                "more than config::limits.response_body (10 bytes)"
            );
        }
    for (std::string_view const status : {"200", "201", "308"}) // their head is enough to know
        for (auto const& head : {of_length(status), of_chunks(status)})
        {
            CAPTURE(head);
            CHECK(read(head).broken == fault::too_large);
        }
    // More chunks than fit are the same.
    auto const chunks = "HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n01234567\r\n8\r\n89";
    CHECK(read(chunks, {}, false, limits_of(1'024, 10)).body == "0123456789");
    CHECK(read(chunks, {}, false, limits_of(1'024, 8)).body == "01234567");
    CHECK(read(chunks, {}, false, limits_of(1'024, 8)).broken == fault::too_large);
}

TEST_CASE("the body of a long response takes the memory of an earlier one that is done with")
{
    constexpr std::size_t size = 20'000;
    std::string earlier(2 * size, 'x');
    char const* const memory = earlier.data();
    net::spare_bodies spares;
    spares.give(std::move(earlier), 1);
    auto const limits = limits_of();
    net::response_reader reader(limits, spares);
    reader.put("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" + std::string(size, 'y'));
    REQUIRE(reader.complete());
    auto const response = reader.take();
    CHECK(response.body() == std::string(size, 'y'));
    CHECK(static_cast<void const*>(response.body().data()) == memory);
}

TEST_CASE(
    "of a line with two faults the first is told: what it says, its length, and last its bare LF (RFC 9112 section 2.2)"
)
{
    CHECK(read(chunked + "zz\n").complaint.starts_with("not a chunk size"));
    auto const line = "HTTP/1.1 200 OK\r\nX: " + std::string(1'000, 'x') + "\n";
    CHECK(read(line).broken == fault::malformed);
    CHECK(read(line, {}, false, limits_of(500)).broken == fault::too_large);
}
