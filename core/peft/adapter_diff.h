/* SPDX-License-Identifier: MIT
 * adapter_diff.h - what the tensors of two adapters differ in. Thread rule: one thread at a
 * time. */
#ifndef SCT_PEFT_ADAPTER_DIFF_H
#define SCT_PEFT_ADAPTER_DIFF_H

#include "core/peft/adapter.h"

enum sct_diff_kind {
    SCT_DIFF_EQUAL, /* the same bits */
    SCT_DIFF_VALUES,
    SCT_DIFF_SHAPE, /* or element type */
    SCT_DIFF_ONLY_A,
    SCT_DIFF_ONLY_B,
};

/* One name. Of numbers: L2 norms, that of the difference, its largest element (infinite where
 * bits differ and the difference is no number). Of index lists (i32, one dimension) of any
 * lengths: how many entries are in both, |A and B|, and in either, |A or B|. */
struct sct_tensor_diff {
    const char *name;
    const struct sct_adapter_tensor *a, *b; /* NULL: not there */
    uint32_t kind;                          /* enum sct_diff_kind */
    double norm_a, norm_b, norm_diff, max_abs;
    bool index;
    uint32_t both, either;
};

/* norm_diff over the larger norm; 0 of two zeros. */
double sct_tensor_diff_relative(const struct sct_tensor_diff *d);
/* |A and B| over the shorter list, and over either: Jaccard's index. 1 of empty lists. */
double sct_tensor_diff_overlap(const struct sct_tensor_diff *d);
double sct_tensor_diff_jaccard(const struct sct_tensor_diff *d);

/* All names in plain order, *n of them; borrows from both. The caller frees *out with sct_free.
 * SCT_ENOMEM: *out is NULL. */
sct_status sct_adapter_diff(struct sct_tensor_diff **out, uint32_t *n,
                            const struct sct_adapter *a, const struct sct_adapter *b,
                            sct_error *err);

/* Entries that are in both of two lists of channels, in any order; repeats count once. */
sct_status sct_index_both(const int32_t *a, uint32_t n_a, const int32_t *b, uint32_t n_b,
                          uint32_t *both, uint32_t *either, sct_error *err);

#endif
