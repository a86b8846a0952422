/* SPDX-License-Identifier: MIT
 * fuse.h - rewrites groups of primitive nodes into the fused ops of ops.def.
 *
 * Models and strategies write primitives; this pass finds the groups that a backend computes in
 * one go. Values keep their ids: a value between the parts that others need becomes a further
 * output of the fused node. */
#ifndef SCT_FUSE_H
#define SCT_FUSE_H

#include "core/ir/graph.h"

/* Says whether the device has a row for this (complete, shaped) node. Its inputs may be values
 * that the pass has just made. */
typedef bool (*sct_fuse_has)(void *ctx, const struct sct_gnode *node);

/* Rewrites g where has() agrees. The graph is sorted and pruned afterwards. */
sct_status sct_fuse(struct sct_graph *g, sct_fuse_has has, void *ctx, sct_error *err);

#endif
