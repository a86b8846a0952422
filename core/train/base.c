/* SPDX-License-Identifier: MIT
 * base.c - architecture and weights of a base from files. */
#include "core/train/base.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "core/io/config.h"
#include "core/io/file.h"
#include "core/plug/module.h"

static sct_status choice(const struct sct_cfg_node *map, const char *key, const char *words,
                         uint32_t *out, sct_error *err)
{
    const char *text = NULL;
    SCT_TRY(sct_cfg_str(map, key, &text, err));
    if (!text)
        return SCT_OK;
    uint32_t i = 0;
    for (const char *p = words; *p; i++) {
        const size_t n = strcspn(p, "|");
        if (strlen(text) == n && memcmp(p, text, n) == 0) {
            *out = i;
            return SCT_OK;
        }
        p += n + (p[n] == '|');
    }
    return sct_cfg_fail(sct_cfg_get(map, key), err, "%s: expected %s, found \"%s\"", key, words,
                        text);
}

static sct_status config_fill(struct sct_model_config *c, const struct sct_cfg_node *m,
                              const char **weights, sct_error *err)
{
    static const char *const keys[] = {
        "arch",      "image_size", "patch_size",  "dim",     "depth",   "heads", "mlp",
        "mlp_ratio", "pool",       "class_token", "eps",     "fc_norm", "gelu",  "mean",
        "std",       "crop_pct",   "head_init",   "weights", "classes", NULL};
    uint32_t arch = 0;
    float ratio = 4.0f;
    const char *init = NULL;
    SCT_TRY(sct_cfg_only(m, keys, err));
    SCT_TRY(choice(m, "arch", "vit", &arch, err));
    SCT_TRY(sct_cfg_u32(m, "image_size", 1, 16384, &c->image, err));
    SCT_TRY(sct_cfg_u32(m, "patch_size", 1, 1024, &c->patch, err));
    SCT_TRY(sct_cfg_u32(m, "dim", 1, 16384, &c->dim, err));
    SCT_TRY(sct_cfg_u32(m, "depth", 1, 1024, &c->depth, err));
    SCT_TRY(sct_cfg_u32(m, "heads", 1, 1024, &c->heads, err));
    SCT_TRY(sct_cfg_u32(m, "classes", 1, 1000000, &c->classes, err));
    SCT_TRY(sct_cfg_f32(m, "mlp_ratio", &ratio, err));
    c->mlp = (uint32_t)((float)c->dim * ratio);
    SCT_TRY(sct_cfg_u32(m, "mlp", 1, 65536, &c->mlp, err));
    SCT_TRY(choice(m, "pool", "token|avg", &c->pool, err));
    SCT_TRY(sct_cfg_bool(m, "class_token", &c->class_token, err));
    SCT_TRY(sct_cfg_bool(m, "fc_norm", &c->fc_norm, err));
    SCT_TRY(choice(m, "gelu", "erf|tanh", &c->gelu, err));
    SCT_TRY(sct_cfg_f32(m, "eps", &c->eps, err));
    SCT_TRY(sct_cfg_f32s(m, "mean", c->mean, 3, err));
    SCT_TRY(sct_cfg_f32s(m, "std", c->std, 3, err));
    SCT_TRY(sct_cfg_f32(m, "crop_pct", &c->crop_pct, err));
    SCT_TRY(sct_cfg_str(m, "head_init", &init, err));
    if (init)
        (void)snprintf(c->head_init, sizeof c->head_init, "%s", init);
    return sct_cfg_str(m, "weights", weights, err);
}

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
    *cfg = (struct sct_model_config){.class_token = 1,
                                     .eps = 1e-6f,
                                     .mean = {0.5f, 0.5f, 0.5f},
                                     .std = {0.5f, 0.5f, 0.5f},
                                     .crop_pct = 0.9f,
                                     .classes = 1000,
                                     .head_init = "normal(0, 0.02)"};
    const char *base = sct_path_base(name);
    (void)snprintf(cfg->name, sizeof cfg->name, "%.*s", (int)strcspn(base, "."), base);
    struct sct_cfg *file = NULL;
    const char *own = NULL;
    SCT_TRY(sct_cfg_load(&file, path, err));
    sct_status rc = config_fill(cfg, sct_cfg_root(file), &own, err);
    if (rc == SCT_OK && own && weights)
        rc = sct_plug_data(own, weights, size, err);
    sct_cfg_destroy(&file);
    return rc;
}

sct_status sct_model_name_guess(const char *weights, char *name, size_t size, sct_error *err)
{
    char path[4096], rel[512];
    (void)snprintf(name, size, "%s", sct_path_base(weights));
    for (size_t n = strlen(name); n > 0; n--) {
        if (name[n] != '.' && name[n] != '_' && name[n] != '-' && name[n])
            continue;
        name[n] = 0;
        (void)snprintf(rel, sizeof rel, "configs/models/%.400s.yaml", name);
        if (sct_plug_data(rel, path, sizeof path, NULL) == SCT_OK)
            return SCT_OK;
    }
    name[0] = 0;
    return sct_fail(err, SCT_EUSAGE,
                    "%s: its name does not begin with a preset's; say --model NAME (see "
                    "configs/models)",
                    weights);
}

static sct_status load_file(const struct sct_tensor *t, void *dst, sct_error *err)
{
    struct sct_ckpt *file = t->ctx;
    const struct sct_ckpt_tensor *x = t->data;
    SCT_TRY(sct_ckpt_read_f32(file, x, dst, err));
    sct_ckpt_drop(file, x);
    return SCT_OK;
}

static sct_status add_tensors(struct sct_base *b, const char *path, sct_error *err)
{
    for (size_t i = 0; i < sct_ckpt_count(b->file); i++) {
        const struct sct_ckpt_tensor *x = sct_ckpt_at(b->file, i);
        struct sct_desc d = {SCT_F32, x->nd, {0}, 0};
        if (x->nd > SCT_MAX_DIMS)
            return sct_fail(err, SCT_EFILE,
                            "%s: tensor %s has %u dimensions, at most %d are read", path,
                            x->name, x->nd, SCT_MAX_DIMS);
        for (uint32_t k = 0; k < x->nd; k++) {
            if (x->dim[k] == 0 || x->dim[k] > UINT32_MAX)
                return sct_fail(err, SCT_EFILE, "%s: tensor %s: dimension %u is %llu", path,
                                x->name, k, (unsigned long long)x->dim[k]);
            d.dim[k] = (uint32_t)x->dim[k];
        }
        SCT_TRY(sct_weights_add(b->w, x->name, &d, load_file, x, b->file, err));
    }
    return SCT_OK;
}

sct_status sct_base_open(struct sct_base *b, const char *path, uint64_t seed, sct_error *err)
{
    const bool random = strcmp(path, "random") == 0;
    memset(b, 0, sizeof *b);
    sct_status rc = random ? SCT_OK : sct_ckpt_open(&b->file, path, err);
    if (rc == SCT_OK)
        rc = (b->w = sct_weights_create(path, random, seed)) ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK && !random)
        rc = add_tensors(b, path, err);
    if (rc != SCT_OK)
        sct_base_close(b);
    return rc;
}

void sct_base_close(struct sct_base *b)
{
    sct_weights_destroy(&b->w);
    sct_ckpt_close(&b->file);
}

static int by_name(const void *a, const void *b)
{
    const struct sct_weight *const *x = a, *const *y = b;
    return strcmp((*x)->t.name, (*y)->t.name);
}

sct_status sct_base_hash_of(const struct sct_weights *w, char hex[SCT_SHA256_HEX],
                            sct_error *err)
{
    struct sct_weight **item = sct_calloc(w->n ? w->n : 1, sizeof(*item));
    if (!item)
        return sct_nomem(err);
    memcpy(item, w->item, w->n * sizeof(*item));
    qsort(item, w->n, sizeof(*item), by_name);
    struct sct_base_hash h;
    sct_base_hash_init(&h);
    sct_status rc = SCT_OK;
    for (uint32_t i = 0; i < w->n && rc == SCT_OK; i++) {
        const struct sct_tensor *t = &item[i]->t;
        if (sct_name_is_head(t->name))
            continue;
        float *v = sct_calloc((size_t)sct_desc_count(&t->desc), sizeof *v);
        rc = v ? t->load(t, v, err) : sct_nomem(err);
        if (rc == SCT_OK)
            rc = sct_base_hash_add(&h, t->name, t->desc.dim, t->desc.nd, v, err);
        sct_free(v);
    }
    if (rc == SCT_OK)
        sct_base_hash_end(&h, hex);
    sct_free(item);
    return rc;
}
