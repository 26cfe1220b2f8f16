# shellcheck shell=bash
# Sourced by the scripts beside it.

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd -- "$root" || exit 1
source "$root/scripts/clang.sh"

# configure PRESET [cmake argument...]: says nothing where all is well. Uses ccache where there is one.
configure()
{
    local preset=$1
    shift
    local -a launcher=()
    if command -v ccache >/dev/null; then
        launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    fi
    cmake --preset "$preset" --log-level=WARNING "${launcher[@]}" "$@" >/dev/null
}

# configure_clang PRESET [cmake argument...]: the same with the oldest supported compiler of Clang that is there.
configure_clang()
{
    local preset=$1 compiler
    shift
    read -r compiler < <(clang_compilers) || true
    [[ $compiler ]] || {
        echo "no clang++-16 or later was found; scripts/setup --ci installs one" >&2
        return 1
    }
    configure "$preset" "-DCMAKE_CXX_COMPILER=$compiler" "$@"
}

# build PRESET [target...]: everything where no target is named.
build()
{
    local preset=$1
    shift
    local -a targets=()
    if (($#)); then
        targets=(--target "$@")
    fi
    cmake --build "build/$preset" --parallel "$(nproc)" "${targets[@]}"
}

# with_fixed_layout COMMAND...: runs a command without address space layout randomization, if that is allowed, because
# ThreadSanitizer of GCC 12 does not support the layout of newer kernels.
with_fixed_layout()
{
    local machine
    machine=$(uname -m)
    if setarch "$machine" --addr-no-randomize true 2>/dev/null; then
        setarch "$machine" --addr-no-randomize "$@"
    else
        "$@"
    fi
}
