/* SPDX-License-Identifier: MIT
 * layer_id.c - timm's groups of parameters.
 * timm matches names against regular expressions, numbers what matched in order, and puts what
 * ends in MATCH_PREV_GROUP (the norm) into the group before it. */
#include "core/model/layer_id.h"

static bool begins(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

/* "<word><number>." at name: the number, and what follows. */
static const char *numbered(const char *name, const char *word, uint32_t *n)
{
    uint64_t v = 0;
    if (!begins(name, word))
        return NULL;
    const char *p = name + strlen(word);
    const size_t digits = strspn(p, "0123456789");
    if (digits == 0 || digits > 9 || p[digits] != '.')
        return NULL;
    for (size_t i = 0; i < digits; i++)
        v = v * 10 + (uint64_t)(p[i] - '0');
    *n = (uint32_t)v;
    return p + digits + 1;
}

/* Blocks before stage s of a Swin; s SCT_STAGES: all. */
static uint32_t blocks_before(const struct sct_model_config *c, uint32_t s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s && i < SCT_STAGES; i++)
        n += c->stage_depth[i];
    return n;
}

uint32_t sct_layer_last(const struct sct_model_config *c)
{
    return (c->arch == SCT_ARCH_SWIN ? blocks_before(c, SCT_STAGES) : c->depth) + 1;
}

static uint32_t swin_layer(const struct sct_model_config *c, const char *name)
{
    uint32_t stage = 0, block = 0;
    const char *rest = numbered(name, "layers.", &stage);
    if (rest && begins(rest, "downsample"))
        return blocks_before(c, stage) + 1;
    if (rest && numbered(rest, "blocks.", &block))
        return blocks_before(c, stage) + block + 1;
    if (begins(name, "patch_embed"))
        return 0;
    return begins(name, "norm") ? sct_layer_last(c) - 1 : sct_layer_last(c);
}

uint32_t sct_layer_of_name(const struct sct_model_config *c, const char *name)
{
    uint32_t block = 0;
    if (c->arch == SCT_ARCH_SWIN)
        return swin_layer(c, name);
    if (begins(name, "cls_token") || begins(name, "pos_embed") || begins(name, "patch_embed") ||
        (c->distilled && begins(name, "dist_token")))
        return 0;
    if (numbered(name, "blocks.", &block))
        return block + 1;
    return begins(name, "norm") ? c->depth : c->depth + 1;
}

/* Layer of what is put in at a site: that of a parameter which is there already. */
static uint32_t site_layer(const struct sct_model_config *c, const struct sct_site *s)
{
    if (s->block != SCT_NO_BLOCK)
        return blocks_before(c, c->arch == SCT_ARCH_SWIN ? s->stage : 0) + s->block + 1;
    switch (s->role) {
    case SCT_ROLE_INPUT:
    case SCT_ROLE_PATCHES:
    case SCT_ROLE_EMBED_OUT:
        return 0;
    case SCT_ROLE_DOWN:
    case SCT_ROLE_DOWN_IN:
        return blocks_before(c, s->stage) + 1;
    case SCT_ROLE_NORM_OUT:
        return sct_layer_last(c) - 1;
    default:
        return sct_layer_last(c);
    }
}

uint32_t sct_layer_of(const struct sct_model *m, const struct sct_param *p)
{
    if (p->of)
        p = p->of;
    if (p->site)
        return site_layer(&m->cfg, &m->site[p->site - 1]);
    return sct_layer_of_name(&m->cfg, p->name);
}

bool sct_layer_decays(const struct sct_param *p)
{
    static const char *const names[] = {"pos_embed", "cls_token", "dist_token"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(p->name, names[i]) == 0)
            return false;
    return p->t->desc.nd > 1 && !strstr(p->name, "relative_position_bias_table");
}
