/* SPDX-License-Identifier: MIT
 * cases.h - the test inputs of every op: cases_<op> for every row of ops.def.
 * A case says shapes, parameters and how each input is filled; kcheck and gradcheck run it. */
#ifndef SCT_TESTS_CASES_H
#define SCT_TESTS_CASES_H

#include <stdbool.h>

#include <sctrun/backend.h>

#include "core/ir/op.h"

/* What the numbers are. */
enum case_variant {
    CASE_REAL, /* normally distributed */
    CASE_INT, /* small integers: every partial sum is exact, so any order gives the same bits */
    CASE_SPECIAL, /* +-0, denormals, infinities, NaN, the ends of the range */
    CASE_NAN /* REAL with one NaN in input 0: it must reach what depends on it, only that */
};

enum case_flag {
    CASE_SMALL = 1u << 0,  /* in the subset for slow checkers */
    CASE_BIG = 1u << 1,    /* a real model's shape; what --bench times */
    CASE_EDGE = 1u << 2,   /* wants the SPECIAL or NAN variant too */
    CASE_CANCEL = 1u << 3, /* ULP of the op on absolute values: the result may cancel */
    CASE_FWD = 1u << 4     /* not for gradcheck (not smooth, or 16-bit) */
};

enum case_fill_kind {
    FILL_AUTO,  /* by variant; REAL: normal * a + b */
    FILL_UNIT,  /* uniform in [a, b]; INT: 0, 1 or 2 */
    FILL_VALUE, /* a */
    FILL_ROWS,  /* AUTO with every third row constant */
    FILL_HUGE,  /* AUTO with one element of every row 60 times as large */
    FILL_INDEX, /* i32: distinct, in [0, n), in no order */
    FILL_LABEL, /* i32: any, in [0, n) */
    FILL_BYTE,  /* u8 */
    FILL_FROM /* output `out` of op `op` on inputs `from` of this case (f64 reference, rounded)
               */
};

struct case_fill {
    uint32_t kind;
    float a, b; /* FILL_FROM a layernorm: a is eps */
    uint32_t n;
    uint32_t op, out, n_from, from[3];
};

/* scope says whose storage the input has and so its class: CONST is a frozen parameter, PERSIST
 * a trained one or optimiser state, LANE a value of the body, SLOTS an accumulator (d is one
 * slot), BATCH whole batch (d has `batch` rows), STEP a value of prologue or epilogue. */
struct case_in {
    struct sct_desc d;
    uint32_t scope;
    struct case_fill fill;
};

enum { CASE_MAX_IN = SCT_MAX_IN + 2, CASE_SLOTS = 2, CASE_PARAMS = 64 };

struct sct_case {
    char name[88];
    uint32_t op, variant, flags, index; /* index: number of the case within its op */
    uint32_t segment;                   /* enum sct_segkind */
    uint32_t out_scope;
    uint32_t n_in, n_extra; /* extra inputs serve FILL_FROM only */
    struct case_in in[CASE_MAX_IN];
    /* The node is run for micro-batch `micro` of a batch cut into pieces of b. */
    uint32_t b, batch, micro;
    struct sct_step_state step;
    uint64_t terms; /* SUM: how many terms one output element adds */
    uint32_t exact; /* bit i: out[i] is moved data, whatever the op's policy */
    double flops;   /* 0: memory bound, GB/s are reported */
    _Alignas(8) unsigned char params[CASE_PARAMS];
};

struct case_sink {
    void (*emit)(struct case_sink *, const struct sct_case *);
    uint32_t count; /* cases of this op so far */
};

typedef void (*cases_fn)(struct case_sink *);

#define SCT_OP(ID, NAME, IN_MIN, IN_MAX, OUT, GRAD, TOL, ARG, PARAMS, FLAGS)                   \
    void cases_##NAME(struct case_sink *s);
#include <sctrun/ops.def>
#undef SCT_OP

/* Everything ops.def says of an op, for programs that walk the table. */
struct case_op {
    const char *name;
    cases_fn cases;
    uint32_t tol, tol_arg, flags;
    bool diff;
};

/* op < SCT_OP_COUNT; SCT_OP_NONE has no cases. */
const struct case_op *case_op(uint32_t op);

/* ---- for the files that make cases ---- */

/* Sizes around the tiles 14, 16 and 32: tile - 1, tile, tile + 1, 2 tile + 1; 1; primes. */
enum { CASE_SIZES = 12 };

uint32_t case_size(uint32_t i);
/* Images of the i-th shape: 1 and 3 in turn. */
uint32_t case_images(uint32_t i);
/* Flags of the i-th shape; without CASE_EDGE. */
uint32_t case_flags(uint32_t i);
uint32_t case_flags_plain(uint32_t i);

#define DIMS(...)                                                                              \
    (uint32_t)(sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)), (const uint32_t[]) \
    {                                                                                          \
        __VA_ARGS__                                                                            \
    }

/* A case of `b` images in one micro-batch, node in the body. */
SCT_PRINTF(4, 5)
struct sct_case case_new(uint32_t op, uint32_t flags, uint32_t b, const char *fmt, ...);
/* Adds an input and returns where its fill may be changed. */
struct case_fill *case_add(struct sct_case *c, uint32_t scope, uint32_t dtype, uint32_t nd,
                           const uint32_t *dim);
struct case_fill *case_body(struct sct_case *c, uint32_t nd, const uint32_t *dim);
struct case_fill *case_fixed(struct sct_case *c, uint32_t nd, const uint32_t *dim);
/* An accumulator of CASE_SLOTS slots; the node runs for the first micro-batch of the last one.
 */
struct case_fill *case_slots(struct sct_case *c, uint32_t nd, const uint32_t *dim);
/* A weight of the given fan-in: normal / sqrt(fan_in). */
void case_weight(struct sct_case *c, uint32_t fan_in, uint32_t nd, const uint32_t *dim);
void case_index(struct sct_case *c, uint32_t k, uint32_t channels);
void case_label(struct sct_case *c, uint32_t labels);
/* Output `out` of `op` run on this case's inputs from[0..n_from). */
void case_from(struct sct_case *c, uint32_t nd, const uint32_t *dim, uint32_t op, uint32_t out,
               uint32_t n_from, const uint32_t *from);
void case_params(struct sct_case *c, const void *params, size_t size);
/* Hands the case over in the variants that its op's tolerance and its flags ask for. */
void case_emit(struct case_sink *s, const struct sct_case *c);

/* ---- for the programs that run cases ---- */

/* The images of the case's micro-batch. */
struct sct_micro case_micro(const struct sct_case *c);
/* Descriptions of the outputs; the batch's rows for EMIT. */
sct_status case_infer(const struct sct_case *c, struct sct_desc *out, sct_error *err);
/* One node's description for the reference kernels, which look at shapes and parameters only.
 */
void case_opdesc(const struct sct_case *c, const struct sct_desc *out, struct sct_opdesc *d);

/* data[i] for every input: malloc'd, in the input's element type. Frees nothing on failure of
 * memory: returns false and data[] all NULL. */
bool case_data(const struct sct_case *c, uint64_t seed, void *data[CASE_MAX_IN]);
void case_data_free(void *data[CASE_MAX_IN]);

/* Repeatable random numbers for tests. */
struct case_rng {
    uint64_t s;
};
struct case_rng case_rng(uint64_t seed, uint64_t a, uint64_t b, uint64_t c);
uint64_t case_rng_u64(struct case_rng *);
double case_rng_unit(struct case_rng *);   /* [0, 1) */
double case_rng_normal(struct case_rng *); /* mean 0, variance 1 */

#endif
