/* SPDX-License-Identifier: MIT
 * bad_table.c - strategies whose table is wrong; compiled once per TABLE. */
#include <sctrun/strategy.h>

#define WRONG_ABI   1
#define SHORT_SIZE  2
#define NULL_TABLE  3
#define NO_APPLY    4
#define NO_NAME     5
#define OTHER_ENTRY 6

#ifndef TABLE
#error compile with -DTABLE=...
#endif

#if TABLE != NO_APPLY
static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    (void)st;
    (void)h;
    (void)m;
    (void)err;
    return SCT_OK;
}
#endif

#if TABLE == OTHER_ENTRY
/* as a plugin of a later ABI would: another symbol */
SCT_EXPORT const struct sct_strategy *sct_strategy_entry_v2(void);
#define sct_strategy_entry_v1 sct_strategy_entry_v2
#endif

const struct sct_strategy *sct_strategy_entry_v1(void)
{
    static const struct sct_strategy s = {
        .abi = TABLE == WRONG_ABI ? SCT_STRATEGY_ABI + 1 : SCT_STRATEGY_ABI,
        .size = TABLE == SHORT_SIZE ? offsetof(struct sct_strategy, load) : sizeof s,
        .name = TABLE == NO_NAME ? NULL : "bad_table",
        .summary = "a test",
#if TABLE != NO_APPLY
        .apply = apply,
#endif
    };
    return TABLE == NULL_TABLE ? NULL : &s;
}
