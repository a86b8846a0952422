#!/bin/sh
# SPDX-License-Identifier: MIT
# oclgrind.sh KCHECK MODULE - the small cases under Oclgrind: a wrong result, an access outside a
# buffer, a data race or a barrier that not all items reach fails. 77: no Oclgrind here.
command -v oclgrind >/dev/null || exit 77
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
oclgrind --data-races --max-errors 40 --log "$log" "$1" --backend "$2" --small --quick
status=$?
if [ -s "$log" ]; then
    cat "$log"
    exit 1
fi
exit $status
