/* SPDX-License-Identifier: MIT
 * reduce_tmpl.h - LINEAR_DW, SUM_TO, SLOT_SUM, OBS_SUMSQ_LABEL: sums over rows, in their order.
 * Parts share the elements of the sum, never its terms. */
#include <string.h>

#include "kernels/cpu/simd.h"
#include "kernels/cpu/tile_tmpl.h"
#include "kernels/cpu/vec_math.h"

/* out [rows][NR] = columns col .. of x [rows][n], zeros to the right. */
static void pack_panel(float *out, const float *x, size_t rows, size_t n, size_t col)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < NR; i += VW)
            v_store(out + r * NR + i,
                    col + i < n ? v_load_n(x + r * n + col + i, n - col - i) : v_zero());
}

/* A tile of acc [..][n] at column col += a^T b. The last panel goes through a buffer. */
static void add_tile(float *acc, size_t n, size_t col, const float *a, size_t ks, size_t depth,
                     const float *b, size_t rows)
{
    _Alignas(64) float c[MR_MAX * NR];
    const size_t cols = n - col < NR ? n - col : NR;
    struct tile t = {depth, a, 1, ks, b, NR, acc + col, n, true};
    if (cols < NR) {
        for (size_t i = 0; i < rows; i++) {
            memcpy(c + i * NR, acc + i * n + col, cols * sizeof(float));
            memset(c + i * NR + cols, 0, (NR - cols) * sizeof(float));
        }
        t.c = c;
        t.ldc = NR;
    }
    tile_run(&t, rows);
    for (size_t i = 0; cols < NR && i < rows; i++)
        memcpy(acc + i * n + col, c + i * NR, cols * sizeof(float));
}

/* (acc [out][in], dy [..][out], x [..][in]): acc += dy^T x. Parts take runs of (panel of x,
 * tile of rows of acc); rows of the batch come in blocks whose panel stays in L2. */
void KERNEL(linear_dw)(const struct sct_kargs *k)
{
    float *acc = k->out[0];
    const float *dy = k->in[1], *x = k->in[2];
    const size_t m = (size_t)sct_desc_rows(&k->d->in[1]);
    const size_t out = sct_desc_last(&k->d->in[1]), in = sct_desc_last(&k->d->in[2]);
    const size_t tiles = (out + MR_MAX - 1) / MR_MAX, panels = (in + NR - 1) / NR;
    const struct cpu_range u = cpu_split(k, tiles * panels, 1);
    float *panel = cpu_share(k, dw_scratch(m, NR));
    for (size_t r0 = 0; r0 < m; r0 += DW_ROWS) {
        const size_t rows = m - r0 < DW_ROWS ? m - r0 : DW_ROWS;
        for (size_t i = u.first; i < u.end; i++) {
            const size_t p = i / tiles, t = i % tiles, o = out * t / tiles;
            if (i == u.first || t == 0)
                pack_panel(panel, x + r0 * in, rows, in, p * NR);
            add_tile(acc + o * in, in, p * NR, dy + r0 * out + o, out, rows, panel,
                     out * (t + 1) / tiles - o);
        }
    }
}

/* acc [n] += x [rows][n], for the columns of this part. */
static void add_rows(const struct sct_kargs *k, float *acc, const float *x, size_t rows,
                     size_t n, bool fresh)
{
    const struct cpu_range c = cpu_split(k, n, 4 * NR);
    size_t j = c.first;
    for (; j + 4 * VW <= c.end; j += 4 * VW) { /* four vectors of a row: whole cache lines */
        vf s[4];
        UNROLL for (size_t q = 0; q < 4; q++) s[q] = v_load((fresh ? x : acc) + j + q * VW);
        for (size_t i = fresh; i < rows; i++)
            UNROLL for (size_t q = 0; q < 4; q++) s[q] =
                v_add(s[q], v_load(x + i * n + j + q * VW));
        UNROLL for (size_t q = 0; q < 4; q++) v_store(acc + j + q * VW, s[q]);
    }
    for (; j < c.end; j += VW) {
        vf s = v_load_n((fresh ? x : acc) + j, c.end - j);
        for (size_t i = fresh; i < rows; i++)
            s = v_add(s, v_load_n(x + i * n + j, c.end - j));
        v_store_n(acc + j, s, c.end - j);
    }
}

void KERNEL(sum_to)(const struct sct_kargs *k)
{
    const size_t n = (size_t)sct_desc_count(&k->d->in[0]);
    add_rows(k, k->out[0], k->in[1], (size_t)sct_desc_count(&k->d->in[1]) / n, n, false);
}

/* [S][..] -> [..] */
void KERNEL(slot_sum)(const struct sct_kargs *k)
{
    const size_t n = (size_t)sct_desc_count(&k->d->out[0]);
    add_rows(k, k->out[0], k->in[0], (size_t)sct_desc_count(&k->d->in[0]) / n, n, true);
}

/* Squares of x [rows][c], columns j .. j + n - 1 (n <= VW), summed over the rows. */
VEC vf column_squares(const float *x, size_t rows, size_t c, size_t n)
{
    vf s = v_zero();
    for (size_t i = 0; i < rows; i++) {
        const vf a = v_load_n(x + i * c, n);
        s = v_fma(a, a, s);
    }
    return s;
}

/* (acc [L][C], x [B][N][C], label [B][2], weight [B]) */
void KERNEL(obs_sumsq_label)(const struct sct_kargs *k)
{
    const struct sct_observe_params *p = k->d->params;
    const uint32_t *dim = k->d->in[1].dim;
    const size_t n = dim[1], c = dim[2];
    const int32_t *label = k->in[2];
    const float *weight = k->in[3];
    const struct cpu_range cols = cpu_split(k, c, NR);
    for (size_t b = 0; b < dim[0]; b++) {
        const float *x = (const float *)k->in[1] + (b * n + p->skip) * c;
        float *acc = (float *)k->out[0] + (p->any_class ? 0 : (size_t)label[2 * b]) * c;
        for (size_t j = cols.first; j < cols.end; j += VW) {
            const vf s = column_squares(x + j, n - p->skip, c, cols.end - j);
            v_store_n(acc + j, v_fma(v_set1(weight[b]), s, v_load_n(acc + j, cols.end - j)),
                      cols.end - j);
        }
    }
}
