/* SPDX-License-Identifier: MIT
 * linear_dw_base.c - acc [out][in] += dy^T x, continuing each element's sum in row order; all
 * elements, or some; and the same for every group of channels. Rows go in chunks that fit the
 * cache; the tile is loaded from acc and stored back. */
#include "kernels/cpu/base_gemm.h"
#include "kernels/cpu/cpu_base.h"

#include <string.h>

enum { ROW_CHUNK = 128 };

/* dy and x are [rows][ldy] and [rows][ldx], of which `out` and `in` columns count. */
struct dw {
    const float *dy, *x;
    float *acc;
    size_t rows, out, in, ldy, ldx;
};

/* acc[o0..][i0..] for fewer than 16 columns, in the same order. */
static void narrow(const struct dw *w, size_t r0, size_t n, size_t o, size_t outs, size_t i,
                   size_t ins)
{
    for (size_t a = 0; a < outs; a++)
        for (size_t r = r0; r < r0 + n; r++) {
            const float g = w->dy[r * w->ldy + o + a];
            for (size_t j = 0; j < ins; j++)
                w->acc[(o + a) * w->in + i + j] += g * w->x[r * w->ldx + i + j];
        }
}

static void block(const struct dw *w, size_t r0, size_t n, size_t o, size_t outs, size_t i)
{
    float tile[BASE_MR * BASE_NR] = {0};
    for (size_t a = 0; a < outs; a++)
        memcpy(tile + a * BASE_NR, w->acc + (o + a) * w->in + i, BASE_NR * sizeof *tile);
    base_tile(w->dy + r0 * w->ldy + o, 1, w->ldy, outs, n, w->x + r0 * w->ldx + i, w->ldx,
              tile);
    for (size_t a = 0; a < outs; a++)
        memcpy(w->acc + (o + a) * w->in + i, tile + a * BASE_NR, BASE_NR * sizeof *tile);
}

/* The part of the product that is this thread's. */
static void product(const struct dw *w, const struct sct_kargs *k)
{
    struct cpu_range o = {0, w->out}, i = {0, w->in};
    if ((w->out + BASE_MR - 1) / BASE_MR >= k->parts)
        o = cpu_split(k, w->out, BASE_MR);
    else
        i = cpu_split(k, w->in, BASE_NR);
    for (size_t r0 = 0; r0 < w->rows; r0 += ROW_CHUNK) {
        const size_t n = w->rows - r0 < ROW_CHUNK ? w->rows - r0 : ROW_CHUNK;
        for (size_t oo = o.first; oo < o.end; oo += BASE_MR) {
            const size_t outs = o.end - oo < BASE_MR ? o.end - oo : BASE_MR;
            size_t ii = i.first;
            for (; ii + BASE_NR <= i.end; ii += BASE_NR)
                block(w, r0, n, oo, outs, ii);
            if (ii < i.end)
                narrow(w, r0, n, oo, outs, ii, i.end - ii);
        }
    }
}

void linear_dw_base(const struct sct_kargs *k)
{
    const size_t out = sct_desc_last(&k->d->in[1]), in = sct_desc_last(&k->d->in[2]);
    const struct dw w = {.dy = k->in[1],
                         .x = k->in[2],
                         .acc = k->out[0],
                         .rows = sct_desc_rows(&k->d->in[1]),
                         .out = out,
                         .in = in,
                         .ldy = out,
                         .ldx = in};
    product(&w, k);
}

void linear_grouped_dw_base(const struct sct_kargs *k)
{
    const uint32_t *dim = k->d->in[0].dim; /* [groups][out][in], so of one group */
    struct dw w = {.dy = k->in[1],
                   .x = k->in[2],
                   .acc = k->out[0],
                   .rows = sct_desc_rows(&k->d->in[1]),
                   .out = dim[1],
                   .in = dim[2],
                   .ldy = (size_t)dim[0] * dim[1],
                   .ldx = (size_t)dim[0] * dim[2]};
    for (uint32_t g = 0; g < dim[0]; g++) {
        product(&w, k);
        w.dy += w.out;
        w.x += w.in;
        w.acc += w.out * w.in;
    }
}

/* A group of elements goes along a row of dy and x at a time, which then lies in the cache. */
enum { ELEMENTS = 64 };

void linear_dw_el_base(const struct sct_kargs *k)
{
    const size_t rows = sct_desc_rows(&k->d->in[1]), out = sct_desc_last(&k->d->in[1]),
                 in = sct_desc_last(&k->d->in[2]);
    const struct cpu_range e = cpu_split(k, sct_desc_count(&k->d->in[3]), ELEMENTS);
    const int32_t *idx = k->in[3];
    float *acc = k->out[0];
    for (size_t first = e.first; first < e.end; first += ELEMENTS) {
        const size_t n = e.end - first < ELEMENTS ? e.end - first : ELEMENTS;
        uint32_t o[ELEMENTS], i[ELEMENTS];
        float sum[ELEMENTS];
        memcpy(sum, acc + first, n * sizeof *sum);
        for (size_t j = 0; j < n; j++) {
            o[j] = (uint32_t)((size_t)idx[first + j] / in);
            i[j] = (uint32_t)((size_t)idx[first + j] % in);
        }
        const float *dy = k->in[1], *x = k->in[2];
        for (size_t r = 0; r < rows; r++, dy += out, x += in)
            for (size_t j = 0; j < n; j++)
                sum[j] += dy[o[j]] * x[i[j]];
        memcpy(acc + first, sum, n * sizeof *sum);
    }
}
