#!/usr/bin/env bash
# Runs the tests against the servers that are installed or that scripts/servers has unpacked.
#   run.sh <test_servers> [argument...]
# Ends with 77 where there are none.
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
PATH+=:/usr/local/sbin:/usr/sbin:$root/build/servers/bin

found=()
for program in nginx haproxy tinyproxy microsocks; do
    if path=$(command -v "$program"); then
        found+=("$path")
    else
        echo "there is no $program"
    fi
done
if ((${#found[@]} == 0)); then
    echo "nothing to test against: see scripts/servers"
    exit 77
fi
echo "against ${found[*]}"

work=$(mktemp -d)
pid=
finish()
{
    if [[ -n $pid ]]; then
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    fi
    rm -rf -- "$work"
}
trap finish EXIT
trap 'exit 143' HUP INT TERM

TMPDIR=$work "$@" &
pid=$!
wait "$pid"
