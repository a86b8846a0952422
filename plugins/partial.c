/* SPDX-License-Identifier: MIT
 * partial.c - partial fine-tuning ("Partial-n" of KMnP/vpt): the last n blocks and the final
 * norm are trained. Blocks are counted over the stages of a Swin; its patch merging, which is
 * part of no block, stays as it is. */
#include <string.h>

#include "plugins/train_params.h"

struct partial {
    uint32_t blocks;
};

/* The block that a layer belongs to: "blocks.3.**" of "blocks.3.mlp.fc1.weight". */
static sct_status train_block(const struct sct_strategy_host *h, sct_model *m,
                              const struct sct_site *fc1, sct_error *err)
{
    static const char end[] = ".mlp.fc1.weight";
    char pattern[160];
    const char *weight = fc1->weight ? h->param_name(m, fc1->weight - 1) : "";
    const char *at = strstr(weight, end);
    if (!at || (size_t)(at - weight) + sizeof ".**" > sizeof pattern)
        return h->fail(err, SCT_EUNSUP, "%s: its weight has no name like \"*%s\"", fc1->path,
                       end);
    (void)snprintf(pattern, sizeof pattern, "%.*s.**", (int)(at - weight), weight);
    size_t found;
    return train_params(h, m, pattern, NULL, NULL, &found, err);
}

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    const struct partial *p = st;
    const size_t n = h->sites(m, "**.mlp.fc1", NULL, 0); /* one a block */
    if (p->blocks > n)
        return h->fail(err, SCT_EUSAGE, "blocks: the last %u are wanted, this model has %zu",
                       p->blocks, n);
    struct sct_site *fc1 = h->alloc(n * sizeof *fc1);
    if (!fc1)
        return h->fail(err, SCT_ENOMEM, "out of memory");
    (void)h->sites(m, "**.mlp.fc1", fc1, n);
    sct_status rc = SCT_OK;
    for (size_t i = n - p->blocks; i < n && rc == SCT_OK; i++)
        rc = train_block(h, m, &fc1[i], err);
    h->free(fc1);
    size_t found;
    return rc == SCT_OK ? train_params(h, m, "norm.*,fc_norm.*", NULL, NULL, &found, err) : rc;
}

static const struct sct_option options[] = {
    {"blocks", "how many blocks, from the last one back", SCT_OPT_UINT,
     offsetof(struct partial, blocks), 1, 1, 1024, NULL},
    {NULL, NULL, 0, 0, 0, 0, 0, NULL},
};

const struct sct_strategy *sct_strategy_entry_v1(void)
{
    static const struct sct_strategy s = {
        .abi = SCT_STRATEGY_ABI,
        .size = sizeof s,
        .name = "partial",
        .summary = "the last blocks and the final norm are trained",
        .options = options,
        .state_size = sizeof(struct partial),
        .apply = apply,
    };
    return &s;
}
