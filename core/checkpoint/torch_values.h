/* SPDX-License-Identifier: MIT
 * torch_values.h - plain values in a file of torch.save, as a JSON tree, and the way back.
 * For files that say something, not for weights: those are checkpoint.h's. Nothing in a file is
 * executed. */
#ifndef SCT_CHECKPOINT_TORCH_VALUES_H
#define SCT_CHECKPOINT_TORCH_VALUES_H

#include "core/io/json.h"

enum { SCT_VALUES_MAX = 4 << 20, SCT_VALUES_MAX_DEPTH = 16, SCT_VALUES_MAX_TENSORS = 1024 };

/* The dict in a zip file of torch.save as an object: dict, OrderedDict -> object; list, tuple,
 * torch.Size -> array; None, bool, int, float, str; numpy scalars -> numbers; tensors of one
 * dimension -> arrays, of none -> numbers, wherever their storages were. Keys are strings.
 * SCT_EFILE names what else is found: another object, a number that is not finite, more than
 * SCT_VALUES_MAX values; SCT_ENOMEM. The caller ends *out by json_decref; NULL on failure. */
sct_status sct_torch_values_read(const char *path, json_t **out, sct_error *err);
/* The same for the bytes of a file; name begins the messages. */
sct_status sct_torch_values_parse(const void *data, size_t n, const char *name, json_t **out,
                                  sct_error *err);

/* How the value of a key at the top is pickled. */
enum sct_values_form {
    SCT_VALUES_PLAIN,  /* as what it is: dict, list, int, float, str, bool, None */
    SCT_VALUES_TENSOR, /* a number: float32 without dimensions; an array of whole numbers: int64
                        */
    SCT_VALUES_SIZES,  /* an object of arrays: dict of torch.Size */
    SCT_VALUES_NUMPY,  /* an object of whole numbers: dict of numpy.int64 */
};

/* Writes the tree as torch.save does (pickle protocol 2, storages on the CPU); form(ctx, key)
 * says how. The same tree gives the same bytes. SCT_EINVAL: a value does not have the form;
 * SCT_EFAIL: the system's reason; SCT_ENOMEM. */
sct_status sct_torch_values_write(const char *path, const json_t *tree,
                                  enum sct_values_form (*form)(const void *ctx,
                                                               const char *key),
                                  const void *ctx, sct_error *err);

#endif
