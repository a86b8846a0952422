/* SPDX-License-Identifier: MIT
 * lora_module.c - LORA_MODULE and its gradient (Hu et al. 2021): scale B A x on a channel
 * range. Intermediate values are outputs, rounded where the composition of primitives rounds
 * them. */
#include "kernels/ref/ref_util.h"

static void copy_first(const struct sct_kargs *k)
{
    if (k->out[0] != k->in[0])
        memcpy(k->out[0], k->in[0], ref_count(&k->d->in[0]) * sizeof(REAL));
}

void REF(lora_module)(const struct sct_kargs *k)
{
    const struct sct_module_params *p = k->d->params;
    const size_t rows = ref_rows(&k->d->in[0]), C = sct_desc_last(&k->d->in[0]);
    const size_t R = k->d->in[2].dim[0], in = k->d->in[2].dim[1], n = k->d->in[3].dim[0];
    const REAL *x = k->in[1], *a = k->in[2], *b = k->in[3];
    REAL *y = k->out[0], *t = k->out[1];
    copy_first(k);
    for (size_t r = 0; r < rows; r++, x += in, y += C, t += R) {
        for (size_t j = 0; j < R; j++)
            t[j] = (REAL)ref_dot(x, a + j * in, in);
        for (size_t i = 0; i < n; i++)
            y[p->first + i] =
                (REAL)((double)y[p->first + i] + (double)p->scale * ref_dot(t, b + i * R, R));
    }
}

void REF(lora_module_dx)(const struct sct_kargs *k)
{
    const struct sct_module_params *p = k->d->params;
    const size_t rows = ref_rows(&k->d->in[1]), C = sct_desc_last(&k->d->in[1]);
    const size_t R = k->d->in[2].dim[0], in = k->d->in[2].dim[1], n = k->d->in[3].dim[0];
    const REAL *dy = k->in[1], *a = k->in[2], *b = k->in[3];
    REAL *dx = k->out[0], *dt = k->out[1], *du = k->out[2];
    copy_first(k);
    for (size_t r = 0; r < rows; r++, dy += C, dx += in, dt += R, du += n) {
        for (size_t i = 0; i < n; i++)
            du[i] = (REAL)((double)p->scale * (double)dy[p->first + i]);
        for (size_t j = 0; j < R; j++)
            dt[j] = (REAL)ref_dot_column(du, b, n, R, j);
        for (size_t i = 0; i < in; i++)
            dx[i] = (REAL)((double)dx[i] + ref_dot_column(dt, a, R, in, i));
    }
}
