/* SPDX-License-Identifier: MIT
 * guess_check.c - a guess against what somebody says: a configuration, a file beside the
 * weights. */
#include <string.h>

#include "core/base/status.h"
#include "core/model/guess_impl.h"

static const void *at(const struct sct_model_key *k, const struct sct_model_config *c)
{
    return (const char *)c + k->offset;
}

void sct_guess_value_text(const struct sct_model_key *k, const struct sct_model_config *c,
                          char *buf, size_t size)
{
    const uint32_t *u = at(k, c);
    size_t n = 0;
    if (k->type == SCT_KEY_F32)
        (void)snprintf(buf, size, "%g", (double)*(const float *)at(k, c));
    else if (k->type == SCT_KEY_BOOL)
        (void)snprintf(buf, size, "%s", *u ? "true" : "false");
    else if (k->type == SCT_KEY_WORD)
        (void)snprintf(buf, size, "%s", k->words[*u]);
    else if (k->count == 1)
        (void)snprintf(buf, size, "%u", *u);
    for (uint32_t i = 0; k->type == SCT_KEY_U32 && k->count > 1 && i < k->count; i++)
        n += (size_t)snprintf(buf + n, size - n, "%s%u%s", i ? ", " : "[", u[i],
                              i + 1 == k->count ? "]" : "");
}

void sct_guess_name(struct sct_model_config *c)
{
    (void)snprintf(c->name, sizeof c->name, "%s_dim%u_patch%u_%u", sct_arch_name(c->arch),
                   c->dim, c->patch, c->image);
}

static bool same(const struct sct_model_key *k, const struct sct_model_config *a,
                 const struct sct_model_config *b)
{
    return memcmp(at(k, a), at(k, b), k->count * sizeof(uint32_t)) == 0;
}

const struct sct_guess_fact *sct_guess_fact(const struct sct_guess *g, const char *key)
{
    for (uint32_t i = 0; i < g->n_fact; i++)
        if (strcmp(g->fact[i].key, key) == 0)
            return &g->fact[i];
    return NULL;
}

/* What resizes it: bias tables have two ways. */
static const char *resizing(const char *key)
{
    return strcmp(key, "window") == 0 ? "--interp timm or ms resizes it"
                                      : "--interp timm, timm-0.6, hf or ms resizes it";
}

/* Whether the key is one that resizing changes. */
static bool resizable(const char *key)
{
    return strcmp(key, "image_size") == 0 || strcmp(key, "window") == 0;
}

const struct sct_guess_fact *sct_guess_against(const struct sct_guess *g,
                                               const struct sct_model_config *cfg, bool resized)
{
    for (uint32_t i = 0; i < g->n_fact; i++) {
        const struct sct_guess_fact *f = &g->fact[i];
        const struct sct_model_key *k = sct_model_key_find(g->cfg.arch, f->key);
        if (!k && g->cfg.arch != cfg->arch)
            return f;
        if (k && f->known && !same(k, &g->cfg, cfg) && !(resized && resizable(f->key)))
            return f;
    }
    return NULL;
}

sct_status sct_guess_check(const struct sct_guess *g, const struct sct_model_config *cfg,
                           enum sct_interp interp, const char *origin, const char *advice,
                           sct_error *err)
{
    const struct sct_guess_fact *f = sct_guess_against(g, cfg, interp != SCT_INTERP_NONE);
    if (!f)
        return SCT_OK;
    char value[96];
    const struct sct_model_key *k = sct_model_key_find(g->cfg.arch, f->key);
    (void)snprintf(value, sizeof value, "%s", sct_arch_name(cfg->arch));
    if (k)
        sct_guess_value_text(k, cfg, value, sizeof value);
    return sct_fail(err, SCT_EFILE, "%s: %s is %s (%s), model %s says %s; %s", origin, f->key,
                    f->value, f->why, cfg->name, value,
                    resizable(f->key) ? resizing(f->key) : advice);
}

sct_status sct_guess_built(const struct sct_guess *g, const char *origin, sct_error *err)
{
    if (!g->n_unbuilt)
        return SCT_OK;
    return sct_fail(err, SCT_EFILE,
                    "%s has %s%s%s: models with it are not built here (docs/models.md)", origin,
                    g->unbuilt[0], g->n_unbuilt > 1 ? " and " : "",
                    g->n_unbuilt > 1 ? g->unbuilt[1] : "");
}

const struct sct_guess_fact *sct_guess_unlike(const struct sct_guess *g,
                                              const struct sct_model_config *cfg, bool resized)
{
    for (uint32_t i = 0; i < g->n_fact; i++) {
        const struct sct_guess_fact *f = &g->fact[i];
        const struct sct_model_key *k = sct_model_key_find(g->cfg.arch, f->key);
        if (k && f->said && !same(k, &g->cfg, cfg) && !(resized && resizable(f->key)))
            return f;
    }
    return NULL;
}

sct_status sct_guess_say(struct sct_guess *g, const struct sct_model_config *said,
                         const char *key, const char *source, sct_error *err)
{
    const struct sct_model_key *k = sct_model_key_find(g->cfg.arch, key);
    struct sct_guess_fact *f = NULL;
    char text[96];
    if (!k)
        return SCT_OK;
    for (uint32_t i = 0; i < g->n_fact && !f; i++)
        if (strcmp(g->fact[i].key, key) == 0)
            f = &g->fact[i];
    sct_guess_value_text(k, said, text, sizeof text);
    if (f && f->known && same(k, said, &g->cfg))
        return SCT_OK;
    if (f && f->known)
        return sct_fail(err, SCT_EFILE,
                        "%s makes %s %s, the weights make it %s (%s); one of the two files is "
                        "of another model",
                        source, key, text, f->value, f->why);
    if (!f && g->n_fact == SCT_GUESS_FACTS)
        return sct_fail(err, SCT_EINVAL, "too many facts");
    if (!f)
        f = &g->fact[g->n_fact++];
    *f = (struct sct_guess_fact){k->name, sct_arena_strdup(&g->arena, text),
                                 sct_arena_strdup(&g->arena, source), false, true};
    if (!f->value || !f->why)
        return sct_nomem(err);
    memcpy(sct_model_key_at(k, &g->cfg), at(k, said), k->count * sizeof(uint32_t));
    sct_guess_name(&g->cfg);
    return SCT_OK;
}
