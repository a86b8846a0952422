#!/bin/sh
# SPDX-License-Identifier: MIT
# selftest.sh KCHECK MODULE - what becomes of a kernel whose self-test passes, fails, crashes or
# cannot run, and that a verdict is kept. A script stands in for sctrun-clprobe, the program that
# runs the self-test; the real one is at work in every other run of sctrun-kcheck. 77: no device.
kcheck=$1
module=$2
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
row=attention/simt tested=wattention.simt

stand_in() { # stand_in COMMANDS: what the next self-tests do
    { echo '#!/bin/sh' && echo "echo \"\$@\" >>$dir/calls" && echo "$1"; } >"$dir/probe"
    chmod +x "$dir/probe"
    : >"$dir/calls"
}
fail() {
    echo "selftest.sh: $1" && cat "$dir/out"
    exit 1
}
check() { # check STATUS TEXT: kcheck's exit status for the row, and what it must have said
    "$kcheck" --backend "$module" --set assume=gpu --set clprobe="$dir/probe" \
        --set cache-dir="$dir/cache" --row $row --op attention --quick --verbose \
        >"$dir/out" 2>&1
    status=$?
    if [ $status -eq 77 ]; then
        tail -n 1 "$dir/out"
        exit 77
    fi
    [ $status -eq "$1" ] || fail "exit status $status, expected $1"
    grep -q "$2" "$dir/out" || fail "\"$2\" is missing"
}
kept() { # kept NUMBER: how many verdicts there must be
    n=$(find "$dir/cache" -name '*.verdict' | wc -l)
    [ "$n" -eq "$1" ] || fail "$n verdicts are kept, expected $1"
}
mkdir -m 700 "$dir/cache"

# It could not run: the kernel is not used, and the question stays open.
stand_in 'echo no such device; exit 2'
check 1 "$tested is not used on device .*could not run: no such device"
grep -q "$row.*FAIL: took no case.*failed its self-test" "$dir/out" || fail "the row is no failure"
kept 0

# Wrong numbers: not used, and remembered.
stand_in 'echo output 0 is 1, the plain kernel has 2; exit 3'
check 1 "$tested is not used on device .*: output 0 is 1, the plain kernel has 2"
grep -q "^[0-9]*:[0-9]* $tested .*assume=gpu" "$dir/calls" || fail "called as $(cat "$dir/calls")"
kept 1
stand_in 'exit 0'
check 1 'output 0 is 1, the plain kernel has 2 (recorded; remove the .verdict files'
[ -s "$dir/calls" ] && fail "tested again although the verdict is known"

# The compiler takes the process with it.
rm -f "$dir"/cache/*.verdict "$dir"/cache/*/*.verdict
stand_in 'kill -SEGV $$'
check 1 "$tested is not used on device .*: the driver died of it (signal 11)"
kept 1

# It passes: used, and not tested a second time.
rm -f "$dir"/cache/*.verdict "$dir"/cache/*/*.verdict
stand_in 'echo pass; exit 0'
check 0 "$row .* ok"
kept 1
stand_in 'exit 3'
check 0 "$row .* ok"
[ -s "$dir/calls" ] && fail "tested again although the verdict is known"
exit 0
