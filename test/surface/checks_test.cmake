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
    "src/wrong.cpp:28: co_await in a structured binding"
    "src/wrong.cpp:29: co_await in a structured binding"
    "test/some.cpp:3: co_await in a condition"
    "README.md:5: co_await in a condition"
    "README.md:9: co_await in a statement with ?:"
)

# The same for users: scripts/await-lint with files and folders of their own.
find_program(BASH bash REQUIRED)
function(expect_lint status wanted)
    execute_process(
        COMMAND "${BASH}" "${CMAKE_CURRENT_LIST_DIR}/../../scripts/await-lint" ${ARGN}
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
plant(mine/good.cpp "void f() { auto a = co_await g(x); if (a) { h(y ? 1 : 2); } }\n")
plant(mine/deep/good.hpp "// co_await f(x ? 1 : 2)\n")
plant("my other/wrong.cc" "void f()\n{\n    co_await g(x ? A(1) : A(2));\n}\n")
plant(guide.md "```cpp\nif (co_await f()) {}\n```\n")
expect_lint(0 "^$" mine)
expect_lint(0 "^$" mine/good.cpp mine/deep)
expect_lint(1 "^[^\n]*/my other/wrong.cc:3: co_await in a statement with [?]:\n$" mine "my other")
expect_lint(1 "^[^\n]*/guide.md:2: co_await in a condition that declares no variable\n$" guide.md mine/good.cpp)
expect_lint(2 "missing does not exist" mine missing)
expect_lint(2 "usage: await-lint")
expect_lint(2 "usage: await-lint" --unknown)
expect_lint(0 "usage: await-lint.*FILE:LINE" --help)
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

if(failures GREATER 0)
    message(FATAL_ERROR "${failures} failures")
endif()
message("the checks find what is planted")
