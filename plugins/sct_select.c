/* SPDX-License-Identifier: MIT
 * sct_select.c - which channels. With a[c][d] the L2 norm of channel d over the patch tokens of
 * all training images of class c, the class-aware score of d is the mean of a[c][d] over the
 * classes present, the class-agnostic one the norm over all images. The K largest win (of
 * `lowest` the K smallest class-aware ones), ties go to the lower channel. */
#include <math.h>

#include "plugins/sct_tuning.h"

int sct_select_measures(const struct sct_tuning *t)
{
    return t->select != SCT_SELECT_RANDOM && t->select != SCT_SELECT_ALL;
}

/* The finaliser of SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* Channel d draws element d of the SplitMix64 stream that starts at mix(seed) ^ key; the K
 * largest draws are K channels without repetition, all sets alike. */
static void draw(uint64_t seed, uint64_t key, size_t width, double *out)
{
    uint64_t x = mix(seed + 0x9e3779b97f4a7c15u) ^ key;
    for (size_t d = 0; d < width; d++)
        out[d] = (double)(mix(x += 0x9e3779b97f4a7c15u) >> 11); /* 53 bits: exact */
}

/* sumsq: [rows][cols], the part of the columns that the module acts on. */
static void score(const struct sct_tuning *t, const float *sumsq, const float *seen,
                  size_t rows, size_t cols, size_t width, double *out)
{
    const int aware = t->select != SCT_SELECT_CLASS_AGNOSTIC;
    size_t present = 0;
    for (size_t c = 0; c < rows; c++)
        present += seen[c] > 0.0f;
    for (size_t d = 0; d < width; d++) {
        double a = 0;
        for (size_t c = 0; c < rows; c++) {
            const double x = (double)sumsq[c * cols + d];
            a += aware ? sqrt(x) : x;
        }
        out[d] = aware ? a / (double)(present ? present : 1) : sqrt(a);
        if (t->select == SCT_SELECT_LOWEST)
            out[d] = -out[d];
    }
}

/* The k largest scores, marked, then listed in ascending channel order. */
static void top(const double *sc, unsigned char *taken, const struct sct_spot *s, uint32_t *idx)
{
    for (uint32_t j = 0; j < s->k; j++) {
        size_t best = s->width;
        for (size_t d = 0; d < s->width; d++)
            if (!taken[d] && (best == s->width || sc[d] > sc[best]))
                best = d;
        taken[best] = 1;
    }
    uint32_t n = 0;
    for (uint32_t d = 0; d < s->width; d++)
        if (taken[d])
            idx[n++] = s->first + d;
}

static sct_status measured(const struct sct_tuning *t, const struct sct_strategy_host *h,
                           const struct sct_readings *r, const struct sct_spot *s, double *out,
                           sct_error *err)
{
    size_t rows, cols;
    const float *seen = NULL;
    const float *sumsq = h->reading(r, SCT_WATCH_SUMSQ_LABEL, s->scored, &rows, &cols, &seen);
    if (!sumsq || !seen || cols != s->at.channels)
        return h->fail(err, SCT_EFAIL, "no reading for %s", s->at.path);
    score(t, sumsq + s->first, seen, rows, cols, s->width, out);
    for (size_t d = 0; d < s->width; d++)
        if (!isfinite(out[d]))
            return h->fail(err, SCT_ENONFINITE, "the score of channel %zu at %s is not finite",
                           s->first + d, s->at.path);
    return SCT_OK;
}

sct_status sct_select(const struct sct_tuning *t, const struct sct_strategy_host *h,
                      const sct_model *m, const struct sct_readings *r,
                      const struct sct_spot *s, struct sct_choice *out, sct_error *err)
{
    out->k = s->k;
    out->idx = h->alloc(s->k * sizeof *out->idx);
    double *sc = h->alloc(s->width * sizeof *sc);
    unsigned char *taken = h->alloc(s->width);
    sct_status rc = SCT_OK;
    if (!out->idx || !sc || !taken)
        rc = h->fail(err, SCT_ENOMEM, "out of memory");
    else if (sct_select_measures(t))
        rc = measured(t, h, r, s, sc, err);
    else if (t->select == SCT_SELECT_RANDOM)
        draw(t->seed ? t->seed : h->seed(m), h->random_key(m, &s->at, s->stem), s->width, sc);
    if (rc == SCT_OK)
        top(sc, taken, s, out->idx);
    h->free(sc);
    h->free(taken);
    return rc;
}
