/* SPDX-License-Identifier: MIT
 * match.h - what the rules of the fuse pass share. Private to core/fuse. */
#ifndef SCT_FUSE_MATCH_H
#define SCT_FUSE_MATCH_H

#include <string.h>

#include "core/fuse/fuse.h"

struct fuse {
    struct sct_graph *g;
    sct_fuse_has has;
    void *ctx;
    uint32_t *uses; /* per value: node inputs plus 1 if the host reads it */
    uint8_t *dead;  /* per node */
    bool changed;
    sct_error err;
};

/* The node that makes v if it is of this op and still there, else NULL. */
static inline const struct sct_gnode *fuse_made_by(const struct fuse *f, uint32_t v,
                                                   uint32_t op)
{
    const uint32_t n = f->g->value[v].node;
    if (n == SCT_NO_NODE || f->dead[n] || f->g->node[n].op != op)
        return NULL;
    return &f->g->node[n];
}

/* The same, and v has no other use. */
static inline const struct sct_gnode *fuse_only(const struct fuse *f, uint32_t v, uint32_t op)
{
    return f->uses[v] == 1 ? fuse_made_by(f, v, op) : NULL;
}

/* Starts a candidate that replaces node n. params of `size` bytes from the graph's arena. */
struct sct_gnode fuse_candidate(struct fuse *f, uint32_t n, uint32_t op, const void *params,
                                size_t size);
/* Puts c in the place of node n if the device has it; the nodes that made gone[] (value ids) go
 * away. */
bool fuse_commit(struct fuse *f, uint32_t n, struct sct_gnode *c, const uint32_t *gone,
                 uint32_t n_gone);

/* One rule: tries to match with node n as the last node of its group. */
typedef bool (*fuse_rule)(struct fuse *f, uint32_t n);

bool fuse_sct_module(struct fuse *f, uint32_t n);
bool fuse_sct_module_dx(struct fuse *f, uint32_t n);
bool fuse_lora_module(struct fuse *f, uint32_t n);
bool fuse_linear_gelu(struct fuse *f, uint32_t n);
bool fuse_linear_dx_gelu(struct fuse *f, uint32_t n);
bool fuse_linear_add(struct fuse *f, uint32_t n);
bool fuse_linear_dx_add(struct fuse *f, uint32_t n);
bool fuse_layernorm_dx_add(struct fuse *f, uint32_t n);

/* The rule that comes first, since it makes nodes: see some.c. */
sct_status fuse_gradients_of_some(struct sct_graph *g, sct_fuse_has has, void *ctx,
                                  sct_error *err);

#endif
