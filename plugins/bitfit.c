/* SPDX-License-Identifier: MIT
 * bitfit.c - BitFit (Ben Zaken et al. 2022, arXiv 2106.10199): the biases are trained, nothing
 * else. Which parameters these are follows KMnP/vpt ("tinytl-bias"): all whose name contains
 * "bias", those of the norms and of the patch embedding included, and with them Swin's tables
 * of relative positions (relative_position_bias_table), which `tables` leaves out. */
#include <string.h>

#include <sctrun/strategy.h>

struct bitfit {
    uint32_t tables;
};

/* "x.bias", or any name with "bias" in it where tables count. */
static int is_bias(const struct bitfit *f, const char *name)
{
    const char *at = strstr(name, "bias");
    return at && (f->tables || strcmp(at, "bias") == 0);
}

/* The classifier is trained by every strategy: it is no reason to accept a model. */
static int of_head(const char *name)
{
    return strncmp(name, "head", 4) == 0;
}

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    const struct bitfit *f = st;
    const size_t n = h->params(m, "**", NULL, 0);
    uint32_t *id = h->alloc(n * sizeof *id);
    if (!id)
        return h->fail(err, SCT_ENOMEM, "out of memory");
    (void)h->params(m, "**", id, n);
    size_t found = 0;
    sct_status rc = SCT_OK;
    for (size_t i = 0; i < n && rc == SCT_OK; i++) {
        const char *name = h->param_name(m, id[i]);
        if (of_head(name) || !is_bias(f, name))
            continue;
        found++;
        rc = h->train(m, id[i], NULL, err);
    }
    h->free(id);
    if (rc == SCT_OK && found == 0)
        return h->fail(err, SCT_EUNSUP,
                       "none of the backbone's %zu parameters is a bias; expected names like "
                       "\"blocks.0.attn.qkv.bias\"; strategy lora needs none",
                       n);
    return rc;
}

static const struct sct_option options[] = {
    {"tables", "train Swin's relative_position_bias_table, too", SCT_OPT_BOOL,
     offsetof(struct bitfit, tables), 1, 0, 1, NULL},
    {NULL, NULL, 0, 0, 0, 0, 0, NULL},
};

const struct sct_strategy *sct_strategy_entry_v1(void)
{
    static const struct sct_strategy s = {
        .abi = SCT_STRATEGY_ABI,
        .size = sizeof s,
        .name = "bitfit",
        .summary = "BitFit: the biases are trained",
        .options = options,
        .state_size = sizeof(struct bitfit),
        .apply = apply,
    };
    return &s;
}
