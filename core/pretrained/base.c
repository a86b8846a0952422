/* SPDX-License-Identifier: MIT
 * base.c - architecture and weights of a base from files. */
#include "core/pretrained/base.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "core/io/config.h"
#include "core/io/file.h"
#include "core/plug/module.h"
#include "core/pretrained/model_io.h"

sct_status sct_model_config_load(struct sct_model_config *cfg, const char *name, char *weights,
                                 size_t size, sct_error *err)
{
    char path[4096], rel[512];
    const size_t n = strlen(name);
    if (weights)
        weights[0] = 0;
    if (strchr(name, '/') || (n > 5 && strcmp(name + n - 5, ".yaml") == 0)) {
        (void)snprintf(path, sizeof path, "%s", name);
    } else {
        (void)snprintf(rel, sizeof rel, "configs/models/%s.yaml", name);
        SCT_TRY(sct_plug_data(rel, path, sizeof path, err));
    }
    struct sct_cfg *file = NULL;
    const char *own = NULL, *base = sct_path_base(name);
    SCT_TRY(sct_cfg_load(&file, path, err));
    sct_status rc = sct_model_yaml_read(cfg, sct_cfg_root(file), &own, err);
    (void)snprintf(cfg->name, sizeof cfg->name, "%.*s", (int)strcspn(base, "."), base);
    if (rc == SCT_OK && own && weights)
        rc = sct_plug_data(own, weights, size, err);
    sct_cfg_destroy(&file);
    return rc;
}

sct_status sct_base_open(struct sct_base *b, const char *path, uint64_t seed, sct_error *err)
{
    const bool random = strcmp(path, "random") == 0;
    memset(b, 0, sizeof *b);
    sct_status rc = random ? SCT_OK : sct_base_file_open(&b->file, path, err);
    if (rc == SCT_OK && !random)
        rc = sct_base_file_check(&b->file, err);
    if (rc == SCT_OK)
        rc = (b->w = sct_weights_create(path, random, seed)) ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK && !random) {
        b->w->flax = b->file.map->dialect->npz;
        rc = sct_base_file_weights(&b->file, b->w, err);
    }
    if (rc != SCT_OK)
        sct_base_close(b);
    return rc;
}

void sct_base_close(struct sct_base *b)
{
    sct_weights_destroy(&b->w);
    sct_base_file_close(&b->file);
}

sct_status sct_base_model(const struct sct_base *b, enum sct_interp interp,
                          struct sct_model_config *cfg, struct sct_preset_found *found,
                          sct_error *err)
{
    memset(found, 0, sizeof *found);
    if (!b->file.guess)
        return sct_fail(err, SCT_EUSAGE,
                        "random weights do not say of which model: say --model NAME (see "
                        "configs/models)");
    if (b->file.folder.unsure)
        return sct_fail(err, SCT_EFILE, "%s", b->file.folder.unsure);
    SCT_TRY(sct_preset_find(b->file.guess, sct_ckpt_path(b->file.ck), interp != SCT_INTERP_NONE,
                            found, err));
    if (found->name[0])
        return sct_preset_config(b->file.guess, found, cfg, err);
    *cfg = b->file.guess->cfg;
    return SCT_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct sct_weight *const *x = a, *const *y = b;
    return strcmp((*x)->t.name, (*y)->t.name);
}

/* Elements of the largest tensor; 0 without any. */
static uint64_t largest(const struct sct_weights *w)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < w->n; i++) {
        const uint64_t n = sct_desc_count(&w->item[i]->t.desc);
        most = n > most ? n : most;
    }
    return most;
}

sct_status sct_base_hash_of(const struct sct_weights *w, char hex[SCT_SHA256_HEX],
                            sct_error *err)
{
    struct sct_weight **item = sct_calloc(w->n ? w->n : 1, sizeof(*item));
    /* One buffer for all that have no view: a fresh one for each would be cleared page by page,
     * and the pages of this one are there only once they are written. */
    float *v = sct_calloc((size_t)largest(w) + 1, sizeof *v);
    sct_status rc = item && v ? SCT_OK : sct_nomem(err);
    struct sct_base_hash h;
    sct_base_hash_init(&h);
    if (rc == SCT_OK) {
        memcpy(item, w->item, w->n * sizeof(*item));
        qsort(item, w->n, sizeof(*item), by_name);
    }
    for (uint32_t i = 0; i < w->n && rc == SCT_OK; i++) {
        const struct sct_tensor *t = &item[i]->t;
        if (sct_name_is_head(t->name))
            continue;
        const void *there;
        rc = sct_tensor_view(t, &there, err);
        if (rc == SCT_OK && !there)
            rc = t->load(t, v, err);
        if (rc == SCT_OK)
            rc =
                sct_base_hash_add(&h, t->name, t->desc.dim, t->desc.nd, there ? there : v, err);
        sct_tensor_viewed(t, there);
    }
    if (rc == SCT_OK)
        sct_base_hash_end(&h, hex);
    sct_free(v);
    sct_free(item);
    return rc;
}
