/* SPDX-License-Identifier: MIT
 * grouped_tmpl.h - LINEAR_GROUPED and its gradients in register tiles, one group of channels
 * after the other. The products are thin (4 channels of a group to 384 in RepAdapter), so the
 * gradient of the weight is tiled the other way round: channels of x down, channels of dy
 * across. Every element is one chain of FMAs, whatever the tile and the split. */
#include <string.h>

#include "kernels/cpu/simd.h"
#include "kernels/cpu/tile_tmpl.h"
#include "kernels/cpu/vec_math.h"

/* Sides of one group's weight [out][in], and of all groups'. */
struct groups {
    size_t n, out, in, all_out, all_in;
};

static struct groups groups_of(const struct sct_desc *w)
{
    const struct groups g = {w->dim[0], w->dim[1], w->dim[2], (size_t)w->dim[0] * w->dim[1],
                             (size_t)w->dim[0] * w->dim[2]};
    return g;
}

/* cols > VW: all NR columns, else the first vector of them. */
static void run_tile(const struct tile *t, size_t rows, size_t cols)
{
    if (cols > VW)
        tile_run(t, rows);
    else
        tile_switch(t, rows, false);
}

/* One group's product: y [..][ldy] = x [..][ldx] times w, element (k, j) of w at k * wk + j *
 * wj; bias NULL or of the group's columns. */
struct product {
    const float *x, *w, *bias;
    float *y, *panel;
    size_t ldx, ldy, depth, cols, wk, wj;
};

/* Columns col .. col + cols - 1 of w as [depth][width], zero beyond. */
static void pack(const struct product *p, size_t col, size_t cols, size_t width)
{
    float *to = p->panel;
    for (size_t k = 0; k < p->depth; k++, to += width) {
        for (size_t j = 0; j < cols; j++)
            to[j] = p->w[k * p->wk + (col + j) * p->wj];
        for (size_t j = cols; j < width; j++)
            to[j] = 0.0f;
    }
}

static void multiply(const struct product *p, struct cpu_range rows)
{
    _Alignas(64) float c[MR_MAX * NR];
    for (size_t col = 0; rows.first < rows.end && col < p->cols; col += NR) {
        const size_t cols = p->cols - col < NR ? p->cols - col : NR;
        const size_t width = cols > VW ? NR : VW;
        pack(p, col, cols, width);
        for (size_t r = rows.first; r < rows.end; r += MR_MAX) {
            const size_t n = rows.end - r < MR_MAX ? rows.end - r : MR_MAX;
            const struct tile t = {
                p->depth, p->x + r * p->ldx, p->ldx, 1, p->panel, width, c, NR, false};
            run_tile(&t, n, cols);
            for (size_t j = 0; j < cols; j += VW) {
                const vf bias = p->bias ? v_load_n(p->bias + col + j, cols - j) : v_zero();
                for (size_t i = 0; i < n; i++) {
                    vf y = v_load(c + i * NR + j);
                    if (p->bias)
                        y = v_add(y, bias);
                    v_store_n(p->y + (r + i) * p->ldy + col + j, y, cols - j);
                }
            }
        }
    }
}

void KERNEL(linear_grouped)(const struct sct_kargs *k)
{
    const struct groups g = groups_of(&k->d->in[1]);
    const struct cpu_range rows = cpu_split(k, sct_desc_rows(&k->d->in[0]), 1);
    struct product p = {.x = k->in[0],
                        .w = k->in[1],
                        .bias = k->d->n_in > 2 ? k->in[2] : NULL,
                        .y = k->out[0],
                        .panel = cpu_share(k, grouped_scratch(g.in, NR)),
                        .ldx = g.all_in,
                        .ldy = g.all_out,
                        .depth = g.in,
                        .cols = g.out,
                        .wk = 1,
                        .wj = g.in};
    for (size_t i = 0; i < g.n; i++) {
        multiply(&p, rows);
        p.x += g.in;
        p.w += g.out * g.in;
        p.y += g.out;
        p.bias = p.bias ? p.bias + g.out : NULL;
    }
}

void KERNEL(linear_grouped_dx)(const struct sct_kargs *k)
{
    const struct groups g = groups_of(&k->d->in[1]);
    const struct cpu_range rows = cpu_split(k, sct_desc_rows(&k->d->in[0]), 1);
    struct product p = {.x = k->in[0],
                        .w = k->in[1],
                        .y = k->out[0],
                        .panel = cpu_share(k, grouped_scratch(g.out, NR)),
                        .ldx = g.all_out,
                        .ldy = g.all_in,
                        .depth = g.out,
                        .cols = g.in,
                        .wk = g.in,
                        .wj = 1};
    for (size_t i = 0; i < g.n; i++) {
        multiply(&p, rows);
        p.x += g.out;
        p.w += g.out * g.in;
        p.y += g.in;
    }
}

/* ---- the gradient of the weight ---- */

/* c[i][j] += x[r][i] dy[r][j] over `rows` rows; n rows of c. A panel of dy that is not whole is
 * copied to `own` first, for tiles read whole vectors. */
static void add_rows(float *c, const float *x, size_t ldx, size_t n, const float *dy,
                     size_t ldy, size_t cols, size_t rows, float *own)
{
    for (size_t r0 = 0; r0 < rows; r0 += DW_ROWS) {
        const size_t m = rows - r0 < DW_ROWS ? rows - r0 : DW_ROWS;
        const float *b = dy + r0 * ldy;
        size_t ldb = ldy;
        if (cols < NR && cols != VW) {
            for (size_t r = 0; r < m; r++)
                for (size_t j = 0; j < NR; j++)
                    own[r * NR + j] = j < cols ? b[r * ldy + j] : 0.0f;
            b = own;
            ldb = NR;
        }
        const struct tile t = {m, x + r0 * ldx, 1, ldx, b, ldb, c, NR, true};
        run_tile(&t, n, cols);
    }
}

void KERNEL(linear_grouped_dw)(const struct sct_kargs *k)
{
    _Alignas(64) float c[MR_MAX * NR];
    const struct groups g = groups_of(&k->d->in[0]);
    const size_t rows = sct_desc_rows(&k->d->in[1]), panels = (g.out + NR - 1) / NR;
    const struct cpu_range mine = cpu_split(k, g.n * panels, 1);
    float *own = cpu_share(k, dw_scratch(rows, NR));
    for (size_t q = mine.first; q < mine.end; q++) {
        const size_t group = q / panels, o = q % panels * NR,
                     cols = g.out - o < NR ? g.out - o : NR;
        const float *dy = (const float *)k->in[1] + group * g.out + o;
        for (size_t i = 0; i < g.in; i += MR_MAX) {
            const size_t n = g.in - i < MR_MAX ? g.in - i : MR_MAX;
            float *acc = (float *)k->out[0] + (group * g.out + o) * g.in + i;
            memset(c, 0, sizeof c);
            for (size_t j = 0; j < cols; j++)
                for (size_t a = 0; a < n; a++)
                    c[a * NR + j] = acc[j * g.in + a];
            add_rows(c, (const float *)k->in[2] + group * g.in + i, g.all_in, n, dy, g.all_out,
                     cols, rows, own);
            for (size_t j = 0; j < cols; j++)
                for (size_t a = 0; a < n; a++)
                    acc[j * g.in + a] = c[a * NR + j];
        }
    }
}
