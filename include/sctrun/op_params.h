/* SPDX-License-Identifier: MIT
 * op_params.h - the parameters of every op that has any, one struct each (the PARAMS column of
 * ops.def).
 *
 * A struct grows by appending, and what is appended must mean the old behaviour when it is
 * zero. */
#ifndef SCTRUN_OP_PARAMS_H
#define SCTRUN_OP_PARAMS_H

#include <sctrun/graph.h>

#ifdef __cplusplus
extern "C" {
#endif

enum sct_gelu { SCT_GELU_ERF, SCT_GELU_TANH, SCT_GELU_QUICK };

struct sct_no_params {
    uint32_t unused;
};

struct sct_reshape_params { /* dim[i] = 0 keeps the input's dimension i */
    uint32_t nd, dim[SCT_MAX_DIMS];
};

struct sct_cast_params {
    uint32_t dtype;
};

struct sct_fill_params { /* shape of in[0] if given, else this one (f32) */
    float value;
    uint32_t nd, dim[SCT_MAX_DIMS];
};

struct sct_zero_params { /* f32 */
    uint32_t nd, dim[SCT_MAX_DIMS];
};

struct sct_pack_params { /* layout: the number the backend's probe asked for */
    uint32_t layout;
};

struct sct_patchify_params { /* UNPATCHIFY needs the picture's size too */
    uint32_t patch, channels, height, width;
};

struct sct_scale_params {
    float mul, add;
};

struct sct_gelu_params {
    uint32_t kind; /* enum sct_gelu */
};

struct sct_norm_params {
    float eps;
};

struct sct_attention_params {
    uint32_t heads;
    float scale; /* 0: 1/sqrt(D) */
};

struct sct_wattention_params { /* grid must be a multiple of the window; shift < window */
    uint32_t heads;
    float scale; /* 0: 1/sqrt(D) */
    uint32_t grid_h, grid_w, win_h, win_w, shift_h, shift_w;
};

struct sct_range_params { /* rows or channels [first, first + count) of total */
    uint32_t first, count, total;
};

struct sct_grid_params { /* from h x w to out_h x out_w (PAD_GRID, CROP_GRID); merge: h x w in;
                            convolution: the grid's h x w */
    uint32_t h, w, out_h, out_w;
    uint32_t roll_h, roll_w; /* PAD_GRID, CROP_GRID: below both sizes */
};

struct sct_channels_params { /* width of the result */
    uint32_t channels;
};

struct sct_random_params { /* key: hash of site path and role; rate in [0, 1) */
    uint64_t key;
    float rate;
    uint32_t off; /* 1: identity (evaluation) */
};

struct sct_xent_params {
    float smoothing;
};

struct sct_clip_params {
    float max_norm;
};

struct sct_adamw_params { /* lr of the step state times lr_mult */
    float lr_mult, weight_decay, beta1, beta2, eps;
};

struct sct_sgd_params {
    float lr_mult, weight_decay, momentum;
    uint32_t nesterov;
};

/* weight: 1 - decay, in (0, 1]; warmup: the weight of step t (from 0) is at least
 * (1 + t)^(-2/3) */
struct sct_ema_params {
    float weight;
    uint32_t warmup;
};

struct sct_observe_params { /* skip: prefix tokens not counted; any_class: all in row 0 */
    uint32_t skip, any_class;
};

struct sct_module_params { /* SCT_MODULE: scale. LORA_MODULE, DORA_SCALE: scale, first channel
                            */
    float scale;
    uint32_t first;
};

#ifdef __cplusplus
}
#endif
#endif
