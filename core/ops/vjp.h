/* SPDX-License-Identifier: MIT
 * vjp.h - one prototype vjp_<name> for each row of ops.def.
 * Rows marked NODIFF have no definition; nothing refers to theirs. */
#ifndef SCT_OPS_VJP_H
#define SCT_OPS_VJP_H

#include "core/ir/op.h"

#define SCT_OP(ID, NAME, IN_MIN, IN_MAX, OUT, GRAD, TOL, ARG, PARAMS, FLAGS)                   \
    void vjp_##NAME(struct sct_vjp *v);
#include <sctrun/ops.def>
#undef SCT_OP

#endif
