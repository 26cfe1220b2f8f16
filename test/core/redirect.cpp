#include "core/redirect.hpp"

#include "printers.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace core = ccloud::core;
using ccloud::method;
using ccloud::origin;

namespace {

origin const here(true, "api.example.test", 443);

std::string target_of(std::string_view location, origin const& from = here, std::string_view target = "/b/c/d;p?q")
{
    auto const next = core::follow(location, location, from, target);
    CHECK(next.refusal == "");
    return next.target;
}

std::string refusal_of(std::string_view location, origin const& from = here, std::string_view target = "/b/c/d;p?q")
{
    auto const next = core::follow(location, location, from, target);
    CHECK(next.target == "");
    CHECK(next.refusal != "");
    return next.refusal;
}

bool says(std::string const& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("307 and 308 send any request elsewhere, 301 and 302 a GET alone, and nothing else does")
{
    for (auto const verb : {method::get, method::post, method::patch, method::put, method::del})
        for (int status = -1; status < 1000; ++status)
        {
            bool const any = status == 307 || status == 308;
            bool const get_alone = status == 301 || status == 302;
            if (core::is_redirect(status, verb) != (any || (get_alone && verb == method::get)))
                FAIL(ccloud::to_string(verb) << ' ' << status);
        }
}

TEST_CASE("a reference is resolved as RFC 3986 section 5.4 has it")
{
    struct row
    {
        std::string_view location, target;
    };
    for (auto const& [location, target] : {
             // 5.4.1: normal examples
             row{"g", "/b/c/g"},
             row{"./g", "/b/c/g"},
             row{"g/", "/b/c/g/"},
             row{"/g", "/g"},
             row{"?y", "/b/c/d;p?y"},
             row{"g?y", "/b/c/g?y"},
             row{"g#s", "/b/c/g"},
             row{"g?y#s", "/b/c/g?y"},
             row{";x", "/b/c/;x"},
             row{"g;x", "/b/c/g;x"},
             row{"g;x?y#s", "/b/c/g;x?y"},
             row{".", "/b/c/"},
             row{"./", "/b/c/"},
             row{"..", "/b/"},
             row{"../", "/b/"},
             row{"../g", "/b/g"},
             row{"../..", "/"},
             row{"../../", "/"},
             row{"../../g", "/g"},
             // 5.4.2: abnormal examples
             row{"../../../g", "/g"},
             row{"../../../../g", "/g"},
             row{"/./g", "/g"},
             row{"/../g", "/g"},
             row{"g.", "/b/c/g."},
             row{".g", "/b/c/.g"},
             row{"g..", "/b/c/g.."},
             row{"..g", "/b/c/..g"},
             row{"./../g", "/b/g"},
             row{"./g/.", "/b/c/g/"},
             row{"g/./h", "/b/c/g/h"},
             row{"g/../h", "/b/c/h"},
             row{"g;x=1/./y", "/b/c/g;x=1/y"},
             row{"g;x=1/../y", "/b/c/y"},
             row{"g?y/./x", "/b/c/g?y/./x"},
             row{"g?y/../x", "/b/c/g?y/../x"},
             row{"g#s/./x", "/b/c/g"},
             row{"g#s/../x", "/b/c/g"},
             // further ones
             row{"/", "/"},
             row{"/.", "/"},
             row{"/..", "/"},
             row{"/a/b/..", "/a/"},
             row{"/a/b/../", "/a/"},
             row{"/a/b/.", "/a/b/"},
             row{"/a/./b/../../c", "/c"},
             row{"/a//b", "/a//b"},
             row{"/a//../b", "/a/b"},
             row{"/a//", "/a//"},
             row{"/a/b//", "/a/b//"},
             row{"/a?", "/a?"},
             row{"?", "/b/c/d;p?"},
             row{"/a?b?c", "/a?b?c"},
             row{"/a?b/../c", "/a?b/../c"},
             row{"/a?u=https://evil.example/", "/a?u=https://evil.example/"},
             row{"/a:b", "/a:b"},
             row{"./a:b", "/b/c/a:b"},
             row{"?a:b", "/b/c/d;p?a:b"},
             row{"/%2e%2e/a%20b", "/%2e%2e/a%20b"},
             row{"/a@b", "/a@b"},
             row{"...", "/b/c/..."},
             row{"/.../a", "/.../a"},
         })
    {
        CAPTURE(location);
        CHECK(target_of(location) == target);
    }
}

TEST_CASE("the base of a reference is the path of the request, whatever its query holds")
{
    CHECK(target_of("g", here, "/") == "/g");
    CHECK(target_of("..", here, "/") == "/");
    CHECK(target_of("g", here, "/a?x=/y/z") == "/g");
    CHECK(target_of("?y", here, "/a?x") == "/a?y");
    CHECK(target_of("g", here, "/a/") == "/a/g");
    CHECK(target_of("../v3/things", here, "/api/iam/v2/things?page_token=x") == "/api/iam/v3/things");
}

TEST_CASE("an absolute reference to the same origin is followed, however it is spelled")
{
    struct row
    {
        std::string_view location, target;
    };
    for (auto const& [location, target] : {
             row{"https://api.example.test/a/b?c=d", "/a/b?c=d"},
             row{"https://api.example.test:443/a", "/a"},
             row{"https://api.example.test:0443/a", "/a"},
             row{"HTTPS://API.Example.TEST/a", "/a"},
             row{"https://api.example.test", "/"},
             row{"https://api.example.test/", "/"},
             row{"https://api.example.test?q", "/?q"},
             row{"https://api.example.test?q/r", "/?q/r"},
             row{"https://api.example.test#f", "/"},
             row{"https://api.example.test/a#f?g", "/a"},
             row{"https://api.example.test/a/../../b/./c", "/b/c"},
             row{"https://api.example.test//evil.example/a", "//evil.example/a"},
             row{"https://api.example.test/a?b=https://evil.example", "/a?b=https://evil.example"},
             row{"https://api.example.test/a@evil.example", "/a@evil.example"},
             row{"https://api.example.test?@evil.example", "/?@evil.example"},
             row{"//api.example.test/a", "/a"},
             row{"//API.EXAMPLE.TEST:443/a", "/a"},
             row{"//api.example.test", "/"},
             row{"//api.example.test?q", "/?q"},
         })
    {
        CAPTURE(location);
        CHECK(target_of(location) == target);
    }
    origin const other_port(true, "api.example.test", 8443);
    CHECK(target_of("https://api.example.test:8443/a", other_port) == "/a");
    CHECK(target_of("//api.example.test:8443/a", other_port) == "/a");
    origin const plain(false, "localhost", 8080);
    CHECK(target_of("http://localhost:8080/a", plain) == "/a");
    CHECK(target_of("//localhost:8080/a", plain) == "/a");
    CHECK(target_of("http://127.0.0.1/a", origin(false, "127.0.0.1", 80)) == "/a");
    CHECK(target_of("https://[::1]/a", origin(true, "::1", 443)) == "/a");
    CHECK(target_of("https://[2001:DB8::1]:8443/a", origin(true, "2001:db8::1", 8443)) == "/a");
}

TEST_CASE("another origin is refused by its name, and so is where the credentials stay")
{
    struct row
    {
        std::string_view location, name;
    };
    for (auto const& [location, name] : {
             row{"https://evil.example/path?query", "https://evil.example"},
             row{"https://EVIL.example:8443/path", "https://evil.example:8443"},
             row{"https://api.example.test:8443/path", "https://api.example.test:8443"},
             row{"http://api.example.test/path", "http://api.example.test"},
             row{"http://api.example.test:443/path", "http://api.example.test:443"},
             row{"//evil.example/path", "https://evil.example"},
             row{"//evil.example", "https://evil.example"},
             row{"//evil.example?query", "https://evil.example"},
             row{"https://api.example.test.evil.example/", "https://api.example.test.evil.example"},
             row{"https://example.test/", "https://example.test"},
             row{"https://api.example.test./path", "https://api.example.test."},
             row{"https://192.0.2.1/path", "https://192.0.2.1"},
             row{"https://[2001:db8::1]/path", "https://[2001:db8::1]"},
         })
    {
        CAPTURE(location);
        auto const why = refusal_of(location);
        CAPTURE(why);
        CHECK(says(why, "another origin, " + std::string(name) + ";"));
        CHECK(says(why, "stay with https://api.example.test"));
        CHECK(!says(why, "path"));
        CHECK(!says(why, "query"));
    }
    origin const plain(false, "localhost", 8080);
    CHECK(says(refusal_of("//localhost/a", plain), "another origin, http://localhost;"));
    CHECK(says(refusal_of("https://localhost:8080/a", plain), "another origin, https://localhost:8080;"));
    CHECK(says(refusal_of("http://127.0.0.1:8080/a", plain), "another origin, http://127.0.0.1:8080;"));
}

TEST_CASE("a Location that names no place is refused")
{
    for (std::string_view const location : {"", "#", "#frag", "#/a?b"})
    {
        CAPTURE(location);
        auto const why = refusal_of(location);
        CAPTURE(why);
        CHECK(says(why, "where to"));
        CHECK(!says(why, "another origin"));
    }
}

TEST_CASE("what cannot be an origin is refused, and so is a first segment with a colon, for it reads like a scheme")
{
    for (std::string_view const location :
         {"https:",
          "https:/a",
          "https:a",
          "https://",
          "https:///a",
          "https://?q",
          "https://?",
          "https:///?q",
          "///a",
          "//",
          "//?q",
          "//:443/a",
          "https://api.example.test:/a",
          "https://api.example.test:0/a",
          "https://api.example.test:65536/a",
          "https://api.example.test:443x/a",
          "https://api.example.test:-443/a",
          "https://api.example.test\\@evil.example/a",
          "https://api example.test/a",
          "https://api.example.test\t/a",
          "https://api%2eexample.test/a",
          "https://\xc3\xa4.example/a",
          "https://[::1/a",
          "https://[api.example.test]/a",
          "ftp://api.example.test/a",
          "javascript:alert(1)",
          "mailto:a@b.example",
          "urn:x",
          "a:b",
          "1:2"})
    {
        CAPTURE(location);
        auto const why = refusal_of(location);
        CAPTURE(why);
        CHECK((says(why, "no place") || says(why, "cannot stand")));
    }
}

TEST_CASE("a scheme without an authority names no origin, even where its path looks like one")
{
    for (std::string_view const location : {"https:a//api.example.test/b", "https:/a//api.example.test/b"})
    {
        CAPTURE(location);
        CHECK(says(refusal_of(location), "no place"));
    }
}

TEST_CASE("what cannot stand in a request line is refused, whether it comes with an origin or without")
{
    std::vector<std::string> bad;
    for (int byte = 0; byte <= 0x20; ++byte)
        bad.push_back(std::string("/a") + static_cast<char>(byte) + "b");
    bad.push_back("/a\x7f");
    bad.push_back("/a b");
    bad.push_back("/a?b c");
    bad.push_back("/\xc3\xa4");
    bad.push_back("/a\xff");
    bad.push_back("/a?\x80");
    bad.push_back("/\\evil.example");
    bad.push_back("/a%zz");
    bad.push_back("/a?b=%");
    bad.push_back("/<a>");
    bad.push_back("/a\r\nX-Injected: y");
    bad.push_back("/a\r\n\r\nGET /b HTTP/1.1");
    for (auto const& path : bad)
        for (std::string_view const site : {"", "https://api.example.test", "//api.example.test", "x"})
        {
            CAPTURE(path);
            CAPTURE(site);
            auto const why = refusal_of(std::string(site) + path);
            CAPTURE(why);
            CHECK(says(why, "cannot stand"));
            CHECK(!says(why, "Injected"));
            CHECK(why.find_first_of("\r\n") == std::string::npos);
        }
}

TEST_CASE("a refusal is one line of visible characters, whatever the server sent")
{
    for (int byte = 0; byte < 256; ++byte)
        for (std::string_view const form : {"https://a?.example/x", "?:x", "ftp://?/x", "https://api.example.test:?/"})
        {
            std::string location(form);
            location[location.find('?')] = static_cast<char>(byte);
            auto const next = core::follow(location, location, here, "/a");
            for (char const c : next.refusal)
                if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
                    FAIL("control character " << int(c) << " for byte " << byte);
            CHECK(next.target.empty() != next.refusal.empty());
        }
}

TEST_CASE("a refusal shows neither user nor password, however the authority is broken")
{
    for (std::string_view const location :
         {"https://alice:hunter2@api.example.test/a", "https://hunter2@api.example.test/a",
          "//alice:hunter2@api.example.test/a", "https://alice:hunter2@evil.example/a",
          "https://alice:hun@ter2@api.example.test/a", "https://alice:@hunter2@api.example.test/",
          "https:alice:hunter2@api.example.test", "https://alice:hunter2@", "https://alice:hunter2@[::1/a",
          "ftp://alice:hunter2@api.example.test/a",
          // A "/", "?" or "#" that nobody encoded ends the authority early.
          "https://alice:hunter2/x@api.example.test/a", "https://alice:hunter2?x@api.example.test/a",
          "https://alice:hunter2#x@api.example.test/a"})
    {
        CAPTURE(location);
        auto const why = refusal_of(location);
        CAPTURE(why);
        CHECK(!says(why, "hunter2"));
        CHECK(!says(why, "alice"));
    }
}

TEST_CASE("a refusal shows no query")
{
    for (std::string_view const location :
         {"https://evil.example/a?hunter2", "https://evil.example?hunter2", "ftp://evil.example?hunter2",
          "https:/a?hunter2", "https:?hunter2", "mailto:a?hunter2", "a:b?hunter2", "a:?hunter2//b",
          "https://[::1?hunter2", "//?hunter2"})
    {
        CAPTURE(location);
        auto const why = refusal_of(location);
        CAPTURE(why);
        CHECK(!says(why, "hunter2"));
    }
}

TEST_CASE("a Location of any length is read, and what is said of it stays short")
{
    constexpr std::size_t huge = 60 * 1024;
    auto const path = "/" + std::string(huge, 'a');
    CHECK((target_of(path) == path));
    CHECK((target_of("https://api.example.test" + path) == path));
    std::string dots;
    for (std::size_t i = 0; i < huge / 3; ++i)
        dots += "/..";
    CHECK(target_of(dots + "/g") == "/g");
    std::string climb;
    for (std::size_t i = 0; i < huge / 5; ++i)
        climb += "/a/..";
    CHECK(target_of(climb) == "/");
    CHECK(target_of(std::string(huge, '/').insert(0, "/a")).size() == huge + 2);

    constexpr std::size_t enough = 600;
    CHECK(refusal_of("https://" + std::string(huge, 'a') + "/").size() < enough);
    CHECK(refusal_of("ftp://" + std::string(huge, 'a') + "/").size() < enough);
    CHECK(refusal_of("https://api.example.test:" + std::string(huge, '1')).size() < enough);
    CHECK(refusal_of("/" + std::string(huge, ' ') + "a").size() < enough);
    CHECK(refusal_of(std::string(huge, 'a') + ":").size() < enough);
}
