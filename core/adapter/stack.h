/* SPDX-License-Identifier: MIT
 * stack.h - adapters on top of each other: their strategies are applied to one model in the
 * order of the folders, and every parameter gets the value that its own folder holds.
 *
 * They must have been trained on the same base; the head is the last one's, or that of the
 * folder which is named. One adapter is a stack of one. Thread rule: one thread. */
#ifndef SCT_ADAPTER_STACK_H
#define SCT_ADAPTER_STACK_H

#include "core/adapter/io.h"

struct sct_stack_item {
    const char *dir;
    struct sct_adapter_info info;
    struct sct_adapter_parts parts;
    uint32_t first; /* of its strategies among those of the tuner */
};

struct sct_stack {
    struct sct_arena arena;
    struct sct_stack_item *item;
    uint32_t n, head; /* whose head it is */
};

/* Opens the folders of a LIST (core/io/option.h) and their strategies in *t. head_from: one of
 * the folders, or NULL: the last, and all must have the same classes. EUSAGE: they do not go
 * together; EFILE: one of them is damaged; EPLUGIN. Both are empty on failure. */
sct_status sct_stack_open(struct sct_stack *s, struct sct_tuner *t, const char *dirs,
                          const char *head_from, sct_error *err);
void sct_stack_close(struct sct_stack *s);

/* Every strategy reads from its folder what it had chosen. */
sct_status sct_stack_load(const struct sct_stack *s, struct sct_tuner *t,
                          const struct sct_model *plain, sct_error *err);
/* Copies the values into the model that *t was applied to. EFILE: a tensor is missing or has no
 * place; EUSAGE: two folders train the same parameter of the base, or one has nothing to add.
 */
sct_status sct_stack_fill(const struct sct_stack *s, struct sct_model *m, sct_error *err);

#endif
