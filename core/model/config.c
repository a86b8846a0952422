/* SPDX-License-Identifier: MIT
 * config.c - keys, defaults and words of model configurations. */
#include "core/model/config.h"

#include <stddef.h>
#include <string.h>

#include "core/model/build.h"

enum { VIT = 1u << SCT_ARCH_VIT, SWIN = 1u << SCT_ARCH_SWIN, ALL = VIT | SWIN };

static const char *const pools[] = {"token", "avg", "token_avg", NULL}; /* enum sct_pool */
static const char *const gelus[] = {"erf", "tanh", "quick", NULL};      /* enum sct_gelu */

#define AT(FIELD) offsetof(struct sct_model_config, FIELD)
#define HEAD_INIT sizeof(((struct sct_model_config *)0)->head_init)

/* clang-format off: a table */
static const struct sct_model_key keys[] = {
    /* name         type          archs offset           n  min max     words  flags */
    {"image_size", SCT_KEY_U32, ALL, AT(image), 1, 1, 16384, NULL, SCT_KEY_NEEDED},
    {"patch_size", SCT_KEY_U32, ALL, AT(patch), 1, 1, 1024, NULL, SCT_KEY_NEEDED},
    {"dim", SCT_KEY_U32, ALL, AT(dim), 1, 1, 16384, NULL, SCT_KEY_NEEDED},
    {"depth", SCT_KEY_U32, VIT, AT(depth), 1, 1, 1024, NULL, SCT_KEY_NEEDED},
    {"heads", SCT_KEY_U32, VIT, AT(heads), 1, 1, 1024, NULL, SCT_KEY_NEEDED},
    {"mlp", SCT_KEY_U32, VIT, AT(mlp), 1, 1, 65536, NULL, SCT_KEY_ALWAYS},
    {"mlp_ratio", SCT_KEY_F32, VIT, AT(mlp_ratio), 1, 0, 0, NULL, SCT_KEY_UNSAVED},
    {"depths", SCT_KEY_U32, SWIN, AT(stage_depth), SCT_STAGES, 1, 1024, NULL, SCT_KEY_NEEDED},
    {"heads", SCT_KEY_U32, SWIN, AT(stage_heads), SCT_STAGES, 1, 1024, NULL, SCT_KEY_NEEDED},
    {"window", SCT_KEY_U32, SWIN, AT(window), 1, 1, 1024, NULL, SCT_KEY_NEEDED},
    {"mlp_ratio", SCT_KEY_F32, SWIN, AT(mlp_ratio), 1, 0, 0, NULL, 0},
    {"classes", SCT_KEY_U32, ALL, AT(classes), 1, 1, 1000000, NULL, SCT_KEY_ALWAYS},
    {"pool", SCT_KEY_WORD, VIT, AT(pool), 1, 0, 0, pools, 0},
    {"class_token", SCT_KEY_BOOL, VIT, AT(class_token), 1, 0, 0, NULL, 0},
    {"fc_norm", SCT_KEY_BOOL, VIT, AT(fc_norm), 1, 0, 0, NULL, 0},
    {"distilled", SCT_KEY_BOOL, VIT, AT(distilled), 1, 0, 0, NULL, 0},
    {"reg_tokens", SCT_KEY_U32, VIT, AT(reg_tokens), 1, 0, 1024, NULL, 0},
    {"no_embed_class", SCT_KEY_BOOL, VIT, AT(no_embed_class), 1, 0, 0, NULL, 0},
    {"pre_norm", SCT_KEY_BOOL, VIT, AT(pre_norm), 1, 0, 0, NULL, 0},
    {"layer_scale", SCT_KEY_BOOL, VIT, AT(layer_scale), 1, 0, 0, NULL, 0},
    {"qk_norm", SCT_KEY_BOOL, VIT, AT(qk_norm), 1, 0, 0, NULL, 0},
    {"no_qkv_bias", SCT_KEY_BOOL, VIT, AT(no_qkv_bias), 1, 0, 0, NULL, 0},
    {"no_patch_bias", SCT_KEY_BOOL, VIT, AT(no_patch_bias), 1, 0, 0, NULL, 0},
    {"gelu", SCT_KEY_WORD, ALL, AT(gelu), 1, 0, 0, gelus, 0},
    {"eps", SCT_KEY_F32, ALL, AT(eps), 1, 0, 0, NULL, SCT_KEY_ALWAYS},
    {"drop_path", SCT_KEY_F32, ALL, AT(drop_path), 1, 0, 0, NULL, 0},
    {"head_init", SCT_KEY_TEXT, ALL, AT(head_init), HEAD_INIT, 0, 0, NULL, 0},
    /* an adapter has these under "preprocess" */
    {"mean", SCT_KEY_F32, ALL, AT(mean), 3, 0, 0, NULL, SCT_KEY_UNSAVED},
    {"std", SCT_KEY_F32, ALL, AT(std), 3, 0, 0, NULL, SCT_KEY_UNSAVED},
    {"crop_pct", SCT_KEY_F32, ALL, AT(crop_pct), 1, 0, 0, NULL, SCT_KEY_UNSAVED},
};

/* clang-format on */

const struct sct_model_key *sct_model_key_next(const struct sct_model_key *k, uint32_t arch)
{
    const struct sct_model_key *end = keys + sizeof keys / sizeof keys[0];
    for (k = k ? k + 1 : keys; k < end; k++)
        if (k->archs & (1u << arch))
            return k;
    return NULL;
}

const struct sct_model_key *sct_model_key_find(uint32_t arch, const char *name)
{
    const struct sct_model_key *k = NULL;
    while ((k = sct_model_key_next(k, arch)) && strcmp(k->name, name) != 0)
        ;
    return k;
}

void sct_model_config_default(struct sct_model_config *c, uint32_t arch)
{
    *c = (struct sct_model_config){.arch = arch,
                                   .class_token = 1,
                                   .mlp_ratio = 4.0f,
                                   .eps = 1e-6f,
                                   .mean = {0.5f, 0.5f, 0.5f},
                                   .std = {0.5f, 0.5f, 0.5f},
                                   .crop_pct = 0.9f,
                                   .classes = 1000,
                                   .head_init = "normal(0, 0.02)"};
    if (sct_arch_at(arch)->defaults)
        sct_arch_at(arch)->defaults(c);
}

void sct_model_config_finish(struct sct_model_config *c)
{
    const float wide = (float)c->dim * c->mlp_ratio;
    if (c->arch == SCT_ARCH_VIT && c->mlp == 0) /* beyond what a uint32_t holds: too many */
        c->mlp = wide > 1e9f ? UINT32_MAX : wide > 0.0f ? (uint32_t)wide : 0;
}

bool sct_words_find(const char *const *words, const char *text, uint32_t *out)
{
    for (uint32_t i = 0; words[i]; i++)
        if (strcmp(words[i], text) == 0) {
            *out = i;
            return true;
        }
    return false;
}

const char *sct_words_text(const char *const *words, char *buf, size_t size)
{
    size_t n = 0;
    buf[0] = 0;
    for (size_t i = 0; words[i] && n < size; i++) {
        const char *join = i == 0 ? "" : words[i + 1] ? ", " : " or ";
        n += (size_t)snprintf(buf + n, size - n, "%s%s", join, words[i]);
    }
    return buf;
}
