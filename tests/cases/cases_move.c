/* SPDX-License-Identifier: MIT
 * cases_move.c - cases of the ops between batch and body, and of shape, constants and layout.
 */
#include "tests/cases/cases.h"

/* Rows of the batch: the last micro-batch is short, so padding is seen. */
static void feed(struct case_sink *s, uint32_t dtype, uint32_t b, uint32_t batch,
                 uint32_t micro, uint32_t row, uint32_t flags)
{
    struct sct_case c = case_new(SCT_OP_FEED, flags, b, "b=%u batch=%u micro=%u row=%u t=%u", b,
                                 batch, micro, row, dtype);
    c.batch = batch;
    c.micro = micro;
    case_add(&c, SCT_BATCH, dtype, DIMS(batch, row));
    case_emit(s, &c);
}

void cases_feed(struct case_sink *s)
{
    for (uint32_t i = 0; i < CASE_SIZES; i++)
        feed(s, SCT_F32, case_images(i), 7, i % 3, case_size(i), case_flags(i));
    feed(s, SCT_F32, 4, 10, 2, 5, CASE_SMALL);
    feed(s, SCT_I32, 3, 8, 2, 2, CASE_SMALL);
    feed(s, SCT_I32, 1, 3, 1, 2, 0);
    feed(s, SCT_U8, 3, 7, 2, 37 * 3, CASE_SMALL);
    feed(s, SCT_U8, 1, 2, 1, 1, 0);
    feed(s, SCT_U8, 3, 4, 1, 224 * 224 * 3, CASE_BIG);
}

static void emit_rows(struct case_sink *s, uint32_t dtype, uint32_t b, uint32_t batch,
                      uint32_t micro, uint32_t row, uint32_t flags)
{
    struct sct_case c = case_new(SCT_OP_EMIT, flags, b, "b=%u batch=%u micro=%u row=%u t=%u", b,
                                 batch, micro, row, dtype);
    c.batch = batch;
    c.micro = micro;
    c.out_scope = SCT_BATCH;
    case_add(&c, SCT_LANE, dtype, DIMS(b, row));
    case_emit(s, &c);
}

void cases_emit(struct case_sink *s)
{
    for (uint32_t i = 0; i < CASE_SIZES; i++)
        emit_rows(s, SCT_F32, case_images(i), 7, i % 3, case_size(i), case_flags(i));
    emit_rows(s, SCT_F32, 4, 10, 2, 5, CASE_SMALL);
    emit_rows(s, SCT_F32, 3, 4, 1, 1000, CASE_BIG);
}

void cases_image(struct case_sink *s)
{
    static const uint32_t hw[][2] = {{1, 1}, {3, 5}, {17, 13}, {32, 31}, {224, 224}};
    for (uint32_t i = 0; i < sizeof hw / sizeof hw[0]; i++) {
        const uint32_t b = case_images(i), h = hw[i][0], w = hw[i][1];
        struct sct_case c = case_new(SCT_OP_IMAGE,
                                     i < 2    ? CASE_SMALL
                                     : i == 4 ? CASE_BIG
                                              : 0,
                                     b, "b=%u h=%u w=%u", b, h, w);
        case_add(&c, SCT_LANE, SCT_U8, DIMS(b, h, w, 3))->kind = FILL_BYTE;
        case_fixed(&c, DIMS(3, 256));
        case_emit(s, &c);
    }
}

static const uint32_t patches[][3] = {/* patch, patches down, patches across */
                                      {1, 1, 1},
                                      {2, 3, 2},
                                      {4, 5, 7},
                                      {3, 1, 4},
                                      {16, 14, 14}};

void cases_patchify(struct case_sink *s)
{
    for (uint32_t i = 0; i < sizeof patches / sizeof patches[0]; i++) {
        const uint32_t b = case_images(i), p = patches[i][0];
        const uint32_t h = p * patches[i][1], w = p * patches[i][2];
        const struct sct_patchify_params par = {p, 0, 0, 0};
        const uint32_t flags = i == 1 ? CASE_SMALL | CASE_EDGE : i == 4 ? CASE_BIG : 0;
        struct sct_case c =
            case_new(SCT_OP_PATCHIFY, flags, b, "b=%u h=%u w=%u patch=%u", b, h, w, p);
        case_params(&c, &par, sizeof par);
        case_body(&c, DIMS(b, 3, h, w));
        case_emit(s, &c);
    }
}

void cases_unpatchify(struct case_sink *s)
{
    for (uint32_t i = 0; i < sizeof patches / sizeof patches[0]; i++) {
        const uint32_t b = case_images(i), p = patches[i][0];
        const uint32_t h = p * patches[i][1], w = p * patches[i][2];
        const struct sct_patchify_params par = {p, 3, h, w};
        const uint32_t flags = i == 1 ? CASE_SMALL | CASE_EDGE : i == 4 ? CASE_BIG : 0;
        struct sct_case c =
            case_new(SCT_OP_UNPATCHIFY, flags, b, "b=%u h=%u w=%u patch=%u", b, h, w, p);
        case_params(&c, &par, sizeof par);
        case_body(&c, DIMS(b, patches[i][1] * patches[i][2], 3 * p * p));
        case_emit(s, &c);
    }
}

void cases_reshape(struct case_sink *s)
{
    const struct sct_reshape_params split = {4, {0, 0, 2, 4}}, join = {2, {0, 40}};
    struct sct_case c = case_new(SCT_OP_RESHAPE, CASE_SMALL, 3, "b=3 [5][8] to [5][2][4]");
    case_params(&c, &split, sizeof split);
    case_body(&c, DIMS(3, 5, 8));
    case_emit(s, &c);
    c = case_new(SCT_OP_RESHAPE, CASE_SMALL, 1, "b=1 [5][8] to [40]");
    case_params(&c, &join, sizeof join);
    case_body(&c, DIMS(1, 5, 8));
    case_emit(s, &c);
}

void cases_copy(struct case_sink *s)
{
    for (uint32_t i = 0; i < CASE_SIZES; i++) {
        const uint32_t b = case_images(i), n = case_size(i);
        struct sct_case c = case_new(SCT_OP_COPY, case_flags(i), b, "b=%u n=%u", b, n);
        case_body(&c, DIMS(b, n));
        case_emit(s, &c);
    }
    struct sct_case c = case_new(SCT_OP_COPY, CASE_BIG, 3, "b=3 n=197 c=192");
    case_body(&c, DIMS(3, 197, 192));
    case_emit(s, &c);
}

/* To 16 bits the specials hold what rounding must get right; from 16 bits any finite pattern.
 */
void cases_cast(struct case_sink *s)
{
    static const uint32_t to[][2] = {
        {SCT_F32, SCT_BF16}, {SCT_F32, SCT_F16}, {SCT_BF16, SCT_F32}, {SCT_F16, SCT_F32}};
    for (uint32_t t = 0; t < 4; t++)
        for (uint32_t i = 0; i < CASE_SIZES; i++) {
            const uint32_t b = case_images(i), n = case_size(i);
            const uint32_t flags = to[t][0] == SCT_F32 ? case_flags(i) : case_flags_plain(i);
            const struct sct_cast_params p = {to[t][1]};
            struct sct_case c = case_new(SCT_OP_CAST, flags | CASE_FWD, b, "b=%u n=%u t=%u->%u",
                                         b, n, to[t][0], to[t][1]);
            case_params(&c, &p, sizeof p);
            case_add(&c, SCT_LANE, to[t][0], DIMS(b, n))->a = 3.0f;
            case_emit(s, &c);
        }
}

void cases_fill(struct case_sink *s)
{
    for (uint32_t i = 0; i < CASE_SIZES; i++) {
        const uint32_t b = case_images(i), n = case_size(i);
        const struct sct_fill_params p = {i % 2 ? -1.5f : 0.0f, 0, {0}};
        struct sct_case c =
            case_new(SCT_OP_FILL, case_flags_plain(i), b, "like [%u][%u]", b, n);
        case_params(&c, &p, sizeof p);
        case_body(&c, DIMS(b, n));
        case_emit(s, &c);
    }
    const struct sct_fill_params p = {0.125f, 2, {7, 19}};
    struct sct_case c = case_new(SCT_OP_FILL, CASE_SMALL, 1, "shape [7][19]");
    case_params(&c, &p, sizeof p);
    c.segment = SCT_SEG_PROLOGUE;
    c.out_scope = SCT_STEP;
    case_emit(s, &c);
}

/* An accumulator is zeroed in all its slots; ZERO then sees [S][..]. */
void cases_zero(struct case_sink *s)
{
    for (uint32_t i = 0; i < CASE_SIZES; i++) {
        const uint32_t n = case_size(i), slots = i % 2 ? 4 : 1;
        const struct sct_zero_params p = {2, {slots, n}};
        struct sct_case c =
            case_new(SCT_OP_ZERO, case_flags_plain(i), slots, "slots=%u n=%u", slots, n);
        case_params(&c, &p, sizeof p);
        c.segment = SCT_SEG_PROLOGUE;
        c.out_scope = SCT_SLOTS;
        case_emit(s, &c);
    }
}

/* Private layouts are checked by the rows that ask for them; 0 is a copy. */
void cases_pack(struct case_sink *s)
{
    struct sct_case c = case_new(SCT_OP_PACK, CASE_SMALL, 1, "dense [17][13]");
    case_fixed(&c, DIMS(17, 13));
    c.segment = SCT_SEG_SETUP;
    c.out_scope = SCT_CONST;
    case_emit(s, &c);
}
