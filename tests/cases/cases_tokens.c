/* SPDX-License-Identifier: MIT
 * cases_tokens.c - cases of the ops that move tokens: concat, slice, pad, mean, spread, grids.
 */
#include "tests/cases/cases.h"

/* 0: both per image; 1: the first shared (class token); 2: the second shared (prompts). */
void cases_concat_tokens(struct case_sink *s)
{
    for (uint32_t i = 0; i < CASE_SIZES + 1; i++) {
        const bool big = i == CASE_SIZES;
        const uint32_t b = case_images(i), ch = big ? 192 : case_size(i), shared = i % 3;
        const uint32_t n1 = big ? 1 : case_size(i + 2), n2 = big ? 196 : case_size(3 * i + 1);
        struct sct_case c = case_new(SCT_OP_CONCAT_TOKENS, big ? CASE_BIG : case_flags(i), b,
                                     "b=%u n=%u+%u c=%u shared=%u", b, n1, n2, ch, shared);
        if (shared == 1)
            case_fixed(&c, DIMS(n1, ch));
        else
            case_body(&c, DIMS(b, n1, ch));
        if (shared == 2)
            case_fixed(&c, DIMS(n2, ch));
        else
            case_body(&c, DIMS(b, n2, ch));
        case_emit(s, &c);
    }
    struct sct_case c =
        case_new(SCT_OP_CONCAT_TOKENS, CASE_BIG, 3, "b=3 n=1+196 c=192 shared=1");
    case_fixed(&c, DIMS(1, 192));
    case_body(&c, DIMS(3, 196, 192));
    case_emit(s, &c);
}

struct range {
    uint32_t b, n, first, count, c, flags;
};

/* first + count <= n: from the start, in the middle, at the end, all. */
static struct range range(uint32_t i)
{
    if (i >= CASE_SIZES)
        return (struct range){3, 197, 1, 196, 192, CASE_BIG};
    struct range r = {case_images(i), case_size(i + 1), 0, 0, case_size(i), case_flags(i)};
    r.first = i % 4 == 0 ? 0 : i % 4 == 3 ? r.n - 1 : r.n / 3;
    r.count = i % 4 == 0 ? r.n : i % 4 == 3 ? 1 : 1 + (r.n - r.first) / 2;
    if (r.first + r.count > r.n)
        r.count = r.n - r.first;
    return r;
}

enum { RANGES = CASE_SIZES + 1 };

/* op on an input of n tokens (0: none), with these parameters. */
static void tokens(struct case_sink *s, uint32_t op, const struct range *r, uint32_t n,
                   struct sct_range_params p)
{
    struct sct_case c = case_new(op, r->flags, r->b, "b=%u n=%u first=%u count=%u c=%u", r->b,
                                 r->n, r->first, r->count, r->c);
    case_params(&c, &p, sizeof p);
    c.terms = r->n - r->first + 1;
    if (n)
        case_body(&c, DIMS(r->b, n, r->c));
    else
        case_body(&c, DIMS(r->b, r->c));
    case_emit(s, &c);
}

void cases_slice_tokens(struct case_sink *s)
{
    for (uint32_t i = 0; i < RANGES; i++) {
        const struct range r = range(i);
        tokens(s, SCT_OP_SLICE_TOKENS, &r, r.n, (struct sct_range_params){r.first, r.count, 0});
    }
}

void cases_pad_tokens(struct case_sink *s)
{
    for (uint32_t i = 0; i < RANGES; i++) {
        const struct range r = range(i);
        tokens(s, SCT_OP_PAD_TOKENS, &r, r.count, (struct sct_range_params){r.first, 0, r.n});
    }
}

/* A power of two of tokens is counted, so that integers have an exact mean. */
void cases_mean_tokens(struct case_sink *s)
{
    for (uint32_t i = 0; i < RANGES; i++) {
        struct range r = range(i);
        r.first = i % 3;
        r.count = i == RANGES - 1 ? 256 : 1u << i % 7;
        r.n = r.first + r.count;
        tokens(s, SCT_OP_MEAN_TOKENS, &r, r.n, (struct sct_range_params){r.first, 0, 0});
    }
}

void cases_spread_tokens(struct case_sink *s)
{
    for (uint32_t i = 0; i < RANGES; i++) {
        const struct range r = range(i);
        tokens(s, SCT_OP_SPREAD_TOKENS, &r, 0, (struct sct_range_params){r.first, 0, r.n});
    }
}

/* ---- grids ---- */

struct grid {
    uint32_t b, h, w, h2, w2, c, flags, roll_h, roll_w;
};

static const struct grid grids[] = {
    {1, 2, 2, 2, 2, 1, CASE_SMALL, 0, 0},
    {3, 2, 4, 3, 7, 13, CASE_SMALL | CASE_EDGE, 0, 0},
    {3, 4, 6, 6, 9, 5, CASE_SMALL, 1, 2},
    {1, 4, 2, 4, 3, 14, 0, 0, 1},
    {3, 6, 6, 7, 6, 15, 0, 0, 0},
    {1, 8, 6, 9, 12, 16, 0, 5, 0},
    {3, 4, 4, 7, 7, 17, 0, 3, 3},
    {1, 10, 4, 14, 4, 33, 0, 3, 3},
    {3, 2, 2, 5, 5, 65, 0, 1, 0},
    {1, 56, 56, 63, 56, 96, CASE_BIG, 0, 0},
    {3, 14, 14, 14, 21, 384, CASE_BIG, 3, 3},
};

enum { GRIDS = sizeof grids / sizeof grids[0] };

static struct sct_case gstart(uint32_t op, const struct grid *g)
{
    return case_new(op, g->flags, g->b, "b=%u %ux%u (%ux%u) c=%u roll=%u,%u", g->b, g->h, g->w,
                    g->h2, g->w2, g->c, g->roll_h, g->roll_w);
}

static void merge(struct case_sink *s, uint32_t op)
{
    for (uint32_t i = 0; i < GRIDS; i++) {
        const struct grid *g = &grids[i];
        const struct sct_grid_params p = {g->h, g->w, 0, 0, 0, 0};
        struct sct_case c = gstart(op, g);
        case_params(&c, &p, sizeof p);
        if (op == SCT_OP_PATCH_MERGE)
            case_body(&c, DIMS(g->b, g->h * g->w, g->c));
        else
            case_body(&c, DIMS(g->b, g->h / 2 * (g->w / 2), 4 * g->c));
        case_emit(s, &c);
    }
}

void cases_patch_merge(struct case_sink *s)
{
    merge(s, SCT_OP_PATCH_MERGE);
}

void cases_patch_split(struct case_sink *s)
{
    merge(s, SCT_OP_PATCH_SPLIT);
}

void cases_pad_grid(struct case_sink *s)
{
    for (uint32_t i = 0; i < GRIDS; i++) {
        const struct grid *g = &grids[i];
        const struct sct_grid_params p = {g->h, g->w, g->h2, g->w2, g->roll_h, g->roll_w};
        struct sct_case c = gstart(SCT_OP_PAD_GRID, g);
        case_params(&c, &p, sizeof p);
        case_body(&c, DIMS(g->b, g->h * g->w, g->c));
        case_emit(s, &c);
    }
}

void cases_crop_grid(struct case_sink *s)
{
    for (uint32_t i = 0; i < GRIDS; i++) {
        const struct grid *g = &grids[i];
        const struct sct_grid_params p = {g->h2, g->w2, g->h, g->w, g->roll_h, g->roll_w};
        struct sct_case c = gstart(SCT_OP_CROP_GRID, g);
        case_params(&c, &p, sizeof p);
        case_body(&c, DIMS(g->b, g->h2 * g->w2, g->c));
        case_emit(s, &c);
    }
}
