/* SPDX-License-Identifier: MIT
 * sct.c - SCT, salient channel tuning (Zhao et al., IJCV 2023, doi 10.1007/s11263-023-01918-3).
 *
 * In every block, after the attention residual, the K most salient channels of the stream go
 * through one K x K linear layer: sct_place.c says where, sct_select.c which channels,
 * sct_module.c what is computed, sct_fold.c what is stored. */
#include "plugins/sct_tuning.h"

#define AT(FIELD) offsetof(struct sct_tuning, FIELD)

static const struct sct_option options[] = {
    {"mode",
     "where: attn = stream after the attention residual, mlp = MLP branch, qkv = q and v "
     "(without scale), both = both branches",
     SCT_OPT_CHOICE, AT(mode), 0, 0, 0, "attn|mlp|qkv|both"},
    {"k", "channels of a module: a number, or a fraction of the width", SCT_OPT_COUNT, AT(k), 0,
     1, 1e6, "1/8"},
    {"stages", "instead of k, one for each stage of a Swin: \"16,32,1/8,1/8\"", SCT_OPT_STRING,
     AT(stages), 0, 0, 0, ""},
    {"select",
     "which channels: highest mean over classes of norms, or norm over all images; random; "
     "lowest = of class_aware; all (k is not read)",
     SCT_OPT_CHOICE, AT(select), 0, 0, 0, "class_aware|class_agnostic|random|lowest|all"},
    {"score",
     "what is scored: the published value, which in modes mlp and both is another than the "
     "module acts on; or its own",
     SCT_OPT_CHOICE, AT(score), 0, 0, 0, "published|own"},
    {"seed", "of select random; 0 = the run's", SCT_OPT_UINT, AT(seed), 0, 0, 4294967295.0,
     NULL},
    {"scale", "factor of the module's output (of the channels with scaleonx)", SCT_OPT_FLOAT,
     AT(scale), 1.0, -1000, 1000, NULL},
    {"scaleonx", "scale the channels instead of the module's output", SCT_OPT_BOOL,
     AT(scaleonx), 0, 0, 1, NULL},
    {"form",
     "a = with scale, b = published test form without, fold = train a, store the equal b",
     SCT_OPT_CHOICE, AT(form), 0, 0, 0, "a|b|fold"},
    {"sites", "which of the mode's sites, as a pattern; ** = all", SCT_OPT_STRING, AT(sites), 0,
     0, 0, "**"},
    {"last", "only the last blocks of those, 0 = all", SCT_OPT_UINT, AT(last), 0, 0, 1e6, NULL},
    {NULL, NULL, 0, 0, 0, 0, 0, NULL},
};

const struct sct_strategy *sct_strategy_entry_v1(void)
{
    static const struct sct_strategy s = {
        .abi = SCT_STRATEGY_ABI,
        .size = sizeof s,
        .name = "sct",
        .summary =
            "salient channel tuning: a K x K linear layer on the K most salient channels",
        .options = options,
        .state_size = sizeof(struct sct_tuning),
        .observe = sct_tuning_observe,
        .choose = sct_tuning_choose,
        .apply = sct_tuning_apply,
        .load = sct_tuning_load,
        .fini = sct_tuning_fini,
        .to_disk = sct_tuning_to_disk,
        .from_disk = sct_tuning_from_disk,
    };
    return &s;
}
