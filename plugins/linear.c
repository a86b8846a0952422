/* SPDX-License-Identifier: MIT
 * linear.c - linear probing: the head is trainable by default, so there is nothing to do.
 * The smallest strategy; start here when writing one. */
#include <sctrun/strategy.h>

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    (void)st;
    (void)h;
    (void)m;
    (void)err;
    return SCT_OK;
}

const struct sct_strategy *sct_strategy_entry_v1(void)
{
    static const struct sct_strategy s = {
        .abi = SCT_STRATEGY_ABI,
        .size = sizeof s,
        .name = "linear",
        .summary = "linear probing: only the head is trained",
        .apply = apply,
    };
    return &s;
}
