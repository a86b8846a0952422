/* SPDX-License-Identifier: MIT
 * pickle_impl.h - what pickle.c and pickle_ops.c share. Not for other files. */
#ifndef SCT_CHECKPOINT_PICKLE_IMPL_H
#define SCT_CHECKPOINT_PICKLE_IMPL_H

#include "core/checkpoint/pickle.h"

/* How an argument follows its opcode. */
enum sct_pickle_arg_kind {
    SCT_ARG_NONE,
    SCT_ARG_U1,
    SCT_ARG_U2,
    SCT_ARG_U4,
    SCT_ARG_S4,
    SCT_ARG_U8,
    SCT_ARG_DOUBLE, /* big-endian */
    SCT_ARG_BYTES1, /* a length of 1, 4 or 8 bytes, then so many bytes */
    SCT_ARG_BYTES4,
    SCT_ARG_BYTES8,
    SCT_ARG_LINES, /* two lines of text */
};

struct sct_pickle_arg {
    uint64_t u;
    double f;
    struct sct_pickle_text text[2];
};

struct sct_pickle_vm {
    struct sct_pickle *p;
    const unsigned char *base;
    size_t size, at, op_at; /* the next byte; the opcode at hand */
    const char *what, *op;  /* for messages: begins them; name of the opcode */
    uint32_t *stack, *mark, *memo;
    uint32_t n_stack, n_mark, n_memo;
    uint32_t cap_stack, cap_mark, cap_memo;
    bool done;
    sct_error *err;
};

/* Three nodes there are from the start. */
enum {
    SCT_PICKLE_NODE_NONE,
    SCT_PICKLE_NODE_FALSE,
    SCT_PICKLE_NODE_TRUE,
    SCT_PICKLE_NODES_FIXED
};

struct sct_pickle_op {
    const char *name;
    sct_status (*run)(struct sct_pickle_vm *m, const struct sct_pickle_arg *a);
    uint32_t arg;   /* enum sct_pickle_arg_kind */
    uint32_t value; /* of an opcode whose argument is in its name */
};

/* By code; rows without a name are opcodes that are refused. */
extern const struct sct_pickle_op sct_pickle_ops[256];

/* SCT_EFILE beyond the limit of nodes. */
sct_status sct_pickle_new_node(struct sct_pickle_vm *m, const struct sct_pickle_node *x,
                               uint32_t *at);

#endif
