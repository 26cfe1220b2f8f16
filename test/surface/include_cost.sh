#!/usr/bin/env bash
# What <ccloud/ccloud.hpp> costs a file that includes it, as a multiple of <boost/asio/awaitable.hpp> and <chrono> alone.
# The durations of the API need <chrono>, which includes <format> from GCC 13 on.
#   include_cost.sh <source directory> <build directory> [compiler]
set -euo pipefail
export LC_ALL=C # numbers with a decimal point

source_dir=$1
build_dir=$2
compiler=${3:-g++}
limit=1.5
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

printf '#include <%s>\n' boost/asio/awaitable.hpp chrono >"$work/asio.cpp"
echo '#include <ccloud/ccloud.hpp>' >"$work/ccloud.cpp"

# milliseconds FILE: user and system time of one run of the compiler, which noise moves less than the clock.
milliseconds()
{
    local TIMEFORMAT='%U %S' times
    times=$(
        { time "$compiler" -std=c++20 -fsyntax-only -I"$source_dir/include" -I"$build_dir/generated" "$1"; } 2>&1
    ) || {
        echo "$times" >&2
        return 1
    }
    awk '{printf "%d\n", ($1 + $2) * 1000}' <<<"$times"
}

# The least times of at least three rounds. Load makes times longer and never shorter, so while the ratio is beyond the limit,
# there are up to twenty.
asio=
ccloud=
for ((round = 1; round <= 20; ++round)); do
    took=$(milliseconds "$work/asio.cpp")
    [[ -n $asio && $asio -le $took ]] || asio=$took
    took=$(milliseconds "$work/ccloud.cpp")
    [[ -n $ccloud && $ccloud -le $took ]] || ccloud=$took
    if ((round >= 3)) && awk -v asio="$asio" -v ccloud="$ccloud" -v limit="$limit" 'BEGIN { exit ccloud / asio > limit }'
    then
        break
    fi
done

awk -v asio="$asio" -v ccloud="$ccloud" -v limit="$limit" 'BEGIN {
    ratio = ccloud / asio
    printf "asio/awaitable and chrono  %5d ms\nccloud/ccloud.hpp          %5d ms\nratio %.2f, limit %.1f\n",
           asio, ccloud, ratio, limit
    exit ratio > limit
}'
