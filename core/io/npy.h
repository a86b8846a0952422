/* SPDX-License-Identifier: MIT
 * npy.h - writes NumPy .npy files, version 1.0: statistics and logits for people's notebooks.
 */
#ifndef SCT_IO_NPY_H
#define SCT_IO_NPY_H

#include <sctrun/graph.h>

/* Writes an array of dtype SCT_F32 or SCT_I32, C order, atomically; the bytes are those of
 * numpy.save. nd 0 is a scalar. data holds the product of the dims and is borrowed. SCT_EINVAL:
 * another dtype, more than SCT_MAX_DIMS dims; SCT_EFAIL: the system's reason. Any thread. */
sct_status sct_npy_write(const char *path, uint32_t dtype, const uint32_t *dim, uint32_t nd,
                         const void *data, sct_error *err);

#endif
