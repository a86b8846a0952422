/* SPDX-License-Identifier: MIT
 * grid.c - PATCH_MERGE, PATCH_SPLIT, PAD_GRID, CROP_GRID: tokens as a grid.
 *
 * merge   out[(y/2)(w/2) + x/2][(2 (x%2) + y%2) C + c] = in[y w + x][c]  (Swin, as timm orders
 *         it)
 * split   its inverse, and its gradient; merge is the gradient of split
 * pad     zero rows below and zero columns to the right; gradient: crop
 * crop    the top left part; gradient: pad
 * Both with a roll r: out[(i + r) % out_h] = in[(i + r) % h] for i < h, zero for i >= h, and
 * likewise in columns. */
#include "core/ops/check.h"
#include "core/ops/vjp.h"

/* in[0] is [B][h*w][..]; gives h * w. */
static sct_status check_grid(const struct sct_infer *i, uint32_t h, uint32_t w)
{
    char found[96];
    SCT_TRY(sct_infer_want_dtype(i, 0, SCT_F32));
    SCT_TRY(sct_check_nd(i, 0, "input", 3, "[B][N][C]"));
    if ((uint64_t)h * w != i->in[0].dim[1])
        return sct_fail(
            i->err, SCT_EINVAL, "input is %s, expected %llu tokens for a grid %u x %u",
            sct_desc_text(&i->in[0], found, sizeof found), (unsigned long long)h * w, h, w);
    return SCT_OK;
}

static sct_status check_even(const struct sct_infer *i, uint32_t h, uint32_t w)
{
    if (h == 0 || w == 0 || h % 2 || w % 2)
        return sct_fail(i->err, SCT_EINVAL, "grid %u x %u, expected even sides", h, w);
    return SCT_OK;
}

sct_status infer_patch_merge(const struct sct_infer *i)
{
    const struct sct_grid_params *p = i->params;
    const uint32_t *d = i->in[0].dim;
    SCT_TRY(check_grid(i, p->h, p->w));
    SCT_TRY(check_even(i, p->h, p->w));
    if (d[2] > UINT32_MAX / 4)
        return sct_fail(i->err, SCT_EINVAL, "%u channels are too many to merge", d[2]);
    return sct_infer_dims(i, 0, SCT_F32, 3, (uint32_t[3]){d[0], d[1] / 4, d[2] * 4});
}

void vjp_patch_merge(struct sct_vjp *v)
{
    const struct sct_grid_params *p = v->params;
    if (v->need[0])
        v->din[0] = sct_patch_split(v->b, v->dout[0], p->h, p->w);
}

sct_status infer_patch_split(const struct sct_infer *i)
{
    const struct sct_grid_params *p = i->params;
    const uint32_t *d = i->in[0].dim;
    SCT_TRY(check_even(i, p->h, p->w));
    SCT_TRY(check_grid(i, p->h / 2, p->w / 2));
    if (d[2] % 4 || d[1] > UINT32_MAX / 4)
        return sct_fail(i->err, SCT_EINVAL,
                        "%u tokens of %u channels, expected a multiple of 4 channels", d[1],
                        d[2]);
    return sct_infer_dims(i, 0, SCT_F32, 3, (uint32_t[3]){d[0], d[1] * 4, d[2] / 4});
}

void vjp_patch_split(struct sct_vjp *v)
{
    const struct sct_grid_params *p = v->params;
    if (v->need[0])
        v->din[0] = sct_patch_merge(v->b, v->dout[0], p->h, p->w);
}

/* [B][h*w][C] -> [B][out_h*out_w][C]. */
static sct_status infer_resized(const struct sct_infer *i, const struct sct_grid_params *p)
{
    const uint32_t *d = i->in[0].dim;
    const uint64_t tokens = (uint64_t)p->out_h * p->out_w;
    const uint32_t low_h = p->h < p->out_h ? p->h : p->out_h;
    const uint32_t low_w = p->w < p->out_w ? p->w : p->out_w;
    if (p->roll_h >= low_h || p->roll_w >= low_w)
        return sct_fail(i->err, SCT_EINVAL, "roll %u, %u, expected less than the grid %u x %u",
                        p->roll_h, p->roll_w, low_h, low_w);
    if (tokens > UINT32_MAX)
        return sct_fail(i->err, SCT_EINVAL, "grid %u x %u is too large", p->out_h, p->out_w);
    return sct_infer_dims(i, 0, SCT_F32, 3, (uint32_t[3]){d[0], (uint32_t)tokens, d[2]});
}

sct_status infer_pad_grid(const struct sct_infer *i)
{
    const struct sct_grid_params *p = i->params;
    SCT_TRY(check_grid(i, p->h, p->w));
    if (p->out_h < p->h || p->out_w < p->w)
        return sct_fail(i->err, SCT_EINVAL, "grid %u x %u cannot be padded to %u x %u", p->h,
                        p->w, p->out_h, p->out_w);
    return infer_resized(i, p);
}

void vjp_pad_grid(struct sct_vjp *v)
{
    const struct sct_grid_params *p = v->params;
    if (v->need[0])
        v->din[0] = sct_crop_grid(v->b, v->dout[0], p->out_h, p->out_w, p->h, p->w, p->roll_h,
                                  p->roll_w);
}

sct_status infer_crop_grid(const struct sct_infer *i)
{
    const struct sct_grid_params *p = i->params;
    SCT_TRY(check_grid(i, p->h, p->w));
    if (p->out_h > p->h || p->out_w > p->w)
        return sct_fail(i->err, SCT_EINVAL, "grid %u x %u cannot be cropped to %u x %u", p->h,
                        p->w, p->out_h, p->out_w);
    return infer_resized(i, p);
}

void vjp_crop_grid(struct sct_vjp *v)
{
    const struct sct_grid_params *p = v->params;
    if (v->need[0])
        v->din[0] = sct_pad_grid(v->b, v->dout[0], p->out_h, p->out_w, p->h, p->w, p->roll_h,
                                 p->roll_w);
}
