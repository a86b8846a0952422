#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# symbols.sh - what shared objects export, and what the static core calls its globals.
# usage: symbols.sh library|archive|strategy|backend FILE... | strategies FOLDER
set -u
kind=$1
shift
command -v nm >/dev/null 2>&1 || {
  echo "nm is not installed"
  exit 77
}
if [ "$kind" = strategies ]; then
  kind=strategy
  set -- "$1"/*.so
fi
failed=0
exports() { # names of defined dynamic symbols
  nm -D --defined-only --format=posix "$1" | awk '$2 != "A" { print $1 }'
}
for file in "$@"; do
  case $kind in
  library)
    bad=$(exports "$file" | grep -Ev '^sct_')
    [ -z "$bad" ] || {
      echo "$file exports what does not begin with sct_:" $bad
      failed=1
    }
    ;;
  archive) # sct_: shared by files; tables name infer_x, vjp_x, ref_x of ops and fuse_x of rules
    bad=$(nm -g --defined-only --format=posix "$file" 2>/dev/null | awk 'NF > 2 { print $1 }' |
      grep -Ev '^(sct_|infer_|vjp_|ref_|fuse_)')
    [ -z "$bad" ] || {
      echo "$file has globals without a prefix:" $bad
      failed=1
    }
    ;;
  strategy | backend)
    found=$(exports "$file" | tr '\n' ' ')
    [ "$found" = "sct_${kind}_entry_v1 " ] || {
      echo "$file must export sct_${kind}_entry_v1 alone; it exports: $found"
      failed=1
    }
    ;;
  *)
    echo "unknown kind $kind" >&2
    exit 2
    ;;
  esac
done
exit $failed
