#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# demo.sh - builds, then fine-tunes the small base that ships with the project with four
# strategies on a task drawn by the project's own generator, and prints one table.
#
#   tools/demo.sh [BACKEND]        opencl (default), cpu or ref
set -eu
cd "$(dirname "$0")/.."
backend=${1:-opencl}

tools/setup.sh
log=$(mktemp)
out=$(mktemp -d)
trap 'rm -rf "$log" "$out"' EXIT
if [ ! -f build/build.ninja ]; then
  meson setup build >"$log" 2>&1 || {
    cat "$log" >&2
    exit 1
  }
fi
echo "building..."
ninja -C build >"$log" 2>&1 || {
  tail -n 40 "$log" >&2
  exit 1
}
sctrun=build/tools/sctrun

for strategy in linear lora sct full; do
  echo "== sctrun --backend $backend --strategy $strategy"
  "$sctrun" --backend "$backend" --strategy "$strategy" --output "$out/$strategy" --json \
    >"$out/$strategy.json"
done

python3 - "$out" <<'PYTHON'
import json, os, sys
print('\n%-9s %8s %18s %9s %10s %9s' % ('strategy', 'top-1', 'trained beside the', 'seconds',
                                       'images/s', 'peak MB'))
print('%-9s %8s %18s' % ('', '%', 'head / head'))
seconds = 0
for name in ('linear', 'lora', 'sct', 'full'):
    with open(os.path.join(sys.argv[1], name + '.json'), encoding='utf-8') as f:
        r = json.loads(f.read().strip().splitlines()[-1])
    print('%-9s %8.2f %18s %9.1f %10.0f %9.0f' % (
        name, r['last']['top1'], '%d / %d' % (r['trainable'] - r['head'], r['head']), r['seconds'],
        r['images_per_s'], r['peak_bytes'] / 1048576))
    seconds += r['seconds']
print('%-9s %37.1f' % ('all four', seconds))
PYTHON
