/* SPDX-License-Identifier: MIT
 * cases_linear.c - cases of LINEAR, LINEAR_DX, LINEAR_DW, SUM_TO and of the fused linears.
 * Three sizes run through the tiles' edges at different paces, so tails meet in all pairs. */
#include "tests/cases/cases.h"

struct shape {
    uint32_t b, n, in, out, flags, bias;
};

enum { TURNS = 2 * CASE_SIZES, EXTRA = 3, BIG = 4, SHAPES = TURNS + EXTRA + BIG };

static struct shape shape(uint32_t i)
{
    static const struct shape fixed[EXTRA + BIG] = {
        {3, 1, 5, 3, CASE_SMALL, 1},     {1, 130, 129, 257, 0, 0},
        {2, 64, 64, 128, 0, 1},          {1, 197, 192, 768, CASE_BIG, 1},
        {3, 197, 192, 768, CASE_BIG, 0}, {1, 197, 768, 192, CASE_BIG, 1},
        {3, 197, 192, 576, CASE_BIG, 1},
    };
    if (i >= TURNS)
        return fixed[i - TURNS];
    const uint32_t turn = i / CASE_SIZES;
    return (struct shape){case_images(i),
                          case_size(i),
                          case_size(turn ? 5 * i + 2
                                    : i  ? i + 3
                                         : 0),
                          case_size(turn ? 7 * i + 4
                                    : i  ? i + 7
                                         : 0),
                          turn ? 0 : case_flags(i),
                          i % 2};
}

static struct sct_case start(uint32_t op, const struct shape *d)
{
    struct sct_case c = case_new(op, d->flags, d->b, "b=%u n=%u in=%u out=%u%s", d->b, d->n,
                                 d->in, d->out, d->bias ? " bias" : "");
    c.terms = d->in + 2;
    c.flops = 2.0 * d->b * d->n * d->in * d->out;
    return c;
}

static void x_w_bias(struct sct_case *c, const struct shape *d)
{
    case_body(c, DIMS(d->b, d->n, d->in));
    case_weight(c, d->in, DIMS(d->out, d->in));
    if (d->bias)
        case_fixed(c, DIMS(d->out));
}

void cases_linear(struct case_sink *s)
{
    for (uint32_t i = 0; i < SHAPES; i++) {
        const struct shape d = shape(i);
        struct sct_case c = start(SCT_OP_LINEAR, &d);
        x_w_bias(&c, &d);
        case_emit(s, &c);
    }
    struct sct_case c =
        case_new(SCT_OP_LINEAR, CASE_SMALL, 3, "b=3 no tokens in=17 out=10 bias");
    c.terms = 19;
    case_body(&c, DIMS(3, 17));
    case_weight(&c, 17, DIMS(10, 17));
    case_fixed(&c, DIMS(10));
    case_emit(s, &c);
}

void cases_linear_dx(struct case_sink *s)
{
    for (uint32_t i = 0; i < SHAPES; i++) {
        const struct shape d = shape(i);
        struct sct_case c = start(SCT_OP_LINEAR_DX, &d);
        c.terms = d.out;
        case_body(&c, DIMS(d.b, d.n, d.out));
        case_weight(&c, d.out, DIMS(d.out, d.in));
        case_emit(s, &c);
    }
}

void cases_linear_dw(struct case_sink *s)
{
    for (uint32_t i = 0; i < SHAPES; i++) {
        const struct shape d = shape(i);
        struct sct_case c = start(SCT_OP_LINEAR_DW, &d);
        c.terms = d.b * d.n + 1;
        case_slots(&c, DIMS(d.out, d.in));
        case_body(&c, DIMS(d.b, d.n, d.out));
        case_body(&c, DIMS(d.b, d.n, d.in));
        case_emit(s, &c);
    }
    struct sct_case c = case_new(SCT_OP_LINEAR_DW, CASE_SMALL, 3, "b=3 no tokens in=17 out=10");
    c.terms = 4;
    case_slots(&c, DIMS(10, 17));
    case_body(&c, DIMS(3, 10));
    case_body(&c, DIMS(3, 17));
    case_emit(s, &c);
}

void cases_linear_dw_el(struct case_sink *s)
{
    for (uint32_t i = 0; i < SHAPES; i++) {
        const struct shape d = shape(i);
        const uint32_t all = d.out * d.in, k = 1 + (all < 400 ? all / 2 : 199);
        struct sct_case c = start(SCT_OP_LINEAR_DW_EL, &d);
        c.terms = d.b * d.n + 1;
        c.flops = 2.0 * d.b * d.n * k;
        case_slots(&c, DIMS(k));
        case_body(&c, DIMS(d.b, d.n, d.out));
        case_body(&c, DIMS(d.b, d.n, d.in));
        case_index(&c, k, all);
        case_emit(s, &c);
    }
    struct sct_case c =
        case_new(SCT_OP_LINEAR_DW_EL, CASE_SMALL, 3, "b=3 no tokens in=17 out=10 k=70");
    c.terms = 4;
    case_slots(&c, DIMS(70));
    case_body(&c, DIMS(3, 10));
    case_body(&c, DIMS(3, 17));
    case_index(&c, 70, 170);
    case_emit(s, &c);
}

void cases_sum_to(struct case_sink *s)
{
    for (uint32_t i = 0; i < CASE_SIZES + 2; i++) {
        const bool big = i >= CASE_SIZES, tokens = i % 3 == 1;
        const uint32_t b = case_images(i), n = big ? 197 : case_size(i + 5);
        const uint32_t ch = big ? 192 : case_size(i);
        struct sct_case c =
            case_new(SCT_OP_SUM_TO, big ? CASE_BIG : case_flags(i), b, "b=%u n=%u c=%u to %s",
                     b, n, ch, tokens ? "[N][C]" : "[C]");
        c.terms = (tokens ? b : b * n) + 1;
        if (tokens)
            case_slots(&c, DIMS(n, ch));
        else
            case_slots(&c, DIMS(ch));
        case_body(&c, DIMS(b, n, ch));
        case_emit(s, &c);
    }
    struct sct_case c = case_new(SCT_OP_SUM_TO, CASE_SMALL, 3, "b=3 c=10 to [C]");
    c.terms = 4;
    case_slots(&c, DIMS(10));
    case_body(&c, DIMS(3, 10));
    case_emit(s, &c);
}

/* ---- fused ---- */

void cases_linear_gelu(struct case_sink *s)
{
    for (uint32_t i = 0; i < SHAPES; i++) {
        const struct shape d = shape(i);
        const struct sct_gelu_params p = {i % 3};
        struct sct_case c = start(SCT_OP_LINEAR_GELU, &d);
        case_params(&c, &p, sizeof p);
        x_w_bias(&c, &d);
        case_emit(s, &c);
    }
}

void cases_linear_add(struct case_sink *s)
{
    for (uint32_t i = 0; i < SHAPES; i++) {
        const struct shape d = shape(i);
        struct sct_case c = start(SCT_OP_LINEAR_ADD, &d);
        c.terms++;
        case_body(&c, DIMS(d.b, d.n, d.out));
        x_w_bias(&c, &d);
        case_emit(s, &c);
    }
}

void cases_linear_dx_gelu(struct case_sink *s)
{
    for (uint32_t i = 0; i < SHAPES; i++) {
        const struct shape d = shape(i);
        const struct sct_gelu_params p = {i % 3};
        struct sct_case c = start(SCT_OP_LINEAR_DX_GELU, &d);
        case_params(&c, &p, sizeof p);
        case_body(&c, DIMS(d.b, d.n, d.out));
        case_weight(&c, d.out, DIMS(d.out, d.in));
        case_body(&c, DIMS(d.b, d.n, d.in))->a = 1.5f;
        case_emit(s, &c);
    }
}

void cases_linear_dx_add(struct case_sink *s)
{
    for (uint32_t i = 0; i < SHAPES; i++) {
        const struct shape d = shape(i);
        struct sct_case c = start(SCT_OP_LINEAR_DX_ADD, &d);
        c.terms = d.out + 1;
        case_body(&c, DIMS(d.b, d.n, d.in));
        case_body(&c, DIMS(d.b, d.n, d.out));
        case_weight(&c, d.out, DIMS(d.out, d.in));
        case_emit(s, &c);
    }
}
