/* SPDX-License-Identifier: MIT
 * peft_hf.c - LoRA adapters between own names and those of transformers 4 and 5. */
#include "core/adapter/peft_hf.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "core/base/str.h"
#include "core/model/build.h"
#include "core/model/dialect.h"

#define PREFIX "base_model.model."

enum { VERSIONS = 2, PARTS = 3, KINDS = 4, NAME = SCT_NAME_MAX };

const char *const sct_peft_names_words[] = {"timm", "hf", NULL};

static const char *const tensor_of[] = {"lora_A.weight", "lora_B.weight",
                                        "lora_magnitude_vector"};

enum { A, B, M, TENSORS };

/* ---- names ---- */

size_t sct_peft_layers(const struct sct_model_config *cfg)
{
    size_t blocks = cfg->arch == SCT_ARCH_VIT ? cfg->depth : 0;
    for (int s = 0; cfg->arch == SCT_ARCH_SWIN && s < SCT_STAGES; s++)
        blocks += cfg->stage_depth[s];
    return blocks * KINDS;
}

void sct_peft_layer(const struct sct_model_config *cfg, size_t i, char buf[64])
{
    static const char *const kind[KINDS] = {"attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"};
    size_t block = i / KINDS;
    uint32_t stage = 0;
    while (cfg->arch == SCT_ARCH_SWIN && block >= cfg->stage_depth[stage])
        block -= cfg->stage_depth[stage++];
    if (cfg->arch == SCT_ARCH_SWIN)
        (void)snprintf(buf, 64, "layers.%u.blocks.%zu.%s", stage, block, kind[i % KINDS]);
    else
        (void)snprintf(buf, 64, "blocks.%zu.%s", block, kind[i % KINDS]);
}

bool sct_peft_is_qkv(const char *layer)
{
    const size_t n = strlen(layer);
    return n > 9 && strcmp(layer + n - 9, ".attn.qkv") == 0;
}

static const struct sct_dialect *dialect(const struct sct_model_config *cfg, int version)
{
    return sct_dialect_find((enum sct_arch)cfg->arch, version ? "hf5" : "hf4");
}

/* What a version of transformers calls part `part` of canonical tensor `name`. */
static bool name_in(const struct sct_model_config *cfg, int version, const char *name, int part,
                    char buf[NAME])
{
    struct sct_dialect_name n;
    const struct sct_dialect *d = dialect(cfg, version);
    return d && sct_dialect_name(d, name, &n) &&
           sct_dialect_part(&n, name, part < 0 ? 0 : (uint32_t)part, false, buf);
}

bool sct_peft_module(const struct sct_model_config *cfg, int version, const char *layer,
                     int part, char buf[SCT_NAME_MAX])
{
    char weight[NAME];
    (void)snprintf(weight, sizeof weight, "%.200s.weight", layer);
    if (!name_in(cfg, version, weight, part, buf))
        return false;
    buf[strlen(buf) - strlen(".weight")] = 0;
    return strlen(buf) < SCT_ADAPTER_MODULE;
}

/* ViTs of transformers that have other classes, or none. */
static sct_status check_model(const struct sct_model_config *c, sct_error *err)
{
    const char *what = c->distilled            ? "a distillation token"
                       : c->reg_tokens         ? "register tokens"
                       : c->pre_norm           ? "a norm before the first block"
                       : c->layer_scale        ? "layer scale"
                       : c->qk_norm            ? "norms of q and k"
                       : c->fc_norm || c->pool ? "average pooling"
                       : c->arch == SCT_ARCH_VIT && !c->class_token ? "no class token"
                                                                    : NULL;
    if (c->arch == SCT_ARCH_SWIN || !what)
        return SCT_OK;
    return sct_fail(err, SCT_EUSAGE,
                    "model %s has %s, which transformers' ViT has not: an adapter of it has "
                    "timm's names only",
                    c->name, what);
}

/* ---- to transformers ---- */

struct out {
    const struct sct_adapter *own, *disk;
    const struct sct_model_config *cfg;
    struct sct_adapter *to;
    const json_t *modules; /* of disk */
    struct sct_str text;   /* modules in the other names */
    sct_error *err;
};

/* Rows [first, first + n) of a tensor under both names of a module. */
static sct_status put_rows(struct out *o, const char *layer, int part, int tensor,
                           const struct sct_adapter_tensor *x, uint32_t first, uint32_t n)
{
    struct sct_desc d = x->desc;
    char module[NAME], name[2 * NAME];
    d.dim[0] = n;
    const size_t row = (size_t)(sct_desc_count(&x->desc) / x->desc.dim[0]);
    for (int v = 0; v < VERSIONS; v++) {
        if (!sct_peft_module(o->cfg, v, layer, part, module))
            return sct_fail(o->err, SCT_EINVAL, "%s has no name in transformers", layer);
        (void)snprintf(name, sizeof name, PREFIX "%s.%s", module, tensor_of[tensor]);
        SCT_TRY(sct_adapter_put(o->to, name, &d, (const float *)x->data + first * row, o->err));
        if (tensor != A)
            continue;
        const json_t *values = json_object_get(o->modules, layer);
        sct_str_add(&o->text, "%s\"%s\": [%.17g, %.17g, 1]", o->text.n ? ", " : "{", module,
                    json_number_value(json_array_get(values, 0)),
                    json_number_value(json_array_get(values, 1)));
    }
    return SCT_OK;
}

/* A tensor of a pair: layer, part and which; false: it is none. */
static bool parse(const char *own, char layer[NAME], int *part, int *tensor)
{
    for (*tensor = 0; *tensor < TENSORS; ++*tensor) {
        const size_t n = strlen(own), k = strlen(tensor_of[*tensor]);
        if (n <= k + 1 || n - k >= NAME || strcmp(own + n - k, tensor_of[*tensor]) != 0)
            continue;
        (void)snprintf(layer, NAME, "%.*s", (int)(n - k - 1), own);
        char *last = strrchr(layer, '.');
        const char *at = last && strlen(last) == 2 ? strchr("qkv", last[1]) : NULL;
        *part = at ? (int)(at - "qkv") : -1;
        if (at)
            *last = 0;
        return true;
    }
    return false;
}

static sct_status put_one(struct out *o, const struct sct_adapter_tensor *x)
{
    char layer[NAME], name[NAME], full[2 * NAME];
    int part, tensor;
    if (!parse(x->name, layer, &part, &tensor)) {
        if (!name_in(o->cfg, 0, x->name, -1, name))
            return sct_fail(o->err, SCT_EINVAL, "%s has no name in transformers", x->name);
        (void)snprintf(full, sizeof full, PREFIX "%s", name);
        return sct_adapter_put(o->to, full, &x->desc, x->data, o->err);
    }
    (void)snprintf(full, sizeof full, "%s.%c.%s", layer, part < 0 ? '?' : "qkv"[part],
                   tensor_of[A]);
    if (part >= 0 && !sct_adapter_find(o->own, full))
        return SCT_OK; /* the magnitudes of rows without a pair are those of the base */
    if (part >= 0 || !sct_peft_is_qkv(layer))
        return put_rows(o, layer, part, tensor, x, 0, x->desc.dim[0]);
    const uint32_t rows = x->desc.dim[0] / PARTS;
    for (int p = 0; p < PARTS; p++)
        SCT_TRY(tensor == A ? put_rows(o, layer, p, tensor, x, 0, x->desc.dim[0])
                            : put_rows(o, layer, p, tensor, x, (uint32_t)p * rows, rows));
    return SCT_OK;
}

sct_status sct_peft_to_hf(const struct sct_adapter *own, const struct sct_adapter *disk,
                          const struct sct_model_config *cfg, struct sct_adapter *to,
                          sct_error *err)
{
    const char *modules = sct_adapter_get_key(disk, "modules");
    json_t *tree = modules ? json_loads(modules, 0, NULL) : NULL;
    struct out o = {own, disk, cfg, to, tree, {0}, err};
    sct_status rc = check_model(cfg, err);
    for (uint32_t i = 0; i < own->n && rc == SCT_OK; i++)
        rc = put_one(&o, &own->item[i]);
    for (uint32_t i = 0; i < disk->n_key && rc == SCT_OK; i++)
        if (strcmp(disk->key[i].key, "modules") != 0)
            rc = sct_adapter_put_key(to, disk->key[i].key, disk->key[i].json, err);
    sct_str_add(&o.text, "}");
    char *text = sct_str_take(&o.text);
    if (rc == SCT_OK)
        rc = text ? sct_adapter_put_key(to, "modules", text, err) : sct_nomem(err);
    sct_free(text);
    json_decref(tree);
    return rc;
}

/* ---- and back ---- */

struct pair {
    const struct sct_adapter_tensor *t[TENSORS]; /* M may be NULL */
    char module[NAME];
};

static sct_status take_tensor(const struct sct_adapter *from, const char *module, int tensor,
                              struct pair *p, sct_error *err)
{
    char name[2 * NAME];
    (void)snprintf(name, sizeof name, PREFIX "%s.%s", module, tensor_of[tensor]);
    struct sct_adapter_tensor *x = sct_adapter_find(from, name);
    const struct sct_adapter_tensor *y = p->t[tensor];
    if (!x)
        return SCT_OK;
    x->used = true;
    if (y && (!sct_desc_same_dims(&x->desc, &y->desc) ||
              memcmp(x->data, y->data, (size_t)sct_desc_count(&x->desc) * 4) != 0))
        return sct_fail(
            err, SCT_EFILE,
            "%s: %s and %s are the same tensor for transformers 4 and 5, and differ",
            from->origin, y->name, x->name);
    if (x->desc.dtype != SCT_F32 || x->desc.nd != (tensor == M ? 1u : 2u))
        return sct_fail(err, SCT_EFILE, "%s: %s has an impossible shape", from->origin,
                        x->name);
    p->t[tensor] = x;
    return SCT_OK;
}

/* The pair of a part under either version's name; p->t[A] is NULL when there is none. */
static sct_status take(const struct sct_adapter *from, const struct sct_model_config *cfg,
                       const char *layer, int part, struct pair *p, sct_error *err)
{
    char module[NAME];
    memset(p, 0, sizeof *p);
    for (int v = 0; v < VERSIONS; v++) {
        const struct pair before = *p;
        if (!sct_peft_module(cfg, v, layer, part, module))
            continue;
        for (int t = 0; t < TENSORS; t++)
            SCT_TRY(take_tensor(from, module, t, p, err));
        if (!before.t[A] && p->t[A])
            memcpy(p->module, module, sizeof p->module);
    }
    if (!p->t[A] != !p->t[B])
        return sct_fail(err, SCT_EFILE, "%s: tensor " PREFIX "%s.%s is missing", from->origin,
                        *p->module ? p->module : module, tensor_of[p->t[A] ? B : A]);
    if (p->t[A] && p->t[A]->desc.dim[0] != p->t[B]->desc.dim[1])
        return sct_fail(err, SCT_EFILE, "%s: %s has rank %u, %s %u", from->origin,
                        p->t[A]->name, p->t[A]->desc.dim[0], p->t[B]->name,
                        p->t[B]->desc.dim[1]);
    return SCT_OK;
}

static sct_status put_pair(struct sct_adapter *own, const char *layer, int part,
                           const struct pair *p, sct_error *err)
{
    char name[NAME];
    for (int t = 0; t < TENSORS; t++) {
        if (part >= 0)
            (void)snprintf(name, sizeof name, "%.64s.%c.%s", layer, "qkv"[part], tensor_of[t]);
        else
            (void)snprintf(name, sizeof name, "%.64s.%s", layer, tensor_of[t]);
        if (p->t[t])
            SCT_TRY(sct_adapter_put(own, name, &p->t[t]->desc, p->t[t]->data, err));
    }
    return SCT_OK;
}

/* Rows of q, k and v one below the other. */
static sct_status put_joined(struct sct_adapter *own, const char *layer, int tensor,
                             const struct pair p[PARTS], sct_error *err)
{
    char name[NAME];
    struct sct_desc d = p[0].t[tensor]->desc;
    const size_t n = (size_t)sct_desc_count(&d);
    float *all = sct_calloc(PARTS * n, sizeof *all);
    if (!all)
        return sct_nomem(err);
    for (int i = 0; i < PARTS; i++)
        memcpy(all + (size_t)i * n, p[i].t[tensor]->data, n * sizeof *all);
    d.dim[0] *= PARTS;
    (void)snprintf(name, sizeof name, "%.64s.%s", layer, tensor_of[tensor]);
    const sct_status rc = sct_adapter_put(own, name, &d, all, err);
    sct_free(all);
    return rc;
}

static sct_status fuse(const struct sct_adapter *from, struct sct_adapter *own,
                       const char *layer, const struct pair p[PARTS], sct_error *err)
{
    char name[NAME];
    for (int i = 0; i < PARTS; i++) {
        if (!p[i].t[A])
            return sct_fail(err, SCT_EFILE, "%s: %s: expected pairs of q, k and v",
                            from->origin, layer);
        for (int t = 0; t < TENSORS; t++)
            if (!p[i].t[t] != !p[0].t[t] ||
                (p[i].t[t] && !sct_desc_same_dims(&p[i].t[t]->desc, &p[0].t[t]->desc)))
                return sct_fail(err, SCT_EFILE, "%s: %s: q, k and v differ in shape",
                                from->origin, layer);
        if (memcmp(p[i].t[A]->data, p[0].t[A]->data,
                   (size_t)sct_desc_count(&p[0].t[A]->desc) * sizeof(float)) != 0)
            return sct_fail(err, SCT_EFILE,
                            "%s: %s and %s differ: pairs that were trained apart are no longer "
                            "one of the fused layer",
                            from->origin, p[0].t[A]->name, p[i].t[A]->name);
    }
    (void)snprintf(name, sizeof name, "%.64s.%s", layer, tensor_of[A]);
    SCT_TRY(sct_adapter_put(own, name, &p[0].t[A]->desc, p[0].t[A]->data, err));
    SCT_TRY(put_joined(own, layer, B, p, err));
    return p[0].t[M] ? put_joined(own, layer, M, p, err) : SCT_OK;
}

static void note(struct sct_peft_found *f, size_t *n, const char *layer, int part,
                 const struct pair *p)
{
    if (!f || !p->t[A])
        return;
    (void)snprintf(f[*n].layer, sizeof f->layer, "%.63s", layer);
    (void)snprintf(f[*n].module, sizeof f->module, "%.159s", p->module);
    f[*n].part = part;
    f[(*n)++].r = p->t[A]->desc.dim[0];
}

sct_status sct_peft_hf_head(const struct sct_adapter *from, const struct sct_model_config *cfg,
                            struct sct_adapter *own, sct_error *err)
{
    static const char *const end[] = {"weight", "bias"};
    char canon[96], name[NAME], full[2 * NAME];
    for (int i = 0; i < 2; i++) {
        (void)snprintf(canon, sizeof canon, "%s.%s", sct_arch_at(cfg->arch)->head, end[i]);
        if (!name_in(cfg, 0, canon, -1, name))
            continue;
        (void)snprintf(full, sizeof full, PREFIX "%s", name);
        struct sct_adapter_tensor *x = sct_adapter_find(from, full);
        if (!x)
            continue;
        x->used = true;
        SCT_TRY(sct_adapter_put(own, canon, &x->desc, x->data, err));
    }
    return SCT_OK;
}

sct_status sct_peft_from_hf(const struct sct_adapter *from, const struct sct_model_config *cfg,
                            bool fused, struct sct_adapter *own, struct sct_peft_found *found,
                            size_t *n, sct_error *err)
{
    *n = 0;
    SCT_TRY(check_model(cfg, err));
    for (size_t i = 0; i < sct_peft_layers(cfg); i++) {
        char layer[64];
        struct pair p[PARTS];
        sct_peft_layer(cfg, i, layer);
        const int parts = sct_peft_is_qkv(layer) ? PARTS : 1;
        for (int k = 0; k < parts; k++) {
            const int part = parts > 1 ? k : -1;
            SCT_TRY(take(from, cfg, layer, part, &p[k], err));
            note(found, n, layer, part, &p[k]);
            if (p[k].t[A] && !(fused && parts > 1))
                SCT_TRY(put_pair(own, layer, part, &p[k], err));
        }
        if (fused && parts > 1)
            SCT_TRY(fuse(from, own, layer, p, err));
    }
    SCT_TRY(sct_peft_hf_head(from, cfg, own, err));
    for (uint32_t i = 0; i < from->n; i++)
        if (!from->item[i].used)
            return sct_fail(err, SCT_EFILE,
                            "%s: tensor %s has no place: expected pairs of q, k, v, proj, fc1 "
                            "and fc2 of %s in the names of transformers, and its head",
                            from->origin, from->item[i].name, cfg->name);
    return SCT_OK;
}
