/* SPDX-License-Identifier: MIT
 * module.c - fusion rules of the small modules that strategies add:
 *   h with h[idx] + s linear(h[idx])      -> SCT_MODULE, keeps h[idx] for the weight gradient
 *   dy + scatter(linear_dx(s dy[idx]))    -> SCT_MODULE_DX, keeps s dy[idx]
 *   y with s linear(linear(x, a), b) added to a channel range -> LORA_MODULE, keeps the rank-r
 *   product */
#include "core/fuse/match.h"

/* v = mul * u + 0: u and mul; v itself and 1 when v is not made by a SCALE used once. */
static uint32_t unscale(const struct fuse *f, uint32_t v, float *mul, uint32_t *gone,
                        uint32_t *n_gone)
{
    const struct sct_gnode *s = fuse_only(f, v, SCT_OP_SCALE);
    *mul = 1.0f;
    if (!s || ((const struct sct_scale_params *)s->params)->add != 0.0f)
        return v;
    *mul = ((const struct sct_scale_params *)s->params)->mul;
    gone[(*n_gone)++] = v;
    return s->in[0];
}

bool fuse_sct_module(struct fuse *f, uint32_t n)
{
    const struct sct_gnode *sc = &f->g->node[n];
    if (sc->op != SCT_OP_SCATTER_ADD_CH)
        return false;
    uint32_t gone[4], n_gone = 0;
    struct sct_module_params p = {0};
    const uint32_t lin_out = unscale(f, sc->in[2], &p.scale, gone, &n_gone);
    const struct sct_gnode *lin = fuse_only(f, lin_out, SCT_OP_LINEAR);
    if (!lin)
        return false;
    const struct sct_gnode *ga = fuse_made_by(f, lin->in[0], SCT_OP_GATHER_CH);
    if (!ga || ga->in[0] != sc->in[0] || ga->in[1] != sc->in[1])
        return false;
    gone[n_gone++] = lin_out;
    gone[n_gone++] = lin->in[0];
    struct sct_gnode c = fuse_candidate(f, n, SCT_OP_SCT_MODULE, &p, sizeof p);
    c.n_in = (uint8_t)(lin->n_in + 1);
    c.in[0] = sc->in[0];
    c.in[1] = sc->in[1];
    c.in[2] = lin->in[1];
    c.in[3] = lin->n_in > 2 ? lin->in[2] : 0;
    c.out[0] = sc->out[0];
    c.out[1] = lin->in[0];
    return fuse_commit(f, n, &c, gone, n_gone);
}

bool fuse_sct_module_dx(struct fuse *f, uint32_t n)
{
    const struct sct_gnode *add = &f->g->node[n];
    if (add->op != SCT_OP_ADD)
        return false;
    for (int side = 0; side < 2; side++) {
        const uint32_t dy = add->in[1 - side], scattered = add->in[side];
        const struct sct_gnode *sc = fuse_only(f, scattered, SCT_OP_SCATTER_CH);
        const struct sct_gnode *dx = sc ? fuse_only(f, sc->in[0], SCT_OP_LINEAR_DX) : NULL;
        if (!dx)
            continue;
        const uint32_t dl = dx->in[0];
        struct sct_module_params p = {1.0f, 0};
        const struct sct_gnode *scale = fuse_made_by(f, dl, SCT_OP_SCALE);
        uint32_t gathered = dl;
        if (scale) {
            p.scale = ((const struct sct_scale_params *)scale->params)->mul;
            gathered = scale->in[0];
        }
        const struct sct_gnode *ga = fuse_made_by(f, gathered, SCT_OP_GATHER_CH);
        if (!ga || ga->in[0] != dy || ga->in[1] != sc->in[1] ||
            (scale && f->uses[gathered] != 1))
            continue;
        uint32_t gone[4] = {scattered, sc->in[0], dl, gathered};
        struct sct_gnode c = fuse_candidate(f, n, SCT_OP_SCT_MODULE_DX, &p, sizeof p);
        c.n_in = 3;
        c.in[0] = dy;
        c.in[1] = sc->in[1];
        c.in[2] = dx->in[1];
        c.out[0] = add->out[0];
        c.out[1] = dl;
        return fuse_commit(f, n, &c, gone, scale ? 4 : 3);
    }
    return false;
}

bool fuse_lora_module(struct fuse *f, uint32_t n)
{
    const struct sct_gnode *add = &f->g->node[n];
    if (add->op != SCT_OP_ADD_CH)
        return false;
    uint32_t gone[4], n_gone = 0;
    struct sct_module_params p = {0};
    const uint32_t up_out = unscale(f, add->in[1], &p.scale, gone, &n_gone);
    const struct sct_gnode *up = fuse_only(f, up_out, SCT_OP_LINEAR);
    const struct sct_gnode *down = up ? fuse_made_by(f, up->in[0], SCT_OP_LINEAR) : NULL;
    if (!down || up->n_in != 2 || down->n_in != 2)
        return false;
    p.first = ((const struct sct_range_params *)add->params)->first;
    gone[n_gone++] = up_out;
    gone[n_gone++] = up->in[0];
    struct sct_gnode c = fuse_candidate(f, n, SCT_OP_LORA_MODULE, &p, sizeof p);
    c.n_in = 4;
    c.in[0] = add->in[0];
    c.in[1] = down->in[0];
    c.in[2] = down->in[1];
    c.in[3] = up->in[1];
    c.out[0] = add->out[0];
    c.out[1] = up->in[0];
    return fuse_commit(f, n, &c, gone, n_gone);
}
