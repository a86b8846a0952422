#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# install.sh - installs into a scratch prefix and builds a strategy outside the tree with nothing
# but cc and pkg-config; the installed program finds its own modules and the new one.
# usage: install.sh MESON BUILD_DIR PREFIX SOURCE_OF_STRATEGY COMPILER...
set -eu
meson=$1
build=$2
prefix=$3
source=$4
shift 4
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
exit $failed
