/* SPDX-License-Identifier: MIT
 * vit.h - a small ViT with random weights, trained for a few steps on made-up images: what plan
 * and exec tests share. */
#ifndef SCT_TEST_VIT_H
#define SCT_TEST_VIT_H

#include "core/exec/exec.h"
#include "core/graphs/graphs.h"
#include "core/model/vit.h"
#include "tests/support/dev.h"

enum { VIT_IMAGE = 16, VIT_CLASSES = 5, VIT_MAX_BATCH = 64 };

struct test_vit {
    struct sct_weights *w;
    struct sct_model *m;
    struct sct_optim optim;
    struct sct_graph *g;
};

/* Model of `depth` blocks for batches of `batch`; full: every parameter trained, else the head
 * and the first block's fc1. drop_path > 0 makes random nodes. 0 on success. */
int test_vit_build(struct test_vit *t, uint32_t batch, uint32_t depth, int full,
                   float drop_path, sct_error *err);
void test_vit_free(struct test_vit *t);

/* `steps` training steps; losses into loss[steps]; a checksum of all trained values into *sum.
 */
sct_status test_vit_train(struct test_vit *t, const struct sct_backend *be, sct_device *dev,
                          const struct sct_device_info *info, const struct sct_plan_opts *o,
                          uint32_t valid, uint32_t steps, float *loss, uint64_t *sum,
                          sct_error *err);

/* The gradients of the first step, one trained tensor after the other, into grad[VIT_MAX_GRADS]
 * (zeros behind them); *b: the images a lane took at once. */
enum { VIT_MAX_GRADS = 32768 };

sct_status test_vit_grads(struct test_vit *t, const struct sct_backend *be, sct_device *dev,
                          const struct sct_device_info *info, const struct sct_plan_opts *o,
                          uint32_t valid, float *grad, uint32_t *b, sct_error *err);

#endif
