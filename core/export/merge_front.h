/* SPDX-License-Identifier: MIT
 * merge_front.h - private to core/export: the bottlenecks of merge.h, found and folded. */
#ifndef SCT_EXPORT_MERGE_FRONT_H
#define SCT_EXPORT_MERGE_FRONT_H

#include <stdbool.h>

#include "core/export/merge.h"

/* Whether value v of g is a bottleneck beside its own input; then *f gets its tensors and its
 * scale, and *x that input. */
bool sct_merge_front_read(const struct sct_graph *g, uint32_t v, struct sct_merge_front *f,
                          uint32_t *x);

/* w, the values of the weight [out][in] (bias false) or of the bias [out] (bias true) of the
 * layer behind f, folded. weight: W's values, not w. EFILE, ENOMEM. */
sct_status sct_merge_front_fold(const struct sct_merge_front *f, const float *weight,
                                uint32_t out, uint32_t in, bool bias, float *w, sct_error *err);

#endif
