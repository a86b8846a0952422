/* SPDX-License-Identifier: MIT
 * layernorm.c - LayerNorm tuning: weights and biases of all norms are trained, those outside
 * blocks (after the patches, before the head, at Swin's patch merging) included. */
#include <string.h>

#include "plugins/train_params.h"

/* "blocks.0.norm1.weight", "fc_norm.bias": the word before the last one contains "norm". */
static int of_norm(const void *ctx, const char *name)
{
    (void)ctx;
    const char *last = strrchr(name, '.'), *norm = strstr(name, "norm");
    return last && norm && norm < last && !memchr(norm, '.', (size_t)(last - norm));
}

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    size_t found;
    (void)st;
    const sct_status rc = train_params(h, m, "**", of_norm, NULL, &found, err);
    if (rc == SCT_OK && found == 0)
        return h->fail(err, SCT_EUNSUP,
                       "none of the model's %zu parameters belongs to a norm; expected names "
                       "like \"blocks.0.norm1.weight\"; strategy lora needs none",
                       h->params(m, "**", NULL, 0));
    return rc;
}

const struct sct_strategy *sct_strategy_entry_v1(void)
{
    static const struct sct_strategy s = {
        .abi = SCT_STRATEGY_ABI,
        .size = sizeof s,
        .name = "layernorm",
        .summary = "the norms are trained",
        .apply = apply,
    };
    return &s;
}
