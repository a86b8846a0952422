/* SPDX-License-Identifier: MIT
 * adapter.h - an adapter in memory: named tensors and configuration keys. */
#ifndef SCT_PEFT_ADAPTER_H
#define SCT_PEFT_ADAPTER_H

#include "core/ir/model.h"

struct sct_adapter_tensor {
    const char *name;
    struct sct_desc desc;
    void *data;
    bool used;
};

struct sct_adapter_key {
    const char *key, *json;
};

struct sct_adapter {
    struct sct_arena arena;
    struct sct_adapter_tensor *item;
    uint32_t n, cap;
    struct sct_adapter_key *key;
    uint32_t n_key, cap_key;
    const char *origin; /* for messages */
};

struct sct_adapter *sct_adapter_create(const char *origin);
void sct_adapter_destroy(struct sct_adapter **a);
/* Adds a tensor; data (f32 or i32, as d says) is copied. EINVAL when the name is taken. */
sct_status sct_adapter_put(struct sct_adapter *a, const char *name, const struct sct_desc *d,
                           const void *data, sct_error *err);
/* EFILE when it is missing. *data belongs to the adapter. Marks it used. */
sct_status sct_adapter_get(const struct sct_adapter *a, const char *name, struct sct_desc *d,
                           const void **data, sct_error *err);
/* Sets a key to JSON text (copied); a second put replaces the first. */
sct_status sct_adapter_put_key(struct sct_adapter *a, const char *key, const char *json,
                               sct_error *err);
const char *sct_adapter_get_key(const struct sct_adapter *a, const char *key);
const char *sct_adapter_name(const struct sct_adapter *a, size_t i);
const char *sct_adapter_key_name(const struct sct_adapter *a, size_t i);
struct sct_adapter_tensor *sct_adapter_find(const struct sct_adapter *a, const char *name);

/* Copies tensor `name` into a stored parameter of the model (sct_param_is_stored); an index
 * list is compared, one that is kept may be missing. EFILE: missing, another shape, other
 * indices. */
sct_status sct_adapter_fill_param(const struct sct_adapter *a, const char *name,
                                  struct sct_model *m, struct sct_param *p, sct_error *err);
/* EFILE names the first tensor that nobody used. */
sct_status sct_adapter_leftover(const struct sct_adapter *a, sct_error *err);
/* Copies the adapter's values into the model's stored parameters, by name; all of them but the
 * kept must be there with the right shapes, nothing may be left over (EFILE). */
sct_status sct_adapter_fill(struct sct_adapter *a, struct sct_model *m, sct_error *err);

#endif
