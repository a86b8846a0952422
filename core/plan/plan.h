/* SPDX-License-Identifier: MIT
 * plan.h - from a graph to a program of one device: where every node runs, where every value
 * lies.
 *
 * Passes, one file each, in this order; every one can be looked at (sct_plan_dump):
 *   prune      (core/ir, as the next three) drops what no output needs
 *   sort       every node after what it reads
 *   infer      shapes, with one image a micro-batch
 *   verify     refuses a graph whose parts do not fit
 *   segment    class of every value, segment of every node
 *   fuse       (core/fuse) composite ops where the backend has the row
 *   recompute  clones forward nodes of a block before its backward (checkpoint: block)
 *   shape      slots, lanes, images per micro-batch (asked with the arena of one image)
 *   choose     the backend's row for every node; names what is unsupported
 *   pack       PACK nodes for the layouts that the rows want
 *   live       first and last use of every value
 *   inplace    which outputs take the storage of their input
 *   place      offsets
 *   bind       the program description the backend gets, its buffers
 * A plan allocates no device memory: its figures are known before the first step.
 * Thread rule: one thread at a time. */
#ifndef SCT_PLAN_H
#define SCT_PLAN_H

#include <sctrun/backend.h>

#include "core/ir/graph.h"

enum sct_checkpoint { SCT_CHECKPOINT_NONE, SCT_CHECKPOINT_BLOCK, SCT_CHECKPOINT_AUTO };

struct sct_plan_opts {
    uint32_t micro_batch, lanes; /* 0: the backend's choice */
    uint32_t slots;              /* 0: sct_plan_slots */
    uint32_t checkpoint;         /* enum sct_checkpoint */
    uint64_t memory_limit;       /* bytes on the device, 0: what the device reports */
    bool any_size;               /* plan even what does not fit: see sct_plan_fits */
    bool no_fuse;
    const char *after; /* stop after this pass and return what there is, for dumps; or NULL */
};

/* What the plan knows of a value. */
struct sct_pvalue {
    uint8_t cls;          /* enum sct_segkind */
    uint8_t scope;        /* enum sct_scope */
    uint32_t root;        /* the value whose storage it shares (itself if none) */
    uint32_t first, last; /* live range on its scope's time line; first > last: never stored */
    uint32_t slots;       /* SCT_SLOTS: copies */
    struct sct_place
        place; /* of the root; buf: slab, for CONST and PERSIST the store's entry */
};

/* What the plan knows of a node. */
struct sct_pnode {
    uint8_t seg; /* enum sct_segkind */
    bool view;   /* runs no kernel */
    bool alias;  /* out[0] in place of in[0] */
    struct sct_choice choice;
};

struct sct_slabs {
    uint32_t n;
    uint64_t *bytes;
};

struct sct_plan {
    const struct sct_backend *be;
    sct_device *dev;
    struct sct_device_info info;
    struct sct_plan_opts opts;
    struct sct_graph *g; /* own copy */
    struct sct_pvalue *val;
    struct sct_pnode *node;
    uint32_t cap_val, cap_node;
    uint32_t *order[SCT_SEG_COUNT], n_order[SCT_SEG_COUNT]; /* nodes of each segment */
    struct sct_shape shape;
    uint32_t slots;
    struct sct_micro *micro;
    uint32_t n_micro;
    struct sct_slabs lane, step, batch, acc;   /* device memory beside the store */
    struct sct_place *scratch;                 /* per node; scope and offset, len 0: none */
    uint64_t accum_bytes, lane_need;           /* one slot; liveness lower bound of a lane */
    bool recomputed, stopped;                  /* stopped: by opts.after, not to be run */
    bool placed;                               /* the last offsets are there */
    struct sct_progdesc prog;                  /* filled by bind */
    uint32_t buf_base[SCT_SCOPE_COUNT], n_buf; /* how place.buf maps to the array of buffers */
    uint32_t *store_val;                       /* buffers CONST/PERSIST: value id per entry */
    uint32_t n_store, cap_store;
};

/* Plans graph g (copied) for the device; info is the device's own. EUNSUP names every op
 * without a row, with the number of its nodes; ENOMEM when the device's memory cannot hold it,
 * with the figures. On failure *out is NULL. */
sct_status sct_plan_create(struct sct_plan **out, const struct sct_graph *g,
                           const struct sct_backend *be, sct_device *dev,
                           const struct sct_device_info *info, const struct sct_plan_opts *opts,
                           sct_error *err);
void sct_plan_destroy(struct sct_plan **p);

/* Slots for accumulators of `bytes` (one copy): min(batch, 16, max(1, 64 MiB / bytes)). */
uint32_t sct_plan_slots(uint64_t bytes, uint32_t batch);

/* Names of the passes in their order, for messages. */
#define SCT_PLAN_PASSES                                                                        \
    "prune, sort, infer, verify, segment, fuse, recompute, shape, choose, pack, live, "        \
    "inplace, place, bind"

/* Bytes by purpose, for --dry-run and for error messages. */
struct sct_plan_memory {
    uint64_t weights, packs;       /* CONST: dense, packed */
    uint64_t trainable, optimizer; /* PERSIST: parameters, other state */
    uint64_t activations;          /* all lanes, with their scratch */
    uint64_t accumulators, step, batch;
    uint64_t total, largest;
};

void sct_plan_memory(const struct sct_plan *p, struct sct_plan_memory *m);
/* Whether all of it is within the memory limit, or the device. */
bool sct_plan_fits(const struct sct_plan *p);
/* A table for people. String from sct_alloc or NULL. */
char *sct_plan_memory_text(const struct sct_plan *p);
/* What the passes have decided until now: the graph; after segment by segment with row, scope
 * and offset; after place also every value's storage, bytes and lifetime; after bind also the
 * buffers of the program. String from sct_alloc or NULL. */
char *sct_plan_dump(const struct sct_plan *p);

/* ---- the passes ---- */

sct_status sct_plan_segment(struct sct_plan *p, sct_error *err);
sct_status sct_plan_fuse(struct sct_plan *p, sct_error *err);
sct_status sct_plan_recompute(struct sct_plan *p, sct_error *err);
sct_status sct_plan_live(struct sct_plan *p, sct_error *err);
void sct_plan_inplace(struct sct_plan *p);
sct_status sct_plan_shape(struct sct_plan *p, sct_error *err);
/* strict: unsupported ops are an error; else only scratch is asked. */
sct_status sct_plan_choose(struct sct_plan *p, bool strict, sct_error *err);
sct_status sct_plan_pack(struct sct_plan *p, sct_error *err);
sct_status sct_plan_place(struct sct_plan *p, sct_error *err);
sct_status sct_plan_bind(struct sct_plan *p, sct_error *err);

/* ---- shared by the passes ---- */

/* The node as the backend sees it (accumulators of ZERO and SLOT_SUM with their slots). */
void sct_plan_opdesc(const struct sct_plan *p, uint32_t n, struct sct_opdesc *d);
/* Asks for a row for every node whose choice, kept at its first output's id, has none yet. */
sct_status sct_plan_probe(struct sct_plan *p, struct sct_choice *by_value, bool strict,
                          sct_error *err);
/* Storage of a value on the device, one copy. */
uint64_t sct_plan_bytes(const struct sct_plan *p, uint32_t v);
uint64_t sct_plan_desc_bytes(const struct sct_plan *p, const struct sct_desc *d);

/* One thing to place: size > 0, live on [first, last]. off and slab are filled. */
struct sct_arena_item {
    uint64_t size, off;
    uint32_t first, last, slab, id;
};

/* By decreasing size into the smallest gap; slabs of at most max bytes. slabs->bytes is grown
 * by sct_realloc. ENOMEM names the item that is larger than a slab. */
sct_status sct_arena_pack(struct sct_arena_item *item, uint32_t n, uint64_t max,
                          struct sct_slabs *slabs, sct_error *err);

#endif
