/* SPDX-License-Identifier: MIT
 * convert_ia3.c - an (IA)3 folder of PEFT as strategy ssf.
 * (IA)3 (Liu et al. 2022, arXiv 2205.05638) multiplies what a layer gives, bias and all, by a
 * learned vector: SSF with that scale and no shift. Where it has no vector the scale is 1. A
 * vector on a layer's input (feedforward_modules) is none of SSF's places. */
#include "core/adapter/convert.h"

#include <string.h>

#include "core/base/status.h"
#include "core/model/build.h"

#define PREFIX "base_model.model."

enum { PARTS = 3, VERSIONS = 2 };

struct reading {
    struct sct_import *im;
    const char *file;
    const struct sct_model_config *cfg;
    struct sct_peft_lora_read config; /* its targets and saved */
    struct sct_adapter *from;
};

static sct_status check_config(struct reading *r, const struct sct_adapter_folder *f,
                               sct_error *err)
{
    static const char *const off[] = {"fan_in_fan_out", "exclude_modules"};
    for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
        const json_t *v = json_object_get(f->config, off[i]);
        if (v && !json_is_null(v) && !json_is_false(v) && json_array_size(v) == 0)
            return sct_fail(
                err, SCT_EFILE,
                "%s: %s is set, which is not supported; merge the adapter with PEFT "
                "first",
                r->file, off[i]);
    }
    const struct sct_json_at at = {f->config, r->file, "", SCT_EFILE};
    size_t n = 0;
    r->config.targets = json_object_get(f->config, "target_modules");
    if (!json_is_string(r->config.targets))
        SCT_TRY(sct_json_get_strings(&at, "target_modules", SCT_JSON_REQUIRED,
                                     &r->config.targets, &n, err));
    return sct_json_get_strings(&at, "modules_to_save", SCT_JSON_OPTIONAL, &r->config.saved, &n,
                                err);
}

/* The vector of a module, or NULL. It is [out][1]. */
static sct_status take(struct reading *r, const char *module, const float **v, uint32_t *n,
                       sct_error *err)
{
    char name[SCT_NAME_MAX + 64];
    int yes;
    (void)snprintf(name, sizeof name, PREFIX "%s.ia3_l", module);
    struct sct_adapter_tensor *x = sct_adapter_find(r->from, name);
    *v = NULL;
    if (!x)
        return SCT_OK;
    if (x->desc.dtype != SCT_F32 || x->desc.nd != 2 || x->desc.dim[1] != 1)
        return sct_fail(
            err, SCT_EFILE,
            "%s: %s: expected [out][1], a scale of what the layer gives; one of its "
            "input (feedforward_modules) cannot be converted. Merge the adapter with "
            "PEFT",
            r->file, name);
    SCT_TRY(sct_peft_modules_target(&r->config, module, r->file, &yes, err));
    if (!yes)
        return sct_fail(err, SCT_EFILE,
                        "%s: there are tensors of %s, which target_modules does not name",
                        r->file, module);
    x->used = true;
    *v = x->data;
    *n = x->desc.dim[0];
    return SCT_OK;
}

/* Scales of q, k and v one behind the other, 1 where there is none; of both versions' names
 * the first that is there. */
static sct_status take_hf(struct reading *r, const char *layer, float *all, uint32_t room,
                          uint32_t *n, sct_error *err)
{
    const int parts = sct_peft_is_qkv(layer) ? PARTS : 1;
    const float *v[PARTS] = {NULL};
    uint32_t each = 0;
    for (int p = 0; p < parts; p++)
        for (int version = 0; version < VERSIONS && !v[p]; version++) {
            char module[SCT_NAME_MAX];
            uint32_t have = 0;
            if (sct_peft_module(r->cfg, version, layer, parts > 1 ? p : -1, module))
                SCT_TRY(take(r, module, &v[p], &have, err));
            if (v[p] && each && have != each)
                return sct_fail(err, SCT_EFILE, "%s: q, k and v of %s differ in size", r->file,
                                layer);
            each = v[p] ? have : each;
        }
    if ((uint64_t)each * (uint32_t)parts > room)
        return sct_fail(err, SCT_EFILE, "%s: the vector of %s is too long", r->file, layer);
    *n = each * (uint32_t)parts;
    for (uint32_t i = 0; i < *n; i++)
        all[i] = v[i / each] ? v[i / each][i % each] : 1.0f;
    return SCT_OK;
}

static sct_status take_layers(struct reading *r, float *all, uint32_t room, sct_error *err)
{
    for (size_t i = 0; i < sct_peft_layers(r->cfg); i++) {
        char layer[64], name[96];
        const float *v;
        uint32_t n = 0;
        sct_peft_layer(r->cfg, i, layer);
        SCT_TRY(take(r, layer, &v, &n, err));
        if (v)
            r->im->names = SCT_PEFT_TIMM;
        else
            SCT_TRY(take_hf(r, layer, all, room, &n, err));
        if (n == 0)
            continue;
        const struct sct_desc d = sct_desc_make(SCT_F32, 1, &n);
        (void)snprintf(name, sizeof name, "%s.ssf_scale", layer);
        SCT_TRY(sct_adapter_put(r->im->own, name, &d, v ? v : all, err));
    }
    return SCT_OK;
}

static sct_status take_head(struct reading *r, sct_error *err)
{
    const char *head = sct_arch_at(r->cfg->arch)->head;
    char name[96], full[128];
    for (int i = 0; i < 2; i++) {
        (void)snprintf(name, sizeof name, "%s.%s", head, i ? "bias" : "weight");
        (void)snprintf(full, sizeof full, PREFIX "%s", name);
        struct sct_adapter_tensor *x = sct_adapter_find(r->from, full);
        if (!x)
            continue;
        x->used = true;
        SCT_TRY(sct_adapter_put(r->im->own, name, &x->desc, x->data, err));
    }
    SCT_TRY(sct_peft_hf_head(r->from, r->cfg, r->im->own, err));
    (void)snprintf(name, sizeof name, "%s.weight", head);
    const struct sct_adapter_tensor *h = sct_adapter_find(r->im->own, name);
    r->im->classes = h ? h->desc.dim[0] : 0;
    return SCT_OK;
}

sct_status sct_import_ia3(struct sct_import *im, const struct sct_adapter_folder *f,
                          const struct sct_model_config *cfg, sct_error *err)
{
    enum { ROOM = 1u << 20 };
    struct reading r = {.im = im, .file = f->config_path, .cfg = cfg};
    float *all = sct_calloc(ROOM, sizeof *all);
    memset(im, 0, sizeof *im);
    im->strategy = "ssf";
    im->names = SCT_PEFT_HF;
    im->own = sct_adapter_create(f->config_path);
    r.from = sct_adapter_create(f->config_path);
    sct_status rc = all && im->own && r.from ? check_config(&r, f, err) : sct_nomem(err);
    if (rc == SCT_OK)
        rc = sct_adapter_parts_stored(r.from, f->tensors, err);
    if (rc == SCT_OK)
        rc = take_layers(&r, all, ROOM, err);
    if (rc == SCT_OK && im->own->n == 0)
        rc = sct_fail(err, SCT_EFILE, "%s: there is no vector of a layer of %s", r.file,
                      cfg->name);
    if (rc == SCT_OK)
        rc = take_head(&r, err);
    for (uint32_t i = 0; rc == SCT_OK && i < r.from->n; i++)
        if (!r.from->item[i].used)
            rc = sct_fail(err, SCT_EFILE,
                          "%s: tensor %s has no place: expected vectors of qkv, proj, fc1 and "
                          "fc2 of %s, and its head",
                          r.file, r.from->item[i].name, cfg->name);
    sct_adapter_destroy(&r.from);
    sct_free(all);
    if (rc != SCT_OK)
        sct_import_fini(im);
    return rc;
}
