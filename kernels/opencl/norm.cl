/* SPDX-License-Identifier: MIT
 * norm.cl - layernorm and its gradients, norms of rows. One group owns a row; on a CPU device that is one
 * item. */

/* mean, then the centred second moment: two passes over a row that is in cache. */
KERNEL(LANES)

void layernorm(CG float *x, ulong x_off, CG float *g, ulong g_off, CG float *beta,
               ulong beta_off, __global float *y, ulong y_off, __global float *mean,
               ulong mean_off, __global float *rstd, ulong rstd_off, ulong rows, uint cols,
               float eps)
{
    __local float red[LANES];
    g += g_off;
    beta += beta_off;
    ROWS (r, rows) {
        CG float *a = x + x_off + r * cols;
        __global float *o = y + y_off + r * cols;
        VF acc = (VF)(0.0f);
        float t = 0.0f;
        GROUP_VECS (c, cols)
            acc += VLOAD(a + c);
        GROUP_TAIL (c, cols)
            t += a[c];
        const float m = group_sum(vsum(acc) + t, red) / (float)cols;
        acc = (VF)(0.0f);
        t = 0.0f;
        GROUP_VECS (c, cols) {
            const VF v = VLOAD(a + c) - m;
            acc = fma(v, v, acc);
        }
        GROUP_TAIL (c, cols)
            t = fma(a[c] - m, a[c] - m, t);
        const float var = group_sum(vsum(acc) + t, red) / (float)cols;
        const float s = 1.0f / sqrt(var + eps);
        GROUP_VECS (c, cols)
            VSTORE(fma((VLOAD(a + c) - m) * s, VLOAD(g + c), VLOAD(beta + c)), o + c);
        GROUP_TAIL (c, cols)
            o[c] = fma((a[c] - m) * s, g[c], beta[c]);
        if (get_local_id(0) == 0) {
            mean[mean_off + r] = m;
            rstd[rstd_off + r] = s;
        }
    }
}

/* With h = dy g and n = (x - mean) rstd: dx = rstd (h - avg(h) - n avg(h n)), plus res if
 * given. res and dx may be the same storage. */
KERNEL(LANES)

void layernorm_dx(CG float *res, ulong res_off, CG float *x, ulong x_off, CG float *g,
                  ulong g_off, CG float *mean, ulong mean_off, CG float *rstd, ulong rstd_off,
                  CG float *dy, ulong dy_off, __global float *dx, ulong dx_off, ulong rows,
                  uint cols, uint has_res)
{
    __local float red[LANES];
    g += g_off;
    ROWS (r, rows) {
        CG float *a = x + x_off + r * cols;
        CG float *d = dy + dy_off + r * cols;
        CG float *p = res + res_off + (has_res ? r * cols : 0);
        __global float *o = dx + dx_off + r * cols;
        const float m = mean[mean_off + r], s = rstd[rstd_off + r];
        VF sh = (VF)(0.0f), shn = (VF)(0.0f);
        float th = 0.0f, thn = 0.0f;
        GROUP_VECS (c, cols) {
            const VF h = VLOAD(d + c) * VLOAD(g + c);
            sh += h;
            shn = fma(h, (VLOAD(a + c) - m) * s, shn);
        }
        GROUP_TAIL (c, cols) {
            const float h = d[c] * g[c];
            th += h;
            thn = fma(h, (a[c] - m) * s, thn);
        }
        const float ah = group_sum(vsum(sh) + th, red) / (float)cols;
        const float ahn = group_sum(vsum(shn) + thn, red) / (float)cols;
        GROUP_VECS (c, cols) {
            const VF h = VLOAD(d + c) * VLOAD(g + c) - ah;
            VF v = fma((VLOAD(a + c) - m) * s, (VF)(-ahn), h) * s;
            if (has_res)
                v += VLOAD(p + c);
            VSTORE(v, o + c);
        }
        GROUP_TAIL (c, cols) {
            float v = fma((a[c] - m) * s, -ahn, d[c] * g[c] - ah) * s;
            if (has_res)
                v += p[c];
            o[c] = v;
        }
    }
}

/* acc [cols] += sum over rows, in order, of dy (x - mean) rstd. */
KERNEL(LANES)

void layernorm_dg(__global float *acc, ulong acc_off, ulong acc_slot, CG uint *st, CG float *x,
                  ulong x_off, CG float *mean, ulong mean_off, CG float *rstd, ulong rstd_off,
                  CG float *dy, ulong dy_off, ulong rows, uint cols)
{
    acc += acc_off + st[ST_SLOT] * acc_slot;
    mean += mean_off;
    rstd += rstd_off;
    VECS (c, cols) {
        CG float *a = x + x_off + c;
        CG float *d = dy + dy_off + c;
        if (WHOLE(c)) {
            VF s = VLOAD(acc + c);
            for (ulong r = 0; r < rows; r++)
                s = fma(VLOAD(d + r * cols), (VLOAD(a + r * cols) - mean[r]) * rstd[r], s);
            VSTORE(s, acc + c);
        } else {
            REST (k, c) {
                float s = acc[k];
                for (ulong r = 0; r < rows; r++)
                    s = fma(d[r * cols + k - c], (a[r * cols + k - c] - mean[r]) * rstd[r], s);
                acc[k] = s;
            }
        }
    }
}

/* acc [cols] += sum over rows, in order, of x. */
KERNEL(LANES)

void sum_to(__global float *acc, ulong acc_off, ulong acc_slot, CG uint *st, CG float *x,
            ulong x_off, ulong rows, ulong cols)
{
    acc += acc_off + st[ST_SLOT] * acc_slot;
    const uint n = (uint)cols;
    VECS (c, n) {
        CG float *a = x + x_off + c;
        if (WHOLE(c)) {
            VF s = VLOAD(acc + c);
            for (ulong r = 0; r < rows; r++)
                s += VLOAD(a + r * cols);
            VSTORE(s, acc + c);
        } else {
            REST (k, c) {
                float s = acc[k];
                for (ulong r = 0; r < rows; r++)
                    s += a[r * cols + k - c];
                acc[k] = s;
            }
        }
    }
}

/* Row o of w, from row `first` on, with scale * b[o] a added (r = 0: nothing): rnorm = 1 / its
 * norm, 0 for a row of zeros; f = m * rnorm. */
KERNEL(LANES)

void dora_scale(CG float *m, ulong m_off, CG float *w, ulong w_off, CG float *a, ulong a_off,
                CG float *b, ulong b_off, __global float *f, ulong f_off, __global float *rnorm,
                ulong rnorm_off, ulong rows, uint cols, uint r, float scale, uint first)
{
    __local float red[LANES];
    a += a_off;
    ROWS (o, rows) {
        CG float *x = w + w_off + (o + first) * cols;
        CG float *c = b + b_off + o * r;
        float s = 0.0f;
        for (uint i = (uint)get_local_id(0); i < cols; i += LANES) {
            float v = 0.0f;
            for (uint k = 0; k < r; k++)
                v = fma(c[k], a[(ulong)k * cols + i], v);
            v = fma(scale, v, x[i]);
            s = fma(v, v, s);
        }
        s = group_sum(s, red);
        if (get_local_id(0) == 0) {
            const float by = s == 0.0f ? 0.0f : 1.0f / sqrt(s); /* a norm of NaN stays NaN */
            rnorm[rnorm_off + o] = by;
            f[f_off + o] = m[m_off + o] * by;
        }
    }
}
