/* SPDX-License-Identifier: MIT
 * fingerprint.h - what a planned program computes, as a hash.
 *
 * The hash of a value is that of the node that makes it: op, parameters, the backend's row, and
 * the hashes of its inputs; of a source, its name and, of a tensor that is not the base's, its
 * content. So two outputs with the same hash are the same kernels in the same order over the
 * same numbers, whatever else the two programs compute. Thread rule: one thread at a time. */
#ifndef SCT_TUNE_FINGERPRINT_H
#define SCT_TUNE_FINGERPRINT_H

#include "core/io/sha256.h"
#include "core/model/weights.h"
#include "core/plan/plan.h"

/* hex[i] = the hash of output name[i] of plan p, with what holds for the whole plan: batch,
 * images of a micro-batch, slots. base: its tensors count by name, their content is the
 * caller's matter. SCT_EINVAL: no such output; SCT_ENOMEM, SCT_EFILE (a tensor). */
sct_status sct_fingerprint(const struct sct_plan *p, const struct sct_weights *base,
                           const char *const *name, uint32_t n, char (*hex)[SCT_SHA256_HEX],
                           sct_error *err);

#endif
