/* SPDX-License-Identifier: MIT
 * preset.c - presets against a guess. */
#include "core/train/preset.h"

#include <dirent.h>
#include <string.h>

#include "core/base/status.h"
#include "core/io/file.h"
#include "core/plug/module.h"
#include "core/train/base.h"

struct search {
    const struct sct_guess *g;
    const char *file; /* base name of the checkpoint */
    bool resized;
    char best[96];
    size_t named; /* bytes of the file's name that the best one's name begins with */
};

/* How much of the file's name is the preset's: all of it, up to a separator, or nothing. */
static size_t begins(const char *file, const char *preset)
{
    const size_t n = strlen(preset);
    const bool whole = strncmp(file, preset, n) == 0 &&
                       (file[n] == 0 || file[n] == '.' || file[n] == '_' || file[n] == '-');
    return whole ? n : 0;
}

static bool better(const struct search *s, const char *name, size_t named)
{
    const size_t n = strlen(name), m = strlen(s->best);
    if (!m || named != s->named)
        return !m || named > s->named;
    return n != m ? n < m : strcmp(name, s->best) < 0;
}

static sct_status try(struct search *s, const char *name, sct_error *err)
{
    struct sct_model_config cfg;
    const size_t named = begins(s->file, name);
    SCT_TRY(sct_model_config_load(&cfg, name, NULL, 0, err));
    const bool resized = s->resized && named;
    if (!sct_guess_against(s->g, &cfg, resized) && !sct_guess_unlike(s->g, &cfg, resized) &&
        better(s, name, named)) {
        (void)snprintf(s->best, sizeof s->best, "%s", name);
        s->named = named;
    }
    return SCT_OK;
}

sct_status sct_preset_find(const struct sct_guess *g, const char *path, bool resized,
                           char *name, size_t size, sct_error *err)
{
    struct search s = {.g = g, .file = sct_path_base(path), .resized = resized};
    char folder[4096];
    name[0] = 0;
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
    (void)snprintf(name, size, "%s", s.best);
    return rc;
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
