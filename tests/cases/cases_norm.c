/* SPDX-License-Identifier: MIT
 * cases_norm.c - cases of LAYERNORM and its gradients, DORA_SCALE.
 * mean and rstd of the gradients' inputs come from the forward op on the same x. */
#include "tests/cases/cases.h"

struct shape {
    uint32_t b, n, c, flags;
};

enum { BIG = 2, SHAPES = CASE_SIZES + 2 + BIG };

static struct shape shape(uint32_t i)
{
    static const struct shape fixed[2 + BIG] = {
        {3, 5, 384, 0}, {1, 2, 1024, 0}, {1, 197, 192, CASE_BIG}, {3, 197, 192, CASE_BIG}};
    if (i >= CASE_SIZES)
        return fixed[i - CASE_SIZES];
    return (struct shape){case_images(i), case_size(i + 5), case_size(i), case_flags(i)};
}

void cases_layernorm(struct case_sink *s)
{
    for (uint32_t i = 0; i < SHAPES; i++) {
        const struct shape d = shape(i);
        const struct sct_norm_params p = {i % 2 ? 1e-6f : 1e-5f};
        struct sct_case c =
            case_new(SCT_OP_LAYERNORM, d.flags, d.b, "b=%u n=%u c=%u", d.b, d.n, d.c);
        case_params(&c, &p, sizeof p);
        struct case_fill *x = case_body(&c, DIMS(d.b, d.n, d.c));
        x->kind = i % 4 == 3 ? FILL_ROWS : FILL_AUTO;
        x->b = i % 2 ? 2.0f : 0.0f;
        case_fixed(&c, DIMS(d.c));
        case_fixed(&c, DIMS(d.c));
        case_emit(s, &c);
    }
}

/* One channel has no gradient but the rounding of zero, so C is 5 at least. */
static struct sct_case start(uint32_t op, const struct shape *d)
{
    return case_new(op, d->flags, d->b, "b=%u n=%u c=%u", d->b, d->n, d->c);
}

/* mean and rstd of x = input `x`, weight = input `g`. */
static void stats(struct sct_case *c, const struct shape *d, uint32_t x, uint32_t g)
{
    const uint32_t from[3] = {x, g, g};
    for (uint32_t out = 1; out <= 2; out++) {
        case_from(c, DIMS(d->b, d->n), SCT_OP_LAYERNORM, out, 3, from);
        c->in[c->n_in - 1].fill.a = 1e-6f;
    }
}

static void layernorm_dx(struct case_sink *s, uint32_t op)
{
    for (uint32_t i = 0; i < SHAPES; i++) {
        struct shape d = shape(i);
        d.c = d.c < 5 ? 5 : d.c;
        struct sct_case c = start(op, &d);
        const uint32_t x = op == SCT_OP_LAYERNORM_DX_ADD;
        if (x)
            case_body(&c, DIMS(d.b, d.n, d.c));
        case_body(&c, DIMS(d.b, d.n, d.c))->b = 1.0f;
        case_fixed(&c, DIMS(d.c));
        stats(&c, &d, x, x + 1);
        case_body(&c, DIMS(d.b, d.n, d.c));
        case_emit(s, &c);
    }
}

void cases_layernorm_dx(struct case_sink *s)
{
    layernorm_dx(s, SCT_OP_LAYERNORM_DX);
}

void cases_layernorm_dx_add(struct case_sink *s)
{
    layernorm_dx(s, SCT_OP_LAYERNORM_DX_ADD);
}

void cases_layernorm_dg(struct case_sink *s)
{
    for (uint32_t i = 0; i < SHAPES; i++) {
        struct shape d = shape(i);
        d.c = d.c < 5 ? 5 : d.c;
        struct sct_case c = start(SCT_OP_LAYERNORM_DG, &d);
        case_slots(&c, DIMS(d.c));
        case_body(&c, DIMS(d.b, d.n, d.c))->b = 1.0f;
        stats(&c, &d, 1, 5); /* input 5: any weight, for the forward op only */
        case_body(&c, DIMS(d.b, d.n, d.c));
        case_fixed(&c, DIMS(d.c));
        c.n_in--;
        c.n_extra = 1;
        case_emit(s, &c);
    }
}

/* Some rows of a weight; every fourth case without an update; rows of zeros with and without.
 */
void cases_dora_scale(struct case_sink *s)
{
    for (uint32_t i = 0; i < CASE_SIZES + 2; i++) {
        const bool big = i >= CASE_SIZES, pair = i % 4 != 3;
        const uint32_t n = big ? 192 : case_size(i),
                       in = big ? 192 * (i - 11) : case_size(i + 5), r = big ? 8 : 1 + i % 7,
                       first = i % 3 ? n : 0;
        const struct sct_module_params p = {i % 2 ? 2.0f : -0.25f, first};
        struct sct_case c = case_new(SCT_OP_DORA_SCALE, big ? CASE_BIG : case_flags(i), 1,
                                     "n=%u in=%u r=%u first=%u", n, in, pair ? r : 0, first);
        c.segment = SCT_SEG_PROLOGUE;
        c.out_scope = SCT_STEP;
        case_params(&c, &p, sizeof p);
        case_add(&c, SCT_PERSIST, SCT_F32, DIMS(n))->b = 1.0f;
        case_weight(&c, in, DIMS(2 * n + first, in));
        if (i == 4 || i == 7)
            c.in[1].fill = (struct case_fill){.kind = FILL_VALUE, .a = 0.0f};
        if (pair) {
            case_weight(&c, in, DIMS(r, in));
            case_weight(&c, r, DIMS(n, r));
        }
        case_emit(s, &c);
    }
}
