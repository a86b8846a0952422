#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# demo_base.sh - makes configs/demo/sprite_vit.safetensors, the frozen backbone of the demo.
#
#   tools/demo_base.sh [SCTRUN [FILE [OPTION...]]]
#
# SCTRUN is the program (build/tools/sctrun), FILE where the weights go; options, as --isa avx2, are
# handed to the program. Everything is trained
# from random numbers on the procedural images of sprites_mix. The bits do not depend on the
# number of threads; another instruction set or compiler rounds differently, so there the file
# is as good, but not the same.
set -eu
cd "$(dirname "$0")/.."

sctrun=${1-build/tools/sctrun}
file=${2-configs/demo/sprite_vit.safetensors}
shift $(($# < 2 ? $# : 2))
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$sctrun" train --backend cpu --model sprite_vit --weights random --strategy full \
  --data task:sprites_mix --epochs 6 --batch-size 64 --lr 1e-3 --weight-decay 0.05 \
  --warmup-epochs 0.5 --seed 0 --log-interval 50 "$@" --output "$work/run"
cp "$work/run/last/adapter_model.safetensors" "$file.new"
mv "$file.new" "$file"
ls -l "$file"
sha256sum "$file"
