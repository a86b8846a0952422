# SPDX-License-Identifier: MIT
# The PyTorch side of train.py: SCT in every block of a timm ViT, AdamW, one process per mode so
# that peak memory is its own. usage: torch_sct.py MODEL BATCH STEPS eager|compile THREADS
import json
import resource
import sys
import time

start = time.time()
import timm
import torch

name, batch, steps, mode, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5])
torch.set_num_threads(threads)
torch.manual_seed(0)
K = 96


class Module(torch.nn.Module):
    """h[S] + 0.5 (W h[S] + b) on the stream after the attention residual."""

    def __init__(self, width):
        super().__init__()
        self.linear = torch.nn.Linear(K, K)
        self.register_buffer("index", torch.randperm(width)[:K].sort().values)

    def forward(self, h):
        return h.index_add(2, self.index, 0.5 * self.linear(h.index_select(2, self.index)))


def block_forward(self, x, **_):
    x = self.sct(x + self.attn(self.norm1(x)))
    return x + self.mlp(self.norm2(x))


model = timm.create_model(name, num_classes=10)
for p in model.parameters():
    p.requires_grad_(False)
for p in model.head.parameters():
    p.requires_grad_(True)
for b in model.blocks:
    b.sct = Module(model.embed_dim)
    b.forward = block_forward.__get__(b)
model.train()
params = [p for p in model.parameters() if p.requires_grad]
opt = torch.optim.AdamW(params, lr=5e-3, weight_decay=1e-4)
net = torch.compile(model) if mode == "compile" else model
x = torch.randn(batch, 3, 224, 224)
y = torch.arange(batch) % 10
times, first = [], None
for i in range(steps + 2):
    t = time.time()
    opt.zero_grad(set_to_none=True)
    loss = torch.nn.functional.cross_entropy(net(x), y)
    loss.backward()
    opt.step()
    now = time.time()
    if first is None:
        first = now - start
    if i >= 2:
        times.append(now - t)
times.sort()
print(json.dumps({
    "images_per_s": batch / times[len(times) // 2],
    "first_step_s": first,
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "trainable": sum(p.numel() for p in params),
}))
