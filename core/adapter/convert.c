/* SPDX-License-Identifier: MIT
 * convert.c - what a LoRA folder of PEFT means in options of strategy lora. */
#include "core/adapter/convert_even.h"

#include <string.h>

#include "core/base/status.h"
#include "core/base/str.h"
#include "core/model/build.h"

#define PREFIX "base_model.model."

/* ---- tensors ---- */

/* Pairs in timm's names. */
static sct_status take_timm(struct sct_import_pairs *r, sct_error *err)
{
    for (size_t i = 0; i < sct_peft_layers(r->cfg); i++) {
        struct sct_peft_found *f = &r->found[r->n];
        char name[128];
        sct_peft_layer(r->cfg, i, f->layer);
        (void)snprintf(name, sizeof name, PREFIX "%s.lora_A.weight", f->layer);
        const struct sct_adapter_tensor *a = sct_adapter_find(r->from, name);
        if (!a)
            continue;
        (void)snprintf(f->module, sizeof f->module, "%s", f->layer);
        f->part = -1;
        f->r = a->desc.dim[0];
        r->n++;
    }
    for (uint32_t i = 0; i < r->from->n; i++) {
        const struct sct_adapter_tensor *x = &r->from->item[i];
        if (strncmp(x->name, PREFIX, strlen(PREFIX)) != 0)
            return sct_fail(err, SCT_EFILE,
                            "%s: tensor %s: expected a name that begins with " PREFIX,
                            r->from->origin, x->name);
        SCT_TRY(sct_adapter_put(r->im->own, x->name + strlen(PREFIX), &x->desc, x->data, err));
    }
    return SCT_OK;
}

static bool in_timm_names(const struct sct_import_pairs *r)
{
    for (size_t i = 0; i < sct_peft_layers(r->cfg); i++) {
        char layer[64], name[128];
        sct_peft_layer(r->cfg, i, layer);
        (void)snprintf(name, sizeof name, PREFIX "%s.lora_A.weight", layer);
        if (sct_adapter_find(r->from, name))
            return true;
    }
    return false;
}

static sct_status take_tensors(struct sct_import_pairs *r, sct_error *err)
{
    const size_t most = sct_peft_layers(r->cfg) * SCT_IMPORT_PARTS + 1;
    r->found = sct_calloc(most, sizeof *r->found);
    r->value = sct_calloc(most, sizeof *r->value);
    if (!r->found || !r->value)
        return sct_nomem(err);
    r->im->names = in_timm_names(r) ? SCT_PEFT_TIMM : SCT_PEFT_HF;
    if (r->im->names == SCT_PEFT_TIMM)
        SCT_TRY(take_timm(r, err));
    else
        SCT_TRY(sct_peft_from_hf(r->from, r->cfg, false, r->im->own, r->found, &r->n, err));
    if (r->n == 0)
        return sct_fail(err, SCT_EFILE, "%s: there is no pair of a layer of %s", r->file,
                        r->cfg->name);
    char head[96];
    (void)snprintf(head, sizeof head, "%s.weight", sct_arch_at(r->cfg->arch)->head);
    const struct sct_adapter_tensor *h = sct_adapter_find(r->im->own, head);
    r->im->classes = h ? h->desc.dim[0] : 0;
    if (!h != !json_array_size(r->lora.saved))
        return sct_fail(err, SCT_EFILE, "%s: modules_to_save %s a head, and the tensors %s one",
                        r->file, h ? "does not name" : "names", h ? "have" : "lack");
    return SCT_OK;
}

/* ---- values ---- */

static sct_status take_values(struct sct_import_pairs *r, sct_error *err)
{
    for (size_t i = 0; i < r->n; i++) {
        struct sct_peft_module *v = &r->value[i];
        int yes;
        v->name = r->found[i].module;
        SCT_TRY(sct_peft_modules_read(v, &r->lora, r->file, err));
        SCT_TRY(sct_peft_modules_target(&r->lora, v->name, r->file, &yes, err));
        if (!yes)
            return sct_fail(err, SCT_EFILE,
                            "%s: there are tensors of %s, which target_modules does not name",
                            r->file, v->name);
        if (v->r != r->found[i].r)
            return sct_fail(err, SCT_EFILE,
                            "%s: %s has rank %u by r and rank_pattern, its tensors have %u",
                            r->file, v->name, v->r, r->found[i].r);
    }
    return SCT_OK;
}

/* ---- options ---- */

static sct_status add(struct sct_import *im, const char *key, const char *value, sct_error *err)
{
    struct sct_set *s = &im->set[im->n_set++];
    s->key = key;
    s->value = sct_arena_strdup(&im->arena, value ? value : "");
    (void)snprintf(s->where, sizeof s->where, "adapter_config.json");
    return value && s->value ? SCT_OK : sct_nomem(err);
}

/* Kind and part are targets in every block or in none: sct_import_even has seen to it. */
static sct_status take_targets(struct sct_import_pairs *r, sct_error *err)
{
    const size_t layers = sct_peft_layers(r->cfg), blocks = layers / SCT_IMPORT_KINDS;
    char targets[64] = "";
    for (size_t kind = 0; kind < SCT_IMPORT_KINDS; kind++)
        for (int p = -1; p < SCT_IMPORT_PARTS; p++) {
            size_t have = 0;
            char layer[64];
            for (size_t b = 0; b < blocks; b++) {
                sct_peft_layer(r->cfg, b * SCT_IMPORT_KINDS + kind, layer);
                for (size_t i = 0; i < r->n; i++)
                    have += r->found[i].part == p && strcmp(r->found[i].layer, layer) == 0;
            }
            const char *w = p < 0 ? sct_import_kinds[kind] : sct_import_parts[p];
            if (have)
                (void)snprintf(targets + strlen(targets), sizeof targets - strlen(targets),
                               "%s%s", *targets ? "," : "", w);
        }
    return add(r->im, "targets", targets, err);
}

static double value_of(const struct sct_import_pairs *r, size_t i, bool alpha)
{
    return alpha ? r->value[i].alpha : (double)r->value[i].r;
}

/* Whether an earlier pair is of the same layer. */
static bool came_before(const struct sct_import_pairs *r, size_t i)
{
    size_t k = 0;
    while (k < i && strcmp(r->found[k].layer, r->found[i].layer) != 0)
        k++;
    return k < i;
}

/* Value `key` of most pairs, and a pattern with the layers that have another one. */
static sct_status take_pattern(struct sct_import_pairs *r, const char *key, const char *pattern,
                               bool alpha, sct_error *err)
{
    struct sct_str s = {0};
    size_t best = 0, most = 0;
    char number[40];
    for (size_t i = 0; i < r->n; i++) {
        size_t k = 0;
        for (size_t j = 0; j < r->n; j++)
            k += value_of(r, j, alpha) == value_of(r, i, alpha);
        if (k > most) {
            most = k;
            best = i;
        }
    }
    const double usual = value_of(r, best, alpha);
    for (size_t i = 0; i < r->n; i++) {
        if (value_of(r, i, alpha) == usual || came_before(r, i))
            continue;
        sct_str_add(&s, "%s", s.n ? "," : "");
        for (const char *p = r->found[i].layer; *p;) { /* blocks.3.attn -> blocks[3].attn */
            const size_t digits = *p == '.' ? strspn(p + 1, "0123456789") : 0;
            sct_str_add(&s, digits ? "[%.*s]" : "%.*s", digits ? (int)digits : 1,
                        digits ? p + 1 : p);
            p += 1 + digits;
        }
        sct_str_add(&s, "=%.9g", value_of(r, i, alpha));
    }
    (void)snprintf(number, sizeof number, "%.9g", usual);
    sct_status rc = add(r->im, key, number, err);
    const bool some = s.n != 0;
    char *text = some ? sct_str_take(&s) : NULL;
    if (rc == SCT_OK && some)
        rc = add(r->im, pattern, text, err);
    sct_free(text);
    return rc;
}

static sct_status take_options(struct sct_import_pairs *r, sct_error *err)
{
    char number[40];
    SCT_TRY(take_targets(r, err));
    SCT_TRY(take_pattern(r, "r", "rank_pattern", false, err));
    SCT_TRY(take_pattern(r, "alpha", "alpha_pattern", true, err));
    (void)snprintf(number, sizeof number, "%.9g", r->lora.dropout);
    SCT_TRY(add(r->im, "dropout", number, err));
    SCT_TRY(add(r->im, "rslora", r->lora.rslora ? "on" : "off", err));
    return add(r->im, "dora", r->lora.dora ? "on" : "off", err);
}

sct_status sct_import_peft(struct sct_import *im, const struct sct_adapter_folder *f,
                           const struct sct_model_config *cfg, sct_error *err)
{
    struct sct_import_pairs r = {.im = im, .file = f->config_path, .cfg = cfg};
    memset(im, 0, sizeof *im);
    im->strategy = "lora";
    sct_status rc = sct_peft_lora_parse(&r.lora, f, err);
    if (rc == SCT_OK) {
        r.from = sct_adapter_create(f->config_path);
        im->own = sct_adapter_create(f->config_path);
        rc = r.from && im->own ? sct_adapter_parts_stored(r.from, f->tensors, err)
                               : sct_nomem(err);
    }
    if (rc == SCT_OK)
        rc = take_tensors(&r, err);
    if (rc == SCT_OK)
        rc = take_values(&r, err);
    if (rc == SCT_OK)
        rc = sct_import_even(&r, err);
    if (rc == SCT_OK)
        rc = take_options(&r, err);
    sct_adapter_destroy(&r.from);
    sct_free(r.found);
    sct_free(r.value);
    if (rc != SCT_OK)
        sct_import_fini(im);
    return rc;
}

void sct_import_fini(struct sct_import *im)
{
    sct_adapter_destroy(&im->own);
    sct_arena_free(&im->arena);
    memset(im, 0, sizeof *im);
}
