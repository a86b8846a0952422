/* SPDX-License-Identifier: MIT
 * rows_simd.h - the rows of a vector ISA; included by rows_avx512.c and rows_avx2.c, which
 * define ISA(OP)   the kernel of an op           ISA_BITS, ISA_NAME  what it needs, how it is
 * called MR, NR    the GEMM tile                 ISA_TILE            the same as text PANEL,
 * PANEL_T  the layouts of packed weights that fit it ROWS, ROWS_COUNT  the table's names
 *
 * Orders: FMA_CHAIN and VERTICAL give the same bits on every vector ISA (and differ from
 * portable C, which has no FMA); ISA_ORDER is for sums across the lanes of a register. */
#include "backends/cpu/cpu.h"
#include "kernels/cpu/conv_grid.h"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/simd_size.h"

enum { FMA_CHAIN = 2, VERTICAL = 2 };

/* Indices and labels are i32 by the op's own rule; everything else must be f32. */
static bool all_f32(const struct sct_opdesc *d)
{
    for (uint32_t i = 0; i < d->n_in; i++)
        if (d->in[i].dtype != SCT_F32 && d->in[i].dtype != SCT_I32)
            return false;
    return true;
}

/* The weight, in[w], must be one that PACK may see: frozen or trained, not made by the body. */
static bool packable(const struct sct_opdesc *d, uint32_t w)
{
    return all_f32(d) && (d->cls[w] == SCT_SEG_SETUP || d->cls[w] == SCT_SEG_PROLOGUE);
}

static bool weight_in1(const struct sct_opdesc *d)
{
    return packable(d, 1);
}

static bool weight_in2(const struct sct_opdesc *d)
{
    return packable(d, 2);
}

static bool weights_in2_in3(const struct sct_opdesc *d)
{
    return packable(d, 2) && packable(d, 3);
}

/* in[a] times the weight in[a + 1]. */
static void choose_gemm(const struct sct_opdesc *d, struct sct_choice *c, uint32_t a,
                        uint32_t layout)
{
    c->pack_in[a + 1] = layout;
    c->scratch = gemm_scratch((size_t)sct_desc_rows(&d->in[a]), sct_desc_last(&d->out[0]),
                              sct_desc_last(&d->in[a]), MR, NR);
}

static void choose_linear(const struct sct_opdesc *d, struct sct_choice *c)
{
    choose_gemm(d, c, 0, PANEL);
}

static void choose_linear_res(const struct sct_opdesc *d, struct sct_choice *c)
{
    choose_gemm(d, c, 1, PANEL);
}

static void choose_linear_dx(const struct sct_opdesc *d, struct sct_choice *c)
{
    choose_gemm(d, c, 0, PANEL_T);
}

static void choose_linear_dx_res(const struct sct_opdesc *d, struct sct_choice *c)
{
    choose_gemm(d, c, 1, PANEL_T);
}

/* qkv [B][N][3C], C = heads * D. */
static void choose_attention(const struct sct_opdesc *d, struct sct_choice *c)
{
    const struct sct_attention_params *p = d->params;
    const bool backward = d->op == SCT_OP_ATTENTION_DX;
    const size_t head = d->in[0].dim[2] / 3 / p->heads;
    c->scratch =
        attn_layout(d->in[0].dim[1], head, MR, NR, backward, false).floats * sizeof(float);
}

/* in[0] is qkv; for the table's gradient in[1]. */
static void choose_wattention(const struct sct_opdesc *d, struct sct_choice *c)
{
    const struct sct_wattention_params *p = d->params;
    const uint32_t at = d->op == SCT_OP_WATTENTION_DT;
    const size_t n = (size_t)p->win_h * p->win_w, head = d->in[at].dim[2] / 3 / p->heads;
    const bool backward = d->op != SCT_OP_WATTENTION;
    c->scratch = attn_layout(n, head, MR, NR, backward, true).floats * sizeof(float);
}

static void choose_linear_dw(const struct sct_opdesc *d, struct sct_choice *c)
{
    c->scratch = dw_scratch((size_t)sct_desc_rows(&d->in[1]), NR);
}

/* in[1] is [groups][out][in], of one group. */
static void choose_grouped(const struct sct_opdesc *d, struct sct_choice *c)
{
    const bool backward = d->op == SCT_OP_LINEAR_GROUPED_DX;
    c->scratch = grouped_scratch(d->in[1].dim[backward ? 1 : 2], NR);
}

/* Kernels of CONV_GRID work in vectors, of which a tile has two across. */
static void choose_conv_grid(const struct sct_opdesc *d, struct sct_choice *c)
{
    if (d->op == SCT_OP_CONV_GRID_DW)
        c->scratch = conv_dw_scratch(d, NR / 2);
    else
        c->scratch = conv_scratch(d, d->op == SCT_OP_CONV_GRID_DX, NR / 2);
}

static void choose_sct_module(const struct sct_opdesc *d, struct sct_choice *c)
{
    c->pack_in[2] = d->op == SCT_OP_SCT_MODULE ? PANEL : PANEL_T;
}

static void choose_lora_module(const struct sct_opdesc *d, struct sct_choice *c)
{
    c->pack_in[2] = c->pack_in[3] = d->op == SCT_OP_LORA_MODULE ? PANEL : PANEL_T;
}

#define ROW(ID, OP, SUFFIX, ORDER, ACCEPTS, CHOOSE)                                            \
    {                                                                                          \
        SCT_OP_##ID, #OP "/" ISA_NAME SUFFIX, ISA_BITS, ORDER, ACCEPTS, CHOOSE, ISA(OP), false \
    }
#define ROW_ONE(ID, OP, ORDER)                                                                 \
    {                                                                                          \
        SCT_OP_##ID, #OP "/" ISA_NAME, ISA_BITS, ORDER, all_f32, NULL, ISA(OP), true           \
    }

const struct cpu_row ROWS[] = {
    ROW(LINEAR, linear, ISA_TILE, FMA_CHAIN, weight_in1, choose_linear),
    ROW(LINEAR_ADD, linear_add, ISA_TILE, FMA_CHAIN, weight_in2, choose_linear_res),
    ROW(LINEAR_GELU, linear_gelu, ISA_TILE, FMA_CHAIN, weight_in1, choose_linear),
    ROW(LINEAR_DX, linear_dx, ISA_TILE, FMA_CHAIN, weight_in1, choose_linear_dx),
    ROW(LINEAR_DX_ADD, linear_dx_add, ISA_TILE, FMA_CHAIN, weight_in2, choose_linear_dx_res),
    ROW(LINEAR_DX_GELU, linear_dx_gelu, ISA_TILE, FMA_CHAIN, weight_in1, choose_linear_dx),
    ROW(ATTENTION, attention, ISA_TILE, ISA_ORDER, all_f32, choose_attention),
    ROW(ATTENTION_DX, attention_dx, ISA_TILE, ISA_ORDER, all_f32, choose_attention),
    ROW(WATTENTION, wattention, ISA_TILE, ISA_ORDER, all_f32, choose_wattention),
    ROW(WATTENTION_DX, wattention_dx, ISA_TILE, ISA_ORDER, all_f32, choose_wattention),
    ROW(WATTENTION_DT, wattention_dt, ISA_TILE, ISA_ORDER, all_f32, choose_wattention),
    ROW(LAYERNORM, layernorm, "", ISA_ORDER, all_f32, NULL),
    ROW(LAYERNORM_DX, layernorm_dx, "", ISA_ORDER, all_f32, NULL),
    ROW(LAYERNORM_DX_ADD, layernorm_dx_add, "", ISA_ORDER, all_f32, NULL),
    ROW(LAYERNORM_DG, layernorm_dg, "", VERTICAL, all_f32, NULL),
    ROW(ADD, add, "", VERTICAL, all_f32, NULL),
    ROW(MUL, mul, "", VERTICAL, all_f32, NULL),
    ROW(SCALE, scale, "", VERTICAL, all_f32, NULL),
    ROW(GELU, gelu, "", VERTICAL, all_f32, NULL),
    ROW(GELU_DX, gelu_dx, "", VERTICAL, all_f32, NULL),
    ROW(LINEAR_DW, linear_dw, ISA_TILE, FMA_CHAIN, all_f32, choose_linear_dw),
    ROW(SUM_TO, sum_to, "", VERTICAL, all_f32, NULL),
    ROW(SLOT_SUM, slot_sum, "", VERTICAL, all_f32, NULL),
    ROW(OBS_SUMSQ_LABEL, obs_sumsq_label, "", VERTICAL, all_f32, NULL),
    ROW(ADAMW, adamw, "", VERTICAL, all_f32, NULL),
    ROW(SGD, sgd, "", VERTICAL, all_f32, NULL),
    ROW(EMA, ema, "", VERTICAL, all_f32, NULL),
    ROW(OBS_SUMSQ, obs_sumsq, "", VERTICAL, all_f32, NULL),
    ROW_ONE(SUM_ALL, sum_all, ISA_ORDER),
    ROW_ONE(SUMSQ, sumsq, ISA_ORDER),
    ROW(SCT_MODULE, sct_module, ISA_TILE, FMA_CHAIN, weight_in2, choose_sct_module),
    ROW(SCT_MODULE_DX, sct_module_dx, ISA_TILE, FMA_CHAIN, weight_in2, choose_sct_module),
    ROW(LORA_MODULE, lora_module, ISA_TILE, FMA_CHAIN, weights_in2_in3, choose_lora_module),
    ROW(LORA_MODULE_DX, lora_module_dx, ISA_TILE, FMA_CHAIN, weights_in2_in3,
        choose_lora_module),
    ROW(LINEAR_GROUPED, linear_grouped, ISA_TILE, FMA_CHAIN, all_f32, choose_grouped),
    ROW(LINEAR_GROUPED_DX, linear_grouped_dx, ISA_TILE, FMA_CHAIN, all_f32, choose_grouped),
    ROW(LINEAR_GROUPED_DW, linear_grouped_dw, ISA_TILE, FMA_CHAIN, all_f32, choose_linear_dw),
    ROW(CONV_GRID, conv_grid, "", FMA_CHAIN, all_f32, choose_conv_grid),
    ROW(CONV_GRID_DX, conv_grid_dx, "", FMA_CHAIN, all_f32, choose_conv_grid),
    ROW(CONV_GRID_DW, conv_grid_dw, "", FMA_CHAIN, all_f32, choose_conv_grid),
};
const size_t ROWS_COUNT = sizeof ROWS / sizeof ROWS[0];

#undef ROW
#undef ROW_ONE
