/* SPDX-License-Identifier: MIT
 * ref.h - the reference kernels: ref_<op>_f32 and ref_<op>_f64 for every row of ops.def.
 *
 * Every file of this folder is compiled twice, REAL = float and REAL = double; in the f64 build
 * every value of dtype f32 is stored as double (bf16, f16, i32, u8 stay as they are). Sums run
 * in double in both. The reference is the specification: plain loops, no tricks, one thread
 * (part and parts are ignored; the caller runs it once). */
#ifndef SCT_REF_H
#define SCT_REF_H

#include "kernels/kargs.h"

#define SCT_OP(ID, NAME, IN_MIN, IN_MAX, OUT, GRAD, TOL, ARG, PARAMS, FLAGS)                   \
    void ref_##NAME##_f32(const struct sct_kargs *k);                                          \
    void ref_##NAME##_f64(const struct sct_kargs *k);
#include <sctrun/ops.def>
#undef SCT_OP

/* Inside a kernel file: REAL is float or double, REF(linear) is ref_linear_f32 or _f64. */
#ifdef REAL
#define REF_CAT_(A, B) A##B
#define REF_CAT(A, B)  REF_CAT_(A, B)
#define REF(NAME)      REF_CAT(ref_##NAME, REF_SUFFIX)
#endif

#endif
