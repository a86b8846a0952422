/* SPDX-License-Identifier: MIT
 * exec_impl.h - the inside of an exec. Private to core/exec. */
#ifndef SCT_EXEC_IMPL_H
#define SCT_EXEC_IMPL_H

#include "core/exec/exec.h"

struct sct_exec {
    struct sct_plan *p;
    struct sct_store *store;
    sct_prog *prog;
    sct_buf **buf;  /* as progdesc wants them */
    uint32_t owned; /* the first `owned` are ours, the others the store's */
};

#endif
