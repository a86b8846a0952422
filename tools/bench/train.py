#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""SCT training speed and memory: sctrun's backends against PyTorch (eager and compile), in one run.

usage: tools/bench/train.py --sctrun build/tools/sctrun [--torch PYTHON] [--model NAME] [--batch N]
                            [--steps N] [--threads N] [--backends cpu,opencl] [--no-compile]

Figures are the median step of each program; ratios are what to quote. PyTorch gets its input ready
made; sctrun decodes, resizes and caches pictures while it trains (a procedural task).
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))


def torch_run(python, args, mode):
    out = subprocess.run([python, os.path.join(here, "torch_sct.py"), args.model, str(args.batch),
                          str(args.steps), mode, str(args.threads)], capture_output=True, text=True)
    if out.returncode:
        sys.stderr.write(out.stderr[-2000:])
        return None
    return json.loads(out.stdout.strip().splitlines()[-1])


def sctrun_run(args, backend):
    with tempfile.TemporaryDirectory() as tmp:
        run = os.path.join(tmp, "run")
        task = os.path.join(tmp, "bench.yaml")
        with open(task, "w") as f:
            f.write("label: shape\nimage_size: 224\ntrain: %d\nval: 0\ntest: 8\n" % args.batch)
        cmd = [args.sctrun, "train", "--backend", backend, "--strategy", "sct", "--set", "k=96",
               "--set", "scale=0.5", "--model", args.model, "--weights", "random", "--data",
               "task:" + task, "--train-list", "train", "--epochs", str(args.steps + 2),
               "--batch-size", str(args.batch), "--threads", str(args.threads), "--eval-interval",
               "0", "--cache-bytes", "64M", "--json", "--output", run]
        out = subprocess.run(cmd, capture_output=True, text=True)
        if out.returncode:
            sys.stderr.write(out.stderr[-2000:])
            return None
        result = json.loads(out.stdout.strip().splitlines()[-1])
        steps = [json.loads(line) for line in open(os.path.join(run, "log.jsonl"))]
        speed = [s["images_per_s"] for s in steps if "images_per_s" in s][2:]
        return {"images_per_s": statistics.median(speed), "first_step_s": result["first_step_seconds"],
                "peak_mb": result["peak_bytes"] / 2**20, "trainable": result["trainable"]}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--sctrun", required=True)
    p.add_argument("--torch", help="a Python with torch and timm")
    p.add_argument("--model", default="vit_tiny_patch16_224")
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--steps", type=int, default=6)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--backends", default="cpu,opencl")
    p.add_argument("--no-compile", action="store_true")
    args = p.parse_args()
    rows = {}
    for b in args.backends.split(","):
        rows["sctrun " + b] = sctrun_run(args, b)
    if args.torch:
        rows["PyTorch eager"] = torch_run(args.torch, args, "eager")
        if not args.no_compile:
            rows["PyTorch compile"] = torch_run(args.torch, args, "compile")
    best = max((r["images_per_s"] for n, r in rows.items() if r and n.startswith("PyTorch")), default=None)
    print("%s, batch %d, %d threads, SCT k=96 in every block, fp32" % (args.model, args.batch, args.threads))
    print("| program | images/s | of PyTorch's best | peak MB | first step, s |\n|---|---|---|---|---|")
    for name, r in rows.items():
        if r:
            print("| %s | %.2f | %s | %.0f | %.1f |" % (
                name, r["images_per_s"], "%.2f" % (r["images_per_s"] / best) if best else "-",
                r["peak_mb"], r["first_step_s"]))
    return 0 if all(rows.values()) else 1


sys.exit(main())
