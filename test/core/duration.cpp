#include "core/duration.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string_view>

namespace core = ccloud::core;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;

TEST_CASE("E2: times are told in sensible units and digits")
{
    struct row
    {
        nanoseconds time;
        std::string_view text;
    };
    for (auto const& [time, text] : {
             row{-5s, "0 ms"},         row{0s, "0 ms"},
             row{1ns, "0 ms"},         row{4'999ns, "0 ms"},
             row{5us, "0.01 ms"},      row{340us, "0.34 ms"},
             row{1ms, "1 ms"},         row{1'004us, "1 ms"},
             row{1'005us, "1.01 ms"},  row{1'250us, "1.25 ms"},
             row{1'200us, "1.2 ms"},   row{1'050us, "1.05 ms"},
             row{9'994us, "9.99 ms"},  row{9'995us, "10 ms"},
             row{12'340us, "12.3 ms"}, row{80ms, "80 ms"},
             row{99'960us, "100 ms"},  row{350ms, "350 ms"},
             row{999'400us, "999 ms"}, row{999'499'999ns, "999 ms"},
             row{999'500us, "1 s"},    row{1s, "1 s"},
             row{1'250ms, "1.25 s"},   row{1'500ms, "1.5 s"},
             row{7s, "7 s"},           row{9'996ms, "10 s"},
             row{12'345ms, "12.3 s"},  row{57s, "57 s"},
             row{60s, "60 s"},         row{99'950ms, "100 s"},
             row{124'600ms, "125 s"},  row{125s, "125 s"},
             row{2h, "7200 s"},        row{nanoseconds::max(), "9223372037 s"},
         })
    {
        CAPTURE(time.count());
        CHECK(core::readable(time) == text);
    }
}
