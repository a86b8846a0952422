/* SPDX-License-Identifier: MIT
 * npy.h - NumPy .npy arrays: written as files for notebooks, read as members of a .npz.
 * Threads: independent calls may run at the same time. */
#ifndef SCT_CHECKPOINT_NPY_H
#define SCT_CHECKPOINT_NPY_H

#include <sctrun/graph.h>

#include <stdbool.h>

/* Writes an array of dtype SCT_F32 or SCT_I32, C order, version 1.0, atomically; the bytes are
 * those of numpy.save. nd 0 is a scalar. data holds the product of the dims and is borrowed.
 * SCT_EINVAL: another dtype, more than SCT_MAX_DIMS dims; SCT_EFAIL: the system's reason. */
sct_status sct_npy_write(const char *path, uint32_t dtype, const uint32_t *dim, uint32_t nd,
                         const void *data, sct_error *err);

enum {
    SCT_NPY_MAX_DIMS = 64,
    SCT_NPY_MAX_HEAD = 16384, /* bytes; NumPy's own limit is 10000 and the magic */
};

/* What the head of an array says. dtype is of enum sct_st_dtype; data_at is where the elements
 * begin. In Fortran order the first dim varies fastest. */
struct sct_npy_head {
    uint64_t dim[SCT_NPY_MAX_DIMS];
    size_t data_at;
    uint32_t nd, dtype;
    bool fortran;
};

/* Versions 1 to 3 of the format. The n bytes at p are the beginning of an array, at least its
 * head unless that is too long or the file is cut off. `what` begins the messages. The product
 * of the dims is not looked at. SCT_EFILE: not an array, big-endian, Python objects,
 * structures, an element type that has no name in safetensors. */
sct_status sct_npy_parse(struct sct_npy_head *h, const void *p, size_t n, const char *what,
                         sct_error *err);

#endif
