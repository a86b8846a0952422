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
