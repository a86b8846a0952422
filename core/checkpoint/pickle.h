/* SPDX-License-Identifier: MIT
 * pickle.h - a Python pickle as a tree that can be looked at. Nothing is ever executed.
 *
 * A pickle is a program for a stack machine that makes objects by calling what it names. Here
 * the machine only takes notes: a call becomes a node that holds the name of what would have
 * been called, and its arguments. So no name has to be trusted, and unknown ones do no harm:
 * whoever reads the tree looks for the few shapes that it understands.
 *
 * Nodes share, and may contain themselves: walk with a limit of depth and of steps.
 *
 * Threads: one at a time uses a tree. */
#ifndef SCT_CHECKPOINT_PICKLE_H
#define SCT_CHECKPOINT_PICKLE_H

#include <sctrun/base.h>

#include <stdbool.h>

enum {
    SCT_PICKLE_MAX_BYTES = 256 << 20,
    SCT_PICKLE_MAX_NODES = 4 << 20,
    SCT_PICKLE_MAX_CELLS = 4 << 20,
    SCT_PICKLE_MAX_MEMO = 4 << 20,
    SCT_PICKLE_MAX_STACK = 1 << 20,
};

#define SCT_PICKLE_NIL UINT32_MAX

enum sct_pickle_kind {
    SCT_PICKLE_NONE,
    SCT_PICKLE_BOOL,   /* i */
    SCT_PICKLE_INT,    /* i */
    SCT_PICKLE_LONG,   /* text: two's complement, little-endian, more than 8 bytes */
    SCT_PICKLE_FLOAT,  /* f */
    SCT_PICKLE_STR,    /* text; may hold any bytes */
    SCT_PICKLE_BYTES,  /* text */
    SCT_PICKLE_TUPLE,  /* obj: items */
    SCT_PICKLE_LIST,   /* obj: items */
    SCT_PICKLE_SET,    /* obj: items */
    SCT_PICKLE_DICT,   /* obj: items with keys */
    SCT_PICKLE_GLOBAL, /* global: a class or function by name */
    SCT_PICKLE_CALL,   /* obj: what fn(args) would make; state; items that were put into it */
    SCT_PICKLE_PERSID, /* obj: args says what is stored elsewhere */
};

/* Text points into the pickle and has no end. */
struct sct_pickle_text {
    const char *s;
    uint32_t n;
};

/* Node and cell numbers, or SCT_PICKLE_NIL. */
struct sct_pickle_obj {
    uint32_t fn, args, state;
    uint32_t head, tail, n; /* cells */
};

struct sct_pickle_global {
    const char *module, *name;
    uint32_t module_n, name_n;
};

struct sct_pickle_node {
    uint32_t kind;

    union {
        int64_t i;
        double f;
        struct sct_pickle_text text;
        struct sct_pickle_obj obj;
        struct sct_pickle_global global;
    } u;
};

/* One item of a node; key is NIL where there are none. */
struct sct_pickle_cell {
    uint32_t key, value, next;
};

/* Zero-initialised is empty. */
struct sct_pickle {
    struct sct_pickle_node *node;
    struct sct_pickle_cell *cell;
    uint32_t n_node, n_cell, cap_node, cap_cell;
    uint32_t root;
    size_t used; /* bytes up to and with the end of the pickle; more may follow */
};

/* Protocols 2 to 5, those opcodes that picklers write. The bytes must outlive *p; `what` begins
 * the messages ("m.pth: data.pkl"). On success the caller ends *p by sct_pickle_fini; on
 * failure it is empty. SCT_EFILE with the byte and the opcode; SCT_ENOMEM. */
sct_status sct_pickle_parse(struct sct_pickle *p, const void *data, size_t n, const char *what,
                            sct_error *err);
void sct_pickle_fini(struct sct_pickle *p);

/* The node is the global module.name. */
bool sct_pickle_is_global(const struct sct_pickle *p, uint32_t node, const char *module,
                          const char *name);
/* Node of the k-th item of a tuple, list or set; NIL if the node is none or shorter. */
uint32_t sct_pickle_item(const struct sct_pickle *p, uint32_t node, uint32_t k);
/* Value of a string key in a dict, or NIL. */
uint32_t sct_pickle_get(const struct sct_pickle *p, uint32_t node, const char *key);

#endif
