#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# hygiene.sh - what no file of text may hold. usage: hygiene.sh SOURCE_ROOT
set -u
cd "$1" || exit 2
export LC_ALL=C.UTF-8
failed=0

# Text of ours; pictures, fuzz corpora and numbers made by other programs are data.
list() {
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files -co --exclude-standard
  else
    find . -path './build*' -prune -o -path ./runs -prune -o -type f -print | sed 's,^\./,,'
  fi | grep -Ev '^(tests/golden/|tests/fuzz/corpus/|tests/style/abi\.golden$|configs/demo/.*\.safetensors$)' |
    grep -E '\.(c|h|def|cl|clh|py|sh|md|yaml|yml|build|options|txt)$|(^|/)(meson_options\.txt|LICENSE|run|\.gitignore|\.clang-format|\.editorconfig)$' |
    sort -u | while IFS= read -r f; do [ -f "$f" ] && printf '%s\n' "$f"; done
}
mapfile -t files < <(list)
if [ ${#files[@]} -lt 50 ]; then
  echo "only ${#files[@]} files found in $1: the list is wrong"
  exit 1
fi

none() { # none WHAT PATTERN [FILES...]: no line may match the Perl pattern
  local what=$1 pattern=$2 hits
  shift 2
  [ $# -gt 0 ] || return 0
  if hits=$(grep -nHP -e "$pattern" -- "$@"); then
    printf '%s\n' "$hits" | cut -c1-160 | sed "s/^/$what: /"
    failed=1
  fi
}
of() { # the files whose name matches
  printf '%s\n' "${files[@]}" | grep -E "$1"
}

none "tab" '\t' "${files[@]}"
none "blank at the end" ' +$' "${files[@]}"
none "carriage return" '\r$' "${files[@]}"
none "invisible character" '[\x{00A0}\x{00AD}\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2069}\x{FEFF}]' \
  "${files[@]}"
none "merge mark" '^(<{7}|>{7})( |$)' "${files[@]}"

# The words are put together here so that this file does not hold them.
none "path of one machine" "(^|[^\w.\$/}])/(wor""k|hom""e/\w+|roo""t|Use""rs)/\w" "${files[@]}"
none "host of a package registry" \
  "(pypi\.or""g|pythonhosted\.or""g|deb\.debian\.or""g|archive\.ubuntu\.co""m|registry\.npmj""s|crates\.i""o|proxy\.golan""g)" \
  "${files[@]}"

mapfile -t code < <(of '\.(c|h|def|cl|clh)$')
none "dead code" '^\s*#\s*if\s+0\b' "${code[@]}"
none "unfinished" "\b(TOD""O|FIXM""E|XX""X)\b" "${code[@]}"
mapfile -t library < <(of '^(core|backends|kernels|plugins)/.*\.c$' | grep -Ev '_main\.c$')
none "a library does not end or abort the program" '(?<![\w.>])(exit|_exit|abort)\s*\(' \
  "${library[@]}"
none "a library does not print" '(?<![\w.>])(printf|puts|putchar|perror)\s*\(' "${library[@]}"
none "never" '^(?!\s*/?\*).*(ffast-math|cl-fast-relaxed-math)' "${code[@]}" $(of 'meson\.build$')

for f in "${files[@]}"; do
  if [ -s "$f" ] && [ -n "$(tail -c 1 "$f")" ]; then
    echo "no newline at the end: $f"
    failed=1
  fi
done

# File head: licence, then the file's own name and what it is.
for f in "${code[@]}"; do
  name=${f##*/}
  head=$(sed -n 1,2p "$f")
  case $head in
  "/* SPDX-License-Identifier: MIT"*" * $name - "*) ;;
  *)
    echo "file head: $f does not begin with the licence line and \" * $name - what it is\""
    failed=1
    ;;
  esac
done
for f in $(of '\.(py|sh)$'); do
  if ! sed -n 1,3p "$f" | grep -q 'SPDX-License-Identifier: MIT'; then
    echo "file head: $f has no licence line"
    failed=1
  fi
done
for f in $(of '\.sh$|^\.ci/run$'); do
  if ! bash -n "$f"; then
    failed=1
  fi
  if [ ! -x "$f" ]; then
    echo "not executable: $f"
    failed=1
  fi
done

[ $failed -eq 0 ] && echo "${#files[@]} files are clean"
exit $failed
