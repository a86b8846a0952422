/* SPDX-License-Identifier: MIT
 * ops.h - what every op computes: its inputs, outputs, parameters, and its typed constructor.
 * One header a family, as in core/ops; rows are in ops.def, parameter structs in op_params.h.
 *
 * Shape letters: B images of the micro-batch, N tokens, C channels, H heads, D head size, K
 * selected channels, R rank, L labels. [..] is any number of leading dimensions. Dense
 * row-major.
 *
 * A constructor returns "none" after the builder's first error. Formulas of gradients stand in
 * core/ops. Fused ops have no constructor, for the fuse pass writes them; they equal
 *
 *   LINEAR_GELU       (x, w, bias?){gelu}          y = gelu(pre), and pre = linear(x, w, bias)
 *   LINEAR_ADD        (res, x, w, bias?)           res + linear(x, w, bias)
 *   LINEAR_DX_GELU    (dy, w, pre){gelu}           linear_dx(dy, w) * gelu'(pre)
 *   LINEAR_DX_ADD     (res, dy, w)                 res + linear_dx(dy, w)
 *   LAYERNORM_DX_ADD  (res, x, g, mean, rstd, dy)  res + layernorm_dx(x, g, mean, rstd, dy)
 *   LINEAR_DW_EL      (acc [K], dy, x, idx [K])    acc + gather_el(linear_dw(0, dy, x), idx)
 *
 *   SCT_MODULE        (h, idx, w [K][K], bias?){scale}
 *       h with h[idx] + scale * linear(h[idx], w, bias), and h[idx] as it was
 *   SCT_MODULE_DX     (dy, idx, w){scale}
 *       dy with dy[idx] + linear_dx(dl, w), and dl = scale * dy[idx]
 *   LORA_MODULE       (y, x, a [R][in], b [k][R]){scale, first}
 *       y with scale * linear(t, b) added to channels first..first+k-1, and t = linear(x, a)
 *   LORA_MODULE_DX    (dx, dy, a, b){scale, first}
 *       dx + linear_dx(dt, a), and dt = linear_dx(du, b), du = scale * dy[first..first+k-1] */
#ifndef SCTRUN_OPS_H
#define SCTRUN_OPS_H

#include <sctrun/ops/attention.h>
#include <sctrun/ops/batch.h>
#include <sctrun/ops/channels.h>
#include <sctrun/ops/elementwise.h>
#include <sctrun/ops/linear.h>
#include <sctrun/ops/loss.h>
#include <sctrun/ops/norm.h>
#include <sctrun/ops/observe.h>
#include <sctrun/ops/random.h>
#include <sctrun/ops/shape.h>
#include <sctrun/ops/tokens.h>
#include <sctrun/ops/update.h>

#endif
