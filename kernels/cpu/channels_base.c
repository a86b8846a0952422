/* SPDX-License-Identifier: MIT
 * channels_base.c - chosen channels and elements: gather, scatter, mask, ranges.
 * Parts share rows. Where the result starts as a copy of in[0] it may also be in[0] itself. */
#include "kernels/cpu/cpu_base.h"
#include "kernels/cpu/cpu_layout.h"

#include <string.h>

enum { ROWS = 4 };

static struct cpu_range my_rows(const struct sct_kargs *k)
{
    return cpu_split(k, sct_desc_rows(&k->d->out[0]), ROWS);
}

static void copy_rows(const struct sct_kargs *k, struct cpu_range r, size_t width)
{
    const float *from = k->in[0];
    float *to = k->out[0];
    if (to != from && r.first < r.end)
        memcpy(to + r.first * width, from + r.first * width,
               (r.end - r.first) * width * sizeof *to);
}

void gather_ch_base(const struct sct_kargs *k)
{
    const size_t c = sct_desc_last(&k->d->in[0]), n = sct_desc_last(&k->d->out[0]);
    const struct cpu_range r = my_rows(k);
    const int32_t *restrict idx = k->in[1];
    for (size_t i = r.first; i < r.end; i++) {
        const float *restrict x = (const float *)k->in[0] + i * c;
        float *restrict y = (float *)k->out[0] + i * n;
        for (size_t j = 0; j < n; j++)
            y[j] = x[idx[j]];
    }
}

void scatter_ch_base(const struct sct_kargs *k)
{
    const size_t c = sct_desc_last(&k->d->out[0]), n = sct_desc_last(&k->d->in[0]);
    const struct cpu_range r = my_rows(k);
    const int32_t *restrict idx = k->in[1];
    for (size_t i = r.first; i < r.end; i++) {
        const float *restrict y = (const float *)k->in[0] + i * n;
        float *restrict x = (float *)k->out[0] + i * c;
        memset(x, 0, c * sizeof *x);
        for (size_t j = 0; j < n; j++)
            x[idx[j]] = y[j];
    }
}

void scatter_add_ch_base(const struct sct_kargs *k)
{
    const size_t c = sct_desc_last(&k->d->out[0]), n = sct_desc_last(&k->d->in[2]);
    const struct cpu_range r = my_rows(k);
    const int32_t *restrict idx = k->in[1];
    copy_rows(k, r, c);
    for (size_t i = r.first; i < r.end; i++) {
        const float *restrict y = (const float *)k->in[2] + i * n;
        float *restrict x = (float *)k->out[0] + i * c;
        for (size_t j = 0; j < n; j++)
            x[idx[j]] += y[j];
    }
}

void scatter_set_ch_base(const struct sct_kargs *k)
{
    const size_t c = sct_desc_last(&k->d->out[0]), n = sct_desc_last(&k->d->in[2]);
    const struct cpu_range r = my_rows(k);
    const int32_t *restrict idx = k->in[1];
    copy_rows(k, r, c);
    for (size_t i = r.first; i < r.end; i++) {
        const float *restrict y = (const float *)k->in[2] + i * n;
        float *restrict x = (float *)k->out[0] + i * c;
        for (size_t j = 0; j < n; j++)
            x[idx[j]] = y[j];
    }
}

void mask_ch_base(const struct sct_kargs *k)
{
    const size_t c = sct_desc_last(&k->d->out[0]), n = sct_desc_count(&k->d->in[1]);
    const struct cpu_range r = my_rows(k);
    const int32_t *restrict idx = k->in[1];
    copy_rows(k, r, c);
    for (size_t i = r.first; i < r.end; i++) {
        float *restrict x = (float *)k->out[0] + i * c;
        for (size_t j = 0; j < n; j++)
            x[idx[j]] = 0.0f;
    }
}

void slice_ch_base(const struct sct_kargs *k)
{
    const struct sct_range_params *p = k->d->params;
    const size_t c = sct_desc_last(&k->d->in[0]), n = sct_desc_last(&k->d->out[0]);
    const struct cpu_range r = my_rows(k);
    for (size_t i = r.first; i < r.end; i++)
        memcpy((float *)k->out[0] + i * n, (const float *)k->in[0] + i * c + p->first,
               n * sizeof(float));
}

void pad_ch_base(const struct sct_kargs *k)
{
    const struct sct_range_params *p = k->d->params;
    const size_t c = sct_desc_last(&k->d->out[0]), n = sct_desc_last(&k->d->in[0]);
    const struct cpu_range r = my_rows(k);
    for (size_t i = r.first; i < r.end; i++) {
        float *y = (float *)k->out[0] + i * c;
        memset(y, 0, c * sizeof *y);
        memcpy(y + p->first, (const float *)k->in[0] + i * n, n * sizeof *y);
    }
}

void add_ch_base(const struct sct_kargs *k)
{
    const struct sct_range_params *p = k->d->params;
    const size_t c = sct_desc_last(&k->d->out[0]), n = sct_desc_last(&k->d->in[1]);
    const struct cpu_range r = my_rows(k);
    copy_rows(k, r, c);
    for (size_t i = r.first; i < r.end; i++) {
        const float *restrict y = (const float *)k->in[1] + i * n;
        float *restrict x = (float *)k->out[0] + i * c + p->first;
        for (size_t j = 0; j < n; j++)
            x[j] += y[j];
    }
}

void gather_el_base(const struct sct_kargs *k)
{
    const struct cpu_range r = cpu_split(k, sct_desc_count(&k->d->out[0]), 1024);
    const float *restrict w = k->in[0];
    const int32_t *restrict idx = k->in[1];
    float *restrict y = k->out[0];
    for (size_t i = r.first; i < r.end; i++)
        y[i] = w[idx[i]];
}

/* A part owns a range of w and adds what falls into it: every part reads all of idx. */
void scatter_add_el_base(const struct sct_kargs *k)
{
    const struct cpu_range r = cpu_split(k, sct_desc_count(&k->d->out[0]), 1024);
    const size_t n = sct_desc_count(&k->d->in[1]);
    const int32_t *restrict idx = k->in[1];
    const float *restrict delta = k->in[2];
    float *y = k->out[0];
    copy_rows(k, r, 1);
    for (size_t i = 0; i < n; i++)
        if ((size_t)idx[i] >= r.first && (size_t)idx[i] < r.end)
            y[idx[i]] += delta[i];
}
