/* SPDX-License-Identifier: MIT
 * cases_elementwise.c - cases of ADD, MUL, SCALE, GELU, GELU_DX, RELU, RELU_DX. */
#include "tests/cases/cases.h"

enum { SAME, CHANNELS, TOKENS, SCALAR, KINDS };

/* x op y with y of x's shape or a suffix of it. */
static void binary(struct case_sink *s, uint32_t op)
{
    static const char *const what[KINDS] = {"same", "[C]", "[N][C]", "scalar"};
    for (uint32_t i = 0; i < 2 * CASE_SIZES; i++) {
        const uint32_t b = case_images(i), n = case_size(i + 5), k = i % KINDS;
        const uint32_t ch = case_size(i);
        struct sct_case c = case_new(op, i < CASE_SIZES ? case_flags(i) : 0, b,
                                     "b=%u n=%u c=%u %s", b, n, ch, what[k]);
        case_body(&c, DIMS(b, n, ch));
        if (k == SAME)
            case_body(&c, DIMS(b, n, ch));
        else if (k == CHANNELS)
            case_fixed(&c, DIMS(ch));
        else if (k == TOKENS)
            case_fixed(&c, DIMS(n, ch));
        else
            case_add(&c, SCT_CONST, SCT_F32, 0, NULL);
        case_emit(s, &c);
    }
    for (uint32_t b = 1; b <= 3; b += 2) {
        struct sct_case c = case_new(op, CASE_BIG, b, "b=%u n=197 c=192 same", b);
        case_body(&c, DIMS(b, 197, 192));
        case_body(&c, DIMS(b, 197, 192));
        case_emit(s, &c);
    }
}

void cases_add(struct case_sink *s)
{
    binary(s, SCT_OP_ADD);
}

void cases_mul(struct case_sink *s)
{
    binary(s, SCT_OP_MUL);
}

void cases_scale(struct case_sink *s)
{
    static const struct sct_scale_params par[] = {
        {0.125f, 0.0f}, {-1.7f, 0.3f}, {0.0f, 1.0f}, {1.0f, -2.0f}};
    for (uint32_t i = 0; i < CASE_SIZES + 1; i++) {
        const uint32_t b = case_images(i), n = i < CASE_SIZES ? case_size(i) : 197 * 192;
        const struct sct_scale_params *p = &par[i % 4];
        struct sct_case c =
            case_new(SCT_OP_SCALE, CASE_CANCEL | (i < CASE_SIZES ? case_flags(i) : CASE_BIG), b,
                     "b=%u n=%u mul=%g add=%g", b, n, (double)p->mul, (double)p->add);
        case_params(&c, p, sizeof *p);
        case_body(&c, DIMS(b, n));
        case_emit(s, &c);
    }
}

static void gelu(struct case_sink *s, uint32_t op)
{
    static const char *const kinds[] = {"erf", "tanh", "quick"};
    for (uint32_t i = 0; i < 3 * CASE_SIZES + 6; i++) {
        const bool big = i >= 3 * CASE_SIZES;
        const uint32_t b = case_images(big ? i / 2 : i), n = big ? 197 : case_size(i + 4);
        const uint32_t ch = big ? 768 : case_size(i);
        const struct sct_gelu_params p = {big ? i % 3 : i / CASE_SIZES};
        struct sct_case c = case_new(op, big ? CASE_BIG : case_flags(i % CASE_SIZES), b,
                                     "b=%u n=%u c=%u %s", b, n, ch, kinds[p.kind]);
        case_params(&c, &p, sizeof p);
        case_body(&c, DIMS(b, n, ch))->a = i % 3 == 2 ? 8.0f : 1.5f;
        if (op == SCT_OP_GELU_DX)
            case_body(&c, DIMS(b, n, ch));
        case_emit(s, &c);
    }
}

void cases_gelu(struct case_sink *s)
{
    gelu(s, SCT_OP_GELU);
}

void cases_gelu_dx(struct case_sink *s)
{
    gelu(s, SCT_OP_GELU_DX);
}

/* Signs of both kinds; RELU_DX takes what is no output of RELU as well. */
static void relu(struct case_sink *s, uint32_t op)
{
    for (uint32_t i = 0; i < CASE_SIZES + 2; i++) {
        const bool big = i >= CASE_SIZES;
        const uint32_t b = case_images(i), n = big ? 197 : case_size(i + 4);
        const uint32_t ch = big ? 768 : case_size(i);
        struct sct_case c =
            case_new(op, big ? CASE_BIG : case_flags(i), b, "b=%u n=%u c=%u", b, n, ch);
        case_body(&c, DIMS(b, n, ch));
        if (op == SCT_OP_RELU_DX)
            case_body(&c, DIMS(b, n, ch));
        case_emit(s, &c);
    }
}

void cases_relu(struct case_sink *s)
{
    relu(s, SCT_OP_RELU);
}

void cases_relu_dx(struct case_sink *s)
{
    relu(s, SCT_OP_RELU_DX);
}
