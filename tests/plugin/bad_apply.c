/* SPDX-License-Identifier: MIT
 * bad_apply.c - a strategy that does one thing wrong; the test writes
 * which into its state. */
#include <sctrun/strategy.h>

#include "tests/plugin/bad_apply.h"

static sct_status site_of(const struct sct_strategy_host *h, const sct_model *m,
                          const char *pattern, struct sct_site *site, sct_error *err)
{
    if (h->sites(m, pattern, site, 1) == 0)
        return h->fail(err, SCT_EUSAGE, "no site %s", pattern);
    return SCT_OK;
}

static sct_status future_op(const struct sct_strategy_host *h, sct_model *m,
                            const struct sct_site *site, sct_error *err)
{
    struct sct_builder *b = h->edit_begin(m, site);
    const sct_val v = b->emit(b, SCT_OP_COUNT + 7, &site->out, 1, NULL, NULL, 0);
    return h->edit_commit(m, v, err);
}

static sct_status narrower(const struct sct_strategy_host *h, sct_model *m,
                           const struct sct_site *site, sct_error *err)
{
    struct sct_builder *b = h->edit_begin(m, site);
    return h->edit_commit(m, sct_slice_ch(b, site->out, 0, 1), err);
}

static sct_status stale(const struct sct_strategy_host *h, sct_model *m,
                        const struct sct_site *site, sct_error *err)
{
    for (int i = 0; i < 2; i++) { /* the second time with the site as it was */
        struct sct_builder *b = h->edit_begin(m, site);
        const sct_status rc = h->edit_commit(m, sct_scale(b, site->out, 2.0f, 0.0f), err);
        if (rc != SCT_OK)
            return rc;
    }
    return SCT_OK;
}

static sct_status same_name(const struct sct_strategy_host *h, sct_model *m)
{
    const uint32_t dim[1] = {3};
    (void)h->new_param(m, "twice", dim, 1, "zeros", NULL);
    (void)h->new_param(m, "twice", dim, 1, "zeros", NULL);
    return SCT_OK; /* the host finds the sticky error */
}

static sct_status indices(const struct sct_strategy_host *h, sct_model *m, int how)
{
    static const uint32_t down[3] = {4, 2, 9}, large[2] = {1, 0xfffffff0u};
    (void)h->new_index(m, "idx", how == 0 ? down : large, how == 0 ? 3 : how == 1 ? 2 : 0);
    return SCT_OK;
}

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    const struct bad_state *s = st;
    const uint32_t dim[1] = {3};
    struct sct_site site;
    SCT_TRY(site_of(h, m, "stage[0].block[1].attn.res", &site, err));
    switch (s->what) {
    case BAD_FAIL:
        return h->fail(err, SCT_EUSAGE, "this strategy wants %d heads", 99);
    case BAD_FAIL_SILENTLY:
        return SCT_EFAIL;
    case BAD_FUTURE_OP:
        return future_op(h, m, &site, err);
    case BAD_OPEN_EDIT:
        (void)h->edit_begin(m, &site);
        return SCT_OK;
    case BAD_TWO_EDITS:
        (void)h->edit_begin(m, &site);
        (void)h->edit_begin(m, &site);
        return SCT_OK;
    case BAD_COMMIT_ALONE:
        return h->edit_commit(m, site.out, err);
    case BAD_CHANNELS:
        return narrower(h, m, &site, err);
    case BAD_STALE_SITE:
        return stale(h, m, &site, err);
    case BAD_SAME_NAME:
        return same_name(h, m);
    case BAD_INIT:
        (void)h->new_param(m, "p", dim, 1, "gauss(1)", NULL);
        return SCT_OK;
    case BAD_INDEX_ORDER:
    case BAD_INDEX_RANGE:
    case BAD_INDEX_EMPTY:
        return indices(h, m, (int)(s->what - BAD_INDEX_ORDER));
    case BAD_TRAIN:
        return h->train(m, 0xffffffu, NULL, err);
    case BAD_SITE_ID:
        site.id = 0xffffffu;
        (void)h->edit_begin(m, &site);
        return SCT_OK;
    default:
        return SCT_OK;
    }
}

static sct_status observe(void *st, const struct sct_strategy_host *h, sct_model *m,
                          sct_error *err)
{
    const struct bad_state *s = st;
    const struct sct_protocol p = {.size = sizeof p};
    if (s->what == BAD_WATCH_KIND)
        return h->watch(m, 1000, 0, &p, err);
    if (s->what == BAD_WATCH_ID)
        return h->watch(m, SCT_WATCH_SUMSQ_LABEL, 0xffffffu, &p, err);
    return SCT_OK;
}

const struct sct_strategy *sct_strategy_entry_v1(void)
{
    static const struct sct_strategy s = {
        .abi = SCT_STRATEGY_ABI,
        .size = sizeof s,
        .name = "bad_apply",
        .summary = "a test",
        .state_size = sizeof(struct bad_state),
        .observe = observe,
        .apply = apply,
    };
    return &s;
}
