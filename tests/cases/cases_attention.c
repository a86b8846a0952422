/* SPDX-License-Identifier: MIT
 * cases_attention.c - cases of ATTENTION and WATTENTION and their gradients.
 * out and lse of the gradients' inputs come from the forward op on the same qkv. */
#include "tests/cases/cases.h"

/* ---- all tokens ---- */

struct shape {
    uint32_t b, n, heads, d, flags;
    float scale;
    uint32_t fill;
};

enum { BIG = 2, EXTRA = 6, SHAPES = CASE_SIZES + EXTRA + BIG };

static struct shape shape(uint32_t i)
{
    static const uint32_t head[] = {64, 32, 8, 16, 24, 48};
    static const struct shape fixed[EXTRA + BIG] = {
        {1, 7, 2, 5, CASE_SMALL, 0.0f, FILL_AUTO},  {3, 50, 1, 80, 0, 0.0f, FILL_AUTO},
        {1, 33, 3, 64, 0, 0.0f, FILL_HUGE},         {3, 17, 2, 32, 0, 0.3f, FILL_VALUE},
        {1, 129, 2, 64, 0, 0.05f, FILL_AUTO},       {2, 4, 1, 1, CASE_SMALL, 1.0f, FILL_AUTO},
        {1, 197, 3, 64, CASE_BIG, 0.0f, FILL_AUTO}, {3, 197, 3, 64, CASE_BIG, 0.0f, FILL_AUTO},
    };
    if (i >= CASE_SIZES)
        return fixed[i - CASE_SIZES];
    return (struct shape){case_images(i), case_size(i), 1 + i % 3, head[i % 6],
                          case_flags(i),  0.0f,         FILL_AUTO};
}

static struct sct_case start(uint32_t op, const struct shape *d, double products)
{
    const struct sct_attention_params p = {d->heads, d->scale};
    struct sct_case c = case_new(op, d->flags, d->b, "b=%u n=%u heads=%u d=%u fill=%u", d->b,
                                 d->n, d->heads, d->d, d->fill);
    case_params(&c, &p, sizeof p);
    c.flops = products * 2.0 * d->b * d->heads * d->n * d->n * d->d;
    case_body(&c, DIMS(d->b, d->n, 3 * d->heads * d->d))->kind = d->fill;
    return c;
}

void cases_attention(struct case_sink *s)
{
    for (uint32_t i = 0; i < SHAPES; i++) {
        const struct shape d = shape(i);
        const struct sct_case c = start(SCT_OP_ATTENTION, &d, 2);
        case_emit(s, &c);
    }
}

/* With one token, or all equal, the probabilities have no gradient: only dv is not rounding. */
void cases_attention_dx(struct case_sink *s)
{
    for (uint32_t i = 0; i < SHAPES; i++) {
        const struct shape d = shape(i);
        const uint32_t ch = d.heads * d.d, from[1] = {0};
        struct sct_case c = start(SCT_OP_ATTENTION_DX, &d, 5);
        case_from(&c, DIMS(d.b, d.n, ch), SCT_OP_ATTENTION, 0, 1, from);
        case_from(&c, DIMS(d.b, d.heads, d.n), SCT_OP_ATTENTION, 1, 1, from);
        case_body(&c, DIMS(d.b, d.n, ch));
        case_emit(s, &c);
    }
}

/* ---- windows ---- */

struct wshape {
    uint32_t b, d, flags;
    struct sct_wattention_params p; /* heads, scale, grid, window, shift */
};

static const struct wshape wshapes[] = {
    {1, 5, CASE_SMALL, {1, 0.0f, 1, 1, 1, 1, 0, 0}},
    {3, 8, CASE_SMALL | CASE_EDGE, {2, 0.0f, 4, 6, 2, 3, 1, 1}},
    {1, 16, CASE_SMALL, {1, 0.5f, 6, 6, 3, 3, 0, 0}},
    {3, 32, 0, {3, 0.0f, 8, 12, 4, 4, 2, 2}},
    {1, 32, 0, {2, 0.0f, 7, 7, 7, 7, 0, 0}},
    {3, 32, 0, {1, 0.0f, 14, 14, 7, 7, 3, 3}},
    {1, 24, 0, {2, 0.0f, 14, 7, 7, 7, 3, 0}},
    {2, 13, 0, {2, 0.0f, 9, 6, 3, 2, 0, 1}},
    {1, 32, CASE_BIG, {3, 0.0f, 56, 56, 7, 7, 3, 3}},
    {3, 32, CASE_BIG, {6, 0.0f, 28, 28, 7, 7, 0, 0}},
};

static uint32_t table_rows(const struct wshape *w)
{
    return (2 * w->p.win_h - 1) * (2 * w->p.win_w - 1);
}

static struct sct_case wstart(uint32_t op, const struct wshape *w, double products)
{
    const uint32_t n = w->p.grid_h * w->p.grid_w;
    struct sct_case c =
        case_new(op, w->flags, w->b, "b=%u grid=%ux%u win=%ux%u shift=%u,%u heads=%u d=%u",
                 w->b, w->p.grid_h, w->p.grid_w, w->p.win_h, w->p.win_w, w->p.shift_h,
                 w->p.shift_w, w->p.heads, w->d);
    case_params(&c, &w->p, sizeof w->p);
    c.flops = products * 2.0 * w->b * w->p.heads * n * w->p.win_h * w->p.win_w * w->d;
    return c;
}

static void qkv_table(struct sct_case *c, const struct wshape *w)
{
    case_body(c, DIMS(w->b, w->p.grid_h * w->p.grid_w, 3 * w->p.heads * w->d));
    case_fixed(c, DIMS(table_rows(w), w->p.heads));
}

/* (out, lse, dout) after qkv = input `qkv`, table = the next. */
static void out_lse_dout(struct sct_case *c, const struct wshape *w, uint32_t qkv)
{
    const uint32_t n = w->p.grid_h * w->p.grid_w, from[2] = {qkv, qkv + 1};
    case_from(c, DIMS(w->b, n, w->p.heads * w->d), SCT_OP_WATTENTION, 0, 2, from);
    case_from(c, DIMS(w->b, w->p.heads, n), SCT_OP_WATTENTION, 1, 2, from);
    case_body(c, DIMS(w->b, n, w->p.heads * w->d));
}

enum { WSHAPES = sizeof wshapes / sizeof wshapes[0] };

void cases_wattention(struct case_sink *s)
{
    for (uint32_t i = 0; i < WSHAPES; i++) {
        struct sct_case c = wstart(SCT_OP_WATTENTION, &wshapes[i], 2);
        qkv_table(&c, &wshapes[i]);
        case_emit(s, &c);
    }
}

void cases_wattention_dx(struct case_sink *s)
{
    for (uint32_t i = 0; i < WSHAPES; i++) {
        struct sct_case c = wstart(SCT_OP_WATTENTION_DX, &wshapes[i], 5);
        qkv_table(&c, &wshapes[i]);
        out_lse_dout(&c, &wshapes[i], 0);
        case_emit(s, &c);
    }
}

void cases_wattention_dt(struct case_sink *s)
{
    for (uint32_t i = 0; i < WSHAPES; i++) {
        struct sct_case c = wstart(SCT_OP_WATTENTION_DT, &wshapes[i], 2);
        case_slots(&c, DIMS(table_rows(&wshapes[i]), wshapes[i].p.heads));
        qkv_table(&c, &wshapes[i]);
        out_lse_dout(&c, &wshapes[i], 1);
        case_emit(s, &c);
    }
}
