/* SPDX-License-Identifier: MIT
 * store.h - what stays on a device between programs: frozen parameters (dense or packed), setup
 * results, trainable parameters, optimiser state. Shared by every plan of the device and keyed
 * by tensor, or by the constant sub-graph that makes the value. A tensor's key is its address:
 * what is stored of a tensor must be forgotten before the tensor is freed, or the next one at
 * that address is taken for it. Thread rule: one thread at a time, the device's. */
#ifndef SCT_EXEC_STORE_H
#define SCT_EXEC_STORE_H

#include "core/plan/plan.h"

struct sct_store;

/* be and dev must outlive the store. NULL when memory is short. */
struct sct_store *sct_store_create(const struct sct_backend *be, sct_device *dev);
/* Frees all buffers; programs that use them must be gone. */
void sct_store_destroy(struct sct_store **s);

/* out[n_store] = the buffers of the plan's root values (scope CONST or PERSIST) in the order of
 * store_val, made now if need be: a parameter is viewed or loaded, and written; a setup value
 * is computed on the device, its inputs one at a time and released at once; where the device
 * can and a tensor has a view, from the memory where it lies. Owned by the store, after a
 * failure, too. */
sct_status sct_store_values(struct sct_store *s, const struct sct_plan *p, sct_buf **out,
                            sct_error *err);

/* Bytes of the store's values of plan p that plan beside does not have too: what p adds to the
 * device when beside is there. ENOMEM. */
sct_status sct_store_bytes_beside(const struct sct_plan *p, const struct sct_plan *beside,
                                  uint64_t *bytes, sct_error *err);

/* Current values of a tensor (f32 or i32 elements as its desc says). EINVAL if it was never
 * stored. */
sct_status sct_store_read(struct sct_store *s, const struct sct_tensor *t, void *dst,
                          sct_error *err);
/* Overwrites a tensor if it is stored; nothing happens otherwise. */
sct_status sct_store_write(struct sct_store *s, const struct sct_tensor *t, const void *src,
                           sct_error *err);
/* Frees what is stored of tensors t[0..n-1]; programs that use them must be gone. */
void sct_store_forget(struct sct_store *s, const struct sct_tensor *t, uint32_t n);
/* Frees the frozen values that plan p has in the store; programs that use them must be gone. A
 * later plan makes them again. ENOMEM: nothing was freed. */
sct_status sct_store_forget_frozen(struct sct_store *s, const struct sct_plan *p,
                                   sct_error *err);
/* Frees all that goes with a model: its own tensors and what setup made of any of them. What is
 * left are tensors of bases (sct_tensor.lasting) and what was made of them alone, which the
 * next model on the same base finds here. Programs that use them must be gone. */
void sct_store_forget_models(struct sct_store *s);
/* How many tensors were written to the device or read by it in place, and values computed by
 * setup, since the store was made. */
void sct_store_counts(const struct sct_store *s, uint64_t *uploads, uint64_t *computed);
/* 1 when the tensor is stored. */
int sct_store_has(const struct sct_store *s, const struct sct_tensor *t);

/* Host elements of desc to and from a buffer, in whatever width the device stores f32. */
sct_status sct_dev_write(const struct sct_backend *be, sct_device *dev, sct_buf *b,
                         uint64_t off, const struct sct_desc *d, const void *src,
                         sct_error *err);
/* The same of f32 values as doubles: all digits of a device that computes in f64. */
sct_status sct_dev_read_f64(const struct sct_backend *be, sct_device *dev, const sct_buf *b,
                            uint64_t off, const struct sct_desc *d, double *dst,
                            sct_error *err);
sct_status sct_dev_read(const struct sct_backend *be, sct_device *dev, const sct_buf *b,
                        uint64_t off, const struct sct_desc *d, void *dst, sct_error *err);

#endif
