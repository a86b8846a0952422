/* SPDX-License-Identifier: MIT
 * build.h - the builder behind ops.h: arity and shape checks, sticky errors. */
#ifndef SCT_IR_BUILD_H
#define SCT_IR_BUILD_H

#include "core/ir/graph.h"

void sct_build_init(struct sct_graph *g);
/* Runs the op's inference for node n into out[]; prefixes errors with label and op name. */
sct_status sct_build_infer(const struct sct_graph *g, const struct sct_gnode *n, uint32_t b,
                           struct sct_desc *out, sct_error *err);

#endif
