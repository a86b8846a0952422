/* SPDX-License-Identifier: MIT
 * ict.c - ICT, important channel tuning (Zhao et al., OpenReview TTMyoOdB9hZ, ICLR 2023
 * submission), as a configuration of SCT. Its abstract says: the most informative channels of a
 * feature map, one linear layer on them, 0.11 M parameters in ViT-B; that is K = 96 in 12
 * blocks with bias. SCT's code calls the K x K module "original ICT". The rest (place, score,
 * scale) is SCT's and not verified for ICT. Module wide is the D-to-K layer of the same code,
 * which nothing there uses. */
#include "plugins/sct_tuning.h"

#define AT(FIELD) offsetof(struct sct_tuning, FIELD)

static const struct sct_option options[] = {
    {"module",
     "square = K x K on the channels; wide = K x width, from all channels to the chosen "
     "(WeightAdapt, without scale; unverified)",
     SCT_OPT_CHOICE, AT(module), 0, 0, 0, "square|wide"},
    {"mode",
     "where: attn = stream after the attention residual, mlp = MLP branch, qkv = q and v "
     "(without scale), both = both branches (unverified, as in sct)",
     SCT_OPT_CHOICE, AT(mode), 0, 0, 0, "attn|mlp|qkv|both"},
    {"k", "channels of a module: a number, or a fraction of the width", SCT_OPT_COUNT, AT(k), 0,
     1, 1e6, "96"},
    {"select",
     "which channels: highest mean over classes of norms, or norm over all images "
     "(unverified, as in sct)",
     SCT_OPT_CHOICE, AT(select), 0, 0, 0, "class_aware|class_agnostic"},
    {"score",
     "what is scored: the published value, which in modes mlp and both is another than the "
     "module acts on; or its own",
     SCT_OPT_CHOICE, AT(score), 0, 0, 0, "published|own"},
    {"scale",
     "factor of the module's output, of the channels with scaleonx (unverified, as in sct)",
     SCT_OPT_FLOAT, AT(scale), 1.0, -1000, 1000, NULL},
    {"scaleonx", "scale the channels instead of the module's output", SCT_OPT_BOOL,
     AT(scaleonx), 0, 0, 1, NULL},
    {"sites", "which of the mode's sites, as a pattern; ** = all", SCT_OPT_STRING, AT(sites), 0,
     0, 0, "**"},
    {NULL, NULL, 0, 0, 0, 0, 0, NULL},
};

const struct sct_strategy *sct_strategy_entry_v1(void)
{
    static const struct sct_strategy s = {
        .abi = SCT_STRATEGY_ABI,
        .size = sizeof s,
        .name = "ict",
        .summary = "important channel tuning, as far as its abstract says, the rest as sct",
        .options = options,
        .state_size = sizeof(struct sct_tuning),
        .observe = sct_tuning_observe,
        .choose = sct_tuning_choose,
        .apply = sct_tuning_apply,
        .load = sct_tuning_load,
        .fini = sct_tuning_fini,
    };
    return &s;
}
