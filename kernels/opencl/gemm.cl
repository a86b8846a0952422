/* SPDX-License-Identifier: MIT
 * gemm.cl - the plain matrix products: one chain of fma for every element of the result. */

/* out [rows][n] = a [rows][k] w, w(n, k) at n sn + k sk: both w and its transpose, dense. */
KERNEL(LANES)

void gemm(CG float *a, ulong a_off, CG float *w, ulong w_off, EPI_ARGS, ulong sn, ulong sk)
{
    const struct epi e = EPI_INIT;
    ROWS (r, rows) {
        CG float *x = a + a_off + r * k;
        COLS (c, n) {
            CG float *y = w + w_off + c * sn;
            float s = 0.0f;
            for (uint i = 0; i < k; i++)
                s = fma(x[i], y[i * sk], s);
            epi_f(&e, r, c, s);
        }
    }
}

/* acc [m][n] += sum over rows, in order, of dy [rows][m] x [rows][n]. */
KERNEL(LANES)

void gemm_dw(__global float *acc, ulong acc_off, ulong acc_slot, CG uint *st, CG float *dy,
             ulong dy_off, CG float *x, ulong x_off, ulong rows, uint m, uint n)
{
    acc += acc_off + st[ST_SLOT] * acc_slot;
    ROWS (o, (ulong)m)
        COLS (c, n) {
            float s = acc[o * n + c];
            for (ulong r = 0; r < rows; r++)
                s = fma(dy[dy_off + r * m + o], x[x_off + r * n + c], s);
            acc[o * n + c] = s;
        }
}

/* acc [k] += elements idx [k] of gemm_dw's dy^T x, idx(e) = row of the weight * n + column; each
 * in the order of gemm_dw, so that it is the same number. As many as a vector has go along a row
 * of dy and x together, which is then in cache. */
KERNEL(LANES)

void gemm_dw_el(__global float *acc, ulong acc_off, ulong acc_slot, CG uint *st, CG float *dy,
                ulong dy_off, CG float *x, ulong x_off, CG int *idx, ulong idx_off, ulong rows,
                uint m, uint n, uint k)
{
    acc += acc_off + st[ST_SLOT] * acc_slot;
    idx += idx_off;
    VECS (c, k) {
        const uint len = min(c_end - c, (uint)SCT_SIMD);
        uint o[SCT_SIMD], i[SCT_SIMD];
        float s[SCT_SIMD];
        for (uint e = 0; e < len; e++) {
            o[e] = (uint)idx[c + e] / n;
            i[e] = (uint)idx[c + e] % n;
            s[e] = acc[c + e];
        }
        CG float *g = dy + dy_off, *in = x + x_off;
        for (ulong r = 0; r < rows; r++, g += m, in += n)
            for (uint e = 0; e < len; e++)
                s[e] = fma(g[o[e]], in[i[e]], s[e]);
        for (uint e = 0; e < len; e++)
            acc[c + e] = s[e];
    }
}
