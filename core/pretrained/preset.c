/* SPDX-License-Identifier: MIT
 * preset.c - presets against a guess. */
#include "core/pretrained/preset.h"

#include <dirent.h>
#include <string.h>

#include "core/base/status.h"
#include "core/io/file.h"
#include "core/plug/module.h"
#include "core/pretrained/base.h"

enum { FITS_MAX = 16 };

struct search {
    const struct sct_guess *g;
    const char *file; /* base name of the checkpoint */
    bool resized;
    char best[96];
    size_t named;           /* bytes of the file's name that the best one's name begins with */
    bool gelu;              /* whether the best one has the supposed activation */
    char fit[FITS_MAX][96]; /* by the alphabet */
    uint32_t n_fit;
};

/* How much of the file's name is the preset's: all of it, up to a separator, or nothing. */
static size_t begins(const char *file, const char *preset)
{
    const size_t n = strlen(preset);
    const bool whole = strncmp(file, preset, n) == 0 &&
                       (file[n] == 0 || file[n] == '.' || file[n] == '_' || file[n] == '-');
    return whole ? n : 0;
}

static bool better(const struct search *s, const char *name, size_t named, bool gelu)
{
    const size_t n = strlen(name), m = strlen(s->best);
    if (!m || named != s->named)
        return !m || named > s->named;
    if (gelu != s->gelu)
        return gelu;
    return n != m ? n < m : strcmp(name, s->best) < 0;
}

static void keep(struct search *s, const char *name)
{
    uint32_t at = s->n_fit;
    if (s->n_fit == FITS_MAX)
        return;
    for (; at > 0 && strcmp(s->fit[at - 1], name) > 0; at--)
        memcpy(s->fit[at], s->fit[at - 1], sizeof s->fit[0]);
    (void)snprintf(s->fit[at], sizeof s->fit[0], "%s", name);
    s->n_fit++;
}

static sct_status try(struct search *s, const char *name, sct_error *err)
{
    struct sct_model_config cfg;
    const size_t named = begins(s->file, name);
    SCT_TRY(sct_model_config_load(&cfg, name, NULL, 0, err));
    const bool resized = s->resized && named, gelu = cfg.gelu == s->g->cfg.gelu;
    if (sct_guess_against(s->g, &cfg, resized) || sct_guess_unlike(s->g, &cfg, resized))
        return SCT_OK;
    keep(s, name);
    if (!better(s, name, named, gelu))
        return SCT_OK;
    (void)snprintf(s->best, sizeof s->best, "%s", name);
    s->named = named;
    s->gelu = gelu;
    return SCT_OK;
}

/* Keys in which two presets of one shape differ: "mean, std". Not those of training. */
static void differing(const struct sct_model_config *a, const struct sct_model_config *b,
                      char *text, size_t size)
{
    static const char *const other[] = {"classes", "drop_path", "mlp_ratio"};
    size_t n = 0;
    text[0] = 0;
    for (const struct sct_model_key *k = NULL; (k = sct_model_key_next(k, a->arch));) {
        bool skip = k->type == SCT_KEY_TEXT;
        for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
            skip = skip || strcmp(k->name, other[i]) == 0;
        if (!skip && n < size &&
            memcmp((const char *)a + k->offset, (const char *)b + k->offset,
                   k->count * sizeof(uint32_t)) != 0)
            n += (size_t)snprintf(text + n, size - n, "%s%s", n ? ", " : "", k->name);
    }
}

/* The others that fit, and what makes them others. */
static sct_status list(const struct search *s, struct sct_preset_found *found, sct_error *err)
{
    struct sct_model_config best, cfg;
    char keys[160];
    size_t n = 0;
    if (!s->best[0] || s->named)
        return SCT_OK;
    SCT_TRY(sct_preset_config(s->g, found, &best, err));
    for (uint32_t i = 0; i < s->n_fit && n < sizeof found->others; i++) {
        SCT_TRY(sct_model_config_load(&cfg, s->fit[i], NULL, 0, err));
        cfg.eps = best.eps; /* of the file's library, whichever it is */
        differing(&best, &cfg, keys, sizeof keys);
        if (keys[0] && strcmp(s->fit[i], s->best) != 0)
            n += (size_t)snprintf(found->others + n, sizeof found->others - n, "%s%s (%s)",
                                  n ? ", " : "", s->fit[i], keys);
    }
    return SCT_OK;
}

sct_status sct_preset_find(const struct sct_guess *g, const char *path, bool resized,
                           struct sct_preset_found *found, sct_error *err)
{
    struct search s = {.g = g, .file = sct_path_base(path), .resized = resized};
    char folder[4096];
    memset(found, 0, sizeof *found);
    SCT_TRY(sct_plug_data("configs/models", folder, sizeof folder, err));
    DIR *d = opendir(folder);
    sct_status rc = SCT_OK;
    const struct dirent *e;
    while (d && rc == SCT_OK && (e = readdir(d))) {
        char preset[96];
        const size_t n = strlen(e->d_name);
        if (n < 6 || n >= sizeof preset || strcmp(e->d_name + n - 5, ".yaml") != 0)
            continue;
        (void)snprintf(preset, sizeof preset, "%.*s", (int)(n - 5), e->d_name);
        rc = try(&s, preset, err);
    }
    if (d)
        closedir(d);
    (void)snprintf(found->name, sizeof found->name, "%s", s.best);
    found->named = s.named > 0;
    return rc == SCT_OK ? list(&s, found, err) : rc;
}

sct_status sct_preset_config(const struct sct_guess *g, const struct sct_preset_found *found,
                             struct sct_model_config *cfg, sct_error *err)
{
    SCT_TRY(sct_model_config_load(cfg, found->name, NULL, 0, err));
    if (!found->named) {
        cfg->eps = g->cfg.eps;
        cfg->gelu = g->cfg.gelu;
    }
    return SCT_OK;
}

sct_status sct_preset_tell(struct sct_guess *g, const struct sct_preset_found *found,
                           sct_error *err)
{
    struct sct_model_config cfg;
    char source[128];
    if (!found->name[0])
        return SCT_OK;
    SCT_TRY(sct_preset_config(g, found, &cfg, err));
    (void)snprintf(source, sizeof source, "preset %s", found->name);
    cfg.classes = g->cfg.classes;
    for (uint32_t i = 0; i < g->n_fact; i++) {
        const struct sct_guess_fact *f = &g->fact[i];
        const struct sct_model_key *k = sct_model_key_find(g->cfg.arch, f->key);
        if (k && !f->known && !f->said &&
            memcmp((const char *)&g->cfg + k->offset, (const char *)&cfg + k->offset,
                   k->count * sizeof(uint32_t)) != 0)
            SCT_TRY(sct_guess_say(g, &cfg, f->key, source, err));
    }
    return SCT_OK;
}

bool sct_preset_is(const struct sct_model_config *cfg)
{
    struct sct_model_config own;
    if (strchr(cfg->name, '/') ||
        sct_model_config_load(&own, cfg->name, NULL, 0, NULL) != SCT_OK ||
        own.arch != cfg->arch)
        return false;
    /* what does not change what the model computes */
    own.classes = cfg->classes;
    own.drop_path = cfg->drop_path;
    memcpy(own.head_init, cfg->head_init, sizeof own.head_init);
    for (const struct sct_model_key *k = NULL; (k = sct_model_key_next(k, cfg->arch));)
        if (!(k->flags & SCT_KEY_UNSAVED) &&
            memcmp((const char *)&own + k->offset, (const char *)cfg + k->offset,
                   k->type == SCT_KEY_TEXT ? k->count : k->count * sizeof(uint32_t)) != 0)
            return false;
    return true;
}
