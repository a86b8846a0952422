#!/bin/sh
# SPDX-License-Identifier: MIT
# selftest.sh KCHECK MODULE CLPROBE cpu|gpu - what becomes of a kernel of that kind of device whose
# self-test passes, fails, crashes or cannot run, that a verdict is kept, that a broken kernel fails
# and that no fast kernel goes untested. A script stands in for sctrun-clprobe, the program that
# runs the self-test, where its answer is given; the real one is at work in every other run of
# sctrun-kcheck. 77: no device.
kcheck=$1
module=$2
clprobe=$3
kind=$4
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
case $kind in
# product: a row whose kernel is broken by writing the one text over the other, of the same length
cpu) row=attention/wide tested=attention.wide product=linear/wide
    right='fma(a_, b1_, SUM' wrong='fma(a_, b0_, SUM' ;;
gpu) row=attention/simt tested=wattention.simt product=linear/simt
    right='+ 3\] = v_.s3;' wrong='+ 3] = v_.s2;' ;;
esac

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
    "$kcheck" --backend "$module" --set assume=$kind --set clprobe="$dir/probe" \
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
grep -q "^[0-9]*:[0-9]* $tested .*assume=$kind" "$dir/calls" || fail "called as $(cat "$dir/calls")"
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

# Every row but the plain one of an op waits for its verdict.
stand_in 'echo wrong; exit 3'
"$kcheck" --backend "$module" --set assume=$kind --set clprobe="$dir/probe" --small --quick \
    >"$dir/out" 2>&1
grep -q "$row.*failed its self-test" "$dir/out" || fail "$row was not asked about"
grep ' ok' "$dir/out" | grep -v '[a-z]/plain \|reshape/view ' >"$dir/untested" &&
    fail "used without a test: $(cat "$dir/untested")"

# A kernel that computes something else is found out, by the real program. Nothing else changes.
: "${POCL_CACHE_DIR:=$dir/pocl}" && export POCL_CACHE_DIR && mkdir -p "$POCL_CACHE_DIR"
LC_ALL=C sed "s/$right/$wrong/" "$clprobe" >"$dir/broken"
chmod +x "$dir/broken"
cmp -s "$clprobe" "$dir/broken" && fail "\"$right\" is not in $clprobe"
[ "$(wc -c <"$clprobe")" -eq "$(wc -c <"$dir/broken")" ] || fail "$dir/broken has another size"
device=$(sed -n 's/^backend opencl, device \([0-9]*:[0-9]*\):.*/\1/p' "$dir/out")
"$clprobe" "$device" $product assume=$kind selftest-cases=2 >"$dir/out" 2>&1 || fail "$product failed its self-test"
"$dir/broken" "$device" $product assume=$kind selftest-cases=2 >"$dir/out" 2>&1
status=$?
[ $status -eq 3 ] || fail "exit status $status of a broken $product, expected 3"
grep -q "$product: output 0 element .* the plain kernel has" "$dir/out" || fail "no reason is given"
exit 0
