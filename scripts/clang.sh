# shellcheck shell=bash
# Sourced: which compilers of the LLVM project are used.

# The versions that .ci/run installs where they are offered: the oldest that is supported, and a current one.
clang_versions=(16 19)

# Prints the command of the latest compiler that is installed, from version 16 on.
newest_clang()
{
    local version
    for version in {40..16}; do
        if command -v "clang++-$version" >/dev/null; then
            echo "clang++-$version"
            return
        fi
    done
    if command -v clang++ >/dev/null && (($(clang++ -dumpversion | cut -d . -f 1) >= 16)); then
        echo clang++
    fi
}

# Prints the commands of the compilers that are installed: those of `clang_versions`, or else the latest one.
clang_compilers()
{
    local version found=false
    for version in "${clang_versions[@]}"; do
        if command -v "clang++-$version" >/dev/null; then
            echo "clang++-$version"
            found=true
        fi
    done
    $found || newest_clang
}
