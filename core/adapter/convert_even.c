/* SPDX-License-Identifier: MIT
 * convert_even.c - pairs of every rank and in some blocks, made those that lora has. */
#include "core/adapter/convert_even.h"

#include <math.h>
#include <string.h>

#include "core/base/status.h"
#include "core/model/build.h"

const char *const sct_import_kinds[SCT_IMPORT_KINDS] = {"qkv", "proj", "fc1", "fc2"};
const char *const sct_import_parts[SCT_IMPORT_PARTS] = {"q", "k", "v"};

/* "blocks.3.attn.qkv.q.lora_A.weight", or of the whole layer. factor: 'A', 'B'. */
static void own_name(char *buf, size_t size, const struct sct_peft_found *f, char factor)
{
    if (f->part < 0)
        (void)snprintf(buf, size, "%s.lora_%c.weight", f->layer, factor);
    else
        (void)snprintf(buf, size, "%s.%s.lora_%c.weight", f->layer, sct_import_parts[f->part],
                       factor);
}

static struct sct_adapter_tensor *factor_of(const struct sct_import_pairs *r,
                                            const struct sct_peft_found *f, char factor)
{
    char name[128];
    own_name(name, sizeof name, f, factor);
    return sct_adapter_find(r->im->own, name);
}

static double scale_of(const struct sct_import_pairs *r, const struct sct_peft_module *v)
{
    return v->alpha / (r->lora.rslora ? sqrt((double)v->r) : (double)v->r);
}

/* Pair i with the rank and alpha of `like`: A [r][in] gets rows of zeros, B [out][r] columns.
 */
static sct_status widen(struct sct_import_pairs *r, size_t i,
                        const struct sct_peft_module *like, sct_error *err)
{
    struct sct_adapter_tensor *a = factor_of(r, &r->found[i], 'A'),
                              *b = factor_of(r, &r->found[i], 'B');
    if (!a || !b || a->desc.nd != 2 || b->desc.nd != 2 || b->desc.dim[1] != r->value[i].r)
        return sct_fail(err, SCT_EFILE, "%s: %s has no lora_B of its rank %u", r->file,
                        r->found[i].module, r->value[i].r);
    const uint32_t rank = like->r, old = r->value[i].r, in = a->desc.dim[1],
                   out = b->desc.dim[0];
    const double by = scale_of(r, &r->value[i]) / scale_of(r, like);
    float *va = sct_arena_alloc(&r->im->own->arena, (size_t)rank * in * sizeof *va);
    float *vb = sct_arena_alloc(&r->im->own->arena, (size_t)out * rank * sizeof *vb);
    if (!va || !vb)
        return sct_nomem(err);
    memcpy(va, a->data, (size_t)old * in * sizeof *va);
    for (uint32_t o = 0; o < out; o++)
        for (uint32_t k = 0; k < old; k++)
            vb[(size_t)o * rank + k] =
                (float)((double)((const float *)b->data)[(size_t)o * old + k] * by);
    a->data = va;
    b->data = vb;
    a->desc.dim[0] = b->desc.dim[1] = rank;
    r->found[i].r = rank;
    r->value[i].r = rank;
    r->value[i].alpha = like->alpha;
    r->im->n_widened++;
    return SCT_OK;
}

/* The pair of i's layer with the largest rank; of equal ones the first. */
static size_t widest(const struct sct_import_pairs *r, size_t i)
{
    size_t best = i;
    for (size_t k = 0; k < r->n; k++)
        if (strcmp(r->found[k].layer, r->found[i].layer) == 0 &&
            (r->value[k].r > r->value[best].r ||
             (r->value[k].r == r->value[best].r && k < best)))
            best = k;
    return best;
}

static sct_status one_rank(struct sct_import_pairs *r, sct_error *err)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct sct_peft_module like = r->value[widest(r, i)];
        if (r->value[i].r == like.r && r->value[i].alpha == like.alpha)
            continue;
        if (like.alpha == 0.0)
            return sct_fail(err, SCT_EFILE,
                            "%s: %s has alpha 0 and another pair of its layer has not", r->file,
                            like.name);
        SCT_TRY(widen(r, i, &like, err));
    }
    return SCT_OK;
}

/* Pair `part` of a layer, or n. */
static size_t find(const struct sct_import_pairs *r, const char *layer, int part)
{
    size_t i = 0;
    while (i < r->n && (r->found[i].part != part || strcmp(r->found[i].layer, layer) != 0))
        i++;
    return i;
}

/* Layer `kind` of block b. */
static void layer_at(const struct sct_import_pairs *r, size_t b, size_t kind, char buf[64])
{
    sct_peft_layer(r->cfg, b * SCT_IMPORT_KINDS + kind, buf);
}

/* Whether both are in one stage: what stands in front of "blocks." is the same. */
static bool one_stage(const char *a, const char *b)
{
    const char *x = strstr(a, "blocks."), *y = strstr(b, "blocks.");
    return x && y && x - a == y - b && strncmp(a, b, (size_t)(x - a)) == 0;
}

/* A pair of zeros for `layer`, of the sizes of pair `like`. */
static sct_status add_zeros(struct sct_import_pairs *r, const char *layer, size_t like,
                            sct_error *err)
{
    struct sct_peft_found *f = &r->found[r->n];
    const struct sct_adapter_tensor *a = factor_of(r, &r->found[like], 'A'),
                                    *b = factor_of(r, &r->found[like], 'B');
    size_t other = 0; /* a pair of the same layer says the rank */
    *f = r->found[like];
    (void)snprintf(f->layer, sizeof f->layer, "%s", layer);
    (void)snprintf(f->module, sizeof f->module, "%s", layer);
    while (other < r->n && strcmp(r->found[other].layer, layer) != 0)
        other++;
    r->value[r->n] = r->value[other < r->n ? other : like];
    r->value[r->n].name = f->module;
    f->r = r->value[r->n].r;
    if (!a || !b)
        return sct_fail(err, SCT_EFILE, "%s: %s has no lora_B", r->file, r->found[like].module);
    const uint32_t da[2] = {f->r, a->desc.dim[1]}, db[2] = {b->desc.dim[0], f->r};
    const struct sct_desc xa = sct_desc_make(SCT_F32, 2, da),
                          xb = sct_desc_make(SCT_F32, 2, db);
    const uint64_t n = sct_desc_count(&xa), m = sct_desc_count(&xb);
    float *zero = sct_calloc((size_t)(n > m ? n : m), sizeof *zero);
    char name[128];
    sct_status rc = zero ? SCT_OK : sct_nomem(err);
    own_name(name, sizeof name, f, 'A');
    if (rc == SCT_OK)
        rc = sct_adapter_put(r->im->own, name, &xa, zero, err);
    own_name(name, sizeof name, f, 'B');
    if (rc == SCT_OK)
        rc = sct_adapter_put(r->im->own, name, &xb, zero, err);
    sct_free(zero);
    r->n++;
    r->im->n_filled++;
    return rc;
}

/* Pair `part` of layer `kind` in every block, if any block has it. */
static sct_status every_block(struct sct_import_pairs *r, size_t kind, int part, sct_error *err)
{
    const size_t blocks = sct_peft_layers(r->cfg) / SCT_IMPORT_KINDS, had = r->n;
    char layer[64];
    size_t have = 0;
    for (size_t b = 0; b < blocks; b++) {
        layer_at(r, b, kind, layer);
        have += find(r, layer, part) < r->n;
    }
    for (size_t b = 0; have && b < blocks; b++) {
        size_t like = 0;
        layer_at(r, b, kind, layer);
        if (find(r, layer, part) < r->n)
            continue;
        while (like < had && (r->found[like].part != part ||
                              !strstr(r->found[like].layer, sct_import_kinds[kind]) ||
                              !one_stage(r->found[like].layer, layer)))
            like++;
        if (like == had || r->lora.dora)
            return sct_fail(err, SCT_EFILE,
                            "%s: %zu of %zu blocks have a pair of %s, %s has none%s. Merge the "
                            "adapter with PEFT",
                            r->file, have, blocks, sct_import_kinds[kind], layer,
                            r->lora.dora
                                ? ", and with DoRA it would need the magnitudes of its "
                                  "rows"
                                : " and nor has another one of its stage");
        SCT_TRY(add_zeros(r, layer, like, err));
    }
    return SCT_OK;
}

sct_status sct_import_even(struct sct_import_pairs *r, sct_error *err)
{
    SCT_TRY(one_rank(r, err));
    for (size_t kind = 0; kind < SCT_IMPORT_KINDS; kind++)
        for (int part = -1; part < SCT_IMPORT_PARTS; part++)
            SCT_TRY(every_block(r, kind, part, err));
    return SCT_OK;
}
