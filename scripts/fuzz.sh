# shellcheck shell=bash
# Sourced after common.sh: runs the fuzz targets of test/fuzz.

# fuzz_target LIMIT NAME MAX_LEN [dictionary]: runs one target, beginning with its kept corpus. LIMIT is the option of
# libFuzzer that ends the run. The inputs that the target finds, and its log, are in build/fuzz/runs/NAME.
fuzz_target()
{
    local limit=$1 name=$2 max_len=$3 dictionary=${4:-}
    local folder=build/fuzz/runs/$name status=0
    rm -rf -- "$folder"
    mkdir -p -- "$folder/corpus"
    cp -- "test/fuzz/corpus/$name"/* "$folder/corpus"
    local -a options=("$limit" "-max_len=$max_len" -entropic=0 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
        -print_funcs=0 "-artifact_prefix=$folder/")
    if [[ $dictionary ]]; then
        options+=("-dict=test/fuzz/$dictionary")
    fi
    # The symbolizer of Clang is in another package. addr2line reads the same debug information.
    if command -v addr2line >/dev/null; then
        ASAN_SYMBOLIZER_PATH=$(command -v addr2line)
        export ASAN_SYMBOLIZER_PATH
    fi
    # Faster runs: the quarantine fits into a cache, and an input that fails can be run again with the stacks of all
    # allocations. The entropic schedule takes up to half of the time and finds no more.
    ASAN_OPTIONS=malloc_context_size=1:max_malloc_fill_size=0:quarantine_size_mb=1:thread_local_quarantine_size_kb=64 \
        "build/fuzz/test/fuzz/fuzz_$name" "${options[@]}" "$folder/corpus" >"$folder/log" 2>&1 || status=$?
    printf '%d\n' "$status" >"$folder/status"
}
export -f fuzz_target

# fuzz_all LIMIT: builds all targets and runs them, one per processor at a time. Prints a table. Fails if a target
# failed: by a crash, a violated rule, or an input that takes more than ten seconds or 2 GiB.
fuzz_all()
{
    local limit=$1 failed=0
    configure_clang fuzz
    build fuzz test/fuzz/all
    xargs -a build/fuzz/test/fuzz/fuzzers -L 1 -P "$(nproc)" bash -c 'fuzz_target "$0" "$@"' "$limit"

    local name folder runs seconds
    printf '\n%-16s %-8s %12s %8s %10s %6s\n' target outcome runs seconds runs/s edges
    while read -r name _; do
        folder=build/fuzz/runs/$name
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/log")
        seconds=$(sed -n 's/^Done [0-9]* runs in \([0-9]*\) second.*/\1/p' "$folder/log")
        printf '%-16s %-8s %12s %8s %10s %6s\n' "$name" \
            "$([[ $(<"$folder/status") == 0 ]] && echo passed || echo FAILED)" "${runs:-?}" "${seconds:-?}" \
            "$((${runs:-0} / (${seconds:-0} + 1)))" "$(sed -n 's/^#.*DONE *cov: \([0-9]*\) .*/\1/p' "$folder/log")"
    done <build/fuzz/test/fuzz/fuzzers
    while read -r name _; do
        folder=build/fuzz/runs/$name
        if [[ $(<"$folder/status") != 0 ]]; then
            failed=1
            printf '\n%s failed. The end of %s/log:\n' "$name" "$folder"
            grep -avE '^#[0-9]+\s+(NEW|REDUCE|pulse|RELOAD)' "$folder/log" | tail -n 60
        fi
    done <build/fuzz/test/fuzz/fuzzers
    return "$failed"
}
