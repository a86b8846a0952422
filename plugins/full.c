/* SPDX-License-Identifier: MIT
 * full.c - full fine-tuning: every parameter of the backbone becomes trainable. */
#include "plugins/train_params.h"

struct full {
    const char *params;
};

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    const struct full *f = st;
    size_t found;
    const sct_status rc = train_params(h, m, f->params, NULL, NULL, &found, err);
    if (rc == SCT_OK && found == 0)
        return h->fail(err, SCT_EUSAGE,
                       "params: no parameter matches \"%s\"; try \"**\" or \"blocks.11.**\"",
                       f->params);
    return rc;
}

static const struct sct_option options[] = {
    {"params", "which parameters are trained, by timm name", SCT_OPT_STRING,
     offsetof(struct full, params), 0, 0, 0, "**"},
    {NULL, NULL, 0, 0, 0, 0, 0, NULL},
};

const struct sct_strategy *sct_strategy_entry_v1(void)
{
    static const struct sct_strategy s = {
        .abi = SCT_STRATEGY_ABI,
        .size = sizeof s,
        .name = "full",
        .summary = "full fine-tuning: everything is trained",
        .options = options,
        .state_size = sizeof(struct full),
        .apply = apply,
    };
    return &s;
}
