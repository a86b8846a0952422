/* SPDX-License-Identifier: MIT
 * full.c - full fine-tuning: every parameter of the backbone becomes trainable. The
 * classifier's are none of them: every strategy trains it. */
#include <string.h>

#include "plugins/train_params.h"

struct full {
    const char *params;
};

static int is_backbone(const void *ctx, const char *name)
{
    (void)ctx;
    return strncmp(name, "head.", 5) != 0 && strncmp(name, "head_dist.", 10) != 0;
}

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    const struct full *f = st;
    size_t found;
    const sct_status rc = train_params(h, m, f->params, is_backbone, NULL, &found, err);
    if (rc == SCT_OK && found == 0 && h->params(m, f->params, NULL, 0))
        return h->fail(
            err, SCT_EUSAGE,
            "params: \"%s\" names the head alone, which is trained anyway, so nothing "
            "of the backbone would be; expected parameters like \"blocks.11.**\", or "
            "strategy linear",
            f->params);
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
