/* SPDX-License-Identifier: MIT
 * outside.c - a strategy as somebody else would write it: trains biases and norms.
 * Built by install.sh with cc and pkg-config alone. */
#include <sctrun/strategy.h>

struct outside {
    uint32_t norms;
};

static sct_status train_all(const struct sct_strategy_host *h, sct_model *m,
                            const char *pattern, sct_error *err)
{
    const size_t n = h->params(m, pattern, NULL, 0);
    uint32_t *id = n ? h->alloc(n * sizeof *id) : NULL;
    if (!id)
        return h->fail(err, n ? SCT_ENOMEM : SCT_EUSAGE, "no parameter is called %s", pattern);
    (void)h->params(m, pattern, id, n);
    sct_status rc = SCT_OK;
    for (size_t i = 0; i < n && rc == SCT_OK; i++)
        rc = h->train(m, id[i], NULL, err);
    h->free(id);
    return rc;
}

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    const struct outside *o = st;
    SCT_TRY(train_all(h, m, "blocks.*.**.bias", err));
    return o->norms ? train_all(h, m, "blocks.*.norm1.weight", err) : SCT_OK;
}

static const struct sct_option options[] = {
    {"norms", "train the weights of norms too", SCT_OPT_BOOL, offsetof(struct outside, norms),
     1, 0, 1, NULL},
    {NULL, NULL, 0, 0, 0, 0, 0, NULL},
};

const struct sct_strategy *sct_strategy_entry_v1(void)
{
    static const struct sct_strategy s = {
        .abi = SCT_STRATEGY_ABI,
        .size = sizeof s,
        .name = "outside",
        .summary = "biases and norms",
        .options = options,
        .state_size = sizeof(struct outside),
        .apply = apply,
    };
    return &s;
}
