/* SPDX-License-Identifier: MIT
 * bitfit.c - BitFit (Ben Zaken et al. 2022, arXiv 2106.10199): the biases are trained, nothing
 * else. Which parameters these are follows KMnP/vpt ("tinytl-bias"): all whose name contains
 * "bias", those of the norms and of the patch embedding included, and with them Swin's tables
 * of relative positions (relative_position_bias_table), which `tables` leaves out. */
#include <string.h>

#include "plugins/train_params.h"

struct bitfit {
    uint32_t tables;
};

/* "x.bias", or any name with "bias" in it where tables count. The classifier's is none: every
 * strategy trains it, so it is no reason to accept a model. */
static int is_bias(const void *ctx, const char *name)
{
    const struct bitfit *f = ctx;
    const char *at = strstr(name, "bias");
    return at && strncmp(name, "head", 4) != 0 && (f->tables || strcmp(at, "bias") == 0);
}

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    size_t found;
    const sct_status rc = train_params(h, m, "**", is_bias, st, &found, err);
    if (rc == SCT_OK && found == 0)
        return h->fail(err, SCT_EUNSUP,
                       "none of the backbone's %zu parameters is a bias; expected names like "
                       "\"blocks.0.attn.qkv.bias\"; strategy lora needs none",
                       h->params(m, "**", NULL, 0));
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
