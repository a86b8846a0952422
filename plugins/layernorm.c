/* SPDX-License-Identifier: MIT
 * layernorm.c - LayerNorm tuning: weights and biases of all norms are trained, those outside
 * blocks (after the patches, before the head, at Swin's patch merging) included. */
#include <string.h>

#include <sctrun/strategy.h>

/* "blocks.0.norm1.weight", "fc_norm.bias": the word before the last one contains "norm". */
static int of_norm(const char *name)
{
    const char *last = strrchr(name, '.'), *norm = strstr(name, "norm");
    return last && norm && norm < last && !memchr(norm, '.', (size_t)(last - norm));
}

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    const size_t n = h->params(m, "**", NULL, 0);
    uint32_t *id = h->alloc(n * sizeof *id);
    (void)st;
    if (!id)
        return h->fail(err, SCT_ENOMEM, "out of memory");
    (void)h->params(m, "**", id, n);
    size_t found = 0;
    sct_status rc = SCT_OK;
    for (size_t i = 0; i < n && rc == SCT_OK; i++) {
        if (!of_norm(h->param_name(m, id[i])))
            continue;
        found++;
        rc = h->train(m, id[i], NULL, err);
    }
    h->free(id);
    if (rc == SCT_OK && found == 0)
        return h->fail(err, SCT_EUNSUP,
                       "none of the model's %zu parameters belongs to a norm; expected names "
                       "like \"blocks.0.norm1.weight\"",
                       n);
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
