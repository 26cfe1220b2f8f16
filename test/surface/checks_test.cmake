# The plain-text checks have to find what is planted, with file and line where it has one, and nothing else.
#   cmake -DWORK=<scratch directory> -P checks_test.cmake
cmake_minimum_required(VERSION 3.23)

set(failures 0)

function(plant path text)
    file(WRITE "${WORK}/${path}" "${text}")
endfunction()

# Runs a check over what was planted; `ARGN`: the complaints it has to make, all of them.
function(expect check)
    execute_process(
        COMMAND "${CMAKE_COMMAND}" "-DROOT=${WORK}" -P "${CMAKE_CURRENT_LIST_DIR}/${check}.cmake"
        RESULT_VARIABLE status
        OUTPUT_VARIABLE output
        ERROR_VARIABLE output
    )
    foreach(complaint IN LISTS ARGN)
        string(FIND "${output}" "${complaint}" at)
        if(at EQUAL -1)
            message("${check} did not say: ${complaint}")
            math(EXPR failures "${failures} + 1")
        endif()
    endforeach()
    list(LENGTH ARGN wanted)
    string(REGEX MATCHALL "[a-zA-Z_/]+\\.(hpp|cpp|md):[0-9]+: |no test names " said "${output}")
    list(LENGTH said said)
    if(NOT said EQUAL wanted OR (wanted EQUAL 0 AND NOT status EQUAL 0) OR (wanted GREATER 0 AND status EQUAL 0))
        message("${check}: ${said} complaints instead of ${wanted}, status ${status}\n${output}")
        math(EXPR failures "${failures} + 1")
    endif()
    set(failures ${failures} PARENT_SCOPE)
    file(REMOVE_RECURSE "${WORK}")
endfunction()

# The check of the table of supported systems. `boost`: the row of the table; `ARGN`: all the complaints.
function(expect_systems boost)
    plant(README.md "| system | Debian 12, Debian 13 | Linux |\n| compiler | GCC 12.2, GCC 14.2, Clang 16 | C++20 |
| Boost | ${boost} | 1.81 or later |\n| OpenSSL | 3.0, 3.5 | 3.0 |\n| CMake | 3.25 | 3.23 |\n| doctest | 2.4 | |\n")
    file(READ "${WORK}/README.md" text)
    plant(README.md "# Support\n${text}")
    plant(12 "system Debian 12\ncompiler GCC 12.2\nBoost 1.81\nOpenSSL 3.0\nCMake 3.25\ndoctest 2.4\n")
    plant(13 "system Debian 13\ncompiler GCC 14.2\nBoost 1.83\nOpenSSL 3.5\nCMake 3.25\ndoctest 2.4\n")
    execute_process(
        COMMAND
            "${CMAKE_COMMAND}" "-DROOT=${WORK}" "-DTESTED=${WORK}/12;${WORK}/13" -DCLANG=16
            -P "${CMAKE_CURRENT_LIST_DIR}/supported_systems.cmake"
        RESULT_VARIABLE status
        OUTPUT_VARIABLE output
        ERROR_VARIABLE output
    )
    string(REGEX MATCHALL "README\\.md: [^\n]*" complaints "${output}")
    if(NOT complaints STREQUAL "${ARGN}" OR (ARGC EQUAL 1 AND NOT status EQUAL 0) OR (ARGC GREATER 1 AND status EQUAL 0))
        message("supported_systems, Boost ${boost}: status ${status}\n${output}")
        math(EXPR failures "${failures} + 1")
    endif()
    set(failures ${failures} PARENT_SCOPE)
    file(REMOVE_RECURSE "${WORK}")
endfunction()

file(REMOVE_RECURSE "${WORK}")

# Layers: a small house in order.
plant(include/ccloud/http.hpp "#include <string>\n// #include <boost/json.hpp>\n/*\n#include <boost/asio.hpp>\n*/\n")
plant(include/ccloud/client.hpp "#include <ccloud/http.hpp>\n#include <boost/asio/any_io_executor.hpp>\n")
plant(include/ccloud/iam/things.hpp "#include <ccloud/client.hpp>\n")
plant(include/ccloud/ccloud.hpp "#include <ccloud/client.hpp>\n#include <ccloud/http.hpp>\n#include <ccloud/iam/things.hpp>\n")
plant(include/ccloud/testing/run.hpp "#include <boost/asio/awaitable.hpp>\n")
plant(src/client.cpp "#include <ccloud/client.hpp>\n\n#include \"call.hpp\"\n#include \"net/factory.hpp\"\n\n#include <boost/asio/co_spawn.hpp>\n")
plant(src/call.hpp "#include \"core/codec.hpp\"\n#include \"auth/source.hpp\"\n")
plant(src/core/codec.hpp "#include <ccloud/http.hpp>\n\n#include <boost/json/basic_parser.hpp>\n")
plant(src/core/codec.cpp "#include \"codec.hpp\"\n#include \"core/codec.hpp\"\n\nchar const* text = \"getenv\";\n")
file(READ "${WORK}/src/core/codec.cpp" text)
string(REPLACE "\"getenv\"" "R\"(getenv)\"" text "${text}")
plant(src/core/codec.cpp "${text}")
plant(src/iam/things.cpp "#include <ccloud/iam/things.hpp>\n\n#include \"call.hpp\"\n#include \"core/writer.hpp\"\n#include \"iam/things_json.hpp\"\n")
plant(src/iam/things_json.hpp "#include <ccloud/iam/things.hpp>\n\n#include \"core/codec.hpp\"\n\n#include <boost/describe/class.hpp>\n")
plant(src/net/factory.hpp "#include <ccloud/transport.hpp>\n")
plant(src/net/tls.cpp "#include \"net/factory.hpp\"\n#include <boost/asio/ssl.hpp>\n#include <boost/beast/core.hpp>\n#include <openssl/ssl.h>\n")
plant(src/testing/run.cpp "#include <ccloud/testing/run.hpp>\n#include \"core/timer_queue.hpp\"\n#include <boost/asio/io_context.hpp>\n")
plant(src/testing/simulator_main.cpp "#include <boost/beast/http.hpp>\n#include <csignal>\n#include <openssl/x509.h>\n")
expect(layers)

# And one violation of each rule.
plant(include/ccloud/http.hpp "#include <string>\n#include <boost/json/value.hpp>\n#include <ccloud/operation.hpp>\n")
plant(include/ccloud/operation.hpp "#include <boost/asio/co_spawn.hpp>\n")
plant(include/ccloud/client.hpp "\n\n#  include <boost/asio/io_context.hpp>\n#include <ccloud/iam/things.hpp>\n")
plant(include/ccloud/iam/things.hpp "#include <ccloud/networking/others.hpp>\n")
plant(include/ccloud/networking/others.hpp "#include <boost/beast/core.hpp>\n")
plant(include/ccloud/testing/run.hpp "#include <ccloud/client.hpp>\n")
plant(include/ccloud/ccloud.hpp "#include <ccloud/client.hpp>\n#include <ccloud/http.hpp>\n#include <ccloud/iam/things.hpp>\n#include <ccloud/operation.hpp>\n")
plant(include/ccloud/stray.hpp "#include <string>\n")
plant(src/call.hpp "#include \"net/factory.hpp\"\n#include <boost/asio/ssl.hpp>\n")
plant(src/client.cpp "#include \"net/connection.hpp\"\n")
plant(src/core/clock.cpp "#include <chrono>\nauto now() { return std::chrono::steady_clock::now(); }\n#include <boost/asio/awaitable.hpp>\n#include <ccloud/transport.hpp>\n")
plant(src/iam/things.cpp "#include <ccloud/iam/things.hpp>\n#include <ccloud/networking/others.hpp>\n#include <boost/json.hpp>\n#include \"core/cursor.hpp\"\n")
plant(src/iam/things_json.hpp "#include <ccloud/iam/things.hpp>\n#include \"call.hpp\"\n")
plant(src/auth/source.cpp "#include \"call.hpp\"\n")
plant(src/net/tls.cpp "#include <ccloud/client.hpp>\nvoid f() { SSL_CTX_set_default_verify_paths(c); g(std::getenv(\"X\")); }\n")
plant(src/testing/run.cpp "#include \"core/codec.hpp\"\n#include <boost/asio/ssl/stream.hpp>\n")
plant(src/testing/simulator.cpp "#include \"core/timer_queue.hpp\"\n#include <ccloud/client.hpp>\n")
expect(
    layers
    "include/ccloud/ccloud.hpp:1: does not include <ccloud/networking/others.hpp>"
    "include/ccloud/ccloud.hpp:1: does not include <ccloud/stray.hpp>"
    "include/ccloud/client.hpp:3: room shell may not include boost/asio/io_context.hpp"
    "include/ccloud/client.hpp:4: room shell may not include ccloud/iam/things.hpp"
    "include/ccloud/http.hpp:2: room words may not include boost/json/value.hpp"
    "include/ccloud/http.hpp:3: room words may not include ccloud/operation.hpp"
    "include/ccloud/iam/things.hpp:1: room collections may not include ccloud/networking/others.hpp"
    "include/ccloud/networking/others.hpp:1: room collections may not include boost/beast/core.hpp"
    "include/ccloud/operation.hpp:1: room door may not include boost/asio/co_spawn.hpp"
    "include/ccloud/stray.hpp:1: belongs to no room"
    "include/ccloud/testing/run.hpp:1: room testing may not include ccloud/client.hpp"
    "src/auth/source.cpp:1: room auth may not include call.hpp"
    "src/call.hpp:1: room shell may not include net/factory.hpp"
    "src/call.hpp:2: room shell may not include boost/asio/ssl.hpp"
    "src/client.cpp:1: room shell may not include net/connection.hpp"
    "src/core/clock.cpp:2: room core may not say steady_clock::now"
    "src/core/clock.cpp:3: room core may not include boost/asio/awaitable.hpp"
    "src/core/clock.cpp:4: room core may not include ccloud/transport.hpp"
    "src/iam/things.cpp:2: room collections may not include ccloud/networking/others.hpp"
    "src/iam/things.cpp:3: room collections may not include boost/json.hpp"
    "src/iam/things.cpp:4: room collections may not include core/cursor.hpp"
    "src/iam/things_json.hpp:2: room collections may not include call.hpp"
    "src/net/tls.cpp:1: room net may not include ccloud/client.hpp"
    "src/net/tls.cpp:2: room net may not say SSL_CTX_set_default_verify"
    "src/net/tls.cpp:2: room net may not say getenv"
    "src/net/tls.cpp:2: room net may not say set_default_verify_paths"
    "src/testing/run.cpp:1: room testing may not include core/codec.hpp"
    "src/testing/run.cpp:2: room testing may not include boost/asio/ssl/stream.hpp"
    "src/testing/simulator.cpp:1: room simulator may not include core/timer_queue.hpp"
    "src/testing/simulator.cpp:2: room simulator may not include ccloud/client.hpp"
)

# Await lint: what is safe.
plant(src/fine.cpp [==[
/* if (co_await f()) */
// while (co_await f())
char const* text = "if (co_await f()) ? \" '";
char const* raw = R"x(
while (co_await f()) { }
)x";
asio::awaitable<void> g()
{
    int const thousand = 1'000;
    if (auto r = co_await f())
        use('?', '"', '\'');
    while (auto x = co_await or_throw(all.next()))
        use(x);
    if (auto const made = co_await f(1,
                                     2); !made)
        co_return;
    bool const more = thousand > 1 ? true : false;
    while (more)
    {
        co_await f();
    }
    if (not_co_await(1))
        co_return;
    if (auto r = co_await f(g(1)))
        use(r ? 1 : 2);
    for (auto const& [key, value] : fields)
        co_await f(key, value);
    for (auto const& [key, value] : fields)
    {
        co_await f(key, value);
    }
    co_await f([](int x) { return x > 0 ? x : -x; }, g(1));
    co_await f([](int x) -> int { return x > 0 ? x : -x; }, g(1));
    co_await f([=](int x) mutable noexcept -> std::pair<int, T const&> { return x > 0 ? a : b; });
    co_await f([] -> ns::type* { return x > 0 ? a : b; });
    co_await f([]<class T>(T x) requires std::integral<T> { return x > 0 ? x : -x; });
    auto const later = [x](int y) -> awaitable<int> { co_return y; };
    co_await f({.retry = none(), .timeout = 5s});
    auto const chosen = more ? T{1} : T{2};
    co_await f(chosen);
    if (more)
        co_await f(1);
    else
        use(more ? 1 : 2);
}
]==])
plant(README.md "Never write `if (co_await f())`.\n```sh\nwhile (co_await x)\n```\n```cpp\nif (auto r = co_await f()) {}\n```\n")
expect(await_lint)

# And what is not.
plant(src/wrong.cpp [==[
asio::awaitable<void> g()
{
    if (co_await f())
        co_return;
    while (!(co_await f(h(1))))
        ;
    switch(co_await f()) {}
    if (ready() &&
        co_await f())
        co_return;
    if (x = co_await f())
        co_return;
    if constexpr (true)
        while ( co_await session{} )
            ;
    auto a = yes ? co_await f() : 0;
    auto b = co_await f(yes
                            ? 1 : 2);
    auto [c, d] = co_await f();
    auto const& [e, h] = *
        co_await f();
    co_await f(1, g(yes ? T(1) : T(2)));
    co_await f({.retry = yes ? a : b, .timeout = 5s});
    auto i = or_throw(co_await f(options{.x = 1}, std::vector<int>{yes ? 1 : 2}));
    auto j = yes ? T{1} : co_await f();
    for (auto k = co_await f(yes ? 1 : 2); k;)
        ;
    co_await f([](int x) -> int { return x; }, yes ? T(1) : T(2));
    co_await f([=](int x) mutable noexcept -> std::pair<int, T const&> { return {x, x}; }, yes ? 1 : 2);
    co_await f([] -> ns::type* { return nullptr; }, yes ? 1 : 2);
    auto l = yes ? g([](int x) -> decltype(x) { return x; }, co_await f()) : 0;
    co_await f(T(1), std::vector<int>{yes ? 1 : 2});
    co_await f(p->list, std::function<int(int)>{yes ? g : h});
    auto& [l, m]{co_await f()};
    auto const& [n, o](
        co_await f());
}
]==])
plant(test/some.cpp "/*\n\n*/ void f() { if (co_await f()) {} }\n")
plant(README.md "text\n\n```cpp\nauto x = 1;\nif (co_await f()) {}\n```\nmore\n```cpp\nauto y = co_await f() ? 1 : 2;\n```\n")
expect(
    await_lint
    "src/wrong.cpp:3: co_await in a condition"
    "src/wrong.cpp:5: co_await in a condition"
    "src/wrong.cpp:7: co_await in a condition"
    "src/wrong.cpp:8: co_await in a condition"
    "src/wrong.cpp:11: co_await in a condition"
    "src/wrong.cpp:14: co_await in a condition"
    "src/wrong.cpp:16: co_await in a statement with ?:"
    "src/wrong.cpp:17: co_await in a statement with ?:"
    "src/wrong.cpp:19: co_await in a structured binding"
    "src/wrong.cpp:20: co_await in a structured binding"
    "src/wrong.cpp:22: co_await in a statement with ?:"
    "src/wrong.cpp:23: co_await in a statement with ?:"
    "src/wrong.cpp:24: co_await in a statement with ?:"
    "src/wrong.cpp:25: co_await in a statement with ?:"
    "src/wrong.cpp:26: co_await in a statement with ?:"
    "src/wrong.cpp:28: co_await in a statement with ?:"
    "src/wrong.cpp:29: co_await in a statement with ?:"
    "src/wrong.cpp:30: co_await in a statement with ?:"
    "src/wrong.cpp:31: co_await in a statement with ?:"
    "src/wrong.cpp:32: co_await in a statement with ?:"
    "src/wrong.cpp:33: co_await in a statement with ?:"
    "src/wrong.cpp:34: co_await in a structured binding"
    "src/wrong.cpp:35: co_await in a structured binding"
    "test/some.cpp:3: co_await in a condition"
    "README.md:5: co_await in a condition"
    "README.md:9: co_await in a statement with ?:"
)

# The same for users: scripts/await-lint with files and folders of their own, and the programs in `search_path`.
find_program(BASH bash REQUIRED)
set(search_path "$ENV{PATH}")
function(expect_lint status wanted)
    execute_process(
        COMMAND "${CMAKE_COMMAND}" -E env "PATH=${search_path}"
                "${BASH}" "${CMAKE_CURRENT_LIST_DIR}/../../scripts/await-lint" ${ARGN}
        WORKING_DIRECTORY "${WORK}"
        RESULT_VARIABLE result
        OUTPUT_VARIABLE output
        ERROR_VARIABLE output
    )
    if(NOT result STREQUAL status OR NOT output MATCHES "${wanted}")
        message("await-lint ${ARGN}: status ${result} instead of ${status}, no \"${wanted}\" in\n${output}")
        math(EXPR failures "${failures} + 1")
        set(failures ${failures} PARENT_SCOPE)
    endif()
endfunction()
set(remedy "[(]name the (value|result) first; see \"GCC 12\" in the README of ccloud[)]\n")
plant(mine/good.cpp "void f() { auto a = co_await g(x); if (a) { h(y ? 1 : 2); } }\n")
plant(mine/deep/good.hpp "// co_await f(x ? 1 : 2)\n")
plant("my other/wrong.cc" "void f()\n{\n    co_await g(x ? A(1) : A(2));\n}\n")
plant(guide.md "```cpp\nif (co_await f()) {}\n```\n")
plant(text.md "co_await\n")
expect_lint(0 "^$" mine)
expect_lint(0 "^$" mine/good.cpp mine/deep)
expect_lint(1 "^[^\n]*/my other/wrong.cc:3: co_await in a statement with [?]: ${remedy}$" mine "my other")
expect_lint(1 "^[^\n]*/guide.md:2: co_await in a condition that declares no variable ${remedy}$" guide.md mine/good.cpp)
expect_lint(0 "^$" text.md)
expect_lint(2 "missing does not exist" mine missing)
expect_lint(2 "usage: await-lint")
expect_lint(2 "usage: await-lint" --unknown)
expect_lint(0 "usage: await-lint.*FILE:LINE" --help)

# Findings come in the order of the lines, of the files that are named, each once.
plant(order.cpp "auto [a, b] = co_await f();\nauto c = x ? 1 : co_await f();\nif (co_await f()) {}\nco_await f(x ? 1 : 2);\n")
set(at "[^\n]*/order.cpp")
expect_lint(
    1 "^${at}:1: [^\n]* structured binding ${remedy}${at}:2: [^\n]*\n${at}:3: [^\n]*\n${at}:4: [^\n]*\n$" order.cpp ./order.cpp
)
string(REPEAT "\n" 98 lines)
plant(order.cpp "\nco_await f(x ? 1 : 2);${lines}if (co_await f()) {}\n")
expect_lint(1 "^${at}:2: [^\n]*\n${at}:100: [^\n]*\n$" order.cpp)

# A path is taken as it is, whatever its characters mean to CMake, to the shell or in a pattern.
set(wrong "co_await g(x ? A(1) : A(2));\n")
foreach(name IN ITEMS "[half" "half]" "a*b?" "$x" "\"quoted\"" "two  blanks" "#" "(x)" "é")
    plant("odd/${name}.cpp" "${wrong}")
    plant("odd/folder ${name}/good.cpp" "${wrong}")
endforeach()
plant("odd/a;b.cpp" "${wrong}")
plant("odd/c;d/some.cpp" "${wrong}")
string(REPEAT "[^\n]*/odd/[^\n]*[.]cpp:1: [^\n]*\n" 20 all)
expect_lint(1 "^${all}$" odd)
execute_process(
    COMMAND "${BASH}" -c [==["$0" odd/*]==] "${CMAKE_CURRENT_LIST_DIR}/../../scripts/await-lint"
    WORKING_DIRECTORY "${WORK}"
    OUTPUT_VARIABLE output
    ERROR_VARIABLE output
)
if(NOT output MATCHES "^${all}$")
    message("await-lint odd/*: does not find all in\n${output}")
    math(EXPR failures "${failures} + 1")
endif()

# Symbolic links to files are sources, unless the target is missing. A file that is found twice is read once.
plant(links/target.txt "${wrong}")
plant(links/sources/good.cpp "int main() {}\n")
file(CREATE_LINK "${WORK}/links/target.txt" "${WORK}/links/sources/a.cpp" SYMBOLIC)
file(CREATE_LINK "${WORK}/links/target.txt" "${WORK}/links/sources/b.cpp" SYMBOLIC)
file(CREATE_LINK "${WORK}/links/none" "${WORK}/links/sources/c.cpp" SYMBOLIC)
file(CREATE_LINK "${WORK}/links/sources" "${WORK}/links/folder" SYMBOLIC)
expect_lint(1 "^[^\n]*/target.txt:1: [^\n]*\n$" links/sources links/folder)

# Build trees and what CMake downloaded are no sources, unless they are named.
plant(project/main.cpp "int main() {}\n")
plant(project/build/out/CMakeCache.txt "")
plant(project/build/out/deep/generated.cpp "${wrong}")
plant(project/_deps/ccloud-src/some.cpp "${wrong}")
expect_lint(0 "^$" project)
expect_lint(1 "^[^\n]*/generated.cpp:1: [^\n]*\n$" project project/build/out)
expect_lint(1 "^[^\n]*/ccloud-src/some.cpp:1: [^\n]*\n$" project/_deps)
plant(project/CMakeCache.txt "")
expect_lint(0 "^$" project)
plant(project/wrong.cpp "${wrong}")
expect_lint(1 "^[^\n]*/project/wrong.cpp:1: [^\n]*\n$" project)

# What keeps it from reading the sources is no finding.
file(MAKE_DIRECTORY "${WORK}/empty")
expect_lint(2 "no C[+][+] files" empty)
expect_lint(2 "no C[+][+] files" empty project/build)
plant(tools/cmake "#!/bin/sh\necho 'CMake Error at /x/await_lint.cmake:9 (cmake_minimum_required):' >&2\necho '  CMake 3.23 or higher is required.' >&2\nexit 1\n")
file(CHMOD "${WORK}/tools/cmake" PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
set(search_path "${WORK}/tools:$ENV{PATH}")
expect_lint(2 "CMake 3.23 or higher is required" mine)
expect_lint(2 "CMake 3.23 or higher is required" "my other")
plant(tools/cmake "#!/bin/sh\necho '/x/some.cpp:1: co_await in a condition' >&2\nkill -9 $$\n")
expect_lint(2 "/x/some.cpp:1: co_await in a condition" mine)
file(REMOVE "${WORK}/tools/cmake")
plant(tools/find "#!/bin/sh\necho 'find: ./secret: Permission denied' >&2\nexit 1\n")
file(CHMOD "${WORK}/tools/find" PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
expect_lint(2 "secret: Permission denied" mine)
file(REMOVE "${WORK}/tools/find")
set(ENV{TMPDIR} "${WORK}/none")
expect_lint(2 "mktemp: " "my other")
unset(ENV{TMPDIR})
foreach(tool IN ITEMS bash cat dirname find grep mktemp realpath rm sort test)
    find_program(tool_${tool} ${tool} REQUIRED)
    file(CREATE_LINK "${tool_${tool}}" "${WORK}/tools/${tool}" SYMBOLIC)
endforeach()
set(search_path "${WORK}/tools")
expect_lint(2 "await-lint: needs CMake" mine)
expect_lint(0 "usage: await-lint" --help)
file(REMOVE_RECURSE "${WORK}")

# Rules: all are named, one in a name of two literals, several in one name.
set(named "T1, T2 A1 A2 A3 A4 B1 B2 B3 B4 S1 S2 S3 S4 S5 G1 G2 G3 G4 G5 G6 G7 G8 G9 Q1 Q2 Q3 I1 I2 I3 I4 I5 C1 C2 C3 X1 X2 X3 X4")
plant(test/core/some.cpp "TEST_CASE(\"${named}: such; as [this\")\n{\n}\n\nTEST_CASE(\n    \"P2, \"\n    \"P11: pages\"\n)\n{\n}\n")
plant(test/net/other.cpp "TEST_CASE(\"T3: in time\") {}\nTEST_CASE(\"late (T5)\") {}\nTEST_CASE(\"E1/E2/E3 T4\") {}\n")
expect(rules)

# And these are not: in a comment, in a longer word, in what a test does, and nowhere.
string(REPLACE "G4 " "" named "${named}")
plant(test/core/some.cpp "TEST_CASE(\"${named}\")\n{\n    CHECK(name == \"E3\");\n}\n// TEST_CASE(\"T4: no\")\n")
plant(test/net/other.cpp "TEST_CASE(\"T3 T5 E1 E2 P21 xP2 P2_ P11\")\n{\n    SUBCASE(\"G4\") {}\n}\nMY_TEST_CASE(\"E3\")\n")
expect(
    rules
    "no test names T4"
    "no test names G4"
    "no test names E3"
    "no test names P2"
)

# Supported systems: a table in order, one with a version too many, one with a version too few.
expect_systems("1.81, 1.83")
expect_systems("1.81, 1.83, 1.99" [[README.md: Boost: the table has "1.81, 1.83, 1.99", and tested was "1.81, 1.83"]])
expect_systems("1.83" [[README.md: Boost: the table has "1.83", and tested was "1.81, 1.83"]])

if(failures GREATER 0)
    message(FATAL_ERROR "${failures} failures")
endif()
message("the checks find what is planted")
