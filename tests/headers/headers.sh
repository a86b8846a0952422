#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# headers.sh - every public header compiles alone, twice, without a warning.
# usage: headers.sh INCLUDE_DIR STD COMPILER...
set -u
include=$1
std=$2
shift 2
case $std in
c++*) language=c++ strict= ;;
*) language=c strict=-Wstrict-prototypes ;;
esac
if [ $# -eq 0 ]; then
  echo "no $language compiler"
  exit 77
fi
failed=0
n=0
for header in "$include"/sctrun/*.h "$include"/sctrun/*/*.h; do
  name=${header#"$include"/}
  n=$((n + 1))
  if ! printf '#include <%s>\n#include <%s>\nint main(void);\nint main(void) { return 0; }\n' \
    "$name" "$name" | "$@" -x "$language" "-std=$std" -fsyntax-only -Wall -Wextra -Wpedantic \
    -Wshadow -Wundef $strict -Werror -I "$include" -; then
    echo "$name does not compile alone as $std"
    failed=$((failed + 1))
  fi
done
[ $n -gt 0 ] || failed=1
echo "$((n - failed)) passed, $failed failed"
exit $((failed > 0))
