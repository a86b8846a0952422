/* SPDX-License-Identifier: MIT
 * strategy.h - the strategy ABI, version 1.
 *
 * A strategy is a shared object that exports sct_strategy_entry_v1, nothing else, and uses only
 * the host table that it is handed. The head is trainable by default, so the smallest strategy
 * does nothing and is linear probing.
 *
 * Training:  observe(plain model) -> one calibration run per protocol -> choose(readings) ->
 *            apply(fresh model). observe and choose may be NULL.
 *            Strategies that are composed take each of these steps one after the other, before
 *            any takes the next: all see the plain model, each its own readings.
 * Loading:   load(adapter) -> apply(fresh model); then the host fills parameters by name. load
 *            must restore what choose decided. apply builds the same graph in both cases.
 * Saving:    the host saves parameters and indices itself; save is for what else must be
 *            remembered.
 *
 * Threads: all calls for one model come from one thread. Errors: return a status and fill the
 * error through host->fail; a failing call leaves the model to be thrown away. */
#ifndef SCTRUN_STRATEGY_H
#define SCTRUN_STRATEGY_H

#include <sctrun/base.h>
#include <sctrun/graph.h>
#include <sctrun/ops.h>
#include <sctrun/sites.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SCT_STRATEGY_ABI 1u

typedef struct sct_model sct_model;
typedef struct sct_readings sct_readings;
typedef struct sct_adapter sct_adapter;

/* What can be watched. id: site id for values, parameter id for gradients. */
enum sct_watch {
    SCT_WATCH_SUMSQ_LABEL, /* per label and channel: sum of squares over images and tokens */
    SCT_WATCH_GRAD_SUMSQ,  /* per element: sum over batches of the squared gradient of the mean
                            * loss of the batch; batches of 1 give squares of image gradients */
};

enum sct_list { SCT_LIST_TRAIN, SCT_LIST_TEST };

/* How a calibration run goes over the data. Watches of one kind with equal protocols share one
 * run. In a dry run nothing is measured: every reading is 1. */
struct sct_protocol {
    uint32_t size;
    uint32_t train_mode;  /* 1: drop path and dropout on */
    uint32_t batch;       /* images a batch; 0: the run's batch size */
    uint32_t max_batches; /* 0: the whole list once */
    uint32_t shuffle, list;
    uint32_t any_class;   /* 1: one row for all labels */
    uint32_t skip_prefix; /* 1: prefix tokens (class token) are not counted */
};

/* Optimiser group: multipliers of the run's lr and weight decay. NULL means 1 and 1. */
struct sct_group {
    uint32_t size;
    float lr_mult, wd_mult;
};

enum sct_optype {
    SCT_OPT_BOOL,   /* uint32_t; on|off|true|false|yes|no|1|0 */
    SCT_OPT_UINT,   /* uint32_t */
    SCT_OPT_FLOAT,  /* float */
    SCT_OPT_STRING, /* const char *, owned by the host, lives as long as the state */
    SCT_OPT_CHOICE, /* uint32_t: index into def_str's words "a|b|c", the first is the default */
    SCT_OPT_COUNT,  /* struct sct_count: a number, or a fraction of something ("96", "1/8") */
};

struct sct_count {
    uint32_t number; /* used when den is 0 */
    uint32_t num, den;
};

/* One row per option: YAML schema, validation, --help. The table ends with a NULL key. */
struct sct_option {
    const char *key, *help;
    uint32_t type; /* enum sct_optype */
    size_t offset; /* into the strategy's state */
    double def, min, max;
    const char *def_str; /* STRING: default; CHOICE: the words; COUNT: default */
};

/* How a value of a table is written into a PyTorch file, where it is not written as what it
 * is. */
enum sct_table_as {
    SCT_TABLE_TENSOR, /* numbers: a tensor, float32 if it is one number, int64 if they are a
                         list */
    SCT_TABLE_SIZES,  /* a mapping of lists: a mapping of torch.Size */
    SCT_TABLE_NUMPY,  /* a mapping of whole numbers: a mapping of numpy.int64 */
};

/* A row a value at the top; the table of rows ends with a NULL name. */
struct sct_table_form {
    const char *name;
    uint32_t form; /* enum sct_table_as */
};

struct sct_strategy_host {
    uint32_t abi, size;

    /* ---- general ---- */
    void *(*alloc)(size_t n); /* zeroed; NULL when memory is short */
    void (*free)(void *p);
    void (*log)(int level, const char *fmt, ...);
    sct_status (*fail)(sct_error *err, sct_status code, const char *fmt, ...);

    /* ---- look ---- */
    /* Matching sites in model order; returns their number even above cap. Pattern:
     * "**.attn.res", "stage[2].block[9:18].mlp.*"; "**" any prefix, "*" one segment or index,
     * "a:b" half-open; of patterns with commas between them one must match. */
    size_t (*sites)(const sct_model *, const char *pattern, struct sct_site *out, size_t cap);
    /* Parameter ids by timm name with the same wildcards ("blocks[*]" is written "blocks.*").
     */
    size_t (*params)(const sct_model *, const char *pattern, uint32_t *out, size_t cap);
    const char *(*param_name)(const sct_model *, uint32_t param);
    sct_status (*param_desc)(const sct_model *, uint32_t param, struct sct_desc *out);
    uint32_t (*classes)(const sct_model *);

    /* ---- measure (observe only) ---- */
    sct_status (*watch)(sct_model *, uint32_t what, uint32_t id, const struct sct_protocol *,
                        sct_error *);
    /* rows x cols values (labels x channels), owned by the readings, or NULL if not watched.
     * row_weight, if not NULL, receives per row the number of images seen. */
    const float *(*reading)(const sct_readings *, uint32_t what, uint32_t id, size_t *rows,
                            size_t *cols, const float **row_weight);

    /* ---- change (apply only); arrays are copied ---- */
    /* One edit is open at a time. Build from site->out (and in); commit redirects every older
     * consumer of site->out to v and moves all sites that tapped it. Edits stack; after a
     * commit ask for the sites again, a site that was edited since is refused. v may have other
     * tokens than site->out, not other channels; what is added counts as prefix tokens in the
     * sites it reaches. */
    struct sct_builder *(*edit_begin)(sct_model *, const struct sct_site *);
    sct_status (*edit_commit)(sct_model *, sct_val v, sct_error *);
    /* A trainable parameter (f32). init: "zeros", "ones", "normal(0, 0.02)",
     * "trunc_normal(0.02)", "kaiming_uniform(2.236068)" (argument: a), "uniform(lo, hi)",
     * "constant(c)", "xavier_uniform", for a convolution's [out][in][kh][kw] "dirac" (it gives
     * its input). Errors are sticky: reported by edit_commit or by the end of apply. */
    sct_val (*new_param)(sct_model *, const char *name, const uint32_t *dim, uint32_t nd,
                         const char *init, const struct sct_group *);
    sct_val (*new_index)(sct_model *, const char *name, const uint32_t *idx, size_t n);
    /* The base's own parameter becomes trainable. */
    sct_status (*train)(sct_model *, uint32_t param, const struct sct_group *, sct_error *);
    /* Selected elements of it: w becomes w with delta added at idx, delta trainable, from 0.
     * Where all of w is trained, before or after, delta keeps its value. */
    sct_status (*train_some)(sct_model *, uint32_t param, const char *name, const uint32_t *idx,
                             size_t n, const struct sct_group *, sct_error *);
    /* Key of a random op: hash of site path and role. */
    uint64_t (*random_key)(const sct_model *, const struct sct_site *, const char *role);

    /* ---- remember ---- */
    /* A stored tensor; *data is owned by the adapter. EFILE names it when it is missing. */
    sct_status (*get)(const sct_adapter *, const char *name, struct sct_desc *,
                      const void **data, sct_error *);
    sct_status (*put)(sct_adapter *, const char *name, const struct sct_desc *,
                      const void *data, sct_error *);
    /* Configuration keys beside the tensors; value is JSON text ("8", "\"q,v\"", "[1, 2]").
     * get_key returns NULL when there is none; the text belongs to the adapter. */
    sct_status (*put_key)(sct_adapter *, const char *key, const char *json, sct_error *);
    const char *(*get_key)(const sct_adapter *, const char *key);
    /* Names in the order they were put, NULL past the end. */
    const char *(*tensor_name)(const sct_adapter *, size_t i);

    /* ---- files of a strategy's own ---- */
    /* 1: nothing is measured, and nothing may be written (--dry-run). */
    int (*dry_run)(const sct_model *);
    /* A file as a table: what tensors and keys are to an adapter. Mappings and lists are opened
     * up, with '/' between the names and numbers that lead to a value: key "structured/0" is
     * the first of a list of strings, tensor "sparse/blocks.0.attn.q.weight" a list of numbers
     * (i32 [n]; f32 [n] unless all are whole). Single values are keys; so are an empty list
     * ("[]") and mapping ("{}"). Read from JSON, and from what torch.save made of plain values
     * and tensors of at most one dimension. EFILE. The caller ends *out by table_close. */
    sct_status (*table_read)(const char *path, sct_adapter **out, sct_error *);
    /* An empty table, to be filled by put and put_key; NULL when memory is short. */
    sct_adapter *(*table_new)(const char *what);
    void (*table_close)(sct_adapter **);
    /* Keys in the order they were put, then tensors, into a file that appears complete or not
     * at all: JSON, or with forms what torch.save makes of it. EFAIL: the system's reason. */
    sct_status (*table_write)(const char *path, const sct_adapter *,
                              const struct sct_table_form *forms, sct_error *);
    /* Keys in the order they were put, NULL past the end. */
    const char *(*key_name)(const sct_adapter *, size_t i);
    /* ---- parameters and paths, later ---- */
    /* 1 when the path fits the pattern (of the language of `sites`), 0 when not or when the
     * pattern is none; then *err says what is wrong with it. */
    int (*match)(const char *pattern, const char *path, sct_error *err);
    /* apply only: the value of parameter `param`, with what train_some has added to it, for
     * nodes that read weights. None, and a sticky error, when there is no such parameter. */
    sct_val (*param_value)(sct_model *, uint32_t param);
    /* apply only: a parameter [n] that starts at the L2 norms of rows first .. first + n - 1 of
     * the base's parameter `param` [rows][in..]. trained 0: it keeps that value, and is saved
     * and loaded as if it were trained. Errors are sticky. */
    sct_val (*new_row_norms)(sct_model *, const char *name, uint32_t param, uint32_t first,
                             uint32_t n, uint32_t trained);
    /* apply only: 1 when an edit has changed site->out, so that it is more than what the plain
     * model computes there. Who builds a layer anew keeps that. */
    int (*edited)(const sct_model *, const struct sct_site *);
    /* ---- the run, later ---- */
    /* The run's seed, for choices that are drawn; the same in observe, choose and apply. */
    uint64_t (*seed)(const sct_model *);
    /* observe and apply only: 1 when the user said the option, by a flag, a recipe or a file of
     * settings; 0 when it has its default, or what configs/strategies says. */
    int (*given)(const sct_model *, const char *key);
};

struct sct_strategy {
    uint32_t abi, size;
    const char *name, *summary;
    const struct sct_option *options; /* may be NULL */
    size_t state_size;                /* the host allocates, zeroes, fills from options */
    sct_status (*observe)(void *st, const struct sct_strategy_host *, sct_model *, sct_error *);
    sct_status (*choose)(void *st, const struct sct_strategy_host *, const sct_model *,
                         const sct_readings *, sct_error *);
    sct_status (*apply)(void *st, const struct sct_strategy_host *, sct_model *, sct_error *);
    sct_status (*save)(const void *st, const struct sct_strategy_host *, sct_adapter *,
                       sct_error *);
    sct_status (*load)(void *st, const struct sct_strategy_host *, const sct_model *,
                       const sct_adapter *, sct_error *);
    void (*fini)(void *st, const struct sct_strategy_host *);
    /* ---- optional: another form on disk (a Hugging Face PEFT folder) ---- */
    /* Both take the tensors and keys of `from` and put the other form into `to`, which is
     * empty. */
    sct_status (*to_disk)(const void *st, const struct sct_strategy_host *,
                          const sct_adapter *from, sct_adapter *to, sct_error *);
    sct_status (*from_disk)(void *st, const struct sct_strategy_host *, const sct_adapter *from,
                            sct_adapter *to, sct_error *);
};

typedef const struct sct_strategy *(*sct_strategy_entry_fn)(void);
#define SCT_STRATEGY_ENTRY "sct_strategy_entry_v1"

/* Defined by the shared object. */
SCT_EXPORT const struct sct_strategy *sct_strategy_entry_v1(void);

#ifdef __cplusplus
}
#endif
#endif
