/* SPDX-License-Identifier: MIT
 * dialect_file.h - checkpoints as lists of names and shapes, for the tests of dialects. */
#ifndef SCT_TEST_DIALECT_FILE_H
#define SCT_TEST_DIALECT_FILE_H

#include "core/model/dialect.h"

/* Sizes of the model that a file is written for. */
struct file_model {
    enum sct_arch arch;
    uint32_t dim, patch, classes, image, heads, depth[4], window;
    bool fc_norm, no_class_token;
};

struct file {
    struct sct_arena arena;
    struct sct_named t[1024];
    uint32_t n;
};

/* Adds a tensor; the test fails when there is no room. */
void file_add(struct file *f, const char *name, uint32_t nd, const uint64_t *dim);
/* The same with a shape of one axis of 8, for names that are only looked at. */
void file_name(struct file *f, const char *name);
/* Whether a dialect has names for just these models. Those that want tokens or layers of their
 * own are compared with files of their library: tests/golden/hub. */
bool file_plain(const struct sct_dialect *d);
/* All tensors of the model in a dialect's names, each with the wrapper in front. */
void file_write(struct file *f, const struct file_model *m, const struct sct_dialect *d,
                const char *wrapper, bool bare);
/* Takes away the tensor of that name; the test fails if it is not there. */
void file_remove(struct file *f, const char *name);
void file_fini(struct file *f);

extern const struct file_model vit_base, swin_base;

#endif
