/* SPDX-License-Identifier: MIT
 * ref_backend.h - the reference backend, built into the library: plain loops, one lane, one
 * thread. Option "f64" = "on" stores every f32 value as double (gradient checks). */
#ifndef SCT_REF_BACKEND_H
#define SCT_REF_BACKEND_H

#include <sctrun/backend.h>

const struct sct_backend *sct_backend_ref(void);

#endif
