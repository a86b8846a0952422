/* SPDX-License-Identifier: MIT
 * liar.c - strategies that break the contract, one a LIE; sctrun plugins check must say so. */
#include <sctrun/strategy.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CRASH    1 /* apply ends the process */
#define CHANGES  2 /* another module in every process */
#define FORGETS  3 /* load does not restore what choose decided */
#define UNLOADED 4 /* chooses, cannot load */
#define DEFAULT  5 /* an option's default is out of its range */
#define NO_CHECK 6 /* uses memory that it was not given */
#define REFUSES  7 /* takes no model */

#ifndef LIE
#error compile with -DLIE=...
#endif

struct liar {
    uint32_t n;
    float mul;
};

static sct_status choose(void *st, const struct sct_strategy_host *h, const sct_model *m,
                         const struct sct_readings *r, sct_error *err)
{
    struct liar *x = st;
    (void)h, (void)m, (void)r, (void)err;
    x->mul = 2.0f;
    return SCT_OK;
}

static sct_status observe(void *st, const struct sct_strategy_host *h, sct_model *m,
                          sct_error *err)
{
    (void)st, (void)h, (void)m, (void)err;
    return SCT_OK;
}

static sct_status load(void *st, const struct sct_strategy_host *h, const sct_model *m,
                       const sct_adapter *a, sct_error *err)
{
    struct liar *x = st;
    (void)h, (void)m, (void)a, (void)err;
    x->mul = LIE == FORGETS ? 3.0f : 2.0f;
    return SCT_OK;
}

static float factor(const struct liar *x)
{
    struct timespec t;
    if (LIE != CHANGES)
        return x->mul;
    (void)timespec_get(&t, TIME_UTC);
    return 1.0f + (float)(t.tv_nsec % 1000003) * 1e-6f;
}

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    const struct liar *x = st;
    struct sct_site site[64];
    const size_t n = h->sites(m, "**.mlp.out", site, 64);
    if (LIE == CRASH)
        abort();
    if (LIE == REFUSES)
        return h->fail(err, SCT_EUNSUP, "no model is good enough");
    if (LIE == NO_CHECK) {
        volatile uint32_t *p = h->alloc(sizeof *p);
        *p = 1;
        h->free((void *)(uintptr_t)p);
    }
    for (size_t i = 0; i < n; i++) {
        char name[128];
        (void)h->sites(m, "**.mlp.out", site, 64);
        struct sct_builder *b = h->edit_begin(m, &site[i]);
        (void)snprintf(name, sizeof name, "liar.%.64s", site[i].path);
        const sct_val w = h->new_param(m, name, &site[i].channels, 1, "ones", NULL);
        const sct_val y = sct_scale(b, sct_mul(b, site[i].out, w), factor(x), 0.0f);
        SCT_TRY(h->edit_commit(m, y, err));
    }
    return SCT_OK;
}

static const struct sct_option options[] = {
    {"n", "a number", SCT_OPT_UINT, offsetof(struct liar, n), LIE == DEFAULT ? 9 : 1, 0, 4,
     NULL},
    {NULL, NULL, 0, 0, 0, 0, 0, NULL},
};

const struct sct_strategy *sct_strategy_entry_v1(void)
{
    static const struct sct_strategy s = {
        .abi = SCT_STRATEGY_ABI,
        .size = sizeof s,
        .name = "liar",
        .summary = "a test",
        .options = options,
        .state_size = sizeof(struct liar),
        .observe = observe,
        .choose = choose,
        .apply = apply,
        .load = LIE == UNLOADED ? NULL : load,
    };
    return &s;
}
