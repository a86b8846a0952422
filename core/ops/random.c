/* SPDX-License-Identifier: MIT
 * random.c - DROPOUT (Srivastava et al. 2014), DROPPATH (Huang et al. 2016, stochastic depth).
 *
 * y[e] = x[e] / (1 - rate) where u(seed, key, step, e) >= rate, else 0; dx is the same map of
 * dy. u depends on nothing but its arguments, so the gradient draws the forward's numbers
 * again. */
#include "core/ops/check.h"
#include "core/ops/vjp.h"

/* Rows of the batch value: i->batch for a value of the body, its own first dimension outside.
 */
static uint64_t batch_rows(const struct sct_infer *i)
{
    uint64_t rows = i->batch ? i->batch : 1;
    if (i->in[0].nd && i->in[0].dim[0] > rows)
        rows = i->in[0].dim[0];
    return rows;
}

/* per_row: random numbers per image. One block of four numbers has a 32-bit position. */
static sct_status infer_random(const struct sct_infer *i, uint64_t per_row)
{
    const struct sct_random_params *p = i->params;
    const uint64_t most = 4 * ((uint64_t)UINT32_MAX + 1);
    SCT_TRY(sct_infer_want_dtype(i, 0, SCT_F32));
    if (!(p->rate >= 0.0f && p->rate < 1.0f))
        return sct_fail(i->err, SCT_EINVAL, "rate is %g, expected 0 or more and less than 1",
                        (double)p->rate);
    if (per_row > most / batch_rows(i))
        return sct_fail(
            i->err, SCT_EINVAL,
            "%llu elements in each of %llu images, expected at most 2^34 in a batch",
            (unsigned long long)per_row, (unsigned long long)batch_rows(i));
    return sct_infer_same(i, 0, 0);
}

sct_status infer_dropout(const struct sct_infer *i)
{
    const struct sct_desc *x = &i->in[0];
    return infer_random(i, x->nd && x->dim[0] ? sct_desc_count(x) / x->dim[0] : 1);
}

void vjp_dropout(struct sct_vjp *v)
{
    const struct sct_random_params *p = v->params;
    if (v->need[0])
        v->din[0] = sct_emit_(v->b, SCT_OP_DROPOUT, &v->dout[0], 1, p, sizeof *p);
}

sct_status infer_droppath(const struct sct_infer *i)
{
    SCT_TRY(sct_check_rows(i, 0, "input"));
    return infer_random(i, 1);
}

void vjp_droppath(struct sct_vjp *v)
{
    const struct sct_random_params *p = v->params;
    if (v->need[0])
        v->din[0] = sct_emit_(v->b, SCT_OP_DROPPATH, &v->dout[0], 1, p, sizeof *p);
}
