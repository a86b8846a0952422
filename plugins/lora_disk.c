/* SPDX-License-Identifier: MIT
 * lora_disk.c - the adapter on disk: a Hugging Face PEFT folder in timm's names.
 *
 * The pairs of one fused qkv are written as one wider pair, which is the same function:
 *   A' = [A_q; A_v] [P r][in],   B' [3 D][P r] with B_q and B_v in their own rows and columns;
 * the magnitudes of DoRA one behind the other, those of rows without a pair among them.
 *
 * Key `modules` says of every layer {"blocks.0.attn.qkv": [r, alpha, P]}: rank and alpha of one
 * pair and how many became one. The host makes PEFT's r, lora_alpha, rank_pattern,
 * alpha_pattern and target_modules of it. */
#include <stdio.h>
#include <string.h>

#include "plugins/lora.h"

#define PREFIX "base_model.model."

enum { PREFIX_LENGTH = sizeof PREFIX - 1 };

static const char lora_a[] = "lora_A.weight", lora_b[] = "lora_B.weight",
                  magnitude[] = "lora_magnitude_vector";

/* What one call works on. */
struct disk {
    const struct lora *l;
    const struct sct_strategy_host *h;
    const sct_adapter *from;
    sct_adapter *to;
    int want[LORA_TARGETS];
    char *modules; /* JSON so far */
    size_t size, used;
};

static uint32_t pairs_of(const struct disk *k)
{
    return (uint32_t)(k->want[0] + k->want[1] + k->want[2]);
}

/* The fused layer that a name on disk or of our own belongs to; empty when its pairs are none
 * of q, k and v. */
static struct lora_layer layer_of_parts(const struct disk *k, const char *name)
{
    static const char qkv[] = ".attn.qkv";
    struct lora_layer s = lora_layer_of(name, ".attn.qkv.");
    const size_t n = strlen(s.text);
    if (n && n + sizeof qkv <= sizeof s.text && !k->want[LORA_WHOLE_QKV])
        memcpy(s.text + n, qkv, sizeof qkv);
    else
        s.text[0] = 0;
    return s;
}

/* ---- to PEFT's form ---- */

static sct_status note_module(struct disk *k, const struct lora_layer *layer, uint32_t pairs,
                              sct_error *err)
{
    struct lora_values v;
    SCT_TRY(lora_values_of(k->l, k->h, layer->text, &v, err));
    k->used +=
        (size_t)snprintf(k->modules + k->used, k->size - k->used, "%s\"%s\": [%u, %.9g, %u]",
                         k->used > 1 ? ", " : "", layer->text, v.r, (double)v.alpha, pairs);
    return SCT_OK;
}

static sct_status keys_to_disk(const struct disk *k, sct_error *err)
{
    static const char *const init[] = {"true", "\"gaussian\"", "true"};
    char number[48];
    SCT_TRY(k->h->put_key(k->to, "peft_type", "\"LORA\"", err));
    SCT_TRY(k->h->put_key(k->to, "modules", k->modules, err));
    (void)snprintf(number, sizeof number, "%.9g", (double)k->l->dropout);
    SCT_TRY(k->h->put_key(k->to, "lora_dropout", number, err));
    SCT_TRY(k->h->put_key(k->to, "init_lora_weights", init[k->l->init], err));
    SCT_TRY(k->h->put_key(k->to, "use_dora", k->l->dora ? "true" : "false", err));
    return k->h->put_key(k->to, "use_rslora", k->l->rslora ? "true" : "false", err);
}

static sct_status put(const struct disk *k, const struct lora_layer *layer, const char *tensor,
                      const struct sct_desc *d, const void *data, sct_error *err)
{
    char name[LORA_NAME];
    (void)snprintf(name, sizeof name, PREFIX "%s.%s", layer->text, tensor);
    return k->h->put(k->to, name, d, data, err);
}

static sct_status get_part(const struct disk *k, const struct lora_layer *layer, int part,
                           const char *tensor, struct sct_desc *d, const float **data,
                           sct_error *err)
{
    char name[LORA_NAME];
    const void *v = NULL;
    lora_name(name, layer, &lora_targets[part], tensor);
    const sct_status rc = k->h->get(k->from, name, d, &v, err);
    *data = v;
    return rc;
}

/* a [P r][in] and b [3 D][P r], zeroed, of the pairs of the layer. */
static sct_status fill_wide(const struct disk *k, const struct lora_layer *layer, uint32_t r,
                            float *a, float *b, sct_error *err)
{
    const uint32_t R = pairs_of(k) * r;
    uint32_t at = 0;
    for (uint32_t t = 0; t < LORA_PARTS; t++) {
        struct sct_desc da, db;
        const float *pa, *pb;
        if (!k->want[t])
            continue;
        SCT_TRY(get_part(k, layer, (int)t, lora_a, &da, &pa, err));
        SCT_TRY(get_part(k, layer, (int)t, lora_b, &db, &pb, err));
        const uint32_t in = da.dim[1], D = db.dim[0];
        memcpy(a + (size_t)at * in, pa, (size_t)r * in * sizeof *a);
        for (uint32_t o = 0; o < D; o++)
            memcpy(b + ((size_t)t * D + o) * R + at, pb + (size_t)o * r, r * sizeof *b);
        at += r;
    }
    return SCT_OK;
}

static sct_status widen(struct disk *k, const struct lora_layer *layer, sct_error *err)
{
    struct sct_desc da = {0}, db = {0};
    const float *data;
    for (int t = 0; t < LORA_PARTS; t++) {
        if (!k->want[t])
            continue;
        SCT_TRY(get_part(k, layer, t, lora_a, &da, &data, err));
        SCT_TRY(get_part(k, layer, t, lora_b, &db, &data, err));
    }
    const uint32_t r = da.dim[0], R = pairs_of(k) * r, in = da.dim[1], D = db.dim[0];
    const uint32_t wide_a[2] = {R, in}, wide_b[2] = {3 * D, R};
    const struct sct_desc xa = sct_desc_make(SCT_F32, 2, wide_a),
                          xb = sct_desc_make(SCT_F32, 2, wide_b);
    float *a = k->h->alloc((size_t)R * in * sizeof *a);
    float *b = k->h->alloc((size_t)3 * D * R * sizeof *b);
    sct_status rc = a && b ? fill_wide(k, layer, r, a, b, err)
                           : k->h->fail(err, SCT_ENOMEM, "out of memory");
    if (rc == SCT_OK)
        rc = put(k, layer, lora_a, &xa, a, err);
    if (rc == SCT_OK)
        rc = put(k, layer, lora_b, &xb, b, err);
    k->h->free(a);
    k->h->free(b);
    return rc == SCT_OK ? note_module(k, layer, pairs_of(k), err) : rc;
}

/* m' [3 D] = m_q, m_k, m_v. */
static sct_status join_magnitudes(const struct disk *k, const struct lora_layer *layer,
                                  sct_error *err)
{
    struct sct_desc d;
    const float *m;
    SCT_TRY(get_part(k, layer, 0, magnitude, &d, &m, err));
    const uint32_t D = d.dim[0], wide = LORA_PARTS * D;
    const struct sct_desc all = sct_desc_make(SCT_F32, 1, &wide);
    float *v = k->h->alloc(wide * sizeof *v);
    sct_status rc = v ? SCT_OK : k->h->fail(err, SCT_ENOMEM, "out of memory");
    for (uint32_t t = 0; rc == SCT_OK && t < LORA_PARTS; t++) {
        rc = get_part(k, layer, (int)t, magnitude, &d, &m, err);
        if (rc == SCT_OK)
            memcpy(v + (size_t)t * D, m, D * sizeof *v);
    }
    if (rc == SCT_OK)
        rc = put(k, layer, magnitude, &all, v, err);
    k->h->free(v);
    return rc;
}

static sct_status all_to_disk(struct disk *k, sct_error *err)
{
    struct lora_layer last = {""};
    for (size_t i = 0; k->h->tensor_name(k->from, i); i++) {
        const char *own = k->h->tensor_name(k->from, i);
        const struct lora_layer parts = layer_of_parts(k, own),
                                whole = lora_layer_of(own, ".lora_A");
        struct sct_desc d;
        const void *data;
        char name[LORA_NAME];
        if (parts.text[0]) {
            if (strcmp(parts.text, last.text) != 0) {
                SCT_TRY(widen(k, &parts, err));
                if (k->l->dora)
                    SCT_TRY(join_magnitudes(k, &parts, err));
            }
            last = parts;
            continue;
        }
        SCT_TRY(k->h->get(k->from, own, &d, &data, err));
        (void)snprintf(name, sizeof name, PREFIX "%s", own);
        SCT_TRY(k->h->put(k->to, name, &d, data, err));
        if (whole.text[0])
            SCT_TRY(note_module(k, &whole, 1, err));
    }
    (void)snprintf(k->modules + k->used, k->size - k->used, "}");
    return keys_to_disk(k, err);
}

sct_status lora_to_disk(const void *st, const struct sct_strategy_host *h,
                        const sct_adapter *from, sct_adapter *to, sct_error *err)
{
    struct disk k = {.l = st, .h = h, .from = from, .to = to, .used = 1};
    SCT_TRY(lora_want(k.l, h, k.want, err));
    size_t n = 0;
    while (h->tensor_name(from, n))
        n++;
    k.size = (n + 1) * (sizeof(struct lora_layer) + 64);
    k.modules = h->alloc(k.size);
    if (!k.modules)
        return h->fail(err, SCT_ENOMEM, "out of memory");
    k.modules[0] = '{';
    const sct_status rc = all_to_disk(&k, err);
    h->free(k.modules);
    return rc;
}

/* ---- and back ---- */

/* A wide pair as it was read. */
struct wide {
    const float *a, *b;
    uint32_t r, R, in, D;
};

static sct_status get_wide(const struct disk *k, const struct lora_layer *layer, struct wide *w,
                           sct_error *err)
{
    char na[LORA_NAME], nb[LORA_NAME];
    struct sct_desc da, db;
    const void *pa, *pb;
    struct lora_values v;
    (void)snprintf(na, sizeof na, PREFIX "%s.%s", layer->text, lora_a);
    (void)snprintf(nb, sizeof nb, PREFIX "%s.%s", layer->text, lora_b);
    SCT_TRY(lora_values_of(k->l, k->h, layer->text, &v, err));
    SCT_TRY(k->h->get(k->from, na, &da, &pa, err));
    SCT_TRY(k->h->get(k->from, nb, &db, &pb, err));
    const uint32_t R = pairs_of(k) * v.r;
    if (da.dtype != SCT_F32 || db.dtype != SCT_F32 || da.nd != 2 || db.nd != 2 ||
        da.dim[0] != R || db.dim[1] != R || db.dim[0] % LORA_PARTS)
        return k->h->fail(err, SCT_EFILE,
                          "%s: rank %u does not fit %u pair(s) of rank %u (targets %s)", na,
                          da.dim[0], pairs_of(k), v.r, k->l->targets);
    *w = (struct wide){pa, pb, v.r, R, da.dim[1], db.dim[0] / LORA_PARTS};
    return SCT_OK;
}

/* Columns at.. of b: half [D][r] of part t; all other rows must be zero there. */
static sct_status take_columns(const struct disk *k, const struct lora_layer *layer,
                               const struct wide *w, uint32_t t, uint32_t at, float *half,
                               sct_error *err)
{
    for (uint32_t o = 0; o < LORA_PARTS * w->D; o++) {
        const float *row = w->b + (size_t)o * w->R + at;
        for (uint32_t j = 0; j < w->r; j++) {
            if (o / w->D == t)
                half[(size_t)(o - t * w->D) * w->r + j] = row[j];
            else if (row[j] != 0.0f)
                return k->h->fail(
                    err, SCT_EFILE,
                    PREFIX "%s.%s: row %u, column %u is not zero: the pairs of %s were trained "
                           "together and cannot be taken apart",
                    layer->text, lora_b, o, at + j, k->l->targets);
        }
    }
    return SCT_OK;
}

static sct_status narrow(const struct disk *k, const struct lora_layer *layer, sct_error *err)
{
    struct wide w = {0};
    char name[LORA_NAME];
    SCT_TRY(get_wide(k, layer, &w, err));
    const uint32_t xa[2] = {w.r, w.in}, xb[2] = {w.D, w.r};
    const struct sct_desc ya = sct_desc_make(SCT_F32, 2, xa),
                          yb = sct_desc_make(SCT_F32, 2, xb);
    float *half = k->h->alloc((size_t)w.D * w.r * sizeof *half);
    sct_status rc = half ? SCT_OK : k->h->fail(err, SCT_ENOMEM, "out of memory");
    uint32_t at = 0;
    for (uint32_t t = 0; t < LORA_PARTS && rc == SCT_OK; t++) {
        if (!k->want[t])
            continue;
        rc = take_columns(k, layer, &w, t, at, half, err);
        lora_name(name, layer, &lora_targets[t], lora_a);
        if (rc == SCT_OK)
            rc = k->h->put(k->to, name, &ya, w.a + (size_t)at * w.in, err);
        lora_name(name, layer, &lora_targets[t], lora_b);
        if (rc == SCT_OK)
            rc = k->h->put(k->to, name, &yb, half, err);
        at += w.r;
    }
    k->h->free(half);
    return rc;
}

static sct_status split_magnitudes(const struct disk *k, const struct lora_layer *layer,
                                   const char *disk_name, sct_error *err)
{
    struct sct_desc d;
    const void *data;
    char name[LORA_NAME];
    SCT_TRY(k->h->get(k->from, disk_name, &d, &data, err));
    if (d.dtype != SCT_F32 || d.nd != 1 || d.dim[0] % LORA_PARTS)
        return k->h->fail(err, SCT_EFILE, "%s: expected one number a row of q, k and v",
                          disk_name);
    const uint32_t D = d.dim[0] / LORA_PARTS;
    const struct sct_desc part = sct_desc_make(SCT_F32, 1, &D);
    for (uint32_t t = 0; t < LORA_PARTS; t++) {
        lora_name(name, layer, &lora_targets[t], magnitude);
        SCT_TRY(k->h->put(k->to, name, &part, (const float *)data + (size_t)t * D, err));
    }
    return SCT_OK;
}

sct_status lora_from_disk(void *st, const struct sct_strategy_host *h, const sct_adapter *from,
                          sct_adapter *to, sct_error *err)
{
    struct disk k = {.l = st, .h = h, .from = from, .to = to};
    SCT_TRY(lora_want(k.l, h, k.want, err));
    for (size_t i = 0; h->tensor_name(from, i); i++) {
        const char *name = h->tensor_name(from, i);
        struct sct_desc d;
        const void *data;
        if (strncmp(name, PREFIX, PREFIX_LENGTH) != 0)
            return h->fail(err, SCT_EFILE,
                           "tensor %s: expected a name that begins with " PREFIX, name);
        const char *own = name + PREFIX_LENGTH;
        const struct lora_layer parts = layer_of_parts(&k, own);
        const char *tensor = parts.text[0] ? own + strlen(parts.text) + 1 : "";
        if (strcmp(tensor, lora_a) == 0) {
            SCT_TRY(narrow(&k, &parts, err));
        } else if (strcmp(tensor, magnitude) == 0) {
            SCT_TRY(split_magnitudes(&k, &parts, name, err));
        } else if (strcmp(tensor, lora_b) != 0) {
            SCT_TRY(h->get(from, name, &d, &data, err));
            SCT_TRY(h->put(to, own, &d, data, err));
        }
    }
    return SCT_OK;
}
