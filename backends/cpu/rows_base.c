/* SPDX-License-Identifier: MIT
 * rows_base.c - the portable rows: one for every op but RESHAPE, which is a view.
 * They are the last resort of every machine and the whole backend of one without SIMD rows. */
#include "backends/cpu/cpu.h"
#include "kernels/cpu/base_gemm.h"
#include "kernels/cpu/cpu_base.h"
#include "kernels/ref/ref.h"

/* Summation orders of the portable rows; 0 where nothing is summed. */
enum { MOVES, ORDER_BASE };

static bool is_f32_or_index(const struct sct_desc *d)
{
    return d->dtype == SCT_F32 || d->dtype == SCT_I32;
}

static bool is_dense(const struct sct_desc *d)
{
    return d->layout == CPU_DENSE;
}

/* Every value f32 (or an index) and dense, but the inputs in `packable` may be in `panel`. */
static bool accepts_panel(const struct sct_opdesc *d, uint32_t packable, uint32_t panel)
{
    for (uint32_t i = 0; i < d->n_in; i++) {
        const bool may = (packable >> i & 1u) && d->in[i].layout == panel;
        if (!is_f32_or_index(&d->in[i]) || (!is_dense(&d->in[i]) && !may))
            return false;
    }
    for (uint32_t i = 0; i < d->n_out; i++)
        if (!is_f32_or_index(&d->out[i]) || !is_dense(&d->out[i]))
            return false;
    return true;
}

static bool f32(const struct sct_opdesc *d)
{
    return accepts_panel(d, 0, CPU_DENSE);
}

/* Any element type, all the same. */
static bool bytes(const struct sct_opdesc *d)
{
    return d->in[0].dtype == d->out[0].dtype && is_dense(&d->in[0]) && is_dense(&d->out[0]);
}

static bool any_dense(const struct sct_opdesc *d)
{
    for (uint32_t i = 0; i < d->n_in; i++)
        if (!is_dense(&d->in[i]))
            return false;
    return is_dense(&d->out[0]);
}

static bool pack_accepts(const struct sct_opdesc *d)
{
    return d->in[0].dtype == SCT_F32 && d->out[0].dtype == SCT_F32 && is_dense(&d->in[0]) &&
           cpu_panel_width(d->out[0].layout) != 0;
}

/* Asks for `panel` where a weight changes at most once a step; a weight that arrives dense is
 * packed panel by panel in the scratch. */
static void choose_panels(const struct sct_opdesc *d, struct sct_choice *c, uint32_t packable,
                          uint32_t panel, uint64_t depth)
{
    for (uint32_t i = 0; i < d->n_in; i++) {
        if (!(packable >> i & 1u))
            continue;
        if (d->cls[i] <= SCT_SEG_PROLOGUE)
            c->pack_in[i] = panel;
        if (is_dense(&d->in[i]))
            c->scratch = base_panel_bytes(depth);
    }
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

#define PANEL_ROW(NAME, PACKABLE, PANEL, DEPTH)                                                \
    static bool NAME##_accepts(const struct sct_opdesc *d)                                     \
    {                                                                                          \
        return accepts_panel(d, PACKABLE, PANEL);                                              \
    }                                                                                          \
    static void NAME##_choose(const struct sct_opdesc *d, struct sct_choice *c)                \
    {                                                                                          \
        choose_panels(d, c, PACKABLE, PANEL, DEPTH);                                           \
    }

PANEL_ROW(linear, 1u << 1, CPU_PANEL_16, sct_desc_last(&d->in[0]))
PANEL_ROW(linear_add, 1u << 2, CPU_PANEL_16, sct_desc_last(&d->in[1]))
PANEL_ROW(linear_dx, 1u << 1, CPU_PANEL_T_16, sct_desc_last(&d->in[0]))
PANEL_ROW(linear_dx_add, 1u << 2, CPU_PANEL_T_16, sct_desc_last(&d->in[1]))
PANEL_ROW(sct_module, 1u << 2, CPU_PANEL_16, sct_desc_last(&d->out[1]))
PANEL_ROW(sct_module_dx, 1u << 2, CPU_PANEL_T_16, sct_desc_last(&d->out[1]))
PANEL_ROW(lora_module, 3u << 2, CPU_PANEL_16,
          larger(sct_desc_last(&d->in[1]), sct_desc_last(&d->out[1])))
PANEL_ROW(lora_module_dx, 3u << 2, CPU_PANEL_T_16,
          larger(sct_desc_last(&d->out[1]), sct_desc_last(&d->out[2])))
#undef PANEL_ROW

/* Kernels that say themselves what scratch they need. */
#define SCRATCH_ROW(NAME)                                                                      \
    static void NAME##_choose(const struct sct_opdesc *d, struct sct_choice *c)                \
    {                                                                                          \
        c->scratch = NAME##_base_scratch(d);                                                   \
    }

SCRATCH_ROW(attention)
SCRATCH_ROW(attention_dx)
SCRATCH_ROW(wattention)
SCRATCH_ROW(wattention_dx)
SCRATCH_ROW(linear_grouped)
SCRATCH_ROW(linear_grouped_dx)
SCRATCH_ROW(conv_grid)
SCRATCH_ROW(conv_grid_dx)
#undef SCRATCH_ROW

#define ROW(ID, NAME, ORDER, ACCEPTS, CHOOSE)                                                  \
    {                                                                                          \
        SCT_OP_##ID, #NAME "/base", 0, ORDER, ACCEPTS, CHOOSE, NAME##_base, false              \
    }
#define ROW_ONE_PART(ID, NAME)                                                                 \
    {                                                                                          \
        SCT_OP_##ID, #NAME "/base", 0, ORDER_BASE, f32, NULL, NAME##_base, true                \
    }

const struct cpu_row cpu_rows_base[] = {
    ROW(FEED, feed, MOVES, bytes, NULL),
    ROW(EMIT, emit, MOVES, bytes, NULL),
    ROW(IMAGE, image, MOVES, any_dense, NULL),
    ROW(PATCHIFY, patchify, MOVES, f32, NULL),
    ROW(UNPATCHIFY, unpatchify, MOVES, f32, NULL),
    ROW(COPY, copy, MOVES, bytes, NULL),
    {SCT_OP_CAST, "ref/cast", 0, MOVES, any_dense, NULL, ref_cast_f32, true},
    ROW(FILL, fill, MOVES, f32, NULL),
    ROW(ZERO, zero, MOVES, any_dense, NULL),
    ROW(PACK, pack, MOVES, pack_accepts, NULL),
    ROW(ADD, add, ORDER_BASE, f32, NULL),
    ROW(MUL, mul, ORDER_BASE, f32, NULL),
    ROW(SCALE, scale, ORDER_BASE, f32, NULL),
    ROW(GELU, gelu, ORDER_BASE, f32, NULL),
    ROW(GELU_DX, gelu_dx, ORDER_BASE, f32, NULL),
    ROW(RELU, relu, ORDER_BASE, f32, NULL),
    ROW(RELU_DX, relu_dx, ORDER_BASE, f32, NULL),
    ROW(LINEAR, linear, ORDER_BASE, linear_accepts, linear_choose),
    ROW(LINEAR_DX, linear_dx, ORDER_BASE, linear_dx_accepts, linear_dx_choose),
    ROW(LINEAR_DW, linear_dw, ORDER_BASE, f32, NULL),
    ROW(LINEAR_DW_EL, linear_dw_el, ORDER_BASE, f32, NULL),
    ROW(SUM_TO, sum_to, ORDER_BASE, f32, NULL),
    ROW(LAYERNORM, layernorm, ORDER_BASE, f32, NULL),
    ROW(LAYERNORM_DX, layernorm_dx, ORDER_BASE, f32, NULL),
    ROW(LAYERNORM_DG, layernorm_dg, ORDER_BASE, f32, NULL),
    ROW(ATTENTION, attention, ORDER_BASE, f32, attention_choose),
    ROW(ATTENTION_DX, attention_dx, ORDER_BASE, f32, attention_dx_choose),
    ROW(WATTENTION, wattention, ORDER_BASE, f32, wattention_choose),
    ROW(WATTENTION_DX, wattention_dx, ORDER_BASE, f32, wattention_dx_choose),
    ROW(WATTENTION_DT, wattention_dt, ORDER_BASE, f32, wattention_dx_choose),
    ROW(CONCAT_TOKENS, concat_tokens, MOVES, f32, NULL),
    ROW(SLICE_TOKENS, slice_tokens, MOVES, f32, NULL),
    ROW(PAD_TOKENS, pad_tokens, MOVES, f32, NULL),
    ROW(MEAN_TOKENS, mean_tokens, ORDER_BASE, f32, NULL),
    ROW(SPREAD_TOKENS, spread_tokens, ORDER_BASE, f32, NULL),
    ROW(PATCH_MERGE, patch_merge, MOVES, f32, NULL),
    ROW(PATCH_SPLIT, patch_split, MOVES, f32, NULL),
    ROW(PAD_GRID, pad_grid, MOVES, f32, NULL),
    ROW(CROP_GRID, crop_grid, MOVES, f32, NULL),
    ROW(GATHER_CH, gather_ch, MOVES, f32, NULL),
    ROW(SCATTER_CH, scatter_ch, MOVES, f32, NULL),
    ROW(SCATTER_ADD_CH, scatter_add_ch, ORDER_BASE, f32, NULL),
    ROW(SCATTER_SET_CH, scatter_set_ch, MOVES, f32, NULL),
    ROW(MASK_CH, mask_ch, MOVES, f32, NULL),
    ROW(SLICE_CH, slice_ch, MOVES, f32, NULL),
    ROW(PAD_CH, pad_ch, MOVES, f32, NULL),
    ROW(ADD_CH, add_ch, ORDER_BASE, f32, NULL),
    ROW(GATHER_EL, gather_el, MOVES, f32, NULL),
    ROW(SCATTER_ADD_EL, scatter_add_el, ORDER_BASE, f32, NULL),
    ROW(DROPOUT, dropout, ORDER_BASE, f32, NULL),
    ROW(DROPPATH, droppath, ORDER_BASE, f32, NULL),
    ROW(XENT, xent, ORDER_BASE, f32, NULL),
    ROW(XENT_DX, xent_dx, ORDER_BASE, f32, NULL),
    ROW(SLOT_SUM, slot_sum, ORDER_BASE, f32, NULL),
    ROW_ONE_PART(SUM_ALL, sum_all),
    ROW_ONE_PART(SUMSQ, sumsq),
    ROW_ONE_PART(CLIP_COEF, clip_coef),
    ROW(ADAMW, adamw, ORDER_BASE, f32, NULL),
    ROW(SGD, sgd, ORDER_BASE, f32, NULL),
    ROW(EMA, ema, ORDER_BASE, f32, NULL),
    ROW(OBS_SUMSQ_LABEL, obs_sumsq_label, ORDER_BASE, f32, NULL),
    ROW(OBS_SUMSQ, obs_sumsq, ORDER_BASE, f32, NULL),
    ROW(LINEAR_GELU, linear_gelu, ORDER_BASE, linear_accepts, linear_choose),
    ROW(LINEAR_ADD, linear_add, ORDER_BASE, linear_add_accepts, linear_add_choose),
    ROW(LINEAR_DX_GELU, linear_dx_gelu, ORDER_BASE, linear_dx_accepts, linear_dx_choose),
    ROW(LINEAR_DX_ADD, linear_dx_add, ORDER_BASE, linear_dx_add_accepts, linear_dx_add_choose),
    ROW(LAYERNORM_DX_ADD, layernorm_dx_add, ORDER_BASE, f32, NULL),
    ROW(SCT_MODULE, sct_module, ORDER_BASE, sct_module_accepts, sct_module_choose),
    ROW(SCT_MODULE_DX, sct_module_dx, ORDER_BASE, sct_module_dx_accepts, sct_module_dx_choose),
    ROW(LORA_MODULE, lora_module, ORDER_BASE, lora_module_accepts, lora_module_choose),
    ROW(LORA_MODULE_DX, lora_module_dx, ORDER_BASE, lora_module_dx_accepts,
        lora_module_dx_choose),
    ROW(LINEAR_GROUPED, linear_grouped, ORDER_BASE, f32, linear_grouped_choose),
    ROW(LINEAR_GROUPED_DX, linear_grouped_dx, ORDER_BASE, f32, linear_grouped_dx_choose),
    ROW(LINEAR_GROUPED_DW, linear_grouped_dw, ORDER_BASE, f32, NULL),
    ROW(CONV_GRID, conv_grid, ORDER_BASE, f32, conv_grid_choose),
    ROW(CONV_GRID_DX, conv_grid_dx, ORDER_BASE, f32, conv_grid_dx_choose),
    ROW(CONV_GRID_DW, conv_grid_dw, ORDER_BASE, f32, NULL),
    ROW(DORA_SCALE, dora_scale, ORDER_BASE, f32, NULL),
};

const size_t cpu_rows_base_count = sizeof cpu_rows_base / sizeof cpu_rows_base[0];
