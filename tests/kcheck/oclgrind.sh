#!/bin/sh
# SPDX-License-Identifier: MIT
# oclgrind.sh KCHECK MODULE CLPROBE cpu|gpu UNITS [KCHECK-OPTIONS...] - the small cases of every
# row of one kind of device under Oclgrind. A wrong result, an access outside a buffer, a data
# race, a barrier that not all items reach, or a row that no case touches fails. 77: no Oclgrind.
#
# Oclgrind exits with 0 whatever it finds, so its log decides. Its compiler is not made for two
# threads: threads=1. The self-tests, programs of their own, run under an Oclgrind and with a log
# of their own: a second Oclgrind would empty the log of the first. With two compute units the
# products of a GPU take their small tiles for small matrices, with one unit the large tiles.
if ! command -v oclgrind >/dev/null; then
    echo "oclgrind is not installed"
    exit 77
fi
kcheck=$1 module=$2 clprobe=$3 kind=$4 units=$5
shift 5
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cat >"$dir/probe" <<EOF
#!/bin/sh
unset LD_PRELOAD
exec oclgrind --data-races --max-errors 40 --log "$dir/probe.\$\$.log" "$clprobe" "\$@"
EOF
chmod +x "$dir/probe"
oclgrind --data-races --max-errors 40 --log "$dir/kcheck.log" \
    --compute-units "$units" "$kcheck" --backend "$module" --small --quick \
    --set assume="$kind" --set threads=1 --set clprobe="$dir/probe" --set selftest-cases=1 "$@"
status=$?
for log in "$dir"/*.log; do
    if [ -s "$log" ]; then
        cat "$log"
        echo "Oclgrind reports errors"
        exit 1
    fi
done
exit $status
