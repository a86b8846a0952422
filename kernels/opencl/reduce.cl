/* SPDX-License-Identifier: MIT
 * reduce.cl - token means, cross-entropy, sums after the body, statistics.
 * Every sum has one fixed order on a device. */

/* y [b][c] = mean of tokens first.. of x [b][n][c], in order. */
KERNEL(LANES)

void mean_tokens(CG float *x, ulong x_off, __global float *y, ulong y_off, uint b, uint n,
                 uint c, uint first)
{
    ROWS (r, (ulong)b) {
        CG float *a = x + x_off + (r * n + first) * c;
        __global float *o = y + y_off + r * c;
        const uint count = n - first;
        VECS (j, c) {
            if (WHOLE(j)) {
                VF s = (VF)(0.0f);
                for (uint t = 0; t < count; t++)
                    s += VLOAD(a + (ulong)t * c + j);
                VSTORE(s / (float)count, o + j);
            } else {
                REST (k, j) {
                    float s = 0.0f;
                    for (uint t = 0; t < count; t++)
                        s += a[(ulong)t * c + k];
                    o[k] = s / (float)count;
                }
            }
        }
    }
}

/* y [b][n][c] = x [b][c] / (n - first) from token first on, zero before. */
KERNEL(LANES)

void spread_tokens(CG float *x, ulong x_off, __global float *y, ulong y_off, uint b, uint n,
                   uint c, uint first)
{
    ROWS (r, (ulong)b * n) {
        CG float *a = x + x_off + r / n * c;
        __global float *o = y + y_off + r * c;
        const int in = r % n >= first;
        COLS (j, c)
            o[j] = in ? div_exact(a[j], (float)(n - first)) : 0.0f;
    }
}

/* Largest logit and the sum of exp(logit - largest). */
static inline float row_lse(CG float *x, uint n, float *top, __local float *red)
{
    float m = -INFINITY;
    for (uint j = (uint)get_local_id(0); j < n; j += LANES)
        m = fmax(m, x[j]);
    m = group_max(m, red);
    float s = 0.0f;
    for (uint j = (uint)get_local_id(0); j < n; j += LANES)
        s += exp_f(x[j] - m);
    *top = m;
    return group_sum(s, red);
}

/* loss = weight (log sum e^z - (1 - s)(mix z[l0] + (1 - mix) z[l1]) - s avg z), z = x - max x.
 */
KERNEL(LANES)

void xent(CG float *x, ulong x_off, CG int *label, ulong label_off, CG float *mix,
          ulong mix_off, CG float *weight, ulong weight_off, __global float *loss,
          ulong loss_off, ulong rows, uint n, float smoothing)
{
    __local float red[LANES];
    ROWS (r, rows) {
        CG float *a = x + x_off + r * n;
        float top;
        const float lse = log(row_lse(a, n, &top, red));
        float s = 0.0f;
        if (smoothing != 0.0f)
            for (uint j = (uint)get_local_id(0); j < n; j += LANES)
                s += a[j] - top;
        s = group_sum(s, red);
        if (get_local_id(0) == 0) {
            const float mx = mix[mix_off + r];
            const float z0 = a[label[label_off + 2 * r]] - top;
            const float z1 = a[label[label_off + 2 * r + 1]] - top;
            const float t =
                (1.0f - smoothing) * (mx * z0 + (1.0f - mx) * z1) + smoothing * (s / (float)n);
            loss[loss_off + r] = weight[weight_off + r] * (lse - t);
        }
    }
}

KERNEL(LANES)

void xent_dx(CG float *x, ulong x_off, CG int *label, ulong label_off, CG float *mix,
             ulong mix_off, CG float *weight, ulong weight_off, CG float *dloss,
             ulong dloss_off, __global float *dx, ulong dx_off, ulong rows, uint n,
             float smoothing)
{
    __local float red[LANES];
    ROWS (r, rows) {
        CG float *a = x + x_off + r * n;
        __global float *o = dx + dx_off + r * n;
        float top;
        const float sum = row_lse(a, n, &top, red);
        const float by = dloss[dloss_off + r] * weight[weight_off + r];
        const float mx = mix[mix_off + r];
        const uint l0 = (uint)label[label_off + 2 * r], l1 = (uint)label[label_off + 2 * r + 1];
        for (uint j = (uint)get_local_id(0); j < n; j += LANES) {
            const float hit = (j == l0 ? mx : 0.0f) + (j == l1 ? 1.0f - mx : 0.0f);
            const float t = (1.0f - smoothing) * hit + smoothing / (float)n;
            o[j] = by * (exp_f(a[j] - top) / sum - t);
        }
    }
}

/* y [cols] = x [slots][cols] added slot by slot. */
KERNEL(LANES)

void slot_sum(CG float *x, ulong x_off, __global float *y, ulong y_off, uint slots, ulong rows,
              uint cols)
{
    ROWS (r, rows) {
        CG float *a = x + x_off + r * cols;
        __global float *o = y + y_off + r * cols;
        COLS (c, cols) {
            float s = a[c];
            for (uint i = 1; i < slots; i++)
                s += a[i * rows * cols + c];
            o[c] = s;
        }
    }
}

/* part [parts]: sum of x or of x x over the parts of n; `block` elements each. */
KERNEL(LANES)

void sum_parts(CG float *x, ulong x_off, __global float *part, ulong part_off, ulong n,
               uint block, uint parts, uint square)
{
    __local float red[LANES];
    ROWS (r, (ulong)parts) {
        CG float *a = x + x_off + r * block;
        const uint count = (uint)min((ulong)block, n - r * block);
        VF acc = (VF)(0.0f);
        float t = 0.0f;
        GROUP_VECS (c, count) {
            const VF v = VLOAD(a + c);
            acc = square ? fma(v, v, acc) : acc + v;
        }
        GROUP_TAIL (c, count)
            t = square ? fma(a[c], a[c], t) : t + a[c];
        t = group_sum(vsum(acc) + t, red);
        if (get_local_id(0) == 0)
            part[part_off + r] = t;
    }
}

/* y = (start) + the parts, one after the other. */
KERNEL(1)

void sum_end(CG float *part, ulong part_off, CG float *start, ulong start_off,
             __global float *y, ulong y_off, uint parts, uint has_start)
{
    float s = 0.0f;
    for (uint i = 0; i < parts; i++)
        s += part[part_off + i];
    y[y_off] = has_start ? start[start_off] + s : s;
}

KERNEL(1)

void clip_coef(CG float *x, ulong x_off, __global float *y, ulong y_off, float max_norm)
{
    const float by = max_norm / (sqrt(x[x_off]) + 1e-6f);
    y[y_off] = by > 1.0f ? 1.0f : by; /* keeps a NaN */
}

/* acc [l][c] += weight x x over tokens skip.. of image after image, into the row of its label.
 * An image is summed on its own first: chains over a whole data set would lose bits. */
KERNEL(LANES)

void obs_sumsq_label(__global float *acc, ulong acc_off, ulong acc_slot, CG uint *st,
                     CG float *x, ulong x_off, CG int *label, ulong label_off, CG float *weight,
                     ulong weight_off, uint b, uint n, uint c, uint skip, uint any_class)
{
    acc += acc_off + st[ST_SLOT] * acc_slot;
    VECS (j, c) {
        for (uint i = 0; i < b; i++) {
            const uint row = any_class ? 0u : (uint)label[label_off + 2 * i];
            const float w = weight[weight_off + i];
            CG float *a = x + x_off + ((ulong)i * n) * c;
            __global float *o = acc + (ulong)row * c;
            if (WHOLE(j)) {
                VF s = (VF)(0.0f);
                for (uint t = skip; t < n; t++) {
                    const VF v = VLOAD(a + (ulong)t * c + j);
                    s = fma(v, v, s);
                }
                VSTORE(fma((VF)(w), s, VLOAD(o + j)), o + j);
            } else {
                REST (k, j) {
                    float s = 0.0f;
                    for (uint t = skip; t < n; t++) {
                        const float v = a[(ulong)t * c + k];
                        s = fma(v, v, s);
                    }
                    o[k] = fma(w, s, o[k]);
                }
            }
        }
    }
}

KERNEL(LANES)

void obs_sumsq(CG float *g, ulong g_off, __global float *acc, ulong acc_off, ulong rows,
               uint cols)
{
    ROWS (r, rows)
        COLS (c, cols) {
            const float v = g[g_off + r * cols + c];
            acc[acc_off + r * cols + c] = fma(v, v, acc[acc_off + r * cols + c]);
        }
}
