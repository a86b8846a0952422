/* SPDX-License-Identifier: MIT
 * cl_entry.c - the module's one exported symbol.
 * Alone in its file, so that the self-test program can link everything else. */
#include "backends/opencl/cl_internal.h"

const struct sct_backend *sct_backend_entry_v1(void)
{
    return cl_backend();
}
