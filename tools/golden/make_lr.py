#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/lr.json: learning rates of timm's cosine schedule and of ours.

"timm": CosineLRScheduler stepped after every epoch with that epoch's number, so that epoch e
runs at the value of e - 1. "cosine": per step, with e = step / steps, W warm-up epochs of E:
lr (e + 1/steps) / W below W, else lr (1 + cos(pi (e - W) / (E - W))) / 2.

    python3 tools/golden/make_lr.py tests/golden/lr.json     (timm 1.0.22)
"""
import json
import math
import sys

import torch
from timm.scheduler import CosineLRScheduler


def timm_epochs(lr, epochs, warmup, warmup_lr, min_lr):
    opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    sched = CosineLRScheduler(opt, t_initial=epochs, lr_min=min_lr, cycle_decay=0.1,
                              warmup_t=warmup, warmup_lr_init=warmup_lr)
    out = []
    for e in range(epochs):
        out.append(opt.param_groups[0]["lr"])
        sched.step(e)
    return out


def cosine_steps(lr, epochs, warmup, steps):
    out = []
    for step in range(epochs * steps):
        e = step / steps
        if e < warmup:
            out.append(lr * min(1.0, (e + 1 / steps) / warmup))
        else:
            out.append(0.5 * lr * (1 + math.cos(math.pi * (e - warmup) / (epochs - warmup))))
    return out


def main():
    cases = []
    for lr, epochs, warmup, warmup_lr, min_lr in (
            (1e-3, 100, 10, 1e-6, 1e-5), (5e-3, 100, 10, 1e-6, 1e-5), (1e-2, 7, 3, 1e-4, 0.0),
            (2e-3, 5, 0, 1e-6, 1e-5)):
        cases.append({"kind": "timm", "lr": lr, "epochs": epochs, "warmup_epochs": warmup,
                      "warmup_lr": warmup_lr, "min_lr": min_lr, "steps_per_epoch": 3,
                      "values": timm_epochs(lr, epochs, warmup, warmup_lr, min_lr)})
    for lr, epochs, warmup, steps in ((1e-3, 20, 5, 3), (5e-3, 4, 1.5, 7), (2e-3, 3, 0, 4)):
        cases.append({"kind": "cosine", "lr": lr, "epochs": epochs, "warmup_epochs": warmup,
                      "warmup_lr": 0.0, "min_lr": 0.0, "steps_per_epoch": steps,
                      "values": cosine_steps(lr, epochs, warmup, steps)})
    with open(sys.argv[1], "w") as f:
        json.dump({"cases": cases}, f)
        f.write("\n")


if __name__ == "__main__":
    main()
