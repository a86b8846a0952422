/* SPDX-License-Identifier: MIT
 * cases_channels.c - cases of the ops on channels and elements, and of the fused PEFT modules.
 * Indices are distinct and in no order. */
#include "tests/cases/cases.h"

struct pick {
    uint32_t b, n, c, k, flags;
};

enum { PICKS = CASE_SIZES + 3 };

/* k of c channels: one, some, all. */
static struct pick pick(uint32_t i)
{
    static const struct pick fixed[3] = {
        {3, 5, 192, 96, 0}, {1, 197, 192, 96, CASE_BIG}, {3, 197, 192, 96, CASE_BIG}};
    if (i >= CASE_SIZES)
        return fixed[i - CASE_SIZES];
    struct pick p = {case_images(i), case_size(i + 4), case_size(i), 0, case_flags(i)};
    p.k = i % 3 == 0 ? 1 : i % 3 == 1 ? p.c : 1 + p.c / 2;
    return p;
}

static struct sct_case start(uint32_t op, const struct pick *p)
{
    return case_new(op, p->flags, p->b, "b=%u n=%u c=%u k=%u", p->b, p->n, p->c, p->k);
}

void cases_gather_ch(struct case_sink *s)
{
    for (uint32_t i = 0; i < PICKS; i++) {
        const struct pick p = pick(i);
        struct sct_case c = start(SCT_OP_GATHER_CH, &p);
        case_body(&c, DIMS(p.b, p.n, p.c));
        case_index(&c, p.k, p.c);
        case_emit(s, &c);
    }
}

void cases_scatter_ch(struct case_sink *s)
{
    for (uint32_t i = 0; i < PICKS; i++) {
        const struct pick p = pick(i);
        const struct sct_channels_params par = {p.c};
        struct sct_case c = start(SCT_OP_SCATTER_CH, &p);
        case_params(&c, &par, sizeof par);
        case_body(&c, DIMS(p.b, p.n, p.k));
        case_index(&c, p.k, p.c);
        case_emit(s, &c);
    }
}

static void scatter3(struct case_sink *s, uint32_t op)
{
    for (uint32_t i = 0; i < PICKS; i++) {
        const struct pick p = pick(i);
        struct sct_case c = start(op, &p);
        case_body(&c, DIMS(p.b, p.n, p.c));
        case_index(&c, p.k, p.c);
        case_body(&c, DIMS(p.b, p.n, p.k));
        case_emit(s, &c);
    }
}

void cases_scatter_add_ch(struct case_sink *s)
{
    scatter3(s, SCT_OP_SCATTER_ADD_CH);
}

void cases_scatter_set_ch(struct case_sink *s)
{
    scatter3(s, SCT_OP_SCATTER_SET_CH);
}

void cases_mask_ch(struct case_sink *s)
{
    for (uint32_t i = 0; i < PICKS; i++) {
        const struct pick p = pick(i);
        struct sct_case c = start(SCT_OP_MASK_CH, &p);
        case_body(&c, DIMS(p.b, p.n, p.c));
        case_index(&c, p.k, p.c);
        case_emit(s, &c);
    }
}

static uint32_t first_of(uint32_t i, const struct pick *p)
{
    return i % 2 ? p->c - p->k : (p->c - p->k) / 2;
}

void cases_slice_ch(struct case_sink *s)
{
    for (uint32_t i = 0; i < PICKS; i++) {
        const struct pick p = pick(i);
        const struct sct_range_params par = {first_of(i, &p), p.k, 0};
        struct sct_case c = start(SCT_OP_SLICE_CH, &p);
        case_params(&c, &par, sizeof par);
        case_body(&c, DIMS(p.b, p.n, p.c));
        case_emit(s, &c);
    }
}

void cases_pad_ch(struct case_sink *s)
{
    for (uint32_t i = 0; i < PICKS; i++) {
        const struct pick p = pick(i);
        const struct sct_range_params par = {first_of(i, &p), 0, p.c};
        struct sct_case c = start(SCT_OP_PAD_CH, &p);
        case_params(&c, &par, sizeof par);
        case_body(&c, DIMS(p.b, p.n, p.k));
        case_emit(s, &c);
    }
}

void cases_add_ch(struct case_sink *s)
{
    for (uint32_t i = 0; i < PICKS; i++) {
        const struct pick p = pick(i);
        const struct sct_range_params par = {first_of(i, &p), 0, 0};
        struct sct_case c = start(SCT_OP_ADD_CH, &p);
        case_params(&c, &par, sizeof par);
        case_body(&c, DIMS(p.b, p.n, p.c));
        case_body(&c, DIMS(p.b, p.n, p.k));
        case_emit(s, &c);
    }
}

/* ---- elements of a parameter: they run before the body ---- */

void cases_gather_el(struct case_sink *s)
{
    for (uint32_t i = 0; i < PICKS; i++) {
        const struct pick p = pick(i);
        const uint32_t n = p.n * p.c, k = 1 + n / 3;
        struct sct_case c =
            case_new(SCT_OP_GATHER_EL, p.flags, 1, "w=[%u][%u] k=%u", p.n, p.c, k);
        c.segment = SCT_SEG_PROLOGUE;
        c.out_scope = SCT_STEP;
        case_add(&c, SCT_PERSIST, SCT_F32, DIMS(p.n, p.c));
        case_index(&c, k, n);
        case_emit(s, &c);
    }
}

void cases_scatter_add_el(struct case_sink *s)
{
    for (uint32_t i = 0; i < PICKS; i++) {
        const struct pick p = pick(i);
        const uint32_t n = p.n * p.c, k = 1 + n / 3;
        struct sct_case c =
            case_new(SCT_OP_SCATTER_ADD_EL, p.flags, 1, "w=[%u][%u] k=%u", p.n, p.c, k);
        c.segment = SCT_SEG_PROLOGUE;
        c.out_scope = SCT_STEP;
        case_add(&c, SCT_STEP, SCT_F32, DIMS(p.n, p.c));
        case_index(&c, k, n);
        case_add(&c, SCT_PERSIST, SCT_F32, DIMS(k));
        case_emit(s, &c);
    }
}

/* ---- fused modules ---- */

/* Integers stay exact under a power of two. */
static const float scales[] = {1.0f, 0.5f, 2.0f};

void cases_sct_module(struct case_sink *s)
{
    for (uint32_t i = 0; i < PICKS; i++) {
        const struct pick p = pick(i);
        const struct sct_module_params par = {scales[i % 3], 0};
        struct sct_case c = start(SCT_OP_SCT_MODULE, &p);
        case_params(&c, &par, sizeof par);
        c.terms = p.k + 4;
        c.exact = 1u << 1;
        c.flops = 2.0 * p.b * p.n * p.k * p.k;
        case_body(&c, DIMS(p.b, p.n, p.c));
        case_index(&c, p.k, p.c);
        case_weight(&c, p.k, DIMS(p.k, p.k));
        if (i % 2)
            case_fixed(&c, DIMS(p.k));
        case_emit(s, &c);
    }
}

void cases_sct_module_dx(struct case_sink *s)
{
    for (uint32_t i = 0; i < PICKS; i++) {
        const struct pick p = pick(i);
        const struct sct_module_params par = {scales[i % 3], 0};
        struct sct_case c = start(SCT_OP_SCT_MODULE_DX, &p);
        case_params(&c, &par, sizeof par);
        c.terms = p.k + 4;
        c.flops = 2.0 * p.b * p.n * p.k * p.k;
        case_body(&c, DIMS(p.b, p.n, p.c));
        case_index(&c, p.k, p.c);
        case_weight(&c, p.k, DIMS(p.k, p.k));
        case_emit(s, &c);
    }
}

struct lora {
    uint32_t b, n, in, out, rank, k, first, flags;
};

static struct lora lora(uint32_t i)
{
    static const struct lora fixed[3] = {{3, 5, 192, 576, 8, 576, 0, 0},
                                         {1, 197, 192, 576, 16, 192, 384, CASE_BIG},
                                         {3, 197, 192, 576, 8, 192, 0, CASE_BIG}};
    static const uint32_t ranks[] = {1, 4, 8, 16, 13};
    if (i >= CASE_SIZES)
        return fixed[i - CASE_SIZES];
    struct lora l = {
        case_images(i), case_size(i + 4), case_size(i), case_size(i + 7), ranks[i % 5], 0, 0,
        case_flags(i)};
    l.k = i % 2 ? l.out : 1 + l.out / 2;
    l.first = l.out - l.k;
    return l;
}

static struct sct_case lora_start(uint32_t op, const struct lora *l, uint32_t i)
{
    const struct sct_module_params par = {scales[i % 3], l->first};
    struct sct_case c =
        case_new(op, l->flags, l->b, "b=%u n=%u in=%u out=%u rank=%u k=%u first=%u", l->b, l->n,
                 l->in, l->out, l->rank, l->k, l->first);
    case_params(&c, &par, sizeof par);
    c.flops = 2.0 * l->b * l->n * l->rank * (l->in + l->k);
    return c;
}

void cases_lora_module(struct case_sink *s)
{
    for (uint32_t i = 0; i < PICKS; i++) {
        const struct lora l = lora(i);
        struct sct_case c = lora_start(SCT_OP_LORA_MODULE, &l, i);
        c.terms = l.in + l.rank + 4;
        case_body(&c, DIMS(l.b, l.n, l.out));
        case_body(&c, DIMS(l.b, l.n, l.in));
        case_weight(&c, l.in, DIMS(l.rank, l.in));
        case_weight(&c, l.rank, DIMS(l.k, l.rank));
        case_emit(s, &c);
    }
}

void cases_lora_module_dx(struct case_sink *s)
{
    for (uint32_t i = 0; i < PICKS; i++) {
        const struct lora l = lora(i);
        struct sct_case c = lora_start(SCT_OP_LORA_MODULE_DX, &l, i);
        c.terms = l.k + l.rank + 4;
        case_body(&c, DIMS(l.b, l.n, l.in));
        case_body(&c, DIMS(l.b, l.n, l.out));
        case_weight(&c, l.rank, DIMS(l.rank, l.in));
        case_weight(&c, l.k, DIMS(l.k, l.rank));
        case_emit(s, &c);
    }
}
