/* SPDX-License-Identifier: MIT
 * optim.cl - one step of AdamW and SGD (torch.optim's arithmetic), of a moving average, in place.
 * Learning rate and step number come from the state words; log_b1, log_b2 from the host in
 * double, so that 1 - b^t = -expm1(t log b) has no cancellation. */

KERNEL(LANES)

void adamw(__global float *p, ulong p_off, __global float *m, ulong m_off, __global float *v,
           ulong v_off, CG float *g, ulong g_off, CG float *coef, ulong coef_off, CG uint *st,
           ulong rows, uint cols, float lr_mult, float decay, float b1, float c1, float log_b1,
           float b2, float c2, float log_b2, float eps, uint has_coef)
{
    const ulong step = (ulong)st[ST_STEP_LO] | (ulong)st[ST_STEP_HI] << 32;
    const float t = (float)(step + 1);
    const float lr = as_float(st[ST_LR]) * lr_mult;
    const float by = has_coef ? coef[coef_off] : 1.0f;
    const float keep = 1.0f - lr * decay;
    const float rate = lr / -expm1(t * log_b1);
    const float root = sqrt(-expm1(t * log_b2));
    p += p_off;
    m += m_off;
    v += v_off;
    g += g_off;
    ROWS (r, rows)
        COLS (c, cols) {
            const ulong i = r * cols + c;
            const float d = g[i] * by;
            const float mi = b1 * m[i] + c1 * d;
            const float vi = b2 * v[i] + c2 * d * d;
            m[i] = mi;
            v[i] = vi;
            p[i] = p[i] * keep - rate * (mi / (sqrt(vi) / root + eps));
        }
}

KERNEL(LANES)

void sgd(__global float *p, ulong p_off, __global float *buf, ulong buf_off, CG float *g,
         ulong g_off, CG float *coef, ulong coef_off, CG uint *st, ulong rows, uint cols,
         float lr_mult, float decay, float momentum, uint nesterov, uint has_coef)
{
    const float lr = as_float(st[ST_LR]) * lr_mult;
    const float by = has_coef ? coef[coef_off] : 1.0f;
    p += p_off;
    buf += buf_off;
    g += g_off;
    ROWS (r, rows)
        COLS (c, cols) {
            const ulong i = r * cols + c;
            const float d = g[i] * by + decay * p[i];
            const float v = momentum * buf[i] + d;
            buf[i] = v;
            p[i] = p[i] - lr * (nesterov ? d + momentum * v : v);
        }
}

/* cbrt(n n) rather than pow: n is exact, and 1 gives 1. */
KERNEL(LANES)

void ema(__global float *a, ulong a_off, CG float *x, ulong x_off, CG uint *st, ulong rows,
         uint cols, float weight, uint warmup)
{
    const ulong step = (ulong)st[ST_STEP_LO] | (ulong)st[ST_STEP_HI] << 32;
    const float n = (float)(step + 1);
    const float w = warmup ? fmax(weight, 1.0f / cbrt(n * n)) : weight;
    a += a_off;
    x += x_off;
    ROWS (r, rows)
        COLS (c, cols) {
            const ulong i = r * cols + c;
            a[i] = fma(w, x[i] - a[i], a[i]);
        }
}
