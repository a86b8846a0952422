/* SPDX-License-Identifier: MIT
 * tensor.h - a stored tensor as the graph sees it: an identity, a description, a way to its
 * data. The address is the identity: the device store keeps one copy per tensor and layout. */
#ifndef SCT_IR_TENSOR_H
#define SCT_IR_TENSOR_H

#include <stdbool.h>

#include <sctrun/graph.h>

struct sct_tensor {
    const char *name; /* unique within a model: "blocks.0.attn.qkv.weight" */
    struct sct_desc desc;
    /* true: changes while the program runs (trainable, optimiser state, run accumulator): scope
     * PERSIST. false: frozen: scope CONST, may be packed by setup. */
    bool mutable;
    /* true: of a base, which outlives the models that are built on it: what a device holds of
     * it, and has made of nothing else, may serve the next model. */
    bool lasting;
    /* Writes the values (f32, i32 or u8 elements, as desc says) to dst. Called by the thread
     * that plans; the values must be the same at every call until the tensor is mutable. */
    sct_status (*load)(const struct sct_tensor *t, void *dst, sct_error *err);
    /* May be NULL: *v = where the values that load would write lie already, or NULL. To be read
     * only, aligned to an element; they stay as long as the tensor. */
    sct_status (*view)(const struct sct_tensor *t, const void **v, sct_error *err);
    /* May be NULL: what was viewed will not be read again soon. */
    void (*viewed)(const struct sct_tensor *t);
    const void *data; /* for sct_tensor_load_data; NULL means zeros */
    void *ctx;
};

/* load for tensors whose elements lie at t->data (zeros when it is NULL). */
sct_status sct_tensor_load_data(const struct sct_tensor *t, void *dst, sct_error *err);

/* The tensor's view; *v is NULL after a failure and where there is none, so that the values
 * have to be loaded. */
sct_status sct_tensor_view(const struct sct_tensor *t, const void **v, sct_error *err);
/* Says that v, from sct_tensor_view or NULL, has been read. */
void sct_tensor_viewed(const struct sct_tensor *t, const void *v);

#endif
