/* SPDX-License-Identifier: MIT
 * test_interp.c - resized position embeddings and bias tables equal those of timm 1.0, timm
 * 0.6, transformers and torch (tools/golden/make_interp.py). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/checkpoint/safetensors.h"
#include "core/model/interp.h"

static int failures, cases;

/* Values are of order 1. The originals compute in f32: their coefficients are off by some
 * 2^-24, and so is every one of up to 13 x 13 products. */
static const double limit = 1e-5;

struct grid {
    char kind[16], how[16];
    unsigned from, to, prefix;
};

static void fail(const char *name, const char *what)
{
    (void)printf("%s: %s\n", name, what);
    failures++;
}

static float *values(const struct sct_st *st, const struct sct_st_tensor *t)
{
    float *v = sct_calloc((size_t)t->count, sizeof *v);
    if (v && sct_st_read_f32(st, t, v, NULL) == SCT_OK)
        return v;
    sct_free(v);
    return NULL;
}

static sct_status resize(const struct grid *g, const float *in, uint32_t channels, float *out)
{
    const bool flax = strcmp(g->how, "timm-flax") == 0;
    const enum sct_interp how = sct_interp_find(flax ? "timm" : g->how);
    if (strcmp(g->kind, "table") == 0)
        return sct_interp_table(how, in, g->from, out, g->to, channels, NULL);
    return sct_interp_positions(how, flax, in, g->from, out, g->to, g->prefix, channels, NULL);
}

static void check(const struct sct_st *st, const struct sct_st_tensor *t)
{
    struct grid g = {.prefix = 1}; /* unless the name says another one */
    char name[64];
    if (sscanf(t->name, "%15[a-z]/%15[a-z0-9.-]/%u-%u+%u", g.kind, g.how, &g.from, &g.to,
               &g.prefix) < 4) {
        fail(t->name, "not the name of a case");
        return;
    }
    if (strcmp(g.how, "in") == 0)
        return;
    (void)snprintf(name, sizeof name, "%s/in/%s", g.kind, strrchr(t->name, '/') + 1);
    const struct sct_st_tensor *in = sct_st_find(st, name);
    float *x = in ? values(st, in) : NULL, *want = values(st, t);
    float *have = sct_calloc((size_t)t->count, sizeof *have);
    if (!x || !want || !have || resize(&g, x, (uint32_t)t->dim[1], have) != SCT_OK) {
        fail(t->name, "cannot be computed");
    } else {
        double off = 0;
        for (uint64_t i = 0; i < t->count; i++)
            off = fmax(off, fabs((double)have[i] - (double)want[i]));
        if (!(off <= limit)) {
            (void)printf("%s: off by %.1e (limit %.0e)\n", t->name, off, limit);
            failures++;
        }
        cases++;
    }
    sct_free(x);
    sct_free(want);
    sct_free(have);
}

/* What is not one of the ways is refused; the ways differ from each other. */
static void refusals(void)
{
    float in[10] = {0}, out[26];
    sct_error err = SCT_ERROR_INIT;
    if (sct_interp_table(SCT_INTERP_HF, in, 3, out, 5, 1, &err) != SCT_EUSAGE ||
        !strstr(err.msg, "--interp hf") || !strstr(err.msg, "timm and ms"))
        fail("table", "hf is not refused");
    if (sct_interp_table(SCT_INTERP_TIMM, in, 2, out, 5, 1, NULL) != SCT_EINVAL)
        fail("table", "an even side is not refused");
    if (sct_interp_positions(SCT_INTERP_NONE, false, in, 3, out, 5, 1, 1, NULL) != SCT_EINVAL)
        fail("positions", "none is not refused");
    if (sct_interp_positions(SCT_INTERP_TIMM, false, in, 3, out, 0, 1, 1, NULL) != SCT_EINVAL)
        fail("positions", "side 0 is not refused");
    for (uint32_t i = 0; i < SCT_INTERP_COUNT; i++)
        if (sct_interp_find(sct_interp_name((enum sct_interp)i)) != i)
            fail(sct_interp_name((enum sct_interp)i), "is not found by its name");
}

int main(void)
{
    struct sct_st *st;
    sct_error err = SCT_ERROR_INIT;
    if (sct_st_open(&st, GOLDEN_DIR "/interp.safetensors", &err) != SCT_OK) {
        (void)printf("%s\n", err.msg);
        return 1;
    }
    for (size_t i = 0; i < sct_st_count(st); i++)
        check(st, sct_st_at(st, i));
    sct_st_close(&st);
    refusals();
    (void)printf("%d cases, %d failures\n", cases, failures);
    return failures || cases != 81;
}
