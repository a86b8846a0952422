/* SPDX-License-Identifier: MIT
 * channels.c - GATHER_CH, SCATTER_CH, SCATTER_ADD_CH, SCATTER_SET_CH, MASK_CH, SLICE_CH,
 * PAD_CH, ADD_CH: some channels of [..][C], chosen by a list of distinct positions or by a
 * range.
 *
 * gather       y[k] = x[idx[k]]                       dx = scatter(dy)
 * scatter      y[idx[k]] = x[k], else 0               dx = gather(dy)
 * scatter_add  out = x, out[idx[k]] += y[k]           dx = dy, dy' = gather(dy)
 * scatter_set  out = x, out[idx[k]] = y[k]            dx = mask(dy), dy' = gather(dy)
 * mask         out = x, out[idx[k]] = 0               dx = mask(dy)
 * slice        y[k] = x[first + k]                    dx = pad(dy)
 * pad          y[first + k] = x[k], else 0            dx = slice(dy)
 * add          out = x, out[first + k] += y[k]        dx = dy, dy' = slice(dy) */
#include "core/ops/check.h"
#include "core/ops/vjp.h"

/* [..][C] -> [..][channels]. */
static sct_status infer_channels(const struct sct_infer *i, uint32_t channels)
{
    struct sct_desc d = i->in[0];
    d.dim[d.nd - 1] = channels;
    return sct_infer_dims(i, 0, SCT_F32, d.nd, d.dim);
}

static sct_status check_range(const struct sct_infer *i, uint32_t first, uint32_t count,
                              uint32_t total)
{
    if (count == 0 || (uint64_t)first + count > total)
        return sct_fail(i->err, SCT_EINVAL, "channels %u..+%u, expected a part of 0..%u", first,
                        count, total);
    return SCT_OK;
}

sct_status infer_gather_ch(const struct sct_infer *i)
{
    SCT_TRY(sct_check_rows(i, 0, "input"));
    SCT_TRY(sct_check_index(i, 1, sct_desc_last(&i->in[0])));
    return infer_channels(i, i->in[1].dim[0]);
}

void vjp_gather_ch(struct sct_vjp *v)
{
    if (v->need[0])
        v->din[0] = sct_scatter_ch(v->b, v->dout[0], v->in[1], sct_desc_last(&v->in_desc[0]));
}

sct_status infer_scatter_ch(const struct sct_infer *i)
{
    const struct sct_channels_params *p = i->params;
    SCT_TRY(sct_check_rows(i, 0, "input"));
    SCT_TRY(sct_check_index(i, 1, p->channels));
    SCT_TRY(sct_check_like_rows(i, 0, "input", 0, i->in[1].dim[0]));
    return infer_channels(i, p->channels);
}

void vjp_scatter_ch(struct sct_vjp *v)
{
    if (v->need[0])
        v->din[0] = sct_gather_ch(v->b, v->dout[0], v->in[1]);
}

/* x [..][C], idx [K], y [..][K] -> [..][C]. */
static sct_status infer_scatter_into(const struct sct_infer *i)
{
    SCT_TRY(sct_check_rows(i, 0, "input"));
    SCT_TRY(sct_check_index(i, 1, sct_desc_last(&i->in[0])));
    SCT_TRY(sct_infer_want_dtype(i, 2, SCT_F32));
    SCT_TRY(sct_check_like_rows(i, 2, "channels", 0, i->in[1].dim[0]));
    return sct_infer_same(i, 0, 0);
}

sct_status infer_scatter_add_ch(const struct sct_infer *i)
{
    return infer_scatter_into(i);
}

void vjp_scatter_add_ch(struct sct_vjp *v)
{
    if (v->need[0])
        v->din[0] = v->dout[0];
    if (v->need[2])
        v->din[2] = sct_gather_ch(v->b, v->dout[0], v->in[1]);
}

sct_status infer_scatter_set_ch(const struct sct_infer *i)
{
    return infer_scatter_into(i);
}

void vjp_scatter_set_ch(struct sct_vjp *v)
{
    if (v->need[0])
        v->din[0] = sct_mask_ch(v->b, v->dout[0], v->in[1]);
    if (v->need[2])
        v->din[2] = sct_gather_ch(v->b, v->dout[0], v->in[1]);
}

sct_status infer_mask_ch(const struct sct_infer *i)
{
    SCT_TRY(sct_check_rows(i, 0, "input"));
    SCT_TRY(sct_check_index(i, 1, sct_desc_last(&i->in[0])));
    return sct_infer_same(i, 0, 0);
}

void vjp_mask_ch(struct sct_vjp *v)
{
    if (v->need[0])
        v->din[0] = sct_mask_ch(v->b, v->dout[0], v->in[1]);
}

sct_status infer_slice_ch(const struct sct_infer *i)
{
    const struct sct_range_params *p = i->params;
    SCT_TRY(sct_check_rows(i, 0, "input"));
    SCT_TRY(check_range(i, p->first, p->count, sct_desc_last(&i->in[0])));
    return infer_channels(i, p->count);
}

void vjp_slice_ch(struct sct_vjp *v)
{
    const struct sct_range_params *p = v->params;
    if (v->need[0])
        v->din[0] = sct_pad_ch(v->b, v->dout[0], p->first, sct_desc_last(&v->in_desc[0]));
}

sct_status infer_pad_ch(const struct sct_infer *i)
{
    const struct sct_range_params *p = i->params;
    SCT_TRY(sct_check_rows(i, 0, "input"));
    SCT_TRY(check_range(i, p->first, sct_desc_last(&i->in[0]), p->total));
    return infer_channels(i, p->total);
}

void vjp_pad_ch(struct sct_vjp *v)
{
    const struct sct_range_params *p = v->params;
    if (v->need[0])
        v->din[0] = sct_slice_ch(v->b, v->dout[0], p->first, sct_desc_last(&v->in_desc[0]));
}

sct_status infer_add_ch(const struct sct_infer *i)
{
    const struct sct_range_params *p = i->params;
    SCT_TRY(sct_check_rows(i, 0, "input"));
    SCT_TRY(sct_check_rows(i, 1, "channels"));
    SCT_TRY(sct_check_like_rows(i, 1, "channels", 0, sct_desc_last(&i->in[1])));
    SCT_TRY(check_range(i, p->first, sct_desc_last(&i->in[1]), sct_desc_last(&i->in[0])));
    return sct_infer_same(i, 0, 0);
}

void vjp_add_ch(struct sct_vjp *v)
{
    const struct sct_range_params *p = v->params;
    if (v->need[0])
        v->din[0] = v->dout[0];
    if (v->need[1])
        v->din[1] = sct_slice_ch(v->b, v->dout[0], p->first, sct_desc_last(&v->in_desc[1]));
}
