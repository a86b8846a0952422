/* SPDX-License-Identifier: MIT
 * cases_conv.c - cases of LINEAR_GROUPED and CONV_GRID and of their gradients. */
#include "tests/cases/cases.h"

/* ---- groups ---- */

/* groups; out and in are those of one group. */
struct groups {
    uint32_t b, n, groups, out, in, flags, bias;
};

enum { GROUPS_BIG = 2, GROUPS = CASE_SIZES + GROUPS_BIG };

static struct groups groups(uint32_t i)
{
    /* what RepAdapter adds to a ViT-B: 8 channels in 2 groups to 768 */
    static const struct groups big[GROUPS_BIG] = {{1, 197, 2, 384, 4, CASE_BIG, 1},
                                                  {3, 197, 4, 48, 2, CASE_BIG, 0}};
    if (i >= CASE_SIZES)
        return big[i - CASE_SIZES];
    static const uint32_t few[5] = {1, 2, 4, 3, 2};
    return (struct groups){case_images(i),
                           case_size(i),
                           few[i % 5],
                           case_size(i ? i + 3 : 0),
                           i % 3 ? 1 + i / 2 : case_size(i ? i + 7 : 0),
                           case_flags(i),
                           i % 2};
}

static struct sct_case grouped(uint32_t op, const struct groups *g, uint64_t terms)
{
    struct sct_case c = case_new(op, g->flags, g->b, "b=%u n=%u groups=%u out=%u in=%u%s", g->b,
                                 g->n, g->groups, g->out, g->in,
                                 op == SCT_OP_LINEAR_GROUPED && g->bias ? " bias" : "");
    c.terms = terms;
    c.flops = 2.0 * g->b * g->n * g->groups * g->out * g->in;
    return c;
}

void cases_linear_grouped(struct case_sink *s)
{
    for (uint32_t i = 0; i < GROUPS; i++) {
        const struct groups g = groups(i);
        struct sct_case c = grouped(SCT_OP_LINEAR_GROUPED, &g, g.in + 2);
        case_body(&c, DIMS(g.b, g.n, g.groups * g.in));
        case_weight(&c, g.in, DIMS(g.groups, g.out, g.in));
        if (g.bias)
            case_fixed(&c, DIMS(g.groups * g.out));
        case_emit(s, &c);
    }
    struct sct_case c =
        case_new(SCT_OP_LINEAR_GROUPED, CASE_SMALL, 3, "b=3 no tokens groups=2 out=5 in=3");
    c.terms = 5;
    case_body(&c, DIMS(3, 6));
    case_weight(&c, 3, DIMS(2, 5, 3));
    case_emit(s, &c);
}

void cases_linear_grouped_dx(struct case_sink *s)
{
    for (uint32_t i = 0; i < GROUPS; i++) {
        const struct groups g = groups(i);
        struct sct_case c = grouped(SCT_OP_LINEAR_GROUPED_DX, &g, g.out);
        case_body(&c, DIMS(g.b, g.n, g.groups * g.out));
        case_weight(&c, g.out, DIMS(g.groups, g.out, g.in));
        case_emit(s, &c);
    }
}

void cases_linear_grouped_dw(struct case_sink *s)
{
    for (uint32_t i = 0; i < GROUPS; i++) {
        const struct groups g = groups(i);
        struct sct_case c = grouped(SCT_OP_LINEAR_GROUPED_DW, &g, g.b * g.n + 1);
        case_slots(&c, DIMS(g.groups, g.out, g.in));
        case_body(&c, DIMS(g.b, g.n, g.groups * g.out));
        case_body(&c, DIMS(g.b, g.n, g.groups * g.in));
        case_emit(s, &c);
    }
}

/* ---- convolution ---- */

struct conv {
    uint32_t b, prefix, h, w, in, out, kh, kw, flags, bias;
};

/* Kernels larger than the grid, rows and columns shorter than a tile of tokens and one longer,
 * channels around the tile of eight; no token in front, one, and five. */
static const struct conv convs[] = {
    {1, 0, 1, 1, 1, 1, 1, 1, CASE_SMALL, 0},
    {3, 1, 2, 3, 2, 3, 3, 3, CASE_SMALL | CASE_EDGE, 1},
    {1, 1, 1, 1, 3, 2, 3, 3, CASE_SMALL | CASE_EDGE, 0},
    {3, 0, 3, 4, 4, 5, 3, 3, CASE_SMALL | CASE_EDGE, 0},
    {1, 5, 2, 5, 7, 8, 5, 3, CASE_SMALL, 1},
    {3, 1, 4, 1, 8, 7, 1, 5, 0, 1},
    {1, 0, 5, 7, 9, 9, 3, 3, 0, 1},
    {3, 2, 3, 2, 5, 16, 7, 7, 0, 0},
    {1, 1, 6, 9, 17, 15, 3, 1, 0, 1},
    {3, 1, 5, 13, 1, 33, 3, 3, 0, 0},
    {1, 0, 9, 8, 33, 1, 5, 5, 0, 1},
    {1, 1, 14, 14, 8, 8, 3, 3, CASE_BIG, 1}, /* Convpass in a ViT-B/16 */
    {3, 1, 14, 14, 8, 8, 3, 3, CASE_BIG, 1},
    {1, 0, 56, 56, 8, 8, 3, 3, CASE_BIG, 1}, /* and in a Swin */
};

enum { CONVS = sizeof convs / sizeof convs[0] };

static uint32_t tokens(const struct conv *v)
{
    return v->prefix + v->h * v->w;
}

static struct sct_case convolution(uint32_t op, const struct conv *v, uint64_t terms)
{
    const struct sct_grid_params p = {v->h, v->w, 0, 0, 0, 0};
    struct sct_case c =
        case_new(op, v->flags, v->b, "b=%u n=%u+%ux%u in=%u out=%u kernel=%ux%u%s", v->b,
                 v->prefix, v->h, v->w, v->in, v->out, v->kh, v->kw,
                 op == SCT_OP_CONV_GRID && v->bias ? " bias" : "");
    case_params(&c, &p, sizeof p);
    c.terms = terms;
    c.flops = 2.0 * v->b * tokens(v) * v->in * v->out * v->kh * v->kw;
    return c;
}

static void weight(struct sct_case *c, const struct conv *v, uint32_t fan)
{
    case_weight(c, fan * v->kh * v->kw, DIMS(v->out, v->in, v->kh, v->kw));
}

void cases_conv_grid(struct case_sink *s)
{
    for (uint32_t i = 0; i < CONVS; i++) {
        const struct conv *v = &convs[i];
        struct sct_case c =
            convolution(SCT_OP_CONV_GRID, v, (uint64_t)v->in * v->kh * v->kw + 2);
        case_body(&c, DIMS(v->b, tokens(v), v->in));
        weight(&c, v, v->in);
        if (v->bias)
            case_fixed(&c, DIMS(v->out));
        case_emit(s, &c);
    }
}

void cases_conv_grid_dx(struct case_sink *s)
{
    for (uint32_t i = 0; i < CONVS; i++) {
        const struct conv *v = &convs[i];
        struct sct_case c =
            convolution(SCT_OP_CONV_GRID_DX, v, (uint64_t)v->out * v->kh * v->kw + 1);
        case_body(&c, DIMS(v->b, tokens(v), v->out));
        weight(&c, v, v->out);
        case_emit(s, &c);
    }
}

void cases_conv_grid_dw(struct case_sink *s)
{
    for (uint32_t i = 0; i < CONVS; i++) {
        const struct conv *v = &convs[i];
        struct sct_case c = convolution(SCT_OP_CONV_GRID_DW, v, (uint64_t)v->b * tokens(v) + 1);
        case_slots(&c, DIMS(v->out, v->in, v->kh, v->kw));
        case_body(&c, DIMS(v->b, tokens(v), v->out));
        case_body(&c, DIMS(v->b, tokens(v), v->in));
        case_emit(s, &c);
    }
}
