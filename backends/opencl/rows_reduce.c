/* SPDX-License-Identifier: MIT
 * rows_reduce.c - token means, cross-entropy, sums after the body, observers. */
#include "backends/opencl/rows.h"

static const char file[] = "reduce.cl";

/* MEAN_TOKENS and SPREAD_TOKENS. */
static void emit_tokens(struct cl_emit *e)
{
    const struct sct_range_params *p = e->d->params;
    const bool mean = e->d->op == SCT_OP_MEAN_TOKENS;
    const uint32_t *full = mean ? e->d->in[0].dim : e->d->out[0].dim;
    cl_launch(e, file, mean ? "mean_tokens" : "spread_tokens", NULL);
    cl_arg_in(e, 0);
    cl_arg_out(e, 0);
    for (uint32_t i = 0; i < 3; i++)
        cl_arg_u32(e, full[i]);
    cl_arg_u32(e, p->first);
    if (mean)
        rows_grid_cost(e, full[0], full[2], e->caps->simd, full[1]);
    else
        rows_grid(e, (uint64_t)full[0] * full[1], full[2], 1);
}

/* XENT and XENT_DX. */
static void emit_xent(struct cl_emit *e)
{
    const struct sct_xent_params *p = e->d->params;
    cl_launch(e, file, e->d->op == SCT_OP_XENT ? "xent" : "xent_dx", NULL);
    for (uint32_t i = 0; i < e->d->n_in; i++)
        cl_arg_in(e, i);
    cl_arg_out(e, 0);
    rows_arg_shape(e, &e->d->in[0]);
    cl_arg_f32(e, p->smoothing);
    rows_group_grid(e, sct_desc_rows(&e->d->in[0]));
}

static void emit_slot_sum(struct cl_emit *e)
{
    const struct sct_desc *y = &e->d->out[0];
    cl_launch(e, file, "slot_sum", NULL);
    cl_arg_in(e, 0);
    cl_arg_out(e, 0);
    cl_arg_u32(e, (uint32_t)(sct_desc_count(&e->d->in[0]) / sct_desc_count(y)));
    rows_arg_shape(e, y);
    rows_grid(e, sct_desc_rows(y), sct_desc_last(y), 1);
}

/* Sums run over at most 256 blocks, cut by the number of elements alone. */
static uint64_t block_of(uint64_t n)
{
    const uint64_t block = rows_ceil(n, 256);
    return block < 4096 ? 4096 : rows_ceil(block, 64) * 64;
}

static void choose_sum(const struct cl_caps *c, const struct sct_opdesc *d,
                       struct sct_choice *ch)
{
    (void)c;
    const uint64_t n = sct_desc_count(&d->in[0]);
    ch->scratch = rows_ceil(n, block_of(n)) * sizeof(float);
}

/* SUM_ALL and SUMSQ. */
static void emit_sum(struct cl_emit *e)
{
    const uint64_t n = sct_desc_count(&e->d->in[0]), block = block_of(n);
    const uint32_t parts = (uint32_t)rows_ceil(n, block);
    cl_launch(e, file, "sum_parts", NULL);
    cl_arg_in(e, 0);
    cl_arg_scratch(e, 0);
    cl_arg_u64(e, n);
    cl_arg_u32(e, (uint32_t)block);
    cl_arg_u32(e, parts);
    cl_arg_u32(e, e->d->op == SCT_OP_SUMSQ);
    rows_group_grid(e, parts);
    cl_launch(e, file, "sum_end", NULL);
    cl_arg_scratch(e, 0);
    cl_arg_in(e, 1);
    cl_arg_out(e, 0);
    cl_arg_u32(e, parts);
    cl_arg_u32(e, e->d->n_in > 1);
    cl_grid(e, 1, 1, 1, 1, 1, 1);
}

static void emit_clip(struct cl_emit *e)
{
    const struct sct_clip_params *p = e->d->params;
    cl_launch(e, file, "clip_coef", NULL);
    cl_arg_in(e, 0);
    cl_arg_out(e, 0);
    cl_arg_f32(e, p->max_norm);
    cl_grid(e, 1, 1, 1, 1, 1, 1);
}

static void emit_obs_label(struct cl_emit *e)
{
    const struct sct_observe_params *p = e->d->params;
    const uint32_t *x = e->d->in[1].dim;
    cl_launch(e, file, "obs_sumsq_label", NULL);
    cl_arg_acc(e);
    cl_arg_state(e);
    for (uint32_t i = 1; i < 4; i++)
        cl_arg_in(e, i);
    for (uint32_t i = 0; i < 3; i++)
        cl_arg_u32(e, x[i]);
    cl_arg_u32(e, p->skip);
    cl_arg_u32(e, p->any_class);
    rows_grid_cost(e, 1, x[2], e->caps->simd, (uint64_t)x[0] * x[1]);
}

static void emit_obs(struct cl_emit *e)
{
    cl_launch(e, file, "obs_sumsq", NULL);
    cl_arg_in(e, 1);
    cl_arg_out(e, 0);
    rows_arg_shape(e, &e->d->in[1]);
    rows_grid(e, sct_desc_rows(&e->d->in[1]), sct_desc_last(&e->d->in[1]), 1);
}

#define ROW(OP, NAME, EMIT)                                                                    \
    {                                                                                          \
        .op = SCT_OP_##OP, .name = NAME "/plain", .order = 1, .accepts = rows_accept,          \
        .emit = EMIT                                                                           \
    }
#define ROW_SUM(OP, NAME)                                                                      \
    {                                                                                          \
        .op = SCT_OP_##OP, .name = NAME "/plain", .order = 1, .accepts = rows_accept,          \
        .choose = choose_sum, .emit = emit_sum                                                 \
    }

const struct cl_row cl_rows_reduce[] = {
    ROW(MEAN_TOKENS, "mean_tokens", emit_tokens),
    ROW(SPREAD_TOKENS, "spread_tokens", emit_tokens),
    ROW(XENT, "xent", emit_xent),
    ROW(XENT_DX, "xent_dx", emit_xent),
    ROW(SLOT_SUM, "slot_sum", emit_slot_sum),
    ROW_SUM(SUM_ALL, "sum_all"),
    ROW_SUM(SUMSQ, "sumsq"),
    ROW(CLIP_COEF, "clip_coef", emit_clip),
    ROW(OBS_SUMSQ_LABEL, "obs_sumsq_label", emit_obs_label),
    ROW(OBS_SUMSQ, "obs_sumsq", emit_obs),
};
