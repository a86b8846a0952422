#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# install.sh - installs into a scratch prefix and builds a strategy outside the tree with nothing
# but cc and pkg-config; the installed program finds its own modules and the new one.
# usage: install.sh MESON BUILD_DIR PREFIX SOURCE_OF_STRATEGY SOURCE_OF_LIARS COMPILER...
set -eu
meson=$1
build=$2
prefix=$3
source=$4
liar=$5
shift 5
command -v pkg-config >/dev/null 2>&1 || {
  echo "pkg-config is not installed"
  exit 77
}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cd "$root"

"$meson" install -C "$build" --no-rebuild --quiet --destdir "$root" >install.log 2>&1 || {
  cat install.log
  exit 1
}
home=$root$prefix
PKG_CONFIG_PATH=$(dirname "$(find "$home" -name sctrun.pc)")
PKG_CONFIG_SYSROOT_DIR=$root
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
unset SCTRUN_PLUGIN_PATH
folder() { # pkg-config and pkgconf differ in whether a variable has the scratch root in front
  local dir
  dir=$(pkg-config --variable="$1" sctrun)
  echo "$root${dir#"$root"}"
}
strategies=$(folder strategydir)
backends=$(folder backenddir)
failed=0
check() { # check WHAT COMMAND...: the command must succeed
  local what=$1
  shift
  if "$@" >out.log 2>&1; then
    echo "ok   $what"
  else
    echo "FAIL $what"
    tail -n 20 out.log
    failed=1
  fi
}
has() { # has TEXT COMMAND...: the command succeeds and its output holds the text
  local text=$1
  shift
  "$@" >has.log 2>&1 && grep -q -e "$text" has.log || {
    cat has.log
    return 1
  }
}
sctrun=$home/bin/sctrun

check "the program is installed" test -x "$sctrun"
check "backends are where pkg-config says" test -f "$backends/cpu.so"
check "strategies are where pkg-config says" test -f "$strategies/sct.so"
check "it finds its own strategies" has "^             $home/.*/strategies/sct.so" "$sctrun" plugins
check "it finds its own presets" \
  "$sctrun" train --weights random --model vit_tiny_patch16_224 --data task:sprites_count \
  --strategy linear --backend ref --dry-run
check "the conformance suite runs" \
  "$home/bin/sctrun-kcheck" --backend "$backends/cpu.so" --op add --quick

check "a strategy builds outside the tree" \
  "$@" -std=c11 -Wall -Wextra -Wpedantic -Werror -fPIC -shared -fvisibility=hidden \
  $(pkg-config --cflags sctrun) "$source" -o outside.so -Wl,-z,defs
check "it is found by SCTRUN_PLUGIN_PATH" has "biases and norms" \
  env SCTRUN_PLUGIN_PATH="$root/more" sh -c '
    mkdir -p "$0/more/strategies" && cp outside.so "$0/more/strategies/" && "$1" plugins' \
  "$root" "$sctrun"
check "it plans as a path" has "trainable params" \
  "$sctrun" train --weights random --model vit_tiny_patch16_224 --data task:sprites_count \
  --strategy "$root/outside.so" --set norms=off --backend cpu --dry-run
check "its options are checked" \
  sh -c '! "$0" train --strategy "$1" --set nonsense=1 --dry-run' "$sctrun" "$root/outside.so"
module() { # module SOURCE OUTPUT FLAGS...: as the documentation builds one
  local from=$1 to=$2
  shift 2
  "${compiler[@]}" -std=c11 -O2 -Wall -Wextra -Werror -fPIC -shared -fvisibility=hidden "$@" \
    $(pkg-config --cflags sctrun) "$from" -o "$to" -Wl,-z,defs
}
compiler=("$@")

# What new-strategy writes builds and keeps the contract; so does the example of a backend.
check "new-strategy writes a project" has "gate: gate.c, meson.build, README.md" \
  "$sctrun" new-strategy gate
check "which has no example in it any more" sh -c '! grep -rn example gate'
check "it is never written over" sh -c '! "$0" new-strategy gate' "$sctrun"
check "it builds with cc" module gate/gate.c gate/gate.so
for keep in 0 1; do
  check "it keeps the contract, keep=$keep" has " passed, 0 failed, 0 skipped" \
    "$sctrun" plugins check gate/gate.so --set keep=$keep
done
examples=$(dirname "$(find "$home/share" -path '*examples/backend/null.c')")
check "the example of a backend builds with cc" module "$examples/null.c" null.so
check "its rows are right" has "3 passed, 0 failed, 0 skipped" \
  "$sctrun" backends check null.so
lacks() { # the error of a plan has every op that the backend lacks, the last ones too
  "$sctrun" dump plan --backend ./null.so --weights random --model vit_tiny_patch16_224 \
    --data task:sprites_count --strategy lora >lacks.log 2>&1 && return 1
  for what in "use another --backend or --device" "  4 feed (input)" "  98 linear (patch" \
    "  12 attention_dx (" "  1 xent (loss)" "  50 adamw (head.weight)"; do
    grep -q -F -e "$what" lacks.log || return 1
  done
}
check "what it lacks is listed" lacks
check "rows that compute nothing are found" \
  sh -c '! NULL_BACKEND_ALL=1 "$0" backends check null.so --op add' "$sctrun"
check "it counts what is run" has "null: [1-9][0-9]* nodes were run" \
  env NULL_BACKEND_ALL=1 "$sctrun" train --backend ./null.so --strategy linear --max-steps 1 \
  --test-limit 8 --output counted

# Strategies that lie are found out.
lie() { # lie NUMBER TEXT: the check fails, and says so
  check "liar $1 builds" module "$liar" "liar$1.so" -DLIE="$1"
  "$sctrun" plugins check "liar$1.so" >lie.log 2>&1 && echo "it passed" >>lie.log
  check "liar $1: $2" grep -q -e "$2" lie.log
}
lie 1 "FAIL builds on a model, vit: ended by signal 6"
lie 2 "FAIL the same bits in every run, vit: .*another adapter"
lie 3 "FAIL an adapter is read as it was saved, vit: loss .* before, .* after"
lie 4 "FAIL table and options: it chooses but has no load"
lie 5 "FAIL table and options: .*n.*range"
lie 6 "FAIL running out of memory, vit: ended by signal 11"
lie 7 "FAIL models: it refuses the ViT and the Swin"
exit $failed
