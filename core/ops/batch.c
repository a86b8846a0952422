/* SPDX-License-Identifier: MIT
 * batch.c - FEED, EMIT, IMAGE, PATCHIFY, UNPATCHIFY: between the batch and the body.
 *
 * feed       out[b] = in[first + b] for b < count, 0 above
 * emit       out[first + b] = in[b] for b < count
 * image      out[b][c][y][x] = table[c][in[b][y][x][c]]
 * patchify   out[b][(y/P)(W/P) + x/P][(c P + y%P) P + x%P] = in[b][c][y][x]: the unfold of a
 *            convolution of kernel and stride P, so that LINEAR with its flattened weight is it
 * The gradient of a permutation is its inverse. */
#include "core/ops/check.h"
#include "core/ops/vjp.h"

static sct_status check_first_dim(const struct sct_infer *i, const char *what, uint32_t want)
{
    if (i->in[0].nd == 0 || i->in[0].dim[0] != want) {
        char found[96];
        return sct_fail(i->err, SCT_EINVAL, "%s is %s, expected %u images first", what,
                        sct_desc_text(&i->in[0], found, sizeof found), want);
    }
    return SCT_OK;
}

/* The input's description with another number of images. */
static sct_status infer_images(const struct sct_infer *i, uint32_t images)
{
    struct sct_desc d = i->in[0];
    d.dim[0] = images;
    return sct_infer_dims(i, 0, d.dtype, d.nd, d.dim);
}

sct_status infer_feed(const struct sct_infer *i)
{
    SCT_TRY(check_first_dim(i, "batch value", i->batch));
    return infer_images(i, i->b);
}

sct_status infer_emit(const struct sct_infer *i)
{
    SCT_TRY(check_first_dim(i, "body value", i->b));
    return infer_images(i, i->batch);
}

sct_status infer_image(const struct sct_infer *i)
{
    static const uint32_t table[2] = {3, 256};
    const struct sct_desc *x = &i->in[0];
    SCT_TRY(sct_infer_want_dtype(i, 0, SCT_U8));
    SCT_TRY(sct_infer_want_dtype(i, 1, SCT_F32));
    SCT_TRY(sct_check_nd(i, 0, "picture", 4, "[B][H][W][3]"));
    SCT_TRY(
        sct_check_dims(i, 0, "picture", 4, (uint32_t[4]){x->dim[0], x->dim[1], x->dim[2], 3}));
    SCT_TRY(sct_check_dims(i, 1, "table", 2, table));
    return sct_infer_dims(i, 0, SCT_F32, 4, (uint32_t[4]){x->dim[0], 3, x->dim[1], x->dim[2]});
}

/* Patches of a C x H x W picture and values of one patch; fails when P does not divide it. */
static sct_status patch_shape(const struct sct_infer *i, uint32_t channels, uint32_t height,
                              uint32_t width, uint32_t dim[2])
{
    const struct sct_patchify_params *p = i->params;
    const uint32_t P = p->patch;
    if (P == 0 || channels == 0 || height == 0 || width == 0 || height % P || width % P)
        return sct_fail(
            i->err, SCT_EINVAL,
            "picture of %u channels, %u x %u, expected multiples of the patch size %u",
            channels, height, width, P);
    const uint64_t patches = (uint64_t)(height / P) * (width / P);
    /* P * P fits 64 bits; the product with channels is compared by division. */
    const uint64_t area = (uint64_t)P * P;
    if (patches > UINT32_MAX || area > UINT32_MAX / channels)
        return sct_fail(i->err, SCT_EINVAL,
                        "picture of %u channels, %u x %u is too large for patches of %u",
                        channels, height, width, P);
    dim[0] = (uint32_t)patches;
    dim[1] = (uint32_t)(area * channels);
    return SCT_OK;
}

sct_status infer_patchify(const struct sct_infer *i)
{
    const struct sct_desc *x = &i->in[0];
    uint32_t dim[3] = {x->dim[0], 0, 0};
    SCT_TRY(sct_infer_want_dtype(i, 0, SCT_F32));
    SCT_TRY(sct_check_nd(i, 0, "picture", 4, "[B][C][H][W]"));
    SCT_TRY(patch_shape(i, x->dim[1], x->dim[2], x->dim[3], dim + 1));
    return sct_infer_dims(i, 0, SCT_F32, 3, dim);
}

void vjp_patchify(struct sct_vjp *v)
{
    const struct sct_patchify_params *p = v->params;
    const uint32_t *dim = v->in_desc[0].dim;
    if (v->need[0])
        v->din[0] = sct_unpatchify(v->b, v->dout[0], p->patch, dim[1], dim[2], dim[3]);
}

sct_status infer_unpatchify(const struct sct_infer *i)
{
    const struct sct_patchify_params *p = i->params;
    uint32_t dim[3] = {i->in[0].dim[0], 0, 0};
    SCT_TRY(sct_infer_want_dtype(i, 0, SCT_F32));
    SCT_TRY(sct_check_nd(i, 0, "patches", 3, "[B][N][C*P*P]"));
    SCT_TRY(patch_shape(i, p->channels, p->height, p->width, dim + 1));
    SCT_TRY(sct_check_dims(i, 0, "patches", 3, dim));
    return sct_infer_dims(i, 0, SCT_F32, 4,
                          (uint32_t[4]){dim[0], p->channels, p->height, p->width});
}

void vjp_unpatchify(struct sct_vjp *v)
{
    const struct sct_patchify_params *p = v->params;
    if (v->need[0])
        v->din[0] = sct_patchify(v->b, v->dout[0], p->patch);
}
