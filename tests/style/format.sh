#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# format.sh - the sources are as clang-format 14 writes them. usage: format.sh SOURCE_ROOT
set -u
cd "$1" || exit 2
format=$(command -v clang-format-14 || true)
if [ -z "$format" ] && command -v clang-format >/dev/null 2>&1 &&
  clang-format --version | grep -q 'version 14\.'; then
  format=clang-format
fi
if [ -z "$format" ]; then
  echo "clang-format 14 is not installed; other versions format differently"
  exit 77
fi
# The tables of ops and sites are aligned by hand and are no .c or .h.
bad=$(find include core backends kernels plugins tools tests -name '*.[ch]' -print0 |
  xargs -0 "$format" --dry-run 2>&1 | sed -n 's/^\([^ :]*\):[0-9]*:.*clang-format-violations.*/\1/p' |
  sort | uniq -c)
if [ -n "$bad" ]; then
  echo "not as $format writes them (places, file); put right by: $format -i FILE"
  printf '%s\n' "$bad"
  exit 1
fi
